//! The policies of an invented organisation: trails of 111111111111, logs and their key in 222222222222.

use super::*;

const TRAIL: &str = "arn:aws:cloudtrail:us-east-1:111111111111:trail/org-trail";
const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";
const ANALYST: &str = "arn:aws:iam::222222222222:role/security-analyst";
const BUCKET: &str = "arn:aws:s3:::org-audit-logs";

fn admin() -> Value {
    json!({"Sid": "Admin", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"}, "Resource": "*",
        "Action": ["kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", "kms:Revoke*", "kms:Disable*",
            "kms:Get*", "kms:TagResource", "kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"]})
}

fn encrypt() -> Value {
    json!({"Sid": "Encrypt", "Effect": "Allow", "Principal": {"Service": CLOUDTRAIL}, "Action": "kms:GenerateDataKey*",
        "Resource": "*", "Condition": {
            "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": "arn:aws:cloudtrail:*:111111111111:trail/*"},
            "StringEquals": {"aws:SourceArn": TRAIL}}})
}

fn describe() -> Value {
    json!({"Sid": "Describe", "Effect": "Allow", "Principal": {"Service": CLOUDTRAIL}, "Action": "kms:DescribeKey",
        "Resource": "*", "Condition": {"StringEquals": {"aws:SourceArn": TRAIL}}})
}

fn decrypt() -> Value {
    json!({"Sid": "Decrypt", "Effect": "Allow", "Principal": {"AWS": ANALYST}, "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "false"}}})
}

fn key_policy(others: Value) -> Document {
    let mut statements = vec![admin(), encrypt(), describe()];
    statements.extend(others.as_array().cloned().unwrap());
    policy(json!(statements))
}

fn bucket_policy(organisation: bool) -> Document {
    let write = |sid: &str, prefix: &str| {
        json!({"Sid": sid, "Effect": "Allow", "Principal": {"Service": CLOUDTRAIL}, "Action": "s3:PutObject",
            "Resource": format!("{BUCKET}/AWSLogs/{prefix}/*"),
            "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": TRAIL}}})
    };
    let mut statements = vec![
        json!({"Sid": "AclCheck", "Effect": "Allow", "Principal": {"Service": CLOUDTRAIL}, "Action": "s3:GetBucketAcl",
            "Resource": BUCKET, "Condition": {"StringEquals": {"aws:SourceArn": TRAIL}}}),
        write("Write111111111111", "111111111111"),
        json!({"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": [BUCKET, format!("{BUCKET}/*")], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
    ];
    if organisation {
        statements.insert(2, write("WriteOrg", "o-exampleorg1"));
    }
    policy(json!(statements))
}

/// What CloudTrail sends for this trail.
fn by_trail(action: &str, resource: Target) -> Request {
    let facts = Facts::new()
        .with("aws:SourceArn", Fact::known(TRAIL))
        .with("aws:SourceAccount", Fact::known("111111111111"))
        .with("aws:SecureTransport", Fact::known("true"))
        .with("s3:x-amz-acl", Fact::known("bucket-owner-full-control"))
        .with("kms:EncryptionContext:aws:cloudtrail:arn", Fact::known(TRAIL));
    Request { caller: service(CLOUDTRAIL), action: action.into(), resource, facts, attachment: Attachment::Resource }
}

/// What is known of reading log objects: through S3, and with no other context than S3 and CloudTrail give.
pub(super) fn facts_of_readers() -> Facts {
    Facts::new()
        .with("kms:ViaService", Fact::known("s3.us-east-1.amazonaws.com"))
        .with_prefix("kms:EncryptionContext:", Fact::absent())
        .with("kms:EncryptionContext:aws:cloudtrail:arn", Fact::known(TRAIL).or_absent())
        .with("kms:EncryptionContext:aws:s3:arn", Fact::like(["arn:aws:s3:::org-audit-logs*"]))
}

pub(super) fn decryptors(document: &Document) -> Vec<Grant> {
    let actions = ["kms:Decrypt", "kms:ReEncryptFrom"];
    reach(
        document,
        &Question { actions: &actions, resource: Target::exact(KEY), facts: facts_of_readers(), anonymous: false },
    )
}

pub(super) fn short(grants: &[Grant]) -> Vec<(Who, Certainty, Vec<Why>)> {
    grants.iter().map(|grant| (grant.who.clone(), grant.certainty, grant.why.iter().copied().collect())).collect()
}

#[test]
fn the_good_key() {
    let document = key_policy(json!([decrypt()]));
    assert_eq!(evaluate(&document, &by_trail("kms:GenerateDataKey", Target::exact(KEY))).outcome(), Truth::True);
    assert_eq!(evaluate(&document, &by_trail("kms:DescribeKey", Target::exact(KEY))).outcome(), Truth::True);
    assert_eq!(evaluate(&document, &by_trail("kms:Decrypt", Target::exact(KEY))).outcome(), Truth::False);
    let mut other = by_trail("kms:GenerateDataKey", Target::exact(KEY));
    other.facts.set("aws:SourceArn", Fact::known("arn:aws:cloudtrail:us-east-1:999999999999:trail/theirs"));
    assert_eq!(evaluate(&document, &other).outcome(), Truth::False);
    other.facts.set("aws:SourceArn", Fact::unknown());
    assert_eq!(evaluate(&document, &other).outcome(), Truth::Unknown);

    let found = decryptors(&document);
    let expected = (Who::Principal(ANALYST.into()), Certainty::Conditional, vec![Why::EncryptionContext]);
    assert_eq!(short(&found), [expected]);
    assert_eq!(found[0].by, StatementRef { index: 3, sid: Some("Decrypt".into()) });
    assert_eq!(found[0].condition, "only if kms:EncryptionContext:aws:cloudtrail:arn is present");
    assert_eq!(found[0].actions, ["kms:Decrypt"]);
}

#[test]
fn the_good_bucket() {
    let outcome = |document: &Document, action: &str, resource: &str| {
        evaluate(document, &by_trail(action, Target::all(resource))).outcome()
    };
    let (account, organisation) =
        (format!("{BUCKET}/AWSLogs/111111111111/*"), format!("{BUCKET}/AWSLogs/o-exampleorg1/*"));
    let document = bucket_policy(true);
    assert_eq!(outcome(&document, "s3:GetBucketAcl", BUCKET), Truth::True);
    assert_eq!(outcome(&document, "s3:PutObject", &account), Truth::True);
    assert_eq!(outcome(&document, "s3:PutObject", &organisation), Truth::True);
    assert_eq!(outcome(&document, "s3:PutObject", &format!("{BUCKET}/*")), Truth::Unknown);
    assert_eq!(outcome(&bucket_policy(false), "s3:PutObject", &organisation), Truth::False);
    assert_eq!(public_statements(&document, &Facts::new()), []);
    // The classic: what headers CloudTrail sends is not documented.
    let mut statements = document.clone();
    let deny =
        policy(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": format!("{BUCKET}/*"),
        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}));
    statements.statements.extend(deny.statements);
    assert_eq!(outcome(&statements, "s3:PutObject", &account), Truth::Unknown);
}

#[test]
fn keys_that_do_not_let_trails_encrypt() {
    let document = policy(json!([admin(), describe(), decrypt()]));
    assert_eq!(evaluate(&document, &by_trail("kms:GenerateDataKey", Target::exact(KEY))).outcome(), Truth::False);
    let outside = json!({"Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}});
    let document = key_policy(json!([decrypt(), outside]));
    let evaluation = evaluate(&document, &by_trail("kms:GenerateDataKey", Target::exact(KEY)));
    assert_eq!((evaluation.allow, evaluation.deny, evaluation.outcome()), (Truth::True, Truth::True, Truth::False));
    assert_eq!(evaluation.decided_by.last().unwrap().sid.as_deref(), Some("D"));
    // The reader stays the only one; whether its account is in the organisation is not known here.
    let found = decryptors(&document);
    assert_eq!(short(&found)[0].0, Who::Principal(ANALYST.into()));
    assert_eq!(found.len(), 1);
}

#[test]
fn a_deny_saves_an_open_statement() {
    let document = key_policy(json!([
        {"Sid": "R", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {"StringEquals": {"kms:CallerAccount": "222222222222"}}},
        {"Sid": "X", "Effect": "Deny", "Principal": "*", "Action": ["kms:Decrypt", "kms:ReEncryptFrom"], "Resource": "*",
            "Condition": {"ArnNotEquals": {"aws:PrincipalArn": ANALYST}}},
    ]));
    let found = decryptors(&document);
    assert_eq!(short(&found), [(Who::Principal(ANALYST.into()), Certainty::Exact, vec![])]);
    assert_eq!(found[0].narrowed_by, [StatementRef { index: 4, sid: Some("X".into()) }]);
}

#[test]
fn not_principal_is_open() {
    let document =
        key_policy(json!([{"Sid": "R", "Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::333333333333:root"},
        "Action": "kms:Decrypt", "Resource": "*"}]));
    assert_eq!(short(&decryptors(&document)), [(Who::Everyone, Certainty::Exact, vec![Why::NotPrincipal])]);
}

#[test]
fn root_means_that_iam_decides() {
    let enable = json!({"Sid": "Enable IAM", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Action": "kms:*", "Resource": "*"});
    let document = policy(json!([enable, encrypt(), describe(), decrypt()]));
    let expected = [
        (Who::Account("222222222222".into()), Certainty::Unknown, vec![Why::IamDecides]),
        (Who::Principal(ANALYST.into()), Certainty::Conditional, vec![Why::EncryptionContext]),
    ];
    let found = decryptors(&document);
    assert_eq!(short(&found), expected);
    assert_eq!(found[0].actions, ["kms:Decrypt", "kms:ReEncryptFrom"]);
}

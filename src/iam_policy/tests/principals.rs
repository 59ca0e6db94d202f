use super::*;

const ROLE: &str = "arn:aws:iam::222222222222:role/team/reader";
const SESSION: &str = "arn:aws:sts::222222222222:assumed-role/reader/ann";
const USER: &str = "arn:aws:iam::222222222222:user/bob";
const ROOT: &str = "arn:aws:iam::222222222222:root";
const OTHER_ROOT: &str = "arn:aws:iam::333333333333:root";
const FEDERATED_USER: &str = "arn:aws:sts::222222222222:federated-user/bob";

fn caller(short: &str) -> Caller {
    match short {
        "anyone" => Caller::Everyone { anonymous: true },
        "everyone" => Caller::Everyone { anonymous: false },
        "org" => Caller::Organisation("o-x".into()),
        "222" => account("222222222222"),
        "333" => account("333333333333"),
        "root" => Caller::AccountRoot("222222222222".into()),
        "role" => principal(ROLE),
        "session" => principal(SESSION),
        "user" => principal(USER),
        "federated" => principal(FEDERATED_USER),
        "roles" => Caller::PrincipalsLike("arn:aws:iam::222222222222:role/team/*".into()),
        "all-roles" => Caller::PrincipalsLike("arn:aws:iam::*:role/*".into()),
        "trail" => service("cloudtrail.amazonaws.com"),
        other => panic!("{other}"),
    }
}

fn evaluated(effect: &str, element: &str, principal: &Value, by: &str) -> Evaluation {
    let document = policy(json!({"Effect": effect, element: principal, "Action": "*", "Resource": "*"}));
    evaluate(&document, &request(caller(by), "kms:Decrypt", KEY))
}

/// A principal, and for each caller whether a statement is about it; in small letters where IAM of the account decides.
#[test]
fn principals_match_callers() {
    let callers = [
        "anyone",
        "everyone",
        "org",
        "222",
        "333",
        "root",
        "role",
        "session",
        "user",
        "federated",
        "roles",
        "all-roles",
        "trail",
    ];
    let cases = [
        (json!("*"), "TTTTTTTTTTTTT"),
        (json!({"AWS": "*"}), "TTTTTTTTTTTTU"),
        (json!({"AWS": ROOT}), "uuutFTtttttuF"),
        (json!({"AWS": "222222222222"}), "uuutFTtttttuF"),
        (json!({"AWS": OTHER_ROOT}), "uuuFtFFFFFFuF"),
        (json!({"AWS": ROLE}), "UUUUFFTTFFUUF"),
        (json!({"AWS": SESSION}), "UUUUFFUTFFUUF"),
        (json!({"AWS": USER}), "UUUUFFFFTUFFF"),
        (json!({"AWS": FEDERATED_USER}), "UUUUFFFFFTFFF"),
        (json!({"AWS": "arn:aws:iam::222222222222:role/*"}), "FFFFFFFFFFFFF"),
        (json!({"AWS": "AROAEXAMPLE"}), "UUUUUFUUUUUUF"),
        (json!({"CanonicalUser": "79a5"}), "UUUUUUUUUUUUF"),
        (json!({"Federated": "accounts.google.com"}), "UUUUUFUUUUUUF"),
        (json!({"Service": "cloudtrail.amazonaws.com"}), "FFFFFFFFFFFFT"),
        (json!({"Service": "cloudtrail.us-east-1.amazonaws.com"}), "FFFFFFFFFFFFU"),
        (json!({"Service": "config.amazonaws.com"}), "FFFFFFFFFFFFF"),
        (json!({"AWS": ROLE, "Service": "cloudtrail.amazonaws.com"}), "UUUUFFTTFFUUT"),
        (json!({"AWS": [ROOT, ROLE]}), "UUUtFTTTtttUF"),
        (json!({"Moon": "x"}), "UUUUUUUUUUUUU"),
    ];
    for (principal, expected) in cases {
        let found: String = callers.iter().map(|by| letter(&evaluated("Allow", "Principal", &principal, by))).collect();
        assert_eq!(found, expected, "{principal}");
    }
}

fn letter(evaluation: &Evaluation) -> char {
    let letter = |truth| match truth {
        Truth::True => 'T',
        Truth::Unknown => 'U',
        Truth::False => 'F',
    };
    match (evaluation.allow, evaluation.delegated) {
        (allow, Truth::False) => letter(allow),
        (_, delegated) => letter(delegated).to_ascii_lowercase(),
    }
}

/// What IAM of an account decides is unknown; its root user needs no leave. A Deny wants no leave from IAM at all.
#[test]
fn accounts_delegate() {
    let outcome = |effect, by| evaluated(effect, "Principal", &json!({"AWS": ROOT}), by).outcome();
    assert_eq!(outcome("Allow", "role"), Truth::Unknown);
    assert_eq!(outcome("Allow", "222"), Truth::Unknown);
    assert_eq!(outcome("Allow", "root"), Truth::True);
    assert_eq!(outcome("Allow", "333"), Truth::False);
    let deny = evaluated("Deny", "Principal", &json!({"AWS": ROOT}), "role");
    assert_eq!((deny.deny, deny.decided_by[0].iam_decides), (Truth::True, false));
    assert!(evaluated("Allow", "Principal", &json!({"AWS": ROOT}), "role").decided_by[0].iam_decides);
}

#[test]
fn not_principal_is_everyone_but() {
    let callers = ["everyone", "222", "333", "root", "role", "session", "user", "trail"];
    let cases = [
        ("Allow", json!({"AWS": OTHER_ROOT}), "UTUTTTTT"),
        ("Allow", json!({"AWS": ROOT}), "UUTFUUUT"),
        ("Allow", json!({"AWS": ROLE}), "UUTTUUTT"),
        ("Deny", json!({"AWS": ROLE}), "UUTTUUTT"),
        ("Deny", json!({"AWS": [ROLE, ROOT]}), "UUTFUUUT"),
        ("Deny", json!({"AWS": [ROLE, ROOT, SESSION]}), "UUTFUFUT"),
        ("Allow", json!({"AWS": USER}), "UUTTTTFT"),
        ("Deny", json!({"AWS": [USER, ROOT]}), "UUTFUUFT"),
        ("Deny", json!({"AWS": USER}), "UUTTTTUT"),
        ("Deny", json!({"AWS": [SESSION, ROOT]}), "UUTFUUUT"),
        ("Deny", json!({"Service": "cloudtrail.amazonaws.com"}), "TTTTTTTF"),
        ("Deny", json!({"AWS": "arn:aws:iam::333333333333:role/*"}), "UUUUUUUU"),
        ("Deny", json!("*"), "FFFFFFFF"),
    ];
    for (effect, principal, expected) in cases {
        for (by, expected) in callers.iter().zip(expected.chars()) {
            let evaluation = evaluated(effect, "NotPrincipal", &principal, by);
            let found = if effect == "Allow" { evaluation.allow } else { evaluation.deny };
            assert_eq!(found, truth(expected), "{effect} {principal} {by}");
        }
    }
}

#[test]
fn callers_imply_facts() {
    let cases = [
        ("role", "StringEquals", "aws:PrincipalArn", ROLE, 'T'),
        ("role", "StringEquals", "aws:PrincipalAccount", "222222222222", 'T'),
        ("role", "StringEquals", "kms:CallerAccount", "222222222222", 'T'),
        ("role", "StringEquals", "kms:CallerAccount", "333333333333", 'F'),
        ("role", "StringEquals", "aws:PrincipalOrgID", "o-x", 'U'),
        ("role", "Bool", "aws:PrincipalIsAWSService", "false", 'T'),
        ("role", "StringEquals", "aws:PrincipalType", "AssumedRole", 'T'),
        ("role", "Null", "aws:username", "true", 'T'),
        ("role", "StringEquals", "aws:PrincipalTag/team", "x", 'U'),
        ("role", "Null", "aws:PrincipalServiceName", "true", 'T'),
        // The ARN of a session's role has a path that nobody knows.
        ("session", "StringEquals", "aws:PrincipalArn", ROLE, 'U'),
        ("session", "StringLike", "aws:PrincipalArn", "arn:aws:iam::222222222222:role/*", 'T'),
        ("session", "StringEquals", "aws:PrincipalArn", "arn:aws:iam::222222222222:role/team/writer", 'F'),
        ("session", "StringEquals", "aws:PrincipalArn", SESSION, 'F'),
        ("user", "StringEquals", "aws:username", "bob", 'T'),
        ("root", "ArnEquals", "aws:PrincipalArn", "arn:*:iam::222222222222:root", 'T'),
        ("root", "StringEquals", "aws:PrincipalArn", ROOT, 'U'),
        ("root", "StringEquals", "aws:PrincipalType", "Account", 'T'),
        ("222", "StringEquals", "aws:PrincipalAccount", "222222222222", 'T'),
        ("222", "StringEquals", "aws:PrincipalAccount", "333333333333", 'F'),
        ("222", "ArnLike", "aws:PrincipalArn", "arn:*:iam::222222222222:*", 'U'),
        ("222", "ArnLike", "aws:PrincipalArn", "arn:*:*::222222222222:*", 'T'),
        ("222", "ArnLike", "aws:PrincipalArn", "arn:aws:iam::333333333333:*", 'F'),
        ("222", "StringNotEquals", "aws:PrincipalOrgID", "o-x", 'U'),
        ("org", "StringEquals", "aws:PrincipalOrgID", "o-x", 'T'),
        ("org", "StringNotEquals", "aws:PrincipalOrgID", "o-y", 'T'),
        ("org", "StringEquals", "aws:PrincipalAccount", "222222222222", 'U'),
        ("roles", "ArnLike", "aws:PrincipalArn", "arn:aws:iam::222222222222:role/*", 'T'),
        ("roles", "StringEquals", "aws:PrincipalAccount", "222222222222", 'T'),
        ("all-roles", "StringEquals", "aws:PrincipalAccount", "222222222222", 'U'),
        ("everyone", "Null", "aws:PrincipalArn", "false", 'T'),
        ("anyone", "Null", "aws:PrincipalArn", "false", 'U'),
        ("everyone", "StringLike", "kms:CallerAccount", "*", 'T'),
        ("anyone", "Bool", "aws:PrincipalIsAWSService", "true", 'F'),
        ("everyone", "StringEquals", "aws:PrincipalOrgID", "o-x", 'U'),
        // A service is no principal of an account.
        ("trail", "StringNotEquals", "aws:PrincipalOrgID", "o-x", 'T'),
        ("trail", "StringNotEqualsIfExists", "aws:PrincipalOrgID", "o-x", 'T'),
        ("trail", "ArnNotEquals", "aws:PrincipalArn", ROLE, 'T'),
        ("trail", "StringEquals", "aws:PrincipalTag/team", "x", 'F'),
        ("trail", "BoolIfExists", "aws:MultiFactorAuthPresent", "false", 'T'),
        ("trail", "Bool", "aws:PrincipalIsAWSService", "true", 'T'),
        ("trail", "StringEquals", "aws:PrincipalServiceName", "cloudtrail.amazonaws.com", 'T'),
        ("trail", "StringNotEquals", "aws:SourceVpce", "vpce-1", 'T'),
        ("trail", "StringEquals", "aws:SourceOrgID", "o-x", 'U'),
        ("trail", "StringNotEquals", "s3:x-amz-server-side-encryption", "aws:kms", 'U'),
        ("trail", "StringEquals", "aws:PrincipalAccount", "222222222222", 'U'),
        ("trail", "Null", "aws:userid", "true", 'T'),
    ];
    for (by, operator, key, value, expected) in cases {
        let document = policy(json!({
            "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {operator: {key: value}},
        }));
        let found = evaluate(&document, &request(caller(by), "kms:Decrypt", KEY)).allow;
        assert_eq!(found, truth(expected), "{by} {operator} {key} {value}");
    }
}

#[test]
fn what_the_request_says_counts_first() {
    let document = policy(json!({
        "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-x"}},
    }));
    let denied = |caller: Caller, fact: Fact| {
        let mut request = request(caller, "kms:Decrypt", KEY);
        request.facts.set("AWS:principalorgid", fact);
        evaluate(&document, &request).deny
    };
    assert_eq!(denied(principal(ROLE), Fact::known("o-x")), Truth::False);
    assert_eq!(denied(principal(ROLE), Fact::known("o-y")), Truth::True);
    assert_eq!(denied(service("cloudtrail.amazonaws.com"), Fact::unknown()), Truth::Unknown);
}

#[test]
fn actions_and_resources() {
    let cases = [
        ("Action", json!("kms:Decrypt"), 'T'),
        ("Action", json!("KMS:decrypt"), 'T'),
        ("Action", json!("kms:De*"), 'T'),
        ("Action", json!("kms:?ecrypt"), 'T'),
        ("Action", json!("*"), 'T'),
        ("Action", json!("*:*"), 'T'),
        ("Action", json!(["s3:*", "kms:*"]), 'T'),
        ("Action", json!("kms:Encrypt"), 'F'),
        ("Action", json!("Decrypt"), 'F'),
        ("Action", json!("kms*"), 'U'),
        ("NotAction", json!("s3:*"), 'T'),
        ("NotAction", json!(["s3:*", "KMS:DE*"]), 'F'),
        ("NotAction", json!("*"), 'F'),
        ("Resource", json!("*"), 'T'),
        ("Resource", json!(KEY), 'T'),
        ("Resource", json!("arn:aws:kms:*:222222222222:key/*"), 'T'),
        ("Resource", json!("arn:aws:kms:*:333333333333:key/*"), 'F'),
        ("Resource", json!("arn:aws:kms:us-east-1:222222222222:alias/a"), 'F'),
        ("Resource", json!("arn:aws:kms:*"), 'U'),
        ("NotResource", json!("arn:aws:kms:*:333333333333:key/*"), 'T'),
        ("NotResource", json!([KEY]), 'F'),
        ("Resource", json!("arn:aws:kms:us-east-1:${aws:PrincipalAccount}:key/*"), 'T'),
        ("Resource", json!("arn:aws:kms:us-east-1:222222222222:key/${aws:userid}"), 'U'),
        ("Resource", json!("arn:aws:s3:::b/${aws:userid}"), 'F'),
        ("NotResource", json!("arn:aws:s3:::b/${aws:userid}"), 'U'),
        ("NotResource", json!("arn:aws:kms:*:222222222222:key/${aws:userid}"), 'U'),
    ];
    for (element, value, expected) in cases {
        let mut statement = json!({"Effect": "Allow", "Principal": "*", element: value});
        let other = if element.contains("Action") { "Resource" } else { "Action" };
        statement[other] = json!("*");
        let document = policy(json!(statement));
        let found = evaluate(&document, &request(principal(ROLE), "kms:Decrypt", KEY)).allow;
        assert_eq!(found, truth(expected), "{element} {value}");
    }
}

#[test]
fn a_sure_deny_beats_a_sure_allow() {
    let effects = |effects: &[(&str, &str)]| {
        let statements: Vec<Value> = effects
            .iter()
            .enumerate()
            .map(|(at, (effect, organisation))| {
                json!({"Sid": format!("S{at}"), "Effect": effect, "Principal": "*", "Action": "*", "Resource": "*",
                    "Condition": {"StringEquals": {"aws:PrincipalOrgID": organisation}}})
            })
            .collect();
        let mut request = request(principal(ROLE), "kms:Decrypt", KEY);
        request.facts.set("aws:PrincipalOrgID", Fact::like(["o-sure", "o-sure"]));
        evaluate(&policy(json!(statements)), &request)
    };
    let cases: &[(&[(&str, &str)], char)] = &[
        (&[], 'F'),
        (&[("Allow", "o-sure")], 'T'),
        (&[("Allow", "o-no")], 'F'),
        (&[("Allow", "o-sure"), ("Deny", "o-sure")], 'F'),
        (&[("Deny", "o-sure"), ("Allow", "o-sure")], 'F'),
        (&[("Allow", "o-sure"), ("Deny", "o-no")], 'T'),
        (&[("Deny", "o-sure")], 'F'),
        (&[("allow", "o-sure")], 'U'),
        (&[("Allow", "o-sure"), ("deny", "o-sure")], 'U'),
        (&[("allow", "o-sure"), ("Deny", "o-sure")], 'F'),
        (&[("deny", "o-no")], 'F'),
    ];
    for (statements, expected) in cases {
        assert_eq!(effects(statements).outcome(), truth(*expected), "{statements:?}");
    }
    let decided = effects(&[("Allow", "o-sure"), ("Deny", "o-no"), ("Deny", "o-sure")]).decided_by;
    let sids: Vec<_> = decided.iter().map(|applied| (applied.index, applied.sid.as_deref())).collect();
    assert_eq!(sids, [(0, Some("S0")), (2, Some("S2"))]);
}

#[test]
fn statements_of_identities_name_no_principal() {
    let document = policy(json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}));
    let mut request = request(principal(ROLE), "kms:Decrypt", KEY);
    assert_eq!(evaluate(&document, &request).outcome(), Truth::Unknown);
    request.attachment = Attachment::Identity;
    assert_eq!(evaluate(&document, &request).outcome(), Truth::True);
}

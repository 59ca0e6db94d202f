//! Statements that are added to policies, each with the least that is needed.

use serde_json::{Value, json};

use crate::json;
use crate::settings::exports::partition_of;
use crate::settings::facts::TrailSettings;

/// A bucket without a policy.
pub(super) const EMPTY: &str = "{\"Version\":\"2012-10-17\",\"Statement\":[]}";

const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";

/// What a trail must be allowed with its key.
pub(super) enum KeyStatement<'s> {
    Encrypt(&'s str),
    Describe(&'s str),
}

/// What a trail must be allowed with its bucket.
pub(super) struct BucketStatement<'s> {
    pub(super) trail: &'s str,
    pub(super) settings: &'s TrailSettings,
    /// The id of the organisation, if it is its trail.
    pub(super) organization: Option<&'s str>,
}

/// What is done to a policy.
pub(super) enum PolicyChange<'c> {
    Key(&'c KeyStatement<'c>),
    Bucket(&'c BucketStatement<'c>),
    /// Whoever comes without TLS is refused.
    Tls,
    /// The same for a bucket by its ARN.
    TlsOf(String),
    /// What is allowed to CloudTrail is allowed to these trails only.
    Source(Vec<String>),
    /// Everybody but these is denied to decrypt.
    OnlyReaders(&'c [&'c str]),
}

impl PolicyChange<'_> {
    /// The same about a bucket.
    pub(super) fn of_bucket(&self, arn: &str) -> PolicyChange<'_> {
        match self {
            Self::Key(statement) => PolicyChange::Key(statement),
            Self::Bucket(statement) => PolicyChange::Bucket(statement),
            Self::Tls | Self::TlsOf(_) => PolicyChange::TlsOf(arn.to_owned()),
            Self::Source(trails) => PolicyChange::Source(trails.clone()),
            Self::OnlyReaders(readers) => PolicyChange::OnlyReaders(readers),
        }
    }

    /// The text of the changed policy; nothing for one that cannot be changed safely.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        /// AWS takes no more for a key.
        const MOST: usize = 20 << 10;
        let mut policy = json::parse(text.as_bytes()).ok()?;
        let statements = statements(&mut policy)?;
        match self {
            Self::Key(statement) => statements.push(statement.to_json()),
            Self::Bucket(statement) => statements.extend(statement.to_json()),
            Self::Tls => return None,
            Self::TlsOf(arn) => statements.push(tls(arn)),
            Self::Source(trails) if trails.is_empty() => return None,
            Self::Source(trails) => statements.iter_mut().for_each(|statement| only_from(statement, trails)),
            Self::OnlyReaders([]) => return None,
            Self::OnlyReaders(readers) => statements.extend(only_readers(readers)),
        }
        Some(json::to_text(&policy)).filter(|text| text.len() <= MOST)
    }
}

/// The statements of a policy as a list.
fn statements(policy: &mut Value) -> Option<&mut Vec<Value>> {
    let statement = policy.as_object_mut()?.get_mut("Statement")?;
    if statement.is_object() {
        *statement = Value::Array(vec![statement.take()]);
    }
    statement.as_array_mut()
}

impl KeyStatement<'_> {
    fn to_json(&self) -> Value {
        let (sid, action, trail) = match self {
            Self::Encrypt(trail) => ("CloudTrailEncrypts", "kms:GenerateDataKey*", trail),
            Self::Describe(trail) => ("CloudTrailDescribes", "kms:DescribeKey", trail),
        };
        let mut statement = json!({
            "Sid": format!("{sid}{}", suffix(trail)), "Effect": "Allow", "Principal": {"Service": CLOUDTRAIL}, "Action": action,
            "Resource": "*", "Condition": {"StringEquals": {"aws:SourceArn": trail}}
        });
        if matches!(self, Self::Encrypt(_)) {
            statement["Condition"]["StringEquals"]["kms:EncryptionContext:aws:cloudtrail:arn"] = json!(trail);
        }
        statement
    }
}

/// What makes the ids of statements for several trails differ: letters and digits are allowed only.
fn suffix(trail: &str) -> String {
    let name = trail.rsplit('/').next().unwrap_or_default();
    let account = trail.split(':').nth(4).unwrap_or_default();
    name.chars().filter(char::is_ascii_alphanumeric).chain(account.chars()).collect()
}

impl BucketStatement<'_> {
    fn to_json(&self) -> Vec<Value> {
        let settings = self.settings;
        let bucket = format!("arn:{}:s3:::{}", partition_of(&settings.home_region), settings.bucket);
        let prefix = match settings.prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let owner = self.trail.split(':').nth(4).unwrap_or_default();
        let folders = [Some(owner), self.organization].into_iter().flatten();
        let places: Vec<String> = folders.map(|folder| format!("{bucket}/{prefix}AWSLogs/{folder}/*")).collect();
        let suffix = suffix(self.trail);
        vec![
            json!({
                "Sid": format!("CloudTrailLooks{suffix}"), "Effect": "Allow", "Principal": {"Service": CLOUDTRAIL},
                "Action": "s3:GetBucketAcl", "Resource": bucket,
                "Condition": {"StringEquals": {"aws:SourceArn": self.trail}}
            }),
            json!({
                "Sid": format!("CloudTrailWrites{suffix}"), "Effect": "Allow", "Principal": {"Service": CLOUDTRAIL},
                "Action": "s3:PutObject", "Resource": places,
                "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": self.trail}}
            }),
        ]
    }
}

fn tls(bucket: &str) -> Value {
    json!({
        "Sid": "RefuseWithoutTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [bucket, format!("{bucket}/*")], "Condition": {"Bool": {"aws:SecureTransport": "false"}}
    })
}

/// Narrows what a statement allows to CloudTrail.
fn only_from(statement: &mut Value, trails: &[String]) {
    // Whoever else a statement names must not lose what it allows.
    let is_of_services = statement["Principal"].as_object().is_some_and(|principal| principal.len() == 1);
    let is_of_cloudtrail = statement["Effect"] == "Allow"
        && is_of_services
        && match &statement["Principal"]["Service"] {
            Value::String(name) => name == CLOUDTRAIL,
            Value::Array(names) => names.len() == 1 && names.first().is_some_and(|name| name == CLOUDTRAIL),
            _ => false,
        };
    let has_source = statement["Condition"].as_object().into_iter().flatten().any(|(_, keys)| {
        keys.as_object()
            .into_iter()
            .flatten()
            .any(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn") || key.eq_ignore_ascii_case("aws:SourceAccount"))
    });
    if is_of_cloudtrail && !has_source {
        if !statement["Condition"].is_object() {
            statement["Condition"] = json!({});
        }
        if !statement["Condition"]["StringEquals"].is_object() {
            statement["Condition"]["StringEquals"] = json!({});
        }
        statement["Condition"]["StringEquals"]["aws:SourceArn"] = json!(trails);
    }
}

/// People and services apart. CloudTrail is let through: it decrypts where a bucket has a Bucket Key.
fn only_readers(readers: &[&str]) -> [Value; 2] {
    let deny = |sid: &str, condition: Value| {
        json!({
            "Sid": sid, "Effect": "Deny", "Principal": "*", "Action": ["kms:Decrypt", "kms:ReEncryptFrom"], "Resource": "*",
            "Condition": condition
        })
    };
    let is_service = |is: &str| json!({"aws:PrincipalIsAWSService": is});
    let people = json!({"ArnNotLike": {"aws:PrincipalArn": readers}, "Bool": is_service("false")});
    let services = json!({"StringNotEquals": {"aws:PrincipalServiceName": CLOUDTRAIL}, "Bool": is_service("true")});
    [deny("OnlyThesePeopleDecrypt", people), deny("OnlyCloudTrailDecrypts", services)]
}

/// A service control policy that keeps accounts from what the standard names.
pub(super) fn guardrail(deny: &[String], except: &[String]) -> String {
    let mut statement = json!({"Sid": "KeepLogging", "Effect": "Deny", "Action": deny, "Resource": "*"});
    if !except.is_empty() {
        statement["Condition"] = json!({"ArnNotLike": {"aws:PrincipalArn": except}});
    }
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
    json::to_text(&policy)
}

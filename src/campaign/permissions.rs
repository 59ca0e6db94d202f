//! What the role of the jobs is allowed, as the JSON documents that IAM and KMS take: enough for the lanes that occur and
//! no more.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::job::{JobFacts, ROLE, bucket_arn, bucket_name, manifest_path, operations, report_path};
use crate::remediation::{Group, Lane, TargetMethod};
use crate::sinks::GroupFile;

/// Lets S3 Batch Operations assume the role.
pub(super) fn trust_policy() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "batchoperations.s3.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }],
    })
}

/// The policy of the role.
pub(super) fn role_policy(files: &[GroupFile], facts: &JobFacts<'_>) -> Value {
    let within = |path: &str| json!([bucket_arn(&format!("{path}/*"), facts.key)]);
    let mut statements = vec![
        allow("ReadManifests", json!(["s3:GetObject", "s3:GetObjectVersion"]), within(&manifest_path(facts.settings))),
        allow("WriteReports", json!(["s3:PutObject"]), within(&report_path(facts.settings))),
        // Without it S3 says of an object that is gone that access to it is denied.
        allow("TellWhatIsGone", json!(["s3:ListBucket"]), buckets(files, &Lane::ALL, "", facts)),
    ];
    for (sid, lanes, actions, of_versions) in LANE_ACTIONS {
        let groups = || jobs_of(files).filter(|group| lanes.contains(&group.kind.lane));
        if groups().next().is_some() {
            let of_versions = if groups().any(|group| group.kind.has_versions) { *of_versions } else { &[] };
            let actions: Vec<&str> = actions.iter().chain(of_versions).copied().collect();
            statements.push(allow(sid, json!(actions), buckets(files, lanes, "/*", facts)));
        }
    }
    if needs_key(files) {
        statements.push(allow("NewKey", json!(key_actions(files)), json!([facts.key.as_str()])));
    }
    statements.push(old_keys(files, facts));
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// For some lanes: the name of a statement, what is done with objects, and what with versions in addition.
type LaneActions = (&'static str, &'static [Lane], &'static [&'static str], &'static [&'static str]);

const LANE_ACTIONS: &[LaneActions] = &[
    // Writing was asked for by older editions of the documentation; reading by those for batches.
    (
        "UpdateEncryption",
        &[Lane::UpdateEncryption],
        &["s3:GetObject", "s3:PutObject", "s3:UpdateObjectEncryption"],
        &["s3:GetObjectVersion"],
    ),
    (
        "Copy",
        &[Lane::Copy, Lane::RestoreThenCopy],
        &[
            "s3:GetObject",
            "s3:GetObjectTagging",
            "s3:GetObjectAnnotation",
            "s3:PutObject",
            "s3:PutObjectTagging",
            "s3:PutObjectAnnotation",
        ],
        &["s3:GetObjectVersion", "s3:GetObjectVersionTagging", "s3:GetObjectVersionAnnotation"],
    ),
    ("Restore", &[Lane::RestoreThenCopy], &["s3:RestoreObject"], &[]),
];

/// The statement for the policy of the new key.
pub(super) fn key_statement(files: &[GroupFile], facts: &JobFacts<'_>) -> Option<Value> {
    let role = facts.settings.role_arn.as_ref().map(ToString::to_string);
    needs_key(files).then(|| {
        json!({
            "Sid": "LogsealRemediation",
            "Effect": "Allow",
            "Principal": { "AWS": role.as_deref().unwrap_or(ROLE) },
            "Action": key_actions(files),
            "Resource": "*",
        })
    })
}

/// The groups that jobs work on.
pub(super) fn jobs_of(files: &[GroupFile]) -> impl Iterator<Item = &Group> {
    let groups = files.iter().map(|file| &file.group);
    groups.filter(|group| !operations(group).is_empty())
}

fn allow(sid: &str, actions: Value, resources: Value) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources })
}

fn buckets(files: &[GroupFile], lanes: &[Lane], suffix: &str, facts: &JobFacts<'_>) -> Value {
    let groups = jobs_of(files).filter(|group| lanes.contains(&group.kind.lane));
    let names: BTreeSet<&str> = groups.filter_map(bucket_name).collect();
    names.into_iter().map(|name| bucket_arn(&format!("{name}{suffix}"), facts.key)).collect()
}

fn updates(files: &[GroupFile]) -> bool {
    jobs_of(files).any(|group| group.kind.lane == Lane::UpdateEncryption)
}

fn needs_key(files: &[GroupFile]) -> bool {
    jobs_of(files).any(|group| group.kind.target.is_some_and(|target| target.method != TargetMethod::SseS3))
}

fn key_actions(files: &[GroupFile]) -> &'static [&'static str] {
    if updates(files) {
        &["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncrypt*"]
    } else {
        &["kms:Decrypt", "kms:GenerateDataKey"]
    }
}

/// No report says which keys objects have now, so the statement is about all keys of the new key's account and Region, as
/// far as S3 uses them for the role. The keys' own policies still have a say.
fn old_keys(files: &[GroupFile], facts: &JobFacts<'_>) -> Value {
    let arn: Vec<&str> = facts.key.as_str().splitn(6, ':').collect();
    let [_, partition, _, region, account, _] = arn[..] else { return Value::Null };
    let actions: &[&str] = if updates(files) { &["kms:Decrypt", "kms:ReEncryptFrom"] } else { &["kms:Decrypt"] };
    let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let mut statement =
        allow("OldKeys", json!(actions), json!([format!("arn:{partition}:kms:{region}:{account}:key/*")]));
    statement["Condition"] = json!({ "StringEquals": { "kms:ViaService": format!("s3.{region}.{suffix}") } });
    statement
}

//! The requests that create the jobs of S3 Batch Operations, for `aws s3control create-job --cli-input-json`.
//!
//! All that an audit knows is filled in. What it cannot know, and the settings do not say, is a placeholder that begins
//! with `REPLACE-WITH-`. No job begins before somebody confirms it.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::JobSettings;
use crate::escape::hex::hex;
use crate::hashes::sha256::Sha256;
use crate::policy::KeyArn;
use crate::remediation::{Group, Lane, StorageClass, Target, TargetMethod};
use crate::sinks::GroupFile;
use crate::timestamp::Timestamp;

/// What all jobs have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobFacts<'a> {
    /// The key of `[remediation]`.
    pub(crate) key: &'a KeyArn,
    /// When the report was made: what was written later is not copied.
    pub(crate) report_time: Timestamp,
    /// What the report cannot tell.
    pub(crate) settings: &'a JobSettings,
}

/// Stands for the account that runs the jobs.
pub(super) const ACCOUNT: &str = "REPLACE-WITH-ACCOUNT-ID";
/// Stands for the ARN of the role that the jobs assume.
pub(super) const ROLE: &str = "REPLACE-WITH-ROLE-ARN";
/// Stands for the bucket and the prefix of the manifests, with a slash between them.
pub(super) const MANIFESTS: &str = "REPLACE-WITH-MANIFEST-LOCATION";
/// Stands for the bucket of the reports.
pub(super) const REPORTS: &str = "REPLACE-WITH-REPORT-BUCKET";

/// The prefix of reports where the settings name no place for them.
pub(super) const REPORT_PREFIX: &str = "logseal-reports";

/// How long restored objects can be copied. The slowest restore takes two days, S3 takes a thousand restore requests a
/// second, and somebody has to confirm the copy.
pub(super) const RESTORED_DAYS: u32 = 7;

/// Limits of the service model: `NonEmptyMaxLength256String` and `TagValueString`.
const MAX_DESCRIPTION: usize = 256;
const MAX_TAG: usize = 256;

/// The same for all jobs: their order is for people to keep, since priorities only say which job goes first when several
/// could run.
const PRIORITY: u32 = 10;

/// The jobs for a manifest in the order in which they must run, each with the name of its file, which belongs beside the
/// manifest. There are none for lists that are for people, and none for what cannot be the name of a bucket.
pub(crate) fn jobs(file: &GroupFile, facts: &JobFacts<'_>) -> Vec<(String, Value)> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let stem = name.strip_suffix(".csv").unwrap_or(name);
    let requests = operations(&file.group).iter().filter_map(|operation| Request::new(*operation, &file.group, facts));
    requests.map(|of_job| (format!("{stem}.{}.json", of_job.suffix), request(file, name, &of_job, facts))).collect()
}

/// The name of a group's bucket where S3 could have a bucket of that name. Only such names are put into requests,
/// policies and commands: in a policy, `*` would stand for all buckets.
pub(super) fn bucket_name(group: &Group) -> Option<&str> {
    let name = group.bucket.as_str();
    let is_plain = (3..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && name.starts_with(|first: char| first.is_ascii_alphanumeric());
    is_plain.then_some(name)
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names of S3")]
pub enum Operation {
    #[serde(rename = "S3InitiateRestoreObject")]
    Restore,
    #[serde(rename = "S3UpdateObjectEncryption")]
    Update,
    #[serde(rename = "S3PutObjectCopy")]
    Copy,
}

/// The jobs that a group gets, in the order in which they must run. Plans, requests, policies and commands all ask here,
/// so none of them promises a job that another does not make.
pub(super) fn operations(group: &Group) -> &'static [Operation] {
    if bucket_name(group).is_none() || group.kind.target.is_none() {
        return &[];
    }
    match group.kind.lane {
        Lane::UpdateEncryption => &[Operation::Update],
        Lane::Copy => &[Operation::Copy],
        Lane::RestoreThenCopy => &[Operation::Restore, Operation::Copy],
        Lane::MultipartCopy | Lane::OwnerKey | Lane::Blocked | Lane::NoTarget => &[],
    }
}

/// The request for an operation, as far as it depends on the group.
struct Request {
    /// How the name of its file ends, before `.json`.
    suffix: &'static str,
    name: &'static str,
    parameters: Value,
    /// For people.
    what: String,
}

impl Request {
    fn new(operation: Operation, group: &Group, facts: &JobFacts<'_>) -> Option<Self> {
        let (bucket, target) = (bucket_name(group)?, group.kind.target?);
        Some(match operation {
            Operation::Update => update(target, facts),
            Operation::Restore => restore(group.kind.class),
            Operation::Copy if group.kind.lane == Lane::RestoreThenCopy => {
                copy("copy-job", bucket, group.kind.class, target, facts)
            }
            Operation::Copy => copy("job", bucket, group.kind.class, target, facts),
        })
    }
}

fn update(target: Target, facts: &JobFacts<'_>) -> Request {
    let key = json!({ "KMSKeyArn": facts.key.as_str(), "BucketKeyEnabled": target.bucket_key });
    Request {
        suffix: "job",
        name: "S3UpdateObjectEncryption",
        parameters: json!({ "ObjectEncryption": { "SSEKMS": key } }),
        what: format!("change to {}", described(target)),
    }
}

fn restore(class: Option<StorageClass>) -> Request {
    let mut parameters = Map::new();
    parameters.insert("GlacierJobTier".to_owned(), "BULK".into());
    // Objects of Intelligent-Tiering move to another tier and stay there; a request with days would fail.
    let what = if class == Some(StorageClass::IntelligentTiering) {
        "restore from the archive tiers".to_owned()
    } else {
        parameters.insert("ExpirationInDays".to_owned(), RESTORED_DAYS.into());
        format!("restore for {RESTORED_DAYS} days")
    };
    Request { suffix: "restore-job", name: "S3InitiateRestoreObject", parameters: parameters.into(), what }
}

fn copy(
    suffix: &'static str,
    bucket: &str,
    class: Option<StorageClass>,
    target: Target,
    facts: &JobFacts<'_>,
) -> Request {
    let mut parameters = Map::new();
    let mut set = |name: &str, value: Value| {
        parameters.insert(name.to_owned(), value);
    };
    set("TargetResource", bucket_arn(bucket, facts.key).into());
    // Tags are copied because no new ones are given.
    set("MetadataDirective", "COPY".into());
    // Without a class, copies become STANDARD.
    if let Some(class) = class.and_then(StorageClass::of_copy) {
        set("StorageClass", class.as_str().into());
    }
    set("UnModifiedSinceConstraint", whole_seconds(facts.report_time).into());
    // The algorithm is part of the new metadata in this interface only: S3 gets it as a header of its own, which does
    // not replace metadata while the directive says COPY.
    match target.method {
        TargetMethod::SseKms => {
            set("NewObjectMetadata", json!({ "SSEAlgorithm": "KMS" }));
            set("SSEAwsKmsKeyId", facts.key.as_str().into());
            set("BucketKeyEnabled", target.bucket_key.into());
        }
        TargetMethod::SseS3 => set("NewObjectMetadata", json!({ "SSEAlgorithm": "AES256" })),
        // There is no value for it: only the bucket's default encryption can ask for it.
        TargetMethod::DsseKms => {}
    }
    let moved = match class {
        Some(StorageClass::ReducedRedundancy) => ", in STANDARD instead of REDUCED_REDUNDANCY",
        _ => "",
    };
    Request {
        suffix,
        name: "S3PutObjectCopy",
        parameters: parameters.into(),
        what: format!("copy over itself with {}{moved}", described(target)),
    }
}

fn described(target: Target) -> &'static str {
    match (target.method, target.bucket_key) {
        (TargetMethod::SseKms, true) => "SSE-KMS and a Bucket Key",
        (TargetMethod::SseKms, false) => "SSE-KMS",
        (TargetMethod::SseS3, _) => "SSE-S3",
        (TargetMethod::DsseKms, _) => "the bucket's default encryption, which must be DSSE-KMS first",
    }
}

fn request(file: &GroupFile, name: &str, operation: &Request, facts: &JobFacts<'_>) -> Value {
    let settings = facts.settings;
    let account = settings.account_id.map(|account| account.to_string());
    let role = settings.role_arn.as_ref().map(ToString::to_string);
    json!({
        "AccountId": account.as_deref().unwrap_or(ACCOUNT),
        "ClientRequestToken": token(file, operation),
        "ConfirmationRequired": true,
        "Description": description(file, name, operation),
        "Manifest": manifest(file, facts),
        "Operation": { operation.name: &operation.parameters },
        "Priority": PRIORITY,
        "Report": report(facts),
        "RoleArn": role.as_deref().unwrap_or(ROLE),
        "Tags": [
            { "Key": "created-by", "Value": "logseal" },
            { "Key": "logseal-manifest", "Value": if file.path.len() <= MAX_TAG { &file.path } else { name } },
        ],
    })
}

fn manifest(file: &GroupFile, facts: &JobFacts<'_>) -> Value {
    let fields: &[&str] =
        if file.group.kind.has_versions { &["Bucket", "Key", "VersionId"] } else { &["Bucket", "Key"] };
    json!({
        "Spec": { "Format": "S3BatchOperations_CSV_20180820", "Fields": fields },
        "Location": {
            "ObjectArn": format!("{}/{}", bucket_arn(&manifest_path(facts.settings), facts.key), file.path),
            "ETag": file.md5,
        },
    })
}

fn report(facts: &JobFacts<'_>) -> Value {
    let location = facts.settings.report_location.as_ref();
    let (bucket, prefix) = location.map_or((REPORTS, REPORT_PREFIX), |location| (location.bucket(), location.prefix()));
    let mut report = json!({
        "Enabled": true,
        "Bucket": bucket_arn(bucket, facts.key),
        "Format": "Report_CSV_20180820",
        "ReportScope": "AllTasks",
    });
    if !prefix.is_empty() {
        report["Prefix"] = prefix.into();
    }
    report
}

/// S3 creates one job for a token, however often it is asked: the same manifest and operation give the same token.
fn token(file: &GroupFile, operation: &Request) -> String {
    let wanted = format!("{}{}", operation.name, operation.parameters);
    // 32 and 24 digits: no more than the 64 characters of the service model.
    format!("{}-{}", file.md5, &hex(&Sha256::of(wanted))[..24])
}

fn description(file: &GroupFile, name: &str, operation: &Request) -> String {
    let doubt = if file.group.kind.is_undetermined { ", not known to need it" } else { "" };
    let text = format!("logseal {name}: {} ({} objects{doubt})", operation.what, file.objects);
    text.chars().take(MAX_DESCRIPTION).collect()
}

/// Bucket and prefix of the manifests, or what stands for them.
pub(super) fn manifest_path(settings: &JobSettings) -> String {
    settings.manifest_location.as_ref().map_or_else(|| MANIFESTS.to_owned(), |location| location.path())
}

/// Bucket and prefix of the reports, or what stands for them.
pub(super) fn report_path(settings: &JobSettings) -> String {
    let location = settings.report_location.as_ref();
    location.map_or_else(|| format!("{REPORTS}/{REPORT_PREFIX}"), |location| location.path())
}

/// The ARN of a bucket, or of what is in it, in the partition of the key: S3 uses keys of its own partition only.
pub(super) fn bucket_arn(path: &str, key: &KeyArn) -> String {
    let partition = key.as_str().split(':').nth(1).unwrap_or("aws");
    format!("arn:{partition}:s3:::{path}")
}

/// S3 compares with whole seconds. Cutting the rest off is the careful side.
fn whole_seconds(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.split('.').next().unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::samples;

    fn facts_of<T>(settings: &JobSettings, then: impl FnOnce(&JobFacts<'_>) -> T) -> T {
        let report_time = Timestamp::parse(b"2026-01-04T01:00:00.789Z").unwrap();
        then(&JobFacts { key: &samples::key(), report_time, settings })
    }

    fn jobs_of(group: &Group) -> Vec<(String, Value)> {
        facts_of(&samples::settings(), |facts| jobs(&samples::file(group), facts))
    }

    fn operation<'a>(job: &'a (String, Value), name: &str) -> &'a Value {
        let operation = job.1["Operation"].as_object().unwrap();
        assert_eq!(operation.keys().collect::<Vec<_>>(), [name]);
        &operation[name]
    }

    #[test]
    fn an_update_is_asked_for_in_full() {
        let jobs = jobs_of(&samples::group(Lane::UpdateEncryption, None, TargetMethod::SseKms));
        let [(name, job)] = &jobs[..] else { panic!("{jobs:?}") };
        assert_eq!(name, "sse-kms-bucket-key-0001.job.json");
        assert_eq!(
            *job,
            json!({
                "AccountId": "111122223333",
                "ClientRequestToken": job["ClientRequestToken"],
                "ConfirmationRequired": true,
                "Description":
                    "logseal sse-kms-bucket-key-0001.csv: change to SSE-KMS and a Bucket Key (1234 objects)",
                "Manifest": {
                    "Spec": { "Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key", "VersionId"] },
                    "Location": {
                        "ObjectArn": "arn:aws-us-gov:s3:::org-batch/logseal/update-encryption/org-audit/\
                            sse-kms-bucket-key-0001.csv",
                        "ETag": "0123456789abcdef0123456789abcdef",
                    },
                },
                "Operation": { "S3UpdateObjectEncryption": { "ObjectEncryption": { "SSEKMS": {
                    "KMSKeyArn": samples::key().as_str(),
                    "BucketKeyEnabled": true,
                } } } },
                "Priority": 10,
                "Report": {
                    "Enabled": true,
                    "Bucket": "arn:aws-us-gov:s3:::org-reports",
                    "Format": "Report_CSV_20180820",
                    "ReportScope": "AllTasks",
                },
                "RoleArn": "arn:aws-us-gov:iam::111122223333:role/logseal-batch",
                "Tags": [
                    { "Key": "created-by", "Value": "logseal" },
                    {
                        "Key": "logseal-manifest",
                        "Value": "update-encryption/org-audit/sse-kms-bucket-key-0001.csv",
                    },
                ],
            })
        );
    }

    #[test]
    fn a_copy_keeps_the_class_and_sets_the_encryption() {
        let jobs = jobs_of(&samples::group(Lane::Copy, Some(StorageClass::StandardIa), TargetMethod::SseKms));
        assert_eq!(jobs[0].0, "2-current-STANDARD_IA-sse-kms-bucket-key-0001.job.json");
        assert_eq!(
            *operation(&jobs[0], "S3PutObjectCopy"),
            json!({
                "TargetResource": "arn:aws-us-gov:s3:::org-audit",
                "MetadataDirective": "COPY",
                "NewObjectMetadata": { "SSEAlgorithm": "KMS" },
                "SSEAwsKmsKeyId": samples::key().as_str(),
                "BucketKeyEnabled": true,
                "StorageClass": "STANDARD_IA",
                "UnModifiedSinceConstraint": "2026-01-04T01:00:00Z",
            })
        );
    }

    #[test]
    fn copies_without_kms_name_no_key() {
        let jobs = jobs_of(&samples::group(Lane::Copy, Some(StorageClass::ReducedRedundancy), TargetMethod::SseS3));
        let copy = operation(&jobs[0], "S3PutObjectCopy");
        assert_eq!(copy["NewObjectMetadata"], json!({ "SSEAlgorithm": "AES256" }));
        assert_eq!(copy["StorageClass"], "STANDARD");
        assert_eq!((copy.get("SSEAwsKmsKeyId"), copy.get("BucketKeyEnabled")), (None, None));
        assert!(jobs[0].1["Description"].as_str().unwrap().contains("in STANDARD instead of REDUCED_REDUNDANCY"));

        let jobs = jobs_of(&samples::group(Lane::Copy, Some(StorageClass::Standard), TargetMethod::DsseKms));
        let copy = operation(&jobs[0], "S3PutObjectCopy").as_object().unwrap();
        let set: Vec<&str> = copy.keys().map(String::as_str).collect();
        assert_eq!(set, ["MetadataDirective", "StorageClass", "TargetResource", "UnModifiedSinceConstraint"]);
        assert!(jobs[0].1["Description"].as_str().unwrap().contains("which must be DSSE-KMS first"));
    }

    #[test]
    fn what_is_archived_is_restored_and_then_copied() {
        for (class, parameters) in [
            (StorageClass::Glacier, json!({ "ExpirationInDays": 7, "GlacierJobTier": "BULK" })),
            (StorageClass::DeepArchive, json!({ "ExpirationInDays": 7, "GlacierJobTier": "BULK" })),
            (StorageClass::IntelligentTiering, json!({ "GlacierJobTier": "BULK" })),
        ] {
            let jobs = jobs_of(&samples::group(Lane::RestoreThenCopy, Some(class), TargetMethod::SseKms));
            let stem = format!("2-current-{}-sse-kms-bucket-key-0001", class.as_str());
            assert_eq!(jobs[0].0, format!("{stem}.restore-job.json"));
            assert_eq!(*operation(&jobs[0], "S3InitiateRestoreObject"), parameters);
            assert_eq!(jobs[1].0, format!("{stem}.copy-job.json"));
            assert_eq!(operation(&jobs[1], "S3PutObjectCopy")["StorageClass"], class.as_str());
            assert_ne!(jobs[0].1["ClientRequestToken"], jobs[1].1["ClientRequestToken"]);
        }
    }

    #[test]
    fn lists_for_people_and_impossible_buckets_have_no_jobs() {
        for lane in [Lane::MultipartCopy, Lane::OwnerKey, Lane::Blocked, Lane::NoTarget] {
            assert!(jobs_of(&samples::group(lane, None, TargetMethod::SseKms)).is_empty());
        }
        for bucket in ["", "ab", "*", "org-*", "org audit", "org\\x00audit", "../etc", "-org", "org/audit", "${org}"] {
            let mut group = samples::group(Lane::UpdateEncryption, None, TargetMethod::SseKms);
            group.bucket = bucket.to_owned();
            assert!(jobs_of(&group).is_empty(), "{bucket}");
        }
    }

    #[test]
    fn what_nobody_said_is_a_placeholder() {
        let group = samples::group(Lane::Copy, Some(StorageClass::Standard), TargetMethod::SseKms);
        let jobs = facts_of(&JobSettings::default(), |facts| jobs(&samples::file(&group), facts));
        let job = &jobs[0].1;
        assert_eq!(job["AccountId"], "REPLACE-WITH-ACCOUNT-ID");
        assert_eq!(job["RoleArn"], "REPLACE-WITH-ROLE-ARN");
        assert_eq!(job["Report"]["Bucket"], "arn:aws-us-gov:s3:::REPLACE-WITH-REPORT-BUCKET");
        let place = job["Manifest"]["Location"]["ObjectArn"].as_str().unwrap();
        assert!(place.starts_with("arn:aws-us-gov:s3:::REPLACE-WITH-MANIFEST-LOCATION/copy/org-audit/2-current-"));
        assert_eq!(job.to_string().matches("REPLACE-WITH-").count(), 4);
        assert_eq!(
            facts_of(&samples::settings(), |facts| jobs_text(&group, facts).matches("REPLACE-WITH-").count()),
            0
        );
    }

    fn jobs_text(group: &Group, facts: &JobFacts<'_>) -> String {
        jobs(&samples::file(group), facts).iter().map(|(_, job)| job.to_string()).collect()
    }

    #[test]
    fn the_token_follows_from_manifest_and_operation() {
        let token = |group: &Group| jobs_of(group)[0].1["ClientRequestToken"].as_str().unwrap().to_owned();
        let group = samples::group(Lane::UpdateEncryption, None, TargetMethod::SseKms);
        assert_eq!(token(&group), token(&group));
        assert!(token(&group).starts_with("0123456789abcdef0123456789abcdef-") && token(&group).len() <= 64);
        let mut other = group.clone();
        other.kind.target = Some(Target { method: TargetMethod::SseKms, bucket_key: false });
        assert_ne!(token(&group), token(&other));
    }

    #[test]
    fn limits_are_kept_whatever_the_names_are() {
        let mut group = samples::group(Lane::Copy, Some(StorageClass::IntelligentTiering), TargetMethod::SseKms);
        group.kind.is_undetermined = true;
        group.kind.has_versions = false;
        let file =
            GroupFile { path: format!("copy/{}/{}.csv", "b".repeat(63), "n".repeat(300)), ..samples::file(&group) };
        let jobs = facts_of(&samples::settings(), |facts| jobs(&file, facts));
        let job = &jobs[0].1;
        assert_eq!(job["Description"].as_str().unwrap().len(), 256);
        assert_eq!(job["Manifest"]["Spec"]["Fields"], json!(["Bucket", "Key"]));
    }
}

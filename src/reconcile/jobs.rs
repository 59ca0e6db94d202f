//! What a job of S3 Batch Operations does to the objects of its manifest, from how it was created or is described.
//!
//! A job is only taken for the one that a manifest asks for if everything that decides how objects are stored is the
//! same: the operation, the bucket that is written to, the method, the key, the Bucket Key and the storage class. What
//! is not understood makes a job unknown.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::remediation::Lane;
use crate::timestamp::Timestamp;

/// What a job does, for counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `S3UpdateObjectEncryption`.
    Update,
    /// `S3PutObjectCopy`.
    Copy,
    /// `S3InitiateRestoreObject`.
    Restore,
    /// Nothing says what it does.
    Unknown,
    /// Something that puts no object right.
    Other,
}

/// What a job does with each object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It changes the encryption in place.
    Update(Encryption),
    /// It copies.
    Copy(Copied),
    /// It asks for the object to be restored.
    Restore,
    /// It leaves the encryption as it is.
    Harmless,
    /// It is known to be something else, and may do anything.
    Other,
}

/// How a job encrypts. What is not said follows from the bucket that is written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Encryption {
    method: Option<Method>,
    key: Option<String>,
    bucket_key: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Kms,
    S3,
}

/// Where a job copies to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) encryption: Encryption,
    class: String,
}

/// What is known of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Job {
    /// Nothing if nothing says what it does.
    pub(super) action: Option<Action>,
    /// Whether its manifest names versions, if that is known.
    pub(super) names_versions: Option<bool>,
    pub(super) created: Option<Timestamp>,
    pub(super) id: Option<String>,
}

/// What a job means for the objects of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It does what the list asks for.
    Own,
    /// It restores what is to be copied afterwards.
    Restore,
    /// It does something else, and leaves them as they are.
    Harmless,
    /// It does something else, and may change them.
    Changing,
    /// Nobody knows.
    Unknown,
}

/// Operations that do not change how an object is encrypted. Replicas are other objects.
const HARMLESS: [&str; 8] = [
    "S3PutObjectAcl",
    "S3PutObjectTagging",
    "S3DeleteObjectTagging",
    "S3PutObjectLegalHold",
    "S3PutObjectRetention",
    "S3PutObjectEventHold",
    "S3ReplicateObject",
    "S3ComputeObjectChecksum",
];

/// Members of a copy that do not change how the copy is encrypted, nor which objects are copied with success.
const BESIDE_THE_POINT: [&str; 14] = [
    "CannedAccessControlList",
    "AccessControlGrants",
    "MetadataDirective",
    "NewObjectTagging",
    "AnnotationDirective",
    "UnModifiedSinceConstraint",
    "RedirectLocation",
    "RequesterPays",
    "ChecksumAlgorithm",
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "ObjectLockLegalHoldStatus",
    "ObjectLockEventHold",
    "ObjectLockEventHoldDuration",
];

impl Job {
    /// Reads the output of `describe-job`, or the JSON that the job was created with.
    pub(super) fn parse(text: &Value) -> Self {
        let (job, is_described) = match text.get("Job") {
            Some(job) => (job, true),
            None => (text, false),
        };
        // Two answers to one question are none.
        let operation = job.get("Operation").filter(|_| !is_described || text.get("Operation").is_none());
        let fields = job.pointer("/Manifest/Spec/Fields").and_then(Value::as_array);
        let text_of = |name| job.get(name).and_then(Value::as_str);
        Self {
            action: operation.and_then(Action::parse),
            names_versions: fields.map(|fields| fields.iter().any(|field| field == "VersionId")),
            created: text_of("CreationTime").and_then(parse_time),
            id: text_of("JobId").map(str::to_owned),
        }
    }

    pub(super) fn operation(&self) -> Operation {
        match self.action {
            None => Operation::Unknown,
            Some(Action::Update(_)) => Operation::Update,
            Some(Action::Copy(_)) => Operation::Copy,
            Some(Action::Restore) => Operation::Restore,
            Some(Action::Harmless | Action::Other) => Operation::Other,
        }
    }

    /// What the job means for objects of a lane, for which somebody asked for `wanted`. What a copy does to the object
    /// that it writes is another question.
    pub(super) fn fit(&self, wanted: Option<&Action>, lane: Option<Lane>) -> Fit {
        match &self.action {
            None => Fit::Unknown,
            action if wanted.is_some() && action.as_ref() == wanted => Fit::Own,
            Some(Action::Restore) if lane == Some(Lane::RestoreThenCopy) => Fit::Restore,
            Some(Action::Restore | Action::Harmless | Action::Copy(_)) => Fit::Harmless,
            Some(Action::Update(_) | Action::Other) => Fit::Changing,
        }
    }
}

impl Action {
    /// Reads the operation of a job; nothing if it is not understood.
    pub(super) fn parse(operation: &Value) -> Option<Self> {
        let mut named = operation.as_object()?.iter().filter(|(_, parameters)| !parameters.is_null());
        let ((name, parameters), None) = (named.next()?, named.next()) else { return None };
        match name.as_str() {
            "S3UpdateObjectEncryption" => update(parameters.as_object()?).map(Self::Update),
            "S3PutObjectCopy" => copy(parameters.as_object()?).map(Self::Copy),
            "S3InitiateRestoreObject" => Some(Self::Restore),
            name if HARMLESS.contains(&name) => Some(Self::Harmless),
            _ => Some(Self::Other),
        }
    }

    /// How it encrypts what it writes.
    pub(super) fn encryption(&self) -> Option<&Encryption> {
        match self {
            Self::Update(encryption) => Some(encryption),
            Self::Copy(copied) => Some(&copied.encryption),
            Self::Restore | Self::Harmless | Self::Other => None,
        }
    }
}

impl Encryption {
    /// Whether the job itself says how it encrypts, and leaves nothing to the bucket.
    pub(super) fn is_told(&self) -> bool {
        match self.method {
            Some(Method::Kms) => self.key.is_some() && self.bucket_key.is_some(),
            Some(Method::S3) => true,
            None => false,
        }
    }
}

fn update(parameters: &Map<String, Value>) -> Option<Encryption> {
    let [("ObjectEncryption", encryption)] = members(parameters)[..] else { return None };
    let [("SSEKMS" | "SSE-KMS", target)] = members(encryption.as_object()?)[..] else { return None };
    let (mut key, mut bucket_key) = (None, false);
    for (name, value) in members(target.as_object()?) {
        match name {
            "KMSKeyArn" => key = Some(value.as_str()?.to_owned()),
            "BucketKeyEnabled" => bucket_key = value.as_bool()?,
            _ => return None,
        }
    }
    Some(Encryption { method: Some(Method::Kms), key: Some(key?), bucket_key: Some(bucket_key) })
}

fn copy(parameters: &Map<String, Value>) -> Option<Copied> {
    let mut encryption = Encryption::default();
    let (mut bucket, mut prefix, mut class) = (None, String::new(), "STANDARD".to_owned());
    for (name, value) in members(parameters) {
        match name {
            "TargetResource" => bucket = Some(bucket_of(value.as_str()?)?),
            "TargetKeyPrefix" => prefix = value.as_str()?.to_owned(),
            "StorageClass" => class = value.as_str()?.to_owned(),
            "NewObjectMetadata" => encryption.method = method(value.as_object()?)?,
            "SSEAwsKmsKeyId" => encryption.key = Some(value.as_str()?.to_owned()),
            "BucketKeyEnabled" => encryption.bucket_key = Some(value.as_bool()?),
            name if BESIDE_THE_POINT.contains(&name) => {}
            _ => return None,
        }
    }
    Some(Copied { bucket: bucket?, prefix, encryption, class })
}

/// The method that new metadata ask for; the rest of them does not matter.
fn method(metadata: &Map<String, Value>) -> Option<Option<Method>> {
    match metadata.get("SSEAlgorithm") {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(name)) if name == "KMS" => Some(Some(Method::Kms)),
        Some(Value::String(name)) if name == "AES256" => Some(Some(Method::S3)),
        Some(_) => None,
    }
}

/// Members that say something.
fn members(object: &Map<String, Value>) -> Vec<(&str, &Value)> {
    object.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.as_str(), value)).collect()
}

/// The bucket of an ARN; access points and everything else are none.
fn bucket_of(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let (prefix, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, bucket) = (parts.next()?, parts.next()?, parts.next()?);
    let is_bucket = prefix == "arn" && partition.starts_with("aws") && service == "s3" && region.is_empty();
    (is_bucket && account.is_empty() && !bucket.is_empty() && !bucket.contains(['/', ':'])).then(|| bucket.to_owned())
}

/// The command line writes times with their offset.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    let in_utc = text.strip_suffix("+00:00").or_else(|| text.strip_suffix("+0000"));
    match in_utc {
        Some(time) => Timestamp::parse(format!("{time}Z").as_bytes()),
        None => Timestamp::parse(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    const OTHER_KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321";

    fn update(key: &str, bucket_key: Value) -> Value {
        json!({ "S3UpdateObjectEncryption": { "ObjectEncryption": { "SSEKMS":
            { "KMSKeyArn": key, "BucketKeyEnabled": bucket_key } } } })
    }

    fn copy(change: impl FnOnce(&mut Value)) -> Value {
        let mut parameters = json!({
            "TargetResource": "arn:aws:s3:::bucket",
            "MetadataDirective": "COPY",
            "NewObjectMetadata": { "SSEAlgorithm": "KMS" },
            "SSEAwsKmsKeyId": KEY,
            "BucketKeyEnabled": true,
            "UnModifiedSinceConstraint": "2026-01-04T01:00:00Z",
        });
        change(&mut parameters);
        json!({ "S3PutObjectCopy": parameters })
    }

    #[test]
    fn jobs_are_the_same_if_they_store_objects_the_same_way() {
        let wanted = Action::parse(&update(KEY, false.into()));
        assert_eq!(wanted, Action::parse(&update(KEY, Value::Null)));
        for other in [update(KEY, true.into()), update(OTHER_KEY, false.into()), copy(|_| {})] {
            assert!(Action::parse(&other).is_some());
            assert_ne!(wanted, Action::parse(&other));
        }
        let wanted = Action::parse(&copy(|_| {}));
        let same: [fn(&mut Value); 4] = [
            |copy| copy["StorageClass"] = "STANDARD".into(),
            |copy| copy["TargetKeyPrefix"] = "".into(),
            |copy| copy["CannedAccessControlList"] = "private".into(),
            |copy| copy["UnModifiedSinceConstraint"] = Value::Null,
        ];
        for same in same {
            assert_eq!(wanted, Action::parse(&copy(same)));
        }
        let others: [fn(&mut Value); 7] = [
            |copy| copy["TargetResource"] = "arn:aws:s3:::other".into(),
            |copy| copy["TargetKeyPrefix"] = "p/".into(),
            |copy| copy["StorageClass"] = "GLACIER".into(),
            |copy| copy["NewObjectMetadata"] = json!({ "SSEAlgorithm": "AES256" }),
            |copy| copy["SSEAwsKmsKeyId"] = OTHER_KEY.into(),
            |copy| copy["BucketKeyEnabled"] = false.into(),
            |copy| copy["BucketKeyEnabled"] = Value::Null,
        ];
        for other in others {
            assert!(Action::parse(&copy(other)).is_some());
            assert_ne!(wanted, Action::parse(&copy(other)));
        }
    }

    #[test]
    fn what_is_not_understood_is_not_known() {
        let not_understood: [Value; 9] = [
            Value::Null,
            json!({}),
            json!({ "S3PutObjectCopy": 7 }),
            json!({ "S3PutObjectCopy": { "TargetResource": "arn:aws:s3:::b" }, "LambdaInvoke": {} }),
            json!({ "S3UpdateObjectEncryption": { "ObjectEncryption": { "SSES3": {} } } }),
            json!({ "S3UpdateObjectEncryption": { "ObjectEncryption": { "SSEKMS": { "BucketKeyEnabled": true } } } }),
            copy(|copy| copy["TargetResource"] = "arn:aws:s3:us-east-1:111122223333:accesspoint/a".into()),
            copy(|copy| copy["ModifiedSinceConstraint"] = "2026-01-04T01:00:00Z".into()),
            copy(|copy| copy["NewObjectMetadata"] = json!({ "SSEAlgorithm": "ROT13" })),
        ];
        for text in not_understood {
            assert_eq!(Action::parse(&text), None, "{text}");
        }
        assert_eq!(Action::parse(&json!({ "LambdaInvoke": {} })), Some(Action::Other));
        assert_eq!(Action::parse(&json!({ "S3ComputeObjectChecksum": {} })), Some(Action::Harmless));
    }

    #[test]
    fn descriptions_and_requests_are_read() {
        let operation = update(KEY, true.into());
        let manifest = json!({ "Spec": { "Format": "f", "Fields": ["Bucket", "Key", "VersionId"] } });
        let request = json!({ "Operation": operation, "Manifest": manifest });
        let requested = Job::parse(&request);
        assert_eq!((requested.operation(), requested.names_versions), (Operation::Update, Some(true)));
        let described = Job::parse(&json!({ "Job": { "JobId": "j", "Operation": operation,
            "CreationTime": "2026-01-05T17:48:39.725000+00:00" } }));
        assert_eq!((&described.action, described.id.as_deref()), (&requested.action, Some("j")));
        assert_eq!(described.created, Timestamp::parse(b"2026-01-05T17:48:39.725Z"));
        let both = json!({ "Job": request, "Operation": { "LambdaInvoke": {} } });
        assert_eq!(Job::parse(&both).operation(), Operation::Unknown);
        for odd in [json!([]), json!(7), json!({ "Job": [] }), json!({ "Operation": "S3PutObjectCopy" })] {
            assert_eq!(Job::parse(&odd), Job::default());
        }
    }

    #[test]
    fn a_job_fits_what_asks_for_it() {
        let job = |operation: &Value| Job::parse(&json!({ "Operation": operation }));
        let wanted = Action::parse(&copy(|_| {}));
        let fit = |operation: &Value, lane| job(operation).fit(wanted.as_ref(), Some(lane));
        let restore = json!({ "S3InitiateRestoreObject": { "GlacierJobTier": "BULK" } });
        assert_eq!(fit(&copy(|_| {}), Lane::Copy), Fit::Own);
        assert_eq!(fit(&restore, Lane::RestoreThenCopy), Fit::Restore);
        assert_eq!(fit(&restore, Lane::Copy), Fit::Harmless);
        assert_eq!(fit(&copy(|copy| copy["TargetResource"] = "arn:aws:s3:::b".into()), Lane::Copy), Fit::Harmless);
        assert_eq!(fit(&update(KEY, true.into()), Lane::Copy), Fit::Changing);
        assert_eq!(fit(&json!({ "LambdaInvoke": {} }), Lane::Copy), Fit::Changing);
        assert_eq!(fit(&Value::Null, Lane::Copy), Fit::Unknown);
        // Where nothing is asked for, nothing fits: not even what is not known.
        assert_eq!(job(&Value::Null).fit(None, None), Fit::Unknown);
        assert_eq!(job(&copy(|_| {})).fit(None, Some(Lane::NoTarget)), Fit::Harmless);
    }
}

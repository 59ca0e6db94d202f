//! Answers of HeadObject and GetObject: an object of JSON each, with the bucket and the key beside what S3 said.
//!
//! | member | says |
//! | --- | --- |
//! | `Bucket`, `Key`, `VersionId` | whose answer it is |
//! | `LastModified` | of which write |
//! | `ServerSideEncryption`, `SSEKMSKeyId`, `SSECustomerAlgorithm` | method and key |
//! | `ResponseMetadata.HTTPHeaders.date`, else `EvidenceAsOf` | when |

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::TooManyKeys;
use super::collect::Collector;
use super::names::is_bucket;
use super::said::{Mark, Name, Named, Said};
use super::words::{Claim, Sight, What};
use crate::policy::Status;
use crate::timestamp::{Timestamp, written};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(borrow)]
    bucket: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    version_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    last_modified: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    server_side_encryption: Method<'a>,
    #[serde(borrow, rename = "SSEKMSKeyId")]
    kms_key_id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "SSECustomerAlgorithm")]
    customer_algorithm: Option<Cow<'a, str>>,
    delete_marker: Option<bool>,
    #[serde(borrow, rename = "ETag")]
    etag: Option<Cow<'a, str>>,
    #[serde(borrow)]
    evidence_as_of: Option<Cow<'a, str>>,
    response_metadata: Option<ResponseMetadata>,
    /// What holds events is more than an answer.
    #[serde(alias = "Events", alias = "logEvents", alias = "events", alias = "eventName", alias = "CloudTrailEvent")]
    records: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ResponseMetadata {
    #[serde(rename = "HTTPHeaders")]
    headers: Option<Headers>,
}

#[derive(Deserialize)]
struct Headers {
    #[serde(alias = "Date")]
    date: Option<String>,
}

/// S3 says nothing of an object without encryption. A null is what tools write that ask for a member by name.
#[derive(Default)]
enum Method<'a> {
    #[default]
    Absent,
    Null,
    Is(Cow<'a, str>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Method<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Cow<'de, str>>::deserialize(deserializer)?.map_or(Self::Null, Self::Is))
    }
}

/// What one answer says.
pub(super) struct Head<'a> {
    bucket: Cow<'a, str>,
    key: Cow<'a, str>,
    version: Option<Cow<'a, str>>,
    modified: Option<Timestamp>,
    status: Status,
    kms_key: Option<Cow<'a, str>>,
    etag: Option<Cow<'a, str>>,
    /// When it was given.
    taken: Option<Timestamp>,
    is_delete_marker: bool,
}

impl<'a> Head<'a> {
    /// Reads an object of JSON; says why if it cannot be used.
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, &'static str> {
        const NONE: &str = "is no answer of HeadObject with a Bucket and a Key";
        let answer: Answer<'a> = serde_json::from_slice(text).map_err(|_| NONE)?;
        if answer.bucket.is_empty() || answer.key.is_empty() || answer.records.is_some() {
            return Err(NONE);
        }
        if !is_bucket(&answer.bucket) {
            return Err("names no bucket, but perhaps an access point that leads to one");
        }
        let time = |text: &Option<Cow<'_, str>>| match text.as_deref().map(written::parse) {
            Some(None) => Err("has a time that cannot be read, or one without an offset"),
            time => Ok(time.flatten()),
        };
        let modified = time(&answer.last_modified)?;
        let as_of = time(&answer.evidence_as_of)?;
        let date = answer.response_metadata.and_then(|metadata| metadata.headers?.date);
        Ok(Self {
            status: status(&answer.server_side_encryption, answer.customer_algorithm.is_some()),
            bucket: answer.bucket,
            key: answer.key,
            version: answer.version_id,
            modified,
            kms_key: answer.kms_key_id,
            etag: answer.etag,
            taken: date.and_then(|date| written::http(&date)).or(as_of),
            is_delete_marker: answer.delete_marker == Some(true),
        })
    }

    /// Collects what it says.
    pub(super) fn say(&self, to: &mut Collector<'_, '_>) -> Result<(), TooManyKeys> {
        if self.is_delete_marker {
            return Ok(());
        }
        to.say(&Said {
            bucket: self.bucket.as_bytes(),
            key: self.key.as_bytes(),
            version: Named::As(self.version.as_deref().unwrap_or_default().as_bytes()),
            what: What::Sighting(Sight::Prompt),
            claim: Claim::Is(self.status),
            name: Name::of(self.kms_key.as_deref().unwrap_or_default().as_bytes()),
            when: self.taken.or(to.as_of()),
            modified: self.modified,
            mark: self.etag.as_deref().map_or(Mark::None, |etag| Mark::ETag(etag.as_bytes())),
        })
    }
}

fn status(method: &Method<'_>, has_customer_key: bool) -> Status {
    match method {
        _ if has_customer_key => Status::SseC,
        Method::Absent => Status::NotSse,
        Method::Null => Status::Unrecognised,
        Method::Is(method) => match &**method {
            "AES256" => Status::SseS3,
            "aws:kms" => Status::SseKms,
            "aws:kms:dsse" => Status::DsseKms,
            _ => Status::Unrecognised,
        },
    }
}

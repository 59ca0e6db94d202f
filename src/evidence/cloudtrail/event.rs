//! One record to what it says.

use std::net::IpAddr;

use super::record::{Object, Record, Request, Text};
use crate::policy::Method;
use crate::timestamp::Timestamp;

/// What one event of a log says about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// S3 says how it encrypted an object.
    Write(Write<'a>),
    /// KMS says for what it made a data key. Weaker than a write: it names no version, and whoever writes an object can
    /// give it an encryption context that names another one.
    DataKey(DataKey<'a>),
}

/// An object was written, or its encryption was changed in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write<'a> {
    /// By which call.
    pub what: WriteKind,
    /// When.
    pub time: Timestamp,
    /// Where: the bucket as the request names it.
    pub bucket: &'a [u8],
    /// Where in it. No encoding: real records show keys as text (one with a space is public), and none with a percent
    /// escape has been found, unlike in S3's event notifications.
    pub key: &'a [u8],
    /// Nothing: the event names none (the bucket has no versions, an upload only begins, or an update is of the current
    /// version). The version `null` is given as it stands.
    pub version_id: Option<&'a [u8]>,
    /// Nothing: the event does not say, or says something that we do not know.
    pub method: Option<Method>,
    /// As the event has it: the ARN of a key or an alias, an alias, or the id of a key.
    pub key_arn: Option<&'a str>,
    /// Whether a Bucket Key is used. Nothing: the event does not say.
    pub bucket_key: Option<bool>,
}

/// The calls that write, under CloudTrail's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of S3")]
pub enum WriteKind {
    PutObject,
    CopyObject,
    CreateMultipartUpload,
    CompleteMultipartUpload,
    UpdateObjectEncryption,
}

/// KMS made a data key for S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataKey<'a> {
    /// When.
    pub time: Timestamp,
    /// The bucket that the key is for.
    pub bucket: &'a [u8],
    /// The object that it is for. Nothing: it is a Bucket Key, for any object of the bucket.
    pub key: Option<&'a [u8]>,
    /// The KMS key that it was made under.
    pub key_arn: &'a str,
}

/// What a record is to us.
pub(super) enum Said<'a> {
    /// It is about something else.
    Nothing,
    Failed,
    /// A data key that was not made for a service.
    Foreign,
    /// It does not name all that an event needs.
    Incomplete,
    Event(Event<'a>),
}

pub(super) fn what_it_says<'a>(record: &'a Record<'_>) -> Said<'a> {
    let (source, name) = (text(&record.event_source), text(&record.event_name));
    match (source, name) {
        (Some("s3.amazonaws.com"), Some(name)) => match WriteKind::parse(name) {
            Some(what) if record.succeeded() => write(record, what).map_or(Said::Incomplete, Said::Event),
            Some(_) => Said::Failed,
            None => Said::Nothing,
        },
        (Some("kms.amazonaws.com"), Some(GENERATE_DATA_KEY)) => data_key(record),
        _ => Said::Nothing,
    }
}

/// The names of the calls that can be events, unless they are others'.
pub(super) const CALLS: [&str; 6] = [
    "PutObject",
    GENERATE_DATA_KEY,
    "CreateMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "UpdateObjectEncryption",
];

/// What S3 asks KMS for. GenerateDataKeyWithoutPlaintext is other services' call.
const GENERATE_DATA_KEY: &str = "GenerateDataKey";

impl WriteKind {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "PutObject" => Some(Self::PutObject),
            "CopyObject" => Some(Self::CopyObject),
            "CreateMultipartUpload" => Some(Self::CreateMultipartUpload),
            "CompleteMultipartUpload" => Some(Self::CompleteMultipartUpload),
            "UpdateObjectEncryption" => Some(Self::UpdateObjectEncryption),
            _ => None,
        }
    }
}

impl Record<'_> {
    fn succeeded(&self) -> bool {
        self.error_code.is_none() && self.error_message.is_none()
    }

    fn time(&self) -> Option<Timestamp> {
        Timestamp::parse(text(&self.event_time)?.as_bytes())
    }

    /// Whether an AWS service called, for whomever: only callers that are none have an address.
    fn is_from_service(&self) -> bool {
        let invoked = self.user_identity.as_ref().is_some_and(|Object(user)| user.invoked_by.is_some());
        invoked || text(&self.source_address).is_some_and(|address| address.parse::<IpAddr>().is_err())
    }
}

fn write<'a>(record: &'a Record<'_>, what: WriteKind) -> Option<Event<'a>> {
    let Object(request) = record.request_parameters.as_ref()?;
    let (bucket, key) = (named(&request.bucket_name)?, named(&request.key)?);
    let Encryption { method, key_arn, bucket_key } = Encryption::of(record, request);
    Some(Event::Write(Write {
        what,
        time: record.time()?,
        bucket: bucket.as_bytes(),
        key: key.as_bytes(),
        version_id: version_of(record, request, what).map(str::as_bytes),
        method,
        key_arn,
        bucket_key,
    }))
}

/// What a write made has its name from the response; what an update changed had its name before.
fn version_of<'a>(record: &'a Record<'_>, request: &'a Request<'_>, what: WriteKind) -> Option<&'a str> {
    let response = || record.response_elements.as_ref().and_then(|Object(response)| named(&response.version_id));
    match what {
        WriteKind::CreateMultipartUpload => None,
        WriteKind::UpdateObjectEncryption => named(&request.version_id).or_else(response),
        _ => response(),
    }
}

/// How an object was encrypted.
struct Encryption<'a> {
    method: Option<Method>,
    key_arn: Option<&'a str>,
    bucket_key: Option<bool>,
}

impl<'a> Encryption<'a> {
    /// What the response says counts before what was asked for.
    fn of(record: &'a Record<'_>, request: &'a Request<'_>) -> Self {
        let response = record.response_elements.as_ref().map(|Object(response)| response);
        let update = request.object_encryption.as_ref().and_then(|Object(body)| body.sse_kms.as_ref());
        let update = update.map(|Object(sse_kms)| sse_kms);
        let applied = record.additional_event_data.as_ref().and_then(|Object(data)| text(&data.sse_applied));
        let method = response
            .and_then(|response| method_of(&response.algorithm, &response.customer_algorithm))
            .or_else(|| method_of(&request.algorithm, &request.customer_algorithm))
            .or_else(|| update.map(|_| Some(Method::SseKms)))
            .or_else(|| applied.map(method_applied))
            .flatten();
        let key_arn = response
            .and_then(|response| named(&response.kms_key_id))
            .or_else(|| named(&request.kms_key_id))
            .or_else(|| named(&update?.key_arn))
            .filter(|_| !matches!(method, Some(Method::SseS3 | Method::SseC)));
        let bucket_key = response.and_then(|response| response.bucket_key.as_ref());
        let bucket_key = bucket_key.or(request.bucket_key.as_ref()).or_else(|| update?.bucket_key.as_ref());
        Self { method, key_arn, bucket_key: bucket_key.map(|flag| flag.0) }
    }
}

/// What headers say. The outer nothing: they say nothing; the inner: nothing that we know.
fn method_of(algorithm: &Option<Text<'_>>, customer_algorithm: &Option<Text<'_>>) -> Option<Option<Method>> {
    match (named(algorithm), named(customer_algorithm)) {
        (Some("AES256"), _) => Some(Some(Method::SseS3)),
        (Some("aws:kms"), _) => Some(Some(Method::SseKms)),
        (Some("aws:kms:dsse"), _) => Some(Some(Method::DsseKms)),
        (Some(_), _) => Some(None),
        (None, Some(_)) => Some(Some(Method::SseC)),
        (None, None) => None,
    }
}

/// `SSEApplied`, documented in the S3 user guide on tracking default encryption.
fn method_applied(applied: &str) -> Option<Method> {
    match applied.strip_prefix("Default_").unwrap_or(applied) {
        "SSE_S3" => Some(Method::SseS3),
        "SSE_KMS" => Some(Method::SseKms),
        "DSSE_KMS" => Some(Method::DsseKms),
        "SSE_C" => Some(Method::SseC),
        _ => None,
    }
}

fn data_key<'a>(record: &'a Record<'_>) -> Said<'a> {
    let request = record.request_parameters.as_ref().map(|Object(request)| request);
    let context = request.and_then(|request| request.encryption_context.as_ref());
    let Some(arn) = context.and_then(|Object(context)| named(&context.s3_arn)) else {
        return Said::Nothing;
    };
    if !record.succeeded() {
        return Said::Failed;
    }
    if !record.is_from_service() {
        return Said::Foreign;
    }
    let in_resources = record.resources.as_ref().and_then(|key| text(&key.0));
    let in_request = || request.and_then(|request| named(&request.key_id)).filter(|id| id.starts_with("arn:"));
    match (record.time(), place_of(arn), in_resources.or_else(in_request)) {
        (Some(time), Some((bucket, key)), Some(key_arn)) => Said::Event(Event::DataKey(DataKey {
            time,
            bucket: bucket.as_bytes(),
            key: key.map(str::as_bytes),
            key_arn,
        })),
        _ => Said::Incomplete,
    }
}

/// `arn:PARTITION:s3:::BUCKET` with `/KEY` or without.
fn place_of(arn: &str) -> Option<(&str, Option<&str>)> {
    let (_, place) = arn.strip_prefix("arn:")?.split_once(":s3:::")?;
    match place.split_once('/') {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => Some((bucket, Some(key))),
        None if !place.is_empty() => Some((place, None)),
        _ => None,
    }
}

fn text<'a>(text: &'a Option<Text<'_>>) -> Option<&'a str> {
    text.as_ref().map(|Text(text)| &**text)
}

/// A value that is there. CloudTrail writes this one instead of parameters that it calls sensitive.
fn named<'a>(value: &'a Option<Text<'_>>) -> Option<&'a str> {
    text(value).filter(|text| !text.is_empty() && *text != "HIDDEN_DUE_TO_SECURITY_REASONS")
}

//! One record to what it says.

use std::sync::LazyLock;

use super::record::{Header, Object, Record, Request, Resources, Text};
use crate::evidence::names::is_bucket;
use crate::policy::Method;
use crate::timestamp::{Timestamp, written};

/// What one event of a log says about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// S3 says how it encrypted an object.
    Write(Write<'a>),
    /// The same of an object that cannot be told.
    Unattributed(Unattributed<'a>),
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
    /// Where: the bucket as the request names it, or as the resources do where the request names an access point.
    pub bucket: &'a [u8],
    /// Where in it. No encoding: real records show keys as text (one with a space is public), and none with a percent
    /// escape has been found, unlike in S3's event notifications.
    pub key: &'a [u8],
    /// Nothing: the event names none (the bucket has no versions, an upload only begins, or an update is of the current
    /// version). The version `null` is given as it stands.
    pub version_id: Option<&'a [u8]>,
    /// How the object was encrypted.
    pub method: Stated,
    /// As the event has it: the ARN of a key or an alias, an alias, or the id of a key. Nothing: it names none that can be
    /// read.
    pub key_arn: Option<&'a str>,
    /// Whether a Bucket Key is used. Nothing: the event does not say.
    pub bucket_key: Option<bool>,
    /// Which upload began or was completed.
    pub upload_id: Option<&'a str>,
    /// Whose keys ids and aliases without ARN name. S3 looks for them in the account of the caller, not of the bucket; a
    /// service that calls in its own name has none, and then it is the account that the event was recorded for.
    pub account: Option<&'a str>,
    /// The Region of the call, and so of keys without ARN.
    pub region: Option<&'a str>,
}

/// What an event says of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stated {
    /// It does not say.
    Nothing,
    /// It says null, or something that we do not know.
    Unknown,
    /// It says this.
    Is(Method),
}

/// An object was written, or its encryption was changed, and the event does not tell which: it names an access point, or
/// its members are hidden or missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unattributed<'a> {
    /// By which call.
    pub what: WriteKind,
    /// When.
    pub time: Timestamp,
    /// The bucket, if only the object cannot be told.
    pub bucket: Option<&'a [u8]>,
    /// How the object was encrypted.
    pub method: Stated,
    /// As in [`Write`].
    pub key_arn: Option<&'a str>,
    /// As in [`Write`].
    pub account: Option<&'a str>,
    /// As in [`Write`].
    pub region: Option<&'a str>,
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
    /// The KMS key that it was made under, by any of its names. Nothing: the event names none that can be read.
    pub key_arn: Option<&'a str>,
    /// Who asked for it.
    pub asked_by: AskedBy,
    /// As in [`Write`].
    pub account: Option<&'a str>,
    /// As in [`Write`].
    pub region: Option<&'a str>,
}

/// Who asked for a data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// S3, or a service that writes logs, in its own name.
    Service,
    /// Somebody with access to the key, who may name any object, or another service in somebody's name.
    Other,
}

/// What a record is to us.
pub(super) enum Said<'a> {
    /// It is about something else.
    Nothing,
    Failed,
    /// It lacks what every event has.
    Unreadable,
    Event(Event<'a>),
}

pub(super) fn what_it_says<'a>(record: &'a Record<'_>) -> Said<'a> {
    let (source, name) = (text(&record.event_source), text(&record.event_name));
    match (source, name) {
        (None, Some(name)) if CALLS.contains(&name) => Said::Unreadable,
        (Some("s3.amazonaws.com"), Some(name)) => match WriteKind::parse(name) {
            Some(what) if record.succeeded() => write(record, what).map_or(Said::Unreadable, Said::Event),
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
        written::parse(text(&self.event_time)?)
    }

    fn account(&self) -> Option<&str> {
        let caller = self.user_identity.as_ref().and_then(|Object(user)| named(&user.account_id));
        caller.or_else(|| named(&self.recipient_account_id))
    }

    fn asked_by(&self) -> AskedBy {
        const SERVICES: [&str; 4] =
            ["AWS Internal", "s3.amazonaws.com", "cloudtrail.amazonaws.com", "delivery.logs.amazonaws.com"];
        let invoked_by = self.user_identity.as_ref().and_then(|Object(user)| named(&user.invoked_by));
        match invoked_by {
            Some(service) if SERVICES.contains(&service) => AskedBy::Service,
            _ => AskedBy::Other,
        }
    }
}

/// Nothing: it has no time, so that it could be before or after everything.
fn write<'a>(record: &'a Record<'_>, what: WriteKind) -> Option<Event<'a>> {
    /// What a record without parameters asks for.
    static NOTHING: LazyLock<Request<'static>> = LazyLock::new(Request::default);
    let time = record.time()?;
    let request = record.request_parameters.as_ref().map_or(&*NOTHING, |Object(request)| request);
    let Encryption { method, key_arn, bucket_key } = Encryption::of(record, request);
    let (account, region) = (record.account(), named(&record.aws_region));
    Some(match EventPlace::of(record, request) {
        EventPlace { bucket: Some(bucket), key: Some(key) } => Event::Write(Write {
            what,
            time,
            bucket: bucket.as_bytes(),
            key: key.as_bytes(),
            version_id: version_of(record, request, what).map(str::as_bytes),
            method,
            key_arn,
            bucket_key,
            upload_id: upload_of(record, request),
            account,
            region,
        }),
        EventPlace { bucket, .. } => {
            let bucket = bucket.map(str::as_bytes);
            Event::Unattributed(Unattributed { what, time, bucket, method, key_arn, account, region })
        }
    })
}

/// Where an object is, as far as an event tells.
struct EventPlace<'a> {
    bucket: Option<&'a str>,
    key: Option<&'a str>,
}

impl<'a> EventPlace<'a> {
    /// A request may name an access point instead of a bucket, or hide what it names. Its resources say the same as ARNs;
    /// they help if they name exactly one object.
    fn of(record: &'a Record<'_>, request: &'a Request<'_>) -> Self {
        let (bucket, key) = (named(&request.bucket_name).filter(|name| is_bucket(name)), named(&request.key));
        if bucket.is_some() && key.is_some() {
            return Self { bucket, key };
        }
        let arns = record.resources.as_ref().map_or(&[][..], |resources| &resources.places);
        let places = || arns.iter().filter_map(|Text(arn)| place_of(arn));
        let same = |told: Option<&str>, named: Option<&str>| told.is_none() || told == named;
        let of_object = |(_, key): &(&str, Option<&str>)| key.is_some();
        let object = only(places().filter(of_object)).filter(|_| arns.len() <= Resources::MAX_PLACES);
        match object.filter(|(named, key_named)| same(bucket, Some(named)) && same(key, *key_named)) {
            Some((bucket, key)) => Self { bucket: Some(bucket), key },
            None => Self { bucket: bucket.or_else(|| only(places().map(|(bucket, _)| bucket))), key: None },
        }
    }
}

/// What all of them are, if they are the same.
fn only<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
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

/// The answer says which upload began, and the request which one is completed.
fn upload_of<'a>(record: &'a Record<'_>, request: &'a Request<'_>) -> Option<&'a str> {
    let response = record.response_elements.as_ref().and_then(|Object(response)| named(&response.upload_id));
    response.or_else(|| named(&request.upload_id))
}

/// How an object was encrypted.
struct Encryption<'a> {
    method: Stated,
    key_arn: Option<&'a str>,
    bucket_key: Option<bool>,
}

impl<'a> Encryption<'a> {
    /// What the response says counts before what was asked for.
    fn of(record: &'a Record<'_>, request: &'a Request<'_>) -> Self {
        let response = record.response_elements.as_ref().map(|Object(response)| response);
        let body = request.object_encryption.as_ref().map(|Object(body)| body.sse_kms.as_ref());
        let update = body.flatten().map(|Object(sse_kms)| sse_kms);
        let of_body = body.map(|sse_kms| if sse_kms.is_some() { Stated::Is(Method::SseKms) } else { Stated::Unknown });
        let method = response
            .and_then(|response| method_of(&response.algorithm, &response.customer_algorithm))
            .or_else(|| method_of(&request.algorithm, &request.customer_algorithm))
            .or(of_body)
            .or_else(|| method_applied(record))
            .unwrap_or(Stated::Nothing);
        let key_arn = response
            .and_then(|response| named(&response.kms_key_id))
            .or_else(|| named(&request.kms_key_id))
            .or_else(|| named(&update?.key_arn))
            .filter(|_| !matches!(method, Stated::Is(Method::SseS3 | Method::SseC)));
        let bucket_key = response.and_then(|response| response.bucket_key.as_ref());
        let bucket_key = bucket_key.or(request.bucket_key.as_ref()).or_else(|| update?.bucket_key.as_ref());
        Self { method, key_arn, bucket_key: bucket_key.map(|flag| flag.0) }
    }
}

/// What headers say; nothing if there are none.
fn method_of(algorithm: &Header<'_>, customer_algorithm: &Header<'_>) -> Option<Stated> {
    let is_named = |text: &&Text<'_>| !text.0.is_empty();
    match (algorithm, customer_algorithm) {
        (Header::Text(text), _) if is_named(&text) => Some(match &*text.0 {
            "AES256" => Stated::Is(Method::SseS3),
            "aws:kms" => Stated::Is(Method::SseKms),
            "aws:kms:dsse" => Stated::Is(Method::DsseKms),
            _ => Stated::Unknown,
        }),
        (_, Header::Text(text)) if is_named(&text) => Some(match &*text.0 {
            HIDDEN => Stated::Unknown,
            _ => Stated::Is(Method::SseC),
        }),
        (Header::Null, _) | (_, Header::Null) => Some(Stated::Unknown),
        _ => None,
    }
}

/// `SSEApplied`, documented in the S3 user guide on tracking default encryption.
fn method_applied(record: &Record<'_>) -> Option<Stated> {
    let applied = match &record.additional_event_data.as_ref()?.0.sse_applied {
        Header::Absent => return None,
        Header::Null => return Some(Stated::Unknown),
        Header::Text(Text(applied)) => applied,
    };
    Some(match applied.strip_prefix("Default_").unwrap_or(applied) {
        "SSE_S3" => Stated::Is(Method::SseS3),
        "SSE_KMS" => Stated::Is(Method::SseKms),
        "DSSE_KMS" => Stated::Is(Method::DsseKms),
        "SSE_C" => Stated::Is(Method::SseC),
        _ => Stated::Unknown,
    })
}

/// A data key with an encryption context of S3. S3 writes the ARN of the object or of its bucket there, so that a key
/// with another context was not made for an object by S3, and says nothing of one.
fn data_key<'a>(record: &'a Record<'_>) -> Said<'a> {
    let request = record.request_parameters.as_ref().map(|Object(request)| request);
    let context = request.and_then(|request| request.encryption_context.as_ref());
    let Some(arn) = context.and_then(|Object(context)| named(&context.s3_arn)) else {
        return Said::Nothing;
    };
    if !record.succeeded() {
        return Said::Failed;
    }
    let Some((bucket, key)) = place_of(arn) else {
        return Said::Nothing;
    };
    let in_resources = record.resources.as_ref().and_then(|resources| text(&resources.kms_key));
    let key_arn = in_resources.or_else(|| named(&request?.key_id));
    let Some(time) = record.time() else {
        return Said::Unreadable;
    };
    Said::Event(Event::DataKey(DataKey {
        time,
        bucket: bucket.as_bytes(),
        key: key.map(str::as_bytes),
        key_arn,
        asked_by: record.asked_by(),
        account: record.account(),
        region: named(&record.aws_region),
    }))
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

/// What CloudTrail writes instead of parameters that it calls sensitive.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// A value that is there.
fn named<'a>(value: &'a Option<Text<'_>>) -> Option<&'a str> {
    text(value).filter(|text| !text.is_empty() && *text != HIDDEN)
}

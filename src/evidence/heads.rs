//! Answers of HeadObject and GetObject: a line of JSON each, with the bucket and the key beside what S3 said.

use std::borrow::Cow;

use serde::Deserialize;

use super::TooManyKeys;
use super::answers::Claim;
use super::collect::Collector;
use super::said::{Name, Of, Said, When};
use crate::policy::Status;
use crate::timestamp::Timestamp;

/// A longer line is none.
pub(super) const MAX_LINE_LEN: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Head<'a> {
    #[serde(borrow)]
    bucket: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    version_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    last_modified: Option<Cow<'a, str>>,
    #[serde(borrow)]
    server_side_encryption: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "SSEKMSKeyId")]
    kms_key_id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "SSECustomerAlgorithm")]
    customer_algorithm: Option<Cow<'a, str>>,
    delete_marker: Option<bool>,
    response_metadata: Option<ResponseMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ResponseMetadata {
    #[serde(rename = "HTTPHeaders")]
    headers: Option<Headers>,
}

#[derive(Deserialize)]
struct Headers {
    date: Option<String>,
}

/// Whether a line is of this form.
pub(super) fn is_one(line: &[u8]) -> bool {
    serde_json::from_slice::<Head<'_>>(line).is_ok()
}

/// Whether a line ends before its JSON does.
pub(super) fn is_cut_off(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

/// Collects what a line says; says no if it cannot be read.
pub(super) fn collect(line: &[u8], to: &mut Collector<'_, '_>) -> Result<bool, TooManyKeys> {
    let Ok(head) = serde_json::from_slice::<Head<'_>>(line) else { return Ok(false) };
    if head.bucket.is_empty() || head.key.is_empty() {
        return Ok(false);
    }
    if head.delete_marker == Some(true) {
        return Ok(true);
    }
    let parsed = |time: &Option<Cow<'_, str>>| time.as_deref().map(time_of);
    let modified = match parsed(&head.last_modified) {
        Some(None) => return Ok(false),
        modified => modified.flatten(),
    };
    let date = head.response_metadata.and_then(|metadata| metadata.headers?.date);
    let when = date.and_then(|date| http_date(&date)).map_or_else(|| to.undated(modified), When::At);
    let object = (head.bucket.as_bytes(), head.key.as_bytes());
    let of = Of::Version(head.version_id.as_deref().map(str::as_bytes));
    let claim = Claim::Is(status(head.server_side_encryption.as_deref(), head.customer_algorithm.is_some()));
    let name = Name::of(head.kms_key_id.as_deref().unwrap_or_default().as_bytes());
    to.say(&Said { modified, ..Said::new(object, of, claim, name, when) })?;
    Ok(true)
}

/// S3 says nothing of an object without encryption.
fn status(method: Option<&str>, has_customer_key: bool) -> Status {
    match method {
        _ if has_customer_key => Status::SseC,
        None => Status::NotSse,
        Some("AES256") => Status::SseS3,
        Some("aws:kms") => Status::SseKms,
        Some("aws:kms:dsse") => Status::DsseKms,
        Some(_) => Status::Unrecognised,
    }
}

/// The forms of the command line and of the headers of HTTP.
fn time_of(text: &str) -> Option<Timestamp> {
    let utc = text.strip_suffix("+00:00").map(|text| format!("{text}Z"));
    Timestamp::parse(utc.as_deref().unwrap_or(text).as_bytes()).or_else(|| http_date(text))
}

/// `Sun, 04 Jan 2026 01:00:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split_once(", ")?.1.split(' ');
    let mut part = || parts.next();
    let (day, month, year, clock, zone) = (part()?, part()?, part()?, part()?, part()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    (zone == "GMT").then(|| Timestamp::parse(format!("{year}-{month:02}-{day:0>2}T{clock}Z").as_bytes()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_that_tools_write() {
        let expected = Timestamp::parse(b"2026-01-04T01:02:03Z");
        assert!(expected.is_some());
        for text in [
            "2026-01-04T01:02:03+00:00",
            "2026-01-04T01:02:03Z",
            "2026-01-04T01:02:03.000Z",
            "Sun, 04 Jan 2026 01:02:03 GMT",
            "Sun, 4 Jan 2026 01:02:03 GMT",
        ] {
            assert_eq!(time_of(text), expected, "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-01-04T01:02:03+01:00",
            "Sun, 04 Jan 2026 01:02:03 CET",
            "Sun, 04 Jax 2026 01:02:03 GMT",
        ] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }
}

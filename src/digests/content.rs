//! What a digest says: a flat JSON object, of which every field may be forged.

use std::borrow::Cow;
use std::fmt;

use super::fields::{Fields, PutFields as _};
use super::keys::{Fingerprint, Sha};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};

use crate::escape::hex::{hex, hex_byte, parse_hex};
use crate::timestamp::Timestamp;

/// A digest taken apart. Nothing in it has been verified.
#[derive(Debug)]
pub(super) struct Content<'j> {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// As it is written, which is what is signed.
    end_text: Cow<'j, str>,
    pub(super) bucket: Cow<'j, str>,
    pub(super) key: Cow<'j, str>,
    pub(super) fingerprint: Fingerprint,
    /// Nothing in a digest that begins a chain.
    pub(super) previous: Option<Previous<'j>>,
    pub(super) logs: Logs,
}

/// What a digest says of the one before it.
#[derive(Debug)]
pub(super) struct Previous<'j> {
    pub(super) bucket: Cow<'j, str>,
    pub(super) key: Cow<'j, str>,
    pub(super) sha: Sha,
    /// As it is written, which is what is signed.
    pub(super) signature: Cow<'j, str>,
}

/// The logs that a digest lists, in less room than their JSON.
#[derive(Debug, Default)]
pub(super) struct Logs(Vec<u8>);

/// A log that a digest lists.
pub(super) struct Log<'l> {
    pub(super) sha: Sha,
    pub(super) bucket: &'l [u8],
    pub(super) key: &'l [u8],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json<'j> {
    #[serde(borrow)]
    digest_start_time: Text<'j>,
    #[serde(borrow)]
    digest_end_time: Text<'j>,
    #[serde(borrow)]
    digest_s3_bucket: Text<'j>,
    #[serde(borrow)]
    digest_s3_object: Text<'j>,
    #[serde(borrow)]
    digest_public_key_fingerprint: Text<'j>,
    #[serde(borrow)]
    previous_digest_s3_bucket: Option<Text<'j>>,
    #[serde(borrow)]
    previous_digest_s3_object: Option<Text<'j>>,
    #[serde(borrow)]
    previous_digest_hash_value: Option<Text<'j>>,
    #[serde(borrow)]
    previous_digest_signature: Option<Text<'j>>,
    log_files: Logs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonLog<'j> {
    #[serde(borrow)]
    s3_bucket: Text<'j>,
    #[serde(borrow)]
    s3_object: Text<'j>,
    #[serde(borrow)]
    hash_value: Text<'j>,
}

/// A text that is copied only if it has escapes, also where it may be absent.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'j>(#[serde(borrow)] Cow<'j, str>);

impl<'j> Content<'j> {
    /// Takes a digest apart, or says what is wrong with it.
    pub(super) fn parse(json: &'j [u8]) -> Result<Self, Cow<'static, str>> {
        // All at once, which is faster than text by text.
        let json = str::from_utf8(json).map_err(|_| "its JSON is not UTF-8")?;
        let json: Json<'j> = serde_json::from_str(json).map_err(|error| format!("its JSON is wrong: {error}"))?;
        let time = |text: &Text<'_>| Timestamp::parse(text.0.as_bytes());
        let start = time(&json.digest_start_time).ok_or("its digestStartTime is not a time")?;
        let end = time(&json.digest_end_time).ok_or("its digestEndTime is not a time")?;
        if start > end {
            return Err("its digestStartTime is after its digestEndTime".into());
        }
        let fingerprint = parse_hex(&json.digest_public_key_fingerprint.0);
        let previous = match (
            json.previous_digest_s3_bucket,
            json.previous_digest_s3_object,
            json.previous_digest_hash_value,
            json.previous_digest_signature,
        ) {
            (None, None, None, None) => None,
            (Some(bucket), Some(key), Some(sha), Some(signature)) => Some(Previous {
                bucket: bucket.0,
                key: key.0,
                sha: parse_hex(&sha.0).ok_or("its previousDigestHashValue is not 64 hexadecimal digits")?,
                signature: signature.0,
            }),
            _ => return Err("of what it says of the previous digest, some is null and some is not".into()),
        };
        Ok(Self {
            start,
            end,
            end_text: json.digest_end_time.0,
            bucket: json.digest_s3_bucket.0,
            key: json.digest_s3_object.0,
            fingerprint: fingerprint.ok_or("its digestPublicKeyFingerprint is not 32 hexadecimal digits")?,
            previous,
            logs: json.log_files,
        })
    }

    /// Writes the text that is signed; `sha` is that of the digest's content.
    pub(super) fn put_signed_text(&self, sha: &Sha, to: &mut Vec<u8>) {
        let previous = self.previous.as_ref().map_or("null", |previous| &previous.signature);
        for part in [&*self.end_text, "\n", &self.bucket, "/", &self.key, "\n", &hex(sha), "\n", previous] {
            to.extend_from_slice(part.as_bytes());
        }
    }
}

impl Logs {
    pub(super) fn iter(&self) -> impl Iterator<Item = Log<'_>> {
        let mut fields = Fields(&self.0);
        std::iter::from_fn(move || Some(Log { sha: fields.array()?, bucket: fields.text()?, key: fields.text()? }))
    }
}

impl<'de> Deserialize<'de> for Logs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Logs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of log files")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Logs, A::Error> {
                // Those of a usual digest.
                let mut logs = Vec::with_capacity(1 << 11);
                while let Some(log) = list.next_element::<JsonLog<'de>>()? {
                    let sha: Option<Sha> = parse_hex(&log.hash_value.0);
                    logs.extend(sha.ok_or_else(|| A::Error::custom("a hashValue is not 64 hexadecimal digits"))?);
                    logs.put_text(log.s3_bucket.0.as_bytes());
                    logs.put_text(log.s3_object.0.as_bytes());
                }
                Ok(Logs(logs))
            }
        }

        deserializer.deserialize_seq(List)
    }
}

/// The bytes of a signature. One that is not hexadecimal is none, and verifies nothing.
pub(super) fn parse_signature(text: &str) -> Vec<u8> {
    /// The longest key that is taken has 8,192 bits.
    const MAX_DIGITS: usize = 2 * 1024;
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || text.len() > MAX_DIGITS {
        return Vec::new();
    }
    let mut bytes = Vec::with_capacity(pairs.len());
    bytes.extend(pairs.iter().map_while(|pair| hex_byte(*pair)));
    if bytes.len() == pairs.len() { bytes } else { Vec::new() }
}

//! Signatures from outside: what `aws s3api head-object` says of digests.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::content::parse_signature;
use super::keys::parse_iso;
use crate::source::unicode;
use crate::timestamp::Timestamp;

/// The longest answer that is read.
pub(super) const MAX_ANSWER_LEN: usize = 1 << 20;

/// What the metadata of a digest say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) signature: Vec<u8>,
    /// When a backfill digest was signed.
    pub(super) generated: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Json<'j> {
    #[serde(rename = "Key", borrow)]
    key: Option<Cow<'j, str>>,
    #[serde(rename = "Metadata", default)]
    metadata: BTreeMap<String, String>,
}

/// Reads an answer, and the key if it names one. Without a signature it says nothing.
pub(super) fn parse(json: &[u8]) -> Result<(Option<String>, Option<Metadata>), serde_json::Error> {
    let json = unicode(json);
    let answer: Json<'_> = serde_json::from_slice(&json)?;
    // Some clients write the names of metadata with capitals.
    let find = |name: &str| answer.metadata.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
    let generated = find("backfill-generation-timestamp").and_then(|(_, time)| parse_iso(time));
    let metadata = find("signature").map(|(_, text)| Metadata { signature: parse_signature(text), generated });
    Ok((answer.key.map(Cow::into_owned), metadata))
}

/// Whether a text is an answer of HeadObject or GetObject, and not records of a log.
pub(super) fn is_answer(text: &[u8]) -> bool {
    const FIELDS: [&str; 6] =
        ["ETag", "LastModified", "ContentLength", "Metadata", "ServerSideEncryption", "VersionId"];
    let answer: Result<BTreeMap<String, serde::de::IgnoredAny>, _> = serde_json::from_slice(&unicode(text));
    answer.is_ok_and(|answer| {
        FIELDS.iter().any(|field| answer.contains_key(*field))
            && !answer.keys().any(|field| field.eq_ignore_ascii_case("Records"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let parsed = |text: &str| parse(text.as_bytes()).ok();
        let metadata = |signature: &[u8], generated| Some(Metadata { signature: signature.to_vec(), generated });
        let time = Timestamp::parse(b"2026-02-11T08:00:00Z");
        assert_eq!(
            parsed(r#"{"Metadata": {"signature": "0aFF", "signature-algorithm": "SHA256withRSA"}, "ETag": "x"}"#),
            Some((None, metadata(&[10, 255], None)))
        );
        assert_eq!(
            parsed(
                r#"{"Bucket": "b", "Key": "k", "Metadata": {"Signature": "zz",
                "Backfill-Generation-Timestamp": "2026-02-11T08:00:00Z"}}"#
            ),
            Some((Some("k".into()), metadata(&[], time)))
        );
        assert_eq!(parsed(r#"{"Metadata": {}}"#), Some((None, None)));
        let utf16: Vec<u8> = "\u{feff}{\"Key\": \"k\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(parse(&utf16).ok(), Some((Some("k".into()), None)));
        for wrong in ["", "[]", r#"{"Metadata": []}"#, r#"{"Metadata": {"signature": 1}}"#] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn answers_are_no_records() {
        for (text, expected) in [
            (r#"{"AcceptRanges": "bytes", "ETag": "\"abc\""}"#, true),
            (r#"{"ETag": "x", "records": []}"#, false),
            (r#"{"Records": [], "ETag": "x"}"#, false),
            (r#"{"Records": []}"#, false),
            (r#"[{"ETag": "x"}]"#, false),
            (r#"{"ETag": "x"}{"Records": []}"#, false),
            ("{}", false),
            ("", false),
        ] {
            assert_eq!(is_answer(text.as_bytes()), expected, "{text}");
        }
    }
}

//! Signatures from outside: what `aws s3api head-object` says of digests.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::content::parse_signature;
use super::keys::parse_iso;
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
    let answer: Json<'_> = serde_json::from_slice(json)?;
    // Some clients write the names of metadata with capitals.
    let find = |name: &str| answer.metadata.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
    let generated = find("backfill-generation-timestamp").and_then(|(_, time)| parse_iso(time));
    let metadata = find("signature").map(|(_, text)| Metadata { signature: parse_signature(text), generated });
    Ok((answer.key.map(Cow::into_owned), metadata))
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
        for wrong in ["", "[]", r#"{"Metadata": []}"#, r#"{"Metadata": {"signature": 1}}"#] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}

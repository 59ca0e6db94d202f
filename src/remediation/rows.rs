//! The rows of lists: for S3 Batch Operations, which takes them as they are, and for people.

use std::ops::Range;

use super::group::GroupKind;
use super::lane::Why;
use crate::batch::Flag;
use crate::escape::{holds_for_all, push_cell, unescape_cell};
use crate::readers::{Split, split_strict};
use crate::sinks::Finding;
use crate::timestamp::Timestamp;

/// The first line of a list for people.
pub const LIST_HEADER: &str =
    "bucket,key,version_id,is_latest,size,last_modified,storage_class,encryption_status,reason,retain_until\n";

/// Appends the row of a manifest: `bucket,key[,version]`, percent-encoded.
pub fn push_manifest_row(lines: &mut Vec<u8>, kind: &GroupKind, finding: &Finding<'_>) {
    push_percent_encoded(lines, finding.bucket);
    lines.push(b',');
    push_percent_encoded(lines, finding.key);
    if kind.has_versions {
        lines.push(b',');
        let version = if finding.version_id.is_empty() { &b"null"[..] } else { finding.version_id };
        push_percent_encoded(lines, version);
    }
    lines.push(b'\n');
}

/// Appends the row of a list for people.
pub fn push_list_row(lines: &mut Vec<u8>, finding: &Finding<'_>, why: Why, retain_until: Option<Timestamp>) {
    for cell in [finding.bucket, finding.key, finding.version_id] {
        push_cell(lines, cell);
        lines.push(b',');
    }
    lines.extend_from_slice(finding.is_latest.as_text().as_bytes());
    lines.push(b',');
    finding.size.into_iter().for_each(|size| lines.extend_from_slice(size.to_string().as_bytes()));
    lines.push(b',');
    finding.last_modified.into_iter().for_each(|time| lines.extend_from_slice(&time.as_text()));
    for cell in [finding.storage_class, finding.encryption_status] {
        lines.push(b',');
        push_cell(lines, cell);
    }
    lines.push(b',');
    why.push_text(lines);
    lines.push(b',');
    retain_until.into_iter().for_each(|time| lines.extend_from_slice(&time.as_text()));
    lines.push(b'\n');
}

/// Which object a row of a list for people is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListRow {
    pub(super) key: Vec<u8>,
    pub(super) version_id: Vec<u8>,
    pub(super) is_latest: Flag,
}

impl ListRow {
    /// Reads what [`push_list_row`] wrote, without the end of the line; nothing else is read.
    pub(super) fn parse(row: &[u8], split: &mut Split) -> Option<Self> {
        split_strict(row, split).ok()?;
        let [_, key, version_id, is_latest, _, _, _, _, _, _] = &split.fields[..] else { return None };
        let bytes = |field: &Range<usize>| unescape_cell(str::from_utf8(&split.unquoted[field.clone()]).ok()?);
        let is_latest = match &split.unquoted[is_latest.clone()] {
            b"true" => Flag::True,
            b"false" => Flag::False,
            b"" => Flag::Blank,
            _ => return None,
        };
        Some(Self { key: bytes(key)?, version_id: bytes(version_id)?, is_latest })
    }
}

/// Appends bytes, of which all but a few that stand for themselves everywhere become `%XX`.
pub(crate) fn push_percent_encoded(lines: &mut Vec<u8>, mut bytes: &[u8]) {
    // Most names need nothing of the kind.
    if holds_for_all(bytes, stands_for_itself) {
        return lines.extend_from_slice(bytes);
    }
    while let Some(at) = bytes.iter().position(|&byte| !stands_for_itself(byte)) {
        let (plain, rest) = bytes.split_at(at);
        lines.extend_from_slice(plain);
        let digit = |value: u8| b"0123456789ABCDEF"[usize::from(value)];
        lines.extend_from_slice(&[b'%', digit(rest[0] >> 4), digit(rest[0] & 15)]);
        bytes = &rest[1..];
    }
    lines.extend_from_slice(bytes);
}

fn stands_for_itself(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // From '-' to '9' there are only these three signs and the digits.
    is_letter | (byte.wrapping_sub(b'-') < 13) | (byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_key::decode_form;

    #[test]
    fn every_byte_comes_back() {
        let signs = b"-_./";
        assert!(
            (0..=255)
                .all(|byte: u8| stands_for_itself(byte) == (byte.is_ascii_alphanumeric() || signs.contains(&byte)))
        );
        for pair in 0..=u16::MAX {
            let bytes = pair.to_be_bytes();
            let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
            push_percent_encoded(&mut encoded, &bytes);
            assert!(encoded.iter().all(|byte| stands_for_itself(*byte) || *byte == b'%'));
            assert!(decode_form(&encoded, &mut decoded));
            assert_eq!(decoded, bytes);
        }
    }
}

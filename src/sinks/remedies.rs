//! The rows of lists: for S3 Batch Operations, which takes them as they are, and for people.

use std::ops::Range;

use super::Finding;
use crate::batch::Flag;
use crate::escape::{percent::push_percent_encoded, push_cell, unescape_cell};
use crate::readers::{Split, split_strict};
use crate::remediation::{Group, GroupKind, Why};
use crate::timestamp::Timestamp;

/// The first line of a list for people.
pub(crate) const LIST_HEADER: &str =
    "bucket,key,version_id,is_latest,size,last_modified,storage_class,encryption_status,reason,retain_until\n";

/// How many bytes of each file of a group stand before the rows.
pub(crate) fn header_len(group: &Group) -> u64 {
    if group.kind.lane.has_manifests() { 0 } else { LIST_HEADER.len() as u64 }
}

/// Appends the row of a manifest: `bucket,key[,version]`, percent-encoded.
pub(crate) fn push_manifest_row(lines: &mut Vec<u8>, kind: &GroupKind, finding: &Finding<'_>) {
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
pub(crate) fn push_list_row(lines: &mut Vec<u8>, finding: &Finding<'_>, why: Why, retain_until: Option<Timestamp>) {
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
pub(crate) struct ListRow {
    pub(crate) key: Vec<u8>,
    pub(crate) version_id: Vec<u8>,
    pub(crate) is_latest: Flag,
}

impl ListRow {
    /// Reads what [`push_list_row`] wrote, without the end of the line; nothing else is read.
    pub(crate) fn parse(row: &[u8], split: &mut Split) -> Option<Self> {
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

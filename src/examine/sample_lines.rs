//! The lines of rows that are drawn into the sample.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::batch::{Batch, Cells, Column, ColumnSet, Number, Texts};
use crate::escape::{escape, push_cell, unescape};
use crate::fault::UnitFault;
use crate::plan::{Unit, UnitId};
use crate::policy::{Policy, Ruling};
use crate::readers::{Part, Scratch, UnitFile, UnitReader};
use crate::remediation::Lane;
use crate::timestamp::Timestamp;
use crate::work::caught;

/// The cells of a line, without those that say what its row was drawn for.
pub(crate) const SAMPLED_HEADER: &str = "source,file,row,bucket,key,version_id,is_latest,size,last_modified,storage_class,\
    encryption_status,bucket_key_status,kms_key_arn,verdict,reason,rule,lane,exception,e_tag,is_multipart_uploaded,\
    replication_status,intelligent_tiering_access_tier,intelligent_tiering_reference_date,object_lock_mode,\
    object_lock_retain_until_date,object_lock_legal_hold_status,object_lock_event_hold_status,\
    object_lock_event_hold_duration,checksum_algorithm,object_access_control_list,object_owner,lifecycle_expiration_date,\
    head_object";

/// The cells of a line that a report has, in order.
const CELLS: [Column; 23] = [
    Column::Bucket,
    Column::Key,
    Column::VersionId,
    Column::IsLatest,
    Column::Size,
    Column::LastModifiedDate,
    Column::StorageClass,
    Column::EncryptionStatus,
    Column::BucketKeyStatus,
    Column::ETag,
    Column::IsMultipartUploaded,
    Column::ReplicationStatus,
    Column::IntelligentTieringAccessTier,
    Column::IntelligentTieringReferenceDate,
    Column::ObjectLockMode,
    Column::ObjectLockRetainUntilDate,
    Column::ObjectLockLegalHoldStatus,
    Column::ObjectLockEventHoldStatus,
    Column::ObjectLockEventHoldDuration,
    Column::ChecksumAlgorithm,
    Column::ObjectAccessControlList,
    Column::ObjectOwner,
    Column::LifecycleExpirationDate,
];
/// Longer texts that are only shown are not kept in memory; a list of few grants is shorter.
const MAX_SHOWN_LEN: usize = 1024;
/// So many of them stand before what was concluded.
const CELLS_OF_FINDINGS: usize = 9;

/// What is kept of a row until its line is made: the cells that have been read, escaped, and what was concluded.
pub(super) struct Notes {
    cells: [Option<String>; CELLS.len()],
    conclusion: String,
}

/// Between the notes of a row; what is escaped has no such sign.
const BETWEEN: char = '\u{1f}';
/// In the place of a cell that has not been read.
const UNREAD: &str = "\u{1e}";

impl Notes {
    /// Notes the cells that are there: those that a batch has not deferred.
    pub(super) fn new(batch: &Batch<'_>, at: usize, conclusion: String) -> Self {
        let cell = |column: Column| (!batch.deferred.contains(column)).then(|| cell(batch, at, column));
        Self { cells: CELLS.map(cell), conclusion }
    }

    /// Adds the cells that were deferred.
    pub(super) fn fill(&mut self, more: &Batch<'_>, at: usize) {
        for (noted, column) in self.cells.iter_mut().zip(CELLS) {
            noted.get_or_insert_with(|| cell(more, at, column));
        }
    }

    /// As one text.
    pub(super) fn to_text(&self) -> Arc<str> {
        let cells = self.cells.iter().map(|cell| cell.as_deref().unwrap_or(UNREAD));
        let parts: Vec<&str> = cells.chain([self.conclusion.as_str()]).collect();
        Arc::from(parts.join(&BETWEEN.to_string()))
    }

    fn parse(text: &str) -> Self {
        let mut parts = text.split(BETWEEN);
        let cells = CELLS.map(|_| parts.next().filter(|cell| *cell != UNREAD).map(str::to_owned));
        Self { cells, conclusion: parts.next().unwrap_or_default().to_owned() }
    }

    /// The line without what the row was drawn for: where it stands, its cells, what was concluded, and the command that asks
    /// S3 again. What has not been read is blank.
    pub(super) fn line(&self, unit: &Unit<'_>, row: u64) -> Arc<str> {
        let mut line = format!("{},", unit.source_id + 1).into_bytes();
        push_cell(&mut line, unit.key().as_bytes());
        line.extend_from_slice(format!(",{row}").as_bytes());
        let raw = |cell: &Option<String>| cell.as_deref().and_then(unescape).unwrap_or_default();
        let cells: Vec<Vec<u8>> = self.cells.iter().map(raw).collect();
        let (of_findings, others) = cells.split_at(CELLS_OF_FINDINGS);
        let push = |line: &mut Vec<u8>, cell: &[u8]| {
            line.push(b',');
            push_cell(line, cell);
        };
        of_findings.iter().for_each(|cell| push(&mut line, cell));
        line.push(b',');
        line.extend_from_slice(self.conclusion.as_bytes());
        others.iter().for_each(|cell| push(&mut line, cell));
        push(&mut line, head_object(&cells[0], &cells[1], &cells[2]).as_bytes());
        Arc::from(String::from_utf8_lossy(&line))
    }
}

/// A cell of a row, escaped. One that cannot be read is blank.
fn cell(batch: &Batch<'_>, at: usize, column: Column) -> String {
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let time = |number: Number| number.time().ok().flatten().map_or_else(String::new, |time| time.to_string());
    let text = |texts: &Texts<'_>| escape(texts.get(at)).into_owned();
    match column {
        Column::Bucket => text(&batch.bucket),
        Column::Key => text(&batch.key),
        Column::VersionId => text(&batch.version_id),
        Column::IsLatest => batch.is_latest.get(at).as_text().to_owned(),
        Column::Size => number(batch.size.get(at).size().ok().flatten()),
        Column::LastModifiedDate => time(batch.last_modified.get(at)),
        Column::StorageClass => text(&batch.storage_class),
        Column::EncryptionStatus => text(&batch.encryption_status),
        Column::BucketKeyStatus => text(&batch.bucket_key_status),
        Column::ETag => text(&batch.etag),
        Column::IntelligentTieringAccessTier => text(&batch.intelligent_tiering_access_tier),
        Column::ObjectLockMode => text(&batch.object_lock_mode),
        Column::ObjectLockRetainUntilDate => time(batch.object_lock_retain_until_date.get(at)),
        Column::ObjectLockLegalHoldStatus => text(&batch.object_lock_legal_hold_status),
        Column::ObjectLockEventHoldStatus => text(&batch.object_lock_event_hold_status),
        column => column.shown_at().map_or_else(String::new, |place| shown_cell(column, batch.shown[place], at)),
    }
}

/// A cell of a column that is only shown, escaped: the same whatever type the report has it in.
fn shown_cell(column: Column, cells: Cells<'_>, at: usize) -> String {
    let is_time = matches!(column, Column::IntelligentTieringReferenceDate | Column::LifecycleExpirationDate);
    let time = match cells {
        Cells::Numbers(numbers) if is_time => numbers.get(at).time().ok().flatten(),
        Cells::Texts(texts) if is_time => Timestamp::parse(texts.get(at)),
        _ => None,
    };
    match (time, cells) {
        (Some(time), _) => time.to_string(),
        (None, Cells::Flags(flags)) => flags.get(at).as_text().to_owned(),
        (None, Cells::Numbers(numbers)) => {
            numbers.get(at).size().ok().flatten().map_or_else(String::new, |number| number.to_string())
        }
        (None, Cells::Texts(texts)) if texts.get(at).len() > MAX_SHOWN_LEN => {
            format!("({} bytes)", texts.get(at).len())
        }
        (None, Cells::Texts(texts)) => escape(texts.get(at)).into_owned(),
    }
}

/// What was concluded of a row, as cells of its line.
pub(super) fn conclusion(policy: &Policy, ruling: Ruling, lane: Option<Lane>, key: &str) -> String {
    let rule = ruling.rule.map_or("", |rule| policy.rules[rule.as_index()].id.as_str());
    let exception = ruling.exception.map_or("", |exception| policy.exceptions[exception.as_index()].id.as_str());
    let (reason, lane) = (ruling.reason.map_or("", |reason| reason.as_str()), lane.map_or("", Lane::as_str));
    [key, ruling.verdict.as_str(), reason, rule, lane, exception].join(",")
}

/// Reads the rest of what was drawn of a unit: the lines of these rows, by what was noted of them. What can no longer be read,
/// because somebody has changed the file since it was examined, is left blank: the result is about what was examined.
pub(crate) fn drawn_lines(
    unit: &Unit<'_>,
    rows: &BTreeMap<u64, Arc<str>>,
    scratch: &mut Scratch,
    cancelled: &dyn Fn() -> bool,
) -> BTreeMap<(UnitId, u64), Arc<str>> {
    let mut notes: BTreeMap<u64, Notes> = rows.iter().map(|(row, text)| (*row, Notes::parse(text))).collect();
    // A fault or a panic ends it.
    let _ = caught(|| read_deferred(unit, &mut notes, scratch, cancelled));
    notes.into_iter().map(|(row, notes)| ((unit.id, row), notes.line(unit, row))).collect()
}

fn read_deferred(
    unit: &Unit<'_>,
    notes: &mut BTreeMap<u64, Notes>,
    scratch: &mut Scratch,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), UnitFault> {
    let mut file = UnitFile::open(unit)?;
    // It was compared when the unit was examined.
    file.take_checksum();
    let mut reader = UnitReader::new(unit, file)?;
    let unread = |notes: &Notes| {
        CELLS
            .iter()
            .zip(&notes.cells)
            .filter_map(|(column, cell)| cell.is_none().then_some(*column))
            .collect::<Vec<_>>()
    };
    let columns: ColumnSet = notes.values().flat_map(unread).collect();
    while let Some(part) = reader.next_part(scratch)? {
        let Part::Rows(part) = part else { continue };
        if part.range().is_some_and(|range| notes.range(range).next().is_none()) {
            continue;
        }
        part.read(ColumnSet::NONE, scratch, cancelled, &mut |batch, details| {
            let here: Vec<_> = notes.range_mut(batch.first_row..batch.first_row + batch.len as u64).collect();
            if here.is_empty() {
                return Ok(());
            }
            let rows: Vec<u32> = here.iter().map(|(row, _)| (**row - batch.first_row) as u32).collect();
            let more = details.read(&rows, columns)?;
            here.into_iter().enumerate().for_each(|(at, (_, notes))| notes.fill(&more, at));
            Ok(())
        })?;
    }
    Ok(())
}

/// The command that asks S3 for what it says of an object now; nothing for a key that S3 cannot have.
fn head_object(bucket: &[u8], key: &[u8], version_id: &[u8]) -> String {
    let version = if version_id.is_empty() { None } else { Some(version_id) };
    if [bucket, key].into_iter().chain(version).all(is_plain_word) {
        let word = |bytes: &[u8]| format!("'{}'", String::from_utf8_lossy(bytes));
        let version = version.map_or_else(String::new, |version| format!(" --version-id {}", word(version)));
        return format!("aws s3api head-object --bucket {} --key {}{version}", word(bucket), word(key));
    }
    // What a shell, the command line or a terminal would take for something else is told in JSON.
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned);
    let (Ok(bucket), Ok(key), Ok(version)) = (text(bucket), text(key), version.map(text).transpose()) else {
        return String::new();
    };
    let mut input = serde_json::json!({ "Bucket": bucket, "Key": key });
    if let Some(version) = version {
        input["VersionId"] = version.into();
    }
    let input = STANDARD.encode(input.to_string());
    format!("aws s3api head-object --cli-input-json \"$(printf %s {input} | base64 -d)\"")
}

/// Whether a text is itself between single quotes, and nothing that the command line reads as an option, a file or an
/// address.
fn is_plain_word(word: &[u8]) -> bool {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
    word.iter().all(is_plain) && !word.starts_with(b"-") && !word.windows(3).any(|signs| signs == b"://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_quoted_and_others_are_told_in_json() {
        for plain in ["a", "AWSLogs/1/x y", "a\"b$c`d;e%f", "=x"] {
            assert!(is_plain_word(plain.as_bytes()), "{plain}");
        }
        for odd in ["it's", "a\\b", "-x", "file:///etc/passwd", "a\nb", "\u{202e}", "é"] {
            assert!(!is_plain_word(odd.as_bytes()), "{odd}");
        }
    }
}

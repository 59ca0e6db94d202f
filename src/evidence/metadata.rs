//! Tables of S3 Metadata as Parquet files: inventory tables say how versions are, journals how they became so.

use super::EvidenceKind;
use super::collect::Collector;
use super::files::Stop;
use super::said::{Mark, Name, Named, Said};
use super::words::{Claim, Sight, TABLE_LAG_MS, What};
use crate::batch::{Batch, Column, ColumnSet, Flag, RowFault};
use crate::policy::Status;
use crate::timestamp::Timestamp;

/// What is read of them.
pub(super) fn columns(kind: EvidenceKind) -> ColumnSet {
    let columns = ColumnSet::NONE
        .with(Column::Bucket)
        .with(Column::Key)
        .with(Column::VersionId)
        .with(Column::IsDeleteMarker)
        .with(Column::LastModifiedDate)
        .with(Column::ETag)
        .with(Column::EncryptionStatus)
        .with(Column::KmsKeyArn);
    match kind {
        EvidenceKind::MetadataJournal => {
            columns.with(Column::SequenceNumber).with(Column::RecordType).with(Column::RecordTimestamp)
        }
        _ => columns.with(Column::EvidenceAsOf),
    }
}

/// What a table with these columns is, if it is one.
pub(super) fn kind(columns: ColumnSet) -> Option<EvidenceKind> {
    let is_table = [Column::KmsKeyArn, Column::EncryptionStatus].iter().all(|column| columns.contains(*column));
    match () {
        () if !is_table => None,
        () if columns.contains(Column::RecordType) => Some(EvidenceKind::MetadataJournal),
        () => Some(EvidenceKind::MetadataInventory),
    }
}

/// Collects what the rows say. A row that cannot be read is a fault of the file.
pub(super) fn collect(batch: &Batch<'_>, is_journal: bool, to: &mut Collector<'_, '_>) -> Result<(), Stop> {
    for row in 0..batch.len {
        let modified = batch.last_modified.get(row).time()?;
        let (bucket, key) = (batch.bucket.get(row), batch.key.get(row));
        if bucket.is_empty() || key.is_empty() {
            return Err(RowFault::NoKey.into());
        }
        // That a version is gone says nothing of how it was.
        let is_gone = is_journal && batch.record_type.get(row) == b"DELETE";
        if batch.is_delete_marker.get(row) == Flag::True || is_gone {
            continue;
        }
        let (what, when, mark) = match is_journal {
            true => {
                let time = batch.record_timestamp.get(row).time()?.ok_or(RowFault::LastModified)?;
                let what = if batch.record_type.get(row) == b"CREATE" { What::Write } else { What::Update };
                (what, Some(time), Mark::Sequence(batch.sequence_number.get(row)))
            }
            false => {
                let as_of = batch.evidence_as_of.get(row).time()?.or(to.as_of());
                (What::Sighting(Sight::Lagging), as_of.and_then(lagging), Mark::ETag(batch.etag.get(row)))
            }
        };
        to.say(&Said {
            bucket,
            key,
            version: Named::in_column(&batch.version_id, row),
            what,
            claim: claim(batch.encryption_status.get(row)),
            name: Name::of(batch.kms_key_arn.get(row)),
            when,
            modified,
            mark,
        })?;
    }
    Ok(())
}

/// A blank status is that of a version without encryption, or of one that was gone before anybody looked.
fn claim(status: &[u8]) -> Claim {
    if status.is_empty() { Claim::Untold } else { Claim::Is(Status::parse(status)) }
}

/// The time that a table of that time tells of.
fn lagging(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_millis(time.as_millis() - TABLE_LAG_MS)
}

//! Tables of S3 Metadata as Parquet files: inventory tables say how versions are, journals how they became so.

use super::EvidenceKind;
use super::answers::Claim;
use super::collect::Collector;
use super::files::Stop;
use super::said::{Name, Of, Said, When};
use crate::batch::{Batch, Column, ColumnSet, Flag, RowFault};
use crate::policy::Status;

/// What is read of them.
pub(super) fn columns(kind: EvidenceKind) -> ColumnSet {
    let columns = ColumnSet::NONE
        .with(Column::Bucket)
        .with(Column::Key)
        .with(Column::VersionId)
        .with(Column::IsDeleteMarker)
        .with(Column::LastModifiedDate)
        .with(Column::EncryptionStatus)
        .with(Column::KmsKeyArn);
    match kind {
        EvidenceKind::MetadataJournal => {
            columns.with(Column::SequenceNumber).with(Column::RecordType).with(Column::RecordTimestamp)
        }
        _ => columns,
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
    let has_order = !batch.sequence_number.is_absent();
    for row in 0..batch.len {
        let modified = batch.last_modified.get(row).time()?;
        let (bucket, key) = (batch.bucket.get(row), batch.key.get(row));
        let (status, name) = (batch.encryption_status.get(row), batch.kms_key_arn.get(row));
        if bucket.is_empty() || key.is_empty() {
            return Err(RowFault::NoKey.into());
        }
        let is_delete_marker = batch.is_delete_marker.get(row) == Flag::True;
        let is_deleted = is_journal && batch.record_type.get(row) == b"DELETE";
        if is_delete_marker && !is_journal {
            continue;
        }
        let when = match is_journal {
            true => When::At(batch.record_timestamp.get(row).time()?.ok_or(RowFault::LastModified)?),
            false => to.undated(modified),
        };
        let is_gone = is_delete_marker || is_deleted;
        let (of, name) = (Of::Version(Some(batch.version_id.get(row))), Name::of(name));
        let said = Said::new((bucket, key), of, Claim::Is(Status::parse_metadata(status)), name, when);
        let order = if is_journal && has_order { order(batch.sequence_number.get(row)) } else { 0 };
        to.say(&Said { order, modified, is_journal, is_gone, ..said })?;
    }
    Ok(())
}

/// The beginning of a sequence number, in the order of its bytes. Where it does not tell two records apart, both count.
fn order(sequence_number: &[u8]) -> u64 {
    let is_hex = sequence_number.len() >= 16 && sequence_number.iter().all(u8::is_ascii_hexdigit);
    let mut first = [0; 8];
    if is_hex {
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
        first.iter_mut().zip(sequence_number.as_chunks::<2>().0).for_each(|(byte, [high, low])| {
            *byte = digit(*high) << 4 | digit(*low);
        });
    } else {
        first.iter_mut().zip(sequence_number).for_each(|(to, from)| *to = *from);
    }
    u64::from_be_bytes(first)
}

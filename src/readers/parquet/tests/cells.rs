//! The rows of a file as plain values, read in either way.

use std::sync::Arc;

use super::files::Random;
use crate::batch::{Batch, Column, ColumnSet, Flag, Flags, Number, Numbers, Texts};
use crate::readers::UnitFault;
use crate::readers::parquet::columns::{self, columns};
use crate::readers::parquet::{Reader, RowGroup, arrow};
use crate::source::SourceFile;

/// What a batch has in one column of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Absent,
    Text(Vec<u8>),
    Flag(Flag),
    Number(Number),
}

pub(super) type RowCells = [Cell; Column::ALL.len()];

/// The parts of a file.
pub(super) fn row_groups(file: &Arc<SourceFile>) -> Result<Vec<RowGroup>, UnitFault> {
    let mut reader = Reader::new(Arc::clone(file))?;
    std::iter::from_fn(|| reader.next_row_group().transpose()).collect()
}

pub(super) fn read_with_arrow(row_group: &RowGroup) -> Result<Vec<RowCells>, UnitFault> {
    let mut rows = Vec::new();
    arrow::read(row_group, &mut arrow::Scratch::default(), &|| false, &mut |batch, _| {
        assert_eq!(batch.first_row, row_group.first_row + rows.len() as u64);
        rows.extend((0..batch.len).map(|row| cells(batch, row)));
        Ok(())
    })?;
    Ok(rows)
}

/// What reading without arrow gave.
pub(super) struct Read {
    pub rows: Vec<RowCells>,
    pub batches: usize,
    /// Positions in `rows` for which deferred columns were read, with what they had.
    pub details: Vec<(usize, RowCells)>,
    pub deferred: ColumnSet,
}

/// Reads pages. In each batch, `ask` picks the rows whose deferred columns are read.
pub(super) fn read_pages(
    row_group: &RowGroup,
    wanted: ColumnSet,
    scratch: &mut columns::Scratch,
    mut ask: impl FnMut(usize) -> Vec<u32>,
) -> Result<Read, UnitFault> {
    let chunks = row_group.plain_chunks()?.expect("nothing that needs arrow");
    let mut read = Read { rows: Vec::new(), batches: 0, details: Vec::new(), deferred: ColumnSet::NONE };
    let mut columns = columns(&row_group.file.0, &chunks, wanted, scratch);
    let found = columns.read(row_group.rows, row_group.first_row, &|| false, &mut |batch, details| {
        let before = read.rows.len();
        assert_eq!(batch.first_row, row_group.first_row + before as u64);
        read.deferred = batch.deferred;
        read.batches += 1;
        read.rows.extend((0..batch.len).map(|row| cells(batch, row)));
        let asked = ask(batch.len);
        if !asked.is_empty() {
            let more = details.read(&asked, ColumnSet::ALL)?;
            assert_eq!(more.len, asked.len());
            let numbered = asked.iter().enumerate().map(|(at, row)| (before + *row as usize, cells(&more, at)));
            read.details.extend(numbered);
        }
        Ok(())
    })?;
    if found == row_group.rows { Ok(read) } else { Err(UnitFault::RowCount { expected: row_group.rows, found }) }
}

/// Some rows of a batch, few or many of them.
pub(super) fn some_rows(random: &mut Random, len: usize) -> Vec<u32> {
    let percent = random.pick(&[0, 0, 1, 5, 50, 95, 100]);
    (0..len as u32).filter(|_| random.chance(percent)).collect()
}

/// Some columns, never all.
pub(super) fn some_columns(random: &mut Random) -> ColumnSet {
    Column::ALL.into_iter().filter(|_| random.chance(50)).collect()
}

/// A row of a batch; texts of absent columns are not blank but absent.
fn cells(batch: &Batch<'_>, row: usize) -> RowCells {
    let text = |texts: &Texts<'_>| if texts.is_absent() { Cell::Absent } else { Cell::Text(texts.get(row).to_vec()) };
    let flag = |flags: &Flags<'_>| match flags {
        Flags::Absent => Cell::Absent,
        Flags::Plain(flags) => Cell::Flag(flags[row]),
    };
    let number = |numbers: &Numbers<'_>| match numbers {
        Numbers::Absent => Cell::Absent,
        Numbers::Plain(numbers) => Cell::Number(numbers[row]),
    };
    Column::ALL.map(|column| match column {
        Column::Bucket => text(&batch.bucket),
        Column::Key => text(&batch.key),
        Column::VersionId => text(&batch.version_id),
        Column::IsLatest => flag(&batch.is_latest),
        Column::IsDeleteMarker => flag(&batch.is_delete_marker),
        Column::Size => number(&batch.size),
        Column::LastModifiedDate => number(&batch.last_modified),
        Column::StorageClass => text(&batch.storage_class),
        Column::EncryptionStatus => text(&batch.encryption_status),
        Column::BucketKeyStatus => text(&batch.bucket_key_status),
        Column::IntelligentTieringAccessTier => text(&batch.intelligent_tiering_access_tier),
        Column::ObjectLockMode => text(&batch.object_lock_mode),
        Column::ObjectLockRetainUntilDate => number(&batch.object_lock_retain_until_date),
        Column::ObjectLockLegalHoldStatus => text(&batch.object_lock_legal_hold_status),
        Column::ObjectLockEventHoldStatus => text(&batch.object_lock_event_hold_status),
        Column::KmsKeyArn => text(&batch.kms_key_arn),
        Column::IsBucketKeyEnabled => flag(&batch.is_bucket_key_enabled),
        Column::SequenceNumber => text(&batch.sequence_number),
        Column::RecordType => text(&batch.record_type),
        Column::RecordTimestamp => number(&batch.record_timestamp),
    })
}

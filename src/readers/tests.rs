//! What the tests of readers share: files in memory, and the cells of batches as plain values.

use std::io::Write as _;
use std::sync::Arc;

use crate::batch::{Batch, Cells, Column, ColumnSet, Flag, Flags, Number, Numbers, Texts};
use crate::source::SourceFile;

/// The columns that files of tests have: those of inventories that an audit depends on.
pub(super) const INVENTORY: ColumnSet = ColumnSet::JUDGED.partition(ColumnSet::EVIDENCE).1;

/// Numbers that look random and are the same on every run: splitmix64.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// What a batch has in one column of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Absent,
    Text(Vec<u8>),
    Flag(Flag),
    Number(Number),
}

pub(super) type RowCells = [Cell; Column::ALL.len()];

/// A file of its own on disk, which is gone when it is closed.
pub(super) fn open(bytes: &[u8]) -> Arc<SourceFile> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("written");
    Arc::new(SourceFile::open(file.path(), None).expect("a file"))
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
pub(super) fn cells(batch: &Batch<'_>, row: usize) -> RowCells {
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
        Column::ETag => text(&batch.etag),
        Column::KmsKeyArn => text(&batch.kms_key_arn),
        Column::IsBucketKeyEnabled => flag(&batch.is_bucket_key_enabled),
        Column::SequenceNumber => text(&batch.sequence_number),
        Column::RecordType => text(&batch.record_type),
        Column::RecordTimestamp => number(&batch.record_timestamp),
        Column::EvidenceAsOf => number(&batch.evidence_as_of),
        shown => match &batch.shown[shown.shown_at().expect("one that is only shown")] {
            Cells::Texts(texts) => text(texts),
            Cells::Flags(flags) => flag(flags),
            Cells::Numbers(numbers) => number(numbers),
        },
    })
}

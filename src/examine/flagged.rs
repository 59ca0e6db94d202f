//! Rows that become findings, and where their cells are.

use super::row::is_version_id;
use super::tally::PlaceId;
use crate::batch::{Batch, Column, Flag, Flags, Number, Numbers, RowFault, Texts};
use crate::evidence::KeyId;
use crate::policy::{Ruling, Status};
use crate::sinks::Finding;
use crate::timestamp::Month;

/// A row that becomes a finding, if what was deferred of it can be read.
#[derive(Clone, Copy)]
pub(super) struct Flagged {
    pub(super) place: PlaceId,
    pub(super) month: Option<Month>,
    pub(super) status: Status,
    pub(super) ruling: Ruling,
    /// The key that it is known to be encrypted under.
    pub(super) key: Option<KeyId>,
}

/// Where the cells of a flagged row are.
#[derive(Clone, Copy)]
pub(super) struct Position {
    /// In its batch.
    pub(super) row: usize,
    /// In columns that were deferred, which are read for flagged rows only.
    pub(super) at: usize,
}

/// A column of flagged rows.
#[derive(Clone, Copy)]
pub(super) struct FlaggedColumn<T> {
    column: T,
    is_deferred: bool,
}

impl<T> FlaggedColumn<T> {
    /// Takes a column from the batch, or from what was deferred of it.
    pub(super) fn new<'a>(
        (batch, more): (&Batch<'a>, &Batch<'a>),
        column: Column,
        of: impl Fn(&Batch<'a>) -> T,
    ) -> Self {
        let is_deferred = batch.deferred.contains(column);
        Self { column: of(if is_deferred { more } else { batch }), is_deferred }
    }

    #[inline]
    fn row(&self, Position { row, at }: Position) -> usize {
        if self.is_deferred { at } else { row }
    }
}

impl<'a> FlaggedColumn<Texts<'a>> {
    #[inline]
    pub(super) fn text(&self, position: Position) -> &'a [u8] {
        self.column.get(self.row(position))
    }
}

impl FlaggedColumn<Flags<'_>> {
    #[inline]
    fn flag(&self, position: Position) -> Flag {
        self.column.get(self.row(position))
    }
}

impl FlaggedColumn<Numbers<'_>> {
    #[inline]
    pub(super) fn number(&self, position: Position) -> Number {
        self.column.get(self.row(position))
    }
}

/// The cells that findings are put together from. Where each column is, is found once for all rows.
pub(super) struct FindingCells<'a> {
    bucket: Texts<'a>,
    size: Numbers<'a>,
    encryption_status: Texts<'a>,
    key: FlaggedColumn<Texts<'a>>,
    version_id: FlaggedColumn<Texts<'a>>,
    is_latest: FlaggedColumn<Flags<'a>>,
    last_modified: FlaggedColumn<Numbers<'a>>,
    storage_class: FlaggedColumn<Texts<'a>>,
    bucket_key_status: FlaggedColumn<Texts<'a>>,
}

impl<'a> FindingCells<'a> {
    pub(super) fn new(batch: &Batch<'a>, more: &Batch<'a>) -> Self {
        let of = (batch, more);
        Self {
            bucket: batch.bucket,
            size: batch.size,
            encryption_status: batch.encryption_status,
            key: FlaggedColumn::new(of, Column::Key, |batch| batch.key),
            version_id: FlaggedColumn::new(of, Column::VersionId, |batch| batch.version_id),
            is_latest: FlaggedColumn::new(of, Column::IsLatest, |batch| batch.is_latest),
            last_modified: FlaggedColumn::new(of, Column::LastModifiedDate, |batch| batch.last_modified),
            storage_class: FlaggedColumn::new(of, Column::StorageClass, |batch| batch.storage_class),
            bucket_key_status: FlaggedColumn::new(of, Column::BucketKeyStatus, |batch| batch.bucket_key_status),
        }
    }

    /// Puts a finding together.
    #[inline]
    pub(super) fn read(
        &self,
        position: Position,
        ruling: Ruling,
        kms_key_arn: &'a str,
    ) -> Result<Finding<'a>, RowFault> {
        let finding = Finding {
            bucket: self.bucket.get(position.row),
            key: self.key.text(position),
            version_id: self.version_id.text(position),
            is_latest: self.is_latest.flag(position),
            size: self.size.get(position.row).size()?,
            last_modified: self.last_modified.number(position).time()?,
            storage_class: self.storage_class.text(position),
            encryption_status: self.encryption_status.get(position.row),
            bucket_key_status: self.bucket_key_status.text(position),
            kms_key_arn,
            ruling,
            lane: None,
        };
        if finding.key.is_empty() {
            return Err(RowFault::NoKey);
        }
        if !is_version_id(finding.version_id) {
            return Err(RowFault::VersionId);
        }
        Ok(finding)
    }
}

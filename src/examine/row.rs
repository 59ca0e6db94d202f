//! A row as it was read, or why it cannot be examined.

use crate::batch::{Batch, Column, Flag, RowFault, RowState};
use crate::timestamp::Timestamp;

/// What an audit needs of a row, as it was read. Columns that are deferred are blank.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The bucket's name.
    pub bucket: &'a [u8],
    /// The raw key.
    pub key: &'a [u8],
    /// Blank for the null version.
    pub version_id: &'a [u8],
    /// Whether it is the current version.
    pub is_latest: Flag,
    /// Whether it is a delete marker; a blank says no.
    pub is_delete_marker: bool,
    /// The size in bytes.
    pub size: Option<u64>,
    /// When it was last modified.
    pub last_modified: Option<Timestamp>,
}

impl<'a> Row<'a> {
    /// Reads a row of a batch and refuses it when it cannot be examined. Rows about another bucket than `bucket` are
    /// refused, too. Blank lines are no rows.
    #[inline(always)]
    pub fn read(batch: &Batch<'a>, row: usize, bucket: Option<&[u8]>) -> Result<Option<Self>, RowFault> {
        match batch.states.map_or(RowState::Sound, |states| states[row]) {
            RowState::Sound => {}
            RowState::Blank => return Ok(None),
            RowState::Bad(fault) => return Err(fault),
        }
        let read = Self {
            bucket: batch.bucket.get(row),
            key: batch.key.get(row),
            version_id: batch.version_id.get(row),
            is_latest: batch.is_latest.get(row),
            is_delete_marker: batch.is_delete_marker.get(row) == Flag::True,
            size: batch.size.get(row).size()?,
            last_modified: batch.last_modified.get(row).time()?,
        };
        if read.bucket.is_empty() || (read.key.is_empty() && !batch.deferred.contains(Column::Key)) {
            return Err(RowFault::NoKey);
        }
        Self::check_bucket(read.bucket, bucket)?;
        if !is_version_id(read.version_id) {
            return Err(RowFault::VersionId);
        }
        if read.is_latest == Flag::Bad {
            return Err(RowFault::IsLatest);
        }
        if batch.is_delete_marker.get(row) == Flag::Bad {
            return Err(RowFault::IsDeleteMarker);
        }
        Ok(Some(read))
    }

    /// Refuses buckets that are not `expected` and names that are none.
    #[inline(always)]
    pub(super) fn check_bucket(bucket: &[u8], expected: Option<&[u8]>) -> Result<(), RowFault> {
        match expected {
            // The same entry of a dictionary is known by its address.
            Some(expected) if !std::ptr::eq(expected, bucket) && expected != bucket => Err(RowFault::OtherBucket),
            None if bucket.len() > MAX_BUCKET_LEN => Err(RowFault::BucketName),
            _ => Ok(()),
        }
    }
}

/// Names of today have at most 63 bytes, the oldest ones 255.
const MAX_BUCKET_LEN: usize = 255;

/// Version ids are opaque and URL-ready: at most 1,024 letters, digits and a few signs. Blank is the null version.
#[inline]
pub(super) fn is_version_id(id: &[u8]) -> bool {
    // Ids are nearly always fine: looking at all bytes at once is faster than looking for the first bad one.
    id.len() <= 1024 && id.iter().fold(true, |all, &byte| all & is_url_ready(byte))
}

/// Ranges instead of a table, and no short circuits: the compiler makes vectors of it.
#[inline]
fn is_url_ready(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // From '-' to '9' there are only '-', '.', '/' and the digits.
    let is_digit_or_sign = byte.wrapping_sub(b'-') < 13;
    is_letter | is_digit_or_sign | (byte == b'_') | (byte == b'~') | (byte == b'+') | (byte == b'=')
}

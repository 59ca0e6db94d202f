//! What readers of columns share: the cells of one column, their way into a batch, and the places of nulls.

use crate::batch::{Batch, Cells, Column};

/// A code that no dictionary has: the row is blank.
pub(super) const NULL_CODE: u32 = u32::MAX;

/// Puts a column into a batch. The footer was checked: columns have the types that batches want.
pub(super) fn put<'a>(batch: &mut Batch<'a>, column: Column, cells: Cells<'a>) {
    match (column, cells) {
        (Column::Bucket, Cells::Texts(texts)) => batch.bucket = texts,
        (Column::Key, Cells::Texts(texts)) => batch.key = texts,
        (Column::VersionId, Cells::Texts(texts)) => batch.version_id = texts,
        (Column::StorageClass, Cells::Texts(texts)) => batch.storage_class = texts,
        (Column::EncryptionStatus, Cells::Texts(texts)) => batch.encryption_status = texts,
        (Column::BucketKeyStatus, Cells::Texts(texts)) => batch.bucket_key_status = texts,
        (Column::IntelligentTieringAccessTier, Cells::Texts(texts)) => batch.intelligent_tiering_access_tier = texts,
        (Column::ObjectLockMode, Cells::Texts(texts)) => batch.object_lock_mode = texts,
        (Column::ObjectLockRetainUntilDate, Cells::Numbers(numbers)) => batch.object_lock_retain_until_date = numbers,
        (Column::ObjectLockLegalHoldStatus, Cells::Texts(texts)) => batch.object_lock_legal_hold_status = texts,
        (Column::ObjectLockEventHoldStatus, Cells::Texts(texts)) => batch.object_lock_event_hold_status = texts,
        (Column::IsLatest, Cells::Flags(flags)) => batch.is_latest = flags,
        (Column::IsDeleteMarker, Cells::Flags(flags)) => batch.is_delete_marker = flags,
        (Column::Size, Cells::Numbers(numbers)) => batch.size = numbers,
        (Column::LastModifiedDate, Cells::Numbers(numbers)) => batch.last_modified = numbers,
        (Column::ETag, Cells::Texts(texts)) => batch.etag = texts,
        (Column::KmsKeyArn, Cells::Texts(texts)) => batch.kms_key_arn = texts,
        (Column::IsBucketKeyEnabled, Cells::Flags(flags)) => batch.is_bucket_key_enabled = flags,
        (Column::SequenceNumber, Cells::Texts(texts)) => batch.sequence_number = texts,
        (Column::RecordType, Cells::Texts(texts)) => batch.record_type = texts,
        (Column::RecordTimestamp, Cells::Numbers(numbers)) => batch.record_timestamp = numbers,
        (Column::EvidenceAsOf, Cells::Numbers(numbers)) => batch.evidence_as_of = numbers,
        (column, cells) => {
            if let Some(at) = column.shown_at() {
                batch.shown[at] = cells;
            }
        }
    }
}

/// Moves values apart, from the last to the first, so that every null gets its place.
pub(super) fn spread<T: Copy>(values: &mut Vec<T>, levels: &[u32], null: T) {
    /// Where fewer rows are null than one of so many, what stands between two nulls is long enough to be moved at once.
    const FEW: usize = 32;
    let unmoved = values.len();
    values.resize(levels.len(), null);
    if (levels.len() - unmoved) * FEW < levels.len() {
        spread_runs(values, unmoved, levels, null);
    } else {
        spread_one_by_one(values, unmoved, levels, null);
    }
}

fn spread_runs<T: Copy>(values: &mut [T], mut unmoved: usize, levels: &[u32], null: T) {
    let mut end = levels.len();
    while let Some(at) = levels[..end].iter().rposition(|&level| level == 0) {
        let run = end - at - 1;
        values.copy_within(unmoved - run..unmoved, at + 1);
        values[at] = null;
        (unmoved, end) = (unmoved - run, at);
    }
}

fn spread_one_by_one<T: Copy>(values: &mut [T], mut unmoved: usize, levels: &[u32], null: T) {
    // Without a branch for nulls, which come as they like.
    for (to, &level) in levels.iter().enumerate().rev() {
        unmoved -= level as usize;
        let value = values.get(unmoved).copied().unwrap_or(null);
        values[to] = if level == 0 { null } else { value };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_get_their_places_whether_they_are_few_or_many() {
        for one_in in [1, 2, 3, 40, 1000] {
            for (rows, first) in [(1, 0), (7, 3), (64, 0), (1000, 1), (1000, 999)] {
                let levels: Vec<u32> = (0..rows).map(|row| u32::from((row + first) % one_in != 0)).collect();
                let expected: Vec<u32> =
                    levels.iter().zip(1..).map(|(&level, row)| if level == 1 { row } else { 0 }).collect();
                let mut values: Vec<u32> = expected.iter().copied().filter(|value| *value > 0).collect();
                spread(&mut values, &levels, 0);
                assert_eq!(values, expected, "{one_in} {rows} {first}");
            }
        }
    }
}

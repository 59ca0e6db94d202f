//! Batches that are counted column by column.
//!
//! Where a policy asks for neither keys nor times and nothing is counted by them, all rows of a batch lie in one place and
//! only their two statuses tell them apart. Then there is no need to look at rows: pairs of statuses are counted, and
//! judged once.

use super::row::{Row, is_version_id};
use crate::amounts::Amount;
use crate::batch::{Batch, Column, Flag, Flags, Number, Numbers, RowState, Texts};
use crate::policy::{BucketKey, Status};

/// Objects by their pair of statuses, and delete markers.
pub(super) struct PairCounts {
    /// In the order of [`pairs`].
    pub(super) amounts: [Amount; PAIRS],
    pub(super) delete_markers: u64,
}

const PAIRS: usize = Status::ALL.len() * BucketKey::ALL.len();

/// All pairs, in the order in which they are counted.
pub(super) fn pairs() -> impl Iterator<Item = (Status, BucketKey)> {
    Status::ALL.into_iter().flat_map(|status| BucketKey::ALL.map(|bucket_key| (status, bucket_key)))
}

/// The position of a pair in that order.
#[inline]
fn pair_at(status: Status, bucket_key: BucketKey) -> usize {
    status as usize * BucketKey::ALL.len() + bucket_key as usize
}

/// The bucket of all rows, if it is the one that is expected and no row can be bad or blank but for its key, its size and
/// its time.
pub(super) fn sound_bucket<'a>(batch: &Batch<'a>, expected: Option<&[u8]>) -> Option<&'a [u8]> {
    let bucket = only_bucket(batch)?;
    let is_sound = batch.states.is_none_or(|states| states.iter().all(|state| *state == RowState::Sound))
        && !has_bad_flag(&batch.is_delete_marker)
        && !has_bad_flag(&batch.is_latest)
        && (batch.version_id.is_absent() || (0..batch.len).all(|at| is_version_id(batch.version_id.get(at))));
    (is_sound && !bucket.is_empty() && Row::check_bucket(bucket, expected).is_ok()).then_some(bucket)
}

/// The bucket of all rows, if they have one.
fn only_bucket<'a>(batch: &Batch<'a>) -> Option<&'a [u8]> {
    match &batch.bucket {
        Texts::Absent => None,
        Texts::Plain(_) => {
            let bucket = batch.bucket.get(0);
            (1..batch.len).all(|at| batch.bucket.get(at) == bucket).then_some(bucket)
        }
        Texts::Coded { codes, dictionary } => {
            let (&first, others) = codes.split_first()?;
            // All codes are compared: many at once is faster than one after the other up to the first that differs.
            let is_one = others.iter().fold(true, |is_one, &code| is_one & (code == first));
            is_one.then(|| dictionary.get(first as usize))
        }
    }
}

/// Whether nothing but the statuses and sizes of rows is there to be looked at: nobody counts by keys or times.
pub(super) fn is_countable(batch: &Batch<'_>) -> bool {
    batch.deferred.contains(Column::Key)
        && !has_bad(&batch.last_modified, |number| number.time().is_err())
        && !has_bad(&batch.size, |number| number.size().is_err())
}

fn has_bad_flag(flags: &Flags<'_>) -> bool {
    match flags {
        Flags::Absent => false,
        Flags::Plain(flags) => flags.iter().fold(false, |is_bad, &flag| is_bad | (flag == Flag::Bad)),
    }
}

fn has_bad(numbers: &Numbers<'_>, is_bad: impl Fn(Number) -> bool) -> bool {
    match numbers {
        Numbers::Absent => false,
        Numbers::Plain(numbers) => numbers.iter().fold(false, |any, number| any | is_bad(*number)),
    }
}

impl PairCounts {
    /// Counts the rows of a batch that has [`only_bucket`]; the statuses are those of its rows.
    pub(super) fn new(batch: &Batch<'_>, statuses: &[Status], bucket_keys: &[BucketKey]) -> Self {
        // Delete markers are counted behind the pairs, so that no row takes a way of its own. Most rows are like the one
        // before: their sum stays out of memory until another kind comes.
        let mut amounts = [Amount::default(); PAIRS + 1];
        let (mut last, mut run) = (PAIRS, Amount::default());
        for (at, (&status, &bucket_key)) in statuses.iter().zip(bucket_keys).enumerate() {
            let is_marker = batch.is_delete_marker.get(at) == Flag::True;
            let bytes = batch.size.get(at).size().ok().flatten().unwrap_or(0);
            let pair = if is_marker { PAIRS } else { pair_at(status, bucket_key) };
            if pair != last {
                amounts[last].add(std::mem::take(&mut run));
                last = pair;
            }
            run.add(Amount::object(bytes));
        }
        amounts[last].add(run);
        let [amounts @ .., markers] = amounts;
        Self { amounts, delete_markers: markers.objects }
    }

    /// Whether there is an object with this status.
    pub(super) fn has_status(&self, status: Status) -> bool {
        BucketKey::ALL.into_iter().any(|bucket_key| self.amounts[pair_at(status, bucket_key)].objects > 0)
    }
}

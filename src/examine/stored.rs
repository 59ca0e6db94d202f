//! What a report says of the encryption of its rows, and the object that a row is.
//!
//! Audits, explanations and reconciliations all make their objects here, so that a row is judged the same way wherever
//! it is met, whatever the source spells. [`RowJudge`] judges rows one at a time, the plain way.

use super::keys::RowKeys;
use super::row::Row;
use crate::amounts::Amount;
use crate::batch::{Batch, Flags, Texts};
use crate::evidence::{KeyError, Keys};
use crate::plan::Unit;
use crate::policy::{BucketKey, Checker, KeyState, Object, Ruling, Status};

/// What a batch says of the encryption of its rows.
#[derive(Default)]
pub(crate) struct Encryptions {
    pub(super) statuses: Vec<Status>,
    pub(super) bucket_keys: Vec<BucketKey>,
}

impl Encryptions {
    /// Reads all rows of a batch.
    pub(crate) fn read(&mut self, batch: &Batch<'_>) {
        let parse = if batch.is_metadata_table() { Status::parse_metadata } else { Status::parse };
        code(&batch.encryption_status, Status::Absent, parse, batch.len, &mut self.statuses);
        code(&batch.bucket_key_status, BucketKey::Unknown, BucketKey::parse, batch.len, &mut self.bucket_keys);
        if let Flags::Plain(flags) = batch.is_bucket_key_enabled {
            self.bucket_keys.iter_mut().zip(flags).for_each(|(key, flag)| *key = BucketKey::of_flag(*flag));
        }
    }

    /// The object that a row of that batch is. Nothing is said of its key.
    #[inline]
    pub(crate) fn object<'a>(&self, batch: &Batch<'a>, at: usize, row: &Row<'a>) -> Object<'a> {
        Object {
            bucket: row.bucket,
            key: row.key,
            is_latest: row.is_latest,
            last_modified: row.last_modified,
            storage_class: batch.storage_class.get(at),
            status: self.statuses[at],
            bucket_key: self.bucket_keys[at],
            encrypted_under: KeyState::Unknown,
        }
    }
}

/// Judges rows one at a time.
pub(crate) struct RowJudge<'c> {
    checker: &'c Checker,
    keys: RowKeys<'c>,
    encryptions: Encryptions,
}

impl<'c> RowJudge<'c> {
    pub(crate) fn new(checker: &'c Checker, keys: Keys<'c>) -> Self {
        Self { checker, keys: RowKeys::new(keys, checker.policy().evidence), encryptions: Encryptions::default() }
    }

    /// Rows are now those of this batch.
    pub(crate) fn begin_batch(&mut self, unit: &Unit<'_>, batch: &Batch<'_>) -> Result<(), KeyError> {
        self.encryptions.read(batch);
        self.keys.begin_batch(unit, batch)
    }

    /// Judges a row, and hands over the object that it is, with what is known of its key.
    pub(crate) fn judge<R>(
        &mut self,
        batch: &Batch<'_>,
        at: usize,
        row: &Row<'_>,
        use_it: impl FnOnce(&Object<'_>, Ruling) -> R,
    ) -> R {
        let object = self.encryptions.object(batch, at, row);
        if !self.keys.is_active() {
            return use_it(&object, self.checker.judge_object(&object));
        }
        let facts = self.keys.facts(batch, at, (object.status, object.bucket_key), row.last_modified);
        let judge = |encrypted_under: KeyState<'_>| {
            let object = Object { encrypted_under, ..object };
            use_it(&object, self.checker.judge_object(&object))
        };
        self.keys.with_state(batch, at, &facts, Amount::default(), judge).0
    }
}

/// Turns a column of texts into codes; the texts of a dictionary are read once.
pub(super) fn code<C: Copy>(texts: &Texts<'_>, absent: C, parse: fn(&[u8]) -> C, len: usize, codes: &mut Vec<C>) {
    codes.clear();
    match texts {
        Texts::Absent => codes.resize(len, absent),
        Texts::Plain(list) => codes.extend((0..len).map(|row| parse(list.get(row)))),
        Texts::Coded { codes: numbers, dictionary } => {
            // Whoever wrote the file decides how long its dictionaries are.
            if dictionary.len() > numbers.len() {
                codes.extend(numbers.iter().map(|&number| parse(dictionary.get(number as usize))));
                return;
            }
            let known: Vec<C> = (0..dictionary.len()).map(|at| parse(dictionary.get(at))).collect();
            let blank = parse(b"");
            codes.extend(numbers.iter().map(|&number| known.get(number as usize).copied().unwrap_or(blank)));
        }
    }
}

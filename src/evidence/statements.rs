//! What a word says of the version of a row: what happened, when, and whether it may be about another one.

use super::KnownKey;
use super::words::{
    Answer, CLOCKS_MS, Claim, Hint, NO_MARK, NO_SECOND, Of, Sight, Spelling, TABLE_LAG_MS, UNDATED, What, Word,
    second_of,
};
use super::worlds::{FIRST_REKEYING, World};
use crate::delivery::CompleteLogs;
use crate::policy::Status;

/// How a row names its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowVersion {
    /// By an id: nothing else is this version.
    Named,
    /// As the null version, which can be written again.
    Null,
    /// Not at all: the report has no such column.
    Unlisted,
}

/// What a row says that matters for evidence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowFacts {
    pub(crate) status: Status,
    pub(crate) version: RowVersion,
    /// When the version was last modified, in milliseconds since the epoch.
    pub(crate) modified: Option<i64>,
    /// The mark of its ETag.
    pub(crate) etag: u64,
    /// The moment that the row is about.
    pub(crate) moment: Option<i64>,
    /// Whether the report says that it uses a Bucket Key.
    pub(crate) has_bucket_key: bool,
}

/// What happened to a version, or how it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Write,
    Seen,
    ReKeyed,
}

/// What a word says of the row's version.
#[derive(Clone, Copy)]
pub(super) struct Statement<'a> {
    pub(super) kind: Kind,
    /// Nothing if nobody knows.
    pub(super) at: Option<i64>,
    pub(super) said: Saying<'a>,
    /// The order of a journal's record.
    pub(super) order: Option<(Spelling, u64)>,
    /// Whether it may be about another version.
    pub(super) is_possible_only: bool,
    /// How long after its time it may have been so, in milliseconds.
    pub(super) lag: i64,
}

#[derive(Clone, Copy)]
pub(super) enum Saying<'a> {
    Key(&'a KnownKey),
    /// The key cannot be told.
    Keyless,
    /// Another method than the row's.
    Method(Status),
}

impl<'a> Saying<'a> {
    pub(super) fn key(self) -> Option<&'a KnownKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::Keyless | Self::Method(_) => None,
        }
    }
}

impl RowFacts {
    fn has_kms(&self) -> bool {
        matches!(self.status, Status::SseKms | Status::DsseKms)
    }

    /// What a word says, held against the method of the row.
    pub(super) fn saying<'a>(&self, answer: &'a Answer) -> Saying<'a> {
        let key = answer.key.known().map_or(Saying::Keyless, Saying::Key);
        match answer.claim {
            Claim::Untold => Saying::Keyless,
            Claim::Is(status) if !is_definite(status) => Saying::Keyless,
            // Without a method of its own the row contradicts nobody.
            _ if !is_definite(self.status) => key,
            Claim::Is(status) if status != self.status => Saying::Method(status),
            Claim::SomeKms if !self.has_kms() => Saying::Method(Status::SseKms),
            Claim::Is(_) | Claim::SomeKms => key,
        }
    }
}

/// Whether it says how an object is encrypted.
fn is_definite(status: Status) -> bool {
    !matches!(status, Status::Blank | Status::Absent | Status::Unrecognised)
}

impl<'a> World<'a> {
    /// What a word says of the row's version; nothing if it is about something else.
    pub(super) fn statement(&self, row: &RowFacts, word: &Word, words: &[Word]) -> Option<Statement<'a>> {
        let answer = self.answers.get(word.answer as usize)?;
        let bearing = match (row.version, answer.of) {
            // Where versions have no names, an upload that began then may have made the row's.
            (RowVersion::Unlisted, _) if answer.what == What::Hint(Hint::Upload) => {
                self.of_write_in(row, word.modified, second_of(row.modified?)).at_best_possible()
            }
            // One write made a version with an id: whatever else was begun then made another.
            (RowVersion::Named, Of::Any)
                if answer.what == What::Hint(Hint::Upload) && self.is_write_told(row, words) =>
            {
                Bearing::None
            }
            (_, Of::Any) => Bearing::of_any(row, word),
            (RowVersion::Named, Of::Version) => Bearing::Certain,
            // A change that names the second may be of any version of it. Complete logs have it as well, by its version.
            (RowVersion::Named, Of::Modified)
                if answer.what == What::Update && !self.has_change_by_version(row, word) =>
            {
                self.of_modified(row, word, answer.what).at_best_possible()
            }
            (RowVersion::Named, _) | (_, Of::Version) | (RowVersion::Null, Of::Listed) => Bearing::None,
            (RowVersion::Null, Of::NullVersion | Of::Unnamed) | (RowVersion::Unlisted, Of::Unnamed) => {
                self.of_null(row, word, answer.what, words)
            }
            (_, Of::NullVersion | Of::Listed | Of::Modified) => self.of_modified(row, word, answer.what),
        };
        let is_possible_only = match bearing {
            Bearing::None => return None,
            Bearing::Possible => true,
            Bearing::Certain => false,
        };
        let at = (word.time != UNDATED).then_some(said_at(row, word, answer));
        let said = row.saying(answer);
        let kind = match answer.what {
            What::Sighting(_) => Kind::Seen,
            What::Write | What::Upload | What::Hint(Hint::Upload) => Kind::Write,
            What::ReKeying => Kind::ReKeyed,
            // Other changes of a version are recorded with the key that it has. What clocks cannot tell from the moment may
            // have changed it just after.
            What::Update if matches!(said, Saying::Keyless) || row.is_at_or_after_moment(word) => Kind::ReKeyed,
            What::Update => Kind::Seen,
            What::Hint(Hint::DataKey | Hint::ForeignDataKey) => return None,
        };
        let order = answer.spelling.map(|spelling| (spelling, word.mark));
        let lag = lag_of(answer) + at.map_or(0, |at| word.time - at);
        Some(Statement { kind, at, said, order, is_possible_only, lag })
    }

    /// Whether logs have a change as well that a journal does not name the version of.
    fn has_change_by_version(&self, row: &RowFacts, word: &Word) -> bool {
        let is_proven_for = !row.is_after_moment(word) || matches!(self.logs, CompleteLogs::Always);
        is_proven_for && self.has_all_since_write(row)
    }

    /// Whether a word about the null version is about the write of the row.
    fn of_null(&self, row: &RowFacts, word: &Word, what: What, words: &[Word]) -> Bearing {
        let Some(modified) = row.modified else { return Bearing::None };
        let second = second_of(modified);
        let is_dated = word.time != UNDATED;
        let at = second_of(word.time);
        match what {
            What::Sighting(_) | What::Update if word.modified != NO_SECOND => match () {
                () if word.modified != second || row.contradicts_etag(word, what) => Bearing::None,
                () if is_dated && at >= second.saturating_add(2) => Bearing::Certain,
                () if !is_dated && row.has_etag_of(word, what) => Bearing::Certain,
                () => Bearing::Possible,
            },
            What::Sighting(_) | What::Update => match () {
                // Whatever was seen then was the object that the report lists: a later write would have moved its time.
                () if !is_dated || row.contradicts_etag(word, what) => Bearing::None,
                () if row.is_after_moment(word) => match what {
                    What::Update => Bearing::Possible,
                    _ => Bearing::None,
                },
                () if at >= second.saturating_add(2) => match row.is_at_or_after_moment(word) {
                    // It may be of what replaced the object just after the moment.
                    true => Bearing::Possible,
                    false => self.unless_replaced(row, word, words),
                },
                () if at.saturating_add(2) >= second => Bearing::Possible,
                () => Bearing::None,
            },
            What::Write => self.of_made(row, word, second),
            What::Upload => self.of_upload(row, word, second, words),
            What::ReKeying => match () {
                () if word.time < modified.saturating_sub(CLOCKS_MS) => Bearing::None,
                () if word.time <= modified.saturating_add(CLOCKS_MS) => Bearing::Possible,
                () => self.unless_replaced(row, word, words),
            },
            What::Hint(_) => Bearing::None,
        }
    }

    /// What names the null version, and not its second, may be of an older object: an upload replaces that when it is
    /// completed, and has the time of its beginning. Only complete logs tell that there was none.
    fn unless_replaced(&self, row: &RowFacts, word: &Word, words: &[Word]) -> Bearing {
        let is_completion = |other: &&Word| {
            let answer = self.answers.get(other.answer as usize);
            answer.is_some_and(|answer| answer.what == What::Upload)
        };
        let mut completions = words.iter().filter(is_completion);
        // What replaces the object after the moment did not make the one of the report.
        let is_too_late =
            |other: &Word| row.moment.is_some_and(|moment| word.time <= moment) && row.is_after_moment(other);
        let is_later = |other: &Word| {
            let is_later = other.time == UNDATED || other.time.saturating_add(CLOCKS_MS) >= word.time;
            is_later && !is_too_late(other)
        };
        match self.has_all_since_write(row) && !completions.any(is_later) {
            true => Bearing::Certain,
            false => Bearing::Possible,
        }
    }

    /// Whether a word that names a second, and no version that the row names, is about the row.
    fn of_modified(&self, row: &RowFacts, word: &Word, what: What) -> Bearing {
        let Some(modified) = row.modified else { return Bearing::None };
        let second = second_of(modified);
        match what {
            What::Sighting(_) | What::Update if word.modified != second || row.contradicts_etag(word, what) => {
                Bearing::None
            }
            What::Sighting(_) if row.has_etag_of(word, what) && !is_within_write(word, second) => Bearing::Certain,
            What::Sighting(_) | What::Update => Bearing::Possible,
            What::Write => self.of_made(row, word, second),
            What::ReKeying if word.time < modified.saturating_sub(CLOCKS_MS) => Bearing::None,
            What::ReKeying => Bearing::Possible,
            What::Upload | What::Hint(_) => Bearing::None,
        }
    }

    /// Whether a write made the row's object. A record of a journal has the time at which an upload ended, which may have been
    /// after the moment.
    fn of_made(&self, row: &RowFacts, word: &Word, second: u32) -> Bearing {
        let bearing = self.of_write_in(row, word.modified, second);
        let is_upload = word.modified.saturating_add(2) < second_of(word.time);
        match is_upload && row.moment.is_some() && row.is_at_or_after_moment(word) {
            true => bearing.at_best_possible(),
            false => bearing,
        }
    }

    /// Where all writes are known, the one of the very second is the row's.
    fn of_write_in(&self, row: &RowFacts, written: u32, second: u32) -> Bearing {
        match written.abs_diff(second) {
            0 if self.has_all_since_write(row) => Bearing::Certain,
            0 | 1 => Bearing::Possible,
            _ => Bearing::None,
        }
    }

    /// An upload makes the object as of its beginning.
    fn of_upload(&self, row: &RowFacts, word: &Word, second: u32, words: &[Word]) -> Bearing {
        if second_of(word.time).saturating_add(2) < second || row.is_after_moment(word) {
            return Bearing::None;
        }
        match self.begun_in(word.mark, words) {
            // It may have ended after the moment, and the row is of what it replaced.
            Some(begun) if row.is_at_or_after_moment(word) => self.of_write_in(row, begun, second).at_best_possible(),
            Some(begun) => self.of_write_in(row, begun, second),
            // It began in another second, or unseen.
            None if word.mark != NO_MARK && self.has_all_since_write(row) => Bearing::None,
            None => Bearing::Possible,
        }
    }

    /// In which second an upload began.
    fn begun_in(&self, upload: u64, words: &[Word]) -> Option<u32> {
        let is_begin = |word: &&Word| {
            let answer = self.answers.get(word.answer as usize);
            word.mark == upload && answer.is_some_and(|answer| answer.what == What::Hint(Hint::Upload))
        };
        words.iter().filter(|_| upload != NO_MARK).find(is_begin).map(|word| word.modified)
    }

    /// Whether the write that made a version with an id says how.
    fn is_write_told(&self, row: &RowFacts, words: &[Word]) -> bool {
        words.iter().any(|word| {
            let answer = self.answers.get(word.answer as usize);
            let is_own =
                |answer: &&Answer| answer.of == Of::Version && matches!(answer.what, What::Write | What::Upload);
            let said = answer.filter(is_own).map(|answer| row.saying(answer));
            said.is_some_and(|said| !matches!(said, Saying::Keyless))
        })
    }

    /// The write that hints show, where they may decide: all of them name one key, and no write names another.
    pub(super) fn decisive_hint(&self, row: &RowFacts, words: &[Word]) -> Option<Statement<'a>> {
        if !self.assumed.hints_decide || row.has_bucket_key || !row.has_kms() {
            return None;
        }
        let at = row.modified?;
        let near = |word: &&Word| word.modified.abs_diff(second_of(at)) <= 1;
        let answer = |word: &Word| self.answers.get(word.answer as usize);
        let is_begun = |word: &Word, answer: &Answer| match answer.what {
            What::Hint(Hint::DataKey) => near(&word),
            What::Hint(Hint::Upload) => near(&word) && self.is_completed(word, words),
            _ => false,
        };
        let mut key: Option<&KnownKey> = None;
        let mut is_seen = false;
        for (word, answer) in words.iter().filter_map(|word| Some((word, answer(word)?))) {
            let is_near = match answer.what {
                What::Write if answer.of == Of::Version => true,
                What::Hint(_) | What::Write => near(&word),
                What::Upload if answer.of == Of::Version => true,
                // Whatever ended before made another object.
                What::Upload => !matches!(self.of_upload(row, word, second_of(at), words), Bearing::None),
                _ => false,
            };
            if !is_near {
                continue;
            }
            is_seen |= is_begun(word, answer);
            let Some(named) = answer.key.known() else {
                match answer.what {
                    What::Hint(_) => return None,
                    _ => continue,
                }
            };
            if key.is_some_and(|key| key.id != named.id) {
                return None;
            }
            key = Some(named);
        }
        let said = Saying::Key(key.filter(|_| is_seen)?);
        Some(Statement { kind: Kind::Write, at: Some(at), said, order: None, is_possible_only: false, lag: 0 })
    }

    fn is_completed(&self, begun: &Word, words: &[Word]) -> bool {
        let ends = |word: &&Word| {
            let answer = self.answers.get(word.answer as usize);
            word.mark == begun.mark && answer.is_some_and(|answer| answer.what == What::Upload)
        };
        begun.mark != NO_MARK && words.iter().any(|word| ends(&word))
    }
}

/// How long after its time it may have been so, in milliseconds.
pub(super) fn lag_of(answer: &Answer) -> i64 {
    if answer.what == What::Sighting(Sight::Lagging) { TABLE_LAG_MS } else { 0 }
}

/// When something was said. Clocks do not make a table one of the very moment: it may show what was done in the hour after.
pub(super) fn said_at(row: &RowFacts, word: &Word, answer: &Answer) -> i64 {
    let is_near = |moment: &i64| lag_of(answer) > 0 && word.time.abs_diff(*moment) <= CLOCKS_MS.unsigned_abs();
    row.moment.filter(is_near).map_or(word.time, |moment| moment - CLOCKS_MS - 1)
}

/// What a word has to do with a row.
enum Bearing {
    /// It is about another version, or another write.
    None,
    /// It may be about this one.
    Possible,
    /// It is about this one.
    Certain,
}

impl Bearing {
    fn at_best_possible(self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Possible | Self::Certain => Self::Possible,
        }
    }

    /// A re-keying without a version may be of any that was there.
    fn of_any(row: &RowFacts, word: &Word) -> Self {
        match row.modified {
            Some(modified) if word.time < modified.saturating_sub(CLOCKS_MS) => Self::None,
            _ => Self::Possible,
        }
    }
}

impl RowFacts {
    /// The first moment after a word at which its version may have been re-keyed unseen.
    pub(super) fn first_rekeying(&self, word: Option<i64>) -> i64 {
        word.max(self.modified).map_or(i64::MIN, |from| from.saturating_sub(CLOCKS_MS)).max(FIRST_REKEYING)
    }

    /// Whether something was said after the moment that the row is about, or nobody knows that moment.
    fn is_after_moment(&self, word: &Word) -> bool {
        word.time != UNDATED && self.moment.is_none_or(|moment| word.time > moment.saturating_add(CLOCKS_MS))
    }

    /// The same of what may have been said after that moment.
    fn is_at_or_after_moment(&self, word: &Word) -> bool {
        word.time != UNDATED && self.moment.is_none_or(|moment| word.time > moment.saturating_sub(CLOCKS_MS))
    }

    /// Whether a sighting names another ETag than the row.
    fn contradicts_etag(&self, word: &Word, what: What) -> bool {
        matches!(what, What::Sighting(_)) && word.mark != NO_MARK && self.etag != NO_MARK && word.mark != self.etag
    }

    fn has_etag_of(&self, word: &Word, what: What) -> bool {
        matches!(what, What::Sighting(_)) && word.mark != NO_MARK && word.mark == self.etag
    }
}

/// Whether it was said so close to the second of a write that another write may have followed.
fn is_within_write(word: &Word, second: u32) -> bool {
    word.time != UNDATED && second_of(word.time) < second.saturating_add(2)
}

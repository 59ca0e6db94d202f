//! Which keys an object may be encrypted under: a row, the words about it, and what may be assumed.
//!
//! A version has a write, which makes it, and since 2026-01-28 it may have re-keyings, which leave everything else as it is.
//! What is asked is its key at one moment, T. The latest word up to T decides, unless something later may have changed the
//! key, seen or unseen; the first sighting after T decides as well, under the same condition. Whatever is only possible adds
//! to the keys that are possible, and never takes one away. Pure: no files, no clock.

use super::KnownKey;
use super::unattributed::{Deed, Elsewhere};
use super::words::{
    Answer, CLOCKS_MS, Claim, Digits, Hint, NO_MARK, NO_SECOND, Of, Sight, Spelling, TABLE_LAG_MS, TOO_MANY, UNDATED,
    What, Word, second_of,
};
use crate::delivery::CompleteLogs;
use crate::policy::{Alternative, Doubt, EvidenceAssumptions, KeyState, Status};

/// The first moment at which S3 could change the key of a stored object, 2026-01-28T00:00:00Z.
pub(crate) const FIRST_REKEYING: i64 = 1_769_558_400_000;

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

/// What the words about an object came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Weighed {
    /// It counts, and does not name a key.
    Keyless,
    /// It names the key.
    Known,
    /// It is too far from the moment: the key may have changed unseen.
    Stale,
    /// Several keys are possible.
    Conflict,
    /// It is about something else, and says nothing of the object.
    Nothing,
}

/// What is known of the key of an object.
pub(crate) struct Decided<'v> {
    pub(crate) weighed: Weighed,
    pub(crate) state: KeyState<'v>,
    /// The key, if there is one.
    pub(crate) key: Option<&'v KnownKey>,
    /// Whether it may have got another key after the moment that is audited.
    pub(crate) is_rekeyed_since: bool,
}

/// Everything that words about rows are held against.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) answers: &'a [Answer],
    pub(crate) assumed: EvidenceAssumptions,
    /// What became of the statement that logs are complete.
    pub(crate) logs: CompleteLogs<'a>,
}

/// What happened to a version, or how it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Write,
    Seen,
    ReKeyed,
}

/// What a word says of the row's version.
#[derive(Clone, Copy)]
struct Statement<'a> {
    kind: Kind,
    /// Nothing if nobody knows.
    at: Option<i64>,
    said: Saying<'a>,
    /// The order of a journal's record.
    order: Option<(Spelling, u64)>,
    /// Whether it may be about another version.
    is_possible_only: bool,
    /// How long after its time it may have been so, in milliseconds.
    lag: i64,
}

#[derive(Clone, Copy)]
enum Saying<'a> {
    Key(&'a KnownKey),
    /// The key cannot be told.
    Keyless,
    /// Another method than the row's.
    Method(Status),
}

impl<'a> Saying<'a> {
    fn key(self) -> Option<&'a KnownKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::Keyless | Self::Method(_) => None,
        }
    }
}

/// The keys that are possible, gathered from all that is said.
#[derive(Default)]
struct Possible<'a> {
    keys: Vec<&'a KnownKey>,
    /// Other methods than the row's that were said last.
    methods: Vec<Status>,
    /// Whether any other key is possible as well.
    is_open: bool,
    /// Whether something is possible beside what was said last for certain.
    has_doubt: bool,
}

impl<'a> Possible<'a> {
    fn add(&mut self, said: Saying<'a>) {
        match said {
            Saying::Key(key) if self.keys.iter().any(|known| known.id == key.id) => {}
            Saying::Key(key) => self.keys.push(key),
            Saying::Method(method) if self.methods.contains(&method) => {}
            Saying::Method(method) => self.methods.push(method),
            Saying::Keyless => self.is_open = true,
        }
    }

    /// Adds what may be so, beside what is said for certain.
    fn add_doubt(&mut self, key: Option<&'a KnownKey>) {
        let (keys, was_open) = (self.keys.len(), self.is_open);
        self.add(key.map_or(Saying::Keyless, Saying::Key));
        self.has_doubt |= self.keys.len() > keys || self.is_open && !was_open;
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.methods.is_empty() && !self.is_open
    }

    /// The key, if it is the only one.
    fn only(&self) -> Option<&'a KnownKey> {
        match self.keys[..] {
            [key] if self.methods.is_empty() && !self.is_open => Some(key),
            _ => None,
        }
    }
}

impl RowFacts {
    fn has_kms(&self) -> bool {
        matches!(self.status, Status::SseKms | Status::DsseKms)
    }

    /// What a word says, held against the method of the row.
    fn saying<'a>(&self, answer: &'a Answer) -> Saying<'a> {
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
    /// What one word is worth of which nothing can be confused: it alone is said of a version with an id. Nothing if that is
    /// not so.
    #[inline]
    pub(crate) fn decide_one(&self, row: &RowFacts, word: &Word) -> Option<(Weighed, &'a Answer)> {
        let answer = self.answers.get(word.answer as usize)?;
        let is_simple = row.version == RowVersion::Named
            && answer.of == Of::Version
            && matches!(answer.what, What::Sighting(_) | What::Write);
        let moment = row.moment.filter(|_| is_simple)?;
        match row.saying(answer) {
            Saying::Keyless => Some((Weighed::Keyless, answer)),
            Saying::Method(_) => None,
            Saying::Key(_) => {
                let at = if answer.what == What::Write { word.time.min(moment) } else { word.time };
                let holds = match word.time {
                    UNDATED => self.nothing_unseen(row, None, moment),
                    _ if at > moment => {
                        let shown = at.saturating_add(CLOCKS_MS + lag_of(answer));
                        self.nothing_unseen_until_seen(row, (at, shown))
                    }
                    _ => self.nothing_unseen(row, Some(at), moment),
                };
                Some((if holds { Weighed::Known } else { Weighed::Stale }, answer))
            }
        }
    }

    /// Whether no re-keying of a row's version between these moments can have gone unseen.
    fn nothing_unseen(&self, row: &RowFacts, from: Option<i64>, to: i64) -> bool {
        to < FIRST_REKEYING || self.is_ruled_out(row, from, to)
    }

    /// The same from the moment of a row to a later sighting, which may show what was so a while after its time.
    fn nothing_unseen_until_seen(&self, row: &RowFacts, (seen, shown): (i64, i64)) -> bool {
        shown < FIRST_REKEYING || self.is_ruled_out(row, row.moment, seen)
    }

    /// Whether what the operator states says that no re-keying went unseen.
    fn is_ruled_out(&self, row: &RowFacts, from: Option<i64>, to: i64) -> bool {
        let is_young = || from.zip(self.assumed.max_age).is_some_and(|(from, age)| to.saturating_sub(from) <= age);
        from.is_some_and(|from| to.saturating_sub(from) <= CLOCKS_MS)
            || is_young()
            || self.logs.hold_all(row.first_rekeying(from), to)
    }

    /// Whether everything that happened to the objects of a row's key from its write to its moment was seen.
    fn has_all_since_write(&self, row: &RowFacts) -> bool {
        let since = row.modified.map_or(i64::MIN, |modified| modified.saturating_sub(CLOCKS_MS));
        self.logs.hold_all(since, row.moment.unwrap_or(i64::MAX))
    }

    /// What all words about a row come to. `own` is the key that the report itself names, `elsewhere` what was done to
    /// objects that nobody can name; `alternatives` is for the keys that are possible.
    pub(crate) fn decide<'v>(
        &self,
        row: &RowFacts,
        words: &[Word],
        own: Option<&'a KnownKey>,
        elsewhere: &Elsewhere<'a>,
        alternatives: &'v mut Vec<Alternative<'a>>,
    ) -> Decided<'v>
    where
        'a: 'v,
    {
        let is_overfull = words.iter().any(|word| word.answer == TOO_MANY);
        let mut statements: Vec<Statement<'a>> =
            words.iter().filter_map(|word| self.statement(row, word, words)).collect();
        if let Some(made) = self.decisive_hint(row, words) {
            // It tells the key that the write itself does not.
            statements.retain(|one| one.kind != Kind::Write || !matches!(one.said, Saying::Keyless));
            statements.push(made);
        }
        if let Some(own) = own {
            statements.push(Statement {
                kind: Kind::Seen,
                at: row.moment,
                said: Saying::Key(own),
                order: None,
                is_possible_only: false,
                lag: 0,
            });
        }
        let Some(moment) = row.moment else {
            let possible = match own {
                // It is the report's own word for its own moment, whenever that was.
                Some(own) => Some(Possible { keys: vec![own], ..Possible::default() }),
                None => self.at_any_moment(row, &statements, elsewhere, is_overfull),
            };
            return conclude(row, &statements, possible, false, alternatives);
        };
        let all = Told { row, statements: &statements, elsewhere, moment };
        let before = all.before(self).map(|(mut possible, latest)| {
            possible.is_open |= is_overfull;
            possible.has_doubt |= is_overfull;
            (possible, self.nothing_unseen(row, latest, moment))
        });
        let after = self.after(&all).filter(|_| !is_overfull);
        let possible = match (before, after) {
            (Some((before, true)), Some(after)) => Some(agreed(before, after)),
            (_, Some(after)) => Some(after),
            (Some((before, true)), None) => Some(before),
            (Some((_, false)) | None, None) => None,
        };
        let is_rekeyed_since = statements
            .iter()
            .any(|one| one.kind == Kind::ReKeyed && one.at.is_some_and(|at| at > moment.saturating_add(CLOCKS_MS)));
        conclude(row, &statements, possible, is_rekeyed_since, alternatives)
    }

    /// What a word says of the row's version; nothing if it is about something else.
    fn statement(&self, row: &RowFacts, word: &Word, words: &[Word]) -> Option<Statement<'a>> {
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
        let at = (word.time != UNDATED).then_some(word.time);
        let said = self.said_of_write(row, word, answer, words);
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
        Some(Statement { kind, at, said, order, is_possible_only, lag: lag_of(answer) })
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

    /// What a word says; an upload is encrypted as its beginning said, where its end says nothing.
    fn said_of_write(&self, row: &RowFacts, word: &Word, answer: &'a Answer, words: &[Word]) -> Saying<'a> {
        let said = row.saying(answer);
        if answer.what != What::Upload || word.mark == NO_MARK || !matches!(said, Saying::Keyless) {
            return said;
        }
        let begun = words.iter().filter(|begun| begun.mark == word.mark);
        let begun = begun.filter_map(|begun| self.answers.get(begun.answer as usize));
        let mut keys =
            begun.filter(|begun| begun.what == What::Hint(Hint::Upload)).map(|begun| row.saying(begun).key());
        let Some(first) = keys.next().flatten() else { return said };
        let is_agreed = keys.all(|key| key.is_some_and(|key| key.id == first.id));
        if is_agreed { Saying::Key(first) } else { said }
    }

    /// Whether the write that made a version with an id says how.
    fn is_write_told(&self, row: &RowFacts, words: &[Word]) -> bool {
        words.iter().any(|word| {
            let answer = self.answers.get(word.answer as usize);
            let is_own =
                |answer: &&Answer| answer.of == Of::Version && matches!(answer.what, What::Write | What::Upload);
            let said = answer.filter(is_own).map(|answer| self.said_of_write(row, word, answer, words));
            said.is_some_and(|said| !matches!(said, Saying::Keyless))
        })
    }

    /// The write that hints show, where they may decide: all of them name one key, and no write names another.
    fn decisive_hint(&self, row: &RowFacts, words: &[Word]) -> Option<Statement<'a>> {
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

    /// The keys that a sighting after the moment leaves possible; nothing if the key may have changed between the two.
    fn after(&self, all: &Told<'_, 'a>) -> Option<Possible<'a>> {
        let end = all.moment.saturating_add(CLOCKS_MS);
        let certain = || all.certain().filter(|one| one.kind == Kind::Seen && !matches!(one.said, Saying::Keyless));
        let first = certain().filter_map(|one| one.at).filter(|at| *at > end).min()?;
        let last = first.saturating_add(CLOCKS_MS);
        let those = || certain().filter(|one| one.at.is_some_and(|at| at > end && at <= last));
        let shown = last.saturating_add(those().map(|one| one.lag).max().unwrap_or(0));
        if !self.nothing_unseen_until_seen(all.row, (first, shown)) || all.may_rekey(all.moment - CLOCKS_MS, shown) {
            return None;
        }
        let mut possible = Possible::default();
        those().for_each(|one| possible.add(one.said));
        possible.methods.is_empty().then_some(possible)
    }

    /// The keys that are possible if nobody knows the moment; nothing if the key may have changed unseen.
    fn at_any_moment(
        &self,
        row: &RowFacts,
        statements: &[Statement<'a>],
        elsewhere: &Elsewhere<'a>,
        is_overfull: bool,
    ) -> Option<Possible<'a>> {
        let mut possible = Possible::default();
        let certain = statements.iter().filter(|one| !one.is_possible_only);
        certain.filter(|one| !matches!(one.said, Saying::Keyless)).for_each(|one| possible.add(one.said));
        if possible.is_empty() || !self.has_all_since_write(row) {
            return None;
        }
        let others = statements.iter().filter(|one| one.is_possible_only || one.kind == Kind::ReKeyed);
        others.for_each(|one| possible.add_doubt(one.said.key()));
        let since = row.modified.map_or(i64::MIN, |modified| modified.saturating_sub(CLOCKS_MS));
        elsewhere.between(Deed::ReKeying, (since, i64::MAX), &mut |key| possible.add_doubt(key));
        if is_overfull {
            possible.add_doubt(None);
        }
        Some(possible)
    }
}

/// How long after its time it may have been so, in milliseconds.
fn lag_of(answer: &Answer) -> i64 {
    if answer.what == What::Sighting(Sight::Lagging) { TABLE_LAG_MS } else { 0 }
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
    fn first_rekeying(&self, word: Option<i64>) -> i64 {
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

/// All that is said about a row whose moment is known.
struct Told<'w, 'a> {
    row: &'w RowFacts,
    statements: &'w [Statement<'a>],
    elsewhere: &'w Elsewhere<'a>,
    moment: i64,
}

impl<'a> Told<'_, 'a> {
    fn certain(&self) -> impl Iterator<Item = &Statement<'a>> {
        self.statements.iter().filter(|one| !one.is_possible_only)
    }

    /// What decides: statements that say how the version was encrypted.
    fn deciding(&self) -> impl Iterator<Item = &Statement<'a>> {
        self.certain().filter(|one| !matches!(one.said, Saying::Keyless))
    }

    /// The keys that words up to the moment leave possible, and the time of the latest that decides.
    fn before(&self, world: &World<'_>) -> Option<(Possible<'a>, Option<i64>)> {
        if !self.statements.iter().any(|one| self.may_show_later(one)) {
            return self.before_as_said(world);
        }
        let (late, others): (Vec<_>, Vec<_>) = self.statements.iter().partition(|one| self.may_show_later(one));
        let told = Told { statements: &others, ..*self };
        let nothing = || (Possible { is_open: true, has_doubt: true, ..Possible::default() }, None);
        let (mut possible, latest) = told.before_as_said(world).unwrap_or_else(nothing);
        let latest = latest.or_else(|| late.iter().filter_map(|one| one.at).max());
        for one in late.iter().filter(|one| !self.gets_after(one, self.moment.saturating_sub(CLOCKS_MS))) {
            possible.add_doubt(one.said.key());
        }
        Some((possible, latest))
    }

    /// Whether it counts up to the moment, and may show what was done to the version after that.
    fn may_show_later(&self, one: &Statement<'a>) -> bool {
        let (start, end) = (self.moment.saturating_sub(CLOCKS_MS), self.moment.saturating_add(CLOCKS_MS));
        let until = |at: i64| at.saturating_add(one.lag).saturating_add(CLOCKS_MS);
        let is_late = |at: i64| at <= end && until(at) > start && self.may_rekey(start, until(at));
        one.lag > 0 && !one.is_possible_only && one.at.is_some_and(is_late)
    }

    /// Whether a statement names a key that the version got, or may have got, after some time.
    fn gets_after(&self, one: &Statement<'a>, time: i64) -> bool {
        let named = one.said.key().map(|key| key.id);
        let mut rekeyed = self.statements.iter().filter(|other| other.kind == Kind::ReKeyed);
        let is_same = |other: &Statement<'a>| other.said.key().map(|key| key.id) == named;
        named.is_some() && rekeyed.any(|other| other.at.is_some_and(|at| at > time) && is_same(other))
    }

    /// The same where nothing shows what was done after the moment.
    fn before_as_said(&self, world: &World<'_>) -> Option<(Possible<'a>, Option<i64>)> {
        let (start, end) = (self.moment.saturating_sub(CLOCKS_MS), self.moment.saturating_add(CLOCKS_MS));
        let (mut possible, latest) = self.up_to(end)?;
        // What clocks cannot tell from the moment may have come after it, and so may what was seen of that.
        let now = latest.filter(|latest| *latest > start).map(|latest| end.max(latest.saturating_add(CLOCKS_MS)));
        if now.is_some_and(|now| self.may_rekey(start, now)) {
            match self.up_to(start) {
                Some((earlier, then)) if world.nothing_unseen(self.row, then, self.moment) => possible.unite(earlier),
                _ => possible.add_doubt(None),
            }
            for one in self.statements.iter().filter(|one| one.at.is_some_and(|at| at > start && at <= end)) {
                match one.kind {
                    Kind::ReKeyed => possible.add_doubt(one.said.key()),
                    Kind::Seen if !one.is_possible_only && !matches!(one.said, Saying::Keyless) => {
                        possible.add(one.said)
                    }
                    Kind::Seen | Kind::Write => {}
                }
            }
            self.elsewhere.between(Deed::ReKeying, (start, end), &mut |key| possible.add_doubt(key));
        }
        Some((possible, latest))
    }

    /// The keys that words up to a time leave possible then, and the time of the latest that decides.
    fn up_to(&self, end: i64) -> Option<(Possible<'a>, Option<i64>)> {
        let (mut possible, latest) = self.latest_up_to(end)?;
        let from = latest.map_or(i64::MIN, |latest| latest.saturating_sub(CLOCKS_MS));
        let is_made_last = !self.deciding().any(|one| one.kind != Kind::Write && one.at.is_none_or(|at| at <= end));
        for one in self.statements.iter().filter(|one| one.is_possible_only || matches!(one.said, Saying::Keyless)) {
            let is_later = one.at.is_none_or(|at| at >= from && at <= end);
            match one.kind {
                // Being seen changes nothing; what may have been seen of another write may have been seen of this one.
                Kind::Seen if matches!(one.said, Saying::Keyless) || !is_later => {}
                Kind::Write if !is_made_last => {}
                Kind::ReKeyed if !is_later => {}
                Kind::Seen | Kind::Write | Kind::ReKeyed => possible.add_doubt(one.said.key()),
            }
        }
        let since = self.row.modified.map_or(from, |modified| from.max(modified.saturating_sub(CLOCKS_MS)));
        self.elsewhere.between(Deed::ReKeying, (since, end), &mut |key| possible.add_doubt(key));
        if let Some(modified) = self.row.modified.filter(|_| is_made_last && self.row.version != RowVersion::Named) {
            // Some other write of the same second may have made the row's object.
            let near = (modified.saturating_sub(CLOCKS_MS), modified.saturating_add(CLOCKS_MS));
            self.elsewhere.between(Deed::Write, near, &mut |key| possible.add_doubt(key));
            self.elsewhere.between(Deed::Completion, (near.0, end), &mut |key| possible.add_doubt(key));
        }
        Some((possible, latest))
    }

    /// What was said last up to a time, and when.
    fn latest_up_to(&self, end: i64) -> Option<(Possible<'a>, Option<i64>)> {
        let mut possible = Possible::default();
        let dated = || self.deciding().filter_map(|one| Some((one, one.at.filter(|at| *at <= end)?)));
        let seen_at = |(one, at): (&Statement<'a>, i64)| (one.kind != Kind::Write).then_some(at);
        let latest = dated().filter_map(seen_at).max();
        for (one, at) in dated() {
            let records = dated().map(|(other, _)| other).filter(|other| other.order.is_some());
            let (is_last, is_disputed) = place_in_journal(one, records);
            let is_now = match (one.kind, latest) {
                // A write comes before everything else that happens to its version.
                (Kind::Write, latest) => latest.is_none(),
                (_, latest) => latest.is_some_and(|latest| at >= latest.saturating_sub(CLOCKS_MS)),
            };
            if is_disputed || is_last && is_now {
                possible.add(one.said);
            }
        }
        // What has no time is older, unless what it saw is known to have come later.
        let undated = self.deciding().filter(|one| one.at.is_none() && !self.gets_after(one, end));
        undated.for_each(|one| possible.add(one.said));
        let made = || dated().map(|(_, at)| at).max();
        // A write that a clock puts behind the end is before it all the same.
        let is_made = latest.is_none() && possible.is_empty();
        self.deciding().filter(|one| is_made && one.kind == Kind::Write).for_each(|one| possible.add(one.said));
        let made = made().or(is_made.then_some(end));
        (!possible.is_empty()).then_some((possible, latest.or(made)))
    }

    /// Whether something may have changed the key between these times.
    fn may_rekey(&self, from: i64, to: i64) -> bool {
        let is_between = |one: &Statement<'a>| one.at.is_some_and(|at| at > from && at <= to);
        let mut is_elsewhere = false;
        self.elsewhere.between(Deed::ReKeying, (from, to), &mut |_| is_elsewhere = true);
        is_elsewhere || self.statements.iter().any(|one| one.kind == Kind::ReKeyed && is_between(one))
    }
}

/// Whether no record of the same journal is later, and whether one contradicts its time.
fn place_in_journal<'s, 'a: 's>(one: &Statement<'a>, records: impl Iterator<Item = &'s Statement<'a>>) -> (bool, bool) {
    let (mut is_last, mut is_disputed) = (true, false);
    let Some((spelling, order)) = one.order else { return (is_last, is_disputed) };
    for (other, at) in records.filter_map(|other| Some((other.order?, other.at))) {
        let by_time = at.cmp(&one.at);
        let by_order = match other.0 == spelling {
            true => other.1.cmp(&order),
            false => by_time,
        };
        is_disputed |= by_order.is_ne() && by_time.is_ne() && by_order != by_time;
        is_last &= match by_order.is_eq() {
            true => by_time.is_le(),
            false => by_order.is_le(),
        };
    }
    (is_last, is_disputed)
}

impl<'a> Possible<'a> {
    fn unite(&mut self, other: Self) {
        other.keys.into_iter().for_each(|key| self.add(Saying::Key(key)));
        other.methods.into_iter().for_each(|method| self.add(Saying::Method(method)));
        self.is_open |= other.is_open;
        self.has_doubt |= other.has_doubt;
    }
}

/// What the words before and a sighting after the moment come to, where nothing changed between them and it.
fn agreed<'a>(mut before: Possible<'a>, after: Possible<'a>) -> Possible<'a> {
    let is_possible = |key: &&KnownKey| before.is_open || before.keys.iter().any(|known| known.id == key.id);
    if after.keys.iter().all(is_possible) && before.methods.is_empty() {
        return after;
    }
    before.unite(after);
    before
}

/// What follows from the keys that are possible.
fn conclude<'v, 'a: 'v>(
    row: &RowFacts,
    statements: &[Statement<'a>],
    possible: Option<Possible<'a>>,
    is_rekeyed_since: bool,
    alternatives: &'v mut Vec<Alternative<'a>>,
) -> Decided<'v> {
    let decided = |weighed, state| Decided { weighed, state, key: None, is_rekeyed_since };
    let Some(possible) = possible else {
        let is_said = statements.iter().any(|one| !one.is_possible_only && !matches!(one.said, Saying::Keyless));
        return match statements {
            [] => decided(Weighed::Nothing, KeyState::Unknown),
            _ if is_said => decided(Weighed::Stale, KeyState::Stale),
            _ => decided(Weighed::Keyless, KeyState::Unknown),
        };
    };
    if let Some(key) = possible.only() {
        return Decided { key: Some(key), ..decided(Weighed::Known, KeyState::Known(&key.key)) };
    }
    // Since stored objects can change, another method shows that this one did.
    if !possible.methods.is_empty() && row.moment.is_none_or(|moment| moment >= FIRST_REKEYING) {
        return decided(Weighed::Stale, KeyState::Stale);
    }
    alternatives.extend(possible.keys.iter().map(|key| Alternative { status: row.status, key: Some(&key.key) }));
    alternatives.extend(possible.methods.iter().map(|status| Alternative { status: *status, key: None }));
    let is_alone = possible.keys.is_empty();
    if possible.is_open || is_alone {
        alternatives.push(Alternative { status: row.status, key: None });
    }
    match possible.has_doubt {
        true if is_alone => decided(Weighed::Keyless, KeyState::Unknown),
        true => decided(Weighed::Conflict, KeyState::Among(alternatives, Doubt::Unknown)),
        false => decided(Weighed::Conflict, KeyState::Among(alternatives, Doubt::Conflict)),
    }
}

impl Spelling {
    /// The spelling of a sequence number, and the beginning of it as a number in the order of texts. Where that does not
    /// tell two records apart, their times do.
    pub(crate) fn of(number: &[u8]) -> (Self, u64) {
        let is_of = |digit: fn(&u8) -> bool| number.len() >= 16 && number.iter().all(digit);
        let digits = match () {
            () if is_of(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')) => Digits::Upper,
            () if is_of(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => Digits::Lower,
            () => Digits::Text,
        };
        let spelling = Self { len: number.len() as u32, digits };
        let first = number.iter().copied().chain(std::iter::repeat(0));
        let order = match digits {
            Digits::Text => first.take(8).fold(0, |order, byte| order << 8 | u64::from(byte)),
            _ => {
                first.take(16).fold(0, |order, byte| order << 4 | u64::from(char::from(byte).to_digit(16).unwrap_or(0)))
            }
        };
        (spelling, order)
    }
}

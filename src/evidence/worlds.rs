//! Which keys an object may be encrypted under: a row, the words about it, and what may be assumed.
//!
//! A version has a write, which makes it, and since 2026-01-28 it may have re-keyings, which leave everything else as it is.
//! What is asked is its key at one moment, T. The latest word up to T decides, unless something later may have changed the
//! key, seen or unseen; the first sighting after T decides as well, under the same condition. Whatever is only possible adds
//! to the keys that are possible, and never takes one away. Pure: no files, no clock.

use super::KnownKey;
use super::possible::{Possible, Told, agreed};
use super::statements::{Kind, RowFacts, RowVersion, Saying, Statement, lag_of, said_at};
use super::unattributed::{Deed, Elsewhere};
use super::words::{Answer, CLOCKS_MS, Of, TOO_MANY, UNDATED, What, Word};
use crate::delivery::CompleteLogs;
use crate::policy::{Alternative, Doubt, EvidenceAssumptions, KeyState};

/// The first moment at which S3 could change the key of a stored object, 2026-01-28T00:00:00Z.
pub(crate) const FIRST_REKEYING: i64 = 1_769_558_400_000;

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
                let at = said_at(row, word, answer);
                let at = if answer.what == What::Write { at.min(moment) } else { at };
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
    pub(super) fn nothing_unseen(&self, row: &RowFacts, from: Option<i64>, to: i64) -> bool {
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
    pub(super) fn has_all_since_write(&self, row: &RowFacts) -> bool {
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

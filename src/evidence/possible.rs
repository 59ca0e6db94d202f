//! The keys that all that is said of a row leaves possible up to a moment.

use super::KnownKey;
use super::statements::{Kind, RowFacts, RowVersion, Saying, Statement};
use super::unattributed::{Deed, Elsewhere};
use super::words::CLOCKS_MS;
use super::worlds::World;
use crate::policy::Status;

/// The keys that are possible, gathered from all that is said.
#[derive(Default)]
pub(super) struct Possible<'a> {
    pub(super) keys: Vec<&'a KnownKey>,
    /// Other methods than the row's that were said last.
    pub(super) methods: Vec<Status>,
    /// Whether any other key is possible as well.
    pub(super) is_open: bool,
    /// Whether something is possible beside what was said last for certain.
    pub(super) has_doubt: bool,
}

impl<'a> Possible<'a> {
    pub(super) fn add(&mut self, said: Saying<'a>) {
        match said {
            Saying::Key(key) if self.keys.iter().any(|known| known.id == key.id) => {}
            Saying::Key(key) => self.keys.push(key),
            Saying::Method(method) if self.methods.contains(&method) => {}
            Saying::Method(method) => self.methods.push(method),
            Saying::Keyless => self.is_open = true,
        }
    }

    /// Adds what may be so, beside what is said for certain.
    pub(super) fn add_doubt(&mut self, key: Option<&'a KnownKey>) {
        let (keys, was_open) = (self.keys.len(), self.is_open);
        self.add(key.map_or(Saying::Keyless, Saying::Key));
        self.has_doubt |= self.keys.len() > keys || self.is_open && !was_open;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.methods.is_empty() && !self.is_open
    }

    /// The key, if it is the only one.
    pub(super) fn only(&self) -> Option<&'a KnownKey> {
        match self.keys[..] {
            [key] if self.methods.is_empty() && !self.is_open => Some(key),
            _ => None,
        }
    }

    fn unite(&mut self, other: Self) {
        other.keys.into_iter().for_each(|key| self.add(Saying::Key(key)));
        other.methods.into_iter().for_each(|method| self.add(Saying::Method(method)));
        self.is_open |= other.is_open;
        self.has_doubt |= other.has_doubt;
    }
}

/// All that is said about a row whose moment is known.
pub(super) struct Told<'w, 'a> {
    pub(super) row: &'w RowFacts,
    pub(super) statements: &'w [Statement<'a>],
    pub(super) elsewhere: &'w Elsewhere<'a>,
    pub(super) moment: i64,
}

impl<'a> Told<'_, 'a> {
    pub(super) fn certain(&self) -> impl Iterator<Item = &Statement<'a>> {
        self.statements.iter().filter(|one| !one.is_possible_only)
    }

    /// What decides: statements that say how the version was encrypted.
    fn deciding(&self) -> impl Iterator<Item = &Statement<'a>> {
        self.certain().filter(|one| !matches!(one.said, Saying::Keyless))
    }

    /// The keys that words up to the moment leave possible, and the time of the latest that decides.
    pub(super) fn before(&self, world: &World<'_>) -> Option<(Possible<'a>, Option<i64>)> {
        if !self.statements.iter().any(|one| self.may_show_later(one)) {
            return self.before_as_said(world);
        }
        let (late, others): (Vec<_>, Vec<_>) = self.statements.iter().partition(|one| self.may_show_later(one));
        let told = Told { statements: &others, ..*self };
        let nothing = || (Possible { is_open: true, has_doubt: true, ..Possible::default() }, None);
        let (mut possible, latest) = told.before_as_said(world).unwrap_or_else(nothing);
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
    pub(super) fn may_rekey(&self, from: i64, to: i64) -> bool {
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

/// What the words before and a sighting after the moment come to, where nothing changed between them and it.
pub(super) fn agreed<'a>(mut before: Possible<'a>, after: Possible<'a>) -> Possible<'a> {
    let is_possible = |key: &&KnownKey| before.is_open || before.keys.iter().any(|known| known.id == key.id);
    if after.keys.iter().all(is_possible) && before.methods.is_empty() {
        return after;
    }
    before.unite(after);
    before
}

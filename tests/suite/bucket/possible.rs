//! Which encryptions an object can have had at its moment, in any history that leads to the same row and words.
//!
//! A search over time, second by second. Its states are: what is the object now (an earlier write, the one of the row, a
//! later one), how is the row's write encrypted, and which words have been accounted for. Between the words anything
//! may happen unseen that S3 lets happen and the operator's statements do not exclude: a re-keying, a write in the same
//! second before the row's, a later write. A key is possible if, with it at the moment of the report, every word can be
//! accounted for in the end. Nothing here knows how the tool decides.
//!
//! Words that can always be accounted for otherwise (an unnamed re-keying may be another version's) bind nothing; where
//! this search is not exact, it finds more possible than there is, and never less.

use super::history::{Encryption, Encryptions, IN_PLACE_SINCE, Second};
use super::traces::{Kind, Of, When, Word};

/// A row of the report, as far as it matters.
#[derive(Clone, Debug)]
pub struct Row {
    pub of: RowOf,
    pub modified: Second,
    /// If the report has the column.
    pub etag: Option<u64>,
    pub is_upload: Option<bool>,
    pub has_bucket_key: bool,
    /// Everything that its status leaves open.
    pub encryptions: Encryptions,
    /// The moment that is audited.
    pub moment: Second,
}

/// Which version a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOf {
    Version(u64),
    Null,
    /// The current one, whichever that is: there is no column for it.
    Current,
}

/// What the operator states.
#[derive(Clone, Copy, Debug)]
pub struct Statements {
    pub max_age: Option<Second>,
    /// Every write, re-keying and deletion has left its word in the logs.
    pub complete: bool,
    pub hints: bool,
}

/// Clocks of evidence are at most so wrong.
const CLOCK: Second = 1;
/// Nothing happens unseen so close to the moment: clocks cannot tell it from the moment itself.
pub const UNDISTURBED: Second = 3;
/// A search over more words than these takes too long.
pub const MAX_ITEMS: usize = 11;
const FOR_EVER: Second = Second::MAX / 4;

/// What binds the history of the row's object.
struct Item {
    from: Second,
    until: Second,
    what: What,
    encryptions: Encryptions,
    /// Whether it can be about an earlier write, or a later one.
    before: Before,
    can_be_later: bool,
    /// Words of the same journal that come before it.
    order: Option<u64>,
    needs: usize,
    /// When it was said, if it is certainly about the object and names the key.
    said: Option<Second>,
    word: usize,
}

/// Whether no two writes can be in the second of the row's.
#[derive(Clone, Copy)]
struct Alone {
    /// Of what the row is: the null version, say.
    of_object: bool,
    /// Of any version of the key.
    of_name: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// It was so.
    Seen,
    /// It became so.
    Changed,
    /// It became so, or was.
    Noted,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Never,
    InTheSameSecond,
    Ever,
}

/// What the object is, word by word that has been accounted for.
#[derive(Clone)]
struct States {
    earlier: Vec<bool>,
    row: Vec<Encryptions>,
    later: Vec<bool>,
}

struct Search<'w> {
    row: &'w Row,
    stated: Statements,
    items: Vec<Item>,
    /// Re-keyings that may be of this object: from, until, what to.
    loose: Vec<(Second, Second, Encryptions)>,
    /// How the row's write may have been encrypted.
    written: Encryptions,
    /// Before that second there was no such version.
    exists_from: Second,
    /// When the write says that it was.
    written_at: Second,
    may_be_upload: bool,
    /// Whether the write that made it may be no upload.
    may_be_at_once: bool,
    /// When the upload that made the row's object can have been completed, if that is in the logs.
    completions: Vec<(Second, Second)>,
    /// Since when it was made at the earliest, because what was there before was replaced.
    replaced_from: Second,
    /// From when on something else may have been written since.
    written_again_from: Option<Second>,
    slots: Vec<Second>,
    /// While not all of these words are accounted for, something may happen unseen before the moment.
    latest: Option<usize>,
    /// One of them is enough.
    is_one_enough: bool,
    /// Once all of these are, something may happen unseen after it.
    next: Option<usize>,
}

/// The ways in which the row's object can have been encrypted at its moment.
pub fn possible(row: &Row, words: &[&Word], stated: Statements) -> Encryptions {
    let search = Search::new(row, words, stated);
    let full = (1 << search.items.len()) - 1;
    let mut states = search.begin();
    for slot in search.slots.iter().filter(|slot| **slot <= row.moment) {
        search.advance(&mut states, *slot, Phase::UntilTheMoment);
    }
    let can_be = |one: &Encryption| {
        let only = |set: &Encryptions| set.and((*one).into());
        let mut after = States {
            earlier: vec![false; full + 1],
            row: states.row.iter().map(only).collect(),
            later: vec![false; full + 1],
        };
        if after.row.iter().all(|set| set.is_empty()) {
            return false;
        }
        for slot in search.slots.iter().filter(|slot| **slot >= row.moment) {
            search.advance(&mut after, *slot, Phase::Afterwards);
        }
        !after.row[full].is_empty() || after.later[full]
    };
    row.encryptions.iter().filter(can_be).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    UntilTheMoment,
    Afterwards,
}

impl<'w> Search<'w> {
    fn new(row: &'w Row, words: &[&Word], stated: Statements) -> Self {
        let is_version = matches!(row.of, RowOf::Version(_));
        let is_own = |word: &Word| is_of(row, word) && !is_of_another_version(row, word, words);
        let own: Vec<&Word> = words.iter().copied().filter(|word| is_own(word)).collect();
        let writes = || own.iter().filter(|word| word.kind.is_write() && may_be_the_write(row, word, &own));
        let may_be_upload = !is_version
            && row.is_upload != Some(false)
            && (!stated.complete || writes().any(|word| matches!(word.kind, Kind::Completed { .. })));
        let is_alone = Alone {
            of_object: stated.complete && writes().filter(|word| word.order.is_none()).count() < 2,
            of_name: stated.complete && words.iter().filter(|word| is_write_near(row, word)).count() < 2,
        };
        let mut search = Self {
            row,
            stated,
            items: Vec::new(),
            loose: Vec::new(),
            written: Encryptions::ANY,
            exists_from: row.modified,
            written_at: row.modified,
            may_be_upload,
            may_be_at_once: row.is_upload != Some(true)
                && (!stated.complete
                    || writes().any(|word| word.kind == Kind::Write && word.order.is_none())
                    || !writes().any(|word| matches!(word.kind, Kind::Completed { .. }))),
            completions: Vec::new(),
            replaced_from: replaced_from(row, &own, stated),
            written_again_from: match stated.complete {
                _ if is_version => None,
                false => Some(row.moment),
                true => {
                    let again = own.iter().filter(|word| word.is_write_after(row.moment - CLOCK));
                    again.map(|word| window(word, row).0).min()
                }
            },
            slots: vec![
                row.modified,
                row.moment,
                row.moment - UNDISTURBED - 1,
                row.moment + UNDISTURBED + 1,
                IN_PLACE_SINCE,
            ],
            latest: None,
            is_one_enough: false,
            next: None,
        };
        let completed = writes().filter(|word| matches!(word.kind, Kind::Completed { .. }));
        search.completions = completed.map(|word| window(word, row)).collect();
        search.slots.extend(search.completions.iter().flat_map(|(from, until)| [*from, from + CLOCK, *until]));
        search.may_be_upload &= !stated.complete || !search.completions.is_empty();
        for (number, word) in words.iter().enumerate().filter(|(_, word)| is_own(word)) {
            search.add(number, word, is_alone);
        }
        assert!(search.items.len() <= MAX_ITEMS, "too many words to search: {words:#?}");
        for at in 0..search.items.len() {
            let before = |other: &Item| other.order.is_some() && other.order < search.items[at].order;
            let needs = (0..search.items.len()).filter(|other| before(&search.items[*other]));
            search.items[at].needs = needs.map(|other| 1 << other).sum();
        }
        // A table without versions may speak of another one of the second.
        let is_sure = |word: &&&Word| word.of != Of::Unsaid || is_alone.of_name;
        if is_version {
            let shown = writes().filter_map(|word| word.dated()).max().unwrap_or(row.modified);
            search.exists_from = row.modified.max(shown - CLOCK);
            search.written_at = row.modified.max(shown);
        }
        let told = || writes().filter(is_sure).map(|word| keys_of_write(word, &own));
        search.written = match () {
            () if is_version || is_alone.of_object => told().fold(Encryptions::ANY, Encryptions::and),
            () if stated.complete => told().fold(Encryptions::NONE, Encryptions::or),
            () => Encryptions::ANY,
        };
        let same = writes().filter(|word| is_same_write(row, word)).map(|word| keys_of_write(word, &own));
        search.written = same.fold(search.written, Encryptions::and);
        let hints: Vec<Encryptions> = own.iter().filter_map(|word| hint_of_write(row, word, &own, stated)).collect();
        search.written = hints.iter().copied().fold(search.written, Encryptions::and);
        search.find_ages(!hints.is_empty() || is_version && told().any(Encryptions::have_one_key));
        search.slots.push(search.exists_from);
        search.slots.extend(search.written_again_from);
        search.slots.sort_unstable();
        search.slots.dedup();
        search
    }

    fn add(&mut self, number: usize, word: &Word, is_alone: Alone) {
        let (row, is_version) = (self.row, matches!(self.row.of, RowOf::Version(_)));
        let (from, until) = window(word, row);
        self.slots.extend([from, until].iter().filter(|at| **at < FOR_EVER));
        self.slots.extend(matches!(word.when, When::At(_)).then_some(from + CLOCK));
        let names_second = word.modified.is_some();
        let what = match word.kind {
            Kind::Sighting => What::Seen,
            Kind::Rekeying => What::Changed,
            Kind::Updated => What::Noted,
            Kind::Hint { .. } | Kind::Begun { .. } | Kind::Completed { .. } | Kind::Write | Kind::End => return,
        };
        let is_same = is_same_write(row, word);
        let before = match (row.of, word.of) {
            (RowOf::Version(_), Of::Version(_)) => Some(Before::Never),
            _ if is_same => Some(Before::Never),
            (RowOf::Null, Of::Null) | (RowOf::Null | RowOf::Current, Of::Absent) if !names_second => Some(Before::Ever),
            (RowOf::Null | RowOf::Current, Of::Null | Of::Absent) if names_second => match is_alone.of_object {
                true => Some(Before::Never),
                false => Some(Before::InTheSameSecond),
            },
            // Of two versions of one second, it may be about either, at any time.
            (RowOf::Null, Of::Unsaid) | (RowOf::Current, _) if names_second && is_alone.of_name => Some(Before::Never),
            _ => None,
        };
        // Where logs are complete, they have every change with a word of its own: a record of a journal shows what came of
        // it, and is none beside it.
        let what = if what == What::Noted && self.stated.complete { What::Seen } else { what };
        let Some(before) = before else {
            if what != What::Seen {
                self.loose.push((from, until, word.encryptions.and(Encryptions::KMS)));
            }
            return;
        };
        if what == What::Seen && word.encryptions == Encryptions::ANY {
            return;
        }
        let nominal = word.nominal();
        let is_late = nominal.is_some_and(|at| at >= row.modified + 2);
        let is_certain = is_version || is_same || is_late && (names_second || !self.may_be_upload);
        self.items.push(Item {
            from,
            until,
            what,
            encryptions: word.encryptions,
            before,
            can_be_later: !is_version && !names_second,
            order: word.order,
            needs: 0,
            said: nominal.filter(|_| is_certain && word.encryptions.have_one_key()),
            word: number,
        });
    }

    /// What the statement about ages covers.
    fn find_ages(&mut self, write_says_the_key: bool) {
        let Some(max_age) = self.stated.max_age else { return };
        let moment = self.row.moment;
        let said = |item: &Item| item.said;
        // What a table shows may have been so after the moment: then the word before decides, as it does where clocks cannot
        // tell a word from the moment.
        let spans = |item: &Item| {
            let at_most = item.said.is_some_and(|at| at <= moment && moment - at <= max_age);
            let lags = item.until - item.from > 2 * CLOCK;
            item.what == What::Seen && lags && at_most && item.until > moment - UNDISTURBED
        };
        let write = write_says_the_key.then_some(self.written_at.min(moment));
        let plain = || self.items.iter().filter(|item| !spans(item)).filter_map(said).chain(write);
        let last_until = |end: Second| plain().filter(|at| *at <= end).max();
        let is_young = |at: &Second| moment - at <= max_age;
        let masks = |those: &dyn Fn(&Item) -> bool| {
            let those = self.items.iter().enumerate().filter(|(_, item)| those(item));
            those.map(|(at, _)| 1 << at).sum::<usize>()
        };
        let all_at = |time: Second| masks(&|item| item.said == Some(time) && !spans(item));
        let spanning = Some(masks(&spans)).filter(|those| *those > 0);
        // Nothing has to be accounted for before the write.
        let latest_until = |end: Second| last_until(end).filter(is_young).map(all_at);
        let latest = latest_until(moment - UNDISTURBED).or(spanning).or_else(|| latest_until(moment));
        let seen = self.items.iter().filter(|item| item.what == What::Seen).filter_map(said);
        let next = seen.filter(|at| *at > moment).min().filter(|at| at - moment <= max_age).map(all_at);
        let next = next.map_or(spanning, |next| Some(next | spanning.unwrap_or(0)));
        (self.is_one_enough, self.latest, self.next) = (latest == spanning, latest, next);
    }

    fn begin(&self) -> States {
        let masks = 1 << self.items.len();
        let mut states =
            States { earlier: vec![false; masks], row: vec![Encryptions::NONE; masks], later: vec![false; masks] };
        match self.row.of {
            RowOf::Version(_) => states.row[0] = self.written,
            RowOf::Null | RowOf::Current => states.earlier[0] = true,
        }
        states
    }

    /// Everything that can happen in a second, in any order: what has been accounted for only grows.
    fn advance(&self, states: &mut States, slot: Second, phase: Phase) {
        let is_first = slot == self.row.modified;
        let is_completed =
            !self.stated.complete || self.completions.iter().any(|(from, until)| (*from..=*until).contains(&slot));
        let can_begin = phase == Phase::UntilTheMoment
            && slot >= self.replaced_from
            && (is_first && self.may_be_at_once || self.may_be_upload && slot > self.row.modified && is_completed);
        for mask in 0..states.row.len() {
            if states.earlier[mask] && can_begin {
                states.row[mask] = states.row[mask].or(self.written);
            }
            // An upload that is not completed has nothing that could be changed, by whatever word.
            if slot >= self.exists_from && !states.row[mask].is_empty() {
                states.row[mask] = self.changed(states.row[mask], mask, slot, phase);
            }
            let is_written_again = self.written_again_from.is_some_and(|from| slot >= from);
            if phase == Phase::Afterwards && is_written_again && !states.row[mask].is_empty() {
                states.later[mask] = true;
            }
            for (at, item) in self.items.iter().enumerate() {
                let bit = 1 << at;
                if mask & bit != 0 || slot < item.from || slot > item.until || item.needs & !mask != 0 {
                    continue;
                }
                let met = item.meets(states.row[mask]);
                states.row[mask | bit] = states.row[mask | bit].or(met);
                let is_before = match item.before {
                    Before::Never => false,
                    Before::InTheSameSecond => is_first,
                    Before::Ever => true,
                };
                states.earlier[mask | bit] |= states.earlier[mask] && is_before;
                states.later[mask | bit] |= states.later[mask] && item.can_be_later;
            }
        }
    }

    /// What may have become of the object without a word that must be accounted for.
    fn changed(&self, set: Encryptions, mask: usize, slot: Second, phase: Phase) -> Encryptions {
        if set.and(Encryptions::CHANGEABLE).is_empty() {
            return set;
        }
        let is_seen = match phase {
            Phase::UntilTheMoment => self.latest.is_some_and(|latest| match self.is_one_enough {
                true => mask & latest != 0,
                false => mask & latest == latest,
            }),
            Phase::Afterwards => self.next.is_some_and(|next| mask & next != next),
        };
        let is_now = (slot - self.row.moment).abs() <= UNDISTURBED;
        if !self.stated.complete && !is_seen && !is_now && slot >= IN_PLACE_SINCE {
            return set.or(Encryptions::KMS);
        }
        let loose = self.loose.iter().filter(|(from, until, _)| (*from..=*until).contains(&slot));
        loose.fold(set, |set, (.., to)| set.or(*to))
    }
}

/// The words that a statement about ages makes the last before the moment: nothing if none is young enough, no words if
/// it is the write.
pub fn relied_on(row: &Row, words: &[&Word], stated: Statements) -> Option<Vec<usize>> {
    let search = Search::new(row, words, stated);
    let those = |mask: usize| {
        let those = search.items.iter().enumerate().filter(|(at, _)| mask & 1 << at != 0);
        those.map(|(_, item)| item.word).collect()
    };
    search.latest.map(those)
}

impl Item {
    /// What is left of the ways to be encrypted if the word is accounted for now.
    fn meets(&self, set: Encryptions) -> Encryptions {
        let changed = || match set.and(Encryptions::CHANGEABLE).is_empty() {
            true => Encryptions::NONE,
            false => self.encryptions.and(Encryptions::KMS),
        };
        match self.what {
            What::Seen => set.and(self.encryptions),
            What::Changed => changed(),
            What::Noted => set.and(self.encryptions).or(changed()),
        }
    }
}

/// When what a word says was so, by S3's clock.
fn window(word: &Word, row: &Row) -> (Second, Second) {
    match word.when {
        When::At(at) => (at - CLOCK, at + CLOCK),
        // Tables lag by up to an hour behind what they say, which has been taken off already.
        When::Lagging(at) => (at - CLOCK, at + 3600 + CLOCK),
        // By the fifth rule what is not dated is older than the moment.
        When::Sometime => (row.modified.min(row.moment - 1), row.moment - 1),
    }
}

/// Whether a word may be about the object of the row.
fn is_of(row: &Row, word: &Word) -> bool {
    let is_of_version = match (row.of, word.of) {
        (RowOf::Version(version), Of::Version(named)) => version == named,
        (RowOf::Version(_), Of::Null | Of::Absent) | (RowOf::Null, Of::Version(_)) => false,
        // What begins has no version yet.
        (RowOf::Version(_), Of::Unsaid) => {
            matches!(word.kind, Kind::Rekeying | Kind::Updated | Kind::Begun { .. } | Kind::Hint { .. })
        }
        (RowOf::Null | RowOf::Current, _) => true,
    };
    let is_of_second = word.modified.is_none_or(|modified| modified == row.modified);
    let is_of_etag = word.etag.is_none() || row.etag.is_none() || word.etag == row.etag;
    is_of_version && is_of_second && is_of_etag
}

/// When an upload last replaced whatever was there, with the time of its beginning: the row's object was made then, or
/// later. Of a row without version that is known only if no version of the key has a name, by all logs.
fn replaced_from(row: &Row, words: &[&Word], stated: Statements) -> Second {
    let is_null = |word: &&&Word| matches!(word.of, Of::Null | Of::Absent);
    let writes = || words.iter().filter(|word| word.kind.is_write() && word.order.is_none());
    let replaces = match row.of {
        RowOf::Version(_) => false,
        RowOf::Null => true,
        RowOf::Current => stated.complete && writes().all(|word| is_null(&word)),
    };
    let completions = writes().filter(|word| replaces && matches!(word.kind, Kind::Completed { .. })).filter(is_null);
    let windows = completions.map(|word| window(word, row));
    windows.filter(|(_, until)| *until <= row.moment).map(|(from, _)| from).max().unwrap_or(Second::MIN)
}

/// Whether a word names another version than one that is known to be the row's by its ETag.
fn is_of_another_version(row: &Row, word: &Word, words: &[&Word]) -> bool {
    let is_named = |other: &&&Word| matches!(other.of, Of::Version(_)) && is_same_write(row, other);
    matches!(word.of, Of::Version(_)) && words.iter().find(is_named).is_some_and(|own| own.of != word.of)
}

/// Whether a word names the ETag of the row: every write has another one.
fn is_same_write(row: &Row, word: &Word) -> bool {
    word.etag.is_some() && word.etag == row.etag
}

/// Whether a write may be the one that made the row's object.
fn may_be_the_write(row: &Row, word: &Word, words: &[&Word]) -> bool {
    if matches!(row.of, RowOf::Version(_)) {
        return word.of != Of::Unsaid;
    }
    let When::At(at) = word.when else { return true };
    match word.kind {
        Kind::Completed { upload } => {
            let begun = words.iter().find(|other| other.kind == Kind::Begun { upload });
            match begun.map(|begun| begun.when) {
                Some(When::At(begun)) => (begun - row.modified).abs() <= CLOCK,
                _ => at + CLOCK >= row.modified,
            }
        }
        _ if word.modified.is_some() => true,
        _ => (at - row.modified).abs() <= CLOCK,
    }
}

/// What a data key says of the row's write, where the operator states that such words can be trusted.
fn hint_of_write(row: &Row, word: &Word, words: &[&Word], stated: Statements) -> Option<Encryptions> {
    let is_near = matches!(word.when, When::At(at) if (at - row.modified).abs() <= CLOCK);
    let is_trusted = match word.kind {
        Kind::Hint { is_trusted } => is_trusted,
        Kind::Begun { upload } => words.iter().any(|other| other.kind == Kind::Completed { upload }),
        _ => false,
    };
    (stated.hints && is_trusted && is_near && !row.has_bucket_key).then_some(word.encryptions)
}

/// What a write says of the key; of an upload, what its beginning says as well.
fn keys_of_write(word: &Word, words: &[&Word]) -> Encryptions {
    match word.kind {
        Kind::Completed { upload } => {
            let begun = words.iter().filter(|other| other.kind == Kind::Begun { upload });
            begun.map(|begun| begun.encryptions).fold(word.encryptions, Encryptions::and)
        }
        _ => word.encryptions,
    }
}

/// Whether it is a write of whatever version in the second of the row's.
fn is_write_near(row: &Row, word: &Word) -> bool {
    match (word.kind, word.when) {
        (Kind::Write | Kind::Begun { .. }, When::At(at)) if word.order.is_none() => (at - row.modified).abs() <= CLOCK,
        _ => false,
    }
}

//! Audits whose evidence is whole: nothing may be left open there.
//!
//! But for what has its name here: what nobody can tell (two changes that clocks cannot tell apart), and where the rules are
//! coarser than what every history decides. What is left open there is counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::history::{HOUR, Second, Versions, Way, Whole, World};
use super::possible::RowOf;
use super::traces::{Kind, Of, When, Word};
use super::written::Verdict;
use super::{Listed, Subject};

/// Times of different clocks that are no further apart are one, with what clocks err here.
const ONE_MOMENT: Second = 3;

/// Why an object may be left open.
pub fn excuse(world: &World, subject: &Subject, listed: &Listed, words: &[&Word]) -> Option<&'static str> {
    let (row, whole) = (&listed.row, world.whole?);
    let write = &subject.history.writes[listed.write];
    let is_one = |one: Second, other: Second| (one - other).abs() <= ONE_MOMENT;
    let is_change = |word: &Word| matches!(word.kind, Kind::Rekeying | Kind::Updated);
    let said = || words.iter().filter(|word| is_change(word) || word.kind == Kind::Sighting).copied();
    let dated = || said().filter_map(|word| Some((word, word.nominal()?)));
    let changes = || dated().filter(|(word, _)| is_change(word));
    let is_other = |one: &Word, other: &Word| one.encryptions != other.encryptions && is_change(one);
    let has_names = world.versions != Versions::Off;
    let is_asked_for = matches!(whole, Whole::Heads | Whole::Tables);
    // A version says nothing to a report that has none; and what names the null version may be of an object that was
    // replaced, but where every write is known.
    let lacks_names = row.of == RowOf::Current && has_names;
    let is_of_one = |word: &Word| match word.of {
        _ if word.modified.is_some() => !(lacks_names && is_change(word)),
        Of::Version(_) => !lacks_names,
        Of::Null | Of::Absent => !lacks_names && world.logs_complete,
        Of::Unsaid => false,
    };
    // The second of a write tells whether it made the row's object.
    let is_moved = |word: &&Word| {
        let begins = matches!(word.kind, Kind::Write | Kind::Begun { .. });
        begins && word.write == listed.write && word.dated() != Some(word.truly)
    };
    // A table shows what was so in the hour before it.
    let spans = |word: &Word| match word.when {
        When::Lagging(at) => (at - ONE_MOMENT..=at + HOUR + ONE_MOMENT).contains(&row.moment),
        When::At(_) | When::Sometime => false,
    };
    let is_keyless_end = |word: &Word| matches!(word.kind, Kind::Completed { .. }) && !word.encryptions.have_one_key();
    let uploads = || subject.history.writes.iter().filter(|write| write.way == Way::Upload);
    let others = || subject.history.writes.iter().enumerate().filter(|(at, _)| *at != listed.write);
    match () {
        // Clocks cannot tell whether it was before the moment or after.
        () if changes().any(|(word, at)| is_one(at, row.moment) || is_one(word.truly, row.moment)) => {
            Some("a change at the moment")
        }
        () if said().any(spans) && changes().any(|(_, at)| at > row.moment - ONE_MOMENT) => {
            Some("a table that may show a later change")
        }
        // Nor which was the last.
        () if changes().any(|(one, at)| dated().any(|(other, then)| is_other(one, other) && is_one(at, then))) => {
            Some("a change and something else at once")
        }
        () if lacks_names && !(is_asked_for && world.has_etag_column) => {
            Some("a report without versions, of a bucket that has them")
        }
        () if said().any(|word| !is_of_one(word)) => Some("a word that may be of another object"),
        // A record of a journal may be a re-keying.
        () if is_asked_for && changes().any(|(_, at)| at > row.moment) => Some("a change between moment and sighting"),
        () if whole == Whole::DataKeys && row.has_bucket_key => Some("a data key of the bucket"),
        // What its beginning says is a hint.
        () if write.way == Way::Upload && words.iter().any(|word| is_keyless_end(word)) => {
            Some("an upload whose end names no key")
        }
        () if matches!(row.of, RowOf::Version(_)) => None,
        () if uploads().any(|upload| is_one(upload.shown, row.moment)) => Some("an upload that ends at the moment"),
        () if whole == Whole::Logs && words.iter().copied().any(|word| is_moved(&word)) => {
            Some("a write in another second")
        }
        () if dated().any(|(_, at)| is_one(at, write.modified) || is_one(at, write.shown)) => {
            Some("a write and something else at once")
        }
        () if others().any(|(_, other)| is_one(other.modified, row.modified) || is_one(other.shown, row.modified)) => {
            Some("two writes at once")
        }
        () => None,
    }
}

/// What became of the objects of such audits.
#[derive(Default)]
pub struct Wholes(BTreeMap<(Whole, &'static str), [u64; 3]>);

impl Wholes {
    pub fn add(&mut self, whole: Whole, excuse: Option<&'static str>, is_certain: bool, verdict: Verdict) {
        let is_open = verdict == Verdict::Undetermined;
        let counts = self.0.entry((whole, excuse.unwrap_or("nothing"))).or_default();
        counts[0] += 1;
        counts[1] += u64::from(is_open);
        counts[2] += u64::from(is_open && is_certain);
    }

    pub fn text(&self) -> String {
        let (whole, stands) = ("whole", "what stands in the way");
        let mut text =
            format!("{whole:10} {stands:52} {:>9} {:>12} {:>16}\n", "objects", "undetermined", "of these certain");
        for ((whole, stands), [objects, open, certain]) in &self.0 {
            let whole = format!("{whole:?}");
            writeln!(text, "{whole:10} {stands:52} {objects:>9} {open:>12} {certain:>16}").unwrap();
        }
        text
    }
}

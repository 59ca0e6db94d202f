//! A model of a bucket as the oracle of key evidence.
//!
//! Random histories of objects ([`history`]) leave traces ([`traces`]), of which a random part becomes the evidence of an
//! audit, in random shapes, some of it damaged. The audit may call an object compliant or violating only if that is true
//! of its history and of every other history that leads to the same inputs ([`possible`]). What an operator may state is
//! true in a share of the audits, and stated only there.
//!
//! In a share of the audits the evidence is whole ([`whole`]): there no object may be left undetermined, but for what has a
//! name.
//!
//! Narrower than the world: by the fifth rule of evidence, what does not say when it was seen was seen before the moment;
//! nothing unseen happens within three seconds of the moment; an upload does not begin in the very second of another write
//! of its key, and versions are not switched on within a second; where `hints` may decide, nothing is re-keyed within
//! seconds of a write.
//!
//! `LOGSEAL_HISTORIES` says how many histories are made (60,000 unless it is set; 5,000,000 in a long run of a quarter of
//! an hour), `LOGSEAL_SEED` which audit is the first. What fails is made as small as it fails still, and printed with its
//! seed; `LOGSEAL_KEEP_GOING` counts failures by their kind instead of ending at the first.

mod history;
mod possible;
mod traces;
mod whole;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use history::{Encryption, Encryptions, HOUR, History, Second, Way, World, Write};
use possible::{MAX_ITEMS, Row, RowOf, Statements, UNDISTURBED, possible, relied_on};
use traces::{Form, Kind, Trace, Tracing, Word, relative, utc};
use whole::{Wholes, excuse};
use written::{Ruled, Verdict, rule};

use crate::audits::Desk;
use crate::random::Random;

const HISTORIES: usize = 60_000;
const HISTORIES_PER_AUDIT: usize = 1000;

/// An object key with all that was and is said of it.
#[derive(Clone)]
pub struct Subject {
    /// It tells its key from others'.
    number: usize,
    history: History,
    rows: Vec<Listed>,
    traces: Vec<Trace>,
}

/// A row, and the write that it lists.
#[derive(Clone, Debug)]
pub struct Listed {
    row: Row,
    write: usize,
}

impl Subject {
    /// What is stated is true of it.
    fn random(random: &mut Random, world: &World, number: usize, loose_left: &mut usize) -> Self {
        loop {
            let history = History::random(random, world);
            let rows = list(random, world, &history);
            let loose_before = *loose_left;
            let traces = Tracing::of(random, world, &history, &rows, number, loose_left);
            let is_whole = traces.is_some();
            let subject = Self { number, history, rows, traces: traces.unwrap_or_default() };
            let words = subject.words(|_| true);
            if is_whole && words.len() + loose_before <= MAX_ITEMS && subject.is_as_stated(world, &words) {
                return subject;
            }
            *loose_left = loose_before;
        }
    }

    /// The words of the traces that arrived.
    fn words(&self, arrived: impl Fn(usize) -> bool) -> Vec<&Word> {
        let those = self.traces.iter().enumerate().filter(|(at, _)| arrived(*at));
        those.filter_map(|(_, trace)| trace.word.as_ref()).collect()
    }

    fn truth(&self, listed: &Listed) -> Encryption {
        self.history.writes[listed.write].encryption_at(listed.row.moment)
    }

    /// Whether nothing happened that is stated not to happen, and nothing that S3 does not do.
    fn is_as_stated(&self, world: &World, words: &[&Word]) -> bool {
        // What is told in a file that is damaged is not.
        let is_told = |write: usize, change: usize| {
            !world.is_damaged && words.iter().any(|word| (word.write, word.change) == (write, Some(change)))
        };
        let untold = |write: usize| {
            let changes = self.history.writes[write].changes.iter().enumerate();
            changes.filter(move |(at, _)| !is_told(write, *at)).map(|(_, change)| change.at)
        };
        let is_of_its_time =
            (0..self.history.writes.len()).all(|at| untold(at).all(|at| at >= history::IN_PLACE_SINCE));
        let is_undisturbed =
            self.rows.iter().all(|listed| untold(listed.write).all(|at| (at - listed.row.moment).abs() > UNDISTURBED));
        let stated = statements(world, false);
        is_of_its_time
            && is_undisturbed
            && world.max_age.is_none_or(|max_age| {
                self.rows.iter().all(|listed| {
                    let (from, until) = self.unchanged(listed, words, max_age, stated);
                    untold(listed.write).all(|at| !(from..=until).contains(&at))
                })
            })
    }

    /// From when until when nothing changed unseen, as the operator states of what is said at most so long before the
    /// moment of a row, or after it.
    fn unchanged(&self, listed: &Listed, words: &[&Word], max_age: Second, stated: Statements) -> (Second, Second) {
        let (moment, write) = (listed.row.moment, &self.history.writes[listed.write]);
        let relied = relied_on(&listed.row, words, stated);
        let before = relied.map(|those| those.iter().map(|at| words[*at].truly).min().unwrap_or(write.shown));
        let seen = words.iter().filter(|word| word.kind == Kind::Sighting && word.write == listed.write);
        let is_young = |word: &&&Word| word.truly > moment && word.nominal().is_some_and(|at| at - moment <= max_age);
        let after = seen.filter(is_young).map(|word| word.truly).max();
        (before.unwrap_or(moment).min(moment), after.unwrap_or(moment))
    }
}

/// What the operator of such an audit states.
fn statements(world: &World, is_log_lost: bool) -> Statements {
    Statements {
        max_age: world.max_age,
        // A log that cannot be read may hold anything.
        complete: world.logs_complete && !is_log_lost,
        hints: world.hints_decide,
    }
}

/// The rows of a report; its list of some keys is made a while after its moment.
fn list(random: &mut Random, world: &World, history: &History) -> Vec<Listed> {
    let scanned = world.created + if random.chance(20) { random.pick(&[1, 2, 60, HOUR]) } else { 0 };
    let current = history.current_at(scanned);
    let listed = history.listed_at(scanned).filter(|(at, _)| world.has_version_column || Some(*at) == current);
    // What is made while the report is has a moment of its own.
    let listed = listed.filter(|(_, write)| write.shown <= world.created || write.way != Way::Upload);
    listed.map(|(at, write)| Listed { row: row_of(world, write), write: at }).collect()
}

fn row_of(world: &World, write: &Write) -> Row {
    let moment = world.created.max(write.modified);
    Row {
        of: match write.version {
            _ if !world.has_version_column => RowOf::Current,
            Some(version) => RowOf::Version(version),
            None => RowOf::Null,
        },
        modified: write.modified,
        etag: world.has_etag_column.then_some(write.etag),
        is_upload: world.has_upload_column.then_some(write.way == Way::Upload),
        has_bucket_key: write.has_bucket_key_at(moment),
        encryptions: write.encryption_at(moment).alike(),
        moment,
    }
}

/// How far verdicts got, by what is stated and what is said.
#[derive(Default)]
struct Shares {
    by_words: BTreeMap<(String, String), [u64; 4]>,
    wholes: Wholes,
}

impl Shares {
    fn add(&mut self, world: &World, row: &Row, words: &[&Word], possible: Encryptions, verdict: Verdict) {
        let decisive = is_certain(possible);
        let mut kinds: Vec<&str> = words.iter().map(|word| kind_name(word)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let kinds = match kinds[..] {
            [] => "nothing",
            [kind] => kind,
            _ => "several",
        };
        let counts = self.by_words.entry((stated_and_since(world, row), kinds.to_owned())).or_default();
        let is_decided = verdict != Verdict::Undetermined;
        counts[0] += 1;
        counts[1] += u64::from(decisive);
        counts[2] += u64::from(is_decided);
        counts[3] += u64::from(is_decided && decisive);
    }

    fn text(&self) -> String {
        let header = ["objects", "can be", "are", "of these"];
        let mut text = format!("{:52} {:10}", "statements", "words");
        header.iter().for_each(|name| write!(text, " {name:>9}").unwrap());
        text.push('\n');
        let share = |part: u64, of: u64| match of {
            0 => "-".to_owned(),
            of => format!("{:.1} %", part as f64 * 100.0 / of as f64),
        };
        for ((stated, kinds), [objects, decisive, decided, both]) in &self.by_words {
            let (can, are) = (share(*decisive, *objects), share(*decided, *objects));
            let of_these = share(*both, *decisive);
            writeln!(text, "{stated:52} {kinds:10} {objects:>9} {can:>9} {are:>9} {of_these:>9}").unwrap();
        }
        text + "\n" + &self.wholes.text()
    }
}

/// What is stated, and whether re-keyings are to be reckoned with.
fn stated_and_since(world: &World, row: &Row) -> String {
    let stated = [
        world.max_age.map(|_| "max_age"),
        world.logs_complete.then_some("logs"),
        world.hints_decide.then_some("hints"),
    ];
    let stated: Vec<_> = stated.into_iter().flatten().collect();
    if let Some(whole) = world.whole {
        return format!("whole: {whole:?}, stated: {}", stated.join(" "));
    }
    let since = if row.moment < history::IN_PLACE_SINCE { "before 2026-01-28" } else { "after" };
    format!("{since}, stated: {}", if stated.is_empty() { "nothing".into() } else { stated.join(" ") })
}

fn kind_name(word: &Word) -> &'static str {
    match word.kind {
        Kind::Sighting => "sightings",
        Kind::Updated | Kind::End => "journal",
        Kind::Write if word.order.is_some() => "journal",
        Kind::Write | Kind::Begun { .. } | Kind::Completed { .. } | Kind::Rekeying => "log",
        Kind::Hint { .. } => "data keys",
    }
}

/// Whether the verdict is the same in all histories.
fn is_certain(possible: Encryptions) -> bool {
    possible.iter().all(Encryption::is_allowed) || !possible.iter().any(Encryption::is_allowed)
}

/// Said of what is left open, though the evidence is whole.
const LEFT_OPEN: &str = "undetermined, with evidence that is whole";

/// What is wrong with a verdict, if something is.
fn fault_of(verdict: Verdict, truth: Encryption, possible: Encryptions, must_decide: bool) -> Option<&'static str> {
    assert!(
        possible.iter().any(|one| one == truth),
        "the search misses what is true: {truth:?} is not in {possible:?}"
    );
    let (any_allowed, any_forbidden) =
        (possible.iter().any(Encryption::is_allowed), possible.iter().any(|one| !one.is_allowed()));
    match verdict {
        Verdict::Compliant if !truth.is_allowed() => Some("compliant, and is not"),
        Verdict::Compliant if any_forbidden => Some("compliant, and need not be"),
        Verdict::Violation if truth.is_allowed() => Some("violation, and is none"),
        Verdict::Violation if any_allowed => Some("violation, and need not be"),
        Verdict::Undetermined if must_decide => Some(LEFT_OPEN),
        _ => None,
    }
}

/// A verdict that does not hold.
struct Fault<'s> {
    subject: &'s Subject,
    listed: &'s Listed,
    what: &'static str,
    possible: Encryptions,
}

/// Verdicts that do not hold, by their kind.
type Failures = BTreeMap<String, Failed>;

#[derive(Default)]
struct Failed {
    count: u64,
    examples: Vec<String>,
}

/// So many of each kind are shown.
const EXAMPLES: usize = 2;

/// One audit of many histories.
struct Trial {
    seed: u64,
    world: World,
    subjects: Vec<Subject>,
}

impl Trial {
    fn new(seed: u64, histories: usize) -> Self {
        let mut random = Random::new(seed);
        let world = World::random(&mut random);
        let mut loose_left = world.loose_words;
        let subjects =
            (0..histories).map(|number| Subject::random(&mut random, &world, number, &mut loose_left)).collect();
        Self { seed, world, subjects }
    }

    fn run(&self, shares: &mut Shares, failures: &mut Failures) {
        let ruled = rule(&Desk::new(), self.seed, &self.world, &self.subjects);
        for Fault { subject, listed, what, .. } in faults(&self.world, self.subjects.iter(), &ruled, Some(shares)) {
            let kind = failures.entry(self.kind_of(listed, what, &ruled)).or_default();
            kind.count += 1;
            if kind.examples.len() < EXAMPLES {
                kind.examples.push(self.explain(subject, listed, what, &ruled));
            }
        }
    }

    /// What failures have in common.
    fn kind_of(&self, listed: &Listed, what: &str, ruled: &Ruled) -> String {
        let of = match listed.row.of {
            RowOf::Version(_) => "a version",
            RowOf::Null => "the null version",
            RowOf::Current => "a row without version",
        };
        let lost = if ruled.is_log_lost { ", a log is lost" } else { "" };
        format!("{what}: {of}, {}{lost}", stated_and_since(&self.world, &listed.row))
    }

    /// The smallest part of the subject that still fails, and all that is known of it.
    fn explain(&self, subject: &Subject, listed: &Listed, what: &str, ruled: &Ruled) -> String {
        let loose: Vec<Subject> =
            self.subjects.iter().filter(|other| other.number != subject.number).filter_map(only_loose).collect();
        let arrived = |at: usize| ruled.arrived(subject.number, at);
        let mut small = subject.clone();
        small.rows = vec![listed.clone()];
        let kept = subject.traces.iter().enumerate().filter(|(at, _)| arrived(*at));
        small.traces = kept.map(|(_, trace)| trace.clone()).collect();
        let world = World { is_damaged: false, ..self.world.clone() };
        let fails = |small: &Subject| {
            let subjects: Vec<Subject> = std::iter::once(small.clone()).chain(loose.iter().cloned()).collect();
            let ruled = rule(&Desk::new(), 0, &world, &subjects);
            let faults = faults(&world, subjects.iter(), &ruled, None);
            // Without evidence everything is open.
            let is_such = |fault: &&Fault<'_>| fault.what == what && (what != LEFT_OPEN || is_certain(fault.possible));
            faults.iter().find(is_such).map(|fault| (fault.what, fault.possible))
        };
        let mut shown = String::new();
        if fails(&small).is_none() {
            shown.push_str("(it does not fail by itself)\n");
        } else {
            let mut at = 0;
            while at < small.traces.len() {
                let mut smaller = small.clone();
                let removed = smaller.traces.remove(at);
                // Logs that are stated to be complete stay so.
                let must_stay = world.logs_complete && removed.word.is_some() && matches!(removed.form, Form::Log(_));
                if !must_stay && fails(&smaller).is_some() { small = smaller } else { at += 1 }
            }
        }
        let failed = fails(&small);
        let (Self { seed, world, .. }, moment) = (self, listed.row.moment);
        writeln!(shown, "seed {seed}, object {}: {world:?}", subject.number).unwrap();
        if let Some((fault, possible)) = failed {
            writeln!(shown, "{fault}; possible: {possible:?}").unwrap();
        }
        writeln!(
            shown,
            "T is {}; row: {:?}, modified {}",
            utc(moment),
            listed.row,
            relative(listed.row.modified, moment)
        )
        .unwrap();
        for write in &subject.history.writes {
            let Write { version, way, first, .. } = write;
            write!(
                shown,
                "truth: {way:?} {version:?} {} to {} {first:?}",
                relative(write.modified, moment),
                relative(write.shown, moment)
            )
            .unwrap();
            for change in &write.changes {
                write!(shown, ", {:?} {}", change.to, relative(change.at, moment)).unwrap();
            }
            writeln!(shown, ", gone {:?}", write.gone.map(|gone| relative(gone, moment))).unwrap();
        }
        writeln!(shown, "of {} words, these suffice:", subject.traces.len()).unwrap();
        for trace in small.traces.iter().chain(loose.iter().flat_map(|loose| &loose.traces)) {
            match &trace.word {
                Some(word) => writeln!(shown, "  {}\n    {:?}", word.text(moment), trace.form).unwrap(),
                None => writeln!(shown, "  {:?}", trace.form).unwrap(),
            }
        }
        shown
    }
}

/// What of it may be said of other objects.
fn only_loose(subject: &Subject) -> Option<Subject> {
    let is_loose = |trace: &&Trace| trace.word.as_ref().is_some_and(|word| word.is_loose);
    let traces: Vec<Trace> = subject.traces.iter().filter(is_loose).cloned().collect();
    (!traces.is_empty()).then(|| Subject { rows: Vec::new(), traces, ..subject.clone() })
}

/// The verdicts that do not hold.
fn faults<'s>(
    world: &World,
    subjects: impl Iterator<Item = &'s Subject> + Clone,
    ruled: &Ruled,
    mut shares: Option<&mut Shares>,
) -> Vec<Fault<'s>> {
    let stated = statements(world, ruled.is_log_lost);
    let loose: Vec<(usize, &Word)> = subjects
        .clone()
        .flat_map(|subject| {
            let words = subject.words(|at| ruled.arrived(subject.number, at));
            words.into_iter().filter(|word| word.is_loose).map(|word| (subject.number, word))
        })
        .collect();
    let mut faults = Vec::new();
    for subject in subjects.filter(|subject| !subject.rows.is_empty()) {
        let mut words = subject.words(|at| ruled.arrived(subject.number, at));
        words.extend(loose.iter().filter(|(number, _)| *number != subject.number).map(|(_, word)| *word));
        for listed in &subject.rows {
            let possible = possible(&listed.row, &words, stated);
            let (truth, verdict) = (subject.truth(listed), ruled.verdict(subject.number, &listed.row));
            let is_found = possible.iter().any(|one| one == truth);
            let excused = excuse(world, subject, listed, &words);
            let must_decide = world.whole.is_some() && excused.is_none();
            match &mut shares {
                // Fewer words may be more than what is stated allows.
                None if !is_found => continue,
                None => {}
                Some(shares) => {
                    assert!(
                        is_found,
                        "the search misses what is true: {truth:?} is not in {possible:?}: {world:?}\n{listed:#?}\n{:#?}\n{words:#?}",
                        subject.history
                    );
                    if truth.key().is_some() {
                        shares.add(world, &listed.row, &words, possible, verdict);
                        if let Some(whole) = world.whole {
                            shares.wholes.add(whole, excused, is_certain(possible), verdict);
                        }
                    }
                }
            }
            faults.extend(fault_of(verdict, truth, possible, must_decide).map(|what| Fault {
                subject,
                listed,
                what,
                possible,
            }));
        }
    }
    faults
}

fn number_of(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn the_search_finds_what_is_true() {
    let first = number_of("LOGSEAL_SEED", 1) as u64;
    for seed in first..first + (number_of("LOGSEAL_HISTORIES", HISTORIES) / 10 / HISTORIES_PER_AUDIT) as u64 {
        let trial = Trial::new(seed, HISTORIES_PER_AUDIT);
        let ruled = Ruled::all(Verdict::Undetermined);
        let faults = faults(&trial.world, trial.subjects.iter(), &ruled, Some(&mut Shares::default()));
        assert!(faults.iter().all(|fault| fault.what == LEFT_OPEN));
    }
}

/// Who says the same of all objects is caught, and so is who is right by accident.
#[test]
fn wrong_verdicts_are_refused() {
    for (verdict, wrong) in [
        (Verdict::Compliant, ["compliant, and is not", "compliant, and need not be"]),
        (Verdict::Violation, ["violation, and is none", "violation, and need not be"]),
    ] {
        let trial = Trial::new(3, HISTORIES_PER_AUDIT);
        let ruled = Ruled::all(verdict);
        let found = faults(&trial.world, trial.subjects.iter(), &ruled, None);
        for what in wrong {
            assert!(found.iter().filter(|fault| fault.what == what).count() > 50, "{what}");
        }
    }
}

/// Where the evidence is whole and everything is as it should be, an audit says so.
#[test]
fn whole_evidence_of_a_compliant_bucket_is_a_pass() {
    let mut passed = BTreeSet::new();
    for seed in 1.. {
        let Trial { world, mut subjects, .. } = Trial::new(seed, 200);
        let Some(whole) = world.whole.filter(|_| world.has_version_column) else { continue };
        subjects.retain(|subject| {
            let words = subject.words(|_| true);
            let is_right = |listed: &Listed| {
                subject.truth(listed).is_allowed() && excuse(&world, subject, listed, &words).is_none()
            };
            subject.rows.iter().all(is_right)
        });
        assert!(rule(&Desk::new(), seed, &world, &subjects).is_pass, "seed {seed}: {world:?}");
        passed.insert(whole);
        if passed.len() == 4 && seed >= 40 {
            break;
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the shares are for people")]
fn verdicts_hold_in_every_history_that_fits() {
    let (histories, first) = (number_of("LOGSEAL_HISTORIES", HISTORIES), number_of("LOGSEAL_SEED", 1) as u64);
    let audits = histories.div_ceil(HISTORIES_PER_AUDIT) as u64;
    let (mut shares, mut failures) = (Shares::default(), Failures::new());
    for seed in first..first + audits {
        Trial::new(seed, HISTORIES_PER_AUDIT.min(histories)).run(&mut shares, &mut failures);
        if !failures.is_empty() && std::env::var_os("LOGSEAL_KEEP_GOING").is_none() {
            break;
        }
    }
    println!("{}", shares.text());
    let shown =
        failures.iter().map(|(kind, failed)| format!("== {} x {kind}\n{}\n", failed.count, failed.examples.join("\n")));
    assert!(failures.is_empty(), "{}", shown.collect::<String>());
}

//! From what records say to statements that can be joined.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::RandomState;

use super::answers::{Answer, Claim, Statement};
use super::said::{Name, Of, Said, When};
use super::{Answers, KeyRing, MAX_KEYS, SaidKey, TooManyKeys, Ways, cloudtrail};
use crate::escape::escape;
use crate::join::{BucketHasher, JoinKey, KeyHasher, Partitions, VersionPart, Writer};
use crate::timestamp::Timestamp;

/// What all workers share.
pub(super) struct Shared<'e> {
    pub(super) ring: &'e KeyRing<'e>,
    pub(super) answers: &'e Answers,
    pub(super) hasher: KeyHasher,
    /// When evidence was taken that does not say so.
    pub(super) as_of: Option<Timestamp>,
    /// Whether some rows do not name versions.
    pub(super) lacks_versions: bool,
    pub(super) records: &'e Partitions<(JoinKey, Statement)>,
    pub(super) has_seconds: AtomicBool,
    pub(super) has_current: AtomicBool,
}

impl Shared<'_> {
    /// What else than versions something is known by.
    pub(super) fn ways(&self) -> Ways {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        Ways { by_second: is_set(&self.has_seconds), by_key: is_set(&self.has_current) }
    }
}

/// Whether what a file says waits in memory until the file is read to its end. If not, it is marked, and what a mark says
/// does not count once its file turns out to be damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    ForTheEnd,
    No,
}

/// What is counted of a file, or of a part of one.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) records: u64,
    pub(super) newest: Option<Timestamp>,
    /// Names of keys that nothing tells the ARN of.
    pub(super) unresolved: BTreeSet<Vec<u8>>,
    /// Buckets and keys, and how often each was seen in use on it.
    pub(super) in_use: BTreeMap<(String, String), u64>,
}

impl Collected {
    fn see(&mut self, time: Option<Timestamp>) {
        self.newest = self.newest.max(time);
    }
}

/// What tells the answers of a file apart, beside the key: the claim, and whether it is dated, gone and doubtful.
type AnswerKind = (Claim, bool, bool, bool);

/// What one worker collects.
pub(super) struct Collector<'w, 'e> {
    shared: &'w Shared<'e>,
    writer: Writer<'w, (JoinKey, Statement)>,
    bucket: (Vec<u8>, BucketHasher),
    /// Of the answers that this worker has met in the file, by the names of their keys.
    numbers: HashMap<Vec<u8>, Vec<(AnswerKind, u32)>, RandomState>,
    /// The one that was met last, which neighbours mostly share.
    last: Option<(AnswerKind, u32)>,
    last_name: Vec<u8>,
    source: u32,
    file: u32,
    /// Statements of a file that may still turn out to be damaged.
    waiting: Option<Vec<(JoinKey, Statement)>>,
    collected: Collected,
    pub(super) logs: cloudtrail::Scratch,
    error: Option<io::Error>,
}

impl<'w, 'e> Collector<'w, 'e> {
    pub(super) fn new(shared: &'w Shared<'e>) -> Self {
        Self {
            shared,
            writer: shared.records.writer(),
            bucket: (Vec::new(), shared.hasher.bucket(b"")),
            numbers: HashMap::default(),
            last: None,
            last_name: Vec::new(),
            source: 0,
            file: 0,
            waiting: None,
            collected: Collected::default(),
            logs: cloudtrail::Scratch::default(),
            error: None,
        }
    }

    /// Begins a file, or a part of one.
    pub(super) fn begin(&mut self, source: u32, file: u32, waits: Waits) {
        (self.source, self.file) = (source, file);
        self.waiting = (waits == Waits::ForTheEnd).then(Vec::new);
        self.forget_numbers();
    }

    fn forget_numbers(&mut self) {
        self.numbers.clear();
        self.last = None;
    }

    /// When something was so that does not say when.
    pub(super) fn undated(&self, modified: Option<Timestamp>) -> When {
        self.shared.as_of.map_or(When::NotBefore(modified), When::At)
    }

    /// Notes what a record says.
    pub(super) fn say(&mut self, said: &Said<'_>) -> Result<(), TooManyKeys> {
        /// So many statements fit into memory, whatever a file inflates to.
        const MAX_WAITING: usize = 1 << 16;
        if self.waiting.as_ref().is_some_and(|waiting| waiting.len() >= MAX_WAITING) {
            self.stop_waiting()?;
        }
        self.collected.records += 1;
        if self.bucket.0 != said.bucket {
            self.bucket = (said.bucket.to_vec(), self.shared.hasher.bucket(said.bucket));
        }
        match said.of {
            Of::Version(version) => self.say_of_version(said, version),
            Of::WrittenThen => self.say_of_written(said),
            Of::Current => self.say_of_current(said),
        }
    }

    fn say_of_version(&mut self, said: &Said<'_>, version: Option<&[u8]>) -> Result<(), TooManyKeys> {
        let is_null = matches!(version, None | Some(b"" | b"null"));
        let (time, is_dated) = match (said.when, said.modified) {
            // The null version can be written again: when it was last modified tells of which writing this is said.
            (When::At(_), Some(modified)) if is_null && self.shared.as_of.is_some() && !said.is_journal => {
                (Some(modified), false)
            }
            (When::At(time), _) => (Some(time), true),
            (When::NotBefore(time), _) => (time, false),
        };
        let answer = self.number(said, is_dated)?;
        let statement = Statement { time: time.map_or(i64::MIN, Timestamp::as_millis), order: said.order, answer };
        self.collected.see(time);
        let key = self.bucket.1.key(said.key, VersionPart::Id(version.unwrap_or_default()));
        self.push(key, statement);
        if !self.shared.lacks_versions {
            return Ok(());
        }
        if matches!(version, None | Some(b"")) {
            // Where nothing names versions there may be none. The version `null` is one of several.
            let key = self.bucket.1.key(said.key, VersionPart::Unnamed);
            self.push(key, statement);
        } else if let Some(modified) = said.modified {
            self.push_second(said.key, second(modified), statement);
            if said.is_write {
                // It may have taken longer.
                self.push_second(said.key, second(modified) - 1, statement);
            }
        }
        Ok(())
    }

    /// Clocks, and the time that a write takes, may make it the second before or after.
    fn say_of_written(&mut self, said: &Said<'_>) -> Result<(), TooManyKeys> {
        let When::At(time) = said.when else { return Ok(()) };
        let answer = self.number(said, true)?;
        self.collected.see(Some(time));
        for second in second(time) - 1..=second(time) + 1 {
            // None of those that may be meant is later than the others.
            self.push_second(said.key, second, Statement { time: second * 1000, order: 0, answer });
        }
        Ok(())
    }

    fn say_of_current(&mut self, said: &Said<'_>) -> Result<(), TooManyKeys> {
        // Any of them may be about the version in question: none is superseded.
        let answer = self.number(said, false)?;
        self.shared.has_current.store(true, Ordering::Relaxed);
        let key = self.bucket.1.key(said.key, VersionPart::Current);
        self.push(key, Statement { time: i64::MIN, order: 0, answer });
        Ok(())
    }

    fn push_second(&mut self, key: &[u8], second: i64, statement: Statement) {
        self.shared.has_seconds.store(true, Ordering::Relaxed);
        let key = self.bucket.1.key(key, VersionPart::ModifiedIn(second));
        self.push(key, statement);
    }

    /// Notes that a key was seen in use on a bucket.
    pub(super) fn see_in_use(&mut self, bucket: &[u8], key_name: &str) -> Result<(), TooManyKeys> {
        let names = (escape(bucket).into_owned(), escape(key_name.as_bytes()).into_owned());
        *self.collected.in_use.entry(names).or_default() += 1;
        if self.collected.in_use.len() > MAX_KEYS { Err(TooManyKeys) } else { Ok(()) }
    }

    fn push(&mut self, key: JoinKey, statement: Statement) {
        match &mut self.waiting {
            Some(waiting) => waiting.push((key, statement)),
            None => self.write(key, statement),
        }
    }

    /// What the file says is marked from now on, and what it has said as well.
    fn stop_waiting(&mut self) -> Result<(), TooManyKeys> {
        let mut marked: HashMap<u32, u32> = HashMap::new();
        for (key, statement) in self.waiting.take().into_iter().flatten() {
            let answer = match marked.get(&statement.answer) {
                Some(answer) => *answer,
                None => self.shared.answers.of_file(statement.answer, self.file)?,
            };
            marked.insert(statement.answer, answer);
            self.write(key, Statement { answer, ..statement });
        }
        self.forget_numbers();
        Ok(())
    }

    fn write(&mut self, key: JoinKey, statement: Statement) {
        if let Err(error) = self.writer.push(key.partition(), (key, statement)) {
            self.error.get_or_insert(error);
        }
    }

    /// The number of the answer.
    fn number(&mut self, said: &Said<'_>, is_dated: bool) -> Result<u32, TooManyKeys> {
        let Said { claim, name, is_gone, is_journal, .. } = *said;
        let kind = (claim, is_dated, is_gone, matches!(said.of, Of::Current));
        if let Some((last, number)) = self.last
            && last == kind
            && self.last_name == name.bytes()
        {
            return Ok(number);
        }
        let met = self.numbers.get(name.bytes()).and_then(|met| met.iter().find(|(of, _)| *of == kind));
        let number = match met {
            Some((_, number)) => *number,
            None => {
                let (key, source, is_doubtful) = (self.key(name)?, self.source, kind.3);
                let file = self.waiting.is_none().then_some(self.file);
                let answer = Answer { claim, key, source, is_dated, is_journal, is_gone, is_doubtful, file };
                let number = self.shared.answers.number(answer)?;
                self.numbers.entry(name.bytes().to_vec()).or_default().push((kind, number));
                number
            }
        };
        self.last = Some((kind, number));
        self.last_name.clear();
        self.last_name.extend_from_slice(name.bytes());
        Ok(number)
    }

    fn key(&mut self, name: Name<'_>) -> Result<SaidKey, TooManyKeys> {
        Ok(match name {
            Name::None => SaidKey::Nothing,
            Name::Untold => SaidKey::Untold,
            Name::Is(name) => match self.shared.ring.find(name)? {
                Some(known) => SaidKey::Is(known),
                None => {
                    self.collected.unresolved.insert(name.to_vec());
                    SaidKey::Untold
                }
            },
        })
    }

    /// Ends a file, or a part of one, that was read to its end.
    pub(super) fn end(&mut self) -> io::Result<(u32, Collected)> {
        for (key, statement) in self.waiting.take().into_iter().flatten() {
            self.writer.push(key.partition(), (key, statement))?;
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok((self.source, std::mem::take(&mut self.collected))),
        }
    }

    /// Forgets what a file said.
    pub(super) fn forget(&mut self) {
        (self.waiting, self.collected) = (None, Collected::default());
    }

    /// Hands over what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn second(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(1000)
}

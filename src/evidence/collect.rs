//! From what records say to words that can be joined.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::RandomState;

use super::said::{Mark, Name, Named, Said};
use super::unattributed::{Deed, Unattributed, Unplaced};
use super::words::{Answer, Answers, Claim, NO_MARK, NO_SECOND, Of, SaidKey, Spelling, UNDATED, What, Word, second_of};
use super::{KeyRing, KnownKey, MAX_KEYS, TooManyKeys, Ways, cloudtrail};
use crate::escape::escape;
use crate::join::{BucketHasher, JoinKey, KeyHasher, Partitions, VersionPart, Writer};
use crate::timestamp::Timestamp;

/// What all workers share.
pub(super) struct SharedWords<'e> {
    pub(super) ring: &'e KeyRing<'e>,
    pub(super) answers: &'e Answers,
    pub(super) hasher: KeyHasher,
    /// When evidence was taken that does not say so.
    pub(super) as_of: Option<Timestamp>,
    /// Whether some rows do not name versions.
    pub(super) lacks_versions: bool,
    pub(super) records: &'e Partitions<(JoinKey, Word)>,
    pub(super) has_seconds: AtomicBool,
    pub(super) has_seconds_of_any: AtomicBool,
    pub(super) has_any: AtomicBool,
    pub(super) has_etags: AtomicBool,
    pub(super) has_hints: AtomicBool,
}

impl SharedWords<'_> {
    /// What else than versions something is known by.
    pub(super) fn ways(&self) -> Ways {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        Ways {
            by_second: is_set(&self.has_seconds),
            by_second_of_any: is_set(&self.has_seconds_of_any),
            by_key: is_set(&self.has_any),
            by_etag: is_set(&self.has_etags),
            by_hint: is_set(&self.has_hints),
        }
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
    pub(super) undated: u64,
    pub(super) newest: Option<Timestamp>,
    /// Names of keys that nothing tells the ARN of.
    pub(super) unresolved: BTreeSet<Vec<u8>>,
    /// Buckets and keys, and how often each was seen in use on it.
    pub(super) in_use: BTreeMap<(String, String), u64>,
}

impl Collected {
    fn see(&mut self, time: Option<Timestamp>) {
        self.undated += u64::from(time.is_none());
        self.newest = self.newest.max(time);
    }
}

/// What tells the answers of a file apart, beside the key.
type AnswerKind = (What, Of, Claim, Option<Spelling>);

/// An answer that was met, by what tells it from others.
struct Met {
    kind: AnswerKind,
    text: Vec<u8>,
    account: Vec<u8>,
    number: u32,
}

impl Met {
    #[inline]
    fn is(&self, kind: AnswerKind, text: &[u8], account: &[u8]) -> bool {
        is_same(&self.text, text) && is_same(&self.account, account) && self.kind == kind
    }
}

/// Whether two texts are the same. Nothing is not compared with nothing: a vector load from a slice that has no address
/// takes very long, even of no bytes.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

/// What one worker collects.
pub(super) struct Collector<'w, 'e> {
    shared: &'w SharedWords<'e>,
    writer: Writer<'w, (JoinKey, Word)>,
    bucket: (Vec<u8>, BucketHasher),
    /// Of the answers that this worker has met in the file, by the names of their keys.
    numbers: HashMap<Vec<u8>, Vec<(AnswerKind, u32)>, RandomState>,
    /// Those that were met last, which neighbours mostly share, and where the next goes.
    recent: Vec<Met>,
    next_recent: usize,
    name: Vec<u8>,
    source: u32,
    file: u32,
    /// Words of a file that may still turn out to be damaged.
    waiting: Option<Vec<(JoinKey, Word)>>,
    collected: Collected,
    unattributed: Unattributed,
    pub(super) logs: cloudtrail::Scratch,
    error: Option<io::Error>,
}

impl<'w, 'e> Collector<'w, 'e> {
    pub(super) fn new(shared: &'w SharedWords<'e>) -> Self {
        Self {
            shared,
            writer: shared.records.writer(),
            bucket: (Vec::new(), shared.hasher.bucket(b"")),
            numbers: HashMap::default(),
            recent: Vec::new(),
            next_recent: 0,
            name: Vec::new(),
            source: 0,
            file: 0,
            waiting: None,
            collected: Collected::default(),
            unattributed: Unattributed::default(),
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
        self.recent.clear();
    }

    /// When evidence was taken that does not say so.
    pub(super) fn as_of(&self) -> Option<Timestamp> {
        self.shared.as_of
    }

    /// Notes what a record says.
    pub(super) fn say(&mut self, said: &Said<'_>) -> Result<(), TooManyKeys> {
        /// So many words fit into memory, whatever a file inflates to.
        const MAX_WAITING: usize = 1 << 16;
        if self.waiting.as_ref().is_some_and(|waiting| waiting.len() >= MAX_WAITING) {
            self.stop_waiting()?;
        }
        self.collected.records += 1;
        self.collected.see(said.when);
        if self.bucket.0 != said.bucket {
            self.bucket = (said.bucket.to_vec(), self.shared.hasher.bucket(said.bucket));
        }
        match said.version {
            Named::As(b"") => self.say_of_null(said, Of::Unnamed),
            Named::As(b"null") => self.say_of_null(said, Of::NullVersion),
            Named::As(id) => self.say_of_version(said, id),
            // Who names neither a version nor when it was last modified says nothing of any.
            Named::Never => self.say_of_modified(said, Of::Modified),
            Named::Any => self.say_of_any(said),
            Named::WrittenThen => self.say_of_written(said, Of::Any),
        }
    }

    /// Notes what was done to some object; nothing for a bucket that cannot be told either.
    pub(super) fn say_unattributed(
        &mut self,
        bucket: Option<&[u8]>,
        deed: Deed,
        time: Timestamp,
        name: Name<'_>,
    ) -> Result<(), TooManyKeys> {
        self.collected.records += 1;
        self.collected.see(Some(time));
        let key = match self.key(name)? {
            SaidKey::Is(key) => Some(key),
            SaidKey::Untold => None,
        };
        self.unattributed.add(bucket, Unplaced { deed, time: time.as_millis(), key, file: self.file })
    }

    fn say_of_version(&mut self, said: &Said<'_>, id: &[u8]) -> Result<(), TooManyKeys> {
        let word = self.word(said, Of::Version)?;
        let key = self.bucket.1.key(said.key, VersionPart::Id(id));
        self.push(key, word);
        if self.shared.lacks_versions { self.say_of_unlisted(said) } else { Ok(()) }
    }

    /// For rows that do not name their versions.
    fn say_of_unlisted(&mut self, said: &Said<'_>) -> Result<(), TooManyKeys> {
        match said.what {
            // It does not say which write it changed.
            What::ReKeying => self.say_of_any(said),
            What::Update if said.modified.is_none() => self.say_of_any(said),
            What::Write if said.modified.is_none() => self.say_of_written(said, Of::Listed),
            What::Upload => Ok(()),
            What::Sighting(_) | What::Update | What::Write | What::Hint(_) => self.say_of_modified(said, Of::Listed),
        }
    }

    fn say_of_null(&mut self, said: &Said<'_>, of: Of) -> Result<(), TooManyKeys> {
        match (said.what, said.modified) {
            (What::Write, None) => return self.say_of_written(said, of),
            (What::Sighting(_) | What::Update | What::Write, Some(_)) => return self.say_of_modified(said, of),
            _ => {}
        }
        let word = self.word(said, of)?;
        let key = self.bucket.1.key(said.key, VersionPart::Id(b""));
        self.push(key, word);
        if !self.shared.lacks_versions {
            return Ok(());
        }
        match of {
            Of::Unnamed => {
                let key = self.bucket.1.key(said.key, VersionPart::Unnamed);
                self.push(key, word);
                Ok(())
            }
            _ => self.say_of_unlisted(said),
        }
    }

    /// For rows that were last modified in the very second.
    fn say_of_modified(&mut self, said: &Said<'_>, of: Of) -> Result<(), TooManyKeys> {
        let Some(modified) = said.modified else { return Ok(()) };
        let word = self.word(said, of)?;
        self.push_second(said.key, modified.as_millis().div_euclid(1000), word, of);
        Ok(())
    }

    /// Clocks, and the time that a write takes, may make it the second before or after.
    fn say_of_written(&mut self, said: &Said<'_>, of: Of) -> Result<(), TooManyKeys> {
        let Some(time) = said.when.map(Timestamp::as_millis) else { return Ok(()) };
        let word = Word { modified: second_of(time), ..self.word(said, of)? };
        if matches!(said.what, What::Hint(_)) {
            self.shared.has_hints.store(true, Ordering::Relaxed);
        }
        let second = time.div_euclid(1000);
        (second - 1..=second + 1).for_each(|second| self.push_second(said.key, second, word, of));
        Ok(())
    }

    fn say_of_any(&mut self, said: &Said<'_>) -> Result<(), TooManyKeys> {
        let word = self.word(said, Of::Any)?;
        self.shared.has_any.store(true, Ordering::Relaxed);
        let key = self.bucket.1.key(said.key, VersionPart::Any);
        self.push(key, word);
        Ok(())
    }

    fn push_second(&mut self, key: &[u8], second: i64, word: Word, of: Of) {
        self.shared.has_seconds.store(true, Ordering::Relaxed);
        if matches!(of, Of::Any | Of::Modified) {
            self.shared.has_seconds_of_any.store(true, Ordering::Relaxed);
        }
        let key = self.bucket.1.key(key, VersionPart::ModifiedIn(second));
        self.push(key, word);
    }

    /// What is said, in few bytes.
    fn word(&mut self, said: &Said<'_>, of: Of) -> Result<Word, TooManyKeys> {
        let (mut spelling, mut mark) = (None, NO_MARK);
        match said.mark {
            Mark::None => {}
            Mark::ETag(etag) => {
                mark = self.shared.hasher.etag(etag);
                if of != Of::Version && mark != NO_MARK {
                    self.shared.has_etags.store(true, Ordering::Relaxed);
                }
            }
            Mark::Upload(id) => mark = self.shared.hasher.mark(id),
            Mark::Sequence(number) => {
                let (spelled, order) = Spelling::of(number);
                (spelling, mark) = (Some(spelled), order);
            }
        }
        let answer = self.number((said.what, of, said.claim, spelling), said.name)?;
        let modified = said.modified.map_or(NO_SECOND, |time| second_of(time.as_millis()));
        Ok(Word { time: said.when.map_or(UNDATED, Timestamp::as_millis), mark, modified, answer })
    }

    /// Notes that a key was seen in use on a bucket.
    pub(super) fn see_in_use(&mut self, bucket: &[u8], key_name: &str) -> Result<(), TooManyKeys> {
        let names = (escape(bucket).into_owned(), escape(key_name.as_bytes()).into_owned());
        *self.collected.in_use.entry(names).or_default() += 1;
        if self.collected.in_use.len() > MAX_KEYS { Err(TooManyKeys) } else { Ok(()) }
    }

    fn push(&mut self, key: JoinKey, word: Word) {
        match &mut self.waiting {
            Some(waiting) => waiting.push((key, word)),
            None => self.write(key, word),
        }
    }

    /// What the file says is marked from now on, and what it has said as well.
    fn stop_waiting(&mut self) -> Result<(), TooManyKeys> {
        let mut marked: HashMap<u32, u32> = HashMap::new();
        for (key, word) in self.waiting.take().into_iter().flatten() {
            let answer = match marked.get(&word.answer) {
                Some(answer) => *answer,
                None => self.shared.answers.of_file(word.answer, self.file)?,
            };
            marked.insert(word.answer, answer);
            self.write(key, Word { answer, ..word });
        }
        self.forget_numbers();
        Ok(())
    }

    fn write(&mut self, key: JoinKey, word: Word) {
        if let Err(error) = self.writer.push(key.partition(), (key, word)) {
            self.error.get_or_insert(error);
        }
    }

    /// The number of the answer.
    fn number(&mut self, kind: AnswerKind, name: Name<'_>) -> Result<u32, TooManyKeys> {
        /// So many are looked at before all others.
        const RECENT: usize = 4;
        let (text, account) = name.parts();
        if let Some(met) = self.recent.iter().find(|met| met.is(kind, text, account)) {
            return Ok(met.number);
        }
        self.name.clear();
        self.name.extend_from_slice(text);
        self.name.push(0);
        self.name.extend_from_slice(account);
        let met = self.numbers.get(&self.name).and_then(|met| met.iter().find(|(of, _)| *of == kind));
        let number = match met {
            Some((_, number)) => *number,
            None => {
                let (what, of, claim, spelling) = kind;
                let (key, source) = (self.key(name)?, self.source);
                let file = self.waiting.is_none().then_some(self.file);
                let number = self.shared.answers.number(Answer { what, of, claim, key, source, spelling, file })?;
                self.numbers.entry(self.name.clone()).or_default().push((kind, number));
                number
            }
        };
        let met = Met { kind, text: text.to_vec(), account: account.to_vec(), number };
        match self.recent.len() {
            RECENT => self.recent[self.next_recent] = met,
            _ => self.recent.push(met),
        }
        self.next_recent = (self.next_recent + 1) % RECENT;
        Ok(number)
    }

    fn key(&mut self, name: Name<'_>) -> Result<SaidKey, TooManyKeys> {
        let (text, account) = name.parts();
        if text.is_empty() {
            return Ok(SaidKey::Untold);
        }
        let known: Option<KnownKey> = self.shared.ring.find(text, account)?;
        if known.is_none() {
            self.collected.unresolved.insert(text.to_vec());
        }
        Ok(known.map_or(SaidKey::Untold, SaidKey::Is))
    }

    /// Ends a file, or a part of one, that was read to its end.
    pub(super) fn end(&mut self) -> io::Result<(u32, Collected)> {
        for (key, word) in self.waiting.take().into_iter().flatten() {
            self.writer.push(key.partition(), (key, word))?;
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
    pub(super) fn finish(mut self) -> io::Result<Unattributed> {
        self.writer.flush()?;
        Ok(self.unattributed)
    }
}

//! Log by log: what digests list, what is there, and whether they agree.
//!
//! Whatever is said of a log is folded into a few entries, in any order and however often it is said, so memory depends on
//! the number of logs alone; partitions that are too large are done in slices.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::ops::Range;

use super::LogContents;
use super::chains::{ChainTimes, When};
use super::findings::{DigestFindings, Matter};
use super::inventory::InventoryFacts;
use super::judge::Statuses;
use super::keys::Sha;
use super::mirrors::{Lies, Mirrors, Name, RootId, RootPath};
use super::records::{Found, LogRecord};
use super::slot::{is_log_kind, may_hold_data_events, path_of};
use super::status::{LogStatus, LogTally, Trust};
use crate::delivery::ListedLog;
use crate::join::{JoinKey, Varied};
use crate::object_key::{Account, ObjectKey, Region};
use crate::policy::Globs;
use crate::timestamp::{Month, Timestamp};

/// So many groups are counted apart; logs of others are counted under no account.
const MAX_GROUPS: usize = 200_000;
/// So many buckets are told apart.
const MAX_BUCKETS: usize = 10_000;
/// So many names, files and rows of one log are told apart; more of them are in conflict.
const MAX_ENTRIES: u16 = 256;

/// Where and when logs are from, as far as their keys say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) account: Option<Account>,
    pub(super) region: Option<Region>,
    pub(super) month: Option<Month>,
}

/// What logs are held against.
#[derive(Clone, Copy)]
pub(super) struct LogTerms<'t> {
    pub(super) statuses: &'t Statuses,
    pub(super) contents: LogContents,
    pub(super) mirrors: &'t Mirrors,
    pub(super) times: &'t ChainTimes,
    pub(super) accepted: &'t Globs,
    pub(super) inventory: Option<&'t InventoryFacts>,
    /// Whether logs are counted month by month.
    pub(super) by_month: bool,
    /// Whether listed logs are kept for key evidence.
    pub(super) keeps_listed: bool,
}

/// One hash, or several that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    One(Sha),
    Several,
}

impl Said {
    fn add(&mut self, sha: Sha) {
        *self = match *self {
            Self::Nothing => Self::One(sha),
            Self::One(said) if said == sha => return,
            _ => Self::Several,
        }
    }

    fn and(mut self, other: Self) -> Self {
        match other {
            Self::Nothing => self,
            Self::One(sha) => {
                self.add(sha);
                self
            }
            Self::Several => Self::Several,
        }
    }
}

/// Something that is said of a log, where its path begins with `AWSLogs`.
struct Entry {
    what: What,
    /// Where the bucket or first folder is in the names, and the key or the rest of the path.
    name: (Range<usize>, Range<usize>),
    /// The entry before it.
    next: Option<usize>,
}

enum What {
    Listed(Listed),
    File { root: RootId, content: Said, file: File },
    Stored,
}

/// What digests say of a name.
struct Listed {
    /// By digests that are verified, that may be right, and that something speaks against.
    proven: Said,
    unproven: Said,
    doubtful: Said,
    /// The end of the first digest that lists it.
    end: Timestamp,
    /// A moment at or before the beginning of any.
    start: Timestamp,
    /// Whether one of the window does.
    is_asked: bool,
}

/// What the files of a log are like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum File {
    Unread,
    Hashed,
    Unreadable,
    TrailingData,
    Malformed(Box<[u8]>),
}

/// What is known of a log.
#[derive(Clone, Copy, Default)]
struct State {
    last: Option<usize>,
    entries: u16,
}

impl Listed {
    fn new(end: Timestamp) -> Self {
        let said = Said::Nothing;
        Self { proven: said, unproven: said, doubtful: said, end, start: end, is_asked: false }
    }

    fn add(&mut self, trust: Trust, sha: Sha, (hours, end): (u8, Timestamp), is_asked: bool) {
        let said = match trust {
            Trust::Proven => &mut self.proven,
            Trust::Unproven => &mut self.unproven,
            Trust::Doubtful => &mut self.doubtful,
        };
        said.add(sha);
        self.end = self.end.min(end);
        self.start = self.start.min(start_of(hours, end));
        self.is_asked |= is_asked;
    }

    /// The hash that it should have. What is only said by digests that something speaks against counts for nothing where
    /// a better one lists the log.
    fn sha(&self) -> Said {
        match (self.proven, self.unproven) {
            (Said::Nothing, unproven) => unproven.and(self.doubtful),
            (proven, unproven) => proven.and(unproven),
        }
    }
}

/// A moment at or before the beginning of a digest.
fn start_of(hours: u8, end: Timestamp) -> Timestamp {
    let length = if hours == u8::MAX { i64::MAX } else { i64::from(hours) * 3_600_000 };
    Timestamp::from_millis(end.as_millis().saturating_sub(length).max(0)).unwrap_or(end)
}

impl File {
    fn of(found: Found<'_>) -> (Self, Said) {
        match found {
            Found::Unread => (Self::Unread, Said::Nothing),
            Found::Hashed(sha) => (Self::Hashed, Said::One(sha)),
            Found::Unreadable(_) => (Self::Unreadable, Said::Nothing),
            Found::TrailingData => (Self::TrailingData, Said::Nothing),
            Found::Malformed(detail) => (Self::Malformed(detail.into()), Said::Nothing),
        }
    }
}

/// What logs come to.
#[derive(Debug, Default)]
pub(super) struct LogTotals {
    pub(super) tally: LogTally,
    pub(super) groups: BTreeMap<Group, LogTally>,
    /// Copies, at other paths, of logs that digests list.
    pub(super) copies: u64,
    /// Files of kinds that we do not know, which no digest lists.
    pub(super) unknown: u64,
    /// Listed logs that may hold data events, if they are asked for.
    pub(super) listed: Vec<ListedLog>,
    /// When such logs were delivered of which nobody knows the hash.
    pub(super) without_hash: Vec<(Timestamp, Timestamp)>,
    /// Buckets of listed logs of which there is no inventory.
    pub(super) not_covered: BTreeSet<Vec<u8>>,
}

impl LogTotals {
    pub(super) fn count(&mut self, group: Group, status: LogStatus) {
        self.tally.count(status);
        self.groups.entry(group).or_default().count(status);
        self.trim();
    }

    fn note_bucket(&mut self, bucket: &[u8], status: LogStatus) {
        let is_new = status == LogStatus::NotCoveredByInventory && !self.not_covered.contains(bucket);
        if is_new && self.not_covered.len() < MAX_BUCKETS {
            self.not_covered.insert(bucket.to_vec());
        }
    }

    /// Keeps the first groups. One that is not among the first of a worker is not among the first of all.
    fn trim(&mut self) {
        while self.groups.len() > MAX_GROUPS
            && let Some((_, tally)) = self.groups.pop_last()
        {
            self.groups.entry(Group::default()).or_default().merge(&tally);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.tally.merge(&other.tally);
        other.groups.iter().for_each(|(group, tally)| self.groups.entry(*group).or_default().merge(tally));
        self.copies += other.copies;
        self.unknown += other.unknown;
        self.listed.extend(other.listed);
        self.without_hash.extend(other.without_hash);
        self.not_covered.extend(other.not_covered);
        self.trim();
    }
}

/// Judges logs, and keeps what it finds.
pub(super) struct LogJudge<'j> {
    pub(super) terms: &'j LogTerms<'j>,
    pub(super) findings: DigestFindings<'j>,
    pub(super) totals: LogTotals,
    /// The logs of a slice.
    states: HashMap<JoinKey, State, foldhash::fast::RandomState>,
    entries: Entries,
}

/// What is said of the logs of a slice, and the names in it.
#[derive(Default)]
struct Entries {
    entries: Vec<Entry>,
    names: Vec<u8>,
}

impl Entries {
    fn name(&self, at: usize) -> Name<'_> {
        let (bucket, key) = &self.entries[at].name;
        Name::new(&self.names[bucket.clone()], &self.names[key.clone()])
    }

    fn path(&self, at: usize, root: RootId) -> RootPath<'_> {
        let Name { bucket, key } = self.name(at);
        RootPath { root, top: bucket, rest: key }
    }

    fn add(&mut self, state: &mut State, record: &LogRecord<'_>, statuses: &Statuses) {
        let (name, root) = match record {
            LogRecord::Listed { name, .. } => (*name, None),
            LogRecord::Present { at, .. } => (Name::new(at.top, at.rest), Some(at.root)),
            LogRecord::Stored(name) => (*name, None),
        };
        let mut at = state.last;
        while let Some(known) = at {
            let is_same = match (&self.entries[known].what, record) {
                (What::Listed(_), LogRecord::Listed { .. }) | (What::Stored, LogRecord::Stored(_)) => true,
                (What::File { root: known, .. }, LogRecord::Present { .. }) => Some(*known) == root,
                _ => false,
            };
            if is_same && self.name(known) == name {
                break;
            }
            at = self.entries[known].next;
        }
        let at = match at {
            Some(known) => known,
            // What digests list must not be lost behind files.
            None if state.entries >= MAX_ENTRIES * (1 + u16::from(matches!(record, LogRecord::Listed { .. }))) => {
                return;
            }
            None => {
                let from = self.names.len();
                self.names.extend_from_slice(name.bucket);
                let middle = self.names.len();
                self.names.extend_from_slice(name.key);
                let what = match record {
                    LogRecord::Listed { end, .. } => What::Listed(Listed::new(*end)),
                    LogRecord::Present { at, .. } => {
                        What::File { root: at.root, content: Said::Nothing, file: File::Unread }
                    }
                    LogRecord::Stored(_) => What::Stored,
                };
                let name = (from..middle, middle..self.names.len());
                self.entries.push(Entry { what, name, next: state.last });
                state.entries += 1;
                state.last = Some(self.entries.len() - 1);
                self.entries.len() - 1
            }
        };
        match (&mut self.entries[at].what, *record) {
            (What::Listed(listed), LogRecord::Listed { digest, sha, end, hours, is_asked, .. }) => {
                listed.add(statuses.get(digest).trust(), sha, (hours, end), is_asked);
            }
            (What::File { content, file, .. }, LogRecord::Present { found, .. }) => {
                let (is, said) = File::of(found);
                *content = content.and(said);
                if is > *file {
                    *file = is;
                }
            }
            _ => {}
        }
    }
}

/// The entries of a log.
#[derive(Default)]
struct Log {
    listed: Vec<usize>,
    /// And whether a name claims it.
    files: Vec<(usize, bool)>,
    stored: Vec<usize>,
}

impl Log {
    fn set(&mut self, state: State, entries: &Entries) {
        self.listed.clear();
        self.files.clear();
        self.stored.clear();
        let mut at = state.last;
        while let Some(entry) = at {
            match entries.entries[entry].what {
                What::Listed(_) => self.listed.push(entry),
                What::File { .. } => self.files.push((entry, false)),
                What::Stored => self.stored.push(entry),
            }
            at = entries.entries[entry].next;
        }
        // Nobody's order shows.
        self.listed.sort_unstable_by(|one, other| entries.name(*one).cmp(&entries.name(*other)));
    }
}

impl<'j> LogJudge<'j> {
    pub(super) fn new(terms: &'j LogTerms<'j>, findings: DigestFindings<'j>) -> Self {
        let (states, entries) = (HashMap::default(), Entries::default());
        Self { terms, findings, totals: LogTotals::default(), states, entries }
    }

    /// Judges the logs of a partition.
    pub(super) fn partition(&mut self, logs: &Varied, partition: usize, room: u64) -> io::Result<()> {
        let slices = logs.slices(partition, room);
        for slice in 0..slices {
            let Self { terms, states, entries, .. } = self;
            states.clear();
            entries.entries.clear();
            entries.names.clear();
            logs.read(partition, (slice, slices), &mut |key, record| {
                let Some(record) = LogRecord::take(record) else { return };
                entries.add(states.entry(key).or_default(), &record, terms.statuses);
            })?;
            let states = std::mem::take(&mut self.states);
            let mut log = Log::default();
            for state in states.values() {
                log.set(*state, &self.entries);
                self.judge(&mut log, state.entries >= MAX_ENTRIES)?;
            }
            self.states = states;
        }
        logs.remove(partition);
        Ok(())
    }

    fn judge(&mut self, log: &mut Log, is_crowded: bool) -> io::Result<()> {
        for at in 0..log.listed.len() {
            if self.terms.keeps_listed {
                self.keep_listed(log.listed[at], is_crowded);
            }
            let judged = Listing { terms: self.terms, entries: &self.entries, at: log.listed[at] }.judge(log);
            let (status, detail) = match is_crowded {
                true => (LogStatus::Conflict, &b"too many places have a log of this name"[..]),
                false => judged,
            };
            let name = self.entries.name(log.listed[at]);
            self.totals.count(Group::of(name.key, self.terms.by_month), status);
            self.totals.note_bucket(name.bucket, status);
            if status.is_finding() {
                self.findings.push(Matter::Log(status), name.bucket, name.key, detail)?;
            }
        }
        for (file, is_claimed) in &log.files {
            if !is_claimed {
                self.unlisted_file(*file, log)?;
            }
        }
        for row in &log.stored {
            self.unlisted_row(*row, log)?;
        }
        Ok(())
    }

    /// Keeps a listed log that may hold data events for key evidence, whatever became of it here: what counts is that its
    /// content is read there.
    fn keep_listed(&mut self, at: usize, is_crowded: bool) {
        let What::Listed(listed) = &self.entries.entries[at].what else { return };
        if !may_hold_data_events(ObjectKey::parse(self.entries.name(at).key).kind) {
            return;
        }
        let period = (listed.start, listed.end);
        match listed.sha() {
            Said::One(sha) if !is_crowded => self.totals.listed.push(ListedLog::new(&sha, period)),
            _ => self.totals.without_hash.push(period),
        }
    }

    /// A file that is not where a digest lists it.
    fn unlisted_file(&mut self, file: usize, log: &Log) -> io::Result<()> {
        let What::File { content, file: is, .. } = &self.entries.entries[file].what else { return Ok(()) };
        let name = self.entries.name(file);
        let listed = log.listed.iter().filter_map(|listed| match &self.entries.entries[*listed].what {
            What::Listed(listed) => Some(listed.sha()),
            _ => None,
        });
        // One that was not read is as good as the log itself, which was not read either.
        let is_copy = |sha: Said| *is == File::Unread || matches!(sha, Said::One(_)) && sha == *content;
        let has_copy = listed.into_iter().any(is_copy);
        if has_copy {
            self.totals.copies += 1;
            return Ok(());
        }
        if !is_log_kind(ObjectKey::parse(name.key).kind) && log.listed.is_empty() {
            self.totals.unknown += 1;
            return Ok(());
        }
        let status = self.status_of_unlisted(name);
        self.count_unlisted(file, status, b"no digest lists it")
    }

    /// A row of an inventory that no digest lists.
    fn unlisted_row(&mut self, row: usize, log: &Log) -> io::Result<()> {
        let name = self.entries.name(row);
        let is_file = log.files.iter().any(|(file, _)| self.entries.path(*file, 0).lies(b"", name) == Lies::Named);
        if is_file || !log.listed.is_empty() || !is_log_kind(ObjectKey::parse(name.key).kind) {
            return Ok(());
        }
        let status = self.status_of_unlisted(name);
        self.count_unlisted(row, status, b"it is in the inventory, and no digest lists it")
    }

    fn status_of_unlisted(&self, name: Name<'_>) -> LogStatus {
        if is_accepted(self.terms.accepted, name) {
            return LogStatus::AcceptedUnreferenced;
        }
        match self.terms.times.when(name.key) {
            When::Inside => LogStatus::Unreferenced,
            When::OutsideChains => LogStatus::OutsideChains,
            When::OutsideWindow => LogStatus::OutsideWindow,
        }
    }

    fn count_unlisted(&mut self, entry: usize, status: LogStatus, detail: &[u8]) -> io::Result<()> {
        let name = self.entries.name(entry);
        self.totals.count(Group::of(name.key, self.terms.by_month), status);
        match status.is_finding() {
            true => self.findings.push(Matter::Log(status), name.bucket, name.key, detail),
            false => Ok(()),
        }
    }
}

/// Patterns are held against the key and the whole path.
pub(super) fn is_accepted(accepted: &Globs, name: Name<'_>) -> bool {
    accepted.matches(name.key) || !name.bucket.is_empty() && accepted.matches(&[name.bucket, b"/", name.key].concat())
}

/// A log by one of its names.
struct Listing<'l> {
    terms: &'l LogTerms<'l>,
    entries: &'l Entries,
    at: usize,
}

impl<'l> Listing<'l> {
    fn judge(&self, log: &mut Log) -> (LogStatus, &'l [u8]) {
        let What::Listed(listed) = &self.entries.entries[self.at].what else {
            return (LogStatus::Conflict, b"");
        };
        let name = self.entries.name(self.at);
        let Said::One(sha) = listed.sha() else {
            self.claim(log, name, Lies::Named);
            return (LogStatus::Conflict, b"digests list different hashes for it");
        };
        if let Some((file, content)) = self.claim(log, name, Lies::Named) {
            return self.held(listed, sha, (file, content), log);
        }
        if self.is_elsewhere(log, name, sha) {
            return (LogStatus::Moved, b"it lies at another path of the bucket");
        }
        if !self.terms.mirrors.has(name.bucket) {
            for lies in [Lies::OtherBucket, Lies::Unplaced] {
                if let Some((file, content)) = self.claim(log, name, lies) {
                    return self.held(listed, sha, (file, content), log);
                }
            }
            if log.files.iter().any(|(file, _)| self.lies(*file, name).is_some_and(Self::is_apart)) {
                return (LogStatus::Moved, b"it lies at another path than the digests beside it");
            }
        }
        if !listed.is_asked {
            return (LogStatus::NotAsked, b"");
        }
        if self.terms.contents == LogContents::Hashed {
            return (LogStatus::Missing, b"a digest lists it, and it is not there");
        }
        self.stored(listed, name, log).unwrap_or((LogStatus::Unchecked, b""))
    }

    fn is_apart(lies: Lies) -> bool {
        matches!(lies, Lies::OtherBucket | Lies::Unplaced)
    }

    fn lies(&self, file: usize, name: Name<'_>) -> Option<Lies> {
        let What::File { root, .. } = &self.entries.entries[file].what else { return None };
        Some(self.terms.mirrors.lies(self.entries.path(file, *root), name))
    }

    /// Takes the files that lie so for this name; the worst of them, and what is in all of them.
    fn claim(&self, log: &mut Log, name: Name<'_>, wanted: Lies) -> Option<(&'l File, Said)> {
        let mut claimed: Option<(&File, Said)> = None;
        for (at, is_claimed) in &mut log.files {
            let What::File { root, content, file } = &self.entries.entries[*at].what else { continue };
            let path = self.entries.path(*at, *root);
            let is_wanted = self.terms.mirrors.lies(path, name) == wanted
                && (wanted == Lies::Named || self.terms.mirrors.is_stand_in(&path.before(), name));
            if !is_wanted {
                continue;
            }
            *is_claimed = true;
            claimed = Some(match claimed {
                None => (file, *content),
                Some((worst, said)) => (worst.max(file), said.and(*content)),
            });
        }
        claimed
    }

    /// Whether its content lies at another path of its bucket; the file is then told as this log.
    fn is_elsewhere(&self, log: &mut Log, name: Name<'_>, sha: Sha) -> bool {
        let mut is_there = false;
        for (at, is_claimed) in &mut log.files {
            let What::File { root, content, file } = &self.entries.entries[*at].what else { continue };
            let is_same = *file == File::Unread || *content == Said::One(sha);
            if is_same && self.terms.mirrors.lies(self.entries.path(*at, *root), name) == Lies::Elsewhere {
                (*is_claimed, is_there) = (true, true);
            }
        }
        is_there
    }

    /// What its files come to.
    fn held(&self, listed: &Listed, sha: Sha, (file, content): (&'l File, Said), log: &Log) -> (LogStatus, &'l [u8]) {
        let name = self.entries.name(self.at);
        match file {
            File::Malformed(detail) => (LogStatus::Malformed, detail),
            File::TrailingData => {
                (LogStatus::TrailingData, b"something follows its gzip member, which no digest knows of")
            }
            File::Unreadable => (LogStatus::Unreadable, b"it is there, and cannot be read"),
            File::Unread => self.stored(listed, name, log).unwrap_or((LogStatus::Unchecked, b"")),
            File::Hashed => match content {
                Said::One(found) if found != sha => {
                    (LogStatus::HashMismatch, b"its content is not that of the hash in the digest")
                }
                Said::One(_) => self.stored(listed, name, log).unwrap_or(match listed.proven {
                    Said::Nothing => {
                        (LogStatus::UnverifiedDigest, b"its hash agrees, and the digest that lists it is not verified")
                    }
                    _ => (LogStatus::Verified, b""),
                }),
                _ => (LogStatus::Conflict, b"digests list different hashes for it, or files of it differ"),
            },
        }
    }

    /// What the inventory of its bucket says; nothing if it says that the log is stored.
    fn stored(&self, listed: &Listed, name: Name<'_>, log: &Log) -> Option<(LogStatus, &'l [u8])> {
        let inventory = self.terms.inventory.filter(|_| listed.is_asked)?;
        let is_stored = |wanted: Name<'_>| log.stored.iter().any(|row| self.entries.name(*row) == wanted);
        let judge = |wanted: Name<'_>| -> Option<Option<LogStatus>> {
            let time = inventory.time_of(wanted.bucket)?;
            Some(if is_stored(wanted) { None } else { time.missing(listed.end) })
        };
        let status = match judge(name) {
            Some(status) => status,
            None if self.terms.mirrors.has(name.bucket) => Some(LogStatus::NotCoveredByInventory),
            // What stands in for the bucket: the log must be in all of it.
            None => {
                let path = path_of(name.key);
                let places = self.terms.mirrors.stand_ins(name).unwrap_or_default().iter();
                let places: Vec<Vec<u8>> = places.map(|before| [before, path].concat()).collect();
                let judged = places.iter().filter_map(|place| {
                    let slash = memchr::memchr(b'/', place)?;
                    judge(Name::new(&place[..slash], &place[slash + 1..]))
                });
                judged.max().unwrap_or(Some(LogStatus::NotCoveredByInventory))
            }
        };
        let detail: &[u8] = match status? {
            LogStatus::NotInInventory => b"a digest lists it, and it is not in the inventory",
            LogStatus::TooNew => b"it is not in the inventory, which may have been made too early to know it",
            _ => b"",
        };
        status.map(|status| (status, detail))
    }
}

impl Group {
    pub(super) fn of(key: &[u8], by_month: bool) -> Self {
        let parsed = ObjectKey::parse(key);
        let month = parsed.date.filter(|_| by_month);
        let month = month.and_then(|(year, month, day)| Timestamp::from_date(year, month, day)).map(Timestamp::month);
        Self { account: parsed.account, region: parsed.region, month }
    }
}

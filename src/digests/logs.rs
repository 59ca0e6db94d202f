//! Log by log: what digests list, what is there, and whether they agree.
//!
//! Whatever is said of a log is folded into one state, in any order and however often it is said, so memory depends on
//! the number of logs alone; partitions that are too large are done in slices.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::LogContents;
use super::findings::{Findings, Matter};
use super::judge::Statuses;
use super::keys::Sha;
use super::records::{Found, LogRecord};
use super::status::{LogStatus, LogTally, Trust};
use crate::join::{JoinKey, Varied};
use crate::object_key::{Account, ObjectKey, Region};
use crate::timestamp::{Month, Timestamp};

/// So many groups are counted apart; logs of others are counted under no account.
const MAX_GROUPS: usize = 200_000;

/// Where and when logs are from, as far as their keys say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) account: Option<Account>,
    pub(super) region: Option<Region>,
    pub(super) month: Option<Month>,
}

/// What logs are held against.
#[derive(Clone, Copy)]
pub(super) struct Terms<'t> {
    pub(super) statuses: &'t Statuses,
    pub(super) contents: LogContents,
    /// When the inventory was made, if there is a whole one.
    pub(super) inventory: Option<InventoryTime>,
    /// Whether logs are counted month by month.
    pub(super) by_month: bool,
}

/// When an inventory was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct InventoryTime(pub(super) Option<Timestamp>);

/// One hash, or several that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    One(Sha),
    Several,
}

/// All that is known of a log.
struct State {
    /// By digests that are verified, that may be right, and that something speaks against.
    proven: Said,
    unproven: Said,
    doubtful: Said,
    /// The end of the first digest that lists it.
    listed_by: Option<Timestamp>,
    content: Said,
    /// The worst of its files.
    file: File,
    stored: Option<Option<Timestamp>>,
    /// How good the best of its names is, and where that is.
    rank: u8,
    name: (usize, usize, usize),
}

/// What the files of a log are like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum File {
    Absent,
    Unread,
    Hashed,
    TrailingData,
    Malformed(Box<[u8]>),
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

impl State {
    fn new() -> Self {
        Self {
            proven: Said::Nothing,
            unproven: Said::Nothing,
            doubtful: Said::Nothing,
            listed_by: None,
            content: Said::Nothing,
            file: File::Absent,
            stored: None,
            rank: u8::MAX,
            name: (0, 0, 0),
        }
    }

    fn add(&mut self, record: &LogRecord<'_>, statuses: &Statuses, names: &mut Vec<u8>) {
        // Digests name logs best, and folders worst: they may be those of a copy.
        let rank = match *record {
            LogRecord::Listed { digest, sha, end, .. } => {
                let said = match statuses.get(digest).trust() {
                    Trust::Proven => &mut self.proven,
                    Trust::Unproven => &mut self.unproven,
                    Trust::Doubtful => &mut self.doubtful,
                };
                said.add(sha);
                self.listed_by = Some(self.listed_by.map_or(end, |first| first.min(end)));
                0
            }
            LogRecord::Present { found, .. } => {
                let file = match found {
                    Found::Unread => File::Unread,
                    Found::Hashed(sha) => {
                        self.content.add(sha);
                        File::Hashed
                    }
                    Found::TrailingData => File::TrailingData,
                    Found::Malformed(detail) => File::Malformed(detail.into()),
                };
                if file > self.file {
                    self.file = file;
                }
                2
            }
            LogRecord::Stored { modified, .. } => {
                self.stored = Some(self.stored.map_or(modified, |first| first.min(modified)));
                1
            }
        };
        let (bucket, key) = record.name();
        let (known_bucket, known_key) = self.name(names);
        if (rank, bucket, key) < (self.rank, known_bucket, known_key) {
            let from = names.len();
            names.extend_from_slice(bucket);
            names.extend_from_slice(key);
            (self.rank, self.name) = (rank, (from, from + bucket.len(), names.len()));
        }
    }

    /// Its bucket and its key.
    fn name<'n>(&self, names: &'n [u8]) -> (&'n [u8], &'n [u8]) {
        let (from, key, to) = self.name;
        (&names[from..key], &names[key..to])
    }

    /// Nothing if it is neither listed nor a file of a root.
    fn judge(&self, terms: &Terms<'_>) -> Option<(LogStatus, &[u8])> {
        let listed = self.listed();
        let is_gone = |time: &Timestamp| self.stored.is_none() && terms.is_older(*time);
        let status = match (&self.file, listed) {
            (File::Absent, Said::Nothing) if self.stored.is_some() => LogStatus::Unreferenced,
            (File::Absent, Said::Nothing) => return None,
            (_, Said::Nothing) => LogStatus::Unreferenced,
            (_, Said::Several) => LogStatus::Conflict,
            (File::Absent, Said::One(_)) if terms.contents == LogContents::Hashed => LogStatus::Missing,
            (File::Malformed(detail), Said::One(_)) => return Some((LogStatus::Malformed, detail)),
            (File::TrailingData, Said::One(_)) => LogStatus::TrailingData,
            (File::Hashed, Said::One(sha)) => match self.content {
                Said::One(found) if found != sha => LogStatus::HashMismatch,
                Said::One(_) if terms.inventory.is_some() && self.listed_by.as_ref().is_some_and(is_gone) => {
                    LogStatus::NotInInventory
                }
                Said::One(_) if self.proven != Said::Nothing => LogStatus::Verified,
                Said::One(_) => LogStatus::UnverifiedDigest,
                _ => LogStatus::Conflict,
            },
            (File::Absent | File::Unread, Said::One(_)) if self.listed_by.as_ref().is_some_and(is_gone) => {
                LogStatus::NotInInventory
            }
            (File::Absent | File::Unread, Said::One(_)) => LogStatus::Unchecked,
        };
        Some((status, detail(status, &self.file)))
    }

    /// The hash that it should have. What is only said by digests that something speaks against counts for nothing where
    /// a better one lists the log.
    fn listed(&self) -> Said {
        match (self.proven, self.unproven) {
            (Said::Nothing, unproven) => unproven.and(self.doubtful),
            (proven, unproven) => proven.and(unproven),
        }
    }
}

impl Terms<'_> {
    /// Whether a log that was delivered by then must be in the inventory.
    fn is_older(&self, delivered: Timestamp) -> bool {
        match self.inventory {
            None => false,
            Some(InventoryTime(None)) => true,
            Some(InventoryTime(Some(made))) => delivered < made,
        }
    }
}

fn detail(status: LogStatus, file: &File) -> &'static [u8] {
    match (status, file) {
        (LogStatus::Missing, _) => b"a digest lists it, and it is not there",
        (LogStatus::TrailingData, _) => b"something follows its gzip member, which no digest knows of",
        (LogStatus::HashMismatch, _) => b"its content is not that of the hash in the digest",
        (LogStatus::Conflict, File::Hashed) => b"digests list different hashes for it, or files of it differ",
        (LogStatus::Conflict, _) => b"digests list different hashes for it",
        (LogStatus::UnverifiedDigest, _) => b"its hash agrees, and the digest that lists it is not verified",
        (LogStatus::NotInInventory, _) => b"a digest lists it, and it is not in the inventory",
        (LogStatus::Unreferenced, File::Absent) => b"it is in the inventory, and no digest lists it",
        (LogStatus::Unreferenced, _) => b"no digest lists it",
        _ => b"",
    }
}

/// What logs come to.
#[derive(Debug, Default)]
pub(super) struct LogTotals {
    pub(super) tally: LogTally,
    pub(super) groups: BTreeMap<Group, LogTally>,
}

impl LogTotals {
    fn count(&mut self, group: Group, status: LogStatus) {
        self.tally.count(status);
        self.groups.entry(group).or_default().count(status);
        self.trim();
    }

    /// Keeps the first groups. One that is not among the first of a worker is not among the first of all.
    fn trim(&mut self) {
        while self.groups.len() > MAX_GROUPS
            && let Some((_, tally)) = self.groups.pop_last()
        {
            self.groups.entry(Group::default()).or_default().merge(&tally);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        other.groups.iter().for_each(|(group, tally)| self.groups.entry(*group).or_default().merge(tally));
        self.trim();
    }
}

/// Judges logs, and keeps what it finds.
pub(super) struct LogJudge<'j> {
    pub(super) terms: &'j Terms<'j>,
    pub(super) findings: Findings<'j>,
    pub(super) totals: LogTotals,
    /// The logs of a slice, and their names.
    states: HashMap<JoinKey, State, foldhash::fast::RandomState>,
    names: Vec<u8>,
}

impl<'j> LogJudge<'j> {
    pub(super) fn new(terms: &'j Terms<'j>, findings: Findings<'j>) -> Self {
        Self { terms, findings, totals: LogTotals::default(), states: HashMap::default(), names: Vec::new() }
    }

    /// Judges the logs of a partition.
    pub(super) fn partition(&mut self, logs: &Varied, partition: usize, room: u64) -> io::Result<()> {
        let slices = logs.slices(partition, room);
        for slice in 0..slices {
            let Self { terms, states, names, .. } = self;
            states.clear();
            names.clear();
            logs.read(partition, (slice, slices), &mut |key, record| {
                let Some(record) = LogRecord::take(record) else { return };
                states.entry(key).or_insert_with(State::new).add(&record, terms.statuses, names);
            })?;
            self.judge()?;
        }
        logs.remove(partition);
        Ok(())
    }

    fn judge(&mut self) -> io::Result<()> {
        for state in self.states.values() {
            let Some((status, detail)) = state.judge(self.terms) else { continue };
            let (bucket, key) = state.name(&self.names);
            self.totals.count(Group::of(key, self.terms.by_month), status);
            if !matches!(status, LogStatus::Verified | LogStatus::Unchecked) {
                self.findings.push(Matter::Log(status), bucket, key, detail)?;
            }
        }
        Ok(())
    }
}

impl Group {
    fn of(key: &[u8], by_month: bool) -> Self {
        let parsed = ObjectKey::parse(key);
        let month = parsed.date.filter(|_| by_month);
        let month = month.and_then(|(year, month, day)| Timestamp::from_date(year, month, day)).map(Timestamp::month);
        Self { account: parsed.account, region: parsed.region, month }
    }
}

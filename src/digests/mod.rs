//! Offline proof that CloudTrail logs are complete and untouched, from the digests that CloudTrail delivers beside them.
//!
//! ```text
//! roots, archives -> object -> content -> slot records -> verify -> chains -> gaps, window
//! roots, archive     collect   member       join          judge     chains
//!                                   \--> log records -----> logs (who lists what, what is there)
//!                                           join            logs
//! ```
//!
//! Objects are read once, in any order and by many workers. What is known of a digest, and what the digest after it
//! carries for it, meet in the join by the path of the digest; the same goes for logs. So memory depends neither on the
//! number of digests nor on how they are stored. Everything that is read may be forged: the public keys alone are trusted.

mod archive;
mod chains;
mod collect;
mod content;
mod fields;
mod findings;
mod inventory;
mod judge;
mod keys;
mod logs;
mod member;
mod metadata;
mod mirrors;
mod records;
mod roots;
mod slot;
mod status;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::assumptions::{AssumptionName, Assumptions};
use crate::join::{PARTITIONS, Varied};
use crate::object_key::{Account, Region};
use crate::plan::Plan;
use crate::policy::Globs;
use crate::sinks::{OutputError, OutputFolder, OutputKind, SUMMARY_FILE, Sorter};
use crate::source::{self, GivenPaths};
use crate::store;
use crate::timestamp::Timestamp;
use crate::work::{Cancel, Crew, Stopped, Watch, lock};

use chains::{ChainWalk, EventWriter, Walked};
use collect::{Collector, SharedDigests};
use findings::{DigestFindings, HEADER, Matter, Worst};
use judge::{DigestTotals, Judge, Statuses};
use keys::PublicKeys;
use logs::{LogJudge, LogTerms, LogTotals};
use metadata::MAX_ANSWER_LEN;
use mirrors::Mirrors;
use roots::{Roots, Walk};
use slot::path_of;
use status::LogStatus as Log;

pub use chains::{AcceptedEdges, ChainLine, Window};
pub use collect::Fault as ObjectFault;
pub use inventory::{InventoryBucket, InventoryFacts};
pub use keys::{KeyList, KeyListError};
pub use slot::ChainKind;
pub use status::{DigestStatus, LogStatus};
pub use summary::{
    AcceptedLine, DIGESTS_SCHEMA, DigestsReason, DigestsSummary, DigestsTiming, MonthPlace, NoChain, PlaceLine,
    WindowLine,
};

/// So many bytes are held in memory unless told otherwise.
pub const DEFAULT_MEMORY: u64 = 128 << 20;
/// S3 says that objects of the last two days may be missing from an inventory.
pub const DEFAULT_INVENTORY_LAG: Duration = Duration::from_secs(48 * 3600);

/// What is to be verified, and how.
#[derive(Clone, Debug)]
pub struct DigestsOptions {
    /// Mirrored trees, and archives of such trees.
    pub roots: Vec<PathBuf>,
    /// What `aws cloudtrail list-public-keys` printed.
    pub public_keys: Vec<PathBuf>,
    /// What `aws s3api head-object` printed, one object a line.
    pub metadata: Vec<PathBuf>,
    /// Whether logs are read.
    pub log_contents: LogContents,
    /// What must be covered.
    pub window: Window,
    /// What may be missing from it.
    pub accepted_edges: AcceptedEdges,
    /// Patterns of files in log folders that no digest has to list.
    pub accepted_unreferenced: Vec<String>,
    /// How long before an inventory was made a log must have been delivered to be in it.
    pub inventory_lag: Duration,
    /// How many workers there are; nought is taken for one.
    pub jobs: usize,
    /// How many bytes of records are held in memory; others go to temporary files.
    pub memory: u64,
    /// Where these are made; the output folder if nothing is said.
    pub temp_dir: Option<PathBuf>,
}

impl DigestsOptions {
    /// What a result takes for granted.
    fn assumptions(&self, inventory: Option<&InventoryFacts>) -> Assumptions {
        let mut assumptions = inventory.map(|facts| facts.assumptions.clone()).unwrap_or_default();
        for pattern in &self.accepted_unreferenced {
            assumptions.add(AssumptionName::UnreferencedAccepted, pattern.as_str());
        }
        let AcceptedEdges { starts, ends } = self.accepted_edges;
        if starts {
            assumptions.add(AssumptionName::ChainStartsAccepted, "");
        }
        if ends {
            assumptions.add(AssumptionName::ChainEndsAccepted, "");
        }
        if inventory.is_some() && self.inventory_lag != DEFAULT_INVENTORY_LAG {
            assumptions.add(AssumptionName::InventoryLag, format!("{}h", self.inventory_lag.as_secs() / 3600));
        }
        assumptions
    }
}

/// Whether logs are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogContents {
    /// It is only noted that they are there.
    Ignored,
    /// They are hashed.
    Hashed,
}

/// Why nothing could be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DigestsError {
    /// A list of public keys.
    #[error("cannot use the public keys: {}: {error}", path.display())]
    PublicKeys {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: KeyListError,
    },
    /// A root.
    #[error("cannot open: {}: {error}", path.display())]
    Root {
        /// As it was given.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// Temporary files.
    #[error("temporary files: {0}")]
    Temporary(#[source] io::Error),
    /// The workers stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Nothing could be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl DigestsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::PublicKeys { .. } => Some("give what `aws cloudtrail list-public-keys` printed, unchanged"),
            Self::Temporary(error) if error.kind() == io::ErrorKind::StorageFull => {
                Some("name a folder with more room with --temp-dir, or allow more --memory")
            }
            Self::Output(error) => error.hint(),
            _ => None,
        }
    }
}

/// How memory is shared out.
struct Rooms {
    /// For records of digests, and for those of logs.
    held: u64,
    /// For each worker that joins.
    joined: u64,
    /// For each worker that sorts.
    sorted: usize,
}

impl Rooms {
    fn new(memory: u64, jobs: usize) -> Self {
        let of_worker = memory / jobs as u64;
        Self { held: memory / 4, joined: of_worker / 4, sorted: (of_worker / 8).clamp(64 << 10, 16 << 20) as usize }
    }
}

/// Verifies all digests, and the logs that they list, which are held against an inventory if there is one. The folder
/// gets its files only when all of them are complete; a finished result in it is refused unless `overwrite` is set.
pub fn verify_digests(
    options: &DigestsOptions,
    inventory: Option<&Plan>,
    (out, overwrite): (&Path, bool),
    watch: Watch<'_>,
) -> Result<DigestsSummary, DigestsError> {
    let verification = Verification::new(options, inventory)?;
    let mut output = OutputFolder::create_for(OutputKind::Digests, out, overwrite)?;
    let summary = verification.run(&mut output, "findings.csv", watch)?;
    output.write_json(SUMMARY_FILE, &summary)?;
    if watch.cancel.is_cancelled() {
        return Err(Stopped::Cancelled.into());
    }
    output.publish()?;
    Ok(summary)
}

/// A verification that can begin: there are keys to trust.
pub(crate) struct Verification<'v> {
    options: &'v DigestsOptions,
    inventory: Option<&'v Plan>,
    keys: PublicKeys,
    key_lists: Vec<KeyList>,
    /// Whether listed logs are kept for key evidence.
    keeps_listed: bool,
}

impl<'v> Verification<'v> {
    pub(crate) fn new(options: &'v DigestsOptions, inventory: Option<&'v Plan>) -> Result<Self, DigestsError> {
        let (keys, key_lists) = PublicKeys::load(&options.public_keys)?;
        Ok(Self { options, inventory, keys, key_lists, keeps_listed: false })
    }

    /// Also keeps what key evidence is held against.
    pub(crate) fn keep_listed(self, keeps_listed: bool) -> Self {
        Self { keeps_listed, ..self }
    }

    /// Everything that is not verified goes to a file of the output.
    pub(crate) fn run(
        self,
        output: &mut OutputFolder,
        file: &'static str,
        Watch { cancel, progress }: Watch<'_>,
    ) -> Result<DigestsSummary, DigestsError> {
        let Self { options, inventory, keys, key_lists, keeps_listed } = self;
        let (started, started_at) = (Instant::now(), Timestamp::now());
        let folder = options.temp_dir.as_deref().unwrap_or(output.staging());
        let folder = store::temp_folder(Some(folder)).map_err(DigestsError::Temporary)?;
        let jobs = options.jobs.max(1);
        let rooms = Rooms::new(options.memory, jobs);
        let slots = Varied::new(rooms.held, folder.path(), "digests");
        let logs = Varied::new(rooms.held, folder.path(), "logs");
        let roots = Roots::open(&options.roots)?;
        let accepted = Globs::new(options.accepted_unreferenced.iter().map(String::as_str));
        let reading = (options.log_contents, options.window);
        let given = GivenPaths::new(options.roots.iter().chain(&options.metadata).map(PathBuf::as_path));
        let shared = SharedDigests::new((&slots, &logs), reading, (roots.outers(), given), progress);
        read_metadata(&options.metadata, &shared)?;
        Walk::new((&roots, &accepted), jobs, &shared, cancel).run()?;
        let lag_ms = i64::try_from(options.inventory_lag.as_millis()).unwrap_or(i64::MAX);
        let inventory = inventory.map(|plan| inventory::read((plan, lag_ms), &shared, jobs, cancel)).transpose()?;

        let mut collected = shared.take_total();
        if collected.seen.is_full {
            collected.add_fault(
                "too_many_places",
                "",
                "there are too many prefixes, buckets or folders to tell them apart",
            );
        }
        let mirrors = Mirrors::new(std::mem::take(&mut collected.seen), roots.outers());
        let statuses = Statuses::new(shared.digests());
        let findings = Sorter::new(folder.path(), "findings", rooms.sorted);
        let events = Sorter::new(folder.path(), "chains", rooms.sorted);
        let judges =
            Judges { jobs, room: rooms.joined, cancel, statuses: &statuses, mirrors: &mirrors, findings: &findings };
        let (mut digests, mut worst) = judges.digests(&slots, &keys, &events)?;
        let walked = walk_chains(options, events, &findings, (&mut digests, &mut worst))?;
        let terms = LogTerms {
            statuses: &statuses,
            contents: options.log_contents,
            mirrors: &mirrors,
            times: &walked.times,
            accepted: &accepted,
            inventory: inventory.as_ref(),
            by_month: inventory.is_some(),
            keeps_listed,
        };
        let totals = judges.logs(&logs, &terms, &mut worst)?;
        let no_chain = without_chain(&totals, &walked);
        tell_without_chain(&no_chain, &findings, &mut worst)?;
        output.write(file, |out| {
            out.write_all(HEADER)?;
            findings.finish(&mut |line| out.write_all(line))
        })?;
        digests.unplaced += u64::from(mirrors.is_ambiguous);
        Ok(DigestsSummary::new(summary::Facts {
            options,
            key_lists,
            inventory,
            digests,
            logs: totals,
            walked,
            no_chain,
            collected,
            worst,
            times: (started_at, started.elapsed()),
            keeps_listed,
        }))
    }
}

/// Everybody who judges, partition by partition.
struct Judges<'j> {
    jobs: usize,
    /// For the records that each of them holds.
    room: u64,
    cancel: &'j Cancel,
    statuses: &'j Statuses,
    mirrors: &'j Mirrors,
    findings: &'j Sorter,
}

impl Judges<'_> {
    fn digests(
        &self,
        slots: &Varied,
        keys: &PublicKeys,
        events: &Sorter,
    ) -> Result<(DigestTotals, Worst), DigestsError> {
        let found = Mutex::new((DigestTotals::default(), Worst::new()));
        let begin = || Judge {
            keys,
            statuses: self.statuses,
            mirrors: self.mirrors,
            findings: DigestFindings::new(self.findings),
            events: EventWriter::new(events),
            totals: DigestTotals::default(),
        };
        let judge = |judge: &mut Judge<'_>, partition| judge_slots(slots, (partition, self.room), judge);
        each_partition(self.jobs, self.cancel, &begin, &judge, &|Judge { findings, events, totals, .. }| {
            let (digests, worst) = &mut *lock(&found);
            digests.merge(&totals);
            events.finish()?;
            findings.finish(worst)
        })?;
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds to the worst.
    fn logs(&self, logs: &Varied, terms: &LogTerms<'_>, worst: &mut Worst) -> Result<LogTotals, DigestsError> {
        let found = Mutex::new((LogTotals::default(), worst));
        let begin = || LogJudge::new(terms, DigestFindings::new(self.findings));
        let judge = |judge: &mut LogJudge<'_>, partition| judge.partition(logs, partition, self.room);
        each_partition(self.jobs, self.cancel, &begin, &judge, &|LogJudge { findings, totals, .. }| {
            let (logs, worst) = &mut *lock(&found);
            logs.merge(totals);
            findings.finish(worst)
        })?;
        let (totals, _) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(totals)
    }
}

/// Accounts and Regions that have logs in the window, and no hourly chain.
fn without_chain(logs: &LogTotals, walked: &Walked) -> Vec<NoChain> {
    let mut places: BTreeMap<(Option<Account>, Option<Region>), u64> = BTreeMap::new();
    for (group, tally) in &logs.groups {
        let asked = (tally.listed() - tally.get(Log::NotAsked)) + tally.get(Log::Unreferenced);
        if asked > 0 && !walked.times.has_chain(group.account, group.region) {
            *places.entry((group.account, group.region)).or_default() += asked;
        }
    }
    // A late digest proves that there was an hourly one.
    for (account, region) in walked.times.only_backfilled() {
        places.entry((Some(account), Some(region))).or_default();
    }
    let line = |((account, region), logs): ((Option<Account>, Option<Region>), u64)| NoChain {
        account: account.map_or("-".to_owned(), |account| account.to_string()),
        region: region.map_or("-".to_owned(), |region| region.to_string()),
        logs,
    };
    places.into_iter().map(line).collect()
}

fn tell_without_chain(lines: &[NoChain], to: &Sorter, worst: &mut Worst) -> Result<(), DigestsError> {
    let mut findings = DigestFindings::new(to);
    for NoChain { account, region, logs } in lines {
        let key = format!("AWSLogs/{account}/CloudTrail-Digest/{region}/");
        let logs = if *logs == 1 { "1 log".to_owned() } else { format!("{logs} logs") };
        let detail = format!("{logs} of account {account} in {region}, and no hourly chain");
        let told = findings.push(Matter::NoChain, b"", key.as_bytes(), detail.as_bytes());
        told.map_err(DigestsError::Temporary)?;
    }
    findings.finish(worst).map_err(DigestsError::Temporary)
}

fn judge_slots(slots: &Varied, (partition, room): (usize, u64), judge: &mut Judge<'_>) -> io::Result<()> {
    let slices = slots.slices(partition, room);
    for slice in 0..slices {
        let loaded = slots.load(partition, (slice, slices))?;
        for (_, records) in loaded.groups() {
            judge.slot(records)?;
        }
    }
    slots.remove(partition);
    Ok(())
}

fn walk_chains(
    options: &DigestsOptions,
    events: Sorter,
    findings: &Sorter,
    (totals, worst): (&mut DigestTotals, &mut Worst),
) -> Result<Walked, DigestsError> {
    let mut findings = DigestFindings::new(findings);
    let mut walk = ChainWalk::new((options.window, options.accepted_edges), &mut findings);
    let walked = events.finish(&mut |event| walk.event(event, &mut totals.tally)).and_then(|()| walk.finish());
    let walked = walked.map_err(DigestsError::Temporary)?;
    findings.finish(worst).map_err(DigestsError::Temporary)?;
    Ok(walked)
}

/// Does all partitions with `jobs` workers.
fn each_partition<W>(
    jobs: usize,
    cancel: &Cancel,
    begin: &(dyn Fn() -> W + Sync),
    each: &(dyn Fn(&mut W, usize) -> io::Result<()> + Sync),
    end: &(dyn Fn(W) -> io::Result<()> + Sync),
) -> Result<(), DigestsError> {
    let temporary = DigestsError::Temporary;
    Crew::new(jobs, cancel).each(
        PARTITIONS,
        begin,
        |worker, partition| each(worker, partition).map_err(temporary),
        |worker| end(worker).map_err(temporary),
    )
}

/// Reads what is known of digests from outside: an object a line.
fn read_metadata(paths: &[PathBuf], shared: &SharedDigests<'_>) -> Result<(), DigestsError> {
    let mut collector = Collector::new(shared);
    for path in paths {
        let open = |error| DigestsError::Root { path: path.clone(), error };
        let mut lines = BufReader::new(source::open(path).map_err(open)?);
        let (mut line, mut number) = (Vec::new(), 0_u64);
        loop {
            line.clear();
            let read = io::Read::take(&mut lines, MAX_ANSWER_LEN as u64).read_until(b'\n', &mut line);
            if read.map_err(open)? == 0 {
                break;
            }
            number += 1;
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let why = match metadata::parse(text) {
                Ok((Some(key), Some(metadata))) => {
                    let pushed = collector.push_metadata(path_of(key.as_bytes()), &metadata);
                    pushed.map_err(DigestsError::Temporary)?;
                    continue;
                }
                // Answers about logs have no signature.
                Ok((Some(_), None)) => continue,
                Ok((None, _)) => "it names no Key".to_owned(),
                Err(error) => error.to_string(),
            };
            let place = format!("{}: line {number}", collector.name(path));
            collector.fault("metadata_bad_line", &place, &why);
        }
    }
    collector.finish().map_err(DigestsError::Temporary)
}

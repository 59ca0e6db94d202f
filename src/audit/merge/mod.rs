//! Shards to a whole: joins the outputs of `audit --shard N/M`.
//!
//! Each shard leaves its [`Partial`] and the lengths of its lines for each unit, in a file that is sealed, so lists are
//! joined unit by unit without looking into them. The result is, byte for byte, what one audit of everything would have
//! written. What is not as its shard left it, or does not belong together, is refused before anything gets its final name.
//!
//! Shards are read one after the other, and few of their files are open at once: there may be any number of them.

mod agreement;
mod lists;
mod sums;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use agreement::Disagreement;
use agreement::Party;
use lists::{ListsOfShard, ShardLists};

use super::AuditError;
use super::AuditFacts;
use super::CampaignOptions;
use super::Run;
use super::Scope;
use super::Summary;
use super::publish::{AuditResult, FinishedLists, write};
pub use super::shard::NoPartial;
use super::shard::{Broken, ShardFile, Shards};
use super::{replaced, sources};
use crate::partial::{MergeError, Partial};
use crate::sinks::{OutputError, OutputFolder, PARTIAL_FILE};
use crate::source::FileFault;
use crate::timestamp::Timestamp;
use crate::work::{Cancel, Stopped};

/// Why shards cannot be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeJobError {
    /// The folder holds no shard.
    #[error("the folder holds no finished shard (no {PARTIAL_FILE}): {}", .0.display())]
    NoShard(PathBuf),
    /// A file of a shard cannot be read.
    #[error("cannot read the output of a shard: {}: {fault}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: FileFault,
    },
    /// Its `partial.json` is not one of this version.
    #[error("not the partial of a shard: {}: {error}", path.display())]
    NoPartial {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: NoPartial,
    },
    /// Its `partial.json` has no seal.
    #[error("the shard was written by version 0.1.0, which did not seal it: {}", .0.display())]
    Unsealed(PathBuf),
    /// A file has been changed since the shard was written.
    #[error("the file is not as the shard left it: {}", .0.display())]
    Changed(PathBuf),
    /// The shards do not belong together.
    #[error("cannot merge {} with {}: {error}", one.display(), other.display())]
    Disagreement {
        /// A shard.
        one: PathBuf,
        /// One that does not fit it.
        other: PathBuf,
        /// Why not.
        error: Disagreement,
    },
    /// The shards do not belong together.
    #[error("cannot merge {}: {error}", path.display())]
    Merge {
        /// The shard that does not fit the ones before it.
        path: PathBuf,
        /// Why not.
        error: MergeError,
    },
    /// Nothing could be written.
    #[error(transparent)]
    Write(AuditError),
}

impl MergeJobError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoShard(_) | Self::NoPartial { .. } => Some("merge takes folders written by audit --shard N/M"),
            Self::Read { .. } | Self::Changed(_) => Some("run that shard again, or copy its whole folder again"),
            Self::Unsealed(_) => Some("run that shard again, with this version"),
            Self::Disagreement { error, .. } => Some(error.hint()),
            Self::Merge { .. } => Some("run all shards with the same sources, policy, options and version"),
            Self::Write(_) => None,
        }
    }
}

impl From<AuditError> for MergeJobError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Output(error) => error.into(),
            error => Self::Write(error),
        }
    }
}

impl From<OutputError> for MergeJobError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Changed(path) => Self::Changed(path),
            OutputError::Read { path, fault } => Self::Read { path, fault },
            error => Self::Write(error.into()),
        }
    }
}

/// Joins the outputs of shards. One that still lacks shards can be merged again.
pub fn merge(
    folders: &[PathBuf],
    out: &Path,
    overwrite: bool,
    campaign: &CampaignOptions,
    cancel: &Cancel,
) -> Result<Summary, MergeJobError> {
    let Some((first, others)) = folders.split_first() else { return Err(MergeJobError::NoShard(PathBuf::new())) };
    // One after the other: two partials are held at most.
    let mut whole = Joined::new(first, read(first)?)?;
    others.iter().try_for_each(|folder| whole.add(folder, read(folder)?))?;
    let mut output = OutputFolder::create(out, overwrite)?;
    replaced::check(out, &whole.facts.policy_text)?;
    sources::keep_of_shard(&mut output, whole.folders.values().next().unwrap_or(first), &whole.facts)?;
    let manifest_rows = whole.partial.terms.manifest_rows;
    let written = whole.lists.write(&mut output, &whole.facts, manifest_rows, cancel);
    if cancel.is_cancelled() {
        return Err(AuditError::from(Stopped::Cancelled).into());
    }
    let files = written?;
    let part = (!whole.is_whole()).then(|| (whole.shards, whole.lists.lengths()));
    let scope = Scope { units_planned: whole.facts.units, shard: None, digests: None };
    let result = AuditResult::new(whole.facts, whole.partial, scope);
    Ok(write(output, result, FinishedLists { files, part }, || whole.run.into(), campaign, cancel)?)
}

/// Reads the shard of a folder. Its counts add up, and its units are those that its shards have.
fn read(folder: &Path) -> Result<ShardFile<'static>, MergeJobError> {
    let path = folder.join(PARTIAL_FILE);
    let shard = ShardFile::read(folder).map_err(|broken| match broken {
        Broken::File(FileFault::Missing) => MergeJobError::NoShard(folder.to_owned()),
        Broken::File(fault) => MergeJobError::Read { path: path.clone(), fault },
        Broken::Seal => MergeJobError::Changed(path.clone()),
        Broken::Unsealed => MergeJobError::Unsealed(path.clone()),
        Broken::Content(error) => MergeJobError::NoPartial { path: path.clone(), error },
    })?;
    sums::check(&shard).map_err(|why| MergeJobError::NoPartial { path, error: NoPartial::Sums(why) })?;
    Ok(shard)
}

/// The shards that have been read.
struct Joined {
    /// Those of the first shard: whatever the order of the arguments, it speaks for the whole.
    facts: AuditFacts,
    shards: Shards,
    /// Where each of them is, for messages.
    folders: BTreeMap<u32, PathBuf>,
    partial: Partial,
    run: RunSpan,
    lists: ShardLists,
}

impl Joined {
    fn new(folder: &Path, shard: ShardFile<'static>) -> Result<Self, MergeJobError> {
        let (run, shards) = (RunSpan::of(&shard), shard.shards.clone());
        let folders = shards.numbers.iter().map(|number| (*number, folder.to_owned())).collect();
        let (facts, partial, of_shard) = ListsOfShard::of(shard);
        let mut lists = ShardLists::default();
        lists.add(folder, of_shard)?;
        Ok(Self { facts, shards, folders, partial, run, lists })
    }

    fn add(&mut self, folder: &Path, shard: ShardFile<'static>) -> Result<(), MergeJobError> {
        let ours = Party { shards: &self.shards, facts: &self.facts, terms: &self.partial.terms };
        let theirs = Party { shards: &shard.shards, facts: &shard.facts, terms: &shard.partial.terms };
        agreement::check(ours, theirs).map_err(|error| self.disagree(folder, error))?;
        self.run.add(&RunSpan::of(&shard));
        let numbers = shard.shards.numbers.clone();
        let (mut facts, partial, lists) = ListsOfShard::of(shard);
        self.partial.merge(partial).map_err(|error| MergeJobError::Merge { path: folder.to_owned(), error })?;
        self.lists.add(folder, lists)?;
        let allow_empty = self.facts.allow_empty && facts.allow_empty;
        if numbers.first() < self.shards.numbers.first() {
            std::mem::swap(&mut self.facts, &mut facts);
        }
        agreement::keep_faults(&mut self.facts, &facts);
        self.facts.allow_empty = allow_empty;
        self.folders.extend(numbers.iter().map(|number| (*number, folder.to_owned())));
        self.shards.numbers.extend(numbers);
        Ok(())
    }

    /// The shard that speaks for the whole is the other one, unless it is the very one that is there twice.
    fn disagree(&self, folder: &Path, error: Disagreement) -> MergeJobError {
        let first = match error {
            Disagreement::ShardTwice { number, .. } => self.folders.get(&number),
            _ => self.folders.values().next(),
        };
        MergeJobError::Disagreement { one: first.cloned().unwrap_or_default(), other: folder.to_owned(), error }
    }

    /// Whether exactly the units of the plan are there: none is there twice, and none is of no plan.
    fn is_whole(&self) -> bool {
        self.shards.count(self.facts.units) == self.facts.units
            && (self.partial.examined.len() + self.partial.faulted.len()) as u64 == self.facts.units
    }
}

struct RunSpan {
    started_at: i64,
    finished_at: i64,
    elapsed_ms: u64,
}

impl RunSpan {
    fn of(shard: &ShardFile<'_>) -> Self {
        Self { started_at: shard.started_at, finished_at: shard.finished_at, elapsed_ms: shard.elapsed_ms }
    }

    fn add(&mut self, other: &Self) {
        self.started_at = self.started_at.min(other.started_at);
        self.finished_at = self.finished_at.max(other.finished_at);
        self.elapsed_ms = self.elapsed_ms.saturating_add(other.elapsed_ms);
    }
}

impl From<RunSpan> for Run {
    fn from(span: RunSpan) -> Self {
        let time = |millis| Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX);
        Self { started_at: time(span.started_at), finished_at: time(span.finished_at), elapsed_ms: span.elapsed_ms }
    }
}

//! Which KMS key encrypts each object: what S3 Inventory does not say, from sources that auditors already have.
//!
//! ```text
//! file -> item      -> Said  -> Word    -> Partitions -> Tables    -> Words of a row -> World  -> KeyState -> Checker
//! files   documents    heads..  collect    join          or joined    examine::keys     worlds
//! ```
//!
//! A source says that a version was seen, made, or given another key at some time (`words`). The words are joined with the
//! rows of an inventory by (bucket, key, version). `statements` tells what each of them says of a row, `possible` which
//! keys all of them leave, and `worlds` which of these an object may have had at the moment of the report. Nothing is
//! summed up before: whatever was said stays until a row asks for it.

pub mod cloudtrail;
mod collect;
mod counts;
mod documents;
mod files;
mod heads;
mod joined;
mod keys;
mod lists;
mod load;
mod metadata;
mod names;
mod possible;
mod recognise;
mod said;
mod statements;
#[cfg(test)]
mod tests;
mod text;
mod text_file;
mod trail;
mod unattributed;
mod words;
mod worlds;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::assumptions::{AssumptionName, Assumptions};
use crate::batch::{Column, ColumnSet};
use crate::delivery::{CompleteLogs, Delivery};
use crate::join::{JoinError, KeyHasher, Tables};
use crate::plan::{Plan, Shard, Unit};
use crate::policy::EvidenceAssumptions;
use crate::readers::{UnitFile, UnitReader};
use crate::source::GivenPaths;
use crate::timestamp::{Timestamp, span_text};
use crate::work::Stopped;

pub use counts::{KeyCounts, SourceUse};
pub(crate) use joined::{Joined, join_inventory};
pub use keys::AliasError;
use keys::MAX_KEYS;
pub use keys::TooManyKeys;
pub(crate) use keys::{Aliases, KeyId, KeyRing, KnownKey};
pub(crate) use load::{Wanted, load};
pub use recognise::Passed;
pub(crate) use statements::{RowFacts, RowVersion};
pub(crate) use unattributed::{Elsewhere, Unattributed};
pub(crate) use words::{Answer, NO_MARK, Word};
pub(crate) use worlds::{Decided, Weighed, World};

/// What to take as evidence.
#[derive(Clone, Debug)]
pub struct EvidenceOptions {
    /// Files and folders.
    pub sources: Vec<EvidencePath>,
    /// What `aws kms list-aliases` said, as JSON.
    pub aliases: Vec<PathBuf>,
    /// When evidence that does not say it was taken.
    pub as_of: Option<Timestamp>,
    /// How many bytes the join may have in memory.
    pub memory: u64,
    /// Where its temporary files go; the output folder if nothing is said.
    pub temp_dir: Option<PathBuf>,
}

impl EvidenceOptions {
    /// What results call its files.
    fn given_paths(&self) -> GivenPaths {
        GivenPaths::new(self.sources.iter().map(EvidencePath::path))
    }
}

/// So many bytes the join has in memory unless told otherwise.
pub const DEFAULT_JOIN_MEMORY: u64 = 1 << 30;

/// A file or folder of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvidencePath {
    /// Of any kind that is known by its content.
    Any(PathBuf),
    /// Lists of objects that are encrypted under one key.
    OneKey {
        /// The key.
        key: String,
        /// The lists.
        path: PathBuf,
    },
}

impl EvidencePath {
    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Any(path) | Self::OneKey { path, .. } => path,
        }
    }

    /// Reads `PATH` or `ARN=PATH`.
    pub fn parse(text: &str) -> Self {
        match text.split_once('=') {
            Some((key, path)) if key.starts_with("arn:") => Self::OneKey { key: key.to_owned(), path: path.into() },
            _ => Self::Any(text.into()),
        }
    }
}

/// Why evidence cannot be used at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// A path of the command line cannot be read.
    #[error("the key evidence {path}: {error}")]
    Path {
        /// As it was given.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        error: io::Error,
    },
    /// A folder of the command line is empty.
    #[error("the key evidence {0}: the folder holds no files")]
    NoFiles(PathBuf),
    /// A file of the command line is nothing that is read here.
    #[error("the key evidence {path}: {why}")]
    Unknown {
        /// As it was given.
        path: PathBuf,
        /// What it seems to be.
        why: String,
    },
    /// Nowhere to put temporary files.
    #[error("cannot make a temporary folder for the key evidence: {0}")]
    Folder(io::Error),
    /// The key of a list.
    #[error("the key of a list is not the full ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID): {0}")]
    ListKey(String),
    /// A list of aliases.
    #[error(transparent)]
    Aliases(#[from] AliasError),
    /// More keys than anybody has.
    #[error(transparent)]
    TooManyKeys(#[from] TooManyKeys),
    /// Temporary files.
    #[error("the join of the key evidence: {0}")]
    Join(#[source] JoinError),
    /// The workers stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<JoinError> for EvidenceError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Stopped(stopped) => Self::Stopped(stopped),
            error => Self::Join(error),
        }
    }
}

/// Why the keys of rows cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// What was joined before cannot be read again.
    #[error("the key evidence: its temporary file cannot be read: {0}")]
    Joined(#[source] io::Error),
    /// More keys than anybody has.
    #[error("the key evidence: {0}")]
    TooManyKeys(#[source] TooManyKeys),
}

/// The names of keys, and what is known of the keys of objects.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'k> {
    pub(crate) ring: &'k KeyRing<'k>,
    pub(crate) evidence: Option<&'k Evidence>,
}

/// The forms of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// An inventory table of S3 Metadata.
    MetadataInventory,
    /// A journal table of S3 Metadata.
    MetadataJournal,
    /// Answers of HeadObject and GetObject.
    HeadObject,
    /// Objects under one key, as the manifest generator of Batch Operations lists them.
    OneKeyList,
    /// CloudTrail logs.
    CloudTrail,
}

/// What was read of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceFacts {
    /// The last part of the path that was given; that of a list of objects under one key has `ARN=` before it.
    pub source: String,
    /// Its form; a folder with several forms is as many sources.
    pub kind: EvidenceKind,
    /// Its files.
    pub files: u64,
    /// What it says: one record for each version and time.
    pub records: u64,
    /// Of these, the records that do not say when that was so.
    pub undated: u64,
    /// The newest time that it states.
    pub as_of: Option<i64>,
    /// Names of keys that nothing tells the ARN of.
    pub unresolved_keys: u64,
    /// Keys that were seen in use on a bucket without an object being named, and how often.
    pub in_use: BTreeMap<String, BTreeMap<String, u64>>,
}

/// A file that could not be used as evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EvidenceFault {
    /// The file, without what stands before the last part of the path that was given.
    pub path: String,
    /// The name of the fault.
    pub what: String,
    /// A sentence for people.
    pub why: String,
}

/// All that sources say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceSummary {
    /// The sources, in order.
    pub sources: Vec<EvidenceFacts>,
    /// Files that could not be used.
    pub faults: Vec<EvidenceFault>,
    /// Files in the folders that are known to be no evidence.
    pub passed: BTreeMap<Passed, u64>,
    /// Of the content of all files, so that shards with other evidence are not merged; only a shard has one.
    pub fingerprint: Option<String>,
    /// What digests prove of logs that are stated to be complete. Shards have none.
    #[serde(skip)]
    pub delivery: Option<Delivery>,
}

/// Evidence, ready for the rows of an inventory.
pub(crate) struct Evidence {
    pub(crate) summary: EvidenceSummary,
    /// What words share, by number.
    pub(crate) list: Vec<Answer>,
    pub(crate) hasher: KeyHasher,
    pub(crate) ways: Ways,
    pub(crate) known: Known,
    pub(crate) unattributed: Unattributed,
    /// What is audited of reports that do not say when they were made.
    pub(crate) as_of: Option<Timestamp>,
    /// Whether a source is about a moment before keys of stored objects could change.
    pub(crate) is_before_rekeyings: bool,
    /// Has the files with the words, if they are in some.
    _folder: TempDir,
}

/// What else than versions something is known by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ways {
    /// The second of last modification, of null versions and of rows that do not name versions.
    pub(crate) by_second: bool,
    /// The same of all rows; only with the other.
    pub(crate) by_second_of_any: bool,
    /// The key alone.
    pub(crate) by_key: bool,
    /// The ETag, beside the second.
    pub(crate) by_etag: bool,
    /// What was begun near a write, beside the second.
    pub(crate) by_hint: bool,
}

impl Ways {
    /// Whether something may be known of a row by its second; a version without a name is one that is not listed.
    pub(crate) fn ask_second(self, version: Option<&[u8]>) -> bool {
        self.by_second_of_any || self.by_second && matches!(version, None | Some(b"" | b"null"))
    }
}

/// Where the words are.
pub(crate) enum Known {
    /// In memory.
    Tables(Tables<Word>),
    /// In files, row by row.
    Joined(Joined),
}

impl Evidence {
    /// What of a row decides which words are about it, beside its key and its times.
    pub(crate) fn wanted_columns(&self, assumed: EvidenceAssumptions) -> ColumnSet {
        let sometimes =
            [(Column::ETag, self.ways.by_etag), (Column::BucketKeyStatus, self.ways.by_hint && assumed.hints_decide)];
        let wanted = sometimes.into_iter().filter_map(|(column, is)| is.then_some(column));
        wanted.fold(ColumnSet::NONE.with(Column::VersionId), ColumnSet::with)
    }

    /// Names what a result takes for granted that rests on this evidence.
    pub(crate) fn assume(&self, assumed: EvidenceAssumptions, ring: &KeyRing<'_>, to: &mut Assumptions) {
        if let Some(max_age) = assumed.max_age {
            to.add(AssumptionName::EvidenceMaxAge, span_text(max_age));
        }
        if assumed.logs_are_complete && self.has_whole_logs() {
            let delivery = self.summary.delivery.as_ref().map(Delivery::says);
            to.add(AssumptionName::EvidenceLogsComplete, delivery.unwrap_or_default());
        }
        if assumed.hints_decide && self.ways.by_hint {
            to.add(AssumptionName::EvidenceHintsDecide, "");
        }
        if self.summary.sources.iter().any(|source| source.kind == EvidenceKind::MetadataInventory) {
            to.add(AssumptionName::MetadataShowsRekeyings, "");
        }
        let decides_undated = self.is_before_rekeyings || assumed.logs_are_complete && self.has_whole_logs();
        if decides_undated && self.summary.sources.iter().any(|source| source.undated > 0) {
            to.add(AssumptionName::UndatedEvidenceIsOlder, "");
        }
        if ring.has_used_aliases() {
            to.add(AssumptionName::AliasesUnchanged, "");
        }
    }

    /// When the logs hold every write data event.
    pub(crate) fn complete_logs(&self, assumed: EvidenceAssumptions) -> CompleteLogs<'_> {
        match &self.summary.delivery {
            _ if !assumed.logs_are_complete || !self.has_whole_logs() => CompleteLogs::Never,
            None => CompleteLogs::Always,
            Some(delivery) => CompleteLogs::Delivered(delivery),
        }
    }

    /// Whether CloudTrail logs were read, and nothing was given that could not be. Without logs nobody can say that they are
    /// complete; and a file that is damaged or not understood may hold anything.
    fn has_whole_logs(&self) -> bool {
        let are_logs =
            self.summary.sources.iter().any(|source| source.kind == EvidenceKind::CloudTrail && source.files > 0);
        are_logs && self.summary.faults.is_empty()
    }
}

/// Whether rows of some report do not name versions, so that evidence for versions must be known by time, too. All files
/// of a source have the same columns; where one should not, its rows find less evidence, and never other evidence.
fn lacks_versions(plan: &Plan) -> bool {
    let mut firsts: BTreeMap<usize, Unit<'_>> = BTreeMap::new();
    plan.units(Shard::WHOLE).for_each(|unit| {
        firsts.entry(unit.source_id).or_insert(unit);
    });
    let columns = |unit: &Unit<'_>| UnitReader::new(unit, UnitFile::open(unit)?).map(|reader| reader.facts().columns);
    firsts.values().any(|unit| columns(unit).is_ok_and(|columns| !columns.contains(Column::VersionId)))
}

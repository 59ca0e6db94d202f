//! Shards to a whole: joins the outputs of `audit --shard N/M`.
//!
//! Each shard leaves its [`Partial`] and the lengths of its lines for each unit, so lists are joined unit by unit without
//! looking into them. The result is, byte for byte, what one audit of everything would have written.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::audit::{AuditError, Findings, FinishedLists, begin_lists, preamble, write};
use crate::campaign::CampaignOptions;
use crate::engine::{Cancel, EngineError};
use crate::hashes::sha256::Sha256;
use crate::partial::{MergeError, Partial};
use crate::plan::UnitId;
use crate::remediation::Group;
use crate::report::{AuditFacts, Run, Summary};
use crate::sinks::{
    Lines, List, ListFiles, OutputFolder, Pieces, REMEDIATION, Stream, UnitLengthList, UnitLengths, UnitLines,
};
use crate::source::hex;
use crate::timestamp::Timestamp;

/// What a shard leaves for merging.
pub const PARTIAL_FILE: &str = "partial.json";

const PARTIAL_SCHEMA: &str = "logseal.partial/1";

/// `partial.json`.
#[derive(Serialize, Deserialize)]
pub(crate) struct ShardFile<'r> {
    schema: String,
    facts: Cow<'r, AuditFacts>,
    started_at: i64,
    finished_at: i64,
    elapsed_ms: u64,
    lengths: UnitLengthList,
    /// Of each list, as the shard wrote it.
    sha256: Vec<String>,
    /// The files of objects that are put right together, in order.
    files: Vec<ShardGroupFile>,
    partial: Cow<'r, Partial>,
}

/// A file of objects that are put right together, as a shard wrote it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ShardGroupFile {
    pub(crate) group: Group,
    /// Where it is in the folder of all remediation.
    pub(crate) path: String,
    pub(crate) rows: u64,
    pub(crate) len: u64,
    pub(crate) sha256: String,
}

/// Why shards cannot be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeJobError {
    /// A file of a shard cannot be read.
    #[error("cannot read the output of a shard: {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// Its `partial.json` is not one of this version.
    #[error("not the partial of a shard: {}: {why}", path.display())]
    NoPartial {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A list has been changed since the shard was written.
    #[error("the file is not as the shard left it: {}", .0.display())]
    Changed(PathBuf),
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
    Write(#[from] AuditError),
}

impl MergeJobError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } | Self::NoPartial { .. } => Some("merge takes folders written by audit --shard N/M"),
            Self::Changed(_) => Some("run that shard again"),
            Self::Merge { error: MergeError::UnitTwice(_), .. } => Some("give each shard once"),
            Self::Merge { .. } => Some("run all shards with the same sources, policy, --as-of and version"),
            Self::Write(_) => None,
        }
    }
}

impl<'r> ShardFile<'r> {
    pub(crate) fn new(
        result: &'r Findings,
        run: &Run,
        lengths: UnitLengths<Group>,
        sha256: Vec<String>,
        files: Vec<ShardGroupFile>,
    ) -> Self {
        Self {
            schema: PARTIAL_SCHEMA.to_owned(),
            facts: Cow::Borrowed(&result.facts),
            started_at: run.started_at.as_millis(),
            finished_at: run.finished_at.as_millis(),
            elapsed_ms: run.elapsed_ms,
            lengths: lengths.into(),
            sha256,
            files,
            partial: Cow::Borrowed(&result.partial),
        }
    }
}

impl ShardFile<'static> {
    fn read(folder: &Path) -> Result<Self, MergeJobError> {
        let path = folder.join(PARTIAL_FILE);
        let file = File::open(&path).map_err(|error| MergeJobError::Read { path: path.clone(), error })?;
        let shard: Self = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| MergeJobError::NoPartial { path: path.clone(), why: error.to_string() })?;
        if shard.schema != PARTIAL_SCHEMA || shard.partial.by_rule.len() != shard.facts.policy.rules.len() {
            return Err(MergeJobError::NoPartial { path, why: "it was written by another version".into() });
        }
        Ok(shard)
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
    let Some((first, others)) = folders.split_first() else {
        let error = io::ErrorKind::NotFound.into();
        return Err(MergeJobError::Read { path: PathBuf::new(), error });
    };
    // One after the other: two partials are held at most.
    let mut whole = Joined::new(first, ShardFile::read(first)?);
    others.iter().try_for_each(|folder| whole.add(folder, ShardFile::read(folder)?))?;
    whole.lists.check()?;
    let units_planned = whole.facts.units;
    let is_whole = (whole.partial.examined.len() + whole.partial.faulted.len()) as u64 == units_planned;
    let mut output = OutputFolder::create(out, overwrite).map_err(AuditError::from)?;
    let manifest_rows = whole.partial.terms.manifest_rows;
    let files = whole.lists.write(&mut output, &whole.facts, manifest_rows, cancel)?;
    let lists = FinishedLists { files, lengths: (!is_whole).then(|| whole.lists.lengths()) };
    let result = Findings::new(whole.facts, whole.partial, units_planned);
    Ok(write(output, result, lists, || whole.run.into(), campaign, cancel)?)
}

/// The shards that have been read.
struct Joined {
    /// Those of the first units: whatever the order of the arguments, they speak for the whole.
    facts: AuditFacts,
    first_unit: Option<UnitId>,
    partial: Partial,
    run: RunSpan,
    lists: ShardLists,
}

impl Joined {
    fn new(folder: &Path, shard: ShardFile<'static>) -> Self {
        let run = RunSpan::of(&shard);
        let (facts, partial) = (shard.facts.into_owned(), shard.partial.into_owned());
        let mut lists = ShardLists::default();
        lists.add(folder, shard.lengths.into(), shard.sha256, shard.files, &facts);
        Self { first_unit: first_unit(&partial), facts, partial, run, lists }
    }

    fn add(&mut self, folder: &Path, shard: ShardFile<'static>) -> Result<(), MergeJobError> {
        self.run.add(&RunSpan::of(&shard));
        let (mut facts, partial) = (shard.facts.into_owned(), shard.partial.into_owned());
        let first_unit = first_unit(&partial);
        self.partial.merge(partial).map_err(|error| MergeJobError::Merge { path: folder.to_owned(), error })?;
        self.lists.add(folder, shard.lengths.into(), shard.sha256, shard.files, &facts);
        let allow_empty = self.facts.allow_empty && facts.allow_empty;
        if first_unit < self.first_unit {
            std::mem::swap(&mut self.facts, &mut facts);
            self.first_unit = first_unit;
        }
        self.facts.allow_empty = allow_empty;
        Ok(())
    }
}

fn first_unit(partial: &Partial) -> Option<UnitId> {
    partial.examined.first().into_iter().chain(partial.faulted.first()).min().copied()
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

/// The lists of all shards.
#[derive(Default)]
struct ShardLists {
    folders: Vec<PathBuf>,
    /// Who has a unit's lines, and how much of each list they are.
    units: BTreeMap<UnitId, (usize, UnitLines<Group>)>,
    /// How many bytes stand before the first unit's lines, for each shard and list.
    preambles: Vec<[u64; List::ALL.len()]>,
    /// What each list of each shard hashes to.
    sha256: Vec<Vec<String>>,
    /// The files of objects that are put right together, of all shards.
    files: Vec<(usize, ShardGroupFile)>,
}

impl ShardLists {
    fn add(
        &mut self,
        folder: &Path,
        lengths: UnitLengths<Group>,
        sha256: Vec<String>,
        files: Vec<ShardGroupFile>,
        facts: &AuditFacts,
    ) {
        let shard = self.folders.len();
        self.folders.push(folder.to_owned());
        self.sha256.push(sha256);
        self.preambles.push(List::ALL.map(|list| preamble(list, facts).len() as u64));
        self.units.extend(lengths.into_iter().map(|(unit, lengths)| (unit, (shard, lengths))));
        self.files.extend(files.into_iter().map(|file| (shard, file)));
    }

    /// Joins the lists, unit by unit.
    fn write(
        &self,
        output: &mut OutputFolder,
        facts: &AuditFacts,
        manifest_rows: u64,
        cancel: &Cancel,
    ) -> Result<ListFiles, AuditError> {
        let sources = |stream| match stream {
            Stream::Named(list) => self.folders.iter().map(|folder| folder.join(list.file_name())).collect(),
            Stream::Groups => self.files.iter().map(|(shard, file)| self.path(*shard, file)).collect(),
        };
        let mut files = begin_lists(output, facts, manifest_rows, sources)?;
        let mut append = || -> Result<(), AuditError> {
            for (list, file) in List::ALL.into_iter().zip(&mut files.named) {
                file.append(self.pieces(list), cancel)?;
            }
            for (group, pieces) in self.group_pieces() {
                files.groups.append(&group, pieces, cancel)?;
            }
            Ok(())
        };
        let appended = append();
        if cancel.is_cancelled() {
            return Err(EngineError::Cancelled.into());
        }
        appended.map(|()| files)
    }

    fn path(&self, shard: usize, file: &ShardGroupFile) -> PathBuf {
        self.folders[shard].join(REMEDIATION).join(&file.path)
    }

    /// The lines of all units of a list.
    fn pieces(&self, list: List) -> Pieces {
        let mut offsets: Vec<u64> = self.preambles.iter().map(|lengths| lengths[list as usize]).collect();
        let mut pieces = Pieces::default();
        for (shard, lines) in self.units.values() {
            let len = lines.named[list as usize];
            pieces.push(*shard, offsets[*shard], len, 0);
            offsets[*shard] = offsets[*shard].saturating_add(len);
        }
        pieces
    }

    /// The rows of all units of each group.
    fn group_pieces(&self) -> BTreeMap<Group, Pieces> {
        let mut rest: BTreeMap<(usize, &Group), GroupRows<'_>> = BTreeMap::new();
        for (at, (shard, file)) in self.files.iter().enumerate() {
            rest.entry((*shard, &file.group)).or_default().files.push_back((at, file));
        }
        let mut pieces: BTreeMap<Group, Pieces> = BTreeMap::new();
        for (shard, lines) in self.units.values() {
            for (group, lines) in &lines.groups {
                if let Some(rows) = rest.get_mut(&(*shard, group)) {
                    rows.take(*lines, pieces.entry(group.clone()).or_default());
                }
            }
        }
        pieces
    }

    /// How much of the lists is each unit's.
    fn lengths(&self) -> UnitLengths<Group> {
        self.units.iter().map(|(unit, (_, lengths))| (*unit, lengths.clone())).collect()
    }

    /// Fails when a list is not what its shard left, or has lines that belong to no unit.
    fn check(&self) -> Result<(), MergeJobError> {
        let mut lengths = self.preambles.clone();
        let mut groups: BTreeMap<(usize, &Group), Lines> = BTreeMap::new();
        for (shard, unit) in self.units.values() {
            lengths[*shard].iter_mut().zip(unit.named).for_each(|(sum, len)| *sum = sum.saturating_add(len));
            for (group, lines) in &unit.groups {
                groups.entry((*shard, group)).or_default().add(*lines);
            }
        }
        for (shard, folder) in self.folders.iter().enumerate() {
            for list in List::ALL {
                let sha256 = self.sha256[shard].get(list as usize).map_or("", String::as_str);
                check_file(folder.join(list.file_name()), lengths[shard][list as usize], sha256)?;
            }
        }
        self.check_groups(groups)
    }

    fn check_groups(&self, expected: BTreeMap<(usize, &Group), Lines>) -> Result<(), MergeJobError> {
        let mut found: BTreeMap<(usize, &Group), Lines> = BTreeMap::new();
        for (shard, file) in &self.files {
            let path = self.path(*shard, file);
            if !is_inside(&file.path) {
                return Err(MergeJobError::Changed(path));
            }
            check_file(path, file.len, &file.sha256)?;
            let len = file.len.saturating_sub(file.group.header_len());
            found.entry((*shard, &file.group)).or_default().add(Lines { len, rows: file.rows });
        }
        let odd = expected.iter().chain(&found).find(|(key, _)| expected.get(key) != found.get(key));
        odd.map_or(Ok(()), |((shard, _), _)| Err(MergeJobError::Changed(self.folders[*shard].join(PARTIAL_FILE))))
    }
}

/// A partial must not lead out of its folder.
fn is_inside(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn check_file(path: PathBuf, len: u64, sha256: &str) -> Result<(), MergeJobError> {
    match fingerprint(&path) {
        Ok(found) if found == (len, sha256.to_owned()) => Ok(()),
        Ok(_) => Err(MergeJobError::Changed(path)),
        Err(error) => Err(MergeJobError::Read { path, error }),
    }
}

/// The rows of a group that have not been taken from the files of a shard.
#[derive(Default)]
struct GroupRows<'s> {
    files: VecDeque<(usize, &'s ShardGroupFile)>,
    /// What has been taken of the first of them.
    taken: Lines,
}

impl GroupRows<'_> {
    /// Takes the rows of the next unit, which can be in several files.
    fn take(&mut self, mut lines: Lines, pieces: &mut Pieces) {
        while lines.rows > 0
            && let Some((at, file)) = self.files.front()
        {
            let header_len = file.group.header_len();
            let left = Lines {
                len: file.len.saturating_sub(header_len).saturating_sub(self.taken.len),
                rows: file.rows.saturating_sub(self.taken.rows),
            };
            let (here, is_over) = if lines.rows >= left.rows { (left, true) } else { (lines, false) };
            pieces.push(*at, header_len + self.taken.len, here.len, here.rows);
            lines = Lines { len: lines.len.saturating_sub(here.len), rows: lines.rows - here.rows };
            if is_over {
                self.files.pop_front();
                self.taken = Lines::default();
            } else {
                self.taken.add(here);
            }
        }
    }
}

/// The length of a file and its SHA-256.
pub(crate) fn fingerprint(path: &Path) -> io::Result<(u64, String)> {
    let (mut hasher, mut sum) = (Sha256::new(), 0);
    let mut file = BufReader::with_capacity(1 << 18, File::open(path)?);
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok((sum, hex(&hasher.finish())));
        }
        hasher.update(bytes);
        let len = bytes.len();
        sum += len as u64;
        file.consume(len);
    }
}

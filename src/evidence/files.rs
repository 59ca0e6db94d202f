//! Finding the files of evidence, recognising them by what is in them, and reading them side by side.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use memchr::memchr;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::answers::{Answer, Claim, Statement};
use super::{
    Answers, Evidence, EvidenceError, EvidenceFacts, EvidenceFault, EvidenceKind, EvidenceOptions, EvidencePath,
    EvidenceSummary, KeyRing, Known, SaidKey, TooManyKeys, Ways, cloudtrail, heads, join_inventory, lacks_versions,
    lists, metadata, trail,
};
use crate::batch::RowFault;
use crate::engine::{Cancel, lock};
use crate::escape::escape;
use crate::join::{BucketHasher, JoinKey, KeyHasher, Partitions, VersionPart, Writer};
use crate::plan::{Plan, Shard};
use crate::policy::KeyArn;
use crate::readers::{Part, Rows, Scratch, Split, UnitFault, UnitReader, split_strict};
use crate::source::{FileFault, SourceFile, TextStream, hex};
use crate::timestamp::Timestamp;

/// Statements of a file that may still turn out to be damaged wait in memory; of larger files they are marked instead.
const MAX_WAITING_LEN: u64 = 16 << 20;

/// What one record says of a version.
pub(super) struct Said<'a> {
    pub(super) bucket: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) of: Of<'a>,
    pub(super) claim: Claim,
    pub(super) name: Name<'a>,
    pub(super) when: When,
    /// The order of a journal.
    pub(super) order: u64,
    /// When the version was last modified.
    pub(super) modified: Option<Timestamp>,
    pub(super) is_journal: bool,
    pub(super) is_gone: bool,
    /// Whether it is the writing itself that says it, and was modified when it was said.
    pub(super) is_write: bool,
    /// Whether the record before said the same of its version, whenever that was so.
    pub(super) is_like_last: bool,
}

/// Which version of the key something is said of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of<'a> {
    /// Of this one; nothing for the null version.
    Version(Option<&'a [u8]>),
    /// Of the one that was last modified about when it was said.
    WrittenThen,
    /// Of the one that was current when it was said, whichever that was.
    Current,
}

/// What is said of the name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// Nothing.
    None,
    /// It is there and cannot be read.
    Untold,
    /// It is this.
    Is(&'a [u8]),
}

impl<'a> Name<'a> {
    /// The name in a cell; a blank one says nothing.
    pub(super) fn of(cell: &'a [u8]) -> Self {
        if cell.is_empty() { Self::None } else { Self::Is(cell) }
    }

    fn bytes(self) -> &'a [u8] {
        match self {
            Self::None => b"",
            Self::Untold => b"?",
            Self::Is(name) => name,
        }
    }
}

/// When what is said was so.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// Then.
    At(Timestamp),
    /// Then or later; nothing if even that is not known.
    NotBefore(Option<Timestamp>),
}

/// What all workers share.
struct Work<'e> {
    ring: &'e KeyRing<'e>,
    answers: &'e Answers,
    hasher: KeyHasher,
    as_of: Option<Timestamp>,
    /// Whether some rows do not name versions.
    lacks_versions: bool,
    records: &'e Partitions<(JoinKey, Statement)>,
    queue: Mutex<VecDeque<Task>>,
    /// How many tasks somebody is doing: they may lead to others.
    busy: AtomicU64,
    found: Mutex<Found>,
    failed: Mutex<Option<EvidenceError>>,
    has_seconds: AtomicBool,
    has_current: AtomicBool,
    cancel: &'e Cancel,
    /// The paths as they were given, harmless to show.
    given: Vec<String>,
}

#[derive(Default)]
struct Found {
    sources: Vec<EvidenceFacts>,
    by_kind: HashMap<(usize, EvidenceKind), usize>,
    faults: BTreeMap<PathBuf, (String, String)>,
    spoiled: BTreeSet<u32>,
    ignored: u64,
}

/// A file that is to be read.
#[derive(Clone)]
struct EvidenceFile {
    /// The position of the path that it was found under.
    given: usize,
    number: u32,
    path: PathBuf,
    /// The key of all objects that it lists.
    key: Option<Arc<str>>,
    /// Whether it was given by itself.
    is_named: bool,
}

enum Task {
    File(EvidenceFile),
    /// Some rows of a Parquet file.
    Rows {
        file: EvidenceFile,
        kind: EvidenceKind,
        rows: Rows,
    },
}

/// What tells the answers of a file apart, beside the key: the claim, and whether it is dated, gone and doubtful.
type AnswerKind = (Claim, bool, bool, bool);

/// What one worker collects.
pub(super) struct Collector<'w, 'e> {
    work: &'w Work<'e>,
    writer: Writer<'w, (JoinKey, Statement)>,
    bucket: (Vec<u8>, BucketHasher),
    /// Of the answers that this worker has met in the file.
    numbers: HashMap<(AnswerKind, Vec<u8>), u32>,
    last: Option<(AnswerKind, Vec<u8>, u32)>,
    source: u32,
    file: Option<u32>,
    /// Whether what was said last was dated, and its number.
    last_answer: Option<(bool, u32)>,
    /// Statements of a file that may still turn out to be damaged.
    waiting: Option<Vec<(JoinKey, Statement)>>,
    records: u64,
    newest: Option<Timestamp>,
    unresolved: BTreeSet<Vec<u8>>,
    in_use: BTreeMap<String, BTreeMap<String, u64>>,
    pub(super) logs: cloudtrail::Scratch,
    error: Option<io::Error>,
}

/// Reads all evidence and makes it ready for the inventories of a plan.
pub(crate) fn load(
    options: &EvidenceOptions,
    (plan, shard): (&Plan, Shard),
    ring: &KeyRing<'_>,
    folder: TempDir,
    jobs: usize,
    cancel: &Cancel,
) -> Result<Evidence, EvidenceError> {
    let given = find_files(options)?;
    let (answers, hasher) = (Answers::default(), KeyHasher::new());
    let records = Partitions::new(options.memory, folder.path(), "evidence");
    let work = Work {
        ring,
        answers: &answers,
        hasher,
        as_of: options.as_of,
        lacks_versions: lacks_versions(plan),
        records: &records,
        queue: Mutex::new(given.files.into_iter().map(Task::File).collect()),
        busy: AtomicU64::new(0),
        found: Mutex::default(),
        failed: Mutex::new(None),
        has_seconds: AtomicBool::new(false),
        has_current: AtomicBool::new(false),
        cancel,
        given: given.names,
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| work.run());
        }
    });
    if cancel.is_cancelled() {
        return Err(EvidenceError::Cancelled);
    }
    if let Some(error) = lock(&work.failed).take() {
        return Err(error);
    }
    let ways =
        Ways { by_second: work.has_seconds.load(Ordering::Relaxed), by_key: work.has_current.load(Ordering::Relaxed) };
    let Found { mut sources, faults, spoiled, ignored, .. } = std::mem::take(&mut *lock(&work.found));
    sources.sort_by(|one, other| (&one.source, one.kind).cmp(&(&other.source, other.kind)));
    let faults = faults.into_iter().map(|(path, (what, why))| EvidenceFault { path: shown(&path), what, why });
    let summary =
        EvidenceSummary { faults: faults.collect(), ignored_files: ignored, fingerprint: given.fingerprint, sources };
    let list = answers.list();
    let reduce = |statements: &mut [Statement]| answers.reduce(&list, statements, &|file| spoiled.contains(&file));
    let known = match records.has_spilled() {
        false => Known::Tables(records.into_tables(jobs, &reduce)?),
        true => {
            let join = (options.memory, jobs);
            Known::Joined(join_inventory(
                plan.units(shard).collect(),
                &records,
                &hasher,
                ways,
                (&answers, &list),
                &reduce,
                folder.path(),
                join,
                cancel,
            )?)
        }
    };
    Ok(Evidence { summary, answers, list, hasher, ways, known, _folder: folder })
}

/// The files of all paths.
struct Given {
    files: Vec<EvidenceFile>,
    names: Vec<String>,
    fingerprint: String,
}

fn find_files(options: &EvidenceOptions) -> Result<Given, EvidenceError> {
    let (mut files, mut names, mut lengths) = (Vec::new(), Vec::new(), Sha256::new());
    for (given, source) in options.sources.iter().enumerate() {
        let (path, key) = match source {
            EvidencePath::Any(path) => (path, None),
            EvidencePath::OneKey { key, .. } if KeyArn::parse(key).is_none() => {
                return Err(EvidenceError::ListKey(key.clone()));
            }
            EvidencePath::OneKey { key, path } => (path, Some(Arc::from(key.as_str()))),
        };
        names.push(key.iter().map(|key| format!("{key}=")).chain([shown(path)]).collect());
        let failed = |error: io::Error| EvidenceError::Path { path: path.clone(), why: error.to_string() };
        let mut found = Vec::new();
        let metadata = fs::metadata(path).map_err(failed)?;
        let is_named = metadata.is_file();
        match is_named {
            true => found.push((path.clone(), metadata.len())),
            false => walk(path, &mut found).map_err(failed)?,
        }
        if found.is_empty() {
            return Err(EvidenceError::Path { path: path.clone(), why: "the folder holds no files".into() });
        }
        found.sort();
        lengths.update(format!("{key:?} {}\n", found.len()));
        for (path, len) in found {
            lengths.update(format!("{len} {}\n", path.file_name().unwrap_or_default().display()));
            let number = files.len() as u32;
            files.push(EvidenceFile { given, number, path, key: key.clone(), is_named });
        }
    }
    Ok(Given { files, names, fingerprint: hex(&lengths.finalize()) })
}

/// All regular files below a folder. Links are not followed: they can lead anywhere, and in circles.
fn walk(folder: &Path, found: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push((entry.path(), entry.metadata()?.len()));
            }
        }
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes()).into_owned()
}

fn second(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(1000)
}

/// Why a file is no evidence, or was not read to its end.
pub(super) enum Stop {
    /// It is something else.
    NoEvidence,
    Fault {
        what: &'static str,
        why: String,
    },
    Error(EvidenceError),
}

impl From<UnitFault> for Stop {
    fn from(fault: UnitFault) -> Self {
        Self::Fault { what: "evidence_damaged", why: fault.to_string() }
    }
}

impl From<FileFault> for Stop {
    fn from(fault: FileFault) -> Self {
        UnitFault::File(fault).into()
    }
}

impl From<RowFault> for Stop {
    fn from(fault: RowFault) -> Self {
        Self::Fault { what: "evidence_bad_record", why: fault.why().to_owned() }
    }
}

impl From<TooManyKeys> for Stop {
    fn from(error: TooManyKeys) -> Self {
        Self::Error(error.into())
    }
}

impl<'e> Work<'e> {
    fn run(&self) {
        let (mut collector, mut scratch) = (Collector::new(self), Scratch::default());
        while !self.is_over() {
            let Some(task) = self.next() else {
                // Whoever is busy may find more to do.
                if self.busy.load(Ordering::Acquire) == 0 {
                    break;
                }
                std::thread::yield_now();
                continue;
            };
            let file = task.file().clone();
            let done = catch_unwind(AssertUnwindSafe(|| self.run_task(task, &mut collector, &mut scratch)));
            let done = done.unwrap_or_else(|panic| Err(UnitFault::panicked(&*panic).into()));
            if let Err(stop) = done.and_then(|kind| collector.end(kind)) {
                collector.forget();
                self.stop(&file, stop);
            }
            self.busy.fetch_sub(1, Ordering::Release);
        }
        if let Err(error) = collector.writer.flush() {
            self.fail(EvidenceError::Join(error.to_string()));
        }
    }

    fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || lock(&self.failed).is_some()
    }

    fn fail(&self, error: EvidenceError) {
        lock(&self.failed).get_or_insert(error);
    }

    fn next(&self) -> Option<Task> {
        let mut queue = lock(&self.queue);
        let task = queue.pop_front()?;
        self.busy.fetch_add(1, Ordering::AcqRel);
        Some(task)
    }

    fn stop(&self, file: &EvidenceFile, stop: Stop) {
        match stop {
            Stop::NoEvidence if file.is_named => self.fail(EvidenceError::Path {
                path: file.path.clone(),
                why: "neither a table of S3 Metadata, nor answers of HeadObject, nor a CloudTrail log; a list of objects under one key is given as ARN=PATH".into(),
            }),
            Stop::NoEvidence => lock(&self.found).ignored += 1,
            Stop::Error(error) => self.fail(error),
            Stop::Fault { what, why } => {
                let mut found = lock(&self.found);
                found.spoiled.insert(file.number);
                found.faults.entry(file.path.clone()).or_insert((what.to_owned(), escape(why.as_bytes()).into_owned()));
            }
        }
    }

    /// Reads a file, or some rows of one. Says of what kind it is, if it was read to its end.
    fn run_task(
        &self,
        task: Task,
        to: &mut Collector<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<Option<EvidenceKind>, Stop> {
        match task {
            Task::Rows { file, kind, rows } => {
                to.begin(self.source(&file, kind), Some(file.number));
                self.read_rows(rows, kind, to, scratch)?;
                Ok(Some(kind))
            }
            Task::File(file) => {
                let opened = Arc::new(SourceFile::open(&file.path, None)?);
                if let Some(key) = file.key.clone() {
                    return self.read_list(&file, opened, &key, to, scratch);
                }
                let mut magic = [0; 4];
                if opened.read_at(&mut magic, 0).map_err(FileFault::from)? == 4 && magic == *b"PAR1" {
                    return self.open_table(&file, opened);
                }
                self.read_text(&file, opened, to)
            }
        }
    }

    /// The position of the source of a file of some kind.
    fn source(&self, file: &EvidenceFile, kind: EvidenceKind) -> u32 {
        let mut found = lock(&self.found);
        let Found { sources, by_kind, .. } = &mut *found;
        *by_kind.entry((file.given, kind)).or_insert_with(|| {
            sources.push(EvidenceFacts {
                source: self.given[file.given].clone(),
                kind,
                files: 0,
                records: 0,
                as_of: None,
                unresolved_keys: 0,
                in_use: BTreeMap::new(),
            });
            sources.len() - 1
        }) as u32
    }
}

/// Reading by kind.
impl Work<'_> {
    /// The row groups of a table are read side by side.
    fn open_table(&self, file: &EvidenceFile, opened: Arc<SourceFile>) -> Result<Option<EvidenceKind>, Stop> {
        let mut reader = UnitReader::of_table(opened)?;
        let kind = metadata::kind(reader.facts().columns).ok_or(Stop::NoEvidence)?;
        let mut tasks = Vec::new();
        while let Some(part) = reader.next_part(&mut Scratch::default())? {
            if let Part::Rows(rows) = part {
                tasks.push(Task::Rows { file: file.clone(), kind, rows });
            }
        }
        let source = self.source(file, kind);
        lock(&self.found).sources[source as usize].files += 1;
        // Before other files: the rows of one file share what the system has cached of it.
        let mut queue = lock(&self.queue);
        tasks.into_iter().rev().for_each(|task| queue.push_front(task));
        Ok(None)
    }

    fn read_rows(
        &self,
        rows: Rows,
        kind: EvidenceKind,
        to: &mut Collector<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<(), Stop> {
        let (is_journal, mut collected) = (kind == EvidenceKind::MetadataJournal, Ok(()));
        rows.read(metadata::columns(kind), scratch, &|| self.is_over(), &mut |batch, _| {
            if collected.is_ok() {
                collected = metadata::collect(batch, is_journal, to).map_err(Stop::from).and_then(|row| Ok(row?));
            }
            Ok(())
        })?;
        collected
    }

    fn read_list(
        &self,
        file: &EvidenceFile,
        opened: Arc<SourceFile>,
        key: &str,
        to: &mut Collector<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<Option<EvidenceKind>, Stop> {
        let mut line = Vec::new();
        Lines::new(Arc::clone(&opened))?.next(&mut line)?;
        let mut split = Split::default();
        let fields = split_strict(&line, &mut split).map_or(0, |()| split.fields.len());
        let no_list = || Stop::Fault { what: "evidence_damaged", why: "not a list of `bucket,key[,version]`".into() };
        let schema = lists::schema(fields).ok_or_else(no_list)?.map_err(|_| no_list())?;
        to.begin(self.source(file, EvidenceKind::OneKeyList), mark(file, &opened));
        let mut reader = UnitReader::of_list(opened, Arc::new(schema))?;
        while let Some(part) = reader.next_part(scratch)? {
            let Part::Rows(rows) = part else { continue };
            let mut collected = Ok(());
            rows.read(metadata::columns(EvidenceKind::OneKeyList), scratch, &|| self.is_over(), &mut |batch, _| {
                if collected.is_ok() {
                    collected = lists::collect(batch, key, to).map_err(Stop::from).and_then(|row| Ok(row?));
                }
                Ok(())
            })?;
            collected?;
        }
        Ok(Some(EvidenceKind::OneKeyList))
    }

    /// A text, compressed or not.
    fn read_text(
        &self,
        file: &EvidenceFile,
        opened: Arc<SourceFile>,
        to: &mut Collector<'_, '_>,
    ) -> Result<Option<EvidenceKind>, Stop> {
        let mut lines = Lines::new(Arc::clone(&opened))?;
        let head = lines.peek()?;
        if cloudtrail::is_log(head) {
            to.begin(self.source(file, EvidenceKind::CloudTrail), mark(file, &opened));
            trail::collect(&mut lines, to)?;
            return Ok(Some(EvidenceKind::CloudTrail));
        }
        if !head.trim_ascii_start().starts_with(b"{") {
            return Err(Stop::NoEvidence);
        }
        let (mut line, mut number) = (Vec::new(), 0_u64);
        while lines.next(&mut line)? {
            number += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            if number == 1 {
                if !heads::is_one(&line) {
                    return Err(Stop::NoEvidence);
                }
                to.begin(self.source(file, EvidenceKind::HeadObject), mark(file, &opened));
            }
            if !heads::collect(&line, to)? {
                let why = format!("line {number} is no answer of HeadObject with a Bucket and a Key");
                return Err(Stop::Fault { what: "evidence_bad_record", why });
            }
            if self.is_over() {
                break;
            }
        }
        Ok(Some(EvidenceKind::HeadObject))
    }
}

/// The number of a file whose statements do not wait until it is read to its end.
fn mark(file: &EvidenceFile, opened: &SourceFile) -> Option<u32> {
    (opened.len() > MAX_WAITING_LEN).then_some(file.number)
}

impl Task {
    fn file(&self) -> &EvidenceFile {
        match self {
            Self::File(file) | Self::Rows { file, .. } => file,
        }
    }
}

/// The lines of a text.
pub(super) struct Lines {
    stream: TextStream,
    buffer: Vec<u8>,
    unread: std::ops::Range<usize>,
}

impl Lines {
    const BUFFER_LEN: usize = 1 << 17;

    fn new(file: Arc<SourceFile>) -> Result<Self, FileFault> {
        Ok(Self { stream: TextStream::new(file, false)?, buffer: vec![0; Self::BUFFER_LEN], unread: 0..0 })
    }

    /// The beginning of what has not been read; nothing at the end.
    fn peek(&mut self) -> Result<&[u8], FileFault> {
        if self.unread.is_empty() {
            let read = self.stream.read(&mut self.buffer)?;
            self.unread = 0..read;
        }
        Ok(&self.buffer[self.unread.clone()])
    }

    /// Reads the next line without its end; says no at the end of the text.
    fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, Stop> {
        line.clear();
        loop {
            let unread = self.peek()?;
            if unread.is_empty() {
                return Ok(!line.is_empty());
            }
            let (taken, is_whole) = match memchr(b'\n', unread) {
                Some(newline) => (newline, true),
                None => (unread.len(), false),
            };
            if line.len() + taken > heads::MAX_LINE_LEN {
                return Err(Stop::Fault { what: "evidence_bad_record", why: "a line is longer than 1 MiB".into() });
            }
            line.extend_from_slice(&unread[..taken]);
            self.unread.start += taken + usize::from(is_whole);
            if is_whole {
                return Ok(true);
            }
        }
    }
}

/// The text as it stands; a fault of the file is the cause of the error.
impl io::Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let unread = self.peek().map_err(io::Error::other)?;
        let len = unread.len().min(buffer.len());
        buffer[..len].copy_from_slice(&unread[..len]);
        self.unread.start += len;
        Ok(len)
    }
}

impl<'w, 'e> Collector<'w, 'e> {
    fn new(work: &'w Work<'e>) -> Self {
        Self {
            work,
            writer: work.records.writer(),
            bucket: (Vec::new(), work.hasher.bucket(b"")),
            numbers: HashMap::new(),
            last: None,
            source: 0,
            file: None,
            last_answer: None,
            waiting: None,
            records: 0,
            newest: None,
            unresolved: BTreeSet::new(),
            in_use: BTreeMap::new(),
            logs: cloudtrail::Scratch::default(),
            error: None,
        }
    }

    /// Begins a file, or a part of one. If it has a `mark`, what it says can be taken back by that, and does not wait.
    fn begin(&mut self, source: u32, mark: Option<u32>) {
        (self.source, self.file) = (source, mark);
        self.waiting = mark.is_none().then(Vec::new);
        self.numbers.clear();
        (self.last, self.last_answer) = (None, None);
    }

    /// When something was so that does not say when.
    pub(super) fn undated(&self, modified: Option<Timestamp>) -> When {
        self.work.as_of.map_or(When::NotBefore(modified), When::At)
    }

    /// Notes what a record says.
    pub(super) fn say(&mut self, said: &Said<'_>) -> Result<(), TooManyKeys> {
        self.records += 1;
        if self.bucket.0 != said.bucket {
            self.bucket = (said.bucket.to_vec(), self.work.hasher.bucket(said.bucket));
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
            (When::At(_), Some(modified)) if is_null && self.work.as_of.is_some() && !said.is_journal => {
                (Some(modified), false)
            }
            (When::At(time), _) => (Some(time), true),
            (When::NotBefore(time), _) => (time, false),
        };
        let answer = match self.last_answer {
            Some((was_dated, answer)) if said.is_like_last && was_dated == is_dated => answer,
            _ => self.number(said, is_dated)?,
        };
        self.last_answer = Some((is_dated, answer));
        let statement = Statement { time: time.map_or(i64::MIN, Timestamp::as_millis), order: said.order, answer };
        self.newest = self.newest.max(time);
        let key = self.bucket.1.key(said.key, VersionPart::Id(version.unwrap_or_default()));
        self.push(key, statement);
        if !self.work.lacks_versions {
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
        self.newest = self.newest.max(Some(time));
        for second in second(time) - 1..=second(time) + 1 {
            // None of those that may be meant is later than the others.
            self.push_second(said.key, second, Statement { time: second * 1000, order: 0, answer });
        }
        Ok(())
    }

    fn say_of_current(&mut self, said: &Said<'_>) -> Result<(), TooManyKeys> {
        // Any of them may be about the version in question: none is superseded.
        let answer = self.number(said, false)?;
        self.work.has_current.store(true, Ordering::Relaxed);
        let key = self.bucket.1.key(said.key, VersionPart::Current);
        self.push(key, Statement { time: i64::MIN, order: 0, answer });
        Ok(())
    }

    fn push_second(&mut self, key: &[u8], second: i64, statement: Statement) {
        self.work.has_seconds.store(true, Ordering::Relaxed);
        let key = self.bucket.1.key(key, VersionPart::ModifiedIn(second));
        self.push(key, statement);
    }

    /// Notes that a key was seen in use on a bucket.
    pub(super) fn see_in_use(&mut self, bucket: &[u8], key_name: &str) {
        /// Names beyond this are somebody's attempt to fill memory.
        const MAX_NAMES: usize = 10_000;
        let (bucket, key) = (escape(bucket).into_owned(), escape(key_name.as_bytes()).into_owned());
        let has_room = self.in_use.len() < MAX_NAMES || self.in_use.contains_key(&bucket);
        let Some(keys) = has_room.then(|| self.in_use.entry(bucket).or_default()) else { return };
        if keys.len() < MAX_NAMES || keys.contains_key(&key) {
            *keys.entry(key).or_default() += 1;
        }
    }

    fn push(&mut self, key: JoinKey, statement: Statement) {
        match &mut self.waiting {
            Some(waiting) => waiting.push((key, statement)),
            None => {
                if let Err(error) = self.writer.push(key.partition(), (key, statement)) {
                    self.error.get_or_insert(error);
                }
            }
        }
    }

    /// The number of the answer.
    fn number(&mut self, said: &Said<'_>, is_dated: bool) -> Result<u32, TooManyKeys> {
        let Said { claim, name, is_gone, is_journal, .. } = *said;
        let kind = (claim, is_dated, is_gone, matches!(said.of, Of::Current));
        if let Some((last_kind, last_name, number)) = &self.last
            && (*last_kind, &last_name[..]) == (kind, name.bytes())
        {
            return Ok(*number);
        }
        let known = self.numbers.get(&(kind, name.bytes().to_vec())).copied();
        let number = match known {
            Some(number) => number,
            None => {
                let key = self.key(name)?;
                let (source, file, is_doubtful) = (self.source, self.file, kind.3);
                let answer = Answer { claim, key, source, is_dated, is_journal, is_gone, is_doubtful, file };
                let number = self.work.answers.number(answer)?;
                self.numbers.insert((kind, name.bytes().to_vec()), number);
                number
            }
        };
        self.last = Some((kind, name.bytes().to_vec(), number));
        Ok(number)
    }

    fn key(&mut self, name: Name<'_>) -> Result<SaidKey, TooManyKeys> {
        Ok(match name {
            Name::None => SaidKey::Nothing,
            Name::Untold => SaidKey::Untold,
            Name::Is(name) => match self.work.ring.find(name)? {
                Some(known) => SaidKey::Is(known),
                None => {
                    self.unresolved.insert(name.to_vec());
                    SaidKey::Untold
                }
            },
        })
    }

    /// Ends a file, or a part of one, that was read to its end; without a kind, nothing was read of it.
    fn end(&mut self, kind: Option<EvidenceKind>) -> Result<(), Stop> {
        for (key, statement) in self.waiting.take().into_iter().flatten() {
            if let Err(error) = self.writer.push(key.partition(), (key, statement)) {
                self.error.get_or_insert(error);
            }
        }
        if let Some(error) = self.error.take() {
            return Err(Stop::Error(EvidenceError::Join(error.to_string())));
        }
        if let Some(kind) = kind {
            let mut found = lock(&self.work.found);
            let facts = &mut found.sources[self.source as usize];
            facts.files += u64::from(!matches!(kind, EvidenceKind::MetadataInventory | EvidenceKind::MetadataJournal));
            facts.records += self.records;
            facts.as_of = facts.as_of.max(self.newest.map(Timestamp::as_millis));
            facts.unresolved_keys += self.unresolved.len() as u64;
            for (bucket, keys) in std::mem::take(&mut self.in_use) {
                let counts = facts.in_use.entry(bucket).or_default();
                keys.into_iter().for_each(|(key, count)| *counts.entry(key).or_default() += count);
            }
        }
        self.forget();
        Ok(())
    }

    /// Forgets what a file said.
    fn forget(&mut self) {
        self.waiting = None;
        (self.records, self.newest) = (0, None);
        self.unresolved.clear();
        self.in_use.clear();
    }
}

//! All evidence, read side by side: files are recognised by what is in them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::Evidence;
use super::EvidenceError;
use super::EvidenceFacts;
use super::EvidenceFault;
use super::EvidenceKind;
use super::EvidenceOptions;
use super::EvidenceSummary;
use super::KeyRing;
use super::Known;
use super::MAX_KEYS;
use super::TooManyKeys;
use super::collect::{Collected, Collector, SharedWords, Waits};
use super::files::{Contents, EvidenceFile, Lines, Stop, find_files};
use super::join_inventory;
use super::lacks_versions;
use super::lists;
use super::metadata;
use super::recognise::{Content, Passed, Table};
use super::text_file;
use super::unattributed::Unattributed;
use super::words::{Answer, Answers, Keeper, Word};
use super::worlds::FIRST_REKEYING;
use crate::batch::Batch;
use crate::delivery::{Delivered, Reading};
use crate::escape::escape;
use crate::fault::UnitFault;
use crate::join::{JoinError, KeyHasher, Partitions};
use crate::plan::{Plan, Shard};
use crate::readers::{NotWhole, Part, Rows, Scratch, Split, UnitReader, WholeReader, split_strict};
use crate::source::{FileFault, SourceFile};
use crate::timestamp::Timestamp;
use crate::work::{Crew, Progress, Room, Tasks, Watch, caught, lock};

/// The work of all threads.
struct Loading<'e> {
    shared: SharedWords<'e>,
    tasks: Tasks<VecDeque<Task>>,
    found: Mutex<FoundEvidence>,
    unattributed: Mutex<Unattributed>,
    crew: Crew<'e, EvidenceError>,
    progress: &'e dyn Progress,
    /// The paths as they were given, harmless to show.
    given: Vec<String>,
    /// Whether contents are hashed.
    is_hashed: bool,
    /// Logs that digests list.
    listed: Option<Reading>,
}

#[derive(Default)]
struct FoundEvidence {
    sources: Vec<FoundSource>,
    by_kind: HashMap<(usize, EvidenceKind), usize>,
    /// Files that are counted.
    counted: BTreeSet<u32>,
    faults: BTreeMap<PathBuf, (String, String)>,
    spoiled: BTreeSet<u32>,
    /// Files that are no evidence.
    passed: BTreeMap<Passed, u64>,
    contents: Contents,
}

impl FoundEvidence {
    /// Notes that a file or what was found in its place is not understood.
    fn note_unrecognised(&mut self, path: PathBuf, why: &str) {
        let why = escape(why.as_bytes()).into_owned();
        self.faults.entry(path).or_insert_with(|| ("evidence_unrecognised".to_owned(), why));
    }
}

struct FoundSource {
    facts: EvidenceFacts,
    unresolved: BTreeSet<Vec<u8>>,
}

impl FoundSource {
    fn new(given: &str, kind: EvidenceKind) -> Self {
        let facts = EvidenceFacts {
            source: given.to_owned(),
            kind,
            files: 0,
            records: 0,
            undated: 0,
            as_of: None,
            unresolved_keys: 0,
            in_use: BTreeMap::new(),
        };
        Self { facts, unresolved: BTreeSet::new() }
    }
}

enum Task {
    File(EvidenceFile),
    /// Some rows of a Parquet file.
    Rows {
        file: EvidenceFile,
        kind: EvidenceKind,
        rows: Rows,
        opened: Arc<SourceFile>,
        /// The bytes of the file that they stand for.
        bytes: Range<u64>,
    },
}

/// What evidence is read for.
pub(crate) struct Wanted<'w> {
    pub(crate) options: &'w EvidenceOptions,
    pub(crate) plan: &'w Plan,
    /// It is hashed for a shard: others must have read the same.
    pub(crate) shard: Option<Shard>,
    pub(crate) ring: &'w KeyRing<'w>,
    /// What digests say was delivered, which it is held against.
    pub(crate) delivered: Option<Delivered>,
}

/// Reads all evidence and makes it ready for the inventories of a plan.
pub(crate) fn load(
    Wanted { options, plan, shard, ring, delivered }: Wanted<'_>,
    folder: TempDir,
    jobs: usize,
    watch: Watch<'_>,
) -> Result<Evidence, EvidenceError> {
    let Watch { cancel, progress } = watch;
    let given = find_files(options)?;
    progress.expect(given.files.iter().map(|file| file.len).sum());
    let (answers, hasher) = (Answers::default(), KeyHasher::new());
    let records = Partitions::new(options.memory, folder.path(), "evidence");
    let work = Loading {
        shared: SharedWords {
            ring,
            answers: &answers,
            hasher: hasher.clone(),
            as_of: options.as_of,
            lacks_versions: lacks_versions(plan),
            records: &records,
            has_seconds: AtomicBool::new(false),
            has_seconds_of_any: AtomicBool::new(false),
            has_any: AtomicBool::new(false),
            has_etags: AtomicBool::new(false),
            has_hints: AtomicBool::new(false),
        },
        tasks: Tasks::new(given.files.into_iter().map(Task::File).collect()),
        found: Mutex::default(),
        unattributed: Mutex::default(),
        crew: Crew::new(jobs, cancel),
        progress,
        given: given.names,
        is_hashed: shard.is_some(),
        listed: delivered.map(Reading::new),
    };
    work.crew.run(|_| work.run())?;
    let (ways, mut found) = (work.shared.ways(), std::mem::take(&mut *lock(&work.found)));
    given.others.into_iter().for_each(|(path, why)| found.note_unrecognised(path, why));
    let mut unattributed = std::mem::take(&mut *lock(&work.unattributed));
    let mut list = answers.list();
    let FoundEvidence { sources, faults, spoiled, passed, contents, .. } = found;
    let fingerprint = shard.map(|_| given.labels.fingerprint(&contents));
    let sources = in_order(sources, &mut list);
    let paths = options.given_paths();
    let faults = faults.into_iter().map(|(path, (what, why))| EvidenceFault { path: paths.name(&path), what, why });
    let moments = moments(plan, options.as_of);
    let delivery = work.listed.map(|listed| listed.finish(&moments));
    let summary = EvidenceSummary { faults: faults.collect(), passed, fingerprint, sources, delivery };
    let is_spoiled = |file| spoiled.contains(&file);
    unattributed.settle(&is_spoiled);
    let keeper = Keeper { answers: &list, moments: &moments, is_spoiled: &is_spoiled };
    let keep = |words: &mut Vec<Word>| keeper.keep(words);
    let known = match records.has_spilled() {
        false => Known::Tables(records.into_tables(jobs, &keep, cancel)?),
        true => Known::Joined(join_inventory(
            plan.units(shard.unwrap_or(Shard::WHOLE)).collect(),
            &records,
            (&hasher, ways),
            &keep,
            folder.path(),
            Room { memory: options.memory, jobs },
            watch,
        )?),
    };
    let (as_of, is_before_rekeyings) = (options.as_of, moments.iter().any(|moment| *moment < FIRST_REKEYING));
    Ok(Evidence { summary, list, hasher, ways, known, unattributed, as_of, is_before_rekeyings, _folder: folder })
}

/// The moments that the sources of a plan are about, in order.
fn moments(plan: &Plan, as_of: Option<Timestamp>) -> Vec<i64> {
    let of_sources = plan.sources().iter().filter_map(|source| source.created_at.or(as_of));
    let moments: BTreeSet<i64> = of_sources.map(Timestamp::as_millis).collect();
    moments.into_iter().collect()
}

/// Sources in an order that does not depend on who was first, and so the numbers that answers know them by.
fn in_order(sources: Vec<FoundSource>, answers: &mut [Answer]) -> Vec<EvidenceFacts> {
    let mut ordered: Vec<(usize, FoundSource)> = sources.into_iter().enumerate().collect();
    ordered.sort_by(|(_, one), (_, other)| {
        (&one.facts.source, one.facts.kind).cmp(&(&other.facts.source, other.facts.kind))
    });
    let places: HashMap<u32, u32> = ordered.iter().zip(0..).map(|((was, _), is)| (*was as u32, is)).collect();
    answers.iter_mut().for_each(|answer| answer.source = places.get(&answer.source).copied().unwrap_or(answer.source));
    let facts = |(_, FoundSource { mut facts, unresolved })| {
        facts.unresolved_keys = unresolved.len() as u64;
        facts
    };
    ordered.into_iter().map(facts).collect()
}

impl Loading<'_> {
    fn run(&self) -> Result<(), EvidenceError> {
        let (mut collector, mut reader) = (Collector::new(&self.shared), WholeReader::default());
        self.tasks.work_off(&self.crew, VecDeque::pop_front, |task| {
            let (file, len) = (task.file().clone(), task.len());
            let done = caught(|| self.run_task(task, &mut collector, &mut reader));
            match done.unwrap_or_else(|why| Err(UnitFault::Panicked(why).into())) {
                Ok(false) => return Ok(()),
                Ok(true) => self.note(collector.end().map_err(JoinError::File)?),
                Err(stop) => {
                    collector.forget();
                    self.stop(&file, stop);
                }
            }
            self.progress.advance(len, 0);
            Ok(())
        })?;
        let unattributed = collector.finish().map_err(JoinError::File)?;
        lock(&self.unattributed).merge(unattributed);
        Ok(())
    }

    /// Notes what was read of a source.
    fn note(&self, (source, collected): (u32, Collected)) {
        let found = &mut lock(&self.found).sources[source as usize];
        found.facts.records += collected.records;
        found.facts.undated += collected.undated;
        found.facts.as_of = found.facts.as_of.max(collected.newest.map(Timestamp::as_millis));
        found.unresolved.extend(collected.unresolved);
        for ((bucket, key), count) in collected.in_use {
            *found.facts.in_use.entry(bucket).or_default().entry(key).or_default() += count;
        }
        if found.facts.in_use.values().map(BTreeMap::len).sum::<usize>() > MAX_KEYS {
            self.crew.fail(TooManyKeys.into());
        }
    }

    fn stop(&self, file: &EvidenceFile, stop: Stop) {
        match stop {
            Stop::Unknown { why, .. } if file.is_named => {
                self.crew.fail(EvidenceError::Unknown { path: file.path.clone(), why });
            }
            Stop::Passed(passed) => {
                let found = &mut *lock(&self.found);
                found.spoiled.insert(file.number);
                *found.passed.entry(passed).or_default() += 1;
            }
            Stop::Unknown { why, .. } => {
                let found = &mut *lock(&self.found);
                found.spoiled.insert(file.number);
                found.note_unrecognised(file.path.clone(), &why);
            }
            Stop::Error(error) => self.crew.fail(error),
            Stop::Fault { what, why } => {
                let mut found = lock(&self.found);
                found.spoiled.insert(file.number);
                found.faults.entry(file.path.clone()).or_insert((what.to_owned(), escape(why.as_bytes()).into_owned()));
            }
        }
    }

    /// Reads a file, or some rows of one, to the end; says no if only others are to be read for it.
    fn run_task(&self, task: Task, to: &mut Collector<'_, '_>, reader: &mut WholeReader) -> Result<bool, Stop> {
        match task {
            Task::Rows { file, kind, rows, opened, bytes } => {
                // First, so that what is read for it is still at hand when it is decoded.
                if self.is_hashed {
                    self.note_content(&file, bytes.start, opened.hash_of(bytes)?);
                }
                to.begin(self.source(&file, kind), file.number, Waits::No);
                self.read_rows(rows, kind, to, reader)?;
                opened.check_unchanged()?;
                Ok(true)
            }
            Task::File(file) => {
                let opened = SourceFile::open(&file.path, None)?;
                let table = match &file.key {
                    None => Table::of(&file.path, &opened).map_err(FileFault::from)?,
                    Some(_) => Table::No,
                };
                let opened = Arc::new(if self.is_hashed && table == Table::No { opened.hashed() } else { opened });
                let read = match table {
                    Table::Whole => self.open_table(&file, &opened),
                    Table::Damaged => Err(no_table()),
                    Table::No => self.read_whole(&file, &opened, to, reader),
                }
                .map_err(|stop| stop.in_place_of(&file));
                // What a table holds is hashed with its rows, and what is passed over does not matter.
                if !matches!(read, Ok(false) | Err(Stop::Passed(_)))
                    && let Some(opened) = Arc::into_inner(opened)
                {
                    match self.is_hashed {
                        true => self.note_content(&file, 0, opened.into_hash()?),
                        false => opened.check_unchanged()?,
                    }
                }
                read
            }
        }
    }

    fn read_whole(
        &self,
        file: &EvidenceFile,
        opened: &Arc<SourceFile>,
        to: &mut Collector<'_, '_>,
        reader: &mut WholeReader,
    ) -> Result<bool, Stop> {
        let opened = Arc::clone(opened);
        if let Some(key) = file.key.clone() {
            return self.read_list(file, opened, &key, to, reader);
        }
        let mut begin = |kind, to: &mut Collector<'_, '_>| {
            to.begin(self.source(file, kind), file.number, Waits::ForTheEnd);
        };
        text_file::read(file, opened, self.listed.as_ref(), to, &mut begin, &|| self.crew.is_over())?;
        Ok(true)
    }

    /// Notes the hash of a file, or of its part from an offset on.
    fn note_content(&self, file: &EvidenceFile, offset: u64, hash: [u8; 32]) {
        lock(&self.found).contents.insert((file.number, offset), hash);
    }

    /// The position of the source of a file of some kind; the file counts for it.
    fn source(&self, file: &EvidenceFile, kind: EvidenceKind) -> u32 {
        let FoundEvidence { sources, by_kind, counted, .. } = &mut *lock(&self.found);
        let at = *by_kind.entry((file.given, kind)).or_insert_with(|| {
            sources.push(FoundSource::new(&self.given[file.given], kind));
            sources.len() - 1
        });
        sources[at].facts.files += u64::from(counted.insert(file.number));
        at as u32
    }
}

/// Reading by kind.
impl Loading<'_> {
    /// The row groups of a table are read side by side.
    fn open_table(&self, file: &EvidenceFile, opened: &Arc<SourceFile>) -> Result<bool, Stop> {
        let mut reader = UnitReader::of_table(Arc::clone(opened))?;
        let kind = metadata::kind(reader.facts().columns).ok_or_else(no_metadata)?;
        let (mut tasks, mut from) = (Vec::new(), 0);
        while let Some(part) = reader.next_part(&mut Scratch::default())? {
            let until = reader.bytes_read().clamp(from, file.len);
            if let Part::Rows(rows) = part {
                let bytes = std::mem::replace(&mut from, until)..until;
                tasks.push(Task::Rows { file: file.clone(), kind, rows, opened: Arc::clone(opened), bytes });
            }
        }
        // All bytes are those of some rows.
        match tasks.last_mut() {
            Some(Task::Rows { bytes, .. }) => bytes.end = u64::MAX,
            _ if self.is_hashed => self.note_content(file, 0, opened.hash_of(0..u64::MAX)?),
            _ => {}
        }
        // Before other files: the rows of one file share what the system has cached of it.
        self.tasks.with(|waiting| tasks.into_iter().rev().for_each(|task| waiting.push_front(task)));
        Ok(false)
    }

    fn read_rows(
        &self,
        rows: Rows,
        kind: EvidenceKind,
        to: &mut Collector<'_, '_>,
        reader: &mut WholeReader,
    ) -> Result<(), Stop> {
        let is_journal = kind == EvidenceKind::MetadataJournal;
        let mut each = |batch: &Batch<'_>| metadata::collect(batch, is_journal, to);
        match reader.read_rows(rows, metadata::columns(kind), &|| self.crew.is_over(), &mut each) {
            Err(NotWhole::Fault(fault)) => Err(fault.into()),
            Err(NotWhole::Taker(stop)) => Err(stop),
            Ok(()) | Err(NotWhole::Cancelled) => Ok(()),
        }
    }

    fn read_list(
        &self,
        file: &EvidenceFile,
        opened: Arc<SourceFile>,
        key: &str,
        to: &mut Collector<'_, '_>,
        reader: &mut WholeReader,
    ) -> Result<bool, Stop> {
        let mut line = Vec::new();
        Lines::new(Arc::clone(&opened))?.next(&mut line)?;
        let mut split = Split::default();
        let fields = split_strict(&line, &mut split).map_or(0, |()| split.fields.len());
        let no_list = || Stop::Fault {
            what: "evidence_damaged",
            why: "not a list of `bucket,key[,version[,evidence_as_of]]`".into(),
        };
        let schema = lists::schema(fields).ok_or_else(no_list)?.map_err(|_| no_list())?;
        to.begin(self.source(file, EvidenceKind::OneKeyList), file.number, Waits::ForTheEnd);
        let open = || UnitReader::of_list(opened, Arc::new(schema));
        let mut each = |batch: &Batch<'_>| lists::collect(batch, key, to);
        match reader.read_all(open, lists::COLUMNS, &|| self.crew.is_over(), &mut each) {
            Err(NotWhole::Fault(fault)) => Err(fault.into()),
            Err(NotWhole::Taker(stop)) => Err(stop),
            Ok(_) | Err(NotWhole::Cancelled) => Ok(true),
        }
    }
}

fn no_table() -> Stop {
    let why = "it is no whole Parquet file, although it is called one, or begins or ends like one".to_owned();
    Stop::Fault { what: "evidence_damaged", why }
}

fn no_metadata() -> Stop {
    let why = "it is no table of S3 Metadata: it lacks the columns kms_key_arn and encryption_status".to_owned();
    Stop::Unknown { content: Content::Table, why }
}

impl Task {
    /// How many bytes of its file it stands for.
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => file.len,
            Self::Rows { file, bytes, .. } => bytes.end.min(file.len) - bytes.start,
        }
    }

    fn file(&self) -> &EvidenceFile {
        match self {
            Self::File(file) | Self::Rows { file, .. } => file,
        }
    }
}

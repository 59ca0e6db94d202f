//! Workers, and what they do next.
//!
//! A worker opens the next few units of about the same size and compares their checksums side by side, which takes hardly
//! longer than one. Then, whoever opened it, every worker examines the first unit that nobody has begun, and opens more
//! when there is none: what is found in a unit has few others to wait for in the lists. When all units are open, workers
//! join each other: of a unit they take the next part, so that one large file keeps all cores busy, too; row groups of
//! Parquet and stripes of ORC are read side by side as fast as files.
//! Who takes part in a unit is counted, and the last to leave finishes it: the unit counts as a whole, or not at all. So at
//! most as many units are half examined as there are workers, and each worker holds one part: memory does not depend on
//! how much there is to do.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::batch::{Column, ColumnSet};
use crate::evidence::{Evidence, KeyError, Keys};
use crate::examine::{ExamineError, Examiner, drawn_lines};
use crate::fault::UnitFault;
use crate::partial::{MergeError, Partial, Rollups, Terms};
use crate::plan::{Format, Unit, UnitId};
use crate::policy::Checker;
use crate::readers::{FileChecksum, Part, Rows, Scratch, UnitFacts, UnitFile, UnitReader};
use crate::remediation::{Groups, Targets};
use crate::sample::Limits;
use crate::sinks::{Ended, Extent, OrderedLists, OutputError, Spools};
use crate::work::{Cancel, Crew, Progress, Stopped, Watch, caught, lock};

/// Why the work could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The workers stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Findings could not be written down.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The keys of rows cannot be told.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Our own mistake: a unit was examined twice.
    #[error(transparent)]
    Merge(#[from] MergeError),
}

impl From<ExamineError> for EngineError {
    fn from(error: ExamineError) -> Self {
        match error {
            ExamineError::Keys(error) => error.into(),
            ExamineError::Output(error) => error.into(),
        }
    }
}

/// What all workers share.
struct AuditWork<'w> {
    queue: Mutex<Queue<'w>>,
    checker: &'w Checker,
    /// The columns that every row is judged and counted by.
    wanted: ColumnSet,
    terms: Arc<Terms>,
    total: Mutex<Partial>,
    /// What rows must not exceed to be drawn, by what is drawn of units that have ended.
    limits: Mutex<Arc<Limits>>,
    lists: &'w OrderedLists<'w>,
    crew: Crew<'w, EngineError>,
    progress: &'w dyn Progress,
}

struct Queue<'w> {
    /// Units that nobody has taken; the next one is the last.
    waiting: Vec<Unit<'w>>,
    /// Units that somebody has taken and nobody has finished.
    open: BTreeMap<UnitId, Arc<OpenUnit<'w>>>,
}

/// What a worker does next.
enum Task<'w> {
    /// Compare the checksums of these.
    Verify(Vec<Arc<OpenUnit<'w>>>),
    /// Examine parts of this one.
    Examine(Arc<OpenUnit<'w>>),
}

/// What a worker can do for a unit, the more useful first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// Begin it.
    Begin,
    /// Examine its next part beside others.
    Join,
}

/// A unit that is being examined.
struct OpenUnit<'w> {
    unit: Unit<'w>,
    /// Whether its checksum is compared together with those of other units, and not as a part of its own.
    is_grouped: bool,
    /// The checksum of a grouped unit, once its file is open.
    checksum: Mutex<Option<FileChecksum>>,
    reader: Mutex<ReaderState>,
    found: Mutex<FoundInUnit>,
}

enum ReaderState {
    /// Nobody has begun the unit.
    Untouched(Option<UnitFile>),
    Open(Box<UnitReader>),
    /// There are no more parts to hand out.
    Exhausted,
}

/// What the workers have found in a unit.
struct FoundInUnit {
    partial: Partial,
    /// Whether its checksum is still to be compared, apart from its parts.
    is_unverified: bool,
    /// Known when the unit has been read to its end.
    facts: Option<UnitFacts>,
    /// Lines that are no rows.
    blank_lines: u64,
    /// The fault of the file as a whole, or else of the first part that has one: all parts before it have been handed
    /// out, so any number of workers finds the same.
    fault: Option<(Option<u32>, UnitFault)>,
    /// How many workers take part.
    visitors: usize,
}

/// Where the workers leave what they find.
pub(crate) struct Destination<'w> {
    /// What was found before: counts are added to it.
    pub(crate) total: Partial,
    pub(crate) spools: &'w Spools,
    pub(crate) lists: &'w OrderedLists<'w>,
    /// What violating objects should become.
    pub(crate) targets: &'w Targets,
    /// The groups of objects that are put right together.
    pub(crate) groups: &'w Groups,
    pub(crate) keys: Keys<'w>,
}

/// Examines the units with `jobs` workers. Returns the total.
pub(crate) fn run<'w>(
    units: Vec<Unit<'w>>,
    checker: &'w Checker,
    Destination { total, spools, lists, targets, groups, keys }: Destination<'w>,
    jobs: usize,
    Watch { cancel, progress }: Watch<'w>,
) -> Result<Partial, EngineError> {
    let queue = Queue::new(units.clone());
    let work = AuditWork {
        queue: Mutex::new(queue),
        checker,
        wanted: wanted_columns(checker, total.terms.rollups, keys.evidence),
        terms: Arc::clone(&total.terms),
        limits: Mutex::new(Arc::new(total.sample.limits(&total.terms.sample))),
        total: Mutex::new(total),
        lists,
        crew: Crew::new(jobs, cancel),
        progress,
    };
    work.crew.run(|number| {
        work.run_worker(Examiner::new(
            checker,
            targets,
            groups,
            keys,
            spools.writer(number as u32),
            Arc::clone(&work.terms),
        ));
        Ok(())
    })?;
    let mut total = work.total.into_inner().unwrap_or_else(PoisonError::into_inner);
    complete_sample(&units, &mut total, jobs, cancel)?;
    Ok(total)
}

/// Reads what was drawn into the sample and not read when it was examined.
fn complete_sample(units: &[Unit<'_>], total: &mut Partial, jobs: usize, cancel: &Cancel) -> Result<(), EngineError> {
    let unread = total.sample.unread();
    let units: Vec<_> = units.iter().filter_map(|unit| Some((unit, unread.get(&unit.id)?))).collect();
    let (crew, lines) = (Crew::<EngineError>::new(jobs, cancel), Mutex::new(BTreeMap::new()));
    let each = |scratch: &mut Scratch, at: usize| {
        let (unit, rows) = units[at];
        let mut drawn = drawn_lines(unit, rows, scratch, &|| crew.is_over());
        lock(&lines).append(&mut drawn);
        Ok(())
    };
    crew.each(units.len(), Scratch::default, each, |_| Ok(()))?;
    total.sample.complete(&lock(&lines));
    Ok(())
}

/// The columns that every row is judged and counted by.
fn wanted_columns(checker: &Checker, rollups: Rollups, evidence: Option<&Evidence>) -> ColumnSet {
    let of_keys = ColumnSet::NONE.with(Column::KmsKeyArn).with(Column::IsBucketKeyEnabled);
    let placed = ColumnSet::NONE.with(Column::Key).with(Column::LastModifiedDate);
    let mut wanted = checker.wanted_columns().union(of_keys);
    if rollups != Rollups::None {
        wanted = wanted.union(placed).with(Column::StorageClass);
    }
    match evidence {
        Some(evidence) => wanted.union(placed).union(evidence.wanted_columns(checker.policy().evidence)),
        None => wanted,
    }
}

impl<'w> AuditWork<'w> {
    fn run_worker(&self, mut examiner: Examiner<'w>) {
        let mut scratch = Scratch::default();
        while !self.crew.is_over()
            && let Some(task) = self.next_task()
        {
            if let Err(error) = self.run_task(task, &mut examiner, &mut scratch) {
                self.crew.fail(error);
            }
        }
    }

    fn run_task(&self, task: Task<'w>, examiner: &mut Examiner<'w>, scratch: &mut Scratch) -> Result<(), EngineError> {
        match task {
            Task::Examine(open) => {
                self.visit(&open, examiner, scratch);
                self.leave(&open, examiner)
            }
            Task::Verify(group) => {
                self.verify(&group);
                group.iter().try_for_each(|open| self.leave(open, examiner))
            }
        }
    }

    /// The first open unit that another worker speeds up; or else the next units to open; or else any unit with parts left.
    fn next_task(&self) -> Option<Task<'w>> {
        let mut queue = lock(&self.queue);
        if let Some(open) = queue.open.values().find(|open| open.is_for_all()) {
            return Some(Task::Examine(open.enter()));
        }
        let group = queue.take_group();
        if !group.is_empty() {
            let is_grouped = group.len() > 1;
            let open: Vec<_> = group.into_iter().map(|unit| Arc::new(self.open_unit(unit, is_grouped))).collect();
            queue.open.extend(open.iter().map(|open| (open.unit.id, Arc::clone(open))));
            return Some(Task::Verify(open));
        }
        let needed = queue.open.values().filter_map(|open| Some((open.need()?, open)));
        let (_, open) = needed.min_by_key(|(need, _)| *need)?;
        Some(Task::Examine(open.enter()))
    }

    /// Compares the checksums of a group. Others may be examining its units already.
    fn verify(&self, group: &[Arc<OpenUnit<'w>>]) {
        let (mut units, mut checksums) = (Vec::new(), Vec::new());
        for open in group.iter().filter(|open| open.is_grouped) {
            match open.prepare() {
                Ok(Some(checksum)) => {
                    units.push(open);
                    checksums.push(checksum);
                }
                // Somebody else could not open the file.
                Ok(None) => {}
                Err(fault) => open.fail(None, fault),
            }
        }
        FileChecksum::check_all(&checksums, &|| self.crew.is_over(), &mut |at, checked| match checked {
            Ok(()) => lock(&units[at].found).is_unverified = false,
            Err(fault) => units[at].fail(None, fault),
        });
    }

    fn open_unit(&self, unit: Unit<'w>, is_grouped: bool) -> OpenUnit<'w> {
        let found = FoundInUnit {
            partial: self.nothing(),
            is_unverified: is_grouped,
            facts: None,
            blank_lines: 0,
            fault: None,
            visitors: 1,
        };
        let reader = Mutex::new(ReaderState::Untouched(None));
        OpenUnit { unit, is_grouped, checksum: Mutex::new(None), reader, found: Mutex::new(found) }
    }

    fn nothing(&self) -> Partial {
        Partial::new(Arc::clone(&self.terms), self.checker.policy().rules.len())
    }

    /// Examines parts of the unit until it has no more.
    fn visit(&self, open: &Arc<OpenUnit<'w>>, examiner: &mut Examiner<'w>, scratch: &mut Scratch) {
        let (mut visit, mut part_number) = (self.nothing(), 0);
        examiner.begin_unit(&open.unit, &lock(&self.limits));
        let examined = caught(|| -> Result<(), UnitFault> {
            while !self.crew.is_over()
                && let Some(part) = self.next_part(open, scratch, &mut part_number)?
            {
                match part {
                    Part::Rows(rows) => self.examine_rows(open, rows, examiner, scratch, &mut visit)?,
                    Part::Checksum(checksum) => {
                        // Its number is not waited for.
                        self.end_part(open, part_number, Vec::new());
                        checksum.check(&|| self.crew.is_over())?;
                    }
                }
            }
            examiner.fold(&mut visit);
            Ok(())
        });
        let examined = examined.unwrap_or_else(|why| Err(UnitFault::Panicked(why)));
        let Err(fault) = examined else {
            let mut found = lock(&open.found);
            found.blank_lines += examiner.take_blank_lines();
            if let Err(error) = found.partial.merge(visit) {
                self.crew.fail(error.into());
            }
            return;
        };
        examiner.forget();
        open.fail(Some(part_number), fault);
    }

    /// Takes the next part and notes its number; only one worker at a time reads a unit on.
    fn next_part(
        &self,
        open: &OpenUnit<'w>,
        scratch: &mut Scratch,
        number: &mut u32,
    ) -> Result<Option<Part>, UnitFault> {
        let mut state = lock(&open.reader);
        if let ReaderState::Untouched(file) = &mut *state {
            let file = file.take().map_or_else(|| open.open_file(), Ok)?;
            *state = ReaderState::Open(Box::new(UnitReader::new(&open.unit, file)?));
        }
        let ReaderState::Open(reader) = &mut *state else { return Ok(None) };
        *number = reader.next_number();
        let before = reader.bytes_read();
        let part = reader.next_part(scratch)?;
        self.progress.advance(reader.bytes_read() - before, 0);
        if part.is_none() {
            lock(&open.found).facts = Some(reader.facts());
            *state = ReaderState::Exhausted;
        }
        Ok(part)
    }

    fn examine_rows(
        &self,
        open: &OpenUnit<'w>,
        rows: Rows,
        examiner: &mut Examiner<'w>,
        scratch: &mut Scratch,
        visit: &mut Partial,
    ) -> Result<(), UnitFault> {
        let number = rows.number;
        // When a report was made is held against the newest of its rows.
        let wanted = if rows.is_dated { self.wanted } else { self.wanted.with(Column::LastModifiedDate) };
        examiner.begin_part(self.lists.is_first(open.unit.id));
        rows.read(wanted, scratch, &|| self.crew.is_over(), &mut |batch, details| {
            self.progress.advance(0, batch.len as u64);
            examiner.examine(&open.unit, batch, details, visit)
        })?;
        match examiner.end_part() {
            Ok(lines) => self.end_part(open, number, lines),
            Err(error) => self.crew.fail(error.into()),
        }
        Ok(())
    }

    fn end_part(&self, open: &OpenUnit<'w>, number: u32, lines: Vec<Extent>) {
        if let Err(error) = self.lists.end_part(open.unit.id, number, lines) {
            self.crew.fail(error.into());
        }
    }

    /// Takes no more part in the unit; the last to do so finishes it, if it has been examined.
    fn leave(&self, open: &Arc<OpenUnit<'w>>, examiner: &mut Examiner<'w>) -> Result<(), EngineError> {
        // Under the queue's lock, so that nobody joins a unit that is being finished.
        let mut queue = lock(&self.queue);
        let mut found = lock(&open.found);
        found.visitors -= 1;
        if found.visitors > 0 || !found.is_examined() {
            return Ok(());
        }
        drop(found);
        queue.open.remove(&open.unit.id);
        drop(queue);
        self.finish(open, examiner)
    }

    /// Adds the unit to the total: what was found, or one fault and nothing else.
    fn finish(&self, open: &OpenUnit<'w>, examiner: &mut Examiner<'w>) -> Result<(), EngineError> {
        if self.crew.is_over() {
            return Ok(());
        }
        let mut found = lock(&open.found);
        let mut partial = std::mem::replace(&mut found.partial, self.nothing());
        let rows = partial.rows_read() + partial.rows_rejected + found.blank_lines;
        let examined = match (found.fault.take(), found.facts.take()) {
            (Some((_, fault)), _) => Err(fault),
            (None, Some(_)) if found.is_unverified => Err(UnitFault::Panicked("its checksum was not compared".into())),
            (None, Some(facts)) if facts.rows != rows => Err(UnitFault::RowCount { expected: facts.rows, found: rows }),
            (None, Some(facts)) => Ok(facts),
            (None, None) => Err(UnitFault::Panicked("it was not read to its end".into())),
        };
        let ended = match examined {
            Ok(facts) => {
                partial.count_unit(open.unit.id, open.unit.source_id, facts);
                Ended::Sound(examiner.end_unit(&open.unit, &partial)?)
            }
            Err(fault) => {
                partial = self.nothing();
                partial.faulted.insert(open.unit.id);
                partial.count_fault(fault.code());
                Ended::Faulted(examiner.fail_unit(&open.unit, fault.code(), &fault.to_string())?)
            }
        };
        self.add(partial)?;
        Ok(self.lists.end(open.unit.id, ended)?)
    }
}

impl AuditWork<'_> {
    /// Adds what was found in a unit to the total.
    fn add(&self, found: Partial) -> Result<(), MergeError> {
        let has_drawn = !found.sample.is_empty();
        let mut total = lock(&self.total);
        total.merge(found)?;
        if has_drawn {
            *lock(&self.limits) = Arc::new(total.sample.limits(&self.terms.sample));
        }
        Ok(())
    }
}

impl<'w> Queue<'w> {
    /// Units come in order, so that lists can be written early. Only those much larger than others come first: nobody
    /// should have to wait for one in the end.
    fn new(mut units: Vec<Unit<'w>>) -> Self {
        let total: u64 = units.iter().fold(0, |sum, unit| sum.saturating_add(unit.size_hint()));
        let large = (total / units.len().max(1) as u64).saturating_mul(2);
        let size_if_large = |unit: &Unit<'_>| Some(unit.size_hint()).filter(|size| *size > large);
        units.sort_by_key(|unit| (size_if_large(unit), Reverse(unit.id)));
        Self { waiting: units, open: BTreeMap::new() }
    }

    /// Files beyond this share are better hashed while they are in the cache of the operating system.
    const MAX_GROUP_BYTES: u64 = 1 << 30;

    /// The next units, as many as should be verified together.
    fn take_group(&mut self) -> Vec<Unit<'w>> {
        let Some(first) = self.waiting.last() else { return Vec::new() };
        // One that is much larger than the others would be alone in the end; its rows are examined meanwhile.
        let (sizes, mut bytes) = (first.size_hint() / 4..=first.size_hint().saturating_mul(4), 0_u64);
        let alike = |unit: &&Unit<'_>| {
            bytes = bytes.saturating_add(unit.size_hint());
            unit.is_hashed() && sizes.contains(&unit.size_hint()) && bytes <= Self::MAX_GROUP_BYTES
        };
        let len = self.waiting.iter().rev().take(FileChecksum::MAX_TOGETHER).take_while(alike).count().max(1);
        self.waiting.drain(self.waiting.len() - len..).rev().collect()
    }
}

impl FoundInUnit {
    /// Whether the unit was read to its end, or need not be.
    fn is_examined(&self) -> bool {
        self.facts.is_some() || self.fault.is_some()
    }
}

impl OpenUnit<'_> {
    /// Takes part in it, until leaving.
    fn enter(self: &Arc<Self>) -> Arc<Self> {
        lock(&self.found).visitors += 1;
        Arc::clone(self)
    }

    /// How much a worker is needed here: nothing if there are no more parts, and most where nobody is yet.
    fn need(&self) -> Option<Need> {
        match self.reader.try_lock() {
            Ok(state) => match *state {
                ReaderState::Untouched(_) => Some(Need::Begin),
                ReaderState::Open(_) => Some(Need::Join),
                ReaderState::Exhausted => None,
            },
            // Somebody is reading it at this moment.
            Err(_) => Some(Need::Join),
        }
    }

    /// Whether it comes before units that are not open yet.
    fn is_for_all(&self) -> bool {
        match self.unit.source.format {
            // Several workers examine its parts as fast as they do several units.
            Format::Parquet | Format::Orc => self.need().is_some(),
            // Whoever compares its checksum would be waited for.
            Format::Csv => lock(&self.found).visitors == 0 && self.need() == Some(Need::Begin),
        }
    }

    /// Makes sure that the file of a grouped unit is open; returns its checksum, if it has one.
    fn prepare(&self) -> Result<Option<FileChecksum>, UnitFault> {
        if let ReaderState::Untouched(file @ None) = &mut *lock(&self.reader) {
            *file = Some(self.open_file()?);
        }
        Ok(lock(&self.checksum).take())
    }

    fn open_file(&self) -> Result<UnitFile, UnitFault> {
        let mut file = UnitFile::open(&self.unit)?;
        if self.is_grouped {
            *lock(&self.checksum) = file.take_checksum();
        }
        Ok(file)
    }

    /// Notes a fault of a part or of the file as a whole: nobody needs the rest of the unit.
    fn fail(&self, part: Option<u32>, fault: UnitFault) {
        *lock(&self.reader) = ReaderState::Exhausted;
        let mut found = lock(&self.found);
        if found.fault.as_ref().is_none_or(|(earlier, _)| part < *earlier) {
            found.fault = Some((part, fault));
        }
    }
}

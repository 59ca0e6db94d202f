//! Workers, and what they do next.
//!
//! Every worker takes the next few units of about the same size and compares their checksums side by side, which takes
//! hardly longer than one. Then it examines them one by one. A worker that finds none left helps with the
//! units of others: it takes their next part, so that one large file keeps all cores busy. Who takes part in a unit is
//! counted, and the last to leave finishes it: the unit counts as a whole, or not at all. So at most as many units are
//! half examined as there are workers, and each worker holds one part: memory does not depend on how much there is to do.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::batch::{Column, ColumnSet};
use crate::examine::Examiner;
use crate::partial::{MergeError, Partial, Rollups, Terms};
use crate::plan::{Unit, UnitId};
use crate::policy::Checker;
use crate::readers::{FileChecksum, Part, Rows, Scratch, UnitFacts, UnitFault, UnitFile, UnitReader};
use crate::sinks::{Extent, OrderedLists, OutputError, Spools};

/// Who wants to know how far the work has come.
pub trait Progress: Sync {
    /// More of the input is behind us.
    fn advance(&self, bytes: u64, rows: u64);
}

/// Nobody does.
pub struct NoProgress;

impl Progress for NoProgress {
    fn advance(&self, _bytes: u64, _rows: u64) {}
}

/// A switch that ends the work early.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends the work early.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work should end.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why the work could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// It was ended early.
    #[error("interrupted")]
    Cancelled,
    /// Findings could not be written down.
    #[error("cannot write a temporary file: {0}")]
    Spool(#[from] io::Error),
    /// Findings could not be written to their list.
    #[error(transparent)]
    List(#[from] OutputError),
    /// Our own mistake: a worker stopped in a way that it should not.
    #[error("internal error: {0}")]
    Panicked(UnitFault),
    /// Our own mistake: a unit was examined twice.
    #[error(transparent)]
    Merge(#[from] MergeError),
}

/// What all workers share.
struct Work<'w> {
    queue: Mutex<Queue<'w>>,
    /// Told when units were verified: somebody may wait for them.
    verified: Condvar,
    checker: &'w Checker,
    /// The columns that every row is judged and counted by.
    wanted: ColumnSet,
    terms: Arc<Terms>,
    total: Mutex<Partial>,
    lists: &'w OrderedLists<'w>,
    failed: Mutex<Option<EngineError>>,
    cancel: &'w Cancel,
    progress: &'w dyn Progress,
}

struct Queue<'w> {
    /// Units that nobody has begun; the next one is the last.
    waiting: Vec<Unit<'w>>,
    /// How many of them are verified together, at most.
    group_len: usize,
    /// Units whose files are known to be what was delivered.
    verified: BTreeMap<UnitId, (Unit<'w>, UnitFile)>,
    /// How many workers are comparing checksums.
    verifying: usize,
    /// Units that somebody has begun and nobody has finished.
    open: Vec<Arc<OpenUnit<'w>>>,
}

/// What a worker does next.
enum Task<'w> {
    /// Compare the checksums of these.
    Verify(Vec<Unit<'w>>),
    /// Take part in this one.
    Visit(Arc<OpenUnit<'w>>),
}

/// A unit that is being examined.
struct OpenUnit<'w> {
    unit: Unit<'w>,
    reader: Mutex<ReaderState>,
    found: Mutex<Found>,
}

enum ReaderState {
    /// Its file may be open.
    Waiting(Option<UnitFile>),
    Open(Box<UnitReader>),
    /// There are no more parts to hand out.
    Exhausted,
}

/// What the workers have found in a unit.
struct Found {
    partial: Partial,
    extents: Vec<Extent>,
    facts: UnitFacts,
    /// Lines that are no rows.
    blank_lines: u64,
    /// The fault of the first part that has one: all parts before it have been handed out, so any number of workers
    /// finds the same.
    fault: Option<(u32, UnitFault)>,
    /// How many workers take part.
    visitors: usize,
}

/// Where the workers leave what they find.
pub(crate) struct Outcome<'w> {
    /// What was found before: counts are added to it.
    pub(crate) total: Partial,
    pub(crate) spools: &'w Spools,
    pub(crate) lists: &'w OrderedLists<'w>,
}

/// Examines the units with `jobs` workers. Returns the total.
pub(crate) fn run<'w>(
    units: Vec<Unit<'w>>,
    checker: &'w Checker,
    Outcome { total, spools, lists }: Outcome<'w>,
    jobs: usize,
    cancel: &'w Cancel,
    progress: &'w dyn Progress,
) -> Result<Partial, EngineError> {
    let queue = Queue::new(units, jobs);
    let work = Work {
        queue: Mutex::new(queue),
        verified: Condvar::new(),
        checker,
        wanted: wanted_columns(checker, total.terms.rollups),
        terms: Arc::clone(&total.terms),
        total: Mutex::new(total),
        lists,
        failed: Mutex::new(None),
        cancel,
        progress,
    };
    std::thread::scope(|scope| {
        for worker in 0..jobs.max(1) {
            let (work, spool) = (&work, spools.writer(worker as u32));
            let body = move || {
                let run = AssertUnwindSafe(|| work.run_worker(Examiner::new(checker, spool)));
                if let Err(panic) = catch_unwind(run) {
                    work.fail(EngineError::Panicked(UnitFault::panicked(&*panic)));
                }
            };
            let started = std::thread::Builder::new().name(format!("{WORKER_NAME}{worker}")).spawn_scoped(scope, body);
            if let Err(error) = started {
                work.fail(error.into());
            }
        }
    });
    // First, because being interrupted can be why something failed.
    if cancel.is_cancelled() {
        return Err(EngineError::Cancelled);
    }
    if let Some(error) = lock(&work.failed).take() {
        return Err(error);
    }
    Ok(work.total.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The columns that every row is judged and counted by.
fn wanted_columns(checker: &Checker, rollups: Rollups) -> ColumnSet {
    match rollups {
        Rollups::None => checker.wanted_columns(),
        Rollups::UpTo(_) => checker.wanted_columns().with(Column::Key).with(Column::LastModifiedDate),
    }
}

/// How the names of worker threads begin. A panic in one of them is a fault, not a crash.
pub const WORKER_NAME: &str = "worker-";

/// A lock whose holder panicked guards plain data; the unit of the panic is a fault anyway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'w> Work<'w> {
    fn run_worker(&self, mut examiner: Examiner<'w>) {
        let mut scratch = Scratch::default();
        while !self.is_over()
            && let Some(task) = self.next_task()
        {
            if let Err(error) = self.run_task(task, &mut examiner, &mut scratch) {
                self.fail(error);
            }
        }
    }

    fn run_task(&self, task: Task<'w>, examiner: &mut Examiner<'w>, scratch: &mut Scratch) -> Result<(), EngineError> {
        match task {
            Task::Visit(open) => {
                self.visit(&open, examiner, scratch);
                self.leave(&open, examiner)
            }
            Task::Verify(units) => {
                let verified = catch_unwind(AssertUnwindSafe(|| self.verify(units, examiner)));
                lock(&self.queue).verifying -= 1;
                self.verified.notify_all();
                verified.unwrap_or_else(|panic| Err(EngineError::Panicked(UnitFault::panicked(&*panic))))
            }
        }
    }

    fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || lock(&self.failed).is_some()
    }

    fn fail(&self, error: EngineError) {
        lock(&self.failed).get_or_insert(error);
    }

    /// A unit of its own, or a few whose checksums are to be compared; when there is neither, somebody else's unit.
    fn next_task(&self) -> Option<Task<'w>> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some((_, (unit, file))) = queue.verified.pop_first() {
                return Some(Task::Visit(queue.begin(self.open_unit(unit, Some(file)))));
            }
            let mut group = queue.take_group();
            if group.len() > 1 {
                queue.verifying += 1;
                return Some(Task::Verify(group));
            }
            if let Some(unit) = group.pop() {
                return Some(Task::Visit(queue.begin(self.open_unit(unit, None))));
            }
            if let Some(open) = queue.open.iter().find(|open| open.has_parts()) {
                lock(&open.found).visitors += 1;
                return Some(Task::Visit(Arc::clone(open)));
            }
            if queue.verifying == 0 || self.is_over() {
                return None;
            }
            queue = self.verified.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Compares the checksums of some units; those with a fault are finished.
    fn verify(&self, units: Vec<Unit<'w>>, examiner: &mut Examiner<'w>) -> Result<(), EngineError> {
        let (mut opened, mut checksums) = (Vec::new(), Vec::new());
        for unit in units {
            let mut file = match UnitFile::open(&unit) {
                Ok(file) => file,
                Err(fault) => {
                    self.fail_unit(unit, fault, examiner)?;
                    continue;
                }
            };
            match file.take_checksum() {
                Some(checksum) => {
                    checksums.push(checksum);
                    opened.push(Some((unit, file)));
                }
                None => self.offer(unit, file),
            }
        }
        let mut result = Ok(());
        FileChecksum::check_all(&checksums, &|| self.is_over(), &mut |at, checked| {
            let Some((unit, file)) = opened[at].take() else { return };
            match checked {
                Ok(()) => self.offer(unit, file),
                Err(fault) => {
                    result = std::mem::replace(&mut result, Ok(())).and(self.fail_unit(unit, fault, examiner))
                }
            }
        });
        result
    }

    fn offer(&self, unit: Unit<'w>, file: UnitFile) {
        lock(&self.queue).verified.insert(unit.id, (unit, file));
        self.verified.notify_one();
    }

    /// Finishes a unit that cannot be examined.
    fn fail_unit(&self, unit: Unit<'w>, fault: UnitFault, examiner: &mut Examiner<'w>) -> Result<(), EngineError> {
        let open = self.open_unit(unit, None);
        open.fail(0, fault);
        self.finish(&open, examiner)
    }

    fn open_unit(&self, unit: Unit<'w>, file: Option<UnitFile>) -> OpenUnit<'w> {
        let found = Found {
            partial: self.nothing(),
            extents: Vec::new(),
            facts: UnitFacts::default(),
            blank_lines: 0,
            fault: None,
            visitors: 1,
        };
        OpenUnit { unit, reader: Mutex::new(ReaderState::Waiting(file)), found: Mutex::new(found) }
    }

    fn nothing(&self) -> Partial {
        Partial::new(Arc::clone(&self.terms), self.checker.policy().rules.len())
    }

    /// Examines parts of the unit until it has no more.
    fn visit(&self, open: &Arc<OpenUnit<'w>>, examiner: &mut Examiner<'w>, scratch: &mut Scratch) {
        let (mut visit, mut extents, mut part_number) = (self.nothing(), Vec::new(), 0);
        let examined = catch_unwind(AssertUnwindSafe(|| -> Result<(), UnitFault> {
            while !self.is_over()
                && let Some(part) = self.next_part(open, scratch, &mut part_number)?
            {
                match part {
                    Part::Rows(rows) => self.examine_rows(open, rows, examiner, scratch, &mut visit, &mut extents)?,
                    Part::Checksum(checksum) => checksum.check(&|| self.is_over())?,
                }
            }
            examiner.fold(&mut visit);
            Ok(())
        }));
        let examined = examined.unwrap_or_else(|panic| Err(UnitFault::panicked(&*panic)));
        let Err(fault) = examined else {
            let mut found = lock(&open.found);
            found.extents.append(&mut extents);
            found.blank_lines += examiner.take_blank_lines();
            if let Err(error) = found.partial.merge(visit) {
                self.fail(error.into());
            }
            return;
        };
        examiner.forget();
        open.fail(part_number, fault);
    }

    /// Takes the next part and notes its number; only one worker at a time reads a unit on.
    fn next_part(
        &self,
        open: &OpenUnit<'w>,
        scratch: &mut Scratch,
        number: &mut u32,
    ) -> Result<Option<Part>, UnitFault> {
        let mut state = lock(&open.reader);
        if let ReaderState::Waiting(file) = &mut *state {
            let file = file.take().map_or_else(|| UnitFile::open(&open.unit), Ok)?;
            *state = ReaderState::Open(Box::new(UnitReader::new(&open.unit, file)?));
        }
        let ReaderState::Open(reader) = &mut *state else { return Ok(None) };
        *number = reader.next_number();
        let before = reader.bytes_read();
        let part = reader.next_part(scratch)?;
        self.progress.advance(reader.bytes_read() - before, 0);
        if part.is_none() {
            lock(&open.found).facts = reader.facts();
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
        extents: &mut Vec<Extent>,
    ) -> Result<(), UnitFault> {
        let number = rows.number;
        examiner.begin_part();
        rows.read(self.wanted, scratch, &|| self.is_over(), &mut |batch, details| {
            self.progress.advance(0, batch.len as u64);
            examiner.examine(&open.unit, batch, details, visit)
        })?;
        match examiner.end_part(open.unit.id, number) {
            Ok(part_extents) => extents.extend(part_extents),
            Err(error) => self.fail(error.into()),
        }
        Ok(())
    }

    /// Takes no more part in the unit; the last to do so finishes it.
    fn leave(&self, open: &Arc<OpenUnit<'w>>, examiner: &mut Examiner<'w>) -> Result<(), EngineError> {
        // Under the queue's lock, so that nobody joins a unit that is being finished.
        let mut queue = lock(&self.queue);
        let mut found = lock(&open.found);
        found.visitors -= 1;
        if found.visitors > 0 {
            return Ok(());
        }
        drop(found);
        queue.open.retain(|other| !Arc::ptr_eq(other, open));
        drop(queue);
        self.finish(open, examiner)
    }

    /// Adds the unit to the total: what was found, or one fault and nothing else.
    fn finish(&self, open: &OpenUnit<'w>, examiner: &mut Examiner<'w>) -> Result<(), EngineError> {
        if self.is_over() {
            return Ok(());
        }
        let mut found = lock(&open.found);
        let mut partial = std::mem::replace(&mut found.partial, self.nothing());
        let facts = std::mem::take(&mut found.facts);
        let rows = partial.rows_read() + partial.rows_rejected + found.blank_lines;
        let miscounted = (facts.rows != rows).then_some(UnitFault::RowCount { expected: facts.rows, found: rows });
        match found.fault.take().map(|(_, fault)| fault).or(miscounted) {
            None => partial.count_unit(open.unit.id, open.unit.source_id, facts),
            Some(fault) => {
                partial = self.nothing();
                partial.faulted.insert(open.unit.id);
                partial.count_fault(fault.code());
                found.extents = examiner.fail_unit(&open.unit, fault.code(), &fault.to_string())?.collect();
            }
        }
        lock(&self.total).merge(partial)?;
        Ok(self.lists.add(open.unit.id, std::mem::take(&mut found.extents))?)
    }
}

impl<'w> Queue<'w> {
    /// Units come in order, so that lists can be written early. Only those much larger than others come first: nobody
    /// should have to wait for one in the end.
    fn new(mut units: Vec<Unit<'w>>, jobs: usize) -> Self {
        let total: u64 = units.iter().fold(0, |sum, unit| sum.saturating_add(unit.size_hint()));
        let large = (total / units.len().max(1) as u64).saturating_mul(2);
        let size_if_large = |unit: &Unit<'_>| Some(unit.size_hint()).filter(|size| *size > large);
        units.sort_by_key(|unit| (size_if_large(unit), Reverse(unit.id)));
        let group_len = units.len().div_ceil(jobs.max(1)).clamp(1, FileChecksum::MAX_TOGETHER);
        Self { waiting: units, group_len, verified: BTreeMap::new(), verifying: 0, open: Vec::new() }
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
        let len = self.waiting.iter().rev().take(self.group_len).take_while(alike).count().max(1);
        self.waiting.split_off(self.waiting.len() - len)
    }

    fn begin(&mut self, unit: OpenUnit<'w>) -> Arc<OpenUnit<'w>> {
        let open = Arc::new(unit);
        self.open.push(Arc::clone(&open));
        open
    }
}

impl OpenUnit<'_> {
    /// Whether a worker that joins now may get a part.
    fn has_parts(&self) -> bool {
        match self.reader.try_lock() {
            Ok(state) => !matches!(*state, ReaderState::Exhausted),
            // Somebody is reading it at this moment.
            Err(_) => true,
        }
    }

    /// Notes a fault: nobody needs the rest of the unit.
    fn fail(&self, part_number: u32, fault: UnitFault) {
        *lock(&self.reader) = ReaderState::Exhausted;
        let mut found = lock(&self.found);
        if found.fault.as_ref().is_none_or(|(earlier, _)| part_number < *earlier) {
            found.fault = Some((part_number, fault));
        }
    }
}

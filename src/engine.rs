//! Workers, and what they do next.
//!
//! Every worker takes a unit of its own, the largest first. A worker that finds none left helps with the units of others:
//! it takes their next part, so that one large file keeps all cores busy. Who takes part in a unit is counted, and the last
//! to leave finishes it: the unit counts as a whole, or not at all. So at most as many units are open as there are
//! workers, and each worker holds one part: memory does not depend on how much there is to do.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::examine::Examiner;
use crate::partial::{MergeError, Partial, Terms};
use crate::plan::Unit;
use crate::policy::Checker;
use crate::readers::{Part, Scratch, UnitFacts, UnitFault, UnitReader};
use crate::sinks::{Extent, Spools};

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
    /// Our own mistake: a unit was examined twice.
    #[error(transparent)]
    Merge(#[from] MergeError),
}

/// What the work has come to.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) partial: Partial,
    pub(crate) extents: Vec<Extent>,
}

/// What all workers share.
struct Work<'w> {
    queue: Mutex<Queue<'w>>,
    checker: &'w Checker,
    terms: Arc<Terms>,
    total: Mutex<Examined>,
    failed: Mutex<Option<EngineError>>,
    cancel: &'w Cancel,
    progress: &'w dyn Progress,
}

struct Queue<'w> {
    /// Units that nobody has begun; the next one is the last.
    waiting: Vec<Unit<'w>>,
    /// Units that somebody has begun and nobody has finished.
    open: Vec<Arc<OpenUnit<'w>>>,
}

/// A unit that is being examined.
struct OpenUnit<'w> {
    unit: Unit<'w>,
    reader: Mutex<ReaderState>,
    found: Mutex<Found>,
}

enum ReaderState {
    NotOpened,
    Open(Box<UnitReader>),
    /// There are no more parts to hand out.
    Exhausted,
}

/// What the workers have found in a unit.
struct Found {
    partial: Partial,
    extents: Vec<Extent>,
    facts: UnitFacts,
    /// The fault of the first part that has one: all parts before it have been handed out, so any number of workers
    /// finds the same.
    fault: Option<(u32, UnitFault)>,
    /// How many workers take part.
    visitors: usize,
}

/// Examines the units with `jobs` workers and adds what they find to `total`.
pub(crate) fn run<'w>(
    mut units: Vec<Unit<'w>>,
    checker: &'w Checker,
    total: Partial,
    spools: &Spools,
    jobs: usize,
    cancel: &'w Cancel,
    progress: &'w dyn Progress,
) -> Result<Examined, EngineError> {
    // Small ones last: they even out who finishes when.
    units.sort_by_key(|unit| unit.size_hint());
    let work = Work {
        queue: Mutex::new(Queue { waiting: units, open: Vec::new() }),
        checker,
        terms: Arc::clone(&total.terms),
        total: Mutex::new(Examined { partial: total, extents: Vec::new() }),
        failed: Mutex::new(None),
        cancel,
        progress,
    };
    std::thread::scope(|scope| {
        for worker in 0..jobs.max(1) {
            let (work, spool) = (&work, spools.writer(worker as u32));
            let body = move || work.run_worker(Examiner::new(checker, spool));
            let started = std::thread::Builder::new().name(format!("{WORKER_NAME}{worker}")).spawn_scoped(scope, body);
            if let Err(error) = started {
                work.fail(error.into());
            }
        }
    });
    if let Some(error) = lock(&work.failed).take() {
        return Err(error);
    }
    if cancel.is_cancelled() {
        return Err(EngineError::Cancelled);
    }
    Ok(work.total.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// How the names of worker threads begin. A panic in one of them is a fault, not a crash.
pub const WORKER_NAME: &str = "worker-";

/// A lock whose holder panicked guards plain data; the unit of the panic is a fault anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'w> Work<'w> {
    fn run_worker(&self, mut examiner: Examiner<'w>) {
        let mut scratch = Scratch::default();
        while !self.is_over()
            && let Some(open) = self.next_unit()
        {
            self.visit(&open, &mut examiner, &mut scratch);
            if self.leave(&open)
                && let Err(error) = self.finish(&open, &mut examiner)
            {
                self.fail(error);
            }
        }
        if let Err(error) = examiner.finish() {
            self.fail(error.into());
        }
    }

    fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || lock(&self.failed).is_some()
    }

    fn fail(&self, error: EngineError) {
        lock(&self.failed).get_or_insert(error);
    }

    /// A unit that nobody has begun, or else one that has parts left.
    fn next_unit(&self) -> Option<Arc<OpenUnit<'w>>> {
        let mut queue = lock(&self.queue);
        if let Some(unit) = queue.waiting.pop() {
            let open = Arc::new(self.open_unit(unit));
            queue.open.push(Arc::clone(&open));
            return Some(open);
        }
        let has_parts = |open: &&Arc<OpenUnit<'w>>| match open.reader.try_lock() {
            Ok(state) => !matches!(*state, ReaderState::Exhausted),
            // Somebody is reading it at this moment.
            Err(_) => true,
        };
        let open = queue.open.iter().find(has_parts).cloned()?;
        lock(&open.found).visitors += 1;
        Some(open)
    }

    fn open_unit(&self, unit: Unit<'w>) -> OpenUnit<'w> {
        let found = Found {
            partial: self.nothing(),
            extents: Vec::new(),
            facts: UnitFacts::default(),
            fault: None,
            visitors: 1,
        };
        OpenUnit { unit, reader: Mutex::new(ReaderState::NotOpened), found: Mutex::new(found) }
    }

    fn nothing(&self) -> Partial {
        Partial::new(Arc::clone(&self.terms), self.checker.policy().rules.len())
    }

    /// Examines parts of the unit until it has no more.
    fn visit(&self, open: &OpenUnit<'w>, examiner: &mut Examiner<'w>, scratch: &mut Scratch) {
        let (mut visit, mut extents, mut part_number) = (self.nothing(), Vec::new(), 0);
        let examined = catch_unwind(AssertUnwindSafe(|| -> Result<(), UnitFault> {
            while !self.is_over()
                && let Some(part) = self.next_part(open, scratch, &mut part_number)?
            {
                self.examine_part(open, part, examiner, scratch, &mut visit, &mut extents)?;
            }
            examiner.fold(&mut visit);
            Ok(())
        }));
        let examined = examined.unwrap_or_else(|panic| Err(UnitFault::Panicked(panic_message(&*panic))));
        let Err(fault) = examined else {
            let mut found = lock(&open.found);
            found.extents.append(&mut extents);
            if let Err(error) = found.partial.merge(visit) {
                self.fail(error.into());
            }
            return;
        };
        // Nobody needs the rest of the unit.
        *lock(&open.reader) = ReaderState::Exhausted;
        examiner.forget();
        let mut found = lock(&open.found);
        if found.fault.as_ref().is_none_or(|(earlier, _)| part_number < *earlier) {
            found.fault = Some((part_number, fault));
        }
    }

    /// Takes the next part and notes its number; only one worker at a time reads a unit on.
    fn next_part(
        &self,
        open: &OpenUnit<'w>,
        scratch: &mut Scratch,
        number: &mut u32,
    ) -> Result<Option<Part>, UnitFault> {
        let mut state = lock(&open.reader);
        if matches!(*state, ReaderState::NotOpened) {
            *state = ReaderState::Open(Box::new(UnitReader::open(&open.unit)?));
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

    fn examine_part(
        &self,
        open: &OpenUnit<'w>,
        part: Part,
        examiner: &mut Examiner<'w>,
        scratch: &mut Scratch,
        visit: &mut Partial,
        extents: &mut Vec<Extent>,
    ) -> Result<(), UnitFault> {
        let number = part.number;
        examiner.begin_part();
        part.read(scratch, &|| self.is_over(), &mut |batch| {
            examiner.examine(&open.unit, batch, visit);
            self.progress.advance(0, batch.len as u64);
        })?;
        match examiner.end_part(open.unit.id, number) {
            Ok(part_extents) => extents.extend(part_extents),
            Err(error) => self.fail(error.into()),
        }
        Ok(())
    }

    /// Whether this worker was the last to take part in the unit.
    fn leave(&self, open: &Arc<OpenUnit<'w>>) -> bool {
        // Under the queue's lock, so that nobody joins a unit that is being finished.
        let mut queue = lock(&self.queue);
        let mut found = lock(&open.found);
        found.visitors -= 1;
        let is_last = found.visitors == 0;
        if is_last {
            queue.open.retain(|other| !Arc::ptr_eq(other, open));
        }
        is_last
    }

    /// Adds the unit to the total: what was found, or one fault and nothing else.
    fn finish(&self, open: &OpenUnit<'w>, examiner: &mut Examiner<'w>) -> Result<(), EngineError> {
        if self.is_over() {
            return Ok(());
        }
        let mut found = lock(&open.found);
        let mut partial = std::mem::replace(&mut found.partial, self.nothing());
        let (facts, rows) = (std::mem::take(&mut found.facts), partial.rows_read() + partial.rows_rejected);
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
        let mut total = lock(&self.total);
        total.extents.append(&mut found.extents);
        Ok(total.partial.merge(partial)?)
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}

//! What everything that works side by side shares: workers, who may end them early, who hears how far they have come.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// One worker for each core.
pub fn default_jobs() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// How the names of worker threads begin. A panic in one of them is a fault, not a crash.
pub const WORKER_NAME: &str = "worker-";

/// Why workers stopped before everything was done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// Somebody ended the work early.
    #[error("interrupted: nothing was written")]
    Cancelled,
    /// The operating system gave no thread.
    #[error("cannot start a worker: {0}")]
    Thread(#[source] io::Error),
    /// Our own mistake: the message of a panic.
    #[error("internal error: a worker failed: {0}")]
    Panicked(String),
}

/// Who wants to know how far the work has come.
pub trait Progress: Sync {
    /// So many bytes are to be read beside those of the plan.
    fn expect(&self, bytes: u64);

    /// More of the input is behind us.
    fn advance(&self, bytes: u64, rows: u64);
}

/// Nobody does.
pub struct NoProgress;

impl Progress for NoProgress {
    fn expect(&self, _bytes: u64) {}

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

    /// Reads until the work should end, which is an error then.
    pub(crate) fn reader<R>(&self, from: R) -> CancelReader<'_, R> {
        CancelReader { from, cancel: self }
    }
}

/// Reads until the work should end.
pub(crate) struct CancelReader<'c, R> {
    from: R,
    cancel: &'c Cancel,
}

impl<R: Read> Read for CancelReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.cancel.is_cancelled() {
            true => Err(io::Error::other(Stopped::Cancelled)),
            false => self.from.read(buffer),
        }
    }
}

/// Who may end a job early, and who hears how far it has come.
#[derive(Clone, Copy)]
pub struct Watch<'w> {
    /// Ends it early.
    pub cancel: &'w Cancel,
    /// Hears of it.
    pub progress: &'w dyn Progress,
}

/// What a job may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// So many bytes.
    pub(crate) memory: u64,
    /// So many workers.
    pub(crate) jobs: usize,
}

/// A lock whose holder panicked guards plain data; the unit of the panic is a fault anyway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The message of a panic in `work`. What was lent to it is in whatever state it was left in.
pub(crate) fn caught<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or("without a message").to_owned()
    })
}

/// The workers of a job. The first error of any of them ends it for all.
pub(crate) struct Crew<'c, E> {
    jobs: usize,
    cancel: &'c Cancel,
    has_failed: AtomicBool,
    failure: Mutex<Option<E>>,
}

impl<'c, E: From<Stopped> + Send> Crew<'c, E> {
    /// So many workers; nought is taken for one.
    pub(crate) fn new(jobs: usize, cancel: &'c Cancel) -> Self {
        Self { jobs: jobs.max(1), cancel, has_failed: AtomicBool::new(false), failure: Mutex::new(None) }
    }

    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    /// Whether nobody need go on: the work was ended early, or somebody has failed.
    pub(crate) fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || self.has_failed.load(Ordering::Acquire)
    }

    /// Ends the work of all; the first error is kept.
    pub(crate) fn fail(&self, error: E) {
        lock(&self.failure).get_or_insert(error);
        self.has_failed.store(true, Ordering::Release);
    }

    /// Lets every worker do `work`, which is told the worker's number, and waits for all of them.
    pub(crate) fn run(&self, work: impl Fn(usize) -> Result<(), E> + Sync) -> Result<(), E> {
        let work = &work;
        thread::scope(|scope| {
            for number in 0..self.jobs {
                let body = move || {
                    let done = caught(|| work(number)).unwrap_or_else(|why| Err(Stopped::Panicked(why).into()));
                    done.unwrap_or_else(|error| self.fail(error));
                };
                let started = thread::Builder::new().name(format!("{WORKER_NAME}{number}")).spawn_scoped(scope, body);
                if let Err(error) = started {
                    self.fail(Stopped::Thread(error).into());
                }
            }
        });
        // First, because being interrupted can be why somebody failed.
        if self.cancel.is_cancelled() {
            return Err(Stopped::Cancelled.into());
        }
        lock(&self.failure).take().map_or(Ok(()), Err)
    }

    /// Lets whoever is free do the next of so many things, in order. Every worker makes what it needs with `begin`, and
    /// `end` takes it when nothing is left, but not from workers that were stopped.
    pub(crate) fn each<W>(
        &self,
        count: usize,
        begin: impl Fn() -> W + Sync,
        each: impl Fn(&mut W, usize) -> Result<(), E> + Sync,
        end: impl Fn(W) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        let next = AtomicUsize::new(0);
        self.run(|_| {
            let mut worker = begin();
            loop {
                if self.is_over() {
                    return Ok(());
                }
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return end(worker);
                }
                each(&mut worker, at)?;
            }
        })
    }
}

/// Tasks of which some lead to others: workers wait while somebody may still find more.
pub(crate) struct Tasks<Q> {
    state: Mutex<(Q, usize)>,
    has_changed: Condvar,
}

impl<Q> Tasks<Q> {
    pub(crate) fn new(queue: Q) -> Self {
        Self { state: Mutex::new((queue, 0)), has_changed: Condvar::new() }
    }

    /// Looks into the queue, or adds to it.
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut Q) -> R) -> R {
        let changed = change(&mut lock(&self.state).0);
        self.has_changed.notify_all();
        changed
    }

    /// Does tasks that `take` finds in the queue until it finds none and nobody is busy.
    pub(crate) fn work_off<T, E: From<Stopped> + Send>(
        &self,
        crew: &Crew<'_, E>,
        take: impl Fn(&mut Q) -> Option<T>,
        mut each: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(task) = self.next(crew, &take) {
            let _busy = Busy(self);
            each(task)?;
        }
        Ok(())
    }

    fn next<T, E: From<Stopped> + Send>(&self, crew: &Crew<'_, E>, take: &impl Fn(&mut Q) -> Option<T>) -> Option<T> {
        let mut state = lock(&self.state);
        loop {
            if crew.is_over() {
                return None;
            }
            if let Some(task) = take(&mut state.0) {
                state.1 += 1;
                return Some(task);
            }
            if state.1 == 0 {
                return None;
            }
            // Nobody says when the work is ended early.
            let waited = self.has_changed.wait_timeout(state, Duration::from_millis(10));
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A worker that does a task, until it is dropped: also by a panic.
struct Busy<'t, Q>(&'t Tasks<Q>);

impl<Q> Drop for Busy<'_, Q> {
    fn drop(&mut self) {
        lock(&self.0.state).1 -= 1;
        self.0.has_changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn the_first_error_ends_the_work_of_all() {
        let cancel = Cancel::default();
        let crew = Crew::<Stopped>::new(4, &cancel);
        let each = |_: &mut (), at| if at == 3 { panic!("at {at}") } else { Ok(()) };
        // More than would ever be done.
        let failed = crew.each(usize::MAX, || (), each, Ok).expect_err("a panic");
        assert_eq!(failed.to_string(), "internal error: a worker failed: at 3");
    }

    #[test]
    fn being_interrupted_comes_before_errors() {
        let cancel = Cancel::default();
        let crew = Crew::<Stopped>::new(2, &cancel);
        let failed = crew.run(|_| {
            cancel.cancel();
            Err(Stopped::Panicked(String::new()))
        });
        assert!(matches!(failed, Err(Stopped::Cancelled)));
    }

    #[test]
    fn each_thing_is_done_once_and_each_worker_ends() {
        let (cancel, sum, ended) = (Cancel::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let end = |own: usize| {
            sum.fetch_add(own, Ordering::Relaxed);
            ended.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        let add = |own: &mut usize, at| {
            *own += at;
            Ok(())
        };
        Crew::<Stopped>::new(3, &cancel).each(1000, || 0, add, end).expect("done");
        assert_eq!((sum.into_inner(), ended.into_inner()), (1000 * 999 / 2, 3));
    }

    #[test]
    fn tasks_that_lead_to_others_are_all_done() {
        let (cancel, done) = (Cancel::default(), AtomicU64::new(0));
        let crew = Crew::<Stopped>::new(4, &cancel);
        // Each task below 1,000 leads to two more.
        let tasks = Tasks::new(vec![1_u64]);
        let work = |number: u64| {
            done.fetch_add(1, Ordering::Relaxed);
            if number < 1000 {
                tasks.with(|queue| queue.extend([2 * number, 2 * number + 1]));
            }
            Ok(())
        };
        crew.run(|_| tasks.work_off(&crew, Vec::pop, work)).expect("done");
        assert_eq!(done.into_inner(), 1999);
    }
}

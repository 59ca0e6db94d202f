//! What everything that works side by side shares: who may end it early, who hears how far it has come.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// One worker for each core.
pub fn default_jobs() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// How the names of worker threads begin. A panic in one of them is a fault, not a crash.
pub const WORKER_NAME: &str = "worker-";

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
}

/// A lock whose holder panicked guards plain data; the unit of the panic is a fault anyway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

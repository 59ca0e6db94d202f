//! Both sides in partitions: partition by partition, several at a time.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::key::JoinKey;
use super::partitions::{PARTITIONS, Partitions, Value};
use super::table::{Table, Tables};
use crate::work::{Cancel, lock};

/// Why streams could not be joined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    /// A temporary file failed.
    #[error("temporary files of the join: {0}")]
    File(#[from] io::Error),
    /// It was ended early.
    #[error("interrupted")]
    Cancelled,
    /// Our own mistake.
    #[error("a worker of the join failed")]
    Panicked,
}

/// Records with what they are matched by.
pub(crate) type Keyed<V> = Partitions<(JoinKey, V)>;

/// Matches every record of `probes` with those of its key that `keep` says are needed of `known`. `memory` is for the
/// tables of all `jobs` workers. What matches is handed to `each`, which every worker makes for itself with `begin`, and
/// `end` takes it in the end.
pub(crate) fn join<V: Value, P: Value, W>(
    (known, probes): (&Keyed<V>, &Keyed<P>),
    (memory, jobs): (u64, usize),
    keep: &(dyn Fn(&mut Vec<V>) + Sync),
    begin: &(dyn Fn() -> W + Sync),
    each: &(dyn Fn(&mut W, P, V) -> io::Result<()> + Sync),
    end: &(dyn Fn(W) -> io::Result<()> + Sync),
    cancel: &Cancel,
) -> Result<(), JoinError> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let room = memory / jobs.max(1) as u64;
    let work = || -> Result<(), JoinError> {
        let mut worker = begin();
        loop {
            let partition = next.fetch_add(1, Ordering::Relaxed);
            if partition >= PARTITIONS {
                return Ok(end(worker)?);
            }
            join_partition(
                partition,
                known,
                probes,
                room,
                keep,
                &mut |probe, value| each(&mut worker, probe, value),
                cancel,
            )?;
            if lock(&failed).is_some() {
                return Ok(());
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(JoinError::Panicked));
                if let Err(error) = done {
                    lock(&failed).get_or_insert(error);
                }
            });
        }
    });
    lock(&failed).take().map_or(Ok(()), Err)
}

fn join_partition<V: Value, P: Value>(
    partition: usize,
    known: &Keyed<V>,
    probes: &Keyed<P>,
    room: u64,
    keep: &dyn Fn(&mut Vec<V>),
    each: &mut dyn FnMut(P, V) -> io::Result<()>,
    cancel: &Cancel,
) -> Result<(), JoinError> {
    // Beside the records they are held once more in the order of the table, and then as its entries.
    let bytes = known.len(partition).saturating_mul(3 * size_of::<(JoinKey, V)>() as u64);
    let slices = bytes.div_ceil(room.max(1)).clamp(1, MAX_SLICES);
    for slice in 0..slices {
        if cancel.is_cancelled() {
            return Err(JoinError::Cancelled);
        }
        // The hash's lowest bits choose neither partitions nor places.
        let is_here = |key: &JoinKey| key.0[0] % slices == slice;
        let mut records = Vec::new();
        known.read(partition, &mut |record| {
            if is_here(&record.0) {
                records.push(record);
            }
        })?;
        let table = Table::new(&[records], &mut Vec::new(), keep);
        let mut failed = Ok(());
        probes.read(partition, &mut |(key, probe)| {
            if failed.is_ok() && is_here(&key) {
                failed = table.get(key).iter().try_for_each(|(_, value)| each(probe, *value));
            }
        })?;
        failed?;
    }
    known.remove(partition);
    probes.remove(partition);
    Ok(())
}

/// Records are read so many times at most.
const MAX_SLICES: u64 = 1 << 10;

impl<V: Value> Value for (JoinKey, V) {
    const LEN: usize = JoinKey::LEN + V::LEN;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.0.to_bytes());
        self.1.put(bytes);
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (key, value) = bytes.split_first_chunk::<{ JoinKey::LEN }>()?;
        Some((JoinKey::from_bytes(key), V::take(value)?))
    }
}

impl<V: Value> Partitions<(JoinKey, V)> {
    /// One table for each partition, if no record is in a file.
    pub(crate) fn into_tables(self, jobs: usize, keep: &(dyn Fn(&mut Vec<V>) + Sync)) -> Result<Tables<V>, JoinError> {
        let tables: Vec<Mutex<Option<Table<V>>>> = (0..PARTITIONS).map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut records = Vec::new();
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                let Some(table) = tables.get(partition) else { return };
                *lock(table) = Some(Table::new(&self.take_held(partition), &mut records, keep));
            }
        };
        let done = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
            workers.into_iter().all(|worker| worker.join().is_ok())
        });
        let tables: Option<Vec<_>> = tables.into_iter().map(|table| lock(&table).take()).collect();
        tables.filter(|_| done).map(Tables).ok_or(JoinError::Panicked)
    }
}

//! Both sides in partitions: partition by partition, several at a time.

use std::io;
use std::sync::{Mutex, PoisonError};

use super::key::JoinKey;
use super::partitions::{PARTITIONS, Partitions, Value};
use super::table::{Table, Tables};
use crate::source::FileFault;
use crate::work::{Cancel, Crew, Room, Stopped, lock};

/// Why streams could not be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// A temporary file failed.
    #[error("temporary files of the join: {0}")]
    File(#[from] io::Error),
    /// What was joined cannot be read again.
    #[error(transparent)]
    Read(#[from] FileFault),
    /// The workers stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Records with what they are matched by.
pub(crate) type Keyed<V> = Partitions<(JoinKey, V)>;

/// Matches every record of `probes` with those of its key that `keep` says are needed of `known`. `memory` is for the
/// tables of all `jobs` workers. What matches is handed to `each`, which every worker makes for itself with `begin`, and
/// `end` takes it in the end.
pub(crate) fn join<V: Value, P: Value, W>(
    (known, probes): (&Keyed<V>, &Keyed<P>),
    Room { memory, jobs }: Room,
    keep: &(dyn Fn(&mut Vec<V>) + Sync),
    begin: &(dyn Fn() -> W + Sync),
    each: &(dyn Fn(&mut W, P, V) -> io::Result<()> + Sync),
    end: &(dyn Fn(W) -> io::Result<()> + Sync),
    cancel: &Cancel,
) -> Result<(), JoinError> {
    let crew = Crew::<JoinError>::new(jobs, cancel);
    let room = memory / jobs.max(1) as u64;
    let each = |worker: &mut W, partition| {
        join_partition(partition, known, probes, room, keep, &mut |probe, value| each(worker, probe, value), &crew)
    };
    crew.each(PARTITIONS, begin, each, |worker| Ok(end(worker)?))
}

fn join_partition<V: Value, P: Value>(
    partition: usize,
    known: &Keyed<V>,
    probes: &Keyed<P>,
    room: u64,
    keep: &dyn Fn(&mut Vec<V>),
    each: &mut dyn FnMut(P, V) -> io::Result<()>,
    crew: &Crew<'_, JoinError>,
) -> Result<(), JoinError> {
    // Beside the records they are held once more in the order of the table, and then as its entries.
    let bytes = known.len(partition).saturating_mul(3 * size_of::<(JoinKey, V)>() as u64);
    let slices = bytes.div_ceil(room.max(1)).clamp(1, MAX_SLICES);
    for slice in 0..slices {
        if crew.is_over() {
            return Ok(());
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
    pub(crate) fn into_tables(
        self,
        jobs: usize,
        keep: &(dyn Fn(&mut Vec<V>) + Sync),
        cancel: &Cancel,
    ) -> Result<Tables<V>, JoinError> {
        let tables = Mutex::new(Vec::with_capacity(PARTITIONS));
        let make = |records: &mut _, partition| {
            let table = Table::new(&self.take_held(partition), records, keep);
            lock(&tables).push((partition, table));
            Ok(())
        };
        Crew::<JoinError>::new(jobs, cancel).each(PARTITIONS, Vec::new, make, |_| Ok(()))?;
        let mut tables = tables.into_inner().unwrap_or_else(PoisonError::into_inner);
        tables.sort_unstable_by_key(|(partition, _)| *partition);
        Ok(Tables(tables.into_iter().map(|(_, table)| table).collect()))
    }
}

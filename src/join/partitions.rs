//! Records of one side, kept by partition: in memory while there is room, else in temporary files.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::store;
use crate::work::lock;

/// How many partitions there are.
pub(crate) const PARTITIONS: usize = 256;

/// A value of fixed length, which records carry.
pub(crate) trait Value: Copy + Send + 'static {
    /// The number of bytes of its written form.
    const LEN: usize;

    /// Appends the written form.
    fn put(&self, bytes: &mut Vec<u8>);

    /// Reads the written form.
    fn take(bytes: &[u8]) -> Option<Self>;
}

/// Records by partition. Workers share it, each through a [`Writer`].
pub(crate) struct Partitions<V> {
    partitions: Vec<Mutex<Partition<V>>>,
    /// How many bytes are in memory, and how many may be.
    held: AtomicU64,
    room: u64,
    is_spilling: AtomicBool,
    folder: PathBuf,
    name: &'static str,
}

struct Partition<V> {
    /// All but the last are full.
    chunks: Vec<Vec<V>>,
    /// How many records its file has.
    stored: u64,
}

/// Hands records over, many at a time.
pub(crate) struct Writer<'p, V> {
    to: &'p Partitions<V>,
    buffers: Vec<Vec<V>>,
    bytes: Vec<u8>,
}

impl<V: Value> Partitions<V> {
    /// Keeps so many bytes in memory, and the others in files of the folder, whose names begin with `name`.
    pub(crate) fn new(room: u64, folder: &Path, name: &'static str) -> Self {
        let partition = || Mutex::new(Partition { chunks: Vec::new(), stored: 0 });
        Self {
            partitions: (0..PARTITIONS).map(|_| partition()).collect(),
            held: AtomicU64::new(0),
            room,
            is_spilling: AtomicBool::new(false),
            folder: folder.to_owned(),
            name,
        }
    }

    /// For one worker.
    pub(crate) fn writer(&self) -> Writer<'_, V> {
        Writer { to: self, buffers: (0..PARTITIONS).map(|_| Vec::new()).collect(), bytes: Vec::new() }
    }

    /// Whether some records are in files.
    pub(crate) fn has_spilled(&self) -> bool {
        self.is_spilling.load(Ordering::Acquire)
    }

    /// How many records a partition has.
    pub(crate) fn len(&self, partition: usize) -> u64 {
        let partition = lock(&self.partitions[partition]);
        partition.chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>() + partition.stored
    }

    /// Takes what a partition holds in memory.
    pub(super) fn take_held(&self, partition: usize) -> Vec<Vec<V>> {
        std::mem::take(&mut lock(&self.partitions[partition]).chunks)
    }

    /// Hands over all records of a partition; this can be done again.
    pub(crate) fn read(&self, partition: usize, each: &mut dyn FnMut(V)) -> io::Result<()> {
        let (path, stored) = (self.path(partition), {
            let partition = lock(&self.partitions[partition]);
            partition.chunks.iter().flatten().for_each(|record| each(*record));
            partition.stored
        });
        if stored == 0 {
            return Ok(());
        }
        let mut file = store::read_back(&path)?;
        let mut bytes = vec![0; Self::CHUNK_RECORDS * V::LEN];
        let mut left = stored * V::LEN as u64;
        while left > 0 {
            let len = left.min(bytes.len() as u64) as usize;
            file.read_exact(&mut bytes[..len])?;
            left -= len as u64;
            bytes[..len].chunks_exact(V::LEN).filter_map(V::take).for_each(&mut *each);
        }
        Ok(())
    }

    /// Gives back what a partition takes.
    pub(crate) fn remove(&self, partition: usize) {
        let mut taken = lock(&self.partitions[partition]);
        taken.chunks = Vec::new();
        if std::mem::take(&mut taken.stored) > 0 {
            // The folder is removed in the end, whatever is left in it.
            let _ = store::remove(&self.path(partition));
        }
    }

    /// Records that are written or read together.
    const CHUNK_RECORDS: usize = (1 << 16) / V::LEN;
    /// Records that a writer hands over together: its buffers for all partitions stay in the cache.
    const BUFFER_RECORDS: usize = (1 << 10) / V::LEN;

    fn path(&self, partition: usize) -> PathBuf {
        self.folder.join(format!("{}.{partition}.join", self.name))
    }

    /// Empties the buffer.
    fn add(&self, partition: usize, records: &mut Vec<V>, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut left = &records[..];
        while !left.is_empty() {
            let mut to = lock(&self.partitions[partition]);
            let room = to.chunks.last().map_or(0, |chunk| Self::CHUNK_RECORDS - chunk.len());
            let (some, rest) = left.split_at(left.len().min(room));
            to.chunks.iter_mut().next_back().into_iter().for_each(|chunk| chunk.extend_from_slice(some));
            left = rest;
            if left.is_empty() {
                break;
            }
            if self.has_spilled() {
                self.spill(&mut to, partition, bytes)?;
            } else {
                self.held.fetch_add((Self::CHUNK_RECORDS * size_of::<V>()) as u64, Ordering::Relaxed);
            }
            to.chunks.push(Vec::with_capacity(Self::CHUNK_RECORDS));
        }
        records.clear();
        if !self.has_spilled() && self.held.load(Ordering::Relaxed) > self.room {
            self.is_spilling.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Moves what is in memory to the file of the partition.
    fn spill(&self, partition: &mut Partition<V>, at: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        if partition.chunks.is_empty() {
            return Ok(());
        }
        // There can be more partitions than files can be open.
        let mut file = store::append(&self.path(at))?;
        for records in std::mem::take(&mut partition.chunks) {
            bytes.clear();
            records.iter().for_each(|record| record.put(bytes));
            file.write_all(bytes)?;
            partition.stored += records.len() as u64;
        }
        Ok(())
    }
}

impl<V: Value> Writer<'_, V> {
    /// Adds a record to a partition.
    #[inline]
    pub(crate) fn push(&mut self, partition: usize, record: V) -> io::Result<()> {
        let buffer = &mut self.buffers[partition];
        buffer.push(record);
        if buffer.len() < Partitions::<V>::BUFFER_RECORDS { Ok(()) } else { self.flush_partition(partition) }
    }

    /// Hands everything over.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        (0..PARTITIONS).try_for_each(|partition| self.flush_partition(partition))
    }

    fn flush_partition(&mut self, partition: usize) -> io::Result<()> {
        self.to.add(partition, &mut self.buffers[partition], &mut self.bytes)
    }
}

//! Records of any length, kept by partition: in memory while there is room, else in a temporary file.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::key::JoinKey;
use super::partitions::PARTITIONS;
use crate::store;
use crate::work::lock;

/// Records with the keys that they are matched by. Workers share it, each through a [`VariedWriter`].
pub(crate) struct Varied {
    partitions: Vec<Mutex<Held>>,
    /// How many bytes are in memory, and how many may be.
    held: AtomicU64,
    room: u64,
    is_spilling: AtomicBool,
    path: PathBuf,
    file: Mutex<Spilled>,
}

/// The file of all partitions.
#[derive(Default)]
struct Spilled {
    file: Option<File>,
    len: u64,
}

/// The records of a partition: whole ones in each chunk.
#[derive(Default)]
struct Held {
    chunks: Vec<Vec<u8>>,
    /// Where chunks are in the file: the first byte and the length.
    stored: Vec<(u64, usize)>,
}

/// Hands records over, many at a time.
pub(crate) struct VariedWriter<'v> {
    to: &'v Varied,
    buffers: Vec<Vec<u8>>,
}

/// Some records of a partition, those with the same key side by side.
pub(crate) struct Loaded {
    bytes: Vec<u8>,
    /// The keys, and where their records are.
    index: Vec<(JoinKey, usize, usize)>,
}

/// What stands before each record: its length and its key.
const HEAD_LEN: usize = 4 + JoinKey::LEN;
/// Bytes that are written or kept together.
const CHUNK_LEN: usize = 1 << 16;
/// Bytes that a writer hands over together: its buffers for all partitions stay in the cache.
const BUFFER_LEN: usize = 1 << 12;
/// Records are read so many times at most.
const MAX_SLICES: u64 = 1 << 10;

impl Varied {
    /// Keeps so many bytes in memory, and the others in a file of the folder.
    pub(crate) fn new(room: u64, folder: &Path, name: &'static str) -> Self {
        Self {
            partitions: (0..PARTITIONS).map(|_| Mutex::default()).collect(),
            held: AtomicU64::new(0),
            room,
            is_spilling: AtomicBool::new(false),
            path: folder.join(format!("{name}.join")),
            file: Mutex::default(),
        }
    }

    /// For one worker.
    pub(crate) fn writer(&self) -> VariedWriter<'_> {
        VariedWriter { to: self, buffers: (0..PARTITIONS).map(|_| Vec::new()).collect() }
    }

    /// Into how many slices the records of a partition are to be divided, so that each fits into the room.
    pub(crate) fn slices(&self, partition: usize, room: u64) -> u64 {
        let bytes = self.len(partition);
        // Their places take about as much again as the smallest of them.
        bytes.saturating_mul(2).div_ceil(room.max(1)).clamp(1, MAX_SLICES)
    }

    fn len(&self, partition: usize) -> u64 {
        let held = lock(&self.partitions[partition]);
        let chunks = held.chunks.iter().map(Vec::len).chain(held.stored.iter().map(|(_, len)| *len));
        chunks.map(|len| len as u64).sum()
    }

    /// Hands over the records of a slice of a partition; this can be done again.
    pub(crate) fn read(
        &self,
        partition: usize,
        (slice, slices): (u64, u64),
        each: &mut dyn FnMut(JoinKey, &[u8]),
    ) -> io::Result<()> {
        // The hash's lowest bits do not choose partitions.
        let mut each_here = |key: JoinKey, record: &[u8]| {
            if key.0[0] % slices == slice {
                each(key, record);
            }
        };
        let stored = {
            let held = lock(&self.partitions[partition]);
            held.chunks.iter().for_each(|chunk| each_record(chunk, &mut each_here));
            held.stored.clone()
        };
        if stored.is_empty() {
            return Ok(());
        }
        let (mut file, mut chunk) = (store::read_back(&self.path)?, Vec::new());
        for (from, len) in stored {
            chunk.resize(len, 0);
            file.seek(SeekFrom::Start(from))?;
            file.read_exact(&mut chunk)?;
            each_record(&chunk, &mut each_here);
        }
        Ok(())
    }

    /// Loads a slice of a partition.
    pub(crate) fn load(&self, partition: usize, slice: (u64, u64)) -> io::Result<Loaded> {
        // A little more than it will be: slices differ.
        let room = self.len(partition) / slice.1 / 15 * 16;
        let mut loaded = Loaded { bytes: Vec::with_capacity(room as usize), index: Vec::new() };
        self.read(partition, slice, &mut |key, record| {
            let from = loaded.bytes.len();
            loaded.bytes.extend_from_slice(record);
            loaded.index.push((key, from, loaded.bytes.len()));
        })?;
        let Loaded { bytes, index } = &mut loaded;
        index.sort_unstable_by(|one, other| {
            one.0.cmp(&other.0).then_with(|| bytes[one.1..one.2].cmp(&bytes[other.1..other.2]))
        });
        Ok(loaded)
    }

    /// Gives back the memory that a partition takes.
    pub(crate) fn remove(&self, partition: usize) {
        *lock(&self.partitions[partition]) = Held::default();
    }

    /// Empties the buffer.
    fn add(&self, partition: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
        let mut to = lock(&self.partitions[partition]);
        match to.chunks.last_mut() {
            Some(chunk) if chunk.capacity() - chunk.len() >= buffer.len() => chunk.extend_from_slice(buffer),
            _ => {
                let mut chunk = match self.is_spilling.load(Ordering::Acquire) {
                    true => self.spill(&mut to)?,
                    false => Vec::new(),
                };
                chunk.reserve(buffer.len().max(CHUNK_LEN));
                chunk.extend_from_slice(buffer);
                self.held.fetch_add(chunk.capacity() as u64, Ordering::Relaxed);
                to.chunks.push(chunk);
            }
        }
        buffer.clear();
        // One that held a large record gives its room back.
        buffer.shrink_to(2 * BUFFER_LEN);
        if self.held.load(Ordering::Relaxed) > self.room {
            self.is_spilling.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Moves what is in memory to the file, and returns the room of one of the chunks.
    fn spill(&self, held: &mut Held) -> io::Result<Vec<u8>> {
        let mut spare = Vec::new();
        for mut chunk in std::mem::take(&mut held.chunks) {
            self.held.fetch_sub(chunk.capacity() as u64, Ordering::Relaxed);
            held.stored.push((self.append(&chunk)?, chunk.len()));
            chunk.clear();
            chunk.shrink_to(CHUNK_LEN);
            spare = chunk;
        }
        Ok(spare)
    }

    /// Writes a chunk and returns where it is.
    fn append(&self, chunk: &[u8]) -> io::Result<u64> {
        let mut spilled = lock(&self.file);
        let Spilled { file, len } = &mut *spilled;
        let file = match file {
            Some(file) => file,
            None => file.insert(store::create_new(&self.path)?),
        };
        file.write_all(chunk)?;
        *len += chunk.len() as u64;
        Ok(*len - chunk.len() as u64)
    }
}

impl VariedWriter<'_> {
    /// Adds a record to the partition of its key.
    pub(crate) fn push(&mut self, key: JoinKey, record: &[u8]) -> io::Result<()> {
        let partition = key.partition();
        let buffer = &mut self.buffers[partition];
        let len = u32::try_from(record.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        buffer.extend_from_slice(&len.to_le_bytes());
        buffer.extend_from_slice(&key.to_bytes());
        buffer.extend_from_slice(record);
        if buffer.len() < BUFFER_LEN { Ok(()) } else { self.to.add(partition, buffer) }
    }

    /// Hands everything over.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let filled = self.buffers.iter_mut().enumerate().filter(|(_, buffer)| !buffer.is_empty());
        filled.into_iter().try_for_each(|(partition, buffer)| self.to.add(partition, buffer))
    }
}

impl Loaded {
    /// The records of each key, in an order that depends on nothing but them.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (JoinKey, impl Iterator<Item = &[u8]> + Clone)> {
        self.index
            .chunk_by(|one, other| one.0 == other.0)
            .map(|group| (group[0].0, group.iter().map(|(_, from, to)| &self.bytes[*from..*to])))
    }
}

fn parse_head(head: &[u8; HEAD_LEN]) -> (usize, JoinKey) {
    let (len, mut key) = ([head[0], head[1], head[2], head[3]], [0; JoinKey::LEN]);
    key.copy_from_slice(&head[4..]);
    (u32::from_le_bytes(len) as usize, JoinKey::from_bytes(&key))
}

fn each_record(mut chunk: &[u8], each: &mut dyn FnMut(JoinKey, &[u8])) {
    while let Some((head, rest)) = chunk.split_first_chunk::<HEAD_LEN>() {
        let (len, key) = parse_head(head);
        let Some((record, rest)) = rest.split_at_checked(len) else { return };
        each(key, record);
        chunk = rest;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::join::{KeyHasher, VersionPart};

    /// Records by key, as they come out.
    fn through(room: u64, slices: Option<u64>, records: &[(JoinKey, Vec<u8>)]) -> BTreeMap<[u8; 16], Vec<Vec<u8>>> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let varied = Varied::new(room, folder.path(), "test");
        let (mut one, mut other) = (varied.writer(), varied.writer());
        for (at, (key, record)) in records.iter().enumerate() {
            let writer = if at % 3 == 0 { &mut one } else { &mut other };
            writer.push(*key, record).expect("written");
        }
        [one, other].iter_mut().for_each(|writer| writer.flush().expect("written"));
        let mut found = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let slices = slices.unwrap_or_else(|| varied.slices(partition, 4096));
            for slice in 0..slices {
                let loaded = varied.load(partition, (slice, slices)).expect("read");
                for (key, group) in loaded.groups() {
                    let before = found.insert(key.to_bytes(), group.map(<[u8]>::to_vec).collect());
                    assert!(before.is_none(), "a key is in one slice only");
                }
            }
            varied.remove(partition);
        }
        found
    }

    #[test]
    fn spilled_or_not_the_same_records_come_out() {
        let hasher = KeyHasher::new().bucket(b"");
        let records: Vec<_> = (0..4000_usize)
            .map(|at| {
                let key = hasher.key(&(at % 1200).to_le_bytes(), VersionPart::Unnamed);
                (key, vec![at as u8; at * 7 % 300 + at / 3999 * 100_000])
            })
            .collect();
        let mut expected: BTreeMap<[u8; 16], Vec<Vec<u8>>> = BTreeMap::new();
        for (key, record) in &records {
            expected.entry(key.to_bytes()).or_default().push(record.clone());
        }
        expected.values_mut().for_each(|group| group.sort());
        for (room, slices) in [(u64::MAX, Some(1)), (0, None), (1 << 20, Some(3)), (0, Some(1))] {
            assert!(through(room, slices, &records) == expected, "room for {room} bytes, {slices:?} slices");
        }
    }
}

//! Records in the order of their bytes, however many there are: sorted runs in temporary files, which are merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store;
use crate::work::lock;

/// So many runs of about the same length become one: few files are open at a time, and no record is copied often.
const RUNS: usize = 64;
const BUFFER_LEN: usize = 1 << 15;

/// Sorts what workers hand over, each through a [`SortWriter`].
pub(crate) struct Sorter {
    folder: PathBuf,
    name: &'static str,
    /// How many bytes a worker holds.
    room: usize,
    runs: Mutex<Vec<SortedRun>>,
    next: AtomicU64,
}

/// A file with sorted records.
struct SortedRun {
    path: PathBuf,
    /// How many times its records were merged.
    level: u32,
}

/// The records of one worker.
pub(crate) struct SortWriter<'s> {
    to: &'s Sorter,
    bytes: Vec<u8>,
    index: Vec<(usize, usize)>,
}

impl Sorter {
    /// Each worker holds so many bytes; sorted runs go to files of the folder, whose names begin with `name`.
    pub(crate) fn new(folder: &Path, name: &'static str, room: usize) -> Self {
        Self { folder: folder.to_owned(), name, room, runs: Mutex::default(), next: AtomicU64::new(0) }
    }

    /// For one worker.
    pub(crate) fn writer(&self) -> SortWriter<'_> {
        SortWriter { to: self, bytes: Vec::new(), index: Vec::new() }
    }

    /// Hands over all records in order.
    pub(crate) fn finish(self, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut runs = std::mem::take(&mut *lock(&self.runs));
        while runs.len() > RUNS {
            let some = runs.drain(..RUNS).collect();
            runs.push(self.merge_to_run(some)?);
        }
        merge(&runs, each)
    }

    fn add_run(&self, path: PathBuf) -> io::Result<()> {
        let mut level = 0;
        let mut run = SortedRun { path, level };
        loop {
            let alike: Vec<SortedRun> = {
                let mut runs = lock(&self.runs);
                runs.push(run);
                if runs.iter().filter(|run| run.level == level).count() < RUNS {
                    return Ok(());
                }
                runs.extract_if(.., |run| run.level == level).collect()
            };
            run = self.merge_to_run(alike)?;
            level = run.level;
        }
    }

    fn merge_to_run(&self, runs: Vec<SortedRun>) -> io::Result<SortedRun> {
        let level = runs.iter().map(|run| run.level).max().unwrap_or_default() + 1;
        let path = self.next_path();
        let mut file = BufWriter::with_capacity(BUFFER_LEN, store::create(&path)?);
        merge(&runs, &mut |record| put(&mut file, record))?;
        file.flush()?;
        // The folder is removed in the end, whatever is left in it.
        runs.iter().for_each(|run| drop(store::remove(&run.path)));
        Ok(SortedRun { path, level })
    }

    fn next_path(&self) -> PathBuf {
        self.folder.join(format!("{}.{}.sorted", self.name, self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

impl SortWriter<'_> {
    /// Adds a record.
    pub(crate) fn push(&mut self, record: &[u8]) -> io::Result<()> {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.index.push((from, self.bytes.len()));
        let taken = self.bytes.len() + self.index.len() * size_of::<(usize, usize)>();
        if taken < self.to.room { Ok(()) } else { self.flush() }
    }

    /// Hands everything over.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.index.is_empty() {
            return Ok(());
        }
        let Self { to, bytes, index } = self;
        index.sort_unstable_by(|one, other| bytes[one.0..one.1].cmp(&bytes[other.0..other.1]));
        let path = to.next_path();
        let mut file = BufWriter::with_capacity(BUFFER_LEN, store::create(&path)?);
        index.iter().try_for_each(|(from, to)| put(&mut file, &bytes[*from..*to]))?;
        file.flush()?;
        bytes.clear();
        index.clear();
        to.add_run(path)
    }
}

fn put(file: &mut impl Write, record: &[u8]) -> io::Result<()> {
    let len = u32::try_from(record.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    file.write_all(&len.to_le_bytes())?;
    file.write_all(record)
}

/// Reads the next record; says no at the end.
fn take(file: &mut impl BufRead, record: &mut Vec<u8>) -> io::Result<bool> {
    if file.fill_buf()?.is_empty() {
        return Ok(false);
    }
    let mut len = [0; 4];
    file.read_exact(&mut len)?;
    record.resize(u32::from_le_bytes(len) as usize, 0);
    file.read_exact(record)?;
    Ok(true)
}

fn merge(runs: &[SortedRun], each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut files = Vec::with_capacity(runs.len());
    let mut next = BinaryHeap::with_capacity(runs.len());
    for run in runs {
        let mut file = BufReader::with_capacity(BUFFER_LEN, store::read_back(&run.path)?);
        let mut record = Vec::new();
        if take(&mut file, &mut record)? {
            next.push(Reverse((record, files.len())));
            files.push(file);
        }
    }
    while let Some(Reverse((mut record, at))) = next.pop() {
        each(&record)?;
        if take(&mut files[at], &mut record)? {
            next.push(Reverse((record, at)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_in_order() {
        for (room, count) in [(1 << 20, 5000_u32), (64, 5000), (0, 200), (1, 0)] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let sorter = Sorter::new(folder.path(), "test", room);
            let record = |at: u32| at.wrapping_mul(2_654_435_761).to_be_bytes()[..(at % 4 + 1) as usize].to_vec();
            let mut expected: Vec<Vec<u8>> = (0..count).map(record).collect();
            let (mut one, mut other) = (sorter.writer(), sorter.writer());
            for (at, record) in expected.iter().enumerate() {
                let writer = if at % 3 == 0 { &mut one } else { &mut other };
                writer.push(record).expect("written");
            }
            [&mut one, &mut other].into_iter().for_each(|writer| writer.flush().expect("written"));
            expected.sort();
            let mut found = Vec::new();
            let finished = sorter.finish(&mut |record| {
                found.push(record.to_vec());
                Ok(())
            });
            finished.expect("read");
            assert!(found == expected, "room for {room} bytes");
        }
    }
}

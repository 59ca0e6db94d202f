//! Evidence that does not fit into memory: the rows of all units are partitioned as well and joined with it. What comes
//! out is put into the order of the rows, and read back while they are examined.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::EvidenceError;
use super::Ways;
use super::words::Word;
use crate::batch::{Batch, Column, ColumnSet, RowState};
use crate::join::{JoinError, JoinKey, KeyHasher, PARTITIONS, Partitions, Value, VersionPart, Writer, join};
use crate::plan::{Unit, UnitId};
use crate::readers::{NotWhole, UnitFile, UnitReader, WholeReader};
use crate::source::SourceFile;
use crate::store;
use crate::work::{Cancel, Crew, Room, Watch, lock};

/// The words about all rows, row by row: one file has the words, another says where those of each row end.
pub(crate) struct Joined {
    words: Arc<SourceFile>,
    ends: Arc<SourceFile>,
    /// The position of the first row of each unit.
    first_rows: Vec<(UnitId, u64)>,
}

/// What is read of rows to find them again.
const COLUMNS: ColumnSet =
    ColumnSet::NONE.with(Column::Bucket).with(Column::Key).with(Column::VersionId).with(Column::LastModifiedDate);

/// A row that is looked for: the position of its unit, and its own in that.
#[derive(Clone, Copy, Debug)]
struct Probe {
    unit: u32,
    row: u32,
}

/// A word about a row, which is known by its position among all rows.
#[derive(Clone, Copy, Debug)]
struct Hit {
    row: u64,
    word: Word,
}

/// The number of bytes of where the words of a row end.
const END_LEN: usize = 8;

/// Joins the rows of the units with the words.
pub(crate) fn join_inventory(
    units: Vec<Unit<'_>>,
    words: &Partitions<(JoinKey, Word)>,
    (hasher, ways): (&KeyHasher, Ways),
    keep: &(dyn Fn(&mut Vec<Word>) + Sync),
    folder: &Path,
    Room { memory, jobs }: Room,
    watch: Watch<'_>,
) -> Result<Joined, EvidenceError> {
    let Watch { cancel, progress } = watch;
    let probes = Partitions::new(0, folder, "rows");
    progress.expect(units.iter().map(Unit::size_hint).sum());
    let rows = probe_all(&units, &probes, hasher, ways, jobs, watch)?;
    let (mut sum, mut first_rows) = (0, Vec::with_capacity(units.len()));
    for (unit, rows) in units.iter().zip(&rows) {
        first_rows.push((unit.id, sum));
        sum += rows;
    }
    // Rows of a range are put into order in memory.
    let range = (memory / (4 * jobs.max(1) * size_of::<Hit>()) as u64).max(sum.div_ceil(PARTITIONS as u64)).max(1);
    let hits: Partitions<Hit> = Partitions::new(0, folder, "found");
    let begin = || hits.writer();
    let each = |writer: &mut Writer<'_, Hit>, probe: Probe, word| {
        // Rows of a unit that could not be read to its end are nobody's.
        if u64::from(probe.row) >= rows[probe.unit as usize] {
            return Ok(());
        }
        let row = first_rows[probe.unit as usize].1 + u64::from(probe.row);
        writer.push((row / range) as usize, Hit { row, word })
    };
    let end = |mut writer: Writer<'_, Hit>| writer.flush();
    join((words, &probes), Room { memory, jobs }, keep, &begin, &each, &end, cancel)?;
    let paths = ["evidence.words", "evidence.ends"].map(|name| folder.join(name));
    put_in_order(&hits, &paths, (range, sum), jobs, cancel)?;
    let open = |path: &PathBuf| {
        let opened = SourceFile::open(path, None).map_err(JoinError::Read)?;
        Ok::<_, EvidenceError>(Arc::new(opened))
    };
    Ok(Joined { words: open(&paths[0])?, ends: open(&paths[1])?, first_rows })
}

/// Partitions the rows of all units; returns how many each has. A unit that cannot be read is a fault of the audit, which
/// finds that out by itself: its rows need nothing from here.
fn probe_all(
    units: &[Unit<'_>],
    probes: &Partitions<(JoinKey, Probe)>,
    hasher: &KeyHasher,
    ways: Ways,
    jobs: usize,
    Watch { cancel, progress }: Watch<'_>,
) -> Result<Vec<u64>, JoinError> {
    let counts = Mutex::new(vec![0; units.len()]);
    let crew = Crew::<JoinError>::new(jobs, cancel);
    let begin = || (probes.writer(), WholeReader::default());
    let each = |(writer, reader): &mut (Writer<'_, _>, WholeReader), at: usize| {
        let unit = &units[at];
        let mut each = |batch: &Batch<'_>| probe(batch, at as u32, hasher, ways, writer);
        let open = || {
            let mut file = UnitFile::open(unit)?;
            // The audit compares it.
            drop(file.take_checksum());
            UnitReader::new(unit, file)
        };
        match reader.read_all(open, COLUMNS, &|| crew.is_over(), &mut each) {
            Ok(facts) => lock(&counts)[at] = facts.rows,
            Err(NotWhole::Taker(error)) => return Err(error.into()),
            Err(NotWhole::Fault(_) | NotWhole::Cancelled) => {}
        }
        progress.advance(unit.size_hint(), 0);
        Ok(())
    };
    crew.each(units.len(), begin, each, |(mut writer, _)| Ok(writer.flush()?))?;
    Ok(counts.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn probe(
    batch: &Batch<'_>,
    unit: u32,
    hasher: &KeyHasher,
    ways: Ways,
    writer: &mut Writer<'_, (JoinKey, Probe)>,
) -> io::Result<()> {
    let mut bucket = (&b""[..], hasher.bucket(b""));
    for at in 0..batch.len {
        if batch.states.is_some_and(|states| states[at] != RowState::Sound) {
            continue;
        }
        let name = batch.bucket.get(at);
        if bucket.0 != name {
            bucket = (name, hasher.bucket(name));
        }
        let Ok(row) = u32::try_from(batch.first_row - 1 + at as u64) else { continue };
        let key = batch.key.get(at);
        let found = Probe { unit, row };
        let hash = bucket.1.key(key, VersionPart::of_row(&batch.version_id, at));
        writer.push(hash.partition(), (hash, found))?;
        if ways.by_key {
            let hash = bucket.1.key(key, VersionPart::Any);
            writer.push(hash.partition(), (hash, found))?;
        }
        let version = (!batch.version_id.is_absent()).then(|| batch.version_id.get(at));
        if ways.ask_second(version)
            && let Ok(Some(modified)) = batch.last_modified.get(at).time()
        {
            let hash = bucket.1.key(key, VersionPart::ModifiedIn(modified.as_millis().div_euclid(1000)));
            writer.push(hash.partition(), (hash, found))?;
        }
    }
    Ok(())
}

/// Writes the words of all rows in the order of the rows, range by range.
fn put_in_order(
    hits: &Partitions<Hit>,
    paths: &[PathBuf; 2],
    (range, rows): (u64, u64),
    jobs: usize,
    cancel: &Cancel,
) -> Result<(), JoinError> {
    let [words, ends] = paths.each_ref().map(|path| store::create(path));
    let files = [words?, ends?];
    // How many words stand before those of each range.
    let mut before = vec![0];
    (0..PARTITIONS).for_each(|at| before.push(before[at] + hits.len(at)));
    let put = |_: &mut (), at| {
        let first = at as u64 * range;
        let len = range.min(rows - first) as usize;
        Ok(put_range(hits, (at, before[at]), (first, len), &files)?)
    };
    Crew::<JoinError>::new(jobs, cancel).each(rows.div_ceil(range) as usize, || (), put, Ok)
}

/// Writes the words of a range of rows; `before` so many stand before them.
fn put_range(
    hits: &Partitions<Hit>,
    (at, before): (usize, u64),
    (first, len): (u64, usize),
    [words, ends]: &[File; 2],
) -> io::Result<()> {
    let mut found = Vec::new();
    hits.read(at, &mut |hit: Hit| {
        if (first..first + len as u64).contains(&hit.row) {
            found.push(hit);
        }
    })?;
    hits.remove(at);
    found.sort_unstable_by_key(|hit| (hit.row, hit.word));
    write_pieces(words, before * Word::LEN as u64, found.iter(), |hit, bytes| hit.word.put(bytes))?;
    let mut counts = vec![0_u64; len];
    found.iter().for_each(|hit| counts[(hit.row - first) as usize] += 1);
    let end = counts.iter().scan(before, |end, count| {
        *end += count;
        Some(*end)
    });
    write_pieces(ends, first * END_LEN as u64, end, |end, bytes| bytes.extend_from_slice(&end.to_le_bytes()))
}

/// Writes the bytes of many things to a place of a file, some at a time.
fn write_pieces<T>(
    file: &File,
    mut offset: u64,
    things: impl Iterator<Item = T>,
    put: impl Fn(T, &mut Vec<u8>),
) -> io::Result<()> {
    const TOGETHER: usize = 1 << 16;
    let mut bytes = Vec::with_capacity(TOGETHER + Word::LEN);
    for thing in things {
        put(thing, &mut bytes);
        if bytes.len() >= TOGETHER {
            write_all_at(file, &bytes, offset)?;
            offset += bytes.len() as u64;
            bytes.clear();
        }
    }
    write_all_at(file, &bytes, offset)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

impl Joined {
    /// The words about some neighbouring rows of a unit, the first of which has that number, from 1 on, and where those of
    /// each end.
    pub(crate) fn read(
        &self,
        unit: UnitId,
        first_row: u64,
        len: usize,
        (words, ends): (&mut Vec<Word>, &mut Vec<u32>),
        bytes: &mut Vec<u8>,
    ) -> io::Result<()> {
        words.clear();
        ends.clear();
        let rows = self.rows(unit, first_row, len);
        let Some(from) = rows.start.checked_sub(1) else {
            return self.read_from(0, rows, len, (words, ends), bytes);
        };
        bytes.resize(END_LEN, 0);
        self.ends.read_exact_at(bytes, from * END_LEN as u64)?;
        self.read_from(number(bytes), rows, len, (words, ends), bytes)
    }

    /// Where rows stand among all rows. Of a unit that could not be read nothing is known.
    fn rows(&self, unit: UnitId, first_row: u64, len: usize) -> Range<u64> {
        let Ok(at) = self.first_rows.binary_search_by_key(&unit, |(unit, _)| *unit) else { return 0..0 };
        let end = self.first_rows.get(at + 1).map_or(self.ends.len() / END_LEN as u64, |(_, first)| *first);
        let from = self.first_rows[at].1.saturating_add(first_row - 1).min(end);
        from..end.min(from.saturating_add(len as u64))
    }

    fn read_from(
        &self,
        before: u64,
        rows: Range<u64>,
        len: usize,
        (words, ends): (&mut Vec<Word>, &mut Vec<u32>),
        bytes: &mut Vec<u8>,
    ) -> io::Result<()> {
        bytes.resize((rows.end - rows.start) as usize * END_LEN, 0);
        self.ends.read_exact_at(bytes, rows.start * END_LEN as u64)?;
        ends.extend(bytes.chunks_exact(END_LEN).map(|end| (number(end) - before) as u32));
        let count = ends.last().copied().unwrap_or(0);
        ends.resize(len, count);
        bytes.resize(count as usize * Word::LEN, 0);
        self.words.read_exact_at(bytes, before * Word::LEN as u64)?;
        words.extend(bytes.chunks_exact(Word::LEN).filter_map(Word::take));
        Ok(())
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl Value for Probe {
    const LEN: usize = 8;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.unit.to_le_bytes());
        bytes.extend_from_slice(&self.row.to_le_bytes());
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (unit, row) = bytes.split_first_chunk()?;
        Some(Self { unit: u32::from_le_bytes(*unit), row: u32::from_le_bytes(*row.first_chunk()?) })
    }
}

impl Value for Hit {
    const LEN: usize = 8 + Word::LEN;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.row.to_le_bytes());
        self.word.put(bytes);
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (row, rest) = bytes.split_first_chunk()?;
        Some(Self { row: u64::from_le_bytes(*row), word: Word::take(rest)? })
    }
}

//! Evidence that does not fit into memory: the rows of all units are partitioned as well and joined with it. What comes
//! out is put into the order of the rows, and read back while they are examined.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::answers::Statement;
use super::{Answer, Answers, EvidenceError, Fact, Ways};
use crate::batch::{Batch, Column, ColumnSet, RowState};
use crate::engine::{Cancel, Progress, lock};
use crate::join::{JoinError, JoinKey, KeyHasher, PARTITIONS, Partitions, Value, VersionPart, Writer, join};
use crate::plan::{Unit, UnitId};
use crate::readers::{Part, Scratch, UnitFault, UnitFile, UnitReader};
use crate::source::SourceFile;

/// The facts of all rows, row by row.
pub(crate) struct Joined {
    file: Arc<SourceFile>,
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

/// A row that was found, by its position among all rows.
#[derive(Clone, Copy, Debug)]
struct Hit {
    row: u64,
    fact: Fact,
}

/// The written form of a row of which nothing is known.
const NOTHING: Fact = Fact { time: i64::MIN, answers: u32::MAX - 1 };
/// The number of bytes of a row.
const ROW_LEN: usize = 12;

/// Joins the rows of the units with the records.
#[expect(clippy::too_many_arguments, reason = "all of the evidence and all of the inventory")]
pub(crate) fn join_inventory(
    units: Vec<Unit<'_>>,
    records: &Partitions<(JoinKey, Statement)>,
    hasher: &KeyHasher,
    ways: Ways,
    (answers, list): (&Answers, &[Answer]),
    reduce: &(dyn Fn(&mut [Statement]) -> Option<Fact> + Sync),
    folder: &Path,
    (memory, jobs): (u64, usize),
    (cancel, progress): (&Cancel, &dyn Progress),
) -> Result<Joined, EvidenceError> {
    let probes = Partitions::new(0, folder, "rows");
    progress.expect(units.iter().map(Unit::size_hint).sum());
    let rows = probe_all(&units, &probes, hasher, ways, jobs, (cancel, progress))?;
    let (mut sum, mut first_rows) = (0, Vec::with_capacity(units.len()));
    for (unit, rows) in units.iter().zip(&rows) {
        first_rows.push((unit.id, sum));
        sum += rows;
    }
    // Rows of a range are put into order in memory.
    let range = (memory / (4 * jobs.max(1) * size_of::<Fact>()) as u64).max(sum.div_ceil(PARTITIONS as u64)).max(1);
    let hits: Partitions<Hit> = Partitions::new(0, folder, "found");
    let begin = || hits.writer();
    let each = |writer: &mut Writer<'_, Hit>, probe: Probe, fact| {
        // Rows of a unit that could not be read to its end are nobody's.
        if u64::from(probe.row) >= rows[probe.unit as usize] {
            return Ok(());
        }
        let row = first_rows[probe.unit as usize].1 + u64::from(probe.row);
        writer.push((row / range) as usize, Hit { row, fact })
    };
    let end = |mut writer: Writer<'_, Hit>| writer.flush();
    join((records, &probes), (memory, jobs), reduce, &begin, &each, &end, cancel)?;
    let path = folder.join("evidence.rows");
    let combine = |one, other| answers.combine(list, one, other);
    put_in_order(&hits, &path, (range, sum), &combine, jobs, cancel)?;
    let file = SourceFile::open(&path, None).map_err(|fault| EvidenceError::Join(fault.to_string()))?;
    Ok(Joined { file: Arc::new(file), first_rows })
}

/// Partitions the rows of all units; returns how many each has. A unit that cannot be read is a fault of the audit, which
/// finds that out by itself: its rows need nothing from here.
fn probe_all(
    units: &[Unit<'_>],
    probes: &Partitions<(JoinKey, Probe)>,
    hasher: &KeyHasher,
    ways: Ways,
    jobs: usize,
    (cancel, progress): (&Cancel, &dyn Progress),
) -> Result<Vec<u64>, EvidenceError> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let counts = Mutex::new(vec![0_u64; units.len()]);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                let (mut writer, mut scratch) = (probes.writer(), Scratch::default());
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(unit) = units.get(at).filter(|_| !cancel.is_cancelled()) else { break };
                    let mut each = |batch: &Batch<'_>| probe(batch, at as u32, hasher, ways, &mut writer);
                    match read_unit(unit, &mut scratch, cancel, &mut each) {
                        Ok(rows) => lock(&counts)[at] = rows,
                        Err(Some(error)) => {
                            lock(&failed).get_or_insert(error);
                            break;
                        }
                        Err(None) => {}
                    }
                    progress.advance(unit.size_hint(), 0);
                }
                if let Err(error) = writer.flush() {
                    lock(&failed).get_or_insert(error);
                }
            });
        }
    });
    if cancel.is_cancelled() {
        return Err(EvidenceError::Cancelled);
    }
    match lock(&failed).take() {
        Some(error) => Err(JoinError::File(error).into()),
        None => Ok(std::mem::take(&mut *lock(&counts))),
    }
}

/// Hands over all batches of a unit and says how many rows it has; an error of `each`, or nothing if the unit is at fault.
fn read_unit(
    unit: &Unit<'_>,
    scratch: &mut Scratch,
    cancel: &Cancel,
    each: &mut dyn FnMut(&Batch<'_>) -> io::Result<()>,
) -> Result<u64, Option<io::Error>> {
    let mut failed = None;
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| -> Result<u64, UnitFault> {
        let mut file = UnitFile::open(unit)?;
        // The audit compares it.
        drop(file.take_checksum());
        let mut reader = UnitReader::new(unit, file)?;
        while let Some(part) = reader.next_part(scratch)? {
            let Part::Rows(rows) = part else { continue };
            rows.read(COLUMNS, scratch, &|| cancel.is_cancelled(), &mut |batch, _| {
                if failed.is_none() {
                    failed = each(batch).err();
                }
                Ok(())
            })?;
            if failed.is_some() {
                break;
            }
        }
        Ok(reader.facts().rows)
    }));
    match (failed, read) {
        (Some(error), _) => Err(Some(error)),
        (None, Ok(Ok(rows))) => Ok(rows),
        // As many rows as can be asked for are then unknown: none.
        (None, _) => Err(None),
    }
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
            let hash = bucket.1.key(key, VersionPart::Current);
            writer.push(hash.partition(), (hash, found))?;
        }
        if ways.by_second
            && let Ok(Some(modified)) = batch.last_modified.get(at).time()
        {
            let hash = bucket.1.key(key, VersionPart::ModifiedIn(modified.as_millis().div_euclid(1000)));
            writer.push(hash.partition(), (hash, found))?;
        }
    }
    Ok(())
}

/// Writes the facts of all rows in the order of the rows, range by range.
fn put_in_order(
    hits: &Partitions<Hit>,
    path: &Path,
    (range, rows): (u64, u64),
    combine: &(dyn Fn(Fact, Fact) -> Fact + Sync),
    jobs: usize,
    cancel: &Cancel,
) -> Result<(), EvidenceError> {
    let failed_io = |error: io::Error| EvidenceError::from(JoinError::File(error));
    let file = File::create(path).map_err(failed_io)?;
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let first = at as u64 * range;
                    if first >= rows || cancel.is_cancelled() {
                        return;
                    }
                    let len = range.min(rows - first) as usize;
                    if let Err(error) = put_range(hits, at, first, len, combine, &file) {
                        lock(&failed).get_or_insert(error);
                        return;
                    }
                }
            });
        }
    });
    match lock(&failed).take() {
        Some(error) => Err(failed_io(error)),
        None if cancel.is_cancelled() => Err(EvidenceError::Cancelled),
        None => Ok(()),
    }
}

fn put_range(
    hits: &Partitions<Hit>,
    at: usize,
    first: u64,
    len: usize,
    combine: &dyn Fn(Fact, Fact) -> Fact,
    file: &File,
) -> io::Result<()> {
    let mut facts = vec![NOTHING; len];
    hits.read(at, &mut |Hit { row, fact }| {
        if let Some(slot) = row.checked_sub(first).and_then(|row| facts.get_mut(row as usize)) {
            *slot = if *slot == NOTHING { fact } else { combine(*slot, fact) };
        }
    })?;
    hits.remove(at);
    let mut bytes = Vec::with_capacity(1 << 16);
    let mut offset = first * ROW_LEN as u64;
    for some in facts.chunks((1 << 16) / ROW_LEN) {
        bytes.clear();
        for fact in some {
            bytes.extend_from_slice(&fact.time.to_le_bytes());
            bytes.extend_from_slice(&fact.answers.to_le_bytes());
        }
        write_all_at(file, &bytes, offset)?;
        offset += bytes.len() as u64;
    }
    Ok(())
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
    /// The facts of some neighbouring rows of a unit, the first of which has that number, from 1 on.
    pub(crate) fn read(
        &self,
        unit: UnitId,
        first_row: u64,
        len: usize,
        facts: &mut Vec<Option<Fact>>,
        bytes: &mut Vec<u8>,
    ) -> io::Result<()> {
        facts.clear();
        facts.resize(len, None);
        let Ok(at) = self.first_rows.binary_search_by_key(&unit, |(unit, _)| *unit) else { return Ok(()) };
        let end = self.first_rows.get(at + 1).map_or(self.file.len() / ROW_LEN as u64, |(_, first)| *first);
        let from = self.first_rows[at].1.saturating_add(first_row - 1);
        // Of a unit that could not be read nothing is known.
        let rows = end.saturating_sub(from).min(len as u64) as usize;
        bytes.resize(rows * ROW_LEN, 0);
        self.file.read_exact_at(bytes, from * ROW_LEN as u64)?;
        for (fact, row) in facts.iter_mut().zip(bytes.as_chunks::<ROW_LEN>().0) {
            let (time, answers) = row.split_at(8);
            let read = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            let read = Fact { time: read(time) as i64, answers: read(answers) as u32 };
            *fact = (read != NOTHING).then_some(read);
        }
        Ok(())
    }
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
    const LEN: usize = 8 + ROW_LEN;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.row.to_le_bytes());
        bytes.extend_from_slice(&self.fact.time.to_le_bytes());
        bytes.extend_from_slice(&self.fact.answers.to_le_bytes());
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (row, rest) = bytes.split_first_chunk()?;
        let (time, answers) = rest.split_first_chunk()?;
        let fact = Fact { time: i64::from_le_bytes(*time), answers: u32::from_le_bytes(*answers.first_chunk()?) };
        Some(Self { row: u64::from_le_bytes(*row), fact })
    }
}

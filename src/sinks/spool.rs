//! Spool files: one for each worker and list, written to the end and read back once.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::OutputError;
use crate::plan::UnitId;

/// The lists that an audit writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Objects that are not compliant.
    Findings,
    /// What could not be examined.
    Faults,
}

impl List {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Findings, Self::Faults];

    /// The file's name in the output folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Findings => "findings.csv",
            Self::Faults => "faults.jsonl",
        }
    }
}

/// Where the lines of one part stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    pub(super) unit: UnitId,
    pub(super) part: u32,
    pub(super) list: List,
    pub(super) worker: u32,
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// How many bytes of each list belong to each unit, in the order of the list.
pub type UnitLengths = BTreeMap<UnitId, [u64; List::ALL.len()]>;

/// The folder of the spool files.
#[derive(Clone, Debug)]
pub struct Spools {
    folder: PathBuf,
}

/// The spool files of one worker.
pub struct SpoolWriter {
    worker: u32,
    spools: Spools,
    files: [Option<Spool>; List::ALL.len()],
    /// Where the lines of the part begin that is being written.
    part_starts: [u64; List::ALL.len()],
}

struct Spool {
    file: File,
    len: u64,
}

impl Spools {
    /// Spool files are made in this folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The spool files of a worker, which are made when they are first written to.
    pub fn writer(&self, worker: u32) -> SpoolWriter {
        SpoolWriter { worker, spools: self.clone(), files: [None, None], part_starts: [0; List::ALL.len()] }
    }

    /// The spool files of a list, in the order of these workers.
    pub(crate) fn paths(&self, list: List, workers: Range<u32>) -> Vec<PathBuf> {
        workers.map(|worker| self.path(worker, list)).collect()
    }

    /// Removes the spool files of these workers. Whatever cannot be removed goes with the folder.
    pub(crate) fn remove(&self, workers: Range<u32>) {
        for worker in workers {
            List::ALL.into_iter().for_each(|list| drop(fs::remove_file(self.path(worker, list))));
        }
    }

    fn path(&self, worker: u32, list: List) -> PathBuf {
        self.folder.join(format!("{}.{worker}.spool", list.file_name()))
    }
}

impl SpoolWriter {
    /// Begins a part: what is written from now on is its own.
    pub fn begin_part(&mut self) {
        self.part_starts = List::ALL.map(|list| self.len(list));
    }

    /// Appends lines of the part, at once: others read them as soon as the part has ended.
    pub fn write(&mut self, list: List, lines: &[u8]) -> Result<(), OutputError> {
        if lines.is_empty() {
            return Ok(());
        }
        let appended = self.append(list, lines);
        appended.map_err(|error| OutputError::Write { path: self.spools.path(self.worker, list), error })
    }

    fn append(&mut self, list: List, lines: &[u8]) -> io::Result<()> {
        let spool = match &mut self.files[list as usize] {
            Some(spool) => spool,
            none => {
                let file = File::create(self.spools.path(self.worker, list))?;
                none.insert(Spool { file, len: 0 })
            }
        };
        spool.file.write_all(lines)?;
        spool.len += lines.len() as u64;
        Ok(())
    }

    /// Ends the part: where its lines stand.
    pub fn end_part(&self, unit: UnitId, part: u32) -> impl Iterator<Item = Extent> {
        let ends = List::ALL.map(|list| (list, self.part_starts[list as usize], self.len(list)));
        let worker = self.worker;
        let extents = ends.map(|(list, offset, end)| Extent { unit, part, list, worker, offset, len: end - offset });
        extents.into_iter().filter(|extent| extent.len > 0)
    }

    fn len(&self, list: List) -> u64 {
        self.files[list as usize].as_ref().map_or(0, |spool| spool.len)
    }
}

/// The lengths in the form of a shard's partial: `[unit, findings, faults]`.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct UnitLengthList(Vec<(UnitId, u64, u64)>);

impl From<UnitLengths> for UnitLengthList {
    fn from(lengths: UnitLengths) -> Self {
        Self(lengths.into_iter().map(|(unit, [findings, faults])| (unit, findings, faults)).collect())
    }
}

impl From<UnitLengthList> for UnitLengths {
    fn from(list: UnitLengthList) -> Self {
        list.0.into_iter().map(|(unit, findings, faults)| (unit, [findings, faults])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where() {
        let folder = tempfile::tempdir().expect("a temporary folder").path().join("gone");
        let mut spool = Spools::new(&folder).writer(3);
        let error = spool.write(List::Findings, b"a line").expect_err("there is no such folder");
        assert!(error.to_string().contains("findings.csv.3.spool: "), "{error}");
    }
}

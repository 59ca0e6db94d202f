//! Spool files: a few for each worker, written to the end and read back once.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::OutputError;
use crate::plan::UnitId;
use crate::remediation::GroupId;

/// A list that every audit writes as one file.
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

/// Where lines belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListId {
    /// To a list that is one file.
    Named(List),
    /// To objects that are put right together.
    Group(GroupId),
}

/// Where some lines of a part stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    pub(super) unit: UnitId,
    pub(super) part: u32,
    pub(super) list: ListId,
    pub(super) worker: u32,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) rows: u64,
}

/// The folder of the spool files.
#[derive(Clone, Debug)]
pub struct Spools {
    folder: PathBuf,
}

/// The spool files of one worker.
pub struct SpoolWriter {
    worker: u32,
    spools: Spools,
    files: [Option<Spool>; Stream::ALL.len()],
    /// What has been written of the part.
    written: Vec<Written>,
}

struct Spool {
    file: File,
    len: u64,
}

struct Written {
    list: ListId,
    offset: u64,
    len: u64,
    rows: u64,
}

/// What shares a spool file. There can be many groups, so they share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Named(List),
    Groups,
}

impl Stream {
    const ALL: [Self; 3] = [Self::Named(List::Findings), Self::Named(List::Faults), Self::Groups];

    fn of(list: ListId) -> Self {
        match list {
            ListId::Named(list) => Self::Named(list),
            ListId::Group(_) => Self::Groups,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Named(list) => list as usize,
            Self::Groups => List::ALL.len(),
        }
    }
}

impl Spools {
    /// Spool files are made in this folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The spool files of a worker, which are made when they are first written to.
    pub fn writer(&self, worker: u32) -> SpoolWriter {
        SpoolWriter { worker, spools: self.clone(), files: [const { None }; Stream::ALL.len()], written: Vec::new() }
    }

    /// The spool files of a stream, in the order of these workers.
    pub(crate) fn paths(&self, stream: Stream, workers: Range<u32>) -> Vec<PathBuf> {
        workers.map(|worker| self.path(worker, stream)).collect()
    }

    /// Removes the spool files of these workers. Whatever cannot be removed goes with the folder.
    pub(crate) fn remove(&self, workers: Range<u32>) {
        for worker in workers {
            Stream::ALL.into_iter().for_each(|stream| drop(fs::remove_file(self.path(worker, stream))));
        }
    }

    fn path(&self, worker: u32, stream: Stream) -> PathBuf {
        let name = match stream {
            Stream::Named(list) => list.file_name(),
            Stream::Groups => "remediation",
        };
        self.folder.join(format!("{name}.{worker}.spool"))
    }
}

impl SpoolWriter {
    /// Begins a part: what is written from now on is its own.
    pub fn begin_part(&mut self) {
        self.written.clear();
    }

    /// Appends so many lines of the part, at once: others read them as soon as the part has ended.
    pub fn write(&mut self, list: ListId, lines: &[u8], rows: u64) -> Result<(), OutputError> {
        if lines.is_empty() {
            return Ok(());
        }
        let stream = Stream::of(list);
        let offset = self
            .append(stream, lines)
            .map_err(|error| OutputError::Write { path: self.spools.path(self.worker, stream), error })?;
        let len = lines.len() as u64;
        match self.written.last_mut() {
            Some(last) if last.list == list && last.offset + last.len == offset => {
                last.len += len;
                last.rows += rows;
            }
            _ => self.written.push(Written { list, offset, len, rows }),
        }
        Ok(())
    }

    /// Returns where the lines begin.
    fn append(&mut self, stream: Stream, lines: &[u8]) -> io::Result<u64> {
        let spool = match &mut self.files[stream.index()] {
            Some(spool) => spool,
            none => {
                let file = File::create(self.spools.path(self.worker, stream))?;
                none.insert(Spool { file, len: 0 })
            }
        };
        spool.file.write_all(lines)?;
        let offset = spool.len;
        spool.len += lines.len() as u64;
        Ok(offset)
    }

    /// Ends the part: where its lines stand.
    pub fn end_part(&mut self, unit: UnitId, part: u32) -> impl Iterator<Item = Extent> {
        let worker = self.worker;
        self.written.drain(..).map(move |Written { list, offset, len, rows }| Extent {
            unit,
            part,
            list,
            worker,
            offset,
            len,
            rows,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where() {
        let folder = tempfile::tempdir().expect("a temporary folder").path().join("gone");
        let mut spool = Spools::new(&folder).writer(3);
        let findings = ListId::Named(List::Findings);
        let error = spool.write(findings, b"a line", 1).expect_err("there is no such folder");
        assert!(error.to_string().contains("findings.csv.3.spool: "), "{error}");
    }
}

//! The lines of each worker: held in memory while there is room, else written to spool files, which are read back once.

use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::OutputError;
use super::held::Room;
use super::list::{Piece, Stored};
use crate::remediation::GroupId;
use crate::store;

/// A list that every audit writes as one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Objects that are not compliant.
    Findings,
    /// What could not be examined.
    Faults,
    /// Data files.
    Units,
}

impl List {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Findings, Self::Faults, Self::Units];

    /// The file's name in the output folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Findings => "findings.csv",
            Self::Faults => "faults.jsonl",
            Self::Units => "units.csv",
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

/// Some lines of a part, which follow each other in a list.
#[derive(Debug)]
pub(crate) struct Extent {
    pub(super) list: ListId,
    pub(super) piece: Piece,
}

/// The folder of the spool files, and the room for lines that need none.
#[derive(Clone, Debug)]
pub(crate) struct Spools {
    folder: PathBuf,
    room: Room,
}

/// The spool files of one worker.
pub(crate) struct SpoolWriter {
    worker: u32,
    spools: Spools,
    files: [Option<Spool>; Stream::ALL.len()],
    /// What has been written of the part.
    written: Vec<Extent>,
    /// Whether its lines are the next ones of the lists.
    is_first: bool,
}

struct Spool {
    file: File,
    len: u64,
}

/// What shares a spool file. There can be many groups, so they share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Named(List),
    Groups,
}

impl Stream {
    const ALL: [Self; 4] =
        [Self::Named(List::Findings), Self::Named(List::Faults), Self::Named(List::Units), Self::Groups];

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
    /// Spool files are made in this folder, for lines beyond the room.
    pub(crate) fn new(folder: &Path, room: Room) -> Self {
        Self { folder: folder.to_owned(), room }
    }

    /// The spool files of a worker, which are made when they are first written to.
    pub(crate) fn writer(&self, worker: u32) -> SpoolWriter {
        SpoolWriter {
            worker,
            spools: self.clone(),
            files: [const { None }; Stream::ALL.len()],
            written: Vec::new(),
            is_first: false,
        }
    }

    /// The spool files of a stream, in the order of these workers.
    pub(crate) fn paths(&self, stream: Stream, workers: Range<u32>) -> Vec<PathBuf> {
        workers.map(|worker| self.path(worker, stream)).collect()
    }

    /// Removes the spool files of these workers. Whatever cannot be removed goes with the folder.
    pub(crate) fn remove(&self, workers: Range<u32>) {
        for worker in workers {
            Stream::ALL.into_iter().for_each(|stream| drop(store::remove(&self.path(worker, stream))));
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
    /// Begins a part: what is written from now on is its own. There is more room for lines that do not wait for others.
    pub(crate) fn begin_part(&mut self, is_first: bool) {
        self.is_first = is_first;
        self.written.clear();
    }

    /// Appends so many lines of the part, and leaves an empty buffer. What goes to a file goes at once: others read it as
    /// soon as the part has ended.
    pub(crate) fn write(&mut self, list: ListId, lines: &mut Vec<u8>, rows: u64) -> Result<(), OutputError> {
        if lines.is_empty() {
            return Ok(());
        }
        let piece = match self.spools.room.hold(lines, rows, self.is_first) {
            Some(held) => Piece::Held(held),
            None => {
                let stored = self.store(Stream::of(list), lines, rows)?;
                lines.clear();
                Piece::Stored(stored)
            }
        };
        match (self.written.last_mut(), piece) {
            (Some(Extent { list: last, piece: Piece::Stored(stored) }), Piece::Stored(next))
                if *last == list && stored.is_before(&next) =>
            {
                stored.len += next.len;
                stored.rows += next.rows;
            }
            (_, piece) => self.written.push(Extent { list, piece }),
        }
        Ok(())
    }

    fn store(&mut self, stream: Stream, lines: &[u8], rows: u64) -> Result<Stored, OutputError> {
        let from = self
            .append(stream, lines)
            .map_err(|error| OutputError::Write { path: self.spools.path(self.worker, stream), error })?;
        let len = lines.len() as u64;
        Ok(Stored { file: self.worker as usize, from, len, rows })
    }

    /// Returns where the lines begin.
    fn append(&mut self, stream: Stream, lines: &[u8]) -> io::Result<u64> {
        let spool = match &mut self.files[stream.index()] {
            Some(spool) => spool,
            none => {
                let file = store::create(&self.spools.path(self.worker, stream))?;
                none.insert(Spool { file, len: 0 })
            }
        };
        spool.file.write_all(lines)?;
        let offset = spool.len;
        spool.len += lines.len() as u64;
        Ok(offset)
    }

    /// Ends the part: its lines.
    pub(crate) fn end_part(&mut self) -> Vec<Extent> {
        std::mem::take(&mut self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where() {
        let folder = tempfile::tempdir().expect("a temporary folder").path().join("gone");
        let mut spool = Spools::new(&folder, Room::new(5)).writer(3);
        let findings = ListId::Named(List::Findings);
        let error = spool.write(findings, &mut b"a line".to_vec(), 1).expect_err("there is no such folder");
        assert!(error.to_string().contains("findings.csv.3.spool: "), "{error}");
    }
}

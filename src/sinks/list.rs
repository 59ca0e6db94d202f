//! A list of the output, put together from lines that are held in memory and from pieces of other files.
//!
//! Copying from file to file is left to the operating system, which can do it without handing the bytes over. What has
//! been written is brought to the disk meanwhile: in the end a gigabyte would keep everybody waiting.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use memchr::memchr_iter;

use super::OutputError;
use super::held::Held;
use super::sealed::{SealedFile, SealedFiles};
use crate::source::FileFault;
use crate::store;
use crate::work::Cancel;

/// Lines in the order of a list.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pieces: Vec<Piece>,
    len: u64,
}

/// Some lines.
#[derive(Debug)]
pub(super) enum Piece {
    /// Lines that are in memory.
    Held(Held),
    /// Lines that are in a file.
    Stored(Stored),
}

/// Some lines of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) file: usize,
    pub(super) from: u64,
    pub(super) len: u64,
    pub(super) rows: u64,
}

/// The files that pieces are of.
#[derive(Debug)]
pub(crate) enum Sources {
    /// Spool files: our own, and as many as there are workers.
    Spools { paths: Vec<PathBuf>, open: Vec<Option<File>> },
    /// Files of others, of which each byte is compared.
    Sealed(SealedFiles),
}

/// Why a piece could not be copied.
#[derive(Debug)]
pub(super) enum PieceError {
    /// A file of others cannot be read.
    Read(PathBuf, FileFault),
    /// It is not what it should be.
    Changed(PathBuf),
    /// Anything else.
    Write(io::Error),
}

impl From<io::Error> for PieceError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl PieceError {
    /// The error of a list that will be at `path`.
    pub(super) fn of_list(self, path: &Path) -> OutputError {
        match self {
            Self::Read(path, fault) => OutputError::Read { path, fault },
            Self::Changed(path) => OutputError::Changed(path),
            Self::Write(error) => OutputError::Write { path: path.to_owned(), error },
        }
    }
}

/// A list that is being written.
#[derive(Debug)]
pub(crate) struct ListFile {
    file: File,
    /// The file's final name, for messages.
    path: PathBuf,
    sources: Sources,
    len: u64,
    /// Bytes up to here are not taken back.
    kept: u64,
    /// How many bytes nobody has begun to bring to the disk.
    unsynced: u64,
    /// Who brings bytes to the disk at the moment.
    syncing: Option<JoinHandle<io::Result<()>>>,
}

impl Piece {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Held(held) => held.len(),
            Self::Stored(stored) => stored.len,
        }
    }

    pub(super) fn rows(&self) -> u64 {
        match self {
            Self::Held(held) => held.rows,
            Self::Stored(stored) => stored.rows,
        }
    }
}

impl Stored {
    /// At most so many rows of it; how long they are is not known if these are not all.
    pub(super) fn first(self, rows: u64) -> Self {
        if rows < self.rows { Self { rows, len: Self::UNKNOWN, ..self } } else { self }
    }

    /// What is left of it behind these rows.
    pub(super) fn behind(self, first: Self) -> Self {
        let (len, rows) = (self.len.saturating_sub(first.len), self.rows.saturating_sub(first.rows));
        Self { from: self.from.saturating_add(first.len), len, rows, ..self }
    }

    /// Whether these lines come right behind it in its file.
    pub(super) fn is_before(&self, next: &Self) -> bool {
        self.file == next.file && self.from.checked_add(self.len) == Some(next.from)
    }

    const UNKNOWN: u64 = u64::MAX;
}

impl Pieces {
    /// How many bytes they are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Appends so many bytes of the file at a position of a list of files.
    pub(crate) fn push(&mut self, file: usize, from: u64, len: u64, rows: u64) {
        self.add(Piece::Stored(Stored { file, from, len, rows }));
    }

    /// Appends a piece.
    pub(super) fn add(&mut self, piece: Piece) {
        /// Fewer bytes are not worth a write of their own.
        const MIN_HELD: u64 = 1 << 16;
        self.len = self.len.saturating_add(piece.len());
        match (self.pieces.last_mut(), piece) {
            (_, piece) if piece.len() == 0 => {}
            (Some(Piece::Held(last)), Piece::Held(next)) if last.len().saturating_add(next.len()) <= MIN_HELD => {
                last.absorb(next);
            }
            // Pieces of one worker mostly follow each other.
            (Some(Piece::Stored(last)), Piece::Stored(next)) if last.is_before(&next) => {
                last.len = last.len.saturating_add(next.len);
                last.rows = last.rows.saturating_add(next.rows);
            }
            (_, piece) => self.pieces.push(piece),
        }
    }

    /// One after the other. What has been written gives its memory back.
    pub(super) fn into_each(self) -> impl Iterator<Item = Piece> {
        self.pieces.into_iter()
    }
}

impl Sources {
    /// Files are opened when the first piece of them is needed.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        let open = paths.iter().map(|_| None).collect();
        Self::Spools { paths, open }
    }

    /// Files of others. Pieces of each are asked for in the order in which they stand in it.
    pub(crate) fn sealed(files: Vec<SealedFile>) -> Self {
        Self::Sealed(SealedFiles::new(files))
    }

    /// Closes all files. There are no more pieces of them.
    pub(super) fn close(&mut self) {
        *self = Self::new(Vec::new());
    }

    /// Makes sure that files of others are what they should be, and closes them. Returns how many lines each has.
    pub(super) fn check(&mut self, cancel: &Cancel) -> Result<Vec<u64>, PieceError> {
        let lines = match self {
            Self::Spools { .. } => Ok(Vec::new()),
            Self::Sealed(files) => files.finish(cancel),
        };
        self.close();
        lines
    }

    /// The same rows with their length.
    pub(super) fn measured(&mut self, piece: Stored) -> Result<Stored, PieceError> {
        if piece.len != Stored::UNKNOWN {
            return Ok(piece);
        }
        let Stored { file, from, rows, .. } = piece;
        let len = match self {
            Self::Spools { paths, open } => {
                let source = opened(paths, open, file)?;
                len_of_rows(rows, from, |buffer, at| {
                    source.seek(SeekFrom::Start(at))?;
                    source.read(buffer)
                })?
            }
            Self::Sealed(files) => files.len_of_rows(file, from, rows)?,
        };
        Ok(Stored { len, ..piece })
    }

    /// Writes a piece to the end of a file.
    fn write(&mut self, piece: &Piece, to: &mut File, cancel: &Cancel) -> Result<(), PieceError> {
        match piece {
            Piece::Held(held) => Ok(to.write_all(&held.lines)?),
            Piece::Stored(stored) => self.copy(*stored, to, cancel),
        }
    }

    /// Copies a piece to the end of a file.
    pub(super) fn copy(&mut self, piece: Stored, to: &mut File, cancel: &Cancel) -> Result<(), PieceError> {
        match self {
            Self::Spools { paths, open } => Ok(copy(opened(paths, open, piece.file)?, piece, to, cancel)?),
            Self::Sealed(files) => files.copy(piece, to, cancel),
        }
    }
}

fn opened<'o>(paths: &[PathBuf], open: &'o mut [Option<File>], file: usize) -> io::Result<&'o mut File> {
    Ok(match &mut open[file] {
        Some(source) => source,
        none => none.insert(store::read_back(&paths[file])?),
    })
}

/// An interrupt does not wait for more to be copied.
pub(super) const MAX_COPY_LEN: u64 = 16 << 20;

pub(super) fn interrupted() -> io::Error {
    io::Error::other("interrupted")
}

fn copy(source: &mut File, piece: Stored, to: &mut File, cancel: &Cancel) -> io::Result<()> {
    source.seek(SeekFrom::Start(piece.from))?;
    let mut left = piece.len;
    while left > 0 {
        if cancel.is_cancelled() {
            return Err(interrupted());
        }
        let wanted = left.min(MAX_COPY_LEN);
        let copied = io::copy(&mut (&*source).take(wanted), to)?;
        if copied < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= copied;
    }
    Ok(())
}

/// How many bytes so many lines take from a position on; `read` fills a buffer from a position.
pub(super) fn len_of_rows(
    rows: u64,
    from: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 13];
    let (mut len, mut left) = (0, rows);
    while left > 0 {
        let count = match read(&mut buffer, from.saturating_add(len)) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let bytes = &buffer[..count];
        match memchr_iter(b'\n', bytes).take(left as usize).enumerate().last() {
            Some((newlines, last)) => {
                left -= newlines as u64 + 1;
                len += if left > 0 { count } else { last + 1 } as u64;
            }
            None => len += count as u64,
        }
    }
    Ok(len)
}

impl ListFile {
    /// Fewer bytes are not worth a thread.
    const MIN_SYNC: u64 = 8 << 20;

    /// Begins a list at `staged`, which will be at `path`, of pieces of these files.
    pub(super) fn create(staged: &Path, path: PathBuf, preamble: &[u8], sources: Sources) -> Result<Self, OutputError> {
        let created = store::create(staged).and_then(|mut file| file.write_all(preamble).map(|()| file));
        match created {
            Ok(file) => {
                let len = preamble.len() as u64;
                Ok(Self { file, path, sources, len, kept: len, unsynced: 0, syncing: None })
            }
            Err(error) => Err(OutputError::Write { path, error }),
        }
    }

    /// Appends the pieces.
    pub(crate) fn append(&mut self, pieces: Pieces, cancel: &Cancel) -> Result<(), OutputError> {
        let len = pieces.len();
        let appended = pieces.into_each().try_for_each(|piece| self.sources.write(&piece, &mut self.file, cancel));
        self.len += len;
        self.unsynced += len;
        appended.and_then(|()| Ok(self.sync_early()?)).map_err(|error| error.of_list(&self.path))
    }

    /// Appends some lines that are in memory.
    pub(crate) fn append_lines(&mut self, lines: &[u8]) -> Result<(), OutputError> {
        self.len += lines.len() as u64;
        self.file.write_all(lines).map_err(|error| OutputError::Write { path: self.path.clone(), error })
    }

    /// What has been appended is not taken back any more.
    pub(super) fn keep(&mut self) {
        self.kept = self.len;
    }

    /// Takes back what has been appended and not kept.
    pub(super) fn undo(&mut self) -> Result<(), OutputError> {
        let undone = truncate(&mut self.file, self.kept);
        self.len = self.kept;
        undone.map_err(|error| OutputError::Write { path: self.path.clone(), error })
    }

    /// Begins to bring to the disk what has come together, unless somebody is still doing so.
    fn sync_early(&mut self) -> io::Result<()> {
        let is_busy = self.syncing.as_ref().is_some_and(|syncing| !syncing.is_finished());
        if is_busy || self.unsynced < Self::MIN_SYNC {
            return Ok(());
        }
        self.end_sync()?;
        let file = self.file.try_clone()?;
        self.unsynced = 0;
        self.syncing = Some(thread::Builder::new().spawn(move || store::sync_content(&file))?);
        Ok(())
    }

    /// An error is told once: whoever asks later is not told that bytes were lost.
    fn end_sync(&mut self) -> io::Result<()> {
        let ended = self.syncing.take().map(JoinHandle::join);
        ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err(io::Error::other("syncing failed")))
    }

    /// Makes sure that files of others that pieces were of are what they should be, and closes them: none can be appended
    /// any more. Returns how many lines each has.
    pub(crate) fn check_sources(&mut self, cancel: &Cancel) -> Result<Vec<u64>, OutputError> {
        self.sources.check(cancel).map_err(|error| error.of_list(&self.path))
    }

    /// Closes the files that pieces were of. None can be appended any more.
    pub(super) fn close_sources(&mut self) {
        self.sources.close();
    }

    /// Makes sure that the list outlives a power failure.
    pub(crate) fn finish(mut self) -> Result<(), OutputError> {
        let synced = self.end_sync().and_then(|()| store::sync(&self.file));
        synced.map_err(|error| OutputError::Write { path: self.path, error })
    }
}

/// Shortens a file; what is written next goes to its new end.
pub(super) fn truncate(file: &mut File, len: u64) -> io::Result<()> {
    file.set_len(len)?;
    file.seek(SeekFrom::Start(len)).map(drop)
}

/// How many bytes so many lines take.
pub(super) fn len_of_lines(text: &[u8], lines: u64) -> usize {
    let last = lines.checked_sub(1).and_then(|last| memchr_iter(b'\n', text).nth(last as usize));
    last.map_or(if lines == 0 { 0 } else { text.len() }, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::Room;
    use std::fs;

    #[test]
    fn pieces_of_any_length_come_out_in_order() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let byte = |file: u32, at: u32| (at.wrapping_mul(2_654_435_761) >> 24 ^ file) as u8;
        let texts: Vec<Vec<u8>> = (0..3).map(|file| (0..20_000_000).map(|at| byte(file, at)).collect()).collect();
        let paths: Vec<PathBuf> = (0..3).map(|file| folder.path().join(file.to_string())).collect();
        texts.iter().zip(&paths).for_each(|(text, path)| fs::write(path, text).expect("written"));
        let parts = [
            (0, 5, 10),
            (0, 15, 20),
            (1, 0, 20_000_000),
            (0, 40, 0),
            (2, 19_999_999, 1),
            (0, 35, 19_000_000),
            (2, 0, 1),
        ];
        let staged = folder.path().join("list");
        let mut list = ListFile::create(&staged, staged.clone(), b"preamble", Sources::new(paths)).expect("created");
        let mut expected = b"preamble".to_vec();
        for some in parts.chunks(3) {
            let mut pieces = Pieces::default();
            for &(file, from, len) in some {
                pieces.push(file, from as u64, len as u64, 0);
                expected.extend_from_slice(&texts[file][from..from + len]);
            }
            list.append(pieces, &Cancel::default()).expect("copied");
        }
        list.finish().expect("synced");
        assert!(fs::read(&staged).expect("read") == expected);
    }

    #[test]
    fn a_file_that_is_too_short_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (short, staged) = (folder.path().join("short"), folder.path().join("list"));
        fs::write(&short, b"abc").expect("written");
        let mut list = ListFile::create(&staged, staged.clone(), b"", Sources::new(vec![short])).expect("created");
        let mut pieces = Pieces::default();
        pieces.push(0, 1, 3, 1);
        let error = list.append(pieces, &Cancel::default()).expect_err("too short");
        assert!(matches!(error, OutputError::Write { error, .. } if error.kind() == io::ErrorKind::UnexpectedEof));
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (stored, staged) = (folder.path().join("stored"), folder.path().join("list"));
        fs::write(&stored, b"1\n2\n3\n").expect("written");
        let mut list =
            ListFile::create(&staged, staged.clone(), b"head\n", Sources::new(vec![stored])).expect("created");
        let append = |list: &mut ListFile, from, len| {
            let mut pieces = Pieces::default();
            pieces.push(0, from, len, 1);
            let held = Room::new(10).hold(&mut format!("held {from}\n").into_bytes(), 1, true);
            pieces.add(Piece::Held(held.expect("room")));
            list.append(pieces, &Cancel::default()).expect("written");
        };
        list.undo().expect("nothing to do");
        append(&mut list, 0, 2);
        list.keep();
        append(&mut list, 2, 2);
        append(&mut list, 4, 2);
        list.undo().expect("truncated");
        append(&mut list, 4, 2);
        list.finish().expect("synced");
        assert_eq!(fs::read_to_string(&staged).expect("read"), "head\n1\nheld 0\n3\nheld 4\n");
    }

    #[test]
    fn so_many_rows_are_so_many_bytes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("lines");
        let lines: Vec<String> = (0..5000).map(|at| format!("{}\n", "x".repeat(at % 97))).collect();
        fs::write(&path, lines.concat()).expect("written");
        let mut source = File::open(path).expect("opened");
        let mut measure = |from, rows| {
            len_of_rows(rows, from, |buffer, at| source.seek(SeekFrom::Start(at)).and_then(|_| source.read(buffer)))
        };
        for (first, rows) in [(0, 0), (0, 1), (0, 5000), (7, 3), (100, 4900), (4999, 1)] {
            let len = |lines: &[String]| lines.iter().map(|line| line.len() as u64).sum::<u64>();
            let expected = len(&lines[first..first + rows]);
            let found = measure(len(&lines[..first]), rows as u64).expect("read");
            assert_eq!(found, expected, "{first} {rows}");
            assert_eq!(
                len_of_lines(lines[first..].concat().as_bytes(), rows as u64) as u64,
                expected,
                "{first} {rows}"
            );
        }
        let error = measure(0, 5001).expect_err("there are fewer");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

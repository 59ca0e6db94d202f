//! A list of the output, put together from pieces of other files.
//!
//! Copying from file to file is left to the operating system, which can do it without handing the bytes over. What has
//! been copied is brought to the disk meanwhile: in the end a gigabyte would keep everybody waiting.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use super::OutputError;
use crate::engine::Cancel;

/// Pieces of files, in the order of a list.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pieces: Vec<Piece>,
    len: u64,
}

/// Bytes of one file.
#[derive(Clone, Copy, Debug)]
struct Piece {
    file: usize,
    from: u64,
    len: u64,
}

/// A list that is being written.
#[derive(Debug)]
pub(crate) struct ListFile {
    file: File,
    /// The file's final name, for messages.
    path: PathBuf,
    sources: Vec<Source>,
    /// How many bytes nobody has begun to bring to the disk.
    unsynced: u64,
    /// Who brings bytes to the disk at the moment.
    syncing: Option<JoinHandle<io::Result<()>>>,
}

/// A file that pieces are of, opened when the first one is needed.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    file: Option<File>,
}

impl Pieces {
    /// Longer pieces are cut: an interrupt does not wait for more.
    const MAX_LEN: u64 = 16 << 20;

    /// How many bytes they are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Appends bytes of the file at a position of a list of files.
    pub(crate) fn push(&mut self, file: usize, mut from: u64, mut len: u64) {
        self.len = self.len.saturating_add(len);
        // Pieces of one worker mostly follow each other.
        if let Some(last) = self.pieces.last_mut()
            && last.file == file
            && last.from + last.len == from
        {
            let taken = len.min(Self::MAX_LEN - last.len);
            last.len += taken;
            (from, len) = (from + taken, len - taken);
        }
        while len > 0 {
            let taken = len.min(Self::MAX_LEN);
            self.pieces.push(Piece { file, from, len: taken });
            (from, len) = (from + taken, len - taken);
        }
    }
}

impl ListFile {
    /// Fewer bytes are not worth a thread.
    const MIN_SYNC: u64 = 8 << 20;

    /// Begins a list at `staged`, which will be at `path`, of pieces of these files.
    pub(super) fn create(
        staged: &Path,
        path: PathBuf,
        preamble: &[u8],
        sources: Vec<PathBuf>,
    ) -> Result<Self, OutputError> {
        let created = File::create(staged).and_then(|mut file| file.write_all(preamble).map(|()| file));
        match created {
            Ok(file) => {
                let sources = sources.into_iter().map(|path| Source { path, file: None }).collect();
                Ok(Self { file, path, sources, unsynced: 0, syncing: None })
            }
            Err(error) => Err(OutputError::Write { path, error }),
        }
    }

    /// Appends the pieces.
    pub(crate) fn append(&mut self, pieces: &Pieces, cancel: &Cancel) -> Result<(), OutputError> {
        let mut appended = pieces.pieces.iter().map(|&piece| {
            if cancel.is_cancelled() { Err(io::Error::other("interrupted")) } else { self.append_piece(piece) }
        });
        let appended = appended.try_for_each(|result| result);
        self.unsynced += pieces.len();
        appended.and_then(|()| self.sync_early()).map_err(|error| OutputError::Write { path: self.path.clone(), error })
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
        self.syncing = Some(thread::Builder::new().spawn(move || file.sync_data())?);
        Ok(())
    }

    /// An error is told once: whoever asks later is not told that bytes were lost.
    fn end_sync(&mut self) -> io::Result<()> {
        let ended = self.syncing.take().map(JoinHandle::join);
        ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err(io::Error::other("syncing failed")))
    }

    /// Closes the files that pieces were of. None can be appended any more.
    pub(super) fn close_sources(&mut self) {
        self.sources = Vec::new();
    }

    fn append_piece(&mut self, Piece { file, from, len }: Piece) -> io::Result<()> {
        let source = self.sources[file].open()?;
        source.seek(SeekFrom::Start(from))?;
        let copied = io::copy(&mut source.take(len), &mut self.file)?;
        if copied == len { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Makes sure that the list outlives a power failure.
    pub(crate) fn finish(mut self) -> Result<(), OutputError> {
        let synced = self.end_sync().and_then(|()| self.file.sync_all());
        synced.map_err(|error| OutputError::Write { path: self.path, error })
    }
}

impl Source {
    fn open(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(File::open(&self.path)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut list = ListFile::create(&staged, staged.clone(), b"preamble", paths).expect("created");
        let mut expected = b"preamble".to_vec();
        for some in parts.chunks(3) {
            let mut pieces = Pieces::default();
            for &(file, from, len) in some {
                pieces.push(file, from as u64, len as u64);
                expected.extend_from_slice(&texts[file][from..from + len]);
            }
            list.append(&pieces, &Cancel::default()).expect("copied");
        }
        list.finish().expect("synced");
        assert!(fs::read(&staged).expect("read") == expected);
    }

    #[test]
    fn a_file_that_is_too_short_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (short, staged) = (folder.path().join("short"), folder.path().join("list"));
        fs::write(&short, b"abc").expect("written");
        let mut list = ListFile::create(&staged, staged.clone(), b"", vec![short]).expect("created");
        let mut pieces = Pieces::default();
        pieces.push(0, 1, 3);
        let error = list.append(&pieces, &Cancel::default()).expect_err("too short");
        assert!(matches!(error, OutputError::Write { error, .. } if error.kind() == io::ErrorKind::UnexpectedEof));
    }
}

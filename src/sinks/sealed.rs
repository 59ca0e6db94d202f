//! Files that others have written, with what they must be: each is read once from its beginning to its end, and every byte
//! of it is hashed, whether it is wanted or not. Few are open at a time, however many there are.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use memchr::memchr_iter;

use super::list::{PieceError, Stored, interrupted, len_of_rows};
use crate::escape::hex::hex;
use crate::hashes::sha256::Sha256;
use crate::source::SourceFile;
use crate::work::Cancel;

/// A file, and what it must be.
#[derive(Clone, Debug)]
pub(crate) struct SealedFile {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    pub(crate) sha256: String,
}

/// Files that are read side by side.
pub(crate) struct SealedFiles {
    files: Vec<Reading>,
    /// The one that was used last comes last.
    open: VecDeque<(usize, SourceFile)>,
    buffer: Vec<u8>,
}

/// A file that is being read.
struct Reading {
    file: SealedFile,
    hasher: Option<Sha256>,
    /// How much of it has been hashed.
    position: u64,
    lines: u64,
}

impl SealedFiles {
    /// One list after another is put together, with a few files more.
    const MAX_OPEN: usize = 32;
    const BUFFER_LEN: usize = 1 << 18;

    pub(super) fn new(files: Vec<SealedFile>) -> Self {
        let reading = |file| Reading { file, hasher: None, position: 0, lines: 0 };
        Self { files: files.into_iter().map(reading).collect(), open: VecDeque::new(), buffer: Vec::new() }
    }

    /// Copies a piece to the end of a file. What stands before it and was not wanted is hashed, too.
    pub(super) fn copy(&mut self, piece: Stored, to: &mut File, cancel: &Cancel) -> Result<(), PieceError> {
        if piece.from < self.files[piece.file].position {
            return Err(self.changed(piece.file));
        }
        self.read_to(piece.file, piece.from, None, cancel)?;
        self.read_to(piece.file, piece.from.saturating_add(piece.len), Some(to), cancel)
    }

    /// How many bytes so many lines take from a position on.
    pub(super) fn len_of_rows(&mut self, at: usize, from: u64, rows: u64) -> Result<u64, PieceError> {
        let opened = self.opened(at)?;
        len_of_rows(rows, from, |buffer, at| opened.read_at(buffer, at)).map_err(|_| self.changed(at))
    }

    /// Reads what is left of all files. Returns how many lines each has, if all are what they must be.
    pub(super) fn finish(&mut self, cancel: &Cancel) -> Result<Vec<u64>, PieceError> {
        for at in 0..self.files.len() {
            let len = self.files[at].file.len;
            self.read_to(at, len, None, cancel)?;
            let is_longer = self.opened(at)?.read_at(&mut [0], len).map_err(|error| self.unreadable(at, error))? > 0;
            let Reading { file, hasher, .. } = &mut self.files[at];
            let found = hasher.take().unwrap_or_else(Sha256::new).finish();
            if is_longer || hex(&found) != file.sha256 {
                return Err(self.changed(at));
            }
        }
        Ok(self.files.iter().map(|reading| reading.lines).collect())
    }

    /// Reads a file on up to a position, which is never beyond what its length must be.
    fn read_to(&mut self, at: usize, end: u64, mut to: Option<&mut File>, cancel: &Cancel) -> Result<(), PieceError> {
        if end > self.files[at].file.len {
            return Err(self.changed(at));
        }
        while self.files[at].position < end {
            if cancel.is_cancelled() {
                return Err(interrupted().into());
            }
            let position = self.files[at].position;
            let wanted = (end - position).min(Self::BUFFER_LEN as u64) as usize;
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize(Self::BUFFER_LEN, 0);
            let read = self.opened(at)?.read_at(&mut buffer[..wanted], position);
            let read = read.map_err(|error| self.unreadable(at, error))?;
            if read == 0 {
                return Err(self.changed(at));
            }
            let bytes = &buffer[..read];
            let reading = &mut self.files[at];
            reading.hasher.get_or_insert_with(Sha256::new).update(bytes);
            reading.lines += memchr_iter(b'\n', bytes).count() as u64;
            reading.position += read as u64;
            if let Some(to) = &mut to {
                to.write_all(bytes)?;
            }
            self.buffer = buffer;
        }
        Ok(())
    }

    /// Opens a file if need be, and closes the one that nobody has used for longest.
    fn opened(&mut self, at: usize) -> Result<&SourceFile, PieceError> {
        let opened = match self.open.iter().position(|(open, _)| *open == at).and_then(|known| self.open.remove(known))
        {
            Some(opened) => opened,
            None => {
                if self.open.len() >= Self::MAX_OPEN {
                    self.open.pop_front();
                }
                let path = &self.files[at].file.path;
                (at, SourceFile::open(path, None).map_err(|fault| PieceError::Read(path.clone(), fault))?)
            }
        };
        self.open.push_back(opened);
        Ok(&self.open[self.open.len() - 1].1)
    }

    fn changed(&self, at: usize) -> PieceError {
        PieceError::Changed(self.files[at].file.path.clone())
    }

    fn unreadable(&self, at: usize, error: io::Error) -> PieceError {
        PieceError::Read(self.files[at].file.path.clone(), error.into())
    }
}

impl fmt::Debug for SealedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedFiles").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sealed(path: PathBuf, text: &[u8]) -> SealedFile {
        SealedFile { path, len: text.len() as u64, sha256: hex(&Sha256::of(text)) }
    }

    fn piece(file: usize, from: u64, len: u64) -> Stored {
        Stored { file, from, len, rows: 1 }
    }

    #[test]
    fn many_files_are_read_side_by_side_with_few_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let texts: Vec<Vec<u8>> = (0..100).map(|at| format!("header\n{at}a\n{at}b\n").into_bytes()).collect();
        let path = |at: usize| folder.path().join(at.to_string());
        texts.iter().enumerate().for_each(|(at, text)| fs::write(path(at), text).expect("written"));
        let mut files = SealedFiles::new(texts.iter().enumerate().map(|(at, text)| sealed(path(at), text)).collect());
        let list = folder.path().join("list");
        let (mut to, mut expected) = (File::create(&list).expect("created"), Vec::new());
        for line in 0..2 {
            for (at, text) in texts.iter().enumerate() {
                let len = (text.len() - 7) / 2;
                let from = 7 + line * len;
                files.copy(piece(at, from as u64, len as u64), &mut to, &Cancel::default()).expect("copied");
                expected.extend_from_slice(&text[from..from + len]);
                assert!(files.open.len() <= SealedFiles::MAX_OPEN);
            }
        }
        assert_eq!(files.finish(&Cancel::default()).expect("sound"), [3; 100]);
        assert!(fs::read(&list).expect("read") == expected);
    }

    /// What was copied is what is compared, whatever is there before and after.
    #[test]
    fn a_file_that_changes_while_it_is_read_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, to) = (folder.path().join("file"), folder.path().join("list"));
        let sound = b"one\ntwo\nthree\n";
        let changed =
            [&b"one\ntwo\nthree\nfour\n"[..], b"one\ntwo\nthre", b"one\ntwo\nThree\n", b"One\ntwo\nthree\n", b""];
        for text in changed {
            for position in [0, 4, 8, 14] {
                fs::write(&path, sound).expect("written");
                let mut files = SealedFiles::new(vec![sealed(path.clone(), sound)]);
                let mut copy = |from, len| {
                    let mut to = File::create(&to).expect("created");
                    files.copy(piece(0, from, len), &mut to, &Cancel::default())
                };
                copy(0, position).expect("sound so far");
                fs::write(&path, text).expect("written");
                let copied = copy(position, sound.len() as u64 - position);
                let found = copied.and_then(|()| files.finish(&Cancel::default()));
                // A byte that was changed after it had been read has done no harm.
                let rest = text.get(position as usize..).unwrap_or_default();
                let is_harmless = *rest == sound[position as usize..];
                assert_eq!(found.is_ok(), is_harmless, "{position} {:?}", String::from_utf8_lossy(text));
                assert!(found.is_ok() || matches!(found, Err(PieceError::Changed(_))));
            }
        }
    }

    #[test]
    fn files_are_not_read_beyond_their_end_or_backwards() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, to) = (folder.path().join("file"), folder.path().join("list"));
        fs::write(&path, b"one\ntwo\n").expect("written");
        for (first, second) in [((0, 9), (9, 0)), ((4, 4), (0, 4)), ((0, u64::MAX), (0, 0)), ((u64::MAX, 1), (0, 0))] {
            let mut files = SealedFiles::new(vec![sealed(path.clone(), b"one\ntwo\n")]);
            let mut to = File::create(&to).expect("created");
            let mut copy = |(from, len)| files.copy(piece(0, from, len), &mut to, &Cancel::default());
            let copied = copy(first).and_then(|()| copy(second));
            assert!(matches!(copied, Err(PieceError::Changed(_))), "{first:?} {second:?}");
        }
    }

    #[test]
    fn so_many_lines_are_so_many_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let lines: Vec<String> = (0..5_000).map(|at| format!("{}\n", "x".repeat(at % 97))).collect();
        fs::write(&path, lines.concat()).expect("written");
        let mut files = SealedFiles::new(vec![sealed(path, lines.concat().as_bytes())]);
        let len = |lines: &[String]| lines.iter().map(|line| line.len() as u64).sum::<u64>();
        for (first, rows) in [(0, 0), (0, 1), (0, 5_000), (7, 3), (100, 4_900), (4_999, 1)] {
            let found = files.len_of_rows(0, len(&lines[..first]), rows as u64).expect("read");
            assert_eq!(found, len(&lines[first..first + rows]), "{first} {rows}");
        }
        assert!(files.len_of_rows(0, 0, 5_001).is_err());
    }
}

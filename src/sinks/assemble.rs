//! A list put together from pieces of other files.
//!
//! Copying from file to file is left to the operating system, which can do it without handing the bytes over. One thread
//! does it: file systems let one at a time write to a file, and others would only wait.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::engine::Cancel;

/// Whole pieces of a list, in order.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    files: Vec<PathBuf>,
    pieces: Vec<Piece>,
}

/// Bytes of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    file: usize,
    from: u64,
    len: u64,
}

impl Pieces {
    /// Longer pieces are cut: an interrupt does not wait for more.
    const MAX_LEN: u64 = 16 << 20;

    /// Pieces of these files.
    pub(crate) fn of(files: Vec<PathBuf>) -> Self {
        Self { files, pieces: Vec::new() }
    }

    /// Appends bytes of the file at a position of the list of files.
    pub(crate) fn push(&mut self, file: usize, mut from: u64, mut len: u64) {
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

    /// Appends the pieces to a file.
    pub(crate) fn append_to(&self, path: &Path, cancel: &Cancel) -> io::Result<()> {
        let mut out = OpenOptions::new().write(true).open(path)?;
        out.seek(SeekFrom::End(0))?;
        let mut files: BTreeMap<usize, File> = BTreeMap::new();
        for &Piece { file, from, len } in &self.pieces {
            if cancel.is_cancelled() {
                return Err(io::Error::other("interrupted"));
            }
            let mut source = match files.remove(&file) {
                Some(source) => source,
                None => File::open(&self.files[file])?,
            };
            source.seek(SeekFrom::Start(from))?;
            if io::copy(&mut (&source).take(len), &mut out)? != len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            files.insert(file, source);
        }
        out.sync_all()
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
        let (mut pieces, mut expected) = (Pieces::of(paths), b"preamble".to_vec());
        for (file, from, len) in parts {
            pieces.push(file, from as u64, len as u64);
            expected.extend_from_slice(&texts[file][from..from + len]);
        }
        let path = folder.path().join("list");
        fs::write(&path, b"preamble").expect("written");
        pieces.append_to(&path, &Cancel::default()).expect("copied");
        assert!(fs::read(&path).expect("read") == expected);
    }

    #[test]
    fn a_file_that_is_too_short_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (short, list) = (folder.path().join("short"), folder.path().join("list"));
        fs::write(&short, b"abc").expect("written");
        fs::write(&list, b"").expect("written");
        let mut pieces = Pieces::of(vec![short]);
        pieces.push(0, 1, 3);
        let error = pieces.append_to(&list, &Cancel::default()).expect_err("too short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

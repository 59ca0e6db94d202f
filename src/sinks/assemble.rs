//! A list put together from pieces of other files, by several threads at once.
//!
//! Where each piece goes is known before anything is copied, and copying from file to file is left to the operating
//! system, which can do it without handing the bytes over.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::engine::Cancel;

/// Whole pieces of a list, in order.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    files: Vec<PathBuf>,
    copies: Vec<Copy>,
    len: u64,
}

/// Bytes of one file, and where they go in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Copy {
    file: usize,
    from: u64,
    to: u64,
    len: u64,
}

impl Pieces {
    /// No thread copies more than this at a time: an interrupt does not wait longer, and all threads finish together.
    const MAX_COPY_LEN: u64 = 8 << 20;

    /// Pieces of these files.
    pub(crate) fn of(files: Vec<PathBuf>) -> Self {
        Self { files, ..Self::default() }
    }

    /// Appends bytes of the file at a position of the list of files.
    pub(crate) fn push(&mut self, file: usize, mut from: u64, mut len: u64) {
        let room = |copy: &Copy| Self::MAX_COPY_LEN.saturating_sub(copy.len);
        while len > 0 {
            let taken = match self.copies.last_mut() {
                Some(last) if last.file == file && last.from + last.len == from && room(last) > 0 => {
                    let taken = len.min(room(last));
                    last.len += taken;
                    taken
                }
                _ => {
                    let taken = len.min(Self::MAX_COPY_LEN);
                    self.copies.push(Copy { file, from, to: self.len, len: taken });
                    taken
                }
            };
            (from, len, self.len) = (from + taken, len - taken, self.len + taken);
        }
    }

    /// Appends the pieces to a file that holds a preamble.
    pub(crate) fn append_to(&self, path: &Path, jobs: usize, cancel: &Cancel) -> io::Result<()> {
        let start = path.metadata()?.len();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let copy = || self.copy_some(path, start, &next, cancel);
            let workers: Vec<_> = (0..jobs.min(self.copies.len())).map(|_| scope.spawn(copy)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread that copied has panicked")))
            })
        })
    }

    fn copy_some(&self, path: &Path, start: u64, next: &AtomicUsize, cancel: &Cancel) -> io::Result<()> {
        let mut out = OpenOptions::new().write(true).open(path)?;
        let mut files: BTreeMap<usize, File> = BTreeMap::new();
        while let Some(copy) = self.copies.get(next.fetch_add(1, Ordering::Relaxed)) {
            if cancel.is_cancelled() {
                return Err(io::Error::other("interrupted"));
            }
            let mut file = match files.remove(&copy.file) {
                Some(file) => file,
                None => File::open(&self.files[copy.file])?,
            };
            file.seek(SeekFrom::Start(copy.from))?;
            out.seek(SeekFrom::Start(start + copy.to))?;
            if io::copy(&mut (&file).take(copy.len), &mut out)? != copy.len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            files.insert(copy.file, file);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn pieces_of_any_length_come_out_in_order() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let texts: Vec<Vec<u8>> = (0..3_u32)
            .map(|file| (0..9_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24 ^ file) as u8).collect())
            .collect();
        let paths: Vec<PathBuf> = (0..3).map(|file| folder.path().join(file.to_string())).collect();
        texts.iter().zip(&paths).for_each(|(text, path)| fs::write(path, text).expect("written"));
        let parts =
            [(0, 5, 10), (0, 15, 20), (1, 0, 9_000_000), (0, 40, 0), (2, 8_999_999, 1), (0, 35, 8_900_000), (2, 0, 1)];
        let (mut pieces, mut expected) = (Pieces::of(paths), b"preamble".to_vec());
        for (file, from, len) in parts {
            pieces.push(file, from as u64, len as u64);
            expected.extend_from_slice(&texts[file][from..from + len]);
        }
        for jobs in [1, 2, 7] {
            let path = folder.path().join("list");
            fs::write(&path, b"preamble").expect("written");
            pieces.append_to(&path, jobs, &Cancel::default()).expect("copied");
            assert!(fs::read(&path).expect("read") == expected, "{jobs} jobs");
        }
    }

    #[test]
    fn a_file_that_is_too_short_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (short, list) = (folder.path().join("short"), folder.path().join("list"));
        fs::write(&short, b"abc").expect("written");
        fs::write(&list, b"").expect("written");
        let mut pieces = Pieces::of(vec![short]);
        pieces.push(0, 1, 3);
        let error = pieces.append_to(&list, 2, &Cancel::default()).expect_err("too short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

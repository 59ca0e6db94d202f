//! The files of objects that are put right together, each with no more rows than one job should have.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread;

use super::OutputError;
use super::list::{Piece, Pieces, Sources};
use crate::engine::Cancel;
use crate::remediation::{Group, GroupFile, LIST_HEADER};
use crate::source::{Checksum, SourceFile, hash_all};

/// The files of all groups, while rows are still appended.
#[derive(Debug)]
pub(crate) struct GroupFiles {
    /// Where they are made.
    staged: PathBuf,
    /// Where they will be, for messages.
    path: PathBuf,
    max_rows: u64,
    sources: Sources,
    files: BTreeMap<Group, Vec<Numbered>>,
}

/// One file of a group.
#[derive(Clone, Debug)]
struct Numbered {
    /// Where it is in the folder.
    path: String,
    rows: u64,
}

impl GroupFiles {
    /// Files are made in the folder `staged`, which will be at `path`, of pieces of these files.
    pub(super) fn new(staged: PathBuf, path: PathBuf, max_rows: u64, sources: Sources) -> Self {
        Self { staged, path, max_rows: max_rows.max(1), sources, files: BTreeMap::new() }
    }

    /// Appends rows of a group. When a file is full, another one is begun.
    pub(crate) fn append(&mut self, group: &Group, pieces: &Pieces, cancel: &Cancel) -> Result<(), OutputError> {
        // There can be more groups than files can be open: one is open only while it is written to.
        let mut open = None;
        for mut piece in pieces.iter() {
            while piece.rows > 0 {
                let Numbered { path, rows } = self.file_with_room(group);
                let appended = self.append_some(&mut open, group, &path, piece.first(self.max_rows - rows), cancel);
                let done = appended.map_err(|error| OutputError::Write { path: self.path.join(&path), error })?;
                piece = piece.behind(done);
                self.count(group, done.rows);
            }
        }
        Ok(())
    }

    /// The last file of a group, or the next one if that is full.
    fn file_with_room(&mut self, group: &Group) -> Numbered {
        let files = self.files.entry(group.clone()).or_default();
        match files.last() {
            Some(file) if file.rows < self.max_rows => file.clone(),
            _ => {
                let path = format!("{}/{}-{:04}.csv", group.folder(), group.stem(), files.len() + 1);
                let file = Numbered { path, rows: 0 };
                files.push(file.clone());
                file
            }
        }
    }

    fn count(&mut self, group: &Group, rows: u64) {
        self.files.get_mut(group).and_then(|files| files.last_mut()).into_iter().for_each(|file| file.rows += rows);
    }

    /// Appends rows to a file, which stays open. Returns them with their length.
    fn append_some(
        &mut self,
        open: &mut Option<(String, File)>,
        group: &Group,
        path: &str,
        some: Piece,
        cancel: &Cancel,
    ) -> io::Result<Piece> {
        let file = match open {
            Some((open_path, file)) if open_path == path => file,
            other => &mut other.insert((path.to_owned(), open_file(&self.staged.join(path), group)?)).1,
        };
        let some = self.sources.measured(some)?;
        self.sources.copy(some, file, cancel)?;
        Ok(some)
    }

    /// There are no more pieces.
    pub(super) fn close_sources(&mut self) {
        self.sources.close();
    }

    /// Makes sure that all files outlive a power failure. Returns them in order.
    pub(crate) fn finish(self, cancel: &Cancel) -> Result<Vec<GroupFile>, OutputError> {
        let Self { staged, path, files, .. } = self;
        let all: Vec<_> = files.iter().flat_map(|(group, files)| files.iter().map(move |file| (group, file))).collect();
        let mut finished = Vec::with_capacity(all.len());
        // No more files than this are open at once.
        for some in all.chunks(Checksum::MAX_TOGETHER) {
            let paths: Vec<&str> = some.iter().map(|(_, file)| file.path.as_str()).collect();
            let hashed = sync_and_hash(&staged, &paths, cancel);
            let hashed = hashed.map_err(|(at, error)| OutputError::Write { path: path.join(paths[at]), error })?;
            finished.extend(some.iter().zip(hashed).map(|((group, file), (len, md5))| GroupFile {
                group: (*group).clone(),
                path: file.path.clone(),
                objects: file.rows,
                len,
                md5,
            }));
        }
        Ok(finished)
    }
}

/// Opens a file to append to it, or begins it and the folders that it is in. Lists for people have a header.
fn open_file(path: &Path, group: &Group) -> io::Result<File> {
    // Not in append mode, in which the operating system does not copy from file to file.
    match File::options().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            let mut file = File::create_new(path)?;
            if !group.kind.lane.has_manifests() {
                file.write_all(LIST_HEADER.as_bytes())?;
            }
            Ok(file)
        }
        opened => {
            let mut file = opened?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        }
    }
}

/// The lengths and hashes of files, or the first of them that fails.
fn sync_and_hash(folder: &Path, paths: &[&str], cancel: &Cancel) -> Result<Vec<(u64, String)>, (usize, io::Error)> {
    let sync = || {
        paths.iter().enumerate().try_for_each(|(at, path)| {
            File::open(folder.join(path)).and_then(|file| file.sync_all()).map_err(|error| (at, error))
        })
    };
    thread::scope(|scope| {
        let syncing = thread::Builder::new().spawn_scoped(scope, sync).map_err(|error| (0, error))?;
        let hashed = hash(folder, paths, cancel)?;
        syncing.join().unwrap_or_else(|_| Err((0, io::Error::other("syncing failed")))).map(|()| hashed)
    })
}

fn hash(folder: &Path, paths: &[&str], cancel: &Cancel) -> Result<Vec<(u64, String)>, (usize, io::Error)> {
    let open = |(at, path): (usize, &&str)| {
        SourceFile::open(&folder.join(path), None).map_err(|fault| (at, io::Error::other(fault.to_string())))
    };
    let files: Vec<SourceFile> = paths.iter().enumerate().map(open).collect::<Result<_, _>>()?;
    let (mut hashed, mut failed) = (vec![(0, String::new()); files.len()], None);
    hash_all(&files.iter().collect::<Vec<_>>(), &|| cancel.is_cancelled(), &mut |at, md5| match md5 {
        Ok(md5) => hashed[at] = (files[at].len(), md5.to_string()),
        Err(fault) => failed = Some((at, io::Error::other(fault.to_string()))),
    });
    failed.map_or(Ok(hashed), Err)
}

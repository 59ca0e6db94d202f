//! The files of objects that are put right together, each with no more rows than one job should have.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use super::LIST_HEADER;
use super::OutputError;
use super::header_len;
use super::held::Held;
use super::list::{Piece, PieceError, Pieces, Sources, Stored, len_of_lines, truncate};
use crate::remediation::Group;
use crate::source::{Checksum, SourceFile, hash_all};
use crate::store;
use crate::work::Cancel;

/// A file with the rows of a group, as it was written.
#[derive(Clone, Debug)]
pub struct GroupFile {
    /// Whose rows they are.
    pub group: Group,
    /// Where it is in the folder of all remediation, with `/` between the parts.
    pub path: String,
    /// How many objects it lists.
    pub objects: u64,
    /// Its length in bytes.
    pub len: u64,
    /// The MD5 of its content, in hexadecimal: the ETag that S3 gives it when it is uploaded in one part without SSE-KMS.
    pub md5: String,
}

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
    /// How many files those groups had that were appended to since rows were last kept, and the last of them.
    kept: BTreeMap<Group, (usize, Option<Numbered>)>,
    /// Full files that nobody has begun to hash.
    full: Vec<String>,
    /// Who hashes full files at the moment.
    hashing: Option<JoinHandle<Hashed>>,
    hashed: BTreeMap<String, (u64, String)>,
}

/// Paths in the folder with the lengths and hashes of their files, or the first of them that failed.
type Hashed = Result<Vec<(String, (u64, String))>, (String, io::Error)>;

/// One file of a group.
#[derive(Clone, Debug)]
struct Numbered {
    /// Where it is in the folder.
    path: String,
    rows: u64,
    len: u64,
}

impl GroupFiles {
    /// So many files are hashed in hardly more time than one.
    const MIN_TOGETHER: usize = 4;

    /// Files are made in the folder `staged`, which will be at `path`, of pieces of these files.
    pub(super) fn new(staged: PathBuf, path: PathBuf, max_rows: u64, sources: Sources) -> Self {
        Self {
            staged,
            path,
            max_rows: max_rows.max(1),
            sources,
            files: BTreeMap::new(),
            kept: BTreeMap::new(),
            full: Vec::new(),
            hashing: None,
            hashed: BTreeMap::new(),
        }
    }

    /// Appends rows of a group. When a file is full, another one is begun.
    pub(crate) fn append(&mut self, group: &Group, pieces: Pieces, cancel: &Cancel) -> Result<(), OutputError> {
        let files = self.files.entry(group.clone()).or_default();
        self.kept.entry(group.clone()).or_insert_with(|| (files.len(), files.last().cloned()));
        // There can be more groups than files can be open: one is open only while it is written to.
        let mut appender = Appender {
            staged: &self.staged,
            path: &self.path,
            max_rows: self.max_rows,
            group,
            files,
            open: None,
            sources: &mut self.sources,
            cancel,
        };
        pieces.into_each().try_for_each(|piece| match piece {
            Piece::Held(held) => appender.append_held(&held),
            Piece::Stored(stored) => appender.append_stored(stored),
        })
    }

    /// What has been appended is not taken back any more. Full files are hashed while others are filled: in the end a
    /// gigabyte would keep everybody waiting.
    pub(super) fn keep(&mut self, cancel: &Cancel) -> Result<(), OutputError> {
        let is_full = |file: &&Numbered| file.rows >= self.max_rows;
        for (group, (count, last)) in std::mem::take(&mut self.kept) {
            let were_full = count - usize::from(!last.as_ref().is_none_or(|last| is_full(&last)));
            let files = self.files.get(&group).into_iter().flatten().skip(were_full);
            self.full.extend(files.filter(is_full).map(|file| file.path.clone()));
        }
        let is_busy = self.hashing.as_ref().is_some_and(|hashing| !hashing.is_finished());
        if is_busy || self.full.len() < Self::MIN_TOGETHER {
            return Ok(());
        }
        self.end_hashing()?;
        let (staged, paths, cancel) = (self.staged.clone(), std::mem::take(&mut self.full), cancel.clone());
        let hashing = thread::Builder::new().spawn(move || sync_and_hash(&staged, paths, &cancel));
        self.hashing = Some(hashing.map_err(|error| OutputError::Write { path: self.path.clone(), error })?);
        Ok(())
    }

    fn end_hashing(&mut self) -> Result<(), OutputError> {
        let Some(hashing) = self.hashing.take() else { return Ok(()) };
        let failed = || (String::new(), io::Error::other("hashing failed"));
        let hashed = hashing.join().unwrap_or_else(|_| Err(failed()));
        self.hashed.extend(hashed.map_err(|failed| self.failed(failed))?);
        Ok(())
    }

    fn failed(&self, (path, error): (String, io::Error)) -> OutputError {
        OutputError::Write { path: self.path.join(path), error }
    }

    /// Takes back what has been appended and not kept.
    pub(super) fn undo(&mut self) -> Result<(), OutputError> {
        for (group, (count, last)) in std::mem::take(&mut self.kept) {
            let files = self.files.entry(group.clone()).or_default();
            let begun = files.split_off(count);
            let undone = undo(&self.staged, &group, &begun, (last.as_ref(), self.max_rows));
            undone.map_err(|error| OutputError::Write { path: self.path.join(group.folder()), error })?;
            match (files.last_mut(), last) {
                (Some(file), Some(last)) => *file = last,
                _ => drop(self.files.remove(&group)),
            }
        }
        Ok(())
    }

    /// There are no more pieces: makes sure that files of others that they were of are what they should be. Returns how
    /// many lines each has.
    pub(crate) fn check_sources(&mut self, cancel: &Cancel) -> Result<Vec<u64>, OutputError> {
        self.sources.check(cancel).map_err(|error| error.of_list(&self.path))
    }

    /// There are no more pieces.
    pub(super) fn close_sources(&mut self) {
        self.sources.close();
    }

    /// Makes sure that all files outlive a power failure. Returns them in order.
    pub(crate) fn finish(mut self, cancel: &Cancel) -> Result<Vec<GroupFile>, OutputError> {
        self.end_hashing()?;
        let all = self.files.values().flatten().map(|file| &file.path);
        let rest = all.filter(|path| !self.hashed.contains_key(*path)).cloned().collect();
        self.hashed.extend(sync_and_hash(&self.staged, rest, cancel).map_err(|failed| self.failed(failed))?);
        let mut finished = Vec::with_capacity(self.hashed.len());
        for (group, files) in self.files {
            for Numbered { path, rows: objects, .. } in files {
                let Some((len, md5)) = self.hashed.remove(&path) else { continue };
                finished.push(GroupFile { group: group.clone(), path, objects, len, md5 });
            }
        }
        Ok(finished)
    }
}

/// Appends rows to the files of one group.
struct Appender<'f> {
    staged: &'f Path,
    path: &'f Path,
    max_rows: u64,
    group: &'f Group,
    files: &'f mut Vec<Numbered>,
    /// The last of the files.
    open: Option<File>,
    sources: &'f mut Sources,
    cancel: &'f Cancel,
}

impl Appender<'_> {
    fn append_held(&mut self, held: &Held) -> Result<(), OutputError> {
        let (mut lines, mut rows) = (&held.lines[..], held.rows);
        while rows > 0 {
            let here = rows.min(self.room());
            let (some, rest) = lines.split_at(if here < rows { len_of_lines(lines, here) } else { lines.len() });
            self.append(here, |file, _, _| Ok(file.write_all(some).map(|()| some.len() as u64)?))?;
            (lines, rows) = (rest, rows - here);
        }
        Ok(())
    }

    fn append_stored(&mut self, mut stored: Stored) -> Result<(), OutputError> {
        while stored.rows > 0 {
            let mut some = stored.first(self.room());
            self.append(some.rows, |file, sources, cancel| {
                some = sources.measured(some)?;
                sources.copy(some, file, cancel).map(|()| some.len)
            })?;
            stored = stored.behind(some);
        }
        Ok(())
    }

    /// How many rows fit into the last file; the next one is begun if it is full.
    fn room(&mut self) -> u64 {
        if self.files.last().is_none_or(|file| file.rows >= self.max_rows) {
            let path = format!("{}/{}-{:04}.csv", self.group.folder(), self.group.stem(), self.files.len() + 1);
            self.files.push(Numbered { path, rows: 0, len: header_len(self.group) });
            self.open = None;
        }
        self.max_rows - self.files.last().map_or(0, |file| file.rows)
    }

    /// Appends so many rows to the last file in some way that tells how many bytes they are.
    fn append(
        &mut self,
        rows: u64,
        write: impl FnOnce(&mut File, &mut Sources, &Cancel) -> Result<u64, PieceError>,
    ) -> Result<(), OutputError> {
        let Some(last) = self.files.last_mut() else { return Ok(()) };
        let file = match &mut self.open {
            Some(file) => Ok(file),
            none => open_file(&self.staged.join(&last.path), self.group).map(|file| none.insert(file)),
        };
        let written = file.map_err(PieceError::from).and_then(|file| write(file, self.sources, self.cancel));
        last.len += written.map_err(|error| error.of_list(&self.path.join(&last.path)))?;
        last.rows += rows;
        Ok(())
    }
}

/// Removes the files that were begun, and what was appended to the one before them. A folder that was made for them goes,
/// too.
fn undo(
    staged: &Path,
    group: &Group,
    begun: &[Numbered],
    (last, max_rows): (Option<&Numbered>, u64),
) -> io::Result<()> {
    begun.iter().try_for_each(|file| store::remove(&staged.join(&file.path)))?;
    if let Some(last) = last {
        // Nothing was appended to a full one, and it may be being hashed: to be cut to its own length would change it.
        if last.rows >= max_rows {
            return Ok(());
        }
        return truncate(&mut store::reopen(&staged.join(&last.path))?, last.len);
    }
    // Others may have files there.
    let folder = staged.join(group.folder());
    folder.ancestors().take(2).for_each(|folder| drop(store::remove_folder(folder)));
    Ok(())
}

/// Opens a file to append to it, or begins it and the folders that it is in. Lists for people have a header.
fn open_file(path: &Path, group: &Group) -> io::Result<File> {
    // Not in append mode, in which the operating system does not copy from file to file.
    match store::reopen(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), store::create_folders)?;
            let mut file = store::create_new(path)?;
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

/// Brings files to the disk and hashes them.
fn sync_and_hash(folder: &Path, paths: Vec<String>, cancel: &Cancel) -> Hashed {
    let mut hashed = Vec::with_capacity(paths.len());
    // No more files than this are open at once.
    for some in paths.chunks(Checksum::MAX_TOGETHER) {
        let sync = || {
            some.iter().try_for_each(|path| {
                store::read_back(&folder.join(path))
                    .and_then(|file| store::sync(&file))
                    .map_err(|error| (path.clone(), error))
            })
        };
        thread::scope(|scope| {
            let syncing = thread::Builder::new().spawn_scoped(scope, sync).map_err(|error| (some[0].clone(), error))?;
            hashed.extend(hash(folder, some, cancel)?);
            syncing.join().unwrap_or_else(|_| Err((some[0].clone(), io::Error::other("syncing failed"))))
        })?;
    }
    Ok(hashed)
}

/// The lengths and hashes of files side by side.
fn hash(folder: &Path, paths: &[String], cancel: &Cancel) -> Hashed {
    let open = |path: &String| {
        SourceFile::open(&folder.join(path), None).map_err(|fault| (path.clone(), io::Error::other(fault.to_string())))
    };
    let files: Vec<SourceFile> = paths.iter().map(open).collect::<Result<_, _>>()?;
    let (mut hashed, mut failed) = (Vec::with_capacity(paths.len()), None);
    hash_all(&files.iter().collect::<Vec<_>>(), &|| cancel.is_cancelled(), &mut |at, md5| match md5 {
        Ok(md5) => hashed.push((paths[at].clone(), (files[at].len(), md5.to_string()))),
        Err(fault) => failed = Some((paths[at].clone(), io::Error::other(fault.to_string()))),
    });
    failed.map_or(Ok(hashed), Err)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::remediation::GroupKind;
    use crate::remediation::Lane::Blocked;

    const MAX_ROWS: u64 = 3;

    /// Full files may be hashed at any time, and must not look as if they had changed.
    #[test]
    fn rows_are_taken_back_without_touching_files_that_were_full() {
        let staged = tempfile::tempdir().expect("a folder");
        fs::write(staged.path().join("rows"), b"row\n".repeat(10)).expect("written");
        let sources = Sources::new(vec![staged.path().join("rows")]);
        let mut files = GroupFiles::new(staged.path().to_owned(), staged.path().to_owned(), MAX_ROWS, sources);
        let kind = GroupKind {
            lane: Blocked,
            version: None,
            class: None,
            target: None,
            has_versions: true,
            is_undetermined: false,
        };
        let (group, cancel) = (kind.of_bucket("b"), Cancel::default());
        let append = |files: &mut GroupFiles, rows| {
            let mut pieces = Pieces::default();
            pieces.push(0, 0, rows * 4, rows);
            files.append(&group, pieces, &cancel).expect("appended");
        };
        append(&mut files, MAX_ROWS);
        files.keep(&cancel).expect("kept");
        let full = staged.path().join(&files.files[&group][0].path);
        let changed = || fs::metadata(&full).and_then(|facts| facts.modified()).expect("facts");
        let before = changed();
        std::thread::sleep(Duration::from_millis(20));
        append(&mut files, 2);
        files.undo().expect("taken back");
        assert_eq!((files.files[&group].len(), changed()), (1, before));
    }
}

//! Where the manifest's files are on this machine.
//!
//! A manifest names keys of the destination bucket, `PREFIX/BUCKET/CONFIG/data/FILE`, and lies in
//! `PREFIX/BUCKET/CONFIG/RUN/`. A copy keeps the end of that path, so files are looked for under every suffix of their key's
//! folder, the longest first: below the folder of the configuration where the manifest's own folder is named like a run,
//! and below the manifest's own folder. Nothing is looked for anywhere else.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::DataFile;
use super::runs::is_run_name;

/// What was found.
pub(super) struct Located {
    /// The folder that nothing may lead out of.
    pub(super) root: PathBuf,
    pub(super) folders: Vec<PathBuf>,
    pub(super) ignored_files: u64,
    /// Why a folder could not be looked through in which files with this number of a folder may be.
    pub(super) unreadable: HashMap<u32, String>,
}

/// Notes the folder of every file that is there.
pub(super) fn locate(manifest: &Path, dirs: &[String], files: &mut [DataFile]) -> Located {
    let parent = manifest.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let own = fs::canonicalize(parent).unwrap_or_default();
    let is_run = own.file_name().and_then(|name| name.to_str()).is_some_and(is_run_name);
    let root = own.parent().filter(|_| is_run).unwrap_or(&own).to_owned();
    let mut wanted: HashMap<(u32, Box<str>), usize> = HashMap::with_capacity(files.len());
    for (at, file) in files.iter().enumerate() {
        wanted.extend(file.dir.map(|dir| ((dir, file.name.clone()), at)));
    }
    let mut found = Located { root: root.clone(), folders: Vec::new(), ignored_files: 0, unreadable: HashMap::new() };
    for (number, dir) in dirs.iter().enumerate() {
        for folder in candidates(&root, &own, dir) {
            found.search(folder, number as u32, &mut wanted, files);
        }
    }
    forget_shared(files);
    found
}

/// Two keys whose folders were lost in the copy may end in the same file. It can be only one of them: the first.
fn forget_shared(files: &mut [DataFile]) {
    let mut taken = HashSet::with_capacity(files.len());
    let shared: Vec<usize> = (0..files.len())
        .filter(|&at| files[at].folder.is_some() && !taken.insert((files[at].folder, files[at].name.clone())))
        .collect();
    shared.into_iter().for_each(|at| files[at].folder = None);
}

/// Folders that the key's folder `dir` may have become.
fn candidates(root: &Path, own: &Path, dir: &str) -> Vec<PathBuf> {
    let segments: Vec<&str> = dir.split('/').filter(|segment| !segment.is_empty()).collect();
    let bases = if root == own { vec![root] } else { vec![root, own] };
    let suffixes = (0..=segments.len()).map(|from| segments[from..].iter().collect::<PathBuf>());
    suffixes.flat_map(|suffix| bases.iter().map(move |base| base.join(&suffix)).collect::<Vec<_>>()).collect()
}

impl Located {
    /// Looks through one folder for files that have not been found.
    fn search(
        &mut self,
        folder: PathBuf,
        dir: u32,
        wanted: &mut HashMap<(u32, Box<str>), usize>,
        files: &mut [DataFile],
    ) {
        let (entries, errors) = list(&folder);
        for error in errors {
            self.unreadable.entry(dir).or_insert_with(|| error.to_string());
        }
        let known = self.folders.iter().position(|known| *known == folder);
        let number = known.unwrap_or(self.folders.len()) as u32;
        let (mut named, mut others) = (0, 0);
        for name in entries {
            match name.to_str().and_then(|name| wanted.remove(&(dir, name.into()))) {
                Some(at) => {
                    files[at].folder = Some(number);
                    named += 1;
                }
                None if name == "manifest.json" || name == "manifest.checksum" => {}
                None => others += 1,
            }
        }
        match known {
            // Its files were counted as nobody's when it was looked through before.
            Some(_) => self.ignored_files -= named,
            None if named > 0 => {
                self.folders.push(folder);
                self.ignored_files += others;
            }
            None => {}
        }
    }
}

/// The names in a folder that are not known to be folders, and what kept us from seeing all of them. Where there is no
/// folder, there is nothing.
fn list(folder: &Path) -> (Vec<OsString>, Vec<io::Error>) {
    let (mut names, mut errors) = (Vec::new(), Vec::new());
    match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
        Err(error) => errors.push(error),
        Ok(entries) => {
            for entry in entries {
                match entry {
                    Ok(entry) if entry.file_type().is_ok_and(|kind| kind.is_dir()) => {}
                    Ok(entry) => names.push(entry.file_name()),
                    Err(error) => errors.push(error),
                }
            }
        }
    }
    (names, errors)
}

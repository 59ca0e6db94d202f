//! Objects wherever they are kept: in mirrored trees and in archives of such trees.
//!
//! All workers share one list of what is to be done. Folders are listed, archives are read by one worker at a time, and
//! whatever is small enough is handed to others in batches. Links are not followed: they can lead anywhere.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::archive::{Tar, is_called_archive};
use super::collect::{Collector, Shared};
use super::member::Damage;
use super::{DigestsError, shown};
use crate::engine::{Cancel, WORKER_NAME, lock};
use crate::source::{BufferedFile, Folder, SourceFile};

/// So many files are handed over together.
const BATCH_FILES: usize = 64;
/// So many bytes of members of archives, and of their paths, are.
const BATCH_LEN: usize = 256 << 10;
/// So many bytes may wait however few workers there are: others are busy with them while an archive is at members that
/// are only seen.
const WAITING_LEN: usize = 16 << 20;
/// Larger members are read where they are found.
const MAX_MEMBER_LEN: u64 = 1 << 20;

/// What is to be done, each the last one first.
#[derive(Default)]
struct Tasks {
    holders: Vec<Holder>,
    /// These are done before others are made.
    batches: Vec<Batch>,
}

enum Task {
    Read(Batch),
    List(Holder),
}

/// What holds objects.
enum Holder {
    /// A folder, and its path in the root.
    Folder(PathBuf, Vec<u8>),
    Archive(PathBuf),
}

/// Objects that are read together.
enum Batch {
    /// Files of a folder, and the path of the folder in the root.
    Files(PathBuf, Vec<u8>, Vec<OsString>),
    Members(Members),
}

/// Members of an archive, one behind the other.
#[derive(Default)]
struct Members {
    bytes: Vec<u8>,
    /// Where the path of each ends, and its body.
    ends: Vec<(usize, usize)>,
}

impl Batch {
    /// How many bytes it holds, or will about hold when it is read.
    fn len(&self) -> usize {
        match self {
            Self::Files(..) => BATCH_LEN,
            Self::Members(members) => members.bytes.len(),
        }
    }

    fn read(self, collector: &mut Collector<'_>) -> io::Result<()> {
        match self {
            Self::Files(folder, path, names) => read_files(&folder, &path, &names, collector),
            Self::Members(members) => members.read(collector),
        }
    }
}

impl Members {
    /// Takes the member that an archive is at.
    fn push(&mut self, tar: &mut Tar) -> Result<(), Damage> {
        self.bytes.extend_from_slice(tar.path());
        let path_end = self.bytes.len();
        tar.read_body(&mut self.bytes)?;
        self.ends.push((path_end, self.bytes.len()));
        Ok(())
    }

    fn read(&self, collector: &mut Collector<'_>) -> io::Result<()> {
        self.iter().try_for_each(|(path, mut body)| collector.object(path, &mut body).map(drop))
    }

    /// Their paths and bodies.
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let member = |(start, (path_end, end))| (&self.bytes[start..path_end], &self.bytes[path_end..end]);
        starts.zip(self.ends.iter().copied()).map(member)
    }
}

/// The work of all threads.
pub(super) struct Walk<'w> {
    tasks: Mutex<Tasks>,
    /// How many tasks somebody is doing: they may lead to others.
    busy: AtomicU64,
    jobs: usize,
    shared: &'w Shared<'w>,
    cancel: &'w Cancel,
}

impl<'w> Walk<'w> {
    /// Refuses roots that lead nowhere.
    pub(super) fn new(
        roots: &[PathBuf],
        jobs: usize,
        shared: &'w Shared<'w>,
        cancel: &'w Cancel,
    ) -> Result<Self, DigestsError> {
        let mut tasks = Tasks::default();
        for root in roots.iter().rev() {
            let metadata = fs::metadata(root).map_err(|error| DigestsError::Root { path: root.clone(), error })?;
            tasks.holders.push(match metadata.is_file() {
                true => Holder::Archive(root.clone()),
                false => Holder::Folder(root.clone(), own_path(root)),
            });
        }
        Ok(Self { tasks: Mutex::new(tasks), busy: AtomicU64::new(0), jobs, shared, cancel })
    }

    /// Reads everything.
    pub(super) fn run(&self) -> Result<(), DigestsError> {
        thread::scope(|scope| {
            for worker in 0..self.jobs {
                let name = format!("{WORKER_NAME}{worker}");
                let started = thread::Builder::new().name(name).spawn_scoped(scope, || self.work());
                if let Err(error) = started {
                    self.shared.fail(DigestsError::Thread(error));
                }
            }
        });
        match self.shared.take_failure() {
            _ if self.cancel.is_cancelled() => Err(DigestsError::Cancelled),
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn work(&self) {
        let mut collector = Collector::new(self.shared);
        while !self.is_over() {
            let Some(task) = self.next() else {
                // Whoever is busy may find more to do.
                if self.busy.load(Ordering::Acquire) == 0 {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
                continue;
            };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.run_task(task, &mut collector)));
            match done {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.shared.fail(DigestsError::Temporary(error)),
                Err(_) => self.shared.fail(DigestsError::Panicked),
            }
            self.busy.fetch_sub(1, Ordering::Release);
        }
        if let Err(error) = collector.finish() {
            self.shared.fail(DigestsError::Temporary(error));
        }
    }

    fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || self.shared.has_failed()
    }

    fn next(&self) -> Option<Task> {
        let mut tasks = lock(&self.tasks);
        let batch = tasks.batches.pop().map(Task::Read);
        let task = batch.or_else(|| tasks.holders.pop().map(Task::List))?;
        self.busy.fetch_add(1, Ordering::AcqRel);
        Some(task)
    }

    fn run_task(&self, task: Task, collector: &mut Collector<'_>) -> io::Result<()> {
        match task {
            Task::Read(batch) => batch.read(collector),
            Task::List(Holder::Folder(folder, path)) => self.list(&folder, &path, collector),
            Task::List(Holder::Archive(file)) => match self.read_archive(&file, collector) {
                Ok(()) => Ok(()),
                Err(Stop::Temporary(error)) => Err(error),
                Err(Stop::Damage(damage)) => {
                    collector.fault("archive_damaged", &shown(&file), &damage.0);
                    Ok(())
                }
            },
        }
    }

    fn add(&self, holder: Holder) {
        lock(&self.tasks).holders.push(holder);
    }

    /// Hands a batch to whoever is free, or reads it here if enough of them wait.
    fn share(&self, batch: Batch, collector: &mut Collector<'_>) -> io::Result<()> {
        {
            let mut tasks = lock(&self.tasks);
            let waiting = tasks.batches.iter().map(Batch::len).sum::<usize>();
            if waiting < WAITING_LEN || tasks.batches.len() < 2 * self.jobs {
                tasks.batches.push(batch);
                return Ok(());
            }
        }
        batch.read(collector)
    }

    fn list(&self, folder: &Path, path: &[u8], collector: &mut Collector<'_>) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                collector.fault("folder_unreadable", &shown(folder), &error.to_string());
                return Ok(());
            }
        };
        let (mut paths, mut files) = (FilePath::new(path), Vec::new());
        for entry in entries {
            let known = entry.and_then(|entry| Ok((entry.file_type()?, entry)));
            let (kind, entry) = match known {
                Ok(known) => known,
                Err(error) => {
                    collector.fault("folder_unreadable", &shown(folder), &error.to_string());
                    continue;
                }
            };
            let name = entry.file_name();
            let path_here = paths.of(&name);
            if kind.is_dir() {
                self.add(Holder::Folder(entry.path(), path_here.to_vec()));
            } else if !kind.is_file() {
                collector.count_link();
            } else if let Some(place) = collector.place_of(path_here) {
                match collector.wants(place.kind) {
                    true => files.push(name),
                    false => collector.see(&place)?,
                }
            } else if is_called_archive(name.as_encoded_bytes()) {
                self.add(Holder::Archive(entry.path()));
            } else {
                collector.count_other();
            }
            if files.len() >= BATCH_FILES {
                self.share(Batch::Files(folder.to_owned(), path.to_vec(), std::mem::take(&mut files)), collector)?;
            }
            if self.is_over() {
                return Ok(());
            }
        }
        read_files(folder, path, &files, collector)
    }

    fn read_archive(&self, file: &Path, collector: &mut Collector<'_>) -> Result<(), Stop> {
        let mut tar = Tar::open(file)?;
        let (mut batch, mut told) = (Members::default(), 0);
        let read = loop {
            let len = match tar.next() {
                Ok(Some(len)) => len,
                end => break end.map(drop),
            };
            collector.advance(tar.position() - told);
            told = tar.position();
            if let Err(stop) = read_member((&mut tar, len), &mut batch, collector) {
                match stop {
                    Stop::Damage(damage) => break Err(damage),
                    stop => return Err(stop),
                }
            }
            if batch.bytes.len() >= BATCH_LEN {
                self.share(Batch::Members(std::mem::take(&mut batch)), collector)?;
            }
            if self.is_over() {
                return Ok(());
            }
        };
        batch.read(collector)?;
        Ok(read?)
    }
}

/// Why an archive is not read on.
enum Stop {
    Damage(Damage),
    /// A temporary file failed.
    Temporary(io::Error),
}

impl From<Damage> for Stop {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Temporary(error)
    }
}

fn read_member((tar, len): (&mut Tar, u64), batch: &mut Members, collector: &mut Collector<'_>) -> Result<(), Stop> {
    let Some(place) = collector.place_of(tar.path()) else {
        collector.count_other();
        return Ok(());
    };
    if !collector.wants(place.kind) {
        collector.see(&place)?;
        return Ok(());
    }
    if len <= MAX_MEMBER_LEN {
        batch.push(tar)?;
    } else {
        let path = tar.path().to_vec();
        collector.object(&path, &mut tar.body())?;
    }
    Ok(())
}

fn read_files(folder: &Path, path: &[u8], names: &[OsString], collector: &mut Collector<'_>) -> io::Result<()> {
    let mut path = FilePath::new(path);
    let opened = match Folder::open(folder) {
        Ok(opened) => opened,
        Err(error) => {
            return names.iter().try_for_each(|name| collector.unreadable(path.of(name), &error.to_string()));
        }
    };
    for name in names {
        match SourceFile::open_in(&opened, name) {
            Ok(file) => read_file(file, &folder.join(name), path.of(name), collector)?,
            Err(fault) => collector.unreadable(path.of(name), &fault.to_string())?,
        }
    }
    Ok(())
}

fn read_file(file: SourceFile, name: &Path, path: &[u8], collector: &mut Collector<'_>) -> io::Result<()> {
    let mut open = BufferedFile::new(file, collector.take_buffer());
    collector.object(path, &mut open)?;
    collector.advance(open.position());
    let (buffer, unchanged) = open.finish();
    collector.give_buffer(buffer);
    if let Err(fault) = unchanged {
        collector.fault("file_changed", &shown(name), &fault.to_string());
    }
    Ok(())
}

/// What the path of a root adds to the paths in it: whoever names a folder below `AWSLogs` means that folder.
fn own_path(root: &Path) -> Vec<u8> {
    let parts: Vec<&[u8]> = root.components().map(|part| part.as_os_str().as_encoded_bytes()).collect();
    let from = parts.iter().rposition(|part| *part == b"AWSLogs").unwrap_or(parts.len());
    parts[from..].join(&b'/')
}

/// The paths of the files of a folder, one at a time.
struct FilePath {
    path: Vec<u8>,
    folder_len: usize,
}

impl FilePath {
    fn new(folder: &[u8]) -> Self {
        let path = if folder.is_empty() { Vec::new() } else { [folder, b"/"].concat() };
        Self { folder_len: path.len(), path }
    }

    fn of(&mut self, name: &OsStr) -> &[u8] {
        self.path.truncate(self.folder_len);
        self.path.extend_from_slice(name.as_encoded_bytes());
        &self.path
    }
}

//! Objects wherever they are kept: in mirrored trees and in archives of such trees.
//!
//! All workers share one list of what is to be done. Folders are listed, archives are read by one worker at a time, and
//! whatever is small enough is handed to others in batches. Links are not followed: they can lead anywhere. Archives wait
//! until all folders are listed: in the mirror of a bucket they are objects that somebody put there, and prove nothing.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::DigestsError;
use super::archive::{Called, Member, Tar, called};
use super::collect::{Collector, SharedDigests};
use super::member::Damage;
use super::mirrors::RootId;
use super::slot::{ObjectKind, PathPlace, may_hold_logs};
use crate::escape::escape;
use crate::policy::Globs;
use crate::source::{BufferedFile, Folder, SourceFile};
use crate::work::{Cancel, Crew, Tasks, lock};

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
struct Waiting {
    holders: Vec<Holder>,
    /// These are done before others are made.
    batches: Vec<FileBatch>,
}

impl Waiting {
    fn take(&mut self) -> Option<Task> {
        let batch = self.batches.pop().map(Task::Read);
        batch.or_else(|| self.holders.pop().map(Task::List))
    }
}

enum Task {
    Read(FileBatch),
    List(Holder),
}

/// What holds objects.
enum Holder {
    /// A folder, and its path in the root.
    Folder(RootId, PathBuf, Vec<u8>),
    Archive(RootId, PathBuf, Purpose),
}

/// What an archive is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Its members are objects of a mirror.
    Objects,
    /// It is itself an object of a mirror: it is only asked whether it holds any.
    Look,
}

/// An archive in a folder.
struct FoundArchive {
    root: RootId,
    file: PathBuf,
    /// In the root.
    path: Vec<u8>,
    called: Called,
}

/// Objects that are read together.
enum FileBatch {
    /// Files of a folder, and the path of the folder in the root.
    Files(RootId, PathBuf, Vec<u8>, Vec<OsString>),
    Members(RootId, Members),
}

/// Members of an archive, one behind the other.
#[derive(Default)]
struct Members {
    bytes: Vec<u8>,
    /// Where the path of each ends, and its body.
    ends: Vec<(usize, usize)>,
}

impl FileBatch {
    /// How many bytes it holds, or will about hold when it is read.
    fn len(&self) -> usize {
        match self {
            Self::Files(..) => BATCH_LEN,
            Self::Members(_, members) => members.bytes.len(),
        }
    }

    fn read(self, collector: &mut Collector<'_>) -> io::Result<()> {
        match self {
            Self::Files(root, folder, path, names) => read_files((root, &folder, &path), &names, collector),
            Self::Members(root, members) => members.read(root, collector),
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

    fn read(&self, root: RootId, collector: &mut Collector<'_>) -> io::Result<()> {
        collector.enter(root);
        self.iter().try_for_each(|(path, mut body)| collector.object(path, &mut body).map(drop))
    }

    /// Their paths and bodies.
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let member = |(start, (path_end, end))| (&self.bytes[start..path_end], &self.bytes[path_end..end]);
        starts.zip(self.ends.iter().copied()).map(member)
    }
}

/// Where objects are kept.
pub(super) struct Roots(Vec<Root>);

struct Root {
    path: PathBuf,
    is_archive: bool,
    /// What the path of the root adds to the paths in it, and the folders above that.
    own: Vec<u8>,
    outer: Vec<u8>,
    /// Without links.
    real: Option<PathBuf>,
    /// Whether a folder in it mirrors a bucket.
    is_mirror: AtomicBool,
}

impl Roots {
    /// Refuses roots that lead nowhere.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, DigestsError> {
        let open = |path: &PathBuf| {
            let metadata = fs::metadata(path).map_err(|error| DigestsError::Root { path: path.clone(), error })?;
            let (is_archive, real) = (metadata.is_file(), fs::canonicalize(path).ok());
            let (own, outer) = if is_archive { (Vec::new(), Vec::new()) } else { own_path(path) };
            Ok(Root { path: path.clone(), is_archive, own, outer, real, is_mirror: AtomicBool::new(false) })
        };
        paths.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// The folders above each of them.
    pub(super) fn outers(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|root| root.outer.clone()).collect()
    }

    fn get(&self, root: RootId) -> Option<&Root> {
        self.0.get(root as usize)
    }

    /// Whether what lies there is looked at.
    fn hold(&self, file: &Path) -> bool {
        let real = fs::canonicalize(file);
        real.is_ok_and(|real| self.0.iter().any(|root| root.real.as_ref().is_some_and(|root| real.starts_with(root))))
    }

    fn is_mirror(&self, root: RootId) -> bool {
        self.get(root).is_some_and(|root| root.is_mirror.load(Ordering::Relaxed))
    }
}

/// The work of all threads.
pub(super) struct Walk<'w> {
    roots: &'w Roots,
    /// What may lie in roots without having been delivered.
    accepted: &'w Globs,
    tasks: Tasks<Waiting>,
    archives: Mutex<Vec<FoundArchive>>,
    crew: Crew<'w, DigestsError>,
    shared: &'w SharedDigests<'w>,
}

impl<'w> Walk<'w> {
    pub(super) fn new(
        (roots, accepted): (&'w Roots, &'w Globs),
        jobs: usize,
        shared: &'w SharedDigests<'w>,
        cancel: &'w Cancel,
    ) -> Self {
        let holder = |(number, root): (RootId, &Root)| match root.is_archive {
            true => Holder::Archive(number, root.path.clone(), Purpose::Objects),
            false => Holder::Folder(number, root.path.clone(), root.own.clone()),
        };
        let mut holders: Vec<_> = (0..).zip(&roots.0).map(holder).collect();
        holders.reverse();
        let tasks = Tasks::new(Waiting { holders, batches: Vec::new() });
        Self { roots, accepted, tasks, archives: Mutex::default(), crew: Crew::new(jobs, cancel), shared }
    }

    /// Reads everything.
    pub(super) fn run(&self) -> Result<(), DigestsError> {
        self.run_tasks()?;
        self.sort_archives()?;
        self.run_tasks()
    }

    /// Says of each archive in a folder what is to become of it.
    fn sort_archives(&self) -> Result<(), DigestsError> {
        let mut collector = Collector::new(self.shared);
        for FoundArchive { root, file, path, called } in std::mem::take(&mut *lock(&self.archives)) {
            let is_mirror =
                self.roots.is_mirror(root) || path.split(|byte| *byte == b'/').any(|part| part == b"AWSLogs");
            match (called, is_mirror) {
                _ if self.accepted.matches(&path) => collector.count_other(),
                (Called::Archive, false) => self.add(Holder::Archive(root, file, Purpose::Objects)),
                (Called::Archive, true) => self.add(Holder::Archive(root, file, Purpose::Look)),
                (Called::Other, true) => collector.count_other_archive(),
                (Called::Unreadable, true) if !may_hold_logs(&path) => collector.count_other_archive(),
                (Called::Unreadable | Called::Other, _) => {
                    let why = "archives of this form are not read: unpack it, or make it a .tar, .tar.gz or .tar.zst";
                    collector.fault_of("archive_not_read", &file, why);
                }
            }
        }
        collector.finish().map_err(DigestsError::Temporary)
    }

    fn run_tasks(&self) -> Result<(), DigestsError> {
        self.crew.run(|_| {
            let mut collector = Collector::new(self.shared);
            let each = |task| self.run_task(task, &mut collector).map_err(DigestsError::Temporary);
            self.tasks.work_off(&self.crew, Waiting::take, each)?;
            collector.finish().map_err(DigestsError::Temporary)
        })
    }

    fn run_task(&self, task: Task, collector: &mut Collector<'_>) -> io::Result<()> {
        match task {
            Task::Read(batch) => batch.read(collector),
            Task::List(Holder::Folder(root, folder, path)) => self.list((root, &folder, &path), collector),
            Task::List(Holder::Archive(root, file, purpose)) => {
                let read = match purpose {
                    Purpose::Objects => self.read_archive((root, &file), collector),
                    Purpose::Look => self.look_into(&file, collector),
                };
                match read {
                    Ok(()) => Ok(()),
                    Err(Stop::Temporary(error)) => Err(error),
                    Err(Stop::Damage(damage)) => {
                        collector.fault_of("archive_damaged", &file, damage.why());
                        Ok(())
                    }
                }
            }
        }
    }

    fn add(&self, holder: Holder) {
        self.tasks.with(|waiting| waiting.holders.push(holder));
    }

    /// Hands a batch to whoever is free, or reads it here if enough of them wait.
    fn share(&self, batch: FileBatch, collector: &mut Collector<'_>) -> io::Result<()> {
        let left = self.tasks.with(|Waiting { batches, .. }| {
            let is_full = batches.iter().map(FileBatch::len).sum::<usize>() >= WAITING_LEN
                && batches.len() >= 2 * self.crew.jobs();
            if is_full {
                return Some(batch);
            }
            batches.push(batch);
            None
        });
        left.map_or(Ok(()), |batch| batch.read(collector))
    }

    fn list(&self, (root, folder, path): (RootId, &Path, &[u8]), collector: &mut Collector<'_>) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                collector.fault_of("folder_unreadable", folder, &error.to_string());
                return Ok(());
            }
        };
        collector.enter(root);
        let (mut paths, mut files, mut is_mirror) = (FilePath::new(path), Vec::new(), false);
        for entry in entries {
            let known = entry.and_then(|entry| Ok((entry.file_type()?, entry)));
            let (kind, entry) = match known {
                Ok(known) => known,
                Err(error) => {
                    collector.fault_of("folder_unreadable", folder, &error.to_string());
                    continue;
                }
            };
            let name = entry.file_name();
            let path_here = paths.of(&name);
            if kind.is_dir() {
                if path.is_empty() {
                    collector.count_top(path_here);
                }
                self.add(Holder::Folder(root, entry.path(), path_here.to_vec()));
                continue;
            }
            let place = collector.place_of(path_here);
            is_mirror |= place.is_some_and(|place| place.kind.is_ours());
            match place {
                place if !kind.is_file() => self.link(&entry.path(), (path_here, place), collector)?,
                Some(place) if collector.wants(place.kind) => files.push(name),
                Some(place) if place.kind != ObjectKind::Other => collector.see(&place)?,
                _ => match called(name.as_encoded_bytes()) {
                    Some(called) => {
                        let found = FoundArchive { root, file: entry.path(), path: path_here.to_vec(), called };
                        lock(&self.archives).push(found);
                    }
                    None => collector.count_other(),
                },
            }
            if files.len() >= BATCH_FILES {
                let batch = FileBatch::Files(root, folder.to_owned(), path.to_vec(), std::mem::take(&mut files));
                self.share(batch, collector)?;
                collector.enter(root);
            }
            if self.crew.is_over() {
                return Ok(());
            }
        }
        if is_mirror && let Some(root) = self.roots.get(root) {
            root.is_mirror.store(true, Ordering::Relaxed);
        }
        read_files((root, folder, path), &files, collector)
    }

    /// What leads elsewhere, or is no file.
    fn link(
        &self,
        file: &Path,
        (path, place): (&[u8], Option<PathPlace<'_>>),
        collector: &mut Collector<'_>,
    ) -> io::Result<()> {
        let is_passed = self.accepted.matches(path) || !may_hold_logs(path);
        collector.count_link(!is_passed && !self.roots.hold(file));
        if place.is_some_and(|place| place.kind.is_ours()) && !self.accepted.matches(path) {
            collector.unreadable(path, "link", "it is a link or no regular file, and is not followed")?;
        }
        Ok(())
    }

    /// Whether an archive that somebody put into a bucket holds logs or digests.
    fn look_into(&self, file: &Path, collector: &mut Collector<'_>) -> Result<(), Stop> {
        let (mut tar, mut told) = (Tar::open(file)?, 0);
        while tar.next()?.is_some() {
            collector.advance(tar.position() - told);
            told = tar.position();
            if collector.place_of(tar.path()).is_some_and(|place| place.kind.is_ours()) {
                let why = "it holds logs or digests, and lies in the mirror of a bucket: give it as a root of its own, or \
                           accept it with --accept-unreferenced";
                collector.fault_of("archive_in_mirror", file, why);
                return Ok(());
            }
            if self.crew.is_over() {
                return Ok(());
            }
        }
        collector.count_other();
        Ok(())
    }

    /// Whether a member of an archive is an archive itself, which is not read; one that may hold logs or digests is a fault.
    fn is_archive_inside(&self, (file, path): (&Path, &[u8]), member: Member, collector: &mut Collector<'_>) -> bool {
        let is_object = collector.place_of(path).is_some_and(|place| place.kind != ObjectKind::Other);
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let Some(called) = called(name).filter(|_| !is_object && matches!(member, Member::File(_))) else {
            return false;
        };
        match called {
            _ if self.accepted.matches(path) => collector.count_other(),
            Called::Archive | Called::Unreadable if may_hold_logs(path) => {
                let why =
                    "an archive inside of another is not read: unpack it, or accept it with --accept-unreferenced";
                let place = format!("{}: {}", collector.name(file), escape(path));
                collector.fault("archive_not_read", &place, why);
            }
            _ => collector.count_other_archive(),
        }
        true
    }

    fn read_archive(&self, (root, file): (RootId, &Path), collector: &mut Collector<'_>) -> Result<(), Stop> {
        let mut tar = Tar::open(file)?;
        collector.enter(root);
        let (mut batch, mut told) = (Members::default(), 0);
        let read = loop {
            let member = match tar.next() {
                Ok(Some(member)) => member,
                end => break end.map(drop),
            };
            collector.advance(tar.position() - told);
            told = tar.position();
            if self.is_archive_inside((file, tar.path()), member, collector) {
                continue;
            }
            if let Err(stop) = read_member((&mut tar, member), &mut batch, collector) {
                match stop {
                    Stop::Damage(damage) => break Err(damage),
                    stop => return Err(stop),
                }
            }
            if batch.bytes.len() >= BATCH_LEN {
                self.share(FileBatch::Members(root, std::mem::take(&mut batch)), collector)?;
                collector.enter(root);
            }
            if self.crew.is_over() {
                return Ok(());
            }
        };
        batch.read(root, collector)?;
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

fn read_member(
    (tar, member): (&mut Tar, Member),
    batch: &mut Members,
    collector: &mut Collector<'_>,
) -> Result<(), Stop> {
    let place = collector.place_of(tar.path());
    let len = match member {
        Member::File(len) => len,
        Member::Link => {
            collector.count_link(false);
            if place.is_some_and(|place| place.kind.is_ours()) {
                let path = tar.path().to_vec();
                collector.unreadable(&path, "link", "it is a link in an archive: make it of the files themselves")?;
            }
            return Ok(());
        }
    };
    let Some(place) = place else {
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

fn read_files(
    (root, folder, path): (RootId, &Path, &[u8]),
    names: &[OsString],
    collector: &mut Collector<'_>,
) -> io::Result<()> {
    const UNREADABLE: &str = "file_unreadable";
    collector.enter(root);
    let mut path = FilePath::new(path);
    let opened = match Folder::open(folder) {
        Ok(opened) => opened,
        Err(error) => {
            let why = error.to_string();
            return names.iter().try_for_each(|name| collector.unreadable(path.of(name), UNREADABLE, &why));
        }
    };
    for name in names {
        match SourceFile::open_in(&opened, name) {
            Ok(file) => read_file(file, &folder.join(name), path.of(name), collector)?,
            Err(fault) => collector.unreadable(path.of(name), UNREADABLE, &fault.to_string())?,
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
        collector.fault_of("file_changed", name, &fault.to_string());
    }
    Ok(())
}

/// What the path of a root adds to the paths in it, since whoever names a folder below `AWSLogs` means that folder; and the
/// folders above that.
fn own_path(root: &Path) -> (Vec<u8>, Vec<u8>) {
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let parts: Vec<&[u8]> = root.components().map(|part| part.as_os_str().as_encoded_bytes()).collect();
    let from = parts.iter().rposition(|part| *part == b"AWSLogs").unwrap_or(parts.len());
    (parts[from..].join(&b'/'), parts[..from].join(&b'/'))
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

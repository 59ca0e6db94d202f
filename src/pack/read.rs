//! Packs as they come back: from whoever had them, so nothing in them is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zip::ZipArchive;

use crate::escape::escape;
use crate::store;
use crate::work::{Cancel, Stopped};

/// So many files a pack has at most.
const MAX_FILES: usize = 100_000;
/// So long are all files beside the payload at most.
const MAX_TAG_LEN: u64 = 64 << 20;

/// What is wrong with a pack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackFault {
    /// It is not there, or cannot be read.
    #[error("cannot read {}: {error}", escape(path.as_os_str().as_encoded_bytes()))]
    Unreadable {
        /// The pack, or a file of it.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// What the caller gave to check it with cannot be used.
    #[error("{0}")]
    Means(String),
    /// It is no archive, or one that is not as it should be.
    #[error("the archive is damaged: {0}")]
    Archive(String),
    /// A name in it that may do harm.
    #[error("the archive holds a name that is refused: {name}: {why}")]
    Name {
        /// The name, escaped.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// It is no bag, or not a whole one.
    #[error("it is no bag as RFC 8493 has it: {0}")]
    Bag(String),
    /// A file that a manifest lists is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// A file is not as its manifest says.
    #[error("{0} was changed")]
    Changed(String),
    /// A file that no manifest lists.
    #[error("{0} is in no manifest")]
    Unlisted(String),
    /// Two files of it say different things.
    #[error("its files do not agree: {0}")]
    Disagrees(String),
    /// A signature is wrong.
    #[error("the signature does not hold: {0}")]
    Signature(String),
}

impl PackFault {
    /// The same where somebody ended the check early: what was found then is found because of that.
    pub(super) fn unless_ended(self, cancel: &Cancel) -> Self {
        if cancel.is_cancelled() { Self::Means(Stopped::Cancelled.to_string()) } else { self }
    }

    /// Whether it could not be looked at, rather than that something is wrong with it.
    pub fn is_of_the_job(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::Means(_))
    }
}

/// A pack whose files lie in a folder.
pub(super) struct Opened {
    /// The folder with `bagit.txt`.
    pub(super) root: PathBuf,
    /// The names of all of its files below that folder.
    pub(super) names: BTreeSet<String>,
    /// Ends the check early.
    pub(super) cancel: Cancel,
    _extracted: Option<TempDir>,
}

impl Opened {
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, PackFault> {
        let path = self.root.join(name);
        let mut text = Vec::new();
        let read = store::read_back(&path).and_then(|file| file.take(MAX_TAG_LEN + 1).read_to_end(&mut text));
        match read {
            Ok(_) if text.len() as u64 > MAX_TAG_LEN => Err(PackFault::Bag(format!("{name} is too long"))),
            Ok(_) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(PackFault::Missing(name.to_owned())),
            Err(error) => Err(PackFault::Unreadable { path, error }),
        }
    }
}

/// Opens an archive, or the folder of an unpacked one.
pub(super) fn open(path: &Path, cancel: &Cancel) -> Result<Opened, PackFault> {
    let unreadable = |error| PackFault::Unreadable { path: path.to_owned(), error };
    match path.metadata().map_err(unreadable)? {
        facts if facts.is_dir() => folder(path, cancel),
        facts if facts.is_file() => archive(path, cancel),
        _ => Err(PackFault::Means(format!(
            "{} is neither a file nor a folder",
            escape(path.as_os_str().as_encoded_bytes())
        ))),
    }
}

fn folder(path: &Path, cancel: &Cancel) -> Result<Opened, PackFault> {
    let inner = path.join(super::ROOT);
    let root =
        if !path.join("bagit.txt").exists() && inner.join("bagit.txt").exists() { inner } else { path.to_owned() };
    let (mut folders, mut names) = (vec![root.clone()], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        let unreadable = |error| PackFault::Unreadable { path: folder.clone(), error };
        for entry in folder.read_dir().map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
            let shown = || escape(path.as_os_str().as_encoded_bytes()).into_owned();
            let inside =
                path.strip_prefix(&root).ok().and_then(|path| path.to_str()).map(|name| name.replace('\\', "/"));
            match inside {
                _ if kind.is_symlink() => return Err(PackFault::Name { name: shown(), why: "it is a link" }),
                None => return Err(PackFault::Name { name: shown(), why: "it is not UTF-8" }),
                Some(_) if kind.is_dir() => folders.push(path),
                Some(_) if !kind.is_file() => return Err(PackFault::Name { name: shown(), why: "it is no file" }),
                Some(name) if !names.insert(name.clone()) => {
                    return Err(PackFault::Name {
                        name: shown(),
                        why: "there are two, or two that differ in their slashes",
                    });
                }
                Some(_) => {}
            }
            if names.len() > MAX_FILES {
                return Err(PackFault::Bag("it has too many files".to_owned()));
            }
        }
    }
    Ok(Opened { root, names, cancel: cancel.clone(), _extracted: None })
}

fn archive(path: &Path, cancel: &Cancel) -> Result<Opened, PackFault> {
    let unreadable = |error| PackFault::Unreadable { path: path.to_owned(), error };
    let mut file = store::read_back(path).map_err(unreadable)?;
    ends_properly(&mut file)
        .map_err(unreadable)?
        .then_some(())
        .ok_or_else(|| PackFault::Archive("it has bytes behind its end, or none".to_owned()))?;
    let damaged = |error: zip::result::ZipError| PackFault::Archive(error.to_string());
    let listed = listed_entries(&mut file).map_err(unreadable)?;
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    if listed.is_some_and(|listed| listed != archive.len()) {
        return Err(PackFault::Archive("it lists a name twice, or fewer files than it has".to_owned()));
    }
    let places = lie_side_by_side(&mut archive)?;
    let mut file = store::read_back(path).map_err(unreadable)?;
    for (from, name) in places {
        if !is_named(&mut file, from, &name).map_err(unreadable)? {
            return Err(PackFault::Archive("a file has two names".to_owned()));
        }
    }
    if archive.offset() != 0 || !archive.comment().is_empty() {
        return Err(PackFault::Archive("it has bytes before its beginning or a comment".to_owned()));
    }
    if archive.len() > MAX_FILES {
        return Err(PackFault::Archive("it has too many files".to_owned()));
    }
    let entries = entries(&mut archive)?;
    let limit = oxum(&mut archive, &entries)?;
    let extracted = store::temp_folder(None).map_err(unreadable)?;
    let root = extracted.path().join("bag");
    let (mut left, mut left_of_tags) = (limit, MAX_TAG_LEN);
    for (name, index) in &entries {
        let target = root.join(name);
        let mut entry = archive.by_index(*index).map_err(damaged)?;
        let is_payload = name.starts_with("data/");
        let most = if is_payload { left } else { left_of_tags };
        let parent = target.parent().unwrap_or(&root);
        store::create_folders(parent).map_err(unreadable)?;
        let mut file = store::create_new(&target).map_err(unreadable)?;
        let len = io::copy(&mut cancel.reader(&mut entry).take(most + 1), &mut file)
            .map_err(|error| PackFault::Archive(format!("{name}: {error}")))?;
        if len > most {
            return Err(PackFault::Archive("it holds more bytes than Payload-Oxum says".to_owned()));
        }
        *(if is_payload { &mut left } else { &mut left_of_tags }) -= len;
    }
    let names = entries.into_keys().collect();
    Ok(Opened { root, names, cancel: cancel.clone(), _extracted: Some(extracted) })
}

/// Whether the file ends with the end of an archive that has no comment.
fn ends_properly(file: &mut File) -> io::Result<bool> {
    const END_LEN: i64 = 22;
    let mut end = [0; END_LEN as usize];
    if file.metadata()?.len() < END_LEN as u64 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-END_LEN))?;
    file.read_exact(&mut end)?;
    file.rewind()?;
    Ok(end.starts_with(b"PK\x05\x06") && end[20..] == [0, 0])
}

/// How many entries the end of an archive says that there are; nothing where there are too many for it to say.
fn listed_entries(file: &mut File) -> io::Result<Option<usize>> {
    let mut count = [0; 2];
    file.seek(SeekFrom::End(-12))?;
    file.read_exact(&mut count)?;
    file.rewind()?;
    Ok(Some(usize::from(u16::from_le_bytes(count))).filter(|count| *count < 0xffff))
}

/// Whether entries lie one behind the other with nothing between, before or behind them, under the names that the list at the end has:
/// other programs may go by what stands before each.
fn lie_side_by_side(archive: &mut ZipArchive<File>) -> Result<Vec<(u64, Vec<u8>)>, PackFault> {
    // What may stand behind the bytes of an entry: its checksum and lengths.
    const BEHIND: [u64; 5] = [0, 12, 16, 20, 24];
    let refused = |why: &str| PackFault::Archive(why.to_owned());
    let mut places = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| refused(&error.to_string()))?;
        let (from, data) = (entry.header_start(), entry.data_start());
        if !entry.comment().is_empty() {
            return Err(refused("an entry has a comment"));
        }
        if entry.unix_mode().is_some_and(|mode| !matches!(mode & 0o170_000, 0 | 0o100_000 | 0o040_000 | 0o120_000)) {
            return Err(refused("an entry is neither a file nor a folder"));
        }
        let data = data.ok_or_else(|| refused("an entry has no place"))?;
        places.push((from, data.saturating_add(entry.compressed_size()), entry.name_raw().to_vec()));
    }
    places.sort();
    let mut end = 0;
    for (at, (from, behind, _)) in places.iter().enumerate() {
        let gap = from.checked_sub(end).ok_or_else(|| refused("two entries lie over each other"))?;
        if (at == 0 && gap != 0) || !BEHIND.contains(&gap) {
            return Err(refused("there are bytes between its files"));
        }
        end = *behind;
    }
    if !BEHIND.contains(&archive.central_directory_start().saturating_sub(end)) {
        return Err(refused("there are bytes behind its files"));
    }
    Ok(places.into_iter().map(|(from, _, name)| (from, name)).collect())
}

/// Whether an entry has the same name where it begins.
fn is_named(file: &mut File, from: u64, name: &[u8]) -> io::Result<bool> {
    const HEAD_LEN: usize = 30;
    let mut head = [0; HEAD_LEN];
    file.seek(SeekFrom::Start(from))?;
    file.read_exact(&mut head)?;
    let mut found = vec![0; usize::from(u16::from_le_bytes([head[26], head[27]]))];
    file.read_exact(&mut found)?;
    Ok(head.starts_with(b"PK\x03\x04") && found == name)
}

/// The files of an archive below its one folder, by name.
fn entries(archive: &mut ZipArchive<File>) -> Result<BTreeMap<String, usize>, PackFault> {
    let (mut entries, mut folded) = (BTreeMap::new(), BTreeSet::new());
    let mut root: Option<String> = None;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| PackFault::Archive(error.to_string()))?;
        let refused = |why| PackFault::Name { name: escape(entry.name_raw()).into_owned(), why };
        let name = std::str::from_utf8(entry.name_raw()).map_err(|_| refused("it is not UTF-8"))?;
        is_harmless(name.trim_end_matches('/')).map_err(&refused)?;
        let (folder, inside) = name.split_once('/').ok_or_else(|| refused("it lies beside the folder of the pack"))?;
        if root.get_or_insert_with(|| folder.to_owned()) != folder {
            return Err(refused("there is more than one folder"));
        }
        if entry.is_symlink() {
            return Err(refused("it is a link"));
        }
        if entry.is_dir() {
            continue;
        }
        if entry.encrypted() {
            return Err(refused("it is encrypted"));
        }
        if !folded.insert(inside.to_lowercase()) {
            return Err(refused("there are two, or two that differ in case only"));
        }
        entries.insert(inside.to_owned(), index);
    }
    Ok(entries)
}

/// A name that stays in its folder on every system.
fn is_harmless(name: &str) -> Result<(), &'static str> {
    let is_bad = |part: &str| part.is_empty() || part == "." || part == ".." || part.len() > 255;
    match () {
        () if name.starts_with('/') => Err("it is absolute"),
        () if name.contains(['\\', ':']) || name.chars().any(char::is_control) => {
            Err("it has signs that names have not")
        }
        () if name.split('/').any(is_bad) => Err("it leads out of its folder"),
        () => Ok(()),
    }
}

/// How many bytes the payload has, as the bag says.
fn oxum(archive: &mut ZipArchive<File>, entries: &BTreeMap<String, usize>) -> Result<u64, PackFault> {
    const NAME: &str = "bag-info.txt";
    let index = entries.get(NAME).ok_or_else(|| PackFault::Missing(NAME.to_owned()))?;
    let entry = archive.by_index(*index).map_err(|error| PackFault::Archive(error.to_string()))?;
    let mut text = Vec::new();
    let read = entry.take(MAX_TAG_LEN).read_to_end(&mut text);
    read.map_err(|error| PackFault::Archive(format!("{NAME}: {error}")))?;
    payload_oxum(&text).map(|(bytes, _)| bytes)
}

/// Bytes and files of the payload, as `bag-info.txt` says.
pub(super) fn payload_oxum(text: &[u8]) -> Result<(u64, u64), PackFault> {
    let text = String::from_utf8_lossy(text);
    let mut values = text.lines().filter_map(|line| line.strip_prefix("Payload-Oxum:"));
    let value = values.next().filter(|_| values.next().is_none()).and_then(|value| {
        let (bytes, files) = value.trim().split_once('.')?;
        Some((bytes.parse().ok()?, files.parse().ok()?))
    });
    value.ok_or_else(|| PackFault::Bag("bag-info.txt has no Payload-Oxum".to_owned()))
}

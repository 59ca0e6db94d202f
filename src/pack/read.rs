//! Packs as they come back: from whoever had them, so nothing in them is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zip::ZipArchive;

use crate::escape::escape;
use crate::store;

/// So many files a pack has at most.
const MAX_FILES: usize = 100_000;
/// So long a file beside the payload is at most.
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
pub(super) fn open(path: &Path) -> Result<Opened, PackFault> {
    let unreadable = |error| PackFault::Unreadable { path: path.to_owned(), error };
    if path.metadata().map_err(unreadable)?.is_dir() {
        return folder(path);
    }
    archive(path)
}

fn folder(path: &Path) -> Result<Opened, PackFault> {
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
                Some(name) => drop(names.insert(name)),
            }
            if names.len() > MAX_FILES {
                return Err(PackFault::Bag("it has too many files".to_owned()));
            }
        }
    }
    Ok(Opened { root, names, _extracted: None })
}

fn archive(path: &Path) -> Result<Opened, PackFault> {
    let unreadable = |error| PackFault::Unreadable { path: path.to_owned(), error };
    let mut file = store::read_back(path).map_err(unreadable)?;
    ends_properly(&mut file)
        .map_err(unreadable)?
        .then_some(())
        .ok_or_else(|| PackFault::Archive("it has bytes behind its end, or none".to_owned()))?;
    let damaged = |error: zip::result::ZipError| PackFault::Archive(error.to_string());
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
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
    let mut left = limit;
    for (name, index) in &entries {
        let target = root.join(name);
        let mut entry = archive.by_index(*index).map_err(damaged)?;
        let most = if name.starts_with("data/") { left } else { MAX_TAG_LEN };
        let parent = target.parent().unwrap_or(&root);
        store::create_folders(parent).map_err(unreadable)?;
        let mut file = store::create_new(&target).map_err(unreadable)?;
        let len = io::copy(&mut (&mut entry).take(most + 1), &mut file)
            .map_err(|error| PackFault::Archive(format!("{name}: {error}")))?;
        if len > most {
            return Err(PackFault::Archive("it holds more bytes than Payload-Oxum says".to_owned()));
        }
        if name.starts_with("data/") {
            left -= len;
        }
    }
    Ok(Opened { root, names: entries.into_keys().collect(), _extracted: Some(extracted) })
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

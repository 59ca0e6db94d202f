//! The files of evidence: where they are, and why one cannot be used.

use std::collections::BTreeMap;
use std::fs::{self, FileType};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::memchr;

use super::EvidenceError;
use super::EvidenceOptions;
use super::EvidencePath;
use super::TooManyKeys;
use super::recognise::{self, Content, Passed};
use crate::batch::RowFault;
use crate::escape::hex::hex;
use crate::fault::UnitFault;
use crate::hashes::sha256::Sha256;
use crate::join::JoinError;
use crate::policy::KeyArn;
use crate::source::{FileFault, SourceFile, TextStream};

/// A file that is to be read.
#[derive(Clone)]
pub(super) struct EvidenceFile {
    /// The position of the path that it was found under.
    pub(super) given: usize,
    pub(super) number: u32,
    pub(super) path: PathBuf,
    pub(super) len: u64,
    /// The key of all objects that it lists.
    pub(super) key: Option<Arc<str>>,
    /// Whether it was given by itself.
    pub(super) is_named: bool,
}

impl EvidenceFile {
    /// Whether its name is that of evidence, which is not empty. Others may mark a folder by being there.
    pub(super) fn is_called_evidence(&self) -> bool {
        let ending = self.path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ["gz", "json", "jsonl", "ndjson", "parquet"].iter().any(|known| ending.eq_ignore_ascii_case(known))
    }
}

/// The files of all paths.
pub(super) struct Given {
    pub(super) files: Vec<EvidenceFile>,
    /// What is in their folders and no file, and why that is not read.
    pub(super) others: Vec<(PathBuf, &'static str)>,
    /// What results call the paths that were given.
    pub(super) names: Vec<String>,
    pub(super) labels: Labels,
}

/// What each file is called, and under which path and for which key it was given.
pub(super) struct Labels(Vec<String>);

/// The hashes of what is in files, by the numbers of the files and, where a file is read in parts, their offsets.
pub(super) type Contents = BTreeMap<(u32, u64), [u8; 32]>;

impl Labels {
    /// Tells this evidence from any other. A file without a hash is one that says nothing.
    pub(super) fn fingerprint(&self, contents: &Contents) -> String {
        let mut fingerprint = Sha256::new();
        for (label, number) in self.0.iter().zip(0..) {
            let parts = contents.range((number, 0)..=(number, u64::MAX));
            fingerprint.update(format!("{} {label}\n", parts.clone().count()));
            parts.for_each(|((_, offset), hash)| fingerprint.update([&offset.to_le_bytes()[..], hash].concat()));
        }
        hex(&fingerprint.finish())
    }
}

/// Finds them, and refuses paths that lead nowhere.
pub(super) fn find_files(options: &EvidenceOptions) -> Result<Given, EvidenceError> {
    let (mut files, mut others, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut labels = Vec::new();
    let paths = options.given_paths();
    for (given, source) in options.sources.iter().enumerate() {
        let (path, key) = match source {
            EvidencePath::Any(path) => (path, None),
            EvidencePath::OneKey { key, .. } if KeyArn::parse(key).is_none() => {
                return Err(EvidenceError::ListKey(key.clone()));
            }
            EvidencePath::OneKey { key, path } => (path, Some(Arc::from(key.as_str()))),
        };
        names.push(key.iter().map(|key| format!("{key}=")).chain([paths.name(path)]).collect());
        let metadata = fs::metadata(path).map_err(|error| failed(path, error))?;
        let is_named = metadata.is_file();
        let mut found = match is_named {
            true => FoundFiles { files: vec![(path.clone(), metadata.len())], others: Vec::new() },
            false => walk(path)?,
        };
        if found.files.is_empty() && found.others.is_empty() {
            return Err(EvidenceError::NoFiles(path.clone()));
        }
        found.files.sort();
        for (path, len) in found.files {
            labels.push(format!("{given} {key:?} {:?}", path.file_name()));
            let number = files.len() as u32;
            files.push(EvidenceFile { given, number, path, len, key: key.clone(), is_named });
        }
        others.extend(found.others);
    }
    Ok(Given { files, others, names, labels: Labels(labels) })
}

/// What is below a folder.
#[derive(Default)]
struct FoundFiles {
    /// Regular files and their lengths.
    files: Vec<(PathBuf, u64)>,
    others: Vec<(PathBuf, &'static str)>,
}

/// Links are not followed: they can lead anywhere, and in circles.
fn walk(folder: &Path) -> Result<FoundFiles, EvidenceError> {
    let (mut found, mut folders) = (FoundFiles::default(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let failed_here = |error: io::Error| failed(&folder, error);
        for entry in fs::read_dir(&folder).map_err(failed_here)? {
            let entry = entry.map_err(failed_here)?;
            let path = entry.path();
            let failed_there = |error: io::Error| failed(&path, error);
            match entry.file_type().map_err(failed_there)? {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_file() => {
                    let len = entry.metadata().map_err(failed_there)?.len();
                    found.files.push((path, len));
                }
                kind => found.others.push((path, why_unread(kind))),
            }
        }
    }
    Ok(found)
}

fn why_unread(kind: FileType) -> &'static str {
    match kind.is_symlink() {
        true => "it is a link, and links in folders are not followed: give what it leads to by itself",
        false => "it is a pipe, a socket or a device",
    }
}

fn failed(path: &Path, error: io::Error) -> EvidenceError {
    EvidenceError::Path { path: path.to_owned(), error }
}

/// Why a file is no evidence, or was not read to its end.
pub(super) enum Stop {
    /// It is nothing that is read here.
    Unknown {
        content: Content,
        why: String,
    },
    /// The same, and it is known that this is no evidence.
    Passed(Passed),
    Fault {
        what: &'static str,
        why: String,
    },
    Error(EvidenceError),
}

impl Stop {
    /// Looks at the place of a file that was found in a folder as well.
    pub(super) fn in_place_of(self, file: &EvidenceFile) -> Self {
        match self {
            Self::Unknown { content, why } if !file.is_named => {
                let passed = recognise::passed(&file.path, &content);
                passed.map_or(Self::Unknown { content, why }, Self::Passed)
            }
            stop => stop,
        }
    }
}

impl From<UnitFault> for Stop {
    fn from(fault: UnitFault) -> Self {
        Self::Fault { what: "evidence_damaged", why: fault.to_string() }
    }
}

impl From<FileFault> for Stop {
    fn from(fault: FileFault) -> Self {
        UnitFault::File(fault).into()
    }
}

impl From<RowFault> for Stop {
    fn from(fault: RowFault) -> Self {
        Self::Fault { what: "evidence_bad_record", why: fault.why().to_owned() }
    }
}

impl From<JoinError> for Stop {
    fn from(error: JoinError) -> Self {
        Self::Error(error.into())
    }
}

impl From<TooManyKeys> for Stop {
    fn from(error: TooManyKeys) -> Self {
        Self::Error(error.into())
    }
}

/// A longer line is none.
const MAX_LINE_LEN: usize = 1 << 20;

/// The lines of a text.
pub(super) struct Lines {
    stream: TextStream,
    buffer: Vec<u8>,
    unread: Range<usize>,
}

impl Lines {
    const BUFFER_LEN: usize = 1 << 17;

    pub(super) fn new(file: Arc<SourceFile>) -> Result<Self, FileFault> {
        Ok(Self { stream: TextStream::new(file, false)?, buffer: vec![0; Self::BUFFER_LEN], unread: 0..0 })
    }

    /// The beginning of what has not been read; nothing at the end.
    fn peek(&mut self) -> Result<&[u8], FileFault> {
        if self.unread.is_empty() {
            let read = self.stream.read(&mut self.buffer)?;
            self.unread = 0..read;
        }
        Ok(&self.buffer[self.unread.clone()])
    }

    /// Reads the next line without its end; says no at the end of the text.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, Stop> {
        line.clear();
        loop {
            let unread = self.peek()?;
            if unread.is_empty() {
                return Ok(!line.is_empty());
            }
            let (taken, is_whole) = match memchr(b'\n', unread) {
                Some(newline) => (newline, true),
                None => (unread.len(), false),
            };
            if line.len() + taken > MAX_LINE_LEN {
                return Err(Stop::Fault { what: "evidence_bad_record", why: "a line is longer than 1 MiB".into() });
            }
            line.extend_from_slice(&unread[..taken]);
            self.unread.start += taken + usize::from(is_whole);
            if is_whole {
                return Ok(true);
            }
        }
    }
}

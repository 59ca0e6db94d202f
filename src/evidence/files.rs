//! The files of evidence: where they are, and why one cannot be used.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::memchr;

use super::{EvidenceError, EvidenceOptions, EvidencePath, TooManyKeys, heads};
use crate::batch::RowFault;
use crate::escape::escape;
use crate::hashes::sha256::Sha256;
use crate::join::JoinError;
use crate::policy::KeyArn;
use crate::readers::UnitFault;
use crate::source::{FileFault, SourceFile, TextStream, hex};

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
    /// The paths as they were given, harmless to show.
    pub(super) names: Vec<String>,
    /// Of the lengths and names of all files.
    pub(super) fingerprint: String,
}

/// Finds them, and refuses paths that lead nowhere.
pub(super) fn find_files(options: &EvidenceOptions) -> Result<Given, EvidenceError> {
    let (mut files, mut names, mut lengths) = (Vec::new(), Vec::new(), Sha256::new());
    for (given, source) in options.sources.iter().enumerate() {
        let (path, key) = match source {
            EvidencePath::Any(path) => (path, None),
            EvidencePath::OneKey { key, .. } if KeyArn::parse(key).is_none() => {
                return Err(EvidenceError::ListKey(key.clone()));
            }
            EvidencePath::OneKey { key, path } => (path, Some(Arc::from(key.as_str()))),
        };
        names.push(key.iter().map(|key| format!("{key}=")).chain([shown(path)]).collect());
        let failed = |error: io::Error| EvidenceError::Path { path: path.clone(), why: error.to_string() };
        let mut found = Vec::new();
        let metadata = fs::metadata(path).map_err(failed)?;
        let is_named = metadata.is_file();
        match is_named {
            true => found.push((path.clone(), metadata.len())),
            false => walk(path, &mut found).map_err(failed)?,
        }
        if found.is_empty() {
            return Err(EvidenceError::Path { path: path.clone(), why: "the folder holds no files".into() });
        }
        found.sort();
        lengths.update(format!("{key:?} {}\n", found.len()));
        for (path, len) in found {
            lengths.update(format!("{len} {}\n", path.file_name().unwrap_or_default().display()));
            let number = files.len() as u32;
            files.push(EvidenceFile { given, number, path, len, key: key.clone(), is_named });
        }
    }
    Ok(Given { files, names, fingerprint: hex(&lengths.finish()) })
}

/// All regular files below a folder. Links are not followed: they can lead anywhere, and in circles.
fn walk(folder: &Path, found: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push((entry.path(), entry.metadata()?.len()));
            }
        }
    }
    Ok(())
}

/// A path, harmless to show.
pub(super) fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes()).into_owned()
}

/// Why a file is no evidence, or was not read to its end.
pub(super) enum Stop {
    /// It is something else.
    NoEvidence,
    Fault {
        what: &'static str,
        why: String,
    },
    Error(EvidenceError),
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
    pub(super) fn peek(&mut self) -> Result<&[u8], FileFault> {
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
            if line.len() + taken > heads::MAX_LINE_LEN {
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

/// The text as it stands; a fault of the file is the cause of the error.
impl io::Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let unread = self.peek().map_err(io::Error::other)?;
        let len = unread.len().min(buffer.len());
        buffer[..len].copy_from_slice(&unread[..len]);
        self.unread.start += len;
        Ok(len)
    }
}

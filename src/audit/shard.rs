//! `partial.json`: what a shard leaves for merging, sealed.
//!
//! ```text
//! {"schema":"logseal.partial/2","partial":{...},"sha256":"..."}
//! ```
//!
//! The seal is the SHA-256 of everything before it, byte for byte: no byte can change without being noticed. It holds the
//! length and the hash of every other file that is read for merging, so the seal is theirs, too. It shows damage and
//! mistakes, and not forgery: whoever can write the file can seal it again.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::{self};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::AuditFacts;
use super::Run;
use crate::escape::hex::hex;
use crate::hashes::sha256::{Hashing, Sha256};
use crate::partial::Partial;
use crate::plan::{Shard, UnitId};
use crate::remediation::Group;
use crate::sinks::{List, PARTIAL_FILE, UnitLengthList, UnitLengths};
use crate::source::{FileFault, SourceFile};
use crate::store;

const HEAD: &str = r#"{"schema":"logseal.partial/2","partial":"#;
const FOOT: &str = r#","sha256":""#;
const END: &str = "\"}\n";
const SEAL_LEN: usize = 64;
const TAIL_LEN: usize = FOOT.len() + SEAL_LEN + END.len();
/// How those of all versions begin.
const ANY_HEAD: &str = r#"{"schema":"logseal.partial/"#;
/// How those begin that are not sealed.
const UNSEALED_HEAD: &str = r#"{"schema":"logseal.partial/1","#;

/// Some of the shards of a division.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shards {
    pub(super) of: u32,
    /// Their numbers, from 1 on.
    pub(super) numbers: BTreeSet<u32>,
}

/// What `partial.json` holds.
#[derive(Serialize, Deserialize)]
pub(super) struct ShardFile<'r> {
    pub(super) shards: Shards,
    pub(super) facts: Cow<'r, AuditFacts>,
    pub(super) started_at: i64,
    pub(super) finished_at: i64,
    pub(super) elapsed_ms: u64,
    pub(super) lengths: UnitLengthList,
    /// In the order of [`List::ALL`].
    pub(super) lists: [FileSeal; List::ALL.len()],
    /// The files of objects that are put right together, in order.
    pub(super) files: Vec<ShardGroupFile>,
    pub(super) partial: Cow<'r, Partial>,
}

/// What a file of a shard must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileSeal {
    pub(super) len: u64,
    pub(super) sha256: String,
}

/// A file of objects that are put right together, as a shard wrote it.
#[derive(Serialize, Deserialize)]
pub(super) struct ShardGroupFile {
    pub(super) group: Group,
    /// Where it is in the folder of all remediation.
    pub(super) path: String,
    pub(super) rows: u64,
    pub(super) seal: FileSeal,
}

impl From<Shard> for Shards {
    fn from(shard: Shard) -> Self {
        Self { of: shard.of(), numbers: BTreeSet::from([shard.number()]) }
    }
}

impl Shards {
    /// Whether there can be such shards.
    pub(super) fn is_sound(&self) -> bool {
        !self.numbers.is_empty() && self.numbers.iter().all(|number| (1..=self.of).contains(number))
    }

    pub(super) fn holds(&self, unit: UnitId) -> bool {
        unit.0.checked_rem(self.of).is_some_and(|rest| self.numbers.contains(&(rest + 1)))
    }

    /// How many of so many units are theirs.
    pub(super) fn count(&self, units: u64) -> u64 {
        let of = u64::from(self.of.max(1));
        self.numbers.iter().map(|number| units / of + u64::from(u64::from(*number) <= units % of)).sum()
    }
}

impl<'r> ShardFile<'r> {
    pub(super) fn new(
        (facts, partial): (&'r AuditFacts, &'r Partial),
        run: &Run,
        (shards, lengths): (Shards, UnitLengths<Group>),
        lists: [FileSeal; List::ALL.len()],
        files: Vec<ShardGroupFile>,
    ) -> Self {
        Self {
            shards,
            facts: Cow::Borrowed(facts),
            started_at: run.started_at.as_millis(),
            finished_at: run.finished_at.as_millis(),
            elapsed_ms: run.elapsed_ms,
            lengths: lengths.into(),
            lists,
            files,
            partial: Cow::Borrowed(partial),
        }
    }

    /// Writes it down and seals it.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut sealing = Hashing::new(&mut *out);
        let mut text = BufWriter::new(&mut sealing);
        text.write_all(HEAD.as_bytes())?;
        serde_json::to_writer(&mut text, self)?;
        text.flush()?;
        drop(text);
        let seal = hex(&sealing.into_hasher().finish());
        write!(out, "{FOOT}{seal}{END}")
    }
}

impl ShardFile<'static> {
    /// Reads the one of a folder, if it is as it was sealed.
    pub(super) fn read(folder: &Path) -> Result<Self, Broken> {
        Self::unseal(&open_own(folder, PARTIAL_FILE.as_ref())?)
    }

    /// What is not as it was sealed is not even parsed; and what is parsed is hashed once more, should somebody be writing.
    fn unseal(file: &SourceFile) -> Result<Self, Broken> {
        let mut head = vec![0; HEAD.len().min(file.len() as usize)];
        file.read_exact_at(&mut head, 0).map_err(FileFault::from)?;
        if head != HEAD.as_bytes() {
            return Err(Broken::of_head(&head));
        }
        let text_len = file.len().checked_sub((HEAD.len() + TAIL_LEN) as u64).ok_or(Broken::Seal)?;
        let mut tail = [0; TAIL_LEN];
        file.read_exact_at(&mut tail, HEAD.len() as u64 + text_len).map_err(FileFault::from)?;
        let check = |text: Hashing<io::Take<At<'_>>>| {
            let seal = hex(&text.into_hasher().finish());
            if tail == *format!("{FOOT}{seal}{END}").as_bytes() { Ok(()) } else { Err(Broken::Seal) }
        };
        let text = || Hashing::behind(HEAD.as_bytes(), At { file, position: HEAD.len() as u64 }.take(text_len));
        let mut hashed = text();
        io::copy(&mut hashed, &mut io::sink()).map_err(FileFault::from)?;
        check(hashed)?;
        let mut parsed = BufReader::with_capacity(1 << 16, text());
        let mut json = serde_json::Deserializer::from_reader(&mut parsed);
        let shard = Self::deserialize(&mut json).and_then(|shard| json.end().map(|()| shard));
        let shard = shard.map_err(|error| Broken::Content(error.into()))?;
        check(parsed.into_inner())?;
        file.check_unchanged()?;
        Ok(shard)
    }
}

/// Why a file is no sealed partial.
pub(super) enum Broken {
    File(FileFault),
    /// It is not as it was sealed.
    Seal,
    /// Version 0.1.0 wrote it.
    Unsealed,
    Content(NoPartial),
}

/// Why `partial.json` is none of this version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoPartial {
    /// It begins like one of another version.
    #[error("another version wrote it")]
    Version,
    /// It begins like something else.
    #[error("it does not begin like one")]
    Beginning,
    /// What it holds cannot be read.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// What it says does not add up.
    #[error("{0}")]
    Sums(&'static str),
}

impl Broken {
    fn of_head(head: &[u8]) -> Self {
        if head.starts_with(UNSEALED_HEAD.as_bytes()) {
            return Self::Unsealed;
        }
        let is_partial = head.starts_with(ANY_HEAD.as_bytes());
        Self::Content(if is_partial { NoPartial::Version } else { NoPartial::Beginning })
    }
}

impl From<FileFault> for Broken {
    fn from(fault: FileFault) -> Self {
        Self::File(fault)
    }
}

/// A file, read on from a position.
struct At<'f> {
    file: &'f SourceFile,
    position: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// Opens a regular file of a folder that was given. What is in it is its own: a link may lead anywhere, and what it leads
/// to may change.
pub(super) fn open_own(folder: &Path, path: &Path) -> Result<SourceFile, FileFault> {
    let mut whole = folder.to_owned();
    for part in path {
        whole.push(part);
        if fs::symlink_metadata(&whole)?.is_symlink() {
            return Err(FileFault::Unreadable(io::Error::other("it is a link")));
        }
    }
    SourceFile::open(&whole, None)
}

/// What a file that was written is to those who read it for merging.
pub(super) fn seal(path: &Path) -> io::Result<FileSeal> {
    let (mut hasher, mut len) = (Sha256::new(), 0);
    let mut file = BufReader::with_capacity(1 << 18, store::read_back(path)?);
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(FileSeal { len, sha256: hex(&hasher.finish()) });
        }
        hasher.update(bytes);
        let read = bytes.len();
        len += read as u64;
        file.consume(read);
    }
}

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
use std::fs;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use memchr::memchr_iter;
use serde::{Deserialize, Serialize};

use super::{MergeJobError, sums};
use crate::audit::{Findings, preamble};
use crate::hashes::sha256::Sha256;
use crate::partial::Partial;
use crate::plan::{Shard, UnitId};
use crate::remediation::Group;
use crate::report::{AuditFacts, Run};
use crate::sinks::{List, UnitLengthList, UnitLengths};
use crate::source::{FileFault, SourceFile, hex};

/// What a shard leaves for merging.
pub const PARTIAL_FILE: &str = "partial.json";

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
pub(crate) struct Shards {
    pub(super) of: u32,
    /// Their numbers, from 1 on.
    pub(super) numbers: BTreeSet<u32>,
}

/// What `partial.json` holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct ShardFile<'r> {
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
pub(crate) struct FileSeal {
    pub(crate) len: u64,
    pub(crate) sha256: String,
}

/// A file of objects that are put right together, as a shard wrote it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ShardGroupFile {
    pub(crate) group: Group,
    /// Where it is in the folder of all remediation.
    pub(crate) path: String,
    pub(crate) rows: u64,
    pub(crate) seal: FileSeal,
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
    pub(crate) fn new(
        result: &'r Findings,
        run: &Run,
        (shards, lengths): (Shards, UnitLengths<Group>),
        lists: [FileSeal; List::ALL.len()],
        files: Vec<ShardGroupFile>,
    ) -> Self {
        Self {
            shards,
            facts: Cow::Borrowed(&result.facts),
            started_at: run.started_at.as_millis(),
            finished_at: run.finished_at.as_millis(),
            elapsed_ms: run.elapsed_ms,
            lengths: lengths.into(),
            lists,
            files,
            partial: Cow::Borrowed(&result.partial),
        }
    }

    /// Writes it down and seals it.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut sealing = Hashing { inner: &mut *out, hasher: Sha256::new() };
        let mut text = BufWriter::new(&mut sealing);
        text.write_all(HEAD.as_bytes())?;
        serde_json::to_writer(&mut text, self)?;
        text.flush()?;
        drop(text);
        let seal = hex(&sealing.hasher.finish());
        write!(out, "{FOOT}{seal}{END}")
    }
}

impl ShardFile<'static> {
    /// Reads the one of a folder. Its counts add up, and its units are those that its shards have.
    pub(super) fn read(folder: &Path) -> Result<Self, MergeJobError> {
        let path = folder.join(PARTIAL_FILE);
        let opened = open_own(folder, PARTIAL_FILE.as_ref());
        let file = opened.map_err(|fault| match fault {
            FileFault::Missing => MergeJobError::NoShard(folder.to_owned()),
            fault => MergeJobError::Read { path: path.clone(), fault },
        })?;
        let shard = Self::unseal(&file).map_err(|broken| match broken {
            Broken::File(fault) => MergeJobError::Read { path: path.clone(), fault },
            Broken::Seal => MergeJobError::Changed(path.clone()),
            Broken::Unsealed => MergeJobError::Unsealed(path.clone()),
            Broken::Content(why) => MergeJobError::NoPartial { path: path.clone(), why },
        })?;
        sums::check(&shard).map_err(|why| MergeJobError::NoPartial { path, why: why.to_owned() })?;
        Ok(shard)
    }

    /// What is added up, and what is joined.
    pub(super) fn into_parts(self) -> (AuditFacts, Partial, ListsOfShard) {
        let (facts, partial) = (self.facts.into_owned(), self.partial.into_owned());
        let preambles = List::ALL.map(|list| preamble(list, &facts));
        let mut lines = sums::lines(&partial);
        for (lines, preamble) in lines.iter_mut().zip(&preambles) {
            *lines = lines.saturating_add(memchr_iter(b'\n', preamble).count() as u64);
        }
        let lists = ListsOfShard {
            preambles: preambles.map(|preamble| preamble.len() as u64),
            lines,
            lengths: self.lengths.into(),
            seals: self.lists,
            files: self.files,
        };
        (facts, partial, lists)
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
            let seal = hex(&text.hasher.finish());
            if tail == *format!("{FOOT}{seal}{END}").as_bytes() { Ok(()) } else { Err(Broken::Seal) }
        };
        let text = || Hashing::after_head(At { file, position: HEAD.len() as u64 }.take(text_len));
        let mut hashed = text();
        io::copy(&mut hashed, &mut io::sink()).map_err(FileFault::from)?;
        check(hashed)?;
        let mut parsed = BufReader::with_capacity(1 << 16, text());
        let mut json = serde_json::Deserializer::from_reader(&mut parsed);
        let shard = Self::deserialize(&mut json).and_then(|shard| json.end().map(|()| shard));
        let shard = shard.map_err(|error| Broken::Content(error.to_string()))?;
        check(parsed.into_inner())?;
        file.check_unchanged()?;
        Ok(shard)
    }
}

/// The lists of a shard.
pub(super) struct ListsOfShard {
    /// How many bytes stand before the first unit's lines.
    pub(super) preambles: [u64; List::ALL.len()],
    /// How many lines there are, with these.
    pub(super) lines: [u64; List::ALL.len()],
    /// How much is each unit's.
    pub(super) lengths: UnitLengths<Group>,
    pub(super) seals: [FileSeal; List::ALL.len()],
    /// The files of objects that are put right together, in order.
    pub(super) files: Vec<ShardGroupFile>,
}

/// Why a file is no sealed partial.
enum Broken {
    File(FileFault),
    /// It is not as it was sealed.
    Seal,
    /// Version 0.1.0 wrote it.
    Unsealed,
    Content(String),
}

impl Broken {
    fn of_head(head: &[u8]) -> Self {
        if head.starts_with(UNSEALED_HEAD.as_bytes()) {
            return Self::Unsealed;
        }
        let is_partial = head.starts_with(ANY_HEAD.as_bytes());
        Self::Content(if is_partial { "another version wrote it" } else { "it does not begin like one" }.to_owned())
    }
}

impl From<FileFault> for Broken {
    fn from(fault: FileFault) -> Self {
        Self::File(fault)
    }
}

/// Hashes what goes through it.
struct Hashing<T> {
    inner: T,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

impl<T> Hashing<T> {
    fn after_head(inner: T) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(HEAD);
        Self { inner, hasher }
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

//! Files on disk: open, read, hash, inflate to the true end.
//!
//! Everything that is read goes through here. Files are read, never mapped: a file that shrinks while we look at it gives
//! a fault, not a signal. Size and time of change are noted at the start and compared at the end.

mod given;
mod inflate;
/// What operating systems do in ways of their own.
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;
mod unicode;

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

pub(crate) use given::GivenPaths;
pub(crate) use inflate::{GzipReader, Room as InflateRoom, is_damage as is_gzip_damage};
use md5::{Digest, Md5 as Md5Hasher};
pub(crate) use system::Folder;
pub(crate) use unicode::unicode;

pub use crate::hashes::md5::Md5;
use crate::hashes::{
    BLOCK_LEN,
    content::ContentHash,
    md5::{Lane, MAX_LANES, update_all},
};
use crate::work::lock;

/// What is at a path; nothing only if nothing of that name is there. What is there and cannot be looked at is an error, and
/// so is a link that leads nowhere.
pub(crate) fn look_at(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => fs::metadata(path).map(Some),
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file that somebody named, whatever it is: also a pipe.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// What such a file holds.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path)
}

/// The same if it is not longer than it may be.
pub(crate) fn read_up_to(path: &Path, max_len: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    open(path)?.take(max_len.saturating_add(1)).read_to_end(&mut text)?;
    match text.len() as u64 > max_len {
        false => Ok(text),
        true => Err(io::Error::other(format!("it has more than {max_len} bytes"))),
    }
}

/// Why a file could not be examined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// It is not there.
    #[error("the file is not there")]
    Missing,
    /// It is a folder, a pipe or a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// The operating system refused.
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It is shorter or longer than it should be.
    #[error("it has {found} bytes, and the manifest says {expected}")]
    Size {
        /// What the manifest says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// Its bytes are not those that were delivered.
    #[error("its MD5 is {found}, and the manifest says {expected}")]
    Checksum {
        /// What the manifest says.
        expected: Md5,
        /// What is there.
        found: Md5,
    },
    /// It changed while it was read.
    #[error("it changed while it was read")]
    Changed,
    /// It is called `.gz` and is no gzip file.
    #[error("it is called .gz and is no gzip file")]
    NotGzip,
    /// Its compressed form is damaged, cut off or followed by something else.
    #[error("it cannot be inflated: {0}")]
    Inflate(#[source] io::Error),
}

impl FileFault {
    /// The name of the fault in `faults.jsonl`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "unit_missing",
            Self::NotAFile | Self::Unreadable(_) => "unit_unreadable",
            Self::Size { .. } => "unit_wrong_size",
            Self::Checksum { .. } => "unit_wrong_checksum",
            Self::Changed => "unit_changed",
            Self::NotGzip | Self::Inflate(_) => "unit_damaged",
        }
    }
}

impl From<io::Error> for FileFault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Unreadable(error),
        }
    }
}

/// A file that is open, and what it looked like then.
#[derive(Debug)]
pub struct SourceFile {
    file: File,
    len: u64,
    modified: Option<SystemTime>,
    /// Of what was read from the beginning on.
    content: Option<Box<Mutex<Prefix>>>,
}

/// The hash of the beginning of a file.
struct Prefix {
    hash: ContentHash,
    len: u64,
}

impl Prefix {
    /// Goes on with bytes of the file that were read at an offset, as far as they are new.
    fn extend(&mut self, bytes: &[u8], offset: u64) {
        let known = self.len.checked_sub(offset).and_then(|known| usize::try_from(known).ok());
        if let Some(new) = known.and_then(|known| bytes.get(known..)) {
            self.hash.update(new);
            self.len += new.len() as u64;
        }
    }
}

impl std::fmt::Debug for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prefix").field("len", &self.len).finish_non_exhaustive()
    }
}

impl SourceFile {
    /// Opens a regular file; `expected_len` is what the manifest says of its size.
    pub fn open(path: &Path, expected_len: Option<u64>) -> Result<Self, FileFault> {
        Self::new(system::open(path)?, expected_len)
    }

    /// The same for a file of a folder; a link is none.
    pub(crate) fn open_in(folder: &Folder, name: &OsStr) -> Result<Self, FileFault> {
        Self::new(folder.open_file(name)?, None)
    }

    fn new(file: File, expected_len: Option<u64>) -> Result<Self, FileFault> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(FileFault::NotAFile);
        }
        let found = metadata.len();
        match expected_len {
            Some(expected) if expected != found => Err(FileFault::Size { expected, found }),
            _ => Ok(Self { file, len: found, modified: metadata.modified().ok(), content: None }),
        }
    }

    /// Hashes the file while it is read.
    #[must_use]
    pub(crate) fn hashed(self) -> Self {
        Self { content: Some(Box::new(Mutex::new(Prefix { hash: ContentHash::default(), len: 0 }))), ..self }
    }

    /// The hash of the whole file. What was not read, or not in order, is read now.
    pub(crate) fn into_hash(self) -> Result<[u8; 32], FileFault> {
        let file = if self.content.is_some() { self } else { self.hashed() };
        let hashed = || file.content.as_ref().map_or(0, |content| lock(content).len);
        file.read_through(hashed(), u64::MAX, &mut |_| ())?;
        file.check_unchanged()?;
        match file.content {
            Some(content) => Ok(content.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).hash.finish()),
            None => Ok(ContentHash::default().finish()),
        }
    }

    /// The hash of some of its bytes.
    pub(crate) fn hash_of(&self, range: Range<u64>) -> Result<[u8; 32], FileFault> {
        let mut hash = ContentHash::default();
        self.read_through(range.start, range.end, &mut |bytes| hash.update(bytes))?;
        Ok(hash.finish())
    }

    /// Reads from a position to another, or to the end of the file.
    fn read_through(&self, mut from: u64, until: u64, each: &mut dyn FnMut(&[u8])) -> Result<(), FileFault> {
        let mut buffer = vec![0; READ_LEN];
        while from < until {
            let wanted = usize::try_from(until - from).map_or(READ_LEN, |left| left.min(READ_LEN));
            match self.read_at(&mut buffer[..wanted], from)? {
                0 => break,
                read => {
                    each(&buffer[..read]);
                    from += read as u64;
                }
            }
        }
        Ok(())
    }

    /// Its size in bytes when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it was empty when it was opened.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads up to `buffer.len()` bytes from a position, without moving any other reader.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match system::read_at(&self.file, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    if let (Some(content), Ok(read)) = (&self.content, &result) {
                        lock(content).extend(&buffer[..*read], offset);
                    }
                    return result;
                }
            }
        }
    }

    /// Fills `buffer` from a position.
    pub fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let read = self.read_at(buffer, offset)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[read..];
            offset += read as u64;
        }
        Ok(())
    }

    /// Fails when size or time of change are no longer what they were.
    pub fn check_unchanged(&self) -> Result<(), FileFault> {
        let now = self.file.metadata()?;
        if now.len() == self.len && now.modified().ok() == self.modified { Ok(()) } else { Err(FileFault::Changed) }
    }
}

/// A whole file and the checksum that it should have.
#[derive(Clone, Copy, Debug)]
pub struct Checksum<'f> {
    /// The file.
    pub file: &'f SourceFile,
    /// What the manifest says.
    pub expected: Md5,
}

impl<'f> Checksum<'f> {
    /// More files than this at a time gain nothing.
    pub const MAX_TOGETHER: usize = MAX_LANES;

    /// Reads the whole file and compares its MD5; `cancelled` is asked now and then and ends the work early.
    pub fn check(self, cancelled: &dyn Fn() -> bool) -> Result<(), FileFault> {
        let mut checked = Ok(());
        Self::check_all(&[self], cancelled, &mut |_, result| checked = result);
        checked
    }

    /// Checks files side by side, which takes hardly longer than the longest of them. Each result is handed over, with
    /// the position of its file, as soon as it is there.
    pub fn check_all(
        checksums: &[Self],
        cancelled: &dyn Fn() -> bool,
        each: &mut dyn FnMut(usize, Result<(), FileFault>),
    ) {
        let files: Vec<&SourceFile> = checksums.iter().map(|checksum| checksum.file).collect();
        hash_all(&files, cancelled, &mut |at, hashed| each(at, hashed.and_then(|found| checksums[at].compare(found))));
    }

    fn compare(self, found: Md5) -> Result<(), FileFault> {
        let expected = self.expected;
        if found == expected { Ok(()) } else { Err(FileFault::Checksum { expected, found }) }
    }
}

/// Hashes whole files side by side, like [`Checksum::check_all`].
pub(crate) fn hash_all(
    files: &[&SourceFile],
    cancelled: &dyn Fn() -> bool,
    each: &mut dyn FnMut(usize, Result<Md5, FileFault>),
) {
    let mut files: Vec<(usize, HashedFile<'_>)> = files.iter().map(|file| HashedFile::new(file)).enumerate().collect();
    while !files.is_empty() && !cancelled() {
        for (at, file) in files.extract_if(.., |(_, file)| !file.fill()) {
            each(at, file.finish());
        }
        let mut lanes: Vec<Lane> = files.iter().map(|(_, file)| file.lane).collect();
        let unhashed: Vec<&[u8]> = files.iter().map(|(_, file)| file.unhashed()).collect();
        update_all(&mut lanes, &unhashed);
        for ((_, file), lane) in files.iter_mut().zip(lanes) {
            file.take_hashed(lane);
        }
    }
}

/// A file on its way through a hash.
struct HashedFile<'f> {
    file: &'f SourceFile,
    lane: Lane,
    buffer: Vec<u8>,
    /// The bytes of the buffer that are read and not hashed.
    unhashed: Range<usize>,
    offset: u64,
    error: Option<io::Error>,
}

impl<'f> HashedFile<'f> {
    fn new(file: &'f SourceFile) -> Self {
        Self { file, lane: Lane::NEW, buffer: vec![0; HASHED_LEN], unhashed: 0..0, offset: 0, error: None }
    }

    fn unhashed(&self) -> &[u8] {
        &self.buffer[self.unhashed.clone()]
    }

    /// Makes sure that there is a whole block to hash; says no at the end of the file.
    fn fill(&mut self) -> bool {
        while self.unhashed.len() < BLOCK_LEN {
            let kept = self.unhashed.len();
            self.buffer.copy_within(self.unhashed.clone(), 0);
            self.unhashed = 0..kept;
            match self.file.read_at(&mut self.buffer[kept..], self.offset) {
                Ok(0) => return false,
                Ok(read) => {
                    self.unhashed.end += read;
                    self.offset += read as u64;
                }
                Err(error) => {
                    self.error = Some(error);
                    return false;
                }
            }
        }
        true
    }

    /// Notes the state of a lane that has hashed more blocks of this file.
    fn take_hashed(&mut self, lane: Lane) {
        self.unhashed.start += lane.bytes_since(&self.lane);
        self.lane = lane;
    }

    /// The checksum of a file that was read to its end.
    fn finish(self) -> Result<Md5, FileFault> {
        if let Some(error) = self.error {
            return Err(error.into());
        }
        self.file.check_unchanged()?;
        Ok(self.lane.finish(&self.buffer[self.unhashed]))
    }
}

/// How much is read from a file at a time: enough to make system calls cheap, little enough to stay in the cache while
/// it is inflated or hashed.
const READ_LEN: usize = 128 << 10;
/// The same for files that are hashed side by side.
const HASHED_LEN: usize = 32 << 10;

/// The text of a file, inflated if it is compressed.
pub struct TextStream(Decoder);

enum Decoder {
    Plain(FileReader),
    Gzip(GzipReader<FileReader>),
}

impl TextStream {
    /// A gzip file is known by its first bytes; `called_gz` insists on one.
    pub fn new(file: Arc<SourceFile>, called_gz: bool) -> Result<Self, FileFault> {
        let mut magic = [0; 2];
        let is_gzip = file.read_at(&mut magic, 0)? == 2 && magic == [0x1f, 0x8b];
        if called_gz && !is_gzip {
            return Err(FileFault::NotGzip);
        }
        let reader = FileReader { file, offset: 0 };
        Ok(Self(if is_gzip { Decoder::Gzip(GzipReader::new(reader)) } else { Decoder::Plain(reader) }))
    }

    /// Reads on; 0 bytes mean the end, which is reported only if the file ends properly and did not change.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FileFault> {
        self.read_each(buffer, 0, &mut |_| ())
    }

    /// The same into `buffer[from..]`. Whenever there is some more, `each` sees the buffer so far: what is new of it is
    /// still in the nearer caches.
    pub(crate) fn read_each(
        &mut self,
        buffer: &mut [u8],
        from: usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, FileFault> {
        let read = match &mut self.0 {
            Decoder::Plain(reader) => reader.read_each(buffer, from, each).map_err(FileFault::Unreadable),
            Decoder::Gzip(decoder) => decoder.read_each(buffer, from, each).map_err(FileFault::Inflate),
        };
        if !matches!(read, Ok(1..)) {
            self.reader().file.check_unchanged()?;
        }
        read
    }

    /// How many bytes of the file have been read.
    pub fn bytes_read(&self) -> u64 {
        self.reader().offset
    }

    fn reader(&self) -> &FileReader {
        match &self.0 {
            Decoder::Plain(reader) => reader,
            Decoder::Gzip(decoder) => decoder.reader(),
        }
    }
}

/// Reads a file from start to end.
struct FileReader {
    file: Arc<SourceFile>,
    offset: u64,
}

impl FileReader {
    fn read_each(&mut self, buffer: &mut [u8], from: usize, each: &mut dyn FnMut(&[u8])) -> io::Result<usize> {
        let end = buffer.len().min(from + READ_LEN);
        let read = self.read(&mut buffer[from..end])?;
        each(&buffer[..from + read]);
        Ok(read)
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Reads a file from start to end through a buffer that outlives it: many small files are read with one.
pub(crate) struct BufferedFile {
    file: SourceFile,
    offset: u64,
    buffer: Vec<u8>,
    unread: Range<usize>,
}

impl BufferedFile {
    /// The usual length of the buffer.
    pub(crate) const BUFFER_LEN: usize = READ_LEN;

    /// Reads with this buffer, which must not be empty.
    pub(crate) fn new(file: SourceFile, buffer: Vec<u8>) -> Self {
        Self { file, offset: 0, buffer, unread: 0..0 }
    }

    /// How many bytes of the file are behind us.
    pub(crate) fn position(&self) -> u64 {
        self.offset - self.unread.len() as u64
    }

    /// Goes on so many bytes further, which may be behind the end.
    pub(crate) fn skip(&mut self, len: u64) {
        match usize::try_from(len) {
            Ok(len) if len <= self.unread.len() => self.unread.start += len,
            _ => {
                self.offset = self.position().saturating_add(len);
                self.unread = 0..0;
            }
        }
    }

    /// Gives the buffer back, and fails when the file has changed since it was opened.
    pub(crate) fn finish(self) -> (Vec<u8>, Result<(), FileFault>) {
        let unchanged = self.file.check_unchanged();
        (self.buffer, unchanged)
    }
}

impl BufRead for BufferedFile {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // Whether it has grown since is asked in the end.
        let is_at_end = self.offset >= self.file.len() && !self.file.is_empty();
        if self.unread.is_empty() && !is_at_end {
            let read = self.file.read_at(&mut self.buffer, self.offset)?;
            self.unread = 0..read;
            self.offset += read as u64;
        }
        Ok(&self.buffer[self.unread.clone()])
    }

    fn consume(&mut self, amount: usize) {
        self.unread.start = (self.unread.start + amount).min(self.unread.end);
    }
}

impl Read for BufferedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let read = available.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// Hashes what is read through it.
pub(crate) struct HashingReader {
    file: SourceFile,
    offset: u64,
    hasher: Md5Hasher,
}

impl HashingReader {
    pub(crate) fn open(path: &Path) -> Result<Self, FileFault> {
        Ok(Self::of(SourceFile::open(path, None)?))
    }

    pub(crate) fn of(file: SourceFile) -> Self {
        Self { file, offset: 0, hasher: Md5Hasher::new() }
    }

    /// Reads to the end and returns the checksum of the whole file.
    pub(crate) fn into_md5(mut self) -> Result<Md5, FileFault> {
        io::copy(&mut BufReader::with_capacity(READ_LEN, &mut self), &mut io::sink())?;
        self.file.check_unchanged()?;
        Ok(Md5::finish(self.hasher))
    }
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn open(bytes: &[u8]) -> SourceFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), bytes).expect("written");
        SourceFile::open(file.path(), None).expect("a file")
    }

    fn read(bytes: &[u8], called_gz: bool) -> Result<Vec<u8>, &'static str> {
        let mut stream = TextStream::new(Arc::new(open(bytes)), called_gz).map_err(|fault| fault.code())?;
        let (mut text, mut buffer) = (Vec::new(), [0; 7]);
        loop {
            match stream.read(&mut buffer).map_err(|fault| fault.code())? {
                0 => return Ok(text),
                len => text.extend_from_slice(&buffer[..len]),
            }
        }
    }

    #[test]
    fn members_are_read_to_the_true_end() {
        let two = [gzip(b"hello "), gzip(b"world")].concat();
        assert_eq!(read(&two, true), Ok(b"hello world".to_vec()));
        assert_eq!(read(b"plain", false), Ok(b"plain".to_vec()));
        assert_eq!(read(b"", false), Ok(Vec::new()));
    }

    #[test]
    fn every_cut_and_every_tail_is_a_fault() {
        let whole = [gzip(b"hello "), gzip(b"world")].concat();
        let members_end = gzip(b"hello ").len();
        for cut in (0..whole.len()).filter(|cut| *cut != members_end) {
            let found = read(&whole[..cut], true);
            assert_eq!(found, Err("unit_damaged"), "cut at {cut}");
        }
        for tail in [&b"\0"[..], b"x", b"\x1f\x8b"] {
            assert_eq!(read(&[&whole, tail].concat(), true), Err("unit_damaged"));
        }
    }

    #[test]
    fn files_of_any_lengths_are_checked_side_by_side() {
        let lengths = [0, 1, 63, 64, 65, HASHED_LEN - 1, HASHED_LEN, HASHED_LEN + 1, 3 * HASHED_LEN + 17];
        for count in 1..=lengths.len() {
            let texts: Vec<Vec<u8>> = lengths[..count].iter().map(|len| vec![*len as u8; *len]).collect();
            let files: Vec<SourceFile> = texts.iter().map(|text| open(text)).collect();
            for wrong in 0..=count {
                let expected = |at: usize| if at == wrong { Md5::of(b"other") } else { Md5::of(&texts[at]) };
                let checksum = |at: usize| Checksum { file: &files[at], expected: expected(at) };
                let checksums: Vec<Checksum<'_>> = (0..count).map(checksum).collect();
                let mut found = vec![None; count];
                Checksum::check_all(&checksums, &|| false, &mut |at, result| found[at] = Some(result.is_ok()));
                assert_eq!(found, (0..count).map(|at| Some(at != wrong)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_file_is_hashed_in_whatever_order_it_is_read() {
        let bytes: Vec<u8> = (0..3 * READ_LEN + 5).map(|at| (at * at / 7) as u8).collect();
        let expected = ContentHash::of(&bytes);
        let len = bytes.len() as u64;
        for reads in
            [&[][..], &[(0, 100), (50, 100), (400, 9)], &[(7, 20)], &[(0, 9), (9, READ_LEN), (0, 3 * READ_LEN)]]
        {
            let file = open(&bytes).hashed();
            for (offset, length) in reads {
                file.read_exact_at(&mut vec![0; *length], *offset).expect("read");
            }
            assert_eq!(file.into_hash().expect("hashed"), expected, "{reads:?}");
        }
        let file = open(&bytes);
        assert_eq!(file.hash_of(0..len).expect("hashed"), expected);
        assert_eq!(file.hash_of(10..20).expect("hashed"), ContentHash::of(&bytes[10..20]));
        assert_eq!(file.into_hash().expect("hashed"), expected);
    }

    #[test]
    fn folders_and_wrong_sizes_are_faults() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("f");
        fs::write(&path, b"four").expect("written");
        let code = |path: &Path, len| SourceFile::open(path, len).map(|file| file.len()).map_err(|fault| fault.code());
        assert_eq!(code(folder.path(), None), Err("unit_unreadable"));
        assert_eq!(code(&folder.path().join("none"), None), Err("unit_missing"));
        assert_eq!(code(&path, Some(5)), Err("unit_wrong_size"));
        assert_eq!(code(&path, Some(4)), Ok(4));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_waits_for_the_writer_of_a_pipe() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo is part of POSIX");
        assert!(made.success());
        assert!(matches!(SourceFile::open(&path, None), Err(FileFault::NotAFile)));
        let opened = Folder::open(folder.path()).expect("a folder");
        assert!(matches!(SourceFile::open_in(&opened, "pipe".as_ref()), Err(FileFault::NotAFile)));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_folder_are_no_files_of_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("file"), b"four").expect("written");
        std::os::unix::fs::symlink("file", folder.path().join("link")).expect("linked");
        let opened = Folder::open(folder.path()).expect("a folder");
        let found = |name: &str| SourceFile::open_in(&opened, name.as_ref()).map(|file| file.len());
        assert!(matches!(found("file"), Ok(4)));
        assert!(matches!(found("link"), Err(FileFault::Unreadable(_))));
        assert!(matches!(found("none"), Err(FileFault::Missing)));
        assert!(Folder::open(&folder.path().join("file")).is_err());
    }
}

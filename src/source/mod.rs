//! Files on disk: open, read, hash, inflate to the true end.
//!
//! Everything that is read goes through here. Files are read, never mapped: a file that shrinks while we look at it gives
//! a fault, not a signal. Size and time of change are noted at the start and compared at the end.

mod md5;

use std::fs::{self, File};
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use ::md5::{Digest, Md5 as Md5Hasher};
use flate2::bufread::MultiGzDecoder;

pub use md5::Md5;
use md5::{BLOCK_LEN, Lane, update_all};

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
}

impl SourceFile {
    /// Opens a regular file; `expected_len` is what the manifest says of its size.
    pub fn open(path: &Path, expected_len: Option<u64>) -> Result<Self, FileFault> {
        // Asked before opening: opening a pipe would wait for its writer.
        if !fs::metadata(path)?.is_file() {
            return Err(FileFault::NotAFile);
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let found = metadata.len();
        match expected_len {
            Some(expected) if expected != found => Err(FileFault::Size { expected, found }),
            _ => Ok(Self { file, len: found, modified: metadata.modified().ok() }),
        }
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
            match positioned_read(&self.file, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
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

impl Checksum<'_> {
    /// Reads the whole file and compares its MD5; `cancelled` is asked now and then and ends the work early.
    pub fn check(self, cancelled: &dyn Fn() -> bool) -> Result<(), FileFault> {
        HashedFile::new(self).check(cancelled)
    }

    /// Checks two files side by side, which takes hardly longer than one.
    pub fn check_pair(pair: [Self; 2], cancelled: &dyn Fn() -> bool) -> [Result<(), FileFault>; 2] {
        let mut files = pair.map(HashedFile::new);
        let mut lanes = [Lane::NEW; 2];
        while !cancelled() && files.iter_mut().all(HashedFile::fill) {
            let [first, second] = &files;
            update_all(&mut lanes, [first.unhashed(), second.unhashed()]);
            for (file, lane) in files.iter_mut().zip(lanes) {
                file.take_hashed(lane);
            }
        }
        files.map(|file| file.check(cancelled))
    }
}

/// A file on its way through a hash.
struct HashedFile<'f> {
    checksum: Checksum<'f>,
    lane: Lane,
    buffer: Vec<u8>,
    /// The bytes of the buffer that are read and not hashed.
    unhashed: Range<usize>,
    offset: u64,
    error: Option<io::Error>,
}

impl<'f> HashedFile<'f> {
    fn new(checksum: Checksum<'f>) -> Self {
        Self { checksum, lane: Lane::NEW, buffer: vec![0; READ_LEN], unhashed: 0..0, offset: 0, error: None }
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
            match self.checksum.file.read_at(&mut self.buffer[kept..], self.offset) {
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

    fn check(mut self, cancelled: &dyn Fn() -> bool) -> Result<(), FileFault> {
        while self.error.is_none() && !cancelled() && self.fill() {
            let mut lane = self.lane;
            lane.update(self.unhashed());
            self.take_hashed(lane);
        }
        if cancelled() {
            return Ok(());
        }
        match self.error.take() {
            Some(error) => Err(error.into()),
            None => {
                compare(self.checksum.expected, self.lane.finish(self.unhashed()))?;
                self.checksum.file.check_unchanged()
            }
        }
    }
}

#[cfg(unix)]
fn positioned_read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn positioned_read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

fn compare_md5(expected: Md5, hasher: Md5Hasher) -> Result<(), FileFault> {
    compare(expected, Md5::finish(hasher))
}

fn compare(expected: Md5, found: Md5) -> Result<(), FileFault> {
    if found == expected { Ok(()) } else { Err(FileFault::Checksum { expected, found }) }
}

/// How much is read from a file at a time: enough to make system calls cheap, little enough to stay in the cache while
/// it is hashed and inflated.
const READ_LEN: usize = 128 << 10;

/// The text of a file, inflated if it is compressed, and hashed on the way.
pub struct TextStream {
    decoder: Decoder,
    expected_md5: Option<Md5>,
}

enum Decoder {
    Plain(HashingReader),
    Gzip(Box<MultiGzDecoder<HashingReader>>),
}

impl TextStream {
    /// A gzip file is known by its first bytes; `called_gz` insists on one.
    pub fn new(file: SourceFile, called_gz: bool, expected_md5: Option<Md5>) -> Result<Self, FileFault> {
        let mut magic = [0; 2];
        let is_gzip = file.read_at(&mut magic, 0)? == 2 && magic == [0x1f, 0x8b];
        if called_gz && !is_gzip {
            return Err(FileFault::NotGzip);
        }
        let reader = HashingReader::new(file, expected_md5.is_some());
        let decoder =
            if is_gzip { Decoder::Gzip(Box::new(MultiGzDecoder::new(reader))) } else { Decoder::Plain(reader) };
        Ok(Self { decoder, expected_md5 })
    }

    /// Reads on; 0 bytes mean the end, which is reported only if the file ends properly and is what was delivered.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FileFault> {
        let read = match &mut self.decoder {
            Decoder::Plain(reader) => reader.read(buffer).map_err(FileFault::Unreadable),
            Decoder::Gzip(decoder) => decoder.read(buffer).map_err(FileFault::Inflate),
        };
        match read {
            Ok(0) => self.finish().map(|()| 0),
            Ok(read) => Ok(read),
            // The checksum tells damage on the way from a file that was broken when it was delivered.
            Err(fault) => Err(self.finish().err().unwrap_or(fault)),
        }
    }

    /// How many bytes of the file have been read.
    pub fn bytes_read(&self) -> u64 {
        self.reader().offset
    }

    fn reader(&self) -> &HashingReader {
        match &self.decoder {
            Decoder::Plain(reader) => reader,
            Decoder::Gzip(decoder) => decoder.get_ref(),
        }
    }

    fn finish(&mut self) -> Result<(), FileFault> {
        let reader = match &mut self.decoder {
            Decoder::Plain(reader) => reader,
            Decoder::Gzip(decoder) => decoder.get_mut(),
        };
        reader.file.check_unchanged()?;
        while reader.hasher.is_some() && reader.fill()? > 0 {}
        match (self.expected_md5, reader.hasher.take()) {
            (Some(expected), Some(hasher)) => compare_md5(expected, hasher),
            _ => Ok(()),
        }
    }
}

/// Reads a file from start to end and hashes what it reads while that is still in the cache.
pub struct HashingReader {
    file: SourceFile,
    offset: u64,
    hasher: Option<Md5Hasher>,
    buffer: Box<[u8]>,
    consumed: usize,
    filled: usize,
}

impl HashingReader {
    fn new(file: SourceFile, hashes: bool) -> Self {
        let buffer = vec![0; READ_LEN].into_boxed_slice();
        Self { file, offset: 0, hasher: hashes.then(Md5Hasher::new), buffer, consumed: 0, filled: 0 }
    }

    /// A reader that hashes.
    pub fn open(path: &Path) -> Result<Self, FileFault> {
        Ok(Self::new(SourceFile::open(path, None)?, true))
    }

    /// Reads to the end and returns the checksum of the whole file.
    pub fn into_md5(mut self) -> Result<Md5, FileFault> {
        while self.fill()? > 0 {}
        self.file.check_unchanged()?;
        Ok(Md5::finish(self.hasher.take().unwrap_or_default()))
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.filled = self.file.read_at(&mut self.buffer, self.offset)?;
        self.consumed = 0;
        self.offset += self.filled as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&self.buffer[..self.filled]);
        }
        Ok(self.filled)
    }
}

impl BufRead for HashingReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.consumed == self.filled {
            self.fill()?;
        }
        Ok(&self.buffer[self.consumed..self.filled])
    }

    fn consume(&mut self, amount: usize) {
        self.consumed = (self.consumed + amount).min(self.filled);
    }
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let len = available.len().min(buffer.len());
        buffer[..len].copy_from_slice(&available[..len]);
        self.consume(len);
        Ok(len)
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

    fn read(bytes: &[u8], called_gz: bool, md5: Option<Md5>) -> Result<Vec<u8>, &'static str> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), bytes).expect("written");
        let source = SourceFile::open(file.path(), None).map_err(|fault| fault.code())?;
        let mut stream = TextStream::new(source, called_gz, md5).map_err(|fault| fault.code())?;
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
        assert_eq!(read(&two, true, Some(Md5::of(&two))), Ok(b"hello world".to_vec()));
        assert_eq!(read(b"plain", false, Some(Md5::of(b"plain"))), Ok(b"plain".to_vec()));
        assert_eq!(read(b"", false, None), Ok(Vec::new()));
    }

    #[test]
    fn every_cut_and_every_tail_is_a_fault() {
        let whole = [gzip(b"hello "), gzip(b"world")].concat();
        let members_end = gzip(b"hello ").len();
        for cut in (0..whole.len()).filter(|cut| *cut != members_end) {
            let found = read(&whole[..cut], true, None);
            assert_eq!(found, Err("unit_damaged"), "cut at {cut}");
        }
        assert_eq!(read(&whole[..members_end], true, Some(Md5::of(&whole))), Err("unit_wrong_checksum"));
        for tail in [&b"\0"[..], b"x", b"\x1f\x8b"] {
            assert_eq!(read(&[&whole, tail].concat(), true, None), Err("unit_damaged"));
        }
    }

    #[test]
    fn a_wrong_checksum_explains_more_than_the_damage_that_it_did() {
        let mut bytes = gzip(b"hello world, hello world");
        let md5 = Md5::of(&bytes);
        bytes[14] ^= 0x55;
        assert_eq!(read(&bytes, true, Some(md5)), Err("unit_wrong_checksum"));
        assert_eq!(read(&bytes, true, Some(Md5::of(&bytes))), Err("unit_damaged"));
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
}

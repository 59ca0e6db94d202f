//! A stream of a stripe as bytes: chunk by chunk from the file, decompressed into a window.
//!
//! Whoever reads says how many bytes must lie side by side; what was taken can be lent until the next call. All memory
//! that follows from what a file says is taken from the [`Budget`] of its stripe before it is allocated, so that no file
//! can make a worker hold more than that, whatever its lengths claim.

use std::cell::Cell;
use std::ops::Range;

use flate2::{Decompress, FlushDecompress, Status};
use zstd::bulk::Decompressor;

use crate::fault::UnitFault;
use crate::readers::damaged;
use crate::source::{FileFault, SourceFile};

/// The header of a chunk: its length and whether it is stored as it is, in three bytes ("Compression").
const HEADER_LEN: usize = 3;
/// What is read at once from files that are not compressed.
const READ_LEN: usize = 64 << 10;
/// Writers use 256 KiB, unless they are told otherwise.
const DEFAULT_BLOCK_LEN: usize = 256 << 10;
/// The longest chunk whose length a header can say.
const MAX_BLOCK_LEN: usize = 1 << 23;

/// How a file is compressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compression {
    codec: Codec,
    /// No chunk is longer, compressed or not.
    block_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    None,
    Zlib,
    Snappy,
    Zstd,
}

/// Bytes that buffers may still grow by.
pub(super) struct Budget(Cell<usize>);

/// A range of the file, read from start to end.
pub(super) struct Stream<'s> {
    file: &'s SourceFile,
    budget: &'s Budget,
    compression: Compression,
    /// What has not been read from the file.
    unread: Range<u64>,
    /// One chunk as it is in the file.
    chunk: Vec<u8>,
    /// Its first `len` bytes have been decompressed; it only grows, so that its memory is cleared once.
    window: Vec<u8>,
    len: usize,
    /// What was taken last; behind it are bytes for later.
    taken: Range<usize>,
    decoder: Decoder,
}

/// What decompressing needs from chunk to chunk.
#[derive(Default)]
struct Decoder {
    zlib: Option<Decompress>,
    zstd: Option<Decompressor<'static>>,
}

impl Compression {
    /// From the postscript ("File Tail").
    pub(super) fn new(kind: u64, block_len: u64) -> Result<Self, UnitFault> {
        let codec = match kind {
            0 => Codec::None,
            1 => Codec::Zlib,
            2 => Codec::Snappy,
            3 => return Err(UnitFault::Format("LZO-compressed ORC")),
            4 => return Err(UnitFault::Format("LZ4-compressed ORC")),
            5 => Codec::Zstd,
            6 => return Err(UnitFault::Format("Brotli-compressed ORC")),
            _ => return Err(damaged("its compression is none that is known")),
        };
        let block_len = match usize::try_from(block_len) {
            Ok(0) => DEFAULT_BLOCK_LEN,
            Ok(len) if len <= MAX_BLOCK_LEN || codec == Codec::None => len,
            _ => return Err(damaged("its chunks are longer than their headers can say")),
        };
        Ok(Self { codec, block_len })
    }
}

impl Codec {
    /// The most that so many bytes can become.
    fn max_decompressed_len(self, compressed: &[u8]) -> Option<usize> {
        match self {
            Self::None => Some(compressed.len()),
            // A match of 258 bytes takes at least 2 bits (RFC 1951, 3.2).
            Self::Zlib => Some(compressed.len() * 1032),
            Self::Snappy => snap::raw::decompress_len(compressed).ok(),
            // A block of 128 KiB that repeats one byte takes 4 (RFC 8878, 3.1.1.2).
            Self::Zstd => Some(compressed.len().saturating_mul(1 << 15)),
        }
    }
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Cell::new(bytes))
    }

    /// Takes some of it away.
    pub(super) fn take(&self, bytes: usize) -> Result<(), UnitFault> {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.ok_or_else(|| damaged("a stripe needs more memory than any inventory's"))?);
        Ok(())
    }

    /// Makes a buffer at least so long.
    fn grow(&self, buffer: &mut Vec<u8>, len: usize) -> Result<(), UnitFault> {
        if len > buffer.len() {
            // Chunks may be tiny, and growing copies what is there.
            let len = len.max(buffer.len() + buffer.len() / 8);
            let more = len - buffer.len();
            self.take(more)?;
            buffer.reserve_exact(more);
            buffer.resize(len, 0);
        }
        Ok(())
    }
}

impl<'s> Stream<'s> {
    pub(super) fn new(file: &'s SourceFile, budget: &'s Budget, compression: Compression, range: Range<u64>) -> Self {
        let (chunk, window, decoder) = (Vec::new(), Vec::new(), Decoder::default());
        Self { file, budget, compression, unread: range, chunk, window, len: 0, taken: 0..0, decoder }
    }

    /// Makes sure that so many bytes lie behind what was taken, or all that are left; returns these and what follows.
    pub(super) fn fill(&mut self, len: usize) -> Result<&[u8], UnitFault> {
        while self.len - self.taken.end < len && !self.unread.is_empty() {
            self.read_chunk(len)?;
        }
        Ok(&self.window[self.taken.end..self.len])
    }

    /// Takes so many bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<&[u8], UnitFault> {
        if self.fill(len)?.len() < len {
            return Err(damaged("a stream ends too early"));
        }
        self.taken = self.taken.end..self.taken.end + len;
        Ok(self.taken())
    }

    /// What was taken last.
    pub(super) fn taken(&self) -> &[u8] {
        &self.window[self.taken.clone()]
    }

    /// Whether everything was taken.
    pub(super) fn is_at_end(&mut self) -> Result<bool, UnitFault> {
        Ok(self.fill(1)?.is_empty())
    }

    /// Everything that is left, if it is no more than that.
    pub(super) fn into_bytes(mut self, max_len: usize) -> Result<Vec<u8>, UnitFault> {
        let len = self.fill(max_len.saturating_add(1))?.len();
        if len > max_len {
            return Err(damaged("its footer is far too long"));
        }
        self.window.truncate(self.len);
        self.window.drain(..self.taken.end);
        Ok(self.window)
    }

    /// Decompresses one more chunk behind what is there. What was taken is given up.
    fn read_chunk(&mut self, wanted: usize) -> Result<(), UnitFault> {
        if self.taken.end > 0 {
            self.window.copy_within(self.taken.end..self.len, 0);
            self.len -= self.taken.end;
            self.taken = 0..0;
        }
        if self.compression.codec == Codec::None {
            return self.read_plain(wanted);
        }
        let mut header = [0; HEADER_LEN + 1];
        let at = self.claim(HEADER_LEN)?;
        read_at(self.file, &mut header[..HEADER_LEN], at)?;
        let header = u32::from_le_bytes(header) as usize;
        let (len, is_original) = (header >> 1, header & 1 == 1);
        if len > self.compression.block_len {
            return Err(damaged("a chunk is longer than the file says they are"));
        }
        if is_original { self.read_stored(len) } else { self.inflate(len) }
    }

    fn read_plain(&mut self, wanted: usize) -> Result<(), UnitFault> {
        let left = usize::try_from(self.unread.end - self.unread.start).unwrap_or(usize::MAX);
        self.read_stored(wanted.saturating_sub(self.len).max(READ_LEN).min(left))
    }

    fn read_stored(&mut self, len: usize) -> Result<(), UnitFault> {
        let (at, from, to) = (self.claim(len)?, self.len, self.len + len);
        self.budget.grow(&mut self.window, to)?;
        read_at(self.file, &mut self.window[from..to], at)?;
        self.len = to;
        Ok(())
    }

    fn inflate(&mut self, len: usize) -> Result<(), UnitFault> {
        let at = self.claim(len)?;
        self.budget.grow(&mut self.chunk, len)?;
        let chunk = &mut self.chunk[..len];
        read_at(self.file, chunk, at)?;
        let cannot = || damaged("a chunk cannot be decompressed");
        let Compression { codec, block_len } = self.compression;
        let to = self.len + codec.max_decompressed_len(chunk).ok_or_else(cannot)?.min(block_len);
        self.budget.grow(&mut self.window, to)?;
        let into = &mut self.window[self.len..to];
        self.len += self.decoder.decompress(codec, chunk, into).ok_or_else(cannot)?;
        Ok(())
    }

    /// Where the next bytes of the file are. Nothing is allocated for bytes that it does not have.
    fn claim(&mut self, len: usize) -> Result<u64, UnitFault> {
        let at = self.unread.start;
        let end = at.checked_add(len as u64).filter(|end| *end <= self.unread.end);
        self.unread.start = end.ok_or_else(|| damaged("a chunk goes on behind the end of its stream"))?;
        Ok(at)
    }
}

/// Fills a buffer from a position.
pub(super) fn read_at(file: &SourceFile, into: &mut [u8], at: u64) -> Result<(), UnitFault> {
    Ok(file.read_exact_at(into, at).map_err(FileFault::Unreadable)?)
}

impl Decoder {
    /// Decompresses a whole chunk; returns how long it turned out to be.
    fn decompress(&mut self, codec: Codec, chunk: &[u8], into: &mut [u8]) -> Option<usize> {
        match codec {
            Codec::None => None,
            Codec::Zlib => self.inflate(chunk, into),
            Codec::Snappy => snap::raw::Decoder::new().decompress(chunk, into).ok(),
            Codec::Zstd => {
                if self.zstd.is_none() {
                    self.zstd = Some(Decompressor::new().ok()?);
                }
                self.zstd.as_mut()?.decompress_to_buffer(chunk, into).ok()
            }
        }
    }

    /// Chunks are deflated without the header and the checksum of zlib.
    fn inflate(&mut self, chunk: &[u8], into: &mut [u8]) -> Option<usize> {
        let zlib = self.zlib.get_or_insert_with(|| Decompress::new(false));
        zlib.reset(false);
        let status = zlib.decompress(chunk, into, FlushDecompress::Finish).ok()?;
        let is_whole = status == Status::StreamEnd && zlib.total_in() == chunk.len() as u64;
        if is_whole { usize::try_from(zlib.total_out()).ok() } else { None }
    }
}

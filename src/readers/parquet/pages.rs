//! A column chunk to pages: headers one after the other, and the bytes of those pages that are asked for.
//!
//! A page that is stepped over is not decompressed and, as far as it is long, not even read. Bytes land in buffers that
//! are used again for the next page. Every length comes from the file: nothing is allocated for more bytes than the file
//! has, or than its codec can make of them, and no page may be larger than [`MAX_PAGE_LEN`].

use std::io::Read as _;

use flate2::bufread::MultiGzDecoder;
use parquet::basic::Compression;
use zstd::bulk::Decompressor;

use super::header::{LevelForm, PageHeader, PageKind};
use crate::fault::UnitFault;
use crate::readers::damaged;
use crate::source::{FileFault, SourceFile};

/// Writers close a page at about 1 MiB.
const MAX_PAGE_LEN: usize = 256 << 20;
/// Writers give up a dictionary at about 1 MiB.
const MAX_DICTIONARY_LEN: usize = 64 << 20;
/// What is read at once, if there is no reason to read more. Most pages of most columns are shorter.
const READ_LEN: usize = 64 << 10;
/// Nearly every header is shorter.
const HEADER_LEN: usize = 512;
/// Buffers that grew for an outsized page are not kept for the next row group.
const MAX_KEPT_LEN: usize = 32 << 20;

/// Where a column chunk stands in its file, and how its pages are compressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkRange {
    pub start: u64,
    pub end: u64,
    pub codec: Codec,
}

/// The compressions that are read here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Codec {
    Uncompressed,
    Snappy,
    Gzip,
    Zstd,
}

/// The pages of a column chunk.
pub(super) struct Pages<'s> {
    file: &'s SourceFile,
    range: ChunkRange,
    /// Where the next header begins.
    next: u64,
    /// Where the bytes of the current page begin.
    body: u64,
    window: &'s mut PageWindow,
    zstd: Option<Decompressor<'static>>,
}

/// Some bytes of the file.
#[derive(Default)]
pub(super) struct PageWindow {
    buffer: Vec<u8>,
    start: u64,
    len: usize,
}

/// The bytes of one page. The buffer only grows, so that its memory is cleared once and not for every page.
#[derive(Default)]
pub(super) struct PageBytes {
    buffer: Vec<u8>,
    len: usize,
}

impl Codec {
    pub(super) fn new(compression: Compression) -> Option<Self> {
        match compression {
            Compression::UNCOMPRESSED => Some(Self::Uncompressed),
            Compression::SNAPPY => Some(Self::Snappy),
            Compression::GZIP(_) => Some(Self::Gzip),
            Compression::ZSTD(_) => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The most that so many bytes can become.
    fn max_decompressed_len(self, compressed_len: usize) -> usize {
        /// Bits of overhead aside, no format does better than one reference after the other.
        const SLACK: usize = 64;
        match self {
            Self::Uncompressed => compressed_len,
            // A copy of 64 bytes takes 3 ("Compressed stream" of Snappy's format description).
            Self::Snappy => compressed_len.saturating_mul(64 / 3 + 1).saturating_add(SLACK),
            // A match of 258 bytes takes at least 2 bits (RFC 1951, 3.2).
            Self::Gzip => compressed_len.saturating_mul(1032).saturating_add(SLACK),
            // A block of 128 KiB that repeats one byte takes 4 (RFC 8878, 3.1.1.2): nearly anything is possible.
            Self::Zstd => usize::MAX,
        }
    }
}

impl<'s> Pages<'s> {
    pub(super) fn new(file: &'s SourceFile, range: ChunkRange, window: &'s mut PageWindow) -> Self {
        window.len = 0;
        Self { file, range, next: range.start, body: range.start, window, zstd: None }
    }

    /// The header of the next page, or nothing behind the last one. Its bytes can be read until the next call.
    pub(super) fn next_header(&mut self) -> Result<Option<PageHeader>, UnitFault> {
        let left = self.range.end - self.next;
        if left == 0 {
            return Ok(None);
        }
        let mut len = HEADER_LEN;
        let header = loop {
            let available = usize::try_from(left).map_or(len, |left| left.min(len));
            match PageHeader::parse(self.window.get(self.file, self.next, available, self.range.end)?) {
                Some(header) => break header,
                None if available == len && len < PageHeader::MAX_LEN => len *= 4,
                None => return Err(damaged("the header of a page is no header")),
            }
        };
        self.body = self.next + header.len as u64;
        let end = self.body.checked_add(header.compressed_len as u64).filter(|end| *end <= self.range.end);
        self.next = end.ok_or_else(|| damaged("a page goes on behind the end of its column"))?;
        Ok(Some(header))
    }

    /// Reads and decompresses the page of the last header.
    pub(super) fn read_body(&mut self, header: &PageHeader, page: &mut PageBytes) -> Result<(), UnitFault> {
        let stored_len =
            header.stored_level_len().filter(|len| *len <= header.compressed_len.min(header.decompressed_len));
        let stored_len = stored_len.ok_or_else(|| damaged("a page has more levels than bytes"))?;
        let (compressed_len, len) = (header.compressed_len - stored_len, header.decompressed_len - stored_len);
        let codec = if header.is_compressed() { self.range.codec } else { Codec::Uncompressed };
        if header.decompressed_len.max(header.compressed_len) > header.max_len() {
            return Err(damaged("a page is far too large"));
        }
        if len > codec.max_decompressed_len(compressed_len) {
            return Err(damaged("a page cannot have as many bytes as it says"));
        }
        let bytes = self.window.get(self.file, self.body, header.compressed_len, self.range.end)?;
        let (levels, compressed) = bytes.split_at(stored_len);
        let (level_bytes, value_bytes) = page.reset(header.decompressed_len).split_at_mut(stored_len);
        level_bytes.copy_from_slice(levels);
        // A page without any value may have nothing at all behind its levels.
        if len == 0 {
            return Ok(());
        }
        let filled = match codec {
            Codec::Uncompressed => copy(compressed, value_bytes),
            Codec::Snappy => inflate_snappy(compressed, value_bytes),
            Codec::Gzip => inflate_gzip(compressed, value_bytes),
            Codec::Zstd => inflate_zstd(&mut self.zstd, compressed, value_bytes),
        };
        filled.ok_or_else(|| damaged("a page cannot be decompressed to what it should be"))
    }
}

impl PageHeader {
    /// The bytes of levels that are stored in front of compressed values.
    fn stored_level_len(&self) -> Option<usize> {
        match self.kind {
            PageKind::Data(data) => match data.levels {
                LevelForm::InFront { repetition_len, definition_len, .. } => repetition_len.checked_add(definition_len),
                LevelForm::Prefixed { .. } => Some(0),
            },
            _ => Some(0),
        }
    }

    fn max_len(&self) -> usize {
        if matches!(self.kind, PageKind::Dictionary(_)) { MAX_DICTIONARY_LEN } else { MAX_PAGE_LEN }
    }

    fn is_compressed(&self) -> bool {
        match self.kind {
            PageKind::Data(data) => !matches!(data.levels, LevelForm::InFront { values_are_compressed: false, .. }),
            _ => true,
        }
    }
}

fn copy(from: &[u8], into: &mut [u8]) -> Option<()> {
    (from.len() == into.len()).then(|| into.copy_from_slice(from))
}

fn inflate_snappy(compressed: &[u8], into: &mut [u8]) -> Option<()> {
    let len = snap::raw::Decoder::new().decompress(compressed, into).ok()?;
    (len == into.len()).then_some(())
}

fn inflate_gzip(compressed: &[u8], into: &mut [u8]) -> Option<()> {
    let mut decoder = MultiGzDecoder::new(compressed);
    decoder.read_exact(into).ok()?;
    let is_over = decoder.read(&mut [0]).ok()? == 0;
    is_over.then_some(())
}

fn inflate_zstd(decoder: &mut Option<Decompressor<'static>>, compressed: &[u8], into: &mut [u8]) -> Option<()> {
    if decoder.is_none() {
        *decoder = Some(Decompressor::new().ok()?);
    }
    let len = decoder.as_mut()?.decompress_to_buffer(compressed, into).ok()?;
    (len == into.len()).then_some(())
}

impl PageWindow {
    /// So many bytes of the file, which lie before `end`. More are read ahead.
    fn get(&mut self, file: &SourceFile, at: u64, len: usize, end: u64) -> Result<&[u8], UnitFault> {
        let skipped = usize::try_from(at.saturating_sub(self.start)).map_or(self.len, |skipped| skipped.min(self.len));
        if self.len - skipped < len || at < self.start {
            self.refill(file, at, skipped, len, end)?;
            return Ok(&self.buffer[..len]);
        }
        Ok(&self.buffer[skipped..skipped + len])
    }

    fn refill(&mut self, file: &SourceFile, at: u64, skipped: usize, len: usize, end: u64) -> Result<(), UnitFault> {
        let kept = if at < self.start { 0 } else { self.len - skipped };
        self.buffer.copy_within(skipped..skipped + kept, 0);
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        // Behind a page comes the header of the next.
        let wanted = len.saturating_add(HEADER_LEN).max(READ_LEN).min(left);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        // Should reading fail, there is nothing here.
        (self.start, self.len) = (at, 0);
        file.read_exact_at(&mut self.buffer[kept..wanted], at + kept as u64).map_err(FileFault::Unreadable)?;
        self.len = wanted;
        Ok(())
    }

    /// Gives memory back that few pages need.
    pub(super) fn shrink(&mut self) {
        if self.buffer.capacity() > MAX_KEPT_LEN {
            *self = Self::default();
        }
    }
}

impl PageBytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    fn reset(&mut self, len: usize) -> &mut [u8] {
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        self.len = len;
        &mut self.buffer[..len]
    }

    /// Gives memory back that few pages need; says whether it did.
    pub(super) fn shrink(&mut self) -> bool {
        let is_outsized = self.buffer.capacity() > MAX_KEPT_LEN;
        if is_outsized {
            *self = Self::default();
        }
        is_outsized
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// A data page with a header that may say anything, and what reading it leads to.
    fn read(codec: Codec, decompressed_len: u32, body: &[u8]) -> (Result<(), UnitFault>, PageBytes) {
        let mut bytes = vec![0x15, 0, 0x15];
        bytes.extend(varint(decompressed_len * 2));
        bytes.push(0x15);
        bytes.extend(varint(body.len() as u32 * 2));
        bytes.extend([0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0]);
        bytes.extend(body);
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(&bytes).expect("written");
        let file = SourceFile::open(file.path(), None).expect("a file");
        let (mut window, mut page) = (PageWindow::default(), PageBytes::default());
        let mut pages = Pages::new(&file, ChunkRange { start: 0, end: file.len(), codec }, &mut window);
        let header = pages.next_header().expect("a header").expect("a page");
        (pages.read_body(&header, &mut page), page)
    }

    fn varint(mut value: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    #[test]
    fn nothing_is_allocated_for_bytes_that_cannot_be() {
        let text = [b'a'; 100];
        let snappy = snap::raw::Encoder::new().compress_vec(&text).expect("in memory");
        for (codec, len) in
            [(Codec::Uncompressed, 101), (Codec::Snappy, 1 << 12), (Codec::Gzip, 1 << 20), (Codec::Zstd, 1 << 29)]
        {
            let (result, page) = read(codec, len, &snappy);
            assert_eq!((result.is_err(), page.buffer.capacity()), (true, 0), "{codec:?}");
        }
        let (result, page) = read(Codec::Snappy, 100, &snappy);
        assert!(result.is_ok() && page.as_slice() == text);
    }

    #[test]
    fn pages_have_exactly_the_length_that_they_say() {
        let text = [b'a'; 100];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).expect("in memory");
        let bodies = [
            (Codec::Uncompressed, text.to_vec()),
            (Codec::Snappy, snap::raw::Encoder::new().compress_vec(&text).expect("in memory")),
            (Codec::Gzip, gzip.finish().expect("in memory")),
            (Codec::Zstd, zstd::bulk::compress(&text, 1).expect("in memory")),
        ];
        for (codec, body) in bodies {
            for len in [99, 100, 101] {
                assert_eq!(read(codec, len, &body).0.is_ok(), len == 100, "{codec:?} {len}");
            }
            assert!(read(codec, 100, &body[..body.len() - 1]).0.is_err(), "{codec:?}");
        }
    }
}

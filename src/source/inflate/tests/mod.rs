//! Everything is held against `flate2`: the same files are accepted, with the same text.

mod damage;
mod encoder;
mod streams;

use std::io::{self, Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

use super::{GzipReader, Room};

/// Numbers that follow from the first: xorshift.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Whether there is time for everything.
fn is_thorough() -> bool {
    std::env::var_os("LOGSEAL_THOROUGH").is_some()
}

/// How many rounds there is time for.
fn rounds(rounds: usize) -> usize {
    if cfg!(miri) { rounds.div_ceil(1_000) } else { rounds }
}

fn gzip(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text).expect("in memory");
    encoder.finish().expect("in memory")
}

/// A member around a stream of blocks, which give this text.
fn member(blocks: &[u8], text: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(text);
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    [&header[..], blocks, &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()].concat()
}

/// What `flate2` says.
fn expected(file: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    MultiGzDecoder::new(file).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Gives so many bytes at a time.
struct Pieces<'f> {
    file: &'f [u8],
    len: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.len.min(buffer.len());
        self.file.read(&mut buffer[..len])
    }
}

/// Reads a file in pieces of one length to buffers of another.
fn read_by(file: &[u8], piece_len: usize, buffer_len: usize) -> io::Result<Vec<u8>> {
    let mut reader = GzipReader::new(Pieces { file, len: piece_len });
    // Shorter and longer than what is behind it: nothing there may be touched.
    let (mut text, mut buffer) = (Vec::new(), vec![0; buffer_len]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(text),
            len => text.extend_from_slice(&buffer[..len]),
        }
    }
}

/// All of it at once, which is nearly always the fast way; and by pieces, which is nearly always the careful way.
#[track_caller]
fn check(file: &[u8], context: &str) -> bool {
    let expected = expected(file);
    for (piece_len, buffer_len) in [(usize::MAX, 1 << 20), (1 << 10, 700), (1, 1)] {
        // One byte at a time keeps the window a byte at a time, too.
        if buffer_len == 1 && expected.as_ref().is_some_and(|text| text.len() > 4_000) {
            continue;
        }
        let found = read_by(file, piece_len, buffer_len);
        assert!(found.as_ref().ok() == expected.as_ref(), "{context}, {piece_len} to {buffer_len}: {:?}", found.err());
    }
    expected.is_some()
}

/// Rows as inventories have them: names that repeat, numbers that nearly do, and hashes.
fn rows(len: usize, random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < len {
        let word = |random: &mut Random, digits: &[u8], len| -> String {
            (0..len).map(|_| char::from(random.pick(digits))).collect()
        };
        let name = word(random, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 16);
        let hash = word(random, b"0123456789abcdef", 32);
        let key = format!("AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/{:02}/{name}.json.gz", random.below(31));
        writeln!(text, "\"org-audit-logs\",\"{key}\",\"{}\",\"{hash}\",\"SSE-KMS\",\"\"", random.below(90_000))
            .expect("in memory");
    }
    text.truncate(len);
    text
}

/// The same few bytes again and again, now and then others.
fn periodic(len: usize, period: usize, random: &mut Random) -> Vec<u8> {
    let mut text: Vec<u8> = (0..period).map(|_| random.below(256) as u8).collect();
    while text.len() < len {
        let byte = if random.below(400) == 0 { random.below(256) as u8 } else { text[text.len() - period] };
        text.push(byte);
    }
    text.truncate(len);
    text
}

fn noise(len: usize, random: &mut Random) -> Vec<u8> {
    (0..len).map(|_| random.below(256) as u8).collect()
}

//! The text of a file of evidence as UTF-8, whatever it is compressed or encoded with.

use std::io::{self, Read};
use std::sync::Arc;

use crate::hashes::sha256::Sha256;
use crate::source::{FileFault, SourceFile, TextStream};

/// Reads a text from its beginning to its true end. A fault of the file is the cause of an error.
pub(super) struct Text {
    stream: TextStream,
    /// If somebody wants to know it.
    hashing: Option<Hashing>,
    /// Of UTF-16, the order of its bytes.
    utf16: Option<Order>,
    /// What was read of the file, and not given out, from `at` on.
    read: Vec<u8>,
    at: usize,
    /// What was decoded, and not given out, from `given` on.
    decoded: String,
    given: usize,
}

/// The order of the bytes of UTF-16, which a mark in the beginning tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// The hash of what was read of a file, decompressed and not decoded.
struct Hashing {
    hash: Sha256,
    has_ended: bool,
}

impl Hashing {
    fn note(&mut self, read: &[u8]) {
        self.has_ended = read.is_empty();
        self.hash.update(read);
    }
}

impl Text {
    const CHUNK: usize = 64 << 10;

    pub(super) fn new(file: Arc<SourceFile>, is_hashed: bool) -> Result<Self, FileFault> {
        let mut stream = TextStream::new(file, false)?;
        let mut read = vec![0; Self::CHUNK];
        let mut len = 0;
        // A mark has two bytes.
        while len < 2 {
            match stream.read(&mut read[len..])? {
                0 => break,
                more => len += more,
            }
        }
        read.truncate(len);
        let mut hashing = is_hashed.then(|| Hashing { hash: Sha256::new(), has_ended: false });
        hashing.iter_mut().for_each(|hashing| hashing.note(&read));
        let utf16 = match read.as_slice() {
            [0xff, 0xfe, ..] => Some(Order::Little),
            [0xfe, 0xff, ..] => Some(Order::Big),
            _ => None,
        };
        Ok(Self { stream, hashing, utf16, read, at: 0, decoded: String::new(), given: 0 })
    }

    /// The SHA-256 of the decompressed file, if it was asked for and the file was read to its end.
    pub(super) fn into_hash(self) -> Option<[u8; 32]> {
        self.hashing.filter(|hashing| hashing.has_ended).map(|hashing| hashing.hash.finish())
    }

    /// How the file begins, before it is decoded; nothing if it is empty.
    pub(super) fn beginning(&self) -> &[u8] {
        &self.read[self.at..]
    }

    /// Decodes some more; says no at the end.
    fn decode(&mut self, order: Order) -> io::Result<bool> {
        (self.decoded, self.given) = (std::mem::take(&mut self.decoded), 0);
        self.decoded.clear();
        while self.decoded.is_empty() {
            let units = self.read[self.at..].as_chunks::<2>().0;
            let unit = |bytes: &[u8; 2]| match order {
                Order::Little => u16::from_le_bytes(*bytes),
                Order::Big => u16::from_be_bytes(*bytes),
            };
            // Half of a character waits for the other.
            let is_half = |unit: u16| (0xd800..0xdc00).contains(&unit);
            let whole = units.len() - usize::from(units.last().is_some_and(|last| is_half(unit(last))));
            for character in char::decode_utf16(units[..whole].iter().map(unit)) {
                self.decoded.push(character.map_err(|_| io::Error::other("it begins like UTF-16 and is none"))?);
            }
            self.at += 2 * whole;
            if self.decoded.is_empty() && !self.read_more()? {
                let is_whole = self.at == self.read.len();
                return if is_whole {
                    Ok(false)
                } else {
                    Err(io::Error::other("it ends within a character of UTF-16"))
                };
            }
        }
        Ok(true)
    }

    /// Reads some more of the file behind what is left of it; says no at its end.
    fn read_more(&mut self) -> io::Result<bool> {
        self.read.drain(..self.at);
        self.at = 0;
        let left = self.read.len();
        self.read.resize(left + Self::CHUNK, 0);
        let more = self.stream.read(&mut self.read[left..]);
        self.read.truncate(left + *more.as_ref().unwrap_or(&0));
        if let (Some(hashing), Ok(_)) = (&mut self.hashing, &more) {
            hashing.note(&self.read[left..]);
        }
        Ok(more.map_err(io::Error::other)? > 0)
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(order) = self.utf16 {
            if self.given == self.decoded.len() && !self.decode(order)? {
                return Ok(0);
            }
            let rest = &self.decoded.as_bytes()[self.given..];
            let len = rest.len().min(buffer.len());
            buffer[..len].copy_from_slice(&rest[..len]);
            self.given += len;
            return Ok(len);
        }
        if self.at == self.read.len() {
            let read = self.stream.read(buffer).map_err(io::Error::other)?;
            if let Some(hashing) = self.hashing.as_mut().filter(|_| !buffer.is_empty()) {
                hashing.note(&buffer[..read]);
            }
            return Ok(read);
        }
        let rest = &self.read[self.at..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<u8>, String> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), bytes).expect("written");
        let opened = SourceFile::open(file.path(), None).expect("a file");
        let mut text = Text::new(Arc::new(opened), true).map_err(|fault| fault.to_string())?;
        let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
        loop {
            match text.read(&mut buffer).map_err(|error| error.to_string())? {
                0 => break,
                len => all.extend_from_slice(&buffer[..len]),
            }
        }
        assert_eq!(text.into_hash(), Some(Sha256::of(bytes)), "{piece}");
        Ok(all)
    }

    fn utf16(text: &str, to_bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn a_text_is_the_same_in_every_encoding() {
        let long = format!("\u{feff}{{\"é\": \"🔑{}\"}}\n", "🔑x".repeat(30_000));
        for text in ["\u{feff}", "\u{feff}{}", long.as_str()] {
            for piece in [1, 7, 100_000] {
                for bytes in [text.into(), utf16(text, u16::to_le_bytes), utf16(text, u16::to_be_bytes)] {
                    assert_eq!(read(&bytes, piece).as_deref(), Ok(text.as_bytes()), "{piece}");
                }
            }
        }
        for text in ["", "x", "{\"é\": 1}"] {
            assert_eq!(read(text.as_bytes(), 3).as_deref(), Ok(text.as_bytes()));
        }
    }

    #[test]
    fn the_hash_is_of_what_is_inflated() {
        let content = "{\"Records\": []}\n".repeat(10_000);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, content.as_bytes()).expect("in memory");
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), encoder.finish().expect("in memory")).expect("written");
        for is_hashed in [true, false] {
            let opened = SourceFile::open(file.path(), None).expect("a file");
            let mut text = Text::new(Arc::new(opened), is_hashed).expect("a text");
            let mut inflated = String::new();
            text.read_to_string(&mut inflated).expect("inflated");
            assert_eq!(text.into_hash(), is_hashed.then(|| Sha256::of(&content)));
        }
        let opened = SourceFile::open(file.path(), None).expect("a file");
        assert_eq!(Text::new(Arc::new(opened), true).expect("a text").into_hash(), None, "of a part");
    }

    #[test]
    fn utf16_that_is_cut_off_or_damaged_is_none() {
        let text = utf16("\u{feff}{\"🔑\": 1}", u16::to_le_bytes);
        assert!(read(&text[..text.len() - 1], 100).is_err());
        // Either half of the key by itself.
        assert!(read(&[&text[..6], &text[8..]].concat(), 100).is_err());
        assert!(read(&[&text[..8], &text[10..]].concat(), 100).is_err());
        assert!(read(&text[..8], 100).is_err(), "the first half at the end");
    }
}

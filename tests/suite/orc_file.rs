//! ORC files in memory, put together stream by stream, so that they can also be what no writer would write.
//!
//! Integers are written as literals of the first version of the run lengths: the reader must follow the format, and not
//! this writer, so the simplest form will do. Files that pyarrow wrote are in `fixtures/orc`.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

pub const PRESENT: u64 = 0;
pub const DATA: u64 = 1;
pub const LENGTH: u64 = 2;
pub const DICTIONARY_DATA: u64 = 3;
pub const SECONDARY: u64 = 5;

/// Types by their numbers.
pub const BOOLEAN: u64 = 0;
pub const BIGINT: u64 = 4;
pub const STRING: u64 = 7;
pub const TIMESTAMP: u64 = 9;

/// A file, as its footer has it.
#[derive(Clone, Debug, Default)]
pub struct OrcFile {
    /// Names and types.
    pub columns: Vec<(String, u64)>,
    pub stripes: Vec<Stripe>,
    /// What the footer says; not always the truth.
    pub rows: u64,
    /// The length of the chunks of zlib; nothing for a file that is not compressed.
    pub block_len: Option<usize>,
}

#[derive(Clone, Debug, Default)]
pub struct Stripe {
    pub rows: u64,
    pub columns: Vec<Encoded>,
}

/// A column of a stripe.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    pub encoding: u64,
    pub dictionary_len: u64,
    /// Kinds and bytes.
    pub streams: Vec<(u64, Vec<u8>)>,
}

impl OrcFile {
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = b"ORC".to_vec();
        let mut footer = Vec::new();
        for stripe in &self.stripes {
            let info = self.put_stripe(stripe, &mut file);
            put_bytes(&mut footer, 3, &info);
        }
        put_bytes(&mut footer, 4, &self.root());
        for (_, kind) in &self.columns {
            let mut described = Vec::new();
            put_number(&mut described, 1, *kind);
            put_bytes(&mut footer, 4, &described);
        }
        put_number(&mut footer, 6, self.rows);
        let footer = self.compressed(&footer);
        file.extend_from_slice(&footer);
        let postscript = self.postscript(footer.len());
        file.extend_from_slice(&postscript);
        file.push(postscript.len() as u8);
        file
    }

    fn root(&self) -> Vec<u8> {
        let mut root = Vec::new();
        put_number(&mut root, 1, 12);
        for at in 1..=self.columns.len() {
            put_number(&mut root, 2, at as u64);
        }
        self.columns.iter().for_each(|(name, _)| put_bytes(&mut root, 3, name.as_bytes()));
        root
    }

    fn put_stripe(&self, stripe: &Stripe, file: &mut Vec<u8>) -> Vec<u8> {
        let (offset, mut footer) = (file.len(), Vec::new());
        for (encoded, id) in stripe.columns.iter().zip(1..) {
            for (kind, bytes) in &encoded.streams {
                let bytes = self.compressed(bytes);
                let mut stream = Vec::new();
                for (field, number) in [(1, *kind), (2, id), (3, bytes.len() as u64)] {
                    put_number(&mut stream, field, number);
                }
                put_bytes(&mut footer, 1, &stream);
                file.extend_from_slice(&bytes);
            }
        }
        let streams_len = file.len() - offset;
        put_bytes(&mut footer, 2, &[]);
        for encoded in &stripe.columns {
            let mut encoding = Vec::new();
            put_number(&mut encoding, 1, encoded.encoding);
            put_number(&mut encoding, 2, encoded.dictionary_len);
            put_bytes(&mut footer, 2, &encoding);
        }
        put_bytes(&mut footer, 3, b"America/Los_Angeles");
        let footer = self.compressed(&footer);
        file.extend_from_slice(&footer);
        let mut info = Vec::new();
        let numbers = [offset as u64, 0, streams_len as u64, footer.len() as u64, stripe.rows];
        numbers.into_iter().zip(1..).for_each(|(number, field)| put_number(&mut info, field, number));
        info
    }

    fn postscript(&self, footer_len: usize) -> Vec<u8> {
        let mut postscript = Vec::new();
        put_number(&mut postscript, 1, footer_len as u64);
        put_number(&mut postscript, 2, u64::from(self.block_len.is_some()));
        put_number(&mut postscript, 3, self.block_len.unwrap_or_default() as u64);
        put_bytes(&mut postscript, 4, &[0, 12]);
        put_bytes(&mut postscript, 8000, b"ORC");
        postscript
    }

    fn compressed(&self, bytes: &[u8]) -> Vec<u8> {
        let Some(block_len) = self.block_len else { return bytes.to_vec() };
        bytes.chunks(block_len).flat_map(chunk).collect()
    }
}

/// A chunk is deflated if that makes it shorter.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    let deflated = encoder.finish().unwrap();
    let (is_original, body) = if deflated.len() < bytes.len() { (0, &deflated[..]) } else { (1, bytes) };
    let header = (body.len() as u32) << 1 | is_original;
    [&header.to_le_bytes()[..3], body].concat()
}

impl Encoded {
    pub fn texts(cells: &[Option<&[u8]>]) -> Self {
        let texts: Vec<&[u8]> = cells.iter().copied().flatten().collect();
        let streams = vec![
            present(cells),
            (DATA, texts.concat()),
            (LENGTH, unsigned(texts.iter().map(|text| text.len() as u64))),
        ];
        Self { streams, ..Self::default() }
    }

    /// The same with a dictionary.
    pub fn coded_texts(cells: &[Option<&[u8]>]) -> Self {
        let mut dictionary: Vec<&[u8]> = cells.iter().copied().flatten().collect();
        dictionary.sort_unstable();
        dictionary.dedup();
        let code = |text: &&[u8]| dictionary.binary_search(text).unwrap() as u64;
        let codes = unsigned(cells.iter().flatten().map(code));
        let lengths = unsigned(dictionary.iter().map(|text| text.len() as u64));
        let streams = vec![present(cells), (DATA, codes), (DICTIONARY_DATA, dictionary.concat()), (LENGTH, lengths)];
        Self { encoding: 1, dictionary_len: dictionary.len() as u64, streams }
    }

    pub fn flags(cells: &[Option<bool>]) -> Self {
        Self { streams: vec![present(cells), (DATA, bits(cells.iter().copied().flatten()))], ..Self::default() }
    }

    pub fn numbers(cells: &[Option<i64>]) -> Self {
        Self { streams: vec![present(cells), (DATA, signed(cells.iter().copied().flatten()))], ..Self::default() }
    }

    /// Milliseconds since 1970.
    pub fn times(cells: &[Option<i64>]) -> Self {
        let times = cells.iter().copied().flatten();
        let seconds = signed(times.clone().map(|millis| millis.div_euclid(1000) - 1_420_070_400));
        // Three digits and six zeros, or nothing.
        let nanos = |millis: i64| match millis.rem_euclid(1000) as u64 {
            0 => 0,
            millis => millis << 3 | 5,
        };
        Self {
            streams: vec![present(cells), (DATA, seconds), (SECONDARY, unsigned(times.map(nanos)))],
            ..Self::default()
        }
    }
}

/// Which rows have a value; nothing if all have.
fn present<T>(cells: &[Option<T>]) -> (u64, Vec<u8>) {
    let all = cells.iter().all(Option::is_some);
    (PRESENT, if all { Vec::new() } else { bits(cells.iter().map(Option::is_some)) })
}

pub fn bits(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    let bits: Vec<bool> = bits.collect();
    let byte = |bits: &[bool]| bits.iter().zip(0..).fold(0, |byte, (bit, at)| byte | u8::from(*bit) << (7 - at));
    let bytes: Vec<u8> = bits.chunks(8).map(byte).collect();
    bytes.chunks(128).flat_map(|run| [&[(run.len() as u8).wrapping_neg()], run].concat()).collect()
}

pub fn unsigned(values: impl Iterator<Item = u64>) -> Vec<u8> {
    let values: Vec<u64> = values.collect();
    let mut bytes = Vec::new();
    for run in values.chunks(128) {
        bytes.push((run.len() as u8).wrapping_neg());
        run.iter().for_each(|value| put_varint(&mut bytes, *value));
    }
    bytes
}

pub fn signed(values: impl Iterator<Item = i64>) -> Vec<u8> {
    unsigned(values.map(|value| (value << 1 ^ value >> 63) as u64))
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn put_number(message: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(message, field << 3);
    put_varint(message, number);
}

fn put_bytes(message: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(message, field << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

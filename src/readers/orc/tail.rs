//! The end of a file: how it is compressed, which columns it has, and where its stripes are ("File Tail").
//!
//! Stripes are taken from the footer one by one, as they are asked for, so that a footer takes no more memory than its
//! bytes. Stripes must follow each other: no row is read twice.

use super::proto::{Field, Fields};
use super::stream::{Budget, Compression, Stream, read_at};
use crate::fault::UnitFault;
use crate::readers::damaged;
use crate::source::SourceFile;

/// Statistics of a few dozen columns and thousands of stripes take less than a hundredth of it.
const MAX_FOOTER_LEN: usize = 16 << 20;
/// What reading a footer may take, with its chunks.
const FOOTER_BUDGET: usize = 3 * MAX_FOOTER_LEN;
/// Inventories have about twenty columns.
const MAX_COLUMNS: usize = 10_000;
/// The type of rows ("Types").
const STRUCT: u64 = 12;
/// An object has a key of its own, which takes more than that; without a limit, a few bytes could make a worker go through
/// rows for hours.
const MAX_ROWS_PER_BYTE: u64 = 4096;
const MAGIC: &[u8; 3] = b"ORC";

/// What the footer says.
pub(super) struct Tail {
    pub compression: Compression,
    /// The columns of the file, in its order.
    pub columns: Vec<ColumnType>,
    pub rows: u64,
    /// The footer, in which stripes are found.
    footer: Vec<u8>,
    /// How much of it is behind us.
    read: usize,
    /// Where the last stripe ended.
    last_end: u64,
    /// Stripes end in front of it.
    footer_start: u64,
}

/// A column of the file.
pub(super) struct ColumnType {
    pub name: String,
    /// The number under which its streams are found.
    pub id: u64,
    pub kind: u64,
}

/// Where a stripe is, and what it holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StripeInfo {
    pub offset: u64,
    /// Its streams: indexes first, data after.
    pub streams_len: u64,
    pub footer_len: u64,
    pub rows: u64,
}

impl StripeInfo {
    /// Where its streams end and its footer begins, and where that ends.
    pub(super) fn ends(&self) -> Option<(u64, u64)> {
        let streams_end = self.offset.checked_add(self.streams_len)?;
        Some((streams_end, streams_end.checked_add(self.footer_len)?))
    }
}

#[derive(Default)]
struct Postscript {
    footer_len: u64,
    compression: u64,
    block_len: u64,
    major_version: u64,
    has_magic: bool,
}

#[derive(Default)]
struct Footer {
    /// The kind of every type; the root is the first.
    kinds: Vec<u64>,
    root: Root,
    rows: u64,
    is_encrypted: bool,
}

/// The struct that rows are.
#[derive(Default)]
struct Root {
    ids: Vec<u64>,
    names: Vec<String>,
}

impl Tail {
    pub(super) fn read(file: &SourceFile) -> Result<Self, UnitFault> {
        let (postscript, footer_end) = read_postscript(file)?;
        // The versions so far are 0.11 and 0.12; they differ in nothing that is read here.
        if postscript.major_version > 0 {
            return Err(UnitFault::Format("later ORC"));
        }
        let compression = Compression::new(postscript.compression, postscript.block_len)?;
        let footer_start = footer_end.checked_sub(postscript.footer_len);
        let footer_start = footer_start.ok_or_else(|| damaged("its footer begins in front of the file"))?;
        let budget = Budget::new(FOOTER_BUDGET);
        let bytes = Stream::new(file, &budget, compression, footer_start..footer_end).into_bytes(MAX_FOOTER_LEN)?;
        let footer = Footer::parse(&bytes).ok_or_else(|| damaged("its footer is none"))?;
        if footer.is_encrypted {
            return Err(UnitFault::Format("encrypted ORC"));
        }
        let rows = footer.rows;
        let columns = footer.into_columns().ok_or_else(|| damaged("its footer describes no table"))?;
        let (read, last_end) = (0, MAGIC.len() as u64);
        Ok(Self { compression, columns, rows, footer: bytes, read, last_end, footer_start })
    }

    /// The next stripe, or nothing behind the last one.
    pub(super) fn next_stripe(&mut self) -> Result<Option<StripeInfo>, UnitFault> {
        let mut fields = Fields(self.footer.get(self.read..).unwrap_or_default());
        let stripe = loop {
            match fields.next() {
                Some(Some(Field { number: 3, value })) => break value,
                Some(_) => {}
                None => return Ok(None),
            }
        };
        self.read = self.footer.len() - fields.0.len();
        let stripe = stripe.bytes().and_then(StripeInfo::parse).ok_or_else(|| damaged("its footer is none"))?;
        let (_, end) = stripe
            .ends()
            .filter(|(_, end)| stripe.offset >= self.last_end && *end <= self.footer_start)
            .ok_or_else(|| damaged("a stripe lies outside of its place in the file"))?;
        if stripe.rows / MAX_ROWS_PER_BYTE > end - stripe.offset {
            return Err(damaged("a stripe cannot have as many rows as it says"));
        }
        self.last_end = end;
        Ok(Some(stripe))
    }

    /// Where the last stripe ended.
    pub(super) fn bytes_read(&self) -> u64 {
        self.last_end
    }
}

fn read_postscript(file: &SourceFile) -> Result<(Postscript, u64), UnitFault> {
    let cut = || damaged("it does not end as ORC files do");
    let mut start = [0; MAGIC.len()];
    let last = file.len().checked_sub(1).filter(|last| *last > MAGIC.len() as u64).ok_or_else(cut)?;
    let mut len = [0];
    read_at(file, &mut start, 0)?;
    read_at(file, &mut len, last)?;
    let from = last.checked_sub(len[0].into()).ok_or_else(cut)?;
    let mut buffer = [0; u8::MAX as usize];
    let bytes = &mut buffer[..usize::from(len[0])];
    read_at(file, bytes, from)?;
    let postscript = Postscript::parse(bytes).filter(|postscript| postscript.has_magic && start == *MAGIC);
    Ok((postscript.ok_or_else(cut)?, from))
}

impl Postscript {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut postscript = Self::default();
        for field in Fields(bytes) {
            let Field { number, value } = field?;
            match number {
                1 => postscript.footer_len = value.number()?,
                2 => postscript.compression = value.number()?,
                3 => postscript.block_len = value.number()?,
                4 => {
                    let mut parts = 0;
                    value.each_number(&mut |part| {
                        if parts == 0 {
                            postscript.major_version = part;
                        }
                        parts += 1;
                    })?;
                }
                8000 => postscript.has_magic = value.bytes()? == MAGIC,
                _ => {}
            }
        }
        Some(postscript)
    }
}

impl Footer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut footer = Self::default();
        for field in Fields(bytes) {
            let Field { number, value } = field?;
            match number {
                4 => footer.add_type(value.bytes()?)?,
                6 => footer.rows = value.number()?,
                10 => footer.is_encrypted = true,
                _ => {}
            }
        }
        Some(footer)
    }

    fn add_type(&mut self, bytes: &[u8]) -> Option<()> {
        let (is_root, mut kind) = (self.kinds.is_empty(), 0);
        for field in Fields(bytes) {
            let Field { number, value } = field?;
            match number {
                1 => kind = value.number()?,
                2 if is_root => value.each_number(&mut |id| self.root.ids.push(id))?,
                3 if is_root => self.root.names.push(String::from_utf8_lossy(value.bytes()?).into_owned()),
                _ => {}
            }
            if self.root.ids.len().max(self.root.names.len()).max(self.kinds.len()) > MAX_COLUMNS {
                return None;
            }
        }
        self.kinds.push(kind);
        Some(())
    }

    /// The columns, if rows are what rows of a table are.
    fn into_columns(self) -> Option<Vec<ColumnType>> {
        let Self { kinds, root: Root { ids, names }, .. } = self;
        if *kinds.first()? != STRUCT || ids.len() != names.len() {
            return None;
        }
        let column = |(id, name): (u64, String)| {
            let kind = *kinds.get(usize::try_from(id).ok()?)?;
            Some(ColumnType { name, id, kind })
        };
        ids.into_iter().zip(names).map(column).collect()
    }
}

impl StripeInfo {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut stripe = Self::default();
        for field in Fields(bytes) {
            let Field { number, value } = field?;
            match number {
                1 => stripe.offset = value.number()?,
                2 | 3 => stripe.streams_len = stripe.streams_len.checked_add(value.number()?)?,
                4 => stripe.footer_len = value.number()?,
                5 => stripe.rows = value.number()?,
                _ => {}
            }
        }
        Some(stripe)
    }
}

//! CSV reports: no header, every field quoted, keys form-encoded.
//!
//! A line is a row: S3 writes no line break inside a field, so a quote that is left open costs one row and not the rest
//! of the file. The text is cut into blocks of whole lines, which are decoded independently of each other. Nearly every
//! row has the one shape that S3 writes and is taken apart by the positions of its quotes ([`Marks`]); every other row
//! goes through the strict parser ([`split_strict`]), which defines what a row is. Cells are lent from where they stand in
//! the text.

mod columns;
mod marks;
mod split;

use std::sync::Arc;

use memchr::memchr;

use super::{EachBatch, SharedSchema, UnitFacts, UnitFault};
use crate::batch::{ColumnSet, RowFault, RowState};
use crate::source::{FileFault, SourceFile, TextStream};
use columns::Columns;
use marks::{CHUNK_LEN, Line, Marks};
pub(crate) use split::{Split, split_strict};

/// Blocks of this size keep two workers busy and stay in the cache.
const BLOCK_LEN: usize = 1 << 20;
/// A longer row is none: a key has at most 1,024 bytes, an access control list some thousand.
const MAX_ROW_LEN: usize = BLOCK_LEN / 2;

/// Cuts the text of a file into blocks.
pub(super) struct Reader {
    stream: TextStream,
    schema: SharedSchema,
    /// The beginning of a row whose end has not been read.
    carry: Vec<u8>,
    lines: u64,
    at_end: bool,
    file_len: u64,
}

/// Some whole lines.
pub(super) struct Block {
    lines: Lines,
    first_row: u64,
    schema: SharedSchema,
}

/// Lines and where they and their fields end.
#[derive(Default)]
struct Lines {
    /// The text, and behind the last line anything.
    text: Vec<u8>,
    marks: Marks,
}

impl Reader {
    pub(super) fn new(file: Arc<SourceFile>, called_gz: bool, schema: SharedSchema) -> Result<Self, FileFault> {
        let file_len = file.len();
        let stream = TextStream::new(file, called_gz)?;
        Ok(Self { stream, schema, carry: Vec::new(), lines: 0, at_end: false, file_len })
    }

    pub(super) fn next_block(&mut self, scratch: &mut Scratch) -> Result<Option<Block>, FileFault> {
        if self.at_end {
            return Ok(None);
        }
        let mut lines = std::mem::take(&mut scratch.spare);
        self.read_lines(&mut lines)?;
        let (first_row, len) = (self.lines + 1, lines.marks.len());
        self.lines += len as u64;
        Ok((len > 0).then(|| Block { lines, first_row, schema: Arc::clone(&self.schema) }))
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.stream.bytes_read()
    }

    pub(super) fn facts(&self) -> UnitFacts {
        UnitFacts {
            rows: self.lines,
            bytes: self.file_len,
            columns: self.schema.columns(),
            unknown_columns: self.schema.unknown.clone(),
            newest: None,
        }
    }

    /// Reads until the block is full or the file ends, and keeps an unfinished last line for the next block. What has been
    /// read is marked piece by piece, while it is in the nearer caches.
    fn read_lines(&mut self, Lines { text, marks }: &mut Lines) -> Result<(), FileFault> {
        // There is room for one byte more, in which the last line of the file gets its end.
        text.resize(BLOCK_LEN + CHUNK_LEN, 0);
        marks.clear();
        let mut len = self.carry.len();
        text[..len].copy_from_slice(&self.carry);
        self.carry.clear();
        while len < BLOCK_LEN && !self.at_end {
            let read = self.stream.read_each(&mut text[..BLOCK_LEN], len, &mut |so_far| marks.extend(so_far))?;
            self.at_end = read == 0;
            len += read;
        }
        if self.at_end {
            let len = end_line(text, len);
            marks.finish(text, len);
            return Ok(());
        }
        match marks.cut_behind_lines() {
            0 => self.shorten_line(text, marks),
            end => {
                self.carry.extend_from_slice(&text[end..BLOCK_LEN]);
                Ok(())
            }
        }
    }

    /// Skips the rest of a line that fills a whole block. What stays of it is still too long to be taken for a row.
    fn shorten_line(&mut self, text: &mut [u8], marks: &mut Marks) -> Result<(), FileFault> {
        const KEPT: usize = MAX_ROW_LEN + 1;
        loop {
            let rest = &mut text[KEPT..BLOCK_LEN];
            let read = self.stream.read(rest)?;
            self.at_end = read == 0;
            if self.at_end {
                break;
            }
            if let Some(newline) = memchr(b'\n', &rest[..read]) {
                self.carry.extend_from_slice(&rest[newline + 1..read]);
                break;
            }
        }
        text[KEPT] = b'\n';
        marks.clear();
        marks.finish(text, KEPT + 1);
        Ok(())
    }
}

/// Gives the last line its end, if it has none.
fn end_line(text: &mut [u8], len: usize) -> usize {
    if len == 0 || text[len - 1] == b'\n' {
        return len;
    }
    text[len] = b'\n';
    len + 1
}

impl Block {
    pub(super) fn read(
        mut self,
        wanted: ColumnSet,
        scratch: &mut Scratch,
        each: &mut EachBatch<'_>,
    ) -> Result<(), UnitFault> {
        let Scratch { split, columns, .. } = scratch;
        let Lines { text, marks } = &mut self.lines;
        columns.clear(marks);
        for line in marks.lines() {
            if line.fields == Some(self.schema.width) && line.len() <= MAX_ROW_LEN {
                columns.push_marked(line.from, line.close);
            } else {
                push_odd(line, text, self.schema.width, split, columns);
            }
        }
        let read = columns.read(marks, text, self.first_row, &self.schema, wanted, each);
        scratch.spare = self.lines;
        read
    }
}

/// The strict way, for rows of any shape.
fn push_odd(line: Line, text: &mut Vec<u8>, width: usize, split: &mut Split, columns: &mut Columns) {
    let line = &text[line.from as usize..line.to as usize];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let state = if line.is_empty() {
        RowState::Blank
    } else if line.len() > MAX_ROW_LEN {
        RowState::Bad(RowFault::TooLong)
    } else if let Err(fault) = split_strict(line, split) {
        RowState::Bad(fault)
    } else if split.fields.len() != width {
        RowState::Bad(RowFault::Ragged)
    } else {
        return columns.push_split(split, text);
    };
    columns.push_blank(state, width, text);
}

#[derive(Default)]
pub(super) struct Scratch {
    /// The lists of the last block, for the next one.
    spare: Lines,
    split: Split,
    columns: Columns,
}

#[cfg(test)]
mod tests {
    use super::super::Details;
    use super::*;
    use crate::batch::{Batch, Schema};

    fn reader(text: &[u8], width: usize) -> Reader {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("written");
        let names = ["Bucket", "Key", "Size", "ETag"];
        let schema = Arc::new(Schema::from_names(names[..width].iter().copied()).expect("a schema"));
        let source = SourceFile::open(file.path(), None).expect("opened");
        Reader::new(Arc::new(source), false, schema).expect("a reader")
    }

    fn rows(reader: &mut Reader) -> Vec<(u64, RowState, usize)> {
        let (mut scratch, mut rows) = (Scratch::default(), Vec::new());
        while let Some(block) = reader.next_block(&mut scratch).expect("readable") {
            let mut keep = |batch: &Batch<'_>, _: &mut dyn Details| {
                let states = batch.states.expect("CSV has states");
                rows.extend(
                    (0..batch.len).map(|at| (batch.first_row + at as u64, states[at], batch.key.get(at).len())),
                );
                Ok(())
            };
            block.read(ColumnSet::ALL, &mut scratch, &mut keep).expect("nothing fails");
        }
        rows
    }

    /// Rows of every length around the block's end come out whole and in order.
    #[test]
    fn rows_survive_every_cut_between_blocks() {
        for shift in 0..70 {
            let pad = "x".repeat(BLOCK_LEN - 100 + shift - 10);
            let mut text = format!("\"b\",\"{}\"\n", &pad[..MAX_ROW_LEN - 20]);
            text += &format!("\"b\",\"{}\"\n", &pad[..pad.len() - text.len()]);
            text += "\"b\",\"key-1\"\n\"b\",\"key-22\"\r\n\n\"b\",\"key-333\"";
            let mut reader = reader(text.as_bytes(), 2);
            let found = rows(&mut reader);
            let tail: Vec<_> = found[2..].iter().map(|(row, state, len)| (*row, *state, *len)).collect();
            let sound = RowState::Sound;
            assert_eq!(tail, [(3, sound, 5), (4, sound, 6), (5, RowState::Blank, 0), (6, sound, 7)], "{shift}");
            assert_eq!(reader.facts().rows, 6);
        }
    }

    /// More rows than are read together, with an encoded key here and there.
    #[test]
    fn keys_are_decoded_wherever_they_stand() {
        let key = |row: usize| if row.is_multiple_of(3) { format!("a%20{row}+b") } else { format!("a-{row}") };
        let text: String = (1..=2000).map(|row| format!("\"b\",\"{}\"\n", key(row))).collect();
        let (mut reader, mut scratch, mut keys) = (reader(text.as_bytes(), 2), Scratch::default(), Vec::new());
        while let Some(block) = reader.next_block(&mut scratch).expect("readable") {
            let mut keep = |batch: &Batch<'_>, _: &mut dyn Details| {
                keys.extend((0..batch.len).map(|at| (batch.first_row as usize + at, batch.key.get(at).to_vec())));
                Ok(())
            };
            block.read(ColumnSet::ALL, &mut scratch, &mut keep).expect("nothing fails");
        }
        let decoded = |row: usize| key(row).replace("%20", " ").replace('+', " ").into_bytes();
        assert!(keys == (1..=2000).map(|row| (row, decoded(row))).collect::<Vec<_>>());
    }

    #[test]
    fn an_endless_line_is_one_bad_row() {
        for len in [MAX_ROW_LEN + 1, BLOCK_LEN - 1, BLOCK_LEN, BLOCK_LEN + 1, 3 * BLOCK_LEN] {
            let text = format!("\"b\",\"k1\"\n{}\n\"b\",\"k\"\n", "x".repeat(len));
            let mut reader = reader(text.as_bytes(), 2);
            let found = rows(&mut reader);
            let bad = RowState::Bad(RowFault::TooLong);
            assert_eq!(found, [(1, RowState::Sound, 2), (2, bad, 0), (3, RowState::Sound, 1)], "{len}");
            assert_eq!(reader.facts().rows, 3);
        }
        let unfinished = "x".repeat(2 * BLOCK_LEN);
        assert_eq!(rows(&mut reader(unfinished.as_bytes(), 2)), [(1, RowState::Bad(RowFault::TooLong), 0)]);
    }
}

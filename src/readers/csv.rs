//! CSV reports: no header, every field quoted, keys form-encoded.
//!
//! A line is a row: S3 writes no line break inside a field, so a quote that is left open costs one row and not the rest
//! of the file. The text is cut into blocks of whole lines, which are split independently of each other. Nearly every
//! row has the one shape that S3 writes and is split by looking for quotes only ([`split_quoted`]); every other row goes
//! through the strict parser ([`split_strict`]), which defines what a row is.

use std::ops::Range;
use std::sync::Arc;

use memchr::{memchr, memchr_iter, memrchr};

use super::{EachBatch, NothingDeferred, SharedSchema, UnitFacts, UnitFault};
use crate::batch::{
    Batch, Column, ColumnSet, Flag, Flags, Number, Numbers, RowFault, RowState, Schema, Span, TextList, Texts,
};
use crate::object_key::decode_form;
use crate::source::{FileFault, SourceFile, TextStream};
use crate::timestamp::Timestamp;

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
    rows: u64,
    at_end: bool,
    file_len: u64,
}

/// Some whole lines.
pub(super) struct Block {
    /// A buffer of which the first `len` bytes count.
    buffer: Vec<u8>,
    len: usize,
    first_row: u64,
    schema: SharedSchema,
}

impl Reader {
    pub(super) fn new(file: Arc<SourceFile>, called_gz: bool, schema: SharedSchema) -> Result<Self, FileFault> {
        let file_len = file.len();
        let stream = TextStream::new(file, called_gz)?;
        Ok(Self { stream, schema, carry: Vec::new(), lines: 0, rows: 0, at_end: false, file_len })
    }

    pub(super) fn next_block(&mut self, scratch: &mut Scratch) -> Result<Option<Block>, FileFault> {
        if self.at_end {
            return Ok(None);
        }
        let mut buffer = std::mem::take(&mut scratch.spare);
        buffer.resize(BLOCK_LEN, 0);
        let len = self.read_lines(&mut buffer)?;
        let first_row = self.lines + 1;
        for line in lines(&buffer[..len]) {
            self.lines += 1;
            self.rows += u64::from(!line.is_empty());
        }
        Ok((len > 0).then(|| Block { buffer, len, first_row, schema: Arc::clone(&self.schema) }))
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.stream.bytes_read()
    }

    pub(super) fn facts(&self) -> UnitFacts {
        UnitFacts { rows: self.rows, bytes: self.file_len, unknown_columns: self.schema.unknown.clone() }
    }

    /// Reads until the block is full or the file ends, and keeps an unfinished last line for the next block.
    fn read_lines(&mut self, text: &mut [u8]) -> Result<usize, FileFault> {
        let mut len = self.carry.len();
        text[..len].copy_from_slice(&self.carry);
        self.carry.clear();
        while len < BLOCK_LEN && !self.at_end {
            let read = self.stream.read(&mut text[len..])?;
            self.at_end = read == 0;
            len += read;
        }
        if !self.at_end {
            len = match memrchr(b'\n', text) {
                Some(newline) => self.keep_behind(text, newline),
                None => self.shorten_line(text)?,
            };
        }
        Ok(len)
    }

    /// Keeps what stands behind a newline for the next block; returns the length of what stays.
    fn keep_behind(&mut self, text: &[u8], newline: usize) -> usize {
        self.carry.extend_from_slice(&text[newline + 1..]);
        newline + 1
    }

    /// Skips the rest of a line that fills a whole block. What stays of it is still too long to be taken for a row.
    fn shorten_line(&mut self, text: &mut [u8]) -> Result<usize, FileFault> {
        const KEPT: usize = MAX_ROW_LEN + 1;
        text[KEPT] = b'\n';
        loop {
            let rest = &mut text[KEPT + 1..];
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
        Ok(KEPT + 1)
    }
}

/// The lines of a text, without their ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    let ends = memchr_iter(b'\n', text).chain((!text.is_empty() && !text.ends_with(b"\n")).then_some(text.len()));
    ends.map(move |end| {
        let line = &text[from..end];
        from = end + 1;
        line.strip_suffix(b"\r").unwrap_or(line)
    })
}

impl Block {
    pub(super) fn read(self, scratch: &mut Scratch, each: &mut EachBatch<'_>) -> Result<(), UnitFault> {
        scratch.columns.clear();
        for line in lines(&self.buffer[..self.len]) {
            let state = match split_row(line, &self.schema, &mut scratch.split) {
                Ok(row) => scratch.columns.push_row(row, &self.schema),
                Err(state) => state,
            };
            scratch.columns.end_row(state);
        }
        let read = each(&scratch.columns.as_batch(self.first_row, &self.schema), &mut NothingDeferred);
        scratch.spare = self.buffer;
        read
    }
}

#[derive(Default)]
pub(super) struct Scratch {
    /// The buffer of the last block, for the next one.
    spare: Vec<u8>,
    split: Split,
    columns: Columns,
}

/// Where the fields of a row stand.
#[derive(Default)]
struct Split {
    fields: Vec<Range<usize>>,
    /// Fields that had to be unquoted.
    unquoted: Vec<u8>,
}

/// A row that has been split.
struct Row<'a> {
    text: &'a [u8],
    fields: &'a [Range<usize>],
}

impl<'a> Row<'a> {
    fn field(&self, schema: &Schema, column: Column) -> &'a [u8] {
        schema.position(column).map_or(&[], |at| &self.text[self.fields[at].clone()])
    }
}

fn split_row<'a>(line: &'a [u8], schema: &Schema, split: &'a mut Split) -> Result<Row<'a>, RowState> {
    if line.is_empty() {
        return Err(RowState::Blank);
    }
    if line.len() > MAX_ROW_LEN {
        return Err(RowState::Bad(RowFault::TooLong));
    }
    let text = if split_quoted(line, &mut split.fields) {
        line
    } else {
        split_strict(line, split).map_err(RowState::Bad)?;
        &split.unquoted
    };
    if split.fields.len() != schema.width {
        return Err(RowState::Bad(RowFault::Ragged));
    }
    Ok(Row { text, fields: &split.fields })
}

/// Splits a row of which every field is quoted and none has a quote inside; says no to every other row.
fn split_quoted(line: &[u8], fields: &mut Vec<Range<usize>>) -> bool {
    fields.clear();
    let mut from = 1;
    if line.first() != Some(&b'"') {
        return false;
    }
    while let Some(len) = memchr(b'"', &line[from..]) {
        let end = from + len;
        fields.push(from..end);
        match &line[end + 1..] {
            [] => return true,
            [b',', b'"', ..] => from = end + 3,
            _ => return false,
        }
    }
    false
}

/// Splits a row by the letter of RFC 4180: a field is quoted as a whole, with its quotes doubled, or has no quote at all.
fn split_strict(line: &[u8], split: &mut Split) -> Result<(), RowFault> {
    split.fields.clear();
    split.unquoted.clear();
    let mut rest = line;
    loop {
        let from = split.unquoted.len();
        rest = match rest.strip_prefix(b"\"") {
            Some(quoted) => unquote(quoted, &mut split.unquoted)?,
            None => {
                let end = memchr(b',', rest).unwrap_or(rest.len());
                let (plain, rest) = rest.split_at(end);
                if memchr(b'"', plain).is_some() {
                    return Err(RowFault::Quoting);
                }
                split.unquoted.extend_from_slice(plain);
                rest
            }
        };
        split.fields.push(from..split.unquoted.len());
        rest = match rest {
            [] => return Ok(()),
            [b',', rest @ ..] => rest,
            _ => return Err(RowFault::Quoting),
        };
    }
}

/// Appends a field that stands behind an opening quote; returns what stands behind the closing one.
fn unquote<'a>(mut rest: &'a [u8], unquoted: &mut Vec<u8>) -> Result<&'a [u8], RowFault> {
    loop {
        let quote = memchr(b'"', rest).ok_or(RowFault::Quoting)?;
        unquoted.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            Some(behind) => {
                unquoted.push(b'"');
                rest = behind;
            }
            None => return Ok(rest),
        }
    }
}

#[derive(Default)]
struct Columns {
    states: Vec<RowState>,
    bucket: TextColumn,
    key: TextColumn,
    version_id: TextColumn,
    is_latest: Vec<Flag>,
    is_delete_marker: Vec<Flag>,
    size: Vec<Number>,
    last_modified: Vec<Number>,
    storage_class: TextColumn,
    encryption_status: TextColumn,
    bucket_key_status: TextColumn,
}

impl Columns {
    fn clear(&mut self) {
        self.states.clear();
        self.is_latest.clear();
        self.is_delete_marker.clear();
        self.size.clear();
        self.last_modified.clear();
        self.texts().into_iter().for_each(TextColumn::clear);
    }

    fn texts(&mut self) -> [&mut TextColumn; 6] {
        [
            &mut self.bucket,
            &mut self.key,
            &mut self.version_id,
            &mut self.storage_class,
            &mut self.encryption_status,
            &mut self.bucket_key_status,
        ]
    }

    /// Appends the cells of a row; [`Self::end_row`] must follow.
    fn push_row(&mut self, row: Row<'_>, schema: &Schema) -> RowState {
        let decoded = decode_form(row.field(schema, Column::Key), &mut self.key.bytes);
        self.bucket.bytes.extend_from_slice(row.field(schema, Column::Bucket));
        self.version_id.bytes.extend_from_slice(row.field(schema, Column::VersionId));
        self.is_latest.push(parse_flag(row.field(schema, Column::IsLatest)));
        self.is_delete_marker.push(parse_flag(row.field(schema, Column::IsDeleteMarker)));
        self.size.push(parse_size(row.field(schema, Column::Size)));
        self.last_modified.push(parse_time(row.field(schema, Column::LastModifiedDate)));
        self.storage_class.bytes.extend_from_slice(row.field(schema, Column::StorageClass));
        self.encryption_status.bytes.extend_from_slice(row.field(schema, Column::EncryptionStatus));
        self.bucket_key_status.bytes.extend_from_slice(row.field(schema, Column::BucketKeyStatus));
        if decoded { RowState::Sound } else { RowState::Bad(RowFault::KeyEncoding) }
    }

    /// Ends a row; cells that it did not get are blank.
    fn end_row(&mut self, state: RowState) {
        self.states.push(state);
        let rows = self.states.len();
        self.is_latest.resize(rows, Flag::Blank);
        self.is_delete_marker.resize(rows, Flag::Blank);
        self.size.resize(rows, Number::BLANK);
        self.last_modified.resize(rows, Number::BLANK);
        self.texts().into_iter().for_each(TextColumn::end_text);
    }

    fn as_batch(&self, first_row: u64, schema: &Schema) -> Batch<'_> {
        let texts = |column, texts| match schema.position(column) {
            Some(_) => TextColumn::as_texts(texts),
            None => Texts::Absent,
        };
        let numbers = |column, numbers| match schema.position(column) {
            Some(_) => Numbers::Plain(numbers),
            None => Numbers::Absent,
        };
        let flags = |column, flags| match schema.position(column) {
            Some(_) => Flags::Plain(flags),
            None => Flags::Absent,
        };
        Batch {
            len: self.states.len(),
            first_row,
            states: Some(&self.states),
            deferred: ColumnSet::NONE,
            bucket: texts(Column::Bucket, &self.bucket),
            key: texts(Column::Key, &self.key),
            version_id: texts(Column::VersionId, &self.version_id),
            is_latest: flags(Column::IsLatest, &self.is_latest),
            is_delete_marker: flags(Column::IsDeleteMarker, &self.is_delete_marker),
            size: numbers(Column::Size, &self.size),
            last_modified: numbers(Column::LastModifiedDate, &self.last_modified),
            storage_class: texts(Column::StorageClass, &self.storage_class),
            encryption_status: texts(Column::EncryptionStatus, &self.encryption_status),
            bucket_key_status: texts(Column::BucketKeyStatus, &self.bucket_key_status),
        }
    }
}

/// Texts laid end to end, and where each ends.
#[derive(Default)]
struct TextColumn {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl TextColumn {
    fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    fn end_text(&mut self) {
        // A column is never longer than the block that it comes from.
        let from = self.spans.last().map_or(0, |last| last.from + last.len);
        self.spans.push(Span { from, len: self.bytes.len() as u32 - from });
    }

    fn as_texts(&self) -> Texts<'_> {
        Texts::Plain(TextList::new(&self.bytes, &self.spans))
    }
}

fn parse_flag(text: &[u8]) -> Flag {
    match text {
        b"true" => Flag::True,
        b"false" => Flag::False,
        b"" => Flag::Blank,
        text if text.eq_ignore_ascii_case(b"true") => Flag::True,
        text if text.eq_ignore_ascii_case(b"false") => Flag::False,
        _ => Flag::Bad,
    }
}

fn parse_size(text: &[u8]) -> Number {
    if text.is_empty() {
        return Number::BLANK;
    }
    let append = |number: i64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    text.iter().try_fold(0, append).map_or(Number::BAD, Number::new)
}

fn parse_time(text: &[u8]) -> Number {
    match text {
        b"" => Number::BLANK,
        text => Timestamp::parse(text).map_or(Number::BAD, |time| Number::new(time.as_millis())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Details;
    use super::*;

    fn strict(line: &str) -> Result<Vec<String>, RowFault> {
        let mut split = Split::default();
        split_strict(line.as_bytes(), &mut split)?;
        let text = |field: &Range<usize>| String::from_utf8_lossy(&split.unquoted[field.clone()]).into_owned();
        Ok(split.fields.iter().map(text).collect())
    }

    fn quoted(line: &str) -> Option<Vec<String>> {
        let mut fields = Vec::new();
        split_quoted(line.as_bytes(), &mut fields).then(|| fields.into_iter().map(|at| line[at].to_owned()).collect())
    }

    #[test]
    fn rows_are_split_by_the_letter() {
        let row = |fields: &[&str]| Ok(fields.iter().map(|&field| field.to_owned()).collect::<Vec<_>>());
        assert_eq!(strict(r#""a","b""#), row(&["a", "b"]));
        assert_eq!(strict(r#"a,"b,c",,"""#), row(&["a", "b,c", "", ""]));
        assert_eq!(strict(r#"a,"b,c",,"""""#), row(&["a", "b,c", "", "\""]));
        assert_eq!(strict(","), row(&["", ""]));
        for bad in [r#"""#, r#""a"#, r#""a"b"#, r#""a" ,"b""#, r#""a"",b"#, r#""a""b"#, r#"a"b"#, r#" "a""#] {
            assert_eq!(strict(bad), Err(RowFault::Quoting), "{bad}");
        }
    }

    /// Every line of up to seven of these characters: where the fast way has an answer, it is the strict one's.
    #[test]
    fn the_fast_way_agrees_with_the_strict_one() {
        let alphabet = ['"', ',', 'a'];
        let mut fast_answers = 0;
        for len in 0..=9 {
            for number in 0..3_usize.pow(len) {
                let line: String = (0..len).map(|at| alphabet[number / 3_usize.pow(at) % 3]).collect();
                if let Some(fields) = quoted(&line) {
                    assert_eq!(strict(&line).as_ref(), Ok(&fields), "{line}");
                    fast_answers += 1;
                }
            }
        }
        assert!(fast_answers > 100, "{fast_answers}");
    }

    #[test]
    fn lines_end_with_either_ending() {
        let split = |text: &str| {
            lines(text.as_bytes()).map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(split("a\r\n\nb"), ["a", "", "b"]);
        assert_eq!(split("a\n"), ["a"]);
        assert!(split("").is_empty());
    }

    #[test]
    fn sizes_are_digits() {
        assert_eq!(parse_size(b"0042"), Number::new(42));
        assert_eq!(parse_size(b""), Number::BLANK);
        for bad in ["-1", "+1", " 1", "1e3", "9223372036854775808", "\u{663}"] {
            assert_eq!(parse_size(bad.as_bytes()), Number::BAD, "{bad}");
        }
    }

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
            block.read(&mut scratch, &mut keep).expect("nothing fails");
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
            assert_eq!(reader.facts().rows, 5);
        }
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

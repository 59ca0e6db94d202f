//! The columns of a block: each cell is where its text stands, or what its text means.
//!
//! Rows come first, as positions in the text; odd ones are written behind it in the common shape, so that all are alike.
//! Then the columns are read one after the other, each in a loop of its own without a choice to make.

use super::marks::Marks;
use super::split::Split;
use crate::batch::{
    Batch, Column, ColumnSet, Flag, Flags, Number, Numbers, RowFault, RowState, Schema, Span, TextList, Texts,
};
use crate::object_key::{decode_form, is_form_encoded};
use crate::timestamp::TimeParser;

/// The cells of some lines. A line that is no sound row has blank ones.
#[derive(Default)]
pub(super) struct Columns {
    rows: Rows,
    bucket: Vec<Span>,
    key: Vec<Span>,
    version_id: Vec<Span>,
    is_latest: Vec<Flag>,
    is_delete_marker: Vec<Flag>,
    size: Vec<Number>,
    last_modified: Vec<Number>,
    storage_class: Vec<Span>,
    encryption_status: Vec<Span>,
    bucket_key_status: Vec<Span>,
    decoded: Vec<u8>,
    times: TimeParser,
}

/// The rows of a block, as positions in its text.
#[derive(Default)]
struct Rows {
    states: Vec<RowState>,
    starts: Vec<RowStart>,
    /// The closing quotes of rows that were written behind the text. They come after all that were marked.
    closes: Vec<u32>,
    marked_closes: u32,
    /// A row of blank fields, if one was needed.
    blank: Option<RowStart>,
}

#[derive(Clone, Copy)]
struct RowStart {
    /// The position of its first quote.
    from: u32,
    /// Its first closing quote, as a position in the list of them.
    close: u32,
}

impl Columns {
    /// Forgets all rows and makes room for those that were marked.
    pub(super) fn clear(&mut self, marks: &Marks) {
        self.rows.clear(marks);
        for spans in [
            &mut self.bucket,
            &mut self.key,
            &mut self.version_id,
            &mut self.storage_class,
            &mut self.encryption_status,
            &mut self.bucket_key_status,
        ] {
            spans.clear();
        }
        self.is_latest.clear();
        self.is_delete_marker.clear();
        self.size.clear();
        self.last_modified.clear();
        self.decoded.clear();
    }

    /// Appends a row that begins at a position of the text, and the position of its first closing quote in the marks.
    #[inline]
    pub(super) fn push_marked(&mut self, from: u32, close: u32) {
        self.rows.push_start(RowState::Sound, RowStart { from, close });
    }

    /// Appends a row that was split, and writes it behind the text.
    pub(super) fn push_split(&mut self, split: &Split, text: &mut Vec<u8>) {
        self.rows.push_fields(RowState::Sound, split.fields.iter().map(|field| &split.unquoted[field.clone()]), text);
    }

    /// Appends a line that is no sound row of so many fields.
    pub(super) fn push_blank(&mut self, state: RowState, width: usize, text: &mut Vec<u8>) {
        match self.rows.blank {
            Some(blank) => self.rows.push_start(state, blank),
            None => {
                self.rows.push_fields(state, std::iter::repeat_n(&[][..], width), text);
                self.rows.blank = self.rows.starts.last().copied();
            }
        }
    }

    /// Reads the columns of all rows and lends them; marks and text get what does not stand in them yet.
    pub(super) fn lend<'a>(
        &'a mut self,
        marks: &mut Marks,
        text: &'a mut Vec<u8>,
        first_row: u64,
        schema: &Schema,
    ) -> Batch<'a> {
        self.read(marks.with_closes(&self.rows.closes), text, schema);
        self.read_keys(text, schema);
        let bytes = text.as_slice();
        let has = |column| schema.position(column).is_some();
        let texts = |column, spans| if has(column) { Texts::Plain(TextList::new(bytes, spans)) } else { Texts::Absent };
        let numbers = |column, numbers| if has(column) { Numbers::Plain(numbers) } else { Numbers::Absent };
        let flags = |column, flags| if has(column) { Flags::Plain(flags) } else { Flags::Absent };
        Batch {
            len: self.rows.states.len(),
            first_row,
            states: Some(&self.rows.states),
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

    fn read(&mut self, closes: &[u32], text: &[u8], schema: &Schema) {
        let rows = &self.rows;
        for (column, spans) in [
            (Column::Bucket, &mut self.bucket),
            (Column::Key, &mut self.key),
            (Column::VersionId, &mut self.version_id),
            (Column::StorageClass, &mut self.storage_class),
            (Column::EncryptionStatus, &mut self.encryption_status),
            (Column::BucketKeyStatus, &mut self.bucket_key_status),
        ] {
            rows.read_column(closes, schema, column, spans, |field| field);
        }
        let cell = |field: Span| text.get(field.from as usize..(field.from + field.len) as usize).unwrap_or_default();
        for (column, flags) in
            [(Column::IsLatest, &mut self.is_latest), (Column::IsDeleteMarker, &mut self.is_delete_marker)]
        {
            rows.read_column(closes, schema, column, flags, |field| parse_flag(cell(field)));
        }
        rows.read_column(closes, schema, Column::Size, &mut self.size, |field| parse_size(cell(field)));
        let (times, last_modified) = (&mut self.times, &mut self.last_modified);
        rows.read_column(closes, schema, Column::LastModifiedDate, last_modified, |field| {
            parse_time(times, cell(field))
        });
    }

    /// Decodes the keys that need it. They stand behind the text then.
    fn read_keys(&mut self, text: &mut Vec<u8>, schema: &Schema) {
        if schema.position(Column::Key).is_none() {
            return;
        }
        for (key, state) in self.key.iter_mut().zip(&mut self.rows.states) {
            let encoded = &text[key.from as usize..(key.from + key.len) as usize];
            if is_form_encoded(encoded) {
                let from = self.decoded.len();
                if !decode_form(encoded, &mut self.decoded) {
                    *state = RowState::Bad(RowFault::KeyEncoding);
                }
                *key = Span { from: (text.len() + from) as u32, len: (self.decoded.len() - from) as u32 };
            }
        }
        text.extend_from_slice(&self.decoded);
    }
}

impl Rows {
    fn clear(&mut self, marks: &Marks) {
        self.states.clear();
        self.starts.clear();
        self.closes.clear();
        self.marked_closes = marks.closes_len();
        self.blank = None;
        self.states.reserve(marks.len());
        self.starts.reserve(marks.len());
    }

    #[inline]
    fn push_start(&mut self, state: RowState, start: RowStart) {
        self.states.push(state);
        self.starts.push(start);
    }

    /// Writes fields behind the text as S3 writes them, but for quotes inside, which nobody looks for any more.
    fn push_fields<'f>(&mut self, state: RowState, fields: impl Iterator<Item = &'f [u8]>, text: &mut Vec<u8>) {
        let start = RowStart { from: text.len() as u32, close: self.marked_closes + self.closes.len() as u32 };
        for (at, field) in fields.enumerate() {
            text.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            text.extend_from_slice(field);
            self.closes.push(text.len() as u32);
            text.push(b'"');
        }
        self.push_start(state, start);
    }

    /// Reads the field of a column in each row; nothing when the report has no such column. The list grows once, not row
    /// by row.
    #[inline(always)]
    fn read_column<T>(
        &self,
        closes: &[u32],
        schema: &Schema,
        column: Column,
        cells: &mut Vec<T>,
        mut read: impl FnMut(Span) -> T,
    ) {
        match schema.position(column) {
            None => {}
            Some(0) => {
                let first = |start: &RowStart| span(start.from + 1, closes[start.close as usize]);
                cells.extend(self.starts.iter().map(|start| read(first(start))));
            }
            Some(at) => {
                let field = |start: &RowStart| {
                    let closes = &closes[start.close as usize + at - 1..][..2];
                    // Between two fields stand a quote, a comma and a quote.
                    span(closes[0] + 3, closes[1])
                };
                cells.extend(self.starts.iter().map(|start| read(field(start))));
            }
        }
    }
}

#[inline]
fn span(from: u32, to: u32) -> Span {
    Span { from, len: to - from }
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

#[inline]
fn parse_time(times: &mut TimeParser, text: &[u8]) -> Number {
    match text {
        b"" => Number::BLANK,
        text => times.parse(text).map_or(Number::BAD, |time| Number::new(time.as_millis())),
    }
}

#[inline]
fn parse_size(text: &[u8]) -> Number {
    /// So many digits cannot overflow.
    const SAFE_DIGITS: usize = 18;
    if text.is_empty() {
        return Number::BLANK;
    }
    if text.len() > SAFE_DIGITS {
        return parse_long_size(text);
    }
    let (mut number, mut all_digits) = (0, true);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        all_digits &= digit <= 9;
        number = number * 10 + i64::from(digit);
    }
    if all_digits { Number::new(number) } else { Number::BAD }
}

fn parse_long_size(text: &[u8]) -> Number {
    let append = |number: i64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    text.iter().try_fold(0, append).map_or(Number::BAD, Number::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_digits() {
        assert_eq!(parse_size(b"0042"), Number::new(42));
        assert_eq!(parse_size(b""), Number::BLANK);
        assert_eq!(parse_size(b"999999999999999999"), Number::new(999_999_999_999_999_999));
        assert_eq!(parse_size(b"9223372036854775807"), Number::new(i64::MAX));
        for bad in ["-1", "+1", " 1", "1e3", "9223372036854775808", "99999999999999999999", "\u{663}"] {
            assert_eq!(parse_size(bad.as_bytes()), Number::BAD, "{bad}");
        }
    }
}

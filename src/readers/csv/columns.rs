//! The columns of a block: each cell is where its text stands, or what its text means.
//!
//! Rows come first, as positions in the text; odd ones are written behind it in the common shape, so that all are alike.
//! Then the columns are read one after the other, each in a loop of its own without a choice to make: those that are
//! wanted of all rows, the others of the rows that are asked for.

use super::marks::Marks;
use super::split::Split;
use crate::batch::{
    Batch, Cells as AnyCells, Column, ColumnSet, Flag, Flags, Number, Numbers, RowFault, RowState, Schema, Span,
    TextList, Texts,
};
use crate::escape::percent::{decode_form, is_form_encoded};
use crate::fault::UnitFault;
use crate::readers::{Details, EachBatch};
use crate::timestamp::TimeParser;

/// The columns that every row is checked by.
const CHECKED: ColumnSet = ColumnSet::NONE
    .with(Column::Bucket)
    .with(Column::Key)
    .with(Column::VersionId)
    .with(Column::IsLatest)
    .with(Column::IsDeleteMarker)
    .with(Column::Size)
    .with(Column::LastModifiedDate);

/// Rows that are read together: about 200 KB of text, and as much again of what is known of it.
const STRIP_ROWS: usize = 512;

/// The rows of a block, and what was read of them.
#[derive(Default)]
pub(super) struct Columns {
    rows: Rows,
    wanted: Cells,
    deferred: Cells,
    decoded: Vec<u8>,
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

/// The text of a block in which all rows have the common shape.
#[derive(Clone, Copy)]
struct Text<'a> {
    bytes: &'a [u8],
    closes: &'a [u32],
    schema: &'a Schema,
}

/// Cells of some rows.
#[derive(Default)]
struct Cells {
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
    tier: Vec<Span>,
    lock_mode: Vec<Span>,
    retain_until: Vec<Number>,
    legal_hold: Vec<Span>,
    event_hold: Vec<Span>,
    etag: Vec<Span>,
    evidence_as_of: Vec<Number>,
    shown: [Vec<Span>; Column::SHOWN.len()],
    times: TimeParser,
}

/// The columns that were not wanted of all rows.
struct Deferred<'a> {
    columns: ColumnSet,
    text: Text<'a>,
    starts: &'a [RowStart],
    cells: &'a mut Cells,
}

impl Columns {
    /// Forgets all rows and makes room for those that were marked.
    pub(super) fn clear(&mut self, marks: &Marks) {
        self.rows.clear(marks);
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

    /// Reads the wanted columns of all rows and hands them over, some rows at a time: their text stays in the cache while
    /// column after column is read and looked at. Marks and text get what does not stand in them yet. Columns in which a
    /// cell can be bad are always read: whether a row is sound does not depend on who asks.
    pub(super) fn read(
        &mut self,
        marks: &mut Marks,
        bytes: &mut Vec<u8>,
        first_row: u64,
        schema: &Schema,
        wanted: ColumnSet,
        each: &mut EachBatch<'_>,
    ) -> Result<(), UnitFault> {
        let Self { rows, wanted: cells, deferred: more, decoded } = self;
        let closes = marks.with_closes(&rows.closes);
        let (wanted, deferred) = schema.columns().partition(wanted.union(CHECKED));
        let (text_len, strips) = (bytes.len(), rows.starts.chunks(STRIP_ROWS).zip(rows.states.chunks_mut(STRIP_ROWS)));
        for (first_row, (starts, states)) in (first_row..).step_by(STRIP_ROWS).zip(strips) {
            cells.read(wanted, &Text { bytes, closes, schema }, starts.iter().copied());
            bytes.truncate(text_len);
            decode_keys(&mut cells.key, states, bytes, decoded);
            let text = Text { bytes, closes, schema };
            let mut details = Deferred { columns: deferred, text, starts, cells: more };
            let (len, states) = (states.len(), Some(&*states));
            each(&Batch { len, first_row, states, deferred, ..cells.lend(wanted, bytes) }, &mut details)?;
        }
        Ok(())
    }
}

/// Decodes the keys that need it. They stand behind the text then.
fn decode_keys(keys: &mut [Span], states: &mut [RowState], text: &mut Vec<u8>, decoded: &mut Vec<u8>) {
    decoded.clear();
    for (key, state) in keys.iter_mut().zip(states) {
        let encoded = &text[key.from as usize..(key.from + key.len) as usize];
        if is_form_encoded(encoded) {
            let from = decoded.len();
            if !decode_form(encoded, decoded) {
                *state = RowState::Bad(RowFault::KeyEncoding);
            }
            *key = Span { from: (text.len() + from) as u32, len: (decoded.len() - from) as u32 };
        }
    }
    text.extend_from_slice(decoded);
}

impl Details for Deferred<'_> {
    fn read(&mut self, rows: &[u32], columns: ColumnSet) -> Result<Batch<'_>, UnitFault> {
        let (columns, starts) = (self.columns.partition(columns).0, self.starts);
        self.cells.read(columns, &self.text, rows.iter().map(|&row| starts[row as usize]));
        Ok(Batch { len: rows.len(), ..self.cells.lend(columns, self.text.bytes) })
    }

    fn is_repeatable(&self) -> bool {
        true
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
}

impl Cells {
    /// Reads some columns of some rows; forgets all others.
    fn read(&mut self, columns: ColumnSet, text: &Text<'_>, rows: impl Iterator<Item = RowStart> + Clone) {
        for (column, spans) in [
            (Column::Bucket, &mut self.bucket),
            (Column::Key, &mut self.key),
            (Column::VersionId, &mut self.version_id),
            (Column::StorageClass, &mut self.storage_class),
            (Column::EncryptionStatus, &mut self.encryption_status),
            (Column::BucketKeyStatus, &mut self.bucket_key_status),
            (Column::IntelligentTieringAccessTier, &mut self.tier),
            (Column::ObjectLockMode, &mut self.lock_mode),
            (Column::ObjectLockLegalHoldStatus, &mut self.legal_hold),
            (Column::ObjectLockEventHoldStatus, &mut self.event_hold),
            (Column::ETag, &mut self.etag),
        ] {
            text.read_column(columns, column, rows.clone(), spans, |field| field);
        }
        for (column, spans) in Column::SHOWN.into_iter().zip(&mut self.shown) {
            text.read_column(columns, column, rows.clone(), spans, |field| field);
        }
        let cell =
            |field: Span| text.bytes.get(field.from as usize..(field.from + field.len) as usize).unwrap_or_default();
        for (column, flags) in
            [(Column::IsLatest, &mut self.is_latest), (Column::IsDeleteMarker, &mut self.is_delete_marker)]
        {
            text.read_column(columns, column, rows.clone(), flags, |field| parse_flag(cell(field)));
        }
        text.read_column(columns, Column::Size, rows.clone(), &mut self.size, |field| parse_size(cell(field)));
        let times = &mut self.times;
        for (column, numbers) in [
            (Column::LastModifiedDate, &mut self.last_modified),
            (Column::ObjectLockRetainUntilDate, &mut self.retain_until),
            (Column::EvidenceAsOf, &mut self.evidence_as_of),
        ] {
            text.read_column(columns, column, rows.clone(), numbers, |field| parse_time(times, cell(field)));
        }
    }

    /// The columns that were read, as a batch without rows.
    fn lend<'a>(&'a self, columns: ColumnSet, bytes: &'a [u8]) -> Batch<'a> {
        let has = |column| columns.contains(column);
        let texts = |column, spans| if has(column) { Texts::Plain(TextList::new(bytes, spans)) } else { Texts::Absent };
        let numbers = |column, numbers| if has(column) { Numbers::Plain(numbers) } else { Numbers::Absent };
        let flags = |column, flags| if has(column) { Flags::Plain(flags) } else { Flags::Absent };
        Batch {
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
            intelligent_tiering_access_tier: texts(Column::IntelligentTieringAccessTier, &self.tier),
            object_lock_mode: texts(Column::ObjectLockMode, &self.lock_mode),
            object_lock_retain_until_date: numbers(Column::ObjectLockRetainUntilDate, &self.retain_until),
            object_lock_legal_hold_status: texts(Column::ObjectLockLegalHoldStatus, &self.legal_hold),
            object_lock_event_hold_status: texts(Column::ObjectLockEventHoldStatus, &self.event_hold),
            etag: texts(Column::ETag, &self.etag),
            evidence_as_of: numbers(Column::EvidenceAsOf, &self.evidence_as_of),
            shown: std::array::from_fn(|at| AnyCells::Texts(texts(Column::SHOWN[at], &self.shown[at]))),
            ..Batch::default()
        }
    }
}

impl Text<'_> {
    /// Reads the field of a column in each row, if it is one of `columns`. The list grows once, not row by row.
    #[inline(always)]
    fn read_column<T>(
        &self,
        columns: ColumnSet,
        column: Column,
        rows: impl Iterator<Item = RowStart>,
        cells: &mut Vec<T>,
        mut read: impl FnMut(Span) -> T,
    ) {
        cells.clear();
        match self.schema.position(column).filter(|_| columns.contains(column)) {
            None => {}
            Some(0) => {
                let first = |start: RowStart| span(start.from + 1, self.closes[start.close as usize]);
                cells.extend(rows.map(|start| read(first(start))));
            }
            Some(at) => {
                let field = |start: RowStart| {
                    let closes = &self.closes[start.close as usize + at - 1..][..2];
                    // Between two fields stand a quote, a comma and a quote.
                    span(closes[0] + 3, closes[1])
                };
                cells.extend(rows.map(|start| read(field(start))));
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

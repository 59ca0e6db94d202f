//! The columns of a block: each cell is where its text stands, or what its text means.

use super::split::Split;
use crate::batch::{
    Batch, Column, ColumnSet, Flag, Flags, Number, Numbers, RowFault, RowState, Schema, Span, TextList, Texts,
};
use crate::object_key::{decode_form, is_form_encoded};
use crate::timestamp::TimeParser;

/// The cells of some lines. A line that is no sound row has blank ones.
#[derive(Default)]
pub(super) struct Columns {
    states: Vec<RowState>,
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
    /// Cells that do not stand in the text as they are.
    beside: Vec<u8>,
    /// The length of the text: what is beside it is lent as if it stood behind it.
    text_len: u32,
    times: TimeParser,
}

/// The cells of a row, wherever they come from.
trait Cells {
    /// The field at a position: where it will stand when it is lent, and its text.
    fn field(&self, at: usize) -> (u32, &[u8]);
}

/// A row whose fields are told by their closing quotes.
struct Marked<'t> {
    text: &'t [u8],
    from: u32,
    closes: &'t [u32],
}

impl Cells for Marked<'_> {
    #[inline]
    fn field(&self, at: usize) -> (u32, &[u8]) {
        // Between two fields stand a quote, a comma and a quote.
        let from = if at == 0 { self.from + 1 } else { self.closes[at - 1] + 3 };
        (from, &self.text[from as usize..self.closes[at] as usize])
    }
}

/// A row that was split, whose fields will stand beside the text.
struct Unquoted<'s> {
    split: &'s Split,
    base: u32,
}

impl Cells for Unquoted<'_> {
    fn field(&self, at: usize) -> (u32, &[u8]) {
        let field = self.split.fields[at].clone();
        (self.base + field.start as u32, &self.split.unquoted[field])
    }
}

impl Columns {
    /// Forgets all rows and makes room for others.
    pub(super) fn clear(&mut self, text_len: usize, lines: usize) {
        self.states.clear();
        self.states.reserve(lines);
        self.spans().into_iter().for_each(Vec::clear);
        for flags in [&mut self.is_latest, &mut self.is_delete_marker] {
            flags.clear();
        }
        for numbers in [&mut self.size, &mut self.last_modified] {
            numbers.clear();
        }
        self.beside.clear();
        // A block is much shorter than what 32 bits can count.
        self.text_len = text_len as u32;
    }

    fn spans(&mut self) -> [&mut Vec<Span>; 6] {
        [
            &mut self.bucket,
            &mut self.key,
            &mut self.version_id,
            &mut self.storage_class,
            &mut self.encryption_status,
            &mut self.bucket_key_status,
        ]
    }

    /// Appends a line that is no sound row.
    pub(super) fn push_state(&mut self, state: RowState) {
        self.states.push(state);
        self.spans().into_iter().for_each(|spans| spans.push(Span::default()));
        self.is_latest.push(Flag::Blank);
        self.is_delete_marker.push(Flag::Blank);
        self.size.push(Number::BLANK);
        self.last_modified.push(Number::BLANK);
    }

    /// Appends a row whose fields end at `closes`.
    #[inline]
    pub(super) fn push_marked(&mut self, text: &[u8], from: u32, closes: &[u32], schema: &Schema) {
        self.push(&Marked { text, from, closes }, schema);
    }

    /// Appends a row that was split.
    pub(super) fn push_split(&mut self, split: &Split, schema: &Schema) {
        let base = self.text_len + self.beside.len() as u32;
        self.beside.extend_from_slice(&split.unquoted);
        self.push(&Unquoted { split, base }, schema);
    }

    #[inline]
    fn push(&mut self, cells: &impl Cells, schema: &Schema) {
        let field = |column| schema.position(column).map_or((0, &[][..]), |at| cells.field(at));
        let span = |column| {
            let (from, text) = field(column);
            Span { from, len: text.len() as u32 }
        };
        self.bucket.push(span(Column::Bucket));
        self.version_id.push(span(Column::VersionId));
        self.storage_class.push(span(Column::StorageClass));
        self.encryption_status.push(span(Column::EncryptionStatus));
        self.bucket_key_status.push(span(Column::BucketKeyStatus));
        self.is_latest.push(parse_flag(field(Column::IsLatest).1));
        self.is_delete_marker.push(parse_flag(field(Column::IsDeleteMarker).1));
        self.size.push(parse_size(field(Column::Size).1));
        self.last_modified.push(parse_time(&mut self.times, field(Column::LastModifiedDate).1));
        let (from, key) = field(Column::Key);
        self.push_key(from, key);
    }

    /// Appends a key, which stands in the text unless it has to be decoded.
    #[inline]
    fn push_key(&mut self, from: u32, encoded: &[u8]) {
        if !is_form_encoded(encoded) {
            self.key.push(Span { from, len: encoded.len() as u32 });
            self.states.push(RowState::Sound);
            return;
        }
        let before = self.beside.len();
        let decoded = decode_form(encoded, &mut self.beside);
        let len = (self.beside.len() - before) as u32;
        self.key.push(Span { from: self.text_len + before as u32, len });
        self.states.push(if decoded { RowState::Sound } else { RowState::Bad(RowFault::KeyEncoding) });
    }

    /// The rows as a batch; `text` gets what stands beside it.
    pub(super) fn lend<'a>(&'a self, text: &'a mut Vec<u8>, first_row: u64, schema: &Schema) -> Batch<'a> {
        text.extend_from_slice(&self.beside);
        let bytes = text.as_slice();
        let has = |column| schema.position(column).is_some();
        let texts = |column, spans| if has(column) { Texts::Plain(TextList::new(bytes, spans)) } else { Texts::Absent };
        let numbers = |column, numbers| if has(column) { Numbers::Plain(numbers) } else { Numbers::Absent };
        let flags = |column, flags| if has(column) { Flags::Plain(flags) } else { Flags::Absent };
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

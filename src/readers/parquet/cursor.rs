//! A column chunk row by row: the values of the next rows of a page, or a step over any number of rows.
//!
//! A cursor moves forward only. Whoever reads asks how many rows are left in the page and takes at most these, so that
//! texts can be lent from the page as they stand there. Stepping over whole pages costs their headers; within a page,
//! values that nobody asked for are decoded and dropped, which is cheap beside decompressing it. Values are checked as
//! they are decoded: what a cursor lends has one value for each row, and no code without its text.

use super::header::{DataHeader, DictionaryHeader, Encoding, LevelForm, PageHeader, PageKind};
use super::hybrid::Hybrid;
use super::pages::{ChunkRange, PageBytes, PageWindow, Pages};
use crate::batch::{Cells, Column, Flag, Flags, Number, Numbers, Span, TextList, Texts};
use crate::fault::UnitFault;
use crate::readers::{
    cells::{NULL_CODE, spread},
    columns::{self, MAX_ROWS},
    damaged,
};
use crate::source::SourceFile;

/// A column chunk that can be read with a cursor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub column: Column,
    pub range: ChunkRange,
    pub kind: ValueKind,
    /// Whether there can be nulls.
    pub is_optional: bool,
}

/// What the values of a chunk are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// `BYTE_ARRAY`.
    Text,
    /// `BOOLEAN`.
    Flag,
    /// `INT32`.
    Int32,
    /// `INT64`, divided and rounded down: times become milliseconds.
    Int64 { divisor: i64 },
}

/// What a cursor keeps from chunk to chunk to save allocations.
#[derive(Default)]
pub(super) struct Buffers {
    window: PageWindow,
    values: ValueBuffers,
}

#[derive(Default)]
struct ValueBuffers {
    page: PageBytes,
    dictionary: Dictionary,
    /// Of the last rows, if some of them are null: 0 for a null, 1 for a value.
    levels: Vec<u32>,
    codes: Vec<u32>,
    spans: Vec<Span>,
    flags: Vec<Flag>,
    numbers: Vec<Number>,
}

#[derive(Default)]
struct Dictionary {
    page: PageBytes,
    /// How many values it has.
    len: usize,
    spans: Vec<Span>,
    numbers: Vec<Number>,
}

/// A position in a column chunk.
pub(super) struct Cursor<'s> {
    pages: Pages<'s>,
    kind: ValueKind,
    is_optional: bool,
    values: &'s mut ValueBuffers,
    has_dictionary: bool,
    /// Rows of the current page that have not been read.
    rows_left: usize,
    page: Page,
    are_coded: bool,
}

/// How far the current page has been read.
#[derive(Clone, Copy)]
enum Page {
    /// Before the first page.
    None,
    /// Its header.
    Closed(PageHeader, DataHeader),
    /// It is decompressed.
    Open {
        /// Nothing if no value can be null.
        levels: Option<Hybrid>,
        values: Values,
    },
}

/// Where the next value is.
#[derive(Clone, Copy)]
enum Values {
    Codes(Hybrid),
    Bits(Hybrid),
    Plain { at: usize },
}

impl columns::Cursor for Cursor<'_> {
    /// How many rows are left in the current page, or in the next one after its end; 0 at the end of the chunk.
    fn rows_at_hand(&mut self) -> Result<usize, UnitFault> {
        while self.rows_left == 0 {
            let Some(header) = self.pages.next_header()? else { break };
            match header.kind {
                PageKind::Index => {}
                PageKind::Dictionary(dictionary) => self.read_dictionary(&header, dictionary)?,
                PageKind::Data(data) => (self.page, self.rows_left) = (Page::Closed(header, data), data.values),
            }
        }
        Ok(self.rows_left)
    }

    fn skip(&mut self, mut rows: u64) -> Result<(), UnitFault> {
        while rows > 0 {
            let here = self.rows_at_hand()?;
            let count = usize::try_from(rows).map_or(here, |rows| rows.min(here));
            if count == 0 {
                return Err(damaged("a column has fewer rows than the others"));
            }
            if count == here {
                self.rows_left = 0
            } else {
                self.drop_values(count)?
            }
            rows -= count as u64;
        }
        Ok(())
    }

    fn read(&mut self, rows: usize) -> Result<(), UnitFault> {
        if let Page::Closed(header, data) = self.page {
            self.pages.read_body(&header, &mut self.values.page)?;
            self.page =
                self.open(data).ok_or_else(|| damaged("a page is encoded in a way that its column must not be"))?;
        }
        self.rows_left -= rows;
        self.decode(rows).ok_or_else(|| damaged("the values of a page are not what they should be"))
    }

    fn cells(&self) -> Cells<'_> {
        let ValueBuffers { page, dictionary, codes, spans, flags, numbers, .. } = &*self.values;
        match self.kind {
            ValueKind::Flag => Cells::Flags(Flags::Plain(flags)),
            ValueKind::Int32 | ValueKind::Int64 { .. } => Cells::Numbers(Numbers::Plain(numbers)),
            ValueKind::Text if self.are_coded => {
                let dictionary = TextList::new(dictionary.page.as_slice(), &dictionary.spans);
                Cells::Texts(Texts::Coded { codes, dictionary })
            }
            ValueKind::Text => Cells::Texts(Texts::Plain(TextList::new(page.as_slice(), spans))),
        }
    }
}

impl<'s> Cursor<'s> {
    /// Before the first row; nothing is read yet.
    pub(super) fn new(file: &'s SourceFile, chunk: &Chunk, buffers: &'s mut Buffers) -> Self {
        Self {
            pages: Pages::new(file, chunk.range, &mut buffers.window),
            kind: chunk.kind,
            is_optional: chunk.is_optional,
            values: &mut buffers.values,
            has_dictionary: false,
            rows_left: 0,
            page: Page::None,
            are_coded: false,
        }
    }

    fn drop_values(&mut self, mut rows: usize) -> Result<(), UnitFault> {
        while rows > 0 {
            let count = rows.min(MAX_ROWS);
            columns::Cursor::read(self, count)?;
            rows -= count;
        }
        Ok(())
    }

    fn read_dictionary(&mut self, header: &PageHeader, dictionary: DictionaryHeader) -> Result<(), UnitFault> {
        if self.has_dictionary || !matches!(self.page, Page::None) {
            return Err(damaged("a column has a dictionary that is not at its beginning"));
        }
        self.pages.read_body(header, &mut self.values.dictionary.page)?;
        self.has_dictionary = true;
        // Both names of the encoding stand for plain values here.
        let is_plain = matches!(dictionary.encoding, Encoding::Plain | Encoding::Dictionary);
        let filled = is_plain.then(|| self.values.dictionary.fill(self.kind, dictionary.values)).flatten();
        filled.ok_or_else(|| damaged("a dictionary is not what it should be"))
    }

    /// Finds levels and values in a page that has been decompressed.
    fn open(&mut self, data: DataHeader) -> Option<Page> {
        let page = self.values.page.as_slice();
        let (levels, at) = match (data.levels, self.is_optional) {
            (LevelForm::Prefixed { encoding: Encoding::Rle }, true) => {
                let end = prefixed(page, 0)?;
                (Some(Hybrid::new(1, 4, end)?), end)
            }
            (LevelForm::Prefixed { .. }, true) => return None,
            (LevelForm::Prefixed { .. }, false) => (None, 0),
            (LevelForm::InFront { repetition_len, definition_len, .. }, is_optional) => {
                let end = repetition_len + definition_len;
                let levels = if is_optional { Some(Hybrid::new(1, repetition_len, end)?) } else { None };
                (levels, end)
            }
        };
        let values = match (data.encoding, self.kind) {
            (Encoding::Plain, ValueKind::Flag) => Values::Bits(Hybrid::packed(1, at, page.len())?),
            (Encoding::Plain, _) => Values::Plain { at },
            (Encoding::Rle, ValueKind::Flag) if at < page.len() => {
                Values::Bits(Hybrid::new(1, at + 4, prefixed(page, at)?)?)
            }
            // Nothing but nulls.
            (Encoding::Rle, ValueKind::Flag) => Values::Plain { at },
            (Encoding::Dictionary, ValueKind::Text | ValueKind::Int32 | ValueKind::Int64 { .. }) => {
                self.codes_at(page, at)?
            }
            _ => return None,
        };
        Some(Page::Open { levels, values })
    }

    /// Codes begin with a byte that says how many bits each has.
    fn codes_at(&self, page: &[u8], at: usize) -> Option<Values> {
        if !self.has_dictionary {
            return None;
        }
        match page.get(at) {
            Some(&width) => Some(Values::Codes(Hybrid::new(width.into(), at + 1, page.len())?)),
            // Nothing but nulls.
            None => Some(Values::Plain { at }),
        }
    }

    fn decode(&mut self, rows: usize) -> Option<()> {
        let Page::Open { levels, values } = &mut self.page else { return None };
        let buffers = &mut *self.values;
        let count = match levels {
            Some(levels) => buffers.read_levels(levels, rows)?,
            None => rows,
        };
        self.are_coded = matches!(values, Values::Codes(_));
        buffers.read_values(self.kind, values, count)?;
        if count < rows {
            buffers.make_room_for_nulls(self.kind, self.are_coded);
        }
        Some(())
    }
}

/// The end of a part of a page that begins with its own length.
fn prefixed(page: &[u8], at: usize) -> Option<usize> {
    let len = u32::from_le_bytes(*page.get(at..)?.first_chunk()?);
    let end = (at + 4).checked_add(usize::try_from(len).ok()?)?;
    (end <= page.len()).then_some(end)
}

impl ValueBuffers {
    /// Reads the definition levels of some rows; returns how many of these are not null. A column where nothing is null
    /// is one long run, which costs nothing.
    fn read_levels(&mut self, levels: &mut Hybrid, rows: usize) -> Option<usize> {
        let page = self.page.as_slice();
        self.levels.clear();
        match levels.read_repeated(page, rows) {
            Some(1) => return Some(rows),
            Some(level) => self.levels.resize(rows, level),
            None => levels.read(page, rows, &mut self.levels)?,
        }
        Some(self.levels.iter().sum::<u32>() as usize)
    }

    /// Reads values that are not null.
    fn read_values(&mut self, kind: ValueKind, values: &mut Values, count: usize) -> Option<()> {
        let page = self.page.as_slice();
        match (values, kind) {
            (Values::Codes(codes), _) => {
                self.codes.clear();
                codes.read(page, count, &mut self.codes)?;
                self.dictionary.check(&self.codes)?;
                if kind != ValueKind::Text {
                    self.dictionary.look_up(&self.codes, &mut self.numbers);
                }
                Some(())
            }
            (Values::Bits(bits), _) => {
                self.codes.clear();
                bits.read(page, count, &mut self.codes)?;
                read_flags(&self.codes, &mut self.flags);
                Some(())
            }
            (Values::Plain { at }, ValueKind::Text) => read_texts(page, at, count, &mut self.spans),
            (Values::Plain { at }, ValueKind::Flag) => {
                self.flags.clear();
                (count == 0 && *at <= page.len()).then_some(())
            }
            (Values::Plain { at }, kind) => read_numbers(page, at, kind, count, &mut self.numbers),
        }
    }

    fn make_room_for_nulls(&mut self, kind: ValueKind, are_coded: bool) {
        match kind {
            ValueKind::Text if are_coded => spread(&mut self.codes, &self.levels, NULL_CODE),
            ValueKind::Text => spread(&mut self.spans, &self.levels, Span::default()),
            ValueKind::Flag => spread(&mut self.flags, &self.levels, Flag::Blank),
            ValueKind::Int32 | ValueKind::Int64 { .. } => spread(&mut self.numbers, &self.levels, Number::BLANK),
        }
    }
}

impl Dictionary {
    fn fill(&mut self, kind: ValueKind, len: usize) -> Option<()> {
        let (page, mut at) = (self.page.as_slice(), 0);
        self.len = len;
        match kind {
            // Every text takes at least its length.
            ValueKind::Text if len > page.len() / 4 => None,
            ValueKind::Text => read_texts(page, &mut at, len, &mut self.spans),
            ValueKind::Flag => None,
            ValueKind::Int32 | ValueKind::Int64 { .. } => read_numbers(page, &mut at, kind, len, &mut self.numbers),
        }
    }

    /// Codes that the dictionary does not have would read as blank.
    fn check(&self, codes: &[u32]) -> Option<()> {
        // Pages are shorter than 4 GiB. No early end: many are compared at once.
        let len = self.len as u32;
        let has_unknown = codes.iter().fold(false, |has_unknown, &code| has_unknown | (code >= len));
        (!has_unknown).then_some(())
    }

    /// Codes have been checked.
    fn look_up(&self, codes: &[u32], numbers: &mut Vec<Number>) {
        numbers.clear();
        numbers.extend(codes.iter().map(|&code| self.numbers[code as usize]));
    }
}

/// Finds plain texts, each behind its length.
fn read_texts(page: &[u8], at: &mut usize, count: usize, spans: &mut Vec<Span>) -> Option<()> {
    spans.clear();
    spans.resize(count, Span::default());
    let mut rest = page.get(*at..)?;
    for span in spans.iter_mut() {
        let (len, texts) = rest.split_first_chunk()?;
        let len = u32::from_le_bytes(*len);
        rest = texts.get(len as usize..)?;
        // Pages are shorter than 4 GiB.
        *span = Span { from: (page.len() - texts.len()) as u32, len };
    }
    *at = page.len() - rest.len();
    Some(())
}

fn read_numbers(page: &[u8], at: &mut usize, kind: ValueKind, count: usize, numbers: &mut Vec<Number>) -> Option<()> {
    let width = if kind == ValueKind::Int32 { 4 } else { 8 };
    let end = at.checked_add(count.checked_mul(width)?)?;
    let bytes = page.get(*at..end)?;
    *at = end;
    numbers.clear();
    match kind {
        ValueKind::Int32 => {
            let values = bytes.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes));
            numbers.extend(values.map(|value| Number::new(value.into())));
        }
        ValueKind::Int64 { divisor } => {
            let values = bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
            match divisor {
                1 => numbers.extend(values.map(Number::new)),
                _ => numbers.extend(values.map(|value| Number::new(value.div_euclid(divisor)))),
            }
        }
        ValueKind::Text | ValueKind::Flag => return None,
    }
    Some(())
}

fn read_flags(bits: &[u32], flags: &mut Vec<Flag>) {
    flags.clear();
    flags.extend(bits.iter().map(|&bit| if bit == 0 { Flag::False } else { Flag::True }));
}

impl Buffers {
    /// Gives memory back that few files need.
    pub(super) fn shrink(&mut self) {
        self.window.shrink();
        self.values.page.shrink();
        let dictionary = &mut self.values.dictionary;
        if dictionary.page.shrink() {
            *dictionary = Dictionary::default();
        }
    }
}

//! A column of a stripe row by row.
//!
//! Each kind of column has its own streams; what they share is the stream that says which rows have a value. Texts are
//! lent from the window of their stream or from the dictionary of the stripe, and dictionary codes stay codes.
//!
//! Times are seconds since the start of 2015 in the time zone of the writer, which the footer of the stripe names, and
//! nanoseconds ("Timestamp Columns"). They are read as UTC whatever it names: S3 Inventory writes moments in UTC, and a
//! zone that a file names by mistake must not move them. AWS's own reports name UTC.

use std::ops::Range;

use super::bits::Bits;
use super::ints::{IntForm, Ints, Sign, Version};
use super::stream::{Budget, Compression, Stream};
use crate::batch::{Cells, Flag, Flags, Number, Numbers, Span, TextList, Texts};
use crate::fault::UnitFault;
use crate::readers::{
    cells::{NULL_CODE, spread},
    columns::{self, MAX_ROWS},
    damaged,
};
use crate::source::SourceFile;

/// No name in S3 is longer than 1 KiB.
const MAX_TEXT_LEN: u64 = 64 << 10;
/// 2015-01-01T00:00:00Z in seconds since 1970.
const EPOCH: i64 = 1_420_070_400;

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    Text,
    Flag,
    Number,
    Time,
}

/// Where streams are read from.
#[derive(Clone, Copy)]
pub(super) struct Streams<'s> {
    pub file: &'s SourceFile,
    pub budget: &'s Budget,
    pub compression: Compression,
}

/// A position in a column of a stripe.
pub(super) struct Cursor<'s> {
    rows_left: u64,
    /// Whether each row has a value; nothing if all have.
    present: Option<Bits<'s>>,
    /// Of the last rows, if some of them are null: 0 for a null, 1 for a value.
    levels: Vec<u32>,
    values: Values<'s>,
    /// Values as they are stored.
    stored: Vec<i64>,
}

enum Values<'s> {
    Plain { lengths: Ints<'s>, texts: Stream<'s>, spans: Vec<Span> },
    Coded { dictionary: Box<Dictionary<'s>>, codes: Ints<'s>, read: Vec<u32> },
    Flags { bits: Bits<'s>, stored: Vec<u32>, flags: Vec<Flag> },
    Numbers { ints: Ints<'s>, numbers: Vec<Number> },
    Times { seconds: Ints<'s>, nanos: Ints<'s>, stored: Vec<i64>, numbers: Vec<Number> },
}

/// The dictionary of a column, which is read when the first row is.
struct Dictionary<'s> {
    /// How many texts there should be, until they are read.
    unread: Option<u64>,
    lengths: Ints<'s>,
    texts: Stream<'s>,
    spans: Vec<Span>,
    budget: &'s Budget,
}

/// The streams of one column. One that is not there is empty, which means the same.
#[derive(Clone, Debug)]
pub(super) struct StoredColumn {
    /// The number of the column in the file.
    pub id: u64,
    pub kind: ValueKind,
    /// Whether each row has a value; without it, each has.
    pub present: Range<u64>,
    pub data: Range<u64>,
    pub lengths: Range<u64>,
    pub dictionary: Range<u64>,
    pub secondary: Range<u64>,
    pub encoding: u64,
    pub dictionary_len: u64,
}

impl StoredColumn {
    /// Without any stream.
    pub(super) fn new(id: u64, kind: ValueKind) -> Self {
        let none = || 0..0;
        Self {
            id,
            kind,
            present: none(),
            data: none(),
            lengths: none(),
            dictionary: none(),
            secondary: none(),
            encoding: 0,
            dictionary_len: 0,
        }
    }
}

impl<'s> Streams<'s> {
    /// Before the first row; nothing is read yet.
    pub(super) fn cursor(self, column: &StoredColumn, rows: u64) -> Result<Cursor<'s>, UnitFault> {
        let present = (!column.present.is_empty()).then(|| Bits::new(self.stream(&column.present)));
        let values = self.values(column)?;
        Ok(Cursor { rows_left: rows, present, levels: Vec::new(), values, stored: Vec::new() })
    }

    fn values(self, column: &StoredColumn) -> Result<Values<'s>, UnitFault> {
        // "Column Encodings": DIRECT, DICTIONARY, DIRECT_V2, DICTIONARY_V2.
        let (is_coded, version) = match column.encoding {
            0 => (false, Version::V1),
            1 => (true, Version::V1),
            2 => (false, Version::V2),
            3 => (true, Version::V2),
            _ => return Err(damaged("a column is encoded in a way that is not known")),
        };
        let ints = |range: &Range<u64>, sign| Ints::new(self.stream(range), IntForm { version, sign });
        Ok(match (column.kind, is_coded) {
            (ValueKind::Text, false) => Values::Plain {
                lengths: ints(&column.lengths, Sign::Unsigned),
                texts: self.stream(&column.data),
                spans: Vec::new(),
            },
            (ValueKind::Text, true) => Values::Coded {
                dictionary: Box::new(Dictionary {
                    unread: Some(column.dictionary_len),
                    lengths: ints(&column.lengths, Sign::Unsigned),
                    texts: self.stream(&column.dictionary),
                    spans: Vec::new(),
                    budget: self.budget,
                }),
                codes: ints(&column.data, Sign::Unsigned),
                read: Vec::new(),
            },
            (_, true) => return Err(damaged("a column is encoded in a way that its type has not")),
            (ValueKind::Flag, false) => {
                Values::Flags { bits: Bits::new(self.stream(&column.data)), stored: Vec::new(), flags: Vec::new() }
            }
            (ValueKind::Number, false) => {
                Values::Numbers { ints: ints(&column.data, Sign::Signed), numbers: Vec::new() }
            }
            (ValueKind::Time, false) => Values::Times {
                seconds: ints(&column.data, Sign::Signed),
                nanos: ints(&column.secondary, Sign::Unsigned),
                stored: Vec::new(),
                numbers: Vec::new(),
            },
        })
    }

    pub(super) fn stream(self, range: &Range<u64>) -> Stream<'s> {
        Stream::new(self.file, self.budget, self.compression, range.clone())
    }
}

impl columns::Cursor for Cursor<'_> {
    /// Behind the last row, there must be nothing left.
    fn rows_at_hand(&mut self) -> Result<usize, UnitFault> {
        if self.rows_left == 0 && !self.is_at_end()? {
            return Err(damaged("a column has more rows than its stripe"));
        }
        Ok(usize::try_from(self.rows_left).map_or(MAX_ROWS, |left| left.min(MAX_ROWS)))
    }

    /// Runs cannot be stepped over without reading them.
    fn skip(&mut self, mut rows: u64) -> Result<(), UnitFault> {
        while rows > 0 {
            let count = usize::try_from(rows).map_or(MAX_ROWS, |rows| rows.min(MAX_ROWS));
            self.read(count)?;
            rows -= count as u64;
        }
        Ok(())
    }

    fn read(&mut self, rows: usize) -> Result<(), UnitFault> {
        let left = self.rows_left.checked_sub(rows as u64);
        self.rows_left = left.ok_or_else(|| damaged("a column has fewer rows than the others"))?;
        let count = match &mut self.present {
            Some(present) => {
                present.read(rows, &mut self.levels)?;
                self.levels.iter().sum::<u32>() as usize
            }
            None => rows,
        };
        self.values.read(count, &mut self.stored)?;
        if count < rows {
            self.values.make_room_for_nulls(&self.levels);
        }
        Ok(())
    }

    fn cells(&self) -> Cells<'_> {
        match &self.values {
            Values::Plain { texts, spans, .. } => Cells::Texts(Texts::Plain(TextList::new(texts.taken(), spans))),
            Values::Coded { dictionary, read, .. } => {
                let texts = TextList::new(dictionary.texts.taken(), &dictionary.spans);
                Cells::Texts(Texts::Coded { codes: read, dictionary: texts })
            }
            Values::Flags { flags, .. } => Cells::Flags(Flags::Plain(flags)),
            Values::Numbers { numbers, .. } | Values::Times { numbers, .. } => Cells::Numbers(Numbers::Plain(numbers)),
        }
    }
}

impl Cursor<'_> {
    fn is_at_end(&mut self) -> Result<bool, UnitFault> {
        let is_at_end = match &mut self.present {
            Some(present) => present.is_at_end()?,
            None => true,
        };
        Ok(is_at_end && self.values.are_at_end()?)
    }
}

impl Values<'_> {
    /// Reads values that are not null.
    fn read(&mut self, count: usize, ints: &mut Vec<i64>) -> Result<(), UnitFault> {
        match self {
            Self::Plain { lengths, texts, spans } => {
                lengths.read(count, ints)?;
                spans.clear();
                let len = push_spans(spans, 0, ints).ok_or_else(too_long)?;
                texts.take(len as usize)?;
            }
            Self::Coded { dictionary, codes, read } => {
                codes.read(count, ints)?;
                read.clear();
                if count > 0 {
                    dictionary.look_up(ints, read)?;
                }
            }
            Self::Flags { bits, stored, flags } => {
                bits.read(count, stored)?;
                flags.clear();
                flags.extend(stored.iter().map(|&bit| if bit == 0 { Flag::False } else { Flag::True }));
            }
            Self::Numbers { ints: values, numbers } => {
                values.read(count, ints)?;
                numbers.clear();
                numbers.extend(ints.iter().map(|&value| Number::new(value)));
            }
            Self::Times { seconds, nanos, stored, numbers } => {
                seconds.read(count, ints)?;
                nanos.read(count, stored)?;
                numbers.clear();
                numbers.extend(ints.iter().zip(&*stored).map(|(&seconds, &nanos)| time(seconds, nanos)));
            }
        }
        Ok(())
    }

    fn make_room_for_nulls(&mut self, levels: &[u32]) {
        match self {
            Self::Plain { spans, .. } => spread(spans, levels, Span::default()),
            Self::Coded { read, .. } => spread(read, levels, NULL_CODE),
            Self::Flags { flags, .. } => spread(flags, levels, Flag::Blank),
            Self::Numbers { numbers, .. } | Self::Times { numbers, .. } => spread(numbers, levels, Number::BLANK),
        }
    }

    fn are_at_end(&mut self) -> Result<bool, UnitFault> {
        Ok(match self {
            Self::Plain { lengths, texts, .. } => lengths.is_at_end()? && texts.is_at_end()?,
            Self::Coded { codes, .. } => codes.is_at_end()?,
            Self::Flags { bits, .. } => bits.is_at_end()?,
            Self::Numbers { ints, .. } => ints.is_at_end()?,
            Self::Times { seconds, nanos, .. } => seconds.is_at_end()? && nanos.is_at_end()?,
        })
    }
}

impl Dictionary<'_> {
    /// Codes that the dictionary does not have would read as blank.
    fn look_up(&mut self, stored: &[i64], codes: &mut Vec<u32>) -> Result<(), UnitFault> {
        if let Some(len) = self.unread.take() {
            self.read(len)?;
        }
        let len = self.spans.len() as u64;
        // No early end: many are compared at once.
        let has_unknown = stored.iter().fold(false, |has_unknown, &code| has_unknown | (code as u64 >= len));
        if has_unknown {
            return Err(damaged("a row names a text that its dictionary does not have"));
        }
        codes.extend(stored.iter().map(|&code| code as u32));
        Ok(())
    }

    fn read(&mut self, mut len: u64) -> Result<(), UnitFault> {
        let (mut ints, mut end) = (Vec::new(), 0);
        while len > 0 {
            let count = usize::try_from(len).map_or(MAX_ROWS, |len| len.min(MAX_ROWS));
            self.lengths.read(count, &mut ints)?;
            // A vector that grows holds up to twice what it needs.
            self.budget.take(2 * count * size_of::<Span>())?;
            end = push_spans(&mut self.spans, end, &ints).ok_or_else(too_long)?;
            len -= count as u64;
        }
        self.texts.take(end as usize)?;
        let is_whole = self.lengths.is_at_end()? && self.texts.is_at_end()?;
        if is_whole { Ok(()) } else { Err(damaged("a dictionary is longer than it says")) }
    }
}

fn too_long() -> UnitFault {
    damaged("the texts of a column are far too long")
}

/// Texts that stand one behind the other, from a position on; returns where the last one ends.
fn push_spans(spans: &mut Vec<Span>, mut from: u32, lengths: &[i64]) -> Option<u32> {
    for &len in lengths {
        // Negative ones are the largest.
        if len as u64 > MAX_TEXT_LEN {
            return None;
        }
        let len = len as u32;
        spans.push(Span { from, len });
        from = from.checked_add(len)?;
    }
    Some(from)
}

/// A moment in milliseconds since 1970. Writers round those before 1970 in different ways; all of them are bad.
fn time(seconds: i64, nanos: i64) -> Number {
    let millis = || -> Option<i64> {
        let seconds = seconds.checked_add(EPOCH).filter(|seconds| *seconds >= 0)?;
        let nanos = nanoseconds(nanos as u64)?;
        seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000)
    };
    millis().map_or(Number::BAD, Number::new)
}

/// The lowest three bits say how many zeros were left out at the end, less one.
fn nanoseconds(stored: u64) -> Option<i64> {
    let factor = match stored & 7 {
        0 => 1,
        zeros => 10_u64.pow(zeros as u32 + 1),
    };
    let nanos = (stored >> 3).checked_mul(factor).filter(|nanos| *nanos < 1_000_000_000)?;
    i64::try_from(nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification: 1000 nanoseconds are 0x0a, 100000 are 0x0c.
    #[test]
    fn zeros_at_the_end_of_nanoseconds_are_counted() {
        assert_eq!(nanoseconds(0x0a), Some(1000));
        assert_eq!(nanoseconds(0x0c), Some(100_000));
        assert_eq!((nanoseconds(0), nanoseconds(123_456_789 << 3)), (Some(0), Some(123_456_789)));
        assert_eq!(nanoseconds(123 << 3 | 5), Some(123_000_000));
        assert_eq!(
            (nanoseconds(1000 << 3 | 5), nanoseconds(u64::MAX), nanoseconds(1_000_000_000 << 3)),
            (None, None, None)
        );
    }

    #[test]
    fn moments_count_from_2015_and_those_before_1970_are_bad() {
        assert_eq!(time(0, 0), Number::new(1_420_070_400_000));
        assert_eq!(time(-1, 123 << 3 | 5), Number::new(1_420_070_399_123));
        assert_eq!(time(-EPOCH, 0), Number::new(0));
        for (seconds, nanos) in
            [(-EPOCH - 1, 999 << 3 | 5), (i64::MIN, 0), (i64::MAX, 0), (i64::MAX / 1000, 0), (0, -1)]
        {
            assert_eq!(time(seconds, nanos), Number::BAD, "{seconds} {nanos}");
        }
    }

    #[test]
    fn texts_of_any_claimed_length_are_refused() {
        let mut spans = Vec::new();
        assert_eq!(push_spans(&mut spans, 7, &[3, 0, 5]), Some(15));
        assert_eq!(spans.iter().map(|span| (span.from, span.len)).collect::<Vec<_>>(), [(7, 3), (10, 0), (10, 5)]);
        assert_eq!(push_spans(&mut spans, 0, &[-1]), None);
        assert_eq!(push_spans(&mut spans, 0, &[i64::MAX]), None);
        assert_eq!(push_spans(&mut spans, u32::MAX - 9, &[10]), None);
    }
}

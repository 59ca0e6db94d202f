//! The text of a log to its records: where each begins and ends.
//!
//! The text comes in pieces cut anywhere. Between the records every byte is checked; inside of them only strings and
//! brackets are told apart, and whether brackets match. Nothing is kept but a few numbers, and nothing recurses.

use memchr::memchr2;

/// How deep a record may nest to be read. Those of CloudTrail stay below 20.
pub(super) const MAX_DEPTH: u64 = 64;

/// The only member of a log.
const RECORDS: &[u8] = br#""Records""#;

/// Reads pieces of text, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Splitter {
    place: Place,
    brackets: Brackets,
    /// Whether the record has `\u` escapes.
    escaped: bool,
}

/// What a piece of text holds next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A record begins with this byte. The splitter goes on behind it.
    Opened(usize),
    /// A record ends before the byte `behind`. `deep`: it nests deeper than [`MAX_DEPTH`]. `escaped`: one of its strings
    /// may spell plain letters as `\u` escapes.
    Closed { behind: usize, deep: bool, escaped: bool },
    /// All of it was read.
    Starved,
}

/// A byte that does not belong where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misplaced {
    pub(super) at: usize,
    pub(super) expected: &'static str,
    /// Whether the text began like a log.
    pub(super) in_records: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// The brace that opens the log.
    #[default]
    Log,
    /// The rest of [`RECORDS`].
    Name(usize),
    Colon,
    /// The bracket that opens the list.
    List,
    /// A record, or the end of the list.
    First,
    /// A record.
    Next,
    /// A comma, or the end of the list.
    Separator,
    /// The brace that closes the log.
    Close,
    /// Nothing.
    End,
    /// More of a record, outside of its strings.
    Record,
    /// More of a string.
    Text,
    /// The byte behind a backslash.
    Escaped,
}

impl Splitter {
    /// Reads until something begins or ends.
    pub(super) fn advance(&mut self, text: &[u8]) -> Result<Step, Misplaced> {
        let mut at = 0;
        while at < text.len() {
            match self.place {
                Place::Record => {
                    at = self.read_record(text, at)?;
                    if self.brackets.depth == 0 {
                        self.place = Place::Separator;
                        let deep = self.brackets.deepest > MAX_DEPTH;
                        return Ok(Step::Closed { behind: at, deep, escaped: self.escaped });
                    }
                }
                Place::Text => at = self.read_text(text, at),
                Place::Escaped => {
                    self.escaped |= text[at] == b'u';
                    self.place = Place::Text;
                    at += 1;
                }
                _ => {
                    self.read_frame(text[at]).map_err(|expected| self.misplaced(at, expected))?;
                    if self.place == Place::Record {
                        return Ok(Step::Opened(at));
                    }
                    at += 1;
                }
            }
        }
        Ok(Step::Starved)
    }

    /// At the end of the text: says what is missing.
    pub(super) fn finish(&self) -> Result<(), &'static str> {
        match self.place {
            Place::End => Ok(()),
            place => Err(place.expected()),
        }
    }

    /// Whether the text began like a log.
    pub(super) fn is_in_records(&self) -> bool {
        !matches!(self.place, Place::Log | Place::Name(_) | Place::Colon | Place::List)
    }

    fn misplaced(&self, at: usize, expected: &'static str) -> Misplaced {
        Misplaced { at, expected, in_records: self.is_in_records() }
    }

    /// A byte outside of the records.
    fn read_frame(&mut self, byte: u8) -> Result<(), &'static str> {
        self.place = match (self.place, byte) {
            (Place::Name(read), byte) if RECORDS[read] == byte => match read + 1 {
                read if read == RECORDS.len() => Place::Colon,
                read => Place::Name(read),
            },
            (Place::Name(1..), _) => return Err(self.place.expected()),
            (_, b' ' | b'\t' | b'\n' | b'\r') => self.place,
            (Place::Log, b'{') => Place::Name(0),
            (Place::Colon, b':') => Place::List,
            (Place::List, b'[') => Place::First,
            (Place::First | Place::Next, b'{') => {
                (self.brackets, self.escaped) = (Brackets::of_record(), false);
                Place::Record
            }
            (Place::Separator, b',') => Place::Next,
            (Place::First | Place::Separator, b']') => Place::Close,
            (Place::Close, b'}') => Place::End,
            _ => return Err(self.place.expected()),
        };
        Ok(())
    }

    /// Returns where the record ends, or the end of the text.
    fn read_record(&mut self, text: &[u8], mut at: usize) -> Result<usize, Misplaced> {
        while let Some(&byte) = text.get(at) {
            at += 1;
            match byte {
                b'"' => {
                    at = self.read_text(text, at);
                    if self.place != Place::Record {
                        return Ok(at);
                    }
                }
                b'{' | b'[' => self.brackets.open(byte),
                b'}' | b']' => {
                    self.brackets.close(byte).map_err(|expected| self.misplaced(at - 1, expected))?;
                    if self.brackets.depth == 0 {
                        return Ok(at);
                    }
                }
                _ => {}
            }
        }
        Ok(at)
    }

    /// Returns where the string ends, or the end of the text.
    #[inline]
    fn read_text(&mut self, text: &[u8], mut at: usize) -> usize {
        while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            at += found + 1;
            if text[at - 1] == b'"' {
                self.place = Place::Record;
                return at;
            }
            // Whatever is escaped ends nothing.
            self.escaped |= text.get(at) == Some(&b'u');
            at += 1;
        }
        self.place = if at > text.len() { Place::Escaped } else { Place::Text };
        text.len()
    }
}

impl Place {
    fn expected(self) -> &'static str {
        match self {
            Self::Log => "the { of a log",
            Self::Name(_) => "the name \"Records\"",
            Self::Colon => "the : behind \"Records\"",
            Self::List => "the [ of the records",
            Self::First => "a record or ]",
            Self::Next => "a record",
            Self::Separator => "a , or ] behind a record",
            Self::Close => "the } of the log",
            Self::End => "the end of the log",
            Self::Record | Self::Text | Self::Escaped => "the end of the record",
        }
    }
}

/// The brackets that are open in a record.
#[derive(Clone, Copy, Debug, Default)]
struct Brackets {
    depth: u64,
    deepest: u64,
    /// Which of the outermost are braces, the first in the lowest bit.
    braces: u64,
}

impl Brackets {
    fn of_record() -> Self {
        Self { depth: 1, deepest: 1, braces: 1 }
    }

    fn open(&mut self, bracket: u8) {
        if self.depth < MAX_DEPTH {
            let bit = 1 << self.depth;
            self.braces = if bracket == b'{' { self.braces | bit } else { self.braces & !bit };
        }
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
    }

    /// Says which bracket should close instead. Those too deep to be read are not told apart.
    fn close(&mut self, bracket: u8) -> Result<(), &'static str> {
        self.depth -= 1;
        if self.depth >= MAX_DEPTH {
            return Ok(());
        }
        match (self.braces >> self.depth & 1 == 1, bracket) {
            (true, b'}') | (false, b']') => Ok(()),
            (true, _) => Err("a }"),
            (false, _) => Err("a ]"),
        }
    }
}

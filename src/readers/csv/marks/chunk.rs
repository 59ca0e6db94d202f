//! The shape of rows, 64 bytes at a time: each byte is a bit of a few masks, and what is wrong with a row is arithmetic on
//! masks. Whoever finds the bytes, with whatever vectors, inlines this.

use super::{LineEnd, Pen};

/// Which bytes of a chunk are the ones that matter.
pub(super) struct Chunk {
    pub quotes: u64,
    pub commas: u64,
    pub newlines: u64,
}

/// What a chunk leaves to the next one: whether its last byte was one of these.
#[derive(Clone, Copy)]
pub(super) struct Carry {
    /// A quote of any kind, and one that opens a field.
    quote: u64,
    open: u64,
    /// What a field begins behind: a newline, or a comma behind a quote.
    separator: u64,
    /// Whether the line that is not over yet is odd already.
    is_odd: bool,
}

impl Default for Carry {
    /// A text begins like a line.
    fn default() -> Self {
        Self { quote: 0, open: 0, separator: 1, is_odd: false }
    }
}

impl Pen<'_> {
    /// Notes the lines that end in the chunk at `base`. Returns the closing quotes, for which the caller finds a place.
    #[inline(always)]
    pub(super) fn mark(&mut self, chunk: &Chunk, base: u32) -> u64 {
        let &Chunk { quotes, commas, newlines } = chunk;
        let behind_quotes = quotes << 1 | self.carry.quote;
        let separators = behind_quotes & commas | newlines;
        let starts = separators << 1 | self.carry.separator;
        let (opens, closes) = (quotes & starts, quotes & !starts);
        let behind_opens = opens << 1 | self.carry.open;
        let behind_closes = behind_quotes & !behind_opens;
        // Behind a closing quote stands a comma or a newline, behind an opening one neither; every newline stands behind
        // a closing quote, and every field begins with a quote: then quotes alternate, with nothing but a comma or a
        // newline between a field and the next. A field that begins with a comma is odd, too, which is rare enough.
        let odd = behind_quotes & ((commas | newlines) ^ behind_closes) | newlines & !behind_closes | starts & !quotes;
        self.end_lines(newlines, closes, odd, base);
        self.carry.quote = quotes >> 63;
        self.carry.open = opens >> 63;
        self.carry.separator = separators >> 63;
        closes
    }

    /// Nearly every chunk has one newline or none, and nothing odd. Then the end of a line is written without asking
    /// whether there is one: a branch that cannot be predicted costs more.
    #[inline(always)]
    fn end_lines(&mut self, newlines: u64, closes: u64, odd: u64, base: u32) {
        let before = self.closes.len as u32;
        let rest = newlines & newlines.wrapping_sub(1);
        if rest == 0 && odd == 0 && !self.carry.is_odd {
            let closes = before + (closes & newlines.wrapping_sub(1)).count_ones();
            let end = LineEnd { at: base + newlines.trailing_zeros(), closes, is_odd: false };
            self.lines.space::<1>()[0] = end;
            self.lines.len += usize::from(newlines != 0);
        } else {
            let mut ends = OddLines { newlines, closes, odd, is_odd: self.carry.is_odd, base, before };
            self.lines.len += ends.write(&mut self.lines.items[self.lines.len..]);
            self.carry.is_odd = ends.is_odd;
        }
    }
}

/// Any number of lines that end in a chunk. What is odd belongs to the line in which it stands.
struct OddLines {
    newlines: u64,
    closes: u64,
    odd: u64,
    is_odd: bool,
    base: u32,
    /// How many closing quotes were marked before the chunk.
    before: u32,
}

impl OddLines {
    /// Returns how many there are.
    #[cold]
    fn write(&mut self, lines: &mut [LineEnd]) -> usize {
        let mut len = 0;
        while self.newlines != 0 {
            // The bits up to the newline.
            let line = self.newlines ^ (self.newlines - 1);
            lines[len] = LineEnd {
                at: self.base + self.newlines.trailing_zeros(),
                closes: self.before + (self.closes & line).count_ones(),
                is_odd: self.is_odd || self.odd & line != 0,
            };
            len += 1;
            self.is_odd = false;
            self.odd &= !line;
            self.newlines &= self.newlines - 1;
        }
        self.is_odd |= self.odd != 0;
        len
    }
}

//! Huffman codes as tables: the next bits of the stream are an index, and the entry there says what they mean.
//!
//! A table answers for the next [`LITERAL_BITS`] or [`DISTANCE_BITS`] bits; the few longer codes go on in a second table
//! behind it. Where two literals fit into the bits of an index, the entry has both: of the text of logs and inventories,
//! four in five symbols are literals, and each look-up has to wait for the one before it.

use super::Damage;

/// Bits that literals and lengths are looked up by: with more, more pairs fit, and the table takes longer to fill and more of
/// the cache.
pub(super) const LITERAL_BITS: u32 = 11;
/// Bits that distances are looked up by.
pub(super) const DISTANCE_BITS: u32 = 9;
/// Bits of the longest code, RFC 1951, 3.2.7.
const MAX_BITS: usize = 15;

/// RFC 1951, 3.2.6: with the two that never occur.
pub(super) const LITERAL_SYMBOLS: usize = 288;
/// RFC 1951, 3.2.6: with the two that never occur.
pub(super) const DISTANCE_SYMBOLS: usize = 32;
/// RFC 1951, 3.2.7.
pub(super) const LENGTH_SYMBOLS: usize = 19;
const END_OF_BLOCK: usize = 256;

/// What some bits of the stream mean.
///
/// | bits  | literals             | lengths and distances | a second table      |
/// | ---   | ---                  | ---                   | ---                 |
/// | 0-5   | bits of all          | bits with the extra   | bits of the first   |
/// | 8-11  | bits of the first    | bits of the code      | bits of its index   |
/// | 12-15 | kind                 | kind                  | kind                |
/// | 16-31 | one or two           | the smallest          | where it begins     |
///
/// The lowest bits are where a shift by the whole number takes them from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(u32);

impl Entry {
    const LITERAL: u32 = 1 << 15;
    /// Neither literals nor a length or distance.
    const SPECIAL: u32 = 1 << 14;
    /// With [`Self::SPECIAL`].
    const SECOND_TABLE: u32 = 1 << 13;
    /// With [`Self::SPECIAL`].
    const INVALID: u32 = 1 << 12;
    /// With [`Self::LITERAL`].
    const PAIR: u32 = 1 << 12;

    /// How many bits it takes.
    #[inline(always)]
    pub(super) const fn bits(self) -> u32 {
        self.0 & 0x3f
    }

    /// The same in the lowest six bits of a number; the others mean nothing.
    #[inline(always)]
    pub(super) const fn shift(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(super) const fn is_literal(self) -> bool {
        self.0 & Self::LITERAL != 0
    }

    /// Whether it is one literal, with a code of so many bits.
    #[inline(always)]
    pub(super) const fn is_literal_of(self, bits: u32) -> bool {
        self.0 & (Self::LITERAL | Self::PAIR | 0x3f) == Self::LITERAL | bits
    }

    #[inline(always)]
    pub(super) const fn literals(self) -> [u8; 2] {
        ((self.0 >> 16) as u16).to_le_bytes()
    }

    /// How many literals it is, if it is any.
    #[inline(always)]
    pub(super) const fn literals_len(self) -> usize {
        1 + (self.0 & Self::PAIR != 0) as usize
    }

    /// The bits of the code, or of the first of two, or of the index into the second table.
    #[inline(always)]
    pub(super) const fn code_bits(self) -> u32 {
        self.0 >> 8 & 0xf
    }

    #[inline(always)]
    pub(super) const fn is_special(self) -> bool {
        self.0 & Self::SPECIAL != 0
    }

    #[inline(always)]
    pub(super) const fn is_second_table(self) -> bool {
        self.0 & (Self::SPECIAL | Self::SECOND_TABLE) == Self::SPECIAL | Self::SECOND_TABLE
    }

    /// Whether no symbol has these bits; asked of special entries.
    #[inline(always)]
    pub(super) const fn is_invalid(self) -> bool {
        self.0 & Self::INVALID != 0
    }

    /// The length, distance or other number that begins with its code in `buffer`.
    #[inline(always)]
    pub(super) const fn number(self, buffer: u64) -> usize {
        let with_extra = buffer & ((1 << self.bits()) - 1);
        self.smallest() + (with_extra >> self.code_bits()) as usize
    }

    #[inline(always)]
    const fn smallest(self) -> usize {
        (self.0 >> 16) as usize
    }

    const fn symbol(smallest: u16, extra_bits: u8) -> Self {
        Self((smallest as u32) << 16 | extra_bits as u32)
    }

    const fn second_table(start: usize, index_bits: usize, first_bits: usize) -> Self {
        let kind = Self::SPECIAL | Self::SECOND_TABLE;
        Self((start as u32) << 16 | kind | (index_bits as u32) << 8 | first_bits as u32)
    }

    const fn with_code(self, bits: usize) -> Self {
        Self(self.0 + ((bits as u32) << 8 | bits as u32))
    }

    const fn pair(self, second: Self) -> Self {
        Self((self.0 | Self::PAIR | (second.0 & 0xff_0000) << 8) + second.bits())
    }
}

const INVALID: Entry = Entry(Entry::SPECIAL | Entry::INVALID);

/// RFC 1951, 3.2.5.
const LITERALS: [Entry; LITERAL_SYMBOLS] = {
    const SMALLEST: [u16; 29] = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ];
    const EXTRA: [u8; 29] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
    let mut symbols = [INVALID; LITERAL_SYMBOLS];
    let mut literal = 0;
    while literal < END_OF_BLOCK {
        symbols[literal] = Entry((literal as u32) << 16 | Entry::LITERAL);
        literal += 1;
    }
    symbols[END_OF_BLOCK] = Entry(Entry::SPECIAL);
    let mut at = 0;
    while at < SMALLEST.len() {
        symbols[END_OF_BLOCK + 1 + at] = Entry::symbol(SMALLEST[at], EXTRA[at]);
        at += 1;
    }
    symbols
};

/// RFC 1951, 3.2.5: each further pair of distances has one extra bit more.
const DISTANCES: [Entry; DISTANCE_SYMBOLS] = {
    let mut symbols = [INVALID; DISTANCE_SYMBOLS];
    let (mut at, mut smallest) = (0, 1);
    while at < 30 {
        let extra = if at < 4 { 0 } else { at / 2 - 1 };
        symbols[at] = Entry::symbol(smallest, extra as u8);
        smallest += 1 << extra;
        at += 1;
    }
    symbols
};

/// The code of the lengths of the other two codes: each stands for its number.
const LENGTHS: [Entry; LENGTH_SYMBOLS] = {
    let mut symbols = [INVALID; LENGTH_SYMBOLS];
    let mut at = 0;
    while at < LENGTH_SYMBOLS {
        symbols[at] = Entry::symbol(at as u16, 0);
        at += 1;
    }
    symbols
};

/// The entries for indices of `BITS` bits, and behind them room for second tables: no code has more than fifteen bits, and
/// no second table fewer than two codes.
pub(super) struct Table<const BITS: u32, const LEN: usize>([Entry; LEN]);

/// Literals and lengths.
pub(super) type LiteralTable = Table<LITERAL_BITS, { table_len(LITERAL_BITS, LITERAL_SYMBOLS) }>;
/// Distances.
pub(super) type DistanceTable = Table<DISTANCE_BITS, { table_len(DISTANCE_BITS, DISTANCE_SYMBOLS) }>;
/// The lengths of codes.
pub(super) type LengthTable = Table<7, { table_len(7, 0) }>;

const fn table_len(bits: u32, symbols: usize) -> usize {
    (1 << bits) + ((symbols / 2) << (MAX_BITS as u32 - bits))
}

impl<const BITS: u32, const LEN: usize> Table<BITS, LEN> {
    pub(super) const EMPTY: Self = Self([INVALID; LEN]);

    /// What the next bits mean, or which second table tells.
    #[inline(always)]
    pub(super) const fn first(&self, buffer: u64) -> Entry {
        self.0[buffer as usize & ((1 << BITS) - 1)]
    }

    /// What a second table says, with the bits of the first behind us.
    #[inline(always)]
    pub(super) const fn second(&self, table: Entry, buffer: u64) -> Entry {
        self.0[table.smallest() + (buffer as usize & ((1 << table.code_bits()) - 1))]
    }

    /// Fills the table; what no symbol has stays invalid.
    fn fill(&mut self, code: &Code, pairs: Pairs) {
        self.0[0] = INVALID;
        for bits in 1..=BITS as usize {
            let half = 1 << (bits - 1);
            self.0.copy_within(..half, half);
            for word in code.of_bits(bits) {
                self.0[word.bits as usize] = word.entry;
            }
            if pairs == Pairs::Together {
                self.fill_pairs(code, bits);
            }
        }
        self.fill_second_tables(code.longer_than(BITS as usize));
    }

    /// Puts two literals wherever they have so many bits together.
    fn fill_pairs(&mut self, code: &Code, bits: usize) {
        for first_bits in 1..bits {
            let seconds = code.literals_of_bits(bits - first_bits);
            for first in code.literals_of_bits(first_bits) {
                for second in seconds {
                    self.0[first.bits as usize | (second.bits as usize) << first_bits] = first.entry.pair(second.entry);
                }
            }
        }
    }

    /// Longer codes that begin with the same bits stand side by side.
    fn fill_second_tables(&mut self, words: &[Word]) {
        let (first_bits, mut start) = (BITS as usize, 1 << BITS);
        let first = |word: &Word| word.bits as usize & ((1 << BITS) - 1);
        for words in words.chunk_by(|a, b| first(a) == first(b)) {
            let Some(longest) = words.last() else { continue };
            let index_bits = longest.len as usize - first_bits;
            let table = &mut self.0[start..start + (1 << index_bits)];
            for word in words {
                let entry = Entry(word.entry.0 - ((BITS << 8) | BITS));
                let step = 1 << (word.len as usize - first_bits);
                table.iter_mut().skip(word.bits as usize >> first_bits).step_by(step).for_each(|to| *to = entry);
            }
            self.0[first(longest)] = Entry::second_table(start, index_bits, first_bits);
            start += 1 << index_bits;
        }
    }
}

/// Whether two literals have an entry of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairs {
    Together,
    /// For few symbols it takes longer to find all pairs than to do without them.
    Apart,
}

/// The tables of a block.
pub(super) struct Tables {
    pub literals: LiteralTable,
    pub distances: DistanceTable,
    /// For the lengths of the codes of the other two.
    pub lengths: LengthTable,
    pub codes: Codes,
    /// The code that was put into a table last.
    code: Code,
}

/// Where the codes of literals and distances come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codes {
    /// RFC 1951, 3.2.6.
    Fixed,
    /// The block has its own.
    Dynamic,
}

impl Tables {
    pub(super) const EMPTY: Self = Self {
        literals: Table::EMPTY,
        distances: Table::EMPTY,
        lengths: Table::EMPTY,
        codes: Codes::Dynamic,
        code: Code::EMPTY,
    };

    /// RFC 1951, 3.2.6.
    pub(super) fn set_fixed(&mut self) -> Result<(), Damage> {
        if self.codes == Codes::Fixed {
            return Ok(());
        }
        let mut literals = [8; LITERAL_SYMBOLS];
        literals[144..256].fill(9);
        literals[256..280].fill(7);
        self.set(&literals, &[5; DISTANCE_SYMBOLS], Pairs::Apart)?;
        self.codes = Codes::Fixed;
        Ok(())
    }

    /// Takes the codes whose words have these lengths.
    pub(super) fn set(&mut self, literals: &[u8], distances: &[u8], pairs: Pairs) -> Result<(), Damage> {
        self.codes = Codes::Dynamic;
        self.code.set(literals, &LITERALS, Incomplete::OneBit)?;
        self.literals.fill(&self.code, pairs);
        self.code.set(distances, &DISTANCES, Incomplete::OneBit)?;
        self.distances.fill(&self.code, Pairs::Apart);
        Ok(())
    }

    /// Takes the code of lengths whose words have these lengths.
    pub(super) fn set_lengths(&mut self, lengths: &[u8; LENGTH_SYMBOLS]) -> Result<(), Damage> {
        self.code.set(lengths, &LENGTHS, Incomplete::Never)?;
        self.lengths.fill(&self.code, Pairs::Apart);
        Ok(())
    }
}

/// Which codes may leave sequences of bits without a symbol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Incomplete {
    Never,
    /// The code of a single symbol, which has one bit, and the code of none: zlib allows no others.
    OneBit,
}

/// A symbol of a code.
#[derive(Clone, Copy)]
struct Word {
    entry: Entry,
    /// As they come from the stream: the first is the lowest.
    bits: u16,
    len: u8,
}

impl Word {
    const EMPTY: Self = Self { entry: INVALID, bits: 0, len: 0 };
}

/// The symbols of a code, shorter ones first.
struct Code {
    words: [Word; LITERAL_SYMBOLS],
    /// Where the words of each length begin, and where the last ends.
    starts: [usize; MAX_BITS + 2],
    /// How many words of each length are literals; they are its first.
    literals: [usize; MAX_BITS + 1],
}

impl Code {
    const EMPTY: Self =
        Self { words: [Word::EMPTY; LITERAL_SYMBOLS], starts: [0; MAX_BITS + 2], literals: [0; MAX_BITS + 1] };

    /// Takes the code whose words have these lengths; symbols without a word have none. RFC 1951, 3.2.2.
    fn set(&mut self, lengths: &[u8], symbols: &[Entry], incomplete: Incomplete) -> Result<(), Damage> {
        let literals = lengths.len().min(END_OF_BLOCK);
        let (mut counts, others) = (count(&lengths[..literals]), count(&lengths[literals..]));
        self.literals = if symbols[0].is_literal() { counts } else { [0; MAX_BITS + 1] };
        counts.iter_mut().zip(others).for_each(|(count, more)| *count += more);
        check_complete(&counts, incomplete)?;
        for (len, count) in counts.iter().enumerate().skip(1) {
            self.starts[len + 1] = self.starts[len] + count;
        }
        let mut next = self.starts;
        for (from, lengths) in used(lengths) {
            for (len, symbol) in lengths.iter().zip(&symbols[from..]).filter(|(len, _)| **len > 0) {
                let at = &mut next[usize::from(*len)];
                self.words[*at].entry = symbol.with_code(usize::from(*len));
                *at += 1;
            }
        }
        self.set_bits();
        Ok(())
    }

    /// The words of a length are consecutive numbers.
    fn set_bits(&mut self) {
        let mut next = 0_u32;
        for len in 1..=MAX_BITS {
            next <<= 1;
            for word in &mut self.words[self.starts[len]..self.starts[len + 1]] {
                // Of fewer than sixteen bits: the code is complete or shorter.
                word.bits = (next as u16).reverse_bits() >> (u16::BITS as usize - len);
                word.len = len as u8;
                next += 1;
            }
        }
    }

    fn of_bits(&self, bits: usize) -> &[Word] {
        &self.words[self.starts[bits]..self.starts[bits + 1]]
    }

    fn literals_of_bits(&self, bits: usize) -> &[Word] {
        &self.of_bits(bits)[..self.literals[bits]]
    }

    fn longer_than(&self, bits: usize) -> &[Word] {
        &self.words[self.starts[bits + 1]..self.starts[MAX_BITS + 1]]
    }
}

/// How many words have each length.
fn count(lengths: &[u8]) -> [usize; MAX_BITS + 1] {
    // Adding to a number has to wait until it was stored the last time, and neighbours often have the same length.
    let mut counts = [[0_u16; MAX_BITS + 1]; 4];
    for (_, lengths) in used(lengths) {
        for four in lengths.chunks(4) {
            four.iter().zip(&mut counts).for_each(|(len, counts)| counts[usize::from(*len)] += 1);
        }
    }
    std::array::from_fn(|len| counts.iter().map(|counts| usize::from(counts[len])).sum())
}

/// The lengths, and the place of the first, of eight symbols at a time, but for those of which none has a word: most
/// bytes never occur in a text.
fn used(lengths: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (0..).step_by(8).zip(lengths.chunks(8)).filter(|(_, lengths)| **lengths != [0; 8])
}

/// No two symbols may begin with the same bits, and nearly always all bits must have a symbol.
fn check_complete(counts: &[usize; MAX_BITS + 1], incomplete: Incomplete) -> Result<(), Damage> {
    let mut left = 1_usize;
    for count in &counts[1..] {
        left = (2 * left).checked_sub(*count).ok_or(Damage::Code)?;
    }
    let longer_than_one = counts[2..].iter().any(|count| *count > 0);
    if left > 0 && (incomplete == Incomplete::Never || longer_than_one) { Err(Damage::Code) } else { Ok(()) }
}

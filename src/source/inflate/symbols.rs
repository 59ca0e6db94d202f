//! The blocks of a DEFLATE stream, RFC 1951.

use std::io::{self, Read};

use super::Damage;
use super::fast::{self, Ended};
use super::input::{Ahead, Input};
use super::tables::{DISTANCE_SYMBOLS, LENGTH_SYMBOLS, LITERAL_SYMBOLS, Pairs, Tables};
use super::text::Text;

/// More than the header of any block has: 316 lengths of codes of at most 14 bits, and a few more.
const HEADER_LEN: usize = 1 << 10;

/// RFC 1951, 3.2.7: seven bits of a code and seven more.
const MAX_LENGTH_BITS: u32 = 14;

/// A file that has no more left than this, or only seems to, has a short block.
const SHORT_LEN: usize = 1 << 10;

/// Reads a stream of blocks.
pub(super) struct Blocks {
    state: State,
    is_last: bool,
    tables: Box<Tables>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A block, or the end behind the last.
    Block,
    /// So many bytes as they are.
    Stored(usize),
    Symbol,
    /// The rest of a copy.
    Match {
        distance: usize,
        len: usize,
    },
    End,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self { state: State::Block, is_last: false, tables: Box::new(Tables::EMPTY) }
    }

    /// Begins another stream.
    pub(super) fn restart(&mut self) {
        (self.state, self.is_last) = (State::Block, false);
    }

    /// Reads until the text is full or a block ends; says whether the stream ended with it.
    pub(super) fn read<R: Read>(&mut self, input: &mut Input<R>, text: &mut Text<'_>) -> io::Result<bool> {
        loop {
            input.ensure(HEADER_LEN)?;
            self.state = match self.state {
                State::Block if self.is_last => State::End,
                State::Block => self.read_header(input)?,
                State::Stored(len) => read_stored(input, text, len)?,
                State::Symbol => self.read_symbols(input, text)?,
                State::Match { distance, len } => copy_match(text, distance, len),
                State::End => State::End,
            };
            if matches!(self.state, State::Block | State::End) || text.is_full() {
                return Ok(self.state == State::End);
            }
        }
    }

    /// RFC 1951, 3.2.3.
    fn read_header<R: Read>(&mut self, input: &mut Input<R>) -> Result<State, Damage> {
        self.is_last = input.take_bits(1)? == 1;
        match input.take_bits(2)? {
            0 => read_stored_len(input),
            1 => self.tables.set_fixed().map(|()| State::Symbol),
            2 => input.read_ahead(|ahead| self.read_codes(ahead)).map(|()| State::Symbol),
            _ => Err(Damage::BlockType),
        }
    }

    /// RFC 1951, 3.2.7.
    fn read_codes(&mut self, ahead: &mut Ahead<'_>) -> Result<(), Damage> {
        let literals = ahead.take(5)? as usize + 257;
        let distances = ahead.take(5)? as usize + 1;
        // The last two symbols of each never occur, and zlib allows no lengths for them.
        if literals > LITERAL_SYMBOLS - 2 || distances > DISTANCE_SYMBOLS - 2 {
            return Err(Damage::Code);
        }
        let mut lengths = [0; LITERAL_SYMBOLS + DISTANCE_SYMBOLS];
        let lengths = &mut lengths[..literals + distances];
        self.read_lengths(ahead, lengths)?;
        let (literals, distances) = lengths.split_at(literals);
        if literals[256] == 0 {
            return Err(Damage::Code);
        }
        let pairs = if ahead.unread().len() < SHORT_LEN { Pairs::Apart } else { Pairs::Together };
        self.tables.set(literals, distances, pairs)
    }

    /// RFC 1951, 3.2.7: the lengths of codes are themselves coded.
    fn read_lengths(&mut self, ahead: &mut Ahead<'_>, lengths: &mut [u8]) -> Result<(), Damage> {
        const ORDER: [usize; LENGTH_SYMBOLS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let (mut of_lengths, count) = ([0; LENGTH_SYMBOLS], ahead.take(4)? as usize + 4);
        for symbol in &ORDER[..count] {
            of_lengths[*symbol] = ahead.take(3)? as u8;
        }
        self.tables.set_lengths(&of_lengths)?;
        let mut at = 0;
        while at < lengths.len() {
            if ahead.bits.len < MAX_LENGTH_BITS {
                ahead.refill();
            }
            let entry = self.tables.lengths.first(ahead.bits.buffer);
            let symbol = entry.number(ahead.bits.buffer) as u8;
            ahead.bits.drop_bits(entry.code_bits())?;
            let (length, times) = match symbol {
                0..16 => {
                    lengths[at] = symbol;
                    at += 1;
                    continue;
                }
                16 => (*lengths[..at].last().ok_or(Damage::Code)?, 3 + ahead.take(2)?),
                17 => (0, 3 + ahead.take(3)?),
                _ => (0, 11 + ahead.take(7)?),
            };
            let end = at + times as usize;
            lengths.get_mut(at..end).ok_or(Damage::Code)?.fill(length);
            at = end;
        }
        Ok(())
    }

    fn read_symbols<R: Read>(&mut self, input: &mut Input<R>, text: &mut Text<'_>) -> Result<State, Damage> {
        input.give_back();
        let mut bits = input.bits;
        let (taken, ended) = fast::decode(input.unread(), &mut bits, &self.tables, text)?;
        input.bits = bits;
        input.skip(taken);
        match ended {
            Ended::Block => Ok(State::Block),
            Ended::Short if text.is_full() => Ok(State::Symbol),
            Ended::Short => self.read_symbol(input, text),
        }
    }

    /// Reads one symbol, near the end of the input or of the room.
    fn read_symbol<R: Read>(&mut self, input: &mut Input<R>, text: &mut Text<'_>) -> Result<State, Damage> {
        input.refill();
        let mut entry = self.tables.literals.first(input.bits.buffer);
        if entry.is_second_table() {
            input.bits.drop_bits(entry.bits())?;
            entry = self.tables.literals.second(entry, input.bits.buffer);
        }
        if entry.is_literal() {
            // The second of two may be behind the end.
            input.bits.drop_bits(entry.code_bits())?;
            text.write(&entry.literals()[..1]);
            return Ok(State::Symbol);
        }
        if entry.is_special() {
            let end = if entry.is_invalid() { Err(Damage::Symbol) } else { Ok(State::Block) };
            input.bits.drop_bits(entry.bits())?;
            return end;
        }
        let len = entry.number(input.bits.buffer);
        input.bits.drop_bits(entry.bits())?;
        let distance = self.read_distance(input)?;
        if text.reaches(distance) { Ok(copy_match(text, distance, len)) } else { Err(Damage::Distance) }
    }

    fn read_distance<R: Read>(&mut self, input: &mut Input<R>) -> Result<usize, Damage> {
        input.refill();
        let mut entry = self.tables.distances.first(input.bits.buffer);
        if entry.is_second_table() {
            input.bits.drop_bits(entry.bits())?;
            entry = self.tables.distances.second(entry, input.bits.buffer);
        }
        if entry.is_special() {
            return Err(Damage::Distance);
        }
        let distance = entry.number(input.bits.buffer);
        input.bits.drop_bits(entry.bits())?;
        Ok(distance)
    }
}

/// RFC 1951, 3.2.4.
fn read_stored_len<R: Read>(input: &mut Input<R>) -> Result<State, Damage> {
    input.align();
    let (len, complement) = (input.take_bits(16)?, input.take_bits(16)?);
    input.align();
    if len ^ complement == 0xffff { Ok(State::Stored(len as usize)) } else { Err(Damage::StoredLength) }
}

fn read_stored<R: Read>(input: &mut Input<R>, text: &mut Text<'_>, len: usize) -> Result<State, Damage> {
    if len == 0 {
        return Ok(State::Block);
    }
    let unread = input.unread();
    if unread.is_empty() {
        return Err(Damage::CutOff);
    }
    let written = text.write(&unread[..len.min(unread.len())]);
    input.skip(written);
    Ok(State::Stored(len - written))
}

fn copy_match(text: &mut Text<'_>, distance: usize, len: usize) -> State {
    match len - text.copy(distance, len) {
        0 => State::Symbol,
        len => State::Match { distance, len },
    }
}

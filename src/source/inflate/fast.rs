//! The loop that nearly all text comes from. It goes on while input and room are far from their ends, so it looks at both
//! once a turn and not for every byte; the rest is left to the careful way.
//!
//! Each look-up has to wait for the one before it, so everything else is done in the meantime: bits are taken eight bytes
//! at a time, the entry of the next symbol is read before a match is copied, and matches are copied by chunks, past their
//! ends. What a turn reads and writes at most is [`INPUT_LEN`] and [`ROOM`]: whoever changes a turn counts again.

#![expect(unsafe_code, reason = "looking at input and room for every symbol takes a tenth longer")]

use super::Damage;
use super::input::Bits;
use super::tables::{Codes, Entry, Tables};
use super::text::Text;

/// A turn takes bits three times: at most seven bytes of each eight that are read.
const INPUT_LEN: usize = 7 + 7 + 8;
/// A turn writes literals three times, a pair at most, or five times of a fixed code; and a match, which ends inside of a
/// chunk. RFC 1951, 3.2.5, for the longest.
const ROOM: usize = 3 * 2 + 258 + CHUNK_LEN;
/// What is copied at a time.
const CHUNK_LEN: usize = 32;

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The block did.
    Block,
    /// Input or room comes to its end.
    Short,
}

/// Decodes symbols of a block; returns how many bytes of the input it took, and why it ended.
pub(super) fn decode(
    input: &[u8],
    bits: &mut Bits,
    tables: &Tables,
    text: &mut Text<'_>,
) -> Result<(usize, Ended), Damage> {
    #[cfg(target_arch = "x86_64")]
    if !cfg!(logseal_vectors = "none")
        && std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi2")
    {
        // SAFETY: the processor was asked.
        return unsafe { decode_with_bmi2(input, bits, tables, text) };
    }
    decode_portably(input, bits, tables, text)
}

/// A shift takes one instruction instead of three, and a chunk one instead of two.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2")]
fn decode_with_bmi2(
    input: &[u8],
    bits: &mut Bits,
    tables: &Tables,
    text: &mut Text<'_>,
) -> Result<(usize, Ended), Damage> {
    decode_portably(input, bits, tables, text)
}

#[inline(always)]
fn decode_portably(
    input: &[u8],
    bits: &mut Bits,
    tables: &Tables,
    text: &mut Text<'_>,
) -> Result<(usize, Ended), Damage> {
    if input.len() < INPUT_LEN || text.bytes.len() - text.len < ROOM {
        return Ok((0, Ended::Short));
    }
    let mut turns = Turns {
        ahead: Ahead { input, at: 0, buffer: bits.buffer, len: bits.len },
        tables,
        bytes: text.bytes,
        to: text.len,
        member: text.member,
        history: text.history,
    };
    let ended = match tables.codes {
        Codes::Fixed => turns.run::<true>(),
        Codes::Dynamic => turns.run::<false>(),
    };
    text.len = turns.to;
    *bits = turns.ahead.give_back();
    Ok((turns.ahead.at, ended?))
}

/// The loop, and what it goes through.
struct Turns<'t> {
    ahead: Ahead<'t>,
    tables: &'t Tables,
    /// The fields of [`Text`], so that they stay in registers.
    bytes: &'t mut [u8],
    to: usize,
    member: usize,
    history: &'t [u8],
}

/// What comes after a turn.
enum Next {
    /// Another turn, with this entry.
    Turn(Entry),
    EndOfBlock,
}

impl Turns<'_> {
    #[inline(always)]
    fn run<const FIXED: bool>(&mut self) -> Result<Ended, Damage> {
        let (last_input, last_room) = (self.ahead.input.len() - INPUT_LEN, self.bytes.len() - ROOM);
        // SAFETY: there are at least eight bytes of input, and the first turn asks for its own.
        unsafe { self.ahead.refill() };
        let mut entry = self.tables.literals.first(self.ahead.buffer);
        while self.ahead.at <= last_input && self.to <= last_room {
            // SAFETY: as much input and room as a turn may need are there.
            match unsafe { self.turn::<FIXED>(entry) }? {
                Next::Turn(next) => entry = next,
                Next::EndOfBlock => return Ok(Ended::Block),
            }
        }
        Ok(Ended::Short)
    }

    /// Some literals, a match after at most two of them, or the end of the block.
    ///
    /// # Safety
    ///
    /// [`INPUT_LEN`] bytes of input and [`ROOM`] for text are left.
    #[inline(always)]
    unsafe fn turn<const FIXED: bool>(&mut self, mut entry: Entry) -> Result<Next, Damage> {
        // SAFETY: the first of three times, which read 22 bytes together.
        unsafe { self.ahead.refill() };
        if FIXED && entry.is_literal_of(8) {
            // SAFETY: there is room for them.
            return Ok(Next::Turn(unsafe { self.take_fixed_literals(entry) }));
        }
        // Three times eleven bits leave enough of 56 for the next look-up.
        if entry.is_literal() {
            // SAFETY: there is room for three times two.
            entry = unsafe { self.take_literals(entry) };
            if entry.is_literal() {
                // SAFETY: the second time.
                entry = unsafe { self.take_literals(entry) };
                if entry.is_literal() {
                    // SAFETY: the third time.
                    return Ok(Next::Turn(unsafe { self.take_literals(entry) }));
                }
            }
            // SAFETY: the second of three times.
            unsafe { self.ahead.refill() };
        }
        if entry.is_special() {
            if entry.is_second_table() {
                self.ahead.drop_bits(entry.shift());
                entry = self.tables.literals.second(entry, self.ahead.buffer);
                if entry.is_literal() {
                    // SAFETY: at most the third time.
                    return Ok(Next::Turn(unsafe { self.take_literals(entry) }));
                }
            }
            if entry.is_special() {
                self.ahead.drop_bits(entry.shift());
                return if entry.is_invalid() { Err(Damage::Symbol) } else { Ok(Next::EndOfBlock) };
            }
        }
        // A match has at most 48 bits.
        let len = entry.number(self.ahead.buffer);
        self.ahead.drop_bits(entry.shift());
        let distance = self.take_distance()?;
        // SAFETY: the third of three times.
        unsafe { self.ahead.refill() };
        let next = self.tables.literals.first(self.ahead.buffer);
        if distance > self.to - self.member {
            self.copy_history(distance, len)?;
        } else {
            // SAFETY: the distance was looked at, and there is room for the longest match and a chunk.
            unsafe { copy(self.bytes, self.to, distance, len) };
        }
        self.to += len;
        Ok(Next::Turn(next))
    }

    /// Writes one literal or two; returns the next entry.
    ///
    /// # Safety
    ///
    /// There is room for two.
    #[inline(always)]
    unsafe fn take_literals(&mut self, entry: Entry) -> Entry {
        self.ahead.drop_bits(entry.shift());
        // SAFETY: of the caller.
        unsafe { put(self.bytes, self.to, entry.literals()) };
        self.to += entry.literals_len();
        self.tables.literals.first(self.ahead.buffer)
    }

    /// Up to five literals, which nearly all have eight bits: the processor guesses that the next has, and does not wait
    /// for the look-up to know where it begins.
    ///
    /// # Safety
    ///
    /// There is room for six.
    #[inline(always)]
    unsafe fn take_fixed_literals(&mut self, mut entry: Entry) -> Entry {
        for _ in 0..5 {
            if entry.is_literal_of(8) {
                self.ahead.drop_bits(8);
                // SAFETY: of the caller: what is put behind the fifth is the sixth.
                unsafe { put(self.bytes, self.to, entry.literals()) };
                self.to += 1;
                entry = self.tables.literals.first(self.ahead.buffer);
            }
        }
        entry
    }

    #[inline(always)]
    fn take_distance(&mut self) -> Result<usize, Damage> {
        let mut entry = self.tables.distances.first(self.ahead.buffer);
        if entry.is_special() {
            if entry.is_second_table() {
                self.ahead.drop_bits(entry.shift());
                entry = self.tables.distances.second(entry, self.ahead.buffer);
            }
            if entry.is_special() {
                return Err(Damage::Distance);
            }
        }
        let distance = entry.number(self.ahead.buffer);
        self.ahead.drop_bits(entry.shift());
        Ok(distance)
    }

    /// Copies what begins in an earlier read, or nowhere.
    #[inline(always)]
    fn copy_history(&mut self, distance: usize, len: usize) -> Result<(), Damage> {
        let mut text = Text { bytes: self.bytes, len: self.to, member: self.member, history: self.history };
        if !text.reaches(distance) {
            return Err(Damage::Distance);
        }
        text.copy(distance, len);
        Ok(())
    }
}

/// The bits that come next, and the bytes behind them. Bits above those that count may be set: they are those that come
/// next, and will be the same when they are taken.
struct Ahead<'i> {
    input: &'i [u8],
    at: usize,
    buffer: u64,
    /// Only its lowest six bits count.
    len: u32,
}

impl Ahead<'_> {
    /// Makes at least 56 bits of them.
    ///
    /// # Safety
    ///
    /// Eight bytes of input are left; seven of them at most are taken.
    #[inline(always)]
    unsafe fn refill(&mut self) {
        debug_assert!(self.at + size_of::<u64>() <= self.input.len());
        // SAFETY: of the caller.
        let bytes = unsafe { self.input.as_ptr().add(self.at).cast::<[u8; 8]>().read() };
        self.buffer |= u64::from_le_bytes(bytes) << (self.len & 63);
        self.at += 7 - (self.len >> 3 & 7) as usize;
        self.len |= 56;
    }

    /// Only the lowest six bits of the number count.
    #[inline(always)]
    fn drop_bits(&mut self, len: u32) {
        self.buffer >>= len & 63;
        self.len = self.len.wrapping_sub(len);
    }

    /// Gives whole bytes back.
    fn give_back(&mut self) -> Bits {
        let len = self.len & 63;
        self.at -= (len / 8) as usize;
        Bits { buffer: self.buffer & ((1 << (len % 8)) - 1), len: len % 8 }
    }
}

/// # Safety
///
/// There is room for both.
#[inline(always)]
unsafe fn put(bytes: &mut [u8], to: usize, literals: [u8; 2]) {
    debug_assert!(to + literals.len() <= bytes.len());
    // SAFETY: of the caller.
    unsafe { bytes.as_mut_ptr().add(to).cast::<[u8; 2]>().write(literals) };
}

/// Copies a match, and up to a chunk behind it.
///
/// # Safety
///
/// The distance is from 1 to `to`, and `to + len + CHUNK_LEN` not behind the end.
#[inline(always)]
unsafe fn copy(bytes: &mut [u8], mut to: usize, distance: usize, len: usize) {
    let (mut from, end) = (to - distance, to + len);
    // What repeats faster than a chunk is copied with itself until it does not: each time, twice as much is there.
    while to - from < CHUNK_LEN && to < end {
        // SAFETY: of the caller, as it begins before the end.
        unsafe { copy_chunk(bytes, from, to) };
        to += to - from;
    }
    while to < end {
        // SAFETY: as above.
        unsafe { copy_chunk(bytes, from, to) };
        (from, to) = (from + CHUNK_LEN, to + CHUNK_LEN);
    }
}

/// # Safety
///
/// `from` is before `to`, and there is room for a chunk.
#[inline(always)]
unsafe fn copy_chunk(bytes: &mut [u8], from: usize, to: usize) {
    debug_assert!(from < to && to + CHUNK_LEN <= bytes.len());
    // SAFETY: of the caller. All is read before any is written, so chunks may overlap.
    unsafe {
        let chunk = bytes.as_ptr().add(from).cast::<[u8; CHUNK_LEN]>().read();
        bytes.as_mut_ptr().add(to).cast::<[u8; CHUNK_LEN]>().write(chunk);
    }
}

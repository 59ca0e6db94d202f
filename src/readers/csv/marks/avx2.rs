//! Marks of 64 bytes at a time: each byte is a bit of a few masks, and the shape of a row is arithmetic on masks.

use std::arch::x86_64::*;

use super::{CHUNK_LEN, LineEnd, Marks, PADDING};

/// Whether the processor has what [`find`] needs.
pub(super) fn is_available() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("popcnt")
}

/// What a chunk leaves to the next one.
struct Carry {
    /// The last two bits of the separators, as the first two of what they open.
    opens: u64,
    /// Whether the chunk before ended with a closing quote of a row, and with a newline.
    row_close: u64,
    newline: u64,
    /// Whether the line that is not over yet is odd already.
    is_odd: bool,
}

/// See [`Marks::find`].
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub(super) fn find(marks: &mut Marks, padded: &[u8], len: usize) {
    assert!(padded.len() >= len + PADDING);
    let mut carry = Carry { opens: 0, row_close: 0, newline: 1, is_odd: false };
    for base in (0..len).step_by(CHUNK_LEN) {
        let Some(window) = padded[base..].first_chunk::<WINDOW_LEN>() else { return };
        mark(marks, &mut carry, window, base as u32);
    }
}

/// A chunk, and what is looked at behind it.
const WINDOW_LEN: usize = CHUNK_LEN + 2;

#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn mark(marks: &mut Marks, carry: &mut Carry, window: &[u8; WINDOW_LEN], base: u32) {
    let quotes = equal::<0>(window, b'"');
    let newlines = equal::<0>(window, b'\n');
    // A quote closes a field if `,"` or a newline follows. What opens one stands behind that.
    let separators = quotes & equal::<1>(window, b',') & equal::<2>(window, b'"');
    let row_closes = quotes & equal::<1>(window, b'\n');
    let closes = separators | row_closes;
    let opens = newlines << 1 | carry.newline | separators << 2 | carry.opens;
    // Every quote opens or closes and not both, every row begins with a quote, and every newline stands behind one that
    // closes: then quotes alternate, with nothing but a comma or a newline between a field and the next.
    let odd = (opens & closes) | ((opens | closes) ^ quotes) | (newlines & !(row_closes << 1 | carry.row_close));
    let before = marks.closes_len as u32;
    push_bits(marks, closes, base);
    push_lines(marks, carry, newlines, closes, odd, before, base);
    *carry =
        Carry { opens: separators >> 62, row_close: row_closes >> 63, newline: newlines >> 63, is_odd: carry.is_odd };
}

/// Ends the lines whose newlines are in the chunk. What is odd belongs to the line in which it stands.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn push_lines(marks: &mut Marks, carry: &mut Carry, newlines: u64, closes: u64, odd: u64, before: u32, base: u32) {
    let (mut newlines, mut odd) = (newlines, odd);
    while newlines != 0 {
        // The bits up to the newline.
        let line = newlines ^ (newlines - 1);
        let is_odd = carry.is_odd || odd & line != 0;
        let closes = before + (closes & line).count_ones();
        marks.lines.push(LineEnd { at: base + newlines.trailing_zeros(), closes, is_odd });
        carry.is_odd = false;
        odd &= !line;
        newlines &= newlines - 1;
    }
    carry.is_odd |= odd != 0;
}

/// Appends the positions of the bits. Most chunks have few, so the first ones are written without looking: a branch that
/// cannot be predicted costs more.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn push_bits(marks: &mut Marks, mut bits: u64, base: u32) {
    const BLIND: usize = 4;
    let count = bits.count_ones() as usize;
    let space = marks.space();
    for place in &mut space[..BLIND] {
        *place = base + bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
    }
    if count > BLIND {
        for place in &mut space[BLIND..count] {
            *place = base + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
        }
    }
    marks.closes_len += count;
}

/// Which bytes of the 64 from `FROM` on equal `byte`.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn equal<const FROM: usize>(window: &[u8; WINDOW_LEN], byte: u8) -> u64 {
    let wanted = _mm256_set1_epi8(byte as i8);
    let half = |from: usize| _mm256_movemask_epi8(_mm256_cmpeq_epi8(load(&window[FROM + from..]), wanted)) as u32;
    u64::from(half(CHUNK_LEN / 2)) << 32 | u64::from(half(0))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> __m256i {
    let Some(bytes) = bytes.first_chunk::<32>() else { unreachable!("windows are longer") };
    #[expect(unsafe_code, reason = "put together from numbers, the vectors of neighbouring positions become shuffles")]
    // SAFETY: 32 bytes are read from a reference to 32 bytes; this kind of load needs no alignment.
    unsafe {
        _mm256_loadu_si256(std::ptr::from_ref(bytes).cast())
    }
}

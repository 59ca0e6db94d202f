//! Marks with AVX2: 32 bytes are compared at a time, and the set bits of a mask are taken out one by one.

use std::arch::x86_64::*;

use super::chunk::Chunk;
use super::{CHUNK_LEN, Pen, Room, chunks};

/// Whether the processor has what [`find`] needs.
pub(super) fn is_available() -> bool {
    !cfg!(logseal_vectors = "none")
        && std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("popcnt")
}

/// See [`super::mark_pieces`].
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub(super) fn find<'m>(piece: &[[u8; CHUNK_LEN]], from: u32, mut pen: Pen<'m>) -> Pen<'m> {
    for (base, bytes) in chunks(piece, from) {
        let [low, high] = load(bytes);
        let equal = |byte: u8| {
            let wanted = _mm256_set1_epi8(byte as i8);
            let bits = |half| _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, wanted)) as u32;
            u64::from(bits(high)) << 32 | u64::from(bits(low))
        };
        let chunk = Chunk { quotes: equal(b'"'), commas: equal(b','), newlines: equal(b'\n') };
        let closes = pen.mark(&chunk, base);
        push_bits(&mut pen.closes, closes, base);
    }
    pen
}

/// Appends the positions of the bits. Most chunks have few, so the first ones are written without looking: a branch that
/// cannot be predicted costs more.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn push_bits(list: &mut Room<'_, u32>, mut bits: u64, base: u32) {
    const BLIND: usize = 4;
    let count = bits.count_ones() as usize;
    let space = list.space::<CHUNK_LEN>();
    for place in &mut space[..BLIND] {
        *place = base + bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
    }
    if count > BLIND {
        for place in &mut space[BLIND..2 * BLIND] {
            *place = base + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
        }
        if count > 2 * BLIND {
            for place in &mut space[2 * BLIND..count] {
                *place = base + bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
            }
        }
    }
    list.len += count;
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; CHUNK_LEN]) -> [__m256i; 2] {
    #[expect(unsafe_code, reason = "there is no safe way to load a whole vector")]
    // SAFETY: both are 64 plain bytes, and any bits will do for either.
    unsafe {
        std::mem::transmute::<[u8; CHUNK_LEN], [__m256i; 2]>(*bytes)
    }
}

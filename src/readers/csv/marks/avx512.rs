//! Marks with AVX-512: 64 bytes are compared at a time, and the positions of all set bits are put side by side at once.

use std::arch::x86_64::*;

use super::chunk::Chunk;
use super::{CHUNK_LEN, Pen, Room, chunks};

/// Whether the processor has what [`find`] needs.
pub(super) fn is_available() -> bool {
    !cfg!(any(logseal_vectors = "none", logseal_vectors = "avx2"))
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vbmi2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("popcnt")
}

/// See [`super::mark_pieces`].
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,popcnt")]
pub(super) fn find<'m>(piece: &[[u8; CHUNK_LEN]], from: u32, mut pen: Pen<'m>) -> Pen<'m> {
    for (base, bytes) in chunks(piece, from) {
        let bytes = load(bytes);
        let equal = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
        let chunk = Chunk { quotes: equal(b'"'), commas: equal(b','), newlines: equal(b'\n') };
        let closes = pen.mark(&chunk, base);
        push_bits(&mut pen.closes, closes, base);
    }
    pen
}

/// Appends the positions of the bits. Few chunks have more than fit into a vector.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,popcnt")]
fn push_bits(list: &mut Room<'_, u32>, bits: u64, base: u32) {
    let count = bits.count_ones() as usize;
    let places = _mm512_maskz_compress_epi8(bits, load(&PLACES));
    let base = _mm512_set1_epi32(base as i32);
    let positions = |sixteen| numbers(_mm512_add_epi32(_mm512_cvtepu8_epi32(sixteen), base));
    let ([first, rest @ ..], _) = list.space::<CHUNK_LEN>().as_chunks_mut() else { unreachable!("there is room") };
    *first = positions(_mm512_castsi512_si128(places));
    if count > first.len() {
        rest[0] = positions(_mm512_extracti32x4_epi32::<1>(places));
        rest[1] = positions(_mm512_extracti32x4_epi32::<2>(places));
        rest[2] = positions(_mm512_extracti32x4_epi32::<3>(places));
    }
    list.len += count;
}

const PLACES: [u8; CHUNK_LEN] = {
    let mut places = [0; CHUNK_LEN];
    let mut at = 0;
    while at < CHUNK_LEN {
        places[at] = at as u8;
        at += 1;
    }
    places
};

#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8; CHUNK_LEN]) -> __m512i {
    #[expect(unsafe_code, reason = "there is no safe way to load a whole vector")]
    // SAFETY: both are 64 plain bytes, and any bits will do for either.
    unsafe {
        std::mem::transmute::<[u8; CHUNK_LEN], __m512i>(*bytes)
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn numbers(vector: __m512i) -> [u32; 16] {
    #[expect(unsafe_code, reason = "there is no safe way to store a whole vector")]
    // SAFETY: both are 64 plain bytes, and any bits will do for either.
    unsafe {
        std::mem::transmute::<__m512i, [u32; 16]>(vector)
    }
}

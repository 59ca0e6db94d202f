//! MD5 of sixteen inputs at a time, with AVX-512: it rotates in one instruction and mixes three numbers in one, so a step
//! waits four cycles for the last where AVX2 waits six, and one vector is enough.

use std::arch::x86_64::*;

use super::vectors::{each_step, md5_of_vectors, whole_vectors};
use super::{Block, ROTATIONS, SINES};

pub(super) const LANES: usize = 16;

type Vector = __m512i;

/// Whether the processor has what [`update`] needs, here and for single inputs.
pub(super) fn is_available() -> bool {
    std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512vl")
}

md5_of_vectors!(with "avx512f");
whole_vectors!(with "avx512f");

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rotate_left(vector: Vector, by: u32) -> Vector {
    _mm512_rolv_epi32(vector, _mm512_set1_epi32(by as i32))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn mix(round: usize, b: Vector, c: Vector, d: Vector) -> Vector {
    match round {
        0 => _mm512_ternarylogic_epi32::<{ MIXES[0] }>(b, c, d),
        1 => _mm512_ternarylogic_epi32::<{ MIXES[1] }>(b, c, d),
        2 => _mm512_ternarylogic_epi32::<{ MIXES[2] }>(b, c, d),
        _ => _mm512_ternarylogic_epi32::<{ MIXES[3] }>(b, c, d),
    }
}

/// The functions of the four rounds as tables: what becomes of each of the eight combinations of three bits.
pub(super) const MIXES: [i32; 4] = {
    const B: i32 = 0b1111_0000;
    const C: i32 = 0b1100_1100;
    const D: i32 = 0b1010_1010;
    [(B & C) | (!B & D), (B & D) | (C & !D), B ^ C ^ D, (C ^ (B | !D)) & 0b1111_1111]
};

/// Rows to columns: four times, each row of the first half and its counterpart of the second are interleaved, word by
/// word, and become two rows.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(mut rows: [Vector; LANES]) -> [Vector; LANES] {
    let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    for _ in 0..4 {
        let from = rows;
        for at in 0..8 {
            rows[2 * at] = _mm512_permutex2var_epi32(from[at], low, from[at + 8]);
            rows[2 * at + 1] = _mm512_permutex2var_epi32(from[at], high, from[at + 8]);
        }
    }
    rows
}

//! MD5 of sixteen inputs at a time, with AVX-512: it rotates in one instruction and mixes three numbers in one, so a step
//! waits four cycles for the last where AVX2 waits six, and one vector is enough.

use std::arch::x86_64::*;

use super::steps::md5_of_vectors;
use super::{Block, ROTATIONS, SINES};
pub(super) use crate::hashes::vectors::avx512::LANES;
use crate::hashes::vectors::avx512::{Vector, add, from_numbers, from_states, load, rotate_left, to_states};
use crate::hashes::vectors::each_step;

/// Whether the processor has what [`update`] needs, here and for single inputs.
pub(super) fn is_available() -> bool {
    !cfg!(any(logseal_vectors = "none", logseal_vectors = "avx2"))
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512vl")
}

md5_of_vectors!(with "avx512f");

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

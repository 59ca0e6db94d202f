//! Vectors of sixteen numbers, with AVX-512.

use std::arch::x86_64::*;

use super::{lanes_of_vectors, whole_vectors};
use crate::hashes::Block;

pub(crate) const LANES: usize = 16;

pub(crate) type Vector = __m512i;

lanes_of_vectors!(with "avx512f");
whole_vectors!(with "avx512f");

#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn add(a: Vector, b: Vector) -> Vector {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn rotate_left(vector: Vector, by: u32) -> Vector {
    _mm512_rolv_epi32(vector, _mm512_set1_epi32(by as i32))
}

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

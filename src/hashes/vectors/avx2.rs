//! Vectors of eight numbers, with AVX2.

use std::arch::x86_64::*;

use super::{lanes_of_vectors, whole_vectors};
use crate::hashes::Block;

pub(crate) const LANES: usize = 8;

pub(crate) type Vector = __m256i;

/// Whether the processor has what these functions need.
pub(crate) fn is_available() -> bool {
    !cfg!(logseal_vectors = "none") && std::arch::is_x86_feature_detected!("avx2")
}

lanes_of_vectors!(with "avx2");
whole_vectors!(with "avx2");

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn add(a: Vector, b: Vector) -> Vector {
    _mm256_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn rotate_left(vector: Vector, by: u32) -> Vector {
    let (left, right) = (_mm_cvtsi32_si128(by as i32), _mm_cvtsi32_si128(32 - by as i32));
    _mm256_or_si256(_mm256_sll_epi32(vector, left), _mm256_srl_epi32(vector, right))
}

/// Rows to columns: pairs of rows are interleaved by 32, then by 64, then by 128 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose([a, b, c, d, e, f, g, h]: [Vector; LANES]) -> [Vector; LANES] {
    let (ab, ab_high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let (cd, cd_high) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    let (ef, ef_high) = (_mm256_unpacklo_epi32(e, f), _mm256_unpackhi_epi32(e, f));
    let (gh, gh_high) = (_mm256_unpacklo_epi32(g, h), _mm256_unpackhi_epi32(g, h));
    let abcd = [
        _mm256_unpacklo_epi64(ab, cd),
        _mm256_unpackhi_epi64(ab, cd),
        _mm256_unpacklo_epi64(ab_high, cd_high),
        _mm256_unpackhi_epi64(ab_high, cd_high),
    ];
    let efgh = [
        _mm256_unpacklo_epi64(ef, gh),
        _mm256_unpackhi_epi64(ef, gh),
        _mm256_unpacklo_epi64(ef_high, gh_high),
        _mm256_unpackhi_epi64(ef_high, gh_high),
    ];
    let low = |at: usize| _mm256_permute2x128_si256::<0x20>(abcd[at], efgh[at]);
    let high = |at: usize| _mm256_permute2x128_si256::<0x31>(abcd[at], efgh[at]);
    [low(0), low(1), low(2), low(3), high(0), high(1), high(2), high(3)]
}

//! MD5 of eight or sixteen inputs at a time, with AVX2.
//!
//! One vector waits for its own last step most of the time, so two go through each step together where there are enough
//! inputs.

use std::arch::x86_64::*;

use super::vectors::{each_step, md5_of_vectors, whole_vectors};
use super::{Block, ROTATIONS, SINES};

pub(super) const LANES: usize = 8;

type Vector = __m256i;

/// Whether the processor has what [`update`] needs.
pub(super) fn is_available() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

md5_of_vectors!(with "avx2");
whole_vectors!(with "avx2");

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm256_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate_left(vector: Vector, by: u32) -> Vector {
    let (left, right) = (_mm_cvtsi32_si128(by as i32), _mm_cvtsi32_si128(32 - by as i32));
    _mm256_or_si256(_mm256_sll_epi32(vector, left), _mm256_srl_epi32(vector, right))
}

#[inline]
#[target_feature(enable = "avx2")]
fn mix(round: usize, b: Vector, c: Vector, d: Vector) -> Vector {
    match round {
        0 => _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d))),
        1 => _mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c))),
        2 => _mm256_xor_si256(_mm256_xor_si256(b, c), d),
        _ => _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, _mm256_set1_epi32(-1)))),
    }
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

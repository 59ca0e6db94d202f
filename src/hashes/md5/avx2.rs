//! MD5 of eight or sixteen inputs at a time, with AVX2.
//!
//! One vector waits for its own last step most of the time, so two go through each step together where there are enough
//! inputs.

use std::arch::x86_64::*;

use super::steps::md5_of_vectors;
use super::{Block, ROTATIONS, SINES};
pub(super) use crate::hashes::vectors::avx2::{LANES, is_available};
use crate::hashes::vectors::avx2::{Vector, add, from_numbers, from_states, load, rotate_left, to_states};
use crate::hashes::vectors::each_step;

md5_of_vectors!(with "avx2");

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

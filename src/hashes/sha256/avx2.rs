//! SHA-256 of eight inputs at a time, with AVX2.

use std::arch::x86_64::*;

use super::CUBE_ROOTS;
use super::steps::sha256_of_vectors;
use crate::hashes::Block;
pub(super) use crate::hashes::vectors::avx2::{LANES, is_available};
use crate::hashes::vectors::avx2::{Vector, add, from_numbers, from_states, load, rotate_left, to_states};
use crate::hashes::vectors::each_step;

sha256_of_vectors!(with "avx2");

#[inline]
#[target_feature(enable = "avx2")]
fn swap_bytes(vector: Vector) -> Vector {
    const LOW: i64 = 0x0405_0607_0001_0203;
    const HIGH: i64 = 0x0c0d_0e0f_0809_0a0b;
    _mm256_shuffle_epi8(vector, _mm256_setr_epi64x(LOW, HIGH, LOW, HIGH))
}

#[inline]
#[target_feature(enable = "avx2")]
fn shift_right(vector: Vector, by: u32) -> Vector {
    _mm256_srl_epi32(vector, _mm_cvtsi32_si128(by as i32))
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_xor_si256(_mm256_xor_si256(a, b), c)
}

#[inline]
#[target_feature(enable = "avx2")]
fn choose(e: Vector, f: Vector, g: Vector) -> Vector {
    _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    // What differs between `a` and `b` is needed again in the next step, as what differs between `b` and `c`.
    _mm256_xor_si256(b, _mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)))
}

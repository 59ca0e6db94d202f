//! MD5 of one or two inputs at a time, with AVX-512: a vector is a single number, as in the portable way, but a step waits
//! four cycles for the last instead of four or five.

use std::arch::x86_64::*;

use super::avx512::MIXES;
use super::steps::md5_of_vectors;
use super::{Block, ROTATIONS, SINES};
use crate::hashes::vectors::{each_step, lanes_of_vectors};

pub(super) const LANES: usize = 1;

/// Only the lowest number counts.
type Vector = __m128i;

lanes_of_vectors!(with "avx512f,avx512vl");
md5_of_vectors!(with "avx512f,avx512vl");

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn from_numbers([number]: [u32; LANES]) -> Vector {
    _mm_cvtsi32_si128(number as i32)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn to_numbers(vector: Vector) -> [u32; LANES] {
    [_mm_cvtsi128_si32(vector) as u32]
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn from_bytes(bytes: &[u8; 4 * LANES]) -> Vector {
    _mm_cvtsi32_si128(i32::from_le_bytes(*bytes))
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn rotate_left(vector: Vector, by: u32) -> Vector {
    _mm_rolv_epi32(vector, _mm_set1_epi32(by as i32))
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn mix(round: usize, b: Vector, c: Vector, d: Vector) -> Vector {
    match round {
        0 => _mm_ternarylogic_epi32::<{ MIXES[0] }>(b, c, d),
        1 => _mm_ternarylogic_epi32::<{ MIXES[1] }>(b, c, d),
        2 => _mm_ternarylogic_epi32::<{ MIXES[2] }>(b, c, d),
        _ => _mm_ternarylogic_epi32::<{ MIXES[3] }>(b, c, d),
    }
}

#[inline]
fn transpose(rows: [Vector; LANES]) -> [Vector; LANES] {
    rows
}

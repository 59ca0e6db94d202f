//! SHA-256 of sixteen inputs at a time, with AVX-512, which rotates in one instruction and mixes three numbers in one.

use std::arch::x86_64::*;

use super::CUBE_ROOTS;
use super::steps::sha256_of_vectors;
use crate::hashes::Block;
pub(super) use crate::hashes::vectors::avx512::LANES;
use crate::hashes::vectors::avx512::{Vector, add, from_numbers, from_states, load, rotate_left, to_states};
use crate::hashes::vectors::each_step;

/// Whether the processor has what [`update`] needs.
pub(super) fn is_available() -> bool {
    !cfg!(any(logseal_vectors = "none", logseal_vectors = "avx2"))
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
}

sha256_of_vectors!(with "avx512f,avx512bw");

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn swap_bytes(vector: Vector) -> Vector {
    _mm512_shuffle_epi8(
        vector,
        _mm512_broadcast_i32x4(_mm_setr_epi32(0x0001_0203, 0x0405_0607, 0x0809_0a0b, 0x0c0d_0e0f)),
    )
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn shift_right(vector: Vector, by: u32) -> Vector {
    _mm512_srl_epi32(vector, _mm_cvtsi32_si128(by as i32))
}

/// The three functions as tables: what becomes of each of the eight combinations of three bits.
const A: i32 = 0b1111_0000;
const B: i32 = 0b1100_1100;
const C: i32 = 0b1010_1010;

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn xor(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<{ A ^ B ^ C }>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn choose(e: Vector, f: Vector, g: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<{ C ^ (A & (B ^ C)) }>(e, f, g)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<{ (A & B) | (A & C) | (B & C) }>(a, b, c)
}

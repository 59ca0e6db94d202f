//! MD5 of one or two inputs at a time, on any processor: a vector is a single number.

use super::steps::md5_of_vectors;
use super::{Block, ROTATIONS, SINES};
use crate::hashes::vectors::{each_step, lanes_of_vectors};

pub(super) const LANES: usize = 1;

type Vector = u32;

lanes_of_vectors!();
md5_of_vectors!();

#[inline]
fn from_numbers([number]: [u32; LANES]) -> Vector {
    number
}

#[inline]
fn to_numbers(vector: Vector) -> [u32; LANES] {
    [vector]
}

#[inline]
fn from_bytes(bytes: &[u8; 4 * LANES]) -> Vector {
    u32::from_le_bytes(*bytes)
}

#[inline]
fn add(a: Vector, b: Vector) -> Vector {
    a.wrapping_add(b)
}

#[inline]
fn rotate_left(vector: Vector, by: u32) -> Vector {
    vector.rotate_left(by)
}

#[inline]
fn mix(round: usize, b: Vector, c: Vector, d: Vector) -> Vector {
    match round {
        0 => d ^ (b & (c ^ d)),
        // No bit comes from both sides: a sum leaves it to the compiler what to add first.
        1 => (c & !d).wrapping_add(b & d),
        2 => b ^ c ^ d,
        _ => c ^ (b | !d),
    }
}

#[inline]
fn transpose(rows: [Vector; LANES]) -> [Vector; LANES] {
    rows
}

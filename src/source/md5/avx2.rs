//! MD5 of eight or sixteen inputs at a time, with AVX2: each 32-bit number of a vector belongs to another input.
//!
//! One vector waits for its own last step most of the time, so two go through each step together where there are enough
//! inputs.

use std::arch::x86_64::*;

use super::{BLOCK_LEN, ROTATIONS, SINES, each_step};

/// The inputs that share a vector.
pub(super) const LANES: usize = 8;

/// The states of eight hashes: A, B, C and D of all of them.
type States = [__m256i; 4];

/// Hashes the same number of whole blocks of each input.
#[target_feature(enable = "avx2")]
pub(super) fn update<const VECTORS: usize>(
    states: &mut [[[u32; 4]; LANES]; VECTORS],
    inputs: &[[&[u8]; LANES]; VECTORS],
    blocks: usize,
) {
    let mut sums: [States; VECTORS] = std::array::from_fn(|vector| gather(&states[vector]));
    for block in 0..blocks {
        let words = std::array::from_fn(|vector| load(&inputs[vector], block));
        compress(&mut sums, &words);
    }
    for (vector, states) in sums.into_iter().zip(states) {
        scatter(vector, states);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn compress<const VECTORS: usize>(sums: &mut [States; VECTORS], words: &[[__m256i; 16]; VECTORS]) {
    let mut work = *sums;
    macro_rules! step {
        ($($step:literal)*) => { $(
            for vector in 0..VECTORS {
                work[vector] = step::<$step>(work[vector], &words[vector]);
            }
        )* };
    }
    each_step!(step);
    for (sums, work) in sums.iter_mut().zip(work) {
        for (sum, word) in sums.iter_mut().zip(work) {
            *sum = _mm256_add_epi32(*sum, word);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn step<const STEP: usize>([a, b, c, d]: States, words: &[__m256i; 16]) -> States {
    let (round, word) = match STEP / 16 {
        0 => (_mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d))), STEP),
        1 => (_mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c))), (5 * STEP + 1) % 16),
        2 => (_mm256_xor_si256(_mm256_xor_si256(b, c), d), (3 * STEP + 5) % 16),
        _ => (_mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, _mm256_set1_epi32(-1)))), (7 * STEP) % 16),
    };
    let sine = _mm256_set1_epi32(SINES[STEP] as i32);
    let sum = _mm256_add_epi32(_mm256_add_epi32(_mm256_add_epi32(a, sine), words[word]), round);
    let left = i64::from(ROTATIONS[STEP / 16][STEP % 4]);
    let rotated = _mm256_or_si256(
        _mm256_sll_epi32(sum, _mm_cvtsi64_si128(left)),
        _mm256_srl_epi32(sum, _mm_cvtsi64_si128(32 - left)),
    );
    [d, _mm256_add_epi32(b, rotated), b, c]
}

/// The 16 words of a block: each vector has the same word of all inputs.
#[inline]
#[target_feature(enable = "avx2")]
fn load(inputs: &[&[u8]; LANES], block: usize) -> [__m256i; 16] {
    let half_of_block = |half: usize| -> [__m256i; LANES] {
        std::array::from_fn(|lane| {
            let from = block * BLOCK_LEN + half * BLOCK_LEN / 2;
            let [a, b, c, d] = quads(&inputs[lane][from..from + BLOCK_LEN / 2]);
            _mm256_set_epi64x(d, c, b, a)
        })
    };
    let [a, b, c, d, e, f, g, h] = transpose(half_of_block(0));
    let [i, j, k, l, m, n, o, p] = transpose(half_of_block(1));
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// 32 bytes as four numbers.
#[inline]
fn quads(bytes: &[u8]) -> [i64; 4] {
    std::array::from_fn(|at| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[8 * at..8 * at + 8]);
        i64::from_le_bytes(eight)
    })
}

/// Rows to columns: pairs of rows are interleaved by 32, then by 64, then by 128 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose([a, b, c, d, e, f, g, h]: [__m256i; 8]) -> [__m256i; 8] {
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

#[inline]
#[target_feature(enable = "avx2")]
fn gather(states: &[[u32; 4]; LANES]) -> States {
    std::array::from_fn(|word| {
        let lane = |lane: usize| states[lane][word] as i32;
        _mm256_setr_epi32(lane(0), lane(1), lane(2), lane(3), lane(4), lane(5), lane(6), lane(7))
    })
}

#[inline]
#[target_feature(enable = "avx2")]
fn scatter(vectors: States, states: &mut [[u32; 4]; LANES]) {
    for (word, vector) in vectors.into_iter().enumerate() {
        let pairs = [
            _mm256_extract_epi64::<0>(vector),
            _mm256_extract_epi64::<1>(vector),
            _mm256_extract_epi64::<2>(vector),
            _mm256_extract_epi64::<3>(vector),
        ];
        for (at, pair) in pairs.into_iter().enumerate() {
            states[2 * at][word] = pair as u32;
            states[2 * at + 1][word] = (pair >> 32) as u32;
        }
    }
}

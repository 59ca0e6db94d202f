//! MD5 checksums, of two files at a time.
//!
//! S3 Inventory gives the MD5 of every data file, and hashing is half of the work of an audit of Parquet files. Each step
//! of MD5 waits for the one before it, so a core that hashes one file is idle most of the time. Two files side by side
//! take hardly longer than one: [`compress`] runs the same step for all lanes before the next one. The crate `md-5`,
//! which does everything else, is the oracle of the tests.

use std::fmt;

use md5::Digest as _;

/// An MD5 checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Md5([u8; 16]);

impl Md5 {
    /// Reads 32 hexadecimal digits.
    pub fn parse(hex: &str) -> Option<Self> {
        let shaped = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = shaped.then(|| u128::from_str_radix(hex, 16).ok())??;
        Some(Self(number.to_be_bytes()))
    }

    /// The checksum of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(md5::Md5::new_with_prefix(bytes))
    }

    pub(super) fn finish(hasher: md5::Md5) -> Self {
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bytes that are hashed at a time.
pub(super) const BLOCK_LEN: usize = 64;

/// The state of one hash between blocks.
#[derive(Clone, Copy)]
pub(super) struct Lane {
    state: [u32; 4],
    blocks: u64,
}

impl Lane {
    pub(super) const NEW: Self = Self { state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476], blocks: 0 };

    /// Hashes whole blocks.
    pub(super) fn update(&mut self, blocks: &[u8]) {
        let mut lanes = [*self];
        update_all(&mut lanes, [blocks]);
        [*self] = lanes;
    }

    /// How many bytes have been hashed since the lane was in an earlier state.
    pub(super) fn bytes_since(&self, earlier: &Self) -> usize {
        (self.blocks - earlier.blocks) as usize * BLOCK_LEN
    }

    /// Hashes the last bytes, fewer than a block, and ends.
    pub(super) fn finish(mut self, rest: &[u8]) -> Md5 {
        let bits = (self.blocks * BLOCK_LEN as u64 + rest.len() as u64).wrapping_mul(8);
        // RFC 1321, 3.1 and 3.2: a one bit, zeroes, and the length in bits.
        let mut last = rest.to_vec();
        last.push(0x80);
        last.resize(if rest.len() < BLOCK_LEN - 8 { BLOCK_LEN } else { 2 * BLOCK_LEN } - 8, 0);
        last.extend_from_slice(&bits.to_le_bytes());
        self.update(&last);
        let mut bytes = [0; 16];
        bytes.chunks_exact_mut(4).zip(self.state).for_each(|(four, word)| four.copy_from_slice(&word.to_le_bytes()));
        Md5(bytes)
    }
}

/// Hashes whole blocks in all lanes, as many as the shortest input has.
pub(super) fn update_all<const LANES: usize>(lanes: &mut [Lane; LANES], inputs: [&[u8]; LANES]) {
    let blocks = inputs.iter().map(|input| input.len() / BLOCK_LEN).min().unwrap_or(0);
    let mut states = lanes.map(|lane| lane.state);
    for block in 0..blocks {
        compress(&mut states, inputs.map(|input| &input[block * BLOCK_LEN..(block + 1) * BLOCK_LEN]));
    }
    for (lane, state) in lanes.iter_mut().zip(states) {
        *lane = Lane { state, blocks: lane.blocks + blocks as u64 };
    }
}

/// RFC 1321, 3.4: the sines.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

/// RFC 1321, 3.4: how far each round rotates.
const ROTATIONS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// One block in each lane. The lanes stand inside the step, so that a core has work while a step waits for the last.
fn compress<const LANES: usize>(states: &mut [[u32; 4]; LANES], blocks: [&[u8]; LANES]) {
    let words: [[u32; 16]; LANES] = blocks.map(|block| {
        std::array::from_fn(|at| {
            let four = &block[4 * at..4 * at + 4];
            u32::from_le_bytes([four[0], four[1], four[2], four[3]])
        })
    });
    let mut work = *states;
    // Written out by a macro, with plain indices: a loop over steps, or iterators over lanes, leave the lanes in memory and
    // take twice as long.
    macro_rules! step {
        ($($step:literal)*) => { $(
            for lane in 0..LANES {
                work[lane] = step::<$step>(work[lane], &words[lane]);
            }
        )* };
    }
    step!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    step!(32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
    for lane in 0..LANES {
        for word in 0..4 {
            states[lane][word] = states[lane][word].wrapping_add(work[lane][word]);
        }
    }
}

#[inline(always)]
fn step<const STEP: usize>([a, b, c, d]: [u32; 4], words: &[u32; 16]) -> [u32; 4] {
    let (round, word) = match STEP / 16 {
        0 => (d ^ (b & (c ^ d)), STEP),
        1 => ((c & !d).wrapping_add(b & d), (5 * STEP + 1) % 16),
        2 => (b ^ c ^ d, (3 * STEP + 5) % 16),
        _ => (c ^ (b | !d), (7 * STEP) % 16),
    };
    let sum = a.wrapping_add(SINES[STEP]).wrapping_add(words[word]).wrapping_add(round);
    [d, b.wrapping_add(sum.rotate_left(ROTATIONS[STEP / 16][STEP % 4])), b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(len: usize, seed: usize) -> Vec<u8> {
        (0..len).map(|at| ((at + seed).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    #[test]
    fn md5_is_read_strictly() {
        let hex = "c473bcc2407d0a5cec5229b21d967e59";
        assert_eq!(Md5::parse(hex).map(|md5| md5.to_string()).as_deref(), Some(hex));
        assert_eq!(Md5::parse(&hex[1..]), None);
        assert_eq!(Md5::parse("+473bcc2407d0a5cec5229b21d967e59"), None);
    }

    #[test]
    fn every_length_agrees_with_the_crate() {
        for len in 0..=4 * BLOCK_LEN + 1 {
            let (bytes, mut lane) = (bytes(len, len), Lane::NEW);
            let whole = len / BLOCK_LEN * BLOCK_LEN;
            lane.update(&bytes[..whole]);
            assert_eq!(lane.finish(&bytes[whole..]), Md5::of(&bytes), "{len}");
        }
    }

    #[test]
    fn lanes_do_not_touch_each_other() {
        let inputs = [bytes(7 * BLOCK_LEN, 1), bytes(5 * BLOCK_LEN, 2)];
        let mut lanes = [Lane::NEW; 2];
        update_all(&mut lanes, [&inputs[0], &inputs[1]]);
        assert_eq!(lanes[1].finish(&[]), Md5::of(&inputs[1]));
        lanes[0].update(&inputs[0][5 * BLOCK_LEN..]);
        assert_eq!(lanes[0].finish(&[]), Md5::of(&inputs[0]));
    }
}

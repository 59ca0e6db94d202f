//! MD5 checksums, of many files at a time.
//!
//! S3 Inventory gives the MD5 of every data file, and hashing one file after the other would be half of the work of an
//! audit of Parquet files. Sixteen files side by side take hardly longer than one; where there are no vectors, a core works
//! on two in turn. The algorithm is written once ([`steps`]), the kinds of vectors one file each. The crate `md-5`, which
//! does everything else, is the oracle of the tests.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_single;
mod portable;
mod steps;

use std::fmt;

use md5::Digest as _;

use super::{BLOCK_LEN, Block};

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

    pub(crate) fn finish(hasher: md5::Md5) -> Self {
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

/// The state of one hash between blocks.
#[derive(Clone, Copy)]
pub(crate) struct Lane {
    state: [u32; 4],
    blocks: u64,
}

impl Lane {
    pub(crate) const NEW: Self = Self { state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476], blocks: 0 };

    /// How many bytes have been hashed since the lane was in an earlier state.
    pub(crate) fn bytes_since(&self, earlier: &Self) -> usize {
        (self.blocks - earlier.blocks) as usize * BLOCK_LEN
    }

    /// Hashes the last bytes, fewer than a block, and ends.
    pub(crate) fn finish(mut self, rest: &[u8]) -> Md5 {
        let bits = (self.blocks * BLOCK_LEN as u64 + rest.len() as u64).wrapping_mul(8);
        // RFC 1321, 3.1 and 3.2: a one bit, zeroes, and the length in bits.
        let mut last = rest.to_vec();
        last.push(0x80);
        last.resize(if rest.len() < BLOCK_LEN - 8 { BLOCK_LEN } else { 2 * BLOCK_LEN } - 8, 0);
        last.extend_from_slice(&bits.to_le_bytes());
        update_all(std::slice::from_mut(&mut self), &[&last]);
        let mut bytes = [0; 16];
        bytes.chunks_exact_mut(4).zip(self.state).for_each(|(four, word)| four.copy_from_slice(&word.to_le_bytes()));
        Md5(bytes)
    }
}

/// More inputs than this at a time gain nothing.
pub(crate) const MAX_LANES: usize = 16;

/// Hashes whole blocks of all inputs, as many as the shortest has, each in the lane of its position.
pub(crate) fn update_all(lanes: &mut [Lane], inputs: &[&[u8]]) {
    update_all_by(best_way, lanes, inputs);
}

fn update_all_by(way_for: impl Fn(usize) -> Way, mut lanes: &mut [Lane], mut inputs: &[&[u8]]) {
    let blocks = inputs.iter().map(|input| input.len() / BLOCK_LEN).min().unwrap_or(0);
    while !inputs.is_empty() {
        let len = way_for(inputs.len())(lanes, inputs, blocks);
        (lanes, inputs) = (&mut lanes[len..], &inputs[len..]);
    }
}

/// Hashes so many blocks of the first inputs, of which there is one at least; returns how many inputs that were.
type Way = fn(&mut [Lane], &[&[u8]], usize) -> usize;

/// The fastest way of the processor to hash so many inputs.
fn best_way(inputs: usize) -> Way {
    #[cfg(target_arch = "x86_64")]
    {
        if avx512::is_available() {
            return avx512_way;
        }
        // One or two lanes of eight are not worth it.
        if inputs > 2 && avx2::is_available() {
            return avx2_way;
        }
    }
    portable_way
}

fn portable_way(lanes: &mut [Lane], inputs: &[&[u8]], blocks: usize) -> usize {
    match inputs.len() {
        1 => update_by(portable::update::<1>, lanes, inputs, blocks),
        _ => update_by(portable::update::<2>, lanes, inputs, blocks),
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "only the caller can know that the processor has AVX2")]
fn avx2_way(lanes: &mut [Lane], inputs: &[&[u8]], blocks: usize) -> usize {
    assert!(avx2::is_available());
    match inputs.len() {
        // SAFETY: the processor was asked.
        ..=avx2::LANES => update_by(|a, b, c| unsafe { avx2::update::<1>(a, b, c) }, lanes, inputs, blocks),
        // SAFETY: the processor was asked.
        _ => update_by(|a, b, c| unsafe { avx2::update::<2>(a, b, c) }, lanes, inputs, blocks),
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "only the caller can know that the processor has AVX-512")]
fn avx512_way(lanes: &mut [Lane], inputs: &[&[u8]], blocks: usize) -> usize {
    assert!(avx512::is_available());
    match inputs.len() {
        // SAFETY: the processor was asked.
        1 => update_by(|a, b, c| unsafe { avx512_single::update::<1>(a, b, c) }, lanes, inputs, blocks),
        // SAFETY: the processor was asked.
        2 => update_by(|a, b, c| unsafe { avx512_single::update::<2>(a, b, c) }, lanes, inputs, blocks),
        // SAFETY: the processor was asked.
        _ => update_by(|a, b, c| unsafe { avx512::update::<1>(a, b, c) }, lanes, inputs, blocks),
    }
}

/// Puts inputs into the lanes of vectors and hashes them. Lanes without an input hash the first one, for nothing.
fn update_by<const LANES: usize, const VECTORS: usize>(
    update: impl Fn(&mut [[[u32; 4]; LANES]; VECTORS], &[[&[Block]; LANES]; VECTORS], usize),
    lanes: &mut [Lane],
    inputs: &[&[u8]],
    blocks: usize,
) -> usize {
    let mut states = [[Lane::NEW.state; LANES]; VECTORS];
    let mut all_inputs = [[inputs[0].as_chunks().0; LANES]; VECTORS];
    states.as_flattened_mut().iter_mut().zip(&*lanes).for_each(|(state, lane)| *state = lane.state);
    all_inputs.as_flattened_mut().iter_mut().zip(inputs).for_each(|(to, from)| *to = from.as_chunks().0);
    update(&mut states, &all_inputs, blocks);
    let len = inputs.len().min(VECTORS * LANES);
    for (lane, state) in lanes[..len].iter_mut().zip(states.as_flattened()) {
        *lane = Lane { state: *state, blocks: lane.blocks + blocks as u64 };
    }
    len
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

    /// All ways that the processor has. Where it lacks AVX-512 or AVX2, their tests test nothing.
    fn ways() -> Vec<(&'static str, Way)> {
        let mut ways: Vec<(&str, Way)> = vec![("portable", portable_way)];
        #[cfg(target_arch = "x86_64")]
        {
            ways.extend(avx2::is_available().then_some(("AVX2", avx2_way as Way)));
            ways.extend(avx512::is_available().then_some(("AVX-512", avx512_way as Way)));
        }
        ways
    }

    #[test]
    fn every_length_agrees_with_the_crate() {
        for (name, way) in ways() {
            for len in 0..=4 * BLOCK_LEN + 1 {
                let (bytes, mut lane) = (bytes(len, len), Lane::NEW);
                let whole = len / BLOCK_LEN * BLOCK_LEN;
                assert_eq!(way(std::slice::from_mut(&mut lane), &[&bytes], len / BLOCK_LEN), 1);
                assert_eq!(lane.finish(&bytes[whole..]), Md5::of(&bytes), "{name}: {len}");
            }
        }
    }

    #[test]
    fn any_number_of_lanes_agrees_with_the_crate() {
        for (name, way) in ways() {
            for count in 1..=2 * MAX_LANES + 1 {
                let inputs: Vec<Vec<u8>> = (0..count).map(|at| bytes((3 + at % 4) * BLOCK_LEN, at)).collect();
                let mut lanes = vec![Lane::NEW; count];
                update_all_by(|_| way, &mut lanes, &inputs.iter().map(Vec::as_slice).collect::<Vec<_>>());
                for (lane, input) in lanes.into_iter().zip(&inputs) {
                    let hashed = lane.bytes_since(&Lane::NEW);
                    assert_eq!(hashed, 3 * BLOCK_LEN);
                    assert_eq!(lane.finish(&[]), Md5::of(&input[..hashed]), "{name}: {count} lanes");
                }
            }
        }
    }

    #[test]
    fn lanes_go_on_where_they_were() {
        let inputs: Vec<Vec<u8>> = (0..MAX_LANES).map(|at| bytes(9 * BLOCK_LEN, at)).collect();
        let parts = |from: usize, to: usize| -> Vec<&[u8]> {
            inputs.iter().map(|input| &input[from * BLOCK_LEN..to * BLOCK_LEN]).collect()
        };
        // Each part by another way: what they keep is the same.
        for (first_name, first) in ways() {
            for (second_name, second) in ways() {
                let mut lanes = vec![Lane::NEW; MAX_LANES];
                update_all_by(|_| first, &mut lanes, &parts(0, 4));
                update_all_by(|_| second, &mut lanes, &parts(4, 9));
                for (lane, input) in lanes.into_iter().zip(&inputs) {
                    assert_eq!(lane.finish(&[]), Md5::of(input), "{first_name}, then {second_name}");
                }
            }
        }
    }
}

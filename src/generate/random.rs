//! Random numbers that depend on what they are for, never on who draws them.
//!
//! The generator is splitmix64: a counter and a mixing function. Each block of rows
//! has a stream of its own, keyed by the seed and by the number of its first row,
//! so any thread that makes the block makes the same bytes.

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const VERSION_ID: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
const HEX: &[u8; 16] = b"0123456789abcdef";

pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

pub(super) struct Stream(u64);

impl Stream {
    pub(super) fn keyed(seed: u64, key: u64) -> Self {
        Self(mix(mix(seed.wrapping_add(STEP)) ^ key.wrapping_mul(STEP)))
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let scaled = (self.draw() >> 32) * u64::from(bound);
        u32::try_from(scaled >> 32).unwrap_or(0)
    }

    pub(super) fn per_mille(&mut self, share: u32) -> bool {
        self.below(1000) < share
    }

    pub(super) fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        let number = usize::try_from(self.draw() >> 32).unwrap_or(0);
        choices[number % N]
    }

    pub(super) fn push_alphanumeric(&mut self, text: &mut String, length: usize) {
        self.push_letters(text, length, |byte| ALPHANUMERIC[(usize::from(byte) * ALPHANUMERIC.len()) >> 8]);
    }

    pub(super) fn push_version_id(&mut self, text: &mut String) {
        self.push_letters(text, 32, |byte| VERSION_ID[usize::from(byte & 63)]);
    }

    pub(super) fn push_hex(&mut self, text: &mut String, length: usize) {
        self.push_letters(text, length, |byte| HEX[usize::from(byte & 15)]);
    }

    fn push_letters(&mut self, text: &mut String, length: usize, letter: impl Fn(u8) -> u8) {
        let mut left = length;
        while left > 0 {
            let some = left.min(8);
            let bytes = self.draw().to_le_bytes();
            text.extend(bytes[..some].iter().map(|byte| char::from(letter(*byte))));
            left -= some;
        }
    }
}

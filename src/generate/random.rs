//! Random numbers that depend on what they are for, never on who draws them.
//!
//! The generator is splitmix64: a counter and a mixing function. Each block of rows has a stream of its own, keyed by the
//! seed and by the number of its first row, so any thread that makes the block makes the same bytes.

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
        (((self.draw() >> 32) * u64::from(bound)) >> 32) as u32
    }

    pub(super) fn per_mille(&mut self, share: u32) -> bool {
        self.below(1000) < share
    }

    pub(super) fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[(self.draw() >> 32) as usize % N]
    }

    pub(super) fn alphanumeric<const LEN: usize>(&mut self) -> Letters<LEN> {
        self.letters(|byte| ALPHANUMERIC[(usize::from(byte) * ALPHANUMERIC.len()) >> 8])
    }

    pub(super) fn version_id(&mut self) -> Letters<32> {
        self.letters(|byte| VERSION_ID[usize::from(byte & 63)])
    }

    pub(super) fn hex<const LEN: usize>(&mut self) -> Letters<LEN> {
        self.letters(|byte| HEX[usize::from(byte & 15)])
    }

    /// Every eight letters take one number.
    fn letters<const LEN: usize>(&mut self, letter: impl Fn(u8) -> u8) -> Letters<LEN> {
        let mut letters = [0; LEN];
        for eight in letters.chunks_mut(8) {
            let bytes = self.draw().to_le_bytes();
            eight.iter_mut().zip(bytes).for_each(|(to, byte)| *to = letter(byte));
        }
        Letters(letters)
    }
}

/// Random letters, without an allocation.
pub(super) struct Letters<const LEN: usize>([u8; LEN]);

impl<const LEN: usize> Letters<LEN> {
    pub(super) fn as_str(&self) -> &str {
        // They are ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

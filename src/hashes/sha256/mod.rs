//! SHA-256, of one text as aws-lc has it, or of many texts at a time.
//!
//! Where the processor has no instruction for it, one text is half of the work of verifying logs, and eight or sixteen side
//! by side take hardly longer. The algorithm is written once ([`steps`]), the kinds of vectors one file each; aws-lc is the
//! oracle of the tests.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod queue;
#[cfg(target_arch = "x86_64")]
mod steps;

use std::io::{self, Read, Write};

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};

use super::Block;
pub(crate) use queue::{Hashed, MAX_QUEUED_LEN, Sha256Queue};

/// Hashes bytes that come piece by piece.
pub(crate) struct Sha256(Context);

impl Sha256 {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// The hash of all bytes at once.
    pub(crate) fn of(bytes: impl AsRef<[u8]>) -> [u8; 32] {
        to_bytes(&digest(&SHA256, bytes.as_ref()))
    }

    pub(crate) fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes.as_ref());
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        to_bytes(&self.0.finish())
    }
}

/// Hashes what goes through it.
pub(crate) struct Hashing<T> {
    inner: T,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

impl<T> Hashing<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    pub(crate) fn into_hasher(self) -> Sha256 {
        self.hasher
    }

    /// The same, with what is hashed before.
    pub(crate) fn behind(head: &[u8], inner: T) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(head);
        Self { inner, hasher }
    }
}

fn to_bytes(digest: &Digest) -> [u8; 32] {
    match digest.as_ref().try_into() {
        Ok(bytes) => bytes,
        Err(_) => unreachable!("a SHA-256 has 32 bytes"),
    }
}

/// A kind of vectors that texts are hashed in.
#[derive(Clone, Copy, Debug)]
enum Way {
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Way {
    /// Nothing where one text after the other is as fast.
    fn best() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            if avx512::is_available() {
                return Some(Self::Avx512);
            }
            if avx2::is_available() && !std::arch::is_x86_feature_detected!("sha") {
                return Some(Self::Avx2);
            }
        }
        None
    }

    /// How many texts are hashed at a time.
    fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::LANES,
        }
    }

    /// Hashes so many blocks of each text, of which there is one at least and not more than lanes.
    #[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "only the caller can know what the processor has"))]
    fn update(self, states: &mut [State], texts: &[&[Block]], blocks: usize) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                assert!(avx2::is_available());
                // SAFETY: the processor was asked.
                update_by(|a, b, c| unsafe { avx2::update(a, b, c) }, states, texts, blocks);
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                assert!(avx512::is_available());
                // SAFETY: the processor was asked.
                update_by(|a, b, c| unsafe { avx512::update(a, b, c) }, states, texts, blocks);
            }
        }
    }
}

type State = [u32; 8];

/// More texts at a time than this gain nothing.
const MAX_LANES: usize = 16;

/// Puts texts into the lanes of vectors and hashes them. Lanes without a text hash the first one, for nothing.
#[cfg(target_arch = "x86_64")]
fn update_by<const LANES: usize>(
    update: impl Fn(&mut [State; LANES], &[&[Block]; LANES], usize),
    states: &mut [State],
    texts: &[&[Block]],
    blocks: usize,
) {
    let (mut all_states, mut all_texts) = ([states[0]; LANES], [texts[0]; LANES]);
    all_states[..states.len()].copy_from_slice(states);
    all_texts[..texts.len()].copy_from_slice(texts);
    update(&mut all_states, &all_texts, blocks);
    states.copy_from_slice(&all_states[..states.len()]);
}

/// FIPS 180-4, 4.2.2: the first bits of the fractions of cube roots.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const CUBE_ROOTS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escape::hex::hex;

    /// The examples of FIPS 180-2.
    #[test]
    fn hashes_are_those_of_the_standard() {
        let text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let expected = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
        assert_eq!(hex(&Sha256::of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        for cut in 0..=text.len() {
            let mut pieces = Sha256::new();
            pieces.update(&text[..cut]);
            pieces.update(&text[cut..]);
            assert_eq!(hex(&pieces.finish()), expected, "{cut}");
        }
    }
}

//! Checksums and hashes of many inputs at a time.
//!
//! Each step of MD5 and of SHA-256 waits for the one before it, so a core that hashes one input is idle most of the time.
//! Where the processor has AVX-512 or AVX2, several inputs are hashed side by side, each in a lane of its [`vectors`].

pub(crate) mod content;
pub(crate) mod md5;
pub(crate) mod sha256;
mod vectors;

/// Bytes that are hashed at a time, by MD5 as by SHA-256.
pub(crate) const BLOCK_LEN: usize = 64;

type Block = [u8; BLOCK_LEN];

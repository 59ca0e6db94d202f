//! What stands for an object version in a join.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use crate::batch::Texts;
use crate::hashes::sha256::Sha256;

/// A keyed hash of an object version. Whoever names objects does not know the key, which is made anew for every run and
/// never leaves it. So for any two names that somebody may have chosen, nearly all keys tell them apart: no more than one
/// in 2^127 does not ([`Secret::finish`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JoinKey(pub(super) [u64; 2]);

/// Which version of a key is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionPart<'a> {
    /// The version of this id; the empty id and `null` are the null version.
    Id(&'a [u8]),
    /// Whatever was last modified in this second since the epoch.
    ModifiedIn(i64),
    /// Any version.
    Any,
    /// The one that is named where nobody names versions.
    Unnamed,
}

/// Hashes with one random key.
#[derive(Clone, Debug)]
pub(crate) struct KeyHasher(Arc<Secret>);

/// Hashes the objects of one bucket.
#[derive(Clone, Debug)]
pub(crate) struct BucketHasher {
    secret: Arc<Secret>,
    bucket_len: u64,
    sums: Sums,
}

/// Random words, as many for each block of a name as its two hashes take.
#[derive(Debug)]
struct Secret {
    lengths: [u64; 4],
    bucket: Vec<[u64; 4]>,
    key: Vec<[u64; 4]>,
    version: Vec<[u64; 4]>,
    /// For the words that are left in the end, and one more.
    end: [[u64; 4]; 5],
}

/// Two hashes of the blocks so far.
type Sums = [u128; 2];

/// What is multiplied together.
const BLOCK_LEN: usize = 16;
/// No bucket, key or version id of S3 is longer. What is, in files that anybody may have written, stands in by its SHA-256.
const MAX_LEN: usize = 1024;

impl<'a> VersionPart<'a> {
    /// The version of a row; `ids` is the column, which the report may lack.
    #[inline]
    pub(crate) fn of_row(ids: &Texts<'a>, row: usize) -> Self {
        if ids.is_absent() { Self::Unnamed } else { Self::Id(ids.get(row)) }
    }
}

impl KeyHasher {
    /// A hasher whose key nobody knows before.
    pub(crate) fn new() -> Self {
        // The standard library takes its seed from the operating system.
        let (random, mut number) = (RandomState::new(), 0_u64);
        let mut words = || {
            [0; 4].map(|_: u64| {
                number += 1;
                random.hash_one(number)
            })
        };
        let mut part = || (0..MAX_LEN / BLOCK_LEN).map(|_| words()).collect();
        let (bucket, key, version) = (part(), part(), part());
        Self(Arc::new(Secret { lengths: words(), bucket, key, version, end: [(); 5].map(|()| words()) }))
    }

    /// For objects of this bucket.
    pub(crate) fn bucket(&self, name: &[u8]) -> BucketHasher {
        let mut sums = [0; 2];
        let bucket_len = add_part(&mut sums, &self.0.bucket, name);
        BucketHasher { secret: Arc::clone(&self.0), bucket_len, sums }
    }
}

impl KeyHasher {
    /// What stands for the name of something else, never nought.
    pub(crate) fn mark(&self, name: &[u8]) -> u64 {
        self.bucket(b"").key(name, VersionPart::Any).0[0] | 1
    }

    /// What stands for an ETag, with or without its quotes; nought for a blank one.
    pub(crate) fn etag(&self, etag: &[u8]) -> u64 {
        let etag = etag.strip_prefix(b"\"").and_then(|etag| etag.strip_suffix(b"\"")).unwrap_or(etag);
        if etag.is_empty() { 0 } else { self.mark(etag) }
    }
}

impl BucketHasher {
    /// What stands for a version of a key.
    #[inline]
    pub(crate) fn key(&self, key: &[u8], version: VersionPart<'_>) -> JoinKey {
        let second;
        let (tag, version) = match version {
            VersionPart::Id(b"null") => (0, &b""[..]),
            VersionPart::Id(id) => (0, id),
            VersionPart::ModifiedIn(number) => {
                second = number.to_le_bytes();
                (1, &second[..])
            }
            VersionPart::Any => (2, &b""[..]),
            VersionPart::Unnamed => (3, &b""[..]),
        };
        let mut sums = self.sums;
        let key_len = add_part(&mut sums, &self.secret.key, key);
        let version_len = add_part(&mut sums, &self.secret.version, version);
        let lengths = (self.bucket_len | tag << 32, key_len | version_len << 32);
        add_block(&mut sums, &self.secret.lengths, lengths);
        self.secret.finish(sums)
    }
}

impl Secret {
    /// Takes what is left of a name to 128 bits.
    ///
    /// The sums are NH of UMAC ("UMAC: Fast and Secure Message Authentication", Black et al. 1999), twice with keys of their
    /// own. Names that differ in the length of a part differ in the block of lengths, and all others have equally many
    /// blocks, so either sum is the same for two names with a chance of 2^-64 at most, both with 2^-128. These four words
    /// are then hashed twice by what is MULTILINEAR in "Strongly universal string hashing is fast" (Lemire and Kaser 2014):
    /// whatever they are, all results are equally likely, and again equal for two with 2^-128.
    #[inline]
    fn finish(&self, sums: Sums) -> JoinKey {
        let [one, other] = sums;
        let words = [one as u64, (one >> 64) as u64, other as u64, (other >> 64) as u64];
        let (first, keys) = self.end.split_first().unwrap_or((&[0; 4], &[]));
        let (mut high, mut low) = (wide(first[0], first[1]), wide(first[2], first[3]));
        for (word, key) in words.into_iter().zip(keys) {
            high = high.wrapping_add(wide(key[0], key[1]).wrapping_mul(word.into()));
            low = low.wrapping_add(wide(key[2], key[3]).wrapping_mul(word.into()));
        }
        JoinKey([(high >> 64) as u64, (low >> 64) as u64])
    }
}

/// Adds a part of a name and returns its length, as far as lengths are told apart.
#[inline]
fn add_part(sums: &mut Sums, keys: &[[u64; 4]], part: &[u8]) -> u64 {
    if part.len() > MAX_LEN {
        add_blocks(sums, keys, &Sha256::of(part));
    } else {
        add_blocks(sums, keys, part);
    }
    part.len().min(1 << 31) as u64
}

/// Adds so many blocks as there are bytes for. The last one has bytes of the one before if it would not be full: their
/// number is hashed as well.
#[inline]
fn add_blocks(sums: &mut Sums, keys: &[[u64; 4]], bytes: &[u8]) {
    let (blocks, rest) = bytes.as_chunks::<BLOCK_LEN>();
    for (block, key) in blocks.iter().zip(keys) {
        add_block(sums, key, words_of(block));
    }
    if let Some(key) = keys.get(blocks.len())
        && !rest.is_empty()
    {
        let last = bytes.last_chunk().map_or_else(|| short_words(rest), words_of);
        add_block(sums, key, last);
    }
}

/// The words of less than a block.
#[inline]
fn short_words(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    (bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0)
}

#[inline]
fn add_block(sums: &mut Sums, key: &[u64; 4], (one, other): (u64, u64)) {
    let product =
        |first: u64, second: u64| u128::from(one.wrapping_add(first)) * u128::from(other.wrapping_add(second));
    sums[0] = sums[0].wrapping_add(product(key[0], key[1]));
    sums[1] = sums[1].wrapping_add(product(key[2], key[3]));
}

#[inline]
fn words_of(block: &[u8; BLOCK_LEN]) -> (u64, u64) {
    let both = u128::from_le_bytes(*block);
    (both as u64, (both >> 64) as u64)
}

#[inline]
fn wide(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

impl JoinKey {
    /// The number of bytes of its written form.
    pub(super) const LEN: usize = 16;

    /// The partition that it belongs to.
    #[inline]
    pub(crate) fn partition(self) -> usize {
        (self.0[0] >> 56) as usize
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.0[0].to_le_bytes());
        bytes[8..].copy_from_slice(&self.0[1].to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let (first, second) = bytes.as_chunks::<8>().0.split_at(1);
        Self([u64::from_le_bytes(first[0]), u64::from_le_bytes(second[0])])
    }
}

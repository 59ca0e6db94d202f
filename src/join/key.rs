//! What stands for an object version in a join.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::batch::Texts;

/// A keyed hash of an object version. Whoever names objects does not know the key, so no two of them can be made to share
/// a hash, and by chance that does not happen: SipHash was made for this, and gives 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JoinKey(pub(super) [u64; 2]);

/// Which version of a key is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionPart<'a> {
    /// The version of this id; the empty id and `null` are the null version.
    Id(&'a [u8]),
    /// Whatever was last modified in this second since the epoch.
    ModifiedIn(i64),
    /// Whatever version was current.
    Current,
    /// The one that is named where nobody names versions.
    Unnamed,
}

/// Hashes with one random key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHasher(SipHasher13);

/// Hashes the objects of one bucket.
#[derive(Clone, Debug)]
pub(crate) struct BucketHasher {
    hasher: SipHasher13,
    /// Hashing goes faster in one piece.
    bytes: Vec<u8>,
}

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
        // The standard library takes it from the operating system.
        let random = || RandomState::new().hash_one(0_u64);
        Self(SipHasher13::new_with_keys(random(), random()))
    }

    /// For objects of this bucket.
    pub(crate) fn bucket(&self, name: &[u8]) -> BucketHasher {
        let mut hasher = self.0;
        hasher.write(&(name.len() as u64).to_le_bytes());
        hasher.write(name);
        // Whole words are hashed faster.
        hasher.write(&[0; 8][name.len() % 8..][..(8 - name.len() % 8) % 8]);
        BucketHasher { hasher, bytes: Vec::new() }
    }
}

impl BucketHasher {
    /// What stands for a version of a key.
    #[inline]
    pub(crate) fn key(&mut self, key: &[u8], version: VersionPart<'_>) -> JoinKey {
        let Self { hasher, bytes } = self;
        bytes.clear();
        // With its length first, no part can be taken for another.
        let tag = match version {
            VersionPart::Id(_) => 0,
            VersionPart::ModifiedIn(_) => 1 << 63,
            VersionPart::Current => 1 << 62,
            VersionPart::Unnamed => 3 << 62,
        };
        bytes.extend_from_slice(&(key.len() as u64 | tag).to_le_bytes());
        bytes.extend_from_slice(key);
        match version {
            VersionPart::Id(b"null") | VersionPart::Current | VersionPart::Unnamed => {}
            VersionPart::Id(id) => bytes.extend_from_slice(id),
            VersionPart::ModifiedIn(second) => bytes.extend_from_slice(&second.to_le_bytes()),
        }
        let mut hasher = *hasher;
        hasher.write(bytes);
        let hash = hasher.finish128();
        JoinKey([hash.h1, hash.h2])
    }
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

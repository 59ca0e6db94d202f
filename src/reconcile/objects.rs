//! The objects that manifests name, and what is known of each.
//!
//! An object is kept as a keyed hash of 128 bits and 32 bits of what was found: 20 bytes for each, whatever the length of
//! its key. The hashes are seeded anew in every run, so whoever names objects cannot choose two that are taken for one.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

use super::state::{Evidence, State};

/// Which version of an object is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version<'a> {
    /// Whichever is current: versions are not told apart.
    Unnamed,
    /// The null version.
    Null,
    /// The version of this id.
    Id(&'a [u8]),
}

impl<'a> Version<'a> {
    /// Reads a cell; a blank is the null version.
    pub(super) fn of(cell: &'a [u8]) -> Self {
        if cell.is_empty() || cell == b"null" { Self::Null } else { Self::Id(cell) }
    }
}

/// What an object is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectHash(u128);

/// The position of an object among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectId(u32);

/// Makes hashes, which are different in every run.
pub(super) struct ObjectHasher([(u64, SharedSeed); 2]);

impl ObjectHasher {
    pub(super) fn new() -> Self {
        let random = || RandomState::new().build_hasher().finish();
        Self([(); 2].map(|()| (random(), SharedSeed::from_u64(random()))))
    }

    pub(super) fn hash(&self, bucket: &[u8], key: &[u8], version: Version<'_>) -> ObjectHash {
        let (tag, id) = match version {
            Version::Unnamed => (0, &b""[..]),
            Version::Null => (1, &b""[..]),
            Version::Id(id) => (2, id),
        };
        let halves = self.0.each_ref().map(|(seed, shared)| {
            let mut hasher = FoldHasher::with_seed(*seed, shared);
            hasher.write_u64(bucket.len() as u64);
            hasher.write(bucket);
            hasher.write_u64(key.len() as u64);
            hasher.write(key);
            hasher.write_u8(tag);
            hasher.write(id);
            u128::from(hasher.finish())
        });
        ObjectHash(halves[0] << 64 | halves[1])
    }
}

/// All objects of all manifests, each once.
pub(super) struct Objects {
    hashes: Vec<ObjectHash>,
    states: Vec<AtomicU32>,
}

impl Objects {
    /// Makes room for so many; nothing if there is not enough memory, or if they are more than can be numbered.
    pub(super) fn room_for(rows: u64) -> Option<Vec<ObjectHash>> {
        let rows = u32::try_from(rows).ok()?;
        let mut hashes = Vec::new();
        hashes.try_reserve_exact(rows as usize).ok()?;
        Some(hashes)
    }

    /// Takes the hashes of all rows. Says nothing if there is not enough memory.
    pub(super) fn new(mut hashes: Vec<ObjectHash>) -> Option<Self> {
        hashes.sort_unstable();
        hashes.dedup();
        let mut states = Vec::new();
        states.try_reserve_exact(hashes.len()).ok()?;
        states.resize_with(hashes.len(), AtomicU32::default);
        Some(Self { hashes, states })
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn find(&self, hash: ObjectHash) -> Option<ObjectId> {
        self.hashes.binary_search(&hash).ok().map(|at| ObjectId(at as u32))
    }

    pub(super) fn state(&self, id: ObjectId) -> State {
        State::from_bits(self.states[id.0 as usize].load(Ordering::Relaxed))
    }

    /// Notes what was found of an object; what was found before stays.
    pub(super) fn note(&self, id: ObjectId, evidence: Evidence) {
        // Nobody asks for states before all threads that note them have ended.
        let note = |bits| Some(State::from_bits(bits).with(evidence).bits());
        let _ = self.states[id.0 as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_name_counts() {
        let hasher = ObjectHasher::new();
        let names: [(&[u8], &[u8], Version<'_>); 8] = [
            (b"ab", b"c", Version::Null),
            (b"a", b"bc", Version::Null),
            (b"a", b"b", Version::Id(b"c")),
            (b"a", b"b", Version::Null),
            (b"a", b"b", Version::Unnamed),
            (b"a", b"b", Version::Id(b"")),
            (b"", b"ab", Version::Null),
            (b"", b"", Version::Null),
        ];
        let mut hashes: Vec<_> =
            names.iter().map(|(bucket, key, version)| hasher.hash(bucket, key, *version)).collect();
        hashes.extend(names.iter().map(|(bucket, key, version)| hasher.hash(bucket, key, *version)));
        assert_eq!(Objects::new(hashes).expect("memory").len(), names.len());
        let other = ObjectHasher::new();
        assert_ne!(hasher.hash(b"a", b"b", Version::Null), other.hash(b"a", b"b", Version::Null));
    }
}

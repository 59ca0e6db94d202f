//! The objects that an audit found to be wrong, and what is known of each.
//!
//! An object is kept as a keyed hash of 128 bits, 32 bits of what was found, the number of its list, and a hash of its
//! key: 30 bytes for each, whatever the length of its key. The hashes are seeded anew in every run, so whoever names
//! objects cannot choose two that are taken for one.

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

    /// Whether it is the only one of its key that its id could be the id of.
    pub(super) fn is_id(self) -> bool {
        matches!(self, Self::Id(_))
    }
}

/// What an object is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectHash(u128);

/// What all versions of an object are known by. Two keys may share it, so it never counts for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KeyHash(u64);

/// The position of an object among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectId(u32);

/// The number of a list that objects are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListId(pub(super) u16);

impl ListId {
    /// Objects that are on no list.
    const NONE: Self = Self(u16::MAX);
    /// Objects that are on several lists: what a job did to them settles none.
    const SEVERAL: Self = Self(u16::MAX - 1);
    /// So many lists there are at most.
    pub(super) const MAX: usize = u16::MAX as usize - 1;
}

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
        let halves = self.0.each_ref().map(|half| {
            let mut hasher = begin(half, bucket, key);
            hasher.write_u8(tag);
            hasher.write(id);
            u128::from(hasher.finish())
        });
        ObjectHash(halves[0] << 64 | halves[1])
    }

    pub(super) fn key(&self, bucket: &[u8], key: &[u8]) -> KeyHash {
        KeyHash(begin(&self.0[0], bucket, key).finish())
    }
}

fn begin<'s>((seed, shared): &'s (u64, SharedSeed), bucket: &[u8], key: &[u8]) -> FoldHasher<'s> {
    let mut hasher = FoldHasher::with_seed(*seed, shared);
    hasher.write_u64(bucket.len() as u64);
    hasher.write(bucket);
    hasher.write_u64(key.len() as u64);
    hasher.write(key);
    hasher
}

/// The hashes of several objects, added up: the same objects come to the same, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(u128, u64);

impl Sum {
    pub(super) fn add(&mut self, hash: ObjectHash) {
        *self = Self(self.0.wrapping_add(hash.0), self.1 + 1);
    }
}

/// The hashes of objects, before they are put in order.
pub(super) struct Hashes {
    objects: Vec<ObjectHash>,
    keys: Vec<KeyHash>,
}

impl Hashes {
    /// Makes room for so many; nothing if there is not enough memory, or if they are more than can be numbered.
    pub(super) fn with_room(count: u64) -> Option<Self> {
        let count = u32::try_from(count).ok()? as usize;
        let mut hashes = Self { objects: Vec::new(), keys: Vec::new() };
        hashes.objects.try_reserve_exact(count).ok()?;
        hashes.keys.try_reserve_exact(count).ok()?;
        Some(hashes)
    }

    pub(super) fn push(&mut self, hasher: &ObjectHasher, bucket: &[u8], key: &[u8], version: Version<'_>) {
        self.objects.push(hasher.hash(bucket, key, version));
        self.keys.push(hasher.key(bucket, key));
    }

    pub(super) fn len(&self) -> u64 {
        self.objects.len() as u64
    }
}

/// All objects, each once.
pub(super) struct Objects {
    hashes: Vec<ObjectHash>,
    states: Vec<AtomicU32>,
    lists: Vec<ListId>,
    keys: Vec<KeyHash>,
}

impl Objects {
    /// Says nothing if there is not enough memory.
    pub(super) fn new(hashes: Hashes) -> Option<Self> {
        let Hashes { objects: mut hashes, mut keys } = hashes;
        hashes.sort_unstable();
        hashes.dedup();
        keys.sort_unstable();
        keys.dedup();
        let (mut states, mut lists) = (Vec::new(), Vec::new());
        states.try_reserve_exact(hashes.len()).ok()?;
        states.resize_with(hashes.len(), AtomicU32::default);
        lists.try_reserve_exact(hashes.len()).ok()?;
        lists.resize(hashes.len(), ListId::NONE);
        Some(Self { hashes, states, lists, keys })
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn find(&self, hash: ObjectHash) -> Option<ObjectId> {
        self.hashes.binary_search(&hash).ok().map(|at| ObjectId(at as u32))
    }

    /// Whether some version of the object is among them.
    pub(super) fn has_key(&self, key: KeyHash) -> bool {
        self.keys.binary_search(&key).is_ok()
    }

    /// Puts an object on a list.
    pub(super) fn put_on(&mut self, list: ListId, ObjectId(at): ObjectId) {
        let on = &mut self.lists[at as usize];
        *on = match *on {
            ListId::NONE => list,
            known if known == list => list,
            _ => ListId::SEVERAL,
        };
    }

    /// The list that an object is on; nothing if there are several.
    pub(super) fn list_of(&self, ObjectId(at): ObjectId) -> Option<ListId> {
        Some(self.lists[at as usize]).filter(|list| ![ListId::NONE, ListId::SEVERAL].contains(list))
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
        let mut hashes = Hashes::with_room(16).expect("memory");
        for (bucket, key, version) in names.iter().chain(&names) {
            hashes.push(&hasher, bucket, key, *version);
        }
        assert_eq!(hashes.len(), 16);
        let objects = Objects::new(hashes).expect("memory");
        assert_eq!(objects.len(), names.len());
        assert!(objects.has_key(hasher.key(b"a", b"b")) && !objects.has_key(hasher.key(b"b", b"a")));
        let other = ObjectHasher::new();
        assert_ne!(hasher.hash(b"a", b"b", Version::Null), other.hash(b"a", b"b", Version::Null));
    }

    #[test]
    fn an_object_of_two_lists_is_on_none() {
        let hasher = ObjectHasher::new();
        let mut hashes = Hashes::with_room(1).expect("memory");
        hashes.push(&hasher, b"b", b"k", Version::Null);
        let mut objects = Objects::new(hashes).expect("memory");
        let id = objects.find(hasher.hash(b"b", b"k", Version::Null)).expect("it is there");
        assert_eq!(objects.list_of(id), None);
        objects.put_on(ListId(3), id);
        objects.put_on(ListId(3), id);
        assert_eq!(objects.list_of(id), Some(ListId(3)));
        objects.put_on(ListId(4), id);
        objects.put_on(ListId(3), id);
        assert_eq!(objects.list_of(id), None);
    }
}

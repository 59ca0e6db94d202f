//! Joins against a plain map.

use std::collections::HashMap;
use std::sync::Mutex;

use super::*;
use crate::work::{Cancel, Room};

impl Value for u64 {
    const LEN: usize = 8;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(*bytes.first_chunk()?))
    }
}

/// A few numbers without order.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

type Named = (String, String, String);

fn name(number: u64) -> Named {
    let version = if number.is_multiple_of(3) { String::new() } else { format!("v{}", number % 7) };
    (format!("bucket-{}", number % 5), format!("key/{}", number / 7), version)
}

fn key(hasher: &KeyHasher, (bucket, key, version): &Named) -> JoinKey {
    hasher.bucket(bucket.as_bytes()).key(key.as_bytes(), VersionPart::Id(version.as_bytes()))
}

/// Of the values of a key, the two smallest that are even.
fn keep(values: &mut Vec<u64>) {
    values.sort_unstable();
    values.retain(|value| value.is_multiple_of(2));
    values.truncate(2);
}

/// Joins random sides both ways and holds them against a map.
fn check(seed: u64, known: usize, probes: usize, room: u64, memory: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let (hasher, mut state) = (KeyHasher::new(), seed);
    let sides = [Partitions::new(room, folder.path(), "known"), Partitions::new(room, folder.path(), "probes")];
    let mut map: HashMap<Named, Vec<u64>> = HashMap::new();
    let names = 3 * known as u64 / 2 + 1;
    let mut writers = sides.each_ref().map(Partitions::writer);
    for _ in 0..known {
        let (named, value) = (name(random(&mut state) % names), random(&mut state) % 1000);
        let key = key(&hasher, &named);
        map.entry(named).or_default().push(value);
        writers[0].push(key.partition(), (key, value)).expect("written");
    }
    let mut expected: Vec<(u64, u64)> = Vec::new();
    for probe in 0..probes as u64 {
        let named = name(random(&mut state) % names);
        let key = key(&hasher, &named);
        writers[1].push(key.partition(), (key, probe)).expect("written");
        let mut values = map.get(&named).cloned().unwrap_or_default();
        keep(&mut values);
        expected.extend(values.into_iter().map(|value| (probe, value)));
    }
    writers.iter_mut().for_each(|writer| writer.flush().expect("written"));
    let [known_side, probe_side] = &sides;
    assert_eq!(known_side.has_spilled(), known * size_of::<(JoinKey, u64)>() > room as usize);
    let found = Mutex::new(Vec::new());
    let each = |worker: &mut Vec<_>, probe, value| {
        worker.push((probe, value));
        Ok(())
    };
    let end = |worker: Vec<(u64, u64)>| {
        crate::work::lock(&found).extend(worker);
        Ok(())
    };
    let cancel = Cancel::default();
    if !known_side.has_spilled() {
        let probes: Vec<(JoinKey, u64)> = {
            let mut all = Vec::new();
            (0..PARTITIONS).for_each(|at| probe_side.read(at, &mut |record| all.push(record)).expect("read"));
            all
        };
        let [known_side, _] = sides;
        let tables = known_side.into_tables(3, &keep, &cancel).expect("tables");
        let (keys, mut values): (Vec<_>, _) = (probes.iter().map(|(key, _)| *key).collect(), Vec::new());
        tables.find_all(&keys, |found| values.push(found.iter().map(|(_, value)| *value).collect::<Vec<_>>()));
        assert_eq!(values.len(), keys.len());
        let pairs = |((_, probe), values): (&(JoinKey, u64), Vec<u64>)| {
            values.into_iter().map(|value| (*probe, value)).collect::<Vec<_>>()
        };
        end(probes.iter().zip(values).flat_map(pairs).collect()).expect("kept");
    } else {
        join((known_side, probe_side), Room { memory, jobs: 3 }, &keep, &Vec::new, &each, &end, &cancel)
            .expect("joined");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "files are left");
    }
    let mut found = found.into_inner().expect("no panic");
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(expected.len() > probes / 10 || known < 10, "the test matches something");
}

#[test]
fn sides_that_fit_into_memory_are_matched() {
    check(1, 20_000, 30_000, u64::MAX, 0);
    check(2, 0, 100, u64::MAX, 0);
    check(3, 1, 100, u64::MAX, 0);
}

#[test]
fn sides_that_do_not_fit_are_matched_through_files() {
    check(4, 40_000, 50_000, 1 << 10, u64::MAX);
    // Partitions that are too large for the memory are taken in slices.
    check(5, 40_000, 50_000, 1 << 16, 1 << 13);
    check(6, 40_000, 50_000, 1 << 19, 1);
}

#[test]
fn names_are_not_taken_for_others() {
    let hasher = KeyHasher::new();
    let of = |bucket: &[u8], key: &[u8], version| hasher.bucket(bucket).key(key, version);
    let seven = 7_i64.to_le_bytes();
    let keys = [
        of(b"b", b"key", VersionPart::Id(b"")),
        of(b"bk", b"ey", VersionPart::Id(b"")),
        of(b"b", b"ke", VersionPart::Id(b"y")),
        of(b"b", b"key", VersionPart::Id(b"v")),
        of(b"b", b"key", VersionPart::ModifiedIn(7)),
        of(b"b", b"key", VersionPart::Id(&seven)),
        of(b"", b"", VersionPart::Id(b"")),
    ];
    for (at, one) in keys.iter().enumerate() {
        assert!(keys[at + 1..].iter().all(|other| other != one), "{at}");
    }
    assert_eq!(of(b"b", b"key", VersionPart::Id(b"null")), keys[0]);
    assert_ne!(
        KeyHasher::new().bucket(b"b").key(b"key", VersionPart::Id(b"")),
        keys[0],
        "each run has a key of its own"
    );
}

/// All lengths around those of blocks, of words, and of what is hashed as it stands, with every byte changed and zeros in
/// the end.
#[test]
fn names_that_differ_in_one_byte_or_in_zeros_are_told_apart() {
    let hasher = KeyHasher::new();
    let mut known: HashMap<[u64; 2], (usize, usize)> = HashMap::new();
    for len in (0..50).chain(1020..1030) {
        for changed in 0..=len {
            let mut name = vec![0_u8; len];
            name.iter_mut().take(changed).skip(changed.saturating_sub(1)).for_each(|byte| *byte = 1);
            let keys = [
                hasher.bucket(b"b").key(&name, VersionPart::Id(b"v")),
                hasher.bucket(b"b").key(b"k", VersionPart::Id(&name)),
                hasher.bucket(&name).key(b"k", VersionPart::Id(b"v")),
            ];
            for key in keys {
                assert_eq!(known.insert(key.0, (len, changed)), None, "{len} {changed}");
            }
        }
    }
}

/// Partitions and places are taken from hashes, so that all of their bits matter. Under one key names like these may be
/// uneven by chance, so there are few under each of many keys, which know nothing of each other.
#[test]
fn half_of_all_names_have_each_bit() {
    const KEYS: u32 = 2_000;
    const NAMES: u32 = 10;
    let mut counts = [0_u32; 128];
    for bucket in (0..KEYS).map(|_| KeyHasher::new().bucket(b"bucket")) {
        for number in 0..NAMES {
            let key = bucket.key(format!("AWSLogs/{number}").as_bytes(), VersionPart::Id(b""));
            let bits = u128::from_le_bytes(key.to_bytes());
            counts.iter_mut().enumerate().for_each(|(bit, count)| *count += (bits >> bit & 1) as u32);
        }
    }
    // Hoeffding: one run in ten million is further off, whatever the names under one key do.
    assert!(counts.iter().all(|count| count.abs_diff(KEYS * NAMES / 2) < 1_600), "{counts:?}");
}

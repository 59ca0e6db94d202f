//! Where roots mirror buckets: what lies where it was delivered to, and what lies elsewhere.
//!
//! The object P of the bucket B lies at `P` or at `B/P` of a root. `X/P` with one other folder is its copy in the bucket X,
//! which stands in for it only if no root mirrors B: a copy proves nothing of a bucket that was looked at itself. What lies
//! anywhere else in B was moved there.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::slot::path_of;

/// So many places of each sort are told apart; more of them are a fault.
const MAX_PLACES: usize = 100_000;

/// Where an object lies, as seen from the name that CloudTrail gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lies {
    /// Where it was delivered to.
    Named,
    /// At another path of its bucket.
    Elsewhere,
    /// In another bucket.
    OtherBucket,
    /// At a path of a bucket that nothing names.
    Unplaced,
}

impl Lies {
    pub(super) const ALL: [Self; 4] = [Self::Named, Self::Elsewhere, Self::OtherBucket, Self::Unplaced];
}

/// A bucket and a prefix in it that a digest names.
type Named = (Vec<u8>, Vec<u8>);

/// A root, by its number.
pub(super) type RootId = u32;

/// A path in a root, divided behind its first folder; a path that begins with `AWSLogs` has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RootPath<'p> {
    pub(super) root: RootId,
    pub(super) top: &'p [u8],
    pub(super) rest: &'p [u8],
}

/// A bucket and a key in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name<'n> {
    pub(super) bucket: &'n [u8],
    pub(super) key: &'n [u8],
}

impl<'n> Name<'n> {
    pub(super) fn new(bucket: &'n [u8], key: &'n [u8]) -> Self {
        Self { bucket, key }
    }

    /// What stands before the folder `AWSLogs` of its key.
    pub(super) fn prefix(&self) -> &'n [u8] {
        &self.key[..self.key.len() - path_of(self.key).len()]
    }
}

impl RootPath<'_> {
    /// Where this is, if the root lies below the folders `outer`.
    pub(super) fn lies(&self, outer: &[u8], name: Name<'_>) -> Lies {
        if self.is(name.key) || self.is_below(outer, name.key) {
            Lies::Named
        } else if self.top.is_empty() {
            Lies::Unplaced
        } else if self.top != name.bucket {
            Lies::OtherBucket
        } else if self.rest == name.key {
            Lies::Named
        } else {
            Lies::Elsewhere
        }
    }

    /// Whether the root mirrors the bucket without a folder of its name.
    fn is(&self, key: &[u8]) -> bool {
        self.tail_of(key).is_some_and(<[u8]>::is_empty)
    }

    /// Whether the root is a folder of the bucket: the folders above it begin the key.
    fn is_below(&self, outer: &[u8], key: &[u8]) -> bool {
        let folders = self.tail_of(key).and_then(|rest| rest.strip_suffix(b"/"));
        folders.is_some_and(|folders| ends_with_folders(outer, folders))
    }

    /// What is left of a key that ends with this path.
    fn tail_of<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let rest = key.strip_suffix(self.rest)?;
        if self.top.is_empty() { Some(rest) } else { rest.strip_suffix(b"/")?.strip_suffix(self.top) }
    }

    fn to_vec(self) -> Vec<u8> {
        if self.top.is_empty() { self.rest.to_vec() } else { [self.top, b"/", self.rest].concat() }
    }

    /// What stands before the folder `AWSLogs`.
    pub(super) fn before(self) -> Vec<u8> {
        let mut path = self.to_vec();
        path.truncate(path.len() - path_of(self.rest).len());
        path
    }
}

fn ends_with_folders(path: &[u8], folders: &[u8]) -> bool {
    let before = path.strip_suffix(folders);
    !folders.is_empty() && before.is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
}

fn first_folder(path: &[u8]) -> &[u8] {
    &path[..memchr::memchr(b'/', path).unwrap_or(path.len())]
}

/// What one worker has seen of places, and then all of them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Folders at the top of roots.
    tops: BTreeSet<Vec<u8>>,
    /// What stands before `AWSLogs` where logs or digests lie.
    at: HashSet<(RootId, Vec<u8>)>,
    /// The buckets whose digests lie there as they were delivered, without a folder for the bucket.
    owners: HashMap<(RootId, Vec<u8>), BTreeSet<Vec<u8>>>,
    /// Roots, and the buckets whose digests lie in folders of their names there.
    folders: HashSet<(RootId, Vec<u8>)>,
    /// Buckets and prefixes that digests name.
    named: HashSet<Named>,
    /// What stands before `AWSLogs` where digests of a bucket and a prefix lie that are in no mirror of it.
    copies: HashMap<Named, BTreeSet<Vec<u8>>>,
    last_at: Option<(RootId, Vec<u8>)>,
    last_named: Option<Named>,
    pub(super) is_full: bool,
}

impl Seen {
    pub(super) fn top(&mut self, folder: &[u8]) {
        if self.tops.len() < MAX_PLACES {
            self.tops.insert(folder.to_vec());
        } else {
            self.is_full = true;
        }
    }

    /// A log or a digest lies in a root behind this.
    pub(super) fn at(&mut self, root: RootId, before: &[u8]) {
        if self.last_at.as_ref().is_some_and(|(last, same)| (*last, &same[..]) == (root, before)) {
            return;
        }
        let place = (root, before.to_vec());
        self.last_at = Some(place.clone());
        if self.at.len() < MAX_PLACES {
            self.at.insert(place);
        } else {
            self.is_full = true;
        }
    }

    /// A digest names an object of a bucket below a prefix.
    pub(super) fn named(&mut self, name: Name<'_>, prefix: &[u8]) {
        let is_last = |(bucket, last): &(Vec<u8>, Vec<u8>)| (&bucket[..], &last[..]) == (name.bucket, prefix);
        if self.last_named.as_ref().is_some_and(is_last) {
            return;
        }
        let named = (name.bucket.to_vec(), prefix.to_vec());
        self.last_named = Some(named.clone());
        if self.named.len() < MAX_PLACES {
            self.named.insert(named);
        } else {
            self.is_full = true;
        }
    }

    /// A digest lies somewhere.
    pub(super) fn digest(&mut self, (root, before): (RootId, &[u8]), lies: Lies, name: Name<'_>) {
        if self.owners.len() + self.copies.len() + self.folders.len() >= MAX_PLACES {
            self.is_full = true;
            return;
        }
        match lies {
            Lies::Named if before.len() == name.bucket.len() + 1 + name.prefix().len() => {
                self.folders.insert((root, name.bucket.to_vec()));
            }
            Lies::Named => {
                self.owners.entry((root, before.to_vec())).or_default().insert(name.bucket.to_vec());
            }
            Lies::Elsewhere => {}
            Lies::OtherBucket | Lies::Unplaced => {
                let named = (name.bucket.to_vec(), name.prefix().to_vec());
                let befores = self.copies.entry(named).or_default();
                if befores.len() < MAX_PLACES {
                    befores.insert(before.to_vec());
                } else {
                    self.is_full = true;
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        let Self { tops, at, owners, folders, named, copies, is_full, .. } = other;
        self.tops.extend(tops);
        self.folders.extend(folders);
        self.at.extend(at);
        self.named.extend(named);
        owners.into_iter().for_each(|(place, buckets)| self.owners.entry(place).or_default().extend(buckets));
        copies.into_iter().for_each(|(name, befores)| self.copies.entry(name).or_default().extend(befores));
        self.is_full |= is_full;
    }
}

/// Which buckets the roots mirror, and what stands in for others.
#[derive(Debug, Default)]
pub(super) struct Mirrors {
    mirrored: HashSet<Vec<u8>>,
    stand_ins: HashMap<Named, Vec<Vec<u8>>>,
    owners: HashMap<(RootId, Vec<u8>), BTreeSet<Vec<u8>>>,
    /// The folders above each root.
    outers: Vec<Vec<u8>>,
    /// Whether digests of several buckets lie in roots that have no folders for them.
    is_mixed: bool,
    /// Whether a root mirrors a bucket both in a folder of its name and without one: then the folder may as well be a
    /// prefix that somebody chose in the bucket.
    pub(super) is_ambiguous: bool,
}

impl Mirrors {
    pub(super) fn new(seen: Seen, outers: Vec<Vec<u8>>) -> Self {
        let Seen { tops, at, owners, folders, named, copies, .. } = seen;
        let mut bare = owners.iter().flat_map(|((root, _), buckets)| buckets.iter().map(move |bucket| (root, bucket)));
        let is_ambiguous = bare.any(|(root, bucket)| folders.contains(&(*root, bucket.clone())));
        let mut roots: HashMap<&[u8], Vec<RootId>> = HashMap::new();
        at.iter().for_each(|(root, before)| roots.entry(before).or_default().push(*root));
        let firsts: HashSet<&[u8]> = at.iter().map(|(_, before)| first_folder(before)).collect();
        let is_mirrored = |(bucket, prefix): &&(Vec<u8>, Vec<u8>)| {
            let may_own = |root: RootId, before: &[u8]| {
                owners.get(&(root, before.to_vec())).is_none_or(|owners| owners.contains(bucket))
            };
            let begins_with = |before: &[u8], outer: &[u8]| {
                prefix.strip_suffix(before).is_some_and(|rest| {
                    rest.is_empty() || rest.strip_suffix(b"/").is_some_and(|rest| ends_with_folders(outer, rest))
                })
            };
            // A root may be a folder of the bucket, so that the first folders of the prefix are above it.
            let suffixes = (0..=prefix.len()).filter(|from| *from == 0 || prefix[from - 1] == b'/');
            let mut found = suffixes.flat_map(|from| {
                let before = &prefix[from..];
                roots.get(before).into_iter().flatten().map(move |root| (*root, before))
            });
            tops.contains(bucket)
                || firsts.contains(&bucket[..])
                || found.any(|(root, before)| {
                    let outer = outers.get(root as usize).map_or(&b""[..], |outer| outer);
                    begins_with(before, outer) && may_own(root, before)
                })
        };
        let mirrored = named.iter().filter(is_mirrored).map(|(bucket, _)| bucket.clone()).collect();
        let stand_ins = copies.into_iter().map(|((bucket, prefix), befores)| {
            // The prefix in one other folder is what a copy of a bucket looks like.
            let is_plain = |before: &Vec<u8>| before.strip_suffix(&prefix[..]).is_some_and(is_one_folder);
            let plain: Vec<_> = befores.iter().filter(|before| is_plain(before)).cloned().collect();
            let befores = if plain.is_empty() { befores.into_iter().collect() } else { plain };
            ((bucket, prefix), befores)
        });
        let stand_ins = stand_ins.collect();
        let buckets: BTreeSet<&Vec<u8>> = owners.values().flatten().collect();
        let is_mixed = buckets.len() > 1;
        Self { mirrored, stand_ins, owners, outers, is_mixed, is_ambiguous }
    }

    /// Whether a root mirrors a bucket that a digest names.
    pub(super) fn has(&self, bucket: &[u8]) -> bool {
        self.mirrored.contains(bucket)
    }

    /// Where a log of this name lies that is at this path.
    pub(super) fn lies(&self, at: RootPath<'_>, name: Name<'_>) -> Lies {
        let lies = at.lies(self.outers.get(at.root as usize).map_or(&b""[..], |outer| outer), name);
        if lies != Lies::Named || self.owners.is_empty() {
            return lies;
        }
        if (at.top, at.rest) == (name.bucket, name.key) {
            // Where the digests of the bucket lie without a folder for it, such a folder is a prefix in the bucket.
            let bare = self.owners.get(&(at.root, name.prefix().to_vec()));
            return if bare.is_some_and(|owners| owners.contains(name.bucket)) { Lies::Elsewhere } else { lies };
        }
        if !self.is_mixed {
            return lies;
        }
        // Without a folder for the bucket, the digests that lie there say which it is.
        match self.owners.get(&(at.root, at.before())) {
            Some(owners) if !owners.contains(name.bucket) => {
                if at.top.is_empty() {
                    Lies::Unplaced
                } else {
                    Lies::OtherBucket
                }
            }
            _ => Lies::Named,
        }
    }

    /// Where the objects of a bucket and a prefix may lie that are in no mirror of it; nothing for anywhere.
    pub(super) fn stand_ins(&self, name: Name<'_>) -> Option<&[Vec<u8>]> {
        if self.stand_ins.is_empty() {
            return None;
        }
        self.stand_ins.get(&(name.bucket.to_vec(), name.prefix().to_vec())).map(|befores| &befores[..])
    }

    /// Whether an object that is in no mirror of its bucket may stand in for it where it lies.
    pub(super) fn is_stand_in(&self, before: &[u8], name: Name<'_>) -> bool {
        self.stand_ins(name).is_none_or(|befores| befores.iter().any(|known| known == before))
    }
}

fn is_one_folder(path: &[u8]) -> bool {
    path.strip_suffix(b"/").is_some_and(|folder| !folder.is_empty() && !folder.contains(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lies(path: &'static str, outer: &str, key: &'static str) -> Lies {
        let (top, rest) = match path.find("AWSLogs/") {
            Some(0) | None => ("", path),
            Some(_) => path.split_once('/').expect("a folder"),
        };
        let at = RootPath { root: 0, top: top.as_bytes(), rest: rest.as_bytes() };
        at.lies(outer.as_bytes(), Name::new(b"b", key.as_bytes()))
    }

    #[test]
    fn objects_lie_where_they_were_delivered_or_elsewhere() {
        const PLAIN: &str = "AWSLogs/1/f";
        const BELOW: &str = "p/q/AWSLogs/1/f";
        for (path, outer, key, expected) in [
            ("AWSLogs/1/f", "", PLAIN, Lies::Named),
            ("b/AWSLogs/1/f", "", PLAIN, Lies::Named),
            ("x/AWSLogs/1/f", "", PLAIN, Lies::OtherBucket),
            ("x/b/AWSLogs/1/f", "", PLAIN, Lies::OtherBucket),
            ("b/x/AWSLogs/1/f", "", PLAIN, Lies::Elsewhere),
            ("b/b/AWSLogs/1/f", "", PLAIN, Lies::Elsewhere),
            ("p/q/AWSLogs/1/f", "", BELOW, Lies::Named),
            ("b/p/q/AWSLogs/1/f", "", BELOW, Lies::Named),
            ("b/AWSLogs/1/f", "", BELOW, Lies::Elsewhere),
            ("AWSLogs/1/f", "", BELOW, Lies::Unplaced),
            ("q/AWSLogs/1/f", "", BELOW, Lies::OtherBucket),
            ("AWSLogs/1/f", "mirror/b/p/q", BELOW, Lies::Named),
            ("q/AWSLogs/1/f", "mirror/b/p", BELOW, Lies::Named),
            ("AWSLogs/1/f", "mirror/b/xp/q", BELOW, Lies::Unplaced),
            ("AWSLogs/1/f", "q", BELOW, Lies::Unplaced),
            ("b/AWSLogs/1/f", "", "b/AWSLogs/1/f", Lies::Named),
        ] {
            assert_eq!(lies(path, outer, key), expected, "{path} below {outer:?} for {key}");
        }
    }
}

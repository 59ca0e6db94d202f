//! The places that keys lead to: what decides their rollup and the rules that can apply.
//!
//! Neighbouring keys mostly lead to the same place, so the last one is remembered by the start of the key that decided it.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::tally::PlaceId;
use crate::escape::escape;
use crate::object_key::{ObjectKey, has_folder, may_have_anchor};
use crate::policy::{Checker, Scope};
use crate::rollup::Place;

/// Prefixes beyond this are forgotten before more are kept.
const MAX_PREFIXES_LEN: usize = 1 << 22;

/// The places that keys have led to, and the rules that apply there.
#[derive(Default)]
pub(super) struct Places {
    list: Vec<Place>,
    scopes: Vec<Scope>,
    by_prefix: HashMap<Box<[u8]>, PlaceId, RandomState>,
    bucket: Vec<u8>,
    bucket_name: Arc<str>,
    last: Neighbourhood,
    prefix: Vec<u8>,
    /// The length of all prefixes together.
    prefixes_len: usize,
}

/// Keys of the current bucket that lead to the same place as the last one, if there was one.
#[derive(Default)]
struct Neighbourhood {
    place: Option<PlaceId>,
    /// The folder of the last key.
    folder: Vec<u8>,
    /// How much of it decides everything, unless another log's folders follow. If nothing does, only files right in that
    /// folder belong here.
    decisive_len: Option<usize>,
}

impl Neighbourhood {
    fn set(&mut self, key: &[u8], parsed: &ObjectKey<'_>, place: PlaceId) {
        self.place = Some(place);
        self.decisive_len = parsed.region.map(|_| ObjectKey::scope_prefix(key, parsed).len());
        self.folder.clear();
        self.folder.extend_from_slice(folder_of(key));
    }

    #[inline]
    fn place_of(&mut self, key: &[u8]) -> Option<PlaceId> {
        // Nothing is not compared with nothing: a vector load from a slice that has no address takes very long, even of
        // no bytes, and the keys of a whole report may be deferred.
        let name = if self.folder.is_empty() { Some(key) } else { key.strip_prefix(self.folder.as_slice()) };
        // Files of one folder lead to one place: only folders say what a log is.
        if name.is_some_and(|name| !has_folder(name)) {
            return self.place;
        }
        self.place_of_other_folder(key)
    }

    /// Few rows begin another folder: what they need stays out of the way of the others.
    #[inline(never)]
    fn place_of_other_folder(&mut self, key: &[u8]) -> Option<PlaceId> {
        let start = &self.folder[..self.decisive_len?];
        let rest = key.strip_prefix(start)?;
        if may_have_anchor(rest) {
            return None;
        }
        self.folder.truncate(start.len());
        self.folder.extend_from_slice(folder_of(rest));
        self.place
    }
}

/// A key without the name of its file.
fn folder_of(key: &[u8]) -> &[u8] {
    &key[..memchr::memrchr(b'/', key).map_or(0, |slash| slash + 1)]
}

impl Places {
    /// The keys that follow are those of this bucket.
    #[inline]
    pub(super) fn enter(&mut self, bucket: &[u8]) {
        if self.bucket != bucket {
            self.bucket.clear();
            self.bucket.extend_from_slice(bucket);
            self.last.place = None;
        }
    }

    /// The place of a key of the current bucket.
    #[inline]
    pub(super) fn find(&mut self, checker: &Checker, key: &[u8]) -> PlaceId {
        match self.last.place_of(key) {
            Some(place) => place,
            None => self.look_up(checker, key),
        }
    }

    /// Whether a key is seen at once to lead where the last one led, and whether that is this place.
    #[inline]
    pub(super) fn is_near(&mut self, place: PlaceId, key: &[u8]) -> bool {
        self.last.place_of(key) == Some(place)
    }

    #[inline]
    pub(super) fn scope(&self, place: PlaceId) -> &Scope {
        &self.scopes[place.0 as usize]
    }

    pub(super) fn list(&self) -> &[Place] {
        &self.list
    }

    fn look_up(&mut self, checker: &Checker, key: &[u8]) -> PlaceId {
        let parsed = ObjectKey::parse(key);
        self.prefix.clear();
        self.prefix.extend_from_slice(&(self.bucket.len() as u64).to_le_bytes());
        self.prefix.extend_from_slice(&self.bucket);
        self.prefix.extend_from_slice(ObjectKey::scope_prefix(key, &parsed));
        let known = self.by_prefix.get(self.prefix.as_slice()).copied();
        let place = known.unwrap_or_else(|| self.add(checker, &parsed));
        self.last.set(key, &parsed, place);
        place
    }

    fn add(&mut self, checker: &Checker, parsed: &ObjectKey<'_>) -> PlaceId {
        let place = PlaceId(self.list.len() as u32);
        let bucket_name = escape(&self.bucket);
        if *self.bucket_name != *bucket_name {
            self.bucket_name = Arc::from(&*bucket_name);
        }
        self.list.push(Place::new(Arc::clone(&self.bucket_name), parsed));
        self.scopes.push(checker.scope(&self.bucket, parsed));
        self.by_prefix.insert(self.prefix.as_slice().into(), place);
        self.prefixes_len += self.prefix.len();
        place
    }

    /// A batch has fewer rows than are left of the ids, so it is enough to ask after each batch. Whoever names the objects
    /// decides how long the prefixes are.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= PlaceId::LIMIT / 2 || self.prefixes_len >= MAX_PREFIXES_LEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Preset;
    use crate::timestamp::Timestamp;

    /// What is remembered of one key never answers for a key of another place.
    #[test]
    fn any_two_neighbours_get_their_own_places() {
        let checker = Checker::new(Preset::default_policy().expect("a policy"), Timestamp::now());
        let tails = [
            "",
            "f",
            "us-east-1/",
            "us-east-1/f",
            "us-east-1/2024/f",
            "us-east-1",
            "eu-west-1/f",
            "x/f",
            "x/us-east-1/f",
            "us-east-1/2024/AWSLogs/f",
            "us-east-1/2024/AWSLogs/444455556666/Config/f",
            "AWSLogs/444455556666/Config/eu-west-1/f",
            "us-east-1/2024/AWSLogs/444455556666/Config/eu-west-1/2024/f",
        ];
        let starts = [
            "",
            "AWSLogs/",
            "AWSLogs/111122223333/",
            "AWSLogs/111122223333/CloudTrail/",
            "AWSLogs/111122223333/Config/",
            "p/AWSLogs/111122223333/CloudTrail/",
        ];
        let keys: Vec<String> = starts.iter().flat_map(|start| tails.map(|tail| format!("{start}{tail}"))).collect();
        for first in &keys {
            for second in &keys {
                for buckets in [["a", "a"], ["a", "b"]] {
                    let mut places = Places::default();
                    places.enter(buckets[0].as_bytes());
                    places.find(&checker, first.as_bytes());
                    places.enter(buckets[1].as_bytes());
                    let found = places.find(&checker, second.as_bytes());
                    let expected = Place::new(buckets[1].into(), &ObjectKey::parse(second.as_bytes()));
                    assert_eq!(places.list()[found.0 as usize], expected, "{first} {second}");
                }
            }
        }
    }
}

//! What was done to objects that nobody can name: it may be of any version that was there at the time.

use std::collections::HashMap;

use super::{KnownKey, TooManyKeys};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// An object got another key.
    ReKeying,
    /// An object was written, or an upload in parts began.
    Write,
    /// An upload in parts ended: it makes an object as of its beginning.
    Completion,
}

/// A deed whose object cannot be told.
#[derive(Clone, Debug)]
pub(crate) struct Unplaced {
    pub(crate) deed: Deed,
    /// In milliseconds since the epoch.
    pub(crate) time: i64,
    /// The key, if it can be told.
    pub(crate) key: Option<KnownKey>,
    /// The file that says it.
    pub(crate) file: u32,
}

/// All deeds whose objects cannot be told.
#[derive(Debug, Default)]
pub(crate) struct Unattributed {
    by_bucket: HashMap<Box<[u8]>, Vec<Unplaced>>,
    anywhere: Vec<Unplaced>,
    len: usize,
}

impl Unattributed {
    /// More are no logs of S3 but somebody's attempt to fill memory.
    const MOST: usize = 10_000_000;

    /// Notes one, of a bucket if that is known.
    pub(crate) fn add(&mut self, bucket: Option<&[u8]>, one: Unplaced) -> Result<(), TooManyKeys> {
        self.len += 1;
        if self.len > Self::MOST {
            return Err(TooManyKeys);
        }
        match bucket {
            Some(bucket) => self.by_bucket.entry(bucket.into()).or_default().push(one),
            None => self.anywhere.push(one),
        }
        Ok(())
    }

    /// Adds what another worker has met.
    pub(crate) fn merge(&mut self, other: Self) {
        self.len += other.len;
        self.anywhere.extend(other.anywhere);
        for (bucket, more) in other.by_bucket {
            self.by_bucket.entry(bucket).or_default().extend(more);
        }
    }

    /// Puts them into the order of time, without those of files that turned out to be damaged.
    pub(crate) fn settle(&mut self, is_spoiled: &dyn Fn(u32) -> bool) {
        let sort_key = |one: &Unplaced| (one.deed, one.time, one.key.as_ref().map(|key| key.id));
        for some in self.by_bucket.values_mut().chain([&mut self.anywhere]) {
            some.retain(|one| !is_spoiled(one.file));
            some.sort_by_key(sort_key);
            some.dedup_by_key(|one| sort_key(one));
        }
        self.by_bucket.retain(|_, some| !some.is_empty());
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_bucket.is_empty() && self.anywhere.is_empty()
    }

    /// Those that may be of objects of a bucket.
    pub(crate) fn of(&self, bucket: &[u8]) -> Elsewhere<'_> {
        let here = self.by_bucket.get(bucket).map_or(&[][..], Vec::as_slice);
        Elsewhere([here, &self.anywhere])
    }
}

/// Deeds that may be of objects of one bucket, each list in the order of deeds and times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Elsewhere<'a>([&'a [Unplaced]; 2]);

impl<'a> Elsewhere<'a> {
    /// Hands over the keys of those between two moments, both included, each about once.
    pub(crate) fn between(&self, deed: Deed, (from, to): (i64, i64), each: &mut dyn FnMut(Option<&'a KnownKey>)) {
        for some in self.0 {
            let first = some.partition_point(|one| (one.deed, one.time) < (deed, from));
            let mut last = None;
            for one in some[first..].iter().take_while(|one| one.deed == deed && one.time <= to) {
                let key = one.key.as_ref();
                if last.replace(key.map(|key| key.id)) != Some(key.map(|key| key.id)) {
                    each(key);
                }
            }
        }
    }
}

//! Records that fit into memory, to be looked up.

use std::hint::black_box;

use super::key::JoinKey;

/// Entries by key. Each has a place that its hash names, and those that share one stand side by side.
pub(crate) struct Table<E> {
    shift: u32,
    /// Where the entries of each place begin, and where the last ones end.
    starts: Vec<u32>,
    entries: Vec<(JoinKey, E)>,
}

impl<E: Copy> Table<E> {
    /// Makes a table of records in any order. Those with the same key are handed to `reduce` together.
    pub(crate) fn new<V: Copy>(records: &[(JoinKey, V)], reduce: &dyn Fn(&mut [V]) -> Option<E>) -> Self {
        /// Entries that share a place, about.
        const PER_PLACE: usize = 2;
        let places = (records.len() / PER_PLACE).next_power_of_two().max(2);
        let shift = 64 - places.ilog2();
        let mut starts = vec![0_u32; places + 1];
        records.iter().for_each(|(key, _)| starts[place_of(key, shift) + 1] += 1);
        let mut sum = 0;
        starts.iter_mut().for_each(|start| {
            sum += *start;
            *start = sum;
        });
        let mut order = vec![0_u32; records.len()];
        let mut next = starts.clone();
        for (at, (key, _)) in records.iter().enumerate() {
            let next = &mut next[place_of(key, shift)];
            order[*next as usize] = at as u32;
            *next += 1;
        }
        let (mut entries, mut same, mut from) = (Vec::with_capacity(records.len()), Vec::new(), 0);
        for place in 0..places {
            let to = starts[place + 1] as usize;
            let here = &mut order[from..to];
            here.sort_unstable_by_key(|at| records[*at as usize].0);
            starts[place] = entries.len() as u32;
            for alike in here.chunk_by(|one, other| records[*one as usize].0 == records[*other as usize].0) {
                same.clear();
                same.extend(alike.iter().map(|at| records[*at as usize].1));
                entries.extend(reduce(&mut same).map(|entry| (records[alike[0] as usize].0, entry)));
            }
            from = to;
        }
        starts[places] = entries.len() as u32;
        Self { shift, starts, entries }
    }

    /// The entry of a key.
    #[inline]
    pub(super) fn get(&self, key: JoinKey) -> Option<E> {
        self.find(key, self.span(key))
    }

    /// Where the entries are that share a place with a key.
    #[inline]
    fn span(&self, key: JoinKey) -> (u32, u32) {
        let place = place_of(&key, self.shift);
        (self.starts[place], self.starts[place + 1])
    }

    #[inline]
    fn find(&self, key: JoinKey, (from, to): (u32, u32)) -> Option<E> {
        self.entries[from as usize..to as usize].iter().find(|(known, _)| *known == key).map(|(_, entry)| *entry)
    }

    /// Reads where the entries begin and end, for nothing but to have it in the cache.
    #[inline]
    fn touch(&self, (from, to): (u32, u32)) -> u64 {
        let word = |at: u32| self.entries.get(at as usize).map_or(0, |(key, _)| key.0[0]);
        word(from) ^ word(to.saturating_sub(1))
    }
}

/// The partition is told by the first word of a hash, the place by the second.
#[inline]
fn place_of(key: &JoinKey, shift: u32) -> usize {
    (key.0[1] >> shift) as usize
}

/// One table for each partition.
pub(crate) struct Tables<E>(pub(super) Vec<Table<E>>);

impl<E: Copy> Tables<E> {
    /// The entries of many keys. Each of them is somewhere else in memory: to wait for one after the other would take most
    /// of the time, so all of some are asked for before the first is looked at.
    pub(crate) fn find_all(&self, keys: &[JoinKey], found: &mut Vec<Option<E>>) {
        /// What is asked for together stays in the cache.
        const TOGETHER: usize = 64;
        found.clear();
        let mut spans = [(0, 0); TOGETHER];
        for keys in keys.chunks(TOGETHER) {
            for (span, key) in spans.iter_mut().zip(keys) {
                *span = self.0[key.partition()].span(*key);
            }
            let touched = keys.iter().zip(spans).fold(0, |sum, (key, span)| sum ^ self.0[key.partition()].touch(span));
            black_box(touched);
            found.extend(keys.iter().zip(spans).map(|(key, span)| self.0[key.partition()].find(*key, span)));
        }
    }
}

//! Records that fit into memory, to be looked up.

use std::hint::black_box;

use super::key::JoinKey;

/// Values by key. Each has a place that its hash names, and those that share one stand side by side.
pub(crate) struct Table<V> {
    shift: u32,
    /// Where the entries of each place begin, and where the last ones end.
    starts: Vec<u32>,
    entries: Vec<(JoinKey, V)>,
}

impl<V: Copy> Table<V> {
    /// Makes a table of records in any order. Of those with the same key, `keep` says which are needed. `records` is for
    /// nothing but to be used again.
    pub(super) fn new(
        chunks: &[Vec<(JoinKey, V)>],
        records: &mut Vec<(JoinKey, V)>,
        keep: &dyn Fn(&mut Vec<V>),
    ) -> Self {
        /// Records that share a place, about.
        const PER_PLACE: usize = 2;
        let places = (chunks.iter().map(Vec::len).sum::<usize>() / PER_PLACE).next_power_of_two().max(2);
        let shift = 64 - places.ilog2();
        let mut starts = by_place(chunks, records, places, shift);
        let (mut entries, mut same, mut from) = (Vec::with_capacity(records.len()), Vec::new(), 0);
        for start in &mut starts[..places] {
            let to = *start as usize;
            let here = &mut records[from..to];
            here.sort_unstable_by_key(|(key, _)| *key);
            *start = entries.len() as u32;
            for alike in here.chunk_by(|one, other| one.0 == other.0) {
                same.clear();
                same.extend(alike.iter().map(|(_, value)| *value));
                keep(&mut same);
                entries.extend(same.iter().map(|value| (alike[0].0, *value)));
            }
            from = to;
        }
        starts[places] = entries.len() as u32;
        Self { shift, starts, entries }
    }

    /// The entries of a key.
    #[inline]
    pub(super) fn get(&self, key: JoinKey) -> &[(JoinKey, V)] {
        self.find(key, self.span(key))
    }

    /// Where the entries are that share a place with a key.
    #[inline]
    fn span(&self, key: JoinKey) -> (u32, u32) {
        let place = place_of(&key, self.shift);
        (self.starts[place], self.starts[place + 1])
    }

    #[inline]
    fn find(&self, key: JoinKey, (from, to): (u32, u32)) -> &[(JoinKey, V)] {
        let here = &self.entries[from as usize..to as usize];
        let Some(first) = here.iter().position(|(known, _)| *known == key) else { return &[] };
        let here = &here[first..];
        &here[..here.iter().take_while(|(known, _)| *known == key).count()]
    }

    /// Reads where the entries begin and end, for nothing but to have it in the cache.
    #[inline]
    fn touch(&self, (from, to): (u32, u32)) -> u64 {
        let word = |at: u32| self.entries.get(at as usize).map_or(0, |(key, _)| key.0[0]);
        // The end of the last one lies where the next begins.
        word(from) ^ word(to.saturating_sub(1)) ^ word(to)
    }
}

/// The partition is told by the first word of a hash, the place by the second.
#[inline]
fn place_of(key: &JoinKey, shift: u32) -> usize {
    (key.0[1] >> shift) as usize
}

/// Puts records into the order of their places, and says where those of each place end; with one more at the end.
fn by_place<V: Copy>(
    chunks: &[Vec<(JoinKey, V)>],
    records: &mut Vec<(JoinKey, V)>,
    places: usize,
    shift: u32,
) -> Vec<u32> {
    let mut ends = vec![0_u32; places + 1];
    records.clear();
    let Some(any) = chunks.iter().flatten().next() else { return ends };
    chunks.iter().flatten().for_each(|(key, _)| ends[place_of(key, shift)] += 1);
    let mut sum = 0;
    for end in &mut ends {
        (sum, *end) = (sum + *end, sum);
    }
    records.resize(sum as usize, *any);
    for record in chunks.iter().flatten() {
        let at = &mut ends[place_of(&record.0, shift)];
        records[*at as usize] = *record;
        *at += 1;
    }
    ends
}

/// One table for each partition.
pub(crate) struct Tables<V>(pub(super) Vec<Table<V>>);

impl<V: Copy> Tables<V> {
    /// Hands over the entries of many keys, one key after the other. Each of them is somewhere else in memory: to wait for
    /// one after the other would take most of the time, so all of some are asked for before the first is looked at.
    #[inline]
    pub(crate) fn find_all(&self, keys: &[JoinKey], mut each: impl FnMut(&[(JoinKey, V)])) {
        /// What is asked for together stays in the cache.
        const TOGETHER: usize = 64;
        let mut spans = [(0, 0); TOGETHER];
        for keys in keys.chunks(TOGETHER) {
            for (span, key) in spans.iter_mut().zip(keys) {
                *span = self.0[key.partition()].span(*key);
            }
            let touched = keys.iter().zip(spans).fold(0, |sum, (key, span)| sum ^ self.0[key.partition()].touch(span));
            black_box(touched);
            keys.iter().zip(spans).for_each(|(key, span)| each(self.0[key.partition()].find(*key, span)));
        }
    }
}

//! Records that fit into memory, to be looked up.

use super::key::JoinKey;

/// Entries by key. Each has a place that its hash names, and those that share one stand side by side.
pub(crate) struct Table<E> {
    shift: u32,
    /// Where the entries of each place begin, and where the last ones end.
    starts: Vec<u32>,
    keys: Vec<JoinKey>,
    entries: Vec<E>,
}

impl<E: Copy> Table<E> {
    /// Makes a table of records in any order. Those with the same key are handed to `reduce` together.
    pub(crate) fn new<V: Copy>(records: &[(JoinKey, V)], reduce: &dyn Fn(&mut [V]) -> Option<E>) -> Self {
        /// Entries that share a place, about.
        const PER_PLACE: usize = 4;
        let places = (records.len() / PER_PLACE).next_power_of_two().max(2);
        // The first bits are the same in all of a partition.
        let shift = 64 - places.ilog2();
        let place = |key: &JoinKey| place_of(key, shift);
        let mut starts = vec![0_u32; places + 1];
        records.iter().for_each(|(key, _)| starts[place(key) + 1] += 1);
        let mut sum = 0;
        starts.iter_mut().for_each(|start| {
            sum += *start;
            *start = sum;
        });
        let mut order = vec![0_u32; records.len()];
        let mut next = starts.clone();
        for (at, (key, _)) in records.iter().enumerate() {
            let next = &mut next[place(key)];
            order[*next as usize] = at as u32;
            *next += 1;
        }
        let (mut keys, mut entries) = (Vec::with_capacity(records.len()), Vec::with_capacity(records.len()));
        let (mut same, mut from) = (Vec::new(), 0);
        for place in 0..places {
            let to = starts[place + 1] as usize;
            let here = &mut order[from..to];
            here.sort_unstable_by_key(|at| records[*at as usize].0);
            starts[place] = keys.len() as u32;
            for alike in here.chunk_by(|one, other| records[*one as usize].0 == records[*other as usize].0) {
                same.clear();
                same.extend(alike.iter().map(|at| records[*at as usize].1));
                if let Some(entry) = reduce(&mut same) {
                    keys.push(records[alike[0] as usize].0);
                    entries.push(entry);
                }
            }
            from = to;
        }
        starts[places] = keys.len() as u32;
        Self { shift, starts, keys, entries }
    }

    /// The entry of a key.
    #[inline]
    pub(crate) fn get(&self, key: JoinKey) -> Option<E> {
        let place = place_of(&key, self.shift);
        let (from, to) = (self.starts[place] as usize, self.starts[place + 1] as usize);
        let at = self.keys[from..to].iter().position(|known| *known == key)?;
        Some(self.entries[from + at])
    }
}

/// The partition is told by the first word of a hash, the place by the second.
#[inline]
fn place_of(key: &JoinKey, shift: u32) -> usize {
    (key.0[1] >> shift) as usize
}

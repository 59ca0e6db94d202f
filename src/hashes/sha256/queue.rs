//! Whole texts, hashed side by side as soon as there are enough of them.

use super::{MAX_LANES, Sha256, State, Way};
use crate::hashes::{BLOCK_LEN, Block};

/// Longer texts do not wait for others.
pub(crate) const MAX_QUEUED_LEN: usize = 1 << 20;
/// If they take more room than this, fewer texts than there are lanes are hashed.
const MAX_QUEUE_LEN: usize = 4 * MAX_QUEUED_LEN;

/// Texts that wait for others to be hashed with.
pub(crate) struct Sha256Queue<T> {
    /// Nothing where one text after the other is as fast.
    way: Option<Way>,
    lanes: Vec<Lane<T>>,
    /// How much room they take.
    bytes: usize,
    hashed: Vec<Hashed<T>>,
}

/// A text whose hash is known.
pub(crate) struct Hashed<T> {
    pub(crate) of: T,
    pub(crate) text: Vec<u8>,
    pub(crate) sha: [u8; 32],
}

struct Lane<T> {
    of: T,
    /// The text and its padding.
    padded: Vec<u8>,
    len: usize,
    /// How many blocks are hashed.
    done: usize,
    state: State,
}

impl<T> Sha256Queue<T> {
    pub(crate) fn new() -> Self {
        Self::with(Way::best())
    }

    fn with(way: Option<Way>) -> Self {
        Self { way, lanes: Vec::new(), bytes: 0, hashed: Vec::new() }
    }

    /// Takes a text. Which hashes are known then is up to [`Self::pop`].
    pub(crate) fn push(&mut self, of: T, text: Vec<u8>) {
        let Some(way) = self.way.filter(|_| text.len() <= MAX_QUEUED_LEN) else {
            let sha = Sha256::of(&text);
            return self.hashed.push(Hashed { of, text, sha });
        };
        self.lanes.push(Lane::new(of, text));
        self.bytes += self.lanes.last().map_or(0, |lane| lane.padded.len());
        while self.lanes.len() == way.lanes() || self.bytes > MAX_QUEUE_LEN {
            self.run(way);
        }
    }

    /// A text whose hash is known, in any order.
    pub(crate) fn pop(&mut self) -> Option<Hashed<T>> {
        self.hashed.pop()
    }

    /// Waits for no more texts: all hashes are known then.
    pub(crate) fn flush(&mut self) {
        while let (Some(way), false) = (self.way, self.lanes.is_empty()) {
            self.run(way);
        }
    }

    /// Hashes all texts as far as the shortest goes.
    fn run(&mut self, way: Way) {
        let (mut states, mut texts) = ([SQUARE_ROOTS; MAX_LANES], [&[][..]; MAX_LANES]);
        for (lane, (state, text)) in self.lanes.iter().zip(states.iter_mut().zip(&mut texts)) {
            (*state, *text) = (lane.state, lane.left());
        }
        let (len, blocks) = (self.lanes.len(), self.lanes.iter().map(Lane::blocks_left).min().unwrap_or(0));
        way.update(&mut states[..len], &texts[..len], blocks);
        for (lane, state) in self.lanes.iter_mut().zip(states) {
            lane.state = state;
            lane.done += blocks;
        }
        for lane in self.lanes.extract_if(.., |lane| lane.blocks_left() == 0) {
            self.bytes -= lane.padded.len();
            self.hashed.push(lane.finish());
        }
    }
}

impl<T> Lane<T> {
    fn new(of: T, mut text: Vec<u8>) -> Self {
        let len = text.len();
        // FIPS 180-4, 5.1.1: a one bit, zeroes, and the length in bits.
        text.push(0x80);
        text.resize((len + 9).next_multiple_of(BLOCK_LEN) - 8, 0);
        text.extend_from_slice(&(len as u64 * 8).to_be_bytes());
        Self { of, padded: text, len, done: 0, state: SQUARE_ROOTS }
    }

    fn left(&self) -> &[Block] {
        &self.padded.as_chunks().0[self.done..]
    }

    fn blocks_left(&self) -> usize {
        self.left().len()
    }

    fn finish(mut self) -> Hashed<T> {
        self.padded.truncate(self.len);
        let mut sha = [0; 32];
        sha.as_chunks_mut().0.iter_mut().zip(self.state).for_each(|(four, word)| *four = word.to_be_bytes());
        Hashed { of: self.of, text: self.padded, sha }
    }
}

/// FIPS 180-4, 5.3.3: the first bits of the fractions of square roots.
const SQUARE_ROOTS: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

#[cfg(test)]
mod tests {
    use super::*;

    /// All ways that the processor has. Where it lacks AVX-512 or AVX2, their tests test nothing.
    fn queues() -> Vec<Sha256Queue<usize>> {
        let mut ways = vec![None];
        #[cfg(target_arch = "x86_64")]
        {
            use crate::hashes::sha256::{avx2, avx512};
            ways.extend(avx2::is_available().then_some(Some(Way::Avx2)));
            ways.extend(avx512::is_available().then_some(Some(Way::Avx512)));
        }
        ways.into_iter().map(Sha256Queue::with).collect()
    }

    fn text(len: usize) -> Vec<u8> {
        (0..len).map(|at| ((at + len).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    /// Hashes texts of these lengths, each of which must come out once.
    fn check(mut queue: Sha256Queue<usize>, lengths: &[usize]) {
        let mut found = vec![0; lengths.len()];
        let mut take = |queue: &mut Sha256Queue<usize>| {
            while let Some(Hashed { of, text: given, sha }) = queue.pop() {
                assert_eq!(given, text(lengths[of]));
                assert_eq!(sha, Sha256::of(given), "{} bytes", lengths[of]);
                found[of] += 1;
            }
        };
        for (at, len) in lengths.iter().enumerate() {
            queue.push(at, text(*len));
            assert!(queue.bytes <= MAX_QUEUE_LEN);
            take(&mut queue);
        }
        queue.flush();
        take(&mut queue);
        assert_eq!(found, vec![1; lengths.len()]);
    }

    #[test]
    fn every_length_agrees_with_the_library() {
        let lengths: Vec<usize> = (0..=4 * BLOCK_LEN + 1).collect();
        queues().into_iter().for_each(|queue| check(queue, &lengths));
    }

    #[test]
    fn texts_of_any_lengths_are_hashed_side_by_side() {
        let lengths: Vec<usize> = (0..300).map(|at| at * 7919 % 10_000).collect();
        for count in [1, 2, 7, 8, 9, 15, 16, 17, 300] {
            queues().into_iter().for_each(|queue| check(queue, &lengths[..count]));
        }
    }

    #[test]
    fn long_texts_do_not_wait_for_many_others() {
        let lengths = [[1, MAX_QUEUED_LEN - 9, MAX_QUEUED_LEN, MAX_QUEUED_LEN + 1]; 5];
        queues().into_iter().for_each(|queue| check(queue, lengths.as_flattened()));
    }
}

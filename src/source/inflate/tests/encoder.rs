//! Streams that no compressor writes: any code that there can be, any length at any distance.

use super::Random;

/// The bits of a stream, the first lowest.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    len: usize,
}

impl BitWriter {
    pub(super) fn put(&mut self, bits: usize, len: usize) {
        for at in 0..len {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let byte = self.bytes.last_mut().expect("pushed");
            *byte |= ((bits >> at & 1) as u8) << (self.len % 8);
            self.len += 1;
        }
    }

    /// Fills the byte with bits that mean nothing.
    fn align(&mut self, filler: usize) {
        let rest = self.len.next_multiple_of(8) - self.len;
        self.put(filler & 0xff, rest);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The lengths of the codes of all symbols, and the codes.
pub(super) struct Code {
    pub lengths: Vec<u8>,
    words: Vec<usize>,
}

impl Code {
    /// RFC 1951, 3.2.2.
    pub(super) fn new(lengths: Vec<u8>) -> Self {
        let mut words = vec![0; lengths.len()];
        let mut next = 0;
        for len in 1..=15 {
            next <<= 1;
            for symbol in (0..lengths.len()).filter(|symbol| lengths[*symbol] == len) {
                words[symbol] = next;
                next += 1;
            }
        }
        Self { lengths, words }
    }

    /// A complete code for these symbols, or for one with half of it left. Some are as unequal as can be.
    fn random(of: usize, symbols: &[usize], random: &mut Random) -> Self {
        let mut leaves = vec![if symbols.len() == 1 { 1_u8 } else { 0 }];
        let skew = random.below(4);
        while leaves.len() < symbols.len() {
            let places: Vec<usize> = (0..leaves.len()).filter(|at| leaves[*at] < 15).collect();
            let at = if random.below(4) < skew { places[places.len() - 1] } else { random.pick(&places) };
            leaves[at] += 1;
            leaves.push(leaves[at]);
        }
        let mut lengths = vec![0; of];
        for (symbol, len) in symbols.iter().zip(leaves) {
            lengths[*symbol] = len;
        }
        Self::new(lengths)
    }

    fn put(&self, symbol: usize, to: &mut BitWriter) {
        let (word, len) = (self.words[symbol], usize::from(self.lengths[symbol]));
        assert!(len > 0, "no code for {symbol}");
        to.put(word.reverse_bits() >> (usize::BITS as usize - len), len);
    }

    fn symbols(&self, from: usize) -> Vec<usize> {
        (from..self.lengths.len()).filter(|symbol| self.lengths[*symbol] > 0).collect()
    }
}

/// Which of some symbols a code is for.
fn some(from: std::ops::Range<usize>, random: &mut Random) -> Vec<usize> {
    let share = random.pick(&[2, 10, 50, 100]);
    let mut symbols: Vec<usize> = from.filter(|_| random.below(100) < share).collect();
    // In any order: the first leaves are the shortest.
    for at in (1..symbols.len()).rev() {
        symbols.swap(at, random.below(at + 1));
    }
    symbols
}

/// RFC 1951, 3.2.7. The code of the lengths has all symbols.
pub(super) fn put_codes(literals: &[u8], distances: &[u8], random: &mut Random, to: &mut BitWriter) {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let code = Code::new([[4; 13].as_slice(), &[5; 6]].concat());
    to.put(literals.len() - 257, 5);
    to.put(distances.len() - 1, 5);
    to.put(15, 4);
    ORDER.iter().for_each(|symbol| to.put(code.lengths[*symbol].into(), 3));
    let lengths = [literals, distances].concat();
    let mut at = 0;
    while at < lengths.len() {
        let run = lengths[at..].iter().take_while(|len| **len == lengths[at]).count();
        let follows = at > 0 && lengths[at - 1] == lengths[at];
        match (lengths[at], run) {
            (0, 11..) if random.below(4) > 0 => {
                let times = run.min(138);
                code.put(18, to);
                to.put(times - 11, 7);
                at += times;
            }
            (0, 3..) if random.below(4) > 0 => {
                let times = run.min(10);
                code.put(17, to);
                to.put(times - 3, 3);
                at += times;
            }
            (_, 3..) if follows && random.below(4) > 0 => {
                let times = run.min(6);
                code.put(16, to);
                to.put(times - 3, 2);
                at += times;
            }
            (len, _) => {
                code.put(len.into(), to);
                at += 1;
            }
        }
    }
}

/// A stream of some blocks of any kind, which ends properly. Its text is whatever it gives.
pub(super) fn random_stream(random: &mut Random) -> Vec<u8> {
    let (mut to, mut text_len) = (BitWriter::default(), 0);
    let blocks = 1 + random.below(4);
    for block in 1..=blocks {
        to.put(usize::from(block == blocks), 1);
        match random.below(6) {
            0 => put_stored(random, &mut text_len, &mut to),
            1 => {
                to.put(1, 2);
                let lengths = (0..288).map(|at| {
                    if at < 144 {
                        8
                    } else if at < 256 {
                        9
                    } else if at < 280 {
                        7
                    } else {
                        8
                    }
                });
                put_symbols(&Code::new(lengths.collect()), &Code::new(vec![5; 32]), random, &mut text_len, &mut to);
            }
            _ => {
                to.put(2, 2);
                let (mut symbols, lengths) = (some(0..256, random), some(257..286, random));
                symbols.extend(lengths);
                symbols.insert(random.below(symbols.len() + 1), 256);
                let literals = Code::random(286, &symbols, random);
                let of = 1 + random.below(30);
                let distances = Code::random(of, &some(0..of, random), random);
                put_codes(&literals.lengths, &distances.lengths, random, &mut to);
                put_symbols(&literals, &distances, random, &mut text_len, &mut to);
            }
        }
    }
    to.into_bytes()
}

fn put_stored(random: &mut Random, text_len: &mut usize, to: &mut BitWriter) {
    let len = random.pick(&[0, 1, 5, 300, 5_000]);
    to.put(0, 2);
    to.align(random.below(256));
    to.put(len, 16);
    to.put(!len & 0xffff, 16);
    (0..len).for_each(|_| to.put(random.below(256), 8));
    *text_len += len;
}

/// Symbols that the codes have, as long as there is one that is allowed, and the end of the block.
fn put_symbols(literals: &Code, distances: &Code, random: &mut Random, text_len: &mut usize, to: &mut BitWriter) {
    const LENGTH_EXTRA: [usize; 29] =
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
    let (bytes, lengths) = (literals.symbols(0), literals.symbols(257));
    let bytes: Vec<usize> = bytes.into_iter().filter(|symbol| *symbol < 256).collect();
    let lengths: Vec<usize> = lengths.into_iter().filter(|symbol| *symbol < 286).collect();
    let matches = random.pick(&[1, 10, 50, 90]);
    for _ in 0..random.pick(&[0, 1, 30, 1_000]) {
        // The distances of symbol 2 n + 2 and 2 n + 3 have n extra bits and end below 2 ^ (n + 2).
        let reached = |symbol: &usize| *symbol < 30 && 1 << (symbol / 2 + 1) <= *text_len;
        let distances_reached: Vec<usize> = distances.symbols(0).into_iter().filter(reached).collect();
        if !lengths.is_empty() && !distances_reached.is_empty() && (bytes.is_empty() || random.below(100) < matches) {
            let symbol = random.pick(&lengths);
            literals.put(symbol, to);
            let extra_bits = LENGTH_EXTRA[symbol - 257];
            let extra = random.below(1 << extra_bits);
            to.put(extra, extra_bits);
            let distance = random.pick(&distances_reached);
            distances.put(distance, to);
            let extra_bits = (distance / 2).saturating_sub(1);
            to.put(random.below(1 << extra_bits), extra_bits);
            // The shortest that it can be.
            *text_len += 3;
        } else if !bytes.is_empty() {
            literals.put(random.pick(&bytes), to);
            *text_len += 1;
        }
    }
    literals.put(256, to);
}

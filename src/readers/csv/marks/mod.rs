//! Where lines and their fields end, found in one pass over a block of text.
//!
//! S3 writes every row in the same shape: each field in quotes, none with a quote or a line break inside. For such a row
//! the positions of its closing quotes say everything, and with AVX-512 or AVX2 they are found 64 bytes at a time. A line
//! of any other shape is *odd*: it is left to the strict parser. All ways of marking are the same to whoever reads the
//! marks.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod chunk;

use memchr::memchr_iter;

use super::split::split_quoted;

/// Bytes that are looked at together.
pub(super) const CHUNK_LEN: usize = 64;

/// The lines of a text, and the fields of those that are not odd.
#[derive(Default)]
pub(super) struct Marks {
    lines: Roomy<LineEnd>,
    /// The closing quotes of all fields.
    closes: Roomy<u32>,
    /// How much of the text is marked.
    marked: usize,
    #[cfg(target_arch = "x86_64")]
    carry: chunk::Carry,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LineEnd {
    /// The position of its newline.
    at: u32,
    /// How many closing quotes stand before it.
    closes: u32,
    is_odd: bool,
}

/// A line of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The position of its first byte.
    pub from: u32,
    /// The position of its newline.
    pub to: u32,
    /// Its first closing quote, as a position in the list of them.
    pub close: u32,
    /// How many fields it has; nothing if it is odd.
    pub fields: Option<usize>,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        (self.to - self.from) as usize
    }
}

impl Marks {
    /// Forgets everything, for the next text.
    pub(super) fn clear(&mut self) {
        self.lines.len = 0;
        self.closes.len = 0;
        self.marked = 0;
        #[cfg(target_arch = "x86_64")]
        {
            self.carry = chunk::Carry::default();
        }
    }

    /// Marks a text on that has become longer, as far as there are whole chunks.
    pub(super) fn extend(&mut self, text: &[u8]) {
        self.extend_by(best_way(), text);
    }

    fn extend_by(&mut self, way: Way, text: &[u8]) {
        let end = text.len() - text.len() % CHUNK_LEN;
        way(self, &text[..end]);
        self.marked = end;
    }

    /// Marks the rest of `padded[..len]`. Behind it, there is room for the rest of a chunk, which is overwritten.
    pub(super) fn finish(&mut self, padded: &mut [u8], len: usize) {
        let end = len.next_multiple_of(CHUNK_LEN);
        padded[len..end].fill(0);
        self.extend(&padded[..end]);
    }

    /// Forgets what stands behind the last newline; returns the length of the text that is left.
    pub(super) fn cut_behind_lines(&mut self) -> usize {
        let last = self.lines.as_slice().last();
        self.closes.len = last.map_or(0, |end| end.closes as usize);
        last.map_or(0, |end| end.at as usize + 1)
    }

    /// The lines, in order. What stands behind the last newline is none.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        let (mut from, mut close) = (0, 0);
        self.lines.as_slice().iter().map(move |end| {
            let fields = (!end.is_odd).then_some((end.closes - close) as usize);
            let line = Line { from, to: end.at, close, fields };
            (from, close) = (end.at + 1, end.closes);
            line
        })
    }

    /// How many closing quotes were marked.
    pub(super) fn closes_len(&self) -> u32 {
        self.closes.len as u32
    }

    /// The closing quotes that were marked, and some more.
    pub(super) fn with_closes(&mut self, more: &[u32]) -> &[u32] {
        more.iter().for_each(|close| self.closes.push(*close));
        self.closes.as_slice()
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len
    }
}

/// A list with room behind its end.
#[derive(Default)]
struct Roomy<T> {
    items: Vec<T>,
    len: usize,
}

impl<T: Copy + Default> Roomy<T> {
    fn as_slice(&self) -> &[T] {
        &self.items[..self.len]
    }

    fn push(&mut self, item: T) {
        let Room { items, len } = self.room(1);
        items[len] = item;
        self.len += 1;
    }

    /// The list, with room for so many items more.
    fn room(&mut self, more: usize) -> Room<'_, T> {
        if self.items.len() < self.len + more {
            self.items.resize(2 * self.len + more, T::default());
        }
        Room { items: &mut self.items, len: self.len }
    }
}

/// A list that has room enough: items can be written behind its end before it is known how many will stay.
struct Room<'l, T> {
    items: &'l mut [T],
    len: usize,
}

#[cfg(target_arch = "x86_64")]
impl<T> Room<'_, T> {
    /// The room behind the end.
    #[inline]
    fn space<const LEN: usize>(&mut self) -> &mut [T; LEN] {
        match self.items[self.len..].first_chunk_mut() {
            Some(space) => space,
            None => unreachable!("there was room made"),
        }
    }
}

/// Marks whole chunks of a text from where the marks end, like [`Marks::extend`].
type Way = fn(&mut Marks, &[u8]);

/// The fastest way of the processor.
fn best_way() -> Way {
    #[cfg(target_arch = "x86_64")]
    {
        if avx512::is_available() {
            return avx512_way;
        }
        if avx2::is_available() {
            return avx2_way;
        }
    }
    portable_way
}

fn portable_way(marks: &mut Marks, text: &[u8]) {
    let mut from = marks.cut_behind_lines();
    for at in memchr_iter(b'\n', &text[marks.marked..]).map(|at| marks.marked + at) {
        let is_odd = !split_quoted(&text[from..at], |close| marks.closes.push((from + close) as u32));
        marks.lines.push(LineEnd { at: at as u32, closes: marks.closes.len as u32, is_odd });
        from = at + 1;
    }
}

#[cfg(target_arch = "x86_64")]
fn avx2_way(marks: &mut Marks, text: &[u8]) {
    assert!(avx2::is_available());
    #[expect(unsafe_code, reason = "only the caller can know what the processor has")]
    // SAFETY: the processor was asked.
    mark_pieces(marks, text, |piece, from, pen| unsafe { avx2::find(piece, from, pen) });
}

#[cfg(target_arch = "x86_64")]
fn avx512_way(marks: &mut Marks, text: &[u8]) {
    assert!(avx512::is_available());
    #[expect(unsafe_code, reason = "only the caller can know what the processor has")]
    // SAFETY: the processor was asked.
    mark_pieces(marks, text, |piece, from, pen| unsafe { avx512::find(piece, from, pen) });
}

/// What writes marks: lists that have room for a piece of text, held by value so that their lengths stay in registers.
#[cfg(target_arch = "x86_64")]
struct Pen<'m> {
    lines: Room<'m, LineEnd>,
    closes: Room<'m, u32>,
    carry: chunk::Carry,
}

/// Goes through the text by pieces, so that the room for the worst that they can be is little. `find` marks the chunks of
/// a piece that begins at a position.
#[cfg(target_arch = "x86_64")]
fn mark_pieces(marks: &mut Marks, text: &[u8], find: impl for<'m> Fn(&[[u8; CHUNK_LEN]], u32, Pen<'m>) -> Pen<'m>) {
    const PIECE_LEN: usize = 16 << 10;
    let pieces = text[marks.marked..].as_chunks().0.chunks(PIECE_LEN / CHUNK_LEN);
    for (from, piece) in (marks.marked as u32..).step_by(PIECE_LEN).zip(pieces) {
        // A chunk may write as many of each as it has bytes.
        let room = piece.as_flattened().len() + CHUNK_LEN;
        let pen = Pen { lines: marks.lines.room(room), closes: marks.closes.room(room), carry: marks.carry };
        let Pen { lines: Room { len: lines, .. }, closes: Room { len: closes, .. }, carry } = find(piece, from, pen);
        (marks.lines.len, marks.closes.len, marks.carry) = (lines, closes, carry);
    }
}

/// The chunks of a piece, each with its position.
#[cfg(target_arch = "x86_64")]
#[inline]
fn chunks(piece: &[[u8; CHUNK_LEN]], from: u32) -> impl Iterator<Item = (u32, &[u8; CHUNK_LEN])> {
    (from..).step_by(CHUNK_LEN).zip(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks a text that becomes longer by these steps.
    fn mark(way: Way, text: &[u8], steps: &[usize]) -> Marks {
        let (mut marks, mut padded) = (Marks::default(), [text, &[b'"'; CHUNK_LEN]].concat());
        for &len in steps.iter().filter(|&&len| len <= text.len()) {
            marks.extend_by(way, &padded[..len]);
        }
        padded[text.len()..].fill(0);
        marks.extend_by(way, &padded);
        marks
    }

    fn lines(marks: &Marks) -> Vec<(u32, u32, Option<Vec<u32>>)> {
        let closes =
            |line: Line| line.fields.map(|fields| marks.closes.as_slice()[line.close as usize..][..fields].to_vec());
        marks.lines().map(|line| (line.from, line.to, closes(line))).collect()
    }

    /// All ways that the processor has. Where it lacks AVX-512 or AVX2, their tests test nothing.
    fn fast_ways() -> Vec<(&'static str, Way)> {
        let mut ways: Vec<(&str, Way)> = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            ways.extend(avx2::is_available().then_some(("AVX2", avx2_way as Way)));
            ways.extend(avx512::is_available().then_some(("AVX-512", avx512_way as Way)));
        }
        ways
    }

    const STEPS: &[usize] = &[10, 64, 100, 150, 200];

    /// All ways agree on the text, at once and in steps, but for fields that only the portable way can tell.
    fn check(text: &[u8]) {
        let portable = mark(portable_way, text, &[]);
        assert_eq!(lines(&mark(portable_way, text, STEPS)), lines(&portable));
        let mut expected = lines(&portable);
        for (from, to, closes) in &mut expected {
            // A comma at the start of a field looks like one between fields.
            let line = &text[*from as usize..*to as usize];
            if line.starts_with(b"\",") || memchr::memmem::find(line, b"\",\",").is_some() {
                *closes = None;
            }
        }
        for (name, way) in fast_ways() {
            for steps in [&[], STEPS] {
                let fast = mark(way, text, steps);
                assert_eq!(lines(&fast), expected, "{name}, {steps:?}: {}", String::from_utf8_lossy(text));
            }
        }
    }

    #[test]
    fn fields_end_at_their_closing_quotes() {
        let marks = mark(best_way(), b"\"a\",\"\",\"bc\"\nodd\n\"d\"\n", &[]);
        let expected = vec![(0, 11, Some(vec![2, 5, 10])), (12, 15, None), (16, 19, Some(vec![18]))];
        assert_eq!(lines(&marks), expected);
    }

    #[test]
    fn shapes_that_look_alike_are_odd() {
        for odd in [
            "",
            "\"",
            "\"a",
            "a\"",
            "\"a\"b",
            "\"a\",b",
            "\"a\",",
            ",\"a\"",
            "\",\"",
            "\"a\",\",\",\"b\"",
            "\"\"\"\"",
            "\"a\"\r",
        ] {
            let text = format!("\"x\",\"y\"\n{odd}\n\"z\",\"\"\n");
            let marks = mark(best_way(), text.as_bytes(), &[]);
            let is_odd: Vec<bool> = marks.lines().map(|line| line.fields.is_none()).collect();
            // The portable way, the only one of Miri, reads some of them itself; a function has many addresses there.
            if !cfg!(miri) && !std::ptr::fn_addr_eq(best_way(), portable_way as Way) {
                assert_eq!(is_odd, [false, true, false], "{odd}");
            }
            check(text.as_bytes());
        }
    }

    /// Texts of the few bytes that matter, of every length around a chunk's end.
    #[test]
    fn all_ways_agree_on_whatever_there_is() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % below
        };
        let rounds = if cfg!(miri) { 50 } else { 20_000 };
        for round in 0..rounds {
            let len = random(4 * CHUNK_LEN as u64 + 3);
            let pieces: &[&[u8]] = &[b"\",\"", b"\"\n\"", b"\"", b",", b"\n", b"abcdefgh", b"x", b"\r", b"\0"];
            let mut text = Vec::new();
            while text.len() < len as usize {
                // Half of the texts are mostly sound.
                let kinds = if round % 2 == 0 { 2 + 5 * random(2) } else { pieces.len() as u64 };
                text.extend_from_slice(pieces[random(kinds) as usize]);
                text.extend_from_slice(&b"abcdefghijklmnopqrstuvwxyz"[..random(26) as usize]);
            }
            check(&text);
        }
    }
}

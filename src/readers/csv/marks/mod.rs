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

/// Bytes behind the text that must be there, and zero, for [`Marks::find`].
pub(super) const PADDING: usize = CHUNK_LEN;
/// Bytes that are looked at together.
const CHUNK_LEN: usize = 64;

/// The lines of a text, and the fields of those that are not odd.
#[derive(Default)]
pub(super) struct Marks {
    lines: Roomy<LineEnd>,
    /// The closing quotes of all fields.
    closes: Roomy<u32>,
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
    /// Marks the lines of `padded[..len]`. What stands behind the last newline is no line.
    pub(super) fn find(&mut self, padded: &[u8], len: usize) {
        self.lines.len = 0;
        self.closes.len = 0;
        best_way()(self, padded, len);
    }

    /// The lines, in order.
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

/// A list with room behind its end, so that items can be written there before it is known how many will stay.
#[derive(Default)]
struct Roomy<T> {
    items: Vec<T>,
    len: usize,
}

impl<T: Copy + Default> Roomy<T> {
    fn as_slice(&self) -> &[T] {
        &self.items[..self.len]
    }

    #[inline]
    fn push(&mut self, item: T) {
        self.space::<1>()[0] = item;
        self.len += 1;
    }

    /// The room behind the end.
    #[inline]
    fn space<const LEN: usize>(&mut self) -> &mut [T; LEN] {
        if self.items.len() < self.len + LEN {
            self.items.resize(2 * self.len + LEN, T::default());
        }
        match self.items[self.len..].first_chunk_mut() {
            Some(space) => space,
            None => unreachable!("there was room made"),
        }
    }
}

/// Marks the lines of a text like [`Marks::find`].
type Way = fn(&mut Marks, &[u8], usize);

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

fn portable_way(marks: &mut Marks, padded: &[u8], len: usize) {
    let (text, mut from) = (&padded[..len], 0);
    for at in memchr_iter(b'\n', text) {
        let is_odd = !split_quoted(&text[from..at], |close| marks.closes.push((from + close) as u32));
        marks.lines.push(LineEnd { at: at as u32, closes: marks.closes.len as u32, is_odd });
        from = at + 1;
    }
}

#[cfg(target_arch = "x86_64")]
fn avx2_way(marks: &mut Marks, padded: &[u8], len: usize) {
    assert!(avx2::is_available());
    #[expect(unsafe_code, reason = "only the caller can know what the processor has")]
    // SAFETY: the processor was asked.
    unsafe {
        avx2::find(marks, padded, len);
    }
}

#[cfg(target_arch = "x86_64")]
fn avx512_way(marks: &mut Marks, padded: &[u8], len: usize) {
    assert!(avx512::is_available());
    #[expect(unsafe_code, reason = "only the caller can know what the processor has")]
    // SAFETY: the processor was asked.
    unsafe {
        avx512::find(marks, padded, len);
    }
}

/// How many newlines there are.
pub(super) fn count_lines(text: &[u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if avx512::is_available() {
        #[expect(unsafe_code, reason = "only the caller can know what the processor has")]
        // SAFETY: the processor was asked.
        return unsafe { avx512::count_lines(text) };
    }
    memchr_iter(b'\n', text).count()
}

/// The text in chunks, each with its position. The last one has some of the padding.
#[cfg(target_arch = "x86_64")]
#[inline]
fn chunks(padded: &[u8], len: usize) -> impl Iterator<Item = (u32, &[u8; CHUNK_LEN])> {
    let chunks = &padded.as_chunks().0[..len.div_ceil(CHUNK_LEN)];
    (0..).step_by(CHUNK_LEN).zip(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(text: &[u8]) -> Vec<u8> {
        [text, &[0; PADDING]].concat()
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

    /// All ways agree on the text, but for fields that only the portable way can tell.
    fn check(text: &[u8]) {
        let mut portable = Marks::default();
        portable_way(&mut portable, text, text.len());
        assert_eq!(count_lines(text), portable.len());
        let mut expected = lines(&portable);
        for (from, to, closes) in &mut expected {
            // A comma at the start of a field looks like one between fields.
            let line = &text[*from as usize..*to as usize];
            if line.starts_with(b"\",") || memchr::memmem::find(line, b"\",\",").is_some() {
                *closes = None;
            }
        }
        for (name, way) in fast_ways() {
            let mut fast = Marks::default();
            way(&mut fast, &padded(text), text.len());
            assert_eq!(lines(&fast), expected, "{name}: {}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn fields_end_at_their_closing_quotes() {
        let mut marks = Marks::default();
        let text = b"\"a\",\"\",\"bc\"\nodd\n\"d\"\n";
        marks.find(&padded(text), text.len());
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
            let mut marks = Marks::default();
            marks.find(&padded(text.as_bytes()), text.len());
            let is_odd: Vec<bool> = marks.lines().map(|line| line.fields.is_none()).collect();
            assert_eq!(is_odd, [false, true, false], "{odd}");
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

//! Small numbers in the hybrid of repeated values and packed bits: definition levels, dictionary codes, booleans.
//!
//! Section "Run Length Encoding / Bit-Packing Hybrid (RLE = 3)" of the Parquet format. The decoder keeps positions and no
//! bytes: the page is handed in with every call, and must be the same each time. Nothing is returned when the bytes end
//! too early or cannot be what they should be.

/// How many values are packed together: they begin and end at whole bytes whatever their width.
const GROUP: usize = 8;
/// The bytes that eight values of the widest kind take, and those that a load of the last of them touches.
const AHEAD: usize = 40;

/// A position in a stream of numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hybrid {
    /// The bits of a value: at most 32.
    width: usize,
    /// What has not been looked at of the stream.
    at: usize,
    end: usize,
    run: ValueRun,
}

#[derive(Clone, Copy, Debug)]
enum ValueRun {
    Repeated {
        value: u32,
        left: usize,
    },
    Packed {
        /// Where the group of the next value begins.
        group: usize,
        /// Where the run ends.
        end: usize,
        /// How many values of the group have been read.
        taken: usize,
        left: usize,
    },
}

impl Hybrid {
    /// The stream in `at..end` of a page.
    pub(super) fn new(width: usize, at: usize, end: usize) -> Option<Self> {
        (width <= 32 && at <= end).then_some(Self { width, at, end, run: ValueRun::Repeated { value: 0, left: 0 } })
    }

    /// Bits without any heads of runs: plain booleans.
    pub(super) fn packed(width: usize, at: usize, end: usize) -> Option<Self> {
        let left = end.checked_sub(at)?.checked_mul(8)?.checked_div(width)?;
        Some(Self { width, at: end, end, run: ValueRun::Packed { group: at, end, taken: 0, left } })
    }

    /// Reads so many values, if they are all the same.
    pub(super) fn read_repeated(&mut self, bytes: &[u8], count: usize) -> Option<u32> {
        self.next_run(bytes)?;
        match &mut self.run {
            ValueRun::Repeated { value, left } if *left >= count => {
                *left -= count;
                Some(*value)
            }
            _ => None,
        }
    }

    /// Appends the next values.
    pub(super) fn read(&mut self, bytes: &[u8], count: usize, values: &mut Vec<u32>) -> Option<()> {
        let end = values.len() + count;
        while values.len() < end {
            self.next_run(bytes)?;
            let wanted = end - values.len();
            match &mut self.run {
                ValueRun::Repeated { value, left } => {
                    let count = wanted.min(*left);
                    values.resize(values.len() + count, *value);
                    *left -= count;
                }
                ValueRun::Packed { .. } => self.read_packed(bytes, wanted, values)?,
            }
        }
        Some(())
    }

    /// Makes sure that the current run has values left.
    fn next_run(&mut self, bytes: &[u8]) -> Option<()> {
        while self.run.is_over() {
            let head = self.varint(bytes)?;
            let count = usize::try_from(head >> 1).ok()?;
            self.run = if head & 1 == 1 { self.packed_run(count)? } else { self.repeated_run(bytes, count)? };
        }
        Some(())
    }

    fn varint(&mut self, bytes: &[u8]) -> Option<u32> {
        let mut value = 0;
        for shift in (0..32).step_by(7) {
            let byte = *bytes.get(..self.end)?.get(self.at)?;
            self.at += 1;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn repeated_run(&mut self, bytes: &[u8], left: usize) -> Option<ValueRun> {
        let len = self.width.div_ceil(8);
        let stored = bytes.get(..self.end)?.get(self.at..self.at + len)?;
        self.at += len;
        let mut value = [0; 4];
        value[..len].copy_from_slice(stored);
        let value = u32::from_le_bytes(value);
        (u64::from(value) >> self.width == 0).then_some(ValueRun::Repeated { value, left })
    }

    fn packed_run(&mut self, groups: usize) -> Option<ValueRun> {
        let available = self.end - self.at;
        // Some writers leave out the padding of the last group.
        let len = groups.checked_mul(self.width)?.min(available);
        let left = match self.width {
            0 => groups.checked_mul(GROUP)?,
            width => groups.checked_mul(GROUP)?.min(len * 8 / width),
        };
        if groups > 0 && left == 0 {
            return None;
        }
        let run = ValueRun::Packed { group: self.at, end: self.at + len, taken: 0, left };
        self.at += len;
        Some(run)
    }

    fn read_packed(&mut self, bytes: &[u8], wanted: usize, values: &mut Vec<u32>) -> Option<()> {
        let ValueRun::Packed { group, end, taken, left } = &mut self.run else { return Some(()) };
        let count = wanted.min(*left);
        let groups = (*taken + count).div_ceil(GROUP);
        let start = values.len();
        // Whole groups are unpacked, and what does not belong here is cut off.
        values.resize(start + groups * GROUP, 0);
        unpack(self.width, bytes.get(*group..*end)?, &mut values[start..]);
        if *taken > 0 {
            values.copy_within(start + *taken.., start);
        }
        values.truncate(start + count);
        *left -= count;
        *taken += count;
        *group += *taken / GROUP * self.width;
        *taken %= GROUP;
        Some(())
    }
}

impl ValueRun {
    fn is_over(&self) -> bool {
        matches!(self, Self::Repeated { left: 0, .. } | Self::Packed { left: 0, .. })
    }
}

/// Unpacks whole groups; bytes that are missing at the end are taken for zero.
fn unpack(width: usize, bytes: &[u8], values: &mut [u32]) {
    /// A function of its own for each width: shifts and masks become constants.
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                $($width => unpack_width::<$width>(bytes, values),)*
                _ => values.fill(0),
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
}

fn unpack_width<const WIDTH: usize>(mut bytes: &[u8], values: &mut [u32]) {
    let (groups, _) = values.as_chunks_mut::<GROUP>();
    for group in groups {
        *group = match bytes.first_chunk::<AHEAD>() {
            Some(ahead) => unpack_group::<WIDTH>(ahead),
            None => unpack_group::<WIDTH>(&padded(bytes)),
        };
        bytes = bytes.get(WIDTH..).unwrap_or_default();
    }
}

fn padded(bytes: &[u8]) -> [u8; AHEAD] {
    let mut padded = [0; AHEAD];
    let len = bytes.len().min(AHEAD);
    padded[..len].copy_from_slice(&bytes[..len]);
    padded
}

/// Values begin at the lowest bit; eight bytes from the byte where one begins hold all of it, as 7 + 32 < 64.
#[inline(always)]
fn unpack_group<const WIDTH: usize>(bytes: &[u8; AHEAD]) -> [u32; GROUP] {
    std::array::from_fn(|at| {
        let (byte, shift) = (at * WIDTH / 8, at * WIDTH % 8);
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[byte..byte + 8]);
        (u64::from_le_bytes(word) >> shift & ((1 << WIDTH) - 1)) as u32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(width: usize, values: &[u32]) -> Vec<u8> {
        let mut bits = vec![0_u8; (values.len() * width).div_ceil(8)];
        for (at, value) in values.iter().enumerate() {
            for bit in (0..width).filter(|bit| value >> bit & 1 == 1) {
                let to = at * width + bit;
                bits[to / 8] |= 1 << (to % 8);
            }
        }
        bits
    }

    /// Pseudo-random values of a width.
    fn values(width: usize, count: usize) -> Vec<u32> {
        let mask = (1_u64 << width) - 1;
        (1..=count as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 17 & mask) as u32).collect()
    }

    #[test]
    fn every_width_is_unpacked_in_pieces_of_any_length() {
        for width in 1..=32 {
            let expected = values(width, 8 * 21);
            let mut stream = vec![21 << 1 | 1];
            stream.extend(packed(width, &expected));
            for piece in [1, 3, 8, 11, 64, 168] {
                let mut hybrid = Hybrid::new(width, 0, stream.len()).expect("a width");
                let mut found = Vec::new();
                while found.len() < expected.len() {
                    let count = piece.min(expected.len() - found.len());
                    hybrid.read(&stream, count, &mut found).expect("values");
                }
                assert_eq!(found, expected, "{width} {piece}");
                assert_eq!(hybrid.read(&stream, 1, &mut found), None);
            }
        }
    }

    #[test]
    fn runs_of_both_kinds_follow_each_other() {
        // Three times 300, then a group, then nothing twice, then 5 times 1.
        let group = [1, 2, 3, 4, 5, 6, 7, 511];
        let stream =
            [&[3 << 1, 0x2c, 0x01, 1 << 1 | 1][..], &packed(9, &group), &[0 << 1, 0, 0, 5 << 1, 1, 0]].concat();
        let mut hybrid = Hybrid::new(9, 0, stream.len()).expect("a width");
        let mut found = Vec::new();
        assert_eq!(hybrid.read_repeated(&stream, 2), Some(300));
        assert_eq!(hybrid.read_repeated(&stream, 2), None);
        assert_eq!(hybrid.read(&stream, 14, &mut found), Some(()));
        assert_eq!(found, [&[300][..], &group, &[1; 5]].concat());
        assert_eq!(hybrid.read(&stream, 1, &mut found), None);
    }

    #[test]
    fn values_wider_than_their_stream_are_refused() {
        assert!(Hybrid::new(33, 0, 0).is_none());
        let stream = [8 << 1, 2];
        assert_eq!(Hybrid::new(1, 0, 2).expect("a width").read(&stream, 1, &mut Vec::new()), None);
        assert_eq!(Hybrid::new(2, 0, 2).expect("a width").read_repeated(&stream, 8), Some(2));
    }

    #[test]
    fn a_last_group_may_lack_its_padding_but_no_value() {
        let stream = [1 << 1 | 1, 0b1010_0101];
        let mut found = Vec::new();
        let mut hybrid = Hybrid::new(4, 0, 2).expect("a width");
        assert_eq!(hybrid.read(&stream, 2, &mut found), Some(()));
        assert_eq!((found.as_slice(), hybrid.read(&stream, 1, &mut found.clone())), (&[5, 10][..], None));
    }

    #[test]
    fn values_without_bits_are_zero() {
        let mut found = Vec::new();
        Hybrid::new(0, 0, 1).expect("a width").read(&[2 << 1 | 1], 16, &mut found).expect("zeros");
        assert_eq!(found, [0; 16]);
    }
}

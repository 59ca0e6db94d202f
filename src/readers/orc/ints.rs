//! Streams of integers: the run lengths of both versions ("Run Length Encoding").
//!
//! A run is decoded as a whole, at most 512 values. Unsigned values above 2^63 come out negative; whoever reads lengths
//! or codes refuses these anyway. Arithmetic wraps: a damaged run gives other values, never a panic.

use super::proto::varint;
use super::stream::Stream;
use crate::fault::UnitFault;
use crate::readers::damaged;

/// No run is longer: 512 values of 8 bytes, what stands in front of them, and 31 patches of 8 bytes.
const MAX_RUN_LEN: usize = 4 + 8 + 512 * 8 + 31 * 8;

/// How integers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IntForm {
    pub version: Version,
    pub sign: Sign,
}

/// The version of the run lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// Whether values can be negative; then the sign is the lowest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Signed,
    Unsigned,
}

/// The values of a stream, from first to last.
pub(super) struct Ints<'s> {
    stream: Stream<'s>,
    form: IntForm,
    run: Vec<i64>,
    /// How many values of the run have been read.
    read: usize,
}

impl<'s> Ints<'s> {
    pub(super) fn new(stream: Stream<'s>, form: IntForm) -> Self {
        Self { stream, form, run: Vec::new(), read: 0 }
    }

    /// Reads the next values in place of what `values` has.
    pub(super) fn read(&mut self, count: usize, values: &mut Vec<i64>) -> Result<(), UnitFault> {
        values.clear();
        while values.len() < count {
            if self.read == self.run.len() {
                self.next_run()?;
            }
            let run = &self.run[self.read..];
            let run = &run[..run.len().min(count - values.len())];
            values.extend_from_slice(run);
            self.read += run.len();
        }
        Ok(())
    }

    pub(super) fn is_at_end(&mut self) -> Result<bool, UnitFault> {
        Ok(self.read == self.run.len() && self.stream.is_at_end()?)
    }

    fn next_run(&mut self) -> Result<(), UnitFault> {
        let bytes = self.stream.fill(MAX_RUN_LEN)?;
        let mut rest = bytes;
        self.run.clear();
        self.form.read_run(&mut rest, &mut self.run).ok_or_else(|| damaged("a run of numbers ends too early"))?;
        let len = bytes.len() - rest.len();
        self.stream.take(len)?;
        self.read = 0;
        Ok(())
    }
}

impl IntForm {
    fn read_run(self, bytes: &mut &[u8], run: &mut Vec<i64>) -> Option<()> {
        match self.version {
            Version::V1 => self.read_v1(bytes, run),
            // "Each run starts with a header" whose first two bits are the kind of the run.
            Version::V2 => match bytes.first()? >> 6 {
                0 => self.read_short_repeat(bytes, run),
                1 => self.read_direct(bytes, run),
                2 => read_patched_base(bytes, run),
                _ => self.read_delta(bytes, run),
            },
        }
    }

    /// "Integer Run Length Encoding, version 1".
    fn read_v1(self, bytes: &mut &[u8], run: &mut Vec<i64>) -> Option<()> {
        let header = take(bytes)? as i8;
        if header < 0 {
            for _ in 0..header.unsigned_abs() {
                run.push(self.varint(bytes)?);
            }
            return Some(());
        }
        let delta = i64::from(take(bytes)? as i8);
        let base = self.varint(bytes)?;
        push_steps(run, base, delta, header as usize + 3);
        Some(())
    }

    fn read_short_repeat(self, bytes: &mut &[u8], run: &mut Vec<i64>) -> Option<()> {
        let header = take(bytes)?;
        let value = self.decode(big_endian(bytes, usize::from(header >> 3 & 7) + 1)?);
        push_steps(run, value, 0, usize::from(header & 7) + 3);
        Some(())
    }

    fn read_direct(self, bytes: &mut &[u8], run: &mut Vec<i64>) -> Option<()> {
        let (width, count) = width_and_count(bytes)?;
        match self.sign {
            Sign::Signed => unpack(bytes, WIDTHS[width], count, |value| run.push(unzigzag(value))),
            Sign::Unsigned => unpack(bytes, WIDTHS[width], count, |value| run.push(value as i64)),
        }
    }

    fn read_delta(self, bytes: &mut &[u8], run: &mut Vec<i64>) -> Option<()> {
        let (width, count) = width_and_count(bytes)?;
        let base = self.varint(bytes)?;
        let delta = unzigzag(varint(bytes)?);
        // Here the code of the shortest width says that all deltas are the same.
        if width == 0 {
            push_steps(run, base, delta, count);
            return Some(());
        }
        let mut value = base.wrapping_add(delta);
        run.extend([base, value].iter().take(count));
        let is_falling = delta < 0;
        unpack(bytes, WIDTHS[width], count.saturating_sub(2), |step| {
            let step = step as i64;
            value = if is_falling { value.wrapping_sub(step) } else { value.wrapping_add(step) };
            run.push(value);
        })
    }

    fn varint(self, bytes: &mut &[u8]) -> Option<i64> {
        Some(self.decode(varint(bytes)?))
    }

    fn decode(self, value: u64) -> i64 {
        if self.sign == Sign::Signed { unzigzag(value) } else { value as i64 }
    }
}

/// Values stand above a base, and the few that are too long for their width get their upper bits from a list of patches.
fn read_patched_base(bytes: &mut &[u8], run: &mut Vec<i64>) -> Option<()> {
    let (width, count) = width_and_count(bytes)?;
    let [third, fourth] = [take(bytes)?, take(bytes)?];
    let (width, patch_width) = (WIDTHS[width], WIDTHS[usize::from(third & 31)]);
    let base_len = usize::from(third >> 5) + 1;
    let (gap_width, patches) = (u32::from(fourth >> 5) + 1, usize::from(fourth & 31));
    let sign = 1_u64 << (base_len * 8 - 1);
    let base = big_endian(bytes, base_len)?;
    let base = if base & sign == 0 { base as i64 } else { ((base & !sign) as i64).wrapping_neg() };
    unpack(bytes, width, count, |value| run.push(value as i64))?;
    let patch_mask = u64::MAX >> (64 - patch_width);
    let entry_width = WIDTHS.into_iter().find(|fits| *fits >= patch_width + gap_width)?;
    let (mut at, mut is_sound) = (0, true);
    unpack(bytes, entry_width, patches, |entry| {
        let (gap, patch) = (entry.checked_shr(patch_width).unwrap_or(0), entry & patch_mask);
        at += gap as usize;
        // A gap that is too long for its width is made of several, and the first ones patch nothing.
        if patch != 0 {
            match (run.get_mut(at), patch.checked_shl(width)) {
                (Some(value), Some(upper)) => *value |= upper as i64,
                _ => is_sound = false,
            }
        }
    })?;
    run.iter_mut().for_each(|value| *value = value.wrapping_add(base));
    is_sound.then_some(())
}

/// The widths that five bits stand for ("Direct").
const WIDTHS: [u32; 32] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26, 28, 30, 32, 40, 48, 56,
    64,
];

/// Five bits for a width and nine for a number of values.
fn width_and_count(bytes: &mut &[u8]) -> Option<(usize, usize)> {
    let [first, second] = [take(bytes)?, take(bytes)?];
    Some((usize::from(first >> 1 & 31), (usize::from(first & 1) << 8 | usize::from(second)) + 1))
}

fn push_steps(run: &mut Vec<i64>, base: i64, step: i64, count: usize) {
    if step == 0 {
        run.resize(run.len() + count, base);
    } else {
        run.extend((0..count as i64).map(|at| base.wrapping_add(step.wrapping_mul(at))));
    }
}

fn take(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

fn big_endian(bytes: &mut &[u8], len: usize) -> Option<u64> {
    let (number, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(number.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Values of so many bits each, the highest first.
#[inline(always)]
fn unpack(bytes: &mut &[u8], width: u32, count: usize, mut each: impl FnMut(u64)) -> Option<()> {
    let len = (width as usize * count).div_ceil(8);
    let all = *bytes;
    *bytes = all.get(len..)?;
    for at in 0..count {
        let bit = at * width as usize;
        // 64 bits begin at a byte; all other widths leave room for the bits in front of them.
        each(word(all, bit / 8) << (bit % 8) >> (64 - width));
    }
    Some(())
}

/// Eight bytes from a position on, with zeros behind the last one.
#[inline(always)]
fn word(bytes: &[u8], from: usize) -> u64 {
    let bytes = bytes.get(from..).unwrap_or_default();
    match bytes.first_chunk() {
        Some(word) => u64::from_be_bytes(*word),
        None => bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)) << (8 * (8 - bytes.len())).min(63),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_reads(version: Version, sign: Sign, mut bytes: &[u8], expected: &[i64]) {
        let (whole, form) = (bytes, IntForm { version, sign });
        let mut run = Vec::new();
        assert_eq!((form.read_run(&mut bytes, &mut run), bytes), (Some(()), &[][..]));
        assert_eq!(run, expected);
        for len in 0..whole.len() {
            assert_eq!(form.read_run(&mut &whole[..len], &mut Vec::new()), None, "cut at {len}");
        }
    }

    /// The examples of the specification, "Integer Run Length Encoding, version 1".
    #[test]
    fn runs_of_the_first_version() {
        let (signed, unsigned) = (Sign::Signed, Sign::Unsigned);
        assert_reads(Version::V1, unsigned, &[0x61, 0x00, 0x07], &[7; 100]);
        assert_reads(Version::V1, unsigned, &[0x61, 0xff, 0x64], &(1..=100).rev().collect::<Vec<_>>());
        assert_reads(Version::V1, unsigned, &[0xfb, 2, 3, 4, 7, 0xb], &[2, 3, 4, 7, 11]);
        assert_reads(Version::V1, signed, &[0xfd, 1, 2, 0x80, 1], &[-1, 1, 64]);
        let largest = [[0xff; 9].as_slice(), &[1]].concat();
        assert_reads(Version::V1, signed, &[&[0xff], largest.as_slice()].concat(), &[i64::MIN]);
    }

    /// The examples of the specification, "Integer Run Length Encoding, version 2".
    #[test]
    fn runs_of_the_second_version() {
        let unsigned = Sign::Unsigned;
        assert_reads(Version::V2, unsigned, &[0x0a, 0x27, 0x10], &[10_000; 5]);
        let direct = [0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef];
        assert_reads(Version::V2, unsigned, &direct, &[23_713, 43_806, 57_005, 48_879]);
        let delta = [0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46];
        assert_reads(Version::V2, unsigned, &delta, &[2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
        let patched = [
            0x8e, 0x13, 0x2b, 0x21, 0x07, 0xd0, 0x1e, 0x00, 0x14, 0x70, 0x28, 0x32, 0x3c, 0x46, 0x50, 0x5a, 0x64, 0x6e,
            0x78, 0x82, 0x8c, 0x96, 0xa0, 0xaa, 0xb4, 0xbe, 0xfc, 0xe8,
        ];
        let mut values: Vec<i64> = (0..20).map(|at| 2000 + at * 10).collect();
        values[..5].copy_from_slice(&[2030, 2000, 2020, 1_000_000, 2040]);
        assert_reads(Version::V2, unsigned, &patched, &values);
    }

    #[test]
    fn signs_of_the_second_version() {
        let signed = Sign::Signed;
        assert_reads(Version::V2, signed, &[0x00, 0x03], &[-2; 3]);
        assert_reads(Version::V2, signed, &[0x42, 0x02, 0b0001_1011], &[0, -1, 1]);
        // All deltas the same: falling by ten from 20.
        assert_reads(Version::V2, signed, &[0xc0, 0x03, 0x28, 0x13], &[20, 10, 0, -10]);
        // Falling by ten, then by three and one.
        assert_reads(Version::V2, signed, &[0xc2, 0x03, 0x28, 0x13, 0b1101_0000], &[20, 10, 7, 6]);
        assert_reads(Version::V2, signed, &[0xc2, 0x00, 0x28, 0x13], &[20]);
        // A base below zero: its highest bit is the sign.
        assert_reads(Version::V2, signed, &[0x80, 0x01, 0x00, 0x00, 0x85, 0b1000_0000], &[-4, -5]);
    }

    #[test]
    fn every_width_is_unpacked() {
        for width in WIDTHS {
            for count in [1_usize, 2, 7, 8, 9, 100] {
                let largest = u64::MAX >> (64 - width);
                let values: Vec<u64> =
                    (1..=count as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) & largest).collect();
                let bits = values.iter().flat_map(|value| (0..width).rev().map(move |bit| value >> bit & 1 == 1));
                let bits: Vec<bool> = bits.collect();
                let byte =
                    |bits: &[bool]| bits.iter().zip(0..).fold(0, |byte, (bit, at)| byte | u8::from(*bit) << (7 - at));
                let packed: Vec<u8> = bits.chunks(8).map(byte).collect();
                let (mut rest, mut found) = (packed.as_slice(), Vec::new());
                assert_eq!(unpack(&mut rest, width, count, |value| found.push(value)), Some(()));
                assert_eq!((found, rest), (values, &[][..]), "{width}");
            }
        }
    }

    #[test]
    fn patches_that_lead_nowhere_are_refused() {
        let read = |bytes: &[u8]| read_patched_base(&mut &*bytes, &mut Vec::new());
        // One value of one bit, one patch of one bit with a gap of one bit.
        assert_eq!(read(&[0x80, 0x00, 0x00, 0x01, 0, 0, 0b0100_0000]), Some(()));
        assert_eq!(read(&[0x80, 0x00, 0x00, 0x01, 0, 0, 0b1100_0000]), None, "behind the last value");
        assert_eq!(read(&[0x80, 0x00, 0x1f, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "wider than any number");
    }

    /// Whatever bytes there are, a run is read or refused.
    #[test]
    fn no_bytes_make_a_run_panic() {
        let mut state = 1_u64;
        for _ in 0..200_000 {
            let mut bytes = [0; 24];
            for byte in &mut bytes {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                *byte = (state >> 56) as u8;
            }
            for version in [Version::V1, Version::V2] {
                for sign in [Sign::Signed, Sign::Unsigned] {
                    let mut run = Vec::new();
                    let _ = IntForm { version, sign }.read_run(&mut &bytes[..], &mut run);
                    assert!(run.len() <= 512);
                }
            }
        }
    }
}

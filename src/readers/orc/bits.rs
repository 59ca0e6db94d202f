//! Streams of bytes and of bits: the run lengths of bytes, and eight bits in each byte, the highest first ("Byte Run
//! Length Encoding", "Boolean Run Length Encoding").

use super::stream::Stream;
use crate::fault::UnitFault;
use crate::readers::damaged;

/// A header and 128 bytes.
const MAX_RUN_LEN: usize = 129;

/// The bits of a stream, from first to last.
pub(super) struct Bits<'s> {
    stream: Stream<'s>,
    run: Vec<u8>,
    /// How many bits of the run have been read.
    read: usize,
}

impl<'s> Bits<'s> {
    pub(super) fn new(stream: Stream<'s>) -> Self {
        Self { stream, run: Vec::new(), read: 0 }
    }

    /// Reads the next bits in place of what `bits` has.
    pub(super) fn read(&mut self, count: usize, bits: &mut Vec<u32>) -> Result<(), UnitFault> {
        bits.clear();
        while bits.len() < count {
            match self.run.get(self.read / 8) {
                None => self.next_run()?,
                Some(byte) => {
                    let first = self.read % 8;
                    let len = (8 - first).min(count - bits.len());
                    bits.extend((first..first + len).map(|at| u32::from(byte >> (7 - at) & 1)));
                    self.read += len;
                }
            }
        }
        Ok(())
    }

    /// Whether nothing is left but what fills the last byte up.
    pub(super) fn is_at_end(&mut self) -> Result<bool, UnitFault> {
        Ok(self.read.div_ceil(8) >= self.run.len() && self.stream.is_at_end()?)
    }

    fn next_run(&mut self) -> Result<(), UnitFault> {
        let bytes = self.stream.fill(MAX_RUN_LEN)?;
        self.run.clear();
        let len = read_run(bytes, &mut self.run).ok_or_else(|| damaged("a run of bytes ends too early"))?;
        self.stream.take(len)?;
        self.read = 0;
        Ok(())
    }
}

/// Returns how many bytes the run takes.
fn read_run(bytes: &[u8], run: &mut Vec<u8>) -> Option<usize> {
    let (&header, rest) = bytes.split_first()?;
    let header = header as i8;
    if header < 0 {
        let literals = rest.get(..usize::from(header.unsigned_abs()))?;
        run.extend_from_slice(literals);
        return Some(1 + literals.len());
    }
    run.resize(header as usize + 3, *rest.first()?);
    Some(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification.
    #[test]
    fn bytes_are_repeated_or_listed() {
        let read = |bytes: &[u8]| {
            let mut run = Vec::new();
            read_run(bytes, &mut run).map(|len| (len, run))
        };
        assert_eq!(read(&[0x61, 0x00]), Some((2, vec![0; 100])));
        assert_eq!(read(&[0xfe, 0x44, 0x45, 0x99]), Some((3, vec![0x44, 0x45])));
        assert_eq!(read(&[0x7f, 7]), Some((2, vec![7; 130])));
        assert_eq!(read(&[0x80, 1]), None);
        assert_eq!((read(&[]), read(&[0x00]), read(&[0xfe, 0x44])), (None, None, None));
    }
}

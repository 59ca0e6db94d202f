//! Numbers and texts of a run, in as few bytes as they need.

/// Bytes of a run that have not been read. They are our own: one that is missing is a mistake of this program, and a
/// panic is better than a group that is lost.
pub struct Encoded<'b>(pub(super) &'b [u8]);

impl<'b> Encoded<'b> {
    pub(super) fn take(&mut self, len: usize) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    pub(super) fn take_byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    /// The inverse of [`push_number`].
    pub(super) fn take_number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.take_byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }
}

/// Seven bits in each byte, the lowest first; the eighth says that more follow.
pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

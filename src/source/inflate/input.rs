//! The bytes and bits of a compressed file.

use std::io::{self, ErrorKind, Read};

use super::Damage;

/// The next bits of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bits {
    /// The next bit is the lowest.
    pub buffer: u64,
    /// How many there are; the rest of the buffer is zero.
    pub len: u32,
}

impl Bits {
    /// Drops bits that were looked at.
    #[inline]
    pub(super) fn drop_bits(&mut self, len: u32) -> Result<(), Damage> {
        self.len = self.len.checked_sub(len).ok_or(Damage::CutOff)?;
        self.buffer >>= len;
        Ok(())
    }
}

/// What comes next of the input: bits, and the bytes behind them that have been read.
pub(super) struct Ahead<'i> {
    bytes: &'i [u8],
    /// How many of the bytes are taken.
    at: usize,
    pub bits: Bits,
}

impl Ahead<'_> {
    /// The bytes behind the bits.
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Takes bits from the bytes, until there are enough for any symbol or nothing is left.
    #[inline]
    pub(super) fn refill(&mut self) {
        if let Some(eight) = self.unread().first_chunk() {
            self.bits.buffer |= u64::from_le_bytes(*eight) << self.bits.len;
            self.at += (63 - self.bits.len as usize) / 8;
            self.bits.len |= 56;
            self.bits.buffer &= (1 << self.bits.len) - 1;
            return;
        }
        while self.bits.len <= 56 && self.at < self.bytes.len() {
            self.bits.buffer |= u64::from(self.bytes[self.at]) << self.bits.len;
            self.bits.len += 8;
            self.at += 1;
        }
    }

    /// Takes some bits, of which the first is the lowest; at most 32.
    #[inline]
    pub(super) fn take(&mut self, len: u32) -> Result<u32, Damage> {
        if self.bits.len < len {
            self.refill();
        }
        let bits = self.bits.buffer & ((1 << len) - 1);
        self.bits.drop_bits(len)?;
        Ok(bits as u32)
    }
}

/// Reads bytes, and bits of them.
pub(super) struct Input<R> {
    reader: R,
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    /// Whether the reader has no more.
    is_last: bool,
    pub bits: Bits,
}

impl<R: Read> Input<R> {
    pub(super) fn new(reader: R, buffer: Box<[u8]>) -> Self {
        Self { reader, buffer, from: 0, to: 0, is_last: false, bits: Bits::default() }
    }

    pub(super) fn reader(&self) -> &R {
        &self.reader
    }

    pub(super) fn into_buffer(self) -> Box<[u8]> {
        self.buffer
    }

    /// Makes sure that so many bytes, or all that are left, can be taken without reading.
    pub(super) fn ensure(&mut self, len: usize) -> io::Result<()> {
        if self.to - self.from >= len || self.is_last {
            return Ok(());
        }
        self.give_back();
        self.buffer.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        while self.to < len && !self.is_last {
            match self.reader.read(&mut self.buffer[self.to..]) {
                Ok(read) => {
                    self.is_last = read == 0;
                    self.to += read;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The bytes behind the bits, as far as they have been read.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.from..self.to]
    }

    /// Skips bytes that were unread.
    pub(super) fn skip(&mut self, len: usize) {
        self.from = self.to.min(self.from + len);
    }

    /// Reads from what has been read already. Bits are in a variable of their own meanwhile, so they stay in registers.
    #[inline]
    pub(super) fn read_ahead<T>(&mut self, read: impl FnOnce(&mut Ahead<'_>) -> T) -> T {
        let mut ahead = Ahead { bytes: self.unread(), at: 0, bits: self.bits };
        let result = read(&mut ahead);
        let (taken, bits) = (ahead.at, ahead.bits);
        self.skip(taken);
        self.bits = bits;
        result
    }

    pub(super) fn refill(&mut self) {
        self.read_ahead(|ahead| ahead.refill());
    }

    pub(super) fn take_bits(&mut self, len: u32) -> Result<u32, Damage> {
        self.read_ahead(|ahead| ahead.take(len))
    }

    /// Gives the bits of whole bytes back; fewer than eight stay.
    pub(super) fn give_back(&mut self) {
        self.from -= (self.bits.len / 8) as usize;
        self.bits.len %= 8;
        self.bits.buffer &= (1 << self.bits.len) - 1;
    }

    /// Drops the bits of the byte that was begun.
    pub(super) fn align(&mut self) {
        self.give_back();
        self.bits = Bits::default();
    }

    /// Takes a byte; only where bits are aligned.
    pub(super) fn take_byte(&mut self) -> io::Result<u8> {
        self.ensure(1)?;
        let byte = self.unread().first().copied().ok_or(Damage::CutOff)?;
        self.skip(1);
        Ok(byte)
    }

    pub(super) fn take_bytes<const LEN: usize>(&mut self) -> io::Result<[u8; LEN]> {
        let mut bytes = [0; LEN];
        for byte in &mut bytes {
            *byte = self.take_byte()?;
        }
        Ok(bytes)
    }
}

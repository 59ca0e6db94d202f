//! The written form of records: numbers, hashes and texts one after the other.

use crate::timestamp::Timestamp;

/// What is left of a record to be read. Records are our own, so one that cannot be read is our mistake, and whoever reads
/// it leaves it out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'r>(pub(super) &'r [u8]);

impl<'r> Fields<'r> {
    pub(super) fn array<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        self.byte().map(|byte| byte != 0)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        self.array().map(i64::from_be_bytes).and_then(Timestamp::from_millis)
    }

    pub(super) fn text(&mut self) -> Option<&'r [u8]> {
        let len = self.number()? as usize;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(text)
    }
}

/// Appends fields.
pub(super) trait PutFields {
    fn put_number(&mut self, number: u32);
    /// In a form that has the order of the times.
    fn put_time(&mut self, time: Timestamp);
    fn put_text(&mut self, text: &[u8]);
}

impl PutFields for Vec<u8> {
    fn put_number(&mut self, number: u32) {
        self.extend_from_slice(&number.to_le_bytes());
    }

    fn put_time(&mut self, time: Timestamp) {
        self.extend_from_slice(&time.as_millis().to_be_bytes());
    }

    fn put_text(&mut self, text: &[u8]) {
        // No text is longer than the digest that it is from.
        self.put_number(text.len() as u32);
        self.extend_from_slice(text);
    }
}

//! The part of a log's text that is in memory: the record being read, and what was read behind it.

use std::io::{self, Read};

use super::{MAX_RECORD, ScanError};

/// How much is asked for at once. Small enough to stay in the cache until it is split and parsed.
const CHUNK: usize = 128 << 10;
/// The longest record always fits, with room behind it.
const ROOM: usize = MAX_RECORD + CHUNK;

/// A buffer, and where in it and in the text we are.
#[derive(Debug)]
pub(super) struct Window {
    buffer: Vec<u8>,
    /// The offset of the buffer's first byte in the text.
    base: u64,
    /// Bytes before it are not needed any more.
    from: usize,
    /// Bytes before it are split.
    at: usize,
    /// Bytes before it are text.
    end: usize,
    /// The offset of the record that is open.
    opened: Option<u64>,
}

impl Default for Window {
    fn default() -> Self {
        Self { buffer: vec![0; ROOM], base: 0, from: 0, at: 0, end: 0, opened: None }
    }
}

impl Window {
    /// Forgets the text before.
    pub(super) fn restart(&mut self) {
        (self.base, self.from, self.at, self.end, self.opened) = (0, 0, 0, 0, None);
    }

    /// What is not split yet.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.at..self.end]
    }

    /// The offset of [`Self::unread`] in the text.
    pub(super) fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    /// A record begins with the byte `ahead` of here.
    pub(super) fn open(&mut self, ahead: usize) {
        self.from = self.at + ahead;
        self.opened = Some(self.base + self.from as u64);
        self.at = self.from + 1;
    }

    /// The record ends before the byte `ahead` of here. Nothing: it is longer than [`MAX_RECORD`].
    pub(super) fn close(&mut self, ahead: usize) -> Option<&[u8]> {
        self.at += ahead;
        self.from = self.at;
        let len = self.position() - self.opened.take()?;
        let len = usize::try_from(len).ok().filter(|len| *len <= MAX_RECORD)?;
        self.buffer.get(self.at - len..self.at)
    }

    /// Reads on when all is split. Returns the number of bytes; none: the text has ended.
    pub(super) fn fill(&mut self, input: &mut dyn Read) -> Result<usize, ScanError> {
        self.at = self.end;
        self.make_room();
        let until = self.buffer.len().min(self.end + CHUNK);
        loop {
            match input.read(&mut self.buffer[self.end..until]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ScanError::Read { at: self.position(), error }),
            }
        }
    }

    /// Moves the open record to the front, if what is moved is less than what was read since the last move: then moving
    /// costs no more than reading, whatever the sizes of records and of reads.
    fn make_room(&mut self) {
        let too_long = |opened: u64| self.position() - opened > MAX_RECORD as u64;
        if self.opened.is_none_or(too_long) {
            self.from = self.at;
        }
        let kept = self.end - self.from;
        if kept <= self.from || self.end == self.buffer.len() {
            self.buffer.copy_within(self.from..self.end, 0);
            self.base += self.from as u64;
            (self.from, self.at, self.end) = (0, kept, kept);
        }
    }
}

//! The part of a text that is in memory: the item being read, and what was read behind it.

use std::io::{self, Read};

use super::{MAX_ITEM, TextError};

/// How much is asked for at once. Small enough to stay in the cache until it is split and parsed.
const CHUNK: usize = 128 << 10;
/// The longest item always fits, with room behind it.
const ROOM: usize = MAX_ITEM + CHUNK;

/// A buffer, and where in it and in the text we are.
#[derive(Debug, Default)]
pub(in crate::evidence) struct TextWindow {
    buffer: Vec<u8>,
    /// The offset of the buffer's first byte in the text.
    base: u64,
    /// Bytes before it are not needed any more.
    from: usize,
    /// Bytes before it are split.
    at: usize,
    /// Bytes before it are text.
    end: usize,
    /// The offset of the item that is open.
    opened: Option<u64>,
}

impl TextWindow {
    /// Forgets the text before.
    pub(super) fn restart(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = vec![0; ROOM];
        }
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

    /// An item begins with the byte `ahead` of here.
    pub(super) fn open(&mut self, ahead: usize) {
        self.from = self.at + ahead;
        self.opened = Some(self.base + self.from as u64);
        self.at = self.from + 1;
    }

    /// The item ends before the byte `ahead` of here. Nothing: it is longer than [`MAX_ITEM`].
    pub(super) fn close(&mut self, ahead: usize) -> Option<&[u8]> {
        self.at += ahead;
        self.from = self.at;
        let len = self.position() - self.opened.take()?;
        let len = usize::try_from(len).ok().filter(|len| *len <= MAX_ITEM)?;
        self.buffer.get(self.at - len..self.at)
    }

    /// What is open is not needed as a whole. What comes next is `ahead` of here.
    pub(super) fn release(&mut self, ahead: usize) {
        self.at += ahead;
        (self.from, self.opened) = (self.at, None);
    }

    /// Reads on when all is split. Returns the number of bytes; none: the text has ended.
    pub(super) fn fill(&mut self, input: &mut dyn Read) -> Result<usize, TextError> {
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
                Err(error) => return Err(TextError::Read { at: self.position(), error }),
            }
        }
    }

    /// Moves the open item to the front, if what is moved is less than what was read since the last move: then moving
    /// costs no more than reading, whatever the sizes of items and of reads.
    fn make_room(&mut self) {
        let too_long = |opened: u64| self.position() - opened > MAX_ITEM as u64;
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

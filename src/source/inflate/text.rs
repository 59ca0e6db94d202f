//! The text that comes out, and how far back it can be copied from.

use std::ops::Range;

/// RFC 1951, 2: no distance is longer.
pub(super) const WINDOW_LEN: usize = 32 << 10;

/// What one read gives.
pub(super) struct Text<'t> {
    pub bytes: &'t mut [u8],
    /// How many bytes are text.
    pub len: usize,
    /// Where the text of the member begins, or that of this read if it began earlier.
    pub member: usize,
    /// The end of what earlier reads gave of the member.
    pub history: &'t [u8],
}

impl<'t> Text<'t> {
    /// A read that goes on at a position.
    pub(super) fn new(bytes: &'t mut [u8], from: usize, history: &'t [u8]) -> Self {
        Self { bytes, len: from, member: from, history }
    }

    /// What is written from now on has nothing to do with what was.
    pub(super) fn start_member(&mut self) {
        self.member = self.len;
        self.history = &[];
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == self.bytes.len()
    }

    /// Writes as much as there is room for; returns how much that was.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let room = &mut self.bytes[self.len..];
        let len = room.len().min(bytes.len());
        room[..len].copy_from_slice(&bytes[..len]);
        self.len += len;
        len
    }

    /// Whether there are so many bytes before the next.
    pub(super) fn reaches(&self, distance: usize) -> bool {
        distance <= self.len - self.member + self.history.len()
    }

    /// Copies as much as there is room for from a distance that is [reached](Self::reaches); returns how much that was.
    pub(super) fn copy(&mut self, distance: usize, len: usize) -> usize {
        let len = len.min(self.bytes.len() - self.len);
        let mut left = len;
        let before = distance.saturating_sub(self.len - self.member);
        if before > 0 {
            let from = self.history.len() - before;
            left -= self.write(&self.history[from..from + before.min(left)]);
        }
        while left > 0 {
            // Where copies overlap, what was copied is copied again.
            let (from, len) = (self.len - distance, left.min(distance));
            self.bytes.copy_within(from..from + len, self.len);
            self.len += len;
            left -= len;
        }
        len
    }

    /// What later reads may copy from: so many of the last bytes of the history, and the last of the text.
    pub(super) fn window(&self) -> (usize, Range<usize>) {
        let text = self.member.max(self.len.saturating_sub(WINDOW_LEN))..self.len;
        (self.history.len().min(WINDOW_LEN - text.len()), text)
    }
}

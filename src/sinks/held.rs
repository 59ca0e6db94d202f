//! Lines that wait in memory for their place in a list, while there is room for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::work::lock;

/// Writers of lines hand them over when so many bytes have come together.
pub(crate) const LINES_LEN: usize = 1 << 16;
/// What a buffer of so many lines takes: the last one can be long.
const BUFFER_LEN: usize = LINES_LEN + (1 << 13);

/// How many bytes of lines may wait in memory. Workers share it.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<SharedRoom>);

#[derive(Debug)]
struct SharedRoom {
    left: AtomicU64,
    /// Buffers that were used: new ones would be new pages, which cost as much as a copy of the lines.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// Lines that take some of the room until they are dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lines: Vec<u8>,
    pub(super) rows: u64,
    taken: u64,
    room: Room,
}

impl Room {
    /// So much of it is for lines that do not wait for others: were it all taken by those that do, all would have to go
    /// through files.
    const RESERVED: u64 = 16 << 20;

    /// So many buffers are kept.
    const MAX_SPARE: usize = 1 << 8;

    /// Room for so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Arc::new(SharedRoom { left: AtomicU64::new(bytes), spare: Mutex::default() }))
    }

    /// Takes the lines over, if there is room for them. `is_first` says whether they are the next ones of a list.
    pub(super) fn hold(&self, lines: &mut Vec<u8>, rows: u64, is_first: bool) -> Option<Held> {
        // Few lines do not take a large buffer with them.
        let is_full = lines.len() >= LINES_LEN;
        let taken = if is_full { lines.capacity() } else { lines.len() } as u64;
        let spared = if is_first { 0 } else { Self::RESERVED };
        let take = |left: u64| left.checked_sub(taken).filter(|left| *left >= spared);
        self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        let held = if is_full { std::mem::replace(lines, self.spare()) } else { lines.clone() };
        lines.clear();
        Some(Held { lines: held, rows, taken, room: self.clone() })
    }

    fn spare(&self) -> Vec<u8> {
        lock(&self.0.spare).pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_LEN))
    }
}

impl Held {
    /// How many bytes they are.
    pub(super) fn len(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Appends lines that come next.
    pub(super) fn absorb(&mut self, mut next: Self) {
        self.lines.extend_from_slice(&next.lines);
        self.rows = self.rows.saturating_add(next.rows);
        self.taken += std::mem::take(&mut next.taken);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.0.left.fetch_add(self.taken, Ordering::Relaxed);
        let mut lines = std::mem::take(&mut self.lines);
        if (LINES_LEN..=BUFFER_LEN).contains(&lines.capacity()) {
            let mut spare = lock(&self.room.0.spare);
            if spare.len() < Room::MAX_SPARE {
                lines.clear();
                spare.push(lines);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(room: &Room) -> u64 {
        room.0.left.load(Ordering::Relaxed)
    }

    #[test]
    fn room_is_taken_and_given_back() {
        let room = Room::new(Room::RESERVED + 10);
        let hold = |lines: &str, is_first| room.hold(&mut lines.as_bytes().to_vec(), 1, is_first);
        let mut first = hold("1234", false).expect("room");
        let second = hold("56789", false).expect("room");
        assert!(hold("ab", false).is_none());
        assert_eq!(left(&room), Room::RESERVED + 1);
        drop(hold("ab", true).expect("room"));
        first.absorb(second);
        assert_eq!((first.lines.as_slice(), first.rows, left(&room)), (&b"123456789"[..], 2, Room::RESERVED + 1));
        drop(first);
        assert_eq!(left(&room), Room::RESERVED + 10);
        assert!(hold(&"x".repeat(Room::RESERVED as usize + 11), true).is_none());
    }

    #[test]
    fn full_buffers_are_used_again_and_few_lines_take_none() {
        let room = Room::new(1 << 20);
        let mut lines = Vec::with_capacity(BUFFER_LEN);
        let buffer = lines.as_ptr();
        lines.resize(LINES_LEN, b'x');
        let held = room.hold(&mut lines, 1, true).expect("room");
        assert_eq!((held.lines.as_ptr(), left(&room), lines.len()), (buffer, (1 << 20) - BUFFER_LEN as u64, 0));
        drop(held);
        lines.push(b'y');
        let few = room.hold(&mut lines, 1, true).expect("room");
        assert_eq!((few.lines.as_slice(), left(&room), lines.len()), (&b"y"[..], (1 << 20) - 1, 0));
        lines.resize(LINES_LEN, b'z');
        let next = room.hold(&mut lines, 1, true).expect("room");
        assert_eq!(lines.as_ptr(), buffer);
        assert!(next.lines.iter().all(|&byte| byte == b'z'));
    }
}

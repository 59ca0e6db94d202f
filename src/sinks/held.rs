//! Lines that wait in memory for their place in a list, while there is room for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes of lines may wait in memory. Workers share it.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<AtomicU64>);

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

    /// Room for so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// A copy of the lines, if there is room for it. Their buffer, which is hot, stays with its owner. `is_first` says
    /// whether they are the next ones of a list.
    pub(super) fn hold(&self, lines: &[u8], rows: u64, is_first: bool) -> Option<Held> {
        let (taken, spared) = (lines.len() as u64, if is_first { 0 } else { Self::RESERVED });
        let take = |left: u64| left.checked_sub(taken).filter(|left| *left >= spared);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Held { lines: lines.to_vec(), rows, taken, room: self.clone() })
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
        self.room.0.fetch_add(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(room: &Room) -> u64 {
        room.0.load(Ordering::Relaxed)
    }

    #[test]
    fn room_is_taken_and_given_back() {
        let room = Room::new(Room::RESERVED + 10);
        let mut first = room.hold(b"1234", 1, false).expect("room");
        let second = room.hold(b"56789", 1, false).expect("room");
        assert!(room.hold(b"ab", 1, false).is_none());
        assert_eq!(left(&room), Room::RESERVED + 1);
        drop(room.hold(b"ab", 1, true).expect("room"));
        first.absorb(second);
        assert_eq!((first.lines.as_slice(), first.rows, left(&room)), (&b"123456789"[..], 2, Room::RESERVED + 1));
        drop(first);
        assert_eq!(left(&room), Room::RESERVED + 10);
        assert!(room.hold(&vec![0; Room::RESERVED as usize + 11], 1, true).is_none());
    }
}

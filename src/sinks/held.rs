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
    /// Room for so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// A copy of the lines, if there is room for it. Their buffer, which is hot, stays with its owner.
    pub(super) fn hold(&self, lines: &[u8], rows: u64) -> Option<Held> {
        let taken = lines.len() as u64;
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(taken)).ok()?;
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
        let room = Room::new(10);
        let mut first = room.hold(b"1234", 1).expect("room");
        let second = room.hold(b"56789", 1).expect("room");
        assert!(room.hold(b"ab", 1).is_none());
        assert_eq!(left(&room), 1);
        first.absorb(second);
        assert_eq!((first.lines.as_slice(), first.rows, left(&room)), (&b"123456789"[..], 2, 1));
        drop(first);
        assert_eq!(left(&room), 10);
    }
}

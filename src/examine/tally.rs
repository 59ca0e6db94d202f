//! Counting at the speed of rows: one cell for each (place, month, status, ruling).
//!
//! Neighbouring rows fall into the same cell, so the last one is remembered; rollups of names are only touched when the
//! cells are folded into a [`Partial`].

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::amounts::Amount;
use crate::partial::{Cell, Partial};
use crate::policy::{Ruling, Status};
use crate::rollup::Place;
use crate::timestamp::Month;

/// The position of a place in the list that belongs to the tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaceId(pub(crate) u32);

impl PlaceId {
    /// One more than the largest position.
    pub(crate) const LIMIT: usize = 1 << 16;
}

/// The position of a cell in the tally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CellId(usize);

/// Cells beyond this are folded before more are made, so that memory does not grow with the input.
const MAX_CELLS: usize = 1 << 16;

/// Counts of rows that have not been folded yet.
#[derive(Default)]
pub(crate) struct Tally {
    cells: Vec<(PlaceId, Cell)>,
    positions: HashMap<u64, u32, RandomState>,
    last: (u64, CellId),
}

impl Tally {
    /// Counts objects; says where, for others like them.
    #[inline]
    pub(crate) fn add(
        &mut self,
        place: PlaceId,
        month: Option<Month>,
        status: Status,
        ruling: Ruling,
        amount: Amount,
    ) -> CellId {
        let key = cell_key(place, month, status, ruling);
        if self.cells.is_empty() || self.last.0 != key {
            self.last = (key, self.find(key, place, month, status, ruling));
        }
        self.add_again(self.last.1, amount);
        self.last.1
    }

    /// Counts more objects where some were counted, if nothing was folded or forgotten since.
    #[inline]
    pub(crate) fn add_again(&mut self, cell: CellId, amount: Amount) {
        self.cells[cell.0].1.amount.add(amount);
    }

    fn find(&mut self, key: u64, place: PlaceId, month: Option<Month>, status: Status, ruling: Ruling) -> CellId {
        let next = self.cells.len() as u32;
        let at = *self.positions.entry(key).or_insert(next);
        if at == next {
            self.cells.push((place, Cell { month, status, ruling, amount: Amount::default() }));
        }
        CellId(at as usize)
    }

    /// Whether it must be folded before it counts more.
    pub(crate) fn is_full(&self) -> bool {
        self.cells.len() >= MAX_CELLS
    }

    /// Moves all counts into a partial. `places` are those that the ids of this tally stand for.
    pub(crate) fn fold(&mut self, places: &[Place], partial: &mut Partial) {
        for (place, cell) in self.cells.drain(..) {
            partial.count(&places[place.0 as usize], &cell);
        }
        self.positions.clear();
        partial.bound_rollups();
    }

    /// Forgets all counts.
    pub(crate) fn clear(&mut self) {
        self.cells.clear();
        self.positions.clear();
    }
}

/// Everything that tells cells apart, in one number. A month after 9999 does not exist, so 17 bits hold each.
fn cell_key(place: PlaceId, month: Option<Month>, status: Status, ruling: Ruling) -> u64 {
    const MONTH_BITS: u32 = 17;
    const STATUS_BITS: u32 = 3;
    const {
        assert!(Ruling::CODE_BITS + MONTH_BITS + STATUS_BITS + PlaceId::LIMIT.ilog2() <= u64::BITS);
    }
    let month = month.map_or(0, |month| u64::from(month.as_index()) + 1);
    let key = u64::from(place.0) << MONTH_BITS | month;
    (key << STATUS_BITS | status as u64) << Ruling::CODE_BITS | u64::from(ruling.code())
}

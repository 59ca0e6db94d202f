//! Objects by storage class, a whole column at once.

use super::stored::code;
use crate::amounts::Amount;
use crate::batch::{Batch, Flag, Flags, Numbers, RowState};
use crate::partial::Partial;
use crate::remediation::ClassCell;

/// Where a row is counted: its class, or behind them.
#[derive(Clone, Copy)]
struct Slot(u8);

impl Slot {
    const COUNT: usize = ClassCell::COUNT + 1;
    const NO_OBJECT: Self = Self(ClassCell::COUNT as u8);
}

impl From<ClassCell> for Slot {
    fn from(cell: ClassCell) -> Self {
        Self(cell.as_index() as u8)
    }
}

/// Objects by storage class, until they are folded.
#[derive(Default)]
pub(super) struct ClassCounts {
    amounts: [Amount; Slot::COUNT],
    slots: Vec<Slot>,
    /// Rows of the batch that were rejected.
    rejected: Vec<u32>,
}

impl ClassCounts {
    pub(super) fn begin_batch(&mut self) {
        self.rejected.clear();
    }

    /// A row of the batch is none that counts.
    pub(super) fn reject(&mut self, row: usize) {
        self.rejected.push(row as u32);
    }

    /// Counts the objects of a batch when all rejected rows are known. What is no object is counted beside the classes, so that no
    /// row takes a way of its own.
    pub(super) fn count(&mut self, batch: &Batch<'_>) {
        code(
            &batch.storage_class,
            ClassCell::ABSENT.into(),
            |text| ClassCell::parse(text).into(),
            batch.len,
            &mut self.slots,
        );
        for &row in &self.rejected {
            self.slots[row as usize] = Slot::NO_OBJECT;
        }
        if let Some(states) = batch.states {
            let blank = self.slots.iter_mut().zip(states).filter(|(_, state)| **state == RowState::Blank);
            blank.for_each(|(slot, _)| *slot = Slot::NO_OBJECT);
        }
        if let Flags::Plain(flags) = batch.is_delete_marker {
            for (slot, flag) in self.slots.iter_mut().zip(flags) {
                *slot = if *flag == Flag::True { Slot::NO_OBJECT } else { *slot };
            }
        }
        match batch.size {
            Numbers::Absent => self.slots.iter().for_each(|slot| self.amounts[slot.0 as usize].objects += 1),
            Numbers::Plain(sizes) => {
                for (slot, size) in self.slots.iter().zip(sizes) {
                    let amount = &mut self.amounts[slot.0 as usize];
                    amount.add(Amount::object(size.size().ok().flatten().unwrap_or(0)));
                }
            }
        }
    }

    pub(super) fn fold(&mut self, partial: &mut Partial) {
        let sums = partial.by_class.iter_mut().zip(std::mem::take(&mut self.amounts));
        sums.for_each(|(sum, amount)| sum.add(amount));
    }

    pub(super) fn forget(&mut self) {
        self.amounts = Default::default();
    }
}

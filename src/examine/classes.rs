//! Objects by storage class, a whole column at once.

use super::stored::code;
use crate::amounts::Amount;
use crate::batch::{Batch, Flag, RowState};
use crate::partial::Partial;
use crate::remediation::ClassCell;

/// Objects by storage class, until they are folded.
#[derive(Default)]
pub(super) struct ClassCounts {
    amounts: [Amount; ClassCell::COUNT],
    cells: Vec<ClassCell>,
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

    /// Counts the objects of a batch when all rejected rows are known. Most rows are like the one before: their sum stays out
    /// of memory until another class comes.
    pub(super) fn count(&mut self, batch: &Batch<'_>) {
        code(&batch.storage_class, ClassCell::ABSENT, ClassCell::parse, batch.len, &mut self.cells);
        self.rejected.sort_unstable();
        let mut rejected = self.rejected.iter().peekable();
        let (mut last, mut run) = (ClassCell::ABSENT, Amount::default());
        for (at, &cell) in self.cells.iter().enumerate() {
            let is_blank = batch.states.is_some_and(|states| states[at] == RowState::Blank);
            if batch.is_delete_marker.get(at) == Flag::True || is_blank {
                // A marker can be rejected, too.
                rejected.next_if(|row| **row == at as u32);
                continue;
            }
            if rejected.next_if(|row| **row == at as u32).is_some() {
                continue;
            }
            if cell != last {
                self.amounts[last.as_index()].add(std::mem::take(&mut run));
                last = cell;
            }
            run.add(Amount::object(batch.size.get(at).size().ok().flatten().unwrap_or(0)));
        }
        self.amounts[last.as_index()].add(run);
    }

    pub(super) fn fold(&mut self, partial: &mut Partial) {
        let sums = partial.by_class.iter_mut().zip(std::mem::take(&mut self.amounts));
        sums.for_each(|(sum, amount)| sum.add(amount));
    }

    pub(super) fn forget(&mut self) {
        self.amounts = Default::default();
    }
}

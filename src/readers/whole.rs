//! Units that are read whole, by one worker and in order.

use super::Part;
use super::Rows;
use super::Scratch;
use super::UnitFacts;
use super::UnitFile;
use super::UnitReader;
use crate::batch::{Batch, ColumnSet};
use crate::fault::UnitFault;
use crate::plan::Unit;
use crate::work::caught;

/// Why something was not read whole.
#[derive(Debug)]
pub(crate) enum NotWhole<E> {
    /// It is at fault: what was handed over of it counts for nothing.
    Fault(UnitFault),
    /// Whoever takes the batches cannot go on.
    Taker(E),
    /// It was ended early.
    Cancelled,
}

/// Reads units whole, one after the other.
#[derive(Default)]
pub(crate) struct WholeReader {
    scratch: Scratch,
}

impl WholeReader {
    /// Hands over all batches of a unit that is what its manifest says.
    pub(crate) fn read<E>(
        &mut self,
        unit: &Unit<'_>,
        wanted: ColumnSet,
        is_over: &dyn Fn() -> bool,
        each: &mut dyn FnMut(&Batch<'_>) -> Result<(), E>,
    ) -> Result<UnitFacts, NotWhole<E>> {
        self.read_all(|| UnitReader::new(unit, UnitFile::open(unit)?), wanted, is_over, each)
    }

    /// Hands over all batches of what `open` opens.
    pub(crate) fn read_all<E>(
        &mut self,
        open: impl FnOnce() -> Result<UnitReader, UnitFault>,
        wanted: ColumnSet,
        is_over: &dyn Fn() -> bool,
        each: &mut dyn FnMut(&Batch<'_>) -> Result<(), E>,
    ) -> Result<UnitFacts, NotWhole<E>> {
        self.safely(|scratch| read_to_end(open().map_err(NotWhole::Fault)?, wanted, scratch, is_over, each))
    }

    /// Hands over the batches of some rows of a file.
    pub(crate) fn read_rows<E>(
        &mut self,
        rows: Rows,
        wanted: ColumnSet,
        is_over: &dyn Fn() -> bool,
        each: &mut dyn FnMut(&Batch<'_>) -> Result<(), E>,
    ) -> Result<(), NotWhole<E>> {
        self.safely(|scratch| read_rows(rows, wanted, scratch, is_over, each).map(drop))
    }

    /// A panic of a reader is a fault of the file.
    fn safely<R, E>(&mut self, read: impl FnOnce(&mut Scratch) -> Result<R, NotWhole<E>>) -> Result<R, NotWhole<E>> {
        let read = caught(|| read(&mut self.scratch));
        let read = read.unwrap_or_else(|why| Err(NotWhole::Fault(UnitFault::Panicked(why))));
        if read.is_err() {
            // Whatever state the reader left it in.
            self.scratch = Scratch::default();
        }
        read
    }
}

/// Hands over the batches of some rows; says how many rows there were.
fn read_rows<E>(
    rows: Rows,
    wanted: ColumnSet,
    scratch: &mut Scratch,
    is_over: &dyn Fn() -> bool,
    each: &mut dyn FnMut(&Batch<'_>) -> Result<(), E>,
) -> Result<u64, NotWhole<E>> {
    let (mut found, mut taken) = (0, Ok(()));
    let read = rows.read(wanted, scratch, is_over, &mut |batch, _| {
        found += batch.len as u64;
        if taken.is_ok() {
            taken = each(batch);
        }
        Ok(())
    });
    taken.map_err(NotWhole::Taker)?;
    read.map_err(NotWhole::Fault)?;
    Ok(found)
}

fn read_to_end<E>(
    mut reader: UnitReader,
    wanted: ColumnSet,
    scratch: &mut Scratch,
    is_over: &dyn Fn() -> bool,
    each: &mut dyn FnMut(&Batch<'_>) -> Result<(), E>,
) -> Result<UnitFacts, NotWhole<E>> {
    let mut found = 0;
    while let Some(part) = reader.next_part(scratch).map_err(NotWhole::Fault)? {
        match part {
            Part::Checksum(checksum) => checksum.check(is_over).map_err(NotWhole::Fault)?,
            Part::Rows(rows) => found += read_rows(rows, wanted, scratch, is_over, each)?,
        }
        if is_over() {
            return Err(NotWhole::Cancelled);
        }
    }
    let facts = reader.facts();
    match facts.rows {
        expected if expected == found => Ok(facts),
        expected => Err(NotWhole::Fault(UnitFault::RowCount { expected, found })),
    }
}

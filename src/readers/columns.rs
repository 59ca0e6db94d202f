//! Columns read side by side: batches of those that are wanted, and the others when rows of a batch need them.
//!
//! A batch ends where any wanted column has no more rows at hand. Deferred columns have cursors of their own, which follow
//! the batches only when they are asked; a part where nobody asks never touches these columns.

use super::cells::put;
use super::{Details, EachBatch, UnitFault, damaged};
use crate::batch::{Batch, Cells, Column, ColumnSet, Flag, Flags, Number, Numbers, Span, TextList, Texts};

/// Rows that are decoded at a time: their columns stay in the cache.
pub(super) const MAX_ROWS: usize = 8192;
/// What deferred cells of one batch may take together. Real ones take less than a tenth.
const MAX_GATHERED_LEN: usize = 16 << 20;

/// A position in a column of a part. It moves forward only.
pub(super) trait Cursor {
    /// How many rows can be read at once; 0 at the end of the column.
    fn rows_at_hand(&mut self) -> Result<usize, UnitFault>;

    /// Moves over rows.
    fn skip(&mut self, rows: u64) -> Result<(), UnitFault>;

    /// Decodes the next rows, at most [`MAX_ROWS`] and at most those at hand.
    fn read(&mut self, rows: usize) -> Result<(), UnitFault>;

    /// The rows that were read last.
    fn cells(&self) -> Cells<'_>;
}

/// The columns of a part and who reads them.
pub(super) struct Columns<'s, C> {
    wanted: Vec<(Column, C)>,
    deferred: Deferred<'s, C>,
}

/// The columns that are read for some rows only.
struct Deferred<'s, C> {
    columns: Vec<DeferredColumn<'s, C>>,
    /// The row of the part where the current batch begins.
    batch_row: u64,
}

struct DeferredColumn<'s, C> {
    column: Column,
    cursor: C,
    /// The row of the part that the cursor is at.
    row: u64,
    gathered: &'s mut Gathered,
}

/// The deferred cells of a batch, kept from part to part to save allocations.
pub(super) type GatheredColumns = [Gathered; Column::ALL.len()];

/// Cells from any number of places in a column.
#[derive(Default)]
pub(super) struct Gathered {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    flags: Vec<Flag>,
    numbers: Vec<Number>,
}

impl<'s, C: Cursor> Columns<'s, C> {
    /// `cursors` come in the order of [`Column::ALL`], with nothing for a column that the report does not have.
    pub(super) fn new(
        cursors: impl IntoIterator<Item = Option<C>>,
        wanted: ColumnSet,
        gathered: &'s mut GatheredColumns,
    ) -> Self {
        let mut columns = Self { wanted: Vec::new(), deferred: Deferred { columns: Vec::new(), batch_row: 0 } };
        for ((column, cursor), gathered) in Column::ALL.into_iter().zip(cursors).zip(gathered) {
            let Some(cursor) = cursor else { continue };
            if wanted.contains(column) {
                columns.wanted.push((column, cursor));
            } else {
                columns.deferred.columns.push(DeferredColumn { column, cursor, row: 0, gathered });
            }
        }
        columns
    }

    /// Hands over so many rows in batches, the first of which has the number `first_row` in the file. Returns how many
    /// rows all wanted columns turned out to have.
    pub(super) fn read(
        &mut self,
        rows: u64,
        first_row: u64,
        cancelled: &dyn Fn() -> bool,
        each: &mut EachBatch<'_>,
    ) -> Result<u64, UnitFault> {
        let mut done = 0;
        while done < rows && !cancelled() {
            let len = self.next_len(rows - done)?;
            if len == 0 {
                return Ok(done);
            }
            for (_, cursor) in &mut self.wanted {
                cursor.read(len)?;
            }
            self.deferred.batch_row = done;
            let deferred = self.deferred.columns.iter().map(|deferred| deferred.column).collect();
            let mut batch = Batch { len, first_row: first_row.saturating_add(done), deferred, ..Batch::default() };
            for (column, cursor) in &self.wanted {
                put(&mut batch, *column, cursor.cells());
            }
            each(&batch, &mut self.deferred)?;
            done += len as u64;
        }
        Ok(done + self.rows_too_many()?)
    }

    /// How many rows can be read from all cursors at once.
    fn next_len(&mut self, left: u64) -> Result<usize, UnitFault> {
        let mut len = usize::try_from(left).map_or(MAX_ROWS, |left| left.min(MAX_ROWS));
        for (_, cursor) in &mut self.wanted {
            len = len.min(cursor.rows_at_hand()?);
        }
        Ok(len)
    }

    fn rows_too_many(&mut self) -> Result<u64, UnitFault> {
        let mut most = 0;
        for (_, cursor) in &mut self.wanted {
            most = most.max(cursor.rows_at_hand()?);
        }
        Ok(most as u64)
    }
}

impl<C: Cursor> Details for Deferred<'_, C> {
    fn read(&mut self, rows: &[u32], columns: ColumnSet) -> Result<Batch<'_>, UnitFault> {
        let (mut batch, mut room) = (Batch { len: rows.len(), ..Batch::default() }, MAX_GATHERED_LEN);
        for column in self.columns.iter_mut().filter(|deferred| columns.contains(deferred.column)) {
            column.gather(self.batch_row, rows, &mut room)?;
            put(&mut batch, column.column, column.cells());
        }
        Ok(batch)
    }
}

impl<C: Cursor> DeferredColumn<'_, C> {
    /// Collects the cells of some rows of a batch: wherever there are rows at hand, what lies between the first and the
    /// last of those asked for is decoded.
    fn gather(&mut self, batch_row: u64, mut rows: &[u32], room: &mut usize) -> Result<(), UnitFault> {
        self.gathered.clear();
        while let [first, ..] = *rows {
            let row = batch_row + u64::from(first);
            let distance = row.checked_sub(self.row).ok_or_else(|| damaged("rows were asked for twice"))?;
            self.cursor.skip(distance)?;
            let left = self.cursor.rows_at_hand()?.min(MAX_ROWS);
            let (here, elsewhere) = rows.split_at(rows.partition_point(|row| ((row - first) as usize) < left));
            let Some(last) = here.last() else { return Err(damaged("a column has fewer rows than the others")) };
            let count = (last - first) as usize + 1;
            self.cursor.read(count)?;
            self.gathered.push(self.cursor.cells(), here.iter().map(|row| (row - first) as usize), room)?;
            self.row = row + count as u64;
            rows = elsewhere;
        }
        Ok(())
    }

    fn cells(&self) -> Cells<'_> {
        let Gathered { bytes, spans, flags, numbers } = &*self.gathered;
        match self.cursor.cells() {
            Cells::Texts(_) => Cells::Texts(Texts::Plain(TextList::new(bytes, spans))),
            Cells::Flags(_) => Cells::Flags(Flags::Plain(flags)),
            Cells::Numbers(_) => Cells::Numbers(Numbers::Plain(numbers)),
        }
    }
}

impl Gathered {
    fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.flags.clear();
        self.numbers.clear();
    }

    fn push(&mut self, cells: Cells<'_>, rows: impl Iterator<Item = usize>, room: &mut usize) -> Result<(), UnitFault> {
        match cells {
            Cells::Flags(flags) => self.flags.extend(rows.map(|row| flags.get(row))),
            Cells::Numbers(numbers) => self.numbers.extend(rows.map(|row| numbers.get(row))),
            Cells::Texts(texts) => {
                for row in rows {
                    self.push_text(texts.get(row), room)?;
                }
            }
        }
        Ok(())
    }

    fn push_text(&mut self, text: &[u8], room: &mut usize) -> Result<(), UnitFault> {
        *room = room.checked_sub(text.len()).ok_or_else(|| damaged("the texts of a column are far too long"))?;
        self.spans.push(Span { from: self.bytes.len() as u32, len: text.len() as u32 });
        self.bytes.extend_from_slice(text);
        Ok(())
    }
}

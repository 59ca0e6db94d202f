//! The rows of a file as plain values, read in either way.

use std::sync::Arc;

use crate::batch::ColumnSet;
use crate::fault::UnitFault;
use crate::readers::{
    parquet::{
        Reader, RowGroup, arrow,
        columns::{self, columns},
    },
    tests::{RowCells, cells},
};
use crate::source::SourceFile;

/// The parts of a file.
pub(super) fn row_groups(file: &Arc<SourceFile>) -> Result<Vec<RowGroup>, UnitFault> {
    let mut reader = Reader::new(Arc::clone(file))?;
    std::iter::from_fn(|| reader.next_row_group().transpose()).collect()
}

pub(super) fn read_with_arrow(row_group: &RowGroup) -> Result<Vec<RowCells>, UnitFault> {
    let mut rows = Vec::new();
    arrow::read(row_group, &mut arrow::Scratch::default(), &|| false, &mut |batch, _| {
        assert_eq!(batch.first_row, row_group.first_row + rows.len() as u64);
        rows.extend((0..batch.len).map(|row| cells(batch, row)));
        Ok(())
    })?;
    Ok(rows)
}

/// What reading without arrow gave.
pub(super) struct Read {
    pub rows: Vec<RowCells>,
    pub batches: usize,
    /// Positions in `rows` for which deferred columns were read, with what they had.
    pub details: Vec<(usize, RowCells)>,
    pub deferred: ColumnSet,
}

/// Reads pages. In each batch, `ask` picks the rows whose deferred columns are read.
pub(super) fn read_pages(
    row_group: &RowGroup,
    wanted: ColumnSet,
    scratch: &mut columns::Scratch,
    mut ask: impl FnMut(usize) -> Vec<u32>,
) -> Result<Read, UnitFault> {
    let chunks = row_group.plain_chunks()?.expect("nothing that needs arrow");
    let mut read = Read { rows: Vec::new(), batches: 0, details: Vec::new(), deferred: ColumnSet::NONE };
    let mut columns = columns(&row_group.file.0, &chunks, wanted, scratch);
    let found = columns.read(row_group.rows, row_group.first_row, &|| false, &mut |batch, details| {
        let before = read.rows.len();
        assert_eq!(batch.first_row, row_group.first_row + before as u64);
        read.deferred = batch.deferred;
        read.batches += 1;
        read.rows.extend((0..batch.len).map(|row| cells(batch, row)));
        let asked = ask(batch.len);
        if !asked.is_empty() {
            let more = details.read(&asked, ColumnSet::ALL)?;
            assert_eq!(more.len, asked.len());
            let numbered = asked.iter().enumerate().map(|(at, row)| (before + *row as usize, cells(&more, at)));
            read.details.extend(numbered);
        }
        Ok(())
    })?;
    if found == row_group.rows { Ok(read) } else { Err(UnitFault::RowCount { expected: row_group.rows, found }) }
}

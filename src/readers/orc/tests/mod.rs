//! Files that pyarrow wrote, cell by cell; damaged ones; and some that no writer would write.

mod against_pyarrow;
mod hostile;
#[path = "../../../../tests/suite/orc_file.rs"]
mod orc_file;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::Reader;
use super::Scratch;
use super::Stripe;
use crate::batch::{Column, ColumnSet};
use crate::fault::UnitFault;
use crate::readers::tests::{RowCells, cells};
use crate::source::SourceFile;

/// The files that are read; `make.py` beside them says how each was written.
const NAMES: [&str; 8] = [
    "none-direct",
    "none-dictionary",
    "none-direct-0.11",
    "snappy-direct",
    "zlib-dictionary-0.11",
    "zlib-as-aws",
    "zlib-direct",
    "zstd-dictionary",
];

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/orc");
    fs::read(folder.join(name)).expect("a fixture")
}

/// All parts of a file.
fn stripes(file: &Arc<SourceFile>) -> Result<Vec<Stripe>, UnitFault> {
    let mut reader = Reader::new(Arc::clone(file))?;
    std::iter::from_fn(|| reader.next_stripe().transpose()).collect()
}

/// What reading gave.
#[derive(Default)]
struct Read {
    rows: Vec<RowCells>,
    /// Positions in `rows` for which deferred columns were read, with what they had.
    details: Vec<(usize, RowCells)>,
    deferred: ColumnSet,
}

/// Reads a whole file. In each batch, `ask` picks the rows whose deferred columns are read.
fn read(file: &Arc<SourceFile>, wanted: ColumnSet, mut ask: impl FnMut(usize) -> Vec<u32>) -> Result<Read, UnitFault> {
    let (mut scratch, mut read) = (Scratch::default(), Read::default());
    for stripe in stripes(file)? {
        stripe.read(wanted, &mut scratch, &|| false, &mut |batch, details| {
            let before = read.rows.len();
            assert_eq!(batch.first_row, before as u64 + 1);
            read.deferred = batch.deferred;
            read.rows.extend((0..batch.len).map(|row| cells(batch, row)));
            let asked = ask(batch.len);
            if !asked.is_empty() {
                let more = details.read(&asked, ColumnSet::ALL)?;
                let numbered = asked.iter().enumerate().map(|(at, row)| (before + *row as usize, cells(&more, at)));
                read.details.extend(numbered);
            }
            Ok(())
        })?;
    }
    Ok(read)
}

/// All columns at once.
fn read_all(file: &Arc<SourceFile>) -> Result<Vec<RowCells>, UnitFault> {
    read(file, ColumnSet::ALL, |_| Vec::new()).map(|read| read.rows)
}

/// Where a column is in a row.
fn at(column: Column) -> usize {
    column as usize
}

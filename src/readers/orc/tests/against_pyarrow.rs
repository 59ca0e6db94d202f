//! What pyarrow reads from the files is in `rows.parquet`; our other reader reads that.

use std::sync::Arc;

use super::NAMES;
use super::at;
use super::fixture;
use super::read;
use super::read_all;
use super::stripes;
use crate::batch::{Column, ColumnSet, Flag, Number};
use crate::fault::UnitFault;
use crate::readers::{
    parquet,
    tests::{Cell, INVENTORY, Random, RowCells, cells, open, some_columns, some_rows},
};

fn rows_of_pyarrow() -> Vec<RowCells> {
    let mut reader = parquet::Reader::new(open(&fixture("rows.parquet"))).expect("a file");
    let (mut scratch, mut rows) = (parquet::Scratch::default(), Vec::new());
    while let Some(group) = reader.next_row_group().expect("a row group") {
        let mut each = |batch: &crate::batch::Batch<'_>, _: &mut dyn crate::readers::Details| {
            rows.extend((0..batch.len).map(|row| cells(batch, row)));
            Ok(())
        };
        group.read(ColumnSet::ALL, &mut scratch, &|| false, &mut each).expect("rows");
    }
    rows
}

/// The columns of all files.
const FILES: ColumnSet = INVENTORY
    .with(Column::ETag)
    .with(Column::IsMultipartUploaded)
    .with(Column::ReplicationStatus)
    .with(Column::ChecksumAlgorithm);

#[test]
fn every_cell_is_the_one_that_pyarrow_reads() {
    let expected = rows_of_pyarrow();
    assert_eq!(expected.len(), 6_000);
    for name in NAMES {
        let file = open(&fixture(&format!("{name}.orc")));
        let rows = read_all(&file).expect(name);
        assert_eq!(rows.len(), if name.starts_with("none") { 900 } else { 6_000 }, "{name}");
        for (row, (found, expected)) in rows.iter().zip(&expected).enumerate() {
            assert_eq!(found, expected, "{name} {row}");
        }
        assert!(stripes(&file).expect(name).len() > 1, "{name}");
    }
}

/// Otherwise the files would show nothing.
#[test]
fn the_files_hold_what_they_are_for() {
    let rows = rows_of_pyarrow();
    let count = |column, cell: Cell| rows[..900].iter().filter(|row| row[at(column)] == cell).count();
    assert!(count(Column::Size, Cell::Number(Number::BAD)) > 20);
    assert!(count(Column::Size, Cell::Number(Number::BLANK)) > 20);
    assert!(count(Column::Size, Cell::Number(Number::new(i64::MAX))) > 10);
    assert!(count(Column::LastModifiedDate, Cell::Number(Number::BAD)) > 20);
    assert!(count(Column::LastModifiedDate, Cell::Number(Number::new(1_420_070_399_999))) > 10);
    assert!(count(Column::IsLatest, Cell::Flag(Flag::Blank)) > 20);
    assert!(count(Column::Key, Cell::Text("日本/é ".into())) > 5);
    assert_eq!(count(Column::ObjectLockLegalHoldStatus, Cell::Text("On".into())), 1);
    assert!(count(Column::ObjectLockEventHoldStatus, Cell::Text("ON".into())) > 100);
}

#[test]
fn columns_that_are_read_late_have_the_same_cells() {
    let split = |row: &RowCells, of: ColumnSet| -> RowCells {
        Column::ALL.map(|column| if of.contains(column) { row[at(column)].clone() } else { Cell::Absent })
    };
    for name in NAMES {
        let file = open(&fixture(&format!("{name}.orc")));
        let expected = read_all(&file).expect(name);
        for seed in 0..6 {
            let mut random = Random(seed);
            let wanted = some_columns(&mut random);
            let late = FILES.partition(wanted).1;
            let read = read(&file, wanted, |len| some_rows(&mut random, len)).expect(name);
            assert_eq!((read.rows.len(), read.deferred), (expected.len(), late), "{name} {seed}");
            for (found, expected) in read.rows.iter().zip(&expected) {
                assert_eq!(*found, split(expected, wanted), "{name} {seed}");
            }
            for (row, found) in &read.details {
                assert_eq!(*found, split(&expected[*row], late), "{name} {seed} {row}");
            }
        }
    }
}

#[test]
fn facts_are_those_of_the_footer() {
    let file = open(&fixture("zlib-direct.orc"));
    let mut reader = super::Reader::new(Arc::clone(&file)).expect("a file");
    while reader.next_stripe().expect("a stripe").is_some() {}
    let facts = reader.facts();
    assert_eq!((facts.rows, facts.bytes), (6_000, file.len()));
    assert_eq!((facts.columns, facts.unknown_columns), (FILES, vec!["novelty".to_owned()]));
    assert!(reader.bytes_read() < file.len());
}

#[test]
fn a_compression_that_is_not_read_is_named() {
    let fault = read_all(&open(&fixture("lz4.orc"))).expect_err("a fault");
    assert!(matches!(fault, UnitFault::Format("LZ4-compressed ORC")), "{fault}");
}

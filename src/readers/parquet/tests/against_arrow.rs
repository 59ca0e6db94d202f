//! The same rows, page by page and by way of arrow.

use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding as Stored, GzipLevel, ZstdLevel};
use ::parquet::file::properties::WriterVersion;

use super::cells::{read_pages, read_with_arrow, row_groups};
use super::files::{Form, Times, write};
use crate::batch::{Batch, Column, ColumnSet};
use crate::readers::Details;
use crate::readers::columns::MAX_ROWS;
use crate::readers::parquet::columns::Scratch;
use crate::readers::parquet::header::{Encoding, PageHeader, PageKind};
use crate::readers::parquet::pages::{PageWindow, Pages};
use crate::readers::parquet::{self, Reader, RowGroup};
use crate::readers::tests::{Cell, INVENTORY, Random, RowCells, open, some_columns, some_rows};

/// The columns of the files.
const FILES: ColumnSet = INVENTORY.union(ColumnSet::SHOWN);

const VERSIONS: [WriterVersion; 2] = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];

/// Reads everything at once and, several times, some columns late.
#[track_caller]
fn check(form: Form, rows: usize, seed: u64) -> Vec<RowGroup> {
    let mut random = Random(seed);
    let groups = row_groups(&open(&write(form, rows, &mut random))).expect("a file");
    let mut scratch = Scratch::default();
    for group in &groups {
        let expected = read_with_arrow(group).expect("rows");
        let eager = read_pages(group, ColumnSet::ALL, &mut scratch, |_| vec![0]).expect("rows");
        assert!(eager.rows == expected, "{form:?} {seed}");
        assert!(eager.deferred.is_empty());
        for _ in 0..4 {
            check_deferred(group, &expected, &mut scratch, &mut random);
        }
    }
    groups
}

#[track_caller]
fn check_deferred(group: &RowGroup, expected: &[RowCells], scratch: &mut Scratch, random: &mut Random) {
    let wanted = some_columns(random);
    let read = read_pages(group, wanted, scratch, |len| some_rows(random, len)).expect("rows");
    assert_eq!((read.rows.len(), read.deferred), (expected.len(), FILES.partition(wanted).1));
    let split = |row: &RowCells, of: ColumnSet| -> RowCells {
        Column::ALL.map(|column| if of.contains(column) { row[column as usize].clone() } else { Cell::Absent })
    };
    for (found, expected) in read.rows.iter().zip(expected) {
        assert_eq!(*found, split(expected, wanted));
    }
    for (row, found) in &read.details {
        assert_eq!(*found, split(&expected[*row], FILES.partition(wanted).1), "{row}");
    }
}

/// The encodings of the data pages of a column.
fn page_encodings(group: &RowGroup, column: Column) -> Vec<Encoding> {
    let chunks = group.plain_chunks().expect("sound").expect("plain");
    let chunk = chunks.iter().find(|chunk| chunk.column == column).expect("a column");
    let mut window = PageWindow::default();
    let mut pages = Pages::new(&group.file.0, chunk.range, &mut window);
    let headers = std::iter::from_fn(|| pages.next_header().expect("a header"));
    let encoding = |header: PageHeader| match header.kind {
        PageKind::Data(data) => Some(data.encoding),
        _ => None,
    };
    headers.filter_map(encoding).collect()
}

#[test]
fn every_compression_and_version_reads_as_arrow_reads_it() {
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for (at, compression) in compressions.into_iter().enumerate() {
        for version in VERSIONS {
            for dictionary_len in [None, Some(300), Some(1 << 20)] {
                let form = Form { compression, version, dictionary_len, page_rows: 700, ..Form::default() };
                check(Form { booleans: Stored::RLE, ..form }, 3_000, at as u64);
            }
        }
    }
}

#[test]
fn a_dictionary_may_end_in_the_middle_of_a_chunk() {
    for version in VERSIONS {
        let form = Form { version, dictionary_len: Some(4_000), page_rows: 250, ..Form::default() };
        let groups = check(form, 4_000, 1);
        for column in [Column::Key, Column::VersionId, Column::Size, Column::LastModifiedDate] {
            let encodings = page_encodings(&groups[0], column);
            assert!(encodings.len() > 4, "{encodings:?}");
            assert_eq!(encodings.first(), Some(&Encoding::Dictionary), "{encodings:?}");
            assert_eq!(encodings.last(), Some(&Encoding::Plain), "{encodings:?}");
        }
    }
}

#[test]
fn pages_of_any_length_cut_batches_anywhere() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let form = Form {
            version: random.pick(&VERSIONS),
            page_len: random.pick(&[64, 500, 3_000]),
            page_rows: random.pick(&[1, 7, 64, 333]),
            group_rows: random.pick(&[1, 90, 1_000]),
            dictionary_len: random.pick(&[None, Some(200), Some(2_000), Some(1 << 20)]),
            booleans: random.pick(&[Stored::PLAIN, Stored::RLE]),
            page_statistics: random.chance(50),
            ..Form::default()
        };
        check(form, 1_500, seed);
    }
}

#[test]
fn batches_are_no_longer_than_their_limit_and_pages_may_be() {
    let form = Form { page_rows: 30_000, page_len: 64 << 20, ..Form::default() };
    let groups = check(form, 2 * MAX_ROWS + 5_000, 7);
    let read = read_pages(&groups[0], ColumnSet::ALL, &mut Scratch::default(), |_| Vec::new()).expect("rows");
    assert_eq!(read.batches, 3);
}

#[test]
fn columns_may_be_full_empty_or_required() {
    for version in VERSIONS {
        for booleans in [Stored::PLAIN, Stored::RLE] {
            for (nulls, required, dictionary_len) in [
                (0, false, None),
                (100, false, None),
                (100, false, Some(1 << 20)),
                (0, true, None),
                (0, true, Some(500)),
            ] {
                let form = Form { version, booleans, nulls, required, dictionary_len, ..Form::default() };
                check(Form { page_rows: 400, ..form }, 1_300, 3);
            }
        }
    }
}

#[test]
fn numbers_of_every_kind_round_as_arrow_rounds_them() {
    for times in [Times::Millis, Times::Micros, Times::Nanos, Times::Bare] {
        for dictionary_len in [None, Some(2_000)] {
            check(Form { times, dictionary_len, ..Form::default() }, 2_000, 5);
        }
    }
}

#[test]
fn forms_that_are_not_read_page_by_page_go_by_way_of_arrow() {
    let form = Form { dictionary_len: None, ..Form::default() };
    for (keys, is_plain) in [(Stored::PLAIN, true), (Stored::DELTA_BYTE_ARRAY, false)] {
        let file = open(&write(Form { keys, ..form }, 100, &mut Random(1)));
        for group in row_groups(&file).expect("a file") {
            assert_eq!(group.plain_chunks().expect("sound").is_some(), is_plain);
            let mut deferred = FILES;
            let mut note = |batch: &Batch<'_>, _: &mut dyn Details| {
                deferred = batch.deferred;
                Ok(())
            };
            group.read(ColumnSet::NONE, &mut parquet::Scratch::default(), &|| false, &mut note).expect("rows");
            assert_eq!(deferred, if is_plain { FILES } else { ColumnSet::NONE });
        }
    }
}

#[test]
fn a_row_group_where_nobody_asks_touches_no_deferred_column() {
    let mut random = Random(9);
    let mut bytes = write(Form { group_rows: 500, ..Form::default() }, 1_000, &mut random);
    let groups = row_groups(&open(&bytes)).expect("a file");
    let wanted = ColumnSet::NONE.with(Column::Bucket).with(Column::EncryptionStatus);
    let chunks = groups[0].plain_chunks().expect("sound").expect("plain");
    for chunk in chunks.iter().filter(|chunk| !wanted.contains(chunk.column)) {
        bytes[chunk.range.start as usize..chunk.range.end as usize].fill(0xff);
    }
    let file = open(&bytes);
    let group = &row_groups(&file).expect("a file")[0];
    let mut scratch = Scratch::default();
    assert_eq!(read_pages(group, wanted, &mut scratch, |_| Vec::new()).expect("rows").rows.len(), 500);
    assert!(read_pages(group, wanted, &mut scratch, |_| vec![3]).is_err());
    assert!(read_pages(group, wanted.with(Column::Key), &mut scratch, |_| Vec::new()).is_err());
}

#[test]
fn pages_between_rows_that_are_asked_for_are_stepped_over() {
    let form = Form { page_rows: 100, dictionary_len: None, ..Form::default() };
    let mut bytes = write(form, 5_000, &mut Random(11));
    let groups = row_groups(&open(&bytes)).expect("a file");
    let expected = read_with_arrow(&groups[0]).expect("rows");
    let chunks = groups[0].plain_chunks().expect("sound").expect("plain");
    let key = chunks.iter().find(|chunk| chunk.column == Column::VersionId).expect("ids");
    // The middle of the chunk lies in the middle of a page, far from its first and its last row.
    let middle = (key.range.start + key.range.end) as usize / 2;
    bytes[middle..middle + 40].fill(0xff);
    let wanted = ColumnSet::NONE.with(Column::Bucket);
    let group = &row_groups(&open(&bytes)).expect("a file")[0];
    let mut row = 0;
    let read = read_pages(group, wanted, &mut Scratch::default(), |len| {
        let asked = (0..len as u32).filter(|at| [3, 4_990].contains(&(row + at))).collect();
        row += len as u32;
        asked
    });
    let details = read.expect("rows").details;
    assert_eq!(details.len(), 2);
    for (row, cells) in &details {
        assert_eq!(cells[Column::VersionId as usize], expected[*row][Column::VersionId as usize]);
    }
    assert!(read_pages(group, wanted, &mut Scratch::default(), |len| (0..len as u32).collect()).is_err());
}

#[test]
fn facts_do_not_depend_on_the_way() {
    let bytes = write(Form { group_rows: 300, ..Form::default() }, 1_000, &mut Random(2));
    let file = open(&bytes);
    let mut reader = Reader::new(Arc::clone(&file)).expect("a file");
    while reader.next_row_group().expect("a row group").is_some() {}
    let facts = reader.facts();
    assert_eq!(
        (facts.rows, facts.bytes, facts.unknown_columns.as_slice()),
        (1_000, file.len(), &["is_not_read".into()][..])
    );
    assert_eq!(reader.bytes_read(), file.len() / 4 * 4);
}

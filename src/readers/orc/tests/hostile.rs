//! Damaged files and files that lie: a fault or the rows that the footer counts, and no more memory than a stripe may take.

use super::NAMES;
use super::at;
use super::fixture;
use super::orc_file::{
    BIGINT, BOOLEAN, DATA, DICTIONARY_DATA, Encoded, LENGTH, OrcFile, PRESENT, STRING, Stripe, TIMESTAMP, bits,
    unsigned,
};
use super::read;
use super::read_all;
use crate::batch::{Column, ColumnSet, Flag, Number};
use crate::fault::UnitFault;
use crate::readers::{
    orc::stream::{Budget, Compression, Stream},
    tests::{Cell, Random, RowCells, open, some_columns, some_rows},
};

/// Rows are those that the footer counts, or the file is at fault.
#[track_caller]
fn check(bytes: &[u8], random: &mut Random, context: &str) -> Option<usize> {
    let file = open(bytes);
    // Asking late must not end in a panic either.
    let _ = read(&file, some_columns(random), |len| some_rows(random, len));
    let mut reader = super::Reader::new(std::sync::Arc::clone(&file)).ok()?;
    let rows = read_all(&file).ok()?;
    assert_eq!(rows.len() as u64, reader.tail.rows, "{context}");
    while reader.next_stripe().is_ok_and(|stripe| stripe.is_some()) {}
    assert_eq!(reader.facts().rows, rows.len() as u64, "{context}");
    Some(rows.len())
}

#[test]
fn every_cut_is_a_fault() {
    for name in ["none-dictionary", "zlib-as-aws"] {
        let whole = fixture(&format!("{name}.orc"));
        let step = whole.len() / 300;
        for len in (0..whole.len()).step_by(step).chain(whole.len() - 400..whole.len()) {
            assert!(read_all(&open(&whole[..len])).is_err(), "{name} cut at {len}");
        }
    }
}

#[test]
fn flipped_bytes_give_a_fault_or_as_many_rows() {
    let (mut sound, mut faults) = (0, 0);
    for (seed, name) in NAMES.iter().cycle().take(240).enumerate() {
        let mut random = Random(seed as u64);
        let mut bytes = fixture(&format!("{name}.orc"));
        for _ in 0..=random.below(3) {
            // Every other one in the footers, where lengths are.
            let from = if random.chance(50) { bytes.len() - 3_000 } else { 0 };
            let place = from + random.below(bytes.len() - from);
            bytes[place] = match random.below(4) {
                0 => random.number() as u8,
                1 => 0xff,
                _ => bytes[place] ^ 1 << random.below(8),
            };
        }
        match check(&bytes, &mut random, &format!("{name} {seed}")) {
            Some(_) => sound += 1,
            None => faults += 1,
        }
    }
    assert!(sound > 20 && faults > 80, "{sound} {faults}");
}

#[test]
fn every_byte_of_a_small_file_may_be_anything() {
    let bytes = small(3).bytes();
    for place in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, bytes[place] ^ 1, bytes[place] ^ 0x10] {
            let mut bytes = bytes.clone();
            bytes[place] = value;
            check(&bytes, &mut Random(place as u64), &format!("{place} {value}"));
        }
    }
}

/// A sound file of one stripe.
fn small(rows: usize) -> OrcFile {
    let keys: Vec<String> = (0..rows).map(|row| format!("key-{row}")).collect();
    let keys: Vec<Option<&[u8]>> = keys.iter().map(|key| Some(key.as_bytes())).collect();
    let every_other = |row: usize| row.is_multiple_of(2);
    let columns = vec![
        Encoded::coded_texts(&vec![Some(b"bucket".as_slice()); rows]),
        Encoded::texts(&keys),
        Encoded::flags(&(0..rows).map(|row| every_other(row).then_some(row == 0)).collect::<Vec<_>>()),
        Encoded::numbers(&(0..rows).map(|row| Some(row as i64)).collect::<Vec<_>>()),
        Encoded::times(&(0..rows).map(|row| every_other(row).then_some(1_715_035_068_120)).collect::<Vec<_>>()),
    ];
    let names = [("bucket", STRING), ("key", STRING), ("is_latest", BOOLEAN), ("size", BIGINT)];
    let names = names.into_iter().chain([("last_modified_date", TIMESTAMP)]);
    OrcFile {
        columns: names.map(|(name, kind)| (name.to_owned(), kind)).collect(),
        stripes: vec![Stripe { rows: rows as u64, columns }],
        rows: rows as u64,
        block_len: Some(64),
    }
}

const BUCKET: usize = 0;
const KEY: usize = 1;
const LATEST: usize = 2;
const SIZE: usize = 3;

/// The bytes of a stream.
fn stream(file: &mut OrcFile, column: usize, kind: u64) -> &mut Vec<u8> {
    let streams = &mut file.stripes[0].columns[column].streams;
    &mut streams.iter_mut().find(|(found, _)| *found == kind).expect("a stream").1
}

fn read_file(file: &OrcFile) -> Result<Vec<RowCells>, UnitFault> {
    read_all(&open(&file.bytes()))
}

/// Runs and texts go on from one chunk to the next. The stripe names another time zone than UTC.
#[test]
fn files_of_tiny_chunks_are_read_and_times_are_utc() {
    for (block_len, most) in [(Some(1), 600), (Some(3), 600), (Some(64), 9_000), (None, 20_000)] {
        for rows in [0, 1, 7, 130, most] {
            let found = read_file(&OrcFile { block_len, ..small(rows) }).expect("rows");
            assert_eq!(found.len(), rows, "{block_len:?}");
            for (row, cells) in found.iter().enumerate() {
                let (latest, time) = match row {
                    0 => (Flag::True, Number::new(1_715_035_068_120)),
                    row if row.is_multiple_of(2) => (Flag::False, Number::new(1_715_035_068_120)),
                    _ => (Flag::Blank, Number::BLANK),
                };
                assert_eq!(cells[at(Column::Bucket)], Cell::Text(b"bucket".to_vec()));
                assert_eq!(cells[at(Column::Key)], Cell::Text(format!("key-{row}").into()));
                assert_eq!(cells[at(Column::IsLatest)], Cell::Flag(latest));
                assert_eq!(cells[at(Column::Size)], Cell::Number(Number::new(row as i64)));
                assert_eq!(cells[at(Column::LastModifiedDate)], Cell::Number(time));
            }
        }
    }
}

#[test]
fn streams_that_are_too_short_or_too_long_are_faults() {
    let kinds = [(BUCKET, DATA), (BUCKET, LENGTH), (BUCKET, DICTIONARY_DATA), (KEY, DATA), (KEY, LENGTH)];
    let kinds = kinds.into_iter().chain([(LATEST, PRESENT), (LATEST, DATA), (SIZE, DATA)]);
    for (column, kind) in kinds {
        let (mut short, mut long) = (small(100), small(100));
        stream(&mut short, column, kind).pop();
        assert!(read_file(&short).is_err(), "{column} {kind}");
        stream(&mut long, column, kind).extend(unsigned([1].into_iter()));
        assert!(read_file(&long).is_err(), "{column} {kind}");
    }
}

/// Changes a sound file of 100 rows, and says so.
type Lie = (&'static str, fn(&mut OrcFile));

const LIES: [Lie; 17] = [
    ("fewer rows in the footer", |file| file.rows = 99),
    ("more rows in the footer", |file| file.rows = 101),
    ("fewer rows in the stripe", |file| file.stripes[0].rows = 99),
    ("more rows in the stripe", |file| file.stripes[0].rows = 101),
    ("fewer rows in both", |file| (file.rows, file.stripes[0].rows) = (99, 99)),
    ("rows without end", |file| (file.rows, file.stripes[0].rows) = (u64::MAX, u64::MAX)),
    ("rows for hours", |file| (file.rows, file.stripes[0].rows) = (1 << 40, 1 << 40)),
    ("a large dictionary", |file| file.stripes[0].columns[BUCKET].dictionary_len = u64::MAX),
    ("an empty dictionary", |file| file.stripes[0].columns[BUCKET].dictionary_len = 0),
    ("codes of no text", |file| *stream(file, BUCKET, DATA) = unsigned([1; 100].into_iter())),
    ("negative codes", |file| *stream(file, BUCKET, DATA) = unsigned([u64::MAX; 100].into_iter())),
    ("texts without end", |file| *stream(file, KEY, LENGTH) = unsigned([u64::MAX; 100].into_iter())),
    ("long texts", |file| *stream(file, KEY, LENGTH) = unsigned([60_000; 100].into_iter())),
    ("an encoding that is not known", |file| file.stripes[0].columns[KEY].encoding = 4),
    ("numbers with a dictionary", |file| file.stripes[0].columns[SIZE].encoding = 1),
    ("a stream twice", |file| file.stripes[0].columns[KEY].streams.push((DATA, b"x".to_vec()))),
    ("no encodings", |file| drop(file.stripes[0].columns.pop())),
];

#[test]
fn files_that_lie_are_faults() {
    for (name, lie) in LIES {
        for block_len in [Some(64), None] {
            let mut file = OrcFile { block_len, ..small(100) };
            lie(&mut file);
            assert!(read_file(&file).is_err(), "{name}");
        }
    }
}

/// 512 values in four bytes: the second version, all deltas the same.
fn same(value: u8, runs: usize) -> Vec<u8> {
    [0xc1, 0xff, value, 0].repeat(runs)
}

/// Files of some hundred kilobytes whose dictionaries or texts become much more.
#[test]
fn what_a_stripe_may_take_is_limited() {
    let bombs: [fn(&mut OrcFile); 3] = [
        // 64 million texts of no length.
        |file| {
            let bucket = &mut file.stripes[0].columns[BUCKET];
            (bucket.encoding, bucket.dictionary_len) = (3, 1 << 26);
            *stream(file, BUCKET, LENGTH) = same(0, 1 << 17);
        },
        // 2 million texts of 63 bytes.
        |file| {
            let bucket = &mut file.stripes[0].columns[BUCKET];
            (bucket.encoding, bucket.dictionary_len) = (3, 1 << 21);
            *stream(file, BUCKET, LENGTH) = same(63, 1 << 12);
            *stream(file, BUCKET, DICTIONARY_DATA) = vec![b'x'; 63 << 21];
        },
        // 2,000 keys of 60 KB in one batch.
        |file| {
            *stream(file, KEY, LENGTH) = unsigned([60_000; 2_000].into_iter());
            *stream(file, KEY, DATA) = vec![b'x'; 120_000_000];
        },
    ];
    for bomb in bombs {
        let mut file = OrcFile { block_len: Some(1 << 18), ..small(2_000) };
        bomb(&mut file);
        let fault = read_file(&file).expect_err("a fault").to_string();
        assert!(fault.contains("more memory"), "{fault}");
    }
}

/// Every row of a column may be in one run: nulls need no bytes of their own.
#[test]
fn a_stripe_may_be_nothing_but_nulls() {
    let mut file = small(100);
    let nulls = Encoded { streams: vec![(PRESENT, bits([false; 100].into_iter()))], ..Encoded::default() };
    file.stripes[0].columns[2..].fill(nulls);
    file.stripes[0].columns[BUCKET] = Encoded { encoding: 3, ..file.stripes[0].columns[2].clone() };
    let rows = read_file(&file).expect("rows");
    assert!(rows.iter().all(|row| row[at(Column::Bucket)] == Cell::Text(Vec::new())));
    assert!(rows.iter().all(|row| row[at(Column::Size)] == Cell::Number(Number::BLANK)));
}

#[test]
fn chunks_take_no_more_memory_than_their_budget() {
    let file = open(&[0xff; 64]);
    let zlib = |block_len| Compression::new(1, block_len).expect("a compression");
    for block_len in [64, 1 << 23] {
        let budget = Budget::new(1 << 20);
        let fault = Stream::new(&file, &budget, zlib(block_len), 0..64).fill(1).map(<[u8]>::len);
        assert!(fault.is_err(), "{block_len}");
    }
    let budget = Budget::new(10);
    assert!(Stream::new(&file, &budget, Compression::new(0, 0).expect("none"), 0..64).fill(1).is_err());
    assert!(Compression::new(1, 1 << 24).is_err());
}

#[test]
fn columns_that_nobody_asks_for_are_not_touched() {
    let mut file = small(100);
    *stream(&mut file, KEY, DATA) = Vec::new();
    let file = open(&file.bytes());
    let wanted = ColumnSet::NONE.with(Column::Bucket).with(Column::Size);
    assert_eq!(read(&file, wanted, |_| Vec::new()).expect("rows").rows.len(), 100);
    assert!(read(&file, wanted, |_| vec![3]).is_err());
    assert!(read(&file, wanted.with(Column::Key), |_| Vec::new()).is_err());
}

#[test]
fn columns_of_types_that_cannot_be_read_are_faults_or_left_out() {
    let mut file = small(10);
    file.columns[SIZE].1 = STRING;
    assert!(matches!(read_file(&file), Err(UnitFault::ColumnType { .. })));
    let mut file = small(10);
    file.columns[SIZE] = ("object_lock_mode".to_owned(), BIGINT);
    let rows = read_file(&file).expect("rows");
    assert_eq!(rows[0][at(Column::ObjectLockMode)], Cell::Absent);
    let mut file = small(10);
    file.columns[KEY].0 = "bucket".to_owned();
    assert!(matches!(read_file(&file), Err(UnitFault::Schema(_))));
}

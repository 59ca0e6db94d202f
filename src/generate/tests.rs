//! What a user of `generate` can observe: files, their equality, and their truth.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::fs::File;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::*;
use crate::escape::percent::decode_form;
use crate::policy::Verdict;
use crate::source::Md5;
use crate::timestamp::Timestamp;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
type Lines = Vec<Vec<String>>;

const KEY: usize = 1;
const SIZE: usize = 5;
const STATUS: usize = 11;

fn small() -> Options {
    Options { rows: 50_000, files: 3, violations: 0.1, jobs: 2, ..Options::default() }
}

/// Every file below a folder, by its path there.
fn tree(root: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap_or(&path).to_owned(), fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

/// The data files of a run, in the order of its manifest, with size and MD5 checked.
fn data_files(run: &Path) -> Outcome<Vec<PathBuf>> {
    let manifest = fs::read(run.join("manifest.json"))?;
    let checksum = fs::read_to_string(run.join("manifest.checksum"))?;
    assert_eq!(checksum, format!("{}\n", Md5::of(&manifest)));
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let mut paths = Vec::new();
    for file in manifest["files"].as_array().ok_or("no files")? {
        let key = file["key"].as_str().ok_or("no key")?;
        let name = key.rsplit('/').next().ok_or("no name")?;
        let path = run.join("../data").join(name);
        let bytes = fs::read(&path)?;
        assert_eq!(file["size"], bytes.len());
        assert_eq!(file["MD5checksum"], Md5::of(&bytes).to_string());
        paths.push(path);
    }
    Ok(paths)
}

fn csv_lines(path: &Path) -> Outcome<Lines> {
    let text = MultiGzDecoder::new(File::open(path)?);
    let mut lines = Lines::new();
    for record in ::csv::ReaderBuilder::new().has_headers(false).from_reader(text).records() {
        let mut fields: Vec<_> = record?.iter().map(str::to_owned).collect();
        let mut key = Vec::new();
        assert!(decode_form(fields[KEY].as_bytes(), &mut key));
        fields[KEY] = String::from_utf8(key)?;
        lines.push(fields);
    }
    Ok(lines)
}

fn parquet_lines(path: &Path) -> Outcome<Lines> {
    let mut lines = Lines::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()? {
        let batch = batch?;
        let line = |row| batch.columns().iter().map(|column| cell(column, row)).collect();
        lines.extend((0..batch.num_rows()).map(line));
    }
    Ok(lines)
}

/// A value as the CSV file writes it.
fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return String::new();
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        _ => {
            let time = Timestamp::from_millis(column.as_primitive::<TimestampMillisecondType>().value(row));
            time.map_or(String::new(), |time| time.to_string())
        }
    }
}

fn block(options: &Options) -> Block {
    let mut block = Block::default();
    Recipe::new(options).fill(0..options.rows, &mut block);
    block
}

#[test]
fn the_same_options_give_the_same_bytes_for_any_jobs() -> Outcome {
    let (one, four) = (tempfile::tempdir()?, tempfile::tempdir()?);
    generate(one.path(), &Options { jobs: 1, ..small() })?;
    generate(four.path(), &Options { jobs: 4, ..small() })?;
    assert!(tree(one.path())? == tree(four.path())?);
    Ok(())
}

#[test]
fn another_seed_gives_other_rows_and_files() -> Outcome {
    let (one, two) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let options = Options { rows: 1000, format: Format::Csv, ..small() };
    let first = generate(one.path(), &options)?;
    let second = generate(two.path(), &Options { seed: 2, ..options })?;
    let (first, second) = (data_files(&first.runs[0])?, data_files(&second.runs[0])?);
    assert_ne!(first[0].file_name(), second[0].file_name());
    assert_ne!(csv_lines(&first[0])?, csv_lines(&second[0])?);
    Ok(())
}

#[test]
fn the_level_changes_how_rows_are_compressed_and_nothing_else() -> Outcome {
    let (one, six) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let options = Options { rows: 5000, format: Format::Csv, ..small() };
    let fast = generate(one.path(), &options)?;
    let small = generate(six.path(), &Options { gzip_level: 6, ..options })?;
    for (fast, small) in data_files(&fast.runs[0])?.iter().zip(&data_files(&small.runs[0])?) {
        assert_eq!(csv_lines(fast)?, csv_lines(small)?);
        // A third more, because its codes are not made for the text.
        assert!(fs::metadata(fast)?.len() > fs::metadata(small)?.len() * 6 / 5);
        // RFC 1951, 3.2.3: the second and third bit of a block say whether its codes are fixed (1) or its own (2).
        let kind = |path| fs::read(path).map(|bytes| bytes[10] >> 1 & 3);
        assert_eq!((kind(fast)?, kind(small)?), (1, 2));
    }
    assert_eq!(fs::read(fast.truth)?, fs::read(small.truth)?);
    Ok(())
}

#[test]
fn csv_and_parquet_hold_the_same_rows() -> Outcome {
    let out = tempfile::tempdir()?;
    let made = generate(out.path(), &small())?;
    let (csv, parquet) = (data_files(&made.runs[0])?, data_files(&made.runs[1])?);
    let mut rows = 0;
    for (csv, parquet) in csv.iter().zip(&parquet) {
        let lines = csv_lines(csv)?;
        assert!(lines == parquet_lines(parquet)?);
        rows += lines.len();
    }
    assert_eq!((csv.len(), parquet.len(), rows), (3, 3, 50_000));
    Ok(())
}

#[test]
fn the_truth_is_what_the_files_say() -> Outcome {
    let out = tempfile::tempdir()?;
    let made = generate(out.path(), &Options { format: Format::Csv, ..small() })?;
    let truth: Value = serde_json::from_slice(&fs::read(&made.truth)?)?;
    let mut statuses: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut violations = 0;
    for path in data_files(&made.runs[0])? {
        for fields in csv_lines(&path)? {
            let entry = statuses.entry(fields[STATUS].clone()).or_default();
            entry.0 += 1;
            entry.1 += fields[SIZE].parse::<u64>().unwrap_or(0);
            let is_log = fields[KEY].contains("/CloudTrail") && !fields[KEY].contains("/CloudTrail-Digest");
            violations += u64::from(is_log && ["SSE-S3", "NOT-SSE"].contains(&&*fields[STATUS]));
        }
    }
    let markers = statuses.remove("").unwrap_or_default().0;
    assert_eq!(truth["counts"]["delete_markers"], markers);
    assert_eq!(truth["counts"]["violation"], violations);
    assert!(violations > 2000);
    for (status, (objects, bytes)) in statuses {
        let told = &truth["by_encryption_status"][&status];
        assert_eq!((&told["objects"], &told["bytes"]), (&objects.into(), &bytes.into()), "{status}");
    }
    Ok(())
}

#[test]
fn nothing_that_exists_is_overwritten() -> Outcome {
    for name in ["csv", "parquet", TRUTH] {
        let out = tempfile::tempdir()?;
        fs::create_dir(out.path().join(name))?;
        let refused = generate(out.path(), &small());
        assert!(matches!(refused, Err(GenerateError::Exists(path)) if path.ends_with(name)));
        assert_eq!(fs::read_dir(out.path())?.count(), 1);
    }
    Ok(())
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let refused = |options: Options, name: &str| {
        let refused = generate(Path::new("/nowhere"), &options);
        assert!(matches!(refused, Err(GenerateError::OutOfRange { option, .. }) if option == name));
    };
    refused(Options { rows: 0, ..small() }, "rows");
    refused(Options { files: 0, ..small() }, "files");
    refused(Options { violations: f64::NAN, ..small() }, "violations");
    refused(Options { regions: 25, ..small() }, "regions");
    refused(Options { years: 13, ..small() }, "years");
}

#[test]
fn more_files_than_rows_leaves_some_empty() -> Outcome {
    let out = tempfile::tempdir()?;
    let made = generate(out.path(), &Options { rows: 2, files: 3, ..small() })?;
    let rows =
        data_files(&made.runs[1])?.iter().map(|path| Ok(parquet_lines(path)?.len())).collect::<Outcome<Vec<_>>>();
    assert_eq!(rows?, [1, 1, 0]);
    Ok(())
}

#[test]
fn clustered_violations_are_the_asked_share_in_four_places() {
    let options = Options { rows: 300_000, spread: Spread::Clustered, ..Options::default() };
    let block = block(&options);
    let violates = |row: &rows::Row| row.object.as_ref().is_some_and(|object| object.verdict == Verdict::Violation);
    let counts: Vec<_> =
        block.rows.chunks(15_000).map(|rows| rows.iter().filter(|row| violates(row)).count()).collect();
    let hit = counts.iter().filter(|count| **count > 0).count();
    assert!((1..=8).contains(&hit), "{counts:?}");
    let share = counts.iter().sum::<usize>() as f64 / options.rows as f64;
    assert!((0.012..0.021).contains(&share), "{share}");
}

#[test]
fn all_or_none_violate_where_that_is_asked_for() {
    for spread in [Spread::Scattered, Spread::Clustered] {
        for (violations, verdict) in [(0.0, Verdict::Compliant), (1.0, Verdict::Violation)] {
            let block = block(&Options { rows: 10_000, spread, violations, ..Options::default() });
            for row in &block.rows {
                let key = block.text(&row.key);
                let is_log = key.contains("/CloudTrail") && !key.contains("-Digest");
                assert!(!is_log || row.object.as_ref().is_none_or(|object| object.verdict == verdict), "{key}");
            }
        }
    }
}

#[test]
fn a_delete_marker_hides_the_version_that_follows() {
    let block = block(&Options { rows: 16_384, ..Options::default() });
    let hides = |pair: &&[rows::Row]| pair[0].object.is_none() && pair[0].key == pair[1].key && !pair[1].is_latest;
    assert!(block.rows.windows(2).filter(hides).count() > 100);
    assert!(block.rows.iter().all(|row| row.last_modified < place::SCAN_START));
}

//! The same rows in every form give the same answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray,
};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterVersion;
use serde_json::{Value, json};

use crate::audits::{Audited, Desk, names_in};
use crate::delivery::{
    self, Columns, DataFile, Delivery, OrcForm, ParquetForm, Row, all_columns, columns, columns_without,
};
use crate::random::Random;

const CONTRACT: &str = include_str!("../../fixtures/policy/contract.toml");

const EVERYTHING_KMS: &str = "unmatched = 'violation'\n[[rule]]\nid = 'kms'\nencryption = ['SSE-KMS', 'DSSE-KMS']\n";

const OF_CURRENT: &str = "versions = 'current'\n[[rule]]\nid = 'kms'\nencryption = ['SSE-KMS']\n";

const STRICT: &str = "versions = 'current'\n[[rule]]\nid = 'old'\nencryption = ['SSE-S3', 'SSE-KMS']\n\
    bucket_key = 'required'\nwhere = { written_before = 2024-05-06T22:37:48Z, storage_class = ['STANDARD*'] }\n\
    [[rule]]\nid = 'rest'\nencryption = ['SSE-C']\n\
    [[exception]]\nid = 'e'\nrule = 'rest'\nexpires = 2026-01-10\nwhere = { key = ['*.json.gz'] }\n";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/aws").join(name)
}

/// The summary without what differs between two runs, or rightly between two formats.
fn comparable(audited: &Audited) -> Value {
    let mut summary = audited.summary();
    for time in ["started_at", "finished_at", "timing"] {
        assert!(summary.as_object_mut().unwrap().remove(time).is_some(), "{time}");
    }
    for source in summary["sources"].as_array_mut().unwrap() {
        for form in ["path", "manifest", "format", "bytes"] {
            assert!(source.as_object_mut().unwrap().remove(form).is_some(), "{form}");
        }
    }
    summary
}

/// The same rows are drawn from different manifests.
const SEED: [&str; 2] = ["--sample-seed", "formats"];

/// The lines of `sample.csv` without the names of data files.
fn sampled(audited: &Audited) -> Vec<Vec<String>> {
    let text = audited.text("sample.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let file = reader.headers().unwrap().iter().position(|name| name == "file").unwrap();
    let lines = reader.records().map(|line| line.unwrap().iter().map(str::to_owned).collect::<Vec<_>>());
    lines
        .map(|mut line| {
            line.remove(file);
            line
        })
        .collect()
}

#[track_caller]
fn assert_equal(left: &Audited, right: &Audited) {
    assert_eq!(left.code(), right.code(), "{left:?} {right:?}");
    assert_eq!(comparable(left), comparable(right));
    assert_eq!(left.text("findings.csv"), right.text("findings.csv"));
    assert_eq!(sampled(left), sampled(right));
}

fn audit_delivery(desk: &Desk, delivery: &Delivery, policy: Option<&str>) -> Audited {
    let delivered = delivery.write(&desk.path(&format!("{}-{}", delivery.format, delivery.files.len())));
    match policy {
        Some(policy) => desk.audit_under(policy, delivered.config, &SEED),
        None => desk.audit(delivered.config, &SEED),
    }
}

fn compare_formats(rows: &[Row], columns: &Columns, files: usize, policy: Option<&str>) {
    let desk = Desk::new();
    let csv = audit_delivery(&desk, &Delivery::csv(rows, columns, files), policy);
    let parquet = audit_delivery(&desk, &Delivery::parquet(rows, columns, files, ParquetForm::default()), policy);
    let orc = audit_delivery(&desk, &Delivery::orc(rows, columns, files, OrcForm::default()), policy);
    assert_equal(&csv, &parquet);
    assert_equal(&csv, &orc);
    let summary = csv.summary();
    assert_eq!(summary["counts"]["rows"], rows.len());
    // Some rows are far younger than the report says that it is.
    let is_dated = columns.iter().any(|column| column.csv == "LastModifiedDate");
    let is_late = |row: &Row| row.last_modified.is_some_and(|time| time > delivery::MADE + 48 * 3_600_000);
    let faults = if is_dated && rows.iter().any(is_late) { json!({"manifest_time": 1}) } else { json!({}) };
    assert_eq!(summary["faults"], faults);
}

#[test]
fn all_formats_of_the_same_rows_agree_under_every_policy() {
    let mut random = Random::new(1);
    for policy in [None, Some(CONTRACT), Some(EVERYTHING_KMS), Some(STRICT)] {
        let rows = Row::random_many(&mut random, 400);
        compare_formats(&rows, &all_columns(), 3, policy);
    }
}

#[test]
fn a_large_delivery_of_one_file_agrees_too() {
    let rows = Row::random_many(&mut Random::new(2), 20_000);
    let desk = Desk::new();
    let form = ParquetForm { group_rows: 9_000, ..ParquetForm::default() };
    let csv = audit_delivery(&desk, &Delivery::csv(&rows, &all_columns(), 1), Some(EVERYTHING_KMS));
    let parquet = audit_delivery(&desk, &Delivery::parquet(&rows, &all_columns(), 1, form), Some(EVERYTHING_KMS));
    assert_equal(&csv, &parquet);
    let form = OrcForm { stripe_rows: 9_000, ..OrcForm::default() };
    let orc = audit_delivery(&desk, &Delivery::orc(&rows, &all_columns(), 1, form), Some(EVERYTHING_KMS));
    assert_equal(&csv, &orc);
}

#[test]
fn every_optional_column_may_be_missing() {
    let rows = Row::random_many(&mut Random::new(3), 60);
    for missing in &delivery::COLUMNS[2..] {
        compare_formats(&rows, &columns_without(&[missing.csv]), 2, Some(STRICT));
    }
    compare_formats(&rows, &columns(&["Bucket", "Key"]), 2, Some(STRICT));
}

#[test]
fn columns_may_come_in_any_order() {
    let mut random = Random::new(4);
    let rows = Row::random_many(&mut random, 60);
    let desk = Desk::new();
    let usual = audit_delivery(&desk, &Delivery::csv(&rows, &all_columns(), 1), Some(STRICT));
    for _ in 0..8 {
        let mut columns = all_columns();
        random.shuffle(&mut columns);
        compare_formats(&rows, &columns, 2, Some(STRICT));
        let reordered =
            audit_delivery(&desk, &Delivery::parquet(&rows, &columns, 1, ParquetForm::default()), Some(STRICT));
        assert_equal(&usual, &reordered);
    }
}

#[test]
fn every_form_of_parquet_reads_the_same() {
    let rows = Row::random_many(&mut Random::new(5), 300);
    let desk = Desk::new();
    let csv = audit_delivery(&desk, &Delivery::csv(&rows, &all_columns(), 2), Some(EVERYTHING_KMS));
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ];
    let forms = compressions.into_iter().flat_map(|compression| {
        let pages = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
        pages.into_iter().flat_map(move |pages| {
            [(true, true), (false, true), (true, false)].map(|(dictionary, annotated)| ParquetForm {
                compression,
                pages,
                dictionary,
                annotated,
                group_rows: 64,
            })
        })
    });
    for form in forms {
        let parquet = audit_delivery(&desk, &Delivery::parquet(&rows, &all_columns(), 2, form), Some(EVERYTHING_KMS));
        assert_eq!(csv.text("findings.csv"), parquet.text("findings.csv"), "{form:?}");
        assert_equal(&csv, &parquet);
    }
}

#[test]
fn every_form_of_orc_reads_the_same() {
    let rows = Row::random_many(&mut Random::new(7), 300);
    let desk = Desk::new();
    let csv = audit_delivery(&desk, &Delivery::csv(&rows, &all_columns(), 2), Some(EVERYTHING_KMS));
    for block_len in [None, Some(16), Some(256 << 10)] {
        for (dictionary, stripe_rows) in [(true, 64), (false, 64), (true, 1), (false, 1_000)] {
            let form = OrcForm { block_len, dictionary, stripe_rows };
            let orc = audit_delivery(&desk, &Delivery::orc(&rows, &all_columns(), 2, form), Some(EVERYTHING_KMS));
            assert_eq!(csv.text("findings.csv"), orc.text("findings.csv"), "{form:?}");
            assert_equal(&csv, &orc);
        }
    }
}

/// The same rows in the form of other writers, which `fixtures/orc/make.py` made with pyarrow.
#[test]
fn files_that_pyarrow_wrote_agree_with_its_parquet() {
    let desk = Desk::new();
    let audit = |name: &str| desk.audit(fixture("../orc").join(name), &["--accept-unproven"]);
    let parquet = audit("rows.parquet");
    assert!(parquet.summary()["coverage"]["rows_rejected"].as_u64().unwrap() > 100, "negative sizes and times");
    assert!(parquet.summary()["counts"]["violation"].as_u64().unwrap() > 100);
    for name in ["zlib-as-aws.orc", "zlib-direct.orc", "snappy-direct.orc", "zstd-dictionary.orc"] {
        let orc = audit(name);
        assert_eq!(orc.code(), Some(1), "{name}: {orc:?}");
        assert_eq!(orc.text("findings.csv"), parquet.text("findings.csv"), "{name}");
        for counts in ["counts", "bytes", "by_reason", "by_account", "by_month", "by_encryption_status"] {
            assert_eq!(orc.summary()[counts], parquet.summary()[counts], "{name}");
        }
    }
    let lz4 = audit("lz4.orc");
    assert_eq!((lz4.code(), lz4.fault_names()), (Some(3), vec!["unit_format".to_owned()]));
    assert!(lz4.text("faults.jsonl").contains("LZ4-compressed ORC"), "{lz4:?}");
}

#[test]
fn unknown_columns_are_named_and_do_not_disturb() {
    let rows: Vec<Row> = (0..5).map(|at| Row::compliant(&format!("f{at}"))).collect();
    let desk = Desk::new();
    let mut csv = Delivery::csv(&rows, &columns(&["Key", "EncryptionStatus", "Bucket", "ETag"]), 1);
    csv.schema = "Key, EncryptionStatus, Bucket, Zeit\u{202e}raum".into();
    let csv = audit_delivery(&desk, &csv, Some(OF_CURRENT));
    assert_eq!(csv.code(), Some(0), "{csv:?}");
    assert_eq!(csv.summary()["sources"][0]["unknown_columns"], json!(["Zeit\\xe2\\x80\\xaeraum"]));

    let message = "message s3.inventory { required binary key (UTF8); required binary bucket (UTF8); \
        optional binary encryption_status; optional int64 novelty; optional binary oddity (UTF8); optional double object_owner; }";
    let texts = |text: fn(&Row) -> &[u8]| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(text(row))).collect::<BinaryArray>())
    };
    let numbers: Int64Array = (0..5).map(Some).collect();
    let arrays = vec![
        texts(|row| &row.key),
        texts(|row| &row.bucket),
        texts(|_| b"SSE-KMS"),
        Arc::new(numbers) as ArrayRef,
        texts(|_| b"x"),
        // It is only shown, and in a form that cannot be.
        Arc::new(Float64Array::from(vec![1.5; 5])),
    ];
    let mut parquet = Delivery::parquet(&rows, &all_columns(), 1, ParquetForm::default());
    parquet.files[0].bytes = delivery::parquet_of_arrays(message, arrays, ParquetForm::default());
    let parquet = audit_delivery(&desk, &parquet, Some(OF_CURRENT));
    assert_eq!(parquet.code(), Some(0), "{parquet:?}");
    assert_eq!(parquet.summary()["sources"][0]["unknown_columns"], json!(["novelty", "oddity"]));
}

#[test]
fn a_delivery_without_rows_agrees_too() {
    compare_formats(&[], &all_columns(), 2, Some(EVERYTHING_KMS));
}

/// A file with the columns that matter, the last one as it comes.
fn with_a_last_column(line: &str, last: ArrayRef) -> Delivery {
    let rows: Vec<Row> = (0..last.len()).map(|at| Row::compliant(&format!("f{at}"))).collect();
    let message = format!(
        "message m {{ required binary bucket (UTF8); required binary key; required binary encryption_status; {line} }}"
    );
    let texts = |text: fn(&Row) -> &[u8]| Arc::new(rows.iter().map(|row| Some(text(row))).collect::<BinaryArray>());
    let arrays: Vec<ArrayRef> = vec![texts(|row| &row.bucket), texts(|row| &row.key), texts(|_| b"NOT-SSE"), last];
    let bytes = delivery::parquet_of_arrays(&message, arrays, ParquetForm::default());
    let file = DataFile { name: "part-0.parquet".into(), bytes };
    Delivery { files: vec![file], ..Delivery::parquet(&[], &all_columns(), 0, ParquetForm::default()) }
}

#[test]
fn times_and_sizes_may_have_the_types_that_other_writers_give_them() {
    let millis = [Some(1_715_035_068_123), None, Some(0)];
    let times = |factor: i64| millis.map(|time: Option<i64>| time.map(|time| time * factor));
    let utc = "UTC";
    let last_modified: [(&str, ArrayRef); 4] = [
        ("(TIMESTAMP(MILLIS,true))", Arc::new(TimestampMillisecondArray::from(times(1).to_vec()).with_timezone(utc))),
        (
            "(TIMESTAMP(MICROS,true))",
            Arc::new(TimestampMicrosecondArray::from(times(1000).to_vec()).with_timezone(utc)),
        ),
        ("(TIMESTAMP(NANOS,false))", Arc::new(TimestampNanosecondArray::from(times(1_000_000).to_vec()))),
        ("", Arc::new(Int64Array::from(times(1).to_vec()))),
    ];
    let desk = Desk::new();
    for (annotation, array) in last_modified {
        let line = format!("optional int64 last_modified_date {annotation};");
        let audited = audit_delivery(&desk, &with_a_last_column(&line, array), None);
        let cells = |at: usize| audited.findings().into_iter().map(|cells| cells[at].clone()).collect::<Vec<_>>();
        assert_eq!(cells(5), [&b"2024-05-06T22:37:48.123Z"[..], b"", b"1970-01-01T00:00:00.000Z"], "{line}");
    }
    let small = Arc::new(Int32Array::from(vec![Some(7), None, Some(i32::MAX)]));
    let audited = audit_delivery(&desk, &with_a_last_column("optional int32 size;", small), None);
    assert_eq!(audited.summary()["bytes"]["objects"], 7 + i64::from(i32::MAX));
}

#[test]
fn columns_of_the_wrong_type_are_faults() {
    let texts = || -> ArrayRef { Arc::new(BinaryArray::from(vec![&b"1"[..], b"2"])) };
    let numbers = || -> ArrayRef { Arc::new(Int64Array::from(vec![1, 2])) };
    let flags = || -> ArrayRef { Arc::new(BooleanArray::from(vec![true, false])) };
    let desk = Desk::new();
    for (line, array) in [
        ("optional binary size (UTF8);", texts()),
        ("optional binary last_modified_date (UTF8);", texts()),
        ("optional binary is_latest (UTF8);", texts()),
        ("optional binary is_delete_marker (UTF8);", texts()),
        ("optional int64 is_delete_marker;", numbers()),
        ("optional int64 version_id;", numbers()),
        ("optional int64 storage_class;", numbers()),
        ("optional boolean size;", flags()),
        ("optional int64 bucket_key_status;", numbers()),
        ("optional binary key (UTF8);", texts()),
        ("optional binary encryptionstatus (UTF8);", texts()),
    ] {
        let audited = audit_delivery(&desk, &with_a_last_column(line, array), None);
        assert_eq!((audited.code(), audited.fault_names()), (Some(3), vec!["unit_schema".to_owned()]), "{line}");
        assert_eq!(audited.summary()["counts"]["rows"], 0, "{line}");
    }
}

#[test]
fn names_of_columns_are_found_without_regard_to_case() {
    let rows = Row::random_many(&mut Random::new(6), 50);
    let desk = Desk::new();
    let usual = Delivery::csv(&rows, &all_columns(), 2);
    let mut shouted = usual.clone();
    shouted.schema = usual.schema.to_uppercase().replace(", ", ",");
    assert_equal(&audit_delivery(&desk, &usual, Some(STRICT)), &audit_delivery(&desk, &shouted, Some(STRICT)));
}

#[test]
fn the_real_deliveries_have_the_counts_that_they_have() {
    let desk = Desk::new();
    let csv = desk.audit(fixture("csv"), &["--allow-empty"]);
    assert_eq!(csv.code(), Some(0), "{csv:?}");
    let summary = csv.summary();
    let counts = json!({"rows": 5, "delete_markers": 1, "objects": 4, "compliant": 0, "violation": 0,
        "undetermined": 0, "excepted": 0, "out_of_scope": 4});
    assert_eq!(summary["counts"], counts);
    assert_eq!(summary["by_encryption_status"]["SSE-S3"], json!({"objects": 4, "bytes": 10}));
    assert_eq!(summary["sources"][0]["created_at"], "2024-05-07T01:00:00.000Z");
    assert_eq!(summary["bytes"]["objects"], 10);

    let unversioned = desk.audit(fixture("csv-unversioned"), &["--allow-empty"]);
    assert_eq!(unversioned.code(), Some(3), "{unversioned:?}");
    assert_eq!(unversioned.summary()["outcome_reasons"], json!(["noncurrent_versions_unlisted"]));
    assert_eq!(
        (&unversioned.summary()["counts"]["rows"], &unversioned.summary()["counts"]["objects"]),
        (&json!(2), &json!(2))
    );
}

#[test]
fn the_real_deliveries_agree_in_all_formats() {
    let desk = Desk::new();
    let csv = desk.audit_under(EVERYTHING_KMS, fixture("csv"), &SEED);
    for format in ["parquet", "orc"] {
        let audited = desk.audit_under(EVERYTHING_KMS, fixture(format), &SEED);
        assert_eq!((csv.code(), audited.code()), (Some(1), Some(1)), "{format}");
        assert_equal(&csv, &audited);
    }
    assert_eq!(csv.findings().len(), 4);
    assert_eq!(csv.findings()[0][1], b"inventory-test/");
}

#[test]
fn every_fixture_is_used() {
    let fixtures = fixture("").parent().unwrap().to_owned();
    assert_eq!(names_in(&fixtures), ["aws", "example", "orc", "policy"]);
    assert_eq!(names_in(&fixture("")), ["csv", "csv-unversioned", "orc", "parquet"]);
    assert_eq!(names_in(&fixtures.join("policy")), ["contract.toml"]);
    let orc = [
        "lz4.orc",
        "make.py",
        "none-dictionary.orc",
        "none-direct-0.11.orc",
        "none-direct.orc",
        "rows.parquet",
        "snappy-direct.orc",
        "zlib-as-aws.orc",
        "zlib-dictionary-0.11.orc",
        "zlib-direct.orc",
        "zstd-dictionary.orc",
    ];
    assert_eq!(names_in(&fixtures.join("orc")), orc);
}

#[test]
fn the_example_holds_violations_and_nothing_else_is_wrong_with_it() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/example");
    let desk = Desk::new();
    let audited = desk.audit(example, &[]);
    assert_eq!(audited.code(), Some(1), "{audited:?}");
    assert_eq!(audited.summary()["outcome_reasons"], json!(["violations"]));
}

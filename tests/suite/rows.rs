//! Single rows: what is rejected, what is undetermined, and what decides between them.

use serde_json::json;

use crate::audits::{Audited, Desk};
use crate::delivery::{
    BUCKET, Columns, Delivery, OrcForm, ParquetForm, Row, all_columns, columns_without, csv_line, csv_text,
};
use crate::random::Random;

const SOUND: usize = 3;

/// A line with the text of one field replaced, quotes included.
fn line_with(column: &str, text: &[u8]) -> Vec<u8> {
    let columns = all_columns();
    let at = columns.iter().position(|known| known.csv == column).unwrap();
    let line = csv_line(&Row::compliant("odd"), &columns);
    let mut fields: Vec<&[u8]> = line[..line.len() - 1].split(|byte| *byte == b',').collect();
    fields[at] = text;
    [&fields.join(&b","[..]), &b"\n"[..]].concat()
}

/// Sound rows with an odd line as the second one.
fn audit_with(desk: &Desk, odd: &[u8]) -> Audited {
    let sound: Vec<Row> = (0..SOUND).map(|at| Row::compliant(&format!("f{at}"))).collect();
    let lines = sound.iter().map(|row| csv_line(row, &all_columns()));
    let mut lines: Vec<Vec<u8>> = lines.collect();
    lines.insert(1, odd.to_vec());
    let names: Vec<_> = all_columns().iter().map(|column| column.csv).collect();
    let delivery = Delivery::of_csv_texts(&names.join(", "), [lines.concat()]);
    desk.audit(delivery.write(&desk.path("config")).config, &[])
}

#[track_caller]
fn assert_rejected(audited: &Audited, code: &str, row: u64, context: &str) {
    assert_eq!(audited.code(), Some(3), "{context}: {audited:?}");
    let faults = audited.faults();
    assert_eq!(faults.len(), 1, "{context}: {faults:?}");
    assert_eq!(faults[0]["what"], code, "{context}");
    assert_eq!(faults[0]["where"]["row"], row, "{context}");
    let source = audited.summary()["sources"][0]["path"].clone();
    assert_eq!(faults[0]["where"]["source"], source, "{context}");
    assert!(faults[0]["where"]["file"].as_str().unwrap().contains("/data/part-0."), "{context}: {faults:?}");
    assert!(!faults[0]["why"].as_str().unwrap().is_empty(), "{context}");
    let summary = audited.summary();
    assert_eq!(summary["coverage"]["rows_rejected"], 1, "{context}");
    assert_eq!(summary["coverage"]["rows_read"], SOUND, "{context}");
    assert_eq!(summary["counts"]["compliant"], SOUND, "{context}");
    assert_eq!(summary["faults"], json!({code: 1}), "{context}");
    assert_eq!(summary["outcome_reasons"], json!(["faults"]), "{context}");
}

#[test]
fn every_bad_row_is_one_fault_and_the_others_count() {
    let cell = |column, text: &str| line_with(column, text.as_bytes());
    let ragged = csv_line(&Row::compliant("f"), &columns_without(&["ETag"]));
    let cases = [
        ("row_ragged", ragged),
        ("row_ragged", b"one field\n".to_vec()),
        ("row_ragged", cell("ChecksumAlgorithm", "\"\",\"\"")),
        ("row_bad_quoting", cell("ETag", "\"open")),
        ("row_bad_quoting", cell("ETag", "\"a\"b")),
        ("row_bad_quoting", cell("ETag", "\"a\" ")),
        ("row_bad_quoting", cell("ETag", "a\"b")),
        ("row_bad_quoting", cell("ETag", " \"a\"")),
        ("row_bad_quoting", cell("ChecksumAlgorithm", "\"")),
        ("row_bad_key_encoding", cell("Key", "\"a%\"")),
        ("row_bad_key_encoding", cell("Key", "\"a%4\"")),
        ("row_bad_key_encoding", cell("Key", "\"a%zz\"")),
        ("row_bad_key_encoding", cell("Key", "\"a%+1\"")),
        ("row_bad_boolean", cell("IsLatest", "\"yes\"")),
        ("row_bad_boolean", cell("IsLatest", "\"1\"")),
        ("row_bad_boolean", cell("IsDeleteMarker", "\" true\"")),
        ("row_bad_boolean", cell("IsDeleteMarker", "\"truefalse\"")),
        ("row_bad_size", cell("Size", "\"-1\"")),
        ("row_bad_size", cell("Size", "\"+1\"")),
        ("row_bad_size", cell("Size", "\"1.0\"")),
        ("row_bad_size", cell("Size", "\"1e3\"")),
        ("row_bad_size", cell("Size", "\" 1\"")),
        ("row_bad_size", cell("Size", "\"9223372036854775808\"")),
        ("row_bad_size", cell("Size", "\"99999999999999999999999\"")),
        ("row_bad_time", cell("LastModifiedDate", "\"2024-05-06\"")),
        ("row_bad_time", cell("LastModifiedDate", "\"2024-02-30T00:00:00.000Z\"")),
        ("row_bad_time", cell("LastModifiedDate", "\"2024-05-06T22:45:26.0004\"")),
        ("row_bad_time", cell("LastModifiedDate", "\"1969-12-31T23:59:59.999Z\"")),
        ("row_bad_time", cell("LastModifiedDate", "\"1715035068\"")),
        ("row_bad_version_id", cell("VersionId", "\"a b\"")),
        ("row_bad_version_id", cell("VersionId", "\"<script>\"")),
        ("row_bad_version_id", line_with("VersionId", b"\"a\x1b\"")),
        ("row_bad_version_id", line_with("VersionId", b"\"\xff\"")),
        ("row_bad_version_id", cell("VersionId", &format!("\"{}\"", "v".repeat(1025)))),
        ("row_of_other_bucket", cell("Bucket", "\"another\"")),
        ("row_of_other_bucket", cell("Bucket", &format!("\"{}\"", BUCKET.to_uppercase()))),
        ("row_no_key", cell("Key", "\"\"")),
        ("row_no_key", cell("Bucket", "\"\"")),
        ("row_too_long", cell("ETag", &format!("\"{}\"", "e".repeat(600_000)))),
        ("row_too_long", cell("ETag", &format!("\"{}\"", "e".repeat(3_000_000)))),
    ];
    let desk = Desk::new();
    for (code, line) in cases {
        let context = format!("{code} {:.90}", String::from_utf8_lossy(&line));
        assert_rejected(&audit_with(&desk, &line), code, 2, &context);
    }
}

#[test]
fn every_odd_row_that_is_not_bad_counts() {
    let cell = |column, text: &str| line_with(column, text.as_bytes());
    let cases = [
        cell("ETag", "unquoted"),
        cell("ETag", "\"with \"\"quotes\"\", and a comma\""),
        cell("IsLatest", "\"TRUE\""),
        cell("IsLatest", "\"False\""),
        cell("IsLatest", "\"\""),
        cell("IsDeleteMarker", "\"\""),
        cell("Size", "\"\""),
        cell("Size", "\"9223372036854775807\""),
        cell("Size", "\"000\""),
        cell("LastModifiedDate", "\"\""),
        cell("LastModifiedDate", "\"2024-05-06T22:37:48Z\""),
        cell("LastModifiedDate", "\"2024-05-06T22:37:48.123456Z\""),
        cell("VersionId", "\"\""),
        cell("VersionId", "\"null\""),
        cell("VersionId", &format!("\"{}\"", "v".repeat(1024))),
        cell("StorageClass", "\"SOMETHING_NEW\""),
        cell("Key", "\"AWSLogs/111122223333/CloudTrail/us-east-1/f%FF%00%0A\""),
        cell("Key", "\"AWSLogs/111122223333/CloudTrail/us-east-1/a%2fb%2Fc+d\""),
        cell("LastModifiedDate", "\"9999-12-31T23:59:59.999Z\""),
        line_with("IntelligentTieringReferenceDate", b"\"\"\r\n\n\r"),
    ];
    let desk = Desk::new();
    for line in cases {
        let audited = audit_with(&desk, &line);
        let context = String::from_utf8_lossy(&line).into_owned();
        // A sound row all the same, but no report lists what is written in the year 9999.
        let code = if context.contains("9999-12-31") { 3 } else { 0 };
        assert_eq!(audited.code(), Some(code), "{context:.90}: {audited:?}");
        assert_eq!(audited.summary()["counts"]["compliant"], SOUND + 1, "{context:.90}");
    }
}

#[test]
fn a_last_row_without_a_newline_counts() {
    let desk = Desk::new();
    let mut text = csv_text(&[Row::compliant("f"), Row::compliant("g")], &all_columns());
    text.pop();
    let names: Vec<_> = all_columns().iter().map(|column| column.csv).collect();
    let delivery = Delivery::of_csv_texts(&names.join(", "), [text]);
    let audited = desk.audit(delivery.write(&desk.path("config")).config, &[]);
    assert_eq!((audited.code(), &audited.summary()["counts"]["compliant"]), (Some(0), &json!(2)));
}

#[test]
fn rows_are_numbered_through_blank_lines_and_blocks() {
    let desk = Desk::new();
    let sound: Vec<Row> = (0..SOUND).map(|at| Row::compliant(&format!("f{at}"))).collect();
    let sound = csv_text(&sound, &all_columns());
    let names: Vec<_> = all_columns().iter().map(|column| column.csv).collect();
    // More blank lines than fit into one block.
    let text = [&sound[..], &b"\n".repeat(1_500_000), b"bad\n", b"\n\n"].concat();
    let delivery = Delivery::of_csv_texts(&names.join(", "), [text]);
    for jobs in ["1", "8"] {
        let audited = desk.audit(delivery.write(&desk.path("config")).config, &["--jobs", jobs]);
        assert_rejected(&audited, "row_ragged", 1_500_004, "behind blank lines");
    }
}

fn parquet_with(odd: Row, columns: &Columns) -> Delivery {
    let mut rows: Vec<Row> = (0..SOUND).map(|at| Row::compliant(&format!("f{at}"))).collect();
    rows.insert(2, odd);
    Delivery::parquet(&rows, columns, 1, ParquetForm { group_rows: 2, ..ParquetForm::default() })
}

#[test]
fn parquet_has_bad_rows_too() {
    type Change = fn(&mut Row);
    let cases: [(&str, Change); 10] = [
        ("row_bad_size", |row| row.size = Some(-1)),
        ("row_bad_size", |row| row.size = Some(i64::MIN)),
        ("row_bad_time", |row| row.last_modified = Some(-1)),
        ("row_bad_time", |row| row.last_modified = Some(i64::MIN)),
        ("row_bad_time", |row| row.last_modified = Some(i64::MAX)),
        // Version ids are read for findings only.
        ("row_bad_version_id", |row| {
            row.version_id = Some("a b".into());
            row.encryption_status = Some("NOT-SSE".into());
        }),
        ("row_of_other_bucket", |row| row.bucket = b"another".into()),
        ("row_no_key", |row| row.key = Vec::new()),
        ("row_no_key", |row| row.bucket = Vec::new()),
        ("row_of_other_bucket", |row| row.bucket = b"\xff\x1b".into()),
    ];
    let desk = Desk::new();
    for (code, change) in cases {
        let mut odd = Row::compliant("odd");
        change(&mut odd);
        let delivered = parquet_with(odd, &all_columns()).write(&desk.path("config"));
        assert_rejected(&desk.audit(delivered.config, &[]), code, 3, code);
    }
}

/// Objects of a report with these columns under one rule, each with the verdict and the reason that it must get.
#[track_caller]
fn assert_rulings(desk: &Desk, rule: &str, columns: &Columns, cases: &[(Row, &str, &str)]) -> Audited {
    let policy = format!("[[rule]]\nid = 'r'\n{rule}\n");
    let rows: Vec<Row> = cases.iter().map(|(row, _, _)| row.clone()).collect();
    let deliveries = [Delivery::csv(&rows, columns, 1), Delivery::parquet(&rows, columns, 1, ParquetForm::default())];
    let [csv, parquet] = deliveries.map(|delivery| {
        let delivered = delivery.write(&desk.path(delivery.format));
        desk.audit_under(&policy, delivered.config, &[])
    });
    assert_eq!(csv.text("findings.csv"), parquet.text("findings.csv"));
    let listed = cases.iter().filter(|(_, verdict, _)| !["compliant", "out_of_scope"].contains(verdict));
    let listed: Vec<_> = listed.map(|(_, verdict, reason)| [verdict.as_bytes(), reason.as_bytes()]).collect();
    let findings = csv.findings();
    let found: Vec<_> = findings.iter().map(|cells| [cells[10].as_slice(), cells[11].as_slice()]).collect();
    assert_eq!(listed, found, "{rule}");
    let count = |wanted| cases.iter().filter(|(_, verdict, _)| *verdict == wanted).count();
    for verdict in ["compliant", "violation", "undetermined", "excepted", "out_of_scope"] {
        assert_eq!(csv.summary()["counts"][verdict], count(verdict), "{verdict} {rule}");
    }
    let code = if count("violation") > 0 {
        1
    } else if count("undetermined") > 0 {
        3
    } else {
        0
    };
    assert_eq!(csv.code(), Some(code), "{csv:?}");
    csv
}

fn with(change: impl FnOnce(&mut Row)) -> Row {
    let mut row = Row::compliant("f");
    change(&mut row);
    row
}

fn with_status(status: &str) -> Row {
    Row::compliant("f").with_status(status)
}

const KMS: &str = "encryption = ['SSE-KMS', 'DSSE-KMS']";

#[test]
fn every_status_has_its_verdict() {
    let cases = [
        (with_status("SSE-KMS"), "compliant", ""),
        (with_status("DSSE-KMS"), "compliant", ""),
        (with_status("SSE-S3"), "violation", "method_not_allowed"),
        (with_status("SSE-C"), "violation", "method_not_allowed"),
        (with_status("NOT-SSE"), "violation", "not_encrypted"),
        (with_status(""), "undetermined", "status_blank"),
        (with(|row| row.encryption_status = None), "undetermined", "status_blank"),
        (with_status("sse-kms"), "undetermined", "status_unrecognised"),
        (with_status("SSE-KMS "), "undetermined", "status_unrecognised"),
        (with_status("aws:backup"), "undetermined", "status_unrecognised"),
        (with_status("(absent)"), "undetermined", "status_unrecognised"),
        (with_status("AES256"), "undetermined", "status_unrecognised"),
    ];
    let desk = Desk::new();
    let audited = assert_rulings(&desk, KMS, &all_columns(), &cases);
    let spellings = json!(["(absent)", "AES256", "SSE-KMS ", "aws:backup", "sse-kms"]);
    assert_eq!(audited.summary()["unrecognised_statuses"], spellings);
    let by_status = &audited.summary()["by_encryption_status"];
    assert_eq!(by_status["(blank)"], json!({"objects": 2, "bytes": 200}));
    assert_eq!(by_status["(unrecognised)"], json!({"objects": 5, "bytes": 500}));
}

#[test]
fn without_the_column_every_status_is_absent() {
    let cases = [(with_status("SSE-KMS"), "undetermined", "status_absent")];
    let desk = Desk::new();
    let audited = assert_rulings(&desk, KMS, &columns_without(&["EncryptionStatus"]), &cases);
    assert_eq!(audited.summary()["by_encryption_status"]["(absent)"]["objects"], 1);
}

#[test]
fn at_most_twenty_spellings_are_listed() {
    let cases: Vec<_> =
        (0..50).map(|at| (with_status(&format!("NEW-{at:02}")), "undetermined", "status_unrecognised")).collect();
    let desk = Desk::new();
    let audited = assert_rulings(&desk, KMS, &all_columns(), &cases);
    let first: Vec<String> = (0..20).map(|at| format!("NEW-{at:02}")).collect();
    assert_eq!(audited.summary()["unrecognised_statuses"], json!(first));
}

#[test]
fn a_rule_that_cannot_be_decided_does_not_fall_through() {
    let (class, date) = ("where = { storage_class = ['GLACIER'] }", "where = { written_before = 2020-01-01 }");
    let blank_class = || with(|row| row.storage_class = None);
    let blank_date = || with(|row| row.last_modified = None);
    let cases = |odd: Row| [(with(|_| {}), "compliant", ""), (odd, "undetermined", "scope_unknown")];
    let milder = "[[rule]]\nid = 'milder'\nencryption = ['SSE-KMS']";
    for (scope, odd, column) in [(class, blank_class(), "StorageClass"), (date, blank_date(), "LastModifiedDate")] {
        let rule = format!("{scope}\nencryption = ['SSE-C']\n{milder}");
        assert_rulings(&Desk::new(), &rule, &all_columns(), &cases(odd.clone()));
        let absent = [(with(|_| {}), "undetermined", "scope_unknown")];
        assert_rulings(&Desk::new(), &rule, &columns_without(&[column]), &absent);
        // A condition that certainly fails outweighs one that is unknown.
        let elsewhere = format!("{}\nencryption = ['SSE-C']\n{milder}", scope.replace(" }", ", region = ['eu-*'] }"));
        assert_rulings(&Desk::new(), &elsewhere, &all_columns(), &[(odd, "compliant", "")]);
    }
}

#[test]
fn dates_are_compared_to_the_millisecond() {
    let at = |millis| with(|row| row.last_modified = Some(millis));
    let rule = "where = { written_from = 2019-01-01, written_before = 2025-11-19T00:00:00.5Z }\nencryption = ['SSE-C']";
    let cases = [
        (at(1_546_300_799_999), "out_of_scope", ""),
        (at(1_546_300_800_000), "violation", "method_not_allowed"),
        (at(1_763_510_400_499), "violation", "method_not_allowed"),
        (at(1_763_510_400_500), "out_of_scope", ""),
    ];
    assert_rulings(&Desk::new(), rule, &all_columns(), &cases);
}

const KEYS: &str = "\n[keys]\nk = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'";

#[test]
fn a_rule_about_keys_never_passes_without_evidence() {
    let cases = [
        (with_status("SSE-KMS"), "undetermined", "key_unknown"),
        (with_status("DSSE-KMS"), "undetermined", "key_unknown"),
        (with_status("SSE-S3"), "compliant", ""),
        (with_status("SSE-C"), "violation", "method_not_allowed"),
        (with_status("NOT-SSE"), "violation", "not_encrypted"),
        (with_status(""), "undetermined", "status_blank"),
    ];
    let rule = format!("encryption = ['SSE-KMS', 'DSSE-KMS', 'SSE-S3']\nkeys = ['k']{KEYS}");
    let desk = Desk::new();
    let audited = assert_rulings(&desk, &rule, &all_columns(), &cases);
    assert_eq!(audited.summary()["by_key"], json!({}));
    let undetermined = assert_rulings(&desk, &rule, &all_columns(), &cases[..1]);
    assert_eq!(undetermined.summary()["outcome_reasons"], json!(["undetermined"]));
}

#[test]
fn bucket_keys_bind_sse_kms_only() {
    let of = |status: &str, bucket_key: Option<&str>| {
        let mut row = with_status(status);
        row.bucket_key_status = bucket_key.map(str::to_owned);
        row
    };
    let cases = [
        (of("SSE-KMS", Some("ENABLED")), "compliant", ""),
        (of("SSE-KMS", Some("DISABLED")), "violation", "bucket_key_disabled"),
        (of("SSE-KMS", None), "undetermined", "bucket_key_unknown"),
        (of("SSE-KMS", Some("enabled")), "undetermined", "bucket_key_unknown"),
        (of("DSSE-KMS", Some("DISABLED")), "compliant", ""),
        (of("SSE-S3", Some("DISABLED")), "violation", "method_not_allowed"),
    ];
    let desk = Desk::new();
    let rule = format!("{KMS}\nbucket_key = 'required'");
    assert_rulings(&desk, &rule, &all_columns(), &cases);
    let absent = [(of("SSE-KMS", Some("ENABLED")), "undetermined", "bucket_key_unknown")];
    assert_rulings(&desk, &rule, &columns_without(&["BucketKeyStatus"]), &absent);
    assert_rulings(
        &desk,
        &format!("{KMS}\nbucket_key = 'any'"),
        &all_columns(),
        &[(cases[1].0.clone(), "compliant", "")],
    );
}

#[test]
fn certain_beats_unknown() {
    let of = |bucket_key: Option<&str>| with(|row| row.bucket_key_status = bucket_key.map(str::to_owned));
    let cases = [
        (of(Some("DISABLED")), "violation", "bucket_key_disabled"),
        (of(Some("ENABLED")), "undetermined", "key_unknown"),
        (of(None), "undetermined", "key_unknown"),
    ];
    let rule = format!("{KMS}\nkeys = ['k']\nbucket_key = 'required'{KEYS}");
    assert_rulings(&Desk::new(), &rule, &all_columns(), &cases);
}

#[test]
fn delete_markers_are_counted_and_never_judged() {
    let desk = Desk::new();
    let rows = [Row::compliant("f"), Row::delete_marker("f").with_status("NOT-SSE"), Row::delete_marker("g")];
    let audited = desk.audit(Delivery::csv(&rows, &all_columns(), 1).write(&desk.path("config")).config, &[]);
    assert_eq!(audited.code(), Some(0), "{audited:?}");
    let counts = &audited.summary()["counts"];
    assert_eq!((&counts["rows"], &counts["delete_markers"], &counts["objects"]), (&json!(3), &json!(2), &json!(1)));
}

#[test]
fn noncurrent_versions_are_left_out_when_the_policy_says_so() {
    let version = |is_latest| with(|row| (row.is_latest, row.encryption_status) = (is_latest, Some("NOT-SSE".into())));
    let (current, blank, noncurrent) = (version(Some(true)), version(None), version(Some(false)));
    let violation = ("violation", "not_encrypted");
    let cases = |last: (&'static str, &'static str)| {
        [
            (current.clone(), violation.0, violation.1),
            (blank.clone(), violation.0, violation.1),
            (noncurrent.clone(), last.0, last.1),
        ]
    };
    let desk = Desk::new();
    assert_rulings(&desk, KMS, &all_columns(), &cases(violation));
    let policy = format!("versions = 'current'\n[[rule]]\nid = 'r'\n{KMS}\n");
    let delivery = Delivery::csv(&[current, blank, noncurrent], &all_columns(), 1);
    let audited = desk.audit_under(&policy, delivery.write(&desk.path("current")).config, &[]);
    assert_eq!(audited.summary()["counts"]["violation"], 2);
    assert_eq!(audited.summary()["counts"]["out_of_scope"], 1);
}

#[test]
fn exceptions_hold_through_their_last_day_and_cover_violations_only() {
    let desk = Desk::new();
    let rows = [with_status("NOT-SSE"), with_status(""), with_status("SSE-KMS")];
    let source = Delivery::csv(&rows, &all_columns(), 1).write(&desk.path("config")).config;
    let exception = "[[exception]]\nid = 'EX-1'\nrule = 'r'\nreason = 'x'\nexpires = 2026-03-31\n";
    let policy = format!("[[rule]]\nid = 'r'\n{KMS}\n{exception}");
    for (as_of, excepted, code) in [
        ("2026-03-30", 1, 3),
        ("2026-03-31", 1, 3),
        ("2026-03-31T23:59:59.999Z", 1, 3),
        ("2026-04-01", 0, 1),
        ("2026-04-01T00:00:00Z", 0, 1),
    ] {
        let audited = desk.audit_under(&policy, &source, &["--as-of", as_of]);
        let summary = audited.summary();
        assert_eq!((audited.code(), &summary["counts"]["excepted"]), (Some(code), &json!(excepted)), "{as_of}");
        assert_eq!(summary["excepted_by_reason"]["not_encrypted"], excepted, "{as_of}");
        assert_eq!(summary["counts"]["undetermined"], 1, "{as_of}");
        let expired = if excepted == 0 { json!(["EX-1"]) } else { json!([]) };
        assert_eq!(summary["policy"]["expired_exceptions"], expired, "{as_of}");
        assert_eq!(audited.ran.stderr.contains("EX-1 has expired"), excepted == 0, "{as_of}");
    }
}

#[test]
fn a_row_that_comes_twice_counts_twice() {
    let desk = Desk::new();
    let rows = [with_status("NOT-SSE"), with_status("NOT-SSE")];
    let audited = desk.audit(Delivery::csv(&rows, &all_columns(), 2).write(&desk.path("config")).config, &[]);
    assert_eq!((audited.findings().len(), &audited.summary()["counts"]["violation"]), (2, &json!(2)));
}

/// Where nothing but statuses matters, Parquet rows are counted by the batch; odd ones are seen all the same.
#[test]
fn rows_that_are_counted_together_are_still_looked_at() {
    let mut random = Random::new(3);
    let statuses = ["SSE-KMS", "SSE-KMS", "SSE-KMS", "DSSE-KMS", "SSE-S3", "SSE-C", "NOT-SSE"];
    let sound: Vec<Row> = (0..6_000)
        .map(|at| match random.below(20) {
            0 => Row { size: None, ..Row::delete_marker(&format!("f{at}")) },
            1 => Row { encryption_status: None, bucket_key_status: None, ..Row::compliant(&format!("f{at}")) },
            2 => Row { size: None, is_delete_marker: None, ..Row::compliant(&format!("f{at}")) },
            3 => Row { bucket_key_status: Some("DISABLED".into()), ..Row::compliant(&format!("f{at}")) },
            _ => Row { size: Some(at), ..Row::compliant(&format!("f{at}")) }.with_status(random.pick(&statuses)),
        })
        .collect();
    let odd = [
        Row::compliant("odd"),
        Row { size: Some(-5), ..Row::compliant("odd") },
        Row { bucket: b"another-bucket".to_vec(), ..Row::compliant("odd") },
        Row { bucket: Vec::new(), ..Row::compliant("odd") },
        Row::compliant("odd").with_status("SSE-NEW"),
        Row::compliant("odd").with_status("NOT-SSE").with_key(""),
    ];
    let policies = [
        "[[rule]]\nid = \"all\"\nencryption = [\"SSE-KMS\"]\n",
        "[[rule]]\nid = \"all\"\nencryption = [\"SSE-KMS\", \"SSE-S3\"]\nbucket_key = \"required\"\n",
        "unmatched = \"violation\"\n[[rule]]\nid = \"b\"\nwhere = { bucket = [\"x*\"] }\nencryption = [\"SSE-KMS\"]\n",
    ];
    let desk = Desk::new();
    for (at, odd) in odd.into_iter().enumerate() {
        let mut rows = sound.clone();
        rows.insert(4_111, odd);
        let delivery = Delivery::parquet(&rows, &all_columns(), 2, ParquetForm::default());
        let config = delivery.write(&desk.path(&format!("config-{at}"))).config;
        for policy in policies {
            let full = desk.audit_under(policy, &config, &[]);
            assert_ne!(full.code(), Some(2), "{full:?}");
            full.assert_same_without_rollups(&desk.audit_under(policy, &config, &["--rollup", "none"]));
        }
    }
}

/// Neighbours that are alike are judged once. Each row of one account between two of another has no such neighbour.
#[test]
fn rows_among_their_like_count_as_they_do_among_others() {
    let key = |account: usize, file: usize| match account {
        0 => format!("AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/{file}"),
        _ => format!("loose {file}"),
    };
    let odd: [fn(Row) -> Row; 15] = [
        |row| row,
        |row| row.with_status("DSSE-KMS"),
        |row| row.with_status("NOT-SSE"),
        |row| row.with_status("SSE-NEW"),
        |row| Row { bucket_key_status: Some("DISABLED".into()), ..row },
        |row| Row { size: Some(-5), ..row },
        |row| Row { size: None, ..row },
        |row| Row { last_modified: Some(-5), ..row },
        |row| Row { last_modified: Some(1_717_199_999_999), ..row },
        |row| Row { last_modified: Some(1_717_200_000_000), ..row },
        |row| Row { last_modified: None, ..row },
        |row| Row { size: None, ..Row::delete_marker("marker") }.with_key(row.key),
        |row| row.with_key(""),
        |row| Row { bucket: b"another-bucket".to_vec(), ..row },
        |row| Row { version_id: Some("no version".into()), is_latest: Some(false), ..row },
    ];
    let policies = [
        "unmatched = \"violation\"\n[[rule]]\nid = \"b\"\nwhere = { kind = [\"CloudTrail\"] }\n\
            encryption = [\"SSE-KMS\"]\nbucket_key = \"required\"\n",
        "[[rule]]\nid = \"old\"\nencryption = [\"SSE-S3\"]\nwhere = { written_before = 2024-05-07 }\n\
            [[rule]]\nid = \"rest\"\nencryption = [\"SSE-KMS\"]\n",
        "[[rule]]\nid = \"all\"\nencryption = [\"SSE-KMS\"]\n",
    ];
    let desk = Desk::new();
    let mut random = Random::new(9);
    for (number, odd) in odd.into_iter().enumerate() {
        let rows = [0, 1].map(|account| -> Vec<Row> {
            let row = |file| Row { size: Some(file as i64 % 7), ..Row::compliant("f") }.with_key(key(account, file));
            (0..300).map(|file| if random.chance(10) { odd(row(file)) } else { row(file) }).collect()
        });
        let alike = rows.concat();
        let [one, other] = &rows;
        let apart: Vec<Row> = one.iter().zip(other).flat_map(|(one, other)| [one.clone(), other.clone()]).collect();
        for policy in policies {
            for is_csv in [true, false] {
                let [alike, apart] = [&alike, &apart].map(|rows| {
                    let delivery = match is_csv {
                        true => Delivery::csv(rows, &all_columns(), 1),
                        false => Delivery::parquet(rows, &all_columns(), 1, ParquetForm::default()),
                    };
                    let folder = tempfile::tempdir_in(desk.path("")).unwrap();
                    let audited = desk.audit_under(policy, delivery.write(folder.path()).config, &[]);
                    let mut findings: Vec<String> = audited.text("findings.csv").lines().map(str::to_owned).collect();
                    findings.sort();
                    let mut summary = audited.summary();
                    for differs in ["sources", "plan", "sample", "timing", "started_at", "finished_at"] {
                        summary.as_object_mut().unwrap().remove(differs);
                    }
                    (audited.code(), findings, summary)
                });
                assert_eq!(alike, apart, "{number} {is_csv} {policy}");
            }
        }
    }
}

#[test]
fn a_report_about_another_bucket_is_rejected_as_a_whole() {
    let desk = Desk::new();
    let rows: Vec<Row> =
        (0..20).map(|at| Row { bucket: b"another-bucket".to_vec(), ..Row::compliant(&format!("f{at}")) }).collect();
    let deliveries = [
        Delivery::csv(&rows, &all_columns(), 1),
        Delivery::parquet(&rows, &all_columns(), 1, ParquetForm::default()),
        Delivery::orc(&rows, &all_columns(), 1, OrcForm::default()),
    ];
    for delivery in deliveries {
        let audited = desk.audit(delivery.write(&desk.path(delivery.format)).config, &[]);
        assert_eq!(audited.code(), Some(3), "{audited:?}");
        assert_eq!(audited.summary()["faults"], json!({"row_of_other_bucket": 20}));
        assert_eq!(audited.summary()["counts"]["objects"], 0);
    }
}

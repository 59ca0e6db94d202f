//! Key evidence: which key an object is known to be encrypted under, and what follows from that.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::audits::{Audited, Desk};
use crate::delivery::{BUCKET, Delivery, ParquetForm, Row, all_columns, columns_without, gzip};

const RIGHT: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const WRONG: &str = "arn:aws:kms:us-east-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321";
const OTHER: &str = "arn:aws:kms:us-east-1:444455556666:key/99999999-09fe-87dc-65ba-ab0987654321";
const MODIFIED: &str = "2024-05-06T07:08:09";
const EARLIER: &str = "2024-05-06T07:08:08";
const LATER: &str = "2024-05-06T07:08:10";
const TWO_LATER: &str = "2024-05-06T07:08:11";
const LATEST: &str = "2025-01-01T00:00:00";
/// That of the objects of reports.
const ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e";
const KEY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f é.json.gz";

fn policy() -> String {
    format!(
        "[keys]\narchive = \"{RIGHT}\"\n[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\", \"DSSE-KMS\"]\nkeys = [\"archive\"]\n"
    )
}

/// Milliseconds since 1970 of such a time.
fn millis(time: &str) -> i64 {
    logseal::timestamp::Timestamp::parse(format!("{time}Z").as_bytes()).unwrap().as_millis()
}

fn object(version: Option<&str>, status: &str) -> Row {
    Row {
        version_id: version.map(str::to_owned),
        last_modified: Some(millis(MODIFIED)),
        encryption_status: Some(status.to_owned()),
        key: KEY.as_bytes().to_vec(),
        ..Row::compliant("f")
    }
}

/// What HeadObject says of the object, with a date if it is known when.
fn head(version: Option<&str>, method: Option<&str>, key: Option<&str>, modified: &str, date: Option<&str>) -> Value {
    let mut head = json!({
        "Bucket": BUCKET, "Key": KEY, "AcceptRanges": "bytes", "ContentLength": 7,
        "ETag": format!("\"{ETAG}\""),
        "LastModified": format!("{modified}+00:00"), "Metadata": {},
    });
    let optional = [("VersionId", version), ("ServerSideEncryption", method), ("SSEKMSKeyId", key)];
    for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        head[name] = value.into();
    }
    if let Some(date) = date {
        head["ResponseMetadata"] = json!({"HTTPStatusCode": 200, "HTTPHeaders": {"date": date}});
    }
    head
}

/// The date of HTTP of one of the times above.
fn http(time: &str) -> String {
    let (date, clock) = time.split_once('T').unwrap();
    let (day, month) = if date == "2024-05-06" { ("06", "May 2024") } else { ("01", "Jan 2025") };
    format!("Mon, {day} {month} {clock} GMT")
}

fn dated(version: Option<&str>, key: &str, date: &str) -> Value {
    head(version, Some("aws:kms"), Some(key), MODIFIED, Some(&http(date)))
}

fn undated(version: Option<&str>, key: &str) -> Value {
    head(version, Some("aws:kms"), Some(key), MODIFIED, None)
}

fn lines(heads: &[Value]) -> String {
    heads.iter().map(|head| format!("{head}\n")).collect()
}

/// A verdict, its reason, and the key that the finding names.
type Expected = (&'static str, &'static str, &'static str);

struct Case {
    desk: Desk,
    config: PathBuf,
}

impl Case {
    fn new(rows: &[Row]) -> Self {
        let desk = Desk::new();
        let config = Delivery::csv(rows, &all_columns(), 1).write(&desk.path("config")).config;
        Self { desk, config }
    }

    fn audit(&self, policy: &str, evidence: &[&str], more: &[&str]) -> Audited {
        let args = [&["--key-evidence"], evidence, more].concat();
        self.desk.audit_under(policy, &self.config, &args)
    }
}

/// The verdict and reason of the only object, whose finding names this key.
#[track_caller]
fn assert_only(audited: &Audited, verdict: &str, reason: &str, key: &str, context: &str) {
    let summary = audited.summary();
    assert_eq!(summary["counts"][verdict], 1, "{context}: {summary:#}");
    match audited.findings().as_slice() {
        [] => assert_eq!((verdict, reason), ("compliant", ""), "{context}"),
        [finding] => {
            let cell = |at: usize| str::from_utf8(&finding[at]).unwrap();
            assert_eq!((cell(10), cell(11), cell(9)), (verdict, reason, key), "{context}");
        }
        findings => panic!("{context}: {findings:?}"),
    }
}

#[test]
fn every_rule_of_evidence_holds() {
    let v = Some("3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY");
    let kms = |version| object(version, "SSE-KMS");
    let unknown = ("undetermined", "key_unknown", "");
    let conflict = ("undetermined", "key_evidence_conflict", "");
    let without_etag = |mut head: Value, etag: Value| {
        head["ETag"] = etag;
        head
    };
    let (right, wrong) = (("compliant", "", ""), ("violation", "key_not_allowed", WRONG));
    let cases: Vec<(&str, Row, Vec<Value>, Expected)> = vec![
        ("the right key", kms(v), vec![undated(v, RIGHT)], right),
        ("a wrong key", kms(v), vec![undated(v, WRONG)], wrong),
        ("another version", kms(v), vec![undated(Some("another"), RIGHT)], unknown),
        ("no version", kms(v), vec![undated(None, RIGHT)], unknown),
        ("null versions are one", kms(None), vec![undated(None, RIGHT)], right),
        ("null versions by name", kms(None), vec![undated(Some("null"), RIGHT)], right),
        ("of the second in which it was modified", kms(v), vec![dated(v, RIGHT, MODIFIED)], right),
        ("of the second before, by another clock", kms(v), vec![dated(v, RIGHT, EARLIER)], right),
        (
            "the null version may have been seen between two writes of a second",
            kms(None),
            vec![without_etag(undated(None, RIGHT), Value::Null)],
            unknown,
        ),
        (
            "another object of the very second",
            kms(None),
            vec![without_etag(undated(None, RIGHT), "\"another\"".into())],
            unknown,
        ),
        ("the null version two seconds later", kms(None), vec![dated(None, RIGHT, TWO_LATER)], right),
        ("the null version one second later", kms(None), vec![dated(None, RIGHT, LATER)], unknown),
        (
            "the null version, and the second of another",
            kms(None),
            vec![head(None, Some("aws:kms"), Some(RIGHT), EARLIER, Some(&http(LATEST)))],
            unknown,
        ),
        (
            "the null version was written again",
            kms(None),
            vec![head(None, Some("aws:kms"), Some(RIGHT), EARLIER, None)],
            unknown,
        ),
        ("the later of two counts", kms(v), vec![dated(v, RIGHT, LATER), dated(v, WRONG, LATEST)], wrong),
        ("in any order", kms(v), vec![dated(v, RIGHT, LATEST), dated(v, WRONG, LATER)], right),
        ("two at the same time disagree", kms(v), vec![dated(v, RIGHT, LATER), dated(v, WRONG, LATER)], conflict),
        ("two at the same time agree", kms(v), vec![dated(v, RIGHT, LATER), dated(v, RIGHT, LATER)], right),
        ("nothing tells which is later", kms(v), vec![undated(v, RIGHT), dated(v, WRONG, LATER)], conflict),
        ("undated, and they agree", kms(v), vec![undated(v, RIGHT), dated(v, RIGHT, LATER)], right),
        (
            "two disagree, and both are wrong",
            kms(v),
            vec![dated(v, OTHER, LATER), dated(v, WRONG, LATER)],
            ("violation", "key_not_allowed", ""),
        ),
        ("another method than the report", kms(v), vec![head(v, Some("AES256"), None, MODIFIED, None)], conflict),
        ("right, the report says wrong", object(v, "SSE-S3"), vec![undated(v, RIGHT)], conflict),
        (
            "both methods are wrong",
            object(v, "SSE-S3"),
            vec![head(v, None, None, MODIFIED, None)],
            ("violation", "not_encrypted", ""),
        ),
        ("the methods of KMS are two", object(v, "DSSE-KMS"), vec![undated(v, RIGHT)], conflict),
        ("no key", kms(v), vec![head(v, Some("aws:kms"), None, MODIFIED, None)], unknown),
        ("an alias", kms(v), vec![undated(v, "arn:aws:kms:us-east-1:111122223333:alias/logs")], unknown),
        ("the id of a key of the policy", kms(v), vec![undated(v, "1234abcd-12ab-34cd-56ef-1234567890ab")], right),
        (
            "another id",
            kms(v),
            vec![undated(v, "5555abcd-12ab-34cd-56ef-1234567890ab")],
            ("violation", "key_not_allowed", "5555abcd-12ab-34cd-56ef-1234567890ab"),
        ),
        ("a method that needs no key", object(v, "SSE-S3"), vec![], ("violation", "method_not_allowed", "")),
        (
            "a blank status stays blank",
            Row { encryption_status: None, ..kms(v) },
            vec![undated(v, RIGHT)],
            ("undetermined", "status_blank", RIGHT),
        ),
    ];
    for (name, row, mut heads, (verdict, reason, key)) in cases {
        // There is always some evidence, if only about something else.
        heads.push(json!({"Bucket": "another", "Key": KEY, "VersionId": v, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": WRONG}));
        let case = Case::new(&[row]);
        let file = case.desk.file("heads.ndjson", &lines(&heads));
        let audited = case.audit(&policy(), &[file.to_str().unwrap()], &[]);
        assert_only(&audited, verdict, reason, key, name);
    }
}

#[test]
fn aliases_are_resolved_by_what_kms_says() {
    let v = Some("v1");
    let case = Case::new(&[object(v, "SSE-KMS")]);
    let aliases = |target: &str| {
        json!({"Aliases": [
            {"AliasName": "alias/aws/s3", "AliasArn": "arn:aws:kms:us-east-1:111122223333:alias/aws/s3"},
            {"AliasName": "alias/logs", "AliasArn": "arn:aws:kms:us-east-1:111122223333:alias/logs", "TargetKeyId": target},
        ]})
        .to_string()
    };
    for (target, expected) in [
        ("1234abcd-12ab-34cd-56ef-1234567890ab", ("compliant", "", "")),
        ("0987dcba-09fe-87dc-65ba-ab0987654321", ("violation", "key_not_allowed", WRONG)),
    ] {
        let file = case.desk.file("aliases.json", &aliases(target));
        let audit = |name: &str| {
            let heads = case.desk.file("heads.ndjson", &lines(&[undated(v, name)]));
            case.audit(&policy(), &[heads.to_str().unwrap()], &["--kms-aliases", file.to_str().unwrap()])
        };
        let alias = "arn:aws:kms:us-east-1:111122223333:alias/logs";
        assert_only(&audit(alias), expected.0, expected.1, expected.2, "an alias");
        // Others may have one of the same name.
        for name in
            ["alias/logs", &alias.replace("111122223333", "444455556666"), &alias.replace("us-east-1", "eu-west-1")]
        {
            assert_only(&audit(name), "undetermined", "key_unknown", "", name);
        }
    }
    let heads = case.desk.file("heads.ndjson", &lines(&[undated(v, "alias/logs")]));
    let broken = case.desk.file("broken.json", "{}");
    let audited = case.audit(&policy(), &[heads.to_str().unwrap()], &["--kms-aliases", broken.to_str().unwrap()]);
    assert_eq!(audited.code(), Some(2), "{audited:?}");
    assert!(audited.ran.stderr.contains("broken.json") && audited.ran.stderr.contains("list-aliases"), "{audited:?}");
}

#[test]
fn replicas_count_only_where_the_policy_says_so() {
    let v = Some("v1");
    let here = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";
    let there = here.replace("us-east-1", "eu-west-1");
    let policy = |key: &str| policy().replace(&format!("\"{RIGHT}\""), key);
    let case = Case::new(&[object(v, "SSE-KMS")]);
    let heads = case.desk.file("heads.ndjson", &lines(&[undated(v, &there)]));
    let audit = |key: &str| case.audit(&policy(key), &[heads.to_str().unwrap()], &[]);
    assert_only(&audit(&format!("\"{here}\"")), "violation", "key_not_allowed", &there, "one Region");
    assert_only(&audit(&format!("{{ arn = \"{here}\" }}")), "violation", "key_not_allowed", &there, "one Region");
    assert_only(&audit(&format!("{{ arn = \"{here}\", replicas = true }}")), "compliant", "", "", "all Regions");
    let elsewhere = here.replace("111122223333", "444455556666");
    assert_only(
        &audit(&format!("{{ arn = \"{elsewhere}\", replicas = true }}")),
        "violation",
        "key_not_allowed",
        &there,
        "another account",
    );
    let audited = audit(&format!("{{ arn = \"{RIGHT}\", replicas = true }}"));
    assert_eq!(audited.code(), Some(2), "{audited:?}");
    assert!(audited.ran.stderr.contains("multi-Region"), "{audited:?}");
}

#[test]
fn lists_of_one_key_are_evidence() {
    let encoded = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f+%C3%A9.json.gz";
    type List = (&'static str, Option<&'static str>, String, &'static [&'static str], Expected);
    let unknown = ("undetermined", "key_unknown", "");
    let cases: [List; 8] = [
        ("a version", Some("v1"), format!("{BUCKET},{encoded},v1\n"), &[], ("compliant", "", "")),
        ("quoted", Some("v1"), format!("\"{BUCKET}\",\"{encoded}\",\"v1\"\n"), &[], ("compliant", "", "")),
        ("another version", Some("v1"), format!("{BUCKET},{encoded},v2\n"), &[], ("undetermined", "key_unknown", "")),
        (
            "without versions it may be about any",
            None,
            format!("{BUCKET},{encoded}\n"),
            &["--evidence-as-of", "2025-01-01"],
            unknown,
        ),
        ("the null version may be newer", None, format!("{BUCKET},{encoded},null\n"), &[], unknown),
        // It names no second: an upload that began in the row's may have replaced what was listed.
        ("taken later", None, format!("{BUCKET},{encoded},null\n"), &["--evidence-as-of", "2025-01-01"], unknown),
        (
            "taken later, a blank version",
            None,
            format!("{BUCKET},{encoded},\n"),
            &["--evidence-as-of", "2025-01-01"],
            unknown,
        ),
        ("taken earlier", None, format!("{BUCKET},{encoded},null\n"), &["--evidence-as-of", "2024-01-01"], unknown),
    ];
    for (name, version, list, more, (verdict, reason, key)) in cases {
        let case = Case::new(&[object(version, "SSE-KMS")]);
        let file = case.desk.path("list.csv.gz");
        fs::write(&file, gzip(list.as_bytes())).unwrap();
        let audited = case.audit(&policy(), &[&format!("{RIGHT}={}", file.display())], more);
        assert_only(&audited, verdict, reason, key, name);
    }
    let case = Case::new(&[object(Some("v1"), "SSE-S3")]);
    let file = case.desk.file("list.csv", &format!("{BUCKET},{encoded},v1\n"));
    let more = ["--evidence-as-of", "2025-01-01"];
    let audited = case.audit(&policy(), &[&format!("{RIGHT}={}", file.display())], &more);
    assert_only(&audited, "undetermined", "key_evidence_conflict", "", "the report says SSE-S3");
    let audited = case.audit(&policy(), &[&format!("arn:aws:kms:us-east-1:1:alias/x={}", file.display())], &[]);
    assert_eq!(audited.code(), Some(2), "{audited:?}");
}

/// A row of a table of S3 Metadata.
#[derive(Clone, Default)]
struct TableRow {
    version: Option<&'static str>,
    status: Option<&'static str>,
    key: Option<&'static str>,
    is_delete_marker: bool,
    /// Of journals: sequence number, type and time.
    record: Option<(&'static str, &'static str, &'static str)>,
}

fn table(path: &Path, rows: &[TableRow]) {
    let texts = |cell: &dyn Fn(&TableRow) -> Option<String>| {
        Arc::new(rows.iter().map(cell).collect::<StringArray>()) as ArrayRef
    };
    let times = |cell: &dyn Fn(&TableRow) -> Option<i64>| {
        Arc::new(rows.iter().map(cell).collect::<TimestampMicrosecondArray>()) as ArrayRef
    };
    let flags = |cell: &dyn Fn(&TableRow) -> Option<bool>| {
        Arc::new(rows.iter().map(cell).collect::<BooleanArray>()) as ArrayRef
    };
    let text = |text: Option<&'static str>| text.map(str::to_owned);
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("bucket", texts(&|_| Some(BUCKET.to_owned()))),
        ("key", texts(&|_| Some(KEY.to_owned()))),
        ("sequence_number", texts(&|row| text(row.record.map_or(Some("00"), |(number, ..)| Some(number))))),
        ("version_id", texts(&|row| text(row.version))),
        ("is_delete_marker", flags(&|row| Some(row.is_delete_marker))),
        ("last_modified_date", times(&|_| Some(millis(MODIFIED) * 1000))),
        ("encryption_status", texts(&|row| text(row.status))),
        ("is_bucket_key_enabled", flags(&|_| Some(true))),
        ("kms_key_arn", texts(&|row| text(row.key))),
    ];
    if rows.iter().any(|row| row.record.is_some()) {
        columns.push(("record_type", texts(&|row| text(row.record.map(|(_, kind, _)| kind)))));
        columns.push(("record_timestamp", times(&|row| row.record.map(|(.., time)| millis(time) * 1000))));
    }
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
            .unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn tables_of_s3_metadata_are_evidence() {
    let v = Some("v1");
    let said = |key| TableRow { version: v, status: Some("SSE-KMS"), key: Some(key), ..TableRow::default() };
    let record = |key, number, kind, time| TableRow { record: Some((number, kind, time)), ..said(key) };
    let long = |last: &'static str| last;
    let cases: Vec<(&str, Vec<TableRow>, Expected)> = vec![
        ("the right key", vec![said(RIGHT)], ("compliant", "", "")),
        ("a wrong key", vec![said(WRONG)], ("violation", "key_not_allowed", WRONG)),
        ("no key", vec![TableRow { key: None, ..said(RIGHT) }], ("undetermined", "key_unknown", "")),
        (
            "a null says nothing",
            vec![TableRow { status: None, key: None, ..said(RIGHT) }],
            ("undetermined", "key_unknown", ""),
        ),
        (
            "a delete marker",
            vec![TableRow { is_delete_marker: true, ..said(RIGHT) }],
            ("undetermined", "key_unknown", ""),
        ),
        (
            "the last of a journal counts, by its number",
            vec![
                record(RIGHT, long("0000000000000002"), "CREATE", LATER),
                record(WRONG, long("0000000000000001"), "CREATE", LATER),
            ],
            ("compliant", "", ""),
        ),
        (
            "unless its clock contradicts it",
            vec![
                record(RIGHT, "0000000000000002", "UPDATE_METADATA", LATER),
                record(WRONG, "0000000000000001", "CREATE", LATEST),
            ],
            ("undetermined", "key_evidence_conflict", ""),
        ),
        (
            "numbers of different lengths are in the order of their times",
            vec![
                record(RIGHT, "1A", "UPDATE_METADATA", LATER),
                record(WRONG, "0A00000000000000", "UPDATE_METADATA", LATEST),
            ],
            ("violation", "key_not_allowed", WRONG),
        ),
        (
            "a later record without a key",
            vec![
                record(RIGHT, "0000000000000001", "CREATE", LATER),
                TableRow { key: None, ..record(RIGHT, "0000000000000002", "UPDATE_METADATA", LATEST) },
            ],
            ("undetermined", "key_unknown", ""),
        ),
        (
            "what clocks cannot tell from the moment of the report may have come after it",
            vec![record(RIGHT, "0000000000000002", "UPDATE_METADATA", "2026-01-04T01:00:01")],
            ("undetermined", "key_unknown", ""),
        ),
        (
            "a change long before it",
            vec![record(RIGHT, "0000000000000002", "UPDATE_METADATA", "2026-01-04T00:00:01")],
            ("compliant", "", ""),
        ),
        (
            "numbers that are the same",
            vec![
                record(RIGHT, "0000000000000001", "CREATE", LATER),
                record(WRONG, "0000000000000001", "CREATE", LATER),
            ],
            ("undetermined", "key_evidence_conflict", ""),
        ),
        (
            "that it was deleted silences nothing",
            vec![
                record(RIGHT, "0000000000000001", "CREATE", LATER),
                record(RIGHT, "0000000000000002", "DELETE", LATEST),
            ],
            ("compliant", "", ""),
        ),
        (
            "a journal whose clock is slow",
            vec![record(RIGHT, "0000000000000001", "CREATE", EARLIER)],
            ("compliant", "", ""),
        ),
    ];
    for (name, rows, (verdict, reason, key)) in cases {
        let case = Case::new(&[object(v, "SSE-KMS")]);
        let folder = case.desk.path("tables");
        fs::create_dir(&folder).unwrap();
        table(&folder.join("data.parquet"), &rows);
        fs::write(folder.join("README.txt"), "nothing that is known").unwrap();
        let audited = case.audit(&policy(), &[folder.to_str().unwrap()], &[]);
        assert_only(&audited, verdict, reason, key, name);
    }
}

#[test]
fn a_table_of_s3_metadata_is_a_source_by_itself() {
    let rows = [
        TableRow { version: Some("v1"), status: Some("SSE-KMS"), key: Some(RIGHT), ..TableRow::default() },
        TableRow { version: Some("v2"), status: Some("SSE-KMS"), key: Some(WRONG), ..TableRow::default() },
        TableRow { version: Some("v3"), status: None, key: None, ..TableRow::default() },
        TableRow { version: Some("v4"), is_delete_marker: true, ..TableRow::default() },
        TableRow { version: Some("v5"), status: Some("SSE-KMS"), key: None, ..TableRow::default() },
    ];
    let desk = Desk::new();
    table(&desk.path("table.parquet"), &rows);
    let audited = desk.audit_under(&policy(), desk.path("table.parquet"), &["--accept-unproven"]);
    let summary = audited.summary();
    let reasons: Vec<_> =
        audited.findings().iter().map(|finding| String::from_utf8_lossy(&finding[11]).into_owned()).collect();
    assert_eq!(reasons, ["key_not_allowed", "not_encrypted", "key_unknown"]);
    assert_eq!(summary["counts"]["delete_markers"], 1);
    assert_eq!(summary["by_key"], json!({RIGHT: {"objects": 1, "bytes": 0}, WRONG: {"objects": 1, "bytes": 0}}));
    assert_eq!(
        summary["key_coverage"],
        json!({"kms_objects": 3, "known": 2, "stale": 0, "conflicting": 0, "unknown": 1, "rekeyed_since": 0})
    );
    let journal = TableRow { record: Some(("01", "CREATE", LATER)), ..rows[0].clone() };
    table(&desk.path("journal.parquet"), &[journal]);
    let audited = desk.audit_under(&policy(), desk.path("journal.parquet"), &["--accept-unproven"]);
    assert_eq!((audited.code(), audited.fault_names()), (Some(3), vec!["unit_schema".to_owned()]));
}

#[test]
fn reports_without_versions_find_evidence_by_time() {
    let row = Row { version_id: None, ..object(None, "SSE-KMS") };
    for (name, columns) in [("CSV", columns_without(&["VersionId"])), ("Parquet", columns_without(&["VersionId"]))] {
        let desk = Desk::new();
        let delivery = match name {
            "CSV" => Delivery::csv(std::slice::from_ref(&row), &columns, 1),
            _ => Delivery::parquet(std::slice::from_ref(&row), &columns, 1, ParquetForm::default()),
        };
        let case = Case { config: delivery.write(&desk.path("config")).config, desk };
        for (modified, expected) in [
            (MODIFIED, ("compliant", "")),
            (EARLIER, ("undetermined", "key_unknown")),
            (LATER, ("undetermined", "key_unknown")),
        ] {
            let said = head(Some("v1"), Some("aws:kms"), Some(RIGHT), modified, None);
            let file = case.desk.file("heads.ndjson", &lines(&[said]));
            let audited = case.audit(&policy(), &[file.to_str().unwrap()], &[]);
            assert_only(&audited, expected.0, expected.1, "", name);
        }
        // The version `null` may be another one than the current, unless both were modified in the same second.
        let known = ("compliant", "");
        for (version, modified, expected) in [
            (None, MODIFIED, known),
            (None, LATER, ("undetermined", "key_unknown")),
            (Some("null"), MODIFIED, known),
            (Some("null"), LATER, ("undetermined", "key_unknown")),
        ] {
            let said = head(version, Some("aws:kms"), Some(RIGHT), modified, None);
            let file = case.desk.file("heads.ndjson", &lines(&[said]));
            let audited = case.audit(&policy(), &[file.to_str().unwrap()], &[]);
            assert_only(&audited, expected.0, expected.1, "", &format!("{name} {version:?} {modified}"));
        }
    }
}

#[test]
fn evidence_that_is_damaged_is_said_and_not_believed() {
    let v = Some("v1");
    let good = lines(&[undated(v, RIGHT)]);
    let cut = gzip(good.as_bytes());
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("cut off", cut[..cut.len() - 3].to_vec(), "evidence_damaged"),
        ("a line that is none", format!("{good}{{\"Bucket\": 7}}\n").into_bytes(), "evidence_bad_record"),
        ("a line without a key", format!("{good}{{\"Bucket\": \"b\"}}\n").into_bytes(), "evidence_bad_record"),
        (
            "a time that is none",
            lines(&[undated(v, RIGHT), head(v, None, None, "noon", None)]).into_bytes(),
            "evidence_bad_record",
        ),
        ("a table that is none", b"PAR1, it says".to_vec(), "evidence_damaged"),
    ];
    for (name, bytes, code) in cases {
        let case = Case::new(&[object(v, "SSE-KMS")]);
        let file = case.desk.path("evidence");
        fs::write(&file, bytes).unwrap();
        let audited = case.audit(&policy(), &[file.to_str().unwrap()], &[]);
        assert_only(&audited, "undetermined", "key_unknown", "", name);
        assert_eq!((audited.code(), audited.fault_names()), (Some(3), vec![code.to_owned()]), "{name}");
        assert_eq!(audited.summary()["outcome_reasons"], json!(["faults", "undetermined"]), "{name}");
        // What would pass does not while evidence is missing.
        let any_key = policy().replace("keys = [\"archive\"]", "");
        assert_eq!(case.audit(&any_key, &[file.to_str().unwrap()], &[]).code(), Some(3), "{name}");
    }
    let case = Case::new(&[object(v, "SSE-KMS")]);
    for (name, bytes) in [("text", "neither this nor that"), ("empty", ""), ("json", "{\"a\": 1}")] {
        let file = case.desk.file(name, bytes);
        let audited = case.audit(&policy(), &[file.to_str().unwrap()], &[]);
        assert_eq!(audited.code(), Some(2), "{name}: {audited:?}");
        assert!(audited.ran.stderr.contains(name), "{name}: {audited:?}");
        assert!(!audited.out.join("summary.json").exists(), "{name}");
    }
    let missing = case.desk.path("missing");
    assert_eq!(case.audit(&policy(), &[missing.to_str().unwrap()], &[]).code(), Some(2));
}

#[test]
fn a_long_file_that_is_damaged_in_the_end_is_not_believed() {
    let case = Case::new(&[object(Some("v1"), "SSE-KMS")]);
    let long = lines(&[undated(Some("v1"), RIGHT)]) + &lines(&[undated(Some("v2"), RIGHT)]).repeat(70_000);
    let whole = case.desk.file("heads.ndjson", &long);
    assert_only(&case.audit(&policy(), &[whole.to_str().unwrap()], &[]), "compliant", "", "", "whole");
    let damaged = case.desk.file("heads.ndjson", &format!("{long}no head\n"));
    let audited = case.audit(&policy(), &[damaged.to_str().unwrap()], &[]);
    assert_only(&audited, "undetermined", "key_unknown", "", "damaged");
    assert_eq!(audited.fault_names(), ["evidence_damaged"]);
}

#[test]
fn what_may_have_been_evidence_is_not_passed_over() {
    let case = Case::new(&[object(Some("v1"), "SSE-KMS")]);
    let folder = case.desk.path("evidence");
    fs::create_dir(&folder).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("heads.ndjson", &lines(&[undated(Some("v1"), RIGHT)]));
    write("_SUCCESS", "");
    let audited = case.audit(&policy(), &[folder.to_str().unwrap()], &[]);
    assert_eq!((audited.code(), &audited.summary()["ignored_evidence_files"]), (Some(0), &json!(1)), "{audited:?}");
    write("empty.json.gz", "");
    write("cut.json", "{\"Rec");
    write("digest.json", "{\"awsAccountId\": \"111122223333\"}");
    write("pretty.json", "{\n  \"ContentLength\": 7\n}\n");
    let audited = case.audit(&policy(), &[folder.to_str().unwrap()], &[]);
    let (damaged, unknown) = ("evidence_damaged".to_owned(), "evidence_unrecognised".to_owned());
    let mut faults = audited.fault_names();
    faults.sort();
    assert_eq!((audited.code(), faults), (Some(3), vec![damaged.clone(), damaged, unknown.clone(), unknown]));
}

/// Rows that differ in everything, and what HeadObject says of most of them.
fn many(count: usize) -> (Vec<Row>, Vec<Value>) {
    let row = |at: usize| {
        let status = ["SSE-KMS", "SSE-S3", "DSSE-KMS", "NOT-SSE"][at % 7 % 4];
        Row { key: format!("AWSLogs/{at}").into_bytes(), ..object([None, Some("v1")][at % 3 % 2], status) }
    };
    let said = |at: usize, turn: usize| {
        let key = [RIGHT, WRONG, OTHER][(at + turn) % 11 % 3];
        let (version, date) = ([None, Some("v1")][at % 3 % 2], [EARLIER, LATER, LATEST][(at * 5 + turn) % 13 % 3]);
        let mut said = if at % 17 == 3 { undated(version, key) } else { dated(version, key, date) };
        said["Key"] = format!("AWSLogs/{at}").into();
        said
    };
    let heads = (0..count).filter(|at| at % 5 > 0).flat_map(|at| (0..1 + at % 3).map(move |turn| said(at, turn)));
    ((0..count).map(row).collect(), heads.collect())
}

#[test]
fn the_outcome_depends_on_neither_memory_nor_threads_nor_shards() {
    // More records than a mebibyte holds.
    let (rows, heads) = many(30_000);
    let desk = Desk::new();
    let delivered =
        Delivery::parquet(&rows, &all_columns(), 3, ParquetForm { group_rows: 4_000, ..ParquetForm::default() });
    let config = delivered.write(&desk.path("config")).config;
    fs::create_dir(desk.path("evidence")).unwrap();
    for (at, some) in heads.chunks(7_001).rev().enumerate() {
        fs::write(desk.path("evidence").join(format!("{at}.ndjson.gz")), gzip(lines(some).as_bytes())).unwrap();
    }
    let folder = desk.path("evidence");
    let audit = |more: &[&str]| {
        let args = [&["--key-evidence", folder.to_str().unwrap()], more].concat();
        desk.audit_under(&policy(), &config, &args)
    };
    let whole = audit(&["--jobs", "1"]);
    let summary = whole.summary();
    for reason in ["key_unknown", "key_not_allowed", "key_evidence_conflict"] {
        assert!(summary["by_reason"][reason].as_u64() > Some(0), "{reason}: {summary:#}");
    }
    assert_eq!(summary["evidence"][0]["records"], heads.len());
    for more in [&["--jobs", "3"][..], &["--jobs", "2", "--memory", "1MiB"], &["--jobs", "1", "--memory", "1MiB"]] {
        assert_eq!(audit(more).steady(), whole.steady(), "{more:?}");
    }
    let shards = [audit(&["--shard", "1/2"]), audit(&["--shard", "2/2", "--memory", "1MiB"])];
    assert_eq!(desk.merge(&shards).steady(), whole.steady());
    fs::write(folder.join("more.ndjson"), lines(&heads[..1])).unwrap();
    let other = [audit(&["--shard", "1/2"]), audit(&["--shard", "2/2"])];
    assert_eq!(desk.merge([&other[0], &shards[1]]).code(), Some(2), "other evidence");
}

/// A record of CloudTrail, as S3 and KMS write them.
fn record(source: &str, name: &str, time: &str, request: Value, response: Value) -> Value {
    json!({
        "eventVersion": "1.11", "userIdentity": {"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"},
        "eventTime": format!("{time}Z"), "eventSource": source, "eventName": name, "awsRegion": "us-east-1",
        "sourceIPAddress": "cloudtrail.amazonaws.com", "userAgent": "cloudtrail.amazonaws.com",
        "requestParameters": request, "responseElements": response, "requestID": "1", "eventID": "2", "readOnly": false,
        "eventType": "AwsApiCall", "managementEvent": false, "recipientAccountId": "111122223333", "eventCategory": "Data",
    })
}

/// Uploads in parts are one.
fn written(name: &str, time: &str, version: Option<&str>, method: Option<&str>, key: Option<&str>) -> Value {
    let mut response = json!({});
    let header = |header: &'static str, value: Option<&str>| value.map(|value| (header, value.to_owned()));
    let headers = [
        header("x-amz-version-id", version),
        header("x-amz-server-side-encryption", method),
        header("x-amz-server-side-encryption-aws-kms-key-id", key),
    ];
    headers.into_iter().flatten().for_each(|(name, value)| response[name] = value.into());
    let mut request = json!({"bucketName": BUCKET, "key": KEY});
    match name {
        "CreateMultipartUpload" => response["uploadId"] = "upload".into(),
        "CompleteMultipartUpload" => request["uploadId"] = "upload".into(),
        _ => {}
    }
    record("s3.amazonaws.com", name, time, request, response)
}

fn updated(time: &str, version: Option<&str>, key: &str) -> Value {
    let mut request = json!({
        "bucketName": BUCKET, "key": KEY,
        "ObjectEncryption": {"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": true}},
    });
    version.into_iter().for_each(|version| request["versionId"] = version.into());
    record("s3.amazonaws.com", "UpdateObjectEncryption", time, request, Value::Null)
}

fn data_key(time: &str, arn: &str, key: &str) -> Value {
    let request = json!({"keyId": key, "keySpec": "AES_256", "encryptionContext": {"aws:s3:arn": arn}});
    let mut made = record("kms.amazonaws.com", "GenerateDataKey", time, request, Value::Null);
    made["userIdentity"] = json!({"type": "AWSService", "invokedBy": "s3.amazonaws.com"});
    made["resources"] = json!([{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": key}]);
    made
}

fn failed(mut record: Value) -> Value {
    record["errorCode"] = "AccessDenied".into();
    record["responseElements"] = Value::Null;
    record
}

#[test]
fn cloudtrail_logs_are_evidence() {
    const MUCH_LATER: &str = "2024-05-06T08:00:00";
    let v = Some("v1");
    let put = |time, key| written("PutObject", time, v, Some("aws:kms"), Some(key));
    let begun = |time, key| written("CreateMultipartUpload", time, None, Some("aws:kms"), Some(key));
    let ended = |time| written("CompleteMultipartUpload", time, v, None, None);
    let object_arn = format!("arn:aws:s3:::{BUCKET}/{KEY}");
    let bucket_arn = format!("arn:aws:s3:::{BUCKET}");
    let made = |time, key| data_key(time, &object_arn, key);
    let (right, wrong) = (("compliant", "", ""), ("violation", "key_not_allowed", WRONG));
    let unknown = ("undetermined", "key_unknown", "");
    let conflict = ("undetermined", "key_evidence_conflict", "");
    let null = |name, time, key| written(name, time, None, Some("aws:kms"), Some(key));
    let (complete, decide) = (["--evidence-logs", "complete"], ["--evidence-hints", "decide"]);
    type Told<'c> = (&'static str, Option<&'c str>, &'c [&'c str], Vec<Value>, Expected);
    let cases: Vec<Told<'_>> = vec![
        ("written", v, &[], vec![put(MODIFIED, RIGHT)], right),
        ("written under a wrong key", v, &[], vec![put(MODIFIED, WRONG)], wrong),
        ("copied", v, &[], vec![written("CopyObject", LATER, v, Some("aws:kms"), Some(RIGHT))], right),
        ("by a clock that is slow", v, &[], vec![put(EARLIER, RIGHT)], right),
        ("a failed call", v, &[], vec![failed(put(MODIFIED, RIGHT))], unknown),
        ("changed in place", v, &[], vec![put(MODIFIED, RIGHT), updated(MUCH_LATER, v, WRONG)], wrong),
        ("changed in place, in vain", v, &[], vec![put(MODIFIED, RIGHT), failed(updated(MUCH_LATER, v, WRONG))], right),
        ("put right", v, &[], vec![updated(MUCH_LATER, v, RIGHT), put(MODIFIED, WRONG)], right),
        ("the null version", None, &[], vec![null("PutObject", MODIFIED, RIGHT)], unknown),
        ("the null version, all logs", None, &complete, vec![null("PutObject", MODIFIED, RIGHT)], right),
        ("a neighbouring second", None, &complete, vec![null("PutObject", LATER, RIGHT)], unknown),
        (
            "two writes of one second",
            None,
            &complete,
            vec![null("PutObject", MODIFIED, RIGHT), null("CopyObject", MODIFIED, WRONG)],
            conflict,
        ),
        (
            "a later object",
            None,
            &complete,
            vec![null("PutObject", MODIFIED, WRONG), null("PutObject", MUCH_LATER, RIGHT)],
            wrong,
        ),
        (
            "the null version put right",
            None,
            &complete,
            vec![null("PutObject", MODIFIED, WRONG), updated(MUCH_LATER, Some("null"), RIGHT)],
            right,
        ),
        (
            "the null version, which an upload may have replaced since",
            None,
            &[],
            vec![null("PutObject", MODIFIED, WRONG), updated(MUCH_LATER, Some("null"), RIGHT)],
            unknown,
        ),
        ("some version was changed", v, &[], vec![put(MODIFIED, RIGHT), updated(MUCH_LATER, None, WRONG)], unknown),
        (
            "some version was changed, and it does not matter",
            v,
            &[],
            vec![put(MODIFIED, RIGHT), updated(MUCH_LATER, None, RIGHT)],
            right,
        ),
        (
            "some version was changed from wrong to wrong",
            v,
            &[],
            vec![put(MODIFIED, OTHER), updated(MUCH_LATER, None, WRONG)],
            ("violation", "key_not_allowed", ""),
        ),
        ("some version, nothing else", v, &[], vec![updated(MUCH_LATER, None, RIGHT)], unknown),
        ("in parts", v, &[], vec![begun(MODIFIED, RIGHT), ended(MUCH_LATER)], unknown),
        ("in parts, as is assumed", v, &decide, vec![begun(MODIFIED, RIGHT), ended(MUCH_LATER)], right),
        ("in parts under a wrong key", v, &decide, vec![begun(MODIFIED, WRONG), ended(MUCH_LATER)], wrong),
        ("in parts, and never ended", v, &decide, vec![begun(MODIFIED, RIGHT)], unknown),
        ("in parts, begun at another time", v, &decide, vec![begun(MUCH_LATER, RIGHT), ended(MUCH_LATER)], unknown),
        ("a data key", v, &[], vec![made(MODIFIED, RIGHT)], unknown),
        ("a data key, as is assumed", v, &decide, vec![made(MODIFIED, RIGHT)], right),
        ("a data key of the second before", v, &decide, vec![made(EARLIER, WRONG)], wrong),
        ("a data key of another time", v, &decide, vec![made(MUCH_LATER, RIGHT)], unknown),
        ("data keys of neighbouring seconds", v, &decide, vec![made(MODIFIED, RIGHT), made(LATER, WRONG)], unknown),
        ("a data key beside the write", v, &decide, vec![made(LATER, WRONG), put(MODIFIED, RIGHT)], right),
        ("a key of the bucket", v, &decide, vec![data_key(MODIFIED, &bucket_arn, RIGHT)], unknown),
    ];
    for (name, version, assumed, mut records, (verdict, reason, key)) in cases {
        records.insert(0, record("sts.amazonaws.com", "AssumeRole", MODIFIED, json!({"roleArn": "x"}), Value::Null));
        // A Bucket Key's data keys are for any object.
        let row = Row { bucket_key_status: Some("DISABLED".to_owned()), ..object(version, "SSE-KMS") };
        let case = Case::new(&[row]);
        let folder = case.desk.path("AWSLogs");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("log.json.gz"), gzip(json!({"Records": records}).to_string().as_bytes())).unwrap();
        let digest = folder.join("111122223333_CloudTrail-Digest_us-east-1.json.gz");
        fs::write(digest, gzip(b"{\"digestS3Object\": \"x\", \"logFiles\": []}")).unwrap();
        let audited = case.audit(&policy(), &[folder.to_str().unwrap()], assumed);
        assert_only(&audited, verdict, reason, key, name);
        let in_use = if name == "a key of the bucket" {
            json!([{"bucket": BUCKET, "key": RIGHT, "events": 1}])
        } else {
            json!([])
        };
        assert_eq!(audited.summary()["keys_in_use"], in_use, "{name}");
        assert_eq!(audited.summary()["evidence"][0]["kind"], "cloud_trail", "{name}");
    }
}

#[test]
fn logs_are_not_complete_beside_a_file_that_cannot_be_read() {
    let case = Case::new(&[object(None, "SSE-KMS")]);
    let folder = case.desk.path("AWSLogs");
    fs::create_dir(&folder).unwrap();
    let log = json!({"Records": [written("PutObject", MODIFIED, None, Some("aws:kms"), Some(RIGHT))]}).to_string();
    fs::write(folder.join("1.json"), &log).unwrap();
    let audit = || case.audit(&policy(), &[folder.to_str().unwrap()], &["--evidence-logs", "complete"]);
    assert_only(&audit(), "compliant", "", "", "all logs");
    fs::write(folder.join("2.json"), &log[..log.len() - 1]).unwrap();
    assert_only(&audit(), "undetermined", "key_unknown", "", "the other may hold anything");
}

#[test]
fn a_log_that_is_cut_off_is_not_believed() {
    let case = Case::new(&[object(Some("v1"), "SSE-KMS")]);
    let log =
        json!({"Records": [written("PutObject", MODIFIED, Some("v1"), Some("aws:kms"), Some(RIGHT))]}).to_string();
    let file = case.desk.file("log.json", &log[..log.len() - 1]);
    let audited = case.audit(&policy(), &[file.to_str().unwrap()], &[]);
    assert_only(&audited, "undetermined", "key_unknown", "", "cut off");
    assert_eq!(audited.fault_names(), ["evidence_damaged"]);
}

#[test]
fn each_source_is_counted_by_itself() {
    let rows: Vec<Row> = ["v1", "v2", "v3"].iter().map(|version| object(Some(version), "SSE-KMS")).collect();
    let case = Case::new(&rows);
    // Read in another order than they are told in.
    let folders = ["z", "a"].map(|name| case.desk.path(name));
    folders.iter().for_each(|folder| fs::create_dir(folder).unwrap());
    fs::write(
        folders[0].join("heads.ndjson"),
        format!("\n{}", lines(&[undated(Some("v1"), RIGHT), undated(Some("v9"), RIGHT)])),
    )
    .unwrap();
    let put = |version| written("PutObject", MODIFIED, Some(version), Some("aws:kms"), Some(RIGHT));
    let log = json!({"Records": [put("v2"), put("v3"), updated(EARLIER, Some("v3"), RIGHT)]});
    fs::write(folders[1].join("log.json"), log.to_string()).unwrap();
    fs::write(folders[1].join("heads.ndjson"), lines(&[dated(Some("v8"), "alias/x", LATER)])).unwrap();
    fs::write(folders[1].join("README"), "no evidence").unwrap();
    let audited = case.audit(&policy(), &folders.each_ref().map(|folder| folder.to_str().unwrap()), &[]);
    assert_eq!(audited.code(), Some(0), "{audited:?}");
    let summary = audited.summary();
    let told: Vec<_> = summary["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let kind = line["kind"].as_str().unwrap();
            let numbers = ["files", "records", "matched", "unresolved_keys"].map(|name| line[name].as_u64().unwrap());
            (kind, numbers, line["as_of"].as_str().unwrap_or("-"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("head_object", [1, 1, 0, 1], "2024-05-06T07:08:10.000Z"),
            ("cloud_trail", [1, 3, 2, 0], "2024-05-06T07:08:09.000Z"),
            ("head_object", [1, 2, 1, 0], "-"),
        ]
    );
    assert_eq!(summary["ignored_evidence_files"], 1);
}

/// Files of a trail as S3 stores them, the inventory of their bucket, and the logs that recorded how they were written.
#[test]
fn an_inventory_and_the_logs_of_its_writes_lead_to_a_verdict() {
    let log_key = |at: usize| {
        format!(
            "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/111122223333_CloudTrail_us-east-1_20240506T0705Z_{at:016}.json.gz"
        )
    };
    let row = |at: usize| Row {
        key: log_key(at).into_bytes(),
        bucket_key_status: Some("DISABLED".to_owned()),
        ..object(Some(&format!("v{at}")), "SSE-KMS")
    };
    let rows: Vec<Row> = (0..8).map(row).collect();
    let about = |at: usize, mut event: Value| {
        event["requestParameters"]["key"] = log_key(at).into();
        event
    };
    let version = |at: usize| format!("v{at}");
    let put = |at: usize, name, key| about(at, written(name, MODIFIED, Some(&version(at)), Some("aws:kms"), key));
    let mut records: Vec<Value> = (0..4).map(|at| put(at, "PutObject", Some(RIGHT))).collect();
    records.push(put(4, "CopyObject", Some(RIGHT)));
    records.push(about(5, written("CreateMultipartUpload", MODIFIED, None, Some("aws:kms"), Some(RIGHT))));
    records.push(put(5, "CompleteMultipartUpload", None));
    records.push(data_key(MODIFIED, &format!("arn:aws:s3:::{BUCKET}/{}", log_key(6)), RIGHT));
    records.push(put(7, "PutObject", Some(WRONG)));
    records.push(about(7, updated(LATER, Some("v7"), RIGHT)));
    let case = Case::new(&rows);
    let trail = case.desk.path("AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06");
    fs::create_dir_all(&trail).unwrap();
    for (at, some) in records.chunks(3).enumerate() {
        fs::write(trail.join(format!("{at}.json.gz")), gzip(json!({"Records": some}).to_string().as_bytes())).unwrap();
    }
    let root = case.desk.path("AWSLogs");
    let audit = |policy: &str| case.audit(policy, &[root.to_str().unwrap()], &["--evidence-hints", "decide"]);
    let passed = audit(&policy());
    assert_eq!((passed.code(), &passed.summary()["outcome"]), (Some(0), &json!("pass")), "{passed:?}");
    assert_eq!(passed.summary()["by_key"], json!({RIGHT: {"objects": 8, "bytes": 800}}));
    let violated = audit(&policy().replace(RIGHT, OTHER));
    assert_eq!((violated.code(), &violated.summary()["by_reason"]["key_not_allowed"]), (Some(1), &json!(8)));
    let unknown = case.desk.audit_under(&policy(), &case.config, &[]);
    assert_eq!((unknown.code(), &unknown.summary()["by_reason"]["key_unknown"]), (Some(3), &json!(8)));
}

/// An audit of a report of 1 April 2026, when keys of stored objects can change.
struct Later(Case);

impl Later {
    fn new(rows: &[Row]) -> Self {
        let desk = Desk::new();
        let delivery = Delivery::csv(rows, &all_columns(), 1);
        let delivered = delivery.write(&desk.path("config"));
        let mut manifest = delivery.manifest();
        manifest["creationTimestamp"] = "1775001600000".into();
        delivered.seal("2026-04-01T00-00Z", &manifest);
        Self(Case { desk, config: delivered.config })
    }

    fn audit(&self, heads: &[Value], log: &[Value], assumed: &[&str]) -> Audited {
        let file = self.0.desk.file("heads.ndjson", &lines(heads));
        let log = self.0.desk.file("log.json", &json!({"Records": log}).to_string());
        self.0.audit(&policy(), &[file.to_str().unwrap(), log.to_str().unwrap()], assumed)
    }
}

#[test]
fn keys_that_may_have_changed_unseen_are_stale() {
    let v = Some("v1");
    let at = |time: &str, key| {
        let mut head = undated(v, key);
        head["EvidenceAsOf"] = time.into();
        head
    };
    let other = record("sts.amazonaws.com", "AssumeRole", MODIFIED, json!({}), Value::Null);
    let (right, wrong) = (("compliant", "", ""), ("violation", "key_not_allowed", WRONG));
    let (stale, unknown) = (("undetermined", "key_evidence_stale", ""), ("undetermined", "key_unknown", ""));
    let conflict = ("undetermined", "key_evidence_conflict", "");
    let (week, complete) = (&["--evidence-max-age", "7d"][..], &["--evidence-logs", "complete"][..]);
    type Told<'c> = (&'static str, Vec<Value>, Vec<Value>, &'c [&'c str], Expected);
    let cases: Vec<Told<'_>> = vec![
        ("seen a day before", vec![at("2026-03-31T00:00:00Z", RIGHT)], vec![], &[], stale),
        ("seen a day before, a week will do", vec![at("2026-03-31T00:00:00Z", RIGHT)], vec![], week, right),
        ("forbidden, a week will do", vec![at("2026-03-31T00:00:00Z", WRONG)], vec![], week, wrong),
        ("forbidden long ago", vec![at("2026-03-01T00:00:00Z", WRONG)], vec![], week, stale),
        ("seen a week and an hour before", vec![at("2026-03-24T23:00:00Z", RIGHT)], vec![], week, stale),
        ("seen a day after", vec![at("2026-04-02T00:00:00Z", RIGHT)], vec![], week, right),
        ("seen a day after, nothing assumed", vec![at("2026-04-02T00:00:00Z", RIGHT)], vec![], &[], stale),
        ("seen long after", vec![at("2026-04-09T00:00:00Z", RIGHT)], vec![], week, stale),
        ("seen in that second", vec![at("2026-04-01T00:00:01Z", RIGHT)], vec![], &[], right),
        ("seen long ago, all logs", vec![at("2025-04-02T00:00:00Z", RIGHT)], vec![other.clone()], complete, right),
        ("undated, all logs", vec![undated(v, RIGHT)], vec![other.clone()], complete, right),
        ("undated, a week", vec![undated(v, RIGHT)], vec![other.clone()], week, stale),
        (
            "before and after disagree",
            vec![at("2026-03-31T00:00:00Z", RIGHT), at("2026-04-02T00:00:00Z", WRONG)],
            vec![],
            week,
            conflict,
        ),
        (
            "put right after the report",
            vec![at("2026-03-31T00:00:00Z", WRONG)],
            vec![updated("2026-04-03T00:00:00", v, RIGHT)],
            week,
            wrong,
        ),
        (
            "seen after it was changed",
            vec![at("2026-04-04T00:00:00Z", RIGHT)],
            vec![updated("2026-04-03T00:00:00", v, RIGHT)],
            week,
            stale,
        ),
        ("changed before 2026-01-28", vec![], vec![updated("2025-12-24T00:00:00", v, WRONG)], complete, wrong),
        (
            "some version was changed, and then it was seen",
            vec![at("2026-03-31T00:00:00Z", RIGHT)],
            vec![updated("2026-03-20T00:00:00", None, WRONG)],
            week,
            right,
        ),
        (
            "seen, and then some version was changed",
            vec![at("2026-03-20T00:00:00Z", RIGHT)],
            vec![updated("2026-03-31T00:00:00", None, WRONG)],
            complete,
            unknown,
        ),
        (
            "another method",
            vec![{
                let mut head = head(v, Some("AES256"), None, MODIFIED, None);
                head["EvidenceAsOf"] = "2026-03-31T00:00:00Z".into();
                head
            }],
            vec![],
            week,
            stale,
        ),
    ];
    for (name, heads, log, assumed, (verdict, reason, key)) in cases {
        let case = Later::new(&[object(v, "SSE-KMS")]);
        // There is always some evidence of either kind, if only about something else.
        let heads = [heads, vec![json!({"Bucket": "another", "Key": KEY})]].concat();
        let log = [log, vec![other.clone()]].concat();
        let audited = case.audit(&heads, &log, assumed);
        assert_only(&audited, verdict, reason, key, name);
        let is_rekeyed = name == "put right after the report" || name == "seen after it was changed";
        assert_eq!(audited.summary()["key_coverage"]["rekeyed_since"], u64::from(is_rekeyed), "{name}");
        let named: Vec<_> = audited.summary()["assumptions"].as_array().unwrap().clone();
        // What has no time would decide under complete logs.
        let undated = usize::from(assumed == complete);
        assert_eq!(named.len(), assumed.len() / 2 + undated, "{name}: {named:?}");
        named.iter().for_each(|one| assert!(audited.ran.stdout.contains(one["name"].as_str().unwrap()), "{name}"));
    }
}

#[test]
fn logs_that_nobody_gave_are_not_complete() {
    let case = Later::new(&[object(Some("v1"), "SSE-KMS")]);
    let file = case.0.desk.file("heads.ndjson", &lines(&[undated(Some("v1"), RIGHT)]));
    let audited = case.0.audit(&policy(), &[file.to_str().unwrap()], &["--evidence-logs", "complete"]);
    assert_only(&audited, "undetermined", "key_evidence_stale", "", "no log");
    assert_eq!(audited.summary()["assumptions"], json!([]));
}

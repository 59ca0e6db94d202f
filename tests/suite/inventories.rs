//! What an inventory must be for a pass: of all versions, of a moment that can be believed, of each bucket once, and with
//! nothing in it that could not be looked at.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::audits::{AS_OF, Audited, Desk, logseal};
use crate::delivery::{
    BUCKET, Columns, Delivered, Delivery, MADE, OrcForm, ParquetForm, RUN, Row, all_columns, columns, columns_without,
};

const HOUR: i64 = 3_600_000;

fn rows(count: usize) -> Vec<Row> {
    (0..count).map(|at| Row::compliant(&format!("{at}.json.gz"))).collect()
}

fn versionless() -> Columns {
    columns_without(&["VersionId", "IsLatest", "IsDeleteMarker"])
}

/// The rows in each format.
fn in_every_format(rows: &[Row], columns: &Columns, files: usize) -> [Delivery; 3] {
    [
        Delivery::csv(rows, columns, files),
        Delivery::parquet(rows, columns, files, ParquetForm::default()),
        Delivery::orc(rows, columns, files, OrcForm::default()),
    ]
}

fn reasons(audited: &Audited) -> Value {
    audited.summary()["outcome_reasons"].clone()
}

#[test]
fn current_versions_are_not_all_versions() {
    let of_current = "versions = 'current'\n[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\n";
    let of_all = of_current.replace("current", "all");
    let unlisted = json!(["noncurrent_versions_unlisted"]);
    for delivery in in_every_format(&rows(4), &versionless(), 2) {
        let desk = Desk::new();
        let source = delivery.write(&desk.path("source")).config;
        for audited in [desk.audit(&source, &[]), desk.audit_under(&of_all, &source, &[])] {
            assert_eq!((audited.code(), reasons(&audited)), (Some(3), unlisted.clone()), "{audited:?}");
            for said in ["lists current versions only", "versions = \"current\" into the policy"] {
                let text = audited.ran.stdout.replace("\n", " ").split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(text.contains(said), "{said} {audited:?}");
            }
        }
        assert_eq!(desk.audit_under(of_current, &source, &[]).code(), Some(0));
        // Shards that have it say it, and so does the whole.
        let shards: Vec<_> = ["1/2", "2/2"].map(|shard| desk.audit(&source, &["--shard", shard])).into();
        assert_eq!(reasons(&desk.merge(&shards)), unlisted);
    }
}

#[test]
fn a_violation_among_current_versions_is_one() {
    let desk = Desk::new();
    let source = Delivery::csv(&[Row::compliant("f").with_status("SSE-S3")], &versionless(), 1);
    let audited = desk.audit(source.write(&desk.path("source")).config, &[]);
    assert_eq!((audited.code(), reasons(&audited)), (Some(1), json!(["violations", "noncurrent_versions_unlisted"])));
}

#[test]
fn directory_buckets_have_no_other_versions() {
    let desk = Desk::new();
    let bucket = "logs--use1-az4--x-s3";
    let rows = [Row { bucket: bucket.into(), ..Row::compliant("f") }];
    let directory = Delivery::csv(&rows, &versionless(), 1).in_bucket(bucket).write(&desk.path("directory"));
    assert_eq!(desk.audit(&directory.config, &[]).code(), Some(0));
    // Another source beside it may have them.
    let other = Delivery::csv(&[Row::compliant("f")], &versionless(), 1).write(&desk.path("other"));
    let both = desk.audit_all(&[&directory.config, &other.config], &[]);
    assert_eq!(reasons(&both), json!(["noncurrent_versions_unlisted"]));
}

/// A delivery whose manifest says that it was made then.
fn made(desk: &Desk, delivery: &Delivery, stamp: Option<Value>) -> PathBuf {
    let delivered = delivery.write(&desk.path("source"));
    let mut manifest = delivery.manifest();
    match stamp {
        Some(stamp) => manifest["creationTimestamp"] = stamp,
        None => drop(manifest.as_object_mut().unwrap().remove("creationTimestamp")),
    }
    delivered.seal(RUN, &manifest);
    delivered.config
}

#[test]
fn a_report_without_a_moment_is_judged_and_no_pass() {
    let desk = Desk::new();
    let delivery = Delivery::csv(&rows(4), &all_columns(), 2);
    for (stamp, why) in [
        (None, "is missing"),
        (Some(Value::Null), "is missing"),
        (Some(json!("")), "is no number of milliseconds"),
        (Some(json!("2026-01-04T01:00:00.000Z")), "is no number of milliseconds"),
        (Some(json!(1.5)), "is no number of milliseconds"),
        (Some(json!([])), "is no number of milliseconds"),
        // Seconds.
        (Some(json!("1767488400")), "lies before 2016"),
        (Some(json!(1_451_606_399_999_i64)), "lies before 2016"),
        (Some(json!(4_102_444_800_000_i64)), "lies in the future"),
        (Some(json!("1767488400000000")), "is no number of milliseconds"),
    ] {
        let source = made(&desk, &delivery, stamp);
        let audited = desk.audit(&source, &[]);
        assert_eq!((audited.code(), reasons(&audited)), (Some(3), json!(["faults"])), "{audited:?}");
        let (summary, faults) = (audited.summary(), audited.faults());
        assert_eq!((&summary["counts"]["compliant"], &summary["faults"]), (&json!(4), &json!({"manifest_time": 1})));
        assert_eq!((&summary["sources"][0]["created_at"], faults.len()), (&Value::Null, 1));
        assert_eq!(faults[0]["what"], "manifest_time");
        assert!(faults[0]["why"].as_str().unwrap().contains(why), "{faults:?}");
        let key = ["--key", "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/0.json.gz"];
        let explained = logseal(["explain", source.to_str().unwrap()].into_iter().chain(key));
        assert_eq!(explained.code, Some(3), "{explained:?}");

        let accepted = desk.audit(&source, &["--accept-manifest-time"]);
        assert_eq!((accepted.code(), accepted.faults().len()), (Some(0), 0), "{accepted:?}");
        let summary = accepted.summary();
        assert_eq!(
            (&summary["sources"][0]["created_at"], &summary["assumptions"][0]["name"]),
            (&Value::Null, &json!("manifest_time_accepted"))
        );
        assert!(accepted.ran.stdout.contains("Assumes   manifest_time_accepted"), "{accepted:?}");
    }
    // A violation is one all the same.
    let violating = Delivery::csv(&[Row::compliant("f").with_status("NOT-SSE")], &all_columns(), 1);
    assert_eq!(desk.audit(made(&desk, &violating, None), &[]).code(), Some(1));
}

#[test]
fn a_report_may_be_as_young_as_its_audit_thinks_it_is() {
    let desk = Desk::new();
    let delivery = Delivery::csv(&rows(1), &all_columns(), 1);
    // 2100-01-01.
    let source = made(&desk, &delivery, Some(json!("4102444800000")));
    for (as_of, code) in [("2099-12-31", 0), ("2099-12-30T23:59:59Z", 3), ("2026-01-10", 3)] {
        assert_eq!(desk.audit(&source, &["--as-of", as_of]).code(), Some(code), "{as_of}");
    }
}

/// Rows of which one is so much younger than the report, in milliseconds.
fn with_late_row(late: i64) -> Vec<Row> {
    let mut rows = rows(8);
    rows[5].last_modified = Some(MADE + late);
    rows
}

#[test]
fn a_report_lists_nothing_that_is_far_younger() {
    let desk = Desk::new();
    for (late, code) in [(0, 0), (48 * HOUR, 0), (48 * HOUR + 1, 3)] {
        for delivery in in_every_format(&with_late_row(late), &all_columns(), 4) {
            let source = delivery.write(&desk.path(&format!("{late}-{}", delivery.format))).config;
            let audited = desk.audit(&source, &[]);
            assert_eq!(audited.code(), Some(code), "{late} {audited:?}");
            if code == 0 {
                continue;
            }
            assert_eq!(
                (reasons(&audited), audited.fault_names()),
                (json!(["faults"]), vec!["manifest_time".to_owned()])
            );
            assert_eq!(audited.summary()["sources"][0]["created_at"], Value::Null);
            // Without rollups nobody asks for times, but for this.
            let without = desk.audit(&source, &["--rollup", "none"]);
            audited.assert_same_without_rollups(&without);
            // Whichever shard has the row, the whole is the same.
            let shards: Vec<_> = ["1/3", "2/3", "3/3"].map(|shard| desk.audit(&source, &["--shard", shard])).into();
            assert_eq!(desk.merge(&shards).steady(), audited.steady());
            assert_eq!(desk.merge(shards.iter().rev()).steady(), audited.steady());

            let accepted = desk.audit(&source, &["--accept-manifest-time"]);
            assert_eq!(accepted.code(), Some(0), "{accepted:?}");
            let key = ["--key", "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/0.json.gz"];
            let explain = |args: &[&str]| logseal([&["explain", source.to_str().unwrap()], &key[..], args].concat());
            let explained = explain(&[]);
            assert_eq!(explained.code, Some(3), "{explained:?}");
            assert!(explained.stderr.contains("and the report lists an object of 2026-01-06"), "{explained:?}");
            let explained = explain(&["--accept-manifest-time"]);
            assert_eq!(explained.code, Some(0), "{explained:?}");
            assert!(explained.stdout.contains("\nassumes       manifest_time_accepted: "), "{explained:?}");
        }
    }
}

#[test]
fn times_are_read_where_a_parquet_file_does_not_state_the_newest() {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BinaryArray, TimestampNanosecondArray};

    let message = "message m { required binary bucket (STRING); required binary key (STRING); optional binary version_id \
                   (STRING); optional binary encryption_status (STRING); optional int64 last_modified_date \
                   (TIMESTAMP(NANOS,true)); }";
    let text = |text: &'static [u8]| Arc::new(BinaryArray::from_vec(vec![text; 3])) as ArrayRef;
    let key = b"AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f";
    for (newest, code) in [(MADE, 0), (MADE + 48 * HOUR + 1, 3)] {
        let nanos = [1, newest, 2].map(|millis| millis * 1_000_000);
        let times = Arc::new(TimestampNanosecondArray::from(nanos.to_vec()));
        let arrays = vec![text(BUCKET.as_bytes()), text(key), text(b"v"), text(b"SSE-KMS"), times as ArrayRef];
        let bytes = crate::delivery::parquet_of_arrays(message, arrays, ParquetForm::default());
        let file = crate::delivery::DataFile { name: "part-0.parquet".into(), bytes };
        let delivery =
            Delivery { files: vec![file], ..Delivery::parquet(&rows(1), &all_columns(), 1, ParquetForm::default()) };
        let desk = Desk::new();
        let source = delivery.write(&desk.path("source")).config;
        for args in [&[][..], &["--rollup", "none"]] {
            assert_eq!(desk.audit(&source, args).code(), Some(code), "{newest} {args:?}");
        }
    }
}

#[test]
fn two_reports_of_one_bucket_are_refused() {
    let desk = Desk::new();
    let first = Delivery::csv(&rows(2), &all_columns(), 1).write(&desk.path("first"));
    let again = Delivery::csv(&rows(2), &all_columns(), 1).write(&desk.path("again"));
    let violating = [Row::compliant("g").with_status("SSE-S3")];
    let second = Delivery::parquet(&violating, &all_columns(), 1, ParquetForm::default()).write(&desk.path("second"));
    for other in [&again, &second] {
        let audited = desk.audit_all(&[&first.config, &other.config], &[]);
        assert_eq!(audited.code(), Some(2), "{audited:?}");
        for said in [BUCKET, "first", other.config.file_name().unwrap().to_str().unwrap(), "--accept-overlap"] {
            assert!(audited.ran.stderr.contains(said), "{said} {audited:?}");
        }
        assert!(!audited.out.exists());
    }
    // Nobody can state that a report and its copy have nothing in common.
    let copied = desk.audit_all(&[&first.config, &again.config], &["--accept-overlap"]);
    assert!(copied.ran.stderr.contains("so the source is given twice"), "{copied:?}");
    let accepted = desk.audit_all(&[&first.config, &second.config], &["--accept-overlap"]);
    assert_eq!((accepted.code(), &accepted.summary()["counts"]["objects"]), (Some(1), &json!(3)));
    let assumption = json!({
        "name": "no_overlap",
        "value": "",
        "text": "no object is in two of the sources of one bucket",
    });
    assert_eq!(accepted.summary()["assumptions"], json!([assumption]));
    assert!(accepted.ran.stdout.contains("Assumes   no_overlap: no object"), "{accepted:?}");
    // A merge repeats it, and shards must share it.
    let sources: [&Path; 2] = [&first.config, &second.config];
    let shards: Vec<_> =
        ["1/2", "2/2"].map(|shard| desk.audit_all(&sources, &["--accept-overlap", "--shard", shard])).into();
    assert_eq!(desk.merge(&shards).steady(), accepted.steady());
    let alone = ["1/2", "2/2"].map(|shard| ["--shard", shard]);
    let of_first = desk.audit(&first.config, &alone[0]);
    let stated = desk.audit(&first.config, &[&alone[1][..], &["--accept-overlap"]].concat());
    let refused = desk.merge([&of_first, &stated]);
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert!(refused.ran.stderr.contains("taken for granted"), "{refused:?}");
}

#[test]
fn reports_of_different_buckets_are_one_audit() {
    let desk = Desk::new();
    let first = Delivery::csv(&rows(2), &all_columns(), 1).write(&desk.path("first"));
    let moved: Vec<_> = rows(2).into_iter().map(|row| Row { bucket: b"other-logs".into(), ..row }).collect();
    let second = Delivery::csv(&moved, &all_columns(), 1).in_bucket("other-logs").write(&desk.path("second"));
    let audited = desk.audit_all(&[&first.config, &second.config], &[]);
    assert_eq!((audited.code(), &audited.summary()["assumptions"]), (Some(0), &json!([])), "{audited:?}");
    assert!(!audited.ran.stdout.contains("Assumes"), "{audited:?}");
}

/// A folder of two runs, the newer of which has a violation.
fn two_runs(desk: &Desk) -> Delivered {
    let compliant = Delivery::csv(&rows(2), &all_columns(), 1);
    let delivered = compliant.write(&desk.path("source"));
    let mut violating = Delivery::csv(&[Row::compliant("f").with_status("NOT-SSE")], &all_columns(), 1);
    violating.files[0].name = "newer.csv.gz".into();
    fs::write(delivered.data("newer.csv.gz"), &violating.files[0].bytes).unwrap();
    delivered.seal("2026-01-05T01-00Z", &violating.manifest());
    delivered
}

#[test]
fn a_manifest_beside_runs_must_be_meant() {
    let desk = Desk::new();
    let runs = two_runs(&desk);
    assert_eq!(desk.audit(&runs.config, &[]).code(), Some(1));
    for file in ["manifest.json", "manifest.checksum"] {
        fs::copy(runs.config.join(RUN).join(file), runs.config.join(file)).unwrap();
    }
    let ambiguous = desk.audit(&runs.config, &[]);
    assert_eq!(ambiguous.code(), Some(2), "{ambiguous:?}");
    for said in ["both a manifest.json and dated runs", "2026-01-05T01-00Z", "give the manifest.json itself", "--run"] {
        assert!(ambiguous.ran.stderr.contains(said), "{said} {ambiguous:?}");
    }
    assert_eq!(desk.audit(runs.config.join("manifest.json"), &[]).code(), Some(0));
    assert_eq!(desk.audit(runs.config.join("2026-01-05T01-00Z"), &[]).code(), Some(1));
    for (run, code) in [(RUN, 0), ("2026-01-05T01-00Z", 1), ("2026-01-06T01-00Z", 2)] {
        assert_eq!(desk.audit(&runs.config, &["--run", run]).code(), Some(code), "{run}");
    }
    // What only has the name of a run is none.
    for run in [RUN, "2026-01-05T01-00Z"] {
        fs::remove_dir_all(runs.config.join(run)).unwrap();
        fs::write(runs.config.join(run), "").unwrap();
    }
    assert_eq!(desk.audit(&runs.config, &[]).code(), Some(0));
}

/// Links that lead nowhere and links to themselves are there, and cannot be looked at. Nobody's rights matter to them.
#[cfg(unix)]
#[test]
fn what_cannot_be_looked_at_is_not_absent() {
    use std::os::unix::fs::symlink;
    let newer = "2026-01-05T01-00Z";
    let spoil = |path: PathBuf, target: &str| {
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        symlink(target, &path).unwrap();
    };
    for (spoiled, target) in [
        (newer.to_owned(), "nowhere"),
        (newer.to_owned(), newer),
        (format!("{newer}/manifest.checksum"), "nowhere"),
        (format!("{newer}/manifest.checksum"), "manifest.checksum"),
    ] {
        let desk = Desk::new();
        let runs = two_runs(&desk);
        spoil(runs.config.join(&spoiled), target);
        let audited = desk.audit(&runs.config, &[]);
        assert_eq!(audited.code(), Some(2), "{spoiled} {audited:?}");
        assert!(
            audited.ran.stderr.contains(&format!("cannot open the source: {}", runs.config.display())),
            "{audited:?}"
        );
        assert!(audited.ran.stderr.contains(newer), "{audited:?}");
    }
    for (spoiled, target, fault) in [
        (format!("{newer}/manifest.json"), "nowhere", "manifest_unreadable"),
        (format!("{newer}/manifest.json"), "manifest.json", "manifest_unreadable"),
        ("data/newer.csv.gz".to_owned(), "newer.csv.gz", "unit_unreadable"),
        ("data/newer.csv.gz".to_owned(), "nowhere", "unit_missing"),
        ("data".to_owned(), "data", "unit_unreadable"),
    ] {
        let desk = Desk::new();
        let runs = two_runs(&desk);
        spoil(runs.config.join(&spoiled), target);
        let audited = desk.audit(&runs.config, &[]);
        assert_eq!((audited.code(), audited.fault_names()), (Some(3), vec![fault.to_owned()]), "{spoiled} {audited:?}");
    }
    // In the run that was asked for, and in a folder of its own.
    let desk = Desk::new();
    let runs = two_runs(&desk);
    spoil(runs.config.join(newer).join("manifest.checksum"), "nowhere");
    for (source, args) in [(runs.config.clone(), &["--run", newer][..]), (runs.config.join(newer), &[])] {
        let audited = desk.audit(&source, args);
        assert_eq!((audited.code(), audited.fault_names()), (Some(3), vec!["manifest_unreadable".to_owned()]));
    }
    spoil(runs.config.join(newer).join("manifest.json"), "nowhere");
    let audited = desk.audit(runs.config.join(newer), &[]);
    assert_eq!(audited.code(), Some(2), "{audited:?}");
}

#[test]
fn a_later_part_of_a_key_decides() {
    let desk = Desk::new();
    let under =
        |prefix: &str| Row::compliant("f").with_key(format!("{prefix}AWSLogs/111122223333/CloudTrail/us-east-1/f"));
    let hive =
        "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2024/month=05/day=06/f";
    let rows = [
        under("").with_status("SSE-KMS"),
        under("AWSLogs/444455556666/Config/eu-west-1/").with_status("SSE-S3"),
        under("AWSLogs/444455556666/").with_status("SSE-S3"),
        Row::compliant("f").with_key(hive).with_status("NOT-SSE"),
    ];
    for delivery in in_every_format(&rows, &all_columns(), 1) {
        let source = delivery.write(&desk.path(delivery.format)).config;
        let audited = desk.audit(&source, &[]);
        let keys: Vec<_> = audited.findings().into_iter().map(|finding| finding[1].clone()).collect();
        assert_eq!(keys, [rows[1].key.clone(), rows[2].key.clone()]);
        let flow = "[[rule]]\nid = 'r'\nwhere = { kind = ['vpcflowlogs'], account = ['111122223333'], region = ['us-east-1'] }\n\
                    encryption = ['SSE-KMS']\n";
        let audited = desk.audit_under(flow, &source, &[]);
        assert_eq!((audited.code(), audited.findings()[0][1].as_slice()), (Some(1), hive.as_bytes()));
        let places: Vec<_> = audited.summary()["by_account"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| {
                ["account", "kind", "region", "objects"].map(|name| line[name].to_string().replace('"', "")).join(" ")
            })
            .collect();
        assert_eq!(places, ["111122223333 CloudTrail us-east-1 3", "111122223333 vpcflowlogs us-east-1 1"]);
    }
}

#[test]
fn explain_ends_with_the_worst_of_all_versions() {
    let version =
        |at: usize, status: &str| Row { version_id: Some(format!("v{at}")), ..Row::compliant("f").with_status(status) };
    for (last, code) in [("SSE-KMS", 0), ("NOT-SSE", 1), ("", 3)] {
        let desk = Desk::new();
        let mut rows: Vec<_> = (0..150).map(|at| version(at, "SSE-KMS")).collect();
        rows.push(version(150, last));
        let source = Delivery::csv(&rows, &all_columns(), 2).write(&desk.path("source")).config;
        let key = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f";
        let ran = logseal(["explain", source.to_str().unwrap(), "--key", key, "--as-of", AS_OF]);
        assert_eq!((ran.code, ran.stdout.matches("verdict   ").count()), (Some(code), 100), "{ran:?}");
        assert!(ran.stderr.contains("only the first 100 of 151 rows are shown, and all are judged"), "{ran:?}");
    }
}

#[test]
fn pages_that_nothing_here_decompresses_are_named() {
    let desk = Desk::new();
    let form = ParquetForm { compression: parquet::basic::Compression::UNCOMPRESSED, ..ParquetForm::default() };
    // Behind the name of a column, its metadata has the codec (field 4) and the number of values (field 5).
    let recoded = |mut bytes: Vec<u8>, column: &str, codec: u8| {
        let mark = [column.as_bytes(), &[0x15, 0, 0x16]].concat();
        let at: Vec<usize> = memchr::memmem::find_iter(&bytes, &mark).map(|at| at + column.len() + 1).collect();
        assert!(!at.is_empty());
        at.into_iter().for_each(|at| bytes[at] = codec * 2);
        bytes
    };
    for (column, codec, fault) in [
        ("encryption_status", 4, Some("Brotli-compressed Parquet")),
        ("encryption_status", 5, Some("LZ4-compressed Parquet")),
        ("key", 7, Some("LZ4-compressed Parquet")),
        ("bucket", 3, Some("LZO-compressed Parquet")),
        // Nobody reads it.
        ("checksum_algorithm", 7, None),
    ] {
        let mut delivery = Delivery::parquet(&rows(9), &all_columns(), 1, form);
        delivery.files[0].bytes = recoded(delivery.files[0].bytes.clone(), column, codec);
        let audited = desk.audit(delivery.write(&desk.path(&format!("{column}-{codec}"))).config, &[]);
        let Some(fault) = fault else {
            assert_eq!(audited.code(), Some(0), "{audited:?}");
            continue;
        };
        assert_eq!((audited.code(), audited.fault_names()), (Some(3), vec!["unit_format".to_owned()]), "{audited:?}");
        assert_eq!(audited.faults()[0]["why"], format!("this version cannot read {fault} reports"));
    }
    let mut encrypted = Delivery::parquet(&rows(1), &all_columns(), 1, form);
    let bytes = &mut encrypted.files[0].bytes;
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(b"PARE");
    let audited = desk.audit(encrypted.write(&desk.path("encrypted")).config, &[]);
    assert_eq!(audited.faults()[0]["why"], "this version cannot read encrypted Parquet reports");
}

#[test]
fn times_with_an_offset_of_nought_are_in_utc() {
    let desk = Desk::new();
    let names = ["Bucket", "Key", "VersionId", "LastModifiedDate", "EncryptionStatus"];
    let line = |time: &str| {
        let key = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f";
        format!("\"{BUCKET}\",\"{key}\",\"v\",\"{time}\",\"SSE-S3\"\n")
    };
    let times = ["2024-05-06T00:05:00.000+00:00", "2024-05-06T00:05:00+0000", "2024-05-06T00:05:00.000Z"];
    let text: String = times.iter().map(|time| line(time)).collect();
    assert_eq!(columns(&names).len(), 5);
    let delivery = Delivery::of_csv_texts(&names.join(", "), [text.into_bytes()]);
    let audited = desk.audit(delivery.write(&desk.path("source")).config, &[]);
    assert!(audited.findings().iter().all(|finding| finding[5] == b"2024-05-06T00:05:00.000Z"));
    assert_eq!((audited.findings().len(), audited.faults().len()), (3, 0));
    let local = Delivery::of_csv_texts(&names.join(", "), [line("2024-05-06T00:05:00.000+02:00").into_bytes()]);
    let audited = desk.audit(local.write(&desk.path("local")).config, &[]);
    assert_eq!(audited.fault_names(), ["row_bad_time"]);
    assert!(audited.faults()[0]["why"].as_str().unwrap().contains("2024-05-06T00:05:00.000Z"));
}

#[test]
fn nothing_is_fetched() {
    let desk = Desk::new();
    let source = Delivery::csv(&rows(1), &all_columns(), 1).write(&desk.path("source")).config;
    let (source, out) = (source.to_str().unwrap(), desk.path("out"));
    let (url, out) = ("s3://inventories/org-audit-logs/daily", out.to_str().unwrap());
    for args in [
        &["audit", url, "--out", out][..],
        &["audit", "https://inventories.s3.amazonaws.com/manifest.json", "--out", out],
        &["audit", "arn:aws:s3:::inventories", "--out", out],
        &["audit", source, "--out", out, "--key-evidence", url],
        &["audit", source, "--out", out, "--key-evidence", "arn:aws:kms:us-east-1:111122223333:key/1=s3://a/b"],
        &["explain", url, "--key", "k"],
        &["digests", url, "--public-keys", "k", "--out", out],
        &["merge", url, "--out", out],
        &["reconcile", out, "--reports", url, "--out", out],
        &["audit", source, "--out", out, "--policy", url],
    ] {
        let ran = logseal(args);
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert!(ran.stderr.contains("nothing is fetched") && ran.stderr.contains("aws s3 sync"), "{args:?} {ran:?}");
    }
    let ran = logseal(["audit", source, "--out", url]);
    assert_eq!((ran.code, ran.stderr.contains("nothing is uploaded")), (Some(2), true), "{ran:?}");
}

#[test]
fn shares_are_of_what_is_in_scope() {
    let desk = Desk::new();
    let mut all: Vec<_> = rows(3);
    all.push(Row::compliant("f").with_status("SSE-S3"));
    all.extend((0..6).map(|at| Row::compliant("f").with_key(format!("AWSLogs/111122223333/Config/us-east-1/{at}"))));
    all.extend((0..90).map(|at| Row::compliant("f").with_key(format!("plain/{at}"))));
    let audited = desk.audit(Delivery::csv(&all, &all_columns(), 1).write(&desk.path("source")).config, &[]);
    let line = |name: &str| {
        let line = audited.ran.stdout.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("compliant"), "compliant 3 75.0 % 300 B");
    assert_eq!(line("violation"), "violation 1 25.0 % 100 B");
    assert_eq!(line("out of scope"), "out of scope 96 9.4 KiB");
    assert_eq!(line("all"), "all 100 9.8 KiB");
    assert_eq!(line("111122223333"), format!("111122223333 1 25.0 % {BUCKET}"));
}

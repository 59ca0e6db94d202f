//! Objects that are to be put right: each is in one list, and lists say what findings say.

use std::collections::BTreeMap;

use serde_json::json;

use crate::audits::{Audited, Desk};
use crate::delivery::{Columns, Delivery, ParquetForm, Row, all_columns, columns_without};
use crate::random::Random;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const LANES: [&str; 7] =
    ["update-encryption", "copy", "restore-then-copy", "multipart-copy", "owner-key", "blocked", "no-target"];

/// Everything is in scope and must have one of these methods.
fn policy(encryption: &str) -> String {
    format!("[keys]\nk = '{KEY}'\n[[rule]]\nid = 'all'\nencryption = [{encryption}]\n[remediation]\nkey = 'k'\n")
}

/// An object as lists name it: bucket, key and version.
type Name = [Vec<u8>; 3];

/// The objects of all lists of a lane.
fn listed(audited: &Audited, lane: &str) -> Vec<Name> {
    let mut names = Vec::new();
    for (path, bytes) in audited.lists().into_iter().filter(|(path, _)| path.starts_with(&format!("{lane}/"))) {
        let is_manifest = ["update-encryption", "copy", "restore-then-copy"].contains(&lane);
        let mut reader = csv::ReaderBuilder::new().has_headers(!is_manifest).from_reader(&bytes[..]);
        for record in reader.byte_records() {
            let record = record.unwrap();
            if is_manifest {
                assert!(matches!(record.len(), 2 | 3), "{path}: {record:?}");
                let cell = |at: usize| record.get(at).map(percent_decoded).unwrap_or_default();
                names.push([cell(0), cell(1), if cell(2) == b"null" { Vec::new() } else { cell(2) }]);
            } else {
                names.push([0, 1, 2].map(|at| cell_of_finding(&record[at])));
            }
        }
    }
    names
}

fn percent_decoded(encoded: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), encoded);
    while let [first, others @ ..] = rest {
        rest = others;
        match first {
            b'%' => {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&rest[..2]).unwrap(), 16).unwrap());
                rest = &rest[2..];
            }
            byte => {
                assert!(byte.is_ascii_alphanumeric() || b"-_./".contains(byte), "{byte}");
                bytes.push(*byte);
            }
        }
    }
    bytes
}

fn cell_of_finding(cell: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(cell).unwrap();
    logseal::escape::unescape(text.strip_prefix('\'').unwrap_or(text)).unwrap()
}

/// The violating objects of the findings, by lane.
fn violating(audited: &Audited) -> BTreeMap<String, Vec<Name>> {
    let mut lanes: BTreeMap<String, Vec<Name>> = BTreeMap::new();
    for cells in audited.findings() {
        let is_violation = cells[10] == b"violation";
        assert_eq!(is_violation, !cells[13].is_empty(), "{cells:?}");
        if is_violation {
            let lane = String::from_utf8(cells[13].clone()).unwrap();
            lanes.entry(lane).or_default().push([cells[0].clone(), cells[1].clone(), cells[2].clone()]);
        }
    }
    lanes
}

#[track_caller]
fn assert_lists_agree(audited: &Audited, manifest_rows: u64) {
    let violating = violating(audited);
    let summary = audited.summary();
    for lane in LANES {
        let mut expected = violating.get(lane).cloned().unwrap_or_default();
        let mut found = listed(audited, lane);
        expected.sort();
        found.sort();
        assert_eq!(expected, found, "{lane}");
        assert_eq!(summary["remediation"][lane]["objects"], json!(found.len()), "{lane}");
    }
    for (path, bytes) in &audited.lists() {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let has_header = bytes.starts_with(b"bucket,key,version_id,");
        assert!((1..=manifest_rows).contains(&(lines - u64::from(has_header))), "{path}: {lines}");
    }
}

#[test]
fn every_violating_object_is_in_one_list() {
    let mut random = Random::new(4);
    for case in 0..24 {
        let desk = Desk::new();
        let rows = Row::random_many(&mut random, 300);
        let columns: Columns = match case % 4 {
            0 => columns_without(&["VersionId", "IsLatest", "IsDeleteMarker"]),
            1 => columns_without(&["Size", "StorageClass", "ObjectLockMode"]),
            _ => all_columns(),
        };
        let encryption = random.pick(&["'SSE-KMS'", "'DSSE-KMS'", "'SSE-S3'", "'SSE-C'", "'SSE-KMS', 'DSSE-KMS'"]);
        let policy = policy(encryption);
        let manifest_rows = random.pick(&[1, 7, 1000]);
        let args = ["--manifest-rows", &manifest_rows.to_string()];
        let form = ParquetForm { group_rows: 40, ..ParquetForm::default() };
        let deliveries = [Delivery::csv(&rows, &columns, 3), Delivery::parquet(&rows, &columns, 3, form)];
        let [csv, parquet] = deliveries.map(|delivery| {
            let delivered = delivery.write(&desk.path(delivery.format));
            desk.audit_under(&policy, delivered.config, &args)
        });
        assert_lists_agree(&csv, manifest_rows);
        assert_eq!(csv.text("findings.csv"), parquet.text("findings.csv"), "{case}");
        assert_eq!(csv.remediation(), parquet.remediation(), "{case}");
    }
}

/// The names of the CSV files, each with its lines.
fn lists(audited: &Audited) -> Vec<(String, Vec<String>)> {
    let lines = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect();
    audited.lists().into_iter().map(|(path, bytes)| (path, lines(bytes))).collect()
}

#[test]
fn manifests_are_what_batch_operations_takes() {
    let odd = Row { version_id: None, ..Row::compliant("f") };
    let odd = odd.with_key(b"a+b c%20,\"d\";\n\xff/=x~".to_vec()).with_status("SSE-S3");
    let desk = Desk::new();
    let delivered = Delivery::csv(&[odd], &all_columns(), 1).write(&desk.path("config"));
    let audited = desk.audit_under(&policy("'SSE-KMS'"), delivered.config, &[]);
    let row = "org-audit-logs,a%2Bb%20c%2520%2C%22d%22%3B%0A%FF/%3Dx%7E,null".to_owned();
    let path = "update-encryption/org-audit-logs/sse-kms-0001.csv".to_owned();
    assert_eq!(lists(&audited), [(path, vec![row])]);
}

#[test]
fn copies_are_grouped_by_class_with_noncurrent_versions_first() {
    let desk = Desk::new();
    let row = |file: &str, class: &str, is_latest| {
        let row = Row::compliant(file).with_status("NOT-SSE");
        Row { storage_class: Some(class.into()), is_latest: Some(is_latest), ..row }
    };
    let rows = [row("a", "STANDARD", true), row("b", "STANDARD", false), row("c", "STANDARD_IA", true)];
    let archived = row("d", "GLACIER", true);
    let large = Row { size: Some((5 << 30) + 1), ..row("e", "STANDARD", true) };
    let rows = [&rows[..], &[archived, large]].concat();
    let delivered = Delivery::csv(&rows, &all_columns(), 1).write(&desk.path("config"));
    let audited = desk.audit_under(&policy("'SSE-KMS'"), delivered.config, &[]);
    let names: Vec<_> = lists(&audited).into_iter().map(|(path, _)| path).collect();
    let expected = [
        "copy/org-audit-logs/1-noncurrent-STANDARD-sse-kms-0001.csv",
        "copy/org-audit-logs/2-current-STANDARD-sse-kms-0001.csv",
        "copy/org-audit-logs/2-current-STANDARD_IA-sse-kms-0001.csv",
        "multipart-copy/org-audit-logs/sse-kms-0001.csv",
        "restore-then-copy/org-audit-logs/2-current-GLACIER-sse-kms-0001.csv",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_lock_blocks_until_it_ends() {
    let desk = Desk::new();
    let locked = Row {
        lock_mode: Some("COMPLIANCE".into()),
        lock_retain_until: Some(1_768_003_200_000),
        ..Row::compliant("f").with_status("SSE-S3")
    };
    let delivered = Delivery::csv(&[locked], &all_columns(), 1).write(&desk.path("config"));
    let lane = |as_of: &str| {
        let audited = desk.audit_under(&policy("'SSE-KMS'"), &delivered.config, &["--as-of", as_of]);
        String::from_utf8(audited.findings()[0][13].clone()).unwrap()
    };
    assert_eq!(lane("2026-01-09T23:59:59Z"), "blocked");
    assert_eq!(lane("2026-01-10T00:00:00Z"), "update-encryption");
}

/// When it is free and how long it is retained are two facts.
#[test]
fn a_hold_does_not_hide_the_end_of_a_retention() {
    let desk = Desk::new();
    // 2027-03-01 and 2026-01-09.
    let (later, lapsed) = (Some(1_803_859_200_000), Some(1_767_916_800_000));
    let row = |name: &str, mode: &str, until, hold: &str| Row {
        lock_mode: Some(mode.into()),
        lock_retain_until: until,
        legal_hold: Some(hold.into()),
        ..Row::compliant(name).with_status("SSE-S3")
    };
    let rows = [
        row("a", "COMPLIANCE", later, "Off"),
        row("b", "COMPLIANCE", later, "On"),
        row("c", "GOVERNANCE", lapsed, "On"),
        row("d", "GOVERNANCE", None, "On"),
        row("e", "", None, "On"),
    ];
    for parquet in [false, true] {
        let delivery = match parquet {
            false => Delivery::csv(&rows, &all_columns(), 1),
            true => Delivery::parquet(&rows, &all_columns(), 1, ParquetForm::default()),
        };
        let source = delivery.write(&desk.path(delivery.format)).config;
        let audited = desk.audit_under(&policy("'SSE-KMS'"), &source, &[]);
        let (_, lines) = lists(&audited).into_iter().find(|(path, _)| path.starts_with("blocked/")).unwrap();
        let ends: Vec<_> = lines[1..].iter().map(|line| line.rsplitn(3, ',').take(2).collect::<Vec<_>>()).collect();
        assert_eq!(
            ends,
            [
                ["2027-03-01T00:00:00.000Z", "compliance retention"],
                ["2027-03-01T00:00:00.000Z", "compliance retention; legal hold"],
                ["", "legal hold"],
                ["", "governance retention; legal hold"],
                ["", "legal hold"],
            ]
        );
        let plan: serde_json::Value = serde_json::from_slice(&audited.remediation()["plan.json"]).unwrap();
        let line = json!([{"month": "2027-03", "objects": 1, "bytes": 100}]);
        let blocked = &plan["blocked"];
        assert_eq!((&blocked["objects"], &blocked["free"], &blocked["retained"]), (&json!(5), &line, &line));
        assert_eq!(blocked["without_date"], json!({"objects": 3, "bytes": 300}));
        let page = String::from_utf8(audited.remediation()["plan.md"].clone()).unwrap();
        assert!(page.contains("| 2027-03, and a hold |"), "{page}");
        let shards: Vec<_> =
            ["1/2", "2/2"].map(|shard| desk.audit_under(&policy("'SSE-KMS'"), &source, &["--shard", shard])).into();
        assert_eq!(desk.merge(&shards).remediation(), audited.remediation());
    }
}

#[test]
fn objects_whose_key_is_unknown_are_put_right_if_somebody_asks() {
    let policy = policy("'SSE-KMS'").replace("id = 'all'\n", "id = 'all'\nkeys = ['k']\n");
    let desk = Desk::new();
    let rows = [Row::compliant("f"), Row::compliant("g").with_status("SSE-S3")];
    let delivered = Delivery::csv(&rows, &all_columns(), 1).write(&desk.path("config"));
    let lanes = |args: &[&str]| -> (Vec<(String, usize)>, Vec<String>) {
        let audited = desk.audit_under(&policy, &delivered.config, args);
        let names: Vec<_> = lists(&audited).into_iter().map(|(path, lines)| (path, lines.len())).collect();
        let lanes = audited.findings().iter().map(|cells| String::from_utf8(cells[13].clone()).unwrap()).collect();
        (names, lanes)
    };
    let known = ("update-encryption/org-audit-logs/sse-kms-0001.csv".to_owned(), 1);
    let unknown = ("update-encryption/org-audit-logs/sse-kms-undetermined-0001.csv".to_owned(), 1);
    assert_eq!(lanes(&[]), (vec![known.clone()], vec![String::new(), "update-encryption".into()]));
    let both = vec!["update-encryption".to_owned(), "update-encryption".to_owned()];
    assert_eq!(lanes(&["--remediate-undetermined"]), (vec![known, unknown], both));
}

#[test]
fn a_policy_without_remediation_has_no_lists() {
    let desk = Desk::new();
    let delivered = Delivery::csv(&[Row::compliant("f").with_status("SSE-S3")], &all_columns(), 1);
    let audited = desk.audit(delivered.write(&desk.path("config")).config, &[]);
    assert_eq!(lists(&audited), []);
    assert_eq!(audited.findings()[0][13], b"no-target");
    assert_eq!(audited.summary()["remediation"]["no-target"], json!({"objects": 1, "bytes": 100, "manifests": 0}));
}

#[test]
fn a_shard_whose_manifest_was_changed_is_refused() {
    let desk = Desk::new();
    let rows: Vec<Row> = (0..8).map(|at| Row::compliant(&format!("f{at}")).with_status("SSE-S3")).collect();
    let delivered = Delivery::csv(&rows, &all_columns(), 4).write(&desk.path("config"));
    let shards =
        ["1/2", "2/2"].map(|shard| desk.audit_under(&policy("'SSE-KMS'"), &delivered.config, &["--shard", shard]));
    assert_eq!(desk.merge(&shards).code(), Some(1));
    let path = shards[1].out.join("remediation/update-encryption/org-audit-logs/sse-kms-0001.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("CloudTrail", "CloudTrial", 1)).unwrap();
    let refused = desk.merge(&shards);
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert!(refused.ran.stderr.contains("sse-kms-0001.csv"), "{refused:?}");
}

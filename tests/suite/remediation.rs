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
    for (path, bytes) in audited.remediation() {
        let Some(rest) = path.strip_prefix(&format!("{lane}/")) else { continue };
        if !rest.ends_with(".csv") {
            continue;
        }
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
    for (path, bytes) in audited.remediation().iter().filter(|(path, _)| path.ends_with(".csv")) {
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

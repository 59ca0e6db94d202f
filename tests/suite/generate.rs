//! What `generate` says of its rows is what an audit finds in them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::audits::{Audited, Desk, logseal};

const ROWS: &str = "60000";

fn generate(out: &Path, args: &[&str]) -> Vec<PathBuf> {
    let out = out.to_str().unwrap();
    let ran = logseal(["generate", out, "--rows", ROWS, "--files", "5"].iter().chain(args));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.stdout.lines().map(PathBuf::from).collect()
}

/// The entries of a list of counts that are not nought; the truth leaves the others out.
fn counted(object: &Value) -> Map<String, Value> {
    let counts = object.as_object().unwrap().iter();
    let counts = counts.filter(|(_, value)| **value != 0 && value["objects"] != 0);
    counts.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn assert_true(audited: &Audited, truth: &Value) {
    let summary = audited.summary();
    for counts in ["counts", "bytes", "by_encryption_status", "by_reason"] {
        assert_eq!(counted(&summary[counts]), counted(&truth[counts]), "{counts}");
    }
    assert_eq!(summary["outcome_reasons"], serde_json::json!(["violations"]));
    assert_eq!(audited.findings().len(), truth["counts"]["violation"].as_u64().unwrap() as usize);
}

#[test]
fn an_audit_finds_what_the_truth_says_in_both_formats() {
    for args in [&[][..], &["--seed", "7", "--violations", "0.3", "--clustered"]] {
        let desk = Desk::new();
        let out = desk.path("export");
        let runs = generate(&out, args);
        assert_eq!(runs.len(), 2);
        let truth: Value = serde_json::from_slice(&fs::read(out.join("truth.json")).unwrap()).unwrap();
        let audits: Vec<Audited> = runs.iter().map(|run| desk.audit(run, &[])).collect();
        audits.iter().for_each(|audited| assert_true(audited, &truth));
        assert_eq!(audits[0].text("findings.csv"), audits[1].text("findings.csv"));
    }
}

/// Without rollups fewer columns are read, and everything else that is said stays the same.
#[test]
fn leaving_out_the_rollups_changes_nothing_else() {
    let desk = Desk::new();
    let out = desk.path("export");
    let by_status = "[[rule]]\nid = \"all\"\nencryption = [\"SSE-KMS\", \"DSSE-KMS\"]\n";
    let by_kind = "[[rule]]\nid = \"logs\"\nwhere = { kind = [\"CloudTrail*\"] }\nencryption = [\"SSE-KMS\"]\n";
    for run in generate(&out, &["--violations", "0.1"]) {
        for policy in [by_status, by_kind] {
            let full = desk.audit_under(policy, &run, &[]);
            let (accounts, months) = (full.summary()["by_account"].clone(), full.summary()["by_month"].clone());
            assert!(accounts.as_array().unwrap().len() > 40 && months.as_array().unwrap().len() > 40);
            full.assert_same_without_rollups(&desk.audit_under(policy, &run, &["--rollup", "none"]));
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_with_any_number_of_jobs() {
    let desk = Desk::new();
    let exports = ["1", "3"].map(|jobs| {
        let out = desk.path(jobs);
        generate(&out, &["--jobs", jobs, "--format", "csv"]);
        let files = all_files(&out);
        assert_eq!(files.len(), 5 + 3);
        files
    });
    assert!(exports[0] == exports[1]);
}

/// Names below the folder and what the files hold, in order.
fn all_files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(open) = folders.pop() {
        for entry in fs::read_dir(open).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap())),
            }
        }
    }
    files.sort();
    files
}

#[test]
fn an_export_is_never_overwritten() {
    let desk = Desk::new();
    let out = desk.path("export");
    generate(&out, &["--format", "csv"]);
    let ran = logseal(["generate", out.to_str().unwrap(), "--rows", "10"]);
    assert_eq!(ran.code, Some(2));
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines[0].starts_with("error: will not overwrite: ") && lines[0].ends_with("csv"), "{ran:?}");
    assert_eq!(lines[1..], ["hint: name another folder, or remove this one"]);
}

#[test]
fn options_out_of_range_are_refused() {
    let desk = Desk::new();
    let out = desk.path("export");
    for args in [
        ["--rows", "0"],
        ["--files", "0"],
        ["--violations", "1.1"],
        ["--violations", "nan"],
        ["--accounts", "0"],
        ["--regions", "1000"],
        ["--years", "0"],
        ["--jobs", "0"],
    ] {
        let rows = if args[0] == "--rows" { vec![] } else { vec!["--rows", "10"] };
        let ran = logseal(["generate", out.to_str().unwrap()].into_iter().chain(rows).chain(args));
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert!(!out.join("truth.json").exists(), "{args:?}");
    }
}

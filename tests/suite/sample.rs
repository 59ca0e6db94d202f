//! The sample that an audit draws: the same however the work is divided, a part of the population, and in order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::audits::{Audited, Desk, decode_cell};
use crate::delivery::{Delivery, ODD_KEYS, ParquetForm, Row, all_columns};
use crate::random::Random;

const POLICY: &str = "[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\nwhere = { kind = ['CloudTrail'] }\n\
    [[exception]]\nid = 'e'\nrule = 'r'\nexpires = 2030-01-01\nwhere = { region = ['eu-west-1'] }\n";

type Line = BTreeMap<String, String>;

fn lines(audited: &Audited) -> Vec<Line> {
    csv::Reader::from_reader(audited.text("sample.csv").as_bytes()).deserialize().map(Result::unwrap).collect()
}

/// 4,000 objects of seven accounts with all verdicts, one of which is rare, and some that are of no account.
fn population() -> Vec<Row> {
    let mut random = Random::new(24);
    let mut row = |at: usize| {
        let region = if random.chance(5) { "eu-west-1" } else { "us-east-1" };
        let kind = if random.chance(10) { "Config" } else { "CloudTrail" };
        let key = match at % 50 {
            0 => format!("loose/{at}"),
            _ => format!("AWSLogs/{:012}/{kind}/{region}/2024/05/06/{at}", 100 + at % 7),
        };
        let status = random.pick(&["SSE-KMS", "SSE-KMS", "SSE-KMS", "SSE-S3", ""]);
        let row = Row {
            size: Some(at as i64),
            is_multipart_uploaded: Some(at.is_multiple_of(3)),
            replication_status: Some("REPLICA".into()).filter(|_| at.is_multiple_of(2)),
            access_control_list: Some("e30=".repeat(at % 300)),
            lifecycle_expiration: Some(1_735_689_600_000 + at as i64),
            event_hold_duration: Some(at as i64),
            ..Row::compliant("f")
        };
        let row = if at == 77 { Row { is_delete_marker: Some(true), ..row } } else { row };
        row.with_key(key).with_status(status)
    };
    (0..4_000).map(&mut row).collect()
}

fn delivered(desk: &Desk, files: usize) -> PathBuf {
    Delivery::csv(&population(), &all_columns(), files).write(&desk.path("csv")).config
}

#[test]
fn the_sample_is_the_same_however_the_work_is_divided() {
    let desk = Desk::new();
    let source = delivered(&desk, 9);
    let whole = desk.audit_under(POLICY, &source, &["--jobs", "1"]);
    let sample = whole.text("sample.csv");
    for jobs in ["2", "8"] {
        assert_eq!(desk.audit_under(POLICY, &source, &["--jobs", jobs]).text("sample.csv"), sample, "{jobs}");
    }
    let shards: Vec<_> =
        ["3/4", "1/4", "4/4", "2/4"].iter().map(|n| desk.audit_under(POLICY, &source, &["--shard", n])).collect();
    assert_eq!(desk.merge(&shards).text("sample.csv"), sample);
    let other = desk.audit_under(POLICY, &source, &["--sample-seed", "chosen by an auditor"]);
    assert_ne!(other.text("sample.csv"), sample);
    assert_eq!(other.summary()["sample"]["seed"], "chosen by an auditor");
    let seeds = ["--shard", "1/2", "--sample-seed"];
    let differing =
        [desk.audit_under(POLICY, &source, &[&seeds[..], &["a"]].concat()), shards.into_iter().next().unwrap()];
    assert_eq!(desk.merge(&differing).code(), Some(2));
}

#[test]
fn every_verdict_and_every_account_has_its_rows() {
    let desk = Desk::new();
    let source = delivered(&desk, 3);
    let audited = desk.audit_under(POLICY, &source, &[]);
    let (summary, lines) = (audited.summary(), lines(&audited));
    let mut strata: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    lines.iter().for_each(|line| strata.entry(&line["stratum"]).or_default().push(line));
    assert_eq!(summary["sample"]["lines"], lines.len());
    for verdict in ["compliant", "violation", "undetermined", "excepted", "out_of_scope"] {
        let rows = &strata[format!("verdict:{verdict}").as_str()];
        let all = summary["counts"][verdict].as_u64().unwrap();
        assert_eq!(rows.len() as u64, all.min(60), "{verdict}");
        assert!(rows.iter().all(|line| line["verdict"] == verdict), "{verdict}");
    }
    let accounts: Vec<_> = strata.iter().filter(|(stratum, _)| stratum.starts_with("account:")).collect();
    assert_eq!(accounts.len(), 7);
    for (stratum, rows) in accounts {
        let account = format!("AWSLogs/{}/", stratum.strip_prefix("account:").unwrap());
        assert_eq!(rows.len(), 5, "{stratum}");
        assert!(rows.iter().all(|line| line["key"].starts_with(&account)), "{stratum}");
    }
    // Each line is that of its row, the lowest ranks come first, and no row comes twice.
    let population = population();
    for (stratum, rows) in &strata {
        let ranks: Vec<&str> = rows.iter().map(|line| line["rank"].as_str()).collect();
        assert!(
            ranks.is_sorted() && rows.iter().enumerate().all(|(at, line)| line["number"] == (at + 1).to_string()),
            "{stratum}"
        );
        assert_eq!(rows.iter().map(|line| (&line["file"], &line["row"])).collect::<BTreeSet<_>>().len(), rows.len());
        for line in rows {
            let row = &population[line["size"].parse::<usize>().unwrap()];
            assert_eq!(line["key"].as_bytes(), row.key);
            assert_eq!(line["encryption_status"], row.encryption_status.clone().unwrap());
            assert_eq!(line["source"], "1");
            let list = row.access_control_list.clone().unwrap();
            let list = if list.len() > 1024 { format!("({} bytes)", list.len()) } else { list };
            let expires = format!("2025-01-01T00:00:{:06.3}Z", (row.size.unwrap() as f64) / 1000.0);
            let shown = [
                ("is_multipart_uploaded", row.is_multipart_uploaded.unwrap().to_string()),
                ("replication_status", row.replication_status.clone().unwrap_or_default()),
                ("object_access_control_list", list),
                ("lifecycle_expiration_date", expires),
                ("object_lock_event_hold_duration", row.event_hold_duration.unwrap().to_string()),
                ("object_owner", String::new()),
            ];
            shown.into_iter().for_each(|(name, cell)| assert_eq!(line[name], cell, "{name}"));
            let asks = format!("aws s3api head-object --bucket 'org-audit-logs' --key '{}'", line["key"]);
            assert!(line["head_object"].starts_with(&asks), "{line:?}");
        }
    }
    // What is a finding has the line of the finding.
    let findings = audited.findings();
    for line in lines.iter().filter(|line| line["verdict"] == "violation" || line["verdict"] == "excepted") {
        let finding = findings.iter().find(|finding| finding[1] == line["key"].as_bytes()).unwrap();
        let cells = ["reason", "rule", "lane", "exception"].map(|name| line[name].as_bytes().to_vec());
        assert_eq!(cells[..], finding[11..], "{line:?}");
    }
}

#[test]
fn a_smaller_sample_is_the_beginning_of_a_larger_one() {
    let desk = Desk::new();
    let source = delivered(&desk, 3);
    let drawn = |args: &[&str]| lines(&desk.audit_under(POLICY, &source, args));
    let all = drawn(&[]);
    for size in [25, 40] {
        let expected: Vec<_> =
            all.iter().filter(|line| line["number"].parse::<usize>().unwrap() <= size).cloned().collect();
        assert_eq!(drawn(&["--sample", &size.to_string()]), expected, "{size}");
    }
    assert_eq!(drawn(&["--sample", "0"]), Vec::<Line>::new());
}

/// Where keys are not even read, the same rows are drawn for their verdicts.
#[test]
fn counting_without_groups_draws_the_same_for_verdicts() {
    let desk = Desk::new();
    let policy = "[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\n";
    let rows = population();
    let deliveries =
        [Delivery::csv(&rows, &all_columns(), 3), Delivery::parquet(&rows, &all_columns(), 3, ParquetForm::default())];
    for delivery in deliveries {
        let source = delivery.write(&desk.path(delivery.format)).config;
        let of_verdicts: Vec<_> = lines(&desk.audit_under(policy, &source, &[]))
            .into_iter()
            .filter(|line| line["stratum"].starts_with("verdict:"))
            .collect();
        assert_eq!(
            lines(&desk.audit_under(policy, &source, &["--rollup", "none"])),
            of_verdicts,
            "{}",
            delivery.format
        );
    }
}

/// A file that turns out to be damaged has no rows in the sample, nor does it keep others out.
#[test]
fn what_does_not_count_is_not_drawn() {
    let desk = Desk::new();
    let delivery = Delivery::csv(&population(), &all_columns(), 4);
    let source = delivery.write(&desk.path("csv"));
    let sound = desk.audit_under(POLICY, &source.config, &["--sample-seed", "x", "--sample", "1000"]);
    let data = source.config.join("data").join(&delivery.files[1].name);
    let text = std::fs::read(&data).unwrap();
    // Only the checksum at the end of the gzip file tells.
    let at = text.len() - 8;
    std::fs::write(&data, [&text[..at], &[text[at] ^ 1], &text[at + 1..]].concat()).unwrap();
    let damaged = desk.audit_under(POLICY, &source.config, &["--sample-seed", "x", "--sample", "40", "--no-checksums"]);
    assert_eq!(damaged.fault_names(), ["unit_damaged"]);
    let is_left = |line: &&Line| !line["file"].ends_with(&delivery.files[1].name);
    let mut expected: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for line in lines(&sound).iter().filter(is_left).filter(|line| line["stratum"].starts_with("verdict:")) {
        let rows = expected.entry(line["stratum"].clone()).or_default();
        if rows.len() < 40 {
            rows.push((line["file"].clone(), line["row"].clone()));
        }
    }
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for line in lines(&damaged).iter().filter(|line| line["stratum"].starts_with("verdict:")) {
        found.entry(line["stratum"].clone()).or_default().push((line["file"].clone(), line["row"].clone()));
    }
    assert_eq!(found, expected);
}

/// Whatever a key looks like, the command asks for that very key, and does nothing else.
#[cfg(unix)]
#[test]
fn the_command_asks_for_the_very_object() {
    use std::os::unix::fs::PermissionsExt as _;

    let desk = Desk::new();
    let odd = ["file:///etc/passwd", "-x", "$(touch harm)", "`touch harm`", "a'b\"c", "a\\nb", "ends\n", "é\u{202e}"];
    let keys: BTreeSet<Vec<u8>> = ODD_KEYS.iter().map(|key| key.to_vec()).chain(odd.map(Into::into)).collect();
    let rows: Vec<Row> = keys.iter().map(|key| Row::compliant("f").with_key(key.as_slice())).collect();
    let source = Delivery::csv(&rows, &all_columns(), 1).write(&desk.path("csv")).config;
    let audited = desk.audit_under("[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\n", &source, &["--sample", "1000"]);
    let aws = desk.file("aws", "#!/bin/sh\nprintf '%s\\0' \"$@\" > asked\n");
    std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", desk.path("").display(), std::env::var("PATH").unwrap());
    let mut asked = BTreeSet::new();
    for line in lines(&audited) {
        let command = String::from_utf8(decode_cell(line["head_object"].as_bytes())).unwrap();
        let key = decode_cell(line["key"].as_bytes());
        if str::from_utf8(&key).is_err() {
            assert_eq!(command, "", "S3 has no such key: {line:?}");
            continue;
        }
        let _ = std::fs::remove_file(desk.path("asked"));
        let ran = std::process::Command::new("sh")
            .args(["-c", &command])
            .env("PATH", &path)
            .current_dir(desk.path(""))
            .output()
            .unwrap();
        assert!(ran.status.success() && ran.stderr.is_empty(), "{command}: {ran:?}");
        let words = std::fs::read(desk.path("asked")).unwrap();
        let words: Vec<String> =
            words.split(|byte| *byte == 0).map(|word| String::from_utf8(word.to_vec()).unwrap()).collect();
        let behind = |name: &str| words.iter().position(|word| word == name).map(|at| words[at + 1].clone());
        let of_json = || {
            let input: serde_json::Value = serde_json::from_str(&behind("--cli-input-json").unwrap()).unwrap();
            input["Key"].as_str().unwrap().to_owned()
        };
        asked.insert(behind("--key").unwrap_or_else(of_json).into_bytes());
    }
    assert_eq!(asked, keys.into_iter().filter(|key| str::from_utf8(key).is_ok()).collect());
    assert!(!desk.path("harm").exists());
}

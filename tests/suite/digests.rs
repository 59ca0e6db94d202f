//! Digests: what is called verified was signed, and whatever else is there is said.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::audits::{Desk, Ran, decode_cell, logseal, names_in};
use crate::delivery::{Delivery, Row, all_columns};
use crate::random::Random;
use crate::trail::{ACCOUNT, BUCKET, Digest, FIRST_END, REGION, Trail, Tree, after, gz, path, sha256, signers};

/// A verification that has run.
#[derive(Debug)]
struct Verified {
    ran: Ran,
    out: PathBuf,
}

impl Verified {
    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.out.join(file)).unwrap_or_else(|error| panic!("{file}: {error}: {:?}", self.ran))
    }

    fn summary(&self) -> Value {
        serde_json::from_str(&self.text("summary.json")).unwrap()
    }

    /// What does not depend on when and how it ran.
    fn steady(&self) -> (String, String) {
        let mut summary = self.summary();
        for differs in ["timing", "started_at", "finished_at", "roots"] {
            summary.as_object_mut().unwrap().remove(differs).unwrap();
        }
        (summary.to_string(), self.text("findings.csv"))
    }

    /// Type, key and status of each finding.
    fn findings(&self) -> Vec<[String; 3]> {
        let text = self.text("findings.csv");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap(), &["type", "bucket", "key", "status", "detail"][..]);
        let cell = |record: &csv::ByteRecord, at| String::from_utf8(decode_cell(&record[at])).unwrap();
        let finding = |record: csv::ByteRecord| [cell(&record, 0), cell(&record, 2), cell(&record, 3)];
        reader.byte_records().map(|record| finding(record.unwrap())).collect()
    }

    /// The counts of `digests` or `logs` that are not zero, without the totals.
    fn counts(&self, of: &str) -> BTreeMap<String, u64> {
        let summary = self.summary();
        let counts = summary[of].as_object().unwrap().iter();
        let counts = counts.map(|(status, count)| (status.clone(), count.as_u64().unwrap()));
        counts.filter(|(status, count)| *count > 0 && status != "total" && status != "listed").collect()
    }
}

/// Both keys, valid for May 2024.
fn keys() -> Value {
    let (from, until) = (json!("2024-05-01T00:00:00+00:00"), json!(1_717_200_000.0));
    json!({"PublicKeyList": signers().iter().map(|signer| signer.entry(&from, &until)).collect::<Vec<_>>()})
}

fn verify_roots(desk: &Desk, roots: &[&str], args: &[&str]) -> Verified {
    let keys = match desk.path("keys.json") {
        path if path.exists() => path,
        _ => desk.file("keys.json", &keys().to_string()),
    };
    let out = desk.path("verified");
    let mut all = vec!["digests".into()];
    all.extend(roots.iter().map(|root| desk.path(root).into_os_string()));
    all.extend(["--public-keys".into(), keys.into_os_string(), "--force".into(), "--out".into(), out.clone().into()]);
    all.extend(args.iter().map(|arg| arg.into()));
    let ran = logseal(all);
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    let widest = ran.stdout.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    assert!(args.contains(&"json") || widest <= 80, "{}", ran.stdout);
    desk.check_result(&out);
    Verified { ran, out }
}

fn verify(tree: &Tree, args: &[&str]) -> Verified {
    let desk = Desk::new();
    tree.write(&desk.path("root"));
    let verified = verify_roots(&desk, &["root"], args);
    // The folder goes with the desk: everything is read before.
    let kept = tempfile::tempdir().unwrap().keep();
    for file in ["summary.json", "findings.csv"] {
        let _ = fs::copy(verified.out.join(file), kept.join(file));
    }
    Verified { out: kept, ..verified }
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(status, count)| (status.to_owned(), count)).collect()
}

/// From the start of the first digest on, so that nothing is asked of what was before it.
const SINCE: [&str; 2] = ["--since", "2024-05-06"];

/// All but the first digest of a long chain, so that the first has one before it.
fn chain() -> Vec<Digest> {
    Trail::default().chain(8)
}

#[test]
fn an_untouched_chain_passes() {
    let tree = Tree::of(&chain());
    let verified = verify(&tree, &["--logs"]);
    assert_eq!(verified.ran.code, Some(0), "{verified:?}");
    let headline = "PASS  8 digests verified in 1 chain, 8 hours from 2024-05-06T00:00:00Z to\n      \
                    2024-05-06T08:00:00Z; 16 logs listed, 16 verified; 0 files in log folders\n      that no digest lists\n";
    assert!(verified.ran.stdout.starts_with(headline), "{}", verified.ran.stdout);
    assert_eq!(verified.counts("digests"), counts([("verified", 8)]));
    assert_eq!(verified.counts("logs"), counts([("verified", 16)]));
    let summary = verified.summary();
    assert_eq!(
        summary["chains"],
        json!([{
            "bucket": BUCKET, "organisation": null, "account": ACCOUNT, "region": REGION, "trail": "a_trail",
            "home_region": "us-east-1", "kind": "standard", "digests": 8, "verified": 8, "segments": 1,
            "first_start": "2024-05-06T00:00:00.000Z", "last_end": "2024-05-06T08:00:00.000Z", "gaps": 0,
            "covers_window": true, "hours": 8,
        }])
    );
    assert_eq!((&summary["relocated"], &summary["stored_plain"]), (&json!(0), &json!(0)));
    let without = verify(&tree, &[]);
    assert_eq!((without.ran.code, without.counts("logs")), (Some(0), counts([("unchecked", 16)])));
}

/// Changes to a tree, the arguments, the exit code, findings, and the counts of digests and logs.
struct Case {
    name: &'static str,
    change: fn(&mut Tree, &[Digest]),
    args: &'static [&'static str],
    code: i32,
    findings: fn(&[Digest]) -> Vec<[String; 3]>,
    digests: &'static [(&'static str, u64)],
    logs: &'static [(&'static str, u64)],
}

fn finding(what: &str, key: &str, status: &str) -> [String; 3] {
    [what, key, status].map(str::to_owned)
}

fn of_digest(digest: &Digest, status: &str) -> [String; 3] {
    finding("digest", &digest.key, status)
}

fn of_log(digest: &Digest, at: usize, status: &str) -> [String; 3] {
    finding("log", &digest.logs[at].0, status)
}

/// The logs of a digest that is not there.
fn unreferenced(digest: &Digest) -> [[String; 3]; 2] {
    [0, 1].map(|at| of_log(digest, at, "unreferenced"))
}

fn log_path(digest: &Digest, at: usize) -> String {
    format!("{}/{}", digest.bucket, digest.logs[at].0)
}

#[test]
fn every_status_is_found() {
    let cases = [
        Case {
            name: "the tail has no signature",
            change: |tree, chain| tree.remove(&format!("{}.head.json", path(&chain[7]))),
            args: &["--logs"],
            code: 3,
            findings: |chain| {
                let logs = (0..2).map(|at| of_log(&chain[7], at, "unverified_digest"));
                [of_digest(&chain[7], "unsigned")].into_iter().chain(logs).collect()
            },
            digests: &[("verified", 7), ("unsigned", 1)],
            logs: &[("verified", 14), ("unverified_digest", 2)],
        },
        Case {
            name: "a digest is changed in place",
            change: |tree, chain| {
                tree.replace(&path(&chain[3]), gz(chain[3].content.replace("\"oldest", "\"0ldest").as_bytes()));
            },
            args: &["--logs"],
            code: 1,
            findings: |chain| {
                let logs = (0..2).map(|at| of_log(&chain[3], at, "unverified_digest"));
                [of_digest(&chain[3], "invalid_signature")].into_iter().chain(logs).collect()
            },
            digests: &[("verified", 7), ("invalid_signature", 1)],
            logs: &[("verified", 14), ("unverified_digest", 2)],
        },
        Case {
            name: "a forged digest of whoever has no key",
            change: |tree, chain| {
                let forged = Trail { logs: 0, ..Trail::default() }.digest(&chain[7].end, Some(&chain[6]));
                let other = forged.content.replace(&signers()[0].fingerprint, &"ab".repeat(16));
                tree.replace(&path(&chain[7]), gz(other.as_bytes()));
            },
            args: &["--logs"],
            code: 3,
            findings: |chain| vec![of_digest(&chain[7], "key_unknown")],
            digests: &[("verified", 7), ("key_unknown", 1)],
            logs: &[("verified", 14), ("outside_chains", 2)],
        },
        Case {
            name: "a forged digest in the middle, of whoever has no key",
            change: |tree, chain| {
                let other = chain[3].content.replace(&signers()[0].fingerprint, &"ab".repeat(16));
                tree.replace(&path(&chain[3]), gz(other.as_bytes()));
            },
            args: &[],
            code: 1,
            findings: |chain| vec![of_digest(&chain[3], "invalid_hash")],
            digests: &[("verified", 7), ("invalid_hash", 1)],
            logs: &[("unchecked", 16)],
        },
        Case {
            name: "a digest of another hour",
            change: |tree, chain| {
                tree.replace(&path(&chain[3]), gz(chain[5].content.as_bytes()));
                tree.add_head(&chain[2]);
            },
            args: &[],
            code: 1,
            findings: |chain| [&[of_digest(&chain[3], "misplaced")][..], &unreferenced(&chain[3])].concat(),
            digests: &[("verified", 7), ("misplaced", 1)],
            logs: &[("unchecked", 14), ("unreferenced", 2)],
        },
        Case {
            name: "a second member behind a digest",
            change: |tree, chain| {
                let stored = [gz(chain[3].content.as_bytes()), gz(b"{}")].concat();
                tree.replace(&path(&chain[3]), stored);
            },
            args: &[],
            code: 1,
            findings: |chain| vec![of_digest(&chain[3], "trailing_data")],
            digests: &[("verified", 7), ("trailing_data", 1)],
            logs: &[("unchecked", 16)],
        },
        Case {
            name: "a digest that is no JSON",
            change: |tree, chain| {
                tree.replace(&path(&chain[3]), gz(b"{\"digestStartTime\": 1}"));
                tree.add_head(&chain[2]);
            },
            args: &[],
            code: 1,
            findings: |chain| [&[of_digest(&chain[3], "malformed")][..], &unreferenced(&chain[3])].concat(),
            digests: &[("verified", 7), ("malformed", 1)],
            logs: &[("unchecked", 14), ("unreferenced", 2)],
        },
        Case {
            name: "one digest is gone",
            change: |tree, chain| {
                tree.remove(&path(&chain[3]));
                tree.add_head(&chain[2]);
            },
            args: &[],
            code: 1,
            findings: |chain| [&[of_digest(&chain[3], "missing")][..], &unreferenced(&chain[3])].concat(),
            digests: &[("verified", 7), ("missing", 1)],
            logs: &[("unchecked", 14), ("unreferenced", 2)],
        },
        Case {
            name: "one digest is gone, and with it the signature of the one before",
            change: |tree, chain| tree.remove(&path(&chain[3])),
            args: &["--logs"],
            code: 1,
            findings: |chain| {
                let gone = [of_digest(&chain[3], "missing"), of_digest(&chain[2], "unsigned")];
                let logs = |at: usize, status: &'static str| (0..2).map(move |log| (at, log, status));
                let logs = logs(2, "unverified_digest").chain(logs(3, "unreferenced"));
                gone.into_iter().chain(logs.map(|(at, log, status)| of_log(&chain[at], log, status))).collect()
            },
            digests: &[("verified", 6), ("unsigned", 1), ("missing", 1)],
            logs: &[("verified", 12), ("unverified_digest", 2), ("unreferenced", 2)],
        },
        Case {
            name: "three digests are gone",
            change: |tree, chain| {
                (2..5).for_each(|at| tree.remove(&path(&chain[at])));
                tree.add_head(&chain[1]);
            },
            args: &[],
            code: 1,
            findings: |chain| {
                let gone = [of_digest(&chain[4], "missing"), finding("gap", &chain[5].key, "open")];
                let rest = (2..5).flat_map(|at| (0..2).map(move |log| (at, log)));
                gone.into_iter().chain(rest.map(|(at, log)| of_log(&chain[at], log, "unreferenced"))).collect()
            },
            digests: &[("verified", 5), ("missing", 1)],
            logs: &[("unchecked", 10), ("unreferenced", 6)],
        },
        Case {
            name: "the newest digests are gone, and the window wants them",
            change: |tree, chain| {
                (6..8).for_each(|at| tree.remove(&path(&chain[at])));
                tree.remove(&format!("{}.head.json", path(&chain[7])));
                tree.add_head(&chain[5]);
            },
            args: &["--until", "2024-05-06T08:00:00Z"],
            code: 3,
            findings: |chain| {
                let rest = (6..8).flat_map(|at| (0..2).map(move |log| (at, log)));
                let logs = rest.map(|(at, log)| of_log(&chain[at], log, "unreferenced"));
                [finding("gap", "", "window_not_covered")].into_iter().chain(logs).collect()
            },
            digests: &[("verified", 6)],
            logs: &[("unchecked", 12), ("unreferenced", 4)],
        },
        Case {
            name: "the first digest of the export has one before it",
            change: |tree, chain| tree.remove(&path(&chain[0])),
            args: &[],
            code: 1,
            findings: |chain| vec![of_digest(&chain[0], "missing")],
            digests: &[("verified", 7), ("missing", 1)],
            logs: &[("unchecked", 14), ("outside_chains", 2)],
        },
        Case {
            name: "the one before the first digest is before the window",
            change: |tree, chain| tree.remove(&path(&chain[0])),
            args: &["--since", "2024-05-06T01:00:00Z"],
            code: 0,
            findings: |_| Vec::new(),
            digests: &[("verified", 7)],
            logs: &[("unchecked", 14), ("outside_window", 2)],
        },
        Case {
            name: "two files for a slot",
            change: |tree, chain| {
                tree.0.insert(format!("copy/{}", path(&chain[3])), gz(format!("{} ", chain[3].content).as_bytes()));
            },
            args: &[],
            code: 1,
            findings: |chain| vec![of_digest(&chain[3], "conflict")],
            digests: &[("verified", 7), ("conflict", 1)],
            logs: &[("unchecked", 16)],
        },
        Case {
            name: "the same file twice",
            change: |tree, chain| {
                tree.0.insert(format!("copy/{}", path(&chain[3])), gz(chain[3].content.as_bytes()));
            },
            args: &["--logs"],
            code: 0,
            findings: |_| Vec::new(),
            digests: &[("verified", 8)],
            logs: &[("verified", 16)],
        },
        Case {
            name: "a log is changed",
            change: |tree, chain| tree.replace(&log_path(&chain[3], 1), gz(b"{\"Records\":[]}")),
            args: &["--logs"],
            code: 1,
            findings: |chain| vec![of_log(&chain[3], 1, "hash_mismatch")],
            digests: &[("verified", 8)],
            logs: &[("verified", 15), ("hash_mismatch", 1)],
        },
        Case {
            name: "a log is gone",
            change: |tree, chain| tree.remove(&log_path(&chain[3], 1)),
            args: &["--logs"],
            code: 1,
            findings: |chain| vec![of_log(&chain[3], 1, "missing")],
            digests: &[("verified", 8)],
            logs: &[("verified", 15), ("missing", 1)],
        },
        Case {
            name: "a second member behind a log",
            change: |tree, chain| {
                let stored = [gz(chain[3].logs[1].1.as_bytes()), gz(b"{\"Records\":[1]}")].concat();
                tree.replace(&log_path(&chain[3], 1), stored);
            },
            args: &["--logs"],
            code: 1,
            findings: |chain| vec![of_log(&chain[3], 1, "trailing_data")],
            digests: &[("verified", 8)],
            logs: &[("verified", 15), ("trailing_data", 1)],
        },
        Case {
            name: "a log is cut off",
            change: |tree, chain| {
                let stored = gz(chain[3].logs[1].1.as_bytes());
                tree.replace(&log_path(&chain[3], 1), stored[..stored.len() - 1].to_vec());
            },
            args: &["--logs"],
            code: 1,
            findings: |chain| vec![of_log(&chain[3], 1, "malformed")],
            digests: &[("verified", 8)],
            logs: &[("verified", 15), ("malformed", 1)],
        },
        Case {
            name: "a log that nobody lists",
            change: |tree, chain| {
                let planted = log_path(&chain[3], 1).replace(".json.gz", "x.json.gz");
                tree.0.insert(planted, gz(b"{}"));
            },
            args: &["--logs"],
            code: 3,
            findings: |chain| {
                let key = chain[3].logs[1].0.replace(".json.gz", "x.json.gz");
                vec![finding("log", &key, "unreferenced")]
            },
            digests: &[("verified", 8)],
            logs: &[("verified", 16), ("unreferenced", 1)],
        },
        Case {
            name: "a digest with two hashes for a log",
            change: |tree, chain| {
                let backfill = Trail { is_backfill: true, logs: 0, ..Trail::default() };
                let (key, _) = &chain[3].logs[1];
                let other = backfill.digest_of(FIRST_END, &after(FIRST_END, 3600), None, &|content| {
                    content["logFiles"] = json!([{"s3Bucket": BUCKET, "s3Object": key, "hashValue": sha256(b"x")}]);
                });
                tree.add(&other);
                tree.add_head(&other);
            },
            args: &["--logs"],
            code: 1,
            findings: |chain| vec![of_log(&chain[3], 1, "conflict")],
            digests: &[("verified", 9)],
            logs: &[("verified", 15), ("conflict", 1)],
        },
        Case {
            name: "stored decompressed",
            change: |tree, chain| {
                tree.replace(&path(&chain[3]), chain[3].content.clone().into_bytes());
                tree.replace(&log_path(&chain[3], 1), chain[3].logs[1].1.clone().into_bytes());
            },
            args: &["--logs"],
            code: 0,
            findings: |_| Vec::new(),
            digests: &[("verified", 8)],
            logs: &[("verified", 16)],
        },
        Case {
            name: "other files, and folders that only look like digests",
            change: |tree, chain| {
                tree.0.insert(path(&chain[3]).replace(".json.gz", ".txt"), b"notes".to_vec());
                tree.0.insert("notes.txt".into(), b"notes".to_vec());
                tree.0.insert(format!("{BUCKET}/AWSLogs/{ACCOUNT}/Config/x.json.gz"), b"no log of CloudTrail".to_vec());
            },
            args: &["--logs"],
            code: 0,
            findings: |_| Vec::new(),
            digests: &[("verified", 8)],
            logs: &[("verified", 16)],
        },
        Case {
            name: "a digest by a name that no digest has",
            change: |tree, chain| {
                tree.0.insert(path(&chain[3]).replace("_us-east-1_", "_"), gz(chain[3].content.as_bytes()));
            },
            args: &[],
            code: 1,
            findings: |chain| vec![finding("digest", &chain[3].key.replace("_us-east-1_", "_"), "malformed")],
            digests: &[("verified", 8), ("malformed", 1)],
            logs: &[("unchecked", 16)],
        },
        Case {
            name: "no digest at all",
            change: |tree, chain| {
                tree.0.retain(|path, _| path == &log_path(&chain[3], 1));
            },
            args: &["--logs"],
            code: 3,
            findings: |chain| {
                let place = format!("AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/");
                vec![of_log(&chain[3], 1, "unreferenced"), finding("gap", &place, "no_chain")]
            },
            digests: &[],
            logs: &[("unreferenced", 1)],
        },
    ];
    let chain = chain();
    for Case { name, change, args, code, findings, digests, logs } in cases {
        let mut tree = Tree::of(&chain);
        change(&mut tree, &chain);
        let verified = verify(&tree, args);
        let mut expected = findings(&chain);
        expected.sort();
        let mut found = verified.findings();
        found.sort();
        assert_eq!(found, expected, "{name}: {verified:?}");
        assert_eq!(verified.ran.code, Some(code), "{name}: {verified:?}");
        for (what, expected) in [("digests", digests), ("logs", logs)] {
            let expected = expected.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect();
            assert_eq!(verified.counts(what), expected, "{name}: {what}");
        }
    }
}

#[test]
fn spelled_in_any_way_keys_are_read() {
    let desk = Desk::new();
    Tree::of(&chain()).write(&desk.path("root"));
    let signer = &signers()[0];
    let valid = |from: Value, until: Value| json!([signer.entry(&from, &until)]);
    for (name, entries, code) in [
        ("numbers", valid(json!(1_714_521_600.0), json!(1_717_200_000)), 0),
        ("texts of numbers", valid(json!("1714521600.0"), json!("1717200000")), 0),
        ("local time", valid(json!("2024-05-01T02:00:00.123000+02:00"), json!("2024-05-31T12:00:00-12:00")), 0),
        ("a key of June", valid(json!("2024-06-01T00:00:00Z"), json!("2024-07-01T00:00:00Z")), 3),
        ("a key of April", valid(json!("2024-04-01T00:00:00Z"), json!("2024-05-01T00:00:00Z")), 3),
        ("no key", json!([]), 3),
    ] {
        for list in ["PublicKeyList", "publicKeyList"] {
            desk.file("keys.json", &json!({list: entries}).to_string());
            let verified = verify_roots(&desk, &["root"], &SINCE);
            assert_eq!(verified.ran.code, Some(code), "{name}: {verified:?}");
            let expected = match (name, code) {
                ("no key", _) => "key_unknown",
                (_, 0) => "verified",
                _ => "key_out_of_validity",
            };
            assert_eq!(verified.counts("digests"), counts([(expected, 8)]), "{name}");
        }
    }
}

#[test]
fn keys_that_cannot_be_used_are_left_out_and_said() {
    let desk = Desk::new();
    Tree::of(&chain()).write(&desk.path("root"));
    let (from, until) = (json!("2024-05-01T00:00:00Z"), json!("2024-06-01T00:00:00Z"));
    let mut wrong = signers()[0].entry(&from, &until);
    wrong["Fingerprint"] = json!("00".repeat(16));
    let mut short = signers()[0].entry(&from, &until);
    // 512 bits, the rest as it should be.
    let der = [&[0x30, 0x48, 0x02, 0x41, 0x00][..], &[0xc5; 64], &[0x02, 0x03, 0x01, 0x00, 0x01]].concat();
    let value = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
    (short["Value"], short["Fingerprint"]) = (json!(value), json!(crate::delivery::md5_hex(&der)));
    let list = json!({"PublicKeyList": [wrong, short, signers()[0].entry(&from, &until), {"Value": 1}]});
    desk.file("keys.json", &list.to_string());
    let verified = verify_roots(&desk, &["root"], &[]);
    assert_eq!(verified.ran.code, Some(0), "{verified:?}");
    let said = &verified.summary()["public_keys"][0];
    assert_eq!((&said["keys"], said["refused"].as_array().unwrap().len()), (&json!(1), 3), "{said}");
    assert!(verified.ran.stderr.contains("is not the MD5 of its key"), "{verified:?}");
    assert!(verified.ran.stderr.contains("512 bits"), "{verified:?}");
    for text in ["", "{}", "[]", "no JSON"] {
        desk.file("keys.json", text);
        let verified = verify_roots(&desk, &["root"], &[]);
        assert_eq!(verified.ran.code, Some(2), "{verified:?}");
        assert!(verified.ran.stderr.contains("keys.json") && verified.ran.stderr.contains("list-public-keys"));
    }
}

#[test]
fn copies_verify_wherever_they_are() {
    let chain = Trail { prefix: "a/prefix/", organisation: "o-exampleorg1/", ..Trail::default() }.chain(4);
    let tree = Tree::of(&chain);
    let moved = |from: &str, to: &str| {
        let path = |path: &String| path.replacen(from, to, 1);
        Tree(tree.0.iter().map(|(at, stored)| (path(at), stored.clone())).collect())
    };
    for (name, tree, (relocated, code)) in [
        ("as delivered", tree.clone(), (0, 0)),
        ("without the bucket", moved("org-trail-logs/", ""), (0, 0)),
        ("deeper", moved("org-trail-logs/", "backups/2024/org-trail-logs/"), (4, 0)),
        ("in another bucket", moved("org-trail-logs/", "copy/"), (4, 0)),
        ("in another bucket without the prefix", moved("org-trail-logs/a/prefix/", "copy/"), (4, 0)),
        // Nobody knows whether the folders were left out or somebody moved everything.
        ("without the prefix", moved("org-trail-logs/a/prefix/", ""), (4, 3)),
    ] {
        let verified = verify(&tree, &["--logs"]);
        assert_eq!(verified.ran.code, Some(code), "{name}: {verified:?}");
        assert_eq!(verified.counts("digests"), counts([("verified", 4)]), "{name}");
        assert_eq!(verified.counts("logs"), counts([("verified", 8)]), "{name}");
        assert_eq!(verified.summary()["relocated"], json!(relocated), "{name}");
    }
    // The folders above a root may be those of the bucket.
    let desk = Desk::new();
    moved("org-trail-logs/", "").write(&desk.path("root"));
    for root in ["root/a", "root/a/prefix", "root/a/prefix/AWSLogs", "root/a/prefix/AWSLogs/o-exampleorg1"] {
        let below = verify_roots(&desk, &[root], &["--logs"]);
        assert_eq!((below.ran.code, below.counts("digests")), (Some(0), counts([("verified", 4)])), "{below:?}");
        assert_eq!(below.summary()["relocated"], json!(0), "{root}");
    }
}

/// Short ones are hashed side by side, and long ones piece by piece.
#[test]
fn digests_and_logs_of_any_length_are_hashed() {
    const MIB: usize = 1 << 20;
    const SPACES: [usize; 13] = [0, 1, 7, 8, 9, 70, 5000, 100_000, MIB - 100, MIB - 90, MIB, MIB + 1, 3 * MIB];
    let trail = Trail { logs: SPACES.len(), spaces: &SPACES, ..Trail::default() };
    let mut chain = trail.chain(2);
    let long = |content: &mut Value| content["spaces"] = " ".repeat(2 * MIB).into();
    let end = after(FIRST_END, 2 * 3600);
    chain.push(trail.digest_of(&chain[1].end, &end, Some(&chain[1]), &long));
    let tree = Tree::of(&chain);
    let verified = verify(&tree, &["--logs"]);
    assert_eq!(verified.ran.code, Some(0), "{verified:?}");
    assert_eq!(verified.counts("digests"), counts([("verified", 3)]));
    assert_eq!(verified.counts("logs"), counts([("verified", 39)]));
    for at in 0..SPACES.len() {
        let mut tree = tree.clone();
        tree.replace(&log_path(&chain[1], at), gz(chain[1].logs[at].1.replacen("ID", "id", 1).as_bytes()));
        let verified = verify(&tree, &["--logs"]);
        assert_eq!(verified.findings(), [of_log(&chain[1], at, "hash_mismatch")], "log {at}");
    }
    let content = chain[2].content.replacen("  ", " x", 1);
    let mut tree = tree;
    tree.replace(&path(&chain[2]), gz(content.as_bytes()));
    assert_eq!(verify(&tree, &[]).findings()[0], of_digest(&chain[2], "invalid_signature"));
}

/// Several chains with something wrong in each.
fn rich_tree() -> Tree {
    let mut tree = Tree::default();
    for (account, region) in
        [("111122223333", "us-east-2"), ("111122223333", "eu-west-1"), ("444455556666", "us-east-2")]
    {
        let trail = Trail { account, region, signer: usize::from(region == "eu-west-1"), ..Trail::default() };
        let mut chain = trail.chain(12);
        let restart = trail.digest(&after(FIRST_END, 15 * 3600), None);
        chain.push(trail.digest(&after(FIRST_END, 16 * 3600), Some(&restart)));
        chain.insert(12, restart);
        let some = Tree::of(&chain);
        tree.0.extend(some.0);
        tree.remove(&path(&chain[3]));
        tree.remove(&path(&chain[4]));
        tree.replace(&path(&chain[7]), gz(b"{}"));
        tree.replace(&log_path(&chain[9], 0), gz(b"{}"));
        tree.remove(&log_path(&chain[9], 1));
        let backfill = Trail { is_backfill: true, ..trail };
        tree.0.extend(Tree::of(&backfill.chain(3)).0);
    }
    tree
}

#[test]
fn workers_memory_and_archives_change_nothing() {
    let desk = Desk::new();
    let tree = rich_tree();
    tree.write(&desk.path("root"));
    let tar = tree.to_tar();
    fs::write(desk.path("tree.tar"), &tar).unwrap();
    fs::write(desk.path("tree.tar.gz"), gz(&tar)).unwrap();
    fs::write(desk.path("tree.tar.zst"), zstd::encode_all(&tar[..], 1).unwrap()).unwrap();
    fs::create_dir(desk.path("folder")).unwrap();
    fs::copy(desk.path("tree.tar.gz"), desk.path("folder/tree.tgz")).unwrap();
    let args = ["--logs", "--since", "2024-05-06", "--until", "2024-05-07"];
    let expected = verify_roots(&desk, &["root"], &args).steady();
    assert!(expected.1.contains(",missing,") && expected.1.contains(",open,"), "{}", expected.1);
    for (root, more) in [
        ("root", &["--jobs", "1"][..]),
        ("root", &["--jobs", "8"]),
        ("root", &["--jobs", "3", "--memory", "1MiB"]),
        ("tree.tar", &[]),
        ("tree.tar", &["--jobs", "1"]),
        ("tree.tar.gz", &[]),
        ("tree.tar.zst", &[]),
        ("folder", &[]),
    ] {
        let verified = verify_roots(&desk, &[root], &[&args[..], more].concat());
        assert_eq!(verified.steady(), expected, "{root} {more:?}");
    }
}

#[test]
fn archives_that_are_cut_off_never_pass() {
    let desk = Desk::new();
    let tar = Tree::of(&Trail { logs: 0, ..Trail::default() }.chain(3)).to_tar();
    let passes = |stored: &[u8]| {
        fs::write(desk.path("tree.tar"), stored).unwrap();
        let verified = verify_roots(&desk, &["tree.tar"], &[]);
        assert!(verified.ran.code.is_some_and(|code| code != 2), "{verified:?}");
        verified.ran.code == Some(0)
    };
    assert!(passes(&tar));
    let compressed = gz(&tar);
    for cut in (0..tar.len()).step_by(512).chain([tar.len() - 1]) {
        assert!(!passes(&tar[..cut]), "cut at {cut}");
    }
    for cut in (0..compressed.len()).step_by(97) {
        assert!(!passes(&compressed[..cut]), "cut at {cut} of the compressed");
    }
    assert!(!passes(&[&tar[..], &tar[..512]].concat()));
}

#[test]
fn no_damage_passes() {
    let chain = Trail { logs: 1, ..Trail::default() }.chain(3);
    let tree = Tree::of(&chain);
    // Of metadata, not every byte says something.
    let paths: Vec<&String> = tree.0.keys().filter(|path| path.ends_with(".gz")).collect();
    let mut random = Random::new(7);
    for round in 0..40 {
        let mut damaged = tree.clone();
        let path = random.pick(&paths).as_str();
        let stored = damaged.0.get_mut(path).unwrap();
        let content = gunzip(stored);
        if random.chance(30) {
            stored.truncate(random.below(stored.len()));
        } else {
            let at = random.below(stored.len());
            stored[at] ^= 1 << random.below(8);
        }
        if content.is_some() && gunzip(stored) == content {
            continue;
        }
        let verified = verify(&damaged, &["--logs"]);
        assert!(matches!(verified.ran.code, Some(1 | 3)), "round {round}, {path}: {verified:?}");
    }
}

fn gunzip(stored: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut flate2::bufread::GzDecoder::new(stored), &mut content).ok().map(|_| content)
}

#[test]
fn metadata_lines_prove_tails_of_any_bucket() {
    let chain = chain();
    let mut tree = Tree::of(&chain);
    tree.remove(&format!("{}.head.json", path(&chain[7])));
    let desk = Desk::new();
    tree.write(&desk.path("root"));
    let line = |bucket: &str, digest: &Digest| {
        let mut head = digest.head();
        (head["Bucket"], head["Key"]) = (json!(bucket), json!(digest.key));
        head.to_string()
    };
    for (name, text, code, status) in [
        ("its bucket", line(BUCKET, &chain[7]), 0, "verified"),
        ("that of a copy", line("copy", &chain[7]), 0, "verified"),
        ("of another digest", line(BUCKET, &chain[6]), 3, "unsigned"),
        ("damaged", "{".to_owned(), 3, "unsigned"),
        (
            "a wrong signature",
            line(BUCKET, &chain[7]).replace(&chain[7].signature, &chain[6].signature),
            1,
            "invalid_signature",
        ),
        ("a short signature", line(BUCKET, &chain[7]).replace(&chain[7].signature, "ab"), 1, "invalid_signature"),
    ] {
        let file = desk.file("heads.ndjson", &format!("{text}\n\n"));
        let verified = verify_roots(&desk, &["root"], &["--metadata", file.to_str().unwrap()]);
        assert_eq!(verified.ran.code, Some(code), "{name}: {verified:?}");
        assert_eq!(verified.summary()["digests"][status], json!(if code == 0 { 8 } else { 1 }), "{name}");
    }
}

#[test]
fn restarts_and_holes_are_told() {
    let trail = Trail { logs: 0, ..Trail::default() };
    let mut chain = trail.chain(3);
    let mut again = vec![trail.digest(&after(FIRST_END, 6 * 3600), None)];
    again.push(trail.digest(&after(FIRST_END, 7 * 3600), again.last()));
    let mut tree = Tree::of(&chain);
    tree.0.extend(Tree::of(&again).0);
    let verified = verify(&tree, &[]);
    // The end of the third is at 03:00, and the next begins at 06:00.
    assert_eq!(verified.findings(), [finding("gap", &again[0].key, "open")]);
    assert!(verified.text("findings.csv").contains("3 hours without a digest"), "{verified:?}");
    assert_eq!(verified.ran.code, Some(3));
    let line = &verified.summary()["chains"][0];
    assert_eq!((&line["segments"], &line["gaps"], &line["digests"]), (&json!(2), &json!(1), &json!(5)), "{line}");
    let since = verify(&tree, &["--since", "2024-05-06T06:00:00Z"]);
    assert_eq!(since.ran.code, Some(0), "{since:?}");

    // A trail that goes on in another bucket is the same chain.
    let moved = Trail { bucket: "another-bucket".to_owned(), ..trail };
    chain.push(moved.digest(&after(FIRST_END, 3 * 3600), chain.last()));
    let verified = verify(&Tree::of(&chain), &[]);
    assert_eq!((verified.ran.code, verified.findings().len()), (Some(0), 0), "{verified:?}");
    let chains = verified.summary()["chains"].clone();
    assert_eq!((chains.as_array().unwrap().len(), &chains[0]["bucket"]), (1, &json!("another-bucket")), "{chains}");
}

#[test]
fn nothing_forged_stops_it() {
    let chain = chain();
    let deep = format!("{{\"logFiles\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let bomb = gz(&vec![b' '; 80 << 20]);
    let many = Trail { logs: 0, ..Trail::default() }.digest_of(FIRST_END, FIRST_END, None, &|content| {
        let log = json!({"s3Bucket": "b", "s3Object": "k", "hashValue": "ab".repeat(32)});
        content["logFiles"] = Value::Array(vec![log; 100_000]);
    });
    let key = |field: &str, value: Value| {
        let mut content: Value = serde_json::from_str(&chain[3].content).unwrap();
        content[field] = value;
        gz(content.to_string().as_bytes())
    };
    let forged = [
        (gz(deep.as_bytes()), "malformed"),
        (bomb, "malformed"),
        (gz(b""), "malformed"),
        (Vec::new(), "malformed"),
        (gz(&chain[3].content.as_bytes()[1..]), "malformed"),
        (gz(many.content.as_bytes()), "misplaced"),
        (key("digestEndTime", json!(7)), "malformed"),
        (key("digestEndTime", json!("2024-05-06")), "malformed"),
        (key("digestEndTime", json!("1999-05-06T00:00:00Z")), "malformed"),
        (key("digestS3Object", json!("../../etc/passwd")), "misplaced"),
        (key("digestS3Object", json!("\u{1b}[31m=1+1")), "misplaced"),
        (key("digestPublicKeyFingerprint", json!("xyz")), "malformed"),
        (key("previousDigestSignature", Value::Null), "malformed"),
        // It is all that is known of the signature of the one before, too.
        (key("previousDigestSignature", json!("no hex")), "invalid_signature"),
        (key("previousDigestSignature", json!("ab".repeat(5000))), "invalid_signature"),
        (key("previousDigestHashValue", json!("ab")), "malformed"),
        (key("logFiles", json!({})), "malformed"),
        (key("logFiles", json!([{"s3Bucket": "b", "s3Object": "k", "hashValue": "ab"}])), "malformed"),
    ];
    for (at, (stored, status)) in forged.into_iter().enumerate() {
        let mut tree = Tree::of(&chain);
        tree.replace(&path(&chain[3]), stored);
        let verified = verify(&tree, &[]);
        assert_eq!(verified.ran.code, Some(1), "{at}: {verified:?}");
        let expected = if status == "invalid_signature" { 2 } else { 1 };
        assert_eq!(verified.summary()["digests"][status], json!(expected), "{at}: {}", verified.text("findings.csv"));
        assert!(!verified.text("findings.csv").contains('\x1b') && !verified.ran.stdout.contains('\x1b'), "{at}");
    }
}

/// A tree, what is done to it, the arguments, the exit code, and why it is no pass.
struct Layout {
    name: &'static str,
    change: fn(&mut Tree, &[Digest]),
    args: &'static [&'static str],
    code: i32,
    reasons: &'static [&'static str],
}

/// Moves what has this in its path, by another beginning.
fn move_all(tree: &mut Tree, what: &str, from: &str, to: &str) {
    let moved = |path: &String| match path.contains(what) {
        true => path.replacen(from, to, 1),
        false => path.clone(),
    };
    tree.0 = tree.0.iter().map(|(path, stored)| (moved(path), stored.clone())).collect();
}

fn copy_all(tree: &mut Tree, what: &str, from: &str, to: &str) {
    let copied = tree.0.iter().filter(|(path, _)| path.contains(what));
    let copied: Vec<_> = copied.map(|(path, stored)| (path.replacen(from, to, 1), stored.clone())).collect();
    tree.0.extend(copied);
}

const TOP: &str = "org-trail-logs/";

#[test]
fn what_lies_elsewhere_is_moved_or_a_copy() {
    let cases = [
        Layout {
            name: "a log moved in its bucket",
            change: |tree, chain| move_all(tree, &log_path(&chain[3], 1), TOP, "org-trail-logs/trash/"),
            args: &["--logs"],
            code: 1,
            reasons: &["invalid_logs"],
        },
        Layout {
            name: "a log moved in its bucket, and nobody reads it",
            change: |tree, chain| move_all(tree, &log_path(&chain[3], 1), TOP, "org-trail-logs/trash/"),
            args: &[],
            code: 1,
            reasons: &["invalid_logs"],
        },
        Layout {
            name: "a log moved in a bucket without a folder of its name",
            change: |tree, chain| {
                move_all(tree, &log_path(&chain[3], 1), TOP, "org-trail-logs/trash/");
                move_all(tree, "", TOP, "");
            },
            args: &["--logs"],
            code: 1,
            reasons: &["missing_logs"],
        },
        Layout {
            name: "a log moved into a folder that is called like the bucket",
            change: |tree, chain| {
                move_all(tree, "", TOP, "");
                move_all(tree, &chain[3].logs[1].0, "AWSLogs", "org-trail-logs/AWSLogs");
            },
            args: &["--logs"],
            code: 1,
            reasons: &["invalid_logs"],
        },
        Layout {
            name: "a digest moved into a folder that is called like the bucket",
            change: |tree, chain| {
                move_all(tree, "", TOP, "");
                move_all(tree, &chain[3].key, "AWSLogs", "org-trail-logs/AWSLogs");
            },
            args: &["--logs"],
            code: 3,
            reasons: &["layout_unknown"],
        },
        Layout {
            name: "a log copied in its bucket",
            change: |tree, chain| copy_all(tree, &log_path(&chain[3], 1), TOP, "org-trail-logs/trash/"),
            args: &["--logs"],
            code: 0,
            reasons: &[],
        },
        Layout {
            name: "a log copied in its bucket, and changed",
            change: |tree, chain| {
                tree.0.insert(log_path(&chain[3], 1).replacen(TOP, "org-trail-logs/trash/", 1), gz(b"{}"));
            },
            args: &["--logs"],
            code: 3,
            reasons: &["unreferenced_logs"],
        },
        Layout {
            name: "a log that is only in another bucket",
            change: |tree, chain| move_all(tree, &log_path(&chain[3], 1), TOP, "copy/"),
            args: &["--logs"],
            code: 1,
            reasons: &["missing_logs"],
        },
        Layout {
            name: "a digest moved in its bucket",
            change: |tree, _| move_all(tree, "CloudTrail-Digest", TOP, "org-trail-logs/trash/"),
            args: &["--logs"],
            code: 1,
            reasons: &["invalid_digests"],
        },
        Layout {
            name: "the newest digest moved in its bucket",
            change: |tree, chain| move_all(tree, &path(&chain[7]), TOP, "org-trail-logs/trash/"),
            args: &["--logs"],
            code: 1,
            reasons: &["invalid_digests"],
        },
        Layout {
            name: "the newest digest is only in another bucket",
            change: |tree, chain| move_all(tree, &path(&chain[7]), TOP, "copy/"),
            args: &["--logs"],
            code: 1,
            reasons: &["missing_digests", "unproven_logs"],
        },
        Layout {
            name: "all digests are only in another bucket, and the logs where they belong",
            change: |tree, _| {
                move_all(tree, "CloudTrail-Digest", TOP, "copy/");
                move_all(tree, "", TOP, "");
            },
            args: &["--logs"],
            code: 1,
            reasons: &["missing_digests", "unproven_logs", "window_not_covered", "nothing_examined"],
        },
        Layout {
            name: "digests copied in their bucket",
            change: |tree, _| copy_all(tree, "CloudTrail-Digest", TOP, "org-trail-logs/backup/"),
            args: &["--logs"],
            code: 0,
            reasons: &[],
        },
        Layout {
            name: "the whole bucket copied beside it",
            change: |tree, _| copy_all(tree, TOP, TOP, "copy/"),
            args: &["--logs"],
            code: 0,
            reasons: &[],
        },
        Layout {
            name: "a copy of the bucket, and a log moved in it",
            change: |tree, chain| {
                move_all(tree, "", TOP, "copy/");
                move_all(tree, &chain[3].logs[1].0, "copy/", "copy/trash/");
            },
            args: &["--logs"],
            code: 1,
            reasons: &["invalid_logs"],
        },
        Layout {
            name: "a copy of the bucket, and a digest moved in it",
            change: |tree, chain| {
                move_all(tree, "", TOP, "copy/");
                move_all(tree, &chain[3].key, "copy/", "copy/trash/");
            },
            args: &["--logs"],
            code: 1,
            reasons: &["invalid_digests"],
        },
    ];
    run_layouts(&cases, &chain());
}

fn run_layouts(cases: &[Layout], chain: &[Digest]) {
    for Layout { name, change, args, code, reasons } in cases {
        let mut tree = Tree::of(chain);
        change(&mut tree, chain);
        let verified = verify(&tree, args);
        assert_eq!(verified.ran.code, Some(*code), "{name}: {verified:?}");
        assert_eq!(verified.summary()["outcome_reasons"], json!(reasons), "{name}: {verified:?}");
    }
}

#[test]
fn files_that_no_digest_lists_are_no_pass() {
    let planted = |tree: &mut Tree, name: &str| {
        let folder = format!("{BUCKET}/AWSLogs/{ACCOUNT}/{name}");
        tree.0.insert(folder, gz(b"{\"Records\":[]}"));
    };
    let log = |time: &str, rest: &str| {
        format!("CloudTrail/{REGION}/2024/05/06/{ACCOUNT}_CloudTrail_{REGION}_{time}_PLANTED000000000{rest}")
    };
    // The chain is from midnight to eight.
    let of_window = [
        log("20240506T0230Z", ".json.gz"),
        log("20240506T0230Z", ".json"),
        log("20240506T0230Z", ".json.GZ"),
        log("20240506T0230Z", ".tar"),
        log("20240506T0230Z", ".json.gz.head.json"),
        // Its folder says another day than its name.
        log("20200101T0000Z", ".json.gz"),
        log("20200101T0000Z_20240506T0230Z", ".json.gz"),
        format!("CloudTrail/{REGION}/2024/05/06/x"),
        format!("CloudTrail/{REGION}/2024/05/06/._x.json.gz"),
        format!("CloudTrail/{REGION}/x.json.gz"),
        "CloudTrail/x.json.gz".to_owned(),
        format!("CloudTrail-Insight/{REGION}/2024/05/06/x.json.gz"),
        format!("CloudTrail-Future/{REGION}/2024/05/06/x.json.gz"),
        format!(
            "CloudTrail/eu-west-1/2024/05/06/{ACCOUNT}_CloudTrail_eu-west-1_20240506T0230Z_AAAAAAAAAAAAAAAA.json.gz"
        ),
    ];
    for name in &of_window {
        let mut tree = Tree::of(&chain());
        planted(&mut tree, name);
        for args in [&["--logs"][..], &[], &["--logs", "--since", "2024-05-06", "--until", "2024-05-06T08:00:00Z"]] {
            let verified = verify(&tree, args);
            assert_eq!(verified.ran.code, Some(3), "{name}: {verified:?}");
            assert_eq!(verified.summary()["logs"]["unreferenced"], json!(1), "{name}");
            assert!(verified.ran.stdout.contains("1 file in log"), "{verified:?}");
            assert!(verified.ran.stdout.contains("following hours"), "{verified:?}");
        }
        let accepted = verify(&tree, &["--logs", "--accept-unreferenced", "nothing", &format!("*/{name}")]);
        assert_eq!(accepted.ran.code, Some(0), "{name}: {accepted:?}");
        assert_eq!(accepted.summary()["assumptions"][0]["value"], json!(format!("*/{name}")));
        assert!(accepted.ran.stdout.contains("Assumes   unreferenced_accepted"), "{accepted:?}");
    }
    for (name, count) in [
        (log("20240505T2358Z", ".json.gz"), "outside_chains"),
        (log("20240506T0800Z", ".json.gz"), "outside_chains"),
        (format!("Config/{REGION}/2024/5/6/ConfigHistory/x.json.gz"), ""),
        ("CloudTrail-Lake/Query/2024/05/06/x/result_1.csv.gz".to_owned(), ""),
        (format!("elasticloadbalancing/{REGION}/2024/05/06/x.log.gz"), ""),
        (format!("Unknown/{REGION}/2024/05/06/x.log.gz"), ""),
        (format!("CloudTrail/{REGION}/2024/05/06/.DS_Store"), "unreferenced"),
    ] {
        let mut tree = Tree::of(&chain());
        planted(&mut tree, &name);
        if count == "unreferenced" {
            // What macOS leaves has another beginning than a log.
            tree.replace(&format!("{BUCKET}/AWSLogs/{ACCOUNT}/{name}"), b"\0\0\0\x01Bud1".to_vec());
        }
        let verified = verify(&tree, &["--logs"]);
        assert_eq!(verified.ran.code, Some(0), "{name}: {verified:?}");
        let expected = if count == "outside_chains" { json!(1) } else { json!(0) };
        assert_eq!(verified.summary()["logs"]["outside_chains"], expected, "{name}");
    }
    // What HeadObject says of a log is none.
    let mut tree = Tree::of(&chain());
    tree.0.insert(format!("{}.head.json", log_path(&chain()[3], 0)), b"{\"ETag\": \"\\\"x\\\"\"}".to_vec());
    assert_eq!(verify(&tree, &["--logs"]).ran.code, Some(0));
}

#[test]
fn accounts_without_a_chain_are_named() {
    let mut tree = Tree::of(&chain());
    let other = Trail { region: "eu-west-1", ..Trail::default() }.chain(8);
    tree.0.extend(Tree::of(&other).0.into_iter().filter(|(path, _)| !path.contains("CloudTrail-Digest")));
    let verified = verify(&tree, &["--logs"]);
    assert_eq!(verified.summary()["no_chain"], json!([{"account": ACCOUNT, "region": "eu-west-1", "logs": 16}]));
    assert_eq!(verified.ran.code, Some(3), "{verified:?}");
    assert!(verified.ran.stdout.contains("no chain: account 111122223333, eu-west-1, 16 logs"), "{verified:?}");
    // Logs of other times are not asked for.
    let other_day = ["--since", "2024-05-06", "--until", "2024-05-06T08:00:00Z"];
    let mut tree = Tree::of(&chain());
    let early = Trail { region: "eu-west-1", ..Trail::default() }.digest("2024-05-01T00:00:00Z", None);
    tree.0.extend(Tree::of(&[early]).0.into_iter().filter(|(path, _)| !path.contains("CloudTrail-Digest")));
    assert_eq!(verify(&tree, &other_day).ran.code, Some(0));
    assert_eq!(verify(&tree, &[]).ran.code, Some(3));
}

#[test]
fn chains_cover_the_window_or_it_is_accepted() {
    let trail = Trail { logs: 0, ..Trail::default() };
    // From midnight to three, and from six to eight.
    let mut tree = Tree::of(&trail.chain(3));
    let mut again = vec![trail.digest(&after(FIRST_END, 6 * 3600), None)];
    again.push(trail.digest(&after(FIRST_END, 7 * 3600), again.last()));
    tree.0.extend(Tree::of(&again).0);
    let both = ["--accept-starts", "--accept-ends"];
    let at = |hour: usize| format!("2024-05-06T{hour:02}:00:00Z");
    for (since, until, accepted, code, names) in [
        (Some(0), Some(3), &[][..], 0, ""),
        (Some(6), Some(8), &[], 0, ""),
        (Some(6), None, &[], 0, ""),
        (None, Some(3), &[], 0, ""),
        (Some(5), Some(8), &[], 3, "(--accept-starts --accept-ends)"),
        (Some(5), Some(8), &both, 0, ""),
        (Some(6), Some(9), &[], 3, "(--accept-ends)"),
        (Some(6), Some(9), &["--accept-ends"], 0, ""),
        (Some(6), Some(9), &["--accept-starts"], 3, "(--accept-ends)"),
        (Some(8), None, &[], 3, "(--accept-ends)"),
        (Some(8), None, &both, 3, "no hourly chain has"),
        (Some(9), Some(12), &both, 3, "no hourly chain has"),
        (None, None, &[], 3, "--accept-starts"),
        (None, None, &["--accept-starts"], 3, "--accept-ends"),
        (None, None, &both, 0, ""),
    ] {
        let times = [("--since", since), ("--until", until)];
        let times = times.into_iter().flat_map(|(name, hour)| hour.map(|hour| [name.to_owned(), at(hour)]));
        let args: Vec<String> = times.flatten().chain(accepted.iter().map(|arg| (*arg).to_owned())).collect();
        let verified = verify(&tree, &args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(verified.ran.code, Some(code), "{args:?}: {verified:?}");
        assert!(verified.text("findings.csv").contains(names), "{args:?}: {}", verified.text("findings.csv"));
    }
    // Before the chain began.
    let since = ["--since", "2024-05-05", "--until", "2024-05-06T03:00:00Z"];
    assert_eq!(verify(&tree, &since).ran.code, Some(3));
    let accepted = verify(&tree, &[&since[..], &["--accept-starts"]].concat());
    assert_eq!((accepted.ran.code, &accepted.summary()["accepted"]["starts"]), (Some(0), &json!(1)), "{accepted:?}");
    // Only who names no other is the first.
    tree.remove(&path(&trail.chain(1)[0]));
    let verified = verify(&tree, &[&since[..], &["--accept-starts"]].concat());
    assert_eq!(verified.ran.code, Some(1), "{verified:?}");
    assert!(verified.text("findings.csv").contains("is not the first that there was"), "{verified:?}");
}

#[test]
fn backfill_digests_alone_cover_nothing() {
    let backfill = Trail { is_backfill: true, ..Trail::default() };
    for args in [&["--logs"][..], &["--logs", "--since", "2024-05-06"], &["--logs", "--accept-starts", "--accept-ends"]]
    {
        let verified = verify(&Tree::of(&backfill.chain(3)), args);
        assert_eq!(verified.ran.code, Some(3), "{verified:?}");
        assert_eq!(verified.summary()["outcome_reasons"], json!(["window_not_covered", "no_chain"]));
    }
    // Whatever they list: there was an hourly chain.
    let idle = Trail { region: "eu-west-1", logs: 0, ..backfill.clone() };
    let mut tree = Tree::of(&chain());
    tree.0.extend(Tree::of(&idle.chain(1)).0);
    let verified = verify(&tree, &["--logs"]);
    assert_eq!(verified.summary()["no_chain"], json!([{"account": ACCOUNT, "region": "eu-west-1", "logs": 0}]));
    assert_eq!(verified.ran.code, Some(3), "{verified:?}");
    // Runs that hang together, whatever hours they are of.
    let mut tree = Tree::of(&chain());
    let one = backfill.digest(&after(FIRST_END, 5 * 3600), None);
    let two = backfill.digest(&after(FIRST_END, 3600), Some(&one));
    let three = backfill.digest(&after(FIRST_END, 3 * 3600), Some(&two));
    let other = backfill.digest(&after(FIRST_END, 4 * 3600), None);
    [&one, &two, &three, &other].into_iter().for_each(|digest| tree.add(digest));
    tree.add_head(&three);
    tree.add_head(&other);
    let verified = verify(&tree, &[]);
    assert_eq!(verified.ran.code, Some(0), "{verified:?}");
    let segments = |verified: &Verified| verified.summary()["chains"][1]["segments"].clone();
    assert_eq!(segments(&verified), json!(2), "{verified:?}");
    tree.remove(&path(&two));
    tree.add_head(&one);
    assert_eq!(segments(&verify(&tree, &[])), json!(3));
}

#[test]
fn archives_in_the_mirror_of_a_bucket_prove_nothing() {
    let chain = chain();
    let gone = log_path(&chain[3], 1);
    let tar = Tree::of(&chain).to_tar();
    let harmless = Tree([("notes.txt".to_owned(), b"notes".to_vec())].into()).to_tar();
    let lambda = |tree: &mut Tree, name: &str, tar: &[u8]| drop(tree.0.insert(name.to_owned(), tar.to_vec()));
    for name in ["backup.tar", "org-trail-logs/backup.tar", "org-trail-logs/AWSLogs/backup.TAR"] {
        let mut tree = Tree::of(&chain);
        lambda(&mut tree, name, &harmless);
        assert_eq!(verify(&tree, &["--logs"]).ran.code, Some(0), "{name}");
        lambda(&mut tree, name, &tar);
        let verified = verify(&tree, &["--logs"]);
        assert_eq!((verified.ran.code, &verified.summary()["faults"]), (Some(3), &json!({"archive_in_mirror": 1})));
        let accepted = verify(&tree, &["--logs", "--accept-unreferenced", "*backup.*"]);
        assert_eq!(accepted.ran.code, Some(0), "{accepted:?}");
        // It does not stand in for what is gone.
        tree.remove(&gone);
        assert_eq!(verify(&tree, &["--logs"]).ran.code, Some(1), "{name}");
    }
    for (name, code) in [("a.tar.xz", 3), ("org-trail-logs/a.tar.bz2", 3), ("org-trail-logs/a.zip", 0)] {
        let mut tree = Tree::of(&chain);
        lambda(&mut tree, name, b"whatever");
        let verified = verify(&tree, &["--logs"]);
        assert_eq!(verified.ran.code, Some(code), "{name}: {verified:?}");
    }
    // A folder of archives is no mirror.
    for (name, code) in [("a.TGZ", 0), ("a.tar.xz", 3), ("a.zip", 3)] {
        let mut tree = Tree::default();
        lambda(&mut tree, "first.tar", &tar);
        lambda(&mut tree, name, &gz(&harmless));
        assert_eq!(verify(&tree, &["--logs"]).ran.code, Some(code), "{name}");
    }
}

#[test]
fn archives_inside_of_archives_prove_nothing() {
    let chain = chain();
    let inner = Tree::of(&chain).to_tar();
    let cases = [
        ("backup.tar", 3),
        ("org-trail-logs/backup.tar.gz", 3),
        ("org-trail-logs/AWSLogs/backup.tar.xz", 3),
        ("org-trail-logs/AWSLogs/111122223333/vpcflowlogs/us-east-1/a.tar", 0),
        ("org-trail-logs/a.zip", 0),
        ("org-trail-logs/notes.txt", 0),
    ];
    for (name, code) in cases {
        let mut tree = Tree::of(&chain);
        tree.0.insert(name.to_owned(), inner.clone());
        let root = Tree([("mirror.tar".to_owned(), tree.to_tar())].into());
        let verified = verify(&root, &["--logs"]);
        assert_eq!(verified.ran.code, Some(code), "{name}: {verified:?}");
        if code == 3 {
            assert_eq!(verified.summary()["faults"], json!({"archive_not_read": 1}), "{name}");
            let accepted = verify(&root, &["--logs", "--accept-unreferenced", name]);
            assert_eq!(accepted.ran.code, Some(0), "{name}: {accepted:?}");
        }
    }
}

#[test]
fn copies_of_one_bucket_are_no_inventory_of_another() {
    let chain = chain();
    let rows = |bucket: &str| -> Vec<Row> {
        let logs = chain.iter().flat_map(|digest| &digest.logs);
        logs.map(|(key, _)| Row { bucket: bucket.into(), ..Row::compliant("f").with_key(key.as_str()) }).collect()
    };
    let inventory = |desk: &Desk, rows: &[Row], bucket: &str| {
        let written = Delivery::csv(rows, &all_columns(), 1).in_bucket(bucket).write(&desk.path(bucket));
        written.config.to_str().unwrap().to_owned()
    };
    let copied = |bucket: &str| {
        let mut tree = Tree::of(&chain);
        move_all(&mut tree, "", TOP, &format!("{bucket}/"));
        tree
    };
    for (tree, listed, code, status) in [
        (Tree::of(&chain), BUCKET, 0, "unchecked"),
        (Tree::of(&chain), "copy", 3, "not_covered_by_inventory"),
        (copied("copy"), "copy", 0, "unchecked"),
        (copied("copy"), "another", 3, "not_covered_by_inventory"),
    ] {
        let desk = Desk::new();
        tree.write(&desk.path("root"));
        let path = inventory(&desk, &rows(listed), listed);
        let verified = verify_roots(&desk, &["root"], &["--inventory", &path]);
        assert_eq!(verified.ran.code, Some(code), "{listed}: {verified:?}");
        assert_eq!(verified.counts("logs"), counts([(status, 16)]), "{listed}");
        let not_covered = if code == 0 { json!([]) } else { json!([BUCKET]) };
        assert_eq!(verified.summary()["not_covered_by_inventory"], not_covered, "{listed}");
    }
    // A log that is gone from the copy, and one that lies elsewhere there.
    let desk = Desk::new();
    copied("copy").write(&desk.path("root"));
    let mut some = rows("copy");
    some.remove(3);
    some[5].key = [b"trash/", &some[5].key[..]].concat();
    let path = inventory(&desk, &some, "copy");
    let verified = verify_roots(&desk, &["root"], &["--inventory", &path]);
    assert_eq!(verified.counts("logs"), counts([("unchecked", 14), ("not_in_inventory", 2)]), "{verified:?}");
    // Nobody asks for logs of other times.
    let args = ["--inventory", &path, "--since", "2024-05-06T04:00:00Z"];
    let verified = verify_roots(&desk, &["root"], &args);
    assert_eq!((verified.ran.code, verified.counts("logs")), (Some(0), counts([("unchecked", 16)])), "{verified:?}");
}

#[test]
fn inventories_may_be_too_old() {
    // It is of 2026-01-04T01:00.
    let desk = Desk::new();
    let trail = Trail { logs: 1, ..Trail::default() };
    let chain = [trail.digest("2026-01-02T01:00:00Z", None)];
    let later = [trail.digest("2026-01-02T02:00:00Z", Some(&chain[0]))];
    let digests = [chain, later].concat();
    let (from, until) = (json!("2026-01-01T00:00:00Z"), json!("2026-02-01T00:00:00Z"));
    desk.file("keys.json", &json!({"PublicKeyList": [signers()[0].entry(&from, &until)]}).to_string());
    Tree::of(&digests).write(&desk.path("root"));
    let row = Row { bucket: BUCKET.into(), ..Row::compliant("f").with_key("AWSLogs/x") };
    let written = Delivery::csv(&[row], &all_columns(), 1).in_bucket(BUCKET).write(&desk.path("inventory"));
    for (lag, too_new, gone) in [("48h", 1, 1), ("2d", 1, 1), ("0h", 0, 2), ("49h", 2, 0)] {
        let args = ["--inventory", written.config.to_str().unwrap(), "--inventory-lag", lag, "--logs"];
        let verified = verify_roots(&desk, &["root"], &args);
        let logs = &verified.summary()["logs"];
        assert_eq!(
            (&logs["too_new"], &logs["not_in_inventory"]),
            (&json!(too_new), &json!(gone)),
            "{lag}: {verified:?}"
        );
        assert_eq!(verified.ran.code, Some(if gone > 0 { 1 } else { 3 }), "{lag}");
        let is_usual = matches!(lag, "48h" | "2d");
        assert_eq!(
            verified.summary()["assumptions"],
            if is_usual {
                json!([])
            } else {
                json!([{"name": "inventory_lag", "value": lag,
                "text": "an inventory has every object that was stored so long before it was made"}])
            }
        );
    }
}

#[test]
fn keys_in_utf_16_are_read() {
    let desk = Desk::new();
    Tree::of(&chain()).write(&desk.path("root"));
    let text = format!("\u{feff}{}", keys());
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for encoded in [little, big, text.into_bytes()] {
        fs::write(desk.path("keys.json"), encoded).unwrap();
        let verified = verify_roots(&desk, &["root"], &[]);
        assert_eq!(verified.ran.code, Some(0), "{verified:?}");
    }
}

#[cfg(unix)]
#[test]
fn links_and_what_cannot_be_read_are_never_missing() {
    use std::os::unix::fs::symlink;

    let chain = chain();
    for (name, link, to, reasons) in [
        ("a folder elsewhere", "root/other-bucket", "elsewhere", &["links"][..]),
        ("a folder that is not there", "root/other-bucket", "nowhere", &["links"]),
        ("a folder of the root", "root/other-bucket", "root/org-trail-logs", &[]),
        (
            "the logs of a Region",
            "root/org-trail-logs/AWSLogs/111122223333/CloudTrail/eu-west-1",
            "elsewhere",
            &["unreferenced_logs", "no_chain", "links", "faults"],
        ),
        (
            "digests of a Region",
            "root/org-trail-logs/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1",
            "elsewhere",
            &["links"],
        ),
        ("another service", "root/org-trail-logs/AWSLogs/111122223333/Config/eu-west-1", "elsewhere", &[]),
    ] {
        let desk = Desk::new();
        Tree::of(&chain).write(&desk.path("root"));
        fs::create_dir(desk.path("elsewhere")).unwrap();
        fs::create_dir_all(desk.path(link).parent().unwrap()).unwrap();
        symlink(desk.path(to), desk.path(link)).unwrap();
        let verified = verify_roots(&desk, &["root"], &["--logs"]);
        assert_eq!(verified.summary()["outcome_reasons"], json!(reasons), "{name}: {verified:?}");
        assert_eq!(verified.ran.code, Some(if reasons.is_empty() { 0 } else { 3 }), "{name}");
        assert!(verified.ran.stdout.contains("1 links that were not followed"), "{name}: {verified:?}");
    }
    // A log and a digest that lead to themselves: they are there, and nobody knows what is in them.
    for (gone, is_digest) in [(path(&chain[3]), true), (log_path(&chain[3], 1), false)] {
        let desk = Desk::new();
        let mut tree = Tree::of(&chain);
        tree.add_head(&chain[2]);
        tree.remove(&gone);
        tree.write(&desk.path("root"));
        symlink(desk.path("root").join(&gone), desk.path("root").join(&gone)).unwrap();
        let verified = verify_roots(&desk, &["root"], &["--logs"]);
        assert_eq!(verified.ran.code, Some(3), "{gone}: {verified:?}");
        let of = if is_digest { "digests" } else { "logs" };
        assert_eq!(verified.summary()[of]["unreadable"], json!(1), "{gone}: {verified:?}");
        assert_eq!(verified.summary()["faults"]["link"], json!(1), "{gone}");
    }
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let desk = Desk::new();
    Tree::of(&chain()).write(&desk.path("elsewhere"));
    fs::create_dir(desk.path("root")).unwrap();
    std::os::unix::fs::symlink(desk.path("elsewhere"), desk.path("root").join(BUCKET)).unwrap();
    let verified = verify_roots(&desk, &["root"], &[]);
    assert_eq!((verified.ran.code, &verified.summary()["links_not_followed"]), (Some(3), &json!(1)), "{verified:?}");
}

#[test]
fn logs_are_held_against_an_inventory() {
    let desk = Desk::new();
    let chain = chain();
    // The inventory is of January 2026: a digest of February lists what it cannot know. Its logs are older than its chain.
    let late = Trail { name: "late", ..Trail::default() }.digest("2026-02-01T01:00:00Z", None);
    let mut tree = Tree::of(&chain);
    tree.0.retain(|path, _| path.contains("CloudTrail-Digest"));
    tree.add(&late);
    tree.write(&desk.path("root"));
    let logs = chain.iter().flat_map(|digest| &digest.logs);
    let mut rows: Vec<Row> = logs.map(|(key, _)| Row::compliant("f").with_key(key.as_str())).collect();
    let planted = rows[0].key.iter().map(|byte| if *byte == b'Z' { b'Y' } else { *byte }).collect::<Vec<u8>>();
    rows.push(Row::compliant("f").with_key(planted.clone()));
    // One is gone, one is hidden by a delete marker, and of one there is only an older version.
    rows.remove(3);
    rows[5].is_delete_marker = Some(true);
    rows[7].is_latest = Some(false);
    rows.iter_mut().for_each(|row| row.bucket = BUCKET.into());
    let written = Delivery::csv(&rows, &all_columns(), 2).in_bucket(BUCKET).write(&desk.path("inventory"));
    let inventory = written.config.to_str().unwrap().to_owned();
    let verified = verify_roots(&desk, &["root"], &["--inventory", &inventory]);
    let gone: Vec<[String; 3]> =
        [(1, 1), (3, 0), (4, 0)].map(|(at, log)| of_log(&chain[at], log, "not_in_inventory")).into();
    let mut expected = gone;
    expected.extend((0..2).map(|log| of_log(&late, log, "too_new")));
    expected.push(finding("log", str::from_utf8(&planted).unwrap(), "unreferenced"));
    expected.push(of_digest(&late, "unsigned"));
    let mut found = verified.findings();
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "{verified:?}");
    assert_eq!(verified.ran.code, Some(1));
    let summary = verified.summary();
    assert_eq!(summary["inventory"]["is_whole"], json!(true), "{summary}");
    assert_eq!(
        summary["by_month"],
        json!([
            {"account": ACCOUNT, "region": REGION, "month": "2024-05", "listed": 16, "not_in_inventory": 3, "unreferenced": 1},
            {"account": ACCOUNT, "region": REGION, "month": "2026-02", "listed": 2, "not_in_inventory": 0, "unreferenced": 0},
        ])
    );

    // Nothing is concluded from one that is damaged.
    let data = written.data(&names_in(&written.config.join("data"))[0]);
    let mut stored = fs::read(&data).unwrap();
    stored.truncate(stored.len() / 2);
    fs::write(&data, stored).unwrap();
    let verified = verify_roots(&desk, &["root"], &["--inventory", &inventory]);
    assert_eq!(
        (verified.ran.code, &verified.summary()["logs"]["not_in_inventory"]),
        (Some(3), &json!(0)),
        "{verified:?}"
    );
    assert_eq!(verified.summary()["faults"]["inventory_fault"], json!(1));
}

#[test]
fn audits_count_the_digests_that_they_are_given() {
    let desk = Desk::new();
    let chain = chain();
    Tree::of(&chain).write(&desk.path("root"));
    let mut keys = keys();
    let other = json!({"Fingerprint": "00", "Value": "AAAA", "ValidityStartTime": 0, "ValidityEndTime": 1});
    keys["PublicKeyList"].as_array_mut().unwrap().push(other);
    let (keys, root) = (desk.file("keys.json", &keys.to_string()), desk.path("root"));
    let digests = ["--digests", root.to_str().unwrap(), "--public-keys", keys.to_str().unwrap()];
    let rows: Vec<Row> = chain
        .iter()
        .flat_map(|digest| &digest.logs)
        .map(|(key, _)| Row { bucket: BUCKET.into(), ..Row::compliant("f").with_key(key.as_str()) })
        .collect();
    let audit = |rows: &[Row], name: &str, args: &[&str]| {
        let inventory = Delivery::csv(rows, &all_columns(), 2).in_bucket(BUCKET).write(&desk.path(name)).config;
        desk.audit(inventory, args)
    };

    let passed = audit(&rows, "all", &[&digests[..], &["--logs"]].concat());
    let summary = passed.summary();
    assert_eq!((passed.code(), &summary["outcome_reasons"]), (Some(0), &json!([])), "{passed:?}");
    let of_digests = &summary["digests"];
    assert_eq!((&of_digests["outcome"], &of_digests["schema"]), (&json!("pass"), &json!("logseal.digests/1")));
    assert_eq!((&of_digests["digests"]["verified"], &of_digests["logs"]["verified"]), (&json!(8), &json!(16)));
    assert_eq!(of_digests["inventory"]["is_whole"], json!(true));
    assert_eq!(passed.text("digests.csv"), "type,bucket,key,status,detail\n");
    assert!(passed.ran.stderr.contains("keys.json: left out: entry 3: 00: its fingerprint is not"), "{passed:?}");

    // What the inventory lacks is gone, even though every object that is there is right.
    let violated = audit(&rows[1..], "one-gone", &digests);
    let summary = violated.summary();
    assert_eq!(
        (violated.code(), &summary["outcome_reasons"]),
        (Some(1), &json!(["digest_violations"])),
        "{violated:?}"
    );
    assert!(violated.ran.stdout.starts_with("VIOLATIONS  no object violates the policy, but"), "{violated:?}");
    assert!(violated.ran.stdout.contains("digests: 1 log not in the inventory"), "{violated:?}");
    assert!(violated.text("digests.csv").contains(",not_in_inventory,"));

    // Nobody signed the last digest.
    fs::remove_file(root.join(path(&chain[7])).with_extension("gz.head.json")).unwrap();
    let incomplete = audit(&rows, "all", &digests);
    assert_eq!(incomplete.summary()["outcome_reasons"], json!(["digests_incomplete"]));
    assert_eq!(incomplete.code(), Some(3), "{incomplete:?}");

    // An audit without them says nothing of them.
    let out = incomplete.out.as_os_str();
    let ran = logseal(["audit".as_ref(), desk.path("all").as_os_str(), "--force".as_ref(), "--out".as_ref(), out]);
    assert_eq!((ran.code, &incomplete.summary()["digests"]), (Some(0), &Value::Null), "{ran:?}");
    assert!(!incomplete.out.join("digests.csv").exists());
    let refused = audit(&rows, "all", &[&digests[..], &["--shard", "1/2"]].concat());
    assert_eq!(refused.code(), Some(2));
    assert!(refused.ran.stderr.contains("hint: verify them once, with `logseal digests`"), "{refused:?}");
}

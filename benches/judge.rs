//! Judging alone: objects in memory, no reading and no writing. Prints rows a second.
//!
//! `cargo bench --bench judge`

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints its result and may fail")]

use std::hint::black_box;
use std::time::Instant;

use logseal::batch::Flag;
use logseal::object_key::ObjectKey;
use logseal::policy::{BucketKey, Checker, Object, Policy, Preset, Scope, Status, Verdict};
use logseal::timestamp::Timestamp;

const OBJECTS: usize = 1 << 20;
const RUNS: usize = 5;

/// A share of violating objects, and how they lie among the others.
struct Shape {
    name: &'static str,
    violates: fn(usize) -> bool,
}

const SHAPES: [Shape; 4] = [
    Shape { name: "all good", violates: |_| false },
    Shape { name: "1 % scattered", violates: |at| at.wrapping_mul(0x9e37_79b9).rotate_left(16) % 100 == 0 },
    Shape { name: "1 % clustered", violates: |at| at % OBJECTS < OBJECTS / 100 },
    Shape { name: "all bad", violates: |_| true },
];

fn main() {
    let keys: Vec<String> = (0..OBJECTS).map(key).collect();
    let simple = Preset::default_policy().expect("a policy");
    let conditional = Policy::from_toml(include_str!("../fixtures/policy/contract.toml")).expect("a policy");
    for (name, policy) in [("cis", simple), ("contract", conditional)] {
        let checker = Checker::new(policy, Timestamp::now());
        let scopes: Vec<Scope> = (0..FOLDERS).map(|folder| scope(&checker, &keys[folder * RUN_LEN])).collect();
        for shape in SHAPES {
            let mut rates: Vec<f64> = (0..RUNS).map(|_| rate(&checker, &scopes, &keys, &shape)).collect();
            rates.sort_by(f64::total_cmp);
            println!("judge  {name:9} {:14} {:8.1} M rows/s (median of {RUNS})", shape.name, rates[RUNS / 2] / 1e6);
        }
    }
}

/// Neighbouring keys lie in one folder.
const RUN_LEN: usize = 64;
const FOLDERS: usize = OBJECTS / RUN_LEN;

fn key(at: usize) -> String {
    let folder = at / RUN_LEN;
    let (account, day) = (111_122_223_333 + folder as u64 % 40, folder % 28 + 1);
    format!("AWSLogs/{account}/CloudTrail/us-east-1/2024/05/{day:02}/{account}_CloudTrail_us-east-1_{at:020}.json.gz")
}

fn scope(checker: &Checker, key: &str) -> Scope {
    checker.scope(b"org-audit-logs", &ObjectKey::parse(key.as_bytes()))
}

fn rate(checker: &Checker, scopes: &[Scope], keys: &[String], shape: &Shape) -> f64 {
    let last_modified = Timestamp::from_date(2024, 5, 6);
    let started = Instant::now();
    let mut violations = 0_u64;
    for (at, key) in keys.iter().enumerate() {
        let object = Object {
            bucket: b"org-audit-logs",
            key: key.as_bytes(),
            is_latest: Flag::True,
            last_modified,
            storage_class: b"STANDARD",
            status: if (shape.violates)(at) { Status::SseS3 } else { Status::SseKms },
            bucket_key: BucketKey::Enabled,
        };
        let ruling = checker.judge_in(&scopes[at / RUN_LEN], black_box(&object));
        violations += u64::from(ruling.verdict == Verdict::Violation);
    }
    black_box(violations);
    keys.len() as f64 / started.elapsed().as_secs_f64()
}

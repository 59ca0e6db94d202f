//! Whole audits of generated exports, from files to findings. Prints rows and bytes a second and the peak memory.
//!
//! `cargo bench --bench end_to_end -- [ROWS] [JOBS]`

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints its result and may fail")]

use std::fs;
use std::path::{Path, PathBuf};

use logseal::audit::{AuditOptions, DEFAULT_MAX_GROUPS, audit, default_jobs};
use logseal::engine::{Cancel, NoProgress};
use logseal::generate::{Format, Options, Spread, generate};
use logseal::partial::Rollups;
use logseal::plan::{Checksums, Plan, PlanOptions};
use logseal::policy::{Checker, Preset};
use logseal::report::Summary;
use logseal::timestamp::Timestamp;

const RUNS: usize = 3;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let rows = numbers.next().unwrap_or(2_000_000);
    let jobs = numbers.next().map_or_else(default_jobs, |jobs| jobs as usize);
    let shapes = [
        ("all good", 0.0, Spread::Scattered),
        ("1 % scattered", 0.01, Spread::Scattered),
        ("1 % clustered", 0.01, Spread::Clustered),
        ("all bad", 1.0, Spread::Scattered),
    ];
    println!("{rows} rows, {jobs} jobs, medians of {RUNS}");
    for (name, violations, spread) in shapes {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made =
            generate(folder.path(), &Options { rows, violations, spread, format: Format::Both, ..Options::default() });
        for run in made.expect("an export").runs {
            measure(name, &run, folder.path(), jobs);
        }
    }
    println!("peak memory of all of it: {}", peak_memory());
}

fn measure(shape: &str, run: &Path, folder: &Path, jobs: usize) {
    let mut summaries: Vec<Summary> = (0..RUNS).map(|_| run_audit(run, folder.join("out"), jobs)).collect();
    summaries.sort_by_key(|summary| summary.timing.elapsed_ms);
    let median = &summaries[RUNS / 2];
    let seconds = median.timing.elapsed_ms.max(1) as f64 / 1000.0;
    let format = format!("{:?}", median.sources[0].format);
    let (rows, bytes) = (median.timing.rows_per_second as f64 / 1e6, median.timing.bytes_read as f64 / seconds / 1e6);
    println!("{format:8} {shape:14} {rows:7.2} M rows/s {bytes:8.0} MB/s {seconds:7.2} s");
}

fn run_audit(run: &Path, out: PathBuf, jobs: usize) -> Summary {
    let plan = Plan::new(&[run.to_owned()], &PlanOptions::default()).expect("a plan");
    let checker = Checker::new(Preset::default_policy().expect("a policy"), Timestamp::now());
    let options = AuditOptions {
        out,
        overwrite: true,
        jobs,
        shard: None,
        rollups: Rollups::UpTo(DEFAULT_MAX_GROUPS),
        allow_empty: false,
        checksums: Checksums::Verified,
        policy_source: "preset:cis".to_owned(),
    };
    audit(&plan, &checker, &options, &Cancel::default(), &NoProgress).expect("an audit")
}

/// Where the operating system tells: it includes what making the export took.
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "unknown".to_owned(), |peak| peak.trim().to_owned())
}

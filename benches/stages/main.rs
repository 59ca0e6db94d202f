//! The stages of an audit one by one, and whole audits. Prints one line for each measurement.
//!
//! `cargo bench --bench stages -- [STAGE...] [ROWS] [JOBS]`
//!
//! All read exports that `logseal generate` could have made, from the cache of the operating system; only
//! `cloudtrail_scan` makes records in memory. Each measurement is a process of its own, so peaks of memory do not mix: it
//! does its work once to warm up, then some times more, and tells the median. The peak includes whatever hands a stage
//! its rows.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::expect_used,
    reason = "a bench prints its result and may fail"
)]

mod audit;
mod batches;
mod exports;
mod files;
mod findings;
mod judge;
mod measure;
mod rows;
mod trail;

use std::env;

use logseal::generate::Format;
use logseal::work::default_jobs;

use exports::{ALL_BAD, Exports, SCATTERED, SHAPES, Shape};
use measure::{Input, MEASURE, Measured, Order, Work};

const RUNS: usize = 5;

/// Something that is measured, over one export or over some that differ in their violations.
struct Stage {
    name: &'static str,
    case: &'static str,
    format: Format,
    shapes: &'static [Shape],
    /// What its bytes are bytes of.
    bytes: &'static str,
    /// Does the work once.
    run: fn(&Input) -> Work,
}

const STAGES: [Stage; 18] = [
    stage("md5", "1 file at a time", Format::Csv, "files", |input| files::md5(input, 1)),
    stage("md5", "4 side by side", Format::Csv, "files", |input| files::md5(input, 4)),
    stage("md5", "16 side by side", Format::Csv, "files", |input| files::md5(input, 16)),
    stage("inflate", "CSV.gz", Format::Csv, "text", measure::inflate),
    stage("inflate", "with flate2", Format::Csv, "text", files::inflate_with_flate2),
    stage("floor_csv", "MD5 and inflate", Format::Csv, "files", files::floor_csv),
    stage("csv_split", "text to batches", Format::Csv, "text", rows::csv_split),
    stage("key_parse", "keys of CSV", Format::Csv, "keys", rows::key_parse),
    stage("parquet_read", "cis", Format::Parquet, "files", rows::parquet_read).over(&SHAPES),
    stage("parquet_read", "statuses", Format::Parquet, "files", rows::parquet_read_statuses),
    stage("judge", "cis", Format::Csv, "-", judge::simple).over(&SHAPES),
    stage("judge", "contract", Format::Csv, "-", judge::conditional).over(&SHAPES),
    stage("findings_write", "to text", Format::Csv, "text", findings::to_text).over(&[ALL_BAD]),
    stage("findings_write", "to disk", Format::Csv, "text", findings::to_disk).over(&[ALL_BAD]),
    stage("cloudtrail_scan", "1 in 10 evidence", Format::Csv, "text", trail::scan_mixed),
    stage("cloudtrail_scan", "all evidence", Format::Csv, "text", trail::scan_dense),
    stage("audit", "CSV.gz", Format::Csv, "files", audit::audit_once).over(&SHAPES),
    stage("audit", "Parquet", Format::Parquet, "files", audit::audit_once).over(&SHAPES),
];

/// A stage that does the same whatever violates.
const fn stage(
    name: &'static str,
    case: &'static str,
    format: Format,
    bytes: &'static str,
    run: fn(&Input) -> Work,
) -> Stage {
    Stage { name, case, format, shapes: &[SCATTERED], bytes, run }
}

impl Stage {
    const fn over(self, shapes: &'static [Shape]) -> Self {
        Self { shapes, ..self }
    }
}

fn main() {
    // Cargo says `--bench` to every bench.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.as_slice() {
        [what, order] if what == MEASURE => obey(&Order::from_json(order)),
        wishes => print_table(wishes),
    }
}

/// What the process of one measurement does.
fn obey(order: &Order) {
    let stage = STAGES.iter().find(|stage| (stage.name, stage.case) == (&*order.stage, &*order.case));
    let run = stage.expect("a stage and a case that there are").run;
    println!("{}", measure::measure(order, run).to_json());
}

fn print_table(wishes: &[String]) {
    let (numbers, names): (Vec<&String>, Vec<&String>) = wishes.iter().partition(|wish| wish.parse::<u64>().is_ok());
    let mut numbers = numbers.iter().filter_map(|number| number.parse::<u64>().ok());
    let (rows, jobs) = (numbers.next().unwrap_or(2_000_000), numbers.next().map_or_else(default_jobs, |n| n as usize));
    if let Some(name) = names.iter().find(|name| STAGES.iter().all(|stage| stage.name != **name)) {
        let mut known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        known.dedup();
        eprintln!("no stage is called {name}; there are {}", known.join(", "));
        std::process::exit(2);
    }
    println!("{rows} rows in {} files, {jobs} jobs, medians of {RUNS}", exports::FILES);
    println!(
        "{:15} {:16} {:14} {:>9} {:>9} {:6} {:>9}",
        "stage", "case", "violating", "M rows/s", "MB/s", "of", "peak MiB"
    );
    let mut exports = Exports::new(rows);
    for stage in STAGES.iter().filter(|stage| names.is_empty() || names.iter().any(|name| *name == stage.name)) {
        for shape in stage.shapes {
            let order = Order {
                stage: stage.name.to_owned(),
                case: stage.case.to_owned(),
                run: exports.run(stage.format, shape),
                rows,
                jobs,
                warm_up: true,
                runs: RUNS,
            };
            print_line(stage, shape, &order.give());
        }
    }
}

fn print_line(stage: &Stage, shape: &Shape, measured: &Measured) {
    let per_second = |number: u64| number as f64 / measured.seconds.max(f64::MIN_POSITIVE) / 1e6;
    let bytes = if measured.bytes == 0 { "-".to_owned() } else { format!("{:.0}", per_second(measured.bytes)) };
    let peak = measured.peak_kib.map_or_else(|| "-".to_owned(), |peak| format!("{:.1}", peak as f64 / 1024.0));
    println!(
        "{:15} {:16} {:14} {:9.2} {bytes:>9} {:6} {peak:>9}",
        stage.name,
        stage.case,
        shape.name,
        per_second(measured.rows),
        stage.bytes,
    );
}

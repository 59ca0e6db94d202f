//! One measurement, in a process of its own.

use std::cell::{Cell, OnceCell};
use std::env;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use logseal::plan::{Plan, PlanOptions, Shard, Unit};
use logseal::source::{SourceFile, TextStream};
use serde::{Deserialize, Serialize};

/// As much as the CSV reader asks for at a time.
const BUFFER_LEN: usize = 1 << 20;
/// The argument in front of an [`Order`].
pub const MEASURE: &str = "--measure";

/// What the process of a measurement is told, as JSON.
#[derive(Serialize, Deserialize)]
pub struct Order {
    pub stage: String,
    pub case: String,
    /// The dated folder with the manifest.
    pub run: PathBuf,
    /// The rows of the export.
    pub rows: u64,
    pub jobs: usize,
    /// Whether the work is done once before it counts.
    pub warm_up: bool,
    /// How often it is done then.
    pub runs: usize,
}

/// What it answers: the median run, as JSON.
#[derive(Serialize, Deserialize)]
pub struct Measured {
    pub seconds: f64,
    pub rows: u64,
    pub bytes: u64,
    /// Where the operating system tells.
    pub peak_kib: Option<u64>,
}

/// What a stage did in one run. No bytes: there are none worth counting.
pub struct Work {
    pub seconds: f64,
    pub rows: u64,
    pub bytes: u64,
}

/// What a stage works on.
pub struct Input {
    pub run: PathBuf,
    pub plan: Plan,
    pub rows: u64,
    pub jobs: usize,
    text_len: OnceCell<u64>,
}

/// Adds up the time of what is measured.
#[derive(Default)]
pub struct Stopwatch {
    seconds: Cell<f64>,
}

impl Order {
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).expect("an order")
    }

    /// Has it done by a new process.
    pub fn give(&self) -> Measured {
        let order = serde_json::to_string(self).expect("JSON");
        let program = env::current_exe().expect("the path of this program");
        let done = Command::new(program).args([MEASURE, &order]).output().expect("a process");
        assert!(done.status.success(), "{order}: {}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).expect("an answer")
    }
}

impl Measured {
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("JSON")
    }
}

pub fn measure(order: &Order, run: fn(&Input) -> Work) -> Measured {
    let input = Input::new(order);
    if order.warm_up {
        run(&input);
    }
    let mut works: Vec<Work> = (0..order.runs).map(|_| run(&input)).collect();
    works.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let Work { seconds, rows, bytes } = works.swap_remove(works.len() / 2);
    Measured { seconds, rows, bytes, peak_kib: peak_kib() }
}

fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.parse().ok()
}

impl Input {
    fn new(order: &Order) -> Self {
        let plan = Plan::new(std::slice::from_ref(&order.run), &PlanOptions::default()).expect("a plan");
        Self { run: order.run.clone(), plan, rows: order.rows, jobs: order.jobs, text_len: OnceCell::new() }
    }

    pub fn units(&self) -> impl Iterator<Item = Unit<'_>> {
        self.plan.units(Shard::WHOLE)
    }

    /// The bytes of all files.
    pub fn files_len(&self) -> u64 {
        self.units().map(|unit| unit.size_hint()).sum()
    }

    /// The bytes of their text, for stages that do not see them all.
    pub fn text_len(&self) -> u64 {
        *self.text_len.get_or_init(|| inflate(self).bytes)
    }
}

impl Stopwatch {
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.seconds.set(self.seconds.get() + started.elapsed().as_secs_f64());
        result
    }

    /// Leaves out something inside of what is timed.
    pub fn pause<T>(&self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.seconds.set(self.seconds.get() - started.elapsed().as_secs_f64());
        result
    }

    pub fn seconds(&self) -> f64 {
        self.seconds.get()
    }
}

/// All files with one thread, through the reader of an audit.
pub fn inflate(input: &Input) -> Work {
    let watch = Stopwatch::default();
    let bytes = watch.time(|| input.units().map(|unit| inflate_file(&unit)).sum());
    Work { seconds: watch.seconds(), rows: input.rows, bytes }
}

/// Returns the length of the text.
pub fn inflate_file(unit: &Unit<'_>) -> u64 {
    let path = unit.path().expect("a path");
    let file = SourceFile::open(&path, Some(unit.size_hint())).expect("a file");
    let mut stream = TextStream::new(Arc::new(file), unit.is_called_gz()).expect("a gzip file");
    let (mut buffer, mut len) = (vec![0; BUFFER_LEN], 0);
    loop {
        match stream.read(&mut buffer).expect("text") {
            0 => return len,
            read => len += read as u64,
        }
    }
}

/// Returns the length of what is read.
pub fn read_text(mut text: impl Read) -> u64 {
    let (mut buffer, mut len) = (vec![0; BUFFER_LEN], 0);
    loop {
        match text.read(&mut buffer).expect("text") {
            0 => return len,
            read => len += read as u64,
        }
    }
}

//! Runs of the built command, and what they leave behind.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::delivery::md5_hex;
use logseal::audit::{AuditOptions, audit};
use logseal::outcome::Outcome;
use logseal::plan::{Checksums, Plan, PlanOptions};
use logseal::policy::{Checker, Preset};
use logseal::timestamp::Timestamp;
use logseal::work::{Cancel, NoProgress, Watch};
use serde_json::{Value, json};
use tempfile::TempDir;

/// "Today" of all audits here.
pub const AS_OF: &str = "2026-01-10";

pub const FINAL_FILES: [&str; 9] = [
    "summary.json",
    "findings.csv",
    "faults.jsonl",
    "partial.json",
    "policy.toml",
    "remediation",
    "sample.csv",
    "sources",
    "units.csv",
];

/// What a process said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        // Bytes that are not UTF-8 would be a mistake in themselves.
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The command, without anything from the environment that changes what it prints.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logseal"));
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env_remove("RUST_BACKTRACE");
    command
}

pub fn logseal<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ran {
    command().args(args).output().unwrap().into()
}

/// A folder for the sources and audits of one test.
#[derive(Debug)]
pub struct Desk {
    folder: TempDir,
    audits: Cell<usize>,
}

/// An audit or a merge that has run.
#[derive(Debug)]
pub struct Audited {
    pub ran: Ran,
    pub out: PathBuf,
}

/// Everything that an audit wrote, without the times.
#[derive(Debug, PartialEq, Eq)]
pub struct Steady {
    pub summary: String,
    pub findings: String,
    pub faults: String,
    pub units: String,
    pub policy: String,
    pub sources: BTreeMap<String, Vec<u8>>,
    pub remediation: BTreeMap<String, Vec<u8>>,
}

/// A folder in memory where there is room, because every audit waits until its output is on the disk.
fn temp_folder() -> TempDir {
    #[cfg(target_os = "linux")]
    if std::env::var_os("TMPDIR").is_none()
        && let Ok(facts) = rustix::fs::statvfs("/dev/shm")
        && facts.f_bavail.saturating_mul(facts.f_frsize) >= 4 << 30
        && let Ok(folder) = tempfile::tempdir_in("/dev/shm")
    {
        return folder;
    }
    tempfile::tempdir().unwrap()
}

impl Desk {
    pub fn new() -> Self {
        Self { folder: temp_folder(), audits: Cell::new(0) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What holds for every result. The folders of a machine are named after people, customers and projects: none says where things
    /// lay. All are kept for a check of their schemas, if `LOGSEAL_OUTPUTS` says where.
    #[track_caller]
    pub fn check_result(&self, out: &Path) {
        let here = self.path("").to_str().unwrap().trim_end_matches('/').to_owned();
        let kept = std::env::var_os("LOGSEAL_OUTPUTS").map(PathBuf::from);
        for (name, text) in files_below(out) {
            let at = memchr::memmem::find(&text, here.as_bytes());
            let around = at.map(|at| String::from_utf8_lossy(&text[at.saturating_sub(80)..text.len().min(at + 80)]));
            assert!(around.is_none(), "{name}: {around:?}");
            let has_schema = ["summary.json", "plan.json", "reconcile.json"].iter().any(|file| name.ends_with(file));
            if let Some(kept) = kept.as_ref().filter(|_| has_schema) {
                // The same result is kept once.
                fs::write(kept.join(format!("{}.json", md5_hex(&text))), text).unwrap();
            }
        }
    }

    /// Writes a file and says where.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Audits a source under the preset, or whatever else the arguments say.
    pub fn audit(&self, source: impl AsRef<Path>, args: &[&str]) -> Audited {
        self.audit_all(&[source.as_ref()], args)
    }

    pub fn audit_all(&self, sources: &[&Path], args: &[&str]) -> Audited {
        let out = self.next_out();
        let as_of = if args.contains(&"--as-of") { None } else { Some(["--as-of", AS_OF]) };
        let mut command = command();
        command.arg("audit").args(sources).arg("--out").arg(&out).args(as_of.into_iter().flatten()).args(args);
        let ran = command.output().unwrap().into();
        self.check_result(&out);
        Audited { ran, out }
    }

    /// The same within this process, for tests that try hundreds. `ran` holds the exit code and, if nothing could be
    /// audited, why.
    pub fn audit_within(&self, source: &Path, checksums: Checksums) -> Audited {
        let out = self.next_out();
        let (code, stderr) = match run_within(source, checksums, &out) {
            Ok(outcome) => (outcome.exit_code(), String::new()),
            Err(error) => (2, error.to_string()),
        };
        Audited { ran: Ran { code: Some(code.into()), stdout: String::new(), stderr }, out }
    }

    /// Audits under a policy given as text.
    pub fn audit_under(&self, policy: &str, source: impl AsRef<Path>, args: &[&str]) -> Audited {
        let file = self.file("policy.toml", policy);
        self.audit(source, &[&["--policy", file.to_str().unwrap()], args].concat())
    }

    pub fn merge<'a>(&self, shards: impl IntoIterator<Item = &'a Audited>) -> Audited {
        let out = self.next_out();
        let folders = shards.into_iter().map(|shard| &shard.out);
        Audited { ran: command().arg("merge").args(folders).arg("--out").arg(&out).output().unwrap().into(), out }
    }

    fn next_out(&self) -> PathBuf {
        self.audits.set(self.audits.get() + 1);
        self.path(&format!("out-{}", self.audits.get()))
    }
}

fn run_within(source: &Path, checksums: Checksums, out: &Path) -> Result<Outcome, Box<dyn std::error::Error>> {
    let plan = Plan::new(&[source.to_owned()], &PlanOptions { checksums, ..PlanOptions::default() })?;
    let checker =
        Checker::new(Preset::default_policy()?, Timestamp::parse(format!("{AS_OF}T00:00:00Z").as_bytes()).unwrap());
    let options = AuditOptions { checksums, ..AuditOptions::new(out, "preset:cis")? };
    Ok(audit(&plan, &checker, &options, Watch { cancel: &Cancel::default(), progress: &NoProgress })?.outcome)
}

impl Audited {
    pub fn code(&self) -> Option<i32> {
        self.ran.code
    }

    pub fn text(&self, file: &str) -> String {
        fs::read_to_string(self.out.join(file)).unwrap_or_else(|error| panic!("{file}: {error}: {:?}", self.ran))
    }

    pub fn summary(&self) -> Value {
        serde_json::from_str(&self.text("summary.json")).unwrap()
    }

    /// The lines of `faults.jsonl`.
    pub fn faults(&self) -> Vec<Value> {
        self.text("faults.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the faults are called, in order.
    pub fn fault_names(&self) -> Vec<String> {
        self.faults().iter().map(|fault| fault["what"].as_str().unwrap().to_owned()).collect()
    }

    /// The rows of `findings.csv` below the header, every cell as the bytes that it stands for.
    pub fn findings(&self) -> Vec<Finding> {
        read_findings(self.text("findings.csv").as_bytes())
    }

    pub fn steady(&self) -> Steady {
        let (summary, findings) = (without_times(&self.text("summary.json")), self.text("findings.csv"));
        let (faults, units) = (self.text("faults.jsonl"), self.text("units.csv"));
        assert_units_add_up(&units, &self.summary());
        let (policy, sources) = (self.text("policy.toml"), files_below(&self.out.join("sources")));
        Steady { summary, findings, faults, units, policy, sources, remediation: self.remediation() }
    }

    /// The files that put objects right, by their paths.
    pub fn remediation(&self) -> BTreeMap<String, Vec<u8>> {
        files_below(&self.out.join("remediation"))
    }

    /// Those of them that list objects.
    pub fn lists(&self) -> BTreeMap<String, Vec<u8>> {
        self.remediation().into_iter().filter(|(path, _)| path.ends_with(".csv")).collect()
    }

    /// Holds this audit against one of the same with `--rollup none`.
    #[track_caller]
    pub fn assert_same_without_rollups(&self, without: &Self) {
        for list in ["findings.csv", "faults.jsonl"] {
            assert_eq!(without.text(list), self.text(list));
        }
        let (mut with, mut without) = (self.summary(), without.summary());
        assert_eq!((&with["rollup"], &without["rollup"]), (&"full".into(), &"none".into()));
        assert_eq!((&without["by_account"], &without["by_month"]), (&Value::Array(vec![]), &Value::Array(vec![])));
        assert_eq!(without["by_storage_class"], json!({}));
        for differs in
            ["rollup", "by_account", "by_month", "by_storage_class", "sample", "timing", "started_at", "finished_at"]
        {
            [&mut with, &mut without].into_iter().for_each(|summary| {
                summary.as_object_mut().unwrap().remove(differs);
            });
        }
        assert_eq!(without, with);
    }
}

/// Holds the lines of `units.csv` against the counts of all of them.
#[track_caller]
pub fn assert_units_add_up(units: &str, summary: &Value) {
    const COUNTED: [&str; 7] =
        ["rows", "delete_markers", "compliant", "violation", "undetermined", "excepted", "out_of_scope"];
    let mut reader = csv::Reader::from_reader(units.as_bytes());
    let lines: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let sum = |column: &str| -> u64 { lines.iter().map(|line| line[column].parse::<u64>().unwrap_or(0)).sum() };
    let count = |state: &str| lines.iter().filter(|line| line["state"] == state).count() as u64;
    for column in COUNTED {
        assert_eq!(summary["counts"][column], sum(column), "{column}\n{units}");
    }
    let coverage = &summary["coverage"];
    assert_eq!(coverage["rows_rejected"], sum("rejected_rows"), "{units}");
    assert_eq!(
        (&coverage["units_examined"], &coverage["units_faulted"]),
        (&count("examined").into(), &count("faulted").into())
    );
    assert!(lines.iter().all(|line| (line["state"] == "faulted") != line["fault"].is_empty()), "{units}");
    for (at, source) in summary["sources"].as_array().unwrap().iter().enumerate() {
        let number = (at + 1).to_string();
        let of_source = lines.iter().filter(|line| line["source"] == number && line["state"] == "examined");
        let rows: u64 = of_source.clone().map(|line| line["rows"].parse::<u64>().unwrap()).sum();
        assert_eq!((&source["files_examined"], &source["rows"]), (&of_source.count().into(), &rows.into()), "{units}");
    }
}

/// The text of a summary up to `timing`, which comes last, without the two lines that say when.
pub fn without_times(summary: &str) -> String {
    let (steady, _) = summary.split_once("\n  \"timing\": {").unwrap();
    let says_when = |line: &&str| line.starts_with("  \"started_at\"") || line.starts_with("  \"finished_at\"");
    steady.lines().filter(|line| !says_when(line)).flat_map(|line| [line, "\n"]).collect()
}

/// What an audit leaves in its folder, in order.
pub const AUDIT_FILES: [&str; 8] = [
    "faults.jsonl",
    "findings.csv",
    "policy.toml",
    "remediation",
    "sample.csv",
    "sources",
    "summary.json",
    "units.csv",
];

/// The same with another file among them.
pub fn audit_files_and(other: &str) -> Vec<&str> {
    let mut files = [&AUDIT_FILES[..], &[other]].concat();
    files.sort_unstable();
    files
}

pub const FINDINGS_HEADER: [&str; 15] = [
    "bucket",
    "key",
    "version_id",
    "is_latest",
    "size",
    "last_modified",
    "storage_class",
    "encryption_status",
    "bucket_key_status",
    "kms_key_arn",
    "verdict",
    "reason",
    "rule",
    "lane",
    "exception",
];

/// A row of `findings.csv`, in the order of [`FINDINGS_HEADER`].
pub type Finding = Vec<Vec<u8>>;

pub fn read_findings(text: &[u8]) -> Vec<Finding> {
    let mut reader = csv::Reader::from_reader(text);
    assert_eq!(reader.headers().unwrap(), &FINDINGS_HEADER[..]);
    reader.byte_records().map(|record| record.unwrap().iter().map(decode_cell).collect()).collect()
}

/// Undoes what makes a cell harmless: a leading `'`, then `\xNN` and `\\`.
pub fn decode_cell(cell: &[u8]) -> Vec<u8> {
    let cell = cell.strip_prefix(b"'").unwrap_or(cell);
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < cell.len() {
        let (byte, len) = match &cell[at..] {
            [b'\\', b'\\', ..] => (b'\\', 2),
            [b'\\', b'x', digits @ ..] => (hex_byte(&digits[..2]), 4),
            [b'\\', ..] => panic!("a backslash that begins no escape: {}", String::from_utf8_lossy(cell)),
            [byte, ..] => (*byte, 1),
            [] => unreachable!("the loop ends here"),
        };
        bytes.push(byte);
        at += len;
    }
    bytes
}

fn hex_byte(digits: &[u8]) -> u8 {
    u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
}

/// The names of the files in a folder, hidden ones too.
/// All files below a folder, by their paths in it.
pub fn files_below(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in names_in(&folder).into_iter().map(|name| folder.join(name)) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

pub fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

//! Reports of jobs against the manifests of an audit: what was done, what failed and why, and what is left to do.
//!
//! The manifests are read three times: to count their rows, to note the objects that they name ([`objects`]), and, when
//! all reports ([`reports`], [`matching`]) and the later inventory ([`inventory`]) have been read, to say what became of
//! each row and to write the rows that are left ([`retry`]). Memory is 20 bytes for each row of the manifests and some
//! MiB; while a later inventory is read, each worker holds up to 32 bytes more for each object that the manifests name,
//! or 16 MiB if that is more.

mod faults;
mod inventory;
mod manifests;
mod matching;
mod objects;
mod reports;
mod retry;
mod rows;
mod state;
mod summary;
mod text;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::engine::Cancel;
use crate::escape::escape;
use crate::plan::{Plan, PlanError, PlanOptions};
use crate::policy::{Checker, Policy};
use crate::remediation::Lane;
use crate::report::ToolFacts;
use crate::sinks::{OutputError, OutputFolder, OutputKind, RECONCILIATION, REMEDIATION, RETRY};
use crate::source::FileFault;
use crate::timestamp::Timestamp;

use faults::{Fault, Faults};
use inventory::Looked;
use manifests::Manifest;
use matching::{Failures, Matcher};
use objects::{ObjectHasher, Objects};
use reports::Reports;
use retry::Retry;
use rows::Lines;
use state::{FailureId, Progress};
use summary::{Absence, outcome};

pub use faults::Fault as ReadFault;
pub use matching::RowCounts;
pub use state::Operation;
pub use summary::{
    AuditLine, BucketLine, Counts, Done, DoneReason, FailureLine, InventoryCounts, InventoryLine, InventorySource,
    ManifestLine, Reconciliation, ReportsLine, RetryLine,
};
pub use text::render;

/// How reports are to be held against an audit.
#[derive(Debug)]
pub struct ReconcileOptions {
    /// What the audit wrote.
    pub audit: PathBuf,
    /// Completion reports, or folders with them.
    pub reports: Vec<PathBuf>,
    /// A later inventory, if there is one.
    pub inventory: Option<LaterInventory>,
    /// Where the output goes.
    pub out: PathBuf,
    /// Whether a finished reconciliation in that folder may be replaced.
    pub overwrite: bool,
    /// How many rows a manifest has at most.
    pub manifest_rows: u64,
    /// How many workers read the inventory; nought is taken for one.
    pub jobs: usize,
}

/// A later inventory, and what it is judged by.
#[derive(Debug)]
pub struct LaterInventory {
    /// As an audit takes them.
    pub sources: Vec<PathBuf>,
    /// How they are to be taken.
    pub options: PlanOptions,
    /// The policy of the audit.
    pub policy: Policy,
}

/// Why nothing could be reconciled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// The folder holds no audit.
    #[error("not the output of an audit: {}: {why}", path.display())]
    NoAudit {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A folder of the audit cannot be read.
    #[error("cannot read the folder: {}: {error}", path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The path of a report cannot be opened.
    #[error("cannot open the report: {}: {error}", path.display())]
    Reports {
        /// The path.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A manifest cannot be read.
    #[error("cannot read the manifest: {}: {fault}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        fault: FileFault,
    },
    /// A manifest has a row that no audit writes.
    #[error("the manifest has a row that no audit writes: {}: line {line}", path.display())]
    ManifestRow {
        /// The manifest.
        path: PathBuf,
        /// The line, from 1 on.
        line: u64,
    },
    /// The manifests are not those that the audit counted.
    #[error("the manifests are not as the audit left them: {}", .0.display())]
    Changed(PathBuf),
    /// There is not enough memory to hold all rows, or they are more than can be numbered.
    #[error("the manifests have too many rows to hold: {0}")]
    TooManyRows(u64),
    /// The policy is another one.
    #[error("the policy is not that of the audit: its SHA-256 is {found}, and the audit's {expected}")]
    OtherPolicy {
        /// That of the audit.
        expected: String,
        /// That of the policy.
        found: String,
    },
    /// The later inventory cannot be taken.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The operating system gave no thread.
    #[error("cannot start a worker: {0}")]
    Thread(io::Error),
    /// It was ended early.
    #[error("interrupted: nothing was written")]
    Cancelled,
    /// Nothing could be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl ReconcileError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoAudit { .. } => Some("give the folder that audit or merge wrote to with --out"),
            Self::Changed(_) | Self::ManifestRow { .. } => {
                Some("reconcile needs all manifests of the audit, unchanged: run the audit again")
            }
            Self::TooManyRows(_) => Some("use a machine with 20 bytes of memory for each row"),
            Self::OtherPolicy { .. } => Some("give the policy file of the audit, unchanged, with --policy"),
            Self::Plan(error) => error.hint(),
            Self::Output(error) => error.hint(),
            _ => None,
        }
    }
}

/// `summary.json` of the audit, as far as it is needed.
#[derive(Deserialize)]
struct AuditSummary {
    schema: String,
    policy: PolicyLine,
    as_of: String,
    sources: Vec<SourceLine>,
    remediation: BTreeMap<String, LaneLine>,
}

#[derive(Deserialize)]
struct PolicyLine {
    sha256: String,
}

#[derive(Deserialize)]
struct SourceLine {
    bucket: Option<String>,
    created_at: Option<String>,
}

#[derive(Deserialize)]
struct LaneLine {
    objects: u64,
    manifests: u64,
}

impl AuditSummary {
    fn read(audit: &Path) -> Result<Self, ReconcileError> {
        let path = audit.join("summary.json");
        let fail = |why: String| ReconcileError::NoAudit { path: path.clone(), why };
        let file = File::open(&path).map_err(|error| fail(error.to_string()))?;
        let summary: Self = serde_json::from_reader(BufReader::new(file)).map_err(|error| fail(error.to_string()))?;
        if summary.schema == "logseal.audit/1" { Ok(summary) } else { Err(fail("it has another schema".into())) }
    }

    fn lanes(&self) -> impl Iterator<Item = (Lane, &LaneLine)> {
        Lane::ALL.into_iter().filter_map(|lane| Some((lane, self.remediation.get(lane.as_str())?)))
    }

    /// Fails when manifests or rows are missing, or are more than the audit wrote. Returns the number of rows.
    fn check(&self, audit: &Path, manifests: &[Manifest]) -> Result<u64, ReconcileError> {
        let mut found: BTreeMap<Lane, (u64, u64)> = BTreeMap::new();
        for manifest in manifests {
            let (files, rows) = found.entry(manifest.lane).or_default();
            *files += 1;
            *rows += count_rows(manifest)?;
        }
        for (lane, line) in self.lanes().filter(|(lane, _)| lane.has_manifests()) {
            if found.remove(&lane).unwrap_or_default() != (line.manifests, line.objects) {
                return Err(ReconcileError::Changed(audit.join(REMEDIATION).join(lane.as_str())));
            }
        }
        match found.keys().next() {
            Some(lane) => Err(ReconcileError::Changed(audit.join(REMEDIATION).join(lane.as_str()))),
            None => Ok(self.lanes().filter(|(lane, _)| lane.has_manifests()).map(|(_, line)| line.objects).sum()),
        }
    }
}

fn count_rows(manifest: &Manifest) -> Result<u64, ReconcileError> {
    let fail = |fault| ReconcileError::Manifest { path: manifest.file.clone(), fault };
    let (mut lines, mut rows) = (Lines::open(&manifest.file).map_err(fail)?, 0);
    while lines.next_line().map_err(fail)?.is_some() {
        rows += 1;
    }
    Ok(rows)
}

/// Holds reports, and a later inventory, against the manifests of an audit. The folder gets its files only when all of
/// them are complete.
pub fn reconcile(options: &ReconcileOptions, cancel: &Cancel) -> Result<Reconciliation, ReconcileError> {
    let started_at = Timestamp::now();
    let summary = AuditSummary::read(&options.audit)?;
    let later = options.inventory.as_ref().map(|inventory| Later::new(inventory, &summary)).transpose()?;
    let manifests = manifests::find(&options.audit)?;
    let rows = summary.check(&options.audit, &manifests)?;
    let mut output = OutputFolder::create_for(OutputKind::Reconciliation, &options.out, options.overwrite)?;
    let hasher = ObjectHasher::new();
    let objects = manifests::objects(&manifests, rows, &hasher)?;

    let mut faults = Faults::default();
    let reports = Reports::find(&options.reports, &own_folders(options), &mut faults)?;
    let mut matcher = Matcher::new(&objects, &hasher);
    let mut files_read = 0;
    for file in &reports.files {
        match matcher.read(file, &mut faults, cancel) {
            Ok(()) => files_read += u64::from(file.job.columns.is_some()),
            Err(fault) => faults.add(Fault::of_file(report_fault(&fault), &file.path, &fault.to_string())),
        }
    }
    let looked = later.as_ref().map(|later| later.look(&objects, &hasher, &mut faults, options.jobs, cancel));
    let looked = looked.transpose().map_err(ReconcileError::Thread)?;
    if cancel.is_cancelled() {
        return Err(ReconcileError::Cancelled);
    }

    let (staged, path) = output.begin_folder()?;
    let mut ledger = Ledger::new(&objects, &hasher, looked.as_ref(), Retry::new(staged, path, options.manifest_rows));
    for manifest in &manifests {
        ledger.add(manifest)?;
        if cancel.is_cancelled() {
            return Err(ReconcileError::Cancelled);
        }
    }
    ledger.retry.finish()?;

    let counts = ledger.total;
    let reasons = counts.reasons(faults.total() > 0);
    let not_covered = summary.lanes().filter(|(lane, _)| !lane.has_manifests());
    let reconciliation = Reconciliation {
        schema: summary::RECONCILE_SCHEMA,
        tool: ToolFacts { name: "logseal", version: env!("CARGO_PKG_VERSION") },
        started_at: started_at.to_string(),
        finished_at: Timestamp::now().to_string(),
        outcome: outcome(&reasons),
        outcome_reasons: reasons,
        audit: AuditLine { path: shown(&options.audit), policy_sha256: escaped(&summary.policy.sha256) },
        reports: ReportsLine {
            files: reports.files.len() as u64,
            files_read,
            ignored_files: reports.ignored,
            operations: reports.operations,
            rows: matcher.counts,
        },
        counts,
        failures: failure_lines(&matcher.failures, &ledger.failures),
        lanes: ledger.lanes,
        buckets: ledger.buckets.into_values().collect(),
        manifests: ledger.manifests,
        not_covered: not_covered.map(|(lane, line)| (lane.as_str().to_owned(), line.objects)).collect(),
        retry: RetryLine { manifests: ledger.retry.manifests, rows: ledger.retry.rows },
        inventory: later.as_ref().zip(looked.as_ref()).map(|(later, looked)| later.line(looked)),
        faults: faults.counts,
        named_faults: faults.named,
    };
    output.write_json(RECONCILIATION, &reconciliation)?;
    output.publish()?;
    Ok(reconciliation)
}

/// Folders with manifests, which are no reports.
fn own_folders(options: &ReconcileOptions) -> Vec<PathBuf> {
    let own = [options.audit.join(REMEDIATION), options.out.join(RETRY)];
    own.iter().filter_map(|folder| fs::canonicalize(folder).ok()).collect()
}

/// Names in reports are about reports, not about units of an inventory.
fn report_fault(fault: &FileFault) -> &'static str {
    match fault {
        FileFault::Checksum { .. } => "report_wrong_checksum",
        FileFault::NotGzip | FileFault::Inflate(_) => "report_damaged",
        FileFault::Changed => "report_changed",
        _ => "report_unreadable",
    }
}

/// A later inventory, before it is read.
struct Later {
    plan: Plan,
    checker: Checker,
    is_not_newer: bool,
}

impl Later {
    fn new(inventory: &LaterInventory, audit: &AuditSummary) -> Result<Self, ReconcileError> {
        if inventory.policy.sha256 != audit.policy.sha256 {
            let (expected, found) = (escaped(&audit.policy.sha256), inventory.policy.sha256.clone());
            return Err(ReconcileError::OtherPolicy { expected, found });
        }
        let plan = Plan::new(&inventory.sources, &inventory.options)?;
        // Exceptions are those of the audit's day, so that the same objects are judged the same way.
        let as_of = Timestamp::parse(audit.as_of.as_bytes()).unwrap_or_else(Timestamp::now);
        let is_not_newer = plan.sources().iter().any(|source| {
            let audited = |line: &&SourceLine| line.bucket == source.bucket.as_ref().map(|bucket| escaped(bucket));
            let time = |line: &SourceLine| Timestamp::parse(line.created_at.as_ref()?.as_bytes());
            let newest = audit.sources.iter().filter(audited).filter_map(time).map(Timestamp::as_millis).max();
            newest.zip(source.created_at).is_some_and(|(audited, now)| now.as_millis() <= audited)
        });
        Ok(Self { plan, checker: Checker::new(inventory.policy.clone(), as_of), is_not_newer })
    }

    fn look(
        &self,
        objects: &Objects,
        hasher: &ObjectHasher,
        faults: &mut Faults,
        jobs: usize,
        cancel: &Cancel,
    ) -> io::Result<Looked> {
        let looked = inventory::look(&self.plan, &self.checker, objects, hasher, faults, jobs.max(1), cancel)?;
        if looked.rows_rejected > 0 {
            *faults.counts.entry("inventory_rows_rejected").or_default() += looked.rows_rejected;
        }
        Ok(looked)
    }

    fn line(&self, looked: &Looked) -> InventoryLine {
        let source = |source: &crate::plan::Source| InventorySource {
            path: source.display_path(),
            bucket: source.bucket.as_ref().map(|bucket| escaped(bucket)),
            created_at: source.created_at.map(|time| time.to_string()),
        };
        InventoryLine {
            sources: self.plan.sources().iter().map(source).collect(),
            is_whole: looked.is_whole,
            lacks_versions: looked.lacks_versions,
            is_not_newer: self.is_not_newer,
            units: looked.units,
            units_examined: looked.units_examined,
            rows_read: looked.rows,
            rows_rejected: looked.rows_rejected,
        }
    }
}

/// Counts what became of every row, and writes the rows that are left.
struct Ledger<'l> {
    objects: &'l Objects,
    hasher: &'l ObjectHasher,
    looked: Option<&'l Looked>,
    retry: Retry,
    total: Counts,
    lanes: BTreeMap<&'static str, Counts>,
    buckets: BTreeMap<(Lane, String), BucketLine>,
    manifests: Vec<ManifestLine>,
    failures: BTreeMap<FailureId, u64>,
}

impl<'l> Ledger<'l> {
    fn new(objects: &'l Objects, hasher: &'l ObjectHasher, looked: Option<&'l Looked>, retry: Retry) -> Self {
        let lanes = Lane::ALL.into_iter().filter(|lane| lane.has_manifests());
        Self {
            objects,
            hasher,
            looked,
            retry,
            total: Counts::default(),
            lanes: lanes.map(|lane| (lane.as_str(), Counts::default())).collect(),
            buckets: BTreeMap::new(),
            manifests: Vec::new(),
            failures: BTreeMap::new(),
        }
    }

    fn add(&mut self, manifest: &Manifest) -> Result<(), ReconcileError> {
        self.retry.begin(manifest)?;
        let lane = manifest.lane;
        let (mut counts, mut bucket) = (Counts::default(), None);
        manifest.read(|row, line| {
            let id = self.objects.find(self.hasher.hash(row.bucket, row.key, row.version));
            let state = self.objects.state(id.ok_or_else(|| ReconcileError::Changed(manifest.file.clone()))?);
            counts.count(state, lane, self.absence(row));
            let progress = state.progress(lane);
            if progress == Progress::Failed {
                *self.failures.entry(state.failure().unwrap_or(Failures::OTHER)).or_default() += 1;
            }
            bucket.get_or_insert_with(|| escape(row.bucket).into_owned());
            Ok(self.retry.add(line, progress)?)
        })?;
        let bucket = bucket.unwrap_or_else(|| escaped(&manifest.folder));
        self.total.add(&counts);
        self.lanes.entry(lane.as_str()).or_default().add(&counts);
        let line = || BucketLine { lane: lane.as_str(), bucket: bucket.clone(), counts: Counts::default() };
        self.buckets.entry((lane, bucket.clone())).or_insert_with(line).counts.add(&counts);
        let path = escaped(&manifest.path());
        self.manifests.push(ManifestLine { lane: lane.as_str(), bucket, path, counts });
        Ok(())
    }

    /// What it means if the row's object is not in the later inventory.
    fn absence(&self, row: &manifests::ManifestRow<'_>) -> Absence {
        let Some(looked) = self.looked else { return Absence::NotAsked };
        let tells_versions = !looked.lacks_versions || row.version == objects::Version::Unnamed;
        let is_listed = looked.buckets.contains(row.bucket);
        if looked.is_whole && tells_versions && is_listed { Absence::Gone } else { Absence::Unknown }
    }
}

impl Counts {
    fn add(&mut self, more: &Self) {
        self.rows += more.rows;
        self.succeeded += more.succeeded;
        self.failed += more.failed;
        self.never_attempted += more.never_attempted;
        self.restored += more.restored;
        self.unknown_operation += more.unknown_operation;
        self.retried += more.retried;
        let (inventory, more) = (&mut self.inventory, &more.inventory);
        inventory.now_compliant += more.now_compliant;
        inventory.still_violating += more.still_violating;
        inventory.undetermined += more.undetermined;
        inventory.out_of_scope += more.out_of_scope;
        inventory.not_in_inventory += more.not_in_inventory;
        inventory.unknown += more.unknown;
    }
}

/// Failures with their reasons, by code; those beyond the bound last.
fn failure_lines(failures: &Failures, counts: &BTreeMap<FailureId, u64>) -> Vec<FailureLine> {
    let line = |(id, &objects): (&FailureId, &u64)| {
        let known = failures.list.get(usize::from(id.0)).cloned();
        let failure = known.unwrap_or_else(|| matching::Failure { code: "other".into(), ..Default::default() });
        FailureLine { code: failure.code, http_status: failure.http_status, objects, message: failure.message }
    };
    let mut lines: Vec<_> = counts.iter().map(|found| (*found.0 == Failures::OTHER, line(found))).collect();
    lines.sort_by(|(is_other, one), (other, two)| {
        (is_other, &one.code, &one.http_status).cmp(&(other, &two.code, &two.http_status))
    });
    lines.into_iter().map(|(_, line)| line).collect()
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes()).into_owned()
}

fn escaped(text: &str) -> String {
    escape(text.as_bytes()).into_owned()
}

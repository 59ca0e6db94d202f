//! Reports of jobs against an audit: whether every object that it found to be wrong is right now, and what is left to do.
//!
//! What was wrong is read from the audit (`audited`, `manifests`, `findings`), which must be as it was left. Each of its
//! objects is noted (`objects`); then all reports (`reports`, `matching`) and the later inventory (`inventory`) say what
//! became of them, and the `ledger` counts it and writes the rows that are left (`retry`).
//! Memory is 30 bytes for each object and some MiB; while a later inventory is read, each worker holds up to 32 bytes
//! more for each object, or 16 MiB if that is more.

mod audited;
mod faults;
mod findings;
mod inventory;
mod jobs;
mod later;
mod ledger;
mod manifests;
mod matching;
mod objects;
mod reports;
mod retry;
mod state;
mod summary;
mod tracked;

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::escape::escape;
use crate::evidence::{EvidenceError, EvidenceOptions, KeyError};
use crate::outcome::ToolFacts;
use crate::plan::{PlanError, PlanOptions};
use crate::policy::Policy;
use crate::sinks::{OutputError, OutputFolder, OutputKind, RECONCILIATION, REMEDIATION, RETRY};
use crate::source::{FileFault, GivenPaths};
use crate::timestamp::Timestamp;
use crate::work::{Cancel, Stopped};

use audited::Audited;
use faults::Faults;
use later::Later;
use ledger::Ledger;
use matching::Matcher;
use objects::ObjectHasher;
use reports::Reports;
use retry::Retry;
use summary::{Standing, outcome};
use tracked::Tracked;

pub use audited::{Assumed, Gap};
pub use faults::Fault as ReadFault;
pub use jobs::Operation;
pub use matching::RowCounts;
pub use summary::{
    AuditLine, BucketLine, Counts, Done, DoneReason, FailureLine, InventoryCounts, InventoryLine, InventorySource,
    ManifestLine, Open, RECONCILE_SCHEMA, Reconciliation, ReportsLine, RetryLine,
};

use reports::read_json;

/// How reports are to be held against an audit.
#[derive(Debug)]
pub struct ReconcileOptions {
    /// What the audit wrote.
    pub audit: PathBuf,
    /// Completion reports, or folders with them.
    pub reports: Vec<PathBuf>,
    /// The policy of the audit; a later inventory needs it.
    pub policy: Option<Policy>,
    /// A later inventory, if there is one.
    pub inventory: Option<LaterInventory>,
    /// Whether objects that a whole later inventory does not list are gone.
    pub accept_gone: bool,
    /// Where the output goes.
    pub out: PathBuf,
    /// Whether a finished reconciliation in that folder may be replaced.
    pub overwrite: bool,
    /// How many rows a manifest has at most.
    pub manifest_rows: u64,
    /// How many workers read the inventory; nought is taken for one.
    pub jobs: usize,
}

/// A later inventory, and what says which keys its objects are encrypted under.
#[derive(Debug)]
pub struct LaterInventory {
    /// As an audit takes them.
    pub sources: Vec<PathBuf>,
    /// How they are to be taken.
    pub options: PlanOptions,
    /// As an audit takes it.
    pub evidence: Option<EvidenceOptions>,
}

/// Why a file is not what an audit writes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAudit {
    /// It cannot be opened.
    #[error(transparent)]
    Open(io::Error),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] FileFault),
    /// It is no JSON, or other JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is that of another job.
    #[error("it has another schema")]
    Schema,
    /// `as_of` cannot be read.
    #[error("its as_of is no time")]
    AsOf,
    /// It is no list of findings.
    #[error("its first line does not name its columns")]
    Columns,
}

/// Why nothing could be reconciled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// The folder holds no audit.
    #[error("not the output of an audit: {}: {error}", path.display())]
    NoAudit {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: NoAudit,
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
    /// A list has a row that no audit writes.
    #[error("a row is none that an audit writes: {}: line {line}", path.display())]
    ManifestRow {
        /// The list.
        path: PathBuf,
        /// The line, from 1 on.
        line: u64,
    },
    /// The manifests are not those that the audit counted, or its files contradict each other.
    #[error("the manifests are not as the audit left them: {}", .0.display())]
    Changed(PathBuf),
    /// There is not enough memory to hold all rows, or they are more than can be numbered.
    #[error("the audit has too many objects to hold: {0}")]
    TooManyRows(u64),
    /// The policy is another one.
    #[error("the policy is not that of the audit: its SHA-256 is {found}, and the audit's {expected}")]
    OtherPolicy {
        /// That of the audit.
        expected: String,
        /// That of the policy.
        found: String,
    },
    /// A later inventory was given without the policy that it is judged by.
    #[error("a later inventory is judged by the policy of the audit, and none is given")]
    NoPolicy,
    /// The key evidence cannot be used.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The later inventory cannot be taken.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The keys of rows of the later inventory cannot be told.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The workers stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
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
                Some("reconcile needs the folder of the audit, unchanged: run the audit again")
            }
            Self::TooManyRows(_) => Some("use a machine with 30 bytes of memory for each object"),
            Self::OtherPolicy { .. } | Self::NoPolicy => {
                Some("give the policy file of the audit, unchanged, with --policy")
            }
            Self::Plan(error) => error.hint(),
            Self::Output(error) => error.hint(),
            _ => None,
        }
    }
}

/// Holds reports, and a later inventory, against an audit. The folder gets its files only when all of them are complete.
pub fn reconcile(options: &ReconcileOptions, cancel: &Cancel) -> Result<Reconciliation, ReconcileError> {
    let started_at = Timestamp::now();
    let audited = Audited::read(&options.audit)?;
    if let Some(policy) = options.policy.as_ref().filter(|policy| !audited.is_under(policy)) {
        let (expected, found) = (escaped(audited.policy_sha256()), policy.sha256.clone());
        return Err(ReconcileError::OtherPolicy { expected, found });
    }
    let later = match &options.inventory {
        Some(inventory) => {
            let policy = options.policy.as_ref().ok_or(ReconcileError::NoPolicy)?;
            Some(Later::new(inventory, policy, &audited)?)
        }
        None => None,
    };
    let mut output = OutputFolder::create_for(OutputKind::Reconciliation, &options.out, options.overwrite)?;
    let hasher = ObjectHasher::new();
    let tracked = Tracked::read(&audited, &hasher, cancel)?;

    let mut faults = Faults::new(GivenPaths::new(options.reports.iter().map(PathBuf::as_path)));
    let reports = Reports::find(&options.reports, &own_folders(options), &mut faults)?;
    let mut matcher = Matcher::new(&tracked.objects, &hasher, &audited);
    let mut files_read = 0;
    for file in &reports.files {
        match matcher.read(file, &mut faults, cancel) {
            Ok(()) => files_read += 1,
            Err(fault) => faults.add_file(report_fault(&fault), &file.path, &fault.to_string()),
        }
    }
    let look = |later: &Later<'_>| later.look((&tracked.objects, &hasher), &mut faults, options, &output, cancel);
    let looked = later.as_ref().map(look).transpose()?;
    if cancel.is_cancelled() {
        return Err(Stopped::Cancelled.into());
    }

    let (staged, path) = output.begin_folder(RETRY)?;
    let standing = Standing {
        looked: looked.as_ref(),
        accepts_gone: options.accept_gone,
        is_about_current: audited.is_about_current(options.policy.as_ref()),
    };
    let retry = Retry::new(staged, path, options.manifest_rows);
    let mut ledger = Ledger::new(&audited, &tracked.objects, &hasher, &matcher.changed_keys, (standing, retry));
    ledger.add_all(&tracked, cancel)?;

    // Where a whole later inventory decides, reports only explain, and so do their faults.
    let has_faults = faults.total() > 0 && !looked.as_ref().is_some_and(|looked| looked.decides);
    let reasons = summary::reasons(&ledger.total, &standing, audited.gaps.is_empty(), has_faults);
    let reconciliation = Reconciliation {
        schema: RECONCILE_SCHEMA,
        tool: ToolFacts::this(),
        started_at: started_at.to_string(),
        finished_at: Timestamp::now().to_string(),
        outcome: outcome(&reasons),
        outcome_reasons: reasons,
        audit: AuditLine::new(&options.audit, &audited),
        assumptions: assumptions(&audited, looked.as_ref(), options),
        reports: ReportsLine {
            files: reports.found,
            files_read,
            ignored_files: reports.ignored,
            operations: reports.operations,
            rows: matcher.counts,
        },
        counts: ledger.total,
        failures: ledger::failure_lines(&matcher.failures, &ledger.failures),
        not_covered: ledger.not_covered(),
        lanes: ledger.lanes,
        buckets: ledger.buckets.into_values().collect(),
        manifests: ledger.manifests,
        retry: RetryLine { manifests: ledger.retry.manifests, rows: ledger.retry.rows },
        inventory: later.as_ref().zip(looked.as_ref()).map(|(later, looked)| later.line(looked)),
        faults: faults.counts,
        named_faults: faults.named,
    };
    output.write_json(RECONCILIATION, &reconciliation)?;
    output.publish()?;
    Ok(reconciliation)
}

/// Everything that the result takes for granted: what the audit did, too.
fn assumptions(audited: &Audited, looked: Option<&later::Looked>, options: &ReconcileOptions) -> Vec<Assumed> {
    let mut all = audited.assumptions().to_vec();
    all.extend(looked.iter().flat_map(|looked| looked.assumptions()));
    if options.accept_gone && looked.is_some_and(|looked| looked.decides) {
        all.push(Assumed {
            name: "gone_accepted".to_owned(),
            value: String::new(),
            text: "the later inventory lists all that the audit was about, so what it does not list is gone".to_owned(),
        });
    }
    all.sort();
    all.dedup();
    all
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

fn escaped(text: &str) -> String {
    escape(text.as_bytes()).into_owned()
}

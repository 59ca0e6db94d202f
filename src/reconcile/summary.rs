//! `reconcile.json`: what became of the rows of an audit's manifests.

use std::collections::BTreeMap;

use serde::Serialize;

use super::faults::Fault;
use super::matching::RowCounts;
use super::state::{Progress, State};
use crate::policy::Verdict;
use crate::remediation::Lane;
use crate::report::ToolFacts;

/// The name of this form of `reconcile.json`.
pub const RECONCILE_SCHEMA: &str = "logseal.reconcile/1";

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// Everything was put right.
    Pass,
    /// Something failed, or still violates the policy.
    Failures,
    /// Nothing failed, and something is missing or unknown.
    Incomplete,
}

impl Done {
    /// The exit code of the command.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Failures => 1,
            Self::Incomplete => 3,
        }
    }
}

/// Why it is no pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DoneReason {
    /// Objects failed.
    Failed,
    /// Objects still violate the policy.
    StillViolating,
    /// No report is about some objects.
    NeverAttempted,
    /// Objects are restored and not copied.
    Restored,
    /// Nothing says whether jobs restored or copied.
    UnknownOperation,
    /// Objects could not be judged.
    Undetermined,
    /// Objects are not in the later inventory.
    NotInInventory,
    /// Nothing says how objects are stored now.
    UnknownInInventory,
    /// Reports, or parts of the later inventory, could not be read.
    Faults,
    /// The manifests name nothing.
    NothingListed,
}

/// `reconcile.json`.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct Reconciliation {
    pub schema: &'static str,
    pub tool: ToolFacts,
    pub started_at: String,
    pub finished_at: String,
    pub outcome: Done,
    pub outcome_reasons: Vec<DoneReason>,
    pub audit: AuditLine,
    pub reports: ReportsLine,
    pub counts: Counts,
    pub lanes: BTreeMap<&'static str, Counts>,
    pub buckets: Vec<BucketLine>,
    pub manifests: Vec<ManifestLine>,
    pub failures: Vec<FailureLine>,
    pub not_covered: BTreeMap<String, u64>,
    pub retry: RetryLine,
    pub inventory: Option<InventoryLine>,
    pub faults: BTreeMap<&'static str, u64>,
    pub named_faults: Vec<Fault>,
}

/// The audit.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct AuditLine {
    pub path: String,
    pub policy_sha256: String,
}

/// The reports.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct ReportsLine {
    pub files: u64,
    pub files_read: u64,
    pub ignored_files: u64,
    /// Files by what their jobs do.
    pub operations: BTreeMap<super::state::Operation, u64>,
    pub rows: RowCounts,
}

/// Rows of manifests, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct Counts {
    pub rows: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub never_attempted: u64,
    pub restored: u64,
    pub unknown_operation: u64,
    /// Of those that succeeded: they failed in another report.
    pub retried: u64,
    /// In the later inventory; all zero without one.
    pub inventory: InventoryCounts,
}

/// Rows of manifests, by what the later inventory says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct InventoryCounts {
    pub now_compliant: u64,
    pub still_violating: u64,
    pub undetermined: u64,
    pub out_of_scope: u64,
    pub not_in_inventory: u64,
    pub unknown: u64,
}

/// What it means that an object is not found in the later inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// There is no later inventory.
    NotAsked,
    /// It is gone.
    Gone,
    /// Nothing: the inventory is not whole, or about other objects.
    Unknown,
}

impl Counts {
    pub(super) fn count(&mut self, state: State, lane: Lane, absence: Absence) {
        self.rows += 1;
        self.retried += u64::from(state.is_retried(lane));
        *match state.progress(lane) {
            Progress::Succeeded => &mut self.succeeded,
            Progress::Failed => &mut self.failed,
            Progress::NeverAttempted => &mut self.never_attempted,
            Progress::Restored => &mut self.restored,
            Progress::UnknownOperation => &mut self.unknown_operation,
        } += 1;
        let inventory = &mut self.inventory;
        *match (state.verdict(), absence) {
            (_, Absence::NotAsked) => return,
            (Some(Verdict::Compliant), _) => &mut inventory.now_compliant,
            (Some(Verdict::Violation | Verdict::Excepted), _) => &mut inventory.still_violating,
            (Some(Verdict::Undetermined), _) => &mut inventory.undetermined,
            (Some(Verdict::OutOfScope), _) => &mut inventory.out_of_scope,
            (None, Absence::Gone) => &mut inventory.not_in_inventory,
            (None, Absence::Unknown) => &mut inventory.unknown,
        } += 1;
    }

    pub(super) fn reasons(&self, has_faults: bool) -> Vec<DoneReason> {
        let inventory = &self.inventory;
        let all = [
            (DoneReason::Failed, self.failed > 0),
            (DoneReason::StillViolating, inventory.still_violating > 0),
            (DoneReason::NeverAttempted, self.never_attempted > 0),
            (DoneReason::Restored, self.restored > 0),
            (DoneReason::UnknownOperation, self.unknown_operation > 0),
            (DoneReason::Undetermined, inventory.undetermined > 0),
            (DoneReason::NotInInventory, inventory.not_in_inventory > 0),
            (DoneReason::UnknownInInventory, inventory.unknown > 0),
            (DoneReason::Faults, has_faults),
            (DoneReason::NothingListed, self.rows == 0),
        ];
        all.into_iter().filter_map(|(reason, holds)| holds.then_some(reason)).collect()
    }
}

/// What reasons come to.
pub(super) fn outcome(reasons: &[DoneReason]) -> Done {
    match reasons {
        [] => Done::Pass,
        reasons if reasons.iter().any(|r| matches!(r, DoneReason::Failed | DoneReason::StillViolating)) => {
            Done::Failures
        }
        _ => Done::Incomplete,
    }
}

/// A bucket in a lane.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct BucketLine {
    pub lane: &'static str,
    pub bucket: String,
    #[serde(flatten)]
    pub counts: Counts,
}

/// A manifest.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct ManifestLine {
    pub lane: &'static str,
    pub bucket: String,
    pub path: String,
    #[serde(flatten)]
    pub counts: Counts,
}

/// A reason for failures. Texts are escaped.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct FailureLine {
    pub code: String,
    pub http_status: String,
    pub objects: u64,
    pub message: String,
}

/// The manifests for another attempt.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct RetryLine {
    pub manifests: u64,
    pub rows: u64,
}

/// The later inventory.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct InventoryLine {
    pub sources: Vec<InventorySource>,
    pub is_whole: bool,
    /// Whether a source lists no version ids.
    pub lacks_versions: bool,
    /// Whether a source is no newer than the audited one.
    pub is_not_newer: bool,
    pub units: u64,
    pub units_examined: u64,
    pub rows_read: u64,
    pub rows_rejected: u64,
}

/// A source of the later inventory.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct InventorySource {
    pub path: String,
    pub bucket: Option<String>,
    pub created_at: Option<String>,
}

//! `reconcile.json`: whether every object that an audit found to be wrong is right now.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::audited::{Assumed, Audited, Gap, List};
use super::escaped;
use super::faults::Fault;
use super::jobs::{Action, Encryption, Operation};
use super::later::Looked;
use super::matching::RowCounts;
use super::shown;
use super::state::{Progress, State};
use crate::outcome::ToolFacts;
use crate::policy::Verdict;
use crate::remediation::Lane;

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
    /// No report that counts is about some objects.
    NeverAttempted,
    /// Objects are restored and not copied.
    Restored,
    /// Nothing says what jobs did.
    UnknownOperation,
    /// Other jobs may have changed objects that were put right.
    ChangedSince,
    /// Objects were copied, and nothing says whether what was copied is still there.
    CopiesUnproven,
    /// Objects could not be judged.
    Undetermined,
    /// Objects are not in the later inventory.
    NotInInventory,
    /// Nothing says how objects are stored now.
    UnknownInInventory,
    /// The later inventory, or the key evidence for it, is not whole.
    InventoryNotWhole,
    /// The later inventory is not newer than the audited one.
    InventoryNotNewer,
    /// The audit does not tell of every object whether it is wrong.
    AuditNotWhole,
    /// Reports, or parts of the later inventory, could not be read.
    Faults,
    /// The audit has nothing to put right.
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
    pub assumptions: Vec<Assumed>,
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
    pub tool_version: String,
    pub is_whole: bool,
    pub gaps: Vec<Gap>,
    /// What it cannot prove because of the version that made it.
    pub notes: Vec<String>,
}

impl AuditLine {
    pub(super) fn new(path: &Path, audited: &Audited) -> Self {
        Self {
            path: shown(path),
            policy_sha256: escaped(audited.policy_sha256()),
            tool_version: escaped(audited.tool_version()),
            is_whole: audited.gaps.is_empty(),
            gaps: audited.gaps.clone(),
            notes: audited.notes(),
        }
    }
}

/// The reports.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct ReportsLine {
    pub files: u64,
    pub files_read: u64,
    pub ignored_files: u64,
    /// Files by what their jobs do.
    pub operations: BTreeMap<Operation, u64>,
    pub rows: RowCounts,
}

/// Objects that were wrong, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct Counts {
    pub rows: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub never_attempted: u64,
    pub restored: u64,
    pub unknown_operation: u64,
    pub changed_since: u64,
    /// Of those that succeeded: they failed in another report.
    pub retried: u64,
    /// Of those that succeeded: reports cannot show that they are right.
    pub copies_unproven: u64,
    /// In the later inventory; all zero without one.
    pub inventory: InventoryCounts,
    /// Of all: what the later inventory does not show.
    #[serde(skip)]
    pub open: Open,
}

/// Objects of which only reports tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the counts")]
pub struct Open {
    pub failed: u64,
    pub never_attempted: u64,
    pub restored: u64,
    pub unknown_operation: u64,
    pub changed_since: u64,
    pub copies_unproven: u64,
}

/// Objects that were wrong, by what the later inventory says.
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

/// What decides whether an object is right now.
#[derive(Clone, Copy)]
pub(super) struct Standing<'s> {
    pub(super) looked: Option<&'s Looked>,
    /// Whether objects that a whole later inventory does not list are gone.
    pub(super) accepts_gone: bool,
    /// Whether versions that are not current do not matter.
    pub(super) is_about_current: bool,
}

/// A bucket, and whether the version of an object in it is named.
type Place<'p> = (&'p [u8], bool);

impl Standing<'_> {
    /// Counts an object of a list.
    pub(super) fn count(&self, counts: &mut Counts, place: Place<'_>, state: State, list: &List) {
        counts.rows += 1;
        counts.retried += u64::from(state.is_retried());
        let (progress, is_shown) = (state.progress(), self.is_right(state, place));
        let is_wrong = state.verdict() == Some(Verdict::Violation);
        let is_open = u64::from(!is_shown && !is_wrong);
        let open = &mut counts.open;
        let (all, open) = match progress {
            Progress::Succeeded => {
                let is_unproven = u64::from(self.leaves_a_version(place, list));
                counts.copies_unproven += is_unproven;
                open.copies_unproven += is_open * is_unproven;
                (&mut counts.succeeded, None)
            }
            Progress::Failed => (&mut counts.failed, Some(&mut open.failed)),
            Progress::NeverAttempted => (&mut counts.never_attempted, Some(&mut open.never_attempted)),
            Progress::Restored => (&mut counts.restored, Some(&mut open.restored)),
            Progress::UnknownOperation => (&mut counts.unknown_operation, Some(&mut open.unknown_operation)),
            Progress::ChangedSince => (&mut counts.changed_since, Some(&mut open.changed_since)),
        };
        *all += 1;
        open.into_iter().for_each(|open| *open += is_open);
        let Some(looked) = self.looked else { return };
        let inventory = &mut counts.inventory;
        *match state.verdict() {
            Some(Verdict::Compliant) => &mut inventory.now_compliant,
            Some(Verdict::Violation | Verdict::Excepted) => &mut inventory.still_violating,
            Some(Verdict::Undetermined) => &mut inventory.undetermined,
            Some(Verdict::OutOfScope) => &mut inventory.out_of_scope,
            None if looked.lists_all_of(place.0, place.1) => &mut inventory.not_in_inventory,
            None => &mut inventory.unknown,
        } += 1;
    }

    /// Whether the later inventory shows that an object is right.
    pub(super) fn is_right(&self, state: State, (bucket, is_version_named): Place<'_>) -> bool {
        match (state.verdict(), self.looked) {
            (Some(Verdict::Compliant | Verdict::OutOfScope), _) => true,
            (None, Some(looked)) => self.accepts_gone && looked.lists_all_of(bucket, is_version_named),
            _ => false,
        }
    }

    /// Whether the success of a copy does not make the object right that was copied: it is another version that is written,
    /// unless the bucket has no versions, or the encryption is left to the bucket.
    fn leaves_a_version(&self, (_, is_version_named): Place<'_>, list: &List) -> bool {
        let is_copied = matches!(list.lane, Some(Lane::Copy | Lane::RestoreThenCopy));
        let is_told = list.wanted.as_ref().and_then(Action::encryption).is_some_and(Encryption::is_told);
        is_copied && (!is_told || (is_version_named && !self.is_about_current))
    }
}

/// Why it is no pass. A whole later inventory alone decides; without one, reports do.
pub(super) fn reasons(
    counts: &Counts,
    standing: &Standing<'_>,
    is_audit_whole: bool,
    has_faults: bool,
) -> Vec<DoneReason> {
    let (inventory, open) = (&counts.inventory, &counts.open);
    let decides = standing.looked.is_some_and(|looked| looked.decides);
    let is_open = |objects: u64| objects > 0 && !decides;
    let all = [
        (DoneReason::Failed, is_open(open.failed)),
        (DoneReason::StillViolating, inventory.still_violating > 0),
        (DoneReason::NeverAttempted, is_open(open.never_attempted)),
        (DoneReason::Restored, is_open(open.restored)),
        (DoneReason::UnknownOperation, is_open(open.unknown_operation)),
        (DoneReason::ChangedSince, is_open(open.changed_since)),
        (DoneReason::CopiesUnproven, is_open(open.copies_unproven)),
        (DoneReason::Undetermined, inventory.undetermined > 0),
        (DoneReason::NotInInventory, inventory.not_in_inventory > 0 && !standing.accepts_gone),
        (DoneReason::UnknownInInventory, decides && inventory.unknown > 0),
        (DoneReason::InventoryNotWhole, standing.looked.is_some_and(|looked| !looked.is_whole())),
        (DoneReason::InventoryNotNewer, standing.looked.is_some_and(|looked| !looked.is_newer)),
        (DoneReason::AuditNotWhole, !is_audit_whole),
        (DoneReason::Faults, has_faults),
        (DoneReason::NothingListed, counts.rows == 0),
    ];
    all.into_iter().filter_map(|(reason, holds)| holds.then_some(reason)).collect()
}

impl Counts {
    pub(super) fn add(&mut self, more: &Self) {
        self.rows += more.rows;
        self.succeeded += more.succeeded;
        self.failed += more.failed;
        self.never_attempted += more.never_attempted;
        self.restored += more.restored;
        self.unknown_operation += more.unknown_operation;
        self.changed_since += more.changed_since;
        self.retried += more.retried;
        self.copies_unproven += more.copies_unproven;
        let (inventory, added) = (&mut self.inventory, &more.inventory);
        inventory.now_compliant += added.now_compliant;
        inventory.still_violating += added.still_violating;
        inventory.undetermined += added.undetermined;
        inventory.out_of_scope += added.out_of_scope;
        inventory.not_in_inventory += added.not_in_inventory;
        inventory.unknown += added.unknown;
        let (open, added) = (&mut self.open, &more.open);
        open.failed += added.failed;
        open.never_attempted += added.never_attempted;
        open.restored += added.restored;
        open.unknown_operation += added.unknown_operation;
        open.changed_since += added.changed_since;
        open.copies_unproven += added.copies_unproven;
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
    /// Whether it alone decides each object.
    pub decides: bool,
    pub is_whole: bool,
    /// Whether a source lists no version ids.
    pub lacks_versions: bool,
    /// Whether a source is no newer than the audited one, or not known to be.
    pub is_not_newer: bool,
    pub has_key_evidence: bool,
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
    pub is_newer: bool,
}

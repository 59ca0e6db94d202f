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
use super::state::{Progress, State};
use crate::outcome::ToolFacts;
use crate::policy::Verdict;
use crate::remediation::Lane;
use crate::source::GivenPaths;

/// The name of this form of `reconcile.json`.
pub const RECONCILE_SCHEMA: &str = "logseal.reconcile/1";

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// What became of the objects that an audit found to be wrong: `reconcile.json`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Reconciliation {
    /// The name of its form, [`RECONCILE_SCHEMA`].
    pub schema: &'static str,
    /// The program that made it.
    pub tool: ToolFacts,
    /// When it began, in UTC.
    pub started_at: String,
    /// When it ended, in UTC.
    pub finished_at: String,
    /// What it comes to: a pass only if there are no `outcome_reasons`.
    pub outcome: Done,
    /// Everything that stands between the result and a pass.
    pub outcome_reasons: Vec<DoneReason>,
    /// The audit whose objects are asked for.
    pub audit: AuditLine,
    /// What the result takes for granted: what the audit did, what the later inventory does, and `gone_accepted`.
    pub assumptions: Vec<Assumed>,
    /// The completion reports, and how many of their rows count.
    pub reports: ReportsLine,
    /// All objects, by what became of them.
    pub counts: Counts,
    /// The objects of each lane by its name, each of which is there; and those of `undetermined`, which the audit could
    /// not judge and which are in no lane, if there are any.
    pub lanes: BTreeMap<&'static str, Counts>,
    /// The objects by lane and bucket, in this order.
    pub buckets: Vec<BucketLine>,
    /// The objects by manifest of the audit, in the order of lanes, buckets and numbers. Objects that no manifest lists
    /// are in none.
    pub manifests: Vec<ManifestLine>,
    /// Why objects failed, in the order of codes; those beyond the first 200 that were met are `other`, and last.
    pub failures: Vec<FailureLine>,
    /// Objects of each lane without manifests, by its name: no report is about them. Each such lane is there.
    pub not_covered: BTreeMap<String, u64>,
    /// What was written for another attempt.
    pub retry: RetryLine,
    /// The later inventory; nothing without one.
    pub inventory: Option<InventoryLine>,
    /// What could not be read of reports and of the later inventory, counted by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// The first 100 of the faults.
    pub named_faults: Vec<Fault>,
}

/// The audit. Texts are escaped.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AuditLine {
    /// The last part of the path of its folder.
    pub path: String,
    /// The SHA-256 of its `summary.json`, in hexadecimal.
    pub summary_sha256: String,
    /// The SHA-256 of the text of its policy, in hexadecimal.
    pub policy_sha256: String,
    /// The version of the program that made it.
    pub tool_version: String,
    /// Whether it tells of every object whether it is wrong: there are no `gaps`.
    pub is_whole: bool,
    /// What keeps it from being whole, in the order of names.
    pub gaps: Vec<Gap>,
    /// What it does not prove because of the version that made it, a sentence each. Notes do not make a result
    /// incomplete.
    pub notes: Vec<String>,
}

impl AuditLine {
    pub(super) fn new(path: &Path, audited: &Audited) -> Self {
        Self {
            path: GivenPaths::new([path]).name(path),
            summary_sha256: audited.summary_sha256.clone(),
            policy_sha256: escaped(audited.policy_sha256()),
            tool_version: escaped(audited.tool_version()),
            is_whole: audited.gaps.is_empty(),
            gaps: audited.gaps.clone(),
            notes: audited.notes(),
        }
    }
}

/// The completion reports that were found.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ReportsLine {
    /// Files with rows that were found, those included that cannot be used.
    pub files: u64,
    /// Files that were read to their end, and whose rows count.
    pub files_read: u64,
    /// Files in the folders that are no part of a report.
    pub ignored_files: u64,
    /// Files that were found, by what the jobs of their reports do. The sum is `files`.
    pub operations: BTreeMap<Operation, u64>,
    /// The rows of the files that were read, by what they are worth.
    pub rows: RowCounts,
}

/// Objects that the audit found to be wrong or could not judge, by what became of them: `rows = succeeded + failed +
/// never_attempted + restored + unknown_operation + changed_since`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Counts {
    /// All of the objects.
    pub rows: u64,
    /// Objects that a job which does what was asked for says to have put right.
    pub succeeded: u64,
    /// Objects that jobs tried to put right, none of them with success.
    pub failed: u64,
    /// Objects that no report that counts is about; all of those in lanes without manifests.
    pub never_attempted: u64,
    /// Objects that are restored, and whose copy has not been attempted.
    pub restored: u64,
    /// Objects that jobs worked on of which nothing says what they do.
    pub unknown_operation: u64,
    /// Objects that were put right, and that another job may have changed since.
    pub changed_since: u64,
    /// Objects among `succeeded` that failed in another report.
    pub retried: u64,
    /// Objects among `succeeded` that were copied, so that reports cannot show that what was copied is right.
    pub copies_unproven: u64,
    /// The same objects, by what the later inventory says of them. All nought without one.
    pub inventory: InventoryCounts,
    /// Objects that the later inventory shows neither right nor wrong, by what became of them; all if there is none.
    #[serde(skip)]
    pub open: Open,
}

/// Objects of which only reports tell: the later inventory shows them neither right nor wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Open {
    /// Those among [`Counts::failed`].
    pub failed: u64,
    /// Those among [`Counts::never_attempted`].
    pub never_attempted: u64,
    /// Those among [`Counts::restored`].
    pub restored: u64,
    /// Those among [`Counts::unknown_operation`].
    pub unknown_operation: u64,
    /// Those among [`Counts::changed_since`].
    pub changed_since: u64,
    /// Those among [`Counts::copies_unproven`].
    pub copies_unproven: u64,
}

/// Objects that were wrong, by what the later inventory says: with one, the sum is [`Counts::rows`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InventoryCounts {
    /// Objects that are right now.
    pub now_compliant: u64,
    /// Objects that violate the policy, whether or not an exception covers them.
    pub still_violating: u64,
    /// Objects of which the later inventory does not tell whether they comply.
    pub undetermined: u64,
    /// Objects that the policy is not about any more, such as versions that became noncurrent.
    pub out_of_scope: u64,
    /// Objects that a later inventory which decides does not list, though it lists their bucket.
    pub not_in_inventory: u64,
    /// Objects that it does not list, and that may still exist: it does not decide, does not list their bucket, or does
    /// not name versions.
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

/// The objects of a lane in a bucket.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BucketLine {
    /// The lane, or `undetermined`.
    pub lane: &'static str,
    /// The bucket, escaped. Beyond 10,000 lines, all other buckets of a lane are `(many)`.
    pub bucket: String,
    /// What became of its objects. In JSON these are fields of the line itself.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The objects of a manifest of the audit.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ManifestLine {
    /// The lane of its objects.
    pub lane: &'static str,
    /// The bucket of its objects, escaped.
    pub bucket: String,
    /// Where it is in the folder `remediation` of the audit, escaped.
    pub path: String,
    /// What became of its objects. In JSON these are fields of the line itself.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A reason for failures. Texts are escaped.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FailureLine {
    /// The error code, shortened; empty if reports give none.
    pub code: String,
    /// The HTTP status, shortened; empty if reports give none.
    pub http_status: String,
    /// Objects that failed, and for this reason first.
    pub objects: u64,
    /// What one of the rows says, shortened.
    pub message: String,
}

/// The manifests for another attempt.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RetryLine {
    /// How many manifests there are in `retry`.
    pub manifests: u64,
    /// How many rows they have together, one for each object.
    pub rows: u64,
}

/// The later inventory.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InventoryLine {
    /// Its sources, in the order in which they were given.
    pub sources: Vec<InventorySource>,
    /// Whether it alone decides of each object: it is whole and newer, and nothing in it or in its key evidence is a
    /// fault.
    pub decides: bool,
    /// Whether manifests prove that nothing is missing, and all files and rows were read. Faults of its key evidence,
    /// and a time of a report that its own rows disprove, do not show here, but in `decides`.
    pub is_whole: bool,
    /// Whether one of its sources lists no version ids.
    pub lacks_versions: bool,
    /// Whether one of its sources is no newer than what was audited of its bucket, or not known to be.
    pub is_not_newer: bool,
    /// Whether key evidence was given for it.
    pub has_key_evidence: bool,
    /// Data files that its sources name.
    pub units: u64,
    /// Data files that were read to their end.
    pub units_examined: u64,
    /// Rows of these files, delete markers included, without rejected ones.
    pub rows_read: u64,
    /// Rows of these files that could not be read.
    pub rows_rejected: u64,
}

/// A source of the later inventory.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InventorySource {
    /// What results call the source, escaped.
    pub path: String,
    /// The bucket that it lists, escaped; nothing for data files without a manifest.
    pub bucket: Option<String>,
    /// When S3 began to list the bucket, in UTC; nothing if the source does not say so.
    pub created_at: Option<String>,
    /// Whether it was made after what was audited of its bucket. If not, or if that is not known, it shows nothing.
    pub is_newer: bool,
}

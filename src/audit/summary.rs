//! `summary.json`: counts, coverage, rollups and the outcome.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::AuditFacts;
use super::ExceptionFacts;
use super::ManifestFacts;
use super::PolicyFacts;
use super::RuleFacts;
use super::SampleLine;
use super::SourceFacts;
use super::outcome::{OutcomeReason, outcome, outcome_reasons};
use crate::amounts::{Amount, Verdicts};
use crate::assumptions::{AssumptionLine, AssumptionName};
use crate::delivery::{Delivery, DeliveryLine};
use crate::digests::DigestsSummary;
use crate::escape::escape;
use crate::evidence::{EvidenceFacts, EvidenceKind, Passed};
use crate::outcome::{Outcome, ToolFacts};
use crate::partial::{Partial, Rollups};
use crate::plan::{Completeness, Format, Shard};

use crate::policy::{Reason, Severity, Status, Verdict};
use crate::population::{ExpectedObjects, InventoryConfiguration, OrganizationAccounts, SeenAccount};
use crate::remediation::{self, ClassCell, Lane};
use crate::rollup::{Collapsed, Dimension, GroupCounts, Period, Place, Rollup};
use crate::sinks::GroupFile;
use crate::timestamp::{Month, Timestamp};

/// The name of this form of `summary.json`.
pub const AUDIT_SCHEMA: &str = "logseal.audit/1";

/// What an audit came to: `summary.json`. All of it but `started_at`, `finished_at` and `timing`, those of `digests`
/// too, is the same for any number of workers.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Summary {
    /// The name of its form, [`AUDIT_SCHEMA`].
    pub schema: &'static str,
    /// The program that made it.
    pub tool: ToolFacts,
    /// The policy that objects were held against.
    pub policy: PolicyFacts,
    /// The moment for which exceptions and Object Lock were judged (`--as-of`), in UTC.
    pub as_of: String,
    /// When the audit began, in UTC. Of merged shards: when the first of them did.
    pub started_at: String,
    /// When the audit ended, in UTC. Of merged shards: when the last of them did.
    pub finished_at: String,
    /// What it comes to. It is a pass only if there are no `outcome_reasons` and this is no shard.
    pub outcome: Outcome,
    /// Everything that stands between the result and a pass. There are none for a pass, nor for a shard in which
    /// nothing was found.
    pub outcome_reasons: Vec<OutcomeReason>,
    /// What the outcome takes for granted and no input proves, that of `digests` included.
    pub assumptions: Vec<AssumptionLine>,
    /// The part that was examined; nothing for a whole audit, and for shards that were merged.
    pub shard: Option<Shard>,
    /// The sources, in the order in which they were given.
    pub sources: Vec<SourceLine>,
    /// How many objects buckets should hold, as somebody said (`--expect-objects`), in the order of their names; none in a shard.
    pub expected_objects: Vec<ExpectedObjects>,
    /// How much was looked at of what there is.
    pub coverage: Coverage,
    /// Rows, and objects by verdict.
    pub counts: Counts,
    /// The sizes of the objects in `counts`, by verdict.
    pub bytes: ByteCounts,
    /// Objects by encryption status, under the names of [`Status::as_str`]. Each status is there; their sum is that of
    /// all objects.
    pub by_encryption_status: BTreeMap<&'static str, Amount>,
    /// Objects by storage class, as S3 spells them, or `(unrecognised)`, `(blank)`, `(absent)`. Classes without objects are
    /// left out; the sum is that of all objects. Empty if `rollup` is `none`.
    pub by_storage_class: BTreeMap<&'static str, Amount>,
    /// Statuses that are counted as `(unrecognised)`, as reports spell them, escaped and shortened: the first 20 in
    /// order.
    pub unrecognised_statuses: Vec<String>,
    /// Violating and undetermined objects by reason, under the names of [`Reason::as_str`]. Each reason is there; the
    /// sum is `counts.violation + counts.undetermined`.
    pub by_reason: BTreeMap<&'static str, u64>,
    /// Excepted objects by the reason for which they would be violations. Each reason is there; the sum is
    /// `counts.excepted`.
    pub excepted_by_reason: BTreeMap<&'static str, u64>,
    /// The exceptions of the policy, in its order, with what each covers. The sum of their objects is `counts.excepted`.
    pub exceptions: Vec<ExceptionLine>,
    /// What each rule of the policy decided, by its id. Objects that no rule decided are in none.
    pub by_rule: BTreeMap<String, RuleLine>,
    /// Objects by the key that they are known to be encrypted under: its ARN, or as much as is known of it.
    pub by_key: BTreeMap<String, Amount>,
    /// Of how many objects under KMS the key is known.
    pub key_coverage: KeyCoverage,
    /// What key evidence says, and of how many objects: a line for each source and kind, none without evidence.
    pub evidence: Vec<EvidenceLine>,
    /// What digests prove of the delivery of logs that are stated to be complete; nothing without that statement,
    /// without key evidence or without digests.
    pub evidence_delivery: Option<DeliveryLine>,
    /// Keys that CloudTrail logs show in use on a bucket without naming an object, in the order of buckets and keys.
    pub keys_in_use: Vec<KeyInUse>,
    /// Files in folders of evidence that are known to be none: the sum of `ignored_evidence`.
    pub ignored_evidence_files: u64,
    /// Files in folders of evidence that are known to be none, by what they are. Kinds of which there are none are left
    /// out.
    pub ignored_evidence: BTreeMap<Passed, u64>,
    /// `full`, or `none` if nothing was counted by account and by month.
    pub rollup: &'static str,
    /// Objects by bucket, account, kind and Region, in this order; empty if `rollup` is `none`.
    #[cfg_attr(test, schemars(with = "Vec<AccountLine>"))]
    pub by_account: AccountLines,
    /// Objects by bucket, account, kind, Region and month of last-modified, in this order; empty if `rollup` is `none`.
    #[cfg_attr(test, schemars(with = "Vec<MonthLine>"))]
    pub by_month: MonthLines,
    /// The accounts that an organisation lists (`--accounts`) beside those that objects name; nothing without a list, and in a shard.
    pub organization_accounts: Option<OrganizationAccounts>,
    /// What `by_account` and `by_month` do not tell apart, because there are more groups than `--max-groups`, or their
    /// names are too long.
    pub collapsed: Collapsed,
    /// How many faults there are, by name: of sources, data files, rows and key evidence. Those of digests are in
    /// `digests`.
    pub faults: BTreeMap<String, u64>,
    /// What there is to put right, by the name of its lane. Each lane is there.
    pub remediation: BTreeMap<&'static str, LaneLine>,
    /// How `sample.csv` was drawn.
    pub sample: SampleLine,
    /// What came of the digests that were verified as well; nothing if none were given.
    pub digests: Option<DigestsSummary>,
    /// How long it took.
    pub timing: Timing,
}

/// An exception from a rule, and what it covers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ExceptionLine {
    /// What the policy says of it. In JSON these are fields of the line itself.
    #[serde(flatten)]
    pub facts: ExceptionFacts,
    /// Whether it covers something.
    pub state: ExceptionState,
    /// Objects that it covers: it is the first exception that does.
    pub objects: u64,
    /// The sizes of these objects, in bytes.
    pub bytes: u64,
}

/// Whether an exception covers something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExceptionState {
    /// It covers objects.
    Active,
    /// It no longer holds.
    Expired,
    /// It holds, and covers nothing that was examined.
    Unused,
}

impl ExceptionLine {
    fn new(facts: &ExceptionFacts, covered: Amount) -> Self {
        let state = match covered.objects {
            _ if facts.days_left < 0 => ExceptionState::Expired,
            0 => ExceptionState::Unused,
            _ => ExceptionState::Active,
        };
        Self { facts: facts.clone(), state, objects: covered.objects, bytes: covered.bytes }
    }
}

/// What there is to put right in a lane.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LaneLine {
    /// Objects of the lane: violating ones, and undetermined ones that are put right to be sure
    /// (`--remediate-undetermined`).
    pub objects: u64,
    /// The sizes of these objects, in bytes.
    pub bytes: u64,
    /// Manifests for S3 Batch Operations that list these objects; nought in lanes whose lists are for people.
    pub manifests: u64,
}

/// A source and what was read of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SourceLine {
    /// Where its manifest was delivered (`s3://...`), as far as that is known, else the last parts of its path; escaped.
    pub path: String,
    /// The bucket that the report is about, escaped. Nothing for a data file without a manifest, or if the manifest
    /// cannot be read.
    pub bucket: Option<String>,
    /// Its manifest, which is kept in `sources/N/`, where N is the place of this line, from 1 on. Nothing for a data file
    /// without one, or if it cannot be read.
    pub manifest: Option<ManifestFacts>,
    /// The format of its data files; CSV if its manifest cannot be read.
    pub format: Format,
    /// When S3 began to list the bucket, in UTC: the moment that verdicts are about. Nothing if the source does not say
    /// so, or if that cannot be true.
    pub created_at: Option<String>,
    /// Its data files: those that the manifest names, whichever shard they belong to.
    pub files: u64,
    /// Those of its data files that were examined: fewer than `files` in a shard, or if some are faults.
    pub files_examined: u64,
    /// Rows of the examined files, delete markers included, rejected rows not. Their sum over all sources is
    /// `counts.rows`.
    pub rows: u64,
    /// The lengths of the examined files as they are stored, in bytes. All other `bytes` of a summary are sizes of
    /// objects.
    pub bytes: u64,
    /// Files beside the data files that the manifest does not name.
    pub ignored_files: u64,
    /// Newer runs that were passed over because they have no `manifest.checksum`, the newest first.
    pub skipped_runs: Vec<String>,
    /// Columns that S3 Inventory is not known to have, escaped and shortened: the first 20 in order.
    pub unknown_columns: Vec<String>,
    /// How the inventory is configured, as somebody said (`--inventory-config`). The manifest does not say it.
    pub configuration: Option<InventoryConfiguration>,
}

/// How many objects that a KMS key encrypts have a known key: `kms_objects = known + stale + conflicting + unknown`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct KeyCoverage {
    /// Objects whose status is SSE-KMS or DSSE-KMS.
    pub kms_objects: u64,
    /// Objects under KMS whose key at the moment of the report is known.
    pub known: u64,
    /// Objects under KMS whose key may have changed unseen between the evidence and the report.
    pub stale: u64,
    /// Objects under KMS for which the evidence leaves several keys possible.
    pub conflicting: u64,
    /// Objects under KMS of which nothing that counts names a key.
    pub unknown: u64,
    /// Objects that got another key, or may have, after the moment of the report. They are counted above as well, and
    /// no verdict takes it into account.
    pub rekeyed_since: u64,
}

/// A source of key evidence, and what became of what it says. An object of which several sources speak counts for each
/// of them.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct EvidenceLine {
    /// The last part of the path that was given, escaped; that of a list of objects under one key has `ARN=` before it.
    pub source: String,
    /// What its files are. A folder with several kinds has a line for each.
    pub kind: EvidenceKind,
    /// Its files of this kind, those included that turned out to be damaged.
    pub files: u64,
    /// Records that were read in these files.
    pub records: u64,
    /// Records whose time is not known.
    pub undated: u64,
    /// Objects of which it speaks, and whose key is known or named by nothing that counts.
    pub matched: u64,
    /// Objects of which it speaks, and whose key may have changed unseen between that and the report.
    pub stale: u64,
    /// Objects of which it speaks, and for which several keys are possible.
    pub conflicting: u64,
    /// Names of keys in it that could not be resolved, each counted once.
    pub unresolved_keys: u64,
    /// The newest time that a record of it has, in UTC; nothing if none has one.
    pub as_of: Option<String>,
}

/// A key that was seen in use on a bucket without an object being named.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct KeyInUse {
    /// The bucket, escaped.
    pub bucket: String,
    /// The key as the events name it, escaped.
    pub key: String,
    /// How many events of CloudTrail show it: data keys that services asked for, for any object of the bucket.
    pub events: u64,
}

/// How much was looked at of what there is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Coverage {
    /// Data files (units) that must be examined: all that the sources name, or those of the shard.
    pub units_planned: u64,
    /// Data files that were examined to their end.
    pub units_examined: u64,
    /// Data files that could not be examined: each is one fault, and nothing in it counts. `units_planned =
    /// units_examined + units_faulted` unless shards are missing.
    pub units_faulted: u64,
    /// Rows of the examined files that were judged or are delete markers: the same as `counts.rows`.
    pub rows_read: u64,
    /// Rows of the examined files that could not be read. Each is a fault, and none of `rows_read`.
    pub rows_rejected: u64,
    /// Whether manifests say which data files there must be, and their checksums were verified.
    pub completeness: Completeness,
}

fn lanes(counts: &remediation::RemedyCounts, files: &[GroupFile]) -> BTreeMap<&'static str, LaneLine> {
    let mut lanes: BTreeMap<_, _> = Lane::ALL.iter().map(|lane| (lane.as_str(), LaneLine::default())).collect();
    for (group, amount) in &counts.groups {
        let lane = lanes.entry(group.kind.lane.as_str()).or_default();
        lane.objects = lane.objects.saturating_add(amount.objects);
        lane.bytes = lane.bytes.saturating_add(amount.bytes);
    }
    for file in files.iter().filter(|file| file.group.kind.lane.has_manifests()) {
        lanes.entry(file.group.kind.lane.as_str()).or_default().manifests += 1;
    }
    lanes
}

/// How many rows and objects there are. An object is a row that is no delete marker; noncurrent versions are objects.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Counts {
    /// All rows of the examined files, without rejected ones: `rows = delete_markers + objects`.
    pub rows: u64,
    /// Rows that are delete markers, which are not judged.
    pub delete_markers: u64,
    /// All objects: `objects = compliant + violation + undetermined + excepted + out_of_scope`.
    pub objects: u64,
    /// Objects that are as the policy demands.
    pub compliant: u64,
    /// Objects that violate the policy for certain, and that no exception covers.
    pub violation: u64,
    /// Objects of which it is not known whether they comply.
    pub undetermined: u64,
    /// Objects that violate the policy and are covered by an exception that holds at `as_of`.
    pub excepted: u64,
    /// Objects that the policy is not about.
    pub out_of_scope: u64,
}

/// Sizes of objects in bytes, by verdict. An object whose size the report does not give counts as nought.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ByteCounts {
    /// The sizes of all objects: `objects = compliant + violation + undetermined + excepted + out_of_scope`.
    pub objects: u64,
    /// The sizes of compliant objects.
    pub compliant: u64,
    /// The sizes of violating objects.
    pub violation: u64,
    /// The sizes of undetermined objects.
    pub undetermined: u64,
    /// The sizes of excepted objects.
    pub excepted: u64,
    /// The sizes of objects that the policy is not about.
    pub out_of_scope: u64,
}

/// What a rule of the policy decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RuleLine {
    /// How bad the policy says that a violation of the rule is.
    pub severity: Severity,
    /// Objects that comply with the rule.
    pub compliant: u64,
    /// Objects that violate the rule, and that no exception covers.
    pub violation: u64,
    /// Objects of which it is not known whether they comply, or whether the rule is about them.
    pub undetermined: u64,
    /// Objects that violate the rule and are covered by an exception.
    pub excepted: u64,
}

/// The objects of a group: `objects = compliant + violation + undetermined + excepted + out_of_scope`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GroupLine {
    /// How many objects the group has.
    pub objects: u64,
    /// The sizes of all of them, in bytes.
    pub bytes: u64,
    /// Objects of the group that are as the policy demands.
    pub compliant: u64,
    /// Objects of the group that violate the policy, and that no exception covers.
    pub violation: u64,
    /// Objects of the group of which it is not known whether they comply.
    pub undetermined: u64,
    /// Objects of the group that violate the policy and are covered by an exception.
    pub excepted: u64,
    /// Objects of the group that the policy is not about.
    pub out_of_scope: u64,
}

/// The lines of `by_account`, which are made one at a time: there can be a million.
#[derive(Clone, Debug)]
pub struct AccountLines(pub(crate) Rollup<Place>);

impl AccountLines {
    /// The lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = AccountLine> + '_ {
        self.0.iter().map(|(place, counts)| AccountLine::new(&place, &counts))
    }
}

impl Serialize for AccountLines {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// The lines of `by_month`, which are made one at a time: there can be a million.
#[derive(Clone, Debug)]
pub struct MonthLines(Rollup<Period>);

impl MonthLines {
    /// The lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = MonthLine> + '_ {
        self.0.iter().map(|(period, counts)| MonthLine::new(&period, &counts))
    }
}

impl Serialize for MonthLines {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// The objects of a bucket, account, kind and Region.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AccountLine {
    /// The bucket, escaped; `(many)` if buckets are not told apart.
    pub bucket: String,
    /// The account that their keys name, `-` if they name none; `(many)` if accounts are not told apart.
    pub account: String,
    /// What their keys say that they are: a kind that is known, `other-service` or `other`.
    pub kind: &'static str,
    /// The Region that their keys name, `-` if they name none; `(many)` if Regions are not told apart.
    pub region: String,
    /// How many there are. In JSON these are fields of the line itself.
    #[serde(flatten)]
    pub counts: GroupLine,
}

/// The objects of a bucket, account, kind and Region that were last modified in the same month.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MonthLine {
    /// The bucket, escaped; `(many)` if buckets are not told apart.
    pub bucket: String,
    /// The account that their keys name, `-` if they name none; `(many)` if accounts are not told apart.
    pub account: String,
    /// What their keys say that they are; `(many)` if months do not tell kinds apart.
    pub kind: &'static str,
    /// The Region that their keys name, `-` if they name none; `(many)` if months do not tell Regions apart.
    pub region: String,
    /// The month of last-modified in UTC, `2024-05`; `-` if the report does not give it.
    pub month: String,
    /// How many there are. In JSON these are fields of the line itself.
    #[serde(flatten)]
    pub counts: GroupLine,
}

/// How long it took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Timing {
    /// How many milliseconds it took from beginning to end; of merged shards, the sum of theirs.
    pub elapsed_ms: u64,
    /// Rows read (`counts.rows`) in each second of that time.
    pub rows_per_second: u64,
    /// The lengths of the examined data files as they are stored, in bytes.
    pub bytes_read: u64,
}

/// When an audit ran.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How long it took, by a clock that nobody sets.
    pub elapsed_ms: u64,
}

/// What a result must cover.
#[derive(Clone, Debug)]
pub struct Scope {
    /// So many units.
    pub units_planned: u64,
    /// Those of one shard; nothing if they are all that are planned.
    pub shard: Option<Shard>,
    /// Digests that were verified as well.
    pub digests: Option<DigestsSummary>,
}

impl Summary {
    /// Sums up what was found.
    pub fn new(facts: &AuditFacts, partial: Partial, scope: Scope, files: &[GroupFile], run: Run) -> Self {
        let whole = partial;
        let (partial, Scope { units_planned, shard, digests }) = (&whole, scope);
        let reasons = outcome_reasons(facts, partial, units_planned, digests.as_ref());
        let mut assumptions = partial.terms.assumptions.clone();
        digests.iter().for_each(|digests| assumptions.extend(digests.taken_for_granted()));
        if facts.allow_empty && partial.verdicts.get(Verdict::OutOfScope) == partial.objects.objects {
            assumptions.add(AssumptionName::EmptyScopeAccepted, "");
        }
        let finding_reasons = |counts: &BTreeMap<Reason, u64>| -> BTreeMap<&'static str, u64> {
            Reason::ALL.iter().map(|reason| (reason.as_str(), counts.get(reason).copied().unwrap_or(0))).collect()
        };
        let statuses = Status::ALL.iter().map(|status| (status.as_str(), partial.by_status[*status as usize]));
        let classes = ClassCell::all().map(|cell| (cell.as_str(), partial.by_class[cell.as_index()]));
        let classes = classes.filter(|(_, amount)| amount.objects > 0);
        let rules = facts.policy.rules.iter().zip(&partial.by_rule);
        let bytes_read = partial.sources.values().fold(0_u64, |sum, source| sum.saturating_add(source.bytes));
        let passed_evidence = facts.evidence.as_ref().map(|evidence| evidence.passed.clone()).unwrap_or_default();
        Self {
            schema: AUDIT_SCHEMA,
            tool: ToolFacts::this(),
            policy: facts.policy.clone(),
            as_of: Timestamp::from_millis(partial.terms.as_of).map(|time| time.to_string()).unwrap_or_default(),
            started_at: run.started_at.to_string(),
            finished_at: run.finished_at.to_string(),
            outcome: outcome(&reasons, shard),
            outcome_reasons: reasons,
            assumptions: assumptions.lines(),
            shard,
            sources: facts.sources.iter().enumerate().map(|(id, source)| source_line(id, source, partial)).collect(),
            expected_objects: shard.map_or_else(|| expected_objects(facts, partial), |_| Vec::new()),
            coverage: Coverage {
                units_planned,
                units_examined: partial.examined.len() as u64,
                units_faulted: partial.faulted.len() as u64,
                rows_read: partial.rows_read(),
                rows_rejected: partial.rows_rejected,
                completeness: facts.completeness,
            },
            counts: counts(partial),
            bytes: byte_counts(partial),
            by_encryption_status: statuses.collect(),
            by_storage_class: classes.collect(),
            unrecognised_statuses: partial.unrecognised.iter().cloned().collect(),
            by_reason: finding_reasons(&partial.by_reason),
            excepted_by_reason: finding_reasons(&partial.excepted_by_reason),
            exceptions: exception_lines(facts, partial),
            by_rule: rules.map(|(rule, verdicts)| (rule.id.clone(), rule_line(rule, verdicts))).collect(),
            by_key: partial.keys.by_key.clone(),
            key_coverage: key_coverage(partial),
            evidence: evidence_lines(facts, partial),
            evidence_delivery: facts.evidence.as_ref().and_then(|facts| facts.delivery.as_ref()).map(Delivery::line),
            keys_in_use: keys_in_use(facts),
            ignored_evidence_files: passed_evidence.values().sum(),
            ignored_evidence: passed_evidence,
            rollup: if partial.terms.rollups == Rollups::None { "none" } else { "full" },
            organization_accounts: if shard.is_some() { None } else { organization_accounts(facts, partial) },
            collapsed: partial.collapsed,
            faults: fault_counts(facts, partial),
            remediation: lanes(&partial.remediation, files),
            sample: SampleLine::new(facts, partial),
            digests,
            timing: Timing {
                elapsed_ms: run.elapsed_ms,
                rows_per_second: per_second(partial.rows_read(), run.elapsed_ms),
                bytes_read,
            },
            by_account: AccountLines(whole.by_place),
            by_month: MonthLines(whole.by_period),
        }
    }
}

fn source_line(id: usize, facts: &SourceFacts, partial: &Partial) -> SourceLine {
    let read = partial.sources.get(&id).cloned().unwrap_or_default();
    SourceLine {
        path: facts.path.clone(),
        bucket: facts.bucket.clone(),
        manifest: facts.manifest.clone(),
        format: facts.format,
        created_at: facts.created_at.clone(),
        files: facts.files,
        files_examined: read.files,
        rows: read.rows,
        bytes: read.bytes,
        ignored_files: facts.ignored_files,
        skipped_runs: facts.skipped_runs.clone(),
        unknown_columns: read.unknown_columns.into_iter().map(|name| escape(name.as_bytes()).into_owned()).collect(),
        configuration: facts.configuration.clone(),
    }
}

/// What was said of buckets, beside the rows of all their reports.
fn expected_objects(facts: &AuditFacts, partial: &Partial) -> Vec<ExpectedObjects> {
    let listed = |bucket: &str| {
        let of_it = facts.sources.iter().enumerate().filter(|(_, source)| source.bucket.as_deref() == Some(bucket));
        of_it.filter_map(|(id, _)| partial.sources.get(&id)).fold(0_u64, |sum, read| sum.saturating_add(read.rows))
    };
    let said = facts.population.expected_objects.iter();
    said.map(|(bucket, expected)| ExpectedObjects::new(bucket, *expected, listed(bucket))).collect()
}

/// The accounts of a list beside those that objects name.
fn organization_accounts(facts: &AuditFacts, partial: &Partial) -> Option<OrganizationAccounts> {
    let list = facts.population.accounts.as_ref()?;
    let made = facts.sources.iter().filter_map(|source| Timestamp::parse(source.created_at.as_ref()?.as_bytes())).max();
    let now = made.or_else(|| Timestamp::from_millis(partial.terms.as_of))?.month();
    let mut seen: BTreeMap<String, SeenAccount> = BTreeMap::new();
    for (period, counts) in partial.by_period.iter() {
        match period.account {
            Dimension::Missing => {}
            Dimension::Many => return Some(list.hold_against(None, now)),
            Dimension::Is(account) => {
                seen.entry(account.to_string()).or_default().add(counts.objects(), period.month.map(Month::from_index));
            }
        }
    }
    Some(list.hold_against(Some(&seen), now))
}

fn counts(partial: &Partial) -> Counts {
    let verdict = |verdict| partial.verdicts.get(verdict);
    Counts {
        rows: partial.rows_read(),
        delete_markers: partial.delete_markers,
        objects: partial.objects.objects,
        compliant: verdict(Verdict::Compliant),
        violation: verdict(Verdict::Violation),
        undetermined: verdict(Verdict::Undetermined),
        excepted: verdict(Verdict::Excepted),
        out_of_scope: verdict(Verdict::OutOfScope),
    }
}

fn byte_counts(partial: &Partial) -> ByteCounts {
    let bytes = |verdict| partial.bytes.get(verdict);
    ByteCounts {
        objects: partial.objects.bytes,
        compliant: bytes(Verdict::Compliant),
        violation: bytes(Verdict::Violation),
        undetermined: bytes(Verdict::Undetermined),
        excepted: bytes(Verdict::Excepted),
        out_of_scope: bytes(Verdict::OutOfScope),
    }
}

fn rule_line(rule: &RuleFacts, verdicts: &Verdicts) -> RuleLine {
    RuleLine {
        severity: rule.severity,
        compliant: verdicts.get(Verdict::Compliant),
        violation: verdicts.get(Verdict::Violation),
        undetermined: verdicts.get(Verdict::Undetermined),
        excepted: verdicts.get(Verdict::Excepted),
    }
}

impl GroupLine {
    /// Objects that the policy is about.
    pub fn in_scope(&self) -> u64 {
        self.objects.saturating_sub(self.out_of_scope)
    }

    fn new(counts: &GroupCounts) -> Self {
        let verdict = |verdict| counts.verdicts.get(verdict);
        Self {
            objects: counts.objects(),
            bytes: counts.bytes,
            compliant: verdict(Verdict::Compliant),
            violation: verdict(Verdict::Violation),
            undetermined: verdict(Verdict::Undetermined),
            excepted: verdict(Verdict::Excepted),
            out_of_scope: verdict(Verdict::OutOfScope),
        }
    }
}

impl AccountLine {
    fn new(place: &Place, counts: &GroupCounts) -> Self {
        Self {
            bucket: name(&place.bucket),
            account: name(&place.account),
            kind: place.kind.as_str(),
            region: name(&place.region),
            counts: GroupLine::new(counts),
        }
    }
}

impl MonthLine {
    fn new(period: &Period, counts: &GroupCounts) -> Self {
        Self {
            bucket: name(&period.bucket),
            account: name(&period.account),
            kind: match period.kind {
                Dimension::Missing => "-",
                Dimension::Is(kind) => kind.as_str(),
                Dimension::Many => "(many)",
            },
            region: name(&period.region),
            month: period.month.map_or_else(|| "-".to_owned(), |month| Month::from_index(month).to_string()),
            counts: GroupLine::new(counts),
        }
    }
}

fn name<T: ToString>(dimension: &Dimension<T>) -> String {
    match dimension {
        Dimension::Missing => "-".to_owned(),
        Dimension::Is(value) => value.to_string(),
        Dimension::Many => "(many)".to_owned(),
    }
}

fn fault_counts(facts: &AuditFacts, partial: &Partial) -> BTreeMap<String, u64> {
    let mut counts = partial.faults.clone();
    for (code, _) in facts.sources.iter().flat_map(|source| &source.faults) {
        *counts.entry(code.clone()).or_default() += 1;
    }
    for fault in facts.evidence.iter().flat_map(|evidence| &evidence.faults) {
        *counts.entry(fault.what.clone()).or_default() += 1;
    }
    counts
}

fn exception_lines(facts: &AuditFacts, partial: &Partial) -> Vec<ExceptionLine> {
    let mut amounts = vec![Amount::default(); facts.exceptions.len()];
    for (exception, amount) in &partial.by_exception {
        amounts[exception.as_index()] = *amount;
    }
    facts.exceptions.iter().zip(amounts).map(|(facts, covered)| ExceptionLine::new(facts, covered)).collect()
}

fn key_coverage(partial: &Partial) -> KeyCoverage {
    let with_kms = [Status::SseKms, Status::DsseKms].map(|status| partial.by_status[status as usize].objects);
    let (kms_objects, keys) = (with_kms.iter().fold(0_u64, |sum, objects| sum.saturating_add(*objects)), &partial.keys);
    let unknown =
        [keys.known, keys.stale, keys.conflicting].iter().fold(kms_objects, |left, some| left.saturating_sub(*some));
    KeyCoverage {
        kms_objects,
        known: keys.known,
        stale: keys.stale,
        conflicting: keys.conflicting,
        unknown,
        rekeyed_since: keys.rekeyed_since,
    }
}

fn evidence_lines(facts: &AuditFacts, partial: &Partial) -> Vec<EvidenceLine> {
    let sources = facts.evidence.iter().flat_map(|evidence| &evidence.sources).enumerate();
    let line = |(at, source): (usize, &EvidenceFacts)| {
        let used = partial.keys.by_source.get(&at).copied().unwrap_or_default();
        EvidenceLine {
            source: source.source.clone(),
            kind: source.kind,
            files: source.files,
            records: source.records,
            undated: source.undated,
            matched: used.matched,
            stale: used.stale,
            conflicting: used.conflicting,
            unresolved_keys: source.unresolved_keys,
            as_of: source.as_of.and_then(Timestamp::from_millis).map(|time| time.to_string()),
        }
    };
    sources.map(line).collect()
}

fn keys_in_use(facts: &AuditFacts) -> Vec<KeyInUse> {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (bucket, keys) in facts.evidence.iter().flat_map(|evidence| &evidence.sources).flat_map(|source| &source.in_use)
    {
        keys.iter().for_each(|(key, events)| *counts.entry((bucket.clone(), key.clone())).or_default() += events);
    }
    counts.into_iter().map(|((bucket, key), events)| KeyInUse { bucket, key, events }).collect()
}

fn per_second(rows: u64, elapsed_ms: u64) -> u64 {
    (u128::from(rows) * 1000 / u128::from(elapsed_ms.max(1))).min(u128::from(u64::MAX)) as u64
}

//! `summary.json`: counts, coverage, rollups and the outcome.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::AuditFacts;
use super::PolicyFacts;
use super::RuleFacts;
use super::SourceFacts;
use crate::amounts::{Amount, Verdicts};
use crate::assumptions::AssumptionLine;
use crate::batch::Column;
use crate::delivery::{Delivery, DeliveryLine};
use crate::digests::DigestsSummary;
use crate::escape::escape;
use crate::evidence::{EvidenceFacts, EvidenceKind, Passed};
use crate::outcome::{Outcome, ToolFacts};
use crate::partial::{Partial, Rollups};
use crate::plan::{Completeness, Format, Shard};
use crate::policy::{Reason, Severity, Status, Verdict, Versions};
use crate::remediation::{self, Lane};
use crate::rollup::{Collapsed, Dimension, GroupCounts, Period, Place, Rollup};
use crate::sinks::GroupFile;
use crate::timestamp::{Month, Timestamp};

/// The name of this form of `summary.json`.
pub const AUDIT_SCHEMA: &str = "logseal.audit/1";

/// Why an outcome is no pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeReason {
    /// Objects violate the policy.
    Violations,
    /// Manifests, units or rows could not be examined.
    Faults,
    /// Objects could not be judged.
    Undetermined,
    /// Units were not looked at: shards are missing.
    UnitsMissing,
    /// Nothing proves that the input is complete.
    UnprovenCompleteness,
    /// A report lists current versions only, and the policy is about all.
    NoncurrentVersionsUnlisted,
    /// No object is in the policy's scope.
    NothingInScope,
    /// Digests or logs are changed, damaged or missing.
    DigestViolations,
    /// Digests or logs could not be verified.
    DigestsIncomplete,
}

impl OutcomeReason {
    /// Whether something is wrong, and not only unknown.
    pub fn is_violation(self) -> bool {
        matches!(self, Self::Violations | Self::DigestViolations)
    }
}

/// `summary.json`.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct Summary {
    pub schema: &'static str,
    pub tool: ToolFacts,
    pub policy: PolicyFacts,
    pub as_of: String,
    pub started_at: String,
    pub finished_at: String,
    pub outcome: Outcome,
    pub outcome_reasons: Vec<OutcomeReason>,
    /// What the outcome takes for granted.
    pub assumptions: Vec<AssumptionLine>,
    /// The part that was examined; nothing for a whole audit.
    pub shard: Option<Shard>,
    pub sources: Vec<SourceLine>,
    pub coverage: Coverage,
    pub counts: Counts,
    pub bytes: ByteCounts,
    pub by_encryption_status: BTreeMap<&'static str, Amount>,
    pub unrecognised_statuses: Vec<String>,
    pub by_reason: BTreeMap<&'static str, u64>,
    pub excepted_by_reason: BTreeMap<&'static str, u64>,
    pub by_rule: BTreeMap<String, RuleLine>,
    pub by_key: BTreeMap<String, Amount>,
    pub key_coverage: KeyCoverage,
    pub evidence: Vec<EvidenceLine>,
    /// What digests prove of logs that are stated to be complete; nothing without either.
    pub evidence_delivery: Option<DeliveryLine>,
    pub keys_in_use: Vec<KeyInUse>,
    /// Files in folders of evidence that are none.
    pub ignored_evidence_files: u64,
    pub ignored_evidence: BTreeMap<Passed, u64>,
    /// `full`, or `none` when nothing was counted by account and by month.
    pub rollup: &'static str,
    pub by_account: AccountLines,
    pub by_month: MonthLines,
    pub collapsed: Collapsed,
    pub faults: BTreeMap<String, u64>,
    pub remediation: BTreeMap<&'static str, LaneLine>,
    /// Nothing if none were given.
    pub digests: Option<DigestsSummary>,
    pub timing: Timing,
}

/// A lane of remediation.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct LaneLine {
    pub objects: u64,
    pub bytes: u64,
    pub manifests: u64,
}

/// A source and what was read of it.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct SourceLine {
    pub path: String,
    pub bucket: Option<String>,
    pub format: Format,
    pub created_at: Option<String>,
    pub files: u64,
    pub files_examined: u64,
    pub rows: u64,
    pub bytes: u64,
    pub ignored_files: u64,
    pub skipped_runs: Vec<String>,
    pub unknown_columns: Vec<String>,
}

/// How many objects that a KMS key encrypts have a known key.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct KeyCoverage {
    pub kms_objects: u64,
    pub known: u64,
    pub stale: u64,
    pub conflicting: u64,
    pub unknown: u64,
    pub rekeyed_since: u64,
}

/// A source of evidence, and what became of what it says.
#[derive(Clone, Debug, Serialize)]
pub struct EvidenceLine {
    pub source: String,
    pub kind: EvidenceKind,
    pub files: u64,
    pub records: u64,
    pub undated: u64,
    pub matched: u64,
    pub stale: u64,
    pub conflicting: u64,
    pub unresolved_keys: u64,
    pub as_of: Option<String>,
}

/// A key that was seen in use on a bucket without an object being named.
#[derive(Clone, Debug, Serialize)]
pub struct KeyInUse {
    pub bucket: String,
    pub key: String,
    pub events: u64,
}

/// What was looked at.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct Coverage {
    pub units_planned: u64,
    pub units_examined: u64,
    pub units_faulted: u64,
    pub rows_read: u64,
    pub rows_rejected: u64,
    pub completeness: Completeness,
}

fn lanes(counts: &remediation::Counts, files: &[GroupFile]) -> BTreeMap<&'static str, LaneLine> {
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

/// Rows and objects.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct Counts {
    pub rows: u64,
    pub delete_markers: u64,
    pub objects: u64,
    pub compliant: u64,
    pub violation: u64,
    pub undetermined: u64,
    pub excepted: u64,
    pub out_of_scope: u64,
}

/// Sizes of objects.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct ByteCounts {
    pub objects: u64,
    pub compliant: u64,
    pub violation: u64,
    pub undetermined: u64,
    pub excepted: u64,
    pub out_of_scope: u64,
}

/// What a rule decided.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct RuleLine {
    pub severity: Severity,
    pub compliant: u64,
    pub violation: u64,
    pub undetermined: u64,
    pub excepted: u64,
}

/// The objects of a group.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct GroupLine {
    pub objects: u64,
    pub bytes: u64,
    pub compliant: u64,
    pub violation: u64,
    pub undetermined: u64,
    pub excepted: u64,
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

/// The objects of an account, kind and Region.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct AccountLine {
    pub bucket: String,
    pub account: String,
    pub kind: &'static str,
    pub region: String,
    #[serde(flatten)]
    pub counts: GroupLine,
}

/// The objects of an account and month.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct MonthLine {
    pub bucket: String,
    pub account: String,
    pub month: String,
    #[serde(flatten)]
    pub counts: GroupLine,
}

/// How long it took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Timing {
    /// From beginning to end, or the sum over shards.
    pub elapsed_ms: u64,
    /// Rows read in each second.
    pub rows_per_second: u64,
    /// Bytes of data files.
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
        let finding_reasons = |counts: &BTreeMap<Reason, u64>| -> BTreeMap<&'static str, u64> {
            Reason::ALL.iter().map(|reason| (reason.as_str(), counts.get(reason).copied().unwrap_or(0))).collect()
        };
        let statuses = Status::ALL.iter().map(|status| (status.as_str(), partial.by_status[*status as usize]));
        let rules = facts.policy.rules.iter().zip(&partial.by_rule);
        let bytes_read = partial.sources.values().fold(0_u64, |sum, source| sum.saturating_add(source.bytes));
        let passed_evidence = facts.evidence.as_ref().map(|evidence| evidence.passed.clone()).unwrap_or_default();
        Self {
            schema: AUDIT_SCHEMA,
            tool: ToolFacts { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            policy: facts.policy.clone(),
            as_of: Timestamp::from_millis(partial.terms.as_of).map(|time| time.to_string()).unwrap_or_default(),
            started_at: run.started_at.to_string(),
            finished_at: run.finished_at.to_string(),
            outcome: outcome(&reasons, shard),
            outcome_reasons: reasons,
            assumptions: assumptions.lines(),
            shard,
            sources: facts.sources.iter().enumerate().map(|(id, source)| source_line(id, source, partial)).collect(),
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
            unrecognised_statuses: partial.unrecognised.iter().cloned().collect(),
            by_reason: finding_reasons(&partial.by_reason),
            excepted_by_reason: finding_reasons(&partial.excepted_by_reason),
            by_rule: rules.map(|(rule, verdicts)| (rule.id.clone(), rule_line(rule, verdicts))).collect(),
            by_key: partial.keys.by_key.clone(),
            key_coverage: key_coverage(partial),
            evidence: evidence_lines(facts, partial),
            evidence_delivery: facts.evidence.as_ref().and_then(|facts| facts.delivery.as_ref()).map(Delivery::line),
            keys_in_use: keys_in_use(facts),
            ignored_evidence_files: passed_evidence.values().sum(),
            ignored_evidence: passed_evidence,
            rollup: if partial.terms.rollups == Rollups::None { "none" } else { "full" },
            collapsed: partial.collapsed,
            faults: fault_counts(facts, partial),
            remediation: lanes(&partial.remediation, files),
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

fn outcome(reasons: &[OutcomeReason], shard: Option<Shard>) -> Outcome {
    match reasons {
        [] if shard.is_some() => Outcome::Partial,
        [] => Outcome::Pass,
        reasons if reasons.iter().any(|reason| reason.is_violation()) => Outcome::Violations,
        _ => Outcome::Incomplete,
    }
}

/// Everything that stands between the result and a pass.
fn outcome_reasons(
    facts: &AuditFacts,
    partial: &Partial,
    units_planned: u64,
    digests: Option<&DigestsSummary>,
) -> Vec<OutcomeReason> {
    let verdict = |verdict| partial.verdicts.get(verdict);
    let in_scope = partial.objects.objects.saturating_sub(verdict(Verdict::OutOfScope));
    let has_faults = !partial.faulted.is_empty()
        || partial.rows_rejected > 0
        || facts.sources.iter().any(|source| !source.faults.is_empty())
        || facts.evidence.iter().any(|evidence| !evidence.faults.is_empty());
    let looked_at = (partial.examined.len() + partial.faulted.len()) as u64;
    let digests = digests.map(|digests| digests.outcome);
    let reasons = [
        (OutcomeReason::Violations, verdict(Verdict::Violation) > 0),
        (OutcomeReason::Faults, has_faults),
        (OutcomeReason::Undetermined, verdict(Verdict::Undetermined) > 0),
        (OutcomeReason::UnitsMissing, looked_at != units_planned),
        (OutcomeReason::UnprovenCompleteness, facts.completeness != Completeness::Proven),
        (OutcomeReason::NoncurrentVersionsUnlisted, leaves_versions_out(facts, partial)),
        (OutcomeReason::NothingInScope, in_scope == 0 && !facts.allow_empty),
        (OutcomeReason::DigestViolations, digests == Some(Outcome::Violations)),
        (OutcomeReason::DigestsIncomplete, digests == Some(Outcome::Incomplete)),
    ];
    reasons.into_iter().filter_map(|(reason, holds)| holds.then_some(reason)).collect()
}

/// Whether a report lists current versions only, and the policy is about all of them. Directory buckets have no others.
fn leaves_versions_out(facts: &AuditFacts, partial: &Partial) -> bool {
    let has_noncurrent = |id: &usize| {
        let bucket = facts.sources.get(*id).and_then(|source| source.bucket.as_deref());
        !bucket.is_some_and(|bucket| bucket.ends_with(DIRECTORY_BUCKET))
    };
    facts.policy.versions == Versions::All
        && partial.sources.iter().any(|(id, read)| read.lacking.contains(Column::VersionId) && has_noncurrent(id))
}

/// How the names of directory buckets end.
const DIRECTORY_BUCKET: &str = "--x-s3";

fn source_line(id: usize, facts: &SourceFacts, partial: &Partial) -> SourceLine {
    let read = partial.sources.get(&id).cloned().unwrap_or_default();
    SourceLine {
        path: facts.path.clone(),
        bucket: facts.bucket.clone(),
        format: facts.format,
        created_at: facts.created_at.clone(),
        files: facts.files,
        files_examined: read.files,
        rows: read.rows,
        bytes: read.bytes,
        ignored_files: facts.ignored_files,
        skipped_runs: facts.skipped_runs.clone(),
        unknown_columns: read.unknown_columns.into_iter().map(|name| escape(name.as_bytes()).into_owned()).collect(),
    }
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

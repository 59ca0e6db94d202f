//! Whether an audit is a pass, and everything that stands between.

use serde::Serialize;

use super::AuditFacts;
use crate::batch::Column;
use crate::digests::DigestsSummary;
use crate::outcome::Outcome;
use crate::partial::Partial;
use crate::plan::{Completeness, Shard};
use crate::policy::{Verdict, Versions};

/// Why an outcome is no pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

pub(super) fn outcome(reasons: &[OutcomeReason], shard: Option<Shard>) -> Outcome {
    match reasons {
        [] if shard.is_some() => Outcome::Partial,
        [] => Outcome::Pass,
        reasons if reasons.iter().any(|reason| reason.is_violation()) => Outcome::Violations,
        _ => Outcome::Incomplete,
    }
}

/// Everything that stands between the result and a pass.
pub(super) fn outcome_reasons(
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

//! An audit's `summary.json` and `plan.json`, as they are read back. What may grow in later versions is text here.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::others::DigestsResult;
use crate::amounts::Amount;
use crate::audit::{
    ByteCounts, Counts, Coverage, ExceptionLine, KeyCoverage, LaneLine, PolicyFacts, RuleLine, SampleLine, SourceLine,
};
use crate::outcome::Outcome;
use crate::plan::Shard;
use crate::population::{ExpectedObjects, OrganizationAccounts};
use crate::rollup::Collapsed;

/// What an audit came to.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AuditResult {
    pub(crate) tool: ToolResult,
    pub(crate) policy: PolicyFacts,
    pub(crate) as_of: String,
    pub(crate) started_at: String,
    pub(crate) finished_at: String,
    pub(crate) outcome: Outcome,
    pub(crate) outcome_reasons: Vec<String>,
    pub(crate) assumptions: Vec<AssumptionResult>,
    pub(crate) shard: Option<Shard>,
    pub(crate) sources: Vec<SourceLine>,
    pub(crate) expected_objects: Vec<ExpectedObjects>,
    pub(crate) coverage: Coverage,
    pub(crate) counts: Counts,
    pub(crate) bytes: ByteCounts,
    pub(crate) by_encryption_status: BTreeMap<String, Amount>,
    pub(crate) by_storage_class: BTreeMap<String, Amount>,
    pub(crate) by_reason: BTreeMap<String, u64>,
    pub(crate) excepted_by_reason: BTreeMap<String, u64>,
    pub(crate) exceptions: Vec<ExceptionLine>,
    pub(crate) by_rule: BTreeMap<String, RuleLine>,
    pub(crate) by_key: BTreeMap<String, Amount>,
    pub(crate) key_coverage: KeyCoverage,
    pub(crate) evidence_delivery: Option<serde_json::Value>,
    pub(crate) rollup: String,
    pub(crate) by_account: Vec<AccountRow>,
    pub(crate) by_month: Vec<MonthRow>,
    pub(crate) organization_accounts: Option<OrganizationAccounts>,
    pub(crate) collapsed: Collapsed,
    pub(crate) faults: BTreeMap<String, u64>,
    pub(crate) remediation: BTreeMap<String, LaneLine>,
    pub(crate) sample: SampleLine,
    pub(crate) digests: Option<DigestsResult>,
}

/// The program that made a result.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ToolResult {
    pub(crate) version: String,
    pub(crate) commit: Option<String>,
}

/// Something that a result takes for granted.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AssumptionResult {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) text: String,
}

/// Objects in scope, by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Tally {
    pub(crate) compliant: u64,
    pub(crate) violation: u64,
    pub(crate) undetermined: u64,
    pub(crate) excepted: u64,
}

impl Tally {
    pub(crate) fn verdicts(&self) -> [u64; 4] {
        [self.compliant, self.violation, self.undetermined, self.excepted]
    }

    pub(crate) fn in_scope(&self) -> u64 {
        self.verdicts().into_iter().fold(0, u64::saturating_add)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let sums = [&mut self.compliant, &mut self.violation, &mut self.undetermined, &mut self.excepted];
        sums.into_iter().zip(other.verdicts()).for_each(|(sum, number)| *sum = sum.saturating_add(number));
    }
}

impl From<&Counts> for Tally {
    fn from(counts: &Counts) -> Self {
        let Counts { compliant, violation, undetermined, excepted, .. } = *counts;
        Self { compliant, violation, undetermined, excepted }
    }
}

impl From<&RuleLine> for Tally {
    fn from(line: &RuleLine) -> Self {
        let RuleLine { compliant, violation, undetermined, excepted, .. } = *line;
        Self { compliant, violation, undetermined, excepted }
    }
}

/// The objects of a bucket, account, kind and Region.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AccountRow {
    pub(crate) account: Box<str>,
    pub(crate) kind: Box<str>,
    pub(crate) region: Box<str>,
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    pub(crate) out_of_scope: u64,
}

/// The objects of a bucket, account and month.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MonthRow {
    pub(crate) account: Box<str>,
    pub(crate) month: Box<str>,
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    pub(crate) out_of_scope: u64,
}

/// How to put objects right.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanResult {
    pub(crate) headline: String,
    pub(crate) target_key: Option<String>,
    pub(crate) total: PlanTotal,
    pub(crate) reasons: Vec<PlanReason>,
    pub(crate) cost: PlanCost,
    pub(crate) time: PlanTime,
    pub(crate) prices: PlanPrices,
    pub(crate) blocked: PlanBlocked,
    pub(crate) notes: Vec<PlanNote>,
}

/// All lanes together.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanTotal {
    pub(crate) objects: u64,
    pub(crate) jobs: u64,
}

/// Why objects are in a lane.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanReason {
    pub(crate) lane: String,
    pub(crate) text: String,
}

/// What it costs.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanCost {
    pub(crate) currency: String,
    pub(crate) total: UsdRange,
}

/// An amount of money, from least to most; nothing where a price is not known.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct UsdRange {
    pub(crate) low: Option<String>,
    pub(crate) high: Option<String>,
}

/// How long it takes.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanTime {
    pub(crate) total: PlanSpan,
}

/// A time and how it is written.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanSpan {
    pub(crate) text: String,
}

/// The prices that were used.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanPrices {
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) source: String,
}

/// What Object Lock keeps from being changed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanBlocked {
    pub(crate) objects: u64,
    pub(crate) free: Vec<PlanFree>,
    pub(crate) retained: Vec<PlanFree>,
    pub(crate) without_date: Amount,
}

/// Objects whose retention ends in a month.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanFree {
    pub(crate) month: String,
    pub(crate) objects: u64,
}

/// Something to know before it is carried out.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanNote {
    pub(crate) text: String,
}

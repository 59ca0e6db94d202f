//! Results that are joined to an audit, as far as a report shows them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::outcome::Outcome;

pub(super) const DIGESTS_SCHEMA: &str = crate::digests::DIGESTS_SCHEMA;
pub(super) const SETTINGS_SCHEMA: &str = crate::settings::SETTINGS_SCHEMA;
pub(super) const RECONCILE_SCHEMA: &str = crate::reconcile::RECONCILE_SCHEMA;

/// Whether logs are whole, by their digests.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DigestsResult {
    pub(crate) outcome: Outcome,
    pub(crate) outcome_reasons: Vec<String>,
    pub(crate) window: DigestsWindow,
    pub(crate) logs_hashed: bool,
    pub(crate) digests: BTreeMap<String, u64>,
    pub(crate) logs: BTreeMap<String, u64>,
    pub(crate) gaps: u64,
    pub(crate) places: Vec<DigestsPlace>,
    pub(crate) chains_total: u64,
    pub(crate) finished_at: String,
}

/// The time that digests cover.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DigestsWindow {
    pub(crate) first: Option<String>,
    pub(crate) last: Option<String>,
}

/// An account and Region.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DigestsPlace {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) first_start: Option<String>,
    pub(crate) last_end: Option<String>,
    pub(crate) digests: u64,
    pub(crate) digests_verified: u64,
    pub(crate) logs: u64,
    pub(crate) logs_verified: u64,
    pub(crate) unreferenced: u64,
    pub(crate) gaps: u64,
}

/// What the settings are.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SettingsResult {
    pub(crate) policy: SettingsStandard,
    pub(crate) as_of: String,
    pub(crate) outcome: Outcome,
    pub(crate) outcome_reasons: Vec<String>,
    pub(crate) by_check: BTreeMap<String, BTreeMap<String, u64>>,
    pub(crate) coverage: SettingsCovered,
    pub(crate) kpi: SettingsFigures,
}

/// The standard that settings were held against.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SettingsStandard {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// The accounts that were looked at.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SettingsCovered {
    pub(crate) accounts: SettingsAccounts,
}

/// How many accounts there are.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SettingsAccounts {
    pub(crate) listed: u64,
    pub(crate) exported: u64,
    pub(crate) covered: u64,
}

/// How many trails there are.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SettingsFigures {
    pub(crate) trails: u64,
    pub(crate) trails_compliant: u64,
}

/// What became of the objects that were to be put right.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReconcileResult {
    pub(crate) outcome: String,
    pub(crate) outcome_reasons: Vec<String>,
    pub(crate) finished_at: String,
    pub(crate) audit: ReconciledAudit,
    pub(crate) counts: ReconciledCounts,
}

/// The objects that were to be put right, by what became of them.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReconciledCounts {
    pub(crate) rows: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) never_attempted: u64,
    pub(crate) restored: u64,
    pub(crate) unknown_operation: u64,
    pub(crate) changed_since: u64,
}

/// The audit whose objects were asked for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReconciledAudit {
    pub(crate) summary_sha256: String,
    pub(crate) is_whole: bool,
}

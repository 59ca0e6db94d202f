//! `summary.json`: what was verified, and what it comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::chains::{ChainLine, ChainTotal, Window};
use super::collect::{Collected, Fault};
use super::findings::Worst;
use super::inventory::InventoryFacts;
use super::keys::KeyList;
use super::logs::LogTotals;
use super::slot::ChainKind;
use super::status::{DigestStatus, DigestTally, LogStatus, LogTally};
use super::{DigestsOptions, LogContents, shown};
use crate::report::{Outcome, ToolFacts};
use crate::timestamp::Timestamp;

/// The name of this form of `summary.json`.
pub const DIGESTS_SCHEMA: &str = "logseal.digests/1";

/// Why an outcome is no pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestsReason {
    /// Digests are changed, damaged or not where they belong.
    InvalidDigests,
    /// Digests are not there that others name.
    MissingDigests,
    /// Logs are changed or damaged.
    InvalidLogs,
    /// Logs are not there that digests list.
    MissingLogs,
    /// Logs that digests list are not in the inventory.
    LogsNotInInventory,
    /// Digests could not be verified.
    UnprovenDigests,
    /// Only digests that could not be verified list some logs.
    UnprovenLogs,
    /// Hours are without a digest.
    Gaps,
    /// Chains do not cover the window.
    WindowNotCovered,
    /// Files could not be read.
    Faults,
    /// There is no digest.
    NothingExamined,
}

impl DigestsReason {
    fn is_violation(self) -> bool {
        use DigestsReason as Reason;
        matches!(
            self,
            Reason::InvalidDigests
                | Reason::MissingDigests
                | Reason::InvalidLogs
                | Reason::MissingLogs
                | Reason::LogsNotInInventory
        )
    }
}

/// `summary.json`.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct DigestsSummary {
    pub schema: &'static str,
    pub tool: ToolFacts,
    pub started_at: String,
    pub finished_at: String,
    pub outcome: Outcome,
    pub outcome_reasons: Vec<DigestsReason>,
    pub roots: Vec<String>,
    pub public_keys: Vec<KeyList>,
    pub window: WindowLine,
    /// Whether logs were read.
    pub logs_hashed: bool,
    /// By status, and their total, with those that are missing.
    pub digests: BTreeMap<&'static str, u64>,
    /// By status, and how many digests list.
    pub logs: BTreeMap<&'static str, u64>,
    pub relocated: u64,
    pub stored_plain: u64,
    pub gaps: u64,
    pub windows_not_covered: u64,
    /// Files that are neither digests nor logs.
    pub other_files: u64,
    pub links_not_followed: u64,
    pub faults: BTreeMap<&'static str, u64>,
    pub named_faults: Vec<Fault>,
    pub places: Vec<PlaceLine>,
    /// How many chains there are; very many are not all listed.
    pub chains_total: u64,
    pub chains: Vec<ChainLine>,
    pub inventory: Option<InventoryFacts>,
    /// Against an inventory only.
    pub by_month: Vec<MonthPlace>,
    pub timing: DigestsTiming,
    /// Lines of `findings.csv` that people should see first.
    #[serde(skip)]
    pub(super) worst: Vec<String>,
}

/// The window that must be covered.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct WindowLine {
    pub since: Option<String>,
    pub until: Option<String>,
}

/// An account in a Region.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct PlaceLine {
    pub account: String,
    pub region: String,
    pub first_start: Option<String>,
    pub last_end: Option<String>,
    pub digests: u64,
    pub digests_verified: u64,
    pub logs: u64,
    pub logs_verified: u64,
    pub unreferenced: u64,
    pub gaps: u64,
}

/// A month of an account in a Region.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct MonthPlace {
    pub account: String,
    pub region: String,
    pub month: String,
    pub listed: u64,
    pub not_in_inventory: u64,
    pub unreferenced: u64,
}

/// How long it took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DigestsTiming {
    pub elapsed_ms: u64,
    pub digests_per_second: u64,
    pub bytes_read: u64,
}

/// What a summary is made of.
pub(super) struct Facts<'f> {
    pub(super) options: &'f DigestsOptions,
    pub(super) key_lists: Vec<KeyList>,
    pub(super) inventory: Option<InventoryFacts>,
    pub(super) digests: DigestTally,
    pub(super) logs: LogTotals,
    pub(super) chains: Vec<ChainLine>,
    pub(super) chain_total: ChainTotal,
    pub(super) collected: Collected,
    pub(super) worst: Worst,
    pub(super) times: (Timestamp, Duration),
}

impl DigestsSummary {
    pub(super) fn new(facts: Facts<'_>) -> Self {
        let Facts { options, key_lists, inventory, digests, logs, chains, chain_total, collected, worst, times } =
            facts;
        let reasons = reasons(&digests, &logs.tally, &chain_total, &collected);
        let Window { since, until } = options.window;
        let (started_at, elapsed) = times;
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let by_status = |status: DigestStatus| (status.as_str(), digests.get(status));
        let with_total = DigestStatus::ALL.into_iter().map(by_status).chain([("total", digests.total())]);
        let by_log_status = |status: LogStatus| (status.as_str(), logs.tally.get(status));
        let with_listed = LogStatus::ALL.into_iter().map(by_log_status).chain([("listed", logs.tally.listed())]);
        Self {
            schema: DIGESTS_SCHEMA,
            tool: ToolFacts { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            started_at: started_at.to_string(),
            finished_at: Timestamp::now().to_string(),
            outcome: outcome(&reasons),
            outcome_reasons: reasons,
            roots: options.roots.iter().map(|root| shown(root)).collect(),
            public_keys: key_lists,
            window: WindowLine { since: since.map(|time| time.to_string()), until: until.map(|time| time.to_string()) },
            logs_hashed: options.log_contents == LogContents::Hashed,
            digests: with_total.collect(),
            logs: with_listed.collect(),
            relocated: collected.relocated,
            stored_plain: collected.stored_plain,
            gaps: chain_total.gaps,
            windows_not_covered: chain_total.uncovered,
            other_files: collected.other_files,
            links_not_followed: collected.links,
            faults: collected.faults,
            named_faults: collected.named_faults,
            places: places(&chains, &logs),
            chains_total: chain_total.chains,
            chains,
            inventory,
            by_month: by_month(&logs),
            timing: DigestsTiming {
                elapsed_ms,
                digests_per_second: digests.total().saturating_mul(1000) / elapsed_ms.max(1),
                bytes_read: collected.bytes,
            },
            worst: worst.into_iter().map(|(_, line)| String::from_utf8_lossy(&line).trim_end().to_owned()).collect(),
        }
    }
}

fn reasons(digests: &DigestTally, logs: &LogTally, chains: &ChainTotal, collected: &Collected) -> Vec<DigestsReason> {
    use DigestsReason as Reason;
    let is_missing = |status: DigestStatus| status == DigestStatus::Missing;
    let some_digest = |holds: &dyn Fn(DigestStatus) -> bool| {
        DigestStatus::ALL.into_iter().any(|status| digests.get(status) > 0 && holds(status))
    };
    let log_is_apart = |status| matches!(status, LogStatus::Missing | LogStatus::NotInInventory);
    let some_invalid_log =
        LogStatus::ALL.into_iter().any(|status| logs.get(status) > 0 && status.is_violation() && !log_is_apart(status));
    let unproven = |status: DigestStatus| status != DigestStatus::Verified && !status.is_violation();
    let all = [
        (Reason::InvalidDigests, some_digest(&|status| status.is_violation() && !is_missing(status))),
        (Reason::MissingDigests, some_digest(&is_missing)),
        (Reason::InvalidLogs, some_invalid_log),
        (Reason::MissingLogs, logs.get(LogStatus::Missing) > 0),
        (Reason::LogsNotInInventory, logs.get(LogStatus::NotInInventory) > 0),
        (Reason::UnprovenDigests, some_digest(&unproven)),
        (Reason::UnprovenLogs, logs.get(LogStatus::UnverifiedDigest) > 0),
        (Reason::Gaps, chains.gaps > 0),
        (Reason::WindowNotCovered, chains.uncovered > 0),
        (Reason::Faults, !collected.faults.is_empty()),
        (Reason::NothingExamined, digests.total() == digests.get(DigestStatus::Missing)),
    ];
    all.into_iter().filter_map(|(reason, holds)| holds.then_some(reason)).collect()
}

fn outcome(reasons: &[DigestsReason]) -> Outcome {
    match reasons {
        [] => Outcome::Pass,
        reasons if reasons.iter().any(|reason| reason.is_violation()) => Outcome::Violations,
        _ => Outcome::Incomplete,
    }
}

/// Chains and logs by account and Region.
fn places(chains: &[ChainLine], logs: &LogTotals) -> Vec<PlaceLine> {
    let mut places: BTreeMap<(String, String), PlaceLine> = BTreeMap::new();
    for chain in chains {
        let place = places.entry((chain.account.to_string(), chain.region.to_string())).or_default();
        place.digests += chain.digests;
        place.digests_verified += chain.verified;
        place.gaps += chain.gaps;
        if chain.kind == ChainKind::Backfill {
            continue;
        }
        // Times in this form have the order of their texts.
        place.first_start = place.first_start.take().into_iter().chain(chain.first_start.clone()).min();
        place.last_end = place.last_end.take().max(chain.last_end.clone());
    }
    for (group, tally) in &logs.groups {
        let place = places.entry(names_of(group)).or_default();
        place.logs += tally.listed();
        place.logs_verified += tally.get(LogStatus::Verified);
        place.unreferenced += tally.get(LogStatus::Unreferenced);
    }
    let named = places.into_iter().map(|((account, region), place)| PlaceLine { account, region, ..place });
    named.collect()
}

fn by_month(logs: &LogTotals) -> Vec<MonthPlace> {
    let line = |(group, tally): (&super::logs::Group, &LogTally)| {
        let month = group.month?.to_string();
        let (account, region) = names_of(group);
        Some(MonthPlace {
            account,
            region,
            month,
            listed: tally.listed(),
            not_in_inventory: tally.get(LogStatus::NotInInventory),
            unreferenced: tally.get(LogStatus::Unreferenced),
        })
    };
    logs.groups.iter().filter_map(line).collect()
}

fn names_of(group: &super::logs::Group) -> (String, String) {
    let name = |name: Option<String>| name.unwrap_or_else(|| "-".to_owned());
    (name(group.account.map(|account| account.to_string())), name(group.region.map(|region| region.to_string())))
}

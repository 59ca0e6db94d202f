//! `summary.json`: what was verified, and what it comes to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::DigestsOptions;
use super::LogContents;
use super::chains::{ChainLine, ChainTotal, Walked, Window};
use super::collect::{Collected, Fault};
use super::findings::Worst;
use super::inventory::InventoryFacts;
use super::judge::DigestTotals;
use super::keys::KeyList;
use super::logs::LogTotals;
use super::slot::ChainKind;
use super::status::{DigestStatus, DigestTally, LogStatus, LogTally};
use crate::assumptions::{AssumptionLine, Assumptions};
use crate::delivery::Delivered;
use crate::escape::escape;
use crate::outcome::{Outcome, ToolFacts};
use crate::source::GivenPaths;
use crate::spans::Spans;
use crate::timestamp::Timestamp;

/// The name of this form of `summary.json`.
pub const DIGESTS_SCHEMA: &str = "logseal.digests/1";

/// Why an outcome is no pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Chains do not cover the window, or none is in it.
    WindowNotCovered,
    /// Files in log folders are listed by no digest.
    UnreferencedLogs,
    /// Accounts have logs in Regions without a chain.
    NoChain,
    /// There is no inventory of a bucket whose logs are listed.
    NotCoveredByInventory,
    /// Logs are missing from an inventory that may be too old to know them.
    TooNew,
    /// Digests lie at paths of which nobody knows the bucket.
    LayoutUnknown,
    /// Links lead out of the roots.
    Links,
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

/// What a verification of digests came to: `summary.json`, or the section `digests` of an audit's. All of it but
/// `started_at`, `finished_at` and `timing` is the same for any number of workers.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DigestsSummary {
    /// The name of its form, [`DIGESTS_SCHEMA`].
    pub schema: &'static str,
    /// The program that made it.
    pub tool: ToolFacts,
    /// When the verification began, in UTC.
    pub started_at: String,
    /// When the verification ended, in UTC.
    pub finished_at: String,
    /// What it comes to: a pass only if there are no `outcome_reasons`.
    pub outcome: Outcome,
    /// Everything that stands between the result and a pass.
    pub outcome_reasons: Vec<DigestsReason>,
    /// What the outcome takes for granted and no input proves.
    pub assumptions: Vec<AssumptionLine>,
    /// The last parts of the paths of the roots, escaped.
    pub roots: Vec<String>,
    /// The lists of public keys, which all trust rests on, in the order in which they were given.
    pub public_keys: Vec<KeyList>,
    /// The time that must be covered, and how far verified digests reach in it.
    pub window: WindowLine,
    /// Whether the content of logs was read (`--logs`). If not, nothing is said of it.
    pub logs_hashed: bool,
    /// Digests by status, under the names of [`DigestStatus::as_str`], each of which is there; and `total`, their sum,
    /// with those that are missing.
    pub digests: BTreeMap<&'static str, u64>,
    /// Logs by status, under the names of [`LogStatus::as_str`], each of which is there; and `listed`, the sum of those
    /// that digests list ([`LogStatus::is_listed`]).
    pub logs: BTreeMap<&'static str, u64>,
    /// Files of digests that lie in another bucket than their content names, or at a path of which nobody knows the
    /// bucket.
    pub relocated: u64,
    /// Digests and logs at other paths of their bucket that are at their own as well, and identical copies of logs.
    pub copies: u64,
    /// Digests that lie at a path of which nobody knows the bucket; one more if a root mirrors a bucket both in a
    /// folder of its name and without one.
    pub layout_unknown: u64,
    /// Digests and logs that were read and are stored decompressed.
    pub stored_plain: u64,
    /// Holes in hourly chains, inside of the window, that nothing explains. The hours of missing digests are none.
    pub gaps: u64,
    /// Hourly chains that do not cover the window, where that was not accepted.
    pub windows_not_covered: u64,
    /// Whole hours of the window that verified digests are of, those of all hourly chains added up.
    pub hours: u64,
    /// Accounts and Regions with logs or backfill digests of the window, and without an hourly chain.
    pub no_chain: Vec<NoChain>,
    /// Buckets of listed logs of which there is no inventory, escaped; with very many, some of them.
    pub not_covered_by_inventory: Vec<String>,
    /// How often something was accepted that would else be no pass.
    pub accepted: AcceptedLine,
    /// Files that are neither digests nor logs, such as answers of HeadObject, and archives that hold none or were
    /// accepted.
    pub other_files: u64,
    /// Files that macOS leaves beside others, and that hold no log.
    pub passed_over: u64,
    /// Archives that are not read and are no fault, since none of them stands for logs.
    pub other_archives: u64,
    /// Links, and whatever else is no regular file: none is followed.
    pub links_not_followed: u64,
    /// Links that lead out of the roots, or nowhere, and may stand for logs.
    pub links_out: u64,
    /// What could not be read, counted by name. Digests and logs that cannot be read are here and have a status as
    /// well.
    pub faults: BTreeMap<&'static str, u64>,
    /// The first 1,000 of the faults, in order.
    pub named_faults: Vec<Fault>,
    /// What there is of each account and Region, in order. Chains that are not listed in `chains` are not in it.
    pub places: Vec<PlaceLine>,
    /// How many chains there are. The first 200,000 of them are in `chains`.
    pub chains_total: u64,
    /// How many of all chains are hourly ones.
    pub hourly_chains: u64,
    /// The chains, in the order of accounts and Regions; no more than 200,000.
    pub chains: Vec<ChainLine>,
    /// What was read of the inventory; nothing if none was given.
    pub inventory: Option<InventoryFacts>,
    /// Logs by account, Region and month, in order; empty without an inventory.
    pub by_month: Vec<MonthPlace>,
    /// How long it took.
    pub timing: DigestsTiming,
    /// Lines of `findings.csv` that people should see first.
    #[serde(skip)]
    pub(crate) worst: Vec<String>,
    /// For key evidence, if it was asked for.
    #[serde(skip)]
    delivered: Option<Delivered>,
    #[serde(skip)]
    taken: Assumptions,
}

/// An account and a Region with logs and without an hourly chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NoChain {
    /// The account; `-` where the keys of logs name none, or if there are too many to tell them apart.
    pub account: String,
    /// The Region; `-` where the keys of logs name none, or if there are too many to tell them apart.
    pub region: String,
    /// Logs of the window that digests list or that none lists; nought where there are backfill digests only.
    pub logs: u64,
}

/// How often something was accepted.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AcceptedLine {
    /// Files in log folders that no digest lists and that a pattern of `--accept-unreferenced` takes.
    pub unreferenced: u64,
    /// Hourly chains that begin in the window with a verified digest that names none before it (`--accept-starts`).
    pub starts: u64,
    /// Hourly chains that end in the window (`--accept-ends`).
    pub ends: u64,
    /// Holes before a verified digest that begins a chain anew, which need both options.
    pub gaps: u64,
}

/// The window that must be covered, and how far verified digests reach in it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WindowLine {
    /// From when on hourly chains must cover it, in UTC; nothing if it was not said.
    pub since: Option<String>,
    /// Until when hourly chains must cover it, in UTC; nothing if it was not said.
    pub until: Option<String>,
    /// The first moment in the window that a verified digest of an hourly chain is of, in UTC; nothing if there is
    /// none.
    pub first: Option<String>,
    /// The last moment in the window that a verified digest of an hourly chain is of, in UTC; nothing if there is none.
    pub last: Option<String>,
}

/// What there is of an account in a Region.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlaceLine {
    /// The account; `-` where the keys of logs name none, or if there are too many to tell them apart.
    pub account: String,
    /// The Region; `-` where the keys of logs name none, or if there are too many to tell them apart.
    pub region: String,
    /// When the first digest of its hourly chains begins, in UTC; nothing without such a digest.
    pub first_start: Option<String>,
    /// When the last digest of its hourly chains ends, in UTC; nothing without such a digest.
    pub last_end: Option<String>,
    /// Digests of all of its chains, missing ones included.
    pub digests: u64,
    /// Digests of its chains that are verified.
    pub digests_verified: u64,
    /// Logs that digests list.
    pub logs: u64,
    /// Logs that digests list and whose content is verified.
    pub logs_verified: u64,
    /// Files in its log folders that no digest lists, whose time is in the window, and that were not accepted.
    pub unreferenced: u64,
    /// Holes in its hourly chains that nothing explains.
    pub gaps: u64,
}

/// The logs of an account in a Region and a month, held against an inventory.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MonthPlace {
    /// The account; `-` where the keys of logs name none, or if there are too many to tell them apart.
    pub account: String,
    /// The Region; `-` where the keys of logs name none, or if there are too many to tell them apart.
    pub region: String,
    /// The month of the day in the keys of the logs, `2024-05`. Logs whose keys name no day are in no line.
    pub month: String,
    /// Logs that digests list.
    pub listed: u64,
    /// Logs that digests list and that should be in the inventory, and are not.
    pub not_in_inventory: u64,
    /// Logs that no digest lists, in the roots or in the inventory, whose time is in the window, and that were not
    /// accepted.
    pub unreferenced: u64,
}

/// How long a verification took.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DigestsTiming {
    /// How many milliseconds it took from beginning to end.
    pub elapsed_ms: u64,
    /// Digests, missing ones included, in each second of that time.
    pub digests_per_second: u64,
    /// Bytes of files that were read, of archives as they are compressed.
    pub bytes_read: u64,
}

/// What a summary is made of.
pub(super) struct Facts<'f> {
    pub(super) options: &'f DigestsOptions,
    pub(super) key_lists: Vec<KeyList>,
    pub(super) inventory: Option<InventoryFacts>,
    pub(super) digests: DigestTotals,
    pub(super) logs: LogTotals,
    pub(super) walked: Walked,
    pub(super) no_chain: Vec<NoChain>,
    pub(super) collected: Collected,
    pub(crate) worst: Worst,
    pub(super) times: (Timestamp, Duration),
    /// Whether listed logs were kept.
    pub(super) keeps_listed: bool,
}

impl DigestsSummary {
    pub(super) fn new(facts: Facts<'_>) -> Self {
        let reasons = reasons(&facts);
        let Facts {
            options,
            key_lists,
            inventory,
            digests,
            mut logs,
            walked,
            no_chain,
            collected,
            worst,
            times,
            keeps_listed,
        } = facts;
        let delivered = keeps_listed.then(|| delivered(&walked, &mut logs, &no_chain, &collected));
        let assumptions = options.assumptions(inventory.as_ref());
        let (first, last) = walked.times.reach().map_or((None, None), |(first, last)| (Some(first), Some(last)));
        let (chains, chain_total) = (walked.lines, walked.total);
        let (copies, layout_unknown, digests) = (digests.copies + logs.copies, digests.unplaced, digests.tally);
        let Window { since, until } = options.window;
        let (started_at, elapsed) = times;
        let given = GivenPaths::new(options.roots.iter().map(PathBuf::as_path));
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let by_status = |status: DigestStatus| (status.as_str(), digests.get(status));
        let with_total = DigestStatus::ALL.into_iter().map(by_status).chain([("total", digests.total())]);
        let by_log_status = |status: LogStatus| (status.as_str(), logs.tally.get(status));
        let with_listed = LogStatus::ALL.into_iter().map(by_log_status).chain([("listed", logs.tally.listed())]);
        Self {
            schema: DIGESTS_SCHEMA,
            tool: ToolFacts::this(),
            started_at: started_at.to_string(),
            finished_at: Timestamp::now().to_string(),
            outcome: outcome(&reasons),
            outcome_reasons: reasons,
            assumptions: assumptions.lines(),
            roots: options.roots.iter().map(|root| given.name(root)).collect(),
            public_keys: key_lists,
            window: WindowLine {
                since: since.map(|time| time.to_string()),
                until: until.map(|time| time.to_string()),
                first: first.map(|time| time.to_string()),
                last: last.map(|time| time.to_string()),
            },
            logs_hashed: options.log_contents == LogContents::Hashed,
            digests: with_total.collect(),
            logs: with_listed.collect(),
            relocated: collected.relocated,
            copies,
            layout_unknown,
            stored_plain: collected.stored_plain,
            gaps: chain_total.gaps,
            windows_not_covered: chain_total.uncovered,
            hours: chain_total.hours,
            no_chain,
            not_covered_by_inventory: logs.not_covered.iter().map(|bucket| escape(bucket).into_owned()).collect(),
            accepted: AcceptedLine {
                unreferenced: logs.tally.get(LogStatus::AcceptedUnreferenced),
                starts: chain_total.accepted_starts,
                ends: chain_total.accepted_ends,
                gaps: chain_total.accepted_gaps,
            },
            other_files: collected.other_files + logs.unknown,
            passed_over: collected.leavings,
            other_archives: collected.other_archives,
            links_not_followed: collected.links,
            links_out: collected.links_out,
            faults: collected.faults,
            named_faults: collected.named_faults,
            places: places(&chains, &logs),
            chains_total: chain_total.chains,
            hourly_chains: chain_total.hourly,
            chains,
            inventory,
            by_month: by_month(&logs),
            timing: DigestsTiming {
                elapsed_ms,
                digests_per_second: digests.total().saturating_mul(1000) / elapsed_ms.max(1),
                bytes_read: collected.bytes,
            },
            worst: worst.into_iter().map(|(_, line)| String::from_utf8_lossy(&line).trim_end().to_owned()).collect(),
            delivered,
            taken: assumptions,
        }
    }

    /// What the outcome takes for granted, for results that have this one in them.
    pub fn taken_for_granted(&self) -> &Assumptions {
        &self.taken
    }

    /// What is proven of the delivery of logs, which can be taken once, if it was asked for.
    pub(crate) fn take_delivered(&mut self) -> Option<Delivered> {
        self.delivered.take()
    }
}

/// Nobody knows which trail records the events of a bucket, so all chains must be whole, and nothing may be left that could
/// hold others.
fn delivered(walked: &Walked, logs: &mut LogTotals, no_chain: &[NoChain], collected: &Collected) -> Delivered {
    let hides_digests = |what: &str| !what.starts_with("inventory_") && !what.starts_with("metadata_");
    let is_unread = collected.links_out > 0 || collected.faults.keys().any(|what| hides_digests(what));
    let covered = walked.covered.spans();
    let why_not = match () {
        () if !no_chain.is_empty() => Some("accounts have logs in Regions without a chain of digests"),
        () if is_unread => Some("not all that the roots of digests hold could be read"),
        () if walked.total.hourly == 0 => Some("there is no hourly chain of digests"),
        () if covered.is_empty() => Some("the verified digests of all hourly chains have no hour in common"),
        () => None,
    };
    let spans = if why_not.is_none() { covered } else { Spans::default() };
    let listed = std::mem::take(&mut logs.listed);
    Delivered { spans, logs: listed, without_hash: std::mem::take(&mut logs.without_hash), why_not }
}

fn reasons(facts: &Facts<'_>) -> Vec<DigestsReason> {
    let (digests, logs): (&DigestTally, &LogTally) = (&facts.digests.tally, &facts.logs.tally);
    let chains: &ChainTotal = &facts.walked.total;
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
        (Reason::WindowNotCovered, chains.uncovered > 0 || chains.is_untouched()),
        (Reason::UnreferencedLogs, logs.get(LogStatus::Unreferenced) > 0),
        (Reason::NoChain, !facts.no_chain.is_empty()),
        (Reason::NotCoveredByInventory, logs.get(LogStatus::NotCoveredByInventory) > 0),
        (Reason::TooNew, logs.get(LogStatus::TooNew) > 0),
        (Reason::LayoutUnknown, facts.digests.unplaced > 0),
        (Reason::Links, facts.collected.links_out > 0),
        (Reason::Faults, !facts.collected.faults.is_empty()),
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

//! What a look at settings comes to: `summary.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::SettingsOptions;
use super::checks::{Judged, Row, counted, severity};
use super::fixes::is_plain;
use super::model::{Model, SourceFault};
use crate::escape::{escape, harmless};
use crate::iam_policy::Certainty;
use crate::outcome::{Outcome, ToolFacts};
use crate::policy::{Standard, Verdict};

/// The name of this form of `summary.json`.
pub const SETTINGS_SCHEMA: &str = "logseal.settings/1";

/// What a look at settings comes to.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SettingsSummary {
    /// The form of this file, [`SETTINGS_SCHEMA`].
    pub schema: &'static str,
    /// The program.
    pub tool: ToolFacts,
    /// The written standard.
    pub policy: StandardFacts,
    /// What "now" means.
    pub as_of: String,
    /// What it comes to.
    pub outcome: Outcome,
    /// Why it is no pass.
    pub outcome_reasons: Vec<SettingsReason>,
    /// The files that said something, by path.
    pub sources: Vec<SourceLine>,
    /// How much was exported.
    pub coverage: SettingsCoverage,
    /// Rows by verdict.
    pub counts: BTreeMap<&'static str, u64>,
    /// Rows by check and verdict.
    pub by_check: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Rows by account and verdict.
    pub by_account: Vec<AccountLine>,
    /// The exceptions of the standard.
    pub exceptions: Vec<SettingsExceptionLine>,
    /// What is asked for first.
    pub kpi: SettingsFigures,
    /// How many can decrypt, by key.
    pub decrypt: BTreeMap<String, DecryptCounts>,
    /// The worst rows, at most twenty.
    pub worst: Vec<WorstRow>,
    /// How many rows a proposal in `fixes/` would make compliant.
    pub fixes: u64,
    /// The calls that would tell what is not known, at most twenty.
    pub missing: Vec<String>,
    /// Faults by name.
    pub faults: BTreeMap<String, u64>,
    /// The first of them, at most twenty; `faults.jsonl` has all.
    pub first_faults: Vec<SettingsFault>,
    /// The day of the list of frameworks.
    pub frameworks_as_of: String,
}

/// The written standard, as far as results repeat it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StandardFacts {
    /// What it calls itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it came from.
    pub source: String,
    /// The SHA-256 of its text.
    pub sha256: String,
    /// The standard in its own words.
    pub statement: String,
}

/// Why the outcome is no pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SettingsReason {
    /// Something is not as the standard demands.
    Violations,
    /// Something is not known.
    Undetermined,
    /// Something of the exports could not be read or was not asked.
    Faults,
    /// Something was asked and refused, and no other export answers it.
    Refused,
    /// There is no trail that the standard is about.
    NoTrails,
}

/// A file that said something.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SourceLine {
    /// Its path from the last part of what was given on, escaped.
    pub path: String,
    /// The SHA-256 of its content, inflated if it was compressed.
    pub sha256: String,
    /// What it is: `cli_tree`, `envelope`, `config`, `findings`, `times`.
    pub kind: &'static str,
    /// When the newest of it was so.
    pub at: Option<String>,
    /// How many settings it tells.
    pub observations: u64,
}

/// How much was exported.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SettingsCoverage {
    /// The accounts.
    pub accounts: AccountCoverage,
    /// The Regions that must be covered, in any account.
    pub regions: Vec<String>,
    /// Calls that were refused and that no other export answers, by call.
    pub refused: BTreeMap<String, u64>,
    /// Files in folders that are no exports, and were passed over.
    pub passed_over: u64,
}

/// How many accounts were exported.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AccountCoverage {
    /// Those that must be covered.
    pub listed: u64,
    /// Those of them whose trails were asked for.
    pub exported: u64,
    /// Those of them that a trail covers.
    pub covered: u64,
}

/// The rows of an account.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AccountLine {
    /// The account; empty for what belongs to none.
    pub account: String,
    /// Rows by verdict.
    pub counts: BTreeMap<&'static str, u64>,
}

/// An exception of the standard.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SettingsExceptionLine {
    /// Its id.
    pub id: String,
    /// Why it was granted, escaped.
    pub reason: String,
    /// Who answers for it, escaped.
    pub owner: String,
    /// Whether it covers nothing any more.
    pub has_expired: bool,
    /// The rows that it covers.
    pub rows: u64,
}

/// What is asked for first.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SettingsFigures {
    /// Trails, each counted once.
    pub trails: u64,
    /// Trails of which nothing is wrong or unknown.
    pub trails_compliant: u64,
    /// Trails that name a key.
    pub trails_with_key: u64,
    /// Buckets that trails write to.
    pub buckets: u64,
    /// Keys of trails and of these buckets.
    pub keys: u64,
}

/// How many can decrypt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DecryptCounts {
    /// They can.
    pub exact: u64,
    /// They can if the request is right.
    pub conditional: u64,
    /// They may.
    pub unknown: u64,
}

/// One of the worst rows.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WorstRow {
    /// What it is about, escaped.
    pub resource: String,
    /// The check.
    pub check: &'static str,
    /// The verdict.
    pub verdict: &'static str,
    /// The reason.
    pub reason: &'static str,
    /// What is there, escaped.
    pub actual: String,
}

/// What of an export was not understood, or not asked for.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SettingsFault {
    /// Its name.
    pub what: &'static str,
    /// Where it is.
    #[serde(rename = "where")]
    pub place: SettingsFaultPlace,
    /// What is wrong with it, escaped.
    pub why: String,
}

/// Where a fault is.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SettingsFaultPlace {
    /// The file, from the last part of what was given on, escaped; empty if something was not asked for.
    pub file: String,
    /// The line, in a file of lines.
    pub line: Option<u64>,
}

impl SettingsFault {
    pub(super) fn new(SourceFault { path, fault }: &SourceFault) -> Self {
        let place = SettingsFaultPlace { file: path.clone(), line: fault.line };
        Self { what: fault.what, place, why: harmless(&fault.why) }
    }
}

const MOST_ROWS: usize = 20;

impl SettingsSummary {
    pub(super) fn new(
        model: &Model,
        judged: &Judged,
        standard: &Standard,
        options: &SettingsOptions,
        faults: &[SourceFault],
        (fixes, passed_over): (u64, u64),
    ) -> Self {
        let counts = by_verdict(judged.rows.iter());
        let reasons = reasons(judged, &counts, faults);
        Self {
            schema: SETTINGS_SCHEMA,
            tool: ToolFacts::this(),
            policy: StandardFacts {
                name: escape(standard.name.as_bytes()).into_owned(),
                version: escape(standard.version.as_bytes()).into_owned(),
                source: options.policy_source.clone(),
                sha256: standard.sha256.clone(),
                statement: escape(standard.settings.statement.as_bytes()).into_owned(),
            },
            as_of: options.as_of.to_string(),
            outcome: match reasons.first() {
                None => Outcome::Pass,
                Some(SettingsReason::Violations) => Outcome::Violations,
                Some(_) => Outcome::Incomplete,
            },
            outcome_reasons: reasons,
            sources: model.sources.iter().map(source_line).collect(),
            coverage: coverage(judged, passed_over),
            counts,
            by_check: by_check(&judged.rows),
            by_account: by_account(&judged.rows),
            exceptions: exceptions(&judged.rows, standard, options),
            kpi: figures(judged),
            decrypt: decrypt(judged),
            worst: worst(&judged.rows),
            fixes,
            missing: missing(judged),
            faults: counted(faults.iter().map(|fault| fault.fault.what.to_owned())),
            first_faults: faults.iter().take(MOST_ROWS).map(SettingsFault::new).collect(),
            frameworks_as_of: options.frameworks.as_of.clone(),
        }
    }
}

fn reasons(judged: &Judged, counts: &BTreeMap<&'static str, u64>, faults: &[SourceFault]) -> Vec<SettingsReason> {
    let has = |verdict: Verdict| counts.get(verdict.as_str()).is_some_and(|count| *count > 0);
    let reasons = [
        (has(Verdict::Violation), SettingsReason::Violations),
        (has(Verdict::Undetermined), SettingsReason::Undetermined),
        (!faults.is_empty(), SettingsReason::Faults),
        (!judged.refused.is_empty(), SettingsReason::Refused),
        (!judged.trails.iter().any(|trail| trail.is_judged), SettingsReason::NoTrails),
    ];
    reasons.into_iter().filter(|(is_so, _)| *is_so).map(|(_, reason)| reason).collect()
}

fn by_verdict<'r>(rows: impl Iterator<Item = &'r Row>) -> BTreeMap<&'static str, u64> {
    let mut counts: BTreeMap<&'static str, u64> = Verdict::ALL.iter().map(|verdict| (verdict.as_str(), 0)).collect();
    for row in rows {
        *counts.entry(row.conclusion.verdict.as_str()).or_default() += 1;
    }
    counts
}

fn by_check(rows: &[Row]) -> BTreeMap<&'static str, BTreeMap<&'static str, u64>> {
    let mut checks: BTreeMap<&'static str, BTreeMap<&'static str, u64>> = BTreeMap::new();
    for row in rows {
        *checks.entry(row.check).or_default().entry(row.conclusion.verdict.as_str()).or_default() += 1;
    }
    checks
}

fn by_account(rows: &[Row]) -> Vec<AccountLine> {
    let mut accounts: BTreeMap<&str, BTreeMap<&'static str, u64>> = BTreeMap::new();
    for row in rows {
        *accounts.entry(&row.account).or_default().entry(row.conclusion.verdict.as_str()).or_default() += 1;
    }
    let line = |(account, counts): (&str, _)| AccountLine { account: escape(account.as_bytes()).into_owned(), counts };
    accounts.into_iter().map(line).collect()
}

fn source_line(source: &super::model::Source) -> SourceLine {
    SourceLine {
        path: source.path.clone(),
        sha256: source.sha256.clone(),
        kind: source.kind,
        at: source.at.map(|time| time.to_string()),
        observations: source.observations,
    }
}

fn coverage(judged: &Judged, passed_over: u64) -> SettingsCoverage {
    let refused = counted(judged.refused.iter().map(|call| (*call).to_owned()));
    let covered = |row: &&Row| row.check == "account.covered" && row.conclusion.verdict == Verdict::Compliant;
    SettingsCoverage {
        accounts: AccountCoverage {
            listed: judged.accounts.len() as u64,
            exported: judged.accounts.iter().filter(|id| judged.exported.contains(*id)).count() as u64,
            covered: judged.rows.iter().filter(covered).count() as u64,
        },
        regions: judged.regions.iter().map(|region| escape(region.as_bytes()).into_owned()).collect(),
        refused,
        passed_over,
    }
}

fn exceptions(rows: &[Row], standard: &Standard, options: &SettingsOptions) -> Vec<SettingsExceptionLine> {
    let line = |exception: &crate::policy::SettingsException| SettingsExceptionLine {
        id: exception.id.clone(),
        reason: escape(exception.reason.as_bytes()).into_owned(),
        owner: escape(exception.owner.as_bytes()).into_owned(),
        has_expired: options.as_of >= exception.expires,
        rows: rows.iter().filter(|row| row.exception.as_deref() == Some(exception.id.as_str())).count() as u64,
    };
    standard.settings.exceptions.iter().map(line).collect()
}

fn figures(judged: &Judged) -> SettingsFigures {
    let resources = |check: &str| judged.rows.iter().filter(|row| row.check == check).count() as u64;
    let has_key =
        |trail: &&super::checks::TrailLine| trail.settings.as_ref().is_some_and(|settings| settings.key.is_some());
    SettingsFigures {
        trails: judged.trails.len() as u64,
        trails_compliant: judged.trails.iter().filter(|trail| trail.is_compliant).count() as u64,
        trails_with_key: judged.trails.iter().filter(has_key).count() as u64,
        buckets: resources("bucket.default_encryption"),
        keys: resources("key.state"),
    }
}

fn decrypt(judged: &Judged) -> BTreeMap<String, DecryptCounts> {
    let mut keys: BTreeMap<String, DecryptCounts> = BTreeMap::new();
    for row in judged.rows.iter().filter(|row| row.check == "key.decrypt_scope") {
        keys.entry(escape(row.resource.as_bytes()).into_owned()).or_default();
    }
    // Somebody may be allowed in several ways: the surest counts.
    let mut surest: BTreeMap<(&str, &str), Certainty> = BTreeMap::new();
    for decryptor in judged.decryptors.iter().filter(|decryptor| !decryptor.by.starts_with("can give itself")) {
        let known = surest.entry((&decryptor.key, &decryptor.who)).or_insert(decryptor.certainty);
        *known = (*known).min(decryptor.certainty);
    }
    for ((key, _), certainty) in surest {
        let counts = keys.entry(escape(key.as_bytes()).into_owned()).or_default();
        match certainty {
            Certainty::Exact => counts.exact += 1,
            Certainty::Conditional => counts.conditional += 1,
            Certainty::Unknown => counts.unknown += 1,
        }
    }
    keys
}

fn worst(rows: &[Row]) -> Vec<WorstRow> {
    let mut bad: Vec<&Row> = rows
        .iter()
        .filter(|row| matches!(row.conclusion.verdict, Verdict::Violation | Verdict::Undetermined))
        .collect();
    bad.sort_by_key(|row| (row.conclusion.verdict != Verdict::Violation, std::cmp::Reverse(severity(row.check))));
    let shown = |row: &&Row| WorstRow {
        resource: escape(row.resource.as_bytes()).into_owned(),
        check: row.check,
        verdict: row.conclusion.verdict.as_str(),
        reason: row.conclusion.reason,
        actual: escape(row.conclusion.actual.as_bytes()).into_owned(),
    };
    bad.iter().take(MOST_ROWS).map(shown).collect()
}

/// The calls that would tell what is not known.
fn missing(judged: &Judged) -> Vec<String> {
    let mut calls: BTreeSet<String> = BTreeSet::new();
    for row in judged.rows.iter().filter(|row| row.conclusion.verdict == Verdict::Undetermined) {
        calls.extend(call_for(row));
    }
    for (call, place) in &judged.not_asked {
        let region = if place.region.is_empty() { String::new() } else { format!(" --region {}", place.region) };
        calls.insert(format!("aws {call}{region} (account {})", or_management(&place.account)));
    }
    calls.into_iter().take(MOST_ROWS).map(|call| escape(call.as_bytes()).into_owned()).collect()
}

fn or_management(account: &str) -> &str {
    if account.is_empty() { "of the organisation's management" } else { account }
}

fn call_for(row: &Row) -> Option<String> {
    let Row { account, region, resource, .. } = row;
    // People paste this into a shell: a name that could be more than a name is left out.
    let name = resource.strip_prefix("s3://").unwrap_or(resource);
    if ![account, region, name].into_iter().all(is_plain) {
        return None;
    }
    let bucket = resource.strip_prefix("s3://").unwrap_or(resource);
    let key = resource.rsplit('/').next().unwrap_or_default();
    let here = format!("--region {region} (account {account})");
    Some(match row.conclusion.reason {
        "status_absent" if resource.contains(":trail/") => {
            format!("aws cloudtrail get-trail-status --name {resource} {here}")
        }
        "selectors_absent" if resource.contains(":trail/") => {
            format!("aws cloudtrail get-event-selectors --trail-name {resource} {here}")
        }
        "account_not_exported" | "region_not_exported" | "trails_absent" => {
            format!("aws cloudtrail describe-trails in every Region of account {account}")
        }
        "regions_absent" => format!("aws account list-regions (account {account})"),
        "accounts_not_exported" => "aws organizations list-accounts (management account)".to_owned(),
        "grants_absent" => format!("aws kms list-grants --key-id {key} {here}"),
        "key_policy_absent" if row.check.starts_with("key.") => {
            format!("aws kms get-key-policy --policy-name default --key-id {key} {here}")
        }
        "key_not_exported" if row.check.starts_with("key.") => format!("aws kms describe-key --key-id {key} {here}"),
        "rotation_absent" => format!("aws kms get-key-rotation-status --key-id {key} {here}"),
        "tags_absent" => format!("aws kms list-resource-tags --key-id {key} {here}"),
        "iam_decides" | "iam_incomplete" => format!("aws iam get-account-authorization-details (account {account})"),
        "bucket_policy_absent" if bucket != resource => format!("aws s3api get-bucket-policy --bucket {bucket}"),
        "encryption_absent" => format!("aws s3api get-bucket-encryption --bucket {bucket}"),
        "versioning_absent" => format!("aws s3api get-bucket-versioning --bucket {bucket}"),
        "acl_absent" => format!("aws s3api get-bucket-acl --bucket {bucket}"),
        "policies_absent" => "aws organizations list-policies and what follows from it (management account)".to_owned(),
        _ => return None,
    })
}

//! Whether the files of an audit say the same. Whoever changes one by hand, for the better or by mistake, has to be told.

use std::collections::BTreeMap;

use serde_json::Value;

use super::lists::{Files, KeptManifest, SampleRow, UnitTotals, Units};
use super::{Finished, Tally};
use crate::audit::{ExceptionFacts, PolicyFacts};
use crate::escape::escape;
use crate::outcome::Outcome;
use crate::plan::Completeness;
use crate::policy::{Checker, Policy, Reason, Versions};
use crate::population::{ExpectedObjects, SeenAccount};
use crate::rollup::Collapsed;
use crate::timestamp::{Month, Timestamp};
use crate::words::escaped;

/// What lists say beside the summary.
pub(super) struct Lists {
    pub(super) units: Units,
    /// Lines of `faults.jsonl`.
    pub(super) faults: u64,
    pub(super) policy_sha256: String,
    /// Findings by verdict, where they were counted.
    pub(super) findings: Option<BTreeMap<String, u64>>,
}

/// The difference, naming both places.
type Checked = Result<(), String>;

pub(super) fn check(finished: &Finished, lists: &Lists, manifests: &[(usize, KeptManifest)]) -> Checked {
    let audit = &finished.audit;
    same("summary.json: policy.sha256", &audit.policy.sha256, "the SHA-256 of policy.toml", &lists.policy_sha256)?;
    for (at, kept) in manifests {
        let Some(manifest) = audit.sources[*at].manifest.as_ref() else { continue };
        let place = format!("summary.json: sources[{at}].manifest");
        let file = format!("sources/{}/manifest.json", at + 1);
        same(&format!("{place}.sha256"), &manifest.sha256, &format!("the SHA-256 of {file}"), &kept.sha256)?;
        same(&format!("{place}.md5"), &manifest.md5, &format!("the MD5 of {file}"), &kept.md5)?;
        let both = [&manifest.checksum_sha256, &kept.checksum_sha256].map(|hash| hash.clone().unwrap_or_default());
        same(&format!("{place}.checksum_sha256"), &both[0], "the SHA-256 of manifest.checksum", &both[1])?;
    }
    sources(finished, &lists.units, manifests)?;
    policy(finished)?;
    counts(finished)?;
    groups(finished)?;
    population(finished)?;
    rules(finished)?;
    units(finished, &lists.units.totals)?;
    sample(finished)?;
    if let Some(findings) = &lists.findings {
        let counts = &audit.counts;
        let expected =
            [("violation", counts.violation), ("undetermined", counts.undetermined), ("excepted", counts.excepted)];
        for (verdict, count) in expected {
            let listed = findings.get(verdict).copied().unwrap_or(0);
            same(&format!("summary.json: counts.{verdict}"), &count, "the lines of findings.csv", &listed)?;
        }
    }
    let faults = audit.faults.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    same("summary.json: faults", &faults, "the lines of faults.jsonl", &lists.faults)?;
    same("summary.json: sample.lines", &audit.sample.lines, "the rows of sample.csv", &(finished.sample.len() as u64))?;
    let lanes = total(audit.remediation.values().map(|lane| lane.objects));
    same("summary.json: remediation", &lanes, "plan.json: total.objects", &finished.plan.total.objects)?;
    // Every violating object has a lane, and an undetermined one may have.
    let (least, most) = (audit.counts.violation, audit.counts.violation.saturating_add(audit.counts.undetermined));
    if !(least..=most).contains(&lanes) {
        return Err(format!("summary.json: counts.violation is {least}, remediation has {lanes} objects"));
    }
    outcome(finished, manifests)
}

/// The sources against their manifests and the list of data files.
fn sources(finished: &Finished, units: &Units, manifests: &[(usize, KeptManifest)]) -> Checked {
    let audit = &finished.audit;
    let none = Files::new();
    same("the lines of units.csv that name a file again", &units.twice, "what there may be", &0)?;
    for (at, source) in audit.sources.iter().enumerate() {
        let place = format!("summary.json: sources[{at}]");
        let files = units.files.get(&at).unwrap_or(&none);
        same(&format!("{place}.files"), &source.files, "the lines of units.csv", &(files.len() as u64))?;
        let Some((_, kept)) = manifests.iter().find(|(kept, _)| *kept == at) else {
            if audit.coverage.completeness == Completeness::Proven && source.files > 0 {
                return Err(format!("{place} has no manifest, and coverage.completeness is proven"));
            }
            continue;
        };
        let manifest = format!("sources/{}/manifest.json", at + 1);
        if *files != kept.says.files() {
            return Err(format!("units.csv has not the data files that {manifest} lists"));
        }
        let bucket = escape(kept.says.source_bucket.as_bytes()).into_owned();
        same(&format!("{place}.bucket"), &source.bucket.clone().unwrap_or_default(), &manifest, &bucket)?;
        let made = match &kept.says.creation_timestamp {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        let made = made.and_then(Timestamp::from_millis).map(|made| made.to_string()).unwrap_or_default();
        if let Some(created_at) = &source.created_at {
            same(&format!("{place}.created_at"), created_at, &manifest, &made)?;
        }
        if let Some(checksum) = &kept.checksum {
            same("manifest.checksum", checksum, &format!("the MD5 of {manifest}"), &kept.md5)?;
        } else if audit.coverage.completeness == Completeness::Proven {
            return Err(format!("{place} has no manifest.checksum, and coverage.completeness is proven"));
        }
    }
    same(
        "coverage.units_planned",
        &audit.coverage.units_planned,
        "the lines of units.csv",
        &total(units.files.values().map(|files| files.len() as u64)),
    )
}

/// What the summary says of the policy against its text.
fn policy(finished: &Finished) -> Checked {
    let audit = &finished.audit;
    let policy = Policy::from_toml(&finished.policy_text).map_err(|error| format!("policy.toml is none: {error}"))?;
    let as_of = Timestamp::parse(audit.as_of.as_bytes()).ok_or("summary.json: as_of is no time")?;
    let checker = Checker::new(policy, as_of);
    if PolicyFacts::new(&checker, &audit.policy.source) != audit.policy {
        return Err("summary.json: policy is not what policy.toml says".to_owned());
    }
    let exceptions: Vec<&ExceptionFacts> = audit.exceptions.iter().map(|line| &line.facts).collect();
    match exceptions == ExceptionFacts::all(&checker).iter().collect::<Vec<_>>() {
        true => Ok(()),
        false => Err("summary.json: exceptions are not those of policy.toml".to_owned()),
    }
}

/// What rules decided against the totals: objects that no rule decided are in none.
fn rules(finished: &Finished) -> Checked {
    let audit = &finished.audit;
    let unmatched = audit.by_reason.get(Reason::Unmatched.as_str()).copied().unwrap_or(0);
    let violation = total(audit.by_rule.values().map(|rule| rule.violation)).saturating_add(unmatched);
    same("summary.json: counts.violation", &audit.counts.violation, "by_rule and unmatched objects", &violation)?;
    let excepted = total(audit.by_rule.values().map(|rule| rule.excepted));
    same("summary.json: counts.excepted", &audit.counts.excepted, "the sum of by_rule", &excepted)?;
    let compliant = total(audit.by_rule.values().map(|rule| rule.compliant));
    same("summary.json: counts.compliant", &audit.counts.compliant, "the sum of by_rule", &compliant)?;
    let under_kms = ["SSE-KMS", "DSSE-KMS"].iter().filter_map(|status| audit.by_encryption_status.get(*status));
    let under_kms = total(under_kms.map(|amount| amount.objects));
    let keys = &audit.key_coverage;
    same("summary.json: key_coverage.kms_objects", &keys.kms_objects, "objects under KMS", &under_kms)?;
    let by_coverage = total([keys.known, keys.stale, keys.conflicting, keys.unknown].into_iter());
    same("summary.json: key_coverage.kms_objects", &keys.kms_objects, "the sum of its parts", &by_coverage)
}

/// The rows that were drawn against the totals: of each verdict as many as there are, up to a number.
fn sample(finished: &Finished) -> Checked {
    let counts = &finished.audit.counts;
    let verdicts = [
        ("compliant", counts.compliant),
        ("violation", counts.violation),
        ("undetermined", counts.undetermined),
        ("excepted", counts.excepted),
        ("out_of_scope", counts.out_of_scope),
    ];
    for (verdict, count) in verdicts {
        let stratum = format!("verdict:{verdict}");
        let drawn = finished.sample.iter().filter(|row| row.stratum == stratum);
        let expected = count.min(u64::from(finished.audit.sample.per_verdict));
        same(
            &format!("summary.json: counts.{verdict} gives rows to draw"),
            &expected,
            "sample.csv",
            &(drawn.count() as u64),
        )?;
    }
    let is_other =
        |row: &&SampleRow| row.stratum.strip_prefix("verdict:").is_some_and(|verdict| verdict != row.verdict);
    match finished.sample.iter().find(is_other) {
        None => Ok(()),
        Some(row) => {
            Err(format!("sample.csv has a row of {} among those of {}", escaped(&row.verdict), escaped(&row.stratum)))
        }
    }
}

fn same<T: PartialEq + std::fmt::Display>(place: &str, one: &T, other_place: &str, other: &T) -> Checked {
    match one == other {
        true => Ok(()),
        false => Err(format!("{place} is {one}, {other_place} {other}")),
    }
}

fn total(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

/// The totals of the summary, one with another.
fn counts(finished: &Finished) -> Checked {
    let audit = &finished.audit;
    let (counts, bytes) = (&audit.counts, &audit.bytes);
    let verdicts = [counts.compliant, counts.violation, counts.undetermined, counts.excepted, counts.out_of_scope];
    same("summary.json: counts.objects", &counts.objects, "the sum of its verdicts", &total(verdicts.into_iter()))?;
    let rows = counts.objects.saturating_add(counts.delete_markers);
    same("summary.json: counts.rows", &counts.rows, "objects and delete markers", &rows)?;
    same("summary.json: counts.rows", &counts.rows, "coverage.rows_read", &audit.coverage.rows_read)?;
    let of_sources = total(audit.sources.iter().map(|source| source.rows));
    same("summary.json: counts.rows", &counts.rows, "the rows of all sources", &of_sources)?;
    let sizes = [bytes.compliant, bytes.violation, bytes.undetermined, bytes.excepted, bytes.out_of_scope];
    same("summary.json: bytes.objects", &bytes.objects, "the sum of its verdicts", &total(sizes.into_iter()))?;
    let found = counts.violation.saturating_add(counts.undetermined);
    let by_reason = total(audit.by_reason.values().copied());
    same("summary.json: violating and undetermined objects", &found, "the sum of by_reason", &by_reason)?;
    let by_reason = total(audit.excepted_by_reason.values().copied());
    same("summary.json: counts.excepted", &counts.excepted, "the sum of excepted_by_reason", &by_reason)?;
    let covered = total(audit.exceptions.iter().map(|line| line.objects));
    same("summary.json: counts.excepted", &counts.excepted, "the sum of exceptions", &covered)?;
    let by_status = total(audit.by_encryption_status.values().map(|amount| amount.objects));
    same("summary.json: counts.objects", &counts.objects, "the sum of by_encryption_status", &by_status)
}

/// The groups of the summary against its totals.
fn groups(finished: &Finished) -> Checked {
    let audit = &finished.audit;
    if audit.rollup == "none" {
        return Ok(());
    }
    let (mut accounts, mut of_accounts, mut by_account) = (Tally::default(), [0_u64; 3], BTreeMap::new());
    for row in &audit.by_account {
        accounts.add(&row.tally);
        add(&mut of_accounts, [row.objects, row.bytes, row.out_of_scope]);
        by_account.entry(&row.account).or_insert_with(Tally::default).add(&row.tally);
    }
    let (mut months, mut of_months, mut by_month) = (Tally::default(), [0_u64; 3], BTreeMap::new());
    for row in &audit.by_month {
        months.add(&row.tally);
        add(&mut of_months, [row.objects, row.bytes, row.out_of_scope]);
        by_month.entry(&row.account).or_insert_with(Tally::default).add(&row.tally);
    }
    let names = ["compliant", "violation", "undetermined", "excepted"];
    for (at, (name, count)) in names.iter().zip(Tally::from(&audit.counts).verdicts()).enumerate() {
        let place = format!("summary.json: counts.{name}");
        same(&place, &count, "the sum of by_account", &accounts.verdicts()[at])?;
        same(&place, &count, "the sum of by_month", &months.verdicts()[at])?;
    }
    if by_account != by_month && audit.collapsed < Collapsed::Accounts {
        return Err("summary.json: by_account and by_month have other objects of an account".to_owned());
    }
    let by_class = total(audit.by_storage_class.values().map(|amount| amount.objects));
    same("summary.json: counts.objects", &audit.counts.objects, "the sum of by_storage_class", &by_class)?;
    let totals = [
        ("counts.objects", audit.counts.objects),
        ("bytes.objects", audit.bytes.objects),
        ("counts.out_of_scope", audit.counts.out_of_scope),
    ];
    for (at, (name, total)) in totals.iter().enumerate() {
        let place = format!("summary.json: {name}");
        same(&place, total, "the sum of by_account", &of_accounts[at])?;
        same(&place, total, "the sum of by_month", &of_months[at])?;
    }
    Ok(())
}

/// What was said of the population, beside what was found.
fn population(finished: &Finished) -> Checked {
    let audit = &finished.audit;
    for line in &audit.expected_objects {
        let of_it = audit.sources.iter().filter(|source| source.bucket.as_ref() == Some(&line.bucket));
        let expected = ExpectedObjects::new(&line.bucket, line.expected, total(of_it.map(|source| source.rows)));
        if *line != expected {
            return Err("summary.json: expected_objects are not beside the rows of the sources".to_owned());
        }
    }
    let Some(told) = &audit.organization_accounts else { return Ok(()) };
    let now = told.month().ok_or("summary.json: organization_accounts.as_of is no month")?;
    let is_told_apart = !audit.by_month.iter().any(|row| &*row.account == MANY);
    let mut seen: BTreeMap<String, SeenAccount> = BTreeMap::new();
    for row in audit.by_month.iter().filter(|row| !matches!(&*row.account, "-" | MANY)) {
        seen.entry(row.account.to_string()).or_default().add(row.objects, Month::parse(&row.month));
    }
    match *told == told.list().hold_against(is_told_apart.then_some(&seen), now) {
        true => Ok(()),
        false => Err("summary.json: organization_accounts are not those of by_month".to_owned()),
    }
}

/// How groups are called that are not told apart.
const MANY: &str = "(many)";

fn add<const N: usize>(sums: &mut [u64; N], numbers: [u64; N]) {
    sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum = sum.saturating_add(number));
}

fn units(finished: &Finished, units: &UnitTotals) -> Checked {
    let (counts, coverage) = (&finished.audit.counts, &finished.audit.coverage);
    let pairs = [
        ("coverage.units_examined", coverage.units_examined, units.examined),
        ("coverage.units_faulted", coverage.units_faulted, units.faulted),
        ("coverage.rows_rejected", coverage.rows_rejected, units.rejected_rows),
        ("counts.rows", counts.rows, units.rows),
        ("counts.delete_markers", counts.delete_markers, units.delete_markers),
        ("counts.compliant", counts.compliant, units.compliant),
        ("counts.violation", counts.violation, units.violation),
        ("counts.undetermined", counts.undetermined, units.undetermined),
        ("counts.excepted", counts.excepted, units.excepted),
        ("counts.out_of_scope", counts.out_of_scope, units.out_of_scope),
    ];
    pairs.iter().try_for_each(|(name, count, of_units)| {
        same(&format!("summary.json: {name}"), count, "the lines of units.csv", of_units)
    })
}

/// The outcome against everything that must stand between it and a pass.
fn outcome(finished: &Finished, manifests: &[(usize, KeptManifest)]) -> Checked {
    let audit = &finished.audit;
    let coverage = &audit.coverage;
    let looked_at = coverage.units_examined.saturating_add(coverage.units_faulted);
    let of_digests = |outcome: Outcome| audit.digests.as_ref().is_some_and(|digests| digests.outcome == outcome);
    let demanded = BTreeMap::from([
        ("violations", audit.counts.violation > 0),
        ("undetermined", audit.counts.undetermined > 0),
        ("faults", !audit.faults.is_empty()),
        ("units_missing", looked_at != coverage.units_planned),
        ("unproven_completeness", coverage.completeness != Completeness::Proven),
        ("digest_violations", of_digests(Outcome::Violations)),
        ("digests_incomplete", of_digests(Outcome::Incomplete)),
    ]);
    // What a manifest says may be more than what was read.
    let lacks_versions = manifests.iter().any(|(at, kept)| {
        let source = &audit.sources[*at];
        let is_directory = source.bucket.as_deref().is_some_and(|bucket| bucket.ends_with("--x-s3"));
        source.rows > 0 && !is_directory && !kept.says.has_versions()
    });
    let is_listed = audit.outcome_reasons.iter().any(|given| given == "noncurrent_versions_unlisted");
    if lacks_versions && audit.policy.versions == Versions::All && !is_listed {
        return Err(
            "summary.json: outcome_reasons does not list noncurrent_versions_unlisted, a manifest has no VersionId"
                .to_owned(),
        );
    }
    for (reason, is_demanded) in demanded {
        let is_given = audit.outcome_reasons.iter().any(|given| given == reason);
        if is_given != is_demanded {
            let verb = if is_given { "lists" } else { "does not list" };
            return Err(format!("summary.json: outcome_reasons {verb} {reason}, its figures say otherwise"));
        }
    }
    let is_violation = |reason: &String| matches!(reason.as_str(), "violations" | "digest_violations");
    let expected = match audit.outcome_reasons.as_slice() {
        [] => Outcome::Pass,
        reasons if reasons.iter().any(is_violation) => Outcome::Violations,
        _ => Outcome::Incomplete,
    };
    match audit.outcome == expected {
        true => Ok(()),
        false => Err(format!("summary.json: outcome is {:?}, its outcome_reasons make it {expected:?}", audit.outcome)),
    }
}

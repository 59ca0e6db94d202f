//! Whether the files of an audit say the same. Whoever changes one by hand, for the better or by mistake, has to be told.

use std::collections::BTreeMap;

use super::Finished;
use super::lists::{KeptManifest, UnitTotals};
use crate::audit::Counts;
use crate::outcome::Outcome;
use crate::plan::Completeness;

/// What lists say beside the summary.
pub(super) struct Lists {
    pub(super) units: UnitTotals,
    /// Lines of `faults.jsonl`.
    pub(super) faults: u64,
    pub(super) policy_sha256: String,
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
    counts(finished)?;
    groups(finished)?;
    units(finished, &lists.units)?;
    let faults = audit.faults.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    same("summary.json: faults", &faults, "the lines of faults.jsonl", &lists.faults)?;
    same("summary.json: sample.lines", &audit.sample.lines, "the rows of sample.csv", &(finished.sample.len() as u64))?;
    let lanes = total(audit.remediation.values().map(|lane| lane.objects));
    same("summary.json: remediation", &lanes, "plan.json: total.objects", &finished.plan.total.objects)?;
    outcome(finished)
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
    let verdicts = |counts: &Counts| {
        [counts.compliant, counts.violation, counts.undetermined, counts.excepted, counts.out_of_scope]
    };
    let names = ["compliant", "violation", "undetermined", "excepted", "out_of_scope"];
    let (mut accounts, mut of_accounts) = ([0_u64; 5], [0_u64; 2]);
    for row in &audit.by_account {
        add(&mut accounts, [row.compliant, row.violation, row.undetermined, row.excepted, row.out_of_scope]);
        add(&mut of_accounts, [row.objects, row.bytes]);
    }
    let (mut months, mut of_months) = ([0_u64; 5], [0_u64; 2]);
    for row in &audit.by_month {
        add(&mut months, [row.compliant, row.violation, row.undetermined, row.excepted, row.out_of_scope]);
        add(&mut of_months, [row.objects, row.bytes]);
    }
    for (at, (name, count)) in names.iter().zip(verdicts(&audit.counts)).enumerate() {
        let place = format!("summary.json: counts.{name}");
        same(&place, &count, "the sum of by_account", &accounts[at])?;
        same(&place, &count, "the sum of by_month", &months[at])?;
    }
    for (at, (name, total)) in [("counts", audit.counts.objects), ("bytes", audit.bytes.objects)].iter().enumerate() {
        let place = format!("summary.json: {name}.objects");
        same(&place, total, "the sum of by_account", &of_accounts[at])?;
        same(&place, total, "the sum of by_month", &of_months[at])?;
    }
    Ok(())
}

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
fn outcome(finished: &Finished) -> Checked {
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

//! Whether the counts of a shard are all about the same objects, and its units those that it has in the plan.
//!
//! A shard that this program wrote passes: what does not was made by something else, or by a mistake of ours. Sums stop at
//! the largest number, as counts do, so they agree there, too.

use std::collections::{BTreeMap, BTreeSet};

use crate::amounts::{Amount, Verdicts};
use crate::audit::{AuditFacts, shard::ShardFile};
use crate::escape::hex::hex;
use crate::hashes::sha256::Sha256;
use crate::partial::{Partial, Rollups};
use crate::plan::UnitId;
use crate::policy::{ExceptionId, Verdict};
use crate::rollup::{Group, Rollup};
use crate::sample::Stratum;
use crate::sinks::List;

/// Fails with the first sum that is wrong.
pub(super) fn check(shard: &ShardFile<'_>) -> Result<(), &'static str> {
    let (facts, partial) = (&*shard.facts, &*shard.partial);
    check_units(shard)?;
    check_objects(partial)?;
    check_policy(facts)?;
    check_rules(facts, partial)?;
    check_exceptions(facts, partial)?;
    check_rollups(partial)?;
    check_sources(facts, partial)?;
    check_sample(partial)?;
    check_remediation(shard)
}

/// How many lines each list has behind its preamble.
pub(super) fn lines(partial: &Partial) -> [u64; List::ALL.len()] {
    let listed = [Verdict::Violation, Verdict::Undetermined, Verdict::Excepted];
    let findings = sum(listed.map(|verdict| partial.verdicts.get(verdict)));
    let units = partial.examined.len() + partial.faulted.len();
    [findings, sum(partial.faults.values().copied()), units as u64]
}

fn ensure(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}

fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}

fn total(verdicts: &Verdicts) -> u64 {
    sum(Verdict::ALL.map(|verdict| verdicts.get(verdict)))
}

fn all(amounts: impl IntoIterator<Item = Amount>) -> Amount {
    amounts.into_iter().fold(Amount::default(), |mut sum, amount| {
        sum.add(amount);
        sum
    })
}

fn check_units(shard: &ShardFile<'_>) -> Result<(), &'static str> {
    let (facts, partial) = (&shard.facts, &shard.partial);
    ensure(shard.shards.is_sound(), "there is no such shard")?;
    ensure(sum(facts.sources.iter().map(|source| source.files)) == facts.units, "its sources have other units")?;
    ensure(partial.examined.is_disjoint(&partial.faulted), "a unit was examined and was not")?;
    let units = || partial.examined.iter().chain(&partial.faulted);
    let is_own = |unit: &UnitId| u64::from(unit.0) < facts.units && shard.shards.holds(*unit);
    ensure(units().all(is_own), "it has a unit that is none of its own")?;
    ensure(units().count() as u64 == shard.shards.count(facts.units), "it lacks a unit")?;
    // Units without lines are not listed.
    let mut listed = BTreeSet::new();
    let is_examined = |unit: &UnitId| partial.examined.contains(unit) || partial.faulted.contains(unit);
    let is_listed_once = shard.lengths.units().all(|unit| is_examined(&unit) && listed.insert(unit));
    ensure(is_listed_once, "it lists the lines of a unit twice, or of one that is none of its own")
}

fn check_objects(partial: &Partial) -> Result<(), &'static str> {
    let Amount { objects, bytes } = partial.objects;
    let by_status = all(partial.by_status);
    ensure(objects == total(&partial.verdicts), "its objects are not those of its verdicts")?;
    ensure(bytes == total(&partial.bytes), "its bytes are not those of its verdicts")?;
    ensure(by_status == partial.objects, "its objects are not those of its statuses")?;
    let verdict = |verdict| partial.verdicts.get(verdict);
    let found = verdict(Verdict::Violation).saturating_add(verdict(Verdict::Undetermined));
    ensure(sum(partial.by_reason.values().copied()) == found, "its reasons are not those of its verdicts")?;
    let excepted = sum(partial.excepted_by_reason.values().copied());
    ensure(excepted == verdict(Verdict::Excepted), "its exceptions are not those of its verdicts")
}

fn check_exceptions(facts: &AuditFacts, partial: &Partial) -> Result<(), &'static str> {
    let is_own = |exception: &ExceptionId| exception.as_index() < facts.exceptions.len();
    ensure(partial.by_exception.keys().all(is_own), "it has objects of an exception that is not there")?;
    let (verdicts, bytes) = (partial.verdicts.get(Verdict::Excepted), partial.bytes.get(Verdict::Excepted));
    let excepted = Amount { objects: verdicts, bytes };
    ensure(all(partial.by_exception.values().copied()) == excepted, "its exceptions cover other objects")
}

/// What is handed over is the policy that objects were held against.
fn check_policy(facts: &AuditFacts) -> Result<(), &'static str> {
    ensure(hex(&Sha256::of(&facts.policy_text)) == facts.policy.sha256, "the text of its policy is another")
}

/// Objects that no rule is about are of none.
fn check_rules(facts: &AuditFacts, partial: &Partial) -> Result<(), &'static str> {
    ensure(partial.by_rule.len() == facts.policy.rules.len(), "its policy has other rules")?;
    let of_rules = |verdict| sum(partial.by_rule.iter().map(|rule| rule.get(verdict)));
    let is_within = |verdict: &Verdict| of_rules(*verdict) <= partial.verdicts.get(*verdict);
    ensure(Verdict::ALL.iter().all(is_within), "its rules have more objects than there are")
}

fn check_rollups(partial: &Partial) -> Result<(), &'static str> {
    let expected = match partial.terms.rollups {
        Rollups::None => (Verdicts::default(), 0),
        Rollups::UpTo(_) => (partial.verdicts, partial.objects.bytes),
    };
    let by_class = partial.by_class.iter().fold(Amount::default(), |mut sum, amount| {
        sum.add(*amount);
        sum
    });
    let objects = if partial.terms.rollups == Rollups::None { Amount::default() } else { partial.objects };
    ensure(by_class == objects, "its objects are not those of its storage classes")?;
    ensure(sum_up(&partial.by_place) == expected, "its objects are not those of its accounts")?;
    ensure(sum_up(&partial.by_period) == expected, "its objects are not those of its months")
}

fn sum_up<G: Group>(rollup: &Rollup<G>) -> (Verdicts, u64) {
    rollup.iter().fold(Default::default(), |(mut verdicts, bytes): (Verdicts, u64), (_, counts)| {
        verdicts.add(&counts.verdicts);
        (verdicts, bytes.saturating_add(counts.bytes))
    })
}

fn check_sources(facts: &AuditFacts, partial: &Partial) -> Result<(), &'static str> {
    let mut examined: BTreeMap<usize, u64> = BTreeMap::new();
    let ends: Vec<u64> = facts.sources.iter().scan(0, |end, source| Some(add(end, source.files))).collect();
    for unit in &partial.examined {
        *examined.entry(ends.partition_point(|end| *end <= u64::from(unit.0))).or_default() += 1;
    }
    let files: BTreeMap<usize, u64> = partial.sources.iter().map(|(id, source)| (*id, source.files)).collect();
    ensure(files == examined, "its files are not those of its units")?;
    ensure(
        sum(partial.sources.values().map(|source| source.rows)) == partial.rows_read(),
        "its sources have other rows",
    )?;
    let not_examined = (partial.faulted.len() as u64).saturating_add(partial.rows_rejected);
    ensure(sum(partial.faults.values().copied()) == not_examined, "its faults are not those of its files and rows")
}

/// As many rows are drawn of each verdict as there are, or as there may be.
fn check_sample(partial: &Partial) -> Result<(), &'static str> {
    let mut drawn = [0_u64; Verdict::ALL.len()];
    for (stratum, rows) in partial.sample.strata() {
        let mut count = 0;
        for (row, _) in rows {
            ensure(partial.examined.contains(&row.unit), "its sample has a row of a unit that was not examined")?;
            count += 1;
        }
        if let Stratum::Verdict(at) = stratum {
            *drawn.get_mut(usize::from(at)).ok_or("its sample has a verdict that is none")? = count;
        }
    }
    let most = u64::from(partial.terms.sample.per_verdict);
    let expected = Verdict::ALL.map(|verdict| partial.verdicts.get(verdict).min(most));
    ensure(drawn == expected, "its sample has other rows than its verdicts")
}

fn add(sum: &mut u64, number: u64) -> u64 {
    *sum = sum.saturating_add(number);
    *sum
}

fn check_remediation(shard: &ShardFile<'_>) -> Result<(), &'static str> {
    let (counts, verdicts) = (&shard.partial.remediation, &shard.partial.verdicts);
    let of = |is_undetermined| {
        let groups = counts.groups.iter().filter(move |(group, _)| group.kind.is_undetermined == is_undetermined);
        all(groups.map(|(_, amount)| *amount))
    };
    let (violating, undetermined) = (of(false), of(true));
    ensure(violating.objects == verdicts.get(Verdict::Violation), "its lanes are not those of its violations")?;
    ensure(undetermined.objects <= verdicts.get(Verdict::Undetermined), "its lanes have too many objects")?;
    let by_reason = all(counts.reasons.values().copied());
    ensure(by_reason == all([violating, undetermined]), "its lanes have other objects than their reasons")?;
    let mut rows = BTreeMap::new();
    for file in &shard.files {
        add(rows.entry(&file.group).or_default(), file.rows);
    }
    let is_counted =
        |(group, rows): (&_, &u64)| counts.groups.get(*group).is_some_and(|amount| amount.objects == *rows);
    ensure(rows.iter().all(is_counted), "its lists are not those of its lanes")?;
    // Without a target that the policy wants, there is nothing to list.
    let has_lists = shard.facts.policy.remediation.is_some();
    ensure(!has_lists || counts.groups.keys().all(|group| rows.contains_key(group)), "a lane lacks its list")
}

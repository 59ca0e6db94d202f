//! What has been found so far: counts, coverage, rollups. Plain data.
//!
//! A [`Partial`] is the same whether it comes from one unit, a thread, a shard or another machine, and
//! [`Partial::merge`] is the only way to combine two. Merging is associative and commutative: counts are sums that stop
//! at the largest number instead of wrapping, samples are the smallest of their kind, and the rollups give up detail
//! only when the whole has too many groups, which no order of merging can hide.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::amounts::{Amount, Verdicts};
use crate::assumptions::Assumptions;
use crate::batch::ColumnSet;
use crate::evidence::KeyCounts;
use crate::plan::{Checksums, UnitId};
use crate::policy::{ExceptionId, Reason, Status, Verdict};
use crate::readers::UnitFacts;
use crate::remediation::{self, ClassCell};
use crate::rollup::{Collapsed, Group, GroupCounts, Period, Place, Rollup};
use crate::sample::{Sample, SampleTerms};
use crate::timestamp::{Month, Timestamp};

/// How many spellings of what we do not know are kept.
const MAX_SAMPLES: usize = 20;
/// How many bytes of such a spelling are kept.
pub(crate) const MAX_SAMPLE_LEN: usize = 60;

/// How many bytes a place and a period may take together, on average. Those of AWS take about 30; those with names that
/// somebody has invented could take any number.
const MAX_GROUP_BYTES: usize = 48;
/// So many bytes are fine whatever they hold.
const SPARE_BYTES: usize = 1 << 20;
/// Months tell kinds and Regions apart in so many times fewer groups than there may be: it makes most of a summary.
const MONTHS_SHARE: usize = 10;

/// What two partials must agree on to be about the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The fingerprint of the plan.
    pub plan: String,
    /// The SHA-256 of the policy.
    pub policy: String,
    /// What "today" is, in milliseconds since the epoch.
    pub as_of: i64,
    /// What is counted by group.
    pub rollups: Rollups,
    /// Whether checksums are verified.
    pub checksums: Checksums,
    /// How many rows a file of objects to be put right has at most.
    pub manifest_rows: u64,
    /// Whether objects whose key is not known are put right, too.
    pub remediates_undetermined: bool,
    /// The fingerprint of the key evidence; nothing if there is none.
    pub evidence: Option<String>,
    /// What verdicts take for granted.
    pub assumptions: Assumptions,
    /// When evidence was taken that does not say so itself, in milliseconds since the epoch.
    pub evidence_as_of: Option<i64>,
    /// The SHA-256 of what names the keys of aliases; nothing if there are none.
    pub aliases: Option<String>,
    /// How the sample is drawn.
    pub sample: SampleTerms,
    /// The version of this program: verdicts of different versions are not added up.
    pub tool: String,
}

impl Terms {
    /// What decides beside the sources and the policy: the option that sets it, and what it is set to, for people.
    fn settings(&self) -> Vec<(&'static str, String)> {
        // Whoever adds a term has to say here what it is called.
        let Self {
            plan: _,
            policy: _,
            as_of,
            rollups,
            checksums,
            manifest_rows,
            remediates_undetermined,
            evidence,
            assumptions,
            evidence_as_of,
            aliases,
            sample,
            tool,
        } = self;
        let time = |millis: &i64| Timestamp::from_millis(*millis).map_or(millis.to_string(), |time| time.to_string());
        let given = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        vec![
            ("version of logseal", tool.clone()),
            ("--as-of", time(as_of)),
            (
                "--rollup or --max-groups",
                match rollups {
                    Rollups::None => "none".to_owned(),
                    Rollups::UpTo(max_groups) => max_groups.to_string(),
                },
            ),
            ("--no-checksums", (*checksums == Checksums::Skipped).to_string()),
            ("--manifest-rows", manifest_rows.to_string()),
            ("--remediate-undetermined", remediates_undetermined.to_string()),
            ("content of --key-evidence (SHA-256)", given(evidence.clone())),
            ("--evidence-as-of", given(evidence_as_of.as_ref().map(time))),
            ("content of --kms-aliases (SHA-256)", given(aliases.clone())),
            ("--sample", format!("{} a verdict, {} an account", sample.per_verdict, sample.per_account)),
            ("what is taken for granted", {
                let lines = assumptions.lines();
                let names = lines.iter().map(|line| format!("{} {}", line.name, line.value).trim_end().to_owned());
                Some(names.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty()).unwrap_or("nothing".into())
            }),
        ]
    }

    /// The first setting in which they differ: its name, ours and theirs.
    pub(crate) fn differing_setting(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let pairs = self.settings().into_iter().zip(other.settings());
        pairs.into_iter().find(|(ours, theirs)| ours != theirs).map(|(ours, theirs)| (ours.0, ours.1, theirs.1))
    }
}

/// Whether objects are also counted by account and by month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rollups {
    /// They are not: keys and times that the policy does not ask for need not be read.
    None,
    /// They are, and each rollup has no more groups than this.
    UpTo(usize),
}

/// What was read of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCounts {
    /// Data files that were examined.
    pub files: u64,
    /// Their rows, without rejected ones.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The newest last-modified of their rows, in milliseconds since the epoch.
    pub newest: Option<i64>,
    /// Columns that some of its files lack.
    pub lacking: ColumnSet,
    /// Columns that S3 Inventory is not known to have.
    pub unknown_columns: BTreeSet<String>,
}

/// What has been found so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// What it is about.
    pub terms: Arc<Terms>,
    /// Units that count.
    pub examined: BTreeSet<UnitId>,
    /// Units that are faults.
    pub faulted: BTreeSet<UnitId>,
    /// Rows of delete markers.
    pub delete_markers: u64,
    /// Rows that could not be examined.
    pub rows_rejected: u64,
    /// All objects.
    pub objects: Amount,
    /// Objects by verdict.
    pub verdicts: Verdicts,
    /// Bytes by verdict.
    pub bytes: Verdicts,
    /// Objects by encryption status, in the order of [`Status::ALL`].
    pub by_status: [Amount; Status::ALL.len()],
    /// Objects by storage class, in the order of [`ClassCell::all`]; none if nothing is counted by groups.
    pub by_class: [Amount; ClassCell::COUNT],
    /// Violating and undetermined objects by reason.
    pub by_reason: BTreeMap<Reason, u64>,
    /// Excepted objects by reason.
    pub excepted_by_reason: BTreeMap<Reason, u64>,
    /// Excepted objects by the exception that covers them.
    pub by_exception: BTreeMap<ExceptionId, Amount>,
    /// Objects by the rule that decided, in the order of the policy.
    pub by_rule: Vec<Verdicts>,
    /// Objects by place.
    pub by_place: Rollup<Place>,
    /// Objects by period.
    pub by_period: Rollup<Period>,
    /// What the rollups no longer tell apart.
    pub collapsed: Collapsed,
    /// Encryption statuses that we do not know.
    pub unrecognised: BTreeSet<String>,
    /// What was read of each source.
    pub sources: BTreeMap<usize, SourceCounts>,
    /// Faults of units and rows, by name.
    pub faults: BTreeMap<String, u64>,
    /// Objects that are to be put right.
    pub remediation: remediation::RemedyCounts,
    /// What is known of the keys of objects.
    pub keys: KeyCounts,
    /// Rows to re-perform.
    pub(crate) sample: Sample,
}

/// Why two partials cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// They are about different plans.
    #[error("they were made from different sources")]
    Plan,
    /// They are about different policies.
    #[error("they were made with different policies")]
    Policy,
    /// They were made with different settings.
    #[error("they were made with different settings")]
    Settings,
    /// A unit is in both.
    #[error("both have examined unit {}", .0.0)]
    UnitTwice(UnitId),
}

/// Objects of one place with the same outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) month: Option<Month>,
    pub(crate) status: Status,
    pub(crate) ruling: crate::policy::Ruling,
    pub(crate) amount: Amount,
}

impl Partial {
    /// Nothing found yet: merging it changes nothing.
    pub fn new(terms: Arc<Terms>, rules: usize) -> Self {
        Self {
            terms,
            examined: BTreeSet::new(),
            faulted: BTreeSet::new(),
            delete_markers: 0,
            rows_rejected: 0,
            objects: Amount::default(),
            verdicts: Verdicts::default(),
            bytes: Verdicts::default(),
            by_status: Default::default(),
            by_class: Default::default(),
            by_reason: BTreeMap::new(),
            excepted_by_reason: BTreeMap::new(),
            by_exception: BTreeMap::new(),
            by_rule: vec![Verdicts::default(); rules],
            by_place: Rollup::default(),
            by_period: Rollup::default(),
            collapsed: Collapsed::Nothing,
            unrecognised: BTreeSet::new(),
            sources: BTreeMap::new(),
            faults: BTreeMap::new(),
            remediation: remediation::RemedyCounts::default(),
            keys: KeyCounts::default(),
            sample: Sample::default(),
        }
    }

    /// Rows that were examined: delete markers and objects.
    pub fn rows_read(&self) -> u64 {
        self.delete_markers.saturating_add(self.objects.objects)
    }

    /// Adds everything that the other has found.
    ///
    /// # Errors
    /// When both are not about the same thing, or share a unit; nothing is changed then.
    pub fn merge(&mut self, mut other: Self) -> Result<(), MergeError> {
        self.check_mergeable(&other)?;
        self.collapse(other.collapsed);
        other.collapse(self.collapsed);
        self.examined.extend(&other.examined);
        self.faulted.extend(&other.faulted);
        self.delete_markers = self.delete_markers.saturating_add(other.delete_markers);
        self.rows_rejected = self.rows_rejected.saturating_add(other.rows_rejected);
        self.objects.add(other.objects);
        self.verdicts.add(&other.verdicts);
        self.bytes.add(&other.bytes);
        self.by_status.iter_mut().zip(other.by_status).for_each(|(sum, amount)| sum.add(amount));
        self.by_class.iter_mut().zip(other.by_class).for_each(|(sum, amount)| sum.add(amount));
        add_counts(&mut self.by_reason, other.by_reason);
        add_counts(&mut self.excepted_by_reason, other.excepted_by_reason);
        for (exception, amount) in other.by_exception {
            self.by_exception.entry(exception).or_default().add(amount);
        }
        self.by_rule.iter_mut().zip(&other.by_rule).for_each(|(sum, verdicts)| sum.add(verdicts));
        other.unrecognised.into_iter().for_each(|text| keep_sample(&mut self.unrecognised, text));
        for (id, counts) in other.sources {
            self.sources.entry(id).or_default().add(counts);
        }
        add_counts(&mut self.faults, other.faults);
        self.remediation.merge(other.remediation);
        self.keys.merge(other.keys);
        self.sample.merge(other.sample, &self.terms.sample);
        self.by_place.merge(other.by_place);
        self.by_period.merge(other.by_period);
        self.bound_rollups();
        Ok(())
    }

    fn check_mergeable(&self, other: &Self) -> Result<(), MergeError> {
        let (ours, theirs) = (&*self.terms, &*other.terms);
        if ours.plan != theirs.plan {
            return Err(MergeError::Plan);
        }
        if ours.policy != theirs.policy || self.by_rule.len() != other.by_rule.len() {
            return Err(MergeError::Policy);
        }
        if ours != theirs {
            return Err(MergeError::Settings);
        }
        let twice = |unit: &&UnitId| self.examined.contains(unit) || self.faulted.contains(unit);
        match other.examined.iter().chain(&other.faulted).find(twice) {
            Some(unit) => Err(MergeError::UnitTwice(*unit)),
            None => Ok(()),
        }
    }

    /// Counts objects of one place with the same outcome.
    pub(crate) fn count(&mut self, place: &Place, cell: &Cell) {
        let Cell { month, status, ruling, amount } = *cell;
        self.objects.add(amount);
        self.verdicts.count(ruling.verdict, amount.objects);
        self.bytes.count(ruling.verdict, amount.bytes);
        self.by_status[status as usize].add(amount);
        if let Some(reason) = ruling.reason {
            let by_reason = match ruling.verdict {
                Verdict::Excepted => &mut self.excepted_by_reason,
                _ => &mut self.by_reason,
            };
            let sum = by_reason.entry(reason).or_default();
            *sum = sum.saturating_add(amount.objects);
        }
        if let Some(rule) = ruling.rule {
            self.by_rule[rule.as_index()].count(ruling.verdict, amount.objects);
        }
        if self.terms.rollups == Rollups::None {
            return;
        }
        let mut counts = GroupCounts { verdicts: Verdicts::default(), bytes: amount.bytes };
        counts.verdicts.count(ruling.verdict, amount.objects);
        self.by_place.add(place.clone().collapse(self.collapsed), &counts);
        self.by_period.add(place.period(month).collapse(self.collapsed), &counts);
    }

    /// Notes objects that an exception covers; they are counted as well.
    pub(crate) fn count_excepted(&mut self, exception: ExceptionId, amount: Amount) {
        self.by_exception.entry(exception).or_default().add(amount);
    }

    /// Notes a status that we do not know, in its escaped form.
    pub(crate) fn note_unrecognised(&mut self, text: &str) {
        keep_sample(&mut self.unrecognised, text.to_owned());
    }

    /// Notes a fault of a unit or a row.
    pub(crate) fn count_fault(&mut self, code: &str) {
        // No allocation for the millionth row with the same fault.
        match self.faults.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.faults.insert(code.to_owned(), 1)),
        }
    }

    /// Notes what was read of the unit's source.
    pub(crate) fn count_unit(&mut self, unit: UnitId, source: usize, facts: UnitFacts) {
        self.examined.insert(unit);
        let rows = self.rows_read();
        let lacking = ColumnSet::ALL.partition(facts.columns).1;
        let mut counts = SourceCounts {
            files: 1,
            rows,
            bytes: facts.bytes,
            newest: facts.newest,
            lacking,
            unknown_columns: BTreeSet::new(),
        };
        let name = |name: &String| name.chars().take(MAX_SAMPLE_LEN).collect();
        facts.unknown_columns.iter().for_each(|column| keep_sample(&mut counts.unknown_columns, name(column)));
        self.sources.entry(source).or_default().add(counts);
    }

    /// Notes a last-modified time of the source, in milliseconds since the epoch.
    pub(crate) fn note_newest(&mut self, source: usize, millis: i64) {
        let counts = self.sources.entry(source).or_default();
        counts.newest = counts.newest.max(Some(millis));
    }

    fn collapse(&mut self, collapsed: Collapsed) {
        if collapsed > self.collapsed {
            self.collapsed = collapsed;
            self.by_place.collapse(collapsed);
            self.by_period.collapse(collapsed);
        }
    }

    /// Keeps the rollups from growing far beyond their bounds. Counting groups for certain means merging all of them, so
    /// a quarter more is tolerated, which may be groups that stand in several places.
    pub(crate) fn bound_rollups(&mut self) {
        if let Rollups::UpTo(max_groups) = self.terms.rollups
            && !self.fits(max_groups.saturating_add(max_groups / 4))
        {
            self.settle();
        }
    }

    /// Gives up as much detail as it takes to stay within the bounds, and no more: however the parts were merged, the
    /// whole has given up the same when it is settled.
    pub fn settle(&mut self) {
        let Rollups::UpTo(max_groups) = self.terms.rollups else { return };
        loop {
            self.by_place.settle();
            self.by_period.settle();
            let further = self.collapsed.further().filter(|_| !self.fits(max_groups));
            let Some(further) = further else { return };
            self.collapse(further);
        }
    }

    fn fits(&self, max_groups: usize) -> bool {
        let (places, periods) = (self.by_place.load(), self.by_period.load());
        if self.collapsed == Collapsed::Nothing && periods.groups > max_groups / MONTHS_SHARE {
            return false;
        }
        let max_bytes = max_groups.saturating_mul(MAX_GROUP_BYTES).saturating_add(SPARE_BYTES);
        places.groups.max(periods.groups) <= max_groups && places.bytes + periods.bytes <= max_bytes
    }
}

impl SourceCounts {
    fn add(&mut self, other: Self) {
        self.files = self.files.saturating_add(other.files);
        self.rows = self.rows.saturating_add(other.rows);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.newest = self.newest.max(other.newest);
        self.lacking = self.lacking.union(other.lacking);
        other.unknown_columns.into_iter().for_each(|name| keep_sample(&mut self.unknown_columns, name));
    }
}

fn add_counts<K: Ord>(sums: &mut BTreeMap<K, u64>, counts: BTreeMap<K, u64>) {
    for (key, count) in counts {
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(count);
    }
}

/// Keeps the smallest: which they are does not depend on the order in which they come.
fn keep_sample(samples: &mut BTreeSet<String>, text: String) {
    samples.insert(text);
    if samples.len() > MAX_SAMPLES {
        samples.pop_last();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_key::ObjectKey;
    use crate::policy::Ruling;
    use crate::sample::SampleKey;

    fn terms(max_groups: usize) -> Arc<Terms> {
        let text = String::new;
        let (plan, policy, tool) = (text(), text(), text());
        let (rollups, checksums) = (Rollups::UpTo(max_groups), Checksums::Verified);
        let (manifest_rows, remediates_undetermined) = (1, false);
        let (evidence, evidence_as_of, aliases) = (None, None, None);
        Arc::new(Terms {
            plan,
            policy,
            as_of: 0,
            rollups,
            checksums,
            manifest_rows,
            remediates_undetermined,
            evidence,
            assumptions: Assumptions::default(),
            evidence_as_of,
            aliases,
            sample: SampleTerms::new(SampleKey::of("seed"), 3, 1),
            tool,
        })
    }

    /// One unit with one object in a place of its own.
    fn unit(number: u32, max_groups: usize) -> Partial {
        let mut partial = Partial::new(terms(max_groups), 0);
        let key = format!("AWSLogs/{:012}/CloudTrail/us-east-{}/f", number % 7, number % 3);
        let place = Place::new("bucket".into(), &ObjectKey::parse(key.as_bytes()));
        let ruling = Ruling {
            verdict: Verdict::Undetermined,
            reason: Some(Reason::StatusUnrecognised),
            rule: None,
            exception: None,
        };
        let amount = Amount { objects: 1, bytes: u64::MAX / 3 };
        let month = Some(Month::from_index(number % 5));
        partial.count(&place, &Cell { month, status: Status::Unrecognised, ruling, amount });
        partial.note_unrecognised(&format!("status-{}", number * 7 % 40));
        partial.count_fault("row_ragged");
        let facts = UnitFacts {
            rows: 1,
            bytes: 10,
            newest: Some(i64::from(number)),
            columns: ColumnSet::ALL,
            unknown_columns: vec![format!("column-{number}")],
        };
        partial.count_unit(UnitId(number), number as usize % 2, facts);
        partial.bound_rollups();
        partial
    }

    fn merged(order: impl IntoIterator<Item = u32>, max_groups: usize) -> Partial {
        let mut whole = Partial::new(terms(max_groups), 0);
        order.into_iter().for_each(|number| whole.merge(unit(number, max_groups)).expect("mergeable"));
        whole.settle();
        whole
    }

    #[test]
    fn order_and_grouping_do_not_show() {
        for max_groups in [1, 2, 3, 4, 8, 15, 21, 590, 600, 1000] {
            let forward = merged(0..60, max_groups);
            assert_eq!(forward, merged((0..60).rev(), max_groups), "{max_groups}");
            let mut left = merged(0..17, max_groups);
            let mut right = merged(17..40, max_groups);
            right.merge(merged(40..60, max_groups)).expect("mergeable");
            left.merge(right).expect("mergeable");
            left.settle();
            assert_eq!(forward, left, "{max_groups}");
            assert_eq!(forward.objects, Amount { objects: 60, bytes: u64::MAX });
        }
    }

    #[test]
    fn detail_is_given_up_step_by_step() {
        let collapsed = |max_groups| merged(0..60, max_groups).collapsed;
        // 21 places (7 x 3) and 60 periods, 35 of which differ in account and month; without accounts 3 places and 5 periods.
        assert_eq!(collapsed(60 * MONTHS_SHARE), Collapsed::Nothing);
        assert_eq!(collapsed(60 * MONTHS_SHARE - 1), Collapsed::Months);
        assert_eq!(collapsed(35), Collapsed::Months);
        assert_eq!(collapsed(34), Collapsed::Accounts);
        assert_eq!(collapsed(5), Collapsed::Accounts);
        assert_eq!(collapsed(4), Collapsed::Buckets);
    }

    /// A unit with an object in each of so many places.
    fn unit_of(unit: u32, max_groups: usize, places: impl IntoIterator<Item = Place>) -> Partial {
        let mut partial = Partial::new(terms(max_groups), 0);
        let ruling = Ruling { verdict: Verdict::Compliant, reason: None, rule: None, exception: None };
        let amount = Amount { objects: 1, bytes: 1 };
        for place in places {
            partial.count(&place, &Cell { month: None, status: Status::SseKms, ruling, amount });
        }
        partial.examined.insert(UnitId(unit));
        partial.bound_rollups();
        partial
    }

    fn place(bucket: &str, account: u32) -> Place {
        let key = format!("AWSLogs/{account:012}/CloudTrail/us-east-1/f");
        Place::new(bucket.into(), &ObjectKey::parse(key.as_bytes()))
    }

    fn unit_of_accounts(unit: u32, accounts: std::ops::Range<u32>, max_groups: usize) -> Partial {
        unit_of(unit, max_groups, accounts.map(|account| place("bucket", account)))
    }

    #[test]
    fn groups_that_several_units_have_are_counted_once() {
        const ACCOUNTS: u32 = 10_000;
        for (max_groups, expected) in [(ACCOUNTS, Collapsed::Months), (ACCOUNTS - 1, Collapsed::Accounts)] {
            let mut whole = Partial::new(terms(max_groups as usize), 0);
            for unit in 0..5 {
                let part = unit_of_accounts(unit, 0..ACCOUNTS, max_groups as usize);
                whole.merge(part).expect("mergeable");
            }
            whole.settle();
            assert_eq!(whole.collapsed, expected);
            let objects = |counts: &GroupCounts| counts.objects();
            assert!(whole.by_place.iter().all(|(_, counts)| objects(&counts) % 5 == 0));
            assert_eq!(whole.by_place.iter().map(|(_, counts)| objects(&counts)).sum::<u64>(), 50_000);
            assert_eq!(whole.by_period.iter().map(|(_, counts)| objects(&counts)).sum::<u64>(), 50_000);
        }
    }

    #[test]
    fn the_bound_holds_while_units_are_added() {
        let mut whole = Partial::new(terms(10_000), 0);
        for unit in 0..9 {
            whole.merge(unit_of_accounts(unit, unit * 3_000..(unit + 1) * 3_000, 10_000)).expect("mergeable");
            assert!(whole.by_place.load().groups.max(whole.by_period.load().groups) <= 12_500);
        }
        assert_eq!(whole.collapsed, Collapsed::Accounts);
    }

    /// Buckets with long names.
    fn unit_of_buckets(unit: u32, buckets: std::ops::Range<u32>) -> Partial {
        unit_of(unit, 10_000, buckets.map(|bucket| place(&format!("{bucket:0200}"), bucket)))
    }

    #[test]
    fn long_names_take_no_more_than_short_ones() {
        let units = |units: &[u32]| {
            let mut whole = Partial::new(terms(10_000), 0);
            let unit = |unit: &u32| unit_of_buckets(*unit, unit * 900..(unit + 1) * 900);
            units.iter().map(unit).for_each(|unit| whole.merge(unit).expect("mergeable"));
            whole.settle();
            whole
        };
        // 400 bytes for each bucket: 1.44 MB are fine, 1.8 MB are not.
        assert_eq!(units(&[0, 1, 2, 3]).collapsed, Collapsed::Months);
        let whole = units(&[0, 1, 2, 3, 4]);
        assert_eq!(whole.collapsed, Collapsed::Buckets);
        assert_eq!(whole, units(&[4, 2, 0, 3, 1]));
    }

    #[test]
    fn nothing_changes_when_nothing_is_added() {
        let whole = merged(0..5, 100);
        let mut with_nothing = whole.clone();
        with_nothing.merge(Partial::new(terms(100), 0)).expect("mergeable");
        assert_eq!(with_nothing, whole);
    }

    #[test]
    fn what_does_not_belong_together_stays_apart() {
        let refuse = |change: &dyn Fn(&mut Partial)| {
            let mut other = unit(1, 100);
            change(&mut other);
            let mut whole = unit(0, 100);
            let before = whole.clone();
            let error = whole.merge(other).expect_err("refused");
            assert_eq!(whole, before);
            error
        };
        let set = |change: fn(&mut Terms)| move |partial: &mut Partial| change(Arc::make_mut(&mut partial.terms));
        assert_eq!(refuse(&set(|terms| terms.plan.push('x'))), MergeError::Plan);
        assert_eq!(refuse(&set(|terms| terms.policy.push('x'))), MergeError::Policy);
        assert_eq!(refuse(&set(|terms| terms.as_of = 1)), MergeError::Settings);
        assert_eq!(refuse(&|partial| *partial = unit(0, 100)), MergeError::UnitTwice(UnitId(0)));
        let add_fault = |partial: &mut Partial| partial.faulted.extend([UnitId(0)]);
        assert_eq!(refuse(&add_fault), MergeError::UnitTwice(UnitId(0)));
    }

    #[test]
    fn a_partial_survives_being_written_down() {
        let whole = merged(0..60, 20);
        let text = serde_json::to_string(&whole).expect("written");
        assert_eq!(serde_json::from_str::<Partial>(&text).expect("read"), whole);
    }
}

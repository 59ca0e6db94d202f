//! What has been found so far: counts, coverage, rollups. Plain data.
//!
//! A [`Partial`] is the same whether it comes from one unit, a thread, a shard or another machine, and
//! [`Partial::merge`] is the only way to combine two. Merging is associative and commutative: counts are sums that stop
//! at the largest number instead of wrapping, samples are the smallest of their kind, and the rollups give up detail
//! only when the whole has too many groups, which no order of merging can hide.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::object_key::{self, Account, ObjectKey, Region};
use crate::plan::{Checksums, UnitId};
use crate::policy::{Reason, Status, Verdict};
use crate::readers::UnitFacts;
use crate::timestamp::Month;

/// How many spellings of what we do not know are kept.
const MAX_SAMPLES: usize = 20;
/// How many bytes of such a spelling are kept.
pub(crate) const MAX_SAMPLE_LEN: usize = 60;

/// What two partials must agree on to be about the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The fingerprint of the plan.
    pub plan: String,
    /// The SHA-256 of the policy.
    pub policy: String,
    /// What "today" is, in milliseconds since the epoch.
    pub as_of: i64,
    /// How many groups a rollup may have.
    pub max_groups: usize,
    /// Whether checksums are verified.
    pub checksums: Checksums,
    /// The version of this program: verdicts of different versions are not added up.
    pub tool: String,
}

/// Objects and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How many objects.
    pub objects: u64,
    /// The sum of their sizes.
    pub bytes: u64,
}

/// Objects by verdict, in the order of [`Verdict`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts([u64; 5]);

/// The objects of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCounts {
    /// All of them.
    pub all: Amount,
    /// By verdict.
    pub verdicts: Verdicts,
}

/// A dimension of a rollup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Dimension<T> {
    /// The objects do not have it.
    Missing,
    /// What they have.
    Is(T),
    /// Too many groups: it is no longer told apart.
    Many,
}

/// Objects of one bucket, account, kind and Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The bucket's name.
    pub bucket: Dimension<Arc<str>>,
    /// The account in their keys.
    pub account: Dimension<Account>,
    /// A known kind, `other-service` or `other`.
    pub kind: RollupKind,
    /// The Region in their keys.
    pub region: Dimension<Region>,
}

/// Objects of one bucket and account that were last modified in the same month.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Period {
    /// The bucket's name.
    pub bucket: Dimension<Arc<str>>,
    /// The account in their keys.
    pub account: Dimension<Account>,
    /// The month, counted from January 1970.
    pub month: Option<u32>,
}

/// A kind that is safe to count by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RollupKind(&'static str);

/// How much detail the rollups have given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collapsed {
    /// None.
    #[default]
    Nothing,
    /// Accounts are not told apart.
    Accounts,
    /// Neither are Regions.
    Regions,
    /// Neither are buckets.
    Buckets,
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
    /// Violating and undetermined objects by reason.
    pub by_reason: BTreeMap<Reason, u64>,
    /// Excepted objects by reason.
    pub excepted_by_reason: BTreeMap<Reason, u64>,
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
    #[error("they were made with a different --as-of, --max-groups or --no-checksums, or by another version")]
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

impl Amount {
    /// Adds, and stops at the largest number.
    pub fn add(&mut self, other: Self) {
        self.objects = self.objects.saturating_add(other.objects);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Verdicts {
    /// The number for a verdict.
    pub fn get(&self, verdict: Verdict) -> u64 {
        self.0[verdict as usize]
    }

    fn count(&mut self, verdict: Verdict, number: u64) {
        let sum = &mut self.0[verdict as usize];
        *sum = sum.saturating_add(number);
    }

    fn add(&mut self, other: &Self) {
        for (sum, number) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(number);
        }
    }
}

impl GroupCounts {
    fn add(&mut self, other: &Self) {
        self.all.add(other.all);
        self.verdicts.add(&other.verdicts);
    }
}

impl Place {
    /// The place of a key.
    pub(crate) fn new(bucket: Arc<str>, key: &ObjectKey<'_>) -> Self {
        Self {
            bucket: Dimension::Is(bucket),
            account: key.account.map_or(Dimension::Missing, Dimension::Is),
            kind: RollupKind(key.rollup_kind()),
            region: key.region.map_or(Dimension::Missing, Dimension::Is),
        }
    }

    fn period(&self, month: Option<Month>) -> Period {
        Period { bucket: self.bucket.clone(), account: self.account, month: month.map(Month::as_index) }
    }
}

impl RollupKind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl Serialize for RollupKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for RollupKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        object_key::rollup_kind_named(&name).map(Self).ok_or_else(|| D::Error::custom("not a kind"))
    }
}

impl Collapsed {
    fn further(self) -> Option<Self> {
        match self {
            Self::Nothing => Some(Self::Accounts),
            Self::Accounts => Some(Self::Regions),
            Self::Regions => Some(Self::Buckets),
            Self::Buckets => None,
        }
    }
}

/// The key of a rollup, which can give up detail.
pub trait Group: Clone + Ord {
    /// The same group with what `collapsed` says no longer told apart.
    #[must_use]
    fn collapse(self, collapsed: Collapsed) -> Self;
}

impl Group for Place {
    fn collapse(mut self, collapsed: Collapsed) -> Self {
        if collapsed >= Collapsed::Accounts {
            self.account = Dimension::Many;
        }
        if collapsed >= Collapsed::Regions {
            self.region = Dimension::Many;
        }
        if collapsed >= Collapsed::Buckets {
            self.bucket = Dimension::Many;
        }
        self
    }
}

impl Group for Period {
    fn collapse(mut self, collapsed: Collapsed) -> Self {
        if collapsed >= Collapsed::Accounts {
            self.account = Dimension::Many;
        }
        if collapsed >= Collapsed::Buckets {
            self.bucket = Dimension::Many;
        }
        self
    }
}

/// Counts by group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(G, GroupCounts)>", into = "Vec<(G, GroupCounts)>")]
#[serde(bound(serialize = "G: Group + Serialize", deserialize = "G: Group + Deserialize<'de>"))]
pub struct Rollup<G: Group>(BTreeMap<G, GroupCounts>);

impl<G: Group> Rollup<G> {
    /// The groups, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&G, &GroupCounts)> {
        self.0.iter()
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, group: G, counts: &GroupCounts) {
        self.0.entry(group).or_default().add(counts);
    }

    /// Adds the smaller to the larger: a unit with many groups is not copied on its way into the total.
    fn merge(&mut self, mut other: Self) {
        if other.len() > self.len() {
            std::mem::swap(self, &mut other);
        }
        other.0.into_iter().for_each(|(group, counts)| self.add(group, &counts));
    }

    fn collapse(&mut self, collapsed: Collapsed) {
        for (group, counts) in std::mem::take(&mut self.0) {
            self.add(group.collapse(collapsed), &counts);
        }
    }
}

impl<G: Group> Default for Rollup<G> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<G: Group> From<Vec<(G, GroupCounts)>> for Rollup<G> {
    fn from(groups: Vec<(G, GroupCounts)>) -> Self {
        let mut rollup = Self::default();
        groups.into_iter().for_each(|(group, counts)| rollup.add(group, &counts));
        rollup
    }
}

impl<G: Group> From<Rollup<G>> for Vec<(G, GroupCounts)> {
    fn from(rollup: Rollup<G>) -> Self {
        rollup.0.into_iter().collect()
    }
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
            by_reason: BTreeMap::new(),
            excepted_by_reason: BTreeMap::new(),
            by_rule: vec![Verdicts::default(); rules],
            by_place: Rollup::default(),
            by_period: Rollup::default(),
            collapsed: Collapsed::Nothing,
            unrecognised: BTreeSet::new(),
            sources: BTreeMap::new(),
            faults: BTreeMap::new(),
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
        add_counts(&mut self.by_reason, other.by_reason);
        add_counts(&mut self.excepted_by_reason, other.excepted_by_reason);
        self.by_rule.iter_mut().zip(&other.by_rule).for_each(|(sum, verdicts)| sum.add(verdicts));
        other.unrecognised.into_iter().for_each(|text| keep_sample(&mut self.unrecognised, text));
        for (id, counts) in other.sources {
            self.sources.entry(id).or_default().add(counts);
        }
        add_counts(&mut self.faults, other.faults);
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
        let mut counts = GroupCounts { all: amount, verdicts: Verdicts::default() };
        counts.verdicts.count(ruling.verdict, amount.objects);
        self.by_place.add(place.clone().collapse(self.collapsed), &counts);
        self.by_period.add(place.period(month).collapse(self.collapsed), &counts);
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
        let mut counts = SourceCounts { files: 1, rows, bytes: facts.bytes, unknown_columns: BTreeSet::new() };
        let name = |name: &String| name.chars().take(MAX_SAMPLE_LEN).collect();
        facts.unknown_columns.iter().for_each(|column| keep_sample(&mut counts.unknown_columns, name(column)));
        self.sources.entry(source).or_default().add(counts);
    }

    fn collapse(&mut self, collapsed: Collapsed) {
        if collapsed > self.collapsed {
            self.collapsed = collapsed;
            self.by_place.collapse(collapsed);
            self.by_period.collapse(collapsed);
        }
    }

    /// Gives up as much detail as it takes to stay within the bound.
    pub(crate) fn bound_rollups(&mut self) {
        while self.by_place.len().max(self.by_period.len()) > self.terms.max_groups {
            let Some(further) = self.collapsed.further() else { return };
            self.collapse(further);
        }
    }
}

impl SourceCounts {
    fn add(&mut self, other: Self) {
        self.files = self.files.saturating_add(other.files);
        self.rows = self.rows.saturating_add(other.rows);
        self.bytes = self.bytes.saturating_add(other.bytes);
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
    use crate::policy::Ruling;

    fn terms(max_groups: usize) -> Arc<Terms> {
        let text = String::new;
        let (plan, policy, tool) = (text(), text(), text());
        Arc::new(Terms { plan, policy, as_of: 0, max_groups, checksums: Checksums::Verified, tool })
    }

    /// One unit with one object in a place of its own.
    fn unit(number: u32, max_groups: usize) -> Partial {
        let mut partial = Partial::new(terms(max_groups), 0);
        let key = format!("AWSLogs/{:012}/CloudTrail/us-east-{}/f", number % 7, number % 3);
        let place = Place::new("bucket".into(), &ObjectKey::parse(key.as_bytes()));
        let ruling = Ruling { verdict: Verdict::Undetermined, reason: Some(Reason::StatusUnrecognised), rule: None };
        let amount = Amount { objects: 1, bytes: u64::MAX / 3 };
        let month = Some(Month::from_index(number % 5));
        partial.count(&place, &Cell { month, status: Status::Unrecognised, ruling, amount });
        partial.note_unrecognised(&format!("status-{}", number * 7 % 40));
        partial.count_fault("row_ragged");
        let facts = UnitFacts { rows: 1, bytes: 10, unknown_columns: vec![format!("column-{number}")] };
        partial.count_unit(UnitId(number), number as usize % 2, facts);
        partial.bound_rollups();
        partial
    }

    fn merged(order: impl IntoIterator<Item = u32>, max_groups: usize) -> Partial {
        let mut whole = Partial::new(terms(max_groups), 0);
        order.into_iter().for_each(|number| whole.merge(unit(number, max_groups)).expect("mergeable"));
        whole
    }

    #[test]
    fn order_and_grouping_do_not_show() {
        for max_groups in [1, 2, 3, 4, 8, 15, 21, 1000] {
            let forward = merged(0..60, max_groups);
            assert_eq!(forward, merged((0..60).rev(), max_groups), "{max_groups}");
            let mut left = merged(0..17, max_groups);
            let mut right = merged(17..40, max_groups);
            right.merge(merged(40..60, max_groups)).expect("mergeable");
            left.merge(right).expect("mergeable");
            assert_eq!(forward, left, "{max_groups}");
            assert_eq!(forward.objects, Amount { objects: 60, bytes: u64::MAX });
        }
    }

    #[test]
    fn detail_is_given_up_step_by_step() {
        let collapsed = |max_groups| merged(0..60, max_groups).collapsed;
        // 14 places (us-east-0 is a Region too, 7 x 3) and 35 periods; without accounts 3 places and 5 periods.
        assert_eq!(collapsed(35), Collapsed::Nothing);
        assert_eq!(collapsed(34), Collapsed::Accounts);
        assert_eq!(collapsed(5), Collapsed::Accounts);
        assert_eq!(collapsed(4), Collapsed::Buckets);
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

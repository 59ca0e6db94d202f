//! Counts by group, for a million groups in a few megabytes.
//!
//! What is being counted lies in a small sorted map. When that is full it is written down as a `Run`: the groups in
//! order, each told by what it differs in from the one before. Runs of similar length are merged, so that there are few
//! of them and a group is rewritten a few times, not each time that something is added.
//!
//! The same group can therefore stand in several places, and how many groups there are is only known for certain when
//! everything has been merged: [`Rollup::settle`]. [`Rollup::iter`] and comparisons see each group once, settled or not.
//!
//! A settled rollup is the same bytes however it came about, and one with more in it is never fewer bytes: a group
//! written between two others cannot make both of them shorter than they were beside each other. So bytes may decide,
//! as groups do, how much detail is given up, and no order of merging shows.

mod bytes;
mod group;
mod run;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Add as _;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use group::{Collapsed, Dimension, Group, GroupCounts, Period, Place};
use run::{GroupRun, Load, RunWriter, Sum};

/// The map holds fewer groups than this: it stays in the cache, and small beside what it is written to.
const MAX_RECENT: usize = 1 << 13;

/// Counts by group.
#[derive(Clone)]
pub struct Rollup<G: Group> {
    recent: BTreeMap<G, GroupCounts>,
    /// Each at least twice as long as the next.
    runs: Vec<GroupRun<G>>,
}

impl<G: Group> Rollup<G> {
    /// The groups, in order.
    pub fn iter(&self) -> impl Iterator<Item = (G, GroupCounts)> + '_ {
        let recent = self.recent.iter().map(|(group, counts)| (group.clone(), *counts));
        let mut sources: Vec<Box<dyn Iterator<Item = (G, GroupCounts)> + '_>> = vec![Box::new(recent)];
        sources.extend(self.runs.iter().map(|run| Box::new(run.iter()) as Box<_>));
        Sum::new(sources)
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.runs.is_empty()
    }

    /// The number of groups, where those that stand in several places are counted several times, and the bytes of what
    /// has been written down. Both are exact when the rollup is settled.
    pub(crate) fn load(&self) -> Load {
        let recent = Load { groups: self.recent.len(), bytes: 0 };
        self.runs.iter().map(GroupRun::load).fold(recent, Load::add)
    }

    /// Brings all groups together in one run.
    pub fn settle(&mut self) {
        if !self.recent.is_empty() {
            self.write_down();
        }
        if self.runs.len() > 1 {
            let runs = std::mem::take(&mut self.runs);
            self.runs.push(GroupRun::sum(runs));
        }
    }

    pub(crate) fn add(&mut self, group: G, counts: &GroupCounts) {
        self.recent.entry(group).or_default().add(counts);
        if self.recent.len() >= MAX_RECENT {
            self.write_down();
        }
    }

    /// Takes the runs as they are, and adds the smaller map to the larger.
    pub(crate) fn merge(&mut self, mut other: Self) {
        if other.recent.len() > self.recent.len() {
            std::mem::swap(&mut self.recent, &mut other.recent);
        }
        other.recent.into_iter().for_each(|(group, counts)| self.add(group, &counts));
        self.runs.append(&mut other.runs);
        self.merge_runs();
    }

    pub(crate) fn collapse(&mut self, collapsed: Collapsed) {
        self.settle();
        for run in std::mem::take(&mut self.runs) {
            run.into_iter().for_each(|(group, counts)| self.add(group.collapse(collapsed), &counts));
        }
    }

    fn write_down(&mut self) {
        self.runs.push(std::mem::take(&mut self.recent).into_iter().collect());
        self.merge_runs();
    }

    /// Merges the shortest runs first, until each is at least twice as long as the next: then they are few.
    fn merge_runs(&mut self) {
        self.runs.sort_by_key(|run| Reverse(run.len()));
        while let Some(at) = self.runs.windows(2).rposition(|pair| pair[0].len() < 2 * pair[1].len()) {
            let merged = GroupRun::sum(self.runs.drain(at..at + 2).collect());
            self.runs.push(merged);
            self.runs.sort_by_key(|run| Reverse(run.len()));
        }
    }
}

impl<G: Group> Default for Rollup<G> {
    fn default() -> Self {
        Self { recent: BTreeMap::new(), runs: Vec::new() }
    }
}

impl<G: Group> FromIterator<(G, GroupCounts)> for Rollup<G> {
    fn from_iter<I: IntoIterator<Item = (G, GroupCounts)>>(groups: I) -> Self {
        let mut rollup = Self::default();
        groups.into_iter().for_each(|(group, counts)| rollup.add(group, &counts));
        rollup
    }
}

impl<G: Group> PartialEq for Rollup<G> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<G: Group> Eq for Rollup<G> {}

impl<G: Group> fmt::Debug for Rollup<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<G: Group + Serialize> Serialize for Rollup<G> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, G: Group + Deserialize<'de>> Deserialize<'de> for Rollup<G> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(InOrder(PhantomData))
    }
}

/// Reads groups as they were written: in order, and each once.
struct InOrder<G>(PhantomData<G>);

impl<'de, G: Group + Deserialize<'de>> Visitor<'de> for InOrder<G> {
    type Value = Rollup<G>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("groups in order")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut groups: A) -> Result<Self::Value, A::Error> {
        let mut writer = RunWriter::default();
        while let Some((group, counts)) = groups.next_element::<(G, GroupCounts)>()? {
            if writer.last().is_some_and(|last| *last >= group) {
                return Err(A::Error::custom("groups out of order"));
            }
            writer.push(group, &counts);
        }
        let runs = Vec::from_iter(writer.finish());
        Ok(Rollup { recent: BTreeMap::new(), runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_key::ObjectKey;
    use crate::policy::Verdict;

    /// Numbers that are the same each time and look like none.
    fn scattered(count: u64) -> impl Iterator<Item = u64> {
        (1..=count).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
    }

    /// The place of one of `accounts`, and counts of its own.
    fn group(number: u64, accounts: u64) -> (Place, GroupCounts) {
        let account = number % accounts * 7_919;
        let key = match number % 5 {
            0 => "plain".to_owned(),
            1 => format!("AWSLogs/{account:012}/Config/f"),
            region => format!("AWSLogs/{account:012}/CloudTrail/us-east-{region}/f"),
        };
        let bucket: &str = if number.is_multiple_of(3) { "a" } else { "bucket" };
        let mut counts = GroupCounts { bytes: number >> 40, ..GroupCounts::default() };
        counts.verdicts.count(Verdict::ALL[(number >> 8) as usize % 5], number >> 60);
        (Place::new(bucket.into(), &ObjectKey::parse(key.as_bytes())), counts)
    }

    fn plain_sum(groups: impl Iterator<Item = (Place, GroupCounts)>) -> BTreeMap<Place, GroupCounts> {
        let mut sums: BTreeMap<Place, GroupCounts> = BTreeMap::new();
        groups.for_each(|(place, counts)| sums.entry(place).or_default().add(&counts));
        sums
    }

    const ACCOUNTS: u64 = 19_997;

    fn all() -> impl Iterator<Item = (Place, GroupCounts)> {
        scattered(100_000).map(|number| group(number, ACCOUNTS))
    }

    #[test]
    fn counts_are_those_of_a_plain_map() {
        let mut rollup: Rollup<Place> = all().collect();
        let expected = plain_sum(all());
        assert!(rollup.runs.len() > 1 && expected.len() > 4 * MAX_RECENT);
        assert!(rollup.iter().eq(expected.clone()));
        assert!(rollup.load().groups > expected.len());
        rollup.settle();
        assert!(rollup.iter().eq(expected.clone()));
        assert_eq!(rollup.load().groups, expected.len());
    }

    #[test]
    fn order_and_grouping_do_not_show() {
        let groups: Vec<_> = all().collect();
        let mut pieces: Vec<Rollup<Place>> =
            groups.chunks(7_001).map(|chunk| chunk.iter().cloned().collect()).collect();
        let whole: Rollup<Place> = groups.into_iter().collect();
        for stride in [1, 2, 7] {
            let mut merged = Rollup::default();
            (0..stride)
                .for_each(|from| pieces.iter().skip(from).step_by(stride).cloned().for_each(|p| merged.merge(p)));
            assert!(merged == whole, "{stride}");
        }
        while let Some(last) = pieces.pop().filter(|_| !pieces.is_empty()) {
            let middle = pieces.len() / 2;
            pieces[middle].merge(last);
        }
        assert!(pieces.is_empty());
    }

    #[test]
    fn runs_stay_few() {
        let mut rollup = Rollup::default();
        for chunk in 0..200 {
            rollup.merge(scattered(1_000).map(|number| group(number ^ chunk, ACCOUNTS)).collect());
            assert!(rollup.runs.windows(2).all(|pair| pair[0].len() >= 2 * pair[1].len()));
        }
        assert!(rollup.recent.len() < MAX_RECENT);
    }

    #[test]
    fn what_is_no_longer_told_apart_is_added_up() {
        for collapsed in [Collapsed::Nothing, Collapsed::Accounts, Collapsed::Regions, Collapsed::Buckets] {
            let mut rollup: Rollup<Place> = all().collect();
            rollup.collapse(collapsed);
            let expected = plain_sum(all().map(|(place, counts)| (place.collapse(collapsed), counts)));
            assert!(rollup.iter().eq(expected), "{collapsed:?}");
        }
    }

    #[test]
    fn a_rollup_survives_being_written_down() {
        let rollup: Rollup<Place> = all().take(30_000).collect();
        let text = serde_json::to_string(&rollup).expect("written");
        let read: Rollup<Place> = serde_json::from_str(&text).expect("read");
        assert!(read == rollup);
        assert_eq!(read.load().groups, read.iter().count());
        assert!(serde_json::from_str::<Rollup<Place>>("[]").expect("read").is_empty());
    }

    #[test]
    fn groups_that_are_not_in_order_are_refused() {
        let text = |groups: &[&(Place, GroupCounts)]| serde_json::to_string(groups).expect("written");
        let (one, other) = (group(3, 10), group(4, 10));
        assert!(one.0 < other.0);
        assert!(serde_json::from_str::<Rollup<Place>>(&text(&[&one, &other])).is_ok());
        for wrong in [[&other, &one], [&one, &one]] {
            assert!(serde_json::from_str::<Rollup<Place>>(&text(&wrong)).is_err());
        }
    }
}

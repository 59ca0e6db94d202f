//! How much of each list is each unit's: what a shard tells those who join it with others.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{List, ListId};
use crate::plan::UnitId;
use crate::remediation::{Group, GroupId, Groups};

/// How much of each list is each unit's.
pub(crate) type UnitLengths<G = GroupId> = BTreeMap<UnitId, UnitLines<G>>;

/// The lines of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnitLines<G = GroupId> {
    /// Bytes, in the order of [`List::ALL`].
    pub(crate) named: [u64; List::ALL.len()],
    pub(crate) groups: BTreeMap<G, Lines>,
}

/// Lines of one unit in one list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lines {
    pub(crate) len: u64,
    pub(crate) rows: u64,
}

impl Lines {
    pub(crate) fn add(&mut self, other: Self) {
        self.len = self.len.saturating_add(other.len);
        self.rows = self.rows.saturating_add(other.rows);
    }
}

impl<G> Default for UnitLines<G> {
    fn default() -> Self {
        Self { named: [0; List::ALL.len()], groups: BTreeMap::new() }
    }
}

impl UnitLines {
    pub(super) fn add(&mut self, list: ListId, len: u64, rows: u64) {
        match list {
            ListId::Named(list) => self.named[list as usize] += len,
            ListId::Group(id) => {
                self.groups.entry(id).or_default().add(Lines { len, rows });
            }
        }
    }
}

/// The same in the form of a shard's partial: groups are told once.
#[derive(Serialize, Deserialize)]
pub(crate) struct UnitLengthList {
    groups: Vec<Group>,
    units: Vec<UnitEntry>,
}

impl UnitLengthList {
    /// The units, as they are listed.
    pub(crate) fn units(&self) -> impl Iterator<Item = UnitId> + '_ {
        self.units.iter().map(|(unit, ..)| *unit)
    }
}

/// `[unit, [findings, faults, units], [[group, lines], ...]]`
type UnitEntry = (UnitId, [u64; List::ALL.len()], Vec<(usize, Lines)>);

/// With the groups themselves in the place of their numbers.
pub(crate) fn with_groups(lengths: UnitLengths, groups: &Groups) -> UnitLengths<Group> {
    let named = |UnitLines { named, groups: lines }: UnitLines| UnitLines {
        named,
        groups: lines.into_iter().map(|(id, lines)| (groups.get(id), lines)).collect(),
    };
    lengths.into_iter().map(|(unit, lines)| (unit, named(lines))).collect()
}

impl From<UnitLengths<Group>> for UnitLengthList {
    fn from(lengths: UnitLengths<Group>) -> Self {
        let all: BTreeSet<&Group> = lengths.values().flat_map(|lines| lines.groups.keys()).collect();
        let groups: Vec<Group> = all.into_iter().cloned().collect();
        let unit = |(unit, UnitLines { named, groups: lines }): (&UnitId, &UnitLines<Group>)| {
            let lines = lines.iter().filter_map(|(group, lines)| Some((groups.binary_search(group).ok()?, *lines)));
            (*unit, *named, lines.collect())
        };
        let units = lengths.iter().map(unit).collect();
        Self { groups, units }
    }
}

impl From<UnitLengthList> for UnitLengths<Group> {
    /// A group that the list does not tell has no lines, which is found when lines are added up.
    fn from(UnitLengthList { groups, units }: UnitLengthList) -> Self {
        let unit = |(unit, named, lines): UnitEntry| {
            let lines = lines.into_iter().filter_map(|(at, lines)| Some((groups.get(at)?.clone(), lines)));
            (unit, UnitLines { named, groups: lines.collect() })
        };
        units.into_iter().map(unit).collect()
    }
}

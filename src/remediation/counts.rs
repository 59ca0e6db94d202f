//! How much there is to put right.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::group::Group;
use super::lane::{Lane, Why};
use crate::amounts::Amount;
use crate::timestamp::Month;

/// Objects that are to be put right, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemedyCounts {
    /// By group.
    #[serde(with = "pairs")]
    pub groups: BTreeMap<Group, Amount>,
    /// By what put them into their lane.
    #[serde(with = "pairs")]
    pub reasons: BTreeMap<(Lane, Why), Amount>,
    /// Objects that nothing but a retention blocks, by the month in which it ends.
    #[serde(with = "pairs")]
    pub free: BTreeMap<Month, Amount>,
    /// Objects that a hold blocks beside a retention, by the month in which that ends.
    #[serde(with = "pairs")]
    pub retained: BTreeMap<Month, Amount>,
}

impl RemedyCounts {
    /// Adds what the other has counted.
    pub fn merge(&mut self, other: Self) {
        add_all(&mut self.groups, other.groups);
        add_all(&mut self.reasons, other.reasons);
        add_all(&mut self.free, other.free);
        add_all(&mut self.retained, other.retained);
    }
}

fn add_all<K: Ord>(sums: &mut BTreeMap<K, Amount>, amounts: impl IntoIterator<Item = (K, Amount)>) {
    amounts.into_iter().for_each(|(key, amount)| sums.entry(key).or_default().add(amount));
}

/// Maps whose keys are no strings, as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K, V, S>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'d, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'d> + Ord,
        V: Deserialize<'d>,
        D: Deserializer<'d>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

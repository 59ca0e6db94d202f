//! What is known of the keys of objects, counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Weighed;
use crate::amounts::Amount;

/// What is known of the keys of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCounts {
    /// Objects by the key that they are known to be encrypted under.
    pub by_key: BTreeMap<String, Amount>,
    /// Objects under KMS whose key is known.
    pub known: u64,
    /// Objects under KMS whose key may have changed unseen since something was known of it.
    pub stale: u64,
    /// Objects under KMS for which several keys are possible.
    pub conflicting: u64,
    /// Objects that may have got another key after the moment that is audited.
    pub rekeyed_since: u64,
    /// What became of what each source of evidence says.
    pub by_source: BTreeMap<usize, SourceUse>,
}

/// What became of what a source of evidence says, object by object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceUse {
    /// Objects of which it speaks, and whose key is known or named by nothing that counts.
    pub matched: u64,
    /// Objects of which it speaks, and whose key may have changed unseen since.
    pub stale: u64,
    /// Objects of which it speaks, and for which several keys are possible.
    pub conflicting: u64,
}

impl SourceUse {
    pub(crate) fn add(&mut self, weighed: Weighed, objects: u64) {
        match weighed {
            Weighed::Known | Weighed::Keyless => self.matched += objects,
            Weighed::Stale => self.stale += objects,
            Weighed::Conflict => self.conflicting += objects,
            Weighed::Nothing => {}
        }
    }
}

impl KeyCounts {
    /// Adds what others have counted.
    pub(crate) fn merge(&mut self, other: Self) {
        other.by_key.into_iter().for_each(|(key, amount)| self.by_key.entry(key).or_default().add(amount));
        self.known = self.known.saturating_add(other.known);
        self.stale = self.stale.saturating_add(other.stale);
        self.conflicting = self.conflicting.saturating_add(other.conflicting);
        self.rekeyed_since = self.rekeyed_since.saturating_add(other.rekeyed_since);
        for (source, used) in other.by_source {
            let sum = self.by_source.entry(source).or_default();
            sum.matched = sum.matched.saturating_add(used.matched);
            sum.stale = sum.stale.saturating_add(used.stale);
            sum.conflicting = sum.conflicting.saturating_add(used.conflicting);
        }
    }
}

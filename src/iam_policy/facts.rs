//! What is known of a request: the values of its condition keys.

use std::collections::BTreeMap;

/// What is known of one condition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Whether the request may lack the key.
    pub may_be_absent: bool,
    /// What the key may be, if the request has it.
    pub value: Possible,
}

/// The value of a key that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Possible {
    /// The key is never there.
    Nothing,
    /// Exactly these values.
    Values(Vec<String>),
    /// One value, which matches one of these patterns.
    Like(Vec<String>),
    /// One value, which matches none of these patterns.
    Unlike(Vec<String>),
    /// Any values.
    Anything,
}

impl Fact {
    /// The key has this one value.
    pub fn known(value: impl Into<String>) -> Self {
        Self::values([value])
    }

    /// The key has these values.
    pub fn values<V: Into<String>>(values: impl IntoIterator<Item = V>) -> Self {
        Self { may_be_absent: false, value: Possible::Values(values.into_iter().map(Into::into).collect()) }
    }

    /// The key has one value, which matches one of the patterns.
    pub fn like<V: Into<String>>(patterns: impl IntoIterator<Item = V>) -> Self {
        Self { may_be_absent: false, value: Possible::Like(patterns.into_iter().map(Into::into).collect()) }
    }

    /// The key has one value, which matches none of the patterns.
    pub fn unlike<V: Into<String>>(patterns: impl IntoIterator<Item = V>) -> Self {
        Self { may_be_absent: false, value: Possible::Unlike(patterns.into_iter().map(Into::into).collect()) }
    }

    /// The request has the key; with what value is not known.
    pub fn present() -> Self {
        Self { may_be_absent: false, value: Possible::Anything }
    }

    /// The request does not have the key.
    pub fn absent() -> Self {
        Self { may_be_absent: true, value: Possible::Nothing }
    }

    /// Nothing is known.
    pub fn unknown() -> Self {
        Self { may_be_absent: true, value: Possible::Anything }
    }

    /// The same, or the request lacks the key.
    pub fn or_absent(self) -> Self {
        Self { may_be_absent: true, ..self }
    }

    /// The same, if the request has the key.
    pub(super) fn if_present(&self) -> Self {
        Self { may_be_absent: false, value: self.value.clone() }
    }
}

/// What is known of the condition keys of a request. Names of keys have no case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    keys: BTreeMap<String, Fact>,
    prefixes: BTreeMap<String, Fact>,
}

impl Facts {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is known of this key.
    pub fn set(&mut self, key: &str, fact: Fact) {
        self.keys.insert(key.to_ascii_lowercase(), fact);
    }

    /// What is known of all keys that begin so, such as `aws:PrincipalTag/`, unless [`Self::set`] says it of one.
    pub fn set_prefix(&mut self, prefix: &str, fact: Fact) {
        self.prefixes.insert(prefix.to_ascii_lowercase(), fact);
    }

    /// As [`Self::set`], for building.
    pub fn with(mut self, key: &str, fact: Fact) -> Self {
        self.set(key, fact);
        self
    }

    /// As [`Self::set_prefix`], for building.
    pub fn with_prefix(mut self, prefix: &str, fact: Fact) -> Self {
        self.set_prefix(prefix, fact);
        self
    }

    /// What was said of the key, itself or by its longest prefix.
    pub fn get(&self, key: &str) -> Option<&Fact> {
        let key = key.to_ascii_lowercase();
        if let Some(fact) = self.keys.get(&key) {
            return Some(fact);
        }
        let by_prefix = self.prefixes.iter().filter(|(prefix, _)| key.starts_with(prefix.as_str()));
        by_prefix.max_by_key(|(prefix, _)| prefix.len()).map(|(_, fact)| fact)
    }
}

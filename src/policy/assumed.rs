//! What an operator states about key evidence, by name: every output repeats it.

use serde::Deserialize;
use toml::Spanned;

use crate::timestamp::parse_span;

/// Statements that let a conclusion rest on more than what was seen. Nothing is assumed by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceAssumptions {
    /// In so many milliseconds no version gets another key without a word of evidence.
    pub max_age: Option<i64>,
    /// Whether a trail recorded every write data event of the buckets, and all of its logs were given.
    pub logs_are_complete: bool,
    /// Whether a data key that was asked for in an object's name encrypts the object: no two writes of one object within two
    /// seconds, and none that failed.
    pub hints_decide: bool,
}

/// The table `[evidence]` of a policy file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceEntry {
    pub(super) max_age: Option<Spanned<String>>,
    logs: Option<Logs>,
    hints: Option<Hints>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Logs {
    Complete,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Hints {
    Decide,
}

impl EvidenceEntry {
    /// The statements; nothing if the age is none.
    pub(super) fn check(&self) -> Option<EvidenceAssumptions> {
        let max_age = match &self.max_age {
            Some(text) => Some(parse_span(text.as_ref())?),
            None => None,
        };
        let logs_are_complete = self.logs.is_some();
        Some(EvidenceAssumptions { max_age, logs_are_complete, hints_decide: self.hints.is_some() })
    }
}

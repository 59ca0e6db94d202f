//! The conditions of a scope, as results repeat them.

use serde::{Deserialize, Serialize};

use super::{Globs, Where};
use crate::timestamp::Timestamp;

/// The conditions of a scope, under their names in a policy file. Those that it does not have are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct Conditions {
    /// Patterns for the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<Vec<String>>,
    /// Patterns for the kind of log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Vec<String>>,
    /// Patterns for the account in the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Vec<String>>,
    /// Patterns for the Region in the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Vec<String>>,
    /// Patterns for the whole key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<String>>,
    /// Patterns for the storage class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<Vec<String>>,
    /// The first moment of last-modified, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_from: Option<String>,
    /// The first moment of last-modified that is too late, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_before: Option<String>,
}

impl From<&Where> for Conditions {
    fn from(scope: &Where) -> Self {
        let patterns =
            |globs: &Option<Globs>| globs.as_ref().map(|globs| globs.patterns().map(str::to_owned).collect());
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        Self {
            bucket: patterns(&scope.bucket),
            kind: patterns(&scope.kind),
            account: patterns(&scope.account),
            region: patterns(&scope.region),
            key: patterns(&scope.key),
            storage_class: patterns(&scope.storage_class),
            written_from: time(scope.written_from),
            written_before: time(scope.written_before),
        }
    }
}

//! Which controls of frameworks a check answers: one dated file, which can be replaced.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::value::Datetime;

/// Controls by check.
#[derive(Clone, Debug)]
pub struct Frameworks {
    /// The day of the file.
    pub as_of: String,
    controls: BTreeMap<String, Vec<String>>,
}

/// Why a file is no list of frameworks.
#[derive(Debug, thiserror::Error)]
#[error("not a list of frameworks: {0}")]
pub struct FrameworksError(#[from] toml::de::Error);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrameworksFile {
    as_of: Datetime,
    checks: BTreeMap<String, Vec<String>>,
}

impl Frameworks {
    /// Those that the program knows.
    pub fn built_in() -> Result<Self, FrameworksError> {
        Self::parse(include_str!("frameworks.toml"))
    }

    /// Reads such a file.
    pub fn parse(text: &str) -> Result<Self, FrameworksError> {
        let FrameworksFile { as_of, checks } = toml::from_str(text)?;
        Ok(Self { as_of: as_of.to_string(), controls: checks })
    }

    /// The controls that a check answers.
    pub(super) fn of(&self, check: &str) -> &[String] {
        self.controls.get(check).map_or(&[], Vec::as_slice)
    }
}

//! What a job comes to, and the program that says so.

use serde::{Deserialize, Serialize};

/// What an audit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything planned was examined, and every object is proven right.
    Pass,
    /// There are violations, whatever else is missing.
    Violations,
    /// No violation was found, and something is missing or unknown.
    Incomplete,
    /// Nothing was found in one shard of several: only all of them together can be a pass.
    Partial,
}

impl Outcome {
    /// The exit code of the command.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass | Self::Partial => 0,
            Self::Violations => 1,
            Self::Incomplete => 3,
        }
    }

    /// The word that a text begins with, and the number of its colour on a terminal.
    pub(crate) fn word(self) -> (&'static str, &'static str) {
        match self {
            Self::Pass => ("PASS", "32"),
            Self::Violations => ("VIOLATIONS", "31"),
            Self::Incomplete => ("INCOMPLETE", "33"),
            Self::Partial => ("PARTIAL", "36"),
        }
    }
}

/// The program.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ToolFacts {
    /// What it is called.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The commit that it was built from, with `-modified` if files differed from it; nothing if that is not known.
    pub commit: Option<&'static str>,
}

impl ToolFacts {
    /// This one.
    pub(crate) fn this() -> Self {
        Self { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), commit: option_env!("LOGSEAL_COMMIT") }
    }
}

//! `sample.csv`: rows to re-perform, drawn while objects were examined.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::AuditFacts;
use crate::examine::SAMPLED_HEADER;
use crate::object_key::Account;
use crate::partial::Partial;
use crate::policy::Verdict;
use crate::sample::Stratum;

/// The name of the list.
pub(super) const SAMPLE_FILE: &str = "sample.csv";

/// How many rows of each verdict are drawn unless told otherwise.
pub const DEFAULT_SAMPLE: u32 = 60;
/// How many rows of each account are drawn.
const PER_ACCOUNT: u32 = 5;

/// How a sample to re-perform is drawn.
#[derive(Clone, Debug)]
pub struct SampleOptions {
    /// How many rows of each verdict are drawn, and if any, five of each account.
    pub per_verdict: u32,
    /// What decides which rows are drawn, if somebody has chosen it; else what the manifests are.
    pub seed: Option<String>,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self { per_verdict: DEFAULT_SAMPLE, seed: None }
    }
}

impl SampleOptions {
    /// How many rows of each account are drawn.
    pub(super) fn per_account(&self) -> u32 {
        PER_ACCOUNT.min(self.per_verdict)
    }
}

/// How the sample was drawn.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SampleLine {
    /// What somebody chose to decide which rows are drawn (`--sample-seed`); nothing if the manifests did.
    pub seed: Option<String>,
    /// What the ranks of rows are made from: the SHA-256 of the seed, or of the SHA-256 of each manifest, one a line.
    pub key: String,
    /// How many rows of each verdict are drawn.
    pub per_verdict: u32,
    /// How many rows of each account are drawn; none where objects are not counted by account.
    pub per_account: u32,
    /// Whether there are so many accounts that none of them has rows of its own.
    pub has_too_many_accounts: bool,
    /// Lines of `sample.csv`. A row that was drawn for its verdict and for its account has two.
    pub lines: u64,
}

impl SampleLine {
    pub(super) fn new(facts: &AuditFacts, partial: &Partial) -> Self {
        let terms = &partial.terms.sample;
        Self {
            seed: facts.sample_seed.clone(),
            key: terms.key.as_str().to_owned(),
            per_verdict: terms.per_verdict,
            per_account: terms.per_account,
            has_too_many_accounts: partial.sample.has_too_many_accounts(),
            lines: partial.sample.strata().map(|(_, rows)| rows.count() as u64).sum(),
        }
    }
}

/// Writes the list: stratum by stratum, the lowest ranks first, so that the first rows of each are a smaller sample.
pub(super) fn write(out: &mut dyn Write, partial: &Partial) -> io::Result<()> {
    writeln!(out, "stratum,number,rank,{SAMPLED_HEADER}")?;
    for (stratum, rows) in partial.sample.strata() {
        let stratum = match stratum {
            Stratum::Verdict(at) => format!("verdict:{}", Verdict::ALL[usize::from(at)].as_str()),
            Stratum::Account(number) => {
                let digits = Account::from_number(number).to_digits();
                format!("account:{}", String::from_utf8_lossy(&digits))
            }
        };
        for (number, (row, line)) in (1..).zip(rows) {
            writeln!(out, "{stratum},{number},{:016x},{line}", row.rank)?;
        }
    }
    Ok(())
}

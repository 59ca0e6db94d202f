//! A sample to re-perform, drawn while objects are examined: compliant ones are in no other list.
//!
//! The sample of a stratum is its rows of the lowest ranks. Each row is as likely to be drawn as any other, and workers,
//! shards and the order of work do not show: of two samples together, the lowest ranks are the sample of both.

mod rank;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::object_key::Account;
use crate::plan::UnitId;
use crate::policy::Verdict;

pub(crate) use rank::FileRanks;
pub use rank::SampleKey;

/// Accounts are no longer told apart when there are more.
const MAX_ACCOUNTS: usize = 5_000;

/// How a sample is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SampleTerms {
    /// What ranks are made from.
    pub key: SampleKey,
    /// How many rows of each verdict are drawn.
    pub per_verdict: u32,
    /// How many rows of each account are drawn.
    pub per_account: u32,
}

impl SampleTerms {
    /// So many rows of each verdict and of each account, by the ranks of a key.
    pub fn new(key: SampleKey, per_verdict: u32, per_account: u32) -> Self {
        Self { key, per_verdict, per_account }
    }

    fn size(&self, stratum: Stratum) -> usize {
        match stratum {
            Stratum::Verdict(_) => self.per_verdict as usize,
            Stratum::Account(_) => self.per_account as usize,
        }
    }
}

/// Rows of which some are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Stratum {
    /// Those of a verdict, by its place in [`Verdict::ALL`].
    Verdict(u8),
    /// Those of an account, by its number.
    Account(u64),
}

/// What a row can be drawn for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowStrata {
    pub(crate) verdict: Verdict,
    /// Nothing if its key names none.
    pub(crate) account: Option<Account>,
}

impl RowStrata {
    fn iter(self) -> impl Iterator<Item = Stratum> {
        let account = self.account.map(|account| Stratum::Account(account.as_number()));
        [Stratum::Verdict(self.verdict as u8)].into_iter().chain(account)
    }
}

/// Where a row is, the lowest rank first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RankedRow {
    pub(crate) rank: u64,
    pub(crate) unit: UnitId,
    /// From 1 on; of a CSV file the line.
    pub(crate) row: u64,
}

/// What is kept of a row that was drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drawn {
    /// Its line in the list; or what has been noted of it.
    pub(crate) text: Arc<str>,
    /// Whether all of its cells have been read, and it is the line.
    pub(crate) is_line: bool,
}

/// What was drawn so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "SampleList", into = "SampleList")]
pub(crate) struct Sample {
    strata: BTreeMap<Stratum, BTreeMap<RankedRow, Drawn>>,
    has_too_many_accounts: bool,
}

/// The ranks that a row must not exceed to be drawn.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    verdicts: [u64; Verdict::ALL.len()],
    /// Of accounts that have as many rows as they may.
    accounts: HashMap<u64, u64, RandomState>,
    other_accounts: u64,
}

impl Limits {
    pub(crate) fn of_verdict(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize]
    }

    pub(crate) fn of_account(&self, account: Account) -> u64 {
        *self.accounts.get(&account.as_number()).unwrap_or(&self.other_accounts)
    }
}

impl Sample {
    /// Draws a row if its rank is low enough; says whether it was. Others may have to go.
    pub(crate) fn draw(&mut self, strata: RowStrata, row: RankedRow, drawn: &Drawn, terms: &SampleTerms) -> bool {
        let mut is_drawn = false;
        strata.iter().for_each(|stratum| is_drawn |= self.insert(stratum, row, drawn, terms));
        self.bound_accounts();
        is_drawn
    }

    fn insert(&mut self, stratum: Stratum, row: RankedRow, new: &Drawn, terms: &SampleTerms) -> bool {
        let size = terms.size(stratum);
        if size == 0 || (self.has_too_many_accounts && matches!(stratum, Stratum::Account(_))) {
            return false;
        }
        let drawn = self.strata.entry(stratum).or_default();
        if drawn.len() == size && drawn.last_key_value().is_some_and(|(last, _)| *last < row) {
            return false;
        }
        drawn.insert(row, new.clone());
        if drawn.len() > size {
            drawn.pop_last();
        }
        true
    }

    fn bound_accounts(&mut self) {
        if self.strata.len() <= MAX_ACCOUNTS && !self.has_too_many_accounts {
            return;
        }
        let is_account = |stratum: &Stratum| matches!(stratum, Stratum::Account(_));
        // Verdicts come first in the order of strata.
        let accounts = self.strata.len() - self.strata.keys().take_while(|stratum| !is_account(stratum)).count();
        if accounts > MAX_ACCOUNTS || self.has_too_many_accounts {
            self.has_too_many_accounts = true;
            self.strata.retain(|stratum, _| !is_account(stratum));
        }
    }

    /// Whether a row is drawn still.
    pub(crate) fn holds(&self, strata: RowStrata, row: &RankedRow) -> bool {
        strata.iter().any(|stratum| self.strata.get(&stratum).is_some_and(|drawn| drawn.contains_key(row)))
    }

    /// Says more of a row, if it is drawn still.
    pub(crate) fn describe(&mut self, strata: RowStrata, row: &RankedRow, new: &Drawn) {
        for stratum in strata.iter() {
            if let Some(drawn) = self.strata.get_mut(&stratum).and_then(|drawn| drawn.get_mut(row)) {
                drawn.clone_from(new);
            }
        }
    }

    /// The rows whose cells have not been read, by unit: what was noted of them.
    pub(crate) fn unread(&self) -> BTreeMap<UnitId, BTreeMap<u64, Arc<str>>> {
        let mut rows: BTreeMap<UnitId, BTreeMap<u64, Arc<str>>> = BTreeMap::new();
        for (row, drawn) in self.strata.values().flatten().filter(|(_, drawn)| !drawn.is_line) {
            rows.entry(row.unit).or_default().insert(row.row, Arc::clone(&drawn.text));
        }
        rows
    }

    /// Gives rows their lines.
    pub(crate) fn complete(&mut self, lines: &BTreeMap<(UnitId, u64), Arc<str>>) {
        for (row, drawn) in self.strata.values_mut().flatten() {
            if let Some(line) = lines.get(&(row.unit, row.row)) {
                *drawn = Drawn { text: Arc::clone(line), is_line: true };
            }
        }
    }

    /// Whether nothing was drawn.
    pub(crate) fn is_empty(&self) -> bool {
        self.strata.is_empty() && !self.has_too_many_accounts
    }

    /// Adds what another has drawn from other rows.
    pub(crate) fn merge(&mut self, other: Self, terms: &SampleTerms) {
        self.has_too_many_accounts |= other.has_too_many_accounts;
        for (stratum, drawn) in other.strata {
            for (row, drawn) in &drawn {
                self.insert(stratum, *row, drawn, terms);
            }
        }
        self.bound_accounts();
    }

    fn limit(&self, stratum: Stratum, terms: &SampleTerms) -> u64 {
        match (terms.size(stratum), self.strata.get(&stratum)) {
            (0, _) => 0,
            _ if self.has_too_many_accounts && matches!(stratum, Stratum::Account(_)) => 0,
            (size, Some(drawn)) if drawn.len() == size => drawn.last_key_value().map_or(0, |(row, _)| row.rank),
            _ => u64::MAX,
        }
    }

    /// The rank that a row of a verdict may not exceed to be drawn.
    pub(crate) fn limit_of_verdict(&self, verdict: Verdict, terms: &SampleTerms) -> u64 {
        self.limit(Stratum::Verdict(verdict as u8), terms)
    }

    /// The rank that a row of an account may not exceed to be drawn.
    pub(crate) fn limit_of_account(&self, account: Account, terms: &SampleTerms) -> u64 {
        self.limit(Stratum::Account(account.as_number()), terms)
    }

    pub(crate) fn limits(&self, terms: &SampleTerms) -> Limits {
        let accounts = self.strata.keys().filter_map(|stratum| match stratum {
            Stratum::Account(account) => Some((*account, self.limit(*stratum, terms))),
            Stratum::Verdict(_) => None,
        });
        Limits {
            verdicts: Verdict::ALL.map(|verdict| self.limit_of_verdict(verdict, terms)),
            accounts: accounts.collect(),
            other_accounts: if self.has_too_many_accounts || terms.per_account == 0 { 0 } else { u64::MAX },
        }
    }

    /// The rows of all strata, in order.
    pub(crate) fn strata(&self) -> impl Iterator<Item = (Stratum, impl Iterator<Item = (&RankedRow, &str)>)> {
        self.strata.iter().map(|(stratum, drawn)| (*stratum, drawn.iter().map(|(row, drawn)| (row, &*drawn.text))))
    }

    /// Whether accounts are no longer told apart.
    pub(crate) fn has_too_many_accounts(&self) -> bool {
        self.has_too_many_accounts
    }
}

/// The same in the form of a shard's partial.
#[derive(Serialize, Deserialize)]
struct SampleList {
    strata: Vec<(Stratum, Vec<(RankedRow, Drawn)>)>,
    has_too_many_accounts: bool,
}

impl From<Sample> for SampleList {
    fn from(sample: Sample) -> Self {
        let strata = sample.strata.into_iter().map(|(stratum, drawn)| (stratum, drawn.into_iter().collect()));
        Self { strata: strata.collect(), has_too_many_accounts: sample.has_too_many_accounts }
    }
}

impl From<SampleList> for Sample {
    fn from(list: SampleList) -> Self {
        let strata = list.strata.into_iter().map(|(stratum, drawn)| (stratum, drawn.into_iter().collect()));
        Self { strata: strata.collect(), has_too_many_accounts: list.has_too_many_accounts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> SampleTerms {
        SampleTerms::new(SampleKey::of("seed"), 5, 2)
    }

    /// Rows of a unit, of 30 accounts and all verdicts.
    fn sample(units: std::ops::Range<u32>) -> Sample {
        let (mut sample, terms) = (Sample::default(), terms());
        for unit in units {
            let ranks = terms.key.of_file(0, unit);
            for row in 1..200_u64 {
                let number = (row * 7 + u64::from(unit)) % 30;
                let account = Account::parse(format!("{number:012}").as_bytes()).filter(|_| number > 0);
                let strata = RowStrata { verdict: Verdict::ALL[row as usize % 5], account };
                let row = RankedRow { rank: ranks.rank(row), unit: UnitId(unit), row };
                let drawn = Drawn { text: Arc::from(format!("{unit} {}", row.row)), is_line: true };
                sample.draw(strata, row, &drawn, &terms);
            }
        }
        sample
    }

    #[test]
    fn how_rows_are_divided_does_not_show() {
        let whole = sample(0..20);
        let mut merged = sample(13..20);
        merged.merge(sample(0..4), &terms());
        merged.merge(sample(4..13), &terms());
        assert_eq!(merged, whole);
        let lens: Vec<usize> = whole.strata().map(|(_, rows)| rows.count()).collect();
        assert_eq!(lens, [[5; 5].as_slice(), &[2; 29]].concat());
        let text = serde_json::to_string(&whole).expect("written");
        assert_eq!(serde_json::from_str::<Sample>(&text).expect("read"), whole);
    }

    /// What a limit lets through is all that can be drawn.
    #[test]
    fn no_row_above_its_limit_is_drawn() {
        let (whole, part, terms) = (sample(0..20), sample(0..10), terms());
        let limits = part.limits(&terms);
        for (stratum, rows) in whole.strata() {
            let limit = match stratum {
                Stratum::Verdict(at) => limits.of_verdict(Verdict::ALL[at as usize]),
                Stratum::Account(number) => limits.of_account(Account::from_number(number)),
            };
            assert!(rows.into_iter().all(|(row, _)| row.rank <= limit), "{stratum:?}");
        }
    }

    #[test]
    fn too_many_accounts_are_given_up_in_any_order() {
        let of = |accounts: std::ops::Range<u64>| {
            let mut sample = Sample::default();
            for number in accounts {
                let strata = RowStrata { verdict: Verdict::Compliant, account: Some(Account::from_number(number)) };
                let row = RankedRow { rank: number, unit: UnitId(0), row: number };
                sample.draw(strata, row, &Drawn { text: Arc::from(""), is_line: true }, &terms());
            }
            sample
        };
        let max = MAX_ACCOUNTS as u64;
        assert!(!of(0..max).has_too_many_accounts());
        let whole = of(0..max + 1);
        assert!(whole.has_too_many_accounts() && whole.strata().count() == 1);
        let mut merged = of(max / 2..max + 1);
        merged.merge(of(0..max / 2), &terms());
        assert_eq!(merged, whole);
    }
}

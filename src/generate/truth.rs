//! The answer that `audit` with the preset `cis` must give, in `truth.json`.
//!
//! A [`TruthTally`] adds up what the rows say of themselves. No rule is run and no file is read, so a mistake there cannot hide
//! here.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::Options;
use super::Spread;
use super::rows::Block;
use crate::amounts::Amount;
use crate::policy::{Reason, Status, Verdict};

const VERDICTS: [Verdict; 5] =
    [Verdict::Compliant, Verdict::Violation, Verdict::Undetermined, Verdict::Excepted, Verdict::OutOfScope];

#[derive(Default)]
pub(super) struct TruthTally {
    pub(super) rows: u64,
    delete_markers: u64,
    /// By verdict, then by status, in the order of their declarations.
    cells: [[Amount; Status::ALL.len()]; VERDICTS.len()],
}

impl TruthTally {
    pub(super) fn add(&mut self, block: &Block) {
        self.rows += block.rows.len() as u64;
        for row in &block.rows {
            let Some(object) = &row.object else {
                self.delete_markers += 1;
                continue;
            };
            let amount = Amount { objects: 1, bytes: u64::from(object.size) };
            self.cells[object.verdict as usize][object.status as usize].add(amount);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.delete_markers += other.delete_markers;
        let cells = self.cells.iter_mut().flatten();
        cells.zip(other.cells.iter().flatten()).for_each(|(cell, other)| cell.add(*other));
    }

    fn of_verdict(&self, verdict: Verdict) -> Amount {
        sum(&self.cells[verdict as usize])
    }

    fn of_status(&self, status: Status) -> Amount {
        sum(self.cells.iter().map(|cells| &cells[status as usize]))
    }

    /// Objects or bytes, under the names that `audit` gives them in its summary.
    fn by_verdict(&self, part: fn(Amount) -> u64) -> BTreeMap<&'static str, u64> {
        let verdicts = VERDICTS.map(|verdict| (verdict.as_str(), part(self.of_verdict(verdict))));
        verdicts.into_iter().chain([("objects", part(sum(self.cells.iter().flatten())))]).collect()
    }

    fn by_status(&self) -> BTreeMap<&'static str, Amount> {
        let amounts = Status::ALL.map(|status| (status.as_str(), self.of_status(status)));
        amounts.into_iter().filter(|(_, amount)| amount.objects > 0).collect()
    }

    fn by_reason(&self) -> BTreeMap<Reason, u64> {
        let violations = &self.cells[Verdict::Violation as usize];
        let reasons = [(Reason::MethodNotAllowed, Status::SseS3), (Reason::NotEncrypted, Status::NotSse)];
        let counts = reasons.map(|(reason, status)| (reason, violations[status as usize].objects));
        counts.into_iter().filter(|(_, objects)| *objects > 0).collect()
    }
}

fn sum<'a>(amounts: impl IntoIterator<Item = &'a Amount>) -> Amount {
    amounts.into_iter().fold(Amount::default(), |mut total, amount| {
        total.add(*amount);
        total
    })
}

/// The data files of one part of the rows, one for each format.
#[derive(Serialize)]
pub(super) struct TruthUnit {
    pub(super) files: Vec<String>,
    pub(super) rows: u64,
}

pub(super) fn truth(options: &Options, tally: &TruthTally, units: &[TruthUnit]) -> Value {
    let mut counts = tally.by_verdict(|amount| amount.objects);
    counts.extend([("rows", tally.rows), ("delete_markers", tally.delete_markers)]);
    json!({
        "schema": "logseal.truth/1",
        "policy": "cis",
        "options": what_rows_depend_on(options),
        "counts": counts,
        "bytes": tally.by_verdict(|amount| amount.bytes),
        "by_encryption_status": tally.by_status(),
        "by_reason": tally.by_reason(),
        "units": units,
    })
}

fn what_rows_depend_on(options: &Options) -> Value {
    json!({
        "rows": options.rows,
        "files": options.files,
        "seed": options.seed,
        "violations": options.violations,
        "spread": match options.spread {
            Spread::Scattered => "scattered",
            Spread::Clustered => "clustered",
        },
        "accounts": options.accounts,
        "regions": options.regions,
        "years": options.years,
    })
}

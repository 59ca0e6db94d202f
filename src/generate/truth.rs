//! The answer that `audit` with the preset `cis` must give, in `truth.json`.
//!
//! A `Tally` adds up what the rows say of themselves. Tallies merge in any order. No
//! policy and no reader takes part, so a mistake there cannot hide here.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Options, Spread,
    rows::{Block, Status, Verdict},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Amount {
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) rows: u64,
    delete_markers: u64,
    /// By verdict, then by status, in the order of their declarations.
    cells: [[Amount; Status::ALL.len()]; 3],
}

impl Tally {
    pub(super) fn add(&mut self, block: &Block) {
        for row in &block.rows {
            self.rows += 1;
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
        for (cell, other) in cells.zip(other.cells.iter().flatten()) {
            cell.add(*other);
        }
    }
}

fn sum<'a>(amounts: impl Iterator<Item = &'a Amount>) -> Amount {
    amounts.fold(Amount::default(), |mut total, amount| {
        total.add(*amount);
        total
    })
}

/// A unit: the names of its data files, one for each format, and its rows.
#[derive(Serialize)]
pub(super) struct TruthUnit {
    pub(super) files: Vec<String>,
    pub(super) rows: u64,
}

/// `counts` and `bytes` have the names that `audit` gives them in its summary.
pub(super) fn truth(options: &Options, tally: &Tally, units: &[TruthUnit]) -> Value {
    let all = sum(tally.cells.iter().flatten());
    let [compliant, violation, out_of_scope] = [Verdict::Compliant, Verdict::Violation, Verdict::OutOfScope]
        .map(|verdict| sum(tally.cells[verdict as usize].iter()));
    json!({
        "schema": "logseal.truth/1",
        "policy": "cis",
        "options": what_rows_depend_on(options),
        "counts": {
            "rows": tally.rows,
            "delete_markers": tally.delete_markers,
            "objects": all.objects,
            "compliant": compliant.objects,
            "violation": violation.objects,
            "undetermined": 0,
            "excepted": 0,
            "out_of_scope": out_of_scope.objects,
        },
        "bytes": {
            "objects": all.bytes,
            "compliant": compliant.bytes,
            "violation": violation.bytes,
            "undetermined": 0,
            "excepted": 0,
            "out_of_scope": out_of_scope.bytes,
        },
        "by_encryption_status": by_status(tally),
        "by_reason": by_reason(tally),
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

/// Statuses and reasons that occur.
fn by_status(tally: &Tally) -> BTreeMap<&'static str, Amount> {
    let of_status = |status: Status| sum(tally.cells.iter().map(|cell| &cell[status as usize]));
    let amounts = Status::ALL.map(|status| (status.as_str(), of_status(status)));
    amounts.into_iter().filter(|(_, amount)| amount.objects > 0).collect()
}

fn by_reason(tally: &Tally) -> BTreeMap<&'static str, u64> {
    let of_status = |status: Status| tally.cells[Verdict::Violation as usize][status as usize].objects;
    let reasons = [("method_not_allowed", of_status(Status::SseS3)), ("not_encrypted", of_status(Status::NotSse))];
    reasons.into_iter().filter(|(_, objects)| *objects > 0).collect()
}

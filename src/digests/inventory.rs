//! An inventory beside the digests: which logs are still stored.
//!
//! Only current versions count: a log that is hidden by a delete marker is gone for whoever reads the bucket. What is not
//! in an inventory that could not be read whole may still exist, so nothing is concluded from its absence then.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use super::DigestsError;
use super::collect::{Collector, Shared};
use super::mirrors::Name;
use super::slot::ObjectKind;
use super::status::LogStatus;
use crate::assumptions::Assumptions;
use crate::batch::{Batch, Column, ColumnSet, Flag};
use crate::escape::escape;
use crate::examine::Row;
use crate::fault::UnitFault;
use crate::plan::{Completeness, Plan, Shard, Unit};
use crate::readers::{Part, Scratch, UnitFile, UnitReader};
use crate::timestamp::Timestamp;
use crate::work::{Cancel, WORKER_NAME, lock};

/// What was read of it.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct InventoryFacts {
    pub sources: Vec<String>,
    /// That of the oldest.
    pub created_at: Option<String>,
    /// Whether nothing is missing, and all of it was read.
    pub is_whole: bool,
    pub buckets: Vec<InventoryBucket>,
    /// How many hours before it was made a log must have been delivered to be in it.
    pub lag_hours: f64,
    pub rows: u64,
    pub rows_rejected: u64,
    /// What was taken for granted when it was planned.
    #[serde(skip)]
    pub(super) assumptions: Assumptions,
    #[serde(skip)]
    times: BTreeMap<Vec<u8>, InventoryTime>,
    /// Whether some of it does not say of which bucket it is.
    #[serde(skip)]
    is_nameless: bool,
}

/// The inventory of a bucket.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct InventoryBucket {
    pub bucket: String,
    pub created_at: Option<String>,
    pub is_whole: bool,
}

/// When the inventory of a bucket was made, and what can be concluded from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct InventoryTime {
    created: Option<Timestamp>,
    is_whole: bool,
    lag_ms: i64,
}

impl InventoryTime {
    /// What a log comes to that was delivered by then and is not in it; nothing if nothing can be concluded.
    pub(super) fn missing(&self, delivered: Timestamp) -> Option<LogStatus> {
        let is_old = |created: Timestamp| delivered.as_millis() <= created.as_millis().saturating_sub(self.lag_ms);
        match self.created {
            _ if !self.is_whole => None,
            Some(created) if is_old(created) => Some(LogStatus::NotInInventory),
            _ => Some(LogStatus::TooNew),
        }
    }
}

impl InventoryFacts {
    /// That of a bucket, if there is one.
    pub(super) fn time_of(&self, bucket: &[u8]) -> Option<InventoryTime> {
        let nameless = InventoryTime { created: None, is_whole: false, lag_ms: 0 };
        self.times.get(bucket).copied().or(self.is_nameless.then_some(nameless))
    }
}

struct Search<'s> {
    units: Vec<Unit<'s>>,
    next: AtomicUsize,
    shared: &'s Shared<'s>,
    cancel: &'s Cancel,
    /// Of each source.
    counts: Mutex<Vec<Counts>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    rows: u64,
    rejected: u64,
    units: usize,
}

/// Notes every log that the inventory lists.
pub(super) fn read(
    (plan, lag_ms): (&Plan, i64),
    shared: &Shared<'_>,
    jobs: usize,
    cancel: &Cancel,
) -> Result<InventoryFacts, DigestsError> {
    let units: Vec<_> = plan.units(Shard::WHOLE).collect();
    let counts = Mutex::new(vec![Counts::default(); plan.sources().len()]);
    let search = Search { units, next: AtomicUsize::new(0), shared, cancel, counts };
    thread::scope(|scope| {
        (0..jobs).try_for_each(|worker| {
            let name = format!("{WORKER_NAME}{worker}");
            thread::Builder::new().name(name).spawn_scoped(scope, || search.run()).map(drop)
        })
    })
    .map_err(DigestsError::Thread)?;
    if let Some(error) = shared.take_failure() {
        return Err(error);
    }
    let mut collector = Collector::new(shared);
    for source in plan.sources() {
        for fault in &source.faults {
            collector.fault("inventory_fault", &source.display_path(), &fault.to_string());
        }
    }
    let counts = std::mem::take(&mut *lock(&search.counts));
    let (rows, rejected) = counts.iter().fold((0, 0), |sum, one| (sum.0 + one.rows, sum.1 + one.rejected));
    if rejected > 0 {
        collector.fault("inventory_rows_rejected", "", &format!("{rejected} rows could not be read"));
    }
    if plan.completeness() == Completeness::Unproven {
        collector.fault("inventory_unproven", "", "nothing proves that the inventory is complete");
    }
    collector.finish().map_err(DigestsError::Temporary)?;
    let mut times: BTreeMap<Vec<u8>, InventoryTime> = BTreeMap::new();
    let mut is_whole = true;
    for ((id, source), counts) in plan.sources().iter().enumerate().zip(&counts) {
        let units = search.units.iter().filter(|unit| unit.source_id == id).count();
        let is_proven = source.completeness == Completeness::Proven && source.faults.is_empty();
        let is = InventoryTime {
            created: source.created_at,
            is_whole: is_proven && counts.units == units && counts.rejected == 0,
            lag_ms,
        };
        is_whole &= is.is_whole;
        let Some(bucket) = &source.bucket else { continue };
        let known = times.entry(bucket.as_bytes().to_vec()).or_insert(is);
        // Of two reports of a bucket, each is a part of it.
        *known =
            InventoryTime { created: known.created.min(is.created), is_whole: known.is_whole && is.is_whole, lag_ms };
    }
    let line = |(bucket, time): (&Vec<u8>, &InventoryTime)| InventoryBucket {
        bucket: escape(bucket).into_owned(),
        created_at: time.created.map(|time| time.to_string()),
        is_whole: time.is_whole,
    };
    let created = plan.sources().iter().map(|source| source.created_at).min().flatten();
    Ok(InventoryFacts {
        sources: plan.sources().iter().map(|source| source.display_path()).collect(),
        created_at: created.map(|time| time.to_string()),
        is_whole,
        buckets: times.iter().map(line).collect(),
        lag_hours: lag_ms as f64 / 3_600_000.0,
        rows,
        rows_rejected: rejected,
        assumptions: plan.assumptions().clone(),
        is_nameless: plan.sources().iter().any(|source| source.bucket.is_none()),
        times,
    })
}

impl Search<'_> {
    fn run(&self) {
        let (mut collector, mut scratch) = (Collector::new(self.shared), Scratch::default());
        while !self.cancel.is_cancelled() && !self.shared.has_failed() {
            let Some(unit) = self.units.get(self.next.fetch_add(1, Ordering::Relaxed)) else { break };
            let read = catch_unwind(AssertUnwindSafe(|| self.read(unit, &mut scratch, &mut collector)));
            match read.unwrap_or_else(|panic| Err(UnitFault::panicked(&*panic))) {
                Ok(seen) => {
                    if let Some(counts) = lock(&self.counts).get_mut(unit.source_id) {
                        counts.rows += seen.rows;
                        counts.rejected += seen.rejected;
                        counts.units += 1;
                    }
                }
                Err(fault) => {
                    // Whatever state the reader left it in.
                    scratch = Scratch::default();
                    collector.fault("inventory_fault", &unit.key(), &fault.to_string());
                }
            }
        }
        if let Err(error) = collector.finish() {
            self.shared.fail(DigestsError::Temporary(error));
        }
    }

    /// Reads a data file to its end.
    fn read(&self, unit: &Unit<'_>, scratch: &mut Scratch, to: &mut Collector<'_>) -> Result<Counts, UnitFault> {
        let cancelled = || self.cancel.is_cancelled();
        let mut reader = UnitReader::new(unit, UnitFile::open(unit)?)?;
        let bucket = unit.source.bucket.as_deref().map(str::as_bytes);
        let columns = [Column::Bucket, Column::Key, Column::IsLatest, Column::IsDeleteMarker, Column::LastModifiedDate];
        let wanted = columns.into_iter().fold(ColumnSet::NONE, ColumnSet::with);
        let (mut seen, mut blank) = (Counts::default(), 0);
        while let Some(part) = reader.next_part(scratch)? {
            match part {
                Part::Checksum(checksum) => checksum.check(&cancelled)?,
                Part::Rows(rows) => rows.read(wanted, scratch, &cancelled, &mut |batch, _| {
                    blank += note(batch, bucket, to, &mut seen).unwrap_or_else(|error| {
                        self.shared.fail(DigestsError::Temporary(error));
                        0
                    });
                    Ok(())
                })?,
            }
        }
        let (expected, found) = (reader.facts().rows, seen.rows + seen.rejected + blank);
        if expected != found && !cancelled() {
            return Err(UnitFault::RowCount { expected, found });
        }
        Ok(seen)
    }
}

/// Notes the logs of a batch. Returns how many lines were blank.
fn note(batch: &Batch<'_>, bucket: Option<&[u8]>, to: &mut Collector<'_>, seen: &mut Counts) -> io::Result<u64> {
    let mut blank = 0;
    for at in 0..batch.len {
        match Row::read(batch, at, bucket) {
            Ok(None) => blank += 1,
            Err(_) => seen.rejected += 1,
            Ok(Some(row)) => {
                seen.rows += 1;
                let is_current = row.is_latest != Flag::False && !row.is_delete_marker;
                let is_log = |kind| matches!(kind, ObjectKind::Log | ObjectKind::Unknown);
                let place = to.place_of(row.key).filter(|place| is_current && is_log(place.kind));
                if let Some(place) = place {
                    to.push_stored(&place, Name::new(row.bucket, row.key))?;
                }
            }
        }
    }
    Ok(blank)
}

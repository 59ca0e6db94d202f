//! An inventory beside the digests: which logs are still stored.
//!
//! Only current versions count: a log that is hidden by a delete marker is gone for whoever reads the bucket. What is not
//! in an inventory that could not be read whole may still exist, so nothing is concluded from its absence then.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use super::DigestsError;
use super::collect::{Collector, Shared};
use super::slot::ObjectKind;
use crate::batch::{Batch, Column, ColumnSet, Flag};
use crate::engine::{Cancel, WORKER_NAME, lock};
use crate::examine::Row;
use crate::plan::{Completeness, Plan, Shard, Unit};
use crate::readers::{Part, Scratch, UnitFault, UnitFile, UnitReader};
use crate::timestamp::Timestamp;

/// What was read of it.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct InventoryFacts {
    pub sources: Vec<String>,
    pub created_at: Option<String>,
    /// Whether nothing is missing, and all of it was read.
    pub is_whole: bool,
    pub rows: u64,
    pub rows_rejected: u64,
    #[serde(skip)]
    pub(super) created: Option<Timestamp>,
}

struct Search<'s> {
    units: Vec<Unit<'s>>,
    next: AtomicUsize,
    shared: &'s Shared<'s>,
    cancel: &'s Cancel,
    counts: Mutex<Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    rows: u64,
    rejected: u64,
    units: usize,
}

/// Notes every log that the inventory lists.
pub(super) fn read(
    plan: &Plan,
    shared: &Shared<'_>,
    jobs: usize,
    cancel: &Cancel,
) -> Result<InventoryFacts, DigestsError> {
    let units: Vec<_> = plan.units(Shard::WHOLE).collect();
    let search = Search { units, next: AtomicUsize::new(0), shared, cancel, counts: Mutex::default() };
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
    let counts = *lock(&search.counts);
    if counts.rejected > 0 {
        collector.fault("inventory_rows_rejected", "", &format!("{} rows could not be read", counts.rejected));
    }
    if plan.completeness() == Completeness::Unproven {
        collector.fault("inventory_unproven", "", "nothing proves that the inventory is complete");
    }
    collector.finish().map_err(DigestsError::Temporary)?;
    let created = plan.sources().iter().map(|source| source.created_at).min().flatten();
    Ok(InventoryFacts {
        sources: plan.sources().iter().map(|source| source.display_path()).collect(),
        created_at: created.map(|time| time.to_string()),
        is_whole: plan.completeness() == Completeness::Proven
            && counts.units == search.units.len()
            && counts.rejected == 0,
        rows: counts.rows,
        rows_rejected: counts.rejected,
        created,
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
                    let counts = &mut *lock(&self.counts);
                    counts.rows += seen.rows;
                    counts.rejected += seen.rejected;
                    counts.units += 1;
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
                let place = to.place_of(row.key).filter(|place| is_current && place.kind == ObjectKind::Log);
                if let Some(place) = place {
                    to.push_stored(&place, row.last_modified, row.bucket, row.key)?;
                }
            }
        }
    }
    Ok(blank)
}

//! An inventory beside the digests: which logs are still stored.
//!
//! Only current versions count: a log that is hidden by a delete marker is gone for whoever reads the bucket. What is not
//! in an inventory that could not be read whole may still exist, so nothing is concluded from its absence then.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::DigestsError;
use super::collect::{Collector, SharedDigests};
use super::mirrors::Name;
use super::slot::ObjectKind;
use super::status::LogStatus;
use crate::assumptions::Assumptions;
use crate::batch::{Batch, Column, ColumnSet, Flag};
use crate::escape::escape;
use crate::examine::Row;
use crate::plan::{Completeness, Plan, Shard, Unit};
use crate::readers::{NotWhole, WholeReader};
use crate::timestamp::Timestamp;
use crate::work::{Cancel, Crew, lock};

/// What was read of the inventory that logs were held against.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InventoryFacts {
    /// Its sources as they were given, or the manifests that were found there, escaped.
    pub sources: Vec<String>,
    /// When the oldest of its reports was made, in UTC; nothing if one of them does not say so.
    pub created_at: Option<String>,
    /// Whether manifests prove that nothing is missing, and all of it was read. If not, nothing is concluded from what
    /// is not in it.
    pub is_whole: bool,
    /// The buckets that it lists, in order. Data files without a manifest name none.
    pub buckets: Vec<InventoryBucket>,
    /// How many hours before it was made a log must have been delivered to be in it (`--inventory-lag`).
    pub lag_hours: f64,
    /// Rows that were read, delete markers and noncurrent versions included, without rejected ones.
    pub rows: u64,
    /// Rows that could not be read.
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InventoryBucket {
    /// The bucket, escaped.
    pub bucket: String,
    /// When the oldest report of the bucket was made, in UTC; nothing if one of them does not say so.
    pub created_at: Option<String>,
    /// Whether manifests prove that nothing of the bucket is missing, and all of it was read.
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

#[derive(Clone, Copy, Debug, Default)]
struct InventoryRows {
    rows: u64,
    rejected: u64,
    units: usize,
}

/// Notes every log that the inventory lists.
pub(super) fn read(
    (plan, lag_ms): (&Plan, i64),
    shared: &SharedDigests<'_>,
    jobs: usize,
    cancel: &Cancel,
) -> Result<InventoryFacts, DigestsError> {
    let units: Vec<_> = plan.units(Shard::WHOLE).collect();
    let counts = Mutex::new(vec![InventoryRows::default(); plan.sources().len()]);
    let crew = Crew::<DigestsError>::new(jobs, cancel);
    let begin = || (Collector::new(shared), WholeReader::default());
    let each = |(collector, reader): &mut (Collector<'_>, WholeReader), at: usize| {
        let unit = &units[at];
        match read_unit(unit, reader, collector, &|| crew.is_over()) {
            Ok(seen) => {
                if let Some(counts) = lock(&counts).get_mut(unit.source_id) {
                    counts.rows += seen.rows;
                    counts.rejected += seen.rejected;
                    counts.units += 1;
                }
            }
            Err(NotWhole::Fault(fault)) => collector.fault("inventory_fault", &unit.key(), &fault.to_string()),
            Err(NotWhole::Taker(error)) => return Err(DigestsError::Temporary(error)),
            Err(NotWhole::Cancelled) => {}
        }
        Ok(())
    };
    crew.each(units.len(), begin, each, |(collector, _)| collector.finish().map_err(DigestsError::Temporary))?;
    let mut collector = Collector::new(shared);
    for source in plan.sources() {
        for fault in &source.faults {
            collector.fault("inventory_fault", &source.name(), &fault.to_string());
        }
    }
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
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
        let units = units.iter().filter(|unit| unit.source_id == id).count();
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
        sources: plan.sources().iter().map(|source| source.name()).collect(),
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

/// Reads a data file to its end.
fn read_unit(
    unit: &Unit<'_>,
    reader: &mut WholeReader,
    to: &mut Collector<'_>,
    is_over: &dyn Fn() -> bool,
) -> Result<InventoryRows, NotWhole<io::Error>> {
    let bucket = unit.source.bucket.as_deref().map(str::as_bytes);
    let columns = [Column::Bucket, Column::Key, Column::IsLatest, Column::IsDeleteMarker, Column::LastModifiedDate];
    let wanted = columns.into_iter().fold(ColumnSet::NONE, ColumnSet::with);
    let mut seen = InventoryRows::default();
    reader.read(unit, wanted, is_over, &mut |batch| note(batch, bucket, to, &mut seen))?;
    Ok(seen)
}

/// Notes the logs of a batch.
fn note(batch: &Batch<'_>, bucket: Option<&[u8]>, to: &mut Collector<'_>, seen: &mut InventoryRows) -> io::Result<()> {
    for at in 0..batch.len {
        match Row::read(batch, at, bucket) {
            Ok(None) => {}
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
    Ok(())
}

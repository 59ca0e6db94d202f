//! A later inventory: how the objects that were wrong are stored now.
//!
//! Every row goes through the readers of an audit, becomes an object where those of an audit do, and is judged with the
//! same key evidence. A data file counts as a whole, or not at all, and only if its report is newer than the one that was
//! audited. Nothing is concluded from last-modified dates: changing the encryption in place leaves them as they are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::faults::{Fault, Faults};
use super::objects::{ObjectHasher, ObjectId, Objects, Version};
use super::state::Evidence as Found;
use crate::assumptions::AssumptionName;
use crate::batch::{Batch, ColumnSet, Flag};
use crate::escape::escape;
use crate::evidence::{KeyError, Keys};
use crate::examine::{Row, RowJudge};
use crate::fault::UnitFault;
use crate::plan::{Completeness, Plan, Shard, Source, SourceFault, Unit, check_newest};
use crate::policy::{Checker, Verdict};
use crate::readers::{NotWhole, WholeReader};
use crate::reconcile::ReconcileError;
use crate::timestamp::Timestamp;
use crate::work::{Cancel, Crew, lock};

/// The columns that decide how an object is stored.
const COLUMNS: ColumnSet = ColumnSet::ALL.partition(ColumnSet::REMEDIATION).1;

/// What a worker keeps of one data file before it sorts out what comes twice.
const MIN_HELD: usize = 1 << 20;

/// What was read of a later inventory.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) units: u64,
    pub(super) units_examined: u64,
    pub(super) rows: u64,
    pub(super) rows_rejected: u64,
    /// Whether a source does not tell versions apart.
    pub(super) lacks_versions: bool,
    /// Whether nothing is missing, and all of it was read.
    pub(super) is_whole: bool,
    /// The newest last-modified of the rows of each source, in milliseconds since the epoch.
    newest: BTreeMap<usize, i64>,
}

/// What a data file says.
#[derive(Default)]
struct OfFile {
    rows: u64,
    rows_rejected: u64,
    lacks_versions: bool,
    /// Objects that were wrong, and a bit for each verdict.
    judged: Vec<(ObjectId, u8)>,
    /// The newest last-modified, in milliseconds since the epoch.
    newest: Option<i64>,
}

/// What all workers share.
pub(super) struct Search<'s> {
    pub(super) plan: &'s Plan,
    pub(super) checker: &'s Checker,
    pub(super) keys: Keys<'s>,
    /// Of each source: whether it is newer than what was audited.
    pub(super) are_newer: &'s [bool],
    pub(super) objects: &'s Objects,
    pub(super) hasher: &'s ObjectHasher,
    pub(super) cancel: &'s Cancel,
}

/// Judges every object that was wrong and that the sources list.
pub(super) fn look<'s>(search: &'s Search<'s>, faults: &mut Faults, jobs: usize) -> Result<Seen, ReconcileError> {
    let plan = search.plan;
    let units: Vec<Unit<'_>> = plan.units(Shard::WHOLE).collect();
    let planned = units.len() as u64;
    let found: Mutex<(Seen, Vec<(usize, UnitFault)>)> = Mutex::default();
    let crew = Crew::<ReconcileError>::new(jobs, search.cancel);
    let begin = || (RowJudge::new(search.checker, search.keys), WholeReader::default());
    let each = |(judge, reader): &mut (RowJudge<'s>, WholeReader), at: usize| {
        let unit = &units[at];
        match search.read(unit, judge, reader) {
            Ok(file) => search.take(unit, file, &mut lock(&found).0),
            Err(NotWhole::Fault(fault)) => {
                // Whatever state a reader that panicked left it in.
                *judge = RowJudge::new(search.checker, search.keys);
                lock(&found).1.push((at, fault));
            }
            Err(NotWhole::Taker(error)) => return Err(error.into()),
            Err(NotWhole::Cancelled) => {}
        }
        Ok(())
    };
    crew.each(units.len(), begin, each, |_| Ok(()))?;
    let (mut looked, mut unit_faults) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    unit_faults.sort_by_key(|(at, _)| *at);
    for source in plan.sources() {
        for fault in &source.faults {
            faults.add(Fault::of(fault.code(), source.name(), &fault.to_string()));
        }
    }
    for (source, fault) in wrong_times(plan, &looked.newest) {
        faults.add(Fault::of(fault.code(), source.name(), &fault.to_string()));
    }
    for (at, fault) in &unit_faults {
        let key = escape(units[*at].key().as_bytes()).into_owned();
        faults.add(Fault::of(fault.code(), key, &fault.to_string()));
    }
    looked.units = planned;
    looked.is_whole = plan.completeness() == Completeness::Proven
        && plan.sources().iter().all(|source| source.faults.is_empty())
        && looked.units_examined == planned
        && looked.rows_rejected == 0;
    Ok(looked)
}

/// The sources that list what did not exist when they were made, as they say.
fn wrong_times<'p>(plan: &'p Plan, newest: &BTreeMap<usize, i64>) -> Vec<(&'p Source, SourceFault)> {
    if plan.assumptions().has(AssumptionName::ManifestTimeAccepted) {
        return Vec::new();
    }
    let wrong = |(source, newest): (&'p Source, i64)| {
        let newest = Timestamp::from_millis(newest).unwrap_or(Timestamp::MAX);
        let fault = check_newest(source.created_at?, newest).err()?;
        Some((source, fault.into()))
    };
    let dated = plan.sources().iter().enumerate().filter_map(|(id, source)| Some((source, *newest.get(&id)?)));
    dated.filter_map(wrong).collect()
}

impl Search<'_> {
    fn take(&self, unit: &Unit<'_>, file: OfFile, seen: &mut Seen) {
        for (id, verdicts) in file.judged {
            for verdict in Verdict::ALL.into_iter().filter(|verdict| verdicts & bit_of(*verdict) != 0) {
                self.objects.note(id, Found::Judged(verdict));
            }
        }
        seen.units_examined += 1;
        seen.rows += file.rows;
        seen.rows_rejected += file.rows_rejected;
        seen.lacks_versions |= file.lacks_versions;
        if let Some(newest) = file.newest {
            seen.newest.entry(unit.source_id).and_modify(|known| *known = newest.max(*known)).or_insert(newest);
        }
    }

    /// Reads a data file to its end.
    fn read(
        &self,
        unit: &Unit<'_>,
        judge: &mut RowJudge<'_>,
        reader: &mut WholeReader,
    ) -> Result<OfFile, NotWhole<KeyError>> {
        let is_newer = self.are_newer.get(unit.source_id).copied().unwrap_or_default();
        let mut seen = OfFile::default();
        reader.read(unit, COLUMNS, &|| self.cancel.is_cancelled(), &mut |batch| {
            self.judge(unit, batch, is_newer, judge, &mut seen)
        })?;
        Ok(seen)
    }

    fn judge(
        &self,
        unit: &Unit<'_>,
        batch: &Batch<'_>,
        is_newer: bool,
        judge: &mut RowJudge<'_>,
        seen: &mut OfFile,
    ) -> Result<(), KeyError> {
        let bucket = unit.source.bucket.as_deref().map(str::as_bytes);
        judge.begin_batch(unit, batch)?;
        seen.lacks_versions |= batch.version_id.is_absent();
        seen.newest = seen.newest.max(batch.last_modified.latest());
        for at in 0..batch.len {
            match Row::read(batch, at, bucket) {
                Ok(None) => {}
                Err(_) => seen.rows_rejected += 1,
                Ok(Some(row)) => {
                    seen.rows += 1;
                    if is_newer && !row.is_delete_marker {
                        self.judge_row(batch, at, &row, judge, seen);
                    }
                }
            }
        }
        if seen.judged.len() >= MIN_HELD.max(self.objects.len() * 2) {
            seen.compact();
        }
        Ok(())
    }

    fn judge_row(&self, batch: &Batch<'_>, at: usize, row: &Row<'_>, judge: &mut RowJudge<'_>, seen: &mut OfFile) {
        let find = |version| self.objects.find(self.hasher.hash(row.bucket, row.key, version));
        // Without the column, it is the current version, whose id is not known.
        let named = (!batch.version_id.is_absent()).then(|| find(Version::of(row.version_id))).flatten();
        let unnamed = (row.is_latest != Flag::False).then(|| find(Version::Unnamed)).flatten();
        if named.is_none() && unnamed.is_none() {
            return;
        }
        let verdict = bit_of(judge.judge(batch, at, row, |_, ruling| ruling.verdict));
        seen.judged.extend([named, unnamed].into_iter().flatten().map(|id| (id, verdict)));
    }
}

fn bit_of(verdict: Verdict) -> u8 {
    1 << verdict as u8
}

impl OfFile {
    /// Keeps each object once: a file that lists objects again and again does not fill the memory.
    fn compact(&mut self) {
        self.judged.sort_unstable();
        self.judged.dedup_by(|(id, verdicts), (kept, all)| {
            let is_same = id == kept;
            *all |= if is_same { *verdicts } else { 0 };
            is_same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::objects::Hashes;

    #[test]
    fn objects_are_kept_once_with_all_their_verdicts() {
        let ids: Vec<ObjectId> = {
            let hasher = ObjectHasher::new();
            let mut hashes = Hashes::with_room(2).expect("memory");
            let keys = [b"a", b"b"];
            keys.iter().for_each(|key| hashes.push(&hasher, b"bucket", *key, Version::Null));
            let objects = Objects::new(hashes).expect("memory");
            keys.iter().filter_map(|key| objects.find(hasher.hash(b"bucket", *key, Version::Null))).collect()
        };
        let [one, other] = ids[..] else { panic!("two objects") };
        let (right, wrong) = (bit_of(Verdict::Compliant), bit_of(Verdict::Violation));
        let judged = [(one, right), (other, right), (one, wrong), (one, right)].repeat(3);
        let mut seen = OfFile { judged, ..OfFile::default() };
        seen.compact();
        seen.judged.sort_unstable_by_key(|(id, _)| *id != one);
        assert_eq!(seen.judged, [(one, right | wrong), (other, right)]);
    }
}

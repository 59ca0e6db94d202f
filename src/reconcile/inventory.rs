//! A later inventory: how the objects that were wrong are stored now.
//!
//! Every row goes through the readers of an audit, becomes an object where those of an audit do, and is judged with the
//! same key evidence. A data file counts as a whole, or not at all, and only if its report is newer than the one that was
//! audited. Nothing is concluded from last-modified dates: changing the encryption in place leaves them as they are.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::faults::{Fault, Faults};
use super::objects::{ObjectHasher, ObjectId, Objects, Version};
use super::state::Evidence as Found;
use crate::assumptions::AssumptionName;
use crate::batch::{Batch, ColumnSet, Flag};
use crate::evidence::{Evidence, KeyRing};
use crate::examine::{Row, RowJudge};
use crate::fault::UnitFault;
use crate::plan::{Completeness, Plan, Shard, Source, SourceFault, Unit, check_newest};
use crate::policy::{Checker, Verdict};
use crate::readers::{Part, Scratch, UnitFile, UnitReader};
use crate::timestamp::Timestamp;
use crate::work::{Cancel, WORKER_NAME, lock};

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
    blank: u64,
    /// The newest last-modified, in milliseconds since the epoch.
    newest: Option<i64>,
}

/// What all workers share.
pub(super) struct Search<'s> {
    pub(super) plan: &'s Plan,
    pub(super) checker: &'s Checker,
    pub(super) keys: (&'s KeyRing<'s>, Option<&'s Evidence>),
    /// Of each source: whether it is newer than what was audited.
    pub(super) are_newer: &'s [bool],
    pub(super) objects: &'s Objects,
    pub(super) hasher: &'s ObjectHasher,
    pub(super) cancel: &'s Cancel,
}

/// The work of all workers.
struct Work<'s> {
    of: &'s Search<'s>,
    units: Vec<Unit<'s>>,
    next: AtomicUsize,
    found: Mutex<(Seen, Vec<(usize, UnitFault)>)>,
}

/// Judges every object that was wrong and that the sources list.
pub(super) fn look(search: &Search<'_>, faults: &mut Faults, jobs: usize) -> std::io::Result<Seen> {
    let plan = search.plan;
    let units: Vec<Unit<'_>> = plan.units(Shard::WHOLE).collect();
    let planned = units.len() as u64;
    let search = Work { of: search, units, next: AtomicUsize::new(0), found: Mutex::default() };
    thread::scope(|scope| {
        (0..jobs).try_for_each(|worker| {
            let name = format!("{WORKER_NAME}{worker}");
            thread::Builder::new().name(name).spawn_scoped(scope, || search.run()).map(drop)
        })
    })?;
    let (mut looked, mut unit_faults) = search.found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    unit_faults.sort_by_key(|(at, _)| *at);
    for source in plan.sources() {
        for fault in &source.faults {
            faults.add(Fault::of_file(fault.code(), &source.path, &fault.to_string()));
        }
    }
    for (source, fault) in wrong_times(plan, &looked.newest) {
        faults.add(Fault::of_file(fault.code(), &source.path, &fault.to_string()));
    }
    for (at, fault) in &unit_faults {
        faults.add(Fault::of_file(fault.code(), Path::new(&search.units[*at].key()), &fault.to_string()));
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

impl Work<'_> {
    fn run(&self) {
        let (ring, evidence) = self.of.keys;
        let mut scratch = Scratch::default();
        let mut judge = RowJudge::new(self.of.checker, ring, evidence);
        while !self.of.cancel.is_cancelled() {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = self.units.get(at) else { return };
            let search = AssertUnwindSafe(|| self.read(unit, &mut judge, &mut scratch));
            match catch_unwind(search).unwrap_or_else(|panic| Err(UnitFault::panicked(&*panic))) {
                Ok(file) => self.take(unit, file),
                Err(fault) => {
                    // Whatever state the reader left it in.
                    scratch = Scratch::default();
                    judge = RowJudge::new(self.of.checker, ring, evidence);
                    lock(&self.found).1.push((at, fault));
                }
            }
        }
    }

    fn take(&self, unit: &Unit<'_>, file: OfFile) {
        for (id, verdicts) in file.judged {
            for verdict in Verdict::ALL.into_iter().filter(|verdict| verdicts & bit_of(*verdict) != 0) {
                self.of.objects.note(id, Found::Judged(verdict));
            }
        }
        let (seen, _) = &mut *lock(&self.found);
        seen.units_examined += 1;
        seen.rows += file.rows;
        seen.rows_rejected += file.rows_rejected;
        seen.lacks_versions |= file.lacks_versions;
        if let Some(newest) = file.newest {
            seen.newest.entry(unit.source_id).and_modify(|known| *known = newest.max(*known)).or_insert(newest);
        }
    }

    /// Reads a data file to its end.
    fn read(&self, unit: &Unit<'_>, judge: &mut RowJudge<'_>, scratch: &mut Scratch) -> Result<OfFile, UnitFault> {
        let cancelled = || self.of.cancel.is_cancelled();
        let mut reader = UnitReader::new(unit, UnitFile::open(unit)?)?;
        let is_newer = self.of.are_newer.get(unit.source_id).copied().unwrap_or_default();
        let mut seen = OfFile::default();
        while let Some(part) = reader.next_part(scratch)? {
            match part {
                Part::Checksum(checksum) => checksum.check(&cancelled)?,
                Part::Rows(rows) => {
                    let mut judged = Ok(());
                    rows.read(COLUMNS, scratch, &cancelled, &mut |batch, _| {
                        if judged.is_ok() {
                            judged = self.judge(unit, batch, is_newer, judge, &mut seen);
                        }
                        Ok(())
                    })?;
                    judged?;
                }
            }
        }
        let (expected, found) = (reader.facts().rows, seen.rows + seen.rows_rejected + seen.blank);
        if expected != found && !cancelled() {
            return Err(UnitFault::RowCount { expected, found });
        }
        Ok(seen)
    }

    fn judge(
        &self,
        unit: &Unit<'_>,
        batch: &Batch<'_>,
        is_newer: bool,
        judge: &mut RowJudge<'_>,
        seen: &mut OfFile,
    ) -> Result<(), UnitFault> {
        let bucket = unit.source.bucket.as_deref().map(str::as_bytes);
        judge.begin_batch(unit, batch).map_err(|failure| UnitFault::Decode(failure.to_string()))?;
        seen.lacks_versions |= batch.version_id.is_absent();
        seen.newest = seen.newest.max(batch.last_modified.latest());
        for at in 0..batch.len {
            match Row::read(batch, at, bucket) {
                Ok(None) => seen.blank += 1,
                Err(_) => seen.rows_rejected += 1,
                Ok(Some(row)) => {
                    seen.rows += 1;
                    if is_newer && !row.is_delete_marker {
                        self.judge_row(batch, at, &row, judge, seen);
                    }
                }
            }
        }
        if seen.judged.len() >= MIN_HELD.max(self.of.objects.len() * 2) {
            seen.compact();
        }
        Ok(())
    }

    fn judge_row(&self, batch: &Batch<'_>, at: usize, row: &Row<'_>, judge: &mut RowJudge<'_>, seen: &mut OfFile) {
        let find = |version| self.of.objects.find(self.of.hasher.hash(row.bucket, row.key, version));
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

//! A later inventory: how the objects of the manifests are stored now.
//!
//! Every row goes through the readers of an audit, and objects that manifests name are judged the plain way. A data file
//! counts as a whole, or not at all. Nothing is concluded from last-modified dates: changing the encryption in place
//! leaves them as they are.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::faults::{Fault, Faults};
use super::objects::{ObjectHasher, ObjectId, Objects, Version};
use super::state::Evidence;
use crate::batch::{Batch, Column, Flag, Texts};
use crate::engine::{Cancel, WORKER_NAME, lock};
use crate::examine::Row;
use crate::plan::{Completeness, Plan, Shard, Unit};
use crate::policy::{BucketKey, Checker, KeyState, Object, Status, Verdict};
use crate::readers::{Part, Scratch, UnitFault, UnitFile, UnitReader};

/// What a worker keeps of one data file before it sorts out what comes twice.
const MIN_HELD: usize = 1 << 20;

/// What a later inventory turned out to be.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) units: u64,
    pub(super) units_examined: u64,
    pub(super) rows: u64,
    pub(super) rows_rejected: u64,
    /// Whether a source does not tell versions apart.
    pub(super) lacks_versions: bool,
    /// The buckets that it lists.
    pub(super) buckets: BTreeSet<Vec<u8>>,
    /// Whether nothing is missing, and all of it was read.
    pub(super) is_whole: bool,
}

/// What a data file says.
#[derive(Default)]
struct Seen {
    rows: u64,
    rows_rejected: u64,
    lacks_versions: bool,
    /// Objects of manifests, and a bit for each verdict.
    judged: Vec<(ObjectId, u8)>,
    blank: u64,
}

/// What all workers share.
struct Search<'s> {
    checker: &'s Checker,
    objects: &'s Objects,
    hasher: &'s ObjectHasher,
    cancel: &'s Cancel,
    units: Vec<Unit<'s>>,
    next: AtomicUsize,
    found: Mutex<(Looked, Vec<(usize, UnitFault)>)>,
}

/// Judges every object of the manifests that the sources list.
pub(super) fn look(
    plan: &Plan,
    checker: &Checker,
    objects: &Objects,
    hasher: &ObjectHasher,
    faults: &mut Faults,
    jobs: usize,
    cancel: &Cancel,
) -> std::io::Result<Looked> {
    let units: Vec<Unit<'_>> = plan.units(Shard::WHOLE).collect();
    let planned = units.len() as u64;
    let found = Mutex::default();
    let search = Search { checker, objects, hasher, cancel, units, next: AtomicUsize::new(0), found };
    thread::scope(|scope| {
        (0..jobs).try_for_each(|worker| {
            let name = format!("{WORKER_NAME}{worker}");
            thread::Builder::new().name(name).spawn_scoped(scope, || search.run()).map(drop)
        })
    })?;
    let (mut looked, mut unit_faults) = search.found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    unit_faults.sort_by_key(|(at, _)| *at);
    for source in plan.sources() {
        looked.buckets.extend(source.bucket.as_ref().map(|bucket| bucket.clone().into_bytes()));
        for fault in &source.faults {
            faults.add(Fault::of_file(fault.code(), &source.path, &fault.to_string()));
        }
    }
    for (at, fault) in &unit_faults {
        faults.add(Fault::of_file(fault.code(), Path::new(&search.units[*at].key()), &fault.to_string()));
    }
    looked.units = planned;
    looked.is_whole =
        plan.completeness() == Completeness::Proven && looked.units_examined == planned && looked.rows_rejected == 0;
    Ok(looked)
}

impl Search<'_> {
    fn run(&self) {
        let mut scratch = Scratch::default();
        while !self.cancel.is_cancelled() {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = self.units.get(at) else { return };
            let search = AssertUnwindSafe(|| self.read(unit, &mut scratch));
            match catch_unwind(search).unwrap_or_else(|panic| Err(UnitFault::panicked(&*panic))) {
                Ok(seen) => self.take(seen),
                Err(fault) => {
                    // Whatever state the reader left it in.
                    scratch = Scratch::default();
                    lock(&self.found).1.push((at, fault));
                }
            }
        }
    }

    fn take(&self, seen: Seen) {
        for (id, verdicts) in seen.judged {
            for verdict in Verdict::ALL.into_iter().filter(|verdict| verdicts & bit_of(*verdict) != 0) {
                self.objects.note(id, Evidence::Judged(verdict));
            }
        }
        let (looked, _) = &mut *lock(&self.found);
        looked.units_examined += 1;
        looked.rows += seen.rows;
        looked.rows_rejected += seen.rows_rejected;
        looked.lacks_versions |= seen.lacks_versions;
    }

    /// Reads a data file to its end.
    fn read(&self, unit: &Unit<'_>, scratch: &mut Scratch) -> Result<Seen, UnitFault> {
        let cancelled = || self.cancel.is_cancelled();
        let mut reader = UnitReader::new(unit, UnitFile::open(unit)?)?;
        let bucket = unit.source.bucket.as_deref().map(str::as_bytes);
        let always =
            [Column::Key, Column::VersionId, Column::IsLatest, Column::LastModifiedDate, Column::BucketKeyStatus];
        let wanted = always.into_iter().fold(self.checker.wanted_columns(), |wanted, column| wanted.with(column));
        let mut seen = Seen::default();
        while let Some(part) = reader.next_part(scratch)? {
            match part {
                Part::Checksum(checksum) => checksum.check(&cancelled)?,
                Part::Rows(rows) => rows.read(wanted, scratch, &cancelled, &mut |batch, _| {
                    self.judge(batch, bucket, &mut seen);
                    Ok(())
                })?,
            }
        }
        let (expected, found) = (reader.facts().rows, seen.rows + seen.rows_rejected + seen.blank);
        if expected != found && !cancelled() {
            return Err(UnitFault::RowCount { expected, found });
        }
        Ok(seen)
    }

    fn judge(&self, batch: &Batch<'_>, bucket: Option<&[u8]>, seen: &mut Seen) {
        seen.lacks_versions |= batch.version_id.is_absent();
        for at in 0..batch.len {
            match Row::read(batch, at, bucket) {
                Ok(None) => seen.blank += 1,
                Err(_) => seen.rows_rejected += 1,
                Ok(Some(row)) => {
                    seen.rows += 1;
                    if !row.is_delete_marker {
                        self.judge_row(batch, at, &row, seen);
                    }
                }
            }
        }
        if seen.judged.len() >= MIN_HELD.max(self.objects.len() * 2) {
            seen.compact();
        }
    }

    fn judge_row<'a>(&self, batch: &Batch<'a>, at: usize, row: &Row<'a>, seen: &mut Seen) {
        let find = |version| self.objects.find(self.hasher.hash(row.bucket, row.key, version));
        // Without the column, it is the current version, whose id is not known.
        let named = (!batch.version_id.is_absent()).then(|| find(Version::of(row.version_id))).flatten();
        let unnamed = (row.is_latest != Flag::False).then(|| find(Version::Unnamed)).flatten();
        if named.is_none() && unnamed.is_none() {
            return;
        }
        let text = |texts: &Texts<'a>| (!texts.is_absent()).then(|| texts.get(at));
        let object = Object {
            bucket: row.bucket,
            key: row.key,
            is_latest: row.is_latest,
            last_modified: row.last_modified,
            storage_class: batch.storage_class.get(at),
            status: text(&batch.encryption_status).map_or(Status::Absent, Status::parse),
            bucket_key: text(&batch.bucket_key_status).map_or(BucketKey::Unknown, BucketKey::parse),
            encrypted_under: KeyState::Unknown,
        };
        let verdict = bit_of(self.checker.judge_object(&object).verdict);
        seen.judged.extend([named, unnamed].into_iter().flatten().map(|id| (id, verdict)));
    }
}

fn bit_of(verdict: Verdict) -> u8 {
    1 << verdict as u8
}

impl Seen {
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

    #[test]
    fn objects_are_kept_once_with_all_their_verdicts() {
        let ids: Vec<ObjectId> = {
            let hasher = ObjectHasher::new();
            let hashes: Vec<_> = [b"a", b"b"].iter().map(|key| hasher.hash(b"bucket", *key, Version::Null)).collect();
            let objects = Objects::new(hashes.clone()).expect("memory");
            hashes.into_iter().filter_map(|hash| objects.find(hash)).collect()
        };
        let [one, other] = ids[..] else { panic!("two objects") };
        let (right, wrong) = (bit_of(Verdict::Compliant), bit_of(Verdict::Violation));
        let judged = [(one, right), (other, right), (one, wrong), (one, right)].repeat(3);
        let mut seen = Seen { judged, ..Seen::default() };
        seen.compact();
        seen.judged.sort_unstable_by_key(|(id, _)| *id != one);
        assert_eq!(seen.judged, [(one, right | wrong), (other, right)]);
    }
}

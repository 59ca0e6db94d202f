//! The lists of a running audit: units end in any order, lists have one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::list::{ListFile, Pieces};
use super::{Extent, List, OutputError, UnitLengths};
use crate::engine::{Cancel, lock};
use crate::plan::UnitId;

/// Puts the lines of units into the lists as soon as those of all earlier units are there, so that little is left to do
/// in the end. Workers share it.
pub(crate) struct OrderedLists<'c> {
    waiting: Mutex<Waiting>,
    /// One thread at a time can write to a file.
    files: Mutex<Vec<ListFile>>,
    cancel: &'c Cancel,
}

/// What is not in the lists yet.
struct Waiting {
    /// Units that are not ready, in order.
    units: VecDeque<UnitId>,
    /// Those of them that have ended.
    ended: BTreeMap<UnitId, Vec<Extent>>,
    /// What comes next in each list.
    ready: [Pieces; List::ALL.len()],
    /// How much each unit has that was ready.
    lengths: UnitLengths,
}

impl<'c> OrderedLists<'c> {
    /// Fewer bytes are not worth a write of their own.
    const MIN_WRITE: u64 = 1 << 20;

    /// `files` are the lists in the order of [`List::ALL`], and `units` all that will end, in order.
    pub(crate) fn new(files: Vec<ListFile>, units: VecDeque<UnitId>, cancel: &'c Cancel) -> Self {
        let waiting = Waiting { units, ended: BTreeMap::new(), ready: Default::default(), lengths: UnitLengths::new() };
        Self { waiting: Mutex::new(waiting), files: Mutex::new(files), cancel }
    }

    /// A unit has ended, with lines at these extents of the spool files.
    pub(crate) fn add(&self, unit: UnitId, extents: Vec<Extent>) -> Result<(), OutputError> {
        lock(&self.waiting).add(unit, extents);
        while lock(&self.waiting).ready_len() >= Self::MIN_WRITE {
            // Whoever is writing goes on when this is done.
            let Ok(mut files) = self.files.try_lock() else { return Ok(()) };
            self.write_ready(&mut files)?;
        }
        Ok(())
    }

    fn write_ready(&self, files: &mut [ListFile]) -> Result<(), OutputError> {
        let ready = std::mem::take(&mut lock(&self.waiting).ready);
        files.iter_mut().zip(&ready).try_for_each(|(file, pieces)| file.append(pieces, self.cancel))
    }

    /// Writes what is left. Returns the lists, and how much of them is each unit's.
    pub(crate) fn finish(self) -> Result<(Vec<ListFile>, UnitLengths), OutputError> {
        self.write_ready(&mut lock(&self.files))?;
        let mut files = self.files.into_inner().unwrap_or_else(PoisonError::into_inner);
        files.iter_mut().for_each(ListFile::close_sources);
        Ok((files, self.waiting.into_inner().unwrap_or_else(PoisonError::into_inner).lengths))
    }
}

impl Waiting {
    fn add(&mut self, unit: UnitId, mut extents: Vec<Extent>) {
        extents.sort_unstable();
        self.ended.insert(unit, extents);
        while let Some(unit) = self.units.front()
            && let Some(extents) = self.ended.remove(unit)
        {
            self.units.pop_front();
            extents.iter().for_each(|extent| self.push(extent));
        }
    }

    fn push(&mut self, extent: &Extent) {
        self.ready[extent.list as usize].push(extent.worker as usize, extent.offset, extent.len);
        self.lengths.entry(extent.unit).or_default()[extent.list as usize] += extent.len;
    }

    fn ready_len(&self) -> u64 {
        self.ready.iter().map(Pieces::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::{fs, thread};

    use super::*;
    use crate::sinks::Spools;

    const WORKERS: u32 = 4;
    const UNITS: u32 = 200;

    /// Lines of a unit: many of some, none of others, and so many that lists are written in between.
    fn lines(list: List, unit: u32, part: u32) -> Vec<u8> {
        let line = format!("{} {unit} {part}\n", list.file_name());
        line.repeat((unit * 7919 % 5 * part * 1000) as usize).into_bytes()
    }

    /// Units that end in the order in which `unit_at` has them, with parts that end in the wrong order.
    fn lists_of(unit_at: impl Fn(u32) -> u32 + Sync) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let spools = Spools::new(folder.path());
        let path = |list: List| folder.path().join(list.file_name());
        let file = |list| ListFile::create(&path(list), path(list), b"", spools.paths(list, 0..WORKERS));
        let files = List::ALL.into_iter().map(|list| file(list).expect("created")).collect();
        let cancel = Cancel::default();
        let lists = OrderedLists::new(files, (0..UNITS).map(UnitId).collect(), &cancel);
        let next = AtomicU32::new(0);
        let work = |worker| {
            let mut spool = spools.writer(worker);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= UNITS {
                    return;
                }
                let (unit, mut extents) = (unit_at(at), Vec::new());
                for part in [2, 0, 1] {
                    spool.begin_part();
                    for list in List::ALL {
                        spool.write(list, &lines(list, unit, part)).expect("spooled");
                    }
                    extents.extend(spool.end_part(UnitId(unit), part));
                }
                lists.add(UnitId(unit), extents).expect("added");
            }
        };
        thread::scope(|scope| (0..WORKERS).for_each(|worker| drop(scope.spawn(move || work(worker)))));
        let (files, lengths) = lists.finish().expect("written");
        files.into_iter().for_each(|file| file.finish().expect("synced"));
        let texts: Vec<_> = List::ALL.into_iter().map(|list| fs::read(path(list)).expect("read")).collect();
        let sums = lengths.values().fold([0, 0], |[a, b], [x, y]| [a + x, b + y]);
        assert_eq!(sums.as_slice(), texts.iter().map(|text| text.len() as u64).collect::<Vec<_>>());
        texts
    }

    #[test]
    fn whatever_order_units_end_in_the_lists_have_theirs() {
        let of_unit = |list, unit| (0..3).flat_map(move |part| lines(list, unit, part));
        let of_list = |list| (0..UNITS).flat_map(|unit| of_unit(list, unit)).collect::<Vec<u8>>();
        let expected = List::ALL.map(of_list);
        assert!(lists_of(|at| at) == expected);
        assert!(lists_of(|at| UNITS - 1 - at) == expected);
        assert!(lists_of(|at| at * 77 % UNITS) == expected);
    }
}

//! The lists of a running audit: units end in any order, lists have one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::groups::GroupFiles;
use super::list::{ListFile, Pieces};
use super::{Extent, ListId, OutputError, UnitLengths};
use crate::engine::{Cancel, lock};
use crate::plan::UnitId;
use crate::remediation::Groups;

/// Puts the lines of units into the lists as soon as those of all earlier units are there, so that little is left to do
/// in the end. Workers share it.
pub(crate) struct OrderedLists<'c> {
    waiting: Mutex<Waiting>,
    /// One thread at a time can write to a file.
    files: Mutex<ListFiles>,
    groups: &'c Groups,
    cancel: &'c Cancel,
}

/// The files of all lists.
#[derive(Debug)]
pub(crate) struct ListFiles {
    /// In the order of [`List::ALL`].
    pub(crate) named: Vec<ListFile>,
    pub(crate) groups: GroupFiles,
}

/// What is not in the lists yet.
struct Waiting {
    /// Units that are not ready, in order.
    units: VecDeque<UnitId>,
    /// Those of them that have ended.
    ended: BTreeMap<UnitId, Vec<Extent>>,
    /// What comes next in each list.
    ready: BTreeMap<ListId, Pieces>,
    /// How much each unit has that was ready, if somebody wants to know.
    lengths: Option<UnitLengths>,
}

impl<'c> OrderedLists<'c> {
    /// Fewer bytes are not worth a write of their own.
    const MIN_WRITE: u64 = 1 << 20;

    /// `units` are all that will end, in order. `keeps_lengths` says whether it must be known which lines are whose.
    pub(crate) fn new(
        files: ListFiles,
        units: VecDeque<UnitId>,
        groups: &'c Groups,
        keeps_lengths: bool,
        cancel: &'c Cancel,
    ) -> Self {
        let lengths = keeps_lengths.then(UnitLengths::new);
        let waiting = Waiting { units, ended: BTreeMap::new(), ready: BTreeMap::new(), lengths };
        Self { waiting: Mutex::new(waiting), files: Mutex::new(files), groups, cancel }
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

    fn write_ready(&self, files: &mut ListFiles) -> Result<(), OutputError> {
        let ready = std::mem::take(&mut lock(&self.waiting).ready);
        ready.iter().try_for_each(|(list, pieces)| match list {
            ListId::Named(list) => files.named[*list as usize].append(pieces, self.cancel),
            ListId::Group(id) => files.groups.append(&self.groups.get(*id), pieces, self.cancel),
        })
    }

    /// Writes what is left. Returns the lists, and how much of them is each unit's.
    pub(crate) fn finish(self) -> Result<(ListFiles, Option<UnitLengths>), OutputError> {
        self.write_ready(&mut lock(&self.files))?;
        let mut files = self.files.into_inner().unwrap_or_else(PoisonError::into_inner);
        files.named.iter_mut().for_each(ListFile::close_sources);
        files.groups.close_sources();
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
        let Extent { unit, list, worker, offset, len, rows, .. } = *extent;
        self.ready.entry(list).or_default().push(worker as usize, offset, len, rows);
        if let Some(lengths) = &mut self.lengths {
            lengths.entry(unit).or_default().add(list, len, rows);
        }
    }

    fn ready_len(&self) -> u64 {
        self.ready.values().map(Pieces::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::{fs, thread};

    use super::*;
    use crate::remediation::{Group, GroupKind, Lane};
    use crate::sinks::{Lines, List, OutputFolder, Sources, Spools, Stream};

    const WORKERS: u32 = 4;
    const UNITS: u32 = 200;
    const MAX_ROWS: u64 = 7_000;

    fn group(lane: Lane) -> Group {
        let kind =
            GroupKind { lane, version: None, class: None, target: None, has_versions: true, is_undetermined: false };
        kind.of_bucket("b")
    }

    /// Lines of a unit: many of some, none of others, and so many that lists are written in between.
    fn lines(list: &str, unit: u32, part: u32) -> (Vec<u8>, u64) {
        let (line, rows) = (format!("{list} {unit} {part}\n"), unit * 7919 % 5 * part * 1000);
        (line.repeat(rows as usize).into_bytes(), u64::from(rows))
    }

    /// All lines of a list, in order.
    fn expected(list: &str) -> Vec<u8> {
        (0..UNITS).flat_map(|unit| (0..3).flat_map(move |part| lines(list, unit, part).0)).collect()
    }

    /// Units that end in the order in which `unit_at` has them, with parts that end in the wrong order.
    fn assert_ordered(unit_at: impl Fn(u32) -> u32 + Sync) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (cancel, groups) = (Cancel::default(), Groups::default());
        let mut output = OutputFolder::create(folder.path(), false).expect("a folder");
        let spools = Spools::new(output.staging());
        let sources = |stream| Sources::new(spools.paths(stream, 0..WORKERS));
        let named = List::ALL.map(|list| output.begin_list(list.file_name(), b"", sources(Stream::Named(list))));
        let named = named.into_iter().map(|file| file.expect("created")).collect();
        let files =
            ListFiles { named, groups: output.begin_groups(MAX_ROWS, sources(Stream::Groups)).expect("created") };
        let lists = OrderedLists::new(files, (0..UNITS).map(UnitId).collect(), &groups, true, &cancel);
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
                    let named = List::ALL.map(|list| (ListId::Named(list), list.file_name()));
                    let lanes = [Lane::Copy, Lane::Blocked];
                    let lanes =
                        lanes.map(|lane| (ListId::Group(groups.id(group(lane)).expect("a group")), lane.as_str()));
                    for (list, name) in named.into_iter().chain(lanes) {
                        let (lines, rows) = lines(name, unit, part);
                        spool.write(list, &lines, rows).expect("spooled");
                    }
                    extents.extend(spool.end_part(UnitId(unit), part));
                }
                lists.add(UnitId(unit), extents).expect("added");
            }
        };
        thread::scope(|scope| (0..WORKERS).for_each(|worker| drop(scope.spawn(move || work(worker)))));
        let (files, lengths) = lists.finish().expect("written");
        files.named.into_iter().for_each(|file| file.finish().expect("synced"));
        let group_files = files.groups.finish(&cancel).expect("synced");
        for (at, list) in List::ALL.into_iter().enumerate() {
            let text = fs::read(output.staging().join(list.file_name())).expect("read");
            assert!(text == expected(list.file_name()));
            assert_eq!(
                lengths.iter().flat_map(|lengths| lengths.values()).map(|unit| unit.named[at]).sum::<u64>(),
                text.len() as u64
            );
        }
        for lane in [Lane::Copy, Lane::Blocked] {
            let files: Vec<_> = group_files.iter().filter(|file| file.group == group(lane)).collect();
            let header_len = group(lane).header_len() as usize;
            let mut text = Vec::new();
            for file in &files {
                let bytes = fs::read(output.staging().join("remediation").join(&file.path)).expect("read");
                assert_eq!(bytes.len() as u64, file.len);
                text.extend_from_slice(&bytes[header_len..]);
            }
            assert!(text == expected(lane.as_str()), "{}", lane.as_str());
            let (full, last) = files.split_at(files.len() - 1);
            assert!(full.iter().all(|file| file.objects == MAX_ROWS) && last[0].objects <= MAX_ROWS);
            let id = groups.id(group(lane)).expect("a group");
            let mut sum = Lines::default();
            lengths.iter().flat_map(|lengths| lengths.values()).for_each(|unit| {
                unit.groups.get(&id).into_iter().for_each(|lines| sum.add(*lines));
            });
            assert_eq!(sum, Lines { len: text.len() as u64, rows: files.iter().map(|file| file.objects).sum() });
        }
    }

    #[test]
    fn whatever_order_units_end_in_the_lists_have_theirs() {
        assert_ordered(|at| at);
        assert_ordered(|at| UNITS - 1 - at);
        assert_ordered(|at| at * 77 % UNITS);
    }
}

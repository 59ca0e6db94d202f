//! The lists of a running audit: parts and units end in any order, lists have one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::Extent;
use super::ListId;
use super::OutputError;
use super::UnitLengths;
use super::groups::GroupFiles;
use super::list::{ListFile, Piece, Pieces};
use crate::plan::UnitId;
use crate::remediation::Groups;
use crate::work::{Cancel, lock};

/// Puts lines into the lists as soon as everything before them is there, so that hardly any of them have to wait in a
/// spool file. Lines of the first unit that has not ended go ahead; they are taken back if the unit turns out to be a
/// fault. Workers share it.
pub(crate) struct OrderedLists<'c> {
    waiting: Mutex<Waiting>,
    /// One thread at a time can write to a file.
    files: Mutex<ListFiles>,
    groups: &'c Groups,
    cancel: &'c Cancel,
    /// Fewer bytes are not written before the end.
    min_write: u64,
}

/// The files of all lists.
#[derive(Debug)]
pub(crate) struct ListFiles {
    /// In the order of [`List::ALL`](super::List::ALL).
    pub(crate) named: Vec<ListFile>,
    pub(crate) groups: GroupFiles,
}

/// How a unit ended.
pub(crate) enum Ended {
    /// All lines of its parts stand, and these come behind them.
    Sound(Vec<Extent>),
    /// These are in the place of all lines of its parts.
    Faulted(Vec<Extent>),
}

/// What is not in the lists yet.
struct Waiting {
    /// Units that have not ended, or come after such a unit, in order.
    units: VecDeque<UnitId>,
    /// What has come of these and cannot go on.
    parked: BTreeMap<UnitId, Parked>,
    /// How many parts of the first of them have gone ahead.
    parts_ahead: u32,
    /// Whether some of these are in the lists already.
    are_written: bool,
    next: LineBatch,
    /// How much each unit has that has gone on, if somebody wants to know.
    lengths: Option<UnitLengths>,
}

/// What has come of a unit.
#[derive(Default)]
struct Parked {
    parts: BTreeMap<u32, Vec<Extent>>,
    ended: Option<Ended>,
}

/// What is to be done with the lists next, in this order.
#[derive(Default)]
struct LineBatch {
    /// Whether what was written ahead is taken back.
    undoes: bool,
    /// Lines of units that have ended.
    settled: Lists,
    /// Whether all that is written then stands.
    keeps: bool,
    /// Lines of the unit after them.
    ahead: Lists,
}

#[derive(Default)]
struct Lists {
    pieces: BTreeMap<ListId, Pieces>,
    len: u64,
}

impl<'c> OrderedLists<'c> {
    /// So that it pays to open the files of all groups.
    const MIN_WRITE: u64 = 8 << 20;

    /// `units` are all that will end, in order. `keeps_lengths` says whether it must be known which lines are whose.
    pub(crate) fn new(
        files: ListFiles,
        units: VecDeque<UnitId>,
        groups: &'c Groups,
        keeps_lengths: bool,
        cancel: &'c Cancel,
    ) -> Self {
        let lengths = keeps_lengths.then(UnitLengths::new);
        let waiting = Waiting {
            units,
            parked: BTreeMap::new(),
            parts_ahead: 0,
            are_written: false,
            next: LineBatch::default(),
            lengths,
        };
        Self { waiting: Mutex::new(waiting), files: Mutex::new(files), groups, cancel, min_write: Self::MIN_WRITE }
    }

    /// Whether no unit before this one is missing.
    pub(crate) fn is_first(&self, unit: UnitId) -> bool {
        lock(&self.waiting).units.front() == Some(&unit)
    }

    /// A part of a unit has ended with these lines. Parts count from nought.
    pub(crate) fn end_part(&self, unit: UnitId, part: u32, lines: Vec<Extent>) -> Result<(), OutputError> {
        lock(&self.waiting).end_part(unit, part, lines);
        self.write_some()
    }

    /// A unit has ended after all of its parts.
    pub(crate) fn end(&self, unit: UnitId, ended: Ended) -> Result<(), OutputError> {
        lock(&self.waiting).end(unit, ended);
        self.write_some()
    }

    fn write_some(&self) -> Result<(), OutputError> {
        while lock(&self.waiting).next.len() >= self.min_write {
            // Whoever is writing goes on when this is done.
            let Ok(mut files) = self.files.try_lock() else { return Ok(()) };
            self.write_next(&mut files)?;
        }
        Ok(())
    }

    fn write_next(&self, files: &mut ListFiles) -> Result<(), OutputError> {
        let LineBatch { undoes, settled, keeps, ahead } = lock(&self.waiting).take_next();
        if undoes {
            files.undo()?;
        }
        self.append(files, settled)?;
        if keeps {
            files.keep(self.cancel)?;
        }
        self.append(files, ahead)
    }

    fn append(&self, files: &mut ListFiles, lists: Lists) -> Result<(), OutputError> {
        lists.pieces.into_iter().try_for_each(|(list, pieces)| match list {
            ListId::Named(list) => files.named[list as usize].append(pieces, self.cancel),
            ListId::Group(id) => files.groups.append(&self.groups.get(id), pieces, self.cancel),
        })
    }

    /// Writes what is left. Returns the lists, and how much of them is each unit's.
    pub(crate) fn finish(self) -> Result<(ListFiles, Option<UnitLengths>), OutputError> {
        self.write_next(&mut lock(&self.files))?;
        let mut files = self.files.into_inner().unwrap_or_else(PoisonError::into_inner);
        files.named.iter_mut().for_each(ListFile::close_sources);
        files.groups.close_sources();
        Ok((files, self.waiting.into_inner().unwrap_or_else(PoisonError::into_inner).lengths))
    }
}

impl ListFiles {
    fn keep(&mut self, cancel: &Cancel) -> Result<(), OutputError> {
        self.named.iter_mut().for_each(ListFile::keep);
        self.groups.keep(cancel)
    }

    fn undo(&mut self) -> Result<(), OutputError> {
        self.named.iter_mut().try_for_each(ListFile::undo)?;
        self.groups.undo()
    }
}

impl LineBatch {
    fn len(&self) -> u64 {
        self.settled.len.saturating_add(self.ahead.len)
    }
}

impl Lists {
    fn add(&mut self, list: ListId, piece: Piece) {
        self.len = self.len.saturating_add(piece.len());
        self.pieces.entry(list).or_default().add(piece);
    }

    fn append(&mut self, others: Self) {
        for (list, pieces) in others.pieces {
            pieces.into_each().for_each(|piece| self.add(list, piece));
        }
    }
}

impl Waiting {
    fn end_part(&mut self, unit: UnitId, part: u32, lines: Vec<Extent>) {
        self.parked.entry(unit).or_default().parts.insert(part, lines);
        self.go_on();
    }

    fn end(&mut self, unit: UnitId, ended: Ended) {
        self.parked.entry(unit).or_default().ended = Some(ended);
        self.go_on();
    }

    /// Lets everything go on that nothing is missing before.
    fn go_on(&mut self) {
        while let Some(&unit) = self.units.front()
            && let Some(mut parked) = self.parked.remove(&unit)
        {
            let lines = match parked.ended.take() {
                None => {
                    while let Some(lines) = parked.parts.remove(&self.parts_ahead) {
                        self.go_ahead(unit, lines);
                        self.parts_ahead += 1;
                    }
                    self.parked.insert(unit, parked);
                    return;
                }
                Some(Ended::Sound(lines)) => {
                    let ahead = std::mem::take(&mut self.next.ahead);
                    self.next.settled.append(ahead);
                    parked.parts.into_values().flatten().chain(lines).collect()
                }
                Some(Ended::Faulted(lines)) => {
                    // Nothing is settled behind lines that are in the lists already.
                    self.next.undoes |= self.are_written;
                    self.next.ahead = Lists::default();
                    self.lengths.iter_mut().for_each(|lengths| drop(lengths.remove(&unit)));
                    lines
                }
            };
            self.settle(unit, lines);
            self.units.pop_front();
        }
    }

    fn go_ahead(&mut self, unit: UnitId, lines: Vec<Extent>) {
        for Extent { list, piece } in lines {
            self.count(unit, list, &piece);
            self.next.ahead.add(list, piece);
        }
    }

    /// The unit has ended; these are its last lines.
    fn settle(&mut self, unit: UnitId, lines: Vec<Extent>) {
        for Extent { list, piece } in lines {
            self.count(unit, list, &piece);
            self.next.settled.add(list, piece);
        }
        self.next.keeps = true;
        (self.parts_ahead, self.are_written) = (0, false);
    }

    fn count(&mut self, unit: UnitId, list: ListId, piece: &Piece) {
        if let Some(lengths) = &mut self.lengths {
            lengths.entry(unit).or_default().add(list, piece.len(), piece.rows());
        }
    }

    fn take_next(&mut self) -> LineBatch {
        self.are_written |= self.next.ahead.len > 0;
        std::mem::take(&mut self.next)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::{fs, thread};

    use super::*;
    use crate::remediation::{Group, GroupKind, Lane};
    use crate::sinks::header_len;
    use crate::sinks::{Lines, List, OutputFolder, Room, Sources, Spools, Stream};

    const WORKERS: u32 = 4;
    const UNITS: u32 = 200;
    const MAX_ROWS: u64 = 1_400;

    fn group(lane: Lane) -> Group {
        let kind =
            GroupKind { lane, version: None, class: None, target: None, has_versions: true, is_undetermined: false };
        kind.of_bucket("b")
    }

    /// Lines of a unit: many of some, none of others, and so many that lists are written in between.
    fn lines(list: &str, unit: u32, part: u32) -> (Vec<u8>, u64) {
        let (line, rows) = (format!("{list} {unit} {part}\n"), unit * 7919 % 5 * part * 200);
        (line.repeat(rows as usize).into_bytes(), u64::from(rows))
    }

    /// Whether the unit turns out to be a fault.
    fn is_fault(unit: u32) -> bool {
        unit % 7 == 3
    }

    /// All lines of a list, in order.
    fn expected(list: &str) -> Vec<u8> {
        let of_unit = |unit| match is_fault(unit) {
            true if list == List::Faults.file_name() => fault_line(unit),
            true => Vec::new(),
            false => (0..3).flat_map(|part| lines(list, unit, part).0).collect(),
        };
        (0..UNITS).flat_map(of_unit).collect()
    }

    fn fault_line(unit: u32) -> Vec<u8> {
        format!("fault {unit}\n").into_bytes()
    }

    /// Units that end in the order in which `unit_at` has them, with parts that end in the wrong order; every seventh is
    /// a fault in the end. There is room for so many bytes.
    fn assert_ordered(room: u64, unit_at: impl Fn(u32) -> u32 + Sync) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (cancel, groups) = (Cancel::default(), Groups::default());
        let mut output = OutputFolder::create(folder.path(), false).expect("a folder");
        let spools = Spools::new(output.staging(), Room::new(room));
        let sources = |stream| Sources::new(spools.paths(stream, 0..WORKERS));
        let named = List::ALL.map(|list| output.begin_list(list.file_name(), b"", sources(Stream::Named(list))));
        let named = named.into_iter().map(|file| file.expect("created")).collect();
        let files =
            ListFiles { named, groups: output.begin_groups(MAX_ROWS, sources(Stream::Groups)).expect("created") };
        let lists = OrderedLists::new(files, (0..UNITS).map(UnitId).collect(), &groups, true, &cancel);
        let lists = OrderedLists { min_write: 1 << 12, ..lists };
        let next = AtomicU32::new(0);
        let work = |worker| {
            let mut spool = spools.writer(worker);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= UNITS {
                    return;
                }
                let unit = unit_at(at);
                for part in [2, 0, 1] {
                    spool.begin_part(lists.is_first(UnitId(unit)));
                    let named = List::ALL.map(|list| (ListId::Named(list), list.file_name()));
                    let lanes = [Lane::Copy, Lane::Blocked];
                    let lanes =
                        lanes.map(|lane| (ListId::Group(groups.id(group(lane)).expect("a group")), lane.as_str()));
                    for (list, name) in named.into_iter().chain(lanes) {
                        let (mut lines, rows) = lines(name, unit, part);
                        spool.write(list, &mut lines, rows).expect("spooled");
                    }
                    lists.end_part(UnitId(unit), part, spool.end_part()).expect("written");
                }
                let ended = match is_fault(unit) {
                    true => {
                        spool.begin_part(lists.is_first(UnitId(unit)));
                        spool.write(ListId::Named(List::Faults), &mut fault_line(unit), 0).expect("spooled");
                        Ended::Faulted(spool.end_part())
                    }
                    false => Ended::Sound(Vec::new()),
                };
                lists.end(UnitId(unit), ended).expect("written");
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
            let header_len = header_len(&group(lane)) as usize;
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
        for room in [0, 17 << 20, u64::MAX] {
            assert_ordered(room, |at| at);
            assert_ordered(room, |at| UNITS - 1 - at);
            assert_ordered(room, |at| at * 77 % UNITS);
        }
    }
}

//! The lists of all shards, joined unit by unit without looking into them.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Component, Path, PathBuf};

use memchr::memchr_iter;

use super::sums;
use super::{MergeJobError, NoPartial};
use crate::audit::{
    AuditFacts,
    publish::begin_lists,
    shard::{FileSeal, ShardFile, ShardGroupFile, open_own},
};
use crate::partial::Partial;
use crate::plan::UnitId;
use crate::remediation::Group;
use crate::sinks::{
    Lines, List, ListFiles, OutputFolder, PARTIAL_FILE, Pieces, REMEDIATION, SealedFile, Sources, Stream, UnitLengths,
    UnitLines, header_len,
};
use crate::work::Cancel;

/// The lists of a shard.
pub(super) struct ListsOfShard {
    /// How many bytes stand before the first unit's lines.
    preambles: [u64; List::ALL.len()],
    /// How many lines there are, with these.
    lines: [u64; List::ALL.len()],
    /// How much is each unit's.
    lengths: UnitLengths<Group>,
    seals: [FileSeal; List::ALL.len()],
    /// The files of objects that are put right together, in order.
    files: Vec<ShardGroupFile>,
}

impl ListsOfShard {
    /// Takes a shard apart: what is added up, and what is joined.
    pub(super) fn of(shard: ShardFile<'static>) -> (AuditFacts, Partial, Self) {
        let (facts, partial) = (shard.facts.into_owned(), shard.partial.into_owned());
        let preambles = List::ALL.map(|list| facts.preamble(list));
        let mut lines = sums::lines(&partial);
        for (lines, preamble) in lines.iter_mut().zip(&preambles) {
            *lines = lines.saturating_add(memchr_iter(b'\n', preamble).count() as u64);
        }
        let lists = Self {
            preambles: preambles.map(|preamble| preamble.len() as u64),
            lines,
            lengths: shard.lengths.into(),
            seals: shard.lists,
            files: shard.files,
        };
        (facts, partial, lists)
    }
}

/// The lists of all shards.
#[derive(Default)]
pub(super) struct ShardLists {
    folders: Vec<PathBuf>,
    /// Who has a unit's lines, and how much of each list they are.
    units: BTreeMap<UnitId, (usize, UnitLines<Group>)>,
    /// How many bytes stand before the first unit's lines, for each shard and list.
    preambles: Vec<[u64; List::ALL.len()]>,
    /// What each list of each shard must be.
    seals: Vec<[FileSeal; List::ALL.len()]>,
    /// How many lines each of them must have.
    lines: Vec<[u64; List::ALL.len()]>,
    /// The files of objects that are put right together, of all shards.
    files: Vec<(usize, ShardGroupFile)>,
}

impl ShardLists {
    /// Takes the lists of a shard, if they are what it says that they are.
    pub(super) fn add(&mut self, folder: &Path, shard: ListsOfShard) -> Result<(), MergeJobError> {
        let (number, from) = (self.folders.len(), self.files.len());
        self.folders.push(folder.to_owned());
        self.preambles.push(shard.preambles);
        self.seals.push(shard.seals);
        self.lines.push(shard.lines);
        self.files.extend(shard.files.into_iter().map(|file| (number, file)));
        if !self.add_up(number, &shard.lengths, from) {
            return Err(self.odd(number));
        }
        self.units.extend(shard.lengths.into_iter().map(|(unit, lengths)| (unit, (number, lengths))));
        self.check_files(number, from)
    }

    fn odd(&self, shard: usize) -> MergeJobError {
        MergeJobError::NoPartial {
            path: self.folders[shard].join(PARTIAL_FILE),
            error: NoPartial::Sums("the lines of its units are not those of its lists"),
        }
    }

    /// Whether the lines of all units are as long as the lists.
    fn add_up(&self, shard: usize, units: &UnitLengths<Group>, from: usize) -> bool {
        let mut lengths = self.preambles[shard];
        let mut groups: BTreeMap<&Group, Lines> = BTreeMap::new();
        for unit in units.values() {
            lengths.iter_mut().zip(unit.named).for_each(|(sum, len)| *sum = sum.saturating_add(len));
            for (group, lines) in &unit.groups {
                groups.entry(group).or_default().add(*lines);
            }
        }
        let mut found: BTreeMap<&Group, Lines> = BTreeMap::new();
        for (_, file) in &self.files[from..] {
            let len = file.seal.len.saturating_sub(header_len(&file.group));
            found.entry(&file.group).or_default().add(Lines { len, rows: file.rows });
        }
        groups == found && lengths.iter().zip(&self.seals[shard]).all(|(len, seal)| *len == seal.len)
    }

    /// Whether the files of a shard are there. What is in them is compared when they are read.
    fn check_files(&self, shard: usize, from: usize) -> Result<(), MergeJobError> {
        let folder = &self.folders[shard];
        for (list, seal) in List::ALL.into_iter().zip(&self.seals[shard]) {
            check_file(folder, Path::new(list.file_name()), seal)?;
        }
        for (_, file) in &self.files[from..] {
            let path = Path::new(REMEDIATION).join(&file.path);
            // A partial must not lead out of its folder.
            if !path.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(self.odd(shard));
            }
            check_file(folder, &path, &file.seal)?;
        }
        Ok(())
    }

    /// Joins the lists, unit by unit.
    pub(super) fn write(
        &self,
        output: &mut OutputFolder,
        facts: &AuditFacts,
        manifest_rows: u64,
        cancel: &Cancel,
    ) -> Result<ListFiles, MergeJobError> {
        let mut files = begin_lists(output, facts, manifest_rows, |stream| self.sources(stream))?;
        for (list, file) in List::ALL.into_iter().zip(&mut files.named) {
            file.append(self.pieces(list), cancel)?;
            let lines = file.check_sources(cancel)?;
            let odd = lines.iter().zip(&self.lines).position(|(found, expected)| *found != expected[list as usize]);
            if let Some(shard) = odd {
                return Err(self.odd(shard));
            }
        }
        for (group, pieces) in self.group_pieces() {
            files.groups.append(&group, pieces, cancel)?;
        }
        let lines = files.groups.check_sources(cancel)?;
        let expected = |file: &ShardGroupFile| file.rows.saturating_add(u64::from(header_len(&file.group) > 0));
        let odd = lines.iter().zip(&self.files).find(|(found, (_, file))| **found != expected(file));
        odd.map_or(Ok(files), |(_, (shard, _))| Err(self.odd(*shard)))
    }

    fn sources(&self, stream: Stream) -> Sources {
        let file = |shard: usize, path: &Path, FileSeal { len, sha256 }: &FileSeal| SealedFile {
            path: self.folders[shard].join(path),
            len: *len,
            sha256: sha256.clone(),
        };
        let of_shards = |list: List| {
            let seals = self.seals.iter().enumerate();
            seals.map(|(shard, seals)| file(shard, list.file_name().as_ref(), &seals[list as usize])).collect()
        };
        Sources::sealed(match stream {
            Stream::Named(list) => of_shards(list),
            Stream::Groups => {
                let path = |file: &ShardGroupFile| Path::new(REMEDIATION).join(&file.path);
                self.files.iter().map(|(shard, of)| file(*shard, &path(of), &of.seal)).collect()
            }
        })
    }

    /// The lines of all units of a list.
    fn pieces(&self, list: List) -> Pieces {
        let mut offsets: Vec<u64> = self.preambles.iter().map(|lengths| lengths[list as usize]).collect();
        let mut pieces = Pieces::default();
        for (shard, lines) in self.units.values() {
            let len = lines.named[list as usize];
            pieces.push(*shard, offsets[*shard], len, 0);
            offsets[*shard] = offsets[*shard].saturating_add(len);
        }
        pieces
    }

    /// The rows of all units of each group.
    fn group_pieces(&self) -> BTreeMap<Group, Pieces> {
        let mut rest: BTreeMap<(usize, &Group), GroupRows<'_>> = BTreeMap::new();
        for (at, (shard, file)) in self.files.iter().enumerate() {
            rest.entry((*shard, &file.group)).or_default().files.push_back((at, file));
        }
        let mut pieces: BTreeMap<Group, Pieces> = BTreeMap::new();
        for (shard, lines) in self.units.values() {
            for (group, lines) in &lines.groups {
                if let Some(rows) = rest.get_mut(&(*shard, group)) {
                    rows.take(*lines, pieces.entry(group.clone()).or_default());
                }
            }
        }
        pieces
    }

    /// How much of the lists is each unit's.
    pub(super) fn lengths(&self) -> UnitLengths<Group> {
        self.units.iter().map(|(unit, (_, lengths))| (*unit, lengths.clone())).collect()
    }
}

fn check_file(folder: &Path, path: &Path, seal: &FileSeal) -> Result<(), MergeJobError> {
    match open_own(folder, path) {
        Ok(file) if file.len() == seal.len => Ok(()),
        Ok(_) => Err(MergeJobError::Changed(folder.join(path))),
        Err(fault) => Err(MergeJobError::Read { path: folder.join(path), fault }),
    }
}

/// The rows of a group that have not been taken from the files of a shard.
#[derive(Default)]
struct GroupRows<'s> {
    files: VecDeque<(usize, &'s ShardGroupFile)>,
    /// What has been taken of the first of them.
    taken: Lines,
}

impl GroupRows<'_> {
    /// Takes the rows of the next unit, which can be in several files.
    fn take(&mut self, mut lines: Lines, pieces: &mut Pieces) {
        while lines.rows > 0
            && let Some((at, file)) = self.files.front()
        {
            let header_len = header_len(&file.group);
            let left = Lines {
                len: file.seal.len.saturating_sub(header_len).saturating_sub(self.taken.len),
                rows: file.rows.saturating_sub(self.taken.rows),
            };
            let (here, is_over) = if lines.rows >= left.rows { (left, true) } else { (lines, false) };
            pieces.push(*at, header_len + self.taken.len, here.len, here.rows);
            lines = Lines { len: lines.len.saturating_sub(here.len), rows: lines.rows - here.rows };
            if is_over {
                self.files.pop_front();
                self.taken = Lines::default();
            } else {
                self.taken.add(here);
            }
        }
    }
}

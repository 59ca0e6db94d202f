//! Groups in order, in as few bytes as they need.
//!
//! A run is written once, read from its beginning and never changed. It is kept in blocks, and reading a run that is no
//! longer needed frees them one by one: two runs and their sum never stand in memory side by side.

use std::marker::PhantomData;
use std::ops::Add;

use super::bytes::Encoded;
use super::group::{Group, GroupCounts};

/// A block is ended when it is as long as this: much longer than a group, much shorter than a run that matters.
const BLOCK_LEN: usize = 1 << 16;

/// Groups in order.
#[derive(Clone)]
pub(super) struct GroupRun<G> {
    blocks: Vec<Box<[u8]>>,
    load: Load,
    group: PhantomData<G>,
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// How many groups.
    pub(crate) groups: usize,
    /// How many bytes they take.
    pub(crate) bytes: usize,
}

impl Add for Load {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { groups: self.groups + other.groups, bytes: self.bytes + other.bytes }
    }
}

impl<G: Group> GroupRun<G> {
    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.load.groups
    }

    pub(super) fn load(&self) -> Load {
        self.load
    }

    /// The sum of all runs, which are given up while it is written.
    pub(super) fn sum(runs: Vec<Self>) -> Self {
        Sum::new(runs.into_iter().map(Self::into_iter)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (G, GroupCounts)> + '_ {
        RunReader::new(self.blocks.iter())
    }
}

impl<G: Group> IntoIterator for GroupRun<G> {
    type Item = (G, GroupCounts);
    type IntoIter = RunReader<G, std::vec::IntoIter<Box<[u8]>>>;

    fn into_iter(self) -> Self::IntoIter {
        RunReader::new(self.blocks.into_iter())
    }
}

/// The groups must be in order.
impl<G: Group> FromIterator<(G, GroupCounts)> for GroupRun<G> {
    fn from_iter<I: IntoIterator<Item = (G, GroupCounts)>>(groups: I) -> Self {
        let mut writer = RunWriter::default();
        groups.into_iter().for_each(|(group, counts)| writer.push(group, &counts));
        writer.into_run()
    }
}

/// Writes a run.
pub(super) struct RunWriter<G> {
    blocks: Vec<Box<[u8]>>,
    block: Vec<u8>,
    load: Load,
    last: Option<G>,
}

impl<G: Group> RunWriter<G> {
    /// The group that was written last.
    pub(super) fn last(&self) -> Option<&G> {
        self.last.as_ref()
    }

    /// Appends a group, which must come after the last one.
    pub(super) fn push(&mut self, group: G, counts: &GroupCounts) {
        group.encode(self.last.as_ref(), &mut self.block);
        counts.encode(&mut self.block);
        self.load.groups += 1;
        self.last = Some(group);
        if self.block.len() >= BLOCK_LEN {
            self.end_block();
        }
    }

    /// What has been written, or nothing when that is nothing.
    pub(super) fn finish(self) -> Option<GroupRun<G>> {
        (self.load.groups > 0).then(|| self.into_run())
    }

    fn into_run(mut self) -> GroupRun<G> {
        self.end_block();
        GroupRun { blocks: self.blocks, load: self.load, group: PhantomData }
    }

    fn end_block(&mut self) {
        // A copy of the right size; the buffer serves again.
        self.load.bytes += self.block.len();
        self.blocks.push(self.block.as_slice().into());
        self.block.clear();
    }
}

impl<G> Default for RunWriter<G> {
    fn default() -> Self {
        Self { blocks: Vec::new(), block: Vec::new(), load: Load::default(), last: None }
    }
}

/// Reads a run, block by block.
pub(super) struct RunReader<G, B: Iterator> {
    blocks: B,
    block: Option<B::Item>,
    at: usize,
    last: Option<G>,
}

impl<G, B: Iterator> RunReader<G, B> {
    fn new(mut blocks: B) -> Self {
        let block = blocks.next();
        Self { blocks, block, at: 0, last: None }
    }
}

impl<G: Group, B: Iterator<Item: AsRef<[u8]>>> Iterator for RunReader<G, B> {
    type Item = (G, GroupCounts);

    fn next(&mut self) -> Option<Self::Item> {
        while self.at == self.block.as_ref()?.as_ref().len() {
            self.block = self.blocks.next();
            self.at = 0;
        }
        let mut rest = Encoded(&self.block.as_ref()?.as_ref()[self.at..]);
        let before = rest.0.len();
        let group = G::decode(self.last.as_ref(), &mut rest);
        let counts = GroupCounts::decode(&mut rest);
        self.at += before - rest.0.len();
        self.last = Some(group.clone());
        Some((group, counts))
    }
}

/// Adds up sources that are each in order.
pub(super) struct Sum<G, S> {
    heads: Vec<Head<G, S>>,
}

/// The next group of a source.
struct Head<G, S> {
    group: G,
    counts: GroupCounts,
    rest: S,
}

impl<G: Group, S: Iterator<Item = (G, GroupCounts)>> Sum<G, S> {
    pub(super) fn new(sources: impl IntoIterator<Item = S>) -> Self {
        let head = |mut rest: S| rest.next().map(|(group, counts)| Head { group, counts, rest });
        Self { heads: sources.into_iter().filter_map(head).collect() }
    }
}

impl<G: Group, S: Iterator<Item = (G, GroupCounts)>> Iterator for Sum<G, S> {
    type Item = (G, GroupCounts);

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.heads.iter().map(|head| &head.group).min()?.clone();
        let mut sum = GroupCounts::default();
        self.heads.retain_mut(|head| {
            if head.group != first {
                return true;
            }
            sum.add(&head.counts);
            match head.rest.next() {
                Some(next) => (head.group, head.counts) = next,
                None => return false,
            }
            true
        });
        Some((first, sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_key::{Account, Region, RollupKind};
    use crate::policy::Verdict;
    use crate::rollup::{Dimension, Period, Place};

    fn counts(numbers: [u64; 5], bytes: u64) -> GroupCounts {
        let mut counts = GroupCounts { bytes, ..GroupCounts::default() };
        Verdict::ALL.into_iter().zip(numbers).for_each(|(verdict, number)| counts.verdicts.count(verdict, number));
        counts
    }

    /// Every form of every dimension beside every other.
    fn odd_places() -> impl Iterator<Item = Place> {
        let buckets = ["", "a", "b", "bücket", "\\x00"].map(|name| Dimension::Is(name.into()));
        let account = |number| Dimension::Is(Account::from_number(number));
        let accounts = [account(0), account(1), account(999_999_999_999)];
        let region = |text: &str| Region::parse(text.as_bytes()).map_or(Dimension::Missing, Dimension::Is);
        let regions = ["us-east-1", "us-east-10", "us-east-2", "us-gov-east-1", "zz-aaaaaaaaaaaaaaaaaaa-1"].map(region);
        let kinds = ["CloudFront", "other", "vpcflowlogs"].map(|name| RollupKind::named(name.as_bytes()));
        let forms = |is: &[_]| [&[Dimension::Missing], is, &[Dimension::Many]].concat();
        let (accounts, regions) =
            (forms(&accounts), [&[Dimension::Missing], &regions[..], &[Dimension::Many]].concat());
        let buckets = [&[Dimension::Missing], &buckets[..], &[Dimension::Many]].concat();
        let mut places = Vec::new();
        for bucket in buckets {
            for account in &accounts {
                for kind in kinds.into_iter().flatten() {
                    let place = |region: &_| Place { bucket: bucket.clone(), account: *account, kind, region: *region };
                    places.extend(regions.iter().map(place));
                }
            }
        }
        places.sort();
        places.into_iter()
    }

    fn odd_periods() -> impl Iterator<Item = Period> {
        let months = [None, Some(0), Some(652), Some(96_359), Some(u32::MAX)];
        let period = |place: &Place, kind, month| Period {
            bucket: place.bucket.clone(),
            account: place.account,
            kind,
            region: place.region,
            month,
        };
        let all = odd_places().flat_map(|place| {
            let kinds = [Dimension::Missing, Dimension::Is(place.kind), Dimension::Many];
            kinds.map(|kind| months.map(|month| period(&place, kind, month)))
        });
        let mut periods: Vec<_> = all.flatten().collect();
        periods.sort();
        periods.dedup();
        periods.into_iter()
    }

    #[track_caller]
    fn assert_kept<G: Group>(groups: impl Iterator<Item = G>) {
        let numbers = [0, 1, 127, 128, 300, u64::MAX];
        let at = |at: usize| numbers[at % numbers.len()];
        let counts = |n: usize| counts([at(n), at(n / 2), at(n / 3), at(n / 5), at(n / 7)], at(n / 11));
        let groups: Vec<_> = groups.enumerate().map(|(n, group)| (group, counts(n))).collect();
        assert!(groups.is_sorted_by(|one, other| one.0 < other.0));
        let run: GroupRun<G> = groups.iter().cloned().collect();
        assert_eq!(run.len(), groups.len());
        assert!(run.iter().eq(groups.iter().cloned()));
        assert!(run.into_iter().eq(groups));
    }

    #[test]
    fn what_is_written_is_read() {
        assert_kept(odd_places());
        assert_kept(odd_periods());
        assert_kept(std::iter::empty::<Period>());
    }

    /// The README's bound on memory rests on this.
    #[test]
    fn invented_accounts_take_a_few_bytes_each() {
        let place = |number: u64| Place {
            bucket: Dimension::Is("org-audit-logs".into()),
            account: Dimension::Is(Account::from_number(number * 997_001)),
            kind: RollupKind::from_index(1),
            region: Region::parse(b"ap-southeast-1").map_or(Dimension::Missing, Dimension::Is),
        };
        let counts = |number| counts([number % 1_000, 0, 0, 0, 0], number * 1_000_000);
        let run: GroupRun<Place> = (0..100_000_u64).map(|number| (place(number), counts(number))).collect();
        let Load { groups, bytes } = run.load();
        assert_eq!(bytes, run.blocks.iter().map(|block| block.len()).sum::<usize>());
        assert!(run.blocks.len() > 10 && bytes < 14 * groups, "{bytes}");
    }

    #[test]
    fn a_sum_has_each_group_once() {
        let place = |number| Period {
            month: Some(number),
            bucket: Dimension::Many,
            account: Dimension::Many,
            kind: Dimension::Many,
            region: Dimension::Many,
        };
        let run = |numbers: &[u32]| -> GroupRun<Period> {
            numbers.iter().map(|number| (place(*number), counts([1, 0, 0, 0, 2], u64::MAX / 2))).collect()
        };
        let sum = GroupRun::sum(vec![run(&[1, 2, 4]), run(&[]), run(&[2, 3]), run(&[2, 4, 5])]);
        let found: Vec<_> = sum.iter().map(|(group, counts)| (group.month, counts.objects(), counts.bytes)).collect();
        let once = u64::MAX / 2;
        let expected = [(1, 3, once), (2, 9, u64::MAX), (3, 3, once), (4, 6, once * 2), (5, 3, once)];
        assert_eq!(found, expected.map(|(month, objects, bytes)| (Some(month), objects, bytes)));
    }
}

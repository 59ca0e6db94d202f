//! Rows by the block: what the export says of each object, before any format.
//!
//! A [`Recipe`] fills a [`Block`] with the rows from a given number on; they depend on the options, on that number and on
//! nothing else. The block's text (keys, version ids, entity tags) lies in one string that is used again for the next
//! block. Each object carries the verdict that the preset `cis` must give, because whoever makes a row knows it.

use std::fmt::Write as _;
use std::ops::Range;

use super::place::{DAY, Family, GeneratedPlace, KeySpace, NEWEST_DAY, SCAN_START};
use super::random::{Stream, mix};
use super::{Options, Spread, share_of};
use crate::policy::{Status, Verdict};

pub(super) const BLOCK_ROWS: u64 = 16_384;

const MILLION: u64 = 1_000_000;
const MEBIBYTE: u32 = 1 << 20;
/// From this day (19 November 2025) digests are encrypted like the logs of their trail.
const DIGESTS_UNDER_KMS: u32 = 20_411;

/// One row; ranges point into the block's text, an empty string is a missing value.
pub(super) struct Row {
    pub(super) key: Range<usize>,
    pub(super) version_id: Range<usize>,
    pub(super) is_latest: bool,
    /// Seconds since 1970, like all times here.
    pub(super) last_modified: u32,
    pub(super) bucket_key: &'static str,
    /// `None` is a delete marker.
    pub(super) object: Option<Object>,
}

pub(super) struct Object {
    pub(super) size: u32,
    pub(super) e_tag: Range<usize>,
    pub(super) storage: Storage,
    pub(super) is_multipart: bool,
    pub(super) replication: &'static str,
    pub(super) status: Status,
    pub(super) lock: Option<Lock>,
    pub(super) checksum: &'static str,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Copy)]
pub(super) struct Storage {
    pub(super) class: &'static str,
    pub(super) tier: &'static str,
}

pub(super) struct Lock {
    pub(super) until: u32,
    pub(super) mode: &'static str,
    pub(super) legal_hold: &'static str,
}

#[derive(Default)]
pub(super) struct Block {
    text: String,
    pub(super) rows: Vec<Row>,
}

impl Block {
    pub(super) fn text(&self, range: &Range<usize>) -> &str {
        &self.text[range.clone()]
    }

    /// Appends to the block's text and returns where it lies there.
    fn append(&mut self, push: impl FnOnce(&mut String)) -> Range<usize> {
        let start = self.text.len();
        push(&mut self.text);
        start..self.text.len()
    }
}

/// Which log objects violate.
enum Violations {
    /// Each with this chance in a million.
    Scattered(u32),
    /// Those whose row number is in a range: neighbours in account, Region and date.
    Clustered([Range<u64>; 4]),
}

impl Violations {
    fn new(options: &Options) -> Self {
        let share = (options.violations * MILLION as f64).round() as u32;
        match options.spread {
            Spread::Scattered => Self::Scattered(share),
            Spread::Clustered => Self::Clustered([0, 1, 2, 3].map(|quarter| cluster(options, quarter, share))),
        }
    }

    fn hit(&self, row: u64, stream: &mut Stream) -> bool {
        match self {
            Self::Scattered(share) => stream.below(MILLION as u32) < *share,
            Self::Clustered(ranges) => ranges.iter().any(|range| range.contains(&row)),
        }
    }
}

/// Somewhere in a quarter of the rows, that quarter's share of violations.
fn cluster(options: &Options, quarter: u64, share: u32) -> Range<u64> {
    let rows = share_of(options.rows, 4, quarter);
    let count = rows.end - rows.start;
    let len = count * u64::from(share) / MILLION;
    let start = rows.start + mix(options.seed ^ quarter) % (count - len + 1);
    start..start + len
}

pub(super) struct Recipe {
    seed: u64,
    key_space: KeySpace,
    violations: Violations,
}

/// What the objects of a run have in common.
struct Run {
    place: GeneratedPlace,
    storage: Storage,
    replication: &'static str,
    checksum: &'static str,
    kms_bucket_key: &'static str,
}

impl Recipe {
    pub(super) fn new(options: &Options) -> Self {
        Self { seed: options.seed, key_space: KeySpace::new(options), violations: Violations::new(options) }
    }

    /// Replaces what the block holds by the rows of these numbers.
    pub(super) fn fill(&self, rows: Range<u64>, block: &mut Block) {
        block.text.clear();
        block.rows.clear();
        let stream = Stream::keyed(self.seed, rows.start);
        let mut pen = Pen { violations: &self.violations, stream, block };
        let mut at = rows.start;
        while at < rows.end {
            let run = self.draw_run(at, &mut pen.stream);
            let end = rows.end.min(at + u64::from(run.place.len));
            pen.push_run(&run, at..end);
            at = end;
        }
    }

    fn draw_run(&self, row: u64, stream: &mut Stream) -> Run {
        let place = self.key_space.place(row, stream);
        let age = NEWEST_DAY - place.day;
        Run {
            storage: storage(place.account, age),
            replication: if place.account % 8 == 1 { "COMPLETED" } else { "" },
            checksum: if age < 400 { "CRC64NVME" } else { "" },
            kms_bucket_key: if stream.per_mille(700) { "ENABLED" } else { "DISABLED" },
            place,
        }
    }
}

/// One version of a key, before its columns are known.
struct Version {
    key: Range<usize>,
    written: u32,
    is_latest: bool,
}

impl Version {
    /// The version that this one replaced.
    fn older(self) -> Self {
        Self { written: self.written - 3600, is_latest: false, ..self }
    }
}

struct Pen<'a> {
    violations: &'a Violations,
    stream: Stream,
    block: &'a mut Block,
}

impl Pen<'_> {
    /// A delete marker is followed by the version that it hides, and sometimes an object by the one that it replaced.
    fn push_run(&mut self, run: &Run, rows: Range<u64>) {
        let mut keys = 0..;
        let mut is_hidden = false;
        let mut previous: Option<Version> = None;
        for row in rows {
            let is_older = is_hidden || self.stream.per_mille(10);
            let older = previous.filter(|_| is_older).map(Version::older);
            let version = older.unwrap_or_else(|| self.draw_version(run, keys.next().unwrap_or(0)));
            is_hidden = version.is_latest && self.stream.per_mille(10);
            if is_hidden {
                self.push_marker(&version);
            } else {
                self.push_object(run, row, &version);
            }
            previous = Some(version);
        }
    }

    fn draw_version(&mut self, run: &Run, number: u32) -> Version {
        let time = run.place.time_of_day(number);
        let key = self.block.append(|text| run.place.push_key(time, &mut self.stream, text));
        let written = run.place.day * DAY + time + self.stream.below(600);
        Version { key, written, is_latest: true }
    }

    fn push_marker(&mut self, version: &Version) {
        let deleted = version.written + (1 + self.stream.below(365)) * DAY;
        let row = Row {
            key: version.key.clone(),
            version_id: self.block.append(|text| text.push_str(self.stream.version_id().as_str())),
            is_latest: true,
            last_modified: deleted.min(SCAN_START - DAY),
            bucket_key: "DISABLED",
            object: None,
        };
        self.block.rows.push(row);
    }

    fn push_object(&mut self, run: &Run, row: u64, version: &Version) {
        let object = self.draw_object(run, row, version.written);
        let is_null_version = version.is_latest && self.stream.per_mille(5);
        let row = Row {
            key: version.key.clone(),
            version_id: self.block.append(|text| {
                if !is_null_version {
                    text.push_str(self.stream.version_id().as_str());
                }
            }),
            is_latest: version.is_latest,
            last_modified: version.written,
            bucket_key: if object.status == Status::SseKms { run.kms_bucket_key } else { "DISABLED" },
            object: Some(object),
        };
        self.block.rows.push(row);
    }

    fn draw_object(&mut self, run: &Run, row: u64, written: u32) -> Object {
        let (status, verdict) = self.draw_status(&run.place, row);
        let size = draw_size(run.place.family, &mut self.stream);
        let is_multipart = size >= 16 * MEBIBYTE;
        let e_tag = self.block.append(|text| {
            text.push_str(self.stream.hex::<32>().as_str());
            if is_multipart {
                // Writing to a string cannot fail.
                let _ = write!(text, "-{}", size.div_ceil(8 * MEBIBYTE));
            }
        });
        Object {
            size,
            e_tag,
            storage: run.storage,
            is_multipart,
            replication: run.replication,
            status,
            lock: self.stream.per_mille(10).then(|| draw_lock(written, &mut self.stream)),
            checksum: run.checksum,
            verdict,
        }
    }

    fn draw_status(&mut self, place: &GeneratedPlace, row: u64) -> (Status, Verdict) {
        match place.family {
            Family::Log if self.violations.hit(row, &mut self.stream) => {
                let is_plain = self.stream.per_mille(100);
                (if is_plain { Status::NotSse } else { Status::SseS3 }, Verdict::Violation)
            }
            Family::Digest if place.day < DIGESTS_UNDER_KMS => (Status::SseS3, Verdict::Compliant),
            Family::Log | Family::Digest => (Status::SseKms, Verdict::Compliant),
            _ => (draw_any_status(&mut self.stream), Verdict::OutOfScope),
        }
    }
}

fn draw_any_status(stream: &mut Stream) -> Status {
    match stream.below(100) {
        0..60 => Status::SseS3,
        60..85 => Status::SseKms,
        85..90 => Status::DsseKms,
        90..93 => Status::SseC,
        _ => Status::NotSse,
    }
}

/// About log-normal: the sum of eight random bytes is nearly normal, and is the base-2 logarithm in 256ths, without
/// floating point that could differ between machines.
fn draw_size(family: Family, stream: &mut Stream) -> u32 {
    let middle = match family {
        Family::Digest => 11,
        Family::Outside => 18,
        Family::FlowLog => 16,
        _ => 13,
    };
    let sum: u32 = stream.draw().to_le_bytes().into_iter().map(u32::from).sum();
    let logarithm = middle * 256 + sum * 2 - 2040;
    let size = ((256 + logarithm % 256) << (logarithm / 256)) >> 8;
    size + stream.below(1 + (size >> 8))
}

fn draw_lock(written: u32, stream: &mut Stream) -> Lock {
    Lock {
        until: written + (1 + stream.below(7)) * 365 * DAY,
        mode: if stream.per_mille(300) { "COMPLIANCE" } else { "GOVERNANCE" },
        legal_hold: if stream.per_mille(100) { "ON" } else { "OFF" },
    }
}

/// Accounts have one of three lifecycles; a class follows from the age in days.
fn storage(account: u64, age: u32) -> Storage {
    let (class, tier) = match (account % 3, age) {
        (0, 0..30) => ("INTELLIGENT_TIERING", "FREQUENT"),
        (0, 30..90) => ("INTELLIGENT_TIERING", "INFREQUENT"),
        (0, 90..400) => ("INTELLIGENT_TIERING", "ARCHIVE_INSTANT_ACCESS"),
        (0, 400..800) => ("INTELLIGENT_TIERING", "ARCHIVE"),
        (0, _) => ("INTELLIGENT_TIERING", "DEEP_ARCHIVE"),
        (1, 0..30) | (2, 0..400) => ("STANDARD", ""),
        (1, 30..90) | (2, _) => ("STANDARD_IA", ""),
        (1, 90..180) => ("GLACIER_IR", ""),
        (1, 180..365) => ("GLACIER", ""),
        _ => ("DEEP_ARCHIVE", ""),
    };
    Storage { class, tier }
}

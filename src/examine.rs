//! One batch at a time: rows to verdicts, counts, findings and rejected rows.
//!
//! An [`Examiner`] belongs to one worker and keeps what saves work between batches: the places that keys led to, the
//! counts that have not been folded, and the spool files. It looks at a row once; only rows that are findings or faults
//! cost more than a lookup and an addition.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::batch::{Batch, Column, Flag, RowFault, RowState, Texts};
use crate::escape::escape;
use crate::object_key::ObjectKey;
use crate::partial::{MAX_SAMPLE_LEN, Partial};
use crate::plan::{Unit, UnitId};
use crate::policy::{BucketKey, Checker, Object, Ruling, Scope, Status};
use crate::readers::{Details, UnitFault};
use crate::rollup::Place;
use crate::sinks::{Extent, Finding, List, SpoolWriter, push_fault, push_finding};
use crate::tally::{PlaceId, Tally};
use crate::timestamp::{Month, MonthMemo, Timestamp};

/// Lines are handed to the spool when this many bytes have come together.
const LINES_LEN: usize = 1 << 16;

/// Examines the batches of one worker.
pub(crate) struct Examiner<'c> {
    checker: &'c Checker,
    places: Places,
    tally: Tally,
    spool: SpoolWriter,
    statuses: Vec<Status>,
    bucket_keys: Vec<BucketKey>,
    months: MonthMemo,
    /// The rows of the batch that become findings.
    flagged: Vec<Flagged>,
    flagged_rows: Vec<u32>,
    blank_lines: u64,
    findings: Vec<u8>,
    faults: Vec<u8>,
    /// The first error of the spool; nothing more is written after it.
    error: Option<io::Error>,
}

/// A row that becomes a finding, if what was deferred of it can be read.
#[derive(Clone, Copy)]
struct Flagged {
    place: PlaceId,
    month: Option<Month>,
    status: Status,
    ruling: Ruling,
}

/// What an audit needs of a row, as it was read. Columns that are deferred are blank.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The bucket's name.
    pub bucket: &'a [u8],
    /// The raw key.
    pub key: &'a [u8],
    /// Blank for the null version.
    pub version_id: &'a [u8],
    /// Whether it is the current version.
    pub is_latest: Flag,
    /// Whether it is a delete marker; a blank says no.
    pub is_delete_marker: bool,
    /// The size in bytes.
    pub size: Option<u64>,
    /// When it was last modified.
    pub last_modified: Option<Timestamp>,
}

impl<'a> Row<'a> {
    /// Reads a row of a batch and refuses it when it cannot be examined. Rows about another bucket than `bucket` are
    /// refused, too. Blank lines are no rows.
    #[inline]
    pub fn read(batch: &Batch<'a>, row: usize, bucket: Option<&[u8]>) -> Result<Option<Self>, RowFault> {
        match batch.states.map_or(RowState::Sound, |states| states[row]) {
            RowState::Sound => {}
            RowState::Blank => return Ok(None),
            RowState::Bad(fault) => return Err(fault),
        }
        let read = Self {
            bucket: batch.bucket.get(row),
            key: batch.key.get(row),
            version_id: batch.version_id.get(row),
            is_latest: batch.is_latest.get(row),
            is_delete_marker: batch.is_delete_marker.get(row) == Flag::True,
            size: batch.size.get(row).size()?,
            last_modified: batch.last_modified.get(row).time()?,
        };
        if read.bucket.is_empty() || (read.key.is_empty() && !batch.deferred.contains(Column::Key)) {
            return Err(RowFault::NoKey);
        }
        if bucket.is_some_and(|bucket| bucket != read.bucket) {
            return Err(RowFault::OtherBucket);
        }
        if !is_version_id(read.version_id) {
            return Err(RowFault::VersionId);
        }
        if read.is_latest == Flag::Bad {
            return Err(RowFault::IsLatest);
        }
        if batch.is_delete_marker.get(row) == Flag::Bad {
            return Err(RowFault::IsDeleteMarker);
        }
        Ok(Some(read))
    }
}

/// Version ids are opaque and URL-ready: at most 1,024 letters, digits and a few signs. Blank is the null version.
#[inline]
fn is_version_id(id: &[u8]) -> bool {
    // Ids are nearly always fine: looking at all bytes at once is faster than looking for the first bad one.
    id.len() <= 1024 && id.iter().fold(true, |all, &byte| all & is_url_ready(byte))
}

/// Ranges instead of a table, and no short circuits: the compiler makes vectors of it.
#[inline]
fn is_url_ready(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // From '-' to '9' there are only '-', '.', '/' and the digits.
    let is_digit_or_sign = byte.wrapping_sub(b'-') < 13;
    is_letter | is_digit_or_sign | (byte == b'_') | (byte == b'~') | (byte == b'+') | (byte == b'=')
}

impl<'a> Finding<'a> {
    /// Puts a finding together from a row of a batch and, for its deferred columns, a row of `more`.
    fn read(batch: &Batch<'a>, row: usize, more: &Batch<'a>, at: usize, ruling: Ruling) -> Result<Self, RowFault> {
        let cell = |column| if batch.deferred.contains(column) { (more, at) } else { (batch, row) };
        let text = |column, of: fn(&Batch<'a>) -> Texts<'a>| {
            let (batch, row) = cell(column);
            of(batch).get(row)
        };
        let (dated, dated_row) = cell(Column::LastModifiedDate);
        let (marked, marked_row) = cell(Column::IsLatest);
        let finding = Self {
            bucket: batch.bucket.get(row),
            key: text(Column::Key, |batch| batch.key),
            version_id: text(Column::VersionId, |batch| batch.version_id),
            is_latest: marked.is_latest.get(marked_row),
            size: batch.size.get(row).size()?,
            last_modified: dated.last_modified.get(dated_row).time()?,
            storage_class: text(Column::StorageClass, |batch| batch.storage_class),
            encryption_status: batch.encryption_status.get(row),
            bucket_key_status: text(Column::BucketKeyStatus, |batch| batch.bucket_key_status),
            ruling,
        };
        if finding.key.is_empty() {
            return Err(RowFault::NoKey);
        }
        if !is_version_id(finding.version_id) {
            return Err(RowFault::VersionId);
        }
        Ok(finding)
    }
}

impl<'c> Examiner<'c> {
    pub(crate) fn new(checker: &'c Checker, spool: SpoolWriter) -> Self {
        Self {
            checker,
            places: Places::default(),
            tally: Tally::default(),
            spool,
            statuses: Vec::new(),
            bucket_keys: Vec::new(),
            months: MonthMemo::default(),
            flagged: Vec::new(),
            flagged_rows: Vec::new(),
            blank_lines: 0,
            findings: Vec::new(),
            faults: Vec::new(),
            error: None,
        }
    }

    /// Begins a part of a unit.
    pub(crate) fn begin_part(&mut self) {
        self.findings.clear();
        self.faults.clear();
        self.spool.begin_part();
    }

    /// Ends a part: where its lines stand.
    pub(crate) fn end_part(&mut self, unit: UnitId, part: u32) -> io::Result<impl Iterator<Item = Extent>> {
        self.flush_lines(0);
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(self.spool.end_part(unit, part)),
        }
    }

    /// Examines a batch of the unit. Rejected rows are counted in `partial` at once, everything else when folded.
    pub(crate) fn examine(
        &mut self,
        unit: &Unit<'_>,
        batch: &Batch<'_>,
        details: &mut dyn Details,
        partial: &mut Partial,
    ) -> Result<(), UnitFault> {
        let bucket = unit.source.bucket.as_deref().map(str::as_bytes);
        code(&batch.encryption_status, Status::Absent, Status::parse, batch.len, &mut self.statuses);
        code(&batch.bucket_key_status, BucketKey::Unknown, BucketKey::parse, batch.len, &mut self.bucket_keys);
        self.flagged.clear();
        self.flagged_rows.clear();
        for at in 0..batch.len {
            match Row::read(batch, at, bucket) {
                Ok(None) => self.blank_lines += 1,
                Ok(Some(row)) if row.is_delete_marker => partial.delete_markers += 1,
                Ok(Some(row)) => self.judge(&row, at, batch, partial),
                Err(fault) => self.reject(unit, batch.first_row + at as u64, fault, partial),
            }
        }
        if !self.flagged.is_empty() {
            self.list_flagged(unit, batch, details, partial)?;
        }
        self.flush_lines(LINES_LEN);
        if self.tally.is_full() || self.places.is_full() {
            self.fold(partial);
        }
        Ok(())
    }

    /// Moves the counts of this worker into a partial.
    pub(crate) fn fold(&mut self, partial: &mut Partial) {
        self.tally.fold(&self.places.list, partial);
        if self.places.is_full() {
            self.places = Places::default();
        }
    }

    /// How many lines were no rows, since this was last asked.
    pub(crate) fn take_blank_lines(&mut self) -> u64 {
        std::mem::take(&mut self.blank_lines)
    }

    /// Forgets everything that a unit left behind, whatever state it was in.
    pub(crate) fn forget(&mut self) {
        self.blank_lines = 0;
        self.tally.clear();
        self.places = Places::default();
    }

    /// Notes the fault of a unit, in the place of all its lines.
    pub(crate) fn fail_unit(
        &mut self,
        unit: &Unit<'_>,
        what: &str,
        why: &str,
    ) -> io::Result<impl Iterator<Item = Extent>> {
        self.begin_part();
        let source = unit.source.display_path();
        let key = unit.key();
        push_fault(&mut self.faults, what, &source, Some(&escape(key.as_bytes())), None, &escape(why.as_bytes()));
        self.end_part(unit.id, 0)
    }

    /// Ends the spool files.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.spool.finish()
    }

    #[inline]
    fn judge(&mut self, row: &Row<'_>, at: usize, batch: &Batch<'_>, partial: &mut Partial) {
        let (status, bucket_key) = (self.statuses[at], self.bucket_keys[at]);
        let place = self.places.find(self.checker, row.bucket, row.key);
        let object = Object {
            bucket: row.bucket,
            key: row.key,
            is_latest: row.is_latest,
            last_modified: row.last_modified,
            storage_class: batch.storage_class.get(at),
            status,
            bucket_key,
        };
        let ruling = self.checker.judge_in(&self.places.scopes[place.0 as usize], &object);
        let month = row.last_modified.map(|time| self.months.month(time));
        if status == Status::Unrecognised {
            let text = batch.encryption_status.get(at);
            partial.note_unrecognised(&escape(&text[..text.len().min(MAX_SAMPLE_LEN)]));
        }
        if ruling.is_finding() {
            self.flagged.push(Flagged { place, month, status, ruling });
            self.flagged_rows.push(at as u32);
        } else {
            self.tally.add(place, month, status, ruling, row.size.unwrap_or(0));
        }
    }

    /// Counts and lists the flagged rows, or rejects those whose deferred columns are bad.
    fn list_flagged(
        &mut self,
        unit: &Unit<'_>,
        batch: &Batch<'_>,
        details: &mut dyn Details,
        partial: &mut Partial,
    ) -> Result<(), UnitFault> {
        let rows = std::mem::take(&mut self.flagged_rows);
        let more = if batch.deferred.is_empty() { Batch::default() } else { details.read(&rows)? };
        for (at, &row) in rows.iter().enumerate() {
            let Flagged { place, month, status, ruling } = self.flagged[at];
            match Finding::read(batch, row as usize, &more, at, ruling) {
                Ok(finding) => {
                    self.tally.add(place, month, status, ruling, finding.size.unwrap_or(0));
                    push_finding(&mut self.findings, &finding, self.checker.policy());
                }
                Err(fault) => self.reject(unit, batch.first_row + u64::from(row), fault, partial),
            }
        }
        self.flagged_rows = rows;
        Ok(())
    }

    fn reject(&mut self, unit: &Unit<'_>, row: u64, fault: RowFault, partial: &mut Partial) {
        partial.rows_rejected += 1;
        partial.count_fault(fault.code());
        let (source, key) = (unit.source.display_path(), unit.key());
        push_fault(&mut self.faults, fault.code(), &source, Some(&escape(key.as_bytes())), Some(row), fault.why());
    }

    fn flush_lines(&mut self, at_least: usize) {
        for (list, lines) in [(List::Findings, &mut self.findings), (List::Faults, &mut self.faults)] {
            if lines.len() < at_least {
                continue;
            }
            if self.error.is_none() {
                self.error = self.spool.write(list, lines).err();
            }
            lines.clear();
        }
    }
}

/// Turns a column of texts into codes; the texts of a dictionary are read once.
fn code<C: Copy>(texts: &Texts<'_>, absent: C, parse: fn(&[u8]) -> C, len: usize, codes: &mut Vec<C>) {
    codes.clear();
    match texts {
        Texts::Absent => codes.resize(len, absent),
        Texts::Plain(list) => codes.extend((0..len).map(|row| parse(list.get(row)))),
        Texts::Coded { codes: numbers, dictionary } => {
            let known: Vec<C> = (0..dictionary.len()).map(|at| parse(dictionary.get(at))).collect();
            let blank = parse(b"");
            codes.extend(numbers.iter().map(|&number| known.get(number as usize).copied().unwrap_or(blank)));
        }
    }
}

/// Prefixes beyond this are forgotten before more are kept.
const MAX_PREFIXES_LEN: usize = 1 << 22;

/// The places that keys have led to, and the rules that apply there.
#[derive(Default)]
struct Places {
    list: Vec<Place>,
    scopes: Vec<Scope>,
    by_prefix: HashMap<Box<[u8]>, PlaceId, RandomState>,
    last_bucket: Arc<str>,
    /// The bucket and the folder of the last key: the next is likely to lie in the same.
    last: (Vec<u8>, Vec<u8>, Option<PlaceId>),
    prefix: Vec<u8>,
    /// The length of all prefixes together.
    prefixes_len: usize,
}

impl Places {
    /// A folder decides the place, so only a key in another folder than the last one is looked at.
    #[inline]
    fn find(&mut self, checker: &Checker, bucket: &[u8], key: &[u8]) -> PlaceId {
        let folder = &key[..memchr::memrchr(b'/', key).map_or(0, |slash| slash + 1)];
        if let (last_bucket, last_folder, Some(place)) = &self.last
            && last_bucket == bucket
            && last_folder == folder
        {
            return *place;
        }
        let place = self.look_up(checker, bucket, key);
        let (last_bucket, last_folder, last_place) = &mut self.last;
        last_bucket.clear();
        last_bucket.extend_from_slice(bucket);
        last_folder.clear();
        last_folder.extend_from_slice(folder);
        *last_place = Some(place);
        place
    }

    fn look_up(&mut self, checker: &Checker, bucket: &[u8], key: &[u8]) -> PlaceId {
        let parsed = ObjectKey::parse(key);
        self.prefix.clear();
        self.prefix.extend_from_slice(&(bucket.len() as u64).to_le_bytes());
        self.prefix.extend_from_slice(bucket);
        self.prefix.extend_from_slice(ObjectKey::scope_prefix(key, &parsed));
        if let Some(place) = self.by_prefix.get(self.prefix.as_slice()) {
            return *place;
        }
        let place = PlaceId(self.list.len() as u32);
        let bucket_name = escape(bucket);
        if *self.last_bucket != *bucket_name {
            self.last_bucket = Arc::from(&*bucket_name);
        }
        self.list.push(Place::new(Arc::clone(&self.last_bucket), &parsed));
        self.scopes.push(checker.scope(bucket, &parsed));
        self.by_prefix.insert(self.prefix.as_slice().into(), place);
        self.prefixes_len += self.prefix.len();
        place
    }

    /// A batch has fewer rows than are left of the ids, so it is enough to ask after each batch. Whoever names the objects
    /// decides how long the prefixes are.
    fn is_full(&self) -> bool {
        self.list.len() >= PlaceId::LIMIT / 2 || self.prefixes_len >= MAX_PREFIXES_LEN
    }
}

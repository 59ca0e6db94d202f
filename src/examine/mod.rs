//! One batch at a time: rows to verdicts, counts, findings and rejected rows.
//!
//! An [`Examiner`] belongs to one worker and keeps what saves work between batches: the places that keys led to, the
//! counts that have not been folded, and the spool files. It looks at a row once, or at whole columns where that is enough;
//! only rows that are findings or faults cost more than a lookup and an addition.

mod classes;
mod columnwise;
mod flagged;
mod keys;
mod places;
mod remedies;
mod row;
mod sample_lines;
mod sampled;
mod stored;
mod tally;

use std::sync::Arc;

use crate::amounts::Amount;
use crate::batch::{Batch, Column, ColumnSet, Flag, RowFault};
use crate::escape::escape;
use crate::evidence::{KeyError, Keys};
use crate::fault::UnitFault;
use crate::partial::{MAX_SAMPLE_LEN, Partial, Rollups, Terms};
use crate::plan::Unit;
use crate::policy::{BucketKey, Checker, Object, Ruling, Status};
use crate::readers::Details;
use crate::remediation::{Groups, Targets};
use crate::sample::{Drawn, Limits};
use crate::sinks::{
    Extent, FindingWriter, LINES_LEN, List, ListId, OutputError, SpoolWriter, UnitCounts, push_fault,
    push_faulted_unit, push_unit,
};
use crate::timestamp::{Month, MonthMemo};

use classes::ClassCounts;
use columnwise::{PairCounts, is_countable, pairs, sound_bucket};
use flagged::{FindingCells, Flagged, Position};
use places::Places;
use remedies::{DetailCells, Remedies};

use keys::{Basis, Counted, RowKeys};
pub use row::Row;
use sample_lines::{Notes, conclusion};
pub(crate) use sample_lines::{SAMPLED_HEADER, drawn_lines};
use sampled::Sampler;
use stored::Encryptions;
pub(crate) use stored::RowJudge;
use tally::{CellId, PlaceId, Tally};

/// The columns of the list of findings.
const LISTED: ColumnSet = ColumnSet::ALL.partition(ColumnSet::REMEDIATION.union(ColumnSet::EVIDENCE)).1;

/// Examines the batches of one worker.
pub(crate) struct Examiner<'c> {
    checker: &'c Checker,
    places: Places,
    tally: Tally,
    spool: SpoolWriter,
    remedies: Remedies<'c>,
    encryptions: Encryptions,
    keys: RowKeys<'c>,
    months: MonthMemo,
    writer: FindingWriter<'c>,
    sampler: Sampler,
    /// Nothing where nothing is counted by groups.
    classes: Option<ClassCounts>,
    /// The rows of the batch that become findings.
    flagged: Vec<Flagged>,
    flagged_rows: Vec<u32>,
    blank_lines: u64,
    findings: Vec<u8>,
    faults: Vec<u8>,
    units: Vec<u8>,
    /// The first error of the spool; nothing more is written after it.
    error: Option<ExamineError>,
}

/// Why rows cannot be examined, whatever they are.
#[derive(Debug)]
pub(crate) enum ExamineError {
    Keys(KeyError),
    Output(OutputError),
}

impl From<OutputError> for ExamineError {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}

/// What was judged last in a batch, when nothing else could have changed the answer: objects that share it share the answer.
/// Its place and its cell mean something until the counts are folded, so it does not outlive the batch.
#[derive(Clone, Copy, PartialEq)]
struct LastObject {
    shared: SharedFacts,
    ruling: Ruling,
    /// Where such objects are counted, unless they are findings.
    cell: Option<CellId>,
    counted: Counted,
}

#[derive(Clone, Copy, PartialEq)]
struct SharedFacts {
    /// Nothing where much decides the state of its key.
    basis: Option<Basis>,
    place: PlaceId,
    month: Option<Month>,
    status: Status,
    bucket_key: BucketKey,
}

impl<'c> Examiner<'c> {
    pub(crate) fn new(
        checker: &'c Checker,
        targets: &'c Targets,
        groups: &'c Groups,
        keys: Keys<'c>,
        spool: SpoolWriter,
        terms: Arc<Terms>,
    ) -> Self {
        Self {
            checker,
            places: Places::default(),
            tally: Tally::default(),
            spool,
            remedies: Remedies::new(targets, groups),
            encryptions: Encryptions::default(),
            keys: RowKeys::new(keys, checker.policy().evidence),
            months: MonthMemo::default(),
            writer: FindingWriter::new(checker.policy()),
            classes: (terms.rollups != Rollups::None).then(ClassCounts::default),
            sampler: Sampler::new(terms),
            flagged: Vec::new(),
            flagged_rows: Vec::new(),
            blank_lines: 0,
            findings: Vec::new(),
            faults: Vec::new(),
            units: Vec::new(),
            error: None,
        }
    }

    /// What follows is of this unit; rows beyond the limits are not drawn into the sample.
    pub(crate) fn begin_unit(&mut self, unit: &Unit<'_>, limits: &Arc<Limits>) {
        self.sampler.begin_unit(unit, limits);
    }

    /// Begins a part of a unit; `is_first` says whether its lines are the next ones of the lists.
    pub(crate) fn begin_part(&mut self, is_first: bool) {
        self.findings.clear();
        self.faults.clear();
        self.units.clear();
        self.remedies.begin_part();
        self.spool.begin_part(is_first);
    }

    /// Ends a part: its lines.
    pub(crate) fn end_part(&mut self) -> Result<Vec<Extent>, ExamineError> {
        self.flush_lines(0);
        if self.error.is_none() {
            self.error = self.remedies.flush(&mut self.spool).err().map(ExamineError::Output);
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(self.spool.end_part()),
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
        self.encryptions.read(batch);
        if let Err(error) = self.keys.begin_batch(unit, batch) {
            self.error.get_or_insert(ExamineError::Keys(error));
            return Ok(());
        }
        if let Some(newest) = batch.last_modified.latest() {
            partial.note_newest(unit.source_id, newest);
        }
        self.flagged.clear();
        self.flagged_rows.clear();
        self.sampler.begin_batch();
        self.classes.iter_mut().for_each(ClassCounts::begin_batch);
        let sound = sound_bucket(batch, bucket);
        let are_counted =
            sound.is_some_and(|bucket| !self.keys.is_active() && self.examine_columns(batch, bucket, partial));
        if !are_counted {
            self.examine_rows(unit, batch, sound.or(bucket), sound.is_some(), partial);
        }
        if !self.flagged.is_empty() {
            let columns = LISTED.union(self.remedies.columns());
            let more = match batch.deferred.is_empty() {
                true => Batch::default(),
                false => details.read(&self.flagged_rows, columns)?,
            };
            self.list_flagged(unit, batch, &more, partial);
        }
        self.classes.iter_mut().for_each(|classes| classes.count(batch));
        self.describe_drawn(unit, batch, details)?;
        self.flush_lines(LINES_LEN);
        if self.tally.is_full() || self.places.is_full() {
            self.fold(partial);
        }
        Ok(())
    }

    /// Examines the rows one by one. Where all are sound, most are like the one before, and only the first of a stretch is
    /// looked at closely.
    fn examine_rows(
        &mut self,
        unit: &Unit<'_>,
        batch: &Batch<'_>,
        bucket: Option<&[u8]>,
        are_sound: bool,
        partial: &mut Partial,
    ) {
        bucket.into_iter().for_each(|bucket| self.places.enter(bucket));
        let (mut expected, mut last, mut at) = (bucket, None, 0);
        while at < batch.len {
            match Row::read(batch, at, expected) {
                Ok(None) => self.blank_lines += 1,
                Ok(Some(row)) if row.is_delete_marker => partial.delete_markers += 1,
                Ok(Some(row)) => {
                    match bucket {
                        Some(_) => expected = Some(row.bucket),
                        None => self.places.enter(row.bucket),
                    }
                    self.judge(&row, at, batch, partial, &mut last);
                }
                Err(fault) => self.reject(unit, batch, at, fault, partial),
            }
            at += 1;
            if are_sound && let Some(last) = last {
                at += self.examine_alike(batch, at, last);
            }
        }
    }

    /// Counts or flags the rows from this one on that are like the last one that was judged; says how many there are. What
    /// it holds on to fits into registers as long as it is a function of its own.
    #[inline(never)]
    fn examine_alike(&mut self, batch: &Batch<'_>, from: usize, last: LastObject) -> usize {
        let LastObject { shared, ruling, cell, counted } = last;
        let SharedFacts { place, month, status, .. } = shared;
        let Encryptions { statuses, bucket_keys } = &self.encryptions;
        let (statuses, bucket_keys) = (&statuses[from..batch.len], &bucket_keys[from..batch.len]);
        let is_keyless = batch.deferred.contains(Column::Key);
        let has_evidence = self.keys.is_active();
        if !has_evidence && shared.basis != Some(Basis::Nothing) {
            return 0;
        }
        let mut alike = Amount::default();
        for (at, pair) in (from..).zip(statuses.iter().zip(bucket_keys)) {
            let (Ok(size), Ok(time)) = (batch.size.get(at).size(), batch.last_modified.get(at).time()) else { break };
            let key = batch.key.get(at);
            let is_alike = pair == (&status, &shared.bucket_key)
                && batch.is_delete_marker.get(at) != Flag::True
                && time.map(|time| self.months.month(time)) == month
                && (is_keyless || !key.is_empty())
                && self.places.is_near(place, key)
                && (!has_evidence || {
                    let facts = self.keys.facts(batch, at, (status, shared.bucket_key), time);
                    self.keys.basis(batch, at, &facts) == shared.basis
                });
            if !is_alike {
                break;
            }
            let amount = Amount::object(size.unwrap_or(0));
            if has_evidence {
                self.keys.count(counted, amount);
            }
            alike.add(amount);
        }
        let rows = from..from + alike.objects as usize;
        match cell {
            Some(cell) => {
                self.tally.add_again(cell, alike);
                self.sampler.offer(&self.places, batch, rows, (place, ruling, None, counted.id));
            }
            None => {
                let flagged = Flagged { place, month, status, ruling, key: counted.id };
                rows.for_each(|at| self.flag(at, flagged));
            }
        }
        alike.objects as usize
    }

    /// Examines all rows of a sound batch at once, if nothing but their statuses matters; says whether that was so.
    fn examine_columns(&mut self, batch: &Batch<'_>, bucket: &[u8], partial: &mut Partial) -> bool {
        if !is_countable(batch) {
            return false;
        }
        self.places.enter(bucket);
        let place = self.places.find(self.checker, b"");
        if !self.places.scope(place).is_settled() {
            return false;
        }
        let counts = PairCounts::new(batch, &self.encryptions.statuses, &self.encryptions.bucket_keys);
        // Spellings that we do not know are kept, so their rows are looked at.
        if counts.has_status(Status::Unrecognised) {
            return false;
        }
        partial.delete_markers += counts.delete_markers;
        let (mut has_findings, mut verdicts) = (false, Vec::new());
        for ((status, bucket_key), amount) in pairs().zip(counts.amounts) {
            let ruling = self.places.scope(place).settled(status, bucket_key);
            match ruling.filter(|_| amount.objects > 0) {
                Some(ruling) if ruling.is_finding() => has_findings = true,
                Some(ruling) => {
                    self.tally.add(place, None, status, ruling, amount);
                    verdicts.push(ruling.verdict);
                }
                None => {}
            }
        }
        let Encryptions { statuses, bucket_keys } = &self.encryptions;
        let ruling = |at: usize| {
            let ruling = self.places.scope(place).settled(statuses[at], bucket_keys[at])?;
            (!ruling.is_finding() && batch.is_delete_marker.get(at) != Flag::True).then_some(ruling)
        };
        self.sampler.offer_each(&self.places, batch, (place, &verdicts), ruling);
        if has_findings {
            self.flag_rows(place, batch);
        }
        true
    }

    /// Flags the rows of a settled place whose statuses make them findings.
    fn flag_rows(&mut self, place: PlaceId, batch: &Batch<'_>) {
        let scope = self.places.scope(place);
        let Encryptions { statuses, bucket_keys } = &self.encryptions;
        for (at, (&status, &bucket_key)) in statuses.iter().zip(bucket_keys).enumerate() {
            let ruling = scope.settled(status, bucket_key).filter(|ruling| ruling.is_finding());
            if let Some(ruling) = ruling
                && batch.is_delete_marker.get(at) != Flag::True
            {
                self.flagged.push(Flagged { place, month: None, status, ruling, key: None });
                self.flagged_rows.push(at as u32);
            }
        }
    }

    /// Moves the counts of this worker into a partial.
    pub(crate) fn fold(&mut self, partial: &mut Partial) {
        self.tally.fold(self.places.list(), partial);
        self.remedies.fold(partial);
        self.keys.fold(partial);
        self.sampler.fold(partial);
        self.classes.iter_mut().for_each(|classes| classes.fold(partial));
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
        self.remedies.forget();
        self.keys.forget();
        self.sampler.forget();
        self.classes.iter_mut().for_each(ClassCounts::forget);
        self.places = Places::default();
    }

    /// Notes what was found in a unit, behind the lines of its parts.
    pub(crate) fn end_unit(&mut self, unit: &Unit<'_>, found: &Partial) -> Result<Vec<Extent>, ExamineError> {
        self.begin_part(true);
        let counts = UnitCounts {
            rows: found.rows_read(),
            delete_markers: found.delete_markers,
            verdicts: &found.verdicts,
            rows_rejected: found.rows_rejected,
        };
        push_unit(&mut self.units, unit, &counts);
        self.end_part()
    }

    /// Notes the fault of a unit, in the place of all its lines.
    pub(crate) fn fail_unit(&mut self, unit: &Unit<'_>, what: &str, why: &str) -> Result<Vec<Extent>, ExamineError> {
        self.begin_part(true);
        push_faulted_unit(&mut self.units, unit, what);
        let source = unit.source.name();
        let key = unit.key();
        push_fault(&mut self.faults, what, &source, Some(&escape(key.as_bytes())), None, &escape(why.as_bytes()));
        self.end_part()
    }

    #[inline]
    fn judge(
        &mut self,
        row: &Row<'_>,
        at: usize,
        batch: &Batch<'_>,
        partial: &mut Partial,
        last: &mut Option<LastObject>,
    ) {
        let (status, bucket_key) = (self.encryptions.statuses[at], self.encryptions.bucket_keys[at]);
        let place = self.places.find(self.checker, row.key);
        let month = row.last_modified.map(|time| self.months.month(time));
        let basis = match self.keys.is_active() {
            false => Some(Basis::Nothing),
            true => {
                let facts = self.keys.facts(batch, at, (status, bucket_key), row.last_modified);
                self.keys.basis(batch, at, &facts)
            }
        };
        let shared = SharedFacts { place, month, status, bucket_key, basis };
        let amount = Amount::object(row.size.unwrap_or(0));
        if let Some(last) = last
            && last.shared == shared
        {
            self.keys.count(last.counted, amount);
            let (ruling, key) = (last.ruling, last.counted.id);
            return match last.cell {
                Some(cell) => {
                    self.tally.add_again(cell, amount);
                    self.sampler.offer(&self.places, batch, at..at + 1, (place, ruling, None, key));
                }
                None => self.flag(at, Flagged { place, month, status, ruling, key }),
            };
        }
        let object = self.encryptions.object(batch, at, row);
        let scope = self.places.scope(place);
        let (ruling, counted) = match self.keys.is_active() {
            false => (self.checker.judge_in(scope, &object), Counted::default()),
            true => {
                let facts = self.keys.facts(batch, at, (status, bucket_key), row.last_modified);
                self.keys.with_state(batch, at, &facts, amount, |encrypted_under| {
                    self.checker.judge_in(scope, &Object { encrypted_under, ..object })
                })
            }
        };
        let is_settled = scope.is_settled();
        if status == Status::Unrecognised {
            let text = batch.encryption_status.get(at);
            partial.note_unrecognised(&escape(&text[..text.len().min(MAX_SAMPLE_LEN)]));
        }
        let cell = match ruling.is_finding() {
            true => None,
            false => Some(self.tally.add(place, month, status, ruling, amount)),
        };
        if is_settled && basis.is_some() && status != Status::Unrecognised {
            *last = Some(LastObject { shared, ruling, cell, counted });
        }
        match cell {
            None => self.flag(at, Flagged { place, month, status, ruling, key: counted.id }),
            Some(_) => self.sampler.offer(&self.places, batch, at..at + 1, (place, ruling, None, counted.id)),
        }
    }

    #[inline]
    fn flag(&mut self, row: usize, flagged: Flagged) {
        self.flagged.push(flagged);
        self.flagged_rows.push(row as u32);
    }

    /// Counts and lists the flagged rows, or rejects those whose deferred columns are bad.
    fn list_flagged(&mut self, unit: &Unit<'_>, batch: &Batch<'_>, more: &Batch<'_>, partial: &mut Partial) {
        let cells = FindingCells::new(batch, more);
        let detail_cells = self.remedies.has_details().then(|| DetailCells::new(batch, more));
        for at in 0..self.flagged.len() {
            let (row, Flagged { place, month, status, ruling, key }) = (self.flagged_rows[at], self.flagged[at]);
            let (key_id, key) = (key, key.map(|key| self.keys.key(key)));
            let name = key.as_ref().map_or("", |key| &key.name);
            let position = Position { row: row as usize, at };
            match cells.read(position, ruling, name) {
                Ok(mut finding) => {
                    let details = detail_cells.as_ref().map(|cells| cells.read(position)).unwrap_or_default();
                    let remedy = self.remedies.choose(&finding, status, &details);
                    finding.lane = remedy.map(|remedy| remedy.kind.lane);
                    if let Some(remedy) = remedy
                        && let Err(error) = self.remedies.push(&finding, remedy, &details, &mut self.spool)
                    {
                        self.error.get_or_insert(error.into());
                    }
                    let amount = Amount::object(finding.size.unwrap_or(0));
                    self.tally.add(place, month, status, ruling, amount);
                    ruling.exception.into_iter().for_each(|exception| partial.count_excepted(exception, amount));
                    self.writer.push(&mut self.findings, &finding);
                    let rows = row as usize..row as usize + 1;
                    self.sampler.offer(&self.places, batch, rows, (place, ruling, finding.lane, key_id));
                    // Lines can be long: they do not wait for the end of the batch.
                    self.flush_lines(LINES_LEN);
                }
                Err(fault) => self.reject(unit, batch, row as usize, fault, partial),
            }
        }
    }

    /// Says what is known of the rows of the batch that were drawn. Where more would be decoded than these rows, their cells are
    /// read when it is known which of them stay.
    fn describe_drawn(
        &mut self,
        unit: &Unit<'_>,
        batch: &Batch<'_>,
        details: &mut dyn Details,
    ) -> Result<(), UnitFault> {
        self.sampler.sift();
        let rows: Vec<u32> = self.sampler.pending.iter().map(|pending| pending.row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let more = if details.is_repeatable() { Some(details.read(&rows, ColumnSet::ALL)?) } else { None };
        for at in 0..rows.len() {
            let pending = self.sampler.pending[at];
            let key = pending.key.map(|key| self.keys.key(key));
            let name = key.as_ref().map_or("", |key| &key.name);
            let conclusion = conclusion(self.checker.policy(), pending.ruling, pending.lane, name);
            let mut notes = Notes::new(batch, pending.row as usize, conclusion);
            let drawn = match &more {
                Some(more) => {
                    notes.fill(more, at);
                    Drawn { text: notes.line(unit, pending.ranked.row), is_line: true }
                }
                None => Drawn { text: notes.to_text(), is_line: false },
            };
            self.sampler.describe(&pending, &drawn);
        }
        Ok(())
    }

    fn reject(&mut self, unit: &Unit<'_>, batch: &Batch<'_>, at: usize, fault: RowFault, partial: &mut Partial) {
        self.classes.iter_mut().for_each(|classes| classes.reject(at));
        let row = batch.first_row + at as u64;
        partial.rows_rejected += 1;
        partial.count_fault(fault.code());
        let (source, key) = (unit.source.name(), unit.key());
        push_fault(&mut self.faults, fault.code(), &source, Some(&escape(key.as_bytes())), Some(row), fault.why());
    }

    fn flush_lines(&mut self, at_least: usize) {
        let lists = [&mut self.findings, &mut self.faults, &mut self.units];
        for (list, lines) in List::ALL.into_iter().zip(lists) {
            // Nobody counts the lines of these.
            if lines.len() < at_least {
                continue;
            }
            match self.error {
                None => self.error = self.spool.write(ListId::Named(list), lines, 0).err().map(ExamineError::Output),
                Some(_) => lines.clear(),
            }
        }
    }
}

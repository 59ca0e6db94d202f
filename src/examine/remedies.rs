//! Objects that are to be put right: counted by group, and listed in the files of that group.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use crate::batch::{Batch, Column, ColumnSet, Texts};
use crate::escape::escape;
use crate::partial::{Amount, Partial};
use crate::policy::Status;
use crate::remediation::{
    Counts, GroupId, GroupKind, Groups, Lane, Lock, Remedy, Stored, Targets, Why, push_list_row, push_manifest_row,
};
use crate::sinks::{Finding, ListId, OutputError, SpoolWriter};
use crate::timestamp::{Month, MonthMemo, Timestamp};

/// Rows of a group are handed to the spool when this many bytes have come together.
const ROWS_LEN: usize = 1 << 16;
/// So many bytes of all groups are kept.
const MAX_PENDING_LEN: usize = 1 << 22;

/// Puts objects into the lists of those that are put right together. Belongs to one worker.
pub(super) struct Remedies<'c> {
    targets: &'c Targets,
    groups: &'c Groups,
    /// Numbers of groups of that bucket.
    bucket: Vec<u8>,
    ids: HashMap<GroupKind, GroupId, RandomState>,
    /// Rows that the spool does not have.
    pending: BTreeMap<GroupId, Pending>,
    pending_len: usize,
    by_group: HashMap<GroupId, Amount, RandomState>,
    by_reason: HashMap<(Lane, Why), Amount, RandomState>,
    free: HashMap<Month, Amount, RandomState>,
    months: MonthMemo,
}

#[derive(Default)]
struct Pending {
    lines: Vec<u8>,
    rows: u64,
}

/// What decides how the object of a finding is put right, beside the finding.
pub(super) struct Details<'a> {
    tier: &'a [u8],
    lock: Lock<'a>,
    has_versions: bool,
}

impl<'a> Details<'a> {
    /// Reads them from a row of a batch and, for deferred columns, from a row of `more`.
    pub(super) fn read(batch: &Batch<'a>, row: usize, more: &Batch<'a>, at: usize) -> Self {
        let cell = |column| if batch.deferred.contains(column) { (more, at) } else { (batch, row) };
        let text = |column, of: fn(&Batch<'a>) -> Texts<'a>| {
            let (batch, row) = cell(column);
            of(batch).get(row)
        };
        let (dated, dated_row) = cell(Column::ObjectLockRetainUntilDate);
        Self {
            tier: text(Column::IntelligentTieringAccessTier, |batch| batch.intelligent_tiering_access_tier),
            lock: Lock {
                mode: text(Column::ObjectLockMode, |batch| batch.object_lock_mode),
                // A date that cannot be read may be any.
                retain_until: dated.object_lock_retain_until_date.get(dated_row).time().unwrap_or(Some(Timestamp::MAX)),
                legal_hold: text(Column::ObjectLockLegalHoldStatus, |batch| batch.object_lock_legal_hold_status),
                event_hold: text(Column::ObjectLockEventHoldStatus, |batch| batch.object_lock_event_hold_status),
            },
            has_versions: batch.deferred.contains(Column::VersionId) || !batch.version_id.is_absent(),
        }
    }
}

impl<'c> Remedies<'c> {
    pub(super) fn new(targets: &'c Targets, groups: &'c Groups) -> Self {
        Self {
            targets,
            groups,
            bucket: Vec::new(),
            ids: HashMap::default(),
            pending: BTreeMap::new(),
            pending_len: 0,
            by_group: HashMap::default(),
            by_reason: HashMap::default(),
            free: HashMap::default(),
            months: MonthMemo::default(),
        }
    }

    /// The columns that are needed of findings, beside those that are listed.
    pub(super) fn columns(&self) -> ColumnSet {
        if self.targets.has_remediation() { ColumnSet::REMEDIATION } else { ColumnSet::NONE }
    }

    /// How the object of a finding is put right.
    pub(super) fn choose(&self, finding: &Finding<'_>, status: Status, details: &Details<'_>) -> Option<Remedy> {
        let stored = Stored {
            status,
            bucket: finding.bucket,
            size: finding.size,
            storage_class: finding.storage_class,
            tier: details.tier,
            lock: details.lock,
        };
        self.targets.remedy(&finding.ruling, &stored, finding.is_latest, details.has_versions)
    }

    /// Counts and lists the object of a finding.
    pub(super) fn push(
        &mut self,
        finding: &Finding<'_>,
        remedy: Remedy,
        details: &Details<'_>,
        spool: &mut SpoolWriter,
    ) -> Result<(), OutputError> {
        let Remedy { kind, why } = remedy;
        let amount = Amount::object(finding.size.unwrap_or(0));
        let id = self.group(finding.bucket, kind)?;
        self.by_group.entry(id).or_default().add(amount);
        self.by_reason.entry((kind.lane, why)).or_default().add(amount);
        let free_from = match why {
            Why::Locked(holds) if holds.is_only_retention() => details.lock.retain_until,
            _ => None,
        };
        if let Some(free_from) = free_from.filter(|time| *time < Timestamp::MAX) {
            let month = self.months.month(free_from);
            self.free.entry(month).or_default().add(amount);
        }
        if !self.targets.has_remediation() {
            return Ok(());
        }
        let pending = self.pending.entry(id).or_default();
        let before = pending.lines.len();
        match kind.lane.has_manifests() {
            true => push_manifest_row(&mut pending.lines, &kind, finding),
            false => push_list_row(&mut pending.lines, finding, why, free_from),
        }
        pending.rows += 1;
        self.pending_len += pending.lines.len() - before;
        if pending.lines.len() >= ROWS_LEN {
            self.pending_len -= pending.lines.len();
            spool.write(ListId::Group(id), &pending.lines, pending.rows)?;
            pending.lines.clear();
            pending.rows = 0;
        }
        if self.pending_len >= MAX_PENDING_LEN { self.flush(spool) } else { Ok(()) }
    }

    fn group(&mut self, bucket: &[u8], kind: GroupKind) -> Result<GroupId, OutputError> {
        if self.bucket != bucket {
            self.bucket.clear();
            self.bucket.extend_from_slice(bucket);
            self.ids.clear();
        }
        if let Some(id) = self.ids.get(&kind) {
            return Ok(*id);
        }
        let id = self.groups.id(kind.of_bucket(&escape(bucket))).ok_or(OutputError::TooManyGroups)?;
        self.ids.insert(kind, id);
        Ok(id)
    }

    /// Hands everything to the spool.
    pub(super) fn flush(&mut self, spool: &mut SpoolWriter) -> Result<(), OutputError> {
        self.pending_len = 0;
        let pending = std::mem::take(&mut self.pending);
        pending.into_iter().try_for_each(|(id, Pending { lines, rows })| spool.write(ListId::Group(id), &lines, rows))
    }

    /// Forgets rows that the spool does not have.
    pub(super) fn begin_part(&mut self) {
        self.pending.clear();
        self.pending_len = 0;
    }

    /// Moves the counts into a partial.
    pub(super) fn fold(&mut self, partial: &mut Partial) {
        let groups = self.by_group.drain().map(|(id, amount)| (self.groups.get(id), amount)).collect();
        let (reasons, free) = (self.by_reason.drain().collect(), self.free.drain().collect());
        partial.remediation.merge(Counts { groups, reasons, free });
    }

    /// Forgets all counts.
    pub(super) fn forget(&mut self) {
        self.begin_part();
        self.by_group.clear();
        self.by_reason.clear();
        self.free.clear();
    }
}

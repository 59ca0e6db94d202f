//! Objects that are to be put right: counted by group, and listed in the files of that group.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::flagged::{FlaggedColumn, Position};
use crate::amounts::Amount;
use crate::batch::{Batch, Column, ColumnSet, Numbers, Texts};
use crate::escape::escape;
use crate::partial::Partial;
use crate::policy::Status;
use crate::remediation::{GroupId, GroupKind, Groups, Lane, Lock, Remedy, RemedyCounts, Stored, Targets, Why};
use crate::sinks::{Finding, LINES_LEN, ListId, OutputError, SpoolWriter, push_list_row, push_manifest_row};
use crate::timestamp::{Month, MonthMemo, Timestamp};

/// So many bytes of all groups are kept.
const MAX_PENDING_LEN: usize = 1 << 22;

/// Puts objects into the lists of those that are put right together. Belongs to one worker.
pub(super) struct Remedies<'c> {
    targets: &'c Targets,
    groups: &'c Groups,
    /// Of all groups that this worker has met.
    lists: Vec<GroupList>,
    by_id: HashMap<GroupId, usize, RandomState>,
    /// Those of them that are of that bucket.
    bucket: Vec<u8>,
    by_kind: HashMap<GroupKind, usize, RandomState>,
    /// Neighbours mostly go the same way.
    last: Option<(GroupKind, usize)>,
    /// Bytes that the spool does not have.
    pending_len: usize,
    /// There are few reasons.
    by_reason: Vec<((Lane, Why), Amount)>,
    free: HashMap<Month, Amount, RandomState>,
    retained: HashMap<Month, Amount, RandomState>,
    months: MonthMemo,
}

struct GroupList {
    id: GroupId,
    /// Rows that the spool does not have.
    lines: Vec<u8>,
    rows: u64,
    /// Objects that have not been folded.
    amount: Amount,
}

/// What decides how the object of a finding is put right, beside the finding.
#[derive(Default)]
pub(super) struct Details<'a> {
    tier: &'a [u8],
    lock: Lock<'a>,
    has_versions: bool,
}

/// The cells that details are put together from.
pub(super) struct DetailCells<'a> {
    tier: FlaggedColumn<Texts<'a>>,
    lock_mode: FlaggedColumn<Texts<'a>>,
    retain_until: FlaggedColumn<Numbers<'a>>,
    legal_hold: FlaggedColumn<Texts<'a>>,
    event_hold: FlaggedColumn<Texts<'a>>,
    has_versions: bool,
}

impl<'a> DetailCells<'a> {
    pub(super) fn new(batch: &Batch<'a>, more: &Batch<'a>) -> Self {
        let of = (batch, more);
        Self {
            tier: FlaggedColumn::new(of, Column::IntelligentTieringAccessTier, |batch| {
                batch.intelligent_tiering_access_tier
            }),
            lock_mode: FlaggedColumn::new(of, Column::ObjectLockMode, |batch| batch.object_lock_mode),
            retain_until: FlaggedColumn::new(of, Column::ObjectLockRetainUntilDate, |batch| {
                batch.object_lock_retain_until_date
            }),
            legal_hold: FlaggedColumn::new(of, Column::ObjectLockLegalHoldStatus, |batch| {
                batch.object_lock_legal_hold_status
            }),
            event_hold: FlaggedColumn::new(of, Column::ObjectLockEventHoldStatus, |batch| {
                batch.object_lock_event_hold_status
            }),
            has_versions: batch.deferred.contains(Column::VersionId) || !batch.version_id.is_absent(),
        }
    }

    pub(super) fn read(&self, position: Position) -> Details<'a> {
        Details {
            tier: self.tier.text(position),
            lock: Lock {
                mode: self.lock_mode.text(position),
                // A date that cannot be read may be any.
                retain_until: self.retain_until.number(position).time().unwrap_or(Some(Timestamp::MAX)),
                legal_hold: self.legal_hold.text(position),
                event_hold: self.event_hold.text(position),
            },
            has_versions: self.has_versions,
        }
    }
}

impl<'c> Remedies<'c> {
    pub(super) fn new(targets: &'c Targets, groups: &'c Groups) -> Self {
        Self {
            targets,
            groups,
            lists: Vec::new(),
            by_id: HashMap::default(),
            bucket: Vec::new(),
            by_kind: HashMap::default(),
            last: None,
            pending_len: 0,
            by_reason: Vec::new(),
            free: HashMap::default(),
            retained: HashMap::default(),
            months: MonthMemo::default(),
        }
    }

    /// Whether anything matters beside the finding.
    pub(super) fn has_details(&self) -> bool {
        self.targets.has_remediation()
    }

    /// The columns that are needed of findings, beside those that are listed.
    pub(super) fn columns(&self) -> ColumnSet {
        if self.has_details() { ColumnSet::REMEDIATION } else { ColumnSet::NONE }
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
        let list = self.list(finding.bucket, kind)?;
        self.count_reason((kind.lane, why), amount);
        let retained_until = self.retained_until(why, details, amount);
        let list = &mut self.lists[list];
        list.amount.add(amount);
        if !self.targets.has_remediation() {
            return Ok(());
        }
        let before = list.lines.len();
        match kind.lane.has_manifests() {
            true => push_manifest_row(&mut list.lines, &kind, finding),
            false => push_list_row(&mut list.lines, finding, why, retained_until),
        }
        list.rows += 1;
        self.pending_len += list.lines.len() - before;
        if list.lines.len() >= LINES_LEN {
            self.pending_len -= list.lines.len();
            list.flush(spool)?;
        }
        if self.pending_len >= MAX_PENDING_LEN { self.flush(spool) } else { Ok(()) }
    }

    /// The list of a group.
    fn list(&mut self, bucket: &[u8], kind: GroupKind) -> Result<usize, OutputError> {
        if self.bucket != bucket {
            self.bucket.clear();
            self.bucket.extend_from_slice(bucket);
            self.by_kind.clear();
            self.last = None;
        }
        if let Some((last, at)) = self.last
            && last == kind
        {
            return Ok(at);
        }
        let at = match self.by_kind.get(&kind) {
            Some(at) => *at,
            None => {
                let id = self.groups.id(kind.of_bucket(&escape(bucket))).ok_or(OutputError::TooManyGroups)?;
                let at = *self.by_id.entry(id).or_insert(self.lists.len());
                if at == self.lists.len() {
                    self.lists.push(GroupList { id, lines: Vec::new(), rows: 0, amount: Amount::default() });
                }
                self.by_kind.insert(kind, at);
                at
            }
        };
        self.last = Some((kind, at));
        Ok(at)
    }

    #[inline]
    fn count_reason(&mut self, reason: (Lane, Why), amount: Amount) {
        match self.by_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, sum)) => sum.add(amount),
            None => self.by_reason.push((reason, amount)),
        }
    }

    /// When the retention of the object ends, if that is known. It is free then, unless a hold is there, too.
    fn retained_until(&mut self, why: Why, details: &Details<'_>, amount: Amount) -> Option<Timestamp> {
        let Why::Locked(holds) = why else { return None };
        holds.retention?;
        let until = details.lock.retain_until.filter(|time| *time < Timestamp::MAX)?;
        let ends = if holds.is_only_retention() { &mut self.free } else { &mut self.retained };
        ends.entry(self.months.month(until)).or_default().add(amount);
        Some(until)
    }

    /// Hands everything to the spool.
    pub(super) fn flush(&mut self, spool: &mut SpoolWriter) -> Result<(), OutputError> {
        self.pending_len = 0;
        let are_many = self.lists.len() > MAX_PENDING_LEN / LINES_LEN;
        for list in &mut self.lists {
            list.flush(spool)?;
            if are_many {
                list.lines = Vec::new();
            }
        }
        Ok(())
    }

    /// Forgets rows that the spool does not have.
    pub(super) fn begin_part(&mut self) {
        self.pending_len = 0;
        for list in &mut self.lists {
            list.lines.clear();
            list.rows = 0;
        }
    }

    /// Moves the counts into a partial.
    pub(super) fn fold(&mut self, partial: &mut Partial) {
        let counted = self.lists.iter_mut().filter(|list| list.amount.objects > 0);
        let groups = counted.map(|list| (self.groups.get(list.id), std::mem::take(&mut list.amount))).collect();
        let reasons = self.by_reason.drain(..).collect();
        let (free, retained) = (self.free.drain().collect(), self.retained.drain().collect());
        partial.remediation.merge(RemedyCounts { groups, reasons, free, retained });
    }

    /// Forgets all counts.
    pub(super) fn forget(&mut self) {
        self.begin_part();
        self.lists.iter_mut().for_each(|list| list.amount = Amount::default());
        self.by_reason.clear();
        self.free.clear();
        self.retained.clear();
    }
}

impl GroupList {
    fn flush(&mut self, spool: &mut SpoolWriter) -> Result<(), OutputError> {
        spool.write(ListId::Group(self.id), &mut self.lines, std::mem::take(&mut self.rows))
    }
}

//! Rows that are drawn into the sample, as they are examined.

use std::sync::Arc;

use super::places::Places;
use super::tally::PlaceId;
use crate::batch::Batch;
use crate::evidence::KeyId;
use crate::partial::{Partial, Terms};
use crate::plan::{Unit, UnitId};
use crate::policy::{Ruling, Verdict};
use crate::remediation::Lane;
use crate::rollup::Dimension;
use crate::sample::{Drawn, FileRanks, Limits, RankedRow, RowStrata, Sample};

/// Draws rows for one worker.
pub(super) struct Sampler {
    terms: Arc<Terms>,
    /// Of the unit that is examined.
    unit: UnitId,
    ranks: FileRanks,
    /// Of units that have ended: what is drawn in this one must not exceed them.
    limits: Arc<Limits>,
    /// Drawn, and not folded yet.
    drawn: Sample,
    by_verdict: [u64; Verdict::ALL.len()],
    /// Of the accounts of places, as far as they have been asked for since something was drawn.
    by_place: Vec<Option<u64>>,
    /// Rows of the batch that were drawn.
    pub(super) pending: Vec<Pending>,
}

/// A row that was drawn.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    /// In its batch.
    pub(super) row: u32,
    pub(super) ruling: Ruling,
    /// How it can be put right.
    pub(super) lane: Option<Lane>,
    /// The key that it is known to be encrypted under.
    pub(super) key: Option<KeyId>,
    pub(super) ranked: RankedRow,
    strata: RowStrata,
}

impl Sampler {
    pub(super) fn new(terms: Arc<Terms>) -> Self {
        let drawn = Sample::default();
        Self {
            unit: UnitId(0),
            ranks: terms.sample.key.of_file(0, 0),
            limits: Arc::new(drawn.limits(&terms.sample)),
            terms,
            drawn,
            by_verdict: [0; Verdict::ALL.len()],
            by_place: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// The rows that follow are of this unit.
    pub(super) fn begin_unit(&mut self, unit: &Unit<'_>, limits: &Arc<Limits>) {
        self.unit = unit.id;
        self.ranks = self.terms.sample.key.of_file(unit.source_id, unit.number());
        self.limits = Arc::clone(limits);
        self.forget_limits();
    }

    /// Another batch begins.
    pub(super) fn begin_batch(&mut self) {
        self.pending.clear();
    }

    /// What is folded no longer limits what is drawn.
    fn forget_limits(&mut self) {
        self.by_verdict = Verdict::ALL.map(|verdict| self.limits.of_verdict(verdict));
        self.by_place.clear();
    }

    /// The rank that a row of a place may not exceed to be drawn.
    #[inline]
    fn limit(&mut self, places: &Places, place: PlaceId, verdict: Verdict) -> u64 {
        let of_verdict = self.by_verdict[verdict as usize];
        if self.terms.sample.per_account == 0 {
            return of_verdict;
        }
        let of_account = match self.by_place.get(place.0 as usize) {
            Some(Some(limit)) => *limit,
            _ => self.limit_of_place(places, place),
        };
        of_verdict.max(of_account)
    }

    #[cold]
    fn limit_of_place(&mut self, places: &Places, place: PlaceId) -> u64 {
        let at = place.0 as usize;
        if at >= self.by_place.len() {
            self.by_place.resize(at + 1, None);
        }
        let limit = match places.list()[at].account {
            Dimension::Is(account) => {
                self.limits.of_account(account).min(self.drawn.limit_of_account(account, &self.terms.sample))
            }
            Dimension::Missing | Dimension::Many => 0,
        };
        self.by_place[at] = Some(limit);
        limit
    }

    /// Draws rows of the batch that have the same place and ruling, if their ranks are low enough.
    #[inline]
    pub(super) fn offer(
        &mut self,
        places: &Places,
        batch: &Batch<'_>,
        rows: impl Iterator<Item = usize>,
        (place, ruling, lane, key): (PlaceId, Ruling, Option<Lane>, Option<KeyId>),
    ) {
        let mut limit = self.limit(places, place, ruling.verdict);
        for at in rows {
            let row = batch.first_row + at as u64;
            let rank = self.ranks.rank(row);
            if rank <= limit {
                let ranked = RankedRow { rank, unit: self.unit, row };
                let strata = self.strata(places, place, ruling.verdict);
                if self.draw(strata, ranked) {
                    self.pending.push(Pending { row: at as u32, ruling, lane, key, ranked, strata });
                }
                limit = self.limit(places, place, ruling.verdict);
            }
        }
    }

    /// The same for rows of one place that differ in their rulings; `verdicts` are all that there are.
    pub(super) fn offer_each(
        &mut self,
        places: &Places,
        batch: &Batch<'_>,
        (place, verdicts): (PlaceId, &[Verdict]),
        ruling: impl Fn(usize) -> Option<Ruling>,
    ) {
        let mut limit = self.highest_limit(places, place, verdicts);
        for at in 0..batch.len {
            if self.ranks.rank(batch.first_row + at as u64) <= limit
                && let Some(ruling) = ruling(at)
            {
                self.offer(places, batch, at..at + 1, (place, ruling, None, None));
                limit = self.highest_limit(places, place, verdicts);
            }
        }
    }

    fn highest_limit(&mut self, places: &Places, place: PlaceId, verdicts: &[Verdict]) -> u64 {
        verdicts.iter().map(|verdict| self.limit(places, place, *verdict)).max().unwrap_or(0)
    }

    fn strata(&self, places: &Places, place: PlaceId, verdict: Verdict) -> RowStrata {
        let account = match places.list()[place.0 as usize].account {
            Dimension::Is(account) if self.terms.sample.per_account > 0 => Some(account),
            _ => None,
        };
        RowStrata { verdict, account }
    }

    fn draw(&mut self, strata: RowStrata, ranked: RankedRow) -> bool {
        let unread = Drawn { text: Arc::from(""), is_line: false };
        let is_drawn = self.drawn.draw(strata, ranked, &unread, &self.terms.sample);
        let of_verdict = self.drawn.limit_of_verdict(strata.verdict, &self.terms.sample);
        self.by_verdict[strata.verdict as usize] = self.limits.of_verdict(strata.verdict).min(of_verdict);
        self.by_place.clear();
        is_drawn
    }

    /// Leaves only those that have not had to go for others of the batch, in order.
    pub(super) fn sift(&mut self) {
        let drawn = &self.drawn;
        self.pending.retain(|pending| drawn.holds(pending.strata, &pending.ranked));
        self.pending.sort_unstable_by_key(|pending| pending.row);
    }

    /// Says more of a row.
    pub(super) fn describe(&mut self, pending: &Pending, drawn: &Drawn) {
        self.drawn.describe(pending.strata, &pending.ranked, drawn);
    }

    /// Moves what was drawn into a partial.
    pub(super) fn fold(&mut self, partial: &mut Partial) {
        partial.sample.merge(std::mem::take(&mut self.drawn), &self.terms.sample);
        self.forget_limits();
    }

    /// Forgets what was drawn.
    pub(super) fn forget(&mut self) {
        self.drawn = Sample::default();
        self.pending.clear();
        self.forget_limits();
    }
}

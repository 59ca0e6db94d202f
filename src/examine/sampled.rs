//! Rows that are drawn into the sample, as they are examined.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::flagged::{FlaggedColumn, Position};
use super::places::Places;
use super::tally::PlaceId;
use crate::batch::{Batch, Column, ColumnSet, Numbers, Texts};
use crate::escape::push_cell;
use crate::evidence::KeyId;
use crate::partial::{Partial, Terms};
use crate::plan::{Unit, UnitId};
use crate::policy::{Ruling, Verdict};
use crate::rollup::Dimension;
use crate::sample::{FileRanks, Limits, RankedRow, RowStrata, Sample};
use crate::sinks::{Finding, FindingWriter};

/// The cells of a line of [`SampleCells::line`].
pub(crate) const SAMPLED_HEADER: &str = "source,file,row,bucket,key,version_id,is_latest,size,last_modified,storage_class,\
    encryption_status,bucket_key_status,kms_key_arn,verdict,reason,rule,lane,exception,e_tag,\
    intelligent_tiering_access_tier,object_lock_mode,object_lock_retain_until_date,object_lock_legal_hold_status,\
    object_lock_event_hold_status,head_object";

/// What is listed of a row beside what findings list.
pub(super) const SAMPLED: ColumnSet = ColumnSet::REMEDIATION.with(Column::ETag);

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
    /// Rows of the batch that were drawn and have no line yet, in order.
    pub(super) pending: Vec<Pending>,
    /// Whether a finding of the batch may be drawn.
    pub(super) has_finding: bool,
}

/// A row that was drawn and has no line yet.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    /// In its batch.
    pub(super) row: u32,
    pub(super) ruling: Ruling,
    /// The key that it is known to be encrypted under.
    pub(super) key: Option<KeyId>,
    ranked: RankedRow,
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
            has_finding: false,
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
        self.has_finding = false;
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

    /// Draws rows of the batch that are no findings and have the same place and ruling, if their ranks are low enough.
    #[inline]
    pub(super) fn offer(
        &mut self,
        places: &Places,
        batch: &Batch<'_>,
        rows: impl Iterator<Item = usize>,
        (place, ruling, key): (PlaceId, Ruling, Option<KeyId>),
    ) {
        let mut limit = self.limit(places, place, ruling.verdict);
        for at in rows {
            let rank = self.ranks.rank(batch.first_row + at as u64);
            if rank <= limit {
                let ranked = RankedRow { rank, unit: self.unit, row: batch.first_row + at as u64 };
                let strata = self.strata(places, place, ruling.verdict);
                if self.draw(strata, ranked, &Arc::from("")) {
                    self.pending.push(Pending { row: at as u32, ruling, key, ranked, strata });
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
                self.offer(places, batch, at..at + 1, (place, ruling, None));
                limit = self.highest_limit(places, place, verdicts);
            }
        }
    }

    fn highest_limit(&mut self, places: &Places, place: PlaceId, verdicts: &[Verdict]) -> u64 {
        verdicts.iter().map(|verdict| self.limit(places, place, *verdict)).max().unwrap_or(0)
    }

    /// Notes whether a finding may be drawn once it has been read.
    #[inline]
    pub(super) fn flag(&mut self, places: &Places, row: u64, place: PlaceId, verdict: Verdict) {
        self.has_finding |= self.ranks.rank(row) <= self.limit(places, place, verdict);
    }

    /// Whether a finding is drawn now.
    #[inline]
    pub(super) fn wants(&mut self, places: &Places, row: u64, place: PlaceId, verdict: Verdict) -> bool {
        self.has_finding && self.ranks.rank(row) <= self.limit(places, place, verdict)
    }

    /// Draws a finding, with its line.
    pub(super) fn draw_finding(
        &mut self,
        places: &Places,
        row: u64,
        place: PlaceId,
        verdict: Verdict,
        line: &Arc<str>,
    ) {
        let ranked = RankedRow { rank: self.ranks.rank(row), unit: self.unit, row };
        self.draw(self.strata(places, place, verdict), ranked, line);
    }

    fn strata(&self, places: &Places, place: PlaceId, verdict: Verdict) -> RowStrata {
        let account = match places.list()[place.0 as usize].account {
            Dimension::Is(account) if self.terms.sample.per_account > 0 => Some(account),
            _ => None,
        };
        RowStrata { verdict, account }
    }

    fn draw(&mut self, strata: RowStrata, ranked: RankedRow, line: &Arc<str>) -> bool {
        let is_drawn = self.drawn.draw(strata, ranked, line, &self.terms.sample);
        let of_verdict = self.drawn.limit_of_verdict(strata.verdict, &self.terms.sample);
        self.by_verdict[strata.verdict as usize] = self.limits.of_verdict(strata.verdict).min(of_verdict);
        self.by_place.clear();
        is_drawn
    }

    /// Leaves only those that have not had to go for others of the batch.
    pub(super) fn sift(&mut self) {
        let drawn = &self.drawn;
        self.pending.retain(|pending| drawn.holds(pending.strata, &pending.ranked));
    }

    /// Gives a row its line.
    pub(super) fn describe(&mut self, pending: &Pending, line: &Arc<str>) {
        self.drawn.describe(pending.strata, &pending.ranked, line);
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

/// The rows of a batch whose deferred columns are read: findings, and what was drawn beside them.
pub(super) struct ReadRows {
    /// Nothing where all are findings.
    merged: Option<MergedRows>,
    is_empty: bool,
}

/// Both in the order of the batch, and where each of them went.
#[derive(Default)]
struct MergedRows {
    all: Vec<u32>,
    flagged: Vec<usize>,
    pending: Vec<usize>,
}

impl ReadRows {
    pub(super) fn new(flagged: &[u32], pending: &[Pending]) -> Self {
        let is_empty = flagged.is_empty() && pending.is_empty();
        if pending.is_empty() {
            return Self { merged: None, is_empty };
        }
        let (mut merged, mut findings) = (MergedRows::default(), flagged.iter().peekable());
        for pending in pending {
            while let Some(row) = findings.next_if(|row| **row < pending.row) {
                merged.flagged.push(merged.all.len());
                merged.all.push(*row);
            }
            merged.pending.push(merged.all.len());
            merged.all.push(pending.row);
        }
        for row in findings {
            merged.flagged.push(merged.all.len());
            merged.all.push(*row);
        }
        Self { merged: Some(merged), is_empty }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// All of them, in order; `flagged` are the findings.
    pub(super) fn all<'r>(&'r self, flagged: &'r [u32]) -> &'r [u32] {
        self.merged.as_ref().map_or(flagged, |merged| &merged.all)
    }

    /// Where a finding went, by its place among the findings.
    #[inline]
    pub(super) fn of_flagged(&self, at: usize) -> usize {
        self.merged.as_ref().map_or(at, |merged| merged.flagged[at])
    }

    /// Where a row went that was drawn, by its place among those.
    pub(super) fn of_pending(&self, at: usize) -> usize {
        self.merged.as_ref().map_or(at, |merged| merged.pending[at])
    }
}

/// The cells that a line has beside those of findings.
pub(super) struct SampleCells<'a> {
    e_tag: FlaggedColumn<Texts<'a>>,
    tier: FlaggedColumn<Texts<'a>>,
    lock_mode: FlaggedColumn<Texts<'a>>,
    retain_until: FlaggedColumn<Numbers<'a>>,
    legal_hold: FlaggedColumn<Texts<'a>>,
    event_hold: FlaggedColumn<Texts<'a>>,
}

impl<'a> SampleCells<'a> {
    pub(super) fn new(batch: &Batch<'a>, more: &Batch<'a>) -> Self {
        let of = (batch, more);
        Self {
            e_tag: FlaggedColumn::new(of, Column::ETag, |batch| batch.etag),
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
        }
    }

    /// The line of a row without what it was drawn for: where it stands, what findings list, the rest, and the command that
    /// asks S3 again.
    pub(super) fn line(
        &self,
        unit: &Unit<'_>,
        row: u64,
        finding: &Finding<'_>,
        writer: &mut FindingWriter<'_>,
        position: Position,
    ) -> Arc<str> {
        let mut line = format!("{},", unit.source_id + 1).into_bytes();
        push_cell(&mut line, unit.key().as_bytes());
        line.extend_from_slice(format!(",{row},").as_bytes());
        writer.push(&mut line, finding);
        // The line of a finding ends.
        line.pop();
        let retain_until = self.retain_until.number(position).time().ok().flatten();
        let retain_until = retain_until.map_or_else(String::new, |time| time.to_string());
        let head_object = head_object(finding);
        for cell in [
            self.e_tag.text(position),
            self.tier.text(position),
            self.lock_mode.text(position),
            retain_until.as_bytes(),
            self.legal_hold.text(position),
            self.event_hold.text(position),
            head_object.as_bytes(),
        ] {
            line.push(b',');
            push_cell(&mut line, cell);
        }
        Arc::from(String::from_utf8_lossy(&line))
    }
}

/// The command that asks S3 for what it says of an object now; nothing for a key that S3 cannot have.
fn head_object(finding: &Finding<'_>) -> String {
    let Finding { bucket, key, version_id, .. } = finding;
    let version = if version_id.is_empty() { None } else { Some(*version_id) };
    if [*bucket, *key].into_iter().chain(version).all(is_plain_word) {
        let word = |bytes: &[u8]| format!("'{}'", String::from_utf8_lossy(bytes));
        let version = version.map_or_else(String::new, |version| format!(" --version-id {}", word(version)));
        return format!("aws s3api head-object --bucket {} --key {}{version}", word(bucket), word(key));
    }
    // What a shell, the command line or a terminal would take for something else is told in JSON.
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned);
    let (Ok(bucket), Ok(key), Ok(version)) = (text(bucket), text(key), version.map(text).transpose()) else {
        return String::new();
    };
    let mut input = serde_json::json!({ "Bucket": bucket, "Key": key });
    if let Some(version) = version {
        input["VersionId"] = version.into();
    }
    let input = STANDARD.encode(input.to_string());
    format!("aws s3api head-object --cli-input-json \"$(printf %s {input} | base64 -d)\"")
}

/// Whether a text is itself between single quotes, and nothing that the command line reads as an option, a file or an
/// address.
fn is_plain_word(word: &[u8]) -> bool {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
    word.iter().all(is_plain) && !word.starts_with(b"-") && !word.windows(3).any(|signs| signs == b"://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_quoted_and_others_are_told_in_json() {
        for plain in ["a", "AWSLogs/1/x y", "a\"b$c`d;e%f", "=x"] {
            assert!(is_plain_word(plain.as_bytes()), "{plain}");
        }
        for odd in ["it's", "a\\b", "-x", "file:///etc/passwd", "a\nb", "\u{202e}", "é"] {
            assert!(!is_plain_word(odd.as_bytes()), "{odd}");
        }
    }
}

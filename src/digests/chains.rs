//! Chains in time: where one begins and ends, where it was begun again, and what is missing in between.
//!
//! Events come in the order of chains, and in a chain by the end of their period. Everything is told as it goes by, so
//! that no chain is ever held.

use std::io;

use serde::Serialize;

use super::fields::{Fields, PutFields as _};
use super::findings::{Findings, Matter};
use super::slot::{ChainKind, DigestName};
use super::status::{DigestStatus, DigestTally};
use crate::escape::escape;
use crate::object_key::{Account, ObjectKey, Region};
use crate::sinks::{SortWriter, Sorter};
use crate::timestamp::Timestamp;

const HOUR_MS: i64 = 3_600_000;
/// So many chains are listed; all are counted.
pub(super) const MAX_CHAINS: usize = 200_000;

/// The time that must be covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// From when on; nothing for whenever a chain begins.
    pub since: Option<Timestamp>,
    /// Until when; nothing for whenever a chain ends.
    pub until: Option<Timestamp>,
}

/// A chain, as the summary tells it. Texts are escaped.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct ChainLine {
    /// That of its newest digest.
    pub bucket: String,
    pub organisation: Option<String>,
    pub account: Account,
    pub region: Region,
    pub trail: String,
    pub home_region: Region,
    pub kind: ChainKind,
    pub digests: u64,
    pub verified: u64,
    pub segments: u64,
    pub first_start: Option<String>,
    pub last_end: Option<String>,
    pub gaps: u64,
    /// Whether it covers the window; always so without one, and for chains of backfill digests.
    pub covers_window: bool,
}

/// A digest in its chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'r> {
    end: Timestamp,
    /// Nothing where nobody knows it.
    start: Option<Timestamp>,
    status: DigestStatus,
    is_starting: bool,
    bucket: &'r [u8],
    key: &'r [u8],
}

impl<'r> Event<'r> {
    pub(super) fn missing(name: &DigestName<'_>, bucket: &'r [u8], key: &'r [u8]) -> Self {
        Self { end: name.end, start: None, status: DigestStatus::Missing, is_starting: false, bucket, key }
    }

    /// Without a period, the end is that in its name.
    pub(super) fn present(
        name: &DigestName<'_>,
        period: Option<(Timestamp, Timestamp)>,
        is_starting: bool,
        status: DigestStatus,
        (bucket, key): (&'r [u8], &'r [u8]),
    ) -> Self {
        let (start, end) = period.map_or((None, name.end), |(start, end)| (Some(start), end));
        Self { end, start, status, is_starting, bucket, key }
    }

    fn take(mut fields: Fields<'r>) -> Option<Self> {
        let end = fields.time()?;
        let start = if fields.flag()? { Some(fields.time()?) } else { None };
        Some(Self {
            end,
            start,
            status: DigestStatus::ALL.get(usize::from(fields.byte()?)).copied()?,
            is_starting: fields.flag()?,
            bucket: fields.text()?,
            key: fields.text()?,
        })
    }
}

/// The events of one worker, on their way to be sorted.
pub(super) struct EventWriter<'s> {
    to: SortWriter<'s>,
    record: Vec<u8>,
}

impl<'s> EventWriter<'s> {
    pub(super) fn new(sorter: &'s Sorter) -> Self {
        Self { to: sorter.writer(), record: Vec::new() }
    }

    /// Notes what happened in the chain of a digest.
    pub(super) fn push(&mut self, key: &[u8], name: &DigestName<'_>, event: &Event<'_>) -> io::Result<()> {
        let record = &mut self.record;
        record.clear();
        ChainId { organisation: ObjectKey::parse(key).organisation, ..ChainId::of(name) }.put(record);
        record.put_time(event.end);
        record.push(event.start.is_some().into());
        event.start.into_iter().for_each(|start| record.put_time(start));
        record.push(event.status as u8);
        record.push(event.is_starting.into());
        record.put_text(event.bucket);
        record.put_text(event.key);
        self.to.push(record)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// What tells chains apart. The bucket does not: a trail that is moved to another goes on there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ChainId<'n> {
    account: Account,
    region: Region,
    organisation: Option<&'n [u8]>,
    trail: &'n [u8],
    home_region: Region,
    kind: ChainKind,
}

impl<'n> ChainId<'n> {
    fn of(name: &DigestName<'n>) -> Self {
        let DigestName { account, region, trail, home_region, kind, .. } = *name;
        Self { account, region, organisation: None, trail, home_region, kind }
    }

    /// Names have no zero bytes.
    fn put(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.account.to_digits());
        to.extend_from_slice(self.region.as_padded());
        for name in [self.organisation.unwrap_or_default(), self.trail] {
            to.extend_from_slice(name);
            to.push(0);
        }
        to.extend_from_slice(self.home_region.as_padded());
        to.push(u8::from(self.kind == ChainKind::Backfill));
    }

    /// Takes the id apart, and says where it ends.
    fn take(fields: &mut Fields<'n>) -> Option<Self> {
        let account = Account::parse(&fields.array::<12>()?)?;
        let region = Region::from_padded(fields.array()?);
        let (organisation, trail) = (take_name(fields)?, take_name(fields)?);
        Some(Self {
            account,
            region,
            organisation: Some(organisation).filter(|name| !name.is_empty()),
            trail,
            home_region: Region::from_padded(fields.array()?),
            kind: if fields.flag()? { ChainKind::Backfill } else { ChainKind::Standard },
        })
    }
}

fn take_name<'n>(fields: &mut Fields<'n>) -> Option<&'n [u8]> {
    let len = memchr::memchr(0, fields.0)?;
    let (name, rest) = fields.0.split_at(len);
    fields.0 = &rest[1..];
    Some(name)
}

/// Follows the chains one after the other.
pub(super) struct ChainWalk<'w, 's> {
    window: Window,
    findings: &'w mut Findings<'s>,
    current: Option<(Vec<u8>, Chain)>,
    pub(super) chains: Vec<ChainLine>,
    pub(super) total: ChainTotal,
}

/// What all chains come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChainTotal {
    pub(super) chains: u64,
    pub(super) gaps: u64,
    /// Chains that do not cover the window.
    pub(super) uncovered: u64,
    /// Digests that are named and not there.
    pub(super) missing: u64,
}

/// A chain up to here.
struct Chain {
    line: ChainLine,
    first_start: Option<Timestamp>,
    /// Until when digests follow each other without a hole, or with holes that were told.
    covered: Option<Timestamp>,
    /// Slots since then that have a finding of their own: their hours are not told again.
    explained: Vec<Timestamp>,
    /// Whether the last digest is followed by what begins anew.
    is_broken: bool,
}

impl Chain {
    fn new(id: &ChainId<'_>) -> Self {
        let text = |name: &[u8]| escape(name).into_owned();
        let line = ChainLine {
            bucket: String::new(),
            organisation: id.organisation.map(text),
            account: id.account,
            region: id.region,
            trail: text(id.trail),
            home_region: id.home_region,
            kind: id.kind,
            digests: 0,
            verified: 0,
            segments: 0,
            first_start: None,
            last_end: None,
            gaps: 0,
            covers_window: true,
        };
        Self { line, first_start: None, covered: None, explained: Vec::new(), is_broken: true }
    }

    /// The time of a hole before `start` that nothing else explains, in milliseconds.
    fn hole_before(&self, start: Timestamp, window: Window) -> i64 {
        let Some(covered) = self.covered else { return 0 };
        // Nothing outside of the window has to be there.
        let from = window.since.map_or(covered, |since| covered.max(since)).as_millis();
        let until = window.until.map_or(start, |until| start.min(until)).as_millis();
        let (mut unexplained, mut at) = (0, from);
        for end in self.explained.iter().map(|end| end.as_millis().min(until)) {
            unexplained += (end - HOUR_MS - at).max(0);
            at = at.max(end);
        }
        unexplained + (until - at).max(0)
    }
}

impl<'w, 's> ChainWalk<'w, 's> {
    pub(super) fn new(window: Window, findings: &'w mut Findings<'s>) -> Self {
        Self { window, findings, current: None, chains: Vec::new(), total: ChainTotal::default() }
    }

    /// Takes the next event in order.
    pub(super) fn event(&mut self, record: &[u8], tally: &mut DigestTally) -> io::Result<()> {
        let mut fields = Fields(record);
        let Some(id) = ChainId::take(&mut fields) else { return Ok(()) };
        let id_bytes = &record[..record.len() - fields.0.len()];
        let Some(event) = Event::take(fields) else { return Ok(()) };
        if self.current.as_ref().is_none_or(|(current, _)| current != id_bytes) {
            self.end_chain()?;
            self.current = Some((id_bytes.to_vec(), Chain::new(&id)));
        }
        match (event.status, event.start) {
            (DigestStatus::Missing, _) => self.missing(&event, tally),
            (_, Some(start)) => self.present(&event, start),
            (_, None) => {
                self.doubtful(&event);
                Ok(())
            }
        }
    }

    fn missing(&mut self, event: &Event<'_>, tally: &mut DigestTally) -> io::Result<()> {
        let Some((_, chain)) = &mut self.current else { return Ok(()) };
        let is_before_all = chain.line.digests == 0;
        if is_before_all && self.window.since.is_some_and(|since| event.end <= since) {
            return Ok(());
        }
        chain.line.digests += 1;
        chain.explained.push(event.end);
        self.total.missing += 1;
        tally.count(DigestStatus::Missing);
        let detail = b"the digest after it names it, and it is not there";
        self.findings.push(Matter::Digest(DigestStatus::Missing), event.bucket, event.key, detail)
    }

    /// One whose period nobody knows.
    fn doubtful(&mut self, event: &Event<'_>) {
        let Some((_, chain)) = &mut self.current else { return };
        chain.line.digests += 1;
        chain.explained.push(event.end);
        chain.line.bucket = escape(event.bucket).into_owned();
    }

    fn present(&mut self, event: &Event<'_>, start: Timestamp) -> io::Result<()> {
        let Some((_, chain)) = &mut self.current else { return Ok(()) };
        let hole = chain.hole_before(start, self.window);
        // Nobody knows when a digest began that is not there: it may have been shorter or longer than an hour.
        let slack = if chain.explained.is_empty() { 0 } else { HOUR_MS / 2 };
        let is_open = hole > slack && chain.line.kind == ChainKind::Standard;
        if is_open {
            chain.line.gaps += 1;
            self.total.gaps += 1;
            let from = chain.covered.unwrap_or(start);
            let detail = format!("{} without a digest between {from} and {start}", hours(hole));
            self.findings.push(Matter::Gap, event.bucket, event.key, detail.as_bytes())?;
        }
        let is_apart = chain.covered.is_some_and(|covered| covered < start);
        chain.line.segments += u64::from(chain.is_broken || event.is_starting || is_apart);
        chain.is_broken = false;
        chain.explained.clear();
        chain.first_start = Some(chain.first_start.map_or(start, |first| first.min(start)));
        chain.covered = chain.covered.max(Some(event.end));
        chain.line.digests += 1;
        chain.line.verified += u64::from(event.status == DigestStatus::Verified);
        chain.line.bucket = escape(event.bucket).into_owned();
        Ok(())
    }

    fn end_chain(&mut self) -> io::Result<()> {
        let Some((_, mut chain)) = self.current.take() else { return Ok(()) };
        let Window { since, until } = self.window;
        let is_late = since.is_some_and(|since| chain.first_start.is_none_or(|first| first > since));
        let is_early = until.is_some_and(|until| chain.covered.is_none_or(|covered| covered < until));
        if chain.line.kind == ChainKind::Standard && (is_late || is_early) {
            chain.line.covers_window = false;
            self.total.uncovered += 1;
            let text = |time: Option<Timestamp>| time.map_or("nothing".to_owned(), |time| time.to_string());
            let ChainLine { account, region, trail, .. } = &chain.line;
            let detail = format!(
                "the trail {trail} of {account} in {region} covers {} to {}, and not the whole window",
                text(chain.first_start),
                text(chain.covered)
            );
            self.findings.push(Matter::Window, chain.line.bucket.as_bytes(), b"", detail.as_bytes())?;
        }
        chain.line.first_start = chain.first_start.map(|time| time.to_string());
        chain.line.last_end = chain.covered.map(|time| time.to_string());
        self.total.chains += 1;
        if self.chains.len() < MAX_CHAINS {
            self.chains.push(chain.line);
        }
        Ok(())
    }

    /// Ends the last chain.
    pub(super) fn finish(mut self) -> io::Result<(Vec<ChainLine>, ChainTotal)> {
        self.end_chain()?;
        Ok((self.chains, self.total))
    }
}

/// `3 hours`, `0.5 hours`.
fn hours(millis: i64) -> String {
    let tenths = (millis * 10 + HOUR_MS / 2) / HOUR_MS;
    match (tenths / 10, tenths % 10) {
        (1, 0) => "1 hour".to_owned(),
        (0, 0) => "less than 0.1 hours".to_owned(),
        (whole, 0) => format!("{whole} hours"),
        (whole, part) => format!("{whole}.{part} hours"),
    }
}

//! Chains in time: where one begins and ends, where it was begun again, and what is missing in between.
//!
//! Events come in the order of chains, and in a chain by the end of their period. Everything is told as it goes by, so
//! that no chain is ever held.

use std::collections::{BTreeSet, HashMap};
use std::io;

use serde::Serialize;

use super::fields::{Fields, PutFields as _};
use super::findings::{DigestFindings, Matter};
use super::slot::{ChainKind, DigestName};
use super::status::{DigestStatus, DigestTally};
use crate::escape::escape;
use crate::object_key::{Account, ObjectKey, Region};
use crate::sinks::{SortWriter, Sorter};
use crate::spans::Spans;
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

/// What chains may be like without being incomplete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptedEdges {
    /// Whether one may begin in the window, with a verified digest that names no other.
    pub starts: bool,
    /// Whether one may end in the window.
    pub ends: bool,
}

/// A chain, as the summary tells it. Texts are escaped.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ChainLine {
    /// The bucket of the newest digest that is there; empty if none is.
    pub bucket: String,
    /// The organisation in the keys of its digests; nothing if they name none.
    pub organisation: Option<String>,
    /// The account whose events its digests are about.
    #[cfg_attr(test, schemars(with = "String"))]
    pub account: Account,
    /// The Region whose events its digests are about.
    #[cfg_attr(test, schemars(with = "String"))]
    pub region: Region,
    /// The name of the trail.
    pub trail: String,
    /// The Region in which the trail was made.
    #[cfg_attr(test, schemars(with = "String"))]
    pub home_region: Region,
    /// Whether its digests come every hour, or are of logs that were late.
    pub kind: ChainKind,
    /// Its digests, whatever became of them, missing ones included.
    pub digests: u64,
    /// Its digests that are verified.
    pub verified: u64,
    /// Into how many runs of digests it falls. Those of an hourly chain follow each other without a hole or a new
    /// beginning; in those of a backfill chain each digest names the one before it.
    pub segments: u64,
    /// When the first of its digests whose period can be believed begins, in UTC; nothing if there is none.
    pub first_start: Option<String>,
    /// When the last of its digests whose period can be believed ends, in UTC; nothing if there is none.
    pub last_end: Option<String>,
    /// Its holes inside of the window that nothing explains; none in a backfill chain.
    pub gaps: u64,
    /// Whether it covers the window, or what is missing was accepted. Always so without a window, and for backfill
    /// chains.
    pub covers_window: bool,
    /// The whole hours of the window that its verified digests are of; nought for a backfill chain.
    pub hours: u64,
}

/// A digest in its chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'r> {
    end: Timestamp,
    /// Nothing where nobody knows it.
    start: Option<Timestamp>,
    status: DigestStatus,
    link: Link,
    bucket: &'r [u8],
    key: &'r [u8],
}

/// How a digest hangs together with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// It names no digest before it.
    pub(super) is_starting: bool,
    /// Another names it.
    pub(super) is_followed: bool,
}

impl<'r> Event<'r> {
    pub(super) fn missing(name: &DigestName<'_>, bucket: &'r [u8], key: &'r [u8]) -> Self {
        Self { end: name.end, start: None, status: DigestStatus::Missing, link: Link::default(), bucket, key }
    }

    /// Without a period, the end is that in its name.
    pub(super) fn present(
        name: &DigestName<'_>,
        period: Option<(Timestamp, Timestamp)>,
        link: Link,
        status: DigestStatus,
        (bucket, key): (&'r [u8], &'r [u8]),
    ) -> Self {
        let (start, end) = period.map_or((None, name.end), |(start, end)| (Some(start), end));
        Self { end, start, status, link, bucket, key }
    }

    fn take(mut fields: Fields<'r>) -> Option<Self> {
        let end = fields.time()?;
        let start = if fields.flag()? { Some(fields.time()?) } else { None };
        Some(Self {
            end,
            start,
            status: DigestStatus::ALL.get(usize::from(fields.byte()?)).copied()?,
            link: Link { is_starting: fields.flag()?, is_followed: fields.flag()? },
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
        record.push(event.link.is_starting.into());
        record.push(event.link.is_followed.into());
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
    accepted: AcceptedEdges,
    findings: &'w mut DigestFindings<'s>,
    current: Option<(Vec<u8>, Chain)>,
    walked: Walked,
}

/// All chains.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) lines: Vec<ChainLine>,
    pub(super) total: ChainTotal,
    pub(super) times: ChainTimes,
    pub(super) covered: Covered,
}

/// What hourly chains cover, as far as their digests are verified.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// What any of them does.
    any: Spans,
    /// What all of them do, or what was accepted of them: that nothing was delivered there.
    all: Option<Spans>,
    /// Until when late logs may be unknown, because a backfill digest is not there or not verified.
    late_until: Option<i64>,
}

impl Covered {
    fn add(&mut self, verified: Spans, accepted: impl IntoIterator<Item = (i64, i64)>) {
        let with_accepted = verified.iter().chain(accepted).collect();
        self.all = Some(
            self.all.as_ref().map_or_else(|| Spans::clone(&with_accepted), |all| all.intersection(&with_accepted)),
        );
        self.any = self.any.union(&verified);
    }

    /// When everything that was delivered is listed by verified digests.
    pub(super) fn spans(&self) -> Spans {
        let spans = self.all.as_ref().map(|all| all.intersection(&self.any)).unwrap_or_default();
        spans.without(&self.late_until.map(|until| (i64::MIN, until)).into_iter().collect())
    }
}

/// What all chains come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChainTotal {
    pub(super) chains: u64,
    pub(super) hourly: u64,
    pub(super) gaps: u64,
    /// Chains that do not cover the window.
    pub(super) uncovered: u64,
    /// Hourly chains that have a digest in the window.
    touching: u64,
    /// Digests that are named and not there.
    pub(super) missing: u64,
    pub(super) hours: u64,
    /// Holes before a chain that was begun again, and chains that begin or end in the window, where that was accepted.
    pub(super) accepted_gaps: u64,
    pub(super) accepted_starts: u64,
    pub(super) accepted_ends: u64,
}

impl ChainTotal {
    /// Whether there are chains, and no hourly one has a digest in the window.
    pub(super) fn is_untouched(&self) -> bool {
        self.chains > 0 && self.touching == 0
    }
}

/// The times of the chains of each account and Region.
#[derive(Debug, Default)]
pub(super) struct ChainTimes {
    window: Window,
    /// From the first to the last verified digest of each hourly chain.
    hourly: HashMap<(Account, Region), Vec<(Timestamp, Timestamp)>>,
    /// Where there are backfill digests of the window: there was an hourly chain, too.
    backfilled: BTreeSet<(Account, Region)>,
}

/// When a file is from that no digest lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Inside,
    OutsideChains,
    OutsideWindow,
}

impl ChainTimes {
    /// Whether an account has an hourly chain in a Region.
    pub(super) fn has_chain(&self, account: Option<Account>, region: Option<Region>) -> bool {
        account.zip(region).is_some_and(|place| self.hourly.contains_key(&place))
    }

    /// Accounts and Regions with backfill digests of the window, and without an hourly chain.
    pub(super) fn only_backfilled(&self) -> impl Iterator<Item = (Account, Region)> {
        self.backfilled.iter().copied().filter(|place| !self.hourly.contains_key(place))
    }

    /// The first and the last moment of verified digests in the window.
    pub(super) fn reach(&self) -> Option<(Timestamp, Timestamp)> {
        let spans = || self.hourly.values().flatten();
        let first = spans().map(|(first, _)| *first).min()?;
        let last = spans().map(|(_, last)| *last).max()?;
        let Window { since, until } = self.window;
        let reach = (since.map_or(first, |since| first.max(since)), until.map_or(last, |until| last.min(until)));
        Some(reach).filter(|(first, last)| first < last)
    }

    /// Whether the time of a file is in the window: that of its name, or of its folder. One that names several is in it if
    /// any of them is.
    pub(super) fn when(&self, key: &[u8]) -> When {
        let parsed = ObjectKey::parse(key);
        let place = parsed.account.zip(parsed.region);
        let spans = place.and_then(|place| self.hourly.get(&place)).map_or(&[][..], |spans| spans);
        let mut times = times_in(key);
        if let Some(day) = parsed.date.and_then(|(year, month, day)| Timestamp::from_date(year, month, day)) {
            let day = (day.as_millis(), day.as_millis().saturating_add(24 * HOUR_MS));
            // Logs of the last minutes of a day lie in the folder of the next.
            let agrees = |(from, until): &(i64, i64)| *from < day.1 + 24 * HOUR_MS && *until > day.0 - 24 * HOUR_MS;
            if times.is_empty() || !times.iter().all(agrees) {
                times.push(day);
            }
        }
        let mut when = times.iter().map(|time| self.judge(*time, spans));
        let Some(first) = when.next() else { return When::Inside };
        if first == When::Inside || when.any(|when| when == When::Inside) { When::Inside } else { first }
    }

    fn judge(&self, (from, until): (i64, i64), spans: &[(Timestamp, Timestamp)]) -> When {
        let Window { since, until: end } = self.window;
        let (since, end) = (since.map(Timestamp::as_millis), end.map(Timestamp::as_millis));
        if since.is_some_and(|since| until <= since) || end.is_some_and(|end| from >= end) {
            return When::OutsideWindow;
        }
        // Where the window has no side, a chain has; one that does not reach the window says nothing of it.
        let is_inside = |(first, last): &(Timestamp, Timestamp)| {
            let (first, last) = (first.as_millis(), last.as_millis());
            let is_before = since.is_some_and(|since| last <= since);
            let is_behind = end.is_some_and(|end| first >= end);
            (is_behind || since.is_some() || until > first) && (is_before || end.is_some() || from < last)
        };
        if spans.is_empty() || spans.iter().any(is_inside) { When::Inside } else { When::OutsideChains }
    }
}

/// The minutes or seconds that the name of a file has: `20260228T1930Z`, `20260228T193012Z`.
fn times_in(key: &[u8]) -> Vec<(i64, i64)> {
    let name = key.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let time = |at: usize| {
        let text = name.get(at.checked_sub(8)?..)?;
        let (time, len) = match text {
            [y, yy, yyy, yyyy, m, mm, d, dd, b'T', h, hh, i, ii, b'Z', ..] => (
                [
                    *y, *yy, *yyy, *yyyy, b'-', *m, *mm, b'-', *d, *dd, b'T', *h, *hh, b':', *i, *ii, b':', b'0', b'0',
                    b'Z',
                ],
                60,
            ),
            [y, yy, yyy, yyyy, m, mm, d, dd, b'T', h, hh, i, ii, s, ss, b'Z', ..] => (
                [*y, *yy, *yyy, *yyyy, b'-', *m, *mm, b'-', *d, *dd, b'T', *h, *hh, b':', *i, *ii, b':', *s, *ss, b'Z'],
                1,
            ),
            _ => return None,
        };
        let from = Timestamp::parse(&time)?.as_millis();
        Some((from, from + len * 1000))
    };
    memchr::memchr_iter(b'T', name).filter_map(time).collect()
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
    /// Whether the first digest is verified and names no other.
    begins: bool,
    /// The first and the last verified moment.
    verified: Option<(Timestamp, Timestamp)>,
    /// How much of the window verified digests are of, in milliseconds.
    covered_ms: i64,
    /// What verified digests cover, and when it was accepted that nothing was delivered.
    spans: Vec<(i64, i64)>,
    accepted: Vec<(i64, i64)>,
    /// Digests that are there, and those of them that others name.
    linked: (u64, u64),
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
            hours: 0,
        };
        Self {
            line,
            first_start: None,
            covered: None,
            explained: Vec::new(),
            is_broken: true,
            begins: false,
            verified: None,
            covered_ms: 0,
            spans: Vec::new(),
            accepted: Vec::new(),
            linked: (0, 0),
        }
    }

    /// Goes on with a verified digest.
    fn verify(&mut self, event: &Event<'_>, start: Timestamp, window: Window) {
        let until = self.verified.map(|(_, until)| until);
        self.verified = Some((
            self.verified.map_or(start, |(first, _)| first.min(start)),
            until.map_or(event.end, |until| until.max(event.end)),
        ));
        // What two digests are of is counted once.
        let from = [until, window.since].into_iter().flatten().fold(start, Timestamp::max).as_millis();
        let end = window.until.map_or(event.end, |until| event.end.min(until)).as_millis();
        self.covered_ms += (end - from).max(0);
        let (start, end) = (start.as_millis(), event.end.as_millis());
        match self.spans.last_mut() {
            Some((_, until)) if start <= *until => *until = (*until).max(end),
            _ => self.spans.push((start, end)),
        }
    }

    /// Notes when nothing was delivered before a verified digest that begins the chain, if that is accepted.
    fn accept_before(&mut self, start: Timestamp, accepted: AcceptedEdges, window: Window) {
        let is_inside = window.since.is_none_or(|since| start > since);
        if !(accepted.starts && is_inside && self.explained.is_empty()) {
            return;
        }
        let from = match self.covered {
            None => i64::MIN,
            Some(covered) if accepted.ends && window.until.is_none_or(|until| covered < until) => covered.as_millis(),
            Some(_) => return,
        };
        self.accepted.push((from, start.as_millis()));
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
    pub(super) fn new((window, accepted): (Window, AcceptedEdges), findings: &'w mut DigestFindings<'s>) -> Self {
        let walked = Walked { times: ChainTimes { window, ..ChainTimes::default() }, ..Walked::default() };
        Self { window, accepted, findings, current: None, walked }
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
        if id.kind == ChainKind::Backfill && event.status != DigestStatus::Verified {
            let late_until = &mut self.walked.covered.late_until;
            *late_until = (*late_until).max(Some(event.end.as_millis()));
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
        self.walked.total.missing += 1;
        tally.count(DigestStatus::Missing);
        let detail = b"another digest names it, and it is not there";
        self.findings.push(Matter::Digest(DigestStatus::Missing), event.bucket, event.key, detail)
    }

    /// One whose period nobody knows.
    fn doubtful(&mut self, event: &Event<'_>) {
        let Some((_, chain)) = &mut self.current else { return };
        chain.line.digests += 1;
        chain.linked.0 += 1;
        chain.linked.1 += u64::from(event.link.is_followed);
        chain.explained.push(event.end);
        chain.line.bucket = escape(event.bucket).into_owned();
    }

    fn present(&mut self, event: &Event<'_>, start: Timestamp) -> io::Result<()> {
        let Some((_, chain)) = &mut self.current else { return Ok(()) };
        let total = &mut self.walked.total;
        let hole = chain.hole_before(start, self.window);
        // Nobody knows when a digest began that is not there: it may have been shorter or longer than an hour.
        let slack = if chain.explained.is_empty() { 0 } else { HOUR_MS / 2 };
        let is_open = hole > slack && chain.line.kind == ChainKind::Standard;
        let is_verified = event.status == DigestStatus::Verified;
        let begins = event.link.is_starting && is_verified;
        if begins {
            chain.accept_before(start, self.accepted, self.window);
        }
        if is_open && begins && chain.explained.is_empty() && self.accepted.starts && self.accepted.ends {
            total.accepted_gaps += 1;
        } else if is_open {
            chain.line.gaps += 1;
            total.gaps += 1;
            let from = chain.covered.unwrap_or(start);
            let option = if begins { ": the trail was begun again (--accept-starts --accept-ends)" } else { "" };
            let detail = format!("{} without a digest between {from} and {start}{option}", hours(hole));
            self.findings.push(Matter::Gap, event.bucket, event.key, detail.as_bytes())?;
        }
        let is_apart = chain.covered.is_some_and(|covered| covered < start);
        chain.line.segments += u64::from(chain.is_broken || event.link.is_starting || is_apart);
        chain.is_broken = false;
        chain.explained.clear();
        if chain.first_start.is_none_or(|first| start < first) {
            chain.first_start = Some(start);
            chain.begins = begins;
        }
        chain.covered = chain.covered.max(Some(event.end));
        chain.line.digests += 1;
        chain.linked.0 += 1;
        chain.linked.1 += u64::from(event.link.is_followed);
        chain.line.bucket = escape(event.bucket).into_owned();
        let Window { since, until } = self.window;
        let is_asked = since.is_none_or(|since| event.end > since) && until.is_none_or(|until| start < until);
        let backfilled = &mut self.walked.times.backfilled;
        if chain.line.kind == ChainKind::Backfill && is_asked && backfilled.len() < MAX_CHAINS {
            backfilled.insert((chain.line.account, chain.line.region));
        }
        if is_verified {
            chain.line.verified += 1;
            chain.verify(event, start, self.window);
        }
        Ok(())
    }

    fn end_chain(&mut self) -> io::Result<()> {
        let Some((_, mut chain)) = self.current.take() else { return Ok(()) };
        match chain.line.kind {
            ChainKind::Standard => self.end_hourly(&mut chain)?,
            // They are of any hours, in any order: what one names is what was delivered before it.
            ChainKind::Backfill => chain.line.segments = chain.linked.0.saturating_sub(chain.linked.1),
        }
        chain.line.first_start = chain.first_start.map(|time| time.to_string());
        chain.line.last_end = chain.covered.map(|time| time.to_string());
        self.walked.total.chains += 1;
        if self.walked.lines.len() < MAX_CHAINS {
            self.walked.lines.push(chain.line);
        }
        Ok(())
    }

    fn end_hourly(&mut self, chain: &mut Chain) -> io::Result<()> {
        let Window { since, until } = self.window;
        let Walked { total, times, covered, .. } = &mut self.walked;
        total.hourly += 1;
        chain.line.hours = (chain.covered_ms / HOUR_MS).unsigned_abs();
        total.hours += chain.line.hours;
        let spans = times.hourly.entry((chain.line.account, chain.line.region)).or_default();
        spans.extend(chain.verified);
        let is_end_accepted = self.accepted.ends && chain.explained.is_empty();
        let end = chain.covered.filter(|end| is_end_accepted && until.is_none_or(|until| *end < until));
        let accepted = chain.accepted.drain(..).chain(end.map(|end| (end.as_millis(), i64::MAX)));
        covered.add(chain.spans.drain(..).collect(), accepted);
        let (first, last) = (chain.first_start, chain.covered);
        let touches = first.zip(last).is_some_and(|(first, last)| {
            since.is_none_or(|since| last > since) && until.is_none_or(|until| first < until)
        });
        total.touching += u64::from(touches);
        let is_late = since.is_some_and(|since| first.is_none_or(|first| first > since))
            || until.is_some_and(|until| first.is_some_and(|first| first >= until));
        let is_early = until.is_some_and(|until| last.is_none_or(|last| last < until))
            || since.is_some_and(|since| last.is_some_and(|last| last <= since));
        let mut whys = Vec::new();
        let text = |time: Option<Timestamp>| time.map_or("no time".to_owned(), |time| time.to_string());
        match is_late {
            true if self.accepted.starts && chain.begins => total.accepted_starts += 1,
            true if chain.begins => whys.push(format!("begins at {} (--accept-starts)", text(first))),
            true => whys.push(format!("has no digest before {}, and is not the first that there was", text(first))),
            false => {}
        }
        match is_early {
            true if self.accepted.ends => total.accepted_ends += 1,
            true => whys.push(format!("ends at {} (--accept-ends)", text(last))),
            false => {}
        }
        if whys.is_empty() {
            return Ok(());
        }
        chain.line.covers_window = false;
        total.uncovered += 1;
        let ChainLine { account, region, trail, bucket, .. } = &chain.line;
        let detail = format!("the chain of the trail {trail}, account {account}, {region} {}", whys.join(" and "));
        self.findings.push(Matter::Window, bucket.as_bytes(), b"", detail.as_bytes())
    }

    /// Ends the last chain.
    pub(super) fn finish(mut self) -> io::Result<Walked> {
        self.end_chain()?;
        if self.walked.total.is_untouched() {
            let detail = b"no hourly chain has a digest in the window";
            self.findings.push(Matter::Window, b"", b"", detail)?;
        }
        self.walked.times.hourly.values_mut().for_each(|spans| spans.sort_unstable());
        Ok(self.walked)
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

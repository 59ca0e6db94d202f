//! Whether logs that are stated to be complete were delivered and read, as digests prove it.
//!
//! ```text
//! digests: chains, listed logs -> Delivered -> Reading -> Delivery -> CompleteLogs
//!          verified before        files of evidence       what is said    worlds
//! ```
//!
//! That a trail recorded every event stays the operator's statement: whoever did not log cannot be found out. But what was
//! recorded is in a log, the log is in a digest, and digests are chained: where all chains are whole, a log that nobody gave
//! is known by its hash. An event is taken for delivered a day after it happened.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::spans::Spans;
use crate::timestamp::Timestamp;

/// CloudTrail delivers within minutes. For what comes later than this there are digests of late logs, which are asked for
/// the logs of the hours in which these should have come.
const DAY_MS: i64 = 24 * 3_600_000;
/// So many spans and reports are named.
const NAMED: usize = 3;
/// So many spans are listed, the last ones.
const LISTED: usize = 1000;

/// A log that digests list: what is in it, and when it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListedLog {
    /// The beginning of its SHA-256. There are many of these, and nobody finds a text for half of a hash either.
    content: [u8; 16],
    /// Seconds since the epoch.
    from: u32,
    until: u32,
}

/// What verified digests say before any evidence is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivered {
    /// When they list everything that was delivered.
    pub(crate) spans: Spans,
    /// Logs that may hold data events.
    pub(crate) logs: Vec<ListedLog>,
    /// When logs were delivered that nothing can be held against: nobody knows their hash.
    pub(crate) without_hash: Vec<(Timestamp, Timestamp)>,
    /// Why there are no spans.
    pub(crate) why_not: Option<&'static str>,
}

/// Listed logs, and which of them were read.
pub(crate) struct Reading {
    delivered: Delivered,
    /// Of logs with the same content, the first is.
    are_read: Vec<AtomicBool>,
}

/// What is proven of the delivery of logs, and what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When all that was delivered was read.
    proven: Spans,
    /// How many logs that may hold data events digests list.
    logs: u64,
    logs_not_read: u64,
    /// Those of the reports, in order, as far as they are known.
    moments: Vec<i64>,
    why_not: Option<&'static str>,
}

/// What is proven of the delivery of logs, and what is not, in `summary.json`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DeliveryLine {
    /// From when until when all that was delivered is in verified digests and was read; the last 1,000 of such spans,
    /// in order.
    pub proven: Vec<SpanLine>,
    /// How many logs digests list, of the kinds that may have data events.
    pub logs_listed: u64,
    /// How many of `logs_listed` were not read as key evidence without a fault, or have no hash that is known.
    pub logs_not_read: u64,
    /// The moments of reports that proven logs do not reach 24 hours beyond, in UTC.
    pub reports_not_covered: Vec<String>,
    /// The same in words: the value of the assumption `evidence_logs_complete`, where that counts.
    pub says: String,
}

/// From when on and until when.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SpanLine {
    /// Its beginning, in UTC to the second.
    pub from: String,
    /// Its end, in UTC to the second.
    pub until: String,
}

/// When logs are known to hold every write data event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CompleteLogs<'d> {
    Never,
    /// By the operator's word alone.
    Always,
    /// As far as digests prove that they were delivered.
    Delivered(&'d Delivery),
}

impl ListedLog {
    /// The period is that of the digest that lists it.
    pub(crate) fn new(sha: &[u8; 32], (start, end): (Timestamp, Timestamp)) -> Self {
        let seconds = |millis: i64| u32::try_from(millis).unwrap_or(u32::MAX);
        let (from, until) = (start.as_millis() / 1000, (end.as_millis() + 999) / 1000);
        Self { content: half(sha), from: seconds(from), until: seconds(until) }
    }

    fn span(&self) -> (i64, i64) {
        (i64::from(self.from) * 1000, i64::from(self.until) * 1000)
    }
}

fn half(sha: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&sha[..16]);
    half
}

impl Reading {
    pub(crate) fn new(mut delivered: Delivered) -> Self {
        delivered.logs.sort_unstable();
        let are_read = delivered.logs.iter().map(|_| AtomicBool::new(false)).collect();
        Self { delivered, are_read }
    }

    /// Notes that a text with this hash was read to its end, and nothing was wrong with it.
    pub(crate) fn note(&self, sha: &[u8; 32]) {
        let (logs, content) = (&self.delivered.logs, half(sha));
        let at = logs.partition_point(|log| log.content < content);
        if logs.get(at).is_some_and(|log| log.content == content) {
            self.are_read[at].store(true, Ordering::Relaxed);
        }
    }

    /// What is proven for reports of these moments.
    pub(crate) fn finish(self, moments: &[i64]) -> Delivery {
        let Self { delivered: Delivered { spans, logs, without_hash, why_not }, are_read } = self;
        let (mut at, mut not_read) = (0, Vec::new());
        for same in logs.chunk_by(|one, other| one.content == other.content) {
            if !are_read[at].load(Ordering::Relaxed) {
                not_read.extend(same.iter().map(ListedLog::span));
            }
            at += same.len();
        }
        not_read.extend(without_hash.iter().map(|(start, end)| (start.as_millis(), end.as_millis())));
        Delivery {
            logs: (logs.len() + without_hash.len()) as u64,
            logs_not_read: not_read.len() as u64,
            proven: spans.without(&not_read.into_iter().collect()),
            moments: moments.to_vec(),
            why_not,
        }
    }
}

impl CompleteLogs<'_> {
    /// Whether nothing happened between two moments that was not seen.
    #[inline]
    pub(crate) fn hold_all(self, from: i64, to: i64) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Delivered(delivery) => delivery.proven.cover(from, to.saturating_add(DAY_MS)),
        }
    }
}

impl Delivery {
    #[cfg(test)]
    pub(crate) fn of(spans: impl IntoIterator<Item = (i64, i64)>) -> Self {
        Self { proven: spans.into_iter().collect(), logs: 0, logs_not_read: 0, moments: Vec::new(), why_not: None }
    }

    fn is_covered(&self, moment: i64) -> bool {
        self.proven.cover(moment, moment.saturating_add(DAY_MS))
    }

    /// Moments of reports that are not followed by a proven day.
    fn uncovered(&self) -> impl Iterator<Item = i64> {
        self.moments.iter().copied().filter(|moment| !self.is_covered(*moment))
    }

    /// What is proven, and what is not: the value of the assumption that a trail recorded everything.
    pub(crate) fn says(&self) -> String {
        let unread = match self.logs_not_read {
            0 => None,
            1 => Some("1 listed log was not read".to_owned()),
            logs => Some(format!("{logs} listed logs were not read")),
        };
        let mut uncovered = self.uncovered().peekable();
        let short = uncovered.peek().is_some().then(|| {
            let reports = named(uncovered.map(time));
            format!("not until 24 hours after the report of {reports}")
        });
        let helps = |(from, until): &(i64, i64)| {
            self.moments.iter().any(|moment| from <= moment && moment.saturating_add(DAY_MS) <= *until)
        };
        let mut helpful = self.proven.iter().filter(helps).peekable();
        if helpful.peek().is_none() {
            let timeless = || "no report says when it was made".to_owned();
            let why = self.why_not.map(str::to_owned).or(unread).or(short).unwrap_or_else(timeless);
            return format!("delivery not proven: {why}");
        }
        let delivered = named(helpful.map(|(from, until)| format!("{} to {}", time(from), time(until))));
        let parts = [Some(format!("delivered {delivered}")), unread, short];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn line(&self) -> DeliveryLine {
        let mut spans: Vec<(i64, i64)> = self.proven.iter().rev().take(LISTED).collect();
        spans.reverse();
        DeliveryLine {
            proven: spans.iter().map(|(from, until)| SpanLine { from: time(*from), until: time(*until) }).collect(),
            logs_listed: self.logs,
            logs_not_read: self.logs_not_read,
            reports_not_covered: self.uncovered().map(time).collect(),
            says: self.says(),
        }
    }
}

/// Some of them, and how many there are besides.
fn named(texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<String> = texts.collect();
    let more = texts.len().saturating_sub(NAMED);
    texts.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", texts.join(", "))
}

/// A moment to the second, which is all that digests have.
fn time(millis: i64) -> String {
    let text = Timestamp::from_millis(millis.max(0)).unwrap_or(Timestamp::MAX).to_string();
    format!("{}Z", &text[..19])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_millis(hour * HOUR).expect("a time")
    }

    fn delivered(hours: i64, logs: &[(u8, i64)]) -> Delivered {
        let log = |(content, end): &(u8, i64)| ListedLog::new(&[*content; 32], (at(end - 1), at(*end)));
        Delivered {
            spans: [(0, hours * HOUR)].into_iter().collect(),
            logs: logs.iter().map(log).collect(),
            ..Delivered::default()
        }
    }

    #[test]
    fn logs_that_were_not_read_are_holes() {
        let reading = Reading::new(delivered(100, &[(7, 5), (9, 3), (7, 8), (8, 20)]));
        reading.note(&[7; 32]);
        reading.note(&[1; 32]);
        let delivery = reading.finish(&[50 * HOUR]);
        let expected = [(0, 2), (3, 19), (20, 100)].map(|(from, until)| (from * HOUR, until * HOUR));
        assert_eq!(delivery.proven, expected.into_iter().collect());
        assert_eq!((delivery.logs, delivery.logs_not_read), (4, 2));
        let logs = CompleteLogs::Delivered(&delivery);
        assert!(logs.hold_all(20 * HOUR, 76 * HOUR));
        assert!(!logs.hold_all(20 * HOUR - 1, 76 * HOUR) && !logs.hold_all(20 * HOUR, 76 * HOUR + 1));
        assert!(!logs.hold_all(i64::MIN, i64::MAX));
        assert!(CompleteLogs::Always.hold_all(i64::MIN, i64::MAX) && !CompleteLogs::Never.hold_all(0, 0));
    }

    #[test]
    fn it_says_what_is_proven_and_what_is_not() {
        let says = |delivered, moments: &[i64]| {
            Reading::new(delivered).finish(&moments.iter().map(|hour| hour * HOUR).collect::<Vec<_>>()).says()
        };
        let whole = "delivered 1970-01-01T00:00:00Z to 1970-01-03T00:00:00Z";
        let short = "not until 24 hours after the report of 1970-01-02T01:00:00Z";
        assert_eq!(says(delivered(48, &[]), &[24]), whole);
        assert_eq!(says(delivered(48, &[]), &[24, 25]), format!("{whole}; {short}"));
        assert_eq!(says(delivered(48, &[]), &[25]), format!("delivery not proven: {short}"));
        assert_eq!(says(delivered(48, &[]), &[]), "delivery not proven: no report says when it was made");
        assert_eq!(says(delivered(48, &[(1, 30), (2, 30)]), &[24]), "delivery not proven: 2 listed logs were not read");
        let from_two = "delivered 1970-01-01T02:00:00Z to 1970-01-03T00:00:00Z; 1 listed log was not read";
        assert_eq!(says(delivered(48, &[(1, 2)]), &[24]), from_two);
        let without_hash = Delivered { without_hash: vec![(at(1), at(2))], ..delivered(48, &[]) };
        assert_eq!(says(without_hash, &[24]), from_two);
        let why_not = Some("there is no hourly chain of digests");
        let none = Delivered { why_not, ..Delivered::default() };
        assert_eq!(says(none, &[24]), "delivery not proven: there is no hourly chain of digests");
    }
}

//! Moments as milliseconds since 1970-01-01T00:00:00Z, the resolution of S3 Inventory.
//!
//! Reads the ISO 8601 form that inventory reports use, writes it back, and tells the month. Years run from 1970 to 9999:
//! S3 has no object outside them, so anything else in a report is damage and is refused.

pub(crate) mod written;

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const DAY_MS: i64 = 86_400_000;

/// A moment, in milliseconds since the Unix epoch, within the years 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A calendar month, counted from January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Month(u32);

/// How it is said that a time is in UTC. What S3 writes comes first.
const ZONES: [&[u8]; 7] = [b"Z", b"+00:00", b"+0000", b"+00", b"-00:00", b"-0000", b"-00"];

impl Timestamp {
    /// The last moment that can be expressed.
    pub const MAX: Self = Self(days_from_civil(10_000, 1, 1) * DAY_MS - 1);

    /// Refuses moments outside the years 1970 to 9999.
    pub fn from_millis(millis: i64) -> Option<Self> {
        (0..=Self::MAX.0).contains(&millis).then_some(Self(millis))
    }

    /// The current time.
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self((since_epoch.as_millis() as i64).min(Self::MAX.0))
    }

    /// The start of a day, or nothing when the calendar has no such day.
    pub fn from_date(year: u16, month: u8, day: u8) -> Option<Self> {
        let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
        let exists = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        exists.then(|| Self(days_from_civil(year, month, day) * DAY_MS))
    }

    /// Reads `YYYY-MM-DDThh:mm:ss[.f...]Z`, or an offset of nought instead of the Z. Digits after the third of a fraction
    /// must be digits but do not count.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (fixed, rest) = text.split_at_checked(19)?;
        let separators = [fixed[4], fixed[7], fixed[10], fixed[13], fixed[16]];
        if separators != *b"--T::" {
            return None;
        }
        let number = |from: usize, len: usize| digits(&fixed[from..from + len]);
        let date = Self::from_date(number(0, 4)? as u16, number(5, 2)? as u8, number(8, 2)? as u8)?;
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let millis = match ZONES.iter().find_map(|zone| rest.strip_suffix(*zone))? {
            [] => 0,
            [b'.', fraction @ ..] => fraction_millis(fraction)?,
            _ => return None,
        };
        Some(Self(date.0 + (hour * 3600 + minute * 60 + second) * 1000 + millis))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The days since 1970-01-01, in UTC.
    pub const fn day(self) -> i64 {
        self.0 / DAY_MS
    }

    /// The calendar month, in UTC.
    pub fn month(self) -> Month {
        let (year, month, _) = civil_from_days(self.0 / DAY_MS);
        Month(((year - 1970) * 12 + month - 1) as u32)
    }
}

/// A span of time in whole days or hours, as [`parse_span`] reads it.
pub fn span_text(millis: i64) -> String {
    match millis % DAY_MS {
        0 => format!("{}d", millis / DAY_MS),
        _ => format!("{}h", millis / (DAY_MS / 24)),
    }
}

/// Reads a span of time as milliseconds: `7d` or `36h`, not nothing and not more than a century.
pub fn parse_span(text: &str) -> Option<i64> {
    const CENTURY_MS: i64 = 36_525 * DAY_MS;
    let (number, unit) = match (text.strip_suffix('d'), text.strip_suffix('h')) {
        (Some(days), _) => (days, DAY_MS),
        (_, Some(hours)) => (hours, DAY_MS / 24),
        _ => return None,
    };
    let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let span = number.parse::<i64>().ok().filter(|_| is_plain)?.checked_mul(unit)?;
    (1..=CENTURY_MS).contains(&span).then_some(span)
}

impl Timestamp {
    /// The form of inventory reports, `YYYY-MM-DDThh:mm:ss.mmmZ`.
    pub fn as_text(self) -> [u8; 24] {
        let (year, month, day) = civil_from_days(self.0 / DAY_MS);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put_digits(&mut text[..4], year);
        put_digits(&mut text[5..7], month);
        put_digits(&mut text[8..10], day);
        put_clock(&mut text, self.0 % DAY_MS);
        text
    }
}

fn put_clock(text: &mut [u8; 24], ms: i64) {
    put_digits(&mut text[11..13], ms / 3_600_000);
    put_digits(&mut text[14..16], ms / 60_000 % 60);
    put_digits(&mut text[17..19], ms / 1000 % 60);
    put_digits(&mut text[20..23], ms % 1000);
}

/// Millions of findings have a time: no formatting machinery.
#[inline(always)]
fn put_digits(text: &mut [u8], mut number: i64) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Writes moments one after the other, and remembers the last date: neighbouring objects often have the same.
#[derive(Clone, Copy, Debug)]
pub struct TimeWriter {
    midnight: i64,
    text: [u8; 24],
}

impl Default for TimeWriter {
    fn default() -> Self {
        Self { midnight: 0, text: Timestamp(0).as_text() }
    }
}

impl TimeWriter {
    /// The same as [`Timestamp::as_text`].
    #[inline]
    pub fn text(&mut self, time: Timestamp) -> [u8; 24] {
        match time.0 - self.midnight {
            ms @ 0..DAY_MS => put_clock(&mut self.text, ms),
            _ => *self = Self { midnight: time.0 - time.0 % DAY_MS, text: time.as_text() },
        }
        self.text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_text().iter().try_for_each(|&byte| f.write_char(char::from(byte)))
    }
}

impl Month {
    /// Months since January 1970.
    pub fn as_index(self) -> u32 {
        self.0
    }

    /// The month that is `index` months after January 1970.
    pub fn from_index(index: u32) -> Self {
        Self(index)
    }
}

impl Month {
    /// Reads `2024-05`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (year, month) = name.split_once('-')?;
        let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
        let index = year.checked_sub(1970)?.checked_mul(12)?.checked_add(month.checked_sub(1)?)?;
        let read = Self(index);
        (month <= 12 && read.to_string() == name).then_some(read)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", 1970 + self.0 / 12, self.0 % 12 + 1)
    }
}

/// Reads moments one after the other, and remembers the last date: neighbouring rows often have the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimeParser {
    /// `YYYY-MM-DDT`
    date: [u8; DATE_LEN],
    midnight: i64,
}

/// The length of a date and the `T` behind it.
const DATE_LEN: usize = 11;

impl TimeParser {
    /// The same as [`Timestamp::parse`].
    #[inline]
    pub fn parse(&mut self, text: &[u8]) -> Option<Timestamp> {
        if let Some((date, clock)) = text.split_first_chunk::<DATE_LEN>()
            && *date == self.date
            && let Some(millis) = clock_millis(clock)
        {
            return Some(Timestamp(self.midnight + millis));
        }
        let time = Timestamp::parse(text)?;
        (self.date, self.midnight) = (*text.first_chunk()?, time.0 - time.0 % DAY_MS);
        Some(time)
    }
}

/// `hh:mm:ss.mmmZ`, the form that S3 writes; nothing for every other one.
#[inline]
fn clock_millis(clock: &[u8]) -> Option<i64> {
    let clock: &[u8; 13] = clock.try_into().ok()?;
    let digits = [0, 1, 3, 4, 6, 7, 9, 10, 11].map(|at| i64::from(clock[at].wrapping_sub(b'0')));
    let [h, hh, m, mm, s, ss, t, tt, ttt] = digits;
    let (hour, minute, second) = (h * 10 + hh, m * 10 + mm, s * 10 + ss);
    let shaped = [clock[2], clock[5], clock[8], clock[12]] == *b"::.Z" && digits.iter().all(|digit| *digit <= 9);
    let exists = hour <= 23 && minute <= 59 && second <= 59;
    (shaped && exists).then_some(((hour * 60 + minute) * 60 + second) * 1000 + t * 100 + tt * 10 + ttt)
}

/// Remembers the bounds of the last month asked for: neighbouring rows fall into the same one.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonthMemo {
    from: i64,
    until: i64,
    month: u32,
}

impl MonthMemo {
    /// The same as [`Timestamp::month`].
    #[inline]
    pub fn month(&mut self, time: Timestamp) -> Month {
        if !(self.from..self.until).contains(&time.0) {
            let month = time.month();
            let first_day = |index: u32| days_from_civil(i64::from(1970 + index / 12), i64::from(index % 12 + 1), 1);
            *self = Self { from: first_day(month.0) * DAY_MS, until: first_day(month.0 + 1) * DAY_MS, month: month.0 };
        }
        Month(self.month)
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn fraction_millis(fraction: &[u8]) -> Option<i64> {
    if fraction.is_empty() || fraction.len() > 9 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let first_three = [0, 1, 2].map(|at| fraction.get(at).copied().unwrap_or(b'0'));
    digits(&first_three)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Years are taken from March on, so that the leap day comes
/// last, and in eras of 400 years (146,097 days), after which the calendar repeats.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`]: year, month, day.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_year - (153 * march_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<i64> {
        Timestamp::parse(text.as_bytes()).map(Timestamp::as_millis)
    }

    #[test]
    fn reads_the_form_of_inventory_reports() {
        assert_eq!(millis("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(millis("2024-05-06T22:37:48.000Z"), Some(1_715_035_068_000));
        assert_eq!(millis("2024-05-06T22:37:48Z"), Some(1_715_035_068_000));
        assert_eq!(millis("2024-05-06T22:37:48.1Z"), Some(1_715_035_068_100));
        assert_eq!(millis("2024-05-06T22:37:48.123456Z"), Some(1_715_035_068_123));
        assert_eq!(millis("9999-12-31T23:59:59.999Z"), Some(Timestamp::MAX.as_millis()));
    }

    #[test]
    fn an_offset_of_nought_is_utc() {
        for zone in ["Z", "+00:00", "+0000", "+00", "-00:00", "-0000", "-00"] {
            assert_eq!(millis(&format!("2024-05-06T22:37:48{zone}")), Some(1_715_035_068_000), "{zone}");
            assert_eq!(millis(&format!("2024-05-06T22:37:48.123{zone}")), Some(1_715_035_068_123), "{zone}");
        }
    }

    #[test]
    fn refuses_what_no_calendar_has() {
        for text in [
            "",
            "Z",
            "2024-05-06",
            "2024-05-06T22:37:48",
            "2024-05-06T22:37:48.Z",
            "2024-05-06T22:37:48.0004",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-05-06T24:00:00Z",
            "2024-05-06T22:60:48Z",
            "2024-05-06T22:37:60Z",
            "1969-12-31T23:59:59Z",
            "2024-05-06 22:37:48Z",
            "2024-05-06T22:37:48+01:00",
            "2024-05-06T22:37:48-0030",
            "2024-05-06T22:37:48+0",
            "2024-05-06T22:37:48 +00:00",
            "2024-05-06T22:37:48.+00",
            "2024-05-06T22:37:48Z+00:00",
            "2024-05-06T22:37:48+00:00Z",
            "2024-05-06T22:37:48.0Z ",
            "+024-05-06T22:37:48Z",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn remembering_the_date_changes_no_answer() {
        let mut parser = TimeParser::default();
        let clocks =
            ["00:00:00.000Z", "23:59:59.999Z", "24:00:00.000Z", "23:60:00.000Z", "23:00:60.000Z", "1x:00:00.000Z"];
        let odd =
            ["12:34:56Z", "12:34:56.7Z", "12:34:56.789012Z", "12:34:56.78xZ", "12-34:56.789Z", "12:34:56.789", ""];
        for date in ["2024-05-06T", "2024-05-07T", "2024-02-30T", "2024-05-07 ", "2024-05-06T"] {
            for clock in clocks.iter().chain(&odd) {
                let text = format!("{date}{clock}");
                assert_eq!(parser.parse(text.as_bytes()), Timestamp::parse(text.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn every_day_survives_a_round_trip() {
        let (mut memo, mut writer) = (MonthMemo::default(), TimeWriter::default());
        // A step of eleven days meets every day of months and of weeks.
        let step = if std::env::var_os("LOGSEAL_THOROUGH").is_some() { 1 } else { 11 };
        for day in (0..=Timestamp::MAX.as_millis() / DAY_MS).step_by(step) {
            let time = Timestamp::from_millis(day * DAY_MS + 43_200_123).expect("in range");
            let text = time.to_string();
            assert_eq!(Timestamp::parse(text.as_bytes()), Some(time));
            assert_eq!(time.month().to_string(), text[..7]);
            assert_eq!(memo.month(time), time.month());
            for ms in [day * DAY_MS, time.as_millis(), (day + 1) * DAY_MS - 1] {
                let time = Timestamp::from_millis(ms).expect("in range");
                assert_eq!(writer.text(time), time.as_text());
            }
        }
    }
}

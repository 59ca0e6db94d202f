//! What all tables of a policy file are checked with: where a mistake is, and the small things that many of them hold.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::value::{Datetime, Offset};

use super::{Globs, NamedKey};
use crate::timestamp::{Timestamp, parse_span};

/// What is wrong with a policy file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct PolicyError {
    /// From 1 on.
    pub line: usize,
    /// In characters, from 1 on.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// A message and the bytes of the file that it is about.
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

/// What is right, or what is wrong and where.
pub(super) type Checked<T> = Result<T, Wrong>;

pub(super) fn wrong<T>(span: Range<usize>, message: impl Into<String>) -> Checked<T> {
    Err(Wrong { span, message: message.into() })
}

pub(super) fn at(text: &str, wrong: &Wrong) -> PolicyError {
    let before = text.get(..wrong.span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    PolicyError {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: wrong.message.clone(),
    }
}

/// A list of patterns.
pub(super) type GlobsEntry = Spanned<Vec<Spanned<String>>>;

/// Ids go into reports and file names, so they are short and plain, and each is used once.
pub(super) fn check_ids<'i>(ids: impl Iterator<Item = &'i Spanned<String>>) -> Checked<()> {
    let mut seen = BTreeSet::new();
    for id in ids {
        let text = id.as_ref();
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !plain || text.is_empty() || text.len() > 64 {
            return wrong(id.span(), "an id has 1 to 64 characters, each a letter, a digit, '-', '_' or '.'");
        }
        if !seen.insert(text) {
            return wrong(id.span(), format!("the id is used twice: {text}"));
        }
    }
    Ok(())
}

pub(super) fn named_key(name: &Spanned<String>, keys: &BTreeMap<String, NamedKey>) -> Checked<NamedKey> {
    match keys.get(name.as_ref()) {
        Some(key) => Ok(key.clone()),
        None => wrong(name.span(), format!("[keys] has no key of that name: {}", name.as_ref())),
    }
}

pub(super) fn check_globs(entry: Option<GlobsEntry>) -> Checked<Option<Globs>> {
    let Some(globs) = entry else { return Ok(None) };
    if globs.as_ref().is_empty() {
        return wrong(globs.span(), "the list is empty: leave the field out to match everything");
    }
    if let Some(empty) = globs.as_ref().iter().find(|glob| glob.as_ref().is_empty()) {
        return wrong(empty.span(), "an empty pattern matches nothing");
    }
    Ok(Some(Globs::new(globs.as_ref().iter().map(|glob| glob.as_ref().as_str()))))
}

/// A date (its first moment, UTC) or a date and time with the offset `Z`.
pub(super) fn check_moment(moment: &Spanned<Datetime>) -> Checked<Timestamp> {
    let datetime = moment.as_ref();
    let is_date = datetime.time.is_none() && datetime.offset.is_none();
    let text = match datetime.offset {
        None if is_date => format!("{datetime}T00:00:00Z"),
        Some(Offset::Z) => datetime.to_string(),
        _ => return wrong(moment.span(), "not a date, nor a date and time in UTC (2026-01-31T00:00:00Z)"),
    };
    match Timestamp::parse(text.as_bytes()) {
        Some(time) => Ok(time),
        None => wrong(moment.span(), "not a date from 1970 to 9999"),
    }
}

/// A date, as the first moment behind it: what ends on it holds through the whole day.
pub(super) fn check_last_day(day: &Spanned<Datetime>, what: &str) -> Checked<Timestamp> {
    let datetime = day.as_ref();
    let last_day = match (datetime.date, datetime.time) {
        (Some(date), None) => Timestamp::from_date(date.year, date.month, date.day),
        _ => return wrong(day.span(), format!("not a date: {what} holds through the whole of its last day")),
    };
    const DAY_MS: i64 = 86_400_000;
    let Some(last_day) = last_day else {
        return wrong(day.span(), "not a date from 1970 to 9999");
    };
    // Behind the last day of all there is none.
    Ok(Timestamp::from_millis(last_day.as_millis() + DAY_MS).unwrap_or(Timestamp::MAX))
}

/// What a time span looks like.
pub(super) const NO_SPAN: &str = "not a number of days or hours (7d, 36h)";

/// A span of time, in milliseconds.
pub(super) fn check_span(text: &Spanned<String>) -> Checked<i64> {
    match parse_span(text.as_ref()) {
        Some(span) => Ok(span),
        None => wrong(text.span(), NO_SPAN),
    }
}

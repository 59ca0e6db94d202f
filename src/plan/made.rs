//! When a report was made, as far as its manifest can be believed.
//!
//! A pass is about a moment: that at which S3 began to list the bucket. A manifest states it in milliseconds; other stores
//! and hand-made reports have been seen to leave it out, to count seconds, or to copy it from elsewhere.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::timestamp::Timestamp;

const DAY_MS: i64 = 86_400_000;
/// 2016-01-01: S3 Inventory came in that year.
const FIRST_MS: i64 = 1_451_606_400_000;
/// Listing a large bucket takes S3 up to two days.
const MAX_LISTING_MS: i64 = 2 * DAY_MS;

/// What stands in a manifest: milliseconds since the epoch, which S3 writes as a text.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum CreationTimestamp {
    Text(String),
    Number(i64),
    Other(IgnoredAny),
}

/// Why the time at which a report was made is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MadeFault {
    /// Nothing says it.
    #[error("is missing")]
    Missing,
    /// It is no time.
    #[error("is no number of milliseconds since 1970")]
    NoTime,
    /// There were no inventories then.
    #[error("lies before 2016, when there were no inventories: {0}")]
    TooEarly(Timestamp),
    /// Nobody can have made it then.
    #[error("lies in the future: {0}")]
    Future(Timestamp),
    /// It lists what did not exist then.
    #[error("is {made}, and the report lists an object of {newest}")]
    TooOld {
        /// When it was made, as it says.
        made: Timestamp,
        /// The newest last-modified of its rows.
        newest: Timestamp,
    },
}

/// The moment that a manifest states; `today` is the latest that anybody can think it is.
pub(super) fn made(stamp: Option<CreationTimestamp>, today: Timestamp) -> Result<Timestamp, MadeFault> {
    let millis = match stamp {
        None => return Err(MadeFault::Missing),
        Some(CreationTimestamp::Text(text)) => text.parse().ok(),
        Some(CreationTimestamp::Number(millis)) => Some(millis),
        Some(CreationTimestamp::Other(_)) => None,
    };
    let time = millis.and_then(Timestamp::from_millis).ok_or(MadeFault::NoTime)?;
    match time.as_millis() {
        ..FIRST_MS => Err(MadeFault::TooEarly(time)),
        millis if millis > today.as_millis().saturating_add(DAY_MS) => Err(MadeFault::Future(time)),
        _ => Ok(time),
    }
}

/// Refuses a time that is far older than what the report lists.
pub(crate) fn check_newest(made: Timestamp, newest: Timestamp) -> Result<(), MadeFault> {
    if newest.as_millis().saturating_sub(MAX_LISTING_MS) > made.as_millis() {
        return Err(MadeFault::TooOld { made, newest });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text.as_bytes()).expect("a time")
    }

    fn read(json: &str) -> Result<String, String> {
        let stamp: Option<CreationTimestamp> = serde_json::from_str(json).expect("JSON");
        let made = made(stamp, time("2026-10-04T01:00:00.000Z"));
        made.map(|time| time.to_string()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn milliseconds_are_believed_as_text_and_as_number() {
        for json in ["\"1475370000000\"", "1475370000000"] {
            assert_eq!(read(json), Ok("2016-10-02T01:00:00.000Z".to_owned()), "{json}");
        }
        assert_eq!(read("1451606400000"), Ok("2016-01-01T00:00:00.000Z".to_owned()));
        assert_eq!(read("1791162000000"), Ok("2026-10-05T01:00:00.000Z".to_owned()));
    }

    #[test]
    fn everything_else_has_its_reason() {
        for (json, why) in [
            ("null", "is missing"),
            ("\"\"", "is no number"),
            ("\"2026-10-04T01:00:00Z\"", "is no number"),
            ("1.5e12", "is no number"),
            ("true", "is no number"),
            ("[1475370000000]", "is no number"),
            ("{}", "is no number"),
            ("-1", "is no number"),
            ("\"99999999999999999999\"", "is no number"),
            // Seconds, and the last millisecond of 2015.
            ("1642994594", "lies before 2016"),
            ("1451606399999", "lies before 2016"),
            ("0", "lies before 2016"),
            ("1791162000001", "lies in the future"),
        ] {
            let found = read(json).expect_err(json);
            assert!(found.starts_with(why), "{json}: {found}");
        }
    }

    #[test]
    fn a_listing_takes_two_days_at_most() {
        let made = time("2026-10-04T01:00:00.000Z");
        assert_eq!(check_newest(made, time("2026-10-06T01:00:00.000Z")), Ok(()));
        assert!(check_newest(made, time("2026-10-06T01:00:00.001Z")).is_err());
        assert_eq!(check_newest(made, time("2020-01-01T00:00:00.000Z")), Ok(()));
    }
}

//! Times in the forms that tools write.

use serde_json::Value;

use super::Timestamp;

/// Reads ISO 8601 with any offset and a `T` or a blank before the clock, as the command line, SDKs and `str` of Python
/// write it, and the form of HTTP. A time without an offset may be that of any zone, and is none.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text.as_bytes()).or_else(|| iso(text)).or_else(|| http(text))
}

/// The same for a value of JSON; a number is seconds since 1970.
pub(crate) fn of_json(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(seconds) => {
            let millis = seconds.as_f64()? * 1000.0;
            (0.0..253_402_300_800_000.0).contains(&millis).then(|| Timestamp::from_millis(millis.round() as i64))?
        }
        Value::String(text) => parse(text),
        _ => None,
    }
}

fn iso(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.split_at_checked(10)?;
    let clock = clock.strip_prefix(['T', 't', ' '])?;
    let at = clock.find(['Z', 'z', '+', '-', ' '])?;
    let (clock, offset) = clock.split_at_checked(at)?;
    // Seconds are left out where there are none.
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    let local = Timestamp::parse(format!("{date}T{clock}{seconds}Z").as_bytes())?;
    Timestamp::from_millis(local.as_millis() - offset_millis(offset.trim_start())?)
}

/// `Z`, `UTC`, `GMT`, `+hh:mm`, `+hhmm` or `+hh`.
fn offset_millis(offset: &str) -> Option<i64> {
    if matches!(offset, "Z" | "z" | "UTC" | "GMT") {
        return Some(0);
    }
    let (sign, rest) = match offset.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.as_bytes() {
        [_, _] => (rest, "00"),
        [_, _, b':', _, _] => (rest.get(..2)?, rest.get(3..)?),
        [_, _, _, _] => (rest.get(..2)?, rest.get(2..)?),
        _ => return None,
    };
    let number =
        |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// `Sun, 04 Jan 2026 01:00:00 GMT`.
pub(crate) fn http(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split_once(", ")?.1.split(' ');
    let mut part = || parts.next();
    let (day, month, year, clock, zone) = (part()?, part()?, part()?, part()?, part()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    (zone == "GMT").then(|| Timestamp::parse(format!("{year}-{month:02}-{day:0>2}T{clock}Z").as_bytes()))?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_of_json_are_seconds() {
        let read = |value| of_json(&value).map(|time| time.to_string());
        for value in [json!("2026-11-01T13:30:00+01:30"), json!(1_793_534_400), json!(1_793_534_400.0)] {
            assert_eq!(read(value.clone()).as_deref(), Some("2026-11-01T12:00:00.000Z"), "{value}");
        }
        for value in [json!("2026-11-01"), json!("x"), json!(-1), json!(1e300), json!(null)] {
            assert_eq!(read(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn times_are_read_in_the_forms_that_tools_write() {
        let expected = Timestamp::parse(b"2026-01-04T01:02:03Z");
        assert!(expected.is_some());
        for text in [
            "2026-01-04T01:02:03+00:00",
            "2026-01-04T01:02:03Z",
            "2026-01-04T01:02:03.000Z",
            "2026-01-04 01:02:03+00:00",
            "2026-01-04 01:02:03.000000+00:00",
            "2026-01-04 01:02:03 UTC",
            "2026-01-04 01:02:03Z",
            "2026-01-04T02:02:03+01:00",
            "2026-01-04T06:32:03+0530",
            "2026-01-03T20:02:03-05",
            "Sun, 04 Jan 2026 01:02:03 GMT",
            "Sun, 4 Jan 2026 01:02:03 GMT",
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse("2026-01-04T01:02+00:00"), Timestamp::parse(b"2026-01-04T01:02:00Z"));
        for text in [
            "",
            "yesterday",
            "2026-01-04",
            "2026-01-04T01:02:03",
            "2026-01-04 01:02:03",
            "2026-01-04T01:02:03+24:00",
            "2026-01-04T01:02:03+01:60",
            "2026-01-04T01:02:03+1",
            "2026-01-04T01:02:03+0x:00",
            "2026-01-04T01:02:03 CET",
            "1970-01-01T00:00:00+01:00",
            "2026-01-04é01:02:03Z",
            "Sun, 04 Jan 2026 01:02:03 CET",
            "Sun, 04 Jax 2026 01:02:03 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

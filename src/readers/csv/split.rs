//! One line to its fields, by the letter.

use std::ops::Range;

use memchr::memchr;

use crate::batch::RowFault;

/// The fields of a line, unquoted.
#[derive(Default)]
pub(crate) struct Split {
    pub fields: Vec<Range<usize>>,
    pub unquoted: Vec<u8>,
}

/// Finds the closing quotes of a line of which every field is quoted and none has a quote inside; says no to every other
/// line, at the latest at its end.
pub(super) fn split_quoted(line: &[u8], mut each_close: impl FnMut(usize)) -> bool {
    let mut from = 1;
    if line.first() != Some(&b'"') {
        return false;
    }
    while let Some(len) = memchr(b'"', &line[from..]) {
        let close = from + len;
        each_close(close);
        match &line[close + 1..] {
            [] => return true,
            [b',', b'"', ..] => from = close + 3,
            _ => return false,
        }
    }
    false
}

/// Splits a row by the letter of RFC 4180: a field is quoted as a whole, with its quotes doubled, or has no quote at all.
pub(crate) fn split_strict(line: &[u8], split: &mut Split) -> Result<(), RowFault> {
    split.fields.clear();
    split.unquoted.clear();
    let mut rest = line;
    loop {
        let from = split.unquoted.len();
        rest = match rest.strip_prefix(b"\"") {
            Some(quoted) => unquote(quoted, &mut split.unquoted)?,
            None => {
                let end = memchr(b',', rest).unwrap_or(rest.len());
                let (plain, rest) = rest.split_at(end);
                if memchr(b'"', plain).is_some() {
                    return Err(RowFault::Quoting);
                }
                split.unquoted.extend_from_slice(plain);
                rest
            }
        };
        split.fields.push(from..split.unquoted.len());
        rest = match rest {
            [] => return Ok(()),
            [b',', rest @ ..] => rest,
            _ => return Err(RowFault::Quoting),
        };
    }
}

/// Appends a field that stands behind an opening quote; returns what stands behind the closing one.
fn unquote<'a>(mut rest: &'a [u8], unquoted: &mut Vec<u8>) -> Result<&'a [u8], RowFault> {
    loop {
        let quote = memchr(b'"', rest).ok_or(RowFault::Quoting)?;
        unquoted.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            Some(behind) => {
                unquoted.push(b'"');
                rest = behind;
            }
            None => return Ok(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(line: &str) -> Result<Vec<String>, RowFault> {
        let mut split = Split::default();
        split_strict(line.as_bytes(), &mut split)?;
        let text = |field: &Range<usize>| String::from_utf8_lossy(&split.unquoted[field.clone()]).into_owned();
        Ok(split.fields.iter().map(text).collect())
    }

    fn quoted(line: &str) -> Option<Vec<String>> {
        let (mut fields, mut from) = (Vec::new(), 1);
        let is_quoted = split_quoted(line.as_bytes(), |close| {
            fields.push(line[from..close].to_owned());
            from = close + 3;
        });
        is_quoted.then_some(fields)
    }

    #[test]
    fn rows_are_split_by_the_letter() {
        let row = |fields: &[&str]| Ok(fields.iter().map(|&field| field.to_owned()).collect::<Vec<_>>());
        assert_eq!(strict(r#""a","b""#), row(&["a", "b"]));
        assert_eq!(strict(r#"a,"b,c",,"""#), row(&["a", "b,c", "", ""]));
        assert_eq!(strict(r#"a,"b,c",,"""""#), row(&["a", "b,c", "", "\""]));
        assert_eq!(strict(","), row(&["", ""]));
        for bad in [r#"""#, r#""a"#, r#""a"b"#, r#""a" ,"b""#, r#""a"",b"#, r#""a""b"#, r#"a"b"#, r#" "a""#] {
            assert_eq!(strict(bad), Err(RowFault::Quoting), "{bad}");
        }
    }

    /// Every line of up to seven of these characters: where the fast way has an answer, it is the strict one's.
    #[test]
    fn the_fast_way_agrees_with_the_strict_one() {
        let alphabet = ['"', ',', 'a'];
        let mut fast_answers = 0;
        for len in 0..=9 {
            for number in 0..3_usize.pow(len) {
                let line: String = (0..len).map(|at| alphabet[number / 3_usize.pow(at) % 3]).collect();
                if let Some(fields) = quoted(&line) {
                    assert_eq!(strict(&line).as_ref(), Ok(&fields), "{line}");
                    fast_answers += 1;
                }
            }
        }
        assert!(fast_answers > 100, "{fast_answers}");
    }
}

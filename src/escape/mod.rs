//! The one written form of bytes that a stranger chose: object names, version ids, statuses.
//!
//! Characters that are not seen (controls, those of writing directions, joiners), bytes that are not UTF-8 and the backslash become `\xNN` for each byte
//! (`\\` for the backslash), so the form is harmless on a terminal and decodes to one byte string. A cell of a CSV file
//! is quoted as in RFC 4180 and, when a spreadsheet would take it for a formula, gets a leading `'`.

pub(crate) mod hex;
pub(crate) mod percent;

use std::borrow::Cow;
use std::fmt::Write as _;

use hex::hex_byte;

/// The escaped form of `bytes`, for terminals, messages and JSON.
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(is_harmless)
    {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_char(&mut escaped, c));
        chunk.invalid().iter().for_each(|byte| push_byte(&mut escaped, *byte));
    }
    Cow::Owned(escaped)
}

/// A message with whatever could steer a terminal escaped. Backslashes stay, so parts that were escaped before do not
/// change; for the same reason the form does not tell what the message was.
pub fn harmless(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    for c in message.chars() {
        if c == '\\' { shown.push(c) } else { push_char(&mut shown, c) }
    }
    shown
}

/// The bytes that an escaped form stands for, or nothing when a backslash begins no escape.
pub fn unescape(escaped: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        bytes.extend_from_slice(&rest[..backslash]);
        rest = match &rest[backslash + 1..] {
            [b'\\', rest @ ..] => {
                bytes.push(b'\\');
                rest
            }
            [b'x', high, low, rest @ ..] => {
                bytes.push(hex_byte([*high, *low])?);
                rest
            }
            _ => return None,
        };
    }
    bytes.extend_from_slice(rest);
    Some(bytes)
}

/// Appends `bytes` as one cell of a CSV row, without a separator.
pub fn push_cell(row: &mut Vec<u8>, bytes: &[u8]) {
    if holds_for_all(bytes, is_plain_cell_byte) && !starts_formula(bytes) {
        row.extend_from_slice(bytes);
        return;
    }
    let text = escape(bytes);
    let guard = if starts_formula(text.as_bytes()) { "'" } else { "" };
    if text.contains(['"', ',']) {
        row.push(b'"');
        row.extend_from_slice(guard.as_bytes());
        row.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        row.push(b'"');
    } else {
        row.extend_from_slice(guard.as_bytes());
        row.extend_from_slice(text.as_bytes());
    }
}

/// The bytes of a cell that [`push_cell`] wrote, without the quotes of CSV.
pub fn unescape_cell(cell: &str) -> Option<Vec<u8>> {
    // A cell that begins with this sign always has been given one.
    unescape(cell.strip_prefix('\'').unwrap_or(cell))
}

fn is_harmless(c: char) -> bool {
    !(c == '\\' || is_unseen(c))
}

/// Whether a character steers what is seen, or is not seen itself: control characters, those of writing directions, separators of
/// lines, joiners and what else has no width and no sign. Two texts that look the same must be the same.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Whether something holds for every byte. It nearly always does: looking at all bytes, sixteen at a time, is faster than
/// looking for the first odd one.
#[inline(always)]
pub(crate) fn holds_for_all(bytes: &[u8], holds: impl Fn(u8) -> bool) -> bool {
    let all = |bytes: &[u8]| bytes.iter().fold(true, |all, &byte| all & holds(byte));
    match bytes.last_chunk::<16>() {
        // Some of the last sixteen are looked at twice, so that none are left over.
        Some(last) => all(bytes.as_chunks::<16>().0.as_flattened()) & all(last),
        None => bytes.iter().all(|&byte| holds(byte)),
    }
}

fn is_plain_cell_byte(byte: u8) -> bool {
    (byte.wrapping_sub(b' ') <= b'~' - b' ') & (byte != b'"') & (byte != b',') & (byte != b'\\')
}

fn starts_formula(cell: &[u8]) -> bool {
    matches!(cell.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\''))
}

fn push_char(escaped: &mut String, c: char) {
    match c {
        '\\' => escaped.push_str("\\\\"),
        c if is_harmless(c) => escaped.push(c),
        c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_byte(escaped, byte)),
    }
}

fn push_byte(escaped: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(escaped, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(bytes: &[u8]) -> String {
        let mut row = Vec::new();
        push_cell(&mut row, bytes);
        String::from_utf8(row).expect("cells are UTF-8")
    }

    #[test]
    fn escapes_what_could_do_harm() {
        assert_eq!(escape(b"AWSLogs/a b"), "AWSLogs/a b");
        assert_eq!(escape("naïve/日本".as_bytes()), "naïve/日本");
        assert_eq!(escape(b"a\x1b[31mb\n"), "a\\x1b[31mb\\x0a");
        assert_eq!(escape("\u{202e}gpj".as_bytes()), "\\xe2\\x80\\xaegpj");
        assert_eq!(escape("\u{85}".as_bytes()), "\\xc2\\x85");
        assert_eq!(escape(b"\xff\xc3\\"), "\\xff\\xc3\\\\");
    }

    #[test]
    fn the_escaped_form_decodes_to_the_same_bytes() {
        for pair in 0..=u16::MAX {
            let bytes = pair.to_be_bytes();
            assert_eq!(unescape(&escape(&bytes)).as_deref(), Some(&bytes[..]));
        }
        for bad in ["\\", "a\\b", "\\x", "\\x1", "\\xg0"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_odd_byte_is_found_wherever_it_stands() {
        for len in 1..70 {
            for at in 0..len {
                for odd in *b"\"\\\x1f\x7f\xff," {
                    let mut bytes = vec![b'a'; len];
                    assert!(holds_for_all(&bytes, is_plain_cell_byte));
                    bytes[at] = odd;
                    assert!(!holds_for_all(&bytes, is_plain_cell_byte), "{odd} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        assert_eq!(cell(b""), "");
        assert_eq!(cell(b"plain key"), "plain key");
        assert_eq!(cell(b"a,b"), "\"a,b\"");
        assert_eq!(cell(b"say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(cell(b"=1+1"), "'=1+1");
        assert_eq!(cell(b"-a,b"), "\"'-a,b\"");
        assert_eq!(cell(b"'a"), "''a");
        assert_eq!(cell(b"\t=1"), "\\x09=1");
        for bytes in [&b""[..], b"'", b"''=", b"=1", b"-rf", b"@\xff", b"\\x41", b"\n'"] {
            assert_eq!(unescape_cell(&cell(bytes)).as_deref(), Some(bytes));
        }
    }
}

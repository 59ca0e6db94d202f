//! Text files as systems write them: some shells redirect what a command prints as UTF-16, and mark that at the start.

use std::borrow::Cow;

/// A text in UTF-8 without a byte order mark. What is in another encoding than its mark says stays as it is, and makes no
/// sense to whoever reads it.
pub(crate) fn unicode(text: &[u8]) -> Cow<'_, [u8]> {
    match text {
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        [0xff, 0xfe, rest @ ..] => decoded(rest, u16::from_le_bytes).map_or(Cow::Borrowed(text), Cow::Owned),
        [0xfe, 0xff, rest @ ..] => decoded(rest, u16::from_be_bytes).map_or(Cow::Borrowed(text), Cow::Owned),
        _ => Cow::Borrowed(text),
    }
}

fn decoded(text: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Vec<u8>> {
    let (units, rest) = text.as_chunks::<2>();
    let text = String::from_utf16(&units.iter().map(|bytes| unit(*bytes)).collect::<Vec<_>>());
    text.ok().filter(|_| rest.is_empty()).map(String::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_any_unicode_are_read() {
        const TEXT: &str = "{\"k\": \"ü𝄞\"}\r\n";
        let utf16 = |bytes: fn(u16) -> [u8; 2]| TEXT.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let (little, big) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
        for encoded in [
            TEXT.as_bytes().to_vec(),
            [&[0xef, 0xbb, 0xbf], TEXT.as_bytes()].concat(),
            [&[0xff, 0xfe], &little[..]].concat(),
            [&[0xfe, 0xff], &big[..]].concat(),
        ] {
            assert_eq!(unicode(&encoded), TEXT.as_bytes());
        }
        for wrong in [&b"\xff\xfea"[..], b"\xff\xfe\x00\xd8", b"\xfe\xff\xd8\x00"] {
            assert_eq!(unicode(wrong), wrong, "an odd byte, half of a pair");
        }
    }
}

//! `%XX` for a byte: the keys of CSV inventories, and the rows of manifests.

use super::hex::hex_byte;
use super::holds_for_all;

/// Whether a form-encoded text differs from what it stands for.
#[inline]
pub fn is_form_encoded(encoded: &[u8]) -> bool {
    memchr::memchr2(b'%', b'+', encoded).is_some()
}

/// Appends the bytes that a key of a CSV inventory stands for: `+` is a space, `%XX` a byte.
///
/// Returns `false`, with an unspecified rest of the key appended, when a `%` is not followed by two hexadecimal digits.
#[must_use]
pub fn decode_form(encoded: &[u8], decoded: &mut Vec<u8>) -> bool {
    let mut rest = encoded;
    while let Some(at) = memchr::memchr2(b'%', b'+', rest) {
        decoded.extend_from_slice(&rest[..at]);
        if rest[at] == b'+' {
            decoded.push(b' ');
            rest = &rest[at + 1..];
            continue;
        }
        let Some(byte) = rest[at + 1..].first_chunk().and_then(|digits| hex_byte(*digits)) else { return false };
        decoded.push(byte);
        rest = &rest[at + 3..];
    }
    decoded.extend_from_slice(rest);
    true
}

/// Appends what `encoded` stands for: `%XX` is a byte, every other byte is itself. Says no where a `%` begins nothing.
pub(crate) fn decode_percent(mut encoded: &[u8], decoded: &mut Vec<u8>) -> bool {
    while let Some(at) = memchr::memchr(b'%', encoded) {
        decoded.extend_from_slice(&encoded[..at]);
        let Some((digits, rest)) = encoded[at + 1..].split_first_chunk() else { return false };
        let Some(byte) = hex_byte(*digits) else { return false };
        decoded.push(byte);
        encoded = rest;
    }
    decoded.extend_from_slice(encoded);
    true
}

/// Appends bytes, of which all but a few that stand for themselves everywhere become `%XX`.
pub(crate) fn push_percent_encoded(text: &mut Vec<u8>, mut bytes: &[u8]) {
    // Most names need nothing of the kind.
    if holds_for_all(bytes, stands_for_itself) {
        return text.extend_from_slice(bytes);
    }
    while let Some(at) = bytes.iter().position(|&byte| !stands_for_itself(byte)) {
        let (plain, rest) = bytes.split_at(at);
        text.extend_from_slice(plain);
        let digit = |value: u8| b"0123456789ABCDEF"[usize::from(value)];
        text.extend_from_slice(&[b'%', digit(rest[0] >> 4), digit(rest[0] & 15)]);
        bytes = &rest[1..];
    }
    text.extend_from_slice(bytes);
}

fn stands_for_itself(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // From '-' to '9' there are only these three signs and the digits.
    is_letter | (byte.wrapping_sub(b'-') < 13) | (byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let signs = b"-_./";
        assert!(
            (0..=255)
                .all(|byte: u8| stands_for_itself(byte) == (byte.is_ascii_alphanumeric() || signs.contains(&byte)))
        );
        for pair in 0..=u16::MAX {
            let bytes = pair.to_be_bytes();
            let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
            push_percent_encoded(&mut encoded, &bytes);
            assert!(encoded.iter().all(|byte| stands_for_itself(*byte) || *byte == b'%'));
            assert!(decode_form(&encoded, &mut decoded));
            assert_eq!(decoded, bytes);
        }
    }

    #[test]
    fn form_encoding_is_undone() {
        let decode = |text: &str| {
            let mut decoded = Vec::new();
            decode_form(text.as_bytes(), &mut decoded).then_some(decoded)
        };
        assert_eq!(decode("a+b%2Bc%7e/%C3%A9"), Some("a b+c~/é".as_bytes().to_vec()));
        assert_eq!(decode("%ff"), Some(vec![0xff]));
        for bad in ["%", "%4", "%zz", "a%+1", "%2"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}

//! Two hexadecimal digits for a byte.

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// So many bytes from twice as many hexadecimal digits.
pub(crate) fn parse_hex<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    let digits = text.as_bytes();
    if digits.len() != 2 * LEN {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = hex_byte(*pair)?;
    }
    Some(bytes)
}

/// The byte that two digits stand for. A digest has more than a thousand of them: each is looked up.
#[inline]
pub(crate) fn hex_byte([high, low]: [u8; 2]) -> Option<u8> {
    let (high, low) = (HEX[usize::from(high)], HEX[usize::from(low)]);
    if high | low < 16 { Some(high << 4 | low) } else { None }
}

/// The value of each digit, and 16 for what is none.
const HEX: [u8; 256] = {
    let (mut values, mut digit) = ([16; 256], 0);
    while digit < 16 {
        values[b"0123456789abcdef"[digit] as usize] = digit as u8;
        values[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_and_nothing_else_is_one() {
        let bytes: Vec<u8> = (0..=255).collect();
        let all: [u8; 256] = bytes.clone().try_into().expect("256 bytes");
        assert_eq!(parse_hex(&hex(&bytes)), Some(all));
        assert_eq!(parse_hex(&hex(&bytes).to_uppercase()), Some(all));
        for bad in ["0", "0g", "g0", "+1", "000"] {
            assert_eq!(parse_hex::<1>(bad), None, "{bad}");
        }
    }
}

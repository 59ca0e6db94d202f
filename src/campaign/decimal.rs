//! Exact numbers: prices as they are written, and money that is computed from them without floating point.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::words::grouped;

/// Digits behind the point that a price may have.
const DECIMALS: usize = 9;
const ONE: u64 = 10_u64.pow(DECIMALS as u32);
/// Digits in front of the point that a price may have.
const MAX_WHOLE_DIGITS: usize = 10;

/// A number that is not negative, with up to ten digits in front of the point and nine behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(u64);

/// An amount of money, in billionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(u128);

impl Decimal {
    /// Reads plain decimal notation: digits, and maybe a point with more digits behind it.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        if whole.len() > MAX_WHOLE_DIGITS || fraction.len() > DECIMALS {
            return None;
        }
        // At most 19 digits that are less than 10^19, which fit.
        format!("{whole}{fraction:0<DECIMALS$}").parse().ok().map(Self)
    }

    /// The number, if it has nothing behind the point.
    pub fn as_whole(self) -> Option<u64> {
        self.0.is_multiple_of(ONE).then_some(self.0 / ONE)
    }

    /// So many times this number, rounded up to a whole one.
    pub fn times(self, number: u128) -> u128 {
        number.saturating_mul(self.0.into()).div_ceil(ONE.into())
    }

    /// What so many things cost when this is the price of `per` of them.
    pub fn price_of(self, number: u128, per: u128) -> Usd {
        Usd(number.saturating_mul(self.0.into()) / per)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (grouped((self.0 / ONE).into()), format!("{:0>DECIMALS$}", self.0 % ONE));
        match fraction.trim_end_matches('0') {
            "" => f.write_str(&whole),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

impl Usd {
    /// Adds, and stops at the largest amount.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// For people: cents, and never nothing for something.
    pub fn rounded(self) -> String {
        let cents = rounded_to(self.0, ONE / 100);
        match cents {
            0 if self.0 > 0 => "<0.01".to_owned(),
            cents => format!("{}.{:02}", grouped(cents / 100), cents % 100),
        }
    }
}

/// With six digits behind the point, always.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millionths = rounded_to(self.0, ONE / 1_000_000);
        write!(f, "{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
    }
}

/// As text: programs that read numbers as floating point would change it.
impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn rounded_to(number: u128, unit: u64) -> u128 {
    number.saturating_add(u128::from(unit) / 2) / u128::from(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("a number: {text}"))
    }

    #[test]
    fn reads_what_is_written_and_writes_it_back() {
        for text in ["0", "0.005", "0.00099", "1.01", "5,368,709,120", "9,999,999,999.999999999"] {
            assert_eq!(decimal(&text.replace(',', "")).to_string(), text);
        }
        assert_eq!(decimal("000.500").to_string(), "0.5");
        assert_eq!(decimal("1.0000000000000").to_string(), "1");
    }

    #[test]
    fn refuses_what_is_no_plain_number() {
        for text in ["", ".", "1.", ".5", "-1", "-0", "+1", "1e3", "nan", "inf", "1_000", " 1", "1.2.3", "0x10"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse("0.0000000001"), None, "more digits than are kept");
        assert_eq!(Decimal::parse("10000000000"), None, "more digits than are kept");
    }

    #[test]
    fn money_is_exact() {
        let price = decimal("0.00099").price_of(1, 1);
        assert_eq!(price.to_string(), "0.000990");
        // A tenth added ten times is one, which is not so in floating point.
        let tenth = decimal("0.1").price_of(1, 1);
        let sum = (0..10).fold(Usd::default(), |sum, _| sum.plus(tenth));
        assert_eq!(sum, decimal("1").price_of(1, 1));
        assert_eq!(decimal("0.005").price_of(1_000_000, 1000).to_string(), "5.000000");
    }

    #[test]
    fn money_is_rounded_for_people() {
        let usd = |text: &str| decimal(text).price_of(1, 1).rounded();
        assert_eq!(usd("1234567.895"), "1,234,567.90");
        assert_eq!(usd("0.994"), "0.99");
        assert_eq!(usd("0.000001"), "<0.01");
        assert_eq!(usd("0"), "0.00");
    }

    #[test]
    fn large_numbers_stop_at_the_largest() {
        assert_eq!(decimal("999999999").price_of(u128::MAX, 1), Usd(u128::MAX));
        assert_eq!(decimal("2").times(u128::MAX), u128::MAX / u128::from(ONE) + 1);
    }
}

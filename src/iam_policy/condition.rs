//! Conditions of statements, with three values.
//!
//! Rules of the IAM user guide: keys have no case; several values are alternatives, and a negated operator wants none of
//! them; on a key that the request lacks, a positive operator is false, a negated one and `...IfExists` are true, and
//! `ForAllValues:` is true, `ForAnyValue:` false. What a rule does not settle is unknown.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;

use super::document::Version;
use super::facts::{Fact, Possible};
use super::pattern::{Expanded, Pattern, Variable};
use super::truth::Truth;

/// One condition: an operator, a key and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// How to compare.
    pub operator: Operator,
    /// The condition key, as written.
    pub key: String,
    /// What to compare with.
    pub values: Vec<String>,
}

/// An operator, such as `ForAnyValue:StringNotLikeIfExists`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// As written.
    pub name: String,
    /// How values of the request are taken together.
    pub set: Option<SetOperator>,
    /// What it compares; `None` for an operator that is not known.
    pub comparison: Option<Comparison>,
    /// Whether it is the negation of its comparison.
    pub negated: bool,
    /// Whether it ends in `IfExists`.
    pub if_exists: bool,
}

/// `ForAllValues:` and `ForAnyValue:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of IAM")]
pub enum SetOperator {
    ForAllValues,
    ForAnyValue,
}

/// What an operator compares, not negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of IAM")]
pub enum Comparison {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    BinaryEquals,
    IpAddress,
    /// `ArnLike` and `ArnEquals`, which are the same.
    ArnLike,
    Null,
}

/// How numbers and times are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of IAM")]
pub enum Order {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Operator {
    /// Reads an operator. A policy that AWS accepted has no other cases than AWS understands, so case is not looked at.
    pub fn new(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let (set, rest) = match lower.split_once(':') {
            Some(("forallvalues", rest)) => (Some(SetOperator::ForAllValues), rest),
            Some(("foranyvalue", rest)) => (Some(SetOperator::ForAnyValue), rest),
            _ => (None, lower.as_str()),
        };
        let (rest, if_exists) = match rest.strip_suffix("ifexists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (comparison, negated) = match comparison(rest) {
            // Null already asks whether the key is there.
            Some((Comparison::Null, _)) if if_exists || set.is_some() => (None, false),
            Some((comparison, negated)) => (Some(comparison), negated),
            None => (None, false),
        };
        Self { name: name.to_owned(), set, comparison, negated, if_exists }
    }
}

fn comparison(name: &str) -> Option<(Comparison, bool)> {
    Some(match name {
        "stringequals" => (Comparison::StringEquals, false),
        "stringnotequals" => (Comparison::StringEquals, true),
        "stringequalsignorecase" => (Comparison::StringEqualsIgnoreCase, false),
        "stringnotequalsignorecase" => (Comparison::StringEqualsIgnoreCase, true),
        "stringlike" => (Comparison::StringLike, false),
        "stringnotlike" => (Comparison::StringLike, true),
        "arnlike" | "arnequals" => (Comparison::ArnLike, false),
        "arnnotlike" | "arnnotequals" => (Comparison::ArnLike, true),
        "bool" => (Comparison::Bool, false),
        "binaryequals" => (Comparison::BinaryEquals, false),
        "ipaddress" => (Comparison::IpAddress, false),
        "notipaddress" => (Comparison::IpAddress, true),
        "null" => (Comparison::Null, false),
        _ => {
            let (kind, rest): (fn(Order) -> Comparison, _) = match name.strip_prefix("numeric") {
                Some(rest) => (Comparison::Numeric, rest),
                None => (Comparison::Date, name.strip_prefix("date")?),
            };
            let (order, negated) = order(rest)?;
            (kind(order), negated)
        }
    })
}

fn order(name: &str) -> Option<(Order, bool)> {
    Some(match name {
        "equals" => (Order::Equals, false),
        "notequals" => (Order::Equals, true),
        "lessthan" => (Order::LessThan, false),
        "lessthanequals" => (Order::LessThanEquals, false),
        "greaterthan" => (Order::GreaterThan, false),
        "greaterthanequals" => (Order::GreaterThanEquals, false),
        _ => return None,
    })
}

impl Order {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equals => ordering.is_eq(),
            Self::LessThan => ordering.is_lt(),
            Self::LessThanEquals => ordering.is_le(),
            Self::GreaterThan => ordering.is_gt(),
            Self::GreaterThanEquals => ordering.is_ge(),
        }
    }
}

impl Condition {
    /// Whether the condition holds. `fact` says what is known of a key.
    pub fn holds(&self, version: &Version, fact: &mut dyn FnMut(&str) -> Fact) -> Truth {
        let of_key = fact(&self.key);
        self.holds_for(&of_key, version, fact)
    }

    /// As [`Self::holds`], where the fact of its own key is this one.
    pub(super) fn holds_for(&self, of_key: &Fact, version: &Version, fact: &mut dyn FnMut(&str) -> Fact) -> Truth {
        let Some(comparison) = self.operator.comparison.filter(|_| !self.values.is_empty()) else {
            return Truth::Unknown;
        };
        let if_present = |fact: &mut dyn FnMut(&str) -> Fact| match comparison {
            Comparison::Null => self.holds_for_null(Presence::of(&of_key.value)),
            _ => self.holds_for_value(comparison, &of_key.value, version, fact),
        };
        match (&of_key.value, of_key.may_be_absent) {
            (Possible::Nothing, _) => self.holds_if_absent(comparison),
            (_, false) => if_present(fact),
            (_, true) => self.holds_if_absent(comparison).join(if_present(fact)),
        }
    }

    fn holds_if_absent(&self, comparison: Comparison) -> Truth {
        let operator = &self.operator;
        match operator.set {
            _ if comparison == Comparison::Null => self.holds_for_null(Presence::Absent),
            Some(SetOperator::ForAllValues) => Truth::True,
            // Whether IfExists makes up for the missing values is not documented.
            Some(SetOperator::ForAnyValue) if operator.if_exists => Truth::Unknown,
            Some(SetOperator::ForAnyValue) => Truth::False,
            None => (operator.if_exists || operator.negated).into(),
        }
    }

    fn holds_for_null(&self, presence: Presence) -> Truth {
        Truth::any(self.values.iter().map(|value| match (parse_bool(value), presence) {
            (Some(wanted), Presence::Absent) => wanted.into(),
            (Some(wanted), Presence::Present) => (!wanted).into(),
            _ => Truth::Unknown,
        }))
    }

    fn holds_for_value(
        &self,
        comparison: Comparison,
        value: &Possible,
        version: &Version,
        fact: &mut dyn FnMut(&str) -> Fact,
    ) -> Truth {
        let wanted: Vec<Expanded> = self.values.iter().map(|text| wanted(comparison, text, version, fact)).collect();
        // What stands for a variable without a value takes more than it: that it matches is never sure.
        let any = |matches: &dyn Fn(&Pattern) -> Truth| {
            let matched = Truth::any(wanted.iter().map(|wanted| match matches(&wanted.pattern) {
                matched if wanted.unresolved => matched.at_most_unknown(),
                matched => matched,
            }));
            if self.operator.negated { !matched } else { matched }
        };
        let one = |value: &Pattern| any(&|wanted| compare(comparison, wanted, value));
        let truth = match value {
            Possible::Nothing => Truth::Unknown,
            Possible::Anything => self.unless_empty(one(&Pattern::anything())),
            Possible::Unlike(patterns) => {
                let spared: Vec<Pattern> = patterns.iter().map(|pattern| Pattern::new(pattern)).collect();
                any(&|wanted| compare_unlike(comparison, wanted, &spared))
            }
            Possible::Like(patterns) => same(patterns.iter().map(|pattern| one(&Pattern::new(pattern)))),
            Possible::Values(values) => self.over_values(values, &one),
        };
        // A statement with a variable that has no value may be invalid.
        if wanted.iter().any(|wanted| wanted.unresolved) { truth.at_most_unknown() } else { truth }
    }

    /// The same, unless the values may be empty and that would count as none at all.
    fn unless_empty(&self, truth: Truth) -> Truth {
        match self.operator.set {
            Some(SetOperator::ForAllValues) => truth.join(Truth::True),
            Some(SetOperator::ForAnyValue) => truth.join(Truth::False),
            None => truth,
        }
    }

    fn over_values(&self, values: &[String], one: &dyn Fn(&Pattern) -> Truth) -> Truth {
        let each = || values.iter().map(|value| one(&Pattern::literal(value)));
        let truth = match self.operator.set {
            Some(SetOperator::ForAllValues) => Truth::all(each()),
            Some(SetOperator::ForAnyValue) => Truth::any(each()),
            // Several values want a set operator; without one, AWS does not say what happens.
            None => same(each()),
        };
        if values.iter().all(|value| value.is_empty()) { self.unless_empty(truth) } else { truth }
    }
}

/// Whether a key is there.
#[derive(Clone, Copy)]
enum Presence {
    Absent,
    Present,
    Unclear,
}

impl Presence {
    fn of(value: &Possible) -> Self {
        match value {
            Possible::Nothing => Self::Absent,
            Possible::Values(values) if values.iter().all(|value| value.is_empty()) => Self::Unclear,
            _ => Self::Present,
        }
    }
}

/// The answer that all have in common.
fn same(truths: impl Iterator<Item = Truth>) -> Truth {
    truths.reduce(Truth::join).unwrap_or(Truth::Unknown)
}

/// A value of a policy as a pattern; wildcards and variables only where the operator has them.
fn wanted(comparison: Comparison, text: &str, version: &Version, fact: &mut dyn FnMut(&str) -> Fact) -> Expanded {
    let wildcards = matches!(comparison, Comparison::StringLike | Comparison::ArnLike);
    let text_operator = wildcards
        || matches!(comparison, Comparison::StringEquals | Comparison::StringEqualsIgnoreCase | Comparison::Bool);
    let mut expanded = expand(text, wildcards, version, fact);
    if !text_operator && text.contains("${") {
        expanded.unresolved = true;
    }
    expanded
}

/// A text of a policy, with its variables resolved.
pub(super) fn expand(text: &str, wildcards: bool, version: &Version, fact: &mut dyn FnMut(&str) -> Fact) -> Expanded {
    match version {
        _ if !text.contains("${") => plain(text, wildcards),
        Version::V2008 => plain(text, wildcards),
        Version::V2012 => Pattern::expand(text, wildcards, |name| variable(&fact(name))),
        Version::Unknown(_) => Pattern::expand(text, wildcards, |_| Variable::Unknown),
    }
}

fn plain(text: &str, wildcards: bool) -> Expanded {
    let pattern = if wildcards { Pattern::new(text) } else { Pattern::literal(text) };
    Expanded { pattern, unresolved: false }
}

fn variable(fact: &Fact) -> Variable {
    match (&fact.value, fact.may_be_absent) {
        (Possible::Nothing, _) => Variable::Absent,
        (Possible::Values(values), false) if values.len() == 1 => Variable::Value(values[0].clone()),
        _ => Variable::Unknown,
    }
}

/// Compares one value of the policy with what one value of the request may be.
fn compare(comparison: Comparison, wanted: &Pattern, value: &Pattern) -> Truth {
    match comparison {
        Comparison::StringEquals | Comparison::StringLike => wanted.matches_all(value),
        Comparison::StringEqualsIgnoreCase => wanted.folded().matches_all(&value.folded()),
        Comparison::ArnLike => wanted.matches_all_arns(value),
        _ => match (wanted.as_text(), value.as_text()) {
            (Some(wanted), Some(value)) => {
                compare_texts(comparison, &wanted, &value).map_or(Truth::Unknown, Truth::from)
            }
            _ => Truth::Unknown,
        },
    }
}

/// Compares one value of the policy with a value of the request that matches none of some patterns. Part by part or not, an ARN
/// matches no more than it does as a whole.
fn compare_unlike(comparison: Comparison, wanted: &Pattern, spared: &[Pattern]) -> Truth {
    let is_of_texts = match comparison {
        Comparison::StringEquals | Comparison::StringLike | Comparison::ArnLike => true,
        // In another case a text may be none of these.
        Comparison::StringEqualsIgnoreCase => *wanted == wanted.folded() && *wanted == wanted.raised(),
        _ => false,
    };
    match comparison {
        _ if is_of_texts && spared.iter().any(|pattern| pattern.covers(wanted)) => Truth::False,
        Comparison::StringLike if wanted.is_anything() => Truth::True,
        _ => Truth::Unknown,
    }
}

/// `None` where one of the texts is not of the type that the operator compares.
fn compare_texts(comparison: Comparison, wanted: &str, value: &str) -> Option<bool> {
    match comparison {
        Comparison::Numeric(order) => compare_numbers(value, wanted).map(|ordering| order.holds(ordering)),
        Comparison::Date(order) => Some(order.holds(parse_date(value)?.cmp(&parse_date(wanted)?))),
        Comparison::Bool => Some(parse_bool(wanted)? == parse_bool(value)?),
        Comparison::BinaryEquals => Some(decode_base64(wanted)? == decode_base64(value)?),
        Comparison::IpAddress => Network::parse(wanted)?.contains(value.parse().ok()?),
        _ => None,
    }
}

pub(super) fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The decimal digits that no double rounds.
const DIGITS_OF_A_DOUBLE: usize = 15;

/// Whole numbers exactly, others as far as a double goes.
fn compare_numbers(a: &str, b: &str) -> Option<Ordering> {
    if let (Ok(a), Ok(b)) = (a.parse::<i128>(), b.parse::<i128>()) {
        return Some(a.cmp(&b));
    }
    let parse = |text: &str| {
        let decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        text.parse::<f64>().ok().filter(|number| decimal && number.is_finite())
    };
    let (a_number, b_number) = (parse(a)?, parse(b)?);
    // Doubles that look equal may have been rounded.
    let surely_differs = (a_number - b_number).abs() > (a_number.abs() + b_number.abs()) * 1e-12;
    let surely_equal = a_number == b_number && a.len().max(b.len()) <= DIGITS_OF_A_DOUBLE;
    if surely_differs || surely_equal { a_number.partial_cmp(&b_number) } else { None }
}

/// A point in time, in nanoseconds since 1970: seconds of the epoch, a day, or a day with a time and a zone.
fn parse_date(text: &str) -> Option<i128> {
    const NANOS: i128 = 1_000_000_000;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Four digits may be a year, more than eleven may be milliseconds.
        return text.parse::<i128>().ok().filter(|_| (5..=11).contains(&text.len())).map(|seconds| seconds * NANOS);
    }
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let midnight = i128::from(parse_day(day)?) * 86_400 * NANOS;
    Some(midnight + time.map_or(Some(0), parse_time)?)
}

/// Days since 1970, from `YYYY-MM-DD`.
fn parse_day(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    Some(years + months + day - 1)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Nanoseconds since midnight in UTC, from `hh:mm[:ss[.fraction]]` and `Z` or `+hh:mm`.
fn parse_time(text: &str) -> Option<i128> {
    const NANOS: i128 = 1_000_000_000;
    let zone_at = text.find(['Z', '+', '-'])?;
    let (clock, zone) = text.split_at(zone_at);
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, parse_fraction(fraction)?),
        None => (clock, 0),
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = hour * 3600 + minute * 60 + second - parse_zone(zone)?;
    Some(i128::from(seconds) * NANOS + i128::from(fraction))
}

/// The seconds that a zone is ahead of UTC.
fn parse_zone(text: &str) -> Option<i64> {
    let (sign, offset) = match text.split_at_checked(1)? {
        ("Z", "") => return Some(0),
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours <= 14 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

fn parse_fraction(text: &str) -> Option<i64> {
    let whole = digits(text, text.len()).filter(|_| (1..=9).contains(&text.len()))?;
    Some((text.len()..9).fold(whole, |nanos, _| nanos * 10))
}

fn digits(text: &str, len: usize) -> Option<i64> {
    let exact = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| exact)
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// A range of addresses.
pub(super) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(width), |bits| bits.parse().ok()).filter(|bits| *bits <= width)?;
        Some(Self { address, bits })
    }

    /// How many times the widest network that S3 does not take for the public.
    pub(super) fn share(&self) -> f64 {
        let widest = if self.address.is_ipv4() { 8 } else { 32 };
        2_f64.powi(widest - i32::from(self.bits))
    }

    /// Whether S3 takes it for the public: it is wider than anybody has.
    pub(super) fn is_public(&self) -> bool {
        self.bits < if self.address.is_ipv4() { 8 } else { 32 }
    }

    /// `None` for an address of one kind written as the other.
    fn contains(&self, address: IpAddr) -> Option<bool> {
        let same_bits = |a: u128, b: u128, width: u32| {
            let shift = width - u32::from(self.bits);
            a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
        };
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => Some(same_bits(a.to_bits().into(), b.to_bits().into(), 32)),
            (IpAddr::V6(a), IpAddr::V6(b)) => Some(same_bits(a.to_bits(), b.to_bits(), 128)),
            (IpAddr::V4(_), IpAddr::V6(v6)) | (IpAddr::V6(v6), IpAddr::V4(_)) => {
                if v6.to_ipv4().is_some() {
                    None
                } else {
                    Some(false)
                }
            }
        }
    }
}

//! Conditions in words.

use super::condition::{Comparison, Condition, Order, SetOperator};

/// The values that a sentence names.
const VALUES_NAMED: usize = 5;

/// When a statement with these conditions applies, such as `only if kms:ViaService is s3.us-east-1.amazonaws.com`; empty
/// without conditions.
pub fn in_words(conditions: &[Condition]) -> String {
    match conditions {
        [] => String::new(),
        conditions => format!("only if {}", clauses(conditions)),
    }
}

/// The conditions, without a word before them.
pub(super) fn clauses<'c>(conditions: impl IntoIterator<Item = &'c Condition>) -> String {
    conditions.into_iter().map(clause).collect::<Vec<_>>().join(" and ")
}

fn clause(condition: &Condition) -> String {
    let Condition { operator, key, values } = condition;
    let Some(comparison) = operator.comparison else {
        return format!("{} of {key} holds for {}, which is not understood", operator.name, list(values, "or"));
    };
    if comparison == Comparison::Null {
        return null_clause(key, values);
    }
    let verb = verb(comparison, operator.negated, values.len());
    let values = list(values, if operator.negated { "nor" } else { "or" });
    let absent = if operator.if_exists { " or is absent" } else { "" };
    match operator.set {
        None => format!("{key} {verb} {values}{absent}"),
        Some(SetOperator::ForAnyValue) => format!("a value of {key} {verb} {values}{absent}"),
        Some(SetOperator::ForAllValues) => format!("every value of {key}, if it has any, {verb} {values}"),
    }
}

fn null_clause(key: &str, values: &[String]) -> String {
    match values {
        [value] if value.eq_ignore_ascii_case("true") => format!("{key} is absent"),
        [value] if value.eq_ignore_ascii_case("false") => format!("{key} is present"),
        values => format!("the absence of {key} is {}", list(values, "or")),
    }
}

fn verb(comparison: Comparison, negated: bool, values: usize) -> &'static str {
    let several = values > 1;
    match (comparison, negated) {
        (Comparison::StringEquals | Comparison::BinaryEquals | Comparison::Bool, false) => "is",
        (Comparison::StringEquals | Comparison::BinaryEquals | Comparison::Bool, true) if several => "is neither",
        (Comparison::StringEquals | Comparison::BinaryEquals | Comparison::Bool, true) => "is not",
        (Comparison::StringEqualsIgnoreCase, false) => "is, in any case,",
        (Comparison::StringEqualsIgnoreCase, true) if several => "is, in any case, neither",
        (Comparison::StringEqualsIgnoreCase, true) => "is, in any case, not",
        (Comparison::StringLike | Comparison::ArnLike, false) => "is like",
        (Comparison::StringLike | Comparison::ArnLike, true) if several => "is like neither",
        (Comparison::StringLike | Comparison::ArnLike, true) => "is not like",
        (Comparison::IpAddress, false) => "is in",
        (Comparison::IpAddress, true) if several => "is in neither",
        (Comparison::IpAddress, true) => "is not in",
        (Comparison::Numeric(Order::Equals), false) => "is the number",
        (Comparison::Numeric(Order::Equals), true) if several => "is neither the number",
        (Comparison::Numeric(Order::Equals), true) => "is not the number",
        (Comparison::Numeric(Order::LessThan), _) => "is less than",
        (Comparison::Numeric(Order::LessThanEquals), _) => "is at most",
        (Comparison::Numeric(Order::GreaterThan), _) => "is greater than",
        (Comparison::Numeric(Order::GreaterThanEquals), _) => "is at least",
        (Comparison::Date(Order::Equals), false) => "is the time",
        (Comparison::Date(Order::Equals), true) if several => "is neither the time",
        (Comparison::Date(Order::Equals), true) => "is not the time",
        (Comparison::Date(Order::LessThan), _) => "is before",
        (Comparison::Date(Order::LessThanEquals), _) => "is not after",
        (Comparison::Date(Order::GreaterThan), _) => "is after",
        (Comparison::Date(Order::GreaterThanEquals), _) => "is not before",
        (Comparison::Null, _) => "is",
    }
}

/// Values, as in a sentence; the rest of a long list is counted.
fn list(values: &[String], word: &str) -> String {
    let shown = |value: &String| if value.is_empty() { "\"\"".to_owned() } else { value.clone() };
    let (last, before) = match values {
        [] => return "nothing".to_owned(),
        [one] => return shown(one),
        [before @ .., last] if values.len() <= VALUES_NAMED => (shown(last), before),
        values => (format!("{} others", values.len() - VALUES_NAMED), &values[..VALUES_NAMED]),
    };
    let before: Vec<String> = before.iter().map(shown).collect();
    format!("{} {word} {last}", before.join(", "))
}

//! Prices and quotas: TOML to [`Prices`], with the line and column of whatever is wrong.
//!
//! Every number has a name, which is its path in the file: `class.GLACIER.copy_per_1000`. Estimates ask for numbers by name
//! and say which ones they used; one that is not in the file is unknown. Numbers are kept as they are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::decimal::Decimal;
use crate::escape::escape;
use crate::remediation::StorageClass;

/// Prices and quotas that have been checked.
#[derive(Clone, Debug)]
pub struct Prices {
    /// When they were put together, `YYYY-MM-DD`.
    pub date: String,
    /// The Region whose prices they are; empty when the file does not say.
    pub region: String,
    /// Where they are from.
    pub source: String,
    /// The numbers, by name.
    lines: BTreeMap<String, Decimal>,
    /// The names of numbers that nobody has published.
    assumptions: BTreeSet<String>,
}

/// Everything that is wrong with a file of prices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("; "))]
pub struct PricesError {
    /// In the order of the file; at least one.
    pub mistakes: Vec<Mistake>,
}

/// Something that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// From 1 on.
    pub line: usize,
    /// In characters, from 1 on.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

/// What a number may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Anything that is not negative.
    Any,
    /// A whole number.
    Whole,
    /// A whole number other than nought: something is divided by it.
    Divisor,
}

/// The numbers that there are; `CLASS`, `TIER` and `REGION` stand for those of S3.
const LINES: [(&str, Kind); 28] = [
    ("batch_operations.per_job", Kind::Any),
    ("batch_operations.per_million_objects", Kind::Any),
    ("update_encryption.per_1000", Kind::Any),
    ("s3.requests_per_second_per_prefix", Kind::Divisor),
    ("s3.restores_per_second", Kind::Divisor),
    ("multipart.smallest_part_bytes", Kind::Divisor),
    ("multipart.largest_part_bytes", Kind::Divisor),
    ("kms.per_10000", Kind::Any),
    ("kms.update.low", Kind::Any),
    ("kms.update.high", Kind::Any),
    ("kms.update_with_bucket_key.low", Kind::Any),
    ("kms.update_with_bucket_key.high", Kind::Any),
    ("kms.copy.low", Kind::Any),
    ("kms.copy.high", Kind::Any),
    ("kms.copy_with_bucket_key.low", Kind::Any),
    ("kms.copy_with_bucket_key.high", Kind::Any),
    ("kms.copy_to_sse_s3.low", Kind::Any),
    ("kms.copy_to_sse_s3.high", Kind::Any),
    ("kms.requests_per_second.default", Kind::Divisor),
    ("kms.requests_per_second.REGION", Kind::Divisor),
    ("class.CLASS.copy_per_1000", Kind::Any),
    ("class.CLASS.retrieval_per_gb", Kind::Any),
    ("class.CLASS.storage_per_gb_month", Kind::Any),
    ("class.CLASS.minimum_days", Kind::Whole),
    ("class.CLASS.billed_extra_bytes", Kind::Whole),
    ("class.CLASS.restore.TIER.per_1000", Kind::Any),
    ("class.CLASS.restore.TIER.per_gb", Kind::Any),
    ("class.CLASS.restore.TIER.hours", Kind::Whole),
];

/// The ends of names that bound the same thing: the first is not more than the second.
const PAIRS: [(&str, &str); 2] = [(".low", ".high"), (".smallest_part_bytes", ".largest_part_bytes")];

impl Prices {
    /// The file that is used when no other is given.
    pub const BUILT_IN: &str = include_str!("prices.toml");

    /// What [`Self::BUILT_IN`] says.
    pub fn built_in() -> Result<Self, PricesError> {
        Self::parse(Self::BUILT_IN)
    }

    /// Reads and checks a file of prices.
    pub fn parse(text: &str) -> Result<Self, PricesError> {
        let mut reader = Reader { text, ..Reader::default() };
        match DeTable::parse(text) {
            Ok(file) => reader.file(file.get_ref()),
            Err(error) => {
                reader.wrong(error.span().unwrap_or_default(), error.message().trim().replace('\n', "; "));
            }
        }
        reader.finish()
    }

    /// The number of that name.
    pub(super) fn get(&self, name: &str) -> Option<Decimal> {
        self.lines.get(name).copied()
    }

    /// Whether nobody has published the number of that name.
    pub(super) fn is_assumption(&self, name: &str) -> bool {
        self.assumptions.contains(name)
    }
}

/// What has been read, and what is wrong with it.
#[derive(Default)]
struct Reader<'t> {
    text: &'t str,
    date: Option<String>,
    region: String,
    source: Option<String>,
    lines: BTreeMap<String, (Decimal, Range<usize>)>,
    assumptions: BTreeMap<String, Range<usize>>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn wrong(&mut self, span: Range<usize>, message: impl Into<String>) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        self.mistakes.push(Mistake { line, column, message: message.into() });
    }

    fn file(&mut self, file: &DeTable<'_>) {
        for (key, value) in file {
            match key.get_ref().as_ref() {
                "date" => self.date(value),
                "region" => self.region = self.string(value).unwrap_or_default(),
                "source" => self.source = self.string(value).or(Some(String::new())),
                "assumptions" => self.assumptions(value),
                _ => self.entry(&mut Vec::new(), key, value),
            }
        }
        for (field, is_there) in [("date", self.date.is_some()), ("source", self.source.is_some())] {
            if !is_there {
                self.wrong(0..0, format!("missing field `{field}`"));
            }
        }
        self.check_assumptions();
        self.check_pairs();
    }

    fn date(&mut self, value: &Spanned<DeValue<'_>>) {
        let date = value.get_ref().as_datetime().filter(|moment| moment.time.is_none() && moment.offset.is_none());
        if date.is_none() {
            self.wrong(value.span(), "not a date (2026-01-31)");
        }
        self.date = Some(date.map(ToString::to_string).unwrap_or_default());
    }

    fn string(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = value.get_ref().as_str().map(str::trim).filter(|text| !text.is_empty());
        if text.is_none() {
            self.wrong(value.span(), "not a text, or an empty one");
        }
        text.map(str::to_owned)
    }

    fn assumptions(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(names) = value.get_ref().as_array() else {
            return self.wrong(value.span(), "not a list of names");
        };
        for name in names {
            if let Some(text) = self.string(name) {
                self.assumptions.insert(text, name.span());
            }
        }
    }

    /// A number, or a table of them.
    fn entry<'k>(&mut self, path: &mut Vec<&'k str>, key: &'k Spanned<DeString<'_>>, value: &'k Spanned<DeValue<'_>>) {
        path.push(key.get_ref().as_ref());
        match (find(path), value.get_ref().as_table()) {
            (Some(Named::Table), Some(table)) => {
                table.iter().for_each(|(key, value)| self.entry(path, key, value));
            }
            (Some(Named::Table), None) => self.wrong(value.span(), "not a table of prices"),
            (Some(Named::Number(kind)), _) => self.number(path.join("."), kind, value),
            (None, _) => {
                let name = path.join(".");
                self.wrong(key.span(), format!("unknown field `{}`", escape(name.as_bytes())));
            }
        }
        path.pop();
    }

    fn number(&mut self, name: String, kind: Kind, value: &Spanned<DeValue<'_>>) {
        let text = match value.get_ref() {
            DeValue::Float(float) => Some(float.as_str()),
            DeValue::Integer(integer) if integer.radix() == 10 => Some(integer.as_str()),
            _ => None,
        };
        let number = text.and_then(Decimal::parse);
        let message = match (number, kind) {
            (None, _) => "not a plain number: digits, not negative, up to ten before the point and nine behind it",
            (Some(number), Kind::Whole | Kind::Divisor) if number.as_whole().is_none() => "not a whole number",
            (Some(number), Kind::Divisor) if number.as_whole() == Some(0) => "must not be 0",
            (Some(number), _) => {
                self.lines.insert(name, (number, value.span()));
                return;
            }
        };
        self.wrong(value.span(), message);
    }

    fn check_assumptions(&mut self) {
        let unknown = |(name, _): &(&String, &Range<usize>)| !self.lines.contains_key(*name);
        let unknown: Vec<_> =
            self.assumptions.iter().filter(unknown).map(|(name, span)| (name.clone(), span.clone())).collect();
        for (name, span) in unknown {
            self.wrong(span, format!("no line has that name: {}", escape(name.as_bytes())));
        }
    }

    fn check_pairs(&mut self) {
        let mut wrong = Vec::new();
        for (low, high) in PAIRS {
            for (name, (number, _)) in self.lines.iter().filter(|(name, _)| name.ends_with(low)) {
                let other = self.lines.get(&name.replace(low, high));
                if let Some((other, span)) = other.filter(|(other, _)| other < number) {
                    wrong.push((span.clone(), format!("{other} is less than {name}, which is {number}")));
                }
            }
        }
        wrong.into_iter().for_each(|(span, message)| self.wrong(span, message));
    }

    fn finish(mut self) -> Result<Prices, PricesError> {
        let (Some(date), Some(source), true) = (self.date, self.source, self.mistakes.is_empty()) else {
            self.mistakes.sort();
            return Err(PricesError { mistakes: self.mistakes });
        };
        Ok(Prices {
            date,
            region: self.region,
            source,
            lines: self.lines.into_iter().map(|(name, (number, _))| (name, number)).collect(),
            assumptions: self.assumptions.into_keys().collect(),
        })
    }
}

/// What a path in the file leads to.
#[derive(Clone, Copy)]
enum Named {
    Table,
    Number(Kind),
}

fn find(path: &[&str]) -> Option<Named> {
    LINES.iter().find_map(|(pattern, kind)| {
        let mut parts = pattern.split('.');
        let begins = path.iter().all(|name| parts.next().is_some_and(|part| is_named(part, name)));
        begins.then(|| if parts.next().is_some() { Named::Table } else { Named::Number(*kind) })
    })
}

fn is_named(part: &str, name: &str) -> bool {
    match part {
        "CLASS" => StorageClass::ALL.iter().any(|class| *class != StorageClass::Other && class.as_str() == name),
        "TIER" => matches!(name, "STANDARD" | "BULK"),
        "REGION" => {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            name.contains('-') && name.bytes().all(is_plain)
        }
        part => part == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "date = 2026-01-31\nsource = \"a contract\"\n";

    fn mistakes(text: &str) -> Vec<(usize, usize, String)> {
        let error = Prices::parse(text).expect_err("the prices are wrong");
        error.mistakes.into_iter().map(|mistake| (mistake.line, mistake.column, mistake.message)).collect()
    }

    fn only_mistake(lines: &str) -> (usize, usize, String) {
        let mut found = mistakes(&format!("{HEAD}{lines}"));
        assert_eq!(found.len(), 1, "{lines}\n{found:?}");
        found.remove(0)
    }

    #[test]
    fn the_built_in_prices_are_those_that_were_published() {
        let prices = Prices::built_in().expect("prices");
        let number = |name: &str| prices.get(name).map(|number| number.to_string());
        for (name, expected) in [
            ("batch_operations.per_job", "0.25"),
            ("batch_operations.per_million_objects", "1"),
            ("update_encryption.per_1000", "0.005"),
            ("kms.per_10000", "0.03"),
            ("kms.requests_per_second.default", "10,000"),
            ("kms.requests_per_second.eu-west-1", "100,000"),
            ("class.DEEP_ARCHIVE.copy_per_1000", "0.05"),
            ("class.GLACIER.restore.STANDARD.per_1000", "0.05"),
            ("class.GLACIER_IR.retrieval_per_gb", "0.03"),
        ] {
            assert_eq!(number(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(number("class.OUTPOSTS.copy_per_1000"), None);
        assert!(prices.is_assumption("kms.update.high") && !prices.is_assumption("kms.per_10000"));
        assert_eq!((prices.date.as_str(), prices.region.as_str()), ("2026-11-22", "us-east-1"));
    }

    #[test]
    fn nothing_but_the_date_and_the_source_is_needed() {
        let prices = Prices::parse(HEAD).expect("prices");
        assert_eq!((prices.get("kms.per_10000"), prices.region.as_str()), (None, ""));
        assert_eq!(mistakes("").len(), 2);
    }

    #[test]
    fn numbers_are_plain_and_not_negative() {
        for bad in ["-0.03", "-0.0", "nan", "inf", "-inf", "+inf", "3e-2", "\"0.03\"", "0x3", "true", "[1]", "1e400"] {
            let (line, column, message) = only_mistake(&format!("[kms]\nper_10000 = {bad}\n"));
            assert_eq!((line, column), (4, 13), "{bad}");
            assert!(message.contains("not a plain number"), "{bad}: {message}");
        }
        let prices = Prices::parse(&format!("{HEAD}[kms]\nper_10000 = 0.030_0\n")).expect("prices");
        assert_eq!(prices.get("kms.per_10000"), Decimal::parse("0.03"));
    }

    #[test]
    fn what_divides_is_whole_and_not_nought() {
        assert_eq!(only_mistake("[s3]\nrestores_per_second = 0\n"), (4, 23, "must not be 0".into()));
        assert_eq!(only_mistake("[s3]\nrestores_per_second = 0.5\n"), (4, 23, "not a whole number".into()));
        assert_eq!(only_mistake("[class.GLACIER]\nminimum_days = 1.5\n").2, "not a whole number");
    }

    #[test]
    fn unknown_fields_are_refused_where_they_stand() {
        let unknown = |name: &str| format!("unknown field `{name}`");
        assert_eq!(only_mistake("[kmss]\nx = 1\n"), (3, 2, unknown("kmss")));
        assert_eq!(only_mistake("[kms]\nper_1000 = 1\n"), (4, 1, unknown("kms.per_1000")));
        assert_eq!(only_mistake("[class.STANDART]\n"), (3, 8, unknown("class.STANDART")));
        assert_eq!(only_mistake("[class.GLACIER.restore.EXPEDITED]\n").2, unknown("class.GLACIER.restore.EXPEDITED"));
        assert_eq!(only_mistake("[kms.requests_per_second]\nUS = 1\n").2, unknown("kms.requests_per_second.US"));
        assert_eq!(only_mistake("\"kms.per_10000\" = 1\n").2, unknown("kms.per_10000"));
        assert_eq!(only_mistake("\"\\u001b[2J\" = 1\n").2, unknown("\\x1b[2J"));
        assert_eq!(only_mistake("kms = 3\n"), (3, 7, "not a table of prices".into()));
    }

    #[test]
    fn every_mistake_is_told_in_order() {
        let found = mistakes("date = 2026-01-31T00:00:00Z\n[s3]\nx = 1\n[kms]\nper_10000 = -1\nassumptions = 1\n");
        let lines: Vec<usize> = found.iter().map(|mistake| mistake.0).collect();
        assert_eq!(lines, [1, 1, 3, 5, 6], "{found:?}");
        assert!(Prices::parse("date = 1 = 2\n").is_err_and(|error| error.to_string().starts_with("line 1, column ")));
        assert!(only_mistake("[kms]\nper_10000 = 1\nper_10000 = 2\n").2.contains("duplicate"));
    }

    #[test]
    fn bounds_and_assumptions_must_make_sense() {
        let (line, _, message) = only_mistake("[kms.copy]\nlow = 2\nhigh = 1\n");
        assert_eq!((line, message.as_str()), (5, "1 is less than kms.copy.low, which is 2"));
        let (line, _, message) = only_mistake("assumptions = [\n  \"kms.copy.low\",\n]\n");
        assert_eq!((line, message.as_str()), (4, "no line has that name: kms.copy.low"));
    }
}

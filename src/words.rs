//! Text for people: at most 80 columns wide, with numbers that can be read.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::escape::escape;

/// Whether the text goes to a terminal that shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    Plain,
    /// The outcome and the headings stand out.
    Coloured,
}

/// The columns of a terminal that texts are made for.
pub(crate) const WIDTH: usize = 80;

/// A text that grows line by line.
pub(crate) struct Text {
    text: String,
    style: Style,
}

impl Text {
    pub(crate) fn new(style: Style) -> Self {
        Self { text: String::new(), style }
    }

    pub(crate) fn into_string(self) -> String {
        self.text
    }

    /// The word that a text begins with, coloured, and a text that goes on below itself.
    pub(crate) fn headline(&mut self, word: &str, colour: &str, text: &str) -> fmt::Result {
        let from = self.text.len();
        self.indented(&format!("{word}  "), text)?;
        let coloured = self.coloured(&format!("1;{colour}"), word);
        self.text.replace_range(from..from + word.len(), &coloured);
        Ok(())
    }

    pub(crate) fn heading(&mut self, heading: &str) -> fmt::Result {
        let heading = self.coloured("1", heading);
        writeln!(self.text, "\n{heading}")
    }

    /// Objects, their share of others if they have one, and their bytes.
    pub(crate) fn amount(&mut self, name: &str, objects: u64, bytes: u64, of: Option<u64>) -> fmt::Result {
        let share = of.map(|of| percent(objects, of)).unwrap_or_default();
        writeln!(self.text, "  {name:16}{:>20} {share:>7} {:>12}", number(objects), size(bytes))
    }

    /// A label and a text that goes on below itself.
    pub(crate) fn wrapped(&mut self, label: &str, text: &str) -> fmt::Result {
        self.indented(&format!("{label:10}"), text)
    }

    pub(crate) fn item(&mut self, text: &str) -> fmt::Result {
        self.indented("  - ", text)
    }

    pub(crate) fn indented(&mut self, first: &str, text: &str) -> fmt::Result {
        let width = WIDTH - columns(first);
        wrap(&mut self.text, first, text.split(' ').flat_map(|word| broken(word, width)))
    }

    pub(crate) fn coloured(&self, code: &str, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.write_str(text)
    }
}

pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    escape(text.as_bytes())
}

pub(crate) fn shortened(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    format!("{}…", broken(text, width - 2).next().unwrap_or_default())
}

/// Appends words behind a beginning, and goes on below the first of them where a line is full.
pub(crate) fn wrap<'w>(text: &mut String, first: &str, words: impl Iterator<Item = &'w str>) -> fmt::Result {
    let indent = columns(first);
    let mut line = first.to_owned();
    for word in words {
        let used = columns(&line);
        if used > indent && used + 1 + columns(word) > WIDTH {
            writeln!(text, "{}", line.trim_end())?;
            line = " ".repeat(indent);
        } else if used > indent {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(text, "{}", line.trim_end())
}

/// How many columns a text takes in a terminal.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// A word in pieces that fit.
fn broken(word: &str, width: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(word);
    std::iter::from_fn(move || {
        let word = rest?;
        let mut used = 0;
        let end = word.char_indices().find(|(_, c)| {
            used += c.width().unwrap_or(0);
            used > width
        });
        let (piece, behind) = word.split_at(end.map_or(word.len(), |(at, _)| at));
        rest = (!behind.is_empty()).then_some(behind);
        Some(piece)
    })
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1234567` as `1,234,567`.
pub(crate) fn number(number: u64) -> String {
    grouped(number.into())
}

pub(crate) fn count(number_of: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(number_of), if number_of == 1 { one } else { many })
}

/// A share, never rounded to nothing or to everything.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        _ if part == 0 => "0 %".to_owned(),
        _ if part == whole => "100 %".to_owned(),
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent if percent > 99.9 => ">99.9 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_never_rounded_away() {
        assert_eq!(percent(1, 1_000_000), "<0.1 %");
        assert_eq!(percent(999_999, 1_000_000), ">99.9 %");
        assert_eq!(percent(0, 7), "0 %");
        assert_eq!(percent(7, 7), "100 %");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(0, 0), "-");
    }

    #[test]
    fn long_words_are_broken() {
        let pieces = |word| broken(word, 4).collect::<Vec<_>>();
        assert_eq!(pieces(""), [""]);
        assert_eq!(pieces("abcd"), ["abcd"]);
        assert_eq!(pieces("abcdefghi"), ["abcd", "efgh", "i"]);
        assert_eq!(pieces("日本語"), ["日本", "語"]);
    }

    #[test]
    fn numbers_and_sizes_are_readable() {
        assert_eq!(number(0), "0");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(size(u64::MAX), "16.0 EiB");
    }
}

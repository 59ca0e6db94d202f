//! Texts in files of their own, where people can read them: cut into parts, with placeholders.
//!
//! A part begins below the line that names it, `<!-- name -->` in Markdown and `#-- name` in a script of the shell, and
//! ends at the next such line. `{placeholder}` stands for a value. The compiler does the reading: a part that is not
//! there, a placeholder without a value and a value without a placeholder fail the build.

use std::fmt::{Display, Write as _};

/// How many parts a file may have.
const MAX_PARTS: usize = 64;

/// The parts of a file, by name.
pub(super) struct Parts([(&'static str, &'static str); MAX_PARTS]);

impl Parts {
    pub(super) const fn of_markdown(file: &'static str) -> Self {
        Self::new(file, "<!-- ", " -->\n")
    }

    pub(super) const fn of_shell(file: &'static str) -> Self {
        Self::new(file, "#-- ", "\n")
    }

    /// What stands before the first name is not part of anything.
    const fn new(file: &'static str, before_name: &str, behind_name: &str) -> Self {
        let mut parts = [("", ""); MAX_PARTS];
        let mut count = 0;
        let mut next = split_once(file, before_name);
        while let Some((_, rest)) = next {
            let Some((name, rest)) = split_once(rest, behind_name) else { panic!("a name does not end") };
            next = split_once(rest, before_name);
            let text = if let Some((text, _)) = next { text } else { rest };
            parts[count] = (name, text);
            count += 1;
        }
        Self(parts)
    }

    /// A part, which must have these placeholders and no others.
    pub(super) const fn get(&self, name: &str, placeholders: &[&str]) -> &'static str {
        let mut at = 0;
        while at < MAX_PARTS {
            let (found, text) = self.0[at];
            if found.len() == name.len() && starts_with(found.as_bytes(), name.as_bytes()) {
                check(text, placeholders);
                return text;
            }
            at += 1;
        }
        panic!("there is no such part")
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name).filter(|name| !name.is_empty())
    }
}

/// Panics unless the placeholders of a text are these.
const fn check(text: &str, placeholders: &[&str]) {
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        if *first == b'{' && is_placeholder(rest) {
            assert!(is_among(rest, placeholders), "a placeholder has no value");
        }
        rest = behind;
    }
    let mut at = 0;
    while at < placeholders.len() {
        assert!(split_once(text, placeholders[at]).is_some(), "a value has no placeholder");
        at += 1;
    }
}

/// Only small letters and `_` make a placeholder: JSON and the shell have other braces.
const fn is_placeholder(text: &[u8]) -> bool {
    let [b'{', b'a'..=b'z' | b'_', rest @ ..] = text else { return false };
    let mut rest = rest;
    while let [b'a'..=b'z' | b'_', behind @ ..] = rest {
        rest = behind;
    }
    matches!(rest, [b'}', ..])
}

const fn is_among(text: &[u8], placeholders: &[&str]) -> bool {
    let mut at = 0;
    while at < placeholders.len() {
        if starts_with(text, placeholders[at].as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

/// The method of this name is not for constants. First bytes are compared without a call, which the compiler does three
/// times as fast.
const fn split_once<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let (mut rest, word_first) = (text.as_bytes(), word.as_bytes()[0]);
    while let [first, behind @ ..] = rest {
        if *first == word_first && starts_with(rest, word.as_bytes()) {
            let (before, from) = text.split_at(text.len() - rest.len());
            return Some((before, from.split_at(word.len()).1));
        }
        rest = behind;
    }
    None
}

const fn starts_with(mut text: &[u8], mut word: &[u8]) -> bool {
    while let ([one, text_behind @ ..], [other, word_behind @ ..]) = (text, word) {
        if *one != *other {
            return false;
        }
        (text, word) = (text_behind, word_behind);
    }
    word.is_empty()
}

/// A part with values for its placeholders: `fill!(FILE, "name", placeholder = value)`.
macro_rules! fill {
    ($file:ident, $part:literal $(, $name:ident = $value:expr)* $(,)?) => {{
        const PART: &str = $file.get($part, &[$(concat!("{", stringify!($name), "}")),*]);
        $crate::campaign::template::filled(PART, &[$((concat!("{", stringify!($name), "}"), &$value)),*])
    }};
}
pub(super) use fill;

/// For [`fill!`], which sees to it that each placeholder has a value. Nothing in a value is taken for a placeholder.
pub(super) fn filled(part: &str, values: &[(&str, &dyn Display)]) -> String {
    let (mut text, mut rest) = (String::with_capacity(part.len()), part);
    while let Some((before, from)) = rest.find('{').map(|at| rest.split_at(at)) {
        text.push_str(before);
        match values.iter().find_map(|(name, value)| Some((value, from.strip_prefix(name)?))) {
            Some((value, behind)) => {
                // Writing to a string cannot fail.
                let _ = write!(text, "{value}");
                rest = behind;
            }
            None => {
                text.push('{');
                rest = &from[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKDOWN: Parts = Parts::of_markdown(
        "\
About the file.
<!-- greeting -->
Hello {name}, {name} of {some_place}!

<!-- blank -->
<!-- code -->
`{} ${x#} {\"a\":{}} {A} { a }`
",
    );
    const SHELL: Parts = Parts::of_shell("# About.\n#-- one\na='{a}' # {a\n#-- on\nf() { :; }\n");

    #[test]
    fn a_part_ends_where_the_next_begins() {
        assert_eq!(MARKDOWN.names().collect::<Vec<_>>(), ["greeting", "blank", "code"]);
        assert_eq!(MARKDOWN.get("greeting", &["{name}", "{some_place}"]).lines().count(), 2);
        assert_eq!(MARKDOWN.get("blank", &[]), "");
        assert_eq!(MARKDOWN.get("code", &[]), "`{} ${x#} {\"a\":{}} {A} { a }`\n");
        assert_eq!(SHELL.get("on", &[]), "f() { :; }\n");
    }

    #[test]
    fn values_are_put_where_they_belong_and_never_read() {
        let text = fill!(MARKDOWN, "greeting", name = "{some_place}", some_place = 7);
        assert_eq!(text, "Hello {some_place}, {some_place} of 7!\n\n");
        assert_eq!(fill!(SHELL, "one", a = "{a}"), "a='{a}' # {a\n");
        assert_eq!(fill!(MARKDOWN, "code"), MARKDOWN.get("code", &[]));
    }

    #[test]
    fn no_part_is_left_over() {
        let files = [
            (Parts::of_markdown(include_str!("readme.md")), include_str!("readme.rs")),
            (Parts::of_shell(include_str!("commands.sh")), include_str!("commands.rs")),
            (Parts::of_shell(include_str!("script.sh")), include_str!("script.rs")),
        ];
        for (parts, code) in files {
            parts.names().for_each(|name| assert!(code.contains(&format!("\"{name}\"")), "{name}"));
        }
    }

    /// Where [`fill!`] asks, these are errors of the build.
    #[test]
    fn parts_and_placeholders_must_be_right() {
        let is_wrong = |name: &'static str, placeholders: &'static [&'static str]| {
            std::panic::catch_unwind(|| MARKDOWN.get(name, placeholders)).is_err()
        };
        assert!(is_wrong("greet", &[]) && is_wrong("greetings", &[]) && is_wrong("About", &[]));
        assert!(is_wrong("greeting", &[]) && is_wrong("greeting", &["{name}"]) && is_wrong("code", &["{a}"]));
        assert!(is_wrong("greeting", &["{name}", "{some_place}", "{some}"]));
        assert!(!is_wrong("greeting", &["{name}", "{some_place}"]));
    }
}

//! Patterns of policy files: `*` stands for any run of characters, `/` included, `?` for one character.

/// One pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pattern: Box<str>,
}

/// Patterns of which one must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Globs(Box<[Glob]>);

impl Globs {
    /// Patterns of which one must match.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Self {
        Self(patterns.into_iter().map(Glob::new).collect())
    }

    /// The patterns, in order.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|glob| &*glob.pattern)
    }

    /// Whether one of the patterns matches the whole text.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.0.iter().any(|glob| glob.matches(text))
    }
}

impl Glob {
    /// Every text is a pattern.
    pub fn new(pattern: &str) -> Self {
        Self { pattern: pattern.into() }
    }

    /// Whether the pattern matches the whole text.
    ///
    /// Only the last `*` seen is ever extended, so the time is at most the product of both lengths.
    pub fn matches(&self, text: &[u8]) -> bool {
        let pattern = self.pattern.as_bytes();
        let (mut p, mut t) = (0, 0);
        // Where to go on after a mismatch: the pattern behind the last `*`, and the first byte that it does not cover.
        let mut retry: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(b'*') if p + 1 == pattern.len() => return true,
                Some(b'*') => {
                    p += 1;
                    retry = Some((p, t));
                }
                Some(b'?') => {
                    p += 1;
                    t += char_len(&text[t..]);
                }
                Some(byte) if *byte == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => {
                    let Some((behind_star, uncovered)) = retry else { return false };
                    // A `*` covers whole characters, so that a `?` behind it never counts half of one.
                    let uncovered = uncovered + char_len(&text[uncovered..]);
                    (p, t) = (behind_star, uncovered);
                    retry = Some((behind_star, uncovered));
                }
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

/// The length of the first character; a byte that begins none counts as one.
fn char_len(text: &[u8]) -> usize {
    let len = match text[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    text.get(..len).filter(|bytes| std::str::from_utf8(bytes).is_ok()).map_or(1, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        let cases = [
            ("", "", true),
            ("*", "", true),
            ("*", "a/b/c", true),
            ("?", "", false),
            ("?", "é", true),
            ("??", "é", false),
            ("*??", "é", false),
            ("AWSLogs/*", "AWSLogs/1/x", true),
            ("AWSLogs/*", "xAWSLogs/1", false),
            ("*/AWSLogs/*", "a/b/AWSLogs/c", true),
            ("CloudTrail", "CloudTrail-Digest", false),
            ("CloudTrail*", "CloudTrail-Digest", true),
            ("*.json.gz", "a.json.gz.json.gz", true),
            ("*a*b*c", "xxaxxbxxbxxc", true),
            ("*a*b*c", "xxaxxbxxbxxcd", false),
            ("us-*-?", "us-gov-west-1", true),
            ("a**b", "ab", true),
            ("[a]", "a", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Glob::new(pattern).matches(text.as_bytes()), expected, "{pattern} on {text}");
        }
        assert!(Glob::new("a?b").matches(b"a\xffb"), "a byte that is no character counts as one");
    }

    #[test]
    fn stars_do_not_blow_up() {
        let pattern = "*a".repeat(50) + "b";
        assert!(!Glob::new(&pattern).matches(&[b'a'; 1024]));
    }
}

use super::*;
use crate::iam_policy::pattern::Variable;

#[test]
fn patterns_match_whole_texts() {
    let cases = [
        ("", "", 'T'),
        ("", "a", 'F'),
        ("*", "", 'T'),
        ("*", "a:b/c", 'T'),
        ("?", "", 'F'),
        ("?", "é", 'T'),
        ("??", "é", 'F'),
        ("a*", "ab", 'T'),
        ("a*b*c", "aXbYbZc", 'T'),
        ("a*b*c", "aXbYbZcd", 'F'),
        ("*?", "", 'F'),
        ("?*", "a", 'T'),
        ("*a", "aaa", 'T'),
        ("A", "a", 'F'),
        ("[a]", "a", 'F'),
        ("a**b", "ab", 'T'),
    ];
    for (pattern, text, expected) in cases {
        assert_eq!(Pattern::new(pattern).matches(text), truth(expected), "{pattern} on {text}");
    }
    assert_eq!(Pattern::literal("a*").matches("a*"), Truth::True);
    assert_eq!(Pattern::literal("a*").matches("ab"), Truth::False);
    assert_eq!(Pattern::new("KMS:De*").folded().matches("kms:decrypt"), Truth::True);
}

/// Against all texts of a small alphabet: `covers` is never wrong, `overlaps` is exact.
#[test]
fn patterns_against_patterns() {
    let texts = words(&['a', 'b'], 6);
    let patterns = words(&['a', 'b', '?', '*'], 3);
    for a in &patterns {
        for b in &patterns {
            let (one, other) = (Pattern::new(a), Pattern::new(b));
            let matched = |pattern: &Pattern, text: &String| pattern.matches(text) == Truth::True;
            let both = texts.iter().any(|text| matched(&one, text) && matched(&other, text));
            assert_eq!(one.overlaps(&other), both, "{a} overlaps {b}");
            let all = texts.iter().filter(|text| matched(&other, text)).all(|text| matched(&one, text));
            assert!(!one.covers(&other) || all, "{a} covers {b}");
            let simple = !a.contains('?') && !b.contains('?');
            assert!(one.covers(&other) || !all || !simple, "{a} should cover {b}");
            let expected = if one.covers(&other) {
                Truth::True
            } else {
                Truth::from(false).or(if both { Truth::Unknown } else { Truth::False })
            };
            assert_eq!(one.matches_all(&other), expected, "{a} on all of {b}");
        }
    }
}

fn words(signs: &[char], longest: usize) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut from = 0;
    for _ in 0..longest {
        let until = words.len();
        for at in from..until {
            words.extend(signs.iter().map(|sign| format!("{}{sign}", words[at])).collect::<Vec<_>>());
        }
        from = until;
    }
    words
}

#[test]
fn arns_match_by_part() {
    let cases = [
        ("arn:aws:s:*:1:x/*", "arn:aws:s:r:1:x/y", 'T'),
        // The example of the user guide: StringLike matches it, ArnLike does not.
        ("arn:aws:s:*:1:f/*", "arn:aws:s:r:9:store/abc:1:f/d", 'F'),
        ("arn:aws:s:r:1:*", "arn:aws:s:r:1:a:b:c", 'T'),
        ("arn:aws:s:r:?:x", "arn:aws:s:r:1:x", 'T'),
        ("arn:aws:s:r:?:x", "arn:aws:s:r:12:x", 'F'),
        ("arn:*:*:*:*:*", "arn:aws:iam::1:root", 'T'),
        ("arn:aws:iam::1:ROOT", "arn:aws:iam::1:root", 'F'),
        ("*", "arn:aws:iam::1:root", 'U'),
        ("arn:aws:iam*", "arn:aws:iam::1:root", 'U'),
        ("arn:aws:iam*", "arn:aws:sts::1:root", 'F'),
        ("arn:aws:iam::1:root", "root", 'F'),
        ("*", "root", 'U'),
    ];
    for (pattern, arn, expected) in cases {
        let truth_of = Pattern::new(pattern).matches_all_arns(&Pattern::literal(arn));
        assert_eq!(truth_of, truth(expected), "{pattern} on {arn}");
    }
    let value = Pattern::new("arn:*:iam::222222222222:*");
    let of_value = |pattern: &str| Pattern::new(pattern).matches_all_arns(&value);
    assert_eq!(of_value("arn:*:iam::222222222222:*"), Truth::True);
    assert_eq!(of_value("arn:aws:iam::222222222222:role/x"), Truth::Unknown);
    assert_eq!(of_value("arn:aws:iam::333333333333:*"), Truth::False);
}

#[test]
fn resources_match_where_all_readings_agree() {
    let cases = [
        ("*", "arn:aws:s3:::b/AWSLogs/1/*", 'T'),
        ("**", "arn:aws:s3:::b/AWSLogs/1/*", 'T'),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/AWSLogs/1/*", 'T'),
        ("arn:aws:s3:::b*", "arn:aws:s3:::b/AWSLogs/1/*", 'T'),
        ("arn:*:s3:::b/*", "arn:aws:s3:::b/AWSLogs/1/*", 'T'),
        ("arn:aws:s3:::b/AWSLogs/1/*", "arn:aws:s3:::b/AWSLogs/1/*", 'T'),
        ("arn:aws:s3:::b/AWSLogs/*/CloudTrail/*", "arn:aws:s3:::b/AWSLogs/1/*", 'U'),
        ("arn:aws:s3:::b/AWSLogs/1/x", "arn:aws:s3:::b/AWSLogs/1/*", 'U'),
        ("arn:aws:s3:::b/AWSLogs/2/*", "arn:aws:s3:::b/AWSLogs/1/*", 'F'),
        ("arn:aws:s3:::b", "arn:aws:s3:::b/AWSLogs/1/*", 'F'),
        ("arn:aws:s3:::c/*", "arn:aws:s3:::b/AWSLogs/1/*", 'F'),
        ("arn:aws:s3:::b", "arn:aws:s3:::b", 'T'),
        ("arn:aws:s3:::B", "arn:aws:s3:::b", 'F'),
        // A wildcard that would have to reach over a colon, and ARNs with too few parts.
        ("arn:aws:s3*b", "arn:aws:s3:::b", 'U'),
        ("arn:aws:s3", "arn:aws:s3:::b", 'U'),
        ("arn:aws:kms", "arn:aws:s3:::b", 'F'),
        ("arn:aws*", "arn:aws:s3:::b", 'U'),
        ("arn:aws:*:key/1", "arn:aws:kms:r:2:key/1", 'U'),
    ];
    for (pattern, target, expected) in cases {
        let truth_of = Pattern::new(pattern).matches_all_resources(&Pattern::new(target));
        assert_eq!(truth_of, truth(expected), "{pattern} on {target}");
    }
}

#[test]
fn variables_are_resolved_or_unknown() {
    let expand = |text: &str| {
        Pattern::expand(text, true, |name| match name {
            "aws:username" => Variable::Value("ann".into()),
            "aws:wild" => Variable::Value("a*".into()),
            "aws:none" => Variable::Absent,
            _ => Variable::Unknown,
        })
    };
    let cases = [
        ("home/${aws:username}/*", "home/ann/x", 'T', false),
        ("home/${aws:username}/*", "home/bob/x", 'F', false),
        ("${*}", "*", 'T', false),
        ("${*}", "a", 'F', false),
        ("a${?}${$}{b}", "a?${b}", 'T', false),
        ("${aws:none, 'anonymous'}", "anonymous", 'T', false),
        ("${aws:username, 'anonymous'}", "ann", 'T', false),
        ("x${aws:other}", "xy", 'T', true),
        ("x${aws:other}", "y", 'F', true),
        ("x${aws:none}", "xy", 'T', true),
        ("x${aws:wild}", "xabc", 'T', true),
        ("${aws:username", "${aws:username", 'T', false),
        ("a}b", "a}b", 'T', false),
    ];
    for (text, value, expected, unresolved) in cases {
        let expanded = expand(text);
        assert_eq!(expanded.pattern.matches(value), truth(expected), "{text} on {value}");
        assert_eq!(expanded.unresolved, unresolved, "{text}");
    }
}

use super::*;
use crate::iam_policy::condition::Operator;
use crate::iam_policy::words::in_words;

fn condition(operator: &str, key: &str, values: &[&str]) -> Condition {
    Condition {
        operator: Operator::new(operator),
        key: key.into(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

fn holds(operator: &str, short: &str, values: &[&str]) -> Truth {
    condition(operator, "aws:k", values).holds(&Version::V2012, &mut |_| fact(short))
}

/// Operator, fact in short, values of the policy, and whether it holds.
const CASES: &[(&str, &str, &[&str], char)] = &[
    // Strings.
    ("StringEquals", "=a", &["a"], 'T'),
    ("StringEquals", "=a", &["A"], 'F'),
    ("StringEquals", "=a", &["b", "a"], 'T'),
    ("StringEquals", "=a", &["b", "c"], 'F'),
    ("StringEquals", "=ab", &["a*"], 'F'),
    ("StringEquals", "=a*", &["a*"], 'T'),
    ("StringEquals", "-", &["a"], 'F'),
    ("StringEquals", "?", &["a"], 'U'),
    ("StringEquals", "!", &["a"], 'U'),
    ("StringEquals", "!", &["*"], 'U'),
    ("StringEquals", "-=a", &["a"], 'U'),
    ("StringEquals", "-=a", &["b"], 'F'),
    ("StringEquals", "~a*", &["b"], 'F'),
    ("StringEquals", "~a*", &["ab"], 'U'),
    ("stringequals", "=a", &["a"], 'T'),
    ("StringNotEquals", "=a", &["a"], 'F'),
    ("StringNotEquals", "=a", &["b"], 'T'),
    ("StringNotEquals", "=a", &["b", "a"], 'F'),
    ("StringNotEquals", "=a", &["b", "c"], 'T'),
    ("StringNotEquals", "-", &["a"], 'T'),
    ("StringNotEquals", "?", &["a"], 'U'),
    ("StringNotEquals", "-=a", &["b"], 'T'),
    ("StringNotEquals", "-=a", &["a"], 'U'),
    ("StringNotEquals", "~a*", &["b"], 'T'),
    ("StringNotEquals", "~a*", &["ab"], 'U'),
    ("StringEqualsIgnoreCase", "=aB", &["Ab"], 'T'),
    ("StringEqualsIgnoreCase", "=a", &["b"], 'F'),
    ("StringEqualsIgnoreCase", "~A*", &["b"], 'F'),
    ("StringNotEqualsIgnoreCase", "=aB", &["Ab"], 'F'),
    ("StringNotEqualsIgnoreCase", "-", &["a"], 'T'),
    ("StringLike", "=abc", &["a*"], 'T'),
    ("StringLike", "=abc", &["a?c"], 'T'),
    ("StringLike", "=abc", &["b*"], 'F'),
    ("StringLike", "=Abc", &["a*"], 'F'),
    ("StringLike", "!", &["*"], 'T'),
    ("StringLike", "?", &["*"], 'U'),
    ("StringLike", "-", &["*"], 'F'),
    ("StringLike", "~ab*", &["a*"], 'T'),
    ("StringLike", "~a*|b*", &["a*"], 'U'),
    ("StringLike", "~a*|b*", &["c*"], 'F'),
    ("StringLike", "~a*", &["ab*"], 'U'),
    ("StringNotLike", "=abc", &["a*"], 'F'),
    ("StringNotLike", "=abc", &["b*", "c*"], 'T'),
    ("StringNotLike", "-", &["*"], 'T'),
    ("StringNotLike", "!", &["*"], 'F'),
    ("StringNotLike", "?", &["*"], 'U'),
    // IfExists.
    ("StringEqualsIfExists", "-", &["a"], 'T'),
    ("StringEqualsIfExists", "=a", &["a"], 'T'),
    ("StringEqualsIfExists", "=a", &["b"], 'F'),
    ("StringEqualsIfExists", "?", &["b"], 'U'),
    ("StringEqualsIfExists", "-=a", &["a"], 'T'),
    ("StringLikeIfExists", "?", &["*"], 'T'),
    ("StringNotEqualsIfExists", "-", &["a"], 'T'),
    ("StringNotEqualsIfExists", "=a", &["a"], 'F'),
    ("BoolIfExists", "-", &["false"], 'T'),
    ("BoolIfExists", "-=false", &["false"], 'T'),
    ("NumericLessThanIfExists", "-", &["1"], 'T'),
    ("ArnLikeIfExists", "-", &["arn:aws:iam::1:x"], 'T'),
    ("IpAddressIfExists", "-", &["10.0.0.0/8"], 'T'),
    // Numbers.
    ("NumericEquals", "=10", &["10"], 'T'),
    ("NumericEquals", "=10", &["10.0"], 'T'),
    ("NumericEquals", "=10", &["1e1"], 'T'),
    ("NumericEquals", "=10", &["11", "10"], 'T'),
    ("NumericEquals", "=10", &["11"], 'F'),
    ("NumericEquals", "=ten", &["10"], 'U'),
    ("NumericEquals", "=10", &["ten"], 'U'),
    ("NumericEquals", "=9007199254740993", &["9007199254740992"], 'F'),
    ("NumericEquals", "=0.1000000000000000000001", &["0.1"], 'U'),
    ("NumericEquals", "=inf", &["inf"], 'U'),
    ("NumericNotEquals", "=10", &["10"], 'F'),
    ("NumericNotEquals", "=10", &["11"], 'T'),
    ("NumericNotEquals", "-", &["11"], 'T'),
    ("NumericLessThan", "=9", &["10"], 'T'),
    ("NumericLessThan", "=10", &["10"], 'F'),
    ("NumericLessThanEquals", "=10", &["10"], 'T'),
    ("NumericLessThanEquals", "=10.5", &["10"], 'F'),
    ("NumericGreaterThan", "=11", &["10"], 'T'),
    ("NumericGreaterThan", "=-11", &["10"], 'F'),
    ("NumericGreaterThanEquals", "=10", &["10"], 'T'),
    ("NumericGreaterThanEquals", "-", &["10"], 'F'),
    ("NumericGreaterThanEquals", "!", &["10"], 'U'),
    // Times.
    ("DateEquals", "=2026-01-02T03:04:05Z", &["2026-01-02T04:04:05+01:00"], 'T'),
    ("DateEquals", "=1767323045", &["2026-01-02T03:04:05Z"], 'T'),
    ("DateEquals", "=2026-01-02T03:04:05.5Z", &["2026-01-02T03:04:05.500Z"], 'T'),
    ("DateEquals", "=2026-01-02", &["2026-01-02T00:00Z"], 'T'),
    ("DateNotEquals", "=2026-01-02", &["2026-01-03"], 'T'),
    ("DateLessThan", "=2024-02-29", &["2024-03-01"], 'T'),
    ("DateLessThan", "=2024-03-01", &["2024-02-29"], 'F'),
    ("DateLessThan", "=2023-02-29", &["2024-02-29"], 'U'),
    ("DateLessThanEquals", "=2026-01-02", &["2026-01-02"], 'T'),
    ("DateGreaterThan", "=2026-01-02T00:00:01Z", &["2026-01-02"], 'T'),
    ("DateGreaterThan", "=1969-12-31", &["0000-01-01"], 'T'),
    ("DateGreaterThanEquals", "=2026-01-01", &["2026-01-02"], 'F'),
    ("DateGreaterThan", "=2026", &["2020-01-01"], 'U'),
    ("DateGreaterThan", "=1767323045000", &["2020-01-01"], 'U'),
    ("DateGreaterThan", "=2026-01-02T00:00:01", &["2020-01-01"], 'U'),
    ("DateGreaterThan", "-", &["2020-01-01"], 'F'),
    ("DateGreaterThan", "!", &["2020-01-01"], 'U'),
    // Booleans, bytes.
    ("Bool", "=true", &["true"], 'T'),
    ("Bool", "=true", &["TRUE"], 'T'),
    ("Bool", "=false", &["true"], 'F'),
    ("Bool", "=false", &["true", "false"], 'T'),
    ("Bool", "=yes", &["true"], 'U'),
    ("Bool", "=true", &["yes"], 'U'),
    ("Bool", "-", &["false"], 'F'),
    ("Bool", "?", &["false"], 'U'),
    ("BinaryEquals", "=QQ==", &["QQ=="], 'T'),
    ("BinaryEquals", "=QQ==", &["Qg=="], 'F'),
    ("BinaryEquals", "=Q", &["QQ=="], 'U'),
    ("BinaryEquals", "-", &["QQ=="], 'F'),
    // Addresses.
    ("IpAddress", "=10.1.2.3", &["10.0.0.0/8"], 'T'),
    ("IpAddress", "=11.1.2.3", &["10.0.0.0/8"], 'F'),
    ("IpAddress", "=10.1.2.3", &["192.0.2.0/24", "10.1.2.3"], 'T'),
    ("IpAddress", "=10.1.2.4", &["10.1.2.3"], 'F'),
    ("IpAddress", "=11.1.2.3", &["0.0.0.0/0"], 'T'),
    ("IpAddress", "=2001:db8::1", &["2001:DB8::/32"], 'T'),
    ("IpAddress", "=2001:db9::1", &["2001:db8::/32"], 'F'),
    ("IpAddress", "=2001:db9::1", &["10.0.0.0/8"], 'F'),
    ("IpAddress", "=::ffff:10.1.2.3", &["10.0.0.0/8"], 'U'),
    ("IpAddress", "=10.1.2.3", &["10.0.0.0/33"], 'U'),
    ("IpAddress", "=here", &["10.0.0.0/8"], 'U'),
    ("IpAddress", "-", &["10.0.0.0/8"], 'F'),
    ("IpAddress", "!", &["0.0.0.0/0"], 'U'),
    ("NotIpAddress", "=11.1.2.3", &["10.0.0.0/8"], 'T'),
    ("NotIpAddress", "=10.1.2.3", &["11.0.0.0/8", "10.0.0.0/8"], 'F'),
    ("NotIpAddress", "-", &["10.0.0.0/8"], 'T'),
    // ARNs.
    ("ArnEquals", "=arn:aws:iam::1:role/x", &["arn:aws:iam::1:role/x"], 'T'),
    ("ArnEquals", "=arn:aws:iam::1:role/x", &["arn:aws:iam::1:role/*"], 'T'),
    ("ArnLike", "=arn:aws:iam::1:role/x", &["arn:aws:iam::*:role/x"], 'T'),
    ("ArnLike", "=arn:aws:iam::1:role/x", &["arn:aws:iam::2:role/x"], 'F'),
    ("ArnLike", "=arn:aws:iam::1:role/x", &["*"], 'U'),
    ("ArnLike", "-", &["arn:aws:iam::1:role/x"], 'F'),
    ("ArnNotEquals", "=arn:aws:iam::1:role/x", &["arn:aws:iam::1:role/*"], 'F'),
    ("ArnNotEquals", "=arn:aws:iam::1:role/x", &["arn:aws:iam::1:role/y", "arn:aws:iam::1:role/z"], 'T'),
    ("ArnNotLike", "-", &["arn:aws:iam::1:role/x"], 'T'),
    ("ArnNotLike", "?", &["arn:aws:iam::1:role/x"], 'U'),
    // Null.
    ("Null", "-", &["true"], 'T'),
    ("Null", "-", &["false"], 'F'),
    ("Null", "=a", &["true"], 'F'),
    ("Null", "=a", &["false"], 'T'),
    ("Null", "!", &["false"], 'T'),
    ("Null", "~a*", &["true"], 'F'),
    ("Null", "?", &["false"], 'U'),
    ("Null", "=", &["false"], 'U'),
    ("Null", "=[]", &["false"], 'U'),
    ("Null", "=a", &["no"], 'U'),
    ("NullIfExists", "-", &["true"], 'U'),
    // Several values in the request.
    ("ForAllValues:StringEquals", "=a|b", &["a", "b", "c"], 'T'),
    ("ForAllValues:StringEquals", "=a|d", &["a", "b"], 'F'),
    ("ForAllValues:StringEquals", "-", &["a"], 'T'),
    ("ForAllValues:StringEquals", "=[]", &["a"], 'T'),
    ("ForAllValues:StringEquals", "=", &["a"], 'U'),
    ("ForAllValues:StringEquals", "?", &["a"], 'U'),
    ("ForAllValues:StringLike", "?", &["*"], 'T'),
    ("ForAllValues:StringNotEquals", "=a|b", &["c"], 'T'),
    ("ForAllValues:StringNotEquals", "=a|b", &["b"], 'F'),
    ("ForAllValues:StringNotEquals", "-", &["b"], 'T'),
    ("ForAllValues:StringEqualsIfExists", "-", &["b"], 'T'),
    ("ForAnyValue:StringEquals", "=a|b", &["b"], 'T'),
    ("ForAnyValue:StringEquals", "=a|b", &["c"], 'F'),
    ("ForAnyValue:StringEquals", "-", &["a"], 'F'),
    ("ForAnyValue:StringEquals", "=[]", &["a"], 'F'),
    ("ForAnyValue:StringEquals", "-=a", &["a"], 'U'),
    ("ForAnyValue:StringLike", "!", &["*"], 'U'),
    ("ForAnyValue:StringNotEquals", "=a|b", &["a"], 'T'),
    ("ForAnyValue:StringNotEquals", "=a", &["a"], 'F'),
    ("ForAnyValue:StringNotEquals", "-", &["a"], 'F'),
    ("ForAnyValue:StringEqualsIfExists", "-", &["a"], 'U'),
    ("ForAnyValue:StringEqualsIfExists", "=a", &["a"], 'T'),
    ("ForAllValues:ArnLike", "=arn:a:b:c:d:e", &["arn:a:b:c:d:*"], 'T'),
    ("ForAllValues:Null", "-", &["true"], 'U'),
    ("StringEquals", "=a|b", &["a"], 'U'),
    ("StringEquals", "=a|b", &["c"], 'F'),
    ("StringEquals", "=[]", &["c"], 'U'),
    // What nobody knows.
    ("StringEqualsMaybe", "=a", &["a"], 'U'),
    ("NotBool", "=a", &["a"], 'U'),
    ("ForSomeValues:StringEquals", "=a", &["a"], 'U'),
    ("NumericBetween", "=1", &["1"], 'U'),
    ("StringEquals", "=a", &[], 'U'),
    ("StringNotEquals", "=a", &[], 'U'),
];

#[test]
fn operators_hold_as_documented() {
    for (operator, short, values, expected) in CASES {
        assert_eq!(holds(operator, short, values), truth(*expected), "{operator} {short} {values:?}");
    }
    assert!(CASES.len() >= 150, "{}", CASES.len());
}

/// An unknown key is one that is absent or there: its answer is never more certain than both allow.
#[test]
fn unknown_is_absent_or_present() {
    for (operator, _, values, _) in CASES {
        let both = holds(operator, "-", values).join(holds(operator, "!", values));
        assert_eq!(holds(operator, "?", values), both, "{operator} {values:?}");
    }
}

#[test]
fn keys_have_no_case() {
    let facts = Facts::new().with("AWS:SourceArn", Fact::known("a")).with_prefix("aws:PrincipalTag/", Fact::absent());
    assert_eq!(facts.get("aws:sourcearn"), Some(&Fact::known("a")));
    assert_eq!(facts.get("aws:principaltag/Team"), Some(&Fact::absent()));
    assert_eq!(facts.get("aws:other"), None);
    let facts = facts.with("aws:PrincipalTag/team", Fact::known("x"));
    assert_eq!(facts.get("aws:PrincipalTag/TEAM"), Some(&Fact::known("x")));
}

#[test]
fn variables_depend_on_the_version() {
    let facts = Facts::new().with("aws:k", Fact::known("ann")).with("aws:username", Fact::known("ann"));
    let holds = |operator: &str, values: &[&str], version: Version| {
        let fact = |key: &str| facts.get(key).cloned().unwrap_or_else(Fact::unknown);
        condition(operator, "aws:k", values).holds(&version, &mut { fact })
    };
    assert_eq!(holds("StringEquals", &["${aws:username}"], Version::V2012), Truth::True);
    assert_eq!(holds("StringEquals", &["${aws:username}"], Version::V2008), Truth::False);
    assert_eq!(holds("StringEquals", &["${aws:username}"], Version::Unknown("2030-01-01".into())), Truth::Unknown);
    assert_eq!(holds("StringEquals", &["${aws:userid}"], Version::V2012), Truth::Unknown);
    assert_eq!(holds("StringEquals", &["x${aws:userid}"], Version::V2012), Truth::False);
    // The statement may be invalid, so a negation is not certain either, nor another value that matches.
    assert_eq!(holds("StringNotEquals", &["x${aws:userid}"], Version::V2012), Truth::Unknown);
    assert_eq!(holds("StringEquals", &["ann", "${aws:userid}"], Version::V2012), Truth::Unknown);
    assert_eq!(holds("NumericEquals", &["${aws:userid}"], Version::V2012), Truth::Unknown);
    // What stands for the variable takes every value, and it takes one.
    assert_eq!(holds("StringNotEquals", &["a${aws:userid}"], Version::V2012), Truth::Unknown);
    assert_eq!(holds("StringNotLike", &["${aws:userid}"], Version::V2012), Truth::Unknown);
    assert_eq!(holds("StringNotEquals", &["ann", "${aws:userid}"], Version::V2012), Truth::False);
}

#[test]
fn conditions_have_words() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("StringEquals", &["a"], "only if aws:k is a"),
        ("StringEquals", &["a", "b"], "only if aws:k is a or b"),
        ("StringEquals", &[""], "only if aws:k is \"\""),
        ("StringNotEquals", &["a"], "only if aws:k is not a"),
        ("StringNotEquals", &["a", "b"], "only if aws:k is neither a nor b"),
        ("StringLike", &["a*"], "only if aws:k is like a*"),
        ("StringNotLike", &["a*", "b*", "c"], "only if aws:k is like neither a*, b* nor c"),
        ("StringEqualsIgnoreCase", &["a"], "only if aws:k is, in any case, a"),
        ("StringEqualsIfExists", &["a"], "only if aws:k is a or is absent"),
        ("ForAnyValue:StringEquals", &["a"], "only if a value of aws:k is a"),
        ("ForAllValues:StringLike", &["a*"], "only if every value of aws:k, if it has any, is like a*"),
        ("Null", &["true"], "only if aws:k is absent"),
        ("Null", &["false"], "only if aws:k is present"),
        ("Bool", &["true"], "only if aws:k is true"),
        ("NumericLessThanEquals", &["10"], "only if aws:k is at most 10"),
        ("NumericNotEquals", &["10"], "only if aws:k is not the number 10"),
        ("DateLessThan", &["2026-01-01"], "only if aws:k is before 2026-01-01"),
        ("IpAddress", &["10.0.0.0/8"], "only if aws:k is in 10.0.0.0/8"),
        ("NotIpAddress", &["10.0.0.0/8"], "only if aws:k is not in 10.0.0.0/8"),
        ("ArnNotEquals", &["arn:x"], "only if aws:k is not like arn:x"),
        ("StringEquals", &["1", "2", "3", "4", "5", "6", "7"], "only if aws:k is 1, 2, 3, 4, 5 or 2 others"),
        ("Odd", &["a"], "only if Odd of aws:k holds for a, which is not understood"),
        ("StringEquals", &[], "only if aws:k is nothing"),
    ];
    for (operator, values, expected) in cases {
        assert_eq!(in_words(&[condition(operator, "aws:k", values)]), *expected);
    }
    assert_eq!(in_words(&[]), "");
    let two =
        [condition("Bool", "aws:SecureTransport", &["true"]), condition("StringEquals", "kms:ViaService", &["s3"])];
    assert_eq!(in_words(&two), "only if aws:SecureTransport is true and kms:ViaService is s3");
}

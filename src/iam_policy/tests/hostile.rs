//! Policies and patterns made to be slow. What is asserted is that they are answered, and how; a quadratic reading of them
//! would take hours.

use super::samples::decryptors;
use super::*;

#[test]
fn patterns_of_many_wildcards() {
    let many = "*a".repeat(50_000);
    assert_eq!(Pattern::new(&many).matches(&"a".repeat(100_000)), Truth::True);
    assert_eq!(Pattern::new(&many).matches(&"b".repeat(100_000)), Truth::False);
    assert_eq!(Pattern::new(&many).matches(&"a".repeat(49_999)), Truth::False);
    assert_eq!(Pattern::new(&(many.clone() + "b")).matches(&"a".repeat(1_000)), Truth::False);
    assert_eq!(Pattern::new(&"*".repeat(1_000_000)).matches("x"), Truth::True);
    assert_eq!(Pattern::new(&"?".repeat(1_000_000)).matches("x"), Truth::False);
    assert_eq!(Pattern::new(&"*?".repeat(50)).matches(&"x".repeat(49)), Truth::False);
}

/// Work is given up, not the truth: what takes too long is not decided.
#[test]
fn patterns_that_take_too_long_are_unknown() {
    let slow = format!("*{}b", "a".repeat(20_000));
    assert_eq!(Pattern::new(&slow).matches(&"a".repeat(40_000)), Truth::Unknown);
    let (one, other) = (Pattern::new(&"*a".repeat(20_000)), Pattern::new(&"*b".repeat(20_000)));
    assert!(one.overlaps(&other));
    assert_eq!(one.matches_all(&other), Truth::Unknown);
}

#[test]
fn variables_without_end() {
    let text = "${".repeat(100_000);
    let expanded = Pattern::expand(&text, true, |_| crate::iam_policy::pattern::Variable::Unknown);
    assert_eq!((expanded.pattern.matches(&text), expanded.unresolved), (Truth::True, false));
    let text = "${a}".repeat(50_000);
    assert!(Pattern::expand(&text, true, |_| crate::iam_policy::pattern::Variable::Unknown).unresolved);
}

fn many(count: usize, statement: impl Fn(usize) -> Value) -> Document {
    let statements: Vec<String> = (0..count).map(|at| statement(at).to_string()).collect();
    Document::parse(&format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(","))).unwrap()
}

#[test]
fn a_hundred_thousand_statements() {
    let role = |at: usize| format!("arn:aws:iam::222222222222:role/r{at}");
    let document = many(100_000, |at| {
        json!({"Effect": "Allow", "Principal": {"AWS": role(at)}, "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {"Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "false"}}})
    });
    assert_eq!(document.statements.len(), 100_000);
    assert_eq!(evaluate(&document, &request(principal(&role(77_777)), "kms:Decrypt", KEY)).decided_by.len(), 1);
    assert_eq!(decryptors(&document).len(), 100_000);
    assert_eq!(public_statements(&document, &Facts::new()), []);
}

#[test]
fn a_hundred_thousand_values() {
    let roles: Vec<String> = (0..100_000).map(|at| format!("arn:aws:iam::222222222222:role/r{at}")).collect();
    let text = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": {"ArnNotEquals": {"aws:PrincipalArn": roles}}},
    ]})
    .to_string();
    let document = Document::parse(&text).unwrap();
    let outcome = |arn: &str| evaluate(&document, &request(principal(arn), "kms:Decrypt", KEY)).outcome();
    assert_eq!(outcome("arn:aws:iam::222222222222:role/r99999"), Truth::True);
    assert_eq!(outcome("arn:aws:iam::222222222222:role/other"), Truth::False);
    // Each of the roles would have to be compared with each: the class is still right, only not certain.
    let grants = decryptors(&document);
    assert!(grants.iter().all(|grant| grant.certainty == Certainty::Exact || grant.why.contains(&Why::TooMuchWork)));
    assert!(grants.iter().any(|grant| grant.why.contains(&Why::TooMuchWork)));
}

#[test]
fn statements_against_statements() {
    let document = many(10_000, |at| {
        let effect = if at % 2 == 0 { "Allow" } else { "Deny" };
        json!({"Effect": effect, "Principal": "*", "Action": "kms:*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": format!("{at:012}")}}})
    });
    let grants = decryptors(&document);
    let statements: std::collections::BTreeSet<usize> = grants.iter().map(|grant| grant.by.index).collect();
    assert_eq!(statements.len(), 5_000, "each statement that allows is found");
    assert!(grants.iter().any(|grant| grant.why.contains(&Why::TooMuchWork)));
    assert!(grants.iter().any(|grant| grant.certainty == Certainty::Exact));
    let found = public_statements(&document, &Facts::new());
    assert!(found.iter().all(|found| found.public == Truth::Unknown && found.why == [Why::TooMuchWork]));
}

/// Once denials are left out, nobody surely can any more.
#[test]
fn nothing_is_exact_after_too_much_work() {
    let document = many(6_000, |at| match at % 2 {
        0 => {
            json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::222222222222:role/r{at}")}, "Action": "kms:Decrypt",
            "Resource": "*"})
        }
        _ => json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": format!("{at:012}")}}}),
    });
    let mut grants = decryptors(&document);
    grants.sort_by_key(|grant| grant.by.index);
    assert_eq!(grants.len(), 3_000);
    let exact = grants.iter().take_while(|grant| grant.certainty == Certainty::Exact).count();
    assert!((1..3_000).contains(&exact), "{exact}");
    assert!(grants[exact..].iter().all(|grant| grant.why.contains(&Why::TooMuchWork)));
}

#[test]
fn actions_by_resources() {
    let names = |prefix: &str| (0..20_000).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>();
    let document = policy(
        json!([{"Effect": "Allow", "Principal": "*", "Action": names("s3:Get"), "Resource": names("arn:aws:s3:::b/"),
        "Condition": {"StringEquals": {"acme:Key": "x"}}}]),
    );
    assert_eq!(public_statements(&document, &Facts::new())[0].public, Truth::Unknown);
}

//! The crate `iam-rs` as another reading of the same documentation, for requests of which everything is known.
//!
//! Where it answers otherwise, a named difference must explain it; a name that explains nothing any more fails, too.

use std::collections::{BTreeMap, BTreeSet};

use iam_rs::{Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, PrincipalId, evaluate_policy};

use super::random::{Drawn, Random};
use super::*;

const ROLE: &str = "arn:aws:iam::111111111111:role/r1";
const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/r1/s";
const USER: &str = "arn:aws:iam::222222222222:user/u";
const SERVICE: &str = "one.amazonaws.com";

/// What one request is about.
struct Case {
    policy: Value,
    caller: &'static str,
    keys: BTreeMap<&'static str, Vec<&'static str>>,
}

fn random_case(random: &mut Random) -> Case {
    let caller = random.pick(&[ROLE, ROLE, SESSION, USER, USER, SERVICE]);
    let statements: Vec<Value> = (0..1 + random.below(3)).map(|_| random_statement(random)).collect();
    let mut keys = BTreeMap::new();
    let pools: [(&str, &[&str]); 7] = [
        ("aws:s", &["x", "xy", "X"]),
        ("aws:n", &["9", "10", "10.5"]),
        ("aws:d", &["2026-01-02T00:00:00Z", "1767312000"]),
        ("aws:ip", &["10.1.2.3", "2001:db8::1"]),
        ("aws:arn", &["arn:aws:sns:us-east-1:111111111111:topic", "arn:aws:sns:us-east-1:1:2:topic"]),
        ("aws:many", &["x", "y"]),
        ("aws:bin", &["QQ=="]),
    ];
    for (key, pool) in pools {
        if random.chance(70) {
            keys.insert(key, vec![random.pick(pool)]);
        }
    }
    if random.chance(50) {
        keys.insert("aws:many", vec!["x", "y"]);
    }
    Case { policy: json!({"Version": "2012-10-17", "Statement": statements}), caller, keys }
}

fn random_statement(random: &mut Random) -> Value {
    let names =
        [ROLE, USER, SESSION, "111111111111", "arn:aws:iam::222222222222:root", "arn:aws:iam::111111111111:role/*"];
    let principal = match random.below(4) {
        0 => json!("*"),
        1 => json!({"AWS": "*"}),
        2 => json!({"Service": [SERVICE, "two.amazonaws.com"]}),
        _ => json!({"AWS": [random.pick(&names), random.pick(&names)]}),
    };
    let mut statement = json!({"Effect": if random.chance(65) { "Allow" } else { "Deny" }});
    statement[if random.chance(90) { "Principal" } else { "NotPrincipal" }] = principal;
    statement[if random.chance(85) { "Action" } else { "NotAction" }] =
        json!(random.pick(&["*", "kms:*", "kms:decr?pt", "kms:Encrypt"]));
    statement[if random.chance(85) { "Resource" } else { "NotResource" }] = json!([random.pick(&[
        "*",
        KEY,
        "arn:aws:kms:*:222222222222:key/*",
        "arn:aws:*:*:*:*",
        "arn:aws:kms:us-east-1:3:key/*"
    ])]);
    statement["Condition"] = random.conditions(random_condition);
    statement
}

fn random_condition(random: &mut Random) -> Drawn {
    let (key, operators, pool): (_, &[&str], &[&str]) = match random.below(9) {
        0 => (
            "aws:n",
            &["NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals"],
            &["10", "10.0", "9"],
        ),
        1 => (
            "aws:d",
            &["DateEquals", "DateNotEquals", "DateLessThan", "DateGreaterThanEquals"],
            &["2026-01-02T01:00:00+01:00", "1767312001"],
        ),
        2 => ("aws:ip", &["IpAddress", "NotIpAddress"], &["10.0.0.0/8", "10.1.2.3", "2001:db8::/32"]),
        3 => (
            "aws:arn",
            &["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"],
            &["arn:aws:sns:us-east-1:111111111111:topic", "arn:aws:sns:*:1*:topic", "arn:aws:sns:us-east-1:1:*"],
        ),
        4 => (
            "aws:many",
            &[
                "ForAllValues:StringEquals",
                "ForAnyValue:StringEquals",
                "ForAllValues:StringNotLike",
                "ForAnyValue:StringNotEquals",
            ],
            &["x", "y", "z"],
        ),
        5 => ("aws:bin", &["BinaryEquals"], &["QQ==", "qq=="]),
        6 => ("AWS:S", &["StringEquals"], &["x", "xy"]),
        7 => ("aws:s", &["Null"], &["true", "false"]),
        _ => (
            "aws:s",
            &[
                "StringEquals",
                "StringNotEquals",
                "StringLike",
                "StringNotLike",
                "StringEqualsIgnoreCase",
                "StringNotEqualsIgnoreCase",
            ],
            &["x", "X*", "x*", "${aws:caller}", "y"],
        ),
    };
    let mut operator = random.pick(operators).to_owned();
    let values: Vec<&str> = (0..1 + random.below(2)).map(|_| random.pick(pool)).collect();
    if operator != "Null" && !operator.contains(':') && random.chance(20) {
        operator.push_str("IfExists");
    }
    // The peer looks at one value of Null only.
    let values = if operator == "Null" { values[..1].to_vec() } else { values };
    (operator, key, values)
}

fn ours(case: &Case) -> Evaluation {
    let caller = if case.caller == SERVICE { service(SERVICE) } else { principal(case.caller) };
    let mut request = request(caller, "kms:Decrypt", KEY);
    for key in ["aws:s", "aws:n", "aws:d", "aws:ip", "aws:arn", "aws:many", "aws:bin"] {
        request
            .facts
            .set(key, case.keys.get(key).map_or_else(Fact::absent, |values| Fact::values(values.iter().copied())));
    }
    request.facts.set("aws:caller", Fact::known("x"));
    evaluate(&Document::from_value(case.policy.clone()).unwrap(), &request)
}

/// Nothing where it cannot read the policy.
fn theirs(case: &Case) -> Option<Truth> {
    let policy = IAMPolicy::from_json(&case.policy.to_string()).ok()?;
    let mut context = Context::new().with_string("aws:caller", "x");
    for (key, values) in &case.keys {
        let value = match (*key, values.as_slice()) {
            ("aws:many", values) => ContextValue::StringList(values.iter().map(|value| (*value).to_owned()).collect()),
            (_, values) => ContextValue::String(values[0].to_owned()),
        };
        context.insert((*key).to_owned(), value);
    }
    let id = PrincipalId::String(case.caller.to_owned());
    let principal = if case.caller == SERVICE { iam_rs::Principal::Service(id) } else { iam_rs::Principal::Aws(id) };
    let request = IAMRequest::new_with_context(principal, "kms:Decrypt", Arn::parse(KEY).ok()?, context);
    Some((evaluate_policy(&policy, &request).ok()? == Decision::Allow).into())
}

/// Why the peer may answer otherwise, by what the policy and the request hold.
fn differences(case: &Case) -> BTreeSet<&'static str> {
    let text = case.policy.to_string();
    let has = |part: &str| text.contains(part);
    let by_session = case.caller == SESSION;
    let names_account = has(r#""111111111111""#) || has(":root\"");
    let all = [
        ("a role covers its sessions", by_session && has("role/r1\"")),
        ("a role that calls is all its sessions", case.caller == ROLE && has("assumed-role/")),
        ("an account covers its principals, and IAM decides", names_account && case.caller != SERVICE),
        ("wildcards in principals match nobody", has("role/*\"")),
        ("NotPrincipal leaves open whom an account or a role excepts", has("NotPrincipal")),
        (r#"{"AWS": "*"} may be about services"#, case.caller == SERVICE && has(r#""AWS":"*""#)),
        ("ArnEquals has wildcards", has("ArnEquals") || has("ArnNotEquals")),
        ("ArnLike does not reach over colons", has("ArnLike") || has("ArnNotLike")),
        ("variables are resolved in conditions", has("${aws:caller}")),
        ("bytes have case", has("BinaryEquals")),
        ("resources with a wildcard for the service match, perhaps", has("arn:aws:*:*:*:*")),
    ];
    all.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
}

#[test]
fn answers_differ_only_where_we_know_why() {
    let mut random = Random::new(4);
    let mut agreed = 0;
    let mut alone = BTreeMap::new();
    for _ in 0..30_000 {
        let case = random_case(&mut random);
        let Some(theirs) = theirs(&case) else { continue };
        let ours = ours(&case).outcome();
        if ours == theirs {
            agreed += 1;
            continue;
        }
        let differences = differences(&case);
        assert!(!differences.is_empty(), "{:#} {} {:?}: {ours:?}", case.policy, case.caller, case.keys);
        if differences.len() == 1 {
            *alone.entry(differences.into_iter().next().unwrap()).or_insert(0) += 1;
        }
    }
    assert!(agreed > 20_000, "{agreed}");
    // Each of the differences is the only explanation of some case.
    assert_eq!(alone.len(), 11, "{agreed} {alone:#?}");
}

/// What it cannot read at all.
#[test]
fn policies_that_the_peer_refuses() {
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": "*", "Service": "x.amazonaws.com"}, "Action": "*", "Resource": "*"});
    let two_types = json!({"Version": "2012-10-17", "Statement": [statement]});
    let no_version = json!({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]});
    for policy in [two_types, no_version] {
        assert!(IAMPolicy::from_json(&policy.to_string()).is_err());
        assert!(Document::from_value(policy).is_ok());
    }
}

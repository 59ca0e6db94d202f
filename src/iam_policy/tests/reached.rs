use super::samples::{decryptors, short};
use super::*;

const READER: &str = "arn:aws:iam::222222222222:role/reader";
const ORG: &str = "o-exampleorg1";

/// Who reaches the key by these statements, in short: `class name certainty why...`.
fn found(statements: Value) -> Vec<String> {
    let mut found: Vec<String> = short(&decryptors(&policy(statements)))
        .into_iter()
        .map(|(who, certainty, why)| {
            let why: String = why.iter().map(|why| format!(" {}", why.as_str())).collect();
            format!("{} {} {}{why}", who.class().as_str(), who.name(), certainty.as_str())
        })
        .collect();
    found.dedup();
    found
}

fn allow(principal: Value, condition: Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "kms:Decrypt", "Resource": "*", "Condition": condition})
}

fn deny(condition: Value) -> Value {
    json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": condition})
}

#[test]
fn principals_are_classes() {
    let cases = [
        (json!("*"), vec!["everyone * exact"]),
        (json!({"AWS": "*"}), vec!["everyone * exact"]),
        (json!({"AWS": "222222222222"}), vec!["account 222222222222 unknown iam_decides"]),
        (json!({"AWS": READER}), vec!["principal arn:aws:iam::222222222222:role/reader exact"]),
        (json!({"AWS": "arn:aws:iam::222222222222:role/*"}), vec![]),
        (json!({"AWS": "AROAEXAMPLE"}), vec!["principal AROAEXAMPLE unknown dead_principal"]),
        (json!({"Service": "x.amazonaws.com"}), vec!["service x.amazonaws.com exact"]),
        (json!({"CanonicalUser": "79a5"}), vec!["principal 79a5 unknown unresolved_principal"]),
        (json!({"Moon": "x"}), vec!["everyone * unknown not_understood"]),
        (json!([]), vec!["everyone * unknown not_understood"]),
    ];
    for (principal, expected) in cases {
        assert_eq!(found(json!([allow(principal.clone(), json!({}))])), expected, "{principal}");
    }
}

#[test]
fn conditions_on_who_calls_narrow() {
    let cases = [
        (json!({"StringEquals": {"kms:CallerAccount": "222222222222"}}), vec!["account 222222222222 exact"]),
        (
            json!({"StringEquals": {"aws:PrincipalAccount": ["222222222222", "333333333333"]}}),
            vec!["account 222222222222 exact", "account 333333333333 exact"],
        ),
        (json!({"StringLike": {"kms:CallerAccount": "*"}}), vec!["everyone * exact"]),
        (json!({"StringLike": {"kms:CallerAccount": "2222*"}}), vec!["everyone * conditional condition"]),
        (json!({"StringEquals": {"aws:PrincipalOrgID": ORG}}), vec!["organisation o-exampleorg1 exact"]),
        (json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": ORG}}), vec!["everyone * exact"]),
        (json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": ORG}}), vec!["everyone * exact"]),
        (json!({"StringNotEquals": {"aws:PrincipalOrgID": ORG}}), vec!["everyone * exact"]),
        (
            json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": ORG}, "Null": {"AWS:PrincipalOrgID": "false"}}),
            vec!["organisation o-exampleorg1 exact"],
        ),
        (
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": format!("{ORG}/*")}}),
            vec!["organisation o-exampleorg1 exact"],
        ),
        (
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": format!("{ORG}/r-1/*")}}),
            vec!["organisation o-exampleorg1 conditional condition"],
        ),
        (
            json!({"ArnEquals": {"aws:PrincipalArn": READER}}),
            vec!["principal arn:aws:iam::222222222222:role/reader exact"],
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/sec-*"}}),
            vec!["role pattern arn:aws:iam::222222222222:role/sec-* exact"],
        ),
        (
            json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:*"}}),
            vec!["account 222222222222 exact"],
        ),
        (
            json!({"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/a*/b"}}),
            vec!["everyone * conditional condition"],
        ),
        // Nobody has such a name.
        (json!({"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/*"}}), vec![]),
        (json!({"StringEquals": {"kms:CallerAccount": "*"}}), vec![]),
        // Paths of roles may have colons.
        (
            json!({"StringEquals": {"kms:CallerAccount": "222222222222"}, "StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/sec/*"}}),
            vec![
                "account 222222222222 unknown unresolved_principal",
                "role pattern arn:aws:iam::222222222222:role/sec/* exact",
            ],
        ),
        (
            json!({"StringLike": {"aws:PrincipalArn": "arn:*:iam::222222222222:*"}}),
            vec![
                "everyone * unknown unresolved_principal",
                "account 222222222222 exact",
                "account 222222222222 unknown unresolved_principal",
            ],
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}),
            vec!["role pattern arn:aws:iam::*:role/* exact"],
        ),
        (json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:*"}}), vec!["everyone * exact"]),
        (
            json!({"StringEquals": {"kms:CallerAccount": "222222222222"}, "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/sec-*"}}),
            vec!["role pattern arn:aws:iam::222222222222:role/sec-* exact"],
        ),
        (
            json!({"StringEquals": {"kms:CallerAccount": "222222222222"}, "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/sec"}}),
            vec!["principal arn:aws:iam::222222222222:role/sec exact"],
        ),
        (
            json!({"StringEquals": {"kms:CallerAccount": "333333333333"}, "ArnLike": {"aws:PrincipalArn": READER}}),
            vec![],
        ),
        (
            json!({"StringEquals": {"aws:PrincipalOrgID": ORG}, "ArnLike": {"aws:PrincipalArn": READER}}),
            vec!["principal arn:aws:iam::222222222222:role/reader conditional condition"],
        ),
        (
            json!({"StringEquals": {"kms:CallerAccount": "222222222222", "aws:PrincipalTag/team": "sec"}}),
            vec!["account 222222222222 conditional condition"],
        ),
        (json!({"ArnNotEquals": {"aws:PrincipalArn": READER}}), vec!["everyone * exact"]),
        (json!({"Bool": {"aws:PrincipalIsAWSService": "true"}}), vec!["service * exact"]),
        (
            json!({"StringEquals": {"aws:PrincipalServiceName": "x.amazonaws.com"}}),
            vec!["service x.amazonaws.com exact"],
        ),
        (json!({"Bool": {"aws:PrincipalIsAWSService": "false"}}), vec!["everyone * exact"]),
        (json!({"StringEquals": {"aws:PrincipalArn": "${aws:SourceArn}"}}), vec!["everyone * unknown not_understood"]),
    ];
    for (condition, expected) in cases {
        assert_eq!(found(json!([allow(json!("*"), condition.clone())])), expected, "{condition}");
    }
}

#[test]
fn conditions_on_the_request() {
    let cases = [
        (json!({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}), vec!["everyone * exact"]),
        (json!({"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}), vec!["everyone * exact"]),
        (json!({"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}), vec![]),
        (json!({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}), vec![]),
        (
            json!({"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": "arn:aws:cloudtrail:*"}}),
            vec!["everyone * conditional encryption_context"],
        ),
        (
            json!({"Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "false"}}),
            vec!["everyone * conditional encryption_context"],
        ),
        (json!({"StringEquals": {"kms:EncryptionContext:SecretARN": "x"}}), vec![]),
        (json!({"Null": {"kms:EncryptionContext:aws:s3:arn": "false"}}), vec!["everyone * exact"]),
        (json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}), vec!["everyone * conditional condition"]),
        (json!({"StringEquals": {"acme:Key": "x"}}), vec!["everyone * unknown unknown_condition_key"]),
        (json!({"StringEqualsOdd": {"aws:SourceVpc": "x"}}), vec!["everyone * unknown not_understood"]),
    ];
    for (condition, expected) in cases {
        assert_eq!(found(json!([allow(json!("*"), condition.clone())])), expected, "{condition}");
    }
    let limits = |condition: Value| decryptors(&policy(json!([allow(json!("*"), condition)])))[0].is_unlimited();
    assert!(limits(json!({"Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "false"}})));
    assert!(!limits(json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})));
}

#[test]
fn named_principals_keep_their_conditions() {
    let cases = [
        (
            json!({"AWS": READER}),
            json!({"StringEquals": {"aws:PrincipalAccount": "222222222222"}}),
            vec!["principal arn:aws:iam::222222222222:role/reader exact"],
        ),
        (json!({"AWS": READER}), json!({"StringEquals": {"aws:PrincipalAccount": "333333333333"}}), vec![]),
        (
            json!({"AWS": READER}),
            json!({"StringEquals": {"aws:PrincipalOrgID": ORG}}),
            vec!["principal arn:aws:iam::222222222222:role/reader conditional condition"],
        ),
        (
            json!({"AWS": "222222222222"}),
            json!({"ArnEquals": {"aws:PrincipalArn": READER}}),
            vec!["principal arn:aws:iam::222222222222:role/reader unknown iam_decides"],
        ),
        (
            json!({"AWS": "222222222222"}),
            json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::333333333333:role/x"}}),
            vec![],
        ),
        (json!({"Service": "x.amazonaws.com"}), json!({"StringEquals": {"aws:PrincipalOrgID": ORG}}), vec![]),
        (
            json!({"Service": "x.amazonaws.com"}),
            json!({"StringEquals": {"aws:SourceOrgID": ORG}}),
            vec!["service x.amazonaws.com conditional condition"],
        ),
        (
            json!({"Service": "x.amazonaws.com"}),
            json!({"StringEquals": {"aws:PrincipalAccount": "222222222222"}}),
            vec!["service x.amazonaws.com conditional condition"],
        ),
        (
            json!({"AWS": "AROAEXAMPLE"}),
            json!({"StringEquals": {"aws:PrincipalAccount": "222222222222"}}),
            vec!["principal AROAEXAMPLE unknown condition dead_principal"],
        ),
    ];
    for (principal, condition, expected) in cases {
        assert_eq!(found(json!([allow(principal.clone(), condition.clone())])), expected, "{principal} {condition}");
    }
}

#[test]
fn a_deny_narrows_only_where_it_surely_applies_to_strangers() {
    let reader = "principal arn:aws:iam::222222222222:role/reader exact";
    let cases = [
        (json!({"ArnNotEquals": {"aws:PrincipalArn": READER}}), vec![reader]),
        (
            json!({"StringNotLike": {"aws:PrincipalArn": [READER, "arn:aws:iam::333333333333:role/a-*"]}}),
            vec!["role pattern arn:aws:iam::333333333333:role/a-* exact", reader],
        ),
        (json!({"StringNotEquals": {"aws:PrincipalOrgID": ORG}}), vec!["organisation o-exampleorg1 exact"]),
        (json!({"StringNotEqualsIfExists": {"aws:PrincipalOrgID": ORG}}), vec!["organisation o-exampleorg1 exact"]),
        (
            json!({"ForAllValues:StringNotLike": {"aws:PrincipalOrgPaths": format!("{ORG}/*")}}),
            vec!["organisation o-exampleorg1 exact"],
        ),
        // Whoever has no organisation is spared by this one.
        (
            json!({"ForAnyValue:StringNotEquals": {"aws:PrincipalOrgID": ORG}}),
            vec!["everyone * conditional deny", "service * exact"],
        ),
        (json!({"StringNotEquals": {"aws:PrincipalAccount": "222222222222"}}), vec!["account 222222222222 exact"]),
        (
            json!({"StringNotEquals": {"aws:PrincipalOrgID": ORG}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}),
            vec!["organisation o-exampleorg1 exact", "service * exact"],
        ),
        // All conditions must hold: who meets one of them is spared.
        (
            json!({"StringNotEquals": {"aws:PrincipalOrgID": ORG, "aws:PrincipalAccount": "222222222222"}}),
            vec!["organisation o-exampleorg1 exact", "account 222222222222 exact"],
        ),
        (json!({"StringEquals": {"aws:PrincipalAccount": "333333333333"}}), vec!["everyone * exact"]),
        (
            json!({"StringEquals": {"aws:PrincipalAccount": "333333333333"}, "StringNotEquals": {"aws:PrincipalOrgID": ORG}}),
            vec!["everyone * exact"],
        ),
        (json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}), vec!["everyone * conditional deny"]),
        (
            json!({"ArnNotEquals": {"aws:PrincipalArn": READER}, "StringNotEquals": {"aws:SourceVpce": "vpce-1"}}),
            vec!["everyone * conditional deny"],
        ),
        (json!({"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}), vec!["everyone * exact"]),
        (json!({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}), vec![]),
        (json!({}), vec![]),
    ];
    for (condition, expected) in cases {
        let statements = json!([allow(json!("*"), json!({})), deny(condition.clone())]);
        assert_eq!(found(statements), expected, "{condition}");
    }
}

#[test]
fn a_deny_on_classes_and_names() {
    let outside = json!({"StringNotEquals": {"aws:PrincipalOrgID": ORG}});
    let of = |principal: Value, statement: Value| found(json!([allow(principal, json!({})), statement]));
    assert_eq!(of(json!({"Service": "x.amazonaws.com"}), deny(outside.clone())), [""; 0]);
    assert_eq!(
        of(json!({"AWS": READER}), deny(outside.clone())),
        ["principal arn:aws:iam::222222222222:role/reader conditional condition"]
    );
    assert_eq!(
        of(json!({"AWS": "222222222222"}), deny(outside)),
        ["account 222222222222 unknown condition iam_decides"]
    );
    let named = |key: &str, value: Value| json!({"Effect": "Deny", key: value, "Action": "kms:*", "Resource": "*"});
    let root = json!({"AWS": "arn:aws:iam::222222222222:root"});
    assert_eq!(of(json!("*"), named("Principal", root.clone())), ["everyone * exact"]);
    assert_eq!(of(json!({"AWS": READER}), named("Principal", root.clone())), [""; 0]);
    assert_eq!(of(json!({"AWS": "222222222222"}), named("Principal", root)), [""; 0]);
    assert_eq!(
        of(json!({"AWS": "222222222222"}), named("Principal", json!({"AWS": READER}))),
        ["account 222222222222 unknown iam_decides"]
    );
    assert_eq!(
        of(json!({"AWS": READER}), named("Principal", json!({"AWS": "arn:aws:iam::222222222222:role/*"}))),
        ["principal arn:aws:iam::222222222222:role/reader exact"]
    );
    assert_eq!(
        of(json!("*"), named("NotPrincipal", json!({"AWS": [READER]}))),
        ["principal arn:aws:iam::222222222222:role/reader unknown named_by_not_principal"]
    );
    let mut part = deny(json!({}));
    part["Action"] = json!("kms:Encrypt");
    assert_eq!(of(json!("*"), part.clone()), ["everyone * exact"]);
    part["Action"] = json!("kms:*");
    part["Odd"] = json!(1);
    assert_eq!(of(json!("*"), part), ["everyone * exact"]);
}

#[test]
fn actions_that_grant() {
    for (element, value, grants) in [
        ("Action", json!("kms:*"), true),
        ("Action", json!("kms:De*"), true),
        ("Action", json!("*"), true),
        ("Action", json!("kms:ReEncrypt*"), true),
        ("Action", json!("kms:Encrypt"), false),
        ("NotAction", json!("kms:Encrypt"), true),
        ("NotAction", json!("kms:*"), false),
        ("NotAction", json!(["kms:Decrypt"]), true),
    ] {
        let statement = json!({"Effect": "Allow", "Principal": "*", element: value, "Resource": "*"});
        assert_eq!(!found(json!([statement])).is_empty(), grants, "{element} {value}");
    }
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "arn:aws:kms:us-east-1:222222222222:key/${aws:userid}"});
    assert_eq!(found(json!([statement])), ["everyone * unknown resource"]);
    let both = decryptors(&policy(json!([{"Effect": "Allow", "Principal": ["*"], "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": [READER, READER]}, "Action": "kms:*", "Resource": "*"}])));
    assert_eq!(both[1].actions, ["kms:Decrypt", "kms:ReEncryptFrom"]);
}

#[test]
fn denies_have_words() {
    let grants = decryptors(&policy(json!([
        allow(json!({"AWS": READER}), json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        deny(json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}})),
    ])));
    assert_eq!(grants[0].condition, "only if aws:MultiFactorAuthPresent is true; unless aws:SourceVpce is not vpce-1");
}

#[test]
fn what_is_public() {
    let bucket = "arn:aws:s3:::b";
    let public = |statements: Value| {
        public_statements(&policy(statements), &Facts::new())
            .iter()
            .map(|found| (found.by.index, found.public))
            .collect::<Vec<_>>()
    };
    let get = |principal: Value, condition: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": format!("{bucket}/*"), "Condition": condition});
    let sure = vec![(0, Truth::True)];
    let unclear = vec![(0, Truth::Unknown)];
    let cases = [
        (json!({}), sure.clone()),
        (json!({"StringLike": {"aws:Referer": "https://x/*"}}), sure.clone()),
        (json!({"StringEquals": {"s3:x-amz-acl": "public-read"}}), sure.clone()),
        (json!({"StringEquals": {"aws:PrincipalTag/team": "x"}}), sure.clone()),
        (json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), vec![]),
        (json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), sure.clone()),
        (json!({"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), sure.clone()),
        (json!({"IpAddressIfExists": {"aws:SourceIp": "192.0.2.0/24"}}), unclear.clone()),
        (json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}), vec![]),
        (json!({"Bool": {"aws:PrincipalIsAWSService": "true"}}), unclear.clone()),
        (json!({"StringLike": {"aws:SourceVpce": "vpce-*"}}), unclear.clone()),
        (json!({"StringEquals": {"aws:SourceAccount": "222222222222"}}), vec![]),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:222222222222:*"}}), vec![]),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}), unclear.clone()),
        (json!({"StringEquals": {"aws:PrincipalOrgID": ORG}}), vec![]),
        (json!({"StringNotEquals": {"aws:PrincipalOrgID": ORG}}), sure.clone()),
        (json!({"StringEquals": {"aws:PrincipalAccount": "222222222222"}}), vec![]),
        // What those have there who do not say who they are.
        (json!({"StringEquals": {"aws:PrincipalAccount": "anonymous"}}), sure.clone()),
        (json!({"StringLike": {"aws:userid": "anon*"}}), sure.clone()),
        (json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/x"}}), sure.clone()),
        (json!({"StringLike": {"aws:PrincipalArn": "arn:*:iam::222222222222:*"}}), unclear.clone()),
        (json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/*"}}), vec![]),
        (json!({"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}), unclear.clone()),
        (json!({"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}), unclear.clone()),
        (json!({"StringEquals": {"acme:Key": "x"}}), unclear.clone()),
    ];
    for (condition, expected) in cases {
        assert_eq!(public(json!([get(json!("*"), condition.clone())])), expected, "{condition}");
    }
    let tls = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [bucket, format!("{bucket}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
    let outside = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [bucket, format!("{bucket}/*")],
        "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": ORG}}});
    let endpoint = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}});
    let open = get(json!({"AWS": "*"}), json!({}));
    assert_eq!(public(json!([open, tls])), sure);
    assert_eq!(public(json!([open, outside])), vec![]);
    assert_eq!(public(json!([open, endpoint])), unclear);
    let mut other = outside.clone();
    other["Action"] = json!("s3:PutObject");
    assert_eq!(public(json!([open, other])), sure);
    assert_eq!(public(json!([get(json!({"AWS": "222222222222"}), json!({}))])), vec![]);
    let not =
        json!({"Effect": "Allow", "NotPrincipal": {"AWS": "222222222222"}, "NotAction": "s3:Delete*", "Resource": "*"});
    assert_eq!(public(json!([not])), sure);
    assert_eq!(public(json!([{"Effect": "allow", "Principal": "*", "Action": "*", "Resource": "*"}])), unclear);
}

/// Conditions that some strangers meet, and no stranger all of them.
#[test]
fn everyone_can_only_if_somebody_can() {
    let certainty = |condition: Value| {
        let document = policy(json!([allow(json!("*"), condition)]));
        let question =
            Question { actions: &["kms:Decrypt"], resource: Target::exact(KEY), facts: Facts::new(), anonymous: true };
        reach(&document, &question).iter().map(|grant| (grant.who.class(), grant.certainty)).collect::<Vec<_>>()
    };
    let nameless = json!({"Null": {"aws:PrincipalArn": "true"}});
    assert_eq!(certainty(nameless), [(Class::Everyone, Certainty::Exact)]);
    let of_another = json!({"ForAnyValue:StringNotEquals": {"aws:PrincipalOrgID": ORG}});
    assert_eq!(certainty(of_another), [(Class::Everyone, Certainty::Exact)]);
    let both =
        json!({"Null": {"aws:PrincipalArn": "true"}, "ForAnyValue:StringNotEquals": {"aws:PrincipalOrgID": ORG}});
    assert_eq!(certainty(both), [(Class::Everyone, Certainty::Conditional)]);
}

/// What is left of an account without its roles and users is not nobody, and not the whole account for certain.
#[test]
fn an_account_but_its_principals() {
    let of_account = json!({"StringEquals": {"kms:CallerAccount": "222222222222"}});
    let mut but = of_account.clone();
    but["StringNotLike"] = json!({"aws:PrincipalArn": "arn:aws:iam::222222222222:*"});
    assert_eq!(found(json!([allow(json!("*"), but)])), ["account 222222222222 conditional condition"]);
    let denied = deny(json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:*"}}));
    assert_eq!(found(json!([allow(json!("*"), of_account), denied])), ["account 222222222222 conditional deny"]);
}

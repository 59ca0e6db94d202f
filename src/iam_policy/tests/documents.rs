use super::*;

const PLAIN: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}"#;

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[test]
fn policies_come_in_several_encodings() {
    let plain = Document::parse(PLAIN).unwrap();
    let in_string = |text: &str| serde_json::to_string(text).unwrap();
    let encodings = [
        format!(" \n{PLAIN}\n"),
        format!("\u{feff}{PLAIN}"),
        in_string(PLAIN),
        in_string(&in_string(PLAIN)),
        percent_encoded(PLAIN),
        percent_encoded(PLAIN).replace("%7B", "%7b").replace("%2C", "%2c"),
        in_string(&percent_encoded(PLAIN)),
        percent_encoded(&in_string(PLAIN)),
    ];
    for text in encodings {
        assert_eq!(Document::parse(&text).as_ref(), Ok(&plain), "{text}");
        let value = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
        assert_eq!(Document::from_value(value).as_ref(), Ok(&plain), "{text}");
    }
}

#[test]
fn what_is_no_policy_is_refused() {
    let mut wrapped = PLAIN.to_owned();
    for _ in 0..3 {
        wrapped = serde_json::to_string(&wrapped).unwrap();
    }
    assert!(Document::parse(&wrapped).is_ok(), "four readings of text");
    wrapped = serde_json::to_string(&wrapped).unwrap();
    wrapped = serde_json::to_string(&wrapped).unwrap();
    assert_eq!(Document::parse(&wrapped), Err(DocumentError::TooManyEncodings));
    assert_eq!(Document::parse("%7B%7"), Err(DocumentError::UrlEncoding));
    assert_eq!(Document::parse("%7B%+1"), Err(DocumentError::UrlEncoding));
    assert_eq!(Document::parse("%ff"), Err(DocumentError::UrlEncoding));
    assert_eq!(Document::from_value(Value::Null), Err(DocumentError::NoObject("null")));
    assert_eq!(Document::parse("[]"), Err(DocumentError::NoObject("a list")));
    assert_eq!(Document::parse("{}"), Err(DocumentError::NoStatement));
    assert!(matches!(Document::parse(""), Err(DocumentError::Json(_))));
    let twice = r#"{"Statement":[{"Effect":"Deny","Effect":"Allow"}]}"#;
    match Document::parse(twice) {
        Err(DocumentError::Json(error)) => {
            assert!(error.to_string().contains("the name \"Effect\" stands twice"), "{error}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn elements_are_read() {
    let document = Document::from_value(json!({
        "Id": "x",
        "Statement": {
            "Sid": "S", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": ["*"],
            "Principal": {"AWS": ["arn:aws:iam::222222222222:root", "333333333333", "*"], "Service": "a.amazonaws.com"},
            "Condition": {"Bool": {"aws:SecureTransport": false}, "NumericEquals": {"k": [1, "2"]}},
        },
    }))
    .unwrap();
    assert_eq!((document.version.clone(), document.id.as_deref()), (Version::V2008, Some("x")));
    let statement = &document.statements[0];
    assert_eq!((statement.sid.as_deref(), &statement.effect), (Some("S"), &Effect::Allow));
    assert_eq!(statement.action, Listed::Only(vec!["kms:Decrypt".into()]));
    let principals = vec![
        Principal::Account("222222222222".into()),
        Principal::Account("333333333333".into()),
        Principal::EveryoneInAws,
        Principal::Service("a.amazonaws.com".into()),
    ];
    assert_eq!(statement.principal, Listed::Only(principals));
    assert_eq!(statement.conditions[0].values, ["false"]);
    assert_eq!(statement.conditions[1].values, ["1", "2"]);
    assert!(statement.not_understood.is_empty());
}

#[test]
fn principals_have_forms() {
    let cases = [
        ("AWS", "*", Principal::EveryoneInAws),
        ("AWS", "arn:aws-cn:iam::222222222222:root", Principal::Account("222222222222".into())),
        ("AWS", "arn:aws:iam::*:root", Principal::Unknown("arn:aws:iam::*:root".into())),
        ("AWS", "arn:aws:iam::222222222222:role/*", Principal::Wildcards("arn:aws:iam::222222222222:role/*".into())),
        ("AWS", "arn:aws:iam::222222222222:role/x", Principal::Arn("arn:aws:iam::222222222222:role/x".into())),
        ("AWS", "AROAEXAMPLE1", Principal::UniqueId("AROAEXAMPLE1".into())),
        ("AWS", "22222222222", Principal::Unknown("22222222222".into())),
        ("AWS", "arn:aws:s3:::b", Principal::Unknown("arn:aws:s3:::b".into())),
        ("Service", "*", Principal::Unknown("Service *".into())),
        ("aws", "*", Principal::Unknown("aws *".into())),
    ];
    for (kind, name, expected) in cases {
        assert_eq!(Principal::new(kind, name.into()), expected);
    }
}

/// Whatever is odd about a statement that would allow everything: it may apply, and never surely.
#[test]
fn what_is_not_understood_may_apply() {
    let whole = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
    let outcome = |statement: Value| {
        let document = policy(json!([statement]));
        evaluate(&document, &request(principal("arn:aws:iam::222222222222:role/x"), "kms:Decrypt", KEY)).outcome()
    };
    assert_eq!(outcome(whole.clone()), Truth::True);
    let odd = [
        ("Effect", json!("allow")),
        ("Effect", json!(1)),
        ("Principal", json!("foo")),
        ("Principal", json!([])),
        ("Principal", json!({"AWS": []})),
        ("Principal", json!({"AWS": [{}]})),
        ("Principal", json!({"Moon": "*"})),
        ("NotPrincipal", json!({"AWS": "333333333333"})),
        ("Action", json!([])),
        ("Action", json!([1])),
        ("Action", json!("kms*")),
        ("NotAction", json!("s3:*")),
        ("Resource", json!(null)),
        ("NotResource", json!("x")),
        ("Condition", json!("x")),
        ("Condition", json!({"Bool": "x"})),
        ("Condition", json!({"Bool": {"k": {}}})),
        ("Condition", json!({"Boolean": {"k": "true"}})),
        ("Sid", json!(1)),
        ("Comment", json!("x")),
        ("effect", json!("Deny")),
    ];
    for (name, value) in odd {
        let mut statement = whole.clone();
        statement[name] = value.clone();
        assert_eq!(outcome(statement), Truth::Unknown, "{name} {value}");
    }
    for name in ["Effect", "Principal", "Action", "Resource"] {
        let mut statement = whole.clone();
        statement.as_object_mut().unwrap().remove(name);
        assert_eq!(outcome(statement), Truth::Unknown, "without {name}");
    }
    assert_eq!(outcome(json!("x")), Truth::Unknown);
    let document = |name: &str, value: Value| {
        let mut document = json!({"Version": "2012-10-17", "Statement": [whole.clone()]});
        document[name] = value;
        let document = Document::from_value(document).unwrap();
        evaluate(&document, &request(principal("arn:aws:iam::222222222222:role/x"), "kms:Decrypt", KEY)).outcome()
    };
    assert_eq!(document("Version", json!("2030-01-01")), Truth::Unknown);
    assert_eq!(document("Other", json!(1)), Truth::Unknown);
    assert_eq!(document("Id", json!("x")), Truth::True);
}

//! Tests of policies, a theme in each file.

mod conditions;
mod documents;
mod hostile;
mod patterns;
mod peers;
mod principals;
mod random;
mod reached;
mod samples;

use serde_json::{Value, json};

use super::*;

const KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/11111111-aaaa-4bbb-8ccc-000000000001";

/// A policy of the newer language.
fn policy(statements: Value) -> Document {
    Document::from_value(json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
}

fn request(caller: Caller, action: &str, resource: &str) -> Request {
    Request {
        caller,
        action: action.into(),
        resource: Target::exact(resource),
        facts: Facts::new(),
        attachment: Attachment::Resource,
    }
}

fn principal(arn: &str) -> Caller {
    Caller::Principal(arn.into())
}

fn account(id: &str) -> Caller {
    Caller::AccountPrincipals(id.into())
}

fn service(name: &str) -> Caller {
    Caller::Service(name.into())
}

fn truth(letter: char) -> Truth {
    match letter {
        'T' => Truth::True,
        'F' => Truth::False,
        'U' => Truth::Unknown,
        other => panic!("{other} is no truth"),
    }
}

/// A fact in short: `-` absent, `?` unknown, `!` present, `=a|b` values, `~a|b` patterns; with `-` before, or absent.
fn fact(short: &str) -> Fact {
    match short {
        "-" => Fact::absent(),
        "?" => Fact::unknown(),
        "!" => Fact::present(),
        "=[]" => Fact::values(Vec::<String>::new()),
        _ => match (short.strip_prefix('-'), short.strip_prefix('='), short.strip_prefix('~')) {
            (Some(rest), ..) => fact(rest).or_absent(),
            (_, Some(values), _) => Fact::values(values.split('|')),
            (.., Some(patterns)) => Fact::like(patterns.split('|')),
            _ => panic!("{short} is no fact"),
        },
    }
}

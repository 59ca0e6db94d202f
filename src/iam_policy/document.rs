//! The text of a policy as a [`Document`].
//!
//! Exports give policies as an object, as a string, as a string in a string, and URL-encoded; all are tried. Whatever a
//! policy holds that is not understood here stays in the document by name: its statement may apply, but never surely.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::condition::{Condition, Operator};
use super::principal::Principal;
use crate::json::{self, JsonError};

/// The encodings that may lie around a policy.
const MAX_ENCODINGS: usize = 4;

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The version of the language.
    pub version: Version,
    /// Its `Id`.
    pub id: Option<String>,
    /// Its statements, in order.
    pub statements: Vec<Statement>,
    /// What was not understood of the policy as a whole: no statement surely applies then.
    pub not_understood: Vec<String>,
}

/// The version of the language of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, also where there is none: `${...}` is text.
    V2008,
    /// `2012-10-17`.
    V2012,
    /// Another, whose rules nobody knows.
    Unknown(String),
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its place in the policy, from 0.
    pub index: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// Whom it is about: `Principal` or `NotPrincipal`.
    pub principal: Listed<Principal>,
    /// `Action` or `NotAction`.
    pub action: Listed<String>,
    /// `Resource` or `NotResource`.
    pub resource: Listed<String>,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// What was not understood: it does not surely apply then.
    pub not_understood: Vec<String>,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies.
    Deny,
    /// It may do either.
    Unknown(String),
}

/// An element of a statement, such as `Action` and `NotAction`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed<T> {
    /// These.
    Only(Vec<T>),
    /// All but these.
    AllBut(Vec<T>),
    /// The statement has neither.
    Absent,
    /// It has both, or something else than names.
    Unclear,
}

/// Why something is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The text is no JSON.
    #[error("the policy is no JSON: {0}")]
    Json(#[from] JsonError),
    /// It looks URL-encoded, and is not.
    #[error("the URL encoding of the policy is damaged")]
    UrlEncoding,
    /// Strings in strings.
    #[error("the policy is wrapped in more than {MAX_ENCODINGS} encodings")]
    TooManyEncodings,
    /// Some other value.
    #[error("the policy is {0} and no object")]
    NoObject(&'static str),
    /// An object without statements.
    #[error("the policy has no Statement")]
    NoStatement,
}

impl Document {
    /// Reads a policy from text: an object, that object in a string, or either URL-encoded.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        Self::from_value(Value::String(text.to_owned()))
    }

    /// Reads a policy from JSON: an object, or a string with what [`Self::parse`] reads.
    pub fn from_value(value: Value) -> Result<Self, DocumentError> {
        let mut value = value;
        // One more than the encodings, for the text itself.
        for _ in 0..=MAX_ENCODINGS {
            value = match value {
                Value::Object(members) => return read_document(members),
                Value::String(text) => decode(&text)?,
                other => return Err(DocumentError::NoObject(kind(&other))),
            };
        }
        match value {
            Value::Object(members) => read_document(members),
            _ => Err(DocumentError::TooManyEncodings),
        }
    }
}

/// Takes one encoding off.
fn decode(text: &str) -> Result<Value, DocumentError> {
    let text = text.trim_ascii();
    if text.starts_with('%') {
        return percent_decode(text).map(Value::String).ok_or(DocumentError::UrlEncoding);
    }
    Ok(json::parse(text.as_bytes())?)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    decoded.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let hex = part.get(..2).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        decoded.push(u8::from_str_radix(hex, 16).ok()?);
        decoded.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(decoded).ok()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn read_document(members: Map<String, Value>) -> Result<Document, DocumentError> {
    let mut document =
        Document { version: Version::V2008, id: None, statements: Vec::new(), not_understood: Vec::new() };
    let mut statements = None;
    for (name, value) in members {
        match (name.as_str(), value) {
            ("Version", value) => document.version = read_version(value),
            ("Id", Value::String(id)) => document.id = Some(id),
            ("Statement", Value::Array(list)) => statements = Some(list),
            ("Statement", one) => statements = Some(vec![one]),
            _ => document.not_understood.push(name),
        }
    }
    let statements = statements.ok_or(DocumentError::NoStatement)?;
    document.statements =
        statements.into_iter().enumerate().map(|(index, value)| read_statement(index, value)).collect();
    Ok(document)
}

fn read_version(value: Value) -> Version {
    match value {
        Value::String(version) => match version.as_str() {
            "2008-10-17" => Version::V2008,
            "2012-10-17" => Version::V2012,
            _ => Version::Unknown(version),
        },
        other => Version::Unknown(other.to_string()),
    }
}

fn read_statement(index: usize, value: Value) -> Statement {
    let mut statement = Statement {
        index,
        sid: None,
        effect: Effect::Unknown(String::new()),
        principal: Listed::Absent,
        action: Listed::Absent,
        resource: Listed::Absent,
        conditions: Vec::new(),
        not_understood: Vec::new(),
    };
    let Value::Object(members) = value else {
        statement.not_understood.push(format!("statement that is {}", kind(&value)));
        return statement;
    };
    for (name, value) in members {
        read_member(&mut statement, name, value);
    }
    statement
}

fn read_member(statement: &mut Statement, name: String, value: Value) {
    match (name.as_str(), value) {
        ("Sid", Value::String(sid)) => statement.sid = Some(sid),
        ("Effect", value) => statement.effect = read_effect(value),
        ("Principal", value) => statement.principal.add(Listed::Only, read_principals(value)),
        ("NotPrincipal", value) => statement.principal.add(Listed::AllBut, read_principals(value)),
        ("Action", value) => statement.action.add(Listed::Only, read_names(value)),
        ("NotAction", value) => statement.action.add(Listed::AllBut, read_names(value)),
        ("Resource", value) => statement.resource.add(Listed::Only, read_names(value)),
        ("NotResource", value) => statement.resource.add(Listed::AllBut, read_names(value)),
        ("Condition", Value::Object(operators)) => read_conditions(statement, operators),
        _ => statement.not_understood.push(name),
    }
}

fn read_effect(value: Value) -> Effect {
    match value {
        Value::String(effect) => match effect.as_str() {
            "Allow" => Effect::Allow,
            "Deny" => Effect::Deny,
            _ => Effect::Unknown(effect),
        },
        other => Effect::Unknown(other.to_string()),
    }
}

impl<T> Listed<T> {
    /// Fills an element that was absent so far. AWS refuses both forms in one statement, and empty lists.
    fn add(&mut self, form: fn(Vec<T>) -> Self, read: Option<Vec<T>>) {
        let names = read.filter(|names| !names.is_empty());
        *self = match (&self, names) {
            (Self::Absent, Some(names)) => form(names),
            _ => Self::Unclear,
        };
    }
}

/// A string or a list of strings.
fn read_names(value: Value) -> Option<Vec<String>> {
    let name = |value| match value {
        Value::String(name) => Some(name),
        _ => None,
    };
    match value {
        Value::Array(values) => values.into_iter().map(name).collect(),
        one => name(one).map(|name| vec![name]),
    }
}

fn read_principals(value: Value) -> Option<Vec<Principal>> {
    let types = match value {
        Value::String(text) if text == "*" => return Some(vec![Principal::Everyone]),
        Value::String(text) => return Some(vec![Principal::Unknown(text)]),
        Value::Object(types) => types,
        _ => return None,
    };
    let mut principals = Vec::new();
    for (kind, names) in types {
        principals.extend(read_names(names)?.into_iter().map(|name| Principal::new(&kind, name)));
    }
    Some(principals)
}

fn read_conditions(statement: &mut Statement, operators: Map<String, Value>) {
    for (operator, keys) in operators {
        let Value::Object(keys) = keys else {
            statement.not_understood.push(operator);
            continue;
        };
        let operator = Operator::new(&operator);
        let mut known = BTreeSet::new();
        for (key, values) in keys {
            // Keys have no case: what one of them in two spellings means is not documented.
            let is_new = known.insert(key.to_ascii_lowercase());
            match read_scalars(values).filter(|_| is_new) {
                Some(values) => statement.conditions.push(Condition { operator: operator.clone(), key, values }),
                None => statement.not_understood.push(key),
            }
        }
    }
}

/// Strings, numbers and booleans, or a list of them.
fn read_scalars(value: Value) -> Option<Vec<String>> {
    let scalar = |value| match value {
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Array(values) => values.into_iter().map(scalar).collect(),
        one => scalar(one).map(|text| vec![text]),
    }
}

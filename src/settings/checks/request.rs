//! The requests that CloudTrail makes, and what a policy of a key or a bucket says of them.

use std::collections::BTreeSet;

use super::Conclusion;
use crate::iam_policy::evaluate::Applied;
use crate::iam_policy::{
    Attachment, Caller, Document, Effect, Evaluation, Fact, Facts, Request, Target, Truth, evaluate,
};
use crate::settings::observations::{Now, Said};

/// CloudTrail, as policies name it.
pub(super) const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";

/// A trail that asks, or one of a stranger.
pub(super) struct Asker<'a> {
    pub(super) trail: &'a str,
    pub(super) account: &'a str,
}

impl Asker<'_> {
    fn facts(&self) -> Facts {
        Facts::new()
            .with("aws:SourceArn", Fact::known(self.trail))
            .with("aws:SourceAccount", Fact::known(self.account))
            .with("aws:SecureTransport", Fact::known("true"))
    }

    /// Whether it may do something with a key.
    pub(super) fn with_key(&self, policy: &Document, action: &str, key: &str) -> Evaluation {
        let facts = match action {
            "kms:DescribeKey" => self.facts(),
            _ => self
                .facts()
                .with_prefix("kms:EncryptionContext:", Fact::absent())
                .with("kms:EncryptionContext:aws:cloudtrail:arn", Fact::known(self.trail))
                .with("kms:EncryptionContext:aws:s3:arn", Fact::like(["arn:*:s3:::*"]))
                .with("kms:EncryptionContextKeys", Fact::unknown()),
        };
        self.ask(policy, action, Target::exact(key), facts)
    }

    /// Whether it may do something with a bucket or everything that a pattern matches in it.
    pub(super) fn with_bucket(&self, policy: &Document, action: &str, resource: &str) -> Evaluation {
        let facts = match action {
            // Which encryption CloudTrail asks for is not documented.
            "s3:PutObject" => self
                .facts()
                .with("s3:x-amz-acl", Fact::known("bucket-owner-full-control"))
                .with_prefix("s3:x-amz-server-side-encryption", Fact::unknown()),
            _ => self.facts(),
        };
        self.ask(policy, action, Target::all(resource), facts)
    }

    fn ask(&self, policy: &Document, action: &str, resource: Target, facts: Facts) -> Evaluation {
        let caller = Caller::Service(CLOUDTRAIL.to_owned());
        let request = Request { caller, action: action.to_owned(), resource, facts, attachment: Attachment::Resource };
        evaluate(policy, &request)
    }
}

/// What an answer means for somebody who needs it: nothing, or the reason why not.
pub(super) fn needed(evaluation: &Evaluation, not_allowed: &'static str, denied: &'static str) -> Result<(), Refusal> {
    match (evaluation.outcome(), evaluation.deny) {
        (Truth::True, _) => Ok(()),
        (Truth::False, Truth::True) => Err(Refusal::Surely(denied)),
        (Truth::False, _) => Err(Refusal::Surely(not_allowed)),
        (Truth::Unknown, _) => Err(Refusal::Perhaps),
    }
}

/// The statements that decided, by their names.
pub(super) fn decided(evaluation: &Evaluation) -> String {
    let text = |applied: &Applied| {
        let name = applied
            .sid
            .clone()
            .filter(|sid| !sid.is_empty())
            .unwrap_or_else(|| format!("statement {}", applied.index + 1));
        let does = match applied.effect {
            Effect::Allow => "allows",
            Effect::Deny => "denies",
            Effect::Unknown(_) => "does something unknown",
        };
        let perhaps = if applied.truth == Truth::True { "" } else { " perhaps" };
        format!("{name}{perhaps} {does}")
    };
    let texts: Vec<String> = evaluation.decided_by.iter().take(8).map(text).collect();
    if texts.is_empty() { "no statement is about it".to_owned() } else { texts.join(", ") }
}

/// Why CloudTrail may not do something.
pub(super) enum Refusal {
    Surely(&'static str),
    Perhaps,
}

/// The account of a stranger: none that a policy names.
pub(super) fn stranger(policy: &str) -> String {
    let candidates = (0..).map(|number: u64| format!("{:012}", 999_999_999_999 - number));
    candidates.take(1000).find(|id| !policy.contains(id.as_str())).unwrap_or_else(|| "000000000000".to_owned())
}

/// Trails of accounts that are not ours, as a policy could let them in: what it says of sources with wildcards is filled in.
pub(super) struct Strangers {
    /// Trails and their accounts.
    trails: BTreeSet<(String, String)>,
    /// Whether a value of a source is none that can be filled in.
    is_unclear: bool,
}

/// The keys that say for which trail CloudTrail asks.
const SOURCES: [&str; 3] = ["aws:sourcearn", "aws:sourceaccount", "kms:encryptioncontext:aws:cloudtrail:arn"];

impl Strangers {
    /// `is_ours` says of an account whether it is; nothing where that is not known.
    pub(super) fn of(policy: &Document, text: &str, partition: &str, is_ours: impl Fn(&str) -> Option<bool>) -> Self {
        let account = stranger(text);
        let trail = |region: &str, account: &str, name: &str| {
            (format!("arn:{partition}:cloudtrail:{region}:{account}:trail/{name}"), account.to_owned())
        };
        let mut strangers = Self { trails: BTreeSet::new(), is_unclear: false };
        // Whom a Deny is for need not be everybody: strangers are of many kinds.
        for digit in 0..=9 {
            let id = format!("{digit}{}", &account[1..]);
            if !text.contains(&id) {
                strangers.trails.extend([trail("us-east-1", &id, "another"), trail("eu-west-1", &id, "x")]);
            }
        }
        let is_source = |key: &str| SOURCES.contains(&key.to_ascii_lowercase().as_str());
        strangers.is_unclear =
            policy.statements.iter().filter(|statement| statement.effect == Effect::Deny).any(|statement| {
                statement.conditions.iter().any(|condition| is_source(&condition.key) && !condition.operator.negated)
            });
        let allowing = policy.statements.iter().filter(|statement| statement.effect != Effect::Deny);
        let conditions = allowing.flat_map(|statement| &statement.conditions);
        for condition in conditions.filter(|condition| is_source(&condition.key)) {
            for value in &condition.values {
                let parts: Vec<&str> = value.splitn(6, ':').collect();
                match parts.as_slice() {
                    [id] if !id.contains(['*', '?']) => {
                        let is_account = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
                        strangers.is_unclear |= is_account && is_ours(id) != Some(true);
                    }
                    [id] => match filled_account(id) {
                        Some(id) => drop(strangers.trails.insert(trail("us-east-1", &id, "another"))),
                        None => strangers.is_unclear = true,
                    },
                    [_, _, _, _, owner, _] if !owner.contains(['*', '?']) => {
                        strangers.is_unclear |= is_ours(owner) != Some(true);
                    }
                    [_, _, _, region, owner, name] => match filled_account(owner) {
                        Some(id) => {
                            let (region, name) =
                                (filled(region, "us-east-1"), name.strip_prefix("trail/").unwrap_or("*"));
                            let name = filled(name, "another");
                            strangers.trails.extend([trail(&region, &id, &name), trail(&region, &account, &name)]);
                        }
                        None => strangers.is_unclear = true,
                    },
                    _ => strangers.is_unclear = true,
                }
            }
        }
        strangers
    }

    /// Compliant if none of them may.
    pub(super) fn conclude(&self, may: impl Fn(&str, &str) -> Truth) -> Conclusion {
        let any = Truth::any(self.trails.iter().map(|(trail, account)| may(trail, account)));
        let conclusion = match any {
            Truth::True => Conclusion::violation("no_source_condition"),
            Truth::False if !self.is_unclear => Conclusion::compliant(),
            _ => Conclusion::undetermined("condition_unknown"),
        };
        conclusion.expected(format!("{CLOUDTRAIL} of these accounts only"))
    }
}

/// An account that a pattern matches, which is hardly one of ours.
fn filled_account(pattern: &str) -> Option<String> {
    let fixed = pattern.bytes().filter(|byte| *byte != b'*').count();
    let missing = 12_usize.checked_sub(fixed)?;
    let mut filled = String::new();
    let mut is_filled = !pattern.contains('*');
    for c in pattern.chars() {
        match c {
            '*' if !is_filled => {
                filled.push_str(&"9".repeat(missing));
                is_filled = true;
            }
            '*' => {}
            '?' => filled.push('9'),
            c if c.is_ascii_digit() => filled.push(c),
            _ => return None,
        }
    }
    (filled.len() == 12).then_some(filled)
}

/// A text that a pattern matches.
fn filled(pattern: &str, whole: &str) -> String {
    if pattern == "*" { whole.to_owned() } else { pattern.replace('*', "").replace('?', "x") }
}

/// A policy that is known to be there or not, or why it is not known.
pub(super) fn parsed(now: &Now<'_, String>) -> Result<Option<Document>, &'static str> {
    match now.said {
        Said::Known(text) => Document::parse(text).map(Some).map_err(|_| "bucket_policy_unreadable"),
        Said::Absent => Ok(None),
        _ => Err(now.why("bucket_policy_absent")),
    }
}

//! The requests that CloudTrail makes, and what a policy of a key or a bucket says of them.

use crate::iam_policy::evaluate::Applied;
use crate::iam_policy::{
    Attachment, Caller, Document, Effect, Evaluation, Fact, Facts, Request, Target, Truth, evaluate,
};

/// CloudTrail, as policies name it.
pub(super) const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";

/// A trail that asks, or one of a stranger.
pub(super) struct Asker<'a> {
    pub(super) trail: &'a str,
    pub(super) account: &'a str,
}

impl Asker<'_> {
    /// One trail, or any that a pattern matches.
    fn trail_fact(&self) -> Fact {
        if self.trail.contains('*') { Fact::like([self.trail]) } else { Fact::known(self.trail) }
    }

    fn facts(&self) -> Facts {
        Facts::new()
            .with("aws:SourceArn", self.trail_fact())
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
                .with("kms:EncryptionContext:aws:cloudtrail:arn", self.trail_fact())
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

//! The requests that CloudTrail makes, and what a policy of a key or a bucket says of them.

use std::collections::BTreeSet;

use super::Conclusion;
use crate::iam_policy::evaluate::Applied;
use crate::iam_policy::{
    Attachment, Caller, Comparison, Condition, Document, Effect, Evaluation, Fact, Facts, Request, Target, Truth,
    evaluate,
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

/// Trails of accounts that are not ours, as a policy could let them in or spare them: what it says of sources is filled in, and
/// everything that it names of one kind is tried with everything of the others.
pub(super) struct Strangers {
    /// Trails and their accounts.
    trails: BTreeSet<(String, String)>,
    /// Whether a value of a source is none that can be filled in, or several patterns may have more in common.
    is_unclear: bool,
}

/// The keys that say for which trail CloudTrail asks.
const SOURCES: [&str; 3] = ["aws:sourcearn", "aws:sourceaccount", "kms:encryptioncontext:aws:cloudtrail:arn"];
/// Where any stranger may have a trail, and how it is called.
const USUAL_TRAILS: [(&str, &str); 2] = [("us-east-1", "another"), ("eu-west-1", "x")];
/// So many strangers are tried at most.
const MOST_TRIED: usize = 5_000;

/// What a policy says of trails, in parts.
struct Named {
    accounts: BTreeSet<String>,
    regions: BTreeSet<String>,
    names: BTreeSet<String>,
    is_unclear: bool,
}

impl Named {
    /// Takes a value of a condition: an account, or the ARN of a trail. `names` says what an account without wildcards is.
    fn take(&mut self, key: &str, value: &str, names: impl Fn(&str) -> NamedAccount) {
        if value == "*" {
            return;
        }
        let parts: Vec<&str> = value.splitn(6, ':').collect();
        let is_of_accounts = key.eq_ignore_ascii_case("aws:SourceAccount");
        let owner = match parts.as_slice() {
            // What is filled in later can be anything.
            _ if value.contains("${") => {
                self.is_unclear = true;
                return;
            }
            [id] if is_of_accounts => *id,
            [_, _, _, region, owner, name] if !is_of_accounts => {
                self.regions.insert(filled(region, "us-east-1"));
                self.names.insert(filled(name.strip_prefix("trail/").unwrap_or("*"), "another"));
                *owner
            }
            _ => {
                self.is_unclear = true;
                return;
            }
        };
        let has_wildcards = owner.contains(['*', '?']);
        match filled_account(owner) {
            Some(id) if has_wildcards => drop(self.accounts.insert(id)),
            None if has_wildcards => self.is_unclear = true,
            // What is no account is nobody's.
            None => {}
            Some(id) => match names(&id) {
                NamedAccount::Ours => {}
                NamedAccount::Unclear => self.is_unclear = true,
                NamedAccount::Stranger => drop(self.accounts.insert(id)),
            },
        }
    }
}

/// What an account is that a policy names.
enum NamedAccount {
    Ours,
    /// One to be tried.
    Stranger,
    /// Nobody knows, or somebody chose to let it in.
    Unclear,
}

impl Strangers {
    /// `is_ours` says of an account whether it is; nothing where that is not known.
    pub(super) fn of(policy: &Document, text: &str, partition: &str, is_ours: impl Fn(&str) -> Option<bool>) -> Self {
        let account = stranger(text);
        // Whom a Deny is for need not be everybody: strangers are of many kinds.
        let of_each_kind = (0..=9).map(|digit| format!("{digit}{}", &account[1..]));
        let of_each_kind: Vec<String> =
            of_each_kind.filter(|id| !text.contains(id) && is_ours(id) != Some(true)).collect();
        let mut named = Named {
            accounts: of_each_kind.last().cloned().into_iter().collect(),
            regions: USUAL_TRAILS.map(|(region, _)| region.to_owned()).into(),
            names: USUAL_TRAILS.map(|(_, name)| name.to_owned()).into(),
            is_unclear: false,
        };
        // Whether a source is there names none.
        let is_source = |condition: &&Condition| {
            SOURCES.contains(&condition.key.to_ascii_lowercase().as_str())
                && condition.operator.comparison != Some(Comparison::Null)
        };
        for statement in &policy.statements {
            let is_deny = statement.effect == Effect::Deny;
            let conditions = || statement.conditions.iter().filter(is_source);
            let what = |id: &str| match is_ours(id) {
                Some(true) => NamedAccount::Ours,
                Some(false) if is_deny => NamedAccount::Stranger,
                _ => NamedAccount::Unclear,
            };
            let values = conditions().flat_map(|it| it.values.iter().map(move |value| (&it.key, value)));
            values.for_each(|(key, value)| named.take(key, value, what));
            if is_deny {
                // Whom it is for, and not whom it spares.
                named.is_unclear |= conditions().any(|condition| !condition.operator.negated);
            } else {
                // What two patterns have in common is not filled in.
                let of_strangers = |values: &Vec<String>| values.iter().any(|value| admits_strangers(value));
                let all: Vec<bool> = conditions().map(|condition| of_strangers(&condition.values)).collect();
                named.is_unclear |= all.len() > 1 && all.iter().all(|admits| *admits);
            }
        }
        named.accounts.retain(|id| is_ours(id) != Some(true));
        let mut strangers = Self { trails: BTreeSet::new(), is_unclear: named.is_unclear };
        for account in &of_each_kind {
            strangers.trails.extend(USUAL_TRAILS.map(|(region, name)| trail_of(partition, region, account, name)));
        }
        strangers.try_all(&named, partition);
        strangers
    }

    /// Each account that a policy names with each Region and each name of a trail.
    fn try_all(&mut self, named: &Named, partition: &str) {
        let Named { accounts, regions, names, .. } = named;
        if accounts.len() * regions.len() * names.len() > MOST_TRIED {
            self.is_unclear = true;
            return;
        }
        for account in accounts {
            for region in regions {
                self.trails.extend(names.iter().map(|name| trail_of(partition, region, account, name)));
            }
        }
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

/// A trail, and its account.
fn trail_of(partition: &str, region: &str, account: &str, name: &str) -> (String, String) {
    (format!("arn:{partition}:cloudtrail:{region}:{account}:trail/{name}"), account.to_owned())
}

/// Whether a value of a source is one that others than the accounts that it names can have.
fn admits_strangers(value: &str) -> bool {
    let owner = match value.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        [id] => *id,
        [_, _, _, _, owner, _] => *owner,
        _ => return true,
    };
    owner.contains(['*', '?'])
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

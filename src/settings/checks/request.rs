//! The requests that CloudTrail makes, and what a policy of a key or a bucket says of them.

use std::collections::BTreeSet;

use super::{Conclusion, Judge};
use crate::iam_policy::evaluate::Applied;
use crate::iam_policy::{
    Attachment, Caller, Document, Effect, Evaluation, Fact, Facts, Request, Target, Truth, evaluate, is_account_id,
};
use crate::settings::observations::{Now, Said};

/// CloudTrail, as policies name it.
pub(super) const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";

/// A trail that asks, or one of a stranger: what CloudTrail says of it.
pub(super) struct Asker {
    source: Fact,
    account: Fact,
    organization: Fact,
    /// Or else any source of CloudTrail.
    is_trail: bool,
    /// The trail in the encryption context.
    context: Fact,
}

impl Asker {
    /// One trail.
    pub(super) fn of(trail: &str, account: &str) -> Self {
        let source = Fact::known(trail);
        // Operators have found that it does not match, although it is documented.
        let organization = Fact::unknown();
        Self { context: source.clone(), source, account: Fact::known(account), organization, is_trail: true }
    }

    /// Any source of CloudTrail that is of none of these accounts, nor of an account of these organisations. No name of such a source
    /// has a colon. Where S3 encrypts by itself, no trail is in the context.
    fn of_none(accounts: &BTreeSet<String>, organizations: &BTreeSet<String>) -> Self {
        let source = Fact::unlike(accounts.iter().map(|id| format!("*:{id}:*")));
        Self {
            context: source.clone().or_absent(),
            source,
            account: Fact::unlike(accounts),
            organization: Fact::unlike(organizations).or_absent(),
            is_trail: false,
        }
    }

    /// What a trail always sends; what stores of events send is not documented.
    fn always(&self, sent: Fact) -> Fact {
        if self.is_trail { sent } else { sent.or_absent() }
    }

    fn facts(&self) -> Facts {
        Facts::new()
            .with("aws:SourceArn", self.source.clone())
            .with("aws:SourceAccount", self.account.clone())
            .with("aws:SourceOrgID", self.organization.clone())
            .with("aws:SecureTransport", Fact::known("true"))
            // Nothing older is spoken any more.
            .with("s3:TlsVersion", Fact::like(["1.2", "1.3"]))
    }

    /// Whether it may do something with a key.
    pub(super) fn with_key(&self, policy: &Document, action: &str, key: &str) -> Evaluation {
        let facts = match action {
            "kms:DescribeKey" => self.facts(),
            _ => self
                .facts()
                .with_prefix("kms:EncryptionContext:", Fact::absent())
                .with("kms:EncryptionContext:aws:cloudtrail:arn", self.context.clone())
                .with("kms:EncryptionContext:aws:s3:arn", self.always(Fact::like(["arn:*:s3:::*"])))
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
                .with("s3:x-amz-acl", self.always(Fact::known("bucket-owner-full-control")))
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

/// Those who ask CloudTrail for trails of accounts that are not ours. That none of them may is certain only if it is for whoever
/// is none of ours; that one may is proven by one who may. Those who are tried are made from what the policy says of sources.
pub(super) struct Strangers {
    /// Our accounts that the policy names.
    ours: BTreeSet<String>,
    /// Our organisations, as far as all of their accounts are known.
    organizations: BTreeSet<String>,
    /// An account that it does not name.
    usual: String,
    /// Sources and their accounts.
    tried: BTreeSet<(String, String)>,
}

/// The keys that say for which trail CloudTrail asks.
const SOURCES: [&str; 3] = ["aws:sourcearn", "aws:sourceaccount", "kms:encryptioncontext:aws:cloudtrail:arn"];
/// Where any stranger may have a trail, and how it is called.
const USUAL: [(&str, &str); 2] = [("us-east-1", "trail/another"), ("eu-west-1", "trail/x")];
/// How the resources begin that CloudTrail asks for.
const KINDS: [&str; 3] = ["trail/", "eventdatastore/", "channel/"];
/// So many strangers are tried at most.
const MOST_TRIED: usize = 5_000;

/// What a policy says of sources, in parts.
struct Named {
    accounts: BTreeSet<String>,
    regions: BTreeSet<String>,
    resources: BTreeSet<String>,
}

impl Strangers {
    /// `is_ours` says of an account whether it is; nothing where that is not known.
    pub(super) fn of(judge: &Judge<'_>, policy: &Document, text: &str, partition: &str) -> Self {
        let is_ours = |id: &str| judge.is_ours(id);
        let account = stranger(text);
        // Whom a Deny is for need not be everybody: strangers are of many kinds.
        let of_each_kind = (0..=9).map(|digit| format!("{digit}{}", &account[1..]));
        let of_each_kind: Vec<String> =
            of_each_kind.filter(|id| !text.contains(id) && is_ours(id) != Some(true)).collect();
        let mut named = Named {
            accounts: of_each_kind.last().cloned().into_iter().collect(),
            regions: USUAL.map(|(region, _)| region.to_owned()).into(),
            resources: USUAL.map(|(_, resource)| resource.to_owned()).into(),
        };
        let mut ours = BTreeSet::new();
        for statement in &policy.statements {
            let of_sources = statement.conditions.iter().filter(|it| SOURCES.contains(&&*it.key.to_ascii_lowercase()));
            for value in of_sources.flat_map(|condition| &condition.values) {
                let owner = named.take_place(value);
                match is_account_id(owner).then(|| is_ours(owner)) {
                    Some(Some(true)) => drop(ours.insert(owner.to_owned())),
                    // Whom somebody lets in by number may be meant; whom a Deny spares by number only shows it.
                    Some(Some(false)) if statement.effect == Effect::Deny => {
                        named.accounts.insert(owner.to_owned());
                    }
                    Some(_) => {}
                    None => named.accounts.extend(filled_account(owner, is_ours)),
                }
            }
        }
        let organizations = judge.whole_organizations();
        let mut strangers = Self { ours, organizations, usual: account, tried: BTreeSet::new() };
        for account in &of_each_kind {
            strangers.tried.extend(USUAL.map(|(region, resource)| source(partition, region, account, resource)));
        }
        strangers.try_all(&named, partition);
        strangers
    }

    /// Each account that a policy names with each Region and each resource.
    fn try_all(&mut self, named: &Named, partition: &str) {
        for account in &named.accounts {
            for region in &named.regions {
                let room = MOST_TRIED.saturating_sub(self.tried.len());
                let all = named.resources.iter().map(|resource| source(partition, region, account, resource));
                self.tried.extend(all.take(room));
            }
        }
    }

    /// Compliant if nobody may who is none of ours.
    pub(super) fn conclude(&self, may: impl Fn(&Asker, &str) -> Truth) -> Conclusion {
        let anyone = may(&Asker::of_none(&self.ours, &self.organizations), &self.usual);
        let conclusion = match anyone {
            Truth::False => Conclusion::compliant(),
            Truth::True => Conclusion::violation("no_source_condition"),
            Truth::Unknown => {
                let mut tried = self.tried.iter().map(|(source, account)| may(&Asker::of(source, account), account));
                match tried.any(|may| may == Truth::True) {
                    true => Conclusion::violation("no_source_condition"),
                    false => Conclusion::undetermined("condition_unknown"),
                }
            }
        };
        conclusion.expected(format!("{CLOUDTRAIL} of these accounts only"))
    }
}

impl Named {
    /// Takes the Region and the resource of an ARN; returns the account, or what stands in its place.
    fn take_place<'v>(&mut self, value: &'v str) -> &'v str {
        let parts: Vec<&str> = value.splitn(6, ':').collect();
        let (owner, resource) = match parts.as_slice() {
            [_, _, _, region, owner, resource] => {
                self.regions.insert(filled(region));
                (*owner, *resource)
            }
            // Nothing but the end of an ARN.
            [end] if end.starts_with('*') => (value, *end),
            _ => return value,
        };
        let resource = match resource.strip_prefix('*') {
            Some("") => USUAL[0].1.to_owned(),
            Some(end) => format!("trail/{}", end.trim_start_matches('/').replace(['*', '?'], "x")),
            None => resource.replace(['*', '?'], "x"),
        };
        if KINDS.iter().any(|kind| resource.len() > kind.len() && resource.starts_with(kind)) {
            self.resources.insert(resource);
        }
        owner
    }
}

/// A source of CloudTrail, and its account.
fn source(partition: &str, region: &str, account: &str, resource: &str) -> (String, String) {
    (format!("arn:{partition}:cloudtrail:{region}:{account}:{resource}"), account.to_owned())
}

/// An account that a pattern matches and that is a stranger's. One that is perhaps ours proves nothing, unless others match, too.
fn filled_account(pattern: &str, is_ours: impl Fn(&str) -> Option<bool>) -> Option<String> {
    let fixed = pattern.bytes().filter(|byte| *byte != b'*').count();
    let missing = 12_usize.checked_sub(fixed)?;
    let with = |digit: u8| {
        let digit = char::from(digit);
        let run: String = std::iter::repeat_n(digit, missing).collect();
        pattern.replacen('*', &run, 1).replace('*', "").replace('?', digit.encode_utf8(&mut [0]))
    };
    let may_be_many = missing > 0 || pattern.contains('?');
    let is_stranger = |id: &String| match is_ours(id) {
        Some(is_ours) => !is_ours,
        None => may_be_many,
    };
    (b'0'..=b'9').rev().map(with).find(|id| is_account_id(id) && is_stranger(id))
}

/// A Region that a pattern matches.
fn filled(pattern: &str) -> String {
    let filled = pattern.replace('*', "").replace('?', "x");
    if filled.is_empty() { USUAL[0].0.to_owned() } else { filled }
}

/// A policy that is known to be there or not, or why it is not known.
pub(super) fn parsed(now: &Now<'_, String>) -> Result<Option<Document>, &'static str> {
    match now.said {
        Said::Known(text) => Document::parse(text).map(Some).map_err(|_| "bucket_policy_unreadable"),
        Said::Absent => Ok(None),
        _ => Err(now.why("bucket_policy_absent")),
    }
}

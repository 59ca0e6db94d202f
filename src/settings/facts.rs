//! The settings of resources, as far as a check needs them, whatever source said so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::observations::Answer;
use crate::timestamp::Timestamp;

/// Ids, ARNs and names stand in many places.
pub(super) type Name = Arc<str>;

/// Where a question was asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) account: Name,
    pub(super) region: Name,
}

impl Place {
    /// What comes before all places of an account, in order.
    pub(super) fn before_all_of(account: Name) -> Self {
        Self { account, region: "".into() }
    }
}

/// One thing that an export says.
#[derive(Debug)]
pub(super) enum Fact {
    /// The trails that an account sees in a Region.
    Trails(Place, Answer<BTreeSet<Name>>),
    /// A trail, where it was seen.
    Trail(Name, Option<Place>, TrailFact),
    Bucket(Name, BucketFact),
    /// A key by its ARN.
    Key(Name, KeyFact),
    Aliases(Place, Answer<BTreeMap<String, String>>),
    /// The id of the key that one alias stands for, by the answer to a call that named it.
    Alias(Place, String, Answer<String>),
    Account(Name, AccountFact),
    Organization(OrganizationFact),
    Finding(Finding),
}

impl Fact {
    /// The same as a part of what there is: lists can go on.
    pub(super) fn partial(self) -> Self {
        match self {
            Self::Trails(place, answer) => Self::Trails(place, answer.partial()),
            Self::Aliases(place, answer) => Self::Aliases(place, answer.partial()),
            Self::Account(id, AccountFact::Regions(answer)) => {
                Self::Account(id, AccountFact::Regions(answer.partial()))
            }
            Self::Account(id, AccountFact::EnabledRegions(answer)) => {
                Self::Account(id, AccountFact::EnabledRegions(answer.partial()))
            }
            Self::Account(id, AccountFact::Buckets(answer)) => {
                Self::Account(id, AccountFact::Buckets(answer.partial()))
            }
            Self::Account(id, AccountFact::Iam(answer)) => Self::Account(id, AccountFact::Iam(answer.partial())),
            Self::Organization(fact) => Self::Organization(fact.partial()),
            // Of what is no list, a part is not what was asked for.
            Self::Trail(arn, seen, TrailFact::Status(place, _)) => {
                Self::Trail(arn, seen, TrailFact::Status(place, Answer::Unreadable))
            }
            Self::Trail(arn, seen, TrailFact::Selectors(_)) => {
                Self::Trail(arn, seen, TrailFact::Selectors(Answer::Unreadable))
            }
            Self::Bucket(name, fact) => Self::Bucket(name, fact.partial()),
            Self::Key(arn, fact) => Self::Key(arn, fact.partial()),
            Self::Account(id, AccountFact::PublicAccessBlock(_)) => {
                Self::Account(id, AccountFact::PublicAccessBlock(Answer::Unreadable))
            }
            // A trail that is shown is shown as a whole.
            other => other,
        }
    }
}

impl BucketFact {
    fn partial(self) -> Self {
        match self {
            Self::Owner(account, how) => Self::Owner(account, how),
            Self::Gone => Self::Gone,
            Self::CreatedAt(at) => Self::CreatedAt(at),
            Self::Region(_) => Self::Region(Answer::Unreadable),
            Self::Encryption(_) => Self::Encryption(Answer::Unreadable),
            Self::Policy(_) => Self::Policy(Answer::Unreadable),
            Self::PolicyStatus(_) => Self::PolicyStatus(Answer::Unreadable),
            Self::Versioning(_) => Self::Versioning(Answer::Unreadable),
            Self::PublicAccessBlock(_) => Self::PublicAccessBlock(Answer::Unreadable),
            Self::Acl(_) => Self::Acl(Answer::Unreadable),
            Self::CanonicalOwner(answer) => Self::CanonicalOwner(answer),
            Self::ObjectOwnership(_) => Self::ObjectOwnership(Answer::Unreadable),
            Self::Logging(_) => Self::Logging(Answer::Unreadable),
            Self::ObjectLock(_) => Self::ObjectLock(Answer::Unreadable),
            Self::RequesterPays(_) => Self::RequesterPays(Answer::Unreadable),
        }
    }
}

impl KeyFact {
    fn partial(self) -> Self {
        match self {
            Self::Grants(answer) => Self::Grants(answer.partial()),
            Self::Tags(answer) => Self::Tags(answer.partial()),
            Self::Metadata(_) => Self::Metadata(Answer::Unreadable),
            Self::Policy(_) => Self::Policy(Answer::Unreadable),
            Self::Rotation(_) => Self::Rotation(Answer::Unreadable),
            Self::RotationPeriod(_) => Self::RotationPeriod(Answer::Unreadable),
        }
    }
}

impl OrganizationFact {
    fn partial(self) -> Self {
        match self {
            Self::Accounts(asker, answer) => Self::Accounts(asker, answer.partial()),
            Self::Policies(asker, kind, answer) => Self::Policies(asker, kind, answer.partial()),
            Self::Targets(id, answer) => Self::Targets(id, answer.partial()),
            Self::Parents(id, answer) => Self::Parents(id, answer.partial()),
            other => other,
        }
    }
}

#[derive(Debug)]
pub(super) enum TrailFact {
    Settings(Answer<TrailSettings>),
    /// Whether it is an organisation's; not every source says so.
    Organization(Answer<bool>),
    /// Of one Region, as one account sees it.
    Status(Place, Answer<TrailStatus>),
    Selectors(Answer<Selectors>),
    /// Its home was told that it is not there, and why is not known: it may be there again.
    Gone,
    /// AWS Config recorded that it was deleted.
    Deleted,
    /// A place was told that it has it no more.
    Unseen(Place),
}

/// `describe-trails`, and what AWS Config records of a trail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TrailSettings {
    pub(super) name: String,
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) key: Option<String>,
    pub(super) validation: bool,
    pub(super) multi_region: bool,
    pub(super) global_events: bool,
    pub(super) home_region: String,
    pub(super) log_group: Option<String>,
}

/// `get-trail-status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TrailStatus {
    pub(super) is_logging: bool,
    pub(super) delivery_error: Option<String>,
    pub(super) digest_delivery_error: Option<String>,
    pub(super) log_group_error: Option<String>,
    pub(super) delivered_at: Option<Timestamp>,
    pub(super) digested_at: Option<Timestamp>,
    pub(super) started_at: Option<Timestamp>,
}

/// `get-event-selectors`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Selectors {
    pub(super) basic: Vec<BasicSelector>,
    pub(super) advanced: Vec<Vec<FieldSelector>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BasicSelector {
    pub(super) read_write: String,
    pub(super) management: bool,
    /// The services whose events are left out.
    pub(super) excluded: Vec<String>,
}

/// One condition of an advanced selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FieldSelector {
    pub(super) field: String,
    /// The operator and its values.
    pub(super) operators: BTreeMap<String, Vec<String>>,
}

/// What is known of a bucket.
#[derive(Debug)]
pub(super) enum BucketFact {
    /// An account that answered for it, and how surely it owned it then.
    Owner(Name, Ownership),
    /// Somebody was told that it is not there.
    Gone,
    /// When it was made, or last made anew.
    CreatedAt(Timestamp),
    Region(Answer<String>),
    Encryption(Answer<DefaultEncryption>),
    /// The text of its policy.
    Policy(Answer<String>),
    PolicyStatus(Answer<bool>),
    Versioning(Answer<Versioning>),
    PublicAccessBlock(Answer<PublicAccessBlock>),
    Acl(Answer<BTreeSet<(String, String)>>),
    /// The id by which S3 knows its owner.
    CanonicalOwner(Answer<String>),
    ObjectOwnership(Answer<String>),
    Logging(Answer<String>),
    ObjectLock(Answer<Option<String>>),
    RequesterPays(Answer<bool>),
}

/// How it is known whose bucket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ownership {
    /// The account could ask for its settings.
    Asked,
    /// It is among its buckets, AWS Config recorded it there, or S3 answered on condition that it is its bucket.
    Proven,
}

/// The default encryption of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DefaultEncryption {
    pub(super) algorithm: String,
    pub(super) key: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Versioning {
    pub(super) status: Option<String>,
    pub(super) mfa_delete: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PublicAccessBlock {
    pub(super) block_acls: bool,
    pub(super) ignore_acls: bool,
    pub(super) block_policy: bool,
    pub(super) restrict: bool,
}

#[derive(Debug)]
pub(super) enum KeyFact {
    Metadata(Answer<KeyMetadata>),
    /// The text of its policy.
    Policy(Answer<String>),
    Rotation(Answer<bool>),
    /// In days.
    RotationPeriod(Answer<u32>),
    Grants(Answer<BTreeSet<KeyGrant>>),
    Tags(Answer<BTreeMap<String, String>>),
}

/// `describe-key`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyMetadata {
    pub(super) state: String,
    /// What a source leaves out is empty.
    pub(super) spec: String,
    pub(super) usage: String,
    pub(super) manager: String,
    pub(super) origin: String,
    /// When imported material expires.
    pub(super) valid_to: Option<Timestamp>,
    pub(super) enabled: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyGrant {
    pub(super) id: String,
    pub(super) grantees: Vec<String>,
    pub(super) operations: BTreeSet<String>,
    /// Its constraints as JSON; empty if there are none.
    pub(super) constraints: String,
}

#[derive(Debug)]
pub(super) enum AccountFact {
    /// The Regions, each with whether it is enabled.
    Regions(Answer<BTreeMap<String, bool>>),
    /// Those that are enabled, from another call.
    EnabledRegions(Answer<BTreeMap<String, bool>>),
    PublicAccessBlock(Answer<PublicAccessBlock>),
    /// The names of its buckets.
    Buckets(Answer<BTreeSet<Name>>),
    Iam(Answer<Identities>),
    /// The id by which S3 knows it.
    CanonicalId(Answer<String>),
}

/// What the identity policies of an account allow, each principal with the texts of its policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identities {
    /// By the ARN of the principal.
    pub(super) principals: BTreeMap<String, Identity>,
    /// The ids (`AROA...`, `AIDA...`) that exist.
    pub(super) ids: BTreeSet<String>,
}

/// The identity policies of a principal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    /// Their texts.
    pub(super) policies: Vec<String>,
    pub(super) has_boundary: bool,
}

/// The accounts of an organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AccountList {
    /// By id, each with whether it is active.
    pub(super) accounts: BTreeMap<String, bool>,
    /// The organisation's id, if they tell.
    pub(super) organization: Option<String>,
    /// The account that manages it, if they tell.
    pub(super) management: Option<String>,
}

#[derive(Debug)]
pub(super) enum OrganizationFact {
    /// By the account that asked.
    Accounts(Name, Answer<AccountList>),
    /// The same.
    Description(Name, Answer<OrganizationDescription>),
    /// The policies of a type, by the account that asked.
    Policies(Name, PolicyType, Answer<BTreeSet<String>>),
    Policy(String, Answer<OrganizationPolicy>),
    /// The types of policies that are in force, or may be, by the account that asked.
    EnabledTypes(Name, Answer<BTreeMap<PolicyType, bool>>),
    /// What a policy is attached to.
    Targets(String, Answer<BTreeSet<String>>),
    /// What an account or unit lies in.
    Parents(String, Answer<BTreeSet<String>>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OrganizationDescription {
    pub(super) id: String,
    pub(super) management: String,
    /// Whether it can have policies, if that is told: one for billing only has none.
    pub(super) has_policies: Option<bool>,
}

/// `describe-policy`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OrganizationPolicy {
    /// Its type, if the answer tells.
    pub(super) kind: Option<PolicyType>,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PolicyType {
    ServiceControl,
    ResourceControl,
    /// Any other.
    Other,
}

impl PolicyType {
    /// By its name in Organizations.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "SERVICE_CONTROL_POLICY" => Self::ServiceControl,
            "RESOURCE_CONTROL_POLICY" => Self::ResourceControl,
            _ => Self::Other,
        }
    }
}

/// What another tool says of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// As Security Hub names it: `CloudTrail.2`.
    pub(super) control: String,
    /// The ARN of the resource, or an account.
    pub(super) resource: String,
    pub(super) passed: Option<bool>,
    pub(super) tool: String,
}

/// The members of objects, however the source spells their names: `KmsKeyId`, `kmsKeyId`.
pub(super) struct Members<'v>(&'v Value);

impl<'v> Members<'v> {
    /// Of an object; nothing else has any. One in which a name stands in two spellings says two things, and so nothing.
    pub(super) fn of(value: &'v Value) -> Option<Self> {
        let mut names: Vec<String> = value.as_object()?.keys().map(|name| name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair[0] != pair[1]).then_some(Self(value))
    }

    /// A member; null is none.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        let object = self.0.as_object()?;
        let mut found = object.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        // Two spellings of one name say two things, and so nothing.
        found.next().filter(|value| !value.is_null() && found.next().is_none())
    }

    /// Whether it is there, null or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.as_object().is_some_and(|object| object.keys().any(|known| known.eq_ignore_ascii_case(name)))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.as_object().is_none_or(serde_json::Map::is_empty)
    }

    pub(super) fn text(&self, name: &str) -> Option<&'v str> {
        self.get(name)?.as_str()
    }

    /// A text; an empty one is none.
    pub(super) fn filled(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// A truth value, also as a text.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => match text.as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn list(&self, name: &str) -> Option<&'v Vec<Value>> {
        self.get(name)?.as_array()
    }

    /// The texts of a list, or of one text.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        match self.get(name)? {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(list) => list.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_found_in_either_spelling() {
        let (upper, lower) =
            (json!({"KmsKeyId": "k", "Flag": "true"}), json!({"kmsKeyId": "k", "flag": true, "x": null}));
        for value in [&upper, &lower] {
            let members = Members::of(value).expect("an object");
            assert_eq!(
                (members.text("KmsKeyId"), members.flag("Flag"), members.get("X")),
                (Some("k"), Some(true), None)
            );
        }
    }
}

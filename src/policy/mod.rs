//! The written standard: which objects it is about and what it demands of them.
//!
//! A [`Policy`] is read from TOML once ([`Policy::from_toml`]) and cannot be wrong afterwards. A [`Checker`] holds it against objects:
//! [`Checker::judge_object`] looks at one, the plain way; [`Scope`] does the part of the work that neighbouring keys
//! share. Both give a [`Ruling`].

mod assumed;
mod checked;
mod checker;
mod conditions;
mod file;
mod glob;
mod preset;
mod ruling;
mod settings;
mod settings_file;

pub use assumed::EvidenceAssumptions;
pub use checked::PolicyError;
pub use checker::{Alternative, Checker, Doubt, Key, KeyName, KeyState, Object, RuleTrace, Scope};
pub use conditions::Conditions;
pub use glob::{Glob, Globs};
pub use preset::{Preset, PresetError};
pub use ruling::{BucketKey, ExceptionId, Method, Reason, RuleId, Ruling, Status, Verdict};
pub use settings::{
    AllowedReader, BucketDemand, Demanded, GuardrailDemand, KeyDemand, ManagementEvents, ObjectLock, RequiredAccounts,
    RequiredRegions, SettingsException, SettingsPolicy, Standard, TrailDemand, TrailScope,
};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::object_key::{Account, ObjectKey};
use crate::timestamp::Timestamp;

/// A policy that has been checked.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What it calls itself.
    pub name: String,
    /// Its version, free text.
    pub version: String,
    /// What it is for, in words that reports repeat.
    pub statement: String,
    /// What its results are about, for those who keep results of many kinds.
    pub labels: Labels,
    /// What becomes of an object that no rule matches.
    pub unmatched: Unmatched,
    /// Which versions of an object it is about.
    pub versions: Versions,
    /// Names for key ARNs.
    pub keys: BTreeMap<String, NamedKey>,
    /// The first whose `scope` matches decides.
    pub rules: Vec<Rule>,
    /// What violating objects should become.
    pub remediation: Option<Remediation>,
    /// Violations that somebody has accepted for a time.
    pub exceptions: Vec<Exception>,
    /// What the operator states about key evidence: no demand.
    pub evidence: EvidenceAssumptions,
    /// Its text, as it was read.
    pub text: String,
    /// The SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// The SHA-256 of what it demands, in hexadecimal: the same for all spellings and for all statements about evidence.
    pub identity: String,
    /// The SHA-256 of its text as it may have been before anything was stated about evidence: versions before that was
    /// possible know it by its text alone.
    pub earlier_sha256: Vec<String>,
}

/// What results are about, as somebody names it. Empty is what is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Labels {
    /// The environment, such as `production`.
    pub environment: String,
    /// The system.
    pub system: String,
    /// Who answers for it.
    pub owner: String,
}

/// What becomes of an object that no rule matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmatched {
    /// It is counted and not judged.
    #[default]
    OutOfScope,
    /// It violates the policy.
    Violation,
}

/// Which versions of an object a policy is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Versions {
    /// Every version.
    #[default]
    All,
    /// Noncurrent versions are out of scope.
    Current,
}

/// How bad a violation of a rule is. It changes no verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Informational,
    /// Of little weight.
    Low,
    /// What a rule has that does not say.
    #[default]
    Medium,
    /// To be put right soon.
    High,
    /// To be put right at once.
    Critical,
}

impl Severity {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What a rule says about S3 Bucket Keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BucketKeyDemand {
    /// Nothing.
    #[default]
    Any,
    /// SSE-KMS objects must use one.
    Required,
}

/// The ARN of a KMS key, in full.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyArn(String);

/// A key that a policy has a name for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// The key.
    pub arn: KeyArn,
    /// Whether its replicas in other Regions will do as well.
    pub replicas: bool,
}

/// A demand on the objects of a scope.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name in reports.
    pub id: String,
    /// How bad a violation is.
    pub severity: Severity,
    /// The controls of written standards that it stands for.
    pub controls: Vec<String>,
    /// The objects that it is about.
    pub scope: Where,
    /// The methods that it allows.
    pub encryption: Vec<Method>,
    /// The keys that it allows for SSE-KMS and DSSE-KMS; nothing when any will do.
    pub keys: Option<Vec<NamedKey>>,
    /// Whether SSE-KMS needs a Bucket Key.
    pub bucket_key: BucketKeyDemand,
}

/// What violating objects should become.
#[derive(Clone, Debug)]
pub struct Remediation {
    /// The key to encrypt them under.
    pub key: KeyArn,
    /// Whether to use a Bucket Key.
    pub bucket_key: bool,
}

/// Violations of a rule that somebody has accepted for a time.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Its name in reports.
    pub id: String,
    /// The rule whose violations it covers.
    pub rule: RuleId,
    /// The objects that it covers.
    pub scope: Where,
    /// Why it was granted.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The first moment at which it no longer holds.
    pub expires: Timestamp,
}

/// Conditions on an object, all of which must hold. A condition that is absent always does.
#[derive(Clone, Debug, Default)]
pub struct Where {
    /// Patterns for the bucket.
    pub bucket: Option<Globs>,
    /// Patterns for the kind, as the key says it.
    pub kind: Option<Globs>,
    /// Patterns for the account in the key. An object whose key names none matches none of them.
    pub account: Option<Globs>,
    /// Patterns for the Region in the key. An object whose key names none matches none of them.
    pub region: Option<Globs>,
    /// Patterns for the whole key.
    pub key: Option<Globs>,
    /// Patterns for the storage class, as the report spells it.
    pub storage_class: Option<Globs>,
    /// It was last modified at this moment or later.
    pub written_from: Option<Timestamp>,
    /// It was last modified before this moment.
    pub written_before: Option<Timestamp>,
}

/// Whether a condition holds for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It does not.
    No,
    /// The report lacks what would tell.
    Unknown,
    /// It does.
    Yes,
}

impl Answer {
    /// Whether both hold: one no is enough for a no.
    fn and(self, other: Self) -> Self {
        self.min(other)
    }

    fn from_bool(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl Exception {
    /// The last moment at which it holds.
    pub fn last_moment(&self) -> Timestamp {
        Timestamp::from_millis(self.expires.as_millis() - 1).unwrap_or(self.expires)
    }
}

impl NamedKey {
    /// Whether an object under that key is under this one.
    pub fn covers(&self, arn: &KeyArn) -> bool {
        self.arn == *arn || (self.replicas && self.arn.is_replica_of(arn))
    }
}

impl Rule {
    /// Whether it allows a key.
    pub fn allows_key(&self, arn: &KeyArn) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.iter().any(|key| key.covers(arn)))
    }
}

impl KeyArn {
    /// Refuses everything but the full ARN of a key: no alias, no bare id.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next();
        let (arn, partition, service) = (part()?, part()?, part()?);
        let (region, account, resource) = (part()?, part()?, part()?);
        let id = resource.strip_prefix("key/")?;
        let of = |text: &str, allowed: fn(u8) -> bool| !text.is_empty() && text.bytes().all(allowed);
        let shaped = arn == "arn"
            && service == "kms"
            && partition.starts_with("aws")
            && of(partition, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && of(region, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && account.len() == 12
            && of(account, |byte| byte.is_ascii_digit())
            && of(id, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && text.len() <= 2048;
        shaped.then(|| Self(text.to_owned()))
    }

    /// The id of the key, behind `key/`.
    pub fn id(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(_, id)| id)
    }

    /// The account that it belongs to.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }

    /// Whether it is a multi-Region key.
    pub fn is_multi_region(&self) -> bool {
        self.id().starts_with("mrk-")
    }

    /// Whether both are the same multi-Region key, in whatever Regions.
    pub fn is_replica_of(&self, other: &Self) -> bool {
        let without_region = |arn: &Self| {
            let parts = arn.0.split(':').enumerate().filter(|(at, _)| *at != 3);
            parts.map(|(_, part)| part.to_owned()).collect::<Vec<_>>()
        };
        self.is_multi_region() && without_region(self) == without_region(other)
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Where {
    /// The conditions that follow from the bucket and from what the key says of itself.
    fn answer_place(&self, bucket: &[u8], key: &ObjectKey<'_>) -> Answer {
        let account = key.account.map(Account::to_digits);
        let region = key.region.as_ref().map(|region| region.as_bytes());
        let holds = matches(self.bucket.as_ref(), Some(bucket))
            && matches(self.kind.as_ref(), Some(key.kind))
            && matches(self.account.as_ref(), account.as_ref().map(<[u8; 12]>::as_slice))
            && matches(self.region.as_ref(), region);
        Answer::from_bool(holds)
    }

    /// Whether there are conditions beyond those of [`Self::answer_place`].
    fn depends_on_row(&self) -> bool {
        self.key.is_some() || self.storage_class.is_some() || self.depends_on_time()
    }

    /// Whether an object's key answers one of the conditions.
    fn depends_on_key(&self) -> bool {
        [&self.kind, &self.account, &self.region, &self.key].into_iter().any(Option::is_some)
    }

    fn depends_on_time(&self) -> bool {
        self.written_from.is_some() || self.written_before.is_some()
    }

    /// The conditions that each row answers for itself.
    fn answer_row(&self, key: &[u8], storage_class: &[u8], written: Option<Timestamp>) -> Answer {
        Answer::from_bool(matches(self.key.as_ref(), Some(key)))
            .and(self.answer_class(storage_class))
            .and(self.answer_written(written))
    }

    fn answer_class(&self, storage_class: &[u8]) -> Answer {
        match &self.storage_class {
            None => Answer::Yes,
            Some(_) if storage_class.is_empty() => Answer::Unknown,
            Some(globs) => Answer::from_bool(globs.matches(storage_class)),
        }
    }

    fn answer_written(&self, written: Option<Timestamp>) -> Answer {
        if self.written_from.is_none() && self.written_before.is_none() {
            return Answer::Yes;
        }
        let Some(written) = written else { return Answer::Unknown };
        let late_enough = self.written_from.is_none_or(|from| written >= from);
        let early_enough = self.written_before.is_none_or(|before| written < before);
        Answer::from_bool(late_enough && early_enough)
    }
}

/// A field that an object does not have matches nothing, not even `*`.
fn matches(globs: Option<&Globs>, field: Option<&[u8]>) -> bool {
    globs.is_none_or(|globs| field.is_some_and(|field| globs.matches(field)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_key_arns_are_keys() {
        let good = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";
        assert_eq!(KeyArn::parse(good).as_ref().map(KeyArn::as_str), Some(good));
        for bad in [
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "alias/archive",
            "arn:aws:kms:us-east-1:111122223333:alias/archive",
            "arn:aws:kms:us-east-1:11112222333:key/1234abcd",
            "arn:aws:s3:us-east-1:111122223333:key/1234abcd",
            "arn:aws:kms:us-east-1:111122223333:key/",
            "arn:aws:kms:us-east-1:111122223333:key/a:b",
        ] {
            assert_eq!(KeyArn::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_no_outweighs_an_unknown() {
        assert_eq!(Answer::Unknown.and(Answer::No), Answer::No);
        assert_eq!(Answer::Yes.and(Answer::Unknown), Answer::Unknown);
    }
}

//! The condition keys that are known: what they depend on, and whom they limit.

use super::condition::{Comparison, Condition, Network, Operator, SetOperator, parse_bool};
use super::pattern::Pattern;
use super::principal::is_account_id;
use super::truth::Truth;
use super::who::Who;

/// The keys of AWS for every service, in small letters.
const GLOBAL: &[&str] = &[
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:chatbotsourcearn",
    "aws:currenttime",
    "aws:epochtime",
    "aws:federatedprovider",
    "aws:ismcpserviceaction",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:principaltype",
    "aws:referer",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceidentity",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:vpcsourceip",
    "aws:assumedroot",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
];

/// How the keys begin that end in a name of the user's, and the keys of KMS and S3.
const PREFIXES: &[&str] = &["aws:principaltag/", "aws:requesttag/", "aws:resourcetag/", "kms:", "s3:"];

/// The keys whose fixed values S3 accepts as a limit of what would be public.
const FIXED_BY_S3: &[&str] = &[
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "kms:calleraccount",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

/// What whoever asks is free to choose, or to give itself in an account of its own.
const CHOSEN: &[&str] = &[
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principaltype",
    "aws:referer",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:sourceidentity",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:username",
    "kms:viaservice",
    "s3:authtype",
    "s3:delimiter",
    "s3:max-keys",
    "s3:prefix",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-storage-class",
];

/// As [`CHOSEN`], how they begin.
const CHOSEN_PREFIXES: &[&str] =
    &["aws:principaltag/", "aws:requesttag/", "kms:encryptioncontext", "s3:requestobjecttag/", "s3:x-amz-grant-"];

/// A key that says who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhoKey {
    Account,
    Organisation,
    OrganisationPath,
    Arn,
    Service,
}

/// The key of the condition in small letters.
pub(super) fn lower(condition: &Condition) -> String {
    condition.key.to_ascii_lowercase()
}

/// Whether the condition asks who calls.
pub(super) fn who_key(condition: &Condition) -> Option<WhoKey> {
    Some(match lower(condition).as_str() {
        "aws:principalaccount" | "kms:calleraccount" => WhoKey::Account,
        "aws:principalorgid" => WhoKey::Organisation,
        "aws:principalorgpaths" => WhoKey::OrganisationPath,
        "aws:principalarn" => WhoKey::Arn,
        "aws:principalservicename" => WhoKey::Service,
        _ => return None,
    })
}

/// Whether the condition asks for the encryption context.
pub(super) fn is_encryption_context(condition: &Condition) -> bool {
    lower(condition).starts_with("kms:encryptioncontext")
}

/// Whether AWS has such a key.
pub(super) fn is_known(condition: &Condition) -> bool {
    let key = lower(condition);
    GLOBAL.contains(&key.as_str()) || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// Whom the values of a condition name, its negation aside. `None` if that is no list of classes.
///
/// Whoever has a value that matches is of one of these classes, and with set operators at least one value must match, or
/// the caller has none.
pub(super) fn named_by(condition: &Condition) -> Option<Vec<Who>> {
    let key = who_key(condition)?;
    let comparison = condition.operator.comparison?;
    let wildcards = match comparison {
        Comparison::StringEquals => false,
        Comparison::StringLike | Comparison::ArnLike => true,
        _ => return None,
    };
    if condition.values.is_empty() || condition.values.iter().any(|value| value.contains("${")) {
        return None;
    }
    let values = condition.values.iter().filter(|value| wildcards || !is_of_nobody(key, value));
    values.map(|value| named(key, value, wildcards)).collect()
}

/// Whether a condition may be met by ARNs that are of none of the classes that it names: a wildcard of a text reaches over colons,
/// which paths of roles and users may have.
pub(super) fn reaches_over_colons(condition: &Condition) -> bool {
    let reaches = |value: &String| value.split(':').take(5).any(|part| part.contains(['*', '?']));
    who_key(condition) == Some(WhoKey::Arn)
        && condition.operator.comparison == Some(Comparison::StringLike)
        && condition.values.iter().any(|value| reaches(value) && !Pattern::new(value).is_anything())
}

/// Whether a value without wildcards for its operator has signs that no name of that key has.
fn is_of_nobody(key: WhoKey, value: &str) -> bool {
    let name = match key {
        WhoKey::Account | WhoKey::Organisation => value,
        // Paths may have such signs, names have not.
        WhoKey::Arn => value.rsplit('/').next().unwrap_or(value),
        WhoKey::OrganisationPath | WhoKey::Service => return false,
    };
    name.contains(['*', '?'])
}

fn named(key: WhoKey, value: &str, wildcards: bool) -> Option<Who> {
    let fixed = !value.contains(['*', '?']);
    match key {
        WhoKey::Account if is_account_id(value) => Some(Who::Account(value.to_owned())),
        WhoKey::Organisation if fixed && !value.is_empty() => Some(Who::Organisation(value.to_owned())),
        WhoKey::OrganisationPath => {
            let organisation = value.split('/').next().filter(|id| id.starts_with("o-") && !id.contains(['*', '?']))?;
            Some(Who::Organisation(organisation.to_owned()))
        }
        WhoKey::Arn if fixed || wildcards => Who::of_arn_pattern(value),
        WhoKey::Service if fixed && !value.is_empty() => Some(Who::Service(value.to_owned())),
        _ => None,
    }
}

/// Whether the classes that a condition names are all that it asks: not so for parts of an organisation.
pub(super) fn is_whole(condition: &Condition) -> bool {
    who_key(condition) != Some(WhoKey::OrganisationPath)
        || condition.values.iter().all(|path| path.ends_with("/*") && path.matches('/').count() == 1)
}

/// How far a condition keeps the public out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// Not at all: whoever wants to meets it.
    None,
    /// Nobody knows.
    Unclear,
    /// To something fixed, such as a network.
    Fixed,
}

/// How far a condition keeps the public out, if it is the condition of a statement that allows.
pub(super) fn limit(condition: &Condition) -> Limit {
    let key = lower(condition);
    let chosen = CHOSEN.contains(&key.as_str()) || CHOSEN_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    let Operator { comparison: Some(comparison), negated, if_exists, set, .. } = condition.operator else {
        return Limit::Unclear;
    };
    if chosen {
        return Limit::None;
    }
    let fixed_key = FIXED_BY_S3.contains(&key.as_str());
    if fixed_key && (negated || comparison == Comparison::Null) {
        return Limit::None;
    }
    // Keys that a request may lack limit nobody who leaves them out.
    if !fixed_key || if_exists || set == Some(SetOperator::ForAllValues) {
        return Limit::Unclear;
    }
    let fixed = condition.values.iter().all(|value| is_fixed(&key, comparison, value));
    let nothing =
        condition.values.iter().any(|value| is_everything(comparison, value) || is_anonymous(&key, comparison, value))
            || are_public(comparison, &condition.values);
    match (nothing, fixed && !condition.values.is_empty()) {
        (true, _) => Limit::None,
        (false, true) => Limit::Fixed,
        (false, false) => Limit::Unclear,
    }
}

/// Whether networks are together wider than anybody has.
fn are_public(comparison: Comparison, values: &[String]) -> bool {
    let networks =
        values.iter().filter(|_| comparison == Comparison::IpAddress).filter_map(|value| Network::parse(value));
    networks.map(|network| network.share()).sum::<f64>() > 1.0
}

fn is_everything(comparison: Comparison, value: &str) -> bool {
    match comparison {
        Comparison::IpAddress => Network::parse(value).is_some_and(|network| network.is_public()),
        Comparison::StringLike | Comparison::ArnLike => Pattern::new(value).is_anything(),
        _ => false,
    }
}

/// Whether a value is what requests have there that do not say who asks.
fn is_anonymous(key: &str, comparison: Comparison, value: &str) -> bool {
    const ANONYMOUS: &str = "anonymous";
    matches!(key, "aws:principalaccount" | "aws:userid")
        && match comparison {
            Comparison::StringLike => Pattern::new(value).matches(ANONYMOUS) != Truth::False,
            _ => value.eq_ignore_ascii_case(ANONYMOUS),
        }
}

/// Whether the value is fixed: no wildcards, or an ARN whose account is given.
fn is_fixed(key: &str, comparison: Comparison, value: &str) -> bool {
    if value.contains("${") {
        return false;
    }
    match comparison {
        Comparison::IpAddress => Network::parse(value).is_some(),
        Comparison::StringEquals | Comparison::StringEqualsIgnoreCase => true,
        Comparison::ArnLike if matches!(key, "aws:sourcearn" | "aws:principalarn") => {
            value.split(':').nth(4).is_some_and(is_account_id) || !value.contains(['*', '?'])
        }
        Comparison::StringLike | Comparison::ArnLike => !value.contains(['*', '?']),
        _ => false,
    }
}

/// Whether a condition of a statement that denies is one that the requester escapes at will, such as `aws:SecureTransport`.
pub(super) fn is_escaped_at_will(condition: &Condition) -> bool {
    let is_false = |value: &String| parse_bool(value) == Some(false);
    lower(condition) == "aws:securetransport" && condition.values.iter().all(is_false)
}

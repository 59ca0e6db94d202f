//! Items of AWS Config, in their three spellings: files in S3, `get-resource-config-history`, advanced queries.
//!
//! History has every value as JSON in a string; access control lists are a string in all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::json;
use crate::settings::existence::home_of;
use crate::settings::facts::{BucketFact, Fact, KeyFact, Members, Name, Ownership, Place, TrailFact, Versioning};
use crate::settings::observations::Answer;
use crate::timestamp::{Timestamp, written};

use super::answers::{
    self, NoAnswer, Read, encryption_rules, key_metadata, key_tags, lock_mode, public_access_flags, trail_settings,
};

/// What an item says, and when it was so.
pub(super) struct Item {
    pub(super) at: Option<Timestamp>,
    pub(super) facts: Vec<Fact>,
}

/// Whether a value is an item.
pub(super) fn is_item(value: &Value) -> bool {
    let members = Members::of(value);
    members.is_some_and(|item| item.text("resourceType").is_some() && item.get("configurationItemStatus").is_some())
}

/// When an item was so.
pub(super) fn captured_at(item: &Value) -> Option<Timestamp> {
    Members::of(item)?.text("configurationItemCaptureTime").and_then(written::parse)
}

/// What is left of a fact of an item that is not the newest: how it is, is not known.
pub(super) fn of_past(fact: Fact) -> Fact {
    match fact {
        Fact::Trail(arn, seen, TrailFact::Settings(_) | TrailFact::Deleted) => {
            Fact::Trail(arn, seen, TrailFact::Settings(Answer::Unreadable))
        }
        Fact::Trail(arn, seen, TrailFact::Organization(_)) => {
            Fact::Trail(arn, seen, TrailFact::Organization(Answer::Unreadable))
        }
        other => other.partial(),
    }
}

/// Reads an item. Other types of resources say nothing here.
pub(super) fn item(value: &Value) -> Result<Item, NoAnswer> {
    let item = Members::of(value).ok_or(NoAnswer::Shape("an item"))?;
    let at = captured_at(value);
    let place = Place {
        account: text(&item, &["awsAccountId", "accountId"])?.into(),
        region: text(&item, &["awsRegion"])?.into(),
    };
    let status = text(&item, &["configurationItemStatus"])?;
    let kind = text(&item, &["resourceType"])?;
    let found = match status.as_str() {
        "OK" | "ResourceDiscovered" => Found::There(native(item.get("configuration"))),
        "ResourceDeleted" => Found::Deleted,
        // What is not recorded is not known from then on.
        _ => Found::Unknown,
    };
    let supplement = native_members(item.get("supplementaryConfiguration"));
    let facts = match kind.as_str() {
        "AWS::CloudTrail::Trail" => trail(&item, &found, &place)?,
        "AWS::S3::Bucket" => bucket(&item, &found, &supplement, &place)?,
        "AWS::KMS::Key" => key(&item, &found, &supplement)?,
        _ => Vec::new(),
    };
    Ok(Item { at, facts })
}

/// What an item says of its resource.
enum Found {
    There(Value),
    Deleted,
    Unknown,
}

fn text(item: &Members<'_>, names: &[&'static str]) -> Result<String, NoAnswer> {
    let found = names.iter().find_map(|name| item.filled(name));
    found.ok_or(NoAnswer::Shape(names.first().copied().unwrap_or_default()))
}

/// A value that may be JSON in a string, as often as it takes.
fn native(value: Option<&Value>) -> Value {
    let mut value = value.cloned().unwrap_or(Value::Null);
    for _ in 0..4 {
        match &value {
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => match json::parse(text.as_bytes()) {
                Ok(inner) => value = inner,
                Err(_) => return value,
            },
            _ => return value,
        }
    }
    value
}

fn native_members(value: Option<&Value>) -> BTreeMap<String, Value> {
    let object = native(value);
    object.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), native(Some(value)))).collect()
}

fn configuration<'v>(found: &'v Found) -> Result<Option<Members<'v>>, NoAnswer> {
    match found {
        Found::There(value) => Members::of(value).map(Some).ok_or(NoAnswer::Shape("configuration")),
        Found::Deleted | Found::Unknown => Ok(None),
    }
}

fn trail(item: &Members<'_>, found: &Found, place: &Place) -> Result<Vec<Fact>, NoAnswer> {
    let arn = |configuration: Option<&Members<'_>>| {
        let own = configuration.and_then(|trail| trail.filled("trailARN"));
        own.map_or_else(|| text(item, &["ARN", "arn", "resourceId"]), Ok)
    };
    let Some(trail) = configuration(found)? else {
        let arn: Name = arn(None)?.into();
        let is_home = home_of(&arn) == *place;
        // A copy in another place is not the trail.
        let fact = match found {
            Found::Deleted if is_home => TrailFact::Deleted,
            Found::Deleted => TrailFact::Unseen(place.clone()),
            _ if is_home => TrailFact::Settings(Answer::Unreadable),
            _ => return Ok(Vec::new()),
        };
        return Ok(vec![Fact::Trail(arn.clone(), None, fact)]);
    };
    let arn: Name = arn(Some(&trail))?.into();
    let settings = TrailFact::Settings(Answer::Known(trail_settings(&trail)?));
    let mut facts = vec![Fact::Trail(arn.clone(), Some(place.clone()), settings)];
    // Items of former years do not say.
    let organization = trail.flag("isOrganizationTrail").map(|flag| TrailFact::Organization(Answer::Known(flag)));
    facts.extend(organization.map(|fact| Fact::Trail(arn, None, fact)));
    Ok(facts)
}

fn bucket(
    item: &Members<'_>,
    found: &Found,
    supplement: &BTreeMap<String, Value>,
    place: &Place,
) -> Result<Vec<Fact>, NoAnswer> {
    let name: Name = text(item, &["resourceName", "resourceId"])?.into();
    if configuration(found)?.is_none() {
        return Ok(unknown_bucket().into_iter().map(|fact| Fact::Bucket(name.clone(), fact)).collect());
    }
    let get = |name: &str| supplement.get(name).filter(|value| !value.is_null());
    let members = |name: &str| get(name).and_then(Members::of);
    let policy = match members("BucketPolicy").map(|policy| policy_text(&policy)) {
        // A null says that there is none.
        Some(Ok(text)) => text.map_or(Answer::Absent, Answer::Known),
        _ => Answer::Unreadable,
    };
    let mut facts = vec![
        BucketFact::Owner(place.account.clone(), Ownership::Proven),
        BucketFact::Region(Answer::Known(place.region.to_string())),
        BucketFact::Policy(policy),
    ];
    // An item is about the whole bucket: of a part that it lacks, nothing is known from then on.
    let encryption = members("ServerSideEncryptionConfiguration").and_then(|it| encryption_rules(&it).ok());
    facts.push(BucketFact::Encryption(encryption.map_or(Answer::Unreadable, Answer::Known)));
    let versioning = members("BucketVersioningConfiguration").and_then(|it| versioning(&it));
    facts.push(BucketFact::Versioning(versioning.map_or(Answer::Unreadable, Answer::Known)));
    let block = members("PublicAccessBlockConfiguration").and_then(|block| public_access_flags(&block).ok());
    facts.push(BucketFact::PublicAccessBlock(block.map_or(Answer::Unreadable, Answer::Known)));
    let list = members("AccessControlList").and_then(|list| acl(&list));
    facts.push(BucketFact::Acl(list.map_or(Answer::Unreadable, Answer::Known)));
    let lock = members("ObjectLockConfiguration").and_then(|lock| lock_mode(&lock).ok());
    facts.push(BucketFact::ObjectLock(lock.map_or(Answer::Unreadable, Answer::Known)));
    facts.push(BucketFact::Logging(match members("BucketLoggingConfiguration").map(|logging| log_target(&logging)) {
        Some(Ok(target)) => target.map_or(Answer::Absent, Answer::Known),
        _ => Answer::Unreadable,
    }));
    if let Some(pays) = get("IsRequesterPaysEnabled") {
        let pays = pays.as_bool().or_else(|| pays.as_str().and_then(|text| text.parse().ok()));
        facts.push(BucketFact::RequesterPays(pays.map_or(Answer::Unreadable, Answer::Known)));
    }
    Ok(facts.into_iter().map(|fact| Fact::Bucket(name.clone(), fact)).collect())
}

fn policy_text(policy: &Members<'_>) -> Read<Option<String>> {
    answers::text(policy, "policyText")
}

fn log_target(logging: &Members<'_>) -> Read<Option<String>> {
    Ok(answers::text(logging, "destinationBucketName")?.or(answers::text(logging, "targetBucket")?))
}

fn versioning(versioning: &Members<'_>) -> Option<Versioning> {
    let status =
        versioning.filled("status").filter(|status| matches!(status.as_str(), "Off" | "Enabled" | "Suspended"))?;
    let mfa_delete = match versioning.get("isMfaDeleteEnabled") {
        // A null where nobody ever set it.
        None => false,
        Some(_) => versioning.flag("isMfaDeleteEnabled")?,
    };
    Some(Versioning { status: Some(status).filter(|status| status != "Off"), mfa_delete })
}

/// What is known of a bucket that is gone.
fn unknown_bucket() -> Vec<BucketFact> {
    vec![
        BucketFact::Gone,
        BucketFact::Region(Answer::Unreadable),
        BucketFact::Policy(Answer::Unreadable),
        BucketFact::Encryption(Answer::Unreadable),
        BucketFact::Versioning(Answer::Unreadable),
        BucketFact::PublicAccessBlock(Answer::Unreadable),
        BucketFact::Acl(Answer::Unreadable),
        BucketFact::ObjectLock(Answer::Unreadable),
        BucketFact::Logging(Answer::Unreadable),
    ]
}

/// Who has which permission; groups by the address that S3 gives them.
fn acl(list: &Members<'_>) -> Option<BTreeSet<(String, String)>> {
    let grant = |value: &Value| {
        let grant = Members::of(value)?;
        let who = match grant.get("grantee")? {
            Value::String(group) => group_address(group),
            grantee => Members::of(grantee)?.filled("id").or_else(|| Members::of(grantee)?.filled("uri"))?,
        };
        Some((who, grant.filled("permission")?))
    };
    list.list("grantList")?.iter().map(grant).collect()
}

fn group_address(group: &str) -> String {
    match group {
        "LogDelivery" => "http://acs.amazonaws.com/groups/s3/LogDelivery".into(),
        "AllUsers" => "http://acs.amazonaws.com/groups/global/AllUsers".into(),
        "AuthenticatedUsers" => "http://acs.amazonaws.com/groups/global/AuthenticatedUsers".into(),
        other => format!("http://acs.amazonaws.com/groups/{other}"),
    }
}

fn key(item: &Members<'_>, found: &Found, supplement: &BTreeMap<String, Value>) -> Result<Vec<Fact>, NoAnswer> {
    let Some(key) = configuration(found)? else {
        let arn: Name = text(item, &["ARN", "arn"])?.into();
        let metadata = if matches!(found, Found::Deleted) { Answer::Absent } else { Answer::Unreadable };
        let facts = [
            KeyFact::Metadata(metadata),
            KeyFact::Policy(Answer::Unreadable),
            KeyFact::Rotation(Answer::Unreadable),
            KeyFact::Tags(Answer::Unreadable),
        ];
        return Ok(facts.into_iter().map(|fact| Fact::Key(arn.clone(), fact)).collect());
    };
    let arn: Name = key.filled("arn").map_or_else(|| text(item, &["ARN", "arn"]), Ok)?.into();
    let metadata = key_metadata(&key, &arn)?;
    let mut facts = vec![KeyFact::Metadata(Answer::Known(metadata))];
    match supplement.get("Policy") {
        Some(Value::String(policy)) => facts.push(KeyFact::Policy(Answer::Known(policy.clone()))),
        Some(policy @ Value::Object(_)) => facts.push(KeyFact::Policy(Answer::Known(policy.to_string()))),
        _ => facts.push(KeyFact::Policy(Answer::Unreadable)),
    }
    let enabled = supplement.get("KeyRotationStatus").and_then(|status| match status {
        Value::Bool(enabled) => Some(*enabled),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    facts.push(KeyFact::Rotation(enabled.map_or(Answer::Unreadable, Answer::Known)));
    let tags = supplement.get("Tags").and_then(Value::as_array).and_then(|tags| key_tags(tags).ok());
    facts.push(KeyFact::Tags(tags.map_or(Answer::Unreadable, Answer::Known)));
    Ok(facts.into_iter().map(|fact| Fact::Key(arn.clone(), fact)).collect())
}

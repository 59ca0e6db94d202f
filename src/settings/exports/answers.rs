//! What the members of an answer say, whoever gave it: the command line or AWS Config.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::names::partition_of;
use crate::settings::facts::{
    AccountList, BasicSelector, DefaultEncryption, FieldSelector, KeyGrant, KeyMetadata, Members,
    OrganizationDescription, OrganizationPolicy, Place, PolicyType, PublicAccessBlock, TrailSettings, TrailStatus,
    Versioning,
};
use crate::settings::observations::Answer;
use crate::timestamp::{Timestamp, written};

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It has not the shape of the answer to this call.
    Shape(&'static str),
    /// It is about something else than its place says.
    Misplaced(String),
}

pub(super) type Read<T> = Result<T, NoAnswer>;

/// The answer, or part of one.
pub(super) fn paged<T>(members: &Members<'_>, value: T) -> Answer<T> {
    if has_more(members) { Answer::Incomplete(value) } else { Answer::Known(value) }
}

/// Whether other pages were left behind.
pub(super) fn has_more(members: &Members<'_>) -> bool {
    const MORE: [&str; 4] = ["NextToken", "Marker", "NextMarker", "ContinuationToken"];
    MORE.iter().any(|name| members.get(name).is_some())
        || ["Truncated", "IsTruncated"].iter().any(|name| members.flag(name) == Some(true))
}

pub(super) fn members<'v>(value: &'v Value) -> Read<Members<'v>> {
    Members::of(value).ok_or(NoAnswer::Shape("it is no JSON object"))
}

pub(super) fn list<'v>(members: &Members<'v>, name: &'static str) -> Read<&'v Vec<Value>> {
    members.list(name).ok_or(NoAnswer::Shape(name))
}

/// The settings of a trail, in either spelling.
pub(super) fn trail_settings(trail: &Members<'_>) -> Read<TrailSettings> {
    let name = trail.filled("Name").ok_or(NoAnswer::Shape("Name"))?;
    let home_region = trail.filled("HomeRegion").ok_or(NoAnswer::Shape("HomeRegion"))?;
    // Both stand in its ARN, too.
    let mut arn = trail.text("TrailARN").unwrap_or_default().split(':').skip(3);
    if arn.next().is_some_and(|region| region != home_region) {
        return Err(NoAnswer::Shape("HomeRegion as in TrailARN"));
    }
    if arn.nth(1).and_then(|trail| trail.strip_prefix("trail/")).is_some_and(|of_arn| of_arn != name) {
        return Err(NoAnswer::Shape("Name as in TrailARN"));
    }
    Ok(TrailSettings {
        name,
        bucket: trail.filled("S3BucketName").ok_or(NoAnswer::Shape("S3BucketName"))?,
        prefix: text(trail, "S3KeyPrefix")?.unwrap_or_default(),
        key: text(trail, "KmsKeyId")?,
        validation: told_flag(trail, "LogFileValidationEnabled")?,
        multi_region: told_flag(trail, "IsMultiRegionTrail")?,
        global_events: told_flag(trail, "IncludeGlobalServiceEvents")?,
        home_region,
        log_group: text(trail, "CloudWatchLogsLogGroupArn")?,
    })
}

/// A truth value; anything else in its place makes the answer unreadable.
pub(super) fn flag(members: &Members<'_>, name: &'static str) -> Read<Option<bool>> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(NoAnswer::Shape(name)),
    }
}

/// One that AWS always writes: where it is left out, nobody knows.
pub(super) fn told_flag(members: &Members<'_>, name: &'static str) -> Read<bool> {
    flag(members, name)?.ok_or(NoAnswer::Shape(name))
}

/// A text; the same.
pub(super) fn text(members: &Members<'_>, name: &'static str) -> Read<Option<String>> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(NoAnswer::Shape(name)),
    }
}

/// A time; the same.
pub(super) fn moment(members: &Members<'_>, name: &'static str) -> Read<Option<Timestamp>> {
    match members.get(name) {
        None => Ok(None),
        Some(value) => written::of_json(value).map(Some).ok_or(NoAnswer::Shape(name)),
    }
}

pub(super) fn status(status: &Members<'_>) -> Read<TrailStatus> {
    let is_logging = told_flag(status, "IsLogging")?;
    let (started_at, stopped_at) = (moment(status, "StartLoggingTime")?, moment(status, "StopLoggingTime")?);
    if is_logging && stopped_at > started_at {
        return Err(NoAnswer::Shape("IsLogging as its times say"));
    }
    Ok(TrailStatus {
        is_logging,
        delivery_error: text(status, "LatestDeliveryError")?,
        digest_delivery_error: text(status, "LatestDigestDeliveryError")?,
        log_group_error: text(status, "LatestCloudWatchLogsDeliveryError")?,
        delivered_at: moment(status, "LatestDeliveryTime")?,
        digested_at: moment(status, "LatestDigestDeliveryTime")?,
        started_at,
    })
}

pub(super) fn basic_selector(value: &Value) -> Read<BasicSelector> {
    let selector = members(value)?;
    let management = told_flag(&selector, "IncludeManagementEvents")?;
    let excluded = selector.texts("ExcludeManagementEventSources");
    Ok(BasicSelector {
        read_write: text(&selector, "ReadWriteType")?.ok_or(NoAnswer::Shape("ReadWriteType"))?,
        management,
        excluded: match selector.get("ExcludeManagementEventSources") {
            // An old command line leaves it out whatever AWS says; it is about management events only.
            None if !management => Vec::new(),
            _ => excluded.ok_or(NoAnswer::Shape("ExcludeManagementEventSources"))?,
        },
    })
}

pub(super) fn advanced_selector(value: &Value) -> Read<Vec<FieldSelector>> {
    let selector = members(value)?;
    list(&selector, "FieldSelectors")?.iter().map(field_selector).collect()
}

pub(super) fn field_selector(value: &Value) -> Read<FieldSelector> {
    let field = members(value)?.filled("Field").ok_or(NoAnswer::Shape("Field"))?;
    let mut operators = BTreeMap::new();
    for (name, values) in value.as_object().into_iter().flatten().filter(|(name, _)| *name != "Field") {
        let texts = values.as_array().and_then(|list| list.iter().map(|it| it.as_str().map(str::to_owned)).collect());
        let texts: Option<Vec<String>> = texts;
        let texts = texts.filter(|texts| !texts.is_empty());
        operators.insert(name.to_ascii_lowercase(), texts.ok_or(NoAnswer::Shape("FieldSelectors"))?);
    }
    Ok(FieldSelector { field, operators })
}

/// Null is us-east-1 (us-gov and China have their own), `EU` is eu-west-1.
pub(super) fn location(members: &Members<'_>, place: &Place) -> Read<String> {
    match text(members, "LocationConstraint")?.as_deref() {
        Some("EU") => Ok("eu-west-1".into()),
        Some(region) => Ok(region.to_owned()),
        None if members.has("LocationConstraint") && partition_of(&place.region) == "aws" => Ok("us-east-1".into()),
        _ => Err(NoAnswer::Shape("LocationConstraint")),
    }
}

pub(super) fn default_encryption(members: &Members<'_>) -> Read<DefaultEncryption> {
    let configuration = members.get("ServerSideEncryptionConfiguration").and_then(Members::of);
    encryption_rules(&configuration.ok_or(NoAnswer::Shape("ServerSideEncryptionConfiguration"))?)
}

/// The one rule of a bucket's encryption, in either spelling.
pub(super) fn encryption_rules(configuration: &Members<'_>) -> Read<DefaultEncryption> {
    let [rule] = list(configuration, "Rules")?.as_slice() else { return Err(NoAnswer::Shape("one of Rules")) };
    let rule = members(rule)?;
    let default = rule.get("ApplyServerSideEncryptionByDefault").and_then(Members::of);
    let default = default.ok_or(NoAnswer::Shape("ApplyServerSideEncryptionByDefault"))?;
    Ok(DefaultEncryption {
        algorithm: default.filled("SSEAlgorithm").ok_or(NoAnswer::Shape("SSEAlgorithm"))?,
        key: text(&default, "KMSMasterKeyID")?,
    })
}

pub(super) fn versioning(members: &Members<'_>) -> Read<Versioning> {
    let status = members.filled("Status");
    let is_known = status.as_deref().is_none_or(|status| matches!(status, "Enabled" | "Suspended"));
    // An empty answer says that versioning was never switched on; anything else in it belongs to another call.
    if !is_known || (status.is_none() && !members.is_empty()) {
        return Err(NoAnswer::Shape("Status"));
    }
    let mfa_delete = match text(members, "MFADelete")?.as_deref() {
        Some("Enabled") => true,
        None | Some("Disabled") => false,
        Some(_) => return Err(NoAnswer::Shape("MFADelete")),
    };
    Ok(Versioning { status, mfa_delete })
}

pub(super) fn public_access_block(members: &Members<'_>) -> Read<PublicAccessBlock> {
    let block = members.get("PublicAccessBlockConfiguration").and_then(Members::of);
    public_access_flags(&block.ok_or(NoAnswer::Shape("PublicAccessBlockConfiguration"))?)
}

/// The four switches, in either spelling. One that was never set is off.
pub(super) fn public_access_flags(block: &Members<'_>) -> Read<PublicAccessBlock> {
    let is_on = |name| match block.get(name) {
        None => Ok(false),
        Some(_) => block.flag(name).ok_or(NoAnswer::Shape(name)),
    };
    Ok(PublicAccessBlock {
        block_acls: is_on("BlockPublicAcls")?,
        ignore_acls: is_on("IgnorePublicAcls")?,
        block_policy: is_on("BlockPublicPolicy")?,
        restrict: is_on("RestrictPublicBuckets")?,
    })
}

/// Who has which permission.
pub(super) fn acl(grants: &[Value]) -> Read<BTreeSet<(String, String)>> {
    let grant = |value: &Value| {
        let grant = Members::of(value)?;
        let grantee = grant.get("Grantee").and_then(Members::of)?;
        let who = grantee.filled("URI").or_else(|| grantee.filled("ID")).or_else(|| grantee.filled("EmailAddress"))?;
        Some((who, grant.filled("Permission")?))
    };
    grants.iter().map(grant).collect::<Option<_>>().ok_or(NoAnswer::Shape("Grantee"))
}

pub(super) fn object_ownership(members: &Members<'_>) -> Read<String> {
    let controls = members.get("OwnershipControls").and_then(Members::of);
    let rules = controls.and_then(|controls| controls.list("Rules")).and_then(|rules| rules.first());
    let rule = rules.and_then(Members::of).and_then(|rule| rule.filled("ObjectOwnership"));
    rule.ok_or(NoAnswer::Shape("ObjectOwnership"))
}

pub(super) fn logging(members: &Members<'_>) -> Read<Answer<String>> {
    match members.get("LoggingEnabled").and_then(Members::of) {
        Some(logging) => Ok(Answer::Known(logging.filled("TargetBucket").ok_or(NoAnswer::Shape("TargetBucket"))?)),
        None if members.is_empty() => Ok(Answer::Absent),
        None => Err(NoAnswer::Shape("LoggingEnabled")),
    }
}

pub(super) fn object_lock(members: &Members<'_>) -> Read<Option<String>> {
    let lock = members.get("ObjectLockConfiguration").and_then(Members::of);
    lock_mode(&lock.ok_or(NoAnswer::Shape("ObjectLockConfiguration"))?)
}

/// The default mode of new objects, in either spelling; a lock without a rule has none.
pub(super) fn lock_mode(lock: &Members<'_>) -> Read<Option<String>> {
    if lock.text("ObjectLockEnabled") != Some("Enabled") {
        return Err(NoAnswer::Shape("ObjectLockEnabled"));
    }
    let Some(rule) = lock.get("Rule") else { return Ok(None) };
    let retention = members(rule)?.get("DefaultRetention").and_then(Members::of);
    let retention = retention.ok_or(NoAnswer::Shape("DefaultRetention"))?;
    let spans = ["Days", "Years"].map(|name| retention.get(name)).into_iter().flatten();
    let spans = spans.map(Value::as_u64).collect::<Option<Vec<u64>>>();
    if spans.is_none_or(|spans| spans.iter().all(|span| *span == 0)) {
        return Err(NoAnswer::Shape("Days or Years"));
    }
    let mode = retention.filled("Mode").filter(|mode| matches!(mode.as_str(), "GOVERNANCE" | "COMPLIANCE"));
    mode.map(Some).ok_or(NoAnswer::Shape("Mode"))
}

/// Who pays for requests.
pub(super) fn requester_pays(members: &Members<'_>) -> Read<bool> {
    match members.text("Payer") {
        Some("Requester") => Ok(true),
        Some("BucketOwner") => Ok(false),
        _ => Err(NoAnswer::Shape("Payer")),
    }
}

/// What a check needs of a key's metadata, in either spelling. What it says twice, it must say alike.
pub(super) fn key_metadata(metadata: &Members<'_>, arn: &str) -> Read<KeyMetadata> {
    let state = metadata.filled("KeyState").ok_or(NoAnswer::Shape("KeyState"))?;
    if state == "Enabled" && metadata.get("DeletionDate").is_some() {
        return Err(NoAnswer::Shape("KeyState beside DeletionDate"));
    }
    let (spec, former) = (metadata.filled("KeySpec"), metadata.filled("CustomerMasterKeySpec"));
    if spec.as_ref().zip(former.as_ref()).is_some_and(|(spec, former)| spec != former) {
        return Err(NoAnswer::Shape("one KeySpec"));
    }
    let is_other = |name, of_arn: Option<&str>| metadata.text(name).is_some_and(|text| Some(text) != of_arn);
    if is_other("AWSAccountId", arn.split(':').nth(4)) || is_other("KeyId", arn.rsplit('/').next()) {
        return Err(NoAnswer::Misplaced(arn.to_owned()));
    }
    Ok(KeyMetadata {
        state,
        spec: spec.or(former).unwrap_or_default(),
        usage: metadata.filled("KeyUsage").unwrap_or_default(),
        manager: metadata.filled("KeyManager").unwrap_or_default(),
        origin: metadata.filled("Origin").unwrap_or_default(),
        valid_to: moment(metadata, "ValidTo")?,
        enabled: match metadata.get("Enabled") {
            None => None,
            Some(_) => Some(metadata.flag("Enabled").ok_or(NoAnswer::Shape("Enabled"))?),
        },
    })
}

pub(super) fn key_grant(value: &Value, asked: &str) -> Read<KeyGrant> {
    let grant = members(value)?;
    let id = |key: &str| key.rsplit('/').next().map(str::to_owned);
    if let Some(other) =
        grant.text("KeyId").filter(|key| *key != asked && (key.starts_with("arn:") || id(key) != id(asked)))
    {
        return Err(NoAnswer::Misplaced(other.to_owned()));
    }
    let grantees = ["GranteePrincipal", "GranteeServicePrincipal"].into_iter().filter_map(|name| grant.filled(name));
    let grantees: Vec<String> = grantees.collect();
    let constraints =
        grant.get("Constraints").filter(|value| value.as_object().is_some_and(|object| !object.is_empty()));
    Ok(KeyGrant {
        id: grant.filled("GrantId").unwrap_or_default(),
        grantees: if grantees.is_empty() { return Err(NoAnswer::Shape("GranteePrincipal")) } else { grantees },
        operations: grant.texts("Operations").ok_or(NoAnswer::Shape("Operations"))?.into_iter().collect(),
        constraints: constraints.map(Value::to_string).unwrap_or_default(),
    })
}

/// The tags of a key, which are not spelt like others.
pub(super) fn key_tags(tags: &[Value]) -> Read<BTreeMap<String, String>> {
    let tag = |value: &Value| {
        let tag = Members::of(value)?;
        let name = tag.text("TagKey").or_else(|| tag.text("Key"))?;
        Some((name.to_owned(), tag.text("TagValue").or_else(|| tag.text("Value"))?.to_owned()))
    };
    tags.iter().map(tag).collect::<Option<_>>().ok_or(NoAnswer::Shape("TagKey"))
}

/// Adds what is said of one thing. An answer that says two things of it says nothing.
pub(super) fn put<V: PartialEq>(all: &mut BTreeMap<String, V>, name: String, said: V) -> Read<()> {
    match all.get(&name) {
        Some(before) if *before != said => Err(NoAnswer::Shape("it says two things of one")),
        _ => {
            all.insert(name, said);
            Ok(())
        }
    }
}

pub(super) fn accounts(members: &Members<'_>) -> Read<Answer<AccountList>> {
    let mut all = AccountList::default();
    for value in list(members, "Accounts")? {
        let account = self::members(value)?;
        let id = account.filled("Id").ok_or(NoAnswer::Shape("Id"))?;
        let states = [account.text("State"), account.text("Status")];
        // The two spellings of it must not disagree about an account that is gone.
        let is_gone = states.iter().flatten().any(|state| matches!(*state, "SUSPENDED" | "CLOSED"));
        put(&mut all.accounts, id, !is_gone || states.contains(&Some("ACTIVE")))?;
        // arn:aws:organizations::MANAGEMENT:account/o-ID/ACCOUNT
        let arn = account.text("Arn").unwrap_or_default();
        agreed(&mut all.organization, arn.split('/').nth(1))?;
        agreed(&mut all.management, arn.split(':').nth(4))?;
    }
    if all.accounts.is_empty() {
        return Err(NoAnswer::Shape("an account"));
    }
    Ok(paged(members, all))
}

/// Takes what every item of an answer says alike, if it says it.
fn agreed(known: &mut Option<String>, said: Option<&str>) -> Read<()> {
    match (&known, said) {
        (Some(known), Some(said)) if known != said => Err(NoAnswer::Shape("one organisation")),
        (None, Some(said)) => {
            *known = Some(said.to_owned());
            Ok(())
        }
        _ => Ok(()),
    }
}

pub(super) fn description(members: &Members<'_>) -> Read<Answer<OrganizationDescription>> {
    let organization = members.get("Organization").and_then(Members::of).ok_or(NoAnswer::Shape("Organization"))?;
    let mut management = None;
    for name in ["MasterAccountId", "ManagementAccountId"] {
        agreed(&mut management, organization.filled(name).as_deref())?;
    }
    Ok(Answer::Known(OrganizationDescription {
        id: organization.filled("Id").ok_or(NoAnswer::Shape("Id"))?,
        management: management.ok_or(NoAnswer::Shape("MasterAccountId"))?,
        has_policies: match organization.get("FeatureSet").map(Value::as_str) {
            None => None,
            Some(Some("ALL")) => Some(true),
            Some(Some("CONSOLIDATED_BILLING")) => Some(false),
            Some(_) => return Err(NoAnswer::Shape("FeatureSet")),
        },
    }))
}

/// The types of policies of the one root of an organisation, each with whether it is surely switched on.
pub(super) fn enabled_types(members: &Members<'_>) -> Read<Answer<BTreeMap<PolicyType, bool>>> {
    let [root] = list(members, "Roots")?.as_slice() else { return Err(NoAnswer::Shape("one of Roots")) };
    let root = self::members(root)?;
    let mut enabled = BTreeMap::new();
    for policy_type in list(&root, "PolicyTypes")? {
        let policy_type = self::members(policy_type)?;
        let name = policy_type.text("Type").ok_or(NoAnswer::Shape("Type"))?;
        // What is being switched on or off is one or the other.
        let is_enabled = policy_type.text("Status").ok_or(NoAnswer::Shape("Status"))? == "ENABLED";
        enabled.insert(PolicyType::named(name), is_enabled);
    }
    Ok(paged(members, enabled))
}

/// A policy of an organisation, and its id if the answer tells.
pub(super) fn organization_policy(members: &Members<'_>) -> Read<(Option<String>, OrganizationPolicy)> {
    let policy = members.get("Policy").and_then(Members::of).ok_or(NoAnswer::Shape("Policy"))?;
    let text = policy.filled("Content").ok_or(NoAnswer::Shape("Content"))?;
    let summary = policy.get("PolicySummary").and_then(Members::of);
    let kind = summary.as_ref().and_then(|summary| summary.text("Type")).map(PolicyType::named);
    Ok((summary.and_then(|summary| summary.filled("Id")), OrganizationPolicy { kind, text }))
}

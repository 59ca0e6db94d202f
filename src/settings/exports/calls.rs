//! What the answer to one call of the AWS command line says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::settings::facts::{
    AccountFact, AccountList, BasicSelector, BucketFact, DefaultEncryption, Fact, FieldSelector, KeyFact, KeyGrant,
    KeyMetadata, Members, Name, OrganizationDescription, OrganizationFact, Ownership, Place, PolicyType,
    PublicAccessBlock, Selectors, TrailFact, TrailSettings, TrailStatus, Versioning, time,
};
use crate::settings::observations::Answer;
use crate::timestamp::Timestamp;

use super::names::{is_account, key_arn, partition_of, trail_arn};
use super::{Asked, iam};

/// A call and where it was made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) place: Place,
    pub(super) command: Command,
    /// What was asked for: a bucket, a key, a trail.
    pub(super) parameter: Option<String>,
    /// Whether only a part of the answer was asked for: one page, or what passes a filter.
    pub(super) is_partial: bool,
}

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It has not the shape of the answer to this call.
    Shape(&'static str),
    /// It is about something else than its place says.
    Misplaced(String),
}

macro_rules! commands {
    ($($name:ident = $service:literal $command:literal,)*) => {
        /// The calls whose answers are read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) enum Command {
            $(#[doc = concat!("`aws ", $service, " ", $command, "`")] $name,)*
        }

        impl Command {
            const ALL: &[(Self, &'static str, &'static str)] = &[$((Self::$name, $service, $command),)*];

            /// The call of a service by its name.
            pub(super) fn named(service: &str, command: &str) -> Option<Self> {
                let found = Self::ALL.iter().find(|(_, of, name)| *of == service && *name == command);
                found.map(|(known, ..)| *known)
            }

            /// As it is typed, without `aws`.
            pub(super) fn text(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($service, " ", $command),)*
                }
            }
        }
    };
}

commands! {
    DescribeTrails = "cloudtrail" "describe-trails",
    GetTrail = "cloudtrail" "get-trail",
    GetTrailStatus = "cloudtrail" "get-trail-status",
    GetEventSelectors = "cloudtrail" "get-event-selectors",
    ListBuckets = "s3api" "list-buckets",
    GetBucketLocation = "s3api" "get-bucket-location",
    HeadBucket = "s3api" "head-bucket",
    GetBucketEncryption = "s3api" "get-bucket-encryption",
    GetBucketPolicy = "s3api" "get-bucket-policy",
    GetBucketPolicyStatus = "s3api" "get-bucket-policy-status",
    GetBucketVersioning = "s3api" "get-bucket-versioning",
    GetPublicAccessBlock = "s3api" "get-public-access-block",
    GetBucketAcl = "s3api" "get-bucket-acl",
    GetBucketOwnershipControls = "s3api" "get-bucket-ownership-controls",
    GetBucketLogging = "s3api" "get-bucket-logging",
    GetObjectLockConfiguration = "s3api" "get-object-lock-configuration",
    GetBucketTagging = "s3api" "get-bucket-tagging",
    GetBucketRequestPayment = "s3api" "get-bucket-request-payment",
    GetAccountPublicAccessBlock = "s3control" "get-public-access-block",
    DescribeKey = "kms" "describe-key",
    GetKeyPolicy = "kms" "get-key-policy",
    GetKeyRotationStatus = "kms" "get-key-rotation-status",
    ListAliases = "kms" "list-aliases",
    ListGrants = "kms" "list-grants",
    ListResourceTags = "kms" "list-resource-tags",
    GetAccountAuthorizationDetails = "iam" "get-account-authorization-details",
    ListAccounts = "organizations" "list-accounts",
    DescribeOrganization = "organizations" "describe-organization",
    ListDelegatedAdministrators = "organizations" "list-delegated-administrators",
    ListRoots = "organizations" "list-roots",
    ListPolicies = "organizations" "list-policies",
    DescribePolicy = "organizations" "describe-policy",
    ListTargetsForPolicy = "organizations" "list-targets-for-policy",
    ListParents = "organizations" "list-parents",
    ListRegions = "account" "list-regions",
    DescribeRegions = "ec2" "describe-regions",
    GetCallerIdentity = "sts" "get-caller-identity",
    AssumeRole = "sts" "assume-role",
}

/// Codes that answer that there is none.
const ABSENT: [&str; 8] = [
    "NoSuchBucketPolicy",
    "NoSuchTagSet",
    "NoSuchPublicAccessBlockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
    "ObjectLockConfigurationNotFoundError",
    "OwnershipControlsNotFoundError",
    "NoSuchLifecycleConfiguration",
    "ReplicationConfigurationNotFoundError",
];

/// Codes that say that what was asked for is no longer there: whatever was known of it is not known any more.
const GONE: [&str; 13] = [
    "404",
    "NoSuchBucket",
    "NotFoundException",
    "TrailNotFound",
    "TrailNotFoundException",
    "ResourceNotFoundException",
    "NoSuchEntity",
    "NoSuchEntityException",
    "PolicyNotFoundException",
    "ChildNotFoundException",
    "KMSInvalidStateException",
    "MethodNotAllowed",
    "PermanentRedirect",
];

type Read<T> = Result<T, NoAnswer>;

/// The answer, or part of one: other pages were left behind.
fn paged<T>(members: &Members<'_>, value: T) -> Answer<T> {
    const MORE: [&str; 4] = ["NextToken", "Marker", "NextMarker", "ContinuationToken"];
    let has_more = MORE.iter().any(|name| members.get(name).is_some())
        || ["Truncated", "IsTruncated"].iter().any(|name| members.flag(name) == Some(true));
    if has_more { Answer::Incomplete(value) } else { Answer::Known(value) }
}

fn members<'v>(value: &'v Value) -> Read<Members<'v>> {
    Members::of(value).ok_or(NoAnswer::Shape("it is no JSON object"))
}

fn list<'v>(members: &Members<'v>, name: &'static str) -> Read<&'v Vec<Value>> {
    members.list(name).ok_or(NoAnswer::Shape(name))
}

impl Command {
    /// Whether it asks for all that there is, without a parameter.
    fn is_of_everything(self) -> bool {
        matches!(
            self,
            Self::DescribeTrails
                | Self::ListAliases
                | Self::ListAccounts
                | Self::DescribeOrganization
                | Self::GetAccountAuthorizationDetails
                | Self::DescribeRegions
                | Self::ListRegions
                | Self::ListBuckets
        )
    }

    /// Whether it can be asked about another account.
    fn is_of_an_account(self) -> bool {
        matches!(self, Self::ListRegions | Self::GetAccountPublicAccessBlock)
    }

    /// Whether the command line prints nothing at all for an empty answer that means something.
    pub(super) fn may_be_silent(self) -> bool {
        matches!(self, Self::GetBucketVersioning | Self::GetBucketLogging)
    }
}

impl Call {
    /// Whether a code answers that there is none.
    pub(super) fn is_answered_by(&self, code: &str) -> bool {
        match code {
            "UnsupportedOperationException" => self.command == Command::GetKeyRotationStatus,
            // Such an account is in no organisation.
            "AWSOrganizationsNotInUseException" => self.command.text().starts_with("organizations "),
            _ => ABSENT.contains(&code),
        }
    }

    /// What a refusal says: that there is none, or nothing.
    pub(super) fn refused(&self, code: &str) -> Vec<Fact> {
        match self.is_answered_by(code) {
            true => self.without(&Without::Absent),
            false if GONE.contains(&code) => self.without(&Without::Gone),
            false => self.without(&Without::Refused(code.to_owned())),
        }
    }

    /// What was asked.
    pub(super) fn asked(&self) -> Asked {
        let question = match self.command {
            // The other way to ask for Regions.
            Command::DescribeRegions => Command::ListRegions,
            command => command,
        };
        (question.text(), self.place.clone(), self.parameter.clone())
    }

    /// Whether nothing is concluded from its answer, or from such a refusal of it.
    pub(super) fn is_idle(&self, code: &str) -> bool {
        !GONE.contains(&code)
            && matches!(
                self.command,
                Command::ListDelegatedAdministrators | Command::ListRoots | Command::GetBucketTagging
            )
    }

    /// What an answer that cannot be read says: that nobody knows.
    pub(super) fn unreadable(&self) -> Vec<Fact> {
        self.without(&Without::Unreadable)
    }

    /// What an answer says.
    pub(super) fn answered(&self, output: &Value) -> Read<Vec<Fact>> {
        let facts = self.facts(output)?;
        // What takes no parameter and has one was asked for in part.
        let named = self.parameter.as_deref().filter(|named| !(self.command.is_of_an_account() && is_account(named)));
        let is_filtered = named.is_some() && self.command.is_of_everything();
        Ok(if self.is_partial || is_filtered { facts.into_iter().map(Fact::partial).collect() } else { facts })
    }

    fn facts(&self, output: &Value) -> Read<Vec<Fact>> {
        let members = members(output)?;
        match self.command {
            Command::DescribeTrails => self.trails(&members),
            Command::GetTrail => {
                let trail = members.get("Trail").ok_or(NoAnswer::Shape("Trail"))?;
                self.trail(trail).map(|(_, facts)| facts)
            }
            Command::GetTrailStatus => {
                let status = Answer::Known(status(&members)?);
                Ok(vec![self.of_trail(TrailFact::Status(self.place.clone(), status))?])
            }
            Command::GetEventSelectors => self.selectors(&members),
            Command::ListBuckets => self.buckets(&members),
            Command::GetAccountPublicAccessBlock => {
                let block = public_access_block(&members)?;
                Ok(vec![Fact::Account(self.account(), AccountFact::PublicAccessBlock(Answer::Known(block)))])
            }
            Command::ListAliases => self.aliases(&members),
            Command::DescribeKey => self.key(&members),
            Command::GetAccountAuthorizationDetails => {
                let identities = iam::identities(&members).ok_or(NoAnswer::Shape("UserDetailList, RoleDetailList"))?;
                Ok(vec![Fact::Account(self.account(), AccountFact::Iam(paged(&members, identities)))])
            }
            Command::ListRegions | Command::DescribeRegions => self.regions(&members),
            Command::ListAccounts => {
                Ok(vec![Fact::Organization(OrganizationFact::Accounts(self.account(), accounts(&members)?))])
            }
            Command::DescribeOrganization => {
                Ok(vec![Fact::Organization(OrganizationFact::Description(self.account(), description(&members)?))])
            }
            Command::ListPolicies => self.policies(&members),
            Command::DescribePolicy => self.policy(&members),
            Command::ListTargetsForPolicy => self.targets(&members),
            Command::ListParents => self.parents(&members),
            Command::GetCallerIdentity => self.identity(&members),
            Command::AssumeRole => Err(NoAnswer::Shape("credentials do not belong into an export")),
            Command::ListDelegatedAdministrators | Command::ListRoots | Command::GetBucketTagging => Ok(Vec::new()),
            Command::GetKeyPolicy | Command::GetKeyRotationStatus | Command::ListGrants | Command::ListResourceTags => {
                self.of_key(&members)
            }
            _ => self.of_bucket(&members),
        }
    }

    /// The account that was asked about: that of the caller, or one that was named.
    fn account(&self) -> Name {
        let named = self.parameter.as_deref().filter(|named| is_account(named));
        named.filter(|_| self.command.is_of_an_account()).map_or_else(|| self.place.account.clone(), Name::from)
    }

    fn parameter(&self) -> Read<&str> {
        self.parameter.as_deref().ok_or(NoAnswer::Shape("its place does not say what was asked for"))
    }

    /// The ARN of the trail that was asked for.
    fn trail_asked(&self) -> Read<Name> {
        Ok(trail_arn(self.parameter()?, &self.place))
    }

    fn of_trail(&self, fact: TrailFact) -> Read<Fact> {
        Ok(Fact::Trail(self.trail_asked()?, None, fact))
    }

    fn trails(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let mut facts = Vec::new();
        let mut arns = BTreeSet::new();
        for trail in list(members, "trailList")? {
            let (arn, of_trail) = self.trail(trail)?;
            arns.insert(arn);
            facts.extend(of_trail);
        }
        facts.push(Fact::Trails(self.place.clone(), paged(members, arns)));
        Ok(facts)
    }

    fn trail(&self, value: &Value) -> Read<(Name, Vec<Fact>)> {
        let trail = members(value)?;
        let arn: Name = trail.filled("TrailARN").ok_or(NoAnswer::Shape("TrailARN"))?.into();
        let is_own = arn.split(':').nth(4) == Some(&self.place.account);
        let organization = flag(&trail, "IsOrganizationTrail")?;
        // Only the trails of an organisation are seen in other accounts. Some Regions do not say whether one is.
        if !is_own && organization == Some(false) {
            return Err(NoAnswer::Misplaced(arn.to_string()));
        }
        let settings = TrailFact::Settings(Answer::Known(trail_settings(&trail)?));
        let mut facts = vec![Fact::Trail(arn.clone(), Some(self.place.clone()), settings)];
        if let Some(organization) = organization.or((!is_own).then_some(true)) {
            facts.push(Fact::Trail(arn.clone(), None, TrailFact::Organization(Answer::Known(organization))));
        }
        Ok((arn, facts))
    }

    fn selectors(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let asked = self.trail_asked()?;
        if let Some(arn) = members.text("TrailARN").filter(|arn| **arn != *asked) {
            return Err(NoAnswer::Misplaced(arn.to_owned()));
        }
        let basic = members.list("EventSelectors");
        let advanced = members.list("AdvancedEventSelectors");
        let is_filled = |list: Option<&Vec<Value>>| list.is_some_and(|list| !list.is_empty());
        // A trail has the one or the other.
        if (basic.is_none() && advanced.is_none()) || (is_filled(basic) && is_filled(advanced)) {
            return Err(NoAnswer::Shape("EventSelectors"));
        }
        let basic = basic.into_iter().flatten().map(basic_selector).collect::<Read<Vec<_>>>()?;
        let advanced = advanced.into_iter().flatten().map(advanced_selector).collect::<Read<Vec<_>>>()?;
        Ok(vec![Fact::Trail(asked, None, TrailFact::Selectors(Answer::Known(Selectors { basic, advanced })))])
    }

    /// The buckets of an account. What the list lacks is none of them.
    fn buckets(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let name = |bucket: &Value| Members::of(bucket)?.filled("Name").map(Name::from);
        let names: Option<BTreeSet<Name>> = list(members, "Buckets")?.iter().map(name).collect();
        let names = names.ok_or(NoAnswer::Shape("Name"))?;
        let owner = |name: &Name| Fact::Bucket(name.clone(), BucketFact::Owner(self.account(), Ownership::Listed));
        let mut facts: Vec<Fact> = names.iter().map(owner).collect();
        facts.push(Fact::Account(self.account(), AccountFact::Buckets(paged(members, names))));
        Ok(facts)
    }

    fn aliases(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let mut aliases = BTreeMap::new();
        for alias in list(members, "Aliases")? {
            let alias = self::members(alias)?;
            let name = alias.filled("AliasName").ok_or(NoAnswer::Shape("AliasName"))?;
            let mut arn = alias.text("AliasArn").unwrap_or_default().split(':').skip(3);
            let is_here = |part: Option<&str>, here: &str| part.is_none_or(|part| part == here);
            if !is_here(arn.next(), &self.place.region) || !is_here(arn.next(), &self.place.account) {
                return Err(NoAnswer::Misplaced(name));
            }
            if let Some(key) = alias.filled("TargetKeyId") {
                aliases.insert(name, key);
            }
        }
        Ok(vec![Fact::Aliases(self.place.clone(), paged(members, aliases))])
    }

    /// The ARN of the key that was asked for, unless it was asked for by an alias.
    fn key_asked(&self) -> Read<Option<Name>> {
        Ok(key_arn(self.parameter()?, &self.place))
    }

    fn key(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let metadata = members.get("KeyMetadata").and_then(Members::of).ok_or(NoAnswer::Shape("KeyMetadata"))?;
        let arn = metadata.filled("Arn").ok_or(NoAnswer::Shape("Arn"))?;
        if self.key_asked()?.is_some_and(|asked| *asked != *arn) {
            return Err(NoAnswer::Misplaced(arn));
        }
        let metadata = key_metadata(&metadata).ok_or(NoAnswer::Shape("KeyState"))?;
        Ok(vec![Fact::Key(arn.into(), KeyFact::Metadata(Answer::Known(metadata)))])
    }

    fn of_key(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        // Which key an alias meant is not in the answer.
        let Some(asked) = self.key_asked()? else { return Ok(Vec::new()) };
        if self.command == Command::GetKeyRotationStatus {
            return self.rotation(members, &asked);
        }
        let fact = match self.command {
            Command::GetKeyPolicy => {
                KeyFact::Policy(Answer::Known(members.filled("Policy").ok_or(NoAnswer::Shape("Policy"))?))
            }
            Command::ListGrants => {
                let grants = list(members, "Grants")?;
                KeyFact::Grants(paged(
                    members,
                    grants.iter().map(|grant| key_grant(grant, &asked)).collect::<Read<_>>()?,
                ))
            }
            _ => KeyFact::Tags(paged(members, key_tags(list(members, "Tags")?)?)),
        };
        Ok(vec![Fact::Key(asked, fact)])
    }

    /// Whether it is rotated, and how often, which not every source tells.
    fn rotation(&self, members: &Members<'_>, asked: &Name) -> Read<Vec<Fact>> {
        let is_other = |id: &&str| !asked.ends_with(id.rsplit('/').next().unwrap_or(id));
        if let Some(other) = members.text("KeyId").filter(is_other) {
            return Err(NoAnswer::Misplaced(other.to_owned()));
        }
        let enabled = flag(members, "KeyRotationEnabled")?.ok_or(NoAnswer::Shape("KeyRotationEnabled"))?;
        let mut facts = vec![KeyFact::Rotation(Answer::Known(enabled))];
        if let Some(days) = members.get("RotationPeriodInDays") {
            let days = days.as_u64().ok_or(NoAnswer::Shape("RotationPeriodInDays"))?;
            facts.push(KeyFact::RotationPeriod(Answer::Known(u32::try_from(days).unwrap_or(u32::MAX))));
        }
        Ok(facts.into_iter().map(|fact| Fact::Key(asked.clone(), fact)).collect())
    }

    fn of_bucket(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let bucket: Name = self.parameter()?.into();
        let fact = match self.command {
            Command::GetBucketLocation => BucketFact::Region(Answer::Known(location(members, &self.place)?)),
            Command::HeadBucket => BucketFact::Region(Answer::Known(
                members.filled("BucketRegion").ok_or(NoAnswer::Shape("BucketRegion"))?,
            )),
            Command::GetBucketEncryption => BucketFact::Encryption(Answer::Known(default_encryption(members)?)),
            Command::GetBucketPolicy => {
                BucketFact::Policy(Answer::Known(members.filled("Policy").ok_or(NoAnswer::Shape("Policy"))?))
            }
            Command::GetBucketPolicyStatus => {
                let status =
                    members.get("PolicyStatus").and_then(Members::of).and_then(|status| status.flag("IsPublic"));
                BucketFact::PolicyStatus(Answer::Known(status.ok_or(NoAnswer::Shape("IsPublic"))?))
            }
            Command::GetBucketVersioning => BucketFact::Versioning(Answer::Known(versioning(members)?)),
            Command::GetPublicAccessBlock => {
                BucketFact::PublicAccessBlock(Answer::Known(public_access_block(members)?))
            }
            Command::GetBucketAcl => BucketFact::Acl(Answer::Known(acl(list(members, "Grants")?)?)),
            Command::GetBucketOwnershipControls => {
                BucketFact::ObjectOwnership(Answer::Known(object_ownership(members)?))
            }
            Command::GetBucketLogging => BucketFact::Logging(logging(members)?),
            Command::GetObjectLockConfiguration => BucketFact::ObjectLock(Answer::Known(object_lock(members)?)),
            Command::GetBucketRequestPayment => {
                let payer = members.text("Payer").ok_or(NoAnswer::Shape("Payer"))?;
                BucketFact::RequesterPays(Answer::Known(payer == "Requester"))
            }
            _ => return Err(NoAnswer::Shape("the call is not known")),
        };
        let fact = Fact::Bucket(bucket.clone(), fact);
        // Readers may look at a bucket's head and Region; whoever asks for its settings hardly is one.
        if matches!(self.command, Command::HeadBucket | Command::GetBucketLocation) {
            return Ok(vec![fact]);
        }
        let owner = Fact::Bucket(bucket, BucketFact::Owner(self.account(), Ownership::Asked));
        Ok(vec![owner, fact])
    }

    fn regions(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let mut regions = BTreeMap::new();
        for region in list(members, "Regions")? {
            let region = self::members(region)?;
            let name = region.filled("RegionName").ok_or(NoAnswer::Shape("RegionName"))?;
            let status = region.text("RegionOptStatus").or_else(|| region.text("OptInStatus"));
            let is_enabled = status.is_none_or(|status| {
                // DISABLING has not ended; what is not known is taken for enabled.
                !matches!(status, "DISABLED" | "not-opted-in")
            });
            regions.insert(name, is_enabled);
        }
        if regions.is_empty() {
            return Err(NoAnswer::Shape("a Region"));
        }
        // The other way to ask shows those that are enabled only.
        let fact = match self.command {
            Command::DescribeRegions => AccountFact::EnabledRegions(paged(members, regions)),
            _ => AccountFact::Regions(paged(members, regions)),
        };
        Ok(vec![Fact::Account(self.account(), fact)])
    }

    fn identity(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        match members.text("Account") {
            Some(account) if *account == *self.place.account => Ok(Vec::new()),
            Some(account) => Err(NoAnswer::Misplaced(account.to_owned())),
            None => Err(NoAnswer::Shape("Account")),
        }
    }

    fn policies(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let policies = list(members, "Policies")?;
        let id = |policy: &Value| Some((Members::of(policy)?.filled("Id")?, Members::of(policy)?.filled("Type")));
        let policies: Vec<(String, Option<String>)> =
            policies.iter().map(id).collect::<Option<_>>().ok_or(NoAnswer::Shape("Id"))?;
        let asked = self.parameter.as_deref().or(policies.first().and_then(|(_, kind)| kind.as_deref()));
        let Some(kind) = asked.and_then(policy_type) else { return Ok(Vec::new()) };
        if policies.iter().any(|(_, found)| found.as_deref().is_some_and(|found| policy_type(found) != Some(kind))) {
            return Err(NoAnswer::Misplaced("policies of another type".into()));
        }
        let ids = policies.into_iter().map(|(id, _)| id).collect();
        Ok(vec![Fact::Organization(OrganizationFact::Policies(self.account(), kind, paged(members, ids)))])
    }

    fn policy(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let policy = members.get("Policy").and_then(Members::of).ok_or(NoAnswer::Shape("Policy"))?;
        let content = policy.filled("Content").ok_or(NoAnswer::Shape("Content"))?;
        let summary = policy.get("PolicySummary").and_then(Members::of);
        let id = summary.and_then(|summary| summary.filled("Id"));
        let asked = self.parameter.clone().or_else(|| id.clone()).ok_or(NoAnswer::Shape("Id"))?;
        match id {
            Some(id) if id != asked => Err(NoAnswer::Misplaced(id)),
            _ => Ok(vec![Fact::Organization(OrganizationFact::PolicyText(asked, Answer::Known(content)))]),
        }
    }

    fn targets(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let id = |target: &Value| Members::of(target)?.filled("TargetId");
        let targets = list(members, "Targets")?.iter().map(id).collect::<Option<_>>();
        let targets = targets.ok_or(NoAnswer::Shape("TargetId"))?;
        Ok(vec![Fact::Organization(OrganizationFact::Targets(self.parameter()?.to_owned(), paged(members, targets)))])
    }

    fn parents(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let id = |parent: &Value| Members::of(parent)?.filled("Id");
        let parents = list(members, "Parents")?.iter().map(id).collect::<Option<_>>().ok_or(NoAnswer::Shape("Id"))?;
        Ok(vec![Fact::Organization(OrganizationFact::Parents(self.parameter()?.to_owned(), paged(members, parents)))])
    }
}

/// What is said instead of a value.
enum Without {
    Absent,
    Gone,
    Refused(String),
    Unreadable,
}

impl Without {
    fn answer<T>(&self) -> Answer<T> {
        match self {
            Self::Absent => Answer::Absent,
            Self::Gone => Answer::Gone,
            Self::Refused(code) => Answer::Refused(code.clone()),
            Self::Unreadable => Answer::Unreadable,
        }
    }
}

impl Call {
    /// What a call without a value says of what was asked for.
    fn without(&self, what: &Without) -> Vec<Fact> {
        let trail = |fact| self.trail_asked().ok().map(|arn| Fact::Trail(arn, None, fact));
        let bucket = |fact| Some(Fact::Bucket(self.parameter.as_deref()?.into(), fact));
        let key = |fact| Some(Fact::Key(self.key_asked().ok().flatten()?, fact));
        let account = |fact| Some(Fact::Account(self.account(), fact));
        let organization = |fact| Some(Fact::Organization(fact));
        let asked = || self.parameter.clone();
        let fact = match self.command {
            Command::DescribeTrails => Some(Fact::Trails(self.place.clone(), what.answer())),
            Command::GetTrail => trail(TrailFact::Settings(what.answer())),
            Command::GetTrailStatus => trail(TrailFact::Status(self.place.clone(), what.answer())),
            Command::GetEventSelectors => trail(TrailFact::Selectors(what.answer())),
            Command::GetBucketLocation | Command::HeadBucket => bucket(BucketFact::Region(what.answer())),
            Command::GetBucketEncryption => bucket(BucketFact::Encryption(what.answer())),
            Command::GetBucketPolicy => bucket(BucketFact::Policy(what.answer())),
            Command::GetBucketPolicyStatus => bucket(BucketFact::PolicyStatus(what.answer())),
            Command::GetBucketVersioning => bucket(BucketFact::Versioning(what.answer())),
            Command::GetPublicAccessBlock => bucket(BucketFact::PublicAccessBlock(what.answer())),
            Command::GetBucketAcl => bucket(BucketFact::Acl(what.answer())),
            Command::GetBucketOwnershipControls => bucket(BucketFact::ObjectOwnership(what.answer())),
            Command::GetBucketLogging => bucket(BucketFact::Logging(what.answer())),
            Command::GetObjectLockConfiguration => bucket(BucketFact::ObjectLock(what.answer())),
            Command::GetBucketRequestPayment => bucket(BucketFact::RequesterPays(what.answer())),
            Command::GetAccountPublicAccessBlock => account(AccountFact::PublicAccessBlock(what.answer())),
            Command::DescribeKey => key(KeyFact::Metadata(what.answer())),
            Command::GetKeyPolicy => key(KeyFact::Policy(what.answer())),
            Command::GetKeyRotationStatus => key(KeyFact::Rotation(what.answer())),
            Command::ListGrants => key(KeyFact::Grants(what.answer())),
            Command::ListResourceTags => key(KeyFact::Tags(what.answer())),
            Command::ListAliases => Some(Fact::Aliases(self.place.clone(), what.answer())),
            Command::GetAccountAuthorizationDetails => account(AccountFact::Iam(what.answer())),
            Command::ListRegions => account(AccountFact::Regions(what.answer())),
            Command::DescribeRegions => account(AccountFact::EnabledRegions(what.answer())),
            Command::ListAccounts => organization(OrganizationFact::Accounts(self.account(), what.answer())),
            Command::DescribeOrganization => organization(OrganizationFact::Description(self.account(), what.answer())),
            Command::ListPolicies => asked()
                .as_deref()
                .and_then(policy_type)
                .and_then(|kind| organization(OrganizationFact::Policies(self.account(), kind, what.answer()))),
            Command::DescribePolicy => {
                asked().and_then(|id| organization(OrganizationFact::PolicyText(id, what.answer())))
            }
            Command::ListTargetsForPolicy => {
                asked().and_then(|id| organization(OrganizationFact::Targets(id, what.answer())))
            }
            Command::ListParents => asked().and_then(|id| organization(OrganizationFact::Parents(id, what.answer()))),
            Command::ListBuckets => account(AccountFact::Buckets(what.answer())),
            Command::GetBucketTagging
            | Command::ListDelegatedAdministrators
            | Command::ListRoots
            | Command::GetCallerIdentity
            | Command::AssumeRole => None,
        };
        fact.into_iter().collect()
    }
}

fn policy_type(text: &str) -> Option<PolicyType> {
    match text {
        "SERVICE_CONTROL_POLICY" => Some(PolicyType::ServiceControl),
        "RESOURCE_CONTROL_POLICY" => Some(PolicyType::ResourceControl),
        _ => None,
    }
}

/// The settings of a trail, in either spelling.
pub(super) fn trail_settings(trail: &Members<'_>) -> Read<TrailSettings> {
    Ok(TrailSettings {
        name: trail.filled("Name").ok_or(NoAnswer::Shape("Name"))?,
        bucket: trail.filled("S3BucketName").ok_or(NoAnswer::Shape("S3BucketName"))?,
        prefix: trail.filled("S3KeyPrefix").unwrap_or_default(),
        key: trail.filled("KmsKeyId"),
        validation: flag(trail, "LogFileValidationEnabled")?.unwrap_or(false),
        multi_region: flag(trail, "IsMultiRegionTrail")?.unwrap_or(false),
        global_events: flag(trail, "IncludeGlobalServiceEvents")?.unwrap_or(false),
        home_region: trail.filled("HomeRegion").ok_or(NoAnswer::Shape("HomeRegion"))?,
        log_group: trail.filled("CloudWatchLogsLogGroupArn"),
    })
}

/// A truth value; anything else in its place makes the answer unreadable.
fn flag(members: &Members<'_>, name: &'static str) -> Read<Option<bool>> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(NoAnswer::Shape(name)),
    }
}

/// A text; the same.
fn text(members: &Members<'_>, name: &'static str) -> Read<Option<String>> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(NoAnswer::Shape(name)),
    }
}

/// A time; the same.
fn moment(members: &Members<'_>, name: &'static str) -> Read<Option<Timestamp>> {
    match members.get(name) {
        None => Ok(None),
        Some(value) => time(value).map(Some).ok_or(NoAnswer::Shape(name)),
    }
}

fn status(status: &Members<'_>) -> Read<TrailStatus> {
    Ok(TrailStatus {
        is_logging: flag(status, "IsLogging")?.ok_or(NoAnswer::Shape("IsLogging"))?,
        delivery_error: text(status, "LatestDeliveryError")?,
        digest_delivery_error: text(status, "LatestDigestDeliveryError")?,
        log_group_error: text(status, "LatestCloudWatchLogsDeliveryError")?,
        delivered_at: moment(status, "LatestDeliveryTime")?,
        digested_at: moment(status, "LatestDigestDeliveryTime")?,
        started_at: moment(status, "StartLoggingTime")?,
    })
}

fn basic_selector(value: &Value) -> Read<BasicSelector> {
    let selector = members(value)?;
    if !selector.has("ReadWriteType") && !selector.has("IncludeManagementEvents") {
        return Err(NoAnswer::Shape("ReadWriteType"));
    }
    Ok(BasicSelector {
        read_write: text(&selector, "ReadWriteType")?.unwrap_or_else(|| "All".to_owned()),
        management: flag(&selector, "IncludeManagementEvents")?.unwrap_or(true),
        excluded: match selector.get("ExcludeManagementEventSources") {
            None => Vec::new(),
            Some(_) => selector
                .texts("ExcludeManagementEventSources")
                .ok_or(NoAnswer::Shape("ExcludeManagementEventSources"))?,
        },
    })
}

fn advanced_selector(value: &Value) -> Read<Vec<FieldSelector>> {
    let selector = members(value)?;
    list(&selector, "FieldSelectors")?.iter().map(field_selector).collect()
}

fn field_selector(value: &Value) -> Read<FieldSelector> {
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
fn location(members: &Members<'_>, place: &Place) -> Read<String> {
    match text(members, "LocationConstraint")?.as_deref() {
        Some("EU") => Ok("eu-west-1".into()),
        Some(region) => Ok(region.to_owned()),
        None if members.has("LocationConstraint") && partition_of(&place.region) == "aws" => Ok("us-east-1".into()),
        _ => Err(NoAnswer::Shape("LocationConstraint")),
    }
}

fn default_encryption(members: &Members<'_>) -> Read<DefaultEncryption> {
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
        key: default.filled("KMSMasterKeyID"),
    })
}

fn versioning(members: &Members<'_>) -> Read<Versioning> {
    let (status, mfa) = (members.filled("Status"), members.text("MFADelete"));
    let is_known = status.as_deref().is_none_or(|status| matches!(status, "Enabled" | "Suspended"));
    // An empty answer says that versioning was never switched on; anything else in it belongs to another call.
    if !is_known || (status.is_none() && !members.is_empty()) {
        return Err(NoAnswer::Shape("Status"));
    }
    Ok(Versioning { status, mfa_delete: mfa == Some("Enabled") })
}

fn public_access_block(members: &Members<'_>) -> Read<PublicAccessBlock> {
    let block = members.get("PublicAccessBlockConfiguration").and_then(Members::of);
    Ok(public_access_flags(&block.ok_or(NoAnswer::Shape("PublicAccessBlockConfiguration"))?))
}

/// The four switches, in either spelling.
pub(super) fn public_access_flags(block: &Members<'_>) -> PublicAccessBlock {
    let is_on = |name| block.flag(name) == Some(true);
    PublicAccessBlock {
        block_acls: is_on("BlockPublicAcls"),
        ignore_acls: is_on("IgnorePublicAcls"),
        block_policy: is_on("BlockPublicPolicy"),
        restrict: is_on("RestrictPublicBuckets"),
    }
}

/// Who has which permission.
fn acl(grants: &[Value]) -> Read<BTreeSet<(String, String)>> {
    let grant = |value: &Value| {
        let grant = Members::of(value)?;
        let grantee = grant.get("Grantee").and_then(Members::of)?;
        let who = grantee.filled("URI").or_else(|| grantee.filled("ID")).or_else(|| grantee.filled("EmailAddress"))?;
        Some((who, grant.filled("Permission")?))
    };
    grants.iter().map(grant).collect::<Option<_>>().ok_or(NoAnswer::Shape("Grantee"))
}

fn object_ownership(members: &Members<'_>) -> Read<String> {
    let controls = members.get("OwnershipControls").and_then(Members::of);
    let rules = controls.and_then(|controls| controls.list("Rules")).and_then(|rules| rules.first());
    let rule = rules.and_then(Members::of).and_then(|rule| rule.filled("ObjectOwnership"));
    rule.ok_or(NoAnswer::Shape("ObjectOwnership"))
}

fn logging(members: &Members<'_>) -> Read<Answer<String>> {
    match members.get("LoggingEnabled").and_then(Members::of) {
        Some(logging) => Ok(Answer::Known(logging.filled("TargetBucket").ok_or(NoAnswer::Shape("TargetBucket"))?)),
        None if members.is_empty() => Ok(Answer::Absent),
        None => Err(NoAnswer::Shape("LoggingEnabled")),
    }
}

fn object_lock(members: &Members<'_>) -> Read<Option<String>> {
    let lock = members.get("ObjectLockConfiguration").and_then(Members::of);
    Ok(lock_mode(&lock.ok_or(NoAnswer::Shape("ObjectLockConfiguration"))?))
}

/// The default mode of new objects, in either spelling.
pub(super) fn lock_mode(lock: &Members<'_>) -> Option<String> {
    let rule = lock.get("Rule").and_then(Members::of)?;
    rule.get("DefaultRetention").and_then(Members::of)?.filled("Mode")
}

/// What a check needs of a key's metadata, in either spelling.
pub(super) fn key_metadata(metadata: &Members<'_>) -> Option<KeyMetadata> {
    Some(KeyMetadata {
        state: metadata.filled("KeyState")?,
        spec: metadata.filled("KeySpec").or_else(|| metadata.filled("CustomerMasterKeySpec")).unwrap_or_default(),
        usage: metadata.filled("KeyUsage").unwrap_or_default(),
        manager: metadata.filled("KeyManager").unwrap_or_default(),
        origin: metadata.filled("Origin").unwrap_or_default(),
        valid_to: metadata.time("ValidTo"),
        enabled: metadata.flag("Enabled"),
    })
}

fn key_grant(value: &Value, asked: &str) -> Read<KeyGrant> {
    let grant = members(value)?;
    if let Some(other) = grant.text("KeyId").filter(|key| key.starts_with("arn:") && *key != asked) {
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

fn accounts(members: &Members<'_>) -> Read<Answer<AccountList>> {
    let (mut accounts, mut organization) = (BTreeMap::new(), None);
    for value in list(members, "Accounts")? {
        let account = self::members(value)?;
        let id = account.filled("Id").ok_or(NoAnswer::Shape("Id"))?;
        let state = account.text("State").or_else(|| account.text("Status"));
        let is_active = state.is_none_or(|state| !matches!(state, "SUSPENDED" | "CLOSED"));
        accounts.insert(id, is_active);
        // arn:aws:organizations::MANAGEMENT:account/o-ID/ACCOUNT
        organization = organization.or_else(|| account.text("Arn")?.split('/').nth(1).map(str::to_owned));
    }
    if accounts.is_empty() {
        return Err(NoAnswer::Shape("an account"));
    }
    Ok(paged(members, (accounts, organization)))
}

fn description(members: &Members<'_>) -> Read<Answer<OrganizationDescription>> {
    let organization = members.get("Organization").and_then(Members::of).ok_or(NoAnswer::Shape("Organization"))?;
    let management = organization.filled("MasterAccountId").or_else(|| organization.filled("ManagementAccountId"));
    Ok(Answer::Known(OrganizationDescription {
        id: organization.filled("Id").ok_or(NoAnswer::Shape("Id"))?,
        management: management.ok_or(NoAnswer::Shape("MasterAccountId"))?,
    }))
}

//! What the answer to one call of the AWS command line says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::settings::existence::home_of;
use crate::settings::facts::{
    AccountFact, BucketFact, Fact, KeyFact, Members, Name, OrganizationFact, Ownership, Place, PolicyType, Selectors,
    TrailFact,
};
use crate::settings::observations::Answer;

use super::answers::{
    NoAnswer, Read, accounts, acl, advanced_selector, basic_selector, default_encryption, description, enabled_types,
    flag, key_grant, key_metadata, key_tags, list, location, logging, members, moment, object_lock, object_ownership,
    organization_policy, paged, public_access_block, put, requester_pays, status, told_flag, trail_settings,
    versioning,
};
use super::names::{alias_named, is_account, key_arn, trail_arn};
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
    /// The account that must own the bucket for S3 to answer.
    pub(super) expected_owner: Option<Name>,
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

            /// Whether a file of a service is called after one of its calls, whatever number or ending stands behind it:
            /// `describe-trails (1).json`.
            pub(super) fn is_nearly(service: &str, file: &str) -> bool {
                let is_such = |(_, of, name): &(Self, &str, &str)| {
                    let behind = file.strip_prefix(name).filter(|_| *of == service);
                    // What goes on in words is another command.
                    behind.is_some_and(|behind| !behind.trim_start_matches('-').starts_with(char::is_alphabetic))
                };
                Self::ALL.iter().any(is_such)
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
    /// Whether a code answers that there is none: of another call it is a refusal.
    pub(super) fn is_answered_by(&self, code: &str) -> bool {
        let calls: &[Command] = match code {
            "NoSuchBucketPolicy" => &[Command::GetBucketPolicy, Command::GetBucketPolicyStatus],
            "NoSuchTagSet" => &[Command::GetBucketTagging],
            "NoSuchPublicAccessBlockConfiguration" => {
                &[Command::GetPublicAccessBlock, Command::GetAccountPublicAccessBlock]
            }
            "ServerSideEncryptionConfigurationNotFoundError" => &[Command::GetBucketEncryption],
            "ObjectLockConfigurationNotFoundError" => &[Command::GetObjectLockConfiguration],
            "OwnershipControlsNotFoundError" => &[Command::GetBucketOwnershipControls],
            "UnsupportedOperationException" => &[Command::GetKeyRotationStatus],
            // Such an account is in no organisation.
            "AWSOrganizationsNotInUseException" => return self.command.text().starts_with("organizations "),
            _ => &[],
        };
        calls.contains(&self.command)
    }

    /// What a refusal says: that there is none, or nothing.
    pub(super) fn refused(&self, code: &str) -> Vec<Fact> {
        match self.is_answered_by(code) {
            true => {
                let mut facts = self.without(&Without::Absent);
                // Whichever of these calls says so, there is no policy, and no organisation.
                match self.command {
                    Command::GetBucketPolicyStatus => {
                        let bucket: Option<Name> = self.parameter.as_deref().map(Name::from);
                        facts.extend(bucket.map(|bucket| Fact::Bucket(bucket, BucketFact::Policy(Answer::Absent))));
                    }
                    command if command.text().starts_with("organizations ") => {
                        let alone = OrganizationFact::Description(self.account(), Answer::Absent);
                        facts.push(Fact::Organization(alone));
                    }
                    _ => {}
                }
                // Who is told that there is none could ask, as who is told what there is.
                if let Some(Fact::Bucket(bucket, _)) = facts.first() {
                    facts.push(Fact::Bucket(bucket.clone(), self.owner()));
                }
                facts
            }
            false if GONE.contains(&code) => {
                let mut facts = self.without(&Without::Gone);
                // Who asks in another place is told that nothing is there, whatever there is.
                facts.retain(|fact| !matches!(fact, Fact::Key(arn, _) if home_of(arn) != self.place));
                match (facts.first(), code) {
                    (Some(Fact::Bucket(bucket, _)), "404" | "NoSuchBucket") => {
                        facts.push(Fact::Bucket(bucket.clone(), BucketFact::Gone));
                    }
                    (Some(Fact::Trail(arn, ..)), "TrailNotFound" | "TrailNotFoundException")
                        if home_of(arn) == self.place =>
                    {
                        facts.push(Fact::Trail(arn.clone(), None, TrailFact::Gone));
                    }
                    // Nothing can be said of its state any more.
                    (Some(Fact::Key(arn, _)), "NotFoundException") if home_of(arn) == self.place => {
                        facts.push(Fact::Key(arn.clone(), KeyFact::Metadata(Answer::Gone)));
                    }
                    _ => {}
                }
                facts
            }
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
                let (arn, facts) = self.trail(trail)?;
                // One that is asked for by its name may have its home elsewhere.
                let name = |arn: &str| arn.rsplit('/').next().map(str::to_owned);
                let is_by_arn = self.parameter.as_deref().is_some_and(|asked| asked.starts_with("arn:"));
                match self.trail_asked() {
                    Ok(asked) if name(&asked) != name(&arn) || (is_by_arn && asked != arn) => {
                        Err(NoAnswer::Misplaced(arn.to_string()))
                    }
                    _ => Ok(facts),
                }
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
            Command::ListRoots => {
                Ok(vec![Fact::Organization(OrganizationFact::EnabledTypes(self.account(), enabled_types(&members)?))])
            }
            Command::ListDelegatedAdministrators | Command::GetBucketTagging => Ok(Vec::new()),
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

    /// What an answer about a bucket says of its owner.
    fn owner(&self) -> BucketFact {
        match &self.expected_owner {
            Some(owner) => BucketFact::Owner(owner.clone(), Ownership::Proven),
            None => BucketFact::Owner(self.account(), Ownership::Asked),
        }
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
        let (mut facts, mut names) = (Vec::new(), BTreeSet::new());
        for bucket in list(members, "Buckets")? {
            let bucket = self::members(bucket)?;
            let name: Name = bucket.filled("Name").ok_or(NoAnswer::Shape("Name"))?.into();
            let region = bucket.filled("BucketRegion").map(|region| BucketFact::Region(Answer::Known(region)));
            let owner = BucketFact::Owner(self.account(), Ownership::Proven);
            let created = moment(&bucket, "CreationDate")?.map(BucketFact::CreatedAt);
            let told = region.into_iter().chain(created).chain([owner]);
            facts.extend(told.map(|fact| Fact::Bucket(name.clone(), fact)));
            names.insert(name);
        }
        facts.extend(canonical_owner(members).map(|id| Fact::Account(self.account(), AccountFact::CanonicalId(id))));
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
            let [region, account] = [&self.place.region, &self.place.account];
            if !is_here(arn.next(), region) || !is_here(arn.next(), account) || !is_here(arn.next(), &name) {
                return Err(NoAnswer::Misplaced(name));
            }
            if let Some(key) = alias.filled("TargetKeyId") {
                put(&mut aliases, name, key)?;
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
        // An alias is of the account and the Region of its key.
        let is_elsewhere = |place: &Place| {
            let mut parts = arn.split(':').skip(3);
            parts.next() != Some(&place.region) || parts.next() != Some(&place.account)
        };
        if self.key_asked()?.is_some_and(|asked| *asked != *arn)
            || self.alias_asked().is_some_and(|(place, _)| is_elsewhere(&place))
        {
            return Err(NoAnswer::Misplaced(arn));
        }
        let metadata = key_metadata(&metadata, &arn)?;
        let key = arn.rsplit('/').next().unwrap_or_default().to_owned();
        let mut facts = vec![Fact::Key(arn.into(), KeyFact::Metadata(Answer::Known(metadata)))];
        facts.extend(self.alias_asked().map(|(place, alias)| Fact::Alias(place, alias, Answer::Known(key))));
        Ok(facts)
    }

    /// The alias by which a key was asked for, and where it is.
    fn alias_asked(&self) -> Option<(Place, String)> {
        alias_named(self.parameter.as_deref()?, &self.place)
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
        let enabled = told_flag(members, "KeyRotationEnabled")?;
        let mut facts = vec![KeyFact::Rotation(Answer::Known(enabled))];
        if let Some(days) = members.get("RotationPeriodInDays") {
            let days = days.as_u64().and_then(|days| u32::try_from(days).ok()).filter(|days| *days > 0);
            facts.push(KeyFact::RotationPeriod(Answer::Known(days.ok_or(NoAnswer::Shape("RotationPeriodInDays"))?)));
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
            Command::GetBucketRequestPayment => BucketFact::RequesterPays(Answer::Known(requester_pays(members)?)),
            _ => return Err(NoAnswer::Shape("the call is not known")),
        };
        let mut facts = vec![fact];
        // Readers may look at a bucket's head and Region; whoever asks for its settings hardly is one.
        let is_for_readers = matches!(self.command, Command::HeadBucket | Command::GetBucketLocation);
        if !is_for_readers || self.expected_owner.is_some() {
            facts.push(self.owner());
        }
        if self.command == Command::GetBucketAcl {
            facts.extend(canonical_owner(members).map(BucketFact::CanonicalOwner));
        }
        Ok(facts.into_iter().map(|fact| Fact::Bucket(bucket.clone(), fact)).collect())
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
            put(&mut regions, name, is_enabled)?;
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
        let Some(kind) = asked.map(PolicyType::named) else { return Ok(Vec::new()) };
        if policies.iter().any(|(_, found)| found.as_deref().is_some_and(|found| PolicyType::named(found) != kind)) {
            return Err(NoAnswer::Misplaced("policies of another type".into()));
        }
        let ids = policies.into_iter().map(|(id, _)| id).collect();
        Ok(vec![Fact::Organization(OrganizationFact::Policies(self.account(), kind, paged(members, ids)))])
    }

    fn policy(&self, members: &Members<'_>) -> Read<Vec<Fact>> {
        let (id, policy) = organization_policy(members)?;
        let asked = self.parameter.clone().or_else(|| id.clone()).ok_or(NoAnswer::Shape("Id"))?;
        match id {
            Some(id) if id != asked => Err(NoAnswer::Misplaced(id)),
            _ => Ok(vec![Fact::Organization(OrganizationFact::Policy(asked, Answer::Known(policy)))]),
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
            Command::DescribeKey => match self.alias_asked() {
                Some((place, alias)) => Some(Fact::Alias(place, alias, what.answer())),
                None => key(KeyFact::Metadata(what.answer())),
            },
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
                .map(PolicyType::named)
                .and_then(|kind| organization(OrganizationFact::Policies(self.account(), kind, what.answer()))),
            Command::DescribePolicy => asked().and_then(|id| organization(OrganizationFact::Policy(id, what.answer()))),
            Command::ListTargetsForPolicy => {
                asked().and_then(|id| organization(OrganizationFact::Targets(id, what.answer())))
            }
            Command::ListParents => asked().and_then(|id| organization(OrganizationFact::Parents(id, what.answer()))),
            Command::ListBuckets => account(AccountFact::Buckets(what.answer())),
            Command::ListRoots => organization(OrganizationFact::EnabledTypes(self.account(), what.answer())),
            Command::GetBucketTagging
            | Command::ListDelegatedAdministrators
            | Command::GetCallerIdentity
            | Command::AssumeRole => None,
        };
        fact.into_iter().collect()
    }
}

/// The id by which S3 knows the owner of what an answer is about.
fn canonical_owner(members: &Members<'_>) -> Option<Answer<String>> {
    members.get("Owner").and_then(Members::of)?.filled("ID").map(Answer::Known)
}

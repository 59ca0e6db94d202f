//! Buckets that trails write to: their default encryption, and whom they are open to.

use std::collections::BTreeSet;

use super::request::{Asker, Strangers, parsed, stranger};
use super::trail::{NamedKey, names_other_accounts};
use super::{Basis, Conclusion, Judge, Judged, Resource, worst};
use crate::iam_policy::{
    Attachment, Caller, Document, Effect, Fact, Facts, Listed, Pattern, Request, Statement, Target, Truth, evaluate,
    public_statements,
};
use crate::policy::{Method, ObjectLock, Verdict};
use crate::settings::exports::partition_of;
use crate::settings::facts::{DefaultEncryption, Name, Place, PublicAccessBlock};
use crate::settings::model::{Bucket, Trail};
use crate::settings::observations::{Observations, Said};

impl Judge<'_> {
    /// Checks a bucket, and says which key its default names.
    pub(super) fn bucket(&self, name: &Name, judged: &mut Judged) -> Option<Name> {
        let empty = Bucket::default();
        let bucket = self.model.buckets.get(name).unwrap_or(&empty);
        let owner = self.model.owner(name, &self.clock).cloned().unwrap_or_else(|| "".into());
        let region = bucket.region.now(&self.clock).known().cloned().unwrap_or_default();
        let resource_name = format!("s3://{name}");
        let resource = Resource { account: &owner, region: &region, name: &resource_name };
        let (key, default) = self.default_encryption(bucket, &owner, &region);
        let demand = &self.policy.bucket;
        let push = |judged: &mut Judged, check, is_demanded: bool, conclusion: Conclusion| {
            let conclusion = match is_demanded {
                true => conclusion,
                false => Conclusion { verdict: Verdict::OutOfScope, reason: "not_demanded", ..conclusion },
            };
            self.push(judged, resource, check, conclusion);
        };
        push(judged, "bucket.default_encryption", demand.default_encryption.is_some(), default);
        if let Some(key) = &key {
            push(judged, "bucket.default_key_region", demand.default_encryption.is_some(), self.key_region(key, name));
        }
        push(judged, "bucket.public", demand.not_public, self.public(bucket, &owner, &region));
        push(judged, "bucket.tls", demand.tls_only, self.tls(bucket, name, &region));
        push(judged, "bucket.versioning", demand.versioning, self.versioning(bucket));
        push(judged, "bucket.mfa_delete", demand.mfa_delete, self.mfa_delete(bucket));
        push(judged, "bucket.write_scope", demand.source_condition, self.write_scope(bucket, name, &region));
        push(judged, "bucket.object_lock", demand.object_lock.is_some(), self.object_lock(bucket));
        push(judged, "bucket.access_logging", demand.access_logging, self.access_logging(bucket));
        key
    }

    fn default_encryption(&self, bucket: &Bucket, owner: &Name, region: &str) -> (Option<Name>, Conclusion) {
        let now = bucket.encryption.now(&self.clock);
        let basis = Basis::of(&now);
        let Said::Known(default) = now.said else {
            let conclusion = match now.said {
                Said::Absent => Conclusion::violation("default_encryption_absent"),
                _ => Conclusion::undetermined(now.why("encryption_absent")),
            };
            return (None, conclusion.on(&basis));
        };
        let actual = match &default.key {
            Some(key) => format!("{} {key}", default.algorithm),
            None => default.algorithm.clone(),
        };
        let (key, conclusion) = self.default_key(default, owner, region);
        (key, conclusion.expected(self.methods_text()).actual(actual).on(&basis))
    }

    fn methods_text(&self) -> String {
        let methods = self.policy.bucket.default_encryption.iter().flatten();
        methods.map(|method| method_name(*method)).collect::<Vec<_>>().join(" ")
    }

    fn default_key(&self, default: &DefaultEncryption, owner: &Name, region: &str) -> (Option<Name>, Conclusion) {
        let method = match default.algorithm.as_str() {
            "AES256" => Method::SseS3,
            "aws:kms" => Method::SseKms,
            "aws:kms:dsse" => Method::DsseKms,
            _ => return (None, Conclusion::undetermined("default_method_unknown")),
        };
        let allowed = self.policy.bucket.default_encryption.as_deref().unwrap_or(&[]);
        if !allowed.is_empty() && !allowed.contains(&method) {
            return (None, Conclusion::violation("default_method_not_allowed"));
        }
        if method == Method::SseS3 {
            return (None, Conclusion::compliant());
        }
        // Without a key it is that of AWS, `aws/s3`.
        let Some(key) = default.key.as_deref().filter(|key| *key != "alias/aws/s3" && !key.ends_with(":alias/aws/s3"))
        else {
            return (None, Conclusion::violation("default_key_not_allowed"));
        };
        if !key.starts_with("arn:") {
            // It is looked up in the account of whoever writes.
            return (None, Conclusion::undetermined("key_alias_ambiguous"));
        }
        let place = Place { account: owner.clone(), region: region.into() };
        match self.named_key(key, &place) {
            NamedKey::Arn(arn, basis) => {
                let conclusion = Conclusion::holds(self.allows_key(&arn), "default_key_not_allowed").on(&basis);
                (Some(arn), conclusion)
            }
            NamedKey::Unresolved => (None, Conclusion::undetermined("key_alias_unresolved")),
        }
    }

    fn versioning(&self, bucket: &Bucket) -> Conclusion {
        let now = bucket.versioning.now(&self.clock);
        let conclusion = match now.said {
            Said::Known(versioning) => {
                Conclusion::holds(versioning.status.as_deref() == Some("Enabled"), "versioning_off")
                    .actual(versioning.status.as_deref().unwrap_or("never enabled"))
            }
            _ => Conclusion::undetermined(now.why("versioning_absent")),
        };
        conclusion.expected("Enabled").on(&Basis::of(&now))
    }

    fn mfa_delete(&self, bucket: &Bucket) -> Conclusion {
        let now = bucket.versioning.now(&self.clock);
        let conclusion = match now.said {
            Said::Known(versioning) => Conclusion::holds(versioning.mfa_delete, "mfa_delete_off"),
            _ => Conclusion::undetermined(now.why("versioning_absent")),
        };
        conclusion.on(&Basis::of(&now))
    }

    fn object_lock(&self, bucket: &Bucket) -> Conclusion {
        let now = bucket.object_lock.now(&self.clock);
        let wanted = self.policy.bucket.object_lock;
        let mode = |text: &str| match text {
            "COMPLIANCE" => Some(ObjectLock::Compliance),
            "GOVERNANCE" => Some(ObjectLock::Governance),
            _ => None,
        };
        let conclusion = match now.said {
            Said::Known(found) => {
                let found = found.as_deref();
                Conclusion::holds(found.and_then(mode) >= wanted, "object_lock_off")
                    .actual(found.unwrap_or("no default"))
            }
            Said::Absent => Conclusion::violation("object_lock_off").actual("none"),
            _ => Conclusion::undetermined(now.why("object_lock_absent")),
        };
        conclusion.on(&Basis::of(&now))
    }

    fn access_logging(&self, bucket: &Bucket) -> Conclusion {
        let now = bucket.logging.now(&self.clock);
        let conclusion = match now.said {
            Said::Known(target) => Conclusion::compliant().actual(target.as_str()),
            Said::Absent => Conclusion::violation("access_logging_off"),
            _ => Conclusion::undetermined(now.why("access_logging_absent")),
        };
        conclusion.on(&Basis::of(&now))
    }

    /// Whether everybody who asks without TLS is refused.
    fn tls(&self, bucket: &Bucket, name: &str, region: &str) -> Conclusion {
        let now = bucket.policy.now(&self.clock);
        let conclusion = match parsed(&now) {
            Ok(Some(policy)) => {
                let text = now.known().map_or("", |text| text);
                self.in_its_partition(name, region, |partition| tls_required(&policy, text, name, partition))
            }
            Ok(None) => Conclusion::violation("tls_not_required").actual("no bucket policy"),
            Err(reason) => Conclusion::undetermined(reason),
        };
        conclusion.on(&Basis::of(&now))
    }

    /// Whether the trail of a stranger could write here.
    fn write_scope(&self, bucket: &Bucket, name: &str, region: &str) -> Conclusion {
        let now = bucket.policy.now(&self.clock);
        let conclusion = match parsed(&now) {
            Ok(Some(policy)) => {
                let text = now.known().map_or("", |text| text);
                self.in_its_partition(name, region, |partition| self.strangers_write(&policy, text, name, partition))
            }
            Ok(None) => Conclusion::compliant().actual("no bucket policy"),
            Err(reason) => Conclusion::undetermined(reason),
        };
        conclusion.on(&Basis::of(&now))
    }

    /// The partition of a bucket; where nobody knows its Region, those of the trails that write to one of its name.
    fn partitions_of_bucket(&self, name: &str, region: &str) -> BTreeSet<&'static str> {
        let of_trail = |(_, trail): (&Name, &Trail)| {
            let told = trail.settings.now(&self.clock);
            let told = told.known().filter(|settings| *settings.bucket == *name)?;
            Some(partition_of(&told.home_region))
        };
        let mut partitions = BTreeSet::new();
        if region.is_empty() {
            partitions.extend(self.model.trails.iter().filter_map(of_trail));
        }
        if partitions.is_empty() {
            partitions.insert(partition_of(region));
        }
        partitions
    }

    /// What is concluded in the partition of a bucket; where it can be of several, only what is the same in all of them.
    fn in_its_partition(&self, name: &str, region: &str, conclude: impl Fn(&str) -> Conclusion) -> Conclusion {
        let mut found = self.partitions_of_bucket(name, region).into_iter().map(conclude);
        let first = found.next().unwrap_or_else(|| Conclusion::undetermined("bucket_region_unknown"));
        match found.all(|other| (other.verdict, other.reason) == (first.verdict, first.reason)) {
            true => first,
            false => Conclusion::undetermined("bucket_region_unknown"),
        }
    }

    /// What a policy allows to trails of accounts that are not ours.
    fn strangers_write(&self, policy: &Document, text: &str, name: &str, partition: &str) -> Conclusion {
        let bucket = format!("arn:{partition}:s3:::{name}");
        let strangers = Strangers::of(self, policy, text, partition);
        let allowed = allowed_objects(policy, &bucket);
        let may = |asker: &Asker, account: &str| {
            let answer = |place: &String| asker.with_bucket(policy, "s3:PutObject", place).outcome();
            match Truth::any(allowed.iter().map(answer)) {
                // Whether somebody can is proven by a place where one can.
                Truth::Unknown => {
                    let log = format!("AWSLogs/{account}/CloudTrail/us-east-1/x.json.gz");
                    Truth::any(places_of_policy(policy, &bucket, &log).iter().map(answer)).or(Truth::Unknown)
                }
                sure => sure,
            }
        };
        match strangers.conclude(may) {
            found
                if found.verdict == Verdict::Compliant
                    && names_other_accounts(policy, "s3:PutObject", |id| self.is_ours(id)) =>
            {
                Conclusion::undetermined("principal_unresolved")
            }
            found => found,
        }
    }

    /// Whether the policy or the access control list lets in everybody.
    fn public(&self, bucket: &Bucket, owner: &Name, region: &str) -> Conclusion {
        let nothing = Observations::default();
        let own = bucket.public_access_block.now(&self.clock);
        let of_account = self.model.accounts.get(owner).map_or(&nothing, |account| &account.public_access_block);
        let of_account = of_account.now(&self.clock);
        let is_on = |switch: fn(&PublicAccessBlock) -> bool| {
            Truth::any([&own, &of_account].map(|now| match now.said {
                Said::Known(block) => switch(block).into(),
                Said::Absent => Truth::False,
                _ => Truth::Unknown,
            }))
        };
        // What lets everybody in does not, where a block may be in force.
        let blocked = |is_on: Truth, how: &'static str, otherwise: &dyn Fn() -> Conclusion| match (is_on, otherwise()) {
            (Truth::True, _) => Conclusion::compliant().actual(how),
            (Truth::Unknown, found) if found.verdict == Verdict::Violation => {
                Conclusion { verdict: Verdict::Undetermined, reason: "public_access_block_absent", ..found }
            }
            (_, found) => found,
        };
        let by_policy = blocked(is_on(|block| block.restrict), "public policies are restricted", &|| {
            self.public_policy(bucket, region)
        });
        let by_acl = blocked(is_on(|block| block.ignore_acls), "public lists are ignored", &|| self.public_acl(bucket));
        let conclusion = worst([by_policy, by_acl]).unwrap_or_else(Conclusion::compliant);
        conclusion.on(&Basis::of(&own).and(&of_account))
    }

    /// What AWS says of the policy, and what the policy says itself: the newer decides.
    fn public_policy(&self, bucket: &Bucket, region: &str) -> Conclusion {
        let (status, now) = (bucket.policy_status.now(&self.clock), bucket.policy.now(&self.clock));
        let said = match status.if_said("bucket_policy_absent") {
            Ok(said) => said.copied(),
            // What was good long ago is no worse than silence.
            Err(_) if status.stale == Some(&false) => None,
            Err(reason) => return Conclusion::undetermined(reason).on(&Basis::of(&status)),
        };
        // With or without TLS is for whoever asks to choose.
        let in_region = if region.is_empty() { Fact::present() } else { Fact::known(region) };
        let facts = Facts::new().with("aws:RequestedRegion", in_region);
        let of_text = parsed(&now).map(|policy| {
            let statements = policy.map(|policy| public_statements(&policy, &facts)).unwrap_or_default();
            statements.iter().map(|statement| statement.public).max().unwrap_or(Truth::False)
        });
        let conclusion = match (said, of_text) {
            // Whose text was not told is as AWS says.
            (Some(true), Err(_)) => Conclusion::violation("public_policy"),
            (_, Err(reason)) => Conclusion::undetermined(reason),
            (Some(true), Ok(_)) if status.at > now.until => Conclusion::violation("public_policy"),
            (Some(false), Ok(Truth::True)) if status.until >= now.at => Conclusion::undetermined("sources_disagree"),
            (Some(true), Ok(Truth::False)) if status.until >= now.at => Conclusion::undetermined("sources_disagree"),
            (_, Ok(Truth::False)) => Conclusion::compliant(),
            (_, Ok(Truth::True)) => Conclusion::violation("public_policy"),
            (Some(true), Ok(Truth::Unknown)) if status.until >= now.at => Conclusion::violation("public_policy"),
            (_, Ok(Truth::Unknown)) => Conclusion::undetermined("condition_unknown"),
        };
        conclusion.on(&Basis::of(&status).and(&now))
    }

    fn public_acl(&self, bucket: &Bucket) -> Conclusion {
        let (ownership, now) = (bucket.object_ownership.now(&self.clock), bucket.acl.now(&self.clock));
        let is_enforced = ownership.known().is_some_and(|rule| rule == "BucketOwnerEnforced");
        let is_for = |is_such: fn(&str) -> bool| match now.said {
            Said::Known(grants) | Said::Incomplete(grants) => grants.iter().any(|(who, _)| is_such(who)),
            _ => false,
        };
        let is_for_everybody = is_for(is_everybody);
        let is_for_groups = is_for_everybody || is_for(is_unknown_group);
        let conclusion = match now.said {
            // Such a bucket has no list that others are in: one that was told since is of another rule.
            _ if is_enforced && is_for_groups && now.until >= ownership.at => {
                Conclusion::undetermined("sources_disagree")
            }
            _ if is_enforced => Conclusion::compliant(),
            Said::Known(_) | Said::Incomplete(_) if is_for_everybody => Conclusion::violation("public_acl"),
            Said::Known(grants) if grants.iter().any(|(who, _)| is_unknown_group(who)) => {
                Conclusion::undetermined("acl_group_unknown")
            }
            Said::Known(_) => Conclusion::compliant(),
            _ => Conclusion::undetermined(now.why("acl_absent")),
        };
        conclusion.on(&Basis::of(&ownership).and(&now))
    }
}

fn is_everybody(who: &str) -> bool {
    who.ends_with("/global/AllUsers") || who.ends_with("/global/AuthenticatedUsers")
}

/// Whether it is a group of which nobody here knows who is in it.
fn is_unknown_group(who: &str) -> bool {
    who.contains("/groups/") && !is_everybody(who) && !who.ends_with("/s3/LogDelivery")
}

/// As inventories spell it.
fn method_name(method: Method) -> &'static str {
    match method {
        Method::SseS3 => "SSE-S3",
        Method::SseKms => "SSE-KMS",
        Method::DsseKms => "DSSE-KMS",
        Method::SseC => "SSE-C",
    }
}

fn tls_required(policy: &Document, text: &str, name: &str, partition: &str) -> Conclusion {
    let bucket = format!("arn:{partition}:s3:::{name}");
    // Whoever denies some actions only, leaves others open.
    let of_all = Document {
        statements: policy.statements.iter().filter(|it| is_of_all_actions(it)).cloned().collect(),
        ..policy.clone()
    };
    let denied = |caller: &Caller| {
        let asked = [("s3:GetObject", "/*"), ("s3:PutObject", "/*"), ("s3:ListBucket", "")];
        Truth::all(asked.map(|(action, below)| {
            let request = Request {
                caller: caller.clone(),
                action: action.to_owned(),
                resource: Target::all(&format!("{bucket}{below}")),
                facts: Facts::new().with("aws:SecureTransport", Fact::known("false")),
                attachment: Attachment::Resource,
            };
            evaluate(&of_all, &request).deny
        }))
    };
    // Whom nothing denies: somebody of an account that the policy does not name.
    let nobody = Caller::Principal(format!("arn:{partition}:iam::{}:role/another", stranger(text)));
    match (denied(&Caller::Everyone { anonymous: true }), denied(&nobody)) {
        (Truth::True, _) => Conclusion::compliant(),
        (_, Truth::False) | (Truth::False, _) => Conclusion::violation("tls_not_required"),
        _ => Conclusion::undetermined("condition_unknown"),
    }
}

fn is_of_all_actions(statement: &Statement) -> bool {
    match &statement.action {
        Listed::Only(actions) => actions.iter().any(|action| {
            let pattern = Pattern::new(action).folded();
            // Without a colon only `*` is sure to be about all.
            pattern.is_anything() || (action.contains(':') && pattern.covers(&Pattern::new("s3:?*")))
        }),
        // Whoever leaves out actions of other services only.
        Listed::AllBut(actions) => actions.iter().all(|action| {
            let service = action.split_once(':').map_or("*", |(service, _)| service);
            !service.contains(['*', '?']) && !service.eq_ignore_ascii_case("s3")
        }),
        _ => false,
    }
}

/// What of a bucket statements allow, so that whatever is in none of it is allowed to nobody: patterns of objects.
fn allowed_objects(policy: &Document, bucket: &str) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    for statement in policy.statements.iter().filter(|statement| statement.effect != Effect::Deny) {
        let own = format!("{bucket}/");
        match &statement.resource {
            Listed::Only(resources) if resources.iter().all(|it| it.starts_with(&own) && !it.contains("${")) => {
                allowed.extend(resources.iter().cloned());
            }
            _ => drop(allowed.insert(format!("{own}*"))),
        }
    }
    allowed
}

/// Places of logs in a bucket that a policy is about; `log` is one below a prefix.
fn places_of_policy(policy: &Document, bucket: &str, log: &str) -> BTreeSet<String> {
    const MOST: usize = 32;
    let mut places = BTreeSet::from([format!("{bucket}/{log}")]);
    let place = |resource: &String| {
        let (of, below) = resource.split_once('/')?;
        if Pattern::new(of).matches(bucket) != Truth::True {
            return None;
        }
        match below.strip_suffix('*') {
            _ if below.contains("AWSLogs/") => Some(format!("{bucket}/{}", below.replace(['*', '?'], "x"))),
            Some(prefix) => Some(format!("{bucket}/{}{log}", prefix.replace(['*', '?'], "x"))),
            None => None,
        }
    };
    for statement in policy.statements.iter().filter(|statement| statement.effect != Effect::Deny) {
        let Listed::Only(resources) = &statement.resource else { continue };
        places.extend(resources.iter().take(MOST).filter_map(place));
        if places.len() >= MOST {
            break;
        }
    }
    places
}

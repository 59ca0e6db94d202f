//! Trails: their key, their destination, what they log, and whether they do.

use std::collections::BTreeSet;

use super::guardrail::Controlled;
use super::request::{Asker, Refusal, decided, needed, parsed};
use super::selectors::events_logged;
use super::{Basis, Conclusion, Judge, Judged, Resource, places_of, worst};
use crate::iam_policy::{Document, Effect, Listed, Pattern, Principal, Truth};
use crate::policy::{Answer, Demanded, KeyArn, ManagementEvents, TrailDemand, TrailScope, Verdict};
use crate::settings::exports::partition_of;
use crate::settings::facts::{Name, Place, TrailSettings, TrailStatus};
use crate::settings::model::Trail;
use crate::settings::observations::{Observations, Said};
use crate::timestamp::Timestamp;

/// A trail in the inventory of trails.
#[derive(Clone, Debug)]
pub(in crate::settings) struct TrailLine {
    pub(in crate::settings) arn: Name,
    pub(in crate::settings) settings: Option<TrailSettings>,
    pub(in crate::settings) organization: Option<bool>,
    pub(in crate::settings) bucket_owner: Option<Name>,
    pub(in crate::settings) bucket_region: Option<String>,
    pub(in crate::settings) is_logging: Option<bool>,
    pub(in crate::settings) delivered_at: Option<Timestamp>,
    pub(in crate::settings) seen_in: usize,
    /// Whether nothing is wrong or unknown of it.
    pub(in crate::settings) is_compliant: bool,
    /// Whether the standard is about it.
    pub(in crate::settings) is_judged: bool,
}

/// What a trail writes to.
pub(super) struct Writes {
    pub(super) bucket: Name,
    /// The ARN of its key, if it is known.
    pub(super) key: Option<Name>,
}

/// The key that a setting names.
pub(super) enum NamedKey {
    Arn(Name, Basis),
    /// An alias that nothing resolves.
    Unresolved,
}

/// A trail whose settings are known.
struct Known<'k> {
    arn: &'k Name,
    owner: &'k str,
    trail: &'k Trail,
    settings: &'k TrailSettings,
    basis: Basis,
}

impl Judge<'_> {
    /// Checks all trails, and says where they write to.
    pub(super) fn trails(&self, judged: &mut Judged) -> Vec<Writes> {
        let mut writes = Vec::new();
        for (arn, trail) in self.model.trails_now(&self.clock) {
            let first_row = judged.rows.len();
            writes.extend(self.trail(arn, trail, judged));
            let is_good = |verdict| !matches!(verdict, Verdict::Violation | Verdict::Undetermined);
            let is_compliant = judged.rows[first_row..].iter().all(|row| is_good(row.conclusion.verdict));
            let is_judged = judged.rows[first_row..].iter().any(|row| row.conclusion.reason != "no_demand");
            judged.trails.push(TrailLine { is_judged, ..self.line(arn, trail, is_compliant) });
        }
        writes
    }

    /// Whether the standard is about a trail.
    pub(super) fn is_demanded(&self, arn: &Name, trail: &Trail) -> Answer {
        let now = trail.settings.now(&self.clock);
        let Some(settings) = now.known() else { return Answer::Unknown };
        let known = Known { arn, owner: places_of(arn).0, trail, settings, basis: Basis::default() };
        match self.policy.trail_demand(|scope| self.is_in(scope, &known)) {
            Demanded::By(_) => Answer::Yes,
            Demanded::Unknown => Answer::Unknown,
            Demanded::Nothing => Answer::No,
        }
    }

    fn line(&self, arn: &Name, trail: &Trail, is_compliant: bool) -> TrailLine {
        let settings = trail.settings.now(&self.clock).known();
        let bucket = settings.and_then(|settings| self.model.buckets.get(settings.bucket.as_str()));
        let status = trail.home_status(arn, &self.clock).and_then(|status| status.now(&self.clock).known());
        TrailLine {
            arn: arn.clone(),
            settings: settings.cloned(),
            organization: trail.organization.now(&self.clock).known().copied(),
            bucket_owner: settings.and_then(|it| self.model.owner(&it.bucket, &self.clock)).cloned(),
            bucket_region: bucket.and_then(|bucket| bucket.region.now(&self.clock).known().cloned()),
            is_logging: status.map(|status| status.is_logging),
            delivered_at: status.and_then(|status| status.delivered_at),
            seen_in: trail.seen_in.len(),
            is_compliant,
            is_judged: true,
        }
    }

    fn trail(&self, arn: &Name, trail: &Trail, judged: &mut Judged) -> Option<Writes> {
        let (owner, region) = places_of(arn);
        let resource = Resource { account: owner, region, name: arn };
        let now = trail.settings.now(&self.clock);
        let basis = Basis::of(&now);
        let Some(settings) = now.known() else {
            let reason = now.why("trails_absent");
            self.push(judged, resource, "trail.kms", Conclusion::undetermined(reason).on(&basis));
            return None;
        };
        if self.model.is_contradicted(arn, trail, &self.clock) {
            self.push(judged, resource, "trail.kms", Conclusion::undetermined("sources_disagree").on(&basis));
            return None;
        }
        let known = Known { arn, owner, trail, settings, basis };
        let key = self.key_of_trail(&known);
        match self.policy.trail_demand(|scope| self.is_in(scope, &known)) {
            Demanded::By(demand) => {
                self.demands(&known, demand, &key, judged, resource);
                self.works(&known, &key, judged, resource);
            }
            Demanded::Nothing => {
                self.push(judged, resource, "trail.kms", Conclusion::out_of_scope("no_demand").on(&known.basis));
                return None;
            }
            // What cannot be decided never falls to something milder.
            Demanded::Unknown => {
                self.push(judged, resource, "trail.kms", Conclusion::undetermined("scope_unknown").on(&known.basis));
            }
        }
        let key = match key {
            Some(NamedKey::Arn(key, _)) => Some(key),
            _ => None,
        };
        Some(Writes { bucket: settings.bucket.as_str().into(), key })
    }

    fn is_in(&self, scope: &TrailScope, known: &Known<'_>) -> Answer {
        let matches = |globs: &Option<crate::policy::Globs>, text: &str| {
            globs.as_ref().is_none_or(|globs| globs.matches(text.as_bytes()))
        };
        let organization = known.trail.organization.now(&self.clock).known().copied();
        let is_in = matches(&scope.name, &known.settings.name)
            && matches(&scope.account, known.owner)
            && matches(&scope.region, &known.settings.home_region)
            && matches(&scope.bucket, &known.settings.bucket);
        match (scope.organization, organization) {
            _ if !is_in => Answer::No,
            (None, _) => Answer::Yes,
            (Some(_), None) => Answer::Unknown,
            (Some(wanted), Some(found)) if wanted == found => Answer::Yes,
            _ => Answer::No,
        }
    }

    fn key_of_trail(&self, known: &Known<'_>) -> Option<NamedKey> {
        let place = Place { account: known.owner.into(), region: known.settings.home_region.as_str().into() };
        known.settings.key.as_deref().map(|key| self.named_key(key, &place))
    }

    /// The key that a text means in a place: an ARN, an id or an alias.
    pub(super) fn named_key(&self, text: &str, place: &Place) -> NamedKey {
        if KeyArn::parse(text).is_some() {
            return NamedKey::Arn(text.into(), Basis::default());
        }
        let (place, alias) = match text.split_once(":alias/") {
            Some((arn, alias)) => {
                let (account, region) = places_of(arn);
                (Place { account: account.into(), region: region.into() }, format!("alias/{alias}"))
            }
            None => (place.clone(), text.to_owned()),
        };
        if alias.starts_with("alias/") {
            return match self.resolve_alias(&place, &alias) {
                Some((arn, basis)) => NamedKey::Arn(arn.into(), basis),
                None => NamedKey::Unresolved,
            };
        }
        let Place { account, region } = &place;
        let arn = format!("arn:{}:kms:{region}:{account}:key/{text}", partition_of(region));
        if KeyArn::parse(&arn).is_some() { NamedKey::Arn(arn.into(), Basis::default()) } else { NamedKey::Unresolved }
    }

    /// What the standard demands of a trail.
    fn demands(
        &self,
        known: &Known<'_>,
        demand: &TrailDemand,
        key: &Option<NamedKey>,
        judged: &mut Judged,
        resource: Resource<'_>,
    ) {
        let Known { settings, basis, .. } = known;
        let demanded = |is_demanded: bool, conclusion: Conclusion| match is_demanded {
            true => conclusion.on(basis),
            false => Conclusion { verdict: Verdict::OutOfScope, reason: "not_demanded", ..conclusion }.on(basis),
        };
        self.push(judged, resource, "trail.kms", demanded(demand.kms, self.kms(settings, key)));
        let validation = Conclusion::holds(settings.validation, "validation_off")
            .expected("digests")
            .actual(on_off(settings.validation));
        self.push(judged, resource, "trail.validation", demanded(demand.validation, validation));
        let regions = Conclusion::holds(settings.multi_region, "single_region")
            .expected("all Regions")
            .actual(if settings.multi_region { "all Regions" } else { settings.home_region.as_str() });
        self.push(judged, resource, "trail.multi_region", demanded(demand.multi_region, regions));
        let logs = self.log_group(known);
        self.push(judged, resource, "trail.cloudwatch_logs", demanded(demand.cloudwatch_logs, logs));
        let asks_destination = demand.destinations.is_some() || demand.destination_accounts.is_some();
        self.push(
            judged,
            resource,
            "trail.destination",
            demanded(asks_destination, self.destination(settings, demand)),
        );
        let events = self.management_events(known, demand.management_events);
        self.push(judged, resource, "trail.management_events", demanded(demand.management_events.is_some(), events));
        let delivery = self.delivery(known, demand.delivered_within);
        self.push(judged, resource, "trail.delivery", delivery);
    }

    fn kms(&self, settings: &TrailSettings, key: &Option<NamedKey>) -> Conclusion {
        let actual = settings.key.clone().unwrap_or_default();
        let expected = match &self.policy.keys {
            Some(keys) => keys.iter().map(|key| key.arn.as_str()).collect::<Vec<_>>().join(" "),
            None => "a KMS key".to_owned(),
        };
        let conclusion = match key {
            None => Conclusion::violation("no_kms_key"),
            Some(NamedKey::Unresolved) => match &self.policy.keys {
                Some(_) => Conclusion::undetermined("key_alias_unresolved"),
                None => Conclusion::compliant(),
            },
            Some(NamedKey::Arn(arn, basis)) => Conclusion::holds(self.allows_key(arn), "key_not_allowed").on(basis),
        };
        conclusion.expected(expected).actual(actual)
    }

    /// Whether the standard allows a key by its ARN.
    pub(super) fn allows_key(&self, arn: &str) -> bool {
        let Some(keys) = &self.policy.keys else { return true };
        KeyArn::parse(arn).is_some_and(|arn| keys.iter().any(|key| key.covers(&arn)))
    }

    fn destination(&self, settings: &TrailSettings, demand: &TrailDemand) -> Conclusion {
        let bucket = self.model.buckets.get(settings.bucket.as_str());
        let owner = self.model.owner(&settings.bucket, &self.clock);
        let actual = format!("{} of {}", settings.bucket, owner.map_or("an unknown account", |owner| owner));
        let is_allowed = demand.destinations.as_ref().is_none_or(|globs| globs.matches(settings.bucket.as_bytes()));
        let conclusion = match (&demand.destination_accounts, owner) {
            _ if !is_allowed => Conclusion::violation("destination_not_allowed"),
            (None, _) => Conclusion::compliant(),
            (Some(_), None) => Conclusion::undetermined("bucket_not_exported"),
            (Some(accounts), Some(owner)) => {
                Conclusion::holds(accounts.iter().any(|account| **account == **owner), "destination_not_allowed")
            }
        };
        let region = bucket.map(|bucket| Basis::of(&bucket.region.now(&self.clock))).unwrap_or_default();
        conclusion.actual(actual).on(&region)
    }

    fn management_events(&self, known: &Known<'_>, demand: Option<ManagementEvents>) -> Conclusion {
        let now = known.trail.selectors.now(&self.clock);
        let conclusion = match now.said {
            // Those of IAM and other services of no Region.
            Said::Known(_)
                if !known.settings.global_events && demand.is_some_and(|demand| demand != ManagementEvents::Any) =>
            {
                Conclusion::violation("events_not_all").actual("no events of global services")
            }
            Said::Known(selectors) => events_logged(selectors, demand.unwrap_or(ManagementEvents::Any)),
            _ => Conclusion::undetermined(now.why("selectors_absent")),
        };
        conclusion.on(&Basis::of(&now))
    }

    fn delivery(&self, known: &Known<'_>, within: Option<i64>) -> Conclusion {
        let empty = Observations::default();
        let now = known.trail.home_status(known.arn, &self.clock).unwrap_or(&empty).now(&self.clock);
        let home = match now.said {
            Said::Known(status) => delivered(status, now.at.zip(now.until), within, known.settings.validation),
            _ => Conclusion::undetermined(now.why("status_absent")),
        };
        // A delivery can fail in one Region only.
        let elsewhere = known.trail.other_status(known.arn, &self.clock).filter_map(|status| {
            let now = status.now(&self.clock);
            let conclusion = match now.if_said("status_absent") {
                Ok(status) => delivered(status?, None, None, false),
                Err(reason) => Conclusion::undetermined(reason),
            };
            Some(conclusion.on(&Basis::of(&now)))
        });
        let failed = elsewhere.filter(|conclusion| match conclusion.verdict {
            Verdict::Violation => true,
            // A delivery that never was is none that failed.
            Verdict::Undetermined => !matches!(conclusion.reason, "status_absent" | "export_stale"),
            _ => false,
        });
        worst(std::iter::once(home.on(&Basis::of(&now))).chain(failed)).unwrap_or_else(Conclusion::compliant)
    }

    fn log_group(&self, known: &Known<'_>) -> Conclusion {
        let group = known.settings.log_group.clone();
        let home = known.trail.home_status(known.arn, &self.clock).into_iter().map(|status| (status, true));
        // A delivery can fail in one Region only.
        let others = known.trail.other_status(known.arn, &self.clock).map(|status| (status, false));
        let mut error = None;
        for (status, is_home) in home.chain(others) {
            match status.now(&self.clock).if_said("status_absent") {
                Ok(status) => error = error.or_else(|| status.and_then(|status| status.log_group_error.clone())),
                Err("export_stale") if !is_home => {}
                Err(reason) if group.is_some() => return Conclusion::undetermined(reason),
                Err(_) => {}
            }
        }
        let conclusion = match (&group, error) {
            (None, _) => Conclusion::violation("cloudwatch_logs_off"),
            (Some(_), Some(error)) => {
                return Conclusion::violation("delivery_error").expected("a log group").actual(error);
            }
            (Some(_), None) => Conclusion::compliant(),
        };
        conclusion.expected("a log group").actual(group.unwrap_or_default())
    }

    /// What must be so for a trail to work at all.
    fn works(&self, known: &Known<'_>, key: &Option<NamedKey>, judged: &mut Judged, resource: Resource<'_>) {
        let empty = Observations::default();
        let status = known.trail.home_status(known.arn, &self.clock).unwrap_or(&empty).now(&self.clock);
        let logging = match status.said {
            Said::Known(status) => Conclusion::holds(status.is_logging, "not_logging"),
            _ => Conclusion::undetermined(status.why("status_absent")),
        };
        let status_at = status.at;
        let elsewhere = known.trail.other_status(known.arn, &self.clock).filter_map(|status| {
            let now = status.now(&self.clock);
            // What was older there than at home says nothing of now.
            if !now.may_tell_since(status_at) {
                return None;
            }
            let conclusion = match now.said {
                Said::Known(status) if status.is_logging => return None,
                Said::Known(_) => Conclusion::violation("not_logging"),
                _ => Conclusion::undetermined(now.why("status_absent")),
            };
            Some(conclusion.on(&Basis::of(&now)))
        });
        let logging = std::iter::once(logging.on(&Basis::of(&status))).chain(elsewhere);
        self.push(judged, resource, "trail.logging", worst(logging).unwrap_or_else(Conclusion::compliant));
        let write = self.bucket_write(known).on(&known.basis);
        self.push(judged, resource, "trail.bucket_write", write);
        match key {
            None => {}
            Some(NamedKey::Unresolved) => {
                for check in ["trail.key_usable", "trail.key_region", "trail.key_encrypt", "trail.key_describe"] {
                    let conclusion = Conclusion::undetermined("key_alias_unresolved").on(&known.basis);
                    self.push(judged, resource, check, conclusion);
                }
            }
            Some(NamedKey::Arn(arn, basis)) => {
                let basis = basis.clone().join(&known.basis);
                self.push(judged, resource, "trail.key_usable", self.key_state(arn).on(&basis));
                self.push(
                    judged,
                    resource,
                    "trail.key_region",
                    self.key_region(arn, &known.settings.bucket).on(&basis),
                );
                let asker = Asker::of(known.arn, known.owner);
                let encrypt =
                    self.may_use(&asker, "kms:GenerateDataKey", arn, ("encrypt_not_allowed", "encrypt_denied"));
                self.push(judged, resource, "trail.key_encrypt", encrypt.on(&basis));
                let describe =
                    self.may_use(&asker, "kms:DescribeKey", arn, ("describe_not_allowed", "describe_denied"));
                self.push(judged, resource, "trail.key_describe", describe.on(&basis));
            }
        }
    }

    /// Whether a key is in the Region of a bucket.
    pub(super) fn key_region(&self, key: &str, bucket: &str) -> Conclusion {
        let (_, key_region) = places_of(key);
        let bucket = self.model.buckets.get(bucket);
        let Some(now) = bucket.map(|bucket| bucket.region.now(&self.clock)) else {
            return Conclusion::undetermined("bucket_region_unknown").actual(key_region);
        };
        let conclusion = match now.said {
            Said::Known(region) => {
                Conclusion::holds(region == key_region, "key_region_mismatch").expected(region.as_str())
            }
            _ => Conclusion::undetermined(now.why("bucket_region_unknown")),
        };
        conclusion.actual(key_region).on(&Basis::of(&now))
    }

    fn may_use(&self, asker: &Asker, action: &str, key: &str, reasons: (&'static str, &'static str)) -> Conclusion {
        let (policy, basis) = match self.key_policy(key) {
            Ok(policy) => policy,
            Err(conclusion) => return conclusion,
        };
        let evaluation = asker.with_key(&policy, action, key);
        let conclusion = match needed(&evaluation, reasons.0, reasons.1) {
            Ok(()) => {
                let controls = self.controls(places_of(key).0, |control| asker.with_key(control, action, key).deny);
                controlled(&controls, reasons.1)
            }
            Err(Refusal::Surely(reason)) => Conclusion::violation(reason),
            Err(Refusal::Perhaps) => Conclusion::undetermined("condition_unknown"),
        };
        let expected = format!("{} may {action}", super::request::CLOUDTRAIL);
        conclusion.expected(expected).actual(decided(&evaluation)).on(&basis)
    }

    fn bucket_write(&self, known: &Known<'_>) -> Conclusion {
        let Some(bucket) = self.model.buckets.get(known.settings.bucket.as_str()) else {
            return Conclusion::undetermined("bucket_not_exported");
        };
        let pays = bucket.requester_pays.now(&self.clock);
        match pays.if_said("request_payment_unreadable") {
            Ok(Some(true)) => return Conclusion::violation("requester_pays").on(&Basis::of(&pays)),
            // What was good long ago is no worse than silence.
            Err(_) if pays.stale == Some(&false) => {}
            Err(reason) => return Conclusion::undetermined(reason).on(&Basis::of(&pays)),
            Ok(_) => {}
        }
        let now = bucket.policy.now(&self.clock);
        let conclusion = match parsed(&now) {
            Ok(Some(policy)) => self.may_write(known, &policy),
            Ok(None) => Conclusion::violation("write_not_allowed").actual("no bucket policy"),
            Err(reason) => Conclusion::undetermined(reason),
        };
        conclusion.on(&Basis::of(&now))
    }

    fn may_write(&self, known: &Known<'_>, policy: &Document) -> Conclusion {
        let asker = Asker::of(known.arn, known.owner);
        let owner = self.model.owner(&known.settings.bucket, &self.clock);
        let bucket = format!("arn:{}:s3:::{}", partition_of(&known.settings.home_region), known.settings.bucket);
        let prefix = match known.settings.prefix.as_str() {
            "" => String::new(),
            // What CloudTrail makes of it is not documented.
            prefix if prefix.ends_with('/') => return Conclusion::undetermined("condition_unknown").actual(prefix),
            prefix => format!("{prefix}/"),
        };
        let conclude = |action: &str, resource: String, reasons: (&'static str, &'static str)| {
            let evaluation = asker.with_bucket(policy, action, &resource);
            let conclusion = match needed(&evaluation, reasons.0, reasons.1) {
                Ok(()) => {
                    let asks = |control: &Document| asker.with_bucket(control, action, &resource).deny;
                    controlled(&self.controls(owner.map_or("", |owner| owner), asks), reasons.1)
                }
                Err(Refusal::Surely(reason))
                    if reason == reasons.0 && names_other_accounts(policy, action, |id| self.is_ours(id)) =>
                {
                    Conclusion::undetermined("principal_unresolved")
                }
                Err(Refusal::Surely(reason)) => Conclusion::violation(reason),
                Err(Refusal::Perhaps) => Conclusion::undetermined("condition_unknown"),
            };
            let expected = format!("{} may {action} {resource}", super::request::CLOUDTRAIL);
            conclusion.expected(expected).actual(decided(&evaluation))
        };
        let acl = conclude("s3:GetBucketAcl", bucket.clone(), ("acl_check_not_allowed", "acl_check_denied"));
        let organization = known.trail.organization.now(&self.clock);
        let below = |folder: &str| format!("{bucket}/{prefix}AWSLogs/{folder}/*");
        let mut folders = vec![below(known.owner)];
        if organization.known() == Some(&true) {
            folders.push(below(&self.organization_folder(known.owner, policy)));
        }
        let writes =
            folders.into_iter().map(|folder| conclude("s3:PutObject", folder, ("write_not_allowed", "write_denied")));
        let conclusion = worst(std::iter::once(acl).chain(writes)).unwrap_or_else(Conclusion::compliant);
        match (organization.said, conclusion.verdict) {
            (Said::Unknown(_), Verdict::Compliant) => Conclusion::undetermined(organization.why("trails_absent")),
            _ => conclusion.on(&Basis::of(&organization)),
        }
    }

    /// The folder of the organisation: its id, or else the one that the policy is about.
    fn organization_folder(&self, owner: &str, policy: &Document) -> String {
        if let Some(id) = self.model.organization_id(owner, &self.clock) {
            return id.to_owned();
        }
        // What somebody described is not guessed.
        if !self.model.organization.descriptions.is_empty() {
            return "o-*".to_owned();
        }
        let resources = policy.statements.iter().flat_map(|statement| match &statement.resource {
            Listed::Only(resources) => resources.as_slice(),
            _ => &[],
        });
        let ids: BTreeSet<&str> = resources
            .filter_map(|resource| resource.split_once("AWSLogs/o-")?.1.split('/').next())
            .filter(|id| !id.contains(['*', '?']))
            .collect();
        match (ids.len(), ids.first()) {
            (1, Some(id)) => format!("o-{id}"),
            _ => "o-*".to_owned(),
        }
    }
}

/// What resource control policies leave of a permission.
fn controlled(controls: &Controlled, denied: &'static str) -> Conclusion {
    match controls {
        Controlled::Passed => Conclusion::compliant(),
        Controlled::Denied => Conclusion::violation(denied),
        Controlled::Perhaps => Conclusion::undetermined("policies_absent"),
    }
}

/// Whether an action is allowed to accounts that may not be ours: before there was the service, CloudTrail had an account in each
/// Region.
pub(super) fn names_other_accounts(policy: &Document, action: &str, is_ours: impl Fn(&str) -> Option<bool>) -> bool {
    let action = action.to_ascii_lowercase();
    let is_other = |principal: &Principal| match principal {
        Principal::Account(id) => is_ours(id) != Some(true),
        _ => false,
    };
    policy.statements.iter().filter(|statement| statement.effect != Effect::Deny).any(|statement| {
        let names_action = match &statement.action {
            Listed::Only(known) => {
                known.iter().any(|known| Pattern::new(&known.to_ascii_lowercase()).matches(&action) != Truth::False)
            }
            _ => true,
        };
        let names_account = match &statement.principal {
            Listed::Only(principals) => principals.iter().any(is_other),
            _ => false,
        };
        names_action && names_account
    })
}

fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// Whether the last delivery was good, and recent when it was asked for.
fn delivered(
    status: &TrailStatus,
    told: Option<(Timestamp, Timestamp)>,
    within: Option<i64>,
    has_digests: bool,
) -> Conclusion {
    if let Some(error) = &status.delivery_error {
        return Conclusion::violation("delivery_error").actual(error.as_str());
    }
    if let Some(error) = &status.digest_delivery_error {
        return Conclusion::violation("digest_delivery_error").actual(error.as_str());
    }
    let (Some(within), Some((at, until))) = (within, told) else {
        let known = if status.delivered_at.is_some() {
            Conclusion::compliant()
        } else {
            Conclusion::undetermined("status_absent")
        };
        return if within.is_none() { known } else { Conclusion::undetermined("status_absent") };
    };
    let is_older = |time: Timestamp| at.as_millis() - time.as_millis() > within;
    // If it was told when the export ended.
    let may_be_older = |time: Timestamp| until.as_millis() - time.as_millis() > within;
    const TOLERANCE_MS: i64 = 3_600_000;
    let is_to_come = |time: Timestamp| time.as_millis() > until.as_millis() + TOLERANCE_MS;
    if status.delivered_at.is_some_and(is_to_come) || (has_digests && status.digested_at.is_some_and(is_to_come)) {
        return Conclusion::undetermined("export_in_future");
    }
    if has_digests && status.digested_at.is_some_and(is_older) {
        return Conclusion::violation("delivery_stale").actual("digests");
    }
    if has_digests
        && status.digested_at.is_none()
        && status.delivered_at.is_some()
        && status.started_at.is_none_or(may_be_older)
    {
        return Conclusion::undetermined("status_absent").actual("no digest was ever delivered");
    }
    match (status.delivered_at, status.started_at) {
        (Some(time), _) if is_older(time) => Conclusion::violation("delivery_stale").actual(time.to_string()),
        (Some(time), _) => {
            let may_be_stale = may_be_older(time) || (has_digests && status.digested_at.is_some_and(may_be_older));
            let conclusion =
                if may_be_stale { Conclusion::undetermined("export_too_long") } else { Conclusion::compliant() };
            conclusion.actual(time.to_string())
        }
        // It has never delivered, though it had the time to.
        (None, Some(started)) if is_older(started) => Conclusion::violation("delivery_stale").actual("never"),
        (None, _) => Conclusion::undetermined("status_absent"),
    }
}

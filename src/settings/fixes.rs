//! How violations could be put right: commands and policies for people to review. Nothing is run.
//!
//! Every proposal is tried in memory: it is applied to what was exported, everything is checked again, and it is only
//! written if the row that it answers becomes compliant and no other row becomes worse.

mod policies;

use std::collections::{BTreeMap, BTreeSet};

use super::checks::{Judge, Judged, Row};
use super::exports::partition_of;
use super::facts::{DefaultEncryption, Name, PublicAccessBlock, Versioning};
use super::model::Model;
use super::observations::{Clock, Mark, SourceId};
use crate::policy::{SettingsPolicy, Verdict};
use policies::{BucketStatement, KeyStatement, PolicyChange};

/// One proposal.
#[derive(Clone, Debug)]
pub(super) struct Fix {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) resource: String,
    pub(super) check: &'static str,
    pub(super) reason: &'static str,
    /// The command, with every value quoted.
    pub(super) command: String,
    /// A file that the command takes: its name and its text.
    pub(super) document: Option<(String, String)>,
    change: Change,
}

/// What a proposal does to what was exported.
#[derive(Clone, Debug)]
enum Change {
    TrailKey(String),
    Validation,
    MultiRegion,
    StartLogging,
    KeyPolicy(String),
    BucketPolicy(String),
    BucketEncryption(String),
    Versioning,
    PublicAccessBlock,
    Rotation(u32),
    EnableKey,
    RevokeGrant(String),
    Guardrail(String, String),
}

/// One thing leads to another: a trail that gets a key needs the key's policy.
const MAX_ROUNDS: usize = 4;
/// Attempts without proposals that failed.
const MAX_ATTEMPTS: usize = 8;
/// More violations than anybody puts right by hand: then nothing is proposed, because trying is slow.
const MAX_VIOLATIONS: usize = 2_000;

/// Proposals that were tried, in the order in which they are to be made.
pub(super) fn fixes(model: &Model, policy: &SettingsPolicy, clock: Clock, judged: &Judged) -> Vec<Fix> {
    let mut refused = BTreeSet::new();
    // Whatever does not cure its row is left out, and all others are made again without it: they can be about one policy.
    let violations = judged.rows.iter().filter(|row| row.conclusion.verdict == Verdict::Violation).count();
    for _ in 0..if violations > MAX_VIOLATIONS { 0 } else { MAX_ATTEMPTS } {
        let (fixes, failed) = attempt(model, policy, clock, judged, &refused);
        if failed.is_empty() {
            return latest_documents(fixes);
        }
        refused.extend(failed);
    }
    Vec::new()
}

/// A row that a proposal is for.
type Target = (String, &'static str, &'static str);

/// Makes proposals for all violations but some, and says which of them cure nothing or make something worse.
fn attempt(
    model: &Model,
    policy: &SettingsPolicy,
    clock: Clock,
    judged: &Judged,
    refused: &BTreeSet<Target>,
) -> (Vec<Fix>, Vec<Target>) {
    let mut tried = refused.clone();
    let is_new = |row: &&Row| row.conclusion.verdict == Verdict::Violation;
    if judged.rows.iter().filter(is_new).all(|row| tried.contains(&target(row))) {
        return (Vec::new(), Vec::new());
    }
    let (mut fixed, mut fixes, mut now) = (model.clone(), Vec::<Fix>::new(), None);
    for _ in 0..MAX_ROUNDS {
        let rows = now.as_ref().map_or(&judged.rows, |judged: &Judged| &judged.rows);
        let known = fixes.len();
        for row in rows.iter().filter(is_new) {
            if !tried.insert(target(row)) {
                continue;
            }
            // Each sees what those before it changed: two may be about one policy.
            let new = Proposer { judged, exported: model, model: &fixed, policy, clock }.proposal(row);
            if let Some(fix) = new.filter(Fix::is_plain) {
                fix.apply(&mut fixed, clock);
                fixes.push(fix);
            }
        }
        if fixes.len() == known {
            break;
        }
        now = Some(Judge::new(&fixed, policy, clock).judge());
    }
    let Some(after) = now else { return (Vec::new(), Vec::new()) };
    let failed = failed(&fixes, judged, &after);
    (fixes, failed)
}

fn target(row: &Row) -> Target {
    (row.resource.clone(), row.check, row.conclusion.reason)
}

/// The proposals whose row is not cured, or because of which a row is worse, or one is bad that was not there.
fn failed(fixes: &[Fix], before: &Judged, after: &Judged) -> Vec<Target> {
    let verdicts = |judged: &Judged| -> BTreeMap<(String, &'static str), Verdict> {
        judged.rows.iter().map(|row| ((row.resource.clone(), row.check), row.conclusion.verdict)).collect()
    };
    let (before, after) = (verdicts(before), verdicts(after));
    let worse: BTreeSet<&str> = after
        .iter()
        .filter(|(of, verdict)| rank(Some(verdict)) > rank(before.get(of)))
        .map(|((resource, _), _)| resource.as_str())
        .collect();
    let is_cured = |fix: &Fix| after.get(&(fix.resource.clone(), fix.check)) == Some(&Verdict::Compliant);
    let is_blamed = |fix: &Fix| worse.iter().any(|resource| fix.is_about(resource));
    let known = fixes.iter().any(is_blamed);
    // Where it cannot be told which of them made something worse, none is proposed.
    let is_bad = |fix: &&Fix| !is_cured(fix) || is_blamed(fix) || (!worse.is_empty() && !known);
    fixes.iter().filter(is_bad).map(|fix| (fix.resource.clone(), fix.check, fix.reason)).collect()
}

/// How bad a verdict is; a row that is gone is not bad.
fn rank(verdict: Option<&Verdict>) -> u8 {
    match verdict {
        Some(Verdict::Violation) => 2,
        Some(Verdict::Undetermined) => 1,
        _ => 0,
    }
}

/// A policy is replaced as a whole: of several proposals for one, the last holds what all of them add.
fn latest_documents(fixes: Vec<Fix>) -> Vec<Fix> {
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for (name, text) in fixes.iter().filter_map(|fix| fix.document.as_ref()) {
        last.insert(name.clone(), text.clone());
    }
    let with_last = |mut fix: Fix| {
        if let Some((name, text)) = &mut fix.document
            && let Some(last) = last.get(name)
        {
            text.clone_from(last);
        }
        fix
    };
    fixes.into_iter().map(with_last).collect()
}

impl Fix {
    /// Whether it changes a resource, or is for it.
    fn is_about(&self, resource: &str) -> bool {
        let changes = match &self.change {
            Change::KeyPolicy(name) => name == resource,
            Change::BucketPolicy(name) => resource.strip_prefix("s3://") == Some(name),
            _ => false,
        };
        changes || self.resource == resource
    }

    /// What has to be there before others: policies before settings, keys and buckets before trails.
    pub(super) fn order(&self) -> u8 {
        match self.change {
            Change::KeyPolicy(_) | Change::BucketPolicy(_) | Change::Guardrail(..) => 0,
            Change::EnableKey | Change::Rotation(_) | Change::RevokeGrant(_) => 1,
            Change::BucketEncryption(_) | Change::Versioning | Change::PublicAccessBlock => 2,
            Change::TrailKey(_) | Change::Validation | Change::MultiRegion => 3,
            Change::StartLogging => 4,
        }
    }

    /// Whether no name in it could be more than a name.
    fn is_plain(&self) -> bool {
        let resource = self.resource.strip_prefix("s3://").unwrap_or(&self.resource);
        [resource, &self.account, &self.region].into_iter().all(is_plain)
    }

    fn apply(&self, model: &mut Model, clock: Clock) {
        let mark = Mark { at: Some(clock.as_of), source: SourceId(u32::MAX), lasted: 0 };
        let name: Name = self.resource.strip_prefix("s3://").unwrap_or(&self.resource).into();
        match &self.change {
            Change::TrailKey(_) | Change::Validation | Change::MultiRegion => {
                let Some(trail) = model.trails.get_mut(&name) else { return };
                let Some(mut settings) = trail.settings.now(&clock).known().cloned() else { return };
                match &self.change {
                    Change::TrailKey(key) => settings.key = Some(key.clone()),
                    Change::Validation => settings.validation = true,
                    _ => settings.multi_region = true,
                }
                trail.settings.set(settings, mark);
            }
            Change::StartLogging => {
                let Some(trail) = model.trails.get_mut(&name) else { return };
                let Some(place) = trail.home(&name, &clock).cloned() else { return };
                let Some(home) = trail.status.get_mut(&place) else { return };
                let Some(mut status) = home.now(&clock).known().cloned() else { return };
                status.is_logging = true;
                home.set(status, mark);
            }
            Change::KeyPolicy(text) | Change::BucketPolicy(text) => self.apply_policy(text, model, mark),
            Change::BucketEncryption(key) => {
                let encryption = DefaultEncryption { algorithm: "aws:kms".to_owned(), key: Some(key.clone()) };
                model.buckets.entry(name).or_default().encryption.set(encryption, mark);
            }
            Change::Versioning => {
                let versioning = Versioning { status: Some("Enabled".to_owned()), mfa_delete: false };
                model.buckets.entry(name).or_default().versioning.set(versioning, mark);
            }
            Change::PublicAccessBlock => {
                let all = PublicAccessBlock { block_acls: true, ignore_acls: true, block_policy: true, restrict: true };
                model.buckets.entry(name).or_default().public_access_block.set(all, mark);
            }
            Change::Rotation(days) => {
                let key = model.keys.entry(name).or_default();
                key.rotation.set(true, mark);
                key.rotation_period.set(*days, mark);
            }
            Change::EnableKey => {
                let Some(key) = model.keys.get_mut(&name) else { return };
                let Some(mut metadata) = key.metadata.now(&clock).known().cloned() else { return };
                metadata.state = "Enabled".to_owned();
                metadata.enabled = Some(true);
                key.metadata.set(metadata, mark);
            }
            Change::RevokeGrant(id) => {
                let Some(key) = model.keys.get_mut(&name) else { return };
                let Some(mut grants) = key.grants.now(&clock).known().cloned() else { return };
                grants.retain(|grant| grant.id != *id);
                key.grants.set(grants, mark);
            }
            Change::Guardrail(account, text) => model.organization.attach(account, text, mark, &clock),
        }
    }

    /// The policy that a document replaces is that of a key or of a bucket, whatever the row is about.
    fn apply_policy(&self, resource: &str, model: &mut Model, mark: Mark) {
        let Some((_, text)) = &self.document else { return };
        match &self.change {
            Change::KeyPolicy(_) => model.keys.entry(resource.into()).or_default().policy.set(text.clone(), mark),
            _ => model.buckets.entry(resource.into()).or_default().policy.set(text.clone(), mark),
        }
    }
}

/// Makes proposals from what is so.
struct Proposer<'m> {
    judged: &'m Judged,
    exported: &'m Model,
    /// With what is proposed already.
    model: &'m Model,
    policy: &'m SettingsPolicy,
    clock: Clock,
}

impl Proposer<'_> {
    /// What could be done about a row; nothing where only people can decide.
    fn proposal(&self, row: &Row) -> Option<Fix> {
        let name = row.resource.strip_prefix("s3://").unwrap_or(&row.resource);
        if row.check.starts_with("trail.") && !self.is_ours(name) {
            return None;
        }
        let key = || name.rsplit('/').next().unwrap_or_default();
        let simple = |command: String, change: Change| Some(self.fix(row, command, None, change));
        match (row.check, row.conclusion.reason) {
            ("trail.kms", "no_kms_key" | "key_not_allowed") => {
                let wanted = self.key_for_trail(name)?;
                simple(
                    format!("cloudtrail update-trail --name {} --kms-key-id {}", quoted(name), quoted(&wanted)),
                    Change::TrailKey(wanted),
                )
            }
            ("trail.validation", _) => simple(
                format!("cloudtrail update-trail --name {} --enable-log-file-validation", quoted(name)),
                Change::Validation,
            ),
            ("trail.multi_region", _) => simple(
                format!(
                    "cloudtrail update-trail --name {} --is-multi-region-trail --include-global-service-events",
                    quoted(name)
                ),
                Change::MultiRegion,
            ),
            ("trail.logging", "not_logging") => {
                simple(format!("cloudtrail start-logging --name {}", quoted(name)), Change::StartLogging)
            }
            ("trail.key_encrypt", "encrypt_not_allowed") => self.key_statement(row, &KeyStatement::Encrypt(name)),
            ("trail.key_describe", "describe_not_allowed") => self.key_statement(row, &KeyStatement::Describe(name)),
            ("key.encrypt_scope" | "bucket.write_scope", _) if !self.knows_all_trails() => None,
            ("key.encrypt_scope", _) => {
                let trails = self.trails_of(|settings| settings.key.as_deref() == Some(name));
                self.key_policy(row, name, &PolicyChange::Source(trails))
            }
            ("key.decrypt_scope", "decrypt_grant_not_allowed") => self.revoke(row, name),
            ("key.decrypt_scope", _) => {
                let allowed =
                    self.policy.key.decrypt.iter().flatten().filter(|reader| reader.holds_at(self.clock.as_of));
                // The root user stands for an account here, and a session for a role: neither can be named so in a condition.
                if allowed.clone().any(|reader| !reader.principal.starts_with("arn:")) {
                    return None;
                }
                if allowed
                    .clone()
                    .any(|reader| reader.principal.ends_with(":root") || reader.principal.contains(":assumed-role/"))
                {
                    return None;
                }
                let allowed: Vec<&str> =
                    allowed.map(|reader| reader.principal.as_str()).filter(|who| who.starts_with("arn:")).collect();
                self.key_policy(row, name, &PolicyChange::OnlyReaders(&allowed))
            }
            ("key.rotation", "rotation_off" | "rotation_period_too_long") => {
                let days = self.policy.key.rotation_days.unwrap_or(365).clamp(90, 365);
                let command =
                    format!("kms enable-key-rotation --key-id {} --rotation-period-in-days {days}", quoted(key()));
                simple(command, Change::Rotation(days))
            }
            ("key.state", "key_disabled") => {
                simple(format!("kms enable-key --key-id {}", quoted(key())), Change::EnableKey)
            }
            ("key.state", "key_pending_deletion") => simple(
                format!(
                    "kms cancel-key-deletion --key-id {0} --region {1}\naws kms enable-key --key-id {0}",
                    quoted(name),
                    quoted(&row.region)
                ),
                Change::EnableKey,
            ),
            ("trail.bucket_write", "write_not_allowed" | "acl_check_not_allowed") => self.bucket_statements(row),
            ("bucket.tls", _) => self.bucket_policy(row, name, &PolicyChange::Tls),
            ("bucket.write_scope", _) => {
                let trails = self.trails_of(|settings| settings.bucket == name);
                self.bucket_policy(row, name, &PolicyChange::Source(trails))
            }
            ("bucket.default_encryption", _) => self.default_encryption(row, name),
            ("bucket.versioning", _) => simple(
                format!(
                    "s3api put-bucket-versioning --bucket {} --versioning-configuration Status=Enabled",
                    quoted(name)
                ),
                Change::Versioning,
            ),
            ("bucket.public", _) => simple(
                format!(
                    "s3api put-public-access-block --bucket {} --public-access-block-configuration \
                     BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
                    quoted(name)
                ),
                Change::PublicAccessBlock,
            ),
            ("guardrail.scp", "not_denied") => self.guardrail(row),
            _ => None,
        }
    }

    /// Whether a trail is of an account that must be covered, and delivers where it may.
    fn is_ours(&self, trail: &str) -> bool {
        let owner = trail.split(':').nth(4).unwrap_or_default();
        let is_listed = self.judged.accounts.iter().any(|id| &**id == owner);
        let is_bad = |row: &Row| {
            row.resource == trail && row.check == "trail.destination" && rank(Some(&row.conclusion.verdict)) > 0
        };
        is_listed && !self.judged.rows.iter().any(is_bad)
    }

    /// Whether all trails that there are were exported: only then can a policy be narrowed to them.
    fn knows_all_trails(&self) -> bool {
        let tells = |row: &&Row| matches!(row.check, "account.trails_known" | "account.list_known");
        let is_known = |row: &Row| row.conclusion.verdict == Verdict::Compliant;
        // Trails of accounts that need not be covered are not known, and those that name a key by an alias are hard to tell.
        let names_key = |trail: &super::model::Trail| {
            let settings = trail.settings.now(&self.clock).known();
            settings.is_some_and(|settings| {
                settings.key.as_deref().is_none_or(|key| crate::policy::KeyArn::parse(key).is_some())
            })
        };
        self.policy.accounts == crate::policy::RequiredAccounts::Organization
            && self.judged.rows.iter().filter(tells).all(is_known)
            && self.model.trails_now(&self.clock).all(|(arn, trail)| self.is_ours(arn) && names_key(trail))
    }

    fn fix(&self, row: &Row, command: String, document: Option<(String, String)>, change: Change) -> Fix {
        let is_global = row.region.is_empty();
        let region = if is_global { String::new() } else { format!(" --region {}", quoted(&row.region)) };
        Fix {
            account: row.account.clone(),
            region: row.region.clone(),
            resource: row.resource.clone(),
            check: row.check,
            reason: row.conclusion.reason,
            command: format!("aws {command}{region}"),
            document,
            change,
        }
    }

    /// The first key of the standard that lies in the Region of the trail's bucket.
    fn key_for_trail(&self, trail: &str) -> Option<String> {
        let settings = self.model.trails.get(trail)?.settings.now(&self.clock).known()?;
        let bucket = self.model.buckets.get(settings.bucket.as_str())?;
        self.key_in(bucket.region.now(&self.clock).known()?)
    }

    fn key_in(&self, region: &str) -> Option<String> {
        let keys = self.policy.keys.as_ref()?;
        // Nobody has to do one thing that is proposed before another.
        let is_enabled = |arn: &&str| {
            let metadata = self.exported.keys.get(*arn).and_then(|key| key.metadata.now(&self.clock).known());
            metadata.is_some_and(|metadata| metadata.state == "Enabled")
        };
        let in_region = keys.iter().map(|key| key.arn.as_str()).filter(|arn| arn.split(':').nth(3) == Some(region));
        in_region.clone().find(is_enabled).map(str::to_owned)
    }

    /// The trails whose settings are so.
    fn trails_of(&self, is_one: impl Fn(&super::facts::TrailSettings) -> bool) -> Vec<String> {
        let trails = self.model.trails_now(&self.clock).filter(|(arn, _)| self.is_ours(arn));
        let those = trails.filter(|(_, trail)| trail.settings.now(&self.clock).known().is_some_and(&is_one));
        those.map(|(arn, _)| arn.to_string()).collect()
    }

    fn key_statement(&self, row: &Row, statement: &KeyStatement<'_>) -> Option<Fix> {
        let settings = self.model.trails.get(row.resource.as_str())?.settings.now(&self.clock).known()?;
        let key = settings.key.clone()?;
        self.key_policy(row, &key, &PolicyChange::Key(statement))
    }

    fn key_policy(&self, row: &Row, key: &str, change: &PolicyChange<'_>) -> Option<Fix> {
        let text = self.model.keys.get(key)?.policy.now(&self.clock).known()?;
        let changed = change.apply(text)?;
        let (account, region) = (key.split(':').nth(4)?, key.split(':').nth(3)?);
        let id = key.rsplit('/').next()?;
        let file = format!("key-policy-{account}-{region}-{id}.json");
        if !is_plain(key) {
            return None;
        }
        let command = format!(
            "kms put-key-policy --key-id {} --policy-name default --policy {}",
            quoted(key),
            quoted(&format!("file://{file}"))
        );
        let here = Row { account: account.to_owned(), region: region.to_owned(), ..row.clone() };
        Some(self.fix(&here, command, Some((file, changed)), Change::KeyPolicy(key.to_owned())))
    }

    fn bucket_statements(&self, row: &Row) -> Option<Fix> {
        let trail = self.model.trails.get(row.resource.as_str())?;
        let settings = trail.settings.now(&self.clock).known()?;
        let is_organization = trail.organization.now(&self.clock).known() == Some(&true);
        let organization = if is_organization {
            Some(self.model.organization_id(row.resource.split(':').nth(4)?, &self.clock)?)
        } else {
            None
        };
        if settings.prefix.contains(['*', '?', '$']) {
            return None;
        }
        let statement = BucketStatement { trail: &row.resource, settings, organization };
        self.bucket_policy(row, &settings.bucket, &PolicyChange::Bucket(&statement))
    }

    fn bucket_policy(&self, row: &Row, name: &str, change: &PolicyChange<'_>) -> Option<Fix> {
        if !is_plain(name) || name.contains('/') {
            return None;
        }
        let bucket = self.model.buckets.get(name)?;
        let now = bucket.policy.now(&self.clock);
        let text = match now.said {
            super::observations::Said::Known(text) => text.clone(),
            super::observations::Said::Absent => policies::EMPTY.to_owned(),
            _ => return None,
        };
        let region = bucket.region.now(&self.clock).known().cloned().unwrap_or_default();
        let changed = change.of_bucket(&format!("arn:{}:s3:::{name}", partition_of(&region))).apply(&text)?;
        let file = format!("bucket-policy-{name}.json");
        let command =
            format!("s3api put-bucket-policy --bucket {} --policy {}", quoted(name), quoted(&format!("file://{file}")));
        let account = self.model.owner(name, &self.clock).map_or(String::new(), |owner| owner.to_string());
        let here = Row { account, region, ..row.clone() };
        Some(self.fix(&here, command, Some((file, changed)), Change::BucketPolicy(name.to_owned())))
    }

    fn default_encryption(&self, row: &Row, name: &str) -> Option<Fix> {
        let key = self.key_in(&row.region)?;
        let rule = serde_json::json!({"Rules": [{
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
            "BucketKeyEnabled": true
        }]});
        let command = format!(
            "s3api put-bucket-encryption --bucket {} --server-side-encryption-configuration {}",
            quoted(name),
            quoted(&rule.to_string())
        );
        Some(self.fix(row, command, None, Change::BucketEncryption(key)))
    }

    fn revoke(&self, row: &Row, key: &str) -> Option<Fix> {
        let grants = self.model.keys.get(key)?.grants.now(&self.clock).known()?;
        let is_meant = |grant: &&super::facts::KeyGrant| {
            grant.grantees.contains(&row.conclusion.actual) && !grant.id.is_empty() && is_plain(&grant.id)
        };
        let grant = grants.iter().find(is_meant)?;
        let command = format!("kms revoke-grant --key-id {} --grant-id {}", quoted(key), quoted(&grant.id));
        Some(self.fix(row, command, None, Change::RevokeGrant(grant.id.clone())))
    }

    fn guardrail(&self, row: &Row) -> Option<Fix> {
        let demand = self.policy.guardrails.as_ref()?;
        let text = policies::guardrail(&demand.deny, &demand.except);
        let file = "service-control-policy.json".to_owned();
        let command = format!(
            "policy=$(aws organizations create-policy --name keep-logging --description {} --type SERVICE_CONTROL_POLICY \
             --content {} --query Policy.PolicySummary.Id --output text)\naws organizations attach-policy --policy-id \
             \"$policy\" --target-id {}",
            quoted("Keeps accounts from switching off their logs"),
            quoted(&format!("file://{file}")),
            quoted(&row.account)
        );
        let change = Change::Guardrail(row.account.clone(), text.clone());
        let fix = self.fix(row, String::new(), Some((file, text)), change);
        let account = self.model.management(&self.clock)?.to_owned();
        Some(Fix { account, command, ..fix })
    }
}

/// Whether a name is made of what ARNs, buckets and ids are made of, and is none that the command line reads as something else:
/// a file, an address, an option.
pub(super) fn is_plain(name: &str) -> bool {
    let has_plain_signs = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/_+=,.@-".contains(&byte));
    has_plain_signs && !name.contains("..") && !name.contains("://") && !name.starts_with('-')
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

//! The plan of a campaign: what was found, put in the order in which it is done, with its cost, its time and its limits.
//!
//! Plain data in, plain data out: [`Campaign::new`] reads no clock and no file, and gives the same for the same input.
//! [`Campaign`] is `plan.json` as it stands; the form for people is made in [`crate::report`].

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::estimate::{CampaignWork, Cost, Estimator, Restore, Sizes, Time};
use super::job::{Operation, operations};
use super::prices::Prices;
use crate::amounts::Amount;
use crate::escape::escape;
use crate::policy::KeyArn;
use crate::remediation::{
    Group, Holds, Lane, NoTarget, Retention, StorageClass, Target, TargetMethod, VersionState, Why,
};
use crate::sinks::GroupFile;
use crate::timestamp::{Month, Timestamp};
use crate::words::grouped;

/// The name of this form of `plan.json`.
pub const PLAN_SCHEMA: &str = "logseal.plan/1";

/// What an audit has found for remediation.
#[derive(Clone, Debug)]
pub struct CampaignInput<'a> {
    /// The objects of each group.
    pub groups: BTreeMap<Group, Amount>,
    /// The objects of each lane, by why they are in it.
    pub reasons: BTreeMap<(Lane, Why), Amount>,
    /// The blocked objects that nothing but retention holds, by the month in which it ends.
    pub free: BTreeMap<Month, Amount>,
    /// The objects that a hold blocks beside a retention, by the month in which the retention ends.
    pub retained: BTreeMap<Month, Amount>,
    /// The files that were written.
    pub files: Vec<GroupFile>,
    /// What the reports lacked.
    pub missing: BTreeSet<Missing>,
    /// The key to encrypt under.
    pub key: Option<&'a KeyArn>,
    /// What "today" is.
    pub as_of: Timestamp,
    /// How archived objects are restored.
    pub restore: Restore,
}

/// What a report lacked, of what decides about remediation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Columns of Object Lock.
    Locks,
    /// The sizes of objects.
    Size,
    /// The storage classes of objects.
    StorageClass,
    /// The access tiers of Intelligent-Tiering.
    Tier,
    /// The ids of versions.
    Versions,
    /// Which versions are current.
    IsLatest,
}

impl Missing {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Locks, Self::Size, Self::StorageClass, Self::Tier, Self::Versions, Self::IsLatest];

    /// What is missing, and what was done about it.
    pub fn choice(self) -> &'static str {
        match self {
            Self::Locks => {
                "no columns of Object Lock: every object is taken to be unlocked. S3 refuses to update a locked object, \
                 and the job's report says so; a copy of a locked version succeeds and leaves that version as it was"
            }
            Self::Size => {
                "no sizes: what must be copied goes to multipart-copy, since it could be too large for one request, and \
                 whatever depends on bytes is unknown"
            }
            Self::StorageClass => {
                "no storage classes: what must be copied goes to multipart-copy, since a copy without a class would \
                 become STANDARD; archived objects are not known as such, and cannot be copied before they are restored"
            }
            Self::Tier => {
                "no access tiers: what must be copied from INTELLIGENT_TIERING is restored first; restoring what is not \
                 archived fails and does no harm"
            }
            Self::Versions => {
                "no version ids: manifests name none, and jobs act on whatever version is current when they run; \
                 noncurrent versions are not in this plan"
            }
            Self::IsLatest => {
                "nothing says which versions are current: all are taken to be, and copies of one key may end in any \
                 order. Compare before you run the copy jobs"
            }
        }
    }
}

/// What there is to do, in which order, and what it costs: `plan.json`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Campaign {
    /// The name of its form, [`PLAN_SCHEMA`].
    pub schema: &'static str,
    /// The moment for which Object Lock was judged (`--as-of`), in UTC.
    pub as_of: String,
    /// How many objects jobs can put right and how many are left to people, in a sentence.
    pub headline: String,
    /// The ARN of the key to encrypt under; nothing if the policy has no `[remediation]`.
    pub target_key: Option<String>,
    /// All lanes together.
    pub total: LaneLine,
    /// What there is of each lane, by its name. Each lane is there.
    pub lanes: BTreeMap<&'static str, LaneLine>,
    /// Why objects are in their lanes, in the order of lanes. In each lane the reasons add up to its objects.
    pub reasons: Vec<ReasonLine>,
    /// The objects that are put right together, in the order of lanes. In each lane the groups add up to its objects.
    pub groups: Vec<GroupLine>,
    /// The steps that have jobs, in the order in which they are done.
    pub steps: Vec<StepLine>,
    /// The jobs, in the order in which they should run.
    pub jobs: Vec<JobLine>,
    /// How archived objects are restored.
    pub restore: Restore,
    /// What the jobs and the copies in parts cost, between two bounds.
    pub cost: Cost,
    /// How long the jobs take. Copies in parts are not in it.
    pub time: Time,
    /// The prices and quotas that `cost` and `time` rest on.
    pub prices: PriceFacts,
    /// The objects of the lane `blocked`, and when they become free.
    pub blocked: Blocked,
    /// What some of the reports lacked, and what followed from it.
    pub missing: Vec<MissingLine>,
    /// What to know before the jobs run, as far as it is about something in this plan.
    pub notes: Vec<NoteLine>,
}

/// What there is of a lane, or of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LaneLine {
    /// Objects of the lane: violating ones, and undetermined ones that are put right to be sure.
    pub objects: u64,
    /// The sizes of these objects, in bytes; an unknown size counts as nought.
    pub bytes: u64,
    /// Manifests for S3 Batch Operations that list these objects; nought in lanes whose lists are for people.
    pub manifests: u64,
    /// Jobs for these manifests: one for each, two in `restore-then-copy`, none if no bucket of S3 can have that name.
    pub jobs: u64,
}

/// How many objects are in a lane for the same reason.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ReasonLine {
    /// The lane.
    pub lane: Lane,
    /// The name of the reason. Where several holds of Object Lock are in the way, there is a `+` between their names.
    pub why: String,
    /// The reason in words.
    pub text: String,
    /// Objects that are in the lane for this reason.
    pub objects: u64,
    /// The sizes of these objects, in bytes; an unknown size counts as nought.
    pub bytes: u64,
}

/// Objects that are put right together: they share everything that a job must know of them.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GroupLine {
    /// How they are put right.
    pub lane: Lane,
    /// Their bucket, escaped.
    pub bucket: String,
    /// Their storage class, if jobs copy them; else nothing.
    pub storage_class: Option<StorageClass>,
    /// Whether they are current versions, if jobs copy them; else nothing.
    pub version: Option<VersionState>,
    /// What they should become, if a job or a script makes it so; else nothing.
    pub target: Option<Target>,
    /// Whether each row of the files names a version.
    pub has_versions: bool,
    /// Whether they are not known to violate the policy, and are put right to be sure.
    pub undetermined: bool,
    /// Objects of the group.
    pub objects: u64,
    /// The sizes of these objects, in bytes; an unknown size counts as nought.
    pub bytes: u64,
    /// The files that list them, in the order of paths; none for `no-target` if the policy has no `[remediation]`.
    pub files: Vec<FileLine>,
}

/// A manifest of a group, or a list for people.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FileLine {
    /// Where it is in the folder `remediation`, with `/` between the parts.
    pub path: String,
    /// Objects that it lists, a row for each.
    pub objects: u64,
    /// Its length in bytes.
    pub length: u64,
    /// The MD5 of its bytes, in hexadecimal: its ETag if it is uploaded in one part and not under SSE-KMS.
    pub md5: String,
}

/// Jobs that may run side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StepLine {
    /// What is done.
    pub step: Step,
    /// Jobs of the step; at least one.
    pub jobs: u64,
    /// Objects that these jobs work on.
    pub objects: u64,
    /// What is done and when the next step may begin, for people.
    pub text: &'static str,
}

/// A job of S3 Batch Operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct JobLine {
    /// Its place in the order, from 1 on.
    pub order: u64,
    /// The step that it belongs to.
    pub step: Step,
    /// What it does with each object.
    pub operation: Operation,
    /// The lane of its objects.
    pub lane: Lane,
    /// The bucket of its objects.
    pub bucket: String,
    /// Its manifest, as [`FileLine::path`] names it.
    pub path: String,
    /// Objects that its manifest lists.
    pub objects: u64,
}

/// The steps of a campaign, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// First, since it takes hours.
    Restore,
    /// Meanwhile.
    Update,
    /// Each copy becomes the current version of its key.
    CopyNoncurrent,
    /// Last, so that what was current is current again.
    CopyCurrent,
}

impl Step {
    fn of(operation: Operation, group: &Group) -> Self {
        match (operation, group.kind.version) {
            (Operation::Restore, _) => Self::Restore,
            (Operation::Update, _) => Self::Update,
            (Operation::Copy, Some(VersionState::Noncurrent)) => Self::CopyNoncurrent,
            (Operation::Copy, Some(VersionState::Current) | None) => Self::CopyCurrent,
        }
    }

    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Restore, Self::Update, Self::CopyNoncurrent, Self::CopyCurrent];

    /// What is done, and when the next step may begin.
    pub fn text(self) -> &'static str {
        match self {
            Self::Restore => {
                "ask for archived objects to be restored. A job is complete when everything has been asked for, which is \
                 hours before the last object can be read"
            }
            Self::Update => "change the encryption in place; restores may still be under way",
            Self::CopyNoncurrent => {
                "copy noncurrent versions, those of archives when they are restored. Wait for the last of these copies, \
                 and for those in parts, before the next step"
            }
            Self::CopyCurrent => "copy current versions, those of archives when they are restored",
        }
    }
}

/// The prices and quotas that were used, and where they are from.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PriceFacts {
    /// When they were put together, `YYYY-MM-DD`.
    pub date: String,
    /// The Region whose prices they are, escaped; empty if the file of prices does not say.
    pub region: String,
    /// Where they are from, escaped.
    pub source: String,
    /// Those that estimates used, by name.
    pub used: BTreeMap<String, PriceLine>,
}

/// A price or quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PriceLine {
    /// The number as the file of prices writes it, or `unknown`.
    pub value: String,
    /// Whether nobody has published it: an estimate of ours.
    pub assumption: bool,
}

/// What Object Lock keeps from being changed: the objects of the lane `blocked`. They are the sum of `free`, `retained`
/// and `without_date`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Blocked {
    /// All of these objects.
    pub objects: u64,
    /// Their sizes, in bytes; an unknown size counts as nought.
    pub bytes: u64,
    /// Objects that nothing but a retention blocks, by the month in which it ends.
    pub free: Vec<FreeLine>,
    /// Objects that a hold blocks beside a retention, by the month in which the retention ends: they are not free
    /// before.
    pub retained: Vec<FreeLine>,
    /// Objects that only a hold blocks, or a retention whose end is not known.
    pub without_date: Amount,
}

/// Objects whose retention ends in the same month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FreeLine {
    /// The month in UTC, `2027-03`.
    pub month: String,
    /// How many objects there are.
    pub objects: u64,
    /// Their sizes, in bytes; an unknown size counts as nought.
    pub bytes: u64,
}

/// What some of the reports lacked, and what followed from it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MissingLine {
    /// What was missing.
    pub what: Missing,
    /// What is missing and what was done about it, for people.
    pub text: &'static str,
}

/// Something to know before the jobs run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NoteLine {
    /// The name of the note.
    pub code: &'static str,
    /// A few sentences for people.
    pub text: String,
}

impl Campaign {
    /// Plans what was found.
    pub fn new(found: &CampaignInput<'_>, prices: &Prices) -> Self {
        let jobs = jobs(&found.files);
        let lanes = lanes(found, &jobs);
        let total = lanes.values().fold(LaneLine::default(), |sum, lane| sum.plus(lane));
        let work = work(found, &jobs);
        let region = found.key.and_then(region);
        let estimator = Estimator { prices, work: &work, restore: found.restore, region };
        let (cost, time) = (estimator.cost(), estimator.time());
        let prices = price_facts(prices, &cost, &time);
        Self {
            schema: PLAN_SCHEMA,
            as_of: found.as_of.to_string(),
            headline: headline(found, &total),
            target_key: found.key.map(|key| key.as_str().to_owned()),
            total,
            reasons: reasons(&found.reasons),
            groups: groups(found),
            steps: steps(&jobs),
            jobs,
            restore: found.restore,
            notes: notes(found, &lanes, &prices),
            cost,
            time,
            prices,
            blocked: blocked(&lanes, &found.free, &found.retained),
            missing: found.missing.iter().map(|what| MissingLine { what: *what, text: what.choice() }).collect(),
            lanes,
        }
    }
}

impl LaneLine {
    fn plus(self, other: &Self) -> Self {
        Self {
            objects: self.objects.saturating_add(other.objects),
            bytes: self.bytes.saturating_add(other.bytes),
            manifests: self.manifests.saturating_add(other.manifests),
            jobs: self.jobs.saturating_add(other.jobs),
        }
    }

    fn add(&mut self, amount: Amount) {
        self.objects = self.objects.saturating_add(amount.objects);
        self.bytes = self.bytes.saturating_add(amount.bytes);
    }
}

fn jobs(files: &[GroupFile]) -> Vec<JobLine> {
    let mut jobs: Vec<JobLine> = files.iter().flat_map(jobs_of).collect();
    jobs.sort_by(|one, other| place(one).cmp(&place(other)));
    jobs.iter_mut().zip(1..).for_each(|(job, order)| job.order = order);
    jobs
}

fn place(job: &JobLine) -> (Step, Lane, &str, &str) {
    (job.step, job.lane, &job.bucket, &job.path)
}

fn jobs_of(file: &GroupFile) -> impl Iterator<Item = JobLine> {
    operations(&file.group).iter().map(|&operation| JobLine {
        order: 0,
        step: Step::of(operation, &file.group),
        operation,
        lane: file.group.kind.lane,
        bucket: file.group.bucket.clone(),
        path: file.path.clone(),
        objects: file.objects,
    })
}

fn lanes(found: &CampaignInput<'_>, jobs: &[JobLine]) -> BTreeMap<&'static str, LaneLine> {
    let mut lanes: BTreeMap<&'static str, LaneLine> =
        Lane::ALL.iter().map(|lane| (lane.as_str(), LaneLine::default())).collect();
    for (group, amount) in &found.groups {
        lanes.entry(group.kind.lane.as_str()).or_default().add(*amount);
    }
    for file in found.files.iter().filter(|file| file.group.kind.lane.has_manifests()) {
        lanes.entry(file.group.kind.lane.as_str()).or_default().manifests += 1;
    }
    jobs.iter().for_each(|job| lanes.entry(job.lane.as_str()).or_default().jobs += 1);
    lanes
}

fn work(found: &CampaignInput<'_>, jobs: &[JobLine]) -> CampaignWork {
    let unsized_in_parts = found.reasons.get(&(Lane::MultipartCopy, Why::SizeUnknown));
    let mut work = CampaignWork::new(Sizes {
        all: !found.missing.contains(&Missing::Size),
        in_parts: unsized_in_parts.is_none_or(|amount| amount.objects == 0),
    });
    jobs.iter().for_each(|job| work.add_job(job.objects));
    // What should have jobs and gets none is for people, whose work is in no estimate.
    let is_worked_on = |group: &Group| !group.kind.lane.has_manifests() || !operations(group).is_empty();
    let groups = found.groups.iter().filter(|(group, _)| is_worked_on(group));
    groups.for_each(|(group, amount)| work.add(group, *amount));
    work
}

/// The Region of a key: the fourth part of its ARN.
fn region(key: &KeyArn) -> Option<&str> {
    key.as_str().split(':').nth(3)
}

fn price_facts(prices: &Prices, cost: &Cost, time: &Time) -> PriceFacts {
    let in_cost = cost.items().into_iter().flat_map(|(_, item)| &item.terms).flat_map(|term| &term.prices);
    let in_time = [&time.request_rate, &time.kms, &time.restore].into_iter().flat_map(|part| &part.prices);
    let line = |name: &String| {
        let value = prices.get(name).map_or_else(|| "unknown".to_owned(), |value| value.to_string());
        (name.clone(), PriceLine { value, assumption: prices.is_assumption(name) })
    };
    PriceFacts {
        date: prices.date.clone(),
        region: escape(prices.region.as_bytes()).into_owned(),
        source: escape(prices.source.as_bytes()).into_owned(),
        used: in_cost.chain(in_time).map(line).collect(),
    }
}

fn headline(found: &CampaignInput<'_>, total: &LaneLine) -> String {
    let with_jobs = found.groups.iter().filter(|(group, _)| !operations(group).is_empty());
    let by_jobs = with_jobs.fold(0_u64, |sum, (_, amount)| sum.saturating_add(amount.objects));
    let rest = total.objects.saturating_sub(by_jobs);
    let count = |number: u64| format!("{} {}", grouped(number.into()), if number == 1 { "object" } else { "objects" });
    match (by_jobs, rest) {
        (0, 0) => "Nothing is to be done: no object needs remediation.".to_owned(),
        (0, rest) => format!("No job can put right what was found: {} for people.", count(rest)),
        (jobs, 0) => format!("Jobs can put right everything that was found: {}.", count(jobs)),
        (jobs, rest) => format!("Jobs can put right {}; {} for people.", count(jobs), count(rest)),
    }
}

fn reasons(found: &BTreeMap<(Lane, Why), Amount>) -> Vec<ReasonLine> {
    let line = |((lane, why), amount): (&(Lane, Why), &Amount)| ReasonLine {
        lane: *lane,
        why: code(why),
        text: text(*lane, why),
        objects: amount.objects,
        bytes: amount.bytes,
    };
    found.iter().map(line).collect()
}

/// The name of a reason.
fn code(why: &Why) -> String {
    let name = match why {
        Why::Plain => "plain",
        Why::Archived => "archived",
        Why::TierUnknown => "tier_unknown",
        Why::Large => "large",
        Why::SizeUnknown => "size_unknown",
        Why::ClassNotWritable => "class_not_writable",
        Why::CustomerKey => "customer_key",
        Why::NoTarget(NoTarget::NoRemediation) => "no_remediation",
        Why::NoTarget(NoTarget::NoRule) => "no_rule",
        Why::NoTarget(NoTarget::KeyNotAllowed) => "key_not_allowed",
        Why::NoTarget(NoTarget::OnlySseC) => "only_sse_c",
        Why::Locked(holds) => return holding(holds).map(|(code, _)| code).collect::<Vec<_>>().join("+"),
    };
    name.to_owned()
}

fn text(lane: Lane, why: &Why) -> String {
    let text = match why {
        Why::Plain if lane == Lane::UpdateEncryption => "the encryption is changed in place",
        Why::Plain => "one copy over itself changes the encryption",
        Why::Archived => "archived: it must be restored before it can be copied",
        Why::TierUnknown => "maybe archived: the report does not name the tier",
        Why::Large => "larger than a single copy can be",
        Why::SizeUnknown => "of a size that the report does not give",
        Why::ClassNotWritable => "in a storage class that Batch Operations cannot write, or in none that we know",
        Why::CustomerKey => "encrypted with a key that only its owner has",
        Why::NoTarget(why) => why.words(),
        Why::Locked(holds) => return holding(holds).map(|(_, text)| text).collect::<Vec<_>>().join(", and "),
    };
    text.to_owned()
}

/// What of Object Lock holds: names and words.
fn holding(holds: &Holds) -> impl Iterator<Item = (&'static str, &'static str)> {
    let retention = holds.retention.map(|retention| match retention {
        Retention::Compliance => ("compliance_retention", "compliance retention, which nobody can end"),
        Retention::Governance => ("governance_retention", "governance retention, which some may end"),
        Retention::Unknown => ("retention", "retention of a kind that the report does not name"),
    });
    let legal_hold = holds.legal_hold.then_some(("legal_hold", "a legal hold"));
    let event_hold = holds.event_hold.then_some(("event_hold", "an event hold"));
    [retention, legal_hold, event_hold].into_iter().flatten()
}

fn groups(found: &CampaignInput<'_>) -> Vec<GroupLine> {
    let mut files: BTreeMap<&Group, Vec<&GroupFile>> = BTreeMap::new();
    found.files.iter().for_each(|file| files.entry(&file.group).or_default().push(file));
    files.values_mut().for_each(|files| files.sort_by(|one, other| one.path.cmp(&other.path)));
    let line = |(group, amount): (&Group, &Amount)| GroupLine {
        lane: group.kind.lane,
        bucket: group.bucket.clone(),
        storage_class: group.kind.class,
        version: group.kind.version,
        target: group.kind.target,
        has_versions: group.kind.has_versions,
        undetermined: group.kind.is_undetermined,
        objects: amount.objects,
        bytes: amount.bytes,
        files: files.get(group).into_iter().flatten().map(|file| FileLine::new(file)).collect(),
    };
    found.groups.iter().map(line).collect()
}

impl FileLine {
    fn new(file: &GroupFile) -> Self {
        Self { path: file.path.clone(), objects: file.objects, length: file.len, md5: file.md5.clone() }
    }
}

/// The steps that have jobs.
fn steps(jobs: &[JobLine]) -> Vec<StepLine> {
    let line = |step: Step| {
        let jobs = jobs.iter().filter(|job| job.step == step);
        let (jobs, objects) = jobs.fold((0, 0_u64), |(jobs, sum), job| (jobs + 1, sum.saturating_add(job.objects)));
        StepLine { step, jobs, objects, text: step.text() }
    };
    Step::ALL.into_iter().map(line).filter(|line| line.jobs > 0).collect()
}

fn blocked(
    lanes: &BTreeMap<&'static str, LaneLine>,
    free: &BTreeMap<Month, Amount>,
    retained: &BTreeMap<Month, Amount>,
) -> Blocked {
    let all = lanes.get(Lane::Blocked.as_str()).copied().unwrap_or_default();
    let mut dated = Amount::default();
    free.values().chain(retained.values()).for_each(|amount| dated.add(*amount));
    let line = |(month, amount): (&Month, &Amount)| FreeLine {
        month: month.to_string(),
        objects: amount.objects,
        bytes: amount.bytes,
    };
    Blocked {
        objects: all.objects,
        bytes: all.bytes,
        free: free.iter().map(line).collect(),
        retained: retained.iter().map(line).collect(),
        without_date: Amount {
            objects: all.objects.saturating_sub(dated.objects),
            bytes: all.bytes.saturating_sub(dated.bytes),
        },
    }
}

/// What to know before the jobs run, as far as it is about something in this plan.
fn notes(found: &CampaignInput<'_>, lanes: &BTreeMap<&'static str, LaneLine>, prices: &PriceFacts) -> Vec<NoteLine> {
    let has = |lane: Lane| lanes.get(lane.as_str()).is_some_and(|line| line.objects > 0);
    let any = |holds: fn(&Group) -> bool| found.groups.iter().any(|(group, amount)| amount.objects > 0 && holds(group));
    let copies = |group: &Group| matches!(group.kind.lane, Lane::Copy | Lane::RestoreThenCopy | Lane::MultipartCopy);
    let key_region = found.key.and_then(region);
    let has_jobs = any(|group| !operations(group).is_empty());
    let has_copies = any(copies);
    let notes = [
        ("manifest_upload", has_jobs, MANIFEST_UPLOAD),
        ("update_keeps", has(Lane::UpdateEncryption), UPDATE_KEEPS),
        ("undetermined", any(|group| group.kind.is_undetermined), UNDETERMINED),
        ("bucket_key", any(|group| group.kind.target.is_some_and(|target| target.bucket_key)), BUCKET_KEY),
        ("dsse", any(|group| group.kind.target.is_some_and(|target| target.method == TargetMethod::DsseKms)), DSSE),
        ("new_versions", has_copies, NEW_VERSIONS),
        ("noncurrent_copies", any(|group| group.kind.version == Some(VersionState::Noncurrent)), NONCURRENT_COPIES),
        ("copy_settings", has_copies, COPY_SETTINGS),
        (
            "reduced_redundancy",
            any(|group| group.kind.class == Some(StorageClass::ReducedRedundancy)),
            REDUCED_REDUNDANCY,
        ),
        ("large_archives", has(Lane::RestoreThenCopy), LARGE_ARCHIVES),
        ("multipart", has(Lane::MultipartCopy), MULTIPART),
        ("owner_key", has(Lane::OwnerKey), OWNER_KEY),
        ("estimates", has_jobs || has_copies, ESTIMATES),
    ];
    let notes = notes.into_iter().filter(|(_, applies, _)| *applies);
    let mut notes: Vec<NoteLine> = notes.map(|(code, _, text)| NoteLine { code, text: text.to_owned() }).collect();
    notes.extend(key_region.and_then(|region| other_region(region, &prices.region)).filter(|_| has_jobs || has_copies));
    notes
}

fn other_region(key: &str, prices: &str) -> Option<NoteLine> {
    let differ = !prices.is_empty() && key != prices;
    differ.then(|| NoteLine {
        code: "other_region",
        text: format!("The prices are those of {prices}; the key is in {key}, where they may be higher."),
    })
}

const MANIFEST_UPLOAD: &str = "S3 does not take manifests that are encrypted with SSE-KMS. Where that is the default of \
    the bucket, upload them with `--sse AES256`, and each in one part, so that its ETag is the MD5 that is given here.";
const UPDATE_KEEPS: &str = "An update in place keeps the version, the storage class, the dates, the ETag and the \
    checksums. Replicas are not changed: they need a job of their own. A later inventory shows the new encryption under \
    the old dates.";
const UNDETERMINED: &str = "Some manifests list objects of which nobody knows that they violate the policy. They are \
    updated to be sure; doing so twice does no harm.";
const BUCKET_KEY: &str = "With a Bucket Key the encryption context is the ARN of the bucket and no longer that of the \
    object: look for key policies and IAM conditions that name objects.";
const DSSE: &str = "Batch Operations cannot ask for DSSE-KMS. Make it, with the target key, the default encryption of the \
    bucket before the copy jobs run.";
const NEW_VERSIONS: &str = "In a bucket with versions a copy becomes the new current version. The old version stays as \
    it is, under its old encryption, and is paid for until a lifecycle rule or somebody removes it; without versions it \
    is overwritten. Either way the copy is newer: lifecycle and default retention begin anew, events and replication see a new \
    object.";
const NONCURRENT_COPIES: &str = "A copy of a noncurrent version becomes the current version of its key. That is put \
    right only where the version that is current now is copied in the step after it. Where it is not, because it is \
    compliant, updated in place, locked or a delete marker, old data would come back: take those keys out of the \
    manifests of noncurrent versions, or let these versions expire.";
const COPY_SETTINGS: &str = "A copy keeps metadata and tags. It does not keep the ACL, unless bucket owner enforced \
    makes ACLs void, a website redirect, or Object Lock settings. Its ETag and checksum may be others.";
const REDUCED_REDUNDANCY: &str =
    "Objects in REDUCED_REDUNDANCY become STANDARD: Batch Operations cannot write that class.";
const LARGE_ARCHIVES: &str = "Archived objects above 5 GiB are restored like the others, but their copy job fails: copy \
    them in parts while they are restored. Restored copies of GLACIER and DEEP_ARCHIVE go away after the days that were \
    asked for.";
const MULTIPART: &str = "Batch Operations does not copy in parts. The script beside each list does, whose time is in no \
    estimate. It keeps metadata, tags and the storage class, and copies noncurrent versions only if it is told to.";
const OWNER_KEY: &str = "Objects with SSE-C can be read, and so be copied, only by who has their key.";
const ESTIMATES: &str = "Estimates take one prefix and an idle account: S3 serves several prefixes side by side, which \
    makes the work faster, and other users of KMS make it slower. AWS publishes no speed of jobs themselves. The free \
    requests of KMS, the monthly price of keys, taxes and discounts are left out, and so is the storage of old versions.";

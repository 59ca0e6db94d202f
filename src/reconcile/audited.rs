//! What an audit wrote, as far as it is needed: which objects were wrong, what its jobs should do, and what it leaves open.
//!
//! Nothing is taken on trust that can be compared: `summary.json`, `plan.json`, the job files, the manifests and
//! `findings.csv` must all tell the same. Where they do not, there is nothing to reconcile with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::jobs::Action;
use super::manifests::Manifest;
use super::objects::ListId;
use super::{NoAudit, ReconcileError};
use crate::campaign::{JobFacts, JobSettings, jobs};
use crate::escape::hex::hex;
use crate::escape::{escape, unescape};
use crate::hashes::sha256::Hashing;
use crate::policy::{KeyArn, Policy, Versions};
use crate::remediation::{Group, GroupKind, Lane, StorageClass, Target, VersionState};
use crate::sinks::{GroupFile, REMEDIATION};
use crate::source;
use crate::timestamp::Timestamp;

/// The file that shards leave, and merges that lack some.
const PARTIAL: &str = "partial.json";

/// `summary.json`, as far as it is needed.
#[derive(Deserialize)]
struct Summary {
    schema: String,
    tool: Tool,
    policy: PolicyLine,
    as_of: String,
    outcome: String,
    outcome_reasons: Vec<String>,
    #[serde(default)]
    shard: Value,
    sources: Vec<SourceLine>,
    coverage: Coverage,
    counts: Counts,
    #[serde(default)]
    evidence: Vec<Value>,
    faults: BTreeMap<String, u64>,
    remediation: BTreeMap<String, LaneLine>,
    /// Versions before these were written down do not have it.
    assumptions: Option<Vec<Assumed>>,
}

#[derive(Deserialize)]
struct Tool {
    version: String,
}

#[derive(Deserialize)]
struct PolicyLine {
    sha256: String,
    #[serde(default)]
    identity: Option<String>,
    #[serde(default)]
    versions: Option<String>,
    remediation: Option<RemediationLine>,
}

#[derive(Deserialize)]
struct RemediationLine {
    key: String,
}

#[derive(Deserialize)]
struct SourceLine {
    bucket: Option<String>,
    created_at: Option<String>,
}

#[derive(Deserialize)]
struct Coverage {
    units_planned: u64,
    units_examined: u64,
    units_faulted: u64,
    rows_rejected: u64,
    completeness: String,
}

#[derive(Deserialize)]
struct Counts {
    violation: u64,
    undetermined: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
struct LaneLine {
    objects: u64,
    manifests: u64,
}

/// Something that a result takes for granted. What the audit did is as it wrote it down; the value of what the later
/// inventory does is escaped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Assumed {
    /// The name of the assumption.
    pub name: String,
    /// What it was made with; empty if its name says everything.
    pub value: String,
    /// What is taken for granted, for people.
    pub text: String,
}

/// `plan.json`, as far as it is needed.
#[derive(Deserialize)]
struct Plan {
    schema: String,
    target_key: Option<String>,
    groups: Vec<GroupLine>,
    missing: Vec<MissingLine>,
}

#[derive(Deserialize)]
struct GroupLine {
    lane: Lane,
    bucket: String,
    storage_class: Option<StorageClass>,
    version: Option<VersionState>,
    target: Option<Target>,
    has_versions: bool,
    undetermined: bool,
    files: Vec<FileLine>,
}

#[derive(Deserialize)]
struct FileLine {
    path: String,
    objects: u64,
    length: u64,
    md5: String,
}

#[derive(Deserialize)]
struct MissingLine {
    what: String,
}

/// Why an audit is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Gap {
    /// The name of the gap, or of the outcome reason of the audit that is none of the others.
    pub what: String,
    /// A sentence for people.
    pub text: String,
}

/// Objects that are put right in one way.
#[derive(Debug)]
pub(super) struct List {
    /// Nothing for objects that could not be judged and were left alone.
    pub(super) lane: Option<Lane>,
    /// What its jobs should do in the end; nothing where no job can.
    pub(super) wanted: Option<Action>,
    /// Whether its rows name versions.
    pub(super) has_versions: bool,
}

/// An audit that can be reconciled.
pub(super) struct Audited {
    pub(super) folder: PathBuf,
    summary: Summary,
    pub(super) as_of: Timestamp,
    pub(super) lists: Vec<List>,
    /// In the order of their lists.
    pub(super) manifests: Vec<Manifest>,
    pub(super) gaps: Vec<Gap>,
    lacks_versions: bool,
    /// Of the text of its summary, in hexadecimal.
    pub(super) summary_sha256: String,
    /// Whether rows of a bucket name versions, where its manifests tell.
    named: BTreeMap<Vec<u8>, BTreeSet<bool>>,
    /// When the newest report of each bucket was made.
    created: BTreeMap<Vec<u8>, Timestamp>,
}

/// How a finding without a version id is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlankVersion {
    /// The null version.
    Null,
    /// Whichever is current.
    Unnamed,
    /// One of the two.
    Either,
}

impl Audited {
    /// Reads what the audit says of itself, and compares it with what it left.
    pub(super) fn read(folder: &Path) -> Result<Self, ReconcileError> {
        let (summary, summary_sha256): (Summary, _) = read_json(folder.join("summary.json"))?;
        let no_audit = |name: &str, error: NoAudit| ReconcileError::NoAudit { path: folder.join(name), error };
        if summary.schema != "logseal.audit/1" {
            return Err(no_audit("summary.json", NoAudit::Schema));
        }
        let remediation = folder.join(REMEDIATION);
        let (plan, _): (Plan, _) = read_json(remediation.join("plan.json"))?;
        if plan.schema != "logseal.plan/1" {
            return Err(no_audit("remediation/plan.json", NoAudit::Schema));
        }
        let as_of = Timestamp::parse(summary.as_of.as_bytes());
        let as_of = as_of.ok_or_else(|| no_audit("summary.json", NoAudit::AsOf))?;
        let key = summary.policy.remediation.as_ref().map(|remediation| remediation.key.as_str());
        if plan.target_key.is_some() && plan.target_key.as_deref() != key {
            return Err(ReconcileError::Changed(remediation.join("plan.json")));
        }
        let mut audited = Self {
            folder: folder.to_owned(),
            as_of,
            lists: Vec::new(),
            manifests: Vec::new(),
            gaps: Vec::new(),
            lacks_versions: plan.missing.iter().any(|missing| missing.what == "versions"),
            named: BTreeMap::new(),
            created: newest_of_buckets(&summary.sources),
            summary_sha256,
            summary,
        };
        audited.take_groups(plan)?;
        audited.check_lanes()?;
        audited.gaps = audited.find_gaps()?;
        Ok(audited)
    }

    /// Takes the lists that have manifests, and one list for each lane that has none.
    fn take_groups(&mut self, plan: Plan) -> Result<(), ReconcileError> {
        let key = plan.target_key.as_deref().and_then(KeyArn::parse);
        for line in plan.groups {
            let (group, files) = line.into_group();
            if !group.kind.lane.has_manifests() {
                continue;
            }
            let bucket = unescape(&group.bucket).ok_or_else(|| self.changed_plan())?;
            self.named.entry(bucket).or_default().insert(group.kind.has_versions);
            let list = ListId(u16::try_from(self.lists.len()).map_err(|_| self.changed_plan())?);
            let mut wanted = None;
            for file in files {
                let requests = key.as_ref().map(|key| requests(&file, key)).unwrap_or_default();
                let mut actions = requests.iter().filter_map(|(_, request)| Action::parse(request.get("Operation")?));
                wanted = actions.rfind(|action| *action != Action::Restore);
                let jobs = requests.into_iter().map(|(name, _)| name).collect();
                self.manifests.push(Manifest::new(list, file, jobs, &self.folder.join(REMEDIATION)));
            }
            self.lists.push(List { lane: Some(group.kind.lane), wanted, has_versions: group.kind.has_versions });
        }
        self.manifests.sort_by(|one, other| one.place().cmp(&other.place()));
        let without = Lane::ALL.into_iter().filter(|lane| !lane.has_manifests()).map(Some).chain([None]);
        self.lists.extend(without.map(|lane| List { lane, wanted: None, has_versions: true }));
        if self.lists.len() > ListId::MAX {
            return Err(self.changed_plan());
        }
        Ok(())
    }

    fn changed_plan(&self) -> ReconcileError {
        ReconcileError::Changed(self.folder.join(REMEDIATION).join("plan.json"))
    }

    /// The manifests of the plan must be those that `summary.json` counted, and all that are there.
    fn check_lanes(&self) -> Result<(), ReconcileError> {
        for lane in Lane::ALL.into_iter().filter(|lane| lane.has_manifests()) {
            let folder = self.folder.join(REMEDIATION).join(lane.as_str());
            let mut found = LaneLine::default();
            for manifest in self.manifests.iter().filter(|manifest| manifest.lane == lane) {
                found.manifests += 1;
                found.objects = found.objects.saturating_add(manifest.rows);
            }
            if self.summary.remediation.get(lane.as_str()).copied().unwrap_or_default() != found {
                return Err(ReconcileError::Changed(folder));
            }
            let planned: BTreeSet<&Path> = self.manifests.iter().map(|manifest| &*manifest.file).collect();
            if let Some(other) = csv_files(&folder)?.into_iter().find(|file| !planned.contains(&**file)) {
                return Err(ReconcileError::Changed(other));
            }
        }
        Ok(())
    }

    /// What keeps the audit from telling of every object whether it is wrong.
    fn find_gaps(&self) -> Result<Vec<Gap>, ReconcileError> {
        let Summary { coverage, faults, .. } = &self.summary;
        let partial = self.folder.join(PARTIAL);
        let has_partial = match fs::symlink_metadata(&partial) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(ReconcileError::Read { path: partial, error }),
        };
        let mut gaps = Vec::new();
        let mut gap = |what: &str, text: String| gaps.push(Gap { what: what.to_owned(), text });
        let is_shard = has_partial || !self.summary.shard.is_null() || self.summary.outcome == "partial";
        if is_shard {
            gap("shard", "it is one shard of an audit, or a merge that lacks some: merge all of them".to_owned());
        }
        let faulted = faults.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        if faulted > 0 || coverage.units_faulted > 0 || coverage.rows_rejected > 0 {
            let rows = coverage.rows_rejected;
            gap("faults", format!("it has faults, {} units and {rows} rows among them", coverage.units_faulted));
        }
        let missing = coverage.units_planned.saturating_sub(coverage.units_examined);
        if coverage.units_planned != coverage.units_examined {
            gap("units_missing", format!("{missing} of its {} units were not examined", coverage.units_planned));
        }
        if coverage.completeness != "proven" {
            gap("unproven_completeness", "nothing proves that its input was complete".to_owned());
        }
        let is_time_accepted = self.assumptions().iter().any(|assumed| assumed.name == "manifest_time_accepted");
        if !is_time_accepted && self.summary.sources.iter().any(|source| source.time().is_none()) {
            gap("manifest_time", "nothing says when a report that it read was made".to_owned());
        }
        if self.is_older_form() && self.lacks_versions && self.versions() != Some(Versions::Current) {
            gap("noncurrent_versions_unlisted", "a report that it read does not list noncurrent versions".to_owned());
        }
        if self.is_older_form() && !self.summary.evidence.is_empty() {
            let version = escape(self.summary.tool.version.as_bytes()).into_owned();
            gap("key_evidence", format!("version {version} took key evidence for more than it proves: audit again"));
        }
        // Those that are told of above, those of objects that are counted here, and those that are not about encryption.
        let told = ["violations", "undetermined", "faults", "units_missing", "unproven_completeness"];
        let beside = ["nothing_in_scope", "digest_violations", "digests_incomplete"];
        for reason in &self.summary.outcome_reasons {
            if !told.contains(&reason.as_str()) && !beside.contains(&reason.as_str()) {
                gap(&escape(reason.as_bytes()), "its outcome says so".to_owned());
            }
        }
        gaps.sort_by(|one, other| one.what.cmp(&other.what));
        gaps.dedup_by(|one, other| one.what == other.what);
        Ok(gaps)
    }

    /// Whether it was made before assumptions were written down.
    pub(super) fn is_older_form(&self) -> bool {
        self.summary.assumptions.is_none()
    }

    /// What it cannot prove because of the version that made it.
    pub(super) fn notes(&self) -> Vec<String> {
        if !self.is_older_form() {
            return Vec::new();
        }
        let version = escape(self.tool_version().as_bytes()).into_owned();
        vec![
            format!("version {version} did not ask whether an inventory can have been made when it says"),
            format!("version {version} took an older run where the newest could not be read"),
        ]
    }

    pub(super) fn tool_version(&self) -> &str {
        &self.summary.tool.version
    }

    pub(super) fn assumptions(&self) -> &[Assumed] {
        self.summary.assumptions.as_deref().unwrap_or_default()
    }

    pub(super) fn policy_sha256(&self) -> &str {
        &self.summary.policy.sha256
    }

    /// Whether a policy demands what that of the audit does. What it states about evidence does not matter.
    pub(super) fn is_under(&self, policy: &Policy) -> bool {
        let PolicyLine { sha256, identity, .. } = &self.summary.policy;
        match identity {
            Some(identity) => *identity == policy.identity,
            None => *sha256 == policy.sha256 || policy.earlier_sha256.contains(sha256),
        }
    }

    /// Which versions the policy is about, if that is known.
    fn versions(&self) -> Option<Versions> {
        match self.summary.policy.versions.as_deref()? {
            "current" => Some(Versions::Current),
            _ => Some(Versions::All),
        }
    }

    /// When the newest report of a bucket was made that the audit read.
    pub(super) fn created(&self, bucket: &[u8]) -> Option<Timestamp> {
        self.created.get(bucket).copied()
    }

    /// When the newest of all reports was made; nothing unless that is known of all of them.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let times: Option<Vec<Timestamp>> = self.summary.sources.iter().map(SourceLine::time).collect();
        times?.into_iter().max()
    }

    /// When the oldest of all reports was made that tell; nothing was looked at before.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.summary.sources.iter().map(SourceLine::time).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Whether versions that are not current are known not to matter.
    pub(super) fn is_about_current(&self, policy: Option<&Policy>) -> bool {
        let versions = policy.map(|policy| policy.versions).or_else(|| self.versions());
        versions == Some(Versions::Current)
    }

    pub(super) fn violations(&self) -> u64 {
        self.summary.counts.violation
    }

    pub(super) fn undetermined(&self) -> u64 {
        self.summary.counts.undetermined
    }

    pub(super) fn list_without_manifests(&self, lane: Option<Lane>) -> Option<ListId> {
        let at = self.lists.iter().rposition(|list| list.lane == lane)?;
        u16::try_from(at).ok().map(ListId)
    }

    /// How a finding of a bucket is meant that names no version.
    pub(super) fn blank_version(&self, bucket: &[u8]) -> BlankVersion {
        let named = self.named.get(bucket).map(|named| named.iter().copied().collect::<Vec<_>>());
        match named.as_deref() {
            _ if !self.lacks_versions => BlankVersion::Null,
            Some([true]) => BlankVersion::Null,
            Some([false]) => BlankVersion::Unnamed,
            None if self.summary.sources.len() == 1 => BlankVersion::Unnamed,
            _ => BlankVersion::Either,
        }
    }
}

impl SourceLine {
    fn time(&self) -> Option<Timestamp> {
        Timestamp::parse(self.created_at.as_ref()?.as_bytes())
    }
}

impl GroupLine {
    fn into_group(self) -> (Group, Vec<GroupFile>) {
        let kind = GroupKind {
            lane: self.lane,
            version: self.version,
            class: self.storage_class,
            target: self.target,
            has_versions: self.has_versions,
            is_undetermined: self.undetermined,
        };
        let group = kind.of_bucket(&self.bucket);
        let file = |FileLine { path, objects, length, md5 }: FileLine| GroupFile {
            group: group.clone(),
            path,
            objects,
            len: length,
            md5,
        };
        let files = self.files.into_iter().map(file).collect();
        (group, files)
    }
}

/// The requests that an audit writes for a manifest, with the names of their files.
fn requests(file: &GroupFile, key: &KeyArn) -> Vec<(String, Value)> {
    // Neither the time nor the settings decide how objects are stored.
    jobs(file, &JobFacts { key, report_time: Timestamp::MAX, settings: &JobSettings::default() })
}

/// When the newest report of each bucket was made; nothing for a bucket of which one report does not tell.
fn newest_of_buckets(sources: &[SourceLine]) -> BTreeMap<Vec<u8>, Timestamp> {
    let mut all: BTreeMap<Vec<u8>, Option<Timestamp>> = BTreeMap::new();
    for source in sources {
        let Some(bucket) = source.bucket.as_deref().and_then(unescape) else { continue };
        let time = source.time();
        all.entry(bucket)
            .and_modify(|newest| *newest = newest.zip(time).map(|(one, other)| one.max(other)))
            .or_insert(time);
    }
    all.into_iter().filter_map(|(bucket, time)| Some((bucket, time?))).collect()
}

/// What a file holds, and the SHA-256 of all of it, in hexadecimal.
fn read_json<T: DeserializeOwned>(path: PathBuf) -> Result<(T, String), ReconcileError> {
    let read = source::open(&path).map_err(NoAudit::Open);
    let parsed = read.and_then(|file| {
        let mut file = Hashing::new(file);
        let value = serde_json::from_reader(BufReader::new(&mut file))?;
        Ok((value, hex(&file.into_hasher().finish())))
    });
    parsed.map_err(|error| ReconcileError::NoAudit { path, error })
}

/// The CSV files in the folders of buckets of a lane, whatever they are.
fn csv_files(lane: &Path) -> Result<Vec<PathBuf>, ReconcileError> {
    let mut files = Vec::new();
    for bucket in entries(lane)? {
        if bucket.is_dir() {
            files.extend(entries(&bucket)?);
        }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "csv"));
    Ok(files)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ReconcileError> {
    let fail = |error| ReconcileError::Read { path: folder.to_owned(), error };
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.map_err(fail)?.map(|entry| Ok(entry.map_err(fail)?.path())).collect(),
    }
}

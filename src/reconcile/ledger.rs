//! What became of every object that was wrong, counted, and the rows of manifests that are left to be done.

use std::collections::{BTreeMap, HashSet};

use super::ReconcileError;
use super::audited::{Audited, List};
use super::escaped;
use super::manifests::{Manifest, ManifestRow};
use super::matching::{self, Failures};
use super::objects::{KeyHash, ListId, ObjectHasher, Objects, Version};
use super::retry::{Attempt, Retry};
use super::state::{Evidence, FailureId, Progress, State};
use super::summary::{BucketLine, Counts, FailureLine, ManifestLine, Standing};
use super::tracked::Tracked;
use crate::escape::escape;
use crate::policy::Verdict;
use crate::remediation::Lane;
use crate::work::{Cancel, Stopped};

/// So many buckets are told apart. Only lists of objects without a manifest of their inventory can have more.
const MAX_BUCKETS: usize = 10_000;
/// What all others are called.
const MANY: &str = "(many)";
/// What stands for a lane where objects could not be judged and were left alone.
const UNDETERMINED: &str = "undetermined";

/// Counts what became of every object.
pub(super) struct Ledger<'l> {
    audited: &'l Audited,
    objects: &'l Objects,
    hasher: &'l ObjectHasher,
    standing: Standing<'l>,
    /// Keys of which other jobs may have changed whichever version was current.
    changed_keys: &'l HashSet<KeyHash>,
    pub(super) retry: Retry,
    pub(super) total: Counts,
    pub(super) lanes: BTreeMap<&'static str, Counts>,
    pub(super) buckets: BTreeMap<(Option<Lane>, String), BucketLine>,
    pub(super) manifests: Vec<ManifestLine>,
    pub(super) failures: BTreeMap<FailureId, u64>,
}

impl<'l> Ledger<'l> {
    pub(super) fn new(
        audited: &'l Audited,
        objects: &'l Objects,
        hasher: &'l ObjectHasher,
        changed_keys: &'l HashSet<KeyHash>,
        (standing, retry): (Standing<'l>, Retry),
    ) -> Self {
        Self {
            audited,
            objects,
            hasher,
            standing,
            changed_keys,
            retry,
            total: Counts::default(),
            lanes: Lane::ALL.iter().map(|lane| (lane.as_str(), Counts::default())).collect(),
            buckets: BTreeMap::new(),
            manifests: Vec::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Goes through all objects.
    pub(super) fn add_all(&mut self, tracked: &Tracked, cancel: &Cancel) -> Result<(), ReconcileError> {
        let audited = self.audited;
        for manifest in &audited.manifests {
            self.add_manifest(manifest)?;
            if cancel.is_cancelled() {
                return Err(Stopped::Cancelled.into());
            }
        }
        tracked.findings.read_without(audited, |finding, list| {
            let (bucket, key) = (&finding.bucket, &finding.key);
            let versions = finding.objects(audited);
            let states = versions.into_iter().flatten().filter_map(|version| self.state(bucket, key, version));
            let state = State::of_all(states);
            let is_version_named = !matches!(versions, [Some(Version::Unnamed), None]);
            let mut counts = Counts::default();
            self.standing.count(&mut counts, (bucket, is_version_named), state.without_jobs(), self.list(list)?);
            self.add_to_bucket(self.list(list)?.lane, escape(bucket).into_owned(), &counts);
            Ok(())
        })?;
        self.retry.finish()?;
        Ok(())
    }

    fn list(&self, ListId(at): ListId) -> Result<&'l List, ReconcileError> {
        let changed = || ReconcileError::Changed(self.audited.folder.clone());
        self.audited.lists.get(usize::from(at)).ok_or_else(changed)
    }

    fn state(&self, bucket: &[u8], key: &[u8], version: Version<'_>) -> Option<State> {
        self.objects.find(self.hasher.hash(bucket, key, version)).map(|id| self.objects.state(id))
    }

    fn add_manifest(&mut self, manifest: &Manifest) -> Result<(), ReconcileError> {
        self.retry.begin(manifest)?;
        let list = self.list(manifest.list)?;
        let mut counts = Counts::default();
        manifest.read(|row, line| {
            let changed = || ReconcileError::Changed(manifest.file.clone());
            let state = self.state(row.bucket, row.key, row.version).ok_or_else(changed)?;
            let is_changed = self.changed_keys.contains(&self.hasher.key(row.bucket, row.key));
            let state =
                if is_changed && row.version != Version::Unnamed { state.with(Evidence::Changed) } else { state };
            self.standing.count(&mut counts, (row.bucket, row.version != Version::Unnamed), state, list);
            if state.progress() == Progress::Failed {
                *self.failures.entry(state.failure().unwrap_or(Failures::OTHER)).or_default() += 1;
            }
            match self.attempt(row, state, manifest.lane) {
                Some(attempt) => Ok(self.retry.add(line, attempt)?),
                None => Ok(()),
            }
        })?;
        self.add_to_bucket(Some(manifest.lane), manifest.bucket.clone(), &counts);
        let (bucket, path) = (manifest.bucket.clone(), escaped(&manifest.path));
        self.manifests.push(ManifestLine { lane: manifest.lane.as_str(), bucket, path, counts });
        Ok(())
    }

    /// What is left to be done for a row.
    fn attempt(&self, row: &ManifestRow<'_>, state: State, lane: Lane) -> Option<Attempt> {
        let is_version_named = row.version != Version::Unnamed;
        if self.standing.is_right(state, (row.bucket, is_version_named)) {
            return None;
        }
        let is_wrong = state.verdict() == Some(Verdict::Violation);
        match state.progress() {
            Progress::Failed | Progress::NeverAttempted | Progress::ChangedSince => Some(Attempt::All),
            Progress::Restored => Some(Attempt::Copy),
            // Changing it once more in place does no harm; another copy would be one version more.
            Progress::Succeeded | Progress::UnknownOperation if lane == Lane::UpdateEncryption && is_wrong => {
                Some(Attempt::All)
            }
            Progress::Succeeded | Progress::UnknownOperation => None,
        }
    }

    fn add_to_bucket(&mut self, lane: Option<Lane>, bucket: String, counts: &Counts) {
        let name = lane.map_or(UNDETERMINED, Lane::as_str);
        self.total.add(counts);
        self.lanes.entry(name).or_default().add(counts);
        let is_known = self.buckets.len() < MAX_BUCKETS || self.buckets.contains_key(&(lane, bucket.clone()));
        let bucket = if is_known { bucket } else { MANY.to_owned() };
        let line = || BucketLine { lane: name, bucket: bucket.clone(), counts: Counts::default() };
        self.buckets.entry((lane, bucket.clone())).or_insert_with(line).counts.add(counts);
    }

    /// Objects of each lane that no report can be about.
    pub(super) fn not_covered(&self) -> BTreeMap<String, u64> {
        let without = Lane::ALL.into_iter().filter(|lane| !lane.has_manifests());
        let rows = |lane: Lane| self.lanes.get(lane.as_str()).map_or(0, |counts| counts.rows);
        without.map(|lane| (lane.as_str().to_owned(), rows(lane))).collect()
    }
}

/// Failures with their reasons, by code; those beyond the bound last.
pub(super) fn failure_lines(failures: &Failures, counts: &BTreeMap<FailureId, u64>) -> Vec<FailureLine> {
    let line = |(id, &objects): (&FailureId, &u64)| {
        let known = failures.list.get(usize::from(id.0)).cloned();
        let failure = known.unwrap_or_else(|| matching::Failure { code: "other".into(), ..Default::default() });
        FailureLine { code: failure.code, http_status: failure.http_status, objects, message: failure.message }
    };
    let mut lines: Vec<_> = counts.iter().map(|found| (*found.0 == Failures::OTHER, line(found))).collect();
    lines.sort_by(|(is_other, one), (other, two)| {
        (is_other, &one.code, &one.http_status).cmp(&(other, &two.code, &two.http_status))
    });
    lines.into_iter().map(|(_, line)| line).collect()
}

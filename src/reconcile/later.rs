//! The later inventory as a whole: whether it is the proof that everything is right, and what it was.

use std::collections::BTreeSet;

use super::LaterInventory;
use super::ReconcileError;
use super::ReconcileOptions;
use super::audited::{Assumed, Audited};
use super::escaped;
use super::faults::{Fault, Faults};
use super::inventory::{self, Search, Seen};
use super::objects::{ObjectHasher, Objects};
use super::summary::{InventoryLine, InventorySource};
use crate::assumptions::{AssumptionLine, Assumptions};
use crate::evidence::{self, Aliases, EvidenceError, EvidenceOptions, KeyRing, Keys, Wanted};
use crate::plan::{Plan, Source};
use crate::policy::{Checker, Policy};
use crate::sinks::OutputFolder;
use crate::store;
use crate::timestamp::Timestamp;
use crate::work::{Cancel, NoProgress, Watch};

/// A later inventory, before it is read.
pub(super) struct Later<'l> {
    plan: Plan,
    checker: Checker,
    evidence: Option<&'l EvidenceOptions>,
    /// Of each source: whether it is newer than what was audited of its bucket.
    are_newer: Vec<bool>,
}

/// What a later inventory turned out to be.
pub(super) struct Looked {
    seen: Seen,
    /// What is taken for granted of its evidence.
    assumptions: Assumptions,
    pub(super) has_faults: bool,
    /// Whether it decides each object: nothing is missing, all of it was read, and every source is newer.
    pub(super) decides: bool,
    pub(super) is_newer: bool,
    /// The buckets that it lists.
    buckets: BTreeSet<Vec<u8>>,
}

impl<'l> Later<'l> {
    pub(super) fn new(inventory: &'l LaterInventory, policy: &Policy, audit: &Audited) -> Result<Self, ReconcileError> {
        let plan = Plan::new(&inventory.sources, &inventory.options)?;
        let evidence = inventory.evidence.as_ref();
        let taken = evidence.and_then(|evidence| evidence.as_of);
        let are_newer = plan.sources().iter().map(|source| is_newer(source, taken, audit)).collect();
        // Exceptions are those of the audit's day, so that the same objects are judged the same way.
        Ok(Self { plan, checker: Checker::new(policy.clone(), audit.as_of), evidence, are_newer })
    }

    /// Reads the inventory and its key evidence.
    pub(super) fn look(
        &self,
        (objects, hasher): (&Objects, &ObjectHasher),
        faults: &mut Faults,
        options: &ReconcileOptions,
        output: &OutputFolder,
        cancel: &Cancel,
    ) -> Result<Looked, ReconcileError> {
        let (before, jobs) = (faults.total(), options.jobs.max(1));
        let aliases = self.evidence.map_or(&[][..], |evidence| &evidence.aliases);
        let ring = KeyRing::new(&self.checker, Aliases::read(&self.checker, aliases).map_err(EvidenceError::Aliases)?);
        let evidence = match self.evidence {
            None => None,
            Some(options) => {
                let folder = options.temp_dir.as_deref().unwrap_or(output.staging());
                let folder = store::temp_folder(Some(folder)).map_err(EvidenceError::Folder)?;
                let watch = Watch { cancel, progress: &NoProgress };
                let wanted = Wanted { options, plan: &self.plan, shard: None, ring: &ring, delivered: None };
                Some(evidence::load(wanted, folder, jobs, watch)?)
            }
        };
        let mut assumptions = Assumptions::default();
        assumptions.extend(self.plan.assumptions());
        if let Some(evidence) = &evidence {
            evidence.assume(self.checker.policy().evidence, &ring, &mut assumptions);
        }
        for fault in evidence.iter().flat_map(|evidence| &evidence.summary.faults) {
            faults.add(Fault::of_evidence(fault));
        }
        let search = Search {
            plan: &self.plan,
            checker: &self.checker,
            keys: Keys { ring: &ring, evidence: evidence.as_ref() },
            are_newer: &self.are_newer,
            objects,
            hasher,
            cancel,
        };
        let seen = inventory::look(&search, faults, jobs)?;
        if seen.rows_rejected > 0 {
            *faults.counts.entry("inventory_rows_rejected").or_default() += seen.rows_rejected;
        }
        let has_faults = faults.total() > before;
        let is_newer = !self.are_newer.is_empty() && self.are_newer.iter().all(|is_newer| *is_newer);
        let buckets = self.plan.sources().iter().filter_map(|source| source.bucket.as_ref());
        let buckets = buckets.map(|bucket| bucket.clone().into_bytes()).collect();
        let decides = seen.is_whole && is_newer && !has_faults;
        Ok(Looked { decides, has_faults, is_newer, buckets, assumptions, seen })
    }

    pub(super) fn line(&self, looked: &Looked) -> InventoryLine {
        let source = |(source, is_newer): (&Source, &bool)| InventorySource {
            path: source.name(),
            bucket: source.bucket.as_ref().map(|bucket| escaped(bucket)),
            created_at: source.created_at.map(|time| time.to_string()),
            is_newer: *is_newer,
        };
        InventoryLine {
            sources: self.plan.sources().iter().zip(&self.are_newer).map(source).collect(),
            decides: looked.decides,
            is_whole: looked.seen.is_whole,
            lacks_versions: looked.seen.lacks_versions,
            is_not_newer: !looked.is_newer,
            has_key_evidence: self.evidence.is_some(),
            units: looked.seen.units,
            units_examined: looked.seen.units_examined,
            rows_read: looked.seen.rows,
            rows_rejected: looked.seen.rows_rejected,
        }
    }
}

impl Looked {
    /// What is taken for granted of it.
    pub(super) fn assumptions(&self) -> impl Iterator<Item = Assumed> {
        let line = |line: AssumptionLine| Assumed {
            name: line.name.to_owned(),
            value: escaped(&line.value),
            text: line.text.to_owned(),
        };
        self.assumptions.lines().into_iter().map(line)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.seen.is_whole && !self.has_faults
    }

    /// Whether an object that it does not list is not there any more, as far as its scope goes.
    pub(super) fn lists_all_of(&self, bucket: &[u8], is_version_named: bool) -> bool {
        let tells_versions = !self.seen.lacks_versions || !is_version_named;
        self.decides && tells_versions && self.buckets.contains(bucket)
    }
}

/// Whether a source was made after all that was audited of its bucket. What is not known is not newer.
fn is_newer(source: &Source, taken: Option<Timestamp>, audit: &Audited) -> bool {
    let made = source.created_at.or(taken);
    let looked = match &source.bucket {
        Some(bucket) => audit.created(bucket.as_bytes()),
        None => audit.newest(),
    };
    made.zip(looked).is_some_and(|(made, looked)| made > looked)
}

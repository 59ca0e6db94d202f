//! All objects that an audit found to be wrong, or could not judge: those of its manifests and those of no manifest.

use super::ReconcileError;
use super::audited::Audited;
use super::findings::{ListedFindings, comparable};
use super::manifests::Manifest;
use super::objects::{Hashes, ListId, ObjectHasher, Objects, Sum};
use crate::remediation::Lane;
use crate::work::{Cancel, Stopped};

/// The objects, and where they are listed.
pub(super) struct Tracked {
    pub(super) objects: Objects,
    pub(super) findings: ListedFindings,
}

impl Tracked {
    /// Reads all lists of the audit. Refuses them if they are not what it wrote, or contradict each other.
    pub(super) fn read(audited: &Audited, hasher: &ObjectHasher, cancel: &Cancel) -> Result<Self, ReconcileError> {
        audited.manifests.iter().try_for_each(|manifest| manifest.check(cancel))?;
        if cancel.is_cancelled() {
            return Err(Stopped::Cancelled.into());
        }
        let findings = ListedFindings::open(audited)?;
        let counted = findings.count(audited, hasher)?;
        let rows = audited.manifests.iter().fold(0_u64, |rows, manifest| rows.saturating_add(manifest.rows));
        // One without a version may be about two objects.
        let total = rows.saturating_add(counted.without.saturating_mul(2));
        let too_many = || ReconcileError::TooManyRows(total);
        let mut hashes = Hashes::with_room(total).ok_or_else(too_many)?;
        for lane in Lane::ALL.into_iter().filter(|lane| lane.has_manifests()) {
            let mut named = Sum::default();
            for manifest in audited.manifests.iter().filter(|manifest| manifest.lane == lane) {
                note(manifest, audited, hasher, &mut hashes, &mut named)?;
            }
            if !counted.is_same(lane, named) {
                return Err(ReconcileError::Changed(audited.folder.join("findings.csv")));
            }
        }
        findings.read_without(audited, |finding, _| {
            finding.objects(audited).into_iter().flatten().for_each(|version| {
                hashes.push(hasher, &finding.bucket, &finding.key, version);
            });
            if hashes.len() > total { Err(too_many()) } else { Ok(()) }
        })?;
        let objects = Objects::new(hashes).ok_or_else(too_many)?;
        let mut tracked = Self { objects, findings };
        tracked.put_on_lists(audited, hasher)?;
        Ok(tracked)
    }

    fn put_on_lists(&mut self, audited: &Audited, hasher: &ObjectHasher) -> Result<(), ReconcileError> {
        let Self { objects, findings } = self;
        let mut put_on = |list: ListId, hash| {
            if let Some(id) = objects.find(hash) {
                objects.put_on(list, id);
            }
        };
        for manifest in &audited.manifests {
            manifest.read(|row, _| {
                put_on(manifest.list, hasher.hash(row.bucket, row.key, row.version));
                Ok(())
            })?;
        }
        findings.read_without(audited, |finding, list| {
            for version in finding.objects(audited).into_iter().flatten() {
                put_on(list, hasher.hash(&finding.bucket, &finding.key, version));
            }
            Ok(())
        })
    }
}

/// Notes the objects of a manifest, of which there must be as many as the audit wrote.
fn note(
    manifest: &Manifest,
    audited: &Audited,
    hasher: &ObjectHasher,
    hashes: &mut Hashes,
    named: &mut Sum,
) -> Result<(), ReconcileError> {
    let changed = || ReconcileError::Changed(manifest.file.clone());
    let has_versions = audited.lists.get(usize::from(manifest.list.0)).is_some_and(|list| list.has_versions);
    let mut rows = 0;
    manifest.read(|row, _| {
        rows += 1;
        if rows > manifest.rows || has_versions == (row.version == super::objects::Version::Unnamed) {
            return Err(changed());
        }
        named.add(comparable(hasher, row.bucket, row.key, row.version));
        hashes.push(hasher, row.bucket, row.key, row.version);
        Ok(())
    })?;
    if rows == manifest.rows { Ok(()) } else { Err(changed()) }
}

//! `findings.csv` of an audit: the objects that no manifest names, and the proof that manifests name all others.

use std::path::PathBuf;

use super::audited::{Audited, BlankVersion};
use super::objects::{ListId, ObjectHash, ObjectHasher, Sum, Version};
use super::{NoAudit, ReconcileError};
use crate::escape::unescape_cell;
use crate::readers::rows::{Fields, Lines, Rows};
use crate::remediation::Lane;
use crate::source::FileFault;

/// The list of findings.
pub(super) struct ListedFindings {
    path: PathBuf,
    columns: Columns,
}

/// Where each column stands.
struct Columns {
    width: usize,
    bucket: usize,
    key: usize,
    version: usize,
    verdict: usize,
    lane: usize,
}

/// A finding that is no exception.
pub(super) struct Finding {
    pub(super) bucket: Vec<u8>,
    pub(super) key: Vec<u8>,
    /// Blank where none is named.
    version: Vec<u8>,
    pub(super) lane: Option<Lane>,
    is_violation: bool,
}

/// How many findings there are, and which objects those of lanes with manifests are.
#[derive(Default)]
pub(super) struct Counted {
    violations: u64,
    undetermined: u64,
    /// So many have no manifest.
    pub(super) without: u64,
    with: [Sum; Lane::ALL.len()],
}

impl ListedFindings {
    pub(super) fn open(audited: &Audited) -> Result<Self, ReconcileError> {
        let path = audited.folder.join("findings.csv");
        let no_audit = |error: NoAudit| ReconcileError::NoAudit { path: path.clone(), error };
        let mut lines = Lines::open(&path).map_err(|fault| no_audit(fault.into()))?;
        let header = lines.next_line().map_err(|fault| no_audit(fault.into()))?.unwrap_or_default();
        let columns = Columns::parse(header).ok_or_else(|| no_audit(NoAudit::Columns))?;
        Ok(Self { path, columns })
    }

    /// Hands over every finding that is no exception.
    fn read(&self, mut each: impl FnMut(&Finding) -> Result<(), ReconcileError>) -> Result<(), ReconcileError> {
        let fail = |fault: FileFault| ReconcileError::NoAudit { path: self.path.clone(), error: fault.into() };
        let mut rows = Rows::open(&self.path, self.columns.width).map_err(fail)?;
        // The first row names the columns.
        rows.next_row().map_err(fail)?;
        while let Some(row) = rows.next_row().map_err(fail)? {
            let line = row.line;
            let bad = || ReconcileError::ManifestRow { path: self.path.clone(), line };
            let finding = row.fields.ok().and_then(|fields| self.columns.read(fields)).ok_or_else(bad)?;
            if let Some(finding) = finding {
                each(&finding)?;
            }
        }
        Ok(())
    }

    /// Counts the findings, which must be those that `summary.json` counted.
    pub(super) fn count(&self, audited: &Audited, hasher: &ObjectHasher) -> Result<Counted, ReconcileError> {
        let mut counted = Counted::default();
        self.read(|finding| {
            if finding.is_violation {
                counted.violations += 1
            } else {
                counted.undetermined += 1
            }
            match finding.lane.filter(|lane| lane.has_manifests()) {
                Some(lane) => counted.with[lane as usize].add(finding.hash(hasher)),
                None => counted.without += 1,
            }
            Ok(())
        })?;
        let is_same = (counted.violations, counted.undetermined) == (audited.violations(), audited.undetermined());
        if is_same { Ok(counted) } else { Err(ReconcileError::Changed(self.path.clone())) }
    }

    /// Hands over every finding that has no manifest, with the list that it is on.
    pub(super) fn read_without(
        &self,
        audited: &Audited,
        mut each: impl FnMut(&Finding, ListId) -> Result<(), ReconcileError>,
    ) -> Result<(), ReconcileError> {
        self.read(|finding| {
            if finding.lane.is_some_and(Lane::has_manifests) {
                return Ok(());
            }
            // What violates and has no lane has no way to be put right.
            let lane = finding.lane.or_else(|| finding.is_violation.then_some(Lane::NoTarget));
            let list = audited.list_without_manifests(lane);
            each(finding, list.ok_or_else(|| ReconcileError::Changed(self.path.clone()))?)
        })
    }
}

impl Counted {
    /// Whether manifests name the objects of a lane, and no others.
    pub(super) fn is_same(&self, lane: Lane, named: Sum) -> bool {
        self.with[lane as usize] == named
    }
}

impl Finding {
    /// What it and the row of its manifest are compared by: manifests say `null`, or nothing, where it says nothing.
    fn hash(&self, hasher: &ObjectHasher) -> ObjectHash {
        comparable(hasher, &self.bucket, &self.key, Version::of(&self.version))
    }

    /// The versions that it may be about.
    pub(super) fn objects(&self, audited: &Audited) -> [Option<Version<'_>>; 2] {
        match (Version::of(&self.version), audited.blank_version(&self.bucket)) {
            (Version::Null, BlankVersion::Unnamed) => [Some(Version::Unnamed), None],
            (Version::Null, BlankVersion::Either) => [Some(Version::Null), Some(Version::Unnamed)],
            (version, _) => [Some(version), None],
        }
    }
}

/// What rows of manifests and findings are compared by.
pub(super) fn comparable(hasher: &ObjectHasher, bucket: &[u8], key: &[u8], version: Version<'_>) -> ObjectHash {
    hasher.hash(bucket, key, if version == Version::Unnamed { Version::Null } else { version })
}

impl Columns {
    fn parse(header: &[u8]) -> Option<Self> {
        let names: Vec<&[u8]> = header.trim_ascii_end().split(|byte| *byte == b',').collect();
        let find = |name: &[u8]| {
            let mut found = (0..names.len()).filter(|at| names[*at] == name);
            found.next().filter(|_| found.next().is_none())
        };
        Some(Self {
            width: names.len(),
            bucket: find(b"bucket")?,
            key: find(b"key")?,
            version: find(b"version_id")?,
            verdict: find(b"verdict")?,
            lane: find(b"lane")?,
        })
    }

    /// Reads a row: nothing if it is none that an audit writes, and no finding if it is about an exception.
    fn read(&self, fields: Fields<'_>) -> Option<Option<Finding>> {
        let is_violation = match fields.get(Some(self.verdict)) {
            b"violation" => true,
            b"undetermined" => false,
            b"excepted" => return Some(None),
            _ => return None,
        };
        let bytes = |at| unescape_cell(str::from_utf8(fields.get(Some(at))).ok()?);
        let (bucket, key, version) = (bytes(self.bucket)?, bytes(self.key)?, bytes(self.version)?);
        let lane = match fields.get(Some(self.lane)) {
            b"" => None,
            name => Some(Lane::ALL.into_iter().find(|lane| lane.as_str().as_bytes() == name)?),
        };
        (!bucket.is_empty() && !key.is_empty()).then_some(Some(Finding { bucket, key, version, lane, is_violation }))
    }
}

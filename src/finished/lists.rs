//! The lists of an audit that are read back: its data files, its sample, its faults and its manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead as _;
use std::path::Path;

use serde::Deserialize;

use super::audit::AuditResult;
use super::{FinishedError, file_of, parsed};
use crate::escape::hex::hex;
use crate::escape::{harmless, unescape_cell};
use crate::hashes::md5::Md5;
use crate::hashes::sha256::Sha256;

/// So many faults are kept.
const MAX_FAULTS: usize = 200;

/// What the lines of `units.csv` add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitTotals {
    pub(super) examined: u64,
    pub(super) faulted: u64,
    pub(super) rows: u64,
    pub(super) delete_markers: u64,
    pub(super) compliant: u64,
    pub(super) violation: u64,
    pub(super) undetermined: u64,
    pub(super) excepted: u64,
    pub(super) out_of_scope: u64,
    pub(super) rejected_rows: u64,
}

/// The data files of a source, as `units.csv` or its manifest lists them: key, length and MD5.
pub(super) type Files = BTreeSet<(String, Option<u64>, String)>;

/// What `units.csv` says.
pub(super) struct Units {
    pub(super) totals: UnitTotals,
    /// By the place of the source.
    pub(super) files: BTreeMap<usize, Files>,
    /// Lines of a file that has another line already.
    pub(super) twice: u64,
}

#[derive(Deserialize)]
struct UnitRow {
    source: usize,
    key: String,
    bytes: Option<u64>,
    md5: String,
    rows: Option<u64>,
    delete_markers: Option<u64>,
    compliant: Option<u64>,
    violation: Option<u64>,
    undetermined: Option<u64>,
    excepted: Option<u64>,
    out_of_scope: Option<u64>,
    rejected_rows: Option<u64>,
    state: String,
}

/// A row of `sample.csv`, as a report shows it. Names are escaped.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SampleRow {
    pub(crate) stratum: String,
    pub(crate) number: u64,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version_id: String,
    pub(crate) last_modified: String,
    pub(crate) encryption_status: String,
    pub(crate) verdict: String,
}

/// A line of `faults.jsonl`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FaultRow {
    pub(crate) what: String,
    pub(crate) r#where: FaultRowPlace,
    pub(crate) why: String,
}

/// Where something could not be examined.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FaultRowPlace {
    pub(crate) source: String,
    pub(crate) file: Option<String>,
    pub(crate) row: Option<u64>,
}

/// Findings up to this length are counted for a report; a pack counts all of them.
const MAX_COUNTED_LEN: u64 = 64 << 20;

/// How many findings of each verdict there are; nothing where they would take too long to count.
pub(super) fn findings(folder: &Path) -> Result<Option<BTreeMap<String, u64>>, FinishedError> {
    #[derive(Deserialize)]
    struct Finding {
        verdict: String,
    }
    const NAME: &str = "findings.csv";
    let facts = folder.join(NAME).metadata();
    if facts.is_ok_and(|facts| facts.len() > MAX_COUNTED_LEN) {
        return Ok(None);
    }
    let mut counts = BTreeMap::new();
    for_each_row(folder, NAME, |row: Finding| *counts.entry(row.verdict).or_default() += 1)?;
    Ok(Some(counts))
}

/// The lines of `faults.jsonl`: how many, and the first of them.
pub(super) struct Faults {
    pub(super) lines: u64,
    pub(super) first: Vec<FaultRow>,
}

/// A manifest and its checksum, as they were kept.
pub(super) struct KeptManifest {
    pub(super) md5: String,
    pub(super) sha256: String,
    pub(super) checksum_sha256: Option<String>,
    /// What the checksum says the MD5 of the manifest is.
    pub(super) checksum: Option<String>,
    pub(super) says: ManifestSays,
}

/// What a manifest says, as far as a result repeats it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManifestSays {
    #[serde(default)]
    pub(super) source_bucket: String,
    #[serde(default)]
    pub(super) creation_timestamp: serde_json::Value,
    #[serde(default)]
    pub(super) file_schema: String,
    #[serde(default)]
    files: Vec<ManifestFile>,
}

#[derive(Deserialize)]
struct ManifestFile {
    key: String,
    size: Option<u64>,
    #[serde(rename = "MD5checksum", default)]
    md5: String,
}

impl ManifestSays {
    pub(super) fn files(&self) -> Files {
        self.files.iter().map(|file| (file.key.clone(), file.size, file.md5.to_ascii_lowercase())).collect()
    }

    pub(super) fn has_versions(&self) -> bool {
        self.file_schema.to_ascii_lowercase().replace('_', "").contains("versionid")
    }
}

pub(super) fn units(folder: &Path) -> Result<Units, FinishedError> {
    let mut units = Units { totals: UnitTotals::default(), files: BTreeMap::new(), twice: 0 };
    for_each_row(folder, "units.csv", |row: UnitRow| {
        let key = unescape_cell(&row.key).map_or(row.key, |key| String::from_utf8_lossy(&key).into_owned());
        let files = units.files.entry(row.source.saturating_sub(1)).or_default();
        units.twice += u64::from(!files.insert((key, row.bytes, row.md5.to_ascii_lowercase())));
        let totals = &mut units.totals;
        match row.state.as_str() {
            "examined" => totals.examined += 1,
            _ => totals.faulted += 1,
        }
        let numbers = [
            (&mut totals.rows, row.rows),
            (&mut totals.delete_markers, row.delete_markers),
            (&mut totals.compliant, row.compliant),
            (&mut totals.violation, row.violation),
            (&mut totals.undetermined, row.undetermined),
            (&mut totals.excepted, row.excepted),
            (&mut totals.out_of_scope, row.out_of_scope),
            (&mut totals.rejected_rows, row.rejected_rows),
        ];
        numbers.into_iter().for_each(|(sum, number)| *sum = sum.saturating_add(number.unwrap_or(0)));
    })?;
    Ok(units)
}

pub(super) fn sample(folder: &Path) -> Result<Vec<SampleRow>, FinishedError> {
    let mut rows = Vec::new();
    for_each_row(folder, "sample.csv", |mut row: SampleRow| {
        for cell in [&mut row.bucket, &mut row.key, &mut row.version_id, &mut row.encryption_status] {
            // What keeps a spreadsheet from computing is no part of a name.
            if cell.starts_with('\'') && unescape_cell(cell).is_some() {
                cell.remove(0);
            }
        }
        rows.push(row);
    })?;
    Ok(rows)
}

fn for_each_row<T: for<'de> Deserialize<'de>>(
    folder: &Path,
    name: &str,
    mut each: impl FnMut(T),
) -> Result<(), FinishedError> {
    let text = file_of("audit", folder, name)?;
    let damaged =
        |error: csv::Error| FinishedError::Damaged { path: folder.join(name), why: harmless(&error.to_string()) };
    for row in csv::Reader::from_reader(text.as_slice()).deserialize() {
        each(row.map_err(damaged)?);
    }
    Ok(())
}

pub(super) fn faults(folder: &Path) -> Result<Faults, FinishedError> {
    const NAME: &str = "faults.jsonl";
    let text = file_of("audit", folder, NAME)?;
    let mut faults = Faults { lines: 0, first: Vec::new() };
    for line in text.lines() {
        let damaged = |why: String| FinishedError::Damaged { path: folder.join(NAME), why: harmless(&why) };
        let line = line.map_err(|error| damaged(error.to_string()))?;
        faults.lines += 1;
        if faults.first.len() < MAX_FAULTS {
            faults.first.push(serde_json::from_str(&line).map_err(|error| damaged(error.to_string()))?);
        }
    }
    Ok(faults)
}

/// The manifests of the sources that have one, by the place of the source, as they lie in `sources/`.
pub(super) fn manifests(folder: &Path, audit: &AuditResult) -> Result<Vec<(usize, KeptManifest)>, FinishedError> {
    let sources = audit.sources.iter().enumerate();
    let kept = sources.filter_map(|(at, source)| source.manifest.as_ref().map(|manifest| (at, manifest)));
    let read = kept.map(|(at, manifest)| {
        let text = file_of("audit", folder, &format!("sources/{}/manifest.json", at + 1))?;
        let checksum = manifest.checksum_sha256.as_ref();
        let checksum = checksum.map(|_| file_of("audit", folder, &format!("sources/{}/manifest.checksum", at + 1)));
        let checksum = checksum.transpose()?;
        let path = folder.join(format!("sources/{}/manifest.json", at + 1));
        let kept = KeptManifest {
            md5: Md5::of(&text).to_string(),
            sha256: hex(&Sha256::of(&text)),
            checksum_sha256: checksum.as_ref().map(|checksum| hex(&Sha256::of(checksum))),
            checksum: checksum.map(|checksum| String::from_utf8_lossy(&checksum).trim().to_ascii_lowercase()),
            says: parsed(&path, &text)?,
        };
        Ok((at, kept))
    });
    read.collect()
}

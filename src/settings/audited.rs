//! What a finished audit says of the objects: the buckets that it looked at, the keys that it saw, and how recent they are.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::exports::ExportFault;
use super::model::{Audited, Delivered};
use crate::escape::hex::hex;
use crate::escape::unescape;
use crate::hashes::sha256::Sha256;
use crate::source;
use crate::timestamp::Timestamp;

#[derive(Deserialize)]
struct AuditSummary {
    schema: String,
    outcome: String,
    sources: Vec<AuditedSource>,
    coverage: AuditCoverage,
    by_key: BTreeMap<String, KeyObjects>,
    key_coverage: KeyCoverage,
    by_month: Vec<MonthObjects>,
    faults: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct AuditedSource {
    bucket: Option<String>,
    created_at: Option<String>,
}

#[derive(Deserialize)]
struct AuditCoverage {
    units_planned: u64,
    units_examined: u64,
    completeness: String,
}

#[derive(Deserialize)]
struct KeyCoverage {
    kms_objects: u64,
    known: u64,
}

#[derive(Deserialize)]
struct KeyObjects {
    objects: u64,
}

#[derive(Deserialize)]
struct MonthObjects {
    account: String,
    kind: String,
    region: String,
    month: String,
}

/// Reads the folder that `audit` or `merge` wrote to.
pub(super) fn read(folder: &Path) -> Result<Audited, ExportFault> {
    let path = folder.join("summary.json");
    let text = source::read(&path).map_err(|error| ExportFault::new("audit_unreadable", error.to_string()))?;
    let summary: AuditSummary =
        serde_json::from_slice(&text).map_err(|error| ExportFault::new("audit_unreadable", error.to_string()))?;
    if summary.schema != "logseal.audit/1" {
        return Err(ExportFault::new("audit_unreadable", "it is not the output of an audit"));
    }
    let mut buckets = BTreeMap::new();
    for line in &summary.sources {
        let Some(bucket) = line.bucket.as_deref().and_then(unescape).and_then(|name| String::from_utf8(name).ok())
        else {
            continue;
        };
        let made = line.created_at.as_deref().and_then(|time| Timestamp::parse(time.as_bytes()));
        // Of two inventories of a bucket, the older one says how old what is known is.
        let oldest = buckets.entry(bucket).or_insert(made);
        *oldest = (*oldest).min(made);
    }
    let coverage = &summary.coverage;
    let is_whole = summary.outcome != "partial"
        && coverage.units_planned > 0
        && coverage.units_planned == coverage.units_examined
        && coverage.completeness == "proven"
        && summary.faults.is_empty();
    Ok(Audited {
        sha256: hex(&Sha256::of(&text)),
        buckets,
        keys: summary
            .by_key
            .into_iter()
            .filter(|(_, objects)| objects.objects > 0)
            .map(|(key, it)| (key, it.objects))
            .collect(),
        delivered: delivered(summary.by_month),
        knows_keys: summary.key_coverage.kms_objects == summary.key_coverage.known,
        is_whole,
    })
}

/// Digests are delivered for idle hours, too: a Region without logs may have them.
fn delivered(months: Vec<MonthObjects>) -> Delivered {
    const MANY: &str = "(many)";
    let is_ours = |line: &MonthObjects| ["CloudTrail", "CloudTrail-Digest"].contains(&line.kind.as_str());
    if months.iter().any(|line| line.kind == MANY || line.region == MANY) {
        return Delivered::ByAccount(newest(months.into_iter().map(|line| (line.account, line.month))));
    }
    let ours = months.into_iter().filter(is_ours);
    Delivered::ByRegion(newest(ours.map(|line| ((line.account, line.region), line.month))))
}

fn newest<K: Ord>(months: impl Iterator<Item = (K, String)>) -> BTreeMap<K, String> {
    let mut newest: BTreeMap<K, String> = BTreeMap::new();
    for (of, month) in months {
        let known = newest.entry(of).or_default();
        *known = std::mem::take(known).max(month);
    }
    newest
}

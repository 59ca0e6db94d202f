//! An audit that is run again: whether what a pack says follows from its sources.
//!
//! How the audit was done is read from its result: the policy, the day, what was accepted, how the sample was drawn. What depends on
//! where things lie, on the clock or on other inputs (digests, lists of accounts) is not compared.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::read::{Opened, PackFault};
use super::verify::{listed, tabled};
use crate::audit::{AuditOptions, SampleOptions, audit};
use crate::escape::harmless;
use crate::evidence::EvidenceOptions;
use crate::finished::Finished;
use crate::partial::Rollups;
use crate::plan::{Checksums, Plan, PlanOptions};
use crate::policy::{Checker, Policy};
use crate::store;
use crate::timestamp::{Timestamp, parse_span};
use crate::work::Watch;

/// The sources of an audit, to run it again.
pub struct Again<'a> {
    /// The sources, in the order in which the audit was given them.
    pub sources: Vec<PathBuf>,
    /// The run to take from folders of dated runs.
    pub run: Option<String>,
    /// The columns of CSV files without a manifest.
    pub schema: Option<String>,
    /// Whether the audit verified checksums.
    pub checksums: Checksums,
    /// How many groups it could tell apart.
    pub max_groups: usize,
    /// The key evidence that it had.
    pub evidence: Option<EvidenceOptions>,
    /// How many workers there are.
    pub jobs: usize,
    /// Who may end it, and who is told how far it is.
    pub watch: Watch<'a>,
}

/// Whether the audit gives the same again.
pub(super) fn check(opened: &Opened, finished: &Finished, again: &Again<'_>) -> Result<(), PackFault> {
    let result = &finished.audit;
    if finished.conduct().has_evidence && again.evidence.is_none() {
        return Err(PackFault::Means("the result rests on key evidence: give it with --key-evidence".to_owned()));
    }
    if result.evidence_delivery.is_some() {
        let why = "digests took part in the verdicts on keys: run the audit again with them, and compare the two";
        return Err(PackFault::Means(why.to_owned()));
    }
    let folder = store::temp_folder(None).map_err(|error| PackFault::Means(format!("no temporary folder: {error}")))?;
    let out = folder.path().join("again");
    run(finished, again, &out)?;
    let (data, differs) = (opened.root.join("data"), |what: String| {
        PackFault::Disagrees(format!("the audit, run again, gives another {what}"))
    });
    let pair = |name: &str| Ok::<_, PackFault>((json(&data.join(name))?, json(&out.join(name))?));
    let (mut packed, mut made) = pair("summary.json")?;
    let left_out = LeftOut::of(finished);
    [&mut packed, &mut made].into_iter().for_each(|summary| left_out.take_from(summary));
    if let Some(difference) = difference("", &packed, &made) {
        return Err(differs(format!("summary.json: {difference}")));
    }
    for name in ["units.csv", "sample.csv"] {
        if !is_same(&mut open(&data.join(name))?, &mut open(&out.join(name))?, name)? {
            return Err(differs(name.to_owned()));
        }
    }
    // Where both forms are there, they are the same.
    let same = match (listed(opened)?, tabled(opened)?) {
        (Some(mut list), _) => is_same(&mut list, &mut open(&out.join("findings.csv"))?, "findings.csv")?,
        (None, Some(mut table)) => is_same(&mut table, &mut open(&out.join("findings.csv"))?, "findings.csv")?,
        (None, None) => true,
    };
    if same { Ok(()) } else { Err(differs("findings.csv".to_owned())) }
}

/// Audits the sources as the result says that they were.
fn run(finished: &Finished, again: &Again<'_>, out: &Path) -> Result<(), PackFault> {
    let (result, conduct) = (&finished.audit, finished.conduct());
    let failed = |why: &dyn std::fmt::Display| PackFault::Means(format!("the audit cannot be run again: {why}"));
    let mut policy = Policy::from_toml(&finished.policy_text).map_err(|error| failed(&error))?;
    if let Some(max_age) = conduct.evidence_max_age {
        policy.evidence.max_age = parse_span(max_age);
    }
    policy.evidence.logs_are_complete |= conduct.evidence_logs_are_complete;
    policy.evidence.hints_decide |= conduct.evidence_hints_decide;
    let as_of = Timestamp::parse(conduct.as_of.as_bytes()).ok_or_else(|| failed(&"as_of is no time"))?;
    let plan = PlanOptions {
        run: again.run.clone(),
        accept_unproven: true,
        schema: again.schema.clone(),
        checksums: again.checksums,
        accept_overlap: conduct.accepts_overlap,
        accept_manifest_time: conduct.accepts_manifest_time,
        today: Some(as_of),
    };
    let plan = Plan::new(&again.sources, &plan).map_err(|error| failed(&error))?;
    let mut options = AuditOptions::new(out, result.policy.source.clone()).map_err(|error| failed(&error))?;
    options.jobs = again.jobs;
    options.rollups = if conduct.counts_no_groups { Rollups::None } else { Rollups::UpTo(again.max_groups) };
    options.allow_empty = conduct.allows_empty;
    options.checksums = again.checksums;
    options.remediation.includes_undetermined = conduct.remedies_undetermined;
    options.evidence.clone_from(&again.evidence);
    options.sample = SampleOptions { per_verdict: conduct.sample, seed: conduct.sample_seed.map(str::to_owned) };
    audit(&plan, &Checker::new(policy, as_of), &options, again.watch).map(drop).map_err(|error| failed(&error))
}

/// What of a summary does not follow from the sources alone.
struct LeftOut {
    fields: Vec<&'static str>,
    /// A fault that a configuration led to, which is not there again.
    has_contradiction: bool,
}

impl LeftOut {
    fn of(finished: &Finished) -> Self {
        let result = &finished.audit;
        let mut fields =
            vec!["tool", "started_at", "finished_at", "timing", "digests", "organization_accounts", "expected_objects"];
        let has_contradiction = result.faults.contains_key("inventory_configuration");
        if has_contradiction || result.digests.is_some() {
            fields.extend(["outcome", "outcome_reasons", "assumptions"]);
        }
        Self { fields, has_contradiction }
    }

    fn take_from(&self, summary: &mut Value) {
        let Some(summary) = summary.as_object_mut() else { return };
        self.fields.iter().for_each(|field| drop(summary.remove(*field)));
        let mut remove = |path: &[&str], fields: &[&str]| {
            let found = path.iter().try_fold(&mut *summary, |value, part| value.get_mut(*part)?.as_object_mut());
            found.into_iter().for_each(|value| fields.iter().for_each(|field| drop(value.remove(*field))));
        };
        remove(&["policy"], &["source"]);
        if self.has_contradiction {
            remove(&["faults"], &["inventory_configuration"]);
        }
        for lane in crate::remediation::Lane::ALL {
            remove(&["remediation", lane.as_str()], &["manifests"]);
        }
        let sources = summary.get_mut("sources").and_then(Value::as_array_mut);
        for source in sources.into_iter().flatten().filter_map(Value::as_object_mut) {
            ["path", "ignored_files", "skipped_runs", "configuration"]
                .iter()
                .for_each(|field| drop(source.remove(*field)));
            source.get_mut("manifest").and_then(Value::as_object_mut).map(|manifest| manifest.remove("key"));
        }
        for line in summary.get_mut("evidence").and_then(Value::as_array_mut).into_iter().flatten() {
            line.as_object_mut().map(|line| line.remove("source"));
        }
    }
}

/// The first place in which two values differ, and what stands there.
fn difference(place: &str, packed: &Value, made: &Value) -> Option<String> {
    let below = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    match (packed, made) {
        _ if packed == made => None,
        (Value::Object(one), Value::Object(other)) => {
            let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
            let null = Value::Null;
            names
                .filter_map(|name| {
                    difference(&below(name), one.get(name).unwrap_or(&null), other.get(name).unwrap_or(&null))
                })
                .next()
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs.filter_map(|(at, (one, other))| difference(&format!("{place}[{at}]"), one, other)).next()
        }
        _ => Some(format!("{} is {}, in the pack {}", harmless(place), short(made), short(packed))),
    }
}

fn short(value: &Value) -> String {
    const MAX_LEN: usize = 80;
    match value {
        Value::Array(list) => format!("a list of {}", list.len()),
        value => harmless(&value.to_string()).chars().take(MAX_LEN).collect(),
    }
}

fn unreadable(path: &Path, error: io::Error) -> PackFault {
    PackFault::Unreadable { path: path.to_owned(), error }
}

fn open(path: &Path) -> Result<impl Read + use<>, PackFault> {
    store::read_back(path).map_err(|error| unreadable(path, error))
}

fn json(path: &Path) -> Result<Value, PackFault> {
    serde_json::from_reader(BufReader::new(open(path)?)).map_err(|error| unreadable(path, error.into()))
}

/// Whether two files are the same to their ends.
fn is_same(one: &mut dyn Read, other: &mut dyn Read, name: &str) -> Result<bool, PackFault> {
    let (mut first, mut second) = (vec![0; 256 << 10], vec![0; 256 << 10]);
    let failed = |error| unreadable(Path::new(name), error);
    loop {
        let lens = [fill(one, &mut first).map_err(failed)?, fill(other, &mut second).map_err(failed)?];
        if first[..lens[0]] != second[..lens[1]] {
            return Ok(false);
        }
        if lens[0] == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or nothing is left.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match from.read(&mut buffer[len..])? {
            0 => break,
            read => len += read,
        }
    }
    Ok(len)
}

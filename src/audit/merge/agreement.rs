//! What shards must agree on to be parts of one audit.
//!
//! Where its files lie may differ from shard to shard, and what lies beside them. What decides a verdict may not, nor what
//! is said of the input as a whole.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{AuditFacts, ExceptionFacts, ManifestFacts, PolicyFacts, SourceFacts, shard::Shards};
use crate::evidence::{EvidenceFacts, EvidenceSummary};
use crate::partial::Terms;

/// Why shards are no parts of one audit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disagreement {
    /// A shard is there twice.
    #[error("both are shard {number} of {of}")]
    ShardTwice {
        /// Its number.
        number: u32,
        /// How many shards there are.
        of: u32,
    },
    /// The plan was divided in different ways.
    #[error("one is a part of {0} shards, the other of {1}")]
    Division(u32, u32),
    /// An option was given another value.
    #[error("they were made with different settings: {name} is {ours}, and {theirs}")]
    Setting {
        /// What sets it.
        name: &'static str,
        /// Its value in the one.
        ours: String,
        /// Its value in the other.
        theirs: String,
    },
    /// They were judged by different policies.
    #[error("they were made with different policies: {0}, and {1}")]
    Policy(String, String),
    /// They were told different things of what is audited.
    #[error("they were given different files or numbers: {0}")]
    Population(&'static str),
    /// They are about different reports.
    #[error("they were made from different sources: {0}, and {1}")]
    Sources(String, String),
    /// The same evidence said something else.
    #[error("the key evidence said different things: {0}, and {1}")]
    Evidence(String, String),
}

/// Who is compared.
#[derive(Clone, Copy)]
pub(super) struct Party<'p> {
    pub(super) shards: &'p Shards,
    pub(super) facts: &'p AuditFacts,
    pub(super) terms: &'p Terms,
}

impl Disagreement {
    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::ShardTwice { .. } => "give each shard once",
            Self::Division(..) => "run all shards with the same M of --shard N/M",
            Self::Population(_) | Self::Setting { .. } => "run all shards with the same options, and the same version",
            Self::Policy(..) => "run all shards with the same policy file",
            Self::Sources(..) => "run all shards with the same sources, in the same order",
            Self::Evidence(..) => "run the shard again whose evidence could not be read",
        }
    }
}

/// Fails with the first thing in which they differ.
pub(super) fn check(ours: Party<'_>, theirs: Party<'_>) -> Result<(), Disagreement> {
    check_policies(&ours, &theirs)?;
    if let Some((name, ours, theirs)) = ours.terms.differing_setting(theirs.terms) {
        return Err(Disagreement::Setting { name, ours, theirs });
    }
    check_sources(ours, theirs)?;
    check_population(ours.facts, theirs.facts)?;
    check_seeds(ours, theirs)?;
    check_evidence(ours.facts.evidence.as_ref(), theirs.facts.evidence.as_ref())?;
    check_shards(ours.shards, theirs.shards)
}

fn check_shards(ours: &Shards, theirs: &Shards) -> Result<(), Disagreement> {
    if ours.of != theirs.of {
        return Err(Disagreement::Division(ours.of, theirs.of));
    }
    match ours.numbers.intersection(&theirs.numbers).next() {
        Some(&number) => Err(Disagreement::ShardTwice { number, of: ours.of }),
        None => Ok(()),
    }
}

/// The same text of a policy can be in different files.
fn check_policies(ours: &Party<'_>, theirs: &Party<'_>) -> Result<(), Disagreement> {
    let without_file = |facts: &AuditFacts| PolicyFacts { source: String::new(), ..facts.policy.clone() };
    // Which day it was is a setting.
    let without_days = |facts: &AuditFacts| -> Vec<_> {
        facts.exceptions.iter().map(|exception| ExceptionFacts { days_left: 0, ..exception.clone() }).collect()
    };
    let name = |party: &Party<'_>| format!("{} (SHA-256 {})", party.facts.policy.name, party.terms.policy);
    let is_same = ours.terms.policy == theirs.terms.policy
        && without_file(ours.facts) == without_file(theirs.facts)
        && without_days(ours.facts) == without_days(theirs.facts);
    if is_same { Ok(()) } else { Err(Disagreement::Policy(name(ours), name(theirs))) }
}

fn check_sources(ours: Party<'_>, theirs: Party<'_>) -> Result<(), Disagreement> {
    let (one, other) = (&ours.facts.sources, &theirs.facts.sources);
    if one.len() != other.len() {
        let count = |sources: &Vec<_>| format!("{} of them", sources.len());
        return Err(Disagreement::Sources(count(one), count(other)));
    }
    if let Some((one, other)) = one.iter().zip(other).find(|(one, other)| !is_same_report(one, other)) {
        return Err(Disagreement::Sources(describe(one), describe(other)));
    }
    // All that is left: what follows from the sources as a whole.
    let whole = |party: Party<'_>| (party.facts.units, party.facts.completeness, party.terms.plan.clone());
    let (one, other) = (whole(ours), whole(theirs));
    let describe = |(units, completeness, _): &(_, _, _)| format!("{units} files, {completeness:?}");
    if one == other { Ok(()) } else { Err(Disagreement::Sources(describe(&one), describe(&other))) }
}

/// What was said beside the reports.
fn check_population(ours: &AuditFacts, theirs: &AuditFacts) -> Result<(), Disagreement> {
    let configurations =
        |facts: &AuditFacts| facts.sources.iter().map(|source| source.configuration.clone()).collect::<Vec<_>>();
    let (one, other) = (&ours.population, &theirs.population);
    let is_same = [
        ("--inventory-config", configurations(ours) == configurations(theirs)),
        ("--accounts", one.accounts == other.accounts),
        ("--expect-objects", one.expected_objects == other.expected_objects),
    ];
    match is_same.into_iter().find(|(_, is_same)| !is_same) {
        None => Ok(()),
        Some((name, _)) => Err(Disagreement::Population(name)),
    }
}

/// Where nobody has chosen a seed, it follows from the sources.
fn check_seeds(ours: Party<'_>, theirs: Party<'_>) -> Result<(), Disagreement> {
    let [ours, theirs] = [ours, theirs].map(|party| party.terms.sample.key.as_str().to_owned());
    let name = "--sample-seed (SHA-256)";
    if ours == theirs { Ok(()) } else { Err(Disagreement::Setting { name, ours, theirs }) }
}

/// Wherever it lies, and whatever lies beside it.
fn is_same_report(ours: &SourceFacts, theirs: &SourceFacts) -> bool {
    let report = |source: &SourceFacts| SourceFacts {
        path: String::new(),
        ignored_files: 0,
        skipped_runs: Vec::new(),
        manifest: source.manifest.clone().map(|manifest| ManifestFacts { key: None, ..manifest }),
        configuration: None,
        ..source.clone()
    };
    report(ours) == report(theirs)
}

fn describe(source: &SourceFacts) -> String {
    let bucket = source.bucket.as_deref().unwrap_or("no manifest");
    let faults: String = source.faults.iter().map(|(code, _)| format!(", {code}")).collect();
    let created = source.created_at.as_deref().unwrap_or("an unknown time");
    format!("{} ({bucket} of {created}, {} files{faults})", source.path, source.files)
}

/// Faults may differ: all of them are kept.
fn check_evidence(ours: Option<&EvidenceSummary>, theirs: Option<&EvidenceSummary>) -> Result<(), Disagreement> {
    let said = |summary: &EvidenceSummary| EvidenceSummary {
        sources: summary
            .sources
            .iter()
            .map(|source| EvidenceFacts { source: String::new(), ..source.clone() })
            .collect(),
        faults: Vec::new(),
        passed: BTreeMap::new(),
        ..summary.clone()
    };
    if ours.map(said) == theirs.map(said) {
        return Ok(());
    }
    let describe = |summary: Option<&EvidenceSummary>| match summary {
        None => "none".to_owned(),
        Some(summary) => {
            let records: u64 = summary.sources.iter().map(|source| source.records).sum();
            format!("{records} records, {} faults", summary.faults.len())
        }
    };
    Err(Disagreement::Evidence(describe(ours), describe(theirs)))
}

/// Keeps the faults of the evidence of all shards: as one has them if all have the same, else in their own order.
pub(super) fn keep_faults(ours: &mut AuditFacts, theirs: &AuditFacts) {
    let (Some(ours), Some(theirs)) = (&mut ours.evidence, &theirs.evidence) else { return };
    let (one, other): (BTreeSet<_>, BTreeSet<_>) = (ours.faults.iter().collect(), theirs.faults.iter().collect());
    if one != other {
        let all = one.union(&other).map(|fault| (*fault).clone()).collect();
        ours.faults = all;
    }
}

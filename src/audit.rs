//! The main job: sources and a policy to a folder of evidence.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::{self, Cancel, EngineError, Progress};
use crate::merge::{PARTIAL_FILE, ShardFile, fingerprint};
use crate::partial::{Partial, Rollups, Terms};
use crate::plan::{Checksums, Plan, Shard};
use crate::policy::Checker;
use crate::report::{AuditFacts, Run, Summary};
use crate::sinks::{FINDINGS_HEADER, List, OutputError, OutputFolder, Pieces, Spools, UnitLengths, push_fault};
use crate::timestamp::Timestamp;

/// How many groups a rollup has at most unless told otherwise.
pub const DEFAULT_MAX_GROUPS: usize = 1_000_000;

/// How an audit is to be done.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// Where the output goes.
    pub out: PathBuf,
    /// Whether a finished audit in that folder may be replaced.
    pub overwrite: bool,
    /// How many workers there are.
    pub jobs: usize,
    /// The part of the units that is examined; nothing means all, without leaving a partial to merge.
    pub shard: Option<Shard>,
    /// What is counted by group.
    pub rollups: Rollups,
    /// Whether a result without any object in scope is fine.
    pub allow_empty: bool,
    /// Whether checksums are verified; the plan must have been made the same way.
    pub checksums: Checksums,
    /// Where the policy is from, for the reports.
    pub policy_source: String,
}

/// Why an audit could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// Nothing could be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The work could not be done.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Examines the plan and writes what was found. The folder gets its files only when all of them are complete.
pub fn audit(
    plan: &Plan,
    checker: &Checker,
    options: &AuditOptions,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Summary, AuditError> {
    let (clock, started_at) = (Instant::now(), Timestamp::now());
    let facts = AuditFacts::new(plan, checker, &options.policy_source, options.allow_empty);
    let output = OutputFolder::create(&options.out, options.overwrite)?;
    let spools = Spools::new(output.staging());
    let units: Vec<_> = plan.units(options.shard.unwrap_or(Shard::WHOLE)).collect();
    let units_planned = units.len() as u64;
    let nothing = Partial::new(Arc::new(terms(plan, checker, options)), facts.policy.rules.len());
    let mut examined = engine::run(units, checker, nothing, &spools, options.jobs, cancel, progress)?;
    let run = || Run { started_at, finished_at: Timestamp::now(), elapsed_ms: clock.elapsed().as_millis() as u64 };
    let result = Findings::new(facts, examined.partial, units_planned);
    let pieces = |list, lengths: &mut UnitLengths| spools.pieces(list, &mut examined.extents, lengths);
    let how = Writing { keep_partial: options.shard.is_some(), cancel };
    write(output, result, pieces, run, &how)
}

fn terms(plan: &Plan, checker: &Checker, options: &AuditOptions) -> Terms {
    Terms {
        plan: plan.fingerprint(),
        policy: checker.policy().sha256.clone(),
        as_of: checker.as_of().as_millis(),
        rollups: options.rollups,
        checksums: options.checksums,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Everything but the lists.
pub(crate) struct Findings {
    pub(crate) facts: AuditFacts,
    pub(crate) partial: Partial,
    units_planned: u64,
}

impl Findings {
    /// Nothing is added to the partial any more.
    pub(crate) fn new(facts: AuditFacts, mut partial: Partial, units_planned: u64) -> Self {
        partial.settle();
        Self { facts, partial, units_planned }
    }
}

/// How an output is written.
pub(crate) struct Writing<'c> {
    /// Whether the output is to be merged.
    pub(crate) keep_partial: bool,
    pub(crate) cancel: &'c Cancel,
}

/// Writes the lists, the summary and, where it is to be merged, the partial; then publishes them. `pieces` are the lines
/// of all units of a list, in order, and how much each unit has; `run` is asked when the lists are written.
pub(crate) fn write(
    mut output: OutputFolder,
    result: Findings,
    mut pieces: impl FnMut(List, &mut UnitLengths) -> Pieces,
    run: impl FnOnce() -> Run,
    how: &Writing<'_>,
) -> Result<Summary, AuditError> {
    let (mut lengths, mut sha256) = (UnitLengths::new(), Vec::new());
    for list in List::ALL {
        let pieces = pieces(list, &mut lengths);
        let preamble = preamble(list, &result.facts);
        let written = output.write_pieces(list.file_name(), &preamble, &pieces, how.cancel);
        if how.cancel.is_cancelled() {
            return Err(EngineError::Cancelled.into());
        }
        let path = written?;
        if how.keep_partial {
            let (_, hash) = fingerprint(&path).map_err(|error| OutputError::Write { path, error })?;
            sha256.push(hash);
        }
    }
    let run = run();
    if how.keep_partial {
        let shard = ShardFile::new(&result, &run, lengths, sha256);
        output.write(PARTIAL_FILE, |out| Ok(serde_json::to_writer(out, &shard)?))?;
    }
    let summary = Summary::new(&result.facts, result.partial, result.units_planned, run);
    output.write("summary.json", |out| {
        serde_json::to_writer_pretty(&mut *out, &summary)?;
        out.write_all(b"\n")
    })?;
    output.publish()?;
    Ok(summary)
}

/// What a list holds before the lines of its units: a header, or the faults of whole sources.
pub(crate) fn preamble(list: List, facts: &AuditFacts) -> Vec<u8> {
    let mut lines = Vec::new();
    match list {
        List::Findings => lines.extend_from_slice(FINDINGS_HEADER.as_bytes()),
        List::Faults => {
            for source in &facts.sources {
                source
                    .faults
                    .iter()
                    .for_each(|(what, why)| push_fault(&mut lines, what, &source.path, None, None, why));
            }
        }
    }
    lines
}

/// One worker for each core.
pub fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

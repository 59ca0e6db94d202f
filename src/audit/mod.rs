//! The main job: sources and a policy to a folder of evidence; and shards of it to a whole.

mod campaign;
mod error;
mod facts;
pub mod merge;
mod outcome;
mod publish;
mod replaced;
mod sample;
mod shard;
mod sources;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::assumptions::Assumptions;
use crate::campaign::{JobSettings, Prices, PricesError};
use crate::digests::{DigestsOptions, DigestsSummary, Verification};
use crate::engine::{self, Destination};
use crate::evidence::{self, Aliases, Evidence, EvidenceError, EvidenceOptions, KeyRing, Keys, Wanted};
use crate::partial::{Partial, Rollups, Terms};
use crate::plan::{Checksums, Plan, Shard};
use crate::policy::Checker;
use crate::population::{Population, PopulationOptions};
use crate::remediation::{Groups, Targets};
use crate::sample::{SampleKey, SampleTerms};
use crate::sinks::{DIGESTS_FILE, OrderedLists, OutputFolder, Room, Sources, Spools, with_groups};
use crate::store;
use crate::timestamp::Timestamp;
use crate::work::{Progress, Stopped, Watch, default_jobs};

pub use campaign::CampaignOptions;
pub use error::AuditError;
pub use facts::{AuditFacts, ExceptionFacts, ManifestFacts, PolicyFacts, RemediationFacts, RuleFacts, SourceFacts};
pub use outcome::OutcomeReason;
use publish::{AuditResult, FinishedLists, begin_lists, write};
pub use sample::{DEFAULT_SAMPLE, SampleLine, SampleOptions};
pub use summary::{
    AUDIT_SCHEMA, AccountLine, AccountLines, ByteCounts, Counts, Coverage, EvidenceLine, ExceptionLine, ExceptionState,
    GroupLine, KeyCoverage, KeyInUse, LaneLine, MonthLine, MonthLines, RuleLine, Run, Scope, SourceLine, Summary,
    Timing,
};

/// How many groups a rollup has at most unless told otherwise.
pub const DEFAULT_MAX_GROUPS: usize = 1_000_000;

/// How many rows a manifest has at most unless told otherwise: far fewer than a job may have, a file that is uploaded in
/// one part, and small enough for several to be hashed side by side.
pub const DEFAULT_MANIFEST_ROWS: u64 = 1_000_000;

/// So many bytes of lines wait for their place in memory before others wait in files.
const MAX_HELD_LEN: u64 = 64 << 20;

/// How an audit is to be done.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// Where the output goes.
    pub out: PathBuf,
    /// Whether a finished audit in that folder may be replaced.
    pub overwrite: bool,
    /// How many workers there are; nought is taken for one.
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
    /// How objects are to be put right.
    pub remediation: RemediationOptions,
    /// What says which keys objects are encrypted under.
    pub evidence: Option<EvidenceOptions>,
    /// Digests that are verified as well; not with a shard.
    pub digests: Option<DigestsOptions>,
    /// How rows are drawn that can be re-performed.
    pub sample: SampleOptions,
    /// What is said of the population beside the reports.
    pub population: PopulationOptions,
}

impl AuditOptions {
    /// A whole audit with one worker for each core and everything else as it is unless told otherwise.
    pub fn new(out: impl Into<PathBuf>, policy_source: impl Into<String>) -> Result<Self, PricesError> {
        Ok(Self {
            out: out.into(),
            overwrite: false,
            jobs: default_jobs(),
            shard: None,
            rollups: Rollups::UpTo(DEFAULT_MAX_GROUPS),
            allow_empty: false,
            checksums: Checksums::Verified,
            policy_source: policy_source.into(),
            remediation: RemediationOptions::with_built_in_prices()?,
            evidence: None,
            digests: None,
            sample: SampleOptions::default(),
            population: PopulationOptions::default(),
        })
    }
}

/// How objects are to be put right.
#[derive(Clone, Debug)]
pub struct RemediationOptions {
    /// How many rows a manifest has at most.
    pub manifest_rows: u64,
    /// Whether objects whose key is not known are put right, too, where doing so twice does no harm.
    pub includes_undetermined: bool,
    /// What no inventory report can tell.
    pub campaign: CampaignOptions,
}

impl RemediationOptions {
    /// What is done unless told otherwise, with placeholders for what no report can tell.
    pub fn with_built_in_prices() -> Result<Self, PricesError> {
        let campaign = CampaignOptions { jobs: JobSettings::default(), prices: Prices::built_in()? };
        Ok(Self { manifest_rows: DEFAULT_MANIFEST_ROWS, includes_undetermined: false, campaign })
    }
}

/// Examines the plan and writes what was found. The folder gets its files only when all of them are complete.
pub fn audit(plan: &Plan, checker: &Checker, options: &AuditOptions, watch: Watch<'_>) -> Result<Summary, AuditError> {
    let Watch { cancel, progress } = watch;
    let (clock, started_at) = (Instant::now(), Timestamp::now());
    let mut facts = AuditFacts::new(plan, checker, &options.policy_source, options.allow_empty);
    facts.take(Population::read(&options.population, plan)?);
    let jobs = options.jobs.max(1);
    if facts.population.accounts.is_some() && options.rollups == Rollups::None {
        return Err(AuditError::AccountsNotCounted);
    }
    let verification = match &options.digests {
        Some(_) if options.shard.is_some() => return Err(AuditError::DigestsOfShard),
        digests => digests.as_ref().map(|digests| Verification::new(digests, Some(plan))).transpose()?,
    };
    let are_logs_stated = options.evidence.is_some() && checker.policy().evidence.logs_are_complete;
    let mut output = OutputFolder::create(&options.out, options.overwrite)?;
    replaced::check(&options.out, &facts.policy_text)?;
    sources::keep(&mut output, plan, &mut facts)?;
    facts.sample_seed.clone_from(&options.sample.seed);
    let verify = |digests: Verification<'_>| {
        digests.keep_listed(are_logs_stated).run(
            &mut output,
            DIGESTS_FILE,
            Watch { cancel, progress: &Beside(progress) },
        )
    };
    let mut digests = verification.map(verify).transpose()?;
    let delivered = digests.as_mut().and_then(DigestsSummary::take_delivered);
    let shard = options.shard.unwrap_or(Shard::WHOLE);
    let aliases = options.evidence.as_ref().map_or(&[][..], |evidence| &evidence.aliases);
    let aliases = Aliases::read(checker, aliases).map_err(EvidenceError::Aliases)?;
    let aliases_read = aliases.fingerprint();
    let ring = KeyRing::new(checker, aliases);
    let evidence = match &options.evidence {
        Some(evidence) => {
            let wanted = Wanted { options: evidence, plan, shard: options.shard, ring: &ring, delivered };
            Some(load_evidence(wanted, &output, jobs, watch)?)
        }
        None => None,
    };
    facts.evidence = evidence.as_ref().map(|evidence| evidence.summary.clone());
    let spools = Spools::new(output.staging(), Room::new(MAX_HELD_LEN));
    let rows = options.remediation.manifest_rows;
    let files = begin_lists(&mut output, &facts, rows, |stream| Sources::new(spools.paths(stream, 0..jobs as u32)))?;
    let units: Vec<_> = plan.units(shard).collect();
    let units_planned = units.len() as u64;
    let groups = Groups::default();
    let ids = units.iter().map(|unit| unit.id).collect();
    let lists = OrderedLists::new(files, ids, &groups, options.shard.is_some(), cancel);
    let targets = Targets::new(checker.policy(), checker.as_of(), options.remediation.includes_undetermined);
    let assumptions = assumptions(plan, checker, &ring, evidence.as_ref());
    let terms = terms(checker, options, &facts, (assumptions, aliases_read));
    let total = Partial::new(Arc::new(terms), facts.policy.rules.len());
    let keys = Keys { ring: &ring, evidence: evidence.as_ref() };
    let destination = Destination { total, spools: &spools, lists: &lists, targets: &targets, groups: &groups, keys };
    let partial = engine::run(units, checker, destination, jobs, watch)?;
    let finished = lists.finish();
    if cancel.is_cancelled() {
        return Err(Stopped::Cancelled.into());
    }
    let (files, lengths) = finished?;
    // Freeing a gigabyte takes a while, in which the lists are brought to the disk.
    spools.remove(0..jobs as u32);
    let part = options.shard.zip(lengths).map(|(shard, lengths)| (shard.into(), with_groups(lengths, &groups)));
    let lists = FinishedLists { files, part };
    let run = || Run { started_at, finished_at: Timestamp::now(), elapsed_ms: clock.elapsed().as_millis() as u64 };
    let scope = Scope { units_planned, shard: options.shard, digests };
    let result = AuditResult::new(facts, partial, scope);
    write(output, result, lists, run, &options.remediation.campaign, cancel)
}

/// Progress of work that the plan does not know of.
struct Beside<'p>(&'p dyn Progress);

impl Progress for Beside<'_> {
    fn expect(&self, bytes: u64) {
        self.0.expect(bytes);
    }

    fn advance(&self, bytes: u64, _: u64) {
        if bytes > 0 {
            self.0.expect(bytes);
            self.0.advance(bytes, 0);
        }
    }
}

/// Its temporary files are in a folder of their own, which disappears when they have been read.
fn load_evidence(
    wanted: Wanted<'_>,
    output: &OutputFolder,
    jobs: usize,
    watch: Watch<'_>,
) -> Result<Evidence, EvidenceError> {
    let folder = wanted.options.temp_dir.as_deref().unwrap_or(output.staging());
    let folder = store::temp_folder(Some(folder)).map_err(EvidenceError::Folder)?;
    evidence::load(wanted, folder, jobs, watch)
}

/// Everything that decides a verdict, or what is written about it.
fn terms(
    checker: &Checker,
    options: &AuditOptions,
    facts: &AuditFacts,
    (assumptions, aliases): (Assumptions, Option<String>),
) -> Terms {
    Terms {
        plan: facts.plan_fingerprint(),
        policy: checker.policy().sha256.clone(),
        as_of: checker.as_of().as_millis(),
        rollups: options.rollups,
        checksums: options.checksums,
        manifest_rows: options.remediation.manifest_rows,
        remediates_undetermined: options.remediation.includes_undetermined,
        evidence: facts.evidence.as_ref().and_then(|evidence| evidence.fingerprint.clone()),
        assumptions,
        evidence_as_of: options.evidence.as_ref().and_then(|evidence| evidence.as_of).map(Timestamp::as_millis),
        aliases,
        sample: sample_terms(options, facts),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Unless somebody has chosen a seed, what is drawn follows from what was delivered. Without counts by account nobody knows
/// the account of every row.
fn sample_terms(options: &AuditOptions, facts: &AuditFacts) -> SampleTerms {
    let delivered = |source: &SourceFacts| match &source.manifest {
        Some(manifest) => manifest.sha256.clone(),
        None => source.fingerprint.clone(),
    };
    let key = match &options.sample.seed {
        Some(seed) => SampleKey::of(seed),
        None => SampleKey::of(&facts.sources.iter().map(delivered).collect::<Vec<_>>().join("\n")),
    };
    let per_account = if options.rollups == Rollups::None { 0 } else { options.sample.per_account() };
    SampleTerms::new(key, options.sample.per_verdict, per_account)
}

/// Everything that the result will take for granted. All shards know it before they examine anything.
fn assumptions(plan: &Plan, checker: &Checker, ring: &KeyRing<'_>, evidence: Option<&Evidence>) -> Assumptions {
    let mut assumptions = Assumptions::default();
    assumptions.extend(plan.assumptions());
    if let Some(evidence) = evidence {
        evidence.assume(checker.policy().evidence, ring, &mut assumptions);
    }
    assumptions
}

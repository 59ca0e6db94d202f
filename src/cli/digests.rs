//! `digests`: proof that CloudTrail logs are complete and untouched.

use logseal::digests::{
    AcceptedEdges, DEFAULT_MEMORY, DigestsError, DigestsOptions, DigestsSummary, LogContents, Window, verify_digests,
};
use logseal::plan::Plan;
use logseal::report::render_digests;
use logseal::timestamp::Timestamp;
use logseal::work::{Watch, default_jobs};

use super::Failure;
use super::args::{AcceptedArgs, DigestsArgs, DigestsOfAuditArgs};
use super::cancel_on_interrupt;
use super::progress;
use super::say;

impl From<DigestsError> for Failure {
    fn from(error: DigestsError) -> Self {
        Self::with_hint(&error, error.hint())
    }
}

impl DigestsOfAuditArgs {
    pub fn into_options(self, jobs: usize) -> Result<Option<DigestsOptions>, Failure> {
        let options = DigestsOptions {
            roots: self.digests,
            public_keys: self.public_keys,
            metadata: self.metadata,
            log_contents: log_contents(self.logs),
            window: window(self.since, self.until)?,
            accepted_edges: self.accepted.edges(),
            accepted_unreferenced: self.accepted.accept_unreferenced,
            inventory_lag: self.accepted.inventory_lag,
            jobs,
            memory: DEFAULT_MEMORY,
            temp_dir: None,
        };
        Ok(Some(options).filter(|options| !options.roots.is_empty()))
    }
}

impl AcceptedArgs {
    fn edges(&self) -> AcceptedEdges {
        AcceptedEdges { starts: self.accept_starts, ends: self.accept_ends }
    }
}

/// Says which public keys were left out.
pub(super) fn warn(summary: &DigestsSummary) {
    for list in &summary.public_keys {
        list.refused.iter().for_each(|why| say("warning", &format!("{}: left out: {why}", list.source)));
    }
}

fn log_contents(are_hashed: bool) -> LogContents {
    if are_hashed { LogContents::Hashed } else { LogContents::Ignored }
}

fn window(since: Option<Timestamp>, until: Option<Timestamp>) -> Result<Window, Failure> {
    match since.zip(until) {
        Some((since, until)) if since > until => Err(Failure::new("the window is empty: --since is after --until")),
        _ => Ok(Window { since, until }),
    }
}

pub(super) fn run(args: DigestsArgs) -> Result<u8, Failure> {
    let window = window(args.since, args.until)?;
    let cancel = cancel_on_interrupt();
    let inventory = match &args.inventory[..] {
        [] => None,
        sources => Some(Plan::new(sources, &args.reading.into_plan_options())?),
    };
    let options = DigestsOptions {
        roots: args.roots,
        public_keys: args.public_keys,
        metadata: args.metadata,
        log_contents: log_contents(args.logs),
        window,
        accepted_edges: args.accepted.edges(),
        accepted_unreferenced: args.accepted.accept_unreferenced,
        inventory_lag: args.accepted.inventory_lag,
        jobs: args.jobs.unwrap_or_else(default_jobs),
        memory: args.memory,
        temp_dir: args.temp_dir,
    };
    let bar = progress::Bar::open_ended("digests", args.no_progress || args.stdout.quiet);
    let summary = verify_digests(
        &options,
        inventory.as_ref(),
        (&args.out, args.force),
        Watch { cancel: &cancel, progress: &bar },
    );
    bar.finish();
    let summary = summary?;
    if !args.stdout.quiet {
        warn(&summary);
    }
    args.stdout.show(&summary, |style| render_digests(&summary, &args.out.to_string_lossy(), style))?;
    Ok(summary.outcome.exit_code())
}

//! `reconcile`: reports of jobs against what an audit wanted done.

use logseal::audit::default_jobs;
use logseal::plan::{Checksums, PlanOptions};
use logseal::reconcile::{LaterInventory, ReconcileError, ReconcileOptions, reconcile, render};

use super::args::{Format, ReconcileArgs};
use super::{Failure, cancel_on_interrupt, policy, print, print_with, stdout_style};

impl From<ReconcileError> for Failure {
    fn from(error: ReconcileError) -> Self {
        Self::with_hint(&error, error.hint())
    }
}

pub(super) fn run(args: ReconcileArgs) -> Result<u8, Failure> {
    let cancel = cancel_on_interrupt();
    let options = ReconcileOptions {
        inventory: later_inventory(&args)?,
        audit: args.audit,
        reports: args.reports,
        out: args.out,
        overwrite: args.force,
        manifest_rows: args.manifest_rows,
        jobs: args.jobs.unwrap_or_else(default_jobs),
    };
    let result = reconcile(&options, &cancel)?;
    if !args.quiet {
        match args.format {
            Format::Text => print(render(&result, &options.out.to_string_lossy(), stdout_style()).as_bytes())?,
            Format::Json => print_with(|stdout| {
                serde_json::to_writer_pretty(&mut *stdout, &result)?;
                stdout.write_all(b"\n")
            })?,
        };
    }
    Ok(result.outcome.exit_code())
}

fn later_inventory(args: &ReconcileArgs) -> Result<Option<LaterInventory>, Failure> {
    if args.inventory.is_empty() {
        return Ok(None);
    }
    let (policy, _) = policy::load(args.policy.as_deref())?;
    let options = PlanOptions {
        run: args.run.clone(),
        accept_unproven: args.accept_unproven,
        schema: args.schema.clone(),
        checksums: Checksums::Verified,
    };
    Ok(Some(LaterInventory { sources: args.inventory.clone(), options, policy }))
}

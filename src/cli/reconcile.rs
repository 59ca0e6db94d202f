//! `reconcile`: reports of jobs against what an audit wanted done.

use logseal::reconcile::{LaterInventory, ReconcileError, ReconcileOptions, reconcile};
use logseal::report::render_reconciliation;
use logseal::work::default_jobs;

use super::Failure;
use super::args::ReconcileArgs;
use super::cancel_on_interrupt;
use super::policy;

impl From<ReconcileError> for Failure {
    fn from(error: ReconcileError) -> Self {
        Self::with_hint(&error, error.hint())
    }
}

pub(super) fn run(args: ReconcileArgs) -> Result<u8, Failure> {
    let cancel = cancel_on_interrupt();
    let has_inventory = !args.inventory.is_empty();
    // Without an inventory nothing is judged, but which versions the policy is about still matters.
    let mut policy = match has_inventory || args.policy.is_some() {
        true => Some(policy::load(args.policy.as_deref())?.0),
        false => None,
    };
    policy.iter_mut().for_each(|policy| args.evidence.assume(&mut policy.evidence));
    let inventory = LaterInventory {
        sources: args.inventory,
        options: args.reading.into_plan_options(),
        evidence: args.evidence.into_options(),
    };
    let options = ReconcileOptions {
        policy,
        inventory: has_inventory.then_some(inventory),
        accept_gone: args.accept_gone,
        audit: args.audit,
        reports: args.reports,
        out: args.out,
        overwrite: args.force,
        manifest_rows: args.manifest_rows,
        jobs: args.jobs.unwrap_or_else(default_jobs),
    };
    let result = reconcile(&options, &cancel)?;
    args.stdout.show(&result, |style| render_reconciliation(&result, &options.out.to_string_lossy(), style))?;
    Ok(result.outcome.exit_code())
}

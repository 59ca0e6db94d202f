//! `digests`: proof that CloudTrail logs are complete and untouched.

use logseal::audit::default_jobs;
use logseal::digests::{DigestsError, DigestsInventory, DigestsOptions, LogContents, Window, render, verify_digests};
use logseal::plan::{Checksums, PlanOptions};

use super::args::{DigestsArgs, Format};
use super::{Failure, cancel_on_interrupt, print, print_with, progress, say, stdout_style};

impl From<DigestsError> for Failure {
    fn from(error: DigestsError) -> Self {
        Self::with_hint(&error, error.hint())
    }
}

pub(super) fn run(args: DigestsArgs) -> Result<u8, Failure> {
    if args.since.zip(args.until).is_some_and(|(since, until)| since > until) {
        return Err(Failure::new("the window is empty: --since is after --until"));
    }
    let cancel = cancel_on_interrupt();
    let inventory = DigestsInventory {
        sources: args.inventory,
        options: PlanOptions {
            run: args.run,
            accept_unproven: args.accept_unproven,
            schema: args.schema,
            checksums: Checksums::Verified,
        },
    };
    let options = DigestsOptions {
        roots: args.roots,
        public_keys: args.public_keys,
        metadata: args.metadata,
        log_contents: if args.logs { LogContents::Hashed } else { LogContents::Ignored },
        window: Window { since: args.since, until: args.until },
        inventory: Some(inventory).filter(|inventory| !inventory.sources.is_empty()),
        out: args.out,
        overwrite: args.force,
        jobs: args.jobs.unwrap_or_else(default_jobs),
        memory: args.memory,
        temp_dir: args.temp_dir,
    };
    let bar = progress::Bar::open_ended("digests", args.no_progress || args.quiet);
    let summary = verify_digests(&options, &cancel, &bar);
    bar.finish();
    let summary = summary?;
    if !args.quiet {
        for list in &summary.public_keys {
            list.refused.iter().for_each(|why| say("warning", &format!("{}: left out: {why}", list.source)));
        }
        match args.format {
            Format::Text => print(render(&summary, &options.out.to_string_lossy(), stdout_style()).as_bytes())?,
            Format::Json => print_with(|stdout| {
                serde_json::to_writer_pretty(&mut *stdout, &summary)?;
                stdout.write_all(b"\n")
            })?,
        };
    }
    Ok(summary.outcome.exit_code())
}

//! Arguments to jobs, and what people see of them.
//!
//! Results go to stdout, everything else to stderr. The exit code is 0 for a pass, 1 for violations, 2 when the job could
//! not run and 3 for an incomplete result.

mod args;
mod digests;
mod explain;
mod pack;
mod policy;
mod progress;
mod reconcile;
mod report;
mod settings;
mod values;

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use logseal::audit::{
    AuditError, AuditOptions, CampaignOptions, RemediationOptions, SampleOptions, Summary, audit,
    merge::{MergeJobError, merge},
};
use logseal::campaign::{JobSettings, Prices};
use logseal::escape::{escape, harmless};
use logseal::generate::generate;
use logseal::partial::Rollups;
use logseal::plan::{Plan, PlanError, Shard};
use logseal::policy::Checker;
use logseal::report::{Style, render_audit};
use logseal::timestamp::Timestamp;
use logseal::work::{Cancel, WORKER_NAME, Watch, default_jobs};
use serde::Serialize;

use args::{AuditArgs, CampaignArgs, Cli, Command, Format, GenerateArgs, MergeArgs, Rollup, StdoutArgs};

/// The job could not run.
const COULD_NOT_RUN: u8 = 2;

/// Why a job could not run, for people.
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn with_hint(message: impl ToString, hint: Option<&str>) -> Self {
        Self { message: message.to_string(), hint: hint.map(str::to_owned) }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::with_hint(&error, error.hint())
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        Self::with_hint(&error, error.hint())
    }
}

impl From<MergeJobError> for Failure {
    fn from(error: MergeJobError) -> Self {
        match error {
            MergeJobError::Write(error) => error.into(),
            error => Self::with_hint(&error, error.hint()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(format!("cannot write to stdout: {error}"))
    }
}

/// Runs the command line and returns the exit code.
pub fn run() -> ExitCode {
    silence_workers();
    let code = match Cli::parse().command {
        Command::Audit(args) => run_audit(*args),
        Command::Digests(args) => digests::run(args),
        Command::Merge(args) => run_merge(args),
        Command::Reconcile(args) => reconcile::run(args),
        Command::Settings(args) => settings::run(*args),
        Command::Report(args) => report::run(args),
        Command::Pack(args) => pack::run(args),
        Command::VerifyPack(args) => pack::verify(args),
        Command::Explain(args) => explain::run(args),
        Command::Policy(args) => policy::run(args),
        Command::Generate(args) => run_generate(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "logseal", &mut script);
            print(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(Failure::from).and_then(|()| print(&page))
        }
    };
    ExitCode::from(code.unwrap_or_else(|failure| {
        say("error", &failure.message);
        failure.hint.iter().for_each(|hint| say("hint", hint));
        COULD_NOT_RUN
    }))
}

/// A panic in a worker becomes a fault of the unit and is reported as one.
fn silence_workers() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_worker = std::thread::current().name().is_some_and(|name| name.starts_with(WORKER_NAME));
        if !is_worker {
            usual(panic);
        }
    }));
}

/// Ctrl-C ends the job cleanly; a second one ends it at once.
fn cancel_on_interrupt() -> Cancel {
    let cancel = Cancel::default();
    let handler = cancel.clone();
    // Without a handler, Ctrl-C still ends the program.
    let _ = ctrlc::set_handler(move || {
        if handler.is_cancelled() {
            #[expect(clippy::exit, reason = "the second interrupt does not wait for anything")]
            std::process::exit(i32::from(COULD_NOT_RUN));
        }
        handler.cancel();
    });
    cancel
}

fn run_audit(args: AuditArgs) -> Result<u8, Failure> {
    let cancel = cancel_on_interrupt();
    let (mut policy, policy_source) = policy::load(args.policy.as_deref())?;
    args.evidence.assume(&mut policy.evidence);
    let as_of = args.as_of.unwrap_or_else(Timestamp::now);
    let checker = Checker::new(policy, as_of);
    let plan_options = args.sources.plan_options(args.accept_unproven, as_of);
    let checksums = plan_options.checksums;
    let plan = Plan::new(&args.sources.sources, &plan_options)?;
    if !args.stdout.quiet {
        warn(&plan, &checker);
    }
    let jobs = args.jobs.unwrap_or_else(default_jobs);
    let options = AuditOptions {
        out: args.out,
        overwrite: args.force,
        jobs,
        shard: args.shard,
        rollups: match args.rollup {
            Rollup::Full => Rollups::UpTo(args.max_groups),
            Rollup::None => Rollups::None,
        },
        allow_empty: args.allow_empty,
        checksums,
        policy_source: args.policy.as_deref().map_or(policy_source, file_name),
        remediation: RemediationOptions {
            manifest_rows: args.manifest_rows,
            includes_undetermined: args.remediate_undetermined,
            campaign: campaign_options(args.campaign)?,
        },
        evidence: args.evidence.into_options(),
        digests: args.digests.into_options(jobs)?,
        sample: SampleOptions { per_verdict: args.sample, seed: args.sample_seed },
        population: args.population.into_options().map_err(Failure::new)?,
    };
    let bytes = plan.units(options.shard.unwrap_or(Shard::WHOLE)).map(|unit| unit.size_hint()).sum();
    let bar = progress::Bar::new(bytes, args.no_progress || args.stdout.quiet);
    let summary = audit(&plan, &checker, &options, Watch { cancel: &cancel, progress: &bar });
    bar.finish();
    let summary = summary?;
    if !args.stdout.quiet {
        summary.digests.iter().for_each(digests::warn);
    }
    show(&summary, &options.out, &args.stdout)
}

/// The last part of a path, harmless to show: results do not tell where on a machine a file is.
pub(super) fn file_name(path: &Path) -> String {
    escape(path.file_name().unwrap_or(path.as_os_str()).as_encoded_bytes()).into_owned()
}

fn warn(plan: &Plan, checker: &Checker) {
    for source in plan.sources() {
        for run in &source.skipped_runs {
            say("warning", &format!("the newer run {run} has no manifest.checksum and is skipped"));
        }
        for fault in &source.faults {
            say("warning", &format!("{}: {fault}", source.display_path()));
        }
    }
    for exception in checker.expired_exceptions() {
        say("warning", &format!("the exception {} has expired and covers nothing", exception.id));
    }
}

fn campaign_options(args: CampaignArgs) -> Result<CampaignOptions, Failure> {
    let CampaignArgs { account_id, role_arn, manifest_location, report_location, prices } = args;
    let jobs = JobSettings { account_id, role_arn, manifest_location, report_location };
    let prices = match prices {
        None => Prices::built_in().map_err(|error| Failure::with_hint(&error, None))?,
        Some(path) => {
            let shown = escape(path.as_os_str().as_encoded_bytes()).into_owned();
            let text = std::fs::read_to_string(&path);
            let text = text.map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
            Prices::parse(&text).map_err(|error| Failure::new(format!("{shown}: {error}")))?
        }
    };
    Ok(CampaignOptions { jobs, prices })
}

fn run_merge(args: MergeArgs) -> Result<u8, Failure> {
    let cancel = cancel_on_interrupt();
    let campaign = campaign_options(args.campaign)?;
    let summary = merge(&args.folders, &args.out, args.force, &campaign, &cancel)?;
    show(&summary, &args.out, &args.stdout)
}

fn run_generate(args: &GenerateArgs) -> Result<u8, Failure> {
    let made = generate(&args.out, &args.options()).map_err(|error| Failure::with_hint(&error, error.hint()))?;
    for run in &made.runs {
        print(format!("{}\n", escape(run.as_os_str().as_encoded_bytes())).as_bytes())?;
    }
    Ok(0)
}

fn show(summary: &Summary, out: &Path, stdout: &StdoutArgs) -> Result<u8, Failure> {
    stdout.show(summary, |style| render_audit(summary, &out.to_string_lossy(), style))?;
    Ok(summary.outcome.exit_code())
}

impl StdoutArgs {
    /// Shows a result: the JSON that was written, or a text for people.
    fn show(&self, result: &impl Serialize, text: impl FnOnce(Style) -> String) -> Result<u8, Failure> {
        match self.format {
            _ if self.quiet => Ok(0),
            Format::Text => print(text(stdout_style()).as_bytes()),
            Format::Json => print_with(|stdout| {
                serde_json::to_writer_pretty(&mut *stdout, result)?;
                stdout.write_all(b"\n")
            }),
        }
    }
}

fn stdout_style() -> Style {
    let wants_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wants_colours && io::stdout().is_terminal() { Style::Coloured } else { Style::Plain }
}

/// Writes to stdout. Whoever stops reading has seen enough: the result counts all the same.
pub(crate) fn print(bytes: &[u8]) -> Result<u8, Failure> {
    print_with(|stdout| stdout.write_all(bytes))
}

/// The same for what is too long to be made at once.
fn print_with(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<u8, Failure> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(0),
    }
}

/// Writes a line to stderr; if that fails, there is nobody to tell.
pub(crate) fn say(what: &str, text: &str) {
    let _ = writeln!(io::stderr(), "{what}: {}", harmless(text));
}

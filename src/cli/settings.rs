//! `settings`: trails, destinations and keys from exported settings.

use std::fs;
use std::path::Path;

use logseal::escape::escape;
use logseal::policy::{Preset, Standard};
use logseal::report::render_settings;
use logseal::settings::{EXPORT_SCRIPT, Frameworks, SettingsError, SettingsOptions, settings};
use logseal::timestamp::Timestamp;
use logseal::work::{Watch, default_jobs};

use super::args::{SettingsArgs, SettingsCommand, SettingsRunArgs};
use super::cancel_on_interrupt;
use super::progress;
use super::{Failure, file_name, print};

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::with_hint(&error, error.hint())
    }
}

pub(super) fn run(args: SettingsArgs) -> Result<u8, Failure> {
    match args.command {
        Some(SettingsCommand::Script) => print(EXPORT_SCRIPT.as_bytes()),
        None => look(args.run),
    }
}

fn look(args: SettingsRunArgs) -> Result<u8, Failure> {
    let Some(out) = args.out else {
        return Err(Failure::with_hint("--out is missing", Some("--out DIR says where results go")));
    };
    let (standard, policy_source) = standard(args.policy.as_deref())?;
    let cancel = cancel_on_interrupt();
    let mut options = SettingsOptions::new(args.exports, out.clone(), policy_source)
        .map_err(|error| Failure::new(error.to_string()))?;
    options.overwrite = args.force;
    options.audit = args.audit;
    options.as_of = args.as_of.unwrap_or_else(Timestamp::now);
    options.undated = args.as_of_export;
    options.jobs = args.jobs.unwrap_or_else(default_jobs);
    if let Some(path) = &args.frameworks {
        options.frameworks =
            Frameworks::parse(&read(path)?).map_err(|error| Failure::new(format!("{}: {error}", shown(path))))?;
    }
    let bar = progress::Bar::open_ended("files", args.no_progress || args.stdout.quiet);
    let summary = settings(&standard, &options, Watch { cancel: &cancel, progress: &bar });
    bar.finish();
    let summary = summary?;
    args.stdout.show(&summary, |style| render_settings(&summary, &out.to_string_lossy(), style))?;
    Ok(summary.outcome.exit_code())
}

/// The standard of a file, or what CIS asks; and what reports call it.
pub(super) fn standard(file: Option<&Path>) -> Result<(Standard, String), Failure> {
    let Some(file) = file else {
        let text = Preset::Cis.to_toml(&[]).map_err(|error| Failure::new(error.to_string()))?;
        let standard = Standard::from_toml(&text).map_err(|error| Failure::new(error.to_string()))?;
        return Ok((standard, "preset:cis".to_owned()));
    };
    let standard = Standard::from_toml(&read(file)?).map_err(|error| {
        Failure::with_hint(
            format!("{}: {error}", shown(file)),
            Some("logseal policy init --preset cmk shows every field"),
        )
    })?;
    Ok((standard, file_name(file)))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::new(format!("cannot read {}: {error}", shown(path))))
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes()).into_owned()
}

//! Trails, their destinations and their keys, from exported settings.
//!
//! ```text
//! exports -> facts -> model -> checks -> rows, trails, decryptors -> output, summary
//! ```
//!
//! `exports` reads whatever people can export and says what each file states, with its time. `model` keeps every statement;
//! the newest that is not too old is what is so now (`observations`). `checks` hold the written standard against it. Nothing
//! is asked of AWS.

mod audited;
mod checks;
mod existence;
mod explain;
mod exports;
mod facts;
mod fixes;
mod frameworks;
mod model;
mod observations;
mod output;
mod summary;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub use explain::{ExplainSettingsError, ExplainedRow, explain_settings};
pub use frameworks::{Frameworks, FrameworksError};
pub use summary::{
    AccountCoverage, AccountLine, DecryptCounts, SETTINGS_SCHEMA, SettingsCoverage, SettingsExceptionLine,
    SettingsFault, SettingsFaultPlace, SettingsFigures, SettingsReason, SettingsSummary, SourceLine, StandardFacts,
    WorstRow,
};

use crate::policy::Standard;
use crate::sinks::OutputError;
use crate::source::GivenPaths;
use crate::timestamp::Timestamp;
use crate::work::{Crew, Stopped, Watch, lock};

use checks::{Judge, Judged};
use exports::{ExportFault, ExportFile, Found, ReadFile};
use model::{Model, SourceFault};
use observations::Clock;
use output::Results;

/// A script of `aws` commands that makes an export.
pub const EXPORT_SCRIPT: &str = include_str!("script.sh");

/// What is looked at, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SettingsOptions {
    /// Files and folders of exports.
    pub exports: Vec<PathBuf>,
    /// The folder of a finished audit of the objects, to hold against them.
    pub audit: Option<PathBuf>,
    /// Where results are written.
    pub out: PathBuf,
    /// Whether a finished result there is replaced.
    pub overwrite: bool,
    /// What results call the policy.
    pub policy_source: String,
    /// What "now" means.
    pub as_of: Timestamp,
    /// The time of exports that have none.
    pub undated: Option<Timestamp>,
    /// The controls that checks answer.
    pub frameworks: Frameworks,
    /// How many workers there are; nought is taken for one.
    pub jobs: usize,
}

impl SettingsOptions {
    /// As of now, with one worker for each core.
    pub fn new(
        exports: Vec<PathBuf>,
        out: impl Into<PathBuf>,
        policy_source: impl Into<String>,
    ) -> Result<Self, FrameworksError> {
        Ok(Self {
            exports,
            audit: None,
            out: out.into(),
            overwrite: false,
            policy_source: policy_source.into(),
            as_of: Timestamp::now(),
            undated: None,
            frameworks: Frameworks::built_in()?,
            jobs: crate::work::default_jobs(),
        })
    }
}

/// Why settings could not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A path that was given.
    #[error("cannot open the export: {}: {error}", path.display())]
    Export {
        /// As it was given.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        error: io::Error,
    },
    /// The workers stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Nothing could be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl SettingsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Export { .. } => Some("logseal settings script prints a script that makes an export"),
            Self::Stopped(_) => None,
            Self::Output(error) => error.hint(),
        }
    }
}

/// Holds a written standard against exported settings, and writes what was found.
pub fn settings(
    standard: &Standard,
    options: &SettingsOptions,
    watch: Watch<'_>,
) -> Result<SettingsSummary, SettingsError> {
    let mut looked = look(options, watch)?;
    let policy = &standard.settings;
    let clock = Clock { as_of: options.as_of, max_age: policy.max_age, undated: options.undated };
    let judged = Judge::new(&looked.model, policy, clock).judge();
    if watch.cancel.is_cancelled() {
        return Err(Stopped::Cancelled.into());
    }
    looked.faults.extend(not_asked(&judged));
    looked.faults.sort();
    let Looked { model, faults, passed_over } = looked;
    let fixes = fixes::fixes(&model, policy, clock, &judged);
    let summary = SettingsSummary::new(&model, &judged, standard, options, &faults, (fixes.len() as u64, passed_over));
    let to = (options.out.as_path(), options.overwrite);
    output::write(
        to,
        &Results {
            model: &model,
            judged: &judged,
            frameworks: &options.frameworks,
            faults: &faults,
            fixes: &fixes,
            summary: &summary,
        },
    )?;
    Ok(summary)
}

/// What the exports say.
struct Looked {
    model: Model,
    faults: Vec<SourceFault>,
    passed_over: u64,
}

fn look(options: &SettingsOptions, watch: Watch<'_>) -> Result<Looked, SettingsError> {
    let mut found = Found::default();
    for path in &options.exports {
        exports::walk(path, &mut found).map_err(|error| SettingsError::Export { path: path.clone(), error })?;
    }
    // Whatever the order in which exports are given, and however often.
    // A file of a dated folder that is also given by itself has the time of the folder.
    found.files.sort_by(|one, other| (&one.path, other.times).cmp(&(&other.path, one.times)));
    found.files.dedup_by(|one, other| one.path == other.path);
    let read = read_all(&found.files, options.jobs, watch)?;
    let given = GivenPaths::new(options.exports.iter().chain(&options.audit).map(PathBuf::as_path));
    let fault_of = |path: &Path, fault| SourceFault { path: given.name(path), fault };
    let mut model = Model::default();
    let mut faults: Vec<SourceFault> =
        found.skipped.into_iter().map(|skipped| fault_of(&skipped.path, skipped.fault)).collect();
    let mut passed_over = found.hidden;
    for (file, read) in found.files.iter().zip(read) {
        match read {
            Ok(read) if read.kind == exports::Kind::PassedOver => passed_over += 1,
            Ok(read) => model.take(given.name(&file.path), read),
            Err(fault) => faults.push(fault_of(&file.path, fault)),
        }
    }
    if let Some(folder) = &options.audit {
        match audited::read(folder) {
            Ok(audited) => model.take_audit(given.name(folder), audited),
            Err(fault) => faults.push(fault_of(folder, fault)),
        }
    }
    model.settle();
    model.sort();
    faults.append(&mut model.faults);
    Ok(Looked { model, faults, passed_over })
}

/// Reads all files, in their order.
fn read_all(
    files: &[ExportFile],
    jobs: usize,
    watch: Watch<'_>,
) -> Result<Vec<Result<ReadFile, ExportFault>>, SettingsError> {
    let read = Mutex::new(Vec::with_capacity(files.len()));
    let crew = Crew::<SettingsError>::new(jobs, watch.cancel);
    crew.each(
        files.len(),
        Vec::new,
        |mine: &mut Vec<_>, at| {
            let file = &files[at];
            let result = crate::work::caught(|| exports::read(file))
                .unwrap_or_else(|why| Err(ExportFault::new("export_reader_failed", why)));
            mine.push((at, result));
            watch.progress.advance(0, 1);
            Ok(())
        },
        |mine| {
            lock(&read).extend(mine);
            Ok(())
        },
    )?;
    let mut read = read.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    read.sort_by_key(|(at, _)| *at);
    Ok(read.into_iter().map(|(_, result)| result).collect())
}

/// What was asked in other places and not here.
fn not_asked(judged: &Judged) -> impl Iterator<Item = SourceFault> {
    judged.not_asked.iter().map(|(call, place)| {
        let place = match place.account.is_empty() {
            true => "the organisation".to_owned(),
            false => format!("account {}, {}", place.account, place.region),
        };
        let why = format!("{call} was asked elsewhere, and not of {place}");
        SourceFault { path: String::new(), fault: ExportFault::new("call_missing", why) }
    })
}

//! Finished results that are read back to be handed over: an audit, and what belongs to it.
//!
//! A report is made long after an audit and elsewhere, from the files of its folder alone. They may have been changed by hand,
//! be half there or be of another version. So everything that stands in two files is compared, and a result that does not
//! agree with itself is refused: nothing is made of it that looks better than it is.

mod agreement;
mod audit;
mod conduct;
mod lists;
mod others;

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::audit::AUDIT_SCHEMA;
use crate::escape::escape;
use crate::escape::hex::hex;
use crate::hashes::sha256::Sha256;
use crate::plan::Shard;
use crate::source;

pub(crate) use audit::{AuditResult, PlanResult, Tally, ToolResult};
pub(crate) use conduct::Conduct;
pub(crate) use lists::{FaultRow, SampleRow};
pub(crate) use others::{DigestsResult, ReconcileResult, SettingsResult};

/// The lists of an audit that are not read here, since they can be of any length.
const SUMMARY_FILE: &str = "summary.json";
/// How `reconcile` calls its summary.
const RECONCILE_FILE: &str = "reconcile.json";

/// A finished audit, and what was done beside it.
#[derive(Debug)]
pub struct Finished {
    /// What it came to.
    pub(crate) audit: AuditResult,
    /// The SHA-256 of `summary.json`, in hexadecimal.
    pub(crate) summary_sha256: String,
    /// The text of its policy.
    pub(crate) policy_text: String,
    /// How to put objects right.
    pub(crate) plan: PlanResult,
    /// The rows that were drawn to be looked up again.
    pub(crate) sample: Vec<SampleRow>,
    /// What could not be examined; not all of it, if there is very much.
    pub(crate) faults: Vec<FaultRow>,
    /// Whether the logs are whole, by their digests; the audit's own section, or another result.
    pub(crate) digests: Option<DigestsResult>,
    /// What the settings are.
    pub(crate) settings: Option<SettingsResult>,
    /// What became of the objects that were to be put right.
    pub(crate) reconciled: Option<ReconcileResult>,
}

/// Results to join to an audit: their folders.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// Of `digests`.
    pub digests: Option<PathBuf>,
    /// Of `settings`.
    pub settings: Option<PathBuf>,
    /// Of `reconcile`.
    pub reconciled: Option<PathBuf>,
}

/// Why nothing can be made of a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FinishedError {
    /// The folder holds no result, or a file of it is gone.
    #[error("{} is no finished {what}: it has no {file}", shown(folder))]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// Where.
        folder: PathBuf,
        /// What is not there.
        file: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}", shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{} is not what logseal wrote: {why}", shown(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It was made by a version whose results lack what a report needs.
    #[error("{} was made by logseal {version}, which did not keep all that a report needs", shown(folder))]
    OtherVersion {
        /// The folder.
        folder: PathBuf,
        /// Which version that was.
        version: String,
    },
    /// It is a part.
    #[error("{} is {shard}: it says nothing of the rest", shown(folder))]
    Part {
        /// The folder.
        folder: PathBuf,
        /// Which part.
        shard: Shard,
    },
    /// Two files of it do not agree, or one does not with itself.
    #[error("{} was changed after it was made: {difference}", shown(folder))]
    Disagrees {
        /// The folder.
        folder: PathBuf,
        /// Both places and what they say.
        difference: String,
    },
}

impl FinishedError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { what: "audit", .. } => Some("give the folder that `audit` or `merge` wrote"),
            Self::OtherVersion { .. } => Some("run the audit again with this version, then make the report"),
            Self::Part { .. } => Some("join all shards with `logseal merge` first"),
            Self::Disagrees { .. } | Self::Damaged { .. } => {
                Some("take the folder as `audit` wrote it, or audit again")
            }
            _ => None,
        }
    }
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes()).into_owned()
}

impl Finished {
    /// How the audit was done.
    pub(crate) fn conduct(&self) -> Conduct<'_> {
        Conduct::of(&self.audit)
    }

    /// Reads a finished audit and what is to be joined to it.
    pub fn read(folder: &Path, joined: &Joined) -> Result<Self, FinishedError> {
        let text = file_of("audit", folder, SUMMARY_FILE)?;
        let audit: AuditResult = result("audit", &folder.join(SUMMARY_FILE), &text, AUDIT_SCHEMA)?;
        if let Some(shard) = audit.shard {
            return Err(FinishedError::Part { folder: folder.to_owned(), shard });
        }
        let policy_text = file_of("audit", folder, "policy.toml")?;
        let plan = file_of("audit", folder, "remediation/plan.json")?;
        let (units, faults) = (lists::units(folder)?, lists::faults(folder)?);
        let sample = lists::sample(folder)?;
        let finished = Self {
            summary_sha256: hex(&Sha256::of(&text)),
            policy_text: String::from_utf8_lossy(&policy_text).into_owned(),
            plan: parsed(&folder.join("remediation/plan.json"), &plan)?,
            sample,
            faults: faults.first,
            digests: match &joined.digests {
                Some(folder) => Some(another("verification of digests", folder, others::DIGESTS_SCHEMA)?),
                None => audit.digests.clone(),
            },
            settings: optional("check of settings", joined.settings.as_deref(), others::SETTINGS_SCHEMA)?,
            reconciled: match &joined.reconciled {
                Some(folder) => Some(read_as("reconciliation", folder, RECONCILE_FILE, others::RECONCILE_SCHEMA)?),
                None => None,
            },
            audit,
        };
        if let Some(done) =
            finished.reconciled.as_ref().filter(|done| done.audit.summary_sha256 != finished.summary_sha256)
        {
            let difference = format!(
                "the reconciliation is of another audit: its summary.json has the SHA-256 {}, that of this audit {}",
                escape(done.audit.summary_sha256.as_bytes()),
                finished.summary_sha256
            );
            return Err(FinishedError::Disagrees { folder: folder.to_owned(), difference });
        }
        let lists = agreement::Lists {
            units,
            faults: faults.lines,
            policy_sha256: hex(&Sha256::of(&policy_text)),
            // A pack may leave them out, and has their groups.
            findings: if folder.join("groups.csv").exists() { None } else { lists::findings(folder)? },
        };
        let sources = lists::manifests(folder, &finished.audit)?;
        agreement::check(&finished, &lists, &sources)
            .map_err(|difference| FinishedError::Disagrees { folder: folder.to_owned(), difference })?;
        Ok(finished)
    }
}

fn optional<T: DeserializeOwned>(
    what: &'static str,
    folder: Option<&Path>,
    schema: &str,
) -> Result<Option<T>, FinishedError> {
    folder.map(|folder| another(what, folder, schema)).transpose()
}

fn another<T: DeserializeOwned>(what: &'static str, folder: &Path, schema: &str) -> Result<T, FinishedError> {
    read_as(what, folder, SUMMARY_FILE, schema)
}

fn read_as<T: DeserializeOwned>(
    what: &'static str,
    folder: &Path,
    file: &str,
    schema: &str,
) -> Result<T, FinishedError> {
    result(what, &folder.join(file), &file_of(what, folder, file)?, schema)
}

/// A result of a million groups has 300 MiB of summary; no other file that is read is as long.
const MAX_LEN: u64 = 512 << 20;

/// A file of a result.
fn file_of(what: &'static str, folder: &Path, name: &str) -> Result<Vec<u8>, FinishedError> {
    let path = folder.join(name);
    let facts = path.metadata();
    if facts.as_ref().is_ok_and(|facts| !facts.is_file() || facts.len() > MAX_LEN) {
        return Err(FinishedError::Damaged { path, why: "it is no file, or longer than 512 MiB".to_owned() });
    }
    facts.and_then(|_| source::read(&path)).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            FinishedError::Missing { what, folder: folder.to_owned(), file: name.to_owned() }
        }
        _ => FinishedError::Unreadable { path, source },
    })
}

fn parsed<T: DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T, FinishedError> {
    let damaged = |why: String| FinishedError::Damaged { path: path.to_owned(), why: crate::escape::harmless(&why) };
    serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))
}

/// What a `summary.json` must say before anything else of it is believed.
#[derive(serde::Deserialize)]
struct Head {
    schema: String,
    tool: Tool,
}

#[derive(serde::Deserialize)]
struct Tool {
    version: String,
}

/// A summary of one kind. One that lacks something, and is of another version, is not damaged.
fn result<T: DeserializeOwned>(what: &'static str, path: &Path, text: &[u8], schema: &str) -> Result<T, FinishedError> {
    let head: Head = parsed(path, text)?;
    if head.schema != schema {
        let why = format!("it is no {what}, but {}", escape(head.schema.as_bytes()));
        return Err(FinishedError::Damaged { path: path.to_owned(), why });
    }
    parsed(path, text).map_err(|error| match head.tool.version == env!("CARGO_PKG_VERSION") {
        true => error,
        false => FinishedError::OtherVersion {
            folder: path.parent().unwrap_or(path).to_owned(),
            version: escape(head.tool.version.as_bytes()).into_owned(),
        },
    })
}

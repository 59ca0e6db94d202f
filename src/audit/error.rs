//! Why an audit could not be done.

use std::path::PathBuf;

use crate::digests::DigestsError;
use crate::engine::EngineError;
use crate::evidence::EvidenceError;
use crate::population::PopulationError;
use crate::sinks::OutputError;
use crate::work::Stopped;

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
    /// The key evidence cannot be used.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The digests cannot be verified.
    #[error(transparent)]
    Digests(#[from] DigestsError),
    /// What is said of the population cannot be used.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// Nobody counts the accounts that are to be held against a list.
    #[error("without counts by account, accounts cannot be held against a list")]
    AccountsNotCounted,
    /// Somebody ended it early, or a worker stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A manifest is no longer what it was when the plan was made.
    #[error("the manifest was changed while the audit began: {}", .0.display())]
    SourceChanged(PathBuf),
    /// Every shard would verify all of them.
    #[error("digests cannot be verified with a shard")]
    DigestsOfShard,
}

impl AuditError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Output(error) | Self::Engine(EngineError::Output(error)) => error.hint(),
            Self::Digests(error) => error.hint(),
            Self::Population(error) => error.hint(),
            Self::AccountsNotCounted => Some("leave out --accounts, or --rollup none"),
            Self::DigestsOfShard => Some("verify them once, with `logseal digests`"),
            Self::SourceChanged(_) => Some("run the audit again when nobody writes to its folder"),
            Self::Engine(_) | Self::Evidence(_) | Self::Stopped(_) => None,
        }
    }
}

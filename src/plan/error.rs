//! Why there is nothing to examine, or not all of it.

use std::io;
use std::path::PathBuf;

use super::MadeFault;
use crate::batch::SchemaError;

/// Why there is nothing to examine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The path does not exist or cannot be looked at.
    #[error("cannot open the source: {}: {error}", path.display())]
    Open {
        /// The path.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A folder without a manifest and without runs.
    #[error("the folder holds neither a manifest.json nor runs named like 2026-01-04T01-00Z: {}", .0.display())]
    NoManifest(PathBuf),
    /// A folder of runs that holds a manifest as well.
    #[error("the folder holds both a manifest.json and dated runs, such as {run}: {}", path.display())]
    Ambiguous {
        /// The folder.
        path: PathBuf,
        /// One of its runs.
        run: String,
    },
    /// A folder of runs, none of which is complete.
    #[error("no run is complete (none has a manifest.checksum): {}", .0.display())]
    NoCompleteRun(PathBuf),
    /// The run that was asked for is not there.
    #[error("the folder has no run {run}: {}", path.display())]
    NoSuchRun {
        /// The folder of runs.
        path: PathBuf,
        /// The run.
        run: String,
    },
    /// A run was asked for, and the source is not a folder of runs.
    #[error("--run is for folders of dated runs, and this is none: {}", .0.display())]
    RunUnused(PathBuf),
    /// A file that is neither a manifest nor a data file.
    #[error("neither a manifest (.json) nor a data file (.csv, .csv.gz, .parquet, .orc): {}", .0.display())]
    UnknownFile(PathBuf),
    /// A data file without a manifest, where that was not allowed.
    #[error("a data file without its manifest does not prove that nothing is missing: {}", .0.display())]
    Unproven(PathBuf),
    /// A CSV file without a manifest, and nothing names its columns.
    #[error("nothing names the columns of a CSV file without a manifest: {}", .0.display())]
    NeedsSchema(PathBuf),
    /// The names given for the columns make no inventory.
    #[error("--schema: {0}")]
    Schema(#[from] SchemaError),
    /// Names for columns were given, and every source names its own.
    #[error("--schema is for CSV files without a manifest, and no source is one")]
    SchemaUnused,
    /// Two manifests are about one bucket: what both list would be counted twice.
    #[error("two manifests are about the bucket {bucket}: {} and {}", first.display(), second.display())]
    Overlap {
        /// The bucket.
        bucket: String,
        /// The manifest that was given first.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// Two manifests name the same files.
    #[error("two manifests name the same files, so the source is given twice: {} and {}", first.display(), second.display())]
    Copied {
        /// The manifest that was given first.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// Two arguments name the same source: its objects would be counted twice.
    #[error("the source is given twice: {}", .0.display())]
    Twice(PathBuf),
    /// More data files than can be numbered.
    #[error("more than {} data files", u32::MAX)]
    TooManyUnits,
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoManifest(_) => {
                Some("give the folder of one inventory configuration, a run in it, or its manifest.json")
            }
            Self::Ambiguous { .. } => {
                Some("give the manifest.json itself, or name a run with --run or by its own folder")
            }
            Self::NoCompleteRun(_) => Some("name one with --run to examine it as it is"),
            Self::Unproven(_) => {
                Some("give the manifest.json, or add --accept-unproven: the result is then never a pass")
            }
            Self::NeedsSchema(_) => {
                Some("name them with --schema \"Bucket, Key, ...\", as the manifest's fileSchema does")
            }
            Self::Overlap { .. } => {
                Some("give one report of each bucket, or add --accept-overlap if no object is in both")
            }
            _ => None,
        }
    }
}

/// Why a source cannot be examined as a whole, or is not proven to be what was delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceFault {
    /// The manifest cannot be read.
    #[error("the manifest cannot be read: {0}")]
    Unreadable(String),
    /// It is no manifest.
    #[error("the manifest makes no sense: {0}")]
    Malformed(String),
    /// It names no files.
    #[error("the manifest names no files")]
    Empty,
    /// It names a file twice.
    #[error("the manifest names a file twice: {0}")]
    FileTwice(String),
    /// There is nothing to compare it with.
    #[error("manifest.checksum is missing, so nothing proves the manifest")]
    NoChecksum,
    /// It is not what was delivered.
    #[error("the manifest does not match manifest.checksum")]
    Checksum,
    /// What there is to compare it with cannot be read.
    #[error("manifest.checksum cannot be read: {0}")]
    ChecksumUnreadable(String),
    /// The time at which it was made cannot be true.
    #[error("the manifest's creationTimestamp {0}")]
    Made(#[from] MadeFault),
    /// Its columns make no inventory.
    #[error("the manifest's fileSchema: {0}")]
    Schema(#[from] SchemaError),
}

impl SourceFault {
    /// The name of the fault in `faults.jsonl`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) | Self::ChecksumUnreadable(_) => "manifest_unreadable",
            Self::Made(_) => "manifest_time",
            Self::Malformed(_) => "manifest_malformed",
            Self::Empty => "manifest_empty",
            Self::FileTwice(_) => "manifest_file_twice",
            Self::NoChecksum => "manifest_checksum_missing",
            Self::Checksum => "manifest_wrong_checksum",
            Self::Schema(_) => "manifest_schema",
        }
    }

    /// Whether it leaves open which files there must be.
    pub(super) fn unproves(&self) -> bool {
        !matches!(self, Self::Made(_))
    }
}

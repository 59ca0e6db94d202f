//! Why a unit could not be examined: what is said of a file, whichever reader met it.

use crate::batch::SchemaError;
use crate::source::FileFault;

/// Why a unit could not be examined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnitFault {
    /// The file itself is at fault.
    #[error(transparent)]
    File(#[from] FileFault),
    /// The manifest's key leads out of the folder, by itself or through a link.
    #[error("it leads out of the folder that was given")]
    Outside,
    /// The manifest says too little to check it.
    #[error("the manifest does not say its {0}")]
    Unchecked(&'static str),
    /// No reader for this form of the format.
    #[error("this version cannot read {0} reports")]
    Format(&'static str),
    /// Its columns make no inventory.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A column has another type than inventories give it.
    #[error("the column {column} has the type {found}, and it should be {wanted}")]
    ColumnType {
        /// Its name in the file.
        column: String,
        /// What inventories give it.
        wanted: &'static str,
        /// What it has.
        found: String,
    },
    /// It lists changes and not objects.
    #[error("it is a journal table of S3 Metadata, which lists changes and not objects: give it with --key-evidence")]
    Journal,
    /// Its format is damaged.
    #[error("it cannot be decoded: {0}")]
    Decode(String),
    /// It holds fewer or more rows than it says.
    #[error("it says that it has {expected} rows, and {found} could be decoded")]
    RowCount {
        /// What it says.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// Our own mistake: the reader stopped in a way that it should not.
    #[error("the reader failed: {0}")]
    Panicked(String),
}

impl UnitFault {
    /// The name of the fault in `faults.jsonl`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(fault) => fault.code(),
            Self::Outside => "unit_outside",
            Self::Unchecked(_) => "unit_unchecked",
            Self::Format(_) => "unit_format",
            Self::Schema(_) | Self::ColumnType { .. } | Self::Journal => "unit_schema",
            Self::Decode(_) => "unit_damaged",
            Self::RowCount { .. } => "unit_row_count",
            Self::Panicked(_) => "unit_reader_failed",
        }
    }
}

//! What somebody says of the population beside the reports: how an inventory is configured, which accounts an organisation has,
//! how many objects a bucket holds.
//!
//! None of it is proven, so none of it can make a pass. It says more exactly what was covered; and where it contradicts a report,
//! one of both is not what it is taken for.

mod accounts;
mod configuration;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::escape::escape;
use crate::json;
use crate::plan::Plan;
use crate::source;
use crate::words::{count, number};

pub(crate) use accounts::SeenAccount;
pub use accounts::{AccountList, AccountState, ListedAccount, OrganizationAccount, OrganizationAccounts};
pub use configuration::{Contradiction, InventoryConfiguration, ListedVersions};

/// An answer has fewer bytes: a hundred thousand accounts have a third of this.
const MAX_LEN: u64 = 64 << 20;

/// What was said, as it was given.
#[derive(Clone, Debug, Default)]
pub struct PopulationOptions {
    /// Answers of `get-bucket-inventory-configuration` or `list-bucket-inventory-configurations`.
    pub configurations: Vec<ConfigurationFile>,
    /// Answers of `organizations list-accounts`.
    pub accounts: Vec<PathBuf>,
    /// How many objects buckets hold, as CloudWatch counts them.
    pub expected_objects: BTreeMap<String, u64>,
}

/// A file that says how inventories are configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationFile {
    /// The bucket that was asked, if somebody says so: the answer does not.
    pub bucket: Option<String>,
    /// The file.
    pub path: PathBuf,
}

/// What was said of everything that is audited. What was said of a source is with its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Population {
    /// The accounts of the organisation.
    pub accounts: Option<AccountList>,
    /// How many objects buckets hold; their names are escaped.
    pub expected_objects: BTreeMap<String, u64>,
}

/// How many objects a bucket should hold and how many are listed. CloudWatch counts parts of unfinished uploads as well, and as
/// well as it can: the difference is a figure, and no proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ExpectedObjects {
    /// The bucket, escaped.
    pub bucket: String,
    /// What was said that it holds.
    pub expected: u64,
    /// Rows of its reports: objects and delete markers.
    pub listed: u64,
    /// `listed - expected`.
    pub difference: i64,
}

impl ExpectedObjects {
    /// What was said of a bucket beside the rows of its reports.
    pub(crate) fn new(bucket: &str, expected: u64, listed: u64) -> Self {
        let difference = (i128::from(listed) - i128::from(expected)).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Self { bucket: bucket.to_owned(), expected, listed, difference }
    }

    /// The difference, for people.
    pub fn sentence(&self) -> String {
        let (differing, expected) = (self.difference.unsigned_abs(), number(self.expected));
        let rows = count(self.listed, "row is", "rows are");
        let difference = match self.difference {
            0 => "no more and no less".to_owned(),
            more if more > 0 => format!("{} more", number(differing)),
            _ => format!("{} less", number(differing)),
        };
        format!("{} should hold {expected} objects; {rows} listed: {difference}", self.bucket)
    }
}

/// Why something that was said cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PopulationError {
    /// A file cannot be read, or is something else.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A configuration is of no source.
    #[error("{}: no source is an inventory of this configuration: {configuration}", path.display())]
    NoSource {
        /// The file.
        path: PathBuf,
        /// What it configures.
        configuration: String,
    },
    /// A configuration can be of several buckets, or a source have several configurations.
    #[error("{}: it cannot be told which source it is about: {which}", path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// What fits.
        which: String,
    },
    /// Objects are expected in a bucket that no source is about.
    #[error("--expect-objects {0}: no source is an inventory of this bucket")]
    NoBucket(String),
}

impl PopulationError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoSource { .. } => Some("ask for the configuration that delivered the report, and leave out others"),
            Self::Ambiguous { .. } => Some("write BUCKET=FILE, with the bucket that was asked"),
            Self::File { .. } | Self::NoBucket(_) => None,
        }
    }
}

impl Population {
    /// Reads what was said; the second part is what was said of each source of the plan.
    pub fn read(
        options: &PopulationOptions,
        plan: &Plan,
    ) -> Result<(Self, Vec<Option<InventoryConfiguration>>), PopulationError> {
        let configurations = configuration::read(&options.configurations, plan)?;
        let has_bucket = |bucket: &String| plan.sources().iter().any(|source| source.bucket.as_ref() == Some(bucket));
        if let Some(bucket) = options.expected_objects.keys().find(|bucket| !has_bucket(bucket)) {
            return Err(PopulationError::NoBucket(escape(bucket.as_bytes()).into_owned()));
        }
        let accounts = AccountList::read(&options.accounts)?;
        let shown = |bucket: &String| escape(bucket.as_bytes()).into_owned();
        let expected_objects = options.expected_objects.iter().map(|(bucket, count)| (shown(bucket), *count)).collect();
        Ok((Self { accounts, expected_objects }, configurations))
    }
}

/// Reads an answer of the AWS command line.
fn read_answer<T: for<'de> Deserialize<'de>>(path: &Path, call: &str) -> Result<T, PopulationError> {
    let fault = |why: String| PopulationError::File { path: path.to_owned(), why };
    let text = source::read_up_to(path, MAX_LEN).map_err(|error| fault(error.to_string()))?;
    let text = source::unicode(&text);
    let value = json::parse(&text).map_err(|error| fault(error.to_string()))?;
    serde_json::from_value(value).map_err(|error| fault(format!("not what `aws {call}` answers: {error}")))
}

//! How an inventory is configured. A manifest does not say whether its report is filtered.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ConfigurationFile, PopulationError, read_answer};
use crate::batch::{Column, ColumnSet, Field};
use crate::escape::escape;
use crate::plan::{Format, Plan, Source, bucket_of_arn};

const CALL: &str = "s3api get-bucket-inventory-configuration";

/// How the inventory of a bucket is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InventoryConfiguration {
    /// Its id, escaped.
    pub id: String,
    /// Which versions it lists.
    pub versions: ListedVersions,
    /// It lists only objects whose keys begin like this, escaped; nothing if it lists the whole bucket.
    pub prefix: Option<String>,
    /// How often, as S3 says: `Daily` or `Weekly`.
    pub schedule: String,
    /// Whether new reports are made.
    pub is_enabled: bool,
    /// The optional fields that it asks for, escaped.
    pub fields: BTreeSet<String>,
    /// The format that it asks for, as S3 spells it.
    pub format: String,
}

/// Which versions of objects an inventory lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ListedVersions {
    /// All of them.
    #[serde(alias = "All")]
    All,
    /// The current ones.
    #[serde(alias = "Current")]
    Current,
}

/// What a configuration says and its report does not: one of both is of another time or another bucket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Contradiction {
    /// They have different formats.
    #[error("the configuration {id} asks for {configured}, the report is {format:?}")]
    Format {
        /// The configuration.
        id: String,
        /// What it asks for.
        configured: String,
        /// What the report is.
        format: Format,
    },
    /// They list different versions.
    #[error("the configuration {id} lists {configured}, the report {}", if *.has_version_id { "has version ids" } else { "has no version ids" })]
    Versions {
        /// The configuration.
        id: String,
        /// What it lists.
        configured: ListedVersions,
        /// Whether the report has a column for them.
        has_version_id: bool,
    },
    /// They have different fields.
    #[error("the configuration {id} asks for other fields than the report has: {}", .fields.join(", "))]
    Fields {
        /// The configuration.
        id: String,
        /// Those that only one of both has.
        fields: Vec<String>,
    },
}

impl fmt::Display for ListedVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all versions",
            Self::Current => "current versions only",
        })
    }
}

impl Contradiction {
    /// The name of its fault.
    pub const CODE: &str = "inventory_configuration";
}

impl InventoryConfiguration {
    /// What of the bucket is in its reports, and when there are new ones: `the whole bucket, all versions, Daily`.
    pub fn scope(&self) -> String {
        let of = match &self.prefix {
            None => "the whole bucket".to_owned(),
            Some(prefix) => format!("only keys that begin with {prefix}"),
        };
        let when = if self.is_enabled { &*self.schedule } else { "no new reports are made" };
        format!("{of}, {}, {when}", self.versions)
    }

    /// Where the report is not what this configures; `lacking` are the columns that some file of the report does not have.
    pub(crate) fn contradictions(&self, format: Format, lacking: Option<ColumnSet>) -> Vec<Contradiction> {
        let id = || self.id.clone();
        let mut found = Vec::new();
        if !self.format.eq_ignore_ascii_case(format.as_str()) {
            found.push(Contradiction::Format { id: id(), configured: self.format.clone(), format });
        }
        let Some(lacking) = lacking else { return found };
        let has_version_id = !lacking.contains(Column::VersionId);
        if has_version_id != (self.versions == ListedVersions::All) {
            found.push(Contradiction::Versions { id: id(), configured: self.versions, has_version_id });
        }
        let differs =
            |(name, column): &(&'static str, Column)| self.fields.contains(*name) == lacking.contains(*column);
        let fields: Vec<String> = optional_fields().filter(differs).map(|(name, _)| name.to_owned()).collect();
        if !fields.is_empty() {
            found.push(Contradiction::Fields { id: id(), fields });
        }
        found
    }
}

/// The fields of S3 Inventory that a configuration may ask for, as far as something depends on them.
fn optional_fields() -> impl Iterator<Item = (&'static str, Column)> {
    let always = [Column::Bucket, Column::Key, Column::VersionId, Column::IsLatest, Column::IsDeleteMarker];
    Field::of_inventory().filter(move |(_, column)| !always.contains(column) && !Column::SHOWN.contains(column))
}

/// An answer about one configuration, or about all of a bucket.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    inventory_configuration: Option<Configured>,
    inventory_configuration_list: Option<Vec<Configured>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configured {
    destination: Destination,
    is_enabled: bool,
    #[serde(default)]
    filter: Option<Filter>,
    id: String,
    included_object_versions: ListedVersions,
    #[serde(default)]
    optional_fields: BTreeSet<String>,
    schedule: Schedule,
}

#[derive(Deserialize)]
struct Destination {
    #[serde(rename = "S3BucketDestination")]
    bucket: BucketDestination,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BucketDestination {
    bucket: String,
    format: String,
    #[serde(default)]
    prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Schedule {
    frequency: String,
}

/// The configuration of each source, as far as one is given.
pub(super) fn read(
    files: &[ConfigurationFile],
    plan: &Plan,
) -> Result<Vec<Option<InventoryConfiguration>>, PopulationError> {
    let mut found = vec![None; plan.sources().len()];
    for file in files {
        let answer: Answer = read_answer(&file.path, CALL)?;
        let configured: Vec<Configured> = answer
            .inventory_configuration
            .into_iter()
            .chain(answer.inventory_configuration_list.into_iter().flatten())
            .collect();
        let mut is_used = false;
        for configured in &configured {
            is_used |= give(file, configured, plan, &mut found)?;
        }
        if !is_used {
            let configuration = match configured.as_slice() {
                [] => "it configures none".to_owned(),
                configured => configured.iter().map(Configured::name).collect::<Vec<_>>().join(", "),
            };
            return Err(PopulationError::NoSource { path: file.path.clone(), configuration });
        }
    }
    Ok(found)
}

/// Gives a configuration to the source that it is of; says whether there is one.
fn give(
    file: &ConfigurationFile,
    configured: &Configured,
    plan: &Plan,
    found: &mut [Option<InventoryConfiguration>],
) -> Result<bool, PopulationError> {
    let is_of = |source: &Source| {
        let is_asked = file.bucket.is_none() || source.bucket == file.bucket;
        is_asked && configured.made(source)
    };
    let fitting: Vec<usize> = (0..).zip(plan.sources()).filter(|(_, source)| is_of(source)).map(|(at, _)| at).collect();
    let ambiguous = |which: String| PopulationError::Ambiguous { path: file.path.clone(), which };
    let said = configured.said();
    // Several sources of one bucket are runs of one configuration.
    let buckets: BTreeSet<_> = fitting.iter().map(|at| &plan.sources()[*at].bucket).collect();
    if buckets.len() > 1 {
        let buckets = buckets.into_iter().flatten().map(|bucket| escape(bucket.as_bytes())).collect::<Vec<_>>();
        return Err(ambiguous(buckets.join(", ")));
    }
    for at in &fitting {
        if found[*at].as_ref().is_some_and(|other| *other != said) {
            return Err(ambiguous(format!("another file says something else of {}", plan.sources()[*at].name())));
        }
        found[*at] = Some(said.clone());
    }
    Ok(!fitting.is_empty())
}

impl Configured {
    /// Whether it can have made the report of a source, by where that was delivered.
    fn made(&self, source: &Source) -> bool {
        let Some(delivery) = source.delivery() else { return false };
        let to = &self.destination.bucket;
        let prefix: Vec<&str> = to.prefix.split('/').filter(|part| !part.is_empty()).collect();
        delivery.bucket == bucket_of_arn(&to.bucket) && delivery.configuration == self.id && delivery.prefix == prefix
    }

    fn name(&self) -> String {
        let Destination { bucket: to } = &self.destination;
        escape(format!("{} to {}/{}", self.id, to.bucket, to.prefix).as_bytes()).into_owned()
    }

    fn said(&self) -> InventoryConfiguration {
        let shown = |text: &str| escape(text.as_bytes()).into_owned();
        let prefix = self.filter.as_ref().map(|filter| filter.prefix.as_str()).filter(|prefix| !prefix.is_empty());
        InventoryConfiguration {
            id: shown(&self.id),
            versions: self.included_object_versions,
            prefix: prefix.map(shown),
            schedule: shown(&self.schedule.frequency),
            is_enabled: self.is_enabled,
            fields: self.optional_fields.iter().map(|field| shown(field)).collect(),
            format: shown(&self.destination.bucket.format),
        }
    }
}

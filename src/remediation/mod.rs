//! What puts violating objects right: the operation for each, the files that S3 Batch Operations takes, and a plan.
//!
//! [`choose`] finds the lane of one object. Objects that one job can put right are a [`Group`]; their rows are the files of
//! that group. [`jobs`] makes the requests that run such a file, [`commands`] are shell functions for them, a [`Script`]
//! copies what no job can, and [`readme`] tells people what to do with all of them.

mod commands;
mod counts;
mod decimal;
mod estimate;
mod group;
mod job;
mod lane;
mod permissions;
mod plan;
mod prices;
mod readme;
mod rows;
#[cfg(test)]
mod samples;
mod script;
mod settings;
mod targets;

pub use commands::commands;
pub use counts::Counts;
pub(crate) use decimal::grouped;
pub use decimal::{Decimal, Usd};
pub use estimate::{Cost, Duration, Estimate, Restore, RestoreTier, Term, Time, UsdBounds};
pub use group::{Group, GroupId, GroupKind, Groups, VersionState};
pub use job::{JobFacts, Operation, jobs};
pub use lane::{Holds, Lane, Lock, NoTarget, Retention, StorageClass, Stored, Target, TargetMethod, Why, choose};
pub use plan::{
    Blocked, Campaign, FileLine, Found, FreeLine, GroupLine, JobLine, LaneLine, Missing, MissingLine, NoteLine,
    PLAN_SCHEMA, PriceFacts, PriceLine, ReasonLine, Step, StepLine,
};
pub use prices::{Mistake, Prices, PricesError};
pub use readme::readme;
pub(crate) use rows::push_percent_encoded;
pub use rows::{LIST_HEADER, push_list_row, push_manifest_row};
pub use script::Script;
pub use settings::{JobSettings, RoleArn, S3Location, SettingError};
pub use targets::{Remedy, Targets};

/// A file with the rows of a group, as it was written.
#[derive(Clone, Debug)]
pub struct GroupFile {
    /// Whose rows they are.
    pub group: Group,
    /// Where it is in the folder of all remediation, with `/` between the parts.
    pub path: String,
    /// How many objects it lists.
    pub objects: u64,
    /// Its length in bytes.
    pub len: u64,
    /// The MD5 of its content, in hexadecimal: the ETag that S3 gives it when it is uploaded in one part without SSE-KMS.
    pub md5: String,
}

#[cfg(test)]
pub(crate) mod tests;

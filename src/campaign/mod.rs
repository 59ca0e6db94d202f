//! What people and S3 Batch Operations need to put violating objects right: values in, texts out.
//!
//! A [`Campaign`] is the plan: steps, what they cost and how long they take. `jobs` makes the requests that run a file of
//! rows, `commands` are shell functions for them, a `Script` copies what no job can, and `readme` tells people what to do
//! with all of them. What people and shells read is written in `readme.md`, `commands.sh` and `script.sh`.

mod commands;
mod decimal;
mod estimate;
mod job;
mod permissions;
mod plan;
mod prices;
mod readme;
#[cfg(test)]
mod samples;
mod script;
mod settings;
mod template;
#[cfg(test)]
pub(crate) mod tests;
mod text;

pub(crate) use commands::commands;
pub use decimal::{Decimal, Usd};
pub use estimate::{Cost, Duration, Estimate, Restore, RestoreTier, Term, Time, UsdBounds};
pub use job::Operation;
pub(crate) use job::{JobFacts, jobs};
pub use plan::{
    Blocked, Campaign, CampaignInput, FileLine, FreeLine, GroupLine, JobLine, LaneLine, Missing, MissingLine, NoteLine,
    PLAN_SCHEMA, PriceFacts, PriceLine, ReasonLine, Step, StepLine,
};
pub use prices::{Mistake, Prices, PricesError};
pub(crate) use readme::readme;
pub(crate) use script::Script;
pub use settings::{JobSettings, RoleArn, S3Location, SettingError};
pub use text::render_campaign;

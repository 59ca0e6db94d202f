//! What puts violating objects right.
//!
//! `choose` finds the lane of one object. Objects that one job can put right are a [`Group`]; their rows are the files of
//! that group.

mod counts;
mod group;
mod lane;
mod targets;

pub use counts::RemedyCounts;
pub use group::{Group, GroupKind, VersionState};
pub(crate) use group::{GroupId, Groups};
pub use lane::{ClassCell, Holds, Lane, NoTarget, Retention, StorageClass, Target, TargetMethod, Why};
pub(crate) use lane::{Lock, Stored};
pub(crate) use targets::{Remedy, Targets};

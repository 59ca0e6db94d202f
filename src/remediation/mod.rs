//! What puts violating objects right.
//!
//! [`choose`] finds the lane of one object. Objects that one job can put right are a [`Group`]; their rows are the files of
//! that group.

mod counts;
mod group;
mod lane;
mod targets;

pub use counts::Counts;
pub use group::{Group, GroupId, GroupKind, Groups, VersionState};
pub use lane::{Holds, Lane, Lock, NoTarget, Retention, StorageClass, Stored, Target, TargetMethod, Why, choose};
pub use targets::{Remedy, Targets};

//! Offline verification of stored log objects.
//!
//! `logseal` reads S3 Inventory reports, decides for every object whether it is encrypted the way a written policy
//! demands, and writes the evidence down. What it could not examine is said and counted, and is never a pass. Three kinds
//! of bad news are never mixed: a *verdict* is what was concluded about an object, a *fault* is something that could not be
//! examined, an *error* means that a job could not run.
//!
//! | who | takes |
//! | --- | --- |
//! | audits an inventory | [`plan::Plan`], [`policy::Policy`] and [`policy::Checker`], [`audit::audit`] and its [`audit::Summary`] |
//! | shares an audit among machines | [`plan::Shard`], [`audit::merge::merge`] |
//! | knows keys from elsewhere | [`evidence::EvidenceOptions`] |
//! | verifies CloudTrail digests | [`digests::verify_digests`] |
//! | looks at one object | [`explain::explain`] |
//! | looks at settings of trails, buckets and keys | [`settings::settings`], [`policy::Standard`] |
//! | evaluates policies of IAM | [`iam_policy::evaluate()`], [`iam_policy::reach()`] |
//! | carries out a campaign | [`campaign::Campaign`], and what an audit writes into `remediation/` |
//! | holds reports of jobs against an audit | [`reconcile::reconcile`] |
//! | shows results to people | [`report`] |
//! | judges objects from another source | [`policy::Checker::judge_object`] |
//! | only wants the rows | [`plan::Plan::units`], [`readers::UnitReader`], [`batch::Batch`] |
//! | makes test data | [`generate::generate`] |
//!
//! `ARCHITECTURE.md` in the repository says what stands on what, and where to add what.
//!
//! ```
//! use logseal::audit::{AuditOptions, audit};
//! use logseal::outcome::Outcome;
//! use logseal::plan::{Plan, PlanOptions};
//! use logseal::policy::{Checker, Preset};
//! use logseal::timestamp::Timestamp;
//! use logseal::work::{Cancel, NoProgress, Watch};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let out = folder.path().join("audit");
//! let plan = Plan::new(&["fixtures/example".into()], &PlanOptions::default())?;
//! let as_of = Timestamp::parse(b"2026-01-04T00:00:00Z").ok_or("a time")?;
//! let checker = Checker::new(Preset::default_policy()?, as_of);
//! let watch = Watch { cancel: &Cancel::default(), progress: &NoProgress };
//! let summary = audit(&plan, &checker, &AuditOptions::new(out, "preset:cis")?, watch)?;
//! assert_eq!(summary.outcome, Outcome::Violations);
//! println!("{} of {} objects", summary.counts.violation, summary.counts.objects);
//! # Ok(())
//! # }
//! ```

pub mod amounts;
pub mod assumptions;
pub mod audit;
pub mod batch;
pub mod campaign;
pub mod delivery;
pub mod digests;
pub mod engine;
pub mod escape;
pub mod evidence;
mod examine;
pub mod explain;
pub mod fault;
pub mod finished;
pub mod generate;
mod hashes;
pub mod iam_policy;
mod join;
pub mod json;
pub mod object_key;
pub mod outcome;
pub mod pack;
pub mod partial;
pub mod plan;
pub mod policy;
pub mod population;
pub mod readers;
pub mod reconcile;
pub mod remediation;
pub mod report;
pub mod rollup;
pub mod sample;
pub mod settings;
pub mod sinks;
pub mod source;
mod spans;
mod store;
#[cfg(test)]
mod tests;
pub mod timestamp;
mod words;
pub mod work;

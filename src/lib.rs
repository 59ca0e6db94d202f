//! Offline verification of stored log objects.
//!
//! `logseal` reads S3 Inventory reports, decides for every object whether it is encrypted the way a written policy
//! demands, and writes the evidence down. What it could not examine is said and counted, and is never a pass.
//!
//! ```text
//! manifest -> Plan -> Unit -> Part -> Batch -> Checker -> Ruling -> Partial -> merge -> Summary
//!             plan            readers batch    policy              partial             report
//!                                            /         \-> Finding -> Lane -> spool -> lists -> plan, jobs
//! other sources -> Statement -> join -> Fact               sinks   remediation  sinks        campaign
//!                  evidence
//! ```
//!
//! [`audit::audit`] runs all of it, with the workers of [`engine`]; [`audit::merge::merge`] joins what shards left;
//! [`explain::explain`] shows how one object fared; [`reconcile::reconcile`] holds the reports of jobs against what an
//! audit wanted done; [`digests::verify_digests`] proves with CloudTrail's digests that logs are complete and untouched.
//! Three kinds of bad news are never mixed: a *verdict* is what we concluded about an object, a *fault* is something that
//! we could not examine, an *error* means that we could not run.

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
pub mod generate;
mod hashes;
mod join;
pub mod object_key;
pub mod outcome;
pub mod partial;
pub mod plan;
pub mod policy;
pub mod readers;
pub mod reconcile;
pub mod remediation;
pub mod report;
pub mod rollup;
pub mod sinks;
pub mod source;
mod spans;
mod store;
pub mod timestamp;
mod words;
pub mod work;

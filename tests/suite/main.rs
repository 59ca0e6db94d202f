//! What a user of `logseal` can observe, a module for each theme.
//!
//! `delivery` makes inventory reports on disk, `audits` runs the command and reads what it wrote, `random` makes the
//! numbers that both live on. Everything happens in temporary folders and is the same on every run.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audits;
mod bucket;
mod campaigns;
mod cli;
mod damage;
mod delivery;
mod digests;
mod evidence;
mod evidence_files;
mod formats;
mod generate;
mod inventories;
mod layers;
mod log_delivery;
mod merge;
mod mirror_model;
mod oracle;
mod orc_file;
mod packs;
mod population;
mod random;
mod reconcile;
mod remediation;
mod reports;
mod rows;
mod sample;
mod script;
mod settings;
mod shards;
mod trail;

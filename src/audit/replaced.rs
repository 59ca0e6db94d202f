//! Files of other people that have the names of ours.
//!
//! A folder with results may hold other files, and `policy.toml` is what many would call their own policy. Only what an
//! earlier audit left behind is replaced.

use std::io::{self, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::publish::POLICY_FILE;
use crate::escape::hex::hex;
use crate::hashes::sha256::Sha256;
use crate::sinks::{OutputError, SUMMARY_FILE};
use crate::source;

/// What a summary says of its policy.
#[derive(Deserialize)]
struct OldSummary {
    policy: OldPolicy,
}

#[derive(Deserialize)]
struct OldPolicy {
    sha256: String,
}

/// Refuses a folder whose policy is none that an audit left there, unless it is the very one that is to be written.
pub(super) fn check(folder: &Path, policy_text: &str) -> Result<(), OutputError> {
    let path = folder.join(POLICY_FILE);
    let text = match source::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OutputError::Write { path, error }),
        Ok(text) => text,
    };
    let is_left = || old_policy(folder).is_some_and(|sha256| sha256 == hex(&Sha256::of(&text)));
    if text == policy_text.as_bytes() || is_left() { Ok(()) } else { Err(OutputError::NotOurs(path)) }
}

/// The SHA-256 of the policy of the audit that is in the folder.
fn old_policy(folder: &Path) -> Option<String> {
    let summary = BufReader::new(source::open(&folder.join(SUMMARY_FILE)).ok()?);
    let summary: OldSummary = serde_json::from_reader(summary).ok()?;
    Some(summary.policy.sha256)
}

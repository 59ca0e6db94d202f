//! Files of other people that have the names of ours.
//!
//! A folder with results may hold other files, and `policy.toml` is what many would call their own policy. Only what an
//! earlier audit left behind is replaced.

use std::fs::{self, DirEntry};
use std::io::{self, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::publish::POLICY_FILE;
use crate::escape::hex::hex;
use crate::hashes::sha256::Sha256;
use crate::plan::{MANIFEST, MANIFEST_CHECKSUM};
use crate::sinks::{OutputError, SOURCES, SUMMARY_FILE};
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

/// Refuses a folder with a policy that no audit left there, unless it is the very one that is to be written, or with
/// sources that no audit left there.
pub(super) fn check(folder: &Path, policy_text: &str) -> Result<(), OutputError> {
    check_sources(&folder.join(SOURCES))?;
    check_policy(folder, policy_text)
}

/// Inventories could be in a folder of that name.
fn check_sources(folder: &Path) -> Result<(), OutputError> {
    let names = |path: &Path| -> Result<Vec<String>, OutputError> {
        let name = |entry: io::Result<DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
        let names = fs::read_dir(path).and_then(|entries| entries.map(name).collect());
        match names {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            names => names.map_err(|error| OutputError::Write { path: path.to_owned(), error }),
        }
    };
    for number in names(folder)? {
        let path = folder.join(&number);
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || names(&path)?.iter().any(|name| ![MANIFEST, MANIFEST_CHECKSUM].contains(&name.as_str())) {
            return Err(OutputError::NotOurs(path));
        }
    }
    Ok(())
}

fn check_policy(folder: &Path, policy_text: &str) -> Result<(), OutputError> {
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

//! Objects that are put right together: the rows of one list, and what it is called.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::lane::{Lane, StorageClass, Target, TargetMethod};
use crate::escape::{hex::hex, unescape};
use crate::hashes::sha256::Sha256;
use crate::work::lock;

/// What the objects of a list have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Group {
    /// What they have in common beside the bucket.
    #[serde(flatten)]
    pub kind: GroupKind,
    /// The bucket's name, escaped.
    pub bucket: String,
}

/// What the objects of a list have in common beside their bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKind {
    /// How they are put right.
    pub lane: Lane,
    /// Of copies: whether they are noncurrent versions, which must be copied first.
    pub version: Option<VersionState>,
    /// Of copies: their storage class, which a job sets for all of its objects.
    pub class: Option<StorageClass>,
    /// What they should become, where an operation sets it.
    pub target: Option<Target>,
    /// Whether each row names a version.
    pub has_versions: bool,
    /// Whether they are not known to violate the policy, and are put right to be sure.
    pub is_undetermined: bool,
}

/// Which version of an object it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum VersionState {
    /// Copied first, since each copy becomes the current version.
    Noncurrent,
    /// Copied last.
    Current,
}

/// The number of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct GroupId(u32);

/// The groups that have been met so far, by number. Workers share it.
#[derive(Debug, Default)]
pub(crate) struct Groups(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    groups: Vec<Group>,
    ids: HashMap<Group, GroupId>,
}

impl GroupKind {
    /// The objects of a bucket, whose name is escaped.
    pub fn of_bucket(self, bucket: &str) -> Group {
        Group { kind: self, bucket: bucket.to_owned() }
    }
}

impl Groups {
    /// So many groups there are at most. Only who lists rows of many buckets without a manifest can have more.
    pub(crate) const MAX: usize = 10_000;

    /// The number of a group; nothing if there are too many.
    pub(crate) fn id(&self, group: Group) -> Option<GroupId> {
        let Known { groups, ids } = &mut *lock(&self.0);
        if let Some(id) = ids.get(&group) {
            return Some(*id);
        }
        let id = GroupId(u32::try_from(groups.len()).ok().filter(|_| groups.len() < Self::MAX)?);
        groups.push(group.clone());
        ids.insert(group, id);
        Some(id)
    }

    /// The group of a number that was given out.
    pub(crate) fn get(&self, id: GroupId) -> Group {
        lock(&self.0).groups[id.0 as usize].clone()
    }
}

impl Group {
    /// The folder of its files inside the folder of all remediation. Whoever names buckets does not choose where files go.
    pub fn folder(&self) -> String {
        format!("{}/{}", self.kind.lane.as_str(), folder_of_bucket(&self.bucket))
    }

    /// How the names of its files begin.
    pub fn stem(&self) -> String {
        let mut parts = Vec::new();
        match self.kind.version {
            Some(VersionState::Noncurrent) => parts.push("1-noncurrent"),
            Some(VersionState::Current) => parts.push("2-current"),
            None => {}
        }
        parts.extend(self.kind.class.map(StorageClass::as_str));
        if let Some(target) = self.kind.target {
            parts.push(match (target.method, target.bucket_key) {
                (TargetMethod::SseKms, true) => "sse-kms-bucket-key",
                (TargetMethod::SseKms, false) => "sse-kms",
                (TargetMethod::DsseKms, _) => "dsse-kms",
                (TargetMethod::SseS3, _) => "sse-s3",
            });
        }
        if self.kind.is_undetermined {
            parts.push("undetermined");
        }
        if self.kind.lane.has_manifests() && !self.kind.has_versions {
            parts.push("no-versions");
        }
        if parts.is_empty() { "objects".to_owned() } else { parts.join("-") }
    }
}

/// A bucket's own name where that is harmless as the name of a folder, else one that stands for it.
fn folder_of_bucket(bucket: &str) -> String {
    let is_harmless = bucket.len() <= 63
        && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && bucket.starts_with(|first: char| first.is_ascii_alphanumeric());
    if is_harmless {
        return bucket.to_owned();
    }
    let name = unescape(bucket).unwrap_or_default();
    format!("_{}", &hex(&Sha256::of(name))[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_do_not_choose_where_files_go() {
        assert_eq!(folder_of_bucket("org-audit.logs"), "org-audit.logs");
        for odd in ["", ".", "..", "../x", "a/b", "-rf", "_x", "a\\x00", "ü", &"b".repeat(64)] {
            let folder = folder_of_bucket(odd);
            assert!(folder.len() == 33 && folder.starts_with('_'), "{odd}: {folder}");
        }
    }
}

//! What the objects of each rule should become.

use super::group::{GroupKind, VersionState};
use super::lane::{Lane, NoTarget, StorageClass, Stored, Target, Why, choose};
use crate::batch::Flag;
use crate::policy::{Policy, Reason, Ruling, Status, Verdict};
use crate::timestamp::Timestamp;

/// What the objects of each rule should become, and which objects should become anything at all.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    by_rule: Vec<Result<Target, NoTarget>>,
    as_of: Timestamp,
    includes_undetermined: bool,
    has_remediation: bool,
}

/// How an object is put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remedy {
    /// What it has in common with the others of its list.
    pub(crate) kind: GroupKind,
    /// Why it is in its lane.
    pub(crate) why: Why,
}

impl Remedy {
    /// What becomes of an object whose policy says nothing about it.
    fn without_remediation(ruling: &Ruling) -> Option<Self> {
        let kind = GroupKind {
            lane: Lane::NoTarget,
            version: None,
            class: None,
            target: None,
            has_versions: true,
            is_undetermined: false,
        };
        let why = Why::NoTarget(NoTarget::NoRemediation);
        (ruling.verdict == Verdict::Violation).then_some(Self { kind, why })
    }
}

impl Targets {
    /// What a policy says. `includes_undetermined` is whether objects whose key is not known are put right, too, where
    /// doing so twice does no harm.
    pub(crate) fn new(policy: &Policy, as_of: Timestamp, includes_undetermined: bool) -> Self {
        let remediation = policy.remediation.as_ref();
        Self {
            by_rule: policy.rules.iter().map(|rule| Target::of(Some(rule), remediation)).collect(),
            as_of,
            includes_undetermined,
            has_remediation: remediation.is_some(),
        }
    }

    /// Whether the policy says anything about remediation. If not, no list would tell more than the findings do.
    pub(crate) fn has_remediation(&self) -> bool {
        self.has_remediation
    }

    /// How an object is put right; nothing for one that is not to be. `has_versions` is whether its report tells versions
    /// apart.
    pub(crate) fn remedy(
        &self,
        ruling: &Ruling,
        stored: &Stored<'_>,
        is_latest: Flag,
        has_versions: bool,
    ) -> Option<Remedy> {
        let is_undetermined = ruling.verdict == Verdict::Undetermined;
        if !self.has_remediation {
            return Remedy::without_remediation(ruling);
        }
        if !(ruling.verdict == Verdict::Violation || is_undetermined && self.can_repeat(ruling, stored.status)) {
            return None;
        }
        let target = match ruling.rule {
            Some(rule) => self.by_rule[rule.as_index()],
            None => Err(NoTarget::NoRule),
        };
        let (lane, why) = choose(target, stored, self.as_of);
        if is_undetermined && lane != Lane::UpdateEncryption {
            return None;
        }
        let is_copied = matches!(lane, Lane::Copy | Lane::RestoreThenCopy);
        let version = if is_latest == Flag::False { VersionState::Noncurrent } else { VersionState::Current };
        let kind = GroupKind {
            lane,
            version: is_copied.then_some(version),
            class: is_copied.then(|| StorageClass::parse(stored.storage_class)),
            target: target.ok().filter(|_| is_copied || matches!(lane, Lane::UpdateEncryption | Lane::MultipartCopy)),
            has_versions: has_versions || !lane.has_manifests(),
            is_undetermined,
        };
        Some(Remedy { kind, why })
    }

    /// Whether an object that may be right already can be put right again.
    fn can_repeat(&self, ruling: &Ruling, status: Status) -> bool {
        let is_about_key = matches!(
            ruling.reason,
            Some(
                Reason::KeyUnknown | Reason::KeyEvidenceStale | Reason::KeyEvidenceConflict | Reason::BucketKeyUnknown
            )
        );
        self.includes_undetermined && is_about_key && status == Status::SseKms
    }
}

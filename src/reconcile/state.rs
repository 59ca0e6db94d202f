//! What is known of one object, in 32 bits, and what follows from it for its lane.

use serde::Serialize;

use crate::policy::Verdict;
use crate::remediation::Lane;

/// What a job does to objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `S3UpdateObjectEncryption`.
    Update,
    /// `S3PutObjectCopy`.
    Copy,
    /// `S3InitiateRestoreObject`.
    Restore,
    /// Nothing says what it does.
    Unknown,
    /// Something that puts no object right.
    Other,
}

impl Operation {
    /// The operation of a name of the S3 Control API.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "S3UpdateObjectEncryption" => Self::Update,
            "S3PutObjectCopy" => Self::Copy,
            "S3InitiateRestoreObject" => Self::Restore,
            _ => Self::Other,
        }
    }

    /// Those that tell something about objects of manifests.
    const TELLING: [Self; 4] = [Self::Update, Self::Copy, Self::Restore, Self::Unknown];
}

/// One thing that was found about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// A job says that it succeeded.
    Succeeded(Operation),
    /// A job says that it failed, and why.
    Failed(Operation, FailureId),
    /// What the later inventory says of it.
    Judged(Verdict),
}

/// The number of a reason for failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FailureId(pub(super) u16);

/// Everything that was found about an object: which operations succeeded (4 bits), which failed (4 bits), how it was
/// judged (4 bits), and, in the upper half, one more than the number of its first failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State(u32);

const FAILED: u32 = 4;
const JUDGED: u32 = 8;
const FAILURE: u32 = 16;

impl State {
    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// The same, and something more.
    pub(super) fn with(self, evidence: Evidence) -> Self {
        let bit = |operation| Operation::TELLING.iter().position(|&telling| telling == operation);
        Self(match evidence {
            Evidence::Succeeded(operation) => self.0 | bit(operation).map_or(0, |bit| 1 << bit),
            Evidence::Failed(operation, FailureId(failure)) => {
                let failed = bit(operation).map_or(0, |bit| 1 << (bit as u32 + FAILED));
                let first = if self.0 >> FAILURE == 0 { (u32::from(failure) + 1) << FAILURE } else { 0 };
                self.0 | failed | first
            }
            Evidence::Judged(verdict) => self.0 | judged_bit(verdict),
        })
    }

    fn succeeded(self, operation: Operation) -> bool {
        Self::default().with(Evidence::Succeeded(operation)).0 & self.0 != 0
    }

    fn failed(self, operation: Operation) -> bool {
        self.succeeded_or_failed_bits() >> FAILED & Self::default().with(Evidence::Succeeded(operation)).0 != 0
    }

    fn succeeded_or_failed_bits(self) -> u32 {
        self.0 & 0xff
    }

    /// Why it failed first, if it ever did.
    pub(super) fn failure(self) -> Option<FailureId> {
        (self.0 >> FAILURE).checked_sub(1).map(|failure| FailureId(failure as u16))
    }

    /// What the reports come to for an object of a lane.
    pub(super) fn progress(self, lane: Lane) -> Progress {
        let own = if lane == Lane::UpdateEncryption { Operation::Update } else { Operation::Copy };
        let is_restored_first = lane == Lane::RestoreThenCopy;
        let done = self.succeeded(own) || (!is_restored_first && self.succeeded(Operation::Unknown));
        let failed = self.failed(own) || self.failed(Operation::Unknown);
        match () {
            () if done => Progress::Succeeded,
            () if failed => Progress::Failed,
            () if !is_restored_first => Progress::NeverAttempted,
            // The copy may have been done: nothing says which of the two jobs it was.
            () if self.succeeded(Operation::Unknown) => Progress::UnknownOperation,
            () if self.succeeded(Operation::Restore) => Progress::Restored,
            () if self.failed(Operation::Restore) => Progress::Failed,
            () => Progress::NeverAttempted,
        }
    }

    /// Whether it failed before it succeeded, or the other way round.
    pub(super) fn is_retried(self, lane: Lane) -> bool {
        self.progress(lane) == Progress::Succeeded && self.failure().is_some()
    }

    /// How the later inventory shows it; the worst of all its rows. Nothing if it is not there.
    pub(super) fn verdict(self) -> Option<Verdict> {
        let order = [Verdict::Violation, Verdict::Undetermined, Verdict::Compliant, Verdict::OutOfScope];
        order.into_iter().find(|verdict| self.0 & judged_bit(*verdict) != 0)
    }
}

/// An exception does not make an object right.
fn judged_bit(verdict: Verdict) -> u32 {
    let bit = match verdict {
        Verdict::Violation | Verdict::Excepted => 0,
        Verdict::Undetermined => 1,
        Verdict::Compliant => 2,
        Verdict::OutOfScope => 3,
    };
    1 << (bit + JUDGED)
}

/// What the reports come to for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It was put right.
    Succeeded,
    /// It was attempted, and never with success.
    Failed,
    /// It is restored, and its copy has not been attempted.
    Restored,
    /// A job succeeded, and nothing says whether it restored or copied.
    UnknownOperation,
    /// No report is about it.
    NeverAttempted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Evidence::{Failed, Succeeded};
    use Operation::{Copy, Other, Restore, Unknown, Update};

    fn state(evidence: &[Evidence]) -> State {
        evidence.iter().fold(State::default(), |state, &evidence| state.with(evidence))
    }

    #[test]
    fn success_in_any_report_wins() {
        let (first, second) = (FailureId(3), FailureId(4));
        for lane in [Lane::UpdateEncryption, Lane::Copy] {
            let own = if lane == Lane::Copy { Copy } else { Update };
            for operation in [own, Unknown] {
                let failed = state(&[Failed(operation, first), Failed(operation, second)]);
                assert_eq!((failed.progress(lane), failed.failure()), (Progress::Failed, Some(first)));
                for order in [[0, 1], [1, 0]] {
                    let retried = state(&order.map(|at| [Failed(operation, first), Succeeded(operation)][at]));
                    assert_eq!(retried.progress(lane), Progress::Succeeded);
                    assert!(retried.is_retried(lane));
                }
            }
            for operation in [Restore, Other, if lane == Lane::Copy { Update } else { Copy }] {
                assert_eq!(state(&[Succeeded(operation)]).progress(lane), Progress::NeverAttempted, "{operation:?}");
            }
        }
    }

    #[test]
    fn a_restored_object_is_not_copied() {
        let progress = |evidence: &[Evidence]| state(evidence).progress(Lane::RestoreThenCopy);
        let failure = FailureId(0);
        assert_eq!(progress(&[]), Progress::NeverAttempted);
        assert_eq!(progress(&[Succeeded(Restore)]), Progress::Restored);
        assert_eq!(progress(&[Failed(Restore, failure)]), Progress::Failed);
        assert_eq!(progress(&[Failed(Restore, failure), Succeeded(Restore)]), Progress::Restored);
        assert_eq!(progress(&[Succeeded(Restore), Failed(Copy, failure)]), Progress::Failed);
        assert_eq!(progress(&[Succeeded(Unknown)]), Progress::UnknownOperation);
        assert_eq!(progress(&[Succeeded(Unknown), Failed(Unknown, failure)]), Progress::Failed);
        assert_eq!(progress(&[Succeeded(Restore), Succeeded(Copy)]), Progress::Succeeded);
    }

    #[test]
    fn the_worst_row_of_an_inventory_counts() {
        use Verdict::{Compliant, Excepted, OutOfScope, Undetermined, Violation};
        let verdict = |verdicts: &[Verdict]| {
            state(&verdicts.iter().map(|verdict| Evidence::Judged(*verdict)).collect::<Vec<_>>()).verdict()
        };
        assert_eq!(verdict(&[]), None);
        assert_eq!(verdict(&[Compliant, OutOfScope]), Some(Compliant));
        assert_eq!(verdict(&[Compliant, Undetermined]), Some(Undetermined));
        assert_eq!(verdict(&[Excepted, Undetermined]), Some(Violation));
    }
}

//! What is known of one object, in 32 bits, and what follows from it for its list.

use crate::policy::Verdict;

/// One thing that was found about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// A job that does what the object's list asks for says that it succeeded; `is_last` if it began after everything
    /// else that is known to have been done to objects.
    Done { is_last: bool },
    /// Such a job says that it failed, and why.
    Failed(FailureId),
    /// A job says that it asked for the object to be restored.
    Restored,
    /// A job says that it could not.
    NotRestored(FailureId),
    /// A job of which nothing is known says that it succeeded.
    UnknownDone,
    /// A job of which nothing is known says that it failed.
    UnknownFailed,
    /// A job that does something else may have changed how the object is stored.
    Changed,
    /// What the later inventory says of it.
    Judged(Verdict),
}

/// The number of a reason for failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FailureId(pub(super) u16);

/// Everything that was found about an object: what jobs said (7 bits), how it was judged (4 bits from the 9th on), and, in
/// the upper half, one more than the number of its first failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State(u32);

const DONE: u32 = 1;
const FAILED: u32 = 1 << 1;
const RESTORED: u32 = 1 << 2;
const NOT_RESTORED: u32 = 1 << 3;
const UNKNOWN_DONE: u32 = 1 << 4;
const UNKNOWN_FAILED: u32 = 1 << 5;
const CHANGED: u32 = 1 << 6;
const JUDGED: u32 = 8;
const FAILURE: u32 = 16;

impl State {
    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// The same, and something more. Evidence comes in the order of its reports.
    pub(super) fn with(self, evidence: Evidence) -> Self {
        Self(match evidence {
            // Whatever was done before it does not matter any more.
            Evidence::Done { is_last: true } => self.0 & !(UNKNOWN_DONE | CHANGED) | DONE,
            Evidence::Done { is_last: false } => self.0 | DONE,
            Evidence::Failed(failure) => self.0 | FAILED | self.first(failure),
            Evidence::Restored => self.0 | RESTORED,
            Evidence::NotRestored(failure) => self.0 | NOT_RESTORED | self.first(failure),
            Evidence::UnknownDone => self.0 | UNKNOWN_DONE,
            Evidence::UnknownFailed => self.0 | UNKNOWN_FAILED,
            Evidence::Changed => self.0 | CHANGED,
            Evidence::Judged(verdict) => self.0 | judged_bit(verdict),
        })
    }

    /// What is known of an object that may be one of several: it is right only if all of them are.
    pub(super) fn of_all(states: impl Iterator<Item = Self>) -> Self {
        let (mut bits, mut is_missing) = (0, false);
        for state in states {
            is_missing |= state.verdict().is_none();
            bits |= state.0;
        }
        let is_wrong = bits & judged_bit(Verdict::Violation) != 0;
        Self(if is_missing && !is_wrong { bits & !(0xf << JUDGED) } else { bits })
    }

    /// The same without what jobs said: none of them is about it.
    pub(super) fn without_jobs(self) -> Self {
        Self(self.0 & (0xf << JUDGED))
    }

    fn first(self, FailureId(failure): FailureId) -> u32 {
        if self.0 >> FAILURE == 0 { (u32::from(failure) + 1) << FAILURE } else { 0 }
    }

    fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    /// Why it failed first, if it ever did.
    pub(super) fn failure(self) -> Option<FailureId> {
        (self.0 >> FAILURE).checked_sub(1).map(|failure| FailureId(failure as u16))
    }

    /// What the reports come to.
    pub(super) fn progress(self) -> Progress {
        match () {
            // A job of which nothing is known may have undone what another did, or done what it should.
            () if self.has(UNKNOWN_DONE) => Progress::UnknownOperation,
            () if self.has(DONE) && self.has(CHANGED) => Progress::ChangedSince,
            () if self.has(DONE) => Progress::Succeeded,
            () if self.has(FAILED) => Progress::Failed,
            () if self.has(RESTORED) => Progress::Restored,
            () if self.has(NOT_RESTORED) => Progress::Failed,
            () if self.has(UNKNOWN_FAILED) => Progress::UnknownOperation,
            () => Progress::NeverAttempted,
        }
    }

    /// Whether it failed before it succeeded, or the other way round.
    pub(super) fn is_retried(self) -> bool {
        self.progress() == Progress::Succeeded && self.failure().is_some()
    }

    /// How the later inventory shows it; the worst of all its rows. Nothing if it is not there.
    pub(super) fn verdict(self) -> Option<Verdict> {
        let order = [Verdict::Violation, Verdict::Undetermined, Verdict::Compliant, Verdict::OutOfScope];
        order.into_iter().find(|verdict| self.has(judged_bit(*verdict)))
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
    /// A job that does what is asked for says so.
    Succeeded,
    /// It was attempted, and never with success.
    Failed,
    /// It is restored, and its copy has not been attempted.
    Restored,
    /// Nothing says what a job did to it.
    UnknownOperation,
    /// It was put right, and another job may have changed it since.
    ChangedSince,
    /// No report that counts is about it.
    NeverAttempted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Evidence::{Changed, Done, Failed, Judged, NotRestored, Restored, UnknownDone, UnknownFailed};

    const LATER: Evidence = Done { is_last: true };
    const SOMETIME: Evidence = Done { is_last: false };
    const FIRST: Evidence = Failed(FailureId(3));
    const SECOND: Evidence = Failed(FailureId(4));

    fn state(evidence: &[Evidence]) -> State {
        evidence.iter().fold(State::default(), |state, &evidence| state.with(evidence))
    }

    #[test]
    fn success_in_any_report_wins_over_failures() {
        let failed = state(&[FIRST, SECOND]);
        assert_eq!((failed.progress(), failed.failure()), (Progress::Failed, Some(FailureId(3))));
        for order in [[FIRST, SOMETIME], [SOMETIME, FIRST]] {
            assert_eq!(state(&order).progress(), Progress::Succeeded);
            assert!(state(&order).is_retried());
        }
        assert!(!state(&[SOMETIME]).is_retried());
    }

    #[test]
    fn what_other_jobs_did_counts_unless_it_was_before() {
        let progress = |evidence: &[Evidence]| state(evidence).progress();
        assert_eq!(progress(&[UnknownDone]), Progress::UnknownOperation);
        assert_eq!(progress(&[UnknownFailed]), Progress::UnknownOperation);
        assert_eq!(progress(&[SOMETIME, UnknownFailed]), Progress::Succeeded);
        assert_eq!(progress(&[Changed]), Progress::NeverAttempted);
        for other in [UnknownDone, Changed] {
            assert_eq!(progress(&[other, LATER]), Progress::Succeeded, "{other:?}");
            assert_ne!(progress(&[other, SOMETIME]), Progress::Succeeded, "{other:?}");
            assert_ne!(progress(&[LATER, other]), Progress::Succeeded, "{other:?}");
        }
        assert_eq!(progress(&[SOMETIME, Changed]), Progress::ChangedSince);
    }

    #[test]
    fn a_restored_object_is_not_copied() {
        let progress = |evidence: &[Evidence]| state(evidence).progress();
        assert_eq!(progress(&[]), Progress::NeverAttempted);
        assert_eq!(progress(&[Restored]), Progress::Restored);
        assert_eq!(progress(&[NotRestored(FailureId(0))]), Progress::Failed);
        assert_eq!(progress(&[NotRestored(FailureId(0)), Restored]), Progress::Restored);
        assert_eq!(progress(&[Restored, FIRST]), Progress::Failed);
        assert_eq!(progress(&[Restored, UnknownDone]), Progress::UnknownOperation);
        assert_eq!(progress(&[Restored, SOMETIME]), Progress::Succeeded);
    }

    #[test]
    fn one_of_two_objects_is_right_if_both_are() {
        use Verdict::{Compliant, Violation};
        let all = |verdicts: &[Option<Verdict>]| {
            let states = verdicts.iter().map(|verdict| verdict.map_or(State::default(), |v| state(&[Judged(v)])));
            State::of_all(states).verdict()
        };
        assert_eq!(all(&[Some(Compliant), Some(Compliant)]), Some(Compliant));
        assert_eq!(all(&[Some(Compliant), Some(Violation)]), Some(Violation));
        assert_eq!(all(&[Some(Compliant), None]), None);
        assert_eq!(all(&[None, Some(Violation)]), Some(Violation));
        assert_eq!(all(&[]), None);
    }

    #[test]
    fn the_worst_row_of_an_inventory_counts() {
        use Verdict::{Compliant, Excepted, OutOfScope, Undetermined, Violation};
        let verdict = |verdicts: &[Verdict]| {
            state(&verdicts.iter().map(|verdict| Judged(*verdict)).collect::<Vec<_>>()).verdict()
        };
        assert_eq!(verdict(&[]), None);
        assert_eq!(verdict(&[Compliant, OutOfScope]), Some(Compliant));
        assert_eq!(verdict(&[Compliant, Undetermined]), Some(Undetermined));
        assert_eq!(verdict(&[Excepted, Undetermined]), Some(Violation));
        assert_eq!(verdict(&[Violation, Compliant]), Some(Violation));
    }
}

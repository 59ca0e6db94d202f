//! When buckets and trails were not there. What was told of one before it was gone says nothing of another of the same name: from
//! then on nothing is known of any of its settings, until somebody tells it again.

use super::facts::{Name, Ownership, Place};
use super::model::{Bucket, Model, Signs, Trail};
use super::observations::{Clock, Mark};
use crate::timestamp::Timestamp;

impl Model {
    /// Forgets what was told before something was gone, and concludes from whole lists what was not there. All facts must have
    /// been taken.
    pub(super) fn settle(&mut self) {
        for (name, bucket) in &mut self.buckets {
            let is_proven = |signs: &Signs| signs.iter().any(|(_, how, _)| *how == Ownership::Proven);
            let proven: Vec<&Name> =
                bucket.owners.iter().filter(|(_, signs)| is_proven(signs)).map(|(account, _)| account).collect();
            let lacking = |account: &Name| -> Vec<Mark> {
                let lists = self.accounts.get(account).into_iter().flat_map(|account| account.buckets.known());
                lists.filter(|(names, _)| !names.contains(name)).flat_map(|(_, marks)| marks).copied().collect()
            };
            let mut gone: Vec<Mark> = proven.iter().flat_map(|account| lacking(account)).collect();
            if proven.is_empty() {
                // Whoever only asked may not have owned it; but what was told before need not be so any more.
                gone.extend(bucket.owners.keys().flat_map(lacking).map(before));
            }
            // Before somebody was its owner for the first time, another's was not there, or may not have been. If that has no
            // time, nothing says which of the two a setting is of.
            for account in &proven {
                let first = bucket.owners[*account].iter().map(|(at, ..)| *at).min().flatten();
                let mut others =
                    bucket.owners.iter().filter(|(other, _)| other != account).flat_map(|(_, signs)| signs);
                if others.any(|(at, ..)| first.is_none() || *at < first) {
                    gone.push(before(Mark { at: first, ..Mark::default() }));
                }
            }
            bucket.gone.extend(gone);
            bucket.forget();
        }
        for (arn, trail) in &mut self.trails {
            let (home, seen) = (home_of(arn), &self.seen);
            let lacking = |place: &Place| -> Vec<Mark> {
                let lists = seen.get(place).into_iter().flat_map(|seen| seen.known());
                lists.filter(|(arns, _)| !arns.contains(arn)).flat_map(|(_, marks)| marks).copied().collect()
            };
            trail.deleted.extend(lacking(&home));
            // Where its home does not show, that all others lack it may mean that it is of one Region now.
            if !trail.seen_in.contains(&home) {
                let last: Option<Vec<Mark>> =
                    trail.seen_in.iter().map(|place| lacking(place).into_iter().max()).collect();
                trail.gone.extend(last.into_iter().flatten().max());
            }
            trail.forget();
        }
    }

    /// Whether a trail is not there now: it was gone after all that tells of it, or where it was seen, its home among these, nobody
    /// sees it any more.
    pub(super) fn is_gone(&self, arn: &Name, trail: &Trail, clock: &Clock) -> bool {
        let Some(told) = trail.newest_known(clock) else { return true };
        let lists_it_no_more = |place: &Place| {
            let Some(seen) = self.seen.get(place) else { return false };
            let now = seen.now(clock);
            now.at > Some(told) && now.known().is_some_and(|arns| !arns.contains(arn))
        };
        // Its owner knows best.
        trail.deleted.iter().filter_map(|mark| mark.at).any(|at| clock.has_come(at) && at > told)
            || (trail.seen_in.contains(&home_of(arn)) && trail.seen_in.iter().all(lists_it_no_more))
    }
}

impl Bucket {
    fn forget(&mut self) {
        for mark in &self.gone {
            self.region.forget(*mark);
            self.encryption.forget(*mark);
            self.policy.forget(*mark);
            self.policy_status.forget(*mark);
            self.versioning.forget(*mark);
            self.public_access_block.forget(*mark);
            self.acl.forget(*mark);
            self.canonical_owner.forget(*mark);
            self.object_ownership.forget(*mark);
            self.logging.forget(*mark);
            self.object_lock.forget(*mark);
            self.requester_pays.forget(*mark);
        }
    }
}

impl Trail {
    fn forget(&mut self) {
        for mark in self.gone.iter().chain(&self.deleted) {
            self.settings.forget(*mark);
            self.organization.forget(*mark);
            self.status.values_mut().for_each(|status| status.forget(*mark));
            self.selectors.forget(*mark);
        }
    }

    /// When somebody last told anything of it as it is.
    fn newest_known(&self, clock: &Clock) -> Option<Timestamp> {
        let of_status = self.status.values().filter_map(|status| status.newest_known(clock));
        [self.settings.newest_known(clock), self.selectors.newest_known(clock)]
            .into_iter()
            .flatten()
            .chain(of_status)
            .max()
    }
}

/// The moment before.
pub(super) fn before(mark: Mark) -> Mark {
    Mark { at: mark.at.and_then(|at| Timestamp::from_millis(at.as_millis() - 1)), ..mark }
}

/// The account and the Region in an ARN.
pub(super) fn home_of(arn: &str) -> Place {
    let mut parts = arn.split(':').skip(3);
    let region = parts.next().unwrap_or_default().into();
    Place { region, account: parts.next().unwrap_or_default().into() }
}

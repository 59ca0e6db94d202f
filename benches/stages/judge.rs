//! Objects to verdicts.

use std::collections::HashMap;
use std::hint::black_box;

use logseal::batch::{Batch, ColumnSet, Flag};
use logseal::object_key::ObjectKey;
use logseal::policy::{BucketKey, Checker, KeyState, Object, Policy, Preset, Ruling, Scope, Status, Verdict};
use logseal::timestamp::Timestamp;

use crate::batches::each_batch;
use crate::measure::{Input, Stopwatch, Work};

/// A bucket that all rules of the policies are about.
const BUCKET: &[u8] = b"org-audit-logs";

/// A policy whose rules look at the place and the statuses of an object only.
pub fn simple(input: &Input) -> Work {
    judge_all(input, cis())
}

/// One whose rules and exceptions ask for more.
pub fn conditional(input: &Input) -> Work {
    judge_all(input, Policy::from_toml(include_str!("../../fixtures/policy/contract.toml")).expect("a policy"))
}

pub fn cis() -> Policy {
    Preset::default_policy().expect("a policy")
}

/// A policy that does not look at keys.
pub fn encrypted() -> Policy {
    Policy::from_toml(&Preset::Encrypted.to_toml(&[]).expect("its text")).expect("a policy")
}

/// Judging alone. An audit judges alike neighbours once; here each object is judged.
fn judge_all(input: &Input, policy: Policy) -> Work {
    let (watch, mut judge) = (Stopwatch::default(), Judge::new(policy));
    let (mut objects, mut violations) = (0, 0_u64);
    each_batch(input, ColumnSet::ALL, |batch, _| {
        let placed = judge.place_all(batch);
        objects += placed.len() as u64;
        watch.time(|| {
            for placed in &placed {
                let ruling = judge.ruling(black_box(placed));
                violations += u64::from(ruling.verdict == Verdict::Violation);
            }
        });
    });
    black_box(violations);
    Work { seconds: watch.seconds(), rows: objects, bytes: 0 }
}

/// A policy, and the scopes that keys led to so far.
pub struct Judge {
    pub checker: Checker,
    scopes: Vec<Scope>,
    known: HashMap<Vec<u8>, usize>,
}

/// An object of a batch, ready to be judged.
pub struct Placed<'b> {
    row: usize,
    scope: usize,
    object: Object<'b>,
}

impl Judge {
    pub fn new(policy: Policy) -> Self {
        let checker = Checker::new(policy, Timestamp::now());
        Self { checker, scopes: Vec::new(), known: HashMap::new() }
    }

    /// The rows of a batch that are findings.
    pub fn findings(&mut self, batch: &Batch<'_>) -> Vec<(usize, Ruling)> {
        let rulings = self.place_all(batch).into_iter().map(|placed| (placed.row, self.ruling(&placed)));
        rulings.filter(|(_, ruling)| ruling.is_finding()).collect()
    }

    /// All objects of a batch: everything but delete markers.
    fn place_all<'b>(&mut self, batch: &Batch<'b>) -> Vec<Placed<'b>> {
        let objects = (0..batch.len).filter(|row| batch.is_delete_marker.get(*row) != Flag::True);
        objects.map(|row| Placed { row, scope: self.scope(batch.key.get(row)), object: object(batch, row) }).collect()
    }

    #[inline]
    fn ruling(&self, placed: &Placed<'_>) -> Ruling {
        self.checker.judge_in(&self.scopes[placed.scope], &placed.object)
    }

    /// The position of the scope of a key.
    fn scope(&mut self, key: &[u8]) -> usize {
        let parsed = ObjectKey::parse(key);
        let prefix = ObjectKey::scope_prefix(key, &parsed);
        if let Some(known) = self.known.get(prefix) {
            return *known;
        }
        self.scopes.push(self.checker.scope(BUCKET, &parsed));
        self.known.insert(prefix.to_owned(), self.scopes.len() - 1);
        self.scopes.len() - 1
    }
}

fn object<'b>(batch: &Batch<'b>, row: usize) -> Object<'b> {
    Object {
        bucket: BUCKET,
        key: batch.key.get(row),
        is_latest: batch.is_latest.get(row),
        last_modified: batch.last_modified.get(row).time().expect("a time"),
        storage_class: batch.storage_class.get(row),
        status: Status::parse(batch.encryption_status.get(row)),
        bucket_key: BucketKey::parse(batch.bucket_key_status.get(row)),
        encrypted_under: KeyState::Unknown,
    }
}

//! The keys that rows are encrypted under: what evidence knows of them, and what a report says itself.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::batch::{Batch, Texts};
use crate::evidence::{
    Answer, Claim, Evidence, Fact, KeyId, KeyRing, Known, KnownKey, RowFacts, TooManyKeys, Weighed, weigh, weigh_one,
};
use crate::join::{BucketHasher, JoinKey, Tables, VersionPart};
use crate::partial::{Amount, KeyCounts, Partial};
use crate::plan::UnitId;
use crate::policy::{Key, KeyState, Status};
use crate::sinks::OutputError;

/// Finds the keys of rows. Belongs to one worker.
pub(crate) struct RowKeys<'c> {
    ring: &'c KeyRing<'c>,
    evidence: Option<&'c Evidence>,
    /// Of each row of the batch, as far as something is known.
    facts: Vec<Option<Fact>>,
    more: Vec<Option<Fact>>,
    hashes: Vec<JoinKey>,
    bytes: Vec<u8>,
    /// Names of keys that reports have used.
    named: HashMap<Vec<u8>, Option<KnownKey>, RandomState>,
    is_active: bool,
    by_key: Vec<Amount>,
    counts: KeyCounts,
    /// By answers and what they came to.
    weighed: HashMap<(u32, Weighed), u64, RandomState>,
    /// Neighbours mostly come to the same.
    last: Option<((u32, Weighed), u64)>,
    names: HashMap<KeyId, Arc<Key>, RandomState>,
}

/// What decides the state of a key, beside the status of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Nothing is known.
    Nothing,
    /// One answer, which may be about the object as it was.
    Answer { number: u32, is_fresh: bool },
}

/// How an object was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counted {
    /// The key, if it is known.
    pub(crate) id: Option<KeyId>,
    is_kms: bool,
    /// The answers, and what they came to.
    weighed: Option<(u32, Weighed)>,
}

/// Why the keys of a batch cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFailure {
    #[error("its temporary file cannot be read: {0}")]
    Join(io::Error),
    #[error(transparent)]
    TooManyKeys(TooManyKeys),
}

impl From<KeyFailure> for OutputError {
    fn from(failure: KeyFailure) -> Self {
        Self::KeyEvidence(failure.to_string())
    }
}

impl<'c> RowKeys<'c> {
    pub(crate) fn new(ring: &'c KeyRing<'c>, evidence: Option<&'c Evidence>) -> Self {
        Self {
            ring,
            evidence,
            facts: Vec::new(),
            more: Vec::new(),
            hashes: Vec::new(),
            bytes: Vec::new(),
            named: HashMap::default(),
            is_active: false,
            by_key: Vec::new(),
            counts: KeyCounts::default(),
            weighed: HashMap::default(),
            last: None,
            names: HashMap::default(),
        }
    }

    /// Whether something may be known of the keys of the batch.
    pub(crate) fn is_active(&self) -> bool {
        self.is_active
    }

    /// Looks up all rows of a batch.
    pub(crate) fn begin_batch(&mut self, unit: UnitId, batch: &Batch<'_>) -> Result<(), KeyFailure> {
        self.is_active = self.evidence.is_some() || !batch.kms_key_arn.is_absent();
        if !self.is_active {
            return Ok(());
        }
        self.name_keys(&batch.kms_key_arn, batch.len).map_err(KeyFailure::TooManyKeys)?;
        match self.evidence {
            None => {
                self.facts.clear();
                self.facts.resize(batch.len, None);
                Ok(())
            }
            Some(Evidence { known: Known::Joined(joined), .. }) => joined
                .read(unit, batch.first_row, batch.len, &mut self.facts, &mut self.bytes)
                .map_err(KeyFailure::Join),
            Some(evidence @ Evidence { known: Known::Tables(tables), .. }) => {
                self.look_up(evidence, tables, batch);
                Ok(())
            }
        }
    }

    /// Makes sure that all names of keys in a column are known.
    fn name_keys(&mut self, names: &Texts<'_>, len: usize) -> Result<(), TooManyKeys> {
        let mut last = &b""[..];
        for row in 0..if names.is_absent() { 0 } else { len } {
            let name = names.get(row);
            if name == last || self.named.contains_key(name) {
                continue;
            }
            last = name;
            self.named.insert(name.to_vec(), self.ring.find(name)?);
        }
        Ok(())
    }

    fn look_up(&mut self, evidence: &Evidence, tables: &Tables<Fact>, batch: &Batch<'_>) {
        self.hash(evidence, batch, |key, at| key.0.key(key.1, VersionPart::of_row(&batch.version_id, at)));
        tables.find_all(&self.hashes, &mut self.facts);
        if evidence.ways.by_key {
            self.hash(evidence, batch, |key, _| key.0.key(key.1, VersionPart::Current));
            self.look_up_more(evidence, tables);
        }
        if evidence.ways.by_second {
            let second =
                |at| batch.last_modified.get(at).time().ok().flatten().map(|time| time.as_millis().div_euclid(1000));
            // No evidence is of the second before all others.
            self.hash(evidence, batch, |key, at| {
                key.0.key(key.1, VersionPart::ModifiedIn(second(at).unwrap_or(i64::MIN)))
            });
            self.look_up_more(evidence, tables);
        }
    }

    fn look_up_more(&mut self, evidence: &Evidence, tables: &Tables<Fact>) {
        tables.find_all(&self.hashes, &mut self.more);
        for (fact, more) in self.facts.iter_mut().zip(&self.more) {
            *fact = match (*fact, *more) {
                (Some(one), Some(other)) => Some(evidence.answers.combine(&evidence.list, one, other)),
                (one, other) => one.or(other),
            };
        }
    }

    /// Hashes all rows in some way. What is found for rows that cannot be examined does not matter.
    fn hash(
        &mut self,
        evidence: &Evidence,
        batch: &Batch<'_>,
        hash: impl Fn((&BucketHasher, &[u8]), usize) -> JoinKey,
    ) {
        self.hashes.clear();
        let mut bucket = (&b""[..], evidence.hasher.bucket(b""));
        for at in 0..batch.len {
            let name = batch.bucket.get(at);
            if !std::ptr::eq(bucket.0, name) && bucket.0 != name {
                bucket = (name, evidence.hasher.bucket(name));
            }
            self.hashes.push(hash((&bucket.1, batch.key.get(at)), at));
        }
    }

    /// What decides the state of a row's key beside its status, where that is not much.
    #[inline]
    pub(crate) fn basis(&self, batch: &Batch<'_>, at: usize, row: &RowFacts) -> Option<Basis> {
        if !batch.kms_key_arn.get(at).is_empty() {
            return None;
        }
        match (self.facts[at], self.evidence) {
            (Some(fact), Some(evidence)) => {
                let answer = evidence.list.get(fact.answers as usize)?;
                Some(Basis::Answer { number: fact.answers, is_fresh: row.is_fresh(fact.time, answer.is_dated) })
            }
            _ => Some(Basis::Nothing),
        }
    }

    /// Counts an object, and says what is known of its key.
    #[inline]
    pub(crate) fn with_state<R>(
        &mut self,
        batch: &Batch<'_>,
        at: usize,
        row: &RowFacts,
        amount: Amount,
        use_it: impl FnOnce(KeyState<'_>) -> R,
    ) -> (R, Counted) {
        let is_kms = matches!(row.status, Status::SseKms | Status::DsseKms);
        let name = batch.kms_key_arn.get(at);
        let own = if name.is_empty() { None } else { self.named.get(name).cloned().flatten() };
        let (Some(fact), Some(evidence)) = (self.facts[at], self.evidence) else {
            let counted = Counted { id: own.as_ref().map(|own| own.id), is_kms, weighed: None };
            self.count(counted, amount);
            let state = own.as_ref().map_or(KeyState::Unknown, |own| KeyState::Known(&own.key));
            return (use_it(state), counted);
        };
        let own = own.map(|key| Answer::of_report(Claim::Is(row.status), key));
        let (one, many) = ([fact.answers], evidence.sets_of(fact));
        let members = many.as_deref().unwrap_or(&one);
        let mut alternatives = Vec::new();
        let answers = || members.iter().filter_map(|number| evidence.list.get(*number as usize)).chain(&own);
        let (weighed, state) = match (answers().next(), answers().nth(1)) {
            (Some(only), None) => weigh_one(row, fact.time, only),
            _ => None,
        }
        .unwrap_or_else(|| weigh(row, fact.time, answers(), &mut alternatives));
        let id = match state {
            KeyState::Known(key) => {
                answers().filter_map(|answer| answer.key.known()).find(|known| std::ptr::eq(&*known.key, key))
            }
            _ => None,
        }
        .map(|known| known.id);
        let counted = Counted { id, is_kms, weighed: Some((fact.answers, weighed)) };
        self.count(counted, amount);
        (use_it(state), counted)
    }

    /// Counts an object in the same way as another.
    #[inline]
    pub(crate) fn count(&mut self, Counted { id, is_kms, weighed }: Counted, amount: Amount) {
        if let Some(id) = id {
            self.count_key(id, is_kms, amount);
        }
        if let Some((answers, weighed)) = weighed {
            self.counts.conflicting += u64::from(weighed == Weighed::Conflict && is_kms);
            self.counts.stale += u64::from(weighed == Weighed::Stale && is_kms);
            self.count_weighed((answers, weighed));
        }
    }

    #[inline]
    fn count_weighed(&mut self, what: (u32, Weighed)) {
        match &mut self.last {
            Some((last, objects)) if *last == what => *objects += 1,
            last => {
                if let Some((last, objects)) = last.replace((what, 1)) {
                    *self.weighed.entry(last).or_default() += objects;
                }
            }
        }
    }

    fn count_key(&mut self, id: u32, is_kms: bool, amount: Amount) {
        self.counts.known += u64::from(is_kms);
        let id = id as usize;
        if id >= self.by_key.len() {
            self.by_key.resize(id + 1, Amount::default());
        }
        self.by_key[id].add(amount);
    }

    /// A key, for its name in lists.
    pub(crate) fn key(&mut self, id: KeyId) -> Arc<Key> {
        let ring = self.ring;
        Arc::clone(self.names.entry(id).or_insert_with(|| ring.key(id)))
    }

    /// Moves the counts into a partial.
    pub(crate) fn fold(&mut self, partial: &mut Partial) {
        let mut counts = std::mem::take(&mut self.counts);
        for (id, amount) in self.by_key.drain(..).enumerate().filter(|(_, amount)| amount.objects > 0) {
            counts.by_key.insert(self.ring.key(id as KeyId).name.clone(), amount);
        }
        if let Some((last, objects)) = self.last.take() {
            *self.weighed.entry(last).or_default() += objects;
        }
        for ((answers, weighed), objects) in self.weighed.drain() {
            let Some(evidence) = self.evidence else { continue };
            let mut sources: Vec<u32> = evidence
                .answers
                .members(answers)
                .iter()
                .filter_map(|number| Some(evidence.list.get(*number as usize)?.source))
                .collect();
            sources.sort_unstable();
            sources.dedup();
            for source in sources {
                counts.by_source.entry(source as usize).or_default().add(weighed, objects);
            }
        }
        partial.keys.merge(counts);
    }

    /// Forgets all counts.
    pub(crate) fn forget(&mut self) {
        self.counts = KeyCounts::default();
        self.by_key.clear();
        self.weighed.clear();
        self.last = None;
    }
}

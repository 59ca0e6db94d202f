//! The keys that rows are encrypted under: what evidence knows of them, and what a report says itself.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::amounts::Amount;
use crate::batch::{Batch, Texts};
use crate::delivery::CompleteLogs;
use crate::evidence::{
    Answer, Decided, Elsewhere, Evidence, KeyCounts, KeyError, KeyId, KeyRing, Keys, Known, KnownKey, NO_MARK,
    RowFacts, RowVersion, SourceUse, TooManyKeys, Weighed, Word, World,
};
use crate::join::{BucketHasher, JoinKey, Tables, VersionPart};
use crate::partial::Partial;
use crate::plan::Unit;
use crate::policy::{BucketKey, EvidenceAssumptions, Key, KeyState, Status};
use crate::timestamp::Timestamp;

/// Finds the keys of rows. Belongs to one worker.
pub(crate) struct RowKeys<'c> {
    ring: &'c KeyRing<'c>,
    evidence: Option<&'c Evidence>,
    world: World<'c>,
    /// The moment that the rows of the batch are about.
    moment: Option<i64>,
    /// What was done to unknown objects of the bucket.
    elsewhere: (Vec<u8>, Elsewhere<'c>),
    /// The words about all rows of the batch.
    words: RowWords,
    /// Those about some of them that are found in another way, and all together.
    more: RowWords,
    both: RowWords,
    hashes: Vec<JoinKey>,
    bytes: Vec<u8>,
    /// Names of keys that reports have used.
    named: HashMap<Vec<u8>, Option<KnownKey>, RandomState>,
    is_active: bool,
    by_key: Vec<Amount>,
    counts: KeyCounts,
    /// By the position of the source.
    uses: Vec<SourceUse>,
    names: HashMap<KeyId, Arc<Key>, RandomState>,
}

/// What decides the state of a key, beside the status of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Nothing is known.
    Nothing,
    /// One answer, and what it is worth.
    Answer { number: u32, weighed: Weighed },
}

/// The words about neighbouring rows, and where those of each end.
#[derive(Default)]
struct RowWords {
    words: Vec<Word>,
    ends: Vec<u32>,
}

impl RowWords {
    fn clear(&mut self) {
        self.words.clear();
        self.ends.clear();
    }

    fn end_row(&mut self) {
        self.ends.push(self.words.len() as u32);
    }

    /// The words about a row.
    #[inline]
    fn of(&self, at: usize) -> &[Word] {
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.words[from as usize..self.ends[at] as usize]
    }

    /// Looks up rows by their hashes. Words are copied while they are in the cache.
    fn find(&mut self, tables: &Tables<Word>, hashes: &[JoinKey]) {
        self.clear();
        tables.find_all(hashes, |found| {
            self.words.extend(found.iter().map(|(_, word)| *word));
            self.end_row();
        });
    }
}

/// How an object was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counted {
    /// The key, if it is known.
    pub(crate) id: Option<KeyId>,
    is_kms: bool,
    /// What words came to, and the source, if there is one only.
    weighed: Option<(Option<u32>, Weighed)>,
}

impl<'c> RowKeys<'c> {
    /// `assumed` is what the operator states about evidence.
    pub(crate) fn new(Keys { ring, evidence }: Keys<'c>, assumed: EvidenceAssumptions) -> Self {
        let logs = evidence.map_or(CompleteLogs::Never, |evidence| evidence.complete_logs(assumed));
        let answers = evidence.map_or(&[][..], |evidence| &evidence.list);
        Self {
            ring,
            evidence,
            world: World { answers, assumed, logs },
            moment: None,
            elsewhere: (Vec::new(), Elsewhere::default()),
            words: RowWords::default(),
            more: RowWords::default(),
            both: RowWords::default(),
            hashes: Vec::new(),
            bytes: Vec::new(),
            named: HashMap::default(),
            is_active: false,
            by_key: Vec::new(),
            counts: KeyCounts::default(),
            uses: Vec::new(),
            names: HashMap::default(),
        }
    }

    /// Whether something may be known of the keys of the batch.
    pub(crate) fn is_active(&self) -> bool {
        self.is_active
    }

    /// Looks up all rows of a batch.
    pub(crate) fn begin_batch(&mut self, unit: &Unit<'_>, batch: &Batch<'_>) -> Result<(), KeyError> {
        self.is_active = self.evidence.is_some() || !batch.kms_key_arn.is_absent();
        if !self.is_active {
            return Ok(());
        }
        self.name_keys(&batch.kms_key_arn, batch.len).map_err(KeyError::TooManyKeys)?;
        let as_of = self.evidence.and_then(|evidence| evidence.as_of);
        self.moment = unit.source.created_at.or(as_of).map(Timestamp::as_millis);
        self.words.clear();
        let RowWords { words, ends } = &mut self.words;
        match self.evidence {
            None => ends.resize(batch.len, 0),
            Some(Evidence { known: Known::Joined(joined), .. }) => joined
                .read(unit.id, batch.first_row, batch.len, (words, ends), &mut self.bytes)
                .map_err(KeyError::Joined)?,
            Some(evidence @ Evidence { known: Known::Tables(tables), .. }) => self.look_up(evidence, tables, batch),
        }
        Ok(())
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
            self.named.insert(name.to_vec(), self.ring.find(name, b"")?);
        }
        Ok(())
    }

    fn look_up(&mut self, evidence: &'c Evidence, tables: &Tables<Word>, batch: &Batch<'_>) {
        let (ids, ways) = (&batch.version_id, evidence.ways);
        self.hash(evidence, batch, 0..batch.len, |key, at| key.0.key(key.1, VersionPart::of_row(ids, at)));
        self.words.find(tables, &self.hashes);
        if ways.by_key {
            let all = (0..batch.len as u32).collect();
            self.find_more((evidence, tables), batch, all, |_| VersionPart::Any);
        }
        if ways.by_second {
            let second = |at: u32| {
                let modified = batch.last_modified.get(at as usize).time().ok().flatten();
                modified.map(|time| time.as_millis().div_euclid(1000))
            };
            let is_asked = |at: &u32| ways.ask_second((!ids.is_absent()).then(|| ids.get(*at as usize)));
            let rows = (0..batch.len as u32).filter(|at| is_asked(at) && second(*at).is_some()).collect();
            self.find_more((evidence, tables), batch, rows, |at| {
                // Others are not among them.
                VersionPart::ModifiedIn(second(at).unwrap_or(i64::MIN))
            });
        }
    }

    /// Adds what is found of some rows in another way.
    fn find_more(
        &mut self,
        (evidence, tables): (&Evidence, &Tables<Word>),
        batch: &Batch<'_>,
        rows: Vec<u32>,
        way: impl Fn(u32) -> VersionPart<'static>,
    ) {
        if rows.is_empty() {
            return;
        }
        let asked = rows.iter().map(|at| *at as usize);
        self.hash(evidence, batch, asked, |key, at| key.0.key(key.1, way(at as u32)));
        self.more.find(tables, &self.hashes);
        self.both.clear();
        let mut rows = rows.into_iter().zip(0..).peekable();
        for at in 0..self.words.ends.len() {
            self.both.words.extend_from_slice(self.words.of(at));
            if let Some((_, more)) = rows.next_if(|(row, _)| *row as usize == at) {
                self.both.words.extend_from_slice(self.more.of(more));
            }
            self.both.end_row();
        }
        std::mem::swap(&mut self.words, &mut self.both);
    }

    /// Hashes rows in some way. What is found for rows that cannot be examined does not matter.
    fn hash(
        &mut self,
        evidence: &Evidence,
        batch: &Batch<'_>,
        rows: impl Iterator<Item = usize>,
        hash: impl Fn((&BucketHasher, &[u8]), usize) -> JoinKey,
    ) {
        self.hashes.clear();
        let mut bucket = (&b""[..], evidence.hasher.bucket(b""));
        for at in rows {
            let name = batch.bucket.get(at);
            if !std::ptr::eq(bucket.0, name) && bucket.0 != name {
                bucket = (name, evidence.hasher.bucket(name));
            }
            self.hashes.push(hash((&bucket.1, batch.key.get(at)), at));
        }
    }

    /// What a row says that matters for evidence; `modified` is its time of last modification.
    #[inline]
    pub(crate) fn facts(
        &self,
        batch: &Batch<'_>,
        at: usize,
        (status, bucket_key): (Status, BucketKey),
        modified: Option<Timestamp>,
    ) -> RowFacts {
        let version = match batch.version_id.get(at) {
            _ if batch.version_id.is_absent() => RowVersion::Unlisted,
            b"" | b"null" => RowVersion::Null,
            _ => RowVersion::Named,
        };
        let modified = modified.map(Timestamp::as_millis);
        let etag = match self.evidence {
            Some(evidence) if evidence.ways.by_etag && version != RowVersion::Named => {
                evidence.hasher.etag(batch.etag.get(at))
            }
            _ => NO_MARK,
        };
        let moment = self.moment.map(|moment| modified.map_or(moment, |modified| modified.max(moment)));
        RowFacts { status, version, modified, etag, moment, has_bucket_key: bucket_key == BucketKey::Enabled }
    }

    /// What decides the state of a row's key beside its status, where that is not much.
    #[inline]
    pub(crate) fn basis(&self, batch: &Batch<'_>, at: usize, row: &RowFacts) -> Option<Basis> {
        if !batch.kms_key_arn.get(at).is_empty()
            || self.evidence.is_some_and(|evidence| !evidence.unattributed.is_empty())
        {
            return None;
        }
        match self.words.of(at) {
            [] => Some(Basis::Nothing),
            [word] => {
                let (weighed, _) = self.world.decide_one(row, word)?;
                Some(Basis::Answer { number: word.answer, weighed })
            }
            _ => None,
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
        let basis = self.basis(batch, at, row);
        if let Some(Basis::Answer { number, weighed }) = basis
            && let Some(answer) = self.world.answers.get(number as usize)
        {
            let counted =
                Counted { id: key_of(answer, weighed), is_kms, weighed: Some((Some(answer.source), weighed)) };
            self.count(counted, amount);
            return (use_it(state_of(answer, weighed)), counted);
        }
        if basis == Some(Basis::Nothing) {
            return (use_it(KeyState::Unknown), Counted { is_kms, ..Counted::default() });
        }
        self.enter(batch.bucket.get(at));
        let name = batch.kms_key_arn.get(at);
        let own = if name.is_empty() { None } else { self.named.get(name).cloned().flatten() };
        let mut alternatives = Vec::new();
        let words = self.words.of(at);
        let decided = self.world.decide(row, words, own.as_ref(), &self.elsewhere.1, &mut alternatives);
        let Decided { weighed, state, key, is_rekeyed_since } = decided;
        let counted = Counted { id: key.map(|key| key.id), is_kms, weighed: Some((None, weighed)) };
        let mut sources: Vec<u32> =
            words.iter().filter_map(|word| Some(self.world.answers.get(word.answer as usize)?.source)).collect();
        sources.sort_unstable();
        sources.dedup();
        let result = use_it(state);
        sources.into_iter().for_each(|source| self.use_source(source, weighed));
        self.counts.rekeyed_since += u64::from(is_rekeyed_since);
        self.count(counted, amount);
        (result, counted)
    }

    /// Makes sure that what was done to unknown objects of the bucket is at hand.
    fn enter(&mut self, bucket: &[u8]) {
        if let Some(evidence) = self.evidence
            && (self.elsewhere.0 != bucket || self.elsewhere.0.is_empty())
        {
            self.elsewhere = (bucket.to_vec(), evidence.unattributed.of(bucket));
        }
    }

    /// Counts an object in the same way as another.
    #[inline]
    pub(crate) fn count(&mut self, Counted { id, is_kms, weighed }: Counted, amount: Amount) {
        if let Some(id) = id {
            self.count_key(id, is_kms, amount);
        }
        if let Some((source, weighed)) = weighed {
            self.counts.conflicting += u64::from(weighed == Weighed::Conflict && is_kms);
            self.counts.stale += u64::from(weighed == Weighed::Stale && is_kms);
            source.into_iter().for_each(|source| self.use_source(source, weighed));
        }
    }

    #[inline]
    fn use_source(&mut self, source: u32, weighed: Weighed) {
        let source = source as usize;
        if source >= self.uses.len() {
            self.uses.resize(source + 1, SourceUse::default());
        }
        self.uses[source].add(weighed, 1);
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
        let uses = self.uses.drain(..).enumerate().filter(|(_, uses)| *uses != SourceUse::default());
        counts.by_source.extend(uses);
        partial.keys.merge(counts);
    }

    /// Forgets all counts.
    pub(crate) fn forget(&mut self) {
        self.counts = KeyCounts::default();
        self.by_key.clear();
        self.uses.clear();
    }
}

/// What one answer says of a key.
fn state_of(answer: &Answer, weighed: Weighed) -> KeyState<'_> {
    match (weighed, answer.key.known()) {
        (Weighed::Known, Some(known)) => KeyState::Known(&known.key),
        (Weighed::Stale, _) => KeyState::Stale,
        _ => KeyState::Unknown,
    }
}

fn key_of(answer: &Answer, weighed: Weighed) -> Option<KeyId> {
    answer.key.known().filter(|_| weighed == Weighed::Known).map(|known| known.id)
}

//! Why one object got its verdict: the row as read, the rules as tried, the verdict.
//!
//! The rows come through the same readers as those of an audit, and the object is judged the plain way.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::assumptions::AssumptionName;
use crate::batch::{Batch, ColumnSet, Flag};
use crate::evidence::{self, Aliases, EvidenceError, EvidenceFault, EvidenceOptions, KeyError, KeyRing, Keys, Wanted};
use crate::examine::{Row, RowJudge};
use crate::fault::UnitFault;
use crate::object_key::ObjectKey;
use crate::plan::{MadeFault, Plan, Shard, Unit, check_newest};
use crate::policy::{Alternative, BucketKey, Checker, KeyState, Object, Ruling, Status, Verdict};
use crate::readers::{NotWhole, WholeReader};
use crate::store;
use crate::timestamp::Timestamp;
use crate::work::{Cancel, Crew, NoProgress, Stopped, Watch, default_jobs, lock};

/// The object that is asked about.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its bucket; nothing means any.
    pub bucket: Option<Vec<u8>>,
    /// Its raw key.
    pub key: Vec<u8>,
    /// Its version id, `null` or empty for the null version; nothing means every version.
    pub version_id: Option<Vec<u8>>,
}

/// A row that answers the question, and what follows from it. Names are raw bytes; who shows them escapes them.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The source, as it was given.
    pub source: String,
    /// The data file.
    pub file: String,
    /// The row in it.
    pub row: u64,
    /// The bucket.
    pub bucket: Vec<u8>,
    /// The key, decoded.
    pub key: Vec<u8>,
    /// The version id; blank or `null` for the null version, and blank if the report lists none.
    pub version_id: Vec<u8>,
    /// Whether it is the current version, as far as the report says.
    pub is_latest: Flag,
    /// Whether it is a delete marker, which is not judged.
    pub is_delete_marker: bool,
    /// The size in bytes; nothing if the report does not give it.
    pub size: Option<u64>,
    /// When it was last modified; nothing if the report does not say.
    pub last_modified: Option<Timestamp>,
    /// The storage class, as the report spells it; blank if it does not say.
    pub storage_class: Vec<u8>,
    /// How it is encrypted, as the report spells it; nothing if the report has no such column.
    pub encryption_status: Option<Vec<u8>>,
    /// Whether it uses a Bucket Key, as the report spells it; nothing if the report has no such column.
    pub bucket_key_status: Option<Vec<u8>>,
    /// What the report says of the encryption.
    pub status: Status,
    /// What the report says of the Bucket Key.
    pub bucket_key: BucketKey,
    /// What is known of the key, for people.
    pub kms_key: String,
    /// What follows; a delete marker is not judged.
    pub ruling: Option<Ruling>,
}

impl Explanation {
    /// The key taken apart.
    pub fn object_key(&self) -> ObjectKey<'_> {
        ObjectKey::parse(&self.key)
    }

    /// The row as an object, of whose key nothing is known.
    pub fn object(&self) -> Object<'_> {
        Object {
            bucket: &self.bucket,
            key: &self.key,
            is_latest: self.is_latest,
            last_modified: self.last_modified,
            storage_class: &self.storage_class,
            status: self.status,
            bucket_key: self.bucket_key,
            encrypted_under: KeyState::Unknown,
        }
    }
}

/// What was found about an object.
#[derive(Debug, Default)]
pub struct Answers {
    /// The first rows about it.
    pub explanations: Vec<Explanation>,
    /// All rows about it.
    pub matched: u64,
    /// The verdicts of all of them, delete markers aside.
    pub verdicts: BTreeSet<Verdict>,
    /// Data files that could not be examined: the object may be in one of them.
    pub faults: Vec<(String, UnitFault)>,
    /// Rows that could not be examined.
    pub rows_rejected: u64,
    /// Sources that list what did not exist when they were made, as they say.
    pub wrong_times: Vec<(String, MadeFault)>,
    /// The newest last-modified of each source, in milliseconds since the epoch.
    newest: BTreeMap<usize, i64>,
    /// Files of key evidence that could not be used.
    pub evidence_faults: Vec<EvidenceFault>,
}

/// Why an object cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The operating system gave no temporary folder.
    #[error(transparent)]
    Folder(#[from] io::Error),
    /// The key evidence cannot be used.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The keys of rows cannot be told.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The worker stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Looks for the object in all units. All rows are judged, and no more than `limit` are kept.
pub fn explain(
    plan: &Plan,
    checker: &Checker,
    question: &Question,
    options: Option<&EvidenceOptions>,
    limit: usize,
) -> Result<Answers, ExplainError> {
    let aliases = options.map_or(&[][..], |options| &options.aliases);
    let ring = KeyRing::new(checker, Aliases::read(checker, aliases).map_err(EvidenceError::Aliases)?);
    let cancel = Cancel::default();
    let evidence = match options {
        Some(options) => {
            let folder = store::temp_folder(options.temp_dir.as_deref())?;
            let wanted = Wanted { options, plan, shard: None, ring: &ring, delivered: None };
            let watch = Watch { cancel: &cancel, progress: &NoProgress };
            Some(evidence::load(wanted, folder, default_jobs(), watch)?)
        }
        None => None,
    };
    let evidence_faults = evidence.iter().flat_map(|evidence| evidence.summary.faults.clone()).collect();
    let answers = Mutex::new(Answers { evidence_faults, ..Answers::default() });
    // One worker: the first rows are those that are shown.
    Crew::<ExplainError>::new(1, &cancel).run(|_| {
        let (mut answers, mut reader) = (lock(&answers), WholeReader::default());
        let mut judge = RowJudge::new(checker, Keys { ring: &ring, evidence: evidence.as_ref() });
        for unit in plan.units(Shard::WHOLE) {
            let mut each = |batch: &Batch<'_>| look_for(question, (&unit, batch), &mut judge, limit, &mut answers);
            match reader.read(&unit, ColumnSet::JUDGED, &|| false, &mut each) {
                Ok(_) | Err(NotWhole::Cancelled) => {}
                Err(NotWhole::Fault(fault)) => answers.faults.push((unit.key(), fault)),
                Err(NotWhole::Taker(error)) => return Err(error.into()),
            }
        }
        Ok(())
    })?;
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.check_times(plan);
    Ok(answers)
}

/// Answers with the rows of a batch that are about the object.
fn look_for(
    question: &Question,
    (unit, batch): (&Unit<'_>, &Batch<'_>),
    judge: &mut RowJudge<'_>,
    limit: usize,
    answers: &mut Answers,
) -> Result<(), KeyError> {
    let newest = answers.newest.entry(unit.source_id).or_default();
    *newest = batch.last_modified.latest().map_or(*newest, |millis| millis.max(*newest));
    let bucket = unit.source.bucket.as_deref().map(str::as_bytes);
    for at in 0..batch.len {
        match Row::read(batch, at, bucket) {
            Ok(Some(row)) if question.is_about(&row) => {
                judge.begin_batch(unit, batch)?;
                answers.note(answer(unit, judge, (batch, at), &row), limit);
            }
            Ok(_) => {}
            Err(_) => answers.rows_rejected += 1,
        }
    }
    Ok(())
}

impl Answers {
    fn check_times(&mut self, plan: &Plan) {
        if plan.assumptions().has(AssumptionName::ManifestTimeAccepted) {
            return;
        }
        for (id, newest) in &self.newest {
            let Some((source, made)) = plan.sources().get(*id).and_then(|source| Some((source, source.created_at?)))
            else {
                continue;
            };
            let newest = Timestamp::from_millis(*newest).unwrap_or(Timestamp::MAX);
            self.wrong_times.extend(check_newest(made, newest).err().map(|fault| (source.display_path(), fault)));
        }
    }

    fn note(&mut self, explanation: Explanation, limit: usize) {
        self.matched += 1;
        self.verdicts.extend(explanation.ruling.map(|ruling| ruling.verdict));
        if self.explanations.len() < limit {
            self.explanations.push(explanation);
        }
    }
}

impl Question {
    fn is_about(&self, row: &Row<'_>) -> bool {
        let same_version =
            |wanted: &Vec<u8>| row.version_id == wanted || (wanted == b"null" && row.version_id.is_empty());
        row.key == self.key
            && self.bucket.as_ref().is_none_or(|bucket| row.bucket == bucket)
            && self.version_id.as_ref().is_none_or(same_version)
    }
}

fn answer(unit: &Unit<'_>, judge: &mut RowJudge<'_>, (batch, at): (&Batch<'_>, usize), row: &Row<'_>) -> Explanation {
    let cell = |texts: &crate::batch::Texts<'_>| (!texts.is_absent()).then(|| texts.get(at).to_vec());
    judge.judge(batch, at, row, |object, ruling| Explanation {
        source: unit.source.display_path(),
        file: unit.key(),
        row: batch.first_row + at as u64,
        bucket: row.bucket.to_vec(),
        key: row.key.to_vec(),
        version_id: row.version_id.to_vec(),
        is_latest: row.is_latest,
        is_delete_marker: row.is_delete_marker,
        size: row.size,
        last_modified: row.last_modified,
        storage_class: object.storage_class.to_vec(),
        encryption_status: cell(&batch.encryption_status),
        bucket_key_status: cell(&batch.bucket_key_status),
        status: object.status,
        bucket_key: object.bucket_key,
        kms_key: described(object.encrypted_under),
        ruling: (!row.is_delete_marker).then_some(ruling),
    })
}

/// What is known of a key, for people.
fn described(state: KeyState<'_>) -> String {
    match state {
        KeyState::Unknown => "unknown".to_owned(),
        KeyState::Stale => "unknown: it may have changed unseen since evidence was taken, or before".to_owned(),
        KeyState::Known(key) => key.name.clone(),
        KeyState::Among(answers, _) => {
            let answer = |answer: &Alternative<'_>| {
                let key = answer.key.map_or("an unknown key", |key| &key.name);
                format!("{} under {key}", answer.status.as_str())
            };
            format!("disputed: {}", answers.iter().map(answer).collect::<Vec<_>>().join(", or "))
        }
    }
}

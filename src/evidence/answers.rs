//! What sources say about versions, and what it is worth for a row of an inventory.

use std::collections::HashMap;
use std::sync::Mutex;

use super::{KnownKey, TooManyKeys};
use crate::engine::lock;
use crate::join::Value;
use crate::policy::{Alternative, KeyState, Status};
use crate::timestamp::Timestamp;

/// What a source says of the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claim {
    /// It is this one.
    Is(Status),
    /// It is SSE-KMS or DSSE-KMS.
    SomeKms,
    /// A data key was made for a write, which may have failed.
    DataKey,
}

/// What a source says of the key.
#[derive(Clone, Debug)]
pub(crate) enum SaidKey {
    /// Nothing.
    Nothing,
    /// There is one, and which cannot be told.
    Untold,
    /// This one.
    Is(KnownKey),
}

impl SaidKey {
    /// The key, if it can be told.
    pub(crate) fn known(&self) -> Option<&KnownKey> {
        match self {
            Self::Is(key) => Some(key),
            Self::Nothing | Self::Untold => None,
        }
    }
}

/// What one source says, without the version that it says it of.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// How the object is encrypted.
    pub(crate) claim: Claim,
    /// Under which key.
    pub(crate) key: SaidKey,
    /// The position of the source.
    pub(crate) source: u32,
    /// Whether it is known when that was so. If not, it was so at that time or later.
    pub(crate) is_dated: bool,
    /// Whether it is from a journal, whose records have an order of their own.
    pub(crate) is_journal: bool,
    /// Whether it says that the version is gone.
    pub(crate) is_gone: bool,
    /// Whether it may be about another version of the key.
    pub(crate) is_doubtful: bool,
    /// The file, if that may still turn out to be damaged.
    pub(crate) file: Option<u32>,
}

/// What a source says of a version, in few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// When that was so, in milliseconds since the epoch; if it is not dated, when the version was last modified.
    pub(crate) time: i64,
    /// The order of a journal.
    pub(crate) order: u64,
    /// The number of the answer.
    pub(crate) answer: u32,
}

/// Everything said of a version that may be the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// The latest time at which something is known to have been said.
    pub(crate) time: i64,
    /// The number of an answer, or of a set of answers.
    pub(crate) answers: u32,
}

/// Numbers from this one on are of sets.
const FIRST_SET: u32 = 1 << 31;
/// Sets of answers beyond this are not told apart: such a fact is a conflict without alternatives.
const MAX_SETS: usize = 1 << 16;
/// The number of such a set.
const MANY: u32 = u32::MAX;

/// Answers by number, and sets of them.
#[derive(Default)]
pub(crate) struct Answers {
    known: Mutex<Known>,
    sets: Mutex<Sets>,
}

#[derive(Default)]
struct Known {
    answers: Vec<Answer>,
    numbers: HashMap<AnswerKey, u32>,
}

/// What tells answers apart.
type AnswerKey = (Claim, Option<Option<u32>>, u32, bool, bool, bool, bool, Option<u32>);

#[derive(Default)]
struct Sets {
    sets: Vec<Vec<u32>>,
    numbers: HashMap<Vec<u32>, u32>,
}

/// How much an answer is to be trusted to be about the version in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// It names it.
    Version,
    /// It was made for a write at the time.
    DataKey,
    /// It may be about another one.
    Doubtful,
}

impl Answer {
    fn trust(&self) -> Trust {
        match self.claim {
            _ if self.is_doubtful => Trust::Doubtful,
            Claim::DataKey => Trust::DataKey,
            Claim::Is(_) | Claim::SomeKms => Trust::Version,
        }
    }

    /// What a report says itself of the key of an object.
    pub(crate) fn of_report(claim: Claim, key: KnownKey) -> Self {
        let source = u32::MAX;
        Self {
            claim,
            key: SaidKey::Is(key),
            source,
            is_dated: false,
            is_journal: false,
            is_gone: false,
            is_doubtful: false,
            file: None,
        }
    }
}

impl Answers {
    /// The number of an answer.
    pub(crate) fn number(&self, answer: Answer) -> Result<u32, TooManyKeys> {
        let Answer { claim, source, is_dated, is_journal, is_gone, is_doubtful, file, .. } = answer;
        let key = match &answer.key {
            SaidKey::Nothing => None,
            SaidKey::Untold => Some(None),
            SaidKey::Is(known) => Some(Some(known.id)),
        };
        let key = (claim, key, source, is_dated, is_journal, is_gone, is_doubtful, file);
        let Known { answers, numbers } = &mut *lock(&self.known);
        if let Some(number) = numbers.get(&key) {
            return Ok(*number);
        }
        let number = u32::try_from(answers.len()).ok().filter(|number| *number < FIRST_SET).ok_or(TooManyKeys)?;
        answers.push(answer);
        numbers.insert(key, number);
        Ok(number)
    }

    /// The numbers of the answers of a fact that has several.
    pub(crate) fn several(&self, fact: Fact) -> Option<Vec<u32>> {
        (fact.answers >= FIRST_SET).then(|| self.members(fact.answers))
    }

    /// The number of the same answer from a file that may still turn out to be damaged.
    pub(crate) fn of_file(&self, number: u32, file: u32) -> Result<u32, TooManyKeys> {
        let answer = lock(&self.known).answers.get(number as usize).cloned().ok_or(TooManyKeys)?;
        self.number(Answer { file: Some(file), ..answer })
    }

    /// All of them, by number.
    pub(crate) fn list(&self) -> Vec<Answer> {
        lock(&self.known).answers.clone()
    }

    /// The numbers of the answers of a set.
    pub(crate) fn members(&self, number: u32) -> Vec<u32> {
        match number {
            MANY => Vec::new(),
            ..FIRST_SET => vec![number],
            set => lock(&self.sets).sets.get((set - FIRST_SET) as usize).cloned().unwrap_or_default(),
        }
    }

    /// The fact that all statements about a version come to; `list` has all answers. Files that turned out to be `spoiled`
    /// do not count.
    pub(crate) fn reduce(
        &self,
        list: &[Answer],
        statements: &[Statement],
        spoiled: &dyn Fn(u32) -> bool,
    ) -> Option<Fact> {
        let answer = |statement: &Statement| list.get(statement.answer as usize);
        let counts = |statement: &Statement| answer(statement).is_some_and(|answer| !answer.file.is_some_and(spoiled));
        if let [one] = *statements {
            let fact = Fact { time: one.time, answers: one.answer };
            return (counts(&one) && !answer(&one)?.is_gone).then_some(fact);
        }
        let is_journal = |statement: &Statement| answer(statement).is_some_and(|answer| answer.is_journal);
        let newest = statements.iter().filter(|one| is_journal(one) && counts(one)).map(|one| one.order).max();
        let is_superseded = |one: &Statement| is_journal(one) && Some(one.order) != newest;
        let said: Vec<&Statement> = statements
            .iter()
            .filter(|one| counts(one) && !is_superseded(one) && !answer(one).is_none_or(|answer| answer.is_gone))
            .collect();
        let time = said.iter().map(|one| one.time).max()?;
        let last = said.iter().filter(|one| one.time == time || answer(one).is_some_and(|answer| !answer.is_dated));
        let mut last: Vec<u32> = last.map(|one| one.answer).collect();
        Some(Fact { time, answers: self.set(&mut last) })
    }

    /// What two facts about the same row come to.
    pub(crate) fn combine(&self, list: &[Answer], one: Fact, other: Fact) -> Fact {
        let time = one.time.max(other.time);
        if one.answers == MANY || other.answers == MANY {
            return Fact { time, answers: MANY };
        }
        let is_dated = |number: &u32| list.get(*number as usize).is_some_and(|answer| answer.is_dated);
        let last = |fact: Fact| {
            let members = self.members(fact.answers).into_iter();
            members.filter(move |number| fact.time == time || !is_dated(number))
        };
        let mut answers: Vec<u32> = last(one).chain(last(other)).collect();
        Fact { time, answers: self.set(&mut answers) }
    }

    fn set(&self, answers: &mut Vec<u32>) -> u32 {
        answers.sort_unstable();
        answers.dedup();
        if let [one] = answers[..] {
            return one;
        }
        let Sets { sets, numbers } = &mut *lock(&self.sets);
        if let Some(number) = numbers.get(answers) {
            return *number;
        }
        if sets.len() >= MAX_SETS {
            return MANY;
        }
        let number = FIRST_SET + sets.len() as u32;
        sets.push(answers.clone());
        numbers.insert(answers.clone(), number);
        number
    }
}

/// What a row says that matters for evidence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowFacts {
    pub(crate) status: Status,
    /// Whether its version can be written again: the null version, or an object of a bucket without versions.
    pub(crate) is_null_version: bool,
    pub(crate) last_modified: Option<Timestamp>,
}

/// What a fact came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Weighed {
    /// It counts, and does not name a key.
    Keyless,
    /// It names the key.
    Known,
    /// All of it is older than the object.
    Stale,
    /// There are several answers.
    Conflict,
    /// It is about something else, and says nothing of the object.
    Nothing,
}

impl RowFacts {
    /// Those of a row with these cells.
    #[inline]
    pub(crate) fn new(status: Status, version_id: &[u8], last_modified: Option<Timestamp>) -> Self {
        Self { status, is_null_version: matches!(version_id, b"" | b"null"), last_modified }
    }

    /// Whether what was said at that time is about the object as it is.
    #[inline]
    pub(crate) fn is_fresh(&self, time: i64, is_dated: bool) -> bool {
        let second = |millis: i64| millis.div_euclid(1000);
        match self.last_modified {
            Some(modified) if second(time) >= second(modified.as_millis()) => true,
            // What was seen of a version that cannot be written again is true of it, whenever that was.
            Some(_) => !is_dated && !self.is_null_version,
            None => !self.is_null_version,
        }
    }

    /// How the object is encrypted if that claim is right; nothing if it does not concern the object.
    fn status_by(&self, claim: Claim) -> Option<Status> {
        let is_kms = matches!(self.status, Status::SseKms | Status::DsseKms);
        match claim {
            _ if !is_definite(self.status) => Some(self.status),
            Claim::Is(status) => Some(status),
            Claim::SomeKms | Claim::DataKey if is_kms => Some(self.status),
            Claim::SomeKms => Some(Status::SseKms),
            Claim::DataKey => None,
        }
    }
}

/// What one answer is worth that nothing contradicts, not even the row.
#[inline]
pub(crate) fn weigh_one<'a>(row: &RowFacts, time: i64, answer: &'a Answer) -> Option<(Weighed, KeyState<'a>)> {
    if answer.is_doubtful {
        return Some((Weighed::Nothing, KeyState::Unknown));
    }
    if !row.is_fresh(time, answer.is_dated) {
        return Some((Weighed::Stale, KeyState::Stale));
    }
    match (row.status_by(answer.claim), answer.key.known()) {
        (None, _) => Some((Weighed::Nothing, KeyState::Unknown)),
        (Some(status), _) if status != row.status => None,
        (Some(_), Some(known)) => Some((Weighed::Known, KeyState::Known(&known.key))),
        (Some(_), None) => Some((Weighed::Keyless, KeyState::Unknown)),
    }
}

/// Answers by how much they are to be trusted.
fn in_order<'a>(answers: impl Iterator<Item = &'a Answer> + Clone) -> impl Iterator<Item = &'a Answer> {
    let of = move |trust| answers.clone().filter(move |answer| answer.trust() == trust);
    of(Trust::Version).chain(of(Trust::DataKey)).chain(of(Trust::Doubtful))
}

/// What the answers about a row are worth. `alternatives` is for those that conflict.
pub(crate) fn weigh<'v, 'a: 'v>(
    row: &RowFacts,
    time: i64,
    answers: impl Iterator<Item = &'a Answer> + Clone,
    alternatives: &'v mut Vec<Alternative<'a>>,
) -> (Weighed, KeyState<'v>) {
    let (mut are_any, mut are_stale, mut contradicts, mut silent) = (false, false, false, Vec::new());
    let mut best = None;
    for answer in in_order(answers) {
        are_any = true;
        match answer.trust() {
            // They only matter where nothing better is known.
            Trust::DataKey if best == Some(Trust::Version) => continue,
            // By themselves they say nothing of this version.
            Trust::Doubtful if best.is_none() => continue,
            _ => {}
        }
        if answer.trust() != Trust::Doubtful && !row.is_fresh(time, answer.is_dated) {
            are_stale = true;
            continue;
        }
        let Some(status) = row.status_by(answer.claim) else { continue };
        best.get_or_insert(answer.trust());
        contradicts |= status != row.status;
        let (key, says_nothing) = (answer.key.known().map(|known| &*known.key), matches!(answer.key, SaidKey::Nothing));
        if says_nothing {
            silent.push(status);
        } else if !alternatives.iter().any(|one| one.status == status && one.key == key) {
            alternatives.push(Alternative { status, key });
        }
    }
    // Who does not name a key contradicts nobody who does.
    for status in silent {
        if !alternatives.iter().any(|one| one.status == status) {
            alternatives.push(Alternative { status, key: None });
        }
    }
    if !are_any {
        // More answers than are told apart.
        return (Weighed::Conflict, KeyState::Conflict(&[]));
    }
    if contradicts && !alternatives.iter().any(|one| one.status == row.status) {
        alternatives.push(Alternative { status: row.status, key: None });
    }
    match &alternatives[..] {
        [] if are_stale => (Weighed::Stale, KeyState::Stale),
        [] => (Weighed::Nothing, KeyState::Unknown),
        [Alternative { key: Some(key), .. }] => (Weighed::Known, KeyState::Known(key)),
        [_] => (Weighed::Keyless, KeyState::Unknown),
        several => (Weighed::Conflict, KeyState::Conflict(several)),
    }
}

/// Whether a report says how an object is encrypted.
fn is_definite(status: Status) -> bool {
    !matches!(status, Status::Blank | Status::Absent | Status::Unrecognised)
}

impl Value for Statement {
    const LEN: usize = 20;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.time.to_le_bytes());
        bytes.extend_from_slice(&self.order.to_le_bytes());
        bytes.extend_from_slice(&self.answer.to_le_bytes());
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk()?;
        let (order, rest) = rest.split_first_chunk()?;
        let answer = rest.first_chunk()?;
        Some(Self {
            time: i64::from_le_bytes(*time),
            order: u64::from_le_bytes(*order),
            answer: u32::from_le_bytes(*answer),
        })
    }
}

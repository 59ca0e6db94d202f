//! What sources say about versions of objects, in few bytes.
//!
//! A [`Word`] is one thing that was said or done, with its time. What many words share, above all the key, is an
//! [`Answer`], known by a number. Of all words about a version [`Keeper::keep`] holds on to those that can decide its key at
//! one of the moments that are audited, however many there are.

use std::collections::HashMap;
use std::sync::Mutex;

use super::KnownKey;
use super::TooManyKeys;
use crate::join::Value;
use crate::policy::Status;
use crate::work::lock;

/// Times of different clocks that are no further apart are one moment, in milliseconds.
pub(crate) const CLOCKS_MS: i64 = 2_000;

/// How long tables of S3 Metadata lag behind what happens, in milliseconds.
pub(crate) const TABLE_LAG_MS: i64 = 3_600_000;

/// What was said or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    /// The version was seen.
    Sighting(Sight),
    /// The version was made.
    Write,
    /// An upload in parts ended, and made the version as of its beginning.
    Upload,
    /// The version got another key.
    ReKeying,
    /// Something about the version changed: a sighting up to the audited moment, another key after it.
    Update,
    /// Something was begun near the time of a write.
    Hint(Hint),
}

/// When a version was as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sight {
    /// At the time of the word.
    Prompt,
    /// At that time or up to [`TABLE_LAG_MS`] later.
    Lagging,
}

/// What was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Hint {
    /// S3 or a log service asked for a data key.
    DataKey,
    /// Somebody else asked for a data key, or in somebody's name.
    ForeignDataKey,
    /// An upload in parts.
    Upload,
}

/// Of which version of its object something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    /// Of one that has an id.
    Version,
    /// Of the null version, where versions have names.
    NullVersion,
    /// Of the null version, or of the object of a bucket without versions.
    Unnamed,
    /// Of another version that was last modified then, which may be the one of a report that does not name versions.
    Listed,
    /// Of some version that was last modified then: the source does not name versions.
    Modified,
    /// Of any version that was there at the time.
    Any,
}

/// What a source says of the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claim {
    /// It is this one.
    Is(Status),
    /// It is SSE-KMS or DSSE-KMS.
    SomeKms,
    /// Nothing, or nothing that we know.
    Untold,
}

/// What a source says of the key.
#[derive(Clone, Debug)]
pub(crate) enum SaidKey {
    /// Nothing, or what cannot be told.
    Untold,
    /// This one.
    Is(KnownKey),
}

impl SaidKey {
    /// The key, if it can be told.
    pub(crate) fn known(&self) -> Option<&KnownKey> {
        match self {
            Self::Is(key) => Some(key),
            Self::Untold => None,
        }
    }
}

/// How the sequence numbers of a journal are spelled: those of one spelling have the order of their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spelling {
    /// The number of characters.
    pub(crate) len: u32,
    /// What the characters are.
    pub(crate) digits: Digits,
}

impl Spelling {
    /// The spelling of a sequence number, and the beginning of it as a number in the order of texts. Where that does not
    /// tell two records apart, their times do.
    pub(crate) fn of(number: &[u8]) -> (Self, u64) {
        let is_of = |digit: fn(&u8) -> bool| number.len() >= 16 && number.iter().all(digit);
        let digits = match () {
            () if is_of(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')) => Digits::Upper,
            () if is_of(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => Digits::Lower,
            () => Digits::Text,
        };
        let spelling = Self { len: number.len() as u32, digits };
        let first = number.iter().copied().chain(std::iter::repeat(0));
        let order = match digits {
            Digits::Text => first.take(8).fold(0, |order, byte| order << 8 | u64::from(byte)),
            _ => {
                first.take(16).fold(0, |order, byte| order << 4 | u64::from(char::from(byte).to_digit(16).unwrap_or(0)))
            }
        };
        (spelling, order)
    }
}

/// What the characters of a sequence number are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Digits {
    /// `0-9A-F`.
    Upper,
    /// `0-9a-f`.
    Lower,
    /// Anything.
    Text,
}

/// What words share.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) what: What,
    pub(crate) of: Of,
    /// How the object is encrypted.
    pub(crate) claim: Claim,
    /// Under which key.
    pub(crate) key: SaidKey,
    /// The position of the source.
    pub(crate) source: u32,
    /// Of the sequence numbers, if it is from a journal.
    pub(crate) spelling: Option<Spelling>,
    /// The file, if that may still turn out to be damaged.
    pub(crate) file: Option<u32>,
}

/// One thing that was said or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Word {
    /// When, in milliseconds since the epoch; [`UNDATED`] if nobody knows.
    pub(crate) time: i64,
    /// What tells it from others: of a sighting the ETag, of uploads the upload, of a journal's records their order.
    pub(crate) mark: u64,
    /// In which second since the epoch the version was last modified, or [`NO_SECOND`].
    pub(crate) modified: u32,
    /// The number of the answer.
    pub(crate) answer: u32,
}

/// The time of a word that has none: it may be any.
pub(crate) const UNDATED: i64 = i64::MIN;
/// The second of a word that names none.
pub(crate) const NO_SECOND: u32 = u32::MAX;
/// The mark of a word that has none.
pub(crate) const NO_MARK: u64 = 0;

/// A second since the epoch as words have it. Seconds that no object has are none of any.
pub(crate) fn second_of(millis: i64) -> u32 {
    u32::try_from(millis.div_euclid(1000)).unwrap_or(NO_SECOND - 1)
}

/// The number of an answer that stands for more words than are held: anything may have happened.
pub(crate) const TOO_MANY: u32 = u32::MAX;

/// Answers by number.
#[derive(Default)]
pub(crate) struct Answers {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    answers: Vec<Answer>,
    numbers: HashMap<AnswerKey, u32>,
}

/// What tells answers apart.
type AnswerKey = (What, Of, Claim, Option<u32>, u32, Option<Spelling>, Option<u32>);

impl Answers {
    /// The number of an answer.
    pub(crate) fn number(&self, answer: Answer) -> Result<u32, TooManyKeys> {
        let Answer { what, of, claim, source, spelling, file, .. } = answer;
        let key = (what, of, claim, answer.key.known().map(|known| known.id), source, spelling, file);
        let Known { answers, numbers } = &mut *lock(&self.known);
        if let Some(number) = numbers.get(&key) {
            return Ok(*number);
        }
        let number = u32::try_from(answers.len()).ok().filter(|number| *number < TOO_MANY).ok_or(TooManyKeys)?;
        answers.push(answer);
        numbers.insert(key, number);
        Ok(number)
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
}

/// What is needed of the words about one version.
pub(crate) struct Keeper<'k> {
    /// The answers by number.
    pub(crate) answers: &'k [Answer],
    /// The audited moments, in order; for rows that were modified later, the time is their own.
    pub(crate) moments: &'k [i64],
    /// Whether a file turned out to be damaged: nothing that it says counts.
    pub(crate) is_spoiled: &'k (dyn Fn(u32) -> bool + Sync),
}

impl Keeper<'_> {
    /// So many words are held as they are.
    const FEW: usize = 8;
    /// More than so many that all matter are one that says that anything may have happened.
    const MOST: usize = 1 << 12;

    /// Removes words of damaged files, words that come twice, and words that cannot be the last of their kind before one of
    /// the moments, nor the first after it.
    pub(crate) fn keep(&self, words: &mut Vec<Word>) {
        words.retain(|word| self.counts(word));
        if words.len() < 2 {
            return;
        }
        words.sort_unstable_by_key(|word| (word.answer, word.modified, word.kind_mark(self.answers), *word));
        words.dedup();
        if words.len() > Self::FEW {
            let all = std::mem::take(words);
            let is_journal_in_order = self.is_journal_in_order(&all);
            let is_alike = |one: &Word, other: &Word| {
                (one.answer, one.modified, one.kind_mark(self.answers))
                    == (other.answer, other.modified, other.kind_mark(self.answers))
            };
            all.chunk_by(is_alike).for_each(|alike| self.keep_alike(alike, is_journal_in_order, words));
        }
        if words.len() > Self::MOST {
            *words = vec![Word { time: UNDATED, mark: NO_MARK, modified: NO_SECOND, answer: TOO_MANY }];
        }
    }

    fn counts(&self, word: &Word) -> bool {
        let answer = self.answers.get(word.answer as usize);
        answer.is_some_and(|answer| !answer.file.is_some_and(self.is_spoiled))
    }

    /// Whether no record of a journal has a number that contradicts its time. Where one does, all of them matter.
    fn is_journal_in_order(&self, words: &[Word]) -> bool {
        let spelling = |word: &Word| self.answers.get(word.answer as usize)?.spelling;
        let mut records: Vec<(Spelling, &Word)> =
            words.iter().filter_map(|word| Some((spelling(word)?, word))).collect();
        records.sort_unstable_by_key(|(spelling, word)| (spelling.len, spelling.digits as u8, word.time, word.mark));
        records.chunk_by(|one, other| one.0 == other.0).all(|records| {
            let mut highest = 0;
            records.chunk_by(|one, other| one.1.time == other.1.time).all(|together| {
                let is_later = together.iter().all(|(_, word)| word.mark >= highest);
                highest = together.iter().map(|(_, word)| word.mark).max().unwrap_or(0).max(highest);
                is_later
            })
        })
    }

    /// Keeps the extremes of words that differ in nothing but their time and order: the first of all, and around each moment
    /// the last before and the first after it, with all of what clocks cannot tell from the moment itself.
    fn keep_alike(&self, alike: &[Word], is_journal_in_order: bool, kept: &mut Vec<Word>) {
        let Some(answer) = alike.first().and_then(|word| self.answers.get(word.answer as usize)) else { return };
        let is_disputed = answer.spelling.is_some() && !is_journal_in_order;
        // Which of them are later than the version of a row is known only then.
        let is_of_several = answer.what == What::ReKeying && answer.of != Of::Version;
        if alike.len() <= 2 || is_of_several || is_disputed {
            kept.extend_from_slice(alike);
            return;
        }
        let mut times: Vec<&Word> = alike.iter().collect();
        times.sort_unstable();
        let mut needed = vec![0, times.len() - 1];
        let lags = answer.what == What::Sighting(Sight::Lagging);
        for moment in self.moments {
            let edges = [moment - CLOCKS_MS, *moment, moment + CLOCKS_MS];
            // The last that cannot show what came after the moment.
            let shown = lags.then_some(moment - CLOCKS_MS - TABLE_LAG_MS);
            for edge in edges.into_iter().chain(shown) {
                let after = times.partition_point(|word| word.time <= edge);
                needed.extend([after.saturating_sub(1), after.min(times.len() - 1)]);
            }
        }
        needed.sort_unstable();
        needed.dedup();
        kept.extend(needed.into_iter().map(|at| *times[at]));
    }
}

impl Word {
    /// What tells it from words of the same answer, beside its time and its order.
    fn kind_mark(&self, answers: &[Answer]) -> u64 {
        match answers.get(self.answer as usize) {
            Some(Answer { spelling: None, .. }) => self.mark,
            _ => NO_MARK,
        }
    }
}

impl Value for Word {
    const LEN: usize = 24;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.time.to_le_bytes());
        bytes.extend_from_slice(&self.mark.to_le_bytes());
        bytes.extend_from_slice(&self.modified.to_le_bytes());
        bytes.extend_from_slice(&self.answer.to_le_bytes());
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk()?;
        let (mark, rest) = rest.split_first_chunk()?;
        let (modified, rest) = rest.split_first_chunk()?;
        Some(Self {
            time: i64::from_le_bytes(*time),
            mark: u64::from_le_bytes(*mark),
            modified: u32::from_le_bytes(*modified),
            answer: u32::from_le_bytes(*rest.first_chunk()?),
        })
    }
}

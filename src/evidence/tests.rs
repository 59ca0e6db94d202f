//! What is kept of many words decides as all of them do.

use std::sync::Arc;

use super::KnownKey;
use super::statements::{RowFacts, RowVersion};
use super::unattributed::Elsewhere;
use super::words::{
    Answer, CLOCKS_MS, Claim, Digits, Hint, Keeper, NO_MARK, NO_SECOND, Of, SaidKey, Sight, Spelling, UNDATED, What,
    Word, second_of,
};
use super::worlds::{FIRST_REKEYING, World};
use crate::delivery::{CompleteLogs, Delivery};
use crate::policy::{Checker, EvidenceAssumptions, KeyArn, KeyName, Policy, Status};
use crate::timestamp::Timestamp;

/// Numbers that look random.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

fn keys() -> Vec<KnownKey> {
    let policy = Policy::from_toml("[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\"]\n").expect("a policy");
    let checker = Checker::new(policy, Timestamp::now());
    let arn = |id: u32| KeyArn::parse(&format!("arn:aws:kms:us-east-1:111122223333:key/{id}")).expect("an ARN");
    (0..3).map(|id| KnownKey { id, key: Arc::new(checker.key(KeyName::Arn(&arn(id)))) }).collect()
}

/// All that is said in a round: of a version with an id, or of a null version.
fn answers(of: Of) -> Vec<Answer> {
    let keys = keys();
    let said = keys.iter().cloned().map(SaidKey::Is).chain([SaidKey::Untold]);
    let (prompt, lagging) = (What::Sighting(Sight::Prompt), What::Sighting(Sight::Lagging));
    let whats = [prompt, lagging, What::Write, What::ReKeying, What::Update];
    let spelling = Spelling { len: 16, digits: Digits::Upper };
    let mut answers = Vec::new();
    for key in said {
        for what in whats {
            let spellings = if what == What::Update { vec![None, Some(spelling)] } else { vec![None] };
            for spelling in spellings {
                let (claim, key) = (Claim::Is(Status::SseKms), key.clone());
                answers.push(Answer { what, of, claim, key, source: 0, spelling, file: None });
            }
        }
    }
    answers
}

fn word(draws: &mut Draws, answers: &[Answer], modified: i64, span: i64) -> Word {
    let answer = draws.below(answers.len() as u64) as u32;
    let Answer { what, of, spelling, .. } = &answers[answer as usize];
    let time = modified + draws.below(span as u64) as i64 * 1000;
    let is_undated = matches!(what, What::Sighting(_)) && draws.below(20) == 0;
    let names_second = *of != Of::Version && *what != What::ReKeying;
    Word {
        time: if is_undated { UNDATED } else { time },
        mark: if spelling.is_some() { draws.below(1000) } else { NO_MARK },
        modified: if names_second { second_of(modified) } else { NO_SECOND },
        answer,
    }
}

/// Proven from about a write on, for about as long as words are said.
fn delivery(draws: &mut Draws, modified: i64, span: i64) -> Delivery {
    let from = modified + draws.pick(&[-CLOCKS_MS - 1000, -CLOCKS_MS, 0, 5_000]);
    let until = from + 24 * 3_600_000 + draws.below(span as u64 + 10) as i64 * 1000;
    Delivery::of([(from, until)])
}

/// What becomes of the statement that logs are complete.
fn logs<'d>(draws: &mut Draws, assumed: EvidenceAssumptions, delivery: &'d Delivery) -> CompleteLogs<'d> {
    match assumed.logs_are_complete {
        false => CompleteLogs::Never,
        true => draws.pick(&[CompleteLogs::Always, CompleteLogs::Delivered(delivery)]),
    }
}

#[test]
fn what_is_kept_of_many_words_decides_as_all_of_them_do() {
    let mut draws = Draws(7);
    let mut pruned = 0;
    for round in 0..6_000 {
        let (version, of) = draws.pick(&[(RowVersion::Named, Of::Version), (RowVersion::Null, Of::NullVersion)]);
        let answers = answers(of);
        let span = draws.pick(&[10, 60, 4000]);
        let modified = FIRST_REKEYING + draws.pick(&[-3_000_000, -20_000, 5_000]);
        // Most of the words are of few kinds, so that there are many of each.
        let few: Vec<Answer> =
            (0..1 + draws.below(4)).map(|_| answers[draws.below(answers.len() as u64) as usize].clone()).collect();
        let mut words: Vec<Word> = (0..draws.below(80)).map(|_| word(&mut draws, &few, modified, span)).collect();
        let mut moments: Vec<i64> =
            (0..1 + draws.below(3)).map(|_| modified + draws.below(span as u64) as i64 * 1000).collect();
        moments.sort_unstable();
        let row = RowFacts {
            status: Status::SseKms,
            version,
            modified: Some(modified),
            etag: NO_MARK,
            moment: Some(draws.pick(&moments)),
            has_bucket_key: false,
        };
        let assumed = EvidenceAssumptions {
            max_age: draws.pick(&[None, Some(10 * CLOCKS_MS), Some(3_600_000)]),
            logs_are_complete: draws.below(2) == 0,
            hints_decide: false,
        };
        let delivery = delivery(&mut draws, modified, span);
        let world = World { answers: &few, assumed, logs: logs(&mut draws, assumed, &delivery) };
        let decide = |words: &[Word]| {
            let mut alternatives = Vec::new();
            let decided = world.decide(&row, words, None, &Elsewhere::default(), &mut alternatives);
            let is_rekeyed_since = decided.is_rekeyed_since;
            let mut state = format!("{:?} {:?}", decided.weighed, decided.state);
            if matches!(decided.state, crate::policy::KeyState::Among(..)) {
                let mut names: Vec<_> = alternatives
                    .iter()
                    .map(|one| format!("{:?} {:?}", one.status, one.key.map(|key| &key.name)))
                    .collect();
                names.sort();
                state = names.join(", ");
            }
            (state, is_rekeyed_since)
        };
        let all = decide(&words);
        let count = words.len();
        let keeper = Keeper { answers: &few, moments: &moments, is_spoiled: &|_| false };
        let before = words.clone();
        keeper.keep(&mut words);
        pruned += usize::from(words.len() + 20 < count);
        assert_eq!(decide(&words), all, "round {round}: {row:?}\n{assumed:?}\n{before:?}\n{words:?}\n{few:?}");
    }
    assert!(pruned > 500, "the test keeps less than was said: {pruned}");
}

#[test]
fn the_short_way_for_one_word_decides_as_the_long_one_does() {
    let mut draws = Draws(11);
    let answers = answers(Of::Version);
    let mut known = 0;
    for _ in 0..20_000 {
        let modified = FIRST_REKEYING + draws.pick(&[-3_000_000, -20_000, 5_000]);
        let span = draws.pick(&[4, 10, 4000]);
        let word = word(&mut draws, &answers, modified - 3_000, span);
        let row = RowFacts {
            status: draws.pick(&[Status::SseKms, Status::SseS3, Status::Blank]),
            version: RowVersion::Named,
            modified: Some(modified),
            etag: NO_MARK,
            moment: draws.pick(&[None, Some(modified), Some(modified + 3_000), Some(modified + 3_600_000)]),
            has_bucket_key: false,
        };
        let assumed = EvidenceAssumptions {
            max_age: draws.pick(&[None, Some(CLOCKS_MS), Some(3_600_000)]),
            logs_are_complete: draws.below(2) == 0,
            hints_decide: false,
        };
        let delivery = delivery(&mut draws, modified, span);
        let world = World { answers: &answers, assumed, logs: logs(&mut draws, assumed, &delivery) };
        let Some((weighed, _)) = world.decide_one(&row, &word) else { continue };
        let mut alternatives = Vec::new();
        let decided = world.decide(&row, &[word], None, &Elsewhere::default(), &mut alternatives);
        assert_eq!(weighed, decided.weighed, "{row:?} {word:?} {assumed:?} {:?}", answers[word.answer as usize]);
        known += usize::from(weighed == super::Weighed::Known);
    }
    assert!(known > 1_000, "too few to tell: {known}");
}

/// The key that is known of a version with an id at a moment, in seconds since a month after keys could change first, of
/// what is said at these seconds after it. Each known key was not changed unseen for a week.
fn known_at(moment: i64, said: &[(What, usize, Option<i64>)]) -> Option<u32> {
    let moment = FIRST_REKEYING + 30 * 86_400_000 + moment * 1000;
    let keys = keys();
    let answer = |(what, key, _): &(What, usize, Option<i64>)| Answer {
        what: *what,
        of: Of::Version,
        claim: Claim::Is(Status::SseKms),
        key: SaidKey::Is(keys[*key].clone()),
        source: 0,
        spelling: None,
        file: None,
    };
    let answers: Vec<Answer> = said.iter().map(answer).collect();
    let word = |((_, _, second), answer): (&(What, usize, Option<i64>), u32)| Word {
        time: second.map_or(UNDATED, |second| moment + second * 1000),
        mark: NO_MARK,
        modified: NO_SECOND,
        answer,
    };
    let words: Vec<Word> = said.iter().zip(0..).map(word).collect();
    let row = RowFacts {
        status: Status::SseKms,
        version: RowVersion::Named,
        modified: Some(moment - 300 * 86_400_000),
        etag: NO_MARK,
        moment: Some(moment),
        has_bucket_key: false,
    };
    let assumed = EvidenceAssumptions { max_age: Some(7 * 86_400_000), logs_are_complete: false, hints_decide: false };
    let mut alternatives = Vec::new();
    let decided = World { answers: &answers, assumed, logs: CompleteLogs::Never }.decide(
        &row,
        &words,
        None,
        &Elsewhere::default(),
        &mut alternatives,
    );
    decided.key.map(|key| key.id)
}

/// The same in that month.
fn known_of(said: &[(What, usize, i64)]) -> Option<u32> {
    let said: Vec<_> = said.iter().map(|(what, key, second)| (*what, *key, Some(*second))).collect();
    known_at(0, &said)
}

#[test]
fn a_table_of_the_hour_after_the_moment_does_not_tell_a_key_that_came_after_it() {
    let (seen, table) = (What::Sighting(Sight::Prompt), What::Sighting(Sight::Lagging));
    // The table says what was so half an hour before the moment, or half an hour after it.
    assert_eq!(known_of(&[(table, 1, -1800)]), Some(1));
    assert_eq!(known_of(&[(table, 1, -1800), (What::ReKeying, 1, 900)]), None);
    assert_eq!(known_of(&[(seen, 0, -80_000), (table, 1, -1800), (What::ReKeying, 1, 900)]), Some(0));
    // Nothing explains what it shows.
    assert_eq!(known_of(&[(seen, 0, -80_000), (table, 2, -1800), (What::ReKeying, 1, 900)]), None);
    // It is from before the change.
    assert_eq!(known_of(&[(seen, 0, -80_000), (table, 1, -1800), (What::ReKeying, 2, 3600)]), Some(1));
}

#[test]
fn what_has_no_time_decides_unless_it_names_a_key_that_came_later() {
    const EARLY: i64 = -40 * 86_400;
    let known = |said: &[(What, usize, Option<i64>)]| known_at(EARLY, said);
    let (seen, changed) = (What::Sighting(Sight::Prompt), What::ReKeying);
    let later = Some(20 * 86_400);
    assert_eq!(known(&[(seen, 0, None)]), Some(0));
    assert_eq!(known(&[(seen, 0, None), (changed, 1, later)]), Some(0));
    assert_eq!(known(&[(seen, 1, None), (changed, 1, later)]), None);
    assert_eq!(known(&[(seen, 1, None), (seen, 1, Some(-60)), (changed, 1, later)]), Some(1));
    assert_eq!(known(&[(seen, 1, None), (seen, 0, Some(-60)), (changed, 1, later)]), Some(0));
}

#[test]
fn what_is_seen_after_the_moment_counts_until_the_next_change() {
    let (seen, table) = (What::Sighting(Sight::Prompt), What::Sighting(Sight::Lagging));
    assert_eq!(known_of(&[(seen, 0, 900), (What::ReKeying, 1, 1800)]), Some(0));
    assert_eq!(known_of(&[(table, 0, 900), (What::ReKeying, 1, 1800)]), None);
    assert_eq!(known_of(&[(seen, 0, 900), (What::ReKeying, 1, 600)]), None);
}

/// A version of 2026-03-01 under SSE-KMS, as a report of a day later lists it.
const MADE: RowFacts = RowFacts {
    status: Status::SseKms,
    version: RowVersion::Named,
    modified: Some(1_772_323_200_000),
    etag: NO_MARK,
    moment: Some(1_772_409_600_000),
    has_bucket_key: false,
};

const LOGS_ARE_COMPLETE: EvidenceAssumptions =
    EvidenceAssumptions { max_age: None, logs_are_complete: true, hints_decide: false };

fn answer(what: What, of: Of, key: Option<&KnownKey>) -> Answer {
    let (claim, key) = match key {
        Some(key) => (Claim::Is(Status::SseKms), SaidKey::Is(key.clone())),
        None => (Claim::Untold, SaidKey::Untold),
    };
    Answer { what, of, claim, key, source: 0, spelling: None, file: None }
}

/// The number of the key that these words show, if they show one.
fn shown(row: &RowFacts, said: &[(Answer, i64, u64)], assumed: EvidenceAssumptions) -> Option<u32> {
    let answers: Vec<Answer> = said.iter().map(|(answer, ..)| answer.clone()).collect();
    let word = |(number, (answer, time, mark)): (u32, &(Answer, i64, u64))| {
        let modified = match answer.what {
            // A journal names the second.
            What::Write if answer.spelling.is_some() => second_of(row.modified.unwrap_or(0)),
            What::Write | What::Hint(_) => second_of(*time),
            _ => NO_SECOND,
        };
        Word { time: *time, mark: *mark, modified, answer: number }
    };
    let words: Vec<Word> = std::iter::zip(0.., said).map(word).collect();
    let mut alternatives = Vec::new();
    let logs = if assumed.logs_are_complete { CompleteLogs::Always } else { CompleteLogs::Never };
    let world = World { answers: &answers, assumed, logs };
    world.decide(row, &words, None, &Elsewhere::default(), &mut alternatives).key.map(|key| key.id)
}

/// Its beginning is a hint, and its own write tells more than any.
#[test]
fn an_upload_has_the_key_that_its_end_names() {
    let keys = keys();
    let begun = |key, mark| (answer(What::Hint(Hint::Upload), Of::Any, key), MADE.modified.unwrap_or(0), mark);
    let ended = |key| (answer(What::Upload, Of::Version, key), MADE.modified.unwrap_or(0) + 60_000, 5);
    let shown = |said: &[(Answer, i64, u64)]| shown(&MADE, said, LOGS_ARE_COMPLETE);
    assert_eq!(shown(&[ended(Some(&keys[2]))]), Some(2));
    assert_eq!(shown(&[ended(None)]), None);
    assert_eq!(shown(&[begun(Some(&keys[1]), 5), ended(None)]), None);
    assert_eq!(shown(&[begun(Some(&keys[1]), 5), ended(Some(&keys[1]))]), Some(1));
    // Another upload that was begun in that second made another version.
    assert_eq!(shown(&[begun(Some(&keys[0]), 6), ended(Some(&keys[2]))]), Some(2));
    // Nor did it make what a copy or a put made.
    let put = (answer(What::Write, Of::Version, Some(&keys[2])), MADE.modified.unwrap_or(0), NO_MARK);
    assert_eq!(shown(&[begun(Some(&keys[0]), 6), put]), Some(2));
}

/// A report and a sighting of before re-keyings, but for what a clock or a table may be late.
#[test]
fn what_is_seen_just_before_the_first_re_keying_may_be_of_after_it() {
    let keys = keys();
    let row =
        RowFacts { modified: Some(FIRST_REKEYING - 90_000_000), moment: Some(FIRST_REKEYING - 86_400_000), ..MADE };
    let nothing = EvidenceAssumptions { logs_are_complete: false, ..LOGS_ARE_COMPLETE };
    for (sight, before, seen) in [
        (Sight::Lagging, 3_602_001, Some(1)),
        (Sight::Lagging, 3_602_000, None),
        (Sight::Prompt, 2_001, Some(1)),
        (Sight::Prompt, 2_000, None),
    ] {
        let sighting = answer(What::Sighting(sight), Of::Version, Some(&keys[1]));
        let sighting = (sighting, FIRST_REKEYING - before, NO_MARK);
        assert_eq!(shown(&row, std::slice::from_ref(&sighting), nothing), seen, "{before}");
        assert_eq!(shown(&row, &[sighting], LOGS_ARE_COMPLETE), Some(1), "{before}");
    }
}

#[test]
fn an_upload_that_ends_at_the_moment_may_have_ended_after_it() {
    let keys = keys();
    let (made, moment) = (MADE.modified.unwrap_or(0), MADE.moment.unwrap_or(0));
    let row = RowFacts { version: RowVersion::Null, ..MADE };
    for (ended, key) in [(moment - 2_000, Some(0)), (moment - 1_000, None), (moment + 2_000, None)] {
        let begun = (answer(What::Hint(Hint::Upload), Of::Any, Some(&keys[0])), made, 5);
        let recorded = Answer {
            spelling: Some(Spelling { len: 16, digits: Digits::Upper }),
            ..answer(What::Write, Of::Unnamed, Some(&keys[0]))
        };
        let recorded = (recorded, ended, 1);
        let ended = (answer(What::Upload, Of::Unnamed, Some(&keys[0])), ended, 5);
        assert_eq!(shown(&row, &[begun, ended], LOGS_ARE_COMPLETE), key);
        assert_eq!(shown(&row, &[recorded], LOGS_ARE_COMPLETE), key);
    }
}

/// It is older than the moment by an unknown time, whatever else was said later.
#[test]
fn a_late_table_does_not_make_an_undated_word_young() {
    let keys = keys();
    let moment = MADE.moment.unwrap_or(0);
    let word = |what, key: usize, time| (answer(what, Of::Version, Some(&keys[key])), time, NO_MARK);
    let said = [
        word(What::Sighting(Sight::Prompt), 2, UNDATED),
        word(What::Sighting(Sight::Lagging), 1, moment - 600_000),
        word(What::ReKeying, 1, moment + 900_000),
    ];
    let young = EvidenceAssumptions { max_age: Some(21_600_000), logs_are_complete: false, hints_decide: false };
    assert_eq!(shown(&MADE, &said, young), None);
}

#[test]
fn a_table_is_never_of_the_very_moment() {
    let keys = keys();
    let moment = MADE.moment.unwrap_or(0);
    let young = EvidenceAssumptions { max_age: Some(60_000), logs_are_complete: false, hints_decide: false };
    let nothing = EvidenceAssumptions { max_age: None, ..young };
    for offset in [-2_000, 0, 2_000] {
        let seen = |sight| (answer(What::Sighting(sight), Of::Version, Some(&keys[1])), moment + offset, NO_MARK);
        assert_eq!(shown(&MADE, &[seen(Sight::Prompt)], nothing), Some(1));
        assert_eq!(shown(&MADE, &[seen(Sight::Lagging)], nothing), None);
        assert_eq!(shown(&MADE, &[seen(Sight::Lagging)], young), Some(1));
        // It may show what the version got within the hour.
        let got = |at| (answer(What::ReKeying, Of::Version, Some(&keys[1])), moment + at, NO_MARK);
        assert_eq!(shown(&MADE, &[seen(Sight::Lagging), got(offset + 3_602_000)], young), None);
        assert_eq!(shown(&MADE, &[seen(Sight::Lagging), got(offset + 3_603_000)], young), Some(1));
    }
}

/// Of the null version, what names no second: a list of one key, or a re-keying.
#[test]
fn what_names_the_null_version_may_be_of_what_replaced_it() {
    let keys = keys();
    let (made, moment) = (MADE.modified.unwrap_or(0), MADE.moment.unwrap_or(0));
    let row = RowFacts { version: RowVersion::Null, ..MADE };
    let word = |what, key: Option<usize>, time| (answer(what, Of::NullVersion, key.map(|key| &keys[key])), time, 5);
    let key = |mut said: Vec<(Answer, i64, u64)>| {
        said.insert(0, word(What::Write, Some(0), made));
        shown(&row, &said, LOGS_ARE_COMPLETE)
    };
    for what in [What::Sighting(Sight::Prompt), What::ReKeying] {
        assert_eq!(key(vec![word(what, Some(1), moment - 3_000)]), Some(1));
        // What was written just after the moment may be what was seen.
        assert_eq!(key(vec![word(what, Some(1), moment + 1_000)]), None);
        // An upload that ended since may have made the object of the report; one that ended after the moment has not.
        assert_eq!(key(vec![word(what, Some(1), moment - 9_000), word(What::Upload, None, moment - 5_000)]), None);
        assert_eq!(key(vec![word(what, Some(1), moment - 9_000), word(What::Upload, None, moment + 5_000)]), Some(1));
    }
}

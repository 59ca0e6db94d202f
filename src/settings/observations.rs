//! What exports say of one setting, when, and which of it is so now.

use std::collections::BTreeMap;

use crate::timestamp::Timestamp;

/// One file of an export: its place in the list of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SourceId(pub(super) u32);

/// That a source said it, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mark {
    /// The first moment at which it may have been said.
    pub(super) at: Option<Timestamp>,
    pub(super) source: SourceId,
    /// So many seconds later it was said at the latest: answers in a tree have the time of their export only.
    pub(super) lasted: u32,
}

impl Mark {
    /// The last moment at which it may have been said.
    pub(super) fn until(self) -> Option<Timestamp> {
        let at = self.at?;
        Timestamp::from_millis(at.as_millis() + i64::from(self.lasted) * 1_000).or(Some(at))
    }
}

/// What was answered to a question for a setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer<T> {
    Known(T),
    /// That there is none, which is an answer.
    Absent,
    /// A part of an answer: more pages were not fetched.
    Incomplete(T),
    /// What was asked for is not there any more.
    Gone,
    /// No answer: the code of the refusal.
    Refused(String),
    /// Something that is no answer to this question.
    Unreadable,
}

impl<T> Answer<T> {
    /// The same with another form of its value.
    pub(super) fn map(self, form: impl FnOnce(T) -> T) -> Self {
        match self {
            Self::Known(value) => Self::Known(form(value)),
            Self::Incomplete(value) => Self::Incomplete(form(value)),
            other => other,
        }
    }

    /// The same as a part of what there is.
    pub(super) fn partial(self) -> Self {
        match self {
            Self::Known(value) => Self::Incomplete(value),
            other => other,
        }
    }

    /// Whether somebody answered.
    fn is_answer(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// The first and the last time of marks, which are in order: what has no time comes first. A trail of an organisation has a mark for
/// each of its accounts and Regions.
fn ends(marks: &[Mark]) -> impl Iterator<Item = Option<Timestamp>> {
    [marks.first(), marks.last()].into_iter().flatten().map(|mark| mark.at)
}

/// The last moment at which any of some answers may have been given; what has no time may be newer than all else.
fn last_moment<'o, T: 'o>(
    answers: impl Iterator<Item = (&'o Answer<T>, &'o Vec<Mark>)>,
    clock: &Clock,
) -> Option<Timestamp> {
    let ends = answers.flat_map(|(_, marks)| [marks.first(), marks.last()]).flatten();
    ends.map(|mark| clock.time_of(mark.until())).max()
}

/// All that was said of one setting of one resource.
#[derive(Clone, Debug)]
pub(super) struct Observations<T> {
    answers: BTreeMap<Answer<T>, Vec<Mark>>,
    /// No mark lasted longer, in seconds.
    longest: u32,
}

impl<T> Default for Observations<T> {
    fn default() -> Self {
        Self { answers: BTreeMap::new(), longest: 0 }
    }
}

/// What is so now, and who says it.
#[derive(Clone, Debug)]
pub(super) struct Now<'o, T> {
    pub(super) said: Said<'o, T>,
    pub(super) marks: &'o [Mark],
    pub(super) at: Option<Timestamp>,
    /// It was told between `at` and then.
    pub(super) until: Option<Timestamp>,
    /// What was so, and is too old to count.
    pub(super) stale: Option<&'o T>,
}

/// What is known of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<'o, T> {
    Known(&'o T),
    /// It is known that there is none.
    Absent,
    /// Some of it.
    Incomplete(&'o T),
    Unknown(Why),
}

/// Why a setting is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Nobody asked.
    Missing,
    Refused,
    /// What stands in the place of the answer is none.
    Unreadable,
    /// Two sources of one time differ.
    Disagree,
    /// The newest answer is older than the standard allows.
    Stale,
    /// No answer has a time.
    Undated,
    /// The newest answer is of a time that has not come.
    Future,
}

impl Why {
    /// The reason of a row whose own reason says that an answer is lacking.
    pub(super) fn reason(self, lacking: &'static str) -> &'static str {
        match self {
            Self::Missing | Self::Refused | Self::Unreadable => lacking,
            Self::Disagree => "sources_disagree",
            Self::Stale => "export_stale",
            Self::Undated => "export_undated",
            Self::Future => "export_in_future",
        }
    }
}

/// What "now" means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) as_of: Timestamp,
    /// In milliseconds.
    pub(super) max_age: Option<i64>,
    /// The time of exports that have none.
    pub(super) undated: Option<Timestamp>,
}

impl Clock {
    /// When something was so; what has no time, or one that has not come, may be newer than all else.
    pub(super) fn time_of(&self, at: Option<Timestamp>) -> Timestamp {
        at.or(self.undated).filter(|at| self.has_come(*at)).unwrap_or(Timestamp::MAX)
    }

    /// Whether what was so then can be so now.
    pub(super) fn has_come(&self, at: Timestamp) -> bool {
        at.as_millis() <= self.as_of.as_millis() + TOLERANCE_MS
    }
}

/// Clocks differ by so many milliseconds.
const TOLERANCE_MS: i64 = 5 * 60_000;

impl<T: Ord> Observations<T> {
    pub(super) fn add(&mut self, answer: Answer<T>, mark: Mark) {
        self.longest = self.longest.max(mark.lasted);
        self.answers.entry(answer).or_default().push(mark);
    }

    /// Forgets everything else.
    pub(super) fn set(&mut self, value: T, mark: Mark) {
        *self = Self::default();
        self.add(Answer::Known(value), mark);
    }

    /// What is so now. The newest answer decides, unless another one may be as new; refusals are none, but stand where nothing else
    /// does.
    pub(super) fn now(&self, clock: &Clock) -> Now<'_, T> {
        let answers = || self.answers.iter().filter(|(answer, _)| answer.is_answer());
        let time = |marks: &[Mark]| ends(marks).filter_map(|at| at.or(clock.undated)).max();
        let newest = answers().filter_map(|(answer, marks)| Some((time(marks)?, answer, marks)));
        // What cannot be read contradicts nothing; it comes last in the order of answers.
        let newest = newest.reduce(|best, next| if next.0 > best.0 { next } else { best });
        // What has no time can be newer than all else.
        let is_undated = |marks: &[Mark]| ends(marks).any(|at| at.or(clock.undated).is_none());
        let contradiction =
            answers().find(|(answer, marks)| is_undated(marks) && newest.is_none_or(|(_, known, _)| *answer != known));
        let unknown = |why, marks, at| Now { said: Said::Unknown(why), marks, at, until: at, stale: None };
        if let Some((_, marks)) = contradiction {
            return unknown(Why::Undated, marks, None);
        }
        let Some((at, answer, marks)) = newest else {
            let refused = self.answers.iter().find(|(answer, _)| !answer.is_answer());
            return match refused {
                Some((_, marks)) => unknown(Why::Refused, marks, marks.iter().filter_map(|mark| mark.at).max()),
                None => unknown(Why::Missing, &[], None),
            };
        };
        // Whoever was told last was told at the end of that time, if not before.
        let until = marks.last().and_then(|mark| mark.until()).max(Some(at));
        if until.is_some_and(|until| !clock.has_come(until)) {
            return unknown(Why::Future, marks, Some(at));
        }
        let may_be_as_new = |(other, told): (&Answer<T>, &Vec<Mark>)| {
            other != answer && *other != Answer::Unreadable && (time(told) >= Some(at) || self.may_be_since(told, at))
        };
        let differs = answers().any(may_be_as_new);
        if clock.max_age.is_some_and(|most| clock.as_of.as_millis() - at.as_millis() > most) {
            let stale = match answer {
                Answer::Known(value) if !differs => Some(value),
                _ => None,
            };
            return Now { stale, ..unknown(Why::Stale, marks, Some(at)) };
        }
        if differs {
            return unknown(Why::Disagree, marks, Some(at));
        }
        let said = match answer {
            Answer::Known(value) => Said::Known(value),
            Answer::Absent => Said::Absent,
            Answer::Incomplete(value) => Said::Incomplete(value),
            Answer::Refused(_) => Said::Unknown(Why::Refused),
            Answer::Gone | Answer::Unreadable => Said::Unknown(Why::Unreadable),
        };
        Now { said, marks, at: Some(at), until, stale: None }
    }

    /// Whether any of the marks, which are in order, may be of that moment or later.
    fn may_be_since(&self, marks: &[Mark], at: Timestamp) -> bool {
        let longest = |mark: &&Mark| Mark { lasted: self.longest, ..**mark }.until() >= Some(at);
        marks.iter().rev().take_while(longest).any(|mark| mark.until() >= Some(at))
    }

    /// Forgets what was told until then: nothing is known from then on.
    pub(super) fn forget(&mut self, mark: Mark) {
        if !self.answers.is_empty() {
            self.add(Answer::Gone, mark);
        }
    }

    /// The value, also one that has no time, if nothing else was ever told.
    pub(super) fn only_known<'o>(&'o self, now: &Now<'o, T>) -> Option<&'o T> {
        let mut told = self.answers.keys().filter(|answer| answer.is_answer());
        match (&now.said, told.next(), told.next()) {
            (Said::Known(value), ..) => Some(value),
            (Said::Unknown(Why::Undated), Some(Answer::Known(value)), None) => Some(value),
            _ => None,
        }
    }

    /// What was told as a whole, and when.
    pub(super) fn known(&self) -> impl Iterator<Item = (&T, &[Mark])> {
        self.answers.iter().filter_map(|(answer, marks)| match answer {
            Answer::Known(value) => Some((value, marks.as_slice())),
            _ => None,
        })
    }

    /// The last moment at which something may have been told as it is.
    pub(super) fn newest_known(&self, clock: &Clock) -> Option<Timestamp> {
        let told = self.answers.iter().filter(|(answer, _)| matches!(answer, Answer::Known(_) | Answer::Incomplete(_)));
        last_moment(told, clock)
    }

    /// All values that were ever told, whatever their times.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.answers.keys().filter_map(|answer| match answer {
            Answer::Known(value) | Answer::Incomplete(value) => Some(value),
            Answer::Absent | Answer::Gone | Answer::Refused(_) | Answer::Unreadable => None,
        })
    }

    /// The newest time of an answer; what has none may be newer than all else.
    pub(super) fn newest(&self, clock: &Clock) -> Option<Timestamp> {
        let answers = self.answers.iter().filter(|(answer, _)| answer.is_answer());
        answers.flat_map(|(_, marks)| ends(marks)).map(|at| clock.time_of(at)).max()
    }

    /// The last moment of an answer; what has no time may be newer than all else.
    pub(super) fn newest_until(&self, clock: &Clock) -> Option<Timestamp> {
        let answers = self.answers.iter().filter(|(answer, _)| answer.is_answer());
        last_moment(answers, clock)
    }

    /// Puts the marks into an order that does not tell who came first. Nothing is asked before, nor added after.
    pub(super) fn sort(&mut self) {
        for marks in self.answers.values_mut() {
            marks.sort_unstable();
            marks.dedup();
        }
    }

    /// Whether anybody asked.
    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

impl<'o, T> Now<'o, T> {
    /// The value, if it is known as a whole.
    pub(super) fn known(&self) -> Option<&'o T> {
        match self.said {
            Said::Known(value) => Some(value),
            _ => None,
        }
    }

    /// The first and the last moment at which it may have been told.
    pub(super) fn times(&self, clock: &Clock) -> (Timestamp, Timestamp) {
        (clock.time_of(self.at), clock.time_of(self.until))
    }

    /// Whether anybody answered, with whatever worth, and perhaps not before a time: what has no time may be newer.
    pub(super) fn may_tell_since(&self, since: Option<Timestamp>) -> bool {
        let is_silent = matches!(self.said, Said::Unknown(Why::Missing | Why::Refused));
        !is_silent && (self.at.is_none() || self.until >= since)
    }

    /// What is known, if anything was said at all. What was said and cannot be used is no silence: the reason.
    pub(super) fn if_said(&self, lacking: &'static str) -> Result<Option<&'o T>, &'static str> {
        match self.said {
            Said::Known(value) => Ok(Some(value)),
            Said::Absent | Said::Unknown(Why::Missing | Why::Refused) => Ok(None),
            Said::Incomplete(_) => Err(lacking),
            Said::Unknown(why) => Err(why.reason(lacking)),
        }
    }

    /// Why it is not known, as the reason of a row.
    pub(super) fn why(&self, lacking: &'static str) -> &'static str {
        match self.said {
            Said::Unknown(why) => why.reason(lacking),
            _ => lacking,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(hour: u8) -> Timestamp {
        Timestamp::parse(format!("2026-11-01T{hour:02}:00:00Z").as_bytes()).expect("a time")
    }

    fn seen(answers: &[(Answer<u8>, Option<u8>)]) -> Observations<u8> {
        let mut observations = Observations::default();
        for (answer, hour) in answers {
            observations.add(answer.clone(), Mark { at: hour.map(time), source: SourceId(0), lasted: 0 });
        }
        observations.sort();
        observations
    }

    const CLOCK: fn() -> Clock = || Clock { as_of: time(14), max_age: Some(6 * 3_600_000), undated: None };

    #[test]
    fn the_newest_answer_decides() {
        let now = |answers: &[(Answer<u8>, Option<u8>)]| format!("{:?}", seen(answers).now(&CLOCK()).said);
        use Answer::{Absent, Incomplete, Known, Refused, Unreadable};
        assert_eq!(now(&[(Known(1), Some(9)), (Known(2), Some(12))]), "Known(2)");
        assert_eq!(now(&[(Known(1), Some(12)), (Known(2), Some(12))]), "Unknown(Disagree)");
        assert_eq!(now(&[(Known(1), Some(12)), (Known(2), Some(9)), (Known(3), Some(12))]), "Unknown(Disagree)");
        assert_eq!(now(&[(Known(1), Some(11)), (Known(2), Some(11)), (Known(3), Some(12))]), "Known(3)");
        assert_eq!(now(&[(Known(1), Some(12)), (Absent, Some(12))]), "Unknown(Disagree)");
        assert_eq!(now(&[(Absent, Some(13)), (Known(1), Some(12))]), "Absent");
        assert_eq!(now(&[(Incomplete(1), Some(12))]), "Incomplete(1)");
        assert_eq!(now(&[(Unreadable, Some(13)), (Known(1), Some(12))]), "Unknown(Unreadable)");
        assert_eq!(now(&[]), "Unknown(Missing)");
        // A refusal is no answer, and takes none away.
        assert_eq!(now(&[(Refused("x".into()), Some(13)), (Known(1), Some(12))]), "Known(1)");
        assert_eq!(now(&[(Refused("x".into()), Some(13))]), "Unknown(Refused)");
    }

    #[test]
    fn times_must_fit() {
        let now = |hour: Option<u8>, clock: Clock| format!("{:?}", seen(&[(Answer::Known(1), hour)]).now(&clock).said);
        assert_eq!(now(Some(8), CLOCK()), "Known(1)");
        assert_eq!(now(Some(7), CLOCK()), "Unknown(Stale)");
        assert_eq!(now(Some(7), Clock { max_age: None, ..CLOCK() }), "Known(1)");
        assert_eq!(now(Some(15), CLOCK()), "Unknown(Future)");
        assert_eq!(now(None, CLOCK()), "Unknown(Undated)");
        assert_eq!(now(None, Clock { undated: Some(time(13)), ..CLOCK() }), "Known(1)");
        assert_eq!(now(None, Clock { undated: Some(time(1)), ..CLOCK() }), "Unknown(Stale)");
    }
}

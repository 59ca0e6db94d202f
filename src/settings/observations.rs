//! What exports say of one setting, when, and which of it is so now.

use std::collections::BTreeMap;

use crate::timestamp::Timestamp;

/// One file of an export: its place in the list of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SourceId(pub(super) u32);

/// That a source said it, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mark {
    pub(super) at: Option<Timestamp>,
    pub(super) source: SourceId,
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

/// All that was said of one setting of one resource.
#[derive(Clone, Debug)]
pub(super) struct Observations<T>(BTreeMap<Answer<T>, Vec<Mark>>);

impl<T> Default for Observations<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// What is so now, and who says it.
#[derive(Clone, Debug)]
pub(super) struct Now<'o, T> {
    pub(super) said: Said<'o, T>,
    pub(super) marks: &'o [Mark],
    pub(super) at: Option<Timestamp>,
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
        let is_past = |at: &Timestamp| at.as_millis() <= self.as_of.as_millis() + TOLERANCE_MS;
        at.or(self.undated).filter(is_past).unwrap_or(Timestamp::MAX)
    }
}

/// Clocks differ by so many milliseconds.
const TOLERANCE_MS: i64 = 5 * 60_000;

impl<T: Ord> Observations<T> {
    pub(super) fn add(&mut self, answer: Answer<T>, mark: Mark) {
        self.0.entry(answer).or_default().push(mark);
    }

    /// Forgets everything else.
    pub(super) fn set(&mut self, value: T, mark: Mark) {
        self.0 = BTreeMap::from([(Answer::Known(value), vec![mark])]);
    }

    /// What is so now. The newest answer decides; refusals are none, but stand where nothing else does.
    pub(super) fn now(&self, clock: &Clock) -> Now<'_, T> {
        let mut newest: Option<(Timestamp, &Answer<T>, &[Mark])> = None;
        let (mut differs, mut undated) = (false, Vec::new());
        for (answer, marks) in self.0.iter().filter(|(answer, _)| answer.is_answer()) {
            if ends(marks).any(|at| at.or(clock.undated).is_none()) {
                undated.push((answer, marks.as_slice()));
            }
            let Some(at) = ends(marks).filter_map(|at| at.or(clock.undated)).max() else { continue };
            match newest {
                Some((known, ..)) if known > at => {}
                // What cannot be read contradicts nothing; it comes last in the order of answers.
                Some((known, ..)) if known == at && *answer == Answer::Unreadable => {}
                Some((known, ..)) if known == at => differs = true,
                _ => (newest, differs) = (Some((at, answer, marks.as_slice())), false),
            }
        }
        // What has no time can be newer than all else.
        let contradiction = undated.iter().find(|(answer, _)| newest.is_none_or(|(_, known, _)| *answer != known));
        if let Some((_, marks)) = contradiction.copied() {
            return Now { said: Said::Unknown(Why::Undated), marks, at: None, stale: None };
        }
        let unknown = |why, marks, at| Now { said: Said::Unknown(why), marks, at, stale: None };
        let Some((at, answer, marks)) = newest else {
            let refused = self.0.iter().find(|(answer, _)| !answer.is_answer());
            return match refused {
                Some((_, marks)) => unknown(Why::Refused, marks, marks.iter().filter_map(|mark| mark.at).max()),
                None => unknown(Why::Missing, &[], None),
            };
        };
        let age = clock.as_of.as_millis() - at.as_millis();
        if age < -TOLERANCE_MS {
            return unknown(Why::Future, marks, Some(at));
        }
        if clock.max_age.is_some_and(|most| age > most) {
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
        Now { said, marks, at: Some(at), stale: None }
    }

    /// Forgets what was told until then: nothing is known from then on.
    pub(super) fn forget(&mut self, mark: Mark) {
        if !self.0.is_empty() {
            self.add(Answer::Gone, mark);
        }
    }

    /// The value, also one that has no time, if nothing else was ever told.
    pub(super) fn only_known<'o>(&'o self, now: &Now<'o, T>) -> Option<&'o T> {
        let mut told = self.0.keys().filter(|answer| answer.is_answer());
        match (&now.said, told.next(), told.next()) {
            (Said::Known(value), ..) => Some(value),
            (Said::Unknown(Why::Undated), Some(Answer::Known(value)), None) => Some(value),
            _ => None,
        }
    }

    /// What was told as a whole, and when.
    pub(super) fn known(&self) -> impl Iterator<Item = (&T, &[Mark])> {
        self.0.iter().filter_map(|(answer, marks)| match answer {
            Answer::Known(value) => Some((value, marks.as_slice())),
            _ => None,
        })
    }

    /// The newest time at which something was told as it is.
    pub(super) fn newest_known(&self, clock: &Clock) -> Option<Timestamp> {
        let told = self.0.iter().filter(|(answer, _)| matches!(answer, Answer::Known(_) | Answer::Incomplete(_)));
        told.flat_map(|(_, marks)| ends(marks)).map(|at| clock.time_of(at)).max()
    }

    /// All values that were ever told, whatever their times.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.keys().filter_map(|answer| match answer {
            Answer::Known(value) | Answer::Incomplete(value) => Some(value),
            Answer::Absent | Answer::Gone | Answer::Refused(_) | Answer::Unreadable => None,
        })
    }

    /// The newest time of an answer; what has none may be newer than all else.
    pub(super) fn newest(&self, clock: &Clock) -> Option<Timestamp> {
        let answers = self.0.iter().filter(|(answer, _)| answer.is_answer());
        answers.flat_map(|(_, marks)| ends(marks)).map(|at| clock.time_of(at)).max()
    }

    /// Puts the marks into an order that does not tell who came first. Nothing is asked before, nor added after.
    pub(super) fn sort(&mut self) {
        for marks in self.0.values_mut() {
            marks.sort_unstable();
            marks.dedup();
        }
    }

    /// Whether anybody asked.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
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

    /// Whether anybody answered, with whatever worth, and perhaps not before a time: what has no time may be newer.
    pub(super) fn may_tell_since(&self, since: Option<Timestamp>) -> bool {
        let is_silent = matches!(self.said, Said::Unknown(Why::Missing | Why::Refused));
        !is_silent && (self.at.is_none() || self.at >= since)
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
            observations.add(answer.clone(), Mark { at: hour.map(time), source: SourceId(0) });
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

//! Times from one moment to another, apart and in order.

/// From when on and until when, in milliseconds since the epoch: the first moment is inside, the last is not. None touches
/// another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<(i64, i64)>);

impl FromIterator<(i64, i64)> for Spans {
    /// Of spans in any order, which may overlap or be empty.
    fn from_iter<I: IntoIterator<Item = (i64, i64)>>(spans: I) -> Self {
        let mut all: Vec<(i64, i64)> = spans.into_iter().filter(|(from, until)| from < until).collect();
        all.sort_unstable();
        all.dedup_by(|next, one| {
            let is_joined = next.0 <= one.1;
            if is_joined {
                one.1 = one.1.max(next.1);
            }
            is_joined
        });
        Self(all)
    }
}

impl Spans {
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, i64)> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them holds all that is between two moments.
    pub(crate) fn cover(&self, from: i64, until: i64) -> bool {
        let begun = self.0.partition_point(|(first, _)| *first <= from);
        begun.checked_sub(1).is_some_and(|at| self.0[at].1 >= until)
    }

    /// What is in either.
    pub(crate) fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// What is in both.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let (mut one, mut other, mut both) = (self.0.iter().peekable(), other.0.iter().peekable(), Vec::new());
        while let (Some((from, until)), Some((other_from, other_until))) = (one.peek(), other.peek()) {
            both.push((*from.max(other_from), *until.min(other_until)));
            // Whichever ends first is done with.
            let done = if until <= other_until { &mut one } else { &mut other };
            done.next();
        }
        both.into_iter().collect()
    }

    /// What is in these and not in others.
    pub(crate) fn without(&self, others: &Self) -> Self {
        let ends = others.iter().map(|(_, until)| until);
        let begins = others.iter().map(|(from, _)| from);
        let between: Self = [i64::MIN].into_iter().chain(ends).zip(begins.chain([i64::MAX])).collect();
        self.intersection(&between)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(spans: &[(i64, i64)]) -> Spans {
        spans.iter().copied().collect()
    }

    #[test]
    fn spans_that_touch_are_one() {
        assert_eq!(spans(&[(5, 7), (1, 3), (3, 4), (6, 9), (20, 20), (9, 2)]).0, [(1, 4), (5, 9)]);
        assert_eq!(spans(&[]), Spans::default());
    }

    /// All sets of hours of a short day, moment by moment.
    #[test]
    fn what_is_in_them_is_as_moment_by_moment() {
        const DAY: i64 = 5;
        let of = |bits: i64| -> Spans { (0..DAY).filter(|at| bits >> at & 1 == 1).map(|at| (at, at + 1)).collect() };
        let bits = |spans: &Spans| (0..DAY).filter(|at| spans.cover(*at, at + 1)).fold(0, |bits, at| bits | 1 << at);
        for one in 0..1 << DAY {
            assert_eq!(bits(&of(one)), one);
            for other in 0..1 << DAY {
                let (first, second) = (of(one), of(other));
                assert_eq!(first.union(&second), of(one | other));
                assert_eq!(first.intersection(&second), of(one & other));
                assert_eq!(first.without(&second), of(one & !other));
            }
            for (from, until) in (0..=DAY).flat_map(|from| (from + 1..=DAY).map(move |until| (from, until))) {
                let is_covered = (from..until).all(|at| one >> at & 1 == 1);
                assert_eq!(of(one).cover(from, until), is_covered, "{one:b} {from} {until}");
            }
        }
    }
}

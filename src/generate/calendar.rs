//! Days since 1970 to dates, and decimal digits, without a formatter: both are written
//! once or more for every row.

const BEFORE_MONTH: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: u32,
    pub(super) month: u32,
    pub(super) day: u32,
}

impl Date {
    /// The date of a day number: 0 is 1 January 1970.
    pub(super) fn of(day: u32) -> Self {
        let mut year = 1970 + day / 366;
        while first_day(year + 1) <= day {
            year += 1;
        }
        let of_year = day - first_day(year);
        let mut month = 12;
        while before_month(year, month) > of_year {
            month -= 1;
        }
        let day = of_year - before_month(year, month) + 1;
        Self { year, month, day }
    }
}

fn first_day(year: u32) -> u32 {
    let past = year - 1;
    (year - 1970) * 365 + (past / 4 - past / 100 + past / 400) - 477
}

fn before_month(year: u32, month: u32) -> u32 {
    let is_leap = first_day(year + 1) - first_day(year) == 366;
    let before = BEFORE_MONTH.get(month as usize - 1).copied();
    before.unwrap_or(0) + u32::from(is_leap && month > 2)
}

pub(super) fn push_two_digits(text: &mut String, number: u32) {
    text.extend(char::from_digit(number / 10 % 10, 10));
    text.extend(char::from_digit(number % 10, 10));
}

pub(super) fn push_number(text: &mut String, number: u32) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.extend(char::from_digit(number % 10, 10));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_each_other_and_hit_known_days() {
        let date = |year, month, day| Date { year, month, day };
        assert_eq!(Date::of(0), date(1970, 1, 1));
        assert_eq!(Date::of(11_016), date(2000, 2, 29));
        assert_eq!(Date::of(20_457), date(2026, 1, 4));
        for day in 0..40_000 {
            let (today, next) = (Date::of(day), Date::of(day + 1));
            let same_month = (next.year, next.month, next.day) == (today.year, today.month, today.day + 1);
            assert!(same_month || (next.day == 1 && today.day >= 28), "day {day}");
        }
    }
}

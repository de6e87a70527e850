//! The proleptic Gregorian calendar as day numbers, and searches in bit masks.
//!
//! A day number counts days since 1970-01-01. Only dates from 1969 to 2200 ever occur here, so plain integer
//! arithmetic is exact and never overflows.

/// Seconds of one calendar day as clocks show it.
pub(super) const DAY_SECONDS: i64 = 86_400;
/// First local year in which a schedule may run.
pub(super) const YEAR_MIN: i32 = 1970;
/// Last local year in which a schedule may run.
pub(super) const YEAR_MAX: i32 = 2199;

/// A calendar date; `month` is 1-12, `day` 1-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    pub(super) year: i32,
    pub(super) month: u32,
    pub(super) day: u32,
}

/// The day number of a date.
pub(super) fn day_number(year: i32, month: u32, day: u32) -> i64 {
    // Years are counted from March, so that the leap day is the last day of a year.
    let year = i64::from(if month <= 2 { year - 1 } else { year });
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a day number.
pub(super) fn date_of(day_number: i64) -> Date {
    let shifted = day_number + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    } as u32;
    let year = (year_of_era + era * 400) as i32 + i32::from(month <= 2);
    Date { year, month, day }
}

/// The weekday of a day number: 0 = Sunday … 6 = Saturday.
pub(super) fn weekday_of(day_number: i64) -> u32 {
    (day_number + 4).rem_euclid(7) as u32
}

/// The number of days of a month: 28-31.
pub(super) fn month_len(year: i32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The lowest set bit of `mask` at or above `from`.
pub(super) fn bit_at_or_after(mask: u64, from: u32) -> Option<u32> {
    if from >= u64::BITS {
        return None;
    }
    let rest = mask & (u64::MAX << from);
    (rest != 0).then(|| rest.trailing_zeros())
}

/// The highest set bit of `mask` at or below `until`.
pub(super) fn bit_at_or_before(mask: u64, until: u32) -> Option<u32> {
    let rest = mask & low_bits(until.saturating_add(1));
    (rest != 0).then(|| u64::BITS - 1 - rest.leading_zeros())
}

/// A mask with the lowest `count` bits set.
pub(super) fn low_bits(count: u32) -> u64 {
    if count >= u64::BITS {
        u64::MAX
    } else {
        (1 << count) - 1
    }
}

/// The numbers of the set bits, ascending.
pub(super) fn bits(mask: u64) -> impl Iterator<Item = u32> + Clone {
    std::iter::successors(bit_at_or_after(mask, 0), move |&bit| {
        bit_at_or_after(mask, bit + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_numbers_and_dates_agree_with_a_plain_count() {
        let mut number = day_number(1969, 1, 1);
        assert_eq!(day_number(1970, 1, 1), 0);
        for year in 1969..=2200 {
            for month in 1..=12 {
                for day in 1..=month_len(year, month) {
                    assert_eq!(day_number(year, month, day), number);
                    assert_eq!(date_of(number), Date { year, month, day });
                    number += 1;
                }
            }
        }
    }

    #[test]
    fn weekdays_start_with_sunday() {
        assert_eq!(weekday_of(0), 4, "1970-01-01 was a Thursday");
        assert_eq!(
            weekday_of(day_number(2026, 11, 22)),
            0,
            "2026-11-22 is a Sunday"
        );
        assert_eq!(weekday_of(-1), 3);
    }

    #[test]
    fn centuries_are_leap_years_only_every_400_years() {
        let february: Vec<u32> = [1970, 1972, 2000, 2100, 2104]
            .map(|year| month_len(year, 2))
            .to_vec();
        assert_eq!(february, [28, 29, 29, 28, 29]);
    }

    #[test]
    fn bit_searches_reach_both_ends() {
        assert_eq!(bit_at_or_after(1 << 63, 0), Some(63));
        assert_eq!(bit_at_or_after(1 << 5, 6), None);
        assert_eq!(bit_at_or_after(u64::MAX, 64), None);
        assert_eq!(bit_at_or_before(1, 63), Some(0));
        assert_eq!(bit_at_or_before(1 << 5, 4), None);
        assert_eq!(bit_at_or_before(u64::MAX, 63), Some(63));
        assert_eq!(bits(0b1010_0001).collect::<Vec<_>>(), [0, 5, 7]);
        assert_eq!(bits(0).count(), 0);
    }
}

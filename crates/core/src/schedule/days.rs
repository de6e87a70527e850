//! Which days of a month a cron pattern asks for: the two day fields and how they combine.

use super::calendar::{bit_at_or_after, bits, day_number, low_bits, month_len, weekday_of};

/// The day-of-month and the day-of-week field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DayRule {
    /// Days of the month: bit 1-31.
    pub(super) days: u32,
    /// `nW`, the weekday nearest to day n: bit 1-31.
    pub(super) nearest: u32,
    /// Weekdays: bit 0 (Sunday) to 6.
    pub(super) weekdays: u8,
    /// `d#1` to `d#5`: bit `(n - 1) * 7 + d`. `dL`: bit `35 + d`.
    pub(super) nth: u64,
    /// `L`, the last day of the month.
    pub(super) last: bool,
    /// `LW`, the last weekday (Monday to Friday) of the month.
    pub(super) last_weekday: bool,
    /// The day-of-month field begins with `*` or `?`.
    pub(super) days_star: bool,
    /// The day-of-week field begins with `*` or `?`.
    pub(super) weekdays_star: bool,
    /// A `+` before the day-of-week field makes both fields count.
    pub(super) plus: bool,
}

/// First bit of [`DayRule::nth`] for the last such weekday of a month.
pub(super) const NTH_LAST: u32 = 35;

impl DayRule {
    /// Whether a day must satisfy both fields (else: either of them).
    pub(super) fn needs_both(&self) -> bool {
        self.days_star || self.weekdays_star || self.plus
    }

    /// The days of one month on which the pattern runs: bit 1-31.
    pub(super) fn days_of(&self, year: i32, month: u32) -> u32 {
        let len = month_len(year, month);
        let first = weekday_of(day_number(year, month, 1));
        let by_day = self.days_by_number(len, first);
        let by_weekday = self.days_by_weekday(len, first);
        if self.needs_both() {
            by_day & by_weekday
        } else {
            by_day | by_weekday
        }
    }

    fn days_by_number(&self, len: u32, first: u32) -> u32 {
        let mut days = self.days & month_mask(len);
        if self.last {
            days |= 1 << len;
        }
        if self.last_weekday {
            days |= 1 << nearest_weekday(len, len, first);
        }
        if self.nearest != 0 {
            for day in bits(u64::from(self.nearest & month_mask(len))) {
                days |= 1 << nearest_weekday(day, len, first);
            }
        }
        days
    }

    fn days_by_weekday(&self, len: u32, first: u32) -> u32 {
        // Bit 0 is the weekday of the 1st, then the week repeats.
        let week = u64::from(self.weekdays);
        let from_first = ((week | week << 7) >> first) & 0x7f;
        let weeks =
            from_first | from_first << 7 | from_first << 14 | from_first << 21 | from_first << 28;
        let mut days = (weeks << 1) as u32 & month_mask(len);
        if self.nth != 0 {
            for bit in bits(self.nth) {
                let earliest = 1 + (bit % 7 + 7 - first) % 7;
                let day = if bit >= NTH_LAST {
                    earliest + (len - earliest) / 7 * 7
                } else {
                    earliest + bit / 7 * 7
                };
                if day <= len {
                    days |= 1 << day;
                }
            }
        }
        days
    }

    /// Whether the day-of-month field asks for every day.
    pub(super) fn is_any_day(&self) -> bool {
        self.days & month_mask(31) == month_mask(31)
    }

    /// Whether the day-of-week field asks for every day.
    pub(super) fn is_any_weekday(&self) -> bool {
        self.weekdays == 0x7f
    }
}

/// The days of a month of `len` days: bit 1 to `len`.
fn month_mask(len: u32) -> u32 {
    (low_bits(len + 1) & !1) as u32
}

/// The day from Monday to Friday nearest to `day` in the same month; `first` is the weekday of the 1st.
fn nearest_weekday(day: u32, len: u32, first: u32) -> u32 {
    match (first + day - 1) % 7 {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == len => day - 2,
        0 => day + 1,
        _ => day,
    }
}

/// The first day at or after `from` in a mask of days.
pub(super) fn day_at_or_after(days: u32, from: u32) -> Option<u32> {
    bit_at_or_after(u64::from(days), from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(rule: &DayRule, year: i32, month: u32) -> Vec<u32> {
        bits(u64::from(rule.days_of(year, month))).collect()
    }

    fn by_number(rule: DayRule) -> DayRule {
        DayRule {
            weekdays: 0x7f,
            weekdays_star: true,
            ..rule
        }
    }

    fn by_weekday(rule: DayRule) -> DayRule {
        DayRule {
            days: !1,
            days_star: true,
            ..rule
        }
    }

    #[test]
    fn nearest_weekday_stays_in_the_month() {
        // 2026-08-01 is a Saturday, 2026-05-31 a Sunday, 2026-02-28 a Saturday.
        let first = by_number(DayRule {
            nearest: 1 << 1,
            ..DayRule::default()
        });
        assert_eq!(days(&first, 2026, 8), [3]);
        let thirty_first = by_number(DayRule {
            nearest: 1 << 31,
            ..DayRule::default()
        });
        assert_eq!(days(&thirty_first, 2026, 5), [29]);
        assert_eq!(
            days(&thirty_first, 2026, 4),
            [] as [u32; 0],
            "April has no 31st"
        );
        let last = by_number(DayRule {
            last_weekday: true,
            ..DayRule::default()
        });
        assert_eq!(days(&last, 2026, 2), [27]);
        assert_eq!(days(&last, 2026, 5), [29]);
        assert_eq!(days(&last, 2026, 7), [31]);
        let fifteenth = by_number(DayRule {
            nearest: 1 << 15,
            ..DayRule::default()
        });
        assert_eq!(days(&fifteenth, 2026, 8), [14], "the 15th is a Saturday");
        assert_eq!(days(&fifteenth, 2026, 11), [16], "the 15th is a Sunday");
    }

    #[test]
    fn nth_weekdays_count_from_the_first_of_the_month() {
        let second_tuesday = by_weekday(DayRule {
            nth: 1 << (7 + 2),
            ..DayRule::default()
        });
        assert_eq!(days(&second_tuesday, 2026, 11), [10]);
        let fifth_monday = by_weekday(DayRule {
            nth: 1 << (28 + 1),
            ..DayRule::default()
        });
        assert_eq!(days(&fifth_monday, 2026, 11), [30]);
        assert_eq!(days(&fifth_monday, 2026, 12), [] as [u32; 0]);
        let last_friday = by_weekday(DayRule {
            nth: 1 << (NTH_LAST + 5),
            ..DayRule::default()
        });
        assert_eq!(days(&last_friday, 2026, 11), [27]);
        assert_eq!(days(&last_friday, 2026, 12), [25]);
        assert_eq!(days(&last_friday, 2024, 2), [23]);
    }

    #[test]
    fn both_restricted_fields_mean_either_unless_forced() {
        let either = DayRule {
            days: 1 << 13,
            weekdays: 1 << 5,
            ..DayRule::default()
        };
        assert_eq!(days(&either, 2026, 11), [6, 13, 20, 27]);
        assert_eq!(days(&either, 2026, 12), [4, 11, 13, 18, 25]);
        let both = DayRule {
            plus: true,
            ..either
        };
        assert_eq!(days(&both, 2026, 11), [13]);
        assert_eq!(days(&both, 2026, 12), [] as [u32; 0]);
    }
}

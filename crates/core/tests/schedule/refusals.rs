//! Every way to be refused: code, field, column, and what is suggested instead.

use cronfleet_core::schedule::{Context, ErrorCode, Schedule, ScheduleError};

fn refusal(text: &str, zone: &str) -> ScheduleError {
    match Schedule::parse(text, &Context { zone, spread: 0 }) {
        Err(error) => error,
        Ok(schedule) => panic!("{text:?} was accepted as {:?}", schedule.canonical()),
    }
}

/// Text, code, field, column, suggestion ("" for none).
const TABLE: &[(&str, &str, &str, usize, &str)] = &[
    ("", "empty", "expression", 1, ""),
    ("   ", "empty", "expression", 4, ""),
    ("CRON_TZ=UTC", "empty", "expression", 12, ""),
    ("０ * * * *", "non_ascii", "expression", 1, "0"),
    ("0 0 1，15 * *", "non_ascii", "expression", 6, ","),
    ("0 0 * * 周一", "non_ascii", "expression", 9, ""),
    ("* * * *", "field_count", "expression", 8, ""),
    ("5", "field_count", "expression", 2, ""),
    ("* * * * * * * *", "field_count", "expression", 15, ""),
    ("1,,2 * * * *", "empty_item", "minute", 3, ""),
    (",1 * * * *", "empty_item", "minute", 1, ""),
    ("1, * * * *", "empty_item", "minute", 3, ""),
    (", * * * *", "empty_item", "minute", 1, ""),
    ("* * * * +", "empty_item", "day_of_week", 10, ""),
    ("1.5 * * * *", "unexpected_character", "minute", 2, ""),
    ("** * * * *", "unexpected_character", "minute", 2, ""),
    ("*5 * * * *", "unexpected_character", "minute", 2, ""),
    ("1-2-3 * * * *", "unexpected_character", "minute", 4, ""),
    ("/5 * * * *", "unexpected_character", "minute", 1, ""),
    ("*/2/3 * * * *", "unexpected_character", "minute", 4, ""),
    ("*/-1 * * * *", "unexpected_character", "minute", 3, ""),
    ("0 9am * * *", "unexpected_character", "hour", 4, ""),
    ("\"0 9 * * *\"", "unexpected_character", "minute", 1, ""),
    ("0 0 * * MONDAY", "unknown_name", "day_of_week", 9, "MON"),
    ("0 0 * * XYZ", "unknown_name", "day_of_week", 9, ""),
    ("0 0 * SEPT *", "unknown_name", "month", 7, "SEP"),
    ("0 0 foo * *", "unknown_name", "day_of_month", 5, ""),
    ("MON * * * *", "name_in_wrong_field", "minute", 1, ""),
    ("0 0 * MON *", "name_in_wrong_field", "month", 7, ""),
    ("0 0 * * jan", "name_in_wrong_field", "day_of_week", 9, ""),
    ("60 * * * *", "out_of_range", "minute", 1, ""),
    ("0 24 * * *", "out_of_range", "hour", 3, ""),
    ("0 0 0 * *", "out_of_range", "day_of_month", 5, ""),
    ("0 0 32 * *", "out_of_range", "day_of_month", 5, ""),
    ("0 0 * 13 *", "out_of_range", "month", 7, ""),
    ("0 0 * 0 *", "out_of_range", "month", 7, ""),
    ("0 0 * * 8", "out_of_range", "day_of_week", 9, ""),
    ("0 0 1 1 * 2026", "out_of_range", "day_of_week", 11, ""),
    ("60 0 0 * * *", "out_of_range", "second", 1, ""),
    ("0 0 0 1 1 * 1969", "out_of_range", "year", 13, ""),
    ("0 0 0 1 1 * 2200", "out_of_range", "year", 13, ""),
    (
        "99999999999999999999 * * * *",
        "out_of_range",
        "minute",
        1,
        "",
    ),
    ("5-60 * * * *", "out_of_range", "minute", 3, ""),
    ("0 0 32W * *", "out_of_range", "day_of_month", 5, ""),
    ("0 0 H(1-29) * *", "out_of_range", "day_of_month", 9, "28"),
    ("H(0-60) * * * *", "out_of_range", "minute", 5, ""),
    ("5- * * * *", "range_incomplete", "minute", 1, ""),
    ("-5 * * * *", "range_incomplete", "minute", 1, ""),
    ("- * * * *", "range_incomplete", "minute", 1, ""),
    ("50-10 * * * *", "range_reversed", "minute", 1, "50-59,0-10"),
    ("50-0 * * * *", "range_reversed", "minute", 1, "50-59,0"),
    (
        "50-10/5 * * * *",
        "range_reversed",
        "minute",
        1,
        "50-59/5,0-10/5",
    ),
    ("0 22-2 * * *", "range_reversed", "hour", 3, "22-23,0-2"),
    (
        "0 0 25-5 * *",
        "range_reversed",
        "day_of_month",
        5,
        "25-31,1-5",
    ),
    (
        "0 0 * NOV-FEB *",
        "range_reversed",
        "month",
        7,
        "NOV-DEC,JAN-FEB",
    ),
    ("0 0 * 11-1 *", "range_reversed", "month", 7, "11-12,1"),
    (
        "0 0 * * FRI-MON",
        "range_reversed",
        "day_of_week",
        9,
        "FRI-SUN,MON",
    ),
    ("0 0 * * 6-0", "range_reversed", "day_of_week", 9, "6-7"),
    ("0 0 * * 5-2", "range_reversed", "day_of_week", 9, "5-7,1-2"),
    (
        "0 0 0 1 1 * 2030-2026",
        "range_reversed",
        "year",
        13,
        "2026-2030",
    ),
    ("H(5-1) * * * *", "range_reversed", "minute", 1, "H(1-5)"),
    ("5/15 * * * *", "step_without_range", "minute", 1, "5-59/15"),
    ("0 8/2 * * *", "step_without_range", "hour", 3, "8-23/2"),
    (
        "0 0 * * 1/2",
        "step_without_range",
        "day_of_week",
        9,
        "1-6/2",
    ),
    (
        "0 0 * * 7/2",
        "step_without_range",
        "day_of_week",
        9,
        "7-7/2",
    ),
    (
        "0 0 * FEB/3 *",
        "step_without_range",
        "month",
        7,
        "FEB-DEC/3",
    ),
    ("*/ * * * *", "step_missing", "minute", 3, ""),
    ("*/0 * * * *", "step_zero", "minute", 3, ""),
    ("1-5/0 * * * *", "step_zero", "minute", 5, ""),
    ("*/60 * * * *", "step_out_of_range", "minute", 3, ""),
    ("0 */24 * * *", "step_out_of_range", "hour", 5, ""),
    (
        "? * * * *",
        "question_mark_in_wrong_field",
        "minute",
        1,
        "*",
    ),
    ("0 0 +1 * *", "plus_in_wrong_field", "day_of_month", 5, ""),
    ("0 L * * *", "last_in_wrong_field", "hour", 3, ""),
    ("0 0 5L * *", "last_in_wrong_field", "day_of_month", 5, ""),
    ("0 0 * L *", "last_in_wrong_field", "month", 7, ""),
    ("0 0 L-3 * *", "last_offset", "day_of_month", 5, ""),
    ("0 0 LW-1 * *", "last_offset", "day_of_month", 5, ""),
    ("0 0 * * L", "last_without_weekday", "day_of_week", 9, ""),
    ("0 15W * * *", "nearest_in_wrong_field", "hour", 3, ""),
    ("0 0 * * 1W", "nearest_in_wrong_field", "day_of_week", 9, ""),
    ("0 0 W * *", "nearest_without_day", "day_of_month", 5, ""),
    ("0 0 1-15W * *", "special_in_range", "day_of_month", 7, ""),
    ("0 0 15W/2 * *", "special_in_range", "day_of_month", 5, ""),
    ("0 0 L/2 * *", "special_in_range", "day_of_month", 5, ""),
    ("0 0 1-L * *", "special_in_range", "day_of_month", 7, ""),
    ("0 0 * * 1-5#2", "special_in_range", "day_of_week", 9, ""),
    ("0 0 * * 1#2/2", "special_in_range", "day_of_week", 9, ""),
    ("0 0 * * 1-5L", "special_in_range", "day_of_week", 11, ""),
    ("0 0 1#2 * *", "nth_in_wrong_field", "day_of_month", 5, ""),
    ("0 0 * * 1#6", "nth_out_of_range", "day_of_week", 11, ""),
    ("0 0 * * 1#0", "nth_out_of_range", "day_of_week", 11, ""),
    ("0 0 * * FRI#", "nth_out_of_range", "day_of_week", 13, ""),
    ("0 0 0 1 1 * H", "spread_in_wrong_field", "year", 13, ""),
    ("H( * * * *", "spread_syntax", "minute", 1, ""),
    ("H(5) * * * *", "spread_syntax", "minute", 1, ""),
    ("H(1-5)x * * * *", "spread_syntax", "minute", 1, ""),
    ("0 0 30 2 *", "never", "day_of_month", 5, ""),
    ("0 0 31 4,6,9,11 *", "never", "day_of_month", 5, ""),
    ("0 0 0 29 2 * 2025-2027", "never", "day_of_month", 7, ""),
    ("0 0 1 * +MON#2", "never", "day_of_month", 5, ""),
    ("0 0 30W 2 *", "never", "day_of_month", 5, ""),
    (
        "CRON_TZ=America/New_York 0 */5 2 8 3 * 2026",
        "never",
        "expression",
        26,
        "",
    ),
    ("@fortnightly", "unknown_macro", "expression", 1, ""),
    ("@", "unknown_macro", "expression", 1, ""),
    ("@daily 5", "macro_argument", "expression", 8, ""),
    ("@reboot now", "macro_argument", "expression", 9, ""),
    ("@every", "every_missing", "expression", 7, ""),
    ("@every 10", "every_syntax", "expression", 10, ""),
    ("@every fast", "every_syntax", "expression", 8, ""),
    ("@every 1.5s", "every_syntax", "expression", 9, ""),
    ("@every 1h 30m", "every_syntax", "expression", 10, ""),
    ("@every -5s", "every_syntax", "expression", 8, ""),
    ("@every 2w", "every_unit", "expression", 9, ""),
    ("@every 500us", "every_unit", "expression", 11, ""),
    ("@every 1h2h", "every_unit_order", "expression", 11, ""),
    ("@every 30m1h", "every_unit_order", "expression", 12, ""),
    ("@every 99ms", "every_too_short", "expression", 8, "100ms"),
    ("@every 0s", "every_too_short", "expression", 8, "100ms"),
    ("@every 367d", "every_too_long", "expression", 8, "366d"),
    (
        "@every 99999999999999999999d",
        "every_too_long",
        "expression",
        8,
        "366d",
    ),
    ("@at", "at_missing", "expression", 4, ""),
    ("@at tomorrow", "at_syntax", "expression", 5, ""),
    ("@at 2026-12-01", "at_syntax", "expression", 15, ""),
    (
        "@at 2026-12-01T02:30:00+8",
        "at_syntax",
        "expression",
        26,
        "",
    ),
    (
        "@at 2026-12-01T02:30:00 Asia/Shanghai",
        "at_syntax",
        "expression",
        24,
        "",
    ),
    (
        "@at 2026-12-01T02:30:00ZZ",
        "at_syntax",
        "expression",
        25,
        "",
    ),
    (
        "@at 2026-02-30T02:30:00",
        "at_out_of_range",
        "expression",
        5,
        "",
    ),
    (
        "@at 2026-12-01T24:00:00",
        "at_out_of_range",
        "expression",
        5,
        "",
    ),
    (
        "@at 1969-12-31T23:59:59Z",
        "at_out_of_range",
        "expression",
        5,
        "",
    ),
    (
        "@at 2200-01-01T00:00:00Z",
        "at_out_of_range",
        "expression",
        5,
        "",
    ),
    (
        "@at 2026-12-01T02:30:00+25:00",
        "at_out_of_range",
        "expression",
        5,
        "",
    ),
    (
        "@at 2026-12-01T02:30:00.1234Z",
        "at_too_fine",
        "expression",
        25,
        "",
    ),
    (
        "CRON_TZ= * * * * *",
        "time_zone_missing",
        "time_zone",
        9,
        "",
    ),
    (
        "CRON_TZ=Asia/Shangai * * * * *",
        "unknown_time_zone",
        "time_zone",
        9,
        "Asia/Shanghai",
    ),
    (
        "TZ=Mars/Base @daily",
        "unknown_time_zone",
        "time_zone",
        4,
        "",
    ),
    (
        "  tz=UTC+8 @daily",
        "unknown_time_zone",
        "time_zone",
        6,
        "Etc/GMT-8",
    ),
];

#[test]
fn each_refusal_says_what_where_and_what_instead() {
    for &(text, code, field, column, suggestion) in TABLE {
        let error = refusal(text, "UTC");
        let found = (
            error.code.as_str(),
            error.field.as_str(),
            error.column,
            error.suggestion.as_deref().unwrap_or(""),
        );
        assert_eq!(
            found,
            (code, field, column, suggestion),
            "{text:?}: {error:?}"
        );
        if !error.found.is_empty() {
            let there: String = text
                .chars()
                .skip(column - 1)
                .take(error.found.chars().count())
                .collect();
            assert_eq!(there, error.found, "{text:?}");
        }
    }
}

#[test]
fn every_code_is_in_the_table() {
    let beyond_the_table = [ErrorCode::TooLong, ErrorCode::UnknownCalendar];
    for code in ErrorCode::ALL {
        let is_shown =
            TABLE.iter().any(|row| row.1 == code.as_str()) || beyond_the_table.contains(code);
        assert!(is_shown, "{code} has no example");
    }
}

#[test]
fn suggestions_are_right_themselves() {
    for &(text, _, _, column, suggestion) in TABLE.iter().filter(|row| !row.4.is_empty()) {
        let error = refusal(text, "UTC");
        let before: String = text.chars().take(column - 1).collect();
        let after: String = text
            .chars()
            .skip(column - 1 + error.found.chars().count())
            .collect();
        let better = format!("{before}{suggestion}{after}");
        let result = Schedule::parse(
            &better,
            &Context {
                zone: "UTC",
                spread: 0,
            },
        );
        assert!(result.is_ok(), "{text:?} became {better:?}: {result:?}");
    }
}

#[test]
fn a_zone_beside_the_text_is_checked_too() {
    let error = refusal("* * * * *", "Asia/Shangai");
    assert_eq!(
        (error.code, error.field.as_str(), error.column),
        (ErrorCode::UnknownTimeZone, "time_zone", 1)
    );
    assert_eq!(error.suggestion.as_deref(), Some("Asia/Shanghai"));
    assert_eq!(refusal("* * * * *", "").code, ErrorCode::TimeZoneMissing);
    let prefixed = Schedule::parse(
        "CRON_TZ=Asia/Tokyo * * * * *",
        &Context {
            zone: "",
            spread: 0,
        },
    );
    assert_eq!(prefixed.unwrap().zone_name(), "Asia/Tokyo");
}

#[test]
fn messages_are_phrases() {
    let error = refusal("5/15 * * * *", "UTC");
    assert_eq!(
        error.to_string(),
        "\"5/15\" is read in different ways by different tools"
    );
    assert_eq!(error.hint, "write \"5-59/15\"");
    let error = refusal("0 24 * * *", "UTC");
    assert_eq!(error.to_string(), "hour 24 is out of range 0-23");
    assert_eq!(error.hint, "midnight is hour 0 of the next day");
}

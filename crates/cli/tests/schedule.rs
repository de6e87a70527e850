//! `cronfleet schedule` as people and scripts use it: the program itself, its two outputs and its exit status.

use std::process::{Command, Output};

use serde_json::{Value, json};

fn schedule(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cronfleet"))
        .arg("schedule")
        .args(arguments)
        .env_remove("CRONFLEET_SERVER")
        .output()
        .expect("cronfleet runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// What `schedule next` prints, which must succeed.
fn next(expression: &str, zone: &str, from: &str, count: &str) -> Vec<String> {
    let output = schedule(&[
        "next", expression, "--tz", zone, "--from", from, "--count", count,
    ]);
    assert!(
        output.status.success(),
        "{expression}: {}",
        text(&output.stderr)
    );
    text(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn next_prints_one_utc_instant_a_line_strictly_after_from() {
    assert_eq!(
        next("0 15 * * *", "Asia/Shanghai", "2026-11-22T07:00:00Z", "2"),
        ["2026-11-23T07:00:00Z", "2026-11-24T07:00:00Z"]
    );
    assert_eq!(
        next("*/20 * * * * *", "UTC", "2026-11-22T15:00:00+08:00", "3"),
        [
            "2026-11-22T07:00:20Z",
            "2026-11-22T07:00:40Z",
            "2026-11-22T07:01:00Z"
        ]
    );
}

#[test]
fn next_prints_fractions_of_a_second_where_there_are_any() {
    assert_eq!(
        next("@every 250ms", "UTC", "2026-11-22T07:00:00.25Z", "3"),
        [
            "2026-11-22T07:00:00.5Z",
            "2026-11-22T07:00:00.75Z",
            "2026-11-22T07:00:01Z"
        ]
    );
}

#[test]
fn next_follows_clock_changes() {
    // Clocks go from 02:00 to 03:00 on 2026-03-29 and from 03:00 to 02:00 on 2026-10-25.
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", "2"),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-10-24T02:00:00Z", "2"),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
}

#[test]
fn next_prints_fewer_instants_when_there_are_no_more() {
    assert_eq!(
        next("0 0 0 1 1 * 2030", "UTC", "2026-01-01T00:00:00Z", "5"),
        ["2030-01-01T00:00:00Z"]
    );
    let none: [&str; 0] = [];
    assert_eq!(
        next(
            "@at 2020-01-01T00:00:00Z",
            "UTC",
            "2026-01-01T00:00:00Z",
            "5"
        ),
        none
    );
    assert_eq!(next("@reboot", "UTC", "2026-01-01T00:00:00Z", "5"), none);
}

#[test]
fn next_answers_json() {
    let output = schedule(&[
        "next",
        "@hourly",
        "--from",
        "2026-11-22T07:30:00Z",
        "--count",
        "2",
        "--json",
    ]);
    assert!(output.status.success());
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        answer["next"],
        json!(["2026-11-22T08:00:00Z", "2026-11-22T09:00:00Z"])
    );
    assert_eq!(answer["time_zone"], "UTC");
    assert_eq!(answer["canonical"], "0 * * * *");
}

#[test]
fn a_refused_expression_exits_with_2_and_points_at_the_mistake() {
    let output = schedule(&["next", "0 25 * * *", "--tz", "UTC"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn a_refused_zone_exits_with_2_and_proposes_another() {
    for arguments in [
        ["next", "* * * * *", "--tz", "Asia/Shangai"],
        ["explain", "* * * * *", "--tz", "Asia/Shangai"],
    ] {
        let output = schedule(&arguments);
        assert_eq!(output.status.code(), Some(2));
        insta::assert_snapshot!("unknown_zone", text(&output.stderr));
    }
}

#[test]
fn refusals_are_json_for_programs() {
    let cases = [
        ("61 * * * *", "UTC", "minute", 1),
        ("0 0 0 32 * *", "UTC", "day_of_month", 7),
        ("-5 * * * *", "UTC", "minute", 1),
        ("1，2 * * * *", "UTC", "expression", 2),
        ("", "UTC", "expression", 1),
        ("* * * * *", "Mars/Base", "time_zone", 1),
        ("CRON_TZ=Mars/Base * * * * *", "UTC", "time_zone", 9),
    ];
    for (expression, zone, field, column) in cases {
        let output = schedule(&["next", "--tz", zone, "--json", "--", expression]);
        assert_eq!(output.status.code(), Some(2), "{expression}");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let error = &answer["error"];
        assert_eq!(
            (&error["field"], &error["column"]),
            (&json!(field), &json!(column)),
            "{expression}: {answer}"
        );
        for key in ["code", "message", "hint"] {
            assert!(
                error[key].as_str().is_some_and(|text| !text.is_empty()),
                "{expression}: {key}: {answer}"
            );
        }
    }
}

#[test]
fn expressions_may_begin_with_a_hyphen_without_being_flags() {
    let output = schedule(&["next", "-5 * * * *", "--count", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("minute, column 1"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn explain_says_what_an_expression_means() {
    let output = schedule(&[
        "explain",
        "30 2 * * *",
        "--tz",
        "Europe/Berlin",
        "--from",
        "2026-03-27T00:00:00Z",
    ]);
    assert!(output.status.success());
    insta::assert_snapshot!(text(&output.stdout));
    let arguments = [
        "explain",
        "30 2 * * *",
        "--tz",
        "Asia/Shanghai",
        "--lang",
        "zh",
        "--from",
        "2026-03-27T00:00:00Z",
    ];
    let output = schedule(&arguments);
    assert!(output.status.success());
    insta::assert_snapshot!("explain_in_chinese", text(&output.stdout));
}

#[test]
fn explain_answers_json_with_clock_changes() {
    let arguments = [
        "explain",
        "30 2 * * *",
        "--tz",
        "Europe/Berlin",
        "--from",
        "2026-03-28T12:00:00Z",
        "--json",
    ];
    let answer: Value = serde_json::from_slice(&schedule(&arguments).stdout).expect("JSON");
    assert_eq!(
        answer["next"][0],
        json!({ "due": "2026-03-29T01:00:00Z", "local": "2026-03-29T03:00:00+02:00", "dst": "gap" })
    );
    assert_eq!(answer["clock_changes"][0]["effect"], "runs_after_gap");
    assert!(
        answer["sentence_zh"]
            .as_str()
            .is_some_and(|sentence| !sentence.is_ascii())
    );
}

#[test]
fn flags_say_what_an_expression_alone_does_not() {
    let next = |flags: &[&str], from: &str| {
        let mut arguments = vec!["next", "30 2 * * *", "--count", "2", "--from", from];
        arguments.extend(flags);
        let output = schedule(&arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let march = "2026-03-08T05:00:00Z";
    assert_eq!(
        next(&["--tz", "America/New_York"], march),
        ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]
    );
    assert_eq!(
        next(&["--tz", "America/New_York", "--dst-gap", "skip"], march),
        ["2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"]
    );
    let span = [
        "--active-from",
        "2026-04-01T02:30:00Z",
        "--active-until",
        "2026-04-02T02:30:00Z",
    ];
    assert_eq!(next(&span, march), ["2026-04-01T02:30:00Z"]);
    let shanghai = ["--tz", "Asia/Shanghai", "--calendar", "cn-workdays"];
    assert_eq!(
        next(&shanghai, "2026-09-30T00:00:00Z"),
        ["2026-10-07T18:30:00Z", "2026-10-08T18:30:00Z"]
    );
}

#[test]
fn flags_that_cannot_be_are_refused() {
    let cases: [(&[&str], &str); 4] = [
        (&["--calendar", "mars"], "--calendar"),
        (&["--calendar-mode", "exclude"], "--calendar-mode"),
        (
            &["--calendar", "weekdays", "--calendar-mode", "shift-next"],
            "--calendar-mode",
        ),
        (
            &[
                "--active-from",
                "2026-04-01T00:00:00Z",
                "--active-until",
                "2026-04-01T00:00:00Z",
            ],
            "--active-until",
        ),
    ];
    for (flags, field) in cases {
        let mut arguments = vec!["next", "* * * * *", "--json"];
        arguments.extend(flags);
        let output = schedule(&arguments);
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(answer["error"]["field"], field, "{flags:?}");
    }
}

#[test]
fn explain_warns_where_the_dates_of_a_calendar_end() {
    let arguments = [
        "explain",
        "0 9 * * *",
        "--tz",
        "Asia/Shanghai",
        "--calendar",
        "cn-workdays",
        "--from",
        "2026-11-23T00:00:00Z",
    ];
    let output = schedule(&arguments);
    let said = text(&output.stdout);
    assert!(
        said.contains("The calendar is known until 2026-12-31."),
        "{said}"
    );
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let script = format!(
        "'{}' schedule next '* * * * * *' --count 100000 | head -n 1; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_cronfleet")
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .output()
        .expect("bash runs");
    let stdout = text(&output.stdout);
    assert!(stdout.ends_with("\n0\n"), "{stdout}");
    assert_eq!(text(&output.stderr), "");
}

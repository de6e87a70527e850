//! `cronfleet calendar` against a real center: made, filled from a file, shown, changed, followed, and kept while jobs follow it.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use crate::rig::{Rig, eventually, text};

const HOLIDAYS: &str = "BEGIN:VCALENDAR\r
VERSION:2.0\r
BEGIN:VEVENT\r
SUMMARY:Christmas holi\r
 days\r
DTSTART;VALUE=DATE:20261224\r
DTEND;VALUE=DATE:20261227\r
RRULE:FREQ=YEARLY;UNTIL=20271231\r
END:VEVENT\r
BEGIN:VEVENT\r
SUMMARY:Stocktaking\r
DTSTART;VALUE=DATE:20260115\r
END:VEVENT\r
END:VCALENDAR\r
";

#[test]
fn a_calendar_is_made_filled_and_followed() -> Result<()> {
    let rig = Rig::start(&[])?;
    let weekdays = "--weekdays=mon,TUE,WED,THU,FRI";
    rig.cli(&["calendar", "create", "shop", "--fleet", weekdays])?
        .done()?;
    let file = rig.path("holidays.ics");
    std::fs::write(&file, HOLIDAYS)?;
    let import = ["calendar", "import", "shop", text(&file)?];
    let dry = [&import[..], &["--dry-run", "--containing", "HOLIDAYS"]].concat();
    let dry = rig.cli(&dry)?.done()?;
    ensure!(
        dry.stdout == "2026-12-24/2026-12-26\n2027-12-24/2027-12-26\n",
        "{dry:?}"
    );
    ensure!(
        dry.stderr.contains("6 days of 1 events (1 left out)"),
        "{dry:?}"
    );
    let done = rig.cli(&import)?.done()?;
    ensure!(
        done.stdout == "saved shop as version 2; 0 jobs follow it\n",
        "{done:?}"
    );
    let shown = rig
        .cli(&["calendar", "show", "shop", "--year", "2026"])?
        .done()?
        .stdout;
    for line in [
        "days      MON TUE WED THU FRI",
        // 261 without the 15 January and the 24 and 25 December.
        "2026: 258 days count",
        "2026-01  oo..ooooo..ooo-o..ooooo..ooooo.",
        "2026-12  oooo..ooooo..ooooo..ooo--..oooo",
    ] {
        ensure!(shown.contains(line), "{line} is not in\n{shown}");
    }

    let job = [
        "job",
        "create",
        "--name",
        "report",
        "--all-agents",
        "--cron",
        "0 9 * * *",
    ];
    let follows = [
        "--tz",
        "UTC",
        "--calendar",
        "shop",
        "--paused",
        "--",
        "true",
    ];
    rig.cli(&[&job[..], &follows[..]].concat())?.done()?;
    let edited = rig
        .cli(&[
            "calendar",
            "edit",
            "shop",
            "--in",
            "2026-12-24",
            "--as-usual",
            "2026-01-15",
        ])?
        .done()?;
    ensure!(
        edited.stdout == "saved shop as version 3; 1 job follows it\n",
        "{edited:?}"
    );
    let year = rig.json(&["calendar", "show", "shop", "--year", "2026"])?;
    ensure!(year["year"]["day_count"] == 260, "{year}");
    let kept = rig.cli(&["calendar", "rm", "shop", "--yes"])?;
    ensure!(
        kept.status == 5 && kept.stderr.contains("report"),
        "{kept:?}"
    );
    rig.cli(&["job", "delete", "report", "--yes"])?.done()?;
    rig.cli(&["calendar", "rm", "shop", "--yes"])?.done()?;
    let listed = rig.cli(&["calendar", "ls"])?.done()?.stdout;
    ensure!(
        !listed.contains("shop") && listed.contains("cn-workdays"),
        "{listed}"
    );
    Ok(())
}

#[test]
fn what_is_wrong_is_told_with_what_would_be_right() -> Result<()> {
    let rig = Rig::start(&[])?;
    rig.cli(&["calendar", "create", "shop", "--fleet"])?
        .done()?;
    let cases: [(&[&str], &str); 5] = [
        (
            &["calendar", "edit", "weekdays", "--in", "2026-10-10"],
            "--extends weekdays",
        ),
        (
            &["calendar", "edit", "shop", "--out", "2026-10-09/2026-10-08"],
            "--out[0]",
        ),
        (&["calendar", "edit", "shop", "--weekdays", "MO"], "use MON"),
        (&["calendar", "edit", "shop"], "there is no change"),
        (&["calendar", "show", "mars"], "mars"),
    ];
    for (arguments, said) in cases {
        let ran = rig.cli(arguments)?;
        ensure!(
            ran.status != 0 && ran.stderr.contains(said),
            "{arguments:?}: {ran:?}"
        );
    }
    let file = rig.path("broken.ics");
    std::fs::write(&file, HOLIDAYS.replace("FREQ=YEARLY", "FREQ=HOURLY"))?;
    let refused = rig.cli(&["calendar", "import", "shop", text(&file)?])?;
    ensure!(
        refused
            .stderr
            .contains("ine 8, RRULE: FREQ=HOURLY is not supported"),
        "{refused:?}"
    );
    Ok(())
}

/// More than one step of the planner takes forward.
const FOLLOWERS: usize = 1_200;

#[test]
fn more_jobs_than_fit_into_one_step_all_follow() -> Result<()> {
    let rig = Rig::start(&[])?;
    let create = ["calendar", "create", "shop", "--fleet"];
    rig.cli(&[&create[..], &["--in", "2099-01-01"]].concat())?
        .done()?;
    let groups = rig.json(&["group", "ls"])?;
    let user = &groups["items"][0]["run_as"][0];
    let mut set = "cronfleet: 1\njobs:\n".to_owned();
    for number in 0..FOLLOWERS {
        write!(
            set,
            "  - group: default\n    name: job {number:04}\n    scheduled:\n      expression: 0 9 * * *\n      time_zone: UTC\n      \
             calendar: {{ name: shop, mode: include }}\n    command:\n      argv:\n        - /bin/true\n    run_as: {user}\n    \
             target:\n      all: true\n"
        )?;
    }
    let file = rig.path("jobs.yaml");
    std::fs::write(&file, set)?;
    let path = text(&file)?;
    rig.cli(&["apply", "-f", path, "--yes"])?.done()?;
    rig.cli(&["calendar", "edit", "shop", "--in", "2098-01-01"])?
        .done()?;
    let filter = ["job", "ls", "--limit", "2000"];
    eventually("every job follows", || {
        let jobs = rig.json(&filter)?;
        let jobs = jobs["items"].as_array().cloned().unwrap_or_default();
        let follows = |job: &&serde_json::Value| {
            job["version"] == 2 && job["next_due"] == "2098-01-01T09:00:00Z"
        };
        Ok((jobs.iter().filter(follows).count() == FOLLOWERS).then_some(()))
    })?;
    // Following is no change of the definition.
    let same = rig.cli(&["diff", "-f", path])?.done()?;
    ensure!(
        same.stderr == format!("{FOLLOWERS} unchanged\n"),
        "{same:?}"
    );
    Ok(())
}

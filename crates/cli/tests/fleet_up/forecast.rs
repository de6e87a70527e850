//! `cronfleet forecast` against a real center.

use anyhow::{Context, Result, ensure};

use crate::rig::{Rig, text};

/// `job create` of a command that runs at a time of the day.
fn create(rig: &Rig, name: &str, cron: &str) -> Result<()> {
    let flags = [
        "--cron",
        cron,
        "--tz",
        "UTC",
        "--all-agents",
        "--",
        "/bin/true",
    ];
    rig.cli(&[&["job", "create", "--name", name], &flags[..]].concat())?
        .done()?;
    Ok(())
}

#[test]
fn a_forecast_is_shown_and_what_files_would_make_of_it() -> Result<()> {
    let rig = Rig::start(&["--log", "info"])?;
    for number in 1..=6 {
        create(&rig, &format!("night-{number}"), "0 2 * * *")?;
    }
    let from = "2090-01-02T10:00:00Z";
    let shown = rig.cli(&["forecast", "--from", from])?.done()?;
    for part in [
        "6 jobs on 1 agents",
        "starts   6\n",
        "peak     6 in one second at ",
        "night-1, night-2, night-3, night-4, night-5 and 1 more\n",
        "6 jobs are due by \"0 2 * * *\" in the same second. With \"H 2 * * *\" the 6 starts at ",
    ] {
        ensure!(shown.stdout.contains(part), "{part:?}: {}", shown.stdout);
    }
    let bars = shown.stdout.lines().filter(|line| line.contains("####"));
    ensure!(bars.count() == 1, "one hour has starts:\n{}", shown.stdout);
    ensure!(
        shown.stderr.contains("6 jobs have no past runs"),
        "{}",
        shown.stderr
    );
    let json = rig.json(&[
        "forecast", "--from", from, "--hours", "168", "--group", "default",
    ])?;
    ensure!(
        json["total"]["starts"] == 42 && json["is_everything"] == true,
        "{json}"
    );
    let agent = json["agents"][0]["agent_name"]
        .as_str()
        .context("an agent")?;
    let of_agent = rig.json(&["forecast", "--from", from, "--agent", agent])?;
    ensure!(of_agent["total"]["peak"]["count"] == 6, "{of_agent}");
    rig.cli(&["forecast", "--hours", "25"])?
        .refused(2, "use 24 or 168")?;
    rig.cli(&["forecast", "--agent", "nowhere"])?
        .refused(4, "nowhere")?;

    // One that is there at another time, and one more.
    let file = rig.path("jobs.yaml");
    let path = text(&file)?;
    rig.cli(&["export", "-o", path])?.done()?;
    let exported = std::fs::read_to_string(&file)?;
    let (head, _) = exported.split_once("  - id: ").context("a job")?;
    let first = exported.split("  - id: ").nth(1).context("a job")?;
    let (_, rest) = first.split_once('\n').context("an id")?;
    let rest = rest.trim_start();
    let moved = rest.replace("0 2 * * *", "30 4 * * *");
    let more = rest.replace("night-1", "one-more");
    std::fs::write(&file, format!("{head}  - {moved}  - {more}"))?;
    let with = rig
        .cli(&["forecast", "--with", path, "--from", from])?
        .done()?;
    let rows: Vec<Vec<&str>> = with
        .stdout
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    let told: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {} {}", row[0], row[1..4].join(""), row[5..8].join("")))
        .collect();
    ensure!(
        told == ["default/night-1 1->1 6->5", "default/one-more 0->1 6->7"],
        "{with:?}"
    );
    let items = rig.json(&["forecast", "--with", path, "--from", from])?;
    ensure!(
        items["items"].as_array().map(Vec::len) == Some(2),
        "{items}"
    );

    // A mistake is told with file and line.
    std::fs::write(
        &file,
        format!("{head}  - {}", rest.replace("0 2 * * *", "0 25 * * *")),
    )?;
    rig.cli(&["forecast", "--with", path])?
        .refused(2, "jobs.yaml:")?;
    Ok(())
}

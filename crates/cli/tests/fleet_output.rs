//! Output on its way from the process to whoever reads it: every line once, whatever is killed meanwhile; what is too much is
//! cut out of the middle and marked.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::job::WhenFull;
use cronfleet_api::output::{OutputChunk, OutputPiece, OutputStream};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testkit::{Fleet, eventually};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(90);

async fn fleet() -> Result<Fleet> {
    Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await
}

/// Every chunk that is stored of a life, and whether that is all.
async fn chunks(fleet: &Fleet, life: Uuid) -> Result<(Vec<OutputChunk>, bool)> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let piece: OutputPiece = fleet
            .api
            .get(&format!("/outputs/{life}?from={from}"))
            .await?;
        let is_empty = piece.chunks.is_empty();
        all.extend(piece.chunks);
        if piece.is_complete || is_empty {
            return Ok((all, piece.is_complete));
        }
        from = piece.next_from;
    }
}

async fn complete(fleet: &Fleet, life: Uuid) -> Result<Vec<OutputChunk>> {
    eventually("its output is complete", PATIENCE, async || {
        let (chunks, is_complete) = chunks(fleet, life).await?;
        Ok(is_complete.then_some(chunks))
    })
    .await
    .with_context(|| fleet.logs())
}

async fn ended(fleet: &Fleet, run: Uuid) -> Result<Run> {
    eventually("it has ended", PATIENCE, async || {
        let run = fleet.api.run(run).await?;
        Ok(run.outcome.is_some().then_some(run))
    })
    .await
    .with_context(|| fleet.logs())
}

fn text(chunks: &[OutputChunk], stream: OutputStream) -> String {
    let of_stream = chunks.iter().filter(|chunk| chunk.stream == stream);
    of_stream.map(|chunk| chunk.text.as_str()).collect()
}

/// The lines are numbers from 1 on, each once and in order; answers how many. A last line may still be incomplete.
fn counted(text: &str) -> Result<u64> {
    let mut count = 0;
    for line in text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
    {
        count += 1;
        ensure!(
            line.trim_end().parse() == Ok(count),
            "line {count} is {line:?}"
        );
    }
    Ok(count)
}

#[tokio::test]
async fn every_line_is_stored_once_while_agent_and_center_are_killed_again_and_again() -> Result<()>
{
    let mut fleet = fleet().await?;
    let stop = fleet.path("stop");
    let count = "n=0; while [ ! -e STOP ]; do n=$((n+1)); echo $n; echo $n >&2; [ $((n % 50)) = 0 ] && sleep 0.01; done; \
                 echo $n > COUNT";
    let script = |name: &str| {
        let path = |name: &str| fleet.path(name).display().to_string();
        count
            .replace("STOP", &path("stop"))
            .replace("COUNT", &path(name))
    };
    let mut runs = Vec::new();
    for name in ["count-0", "count-1", "count-2"] {
        let mut spec = Fleet::scheduled(name, "@at 2030-01-01T00:00:00Z", &script(name))?;
        spec.output.cap_bytes = 1 << 30;
        let job = fleet.api.create(fleet.group, spec).await?;
        let run = *fleet.api.run_now(job.id).await?.first().context("a run")?;
        runs.push((run, name));
    }
    let mut daemon = Fleet::daemon("counting", 2, &script("count-daemon"))?;
    daemon.output.cap_bytes = 1 << 30;
    let daemon = fleet.api.create(fleet.group, daemon).await?;
    eventually("all of them write", PATIENCE, async || {
        for (run, _) in &runs {
            if chunks(&fleet, *run).await?.0.is_empty() {
                return Ok(None);
            }
        }
        let processes = fleet.api.processes(daemon.id).await?;
        Ok((processes.len() == 2).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())?;
    for round in 0..6 {
        if round % 2 == 0 {
            fleet.kill_agent()?;
            fleet.start_agent().await?;
        } else {
            fleet.kill_center()?;
            fleet.start_center().await?;
        }
        let (run, _) = runs[round % 3];
        let before = counted(&text(&chunks(&fleet, run).await?.0, OutputStream::Stdout))?;
        eventually("its lines go on", PATIENCE, async || {
            let now = counted(&text(&chunks(&fleet, run).await?.0, OutputStream::Stdout))?;
            Ok((now > before).then_some(()))
        })
        .await
        .with_context(|| fleet.logs())?;
    }
    std::fs::write(&stop, "")?;
    for (run, name) in runs {
        let run = ended(&fleet, run).await?;
        ensure!(run.outcome == Some(Outcome::Succeeded), "{run:?}");
        let expected: u64 = std::fs::read_to_string(fleet.path(name))?.trim().parse()?;
        let chunks = complete(&fleet, run.id).await?;
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let lines = counted(&text(&chunks, stream))?;
            ensure!(lines == expected, "{lines} of {expected} lines");
        }
        ensure!(text(&chunks, OutputStream::Gap).is_empty());
    }
    for process in fleet.api.processes(daemon.id).await? {
        let (chunks, _) = chunks(&fleet, process.id).await?;
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            counted(&text(&chunks, stream))?;
        }
    }
    Ok(())
}

/// What a run wrote to its standard output, as numbers, and the bytes of its gaps.
async fn numbers(fleet: &Fleet, run: Uuid) -> Result<(Vec<u64>, Vec<u64>)> {
    let chunks = complete(fleet, run).await?;
    let gaps = chunks.iter().filter_map(|chunk| chunk.dropped_bytes);
    let gaps = gaps.collect();
    // A gap may cut a line; what is left of it is no whole number.
    let mut lines = Vec::new();
    let mut is_cut = false;
    for chunk in &chunks {
        if chunk.stream == OutputStream::Gap {
            is_cut = true;
            continue;
        }
        lines.push((is_cut, chunk.text.clone()));
        is_cut = false;
    }
    let mut parts: Vec<String> = vec![String::new()];
    for (is_cut, text) in lines {
        if is_cut {
            parts.push(String::new());
        }
        parts.last_mut().context("a part")?.push_str(&text);
    }
    let last = parts.len() - 1;
    let mut numbers = Vec::new();
    for (nth, part) in parts.iter().enumerate() {
        let from = if nth > 0 {
            part.find('\n').map_or(0, |at| at + 1)
        } else {
            0
        };
        let to = if nth < last {
            part.rfind('\n').map_or(0, |at| at + 1)
        } else {
            part.len()
        };
        for line in part.get(from..to).unwrap_or_default().lines() {
            numbers.push(line.parse()?);
        }
    }
    Ok((numbers, gaps))
}

#[tokio::test]
async fn beyond_the_cap_beginning_and_end_are_kept_and_the_gap_is_marked() -> Result<()> {
    const CAP: u64 = 128 << 10;
    let fleet = fleet().await?;
    // At once, and so slowly that the center stores and deletes while it goes on.
    let scripts = [
        ("flood", "exec seq 1000001 1200000"),
        (
            "stream",
            "i=1000001; while [ $i -lt 1200000 ]; do seq $i $((i+1999)); i=$((i+2000)); sleep 0.02; done",
        ),
    ];
    for (name, script) in scripts {
        let mut spec = Fleet::scheduled(name, "@at 2030-01-01T00:00:00Z", script)?;
        spec.output.cap_bytes = CAP;
        let job = fleet.api.create(fleet.group, spec).await?;
        let run = *fleet.api.run_now(job.id).await?.first().context("a run")?;
        let run = ended(&fleet, run).await?;
        let (numbers, gaps) = numbers(&fleet, run.id).await?;
        ensure!(numbers.first() == Some(&1_000_001), "{name}: {numbers:?}");
        ensure!(
            numbers.last() == Some(&1_200_000),
            "{name}: the end is lost"
        );
        // What the agent caught in passing may lie between beginning and end, so there may be more gaps than one.
        let jumps = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1);
        ensure!(
            jumps.count() == gaps.len() && !gaps.is_empty(),
            "{name}: {gaps:?}"
        );
        let head = numbers.windows(2).position(|pair| pair[1] != pair[0] + 1);
        let head_bytes = (head.context("a jump")? as u64 + 1) * 8;
        let kept_bytes = numbers.len() as u64 * 8;
        ensure!(
            head_bytes > CAP / 8 && head_bytes <= CAP / 4 + 4_096,
            "{name}: {head_bytes} bytes at the beginning"
        );
        ensure!(
            kept_bytes > CAP / 2 && kept_bytes <= CAP,
            "{name}: {kept_bytes} bytes in all"
        );
        let written = run.output_bytes;
        ensure!(written == 200_000 * 8, "{name}: {written}");
        // Offsets count the head of each piece of 13 bytes, too, and a gap may cut a line on both sides.
        let (missing, said) = (written - kept_bytes, gaps.iter().sum::<u64>());
        ensure!(
            said + 16 * gaps.len() as u64 >= missing && said < missing + missing / 20 + 4_096,
            "{name}: {missing} bytes are missing, and the gaps say {gaps:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_run_that_waits_for_room_is_delivered_whole() -> Result<()> {
    let fleet = fleet().await?;
    let mut spec = Fleet::scheduled("whole", "@at 2030-01-01T00:00:00Z", "exec seq 1 1000000")?;
    spec.output.cap_bytes = 1 << 20;
    spec.output.when_full = WhenFull::Block;
    let job = fleet.api.create(fleet.group, spec).await?;
    ensure!(job.spec.output.when_full == WhenFull::Block, "{job:?}");
    let run = *fleet.api.run_now(job.id).await?.first().context("a run")?;
    let run = ended(&fleet, run).await?;
    ensure!(run.outcome == Some(Outcome::Succeeded), "{run:?}");
    ensure!(
        (run.output_bytes, run.output_dropped_bytes) == (6_888_896, 0),
        "{run:?}"
    );
    let (numbers, gaps) = numbers(&fleet, run.id).await?;
    ensure!(
        numbers.last() == Some(&1_000_000) && !gaps.is_empty(),
        "{gaps:?}"
    );
    // All of it has come by now.
    let run = ended(&fleet, run.id).await?;
    let kept = run.output_bytes.saturating_sub(run.output_trimmed_bytes);
    ensure!(
        kept <= 1 << 20 && kept > 1 << 19,
        "the center kept {kept}: {run:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_long_living_daemon_keeps_its_newest_output() -> Result<()> {
    let fleet = fleet().await?;
    let script = "i=1000001; while :; do seq $i $((i+999)); i=$((i+1000)); sleep 0.01; done";
    let mut spec = Fleet::daemon("for-ever", 1, script)?;
    spec.output.cap_bytes = 64 << 10;
    let job = fleet.api.create(fleet.group, spec).await?;
    eventually("the beginning is gone", PATIENCE, async || {
        let processes = fleet.api.processes(job.id).await?;
        let Some(process) = processes.first() else {
            return Ok(None);
        };
        let (chunks, _) = chunks(&fleet, process.id).await?;
        let all = text(&chunks, OutputStream::Stdout);
        ensure!(all.len() < 128 << 10, "{} bytes are kept", all.len());
        let is_rotated = chunks
            .first()
            .is_some_and(|c| c.stream == OutputStream::Gap);
        let gaps = chunks.iter().filter(|c| c.stream == OutputStream::Gap);
        ensure!(!is_rotated || gaps.count() == 1);
        // Twice round, so that it is sure to go on.
        Ok((is_rotated && chunks[0].dropped_bytes > Some(512 << 10)).then_some(()))
    })
    .await
    .with_context(|| fleet.logs())
}

#[tokio::test]
async fn lines_come_with_their_times_when_asked_for() -> Result<()> {
    let fleet = fleet().await?;
    let script = "echo one; sleep 0.2; printf 'tw'; sleep 0.2; echo o; echo three >&2";
    let spec = Fleet::scheduled("times", "@at 2030-01-01T00:00:00Z", script)?;
    let job = fleet.api.create(fleet.group, spec).await?;
    let run = *fleet.api.run_now(job.id).await?.first().context("a run")?;
    complete(&fleet, run).await?;
    let path = format!("/outputs/{run}/raw?timestamps=true");
    let (status, body) = fleet
        .api
        .try_call(reqwest::Method::GET, &path, None::<&()>, &[])
        .await?;
    ensure!(status.is_success(), "{status} {body}");
    let lines: Vec<(jiff::Timestamp, &str)> = body
        .lines()
        .map(|line| {
            let (at, text) = line.split_once(' ').context("a time")?;
            Ok((at.parse()?, text))
        })
        .collect::<Result<_>>()?;
    let texts: Vec<&str> = lines.iter().map(|(_, text)| *text).collect();
    ensure!(texts == ["one", "two", "three"], "{body}");
    let apart = lines[1].0.duration_since(lines[0].0);
    ensure!(apart.as_millis() >= 190, "{body}");
    ensure!(
        lines[2].0.duration_since(lines[1].0).as_millis() >= 190,
        "{body}"
    );
    Ok(())
}

//! The link between agent and center is cut in several ways while runs start and end: the agent works on, and afterwards
//! everything is known, once.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::job::{Job, RetryPolicy};
use cronfleet_api::run::{Outcome, Run};
use cronfleet_api::slot::SlotState;
use cronfleet_testkit::{Fleet, Passing, Proxy, RunQuery, eventually};
use futures_util::future::join_all;
use jiff::Timestamp;
use uuid::Uuid;

/// Every way in which the link is cut.
const CUTS: [Passing; 4] = [
    Passing::Reset,
    Passing::Nothing,
    Passing::ToAgents,
    Passing::ToCenter,
];

/// Silence after which both sides take a session for dead, three heartbeats of 5 s, and as much again for a busy machine.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Longest time from the end of a cut until the agent is back: it dials at least every 30 s.
const BACK_WITHIN: Duration = Duration::from_secs(45);

/// Time for anything else.
const STEP: Duration = Duration::from_secs(60);

/// Runs that must start while the link is cut: orders are handed out 15 s ahead.
const STARTS_WHILE_CUT: usize = 4;

/// Seconds between two due instants.
const PERIOD_SECONDS: i64 = 2;

/// A fleet whose link can be cut.
struct Far {
    fleet: Fleet,
    link: Proxy,
    cut: Passing,
}

// The links are tasks of this process, and it waits for programs that use them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_link_loses_nothing_and_raises_no_false_alarm() -> Result<()> {
    let played = join_all(CUTS.map(play)).await;
    for (played, cut) in played.into_iter().zip(CUTS) {
        played.with_context(|| format!("{cut:?}"))?;
    }
    Ok(())
}

/// Plays one cut: runs start and end during it, a daemon lives through it, and all of it is known afterwards.
async fn play(cut: Passing) -> Result<()> {
    let (fleet, link) =
        Fleet::start_behind_link(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let far = Far { fleet, link, cut };
    far.play().await.with_context(|| far.fleet.logs())
}

impl Far {
    async fn play(&self) -> Result<()> {
        let api = &self.fleet.api;
        let job = self.create_steady().await?;
        let lines = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.5; done";
        let daemon = api
            .create(self.fleet.group, Fleet::daemon("daemon", 1, lines)?)
            .await?;
        let from = Timestamp::now();
        let pid = eventually("everything runs", STEP, async || {
            let slots = api.slots(daemon.id).await?;
            let running = slots.iter().find(|slot| slot.state == SlotState::Running);
            let has_run = !self.stamps("ends").is_empty();
            Ok(running.filter(|_| has_run).and_then(|slot| slot.pid))
        })
        .await?;

        self.link.pass(self.cut);
        let before = self.stamps("starts").len();
        eventually("runs start while the link is cut", STEP, async || {
            Ok((self.stamps("starts").len() >= before + STARTS_WHILE_CUT).then_some(()))
        })
        .await?;
        self.wait_online(false, SILENCE_MAX).await?;
        self.link.pass(Passing::All);
        self.wait_online(true, BACK_WITHIN).await?;

        let until = Timestamp::now();
        api.act(job.id, "pause").await?;
        let runs = eventually("every run is over", STEP, async || {
            let query = RunQuery {
                job: Some(job.id),
                state: None,
            };
            let runs = api.runs(&query).await?;
            Ok(runs.iter().all(|run| run.outcome.is_some()).then_some(runs))
        })
        .await?;
        self.check(&job, &runs, from, until).await?;
        let processes = api.processes(daemon.id).await?;
        ensure!(
            processes.len() == 1 && processes[0].pid == Some(pid),
            "the daemon's processes are {processes:?}, and not only {pid}"
        );
        Ok(())
    }

    /// A job whose runs take a second, stamp their start and their end, and would be tried again.
    async fn create_steady(&self) -> Result<Job> {
        let script = format!(
            "echo $CRONFLEET_RUN_ID >> {}; for n in 1 2 3 4 5; do echo $n; sleep 0.2; done; echo $CRONFLEET_RUN_ID >> {}",
            self.fleet.path("starts").display(),
            self.fleet.path("ends").display()
        );
        let expression = format!("@every {PERIOD_SECONDS}s");
        let mut spec = Fleet::scheduled("steady", &expression, &script)?;
        if let Some(scheduled) = &mut spec.scheduled {
            scheduled.retry = RetryPolicy {
                attempts_max: 3,
                ..RetryPolicy::default()
            };
        }
        self.fleet.api.create(self.fleet.group, spec).await
    }

    /// Waits until the center takes the agent for online, or for not online.
    async fn wait_online(&self, expected: bool, within: Duration) -> Result<()> {
        let what = format!("the agent is online: {expected}");
        eventually(&what, within, async || {
            let agents = self.fleet.api.agents().await?;
            let is_as_expected = agents.iter().all(|agent| agent.is_online == expected);
            Ok(is_as_expected.then_some(()))
        })
        .await
    }

    /// Ids of the runs that have left a stamp, once per stamp.
    fn stamps(&self, kind: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.fleet.path(kind)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn check(
        &self,
        job: &Job,
        runs: &[Run],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<()> {
        let (starts, ends) = (self.stamps("starts"), self.stamps("ends"));
        for run in runs {
            let id = run.id.to_string();
            let started = starts.iter().filter(|start| **start == id).count();
            let ended = ends.iter().filter(|end| **end == id).count();
            let is_true = match run.outcome {
                Some(Outcome::Succeeded) => (started, ended) == (1, 1),
                // Handed out late, several at once, of a job that forbids overlap; or paused before it was due.
                Some(Outcome::Skipped) => (started, ended) == (0, 0),
                _ => false,
            };
            ensure!(
                is_true && run.attempt == 1,
                "{started} starts and {ended} ends of {run:?}"
            );
        }
        let lapses = self.fleet.api.lapses(job.id).await?;
        for number in from.as_second() / PERIOD_SECONDS + 1.. {
            let due = Timestamp::from_second(number * PERIOD_SECONDS)?;
            if due >= until {
                break;
            }
            let count = runs.iter().filter(|run| run.due == due).count();
            let is_lapsed = lapses
                .iter()
                .any(|lapse| lapse.due_from <= due && due <= lapse.due_to);
            ensure!(
                count == usize::from(!is_lapsed),
                "{count} runs are due at {due}"
            );
        }
        for id in &starts {
            let life: Uuid = id.parse()?;
            let text = eventually("the output is complete", STEP, async || {
                let (text, is_complete) = self.fleet.api.output(life).await?;
                Ok(is_complete.then_some(text))
            })
            .await?;
            ensure!(text == "1\n2\n3\n4\n5\n", "output of {life}: {text:?}");
        }
        Ok(())
    }
}

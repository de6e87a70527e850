//! The scenario: runs of several kinds, a daemon, a kill, an edit, an end; and an agent that dies on the way.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use cronfleet_api::job::{Job, Overlap, RetryPolicy};
use cronfleet_api::run::{Outcome, Run, RunState};
use cronfleet_api::slot::SlotState;
use cronfleet_testkit::{Effect, Fleet, Machine, Program, RunQuery, Traced, eventually};
use jiff::Timestamp;
use uuid::Uuid;

use crate::checker::{self, Evidence};
use crate::point::{Life, Point};
use crate::stamps::StampDir;

/// Time for any step, on a machine that is busy with many scenarios.
const STEP: Duration = Duration::from_secs(180);

/// How often a condition is looked at. More often, and a busy machine would be busy with looking.
const LOOK_INTERVAL: Duration = Duration::from_millis(300);

/// Slots of the daemon.
pub(crate) const SLOTS: usize = 2;

/// Processes of each due instant of the first job.
pub(crate) const COPIES: u32 = 2;

/// What came of one scenario in which every promise was kept.
#[derive(Debug)]
pub(crate) struct Played {
    /// Effects of the agent that was watched, the one that it was killed before included.
    pub(crate) effects: Vec<Effect>,
    /// Whether it was killed at the moment asked for.
    pub(crate) was_killed: bool,
    /// What happened that is right and rare.
    pub(crate) rarities: Vec<String>,
}

/// The jobs of a scenario.
#[derive(Debug)]
pub(crate) struct Jobs {
    /// Quick, several at a time, edited on the way.
    pub(crate) quick: Job,
    /// Fails at its first attempt and succeeds at its second.
    pub(crate) retried: Job,
    /// Always fails.
    pub(crate) failing: Job,
    /// Takes a second and says much.
    pub(crate) talking: Job,
    /// Run by hand and killed.
    pub(crate) endless: Job,
    /// The daemon.
    pub(crate) daemon: Job,
}

impl Jobs {
    /// Those with a schedule of their own, with the seconds between two due instants.
    pub(crate) fn scheduled(&self) -> [(&Job, i64); 4] {
        [
            (&self.quick, 2),
            (&self.retried, 3),
            (&self.failing, 3),
            (&self.talking, 3),
        ]
    }
}

/// A machine under way.
struct Stage<'a> {
    agent: Agent,
    machine: Machine,
    fleet: &'a Fleet,
    group: Uuid,
    point: &'a Point,
    /// Effects of the agent that was watched, once it is over.
    effects: Option<Vec<Effect>>,
    stamps: StampDir,
}

enum Agent {
    Down,
    Watched(Traced),
    Plain(Program),
}

/// Plays the scenario once.
///
/// # Errors
/// A promise was broken, or something did not happen in time.
pub(crate) async fn play(fleet: &Fleet, point: &Point) -> Result<Played> {
    let name = format!("machine {point}");
    let name = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let (machine, group) = fleet.machine(&name).await?;
    let stamps = StampDir::create(machine.path("stamps"))?;
    let mut stage = Stage {
        agent: Agent::Down,
        fleet,
        group,
        point,
        effects: None,
        stamps,
        machine,
    };
    stage.play().await.map_err(|error| {
        let log = std::fs::read_to_string(stage.machine.log()).unwrap_or_default();
        let last = stage.effects.as_ref().and_then(|effects| effects.last());
        anyhow!("killed before {last:?}: {error:#}\nthe agent said:\n{log}")
    })
}

impl Stage<'_> {
    async fn play(&mut self) -> Result<Played> {
        let jobs = self.create_jobs().await?;
        let from = Timestamp::now();
        match self.point.life {
            Life::First => self.agent = self.watched()?,
            Life::Second => self.agent = self.plain()?,
        }
        self.until("runs of every kind and both slots", async |stage| {
            stage.is_in_full_swing(&jobs).await
        })
        .await?;
        let endless = *self
            .fleet
            .api
            .run_now(jobs.endless.id)
            .await?
            .first()
            .context("a run")?;
        self.until("the endless run runs", async |stage| {
            let run = stage.fleet.api.run(endless).await?;
            Ok(run.state == RunState::Running)
        })
        .await?;
        if self.point.life == Life::Second {
            self.end_agent()?;
            self.agent = self.watched()?;
        }
        self.fleet.api.kill(endless).await?;
        let edited_from = Timestamp::now();
        let edited = self.edit(&jobs.quick).await?;
        self.until("the edited job has run", async |stage| {
            let runs = stage.runs(edited.id).await?;
            Ok(runs.iter().any(|run| {
                run.job_version == edited.version && run.outcome == Some(Outcome::Succeeded)
            }))
        })
        .await?;
        let mut evidence = self.wind_up(jobs, from).await?;
        evidence.edited_from = edited_from;
        self.until("nothing is left on the machine", async |stage| {
            stage.tend()?;
            Ok(checker::leftovers(&stage.machine)?.is_empty())
        })
        .await
        .with_context(|| format!("left: {:?}", checker::leftovers(&self.machine)))?;
        let was_killed = self.effects.is_some();
        self.end_agent()?;
        let rarities = checker::check(&evidence)?;
        let effects = self.effects.take().context("an agent was watched")?;
        Ok(Played {
            effects,
            was_killed,
            rarities,
        })
    }

    async fn create_jobs(&self) -> Result<Jobs> {
        let stamps = &self.stamps;
        let create = async |spec| self.fleet.api.create(self.group, spec).await;
        let scheduled = Fleet::scheduled;
        let mut quick = scheduled("quick", "@every 2s", &stamps.run(5, "0", "0"))?;
        quick.processes = COPIES;
        let mut retried = scheduled(
            "retried",
            "@every 3s",
            &stamps.run(3, "0.05", "CRONFLEET_ATTEMPT < 2"),
        )?;
        if let Some(scheduled) = &mut retried.scheduled {
            scheduled.overlap = Overlap::Allow;
            scheduled.retry = RetryPolicy {
                attempts_max: 3,
                backoff_initial_ms: 100,
                ..RetryPolicy::default()
            };
        }
        let endless = stamps.run(1_000_000, "0.3", "0");
        Ok(Jobs {
            quick: create(quick).await?,
            retried: create(retried).await?,
            failing: create(scheduled("failing", "@every 3s", &stamps.run(1, "0", "3"))?).await?,
            talking: create(scheduled(
                "talking",
                "@every 3s",
                &stamps.run(10, "0.1", "0"),
            )?)
            .await?,
            endless: create(scheduled("endless", "@yearly", &endless)?).await?,
            daemon: create(Fleet::daemon(
                "daemon",
                u32::try_from(SLOTS)?,
                &stamps.daemon(),
            )?)
            .await?,
        })
    }

    /// Whether every scheduled job has a run that is over, and every slot a process.
    async fn is_in_full_swing(&self, jobs: &Jobs) -> Result<bool> {
        for (job, _) in jobs.scheduled() {
            let runs = self.runs(job.id).await?;
            if !runs.iter().any(|run| run.outcome.is_some()) {
                return Ok(false);
            }
        }
        let slots = self.fleet.api.slots(jobs.daemon.id).await?;
        let running = slots.iter().filter(|slot| slot.state == SlotState::Running);
        Ok(running.count() == SLOTS)
    }

    async fn edit(&self, job: &Job) -> Result<Job> {
        let mut spec = job.spec.clone();
        spec.command.argv = Some(vec![
            "/bin/sh".to_owned(),
            "-c".to_owned(),
            self.stamps.run(7, "0", "0"),
        ]);
        self.fleet.api.replace(job, spec).await
    }

    /// Pauses everything, first what is scheduled, and gathers what there is to know.
    async fn wind_up(&mut self, jobs: Jobs, from: Timestamp) -> Result<Evidence> {
        let settled = Timestamp::now();
        self.until("every failure has been tried again", async |stage| {
            let runs = stage.runs(jobs.retried.id).await?;
            let is_tried_again = |failed: &Run| {
                let mut second = runs.iter().filter(|run| run.attempt == 2);
                second.any(|run| run.due == failed.due && run.outcome.is_some())
            };
            let mut early = runs.iter().filter(|run| run.due < settled);
            Ok(early.all(|run| match run.outcome {
                Some(Outcome::Failed) => is_tried_again(run),
                outcome => outcome.is_some(),
            }))
        })
        .await?;
        let until = Timestamp::now();
        for (job, _) in jobs.scheduled() {
            self.fleet.api.act(job.id, "pause").await?;
        }
        let mut runs = Vec::new();
        for job in jobs
            .scheduled()
            .map(|(job, _)| job)
            .iter()
            .chain([&&jobs.endless])
        {
            self.until("every run is over", async |stage| {
                let runs = stage.runs(job.id).await?;
                Ok(runs.iter().all(|run| run.outcome.is_some()))
            })
            .await?;
        }
        let mut lapses = Vec::new();
        for (job, _) in jobs.scheduled() {
            lapses.extend(self.fleet.api.lapses(job.id).await?);
            runs.extend(self.runs(job.id).await?);
        }
        runs.extend(self.runs(jobs.endless.id).await?);
        self.until("both slots run", async |stage| {
            let slots = stage.fleet.api.slots(jobs.daemon.id).await?;
            Ok(slots.iter().all(|slot| slot.state == SlotState::Running))
        })
        .await?;
        let slots = self.fleet.api.slots(jobs.daemon.id).await?;
        for slot in &slots {
            let pid = slot.pid.context("a slot that runs has a process")?;
            let is_alive = Path::new(&format!("/proc/{pid}")).exists();
            ensure!(is_alive, "P9: the process of {slot:?} is not there");
        }
        self.fleet.api.act(jobs.daemon.id, "pause").await?;
        self.until("every process is over", async |stage| {
            let processes = stage.fleet.api.processes(jobs.daemon.id).await?;
            Ok(processes.iter().all(|process| process.ended_at.is_some()))
        })
        .await?;
        let processes = self.fleet.api.processes(jobs.daemon.id).await?;
        let stamps = self.stamps.read()?;
        let mut outputs = Vec::new();
        for id in stamps.keys() {
            let life: Uuid = id.parse()?;
            let mut output = String::new();
            self.until("the output is complete", async |stage| {
                let (text, is_complete) = stage.fleet.api.output(life).await?;
                output = text;
                Ok(is_complete)
            })
            .await
            .with_context(|| format!("output of {life}"))?;
            outputs.push((id.clone(), output));
        }
        Ok(Evidence {
            jobs,
            from,
            edited_from: from,
            settled,
            until,
            runs,
            lapses,
            slots,
            processes,
            outputs: outputs.into_iter().collect(),
            is_doubled: self.stamps.is_doubled(),
            stamps,
        })
    }

    async fn runs(&self, job: Uuid) -> Result<Vec<Run>> {
        let query = RunQuery {
            job: Some(job),
            state: None,
        };
        self.fleet.api.runs(&query).await
    }

    /// Waits, and meanwhile lets another agent follow one that was killed.
    async fn until(
        &mut self,
        what: &str,
        mut condition: impl AsyncFnMut(&mut Self) -> Result<bool>,
    ) -> Result<()> {
        let mut looked: Option<Instant> = None;
        eventually(what, STEP, async || {
            self.tend()?;
            if looked.is_some_and(|at| at.elapsed() < LOOK_INTERVAL) {
                return Ok(None);
            }
            looked = Some(Instant::now());
            Ok(condition(self).await?.then_some(()))
        })
        .await
    }

    fn tend(&mut self) -> Result<()> {
        if let Agent::Watched(agent) = &mut self.agent
            && let Some(effects) = agent.ended()?
        {
            let count = effects.len();
            let moment = self.point.moment.as_ref();
            let is_asked_for = moment.is_some_and(|moment| moment.is_before_last(&effects));
            self.effects = Some(effects);
            ensure!(
                is_asked_for,
                "the agent ended by itself after {count} effects"
            );
            self.agent = self.plain()?;
        }
        if let Agent::Plain(agent) = &mut self.agent
            && let Some(status) = agent.ended()?
        {
            bail!("the agent ended with {status}");
        }
        Ok(())
    }

    /// Kills the agent, wherever it is.
    fn end_agent(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.agent, Agent::Down) {
            Agent::Down => {}
            Agent::Watched(mut agent) => self.effects = Some(agent.kill()?),
            Agent::Plain(mut agent) => agent.kill()?,
        }
        Ok(())
    }

    fn plain(&self) -> Result<Agent> {
        Ok(Agent::Plain(self.machine.start()?))
    }

    fn watched(&self) -> Result<Agent> {
        Ok(Agent::Watched(Traced::start(
            &self.machine.command()?,
            &self.machine.log(),
            &self.machine.path(""),
            self.point.moment.clone(),
        )?))
    }
}

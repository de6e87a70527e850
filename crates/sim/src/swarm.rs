//! What one seed draws: a fleet, its jobs, what people do to them, and what goes wrong. Drawing the features themselves (not
//! only their moments) makes seeds differ in kind.

use std::time::Duration;

use cronfleet_core::backoff::Backoff;
use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::id::{AgentId, JobId};
use cronfleet_core::job::{Command, Launch, Overlap, StopPolicy};
use cronfleet_core::retry::{Failure, RetryPolicy};
use cronfleet_core::run_limits::RunLimits;
use cronfleet_core::schedule::ActiveSpan;
use cronfleet_core::spread::{Pick, Spread};

use crate::calendar::Today;
use crate::rest::{RestOp, RestTime};
use crate::rng::Rng;
use crate::time::{MS, Micros, SECOND, duration, timestamp};

/// One version of a job.
#[derive(Debug, Clone)]
pub(crate) struct JobDraw {
    pub(crate) rhythm: Rhythm,
    pub(crate) active: ActiveSpan,
    /// The calendar that it follows.
    pub(crate) today: Option<Today>,
    pub(crate) agents: Vec<AgentId>,
    pub(crate) copies: u32,
    pub(crate) spread: Spread,
    pub(crate) overlap: Overlap,
    pub(crate) jitter: Duration,
    pub(crate) start_deadline: Duration,
    pub(crate) catch_up: CatchUp,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: RetryPolicy,
    pub(crate) launch: Launch,
    /// How long its command runs.
    pub(crate) runs_for: (Micros, Micros),
    pub(crate) failure_chance: f64,
    /// Chance that a process ignores the stop signal.
    pub(crate) deaf_chance: f64,
}

/// When a job is due, in words that the checker understands without the product's schedule engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rhythm {
    /// At each whole multiple of so many milliseconds since the epoch.
    EveryMs(i64),
    /// At each second of a minute that this divides.
    Seconds(i64),
    /// At these two seconds of each minute.
    TwoSeconds(i64, i64),
}

impl Rhythm {
    pub(crate) fn expression(self) -> String {
        match self {
            Self::EveryMs(ms) => format!("@every {ms}ms"),
            Self::Seconds(1) => "* * * * * *".to_owned(),
            Self::Seconds(step) => format!("*/{step} * * * * *"),
            Self::TwoSeconds(a, b) => format!("{a},{b} * * * * *"),
        }
    }
}

/// What a person does.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Edit {
        job: usize,
        draw: Box<JobDraw>,
    },
    Pause {
        job: usize,
    },
    Resume {
        job: usize,
    },
    /// Kills one of the runs that are alive, or else one that has not ended, by chance.
    Kill {
        luck: u64,
    },
    Rest(RestOp),
    /// Saves the calendar that jobs follow.
    Calendar {
        counts: bool,
    },
}

/// What a transaction of the center is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    Lease,
    Plan,
    Expire,
    Dispatch,
    Session,
    Claims,
    Offers,
    Operate,
}

impl Commit {
    const ALL: [Self; 8] = [
        Self::Lease,
        Self::Plan,
        Self::Expire,
        Self::Dispatch,
        Self::Session,
        Self::Claims,
        Self::Offers,
        Self::Operate,
    ];
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A center dies at once.
    CenterCrash {
        center: usize,
        down: Micros,
    },
    /// A center stops in good order.
    CenterStop {
        center: usize,
        down: Micros,
    },
    /// A center stands still, and goes on as if nothing had been; `with_plan`: once it has decided what to plan and before the
    /// database hears of it.
    CenterFreeze {
        center: usize,
        with_plan: bool,
        length: Micros,
    },
    /// The clock of a center's machine is set.
    ClockStep {
        center: usize,
        by: Micros,
    },
    /// The database does not answer.
    DatabaseDown {
        length: Micros,
    },
    /// A center dies just before or just after its next commit of this kind.
    CommitCrash {
        center: usize,
        commit: Commit,
        is_after: bool,
        down: Micros,
    },
    AgentCrash {
        agent: usize,
        down: Micros,
    },
    /// The agent dies after so many more effects of its order book.
    MidwayCrash {
        agent: usize,
        effects: u32,
        down: Micros,
    },
    HostReboot {
        agent: usize,
        down: Micros,
    },
    Partition {
        agent: usize,
        length: Micros,
    },
    /// Preparing and starting takes long.
    SlowHost {
        agent: usize,
        length: Micros,
    },
    DiskFull {
        agent: usize,
        length: Micros,
    },
    /// The shim of a run dies, and the command with it.
    ShimCrash {
        agent: usize,
        luck: u64,
    },
}

/// Everything that a seed decides beforehand.
#[derive(Debug, Clone)]
pub(crate) struct Swarm {
    pub(crate) agents: Vec<AgentId>,
    /// Limits of each agent on its runs.
    pub(crate) run_limits: RunLimits,
    /// How many centers there are.
    pub(crate) centers: usize,
    pub(crate) jobs: Vec<(JobId, JobDraw)>,
    pub(crate) ops: Vec<(Micros, Op)>,
    pub(crate) faults: Vec<(Micros, Fault)>,
    /// Whether messages of a session arrive in order, and a lost one ends the session, as with TCP.
    pub(crate) is_stream: bool,
    /// Only agents suffer: centers and the way to the database are as they should be.
    pub(crate) are_centers_well: bool,
    pub(crate) delay: (Micros, Micros),
    pub(crate) drop_chance: f64,
    pub(crate) duplicate_chance: f64,
    /// Largest error of an agent's idea of the center's clock.
    pub(crate) clock_error: Micros,
    /// Longest time until a record is on the disk.
    pub(crate) sync_time: Micros,
    /// After so long out of reach an agent's runs are lost.
    pub(crate) lost_after: Micros,
    /// From here on nothing goes wrong any more.
    pub(crate) heal_at: Micros,
    /// Due instants up to here are checked.
    pub(crate) check_until: Micros,
    pub(crate) end: Micros,
}

impl Swarm {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let agents: Vec<AgentId> = (0..rng.range(1, 3))
            .map(|i| AgentId::from_u128(100 + i as u128))
            .collect();
        let jobs: Vec<(JobId, JobDraw)> = (0..rng.range(1, 3))
            .map(|i| (JobId::from_u128(1 + i as u128), JobDraw::draw(rng, &agents)))
            .collect();
        let has_faults = !rng.chance(0.1);
        let centers = [1, 1, 2, 2, 3][rng.index(5)];
        let heal_at = rng.range(25, 60) * SECOND;
        let check_until = heal_at + 10 * SECOND;
        let are_centers_well = !has_faults || rng.chance(0.2);
        let is_stream = !has_faults || rng.chance(0.6);
        let count = if has_faults { rng.range(1, 8) } else { 0 };
        let faults = (0..count)
            .map(|_| {
                let at = rng.range(SECOND, heal_at - SECOND);
                let mut fault = Fault::draw(rng, agents.len(), centers);
                while are_centers_well && !fault.is_of_agent() {
                    fault = Fault::draw(rng, agents.len(), centers);
                }
                (at, fault)
            })
            .collect();
        let slowest_message = if has_faults && rng.chance(0.3) {
            800
        } else {
            20
        };
        let slowest_sync = if has_faults && rng.chance(0.2) {
            900
        } else {
            30
        };
        let mut swarm = Self {
            ops: Vec::new(),
            faults,
            are_centers_well,
            is_stream,
            delay: (rng.range(100, 1_000), rng.range(1, slowest_message) * MS),
            drop_chance: if has_faults && rng.chance(0.5) {
                0.01 * rng.unit()
            } else {
                0.0
            },
            duplicate_chance: if !is_stream && rng.chance(0.7) {
                0.1 * rng.unit()
            } else {
                0.0
            },
            clock_error: rng.range(0, 20) * MS,
            sync_time: rng.range(1, slowest_sync) * MS,
            lost_after: if rng.chance(0.2) {
                8 * SECOND
            } else {
                600 * SECOND
            },
            heal_at,
            check_until,
            end: check_until + 60 * SECOND,
            run_limits: run_limits(rng),
            agents,
            centers,
            jobs,
        };
        swarm.ops = swarm.draw_ops(rng);
        let rests = swarm.draw_rests(rng);
        swarm.ops.extend(rests);
        swarm.draw_calendar(rng);
        swarm
    }

    /// Windows and snoozes, which in half of all worlds there are none of.
    fn draw_rests(&self, rng: &mut Rng) -> Vec<(Micros, Op)> {
        let count = if rng.chance(0.5) { 0 } else { rng.range(1, 3) };
        let mut ops = Vec::new();
        for name in 0..count as u64 {
            let at = rng.range(SECOND, self.check_until - SECOND);
            let end = (at + rng.range(SECOND, 20 * SECOND)).min(self.check_until - 1);
            let is_ended = rng.chance(0.4);
            let job = rng.index(self.jobs.len());
            let (begin, over) = if rng.chance(0.4) {
                let length = rng.range(SECOND, 25 * SECOND);
                (RestOp::Snooze { job, length }, RestOp::Wake { job })
            } else {
                let job = rng.chance(0.6).then_some(job);
                let time = window_time(rng, at);
                (RestOp::Freeze { name, job, time }, RestOp::Thaw { name })
            };
            ops.push((at, Op::Rest(begin)));
            if is_ended {
                ops.push((end, Op::Rest(over)));
            }
        }
        ops
    }

    /// The same fleet with nothing wrong but that its agents are out of reach for so long, while a long job runs on them.
    pub(crate) fn apart(mut self, length: Micros) -> Self {
        let from = 20 * SECOND;
        let partition = |agent| (from, Fault::Partition { agent, length });
        self.faults = (0..self.agents.len()).map(partition).collect();
        self.drop_chance = 0.0;
        self.duplicate_chance = 0.0;
        self.run_limits = RunLimits::default();
        // As the product has it.
        self.lost_after = 86_400 * SECOND;
        self.heal_at = from + length + SECOND;
        self.check_until = self.heal_at + 10 * SECOND;
        self.end = self.check_until + length + 60 * SECOND;
        let long = &mut self.jobs[0].1;
        long.rhythm = Rhythm::Seconds(5);
        long.active = ActiveSpan::default();
        long.jitter = Duration::ZERO;
        long.runs_for = (10 * SECOND, length / 2);
        long.timeout = None;
        self
    }

    fn draw_ops(&self, rng: &mut Rng) -> Vec<(Micros, Op)> {
        let count = if rng.chance(0.3) { 0 } else { rng.range(1, 6) };
        let mut ops = Vec::new();
        for _ in 0..count {
            let at = rng.range(2 * SECOND, self.check_until - SECOND);
            let job = rng.index(self.jobs.len());
            match rng.index(4) {
                0 => {
                    let mut draw = JobDraw::draw(rng, &self.agents);
                    if rng.chance(0.6) {
                        // Only the command changes: the same due instants in two versions.
                        draw = JobDraw {
                            failure_chance: draw.failure_chance,
                            ..self.jobs[job].1.clone()
                        };
                    }
                    ops.push((
                        at,
                        Op::Edit {
                            job,
                            draw: Box::new(draw),
                        },
                    ));
                }
                1 => {
                    ops.push((at, Op::Pause { job }));
                    let until = at + rng.range(100 * MS, 9 * SECOND);
                    ops.push((until.min(self.check_until - 1), Op::Resume { job }));
                }
                _ => ops.push((at, Op::Kill { luck: rng.next() })),
            }
        }
        ops
    }
}

impl Fault {
    const fn is_of_agent(&self) -> bool {
        matches!(
            self,
            Self::AgentCrash { .. }
                | Self::MidwayCrash { .. }
                | Self::HostReboot { .. }
                | Self::Partition { .. }
                | Self::SlowHost { .. }
                | Self::DiskFull { .. }
                | Self::ShimCrash { .. }
        )
    }

    fn draw(rng: &mut Rng, agents: usize, centers: usize) -> Self {
        let agent = rng.index(agents);
        let center = rng.index(centers);
        let down = rng.range(200 * MS, 20 * SECOND);
        let length = rng.range(200 * MS, 15 * SECOND);
        match rng.index(19) {
            0 | 11 => Self::CenterCrash { center, down },
            12 => Self::CenterStop { center, down },
            13 | 18 => Self::CenterFreeze {
                center,
                with_plan: rng.chance(0.6),
                length: rng.range(SECOND, 25 * SECOND),
            },
            14 => Self::ClockStep {
                center,
                by: rng.range(-3_600, 3_600) * SECOND,
            },
            15 => Self::DatabaseDown { length },
            1 | 2 | 16 | 17 => Self::CommitCrash {
                center,
                commit: Commit::ALL[rng.index(Commit::ALL.len())],
                is_after: rng.chance(0.5),
                down,
            },
            3 => Self::AgentCrash {
                agent,
                down: down / 2,
            },
            4 | 5 => Self::MidwayCrash {
                agent,
                effects: rng.range(1, 40) as u32,
                down: down / 2,
            },
            6 => Self::HostReboot { agent, down },
            7 => Self::Partition { agent, length },
            8 => Self::SlowHost { agent, length },
            9 => Self::DiskFull { agent, length },
            _ => Self::ShimCrash {
                agent,
                luck: rng.next(),
            },
        }
    }
}

impl JobDraw {
    fn draw(rng: &mut Rng, agents: &[AgentId]) -> Self {
        let rhythm = match rng.index(6) {
            0 => Rhythm::EveryMs(250),
            1 => Rhythm::EveryMs(rng.range(3, 40) * 100),
            2 => Rhythm::Seconds(1),
            3 | 4 => Rhythm::Seconds([2, 3, 5][rng.index(3)]),
            _ => {
                let first = rng.range(0, 29);
                Rhythm::TwoSeconds(first, first + rng.range(1, 30))
            }
        };
        let mut chosen: Vec<AgentId> = agents.iter().copied().filter(|_| rng.chance(0.7)).collect();
        if chosen.is_empty() {
            chosen.push(agents[0]);
        }
        let short = (10 * MS, 150 * MS);
        let runs_for = [short, short, (100 * MS, 1_200 * MS), (800 * MS, 4_000 * MS)][rng.index(4)];
        let initial = duration(rng.range(100, 2_000) * MS);
        let (overlap, catch_up) = match (overlap(rng), catch_up(rng)) {
            // Refused when it is saved.
            (Overlap::Replace, CatchUp::All { .. }) => (Overlap::Replace, CatchUp::Latest),
            drawn => drawn,
        };
        Self {
            rhythm,
            active: ActiveSpan {
                from: rng
                    .chance(0.15)
                    .then(|| timestamp(rng.range(0, 20 * SECOND))),
                until: rng
                    .chance(0.15)
                    .then(|| timestamp(rng.range(25 * SECOND, 60 * SECOND))),
            },
            today: None,
            agents: chosen,
            copies: if rng.chance(0.2) { 2 } else { 1 },
            spread: spread(rng),
            overlap,
            // Shorter and longer than the distance of due instants, and than the time by which runs are planned ahead.
            jitter: if rng.chance(0.3) {
                duration(rng.range(100, 25_000) * MS)
            } else {
                Duration::ZERO
            },
            // Centers learn of each other's plans within a second.
            start_deadline: duration(rng.range(2, 15) * SECOND),
            timeout: rng
                .chance(0.3)
                .then(|| duration(rng.range(100, 2_500) * MS)),
            retry: RetryPolicy {
                attempts_max: if rng.chance(0.3) {
                    rng.range(2, 3) as u32
                } else {
                    1
                },
                backoff: Backoff {
                    initial,
                    max: initial * 4,
                },
                failures: failures(rng),
            },
            launch: launch(duration(rng.range(0, 1_500) * MS)),
            runs_for,
            failure_chance: if rng.chance(0.4) { 0.3 } else { 0.0 },
            catch_up,
            deaf_chance: if rng.chance(0.3) { 0.5 } else { 0.0 },
        }
    }
}

/// In one of five fleets agents have limits.
fn run_limits(rng: &mut Rng) -> RunLimits {
    let mut draw = |most| rng.chance(0.7).then(|| rng.range(1, most) as u32);
    let (running_max, starts_per_second) = (draw(4), draw(8));
    if rng.chance(0.8) {
        return RunLimits::default();
    }
    RunLimits {
        running_max,
        starts_per_second,
    }
}

/// In one of four jobs some agents are enough.
fn spread(rng: &mut Rng) -> Spread {
    if rng.chance(0.75) {
        return Spread::Each;
    }
    Spread::Some {
        count: if rng.chance(0.8) { 1 } else { 2 },
        pick: Pick::ALL[rng.index(Pick::ALL.len())],
    }
}

fn overlap(rng: &mut Rng) -> Overlap {
    match rng.index(10) {
        0..5 => Overlap::Forbid,
        5..8 => Overlap::Allow,
        8 => Overlap::Queue {
            max: rng.range(1, 4) as u32,
        },
        _ => Overlap::Replace,
    }
}

fn catch_up(rng: &mut Rng) -> CatchUp {
    match rng.index(4) {
        0 => CatchUp::Latest,
        1 => CatchUp::All {
            max: rng.range(1, 6) as u32,
            window: duration(rng.range(5, 30) * SECOND),
        },
        _ => CatchUp::None,
    }
}

/// When a window that is made then holds: soon, or again and again.
fn window_time(rng: &mut Rng, at: Micros) -> RestTime {
    if rng.chance(0.6) {
        let from = at + rng.range(-5 * SECOND, 20 * SECOND);
        RestTime::Once {
            from: timestamp(from),
            until: timestamp(from + rng.range(SECOND, 20 * SECOND)),
        }
    } else {
        let seconds = rng.range(4, 30);
        RestTime::Every {
            seconds,
            lasts: rng.range(SECOND, seconds * SECOND),
        }
    }
}

/// Which failures are tried again: in half of all jobs every one.
fn failures(rng: &mut Rng) -> Vec<Failure> {
    let chosen = match rng.index(8) {
        0 => &[Failure::TimedOut][..],
        1 => &[Failure::Exited {
            first: 70,
            last: 79,
        }],
        2 => &[Failure::Exited { first: 1, last: 1 }, Failure::TimedOut],
        3 => &[
            Failure::Exited {
                first: 75,
                last: 75,
            },
            Failure::Signalled,
        ],
        _ => &[],
    };
    chosen.to_vec()
}

fn launch(grace: Duration) -> Launch {
    Launch {
        stop: StopPolicy {
            grace,
            ..StopPolicy::default()
        },
        ..Launch::new(Command::Argv(vec!["/bin/job".to_owned()]), "nobody")
    }
}

//! The faults: what each is called, what is done to the fleet, for how long, and which reasons it can give.

use std::time::Duration;

use anyhow::{Context, Result};
use cronfleet_testkit::{Passing, shims};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::rig::{Engine, Rig};

/// Which of the centers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// The one that plans.
    Planning,
    /// One that does not, where there is one.
    Other,
    /// All of them.
    All,
}

/// Something that befalls the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: what everything else is compared with.
    Nothing,
    /// Centers are killed with SIGKILL.
    CenterKilled(Whom),
    /// Centers are suspended, and go on as if no time had passed.
    CenterSuspended(Whom),
    /// Centers are stopped in good order.
    CenterStopped(Whom),
    /// The clock of the planning center is set, by so many seconds.
    ClockSet(i64),
    /// The links between centers and agents are cut.
    AgentsCut(Whom, Passing),
    /// The links between centers and database are cut.
    DatabaseCut(Whom, Passing),
    /// The database server is killed with SIGKILL.
    DatabaseKilled,
    /// The database server is stopped in good order.
    DatabaseStopped,
    /// The database server answers nobody.
    DatabaseSuspended,
    /// A replica takes over that has not heard of the last seconds.
    DatabaseFailedOver,
    /// One agent is killed with SIGKILL.
    AgentKilled,
    /// All agents are killed with SIGKILL.
    AgentsKilled,
    /// An agent is suspended.
    AgentSuspended,
    /// What holds the processes of an agent is killed with SIGKILL.
    ShimsKilled,
    /// Centers, agents and database are killed with SIGKILL.
    EverythingKilled,
    /// The disk of the center is full.
    CenterDiskFull,
    /// The disk of an agent is full.
    AgentDiskFull,
    /// Nothing that the center stores gets durable.
    CenterSyncsFail,
    /// Nothing that an agent stores gets durable.
    AgentSyncsFail,
}

use Fault::*;

/// With a database server: what befalls centers, the database and the links between them.
const OF_SERVERS: [Fault; 20] = [
    Nothing,
    CenterKilled(Whom::Planning),
    CenterKilled(Whom::Other),
    CenterKilled(Whom::All),
    CenterSuspended(Whom::Planning),
    CenterStopped(Whom::Planning),
    ClockSet(3_600),
    ClockSet(-3_600),
    ClockSet(365 * 86_400),
    AgentsCut(Whom::Planning, Passing::Nothing),
    AgentsCut(Whom::Other, Passing::ToCenter),
    AgentsCut(Whom::All, Passing::Reset),
    DatabaseKilled,
    DatabaseStopped,
    DatabaseSuspended,
    DatabaseFailedOver,
    DatabaseCut(Whom::Planning, Passing::Reset),
    DatabaseCut(Whom::Planning, Passing::ToCenter),
    DatabaseCut(Whom::All, Passing::Nothing),
    EverythingKilled,
];

/// With a database of its own: what befalls agents, disks and the links between center and agents.
const OF_FILES: [Fault; 16] = [
    Nothing,
    CenterKilled(Whom::All),
    CenterSuspended(Whom::All),
    AgentKilled,
    AgentsKilled,
    AgentSuspended,
    ShimsKilled,
    AgentsCut(Whom::All, Passing::Nothing),
    AgentsCut(Whom::All, Passing::ToAgents),
    AgentsCut(Whom::All, Passing::ToCenter),
    AgentsCut(Whom::All, Passing::Reset),
    CenterDiskFull,
    CenterSyncsFail,
    AgentDiskFull,
    AgentSyncsFail,
    EverythingKilled,
];

impl Fault {
    /// Everything that befalls a fleet on this engine, in turn.
    pub(crate) fn all(engine: Engine) -> &'static [Self] {
        match engine {
            Engine::Sqlite => &OF_FILES,
            Engine::Postgres | Engine::Mysql => &OF_SERVERS,
        }
    }

    /// What it is called in the report.
    pub(crate) fn name(self) -> String {
        match self {
            Nothing => "nothing".to_owned(),
            CenterKilled(whom) => format!("{} killed", whom.name()),
            CenterSuspended(whom) => format!("{} suspended", whom.name()),
            CenterStopped(whom) => format!("{} stopped", whom.name()),
            ClockSet(seconds) => format!("clock of the planning center set by {seconds:+} s"),
            AgentsCut(whom, passing) => {
                format!("agents cut off from {}: {}", whom.name(), cut(passing))
            }
            DatabaseCut(whom, passing) => {
                format!(
                    "{} cut off from the database: {}",
                    whom.name(),
                    cut(passing)
                )
            }
            DatabaseKilled => "database killed".to_owned(),
            DatabaseStopped => "database stopped".to_owned(),
            DatabaseSuspended => "database hangs".to_owned(),
            DatabaseFailedOver => "failover that loses the last commits".to_owned(),
            AgentKilled => "an agent killed".to_owned(),
            AgentsKilled => "all agents killed".to_owned(),
            AgentSuspended => "an agent suspended".to_owned(),
            ShimsKilled => "all shims of an agent killed".to_owned(),
            EverythingKilled => "everything killed".to_owned(),
            CenterDiskFull => "disk of the center full".to_owned(),
            AgentDiskFull => "disk of an agent full".to_owned(),
            CenterSyncsFail => "fsync fails at the center".to_owned(),
            AgentSyncsFail => "fsync fails at an agent".to_owned(),
        }
    }

    /// How long it lasts.
    pub(crate) fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            CenterKilled(Whom::Other)
            | CenterStopped(_)
            | ClockSet(_)
            | AgentKilled
            | AgentsKilled
            | EverythingKilled => 6,
            ShimsKilled => 2,
            Nothing | CenterKilled(_) | DatabaseKilled | DatabaseStopped => 10,
            CenterDiskFull | CenterSyncsFail | AgentDiskFull | AgentSyncsFail => 10,
            // Longer than a term in which a center plans, and longer than the silence after which a session is dead.
            CenterSuspended(_) | AgentSuspended | DatabaseSuspended | DatabaseFailedOver => 16,
            // So long that many runs end and their agents are shown as out of reach.
            AgentsCut(Whom::All, Passing::Nothing) => 45,
            AgentsCut(..) | DatabaseCut(..) => 20,
        })
    }

    /// Reasons that runs and lapses may have because of it. None of it lasts as long as a start deadline, so that nothing is to be
    /// missed but what an agent could not know.
    pub(crate) fn reasons(self) -> Vec<&'static str> {
        match self {
            // Agents have their orders and go on.
            Nothing | CenterKilled(Whom::Planning | Whom::Other) | CenterStopped(_) => vec![],
            ClockSet(_) => vec![],
            // What was due meanwhile starts late, all at once.
            CenterKilled(Whom::All)
            | CenterSuspended(_)
            | AgentsCut(..)
            | DatabaseCut(..)
            | DatabaseKilled
            | DatabaseStopped
            | DatabaseSuspended
            | DatabaseFailedOver
            | CenterDiskFull
            | CenterSyncsFail
            | AgentSuspended => vec!["overlap"],
            AgentKilled | AgentsKilled | EverythingKilled => vec!["overlap", "agent_restarted"],
            // One that was still setting up its process has started nothing.
            ShimsKilled => vec!["overlap", "agent_crashed", "exit_unknown", "spawn_failed"],
            AgentDiskFull | AgentSyncsFail => vec!["overlap", "ledger_unwritable"],
        }
    }

    /// Whether processes of daemons die of it.
    pub(crate) fn kills_daemons(self) -> bool {
        self == ShimsKilled
    }

    /// Whether output is lost because of it: what a database forgets, and what finds no room.
    pub(crate) fn loses_output(self) -> bool {
        matches!(self, DatabaseFailedOver | AgentDiskFull)
    }

    /// Does it. What was done is taken back by [`Rig::heal`].
    pub(crate) async fn befall(self, rig: &mut Rig) -> Result<()> {
        match self {
            Nothing => {}
            CenterKilled(whom) => {
                for index in whom.of(rig).await? {
                    rig.centers[index].running.kill()?;
                }
            }
            CenterSuspended(whom) => {
                for index in whom.of(rig).await? {
                    rig.centers[index].running.signal(Signal::SIGSTOP)?;
                }
            }
            CenterStopped(whom) => {
                for index in whom.of(rig).await? {
                    rig.centers[index].running.stop()?;
                }
            }
            ClockSet(seconds) => {
                let planning = rig.planning().await?;
                rig.centers[planning].set_clock(seconds)?;
            }
            AgentsCut(whom, passing) => {
                for index in whom.of(rig).await? {
                    rig.centers[index].to_agents.pass(passing);
                }
            }
            DatabaseCut(whom, passing) => {
                for index in whom.of(rig).await? {
                    let link = rig.centers[index].to_database.as_ref();
                    link.context("a link to the database")?.pass(passing);
                }
            }
            DatabaseKilled => rig.server.as_mut().context("a server")?.kill()?,
            DatabaseStopped => rig.server.as_mut().context("a server")?.stop()?,
            DatabaseSuspended => rig.suspend_server()?,
            DatabaseFailedOver => fail_over(rig).await?,
            AgentKilled => rig.stations[0].running.kill()?,
            AgentsKilled => kill_agents(rig)?,
            AgentSuspended => rig.stations[0].running.signal(Signal::SIGSTOP)?,
            ShimsKilled => {
                for shim in shims(&rig.stations[0].machine.runtime_dir()) {
                    // One of a run may have ended by now.
                    let _gone = kill(Pid::from_raw(shim), Signal::SIGKILL);
                }
            }
            EverythingKilled => {
                kill_agents(rig)?;
                for center in &mut rig.centers {
                    center.running.kill()?;
                }
                if let Some(server) = &mut rig.server {
                    server.kill()?;
                }
            }
            CenterDiskFull => rig.fill("center")?,
            AgentDiskFull => rig.fill("agent")?,
            CenterSyncsFail => {
                let syncs = rig.syncs.clone();
                rig.centers[0].trace(syncs).await?;
                rig.syncs.fail(true);
            }
            AgentSyncsFail => {
                let syncs = rig.syncs.clone();
                rig.stations[0].trace(syncs)?;
                rig.wait_whole().await?;
                rig.syncs.fail(true);
            }
        }
        Ok(())
    }
}

/// Seconds of commits that a failover loses.
const LOST_COMMITS: Duration = Duration::from_secs(4);

/// Lets a replica take over that is some seconds behind.
async fn fail_over(rig: &mut Rig) -> Result<()> {
    rig.server.as_ref().context("a server")?.snapshot()?;
    tokio::time::sleep(LOST_COMMITS).await;
    let server = rig.server.as_mut().context("a server")?;
    server.kill()?;
    server.fail_over()?;
    rig.watch.forget_terms();
    server.start_again()
}

fn kill_agents(rig: &mut Rig) -> Result<()> {
    for station in &mut rig.stations {
        station.running.kill()?;
    }
    Ok(())
}

impl Whom {
    fn name(self) -> &'static str {
        match self {
            Self::Planning => "the planning center",
            Self::Other => "the other center",
            Self::All => "every center",
        }
    }

    async fn of(self, rig: &Rig) -> Result<Vec<usize>> {
        let planning = rig.planning().await?;
        let all = 0..rig.centers.len();
        Ok(all
            .filter(|index| match self {
                Self::Planning => *index == planning,
                Self::Other => *index != planning,
                Self::All => true,
            })
            .collect())
    }
}

fn cut(passing: Passing) -> &'static str {
    match passing {
        Passing::All => "not at all",
        Passing::Reset => "connections are reset",
        Passing::Nothing => "both ways, in silence",
        Passing::ToAgents => "what agents say is lost",
        Passing::ToCenter => "what the center says is lost",
    }
}

//! A center on an engine, agents, and jobs by the hundred thousand.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::ValueEnum;
use cronfleet_api::agent::JoinTokenCreate;
use cronfleet_testdb::{Kind, Server};
use cronfleet_testkit::Fleet;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use sea_orm::{ConnectionTrait, Database};

use crate::fake::Agents;

/// Agents that join with one token: the most that the center allows.
const AGENTS_PER_TOKEN: usize = 1_000;
/// Jobs created at a time.
const CREATE_AT_ONCE: usize = 16;
/// What no job of the bench is due at before it is told otherwise.
const NEVER: &str = "0 0 1 1 *";

/// What the center keeps its state in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// In a file of its own.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MariaDB or MySQL.
    Mariadb,
}

/// A center with its database, and agents that have joined.
pub(crate) struct Rig {
    // Ends before its database.
    pub(crate) fleet: Fleet,
    engine: Engine,
    server: Option<Server>,
    database: String,
    pub(crate) agents: Agents,
    /// `host:port` that agents dial.
    pub(crate) center: String,
    /// Jobs per agent; the first of each was made by the interface.
    copies: usize,
    expression: String,
}

impl Rig {
    /// Starts everything; each agent has one job.
    pub(crate) async fn start(
        binary: &Path,
        engine: Engine,
        agents: usize,
    ) -> anyhow::Result<Self> {
        let server = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Server::start(Kind::Postgres, true)?),
            Engine::Mariadb => Some(Server::start(Kind::Mysql, true)?),
        };
        let mut fleet = match &server {
            None => Fleet::start(binary).await?,
            Some(server) => Fleet::start_on(binary, server.first_database()).await?,
        };
        // The fleet's own agent has nothing to do here.
        fleet.kill_agent()?;
        let file = fleet.path("center").join("center.db");
        let database = server.as_ref().map_or_else(
            || format!("sqlite:{}", file.display()),
            Server::first_database,
        );
        let mut tokens = Vec::new();
        for _ in 0..agents.div_ceil(AGENTS_PER_TOKEN) {
            let request = JoinTokenCreate {
                group_ids: vec![fleet.group],
                is_preapproved: true,
                ttl_seconds: None,
                uses_max: Some(u32::try_from(AGENTS_PER_TOKEN)?),
            };
            tokens.push(fleet.api.join_token(&request).await?.token);
        }
        let center = fleet.agent_address().to_owned();
        let agents = Agents::join(agents, &center, &tokens, &fleet.path("fakes")).await?;
        let rig = Self {
            fleet,
            engine,
            server,
            database,
            agents,
            center,
            copies: 1,
            expression: NEVER.to_owned(),
        };
        rig.create_first_jobs().await?;
        Ok(rig)
    }

    async fn create_first_jobs(&self) -> anyhow::Result<()> {
        stream::iter(self.agents.ids().enumerate())
            .map(|(index, agent)| async move {
                let mut spec = Fleet::scheduled(&format!("job-{index}"), NEVER, "")?;
                spec.command.argv = Some(vec!["/bin/true".to_owned()]);
                spec.target.all = false;
                spec.target.agent_ids = vec![agent];
                spec.scheduled
                    .as_mut()
                    .context("the job is scheduled")?
                    .overlap = cronfleet_api::job::Overlap::Allow;
                self.fleet
                    .api
                    .create(self.fleet.group, spec)
                    .await
                    .map(|_| ())
            })
            .buffer_unordered(CREATE_AT_ONCE)
            .try_collect()
            .await
    }

    /// Number of jobs.
    pub(crate) fn jobs(&self) -> usize {
        self.copies * self.agents.ids().count()
    }

    /// The server's process, if there is one.
    pub(crate) fn server(&self) -> Option<u32> {
        self.server.as_ref().and_then(Server::pid)
    }

    /// The center's process.
    pub(crate) fn center(&self) -> anyhow::Result<u32> {
        Ok(self
            .fleet
            .center
            .as_ref()
            .context("the center is down")?
            .pid())
    }

    /// With the center down: sees to it that there are so many jobs, and that all follow `expression` from now on.
    pub(crate) async fn prepare(&mut self, jobs: usize, expression: &str) -> anyhow::Result<()> {
        if let Some(mut center) = self.fleet.center.take() {
            center.stop()?;
        }
        let database = Database::connect(&self.database).await?;
        let copies = (jobs / self.agents.ids().count()).max(self.copies);
        let now = Timestamp::now().as_microsecond();
        let mut statements = vec!["DELETE FROM runs".to_owned()];
        if copies > self.copies {
            statements.extend(self.clones(self.copies, copies));
            self.copies = copies;
        }
        statements.push(format!(
            "UPDATE job_versions SET spec = REPLACE(spec, '\"{}\"', '\"{expression}\"')",
            self.expression
        ));
        statements.push(format!(
            "UPDATE jobs SET watermark = {now}, next_due = {now}"
        ));
        self.expression = expression.to_owned();
        for statement in statements {
            database
                .execute_unprepared(&statement)
                .await
                .with_context(|| statement.clone())?;
        }
        Ok(database.close().await?)
    }

    /// Copies of the first jobs, numbered `from..to`.
    fn clones(&self, from: usize, to: usize) -> [String; 3] {
        let last = to - 1;
        let (number, hex) = match self.engine {
            Engine::Sqlite => (
                format!(
                    "(WITH RECURSIVE s(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM s WHERE i < {last}) SELECT i FROM s) n"
                ),
                "printf('%06x', i)",
            ),
            Engine::Postgres => (
                format!("(SELECT generate_series({from}::bigint, {last}) AS i) n"),
                "lpad(to_hex(i), 6, '0')",
            ),
            Engine::Mariadb => (
                format!("(SELECT seq AS i FROM seq_{from}_to_{last}) n"),
                "lpad(lower(hex(i)), 6, '0')",
            ),
        };
        // The first jobs keep what the interface drew at random; no draw ends in six zeros and this number, which is above 0.
        let id = |column: &str| format!("substr({column}, 1, 30) || {hex}");
        let first = "name NOT LIKE '%-%-%'";
        [
            format!(
                "INSERT INTO jobs (id, group_id, name, name_key, kind, version, is_paused, is_deleted, is_target_all, processes, \
                 is_reboot, shard, watermark, next_due, created_at) SELECT {}, group_id, name || '-' || i, name || '-' || i, kind, \
                 version, is_paused, is_deleted, is_target_all, processes, is_reboot, shard, watermark, next_due, created_at \
                 FROM jobs, {number} WHERE {first}",
                id("id")
            ),
            format!(
                "INSERT INTO job_versions (job_id, version, spec, author_id, created_at) SELECT {}, v.version, spec, author_id, \
                 v.created_at FROM job_versions v JOIN jobs j ON j.id = v.job_id, {number} WHERE {first}",
                id("job_id")
            ),
            format!(
                "INSERT INTO job_targets (job_id, agent_id) SELECT {}, agent_id FROM job_targets t JOIN jobs j ON j.id = t.job_id, \
                 {number} WHERE {first}",
                id("job_id")
            ),
        ]
    }

    /// Starts the center; answers how long that took until it was ready.
    pub(crate) async fn start_center(&mut self) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        self.fleet.start_center().await?;
        Ok(begin.elapsed())
    }
}

//! A second center beside the fleet's own, and what a center says of itself.

use anyhow::{Context, Result, ensure};
use cronfleet_api::center::Center;
use cronfleet_api::page::Page;
use cronfleet_testdb::reserved_address;
use cronfleet_testkit::{Api, Fleet, Program, eventually};

use crate::WAIT;

/// The second center.
pub(crate) struct Other {
    arguments: Vec<String>,
    /// The running program.
    pub(crate) program: Program,
    /// Signed in as administrator.
    pub(crate) api: Api,
}

impl Other {
    /// Starts beside the fleet's first center, once it has the files that all centers share.
    pub(crate) async fn start(fleet: &Fleet, database: &str) -> Result<Self> {
        let (listen, agent_listen) = (reserved_address()?, reserved_address()?);
        let data_dir = fleet.path("center2");
        let arguments: Vec<String> = [
            "center",
            "--data-dir",
            data_dir.to_str().context("path")?,
            "--listen",
            &listen,
            "--agent-listen",
            &agent_listen,
            "--agent-address",
            &agent_listen,
            "--database",
            database,
        ]
        .map(str::to_owned)
        .into();
        let mut refused = spawn(fleet, &arguments)?;
        let status = eventually("a center without the files is refused", WAIT, async || {
            refused.ended()
        })
        .await?;
        ensure!(!status.success(), "it ended with {status}");
        let printed = refused.printed()?;
        ensure!(
            printed.contains("copy ca.key and ca.crt") && !data_dir.join("pki/ca.key").exists(),
            "{printed}"
        );
        for file in ["pki/ca.key", "pki/ca.crt", "master.key"] {
            let to = data_dir.join(file);
            std::fs::create_dir_all(to.parent().context("path")?)?;
            std::fs::copy(fleet.path("center").join(file), to)?;
        }
        let mut other = Self {
            program: spawn(fleet, &arguments)?,
            arguments,
            api: Api::new(&listen),
        };
        eventually("the second center serves", WAIT, async || {
            if let Some(status) = other.program.ended()? {
                anyhow::bail!("it ended with {status}:\n{}", other.program.printed()?);
            }
            Ok(other.api.sign_in().await.ok())
        })
        .await?;
        // Agents learn of a new center with a heartbeat.
        eventually("the agent knows both centers", WAIT, async || {
            let log = std::fs::read_to_string(fleet.path("agent.log"))?;
            Ok(log.contains(&agent_listen).then_some(()))
        })
        .await?;
        Ok(other)
    }

    /// Starts it after its end, and waits until it serves.
    pub(crate) async fn start_again(&mut self, fleet: &Fleet) -> Result<()> {
        self.program = spawn(fleet, &self.arguments)?;
        eventually("the second center is back", WAIT, async || {
            Ok(self.api.get::<serde_json::Value>("/about").await.ok())
        })
        .await?;
        Ok(())
    }
}

fn spawn(fleet: &Fleet, arguments: &[String]) -> Result<Program> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Program::start(fleet.binary(), &arguments, &fleet.path("center2.log"))
}

/// All centers, as this one knows them.
pub(crate) async fn centers(api: &Api) -> Result<Vec<Center>> {
    Ok(api.get::<Page<Center>>("/centers").await?.items)
}

/// The center that answers, by its own words; `None` while it cannot be reached, as a connection kept from before its end cannot.
pub(crate) async fn here(api: &Api) -> Option<Center> {
    let centers = centers(api).await.ok()?;
    centers.into_iter().find(|center| center.is_here)
}

/// Waits until the center that answers plans.
pub(crate) async fn plans(api: &Api) -> Result<()> {
    eventually("this center plans", WAIT, async || {
        Ok(here(api)
            .await
            .is_some_and(|here| here.is_planning)
            .then_some(()))
    })
    .await
}

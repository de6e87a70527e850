//! `cronfleet diff` and `cronfleet apply`.

use std::path::PathBuf;

use clap::Args;
use cronfleet_api::definition::{ChangeAction, DefinitionPlan, DefinitionSet, DefinitionsApply};
use reqwest::Method;

use super::set::LoadedSet;
use super::show;
use crate::args::Options;
use crate::client::{Answer, Client};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::screen::Screen;

/// Which definitions.
#[derive(Args)]
pub(crate) struct Files {
    /// File of definitions, folder of such files, or - for standard input; may be repeated
    #[arg(long = "file", short, value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
    /// Delete the jobs that the files do not have, in all groups that they name
    #[arg(long)]
    prune: bool,
    /// With --prune: delete the jobs that the files do not have in this group, too (name); may be repeated
    #[arg(long, short, requires = "prune")]
    group: Vec<String>,
}

/// Show what apply would change. Exits with 8 if that is anything.
#[derive(Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    files: Files,
}

/// Make jobs what files say: all of them, or none.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cronfleet export --group web > web.yaml
  cronfleet diff -f web.yaml
  cronfleet apply -f web.yaml
  cronfleet apply -f definitions/ --prune --yes")]
pub(crate) struct Apply {
    #[command(flatten)]
    files: Files,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Files {
    fn load(self) -> Result<(LoadedSet, DefinitionSet), Failure> {
        let loaded = LoadedSet::of_paths(&self.files)?;
        let request = loaded.to_request(self.group, self.prune);
        Ok((loaded, request))
    }
}

impl Diff {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let (loaded, request) = self.files.load()?;
        let client = Client::new(options)?;
        let answer = plan(&client, &loaded, &request).await?;
        if screen.is_json() {
            screen.json(&answer.raw)?;
        } else {
            show::plan(screen, &answer.value)?;
            screen.flush()?;
            screen.note(show::summary(&answer.value));
        }
        if answer.value.changes.is_empty() {
            Ok(())
        } else {
            Err(Failure::Differs)
        }
    }
}

impl Apply {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let (loaded, set) = self.files.load()?;
        let client = Client::new(options)?;
        let planned = plan(&client, &loaded, &set).await?;
        let is_json = screen.is_json();
        if !is_json {
            show::plan(screen, &planned.value)?;
            screen.flush()?;
        }
        if planned.value.changes.is_empty() {
            if is_json {
                return screen.json(&planned.raw);
            }
            screen.note(format_args!(
                "nothing changes: {}",
                show::summary(&planned.value)
            ));
            return Ok(());
        }
        if is_json && !self.yes {
            // Nobody has been shown the plan.
            return Err(Failure::Unconfirmed {
                action: "apply with --json".to_owned(),
            });
        }
        if !self.yes && !ask(&planned.value)? {
            screen.note("nothing was changed");
            return Ok(());
        }
        let request = DefinitionsApply {
            set,
            digest: planned.value.digest,
        };
        let answer: Answer<DefinitionPlan> = client
            .send(Method::POST, "/definitions/apply", &request)
            .await
            .map_err(|failure| loaded.located(failure))?;
        if is_json {
            return screen.json(&answer.raw);
        }
        screen.note(format_args!("applied: {}", show::summary(&answer.value)));
        Ok(())
    }
}

async fn plan(
    client: &Client,
    loaded: &LoadedSet,
    request: &DefinitionSet,
) -> Result<Answer<DefinitionPlan>, Failure> {
    client
        .send(Method::POST, "/definitions/plan", request)
        .await
        .map_err(|failure| loaded.located(failure))
}

/// Asks a person.
fn ask(plan: &DefinitionPlan) -> Result<bool, Failure> {
    let changes = plan.changes.iter();
    let deletes = changes.filter(|change| change.action == ChangeAction::Delete);
    let effect = match deletes.count() {
        0 => show::summary(plan),
        count => format!(
            "{}; {count} jobs will not run any more",
            show::summary(plan)
        ),
    };
    confirm("apply these definitions", &effect)
}

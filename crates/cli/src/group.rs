//! `cronfleet group`: groups own jobs, are served by agents, and give users their roles.

use clap::{Args, Subcommand, ValueEnum};
use cronfleet_api::agent::Agent;
use cronfleet_api::group::{Candidate, Group, GroupCreate, GroupUpdate, MemberPut, Role};
use reqwest::Method;
use uuid::Uuid;

use crate::args::Options;
use crate::client::{Client, find, id_of, ids_of};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown;

/// Subcommands of `cronfleet group`. Groups are named by name or id.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List groups
    Ls,
    /// Show one group with its members
    Show(Which),
    /// Create a group
    Create(Create),
    /// Change a group
    Edit(Edit),
    /// Delete a group that owns no jobs
    Delete(Delete),
    /// Members and their roles
    #[command(subcommand)]
    Member(MemberCommand),
}

/// One group.
#[derive(Args)]
pub(crate) struct Which {
    /// Name or id
    group: String,
}

/// A new group.
#[derive(Args)]
pub(crate) struct Create {
    /// Name
    name: String,
    /// Free text
    #[arg(long, default_value = "")]
    description: String,
    /// Linux user that its jobs may run as; can be repeated
    #[arg(long, value_name = "USER")]
    run_as: Vec<String>,
    /// Agent that serves it (name or id); can be repeated
    #[arg(long, short)]
    agent: Vec<String>,
}

/// What to change.
#[derive(Args)]
pub(crate) struct Edit {
    /// Name or id
    group: String,
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// New free text
    #[arg(long)]
    description: Option<String>,
    /// New whole list of Linux users; can be repeated
    #[arg(long, value_name = "USER")]
    run_as: Vec<String>,
    /// New whole list of agents (names or ids); can be repeated
    #[arg(long, short)]
    agent: Vec<String>,
}

/// Which group to delete.
#[derive(Args)]
pub(crate) struct Delete {
    /// Name or id
    group: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Subcommands of `cronfleet group member`.
#[derive(Subcommand)]
pub(crate) enum MemberCommand {
    /// Give a user a role in a group, in place of the one before
    Set {
        /// Group (name or id)
        group: String,
        /// Login or id
        user: String,
        /// What the user may do there
        role: RoleWord,
    },
    /// Take a user out of a group
    Remove {
        /// Group (name or id)
        group: String,
        /// Login or id
        user: String,
    },
}

/// Roles; each includes the ones before it.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RoleWord {
    /// See jobs, runs, output
    Viewer,
    /// Run, kill, pause, resume, restart
    Operator,
    /// Create and edit jobs
    Editor,
    /// Delete jobs, manage members
    Owner,
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, options: &Options, screen: &mut Screen) -> Result<(), Failure> {
        let client = Client::new(options)?;
        match self {
            Self::Ls => list(&client, screen).await,
            Self::Show(which) => show(which, &client, screen).await,
            Self::Create(new) => create(new, &client, screen).await,
            Self::Edit(change) => edit(change, &client, screen).await,
            Self::Delete(which) => delete(which, &client, screen).await,
            Self::Member(MemberCommand::Set { group, user, role }) => {
                set_member(&group, &user, role, &client, screen).await
            }
            Self::Member(MemberCommand::Remove { group, user }) => {
                remove_member(&group, &user, &client, screen).await
            }
        }
    }
}

async fn list(client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let groups = client.list::<Group>("/groups", &vec![], 10_000).await?;
    if screen.is_json() {
        return screen.json(&groups.raw);
    }
    let row = |group: &Group| {
        vec![
            shown::plain(&group.name),
            shown::word(&group.my_role),
            group.job_count.to_string(),
            group.agent_ids.len().to_string(),
            shown::cut(&group.run_as.join(", "), 60),
            shown::cut(&group.description, 60),
        ]
    };
    let header = ["NAME", "MY ROLE", "JOBS", "AGENTS", "RUN AS", "DESCRIPTION"];
    screen.table(&header, groups.rows.iter().map(row).collect(), "no groups")
}

async fn show(which: Which, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let id = id_of::<Group>(client, &which.group).await?;
    let answer = client
        .get::<Group>(&format!("/groups/{id}"), &vec![])
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    let group = answer.value;
    screen.line(shown::plain(&group.name))?;
    screen.line(format_args!("  id       {}", group.id))?;
    if !group.description.is_empty() {
        screen.line(format_args!(
            "  about    {}",
            shown::plain(&group.description)
        ))?;
    }
    screen.line(format_args!(
        "  run as   {}",
        shown::plain(&group.run_as.join(", "))
    ))?;
    screen.line(format_args!("  jobs     {}", group.job_count))?;
    let agents = client
        .list::<Agent>("/agents", &vec![("group", id.to_string())], 10_000)
        .await?
        .rows;
    let names: Vec<String> = agents
        .iter()
        .map(|agent| shown::plain(&agent.name))
        .collect();
    screen.line(format_args!("  agents   {}", names.join(", ")))?;
    for (place, member) in group.members.iter().enumerate() {
        let label = if place == 0 { "members" } else { "" };
        let (role, login) = (shown::word(&member.role), shown::plain(&member.login));
        screen.line(format_args!("  {label:<7}  {role:<8}  {login}"))?;
    }
    Ok(())
}

async fn create(new: Create, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let request = GroupCreate {
        name: new.name,
        description: new.description,
        run_as: new.run_as,
        agent_ids: ids_of::<Agent>(client, &new.agent).await?,
    };
    let answer = client
        .send::<Group>(Method::POST, "/groups", &request)
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    screen.line(format_args!(
        "created {}  {}",
        shown::plain(&answer.value.name),
        answer.value.id
    ))
}

async fn edit(change: Edit, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let id = id_of::<Group>(client, &change.group).await?;
    let agent_ids = match change.agent.as_slice() {
        [] => None,
        names => Some(ids_of::<Agent>(client, names).await?),
    };
    let request = GroupUpdate {
        name: change.name,
        description: change.description,
        run_as: Some(change.run_as).filter(|users| !users.is_empty()),
        agent_ids,
    };
    let answer = client
        .send::<Group>(Method::PATCH, &format!("/groups/{id}"), &request)
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    screen.line(format_args!("saved {}", shown::plain(&answer.value.name)))
}

async fn delete(which: Delete, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let group: Group = find(client, &which.group).await?;
    let name = shown::plain(&group.name);
    let effect = format!("{} members lose their roles in it", group.members.len());
    if which.yes || confirm(&format!("delete group {name}"), &effect)? {
        client
            .act(
                Method::DELETE,
                &format!("/groups/{}", group.id),
                None::<&()>,
            )
            .await?;
        screen.note(format_args!("deleted {name}"));
    }
    Ok(())
}

async fn set_member(
    group: &str,
    user: &str,
    role: RoleWord,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let group: Group = find(client, group).await?;
    let user_id = match member_id(&group, user) {
        Some(id) => id,
        None => candidate_id(&group, user, client).await?,
    };
    let role = match role {
        RoleWord::Viewer => Role::Viewer,
        RoleWord::Operator => Role::Operator,
        RoleWord::Editor => Role::Editor,
        RoleWord::Owner => Role::Owner,
    };
    let path = format!("/groups/{}/members/{user_id}", group.id);
    client
        .act(Method::PUT, &path, Some(&MemberPut { role }))
        .await?;
    screen.note(format_args!(
        "{user} is {} of {}",
        shown::word(&role),
        shown::plain(&group.name)
    ));
    Ok(())
}

async fn remove_member(
    group: &str,
    user: &str,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let group: Group = find(client, group).await?;
    let user_id = member_id(&group, user).ok_or_else(|| Failure::NoSuch {
        kind: "user",
        name: user.to_owned(),
    })?;
    let path = format!("/groups/{}/members/{user_id}", group.id);
    client.act(Method::DELETE, &path, None::<&()>).await?;
    screen.note(format_args!("{user} left {}", shown::plain(&group.name)));
    Ok(())
}

fn member_id(group: &Group, user: &str) -> Option<Uuid> {
    let is_meant = |member: &&cronfleet_api::group::Member| {
        member.login == user || member.user_id.to_string() == user
    };
    group
        .members
        .iter()
        .find(is_meant)
        .map(|member| member.user_id)
}

/// A user who has no role in the group yet, by login or id. Owners may not list users, so the group's own list is asked.
async fn candidate_id(group: &Group, user: &str, client: &Client) -> Result<Uuid, Failure> {
    if let Ok(id) = Uuid::try_parse(user) {
        return Ok(id);
    }
    let path = format!("/groups/{}/candidates", group.id);
    let candidates = client
        .get::<Vec<Candidate>>(&path, &vec![("q", user.to_owned())])
        .await?
        .value;
    candidates
        .iter()
        .find(|candidate| candidate.login == user)
        .map(|candidate| candidate.user_id)
        .ok_or_else(|| Failure::NoSuch {
            kind: "user",
            name: user.to_owned(),
        })
}

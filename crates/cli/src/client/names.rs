//! Names in arguments: what they stand for, and what to say when that is nothing or several things.

use cronfleet_api::agent::Agent;
use cronfleet_api::group::Group;
use cronfleet_api::job::Job;
use cronfleet_api::session::User;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::connection::Client;
use crate::failure::Failure;

/// More things of one name than this are not told apart any more.
const SAME_NAME_MAX: usize = 10_000;

/// A thing that can be named in an argument.
pub(crate) trait Named: DeserializeOwned {
    /// The word for it, which is also its subcommand.
    const KIND: &'static str;
    /// Its list under `/api/v1`.
    const PATH: &'static str;
    /// Whether the list can be searched with `q`.
    const IS_SEARCHABLE: bool = true;
    /// Its id.
    fn id(&self) -> Uuid;
    /// Its name.
    fn name(&self) -> &str;
    /// The group in which the name is unique; empty when it is unique everywhere.
    fn owner(&self) -> &str {
        ""
    }
}

impl Named for Job {
    const KIND: &'static str = "job";
    const PATH: &'static str = "/jobs";
    fn id(&self) -> Uuid {
        self.id
    }
    fn name(&self) -> &str {
        &self.spec.name
    }
    fn owner(&self) -> &str {
        &self.group_name
    }
}

impl Named for Agent {
    const KIND: &'static str = "agent";
    const PATH: &'static str = "/agents";
    fn id(&self) -> Uuid {
        self.id
    }
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Group {
    const KIND: &'static str = "group";
    const PATH: &'static str = "/groups";
    const IS_SEARCHABLE: bool = false;
    fn id(&self) -> Uuid {
        self.id
    }
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for User {
    const KIND: &'static str = "user";
    const PATH: &'static str = "/users";
    fn id(&self) -> Uuid {
        self.id
    }
    fn name(&self) -> &str {
        &self.login
    }
}

/// The one thing of a name, or of `group/name` for things whose names are unique in a group only.
pub(crate) async fn find<T: Named>(client: &Client, name: &str) -> Result<T, Failure> {
    if let Ok(id) = Uuid::try_parse(name) {
        return Ok(client
            .get(&format!("{}/{id}", T::PATH), &vec![])
            .await?
            .value);
    }
    let mut found = with_name::<T>(client, name, None).await?;
    if found.is_empty()
        && let Some((owner, name)) = name.split_once('/')
    {
        found = with_name::<T>(client, name, Some(owner)).await?;
    }
    match found.len() {
        0 => Err(Failure::NoSuch {
            kind: T::KIND,
            name: name.to_owned(),
        }),
        1 => Ok(found.remove(0)),
        _ => {
            let choice = |thing: &T| match thing.owner() {
                "" => thing.id().to_string(),
                owner => format!("{}  {owner}/{}", thing.id(), thing.name()),
            };
            let choices = found.iter().map(choice).collect();
            Err(Failure::Ambiguous {
                kind: T::KIND,
                name: name.to_owned(),
                choices,
            })
        }
    }
}

/// The id that a name stands for; an id stands for itself and is not looked up.
pub(crate) async fn id_of<T: Named>(client: &Client, name: &str) -> Result<Uuid, Failure> {
    match Uuid::try_parse(name) {
        Ok(id) => Ok(id),
        Err(_) => Ok(find::<T>(client, name).await?.id()),
    }
}

/// The ids that names stand for, in their order.
pub(crate) async fn ids_of<T: Named>(
    client: &Client,
    names: &[String],
) -> Result<Vec<Uuid>, Failure> {
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        ids.push(id_of::<T>(client, name).await?);
    }
    Ok(ids)
}

async fn with_name<T: Named>(
    client: &Client,
    name: &str,
    owner: Option<&str>,
) -> Result<Vec<T>, Failure> {
    let query: Vec<_> = T::IS_SEARCHABLE
        .then(|| ("q", name.to_owned()))
        .into_iter()
        .collect();
    let mut things: Vec<T> = client.list(T::PATH, &query, SAME_NAME_MAX).await?.rows;
    things.retain(|thing| thing.name() == name && owner.is_none_or(|owner| thing.owner() == owner));
    Ok(things)
}

//! Calendars by name: those that people keep, and those of the program.

use cronfleet_api::calendar::{Calendar, CalendarHead};
use uuid::Uuid;

use crate::client::Client;
use crate::failure::Failure;

/// What a name stands for.
pub(super) enum Found {
    /// A calendar that is part of the program.
    Preset(String),
    /// One that people keep.
    Kept(Box<Calendar>),
}

/// The one calendar of a name, a `group/name` or an id.
pub(super) async fn calendar(client: &Client, name: &str) -> Result<Found, Failure> {
    if let Ok(id) = Uuid::try_parse(name) {
        return read(client, id).await;
    }
    let answer = client
        .get::<Vec<CalendarHead>>("/calendars", &vec![])
        .await?;
    let (owner, own_name) = match name.split_once('/') {
        Some((owner, own_name)) => (Some(owner), own_name),
        None => (None, name),
    };
    let mut heads = answer.value;
    let is_meant = |owned_by: &CalendarHead| {
        owner.is_none_or(|owner| owned_by.group_name.as_deref() == Some(owner))
    };
    heads.retain(|head| head.name == own_name && is_meant(head));
    match heads.as_slice() {
        [] => Err(Failure::NoSuch {
            kind: "calendar",
            name: name.to_owned(),
        }),
        [head] => match head.id {
            Some(id) => read(client, id).await,
            None => Ok(Found::Preset(head.name.clone())),
        },
        several => Err(Failure::Ambiguous {
            kind: "calendar",
            name: name.to_owned(),
            choices: several.iter().map(choice).collect(),
        }),
    }
}

/// The same, of those that people keep and may change.
pub(super) async fn kept(client: &Client, name: &str) -> Result<Calendar, Failure> {
    match calendar(client, name).await? {
        Found::Kept(calendar) => Ok(*calendar),
        Found::Preset(name) => Err(Failure::Input {
            field: "calendar".to_owned(),
            message: format!("{name} is a calendar that is part of the program"),
            hint: format!("make one with \"cronfleet calendar create <name> --extends {name}\""),
        }),
    }
}

async fn read(client: &Client, id: Uuid) -> Result<Found, Failure> {
    let answer = client
        .get::<Calendar>(&format!("/calendars/{id}"), &vec![])
        .await?;
    Ok(Found::Kept(Box::new(answer.value)))
}

fn choice(head: &CalendarHead) -> String {
    let id = head.id.map_or_else(String::new, |id| id.to_string());
    match &head.group_name {
        Some(group) => format!("{id}  {group}/{}", head.name),
        None => format!("{id}  {}", head.name),
    }
}

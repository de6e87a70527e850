//! The event stream: what changed, as far as the caller may see it.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cronfleet_api::event::Event;
use cronfleet_core::access::Reach;
use cronfleet_core::run::RunState;
use cronfleet_store::SecretHash;
use futures_util::stream;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::Instant;

use super::error::ApiError;
use super::guard::{Scope, SignedIn};
use super::session;
use super::state::HttpState;
use super::streams::OpenStream;
use crate::bus::Change;
use crate::clock;

/// How often a stream looks whether its session still lives and what it may see.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Follows what changes: server-sent events whose name is the `kind` of their data.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    responses((status = 200, description = "Events", body = Event, content_type = "text/event-stream"))
)]
pub(super) async fn stream_events(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
) -> Result<Response, ApiError> {
    let session = scope.caller().session;
    let watch = Watch {
        changes: state.bus.watch(),
        place: state.streams.open(session)?,
        session,
        reach: scope.visible(),
        check_at: clock::instant() + CHECK_INTERVAL,
        state,
    };
    let events = stream::unfold(watch, async |mut watch: Watch| {
        watch
            .next()
            .await
            .map(|event| (Ok::<_, Infallible>(event), watch))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}

/// A client that watches.
struct Watch {
    state: HttpState,
    session: SecretHash,
    reach: Reach,
    changes: Receiver<Change>,
    check_at: Instant,
    #[expect(dead_code, reason = "held for the time of the stream")]
    place: OpenStream,
}

impl Watch {
    /// The next event; `None` when the session is over or the center stops.
    async fn next(&mut self) -> Option<Sent> {
        loop {
            let event = tokio::select! {
                change = self.changes.recv() => match change {
                    Ok(change) => change.is_within(&self.reach).then(|| shown(&change)),
                    Err(RecvError::Lagged(_)) => Some(Event::Resync),
                    Err(RecvError::Closed) => return None,
                },
                () = tokio::time::sleep_until(self.check_at) => None,
                () = self.state.stop.cancelled() => return None,
            };
            let event = if clock::instant() >= self.check_at {
                self.check().await?.or(event)
            } else {
                event
            };
            if let Some(sent) = event.as_ref().and_then(to_send) {
                return Some(sent);
            }
        }
    }

    /// Looks at the session again. What may be seen from now on may differ: then everything shown is to be read again.
    async fn check(&mut self) -> Option<Option<Event>> {
        self.check_at = clock::instant() + CHECK_INTERVAL;
        match session::reach_of(&self.state, self.session).await {
            Ok(Some(reach)) if reach == self.reach => Some(None),
            Ok(Some(reach)) => {
                self.reach = reach;
                Some(Some(Event::Resync))
            }
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(%error, "an event stream ended early");
                None
            }
        }
    }
}

fn to_send(event: &Event) -> Option<Sent> {
    Sent::default().event(kind(event)).json_data(event).ok()
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Job { .. } => "job",
        Event::Run { .. } => "run",
        Event::Slot { .. } => "slot",
        Event::Agent { .. } => "agent",
        Event::Group { .. } => "group",
        Event::Resync => "resync",
    }
}

fn shown(change: &Change) -> Event {
    match change {
        Change::Job { job, group } => Event::Job {
            id: job.as_uuid(),
            group_id: group.as_uuid(),
        },
        Change::Run {
            run,
            job,
            group,
            agent,
            state,
        } => Event::Run {
            id: run.as_uuid(),
            job_id: job.as_uuid(),
            group_id: group.as_uuid(),
            agent_id: agent.as_uuid(),
            state: (*state).into(),
            outcome: match state {
                RunState::Ended(outcome) => Some((*outcome).into()),
                RunState::Planned
                | RunState::Offered
                | RunState::Dispatched
                | RunState::Accepted
                | RunState::Running => None,
            },
        },
        Change::Slot {
            job,
            group,
            agent,
            index,
            state,
        } => Event::Slot {
            job_id: job.as_uuid(),
            group_id: group.as_uuid(),
            agent_id: agent.as_uuid(),
            index: *index,
            state: (*state).into(),
        },
        Change::Agent {
            agent, is_online, ..
        } => Event::Agent {
            id: agent.as_uuid(),
            is_online: *is_online,
        },
        Change::Group { group } => Event::Group {
            id: group.as_uuid(),
        },
        Change::Everything => Event::Resync,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_event_is_its_kind() {
        let id = uuid::Uuid::from_u128(1);
        let events = [
            Event::Job { id, group_id: id },
            Event::Agent {
                id,
                is_online: true,
            },
            Event::Group { id },
            Event::Resync,
        ];
        for event in events {
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(json["kind"], kind(&event));
        }
    }
}

//! What goes to the center.

use cronfleet_wire::v1;
use cronfleet_wire::v1::from_agent::Body;
use futures_util::future::pending;
use tokio::time::Instant;

use super::Engine;
use crate::link::Session;

impl Engine {
    /// Sends what is to be sent, as far as the session has room. Says whether it had too little.
    pub(super) fn tell(&mut self) -> bool {
        let Some(session) = &self.session else {
            return false;
        };
        loop {
            let is_due = self.outbox.due().is_some_and(|at| at <= Instant::now());
            if self.policy_due.is_none() && !is_due && !self.outputs.has_outgoing() {
                return false;
            }
            // A closed session says so by an event.
            let Ok(permit) = session.out.try_reserve() else {
                return !session.out.is_closed();
            };
            let body = if let Some(report) = self.policy_due.take() {
                Some(Body::Policy(report))
            } else if is_due {
                self.outbox.next(&self.orders, &self.slots)
            } else {
                self.outputs.take_outgoing().map(Body::Output)
            };
            if let Some(body) = body {
                permit.send(v1::FromAgent { body: Some(body) });
            }
        }
    }
}

/// Resolves when a session has room; never without one.
pub(super) async fn room(session: Option<&Session>) {
    match session {
        // A closed session says so by an event.
        Some(session) if session.out.reserve().await.is_ok() => {}
        _ => pending().await,
    }
}

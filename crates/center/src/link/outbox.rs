//! What goes out to one agent.

use cronfleet_wire::v1::FromCenter;
use cronfleet_wire::v1::from_center::Body;
use tokio::sync::mpsc;
use tonic::Status;

/// Messages waiting for a slow agent; whoever sends more waits.
pub(super) const OUTBOX_MAX: usize = 64;

/// The agent's stream is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent's stream is closed")]
pub(super) struct Closed;

/// Sends messages to one agent.
#[derive(Debug, Clone)]
pub(super) struct Outbox(mpsc::Sender<Result<FromCenter, Status>>);

impl Outbox {
    /// An outbox and the stream's end of it.
    pub(super) fn new() -> (Self, mpsc::Receiver<Result<FromCenter, Status>>) {
        let (sender, receiver) = mpsc::channel(OUTBOX_MAX);
        (Self(sender), receiver)
    }

    /// Sends a message; waits while the outbox is full.
    pub(super) async fn send(&self, body: Body) -> Result<(), Closed> {
        self.0
            .send(Ok(FromCenter { body: Some(body) }))
            .await
            .map_err(|_| Closed)
    }

    /// Sends a message if there is room, else drops it; answers whether it was sent.
    pub(super) fn send_or_drop(&self, body: Body) -> bool {
        self.0.try_send(Ok(FromCenter { body: Some(body) })).is_ok()
    }

    /// Ends the stream with a status that tells the agent why.
    pub(super) async fn end(&self, status: Status) {
        let _closed = self.0.send(Err(status)).await;
    }
}

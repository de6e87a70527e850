//! Ending the agent.

use std::time::Duration;

use cronfleet_core::order_book::Input;
use cronfleet_core::slot_book::SlotInput;
use tokio::time::Instant;

use super::Engine;
use super::perform::Action;
use crate::config::OnStop;

/// Longest wait for prepared processes to be let go of.
const LET_GO_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest wait for processes that are being stopped, beyond the longest grace a job may have.
const STOP_TIME_MAX: Duration = Duration::from_secs(3_600 + 60);

/// Longest wait for the center to take the last news.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(2);

/// How far the end of the agent is.
#[derive(Debug)]
pub(super) enum Closing {
    /// Lives are let go of, or stopped.
    Lives { until: Instant },
    /// The center hears the last news.
    Farewell { until: Instant },
}

impl Closing {
    pub(super) fn until(&self) -> Instant {
        match self {
            Self::Lives { until } | Self::Farewell { until } => *until,
        }
    }
}

impl Engine {
    /// Starts nothing more, lets go of what is prepared, and stops what runs if that is wanted.
    pub(super) fn begin_closing(&mut self) {
        let with_processes = self.on_stop == OnStop::Stop;
        tracing::info!(
            with_processes,
            processes = self.lives.len(),
            "the agent ends"
        );
        let time_max = if with_processes {
            STOP_TIME_MAX
        } else {
            LET_GO_TIME_MAX
        };
        self.closing = Some(Closing::Lives {
            until: Instant::now() + time_max,
        });
        self.order_input(Input::Shutdown { with_processes });
        self.slot_input(SlotInput::Shutdown { with_processes });
    }

    /// Whether the agent has done everything it had to before its end.
    pub(super) fn is_done(&mut self) -> bool {
        let now = Instant::now();
        match &self.closing {
            None => false,
            Some(Closing::Lives { until }) => {
                if !self.is_quiet() && now < *until {
                    return false;
                }
                self.closing = Some(Closing::Farewell {
                    until: now + FAREWELL_TIME_MAX,
                });
                self.is_farewell_said()
            }
            Some(Closing::Farewell { until }) => now >= *until || self.is_farewell_said(),
        }
    }

    fn is_quiet(&self) -> bool {
        match self.on_stop {
            OnStop::Stop => self.lives.is_empty(),
            OnStop::Leave => self
                .lives
                .values()
                .all(|held| held.handle.control.is_some()),
        }
    }

    fn is_farewell_said(&self) -> bool {
        let is_deaf = self
            .session
            .as_ref()
            .is_none_or(|session| session.out.is_closed());
        is_deaf || (self.outbox.is_empty() && self.outputs.is_all_stored())
    }

    /// Puts everything on the disk.
    pub(super) async fn close(mut self) {
        self.session = None;
        self.tasks.shutdown().await;
        let progress = self.outputs.progress();
        self.todo.extend(progress.into_iter().map(Action::Append));
        self.perform();
        self.chores.finish(&self.host).await;
        self.ledger.close().await;
    }
}

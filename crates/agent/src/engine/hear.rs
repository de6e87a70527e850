//! What comes from the center and from lives.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cronfleet_core::id::LifeId;
use cronfleet_core::job::Launch;
use cronfleet_core::order::{DaemonOrder, Order, StopCause};
use cronfleet_core::order_book::Input;
use cronfleet_core::record::Record;
use cronfleet_core::run::Reason;
use cronfleet_core::slot_book::SlotInput;
use cronfleet_wire::convert::{self, MessageError};
use cronfleet_wire::v1;
use cronfleet_wire::v1::from_center::Body;

use super::perform::Action;
use super::{Engine, Kind};
use crate::chores::Chore;
use crate::host::{ExitRecord, LifeControl, StartedRecord};
use crate::ledger::Entry;
use crate::link::{LinkEvent, Session};
use crate::lives::{LifeEvent, News, NotStarted, Wanted};

impl Engine {
    pub(super) fn hear_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Up(session) => self.connect(session),
            LinkEvent::Down => {
                self.session = None;
                self.vault.disconnect();
                self.outputs.disconnect();
            }
            LinkEvent::Message(body) => {
                if let Err(error) = self.hear_center(body) {
                    tracing::error!(%error, "a message of the center makes no sense");
                    self.shared
                        .record
                        .refuse(|refused| refused.unreadable_messages += 1);
                }
            }
        }
    }

    fn connect(&mut self, session: Session) {
        let epoch = Entry::Book(Record::SessionEpoch(session.epoch));
        self.todo.push(Action::Append(epoch));
        self.vault.connect(session.out.downgrade());
        self.outputs.connect(session.takes_compressed_output);
        self.session = Some(session);
        self.policy_told = None;
        self.report_policy();
        self.outbox.connect(&self.orders, &self.slots);
    }

    fn hear_center(&mut self, body: Body) -> Result<(), MessageError> {
        match body {
            Body::Welcome(_) => {}
            Body::Heartbeat(echo) => self.hear_active(echo.is_active),
            Body::Orders(orders) => {
                for order in orders.orders {
                    self.hear_order(order)?;
                }
            }
            Body::Revoke(revoke) => {
                let reason = Reason::from_word(&revoke.reason).unwrap_or(Reason::Superseded);
                for run in revoke.runs {
                    self.order_input(Input::Revoke {
                        run: convert::run_id(&run)?,
                        reason,
                    });
                }
            }
            Body::Kill(kill) => {
                let cause = if kill.is_replaced {
                    StopCause::Replaced
                } else {
                    StopCause::Kill
                };
                for run in kill.runs {
                    let run = convert::run_id(&run)?;
                    self.order_input(Input::Kill { run, cause });
                }
            }
            Body::Go(go) => {
                for run in go.runs {
                    let run = convert::run_id(&run)?;
                    self.order_input(Input::Go { run });
                }
            }
            Body::Inquiry(inquiry) => {
                for run in inquiry.runs {
                    self.order_input(Input::Inquiry {
                        run: convert::run_id(&run)?,
                    });
                }
            }
            Body::RunLimits(limits) => self.order_input(Input::Limits(limits.into())),
            Body::Daemons(daemons) => self.hear_daemons(daemons)?,
            Body::RestartSlots(restart) => {
                let job = convert::job_id(&restart.job)?;
                self.slot_input(SlotInput::Restart {
                    job,
                    index: restart.index,
                });
            }
            Body::ClaimsAck(ack) => {
                for (run, phase) in self.outbox.claims_acked(ack.sequence) {
                    self.order_input(Input::Acked { run, phase });
                }
            }
            Body::SlotsAck(ack) => {
                for process in self.outbox.slots_acked(ack.sequence) {
                    self.slot_input(SlotInput::Acked { process });
                }
            }
            Body::Secrets(secrets) => self.vault.answered(secrets),
            Body::OutputAck(ack) => {
                let chores = self.outputs.acked(ack.sequence);
                self.chores.add(chores);
            }
        }
        Ok(())
    }

    fn hear_active(&mut self, is_active: bool) {
        if self.is_active != is_active {
            self.is_active = is_active;
            if is_active {
                tracing::info!("the agent is active");
            } else {
                tracing::info!("the agent waits for approval");
            }
        }
    }

    /// Whether an order is from the planner in force.
    fn is_current(&self, epoch: u64) -> bool {
        let seen = self.shared.epoch_seen.load(Ordering::Relaxed);
        if epoch < seen {
            tracing::warn!(
                session.epoch = epoch,
                session.epoch_seen = seen,
                "an order of an old session is ignored"
            );
            self.shared
                .record
                .refuse(|refused| refused.stale_orders += 1);
        }
        epoch >= seen
    }

    fn hear_order(&mut self, message: v1::Order) -> Result<(), MessageError> {
        if !self.is_current(message.session_epoch) {
            return Ok(());
        }
        let run = convert::run_id(&message.run)?;
        if self.orders.claim(run).is_some() {
            self.shared
                .record
                .refuse(|refused| refused.repeated_orders += 1);
        }
        match Order::try_from(message) {
            Ok(mut order) => {
                let most = self.policy.in_force().policy.caps.runtime;
                order.timeout = order.timeout.into_iter().chain(most).min();
                let wanted = Wanted {
                    job: order.job,
                    version: order.job_version,
                };
                self.fetch_secrets(wanted, &order.launch);
                self.order_input(Input::Order(Arc::new(order)));
            }
            Err(error) => {
                tracing::error!(run.id = %run, %error, "an order cannot be read and is refused");
                self.shared
                    .record
                    .refuse(|refused| refused.unreadable_messages += 1);
                self.order_input(Input::Revoke {
                    run,
                    reason: Reason::NeverReceived,
                });
            }
        }
        Ok(())
    }

    /// Asks for secrets as soon as it is known that they will be needed: the center may be gone when they are.
    fn fetch_secrets(&mut self, wanted: Wanted, launch: &Launch) {
        if !launch.secrets.is_empty() {
            let fetching = self.vault.clone().fetch(wanted, launch.secrets.clone());
            self.tasks.spawn(fetching);
        }
    }

    /// All or nothing: what is not listed is stopped, so a list that cannot be read in full must not count.
    fn hear_daemons(&mut self, message: v1::Daemons) -> Result<(), MessageError> {
        if !self.is_current(message.session_epoch) {
            return Ok(());
        }
        let orders = message.daemons.into_iter();
        let orders = orders
            .map(|order| DaemonOrder::try_from(order).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        for order in &orders {
            let wanted = Wanted {
                job: order.job,
                version: order.job_version,
            };
            self.fetch_secrets(wanted, &order.launch);
        }
        let generation = self.slots.generation() + 1;
        self.slot_input(SlotInput::Wanted { generation, orders });
        Ok(())
    }

    pub(super) fn hear_life(&mut self, event: LifeEvent) {
        let LifeEvent { life, news } = event;
        let Some(held) = self.lives.get(&life) else {
            return;
        };
        let kind = held.kind;
        match news {
            News::Armed => {
                if let Kind::Run(run) = kind {
                    self.order_input(Input::Armed { run });
                }
            }
            News::Started(started, control) => self.hear_start(life, kind, &started, control),
            News::Output => self.outputs.grown(life),
            News::Probed(probe, answer) => {
                if let Kind::Process(process) = kind {
                    self.slot_input(SlotInput::Probed {
                        process,
                        kind: probe,
                        answer,
                    });
                }
            }
            News::Measured(memory_bytes) => {
                if let Kind::Process(process) = kind {
                    self.slot_input(SlotInput::Measured {
                        process,
                        memory_bytes,
                    });
                }
            }
            News::ArmFailed(failed) => {
                self.lives.remove(&life);
                self.folders.remove(&life);
                self.hear_failure(kind, failed, true);
            }
            News::StartFailed(failed) => {
                self.lives.remove(&life);
                self.folders.remove(&life);
                self.hear_failure(kind, failed, false);
            }
            News::NeverStarted => {
                self.lives.remove(&life);
                self.folders.remove(&life);
                self.hear_never_started(kind);
            }
            News::LetGo => {
                self.lives.remove(&life);
                self.folders.remove(&life);
                if let Kind::Process(process) = kind {
                    self.slot_input(SlotInput::NeverStarted { process });
                }
            }
            News::Ended(started, exit) => self.hear_end(life, kind, &started, &exit),
            News::Vanished(started) => self.hear_vanished(life, kind, started.as_deref()),
        }
    }

    fn hear_start(
        &mut self,
        life: LifeId,
        kind: Kind,
        started: &StartedRecord,
        control: LifeControl,
    ) {
        let (start, boot) = self.evidence().start(started);
        tracing::debug!(life.id = %life, process.pid = start.pid, "process started");
        if let Some(held) = self.lives.get_mut(&life) {
            held.handle.control = Some(control);
            held.handle.shim_pid = Some(started.shim.pid);
            if held.handle.is_output_stored {
                self.outputs.open(life, held.handle.output.clone(), 0);
            }
        }
        self.shared.running_count.fetch_add(1, Ordering::Relaxed);
        match kind {
            Kind::Run(run) => self.order_input(Input::Started { run, start, boot }),
            Kind::Process(process) => self.slot_input(SlotInput::Started {
                process,
                start,
                boot,
            }),
        }
    }

    fn hear_failure(&mut self, kind: Kind, failed: NotStarted, is_arming: bool) {
        let NotStarted { reason, detail } = failed;
        match kind {
            Kind::Run(run) if is_arming => self.order_input(Input::ArmFailed {
                run,
                reason,
                detail,
            }),
            Kind::Run(run) => self.order_input(Input::StartFailed {
                run,
                reason,
                detail,
            }),
            Kind::Process(process) => {
                self.slot_input(SlotInput::StartFailed {
                    process,
                    reason,
                    detail,
                });
            }
        }
    }

    fn hear_never_started(&mut self, kind: Kind) {
        match kind {
            Kind::Run(run) => self.order_input(Input::NeverStarted { run }),
            Kind::Process(process) => self.slot_input(SlotInput::NeverStarted { process }),
        }
    }

    fn hear_end(&mut self, life: LifeId, kind: Kind, started: &StartedRecord, exit: &ExitRecord) {
        self.over(life, Some(exit));
        let evidence = self.evidence();
        let (start, end) = (
            evidence.start(started).0,
            evidence.end(life, exit, Some(started)),
        );
        let Some(end) = end else {
            return self.hear_never_started(kind);
        };
        tracing::debug!(life.id = %life, end = ?end.status, duration_ms = end.duration.as_millis() as u64, "process ended");
        let start = Some(start);
        match kind {
            Kind::Run(run) => self.order_input(Input::Ended { run, start, end }),
            Kind::Process(process) => self.slot_input(SlotInput::Ended {
                process,
                start,
                end,
            }),
        }
    }

    fn hear_vanished(&mut self, life: LifeId, kind: Kind, started: Option<&StartedRecord>) {
        tracing::warn!(life.id = %life, "a process is lost: its shim is gone without a word");
        if started.is_none()
            && let Some(held) = self.lives.get(&life)
            && held.handle.is_output_stored
        {
            self.outputs.open(life, held.handle.output.clone(), 0);
        }
        let start = started.map(|started| self.evidence().start(started).0);
        self.over(life, None);
        match kind {
            Kind::Run(run) => self.order_input(Input::Vanished { run, start }),
            Kind::Process(process) => self.slot_input(SlotInput::Vanished { process, start }),
        }
    }

    /// A life's process is gone.
    fn over(&mut self, life: LifeId, exit: Option<&ExitRecord>) {
        if self
            .lives
            .remove(&life)
            .is_some_and(|held| held.handle.control.is_some())
        {
            self.shared.running_count.fetch_sub(1, Ordering::Relaxed);
        }
        let end_offset = exit.map(|exit| exit.spool_end);
        let spool_bytes = exit.map_or(0, |exit| exit.spool_end.saturating_sub(exit.dropped_bytes));
        self.output_over(life, end_offset, spool_bytes);
    }

    /// A life's output is complete; makes room if there is too much of it.
    pub(super) fn output_over(&mut self, life: LifeId, end_offset: Option<u64>, spool_bytes: u64) {
        let dropped = self.outputs.over(life, end_offset, spool_bytes);
        if !dropped.is_empty() {
            tracing::warn!(
                lives = dropped.len(),
                "the spool is full: the oldest output is dropped"
            );
        }
        self.chores.add(dropped.into_iter().map(Chore::RemoveSpool));
    }
}

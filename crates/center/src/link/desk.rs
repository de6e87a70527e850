//! Hands out to one agent and takes in from it: orders, revocations, kills, daemons; claims, output, slots.
//!
//! What is taken in is committed before it is acknowledged; what is handed out is committed before it is sent.

use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::id::RunId;
use cronfleet_core::order::{DaemonOrder, Order, SlotState};
use cronfleet_core::plan::{PLAN_AHEAD, earlier, later};
use cronfleet_core::run::{Reason, RunState};
use cronfleet_core::run_limits::RunLimits;
use cronfleet_store::{
    AgentClaim, AgentState, Conflict, LifeChunks, RunMoved, Session, SlotChanged, StoreError,
};
use cronfleet_wire::v1::from_agent::Body as In;
use cronfleet_wire::v1::from_center::Body as Out;
use cronfleet_wire::{BATCH_MAX, convert, v1};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::Parts;
use super::clerk::CLAIMS_PER_COMMIT;
use super::outbox::Outbox;
use super::output::OutputLives;
use super::policy;
use super::reboot::reboot_runs;
use super::secrets;
use super::session::{Activity, Greeting, SessionEnd, tell as tell_agent};
use super::withheld::{self, Skills};
use crate::bus::Change;
use crate::nudge::Nudge;

/// Most planned runs that are looked through for those that an agent is too old for.
const WITHHELD_MAX: u32 = 10_000;
/// How often a session looks after what nobody told it.
const REVIEW_INTERVAL: Duration = Duration::from_secs(30);

/// The desk of one session.
pub(super) struct Desk {
    parts: Arc<Parts>,
    session: Session,
    outbox: Outbox,
    activity: Activity,
    /// Set until the runs at host start (`@reboot`) of this boot are recorded.
    new_boot: Option<String>,
    follows_restart_counts: bool,
    skills: Skills,
    /// Limits on its runs that the agent was last told.
    run_limits: Option<RunLimits>,
    /// What the agent was last told to keep alive.
    daemons: Option<Vec<DaemonOrder>>,
    /// What it was not told, because it would start that without secrets.
    withheld: Vec<DaemonOrder>,
    /// Lives whose output comes in.
    lives: OutputLives,
}

impl Desk {
    pub(super) fn new(
        parts: Arc<Parts>,
        greeting: &Greeting,
        outbox: Outbox,
        activity: Activity,
    ) -> Self {
        Self {
            parts,
            session: greeting.opened.session.clone(),
            outbox,
            activity,
            new_boot: greeting
                .opened
                .is_new_boot
                .then(|| greeting.boot_id.clone()),
            follows_restart_counts: greeting.follows_restart_counts,
            skills: greeting.skills,
            run_limits: None,
            daemons: None,
            withheld: Vec::new(),
            lives: OutputLives::default(),
        }
    }

    /// Works until the session ends; answers why it does.
    pub(super) async fn run(
        &mut self,
        nudges: &mut mpsc::Receiver<Nudge>,
        mut from_reader: mpsc::Receiver<In>,
    ) -> SessionEnd {
        match self.work(nudges, &mut from_reader).await {
            Ok(()) => SessionEnd::Closed,
            Err(end) => end,
        }
    }

    async fn work(
        &mut self,
        nudges: &mut mpsc::Receiver<Nudge>,
        from_reader: &mut mpsc::Receiver<In>,
    ) -> Result<(), SessionEnd> {
        if self.activity.is_active() {
            self.reconcile().await?;
        }
        let mut review = tokio::time::interval(REVIEW_INTERVAL);
        review.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        review.reset();
        loop {
            tokio::select! {
                message = from_reader.recv() => match message {
                    Some(message) => self.take_in(message, from_reader).await?,
                    None => return Ok(()),
                },
                Some(nudge) = nudges.recv() => self.follow(nudge).await?,
                _ = review.tick() => self.review().await?,
            }
        }
    }

    /// Settles the difference between what the center expects the agent to hold and what it may hold.
    async fn reconcile(&mut self) -> Result<(), SessionEnd> {
        self.send_limits().await?;
        self.settle(None).await?;
        self.send_daemons().await?;
        if let Some(boot_id) = self.new_boot.take() {
            self.record_reboot(&boot_id).await?;
        }
        self.hand_out().await
    }

    /// Looks after what a lost nudge may have left, and a database that has failed over and lost its last commits: what the agent
    /// said in those seconds it does not say again unless it is asked.
    async fn review(&mut self) -> Result<(), SessionEnd> {
        self.look_at_agent().await?;
        if !self.activity.is_active() {
            return Ok(());
        }
        let long_ago = earlier(self.parts.clock.now(), REVIEW_INTERVAL);
        self.settle(Some(long_ago)).await?;
        self.hand_out().await
    }

    /// Says again what is wanted of the runs that the agent has or may have, and asks what became of them: of all, or of those
    /// that might have started before `due_before`.
    async fn settle(&self, due_before: Option<Timestamp>) -> Result<(), SessionEnd> {
        let outstanding = self.parts.store.outstanding(self.session.agent).await?;
        let mut unsure: Vec<RunId> = Vec::new();
        let mut asked: Vec<RunId> = Vec::new();
        let mut words: Vec<RunId> = Vec::new();
        for run in &outstanding {
            if due_before.is_some_and(|moment| run.not_before >= moment) {
                continue;
            }
            match run.state {
                RunState::Offered if run.is_known => asked.push(run.run),
                RunState::Dispatched | RunState::Offered
                    if run.revoke_reason.is_none() && !run.is_refused =>
                {
                    unsure.push(run.run);
                }
                RunState::Accepted | RunState::Running => asked.push(run.run),
                // One that is asked back may never have arrived: only the revocation, which needs no order, tells.
                RunState::Dispatched
                | RunState::Offered
                | RunState::Planned
                | RunState::Ended(_) => {}
            }
            if run.is_offer && run.state == RunState::Accepted && !run.is_kill_requested {
                words.push(run.run);
            }
        }
        for runs in unsure.chunks(BATCH_MAX) {
            let orders = self
                .parts
                .store
                .orders_again(self.session.agent, runs)
                .await?;
            self.send_orders(&orders).await?;
        }
        for runs in asked.chunks(BATCH_MAX) {
            self.outbox
                .send(Out::Inquiry(v1::Inquiry { runs: ids(runs) }))
                .await?;
        }
        self.give_words(&words).await?;
        for run in &outstanding {
            match run.revoke_reason {
                Some(Reason::Replaced) => self.stop(run.run, true).await?,
                Some(reason) if run.state != RunState::Running => {
                    self.revoke(&[run.run], reason).await?;
                }
                Some(_) | None => {}
            }
            if run.is_kill_requested {
                self.stop(run.run, false).await?;
            }
        }
        Ok(())
    }

    async fn stop(&self, run: RunId, is_replaced: bool) -> Result<(), SessionEnd> {
        let runs = ids(&[run]);
        let kill = v1::Kill { runs, is_replaced };
        Ok(self.outbox.send(Out::Kill(kill)).await?)
    }

    /// Offers may be started.
    async fn give_words(&self, runs: &[RunId]) -> Result<(), SessionEnd> {
        for runs in runs.chunks(BATCH_MAX) {
            let go = v1::Go { runs: ids(runs) };
            self.outbox.send(Out::Go(go)).await?;
        }
        Ok(())
    }

    async fn follow(&mut self, nudge: Nudge) -> Result<(), SessionEnd> {
        if nudge == Nudge::Agent {
            return self.look_at_agent().await;
        }
        if !self.activity.is_active() {
            return Ok(());
        }
        match nudge {
            Nudge::RunsPlanned => self.hand_out().await,
            Nudge::Revoke { runs, reason } => self.revoke(&runs, reason).await,
            Nudge::Kill { run } => self.stop(run, false).await,
            Nudge::Replace { run } => self.stop(run, true).await,
            Nudge::Go { runs } => self.give_words(&runs).await,
            Nudge::RestartSlots { .. } if self.follows_restart_counts => self.send_daemons().await,
            Nudge::RestartSlots { job, index } => {
                let restart = v1::RestartSlots {
                    job: convert::id_bytes(job.as_uuid()),
                    index,
                };
                Ok(self.outbox.send(Out::RestartSlots(restart)).await?)
            }
            Nudge::Daemons => self.send_daemons().await,
            Nudge::Agent => Ok(()),
        }
    }

    /// Follows what an administrator did with the agent, and tells it of its daemons.
    async fn look_at_agent(&mut self) -> Result<(), SessionEnd> {
        let standing = self.parts.store.agent_standing(self.session.agent).await?;
        let run_limits = standing.as_ref().map(|standing| standing.run_limits);
        match standing.map(|standing| standing.state) {
            Some(AgentState::Active) if !self.activity.is_active() => {
                self.activity.activate();
                self.reconcile().await
            }
            Some(AgentState::Active) => {
                self.tell_limits(run_limits).await?;
                self.send_daemons().await
            }
            Some(AgentState::Pending) => Ok(()),
            Some(AgentState::Revoked) | None => Err(SessionEnd::NotAdmitted),
        }
    }

    /// Tells the limits on runs before anything that they are about.
    async fn send_limits(&mut self) -> Result<(), SessionEnd> {
        let standing = self.parts.store.agent_standing(self.session.agent).await?;
        self.tell_limits(standing.map(|standing| standing.run_limits))
            .await
    }

    async fn tell_limits(&mut self, limits: Option<RunLimits>) -> Result<(), SessionEnd> {
        if let Some(limits) = limits.filter(|limits| self.run_limits != Some(*limits)) {
            self.outbox.send(Out::RunLimits(limits.into())).await?;
            self.run_limits = Some(limits);
        }
        Ok(())
    }

    /// Commits planned runs as dispatched and sends their orders.
    async fn hand_out(&mut self) -> Result<(), SessionEnd> {
        loop {
            self.withhold_runs().await?;
            let taken = match self.parts.clerk.take_planned(&self.session).await {
                Err(error) if matches!(*error, StoreError::Conflict(Conflict::AgentState)) => {
                    return Ok(());
                }
                answer => answer?,
            };
            self.send_orders(&taken.orders).await?;
            if !taken.has_more {
                return Ok(());
            }
        }
    }

    async fn send_orders(&self, orders: &[Order]) -> Result<(), SessionEnd> {
        let (orders, withheld): (Vec<_>, Vec<_>) =
            orders.iter().partition(|order| self.skills.can(order));
        if !withheld.is_empty() {
            // It may have one of them from a time when it was newer: only the agent can say.
            let runs: Vec<RunId> = withheld.iter().map(|order| order.run).collect();
            self.revoke(&runs, Reason::NeverReceived).await?;
        }
        for batch in orders.chunks(BATCH_MAX) {
            let orders = batch
                .iter()
                .map(|order| convert::order(order, self.session.epoch))
                .collect();
            self.outbox.send(Out::Orders(v1::Orders { orders })).await?;
        }
        Ok(())
    }

    /// Ends what the agent would not do as its job asks.
    async fn withhold_runs(&self) -> Result<(), SessionEnd> {
        if self.skills.are_complete() {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let until = later(now, PLAN_AHEAD);
        let moved = self
            .parts
            .store
            .withhold_runs(&self.session, now, until, WITHHELD_MAX, |order| {
                self.skills.can(order)
            })
            .await?;
        publish_moves(&self.parts.bus, &moved);
        Ok(())
    }

    /// Shows slots that the agent was not told of.
    async fn show_withheld(&self) -> Result<(), SessionEnd> {
        if self.withheld.is_empty() {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let reports = withheld::slots(&self.withheld, now);
        let changed = self
            .parts
            .store
            .put_slot_reports(&self.session, &reports, false, now)
            .await?;
        for slot in changed {
            self.parts.bus.publish(slot_change(&slot));
        }
        Ok(())
    }

    async fn revoke(&self, runs: &[RunId], reason: Reason) -> Result<(), SessionEnd> {
        let revoke = v1::Revoke {
            runs: ids(runs),
            reason: reason.word().to_owned(),
        };
        Ok(self.outbox.send(Out::Revoke(revoke)).await?)
    }

    async fn send_daemons(&mut self) -> Result<(), SessionEnd> {
        let wanted = self.parts.store.daemon_orders(self.session.agent).await?;
        let (daemons, withheld): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|order| self.skills.can_launch(&order.launch));
        if self.withheld != withheld {
            self.withheld = withheld;
            self.show_withheld().await?;
        }
        if self.daemons.as_ref() == Some(&daemons) {
            return Ok(());
        }
        let message = v1::Daemons {
            session_epoch: self.session.epoch,
            daemons: daemons.iter().map(v1::DaemonOrder::from).collect(),
        };
        self.outbox.send(Out::Daemons(message)).await?;
        self.daemons = Some(daemons);
        Ok(())
    }

    /// Records the runs of jobs that run at the start of the agent's host; once per boot, by their trigger.
    async fn record_reboot(&self, boot_id: &str) -> Result<(), SessionEnd> {
        let now = self.parts.clock.now();
        let book = self.parts.windows.book(now).await?;
        for job in self.parts.store.reboot_jobs(self.session.agent).await? {
            if !job.scheduled.active.contains(now) {
                continue;
            }
            let mut request = reboot_runs(&job, &self.session, boot_id, now);
            let held = book.held(job.group, job.job, job.snooze, now);
            request.skipped = held.map(|held| held.reason);
            match self.parts.store.insert_manual_runs(&request, now).await {
                Ok(_) => {}
                // The job was edited or deleted between the two statements.
                Err(
                    StoreError::Conflict(Conflict::StaleVersion { .. })
                    | StoreError::Missing { .. },
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn take_in(
        &mut self,
        message: In,
        from_reader: &mut mpsc::Receiver<In>,
    ) -> Result<(), SessionEnd> {
        let mut next = Some(message);
        while let Some(message) = next.take() {
            match message {
                In::Claims(claims) => next = self.take_claims(claims, from_reader).await?,
                In::Output(output) => self.take_output(output).await?,
                In::Slots(slots) => self.take_slots(slots).await?,
                In::SecretsWanted(request) => self.give_secrets(&request).await?,
                In::Policy(report) => self.take_policy(report).await?,
                In::Hello(_) | In::Heartbeat(_) => {}
            }
        }
        Ok(())
    }

    /// Keeps what the agent says about its machine's policy.
    async fn take_policy(&self, report: v1::PolicyReport) -> Result<(), SessionEnd> {
        let agent = self.session.agent;
        let Some(policy) = policy::read(report) else {
            tracing::warn!(agent.id = %agent, "a policy report could not be understood");
            return Ok(());
        };
        self.parts.store.put_policy(&self.session, &policy).await?;
        tell_agent(&self.parts, agent).await;
        Ok(())
    }

    /// Commits claims, together with those that wait behind them; answers the first message that is something else.
    async fn take_claims(
        &mut self,
        first: v1::Claims,
        from_reader: &mut mpsc::Receiver<In>,
    ) -> Result<Option<In>, SessionEnd> {
        let mut sequences = vec![first.sequence];
        let mut claims = self.read_claims(first.claims);
        let mut other = None;
        while claims.len() < CLAIMS_PER_COMMIT && other.is_none() {
            match from_reader.try_recv() {
                Ok(In::Claims(more)) => {
                    sequences.push(more.sequence);
                    claims.extend(self.read_claims(more.claims));
                }
                Ok(message) => other = Some(message),
                Err(_) => break,
            }
        }
        self.parts.clerk.apply(&self.session, claims).await?;
        for sequence in sequences {
            self.outbox
                .send(Out::ClaimsAck(v1::ClaimsAck { sequence }))
                .await?;
        }
        Ok(other)
    }

    fn read_claims(&self, claims: Vec<v1::Claim>) -> Vec<AgentClaim> {
        let read = claims.into_iter().filter_map(|claim| match convert::read_claim(claim) {
            Ok((run, claim)) => Some(AgentClaim { run, claim, draw: self.parts.mint.draw() }),
            Err(error) => {
                tracing::error!(agent.id = %self.session.agent, %error, "a claim could not be understood");
                None
            }
        });
        read.collect()
    }

    async fn take_output(&mut self, output: v1::Output) -> Result<(), SessionEnd> {
        let agent = self.session.agent;
        let mut lives: Vec<LifeChunks> = Vec::with_capacity(output.pieces.len());
        for piece in output.pieces {
            let chunks = match self.lives.read(&self.parts.store, piece).await? {
                Ok(chunks) => chunks,
                Err(error) => {
                    tracing::error!(agent.id = %agent, %error, "output could not be understood");
                    continue;
                }
            };
            match lives.iter_mut().find(|life| life.life == chunks.life) {
                Some(life) => {
                    life.chunks.extend(chunks.chunks);
                    life.end_offset = chunks.end_offset.or(life.end_offset);
                }
                None => lives.push(chunks),
            }
        }
        let left_out = self
            .parts
            .store
            .append_output(agent, &lives, self.parts.clock.now())
            .await?;
        self.outbox
            .send(Out::OutputAck(v1::OutputAck {
                sequence: output.sequence,
            }))
            .await?;
        for life in &left_out {
            tracing::warn!(agent.id = %agent, life.id = %life, "output of an unknown life was left out");
        }
        for life in lives
            .iter()
            .map(|life| life.life)
            .filter(|life| !left_out.contains(life))
        {
            self.parts.bus.publish_output(life);
        }
        Ok(())
    }

    async fn give_secrets(&self, request: &v1::SecretsWanted) -> Result<(), SessionEnd> {
        let answer = secrets::answer(&self.parts, self.session.agent, request).await?;
        Ok(self.outbox.send(Out::Secrets(answer)).await?)
    }

    async fn take_slots(&self, slots: v1::Slots) -> Result<(), SessionEnd> {
        let sequence = slots.sequence;
        let now = self.parts.clock.now();
        let processes = self.understood(slots.processes);
        let reports = self.understood(slots.slots);
        if !processes.is_empty() {
            self.parts
                .store
                .put_process_reports(&self.session, &processes, now)
                .await?;
        }
        let changed = self
            .parts
            .store
            .put_slot_reports(&self.session, &reports, slots.is_complete, now)
            .await?;
        self.outbox
            .send(Out::SlotsAck(v1::SlotsAck { sequence }))
            .await?;
        for slot in changed {
            self.parts.bus.publish(slot_change(&slot));
        }
        if slots.is_complete {
            // Slots that the agent does not name are gone, and it knows nothing of these.
            self.show_withheld().await?;
        }
        Ok(())
    }

    fn understood<M, T: TryFrom<M, Error = convert::MessageError>>(
        &self,
        messages: Vec<M>,
    ) -> Vec<T> {
        let read = messages.into_iter().filter_map(|message| match T::try_from(message) {
            Ok(report) => Some(report),
            Err(error) => {
                tracing::error!(agent.id = %self.session.agent, %error, "a report could not be understood");
                None
            }
        });
        read.collect()
    }
}

/// Tells watchers which runs moved.
pub(crate) fn publish_moves(bus: &crate::bus::EventBus, moved: &[RunMoved]) {
    for run in moved {
        bus.publish(Change::Run {
            run: run.run,
            job: run.job,
            group: run.group,
            agent: run.agent,
            state: run.state,
        });
    }
}

fn slot_change(slot: &SlotChanged) -> Change {
    Change::Slot {
        job: slot.job,
        group: slot.group,
        agent: slot.agent,
        index: slot.index,
        state: slot.state.unwrap_or(SlotState::Stopped),
    }
}

fn ids(runs: &[RunId]) -> Vec<bytes::Bytes> {
    runs.iter()
        .map(|run| convert::id_bytes(run.as_uuid()))
        .collect()
}

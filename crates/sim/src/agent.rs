//! An agent: the real order book, with a modelled ledger and session around it.

use std::collections::{BTreeMap, BTreeSet};

use cronfleet_core::id::{AgentId, RunId};
use cronfleet_core::life::Now;
use cronfleet_core::order::Claim;
use cronfleet_core::order_book::{Effect, Input, Limits, OrderBook, Phase, Survey, SurveyedBoot};
use cronfleet_core::record::Record;
use cronfleet_core::run_limits::RunLimits;

use crate::mutant::Mutant;
use crate::time::{MS, Micros, SECOND, duration, micros, span};
use crate::world::{Event, ToAgent, ToCenter, World};

/// An agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) is_up: bool,
    /// Counts its starts.
    pub(crate) life: u32,
    /// Epoch of the session it believes in.
    pub(crate) session: Option<u64>,
    /// Its idea of the center's clock minus the center's clock.
    pub(crate) clock_error: Micros,
    pub(crate) disk_full_until: Micros,
    /// It dies after so many effects, for so long.
    pub(crate) crash_midway: Option<(u32, Micros)>,
    book: OrderBook,
    ledger: Vec<Record>,
    /// Records about no run that the ledger did not take: they come before the next one.
    unwritten: Vec<Record>,
    /// How many of its records are on the disk.
    synced: usize,
    ledger_boot: u32,
    epoch_seen: u64,
    claims_sent: BTreeMap<u64, Vec<(RunId, Phase)>>,
    claims_sequence: u64,
    wake_token: u64,
}

impl Agent {
    pub(crate) fn new(id: AgentId) -> Self {
        Self {
            id,
            is_up: false,
            life: 0,
            session: None,
            clock_error: 0,
            disk_full_until: 0,
            crash_midway: None,
            book: OrderBook::new(Limits::default()),
            ledger: Vec::new(),
            unwritten: Vec::new(),
            synced: 0,
            ledger_boot: 1,
            epoch_seen: 0,
            claims_sent: BTreeMap::new(),
            claims_sequence: 0,
            wake_token: 0,
        }
    }

    pub(crate) fn die(&mut self) {
        self.is_up = false;
        self.life += 1;
        self.session = None;
        self.claims_sent.clear();
        self.unwritten.clear();
        self.book = OrderBook::new(Limits::default());
    }

    /// What had not reached the disk is gone.
    pub(crate) fn lose_tail(&mut self) {
        self.ledger.truncate(self.synced);
    }
}

impl World {
    pub(crate) fn agent_up(&mut self, agent: usize) {
        if self.agents[agent].is_up {
            return;
        }
        self.agents[agent].is_up = true;
        self.agents[agent].life += 1;
        self.set_clock(agent);
        let is_forgetful = self.is(Mutant::ForgetsLives);
        let runs = if is_forgetful {
            BTreeMap::new()
        } else {
            self.survey(agent)
        };
        let now = self.agent_now(agent);
        let boot = self.hosts[agent].boot;
        let is_unlimited = self.is(Mutant::ForgetsLimits);
        let node = &mut self.agents[agent];
        node.synced = node.ledger.len();
        let is_same = node.ledger_boot == boot;
        let survey = Survey {
            boot: if is_same {
                SurveyedBoot::Same
            } else {
                SurveyedBoot::New
            },
            is_ledger_lost: false,
            runs,
            owners: BTreeMap::new(),
        };
        let mut records = node.ledger.clone();
        if is_unlimited {
            records.retain(|record| !matches!(record, Record::RunLimits(_)));
        }
        let (book, effects) = OrderBook::recover(Limits::default(), records, survey, now);
        node.book = book;
        self.note(|| format!("agent {agent}: starts"));
        let life = self.agents[agent].life;
        self.perform(agent, effects);
        if self.agents[agent].life != life {
            return;
        }
        if self.agents[agent].disk_full_until <= self.now {
            self.agents[agent].ledger_boot = boot;
        }
        self.set_wake(agent);
        let wait = self.rng.range(5 * MS, 300 * MS);
        self.after(wait, Event::Connect { agent, life });
    }

    fn set_clock(&mut self, agent: usize) {
        let most = self.swarm.clock_error;
        let error = self.rng.range(-most, most);
        let fast = if self.is(Mutant::StartsEarly) {
            2 * SECOND
        } else {
            0
        };
        self.agents[agent].clock_error = error + fast;
    }

    fn agent_now(&self, agent: usize) -> Now {
        Now {
            center: self.agent_center_time(agent),
            boot: duration(self.now - self.hosts[agent].boot_at),
        }
    }

    pub(crate) fn agent_receives(&mut self, agent: usize, epoch: u64, message: ToAgent) {
        if !self.agents[agent].is_up {
            return;
        }
        if let ToAgent::Welcome(limits) = message {
            self.begin_session(agent, epoch, limits);
            return;
        }
        if self.agents[agent].session != Some(epoch) {
            return;
        }
        match message {
            ToAgent::Welcome(_) => {}
            ToAgent::Orders(orders) => {
                for order in orders {
                    self.feed(agent, Input::Order(order));
                }
            }
            ToAgent::Revoke { run, reason } => self.feed(agent, Input::Revoke { run, reason }),
            ToAgent::Go(run) => self.feed(agent, Input::Go { run }),
            ToAgent::Kill { run, cause } => self.feed(agent, Input::Kill { run, cause }),
            ToAgent::Inquiry(run) => self.feed(agent, Input::Inquiry { run }),
            ToAgent::Ack(sequence) => {
                for (run, phase) in self.agents[agent]
                    .claims_sent
                    .remove(&sequence)
                    .unwrap_or_default()
                {
                    self.feed(agent, Input::Acked { run, phase });
                    self.maybe_forget_tombstone(agent, run, phase);
                }
            }
        }
    }

    /// A mutant compacts its ledger down to what the center has not acknowledged, and believes that from then on.
    fn maybe_forget_tombstone(&mut self, agent: usize, run: RunId, phase: Phase) {
        if !self.is(Mutant::ForgetsTombstones) || phase != Phase::Over || !self.agents[agent].is_up
        {
            return;
        }
        let mut records = self.agents[agent].book.snapshot();
        records.retain(|record| record.run() != Some(run));
        let runs = self.survey(agent);
        let survey = Survey {
            boot: SurveyedBoot::Same,
            is_ledger_lost: false,
            runs,
            owners: BTreeMap::new(),
        };
        let now = self.agent_now(agent);
        let (book, effects) = OrderBook::recover(Limits::default(), records.clone(), survey, now);
        self.agents[agent].book = book;
        self.agents[agent].ledger = records;
        self.agents[agent].synced = self.agents[agent].ledger.len();
        self.perform(agent, effects);
        self.set_wake(agent);
    }

    fn begin_session(&mut self, agent: usize, epoch: u64, limits: RunLimits) {
        let node = &mut self.agents[agent];
        if node.session.is_some() || epoch <= node.epoch_seen {
            return;
        }
        node.epoch_seen = epoch;
        node.session = Some(epoch);
        node.claims_sent.clear();
        node.ledger.push(Record::SessionEpoch(epoch));
        let claims: Vec<(RunId, Claim)> = node.book.claims_unacked().collect();
        self.set_clock(agent);
        self.note(|| format!("agent {agent}: session {epoch}, {} claims", claims.len()));
        self.send_claims(agent, claims);
        self.feed(agent, Input::Limits(limits));
    }

    pub(crate) fn agent_loses(&mut self, agent: usize, epoch: u64) {
        let node = &self.agents[agent];
        // A session may die before the agent has been told that it is there.
        let is_unheard = node.session.is_none() && self.links[agent].epoch == epoch;
        if node.is_up && (node.session == Some(epoch) || is_unheard) {
            // A welcome that is still on its way comes too late.
            self.agents[agent].epoch_seen = epoch;
            self.agents[agent].session = None;
            let life = self.agents[agent].life;
            let wait = self.rng.range(50 * MS, 1_500 * MS);
            self.after(wait, Event::Connect { agent, life });
        }
    }

    pub(crate) fn agent_is_told(&mut self, agent: usize, life: u32, input: Input) {
        if self.agents[agent].is_up && self.agents[agent].life == life {
            self.feed(agent, input);
        }
    }

    pub(crate) fn agent_wakes(&mut self, agent: usize, life: u32, token: u64) {
        let node = &self.agents[agent];
        if node.is_up && node.life == life && node.wake_token == token {
            self.feed(agent, Input::Tick);
        }
    }

    pub(crate) fn ledger_synced(&mut self, agent: usize, life: u32, len: usize) {
        let node = &mut self.agents[agent];
        if !node.is_up || node.life != life || len <= node.synced || len > node.ledger.len() {
            return;
        }
        let fresh = node.ledger[node.synced..len]
            .iter()
            .filter(|record| record.is_synced_first());
        let runs: Vec<RunId> = fresh.filter_map(Record::run).collect();
        node.synced = len;
        for run in runs {
            self.feed(agent, Input::Synced { run });
        }
    }

    /// Gives the book one input and does what it says.
    fn feed(&mut self, agent: usize, input: Input) {
        let now = self.agent_now(agent);
        let node = &mut self.agents[agent];
        if !node.is_up {
            return;
        }
        let effects = node.book.handle(now, input);
        self.perform(agent, effects);
        self.set_wake(agent);
    }

    fn set_wake(&mut self, agent: usize) {
        if !self.agents[agent].is_up {
            return;
        }
        let wake = self.agents[agent].book.next_wake();
        let error = self.agents[agent].clock_error;
        let center = wake.center.map(|at| micros(at) - error);
        let boot = wake
            .boot
            .map(|at| self.hosts[agent].boot_at.saturating_add(span(at)));
        if let Some(at) = center.into_iter().chain(boot).min() {
            let node = &mut self.agents[agent];
            node.wake_token += 1;
            let (life, token) = (node.life, node.wake_token);
            self.at(
                at.max(self.now + 1),
                Event::AgentWake { agent, life, token },
            );
        }
    }

    fn perform(&mut self, agent: usize, effects: Vec<Effect>) {
        let life = self.agents[agent].life;
        let mut failed = BTreeSet::new();
        let mut claims = Vec::new();
        for effect in effects {
            if self.dies_midway(agent) {
                return;
            }
            if effect_run(&effect).is_some_and(|run| failed.contains(&run)) {
                continue;
            }
            match effect {
                Effect::Append(record) => {
                    if !self.append(agent, (*record).clone()) {
                        failed.extend(record.run());
                    }
                }
                Effect::Arm { run } => self.host_arm(agent, run),
                Effect::Go { run } => self.host_go(agent, run),
                Effect::Abandon { run } => self.host_abandon(agent, run),
                Effect::Stop { run, signal } => self.host_signal(agent, run, Some(signal.number())),
                Effect::KillAll { run } => self.host_signal(agent, run, None),
                Effect::Report { run } => {
                    claims.extend(self.agents[agent].book.claim(run).map(|claim| (run, claim)));
                }
                Effect::Forget { run } => self.hosts[agent].forget(run),
            }
        }
        self.send_claims(agent, claims);
        for run in failed {
            if self.agents[agent].life == life {
                self.feed(agent, Input::LedgerFailed { run });
            }
        }
    }

    fn dies_midway(&mut self, agent: usize) -> bool {
        match self.agents[agent].crash_midway {
            Some((0, down)) => {
                self.agents[agent].crash_midway = None;
                self.crash_agent(agent, down);
                true
            }
            Some((left, down)) => {
                self.agents[agent].crash_midway = Some((left - 1, down));
                false
            }
            None => false,
        }
    }

    /// Writes a record; answers whether that worked.
    fn append(&mut self, agent: usize, record: Record) -> bool {
        if self.agents[agent].disk_full_until > self.now {
            if record.run().is_none() {
                self.agents[agent].unwritten.push(record);
            }
            return false;
        }
        let node = &mut self.agents[agent];
        node.ledger.append(&mut node.unwritten);
        self.note(|| format!("agent {agent}: ledger {}", summary(&record)));
        let is_synced_first = record.is_synced_first();
        let run = record.run();
        let wait = self.rng.range(MS / 2, self.swarm.sync_time);
        let is_early = self.is(Mutant::ArmsUnsynced) && is_synced_first;
        let is_blank = self.is(Mutant::NoLedger);
        let boot = self.hosts[agent].boot;
        let node = &mut self.agents[agent];
        let life = node.life;
        // If that could not be written when the agent started, it comes before anything else.
        node.ledger_boot = boot;
        if !is_blank {
            node.ledger.push(record);
        }
        if let Some(run) = run.filter(|_| is_early || (is_blank && is_synced_first)) {
            self.after(
                0,
                Event::Tell {
                    agent,
                    life,
                    input: Input::Synced { run },
                },
            );
            return true;
        }
        if is_synced_first {
            let len = self.agents[agent].ledger.len();
            self.after(wait, Event::Synced { agent, life, len });
        }
        true
    }

    fn send_claims(&mut self, agent: usize, claims: Vec<(RunId, Claim)>) {
        if claims.is_empty() || self.agents[agent].session.is_none() {
            return;
        }
        let node = &mut self.agents[agent];
        node.claims_sequence += 1;
        let sequence = node.claims_sequence;
        let phases = claims
            .iter()
            .map(|(run, claim)| (*run, Phase::of(claim)))
            .collect();
        node.claims_sent.insert(sequence, phases);
        self.send_to_center(agent, ToCenter::Claims { sequence, claims });
    }
}

const fn effect_run(effect: &Effect) -> Option<RunId> {
    match effect {
        Effect::Append(_) | Effect::Abandon { .. } | Effect::KillAll { .. } => None,
        Effect::Arm { run }
        | Effect::Go { run }
        | Effect::Stop { run, .. }
        | Effect::Report { run }
        | Effect::Forget { run } => Some(*run),
    }
}

fn summary(record: &Record) -> String {
    match record {
        Record::Accepted { order, .. } => format!("accepted {} due {}", order.run, order.due),
        other => format!("{other:?}"),
    }
}

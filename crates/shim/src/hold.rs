//! The shim's one loop: from a locked folder to an exit record.
//!
//! ```text
//! Preparing ──child ready──► Armed ──GO──► Releasing ──executed──► Running ──reaped, drained──► exit record
//!     │                        │               │
//!     └──────── agent gone, stop or kill ──────┘ (only before GO): the child is killed, nothing ever ran
//! ```

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use cronfleet_shim::control::{GO, MESSAGE_LEN, Message};
use cronfleet_shim::life::{End, ExitRecord, KillMeans, ProcessId, StartedRecord};
use cronfleet_shim::spec::{Spec, Stragglers};
use cronfleet_shim::step::{Step, StepError};

use crate::cgroup;
use crate::folder::{Folder, Reserved};
use crate::notice::Notice;
use crate::pump::{Pump, wall_us};
use crate::sys::{self, Reaped, Wait, Watched};
use crate::tree;

/// Pause between two rounds of killing.
const KILL_ROUND_MS: u64 = 10;

/// How long processes may take to die after the command has ended before the shim gives up on them.
const KILL_TIME_MAX_US: u64 = 10_000_000;

/// The prepared child and the pipes to it.
pub(crate) struct Child {
    pub(crate) id: ProcessId,
    /// What it reports; its end is the sign that the command is executed.
    pub(crate) report: Option<File>,
    /// Where the word is given.
    pub(crate) word: Option<OwnedFd>,
}

/// Everything the loop works with.
pub(crate) struct Holder<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) spec: &'a Spec,
    pub(crate) started_space: Reserved,
    pub(crate) boot_id: String,
    pub(crate) signals: File,
    pub(crate) agent: Option<OwnedFd>,
    pub(crate) child: Child,
    pub(crate) pump: Pump,
    pub(crate) state: State,
}

/// What the loop has learnt so far.
pub(crate) struct State {
    phase: Phase,
    failure: Option<StepError>,
    /// The child's end, and when since boot.
    reaped: Option<(Reaped, u64)>,
    has_children: bool,
    stop_requested: bool,
    kill_requested: bool,
    /// A stop came after the command's end: whoever is still there has waited long enough.
    is_drain_over: bool,
    killing_since_us: Option<u64>,
    is_stop_sent: bool,
    kill_means: Option<KillMeans>,
    /// Living processes besides the command when the killing began.
    stragglers_found: Option<u32>,
    stragglers_killed: u32,
    notice: Notice,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Preparing,
    Armed,
    /// The word was given, this long after boot.
    Releasing {
        since_us: u64,
    },
    Running {
        since_us: u64,
    },
    /// Given up before the word; the child is being killed.
    Abandoned,
}

/// How the loop ended.
pub(crate) struct Outcome {
    pub(crate) record: ExitRecord,
    /// Whether processes were left alone that may still write.
    pub(crate) lingers: bool,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Preparing,
            failure: None,
            reaped: None,
            has_children: true,
            stop_requested: false,
            kill_requested: false,
            is_drain_over: false,
            killing_since_us: None,
            is_stop_sent: false,
            kill_means: None,
            stragglers_found: None,
            stragglers_killed: 0,
            notice: Notice::default(),
        }
    }
}

impl Holder<'_> {
    /// Works until everything is over.
    pub(crate) fn run(&mut self) -> Outcome {
        loop {
            self.wait();
            self.hear_signals();
            self.hear_child();
            self.hear_agent();
            if self.pump.turn() {
                self.state.notice.output();
            }
            self.tell_output();
            self.reap();
            // The child's last words may have come between the look at the pipe and its end.
            self.hear_child();
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
        }
    }

    fn wait(&self) {
        let [out, err] = self.pump.descriptors();
        let report = self.child.report.as_ref().map(AsRawFd::as_raw_fd);
        let agent = self.agent.as_ref().map(AsRawFd::as_raw_fd);
        let signals = self.signals.as_raw_fd();
        let all = [Some(signals), out, err, report, agent];
        sys::poll(all.map(Watched), self.patience_ms());
    }

    /// How long nothing needs to be done if nothing happens.
    fn patience_ms(&self) -> Option<u64> {
        let now = sys::since_boot_us();
        let killing = (self.state.kill_requested || self.state.killing_since_us.is_some())
            .then_some(KILL_ROUND_MS);
        let draining = self
            .drained_at_us()
            .map(|at| at.saturating_sub(now).div_ceil(1000));
        let notice = self.state.notice.due_in_ms(now);
        let notice = notice.filter(|_| self.is_running());
        let room = self.pump.look_in_ms();
        [killing, draining, notice, room]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the wait for late output and late processes is over.
    fn drained_at_us(&self) -> Option<u64> {
        let (_, at) = self.state.reaped.as_ref()?;
        Some(at.saturating_add(self.spec.drain_ms.saturating_mul(1000)))
    }

    fn hear_signals(&mut self) {
        let mut record = [0; sys::SIGNAL_RECORD_LEN];
        while self.signals.read_exact(&mut record).is_ok() {
            match sys::signal_number(&record) {
                Some(libc::SIGTERM) => self.stop(),
                Some(libc::SIGUSR1) => self.kill(),
                // SIGCHLD only wakes; children are looked at in every round.
                _ => {}
            }
        }
    }

    fn stop(&mut self) {
        self.state.stop_requested = true;
        match self.state.phase {
            Phase::Preparing | Phase::Armed => self.abandon(),
            Phase::Releasing { .. } | Phase::Running { .. } if self.state.reaped.is_some() => {
                self.state.is_drain_over = true;
            }
            Phase::Releasing { .. } | Phase::Running { .. } => {
                self.state.is_stop_sent = true;
                // Not reaped, so the group's number is still its own. A stopped process must go on to hear it.
                sys::signal_group(self.child.id.pid, self.spec.stop_signal);
                sys::signal_group(self.child.id.pid, libc::SIGCONT);
            }
            Phase::Abandoned => {}
        }
    }

    fn kill(&mut self) {
        match self.state.phase {
            Phase::Preparing | Phase::Armed => self.abandon(),
            Phase::Releasing { .. } | Phase::Running { .. } | Phase::Abandoned => {}
        }
        self.state.kill_requested = true;
    }

    fn abandon(&mut self) {
        self.state.phase = Phase::Abandoned;
        sys::signal_process(self.child.id.pid, libc::SIGKILL);
    }

    /// Reads what the child says about its launch.
    fn hear_child(&mut self) {
        while let Some(report) = &mut self.child.report {
            let mut bytes = [0; MESSAGE_LEN];
            match report.read(&mut bytes) {
                Ok(0) => {
                    self.child.report = None;
                    self.executed();
                }
                Ok(len) => match Message::decode(&bytes[..len]) {
                    Some(Message::Failed(error)) => self.state.failure = Some(error),
                    Some(Message::Ready { version }) if self.state.phase == Phase::Preparing => {
                        self.state.phase = Phase::Armed;
                        self.tell(Message::Ready { version });
                    }
                    _ => {}
                },
                Err(_) => return,
            }
        }
    }

    /// The child's end of the pipe is closed: by its command, or by its death.
    fn executed(&mut self) {
        if let (Phase::Releasing { since_us }, None) = (self.state.phase, self.state.failure) {
            self.state.phase = Phase::Running { since_us };
            self.tell(Message::Started);
        }
    }

    fn hear_agent(&mut self) {
        while let Some(agent) = &self.agent {
            let mut bytes = [0; MESSAGE_LEN];
            match sys::receive(agent, &mut bytes) {
                Ok(1..) if bytes[0] == GO && self.state.phase == Phase::Armed => self.release(),
                Ok(1..) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => {
                    self.agent = None;
                    if matches!(self.state.phase, Phase::Preparing | Phase::Armed) {
                        self.abandon();
                    }
                }
            }
        }
    }

    /// Writes the start down, then lets the child go.
    fn release(&mut self) {
        let since_us = sys::since_boot_us();
        let record = StartedRecord {
            shim: self.folder.shim,
            process: self.child.id,
            boot_id: self.boot_id.clone(),
            at_us: i64::try_from(wall_us()).unwrap_or(i64::MAX),
            boot_us: since_us,
            cgroups: self.spec.cgroups.joined.clone(),
        };
        if let Err(error) = self.folder.write_started(&self.started_space, &record) {
            self.state.failure = Some(StepError {
                step: Step::Folder,
                errno: error.raw_os_error().unwrap_or(libc::EIO),
            });
            self.abandon();
            return;
        }
        self.state.phase = Phase::Releasing { since_us };
        if let Some(word) = self.child.word.take() {
            // A child that was killed meanwhile shows when it is reaped.
            let _ = File::from(word).write_all(&[GO]);
        }
    }

    /// Tells the agent something. An agent that is gone or slow is no reason to wait.
    fn tell(&self, message: Message) {
        if let Some(agent) = &self.agent {
            let _ = sys::send(agent, &message.encode());
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.state.phase, Phase::Running { .. })
    }

    /// Only once the start is told: an agent that waits for that would pass over what comes before it.
    fn tell_output(&mut self) {
        if self.is_running() && self.state.notice.take(sys::since_boot_us()) {
            self.tell(Message::Output);
        }
    }

    fn reap(&mut self) {
        loop {
            match sys::wait_any() {
                Wait::Reaped(reaped) if reaped.pid == self.child.id.pid => {
                    self.state.reaped = Some((reaped, sys::since_boot_us()));
                }
                Wait::Reaped(reaped) => {
                    let is_ours =
                        self.state.kill_requested || self.state.killing_since_us.is_some();
                    if is_ours && reaped.status == libc::SIGKILL {
                        self.state.stragglers_killed += 1;
                    }
                }
                Wait::Busy => {
                    self.state.has_children = true;
                    return;
                }
                Wait::Alone => {
                    self.state.has_children = false;
                    return;
                }
            }
        }
    }

    /// Decides whether everything is over, and kills what should be dead.
    fn outcome(&mut self) -> Option<Outcome> {
        if self.state.kill_requested && self.state.reaped.is_none() {
            self.kill_round();
        }
        let since_us = match self.state.phase {
            Phase::Releasing { since_us } | Phase::Running { since_us } => since_us,
            Phase::Preparing | Phase::Armed | Phase::Abandoned => return self.never_started(),
        };
        let (_, ended_us) = self.state.reaped.as_ref()?;
        let now = sys::since_boot_us();
        let duration_us = ended_us.saturating_sub(since_us);
        let is_draining = now < self.drained_at_us()? && !self.state.is_drain_over;
        let left = if !self.state.has_children {
            0
        } else if self.state.kill_requested || (!is_draining && self.kills_stragglers()) {
            let since = *self.state.killing_since_us.get_or_insert(now);
            self.kill_round();
            if now < since + KILL_TIME_MAX_US {
                return None;
            }
            tree::living_besides(self.child.id.pid)
        } else if is_draining {
            return None;
        } else {
            tree::living_besides(self.child.id.pid)
        };
        self.pump.finish();
        Some(Outcome {
            record: self.record(self.end(), duration_us, left),
            lingers: left > 0,
        })
    }

    fn never_started(&mut self) -> Option<Outcome> {
        self.state.reaped.as_ref()?;
        let end = match (self.state.failure, self.state.phase) {
            (Some(failure), _) => End::StartFailed(failure),
            (None, Phase::Abandoned) => End::NeverStarted,
            // Something else ended the prepared process.
            (None, _) => End::StartFailed(StepError {
                step: Step::Prepared,
                errno: libc::ESRCH,
            }),
        };
        if let End::StartFailed(error) = end {
            self.state.failure = Some(error);
        }
        Some(Outcome {
            record: self.record(end, 0, 0),
            lingers: false,
        })
    }

    /// Who was asked to stop leaves nobody behind, whatever the policy.
    fn kills_stragglers(&self) -> bool {
        self.spec.stragglers == Stragglers::Kill || self.state.stop_requested
    }

    /// Kills through the control group first; then by descent, for whoever got out of the group.
    fn kill_round(&mut self) {
        let command = self.child.id.pid;
        self.state
            .stragglers_found
            .get_or_insert_with(|| tree::living_besides(command));
        let group = self.spec.cgroups.joined.first();
        let means = group.and_then(|directory| cgroup::kill(cgroup::path(directory)));
        self.state
            .kill_means
            .get_or_insert(means.unwrap_or(KillMeans::Descent));
        if self.state.reaped.is_none() {
            sys::signal_group(command, libc::SIGKILL);
        }
        for pid in tree::descendants() {
            sys::signal_process(pid, libc::SIGKILL);
        }
    }

    fn end(&self) -> End {
        match (&self.state.failure, &self.state.reaped) {
            (Some(failure), _) => End::StartFailed(*failure),
            (None, Some((reaped, _))) => status_end(reaped.status),
            (None, None) => End::NeverStarted,
        }
    }

    fn record(&self, end: End, duration_us: u64, left: u32) -> ExitRecord {
        let usage = self.state.reaped.as_ref().map(|(reaped, _)| reaped);
        let memory = self.spec.cgroups.memory.as_deref();
        ExitRecord {
            end,
            at_us: i64::try_from(wall_us()).unwrap_or(i64::MAX),
            duration_us,
            user_us: usage.map_or(0, |u| u.user_us),
            system_us: usage.map_or(0, |u| u.system_us),
            max_rss_kib: usage.map_or(0, |u| u.max_rss_kib),
            output_bytes: self.pump.output_bytes(),
            dropped_bytes: self.pump.dropped_bytes(),
            spool_end: self.pump.spool_end(),
            stragglers_killed: self.state.stragglers_killed,
            stragglers_left: left,
            stop_requested: self.state.stop_requested,
            kill_requested: self.state.kill_requested,
            stop_signal: self.state.is_stop_sent.then_some(self.spec.stop_signal),
            kill_means: self.state.kill_means,
            stragglers_found: self.state.stragglers_found.unwrap_or(0).max(left),
            oom_kills: memory.map_or(0, |directory| cgroup::oom_kills(cgroup::path(directory))),
        }
    }
}

fn status_end(status: i32) -> End {
    if libc::WIFSIGNALED(status) {
        End::Signalled {
            signal: libc::WTERMSIG(status),
            core_dumped: libc::WCOREDUMP(status),
        }
    } else {
        End::Exited {
            code: libc::WEXITSTATUS(status),
        }
    }
}

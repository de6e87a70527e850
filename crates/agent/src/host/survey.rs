//! Finding every life again after the agent was restarted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cronfleet_shim::life::{ExitRecord, ProcessId, StartedRecord, start_ticks};
use cronfleet_shim::record::FormatError;
use cronfleet_shim::step::StepError;
use tokio::time::sleep;
use uuid::Uuid;

use super::folder::{LifeFolder, ReadError};
use super::life::{Life, LifeControl};
use super::machine::boot_id;
use super::open::{Host, HostError};
use super::orphan;
use super::pidfd::{self, PidFd};
use super::start_error::StartError;

/// Pause between two looks at a life that is just starting or ending.
const LOOK: Duration = Duration::from_millis(5);

/// How long a life may be between two states before its shim is killed to settle it.
const UNDECIDED_TIME_MAX: Duration = Duration::from_secs(5);

/// One life folder that an earlier agent left behind.
#[derive(Debug)]
pub struct Found {
    /// Its id.
    pub id: Uuid,
    /// What has become of it.
    pub state: FoundState,
}

/// What has become of a life.
#[derive(Debug)]
pub enum FoundState {
    /// Its command never ran and never will.
    NeverStarted,
    /// It is over, and its shim wrote down how. `started` is absent when it failed before the start.
    Ended {
        /// How it ended.
        exit: ExitRecord,
        /// When and as what it had started.
        started: Option<StartedRecord>,
    },
    /// It runs.
    Alive(Box<Life>),
    /// It started, and its shim died without a word: how it ended, or whether it did, is unknown.
    Vanished {
        /// When and as what it had started.
        started: StartedRecord,
    },
    /// It ran when the machine went down.
    Rebooted {
        /// When and as what it had started.
        started: StartedRecord,
    },
    /// Its records cannot be read, so that it may have run.
    Unreadable {
        /// What is wrong with them, for people.
        problem: String,
    },
}

/// What can be said of a life now.
enum Verdict {
    /// This.
    Found(FoundState),
    /// It is between two states.
    Undecided,
    /// Its shim lives, and what that wrote cannot be read.
    Illegible,
}

impl Host {
    /// Looks at every life folder and says what has become of each, in no particular order.
    ///
    /// To be called once, before the first [`Host::arm`]. A life that an agent was just starting or that is just
    /// ending is waited for; after 5 s its shim is killed, which settles it. A life that goes on and whose records are damaged
    /// is ended: nobody could tell whose it is.
    ///
    /// # Errors
    /// [`HostError::File`] if the runtime directory itself cannot be read; [`HostError::NewerRecords`].
    pub async fn survey(&self) -> Result<Vec<Found>, HostError> {
        let mut undecided = self.life_ids().map_err(|source| HostError::File {
            path: self.config().runtime_dir.clone(),
            source,
        })?;
        self.cgroups().tidy(&undecided.iter().copied().collect());
        let mut found = Vec::with_capacity(undecided.len());
        let begun = Instant::now();
        loop {
            let mut waiting = Vec::new();
            for id in undecided {
                let life = self.folder(id);
                match judge(&life)? {
                    Verdict::Found(state) => found.push(Found { id, state }),
                    Verdict::Undecided => waiting.push(id),
                    Verdict::Illegible => {
                        tracing::error!(life.id = %id, "what a process left behind cannot be read: it is ended");
                        signal_shim(&life, libc::SIGUSR1);
                        waiting.push(id);
                    }
                }
            }
            undecided = waiting;
            if undecided.is_empty() {
                return Ok(found);
            }
            if begun.elapsed() > UNDECIDED_TIME_MAX {
                for id in &undecided {
                    tracing::warn!(life.id = %id, "a shim does not come to a decision and is killed");
                    signal_shim(&self.folder(*id), libc::SIGKILL);
                }
            }
            sleep(LOOK).await;
        }
    }

    /// Names what an [`cronfleet_shim::life::End::StartFailed`] of an earlier agent's life was about.
    ///
    /// To be asked before [`Host::forget`]; without the life's spec the answer lacks names.
    #[must_use]
    pub fn start_error(&self, id: Uuid, error: StepError) -> StartError {
        match self.folder(id).spec() {
            Ok(Some(spec)) => StartError::from_step(error, &spec),
            Ok(None) | Err(_) => StartError::Step {
                step: error.step,
                source: io::Error::from_raw_os_error(error.errno),
            },
        }
    }

    /// What the command of a life was told in its environment; nothing where its spec cannot be read.
    #[must_use]
    pub fn environment(&self, id: Uuid) -> BTreeMap<String, String> {
        let spec = self.folder(id).spec().ok().flatten();
        let variables = spec.map(|spec| spec.environment).unwrap_or_default();
        let pairs = variables.into_iter().filter_map(|variable| {
            let text = String::from_utf8(variable).ok()?;
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        pairs.collect()
    }

    fn life_ids(&self) -> io::Result<Vec<Uuid>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.config().runtime_dir)? {
            let name = PathBuf::from(entry?.file_name());
            // Only our own spelling: a folder that was named otherwise would not be found again by its id.
            let id = name.to_str().and_then(|n| Uuid::try_parse(n).ok());
            ids.extend(id.filter(|id| name.to_str() == Some(&id.hyphenated().to_string())));
        }
        Ok(ids)
    }
}

fn judge(life: &LifeFolder) -> Result<Verdict, HostError> {
    let (judged, is_held) = match life.try_lock() {
        Ok(Some(_lock)) => (judge_dead(life).map(Verdict::Found), false),
        Ok(None) => (judge_alive(life), true),
        Err(e) => (Err(e.into()), false),
    };
    match judged {
        Ok(verdict) => Ok(verdict),
        Err(ReadError::Format(FormatError::Version { found })) => Err(HostError::NewerRecords {
            path: life.folder.clone(),
            found,
        }),
        Err(_) if is_held => Ok(Verdict::Illegible),
        Err(error) => Ok(Verdict::Found(FoundState::Unreadable {
            problem: error.to_string(),
        })),
    }
}

/// No shim lives, so the files tell the whole truth.
fn judge_dead(life: &LifeFolder) -> Result<FoundState, ReadError> {
    let started = life.started()?;
    if let Some(exit) = life.exit()? {
        return Ok(FoundState::Ended { exit, started });
    }
    Ok(match started {
        None => FoundState::NeverStarted,
        Some(started) if started.boot_id == boot_id()? => FoundState::Vanished { started },
        Some(started) => FoundState::Rebooted { started },
    })
}

/// A shim lives: it waits for its agent, it is about to start or to leave, or its command runs.
fn judge_alive(life: &LifeFolder) -> Result<Verdict, ReadError> {
    let Some(started) = life.started()? else {
        return Ok(Verdict::Undecided);
    };
    if life.exit()?.is_some() {
        return Ok(Verdict::Undecided);
    }
    let Ok(pidfd) = pidfd::open(started.shim.pid) else {
        return Ok(Verdict::Undecided);
    };
    if !is_running(started.shim) {
        return Ok(Verdict::Undecided);
    }
    let control = LifeControl::new(Arc::new(PidFd::new(pidfd)?));
    let life = Life::adopted(life.clone(), started, control);
    Ok(Verdict::Found(FoundState::Alive(Box::new(life))))
}

fn signal_shim(life: &LifeFolder, signal: libc::c_int) {
    let recorded = life.shim().ok().flatten().map(|record| record.shim);
    let Some(shim) = recorded.or_else(|| orphan::shim_of(&life.folder)) else {
        return;
    };
    if let Ok(pidfd) = pidfd::open(shim.pid)
        && is_running(shim)
    {
        // It may be gone by now.
        let _ = pidfd::signal(&pidfd, signal);
    }
}

/// Whether the number still belongs to the process that was written down.
pub(super) fn is_running(process: ProcessId) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", process.pid))
        .is_ok_and(|stat| start_ticks(&stat) == Some(process.start_ticks))
}

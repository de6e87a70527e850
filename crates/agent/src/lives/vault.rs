//! Values of secrets on an agent: asked for over the link when a process is about to start, kept in memory as long as the agent
//! holds work that needs them, and on a tmpfs so that the next agent has them, too. Never in the ledger, which is on a disk.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cronfleet_core::id::JobId;
use cronfleet_core::run::Reason;
use cronfleet_core::secret::{Given, SecretUse};
use cronfleet_wire::secret::Secret;
use cronfleet_wire::v1::from_agent::Body;
use cronfleet_wire::{convert, v1};
use prost::Message;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::evidence::NotStarted;
use crate::host::LifeSecrets;

/// Values younger than this are not asked for again: those that were fetched ahead of a start at once.
const FRESH: Duration = Duration::from_secs(1);

/// Longest wait for an answer when there is an older value to fall back on.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

/// Longest wait for an answer before asking again.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Folder of the values in the runtime directory.
const FOLDER: &str = "secrets";

/// Whose secrets are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) job: JobId,
    pub(crate) version: u32,
}

/// The values an agent has. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Vault(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Where values outlive the agent; `None` if there is no tmpfs for it.
    folder: Option<PathBuf>,
    /// Values younger than this are not asked for again.
    fresh: Duration,
    /// Where requests go while there is a session.
    link: watch::Sender<Option<Link>>,
    state: Mutex<State>,
}

#[derive(Debug, Clone)]
struct Link(mpsc::WeakSender<v1::FromAgent>);

#[derive(Debug, Default)]
struct State {
    sequence: u64,
    waiting: HashMap<u64, oneshot::Sender<v1::Secrets>>,
    kept: HashMap<JobId, Kept>,
}

/// Values of one job.
#[derive(Debug, Clone)]
struct Kept {
    version: u32,
    values: HashMap<String, Secret>,
    /// When they came from a center; `None` if from an earlier agent.
    at: Option<Instant>,
}

impl Kept {
    fn covers(&self, uses: &[SecretUse]) -> bool {
        uses.iter().all(|used| self.values.contains_key(&used.name))
    }
}

impl Vault {
    /// Takes up what an earlier agent left in the runtime directory; `is_in_memory` says that it is a tmpfs.
    pub(crate) fn open(runtime_dir: &Path, is_in_memory: bool) -> Self {
        Self::with(runtime_dir, is_in_memory, FRESH)
    }

    fn with(runtime_dir: &Path, is_in_memory: bool, fresh: Duration) -> Self {
        let folder = is_in_memory.then(|| runtime_dir.join(FOLDER));
        let kept = folder.as_deref().map(read_all).unwrap_or_default();
        Self(Arc::new(Shared {
            folder,
            fresh,
            link: watch::Sender::new(None),
            state: Mutex::new(State {
                kept,
                ..State::default()
            }),
        }))
    }

    /// A session is up.
    pub(crate) fn connect(&self, out: mpsc::WeakSender<v1::FromAgent>) {
        self.0.link.send_replace(Some(Link(out)));
    }

    /// The session is over: nobody answers any more.
    pub(crate) fn disconnect(&self) {
        self.0.link.send_replace(None);
        self.state().waiting.clear();
    }

    /// A center answers.
    pub(crate) fn answered(&self, answer: v1::Secrets) {
        if let Some(waiting) = self.state().waiting.remove(&answer.sequence) {
            // Who asked may have given up.
            let _ = waiting.send(answer);
        }
    }

    /// Forgets values of jobs that the agent has nothing to do with any more.
    pub(crate) fn retain(&self, is_needed: impl Fn(JobId) -> bool) {
        let mut state = self.state();
        let over: Vec<JobId> = state
            .kept
            .keys()
            .copied()
            .filter(|job| !is_needed(*job))
            .collect();
        for job in over {
            state.kept.remove(&job);
            if let Some(folder) = &self.0.folder {
                let _ = fs::remove_file(file_of(folder, job));
            }
        }
    }

    /// The secrets for a process that is to start: the newest values that can be had until `until`.
    ///
    /// A center that is away is no obstacle as long as the agent has values that a center gave it before.
    ///
    /// # Errors
    /// [`Reason::SecretUnavailable`], with what is missing.
    pub(super) async fn secrets(
        &self,
        wanted: Wanted,
        uses: &[SecretUse],
        until: Instant,
    ) -> Result<LifeSecrets, NotStarted> {
        if uses.is_empty() {
            return Ok(LifeSecrets::default());
        }
        let kept = self.kept(wanted, uses);
        if let Some(kept) = &kept
            && kept.at.is_some_and(|at| at.elapsed() < self.0.fresh)
        {
            return given(uses, &kept.values);
        }
        match self.asked(wanted, kept.is_some(), until).await? {
            Some(values) => given(uses, &values),
            None => match kept {
                Some(kept) => {
                    tracing::warn!(job.id = %wanted.job, "no center answers: secrets are given as they were");
                    given(uses, &kept.values)
                }
                None => Err(unavailable(
                    "no center could be reached in time for the values".to_owned(),
                )),
            },
        }
    }

    /// Fetches values ahead, so that a center that goes away before the start changes nothing.
    pub(crate) async fn fetch(self, wanted: Wanted, uses: Vec<SecretUse>) {
        let until = Instant::now() + ASK_AGAIN;
        if let Err(error) = self.secrets(wanted, &uses, until).await {
            tracing::debug!(job.id = %wanted.job, detail = error.detail, "secrets were not fetched ahead");
        }
    }

    fn kept(&self, wanted: Wanted, uses: &[SecretUse]) -> Option<Kept> {
        let state = self.state();
        let kept = state.kept.get(&wanted.job)?;
        (kept.version == wanted.version && kept.covers(uses)).then(|| kept.clone())
    }

    /// Asks a center until one answers; `None` if none does in time, or soon if there is something to fall back on.
    async fn asked(
        &self,
        wanted: Wanted,
        has_fallback: bool,
        until: Instant,
    ) -> Result<Option<HashMap<String, Secret>>, NotStarted> {
        let until = if has_fallback {
            until.min(Instant::now() + ANSWER_TIME_MAX)
        } else {
            until
        };
        let mut link = self.0.link.subscribe();
        loop {
            let current = link.borrow_and_update().clone();
            let sender = current.and_then(|Link(out)| out.upgrade());
            if sender.is_none() && has_fallback {
                return Ok(None);
            }
            if let Some(sender) = sender
                && let Some(answer) = self.ask(wanted, sender, until).await
            {
                return self.keep(wanted, answer).map(Some);
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            // A new session, or the same one after a while.
            let again = until.min(Instant::now() + ASK_AGAIN);
            if let Ok(Err(_)) = timeout_at(again, link.changed()).await {
                return Ok(None);
            }
        }
    }

    async fn ask(
        &self,
        wanted: Wanted,
        out: mpsc::Sender<v1::FromAgent>,
        until: Instant,
    ) -> Option<v1::Secrets> {
        let (answer, answered) = oneshot::channel();
        let sequence = {
            let mut state = self.state();
            state.sequence += 1;
            let sequence = state.sequence;
            state.waiting.insert(sequence, answer);
            sequence
        };
        let request = v1::SecretsWanted {
            sequence,
            job: convert::id_bytes(wanted.job.as_uuid()),
            job_version: wanted.version,
        };
        let message = v1::FromAgent {
            body: Some(Body::SecretsWanted(request)),
        };
        let until = until.min(Instant::now() + ASK_AGAIN);
        let sent = timeout_at(until, out.send(message)).await;
        // A session is held open by its senders; this one must not.
        drop(out);
        let answer = match sent {
            Ok(Ok(())) => timeout_at(until, answered).await.ok().and_then(Result::ok),
            Ok(Err(_)) | Err(_) => None,
        };
        self.state().waiting.remove(&sequence);
        answer
    }

    fn keep(
        &self,
        wanted: Wanted,
        answer: v1::Secrets,
    ) -> Result<HashMap<String, Secret>, NotStarted> {
        if answer.is_refused {
            return Err(unavailable(
                "the center does not give this agent the secrets of the job".to_owned(),
            ));
        }
        if !answer.missing.is_empty() {
            let names = answer.missing.join(", ");
            return Err(unavailable(format!("the group has no secret {names}")));
        }
        if let Some(folder) = &self.0.folder
            && let Err(error) = write(folder, wanted, &answer)
        {
            tracing::warn!(job.id = %wanted.job, %error, "secrets will not outlive this agent");
        }
        let values = values_of(answer);
        let kept = Kept {
            version: wanted.version,
            values: values.clone(),
            at: Some(Instant::now()),
        };
        self.state().kept.insert(wanted.job, kept);
        Ok(values)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(detail: String) -> NotStarted {
    NotStarted {
        reason: Reason::SecretUnavailable,
        detail,
    }
}

fn given(uses: &[SecretUse], values: &HashMap<String, Secret>) -> Result<LifeSecrets, NotStarted> {
    let mut secrets = LifeSecrets::default();
    for used in uses {
        let Some(value) = values.get(&used.name) else {
            return Err(unavailable(format!(
                "the group has no secret {}",
                used.name
            )));
        };
        match &used.given {
            Given::Environment(name) => secrets.environment.push((name.clone(), value.clone())),
            Given::File(name) => secrets.files.push((name.clone(), value.clone())),
        }
    }
    Ok(secrets)
}

fn values_of(answer: v1::Secrets) -> HashMap<String, Secret> {
    let values = answer.values.into_iter();
    values
        .map(|value| (value.name, Secret::new(value.value.to_vec())))
        .collect()
}

fn file_of(folder: &Path, job: JobId) -> PathBuf {
    folder.join(job.as_uuid().hyphenated().to_string())
}

/// Keeps an answer for the next agent; the job's version stands in place of the request's number.
fn write(folder: &Path, wanted: Wanted, answer: &v1::Secrets) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut answer = answer.clone();
    answer.sequence = wanted.version.into();
    let bytes = Zeroizing::new(answer.encode_to_vec());
    let path = file_of(folder, wanted.job);
    let unfinished = path.with_extension("new");
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(&bytes)?;
    fs::rename(unfinished, path)
}

/// What an earlier agent kept. What cannot be read is asked for again.
fn read_all(folder: &Path) -> HashMap<JobId, Kept> {
    let mut kept = HashMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let job = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(job) = job.map(|id: Uuid| JobId::from_uuid(id)) else {
            continue;
        };
        let Ok(bytes) = fs::read(entry.path()).map(Zeroizing::new) else {
            continue;
        };
        let Ok(answer) = v1::Secrets::decode(bytes.as_slice()) else {
            continue;
        };
        let version = u32::try_from(answer.sequence).unwrap_or(0);
        let values = values_of(answer);
        kept.insert(
            job,
            Kept {
                version,
                values,
                at: None,
            },
        );
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted {
        job: JobId::from_u128(7),
        version: 3,
    };

    fn uses() -> Vec<SecretUse> {
        vec![SecretUse {
            name: "db".into(),
            given: Given::Environment("DB".into()),
        }]
    }

    fn answer(sequence: u64, value: &str) -> v1::Secrets {
        v1::Secrets {
            sequence,
            values: vec![v1::SecretValue {
                name: "db".into(),
                value: value.as_bytes().to_vec().into(),
                version: 1,
            }],
            ..v1::Secrets::default()
        }
    }

    /// Answers the next request.
    async fn serve(vault: &Vault, requests: &mut mpsc::Receiver<v1::FromAgent>, value: &str) {
        let Some(Body::SecretsWanted(request)) = requests.recv().await.unwrap().body else {
            panic!("another message");
        };
        assert_eq!((request.job_version, request.job.len()), (3, 16));
        vault.answered(answer(request.sequence, value));
    }

    fn value(secrets: &LifeSecrets) -> &str {
        str::from_utf8(secrets.environment[0].1.expose()).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    /// For what will not come.
    fn at_once() -> Instant {
        Instant::now() + Duration::from_millis(100)
    }

    #[tokio::test]
    async fn a_value_is_asked_for_and_survives_the_agent_and_the_center() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::with(dir.path(), true, Duration::from_secs(3_600));
        let (out, mut requests) = mpsc::channel(4);
        vault.connect(out.downgrade());
        let uses = uses();
        let (got, ()) = tokio::join!(
            vault.secrets(WANTED, &uses, soon()),
            serve(&vault, &mut requests, "first")
        );
        assert_eq!(value(&got.unwrap()), "first");
        // Fresh: not asked for again.
        assert_eq!(
            value(&vault.secrets(WANTED, &uses, soon()).await.unwrap()),
            "first"
        );
        // What an earlier agent got is asked for again.
        let vault = Vault::open(dir.path(), true);
        vault.connect(out.downgrade());
        let (got, ()) = tokio::join!(
            vault.secrets(WANTED, &uses, soon()),
            serve(&vault, &mut requests, "second")
        );
        assert_eq!(value(&got.unwrap()), "second");
        // A new agent without a center.
        let next = Vault::open(dir.path(), true);
        assert_eq!(
            value(&next.secrets(WANTED, &uses, soon()).await.unwrap()),
            "second"
        );
        next.retain(|_| false);
        let later = Vault::open(dir.path(), true);
        let failed = later.secrets(WANTED, &uses, at_once()).await.unwrap_err();
        assert_eq!(failed.reason, Reason::SecretUnavailable);
        assert!(!format!("{vault:?} {next:?}").contains("second"));
    }

    #[tokio::test]
    async fn without_a_center_a_start_waits_and_fails_clearly() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), false);
        let uses = uses();
        let until = at_once();
        let failed = vault.secrets(WANTED, &uses, until).await.unwrap_err();
        assert!(Instant::now() >= until);
        assert_eq!(failed.reason, Reason::SecretUnavailable);
        let (out, mut requests) = mpsc::channel(4);
        let late = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            vault.connect(out.downgrade());
            serve(&vault, &mut requests, "late").await;
        };
        let (got, ()) = tokio::join!(vault.secrets(WANTED, &uses, soon()), late);
        assert_eq!(value(&got.unwrap()), "late");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            0,
            "nothing on a disk"
        );
    }

    #[tokio::test]
    async fn what_the_group_does_not_have_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), false);
        let (out, mut requests) = mpsc::channel(4);
        vault.connect(out.downgrade());
        let refuse = async {
            let Some(Body::SecretsWanted(request)) = requests.recv().await.unwrap().body else {
                panic!("another message");
            };
            vault.answered(v1::Secrets {
                sequence: request.sequence,
                missing: vec!["db".into()],
                ..v1::Secrets::default()
            });
        };
        let uses = uses();
        let (got, ()) = tokio::join!(vault.secrets(WANTED, &uses, soon()), refuse);
        assert_eq!(got.unwrap_err().detail, "the group has no secret db");
    }
}

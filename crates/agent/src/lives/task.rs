//! The task of one life: prepares it, waits for the word to go, and tells what happens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cronfleet_core::id::LifeId;
use cronfleet_core::order::ProbeKind;
use cronfleet_core::run::Reason;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::evidence::NotStarted;
use super::launch::{Launcher, Purpose};
use super::places::Place;
use crate::host::{
    Armed, Change, Ended, ExitRecord, Host, HostError, Life, LifeControl, StartError, StartedRecord,
};

/// Waits between attempts to prepare a life while the machine is short of something.
const RETRIES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(400)];

/// Something that happened to a life.
#[derive(Debug)]
pub(crate) struct LifeEvent {
    /// The life.
    pub(crate) life: LifeId,
    /// What happened.
    pub(crate) news: News,
}

/// What happened to a life. All but [`News::Armed`], [`News::Started`], [`News::Output`], [`News::Probed`] and [`News::Measured`]
/// are the last news of it.
#[derive(Debug)]
pub(crate) enum News {
    /// It is prepared.
    Armed,
    /// Its command runs.
    Started(Box<StartedRecord>, LifeControl),
    /// Its spool has grown.
    Output,
    /// It answered a probe; `Err` says what was wrong.
    Probed(ProbeKind, Result<(), String>),
    /// Memory that it and its descendants use, in bytes.
    Measured(u64),
    /// It could not be prepared; nothing of it is left, unless it exists already.
    ArmFailed(NotStarted),
    /// Its command could not be executed.
    StartFailed(NotStarted),
    /// Its shim is gone, and its command was never released.
    NeverStarted,
    /// It was let go of before its command was released; nothing of it is left.
    LetGo,
    /// Its command ended.
    Ended(Box<StartedRecord>, Box<ExitRecord>),
    /// Its shim is gone without a word; its command may have run.
    Vanished(Option<Box<StartedRecord>>),
}

/// What the loop wants of a prepared life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Wait,
    Go,
    LetGo,
}

/// Whether a life has told of output that nobody has read since.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutputFlag(Arc<AtomicBool>);

impl OutputFlag {
    /// Says that reading begins: later output is news again.
    pub(crate) fn clear(&self) {
        self.0.store(false, Ordering::Release);
    }

    fn raise(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// The loop's end of a life. Dropping it lets go of a life that is not released, and changes nothing for others.
#[derive(Debug)]
pub(crate) struct LifeHandle {
    wish: watch::Sender<Wish>,
    /// Present once the command runs.
    pub(crate) control: Option<LifeControl>,
    /// Number of the shim, once the command runs.
    pub(crate) shim_pid: Option<i32>,
    /// Shared with the life's task.
    pub(crate) output: OutputFlag,
    /// Whether its output is kept.
    pub(crate) is_output_stored: bool,
}

impl LifeHandle {
    /// Releases the command, now or as soon as it is prepared.
    pub(crate) fn go(&self) {
        self.wish.send_replace(Wish::Go);
    }

    /// Lets go of a life whose command is not released yet.
    pub(crate) fn let_go(&self) {
        self.wish.send_replace(Wish::LetGo);
    }
}

/// A handle and the task that belongs to it, for a life to be prepared.
pub(crate) fn launch(
    launcher: Launcher,
    purpose: Purpose,
    events: mpsc::Sender<LifeEvent>,
) -> (LifeHandle, impl Future<Output = ()> + Send + 'static) {
    let (handle, wishes) = handle(purpose.launch().output.is_stored);
    let task = Task {
        life: purpose.life(),
        events,
        output: handle.output.clone(),
    };
    (handle, task.launch(launcher, purpose, wishes))
}

/// A handle and the task that belongs to it, for a life that was found running.
pub(crate) fn watch(
    host: Host,
    life: Life,
    place: Option<Place>,
    is_output_stored: bool,
    events: mpsc::Sender<LifeEvent>,
) -> (LifeHandle, impl Future<Output = ()> + Send + 'static) {
    let (mut handle, _) = handle(is_output_stored);
    handle.control = Some(life.control());
    handle.shim_pid = Some(life.started().shim.pid);
    let id = LifeId::from_uuid(life.id());
    let task = Task {
        life: id,
        events,
        output: handle.output.clone(),
    };
    let watched = async move {
        let _place = place;
        task.watch(life, host).await;
    };
    (handle, watched)
}

fn handle(is_output_stored: bool) -> (LifeHandle, watch::Receiver<Wish>) {
    let (wish, wishes) = watch::channel(Wish::Wait);
    (
        LifeHandle {
            wish,
            control: None,
            shim_pid: None,
            output: OutputFlag::default(),
            is_output_stored,
        },
        wishes,
    )
}

struct Task {
    life: LifeId,
    events: mpsc::Sender<LifeEvent>,
    output: OutputFlag,
}

impl Task {
    async fn launch(self, launcher: Launcher, purpose: Purpose, mut wishes: watch::Receiver<Wish>) {
        let armed = match self.arm(&launcher, &purpose, &wishes).await {
            Ok(armed) => armed,
            Err(news) => return self.tell(news).await,
        };
        drop(purpose);
        if *wishes.borrow() == Wish::Wait {
            self.tell(News::Armed).await;
        }
        let armed = match self.released(armed, &mut wishes, &launcher.host).await {
            Ok(armed) => armed,
            Err(news) => return self.tell(news).await,
        };
        let Some(_place) = self.place(&launcher) else {
            armed.abandon().await;
            self.remove(&launcher.host).await;
            return self.tell(News::StartFailed(no_place(&launcher))).await;
        };
        match armed.go().await {
            Ok(life) => {
                let started = Box::new(life.started().clone());
                self.tell(News::Started(started, life.control())).await;
                self.watch(life, launcher.host).await;
            }
            Err(error) => {
                let news = start_news(error);
                self.settle(&launcher.host, &news).await;
                self.tell(news).await;
            }
        }
    }

    /// Takes a place among the processes that the policy lets run at the same time.
    fn place(&self, launcher: &Launcher) -> Option<Place> {
        let most = launcher.policy.in_force().policy.caps.processes;
        launcher.places.take(most)
    }

    /// Prepares the life, again after a moment if the machine was short of something.
    async fn arm(
        &self,
        launcher: &Launcher,
        purpose: &Purpose,
        wishes: &watch::Receiver<Wish>,
    ) -> Result<Armed, News> {
        let mut let_go = wishes.clone();
        // What the launch needs may have to be waited for; nobody waits who is not wanted any more.
        let spec = tokio::select! {
            spec = launcher.spec(purpose) => spec.map_err(News::ArmFailed)?,
            _ = let_go.wait_for(|wish| *wish == Wish::LetGo) => return Err(News::LetGo),
        };
        let id = self.life.as_uuid();
        let mut retries = RETRIES.iter();
        loop {
            let error = match launcher.host.arm(id, &spec).await {
                Ok(armed) => return Ok(armed),
                Err(error) => error,
            };
            if !matches!(error, StartError::AlreadyExists { .. }) {
                self.remove(&launcher.host).await;
            }
            match retries.next().filter(|_| error.is_passing()) {
                Some(wait) => {
                    tracing::debug!(life.id = %self.life, %error, "preparing a process again");
                    sleep(*wait).await;
                }
                None => return Err(News::ArmFailed(NotStarted::from(&error))),
            }
            if *wishes.borrow() == Wish::LetGo {
                return Err(News::LetGo);
            }
        }
    }

    /// Waits for the word to go.
    async fn released(
        &self,
        mut armed: Armed,
        wishes: &mut watch::Receiver<Wish>,
        host: &Host,
    ) -> Result<Armed, News> {
        let spoken = async {
            wishes
                .wait_for(|wish| *wish != Wish::Wait)
                .await
                .map_or(Wish::LetGo, |wish| *wish)
        };
        let wish = tokio::select! {
            wish = spoken => wish,
            error = armed.lost() => {
                tracing::warn!(life.id = %self.life, %error, "a prepared process was lost");
                self.remove(host).await;
                return Err(News::NeverStarted);
            }
        };
        if wish == Wish::Go {
            return Ok(armed);
        }
        armed.abandon().await;
        self.remove(host).await;
        Err(News::LetGo)
    }

    async fn watch(self, mut life: Life, host: Host) {
        let ended = loop {
            match life.changed().await {
                Ok(Change::Output) => {
                    if self.output.raise() {
                        self.tell(News::Output).await;
                    }
                }
                Ok(Change::Ended(ended)) => break ended,
                Err(error) => {
                    tracing::error!(life.id = %self.life, %error, "a process is lost from sight");
                    break Ended::Vanished;
                }
            }
        };
        let started = Box::new(life.started().clone());
        let news = match ended {
            Ended::Exit(exit) => News::Ended(started, Box::new(exit)),
            Ended::Vanished => News::Vanished(Some(started)),
        };
        self.settle(&host, &news).await;
        self.tell(news).await;
    }

    /// Makes the last news true: nothing is left of what never ran, nothing of what is lost is alive.
    async fn settle(&self, host: &Host, news: &News) {
        match news {
            News::NeverStarted | News::StartFailed(_) => self.remove(host).await,
            News::Vanished(Some(started)) => kill_orphans(host, started).await,
            _ => {}
        }
    }

    async fn remove(&self, host: &Host) {
        if let Err(error) = remove(host, self.life).await {
            tracing::warn!(life.id = %self.life, %error, "what is left of a process cannot be removed");
        }
    }

    async fn tell(&self, news: News) {
        // Without a loop nobody is left to tell.
        let _ = self
            .events
            .send(LifeEvent {
                life: self.life,
                news,
            })
            .await;
    }
}

/// Removes what is left of a life that never ran. The spool first: as long as the folder is there, a later agent knows of it.
///
/// # Errors
/// [`HostError`].
pub(crate) async fn remove(host: &Host, life: LifeId) -> Result<(), HostError> {
    host.forget_output(life.as_uuid())?;
    host.forget(life.as_uuid()).await
}

/// Kills what a shim that is gone has left alive.
pub(crate) async fn kill_orphans(host: &Host, started: &StartedRecord) {
    let left = host.kill_orphans(started).await;
    if left > 0 {
        tracing::error!(
            process.pid = started.process.pid,
            left,
            "processes without a shim cannot be killed"
        );
    }
}

/// Says that too many processes run, and counts it.
fn no_place(launcher: &Launcher) -> NotStarted {
    let most = launcher.policy.in_force().policy.caps.processes;
    let detail = format!(
        "caps.processes: {} processes run already",
        most.unwrap_or(0)
    );
    launcher.policy.refused(&detail);
    NotStarted {
        reason: Reason::AgentFull,
        detail,
    }
}

/// What an error after the word to go means.
fn start_news(error: StartError) -> News {
    match error {
        StartError::ShimVanished {
            started: Some(started),
        } => News::Vanished(Some(started)),
        StartError::ShimVanished { started: None } | StartError::Slow => News::NeverStarted,
        // What the shim wrote cannot be read, so that the command may have run.
        StartError::Record { .. } | StartError::File { .. } => News::Vanished(None),
        error => News::StartFailed(NotStarted::from(&error)),
    }
}

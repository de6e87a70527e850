//! Asking a daemon process how it is.
//!
//! A command runs the way of every other life: as the job's user, below a shim, within what the agent allows. It is nobody's
//! slot: an agent that dies meanwhile finds it after its restart, knows it not, and kills it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cronfleet_core::id::{LifeId, ProcessId};
use cronfleet_core::job::{Check, Command, Endpoint, OutputPolicy, Probe};
use cronfleet_core::limits::Stragglers;
use cronfleet_core::order::{DaemonOrder, ProbeKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::launch::{Launcher, Purpose};
use super::task::{LifeEvent, News, remove};
use crate::error::chain;
use crate::host::{End, Ended, ExitRecord, Life, LifeControl};

/// Bytes of an HTTP answer that are looked at: more than any status line needs.
const ANSWER_MAX: usize = 1_024;

/// Characters of what is said about a bad answer.
const DETAIL_MAX: usize = 200;

/// Output of a probe's command is not kept, and a definition must name a cap.
const OUTPUT_CAP_BYTES: u64 = 4_096;

/// A question to a daemon process.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// What is wanted of its job.
    pub(crate) order: Arc<DaemonOrder>,
    /// The process.
    pub(crate) process: ProcessId,
    /// Its slot.
    pub(crate) index: u32,
    /// What the question is for.
    pub(crate) kind: ProbeKind,
    /// The process's number.
    pub(crate) pid: i32,
    /// The life of the command, if one is run: a random id, as those of daemon processes are.
    pub(crate) command: LifeId,
}

/// Puts a question as soon as there is room for one more, and tells the answer as news of the process's life.
pub(crate) async fn probe(launcher: Launcher, question: Question, events: mpsc::Sender<LifeEvent>) {
    let answer = match question.probe() {
        Some(probe) => ask(&launcher, &question, probe).await,
        // The job has just dropped the probe.
        None => Ok(()),
    };
    let answer = answer.map_err(|detail| detail.chars().take(DETAIL_MAX).collect());
    let event = LifeEvent {
        life: question.process.into(),
        news: News::Probed(question.kind, answer),
    };
    // Without a loop nobody is left to tell.
    let _ = events.send(event).await;
}

impl Question {
    fn probe(&self) -> Option<&Probe> {
        let policy = &self.order.policy;
        match self.kind {
            ProbeKind::Readiness => policy.readiness.as_ref().map(|readiness| &readiness.probe),
            ProbeKind::Health => policy.health.as_ref().map(|health| &health.probe),
        }
    }

    fn address(&self, endpoint: &Endpoint) -> SocketAddr {
        SocketAddr::new(endpoint.address, endpoint.port_of(self.index))
    }
}

async fn ask(launcher: &Launcher, question: &Question, probe: &Probe) -> Result<(), String> {
    // The semaphore is never closed; were it, asking without a permit would still be right.
    let _permit = launcher.probes.acquire().await;
    let limit = probe.timeout;
    let asked = async {
        match &probe.check {
            Check::Command(argv) => return run(launcher, question, argv, limit).await,
            Check::Tcp(endpoint) => connect(question.address(endpoint)).await.map(|_| ()),
            Check::Http {
                endpoint,
                path,
                status,
            } => get(question.address(endpoint), path, *status).await,
        }
    };
    // A command sees to its limit itself, for it has to be killed and buried then.
    let patience = match &probe.check {
        Check::Command(_) => limit.saturating_add(BURIAL_TIME_MAX),
        Check::Tcp(_) | Check::Http { .. } => limit,
    };
    timeout(patience, asked)
        .await
        .unwrap_or_else(|_| Err(no_answer(limit)))
}

fn no_answer(limit: Duration) -> String {
    format!("no answer within {} ms", limit.as_millis())
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    TcpStream::connect(address)
        .await
        .map_err(|error| format!("{address}: {error}"))
}

async fn get(address: SocketAddr, path: &str, expected: Option<u16>) -> Result<(), String> {
    let mut stream = connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: cronfleet\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    let failed = |error: std::io::Error| format!("{address}: {error}");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::with_capacity(ANSWER_MAX);
    let mut head = stream.take(ANSWER_MAX as u64);
    while !answer.contains(&b'\n') {
        if head.read_buf(&mut answer).await.map_err(failed)? == 0 {
            break;
        }
    }
    let status = status_of(&answer).ok_or_else(|| format!("{address}: no HTTP answer"))?;
    let is_good = expected.map_or((200..400).contains(&status), |expected| status == expected);
    is_good
        .then_some(())
        .ok_or_else(|| format!("status {status}"))
}

/// The status in the first line of an HTTP/1 answer.
fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.trim_end().split(' ');
    words
        .next()
        .filter(|version| version.starts_with("HTTP/1."))?;
    let status = words.next()?;
    (status.len() == 3).then(|| status.parse().ok()).flatten()
}

/// Longest wait for what a killed command leaves behind.
const BURIAL_TIME_MAX: Duration = Duration::from_secs(10);

async fn run(
    launcher: &Launcher,
    question: &Question,
    argv: &[String],
    limit: Duration,
) -> Result<(), String> {
    let id = question.command;
    let mut launch = Box::new(question.order.launch.clone());
    launch.command = Command::Argv(argv.to_vec());
    launch.stragglers = Stragglers::Kill;
    launch.output = OutputPolicy {
        is_stored: false,
        cap_bytes: OUTPUT_CAP_BYTES,
        when_full: Default::default(),
    };
    let purpose = Purpose::Probe {
        life: id,
        order: Arc::clone(&question.order),
        process: question.process,
        index: question.index,
        pid: question.pid,
        launch,
    };
    let answer = answer_of(launcher, &purpose, limit).await;
    if let Err(error) = remove(&launcher.host, id).await {
        tracing::warn!(life.id = %id, %error, "what is left of a probe cannot be removed");
    }
    answer
}

async fn answer_of(launcher: &Launcher, purpose: &Purpose, limit: Duration) -> Result<(), String> {
    let spec = launcher
        .spec(purpose)
        .await
        .map_err(|failed| format!("{}: {}", failed.reason.word(), failed.detail))?;
    let id = purpose.life().as_uuid();
    let armed = launcher
        .host
        .arm(id, &spec)
        .await
        .map_err(|error| chain(&error))?;
    let mut life = armed.go().await.map_err(|error| chain(&error))?;
    let guard = KilledOnDrop(life.control());
    match timeout(limit, life.wait()).await {
        Ok(Ok(ended)) => verdict(&ended),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => {
            drop(guard);
            bury(&mut life).await;
            Err(no_answer(limit))
        }
    }
}

/// Waits for the end of a command that was killed, so that its folder can go.
async fn bury(life: &mut Life) {
    if timeout(BURIAL_TIME_MAX, life.wait()).await.is_err() {
        tracing::warn!(
            process.pid = life.pid(),
            "the command of a probe cannot be killed"
        );
    }
}

fn verdict(ended: &Ended) -> Result<(), String> {
    match ended {
        Ended::Exit(ExitRecord { end, .. }) => match end {
            End::Exited { code: 0 } => Ok(()),
            End::Exited { code } => Err(format!("exit {code}")),
            End::Signalled { signal, .. } => Err(format!("signal {signal}")),
            End::StartFailed(_) | End::NeverStarted => Err("could not be started".to_owned()),
        },
        Ended::Vanished => Err("lost".to_owned()),
    }
}

/// A probe's command does not outlive its probe.
struct KilledOnDrop(LifeControl);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill_all() {
            tracing::warn!(%error, "the command of a probe cannot be killed");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn the_status_is_in_the_first_line() {
        let cases: [(&[u8], Option<u16>); 6] = [
            (b"HTTP/1.1 200 OK\r\nX: y\r\n", Some(200)),
            (b"HTTP/1.0 503\r\n", Some(503)),
            (b"HTTP/1.1 20", None),
            (b"HTTP/2 200\r\n", None),
            (b"SSH-2.0-OpenSSH_9\r\n", None),
            (b"\xff\xfe\n", None),
        ];
        for (answer, status) in cases {
            assert_eq!(status_of(answer), status, "{}", answer.escape_ascii());
        }
    }

    /// Answers the first connection with these bytes.
    async fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:"));
            stream.write_all(answer).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn http_answers_are_judged_by_their_status() {
        let ok = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(get(server(ok).await, "/healthz", None).await, Ok(()));
        assert_eq!(get(server(ok).await, "/healthz", Some(204)).await, Ok(()));
        let other = get(server(ok).await, "/healthz", Some(200)).await;
        assert_eq!(other, Err("status 204".to_owned()));
        let ill = get(server(b"HTTP/1.1 503 x\r\n\r\n").await, "/healthz", None).await;
        assert_eq!(ill, Err("status 503".to_owned()));
        let noise = get(server(&[b'x'; 5_000]).await, "/healthz", None).await;
        assert!(noise.unwrap_err().contains("no HTTP answer"));
    }

    #[tokio::test]
    async fn nobody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert!(connect(address).await.is_ok());
        drop(listener);
        assert!(connect(address).await.unwrap_err().contains("refused"));
    }
}

//! An agent under test, in this process or in one of its own that can be killed.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cronfleet_agent::policy::PolicySource;
use cronfleet_agent::{Agent, AgentError, AgentHandle, Config, OnStop, join};
use cronfleet_core::backoff::Backoff;
use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::job::{Command as JobCommand, DaemonSpec, Launch, Overlap, StopPolicy};
use cronfleet_core::order::{DaemonOrder, Order, RestartCounts};
use cronfleet_core::run::RunKey;
use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::center::{PATIENCE, TestCenter};

/// A center, a directory, and whatever agent is there.
pub(crate) struct Rig {
    pub(crate) center: TestCenter,
    pub(crate) dir: tempfile::TempDir,
    /// In memory, as in production.
    run: tempfile::TempDir,
}

impl Rig {
    /// A center, and an agent's directory that has joined it.
    pub(crate) async fn new() -> Self {
        let center = TestCenter::start().await;
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("agent");
        join(
            std::slice::from_ref(&center.address),
            &center.token,
            &data_dir,
        )
        .await
        .unwrap();
        Self::of(center, dir)
    }

    /// With a directory that has joined already.
    pub(crate) fn of(center: TestCenter, dir: tempfile::TempDir) -> Self {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        Self {
            center,
            dir,
            run: tempfile::tempdir_in(place).unwrap(),
        }
    }

    pub(crate) fn runtime_dir(&self) -> PathBuf {
        self.run.path().join("run")
    }

    /// Folder of a run while it lives.
    pub(crate) fn life(&self, run: RunId) -> PathBuf {
        self.runtime_dir().join(run.to_string())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn config(&self) -> Config {
        config(self.dir.path(), &self.runtime_dir())
    }

    /// Starts an agent in this process.
    pub(crate) fn agent(&self) -> RunningAgent {
        RunningAgent::start(self.config())
    }

    /// Starts an agent in a process of its own.
    pub(crate) fn child(&self) -> ChildAgent {
        ChildAgent::start(self.dir.path(), &self.runtime_dir())
    }

    /// Lines of a file that processes append to; none if it is not there.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often each run has left its stamp.
    pub(crate) fn stamps(&self) -> HashMap<RunId, u32> {
        let mut stamps = HashMap::new();
        for line in self.lines("stamps") {
            *stamps.entry(line.parse().unwrap()).or_default() += 1;
        }
        stamps
    }

    /// A launch of a shell script that first leaves a stamp with its run's id.
    pub(crate) fn stamped(&self, script: &str) -> Launch {
        let stamps = self.path("stamps");
        launch(&format!(
            "echo \"$CRONFLEET_RUN_ID\" >> {}\n{script}",
            stamps.display()
        ))
    }
}

impl Rig {
    /// Ends everything that agents have left, the shims first, and empties the memory: what a restart of the machine does.
    pub(crate) fn reboot(&self) {
        let shims = self.shims();
        let commands: Vec<i32> = shims.iter().flat_map(|shim| children(*shim)).collect();
        for pid in shims.into_iter().chain(commands) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        fs::remove_dir_all(self.runtime_dir()).unwrap();
    }

    /// Shims that name our directory.
    fn shims(&self) -> Vec<i32> {
        let mine = self.run.path().to_str().unwrap().as_bytes();
        let is_mine = |entry: &fs::DirEntry| {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            command.windows(14).any(|w| w == b"cronfleet-shim")
                && command.windows(mine.len()).any(|w| w == mine)
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter(is_mine)
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }
}

fn children(pid: i32) -> Vec<i32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed
        .split_ascii_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// Only processes whose shim names our directory are touched.
impl Drop for Rig {
    fn drop(&mut self) {
        for pid in self.shims() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGUSR1);
        }
    }
}

fn config(dir: &Path, runtime_dir: &Path) -> Config {
    let mut config = Config::new(dir.join("agent"), shim());
    config.runtime_dir = Some(runtime_dir.to_owned());
    let policy = dir.join("policy.toml");
    if !policy.exists() {
        write_policy(&policy, OPEN_POLICY);
    }
    config.policy = PolicySource::Required(policy);
    config
}

/// Lets whoever runs the tests run everything.
const OPEN_POLICY: &str = "version = 1
[run_as]
min_uid = 0
deny_root = false
deny_groups = []
[exec]
privileges = true
";

/// Writes a policy file as an administrator would have it.
pub(crate) fn write_policy(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

/// An agent in this process.
pub(crate) struct RunningAgent {
    pub(crate) handle: AgentHandle,
    stop: CancellationToken,
    task: JoinHandle<Result<(), AgentError>>,
}

impl RunningAgent {
    pub(crate) fn start(config: Config) -> Self {
        let stop = CancellationToken::new();
        let agent = Agent::open(config).unwrap();
        let handle = agent.handle();
        let task = tokio::spawn(agent.run(stop.clone()));
        Self { handle, stop, task }
    }

    /// Stops it as its configuration says.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

const CHILD_DIR: &str = "CRONFLEET_TEST_AGENT_DIR";
const CHILD_RUNTIME_DIR: &str = "CRONFLEET_TEST_AGENT_RUNTIME_DIR";

/// An agent in a process of its own.
pub(crate) struct ChildAgent(Child);

impl ChildAgent {
    fn start(dir: &Path, runtime_dir: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "rig::agent_in_a_process_of_its_own",
                "--exact",
                "--nocapture",
            ])
            .env(CHILD_DIR, dir)
            .env(CHILD_RUNTIME_DIR, runtime_dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it the hard way.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for ChildAgent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test: what a [`ChildAgent`] runs. Without its environment it does nothing.
#[test]
fn agent_in_a_process_of_its_own() {
    let (Some(dir), Some(runtime_dir)) = (
        std::env::var_os(CHILD_DIR),
        std::env::var_os(CHILD_RUNTIME_DIR),
    ) else {
        return;
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env(
            "CRONFLEET_TEST_LOG",
        ))
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let agent = Agent::open(config(Path::new(&dir), Path::new(&runtime_dir))).unwrap();
        agent.run(CancellationToken::new()).await.unwrap();
    });
}

/// A launch of a shell script as whoever runs the tests.
pub(crate) fn launch(script: &str) -> Launch {
    let user = User::from_uid(Uid::effective()).unwrap().unwrap();
    let command = JobCommand::Script {
        interpreter: vec!["/bin/sh".into()],
        text: script.into(),
    };
    Launch {
        directory: Some("/".into()),
        stop: StopPolicy {
            grace: Duration::from_secs(5),
            ..StopPolicy::default()
        },
        ..Launch::new(command, user.name)
    }
}

/// An order of a job of its own, due at an instant.
pub(crate) fn order(launch: Launch, due: Timestamp) -> Order {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let job = JobId::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)));
    let key = RunKey {
        job,
        job_version: 1,
        due,
        agent: AgentId::from_u128(0xa6e7),
        copy: 0,
        attempt: 1,
        trigger: String::new(),
    };
    Order {
        run: key.id(),
        job,
        job_name: "test".into(),
        job_version: 1,
        copy: 0,
        copies: 1,
        attempt: 1,
        due,
        jitter: Duration::ZERO,
        not_before: due,
        not_after: due + Duration::from_secs(60),
        is_offer: false,
        overlap: Overlap::Forbid,
        timeout: None,
        launch,
    }
}

/// A daemon job that is restarted fast.
pub(crate) fn daemon(script: &str, processes: u32) -> DaemonOrder {
    DaemonOrder {
        job: JobId::from_u128(0xdae),
        job_name: "worker".into(),
        job_version: 1,
        processes,
        policy: DaemonSpec {
            start_period: Duration::from_millis(100),
            backoff: Backoff {
                initial: Duration::from_millis(100),
                max: Duration::from_secs(2),
            },
            crash_loop_failures: 3,
            ..DaemonSpec::default()
        },
        launch: launch(script),
        restarts: Some(RestartCounts::default()),
    }
}

/// Whether a process exists and is not merely waiting to be reaped.
pub(crate) fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

/// Waits for something that nobody announces.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An agent that stops its processes when it is stopped.
pub(crate) fn stopping(mut config: Config) -> Config {
    config.on_stop = OnStop::Stop;
    config
}

/// Path of the shim: the one that `CRONFLEET_SHIM` names, or the one beside the tests, built now.
pub(crate) fn shim() -> PathBuf {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        if let Some(named) = std::env::var_os("CRONFLEET_SHIM") {
            return named.into();
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "cronfleet-shim"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../shim"))
            .status()
            .unwrap();
        assert!(built.success(), "the shim cannot be built");
        let target = std::env::current_exe().unwrap();
        target.ancestors().nth(2).unwrap().join("cronfleet-shim")
    })
    .clone()
}

//! A host in temporary directories, and short ways to run a command on it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use cronfleet_agent::host::{
    CgroupUse, Change, Ended, ExitRecord, Host, HostConfig, Life, LifeCommand, LifeSpec,
    OutputReader, RunUser, StartError, Stream, decode_frames, resolve_user,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Temporary directories and the host that works in them.
pub(crate) struct Rig {
    pub(crate) host: Host,
    pub(crate) dir: TestDir,
}

/// A temporary directory that other users can pass through, as they can through `/run`. Takes with it whatever a
/// failed test has left running.
pub(crate) struct TestDir(TempDir);

impl TestDir {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("cronfleet-test-")
            .tempdir_in("/dev/shm")
            .unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: ExitRecord,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) gaps: Vec<(u64, u64)>,
}

impl Run {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::over(TestDir::new())
    }

    /// With whatever control groups there are, and without any: what holds must hold with both.
    pub(crate) fn with_and_without_cgroups() -> [Self; 2] {
        [CgroupUse::Own, CgroupUse::Off].map(|cgroups| Self::using(TestDir::new(), cgroups))
    }

    /// Opens a host in a directory that may have been another's.
    pub(crate) fn over(dir: TestDir) -> Self {
        Self::using(dir, CgroupUse::Own)
    }

    fn using(dir: TestDir, cgroups: CgroupUse) -> Self {
        let config = HostConfig {
            cgroups,
            ..config(dir.path())
        };
        let host = Host::open(config).unwrap();
        Self { host, dir }
    }

    /// Drops the host and opens it again, as a new agent would.
    pub(crate) fn restarted(self) -> Self {
        let Self { host, dir } = self;
        let cgroups = host.config().cgroups.clone();
        drop(host);
        Self::using(dir, cgroups)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn folder(&self, id: Uuid) -> PathBuf {
        self.path("run").join(id.to_string())
    }

    pub(crate) async fn start(&self, spec: &LifeSpec) -> Result<Life, StartError> {
        self.host.arm(new_id(), spec).await?.go().await
    }

    /// Runs to the end and collects everything.
    pub(crate) async fn run(&self, spec: &LifeSpec) -> Run {
        let mut life = self.start(spec).await.unwrap();
        finish(&mut life).await
    }

    pub(crate) async fn sh(&self, script: &str) -> Run {
        self.run(&sh(script)).await
    }

    /// A script that leaves somebody behind in a session of its own, who has written his number by then, and goes on.
    pub(crate) fn leaving(&self, escapee: &str, after: &str) -> LifeSpec {
        let up = self.path("up");
        let up = up.display();
        sh(&format!(
            "setsid sh -c 'echo $$; touch {up}; {escapee}' & while ! [ -e {up} ]; do sleep 0.01; done; {after}"
        ))
    }

    /// Waits until a file exists.
    pub(crate) async fn file(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        until("a file appears", || path.exists()).await;
        path
    }
}

pub(crate) fn config(dir: &Path) -> HostConfig {
    HostConfig {
        runtime_dir: dir.join("run"),
        spool_dir: dir.join("spool"),
        shim: shim(),
        cgroups: CgroupUse::Own,
    }
}

/// Only processes whose shim names our directory are touched.
impl Drop for TestDir {
    fn drop(&mut self) {
        let mine = self.path().to_str().unwrap().as_bytes();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(command) = fs::read(entry.path().join("cmdline")) else {
                continue;
            };
            let is_shim = command.windows(14).any(|w| w == b"cronfleet-shim");
            if is_shim && command.windows(mine.len()).any(|w| w == mine) {
                let pid = entry.file_name();
                let _ = Command::new("kill").arg("-USR1").arg(&pid).status();
            }
        }
        remove_groups(&self.path().join("run"));
    }
}

/// Removes the control groups of the host that worked in a runtime directory, as soon as nobody is left in them.
fn remove_groups(runtime_dir: &Path) {
    let digest = Sha256::digest(runtime_dir.as_os_str().as_encoded_bytes());
    let digest: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let mut trees = Vec::new();
    find(
        Path::new("/sys/fs/cgroup"),
        &format!("cronfleet-{digest}"),
        &mut trees,
    );
    let begun = Instant::now();
    while !trees.is_empty() && begun.elapsed() < Duration::from_secs(2) {
        trees.retain(|tree| {
            for leaf in directories(tree) {
                let _ = fs::remove_dir(leaf);
            }
            fs::remove_dir(tree).is_err()
        });
    }
}

fn find(dir: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for below in directories(dir) {
        if below.ends_with(name) {
            found.push(below);
        } else {
            find(&below, name, found);
        }
    }
}

fn directories(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.map(|entry| entry.path()).collect()
}

/// Waits for the end of a life and collects everything.
pub(crate) async fn finish(life: &mut Life) -> Run {
    match timeout(PATIENCE, life.wait()).await.unwrap().unwrap() {
        Ended::Exit(exit) => collect(exit, &life.output()),
        Ended::Vanished => panic!("the shim vanished"),
    }
}

pub(crate) fn collect(exit: ExitRecord, reader: &OutputReader) -> Run {
    let mut run = Run {
        exit,
        stdout: Vec::new(),
        stderr: Vec::new(),
        gaps: Vec::new(),
    };
    let mut from = 0;
    loop {
        let page = reader.read(from, 100_000).unwrap();
        run.gaps.extend(page.gap);
        for frame in decode_frames(&page.bytes).unwrap() {
            match frame.stream {
                Stream::Stdout => run.stdout.extend_from_slice(frame.bytes),
                Stream::Stderr => run.stderr.extend_from_slice(frame.bytes),
            }
        }
        if page.next_offset == from {
            return run;
        }
        from = page.next_offset;
    }
}

/// Waits for output that contains a text.
pub(crate) async fn said(life: &mut Life, text: &str) {
    let read = async {
        let mut is_over = false;
        loop {
            let bytes = life.output().read(0, 1 << 20).unwrap().bytes;
            if bytes.windows(text.len()).any(|w| w == text.as_bytes()) {
                return;
            }
            assert!(!is_over, "it ended and never said {text:?}");
            is_over = matches!(life.changed().await.unwrap(), Change::Ended(_));
        }
    };
    timeout(PATIENCE, read).await.unwrap();
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let look = async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, look)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

pub(crate) fn root() -> RunUser {
    resolve_user("root").unwrap()
}

pub(crate) fn nobody() -> RunUser {
    resolve_user("nobody").unwrap()
}

pub(crate) fn argv<S: Into<OsString> + Clone>(words: &[S]) -> LifeSpec {
    let words = words.iter().cloned().map(Into::into).collect();
    LifeSpec {
        directory: "/".into(),
        ..LifeSpec::new(root(), LifeCommand::Argv(words))
    }
}

pub(crate) fn sh(script: &str) -> LifeSpec {
    let mut spec = argv(&["/bin/sh", "-c", script]);
    spec.environment = vec![("PATH".into(), "/usr/sbin:/usr/bin:/sbin:/bin".into())];
    spec
}

pub(crate) fn python(script: &str) -> LifeSpec {
    argv(&["/usr/bin/python3", "-c", script])
}

/// Ids that are new in this process; nothing outside the rig's own directories sees them.
pub(crate) fn new_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(7, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether a process exists and is not merely waiting to be reaped.
pub(crate) fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

/// Path of the shim: the one that `CRONFLEET_SHIM` names, or ours, built if it is older than its sources.
pub(crate) fn shim() -> PathBuf {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        if let Some(named) = std::env::var_os("CRONFLEET_SHIM") {
            return named.into();
        }
        // <target>/<profile>/deps/<this test>
        let exe = std::env::current_exe().unwrap();
        let profile_dir = exe.ancestors().nth(2).unwrap();
        let shim = profile_dir.join("cronfleet-shim");
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shim");
        let newest = modified(&package.join("src")).max(modified(&package.join("Cargo.toml")));
        if modified(&shim) <= newest {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let built = Command::new(cargo)
                .args(["build", "--quiet", "--package", "cronfleet-shim"])
                .args(profile_dir.ends_with("release").then_some("--release"))
                .arg("--target-dir")
                .arg(profile_dir.parent().unwrap())
                .current_dir(&package)
                .status()
                .unwrap();
            assert!(built.success(), "the shim cannot be built");
        }
        shim
    })
    .clone()
}

fn modified(path: &Path) -> SystemTime {
    let own = fs::metadata(path).and_then(|m| m.modified());
    let own = own.unwrap_or(SystemTime::UNIX_EPOCH);
    match fs::read_dir(path) {
        Ok(entries) => entries.fold(own, |max, e| max.max(modified(&e.unwrap().path()))),
        Err(_) => own,
    }
}

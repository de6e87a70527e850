//! The host itself: its directories, its lock, and the children it still has to reap.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use cronfleet_core::cgroup::CgroupSupport;
use cronfleet_shim::spec::{Limit, Resource as LimitedResource};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::cgroup::{CgroupUse, Cgroups, Leaves};
use super::folder::LifeFolder;
use super::output::OutputReader;
use super::runtime_dir::digest_of;

/// Shims that are being spawned at one moment. More would only wait for each other in the kernel.
const SPAWNS_MAX: usize = 8;

const LOCK: &str = "agent.lock";

/// How long the lock of an agent that was just killed may stay: a shim that it was spawning at that moment holds a
/// copy until it is itself.
const LOCK_TIME_MAX: Duration = Duration::from_secs(1);

/// How long a shim may take to leave.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(2);

const LOCK_LOOK: Duration = Duration::from_millis(2);

/// Open file limit that commands get unless their spec names one; read before the agent raises its own.
static INHERITED_OPEN_FILES: OnceLock<Option<Limit>> = OnceLock::new();

/// Where a host works.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Folder of life folders, best on tmpfs ([`super::default_runtime_dir`]). Must be the same after a restart.
    pub runtime_dir: PathBuf,
    /// Directory of the spool, on disk.
    pub spool_dir: PathBuf,
    /// Path of the `cronfleet-shim` program.
    pub shim: PathBuf,
    /// Which control groups it may use.
    pub cgroups: CgroupUse,
}

/// Why a host cannot be opened, or a life not be forgotten.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Another agent works in the same runtime directory.
    #[error("another agent uses {}", runtime_dir.display())]
    InUse {
        /// The directory.
        runtime_dir: PathBuf,
    },
    /// Somebody else owns or may change a directory that must be ours alone.
    #[error("directory {} could be changed by other users", path.display())]
    Unsafe {
        /// The directory.
        path: PathBuf,
    },
    /// The shim is not where it should be.
    #[error("there is no shim at {}", path.display())]
    NoShim {
        /// Where it was expected.
        path: PathBuf,
    },
    /// The life still has a shim.
    #[error("life {id} is not over")]
    StillAlive {
        /// The life.
        id: Uuid,
    },
    /// A newer version of the shim wrote the records of a life. Without them nobody can tell what runs.
    #[error("{} has records of version {found}, which this build cannot read: a newer agent can", path.display())]
    NewerRecords {
        /// The life's folder.
        path: PathBuf,
        /// Version of the records.
        found: u32,
    },
    /// A file or directory cannot be worked with.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Launches lives and finds them again. Cheap to clone; all clones are the same host.
#[derive(Debug, Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: HostConfig,
    /// Held so that no second agent works here; released when the last clone is dropped.
    _lock: File,
    cgroups: Cgroups,
    spawns: Semaphore,
    /// Shims nobody waits for any more, until they have been reaped.
    unreaped: Mutex<Vec<Child>>,
}

impl Host {
    /// Takes possession of the directories, creating what is missing, and raises the agent's own soft limit of open
    /// files to its hard limit (two descriptors per life). Blocks for up to a second while another agent leaves.
    ///
    /// # Errors
    /// [`HostError`]; nothing was changed but directories.
    pub fn open(config: HostConfig) -> Result<Self, HostError> {
        let config = HostConfig {
            runtime_dir: own_directory(&config.runtime_dir, 0o711)?,
            spool_dir: own_directory(&config.spool_dir, 0o700)?,
            shim: absolute(&config.shim)?,
            cgroups: config.cgroups,
        };
        if !config.shim.is_file() {
            return Err(HostError::NoShim { path: config.shim });
        }
        let lock = lock(&config.runtime_dir)?;
        inherited_open_files();
        let cgroups = Cgroups::open(&config.cgroups, &digest_of(&config.runtime_dir));
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                _lock: lock,
                cgroups,
                spawns: Semaphore::new(SPAWNS_MAX),
                unreaped: Mutex::new(Vec::new()),
            }),
        })
    }

    /// What control groups can do here.
    #[must_use]
    pub fn cgroup_support(&self) -> &CgroupSupport {
        self.cgroups().support()
    }

    pub(super) fn cgroups(&self) -> &Cgroups {
        &self.inner.cgroups
    }

    /// Where this host works, with absolute paths.
    #[must_use]
    pub fn config(&self) -> &HostConfig {
        &self.inner.config
    }

    /// Gives a reader of a life's output, whether it runs or is over. Does not look at the disk yet.
    #[must_use]
    pub fn output(&self, id: Uuid) -> OutputReader {
        OutputReader::new(self.folder(id).spool)
    }

    /// Removes the folder of a life that is over. Its output stays until [`Host::forget_output`].
    ///
    /// Call it only once the end is recorded elsewhere: afterwards the id would be accepted again. A shim that is
    /// just leaving is waited for, up to 2 s. Repeating it is harmless.
    ///
    /// # Errors
    /// [`HostError::StillAlive`] while a shim holds it, or [`HostError::File`].
    pub async fn forget(&self, id: Uuid) -> Result<(), HostError> {
        let life = self.folder(id);
        let in_file = |source| HostError::File {
            path: life.folder.clone(),
            source,
        };
        let begun = Instant::now();
        loop {
            // Held until the folder is gone, so that no shim can slip in meanwhile.
            if let Some(_lock) = life.try_lock().map_err(in_file)? {
                // Without a readable spec the next survey finds the groups.
                let leaves = life.spec().ok().flatten();
                let leaves = leaves.map(|spec| Leaves::of_spec(&spec.cgroups));
                remove(&life.folder)?;
                self.cgroups().remove(leaves.unwrap_or_default());
                return Ok(());
            }
            if begun.elapsed() > LEAVE_TIME_MAX {
                return Err(HostError::StillAlive { id });
            }
            tokio::time::sleep(LOCK_LOOK).await;
        }
    }

    /// Removes the output of a life. Repeating it is harmless.
    ///
    /// # Errors
    /// [`HostError::File`].
    pub fn forget_output(&self, id: Uuid) -> Result<(), HostError> {
        remove(&self.folder(id).spool)
    }

    pub(super) fn folder(&self, id: Uuid) -> LifeFolder {
        LifeFolder::new(&self.inner.config, id)
    }

    pub(super) fn spawns(&self) -> &Semaphore {
        &self.inner.spawns
    }

    /// Reaps shims that nobody waits for, and remembers one more of them.
    pub(super) fn bury(&self, more: Option<Child>) {
        let mut unreaped = self
            .inner
            .unreaped
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unreaped.extend(more);
        unreaped.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }
}

/// Whether the agent may become other users.
pub(super) fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// The open file limit the agent was started with. The first call raises the agent's own.
pub(super) fn inherited_open_files() -> Option<Limit> {
    *INHERITED_OPEN_FILES.get_or_init(|| {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
        if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            tracing::warn!(%error, "the limit of open files stays low");
        }
        let bound = |n| (n != RLIM_INFINITY).then_some(n);
        Some(Limit {
            resource: LimitedResource::OpenFiles,
            soft: bound(soft),
            hard: bound(hard),
        })
    })
}

fn lock(runtime_dir: &Path) -> Result<File, HostError> {
    let path = runtime_dir.join(LOCK);
    let in_file = |source| HostError::File {
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(in_file)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_TIME_MAX => {
                std::thread::sleep(LOCK_LOOK);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(HostError::InUse {
                    runtime_dir: runtime_dir.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(in_file(source)),
        }
    }
}

/// Creates a directory if need be and makes sure that nobody else can replace or fill it.
fn own_directory(path: &Path, mode: u32) -> Result<PathBuf, HostError> {
    let path = absolute(path)?;
    let in_file = |source| HostError::File {
        path: path.clone(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(&path)
        .map_err(in_file)?;
    let own = nix::unistd::Uid::effective().as_raw();
    let meta = fs::symlink_metadata(&path).map_err(in_file)?;
    if !meta.is_dir() || meta.uid() != own {
        return Err(HostError::Unsafe { path });
    }
    if let Some(parent) = path.parent() {
        let meta = fs::metadata(parent).map_err(in_file)?;
        let shared = meta.mode() & 0o022 != 0;
        let sticky = meta.mode() & 0o1000 != 0;
        let trusted = meta.uid() == own || meta.uid() == 0;
        if !trusted || (shared && !sticky) {
            return Err(HostError::Unsafe {
                path: parent.to_owned(),
            });
        }
    }
    fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(in_file)?;
    Ok(path)
}

fn absolute(path: &Path) -> Result<PathBuf, HostError> {
    std::path::absolute(path).map_err(|source| HostError::File {
        path: path.to_owned(),
        source,
    })
}

fn remove(directory: &Path) -> Result<(), HostError> {
    match fs::remove_dir_all(directory) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(HostError::File {
            path: directory.to_owned(),
            source: e,
        }),
        _ => Ok(()),
    }
}

//! The files of one life.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use cronfleet_shim::file;
use cronfleet_shim::life::{ExitRecord, ShimRecord, StartedRecord};
use cronfleet_shim::record::FormatError;
use cronfleet_shim::spec::{Output, Spec};
use uuid::Uuid;

use super::cgroup::{Cgroups, Leaves};
use super::open::{HostConfig, is_root};
use super::runtime_dir::is_tmpfs;
use super::spec::{LifeCommand, LifeSpec};
use super::start_error::StartError;

/// Where one life keeps its files.
#[derive(Debug, Clone)]
pub(super) struct LifeFolder {
    pub(super) id: Uuid,
    pub(super) folder: PathBuf,
    pub(super) spool: PathBuf,
}

/// A record that is there but cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Format(#[from] FormatError),
}

impl LifeFolder {
    pub(super) fn new(config: &HostConfig, id: Uuid) -> Self {
        let name = id.hyphenated().to_string();
        Self {
            id,
            folder: config.runtime_dir.join(&name),
            spool: config.spool_dir.join(&name),
        }
    }

    pub(super) fn script(&self) -> PathBuf {
        self.folder.join(file::SCRIPT)
    }

    /// Creates the folder with everything a shim needs, and the life's control groups. Leaves nothing behind if it fails.
    pub(super) fn create(&self, spec: &LifeSpec, cgroups: &Cgroups) -> Result<Spec, StartError> {
        if !spec.secrets.is_empty() && !is_tmpfs(self.folder.parent().unwrap_or(&self.folder)) {
            return Err(StartError::SecretsOnDisk {
                path: self.folder.clone(),
            });
        }
        let secrets_dir = self.folder.join(file::SECRETS);
        let mut shim_spec = spec.to_shim(&self.script(), &self.spool, &secrets_dir)?;
        self.create_exclusively(&self.folder, 0o711)?;
        let filled = match cgroups.create(self.id, &spec.group_limits) {
            Ok(leaves) => {
                shim_spec.cgroups = leaves.to_spec();
                let filled = self.fill(spec, &shim_spec);
                filled.inspect_err(|_| cgroups.remove(leaves))
            }
            Err(error) => Err(StartError::from_leaf(error, cgroups.support())),
        };
        filled.inspect_err(|_| {
            // Nothing was spawned: the id is as good as new.
            let _ = fs::remove_dir_all(&self.folder);
        })?;
        // The shim has them now; nobody else needs them.
        shim_spec.secret_environment.clear();
        shim_spec.mask.clear();
        Ok(shim_spec)
    }

    fn fill(&self, spec: &LifeSpec, shim_spec: &Spec) -> Result<(), StartError> {
        if let LifeCommand::Script { text, .. } = &spec.command {
            self.write_script(text, spec)?;
        }
        let path = self.folder.join(file::SECRETS);
        spec.secrets
            .write(&path, &spec.user)
            .map_err(|source| StartError::File { path, source })?;
        let path = self.folder.join(file::SPEC);
        write_new(&path, &shim_spec.encode())
            .map_err(|source| StartError::File { path, source })?;
        if let Output::Store { .. } = shim_spec.output {
            // Output of an earlier life with this id outlives a reboot, its folder does not: refuse that id as well.
            self.create_exclusively(&self.spool, 0o700)?;
        }
        Ok(())
    }

    fn create_exclusively(&self, path: &Path, mode: u32) -> Result<(), StartError> {
        let in_file = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => StartError::AlreadyExists { id: self.id },
            _ => StartError::File {
                path: path.to_owned(),
                source,
            },
        };
        DirBuilder::new().mode(mode).create(path).map_err(in_file)?;
        // The mode above is subject to the agent's own umask.
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(in_file)
    }

    fn write_script(&self, text: &[u8], spec: &LifeSpec) -> Result<(), StartError> {
        let path = self.script();
        let write = || {
            write_new(&path, text)?;
            if is_root() {
                chown(&path, Some(spec.user.uid), Some(spec.user.gid))?;
            }
            fs::set_permissions(&path, Permissions::from_mode(0o500))
        };
        write().map_err(|source| StartError::File {
            path: path.clone(),
            source,
        })
    }

    /// Removes everything that [`LifeFolder::create`] made, for a life that never had a shim.
    pub(super) fn remove_unused(&self, spec: &Spec, cgroups: &Cgroups) {
        cgroups.remove(Leaves::of_spec(&spec.cgroups));
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_dir_all(&self.spool);
    }

    /// Takes the life's lock if no shim holds it. A life without a lock file gets one, a life without a folder gets
    /// a lock on nothing.
    pub(super) fn try_lock(&self) -> io::Result<Option<Option<File>>> {
        let opened = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(self.folder.join(file::LOCK));
        let file = match opened {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Some(None)),
            Err(e) => return Err(e),
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Some(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    pub(super) fn started(&self) -> Result<Option<StartedRecord>, ReadError> {
        self.read(file::STARTED, StartedRecord::decode)
    }

    pub(super) fn exit(&self) -> Result<Option<ExitRecord>, ReadError> {
        self.read(file::EXIT, ExitRecord::decode)
    }

    pub(super) fn shim(&self) -> Result<Option<ShimRecord>, ReadError> {
        self.read(file::LOCK, ShimRecord::decode)
    }

    pub(super) fn spec(&self) -> Result<Option<Spec>, ReadError> {
        self.read(file::SPEC, Spec::decode)
    }

    fn read<T>(
        &self,
        name: &str,
        decode: impl FnOnce(&[u8]) -> Result<T, FormatError>,
    ) -> Result<Option<T>, ReadError> {
        match fs::read(self.folder.join(name)) {
            Ok(bytes) => Ok(Some(decode(&bytes)?)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?
        .write_all(bytes)
}

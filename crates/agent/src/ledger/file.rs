//! The ledger's file: appending, syncing, and changing over to a rewritten one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cronfleet_core::id::RunId;
use futures_util::future::pending;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::entry::Entry;
use super::replay::{Head, Replayed, VERSION, read_entries, read_head};
use super::rewrite::{Rewrite, RewriteStep, encode_frame, sync_directory, temporary, write_new};

pub(super) const FILE: &str = "ledger";

/// Longest time between an append and the sync that covers it, unless something waits for it: then it begins at once.
const SYNC_DELAY: Duration = Duration::from_millis(100);

/// Wait before a rewrite or a sync that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A file is rewritten once it is so many times as long as it was after the last rewrite.
const GROWTH: u64 = 4;

/// Largest write buffer that is kept between appends, in bytes.
const BUFFER_KEPT_MAX: usize = 256 << 10;

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read or created.
    #[error("cannot use ledger {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another version of the agent wrote it.
    #[error("ledger {} has version {found}, this build reads version {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// The open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: Arc<File>,
    len: u64,
    /// Length after the last rewrite.
    baseline: u64,
    rewrite_min_bytes: u64,
    /// Whether bytes of a failed append lie behind `len`.
    is_torn: bool,
    /// Since when there is something to sync.
    dirty_since: Option<Instant>,
    /// Runs whose record waits for the next sync, once for each record.
    waiting: Vec<RunId>,
    sync: Option<Sync>,
    rewrite: Option<Rewrite>,
    /// Whether a sync failed: what the kernel held may be gone, so no sync of this file proves anything any more.
    must_rewrite: bool,
    not_before: Option<Instant>,
    buffer: Vec<u8>,
}

/// A sync under way, and the runs whose orders it covers.
#[derive(Debug)]
struct Sync {
    job: JoinHandle<io::Result<()>>,
    runs: Vec<RunId>,
}

/// What happened in the background.
#[derive(Debug)]
pub(crate) enum LedgerEvent {
    /// Records of these runs are on the disk, one for each time a run is named.
    Synced(Vec<RunId>),
    /// The disk did not take them.
    SyncFailed(Vec<RunId>),
    /// Nothing that matters outside.
    Internal,
}

impl Ledger {
    /// Opens the ledger in a data directory, or creates it, and puts all that it says on the disk.
    ///
    /// `was_used` says whether an agent worked here before: then a missing ledger is a lost one. A file that is no ledger is
    /// set aside.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) fn open(
        data_dir: &Path,
        was_used: bool,
        rewrite_min_bytes: u64,
    ) -> Result<(Self, Replayed), LedgerError> {
        let path = data_dir.join(FILE);
        let in_file = |source| LedgerError::File {
            path: path.clone(),
            source,
        };
        let _ = fs::remove_file(temporary(&path));
        let (file, len, replayed) = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => read(&path, file)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let (file, len) = create(&path).map_err(in_file)?;
                (
                    file,
                    len,
                    Replayed {
                        entries: Vec::new(),
                        is_lost: was_used,
                    },
                )
            }
            Err(source) => return Err(in_file(source)),
        };
        if replayed.is_lost {
            tracing::error!(ledger.path = %path.display(), "the ledger is lost; orders from before are not known");
        }
        let ledger = Self {
            path,
            file: Arc::new(file),
            len,
            baseline: 0,
            rewrite_min_bytes,
            is_torn: false,
            dirty_since: None,
            waiting: Vec::new(),
            sync: None,
            rewrite: None,
            must_rewrite: false,
            not_before: None,
            buffer: Vec::new(),
        };
        Ok((ledger, replayed))
    }

    /// Writes entries, all or none. They survive the agent's process when this returns, and the machine soon after.
    ///
    /// # Errors
    /// What the system said; the ledger is as it was, and a later append may succeed.
    pub(crate) fn append<'a>(
        &mut self,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> io::Result<()> {
        self.buffer.clear();
        let waiting = self.waiting.len();
        for entry in entries {
            encode_frame(entry, &mut self.buffer);
            if let Entry::Book(record) = entry
                && record.is_synced_first()
            {
                self.waiting.extend(record.run());
            }
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.write_buffer() {
            self.waiting.truncate(waiting);
            return Err(error);
        }
        self.dirty_since.get_or_insert_with(Instant::now);
        if self.buffer.capacity() > BUFFER_KEPT_MAX {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.len)?;
            self.is_torn = false;
        }
        if let Err(error) = self.file.write_all_at(&self.buffer, self.len) {
            self.is_torn = self.file.set_len(self.len).is_err();
            return Err(error);
        }
        self.len += self.buffer.len() as u64;
        if let Some(rewrite) = &mut self.rewrite {
            rewrite.tail.extend_from_slice(&self.buffer);
        }
        Ok(())
    }

    /// Begins a sync if one is due and none is under way.
    pub(crate) fn begin_sync(&mut self) {
        let is_due = self.sync_at().is_some_and(|at| at <= Instant::now());
        if !is_due || self.must_rewrite {
            return;
        }
        let file = Arc::clone(&self.file);
        let job = spawn_blocking(move || file.sync_data());
        self.sync = Some(Sync {
            job,
            runs: std::mem::take(&mut self.waiting),
        });
        self.dirty_since = None;
    }

    /// When a sync, or the rewrite that must take its place, has to begin; `None` while nothing has, or one is under way.
    pub(crate) fn sync_at(&self) -> Option<Instant> {
        if self.sync.is_some() || self.rewrite.as_ref().is_some_and(Rewrite::holds_syncs) {
            return None;
        }
        if self.must_rewrite {
            let at = self.not_before.unwrap_or_else(Instant::now);
            return self.rewrite.is_none().then_some(at);
        }
        let since = self.dirty_since?;
        Some(if self.waiting.is_empty() {
            since + SYNC_DELAY
        } else {
            since
        })
    }

    /// Whether it is time to rewrite the ledger.
    pub(crate) fn wants_rewrite(&self) -> bool {
        let is_long = self.len
            > self
                .rewrite_min_bytes
                .max(self.baseline.saturating_mul(GROWTH));
        (is_long || self.must_rewrite)
            && self.rewrite.is_none()
            && self.not_before.is_none_or(|at| at <= Instant::now())
    }

    /// Begins to rewrite the ledger as these entries, which say all that is still true.
    pub(crate) fn begin_rewrite(&mut self, entries: Vec<Entry>) {
        tracing::debug!(
            ledger.bytes = self.len,
            entries = entries.len(),
            "rewriting the ledger"
        );
        self.rewrite = Some(Rewrite::begin(self.path.clone(), entries));
    }

    /// Resolves when something in the background is done. Cancel-safe.
    pub(crate) async fn event(&mut self) -> LedgerEvent {
        tokio::select! {
            done = finished(self.sync.as_mut().map(|sync| &mut sync.job)) => self.synced(done),
            done = rewritten(self.rewrite.as_mut()) => self.advance_rewrite(done),
        }
    }

    /// Waits for the background and syncs everything: the last thing before the agent ends.
    pub(crate) async fn close(mut self) {
        if let Some(sync) = self.sync.take() {
            let _ = sync.job.await;
        }
        if let Some(Rewrite {
            step: RewriteStep::Writing(job),
            ..
        }) = self.rewrite.take()
        {
            let _ = job.await;
        }
        let file = Arc::clone(&self.file);
        if let Err(error) = flat(spawn_blocking(move || file.sync_data()).await) {
            tracing::error!(%error, "the ledger could not be synced at the end");
        }
    }

    fn synced(&mut self, done: io::Result<()>) -> LedgerEvent {
        let runs = self.sync.take().map(|sync| sync.runs).unwrap_or_default();
        match done {
            Ok(()) => LedgerEvent::Synced(runs),
            Err(error) => {
                tracing::error!(%error, ledger.path = %self.path.display(), "the ledger cannot be synced");
                self.must_rewrite = true;
                LedgerEvent::SyncFailed(runs)
            }
        }
    }

    fn advance_rewrite(&mut self, done: Rewritten) -> LedgerEvent {
        let Some(rewrite) = self.rewrite.take() else {
            return LedgerEvent::Internal;
        };
        let advanced = match (rewrite.step, done) {
            (RewriteStep::Writing(_), Rewritten::Written(written)) => {
                written.and_then(|(file, len)| self.flush_rewrite(file, len, &rewrite.tail))
            }
            (RewriteStep::Flushing { file, len, .. }, Rewritten::Flushed(flushed)) => {
                flushed.and_then(|()| self.change_over(file, len, &rewrite.tail))
            }
            (RewriteStep::Writing(_) | RewriteStep::Flushing { .. }, _) => Ok(()),
        };
        if let Err(error) = advanced {
            tracing::warn!(%error, ledger.path = %self.path.display(), "the ledger cannot be rewritten");
            let _ = fs::remove_file(temporary(&self.path));
            self.rewrite = None;
            self.not_before = Some(Instant::now() + RETRY);
            if self.must_rewrite {
                return LedgerEvent::SyncFailed(std::mem::take(&mut self.waiting));
            }
        }
        LedgerEvent::Internal
    }

    /// Brings the new file up to date and syncs it once more.
    fn flush_rewrite(&mut self, file: File, len: u64, tail: &[u8]) -> io::Result<()> {
        file.write_all_at(tail, len)?;
        let file = Arc::new(file);
        let flushed = Arc::clone(&file);
        let job = spawn_blocking(move || flushed.sync_data());
        let len = len + tail.len() as u64;
        self.rewrite = Some(Rewrite {
            tail: Vec::new(),
            step: RewriteStep::Flushing { job, file, len },
        });
        Ok(())
    }

    /// Puts the new file in force. What came since the last sync of it has not been synced in the old file either.
    fn change_over(&mut self, file: Arc<File>, len: u64, tail: &[u8]) -> io::Result<()> {
        file.write_all_at(tail, len)?;
        fs::rename(temporary(&self.path), &self.path)?;
        let path = self.path.clone();
        let former = std::mem::replace(&mut self.file, file);
        self.len = len + tail.len() as u64;
        self.baseline = self.len;
        self.must_rewrite = false;
        self.not_before = None;
        self.is_torn = false;
        let before = self.sync.take();
        let runs = before.map(|sync| sync.runs).unwrap_or_default();
        let mut runs: Vec<RunId> = runs;
        runs.append(&mut self.waiting);
        let file = Arc::clone(&self.file);
        let job = spawn_blocking(move || {
            drop(former);
            file.sync_data()?;
            sync_directory(&path)
        });
        self.sync = Some(Sync { job, runs });
        self.dirty_since = None;
        Ok(())
    }
}

/// What a step of a rewrite came to.
enum Rewritten {
    Written(io::Result<(File, u64)>),
    Flushed(io::Result<()>),
}

async fn rewritten(rewrite: Option<&mut Rewrite>) -> Rewritten {
    match rewrite.map(|rewrite| &mut rewrite.step) {
        Some(RewriteStep::Writing(job)) => Rewritten::Written(flat(job.await)),
        Some(RewriteStep::Flushing { job, .. }) => Rewritten::Flushed(flat(job.await)),
        None => pending().await,
    }
}

async fn finished(job: Option<&mut JoinHandle<io::Result<()>>>) -> io::Result<()> {
    match job {
        Some(job) => flat(job.await),
        None => pending().await,
    }
}

fn flat<T>(done: Result<io::Result<T>, JoinError>) -> io::Result<T> {
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn create(path: &Path) -> io::Result<(File, u64)> {
    let (file, len) = write_new(&temporary(path), &[])?;
    fs::rename(temporary(path), path)?;
    sync_directory(path)?;
    Ok((file, len))
}

/// Reads what an earlier agent wrote, cuts off what is not whole, and syncs the rest.
fn read(path: &Path, mut file: File) -> Result<(File, u64, Replayed), LedgerError> {
    let in_file = |source| LedgerError::File {
        path: path.to_owned(),
        source,
    };
    match read_head(&mut file).map_err(in_file)? {
        Head::Good => {}
        Head::Version(found) => {
            return Err(LedgerError::Version {
                path: path.to_owned(),
                found,
            });
        }
        Head::Foreign => {
            fs::rename(path, path.with_extension("unreadable")).map_err(in_file)?;
            let (file, len) = create(path).map_err(in_file)?;
            return Ok((
                file,
                len,
                Replayed {
                    entries: Vec::new(),
                    is_lost: true,
                },
            ));
        }
    }
    let (entries, len) = read_entries(&mut file).map_err(in_file)?;
    let found = file.metadata().map_err(in_file)?.len();
    if found > len {
        tracing::warn!(
            ledger.bytes_dropped = found - len,
            "the ledger ends in a cut or damaged entry"
        );
        file.set_len(len).map_err(in_file)?;
    }
    file.sync_data().map_err(in_file)?;
    Ok((
        file,
        len,
        Replayed {
            entries,
            is_lost: false,
        },
    ))
}

#[cfg(test)]
mod tests {
    use cronfleet_core::id::LifeId;
    use cronfleet_core::order::Claim;
    use cronfleet_core::record::Record;
    use cronfleet_core::run::Reason;

    use super::*;

    const MIN: u64 = 1_000;

    fn stored(offset: u64) -> Entry {
        Entry::OutputStored {
            life: LifeId::from_u128(1),
            offset,
        }
    }

    fn acked(run: u128) -> Entry {
        Entry::Book(Record::Acked {
            run: RunId::from_u128(run),
        })
    }

    fn reopen(dir: &Path) -> (Ledger, Vec<Entry>) {
        let (ledger, replayed) = Ledger::open(dir, true, MIN).unwrap();
        assert!(!replayed.is_lost);
        (ledger, replayed.entries)
    }

    #[test]
    fn what_is_appended_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let (mut ledger, replayed) = Ledger::open(dir.path(), false, MIN).unwrap();
        assert!(!replayed.is_lost && replayed.entries.is_empty());
        ledger.append([&stored(1), &acked(2)]).unwrap();
        ledger.append([]).unwrap();
        ledger.append([&stored(3)]).unwrap();
        assert_eq!(reopen(dir.path()).1, [stored(1), acked(2), stored(3)]);
    }

    #[test]
    fn a_missing_or_foreign_ledger_is_lost_and_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Ledger::open(dir.path(), true, MIN).unwrap().1.is_lost);
        fs::write(dir.path().join(FILE), "not a ledger").unwrap();
        assert!(Ledger::open(dir.path(), true, MIN).unwrap().1.is_lost);
        assert_eq!(
            fs::read(dir.path().join("ledger.unreadable")).unwrap(),
            b"not a ledger"
        );
        reopen(dir.path());
    }

    #[test]
    fn a_ledger_of_the_future_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), b"CFLEDG\0\0\x02\0\0\0").unwrap();
        let refused = Ledger::open(dir.path(), true, MIN);
        assert!(matches!(
            refused,
            Err(LedgerError::Version { found: 2, .. })
        ));
    }

    #[test]
    fn every_torn_tail_costs_only_the_torn_entry() {
        let dir = tempfile::tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(dir.path(), false, MIN).unwrap();
        ledger.append([&stored(1)]).unwrap();
        let whole = ledger.len;
        ledger.append([&stored(2)]).unwrap();
        let bytes = fs::read(dir.path().join(FILE)).unwrap();
        for len in whole..bytes.len() as u64 {
            fs::write(dir.path().join(FILE), &bytes[..len as usize]).unwrap();
            let (mut ledger, entries) = reopen(dir.path());
            assert_eq!(entries, [stored(1)], "cut to {len}");
            ledger.append([&stored(3)]).unwrap();
            assert_eq!(reopen(dir.path()).1, [stored(1), stored(3)], "cut to {len}");
        }
        let mut damaged = bytes;
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        fs::write(dir.path().join(FILE), damaged).unwrap();
        assert_eq!(reopen(dir.path()).1, [stored(1)]);
    }

    #[tokio::test]
    async fn a_rewrite_keeps_what_is_said_while_it_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(dir.path(), false, MIN).unwrap();
        assert!(!ledger.wants_rewrite());
        for offset in 0..200 {
            ledger.append([&stored(offset)]).unwrap();
        }
        assert!(ledger.wants_rewrite());
        ledger.begin_rewrite(vec![stored(199)]);
        ledger.append([&acked(1)]).unwrap();
        let mut expected = vec![stored(199), acked(1)];
        let mut appended = 2;
        while ledger.rewrite.is_some() {
            ledger.event().await;
            ledger.append([&acked(appended)]).unwrap();
            expected.push(acked(appended));
            appended += 1;
        }
        ledger.append([&stored(200)]).unwrap();
        expected.push(stored(200));
        assert!(!ledger.wants_rewrite(), "it has become short");
        assert_eq!(reopen(dir.path()).1, expected);
        ledger.close().await;
    }

    #[tokio::test]
    async fn after_a_sync_that_failed_only_a_new_file_proves_anything() {
        let dir = tempfile::tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(dir.path(), false, MIN).unwrap();
        let run = RunId::from_u128(1);
        let refused = Entry::Book(Record::Settled {
            run,
            not_after: jiff::Timestamp::UNIX_EPOCH,
            claim: Claim::Refused {
                reason: Reason::Superseded,
                detail: None,
            },
        });
        assert!(matches!(
            ledger.synced(Err(io::Error::other("no"))),
            LedgerEvent::SyncFailed(_)
        ));
        ledger.append([&refused]).unwrap();
        ledger.begin_sync();
        assert!(ledger.sync.is_none() && ledger.wants_rewrite());
        let blocked = temporary(&dir.path().join(FILE));
        fs::create_dir(&blocked).unwrap();
        ledger.begin_rewrite(vec![]);
        let event = ledger.event().await;
        assert!(
            matches!(&event, LedgerEvent::SyncFailed(runs) if runs == &[run]),
            "{event:?}"
        );
        fs::remove_dir(&blocked).unwrap();
        ledger.begin_rewrite(vec![]);
        ledger.append([&refused]).unwrap();
        let synced = loop {
            if let LedgerEvent::Synced(runs) = ledger.event().await {
                break runs;
            }
        };
        assert_eq!(synced, [run]);
        assert_eq!(reopen(dir.path()).1, [refused]);
    }

    #[tokio::test]
    async fn syncs_begin_when_due() {
        let dir = tempfile::tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(dir.path(), false, MIN).unwrap();
        assert_eq!(ledger.sync_at(), None);
        ledger.append([&stored(1)]).unwrap();
        let at = ledger.sync_at().unwrap();
        assert!(at > Instant::now(), "others may join it");
        tokio::time::sleep_until(at.into()).await;
        ledger.begin_sync();
        assert!(matches!(ledger.event().await, LedgerEvent::Synced(runs) if runs.is_empty()));
        assert_eq!(ledger.sync_at(), None);
    }
}

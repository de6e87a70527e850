//! Handles on processes that cannot be confused by a reused process number, and descriptors that can be awaited.

#![expect(
    unsafe_code,
    reason = "pidfd calls and the runtime's watch on a descriptor have no safe wrapper"
)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A handle on one process, whoever its parent is. Needs Linux 5.3.
#[derive(Debug)]
pub(super) struct PidFd {
    fd: AsyncFd<OwnedFd>,
}

/// Opens a handle on the process that has this number now.
///
/// # Errors
/// `ESRCH` if there is none.
pub(super) fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and returns a new descriptor that nobody else owns, or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just returned by the kernel and is owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to exactly the process behind the handle.
///
/// # Errors
/// `ESRCH` if it is gone, `EPERM` if it may not be signalled.
pub(super) fn signal(pidfd: &impl AsRawFd, signal: i32) -> io::Result<()> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open for as long as `pidfd` is borrowed; a null info asks for the default one.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            no_info,
            0,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Lets the runtime watch a descriptor for something to read.
///
/// # Errors
/// If the runtime cannot watch one more.
pub(super) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` stays open until it is dropped and always names the same descriptor.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

impl PidFd {
    /// Makes a handle awaitable.
    ///
    /// # Errors
    /// If the runtime cannot watch one more descriptor.
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd: watch(fd)? })
    }

    /// Sends a signal. A process that is gone already is fine.
    pub(super) fn signal(&self, number: i32) -> io::Result<()> {
        match signal(self.fd.get_ref(), number) {
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            other => other,
        }
    }

    /// Resolves when the process has ended. Cancel-safe; may be awaited again and again.
    pub(super) async fn exited(&self) -> io::Result<()> {
        self.fd.readable().await?.retain_ready();
        Ok(())
    }
}

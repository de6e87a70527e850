//! The system calls a shim makes that the standard library does not offer. All `unsafe` of the shim is here.
//!
//! The shim has one thread, so a forked child may go on like any other program.

#![expect(
    unsafe_code,
    reason = "system calls without a safe wrapper, each behind a safe function"
)]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use cronfleet_shim::spec::{Limit, Resource};

/// A descriptor to wait for, or none.
#[derive(Clone, Copy)]
pub(crate) struct Watched(pub(crate) Option<RawFd>);

/// Which process one is after a fork.
pub(crate) enum Fork {
    /// The new process.
    Child,
    /// The old process; the number is the new one's.
    Parent(i32),
}

/// A child that was reaped.
pub(crate) struct Reaped {
    pub(crate) pid: i32,
    pub(crate) status: i32,
    pub(crate) user_us: u64,
    pub(crate) system_us: u64,
    pub(crate) max_rss_kib: u64,
}

/// What a wait for children found.
pub(crate) enum Wait {
    /// One ended.
    Reaped(Reaped),
    /// There are some, none has ended.
    Busy,
    /// There are none.
    Alone,
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Closes every descriptor from `first` to `last`. Needs Linux 5.9.
pub(crate) fn close_range(first: u32, last: u32) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: three integers; the caller owns no descriptor in the range that it would use afterwards.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Takes over the socket that the agent passed as standard input. To be called once.
pub(crate) fn agent_socket() -> OwnedFd {
    // SAFETY: the agent passes descriptor 0 to this program, and nothing else in it uses standard input.
    unsafe { OwnedFd::from_raw_fd(0) }
}

/// Sends without waiting; a peer that is gone or slow is an error like any other.
pub(crate) fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: pointer and length describe `bytes`.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            flags,
        )
    };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Receives one message without waiting; length 0 is the end.
pub(crate) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (data, len) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: pointer and length describe `buffer`.
    let received = unsafe { libc::recv(socket.as_raw_fd(), data, len, libc::MSG_DONTWAIT) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

/// Makes a pipe, read end first, neither inherited across `execve`.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: both were just created and are owned by nobody else.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Makes reads from a descriptor return at once.
pub(crate) fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) }).map(drop)
}

/// Creates a FIFO.
pub(crate) fn make_fifo(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_encoded_bytes())?;
    // SAFETY: `path` is a terminated string.
    check(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }).map(drop)
}

/// Makes descriptor `to` name what `from` names.
pub(crate) fn duplicate(from: BorrowedFd<'_>, to: RawFd) -> io::Result<()> {
    // SAFETY: integers only; the caller gives up whatever `to` named.
    check(unsafe { libc::dup2(from.as_raw_fd(), to) }).map(drop)
}

/// Waits until one of the descriptors has something, or for so many milliseconds (`None`: for ever).
/// Says for each whether it has. Interruptions count as nothing.
pub(crate) fn poll<const N: usize>(fds: [Watched; N], wait_ms: Option<u64>) -> [bool; N] {
    let mut entries = fds.map(|Watched(fd)| libc::pollfd {
        fd: fd.unwrap_or(-1),
        events: libc::POLLIN,
        revents: 0,
    });
    let wait = wait_ms.map_or(-1, |ms| i32::try_from(ms).unwrap_or(i32::MAX));
    // SAFETY: pointer and length describe `entries`.
    let ready = unsafe { libc::poll(entries.as_mut_ptr(), N as libc::nfds_t, wait) };
    entries.map(|entry| ready > 0 && entry.revents != 0)
}

/// Starts an own session and process group.
pub(crate) fn new_session() -> io::Result<()> {
    // SAFETY: no arguments.
    check(unsafe { libc::setsid() }).map(drop)
}

/// Makes orphaned descendants children of this process.
pub(crate) fn become_subreaper() -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Blocks all signals and gives a descriptor on which the three that a shim listens to arrive.
pub(crate) fn signal_descriptor() -> io::Result<File> {
    // SAFETY: the sets are initialised by the calls that fill them; SIGCHLD gets its default so that children wait
    // to be reaped even if the agent ignores it.
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigfillset(set.as_mut_ptr());
        check(libc::sigprocmask(
            libc::SIG_BLOCK,
            set.as_ptr(),
            std::ptr::null_mut(),
        ))?;
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGUSR1] {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        Ok(File::from_raw_fd(check(fd)?))
    }
}

/// Gives every signal its default disposition and unblocks all.
///
/// By the kernel's own call: the C library refuses to touch the two signals that it keeps for itself, and its
/// `posix_spawn` leaves exactly those ignored.
pub(crate) fn reset_signals() -> io::Result<()> {
    // Longer than the kernel's structure on any architecture; zero is the default disposition, no flags, no mask.
    let default = [0_u64; 16];
    for signal in 1..=KERNEL_SIGNALS {
        // SAFETY: the kernel reads a structure of zeros and writes nothing. SIGKILL and SIGSTOP refuse.
        unsafe {
            let old = std::ptr::null_mut::<u64>();
            let (new, set_len) = (default.as_ptr(), KERNEL_SIGNALS / 8);
            libc::syscall(libc::SYS_rt_sigaction, signal, new, old, set_len);
        }
    }
    // SAFETY: the set is initialised by the call that empties it.
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        let old = std::ptr::null_mut();
        check(libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), old)).map(drop)
    }
}

/// Number of signals that the kernel has.
const KERNEL_SIGNALS: usize = 64;

/// Number of the next signal on a descriptor from [`signal_descriptor`].
pub(crate) fn signal_number(record: &[u8]) -> Option<i32> {
    let number = record.first_chunk::<4>()?;
    i32::try_from(u32::from_ne_bytes(*number)).ok()
}

/// Length of one record on a descriptor from [`signal_descriptor`].
pub(crate) const SIGNAL_RECORD_LEN: usize = size_of::<libc::signalfd_siginfo>();

/// Creates a process.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: this program has one thread, so the child inherits no lock that somebody else holds.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Ends this process at once.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: never returns and touches no state.
    unsafe { libc::_exit(status) }
}

/// Reaps one child, if one has ended.
pub(crate) fn wait_any() -> Wait {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to writable values of the right type; zeroes are a valid rusage.
    let (pid, usage) = unsafe {
        let pid = libc::wait4(
            -1,
            &raw mut status,
            libc::WNOHANG | libc::__WALL,
            usage.as_mut_ptr(),
        );
        (pid, usage.assume_init())
    };
    match pid {
        0 => Wait::Busy,
        ..0 => Wait::Alone,
        _ => Wait::Reaped(Reaped {
            pid,
            status,
            user_us: microseconds(usage.ru_utime),
            system_us: microseconds(usage.ru_stime),
            max_rss_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
        }),
    }
}

fn microseconds(time: libc::timeval) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
}

/// Signals one process. One that is gone is fine.
pub(crate) fn signal_process(pid: i32, signal: i32) {
    // SAFETY: integers only.
    unsafe { libc::kill(pid, signal) };
}

/// Signals a process group. One that is gone is fine.
pub(crate) fn signal_group(group: i32, signal: i32) {
    // SAFETY: integers only.
    unsafe { libc::killpg(group, signal) };
}

/// Microseconds since boot, time asleep included.
pub(crate) fn since_boot_us() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is writable; the clock exists on every Linux that this program can run on.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000
}

/// Sets the file mode creation mask.
pub(crate) fn set_umask(mask: u32) {
    // SAFETY: integers only; cannot fail.
    unsafe { libc::umask(mask) };
}

/// Sets one resource limit.
pub(crate) fn set_limit(limit: &Limit) -> io::Result<()> {
    let resource = match limit.resource {
        Resource::AddressSpace => libc::RLIMIT_AS,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::Cpu => libc::RLIMIT_CPU,
        Resource::Data => libc::RLIMIT_DATA,
        Resource::FileSize => libc::RLIMIT_FSIZE,
        Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
        Resource::Processes => libc::RLIMIT_NPROC,
        Resource::Stack => libc::RLIMIT_STACK,
    };
    let bounds = libc::rlimit {
        rlim_cur: limit.soft.unwrap_or(libc::RLIM_INFINITY),
        rlim_max: limit.hard.unwrap_or(libc::RLIM_INFINITY),
    };
    // SAFETY: `bounds` is a valid rlimit.
    check(unsafe { libc::setrlimit(resource, &raw const bounds) }).map(drop)
}

/// Sets the nice value.
pub(crate) fn set_nice(nice: i32) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) }).map(drop)
}

/// Sets this process's priority for disks: class in the upper three bits, level in the rest.
pub(crate) fn set_io_priority(priority: u16) -> io::Result<()> {
    let who_process: libc::c_int = 1;
    // SAFETY: integers only; 0 is this process.
    let result =
        unsafe { libc::syscall(libc::SYS_ioprio_set, who_process, 0, i32::from(priority)) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Sets the supplementary groups.
pub(crate) fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: length and pointer describe `groups`.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }).map(drop)
}

/// Gives the supplementary groups.
pub(crate) fn groups() -> io::Result<Vec<u32>> {
    // SAFETY: a length of 0 only asks for the number.
    let len = check(unsafe { libc::getgroups(0, std::ptr::null_mut()) })?;
    let mut groups = vec![0; usize::try_from(len).unwrap_or(0)];
    // SAFETY: length and pointer describe `groups`.
    check(unsafe { libc::getgroups(len, groups.as_mut_ptr()) })?;
    Ok(groups)
}

/// Sets real, effective and saved group id.
pub(crate) fn set_gid(gid: u32) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::setresgid(gid, gid, gid) }).map(drop)
}

/// Sets real, effective and saved user id.
pub(crate) fn set_uid(uid: u32) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::setresuid(uid, uid, uid) }).map(drop)
}

/// Whether real, effective and saved ids are all these.
pub(crate) fn has_ids(uid: u32, gid: u32) -> bool {
    let (mut u, mut g) = ([!uid; 3], [!gid; 3]);
    // SAFETY: six pointers to distinct writable integers.
    unsafe {
        libc::getresuid(&raw mut u[0], &raw mut u[1], &raw mut u[2]);
        libc::getresgid(&raw mut g[0], &raw mut g[1], &raw mut g[2]);
    }
    u == [uid; 3] && g == [gid; 3]
}

/// Gives up capabilities that would survive `execve` without root.
pub(crate) fn clear_ambient_capabilities() {
    let all = libc::PR_CAP_AMBIENT_CLEAR_ALL;
    // SAFETY: integers only; kernels without ambient capabilities refuse and have none.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, all, 0, 0, 0) };
}

/// Forbids gaining privileges, for ever.
pub(crate) fn set_no_new_privs() -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
}

/// Opens a file only to name it, by a path in which nothing is a symbolic link.
pub(crate) fn open_without_links(path: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: zeroes are a valid request; its fields are set below.
    let mut how: libc::open_how = unsafe { MaybeUninit::zeroed().assume_init() };
    how.flags = u64::from((libc::O_PATH | libc::O_CLOEXEC).cast_unsigned());
    how.resolve = libc::RESOLVE_NO_SYMLINKS;
    // SAFETY: a terminated string, and a request of the size that is named.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        )
    };
    let fd = check(i32::try_from(fd).unwrap_or(-1))?;
    // SAFETY: the call above made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Numbers of an open file: of its file system, and its own there.
pub(crate) fn file_number(file: &OwnedFd) -> io::Result<(u64, u64)> {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the pointer is to a writable stat.
    check(unsafe { libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: filled above; zeroes would be valid, too.
    let stat = unsafe { stat.assume_init() };
    Ok((stat.st_dev, stat.st_ino))
}

/// Replaces this program by an open file. Returns only with an error: `ENOENT` also for a script, whose interpreter would need
/// the descriptor.
pub(crate) fn execute_file(file: &OwnedFd, argv: &[CString], environment: &[CString]) -> io::Error {
    let (argv, environment) = (pointers(argv), pointers(environment));
    // SAFETY: terminated strings in null-terminated arrays that live until the call returns.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// Replaces this program. Returns only with an error.
pub(crate) fn execute(path: &CStr, argv: &[CString], environment: &[CString]) -> io::Error {
    let (argv, environment) = (pointers(argv), pointers(environment));
    // SAFETY: terminated strings in null-terminated arrays that live until the call returns.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    let strings = strings.iter().map(|s| s.as_ptr());
    strings.chain([std::ptr::null()]).collect()
}

//! Facts about the machine, for people and for placement.

use std::fs;
use std::io;
use std::num::NonZero;

/// What does not change while the agent runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineFacts {
    /// Host name.
    pub hostname: String,
    /// Operating system as it names itself, such as `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// Processor architecture, such as `x86_64`.
    pub arch: String,
    /// Processors the agent may use.
    pub cpus: u32,
    /// Main memory in bytes; 0 if unknown.
    pub memory_bytes: u64,
    /// Identity of this boot.
    pub boot_id: String,
}

/// What changes all the time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Load average over 1, 5 and 15 minutes.
    pub average: [f64; 3],
    /// Memory that new programs can have, in bytes.
    pub memory_available_bytes: u64,
}

impl MachineFacts {
    /// Reads the facts. What the system does not tell is empty or 0.
    #[must_use]
    pub fn read() -> Self {
        let uname = nix::sys::utsname::uname().ok();
        let text = |f: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
            let text = uname.as_ref().map(|u| f(u).to_string_lossy().into_owned());
            text.unwrap_or_default()
        };
        Self {
            hostname: text(|u| u.nodename()),
            os: fs::read_to_string("/etc/os-release")
                .ok()
                .and_then(|release| pretty_name(&release))
                .unwrap_or_else(|| text(|u| u.sysname())),
            kernel: text(|u| u.release()),
            arch: text(|u| u.machine()),
            cpus: std::thread::available_parallelism()
                .map_or(1, NonZero::get)
                .try_into()
                .unwrap_or(u32::MAX),
            memory_bytes: meminfo("MemTotal").unwrap_or(0),
            boot_id: boot_id().unwrap_or_default(),
        }
    }
}

impl Load {
    /// Reads the load.
    ///
    /// # Errors
    /// If `/proc` does not tell it.
    pub fn read() -> io::Result<Self> {
        let unclear = || io::Error::from(io::ErrorKind::InvalidData);
        let text = fs::read_to_string("/proc/loadavg")?;
        let mut words = text.split(' ').map_while(|word| word.parse().ok());
        let mut next = || words.next().ok_or_else(unclear);
        Ok(Self {
            average: [next()?, next()?, next()?],
            memory_available_bytes: meminfo("MemAvailable").ok_or_else(unclear)?,
        })
    }
}

/// Identity of this boot: changes with every reboot, the same in all containers of a machine.
///
/// # Errors
/// If `/proc` does not tell it.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

fn pretty_name(release: &str) -> Option<String> {
    let value = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches('"').to_owned())
}

/// Gives one line of `/proc/meminfo`, in bytes.
fn meminfo(key: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(key))?;
    let kib = line.trim_start_matches(':').trim().strip_suffix(" kB")?;
    kib.parse::<u64>().ok().map(|n| n * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_facts() {
        let facts = MachineFacts::read();
        assert!(!facts.hostname.is_empty() && !facts.os.is_empty() && !facts.arch.is_empty());
        assert!(facts.cpus >= 1 && facts.memory_bytes > 1 << 20);
        assert_eq!(facts.boot_id, boot_id().unwrap());
        let load = Load::read().unwrap();
        assert!(load.memory_available_bytes <= facts.memory_bytes);
        assert!(load.average.iter().all(|a| *a >= 0.0));
    }

    #[test]
    fn names_are_read_with_or_without_quotes() {
        let release = "ID=x\nPRETTY_NAME=\"Some Linux 1\"\n";
        assert_eq!(pretty_name(release).as_deref(), Some("Some Linux 1"));
        assert_eq!(pretty_name("PRETTY_NAME=Plain").as_deref(), Some("Plain"));
        assert_eq!(pretty_name("ID=x"), None);
    }
}

//! What the agent says about its machine.

use cronfleet_core::cgroup::CgroupSupport;
use cronfleet_wire::v1;

use crate::host::MachineFacts;

/// Reads the machine's facts as the link carries them. Whoever only joins has not looked at control groups.
pub(crate) fn facts(cgroups: Option<&CgroupSupport>) -> v1::Facts {
    let machine = MachineFacts::read();
    v1::Facts {
        hostname: machine.hostname,
        os: machine.os,
        arch: machine.arch,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        is_root: nix::unistd::Uid::effective().is_root(),
        cpu_count: machine.cpus,
        memory_total_bytes: machine.memory_bytes,
        boot_id: machine.boot_id,
        cgroups: cgroups.map(v1::Cgroups::from),
    }
}

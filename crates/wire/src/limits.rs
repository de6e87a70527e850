//! Messages ↔ limits of a process, what can enforce them, and what it took to end a process.

use cronfleet_core::cgroup::{CgroupMode, CgroupSupport, Controller};
use cronfleet_core::limits::{IoClass, IoPriority, ProcessLimits};
use cronfleet_core::order::{Cleanup, KillMeans};

use crate::convert::{MessageError, wrong};
use crate::v1;

pub(crate) fn write_limits(limits: &ProcessLimits) -> v1::Limits {
    v1::Limits {
        memory_max_bytes: limits.memory_max_bytes,
        cpu_max_millicores: limits.cpu_max_millicores,
        pids_max: limits.pids_max,
        open_files_max: limits.open_files_max,
        core_size_max_bytes: limits.core_size_max_bytes,
        nice: limits.nice,
        io_priority: limits.io_priority.map(|priority| v1::IoPriority {
            class: priority.class.word().to_owned(),
            level: priority.level.into(),
        }),
        oom_score_adj: limits.oom_score_adj,
        may_gain_privileges: limits.may_gain_privileges,
    }
}

pub(crate) fn read_limits(limits: v1::Limits) -> Result<ProcessLimits, MessageError> {
    let io_priority = limits.io_priority.map(|priority| {
        Ok(IoPriority {
            class: IoClass::from_word(&priority.class).ok_or(wrong("limits.io_priority.class"))?,
            level: u8::try_from(priority.level).map_err(|_| wrong("limits.io_priority.level"))?,
        })
    });
    Ok(ProcessLimits {
        memory_max_bytes: limits.memory_max_bytes,
        cpu_max_millicores: limits.cpu_max_millicores,
        pids_max: limits.pids_max,
        open_files_max: limits.open_files_max,
        core_size_max_bytes: limits.core_size_max_bytes,
        nice: limits.nice,
        io_priority: io_priority.transpose()?,
        oom_score_adj: limits.oom_score_adj,
        may_gain_privileges: limits.may_gain_privileges,
    })
}

pub(crate) fn write_cleanup(cleanup: Cleanup) -> v1::Cleanup {
    v1::Cleanup {
        stop_signal: cleanup.stop_signal,
        kill_means: cleanup.kill_means.map(|means| means.word().to_owned()),
        found: cleanup.found,
        left: cleanup.left,
    }
}

/// A means of a later version is left out: that something was killed still shows in what was found.
pub(crate) fn read_cleanup(cleanup: v1::Cleanup) -> Cleanup {
    Cleanup {
        stop_signal: cleanup.stop_signal,
        kill_means: cleanup.kill_means.as_deref().and_then(KillMeans::from_word),
        found: cleanup.found,
        left: cleanup.left,
    }
}

impl From<&CgroupSupport> for v1::Cgroups {
    fn from(support: &CgroupSupport) -> Self {
        let controllers = support.controllers.iter();
        Self {
            mode: support.mode.word().to_owned(),
            kill_means: support.kill_means.word().to_owned(),
            controllers: controllers.map(|one| one.word().to_owned()).collect(),
            detail: support.detail.clone(),
        }
    }
}

impl TryFrom<v1::Cgroups> for CgroupSupport {
    type Error = MessageError;

    /// Controllers of a later version are left out.
    fn try_from(cgroups: v1::Cgroups) -> Result<Self, MessageError> {
        let controllers = cgroups.controllers.iter();
        Ok(Self {
            mode: CgroupMode::from_word(&cgroups.mode).ok_or(wrong("cgroups.mode"))?,
            kill_means: KillMeans::from_word(&cgroups.kill_means)
                .ok_or(wrong("cgroups.kill_means"))?,
            controllers: controllers
                .filter_map(|word| Controller::from_word(word))
                .collect(),
            detail: cgroups.detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_survives_the_wire() {
        let support = CgroupSupport {
            mode: CgroupMode::Hybrid,
            kill_means: KillMeans::ControlGroup,
            controllers: vec![Controller::Memory, Controller::Pids],
            detail: "no cpu".to_owned(),
        };
        let mut message = v1::Cgroups::from(&support);
        message.controllers.push("from the future".to_owned());
        assert_eq!(CgroupSupport::try_from(message.clone()), Ok(support));
        message.mode = "other".to_owned();
        assert!(CgroupSupport::try_from(message).is_err());
    }
}

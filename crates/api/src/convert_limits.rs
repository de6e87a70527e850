//! Limits, and what it took to end a process, between the shapes of the REST interface and those of the domain.

use cronfleet_core::cgroup::CgroupSupport;
use cronfleet_core::limits as domain;

use crate::limits::{Cgroups, IoClass, IoPriority, Limits, Stragglers};

impl From<Stragglers> for domain::Stragglers {
    fn from(stragglers: Stragglers) -> Self {
        match stragglers {
            Stragglers::Kill => Self::Kill,
            Stragglers::Leave => Self::Leave,
        }
    }
}

impl From<domain::Stragglers> for Stragglers {
    fn from(stragglers: domain::Stragglers) -> Self {
        match stragglers {
            domain::Stragglers::Kill => Self::Kill,
            domain::Stragglers::Leave => Self::Leave,
        }
    }
}

impl From<Limits> for domain::ProcessLimits {
    fn from(limits: Limits) -> Self {
        Self {
            memory_max_bytes: limits.memory_max_bytes,
            cpu_max_millicores: limits.cpu_max_millicores,
            pids_max: limits.pids_max,
            open_files_max: limits.open_files_max,
            core_size_max_bytes: limits.core_size_max_bytes,
            nice: limits.nice,
            io_priority: limits.io_priority.map(|priority| domain::IoPriority {
                class: match priority.class {
                    IoClass::Realtime => domain::IoClass::Realtime,
                    IoClass::BestEffort => domain::IoClass::BestEffort,
                    IoClass::Idle => domain::IoClass::Idle,
                },
                level: priority.level,
            }),
            oom_score_adj: limits.oom_score_adj,
            may_gain_privileges: !limits.no_new_privileges,
        }
    }
}

impl From<domain::ProcessLimits> for Limits {
    fn from(limits: domain::ProcessLimits) -> Self {
        Self {
            memory_max_bytes: limits.memory_max_bytes,
            cpu_max_millicores: limits.cpu_max_millicores,
            pids_max: limits.pids_max,
            open_files_max: limits.open_files_max,
            core_size_max_bytes: limits.core_size_max_bytes,
            nice: limits.nice,
            io_priority: limits.io_priority.map(|priority| IoPriority {
                class: match priority.class {
                    domain::IoClass::Realtime => IoClass::Realtime,
                    domain::IoClass::BestEffort => IoClass::BestEffort,
                    domain::IoClass::Idle => IoClass::Idle,
                },
                level: priority.level,
            }),
            oom_score_adj: limits.oom_score_adj,
            no_new_privileges: !limits.may_gain_privileges,
        }
    }
}

impl From<CgroupSupport> for Cgroups {
    fn from(support: CgroupSupport) -> Self {
        let controllers = support.controllers.iter();
        Self {
            mode: support.mode.word().to_owned(),
            kill_means: support.kill_means.word().to_owned(),
            controllers: controllers.map(|one| one.word().to_owned()).collect(),
            detail: support.detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read_back_and_their_absence_limits_nothing() {
        let none: Limits = serde_json::from_str("{}").unwrap();
        assert_eq!(
            domain::ProcessLimits::from(none),
            domain::ProcessLimits::NONE
        );
        let json = r#"{"memory_max_bytes":67108864,"cpu_max_millicores":500,"pids_max":10,"open_files_max":100,
            "core_size_max_bytes":0,"nice":-5,"io_priority":{"class":"best_effort","level":7},"oom_score_adj":500,
            "no_new_privileges":false}"#;
        let all: Limits = serde_json::from_str(json).unwrap();
        let domain = domain::ProcessLimits::from(all);
        assert!(domain.may_gain_privileges && domain.nice == Some(-5));
        assert_eq!(Limits::from(domain), all);
        assert!(serde_json::from_str::<Limits>(r#"{"cpus":1}"#).is_err());
    }
}

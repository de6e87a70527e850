//! Stored form of what a process may use; part of [`crate::spec`], with its rules.

use cronfleet_core::limits::{IoClass, IoPriority, ProcessLimits};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// Absent fields are no limits; an older definition has none at all.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoredLimits {
    #[serde(skip_serializing_if = "is_default")]
    memory_max_bytes: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    cpu_max_millicores: Option<u32>,
    #[serde(skip_serializing_if = "is_default")]
    pids_max: Option<u32>,
    #[serde(skip_serializing_if = "is_default")]
    open_files_max: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    core_size_max_bytes: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    nice: Option<i32>,
    #[serde(skip_serializing_if = "is_default")]
    io_class: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    io_level: u8,
    #[serde(skip_serializing_if = "is_default")]
    oom_score_adj: Option<i32>,
    #[serde(skip_serializing_if = "is_default")]
    may_gain_privileges: bool,
}

/// Whether a field says no more than its absence would.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl From<&ProcessLimits> for StoredLimits {
    fn from(limits: &ProcessLimits) -> Self {
        let class = limits.io_priority.map(|priority| priority.class.word());
        Self {
            memory_max_bytes: limits.memory_max_bytes,
            cpu_max_millicores: limits.cpu_max_millicores,
            pids_max: limits.pids_max,
            open_files_max: limits.open_files_max,
            core_size_max_bytes: limits.core_size_max_bytes,
            nice: limits.nice,
            io_class: class.map(str::to_owned),
            io_level: limits.io_priority.map_or(0, |priority| priority.level),
            oom_score_adj: limits.oom_score_adj,
            may_gain_privileges: limits.may_gain_privileges,
        }
    }
}

impl TryFrom<StoredLimits> for ProcessLimits {
    type Error = StoreError;

    fn try_from(stored: StoredLimits) -> Result<Self, StoreError> {
        let io_priority = stored.io_class.map(|word| {
            Ok::<_, StoreError>(IoPriority {
                class: IoClass::from_word(&word)
                    .ok_or_else(|| StoreError::corrupt("io class", &word))?,
                level: stored.io_level,
            })
        });
        Ok(Self {
            memory_max_bytes: stored.memory_max_bytes,
            cpu_max_millicores: stored.cpu_max_millicores,
            pids_max: stored.pids_max,
            open_files_max: stored.open_files_max,
            core_size_max_bytes: stored.core_size_max_bytes,
            nice: stored.nice,
            io_priority: io_priority.transpose()?,
            oom_score_adj: stored.oom_score_adj,
            may_gain_privileges: stored.may_gain_privileges,
        })
    }
}

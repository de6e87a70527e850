//! What the process of a slot answered last, and what comes next in the slot by itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a probe of a live process found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Probe {
    /// What it was for.
    pub kind: ProbeKind,
    /// Whether the answer was the good one.
    pub is_ok: bool,
    /// Bad answers that count against the process; 0 for readiness.
    pub failures: u32,
    /// What was wrong, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What a probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Whether a new process serves yet.
    Readiness,
    /// Whether a running process still serves.
    Health,
}

/// What comes next in a slot by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextStep {
    /// A process is started.
    Start,
    /// The process is ready by then, or else is stopped.
    Ready,
    /// The process is replaced when its turn comes.
    Replace,
    /// The process would be replaced, but a new one of another slot is in a crash loop: replacing has stopped until that slot
    /// recovers or the job changes.
    ReplaceHalted,
    /// The process is replaced for its age.
    Recycle,
    /// The process is killed if it has not ended by then.
    Kill,
}

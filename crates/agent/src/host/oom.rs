//! What happens to the agent when the whole machine is out of memory.

use std::fs;

/// The agent is killed after everything else that may be killed at all. Its commands go back to 0, or to what their jobs say.
const SCORE: &str = "-900";

/// Asks the kernel to kill commands before the agent. Only root may.
pub(crate) fn ask_to_be_spared() {
    if let Err(error) = fs::write("/proc/self/oom_score_adj", SCORE) {
        tracing::info!(%error, "the agent is not protected when the machine runs out of memory");
    }
}

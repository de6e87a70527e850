//! Stored forms of what it took to end a process, and of what control groups can do on a machine: JSON with types of their
//! own. A reader ignores what it does not know.

use cronfleet_core::cgroup::{CgroupMode, CgroupSupport, Controller};
use cronfleet_core::order::{Cleanup, KillMeans};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::spec_limits::is_default;
use crate::sql::stored;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredCleanup {
    #[serde(skip_serializing_if = "is_default")]
    stop_signal: Option<i32>,
    #[serde(skip_serializing_if = "is_default")]
    kill_means: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    found: u32,
    #[serde(skip_serializing_if = "is_default")]
    left: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredSupport {
    mode: String,
    kill_means: String,
    controllers: Vec<String>,
    detail: String,
}

stored!(Cleanup as String, String, cleanup_text, |raw| cleanup(&raw));
stored!(
    CgroupSupport as String,
    String,
    support_text,
    |raw| support(&raw)
);

fn cleanup_text(cleanup: Cleanup) -> String {
    let means = cleanup.kill_means.map(KillMeans::word);
    text(&StoredCleanup {
        stop_signal: cleanup.stop_signal,
        kill_means: means.map(str::to_owned),
        found: cleanup.found,
        left: cleanup.left,
    })
}

fn cleanup(raw: &str) -> Result<Cleanup, StoreError> {
    let stored: StoredCleanup =
        serde_json::from_str(raw).map_err(|error| StoreError::corrupt("cleanup", error))?;
    Ok(Cleanup {
        stop_signal: stored.stop_signal,
        kill_means: stored.kill_means.as_deref().and_then(KillMeans::from_word),
        found: stored.found,
        left: stored.left,
    })
}

fn support_text(support: CgroupSupport) -> String {
    let controllers = support.controllers.iter();
    text(&StoredSupport {
        mode: support.mode.word().to_owned(),
        kill_means: support.kill_means.word().to_owned(),
        controllers: controllers.map(|one| one.word().to_owned()).collect(),
        detail: support.detail,
    })
}

fn support(raw: &str) -> Result<CgroupSupport, StoreError> {
    let corrupt = || StoreError::corrupt("control groups", raw);
    let stored: StoredSupport = serde_json::from_str(raw).map_err(|_| corrupt())?;
    let controllers = stored.controllers.iter();
    Ok(CgroupSupport {
        mode: CgroupMode::from_word(&stored.mode).ok_or_else(corrupt)?,
        kill_means: KillMeans::from_word(&stored.kill_means).ok_or_else(corrupt)?,
        controllers: controllers
            .filter_map(|word| Controller::from_word(word))
            .collect(),
        detail: stored.detail,
    })
}

/// Strings and numbers in structs always become JSON.
fn text(stored: &impl Serialize) -> String {
    serde_json::to_string(stored).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_reads_back() {
        let all = Cleanup {
            stop_signal: Some(15),
            kill_means: Some(KillMeans::ControlGroup),
            found: 200,
            left: 0,
        };
        for one in [all, Cleanup::default()] {
            assert_eq!(cleanup(&cleanup_text(one)).unwrap(), one);
        }
        let hybrid = CgroupSupport {
            mode: CgroupMode::Hybrid,
            kill_means: KillMeans::ControlGroup,
            controllers: vec![Controller::Memory, Controller::Pids],
            detail: "no cpu".to_owned(),
        };
        assert_eq!(support(&support_text(hybrid.clone())).unwrap(), hybrid);
    }

    #[test]
    fn what_is_stored_today_must_be_readable_for_ever() {
        let read = cleanup(r#"{"stop_signal":15,"kill_means":"descent","found":3,"left":1}"#);
        let expected = Cleanup {
            stop_signal: Some(15),
            kill_means: Some(KillMeans::Descent),
            found: 3,
            left: 1,
        };
        assert_eq!(read.unwrap(), expected);
        let json = r#"{"mode":"unified","kill_means":"control_group","controllers":["memory","x"],"detail":""}"#;
        assert_eq!(support(json).unwrap().controllers, [Controller::Memory]);
    }
}

//! Where centers are: the addresses that the agent was told at its start, and those that centers have told since.
//!
//! What centers tell is kept in the data directory, so that an agent finds them although the center that it joined is gone. It
//! comes over mutual TLS, and whoever answers at an address has to show a certificate of the fleet's authority: a wrong address
//! costs a try, nothing else. So an address that is no longer told is kept for a while: the center there may have been restarted
//! or suspended, and be the only one that is left the next moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cronfleet_core::id::AgentId;
use serde::{Deserialize, Serialize};

use crate::identity::replace;

const FILE: &str = "centers.json";
/// Addresses that are kept of what centers tell.
const LEARNED_MAX: usize = 32;
/// Addresses that are kept of what centers told before and tell no more, last told first.
const FORMER_MAX: usize = 8;
/// Longest address that is kept.
const LENGTH_MAX: usize = 300;

/// The file.
#[derive(Serialize, Deserialize)]
struct Stored {
    centers: Vec<String>,
    #[serde(default)]
    former: Vec<String>,
}

/// All addresses, and which one it is the turn of.
#[derive(Debug)]
pub(crate) struct Addresses {
    file: PathBuf,
    told: Vec<String>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    learned: Vec<String>,
    former: Vec<String>,
    current: String,
}

impl Addresses {
    /// Begins with what it was told, and what it had learned before. Agents begin at different centers, each at the same one
    /// again and again.
    pub(crate) fn open(data_dir: &Path, told: Vec<String>, agent: AgentId) -> Self {
        let file = data_dir.join(FILE);
        let (learned, former) = fs::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok())
            .map_or_else(Default::default, |stored| {
                (
                    acceptable(stored.centers, LEARNED_MAX),
                    acceptable(stored.former, FORMER_MAX),
                )
            });
        let all = together([&told, &learned]);
        let place = agent.as_uuid().as_u128() % all.len().max(1) as u128;
        let current = all.into_iter().nth(place as usize).unwrap_or_default();
        Self {
            file,
            told,
            state: Mutex::new(State {
                learned,
                former,
                current,
            }),
        }
    }

    /// The address to dial.
    pub(crate) fn current(&self) -> String {
        self.lock().current.clone()
    }

    /// Goes on to the next address.
    pub(crate) fn advance(&self) {
        let mut state = self.lock();
        let all = together([&self.told, &state.learned, &state.former]);
        let place = all.iter().position(|address| *address == state.current);
        let next = place.map_or(0, |place| (place + 1) % all.len());
        if let Some(next) = all.into_iter().nth(next) {
            state.current = next;
        }
    }

    /// Takes over what a center tells; nothing is no news.
    pub(crate) fn learn(&self, centers: &[String]) {
        let centers = acceptable(centers.to_vec(), LEARNED_MAX);
        let former = {
            let mut state = self.lock();
            if centers.is_empty() || centers == state.learned {
                return;
            }
            let mut former = together([&state.learned, &state.former]);
            former.retain(|address| !centers.contains(address));
            former.truncate(FORMER_MAX);
            state.former.clone_from(&former);
            state.learned.clone_from(&centers);
            former
        };
        tracing::info!(centers = centers.join(" "), "the centers of the fleet are");
        let stored = serde_json::to_vec_pretty(&Stored { centers, former });
        let written = stored
            .map_err(std::io::Error::from)
            .and_then(|bytes| replace(&self.file, &bytes));
        if let Err(error) = written {
            tracing::warn!(%error, "the addresses of centers cannot be kept");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn acceptable(mut addresses: Vec<String>, count_max: usize) -> Vec<String> {
    addresses.retain(|address| !address.is_empty() && address.len() <= LENGTH_MAX);
    addresses.truncate(count_max);
    addresses
}

/// All of these in their order, each once.
fn together<const N: usize>(lists: [&[String]; N]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for address in lists.into_iter().flatten() {
        if !all.contains(address) {
            all.push(address.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn round(addresses: &Addresses, count: usize) -> Vec<String> {
        let step = |_| {
            addresses.advance();
            addresses.current()
        };
        (0..count).map(step).collect()
    }

    #[test]
    fn what_was_told_and_what_was_learned_take_turns_and_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let agent = AgentId::from_u128(0);
        let addresses = Addresses::open(dir.path(), names(&["a:1"]), agent);
        assert_eq!(addresses.current(), "a:1");
        assert_eq!(round(&addresses, 2), names(&["a:1", "a:1"]));
        addresses.learn(&names(&["b:1", "a:1", ""]));
        assert_eq!(addresses.current(), "a:1", "learning moves nobody");
        assert_eq!(round(&addresses, 3), names(&["b:1", "a:1", "b:1"]));
        addresses.learn(&[]);
        addresses.learn(&names(&["c:1"]));
        assert_eq!(
            round(&addresses, 3),
            names(&["a:1", "c:1", "b:1"]),
            "b may come back"
        );
        let again = Addresses::open(dir.path(), names(&["a:1"]), AgentId::from_u128(1));
        assert_eq!(again.current(), "c:1", "another agent begins elsewhere");
        assert_eq!(round(&again, 2), names(&["b:1", "a:1"]));
        fs::write(dir.path().join(FILE), "nonsense").unwrap();
        let again = Addresses::open(dir.path(), names(&["a:1"]), agent);
        assert_eq!(round(&again, 1), names(&["a:1"]));
    }

    #[test]
    fn a_list_that_is_too_long_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let addresses = Addresses::open(dir.path(), Vec::new(), AgentId::from_u128(0));
        let many: Vec<String> = (0..100).map(|n| format!("center{n}:8781")).collect();
        addresses.learn(&many);
        assert_eq!(addresses.lock().learned.len(), LEARNED_MAX);
        addresses.learn(&["x".repeat(LENGTH_MAX + 1)]);
        assert_eq!(addresses.lock().learned.len(), LEARNED_MAX);
        for n in 0..100 {
            addresses.learn(&names(&[&format!("moved{n}:8781")]));
        }
        let state = addresses.lock();
        assert_eq!(state.former.len(), FORMER_MAX);
        assert_eq!(state.former[0], "moved98:8781", "last told first");
    }
}

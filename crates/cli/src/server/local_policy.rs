//! The policy of `cronfleet up`: one machine, one user, who starts it and wants to see something run.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cronfleet_agent::policy::{POLICY_FILE, PolicySource};

use crate::failure::Failure;

/// Its name inside the data directory.
const NAME: &str = "agent-policy.toml";

/// Where the policy of the agent in `up` comes from: the machine's own file if there is one, else a file in the data directory,
/// which is written the first time and belongs to the user from then on.
pub(super) fn source(data_dir: &Path, user: &str) -> Result<PolicySource, Failure> {
    let machine = PathBuf::from(POLICY_FILE);
    if machine.exists() {
        return Ok(PolicySource::Required(machine));
    }
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| Failure::File {
            doing,
            path,
            source,
        }
    };
    std::fs::create_dir_all(data_dir).map_err(failed("create", data_dir))?;
    // The agent follows no symbolic link on the way to its policy.
    let real = data_dir.canonicalize().map_err(failed("find", data_dir))?;
    let path = real.join(NAME);
    let created = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o644)
        .open(&path);
    match created {
        Ok(mut file) => file
            .write_all(text(user).as_bytes())
            .map_err(failed("write", &path))?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed("write", &path)(error)),
    }
    Ok(PolicySource::Required(path))
}

fn text(user: &str) -> String {
    format!(
        "# The policy of the agent that \"cronfleet up\" runs on this machine. It was written once and is yours to change;
# SIGHUP or a restart makes it count. docs/operations.md explains every key, \"cronfleet agent policy check\" a decision.
#
# It lets jobs run as {user}, who started it{warning}.
# A machine of a fleet has its own policy in {POLICY_FILE}, which comes before this file.
version = 1

[run_as]
allow = [{user:?}]
min_uid = 0
deny_root = {is_root_denied}
deny_groups = []
",
        warning = if user == "root" {
            ": whoever may edit jobs in the console is root here"
        } else {
            ""
        },
        is_root_denied = user != "root",
    )
}

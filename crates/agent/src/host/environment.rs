//! The environment a command starts with: built from nothing, never inherited from the agent.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::user::RunUser;

const PATH_ROOT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PATH_USER: &str = "/usr/local/bin:/usr/bin:/bin";
const LANG: &str = "C.UTF-8";

/// Why a set of variables cannot be an environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A name is empty, or holds `=` or NUL.
    #[error("{name:?} cannot be the name of an environment variable")]
    Name {
        /// The name.
        name: OsString,
    },
    /// A value holds NUL.
    #[error("the value of environment variable {name:?} holds a NUL byte")]
    Value {
        /// Name of the variable.
        name: OsString,
    },
}

/// Builds the whole environment of a command, sorted by name.
///
/// The base is `HOME USER LOGNAME SHELL` of the user, a plain `PATH` and `LANG=C.UTF-8`. The job's own variables come
/// over it, `extra` (what Cronfleet itself says, such as the run's id) over both. Which names a job may set is policy
/// and decided elsewhere.
///
/// # Errors
/// [`EnvironmentError`] for a name or value that no environment can hold.
pub fn build_environment<N, V>(
    user: &RunUser,
    job: impl IntoIterator<Item = (N, V)>,
    extra: impl IntoIterator<Item = (N, V)>,
) -> Result<Vec<(OsString, OsString)>, EnvironmentError>
where
    N: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    let path = if user.uid == 0 { PATH_ROOT } else { PATH_USER };
    let mut variables: BTreeMap<OsString, OsString> = BTreeMap::from([
        ("HOME".into(), user.home.clone().into_os_string()),
        ("LANG".into(), LANG.into()),
        ("LOGNAME".into(), user.name.clone().into()),
        ("PATH".into(), path.into()),
        ("SHELL".into(), user.shell.clone().into_os_string()),
        ("USER".into(), user.name.clone().into()),
    ]);
    for (name, value) in job.into_iter().chain(extra) {
        let (name, value) = (name.as_ref(), value.as_ref());
        check(name, value)?;
        variables.insert(name.to_owned(), value.to_owned());
    }
    Ok(variables.into_iter().collect())
}

/// Refuses what `execve(2)` could not pass on faithfully.
pub(super) fn check(name: &OsStr, value: &OsStr) -> Result<(), EnvironmentError> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) {
        return Err(EnvironmentError::Name {
            name: name.to_owned(),
        });
    }
    if value.as_bytes().contains(&0) {
        return Err(EnvironmentError::Value {
            name: name.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> RunUser {
        RunUser {
            name: "app".to_owned(),
            uid: 1000,
            gid: 1000,
            groups: vec![1000],
            home: "/home/app".into(),
            shell: "/bin/sh".into(),
        }
    }

    #[test]
    fn later_layers_win() {
        let job = [("PATH", "/opt/bin"), ("CRONFLEET_RUN", "forged"), ("A", "")];
        let built = build_environment(&user(), job, [("CRONFLEET_RUN", "7")]).unwrap();
        let text: Vec<String> = built
            .iter()
            .map(|(n, v)| format!("{}={}", n.display(), v.display()))
            .collect();
        assert_eq!(
            text.join(" "),
            "A= CRONFLEET_RUN=7 HOME=/home/app LANG=C.UTF-8 LOGNAME=app PATH=/opt/bin SHELL=/bin/sh USER=app"
        );
    }

    #[test]
    fn impossible_names_and_values_are_refused() {
        for name in ["", "A=B", "A\0"] {
            assert!(matches!(
                build_environment(&user(), [(name, "x")], []),
                Err(EnvironmentError::Name { .. })
            ));
        }
        assert!(matches!(
            build_environment(&user(), [("A", "x\0")], []),
            Err(EnvironmentError::Value { .. })
        ));
    }
}

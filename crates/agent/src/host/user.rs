//! Users that commands run as.

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Uid, User, getgrouplist};

/// A user of this machine with everything a launch needs, read once from the system's user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunUser {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// The full group list, primary group included.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

/// Why a name cannot be run as.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// This machine has no user of that name. Numbers are not names.
    #[error("this machine has no user {name:?}")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// The user database answered for another name, or with an id that means "nobody at all" to system calls.
    #[error("the user database gave an unusable entry for {name:?}")]
    Unusable {
        /// The name asked for.
        name: String,
    },
    /// The user database could not be asked.
    #[error("cannot look up user {name:?}")]
    Lookup {
        /// The name asked for.
        name: String,
        /// What the system said.
        #[source]
        source: nix::Error,
    },
}

impl UserError {
    /// Stable code of the reason, as runs carry it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "user_unknown",
            Self::Unusable { .. } | Self::Lookup { .. } => "identity_failed",
        }
    }
}

/// Finds a user by exact login name, with all supplementary groups (as `getpwnam` and `getgrouplist` see them, so
/// directory services count). May block for as long as those services take.
///
/// # Errors
/// [`UserError::Unknown`] if there is no such user, else [`UserError::Unusable`] or [`UserError::Lookup`].
pub fn resolve_user(name: &str) -> Result<RunUser, UserError> {
    let lookup = |source| UserError::Lookup {
        name: name.to_owned(),
        source,
    };
    let unknown = || UserError::Unknown {
        name: name.to_owned(),
    };
    if name.is_empty() || name.contains('\0') {
        return Err(unknown());
    }
    let user = User::from_name(name).map_err(lookup)?.ok_or_else(unknown)?;
    // Some directory services ignore case or read numbers; what was allowed is this name and no other.
    // The id -1 would make setresuid(2) leave the identity as it is.
    if user.name != name || user.uid.as_raw() == u32::MAX || user.gid.as_raw() == u32::MAX {
        return Err(UserError::Unusable {
            name: name.to_owned(),
        });
    }
    let c_name = CString::new(name).map_err(|_| unknown())?;
    let groups = getgrouplist(&c_name, user.gid).map_err(lookup)?;
    Ok(RunUser {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
        home: user.dir,
        shell: user.shell,
    })
}

/// Name of a group, if it has one. May block like [`resolve_user`].
#[must_use]
pub fn group_name(gid: u32) -> Option<String> {
    let group = nix::unistd::Group::from_gid(nix::unistd::Gid::from_raw(gid));
    group.ok().flatten().map(|group| group.name)
}

impl RunUser {
    /// Whether the agent already has this user's id and needs no privilege to run as it.
    #[must_use]
    pub fn is_self(&self) -> bool {
        Uid::effective().as_raw() == self.uid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_with_its_groups() {
        let root = resolve_user("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert_eq!(root.home, PathBuf::from("/root"));
    }

    #[test]
    fn what_is_not_a_login_name_is_unknown() {
        for name in [
            "",
            "0",
            "#0",
            "+0",
            " root",
            "root\n",
            "4294967295",
            "no-such-user",
            "a\0b",
        ] {
            let error = resolve_user(name).unwrap_err();
            assert_eq!(error.code(), "user_unknown", "{name:?}");
        }
    }
}

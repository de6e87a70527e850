//! A user as a policy needs to know it.

use cronfleet_core::policy::{Group, User};

use crate::host::{RunUser, UserError, group_name, resolve_user};

/// A user with the names of its groups.
#[derive(Debug, Clone)]
pub(crate) struct KnownUser {
    pub(crate) user: RunUser,
    groups: Vec<Group>,
}

impl KnownUser {
    /// Looks a user up. Blocking, for as long as directory services take.
    ///
    /// # Errors
    /// [`UserError`].
    pub(crate) fn look_up(name: &str) -> Result<Self, UserError> {
        let user = resolve_user(name)?;
        let mut gids = user.groups.clone();
        gids.push(user.gid);
        gids.sort_unstable();
        gids.dedup();
        let groups = gids.into_iter().map(|gid| Group {
            gid,
            name: group_name(gid),
        });
        Ok(Self {
            groups: groups.collect(),
            user,
        })
    }

    /// The user in the words of a policy.
    pub(crate) fn as_policy_user(&self) -> User {
        User {
            name: self.user.name.clone(),
            uid: self.user.uid,
            groups: self.groups.clone(),
        }
    }
}

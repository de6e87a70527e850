//! Who may do what: roles per group, and the one place that decides.

use crate::id::{GroupId, UserId};

/// What a user may do in a group; each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// See jobs, runs, output.
    Viewer,
    /// Run, kill, pause, resume, restart slots.
    Operator,
    /// Create and edit jobs.
    Editor,
    /// Delete jobs, manage members.
    Owner,
}

impl Role {
    /// All roles, weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Editor, Self::Owner];

    /// The word in SQL and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    /// Reads [`Role::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// A signed-in user with everything that decides about access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// User.
    pub user: UserId,
    /// May do everything everywhere.
    pub is_admin: bool,
    /// Role in each group the user belongs to.
    pub roles: Vec<(GroupId, Role)>,
}

impl Principal {
    /// Role in a group: `Owner` everywhere for an administrator, `None` without membership.
    pub fn role_in(&self, group: GroupId) -> Option<Role> {
        if self.is_admin {
            return Some(Role::Owner);
        }
        self.roles
            .iter()
            .find(|(id, _)| *id == group)
            .map(|(_, role)| *role)
    }

    /// The groups whose things this user may see or, with a higher `least`, act on.
    pub fn reach(&self, least: Role) -> Reach {
        if self.is_admin {
            return Reach::Everything;
        }
        let mut groups: Vec<GroupId> = self
            .roles
            .iter()
            .filter(|(_, role)| *role >= least)
            .map(|(id, _)| *id)
            .collect();
        groups.sort_unstable();
        Reach::Groups(groups)
    }
}

/// Which groups' rows a query may touch. Every query that answers a user takes one and puts it into its `WHERE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All rows (administrators, and the center itself).
    Everything,
    /// Rows of these groups only; empty means none.
    Groups(Vec<GroupId>),
}

impl Reach {
    /// Whether rows of this group are within reach. For events in flight; lists are filtered in SQL.
    pub fn includes(&self, group: GroupId) -> bool {
        match self {
            Self::Everything => true,
            Self::Groups(groups) => groups.contains(&group),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_holds_the_groups_with_at_least_the_role() {
        let (a, b) = (GroupId::from_u128(1), GroupId::from_u128(2));
        let user = Principal {
            user: UserId::from_u128(9),
            is_admin: false,
            roles: vec![(b, Role::Viewer), (a, Role::Editor)],
        };
        assert_eq!(user.reach(Role::Viewer), Reach::Groups(vec![a, b]));
        assert_eq!(user.reach(Role::Operator), Reach::Groups(vec![a]));
        assert_eq!(user.reach(Role::Owner), Reach::Groups(vec![]));
        assert_eq!(user.role_in(b), Some(Role::Viewer));
        assert_eq!(user.role_in(GroupId::from_u128(3)), None);
    }

    #[test]
    fn an_administrator_reaches_everything() {
        let admin = Principal {
            user: UserId::from_u128(1),
            is_admin: true,
            roles: vec![],
        };
        assert_eq!(admin.reach(Role::Owner), Reach::Everything);
        assert_eq!(admin.role_in(GroupId::from_u128(7)), Some(Role::Owner));
    }
}

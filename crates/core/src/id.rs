//! Identifiers: one newtype per thing, so that two of them cannot be swapped.
//!
//! Ids are UUIDs. Random ones are minted by the shells (from one seeded generator per component); a [`RunId`] is derived from
//! its key by [`crate::run::RunKey::id`], which is what makes the same run the same run everywhere.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a {kind} id, which is a UUID such as 018f4b1e-0000-7000-8000-000000000000"
)]
pub struct ParseIdError {
    /// What kind of id was expected.
    pub kind: &'static str,
    /// The text.
    pub text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Wraps 128 bits as they are.
            pub const fn from_u128(bits: u128) -> Self {
                Self(Uuid::from_u128(bits))
            }

            /// The UUID.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| ParseIdError { kind: $kind, text: text.chars().take(64).collect() })
            }
        }
    };
}

id!(
    /// A job.
    JobId, "job"
);
id!(
    /// A window in which nothing starts.
    WindowId, "window"
);
id!(
    /// A calendar that people keep.
    CalendarId, "calendar"
);
id!(
    /// A run: one attempt of one due instant on one target.
    RunId, "run"
);
id!(
    /// One life of a command in a daemon slot.
    ProcessId, "process"
);
id!(
    /// An agent.
    AgentId, "agent"
);
id!(
    /// A group.
    GroupId, "group"
);
id!(
    /// A user.
    UserId, "user"
);
id!(
    /// A life on an agent's host: a run or a daemon process. Names its run folder, its spool and its output.
    LifeId, "life"
);

impl From<RunId> for LifeId {
    fn from(id: RunId) -> Self {
        Self(id.0)
    }
}

impl From<ProcessId> for LifeId {
    fn from(id: ProcessId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let id = JobId::from_u128(0x018f_4b1e_0000_7000_8000_0000_0000_00ff);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(
            "nonsense".parse::<JobId>(),
            Err(ParseIdError {
                kind: "job",
                text: "nonsense".to_owned()
            })
        );
    }
}

//! Messages between agent and shim, and between a shim and the process it prepares.
//!
//! ```text
//! shim  → agent   Ready        the process is prepared and waits one step before its command
//! agent → shim    GO           execute it (the only thing an agent ever says; silence means: leave)
//! shim  → agent   Started      the command is running
//! shim  → agent   Failed       it could not be prepared or executed; the shim leaves
//! shim  → agent   Output       the spool has grown (at most every 50 ms)
//! ```
//! The socket keeps message borders. When the agent's end closes before `GO`, nothing is ever started.

use crate::step::{Step, StepError};

/// Version of this protocol, carried by [`Message::Ready`].
pub const VERSION: u8 = 1;

/// The agent's one message: execute the command.
pub const GO: u8 = b'G';

/// Length of an encoded [`Message`] in bytes.
pub const MESSAGE_LEN: usize = 6;

/// What a shim says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The process is prepared.
    Ready {
        /// Protocol version of the shim.
        version: u8,
    },
    /// The command could not be prepared or executed.
    Failed(StepError),
    /// The command is running.
    Started,
    /// The spool has grown.
    Output,
}

impl Message {
    /// Gives the bytes to send.
    #[must_use]
    pub fn encode(self) -> [u8; MESSAGE_LEN] {
        let (tag, detail, errno) = match self {
            Self::Ready { version } => (b'R', version, 0),
            Self::Failed(error) => (b'E', error.step.number(), error.errno),
            Self::Started => (b'S', 0, 0),
            Self::Output => (b'O', 0, 0),
        };
        let [a, b, c, d] = errno.to_le_bytes();
        [tag, detail, a, b, c, d]
    }

    /// Reads a message; `None` for what this version does not know, which readers ignore.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let &[tag, detail, a, b, c, d] = bytes else {
            return None;
        };
        match tag {
            b'R' => Some(Self::Ready { version: detail }),
            b'E' => Some(Self::Failed(StepError {
                step: Step::from_number(detail)?,
                errno: i32::from_le_bytes([a, b, c, d]),
            })),
            b'S' => Some(Self::Started),
            b'O' => Some(Self::Output),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_wire() {
        let failed = StepError {
            step: Step::Directory,
            errno: 13,
        };
        for message in [
            Message::Ready { version: VERSION },
            Message::Failed(failed),
            Message::Started,
            Message::Output,
        ] {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
        assert_eq!(Message::decode(b""), None);
        assert_eq!(Message::decode(b"E\xff0000"), None);
        assert_eq!(Message::decode(b"?00000"), None);
    }
}

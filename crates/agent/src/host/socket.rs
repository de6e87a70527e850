//! The agent's end of the start protocol.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use cronfleet_shim::control::{GO, MESSAGE_LEN, Message};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::pidfd;

/// A connection to one shim. Closing it before [`ShimSocket::go`] tells the shim to leave.
#[derive(Debug)]
pub(super) struct ShimSocket {
    fd: AsyncFd<OwnedFd>,
}

/// Makes the two ends of a connection, neither of them inherited by accident.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SockType::SeqPacket;
    Ok(socketpair(
        AddressFamily::Unix,
        kind,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?)
}

impl ShimSocket {
    /// Makes one end awaitable.
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            fd: pidfd::watch(fd)?,
        })
    }

    /// Receives the next message that this version knows; `None` when the shim is gone. Cancel-safe.
    pub(super) async fn receive(&self) -> io::Result<Option<Message>> {
        loop {
            let mut bytes = [0; MESSAGE_LEN];
            let receive_now =
                |fd: &OwnedFd| Ok(recv(fd.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT)?);
            let len = match self.fd.async_io(Interest::READABLE, receive_now).await {
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => 0,
                other => other?,
            };
            if len == 0 {
                return Ok(None);
            }
            if let Some(message) = Message::decode(&bytes[..len]) {
                return Ok(Some(message));
            }
        }
    }

    /// Releases the command.
    pub(super) fn go(&self) -> io::Result<()> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        send(self.fd.as_raw_fd(), &[GO], flags)?;
        Ok(())
    }
}

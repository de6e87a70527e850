//! Telling the service manager how it goes: the protocol of `sd_notify(3)`, which is one datagram with a line or two.
//!
//! Without a service manager that listens nothing happens.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use nix::time::{ClockId, clock_gettime};

/// The variable that names the socket.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The server does its work from now on.
pub(super) fn ready() {
    tell("READY=1");
}

/// The server reads its configuration again; [`ready`] ends it.
pub(super) fn reloading() {
    let at = clock_gettime(ClockId::CLOCK_MONOTONIC);
    let us = at.map_or(0, |at| at.tv_sec() * 1_000_000 + at.tv_nsec() / 1_000);
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={us}"));
}

/// The server is about to end.
pub(super) fn stopping() {
    tell("STOPPING=1");
}

fn tell(state: &str) {
    let Some(socket) = std::env::var_os(SOCKET) else {
        return;
    };
    let bytes = socket.as_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&socket),
    };
    let sent = address.and_then(|address| {
        let from = UnixDatagram::unbound()?;
        from.send_to_addr(state.as_bytes(), &address)
    });
    if let Err(error) = sent {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

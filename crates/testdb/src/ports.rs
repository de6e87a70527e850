//! Addresses on loopback that stay a test's own.
//!
//! A port that the kernel handed out and got back is anybody's: the next test, a browser or the product itself may be given it
//! before the program that was meant to listen there starts, or while it is down for a moment. Ports below the range from which
//! the kernel hands out never go to somebody who did not ask for them.

use std::net::TcpListener;
use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::id;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, bail};

/// Where the kernel says from which range it hands out.
const HANDED_OUT: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Below it are the ports of common servers.
const LOWEST: u16 = 15_000;
/// From here on the kernel usually hands out.
const HIGHEST: u16 = 32_768;

/// Reservations of this process: given back when it ends, however it does.
static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
/// How many ports this process has looked at.
static LOOKED_AT: AtomicU16 = AtomicU16::new(0);

/// An address on loopback where nobody listens, and which no other call in this network namespace returns while this process
/// lives.
///
/// # Errors
/// Every port is taken, or the kernel does not tell which ports it hands out.
pub fn reserved_address() -> anyhow::Result<String> {
    let ports = ports()?;
    // Processes of one test run have neighbouring ids: they begin far apart.
    let start = id().wrapping_mul(7_919) % u32::from(ports.end - ports.start);
    for _ in ports.clone() {
        let step = u32::from(LOOKED_AT.fetch_add(1, Ordering::Relaxed));
        let offset = (start + step) % u32::from(ports.end - ports.start);
        let port = ports.start + u16::try_from(offset)?;
        // The name of a socket in the abstract namespace lives as long as the process that holds it.
        let name = SocketAddr::from_abstract_name(format!("cronfleet-test-port-{port}"))?;
        let Ok(reservation) = UnixListener::bind_addr(&name) else {
            continue;
        };
        let address = format!("127.0.0.1:{port}");
        if TcpListener::bind(&address).is_ok() {
            RESERVED
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(reservation);
            return Ok(address);
        }
    }
    bail!("every port of {ports:?} is taken")
}

/// What may be reserved: below what the kernel hands out, if that leaves any.
fn ports() -> anyhow::Result<Range<u16>> {
    let range = std::fs::read_to_string(HANDED_OUT).with_context(|| HANDED_OUT.to_owned())?;
    let first: u16 = range
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok())
        .with_context(|| format!("{HANDED_OUT} reads {range:?}"))?;
    let leaves_some = first > LOWEST;
    Ok(LOWEST..if leaves_some {
        first.min(HIGHEST)
    } else {
        HIGHEST
    })
}

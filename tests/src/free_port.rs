//! Ports for servers that cannot be told "any port, and say which".
//! Dovecot and smtp-sink are such servers; whoever can bind port 0 does not come here.
//!
//! The system gives the ports of its own range ([`OURS`] lies below it) to any connection that begins, so that a port of
//! that range, seen free now, may be somebody's a moment later. Tests of other processes keep off by a lock for each port.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::Mutex;

/// How often a server is started anew when another process took its port in between.
pub(crate) const TRIES: usize = 5;
/// Below 32768, where Linux begins to give ports to connections (ip(7), `ip_local_port_range`), and above what servers have.
const OURS: Range<u16> = 20_000..32_000;

/// The locks of the ports that this process was given: held until it ends.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A loopback address where nobody listens, given to nobody else while this process lives.
/// A program that is no test may take it all the same; callers start again then, [`TRIES`] times.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    let folder = std::env::temp_dir().join("unpause-ports");
    fs::create_dir_all(&folder)?;
    let n_ports = OURS.end - OURS.start;
    // Processes that run together have numbers that are near: they begin far from each other.
    let spread = std::process::id().wrapping_mul(97) % u32::from(n_ports);
    let first = u16::try_from(spread).unwrap_or(0);
    for place in (first..n_ports).chain(0..first) {
        let port = OURS.start + place;
        let lock = File::create(folder.join(port.to_string()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(e)) => return Err(e),
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            let mut held = HELD
                .lock()
                .map_err(|_| io::Error::other("a test panicked"))?;
            held.push(lock);
            return Ok(address);
        }
    }
    Err(io::Error::other(format!("no port of {OURS:?} is free")))
}

/// Whether something accepts connections there.
pub(crate) async fn accepts(address: SocketAddr) -> bool {
    tokio::net::TcpStream::connect(address).await.is_ok()
}

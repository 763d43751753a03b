//! Ports for servers that cannot be told "any port, and say which".
//! Dovecot and smtp-sink are such servers; whoever can bind port 0 does not come here.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// How often a server is started anew when another process took its port in between.
pub(crate) const TRIES: usize = 5;

/// A loopback address nobody listens on at this moment.
/// Another process may take it before the caller does; callers start again then, [`TRIES`] times.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Whether something accepts connections there.
pub(crate) async fn accepts(address: SocketAddr) -> bool {
    tokio::net::TcpStream::connect(address).await.is_ok()
}

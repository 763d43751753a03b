//! What systemd and a service say to one another: the sockets that it holds for the relay from boot on
//! (`sd_listen_fds(3)`), and when the relay is ready and when it stops (`sd_notify(3)`). Where no systemd asks, nothing of
//! it happens.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use sd_notify::NotifyState;

/// A socket that systemd handed over is none that the relay can serve on.
#[derive(Debug, thiserror::Error)]
#[error(
    "what systemd handed over is no TCP socket that listens: write addresses with ports into unpause.socket, as in ListenStream=127.0.0.1:7411"
)]
pub struct HandedError(#[source] io::Error);

/// The sockets that systemd holds for this process, and where each listens; none where no systemd does.
pub fn take_listeners() -> Result<Vec<(SocketAddr, TcpListener)>, HandedError> {
    let mut handed = ListenFd::from_env();
    let mut taken = Vec::new();
    for idx in 0..handed.len() {
        if let Some(socket) = handed.take_tcp_listener(idx).map_err(HandedError)? {
            taken.push((socket.local_addr().map_err(HandedError)?, socket));
        }
    }
    Ok(taken)
}

/// Tells that requests are served from now on.
pub fn tell_ready() {
    tell(NotifyState::Ready);
}

/// Tells that the relay comes to its end in order, which may take until a server has answered.
pub fn tell_stopping() {
    tell(NotifyState::Stopping);
}

fn tell(state: NotifyState<'_>) {
    // Without a service of systemd's there is nobody to tell, and that is no failure.
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told how the relay stands");
    }
}

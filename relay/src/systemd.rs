//! What systemd and a service say to one another: the socket that it holds for the relay from boot on
//! (`sd_listen_fds(3)`), and when the relay is ready and when it stops (`sd_notify(3)`). Where no systemd asks, nothing of
//! it happens.

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;
use sd_notify::NotifyState;

/// Why the sockets that systemd handed over cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HandedError {
    /// There is more than one.
    #[error(
        "systemd handed over {found} sockets, and the relay takes one: leave one ListenStream= in unpause.socket"
    )]
    Many {
        /// How many.
        found: usize,
    },
    /// It is none that the relay can serve on.
    #[error(
        "what systemd handed over is no TCP socket that listens: write ListenStream=127.0.0.1:7411 into unpause.socket"
    )]
    NoTcp(#[source] io::Error),
}

/// The socket that systemd holds for this process; `None` where it holds none.
pub fn take_listener() -> Result<Option<TcpListener>, HandedError> {
    let mut handed = ListenFd::from_env();
    if handed.len() > 1 {
        return Err(HandedError::Many {
            found: handed.len(),
        });
    }
    handed.take_tcp_listener(0).map_err(HandedError::NoTcp)
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

//! The person at the terminal ends a command: ctrl-c, or SIGTERM. What ending means is the caller's.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ReconnectError;

/// Listens from when it is made, so that no signal ends the process half-way.
#[derive(Debug)]
pub(in crate::cli) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    pub(in crate::cli) fn listen() -> Result<Self, ReconnectError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(ReconnectError::Signals)?,
            terminate: signal(SignalKind::terminate()).map_err(ReconnectError::Signals)?,
        })
    }

    /// Waits for a signal. One that came before is not lost.
    pub(in crate::cli) async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

//! `unpause serve`: the relay in the foreground, until it is told to stop.

use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use crate::clock::Clock;
use crate::config::Config;
use crate::log;
use crate::running::RunningApp;
use crate::systemd;

pub(super) async fn serve(config: Config) -> Result<(), CliError> {
    log::start(&config)?;
    // Before anything is opened: from here on a signal ends the relay in order.
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Signals)?;
    let held = systemd::take_listeners()?;
    let running = RunningApp::start_on(config, Clock::system(), held).await?;
    tracing::info!(address = %running.address(), "the relay listens");
    systemd::tell_ready();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("the relay stops");
    systemd::tell_stopping();
    running.stop().await;
    Ok(())
}

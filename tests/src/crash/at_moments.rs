//! Kills at moments that the seed decides, where the servers are not ours: what the relay was at is read from what it
//! has to find out after its start.

use std::time::Duration;

use anyhow::Result;
use protocol::request::reconnect::ReconnectState;
use rand::RngExt as _;

use super::{POINT_WITHIN, Run};
use crate::wait::wait_for;

/// Longer than a message takes with the gap before the next one.
const SENDING_US: u64 = 40_000;
/// Longer than a reconnect is verified.
const VERIFYING_US: u64 = 400_000;

impl Run<'_> {
    /// Kills it a moment after another message has arrived.
    pub(super) async fn kill_sending_at_moment(&mut self) -> Result<&'static str> {
        let before = self.servers.delivered()?.len();
        let wanted = before + self.rng.random_range(1..6);
        let passed = async || (self.servers.delivered().ok()?.len() >= wanted).then_some(());
        let busy = wait_for("some messages", passed, POINT_WITHIN)
            .await
            .is_ok();
        self.wait_a_moment(SENDING_US).await;
        self.relay.kill()?;
        self.relay.start_again().await?;
        let states = &mut self.summary.kills_by_state;
        Ok(if busy {
            states.sending += 1;
            "while it sent"
        } else {
            states.idle += 1;
            "while nothing was due"
        })
    }

    /// Ends the permission, begins a reconnect and kills it a moment later.
    pub(super) async fn kill_verifying_at_moment(&mut self) -> Result<&'static str> {
        self.mean_another();
        self.servers.revoke(&self.person()?.address).await?;
        self.wait_disconnected().await?;
        let id = self.sign_in().await?;
        self.wait_a_moment(VERIFYING_US).await;
        self.relay.kill()?;
        self.relay.start_again().await?;
        self.summary.kills_by_state.verifying += 1;
        let over = self.device.wait_over(&id).await?;
        if over.state != ReconnectState::Resumed {
            self.click_again(&over).await?;
        }
        Ok("while it verified a reconnect, or just after")
    }

    /// The one place where time is all that is to be waited for: any moment will do.
    async fn wait_a_moment(&mut self, at_most_us: u64) {
        let us = self.rng.random_range(0..at_most_us);
        tokio::time::sleep(Duration::from_micros(us)).await;
    }
}

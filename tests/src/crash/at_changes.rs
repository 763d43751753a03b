//! Power cuts as the disk is asked for something: what it was asked last never comes to be.

use anyhow::{Context as _, Result};
use protocol::request::reconnect::ReconnectState;
use rand::RngExt as _;

use super::{POINT_WITHIN, Run};
use crate::wait::wait_for;

/// More changes and syncs than a few messages take.
const SENDING_CHANGES: u64 = 400;
/// More than a reconnect takes.
const VERIFYING_CHANGES: u64 = 250;
/// More than a start takes.
const STARTING_CHANGES: u64 = 150;
/// One cut in so many is followed by another one while the relay starts.
const STARTING_SHARE: u32 = 3;

impl Run<'_> {
    /// Cuts the power at a change of the disk, while it sends or while it verifies a reconnect.
    pub(super) async fn kill_at_change(&mut self, verifying: bool) -> Result<&'static str> {
        let reconnect = if verifying {
            self.mean_another();
            self.servers.revoke(&self.person()?.address).await?;
            self.wait_disconnected().await?;
            Some(self.sign_in().await?)
        } else {
            None
        };
        let within = reconnect
            .as_ref()
            .map_or(SENDING_CHANGES, |_| VERIFYING_CHANGES);
        self.stop_disk_within(within)?;
        let stopped = self.wait_stopped().await;
        self.relay.kill()?;
        let states = &mut self.summary.kills_by_state;
        let mut what = match (stopped, verifying) {
            (true, false) => {
                states.writing += 1;
                "while it asked its disk for something"
            }
            (true, true) => {
                states.verifying += 1;
                "while it asked its disk for something of a reconnect"
            }
            (false, _) => {
                states.idle += 1;
                "while nothing was due"
            }
        };
        if self.rng.random_range(0..STARTING_SHARE) == 0 {
            self.stop_disk_within(STARTING_CHANGES)?;
            self.relay.begin_again()?;
            if self.wait_stopped().await {
                self.summary.kills_by_state.starting += 1;
                self.summary.kills += 1;
                what = "and again while it started";
            }
            self.relay.kill()?;
        }
        self.relay.start_again().await?;
        if let Some(id) = reconnect {
            let over = self.device.wait_over(&id).await?;
            if over.state != ReconnectState::Resumed {
                self.click_again(&over).await?;
            }
        }
        Ok(what)
    }

    fn stop_disk_within(&mut self, n_changes: u64) -> Result<()> {
        let n = self.rng.random_range(0..n_changes);
        self.relay.disk().context("no disk")?.stop_after(n);
        Ok(())
    }

    async fn wait_stopped(&self) -> bool {
        let is_stopped = async || self.relay.disk()?.is_stopped().then_some(());
        wait_for("the disk to stop", is_stopped, POINT_WITHIN)
            .await
            .is_ok()
    }
}

//! The end of every order of events: all goes well from here on, and the campaign must come to its end.

use std::time::Duration;

use protocol::campaign::State as CampaignState;
use protocol::connection::Connection;
use protocol::delivery::{Decision, State, StateName};

use super::server::Fate;
use super::world::World;

/// Rounds of good luck until the campaign must be over; each goes on to the next instant at which something
/// is due, or is looked at again: a doubt whose server makes no copies any more takes some dozens of looks.
const ROUNDS_AT_MOST: usize = 1_000;

impl World {
    /// `mishaps` are the replies that are lost all the same, before all goes well.
    pub(crate) async fn drain(&mut self, mut mishaps: Vec<Fate>) {
        for _ in 0..ROUNDS_AT_MOST {
            if matches!(self.status().await, CampaignState::Finished { .. }) {
                self.check_nothing_lost().await;
                return;
            }
            self.one_good_round(&mut mishaps).await;
            self.check().await;
        }
        panic!(
            "all went well, and the campaign did not end: {:?} {:?}",
            self.status().await,
            self.list().await
        );
    }

    async fn one_good_round(&mut self, mishaps: &mut Vec<Fate>) {
        while !self.flights.is_empty() {
            self.accept(0, false).await;
        }
        self.resume().await;
        for inbox in 0..Self::INBOXES {
            self.reconnect(inbox).await;
            self.read_gap(inbox).await;
            self.settle(inbox).await;
            while self.claim(inbox).await {
                match mishaps.pop() {
                    Some(fate) => self.lose_reply(0, fate).await,
                    None => self.accept(0, false).await,
                }
            }
        }
        let unsettled = self
            .store()
            .list_deliveries(&self.campaign, Some(StateName::Unsettled), 100)
            .await
            .unwrap();
        for row in unsettled {
            let decision = if self.server.accepted(&row.id).is_empty() {
                Decision::SendAgain
            } else {
                Decision::Leave
            };
            self.decide(0, decision).await;
        }
        let mut next = self.find_next_due().await;
        for (idx, inbox) in self.inboxes.iter().enumerate() {
            if !self.store().list_doubts(inbox).await.unwrap().is_empty() {
                let soon = self.now + Duration::from_secs(20);
                let look_at = self.look_at[idx].filter(|at| *at > self.now);
                let look_at = look_at.unwrap_or(soon);
                next = Some(next.map_or(look_at, |next| next.min(look_at)));
            }
        }
        // Never more than is needed, or a wait that was cut short would go unseen.
        let next = next
            .unwrap_or(self.now)
            .max(self.now + Duration::from_millis(1));
        self.wait(next.since(self.now));
    }

    /// Makes the inbox work, if it does not.
    pub(crate) async fn reconnect(&mut self, inbox: usize) {
        let id = self.inboxes[inbox].clone();
        loop {
            let connected = matches!(
                self.store().load_inbox(&id).await.unwrap().connection,
                Connection::Connected { .. }
            );
            if connected && !self.store().is_reconnecting(&id).await.unwrap() {
                return;
            }
            self.step_reconnect(inbox).await;
        }
    }

    async fn check_nothing_lost(&self) {
        for row in self.list().await {
            let arrived = !self.server.accepted(&row.id).is_empty();
            match row.status {
                State::Accepted { .. } | State::Bounced { .. } => {
                    assert!(
                        arrived || self.left.contains_key(&row.id),
                        "{row:?} is lost"
                    );
                }
                State::Rejected { .. } | State::Suppressed { .. } | State::Cancelled => {}
                _ => panic!("finished, and {row:?}"),
            }
        }
    }
}

//! What people do: the one whose campaign it is, and those who get its messages.

use protocol::campaign::{PausedBy, State};
use protocol::cause::Cause;
use protocol::delivery::{Decision, StateName};
use protocol::evidence::Stage;
use protocol::standing::{Alike, Refusal, Remote};
use relay::store::StoreError;
use relay::store::addressed::Addressed;
use relay::store::doubt::Bounced;
use relay::text::arrival::Named;

use super::world::{Hold, World};

/// A bounce that is the lead's own, however many there are.
fn of_one_gateway() -> Bounced {
    Bounced {
        refusal: Refusal {
            alike: Alike {
                stage: Stage::Body,
                code: None,
                enhanced: None,
            },
            cause: Cause::RecipientRejected,
            is_inbox_wide: false,
            words: "no such mailbox".to_owned(),
        },
        remote: Remote::Other("gateway.example".to_owned()),
    }
}

impl World {
    pub(crate) async fn decide(&mut self, nth: usize, decision: Decision) {
        let unsettled = self
            .store()
            .list_deliveries(&self.campaign, Some(StateName::Unsettled), 100)
            .await
            .unwrap();
        let Some(idx) = nth.checked_rem(unsettled.len()) else {
            return;
        };
        let id = unsettled[idx].id.clone();
        match decision {
            Decision::Leave => {
                self.left.insert(id.clone(), self.now);
            }
            Decision::SendAgain => *self.sent_again.entry(id.clone()).or_default() += 1,
            Decision::Cancel => {
                self.stopped.insert(unsettled[idx].lead.clone());
            }
        }
        self.store()
            .record_decision(&id, decision, self.now)
            .await
            .unwrap();
    }

    pub(super) async fn reply(&mut self, nth: usize) {
        if let Some(addressed) = self.find_arrived(nth).await {
            self.store().note_reply(&addressed, self.now).await.unwrap();
            self.stopped.insert(addressed.lead);
        }
    }

    pub(super) async fn bounce(&mut self, nth: usize) {
        if let Some(addressed) = self.find_arrived(nth).await {
            self.store()
                .note_bounce(&addressed, &of_one_gateway(), self.now)
                .await
                .unwrap();
            self.stopped.insert(addressed.lead);
        }
    }

    pub(super) async fn find_arrived(&self, nth: usize) -> Option<Addressed> {
        let arrived = self.server.list_arrived(self.now);
        let (id, message_id) = &arrived[nth.checked_rem(arrived.len())?];
        let mut found = None;
        for inbox in &self.inboxes {
            let named = Named {
                ids: vec![message_id.clone()],
                ..Named::default()
            };
            let here = self
                .store()
                .find_named(inbox, &named, self.now)
                .await
                .unwrap();
            found = found.or(here);
        }
        let found = found.expect("a message that was sent is known by its id");
        assert_eq!(found.delivery, *id);
        Some(found)
    }

    pub(super) async fn pause(&mut self) {
        match self.store().pause_campaign(&self.campaign, self.now).await {
            Ok(()) | Err(StoreError::Conflict(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn resume(&mut self) {
        let before = self.status().await;
        match self.store().resume_campaign(&self.campaign, self.now).await {
            Ok(()) => {
                let State::Paused {
                    by: PausedBy::Person,
                    since,
                } = before
                else {
                    panic!("a person resumed what was {before:?}");
                };
                self.pauses.push(Hold {
                    from: since,
                    to: self.now,
                });
            }
            Err(StoreError::Conflict(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

//! What becomes of an inbox's connection: failures, probes, and reconnects step by step.

use std::time::Duration;

use protocol::connection::{Event, Patience, Probes};
use protocol::evidence::{Evidence, Party, Said, Stage as At};
use protocol::provider::ProviderId;
use protocol::reconnect::{self, Stage, State};
use protocol::reply::OAuthReply;
use protocol::timestamp::Timestamp;
use relay::store::reconnect::{Advance, Reconnect};

use super::world::{Hold, World};

const PATIENCE: Patience = Patience {
    slow_retry_after: Duration::from_secs(20),
    at_most: Duration::from_mins(10),
};

impl World {
    pub(super) async fn fail(&self, inbox: usize, evidence: Evidence) {
        if !self.works(inbox).await {
            return;
        }
        let event = Event::Failed(evidence);
        self.move_connection(inbox, event).await;
    }

    pub(crate) async fn probe(&self, inbox: usize, passes: bool) {
        let token = (!passes).then(|| refused_grant(self.now));
        let probes = Probes {
            token,
            ..Probes::default()
        };
        let event = Event::Probed(Box::new(probes));
        self.move_connection(inbox, event).await;
    }

    pub(super) async fn move_connection(&self, inbox: usize, event: Event) {
        self.store()
            .move_connection(&self.inboxes[inbox], event, self.now, PATIENCE)
            .await
            .unwrap();
    }

    pub(super) async fn find_reconnect(&self, inbox: usize) -> Option<Reconnect> {
        let open = self.store().list_open_reconnects().await.unwrap();
        open.into_iter()
            .find(|one| one.inbox == self.inboxes[inbox])
    }

    pub(crate) async fn step_reconnect(&mut self, inbox: usize) {
        let Some(open) = self.find_reconnect(inbox).await else {
            let until = self.now + Duration::from_mins(10);
            let id = &self.inboxes[inbox];
            let (_, joined) = self
                .store()
                .start_reconnect(id, self.now, until)
                .await
                .unwrap();
            assert!(!joined);
            let (_, joined) = self
                .store()
                .start_reconnect(id, self.now, until)
                .await
                .unwrap();
            assert!(joined, "a second start joins the first");
            return;
        };
        let stage = |stage| Advance {
            stage,
            payload: None,
            signed_in: None,
        };
        let id = &open.id;
        match open.state {
            State::Started { .. } => {
                self.store().grant_reconnect(id, "sealed").await.unwrap();
            }
            State::Granted => {
                let advance = stage(Stage::Refreshed);
                self.store().advance_reconnect(id, advance).await.unwrap();
            }
            State::Verifying {
                stage: Stage::Adopted,
            } => {
                let (receipt, _) = self.store().resume(id, self.now).await.unwrap();
                assert_eq!(
                    receipt.held,
                    receipt.to_send + receipt.skipped + receipt.in_doubt
                );
                self.outages[inbox].push(Hold {
                    from: receipt.lost_at,
                    to: self.now,
                });
            }
            State::Verifying {
                stage: Stage::Refreshed,
            } => {
                let advance = stage(Stage::SignedIn);
                self.store().advance_reconnect(id, advance).await.unwrap();
            }
            State::Verifying { .. } => {
                self.store()
                    .adopt_reconnect(
                        id,
                        reconnect::Event::Adopted,
                        "sealed for the inbox",
                        None,
                        self.now,
                        PATIENCE,
                    )
                    .await
                    .unwrap();
            }
            over => panic!("an open reconnect is {over:?}"),
        }
    }

    pub(super) async fn refuse_reconnect(&mut self, inbox: usize) {
        let adopted = State::Verifying {
            stage: Stage::Adopted,
        };
        let open = self.find_reconnect(inbox).await;
        if let Some(open) = open.filter(|open| open.state != adopted) {
            let evidence = refused_grant(self.now);
            let changed = self
                .store()
                .refuse_reconnect(&open.id, &evidence, None, self.now)
                .await
                .unwrap();
            assert!(changed.is_some());
        }
    }

    pub(crate) async fn read_gap(&mut self, inbox: usize) {
        if self.works(inbox).await {
            let id = &self.inboxes[inbox];
            self.store().close_gap(id, self.now).await.unwrap();
        }
    }
}

pub(super) fn refused_grant(now: Timestamp) -> Evidence {
    let reply = OAuthReply {
        http_status: Some(400),
        error: Some("invalid_grant".to_owned()),
        description: String::new(),
    };
    evidence(Party::Oauth, At::Refresh, Said::Oauth(reply), now)
}

pub(super) fn evidence(party: Party, stage: At, said: Said, seen_at: Timestamp) -> Evidence {
    Evidence {
        party,
        stage,
        said,
        provider: ProviderId::new("sandbox"),
        seen_at,
    }
}

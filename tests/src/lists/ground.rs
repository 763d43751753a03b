//! A store with one inbox and one long campaign, and everything that is measured on it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use protocol::budget::Budget;
use protocol::campaign::Step;
use protocol::cause::Cause;
use protocol::connection::{CONFIRMATIONS, Connection, Event as ConnectionEvent, Patience, Probes};
use protocol::delivery::{Event, StateName};
use protocol::evidence::{Evidence, Party, Said, Stage as At};
use protocol::id::{CampaignId, DeliveryId, InboxId, ReceiptId};
use protocol::inbox::{MailServer, TlsMode};
use protocol::provider::ProviderId;
use protocol::reconnect::{self, Stage};
use protocol::reply::OAuthReply;
use protocol::standing::{Alike, End, Refusal, Rests, Tried, Wish};
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::engine::pace::pace;
use relay::engine::turns::take_turn;
use relay::record::NewLead;
use relay::store::Store;
use relay::store::delivery::{Claim, Ended, Job};
use relay::store::inbox::NewInbox;
use relay::store::reconnect::Advance;
use relay::store::standing::Told;
use relay::tag::Tags;
use relay::text::arrival::Answer;
use tempfile::TempDir;

use crate::clock::Stopwatch;

/// The least time between two messages.
const GAP: Duration = Duration::from_mins(1);
/// How long an outage lasts.
const OUTAGE: Duration = Duration::from_hours(1);
const PATIENCE: Patience = Patience {
    slow_retry_after: Duration::from_secs(20),
    at_most: Duration::from_mins(10),
};

/// What arrives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrival {
    /// An answer to a message of ours.
    Ours,
    /// An answer to somebody else's.
    Strange,
}

pub(super) struct Ground {
    clock: Clock,
    store: Store,
    inbox: InboxId,
    campaign: CampaignId,
    accepted: Vec<Job>,
    /// The delivery before the last page.
    last: Option<DeliveryId>,
    reconnect: Option<protocol::id::ReconnectId>,
    _folder: TempDir,
}

impl Ground {
    pub(super) async fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
        let now = clock.now();
        let store = Store::open(&folder.path().join("unpause.db"), &clock).await?;
        let server = MailServer {
            host: "127.0.0.1".to_owned(),
            port: 1,
            tls: TlsMode::Implicit,
        };
        let new = NewInbox {
            address: "jane@acme.example".parse()?,
            provider: ProviderId::new("sandbox"),
            smtp: server.clone(),
            imap: server,
            budget: Budget {
                distance: GAP,
                daily_cap: None,
            },
        };
        let connected = Connection::Connected {
            since: now,
            dismissed: None,
        };
        let inbox = store.create_inbox(new, &connected, now).await?.id;
        store.close_gap(&inbox, now).await?;
        let step = |wait_ms| Step {
            subject: "Hello".to_owned(),
            body: "Hello".to_owned(),
            wait_ms,
            ..Step::default()
        };
        let steps = [step(0), step(60_000), step(86_400_000)];
        let inboxes = std::slice::from_ref(&inbox);
        let campaign = store
            .create_campaign("Long", inboxes, &steps, now)
            .await?
            .id;
        Ok(Self {
            clock,
            store,
            inbox,
            campaign,
            accepted: Vec::new(),
            last: None,
            reconnect: None,
            _folder: folder,
        })
    }

    pub(super) async fn import(&self, n_leads: u32) -> Result<()> {
        let mut leads = Vec::new();
        for n in 0..n_leads {
            leads.push(NewLead {
                row: u64::from(n) + 2,
                address: format!("lead{n}@domain{}.example", n % 97).parse()?,
                fields: BTreeMap::new(),
            });
        }
        self.store.import_leads(&self.campaign, &leads).await?;
        Ok(())
    }

    pub(super) async fn start(&self) -> Result<()> {
        let now = self.clock.now();
        self.store.start_campaign(&self.campaign, now).await?;
        Ok(())
    }

    /// Pages through all deliveries, and notes the one before the last page.
    pub(super) async fn page_through(&mut self) -> Result<()> {
        let id = &self.campaign;
        let mut page = self.store.list_deliveries(id, None, 1_000).await?;
        loop {
            let Some(last) = page.last() else {
                return Ok(());
            };
            self.last = page.iter().nth_back(100).map(|one| one.id.clone());
            let behind = last.id.clone();
            page = self
                .store
                .list_deliveries_after(id, None, &behind, 1_000)
                .await?;
        }
    }

    fn new_claim(&self) -> Claim {
        let now = self.clock.now();
        Claim {
            owes_copy: false,
            inbox: self.inbox.clone(),
            domain: "acme.example".to_owned(),
            now,
            lease_until: now + Duration::from_mins(30),
            sent: None,
            take_turn,
            pace,
            tags: Tags::new([7; 32]),
            rests: rests(),
        }
    }

    /// Lets the inbox's distance to its last try pass.
    pub(super) fn pass_distance(&self) {
        self.clock.advance(GAP * 2);
    }

    pub(super) async fn claim(&self) -> Result<Job> {
        let job = self.store.claim_delivery(&self.new_claim()).await?;
        job.context("nothing was claimed")
    }

    pub(super) async fn accept(&mut self, job: &Job) -> Result<()> {
        let at = self.clock.now();
        self.end(job, Event::Accepted { at }, End::Accepted).await?;
        self.accepted.push(job.clone());
        Ok(())
    }

    async fn end(&self, job: &Job, event: Event, end: End) -> Result<()> {
        let ended = Ended {
            event,
            words: "250 2.0.0 OK".to_owned(),
            wire_id: None,
            told: Some(Told {
                tried: Tried {
                    delivery: job.id.clone(),
                    domain: job.to.domain().to_owned(),
                    is_own: false,
                    end,
                },
                rests: rests(),
            }),
        };
        let now = self.clock.now();
        self.store.finish_delivery(job, &ended, now, None).await?;
        Ok(())
    }

    /// How long it takes to claim a delivery that shows whose the refusals before it are.
    pub(super) async fn time_control(&mut self) -> Result<Duration> {
        loop {
            let standing = self.store.load_inbox(&self.inbox).await?.standing;
            match standing.wish(self.clock.now()) {
                Wish::Nothing { until } => {
                    let until = until.context("the inbox asks")?;
                    self.clock.advance(until.since(self.clock.now()));
                }
                Wish::Control { .. } => break,
                Wish::Next | Wish::Again(_) => {
                    let Some(job) = self.store.claim_delivery(&self.new_claim()).await? else {
                        self.clock.advance(Duration::from_mins(1));
                        continue;
                    };
                    let refusal = Refusal {
                        alike: Alike {
                            stage: At::Rcpt,
                            code: Some(550),
                            enhanced: None,
                        },
                        cause: Cause::RecipientRejected,
                        is_inbox_wide: false,
                        words: "550 no".to_owned(),
                    };
                    let cause = Cause::RecipientRejected;
                    self.end(&job, Event::Rejected { cause }, End::Refused(refusal))
                        .await?;
                }
            }
        }
        self.pass_distance();
        let began = Stopwatch::begin();
        let job = self.claim().await?;
        let took = began.elapsed();
        self.accept(&job).await?;
        Ok(took)
    }

    pub(super) async fn arrive(&self, what: Arrival, nth: usize) -> Result<()> {
        let now = self.clock.now();
        let job = self.accepted.get(nth).context("too little was accepted")?;
        let answer = match what {
            Arrival::Ours => Answer {
                to: vec![job.message_id.clone()],
                ..Answer::default()
            },
            Arrival::Strange => Answer {
                to: vec![format!("somebody-else-wrote-this-{nth}@elsewhere.example")],
                from: Some("stranger@elsewhere.example".to_owned()),
                subjects: vec!["Hello".to_owned()],
                ..Answer::default()
            },
        };
        let own = "jane@acme.example".parse()?;
        let found = self
            .store
            .find_answered(&self.inbox, &own, &answer, now)
            .await?;
        if let Some(addressed) = found {
            self.store.note_reply(&addressed, now).await?;
        }
        Ok(())
    }

    /// What `GET /v1/status` reads.
    pub(super) async fn look(&self) -> Result<()> {
        self.store.list_inboxes().await?;
        self.store.list_waits(None).await?;
        self.store.list_campaigns().await?;
        Ok(())
    }

    /// What a campaign's page reads.
    pub(super) async fn open_campaign(&self) -> Result<()> {
        self.store.load_campaign(&self.campaign).await?;
        for state in [None, Some(StateName::Unsettled)] {
            self.store
                .list_deliveries(&self.campaign, state, 100)
                .await?;
        }
        Ok(())
    }

    /// The last page of its deliveries.
    pub(super) async fn open_last_deliveries(&self) -> Result<()> {
        let (id, last) = (&self.campaign, self.last.as_ref());
        let last = last.context("nothing was started")?;
        self.store
            .list_deliveries_after(id, None, last, 100)
            .await?;
        Ok(())
    }

    pub(super) async fn lose(&self) -> Result<()> {
        let reply = OAuthReply {
            http_status: Some(400),
            error: Some("invalid_grant".to_owned()),
            description: String::new(),
        };
        let evidence = Evidence {
            party: Party::Oauth,
            stage: At::Refresh,
            said: Said::Oauth(reply),
            provider: ProviderId::new("sandbox"),
            seen_at: self.clock.now(),
        };
        self.decide(ConnectionEvent::Failed(evidence.clone()))
            .await?;
        for _ in 0..CONFIRMATIONS {
            let probes = Probes {
                token: Some(evidence.clone()),
                ..Probes::default()
            };
            self.decide(ConnectionEvent::Probed(Box::new(probes)))
                .await?;
        }
        self.clock.advance(OUTAGE);
        Ok(())
    }

    async fn decide(&self, event: ConnectionEvent) -> Result<()> {
        let now = self.clock.now();
        self.store
            .move_connection(&self.inbox, event, now, PATIENCE)
            .await?;
        Ok(())
    }

    pub(super) async fn adopt(&mut self) -> Result<()> {
        let now = self.clock.now();
        let until = now + Duration::from_mins(10);
        let (open, _) = self.store.start_reconnect(&self.inbox, now, until).await?;
        self.store.grant_reconnect(&open.id, "sealed").await?;
        for stage in [Stage::Refreshed, Stage::SignedIn] {
            let advance = Advance {
                stage,
                payload: None,
                signed_in: None,
            };
            self.store.advance_reconnect(&open.id, advance).await?;
        }
        let by = reconnect::Event::Adopted;
        self.store
            .adopt_reconnect(&open.id, by, "sealed for the inbox", None, now, PATIENCE)
            .await?;
        self.reconnect = Some(open.id);
        Ok(())
    }

    pub(super) async fn resume(&mut self) -> Result<ReceiptId> {
        let id = self.reconnect.take().context("nothing was adopted")?;
        let (receipt, _) = self.store.resume(&id, self.clock.now()).await?;
        Ok(receipt.id)
    }

    /// How many lines a receipt has, and how long it took to read all of them.
    pub(super) async fn read_receipt(&self, id: &ReceiptId) -> Result<(u32, Duration)> {
        let began = Stopwatch::begin();
        self.store.load_receipt(id, |_| true).await?;
        let mut n_lines = 0;
        loop {
            let lines = self.store.list_receipt_lines(id, n_lines, 100).await?;
            if lines.is_empty() {
                return Ok((n_lines, began.elapsed()));
            }
            n_lines += u32::try_from(lines.len())?;
        }
    }

    pub(super) async fn list_receipts(&self) -> Result<()> {
        self.store.list_receipts(None, None).await?;
        Ok(())
    }
}

/// As the relay is shipped.
fn rests() -> Rests {
    Rests::of(Duration::from_mins(1))
}

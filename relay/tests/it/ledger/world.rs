//! A relay's store, its senders and the world around them: each event does what the workers would do, and
//! keeps its own books of what happened. What must hold afterwards stands in `invariants`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use protocol::budget::Budget;
use protocol::campaign::{State as CampaignState, Step};
use protocol::connection::Connection;
use protocol::delivery::Decision;
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::provider::{SentCopy, Submission};
use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::record::NewLead;
use relay::store::Store;
use relay::store::delivery::Job;
use relay::store::inbox::NewInbox;
use tempfile::TempDir;

use super::connecting::refused_grant;
use super::server::{Fate, Server};

use crate::inbox;

/// One thing that happens. Numbers choose among what is there; where there is nothing, nothing happens.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// The inbox's sender takes what is due.
    Claim { inbox: usize },
    /// 2yz to the final dot.
    Accept { job: usize, claim_next: bool },
    /// A refusal; nothing is stored.
    Refuse { job: usize, how: Refusal },
    /// The connection is lost after the final dot.
    LoseReply { job: usize, fate: Fate },
    /// The process is killed and started again, perhaps while it writes that a message was accepted.
    Kill {
        fates: [Fate; 4],
        torn_after: Option<usize>,
    },
    /// Nobody renews the leases until they run out.
    ExpireLeases { fates: [Fate; 4] },
    /// A sender renews its lease.
    RenewLease { job: usize },
    /// A sender that lost its lease writes all the same.
    WriteStale { job: usize },
    /// The sent folder is looked at.
    Settle { inbox: usize },
    /// The sent folder is made anew.
    RenumberFolder { inbox: usize },
    /// A person decides about an unsettled delivery.
    Decide { nth: usize, decision: Decision },
    /// A recipient answers.
    Reply { nth: usize },
    /// A DSN comes back.
    Bounce { nth: usize },
    /// A person pauses the campaign.
    Pause,
    /// A person resumes it.
    Resume,
    /// The inbox is refused.
    Fail { inbox: usize },
    /// A suspect inbox is probed.
    Probe { inbox: usize, passes: bool },
    /// The inbox is refused until nobody doubts it.
    Lose { inbox: usize },
    /// The inbox's reconnect is started if need be, and succeeds.
    Reconnect { inbox: usize },
    /// The inbox's reconnect is started, or goes on by one stage.
    StepReconnect { inbox: usize },
    /// The inbox's reconnect is refused.
    RefuseReconnect { inbox: usize },
    /// What arrived is read, so that sending may begin.
    ReadGap { inbox: usize },
    /// Time passes until the next delivery is due.
    WaitUntilDue,
    /// Time passes.
    Wait { seconds: u64 },
}

/// How a server refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    Recipient,
    Greylisted,
    Message,
    SignIn,
    Closing,
    Unreachable,
}

/// A conversation under way.
pub(crate) struct Flight {
    pub(crate) inbox: usize,
    pub(crate) job: Job,
}

/// An interval in which the follow-ups' waits do not pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// What a case begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) n_leads: u64,
    pub(crate) n_steps: usize,
    pub(crate) copies_by_server: bool,
    /// After how many copies the server stops making them; `None` where it never does.
    pub(crate) copies_stop_after: Option<usize>,
}

pub(crate) struct World {
    pub(super) folder: TempDir,
    pub(super) clock: Clock,
    /// `None` only between a kill and the next start.
    pub(super) store: Option<Store>,
    pub(crate) now: Timestamp,
    pub(crate) server: Server,
    pub(crate) inboxes: Vec<InboxId>,
    pub(crate) campaign: CampaignId,
    pub(crate) steps: Vec<Step>,
    pub(crate) flights: Vec<Flight>,
    pub(super) stale: Vec<Flight>,
    /// How often a person chose to send a delivery again.
    pub(crate) sent_again: HashMap<DeliveryId, usize>,
    /// When a person took a delivery as sent.
    pub(crate) left: HashMap<DeliveryId, Timestamp>,
    /// Leads that answered, or whose message came back.
    pub(crate) stopped: HashSet<LeadId>,
    /// When each delivery was last handed over in an attempt that may have been taken.
    pub(crate) attempted: HashMap<DeliveryId, Timestamp>,
    /// When the open doubts of each inbox are looked at again.
    pub(crate) look_at: Vec<Option<Timestamp>>,
    /// When each inbox last handed over what may have been taken.
    pub(crate) handed_over: Vec<Option<Timestamp>>,
    /// A person's pauses.
    pub(crate) pauses: Vec<Hold>,
    /// The outages of each inbox that a reconnect ended.
    pub(crate) outages: Vec<Vec<Hold>>,
}

impl World {
    pub(crate) const INBOXES: usize = 2;

    /// A campaign that two inboxes send.
    pub(crate) async fn start(shape: Shape) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_ms(1_000_000_000);
        let clock = Clock::manual(now);
        let store = Store::open(&database(&folder), &clock).await.unwrap();
        let mut inboxes = Vec::new();
        for name in ["jane", "june"] {
            let new = new_inbox(name);
            let connected = Connection::Connected {
                since: now,
                dismissed: None,
            };
            let inbox = store.create_inbox(new, &connected, now).await.unwrap();
            store.close_gap(&inbox.id, now).await.unwrap();
            inboxes.push(inbox.id);
        }
        let steps: Vec<_> = [0_u64, 1, 10]
            .into_iter()
            .take(shape.n_steps)
            .map(|minutes| Step {
                subject: "Hello".to_owned(),
                body: "Hello".to_owned(),
                wait_ms: minutes * 60_000,
                ..Step::default()
            })
            .collect();
        let campaign = store
            .create_campaign("Spring outreach", &inboxes, &steps, now)
            .await
            .unwrap()
            .id;
        let leads: Vec<_> = (0..shape.n_leads)
            .map(|n| NewLead {
                row: n + 2,
                address: format!("lead{n}@example.org").parse().unwrap(),
                fields: BTreeMap::new(),
            })
            .collect();
        store.import_leads(&campaign, &leads).await.unwrap();
        store.start_campaign(&campaign, now).await.unwrap();
        let sent_copy = if shape.copies_by_server {
            SentCopy::Server {
                within: Duration::from_secs(5),
            }
        } else {
            SentCopy::Client
        };
        let submission = Submission {
            sent_copy,
            keeps_ids: true,
            settles_within: Duration::from_secs(55),
        };
        Self {
            folder,
            clock,
            store: Some(store),
            now,
            server: Server::new(inboxes.len(), submission, shape.copies_stop_after),
            look_at: vec![None; inboxes.len()],
            outages: vec![Vec::new(); inboxes.len()],
            handed_over: vec![None; inboxes.len()],
            inboxes,
            campaign,
            steps,
            flights: Vec::new(),
            stale: Vec::new(),
            sent_again: HashMap::new(),
            left: HashMap::new(),
            attempted: HashMap::new(),
            stopped: HashSet::new(),
            pauses: Vec::new(),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    pub(crate) async fn happen(&mut self, what: Happening) {
        match what {
            Happening::Claim { inbox } => {
                self.claim(inbox).await;
            }
            Happening::Accept { job, claim_next } => self.accept(job, claim_next).await,
            Happening::Refuse { job, how } => self.refuse(job, how).await,
            Happening::LoseReply { job, fate } => self.lose_reply(job, fate).await,
            Happening::Kill { fates, torn_after } => self.kill(fates, torn_after).await,
            Happening::ExpireLeases { fates } => self.expire_leases(fates).await,
            Happening::RenewLease { job } => self.renew_lease(job).await,
            Happening::WriteStale { job } => self.write_stale(job).await,
            Happening::Settle { inbox } => self.settle(inbox).await,
            Happening::RenumberFolder { inbox } => self.server.renumber(inbox),
            Happening::Decide { nth, decision } => self.decide(nth, decision).await,
            Happening::Reply { nth } => self.reply(nth).await,
            Happening::Bounce { nth } => self.bounce(nth).await,
            Happening::Pause => self.pause().await,
            Happening::Resume => self.resume().await,
            Happening::Fail { inbox } => {
                self.fail(inbox, refused_grant(self.now)).await;
            }
            Happening::Probe { inbox, passes } => self.probe(inbox, passes).await,
            Happening::Lose { inbox } => {
                self.fail(inbox, refused_grant(self.now)).await;
                for _ in 0..protocol::connection::CONFIRMATIONS {
                    self.probe(inbox, false).await;
                }
            }
            Happening::Reconnect { inbox } => {
                self.reconnect(inbox).await;
                self.read_gap(inbox).await;
            }
            Happening::StepReconnect { inbox } => self.step_reconnect(inbox).await,
            Happening::RefuseReconnect { inbox } => self.refuse_reconnect(inbox).await,
            Happening::ReadGap { inbox } => self.read_gap(inbox).await,
            Happening::WaitUntilDue => {
                if let Some(due) = self.find_next_due().await {
                    self.wait(due.since(self.now));
                }
            }
            Happening::Wait { seconds } => self.wait(Duration::from_secs(seconds)),
        }
    }

    /// Adds inboxes that are lost, with a running campaign each that they share with the first one.
    pub(crate) async fn add_inboxes(&mut self, n: usize) {
        for n in 0..n {
            let mut new = new_inbox(&format!("more{n}"));
            new.budget.distance = Duration::from_mins(1);
            let connected = Connection::Connected {
                since: self.now,
                dismissed: None,
            };
            let store = self.store.as_ref().unwrap();
            let inbox = store.create_inbox(new, &connected, self.now).await.unwrap();
            let inboxes = [self.inboxes[0].clone(), inbox.id];
            store
                .create_campaign(&format!("More {n}"), &inboxes, &self.steps, self.now)
                .await
                .unwrap();
        }
    }

    /// The file.
    pub(crate) fn database(&self) -> PathBuf {
        database(&self.folder)
    }

    pub(crate) fn wait(&mut self, by: Duration) {
        self.clock.advance(by);
        self.now = self.clock.now();
        self.server.advance(self.now);
    }

    /// Whether the inbox's own worker would be at work.
    pub(super) async fn works(&self, inbox: usize) -> bool {
        let id = &self.inboxes[inbox];
        let stored = self.store().load_inbox(id).await.unwrap();
        matches!(stored.connection, Connection::Connected { .. })
            && !self.store().is_reconnecting(id).await.unwrap()
    }

    pub(crate) async fn find_next_due(&self) -> Option<Timestamp> {
        let mut next = None;
        for inbox in &self.inboxes {
            let due = self
                .store()
                .find_next_due(inbox, &rests(), self.now)
                .await
                .unwrap();
            next = [next, due].into_iter().flatten().min();
        }
        next
    }

    pub(crate) async fn status(&self) -> CampaignState {
        self.store()
            .load_campaign(&self.campaign)
            .await
            .unwrap()
            .status
    }
}

fn new_inbox(name: &str) -> NewInbox {
    let address = format!("{name}@acme.example");
    inbox::new_inbox(&address, "sandbox", Budget::default())
}

/// As the relay is shipped.
pub(super) fn rests() -> Rests {
    Rests::of(Duration::from_mins(1))
}

pub(super) fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("unpause.db")
}

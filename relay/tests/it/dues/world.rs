//! A relay's store, one sender for each inbox, and what happens around them; each event also goes into the books.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::budget::Budget;
use protocol::campaign::Step;
use protocol::connection::{CONFIRMATIONS, Event as ConnectionEvent, Patience, Probes};
use protocol::delivery::{Decision, Event};
use protocol::evidence::{Evidence, Party, Said, Stage as At};
use protocol::id::{CampaignId, DeliveryId, InboxId};
use protocol::provider::ProviderId;
use protocol::reconnect::{Event as ReconnectEvent, Stage};
use protocol::reply::OAuthReply;
use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::engine::pace::pace;
use relay::engine::turns::take_turn;
use relay::record::NewLead;
use relay::store::Store;
use relay::store::delivery::{Claim, Ended, Job};
use relay::store::reconnect::Advance;
use relay::store::set_back::Longest;
use tempfile::TempDir;

use self::restore::Saved;
use super::books::{Books, Place, Stand};

use crate::inbox::{connect, new_inbox};

mod restore;

/// When all of it begins, in milliseconds of Unix time.
const START: i64 = 1_795_417_920_000;
/// Between two messages of an inbox.
const SLOT: Duration = Duration::from_secs(10);
/// How long what was deferred rests.
const REST: Duration = Duration::from_mins(1);
/// What a clock that was set back may leave of a rest.
const LONGEST_REST: Duration = Duration::from_hours(1);
const PATIENCE: Patience = Patience {
    slow_retry_after: Duration::from_secs(20),
    at_most: Duration::from_mins(10),
};

/// One thing that happens. Numbers choose among what is there; where there is nothing, nothing happens.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// All goes well for so long: each inbox that can send sends a message in each slot.
    Run { slots: u64 },
    /// One message is tried, and ends in one of six ways.
    Try { inbox: usize, end: usize },
    /// A doubt is settled, in one of four ways.
    Settle { inbox: usize, nth: usize },
    /// The inbox is lost.
    Lose { inbox: usize },
    /// The inbox is reconnected, and what arrived is read.
    Reconnect { inbox: usize },
    /// What arrived is read.
    ReadGap { inbox: usize },
    /// Its server is given time, or has had it.
    Rest { inbox: usize, rests: bool },
    /// A person pauses the campaign.
    Pause { campaign: usize },
    /// A person resumes it.
    Resume { campaign: usize },
    /// A person starts it.
    Start { campaign: usize },
    /// The machine sleeps.
    Sleep { seconds: u64 },
    /// Somebody sets the clock on the wall.
    SetClock { seconds: i64 },
    /// The relay ends, and starts again later.
    Restart { off_for: u64 },
    /// Somebody saves the database.
    Save,
    /// The relay is killed, the database is put back as it was saved last, and the relay starts again later: where the
    /// server makes copies, each of what was sent since is seen. Then what arrived is read, or not yet.
    PutBack {
        makes_copies: bool,
        is_read: bool,
        off_for: u64,
    },
    /// A person, who has asked everybody, decides what was held since.
    Decide { inbox: usize },
}

/// Leads and waits of each campaign, in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) campaigns: Vec<(u64, Vec<u64>)>,
}

pub(crate) struct World {
    folder: TempDir,
    clock: Clock,
    /// `None` only between an end and the next start.
    store: Option<Store>,
    inboxes: Vec<InboxId>,
    campaigns: Vec<Campaign>,
    is_lost: Vec<bool>,
    has_gap: Vec<bool>,
    rests: Vec<bool>,
    books: Books,
    /// The places in the list of those that were accepted, in the order in which they were, for each inbox.
    accepted: Vec<Vec<usize>>,
    /// How long all of it has taken, whatever the clock on the wall was set to.
    passed: Duration,
    /// What has truly arrived, and when: no database has a say in it.
    arrived: BTreeMap<Place, Arrived>,
    /// What was claimed last for each, by the id on the message.
    written: BTreeMap<Place, String>,
    saved: Option<Saved>,
}

/// A message that has arrived.
#[derive(Clone, Debug)]
struct Arrived {
    /// By [`World::passed`].
    at: Duration,
    message_id: String,
}

#[derive(Clone)]
struct Campaign {
    id: CampaignId,
    n_leads: usize,
    is_started: bool,
    is_paused: bool,
    /// For each inbox: what a database that is lost may have started and sent up to so long after it was saved.
    may_be_started_ms: Vec<Option<i64>>,
}

impl World {
    pub(crate) const INBOXES: usize = 2;

    /// Two connected inboxes that share the campaigns, none of them started.
    pub(crate) async fn new(shape: Shape) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_ms(START);
        let clock = Clock::manual(now);
        let store = open(&folder, &clock).await;
        let mut inboxes = Vec::new();
        for name in ["jane", "june"] {
            let address = format!("{name}@acme.example");
            let new = new_inbox(&address, "sandbox", Budget::default());
            inboxes.push(connect(&store, new, now).await);
        }
        let mut campaigns = Vec::new();
        let mut waits = Vec::new();
        for (n_leads, between) in shape.campaigns {
            let steps: Vec<_> = std::iter::once(&0)
                .chain(&between)
                .map(|seconds| Step {
                    subject: "Hello".to_owned(),
                    body: "Hello".to_owned(),
                    wait_ms: seconds * 1_000,
                    ..Step::default()
                })
                .collect();
            let id = store
                .create_campaign("Spring outreach", &inboxes, &steps, now)
                .await
                .unwrap()
                .id;
            let leads: Vec<_> = (0..n_leads)
                .map(|n| NewLead {
                    row: n + 2,
                    address: format!("lead{n}@example.org").parse().unwrap(),
                    fields: BTreeMap::new(),
                })
                .collect();
            store.import_leads(&id, &leads).await.unwrap();
            campaigns.push(Campaign {
                id,
                n_leads: usize::try_from(n_leads).unwrap(),
                is_started: false,
                is_paused: false,
                may_be_started_ms: vec![None; inboxes.len()],
            });
            waits.push(between);
        }
        let books = Books::new(&waits, inboxes.len());
        Self {
            folder,
            clock,
            store: Some(store),
            is_lost: vec![false; inboxes.len()],
            has_gap: vec![false; inboxes.len()],
            rests: vec![false; inboxes.len()],
            accepted: vec![Vec::new(); inboxes.len()],
            passed: Duration::ZERO,
            arrived: BTreeMap::new(),
            written: BTreeMap::new(),
            saved: None,
            inboxes,
            campaigns,
            books,
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn can_send(&self, campaign: usize, inbox: usize) -> bool {
        let campaign = &self.campaigns[campaign];
        campaign.is_started
            && !campaign.is_paused
            && !self.is_lost[inbox]
            && !self.has_gap[inbox]
            && !self.rests[inbox]
    }

    /// Time is lived.
    fn live(&mut self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap();
        for campaign in 0..self.campaigns.len() {
            for inbox in 0..Self::INBOXES {
                if self.can_send(campaign, inbox) {
                    self.books.ran_ms[campaign][inbox] += ms;
                }
            }
        }
        self.books.lived_ms += ms;
        self.passed += by;
        self.clock.advance(by);
    }

    pub(crate) async fn happen(&mut self, what: Happening) {
        match what {
            Happening::Run { slots } => {
                for _ in 0..slots {
                    for inbox in 0..Self::INBOXES {
                        self.attempt(inbox, 0).await;
                    }
                    self.live(SLOT);
                }
            }
            Happening::Try { inbox, end } => self.attempt(inbox, end).await,
            Happening::Settle { inbox, nth } => self.settle(inbox, nth).await,
            Happening::Lose { inbox } => self.lose(inbox).await,
            Happening::Reconnect { inbox } => self.reconnect(inbox).await,
            Happening::ReadGap { inbox } => self.read_gap(inbox).await,
            Happening::Rest { inbox, rests } => {
                let id = &self.inboxes[inbox];
                let now = self.now();
                self.store().put_resting(id, rests, now).await.unwrap();
                self.rests[inbox] = rests;
            }
            Happening::Pause { campaign } => self.pause(campaign).await,
            Happening::Resume { campaign } => self.resume(campaign).await,
            Happening::Start { campaign } => self.start(campaign).await,
            Happening::Sleep { seconds } => self.sleep(Duration::from_secs(seconds)),
            Happening::SetClock { seconds } => self.set_clock(seconds).await,
            Happening::Restart { off_for } => {
                self.store().beat().await.unwrap();
                self.store().close().await;
                self.restart(Duration::from_secs(off_for), self.now()).await;
            }
            Happening::Save => self.save().await,
            Happening::PutBack {
                makes_copies,
                is_read,
                off_for,
            } => {
                self.put_back(makes_copies, Duration::from_secs(off_for))
                    .await;
                for inbox in (0..Self::INBOXES).filter(|_| is_read) {
                    self.read_gap(inbox).await;
                }
            }
            Happening::Decide { inbox } => self.decide(inbox).await,
        }
    }

    fn sleep(&mut self, by: Duration) {
        self.passed += by;
        self.clock.sleep(by);
    }

    async fn read_gap(&mut self, inbox: usize) {
        if !self.is_lost[inbox] {
            let id = &self.inboxes[inbox];
            self.store().close_gap(id, self.now()).await.unwrap();
            self.has_gap[inbox] = false;
        }
    }

    /// `alive_at` is the last sign of life that the database has, by the wall of then.
    async fn restart(&mut self, off_for: Duration, alive_at: Timestamp) {
        drop(self.store.take());
        self.sleep(off_for);
        let absent = self.now().since(alive_at);
        self.books
            .bridge(i64::try_from(absent.as_millis()).unwrap());
        let store = open(&self.folder, &self.clock).await;
        store.doubt_orphans(self.now(), None).await.unwrap();
        store.open_gaps(self.now()).await.unwrap();
        self.store = Some(store);
        self.has_gap.fill(true);
        self.rests.fill(false);
    }

    /// The relay is killed `after` its last beat, and started again at once; what arrived is read.
    pub(crate) async fn crash_after(&mut self, after: Duration) {
        self.store().beat().await.unwrap();
        let alive_at = self.now();
        self.clock.advance(after);
        self.restart(Duration::ZERO, alive_at).await;
        for inbox in 0..Self::INBOXES {
            self.happen(Happening::ReadGap { inbox }).await;
        }
    }

    async fn attempt(&mut self, inbox: usize, end: usize) {
        let id = self.inboxes[inbox].clone();
        let now = self.now();
        if self.is_lost[inbox] || self.has_gap[inbox] || self.rests[inbox] {
            return;
        }
        self.store().wake_rested(&id, now).await.unwrap();
        self.books.wake_rested(inbox);
        self.books.note_due();
        let claim = Claim {
            owes_copy: false,
            inbox: id,
            domain: "acme.example".to_owned(),
            tags: relay::tag::Tags::new([7; 32]),
            now,
            lease_until: now + Duration::from_mins(30),
            sent: None,
            take_turn,
            pace,
            // Doubts hold nothing up here: it is all about turns.
            rests: Rests::default(),
        };
        let running: Vec<_> = (0..self.campaigns.len())
            .map(|campaign| self.can_send(campaign, inbox))
            .collect();
        let Some(job) = self.store().claim_delivery(&claim).await.unwrap() else {
            assert!(
                !self
                    .books
                    .is_anything_due(inbox, |campaign| running[campaign]),
                "something is due and is not claimed"
            );
            return;
        };
        let place = self.place_of(inbox, &job);
        self.books
            .check_claimed(place, |campaign| running[campaign]);
        self.written.insert(place, job.message_id.clone());
        self.end(place, &job, end).await;
    }

    async fn end(&mut self, place: Place, job: &Job, end: usize) {
        let now = self.now();
        let event = match end {
            0 => {
                self.accepted[place.inbox].push(place.lead);
                self.arrive(place);
                let ran = self.books.ran_ms[place.campaign][place.inbox];
                self.books.plan_next(place, ran);
                Event::Accepted { at: now }
            }
            1 => {
                self.books.fail(place, Stand::Waiting, now.as_ms());
                Event::PutBack
            }
            2 => {
                let rest_until = now + REST;
                let rest_ms = i64::try_from(REST.as_millis()).unwrap();
                let lived_ms = self.books.lived_ms + rest_ms;
                let stand = Stand::Resting { lived_ms };
                self.books.fail(place, stand, now.as_ms());
                Event::Deferred {
                    cause: protocol::cause::Cause::RecipientDeferred,
                    rest_until,
                }
            }
            3 => {
                self.books.fail(place, Stand::Done, now.as_ms());
                Event::Rejected {
                    cause: protocol::cause::Cause::RecipientRejected,
                }
            }
            _ => {
                self.books.fail(place, Stand::Doubtful, now.as_ms());
                Event::Doubted { at: now }
            }
        };
        let ended = Ended {
            event,
            words: "words".to_owned(),
            wire_id: None,
            told: None,
        };
        self.store()
            .finish_delivery(job, &ended, now, None)
            .await
            .unwrap();
    }

    async fn settle(&mut self, inbox: usize, nth: usize) {
        let doubtful = |(place, row): &(&Place, &super::books::Row)| {
            place.inbox == inbox && row.stand == Stand::Doubtful
        };
        let Some((place, row)) = self.books.rows.iter().find(doubtful) else {
            return;
        };
        let (place, attempted) = (*place, row.attempted_ms);
        let ran = self.books.ran_ms[place.campaign][inbox];
        let id = self.find_id(place).await;
        let now = self.now();
        // What is known to have arrived is found.
        let nth = if self.arrived.contains_key(&place) {
            0
        } else {
            nth
        };
        let (event, decision) = match nth {
            0 => (Event::Found { at: now }, None),
            1 => (Event::Refuted, None),
            2 => (Event::Unsettled, Some(Decision::SendAgain)),
            _ => (Event::Unsettled, Some(Decision::Leave)),
        };
        let store = self.store();
        store
            .settle_doubt(&id, event, None, None, now)
            .await
            .unwrap();
        if let Some(decision) = decision {
            store.record_decision(&id, decision, now).await.unwrap();
        }
        match nth {
            0 => {
                self.arrived.entry(place).or_insert_with(|| Arrived {
                    at: self.passed,
                    message_id: self.written[&place].clone(),
                });
                self.books.plan_next(place, attempted);
            }
            3 => self.books.plan_next(place, ran),
            _ => self.books.rows.get_mut(&place).unwrap().stand = Stand::Waiting,
        }
    }

    async fn lose(&mut self, inbox: usize) {
        if self.is_lost[inbox] {
            return;
        }
        let id = self.inboxes[inbox].clone();
        let failed = ConnectionEvent::Failed(refused_grant(self.now()));
        let probed = || {
            let token = Some(refused_grant(self.now()));
            ConnectionEvent::Probed(Box::new(Probes {
                token,
                ..Probes::default()
            }))
        };
        let events = std::iter::once(failed).chain((0..CONFIRMATIONS).map(|_| probed()));
        for event in events {
            self.store()
                .move_connection(&id, event, self.now(), PATIENCE)
                .await
                .unwrap();
        }
        self.is_lost[inbox] = true;
    }

    async fn reconnect(&mut self, inbox: usize) {
        if !self.is_lost[inbox] {
            return;
        }
        let (store, now) = (self.store(), self.now());
        let until = now + Duration::from_mins(10);
        let (reconnect, _) = store
            .start_reconnect(&self.inboxes[inbox], now, until)
            .await
            .unwrap();
        store
            .grant_reconnect(&reconnect.id, "sealed")
            .await
            .unwrap();
        let advance = Advance {
            stage: Stage::Refreshed,
            payload: None,
            signed_in: None,
        };
        store
            .advance_reconnect(&reconnect.id, advance)
            .await
            .unwrap();
        let advance = Advance {
            stage: Stage::SignedIn,
            payload: None,
            signed_in: None,
        };
        store
            .advance_reconnect(&reconnect.id, advance)
            .await
            .unwrap();
        store
            .adopt_reconnect(
                &reconnect.id,
                ReconnectEvent::Adopted,
                "sealed for the inbox",
                None,
                now,
                PATIENCE,
            )
            .await
            .unwrap();
        store.resume(&reconnect.id, now).await.unwrap();
        self.is_lost[inbox] = false;
        self.has_gap[inbox] = false;
    }

    async fn start(&mut self, idx: usize) {
        let Some(campaign) = self.campaigns.get(idx) else {
            return;
        };
        if campaign.is_started {
            return;
        }
        self.store()
            .start_campaign(&campaign.id, self.now())
            .await
            .unwrap();
        for lead in 0..campaign.n_leads {
            let place = Place {
                campaign: idx,
                inbox: lead % Self::INBOXES,
                lead,
                step: 1,
            };
            self.books
                .start(place, campaign.may_be_started_ms[place.inbox]);
        }
        self.campaigns[idx].is_started = true;
    }

    async fn pause(&mut self, idx: usize) {
        let Some(campaign) = self.campaigns.get(idx) else {
            return;
        };
        // Refused where it does not run.
        let paused = self.store().pause_campaign(&campaign.id, self.now()).await;
        if paused.is_ok() {
            self.campaigns[idx].is_paused = true;
        }
    }

    async fn resume(&mut self, idx: usize) {
        let Some(campaign) = self.campaigns.get(idx) else {
            return;
        };
        let resumed = self.store().resume_campaign(&campaign.id, self.now()).await;
        assert_eq!(resumed.is_ok(), campaign.is_paused);
        self.campaigns[idx].is_paused = false;
    }

    async fn set_clock(&mut self, seconds: i64) {
        let now = Timestamp::from_ms(self.now().as_ms() + seconds * 1_000);
        self.clock.set(now);
        if seconds >= 0 {
            return;
        }
        let longest = Longest {
            lease: Duration::from_mins(30),
            refresh: Duration::from_mins(1),
            deferral: LONGEST_REST,
        };
        self.store().set_back(now, longest).await.unwrap();
    }

    fn place_of(&self, inbox: usize, job: &Job) -> Place {
        let campaign = self.campaigns.iter().position(|one| one.id == job.campaign);
        Place {
            campaign: campaign.unwrap(),
            inbox,
            lead: lead_of(job.to.as_str()),
            step: job.step_idx + 1,
        }
    }

    async fn find_id(&self, place: Place) -> DeliveryId {
        let campaign = &self.campaigns[place.campaign].id;
        let rows = self
            .store()
            .list_deliveries(campaign, None, 1_000)
            .await
            .unwrap();
        let found = rows
            .into_iter()
            .find(|row| lead_of(row.to.as_str()) == place.lead && row.step as usize == place.step);
        found.unwrap().id
    }

    /// What the relay says of every delivery is what the books say.
    pub(crate) async fn check(&self) {
        let now = self.now();
        for (idx, campaign) in self.campaigns.iter().enumerate() {
            let rows = self
                .store()
                .list_deliveries(&campaign.id, None, 1_000)
                .await
                .unwrap();
            for row in rows {
                let lead = lead_of(row.to.as_str());
                let place = Place {
                    campaign: idx,
                    inbox: lead % Self::INBOXES,
                    lead,
                    step: row.step as usize,
                };
                let Some(booked) = self.books.rows.get(&place) else {
                    // Suppressed, because an earlier step was refused.
                    assert_eq!(row.due_at, None, "{row:?}");
                    continue;
                };
                let ran = self.books.ran_ms[idx][place.inbox];
                let by_wait = Timestamp::from_ms(now.as_ms() + (booked.due_ms - ran).max(0));
                let expected = match booked.stand {
                    Stand::Waiting => Some(by_wait),
                    Stand::Resting { lived_ms } => {
                        let left = (lived_ms - self.books.lived_ms).max(0);
                        Some(by_wait.max(Timestamp::from_ms(now.as_ms() + left)))
                    }
                    Stand::Doubtful | Stand::Held { .. } | Stand::Done => None,
                };
                let expected = expected.filter(|_| self.can_send(idx, place.inbox));
                assert_eq!(row.due_at, expected, "{place:?} {booked:?} {row:?}");
            }
        }
    }

    /// All goes well from here on: everything that is owed leaves.
    pub(crate) async fn finish(&mut self) {
        for idx in 0..self.campaigns.len() {
            self.start(idx).await;
        }
        for inbox in 0..Self::INBOXES {
            self.reconnect(inbox).await;
            self.happen(Happening::ReadGap { inbox }).await;
            self.happen(Happening::Rest {
                inbox,
                rests: false,
            })
            .await;
        }
        for idx in 0..self.campaigns.len() {
            self.resume(idx).await;
        }
        for _ in 0..400 {
            for inbox in 0..Self::INBOXES {
                self.decide(inbox).await;
                self.settle(inbox, 0).await;
            }
            self.happen(Happening::Run { slots: 1 }).await;
            if self.books.rows.values().all(|row| row.stand == Stand::Done) {
                self.check().await;
                return;
            }
        }
        panic!("all went well, and something never left: {:?}", self.books);
    }

    /// Deliveries that wait for a person since a database was put back.
    pub(crate) fn n_held(&self) -> usize {
        let rows = self.books.rows.values();
        rows.filter(|row| matches!(row.stand, Stand::Held { .. }))
            .count()
    }

    pub(crate) fn n_accepted(&self) -> usize {
        self.accepted.iter().map(Vec::len).sum()
    }

    /// The places in the list of those that an inbox sent to, in order.
    pub(crate) fn order(&self, inbox: usize) -> &[usize] {
        &self.accepted[inbox]
    }

    /// How long each planned delivery has still to wait, as the relay says.
    pub(crate) async fn due_in(&self) -> Vec<Duration> {
        let mut due_in = Vec::new();
        for campaign in &self.campaigns {
            let rows = self
                .store()
                .list_deliveries(&campaign.id, None, 1_000)
                .await
                .unwrap();
            due_in.extend(rows.iter().filter_map(|row| row.due_at));
        }
        due_in.into_iter().map(|at| at.since(self.now())).collect()
    }
}

async fn open(folder: &TempDir, clock: &Clock) -> Store {
    let store = Store::open(&folder.path().join("unpause.db"), clock)
        .await
        .unwrap();
    store.bridge_absence().await.unwrap();
    store
}

fn lead_of(address: &str) -> usize {
    let number = address.trim_start_matches("lead");
    number.split('@').next().unwrap().parse().unwrap()
}

fn refused_grant(now: Timestamp) -> Evidence {
    let reply = OAuthReply {
        http_status: Some(400),
        error: Some("invalid_grant".to_owned()),
        description: String::new(),
    };
    Evidence {
        party: Party::Oauth,
        stage: At::Refresh,
        said: Said::Oauth(reply),
        provider: ProviderId::new("sandbox"),
        seen_at: now,
    }
}

//! What an outage held: computed here from the instants alone, and compared with the card's number before the resume
//! and with the receipt, its totals and its lines after it.

#![cfg(test)]

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use protocol::budget::Budget;
use protocol::campaign::Step;
use protocol::catch_up::AfterOutage;
use protocol::connection::{CONFIRMATIONS, Event as ConnectionEvent, Patience, Probes};
use protocol::delivery::Event;
use protocol::evidence::{Evidence, Party, Said, Stage as At};
use protocol::id::{CampaignId, InboxId, ReconnectId};
use protocol::provider::ProviderId;
use protocol::receipt::{Fate, Line, Receipt};
use protocol::reconnect::{self, Stage};
use protocol::reply::OAuthReply;
use protocol::schedule::{Schedule, WEEK, Window};
use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::engine::pace::pace;
use relay::engine::turns::take_turn;
use relay::record::{NewLead, Sending, Shut, ShutBy};
use relay::store::Store;
use relay::store::addressed::Addressed;
use relay::store::delivery::{Claim, Ended, Job};
use relay::store::reconnect::Advance;
use tempfile::TempDir;

use crate::ledger::sending::abandon_after;

use crate::inbox::{connect, new_inbox};

const PATIENCE: Patience = Patience {
    slow_retry_after: Duration::from_secs(20),
    at_most: Duration::from_mins(10),
};
/// Between the first message and the second.
const WAIT: Duration = Duration::from_mins(10);

struct World {
    store: Store,
    clock: Clock,
    inbox: InboxId,
    campaign: CampaignId,
    _folder: TempDir,
}

impl World {
    async fn start(n_leads: u64, gap: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_ms(1_000_000_000));
        let path = folder.path().join("unpause.db");
        let store = Store::open(&path, &clock).await.unwrap();
        let now = clock.now();
        let budget = Budget {
            distance: gap,
            daily_cap: None,
        };
        let new = new_inbox("jane@acme.example", "sandbox", budget);
        let inbox = connect(&store, new, now).await;
        let step = |wait: Duration| Step {
            subject: "Hello".to_owned(),
            body: "Hello".to_owned(),
            wait_ms: u64::try_from(wait.as_millis()).unwrap(),
            ..Step::default()
        };
        let steps = [step(Duration::ZERO), step(WAIT)];
        let inboxes = std::slice::from_ref(&inbox);
        let campaign = store
            .create_campaign("Held", inboxes, &steps, now)
            .await
            .unwrap();
        let leads: Vec<_> = (0..n_leads)
            .map(|n| NewLead {
                row: n + 2,
                address: format!("lead{n}@example.org").parse().unwrap(),
                fields: BTreeMap::new(),
            })
            .collect();
        store.import_leads(&campaign.id, &leads).await.unwrap();
        store.start_campaign(&campaign.id, now).await.unwrap();
        Self {
            store,
            clock,
            inbox,
            campaign: campaign.id,
            _folder: folder,
        }
    }

    async fn claim(&self) -> Option<Job> {
        let now = self.clock.now();
        let claim = Claim {
            owes_copy: false,
            inbox: self.inbox.clone(),
            domain: "acme.example".to_owned(),
            now,
            lease_until: now + Duration::from_mins(30),
            sent: None,
            take_turn,
            pace,
            tags: relay::tag::Tags::new([7; 32]),
            rests: Rests::of(Duration::from_mins(1)),
        };
        self.store.claim_delivery(&claim).await.unwrap()
    }

    async fn end(&self, job: &Job, event: Event) {
        let ended = Ended {
            event,
            words: String::new(),
            wire_id: None,
            told: None,
        };
        let now = self.clock.now();
        self.store
            .finish_delivery(job, &ended, now, None)
            .await
            .unwrap();
    }

    async fn decide(&self, event: ConnectionEvent) {
        let now = self.clock.now();
        self.store
            .move_connection(&self.inbox, event, now, PATIENCE)
            .await
            .unwrap();
    }

    async fn lose(&self) {
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
        self.decide(ConnectionEvent::Failed(evidence.clone())).await;
        for _ in 0..CONFIRMATIONS {
            let probes = Probes {
                token: Some(evidence.clone()),
                ..Probes::default()
            };
            self.decide(ConnectionEvent::Probed(Box::new(probes))).await;
        }
    }

    /// What the card says.
    async fn held(&self) -> u64 {
        let waits = self.store.list_waits(None).await.unwrap();
        let one = self.store.list_waits(Some(&self.inbox)).await.unwrap();
        assert_eq!(waits, one);
        waits.get(&self.inbox).map_or(0, |waits| waits.held)
    }

    async fn adopt(&self) -> ReconnectId {
        let now = self.clock.now();
        let until = now + Duration::from_mins(10);
        let started = self.store.start_reconnect(&self.inbox, now, until).await;
        let id = started.unwrap().0.id;
        self.store.grant_reconnect(&id, "sealed").await.unwrap();
        for stage in [Stage::Refreshed, Stage::SignedIn] {
            let advance = Advance {
                stage,
                payload: None,
                signed_in: None,
            };
            self.store.advance_reconnect(&id, advance).await.unwrap();
        }
        let by = reconnect::Event::Adopted;
        self.store
            .adopt_reconnect(&id, by, "sealed", None, now, PATIENCE)
            .await
            .unwrap();
        id
    }

    async fn resume(&self, id: &ReconnectId) -> Receipt {
        let resumed = self.store.resume(id, self.clock.now()).await;
        resumed.unwrap().0
    }

    /// Every line, read in pages.
    async fn read_lines(&self, receipt: &Receipt, page: u32) -> Vec<Line> {
        let mut lines = Vec::new();
        loop {
            let behind = u32::try_from(lines.len()).unwrap();
            let next = self
                .store
                .list_receipt_lines(&receipt.id, behind, page)
                .await
                .unwrap();
            if next.is_empty() {
                return lines;
            }
            lines.extend(next.into_iter().map(|of| of.line));
        }
    }
}

/// What happens before, in and at the end of an outage.
#[derive(Clone, Debug)]
struct Story {
    n_leads: u64,
    gap: Duration,
    /// Minutes before each message that is accepted.
    sent_after: Vec<u64>,
    loses_reply: bool,
    outage: Duration,
    /// Of those that got their first message, who answers in the outage.
    answers: Vec<bool>,
    /// Windows that the campaign has since the loss: minutes of the day, and lengths; none: it sends at any time.
    windows: Vec<(u64, u64)>,
    /// Its cap of a day since then.
    cap: Option<u32>,
}

impl Story {
    /// What is to be known of when the campaign sends, once its inbox is lost.
    fn sending(&self) -> Sending {
        let minute = |minute: u64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let window = |(from, length): &(u64, u64)| Window {
            from: minute(*from).parse().unwrap(),
            to: minute(from + length).parse().unwrap(),
        };
        let schedule = (!self.windows.is_empty()).then(|| Schedule {
            zone: "UTC".to_owned(),
            weekdays: WEEK.to_vec(),
            windows: self.windows.iter().map(window).collect(),
            starts_on: None,
            ends_on: None,
            skip: Vec::new(),
        });
        Sending {
            schedule,
            daily_cap: self.cap,
            domain_daily_cap: None,
        }
    }

    /// Looked at second by second: how many messages fit into this time, and the last second in which one could leave.
    fn walk(&self, from: Timestamp, to: Timestamp) -> (u64, Option<Timestamp>) {
        let (mut n, mut last, mut next) = (0, None, from);
        let mut at = from;
        while at <= to {
            let minute = u64::try_from(at.as_ms()).unwrap() / 60_000 % (24 * 60);
            let is_open = self.windows.is_empty()
                || self
                    .windows
                    .iter()
                    .any(|(opens, length)| (*opens..opens + length).contains(&minute));
            if is_open {
                last = Some(at);
                if self.gap.is_zero() {
                    n = u64::MAX;
                } else if at >= next {
                    n += 1;
                    next = at + self.gap;
                }
            }
            at = at + Duration::from_secs(1);
        }
        (n.min(self.cap.map_or(u64::MAX, u64::from)), last)
    }
}

fn any_story() -> impl Strategy<Value = Story> {
    (
        1..25_u64,
        prop_oneof![Just(0_u64), Just(1), Just(7)],
        prop::collection::vec(0..4_u64, 0..20),
        any::<bool>(),
        1..30_u64,
        prop::collection::vec(prop::bool::weighted(0.3), 20),
        // The outages lie between 13:46 and 15:20.
        prop::collection::vec((820..920_u64, 1..25_u64), 0..3),
        prop::option::weighted(0.3, 1..9_u32),
    )
        .prop_map(
            |(n_leads, gap, sent_after, loses_reply, outage, answers, windows, cap)| Story {
                windows,
                cap,
                n_leads,
                gap: Duration::from_mins(gap),
                sent_after,
                loses_reply,
                outage: Duration::from_mins(outage),
                answers,
            },
        )
}

async fn play(story: Story) {
    let world = World::start(story.n_leads, story.gap).await;
    let mut firsts_open = story.n_leads;
    // When the second message of each lead that has only the first is due.
    let mut follow_ups: Vec<(Job, Timestamp)> = Vec::new();
    for minutes in &story.sent_after {
        world.clock.advance(Duration::from_mins(*minutes));
        let Some(job) = world.claim().await else {
            break;
        };
        let at = world.clock.now();
        world.end(&job, Event::Accepted { at }).await;
        if job.step_idx == 0 {
            firsts_open -= 1;
            follow_ups.push((job, at + WAIT));
        } else {
            follow_ups.retain(|(first, _)| first.lead != job.lead);
        }
    }
    let mut in_doubt = 0;
    if story.loses_reply
        && let Some(job) = world.claim().await
    {
        let at = world.clock.now();
        world.end(&job, Event::Doubted { at }).await;
        in_doubt = 1;
        if job.step_idx == 0 {
            firsts_open -= 1;
        } else {
            follow_ups.retain(|(first, _)| first.lead != job.lead);
        }
    }
    assert_eq!(world.held().await, 0, "it works");
    world.lose().await;
    let lost_at = world.clock.now();
    let sending = story.sending();
    let changed = world.store.update_sending(&world.campaign, &sending).await;
    changed.unwrap();
    world.clock.advance(story.outage);
    let now = world.clock.now();
    let (room, last) = story.walk(lost_at, now);
    let (mut skipped, mut due) = (0, firsts_open);
    for ((first, due_at), answers) in follow_ups.iter().zip(&story.answers) {
        if *answers {
            let addressed = Addressed {
                delivery: first.id.clone(),
                inbox: world.inbox.clone(),
                lead: first.lead.clone(),
                address: first.to.to_string(),
            };
            world.store.note_reply(&addressed, now).await.unwrap();
        }
        if last.is_some_and(|last| *due_at <= last) {
            *(if *answers { &mut skipped } else { &mut due }) += 1;
        }
    }
    let skipped = skipped.min(room);
    let to_send = due.min(room - skipped);
    let campaign = world.store.load_campaign(&world.campaign).await.unwrap();
    let is_over = matches!(campaign.status, protocol::campaign::State::Finished { .. });
    let told = world.held().await;
    let id = world.adopt().await;
    let receipt = world.resume(&id).await;
    if is_over {
        assert_eq!((told, receipt.held), (0, 0));
        return;
    }
    assert_eq!(
        (receipt.to_send, receipt.skipped, receipt.in_doubt),
        (to_send, skipped, in_doubt),
        "{story:?}"
    );
    assert_eq!(receipt.held, to_send + skipped + in_doubt);
    assert_eq!(told, receipt.held, "the card said something else");
    let lines = world.read_lines(&receipt, 7).await;
    let each: HashSet<_> = lines.iter().map(|line| &line.delivery).collect();
    assert_eq!(each.len() as u64, receipt.held, "each once");
    let of =
        |wanted: fn(&Fate) -> bool| lines.iter().filter(|line| wanted(&line.fate)).count() as u64;
    assert_eq!(of(|fate| matches!(fate, Fate::Shifted { .. })), to_send);
    assert_eq!(of(|fate| matches!(fate, Fate::Skipped { .. })), skipped);
    for line in &lines {
        if let Fate::Shifted { was_due_at, due_at } = &line.fate {
            assert!(*was_due_at <= now && *due_at >= now, "{line:?}");
        }
    }
    assert_eq!(world.held().await, 0, "it is over");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x001d_4e1d),
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    /// What would have left between loss and resume, each once: the same on the card and in the receipt.
    #[test]
    fn an_outage_holds_what_would_have_left_in_it(story in any_story()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(story));
    }
}

#[tokio::test]
async fn a_long_receipt_is_written_in_slices_and_goes_on_where_one_was_broken_off() {
    const LEADS: u64 = 1_234;
    for n_polls in [40, 400, 4_000] {
        let world = World::start(LEADS, Duration::ZERO).await;
        world.lose().await;
        world.clock.advance(Duration::from_mins(1));
        assert_eq!(world.held().await, LEADS);
        let id = world.adopt().await;
        abandon_after(n_polls, world.store.resume(&id, world.clock.now())).await;
        let receipts = world.store.list_receipts(None, None).await.unwrap();
        let receipt = match receipts.first() {
            Some(receipt) => receipt.clone(),
            None => world.resume(&id).await,
        };
        assert_eq!((receipt.held, receipt.to_send), (LEADS, LEADS));
        let lines = world.read_lines(&receipt, 100).await;
        let each: HashSet<_> = lines.iter().map(|line| &line.delivery).collect();
        assert_eq!((lines.len(), each.len()), (1_234, 1_234));
        let loaded = world
            .store
            .load_receipt(&receipt.id, |_| true)
            .await
            .unwrap();
        assert_eq!(loaded.lines[..], lines[..100]);
        assert!(world.claim().await.is_some(), "the campaign goes on");
    }
}

/// Sends all that may leave now; answers how many that was.
async fn send_all(world: &World) -> usize {
    let mut n = 0;
    while let Some(job) = world.claim().await {
        let at = world.clock.now();
        world.end(&job, Event::Accepted { at }).await;
        n += 1;
    }
    n
}

/// An outage of so long a time, from its loss to the resume.
async fn be_out(world: &World, outage: Duration) -> Receipt {
    world.lose().await;
    world.clock.advance(outage);
    let id = world.adopt().await;
    world.resume(&id).await
}

async fn find_shut(world: &World) -> Option<Shut> {
    let rests = Rests::of(Duration::from_mins(1));
    let now = world.clock.now();
    let left = world.store.load_left(&world.campaign, &rests, now).await;
    left.unwrap().facts[0].shut
}

#[tokio::test]
async fn a_campaign_catches_up_slowly_for_as_long_as_it_was_out_where_a_person_asked_for_that() {
    const HOUR: Duration = Duration::from_hours(1);
    let world = World::start(20, Duration::ZERO).await;
    let slowly = AfterOutage::Slowly { daily_cap: 3 };
    let changed = world
        .store
        .update_after_outage(&world.campaign, slowly)
        .await;
    changed.unwrap();
    assert_eq!(find_shut(&world).await, None, "there was no outage");
    let receipt = be_out(&world, HOUR * 30).await;
    let resumed_at = world.clock.now();
    assert_eq!((receipt.held, receipt.to_send), (20, 20));
    assert_eq!(send_all(&world).await, 3);
    let until = resumed_at + HOUR * 24;
    let by = ShutBy::CatchUp;
    assert_eq!(
        find_shut(&world).await,
        Some(Shut {
            by,
            until: Some(until)
        })
    );
    world
        .clock
        .advance((HOUR * 24).saturating_sub(Duration::from_secs(1)));
    assert_eq!(send_all(&world).await, 0);
    // Their first steps' follow-ups are due, and count.
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(send_all(&world).await, 3);
    let until = resumed_at + HOUR * 30;
    assert_eq!(
        find_shut(&world).await,
        Some(Shut {
            by,
            until: Some(until)
        })
    );
    world
        .clock
        .advance((HOUR * 6).saturating_sub(Duration::from_secs(1)));
    assert_eq!(send_all(&world).await, 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(find_shut(&world).await, None);
    // Forty in all but for those that wait for their time.
    let n = send_all(&world).await;
    world.clock.advance(WAIT);
    assert_eq!(6 + n + send_all(&world).await, 40);
}

#[tokio::test]
async fn a_campaign_waits_after_an_outage_until_a_person_lets_it_go_on() {
    let world = World::start(5, Duration::ZERO).await;
    let changed = world
        .store
        .update_after_outage(&world.campaign, AfterOutage::Wait)
        .await;
    changed.unwrap();
    let receipt = be_out(&world, Duration::from_mins(5)).await;
    assert_eq!(receipt.to_send, 5);
    let by = ShutBy::CatchUp;
    for _ in 0..3 {
        assert_eq!(send_all(&world).await, 0);
        assert_eq!(find_shut(&world).await, Some(Shut { by, until: None }));
        world.clock.advance(Duration::from_hours(24));
    }
    world.store.release_campaign(&world.campaign).await.unwrap();
    assert_eq!((send_all(&world).await, find_shut(&world).await), (5, None));
    // What holds nothing is nothing to catch up with.
    let receipt = be_out(&world, Duration::from_secs(5)).await;
    assert_eq!(receipt.held, 0);
    world.clock.advance(WAIT);
    assert_eq!(send_all(&world).await, 5);
}

//! The gate that doubts are, under servers that lose connections after the dot and do anything to what an inbox writes
//! to itself, beside a count of its own: of what is in doubt, of what the server stored, and of how long nothing left.

use std::collections::{BTreeMap, BTreeSet};

use protocol::delivery::NoEvidence;
use protocol::id::DeliveryId;
use protocol::standing::{End, Tried};
use relay::record::SentPlace;
use relay::store::doubt::NewCanary;
use relay::store::standing::Told;

use super::*;

/// Between two looks of the inbox's task.
const STEP: Duration = Duration::from_mins(5);
/// How long evidence is waited for.
const DAY: Duration = Duration::from_hours(24);
/// Between two messages of the inbox to itself.
const CANARY_EVERY: Duration = Duration::from_hours(1);

/// What a server does to a message of the inbox to itself while it loses connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Canary {
    Refused,
    Lost,
    Accepted,
}

fn canary() -> impl Strategy<Value = Canary> {
    use Canary::{Accepted, Lost, Refused};
    prop_oneof![4 => Just(Refused), 1 => Just(Lost), 1 => Just(Accepted)]
}

/// What is known of attempts without asking the relay.
#[derive(Default)]
struct Count {
    /// When attempts ended in doubt since the server last answered anything.
    since_answer: Vec<Timestamp>,
    /// How many may within a day.
    allowed: usize,
    in_doubt: BTreeSet<DeliveryId>,
    stored: BTreeMap<DeliveryId, usize>,
    first_accepted: Option<Timestamp>,
}

impl Count {
    fn answered(&mut self, allowed: usize) {
        self.since_answer.clear();
        self.allowed = allowed;
    }
}

struct Gate {
    world: World,
    count: Count,
    last_canary: Option<Timestamp>,
    rests: Rests,
}

impl Gate {
    async fn claim(&self) -> Option<Job> {
        let world = &self.world;
        let now = world.clock.now();
        world.store.wake_rested(&world.inbox, now).await.unwrap();
        let claim = Claim {
            owes_copy: false,
            inbox: world.inbox.clone(),
            domain: "acme.example".to_owned(),
            now,
            lease_until: now + Duration::from_mins(30),
            sent: None::<SentPlace>,
            take_turn,
            pace,
            tags: relay::tag::Tags::new([7; 32]),
            rests: self.rests.clone(),
        };
        world.store.claim_delivery(&claim).await.unwrap()
    }

    /// Tries what may be tried; `stores` says whether the server keeps what it loses the connection over.
    async fn send(&mut self, loses: bool, stores: &mut impl Iterator<Item = bool>) {
        while let Some(job) = self.claim().await {
            let now = self.world.clock.now();
            let end = if loses { End::Doubted } else { End::Accepted };
            let event = if loses {
                Event::Doubted { at: now }
            } else {
                Event::Accepted { at: now }
            };
            let told = Told {
                tried: Tried {
                    delivery: job.id.clone(),
                    domain: job.to.domain().to_owned(),
                    is_own: false,
                    end,
                },
                rests: self.rests.clone(),
            };
            let ended = Ended {
                event,
                words: "words".to_owned(),
                wire_id: None,
                told: Some(told),
            };
            let store = &self.world.store;
            store
                .finish_delivery(&job, &ended, now, None)
                .await
                .unwrap();
            let count = &mut self.count;
            if !loses || stores.next().unwrap_or_default() {
                *count.stored.entry(job.id.clone()).or_default() += 1;
            }
            if loses {
                count.since_answer.push(now);
                count.in_doubt.insert(job.id);
            } else {
                count.first_accepted.get_or_insert(now);
                count.answered(2);
            }
            // After a day the next ones show whether anything has changed.
            let of_a_day = |at: &&Timestamp| now.since(**at) < DAY;
            let n = count.since_answer.iter().filter(of_a_day).count();
            assert!(n <= count.allowed, "{n} doubts and no answer between");
            assert!(count.in_doubt.len() <= 2, "{:?}", count.in_doubt);
        }
    }

    async fn unsettle(&mut self, id: &DeliveryId, why: NoEvidence) {
        let now = self.world.clock.now();
        let store = &self.world.store;
        store
            .settle_doubt(id, Event::Unsettled, None, Some(why), now)
            .await
            .unwrap();
        self.count.in_doubt.remove(id);
    }

    /// What the inbox's task does about doubts: it writes to itself where they shut it.
    async fn settle(&mut self, is_left_to_people: bool, canary: Canary) {
        let now = self.world.clock.now();
        let doubts = self.world.store.list_doubts(&self.world.inbox).await;
        let doubts = doubts.unwrap();
        if is_left_to_people {
            for doubt in &doubts {
                self.unsettle(&doubt.id, NoEvidence::NoSentFolder).await;
            }
        } else {
            // What showed nothing in a day is a person's.
            for doubt in &doubts {
                if now.since(doubt.since) >= DAY {
                    self.unsettle(&doubt.id, NoEvidence::NoCanary).await;
                }
            }
        }
        let (store, inbox) = (&self.world.store, &self.world.inbox);
        let is_shut = store.find_gate(inbox, &self.rests, now).await.unwrap();
        let rested = self
            .last_canary
            .is_none_or(|at| now.since(at) >= CANARY_EVERY);
        if is_shut.is_none() || !rested {
            return;
        }
        self.last_canary = Some(now);
        let id = DeliveryId::new(format!("dlv_canary_{}", now.as_ms()));
        let new = NewCanary {
            message_id: format!("{id}@acme.example"),
            id,
            inbox: inbox.clone(),
            adoption: 0,
            begun_at: now,
        };
        store.create_canary(&new).await.unwrap();
        match canary {
            Canary::Lost => {}
            Canary::Accepted => {
                store.accept_canary(&new, now).await.unwrap();
                self.count.answered(2 - self.count.in_doubt.len());
            }
            Canary::Refused => {
                store.refuse_canary(&new, now).await.unwrap();
                if let [oldest, _, ..] = doubts.as_slice()
                    && !is_left_to_people
                {
                    self.unsettle(&oldest.id, NoEvidence::CanaryRefused).await;
                }
                self.count.answered(1);
            }
        }
    }
}

async fn check(
    loses_for: Duration,
    is_left_to_people: bool,
    stores: Vec<bool>,
    canaries: Vec<Canary>,
) -> Duration {
    let world = World::new().await;
    let began = world.clock.now();
    let mut gate = Gate {
        world,
        count: Count {
            allowed: 2,
            ..Count::default()
        },
        last_canary: None,
        rests: Rests::of(Duration::from_mins(1)),
    };
    let mut stores = stores.into_iter().cycle();
    let mut canaries = canaries.into_iter().cycle();
    while gate.count.first_accepted.is_none() {
        let passed = gate.world.clock.now().since(began);
        assert!(passed < Duration::from_hours(72), "nothing leaves any more");
        let loses = passed < loses_for;
        // One that takes mail again still refuses what an inbox writes to itself.
        let canary = if loses {
            canaries.next().unwrap_or(Canary::Refused)
        } else {
            Canary::Refused
        };
        gate.settle(is_left_to_people, canary).await;
        gate.send(loses, &mut stores).await;
        gate.world.clock.advance(STEP);
    }
    let twice = gate.count.stored.values().filter(|n| **n > 1).count();
    assert_eq!(twice, 0, "something was sent twice");
    let first = gate.count.first_accepted.unwrap();
    gate.world.store.close().await;
    first.since(began).saturating_sub(loses_for)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn doubts_are_at_most_two_and_an_inbox_whose_own_mail_is_refused_goes_on_within_two_hours(
        minutes in 0_u64..1_800,
        is_left_to_people: bool,
        stores in prop::collection::vec(any::<bool>(), 1..20),
        canaries in prop::collection::vec(canary(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stood = runtime.block_on(check(
            Duration::from_mins(minutes),
            is_left_to_people,
            stores,
            canaries,
        ));
        prop_assert!(stood <= Duration::from_hours(2), "{stood:?}");
    }
}

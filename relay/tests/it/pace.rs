//! How fast an inbox sends: a store under random tries, changes and clocks, beside books that know nothing of how the
//! relay counts. Both ways: nothing leaves too soon, and nothing is held that may leave.

#![cfg(test)]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use protocol::budget::Budget;
use protocol::campaign::Step;
use protocol::delivery::Event;
use protocol::id::InboxId;
use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::engine::pace::pace;
use relay::engine::turns::take_turn;
use relay::record::NewLead;
use relay::store::Store;
use relay::store::delivery::{Claim, Ended, Job};
use tempfile::TempDir;

use crate::inbox::{connect, new_inbox};

mod gate;

const DAY: Duration = Duration::from_hours(24);
const LEADS: u64 = 60;

#[derive(Clone, Debug)]
enum Happening {
    /// It is tried, and its server takes the message, or not.
    Try {
        accepted: bool,
    },
    /// No connection came about: that is no try.
    TryInVain,
    /// The process ends between the claim and the answer.
    Crash,
    Live {
        minutes: u64,
    },
    Sleep {
        minutes: u64,
    },
    SetClock {
        minutes: i64,
    },
    /// The relay ends and is started again later.
    Restart {
        off_minutes: u64,
    },
    Change {
        distance_minutes: u64,
        cap: u32,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::{Change, Crash, Live, Restart, SetClock, Sleep, Try, TryInVain};
    prop_oneof![
        10 => any::<bool>().prop_map(|accepted| Try { accepted }),
        1 => Just(TryInVain),
        1 => Just(Crash),
        8 => (1_u64..400).prop_map(|minutes| Live { minutes }),
        1 => (1_u64..3_000).prop_map(|minutes| Sleep { minutes }),
        2 => (-3_000_i64..3_000).prop_map(|minutes| SetClock { minutes }),
        1 => (0_u64..1_600).prop_map(|off_minutes| Restart { off_minutes }),
        2 => (0_u64..90, 0_u32..5)
            .prop_map(|(distance_minutes, cap)| Change { distance_minutes, cap }),
    ]
}

struct World {
    folder: TempDir,
    clock: Clock,
    store: Store,
    inbox: InboxId,
    budget: Budget,
    n_left: u64,
    /// For how long no relay lived.
    absent: Duration,
    /// What was lived, and for how long none lived, at each try.
    tries: Vec<(Duration, Duration)>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_ms(1_795_417_920_000);
        let clock = Clock::manual(now);
        let store = Store::open(&folder.path().join("unpause.db"), &clock)
            .await
            .unwrap();
        let new = new_inbox("jane@acme.example", "imap", Budget::default());
        let inbox = connect(&store, new, now).await;
        let step = Step {
            subject: "Hello".to_owned(),
            body: "Hello".to_owned(),
            wait_ms: 0,
            ..Step::default()
        };
        let inboxes = std::slice::from_ref(&inbox);
        let campaign = store
            .create_campaign("Spring outreach", inboxes, &[step], now)
            .await
            .unwrap()
            .id;
        let leads: Vec<_> = (0..LEADS)
            .map(|n| NewLead {
                row: n + 2,
                address: format!("lead{n}@example{n}.org").parse().unwrap(),
                fields: BTreeMap::new(),
            })
            .collect();
        store.import_leads(&campaign, &leads).await.unwrap();
        store.start_campaign(&campaign, now).await.unwrap();
        Self {
            folder,
            clock,
            store,
            inbox,
            budget: Budget::default(),
            n_left: LEADS,
            absent: Duration::ZERO,
            tries: Vec::new(),
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
            // Neither doubts nor refusals hold anything up here: it is all about the pace.
            rests: Rests::default(),
        };
        self.store.claim_delivery(&claim).await.unwrap()
    }

    /// Shorter than the shortest distance since the last try, and longer than the longest.
    fn distance_says(&self) -> (bool, bool) {
        let Some((lived, absent)) = self.tries.last() else {
            return (false, true);
        };
        let since = (self.clock.lived() + self.absent).saturating_sub(*lived + *absent);
        let distance = self.budget.distance;
        (
            since < distance.mul_f64(0.8),
            since > distance.mul_f64(1.2) || distance.is_zero(),
        )
    }

    fn tried_in_a_day(&self) -> usize {
        let passed = self.clock.lived() + self.absent;
        let is_of_today = |(lived, absent): &&(Duration, Duration)| *lived + *absent + DAY > passed;
        self.tries.iter().filter(is_of_today).count()
    }

    fn is_full(&self) -> bool {
        let n = self.tried_in_a_day();
        self.budget.daily_cap.is_some_and(|cap| n >= cap as usize)
    }

    async fn happen(&mut self, what: Happening) {
        let event = match what {
            Happening::Live { minutes } => {
                return self.clock.advance(Duration::from_mins(minutes));
            }
            Happening::Sleep { minutes } => return self.clock.sleep(Duration::from_mins(minutes)),
            Happening::SetClock { minutes } => {
                let now_ms = self.clock.now().as_ms() + minutes * 60_000;
                return self.clock.set(Timestamp::from_ms(now_ms));
            }
            Happening::Restart { off_minutes } => {
                let off_for = Duration::from_mins(off_minutes);
                self.store.beat().await.unwrap();
                self.store.close().await;
                self.clock.sleep(off_for);
                self.absent += off_for;
                let path = self.folder.path().join("unpause.db");
                // The one before lets go of its file first.
                let elsewhere = self.folder.path().join("other.db");
                let elsewhere = Store::open(&elsewhere, &self.clock).await.unwrap();
                drop(std::mem::replace(&mut self.store, elsewhere));
                self.store = Store::open(&path, &self.clock).await.unwrap();
                self.store.bridge_absence().await.unwrap();
                return;
            }
            Happening::Change {
                distance_minutes,
                cap,
            } => {
                self.budget = Budget {
                    distance: Duration::from_mins(distance_minutes),
                    daily_cap: (cap > 0).then_some(cap),
                };
                self.store
                    .update_budget(&self.inbox, self.budget)
                    .await
                    .unwrap();
                return;
            }
            Happening::Try { accepted: true } => Some(Event::Accepted {
                at: self.clock.now(),
            }),
            Happening::Try { accepted: false } => Some(Event::Rejected {
                cause: protocol::cause::Cause::RecipientRejected,
            }),
            Happening::TryInVain => Some(Event::PutBack),
            Happening::Crash => None,
        };
        let (is_too_soon, is_late_enough) = self.distance_says();
        let job = self.claim().await;
        let counted = self
            .store
            .count_tried(&self.inbox, self.clock.now())
            .await
            .unwrap();
        assert_eq!(counted, self.tried_in_a_day() as u64);
        let Some(job) = job else {
            assert!(
                self.is_full() || !is_late_enough || self.n_left == 0,
                "{:?} holds what may leave: {:?}",
                self.budget,
                self.tries
            );
            return;
        };
        assert!(!is_too_soon, "{:?}: {:?}", self.budget, self.tries);
        assert!(!self.is_full(), "{:?}: {:?}", self.budget, self.tries);
        let now = self.clock.now();
        match event {
            None => {
                assert_eq!(self.store.doubt_orphans(now, None).await.unwrap(), 1);
                self.note_try();
            }
            Some(event) => {
                let is_try = event != Event::PutBack;
                let ended = Ended {
                    event,
                    words: "words".to_owned(),
                    wire_id: None,
                    told: None,
                };
                self.store
                    .finish_delivery(&job, &ended, now, None)
                    .await
                    .unwrap();
                if is_try {
                    self.note_try();
                }
            }
        }
    }

    fn note_try(&mut self) {
        self.tries.push((self.clock.lived(), self.absent));
        self.n_left -= 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_leaves_too_soon_and_nothing_is_held_that_may_leave(
        happenings in prop::collection::vec(happening(), 1..70),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for happening in happenings {
                world.happen(happening).await;
            }
            world.store.close().await;
        });
    }
}

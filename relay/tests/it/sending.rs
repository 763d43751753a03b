//! When campaigns send: two of them at one inbox through ten days, each message held against books that know nothing of
//! how the relay counts and look local times up with another library. Both ways: nothing leaves outside a window, over a
//! cap or before its wait is over, and nothing is held that may leave. What the relay says of why nothing leaves is held
//! against the same books, and when it says that something will.

#![cfg(test)]

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{Datelike as _, TimeZone as _, Timelike as _};
use proptest::prelude::*;
use protocol::budget::Budget;
use protocol::campaign::Step;
use protocol::delivery::Event;
use protocol::id::{CampaignId, InboxId};
use protocol::schedule::{Days, Schedule, WEEK, Weekday, Window};
use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use protocol::why::Gate;
use relay::clock::Clock;
use relay::engine::pace::pace;
use relay::engine::turns::take_turn;
use relay::engine::why::{Around, explain, find_next};
use relay::record::{NewLead, Sending};
use relay::store::Store;
use relay::store::delivery::{Claim, Ended, Job};
use tempfile::TempDir;

use crate::inbox::{connect, new_inbox};

mod inboxes;

const DAY: Duration = Duration::from_hours(24);
/// The clocks of Berlin are put forward on the third day of these, on the tenth those of Lord Howe are put back.
const START: &str = "2021-03-26T03:00:00Z";
const DISTANCE: Duration = Duration::from_mins(17);

#[derive(Clone, Debug)]
struct Plan {
    sending: Sending,
    /// The number of the domain of each lead.
    leads: Vec<usize>,
    /// Days between its steps.
    waits: Vec<u64>,
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let window = (0_u16..23, 0_u16..60, 20_u16..500).prop_filter_map(
        "it ends on its day",
        |(hour, minute, length)| {
            let from = hour * 60 + minute;
            Some(Window {
                from: protocol::schedule::Minute::new(from)?,
                to: protocol::schedule::Minute::new(from + length)?,
            })
        },
    );
    let zones = [
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "UTC",
    ];
    let schedule = (
        prop::sample::select(zones.to_vec()),
        prop::collection::btree_set(prop::sample::select(WEEK.to_vec()), 2..=7),
        prop::collection::vec(window, 1..3),
        prop::option::of(0_i64..8),
    )
        .prop_map(|(zone, weekdays, windows, skip)| {
            let first: protocol::schedule::Date = "2021-03-26".parse().unwrap();
            let skip = skip.map(|n| Days {
                from: first.plus(n),
                to: Some(first.plus(n + 1)),
            });
            Schedule {
                zone: zone.to_owned(),
                weekdays: weekdays.into_iter().collect(),
                windows,
                starts_on: None,
                ends_on: None,
                skip: skip.into_iter().collect(),
            }
        });
    (
        prop::option::weighted(0.8, schedule),
        prop::option::of(1_u32..9),
        prop::option::of(1_u32..4),
        prop::collection::vec(0_usize..4, 1..24),
        prop::collection::vec(1_u64..4, 0..3),
    )
        .prop_map(
            |(schedule, daily_cap, domain_daily_cap, leads, waits)| Plan {
                sending: Sending {
                    schedule,
                    daily_cap,
                    domain_daily_cap,
                },
                leads,
                waits,
            },
        )
}

/// A message that left.
#[derive(Clone, Copy, Debug)]
struct Left {
    at: Timestamp,
    campaign: usize,
    lead: usize,
    step: usize,
    domain: usize,
}

/// What an inbox's worker does before it sends, and its claim.
async fn claim_at(store: &Store, inbox: &InboxId, now: Timestamp) -> Option<Job> {
    store.wake_rested(inbox, now).await.unwrap();
    let claim = Claim {
        owes_copy: false,
        inbox: inbox.clone(),
        domain: "acme.example".to_owned(),
        now,
        lease_until: now + Duration::from_mins(30),
        sent: None,
        take_turn,
        pace,
        tags: relay::tag::Tags::new([7; 32]),
        rests: Rests::default(),
    };
    store.claim_delivery(&claim).await.unwrap()
}

struct World {
    _folder: TempDir,
    clock: Clock,
    store: Store,
    inbox: InboxId,
    plans: Vec<Plan>,
    campaigns: Vec<CampaignId>,
    left: Vec<Left>,
}

impl World {
    async fn new(plans: Vec<Plan>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now: Timestamp = START.parse().unwrap();
        let clock = Clock::manual(now);
        let store = Store::open(&folder.path().join("unpause.db"), &clock)
            .await
            .unwrap();
        let budget = Budget {
            distance: DISTANCE,
            daily_cap: None,
        };
        let new = new_inbox("jane@acme.example", "imap", budget);
        let inbox = connect(&store, new, now).await;
        let mut campaigns = Vec::new();
        for (n, plan) in plans.iter().enumerate() {
            let step = |days: &u64| Step {
                subject: "Hello".to_owned(),
                body: "Hello".to_owned(),
                wait_ms: days * 24 * 3_600_000,
                ..Step::default()
            };
            let steps: Vec<_> = std::iter::once(&0).chain(&plan.waits).map(step).collect();
            let campaign = store
                .create_campaign_that(
                    &format!("Spring {n}"),
                    std::slice::from_ref(&inbox),
                    &steps,
                    &plan.sending,
                    now,
                )
                .await
                .unwrap()
                .id;
            let leads: Vec<_> = (0_u64..)
                .zip(&plan.leads)
                .map(|(row, domain)| NewLead {
                    row: row + 2,
                    // One organisation's, whatever the name in front of it is.
                    address: format!("lead{row}@mail{}.acme{domain}.co.uk", row % 2)
                        .parse()
                        .unwrap(),
                    fields: BTreeMap::new(),
                })
                .collect();
            store.import_leads(&campaign, &leads).await.unwrap();
            store.start_campaign(&campaign, now).await.unwrap();
            campaigns.push(campaign);
        }
        Self {
            _folder: folder,
            clock,
            store,
            inbox,
            plans,
            campaigns,
            left: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn claim(&self) -> Option<Job> {
        claim_at(&self.store, &self.inbox, self.now()).await
    }

    /// Whether a window of the campaign is open, by what a clock there shows.
    fn is_open(&self, campaign: usize) -> bool {
        let Some(schedule) = &self.plans[campaign].sending.schedule else {
            return true;
        };
        let zone: chrono_tz::Tz = schedule.zone.parse().unwrap();
        let at = self.now().as_ms();
        let shown = |ms: i64| zone.timestamp_millis_opt(ms).unwrap();
        let local = shown(at);
        let weekday: Weekday = WEEK[local.weekday().num_days_from_monday() as usize];
        let text = local.format("%Y-%m-%d").to_string();
        let is_off = |days: &Days| days.from.to_string() <= text && text <= days.last().to_string();
        // A window opens when a clock of its zone first shows its beginning, and is over when it last shows what is
        // before its end. A clock goes on but for where it is set, so what is near is enough.
        let day = local.date_naive();
        let near = |minutes: std::ops::RangeInclusive<i64>| {
            let shown = minutes.map(move |n| zone.timestamp_millis_opt(at + n * 60_000).unwrap());
            let shown = shown.filter(move |local| local.date_naive() == day);
            shown.map(|local| local.hour() * 60 + local.minute())
        };
        let latest = near(-90..=0).max().unwrap();
        let earliest = near(0..=90).min().unwrap();
        let in_window = |window: &Window| {
            let (from, to) = (window.from.minutes().into(), window.to.minutes().into());
            latest >= from && earliest < to
        };
        schedule.weekdays.contains(&weekday)
            && !schedule.skip.iter().any(is_off)
            && schedule.windows.iter().any(in_window)
    }

    fn tried_today(&self, of: impl Fn(&Left) -> bool) -> usize {
        let today = |left: &&Left| left.at + DAY > self.now();
        self.left.iter().filter(today).filter(|one| of(one)).count()
    }

    fn has_room(&self, campaign: usize) -> bool {
        let cap = self.plans[campaign].sending.daily_cap;
        cap.is_none_or(|cap| self.tried_today(|one| one.campaign == campaign) < cap as usize)
    }

    fn has_room_at(&self, campaign: usize, domain: usize) -> bool {
        let cap = self.plans[campaign].sending.domain_daily_cap;
        cap.is_none_or(|cap| self.tried_today(|one| one.domain == domain) < cap as usize)
    }

    /// When the step of a lead that comes next may leave at the earliest, for its wait; `None` where it has none.
    fn due(&self, campaign: usize, lead: usize) -> Option<Timestamp> {
        let of_lead = |one: &&Left| one.campaign == campaign && one.lead == lead;
        let Some(last) = self.left.iter().rfind(of_lead) else {
            return Some(START.parse().unwrap());
        };
        let plan = &self.plans[campaign];
        let days = *plan.waits.get(last.step)?;
        let Some(schedule) = &plan.sending.schedule else {
            return Some(last.at + DAY * u32::try_from(days).unwrap());
        };
        let zone: chrono_tz::Tz = schedule.zone.parse().unwrap();
        let local = zone.timestamp_millis_opt(last.at.as_ms()).unwrap();
        let then = local.naive_local() + chrono::Days::new(days);
        let then = (0..120).find_map(|minutes| {
            let then = then + chrono::Duration::minutes(minutes);
            zone.from_local_datetime(&then).earliest()
        });
        Some(Timestamp::from_ms(then.unwrap().timestamp_millis()))
    }

    /// The distance is a fifth more or less.
    fn distance_says(&self) -> (bool, bool) {
        let Some(last) = self.left.last() else {
            return (false, true);
        };
        let since = self.now().since(last.at);
        (
            since < DISTANCE.mul_f64(0.79),
            since > DISTANCE.mul_f64(1.21),
        )
    }

    /// Whether the books know of something that may leave.
    fn may_leave(&self, campaign: usize) -> bool {
        let plan = &self.plans[campaign];
        self.is_open(campaign)
            && self.has_room(campaign)
            && plan.leads.iter().enumerate().any(|(lead, domain)| {
                // A time that is missing may be put off by as much.
                let is_due = self
                    .due(campaign, lead)
                    .is_some_and(|due| due + Duration::from_hours(1) <= self.now());
                is_due && self.has_room_at(campaign, *domain)
            })
    }

    async fn note(&mut self, job: Job) {
        let now = self.now();
        let campaign = self
            .campaigns
            .iter()
            .position(|id| *id == job.campaign)
            .unwrap();
        let name = job.to.as_str().split('@').next().unwrap();
        let lead: usize = name.trim_start_matches("lead").parse().unwrap();
        let domain = self.plans[campaign].leads[lead];
        assert!(self.is_open(campaign), "{now}: {:?}", self.plans[campaign]);
        assert!(self.has_room(campaign), "{now}: {:?}", self.left);
        assert!(self.has_room_at(campaign, domain), "{now}: {:?}", self.left);
        assert!(!self.distance_says().0, "{now}: {:?}", self.left);
        let due = self.due(campaign, lead);
        assert!(due.is_some_and(|due| due <= now), "{now} is before {due:?}");
        let ended = Ended {
            event: Event::Accepted { at: now },
            words: "2.0.0 Ok".to_owned(),
            wire_id: None,
            told: None,
        };
        self.store
            .finish_delivery(&job, &ended, now, None)
            .await
            .unwrap();
        self.left.push(Left {
            at: now,
            campaign,
            lead,
            step: job.step_idx,
            domain,
        });
    }

    /// What the relay says that each message waits for, held against the books; answers when something leaves next.
    async fn ask_why(&self) -> Option<Timestamp> {
        let now = self.now();
        let mut next_at = None;
        for (n, campaign) in self.campaigns.iter().enumerate() {
            let plan = &self.plans[n];
            let left = self
                .store
                .load_left(campaign, &Rests::default(), now)
                .await
                .unwrap();
            let around = Around {
                pace: pace(
                    &self.store.load_budgets(&self.inbox, now).await.unwrap(),
                    now,
                ),
                copies_until: None,
                rests_until: None,
                is_shared: false,
            };
            let n_sent = self.left.iter().filter(|one| one.campaign == n).count();
            let n_left = (plan.leads.len() * (plan.waits.len() + 1) - n_sent) as u64;
            let mut n_told = left.n_unplanned;
            for facts in &left.facts {
                let waiting = explain(facts, &around, now);
                n_told += waiting.iter().map(|one| one.n).sum::<u64>();
                for one in &waiting {
                    let is_true = match one.gate {
                        Gate::Schedule => !self.is_open(n),
                        Gate::CampaignCap => !self.has_room(n),
                        Gate::Turn => self.may_leave(n) || self.is_open(n),
                        Gate::Distance => !self.distance_says().1,
                        Gate::DomainCap | Gate::NotDue => true,
                        gate => panic!("nothing waits {}", gate.words()),
                    };
                    assert!(is_true, "{now}: {one:?}");
                }
                let next = find_next(facts, &around, now);
                next_at = [next_at, next].into_iter().flatten().min();
            }
            assert_eq!(n_told, n_left, "{now}");
        }
        next_at
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn ten_days_of_two_campaigns_keep_windows_caps_and_waits(
        plans in prop::collection::vec(any_plan(), 2..=2),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(plans).await;
            let ends_at = world.now() + DAY * 10;
            while world.now() < ends_at {
                let next_at = world.ask_why().await;
                if let Some(job) = world.claim().await {
                    assert!(next_at.is_some_and(|at| at <= world.now()), "{next_at:?} at {}", world.now());
                    world.note(job).await;
                    continue;
                }
                if world.distance_says().1 {
                    for campaign in 0..world.campaigns.len() {
                        assert!(!world.may_leave(campaign), "{} holds what may leave: {:?} {:?}", world.now(), world.plans[campaign], world.left);
                    }
                }
                // Asked after the claim, which may have found that a domain is full.
                let Some(next_at) = world.ask_why().await else { break };
                let now = world.now();
                assert!(next_at > now, "nothing left at {next_at}");
                world.clock.advance(next_at.since(now).saturating_sub(Duration::from_millis(1)));
                let job = world.claim().await;
                assert!(job.is_none(), "{next_at} was told, and it left just before: {job:?}");
                world.clock.advance(Duration::from_millis(1));
                let told = world.ask_why().await;
                match world.claim().await {
                    Some(job) => world.note(job).await,
                    // What was due first may have met a domain that is full.
                    None => assert!(told.is_some_and(|at| at <= next_at) && world.ask_why().await.is_none_or(|at| at > next_at)),
                }
            }
            world.store.close().await;
        });
    }
}

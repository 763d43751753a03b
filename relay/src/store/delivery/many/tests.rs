//! Each event that many deliveries take in one statement, held equal to the function of `protocol`: rows in every
//! state, whatever belongs to them; the statement; and beside it each row by itself. What goes with a lead's revival is
//! played between them.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use protocol::budget::Budget;
use protocol::campaign::Step;
use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::delivery::{Event, STATE_NAMES, State, StateName};
use protocol::id::{CampaignId, DeliveryId};
use protocol::inbox::{MailServer, TlsMode};
use protocol::lead::State as LeadState;
use protocol::provider::ProviderId;
use protocol::suppression::SUPPRESSIONS;
use protocol::timestamp::Timestamp;
use sqlx::Row as _;

use super::super::state_from;
use super::*;
use crate::clock::Clock;
use crate::store::inbox::NewInbox;
use crate::store::set_back::Longest;
use crate::store::{Store, lead, number, number_or_null, small, text};

const NOW: Timestamp = Timestamp::from_ms(1_795_417_920_000);
const MINUTE_MS: i64 = 60_000;
const N_LEADS: usize = 6;
const N_STEPS: i64 = 3;
const LONGEST: Longest = Longest {
    lease: Duration::from_mins(30),
    refresh: Duration::from_mins(1),
    deferral: Duration::from_mins(45),
};

/// A delivery as chance makes it.
#[derive(Clone, Debug)]
struct Made {
    name: StateName,
    why: Suppression,
    /// Minutes from now, by the wall and by the running time.
    at: (i64, i64),
    /// The rest is over.
    has_rested: bool,
    attempts: u32,
    is_held: bool,
}

fn made() -> impl Strategy<Value = Made> {
    let minutes = || prop_oneof![-90_i64..90, Just(0)];
    (
        prop::sample::select(STATE_NAMES.to_vec()),
        prop::sample::select(SUPPRESSIONS.to_vec()),
        (minutes(), minutes()),
        any::<bool>(),
        0_u32..3,
        any::<bool>(),
    )
        .prop_map(|(name, why, at, has_rested, attempts, is_held)| Made {
            name,
            why,
            at,
            has_rested,
            attempts,
            is_held,
        })
}

/// What is done to a random lead, or to one of two inboxes, or to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Suppressed,
    Rested,
    SetBack,
    Unplanned,
}

fn moves() -> impl Strategy<Value = Vec<(Move, usize, Suppression)>> {
    let one = prop_oneof![
        Just(Move::Suppressed),
        Just(Move::Rested),
        Just(Move::SetBack),
        Just(Move::Unplanned),
    ];
    let why = prop::sample::select(SUPPRESSIONS.to_vec());
    prop::collection::vec((one, 0..N_LEADS, why), 1..6)
}

/// A row as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    lead: usize,
    step: i64,
    state: State,
    attempts: u32,
    /// The end of its rest by the running time.
    rest_until_r_ms: Option<i64>,
    is_ranked: bool,
    is_held: bool,
}

struct World {
    store: Store,
    inboxes: Vec<InboxId>,
    leads: Vec<LeadId>,
}

impl World {
    fn inbox_of(&self, lead: usize) -> &InboxId {
        &self.inboxes[lead % 2]
    }

    async fn build(store: Store, made: &[Vec<Made>], leads: &[LeadState]) -> Self {
        let server = MailServer {
            host: "mail.acme.example".to_owned(),
            port: 465,
            tls: TlsMode::Implicit,
        };
        let connected = Connection::Connected {
            since: NOW,
            dismissed: None,
        };
        let mut inboxes = Vec::new();
        for name in ["jane", "joan"] {
            let new = NewInbox {
                address: format!("{name}@acme.example").parse().unwrap(),
                provider: ProviderId::new("imap"),
                smtp: server.clone(),
                imap: server.clone(),
                budget: Budget::default(),
            };
            inboxes.push(store.create_inbox(new, &connected, NOW).await.unwrap().id);
        }
        let step = Step {
            subject: "Hello".to_owned(),
            body: "This is the message.".to_owned(),
            wait_ms: 0,
            ..Step::default()
        };
        let steps = vec![step; usize::try_from(N_STEPS).unwrap()];
        let campaign = store.create_campaign("Spring", &inboxes, &steps, NOW);
        let campaign = campaign.await.unwrap().id;
        let mut world = Self {
            store,
            inboxes,
            leads: Vec::new(),
        };
        for (lead, state) in leads.iter().enumerate() {
            let id = LeadId::new(format!("led_{lead}"));
            sqlx::query(
                "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state, person, domain) \
                 VALUES ($1, $2, $3, $4, $5, '{}', $6, $5, 'lead.example')",
            )
            .bind(id.to_string())
            .bind(campaign.to_string())
            .bind(world.inbox_of(lead).to_string())
            .bind(i64::try_from(lead).unwrap())
            .bind(format!("{lead}@lead.example"))
            .bind(state.name())
            .execute(&world.store.writer)
            .await
            .unwrap();
            world.leads.push(id);
            for (idx, made) in made[lead].iter().enumerate() {
                let step = i64::try_from(idx).unwrap() + 1;
                world.insert(&campaign, lead, step, made).await;
            }
        }
        world
    }

    /// The columns of a state, written apart from the store.
    async fn insert(&self, campaign: &CampaignId, lead: usize, step: i64, made: &Made) {
        use StateName::{
            Accepted, Attempting, Bounced, Deferred, InDoubt, Rejected, Suppressed, Unsettled,
        };
        let of = |names: &[StateName]| names.contains(&made.name);
        let at = NOW.as_ms() + made.at.0 * MINUTE_MS;
        let r_ms = self.store.moment(NOW).r_ms + made.at.1 * MINUTE_MS;
        let rests = of(&[Deferred]) && !made.has_rested;
        let id = DeliveryId::new(format!("dlv_{lead}_{step}"));
        sqlx::query(
            "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, due_ms, is_first, place, attempt, \
             lease_until_ms, accepted_at_ms, in_doubt_since_ms, cause, why, rest_until_ms, rest_until_r_ms, is_held) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        )
        .bind(id.to_string())
        .bind(campaign.to_string())
        .bind(self.leads[lead].to_string())
        .bind(self.inbox_of(lead).to_string())
        .bind(step)
        .bind(made.name.as_str())
        .bind(step * MINUTE_MS)
        .bind(i64::from(step == 1))
        .bind(i64::try_from(lead).unwrap())
        .bind(i64::from(made.attempts))
        .bind(of(&[Attempting]).then_some(at))
        .bind(of(&[Accepted, Bounced]).then_some(at))
        .bind(of(&[InDoubt, Unsettled]).then_some(at))
        .bind(of(&[Deferred, Rejected]).then_some(Cause::RecipientDeferred.code()))
        .bind(of(&[Suppressed]).then_some(made.why.code()))
        .bind(rests.then_some(at))
        .bind(rests.then_some(r_ms))
        .bind(i64::from(made.is_held))
        .execute(&self.store.writer)
        .await
        .unwrap();
    }

    /// Gives every row the place that the store gives it.
    async fn rank(&self) {
        let mut tx = self.store.begin().await.unwrap();
        let rows = sqlx::query("SELECT id FROM deliveries").fetch_all(&mut *tx);
        for row in rows.await.unwrap() {
            let id = DeliveryId::new(text(&row, "id").unwrap());
            super::super::put_rank(&mut tx, &id).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn see(&self) -> Vec<Seen> {
        let rows = sqlx::query(
            "SELECT lead_id, step, state, due_ms, rest_until_ms, rest_until_r_ms, lease_until_ms, accepted_at_ms, \
             in_doubt_since_ms, cause, why, attempt, rank, is_held FROM deliveries ORDER BY lead_id, step",
        )
        .fetch_all(&self.store.writer)
        .await
        .unwrap();
        rows.iter()
            .map(|row| {
                let lead: String = row.get("lead_id");
                Seen {
                    lead: lead.trim_start_matches("led_").parse().unwrap(),
                    step: number(row, "step").unwrap(),
                    state: state_from(row).unwrap(),
                    attempts: small(row, "attempt").unwrap(),
                    rest_until_r_ms: number_or_null(row, "rest_until_r_ms").unwrap(),
                    is_ranked: number_or_null(row, "rank").unwrap().is_some(),
                    is_held: number(row, "is_held").unwrap() == 1,
                }
            })
            .collect()
    }

    async fn lead_state(&self, lead: usize) -> LeadState {
        let row = sqlx::query("SELECT state FROM leads WHERE id = $1")
            .bind(self.leads[lead].to_string())
            .fetch_one(&self.store.writer)
            .await
            .unwrap();
        lead::state_from(&row, "state").unwrap()
    }

    /// The move, as the relay makes it.
    async fn make(&self, what: Move, lead: usize, why: Suppression) {
        let now = self.store.moment(NOW);
        let mut tx = self.store.begin().await.unwrap();
        match what {
            Move::Suppressed => {
                let id = &self.leads[lead];
                lead::stop(&mut tx, id, why, now).await.unwrap();
                tx.commit().await.unwrap();
            }
            Move::Unplanned => {
                lead::revive(&mut tx, &self.leads[lead]).await.unwrap();
                tx.commit().await.unwrap();
            }
            Move::Rested => {
                drop(tx);
                let inbox = self.inbox_of(lead);
                self.store.wake_rested(inbox, NOW).await.unwrap();
            }
            Move::SetBack => {
                drop(tx);
                self.store.set_back(NOW, LONGEST).await.unwrap();
            }
        }
    }

    /// What must be there after a move: each row by itself.
    async fn expect(
        &self,
        before: Vec<Seen>,
        what: Move,
        lead: usize,
        why: Suppression,
    ) -> Vec<Seen> {
        let is_active = matches!(
            self.lead_state(lead).await,
            LeadState::Active | LeadState::Paused
        );
        let r_ms = self.store.moment(NOW).r_ms;
        let latest = Latest {
            happened: NOW,
            lease_until: NOW + LONGEST.lease,
            rest_until: NOW + LONGEST.deferral,
        };
        let mut after = Vec::new();
        for mut row in before.clone() {
            let is_meant = match what {
                Move::Suppressed => is_active && row.lead == lead,
                Move::Unplanned => row.lead == lead,
                Move::Rested => row.lead % 2 == lead % 2 && has_rested(&row, r_ms),
                Move::SetBack => true,
            };
            let event = match what {
                _ if !is_meant => None,
                Move::Unplanned if row.state.is_unplanned(row.attempts) => continue,
                Move::Unplanned => None,
                Move::Suppressed => Some(Event::Suppressed(why)),
                Move::Rested => Some(Event::Rested),
                Move::SetBack => Some(Event::SetBack(latest)),
            };
            if let Some(Ok(state)) = event.map(|event| row.state.clone().apply(event)) {
                row.state = state;
                match what {
                    Move::Suppressed => (row.rest_until_r_ms, row.is_ranked) = (None, false),
                    Move::Rested => {
                        row.rest_until_r_ms = None;
                        let is_paused = self.lead_state(row.lead).await == LeadState::Paused;
                        row.is_ranked = !row.is_held && !is_paused && is_next(&before, &row);
                    }
                    Move::SetBack | Move::Unplanned => {}
                }
            }
            after.push(row);
        }
        if what == Move::Suppressed && is_active {
            let last = before.iter().filter(|row| row.lead == lead);
            let last = last.map(|row| row.step).max().unwrap_or(0);
            after.extend((last + 1..=N_STEPS).map(|step| Seen {
                lead,
                step,
                state: State::Suppressed { why },
                attempts: 0,
                rest_until_r_ms: None,
                is_ranked: false,
                is_held: false,
            }));
            after.sort_by_key(|row| (row.lead, row.step));
        }
        after
    }
}

/// By what was lived.
fn has_rested(row: &Seen, r_ms: i64) -> bool {
    row.rest_until_r_ms.is_some_and(|until| until <= r_ms)
}

/// Whether every step before was accepted.
fn is_next(rows: &[Seen], row: &Seen) -> bool {
    let mut before = rows
        .iter()
        .filter(|other| other.lead == row.lead && other.step < row.step);
    before.all(|other| matches!(other.state, State::Accepted { .. }))
}

async fn play(made: Vec<Vec<Made>>, leads: Vec<LeadState>, moves: Vec<(Move, usize, Suppression)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.db");
    let store = Store::open(&path, &Clock::manual(NOW)).await.unwrap();
    let world = World::build(store, &made, &leads).await;
    world.rank().await;
    for (what, lead, why) in moves {
        let before = world.see().await;
        let expected = world.expect(before, what, lead, why).await;
        world.make(what, lead, why).await;
        assert_eq!(
            world.see().await,
            expected,
            "{what:?} of lead {lead}, {why:?}"
        );
    }
    world.store.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x5e7_ba5e),
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_one_statement_does_to_many_rows_is_what_the_event_does_to_each(
        made in prop::collection::vec(prop::collection::vec(made(), 0..=3), N_LEADS),
        leads in prop::collection::vec(prop::sample::select(LeadState::ALL.to_vec()), N_LEADS),
        moves in moves(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(made, leads, moves));
    }
}

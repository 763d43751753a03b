//! What senders do and what becomes of them: conversations that end in every way, kills, leases, and
//! doubts that are settled.

use std::future::Future;
use std::time::Duration;

use protocol::delivery::Event;
use protocol::evidence::{Evidence, IoFault, Party, Said, Stage as At};
use protocol::id::{DeliveryId, InboxId};
use protocol::reply::SmtpReply;
use protocol::standing::{End, Tried};
use protocol::timestamp::Timestamp;
use relay::engine::doubt::{self, Silence, Verdict};
use relay::engine::outcome::{InboxDoes, decide_refused};
use relay::engine::pace::pace;
use relay::engine::turns::take_turn;
use relay::record::SentPlace;
use relay::store::delivery::{Claim, Ended, Job};
use relay::store::doubt::NewCanary;
use relay::store::standing::Told;
use relay::store::{Store, StoreError};

use super::connecting::evidence;
use super::server::{Fate, SIZE_BYTES};
use super::world::{Flight, Refusal, World, database, rests};

const LEASE_FOR: Duration = Duration::from_mins(30);

impl World {
    /// An acceptance as a sender tells it.
    pub(crate) fn accepted(&self, job: &Job) -> Ended {
        let told = Told {
            tried: Tried {
                delivery: job.id.clone(),
                domain: job.to.domain().to_owned(),
                is_own: false,
                end: End::Accepted,
            },
            rests: rests(),
        };
        Ended {
            told: Some(told),
            ..ended(Event::Accepted { at: self.now })
        }
    }

    pub(crate) fn new_claim(&self, inbox: usize) -> Claim {
        Claim {
            owes_copy: false,
            inbox: self.inboxes[inbox].clone(),
            domain: "acme.example".to_owned(),
            tags: relay::tag::Tags::new([7; 32]),
            now: self.now,
            lease_until: self.now + LEASE_FOR,
            sent: Some(SentPlace {
                folder: "Sent".to_owned(),
                position: self.server.position(inbox),
            }),
            take_turn,
            pace,
            rests: rests(),
        }
    }

    /// Claims; answers whether there was something.
    pub(crate) async fn claim(&mut self, inbox: usize) -> bool {
        let gap_open = self
            .store()
            .load_inbox(&self.inboxes[inbox])
            .await
            .unwrap()
            .gap_open;
        if gap_open || !self.works(inbox).await {
            return false;
        }
        let id = &self.inboxes[inbox];
        self.store().wake_rested(id, self.now).await.unwrap();
        let claim = self.new_claim(inbox);
        match self.store().claim_delivery(&claim).await.unwrap() {
            Some(job) => {
                self.take_off(inbox, job).await;
                true
            }
            None => false,
        }
    }

    pub(super) async fn take_off(&mut self, inbox: usize, job: Job) {
        self.check_claimed(inbox, &job).await;
        self.flights.push(Flight { inbox, job });
    }

    pub(super) fn take_flight(&mut self, nth: usize) -> Option<Flight> {
        let idx = nth.checked_rem(self.flights.len())?;
        Some(self.flights.remove(idx))
    }

    pub(super) fn hand_over(&mut self, flight: &Flight, fate: Fate) {
        self.handed_over[flight.inbox] = Some(self.now);
        self.attempted.insert(flight.job.id.clone(), self.now);
        self.server.take(flight.inbox, &flight.job, fate, self.now);
    }

    pub(crate) async fn accept(&mut self, nth: usize, claim_next: bool) {
        let Some(flight) = self.take_flight(nth) else {
            return;
        };
        self.hand_over(&flight, Fate::Now);
        let ended = ended(Event::Accepted { at: self.now });
        let claim_next = claim_next && self.works(flight.inbox).await;
        let claim = claim_next.then(|| self.new_claim(flight.inbox));
        let next = self
            .store()
            .finish_delivery(&flight.job, &ended, self.now, claim.as_ref())
            .await
            .unwrap()
            .next;
        if let Some(job) = next {
            self.take_off(flight.inbox, job).await;
        }
    }

    pub(super) async fn refuse(&mut self, nth: usize, how: Refusal) {
        let Some(flight) = self.take_flight(nth) else {
            return;
        };
        let evidence = how.evidence(self.now);
        let consequence = decide_refused(&evidence, flight.job.attempt, self.now);
        let ended = ended(consequence.delivery);
        self.store()
            .finish_delivery(&flight.job, &ended, self.now, None)
            .await
            .unwrap();
        if consequence.inbox == InboxDoes::BeProbed {
            self.fail(flight.inbox, evidence).await;
        }
    }

    pub(super) async fn lose_reply(&mut self, nth: usize, fate: Fate) {
        let Some(flight) = self.take_flight(nth) else {
            return;
        };
        self.hand_over(&flight, fate);
        let ended = ended(Event::Doubted { at: self.now });
        self.store()
            .finish_delivery(&flight.job, &ended, self.now, None)
            .await
            .unwrap();
    }

    pub(super) async fn kill(&mut self, fates: [Fate; 4], torn_after: Option<usize>) {
        if let Some(n_polls) = torn_after
            && let Some(flight) = self.take_flight(0)
        {
            self.hand_over(&flight, Fate::Now);
            let ended = ended(Event::Accepted { at: self.now });
            let writing = self
                .store()
                .finish_delivery(&flight.job, &ended, self.now, None);
            abandon_after(n_polls, writing).await;
        }
        self.lose_flights(fates);
        drop(self.store.take());
        let store = Store::open(&database(&self.folder), &self.clock)
            .await
            .unwrap();
        self.store = Some(store);
        self.store().bridge_absence().await.unwrap();
        self.store().doubt_orphans(self.now, None).await.unwrap();
        self.store().open_gaps(self.now).await.unwrap();
    }

    pub(super) fn lose_flights(&mut self, fates: [Fate; 4]) {
        for (flight, fate) in std::mem::take(&mut self.flights).into_iter().zip(fates) {
            self.hand_over(&flight, fate);
            self.stale.push(flight);
        }
    }

    pub(super) async fn expire_leases(&mut self, fates: [Fate; 4]) {
        self.wait(LEASE_FOR + Duration::from_secs(1));
        let n_flights = self.flights.len() as u64;
        self.lose_flights(fates);
        let doubted = self
            .store()
            .doubt_orphans(self.now, Some(self.now))
            .await
            .unwrap();
        assert_eq!(
            doubted, n_flights,
            "every expired lease is seen, and no other"
        );
    }

    pub(super) async fn renew_lease(&mut self, nth: usize) {
        let Some(idx) = nth.checked_rem(self.flights.len()) else {
            return;
        };
        let flight = &self.flights[idx];
        let until = self.now + LEASE_FOR;
        self.store().renew_lease(&flight.job, until).await.unwrap();
    }

    /// Whatever it writes, somebody else decides by now.
    pub(super) async fn write_stale(&mut self, nth: usize) {
        let Some(idx) = nth.checked_rem(self.stale.len()) else {
            return;
        };
        let job = &self.stale[idx].job;
        let before = self.store().load_delivery(&job.id).await.unwrap();
        for event in [
            Event::Accepted { at: self.now },
            Event::PutBack,
            Event::Doubted { at: self.now },
        ] {
            let refused = self
                .store()
                .finish_delivery(job, &ended(event), self.now, None)
                .await;
            assert!(
                matches!(refused, Err(StoreError::FenceLost { .. })),
                "{refused:?}"
            );
        }
        let refused = self.store().renew_lease(job, self.now + LEASE_FOR).await;
        assert!(
            matches!(refused, Err(StoreError::FenceLost { .. })),
            "{refused:?}"
        );
        let after = self.store().load_delivery(&job.id).await.unwrap();
        assert_eq!(before, after, "a late writer changed something");
    }

    pub(crate) async fn settle(&mut self, inbox: usize) {
        if !self.works(inbox).await {
            return;
        }
        let id = self.inboxes[inbox].clone();
        let mut doubts = self.store().list_doubts(&id).await.unwrap();
        let noted = doubts.iter().filter_map(|doubt| doubt.sent);
        let Some(from_uid) = noted.map(|position| position.uid_next).min() else {
            self.open_gate(inbox, &id).await;
            return;
        };
        let look = self.server.look(inbox, from_uid, self.now);
        let first = doubts.iter().map(|doubt| doubt.claim_no).min().unwrap();
        let accepted = self.store().list_accepted_since(&id, first).await.unwrap();
        let canaries = look.find_canaries(&accepted);
        let adoption = self.store().load_inbox(&id).await.unwrap().adoption;
        let submission = self.server.submission;
        let mut silence = Silence {
            n_doubts: 0,
            over_for: None,
            accepted_since: !accepted.is_empty(),
            last_canary: None,
            is_shut: false,
            every: Duration::from_hours(1),
        };
        self.look_at[inbox] = None;
        for doubt in &mut doubts {
            doubt.size_bytes = Some(SIZE_BYTES);
            let watched_for = self.now.since(doubt.since);
            let verdict = doubt::decide(
                doubt,
                Some(&look),
                &submission,
                &canaries,
                look.lacks_a_copy(doubt, &accepted, &submission),
                adoption,
                watched_for,
            );
            let (event, wire_id, why) = match verdict {
                Verdict::Found { wire_id } => (Event::Found { at: self.now }, wire_id, None),
                Verdict::Refuted => (Event::Refuted, None, None),
                Verdict::Unsettled(why) => (Event::Unsettled, None, Some(why)),
                Verdict::LookAgain { at } => {
                    assert!(at > self.now, "looking again at once would never end");
                    let earlier = self.look_at[inbox].filter(|earlier| *earlier < at);
                    self.look_at[inbox] = earlier.or(Some(at));
                    silence.n_doubts += 1;
                    let over_for = doubt::conclusive_after(&submission)
                        .and_then(|after| watched_for.checked_sub(after));
                    silence.over_for = silence.over_for.max(over_for);
                    continue;
                }
            };
            self.store()
                .settle_doubt(&doubt.id, event, wire_id.as_deref(), why, self.now)
                .await
                .unwrap();
        }
        let last = self.store().find_last_canary(&id).await.unwrap();
        silence.last_canary = last.map(|at| self.now.since(at));
        if silence.wants_canary() {
            self.send_canary(inbox, adoption).await;
        }
    }

    /// Where unsettled doubts keep the inbox from sending, it writes to itself.
    async fn open_gate(&mut self, inbox: usize, id: &InboxId) {
        let store = self.store();
        let is_shut = store.find_gate(id, &rests(), self.now).await.unwrap();
        let last = store.find_last_canary(id).await.unwrap();
        let silence = Silence {
            n_doubts: 0,
            over_for: None,
            accepted_since: false,
            last_canary: last.map(|at| self.now.since(at)),
            is_shut: is_shut.is_some(),
            every: Duration::from_hours(1),
        };
        if silence.wants_canary() {
            let adoption = store.load_inbox(id).await.unwrap().adoption;
            self.send_canary(inbox, adoption).await;
        }
    }

    /// The inbox writes to itself, and the server takes it.
    async fn send_canary(&mut self, inbox: usize, adoption: i64) {
        let id = format!("dlv_canary_{}_{}", inbox, self.now.as_ms());
        let canary = NewCanary {
            message_id: format!("{id}@acme.example"),
            id: DeliveryId::new(id),
            inbox: self.inboxes[inbox].clone(),
            adoption,
            begun_at: self.now,
        };
        self.store().create_canary(&canary).await.unwrap();
        self.handed_over[inbox] = Some(self.now);
        self.server.take_canary(inbox, &canary, self.now);
        self.store().accept_canary(&canary, self.now).await.unwrap();
        self.look_at[inbox] = Some(self.now + Duration::from_secs(2));
    }
}

impl Refusal {
    fn evidence(self, now: Timestamp) -> Evidence {
        let smtp = |code, words: &str| Said::Smtp(SmtpReply::parse(code, [words]));
        let (stage, said) = match self {
            Self::Recipient => (At::Rcpt, smtp(550, "5.1.1 no such user")),
            Self::Greylisted => (At::Rcpt, smtp(451, "4.7.1 greylisted")),
            Self::Message => (At::Body, smtp(554, "5.6.0 no")),
            Self::SignIn => (At::Mail, smtp(530, "5.7.0 sign in")),
            Self::Closing => (At::Mail, smtp(421, "4.7.0 closing")),
            Self::Unreachable => {
                let detail = "refused".to_owned();
                let fault = IoFault::Refused;
                (At::Connect, Said::Io { fault, detail })
            }
        };
        evidence(Party::Smtp, stage, said, now)
    }
}

fn ended(event: Event) -> Ended {
    Ended {
        event,
        words: "words".to_owned(),
        wire_id: None,
        told: None,
    }
}

/// Lets some work begin and drops it where it stands.
pub(crate) async fn abandon_after<T>(n_polls: usize, work: impl Future<Output = T>) {
    tokio::pin!(work);
    for _ in 0..n_polls {
        tokio::select! {
            biased;
            _ = &mut work => return,
            () = tokio::task::yield_now() => {}
        }
    }
}

//! What must hold after every event, in the words of the ledger's promises.

use std::collections::HashSet;
use std::time::Duration;

use protocol::campaign::State as CampaignState;
use protocol::delivery::State;
use protocol::request::campaign::Counts;
use protocol::request::delivery::Delivery;
use protocol::timestamp::Timestamp;
use relay::store::delivery::{ATTEMPTING_AT_MOST, Job};

use super::world::{Hold, World};

impl World {
    pub(crate) async fn list(&self) -> Vec<Delivery> {
        self.store()
            .list_deliveries(&self.campaign, None, 1_000)
            .await
            .unwrap()
    }

    /// An attempt begins: from now on the message may be handed over.
    pub(crate) async fn check_claimed(&self, inbox: usize, job: &Job) {
        let again = self.sent_again.get(&job.id).copied().unwrap_or_default();
        assert!(
            self.server.accepted(&job.id).len() <= again,
            "{} is attempted although the server has it",
            job.id
        );
        let rows = self.list().await;
        let earlier = rows
            .iter()
            .filter(|row| row.lead == job.lead && (row.step as usize) <= job.step_idx);
        for row in earlier.clone() {
            assert!(
                matches!(row.status, State::Accepted { .. }),
                "step {} of {} is attempted while step {} is {:?}",
                job.step_idx + 1,
                job.to,
                row.step,
                row.status
            );
        }
        assert_eq!(earlier.clone().count(), job.step_idx);
        let Some(before) = earlier
            .max_by_key(|row| row.step)
            .filter(|_| job.attempt == 1)
        else {
            return;
        };
        // Where only a copy told of it, the wait counts from the attempt: nobody knows when the server took it.
        let accepted_at = self.find_accepted_at(before).unwrap();
        let attempted = self.attempted.get(&before.id).copied();
        let accepted_at = if self.left.contains_key(&before.id) {
            accepted_at
        } else {
            accepted_at.min(attempted.unwrap_or(accepted_at))
        };
        let waited = self.now.since(accepted_at);
        let wait = Duration::from_millis(self.steps[job.step_idx].wait_ms);
        let held = measure(
            self.pauses.iter().chain(&self.outages[inbox]),
            accepted_at,
            self.now,
        );
        assert!(
            waited >= wait + held,
            "step {} to {} waited {waited:?} instead of {wait:?} and {held:?} of pause and outage",
            job.step_idx + 1,
            job.to
        );
    }

    pub(crate) async fn check(&self) {
        let campaign = self.store().load_campaign(&self.campaign).await.unwrap();
        let rows = self.list().await;
        let mut named = HashSet::new();
        for row in &rows {
            assert!(
                named.insert((row.lead.clone(), row.step)),
                "step {} of {} has two rows",
                row.step,
                row.to
            );
            self.check_row(row);
        }
        assert_eq!(campaign.counts, count(&rows, self.steps.len() as u64));
        for inbox in 0..Self::INBOXES {
            let attempting = rows
                .iter()
                .filter(|row| inbox_of(row) == inbox)
                .filter(|row| matches!(row.status, State::Attempting { .. }))
                .count();
            assert!(i64::try_from(attempting).unwrap() <= ATTEMPTING_AT_MOST);
            let flights = self.flights.iter().filter(|one| one.inbox == inbox).count();
            assert_eq!(attempting, flights, "every attempt is somebody's");
            let id = &self.inboxes[inbox];
            let stored = self.store().load_budgets(id, self.now).await.unwrap();
            assert!(
                stored.last_try.map(|last| last.at) >= self.handed_over[inbox],
                "the inbox would not keep its distance to what it may have sent last"
            );
        }
        let open = campaign.counts.waiting
            + campaign.counts.attempting
            + campaign.counts.in_doubt
            + campaign.counts.unsettled;
        match campaign.status {
            CampaignState::Finished { .. } => {
                assert_eq!(open, 0, "finished, and something is open");
            }
            CampaignState::Running => {
                assert_ne!(open, 0, "nothing is open, and it is not finished");
            }
            _ => {}
        }
    }

    fn check_row(&self, row: &Delivery) {
        let again = self.sent_again.get(&row.id).copied().unwrap_or_default();
        let accepted = self.server.accepted(&row.id);
        assert!(
            accepted.len() <= 1 + again,
            "{} has step {} {} times",
            row.to,
            row.step,
            accepted.len()
        );
        match row.status {
            State::Accepted { at } | State::Bounced { accepted_at: at } => {
                let first = self.find_accepted_at(row);
                let first = first.unwrap_or_else(|| panic!("{row:?} was never accepted"));
                assert!(at >= first, "accepted before the server had it");
            }
            State::Planned { .. } | State::Deferred { .. } => {
                assert!(
                    accepted.len() <= again,
                    "{row:?} waits, and the server has it"
                );
                assert!(
                    !self.stopped.contains(&row.lead),
                    "{row:?} waits, and its lead was stopped"
                );
            }
            _ => {}
        }
    }

    /// When the server had a delivery first; when a person took it as sent, where one did.
    fn find_accepted_at(&self, row: &Delivery) -> Option<Timestamp> {
        let first = || self.server.accepted(&row.id).first();
        self.left.get(&row.id).or_else(first).copied()
    }
}

/// The inbox of a row's lead: leads are dealt to the inboxes in turn.
fn inbox_of(row: &Delivery) -> usize {
    let number = row.to.as_str().trim_start_matches("lead");
    let number = number.split('@').next().unwrap();
    number.parse::<usize>().unwrap() % World::INBOXES
}

/// The counts that follow from the rows. Every lead has a row of its first step; steps without a row wait.
fn count(rows: &[Delivery], n_steps: u64) -> Counts {
    let of = |name: &str| rows.iter().filter(|row| row.status.name() == name).count() as u64;
    let leads = rows.iter().filter(|row| row.step == 1).count() as u64;
    let planned = leads * n_steps;
    Counts {
        leads,
        planned,
        waiting: of("planned") + of("deferred") + planned - rows.len() as u64,
        attempting: of("attempting"),
        accepted: of("accepted"),
        bounced: of("bounced"),
        rejected: of("rejected"),
        in_doubt: of("in_doubt"),
        unsettled: of("unsettled"),
        suppressed: of("suppressed"),
        cancelled: of("cancelled"),
    }
}

/// How much of the time between two instants the holds cover, together.
fn measure<'a>(holds: impl Iterator<Item = &'a Hold>, from: Timestamp, to: Timestamp) -> Duration {
    let mut holds: Vec<_> = holds
        .map(|hold| (hold.from.max(from), hold.to.min(to)))
        .collect();
    holds.sort();
    let (mut covered, mut until) = (Duration::ZERO, from);
    for (start, end) in holds {
        covered += end.since(start.max(until));
        until = until.max(end);
    }
    covered
}

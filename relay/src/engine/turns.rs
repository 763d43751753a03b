//! Whose message an inbox sends next: campaigns that share it take turns, and within a campaign follow-ups go before
//! first messages, but for every S-th of a sequence of S steps. Whether anything may be sent now is the gates' to say.

use crate::record::{Class, Queue, Turn};

/// The next turn among the queues of one inbox; `served` is the last one taken. What is to be remembered of each
/// queue is written into it. `None` where nothing is due.
///
/// With K campaigns, a distance g between two messages and n follow-ups of the same campaign that were due earlier, a
/// follow-up of a sequence of S steps leaves at most K·S/(S-1)·g·n + 3·K·g after it was due, and the first message at
/// place p at most (K·S·(p+1) + K)·g after the start; the tests hold both.
pub fn take_turn(queues: &mut [Queue], served: i64) -> Option<Turn> {
    for queue in &mut *queues {
        let waits = queue.has_follow_up || queue.has_first;
        if waits && !queue.was_waiting {
            // Who had nothing to send has saved up no turns.
            queue.turn = queue.turn.max(served);
        }
        queue.was_waiting = waits;
    }
    let (queue_idx, queue) = queues
        .iter_mut()
        .enumerate()
        .filter(|(_, queue)| queue.was_waiting)
        .min_by_key(|(_, queue)| queue.turn)?;
    let class = choose_class(queue);
    queue.follow_ups = match class {
        Class::FollowUp => queue.follow_ups.saturating_add(1),
        Class::First => 0,
    };
    let served = queue.turn;
    queue.turn = queue.turn.saturating_add(1);
    Some(Turn {
        queue_idx,
        class,
        served,
    })
}

fn choose_class(queue: &Queue) -> Class {
    let is_firsts_turn = queue.follow_ups >= queue.n_steps.saturating_sub(1);
    match (queue.has_follow_up, queue.has_first) {
        (true, true) if is_firsts_turn => Class::First,
        (true, _) => Class::FollowUp,
        _ => Class::First,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A campaign of the simulation. Instants are slots: one message leaves in each.
    #[derive(Clone, Debug)]
    struct Campaign {
        starts: i64,
        n_leads: usize,
        /// Slots from a step to the next; one for each step but the first.
        waits: Vec<i64>,
    }

    fn any_campaign() -> impl Strategy<Value = Campaign> {
        (
            0_i64..200,
            1_usize..60,
            prop::collection::vec(0_i64..300, 0..4),
        )
            .prop_map(|(starts, n_leads, waits)| Campaign {
                starts,
                n_leads,
                waits,
            })
    }

    /// What is on the way in one campaign of the simulation.
    #[derive(Default)]
    struct Side {
        queue: Queue,
        firsts_sent: usize,
        /// (due, place, step from 1, own follow-ups that stood before it when it became due).
        waiting: Vec<(i64, usize, usize, Option<i64>)>,
    }

    fn count(n: usize) -> i64 {
        i64::try_from(n).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// The bounds of the doc comment, counted in a simulation that knows nothing of turns.
        #[test]
        fn nobody_waits_for_longer_than_the_backlog_before_it(
            campaigns in prop::collection::vec(any_campaign(), 1..5),
        ) {
            let k = count(campaigns.len());
            let mut sides: Vec<Side> = campaigns.iter().map(|_| Side::default()).collect();
            let mut served = 0;
            let total: usize = campaigns.iter().map(|one| one.n_leads * (one.waits.len() + 1)).sum();
            let mut n_sent = 0;
            let mut slot = 0;
            while n_sent < total {
                prop_assert!(slot < 20_000, "something never left");
                for (side, campaign) in sides.iter_mut().zip(&campaigns) {
                    let due: Vec<_> = side.waiting.iter().filter(|one| one.0 <= slot).map(|one| (one.0, one.1)).collect();
                    for one in side.waiting.iter_mut().filter(|one| one.0 <= slot && one.3.is_none()) {
                        let before = due.iter().filter(|other| **other < (one.0, one.1)).count();
                        one.3 = Some(count(before));
                    }
                    side.queue.n_steps = count(campaign.waits.len()) + 1;
                    side.queue.has_first = slot >= campaign.starts && side.firsts_sent < campaign.n_leads;
                    side.queue.has_follow_up = side.waiting.iter().any(|(due, ..)| *due <= slot);
                }
                let mut queues: Vec<Queue> = sides.iter().map(|side| side.queue).collect();
                let turn = take_turn(&mut queues, served);
                for (side, queue) in sides.iter_mut().zip(&queues) {
                    side.queue = *queue;
                }
                let Some(turn) = turn else { slot += 1; continue };
                served = turn.served;
                let (side, campaign) = (&mut sides[turn.queue_idx], &campaigns[turn.queue_idx]);
                let s = count(campaign.waits.len()) + 1;
                let (place, step) = match turn.class {
                    Class::First => {
                        let place = side.firsts_sent;
                        side.firsts_sent += 1;
                        let at_most = k * s * (count(place) + 1) + k;
                        prop_assert!(slot - campaign.starts <= at_most, "place {place}: {} of {at_most}", slot - campaign.starts);
                        (place, 0)
                    }
                    Class::FollowUp => {
                        let next = side.waiting.iter().enumerate()
                            .filter(|(_, (due, ..))| *due <= slot)
                            .min_by_key(|(_, (due, place, ..))| (*due, *place))
                            .map(|(idx, _)| idx).unwrap();
                        let (due, place, step, before) = side.waiting.remove(next);
                        // Rounded up: it is a bound.
                        let at_most = (k * s * before.unwrap_or(0) + s - 2) / (s - 1) + 3 * k;
                        prop_assert!(slot - due <= at_most, "due {due}, left {slot}, bound {at_most}");
                        (place, step)
                    }
                };
                if let Some(wait) = campaign.waits.get(step) {
                    side.waiting.push((slot + wait, place, step + 1, None));
                }
                n_sent += 1;
                slot += 1;
            }
        }
    }

    #[test]
    fn a_new_campaign_starves_no_older_one_and_is_not_starved() {
        let ready = Queue {
            n_steps: 1,
            has_first: true,
            ..Queue::default()
        };
        let mut queues = [ready];
        let mut served = 0;
        for _ in 0..100 {
            served = take_turn(&mut queues, served).unwrap().served;
        }
        let mut queues = [queues[0], ready];
        let order: Vec<_> = (0..6)
            .map(|_| {
                let turn = take_turn(&mut queues, served).unwrap();
                served = turn.served;
                turn.queue_idx
            })
            .collect();
        assert_eq!(order, [1, 0, 1, 0, 1, 0]);
    }
}

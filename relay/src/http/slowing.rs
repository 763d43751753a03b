//! How often somebody may be wrong about a password. Passwords are people's, so wrong ones are slowed down: for each account
//! and for each address, those that tried too often wait for their turn, one in a second and in the order in which they
//! came. Nobody is shut out: whoever has the right password gets his turn and comes in. A name that no account has is slowed
//! like any other.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::timestamp::Timestamp;
use tokio::sync::Mutex as Turn;

/// Wrong passwords within [`WINDOW`] after which the next ones wait. Whoever mistypes is through with fewer.
const AT_ONCE: usize = 10;
/// How long a wrong password counts.
const WINDOW: Duration = Duration::from_mins(10);
/// From one turn to the next: 86,400 guesses in a day, of passwords of 15 characters.
const BETWEEN: Duration = Duration::from_secs(1);
/// Names and addresses that are remembered. Names are whatever somebody types.
const REMEMBERED_AT_MOST: usize = 1_000;

/// What wrong passwords are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// An account's name, as it is compared; there need be no such account.
    Account(String),
    /// Where the guess came from.
    Address(IpAddr),
}

#[derive(Debug, Default)]
struct Watched {
    wrong: Vec<Timestamp>,
    turn: Arc<Turn<()>>,
}

/// The wrong passwords of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Slowing(Mutex<HashMap<Key, Watched>>);

impl Slowing {
    /// Waits until this guess may be looked at.
    pub(super) async fn wait(&self, name: &str, peer: IpAddr, now: Timestamp) {
        // In the same order for everybody, so that nobody waits for one who waits for him.
        for key in keys(name, peer) {
            if let Some(turn) = self.find_turn(&key, now) {
                let _turn = turn.lock().await;
                tokio::time::sleep(BETWEEN).await;
            }
        }
    }

    /// Notes that a password was wrong.
    pub(super) fn note_wrong(&self, name: &str, peer: IpAddr, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys(name, peer) {
            if all.len() >= REMEMBERED_AT_MOST && !all.contains_key(&key) {
                make_room(&mut all, now);
            }
            let watched = all.entry(key).or_default();
            forget_old(&mut watched.wrong, now);
            // More of them say nothing more.
            if watched.wrong.len() == AT_ONCE {
                watched.wrong.remove(0);
            }
            watched.wrong.push(now);
        }
    }

    fn find_turn(&self, key: &Key, now: Timestamp) -> Option<Arc<Turn<()>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = all.get_mut(key)?;
        forget_old(&mut watched.wrong, now);
        (watched.wrong.len() >= AT_ONCE).then(|| Arc::clone(&watched.turn))
    }
}

fn keys(name: &str, peer: IpAddr) -> [Key; 2] {
    let name = name.trim().to_lowercase();
    // No account has a longer one.
    let name = name.chars().take(256).collect();
    [Key::Account(name), Key::Address(peer)]
}

fn forget_old(wrong: &mut Vec<Timestamp>, now: Timestamp) {
    wrong.retain(|at| now.since(*at) < WINDOW);
}

/// Forgets what is over; where nothing is, whoever was wrong least.
fn make_room(all: &mut HashMap<Key, Watched>, now: Timestamp) {
    all.retain(|_, watched| {
        forget_old(&mut watched.wrong, now);
        !watched.wrong.is_empty()
    });
    if all.len() < REMEMBERED_AT_MOST {
        return;
    }
    let least = all.iter().min_by_key(|(_, watched)| watched.wrong.len());
    if let Some(key) = least.map(|(key, _)| key.clone()) {
        all.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    async fn waited(slowing: &Slowing, name: &str, from: u8, now: Timestamp) -> u64 {
        let began = Instant::now();
        slowing.wait(name, peer(from), now).await;
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn after_ten_wrong_ones_a_guess_waits_for_its_account_and_for_its_address() {
        let slowing = Slowing::default();
        for n in 0..10 {
            assert_eq!(waited(&slowing, "Jane", 1, NOW).await, 0, "{n}");
            slowing.note_wrong("Jane", peer(1), NOW);
        }
        assert_eq!(
            waited(&slowing, "jane ", 1, NOW).await,
            2,
            "one turn for each of the two"
        );
        assert_eq!(waited(&slowing, "jane", 2, NOW).await, 1, "from elsewhere");
        assert_eq!(waited(&slowing, "cleo", 1, NOW).await, 1, "of another");
        assert_eq!(waited(&slowing, "cleo", 2, NOW).await, 0);
        let later = NOW + WINDOW;
        assert_eq!(waited(&slowing, "jane", 1, later).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_gets_his_turn_in_the_order_in_which_he_came() {
        let slowing = Arc::new(Slowing::default());
        for _ in 0..10 {
            slowing.note_wrong("jane", peer(1), NOW);
        }
        let began = Instant::now();
        let guesses: Vec<_> = (0..20)
            .map(|_| {
                let slowing = Arc::clone(&slowing);
                tokio::spawn(async move { slowing.wait("jane", peer(2), NOW).await })
            })
            .collect();
        tokio::task::yield_now().await;
        slowing.wait("jane", peer(3), NOW).await;
        assert_eq!(
            began.elapsed().as_secs(),
            21,
            "behind twenty others, one in a second"
        );
        for guess in guesses {
            guess.await.unwrap();
        }
    }

    #[test]
    fn names_that_somebody_makes_up_fill_no_memory() {
        let slowing = Slowing::default();
        for _ in 0..10 {
            slowing.note_wrong("jane", peer(1), NOW);
        }
        for n in 0..2 * REMEMBERED_AT_MOST {
            slowing.note_wrong(&n.to_string(), peer(2), NOW);
        }
        assert!(slowing.0.lock().unwrap().len() <= REMEMBERED_AT_MOST);
        let still = slowing.find_turn(&Key::Account("jane".to_owned()), NOW);
        assert!(still.is_some(), "who is attacked is not forgotten for it");
    }
}

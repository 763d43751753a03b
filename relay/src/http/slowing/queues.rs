//! Who waits, in which queues. There are no more of them than somebody waits in, and no more may wait than these numbers
//! say: for what one guesses at, from one place, of one who is known, and in all. A connection that waits keeps its place
//! among all connections, so these stay well below those.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as Turn;

use super::Key;

/// Strangers who wait for one name.
const FOR_SUBJECT: usize = 16;
/// Strangers who wait from one place.
const FROM_NEIGHBOURHOOD: usize = 8;
/// Guesses that wait of a session, and of a browser.
const OF_KNOWN: usize = 2;
/// Strangers who wait in all: a quarter of the connections.
const STRANGERS: usize = 64;
/// The others who do.
const KNOWN: usize = 32;

/// All queues.
#[derive(Debug, Default)]
pub(super) struct Queues(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    by_key: HashMap<Key, Queue>,
    n_strangers: usize,
    n_known: usize,
}

#[derive(Debug, Default)]
struct Queue {
    turn: Arc<Turn<()>>,
    waiting: usize,
}

/// Why nobody more may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// So many wait for the same.
    Here { waiting: usize },
    /// So many wait for anything.
    Everywhere { waiting: usize },
}

/// One who waits; leaves when it is dropped.
#[derive(Debug)]
pub(super) struct Standing {
    of: Arc<Mutex<Waiting>>,
    keys: Vec<Key>,
    turns: Vec<Arc<Turn<()>>>,
    is_known: bool,
}

impl Queues {
    /// Stands in the queues of all keys where one of them is slowed, or who guesses is known, and waits for the turns of
    /// those that are slowed.
    pub(super) fn stand(
        &self,
        keys: &[Key],
        slowed: &[bool],
        is_known: bool,
    ) -> Result<Standing, Full> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (in_all, at_most) = if is_known {
            (waiting.n_known, KNOWN)
        } else {
            (waiting.n_strangers, STRANGERS)
        };
        if in_all >= at_most {
            return Err(Full::Everywhere { waiting: in_all });
        }
        let stands = is_known || slowed.contains(&true);
        let keys = if stands { keys } else { &[] };
        for key in keys {
            let here = waiting.by_key.get(key).map_or(0, |queue| queue.waiting);
            if here >= at_most_for(key) {
                return Err(Full::Here { waiting: here });
            }
        }
        let mut turns = Vec::new();
        for (key, is_slowed) in keys.iter().zip(slowed) {
            let queue = waiting.by_key.entry(key.clone()).or_default();
            queue.waiting += 1;
            if *is_slowed {
                turns.push(Arc::clone(&queue.turn));
            }
        }
        if is_known {
            waiting.n_known += 1;
        } else {
            waiting.n_strangers += 1;
        }
        Ok(Standing {
            of: Arc::clone(&self.0),
            keys: keys.to_vec(),
            turns,
            is_known,
        })
    }

    /// How many wait, and in how many queues.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        let waiting = self.0.lock().unwrap();
        (waiting.n_strangers + waiting.n_known, waiting.by_key.len())
    }
}

impl Standing {
    /// The turns to wait for, in this order.
    pub(super) fn turns(&self) -> &[Arc<Turn<()>>] {
        &self.turns
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let mut waiting = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            let Some(queue) = waiting.by_key.get_mut(key) else {
                continue;
            };
            queue.waiting = queue.waiting.saturating_sub(1);
            if queue.waiting == 0 {
                waiting.by_key.remove(key);
            }
        }
        let n = if self.is_known {
            &mut waiting.n_known
        } else {
            &mut waiting.n_strangers
        };
        *n = n.saturating_sub(1);
    }
}

fn at_most_for(key: &Key) -> usize {
    match key {
        Key::Subject(_) => FOR_SUBJECT,
        Key::Neighbourhood(_) => FROM_NEIGHBOURHOOD,
        Key::Browser(_) | Key::Session(_) => OF_KNOWN,
    }
}

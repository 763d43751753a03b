//! How often somebody may be wrong about a password. Passwords are people's, so wrong ones are slowed down: for each account
//! and for each place they come from, guesses that follow too many wait for their turn, one in a second and in the order in
//! which they came. A name that no account has is slowed like any other.
//!
//! Nobody is shut out by the guesses of others. How many may wait is bounded (`queues`), and whoever hangs up waits no
//! more; beside the queue of strangers each session that proves anew has one of its own, and so has each browser that has
//! signed in with that name before (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). Places are not known
//! that way: who waits there and who does not would say to everybody at the same place whose account is used there.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::id::SessionId;
use protocol::problem::{Code, Problem};
use protocol::timestamp::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ServeError;
use super::neighbourhood::neighbourhood;
use super::sketch::Sketch;

mod queues;

use queues::{Full, Queues};

/// Wrong passwords within [`WINDOW`] after which the next ones wait. Whoever mistypes is through with fewer.
const AT_ONCE: u32 = 10;
/// How long a wrong password counts, less a minute at the most.
const WINDOW: Duration = Duration::from_mins(10);
/// 16,384 cells in a row: 640 KiB for whatever names somebody types, from wherever.
const BITS: u32 = 14;
/// From one turn to the next: 86,400 guesses in a day, of passwords of 15 characters.
const BETWEEN: Duration = Duration::from_secs(1);
/// Guesses that are looked at together; two are hashed at once (`secret::password`), and the others wait for that.
const LOOKED_AT_TOGETHER: usize = 6;
/// The same of those that are no strangers, so that none of these waits behind strangers.
const KNOWN_LOOKED_AT_TOGETHER: usize = 2;
/// No account has a longer name.
const NAME_AT_MOST: usize = 256;

/// A guess: at what, from where, and by whom, where that is known.
#[derive(Clone, Debug)]
pub(super) struct Guess {
    /// An account's name, as it is compared, or the id of a passkey; there need be none.
    subject: String,
    from: IpAddr,
    by: By,
}

/// Who guesses.
#[derive(Clone, Debug)]
pub(super) enum By {
    Stranger,
    /// A browser that signed in with the same name before, by what it shows.
    Browser(String),
    /// A session that proves anew whose it is.
    Session(SessionId),
}

/// What wrong passwords are counted by, and wait by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// What is guessed at.
    Subject(String),
    /// Where the guess came from.
    Neighbourhood(IpAddr),
    Browser(String),
    Session(SessionId),
}

/// The wrong passwords of the last minutes, and the guesses that wait.
#[derive(Clone, Debug)]
pub(super) struct Slowing(Arc<Hall>);

#[derive(Debug)]
struct Hall {
    wrong: Mutex<Sketch>,
    queues: Queues,
    strangers: Arc<Semaphore>,
    known: Arc<Semaphore>,
}

impl Default for Slowing {
    fn default() -> Self {
        Self(Arc::new(Hall {
            wrong: Mutex::new(Sketch::new(BITS, WINDOW)),
            queues: Queues::default(),
            strangers: Arc::new(Semaphore::new(LOOKED_AT_TOGETHER)),
            known: Arc::new(Semaphore::new(KNOWN_LOOKED_AT_TOGETHER)),
        }))
    }
}

/// A guess that may be looked at. Others wait as long as it is kept.
#[derive(Debug)]
pub(super) struct Turn {
    hall: Arc<Hall>,
    keys: Vec<Key>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Guess {
    pub(super) fn new(subject: &str, from: IpAddr, by: By) -> Self {
        Self {
            subject: normalize(subject),
            from: neighbourhood(from),
            by,
        }
    }

    fn keys(self) -> Vec<Key> {
        match self.by {
            By::Session(session) => vec![Key::Session(session)],
            By::Browser(shown) => vec![Key::Browser(shown)],
            By::Stranger => vec![Key::Subject(self.subject), Key::Neighbourhood(self.from)],
        }
    }
}

impl Slowing {
    /// Waits until this guess may be looked at; or says that too many wait. Whoever does not wait for it to its end has
    /// left the queue.
    pub(super) async fn wait(&self, guess: Guess, now: Timestamp) -> Result<Turn, ServeError> {
        let hall = &self.0;
        let is_known = !matches!(guess.by, By::Stranger);
        let keys = guess.keys();
        let slowed: Vec<bool> = {
            let mut wrong = hall.wrong.lock().unwrap_or_else(PoisonError::into_inner);
            keys.iter()
                .map(|key| wrong.count(key, now) >= AT_ONCE)
                .collect()
        };
        let standing = hall.queues.stand(&keys, &slowed, is_known);
        let standing = standing.map_err(refuse)?;
        // In the same order for everybody, so that nobody waits for one who waits for him.
        for turn in standing.turns() {
            let _turn = turn.lock().await;
            tokio::time::sleep(BETWEEN).await;
        }
        let places = if is_known {
            &hall.known
        } else {
            &hall.strangers
        };
        // Nobody closes it.
        let place = Arc::clone(places).acquire_owned().await.ok();
        drop(standing);
        Ok(Turn {
            hall: Arc::clone(hall),
            keys,
            _place: place,
        })
    }
}

impl Turn {
    /// Notes that the password was wrong.
    pub(super) fn note_wrong(&self, now: Timestamp) {
        let mut wrong = (self.hall.wrong.lock()).unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            wrong.note(key, now);
        }
    }
}

/// A name as names are compared.
pub(super) fn normalize(subject: &str) -> String {
    let subject = subject.trim().to_lowercase();
    subject.chars().take(NAME_AT_MOST).collect()
}

fn refuse(full: Full) -> ServeError {
    let (code, waiting, detail) = match full {
        Full::Here { waiting } => {
            let detail = format!(
                "too many passwords were wrong for this name, or from this address, and {waiting} guesses wait for their \
                 turn already, one in a second: try again in {waiting} seconds. A browser that has signed in with this \
                 name before does not wait for others, and a sign-in link works at once (`unpause login`)"
            );
            (Code::TooManyRequests, waiting, detail)
        }
        Full::Everywhere { waiting } => {
            let detail = format!(
                "{waiting} passwords wait to be looked at, and no more may: try again in a moment, or use a sign-in link \
                 (`unpause login`)"
            );
            (Code::Unavailable, 5, detail)
        }
    };
    let after = Duration::from_secs(u64::try_from(waiting).unwrap_or(u64::MAX));
    ServeError::later(Problem::new(code, detail), after)
}

#[cfg(test)]
mod tests;

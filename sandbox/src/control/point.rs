//! The points a conversation passes, and holding a conversation at one of them.
//!
//! What may be done there (waiting, ending) is the business of the servers that pass them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

use crate::clock;
use crate::locked;

/// How many events a slow reader may lag behind before it misses some.
const EVENTS_KEPT: usize = 4096;

/// A place in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum Point {
    /// Connected, TLS established, no greeting yet.
    SmtpConnected,
    /// The credentials are there, no verdict yet.
    SmtpAuthenticating,
    /// MAIL received, not answered.
    SmtpMail,
    /// 354 sent, the body is not complete.
    SmtpData,
    /// The body is complete: nothing stored, no reply.
    SmtpDotReceived,
    /// Stored and delivered, no reply yet.
    SmtpStored,
    /// The reply is written.
    SmtpReplied,
    /// A token request arrived; nothing has changed yet.
    TokenRequestReceived {
        /// What it offers for a token.
        grant_type: GrantType,
    },
    /// New tokens are committed at the provider, the answer is not sent.
    TokenAnswerReady,
    /// A userinfo request arrived.
    UserInfo,
    /// The credentials are there, no verdict yet.
    ImapAuthenticating,
    /// A folder is selected, the answer is not sent.
    ImapSelected,
}

/// What a token request offers (RFC 6749 §4.1.3, §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// A code from the authorization endpoint.
    AuthorizationCode,
    /// A refresh token.
    RefreshToken,
}

/// A conversation passed a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Where.
    pub point: Point,
    /// The address of the person it is about; `None` before anyone signed in.
    pub person: Option<String>,
    /// The connection, or the HTTP request; unique while the sandbox runs.
    pub session: u64,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: u64,
}

/// Somebody holds the next conversation that reaches a point.
/// Dropping it releases what waits and gives up what has not come.
#[derive(Debug)]
pub struct Held(Arc<Hold>);

impl Held {
    /// Waits until a conversation waits here, and says which.
    pub async fn reached(&self) -> Event {
        let mut reached = self.0.reached.subscribe();
        loop {
            if let Some(event) = reached.borrow_and_update().clone() {
                return event;
            }
            if reached.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Lets it go on.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.released.send_replace(true);
    }
}

#[derive(Debug)]
struct Hold {
    reached: watch::Sender<Option<Event>>,
    released: watch::Sender<bool>,
}

/// All holds, and the stream of events.
#[derive(Debug)]
pub(crate) struct Points {
    holds: Mutex<HashMap<Point, VecDeque<Arc<Hold>>>>,
    waiting: Mutex<Vec<Arc<Hold>>>,
    events: broadcast::Sender<Event>,
}

impl Points {
    pub(crate) fn new() -> Self {
        Self {
            holds: Mutex::default(),
            waiting: Mutex::default(),
            events: broadcast::Sender::new(EVENTS_KEPT),
        }
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub(crate) fn hold(&self, point: Point) -> Held {
        let hold = Arc::new(Hold {
            reached: watch::Sender::new(None),
            released: watch::Sender::new(false),
        });
        locked(&self.holds)
            .entry(point)
            .or_default()
            .push_back(Arc::clone(&hold));
        Held(hold)
    }

    /// Tells that the point is passed, and waits where somebody holds it.
    pub(crate) async fn pass(&self, point: Point, person: Option<&str>, session: u64) {
        let event = Event {
            point,
            person: person.map(str::to_owned),
            session,
            at_ms: clock::now_ms(),
        };
        let hold = self.take(point);
        // No reader is no fault: nobody has to listen.
        let _ = self.events.send(event.clone());
        let Some(hold) = hold else { return };
        locked(&self.waiting).push(Arc::clone(&hold));
        let mut released = hold.released.subscribe();
        hold.reached.send_replace(Some(event));
        // The sender lives in `hold`, so this ends by a release only.
        let _ = released.wait_for(|released| *released).await;
        locked(&self.waiting).retain(|other| !Arc::ptr_eq(other, &hold));
    }

    /// Releases what waits and forgets every hold.
    pub(crate) fn release_all(&self) {
        let forgotten: Vec<_> = locked(&self.holds)
            .drain()
            .flat_map(|(_, holds)| holds)
            .collect();
        let waiting = std::mem::take(&mut *locked(&self.waiting));
        for hold in forgotten.iter().chain(&waiting) {
            hold.released.send_replace(true);
        }
    }

    fn take(&self, point: Point) -> Option<Arc<Hold>> {
        let mut holds = locked(&self.holds);
        let queue = holds.get_mut(&point)?;
        while let Some(hold) = queue.pop_front() {
            if !*hold.released.borrow() {
                return Some(hold);
            }
        }
        None
    }
}

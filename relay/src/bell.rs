//! The bell: wakes a task by the id of what it looks after, and tells until when one rests by itself. Whoever changed
//! something rings; who comes is not known here. The worker says which tasks there are, and starts those that are rung for and missing.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::id::{InboxId, ReconnectId};
use protocol::timestamp::Timestamp;
use tokio::sync::{Notify, mpsc, watch};

/// Wakes tasks.
#[derive(Debug)]
pub struct Bell {
    tasks: Mutex<Tasks>,
    /// Rings where something was written that people are told.
    alerts: watch::Sender<()>,
    wanted: mpsc::UnboundedSender<Wanted>,
}

/// The tasks that there are, or that are about to be.
#[derive(Debug, Default)]
struct Tasks {
    inboxes: HashMap<InboxId, Arc<Notify>>,
    reconnects: HashMap<ReconnectId, Arc<Notify>>,
    /// Inboxes whose sent folders somebody waits for.
    looks: HashSet<InboxId>,
    /// Inboxes that rest.
    rests: HashMap<InboxId, Rest>,
}

/// An inbox is left alone after a failure that passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// When it began; later failures prolong it.
    pub since: Timestamp,
    /// When it is tried again.
    pub until: Timestamp,
    /// What was met, in the server's words or those of the network.
    pub words: String,
}

/// A task that is to be started.
#[derive(Debug)]
pub enum Wanted {
    /// The task of an inbox.
    Inbox {
        /// The inbox.
        id: InboxId,
        /// Makes the task look now.
        nudge: Arc<Notify>,
    },
    /// The task of a reconnect. It says [`Bell::forget_reconnect`] when it is over.
    Reconnect {
        /// The reconnect.
        id: ReconnectId,
        /// Makes the task look now.
        nudge: Arc<Notify>,
    },
    /// What a reconnect held that a person ended goes back to the provider.
    GiveBack(Held),
}

/// What a reconnect held when it ended.
#[derive(Debug)]
pub struct Held {
    /// The reconnect.
    pub reconnect: ReconnectId,
    /// Its inbox.
    pub inbox: InboxId,
    /// The credentials, sealed; `None` where it had none yet.
    pub sealed: Option<String>,
}

impl Bell {
    /// A bell, and what is asked of whoever starts tasks. What is asked while nobody listens is kept.
    #[must_use]
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Wanted>) {
        let (wanted, asked) = mpsc::unbounded_channel();
        let tasks = Mutex::default();
        let alerts = watch::Sender::new(());
        let bell = Self {
            tasks,
            alerts,
            wanted,
        };
        (bell, asked)
    }

    /// Makes the inbox's task look now, and asks for it where there is none.
    pub fn wake_inbox(&self, id: &InboxId) {
        let mut tasks = self.lock();
        if let Some(nudge) = tasks.inboxes.get(id) {
            nudge.notify_one();
            return;
        }
        let (id, nudge) = (id.clone(), Arc::new(Notify::new()));
        tasks.inboxes.insert(id.clone(), Arc::clone(&nudge));
        self.ask(Wanted::Inbox { id, nudge });
    }

    /// Somebody asks for what is in doubt: the inbox's sent folder is to be looked at.
    pub fn ask_for_look(&self, id: &InboxId) {
        self.lock().looks.insert(id.clone());
        self.wake_inbox(id);
    }

    /// Whether somebody has asked since the last time that this was asked.
    pub fn take_look(&self, id: &InboxId) -> bool {
        self.lock().looks.remove(id)
    }

    /// Makes every inbox's task look now.
    pub fn wake_inboxes(&self) {
        for nudge in self.lock().inboxes.values() {
            nudge.notify_one();
        }
    }

    /// Makes the reconnect's task look now, and asks for it where there is none.
    pub fn wake_reconnect(&self, id: &ReconnectId) {
        let mut tasks = self.lock();
        if let Some(nudge) = tasks.reconnects.get(id) {
            nudge.notify_one();
            return;
        }
        let (id, nudge) = (id.clone(), Arc::new(Notify::new()));
        tasks.reconnects.insert(id.clone(), Arc::clone(&nudge));
        self.ask(Wanted::Reconnect { id, nudge });
    }

    /// Something may have been written that people are told. To be rung after it is: what rings before is not seen.
    pub fn tell(&self) {
        self.alerts.send_replace(());
    }

    /// Changes whenever that is rung.
    pub fn alerts(&self) -> watch::Receiver<()> {
        self.alerts.subscribe()
    }

    /// Asks for what a reconnect held to be given back at the provider.
    pub fn give_back(&self, held: Held) {
        self.ask(Wanted::GiveBack(held));
    }

    /// The reconnect is over and has no task any more.
    pub fn forget_reconnect(&self, id: &ReconnectId) {
        self.lock().reconnects.remove(id);
    }

    /// The inbox was removed and has no task any more.
    pub fn forget_inbox(&self, id: &InboxId) {
        let mut tasks = self.lock();
        tasks.inboxes.remove(id);
        tasks.looks.remove(id);
        tasks.rests.remove(id);
    }

    /// An inbox rests, or works again (`None`).
    pub fn note_rest(&self, id: &InboxId, rest: Option<Rest>) {
        let mut tasks = self.lock();
        match rest {
            Some(rest) => tasks.rests.insert(id.clone(), rest),
            None => tasks.rests.remove(id),
        };
    }

    /// Until when an inbox rests; `None` where it does not.
    pub fn find_rest(&self, id: &InboxId) -> Option<Rest> {
        self.lock().rests.get(id).cloned()
    }

    fn ask(&self, wanted: Wanted) {
        // Nobody starts tasks in a relay that has stopped.
        let _ = self.wanted.send(wanted);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tasks> {
        // Nothing is done under the lock that could leave it half changed.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_asked_for_once_and_woken_from_then_on() {
        let (bell, mut asked) = Bell::new();
        let id = InboxId::new("inb_1");
        bell.wake_inboxes();
        assert!(asked.try_recv().is_err(), "nobody is there to be woken");
        bell.wake_inbox(&id);
        bell.wake_inbox(&id);
        let Ok(Wanted::Inbox { id: wanted, .. }) = asked.try_recv() else {
            panic!("the inbox's task is asked for");
        };
        assert_eq!(wanted, id);
        assert!(asked.try_recv().is_err());
    }

    #[test]
    fn a_reconnect_that_is_over_is_asked_for_again() {
        let (bell, mut asked) = Bell::new();
        let id = ReconnectId::new("rec_1");
        bell.wake_reconnect(&id);
        bell.forget_reconnect(&id);
        bell.wake_reconnect(&id);
        let n_asked = std::iter::from_fn(|| asked.try_recv().ok()).count();
        assert_eq!(n_asked, 2);
    }
}

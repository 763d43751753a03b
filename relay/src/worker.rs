//! The tasks that perform what is decided: one for each inbox, one for each open reconnect, one that
//! looks after what was left behind. Decisions are in `protocol` and `engine`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use protocol::id::{InboxId, ReconnectId};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::app::App;
use crate::engine::outcome::LONGEST_DELAY;
use crate::failure::Failure;
use crate::secret::SealingError;
use crate::store::StoreError;
use crate::store::reconnect::Reconnect;
use crate::store::set_back::Longest;

mod inbox;
mod mailbox;
mod reading;
mod reconnect;
mod sending;
mod token;

/// Between two looks for attempts whose lease ran out.
const ORPHANS_EVERY: Duration = Duration::from_mins(1);
/// How long the tasks may take to end after they were told to.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Why a piece of work stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    /// A server or the way to it.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// Our own database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our own key.
    #[error(transparent)]
    Sealing(#[from] SealingError),
}

/// The running tasks.
#[derive(Debug)]
pub struct Workers {
    inner: Mutex<Inner>,
    stop: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Inner {
    app: Weak<App>,
    inboxes: HashMap<InboxId, Arc<Notify>>,
    reconnects: HashMap<ReconnectId, Arc<Notify>>,
    tasks: JoinSet<()>,
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            stop: watch::Sender::new(false),
        }
    }
}

impl Workers {
    /// Puts what an earlier process left into order, then starts a task for everything that needs one.
    pub async fn start(app: &Arc<App>) -> Result<(), StoreError> {
        let workers = &app.workers;
        workers.lock().app = Arc::downgrade(app);
        if app.store.is_ahead_of(app.clock.now()).await? {
            set_back(app).await?;
        }
        let doubts = app.store.doubt_orphans(app.clock.now(), None).await?;
        if doubts > 0 {
            tracing::warn!(
                doubts,
                "deliveries were being attempted when the relay ended; they are in doubt"
            );
        }
        app.store.open_gaps().await?;
        for inbox in app.store.list_inboxes().await? {
            workers.nudge_inbox(&inbox.id);
        }
        for reconnect in app.store.list_open_reconnects().await? {
            workers.run_reconnect(&reconnect.id);
        }
        let stop = workers.stop.subscribe();
        workers
            .lock()
            .tasks
            .spawn(look_for_orphans(Arc::clone(app), stop));
        Ok(())
    }

    /// Makes the inbox's task look now, and starts it where it has none.
    pub fn nudge_inbox(&self, id: &InboxId) {
        let mut inner = self.lock();
        let Some(app) = inner.app.upgrade() else {
            return;
        };
        if let Some(nudge) = inner.inboxes.get(id) {
            nudge.notify_one();
            return;
        }
        let nudge = Arc::new(Notify::new());
        inner.inboxes.insert(id.clone(), Arc::clone(&nudge));
        inner
            .tasks
            .spawn(inbox::run(app, id.clone(), nudge, self.stop.subscribe()));
    }

    /// Makes every inbox's task look now.
    pub fn nudge_all(&self) {
        for nudge in self.lock().inboxes.values() {
            nudge.notify_one();
        }
    }

    /// Makes the reconnect's task look now, and starts it where it has none.
    pub fn run_reconnect(&self, id: &ReconnectId) {
        let mut inner = self.lock();
        let Some(app) = inner.app.upgrade() else {
            return;
        };
        if let Some(nudge) = inner.reconnects.get(id) {
            nudge.notify_one();
            return;
        }
        let nudge = Arc::new(Notify::new());
        inner.reconnects.insert(id.clone(), Arc::clone(&nudge));
        inner.tasks.spawn(reconnect::run(
            app,
            id.clone(),
            nudge,
            self.stop.subscribe(),
        ));
    }

    /// Gives back at the provider what a reconnect held that a person ended.
    pub fn give_back(&self, denied: Reconnect) {
        let mut inner = self.lock();
        if let Some(app) = inner.app.upgrade() {
            inner.tasks.spawn(reconnect::give_back(app, denied));
        }
    }

    /// Tells every task to end after what it is at, and waits for them.
    pub async fn stop(&self) {
        let _ = self.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut self.lock().tasks);
        let ended = tokio::time::timeout(ENDS_WITHIN, async {
            while tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::warn!("some tasks did not end in time; what they were at will be in doubt");
            tasks.shutdown().await;
        }
    }

    fn forget_reconnect(&self, id: &ReconnectId) {
        self.lock().reconnects.remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Nothing is done under the lock that could leave it half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the records say of the future is brought back after the clock was.
async fn set_back(app: &App) -> Result<(), StoreError> {
    tracing::warn!("the clock of this machine was set back; what waits is counted from now");
    let longest = Longest {
        lease: app.config.timing.lease_for,
        refresh: token::REFRESH_LEASE,
        deferral: LONGEST_DELAY,
    };
    app.store.set_back(app.clock.now(), longest).await
}

async fn look_for_orphans(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut mark = app.clock.mark();
    loop {
        tokio::select! {
            () = app.clock.wait_for(ORPHANS_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let now = app.clock.now();
        if app.clock.is_set_back_since(mark) {
            match set_back(&app).await {
                Ok(()) => app.workers.nudge_all(),
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "cannot set the records back"
                    );
                    // The mark stays, so that it is tried again.
                    continue;
                }
            }
        }
        mark = app.clock.mark();
        match app.store.doubt_orphans(now, Some(now)).await {
            Ok(0) => {}
            Ok(doubts) => {
                tracing::warn!(doubts, "leases ran out; the deliveries are in doubt");
                app.workers.nudge_all();
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot look for expired leases"
            ),
        }
    }
}

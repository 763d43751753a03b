//! The tasks that perform what is decided: one for each inbox, one for each open reconnect, one that
//! looks after what was left behind. Decisions are in `protocol` and `engine`.

use std::sync::Arc;
use std::time::Duration;

use protocol::budget::{Budget, CAUTIOUS};
use protocol::id::InboxId;
use protocol::provider::Provider;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::app::App;
use crate::bell::Wanted;
use crate::certificate::FailedRenewal;
use crate::clock::BEAT_EVERY;
use crate::engine::jitter::start_after;
use crate::engine::outcome::LONGEST_DELAY;
use crate::failure::Failure;
use crate::notify::Channel;
use crate::secret::SealingError;
use crate::store::StoreError;
use crate::store::inbox::Inbox;
use crate::store::set_back::Longest;

mod attention;
mod confirming;
mod copying;
mod inbox;
mod keeping;
mod listening;
mod mailbox;
mod memory;
mod reading;
mod reconnect;
mod renewing;
mod restored;
mod returned;
mod sending;
mod settling;
mod telling;
mod token;

/// Between two looks for attempts whose lease ran out.
const ORPHANS_EVERY: Duration = Duration::from_mins(1);
/// How long servers may take to answer after the tasks were told to end.
const SERVERS_HAVE: Duration = Duration::from_secs(2);
/// How long the tasks may take to end after that.
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
    stop: Arc<watch::Sender<bool>>,
    tasks: JoinHandle<()>,
}

impl Workers {
    /// Puts what an earlier process left into order, then starts a task for everything that needs one, and for
    /// what is `wanted` from then on. `relay` is the address at which the dashboard is reached, `failing` what the
    /// keeper of its certificate met last.
    pub async fn start(
        app: &Arc<App>,
        wanted: mpsc::UnboundedReceiver<Wanted>,
        relay: &str,
        failing: watch::Receiver<Option<FailedRenewal>>,
    ) -> Result<Self, StoreError> {
        if app.store.is_ahead_of(app.clock.now()).await? {
            set_back(app).await?;
        }
        let known = app.store.replay_aside().await?;
        if known > 0 {
            tracing::info!(
                known,
                "outcomes that the database had not taken are on record now"
            );
        }
        let n_campaigns = app.store.plan_all_added().await?;
        if n_campaigns > 0 {
            tracing::info!(
                n_campaigns,
                "leads that were being added have their first steps now"
            );
        }
        let doubts = app.store.doubt_orphans(app.clock.now(), None).await?;
        if doubts > 0 {
            tracing::warn!(
                doubts,
                "deliveries were being attempted when the relay ended; they are in doubt"
            );
        }
        app.store.open_gaps(app.clock.now()).await?;
        let channels = telling::prepare(app).await?;
        let inboxes = app.store.list_inboxes().await?;
        tell_of_no_pace(&inboxes);
        let n_inboxes = inboxes.len();
        let (now, later): (Vec<_>, Vec<_>) = inboxes
            .into_iter()
            .map(|inbox| (start_after(&inbox.id, n_inboxes), inbox.id))
            .partition(|(after, _)| after.is_zero());
        for (_, id) in now {
            app.bell.wake_inbox(&id);
        }
        for reconnect in app.store.list_open_reconnects().await? {
            app.bell.wake_reconnect(&reconnect.id);
        }
        let stop = Arc::new(watch::Sender::new(false));
        let tellers = Tellers {
            channels,
            relay: relay.to_owned(),
            failing,
        };
        let tasks = start_tasks(Arc::clone(app), wanted, later, tellers, Arc::clone(&stop));
        let tasks = tokio::spawn(tasks);
        Ok(Self { stop, tasks })
    }

    /// Tells every task to end after what it is at, and waits for them. What waits for a server longer than a moment is
    /// given up (`ending`), but for the reply to a final dot.
    pub async fn stop(self, ending: &watch::Sender<bool>) {
        let Self { stop, mut tasks } = self;
        let _ = stop.send_replace(true);
        if tokio::time::timeout(SERVERS_HAVE, &mut tasks).await.is_ok() {
            return;
        }
        let _ = ending.send_replace(true);
        if tokio::time::timeout(ENDS_WITHIN, &mut tasks).await.is_err() {
            tracing::warn!("some tasks did not end in time; what they were at will be in doubt");
            tasks.abort();
            let _ = tasks.await;
        }
    }
}

/// Who tells people what happens.
struct Tellers {
    channels: Vec<Channel>,
    /// Where the dashboard is reached.
    relay: String,
    failing: watch::Receiver<Option<FailedRenewal>>,
}

/// Starts every task that is wanted. Once told to stop it starts only what gives back what a reconnect held, and
/// returns when nothing runs any more.
async fn start_tasks(
    app: Arc<App>,
    mut wanted: mpsc::UnboundedReceiver<Wanted>,
    later: Vec<(Duration, InboxId)>,
    tellers: Tellers,
    stop: Arc<watch::Sender<bool>>,
) {
    let mut tasks = JoinSet::new();
    for channel in tellers.channels {
        let relay = tellers.relay.clone();
        tasks.spawn(telling::run(
            Arc::clone(&app),
            channel,
            relay,
            stop.subscribe(),
        ));
    }
    tasks.spawn(attention::run(
        Arc::clone(&app),
        tellers.failing,
        stop.subscribe(),
    ));
    tasks.spawn(telling::remind(Arc::clone(&app), stop.subscribe()));
    tasks.spawn(look_for_orphans(Arc::clone(&app), stop.subscribe()));
    tasks.spawn(beat(Arc::clone(&app), stop.subscribe()));
    tasks.spawn(renewing::run(Arc::clone(&app), stop.subscribe()));
    tasks.spawn(wake_in_turn(Arc::clone(&app), later, stop.subscribe()));
    loop {
        let asked = tokio::select! {
            // What a task asked for before it ended comes before its end.
            biased;
            Some(asked) = wanted.recv() => asked,
            ended = tasks.join_next() => match ended {
                Some(_) => continue,
                // The one that looks for orphans ends when it is told to, and no task before.
                None => return,
            },
        };
        let app = Arc::clone(&app);
        match asked {
            Wanted::GiveBack(held) => {
                tasks.spawn(reconnect::give_back(app, held));
            }
            _ if *stop.borrow() => {}
            Wanted::Inbox { id, nudge } => {
                tasks.spawn(inbox::run(app, id, nudge, stop.subscribe()));
            }
            Wanted::Reconnect { id, nudge } => {
                tasks.spawn(reconnect::run(app, id, nudge, stop.subscribe()));
            }
        }
    }
}

/// Inboxes of versions before there was a pace send as fast as their servers take it: an upgrade makes none of them
/// slower, and says so.
fn tell_of_no_pace(inboxes: &[Inbox]) {
    let has_none = |inbox: &&Inbox| {
        let usual = Provider::find(&inbox.provider).map_or(CAUTIOUS, |known| known.usual.budget);
        inbox.budget == Budget::default() && usual != Budget::default()
    };
    let n_inboxes = inboxes.iter().filter(has_none).count();
    if let Some(first) = inboxes.iter().find(has_none) {
        tracing::warn!(
            n_inboxes,
            first = %first.address,
            "inboxes send as fast as their servers take it; `unpause inbox pace` gives one a distance and a daily cap"
        );
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

/// Wakes inboxes after a while of their own, counted from now; whoever asks for one sooner has it sooner.
async fn wake_in_turn(
    app: Arc<App>,
    mut later: Vec<(Duration, InboxId)>,
    mut stop: watch::Receiver<bool>,
) {
    later.sort_unstable();
    let began = app.clock.now();
    for (after, id) in later {
        tokio::select! {
            () = app.clock.wait_until(began + after) => app.bell.wake_inbox(&id),
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Says that the relay lives, and keeps what it has lived.
async fn beat(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = app.clock.wait_for(BEAT_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Err(error) = app.store.beat().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot keep the running time"
            );
        }
        restored::sync_mark(&app).await;
    }
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
                Ok(()) => app.bell.wake_inboxes(),
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
        match app.store.plan_all_added().await {
            Ok(0) => {}
            Ok(_) => app.bell.wake_inboxes(),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot plan the first steps of leads that were added"
            ),
        }
        match app.store.doubt_orphans(now, Some(now)).await {
            Ok(0) => {}
            Ok(doubts) => {
                tracing::warn!(doubts, "leases ran out; the deliveries are in doubt");
                app.bell.wake_inboxes();
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot look for expired leases"
            ),
        }
    }
}

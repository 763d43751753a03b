//! The task of one inbox: it probes what is suspect, reads what arrived, settles what is in doubt, and
//! sends what is due, in this order and one thing at a time.

use std::sync::Arc;
use std::time::Duration;

use protocol::connection::{Connection, Event};
use protocol::id::InboxId;
use protocol::stall::Worked;
use protocol::timestamp::Timestamp;
use tokio::sync::{Notify, watch};

use super::confirming::{look_for_correction, meet, note_worked, perform, probe};
use super::copying::finish_copies;
use super::memory::{Memory, grown, spread};
use super::reading::read_inbox;
use super::settling::settle;
use super::{WorkError, listening, sending};
use crate::app::App;
use crate::copies;
use crate::engine::pace::pace;
use crate::store::StoreError;
use crate::store::inbox::Inbox;

/// How long a connection is kept for the next message: a server may close one that says nothing for longer than five
/// minutes (RFC 5321 §4.5.3.2.7), and many do much sooner.
const KEPT_OPEN_FOR: Duration = Duration::from_mins(1);
/// How often it is said that an inbox's provider is not configured.
const UNCONFIGURED_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// Runs until told to stop.
pub(super) async fn run(
    app: Arc<App>,
    id: InboxId,
    nudge: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) {
    let mut memory = Memory::default();
    // Failures of our own in a row.
    let mut own_faults = 0_u32;
    loop {
        let next = match look(&app, &id, &mut memory, &stop).await {
            Ok(next) => {
                own_faults = 0;
                next
            }
            Err(WorkError::Store(StoreError::NotFound { .. })) if !exists(&app, &id).await => break,
            Err(error) => {
                tracing::error!(inbox = %id, error = &error as &dyn std::error::Error, "the inbox's work failed");
                let delay = grown(
                    &app.config.timing,
                    app.config.timing.first_retry_after,
                    own_faults,
                );
                own_faults = own_faults.saturating_add(1);
                Some(app.clock.now() + spread(&app, &id, "own fault", delay))
            }
        };
        let wait = async {
            match next {
                Some(at) => app.clock.wait_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {}
            () = nudge.notified() => {}
            news = memory.mailbox.wait_for_news() => listening::notice(&app, &mut memory, news),
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    if let Ok(inbox) = app.store.load_inbox(&id).await {
        finish_copies(&app, &inbox, &mut memory).await;
    }
    memory.mailbox.close().await;
    if !exists(&app, &id).await {
        app.bell.forget_inbox(&id);
    }
}

/// Whether the inbox is still on record; a database that does not answer has not lost it.
async fn exists(app: &App, id: &InboxId) -> bool {
    !matches!(
        app.store.load_inbox(id).await,
        Err(StoreError::NotFound { .. })
    )
}

/// One look at the inbox; answers when to look again. A failure of a server is dealt with here; what comes
/// out is a failure of our own.
async fn look(
    app: &App,
    id: &InboxId,
    memory: &mut Memory,
    stop: &watch::Receiver<bool>,
) -> Result<Option<Timestamp>, WorkError> {
    memory.notice_the_clock(app);
    let inbox = app.store.load_inbox(id).await?;
    memory.is_resting_on_record = inbox.is_resting;
    memory.is_failing = inbox.is_failing;
    let next = look_at(app, &inbox, memory, stop).await;
    keep_rest(app, id, memory).await?;
    next
}

/// What waits for an inbox that rests is not due meanwhile, so the ledger has to know.
async fn keep_rest(app: &App, id: &InboxId, memory: &mut Memory) -> Result<(), WorkError> {
    let is_resting = memory.resting_until.is_some();
    app.bell.note_rest(id, memory.find_rest());
    if is_resting != memory.is_resting_on_record {
        app.store
            .put_resting(id, is_resting, app.clock.now())
            .await?;
        memory.is_resting_on_record = is_resting;
    }
    Ok(())
}

async fn look_at(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    stop: &watch::Receiver<bool>,
) -> Result<Option<Timestamp>, WorkError> {
    if app.providers.find(&inbox.provider).is_none() {
        return Ok(wait_for_provider(app, inbox, memory).await);
    }
    match &inbox.connection {
        lost @ Connection::Disconnected { .. } => {
            finish_copies(app, inbox, memory).await;
            memory.mailbox.close().await;
            memory.forget_what_was_connected();
            if lost.may_revive(inbox.password_user.is_some()) {
                look_for_correction(app, inbox, memory).await
            } else {
                Ok(None)
            }
        }
        Connection::Suspect { confirmed, .. } => {
            finish_copies(app, inbox, memory).await;
            memory.mailbox.close().await;
            let now = app.clock.now();
            // After a restart nobody remembers when the slow retry was due: it is slow from now.
            let slow = (*confirmed > 0).then(|| {
                let slow = app.config.timing.slow_retry_after;
                spread(app, &inbox.id, "probe", slow)
            });
            let at = *memory
                .probe_at
                .get_or_insert(now + slow.unwrap_or_default());
            if at > now {
                return Ok(Some(at));
            }
            probe(app, inbox, memory).await
        }
        // The reconnect's task reads the gap itself, and says when it is done.
        Connection::Connected { .. } if app.store.is_reconnecting(&inbox.id).await? => Ok(None),
        Connection::Connected { .. } if memory.listening.is_broken() => {
            listening::mend(app, inbox, memory).await
        }
        Connection::Connected { dismissed, .. } => match work(app, inbox, memory, stop).await {
            Ok(()) => {
                if memory.resting_until.is_none() {
                    memory.faults = 0;
                    memory.rested = None;
                }
                if dismissed.is_some() && memory.worked.both() {
                    perform(app, inbox, memory, Event::Worked).await?;
                }
                let next = next_look(app, inbox, memory).await?;
                let now = app.clock.now();
                let is_soon = next.is_some_and(|at| at < now + listening::NOT_WORTH);
                if memory.resting_until.is_some() || is_soon {
                    return Ok(next);
                }
                match listening::listen(app, inbox, memory).await {
                    Ok(anew_at) => Ok([next, anew_at].into_iter().flatten().min()),
                    Err(WorkError::Failed(failure)) => {
                        listening::notice(app, memory, Err(failure));
                        Ok(Some(app.clock.now()))
                    }
                    Err(error) => Err(error),
                }
            }
            // It was given up, and nothing was met.
            Err(WorkError::Failed(_)) if app.dialer.ending().has_come() => Ok(None),
            Err(WorkError::Failed(failure)) => meet(app, inbox, memory, failure).await,
            Err(error) => Err(error),
        },
    }
}

/// Nothing can be said of a sign-in whose provider the configuration does not name (any more): it is the operator's to write
/// it down, and nobody has to sign in again.
async fn wait_for_provider(app: &App, inbox: &Inbox, memory: &mut Memory) -> Option<Timestamp> {
    memory.mailbox.close().await;
    if matches!(inbox.connection, Connection::Disconnected { .. }) {
        return None;
    }
    let now = app.clock.now();
    if memory.resting_until.is_none_or(|until| until <= now) {
        let provider = &inbox.provider;
        tracing::error!(
            inbox = %inbox.address, %provider,
            "the provider is not in the configuration: write [providers.{provider}] into it, and start the relay again"
        );
        let words = format!(
            "the provider {provider} is not in the configuration: write [providers.{provider}] into it, and start the \
             relay again; nothing is lost, and nobody has to sign in again"
        );
        memory.rest(app, inbox, UNCONFIGURED_AGAIN_AFTER, words);
    }
    memory.resting_until
}

async fn work(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    stop: &watch::Receiver<bool>,
) -> Result<(), WorkError> {
    let now = app.clock.now();
    if memory.resting_until.is_some_and(|until| until > now) {
        return Ok(());
    }
    memory.resting_until = None;
    if memory.faults == 0 {
        memory.rested = None;
    }
    keep_rest(app, &inbox.id, memory).await?;
    if inbox.gap_open || memory.read_at.is_none_or(|at| at <= now) {
        let found = read_inbox(app, inbox, &mut memory.mailbox).await?;
        memory.listening.read_to = found.read_to;
        // From its beginning: where the clock jumped meanwhile, what came then is read next.
        let read_at = now + spread(app, &inbox.id, "poll", app.config.timing.poll_every);
        if copies::open_until(app, inbox).await?.is_none() {
            app.store.close_gap(&inbox.id, app.clock.now()).await?;
        }
        memory.read_at = Some(read_at);
        memory.worked.read = true;
        // What keeps messages from leaving is not over because others can be read.
        if found.has_compared {
            note_worked(app, inbox, memory, Worked::Read).await?;
        }
    }
    let Some((_, provider)) = app.providers.find(&inbox.provider) else {
        return Ok(());
    };
    if app.bell.take_look(&inbox.id) {
        memory.look_again(now);
    }
    if memory.look_at.is_none_or(|at| at <= now) {
        settle(app, inbox, &provider.submission, memory).await?;
    }
    sending::send_due(app, inbox, &provider.submission, memory, stop).await
}

async fn next_look(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
) -> Result<Option<Timestamp>, WorkError> {
    if let Some(until) = memory.resting_until {
        return Ok(Some(until));
    }
    let now = app.clock.now();
    // Loaded again: what was sent in this look counts.
    let paced = pace(&app.store.load_budgets(&inbox.id, now).await?, now).until();
    let due = app
        .store
        .find_next_due(&inbox.id, &sending::rests(app), now)
        .await?
        .map(|due| paced.map_or(due, |paced| due.max(paced)));
    // A look whose delivery is still due found no way to send it just now; it is not asked again at once.
    let soon = now + Duration::from_millis(20);
    let due = due.map(|due| due.max(soon));
    // Nothing leaves before the sent folder is compared, which is done when INBOX is read. One that has not settled it
    // although its time has come was not shown.
    let due = match copies::open_until(app, inbox).await? {
        Some(at) => {
            let again = now + app.config.timing.first_retry_after;
            let at = if at > now { at } else { again };
            let at = memory.read_at.map_or(at, |read_at| read_at.min(at));
            memory.read_at = Some(at);
            due.map(|due| due.max(at))
        }
        None => due,
    };
    if due.is_none_or(|due| due > now + KEPT_OPEN_FOR) {
        memory.mailbox.close_smtp().await;
    }
    let look = memory.look_at.map(|look| look.max(soon));
    Ok([due, memory.read_at, look].into_iter().flatten().min())
}

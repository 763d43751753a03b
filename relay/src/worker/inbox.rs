//! The task of one inbox: it probes what is suspect, reads what arrived, settles what is in doubt, and
//! sends what is due, in this order and one thing at a time.

use std::sync::Arc;
use std::time::Duration;

use protocol::card::Acts;
use protocol::connection::{Connection, Event};
use protocol::id::InboxId;
use protocol::timestamp::Timestamp;
use tokio::sync::{Notify, watch};

use super::confirming::{look_for_correction, meet, perform, probe};
use super::mailbox::settle_doubts;
use super::memory::Memory;
use super::reading::read_inbox;
use super::{WorkError, sending};
use crate::app::App;
use crate::store::inbox::Inbox;

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
    loop {
        let next = match look(&app, &id, &mut memory, &stop).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(inbox = %id, error = &error as &dyn std::error::Error, "the inbox's work failed");
                Some(app.clock.now() + app.config.timing.first_retry_after)
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
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    memory.mailbox.close().await;
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
    match &inbox.connection {
        Connection::Disconnected { cause, .. } => {
            memory.mailbox.close().await;
            memory.forget_what_was_connected();
            if cause.card().acts == Acts::Operator {
                look_for_correction(app, &inbox, memory).await
            } else {
                Ok(None)
            }
        }
        Connection::Suspect { confirmed, .. } => {
            memory.mailbox.close().await;
            let now = app.clock.now();
            // After a restart nobody remembers when the slow retry was due: it is slow from now.
            let slow = (*confirmed > 0).then_some(app.config.timing.slow_retry_after);
            let at = *memory
                .probe_at
                .get_or_insert(now + slow.unwrap_or_default());
            if at > now {
                return Ok(Some(at));
            }
            probe(app, &inbox, memory).await
        }
        // The reconnect's task reads the gap itself, and says when it is done.
        Connection::Connected { .. } if app.store.is_reconnecting(id).await? => Ok(None),
        Connection::Connected { dismissed, .. } => match work(app, &inbox, memory, stop).await {
            Ok(()) => {
                if memory.resting_until.is_none() {
                    memory.faults = 0;
                }
                if dismissed.is_some() && memory.worked.both() {
                    perform(app, &inbox, memory, Event::Worked).await?;
                }
                next_look(app, &inbox, memory).await
            }
            Err(WorkError::Failed(failure)) => meet(app, &inbox, memory, failure).await,
            Err(error) => Err(error),
        },
    }
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
    if inbox.gap_open || memory.read_at.is_none_or(|at| at <= now) {
        read_inbox(app, inbox, memory.mailbox.reader(app, inbox).await?).await?;
        app.store.close_gap(&inbox.id).await?;
        memory.read_at = Some(app.clock.now() + app.config.timing.poll_every);
        memory.worked.read = true;
    }
    let Some((_, provider)) = app.providers.find(&inbox.provider) else {
        tracing::error!(inbox = %inbox.address, provider = %inbox.provider, "the provider is not in the configuration");
        memory.rest(app, UNCONFIGURED_AGAIN_AFTER);
        return Ok(());
    };
    if memory.look_at.is_none_or(|at| at <= now) {
        let Memory {
            mailbox,
            watched_since,
            ..
        } = &mut *memory;
        let submission = &provider.submission;
        memory.look_at = settle_doubts(app, inbox, mailbox, submission, watched_since).await?;
    }
    sending::send_due(app, inbox, &provider.submission, memory, stop).await
}

async fn next_look(
    app: &App,
    inbox: &Inbox,
    memory: &Memory,
) -> Result<Option<Timestamp>, WorkError> {
    if let Some(until) = memory.resting_until {
        return Ok(Some(until));
    }
    // What was just tried keeps its distance too.
    let inbox = &app.store.load_inbox(&inbox.id).await?;
    let due = sending::find_next_try(app, inbox).await?;
    // A look whose delivery is still due found no way to send it just now; it is not asked again at once.
    let soon = app.clock.now() + Duration::from_millis(20);
    let due = due.map(|due| due.max(soon));
    let look = memory.look_at.map(|look| look.max(soon));
    Ok([due, memory.read_at, look].into_iter().flatten().min())
}

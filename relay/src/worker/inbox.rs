//! The task of one inbox: it probes what is suspect, reads what arrived, settles what is in doubt, and
//! sends what is due, in this order and one thing at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::card::Acts;
use protocol::connection::{Connection, Effect, Event, Patience, Probes, is_alarming};
use protocol::evidence::Evidence;
use protocol::id::{DeliveryId, InboxId};
use protocol::timestamp::Timestamp;
use tokio::sync::{Notify, watch};

use super::mailbox::{Mailbox, hello, settle_doubts};
use super::reading::read_inbox;
use super::token::{Freshness, load_sign_in};
use super::{WorkError, sending};
use crate::app::App;
use crate::clock::Mark;
use crate::credentials::{Credentials, inbox_context};
use crate::failure::Failure;
use crate::store::inbox::Inbox;
use crate::{imap, notify, smtp};

/// How late a reading may be before the time since the last one counts as a gap.
const JUMP: Duration = Duration::from_mins(1);
/// Between two tries whether the operator has corrected what only they can.
const CORRECTED_AFTER: Duration = Duration::from_hours(1);
/// How often it is said that an inbox's provider is not configured.
const UNCONFIGURED_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// What the task remembers between two looks. All of it may be lost: a restart begins with nothing.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) mailbox: Mailbox,
    /// Nothing is tried before this instant, after a fault that passes.
    pub(super) resting_until: Option<Timestamp>,
    /// Faults in a row.
    faults: u32,
    /// When the next round of probes is due.
    probe_at: Option<Timestamp>,
    /// When it is tried whether the operator has corrected what only they can. A process that was started since tries
    /// at once: it was started for a reason.
    corrected_at: Option<Timestamp>,
    /// When INBOX is read next.
    read_at: Option<Timestamp>,
    /// When the sent folder is looked at next; `None` when nothing was in doubt at the last look. Each look
    /// asks the ledger then, because a lease may have run out meanwhile.
    look_at: Option<Timestamp>,
    /// At which uptime each doubt was first seen.
    watched_since: HashMap<DeliveryId, Duration>,
    /// What the clock showed at the last look.
    last_look: Option<Mark>,
    /// What worked since both sign-ins passed last.
    pub(super) worked: Worked,
}

/// What an inbox does, and whether it worked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Worked {
    read: bool,
    pub(super) sent: bool,
}

impl Worked {
    fn both(self) -> bool {
        self.read && self.sent
    }
}

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
            *memory = Memory {
                corrected_at: memory.corrected_at,
                ..Memory::default()
            };
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
                    decide(app, &inbox, memory, Event::Worked).await?;
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
        read_inbox(app, inbox, &mut memory.mailbox).await?;
        app.store.close_gap(&inbox.id).await?;
        // From its beginning: where the clock jumped meanwhile, what came then is read next.
        memory.read_at = Some(now + app.config.timing.poll_every);
        memory.worked.read = true;
    }
    let Some((_, provider)) = app.find_provider(&inbox.provider) else {
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

impl Memory {
    /// Where the clock was set back since the last look, every instant that was planned by it is farther off
    /// than it should be: what is planned here comes now.
    fn notice_the_clock(&mut self, app: &App) {
        let set_back = self
            .last_look
            .is_some_and(|mark| app.clock.is_set_back_since(mark));
        self.last_look = Some(app.clock.mark());
        if set_back {
            self.resting_until = None;
            self.probe_at = None;
            self.corrected_at = None;
            self.read_at = None;
            self.look_at = None;
            self.mailbox.doubt_token();
        }
    }

    /// Reading is long overdue: the clock jumped since the look began, as it does when a machine wakes up.
    /// What may have arrived meanwhile counts before anything more is sent.
    pub(super) fn has_gap(&self, now: Timestamp) -> bool {
        self.read_at.is_none_or(|at| at + JUMP <= now)
    }

    /// A delivery is in doubt: the sent folder is to be looked at.
    pub(super) fn doubt(&mut self, now: Timestamp) {
        self.look_at = Some(now);
    }

    /// Nothing is tried for `delay`, and for twice as long each time the fault goes on.
    pub(super) fn rest(&mut self, app: &App, delay: Duration) {
        let delay = delay
            .saturating_mul(1 << self.faults.min(20))
            .min(app.config.timing.retry_at_most);
        self.faults = self.faults.saturating_add(1);
        self.resting_until = Some(app.clock.now() + delay);
    }
}

async fn next_look(
    app: &App,
    inbox: &Inbox,
    memory: &Memory,
) -> Result<Option<Timestamp>, WorkError> {
    if let Some(until) = memory.resting_until {
        return Ok(Some(until));
    }
    let paced = inbox.last_sent_at.map(|at| at + inbox.gap);
    let due = app
        .store
        .find_next_due(&inbox.id)
        .await?
        .map(|due| paced.map_or(due, |paced| due.max(paced)));
    // A look whose delivery is still due found no way to send it just now; it is not asked again at once.
    let soon = app.clock.now() + Duration::from_millis(20);
    let due = due.map(|due| due.max(soon));
    let look = memory.look_at.map(|look| look.max(soon));
    Ok([due, memory.read_at, look].into_iter().flatten().min())
}

/// Deals with a failure of a server: what is alarming makes the inbox suspect, the rest is waited for.
pub(super) async fn meet(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    failure: Failure,
) -> Result<Option<Timestamp>, WorkError> {
    let now = app.clock.now();
    let evidence = failure.at(inbox.provider.clone(), now);
    tracing::warn!(inbox = %inbox.address, stage = ?evidence.stage, words = %evidence.words(), "the inbox failed");
    if is_alarming(&evidence) {
        return suspect(app, inbox, memory, evidence).await;
    }
    memory.mailbox.close().await;
    memory.rest(app, app.config.timing.first_retry_after);
    Ok(memory.resting_until)
}

/// Makes the inbox suspect; answers when it is probed.
pub(super) async fn suspect(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    evidence: Evidence,
) -> Result<Option<Timestamp>, WorkError> {
    // It worked in the same look, before it failed: what was refused earlier is over, and this is a new refusal.
    if memory.worked.both() {
        decide(app, inbox, memory, Event::Worked).await?;
    }
    decide(app, inbox, memory, Event::Failed(evidence)).await
}

/// Nobody has to sign in for what only the operator can correct: it is tried whether it is.
async fn look_for_correction(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
) -> Result<Option<Timestamp>, WorkError> {
    let now = app.clock.now();
    let at = *memory.corrected_at.get_or_insert(now);
    if at > now {
        return Ok(Some(at));
    }
    memory.corrected_at = Some(now + CORRECTED_AFTER);
    // A person who signs in meanwhile brings newer credentials.
    if app.store.is_reconnecting(&inbox.id).await? {
        return Ok(memory.corrected_at);
    }
    probe(app, inbox, memory).await
}

/// The credentials on record are proved: they are adopted like new ones, and a reconnect that needs nobody reads what
/// arrived meanwhile and resumes.
async fn revive(app: &App, inbox: &Inbox, patience: Patience) -> Result<(), WorkError> {
    let now = app.clock.now();
    let expires_at = now + app.config.timing.reconnect_for;
    let (reconnect, is_anothers) = app
        .store
        .start_reconnect(&inbox.id, now, expires_at)
        .await?;
    if is_anothers {
        return Ok(());
    }
    // Read only now: a reconnect of somebody's that has just ended may have brought newer ones.
    let Some(stored) = app.store.find_credentials(&inbox.id).await? else {
        return Ok(());
    };
    let credentials: Credentials = app.keys.open(&inbox_context(&inbox.id), &stored.sealed)?;
    app.store
        .adopt_reconnect(
            &reconnect.id,
            &stored.sealed,
            credentials.password_user(),
            now,
            patience,
        )
        .await?;
    tracing::info!(inbox = %inbox.address, "what the operator had to correct is corrected");
    app.workers.run_reconnect(&reconnect.id);
    Ok(())
}

async fn probe(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
) -> Result<Option<Timestamp>, WorkError> {
    let probes = run_probes(app, inbox).await?;
    for evidence in [&probes.token, &probes.smtp, &probes.imap]
        .into_iter()
        .flatten()
    {
        tracing::warn!(inbox = %inbox.address, stage = ?evidence.stage, words = %evidence.words(), "a probe failed");
    }
    decide(app, inbox, memory, Event::Probed(Box::new(probes))).await
}

async fn decide(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    event: Event,
) -> Result<Option<Timestamp>, WorkError> {
    let timing = &app.config.timing;
    let patience = Patience {
        slow_retry_after: timing.slow_retry_after,
        at_most: timing.retry_at_most,
    };
    let now = app.clock.now();
    let (connection, effects) = app
        .store
        .decide_connection(&inbox.id, event, now, patience)
        .await?;
    notify::tell_decided(inbox, &connection, &effects);
    let mut next = Some(now);
    for effect in effects {
        match effect {
            Effect::ProbeAfter(delay) => {
                memory.probe_at = Some(now + delay);
                next = memory.probe_at;
            }
            Effect::Disconnect(_) => {
                memory.corrected_at = Some(now + CORRECTED_AFTER);
                // Where there is something to wait for, the next look says so.
            }
            Effect::Revive => {
                revive(app, inbox, patience).await?;
                next = None;
            }
            Effect::GoOn => memory.probe_at = None,
            Effect::GoOnAfter(delay) => {
                memory.probe_at = None;
                memory.resting_until = Some(now + delay);
                // What was refused is tried again: reading and sending both.
                memory.read_at = None;
                memory.worked = Worked::default();
            }
        }
    }
    Ok(next)
}

/// One round: the refresh token, then both sign-ins in parallel.
async fn run_probes(app: &App, inbox: &Inbox) -> Result<Probes, WorkError> {
    let (sign_in, token) = match load_sign_in(app, inbox, Freshness::Renewed).await {
        Ok(sign_in) => (Some(sign_in), None),
        Err(WorkError::Failed(failure)) => {
            // The servers are asked all the same, with what is there.
            let before = load_sign_in(app, inbox, Freshness::Usable).await.ok();
            (before, Some(failure))
        }
        Err(error) => return Err(error),
    };
    let (smtp, imap) = match &sign_in {
        Some(sign_in) => {
            let hello = hello(inbox);
            tokio::join!(
                async {
                    match smtp::Session::open(&app.dialer, &inbox.smtp, &hello, sign_in).await {
                        Ok(session) => {
                            session.quit().await;
                            None
                        }
                        Err(failure) => Some(failure),
                    }
                },
                async {
                    match imap::Session::open(&app.dialer, &inbox.imap, sign_in).await {
                        Ok(session) => {
                            session.logout().await;
                            None
                        }
                        Err(failure) => Some(failure),
                    }
                }
            )
        }
        None => (None, None),
    };
    let now = app.clock.now();
    let evidence =
        |failure: Option<Failure>| failure.map(|failure| failure.at(inbox.provider.clone(), now));
    Ok(Probes {
        token: evidence(token),
        smtp: evidence(smtp),
        imap: evidence(imap),
    })
}

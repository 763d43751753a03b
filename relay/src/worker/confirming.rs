//! Between "it failed" and "disconnected" or "connected": what is alarming is probed until it is confirmed or
//! over, and what is lost is tried now and then with what is on record. What follows from a probe is
//! decided in `protocol::connection`.

use std::time::Duration;

use protocol::card::Acts;
use protocol::connection::{Connection, Effect, Event, Patience, Probes, is_alarming};
use protocol::evidence::Evidence;
use protocol::reconnect;
use protocol::stall::Worked;
use protocol::timestamp::Timestamp;

use super::WorkError;
use super::mailbox::hello;
use super::memory::{Memory, Worked as WorkedSince, spread as spread_own};
use super::token::{Freshness, load_sign_in};
use crate::app::App;
use crate::credentials::{Credentials, inbox_context};
use crate::failure::Failure;
use crate::store::StoreError;
use crate::store::inbox::Inbox;
use crate::{imap, smtp};

/// Between two tries whether what is on record works again.
const CORRECTED_AFTER: Duration = Duration::from_hours(1);
/// The tries of different inboxes are spread over this long.
const SPREAD: Duration = Duration::from_mins(10);

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
    let words = evidence.words();
    note_failing(app, inbox, memory, evidence).await?;
    memory.rest(app, inbox, app.config.timing.first_retry_after, words);
    Ok(memory.resting_until)
}

/// A failure that passes, or may: nobody has to act yet, and it does not stay silent for good.
pub(super) async fn note_failing(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    evidence: Evidence,
) -> Result<(), WorkError> {
    let now = app.clock.now();
    let (_, news) = app.store.note_failing(&inbox.id, evidence, now).await?;
    memory.is_failing = true;
    if news.is_some() {
        app.bell.tell();
    }
    Ok(())
}

/// Something worked; the ledger is told where it has a failure on record.
pub(super) async fn note_worked(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    worked: Worked,
) -> Result<(), WorkError> {
    if memory.is_failing {
        app.store.note_worked(&inbox.id, worked).await?;
    }
    Ok(())
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
        perform(app, inbox, memory, Event::Worked).await?;
    }
    perform(app, inbox, memory, Event::Failed(evidence)).await
}

/// Nobody has to sign in for what mends itself, or what the operator corrects: it is tried whether it works again. What
/// only the operator can correct is tried at once by a process that was started since: it was started for a reason.
pub(super) async fn look_for_correction(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
) -> Result<Option<Timestamp>, WorkError> {
    let now = app.clock.now();
    let acts = match &inbox.connection {
        Connection::Disconnected { cause, .. } => cause.card().acts,
        _ => Acts::Nobody,
    };
    let first = match acts {
        Acts::Operator => now,
        _ => now + spread(inbox),
    };
    let at = *memory.corrected_at.get_or_insert(first);
    if at > now {
        return Ok(Some(at));
    }
    memory.corrected_at = Some(now + CORRECTED_AFTER + spread(inbox));
    // A person who signs in meanwhile brings newer credentials.
    if app.store.is_reconnecting(&inbox.id).await? {
        return Ok(memory.corrected_at);
    }
    probe(app, inbox, memory).await
}

/// Something between nothing and [`SPREAD`] that is this inbox's own: inboxes that were lost together do not come back to
/// their servers together.
fn spread(inbox: &Inbox) -> Duration {
    let sum = inbox.id.as_str().bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    SPREAD.mul_f64(f64::from(sum % 1_000) / 1_000.0)
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
    let revived = app
        .store
        .adopt_reconnect(
            &reconnect.id,
            reconnect::Event::Revived,
            &stored.sealed,
            credentials.password_user(),
            now,
            patience,
        )
        .await;
    let changed = match revived {
        Ok(changed) => changed,
        // Somebody has handed newer ones over meanwhile.
        Err(StoreError::Reconnect(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    tracing::info!(inbox = %inbox.address, "what the operator had to correct is corrected");
    crate::reconnect::perform(app, changed);
    Ok(())
}

/// Probes now; answers when to look again.
pub(super) async fn probe(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
) -> Result<Option<Timestamp>, WorkError> {
    let probes = run_probes(app, inbox).await?;
    // Some were given up, and met nothing.
    if app.dialer.ending().has_come() {
        return Ok(None);
    }
    for evidence in [&probes.token, &probes.smtp, &probes.imap]
        .into_iter()
        .flatten()
    {
        tracing::warn!(inbox = %inbox.address, stage = ?evidence.stage, words = %evidence.words(), "a probe failed");
    }
    // What passes keeps a suspicion open for as long as it lasts.
    let passing = [&probes.token, &probes.smtp, &probes.imap]
        .into_iter()
        .flatten()
        .next()
        .filter(|_| !matches!(inbox.connection, Connection::Disconnected { .. }))
        .filter(|_| probes.find_alarming().is_none())
        .cloned();
    if let Some(evidence) = passing {
        note_failing(app, inbox, memory, evidence).await?;
    }
    perform(app, inbox, memory, Event::Probed(Box::new(probes))).await
}

/// Puts what happened on record, and performs what follows; answers when to look again.
pub(super) async fn perform(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    event: Event,
) -> Result<Option<Timestamp>, WorkError> {
    let patience = patience(app);
    let now = app.clock.now();
    let (_, effects) = app
        .store
        .move_connection(&inbox.id, event, now, patience)
        .await?;
    app.bell.tell();
    let mut next = Some(now);
    for effect in effects {
        match effect {
            Effect::ProbeAfter(delay) => {
                memory.probe_at = Some(now + spread_own(app, &inbox.id, "probe", delay));
                next = memory.probe_at;
            }
            Effect::Disconnect(_) => {
                memory.corrected_at = Some(now + CORRECTED_AFTER + spread(inbox));
                // Where there is something to wait for, the next look says so.
            }
            Effect::Revive => {
                revive(app, inbox, patience).await?;
                next = None;
            }
            Effect::GoOn => memory.probe_at = None,
            Effect::GoOnAfter(delay) => {
                memory.probe_at = None;
                memory.resting_until = Some(now + spread_own(app, &inbox.id, "probe", delay));
                // What was refused is tried again: reading and sending both.
                memory.read_at = None;
                memory.worked = WorkedSince::default();
            }
        }
    }
    Ok(next)
}

/// How patient the relay is with an inbox, as configured.
pub(super) fn patience(app: &App) -> Patience {
    let timing = &app.config.timing;
    Patience {
        slow_retry_after: timing.slow_retry_after,
        at_most: timing.retry_at_most,
    }
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

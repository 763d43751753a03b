//! The task of one reconnect: from what the browser handed over to the receipt. Every stage is committed
//! before the next begins; a restart goes on at the first that is not.

use std::sync::Arc;
use std::time::Duration;

use protocol::card::Persistence;
use protocol::cause::{Cause, classify};
use protocol::connection::{Connection, Event, Probes, is_alarming};
use protocol::evidence::{Evidence, Finding, IoFault, Party, Said, Stage as At};
use protocol::id::ReconnectId;
use protocol::provider::IdentitySource;
use protocol::reconnect::{self, Grant, Stage, State};
use tokio::sync::{Notify, watch};

use super::WorkError;
use super::confirming::patience;
use super::mailbox::{Mailbox, hello};
use super::reading::read_inbox;
use super::token::{check_servers, renew, show};
use crate::app::App;
use crate::bell::Held;
use crate::credentials::{Credentials, inbox_context, reconnect_context};
use crate::engine::identity::{Claimed, Way, is_own_password, is_owner};
use crate::failure::Failure;
use crate::oauth::{self, Tokens, id_token};
use crate::store::StoreError;
use crate::store::inbox::{Identity, Inbox};
use crate::store::reconnect::{Advance, Reconnect, SignedIn};
use crate::store::resume::Outage;
use crate::{imap, smtp};

mod stand_in;

/// The longest delay between two tries. A person waits for it: what has passed is to be seen soon, and what has not is
/// to end when the reconnect does.
const AGAIN_WITHIN: Duration = Duration::from_secs(15);

/// Runs until the reconnect is over or the relay stops.
pub(super) async fn run(
    app: Arc<App>,
    id: ReconnectId,
    nudge: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) {
    let mut delay = app.config.timing.first_retry_after;
    loop {
        let next = match Box::pin(advance(&app, &id)).await {
            // Where it is not on record, its inbox was removed.
            Ok(Next::Over) | Err(WorkError::Store(StoreError::NotFound { .. })) => break,
            Ok(Next::Stage) => {
                if *stop.borrow() {
                    return;
                }
                continue;
            }
            Ok(Next::Wait(at)) => at,
            Err(error) => {
                tracing::warn!(reconnect = %id, error = &error as &dyn std::error::Error, "the reconnect tries again");
                let now = app.clock.now();
                let reconnect = app.store.load_reconnect(&id).await;
                // What arrived meanwhile is read in as long a time again.
                let reading_for = app.config.timing.reconnect_for;
                let is_waited_for =
                    reconnect.is_ok_and(|reconnect| now < reconnect.expires_at + reading_for);
                delay = longer(delay, app.config.timing.retry_at_most, is_waited_for);
                now + delay
            }
        };
        tokio::select! {
            () = app.clock.wait_until(next) => {}
            () = nudge.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
    app.bell.forget_reconnect(&id);
}

/// The next delay after this one. What goes on after the reconnect's time, reading the gap, nobody waits for.
fn longer(delay: Duration, at_most: Duration, is_waited_for: bool) -> Duration {
    let at_most = if is_waited_for {
        at_most.min(AGAIN_WITHIN)
    } else {
        at_most
    };
    (delay * 2).min(at_most)
}

/// What comes after a stage.
enum Next {
    /// The next stage.
    Stage,
    /// Nothing before this instant, unless something is handed over.
    Wait(protocol::timestamp::Timestamp),
    /// Nothing more.
    Over,
}

async fn advance(app: &App, id: &ReconnectId) -> Result<Next, WorkError> {
    let reconnect = app.store.load_reconnect(id).await?;
    let inbox = app.store.load_inbox(&reconnect.inbox).await?;
    let done = match &reconnect.state {
        State::Resumed { .. } | State::Refused { .. } => return Ok(Next::Over),
        State::Started { expires_at } if *expires_at > app.clock.now() => {
            return Ok(Next::Wait(*expires_at));
        }
        State::Started { .. } => Err(found(At::Authorize, Finding::Expired)),
        State::Granted => exchange(app, &reconnect, &inbox).await,
        State::Unconfirmed if reconnect.expires_at > app.clock.now() => {
            return Ok(Next::Wait(reconnect.expires_at));
        }
        State::Unconfirmed => Err(found(At::Identity, Finding::Expired)),
        State::Verifying { stage } if stage.is_window() => {
            Err(found(At::Exchange, Finding::Interrupted))
        }
        State::Verifying {
            stage: Stage::Exchanged,
        } => identify(app, &reconnect, &inbox).await,
        State::Verifying {
            stage: Stage::Identified,
        } => refresh(app, &reconnect, &inbox).await,
        State::Verifying {
            stage: Stage::Refreshed | Stage::SignedIn,
        } => match sign_in(app, &reconnect, &inbox).await {
            // From here on the credentials are the inbox's: whatever fails now, they are not given back.
            Ok(Doors::Open(imap)) => {
                return Box::pin(go_on(app, &reconnect, &inbox, Some(*imap))).await;
            }
            Ok(Doors::Shut { failure, cause }) => {
                return conclude(app, &reconnect, &inbox, failure, Some(cause)).await;
            }
            Err(error) => Err(error),
        },
        State::Verifying { .. } => {
            return Box::pin(go_on(app, &reconnect, &inbox, None)).await;
        }
    };
    match done {
        Ok(next) => Ok(next),
        Err(WorkError::Failed(failure)) => conclude(app, &reconnect, &inbox, failure, None).await,
        Err(error) => Err(error),
    }
}

fn found(stage: At, finding: Finding) -> WorkError {
    Failure::new(Party::Relay, stage, Said::Found(finding)).into()
}

/// A failure ends the reconnect, unless it passes and nothing was used up: then the stage is tried again,
/// until the reconnect expires.
async fn conclude(
    app: &App,
    reconnect: &Reconnect,
    inbox: &Inbox,
    failure: Failure,
    cause: Option<Cause>,
) -> Result<Next, WorkError> {
    // It was given up, and goes on at the next start.
    if app.dialer.ending().has_come() {
        return Err(failure.into());
    }
    let now = app.clock.now();
    let evidence = failure.clone().at(inbox.provider.clone(), now);
    if is_mistyped(inbox, &failure) {
        refuse(app, reconnect, inbox, &evidence, Some(Cause::SettingsWrong)).await?;
        return Ok(Next::Over);
    }
    let shown = cause.unwrap_or_else(|| classify(&evidence));
    let passes = shown.card().persistence == Persistence::Transient;
    if passes && now < reconnect.expires_at {
        return Err(failure.into());
    }
    refuse(app, reconnect, inbox, &evidence, cause).await?;
    Ok(Next::Over)
}

/// Whether nothing answers at a server that never answered before: then its name or its port is wrong sooner than that it
/// is away, and the person who has just typed them is there to look.
fn is_mistyped(inbox: &Inbox, failure: &Failure) -> bool {
    let was_never_connected = matches!(
        inbox.connection,
        Connection::Disconnected {
            cause: Cause::NeverConnected,
            ..
        }
    );
    was_never_connected
        && matches!(failure.party, Party::Smtp | Party::Imap)
        && failure.stage == At::Connect
        && matches!(failure.said, Said::Io { .. })
}

/// Ends the reconnect, and says so.
async fn refuse(
    app: &App,
    reconnect: &Reconnect,
    inbox: &Inbox,
    evidence: &Evidence,
    cause: Option<Cause>,
) -> Result<(), WorkError> {
    if crate::reconnect::refuse(app, &reconnect.id, evidence, cause).await? {
        let cause = cause.unwrap_or_else(|| classify(evidence));
        tracing::warn!(inbox = %inbox.address, cause = cause.code(), words = %evidence.words(), "the reconnect is refused");
    }
    Ok(())
}

/// Gives back what a reconnect held that was ended elsewhere.
pub(super) async fn give_back(app: Arc<App>, held: Held) {
    let sealed = held.sealed.as_deref().unwrap_or_default();
    let held_credentials = app.keys.open(&reconnect_context(&held.reconnect), sealed);
    if let (Ok(Credentials::OAuth { refresh_token, .. }), Ok(inbox)) =
        (held_credentials, app.store.load_inbox(&held.inbox).await)
    {
        app.revoke(&inbox, &refresh_token).await;
    }
}

fn open_credentials(app: &App, reconnect: &Reconnect) -> Result<Credentials, WorkError> {
    let sealed = reconnect.payload.as_deref().unwrap_or_default();
    Ok(app.keys.open(&reconnect_context(&reconnect.id), sealed)?)
}

async fn put_stage(
    app: &App,
    reconnect: &Reconnect,
    stage: Stage,
    credentials: Option<&Credentials>,
    signed_in: Option<SignedIn>,
) -> Result<(), WorkError> {
    let sealed = match credentials {
        Some(credentials) => Some(
            app.keys
                .seal(&reconnect_context(&reconnect.id), credentials)?,
        ),
        None => None,
    };
    app.store
        .advance_reconnect(
            &reconnect.id,
            Advance {
                stage,
                payload: sealed.as_deref().map(str::to_owned),
                signed_in,
            },
        )
        .await?;
    Ok(())
}

/// (a) What was handed over becomes credentials in the reconnect's own row.
async fn exchange(app: &App, reconnect: &Reconnect, inbox: &Inbox) -> Result<Next, WorkError> {
    let sealed = reconnect.payload.as_deref().unwrap_or_default();
    let grant: Grant = app.keys.open(&reconnect_context(&reconnect.id), sealed)?;
    let ahead = app.config.timing.refresh_ahead;
    let tokens = match grant {
        Grant::Password { user, password } => {
            let stage = if is_own_password(way_of(inbox), &user, &inbox.address) {
                Stage::Refreshed
            } else {
                Stage::Exchanged
            };
            let credentials = Credentials::Password { user, password };
            put_stage(app, reconnect, stage, Some(&credentials), None).await?;
            return Ok(Next::Stage);
        }
        Grant::Tokens {
            access_token,
            refresh_token,
            expires_in_ms,
            scope,
        } => Tokens {
            access_token,
            refresh_token,
            expires_in: expires_in_ms.map(Duration::from_millis),
            scopes: scope.map(|scope| scope.split_whitespace().map(str::to_owned).collect()),
            id_token: None,
        },
        Grant::Code {
            code,
            verifier,
            redirect_uri,
        } => {
            let metadata = app.providers.load_metadata(&inbox.provider).await?;
            let Some((_, client)) = app.providers.find_client(&inbox.provider) else {
                return Ok(Next::Over);
            };
            // From here on the provider may have used the code up.
            put_stage(app, reconnect, Stage::Exchanging, None, None).await?;
            let answer = app
                .oauth
                .exchange(
                    &metadata,
                    &client.registration(),
                    &code,
                    &verifier,
                    &redirect_uri,
                )
                .await;
            match used_up(answer, At::Exchange) {
                Err(error @ WorkError::Failed(_)) if !is_interrupted(&error) => {
                    app.store.leave_window(&reconnect.id).await?;
                    return Err(error);
                }
                tokens => tokens?,
            }
        }
    };
    let usable = check_servers(app, inbox).map_err(WorkError::from);
    if let Err(unusable) = usable.and_then(|()| check_scopes(inbox, &tokens)) {
        // These tokens are on no record, so nobody else can give them back.
        if let Some(refresh_token) = &tokens.refresh_token {
            app.revoke(inbox, refresh_token).await;
        }
        return Err(unusable);
    }
    let named = tokens.id_token.clone();
    let mut credentials = renew(tokens, None, app.clock.now(), ahead)?;
    if let Credentials::OAuth { id_token, .. } = &mut credentials {
        *id_token = named;
    }
    put_stage(app, reconnect, Stage::Exchanged, Some(&credentials), None).await?;
    Ok(Next::Stage)
}

/// Whether what was sent may have been used up without an answer.
fn is_interrupted(error: &WorkError) -> bool {
    matches!(error, WorkError::Failed(failure) if failure.said == Said::Found(Finding::Interrupted))
}

/// An answer that was lost on the way may have used up what was sent: that is an interruption, not a fault
/// that passes.
fn used_up(answer: Result<Tokens, Failure>, stage: At) -> Result<Tokens, WorkError> {
    answer.map_err(|failure| {
        let lost = matches!(
            failure.said,
            Said::Io {
                fault: IoFault::Closed | IoFault::TimedOut | IoFault::Other,
                ..
            } | Said::Garbage { .. }
        );
        if lost {
            found(stage, Finding::Interrupted)
        } else {
            failure.into()
        }
    })
}

/// RFC 6749 §5.1: where the answer names no scopes, those that were asked for were granted.
fn check_scopes(inbox: &Inbox, tokens: &Tokens) -> Result<(), WorkError> {
    let oauth = protocol::provider::Provider::find(&inbox.provider)
        .and_then(|provider| provider.oauth.as_ref());
    let (Some(granted), Some(oauth)) = (&tokens.scopes, oauth) else {
        return Ok(());
    };
    let needed = oauth
        .needed_scopes
        .iter()
        .filter(|scope| !granted.iter().any(|one| one == *scope));
    let missing: Vec<String> = needed.map(|scope| (*scope).to_owned()).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(found(At::Identity, Finding::ScopeMissing { missing }))
    }
}

/// How the inbox signs in today.
fn way_of(inbox: &Inbox) -> Way<'_> {
    match (&inbox.password_user, &inbox.identity) {
        (Some(user), _) => Way::Password(user),
        (None, Some(_)) => Way::Account,
        (None, None) => Way::None,
    }
}

/// (b) Who signed in. A wrong identity ends it here and nothing is written to the inbox.
async fn identify(app: &App, reconnect: &Reconnect, inbox: &Inbox) -> Result<Next, WorkError> {
    let credentials = open_credentials(app, reconnect)?;
    if let Some(user) = credentials.password_user() {
        return stand_in::admit_password(app, reconnect, inbox, user).await;
    }
    let identity = load_identity(app, &credentials, inbox).await?;
    let stored = inbox
        .identity
        .as_ref()
        .map(|stored| (stored.iss.as_str(), stored.sub.as_str()));
    let claimed = Claimed {
        pair: (&identity.iss, &identity.sub),
        verified_address: identity
            .email
            .as_deref()
            .filter(|_| identity.email_verified),
    };
    let is_owner = is_owner(stored, &claimed, &inbox.address);
    let signed_in = SignedIn {
        name: identity.email,
        identity: Some(Identity {
            iss: identity.iss,
            sub: identity.sub,
        }),
    };
    if !is_owner {
        return stand_in::admit(app, reconnect, inbox, signed_in).await;
    }
    put_stage(app, reconnect, Stage::Identified, None, Some(signed_in)).await?;
    Ok(Next::Stage)
}

/// Who signed in, from where the provider tells it.
async fn load_identity(
    app: &App,
    credentials: &Credentials,
    inbox: &Inbox,
) -> Result<oauth::Identity, WorkError> {
    let missing = |what: &str| {
        let detail = format!("expected {what}, found none");
        WorkError::from(Failure::new(
            Party::Oauth,
            At::Identity,
            Said::Garbage { detail },
        ))
    };
    let Credentials::OAuth {
        access_token,
        id_token,
        ..
    } = credentials
    else {
        return Err(missing("a permission"));
    };
    let Some((known, client)) = app.providers.find_client(&inbox.provider) else {
        return Err(missing("a registration at the provider"));
    };
    let metadata = app.providers.load_metadata(&inbox.provider).await?;
    Ok(match known.identity {
        IdentitySource::UserInfo => app.oauth.load_identity(&metadata, access_token).await?,
        IdentitySource::IdToken => {
            let token = id_token
                .as_ref()
                .ok_or_else(|| missing("an ID token beside the tokens"))?;
            id_token::read(token, &metadata, &client.id, app.clock.now())?
        }
    })
}

/// (d) The new refresh token is used once: it is known to work, and one that replaces it is on record.
async fn refresh(app: &App, reconnect: &Reconnect, inbox: &Inbox) -> Result<Next, WorkError> {
    let Credentials::OAuth { refresh_token, .. } = open_credentials(app, reconnect)? else {
        // A password that was confirmed: nothing of it can be renewed.
        put_stage(app, reconnect, Stage::Refreshed, None, None).await?;
        return Ok(Next::Stage);
    };
    let metadata = app.providers.load_metadata(&inbox.provider).await?;
    let Some((_, client)) = app.providers.find_client(&inbox.provider) else {
        return Ok(Next::Over);
    };
    // From here on the provider may have replaced the token.
    put_stage(app, reconnect, Stage::Refreshing, None, None).await?;
    let answer = app
        .oauth
        .refresh(&metadata, &client.registration(), &refresh_token)
        .await;
    let tokens = match used_up(answer, At::Refresh) {
        Err(error @ WorkError::Failed(_)) if !is_interrupted(&error) => {
            app.store.leave_window(&reconnect.id).await?;
            return Err(error);
        }
        tokens => tokens?,
    };
    let credentials = renew(
        tokens,
        Some(&refresh_token),
        app.clock.now(),
        app.config.timing.refresh_ahead,
    )?;
    put_stage(app, reconnect, Stage::Refreshed, Some(&credentials), None).await?;
    Ok(Next::Stage)
}

/// What came of both sign-ins.
enum Doors {
    /// Both let the credentials in, and the inbox has them.
    Open(Box<imap::Session>),
    /// One did not, or neither.
    Shut {
        /// What says most.
        failure: Failure,
        /// What both of them show.
        cause: Cause,
    },
}

/// What both servers show together, where one of them failed.
fn judge(
    app: &App,
    inbox: &Inbox,
    smtp: Option<&Failure>,
    imap: Option<&Failure>,
) -> Option<Doors> {
    let now = app.clock.now();
    let evidence = |failure: Option<&Failure>| {
        failure.map(|failure| failure.clone().at(inbox.provider.clone(), now))
    };
    let probes = Probes {
        token: None,
        smtp: evidence(smtp),
        imap: evidence(imap),
    };
    let (worst, cause) = probes.judge()?;
    let failure = match worst.party {
        Party::Smtp => smtp,
        _ => imap,
    };
    failure.map(|failure| Doors::Shut {
        failure: failure.clone(),
        cause,
    })
}

/// (e) Both sign-ins in parallel, then (f): one transaction moves the credentials to the inbox.
async fn sign_in(app: &App, reconnect: &Reconnect, inbox: &Inbox) -> Result<Doors, WorkError> {
    let credentials = open_credentials(app, reconnect)?;
    let (smtp, imap) = open_both(app, inbox, &credentials).await;
    if let Some(shut) = judge(app, inbox, smtp.as_ref().err(), imap.as_ref().err()) {
        return Ok(shut);
    }
    let (smtp, imap) = (smtp?, imap?);
    put_stage(app, reconnect, Stage::SignedIn, None, None).await?;
    let sealed = app.keys.seal(&inbox_context(&inbox.id), &credentials)?;
    app.store
        .adopt_reconnect(
            &reconnect.id,
            reconnect::Event::Adopted,
            &sealed,
            credentials.password_user(),
            app.clock.now(),
            patience(app),
        )
        .await?;
    smtp.quit().await;
    Ok(Doors::Open(Box::new(imap)))
}

/// The inbox has the credentials: it resumes, however often that has to be tried, unless they end again
/// before what arrived was read. Then the inbox is suspect like any other, and waits for the next click.
async fn go_on(
    app: &App,
    reconnect: &Reconnect,
    inbox: &Inbox,
    session: Option<imap::Session>,
) -> Result<Next, WorkError> {
    // The adoption has just changed it.
    let inbox = &app.store.load_inbox(&inbox.id).await?;
    let now = app.clock.now();
    match &inbox.connection {
        Connection::Disconnected {
            evidence: Some(evidence),
            ..
        } => {
            refuse(app, reconnect, inbox, evidence, None).await?;
            return Ok(Next::Over);
        }
        Connection::Suspect { .. } => {
            return Ok(Next::Wait(now + app.config.timing.first_retry_after));
        }
        Connection::Connected { .. } | Connection::Disconnected { .. } => {}
    }
    let failure = match resume(app, reconnect, inbox, session).await {
        Err(WorkError::Failed(failure)) => failure,
        ended => return ended,
    };
    if app.dialer.ending().has_come() {
        return Err(failure.into());
    }
    let evidence = failure.clone().at(inbox.provider.clone(), now);
    let has_ended = now >= inbox.connection.since() + app.config.timing.reconnect_for;
    if has_ended && !is_alarming(&evidence) {
        end_unread(app, reconnect, inbox, evidence).await?;
        return Ok(Next::Stage);
    }
    if is_alarming(&evidence) {
        // Confirming it is the inbox's own task, as always.
        let event = Event::Failed(evidence);
        app.store
            .move_connection(&inbox.id, event, now, patience(app))
            .await?;
        app.bell.tell();
        app.bell.wake_inbox(&inbox.id);
    }
    Err(failure.into())
}

/// Nothing could be read in all the time that a reconnect has: the inbox is without a connection as before, by what was
/// met last, and the next stage ends the reconnect with the same words.
async fn end_unread(
    app: &App,
    reconnect: &Reconnect,
    inbox: &Inbox,
    evidence: Evidence,
) -> Result<(), WorkError> {
    let now = app.clock.now();
    let outage = reconnect
        .payload
        .as_deref()
        .and_then(|payload| serde_json::from_str::<Outage>(payload).ok());
    let since = outage.and_then(|outage| outage.since).unwrap_or(now);
    let event = Event::Unread { evidence, since };
    app.store
        .move_connection(&inbox.id, event, now, patience(app))
        .await?;
    app.bell.tell();
    Ok(())
}

/// What arrived meanwhile is read, then everything goes on.
async fn resume(
    app: &App,
    reconnect: &Reconnect,
    inbox: &Inbox,
    session: Option<imap::Session>,
) -> Result<Next, WorkError> {
    let session = match session {
        Some(session) => session,
        None => open_imap(app, inbox).await?,
    };
    let mut mailbox = Mailbox::with(session, app.clock.now()).await?;
    let found = Box::pin(read_inbox(app, inbox, &mut mailbox)).await?;
    mailbox.close().await;
    let (receipt, changed) = app.store.resume(&reconnect.id, app.clock.now()).await?;
    tracing::info!(
        inbox = %inbox.address, held = receipt.held, to_send = receipt.to_send, skipped = receipt.skipped,
        in_doubt = receipt.in_doubt, replies = found.replies, bounces = found.bounces, "resumed"
    );
    crate::reconnect::perform(app, changed);
    Ok(Next::Over)
}

/// Signs in on both servers, and says of each how that went.
async fn open_both(
    app: &App,
    inbox: &Inbox,
    credentials: &Credentials,
) -> (
    Result<smtp::Session, Failure>,
    Result<imap::Session, Failure>,
) {
    let sign_in = match show(app, inbox, credentials) {
        Ok(sign_in) => sign_in,
        Err(failure) => return (Err(failure.clone()), Err(failure)),
    };
    let hello = hello(inbox);
    let opened = tokio::join!(
        smtp::Session::open(&app.dialer, &inbox.smtp, &hello, &sign_in),
        imap::Session::open(&app.dialer, &inbox.imap, &sign_in),
    );
    if let Ok(session) = &opened.0
        && session.size_at_most() != inbox.size_at_most
    {
        let noted = app
            .store
            .note_size_at_most(&inbox.id, session.size_at_most());
        if let Err(error) = noted.await {
            tracing::warn!(%error, inbox = %inbox.address, "what its server takes is noted at the next sign-in");
        }
    }
    opened
}

/// After a restart the session of the proof is gone.
async fn open_imap(app: &App, inbox: &Inbox) -> Result<imap::Session, WorkError> {
    let sign_in = super::token::load_sign_in(app, inbox, super::token::Freshness::Usable).await?;
    Ok(imap::Session::open(&app.dialer, &inbox.imap, &sign_in).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_a_reconnect_waits_no_longer_than_a_quarter_of_a_minute_for_its_next_try() {
        let second = Duration::from_secs(1);
        let mut delay = second;
        let mut delays = Vec::new();
        for _ in 0..6 {
            delay = longer(delay, Duration::from_mins(10), true);
            delays.push(delay.as_secs());
        }
        assert_eq!(delays, [2, 4, 8, 15, 15, 15]);
        assert_eq!(longer(second, second, true), second);
        let later = longer(delay, Duration::from_mins(10), false);
        assert_eq!(later, Duration::from_secs(30));
    }
}

//! Credentials that are fresh enough to sign in with. One refresh at a time for each inbox, a rotated
//! refresh token is stored before the new access token is used, and no failure deletes a token.

use std::time::Duration;

use protocol::evidence::{Finding, Party, Said, Stage};
use protocol::timestamp::Timestamp;

use super::WorkError;
use crate::app::App;
use crate::credentials::{Credentials, inbox_context};
use crate::failure::Failure;
use crate::oauth::Tokens;
use crate::secret::random_below;
use crate::sign_in::SignIn;
use crate::store::StoreError;
use crate::store::inbox::Inbox;

/// How long one refresh may hold the right to refresh; the client gives up long before.
pub(super) const REFRESH_LEASE: Duration = Duration::from_mins(2);
/// How often renewed credentials are put on record before they are given up. Each try waits for the database's own
/// patience, 5 to 30 s.
const KEEP_TRIES: u32 = 20;
/// The life of an access token whose provider does not say (RFC 6749 §5.1 recommends that it does).
const UNKNOWN_LIFE: Duration = Duration::from_mins(5);

/// Whether an access token that still lives may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It may.
    Usable,
    /// The refresh token itself is to be proved.
    Renewed,
}

/// What the inbox signs in with, refreshed ahead of its end.
pub(super) async fn load_sign_in(
    app: &App,
    inbox: &Inbox,
    freshness: Freshness,
) -> Result<SignIn, WorkError> {
    let Some(stored) = app.store.find_credentials(&inbox.id).await? else {
        return Err(Failure::new(
            Party::Relay,
            Stage::Auth,
            Said::Found(Finding::NoCredentials),
        )
        .into());
    };
    let credentials: Credentials = app.keys.open(&inbox_context(&inbox.id), &stored.sealed)?;
    let shown = show(app, inbox, &credentials)?;
    let Credentials::OAuth {
        refresh_token,
        refresh_at,
        ..
    } = &credentials
    else {
        return Ok(shown);
    };
    let now = app.clock.now();
    if freshness == Freshness::Usable && now < *refresh_at {
        return Ok(shown);
    }
    let metadata = app.providers.load_metadata(&inbox.provider).await?;
    let Some((_, client)) = app.providers.find_client(&inbox.provider) else {
        return Ok(shown);
    };
    if !app
        .store
        .claim_refresh(&inbox.id, now, now + REFRESH_LEASE)
        .await?
    {
        let detail = "another refresh of this inbox is under way".to_owned();
        let said = Said::Io {
            fault: protocol::evidence::IoFault::Other,
            detail,
        };
        return Err(Failure::new(Party::Relay, Stage::Refresh, said).into());
    }
    let answer = app
        .oauth
        .refresh(&metadata, &client.registration(), refresh_token)
        .await;
    let tokens = match answer {
        Ok(tokens) => tokens,
        Err(failure) => {
            app.store.release_refresh(&inbox.id).await?;
            return Err(failure.into());
        }
    };
    let renewed = renew(
        tokens,
        Some(refresh_token),
        app.clock.now(),
        app.config.timing.refresh_ahead,
    )?;
    let sealed = app.keys.seal(&inbox_context(&inbox.id), &renewed)?;
    if !keep(app, inbox, &sealed, stored.fence).await? {
        tracing::info!(inbox = %inbox.id, "a reconnect brought newer credentials while these were refreshed");
    }
    Ok(show(app, inbox, &renewed)?)
}

/// What the servers of an inbox are shown. A password goes wherever its inbox is; a token goes to the servers of its
/// provider alone, whoever put others on record and whenever that was (RFC 9700 §4.9.1).
pub(super) fn show(app: &App, inbox: &Inbox, credentials: &Credentials) -> Result<SignIn, Failure> {
    if matches!(credentials, Credentials::OAuth { .. }) {
        check_servers(app, inbox)?;
    }
    Ok(credentials.sign_in(&inbox.address))
}

/// Whether a token of its provider may be shown to the servers of an inbox.
pub(super) fn check_servers(app: &App, inbox: &Inbox) -> Result<(), Failure> {
    app.providers
        .check_servers(&inbox.provider, Some(&inbox.smtp), Some(&inbox.imap))
        .map_err(Failure::from)
}

/// Puts renewed credentials on record. The provider may have ended the refresh token before them, so a database
/// that is busy for a while must not cost them: it is tried again. What does not pass is no reason to wait.
async fn keep(app: &App, inbox: &Inbox, sealed: &str, fence: i64) -> Result<bool, StoreError> {
    for _ in 1..KEEP_TRIES {
        match app.store.update_credentials(&inbox.id, sealed, fence).await {
            Err(error) if error.passes() => tracing::error!(
                inbox = %inbox.id,
                error = crate::log::chain(&error),
                "renewed credentials are not on record yet; it is tried again"
            ),
            ended => return ended,
        }
        app.clock
            .wait_for(app.config.timing.first_retry_after)
            .await;
    }
    app.store.update_credentials(&inbox.id, sealed, fence).await
}

/// Credentials from a token answer; where it brings no refresh token, the one before goes on
/// (RFC 6749 §6).
pub(super) fn renew(
    tokens: Tokens,
    before: Option<&protocol::secret::Secret>,
    now: Timestamp,
    refresh_ahead: Duration,
) -> Result<Credentials, Failure> {
    let refresh_token = tokens
        .refresh_token
        .or_else(|| before.cloned())
        .ok_or_else(|| {
            Failure::new(
                Party::Relay,
                Stage::Exchange,
                Said::Found(Finding::NoRefreshToken),
            )
        })?;
    let refresh_at = refresh_at(tokens.expires_in, now, refresh_ahead);
    Ok(Credentials::OAuth {
        refresh_token,
        access_token: tokens.access_token,
        refresh_at,
        id_token: None,
    })
}

/// When to refresh a token that lives for `life`: ahead of its end, but not in its first half, and up to a
/// tenth of that earlier so that many inboxes do not come at once.
fn refresh_at(life: Option<Duration>, now: Timestamp, ahead: Duration) -> Timestamp {
    let life = life.unwrap_or(UNKNOWN_LIFE);
    let usable = life.saturating_sub(ahead.min(life / 2));
    let jitter = random_below(u64::try_from(usable.as_millis() / 10).unwrap_or(0));
    now + usable.saturating_sub(Duration::from_millis(jitter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_refreshed_ahead_of_its_end_and_never_at_once() {
        let now = Timestamp::from_ms(0);
        for (life, earliest, latest) in [(3_600, 2_970, 3_300), (60, 27, 30), (1, 0, 1)] {
            for _ in 0..50 {
                let at = refresh_at(Some(Duration::from_secs(life)), now, Duration::from_mins(5))
                    .as_ms();
                assert!(
                    (earliest * 1_000..=latest * 1_000).contains(&at),
                    "{life} s: {at} ms"
                );
            }
        }
    }
}

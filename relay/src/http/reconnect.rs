//! Reconnects: what a browser needs to begin one, what it hands over, and how far the proof has come.
//! Proving is the worker's. That the provider or the person said no is an outcome, not a problem.

use protocol::card::{Acts, Persistence, Words};
use protocol::cause::Cause;
use protocol::evidence::{Evidence, Finding, Party, Said, Stage};
use protocol::id::ReconnectId;
use protocol::problem::{Code, Problem};
use protocol::receipt::Receipt;
use protocol::reconnect::{
    Authorization, Exchange, GivenSignIn, Grant, InvalidTransition, Question, Replaces, State,
    VisitPlan, sealing_context,
};
use protocol::reply::OAuthReply;
use protocol::request::inbox::SignsInBy;
use protocol::request::reconnect::{
    ConfirmReconnect, GetReceipt, GetReconnect, GrantReconnect, ListReceiptLines, ListReceipts,
    ListedLine, NothingObtained, ReceiptLines, Receipts, Reconnect, ReconnectState,
    RefuseReconnect, StartReconnect, StartedReconnect,
};
use protocol::sealed::Sealed;
use protocol::shown;

use super::inbox::{facts, signs_in_by, unknown_provider, words_of};
use super::{Context, Serve, ServeError};
use crate::app::App;
use crate::credentials::reconnect_context;
use crate::store::StoreError;
use crate::store::inbox::Inbox;
use crate::store::reconnect::{Reconnect as StoredReconnect, Refusal};

/// How many lines of a receipt are listed where nothing is said.
const LINES: u32 = 100;
/// How many are listed at the most.
const LINES_AT_MOST: u32 = 1_000;
/// The most of a provider's words that is kept, in characters: RFC 6749 §4.1.2.1 sets no limit.
const WORDS_AT_MOST: usize = 500;
/// What only a token endpoint says (RFC 6749 §5.2), to a browser that asked it.
const OF_THE_EXCHANGE: &[&str] = &["invalid_grant", "invalid_client", "unsupported_grant_type"];

impl Serve for StartReconnect {
    async fn serve(self, context: Context) -> Result<StartedReconnect, ServeError> {
        let inbox = context.sight().inbox(&self.inbox_id).await?;
        let app = inbox.app();
        // First, so that a provider that cannot be reached leaves no reconnect behind.
        let authorization = match load_authorization(app, &inbox).await {
            Ok(authorization) => Some(authorization),
            // A password needs no page.
            Err(_) if signs_in_by(&inbox) == SignsInBy::Password => None,
            Err(error) => return Err(error),
        };
        let (reconnect, joined) = start_or_join(app, &inbox).await?;
        // Its task ends it when its time is over.
        app.bell.wake_reconnect(&reconnect.id);
        let waits_for_person = matches!(reconnect.state, State::Started { .. });
        Ok(StartedReconnect {
            reconnect: view(&inbox, reconnect),
            authorization: authorization.filter(|_| waits_for_person),
            joined,
        })
    }
}

impl Serve for GrantReconnect {
    async fn serve(self, context: Context) -> Result<Reconnect, ServeError> {
        let seen = context.sight().reconnect(&self.reconnect_id).await?;
        let app = seen.app();
        let reconnect = waiting(app, seen.into_inner())?;
        let inbox = app.store.load_inbox(&reconnect.inbox).await?;
        let Some(grant) = open(app, &reconnect, &self.sealed) else {
            let said = Said::Found(Finding::Unsealable);
            return refuse(
                app,
                &inbox,
                &reconnect.id,
                Party::Relay,
                Stage::Exchange,
                said,
            )
            .await;
        };
        take(app, &reconnect.id, &grant).await?;
        Ok(view(&inbox, app.store.load_reconnect(&reconnect.id).await?))
    }
}

impl Serve for RefuseReconnect {
    async fn serve(self, context: Context) -> Result<Reconnect, ServeError> {
        let seen = context.sight().reconnect(&self.reconnect_id).await?;
        let app = seen.app();
        let reconnect = seen.into_inner();
        if reconnect.state == State::Unconfirmed {
            return deny(app, reconnect).await;
        }
        let reconnect = waiting(app, reconnect)?;
        let inbox = app.store.load_inbox(&reconnect.inbox).await?;
        let mut stage = Stage::Authorize;
        let (party, said) = match self.why {
            NothingObtained::Cancelled => (Party::Relay, Said::Found(Finding::Cancelled)),
            NothingObtained::MixedUp => (Party::Relay, Said::Found(Finding::MixedUp)),
            NothingObtained::Closed { redirect_uri } => {
                let redirect_uri =
                    redirect_uri.unwrap_or_else(|| context.callback_address(&inbox.provider));
                match find_redirect_fault(app, &inbox, &redirect_uri).await {
                    Some(reply) => (Party::Oauth, Said::Oauth(reply)),
                    None => (Party::Relay, Said::Found(Finding::Cancelled)),
                }
            }
            NothingObtained::Provider { error, description } => {
                if OF_THE_EXCHANGE.contains(&error.as_str()) {
                    stage = Stage::Exchange;
                }
                let description = description.unwrap_or_default();
                (Party::Oauth, said_of(&error, &description))
            }
        };
        refuse(app, &inbox, &reconnect.id, party, stage, said).await
    }
}

impl Serve for ConfirmReconnect {
    async fn serve(self, context: Context) -> Result<Reconnect, ServeError> {
        let seen = context.sight().reconnect(&self.reconnect_id).await?;
        let (app, id) = (seen.app(), &seen.id);
        let changed = app.store.confirm_reconnect(id, app.clock.now()).await?;
        crate::reconnect::perform(app, changed);
        let reconnect = app.store.load_reconnect(id).await?;
        let inbox = app.store.load_inbox(&reconnect.inbox).await?;
        Ok(view(&inbox, reconnect))
    }
}

impl Serve for GetReconnect {
    async fn serve(self, context: Context) -> Result<Reconnect, ServeError> {
        let reconnect = context.sight().reconnect(&self.reconnect_id).await?;
        let inbox = reconnect.app().store.load_inbox(&reconnect.inbox).await?;
        Ok(view(&inbox, reconnect.into_inner()))
    }
}

impl Serve for GetReceipt {
    async fn serve(self, context: Context) -> Result<Receipt, ServeError> {
        let receipt = context.sight().receipt(&self.receipt_id).await?;
        Ok(receipt.into_inner())
    }
}

impl Serve for ListReceiptLines {
    async fn serve(self, context: Context) -> Result<ReceiptLines, ServeError> {
        let limit = self.limit.unwrap_or(LINES);
        if !(1..=LINES_AT_MOST).contains(&limit) {
            let detail = format!("expected 1 to {LINES_AT_MOST}, found {limit}");
            return Err(ServeError::invalid("limit", detail));
        }
        let sight = context.sight();
        let receipt = sight.receipt(&self.receipt_id).await?;
        let behind = self.after.unwrap_or(0);
        let lines = receipt
            .app()
            .store
            .list_receipt_lines(&receipt.id, behind, limit)
            .await?;
        let read = u64::from(behind) + lines.len() as u64;
        let next = (!lines.is_empty() && read < receipt.held)
            .then(|| u32::try_from(read).ok())
            .flatten();
        let lines = sight.narrow_lines(lines).into_iter().map(|of| ListedLine {
            line: of.line,
            since: of.since,
        });
        Ok(ReceiptLines {
            lines: lines.collect(),
            next,
        })
    }
}

impl Serve for ListReceipts {
    async fn serve(self, context: Context) -> Result<Receipts, ServeError> {
        let listed = context.sight().receipts(self.after.as_ref()).await;
        match listed {
            Err(StoreError::NotFound { .. }) => {
                let detail = "expected the id of a receipt, as the last one of a list is";
                Err(ServeError::invalid("after", detail))
            }
            listed => Ok(Receipts { receipts: listed? }),
        }
    }
}

/// One that waits in vain is ended first: nobody can join it any more.
async fn start_or_join(app: &App, inbox: &Inbox) -> Result<(StoredReconnect, bool), ServeError> {
    let now = app.clock.now();
    let expires_at = now + app.config.timing.reconnect_for;
    let started = app
        .store
        .start_reconnect(&inbox.id, now, expires_at)
        .await?;
    if !is_over_time(&started.0, now) {
        return Ok(started);
    }
    let said = Said::Found(Finding::Expired);
    refuse(
        app,
        inbox,
        &started.0.id,
        Party::Relay,
        Stage::Authorize,
        said,
    )
    .await?;
    Ok(app
        .store
        .start_reconnect(&inbox.id, now, expires_at)
        .await?)
}

fn is_over_time(reconnect: &StoredReconnect, now: protocol::timestamp::Timestamp) -> bool {
    matches!(reconnect.state, State::Started { expires_at } if expires_at <= now)
}

/// A reconnect that still waits for the person.
pub(super) async fn load_waiting(
    app: &App,
    id: &ReconnectId,
) -> Result<StoredReconnect, ServeError> {
    waiting(app, app.store.load_reconnect(id).await?)
}

fn waiting(app: &App, reconnect: StoredReconnect) -> Result<StoredReconnect, ServeError> {
    let state = reconnect.state.name();
    if !matches!(reconnect.state, State::Started { .. }) {
        let refusal = Refusal::from(InvalidTransition::NotWaiting { state });
        return Err(StoreError::from(refusal).into());
    }
    if is_over_time(&reconnect, app.clock.now()) {
        let at = reconnect.expires_at;
        return Err(StoreError::from(Refusal::TooLate { at }).into());
    }
    Ok(reconnect)
}

/// `None` where the blob was sealed for another key or reconnect, or holds no grant.
fn open(app: &App, reconnect: &StoredReconnect, sealed: &Sealed) -> Option<Grant> {
    let context = sealing_context(&reconnect.id, &reconnect.inbox);
    let plain = app
        .keys
        .open_handed(&context, sealed, app.clock.now())
        .ok()?;
    serde_json::from_slice(&plain).ok()
}

/// Puts what the person obtained on record, once, and has it proved.
pub(super) async fn take(app: &App, id: &ReconnectId, grant: &Grant) -> Result<(), ServeError> {
    let payload = app
        .keys
        .seal(&reconnect_context(id), grant)
        .map_err(ServeError::internal)?;
    let changed = app.store.grant_reconnect(id, &payload).await?;
    crate::reconnect::perform(app, changed);
    Ok(())
}

/// Ends a reconnect that waits for the person.
pub(super) async fn refuse(
    app: &App,
    inbox: &Inbox,
    id: &ReconnectId,
    party: Party,
    stage: Stage,
    said: Said,
) -> Result<Reconnect, ServeError> {
    let now = app.clock.now();
    let evidence = Evidence {
        party,
        stage,
        said,
        provider: inbox.provider.clone(),
        seen_at: now,
    };
    crate::reconnect::refuse(app, id, &evidence, None).await?;
    Ok(view(inbox, app.store.load_reconnect(id).await?))
}

/// Ends one whose person is not meant; what it held goes back to the provider.
async fn deny(app: &App, reconnect: StoredReconnect) -> Result<Reconnect, ServeError> {
    let id = &reconnect.id;
    let signed_in_as = reconnect.signed_in_as;
    let inbox = app.store.load_inbox(&reconnect.inbox).await?;
    let now = app.clock.now();
    let evidence = Evidence {
        party: Party::Relay,
        stage: Stage::Identity,
        said: Said::Found(Finding::OtherIdentity { signed_in_as }),
        provider: inbox.provider.clone(),
        seen_at: now,
    };
    let changed = app.store.deny_reconnect(id, &evidence, now).await?;
    crate::reconnect::perform(app, changed);
    Ok(view(&inbox, app.store.load_reconnect(id).await?))
}

/// What the provider says against a redirect URI. A provider that does not know it shows an error on a page of its
/// own (RFC 6749 §4.1.2.1), so whoever closes that page is asked for nothing; the provider is.
async fn find_redirect_fault(app: &App, inbox: &Inbox, redirect_uri: &str) -> Option<OAuthReply> {
    let authorization = load_authorization(app, inbox).await.ok()?;
    let visit = crate::oauth::visit::begin(&authorization, redirect_uri).ok()?;
    app.oauth.find_redirect_fault(visit.url, redirect_uri).await
}

/// Everything that a browser needs to send the person to the provider.
pub(super) async fn load_authorization(
    app: &App,
    inbox: &Inbox,
) -> Result<Authorization, ServeError> {
    let Some((provider, registered)) = app.providers.find(&inbox.provider) else {
        let detail = unknown_provider(app, &inbox.provider);
        return Err(Problem::new(Code::Conflict, detail).into());
    };
    let (Some(oauth), Some(client)) = (&provider.oauth, &registered.client) else {
        let detail = format!("{} takes passwords only", provider.name);
        return Err(Problem::new(Code::Conflict, detail).into());
    };
    let metadata = app
        .providers
        .load_metadata(&inbox.provider)
        .await
        .map_err(|failure| {
            let issuer = &client.issuer;
            let detail = format!(
                "the provider at {issuer} does not answer as it should: {}",
                failure.said
            );
            Problem::new(Code::Unavailable, detail)
        })?;
    let visits = oauth.visits.iter().map(|visit| VisitPlan {
        interactive: visit.interactive,
        parameters: visit
            .parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    });
    Ok(Authorization {
        authorization_endpoint: metadata.authorization_endpoint.to_string(),
        token_endpoint: metadata.token_endpoint.to_string(),
        issuer: metadata.issuer,
        names_issuer: metadata.iss_parameter_supported,
        client_id: client.id.clone(),
        scopes: oauth
            .scopes
            .iter()
            .map(|scope| (*scope).to_owned())
            .collect(),
        login_hint: inbox.address.to_string(),
        visits: visits.collect(),
        exchange: if client.secret.is_some() || oauth.refuses_web_pages {
            Exchange::Confidential
        } else {
            Exchange::Public
        },
    })
}

fn view(inbox: &Inbox, reconnect: StoredReconnect) -> Reconnect {
    let mut view = Reconnect {
        id: reconnect.id,
        inbox: reconnect.inbox,
        state: ReconnectState::Started,
        stage: None,
        expires_at: reconnect.expires_at,
        signed_in_as: reconnect.signed_in_as,
        question: None,
        cause: None,
        card: None,
        evidence: None,
        receipt: None,
    };
    match reconnect.state {
        State::Started { .. } => {}
        State::Granted => view.state = ReconnectState::Granted,
        State::Verifying { stage } => {
            view.state = ReconnectState::Verifying;
            view.stage = Some(stage);
        }
        State::Unconfirmed => {
            view.state = ReconnectState::Unconfirmed;
            let name = view.signed_in_as.clone();
            view.question = Some(ask(inbox, reconnect.identity.is_some(), name));
        }
        State::Resumed { receipt, .. } => {
            view.state = ReconnectState::Resumed;
            view.receipt = Some(receipt);
        }
        State::Refused {
            cause, evidence, ..
        } => {
            view.state = ReconnectState::Refused;
            view.cause = Some(cause);
            view.card = Some(words_of_refusal(cause, inbox));
            view.evidence = evidence.server_words();
        }
    }
    view
}

/// What is to be confirmed: whether an account signed in or a password did, and under which name.
fn ask(inbox: &Inbox, is_account: bool, name: Option<String>) -> Question {
    let replaces = match (&inbox.password_user, &inbox.identity) {
        (Some(user), _) => Some(Replaces::Password { user: user.clone() }),
        (None, Some(_)) => Some(Replaces::Account {
            provider: facts(inbox).provider.to_owned(),
        }),
        (None, None) => None,
    };
    Question {
        inbox: inbox.address.clone(),
        given: if is_account {
            GivenSignIn::Account { name }
        } else {
            GivenSignIn::Password {
                user: name.unwrap_or_default(),
            }
        },
        replaces,
    }
}

/// A fault that passes is waited for by whatever goes on; a reconnect is over, and does not begin again by itself.
fn words_of_refusal(cause: Cause, inbox: &Inbox) -> Words {
    let mut words = words_of(cause, inbox);
    if cause.card().persistence == Persistence::Transient {
        words.acts = Acts::Person;
        "It did not pass while the sign-in was proved, so nothing was changed. Try again in a while.".clone_into(&mut words.explanation);
    }
    words
}

/// What the authorization endpoint said in the redirect (RFC 6749 §4.1.2.1).
pub(super) fn said_of(error: &str, description: &str) -> Said {
    Said::Oauth(OAuthReply {
        http_status: None,
        error: Some(clean(error)),
        description: clean(description),
    })
}

/// A stranger's words, in one line in which nothing acts, and shortened.
fn clean(words: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let line = words.join(" ");
    shown::line(&line).chars().take(WORDS_AT_MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_words_are_one_short_line() {
        assert_eq!(clean("no\r\nsuch\tscope\u{1b}"), "no such scope␛");
        assert_eq!(clean(&"x".repeat(10_000)).len(), WORDS_AT_MOST);
    }
}

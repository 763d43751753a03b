//! Inboxes: adding one, and how each is shown.

use protocol::budget::CAUTIOUS;
use protocol::card::{Facts, Words};
use protocol::cause::{Cause, classify};
use protocol::connection::Connection;
use protocol::evidence::{Evidence, Finding, Party, Said, Stage};
use protocol::id::InboxId;
use protocol::inbox::{MailServer, NotAServer};
use protocol::provider::{Provider, ProviderId};
use protocol::request::Done;
use protocol::request::inbox::{
    AnswerInbox, AtProvider, Change, Changes, ConnectionState, ConnectionView, CreateInbox,
    DeleteInbox, GetInbox, Inbox, Inboxes, ListChanges, ListInboxes, SignsInBy, UpdateInbox,
};
use protocol::secret::Secret;
use protocol::stall::{Failing, Stall};
use url::Url;

use super::pace::read_budget;
use super::{Context, Serve, ServeError};
use crate::app::App;
use crate::config::Config;
use crate::credentials::{Credentials, inbox_context};
use crate::store::StoreError;
use crate::store::conflict::Conflict;
use crate::store::held::Waits;
use crate::store::inbox::{Inbox as StoredInbox, NewInbox};
use crate::store::servers::Servers;

/// How many changes of a connection are listed.
const CHANGES: u32 = 100;

impl Serve for CreateInbox {
    async fn serve(self, context: Context) -> Result<Inbox, ServeError> {
        let app = context.app()?;
        let Some(provider) = app.config.providers.get(&self.provider) else {
            return Err(ServeError::invalid(
                "provider",
                unknown_provider(app, &self.provider),
            ));
        };
        let usual = Provider::find(&self.provider).map_or(CAUTIOUS, |known| known.usual.budget);
        let budget = read_budget(usual, self.distance_ms, self.daily_cap)?;
        for (field, server) in [("smtp", &self.smtp), ("imap", &self.imap)] {
            check_server(field, server.as_ref())?;
        }
        check_named(app, &self.provider, self.smtp.as_ref(), self.imap.as_ref())?;
        let new = NewInbox {
            address: self.address,
            provider: self.provider,
            smtp: self.smtp.unwrap_or_else(|| provider.smtp.clone()),
            imap: self.imap.unwrap_or_else(|| provider.imap.clone()),
            budget,
        };
        let now = app.clock.now();
        let connection = Connection::Disconnected {
            cause: Cause::NeverConnected,
            evidence: None,
            since: now,
        };
        let n_forgotten = app.mark.count_forgotten(&new.address);
        let inbox = app.store.create_inbox(new, &connection, now).await?;
        if n_forgotten > 0 {
            tracing::warn!(
                inbox = %inbox.address, attempts = n_forgotten,
                "the mark tells of messages of this address that the database does not know: first messages of its \
                 campaigns are held for a person"
            );
            let lost = app.watch.lost() + app.watch.lived(app.clock.uptime());
            app.store.note_forgotten(&inbox.id, lost).await?;
        }
        app.bell.wake_inbox(&inbox.id);
        view(&context, app, inbox).await
    }
}

impl Serve for UpdateInbox {
    async fn serve(self, context: Context) -> Result<Inbox, ServeError> {
        let app = context.app()?;
        for (field, server) in [("smtp", &self.smtp), ("imap", &self.imap)] {
            check_server(field, server.as_ref())?;
        }
        if self.smtp.is_none() && self.imap.is_none() {
            let detail = "expected the submission server, the IMAP server or both, found neither";
            return Err(ServeError::invalid("smtp", detail));
        }
        let id = &self.inbox_id;
        let provider = app.store.load_inbox(id).await?.provider;
        check_named(app, &provider, self.smtp.as_ref(), self.imap.as_ref())?;
        let servers = Servers {
            smtp: self.smtp,
            imap: self.imap,
        };
        let now = app.clock.now();
        match app.store.move_inbox(id, servers.clone(), now).await {
            Err(StoreError::Conflict(Conflict::Proving)) => {
                end_proof(app, id).await?;
                app.store.move_inbox(id, servers, now).await?;
            }
            moved => moved?,
        }
        let inbox = app.store.load_inbox(id).await?;
        tracing::info!(inbox = %inbox.address, smtp = %inbox.smtp, imap = %inbox.imap, "the inbox has other servers");
        app.bell.wake_inbox(id);
        view(&context, app, inbox).await
    }
}

impl Serve for DeleteInbox {
    async fn serve(self, context: Context) -> Result<Done, ServeError> {
        let app = context.app()?;
        let inbox = app.store.load_inbox(&self.inbox_id).await?;
        let refresh_token = find_refresh_token(app, &self.inbox_id).await?;
        let address = match app.store.delete_inbox(&self.inbox_id).await {
            Err(StoreError::Conflict(Conflict::Proving)) => {
                end_proof(app, &self.inbox_id).await?;
                app.store.delete_inbox(&self.inbox_id).await?
            }
            deleted => deleted?,
        };
        tracing::info!(inbox = %address, "the inbox was removed");
        // Only once nobody uses it any more; where that fails the person can still end it at the provider.
        if let Some(refresh_token) = refresh_token {
            app.revoke(&inbox, &refresh_token).await;
        }
        // Its task finds it gone and ends.
        app.bell.wake_inbox(&self.inbox_id);
        Ok(Done {})
    }
}

/// What would be left at the provider of an inbox that is removed; `None` for a password, and where nothing opens.
async fn find_refresh_token(app: &App, id: &InboxId) -> Result<Option<Secret>, ServeError> {
    let Some(stored) = app.store.find_credentials(id).await? else {
        return Ok(None);
    };
    let opened = app.keys.open(&inbox_context(id), &stored.sealed);
    Ok(match opened {
        Ok(Credentials::OAuth { refresh_token, .. }) => Some(refresh_token),
        _ => None,
    })
}

/// Ends the sign-in that is being proved for an inbox: whoever says that its servers are others, or that it is not needed,
/// waits for none of the old ones to answer.
async fn end_proof(app: &App, id: &InboxId) -> Result<(), ServeError> {
    let inbox = app.store.load_inbox(id).await?;
    for open in app.store.list_open_reconnects().await? {
        if open.inbox == *id {
            let evidence = Evidence {
                party: Party::Relay,
                stage: Stage::Authorize,
                said: Said::Found(Finding::Cancelled),
                provider: inbox.provider.clone(),
                seen_at: app.clock.now(),
            };
            crate::reconnect::refuse(app, &open.id, &evidence, None).await?;
        }
    }
    Ok(())
}

/// Refuses a server that no name or port can lead to, before it is on record.
fn check_server(field: &str, server: Option<&MailServer>) -> Result<(), ServeError> {
    let Some(Err(refused)) = server.map(MailServer::check) else {
        return Ok(());
    };
    let part = match refused {
        NotAServer::Host { .. } => "host",
        NotAServer::Port => "port",
    };
    Err(ServeError::invalid(
        &format!("{field}.{part}"),
        refused.to_string(),
    ))
}

/// Refuses a server that would be shown a token of a provider that is not its own.
fn check_named(
    app: &App,
    provider: &ProviderId,
    smtp: Option<&MailServer>,
    imap: Option<&MailServer>,
) -> Result<(), ServeError> {
    let Err(unnamed) = app.providers.check_servers(provider, smtp, imap) else {
        return Ok(());
    };
    let field = match unnamed.party {
        Party::Imap => "imap",
        _ => "smtp",
    };
    let part = match &unnamed.expected {
        Some(expected) if expected.host.eq_ignore_ascii_case(&unnamed.found.host) => "port",
        _ => "host",
    };
    let detail = format!(
        "{unnamed}: whoever signs in by OAuth would show this server a permission for the mailbox; name the expected one, or \
         have the operator change providers.{provider}.{field} in the configuration"
    );
    Err(ServeError::invalid(&format!("{field}.{part}"), detail))
}

impl Serve for ListInboxes {
    async fn serve(self, context: Context) -> Result<Inboxes, ServeError> {
        Ok(Inboxes {
            inboxes: list(&context).await?,
        })
    }
}

impl Serve for GetInbox {
    async fn serve(self, context: Context) -> Result<Inbox, ServeError> {
        let inbox = context.sight().inbox(&self.inbox_id).await?;
        let app = inbox.app();
        view(&context, app, inbox.into_inner()).await
    }
}

impl Serve for ListChanges {
    async fn serve(self, context: Context) -> Result<Changes, ServeError> {
        // An unknown inbox has no changes either; the caller is told which of the two it is.
        let inbox = context.sight().inbox(&self.inbox_id).await?;
        let changes = inbox.app().store.list_changes(&inbox.id, CHANGES).await?;
        let changes = changes.into_iter().map(|(at, connection)| {
            let (state, cause) = match connection {
                Connection::Connected { .. } => (ConnectionState::Connected, None),
                Connection::Suspect { evidence, .. } => {
                    (ConnectionState::Checking, Some(classify(&evidence)))
                }
                Connection::Disconnected { cause, .. } => {
                    (ConnectionState::Disconnected, Some(cause))
                }
            };
            Change { at, state, cause }
        });
        Ok(Changes {
            changes: changes.collect(),
        })
    }
}

/// Every inbox that the caller sees, by address.
pub(super) async fn list(context: &Context) -> Result<Vec<Inbox>, ServeError> {
    let inboxes = context.sight().inboxes().await?;
    let waits = context.sight().waits().await?;
    let mut all = Vec::with_capacity(inboxes.len());
    for inbox in inboxes {
        let waits = waits.get(&inbox.id).copied().unwrap_or_default();
        let stall = find_stall(inbox.app(), &inbox).await?;
        all.push(view_with(
            context,
            inbox.into_inner(),
            waits,
            stall.as_ref(),
        ));
    }
    Ok(all)
}

/// How somebody signs in for an inbox.
pub(super) fn signs_in_by(inbox: &StoredInbox) -> SignsInBy {
    let has_page = Provider::find(&inbox.provider).is_some_and(|known| known.oauth.is_some());
    if inbox.password_user.is_some() || !has_page {
        SignsInBy::Password
    } else {
        SignsInBy::Oauth
    }
}

/// The words of a cause for an inbox.
pub(super) fn words_of(cause: Cause, inbox: &StoredInbox) -> Words {
    cause.card().render(&facts(inbox))
}

/// The names that the words for an inbox need.
pub(super) fn facts(inbox: &StoredInbox) -> Facts<'_> {
    Facts {
        inbox: inbox.address.as_str(),
        provider: Provider::find(&inbox.provider)
            .map_or(inbox.provider.as_str(), |provider| provider.name),
    }
}

/// What to say of a provider that the configuration does not have.
pub(super) fn unknown_provider(app: &App, found: &ProviderId) -> String {
    let known: Vec<_> = app
        .config
        .providers
        .keys()
        .map(ProviderId::as_str)
        .collect();
    if known.is_empty() {
        return format!(
            "there is no provider {found} in the configuration: add a table [providers.{found}]"
        );
    }
    format!(
        "expected a provider of the configuration ({}), found {found}",
        known.join(", ")
    )
}

impl Serve for AnswerInbox {
    async fn serve(self, context: Context) -> Result<Inbox, ServeError> {
        let app = context.app()?;
        app.store.load_inbox(&self.inbox_id).await?;
        app.store
            .answer_standing(&self.inbox_id, self.answer, app.clock.now())
            .await?;
        app.bell.wake_inbox(&self.inbox_id);
        let inbox = app.store.load_inbox(&self.inbox_id).await?;
        view(&context, app, inbox).await
    }
}

async fn view(context: &Context, app: &App, inbox: StoredInbox) -> Result<Inbox, ServeError> {
    let waits = app.store.list_waits(Some(&inbox.id)).await?;
    let waits = waits.get(&inbox.id).copied().unwrap_or_default();
    let stall = find_stall(app, &inbox).await?;
    Ok(view_with(context, inbox, waits, stall.as_ref()))
}

/// What an inbox fails with; asked only where a failure is on record.
async fn find_stall(
    app: &App,
    inbox: &StoredInbox,
) -> Result<Option<(Failing, Stall)>, ServeError> {
    if !inbox.is_failing {
        return Ok(None);
    }
    Ok(app.store.find_stall(&inbox.id, app.clock.now()).await?)
}

fn view_with(
    context: &Context,
    inbox: StoredInbox,
    waits: Waits,
    stall: Option<&(Failing, Stall)>,
) -> Inbox {
    let Waits { held, unsettled } = waits;
    let connection = show(&inbox, stall);
    let refused = inbox.standing.show(context.now());
    let at_provider = at_provider(
        context.config(),
        &inbox.provider,
        &context.callback_address(&inbox.provider),
    );
    let signs_in_by = signs_in_by(&inbox);
    let StoredInbox {
        id,
        address,
        provider,
        smtp,
        imap,
        password_user,
        ..
    } = inbox;
    Inbox {
        id,
        user: password_user.filter(|user| user != address.as_str()),
        address,
        provider,
        smtp,
        imap,
        signs_in_by,
        connection,
        refused,
        held,
        unsettled,
        at_provider,
    }
}

/// What a person meets at a provider that is asked with this redirect URI.
fn at_provider(config: &Config, id: &ProviderId, redirect_uri: &str) -> Option<AtProvider> {
    let registered = config.providers.get(id)?.client.as_ref()?;
    let oauth = Provider::find(id)?.oauth.as_ref()?;
    let unverified = oauth.expects_unverified.filter(|_| registered.unverified);
    // "Admin consent on the Microsoft identity platform": below the issuer, with client, scopes and an address that
    // is registered.
    let admin_consent = oauth.admin_consent.and_then(|path| {
        let issuer = registered.issuer.as_str().trim_end_matches('/');
        let scopes = oauth.needed_scopes.join(" ");
        let parameters = [
            ("client_id", registered.id.as_str()),
            ("scope", scopes.as_str()),
            ("redirect_uri", redirect_uri),
        ];
        let page = Url::parse_with_params(&format!("{issuer}/{path}"), parameters).ok()?;
        Some(page.to_string())
    });
    Some(AtProvider {
        expects: unverified
            .unwrap_or(oauth.expects)
            .replace("{host}", registered.issuer.host_str().unwrap_or_default()),
        admin_consent,
    })
}

fn show(inbox: &StoredInbox, stall: Option<&(Failing, Stall)>) -> ConnectionView {
    let is_lost = matches!(inbox.connection, Connection::Disconnected { .. });
    if let Some((failing, stall)) = stall.filter(|_| !is_lost) {
        return ConnectionView {
            state: ConnectionState::Waiting,
            since: failing.since,
            cause: Some(classify(&failing.evidence)),
            card: Some(failing.words(*stall, &facts(inbox))),
            evidence: failing.evidence.server_words(),
        };
    }
    let since = inbox.connection.since();
    let (state, cause, evidence) = match &inbox.connection {
        Connection::Connected { .. } => (ConnectionState::Connected, None, None),
        Connection::Suspect { evidence, .. } => (ConnectionState::Checking, None, Some(evidence)),
        Connection::Disconnected {
            cause, evidence, ..
        } => (
            ConnectionState::Disconnected,
            Some(*cause),
            evidence.as_ref(),
        ),
    };
    ConnectionView {
        state,
        since,
        cause,
        card: cause.map(|cause| words_of(cause, inbox)),
        evidence: evidence.and_then(protocol::evidence::Evidence::server_words),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Environment;

    /// Row: unverified app | `unverified = true` in the provider's settings | said beforehand | the person | Google will ask you to choose the account, warn that it has not verified this app (choose Advanced, then Go to …), and ask you to allow access: four clicks.
    #[test]
    fn what_follows_at_the_provider_is_said_as_the_registration_is() {
        let configured = |id: &str, issuer: &str, more: &str| {
            let text = format!(
                "data = \"d\"\nkey_file = \"k\"\n[providers.{id}]\nissuer = \"{issuer}\"\nclient_id = \"c\"\n\
                 smtp.host = \"h\"\nimap.host = \"h\"\n{more}"
            );
            let config =
                Config::parse(&text, Path::new("test.toml"), &Environment::default()).unwrap();
            at_provider(&config, &ProviderId::new(id), "http://127.0.0.1:7411/back")
        };
        let google = |more| {
            configured("google", "https://accounts.google.com", more)
                .unwrap()
                .expects
        };
        assert!(!google("").contains("not verified"), "{}", google(""));
        let warned = google("unverified = true\n");
        assert!(warned.contains("not verified"), "{warned}");

        let issuer = "https://login.microsoftonline.com/tenant/v2.0";
        let microsoft = configured("microsoft", issuer, "unverified = true\n").unwrap();
        assert_eq!(
            microsoft.admin_consent.as_deref(),
            Some(
                "https://login.microsoftonline.com/tenant/v2.0/adminconsent?client_id=c\
                 &scope=https%3A%2F%2Foutlook.office.com%2FIMAP.AccessAsUser.All+https%3A%2F%2Foutlook.office.com%2FSMTP.Send\
                 &redirect_uri=http%3A%2F%2F127.0.0.1%3A7411%2Fback"
            )
        );
        // Nobody knows it by another name.
        let own = configured("openid", "https://id.acme.example/realms/mail", "").unwrap();
        let said = "id.acme.example will ask you to allow access.";
        assert_eq!(own.expects, said);
        // It makes no difference there.
        assert!(!microsoft.expects.contains("verified"));
        assert_eq!(configured("imap", "https://acme.example", ""), None);
    }
}

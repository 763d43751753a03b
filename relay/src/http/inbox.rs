//! Inboxes: adding one, and how each is shown.

use std::time::Duration;

use protocol::card::{Facts, Words};
use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::provider::{Provider, ProviderId};
use protocol::request::inbox::{
    ConnectionState, ConnectionView, CreateInbox, GetInbox, Inbox, Inboxes, ListInboxes, SignsInBy,
};

use super::{Context, Serve, ServeError};
use crate::app::App;
use crate::store::inbox::{Inbox as StoredInbox, NewInbox};

/// The longest pause between two messages: a day.
const GAP_AT_MOST: Duration = Duration::from_hours(24);

impl Serve for CreateInbox {
    async fn serve(self, context: Context) -> Result<Inbox, ServeError> {
        let app = context.app();
        let Some(provider) = app.config.providers.get(&self.provider) else {
            return Err(ServeError::invalid(
                "provider",
                unknown_provider(app, &self.provider),
            ));
        };
        let gap = Duration::from_millis(self.gap_ms.unwrap_or(0));
        if gap > GAP_AT_MOST {
            let detail = format!("expected at most {} milliseconds", GAP_AT_MOST.as_millis());
            return Err(ServeError::invalid("gap_ms", detail));
        }
        let new = NewInbox {
            address: self.address,
            provider: self.provider,
            smtp: self.smtp.unwrap_or_else(|| provider.smtp.clone()),
            imap: self.imap.unwrap_or_else(|| provider.imap.clone()),
            gap,
        };
        let now = app.clock.now();
        let connection = Connection::Disconnected {
            cause: Cause::NeverConnected,
            evidence: None,
            since: now,
        };
        let inbox = app.store.create_inbox(new, &connection, now).await?;
        app.workers.nudge_inbox(&inbox.id);
        view(app, inbox).await
    }
}

impl Serve for ListInboxes {
    async fn serve(self, context: Context) -> Result<Inboxes, ServeError> {
        Ok(Inboxes {
            inboxes: list(context.app()).await?,
        })
    }
}

impl Serve for GetInbox {
    async fn serve(self, context: Context) -> Result<Inbox, ServeError> {
        let inbox = context.app().store.load_inbox(&self.inbox_id).await?;
        view(context.app(), inbox).await
    }
}

/// Every inbox, by address.
pub(super) async fn list(app: &App) -> Result<Vec<Inbox>, ServeError> {
    let mut inboxes = Vec::new();
    for inbox in app.store.list_inboxes().await? {
        inboxes.push(view(app, inbox).await?);
    }
    Ok(inboxes)
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
    let provider =
        Provider::find(&inbox.provider).map_or(inbox.provider.as_str(), |provider| provider.name);
    cause.card().render(&Facts {
        inbox: inbox.address.as_str(),
        provider,
    })
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

async fn view(app: &App, inbox: StoredInbox) -> Result<Inbox, ServeError> {
    let (held, unsettled) = app.store.count_waiting(&inbox.id).await?;
    let connection = show(&inbox);
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
    Ok(Inbox {
        id,
        user: password_user.filter(|user| user != address.as_str()),
        address,
        provider,
        smtp,
        imap,
        signs_in_by,
        connection,
        held,
        unsettled,
    })
}

fn show(inbox: &StoredInbox) -> ConnectionView {
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
        evidence: evidence.map(protocol::evidence::Evidence::words),
    }
}

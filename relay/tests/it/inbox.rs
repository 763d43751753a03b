//! Inboxes on record, with no server behind them: for what the ledger alone decides.

#![cfg(test)]

use protocol::budget::Budget;
use protocol::connection::Connection;
use protocol::id::InboxId;
use protocol::inbox::{MailServer, TlsMode};
use protocol::provider::ProviderId;
use protocol::timestamp::Timestamp;
use relay::store::Store;
use relay::store::inbox::NewInbox;

/// An inbox of this provider, whose servers are at a port where nobody listens.
pub(crate) fn new_inbox(address: &str, provider: &str, budget: Budget) -> NewInbox {
    let server = MailServer {
        host: "127.0.0.1".to_owned(),
        port: 1,
        tls: TlsMode::Implicit,
    };
    NewInbox {
        address: address.parse().unwrap(),
        provider: ProviderId::new(provider),
        smtp: server.clone(),
        imap: server,
        budget,
    }
}

/// Puts it on record, connected and with all of it read.
pub(crate) async fn connect(store: &Store, new: NewInbox, now: Timestamp) -> InboxId {
    let connected = Connection::Connected {
        since: now,
        dismissed: None,
    };
    let inbox = store.create_inbox(new, &connected, now).await.unwrap().id;
    store.close_gap(&inbox, now).await.unwrap();
    inbox
}

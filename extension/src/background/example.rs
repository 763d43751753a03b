//! Jane's inbox and campaign, for the tests of the background's decisions.

use protocol::card::{Acts, Remedy, Words};
use protocol::id::{CampaignId, DeviceId, InboxId, ReconnectId};
use protocol::inbox::{MailServer, TlsMode};
use protocol::provider::ProviderId;
use protocol::reconnect::{Authorization, Exchange};
use protocol::request::campaign::{Campaign, Counts};
use protocol::request::inbox::{ConnectionState, ConnectionView, Inbox, SignsInBy};
use protocol::request::status::{Site, Status};
use protocol::sealed::OpeningKey;
use protocol::signed::VerifyingKey;
use protocol::timestamp::Timestamp;

use super::record::{Paired, Record};
use crate::flow::{State, Way};

pub(super) fn inbox(name: &str, state: ConnectionState, since: i64) -> Inbox {
    let server = |port| MailServer {
        host: "mail.acme.example".to_owned(),
        port,
        tls: TlsMode::Implicit,
    };
    let is_lost = state == ConnectionState::Disconnected;
    Inbox {
        id: InboxId::new(format!("inb_{name}")),
        address: format!("{name}@acme.example").parse().unwrap(),
        provider: ProviderId::new("sandbox"),
        smtp: server(465),
        imap: server(993),
        signs_in_by: SignsInBy::Oauth,
        user: None,
        connection: ConnectionView {
            state,
            since: Timestamp::from_ms(since * 1_000),
            cause: None,
            card: is_lost.then(|| Words {
                title: format!("{name}@acme.example is disconnected"),
                explanation: "The permission ended.".to_owned(),
                button: Some("Reconnect with the sandbox".to_owned()),
                acts: Acts::Person,
                remedy: Remedy::Reconnect,
            }),
            evidence: None,
        },
        refused: None,
        held: if is_lost { 25 } else { 0 },
        unsettled: 0,
        at_provider: None,
    }
}

pub(super) fn status(inboxes: Vec<Inbox>) -> Status {
    let campaign = Campaign {
        id: CampaignId::new("cmp_1"),
        name: "Spring".to_owned(),
        inboxes: inboxes.iter().map(|inbox| inbox.id.clone()).collect(),
        steps: Vec::new(),
        status: protocol::campaign::State::Running,
        counts: Counts::default(),
    };
    Status {
        version: "0.1.0".to_owned(),
        inboxes,
        campaigns: vec![campaign],
        sites: vec![Site {
            provider: ProviderId::new("sandbox"),
            name: "the sandbox".to_owned(),
            origin: "http://127.0.0.1:8025".to_owned(),
        }],
        renewals: Vec::new(),
    }
}

/// A browser that is paired, and knows Jane's inbox in this state.
pub(super) fn record(state: ConnectionState, since: i64) -> Record {
    let mut record = Record::default();
    record.kept.paired = Some(Paired {
        relay: "http://127.0.0.1:7411".to_owned(),
        key: VerifyingKey::from_bytes(&[3; 32]),
        sealing: OpeningKey::derive(&[3; 32]).public().clone(),
        device: DeviceId::new("dev_1"),
        is_renewed: false,
    });
    record.note_status(
        status(vec![inbox("jane", state, since)]),
        None,
        Timestamp::from_ms(since * 1_000),
    );
    record
}

/// A reconnect whose sign-in is to be done in another browser.
pub(super) fn waiting_elsewhere() -> State {
    State::AtProvider {
        reconnect: ReconnectId::new("rec_1"),
        way: Way::Elsewhere { is_made: true },
        authorization: Box::new(Authorization {
            authorization_endpoint: "https://id.acme.example/authorize".to_owned(),
            token_endpoint: "https://id.acme.example/token".to_owned(),
            issuer: "https://id.acme.example".to_owned(),
            names_issuer: true,
            client_id: "unpause".to_owned(),
            scopes: Vec::new(),
            login_hint: "jane@acme.example".to_owned(),
            visits: Vec::new(),
            exchange: Exchange::Public,
        }),
        deadline: Timestamp::from_ms(600_000),
    }
}

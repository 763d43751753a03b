//! An inbox, its campaigns and a receipt for the tests of this folder.

use protocol::campaign::{PausedBy, State};
use protocol::cause::Cause;
use protocol::delivery::Suppression;
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId, ReceiptId, ReconnectId};
use protocol::inbox::{MailServer, TlsMode};
use protocol::provider::ProviderId;
use protocol::receipt::{Fate, Line, Receipt};
use protocol::request::campaign::{Campaign, Counts};
use protocol::request::inbox::{AtProvider, ConnectionState, ConnectionView, Inbox, SignsInBy};
use protocol::timestamp::Timestamp;

pub(super) fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn now() -> Timestamp {
    instant("2026-11-23T09:30:00Z")
}

/// Jane's inbox at Google, lost at ten past nine.
pub(super) fn inbox(state: ConnectionState, held: u64) -> Inbox {
    let server = |host: &str, port| MailServer {
        host: host.to_owned(),
        port,
        tls: TlsMode::Implicit,
    };
    Inbox {
        id: InboxId::new("inb_1"),
        address: "jane@acme.example".parse().unwrap(),
        provider: ProviderId::new("google"),
        smtp: server("smtp.gmail.com", 465),
        imap: server("imap.gmail.com", 993),
        signs_in_by: SignsInBy::Oauth,
        user: None,
        connection: ConnectionView {
            state,
            since: instant("2026-11-23T09:10:00Z"),
            cause: (state == ConnectionState::Disconnected).then_some(Cause::PermissionEnded),
            card: None,
            evidence: (state == ConnectionState::Disconnected)
                .then(|| "400 invalid_grant: Token has been expired or revoked.".to_owned()),
        },
        refused: None,
        held,
        unsettled: 0,
        at_provider: Some(AtProvider {
            expects: "Google will ask you to choose the account and to allow access.".to_owned(),
            admin_consent: None,
        }),
    }
}

pub(super) fn campaign(id: &str, inbox: &str, status: State) -> Campaign {
    Campaign {
        id: CampaignId::new(id),
        name: format!("Campaign {id}"),
        inboxes: vec![InboxId::new(inbox)],
        steps: Vec::new(),
        status,
        counts: Counts::default(),
    }
}

pub(super) fn paused(since: &str) -> State {
    State::Paused {
        by: PausedBy::Cause {
            inbox: InboxId::new("inb_1"),
            cause: Cause::PermissionEnded,
        },
        since: instant(since),
    }
}

/// Three were held: two go out, one answered.
pub(super) fn receipt() -> Receipt {
    let line = |n: u32, fate| Line {
        delivery: DeliveryId::new(format!("dlv_{n}")),
        lead: LeadId::new(format!("lea_{n}")),
        step: 1,
        fate,
    };
    let shifted = |due_at| Fate::Shifted {
        was_due_at: instant("2026-11-23T09:15:00Z"),
        due_at: instant(due_at),
    };
    Receipt {
        id: ReceiptId::new("rcp_1"),
        reconnect: ReconnectId::new("rec_1"),
        inbox: InboxId::new("inb_1"),
        campaigns: vec![CampaignId::new("cmp_1"), CampaignId::new("cmp_2")],
        cause: Cause::PermissionEnded,
        lost_at: instant("2026-11-23T09:10:00Z"),
        resumed_at: now(),
        shifted_by_ms: 20 * 60 * 1_000,
        held: 3,
        to_send: 2,
        skipped: 1,
        in_doubt: 0,
        lines: vec![
            line(1, shifted("2026-11-23T15:00:00Z")),
            line(2, shifted("2026-11-23T14:05:00Z")),
            line(
                3,
                Fate::Skipped {
                    why: Suppression::Replied,
                },
            ),
        ],
    }
}

//! What a relay answers, for the tests.

use protocol::account::{AccountName, Role};
use protocol::alert::{Alert, What};
use protocol::campaign::{PausedBy, State, Step};
use protocol::card::Facts;
use protocol::cause::Cause;
use protocol::delivery::{State as DeliveryState, Suppression};
use protocol::id::{
    AccountId, CampaignId, DeliveryId, DeviceId, InboxId, KeyId, LeadId, ReceiptId, ReconnectId,
    RequestId, SessionId,
};
use protocol::inbox::{MailServer, TlsMode};
use protocol::key::Scope;
use protocol::provider::ProviderId;
use protocol::reading::Reading;
use protocol::receipt::{Fate, Line, Receipt};
use protocol::request::account::Account;
use protocol::request::alert::{Alerts, Channel, Listed, Telling};
use protocol::request::audit::{AuditEntry, Way};
use protocol::request::campaign::{Campaign, Counts};
use protocol::request::delivery::Delivery;
use protocol::request::device::{Device, Pairing};
use protocol::request::inbox::{ConnectionState, ConnectionView, Inbox, SignsInBy};
use protocol::request::key::ListedKey;
use protocol::request::session::ListedSession;
use protocol::request::status::Status;
use protocol::secret::Secret;
use protocol::telling::State as TellingState;
use protocol::timestamp::Timestamp;

pub(crate) fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    instant("2026-11-23T09:30:00Z")
}

/// Jane's inbox is lost and holds a campaign; two other inboxes work.
pub(crate) fn status() -> Status {
    let ended = Some(Cause::PermissionEnded);
    Status {
        version: "0.1.0".to_owned(),
        inboxes: vec![
            inbox("inb_2", "ann@acme.example", ConnectionState::Checking, None),
            inbox(
                "inb_1",
                "jane@acme.example",
                ConnectionState::Disconnected,
                ended,
            ),
            inbox("inb_3", "li@acme.example", ConnectionState::Connected, None),
        ],
        campaigns: vec![
            campaign("cmp_1", "Spring outreach", "inb_1", paused()),
            campaign("cmp_2", "Autumn news", "inb_3", State::Running),
            campaign("cmp_3", "Next year", "inb_3", State::Draft),
        ],
        sites: Vec::new(),
        renewals: Vec::new(),
    }
}

fn inbox(id: &str, address: &str, state: ConnectionState, cause: Option<Cause>) -> Inbox {
    let server = |host: &str, port| MailServer {
        host: host.to_owned(),
        port,
        tls: TlsMode::Implicit,
    };
    let facts = Facts {
        inbox: address,
        provider: "Google",
    };
    Inbox {
        id: InboxId::new(id),
        address: address.parse().unwrap(),
        provider: ProviderId::new("google"),
        smtp: server("smtp.gmail.com", 465),
        imap: server("imap.gmail.com", 993),
        signs_in_by: SignsInBy::Oauth,
        user: None,
        connection: ConnectionView {
            state,
            since: instant("2026-11-23T09:10:00Z"),
            cause,
            card: cause.map(|cause| cause.card().render(&facts)),
            evidence: cause.map(|_| "400 invalid_grant: Token has been revoked.".to_owned()),
        },
        refused: None,
        held: if cause.is_some() { 25 } else { 0 },
        unsettled: 0,
        at_provider: None,
    }
}

pub(crate) fn paused() -> State {
    State::Paused {
        by: PausedBy::Cause {
            inbox: InboxId::new("inb_1"),
            cause: Cause::PermissionEnded,
        },
        since: instant("2026-11-23T09:12:00Z"),
    }
}

pub(crate) fn steps() -> Vec<Step> {
    let step = |subject: &str, wait_ms| Step {
        subject: subject.to_owned(),
        body: "Hello {{first_name}}".to_owned(),
        wait_ms,
        ..Step::default()
    };
    vec![step("A word, {{first_name}}?", 0), step("", 3 * 86_400_000)]
}

fn campaign(id: &str, name: &str, inbox: &str, status: State) -> Campaign {
    Campaign {
        id: CampaignId::new(id),
        name: name.to_owned(),
        inboxes: vec![InboxId::new(inbox)],
        // The status leaves them out.
        steps: Vec::new(),
        status,
        counts: Counts {
            leads: 60,
            planned: 120,
            waiting: 80,
            accepted: 35,
            bounced: 1,
            suppressed: 3,
            unsettled: 1,
            ..Counts::default()
        },
    }
}

pub(crate) fn deliveries() -> Vec<Delivery> {
    let delivery = |n: u32, to: &str, status| Delivery {
        id: DeliveryId::new(format!("dlv_{n}")),
        lead: LeadId::new(format!("lea_{n}")),
        to: to.parse().unwrap(),
        step: 1,
        status,
        due_at: None,
        message_id: None,
        wire_id: None,
        attempts: 1,
        cause: None,
        no_evidence: None,
        words: None,
        alike: None,
    };
    let mut deliveries = vec![
        delivery(
            1,
            "bob@lead.example",
            DeliveryState::Accepted {
                at: instant("2026-11-23T08:40:00Z"),
            },
        ),
        delivery(
            2,
            "cem@lead.example",
            DeliveryState::Planned {
                due: Reading::from_ms(0),
            },
        ),
        delivery(
            3,
            "dot@lead.example",
            DeliveryState::Suppressed {
                why: Suppression::Replied,
            },
        ),
    ];
    deliveries[1].due_at = Some(instant("2026-11-23T11:00:00Z"));
    deliveries
}

pub(crate) fn unsettled() -> Vec<Delivery> {
    let mut deliveries = deliveries();
    deliveries.truncate(1);
    deliveries[0].id = DeliveryId::new("dlv_9");
    deliveries[0].to = "eve@lead.example".parse().unwrap();
    deliveries[0].status = DeliveryState::Unsettled {
        since: instant("2026-11-23T09:10:00Z"),
        due: Reading::from_ms(0),
    };
    deliveries
}

pub(crate) fn receipt() -> Receipt {
    let line = |n: u32, fate| Line {
        delivery: DeliveryId::new(format!("dlv_{n}")),
        lead: LeadId::new(format!("lea_{n}")),
        step: 1,
        fate,
    };
    Receipt {
        id: ReceiptId::new("rcp_1"),
        reconnect: ReconnectId::new("rec_1"),
        inbox: InboxId::new("inb_1"),
        campaigns: vec![CampaignId::new("cmp_1")],
        cause: Cause::PermissionEnded,
        lost_at: instant("2026-11-23T05:00:00Z"),
        resumed_at: instant("2026-11-23T09:10:00Z"),
        shifted_by_ms: 15_000_000,
        held: 2,
        to_send: 1,
        skipped: 1,
        in_doubt: 0,
        lines: vec![
            line(
                2,
                Fate::Shifted {
                    was_due_at: instant("2026-11-23T06:50:00Z"),
                    due_at: instant("2026-11-23T11:00:00Z"),
                },
            ),
            line(
                3,
                Fate::Skipped {
                    why: Suppression::Replied,
                },
            ),
        ],
    }
}

pub(crate) fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

/// The owner, and a client who sees one inbox.
pub(crate) fn accounts() -> Vec<Account> {
    let account = |id: &str, called: &str, role, has_password, inboxes| Account {
        id: AccountId::new(id),
        name: name(called),
        role,
        has_password,
        passkeys: u32::from(has_password),
        made_at: instant("2026-11-20T09:00:00Z"),
        inboxes,
    };
    vec![
        account("acc_1", "owner", Role::Owner, true, Vec::new()),
        account(
            "acc_2",
            "cleo@client.example",
            Role::Client,
            false,
            vec![InboxId::new("inb_1")],
        ),
    ]
}

pub(crate) fn devices() -> Vec<Device> {
    vec![Device {
        id: DeviceId::new("dev_1"),
        name: "Firefox on the laptop".to_owned(),
        origin: Some("moz-extension://0b1c2d3e-0000-4000-8000-000000000000".to_owned()),
        paired_at: instant("2026-11-22T17:40:00Z"),
        account: name("owner"),
        behind_until: None,
    }]
}

pub(crate) fn sessions() -> Vec<ListedSession> {
    let session = |id: &str, browser: &str, is_current| ListedSession {
        id: SessionId::new(id),
        made_at: instant("2026-11-22T17:40:00Z"),
        used_at: instant("2026-11-23T09:20:00Z"),
        ends_at: instant("2026-11-23T21:20:00Z"),
        peer: "127.0.0.1".to_owned(),
        browser: Some(browser.to_owned()),
        account: name("owner"),
        is_current,
    };
    vec![
        session("ses_1", "Firefox on the laptop", true),
        session("ses_2", "An old phone", false),
    ]
}

pub(crate) fn pairing() -> Pairing {
    Pairing {
        link: Secret::new("unpause://pair?relay=http%3A%2F%2F127.0.0.1%3A8025&code=c0de&key=k3y"),
        code: Secret::new("c0de"),
        expires_at: instant("2026-11-23T09:40:00Z"),
        fingerprint: "1a2b 3c4d 5e6f 7081 92a3 b4c5 d6e7 f809".to_owned(),
    }
}

/// A key that is used, and one that has ended.
pub(crate) fn keys() -> Vec<ListedKey> {
    let key = |id: &str, name: &str, ends_at: &str| ListedKey {
        id: KeyId::new(id),
        name: name.to_owned(),
        account: "jane@acme.example".parse().unwrap(),
        scopes: [Scope::Read, Scope::Suppressions].into(),
        made_at: instant("2026-11-01T08:00:00Z"),
        ends_at: instant(ends_at),
        used_at: Some(instant("2026-11-23T09:00:00Z")),
        used_from: Some("192.0.2.7".to_owned()),
    };
    vec![
        key("key_1", "Reports", "2027-01-30T08:00:00Z"),
        key("key_2", "Old script", "2026-11-20T08:00:00Z"),
    ]
}

/// A loss that one webhook has not taken yet, after an end that all were told.
pub(crate) fn alerts() -> Alerts {
    let telling = |channel: &str, status, words: Option<&str>| Telling {
        channel: channel.to_owned(),
        status,
        words: words.map(str::to_owned),
    };
    let listed = |what: What, at: &str, tellings| {
        let alert = Alert {
            key: Alert::key_of(&what, "cmp_1", instant(at)),
            at: instant(at),
            inbox: None,
            what,
        };
        Listed {
            title: alert.words().title,
            told_from: alert.at,
            alert,
            tellings,
        }
    };
    let told = |at: &str| TellingState::Told { at: instant(at) };
    let tried = TellingState::Pending {
        tries: 3,
        next_at: instant("2026-11-23T09:40:00Z"),
    };
    let given_up = TellingState::GivenUp {
        at: instant("2026-11-20T08:00:00Z"),
    };
    let (lost_at, ended_at) = ("2026-11-23T09:10:00Z", "2026-11-17T08:00:00Z");
    let lost = What::AnotherRelay {};
    let ended = What::Finished {
        campaign: CampaignId::new("cmp_1"),
        name: "Spring outreach".to_owned(),
        leads: 40,
        accepted: 80,
    };
    let channel = |name: &str, target: &str, waiting, given_up| Channel {
        name: name.to_owned(),
        target: target.to_owned(),
        off_since: None,
        off_words: None,
        waiting,
        given_up,
    };
    Alerts {
        alerts: vec![
            listed(
                lost,
                lost_at,
                vec![
                    telling("log", told(lost_at), Some("written")),
                    telling(
                        "webhook.ops",
                        tried,
                        Some("answered 500 Internal Server Error"),
                    ),
                ],
            ),
            listed(
                ended,
                ended_at,
                vec![
                    telling("log", told(ended_at), Some("written")),
                    telling("webhook.ops", given_up, Some("answered 404 Not Found")),
                ],
            ),
        ],
        channels: vec![
            channel("log", "the log of the relay", 0, 0),
            channel("webhook.ops", "https://hooks.acme.example (1a2b3c4d)", 1, 1),
        ],
    }
}

/// An account was made by its owner; somebody guessed; the relay ended while a campaign was started.
pub(crate) fn activity() -> Vec<AuditEntry> {
    let entry = |action: &str, way, account: Option<&str>, outcome: Option<&str>| AuditEntry {
        at: instant("2026-11-23T09:00:00Z"),
        action: action.to_owned(),
        way,
        by: None,
        account_id: account.map(|_| AccountId::new("acc_1")),
        account: account.map(|name| name.parse().unwrap()),
        peer: Some("192.0.2.7".to_owned()),
        browser: None,
        request_id: RequestId::new(format!("req_{action}")),
        fields: serde_json::Map::from_iter([
            ("name".to_owned(), "joe".into()),
            ("id".to_owned(), "acc_2".into()),
            ("inboxes".to_owned(), vec!["inb_1", "inb_9"].into()),
        ]),
        outcome: outcome.map(str::to_owned),
        times: 1,
        ended_at: None,
    };
    let jane = Some("jane@acme.example");
    vec![
        entry("createAccount", Way::Session, jane, Some("done")),
        AuditEntry {
            times: 12,
            ..entry("signIn", Way::Nobody, jane, Some("unauthenticated"))
        },
        AuditEntry {
            peer: None,
            ..entry("startCampaign", Way::Operator, None, None)
        },
    ]
}

//! Pages, inboxes and campaigns that the tables of the rules are written in.

use protocol::id::InboxId;
use protocol::request::campaign::Campaign;
use protocol::request::inbox::Inbox;
use protocol::request::status::Site;
use serde_json::{Value, json};

use crate::detect::{Known, Verdict, decide};
use crate::message::{Candidate, Page};

pub(super) const NOTHING: Verdict = Verdict::Nothing;
pub(super) const WATCH: Verdict = Verdict::Watch;

pub(super) const JANE_LOST: In = In("jane", "disconnected", "2026-11-23T09:12:00Z");
pub(super) const JANE_WELL: In = In("jane", "connected", "2026-11-23T09:12:00Z");
pub(super) const JOHN_WELL: In = In("john", "connected", "2026-11-20T08:00:00Z");
pub(super) const JOHN_LOST_BEFORE: In = In("john", "disconnected", "2026-11-22T08:00:00Z");

pub(super) const AUTUMN_PAUSED: Of = Of("autumn", "Autumn outreach", "jane", "cause");
pub(super) const AUTUMN_PAUSED_BY_PERSON: Of = Of("autumn", "Autumn outreach", "jane", "person");
pub(super) const SPRING_RUNNING: Of = Of("spring", "Spring outreach", "john", "running");

/// An inbox: name, connection, since when.
#[derive(Clone, Copy)]
pub(super) struct In(&'static str, &'static str, &'static str);

/// A campaign: id, name, its inbox, who paused it if anybody.
#[derive(Clone, Copy)]
pub(super) struct Of(&'static str, &'static str, &'static str, &'static str);

pub(super) fn check(page: &Seen, known: &Known, expected: &Verdict) {
    assert_eq!(&decide(&page.0, known), expected, "{:#?}", page.0);
}

pub(super) fn show(inbox: &str, beside: Option<usize>) -> Verdict {
    Verdict::Show {
        inbox: InboxId::new(inbox),
        beside,
    }
}

pub(super) fn known_with(inboxes: &[In], campaigns: &[Of]) -> Known {
    Known {
        relay_origin: "https://relay.acme.example".to_owned(),
        inboxes: inboxes.iter().map(In::inbox).collect(),
        campaigns: campaigns.iter().map(Of::campaign).collect(),
        sites: vec![Site {
            provider: protocol::provider::ProviderId::new("openid"),
            name: "Provider".to_owned(),
            origin: "https://mail.provider.example".to_owned(),
        }],
    }
}

impl In {
    fn inbox(&self) -> Inbox {
        let server = json!({ "host": "mail.provider.example", "port": 993 });
        read(json!({
            "id": format!("inb_{}", self.0),
            "address": format!("{}@acme.example", self.0),
            "provider": "openid",
            "smtp": server,
            "imap": server,
            "connection": { "state": self.1, "since": self.2 },
            "held": 25,
            "unsettled": 0,
        }))
    }
}

impl Of {
    fn campaign(&self) -> Campaign {
        let since = "2026-11-23T09:12:00Z";
        let inbox = format!("inb_{}", self.2);
        let status = match self.3 {
            "running" => json!({ "state": "running" }),
            "person" => json!({ "state": "paused", "by": { "by": "person" }, "since": since }),
            _ => json!({
                "state": "paused",
                "by": { "by": "cause", "inbox": inbox, "cause": "permission_ended" },
                "since": since,
            }),
        };
        let counts: serde_json::Map<String, Value> = [
            "leads",
            "planned",
            "waiting",
            "attempting",
            "accepted",
            "bounced",
            "rejected",
            "in_doubt",
            "unsettled",
            "suppressed",
            "cancelled",
        ]
        .into_iter()
        .map(|name| (name.to_owned(), json!(0)))
        .collect();
        read(json!({
            "id": format!("cmp_{}", self.0),
            "name": self.1,
            "inboxes": [inbox],
            "steps": [],
            "status": status,
            "counts": counts,
        }))
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// What the eyes say of a page.
pub(super) struct Seen(Page);

pub(super) fn page(url: &str) -> Seen {
    Seen(Page {
        url: url.to_owned(),
        ..Page::default()
    })
}

impl Seen {
    pub(super) fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.0.title);
        self
    }

    pub(super) fn account(mut self, address: &str) -> Self {
        self.0.accounts.push(address.to_owned());
        self
    }

    pub(super) fn heading(self, words: &str) -> Self {
        self.candidate("heading", words)
    }

    pub(super) fn banner(self, words: &str) -> Self {
        self.candidate("alert", words)
    }

    fn candidate(mut self, role: &str, words: &str) -> Self {
        self.0.candidates.push(Candidate {
            role: role.to_owned(),
            words: words.to_owned(),
            buttons: Vec::new(),
        });
        self
    }
}

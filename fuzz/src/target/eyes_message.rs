//! What the eyes say of a page, and what is decided of it: always something, always the same, and never more than
//! the relay confirms.

use std::sync::LazyLock;

use extension::detect::{Known, Verdict, decide};
use extension::message::{NotSeen, SEEN_AT_MOST_BYTES, Seen};
use protocol::request::inbox::ConnectionState;
use protocol::request::status::Status;
use serde_json::json;

use crate::cost;

/// The relay's origin in the corpus.
const RELAY: &str = "https://relay.acme.example";

/// What the relay may have said: nothing, that all is well, and that Jane's inbox is lost.
static KNOWN: LazyLock<[Known; 3]> =
    LazyLock::new(|| [Known::default(), known("connected"), known("disconnected")]);

pub(super) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let parsed = cost::bounded(bytes, 16 * 1024, 64, || Seen::parse(text));
    let is_long = text.len() > SEEN_AT_MOST_BYTES;
    assert_eq!(matches!(parsed, Err(NotSeen::TooLong { .. })), is_long);
    let Ok(seen) = parsed else {
        return;
    };
    let Seen::Page(page) = &seen else {
        return;
    };
    let rendered = serde_json::to_string(&seen).unwrap_or_default();
    assert_eq!(Seen::parse(&rendered), Ok(seen.clone()));
    for known in KNOWN.iter() {
        let verdict = cost::bounded(bytes, 64 * 1024, 2048, || decide(page, known));
        assert_eq!(
            decide(page, known),
            verdict,
            "the same page is judged in two ways"
        );
        let Verdict::Show { inbox, beside } = &verdict else {
            continue;
        };
        let meant = known.inboxes.iter().find(|one| &one.id == inbox);
        assert!(
            meant.is_some_and(|inbox| inbox.connection.state == ConnectionState::Disconnected),
            "{inbox} is shown and is not lost"
        );
        assert!(
            beside.is_none_or(|idx| idx < page.candidates.len()),
            "{beside:?}"
        );
        // Spaces around an address, and tabs and line ends in it, mean nothing (WHATWG URL).
        let solid: String = page
            .url
            .split(|c: char| c.is_control() || c == ' ')
            .collect();
        let solid = solid.to_ascii_lowercase();
        assert!(
            solid.starts_with("https:") || solid.starts_with("http:"),
            "{solid}"
        );
    }
}

/// Two inboxes and a campaign of each, Jane's in this state.
fn known(state: &str) -> Known {
    let server = json!({ "host": "mail.acme.example", "port": 993 });
    let inbox = |name: &str, state: &str| {
        json!({
            "id": format!("inb_{name}"),
            "address": format!("{name}@acme.example"),
            "provider": "openid",
            "smtp": server,
            "imap": server,
            "connection": { "state": state, "since": "2026-11-23T09:12:00Z" },
            "held": 0,
            "unsettled": 0,
        })
    };
    let campaign = |id: &str, name: &str, inbox: &str| {
        json!({
            "id": format!("cmp_{id}"),
            "name": name,
            "inboxes": [format!("inb_{inbox}")],
            "steps": [],
            "status": { "state": "running" },
            "counts": {
                "leads": 0, "planned": 0, "waiting": 0, "attempting": 0, "accepted": 0, "bounced": 0,
                "rejected": 0, "in_doubt": 0, "unsettled": 0, "suppressed": 0, "cancelled": 0,
            },
        })
    };
    let status = json!({
        "version": "0.1.0",
        "inboxes": [inbox("jane", state), inbox("john", "connected")],
        "campaigns": [
            campaign("autumn", "Autumn outreach", "jane"),
            campaign("spring", "Spring outreach", "john"),
        ],
        "sites": [{ "provider": "openid", "name": "Provider", "origin": "https://mail.provider.example" }],
    });
    let status: Result<Status, _> = serde_json::from_value(status);
    match status {
        Ok(status) => Known {
            relay_origin: RELAY.to_owned(),
            inboxes: status.inboxes,
            campaigns: status.campaigns,
            sites: status.sites,
        },
        Err(error) => unreachable!("the relay would not say this: {error}"),
    }
}

//! Messages as they go over a port and come back.

use protocol::id::InboxId;
use protocol::timestamp::Timestamp;
use web::card::{Broken, Card, Face, Held, PasswordForm};

use super::*;
use crate::message::{Ask, Relay, Snapshot, View};

fn snapshot() -> Snapshot {
    let at = Timestamp::from_ms(1_795_812_600_213);
    Snapshot {
        relay: Relay::Gone {
            url: "https://relay.example".to_owned(),
            fingerprint: "ää 12".to_owned(),
            last_at: Some(at),
            is_other: true,
        },
        cards: vec![Card {
            inbox: InboxId::new("inb_1"),
            address: "jane@acme.example".to_owned(),
            face: Face::Broken(Box::new(Broken {
                title: "jane@acme.example is disconnected".to_owned(),
                explanation: "…".to_owned(),
                since: at,
                held: Some(Held {
                    campaigns: 1,
                    messages: u64::MAX,
                    since: Timestamp::from_ms(-1),
                }),
                expects: None,
                button: None,
                remedy: protocol::card::Remedy::NewAppPassword,
                password: Some(PasswordForm {
                    label: "Password".to_owned(),
                    user: "jane".to_owned(),
                    is_user_the_address: false,
                    page: None,
                    servers: Vec::new(),
                }),
                other_way: true,
                evidence: Some("535".to_owned()),
                admin_consent: None,
                is_refusal: false,
            })),
        }],
        working: Vec::new(),
        well: "All is well.".to_owned(),
        sites: Vec::new(),
        pairing_problem: None,
        redirects: vec![String::new()],
    }
}

#[test]
fn what_is_written_is_read() {
    let snapshot = snapshot();
    let text = write(&snapshot).unwrap();
    assert_eq!(read::<Snapshot>(text.expose()).unwrap(), snapshot);
    for ask in [
        Ask::Open {
            view: View::Prompt {
                nonce: "n".to_owned(),
            },
        },
        Ask::GivePassword {
            inbox: InboxId::new("inb_1"),
            user: "jane".to_owned(),
            password: Secret::new(" pässword "),
        },
        Ask::Look,
    ] {
        let text = write(&ask).unwrap();
        assert_eq!(read::<Ask>(text.expose()).unwrap(), ask);
    }
}

#[test]
fn what_is_cut_off_or_goes_on_or_is_no_byte_is_no_message() {
    let whole = write(&snapshot()).unwrap();
    let whole = whole.expose();
    for (end, _) in whole.char_indices() {
        assert_eq!(read::<Snapshot>(&whole[..end]), None, "{end}");
    }
    assert_eq!(read::<Snapshot>(&format!("{whole}\0")), None);
    assert_eq!(read::<Ask>("\u{2190}"), None);
    assert_eq!(read::<Ask>("{\"look\":null}"), None);
    assert_eq!(read::<Ask>(""), None);
}

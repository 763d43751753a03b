//! The words of every view in every state, rendered to text.

use std::rc::Rc;

use protocol::card::Remedy;
use protocol::id::InboxId;
use protocol::timestamp::Timestamp;
use web::card::{Act, Broken, Card, Face, Held, Line, LineState};
use yew::{BaseComponent, LocalServerRenderer};

use super::ask_of;
use super::options::{self, OptionsView};
use super::popup::{self, PopupView};
use super::prompt::guard::Ignored;
use super::prompt::{self, PromptView};
use crate::message::{Ask, Quiet, Relay, Site, Snapshot};
use crate::origin::Origin;

const NUMBER: &str = "1A2B 3C4D 5E6F 7081 92A3 B4C5 D6E7 F809";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-23T14:05:00Z")
}

fn url() -> String {
    "https://relay.acme.example".to_owned()
}

fn here() -> Relay {
    Relay::Here {
        url: url(),
        fingerprint: NUMBER.to_owned(),
    }
}

fn snapshot(relay: Relay) -> Snapshot {
    Snapshot {
        relay,
        cards: Vec::new(),
        working: Vec::new(),
        well: String::new(),
        sites: Vec::new(),
        pairing_problem: None,
        redirects: Vec::new(),
    }
}

fn lost() -> Card {
    Card {
        inbox: InboxId::new("inb_jane"),
        address: "jane@acme.example".to_owned(),
        face: Face::Broken(Box::new(Broken {
            title: "jane@acme.example is disconnected".to_owned(),
            explanation: "Google ended the permission when the password changed.".to_owned(),
            since: at("2026-11-23T09:12:00Z"),
            held: Some(Held {
                campaigns: 2,
                messages: 25,
                since: at("2026-11-23T09:12:00Z"),
            }),
            expects: Some("Google asks you to allow it once more.".to_owned()),
            button: Some("Reconnect with Google".to_owned()),
            remedy: Remedy::Reconnect,
            password: None,
            other_way: false,
            evidence: Some("535 5.7.8 Username and Password not accepted.".to_owned()),
            admin_consent: None,
            is_refusal: false,
        })),
    }
}

fn under_way() -> Card {
    let line = |state, text: &str| Line {
        state,
        text: text.to_owned(),
        server: None,
    };
    Card {
        inbox: InboxId::new("inb_john"),
        address: "john@acme.example".to_owned(),
        face: Face::Working {
            lines: vec![
                line(LineState::Done, "Signed in"),
                line(LineState::Now, "Sending works?"),
                line(LineState::Next, "Resume 2 campaigns"),
            ],
            hint: None,
            link: None,
            can_cancel: true,
        },
    }
}

fn quiet(address: &str, doing: &str) -> Quiet {
    Quiet {
        address: address.to_owned(),
        doing: doing.to_owned(),
    }
}

/// The text of a view, without what is only for the browser.
async fn render<V: BaseComponent>(props: V::Properties) -> String {
    let html = LocalServerRenderer::<V>::with_props(props)
        .hydratable(false)
        .render()
        .await;
    assert!(
        !html.contains("style="),
        "the policy forbids inline styles: {html}"
    );
    html
}

async fn popup(snapshot: Snapshot, offer: Option<&str>) -> String {
    render::<PopupView>(popup::Props {
        only: None,
        snapshot: Some(Rc::new(snapshot)),
        is_silent: false,
        offer: offer.map(|origin| Origin::parse(origin).unwrap()),
        on_ask: yew::Callback::noop(),
        on_allow: yew::Callback::noop(),
        on_options: yew::Callback::noop(),
        now: now(),
    })
    .await
}

async fn options(snapshot: Snapshot) -> String {
    render::<OptionsView>(options::Props {
        snapshot: Some(Rc::new(snapshot)),
        is_silent: false,
        refused: None,
        browser: "Chrome on Linux".to_owned(),
        on_ask: yew::Callback::noop(),
        on_site: yew::Callback::noop(),
        now: now(),
    })
    .await
}

async fn prompt(card: Option<Card>, ignored: Option<Ignored>) -> String {
    render::<PromptView>(prompt::Props {
        card,
        ignored,
        on_act: yew::Callback::noop(),
        frame: yew::NodeRef::default(),
        content: yew::NodeRef::default(),
        now: now(),
    })
    .await
}

/// Checks that the words stand in the page, in this order.
fn check(html: &str, words: &[&str]) {
    let mut rest = html;
    for word in words {
        let (_, after) = rest
            .split_once(word)
            .unwrap_or_else(|| panic!("{word:?} is missing, or not in its place: {html}"));
        rest = after;
    }
}

#[tokio::test]
async fn the_popup_shows_what_needs_attention_before_what_works() {
    let html = popup(
        Snapshot {
            cards: vec![lost(), under_way()],
            working: vec![
                quiet("mary@acme.example", "2 campaigns"),
                quiet("paul@acme.example", "waiting"),
            ],
            ..snapshot(here())
        },
        None,
    )
    .await;
    check(
        &html,
        &[
            "jane@acme.example is disconnected",
            "Reconnect with Google",
            "john@acme.example",
            "Inboxes",
            "mary@acme.example",
            "2 campaigns",
            "paul@acme.example",
            "waiting",
            "relay.acme.example",
            "Options",
        ],
    );
    assert!(!html.contains("are connected."), "not all is well: {html}");
}

/// A page around the prompt is shown nothing with which somebody could sign in.
#[tokio::test]
async fn a_link_for_another_browser_is_made_on_pages_of_our_own() {
    let lost_alone = Snapshot {
        cards: vec![lost()],
        ..snapshot(here())
    };
    let html = popup(lost_alone, None).await;
    check(&html, &["Not signed in here?", "Make a link"]);
    let html = prompt(Some(lost()), None).await;
    assert!(!html.contains("Not signed in here?"), "{html}");
    let asked = ask_of(InboxId::new("inb_jane"), &Act::MakeLink);
    let expected = Ask::MakeLink {
        inbox: InboxId::new("inb_jane"),
    };
    assert_eq!(asked, Some(expected));
}

#[tokio::test]
async fn the_popup_says_in_one_line_that_all_is_well() {
    let html = popup(
        Snapshot {
            working: vec![
                quiet("jane@acme.example", "1 campaign"),
                quiet("john@acme.example", "3 campaigns"),
            ],
            well: "All 2 inboxes are connected. 3 campaigns are sending.".to_owned(),
            ..snapshot(here())
        },
        None,
    )
    .await;
    check(
        &html,
        &[
            "All 2 inboxes are connected. 3 campaigns are sending.",
            "1 campaign<",
            "3 campaigns<",
        ],
    );
    let one = Snapshot {
        working: vec![quiet("jane@acme.example", "")],
        well: "Your inbox is connected. No campaign is sending.".to_owned(),
        ..snapshot(here())
    };
    check(
        &popup(one, None).await,
        &["Your inbox is connected. No campaign is sending."],
    );
    check(
        &popup(snapshot(here()), None).await,
        &["No inbox yet", "unpause inbox add"],
    );
}

#[tokio::test]
async fn the_popup_has_a_way_out_of_every_state_of_the_relay() {
    check(
        &popup(snapshot(Relay::NotPaired), None).await,
        &["Pair with a relay", "Not paired"],
    );
    let revoked = snapshot(Relay::Revoked { url: url() });
    check(
        &popup(revoked, None).await,
        &[
            "relay.acme.example does not know this browser any more",
            "Pair again",
        ],
    );
    let gone = Snapshot {
        cards: vec![lost()],
        ..snapshot(Relay::Gone {
            url: url(),
            fingerprint: NUMBER.to_owned(),
            last_at: Some(at("2026-11-23T13:53:00Z")),
            is_other: false,
        })
    };
    check(
        &popup(gone, None).await,
        &[
            "relay.acme.example does not answer.",
            "12 min ago",
            "this browser may refuse its certificate",
            "Try again",
            "is disconnected",
        ],
    );
    let asking = snapshot(Relay::Asking {
        url: url(),
        fingerprint: NUMBER.to_owned(),
    });
    check(&popup(asking, None).await, &["Asking relay.acme.example"]);
}

#[tokio::test]
async fn the_popup_offers_the_site_in_front_once_it_is_paired() {
    let offered = "https://crm.example/deals";
    check(
        &popup(snapshot(here()), Some(offered)).await,
        &["Show Unpause on crm.example"],
    );
    let unpaired = popup(snapshot(Relay::NotPaired), Some(offered)).await;
    assert!(!unpaired.contains("crm.example"), "{unpaired}");
}

#[tokio::test]
async fn a_window_for_one_inbox_shows_its_card_alone() {
    let props = |only: Option<&str>| popup::Props {
        only: only.map(InboxId::new),
        snapshot: Some(Rc::new(Snapshot {
            cards: vec![lost(), under_way()],
            working: vec![quiet("ada@acme.example", "1 campaign")],
            ..snapshot(here())
        })),
        is_silent: false,
        offer: None,
        on_ask: yew::Callback::noop(),
        on_allow: yew::Callback::noop(),
        on_options: yew::Callback::noop(),
        now: now(),
    };
    let one = render::<PopupView>(props(Some("inb_jane"))).await;
    assert!(one.contains("jane@acme.example"), "{one}");
    for other in ["john@acme.example", "ada@acme.example", "No inbox yet"] {
        assert!(!one.contains(other), "{other} in {one}");
    }
    // One that nothing is to be said of leaves what the popup shows.
    let rest = render::<PopupView>(props(Some("inb_gone"))).await;
    assert_eq!(rest, render::<PopupView>(props(None)).await);
}

#[tokio::test]
async fn a_background_that_does_not_answer_is_said_and_not_spun_on() {
    let html = render::<PopupView>(popup::Props {
        only: None,
        snapshot: None,
        is_silent: true,
        offer: None,
        on_ask: yew::Callback::noop(),
        on_allow: yew::Callback::noop(),
        on_options: yew::Callback::noop(),
        now: now(),
    })
    .await;
    check(&html, &["does not answer yet", "restart the browser"]);
}

#[tokio::test]
async fn the_first_page_says_what_will_happen_and_takes_the_link() {
    let html = options(Snapshot {
        pairing_problem: Some("This link was used already. Make a new one.".to_owned()),
        ..snapshot(Relay::NotPaired)
    })
    .await;
    check(
        &html,
        &[
            "Pair</b>",
            "Choose sites</b>",
            "That is all</b>",
            "Pairing link",
            "role=\"alert\"",
            "This link was used already.",
            "value=\"Chrome on Linux\"",
            "Pair this browser",
            "What is stored",
            "For a tab in which a card was shown: the name of the site",
        ],
    );
    assert!(
        !html.contains("Redirect addresses"),
        "nothing to redirect to yet: {html}"
    );
}

#[tokio::test]
async fn the_options_show_the_number_to_compare_the_sites_and_the_addresses() {
    let site = |name: &str, origin: &str, allowed| Site {
        name: name.to_owned(),
        origin: origin.to_owned(),
        allowed,
        suggested: true,
    };
    let html = options(Snapshot {
        sites: vec![
            site("Your dashboard", "http://127.0.0.1:8787", true),
            site("Sandbox", "http://127.0.0.1:8790", true),
            site("Gmail", "https://mail.google.com", false),
        ],
        redirects: vec![
            "https://nnaomeocfpblkcabnbnljebpfnedgmgh.chromiumapp.org/oauth/google".to_owned(),
        ],
        ..snapshot(here())
    })
    .await;
    check(
        &html,
        &[
            "relay.acme.example",
            "<span>1A2B</span><span>3C4D</span>",
            "The relay shows the same number",
            "Unpair …",
            "Your dashboard",
            "these go together",
            "aria-checked=\"true\"",
            "Gmail",
            "aria-checked=\"false\"",
            "Allow this site",
            "chromiumapp.org/oauth/google",
            "Copy",
        ],
    );
    assert_eq!(html.matches("these go together").count(), 2, "{html}");
}

#[tokio::test]
async fn the_options_of_a_revoked_device_take_a_fresh_link() {
    let html = options(snapshot(Relay::Revoked { url: url() })).await;
    check(
        &html,
        &[
            "does not know this browser any more",
            "Pairing link",
            "Pair this browser",
        ],
    );
}

#[tokio::test]
async fn the_prompt_is_the_card_alone_and_says_why_a_press_did_not_count() {
    let html = prompt(Some(lost()), None).await;
    check(
        &html,
        &[
            "jane@acme.example is disconnected",
            "25 messages are held",
            "Reconnect with Google",
            "Not now",
        ],
    );
    let covered = prompt(Some(lost()), Some(Ignored::Covered)).await;
    check(
        &covered,
        &[
            "role=\"status\"",
            "This card was covered. Open Unpause from the toolbar.",
        ],
    );
    let empty = prompt(None, None).await;
    assert!(
        !empty.contains("acme"),
        "without its number the prompt shows nothing: {empty}"
    );
}

//! Every face of a card as text: its words, its buttons, its roles; and nothing that a strict policy refuses.

use protocol::card::{Facts, Remedy};
use protocol::cause::Cause;
use protocol::reconnect::Stage;
use protocol::request::inbox::ConnectionState;
use yew::{Callback, ServerRenderer};

use super::super::examples::{campaign, inbox, now, paused, receipt};
use super::super::{Face, Progress, Stopped, draw};
use super::{CardView, Props};

async fn render(state: ConnectionState, progress: Option<Progress>, can_dismiss: bool) -> String {
    let campaigns = [campaign("cmp_1", "inb_1", paused("2026-11-23T09:12:00Z"))];
    let card = draw(&inbox(state, 25), &campaigns, progress.as_ref());
    let props = move || Props {
        card,
        on_act: Callback::noop(),
        can_dismiss,
        types_elsewhere: false,
        now: now(),
    };
    let html = ServerRenderer::<CardView>::with_props(props)
        .hydratable(false)
        .render()
        .await;
    for refused in ["style=", "<style", "<script", "onclick="] {
        assert!(!html.contains(refused), "{refused} in {html}");
    }
    assert!(html.contains("aria-labelledby=\"card-inb_1\""), "{html}");
    assert!(
        html.contains("role=\"status\" aria-live=\"polite\""),
        "{html}"
    );
    html
}

/// The words of a page, one space between them.
fn words(html: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for letter in html.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => is_tag = false,
            letter if !is_tag => text.push(letter),
            _ => {}
        }
    }
    text
}

fn button(html: &str, label: &str) -> bool {
    html.split("<button").skip(1).any(|button| {
        let end = button.find("</button>").unwrap();
        words(&format!("<{}", &button[..end])).ends_with(label)
    })
}

#[tokio::test]
async fn a_broken_card_says_what_who_and_what_is_safe() {
    let html = render(ConnectionState::Disconnected, None, true).await;
    let text = words(&html);
    for expected in [
        "jane@acme.example is disconnected",
        "Google ended the permission",
        "1 campaign has waited since 09:12; 25 messages are held, none is lost.",
        "Google will ask you to choose the account",
        "What the server said",
        "invalid_grant",
    ] {
        assert!(text.contains(expected), "{expected:?} in {text}");
    }
    assert!(button(&html, "Reconnect with Google"), "{html}");
    assert!(button(&html, "Not now"), "{html}");
    assert!(
        html.contains("title=\"Monday 23 November 2026, 09:12\""),
        "{html}"
    );
    assert!(!button(&html, "Use a tab instead"), "{html}");

    let html = render(ConnectionState::Disconnected, None, false).await;
    assert!(!button(&html, "Not now"), "{html}");
}

#[tokio::test]
async fn a_closed_window_leaves_the_tab_as_another_way() {
    let stopped = Progress::Stopped(Stopped::WindowClosed);
    let html = render(ConnectionState::Disconnected, Some(stopped), false).await;
    assert!(button(&html, "Reconnect with Google"), "{html}");
    assert!(button(&html, "Use a tab instead"), "{html}");
    assert!(words(&html).contains("jane@acme.example"), "{html}");
}

#[tokio::test]
async fn the_operator_is_told_and_the_way_on_stands_beside() {
    let words_of = Cause::AppMisconfigured.card().render(&Facts {
        inbox: "jane@acme.example",
        provider: "Google",
    });
    let progress = Progress::Refused {
        words: words_of,
        evidence: Some("401 invalid_client".to_owned()),
    };
    let html = render(ConnectionState::Disconnected, Some(progress.clone()), false).await;
    assert!(button(&html, "Copy the report for the operator"), "{html}");
    assert!(button(&html, "It is corrected: reconnect"), "{html}");

    let card = draw(
        &inbox(ConnectionState::Disconnected, 0),
        &[],
        Some(&progress),
    );
    let Face::Broken(broken) = &card.face else {
        panic!("not broken");
    };
    assert_eq!(broken.remedy, Remedy::TellOperator);
    assert_eq!(
        super::sentence::report(&card, broken),
        "Unpause: The relay's registration with Google is refused\n\
         Inbox: jane@acme.example\n\
         Since: 2026-11-23T09:10:00.000Z\n\
         Google does not accept what the relay sends: its client id, secret, redirect address or the form of its request. Whoever runs the relay must correct it; signing in again would not help.\n\
         The server said:\n401 invalid_client\n"
    );
}

#[tokio::test]
async fn a_working_card_shows_each_line_with_its_state_in_words() {
    let stage = Some(Stage::Refreshed);
    let html = render(
        ConnectionState::Disconnected,
        Some(Progress::Proving { stage }),
        false,
    )
    .await;
    let text = words(&html);
    for expected in [
        "Reconnecting jane@acme.example",
        "Done: Signed in as jane@acme.example",
        "Done: Permission renewed and tested",
        "Now: Sending works?smtp.gmail.com",
        "To come: Resume 1 campaign",
    ] {
        assert!(text.contains(expected), "{expected:?} in {text}");
    }
    assert!(!button(&html, "Cancel"), "too late to cancel: {html}");

    let html = render(
        ConnectionState::Disconnected,
        Some(Progress::AtProvider { in_tab: false }),
        false,
    )
    .await;
    assert!(
        words(&html).contains("Finish in the window of Google."),
        "{html}"
    );
    assert!(button(&html, "Cancel"), "{html}");
}

#[tokio::test]
async fn a_done_card_proves_it_by_the_receipt() {
    let receipt = Some(Box::new(receipt()));
    let html = render(
        ConnectionState::Connected,
        Some(Progress::Resumed { receipt }),
        false,
    )
    .await;
    let text = words(&html);
    for expected in [
        "Resumed.",
        "jane@acme.example",
        "Next message today at 14:05.",
        "3 were held: 2 will be sent, 1 was answered or bounced meanwhile.",
        "Waits were moved by 20 minutes.",
    ] {
        assert!(text.contains(expected), "{expected:?} in {text}");
    }
    assert!(button(&html, "See the receipt"), "{html}");
    assert!(button(&html, "Close"), "{html}");
}

#[tokio::test]
async fn a_quiet_card_asks_for_nothing() {
    let html = render(ConnectionState::Connected, None, false).await;
    assert!(
        words(&html).contains("jane@acme.example is connected"),
        "{html}"
    );
    assert!(!html.contains("<button"), "{html}");
    let html = render(ConnectionState::Checking, None, false).await;
    assert!(
        words(&html).contains("jane@acme.example is being checked"),
        "{html}"
    );
    assert!(!html.contains("<button"), "{html}");
}

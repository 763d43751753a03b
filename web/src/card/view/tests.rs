//! Every face of a card as text: its words, its buttons, its roles; and nothing that a strict policy refuses.

use protocol::card::{Facts, Remedy};
use protocol::cause::Cause;
use protocol::reconnect::{GivenSignIn, Question, Stage};
use protocol::request::inbox::{AtProvider, ConnectionState};
use protocol::secret::Secret;
use yew::{Callback, ServerRenderer};

use super::super::examples::{campaign, inbox, now, paused, receipt};
use super::super::{Card, Face, Progress, Stopped, draw};
use super::{CardView, Props};

async fn render(state: ConnectionState, progress: Option<Progress>, can_dismiss: bool) -> String {
    let campaigns = [campaign("cmp_1", "inb_1", paused("2026-11-23T09:12:00Z"))];
    show_with(
        draw(&inbox(state, 25), &campaigns, progress.as_ref()),
        can_dismiss,
    )
    .await
}

async fn show(card: Card) -> String {
    show_with(card, false).await
}

async fn show_with(card: Card, can_dismiss: bool) -> String {
    show_as(card, can_dismiss, false).await
}

async fn show_as(card: Card, can_dismiss: bool, can_link: bool) -> String {
    let props = move || Props {
        card,
        on_act: Callback::noop(),
        can_dismiss,
        can_link,
        decides_elsewhere: false,
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
async fn the_operator_is_told_and_no_sign_in_is_offered_that_cannot_help() {
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
    assert!(button(&html, "Close"), "{html}");
    for label in ["Reconnect with Google", "It is corrected: reconnect"] {
        assert!(!button(&html, label), "{html}");
    }

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
        "Unpause: Google refuses what the relay sends\n\
         Inbox: jane@acme.example\n\
         Since: 2026-11-23T09:10:00.000Z\n\
         Google does not accept what the relay sends: its client id, secret, redirect address, host name or the form of its request. Whoever runs the relay must correct it; signing in again would not help.\n\
         The server said:\n401 invalid_client\n"
    );
}

#[tokio::test]
async fn a_working_card_shows_each_line_with_its_state_in_words() {
    let proving = Progress::Proving {
        stage: Some(Stage::Refreshed),
        signed_in_as: Some("jane@acme.example".to_owned()),
    };
    let html = render(ConnectionState::Disconnected, Some(proving), false).await;
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
        "3 were held: 2 will be sent, 1 was answered, bounced or stopped.",
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

#[tokio::test]
async fn an_inbox_that_waits_for_the_operator_has_its_way_on_folded() {
    let mut inbox = inbox(ConnectionState::Disconnected, 25);
    inbox.connection.cause = Some(Cause::AppMisconfigured);
    let html = show(draw(&inbox, &[], None)).await;
    assert!(button(&html, "Copy the report for the operator"), "{html}");
    let (shown, folded) = html.split_once("<details>").unwrap();
    assert!(!button(shown, "Sign in again"), "{html}");
    assert!(button(folded, "Sign in again"), "{html}");
}

#[test]
fn a_request_that_no_consent_answers_says_what_is_wrong_and_names_no_page() {
    let page = "https://login.example/tenant/adminconsent?client_id=c";
    let mut inbox = inbox(ConnectionState::Disconnected, 0);
    inbox.at_provider = Some(AtProvider {
        expects: "Google asks nothing.".to_owned(),
        admin_consent: Some(page.to_owned()),
    });
    for (cause, asked) in [
        (Cause::SmtpOff, "Sending by SMTP is switched off"),
        (Cause::AccountLocked, "is locked, switched off or gone"),
        (Cause::PolicyBlocked, "A rule of your organisation"),
    ] {
        let words = cause.card().render(&Facts {
            inbox: "jane@acme.example",
            provider: "Google",
        });
        let progress = Progress::Refused {
            words,
            evidence: Some("535 no".to_owned()),
        };
        let card = draw(&inbox, &[], Some(&progress));
        let Face::Broken(broken) = &card.face else {
            panic!("not broken");
        };
        let request = super::sentence::request(&card, broken);
        assert!(
            request.starts_with("Please help with jane@acme.example."),
            "{request}"
        );
        assert!(request.contains(asked), "{request}");
        assert!(
            request.contains("What the server said:\n535 no"),
            "{request}"
        );
        assert!(!request.contains(page), "{request}");
    }
}

#[tokio::test]
async fn the_request_for_the_administrator_holds_the_page_where_it_is_given() {
    let page = "https://login.example/tenant/adminconsent?client_id=c";
    let mut inbox = inbox(ConnectionState::Disconnected, 0);
    inbox.at_provider = Some(AtProvider {
        expects: "Google asks nothing.".to_owned(),
        admin_consent: Some(page.to_owned()),
    });
    let words = Cause::AdminApproval.card().render(&Facts {
        inbox: "jane@acme.example",
        provider: "Google",
    });
    let progress = Progress::Refused {
        words,
        evidence: Some("access_denied: AADSTS65004".to_owned()),
    };
    let card = draw(&inbox, &[], Some(&progress));
    let Face::Broken(broken) = &card.face else {
        panic!("not broken");
    };
    assert_eq!(
        super::sentence::request(&card, broken),
        format!(
            "Please allow Unpause for jane@acme.example.\n\nIt sends our campaigns through this inbox and reads the \
             replies. Our organisation lets only an administrator allow that.\n\nThe page where it is allowed, for \
             everybody here:\n{page}\n\nWhat the server said:\naccess_denied: AADSTS65004\n"
        )
    );
    let html = show(card).await;
    for label in [
        "Copy the request for your admin",
        "It is allowed: reconnect",
    ] {
        assert!(button(&html, label), "{html}");
    }
}

#[tokio::test]
async fn another_account_that_works_is_named_beside_the_inbox() {
    let question = Question {
        inbox: "jane@acme.example".parse().unwrap(),
        given: GivenSignIn::Account {
            name: Some("john@acme.example".to_owned()),
        },
        replaces: None,
    };
    let progress = Some(Progress::Unconfirmed {
        question: question.words(),
    });
    let html = render(ConnectionState::Disconnected, progress, false).await;
    let text = words(&html);
    for expected in [
        "Is this the right account?",
        "You signed in as john@acme.example. This inbox is jane@acme.example. It works: it sends and reads with that sign-in. \
         Use it?",
        "25 messages are held, none is lost",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    for label in ["Use this sign-in", "Do not use it"] {
        assert!(button(&html, label), "{html}");
    }
}

#[tokio::test]
async fn a_link_is_offered_where_it_can_be_made_and_shown_when_it_is() {
    let card = || draw(&inbox(ConnectionState::Disconnected, 25), &[], None);
    let html = show_as(card(), false, true).await;
    let (_, folded) = html.split_once("Not signed in here?").unwrap();
    assert!(button(folded, "Make a link"), "{html}");
    assert!(!show(card()).await.contains("Make a link"));

    let link = "http://127.0.0.1:7411/oauth/start?ticket=t";
    let elsewhere = |link: Option<&str>| {
        let link = link.map(Secret::new);
        let inbox = inbox(ConnectionState::Disconnected, 25);
        draw(&inbox, &[], Some(&Progress::Elsewhere { link }))
    };
    let html = show_as(elsewhere(Some(link)), false, true).await;
    assert!(words(&html).contains(link), "{html}");
    assert!(words(&html).contains("It works once, for a few minutes."));
    for label in ["Copy the link", "Cancel"] {
        assert!(button(&html, label), "{html}");
    }

    // Where it was made, and is not known any more.
    for can_link in [true, false] {
        let html = show_as(elsewhere(None), false, can_link).await;
        assert!(words(&html).contains("is not kept"), "{html}");
        assert_eq!(button(&html, "Make a new link"), can_link, "{html}");
        assert!(button(&html, "Cancel"), "{html}");
        assert!(!html.contains("Copy the link"), "{html}");
    }
}

//! Which inbox is asked for what, and the form as text: its words, its roles, and nothing that is secret.

use protocol::card::Facts;
use protocol::provider::ProviderId;
use protocol::request::inbox::ConnectionState;
use yew::ServerRenderer;

use super::super::examples::{inbox, now};
use super::super::view::{CardView, Props as CardProps};
use super::super::{Act, Broken, Face, LineState, Progress, Stopped, draw as draw_card};
use super::*;

fn words(cause: Cause) -> Words {
    cause.card().render(&Facts {
        inbox: "jane@acme.example",
        provider: "Google",
    })
}

/// Jane's inbox, lost for this reason.
fn lost(provider: &str, signs_in_by: SignsInBy, cause: Cause) -> Inbox {
    let mut inbox = inbox(ConnectionState::Disconnected, 25);
    inbox.provider = ProviderId::new(provider);
    inbox.signs_in_by = signs_in_by;
    inbox.connection.cause = Some(cause);
    inbox
}

fn by_password() -> Inbox {
    lost("google", SignsInBy::Password, Cause::SignInRefused)
}

fn broken(inbox: &Inbox, progress: Option<&Progress>) -> Broken {
    match draw_card(inbox, &[], progress).face {
        Face::Broken(broken) => *broken,
        face => panic!("expected a broken card, found {face:?}"),
    }
}

async fn render(inbox: &Inbox, progress: Option<Progress>, decides_elsewhere: bool) -> String {
    let card = draw_card(inbox, &[], progress.as_ref());
    let props = move || CardProps {
        card,
        on_act: Callback::noop(),
        can_dismiss: true,
        can_link: false,
        decides_elsewhere,
        now: now(),
    };
    ServerRenderer::<CardView>::with_props(props)
        .hydratable(false)
        .render()
        .await
}

#[test]
fn a_password_is_asked_for_where_one_was_used_and_where_nothing_else_is_taken() {
    use SignsInBy::{Oauth, Password};
    for (provider, by, cause, label) in [
        ("google", Password, Cause::SignInRefused, Some("Password")),
        (
            "google",
            Password,
            Cause::AppPasswordRequired,
            Some("New app password"),
        ),
        ("imap", Password, Cause::NeverConnected, Some("Password")),
        ("google", Oauth, Cause::PermissionEnded, None),
        // The server itself asks for one.
        (
            "google",
            Oauth,
            Cause::AppPasswordRequired,
            Some("New app password"),
        ),
        // Passwords are taken no more: the sign-in page is the way, where there is one.
        ("google", Password, Cause::PasswordsOff, None),
        ("imap", Password, Cause::PasswordsOff, Some("Password")),
    ] {
        let inbox = lost(provider, by, cause);
        let form = broken(&inbox, None).password;
        let found = form.as_ref().map(|form| form.label.as_str());
        assert_eq!(found, label, "{provider} {by:?} {cause:?}");
        assert_eq!(asks_password(&inbox), label.is_some(), "{cause:?}");
    }
    let off = broken(
        &lost("google", SignsInBy::Password, Cause::PasswordsOff),
        None,
    );
    assert_eq!(off.button.as_deref(), Some("Sign in with Google"));
    assert!(off.expects.is_some(), "what follows there is said");
}

#[test]
fn where_no_page_can_take_a_passwords_place_only_the_administrator_can_help() {
    let inbox = lost("imap", SignsInBy::Password, Cause::PasswordsOff);
    let off = broken(&inbox, None);
    assert_eq!(off.remedy, protocol::card::Remedy::AskAdmin);
    assert_eq!(
        off.button.as_deref(),
        Some("Copy the request for your admin")
    );
    assert_eq!(off.expects, None);
    // After that the password is taken again.
    assert_eq!(off.password.unwrap().label, "Password");
}

#[test]
fn the_form_names_the_servers_the_page_and_the_user_only_where_that_differs() {
    let form = broken(&by_password(), None).password.unwrap();
    assert!(form.is_user_the_address);
    assert_eq!(form.user, "jane@acme.example");
    let page = form.page.unwrap();
    assert_eq!(page.url, "https://myaccount.google.com/apppasswords");
    assert_eq!(page.words, "Make an app password at Google");
    let places: Vec<_> = form
        .servers
        .iter()
        .map(|server| (&*server.does, &*server.place, &*server.tls))
        .collect();
    assert_eq!(
        places,
        [
            ("Sends", "smtp.gmail.com:465", "TLS"),
            ("Reads", "imap.gmail.com:993", "TLS")
        ]
    );
    let mut other = lost("imap", SignsInBy::Password, Cause::SignInRefused);
    other.user = Some("jd42".to_owned());
    other.smtp.tls = TlsMode::StartTls;
    let form = broken(&other, None).password.unwrap();
    assert!(!form.is_user_the_address);
    assert_eq!(
        (form.user.as_str(), form.page, form.servers[0].tls.as_str()),
        ("jd42", None, "STARTTLS")
    );
}

#[test]
fn a_refused_password_returns_to_the_form_and_says_so() {
    let refused = |cause| Progress::Refused {
        words: words(cause),
        evidence: Some("535 5.7.8 no".to_owned()),
    };
    let inbox = by_password();
    let again = broken(&inbox, Some(&refused(Cause::SignInRefused)));
    assert_eq!(again.title, "The password was refused");
    assert_eq!(
        again.explanation,
        "Google did not take it. Nothing was changed; enter it once more. Gmail, Yahoo, AOL, iCloud, Fastmail and Zoho take an app password in place of the account's own."
    );
    assert!(again.password.is_some() && again.evidence.is_some());
    let app = broken(&inbox, Some(&refused(Cause::AppPasswordRequired)));
    assert_eq!(app.title, "jane@acme.example needs an app password");
    assert_eq!(app.password.unwrap().label, "New app password");
    // A fault that passes can be tried again, by the form as well.
    let outage = broken(&inbox, Some(&refused(Cause::TemporaryOutage)));
    assert!(outage.password.is_some());
    // The page is the way: no form that would be refused again.
    let off = broken(&inbox, Some(&refused(Cause::PasswordsOff)));
    assert_eq!(off.password, None);
    assert_eq!(off.button.as_deref(), Some("Sign in with Google"));
}

#[test]
fn whatever_ends_it_on_this_side_leaves_the_form() {
    let inbox = lost("google", SignsInBy::Password, Cause::AppPasswordRequired);
    for stopped in [
        Stopped::Cancelled,
        Stopped::Interrupted,
        Stopped::TookTooLong,
        Stopped::RelayUnreachable {
            url: "http://127.0.0.1:7411".to_owned(),
        },
        Stopped::RelayRefused {
            words: "no".to_owned(),
        },
    ] {
        let broken = broken(&inbox, Some(&Progress::Stopped(stopped.clone())));
        let form = broken.password;
        assert_eq!(
            form.map(|form| form.label).as_deref(),
            Some("New app password"),
            "{stopped:?}"
        );
        assert!(!broken.other_way, "a tab is no way for a password");
    }
    let other_key = broken(&inbox, Some(&Progress::Stopped(Stopped::OtherKey)));
    assert_eq!(
        other_key.password, None,
        "nothing is typed for another relay"
    );
}

#[test]
fn a_password_on_its_way_is_told_without_a_word_of_permissions() {
    let inbox = by_password();
    let handing_over = draw_card(&inbox, &[], Some(&Progress::HandingOver)).face;
    let Face::Working {
        lines, can_cancel, ..
    } = handing_over
    else {
        panic!("not working");
    };
    assert!(!can_cancel, "it may be with the relay already");
    assert_eq!(lines[0].state, LineState::Now);
    assert_eq!(lines[1].state, LineState::Next);
    let progress = Progress::Proving {
        stage: None,
        signed_in_as: None,
    };
    let Face::Working { lines, .. } = draw_card(&inbox, &[], Some(&progress)).face else {
        panic!("not working");
    };
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line.state, line.text.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (LineState::Done, "Handed to the relay, sealed"),
            (LineState::Now, "Sending works?"),
            (LineState::Now, "Reading works?"),
            (LineState::Next, "Read what arrived meanwhile"),
        ]
    );
}

#[tokio::test]
async fn the_form_is_labelled_described_and_holds_nothing() {
    let html = render(&by_password(), None, false).await;
    for part in [
        "<label for=\"card-inb_1-password\">Password</label>",
        "type=\"password\"",
        "autocomplete=\"current-password\"",
        "aria-describedby=\"card-inb_1-problem card-inb_1-page\"",
        "aria-invalid=\"false\"",
        "id=\"card-inb_1-problem\" role=\"alert\" class=\"password-problem\"",
        "href=\"https://myaccount.google.com/apppasswords\"",
        "rel=\"noreferrer\"",
        "aria-pressed=\"false\"",
        "<summary>Servers and user name</summary>",
        "autocomplete=\"username\"",
        "Not now",
    ] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    for refused in [
        "style=",
        "<script",
        "onclick=",
        "action=",
        "name=\"",
        "<details open",
    ] {
        assert!(!html.contains(refused), "{refused} in {html}");
    }
    let mut named = by_password();
    named.user = Some("jd42".to_owned());
    let html = render(&named, None, false).await;
    let (before, after) = html.split_once("current-password").unwrap();
    assert!(before.contains("value=\"jd42\""), "the name comes first");
    assert!(after.contains("<summary>Servers</summary>"), "{html}");
}

#[tokio::test]
async fn a_frame_on_somebodys_page_has_no_field() {
    let html = render(&by_password(), None, true).await;
    assert!(
        !html.contains("<input") && !html.contains("<form"),
        "{html}"
    );
    assert!(html.contains("Enter the password"), "{html}");
    let inbox = lost("google", SignsInBy::Password, Cause::AppPasswordRequired);
    let html = render(&inbox, None, true).await;
    assert!(html.contains("Enter the new app password"), "{html}");
}

#[test]
fn what_was_given_is_in_no_debug() {
    let act = Act::GivePassword(Given {
        user: "jane@acme.example".to_owned(),
        password: Secret::new("hunter2"),
    });
    assert!(!format!("{act:?}").contains("hunter2"));
}

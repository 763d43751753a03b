//! A person reconnects an inbox at the terminal: the built binary, a relay as a process, the sandbox as the
//! provider, and a browser without a screen.

#![cfg(test)]

mod browser;
mod next;
mod password;
mod terminal;
mod words;

use reqwest::{StatusCode, Url};
use sandbox::{CONFIDENTIAL_CLIENT, PUBLIC_CLIENT};

use self::browser::{Browser, callback, query_value};
use self::terminal::{Terminal, World};
use crate::cli::{run, text};

const JANE: &str = "jane@acme.example";
const JOHN: &str = "john@acme.example";
const PASSWORD: &str = "sandbox-password";

#[tokio::test(flavor = "multi_thread")]
async fn a_public_client_is_reconnected_at_the_terminal() {
    let world = World::start(PUBLIC_CLIENT).await;
    let mut terminal = Terminal::start(world.here(), &[JANE]);
    let url = terminal.url().await;
    for (name, expected) in [
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        ("login_hint", JANE),
        ("prompt", "consent"),
        ("scope", "openid email offline_access mail.send mail.read"),
    ] {
        assert_eq!(query_value(&url, name), expected, "{url}");
    }
    let shown = Browser::open().sign_in(url, "allow").await;
    assert_eq!(shown.status(), StatusCode::OK);
    assert_eq!(shown.headers()["cache-control"], "no-store");
    let page = shown.text().await.unwrap();
    assert!(page.contains("go back to the terminal"), "{page}");
    let end = terminal.end().await;
    assert_eq!(
        (end.code, end.stderr.as_str()),
        (Some(0), ""),
        "{}",
        end.stdout
    );
    let told: Vec<&str> = end
        .stdout
        .lines()
        .filter(|line| line.starts_with('✓'))
        .collect();
    assert_eq!(
        told,
        [
            "✓ Signed in as jane@acme.example",
            "✓ Permission renewed and tested",
            "✓ Sending and reading work",
            "✓ Read what arrived meanwhile",
            "✓ jane@acme.example works. No message was waiting.",
        ]
    );
    let receipt = end
        .stdout
        .lines()
        .last()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap();
    let receipt = run(world.here(), &["reconnect", "receipt", receipt]);
    assert!(receipt.status.success(), "{}", text(&receipt.stderr));
    assert_eq!(world.connection(), "connected");
    assert_eq!(world.clients(), [PUBLIC_CLIENT]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confidential_client_is_reconnected_and_programs_are_told_in_json() {
    let world = World::start(CONFIDENTIAL_CLIENT).await;
    let mut terminal = Terminal::start(world.here(), &[&world.inbox, "--json"]);
    let url = terminal.url().await;
    let shown = Browser::open().sign_in(url, "allow").await;
    assert_eq!(shown.status(), StatusCode::OK);
    let end = terminal.end().await;
    assert_eq!(
        (end.code, end.stderr.as_str()),
        (Some(0), ""),
        "{}",
        end.stdout
    );
    assert_eq!(end.stdout.lines().count(), 2, "{}", end.stdout);
    assert_eq!(end.reconnect()["state"], "resumed");
    assert_eq!(end.reconnect()["inbox"], world.inbox.as_str());
    assert_eq!(world.connection(), "connected");
    assert_eq!(world.clients(), [CONFIDENTIAL_CLIENT]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_on_the_providers_page_is_told_so_and_may_try_again() {
    let world = World::start(PUBLIC_CLIENT).await;
    let mut terminal = Terminal::start(world.here(), &[JANE]);
    let url = terminal.url().await;
    let shown = Browser::open().sign_in(url, "deny").await;
    let page = shown.text().await.unwrap();
    assert!(page.contains("The permission was not given"), "{page}");
    let end = terminal.end().await;
    assert_eq!(end.code, Some(1), "{}", end.stdout);
    for words in [
        "jane@acme.example was not reconnected",
        "The permission was not given",
        "access_denied",
        "Try again: unpause reconnect start jane@acme.example",
    ] {
        assert!(
            end.stderr.contains(words),
            "{words} is missing in {}",
            end.stderr
        );
    }
    assert!(!end.stdout.contains('✓'), "{}", end.stdout);
    assert_eq!(world.connection(), "disconnected");

    let mut again = Terminal::start(world.here(), &[JANE]);
    let url = again.url().await;
    Browser::open().sign_in(url, "allow").await;
    assert_eq!(again.end().await.code, Some(0));
}

/// Row: `state` wrong, at the terminal | somebody visits the terminal's address | HTTP 400 | nobody | Not this sign-in. This page was not opened by the sign-in that the terminal waits for. Nothing was changed.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_sign_in_is_refused_and_ignored() {
    let world = World::start(PUBLIC_CLIENT).await;
    let mut terminal = Terminal::start(world.here(), &[JANE]);
    let url = terminal.url().await;
    let browser = Browser::open();
    for query in [
        "code=stolen&state=guessed",
        "code=stolen",
        "error=access_denied&state=",
    ] {
        let refused = browser.get(callback(&url, query)).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{query}");
    }
    let mut elsewhere = callback(&url, "");
    elsewhere.set_path("/");
    assert_eq!(browser.get(elsewhere).await.status(), StatusCode::NOT_FOUND);
    let shown = browser.sign_in(url, "allow").await;
    assert_eq!(shown.status(), StatusCode::OK);
    assert_eq!(terminal.end().await.code, Some(0));
}

/// Row: `iss` of another provider, at the terminal | the answer is changed on its way | `mixed_up`
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_the_name_of_another_provider_ends_it_and_is_not_used() {
    let world = World::start(PUBLIC_CLIENT).await;
    let mut terminal = Terminal::start(world.here(), &[JANE, "--json"]);
    let url = terminal.url().await;
    let state = query_value(&url, "state");
    let answer = callback(
        &url,
        &format!("code=c&state={state}&iss=https://evil.example"),
    );
    let refused = Browser::open().get(answer).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let end = terminal.end().await;
    assert_eq!(end.code, Some(1), "{}", end.stdout);
    assert!(
        end.stderr
            .contains("names the provider https://evil.example"),
        "{}",
        end.stderr
    );
    assert_eq!(end.reconnect()["state"], "refused");
    assert!(world.clients().is_empty());
}

/// Row: code that the provider does not know, at the terminal | a made-up code comes back | `code_refused`
#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_the_provider_does_not_know_ends_it_with_its_words() {
    let world = World::start(PUBLIC_CLIENT).await;
    let mut terminal = Terminal::start(world.here(), &[JANE, "--json"]);
    let url = terminal.url().await;
    let mut query = callback(&url, "");
    query
        .query_pairs_mut()
        .append_pair("code", "never-given")
        .append_pair("state", &query_value(&url, "state"))
        .append_pair("iss", world.sandbox.issuer());
    assert_eq!(Browser::open().get(query).await.status(), StatusCode::OK);
    let end = terminal.end().await;
    assert_eq!(end.code, Some(1), "{}", end.stdout);
    assert!(end.stderr.contains("invalid_grant"), "{}", end.stderr);
    assert!(!end.stderr.contains("never-given"), "{}", end.stderr);
    assert_eq!(end.reconnect()["state"], "refused");
}

/// Row: sign-in ended by the person | ctrl-c at the terminal | cancelled
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_reconnect_at_the_relay_too() {
    let world = World::start(PUBLIC_CLIENT).await;
    let mut terminal = Terminal::start(world.here(), &[JANE, "--json"]);
    let url = terminal.url().await;
    terminal.interrupt();
    let end = terminal.end().await;
    assert_eq!(end.code, Some(1), "{}", end.stdout);
    assert_eq!(end.reconnect()["cause"], "cancelled");
    assert!(
        end.stderr.contains("The sign-in was ended"),
        "{}",
        end.stderr
    );
    let gone = Browser::open().try_get(callback(&url, "code=c")).await;
    assert!(gone.unwrap_err().is_connect(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_that_nobody_waits_for_is_joined_by_the_next_terminal() {
    let world = World::start(PUBLIC_CLIENT).await;
    let start = ["reconnect", "start", JANE, "--no-wait"];
    let begun = run(world.here(), &start);
    assert!(begun.status.success(), "{}", text(&begun.stderr));
    let begun = text(&begun.stdout);
    assert!(
        begun.contains("Finish it here: unpause reconnect start jane@acme.example"),
        "{begun}"
    );
    let mut terminal = Terminal::start(world.here(), &[JANE, "--json"]);
    let url = terminal.url().await;
    Browser::open().sign_in(url, "allow").await;
    let end = terminal.end().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let id = end.reconnect()["id"].as_str().unwrap().to_owned();
    assert!(begun.starts_with(&id), "{id} is not the one of {begun}");
}

/// Row: not signed in here | `unpause reconnect start --link`; the link is opened in another browser | resumed | the person | Open this link in the browser where you are signed in as jane@acme.example: … It works once, and waits for 10 minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_does_the_sign_in_in_another_browser() {
    let world = World::start(PUBLIC_CLIENT).await;
    let mut terminal = Terminal::start(world.here(), &[JANE, "--link", "--json"]);
    let link = terminal.url().await;
    assert_eq!(link.path(), "/oauth/start");
    let shown = Browser::open().sign_in(link.clone(), "allow").await;
    assert_eq!(shown.status(), StatusCode::OK);
    let again = Browser::open().get(link).await;
    assert_eq!(again.status(), StatusCode::GONE, "it works once");
    let end = terminal.end().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    assert_eq!(world.connection(), "connected");

    let mut terminal = Terminal::start(world.here(), &[JANE, "--link", "--json"]);
    terminal.url().await;
    terminal.interrupt();
    let end = terminal.end().await;
    assert_eq!(end.code, Some(1), "{}", end.stdout);
    assert_eq!(end.reconnect()["cause"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_that_works_is_confirmed_by_a_command() {
    let world = World::start(PUBLIC_CLIENT).await;
    world.sandbox.control().share(JANE, JOHN).unwrap();
    let mut terminal = Terminal::start(world.here(), &[JANE, "--json"]);
    let as_john = with(&terminal.url().await, "login_hint", JOHN);
    Browser::open().sign_in(as_john, "allow").await;
    let waiting = terminal.told().await;
    assert_eq!(waiting["state"], "unconfirmed", "{waiting}");
    assert_eq!(waiting["signed_in_as"], JOHN);
    let id = waiting["id"].as_str().unwrap();
    let shown = run(world.here(), &["reconnect", "show", id]);
    let shown = text(&shown.stdout);
    assert!(shown.contains("it waits to be confirmed until"), "{shown}");
    let confirmed = run(world.here(), &["reconnect", "confirm", id]);
    assert!(confirmed.status.success(), "{}", text(&confirmed.stderr));
    let end = terminal.end().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);

    // And one that is not meant.
    let world = World::start(PUBLIC_CLIENT).await;
    world.sandbox.control().share(JANE, JOHN).unwrap();
    let mut terminal = Terminal::start(world.here(), &[JANE, "--json"]);
    let as_john = with(&terminal.url().await, "login_hint", JOHN);
    Browser::open().sign_in(as_john, "allow").await;
    let waiting = terminal.told().await;
    let id = waiting["id"].as_str().unwrap();
    let cancelled = run(world.here(), &["reconnect", "cancel", id]);
    assert!(cancelled.status.success(), "{}", text(&cancelled.stderr));
    let end = terminal.end().await;
    assert_eq!(end.code, Some(1), "{}", end.stdout);
    let words = "You signed in with another account. This inbox is jane@acme.example.";
    assert!(end.stderr.contains(words), "{}", end.stderr);
}

/// The address with another value for a field of its query.
fn with(url: &Url, name: &str, value: &str) -> Url {
    let mut changed = url.clone();
    let fields: Vec<_> = url.query_pairs().into_owned().collect();
    changed.query_pairs_mut().clear().extend_pairs(
        fields
            .iter()
            .map(|(field, was)| (field, if field == name { value } else { was })),
    );
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_that_is_not_there_is_named() {
    let world = World::start(PUBLIC_CLIENT).await;
    for command in [["inbox", "show"], ["reconnect", "start"]] {
        let refused = run(
            world.here(),
            &[&command[..], &["john@acme.example"]].concat(),
        );
        assert_eq!(refused.status.code(), Some(1));
        let words = text(&refused.stderr);
        assert!(
            words.contains("no inbox has the address john@acme.example"),
            "{words}"
        );
    }
    let shown = run(world.here(), &["inbox", "show", "JANE@acme.example"]);
    assert!(
        text(&shown.stdout).contains(&world.inbox),
        "{}",
        text(&shown.stderr)
    );
}

//! A password in place of the provider's page: on standard input, and typed at a terminal.

use std::io::Write as _;

use rustix::process::{Pid, Signal, kill_process};
use sandbox::PUBLIC_CLIENT;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use super::browser::Browser;
use super::terminal::{End, Terminal, World, ask_at_terminal};
use super::{JANE, JOHN, PASSWORD};
use crate::cli::{run, text};

/// `unpause reconnect start … --password` with `given` on standard input.
pub(super) async fn with_password(world: &World, arguments: &[&str], given: &str) -> End {
    let arguments = [&[JANE, "--password"], arguments].concat();
    let mut terminal = Terminal::start(world.here(), &arguments);
    let mut stdin = terminal.child.stdin.take().unwrap();
    stdin.write_all(given.as_bytes()).await.unwrap();
    drop(stdin);
    terminal.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_on_standard_input_reconnects_and_is_never_shown() {
    let world = World::start(PUBLIC_CLIENT).await;
    let wrong = with_password(&world, &[], "not-the-password\n").await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.stdout);
    assert!(
        wrong.stderr.contains("was not reconnected"),
        "{}",
        wrong.stderr
    );
    assert!(
        wrong.stderr.contains("What was said: 535"),
        "{}",
        wrong.stderr
    );
    assert!(!format!("{}{}", wrong.stdout, wrong.stderr).contains("not-the-password"));
    let empty = with_password(&world, &[], "\n").await;
    assert_eq!(empty.code, Some(1));
    assert!(
        empty.stderr.contains("found an empty line"),
        "{}",
        empty.stderr
    );
    let somebody = with_password(&world, &["--user", "nobody@acme.example"], PASSWORD).await;
    assert_eq!(somebody.code, Some(1), "{}", somebody.stdout);
    assert_eq!(world.connection(), "disconnected");

    let right = with_password(&world, &[], &format!("{PASSWORD}\n")).await;
    assert_eq!(right.code, Some(0), "{}", right.stderr);
    assert_eq!(
        right.stdout.lines().take(2).collect::<Vec<_>>(),
        [
            "✓ Sending and reading work",
            "✓ Read what arrived meanwhile"
        ]
    );
    assert!(!format!("{}{}", right.stdout, right.stderr).contains(PASSWORD));
    assert_eq!(world.connection(), "connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_place_of_an_account_is_asked_about_with_both_named() {
    let world = World::start(PUBLIC_CLIENT).await;
    let mut by_page = Terminal::start(world.here(), &[JANE]);
    let url = by_page.url().await;
    Browser::open().sign_in(url, "allow").await;
    assert_eq!(by_page.end().await.code, Some(0));

    for answer in ["cancel", "confirm"] {
        let arguments = [JANE, "--password", "--user", JOHN, "--json"];
        let mut terminal = Terminal::start(world.here(), &arguments);
        let mut stdin = terminal.child.stdin.take().unwrap();
        stdin.write_all(PASSWORD.as_bytes()).await.unwrap();
        drop(stdin);
        let waiting = terminal.told().await;
        assert_eq!(waiting["state"], "unconfirmed", "{waiting}");
        let id = waiting["id"].as_str().unwrap();
        let shown = text(&run(world.here(), &["reconnect", "show", id]).stdout);
        for words in [
            "it waits to be confirmed until",
            "jane@acme.example signs in with the sandbox today.",
            "You gave a user name and password for john@acme.example.",
            "takes the place of today's",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert!(world.sandbox.control().grants(JANE)[0].live);
        let said = run(world.here(), &["reconnect", answer, id]);
        assert!(said.status.success(), "{}", text(&said.stderr));
        let end = terminal.end().await;
        let is_meant = answer == "confirm";
        assert_eq!(end.code, Some(i32::from(!is_meant)), "{}", end.stderr);
        assert_eq!(world.connection(), "connected");
        let inbox = run(world.here(), &["inbox", "show", JANE, "--json"]);
        let inbox: Value = serde_json::from_slice(&inbox.stdout).unwrap();
        let by = if is_meant { "password" } else { "oauth" };
        assert_eq!(inbox["signs_in_by"], by, "{inbox}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_typed_is_hidden_and_the_terminal_is_left_as_it_was() {
    let world = World::start(PUBLIC_CLIENT).await;
    let here = world.here();
    let (output, shown) = tokio::task::block_in_place(|| {
        ask_at_terminal(here, |_, child| {
            kill_process(Pid::from_child(child), Signal::INT).unwrap();
        })
    });
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert_eq!(
        shown,
        "Password: \r\nunpause: no password was read; nothing was changed\r\n"
    );
    let (output, shown) = tokio::task::block_in_place(|| {
        ask_at_terminal(here, |terminal, _| {
            writeln!(terminal, "{PASSWORD}").unwrap();
        })
    });
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert_eq!(shown, "Password: \r\n");
    assert_eq!(world.connection(), "connected");
}

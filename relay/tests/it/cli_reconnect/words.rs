//! What a server says writes no line of a log and moves no terminal.

use protocol::shown;
use sandbox::{PUBLIC_CLIENT, Stage};

use super::password::with_password;
use super::terminal::World;
use super::{JANE, PASSWORD};
use crate::cli::{run, text};

const HARMLESS: &str = "535 5.7.8 no";
/// Lines of its own, each as the log and the terminal write theirs, with what clears a screen, what names a window, what
/// colours (in eight bits too), and what turns the direction of writing.
const HOSTILE: &str = "535-5.7.8 no\r\n\
    535-2026-11-30T00:00:00.000000Z  INFO relay::cli::serve: forged\u{1b}[2J\u{1b}]0;forged\u{7}\r\n\
    535-\u{9b}31m\u{202e}forged\u{2066}\u{2028}forged\r\n\
    535 \u{85}\rforged\u{7f}\0";

/// Everything that is logged and shown of a sign-in that is answered so.
async fn play(reply: &str) -> (String, Vec<String>) {
    let world = World::start(PUBLIC_CLIENT).await;
    // It is tried by every way in which one can sign in.
    for _ in 0..4 {
        world.sandbox.control().next_reply(Stage::Auth, reply);
    }
    let end = with_password(&world, &["--json"], PASSWORD).await;
    assert_eq!(end.code, Some(1), "{}", end.stdout);
    let reconnect = end.reconnect();
    let id = reconnect["id"].as_str().unwrap();
    let mut shown = vec![end.stdout, end.stderr];
    for arguments in [
        &["reconnect", "show", id][..],
        &["reconnect", "show", id, "--json"],
        &["inbox", "show", JANE],
        &["inbox", "list"],
        &["status"],
    ] {
        let output = run(world.here(), arguments);
        shown.push(text(&output.stdout));
        shown.push(text(&output.stderr));
    }
    (world.serving.log(), shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_of_many_lines_is_one_line_of_the_log_and_moves_no_terminal() {
    let (harmless, _) = play(HARMLESS).await;
    let (log, shown) = play(HOSTILE).await;
    assert!(log.contains("forged"), "{log}");
    assert_eq!(log.lines().count(), harmless.lines().count(), "{log}");
    let acts = |letter: char| shown::is_acting(letter) && letter != '\n';
    assert!(!log.contains(acts), "{log:?}");
    assert!(
        shown.iter().any(|text| text.contains("forged")),
        "{shown:?}"
    );
    for text in shown {
        assert!(!text.contains(acts), "{text:?}");
        assert!(
            !text
                .lines()
                .any(|line| line.trim_start().starts_with("2026-11-30T00")),
            "{text}"
        );
    }
}

//! Whoever asks not to be written to any more gets nothing more, in whatever campaign: by the page that a message names,
//! by a message to the inbox, and by a word in an answer, each while the provider is down.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::delivery::{State, Suppression};
use protocol::request::delivery::Delivery;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;

use super::people::{answer, drive_until};
use crate::app::person::browser;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

const BY_PAGE: &str = "page@a.example";
const BY_MAIL: &str = "mail@b.example";
const BY_WORD: &str = "word@c.example";
/// Answers something else.
const TALKS: &str = "talks@d.example";
/// Is never heard of.
const QUIET: &str = "quiet@e.example";
const ALL: [&str; 5] = [BY_PAGE, BY_MAIL, BY_WORD, TALKS, QUIET];

/// The way out in the first message to somebody, as it stands in their mailbox.
fn way_out_of(ground: &Ground, who: &str) -> String {
    let delivered = ground.sandbox.control().delivered();
    let message = delivered.iter().find(|one| one.recipient == who).unwrap();
    let text = String::from_utf8_lossy(&message.raw).replace("\r\n ", " ");
    let header = text
        .lines()
        .find_map(|line| line.strip_prefix("List-Unsubscribe: "))
        .unwrap_or_else(|| panic!("no header in {text}"));
    let (_, rest) = header
        .split_once(&format!("<mailto:{JANE}?subject=unsubscribe%20"))
        .unwrap();
    // Without a public address there is no page to name.
    rest.strip_suffix('>').unwrap().to_owned()
}

fn of<'a>(all: &'a [Delivery], who: &str) -> &'a Delivery {
    all.iter()
        .find(|one| one.to.as_str() == who && one.step == 1)
        .unwrap()
}

async fn list_listed(relay: &Relay) -> BTreeMap<String, Suppression> {
    let listed = relay.app().store.list_suppressed(None, 100).await.unwrap();
    listed
        .into_iter()
        .map(|one| (one.whom.to_string(), one.why))
        .collect()
}

fn count_by_person(ground: &Ground) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in ground.sandbox.control().delivered() {
        *counts.entry(message.recipient.clone()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn whoever_unsubscribes_by_page_by_mail_or_by_a_word_is_written_to_no_more() {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let day = Duration::from_hours(24);
    let ground = Ground::with(Client::Public, day, clock, "poll_ms = 1000").await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let campaign = relay.start_campaign(&inbox, &ALL, 2).await;
    let firsts = wait_for("the first messages", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        (accepted.len() == ALL.len()).then_some(accepted)
    })
    .await;

    let control = ground.sandbox.control();
    control.down(true);
    let page = relay.url(&format!("/unsubscribe/{}", way_out_of(&ground, BY_PAGE)));
    let browser = browser();
    // What looks for harm in messages opens what it finds; that changes nothing.
    let shown = browser.get(&page).send().await.unwrap();
    assert_eq!(shown.status(), 200);
    let shown = shown.text().await.unwrap();
    assert!(shown.contains("<form method=\"post\"><button>"), "{shown}");
    let forged = relay.url(&format!("/unsubscribe/{}x", way_out_of(&ground, QUIET)));
    for url in [forged, relay.url("/unsubscribe/quiet@e.example")] {
        assert_eq!(browser.get(&url).send().await.unwrap().status(), 404);
        assert_eq!(browser.post(&url).send().await.unwrap().status(), 404);
    }
    assert_eq!(list_listed(&relay).await, BTreeMap::new());
    // A mail program may be a page in a browser, which says where it is from.
    for origin in [None, Some("null"), Some("https://mail.example")] {
        let mut one_click = browser
            .post(&page)
            .form(&[("List-Unsubscribe", "One-Click")]);
        if let Some(origin) = origin {
            one_click = one_click.header("origin", origin);
        }
        assert_eq!(one_click.send().await.unwrap().status(), 200);
    }
    let by_page = [(BY_PAGE.to_owned(), Suppression::Unsubscribed)];
    assert_eq!(list_listed(&relay).await, BTreeMap::from(by_page));

    // From another address than the one that was written to, as mail programs do it that forward.
    control.deliver(
        JANE,
        format!(
            "From: somebody@elsewhere.example\r\nTo: {JANE}\r\nMessage-ID: <out@b.example>\r\n\
             Subject: unsubscribe {}\r\n\r\n",
            way_out_of(&ground, BY_MAIL)
        ),
    );
    let word = answer(of(&firsts, BY_WORD)).replace(
        "Yes, let us talk.",
        "Please unsubscribe me.\r\n\r\nWord\r\n\r\n> This is message 1.",
    );
    control.deliver(JANE, word);
    control.deliver(JANE, answer(of(&firsts, TALKS)));
    control.down(false);

    drive_until(
        &ground,
        "the second message to who is not heard of",
        async || {
            let all = relay.list(&campaign, None).await;
            let second = all
                .iter()
                .find(|one| one.step == 2 && one.to.as_str() == QUIET)?;
            matches!(second.status, State::Accepted { .. }).then_some(())
        },
    )
    .await;
    let wanted = [BY_PAGE, BY_MAIL, BY_WORD].map(|who| (who.to_owned(), Suppression::Unsubscribed));
    assert_eq!(list_listed(&relay).await, BTreeMap::from(wanted));

    // Another campaign writes to nobody of them either.
    let later = relay.start_campaign(&inbox, &ALL, 1).await;
    drive_until(&ground, "the later campaign to end", async || {
        let all = relay.list(&later, None).await;
        let is_over = |one: &Delivery| {
            matches!(
                one.status,
                State::Accepted { .. } | State::Suppressed { .. }
            )
        };
        (all.len() == ALL.len() && all.iter().all(is_over)).then_some(())
    })
    .await;
    relay.stop().await;
    let wanted = [
        (BY_PAGE, 1),
        (BY_MAIL, 1),
        (BY_WORD, 1),
        (TALKS, 2),
        (QUIET, 3),
    ];
    let wanted: BTreeMap<_, _> = wanted.map(|(who, n)| (who.to_owned(), n)).into();
    assert_eq!(count_by_person(&ground), wanted);
}

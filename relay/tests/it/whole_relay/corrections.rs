//! An inbox whose servers were mistyped, one that rests, and one that nobody needs any more.

use std::net::TcpListener;
use std::time::Duration;

use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::reconnect::{Grant, State};
use protocol::secret::Secret;
use relay::clock::Clock;
use reqwest::Method;
use sandbox::{Options, Point};
use serde_json::{Value, json};

use crate::app::person::operator;
use crate::app::{Client, Ground, JANE, PASSWORD, Relay, wait_for};

async fn mail_server() -> Ground {
    let timing = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100\nrest_minute_ms = 20";
    Ground::at(
        Client::Public,
        Clock::system(),
        timing,
        "imap",
        Options::default(),
    )
    .await
}

fn password() -> Grant {
    Grant::Password {
        user: JANE.to_owned(),
        password: Secret::new(PASSWORD),
    }
}

pub(super) async fn ask(
    ground: &Ground,
    relay: &Relay,
    method: Method,
    path: &str,
    body: Value,
) -> (u16, Value) {
    let mut asked = operator(ground).request(method.clone(), relay.url(path));
    if method == Method::POST {
        asked = asked.json(&body);
    }
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A port of this machine at which nothing listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Row: mistyped server of a new inbox | nothing listens at the port of its servers, at the first sign-in | `settings_wrong`
#[tokio::test]
async fn a_mistyped_server_of_a_new_inbox_is_told_at_once_and_corrected() {
    let ground = mail_server().await;
    let mut config = ground.config();
    let port = closed_port();
    let right = {
        let provider = config.providers.values_mut().next().unwrap();
        let right = (provider.smtp.clone(), provider.imap.clone());
        provider.smtp.port = port;
        provider.imap.port = port;
        right
    };
    let relay = ground.start_with(config).await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let reconnect = relay.grant(&inbox, &password()).await;
    // A reconnect has ten minutes; this is told in seconds.
    let outcome = relay.outcome(&reconnect).await;
    let State::Refused {
        cause, evidence, ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(cause, Cause::SettingsWrong);
    assert!(evidence.words().contains("refused"), "{}", evidence.words());

    let path = format!("/v1/inboxes/{inbox}/servers");
    let (status, problem) = ask(&ground, &relay, Method::POST, &path, json!({})).await;
    assert_eq!(
        (status, problem["field"].as_str()),
        (422, Some("smtp")),
        "{problem}"
    );
    let wrong = json!({ "smtp": { "host": "no host", "port": 465 } });
    let (status, problem) = ask(&ground, &relay, Method::POST, &path, wrong).await;
    assert_eq!(
        (status, problem["field"].as_str()),
        (422, Some("smtp.host")),
        "{problem}"
    );
    assert_eq!(
        relay.inbox(&inbox).await.smtp.port,
        port,
        "nothing half done"
    );
    let servers = json!({ "smtp": right.0, "imap": right.1 });
    let (status, shown) = ask(&ground, &relay, Method::POST, &path, servers).await;
    assert_eq!((status, &shown["smtp"]), (200, &json!(right.0)), "{shown}");
    let stored = relay.inbox(&inbox).await;
    assert_eq!((&stored.smtp, &stored.imap), (&right.0, &right.1));
    relay.stop().await;
}

/// Row: servers of an inbox that is connected | `unpause inbox update` of an inbox that works | 409 `conflict` | the operator | this inbox is connected, so its servers are right: they can be changed once it is not
#[tokio::test]
async fn a_connected_inbox_keeps_its_servers_and_one_that_was_lost_forgets_what_it_knew_of_the_old_ones()
 {
    let ground = mail_server().await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let reconnect = relay.grant(&inbox, &password()).await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    let before = relay.inbox(&inbox).await;
    let path = format!("/v1/inboxes/{inbox}/servers");
    let body = json!({ "imap": before.imap });
    let (status, problem) = ask(&ground, &relay, Method::POST, &path, body.clone()).await;
    assert_eq!(status, 409, "{problem}");
    assert!(
        problem["detail"].as_str().unwrap().contains("is connected"),
        "{problem}"
    );

    let control = ground.sandbox.control();
    control.change_password(JANE, "another-password").unwrap();
    control.end_sessions(JANE).unwrap();
    wait_for("the inbox to be lost", async || {
        let inbox = relay.inbox(&inbox).await;
        matches!(inbox.connection, Connection::Disconnected { .. }).then_some(())
    })
    .await;
    let (status, shown) = ask(&ground, &relay, Method::POST, &path, body).await;
    assert_eq!(
        (status, &shown["connection"]["cause"]),
        (200, &json!("never_connected")),
        "{shown}"
    );
    let after = relay.inbox(&inbox).await;
    assert_eq!((after.read_position, after.gap_open), (None, true));
    assert!(
        relay
            .app()
            .store
            .find_credentials(&inbox)
            .await
            .unwrap()
            .is_none()
    );
    assert!(before.read_position.is_some() && after.last_read_at.is_some());
    relay.stop().await;
}

/// Row: removing an inbox that a campaign has | `unpause inbox remove` | 409 `conflict` | the operator | campaigns have this inbox: "Spring outreach" (cmp_…); what was sent through it is kept with them, so it stays
#[tokio::test]
async fn an_inbox_is_removed_unless_a_campaign_has_it() {
    let ground = mail_server().await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let reconnect = relay.grant(&inbox, &password()).await;
    assert!(matches!(
        relay.outcome(&reconnect).await,
        State::Resumed { .. }
    ));
    let path = format!("/v1/inboxes/{inbox}");
    let (status, answer) = ask(&ground, &relay, Method::DELETE, &path, Value::Null).await;
    assert_eq!((status, answer), (200, json!({})));
    let (status, _) = ask(&ground, &relay, Method::GET, &path, Value::Null).await;
    assert_eq!(status, 404);
    let (status, _) = ask(&ground, &relay, Method::DELETE, &path, Value::Null).await;
    assert_eq!(status, 404);

    // The address is free again, and a campaign keeps its inbox, whatever became of it.
    let inbox = relay.add_inbox(Duration::ZERO).await;
    relay.plan_campaign(&inbox, &["ann@a.example"], 1).await;
    let path = format!("/v1/inboxes/{inbox}");
    let (status, problem) = ask(&ground, &relay, Method::DELETE, &path, Value::Null).await;
    assert_eq!(status, 409, "{problem}");
    let words = problem["detail"].as_str().unwrap();
    assert!(words.contains("\"Spring outreach\" (cmp_"), "{words}");
    relay.inbox(&inbox).await;
    relay.stop().await;
    // A database without it is whole, and is not taken for one that was put back.
    let relay = ground.start().await;
    let (_, ledger) = ask(&ground, &relay, Method::GET, "/v1/ledger", Value::Null).await;
    assert_eq!(ledger["comparing"], json!([]), "{ledger}");
    relay.stop().await;
}

#[tokio::test]
async fn a_rest_is_shown_with_its_beginning_its_end_and_the_words_and_ends_when_it_works() {
    let ground = mail_server().await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let reconnect = relay.grant(&inbox, &password()).await;
    assert!(matches!(
        relay.outcome(&reconnect).await,
        State::Resumed { .. }
    ));
    let path = format!("/v1/inboxes/{inbox}/pace");
    let pace = async || {
        ask(&ground, &relay, Method::GET, &path, Value::Null)
            .await
            .1
    };
    assert_eq!(pace().await.get("rest"), None);
    let control = ground.sandbox.control();
    control.down(true);
    let rest = wait_for("a rest", async || {
        // One may have been on its way to be opened.
        control.end_sessions(JANE).unwrap();
        pace().await.get("rest").cloned()
    })
    .await;
    assert!(!rest["words"].as_str().unwrap().is_empty(), "{rest}");
    assert!(rest["since"].as_str() <= rest["until"].as_str(), "{rest}");
    // A later failure is one of the same rest.
    let later = wait_for("a later rest", async || {
        pace()
            .await
            .get("rest")
            .filter(|later| later["until"] != rest["until"])
            .cloned()
    })
    .await;
    assert_eq!(later["since"], rest["since"]);
    control.down(false);
    wait_for("the rest to end", async || {
        pace().await.get("rest").is_none().then_some(())
    })
    .await;
    relay.stop().await;
}

/// Whoever corrects the servers of an inbox, or removes it, waits for no server that was given wrongly.
#[tokio::test]
async fn a_sign_in_that_is_being_proved_keeps_nobody_from_correcting_or_removing_its_inbox() {
    let ground = mail_server().await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let smtp = relay.inbox(&inbox).await.smtp;
    for method in [Method::POST, Method::DELETE] {
        let held = ground.sandbox.control().hold(Point::SmtpAuthenticating);
        let reconnect = relay.grant(&inbox, &password()).await;
        held.reached().await;
        let (path, body) = if method == Method::POST {
            (
                format!("/v1/inboxes/{inbox}/servers"),
                json!({ "smtp": smtp }),
            )
        } else {
            (format!("/v1/inboxes/{inbox}"), json!({}))
        };
        let (status, answer) = ask(&ground, &relay, method.clone(), &path, body).await;
        assert_eq!(status, 200, "{answer}");
        if method == Method::POST {
            let outcome = relay.outcome(&reconnect).await;
            assert!(
                matches!(outcome, State::Refused { cause, .. } if cause == Cause::Cancelled),
                "{outcome:?}"
            );
        }
        held.release();
    }
    relay.stop().await;
}

/// Row: provider missing from the configuration | a relay is started without the table of a provider that inboxes have | nothing is paused; the inbox waits | the operator | the provider sandbox is not in the configuration
#[tokio::test]
async fn a_provider_that_the_configuration_has_lost_costs_nobody_a_sign_in() {
    let timing = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100";
    let options = Options::default();
    let ground = Ground::at(Client::Public, Clock::system(), timing, "sandbox", options).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    relay.stop().await;
    let mut config = ground.config();
    config.providers.clear();
    let relay = ground.start_with(config).await;
    let rest = wait_for("the inbox to wait", async || {
        relay.app().bell.find_rest(&inbox)
    })
    .await;
    let expected =
        "the provider sandbox is not in the configuration: write [providers.sandbox] into it";
    assert!(rest.words.starts_with(expected), "{}", rest.words);
    let campaign = relay
        .start_campaign(&inbox, &["lead@lead.example"], 1)
        .await;
    let connection = relay
        .app()
        .store
        .load_inbox(&inbox)
        .await
        .unwrap()
        .connection;
    assert!(
        matches!(connection, Connection::Connected { .. }),
        "{connection:?}"
    );
    relay.stop().await;
    assert_eq!(ground.sandbox.control().delivered().len(), 0);
    // The table is back, and everything goes on.
    let relay = ground.start().await;
    wait_for("the message to leave", async || {
        (ground.sandbox.control().delivered().len() == 1).then_some(())
    })
    .await;
    wait_for("the campaign to be finished", async || {
        let campaign = relay.app().store.load_campaign(&campaign).await.unwrap();
        (campaign.counts.accepted == 1).then_some(())
    })
    .await;
    relay.stop().await;
}

//! Alerts through their channels, counted at the other end: what is told how often, what a channel that fails costs the
//! others, and what a webhook cannot make the relay reach.

#![cfg(test)]

mod attention;
mod killed;
mod receiver;

use std::time::Duration;

use protocol::alert::{Alert, What};
use protocol::secret::Secret;
use protocol::telling::State;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::config::Config;
use relay::config::notify::{Mail, Webhook};
use relay::notify::{Answer, list_channels};
use relay::tls::Dialer;
use tokio::net::TcpListener;

use crate::app::{Client, Ground, JOHN, PASSWORD, Relay, wait_for};
use receiver::{Act, Receiver, SECRET};

const NOW: Timestamp = Timestamp::from_ms(1_796_029_920_000);

async fn ground() -> Ground {
    let timing = "poll_ms = 100";
    Ground::with(
        Client::Public,
        Duration::from_hours(1),
        Clock::manual(NOW),
        timing,
    )
    .await
}

fn with_hooks(ground: &Ground, hooks: &[(&str, &Receiver)]) -> Config {
    let mut config = ground.config();
    for (name, receiver) in hooks {
        let webhook = receiver.webhook();
        config.notify.webhooks.insert((*name).to_owned(), webhook);
    }
    config
}

/// Something happens that people are told.
async fn alarm(relay: &Relay) {
    let app = relay.app();
    app.store.stay().await.unwrap();
    let now = app.clock.now();
    app.store.meet_another_relay(None, now).await.unwrap();
    app.bell.tell();
}

/// Where the last alert stands at a channel.
async fn status(relay: &Relay, channel: &str) -> State {
    let listed = relay.app().store.list_alerts(1).await.unwrap();
    let tellings = &listed.first().expect("an alert").tellings;
    let telling = tellings.iter().find(|telling| telling.channel == channel);
    telling.expect("a channel").status
}

/// Moves the clock from try to try until the last alert is no longer waiting at a channel; answers after how many
/// failures that was. `at` is done before each further try, with how long it has been.
async fn drive(ground: &Ground, relay: &Relay, channel: &str, mut at: impl FnMut(Duration)) -> u32 {
    let began = ground.clock.now();
    let mut known = 0;
    loop {
        let state = wait_for("the next try to end", async || {
            match status(relay, channel).await {
                State::Pending { tries, .. } if tries == known => None,
                state => Some(state),
            }
        })
        .await;
        let State::Pending { tries, next_at } = state else {
            return known;
        };
        known = tries;
        at(next_at.since(began));
        ground.clock.advance(next_at.since(ground.clock.now()));
    }
}

#[tokio::test]
async fn a_webhook_that_answers_500_for_a_day_is_told_in_the_end_and_keeps_nobody_waiting() {
    let ground = ground().await;
    let (broken, whole) = (Receiver::start().await, Receiver::start().await);
    broken.always(Some(Act::Answer(
        "500 Internal Server Error",
        String::new(),
    )));
    let config = with_hooks(&ground, &[("broken", &broken), ("whole", &whole)]);
    let relay = ground.start_with(config).await;
    alarm(&relay).await;
    wait_for("the other webhook to be told", async || {
        (whole.seen().len() == 1).then_some(())
    })
    .await;
    let day = Duration::from_hours(24);
    let failures = drive(&ground, &relay, "webhook.broken", |since| {
        if since > day {
            broken.always(None);
        }
    })
    .await;
    assert!(matches!(
        status(&relay, "webhook.broken").await,
        State::Told { .. }
    ));
    // 5 s, 30 s, 2, 10, 30 min, 1, 2, 4 hours, and then every 4 hours.
    assert!((12..=16).contains(&failures), "{failures}");
    let seen = broken.seen();
    assert_eq!(seen.len(), failures as usize + 1);
    assert_eq!(seen.iter().filter(|seen| seen.taken).count(), 1);
    assert!(
        seen.iter()
            .all(|one| one.id == seen[0].id && one.body == seen[0].body)
    );
    assert_eq!(whole.seen().len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn the_end_of_a_campaign_is_told_when_its_last_message_was_sent() {
    let ground = ground().await;
    let receiver = Receiver::start().await;
    let config = with_hooks(&ground, &[("ops", &receiver)]);
    let relay = ground.start_with(config).await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let campaign = relay
        .start_campaign(&inbox, &["lead@lead.example"], 1)
        .await;
    // Nobody moves the clock: no minute is over.
    wait_for("the end to be told", async || {
        let seen = receiver.seen();
        let is_meant = |seen: &&receiver::Seen| {
            seen.body["type"] == "finished" && seen.body["data"]["campaign"] == campaign.to_string()
        };
        seen.iter().any(|seen| is_meant(&seen)).then_some(())
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn what_nobody_takes_for_three_days_is_given_up_and_counted() {
    let ground = ground().await;
    let broken = Receiver::start().await;
    broken.always(Some(Act::Answer("404 Not Found", String::new())));
    let relay = ground
        .start_with(with_hooks(&ground, &[("broken", &broken)]))
        .await;
    alarm(&relay).await;
    let began = ground.clock.now();
    drive(&ground, &relay, "webhook.broken", |_| {}).await;
    assert!(matches!(
        status(&relay, "webhook.broken").await,
        State::GivenUp { .. }
    ));
    let took = ground.clock.now().since(began);
    assert!((72..80).contains(&(took.as_secs() / 3_600)), "{took:?}");
    let channels = relay.app().store.list_channels().await.unwrap();
    let broken = channels
        .iter()
        .find(|channel| channel.name == "webhook.broken");
    assert_eq!(
        broken.map(|channel| (channel.waiting, channel.given_up)),
        Some((0, 1))
    );
    relay.stop().await;
}

#[tokio::test]
async fn a_webhook_that_never_answers_is_given_15_seconds_and_keeps_nobody_waiting() {
    let ground = ground().await;
    let (silent, whole) = (Receiver::start().await, Receiver::start().await);
    silent.always(Some(Act::Silence));
    let config = with_hooks(&ground, &[("silent", &silent), ("whole", &whole)]);
    let relay = ground.start_with(config).await;
    alarm(&relay).await;
    wait_for("the other webhook to be told", async || {
        (whole.seen().len() == 1).then_some(())
    })
    .await;
    wait_for("the post to be given up", async || {
        let state = status(&relay, "webhook.silent").await;
        matches!(state, State::Pending { tries: 1, .. }).then_some(())
    })
    .await;
    let listed = relay.app().store.list_alerts(1).await.unwrap();
    let words: Vec<_> = listed[0]
        .tellings
        .iter()
        .filter_map(|one| one.words.clone())
        .collect();
    assert!(
        words
            .iter()
            .any(|words| words.contains("within 15 seconds")),
        "{words:?}"
    );
    relay.stop().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_410_switches_a_webhook_off_until_it_takes_a_test() {
    let ground = ground().await;
    let (leads_on, target) = (Receiver::start().await, Receiver::start().await);
    let gone = Receiver::start().await;
    let location = format!("Location: http://{}/\r\n", target.address);
    leads_on.always(Some(Act::Answer("307 Temporary Redirect", location)));
    gone.always(Some(Act::Answer("410 Gone", String::new())));
    let config = with_hooks(&ground, &[("leads-on", &leads_on), ("gone", &gone)]);
    let relay = ground.start_with(config.clone()).await;
    alarm(&relay).await;
    wait_for("both to have answered", async || {
        let redirected = status(&relay, "webhook.leads-on").await;
        let is_off = matches!(status(&relay, "webhook.gone").await, State::GivenUp { .. });
        (is_off && matches!(redirected, State::Pending { tries: 1, .. })).then_some(())
    })
    .await;
    assert_eq!(target.n_connections(), 0);
    relay.stop().await;

    // It stays off over a restart, and what happens then is not told to it.
    ground.clock.advance(Duration::from_mins(1));
    let relay = ground.start_with(config).await;
    alarm(&relay).await;
    wait_for("the log to be told", async || {
        matches!(status(&relay, "log").await, State::Told { .. }).then_some(())
    })
    .await;
    let listed = relay.app().store.list_alerts(1).await.unwrap();
    let channels = listed[0].tellings.iter().map(|one| one.channel.as_str());
    assert_eq!(channels.collect::<Vec<_>>(), ["log", "webhook.leads-on"]);
    assert_eq!(gone.seen().len(), 1);
    gone.always(None);
    let tested = crate::app::person::operator(&ground)
        .post(relay.url("/v1/alerts/test"))
        .json(&serde_json::json!({}));
    let tested: serde_json::Value = tested.send().await.unwrap().json().await.unwrap();
    let taken = |name: &str| {
        let channels = tested["channels"].as_array().unwrap();
        let channel = channels.iter().find(|channel| channel["name"] == name);
        channel.unwrap()["taken"].as_bool().unwrap()
    };
    assert!(
        taken("webhook.gone") && taken("log") && !taken("webhook.leads-on"),
        "{tested}"
    );
    ground.clock.advance(Duration::from_mins(1));
    alarm(&relay).await;
    wait_for("it to be told again", async || {
        (gone.seen().len() == 3).then_some(())
    })
    .await;
    let kinds: Vec<_> = gone
        .seen()
        .iter()
        .map(|seen| seen.body["type"].clone())
        .collect();
    assert_eq!(kinds, ["another_relay", "test", "another_relay"]);
    assert_eq!(target.n_connections(), 0);
    relay.stop().await;
}

fn test_alert() -> Alert {
    let what = What::Test {};
    Alert {
        key: Alert::key_of(&what, "relay", NOW),
        at: NOW,
        inbox: None,
        what,
    }
}

async fn post_to(url: &str, private: bool) -> Answer {
    let text = "listen = \"127.0.0.1:0\"\ndata = \"d\"\nkey_file = \"k\"\n";
    let environment = relay::config::Environment::default();
    let mut config = Config::parse(text, std::path::Path::new("t"), &environment).unwrap();
    let webhook = Webhook {
        url: url.parse().unwrap(),
        secret: Secret::new(SECRET),
        private,
    };
    config.notify.webhooks.insert("ops".to_owned(), webhook);
    let channels = list_channels(&config);
    let channel = channels
        .iter()
        .find(|channel| channel.name == "webhook.ops");
    let dialer = Dialer::new(None).unwrap();
    let alerts = [test_alert()];
    channel
        .unwrap()
        .tell(&dialer, &alerts, "http://relay.example", NOW)
        .await
}

#[tokio::test]
async fn a_webhook_reaches_no_private_address_however_it_is_written() {
    let four = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = four.local_addr().unwrap().port();
    let six = TcpListener::bind(("::1", port)).await.ok();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a00:1]",
        "[2002:7f00:1::1]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[::ffff:10.0.0.1]",
    ] {
        let answer = post_to(&format!("https://{host}:{port}/x"), false).await;
        let Answer::NotTaken { words, .. } = &answer else {
            panic!("{host}: {answer:?}");
        };
        assert!(
            words.contains("an address of a private network"),
            "{host}: {words}"
        );
        assert!(words.contains("private = true"), "{words}");
    }
    // Nobody knocked: whoever does is still to be accepted.
    let none = tokio::time::timeout(Duration::from_millis(1), four.accept()).await;
    assert!(none.is_err(), "127.0.0.1 was reached");
    if let Some(six) = six {
        let none = tokio::time::timeout(Duration::from_millis(1), six.accept()).await;
        assert!(none.is_err(), "::1 was reached");
    }
    // Where the operator allows it, it is reached.
    let receiver = Receiver::start().await;
    let url = format!("http://{}/hook", receiver.address);
    assert!(matches!(post_to(&url, true).await, Answer::Taken { .. }));
    assert_eq!(receiver.seen().len(), 1);
}

#[tokio::test]
async fn an_alert_comes_by_mail_marked_as_a_machines_with_no_secret_in_it() {
    let ground = ground().await;
    let mut config = ground.config();
    config.notify.mail = Some(Mail {
        to: vec![
            "ops@other.example".parse().unwrap(),
            "boss@other.example".parse().unwrap(),
        ],
        from: JOHN.parse().unwrap(),
        server: config.providers.values().next().unwrap().smtp.clone(),
        user: JOHN.to_owned(),
        password: Secret::new(PASSWORD),
        gather: Duration::from_secs(30),
    });
    let relay = ground.start_with(config).await;
    alarm(&relay).await;
    let told = async || {
        let delivered = ground.sandbox.control().delivered();
        (delivered.len() == 2).then_some(delivered)
    };
    let delivered = ground.drive_until("both mails", told).await;
    let mut recipients: Vec<_> = delivered.iter().map(|one| one.recipient.clone()).collect();
    recipients.sort();
    assert_eq!(recipients, ["boss@other.example", "ops@other.example"]);
    let key = relay.app().store.list_alerts(1).await.unwrap()[0]
        .alert
        .key
        .clone();
    for one in &delivered {
        let text = String::from_utf8(one.raw.to_vec()).unwrap();
        assert!(
            text.contains("Auto-Submitted: auto-generated\r\n"),
            "{text}"
        );
        assert_eq!(
            one.message_id
                .as_deref()
                .map(|id| id.trim_matches(['<', '>'])),
            Some(format!("{key}@acme.example").as_str())
        );
        assert!(text.contains("unpause ledger keep"), "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
    relay.stop().await;
}

//! A person's word on a delivery that is in doubt: two of them shut an inbox, and whoever knows better may say so. One
//! that is being attempted is nobody's to decide.

use std::time::Duration;

use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use sandbox::{AccountDoes, AccountFault, Point, SentCopyFault, Stage};
use serde_json::{Value, json};

use crate::app::person::operator;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

const LEADS: [&str; 4] = [
    "ann@a.example",
    "bob@b.example",
    "cy@c.example",
    "dan@d.example",
];

async fn settle(ground: &Ground, relay: &Relay, id: &str, decision: &str) -> (u16, Value) {
    let asked = operator(ground)
        .post(relay.url(&format!("/v1/deliveries/{id}/settle")))
        .json(&json!({ "decision": decision }));
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_person_ends_what_shuts_an_inbox() {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let access_for = Duration::from_hours(96);
    let ground = Ground::with(Client::Public, access_for, clock, "poll_ms = 600000").await;
    let mut config = ground.config();
    config.canary = false;
    let relay = ground.start_with(config).await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let control = ground.sandbox.control();
    control.set_sent_copy(Some(SentCopyFault::Never));
    let lost = AccountFault {
        stage: Stage::AfterData,
        after: 0,
        does: AccountDoes::Lose,
    };
    control.trouble_account(JANE, Some(lost));
    let held = control.hold(Point::SmtpDotReceived);
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    held.reached().await;
    let attempting = relay.list(&campaign, Some("attempting")).await;
    let (status, refused) = settle(&ground, &relay, attempting[0].id.as_str(), "leave").await;
    assert_eq!(status, 409, "{refused}");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("is being attempted: wait"), "{detail}");
    held.release();

    let doubts = wait_for("two doubts", async || {
        ground.clock.advance(Duration::from_secs(20));
        let doubts = relay.list(&campaign, Some("in_doubt")).await;
        (doubts.len() == 2).then_some(doubts)
    })
    .await;
    control.trouble_account(JANE, None);
    // Nothing settles them, and nothing else is tried.
    let until = ground.clock.now() + Duration::from_hours(2);
    wait_for("two hours to pass", async || {
        ground.clock.advance(Duration::from_mins(2));
        (ground.clock.now() > until).then_some(())
    })
    .await;
    assert_eq!(relay.list(&campaign, Some("in_doubt")).await.len(), 2);
    assert_eq!(relay.list(&campaign, Some("planned")).await.len(), 2);
    assert_eq!(control.delivered().len(), 0);

    let (status, left) = settle(&ground, &relay, doubts[0].id.as_str(), "leave").await;
    assert_eq!(
        (status, &left["status"]["state"]),
        (200, &json!("accepted"))
    );
    let (status, again) = settle(&ground, &relay, doubts[1].id.as_str(), "send_again").await;
    assert_eq!(status, 200, "{again}");
    let (status, refused) = settle(&ground, &relay, doubts[0].id.as_str(), "cancel").await;
    assert_eq!(status, 409, "{refused}");
    wait_for("everything else to be sent", async || {
        ground.clock.advance(Duration::from_secs(20));
        let accepted = relay.list(&campaign, Some("accepted")).await;
        (accepted.len() == LEADS.len()).then_some(())
    })
    .await;
    let mut recipients: Vec<_> = control
        .delivered()
        .into_iter()
        .map(|mail| mail.recipient)
        .collect();
    recipients.sort();
    let mut expected: Vec<_> = LEADS
        .iter()
        .filter(|lead| **lead != doubts[0].to.as_str())
        .copied()
        .collect();
    expected.sort_unstable();
    assert_eq!(recipients, expected);
    relay.stop().await;
}

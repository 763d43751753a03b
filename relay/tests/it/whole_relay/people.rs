//! One person in several campaigns: what is heard of them in one counts in all.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::delivery::State;
use protocol::id::CampaignId;
use protocol::request::delivery::Delivery;
use protocol::request::suppression::Whom;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;

use crate::app::{Client, Ground, JANE, Relay, wait_for};

/// Answers in the first campaign; in the second one the address is written another way.
const ANN: [&str; 2] = ["ann@a.example", "Ann@A.example"];
/// A message of the first campaign comes back: there is no such address.
const BOB: [&str; 2] = ["bob@b.example", "bob@b.example"];
/// A message of the first campaign comes back: the mailbox is full.
const FAY: [&str; 2] = ["fay@f.example", "fay@f.example"];
/// Reports a message of the first campaign as abuse.
const CY: [&str; 2] = ["cy@c.example", "cy@c.example"];
/// A person says that nobody of this domain is written to any more.
const DAN: [&str; 2] = ["dan@xn--bcher-kva.example", "dan@bücher.example"];
/// Has had the one message of a third campaign, and answers that.
const GIL: &str = "gil@g.example";
/// Answers the first campaign in a message of its own, and spells the domain the other way than the lists do.
const HAL: [&str; 2] = ["hal@xn--mnchen-3ya.example", "hal@münchen.example"];
/// Nothing is heard of.
const EVE: [&str; 2] = ["eve@e.example", "eve@e.example"];

fn first<'a>(of: &'a [Delivery], who: [&str; 2]) -> &'a Delivery {
    of.iter()
        .find(|one| who.contains(&one.to.as_str()) && one.step == 1)
        .unwrap()
}

fn id(of: &Delivery) -> &str {
    of.message_id.as_deref().unwrap()
}

pub(super) fn answer(to: &Delivery) -> String {
    format!(
        "From: {}\r\nTo: {JANE}\r\nMessage-ID: <answer.{}>\r\nIn-Reply-To: <{}>\r\n\r\nYes, let us talk.\r\n",
        to.to,
        to.to,
        id(to)
    )
}

/// An answer that names nothing of ours.
fn answer_anew(from: &str) -> String {
    format!(
        "From: {from}\r\nTo: {JANE}\r\nMessage-ID: <anew@hal.example>\r\nSubject: Please\r\n\r\nNo more of this.\r\n"
    )
}

pub(super) fn failure(of: &Delivery, status: &str, words: &str) -> String {
    let domain = of.to.domain();
    format!(
        "From: MAILER-DAEMON@{domain}\r\nTo: {JANE}\r\nSubject: Undelivered\r\nMessage-ID: <failure@{domain}>\r\n\
         Content-Type: multipart/report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.{domain}\r\n\r\n\
         Final-Recipient: rfc822; {}\r\nAction: failed\r\nStatus: {status}\r\nRemote-MTA: dns; mx.{domain}\r\n\
         Diagnostic-Code: smtp; 550 {status} {words}\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{}>\r\n--b--\r\n",
        of.to,
        id(of)
    )
}

/// RFC 5965.
pub(super) fn complaint(about: &Delivery) -> String {
    format!(
        "From: feedback@c.example\r\nTo: {JANE}\r\nSubject: Report\r\nMessage-ID: <report@c.example>\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nAn abuse report.\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\n\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: {JANE}\r\nTo: {}\r\nMessage-ID: <{}>\r\n\r\nHello\r\n--b--\r\n",
        about.to,
        id(about)
    )
}

async fn wait_for_firsts(relay: &Relay, campaign: &CampaignId, n: usize) -> Vec<Delivery> {
    wait_for("the first messages", async || {
        let accepted = relay.list(campaign, Some("accepted")).await;
        (accepted.len() == n).then_some(accepted)
    })
    .await
}

/// Moves the clock on in steps that a machine under load gets through.
pub(super) async fn drive_until<T>(
    ground: &Ground,
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    wait_for(what, async || {
        ground.clock.advance(Duration::from_secs(30));
        condition().await
    })
    .await
}

/// How many messages stand in each person's mailbox, of whatever campaign.
fn count_by_person(ground: &Ground) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in ground.sandbox.control().delivered() {
        *counts.entry(message.recipient.to_lowercase()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn what_is_heard_of_a_person_in_one_campaign_counts_in_all() {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let day = Duration::from_hours(24);
    let ground = Ground::with(Client::Public, day, clock, "poll_ms = 1000").await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let people = [ANN, BOB, FAY, CY, DAN, EVE];
    let [one, other] = [0, 1].map(|idx| people.map(|person| person[idx]));
    let one: Vec<&str> = one.into_iter().chain([HAL[0]]).collect();
    let one = relay.start_campaign(&inbox, &one, 2).await;
    let short = relay.start_campaign(&inbox, &[GIL], 1).await;
    let others: Vec<&str> = other.into_iter().chain([GIL, HAL[0]]).collect();
    let other = relay.start_campaign(&inbox, &others, 2).await;
    let firsts = wait_for_firsts(&relay, &one, people.len() + 1).await;
    wait_for_firsts(&relay, &other, others.len()).await;
    let only = wait_for_firsts(&relay, &short, 1).await;

    let control = ground.sandbox.control();
    control.deliver(JANE, answer(first(&firsts, ANN)));
    control.deliver(JANE, answer(first(&only, [GIL; 2])));
    control.deliver(JANE, answer_anew(HAL[1]));
    control.deliver(
        JANE,
        failure(first(&firsts, BOB), "5.1.1", "no such mailbox"),
    );
    control.deliver(JANE, failure(first(&firsts, FAY), "5.2.2", "mailbox full"));
    control.deliver(JANE, complaint(first(&firsts, CY)));
    let whom: Whom = "xn--bcher-kva.example".parse().unwrap();
    let now = ground.clock.now();
    let n_stopped = relay.app().store.suppress(&whom, now).await.unwrap();
    assert_eq!(n_stopped, 2, "one in each campaign");

    // An hour and more: every second step that may leave has left.
    drive_until(
        &ground,
        "the second steps of the second campaign",
        async || {
            let all = relay.list(&other, None).await;
            let is_over = |row: &&Delivery| {
                matches!(
                    row.status,
                    State::Accepted { .. } | State::Suppressed { .. }
                )
            };
            let n_over = all
                .iter()
                .filter(|row| row.step == 2)
                .filter(is_over)
                .count();
            (n_over == others.len()).then_some(())
        },
    )
    .await;
    drive_until(
        &ground,
        "the second steps of the first campaign",
        async || {
            let all = relay.list(&one, None).await;
            let of_eve = all
                .iter()
                .find(|row| row.step == 2 && row.to.as_str() == EVE[0])?;
            matches!(of_eve.status, State::Accepted { .. }).then_some(())
        },
    )
    .await;

    // Who answered may be written to in a campaign that begins later; the others may not.
    let later = relay
        .start_campaign(&inbox, &[ANN[0], BOB[0], CY[0], DAN[1], EVE[0]], 1)
        .await;
    drive_until(&ground, "the later campaign to end", async || {
        let all = relay.list(&later, None).await;
        let n_open = all
            .iter()
            .filter(|row| {
                !matches!(
                    row.status,
                    State::Accepted { .. } | State::Suppressed { .. }
                )
            })
            .count();
        (n_open == 0 && all.len() == 5).then_some(())
    })
    .await;
    relay.stop().await;
    let wanted = [
        (ANN[0], 3),
        (BOB[0], 2),
        (FAY[0], 3),
        (CY[0], 2),
        (DAN[0], 2),
        (EVE[0], 5),
        (GIL, 2),
        (HAL[0], 2),
    ];
    let wanted: BTreeMap<_, _> = wanted.map(|(who, n)| (who.to_owned(), n)).into();
    assert_eq!(count_by_person(&ground), wanted);
}

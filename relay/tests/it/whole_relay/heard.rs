//! What is heard of people whom a database that was put back holds for not written to: an answer or a failure stops
//! them, and shows that their message was sent.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::delivery::{Decision, State, Suppression};
use protocol::request::delivery::Delivery;
use relay::store::standing::{PutBack, Which};
use sandbox::Delivered;

use super::people::{answer, complaint, failure};
use super::restored::{LEADS, NO_COPY, copy, ground, manual, wait_accepted};
use crate::app::{Ground, JANE};

/// The fourth lead: its message comes back.
const DAN: &str = "dan@d.example";
/// The fifth one: nothing is heard of it.
const EVE: &str = "eve@e.example";

fn sent_to(ground: &Ground, lead: &str) -> Delivered {
    let delivered = ground.sandbox.control().delivered();
    let mut all = delivered.into_iter();
    all.find(|one| one.recipient == lead).unwrap()
}

/// How many messages stand in each person's mailbox.
fn count_by_person(ground: &Ground) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in ground.sandbox.control().delivered() {
        *counts.entry(message.recipient).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn who_is_heard_of_after_a_restore_is_stopped_though_nothing_else_shows_that_they_were_written_to()
 {
    let ground = ground(&NO_COPY, "openid", manual()).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let leads = [LEADS[0], LEADS[1], LEADS[2], DAN, EVE];
    // The clock stands: nothing leaves before it is saved.
    let campaign = relay.plan_campaign(&inbox, &leads, 2).await;
    relay.stop().await;
    copy(&ground.path("data"), &ground.path("saved"));
    assert_eq!(count_by_person(&ground), BTreeMap::new());
    let relay = ground.start().await;
    wait_accepted(&ground, &relay, &campaign, leads.len()).await;
    // Not in order: no copies are made at its end.
    relay.kill();
    copy(&ground.path("saved"), &ground.path("data"));

    let id = |lead: &str| sent_to(&ground, lead).message_id.unwrap();
    let control = ground.sandbox.control();
    // From another address than the message went to.
    control.deliver(
        JANE,
        format!(
            "From: assistant@b.example\r\nTo: {JANE}\r\nSubject: Re: Hello\r\nMessage-ID: <answer@b.example>\r\n\
             In-Reply-To: {}\r\n\r\nNot now.\r\n",
            id(LEADS[1])
        ),
    );
    // It names no message.
    control.deliver(
        JANE,
        format!(
            "From: {}\r\nTo: {JANE}\r\nSubject: your mail\r\nMessage-ID: <answer@c.example>\r\n\r\nNot now.\r\n",
            LEADS[2]
        ),
    );
    control.deliver(
        JANE,
        format!(
            "From: MAILER-DAEMON@d.example\r\nTo: {JANE}\r\nSubject: Undelivered\r\nMessage-ID: <failure@d.example>\r\n\
             Content-Type: multipart/report; boundary=b\r\n\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.d.example\r\n\r\n\
             Final-Recipient: rfc822; {DAN}\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.d.example\r\n\
             Diagnostic-Code: smtp; 550 5.1.1 no such mailbox\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {}\r\n--b--\r\n",
            id(DAN)
        ),
    );

    let relay = ground.start().await;
    let held = ground
        .drive_until("those to be held of whom nothing is heard", async || {
            let held = relay.list(&campaign, Some("unsettled")).await;
            (held.len() == 2).then_some(held)
        })
        .await;
    let app = relay.app();
    for one in held {
        assert!([LEADS[0], EVE].contains(&one.to.as_str()), "{one:?}");
        let now = app.clock.now();
        let decided = app.store.record_decision(&one.id, Decision::Leave, now);
        decided.await.unwrap();
    }
    app.bell.wake_inboxes();
    ground
        .drive_until("the second messages", async || {
            ground.clock.advance(Duration::from_mins(5));
            let counts = count_by_person(&ground);
            (counts[LEADS[0]] == 2 && counts[EVE] == 2).then_some(())
        })
        .await;
    let all = relay.list(&campaign, None).await;
    for (lead, why) in [
        (LEADS[1], Suppression::Replied),
        (LEADS[2], Suppression::Replied),
        (DAN, Suppression::Bounced),
    ] {
        let second = all
            .iter()
            .find(|one| one.to.as_str() == lead && one.step == 2)
            .unwrap();
        assert_eq!(second.status, State::Suppressed { why }, "{lead}");
    }
    // Theirs would have been due with the others.
    for _ in 0..5 {
        ground.clock.advance(Duration::from_hours(1));
    }
    relay.stop().await;
    let wanted = [
        (LEADS[0], 2),
        (LEADS[1], 1),
        (LEADS[2], 1),
        (DAN, 1),
        (EVE, 2),
    ];
    let wanted: BTreeMap<_, _> = wanted.map(|(who, n)| (who.to_owned(), n)).into();
    assert_eq!(count_by_person(&ground), wanted);
}

/// Its message comes back, is put back, and before it is sent anew the person answers the first one.
const GIL: &str = "gil@g.example";
/// Its message stays, and the next one is due in an hour: the campaign goes on.
const HAL: &str = "hal@h.example";

#[tokio::test]
async fn who_was_heard_of_is_not_put_back_whatever_came_back_of_their_message_before() {
    let ground = ground(&NO_COPY, "openid", manual()).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let [ann, bob, cat] = LEADS;
    let campaign = relay
        .start_campaign(&inbox, &[ann, bob, cat, DAN, EVE, GIL, HAL], 2)
        .await;
    let other = relay.start_campaign(&inbox, &[DAN], 1).await;
    wait_accepted(&ground, &relay, &campaign, 7).await;
    wait_accepted(&ground, &relay, &other, 1).await;
    let sent = relay.list(&campaign, Some("accepted")).await;
    let of = |lead: &str| -> &Delivery { sent.iter().find(|one| one.to.as_str() == lead).unwrap() };
    let control = ground.sandbox.control();
    let returned: Vec<_> = sent.iter().filter(|one| one.to.as_str() != HAL).collect();
    for one in &returned {
        control.deliver(JANE, failure(one, "5.2.2", "mailbox full"));
    }
    ground
        .drive_until("all of them to have come back", async || {
            (relay.list(&campaign, Some("bounced")).await.len() == returned.len()).then_some(())
        })
        .await;

    let app = relay.app();
    let store = &app.store;
    // What is put back waits while the answers are read.
    let now = app.clock.now();
    store.pause_campaign(&campaign, now).await.unwrap();
    // Ann answers all the same, Bob calls it abuse, a person wants nobody to write to Cat, and Dan answers elsewhere.
    control.deliver(JANE, answer(of(ann)));
    control.deliver(JANE, complaint(of(bob)));
    let whom = cat.parse().unwrap();
    store.suppress(&whom, app.clock.now()).await.unwrap();
    let in_other = relay.list(&other, Some("accepted")).await.pop().unwrap();
    control.deliver(JANE, answer(&in_other));
    let all = Which::default();
    let one = |lead: &str| Which {
        delivery: Some(of(lead).id.clone()),
        ..Which::default()
    };
    let put_back = async |which: &Which| {
        let back = store.put_back_deliveries(&campaign, which, app.clock.now());
        back.await.unwrap()
    };
    let back = put_back(&one(GIL)).await;
    assert_eq!((back.moved, back.kept), (1, Vec::new()));
    control.deliver(JANE, answer(of(GIL)));
    ground
        .drive_until("what arrived to be read", async || {
            let rows = relay.list(&campaign, Some("suppressed")).await;
            let is_gils = |one: &&Delivery| one.to.as_str() == GIL && one.step == 1;
            rows.iter().find(is_gils).map(|_| ())
        })
        .await;

    let kept = |why| PutBack {
        moved: 0,
        kept: vec![(why, 1)],
    };
    for (lead, why) in [
        (ann, Suppression::Replied),
        (bob, Suppression::Complained),
        (cat, Suppression::Person),
        (DAN, Suppression::Replied),
    ] {
        assert_eq!(put_back(&one(lead)).await, kept(why), "{lead}");
    }
    let mut back = put_back(&all).await;
    back.kept.sort_by_key(|(why, _)| why.code());
    let wanted = [
        (Suppression::Complained, 1),
        (Suppression::Person, 1),
        (Suppression::Replied, 2),
    ];
    assert_eq!((back.moved, back.kept), (1, wanted.to_vec()));
    let now = app.clock.now();
    store.resume_campaign(&campaign, now).await.unwrap();
    app.bell.wake_inboxes();
    ground
        .drive_until("the one that may be sent anew", async || {
            (count_by_person(&ground)[EVE] == 2).then_some(())
        })
        .await;
    // The word of a person may be taken back by one.
    assert!(store.allow_again(&whom, app.clock.now()).await.unwrap());
    assert_eq!(put_back(&one(cat)).await.moved, 1);
    app.bell.wake_inboxes();
    ground
        .drive_until("what a person allows again", async || {
            (count_by_person(&ground)[cat] == 2).then_some(())
        })
        .await;
    relay.stop().await;
    let wanted = [
        (ann, 1),
        (bob, 1),
        (cat, 2),
        (DAN, 2),
        (EVE, 2),
        (GIL, 1),
        (HAL, 1),
    ];
    let wanted: BTreeMap<_, _> = wanted.map(|(who, n)| (who.to_owned(), n)).into();
    assert_eq!(count_by_person(&ground), wanted);
}

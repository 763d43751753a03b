//! What arrives is listed with its words, once, and what a person says of it holds in the recipients' mailboxes.

use std::time::Duration;

use protocol::delivery::State;
use protocol::id::CampaignId;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use serde_json::{Value, json};

use super::people::{complaint, failure};
use crate::app::person::operator;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

const HOUR: Duration = Duration::from_hours(1);
/// 2026-12-01T20:00:00Z
const EVENING: i64 = 1_796_155_200_000;

async fn get(ground: &Ground, relay: &Relay, path: &str) -> (u16, Value) {
    let asked = operator(ground).get(relay.url(path));
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn post(ground: &Ground, relay: &Relay, path: &str, body: Value) -> (u16, Value) {
    let asked = operator(ground).post(relay.url(path)).json(&body);
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn list(ground: &Ground, relay: &Relay, query: &str) -> Vec<Value> {
    let (status, answer) = get(ground, relay, &format!("/v1/replies?{query}")).await;
    assert_eq!(status, 200, "{answer}");
    answer["replies"].as_array().unwrap().clone()
}

/// What each of these people got, by how many messages.
fn count_mail(ground: &Ground, who: &str) -> usize {
    let all = ground.sandbox.control().delivered();
    all.iter()
        .filter(|one| one.recipient.eq_ignore_ascii_case(who))
        .count()
}

fn answer_with(first: &protocol::request::delivery::Delivery, fields: &str, body: &str) -> String {
    format!(
        "From: =?utf-8?q?J=C3=B6rg?= <{}>\r\nTo: {JANE}\r\nMessage-ID: <a.{}>\r\nDate: Tue, 01 Dec 2026 20:30:00 +0000\r\n\
         In-Reply-To: <{}>\r\n{fields}\r\n\r\n{body}\r\n",
        first.to,
        first.to,
        first.message_id.as_deref().unwrap()
    )
}

/// Moves the clock on minute by minute, for so long, with every look that is due.
async fn pass(ground: &Ground, relay: &Relay, time: Duration) {
    let end = ground.clock.now() + time;
    while ground.clock.now() < end {
        let until = end.min(ground.clock.now() + HOUR);
        wait_for("an hour to pass", async || {
            ground.clock.advance(Duration::from_mins(1));
            relay.app().bell.wake_inboxes();
            (ground.clock.now() >= until).then_some(())
        })
        .await;
    }
}

async fn accepted(
    relay: &Relay,
    campaign: &CampaignId,
    n: usize,
) -> Vec<protocol::request::delivery::Delivery> {
    wait_for("messages to be accepted", async || {
        let accepted = relay.list(campaign, Some("accepted")).await;
        (accepted.len() == n).then_some(accepted)
    })
    .await
}

fn of<'a>(
    all: &'a [protocol::request::delivery::Delivery],
    who: &str,
) -> &'a protocol::request::delivery::Delivery {
    all.iter().find(|one| one.to.as_str() == who).unwrap()
}

#[tokio::test]
async fn what_arrives_is_listed_once_with_its_words_and_goes_with_its_lead() {
    let ground = Ground::new(Client::Public).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let leads = [
        "ann@a.example",
        "bob@b.example",
        "cy@c.example",
        "di@d.example",
    ];
    let campaign = relay.start_campaign(&inbox, &leads, 2).await;
    let first = accepted(&relay, &campaign, 4).await;
    let ann = answer_with(
        of(&first, "ann@a.example"),
        "Subject: Re: Hello\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit",
        "",
    );
    let mut ann = ann.into_bytes();
    ann.extend_from_slice(
        b"Gr\xfc\xdfe\r\n\r\nOn 1 Dec 2026 Jane wrote:\r\n> This is message 1.\r\n",
    );
    control.deliver(JANE, &ann);
    // The same message again, and in a folder, as a rule or a server of another make has it.
    control.deliver(JANE, &ann);
    control.deliver_into(JANE, "Clients", &ann);
    control.deliver(
        JANE,
        answer_with(
            of(&first, "bob@b.example"),
            "Subject: Automatic reply: Hello",
            "I am away.",
        ),
    );
    control.deliver(
        JANE,
        failure(of(&first, "cy@c.example"), "5.1.1", "no such mailbox"),
    );
    control.deliver(JANE, complaint(of(&first, "di@d.example")));
    control.deliver(
        JANE,
        format!(
            "From: zoe@z.example\r\nTo: {JANE}\r\nSubject: Private\r\n\r\nNothing of yours.\r\n"
        ),
    );
    let all = wait_for("all to be listed", async || {
        let all = list(&ground, &relay, "").await;
        (all.len() >= 4).then_some(all)
    })
    .await;
    relay.nudge(&inbox);
    let told = |all: &[Value]| {
        let mut told: Vec<_> = all
            .iter()
            .map(|one| {
                let part = |name: &str| one[name].as_str().unwrap().to_owned();
                (
                    part("lead_address"),
                    part("kind"),
                    one["step"].as_u64().unwrap(),
                )
            })
            .collect();
        told.sort();
        told
    };
    let expected = [
        ("ann@a.example", "reply"),
        ("bob@b.example", "auto_reply"),
        ("cy@c.example", "bounce"),
        ("di@d.example", "complaint"),
    ]
    .map(|(lead, kind)| (lead.to_owned(), kind.to_owned(), 1));
    assert_eq!(told(&all), expected);
    let of_ann = all.iter().find(|one| one["kind"] == "reply").unwrap();
    assert_eq!(of_ann["from"], "ann@a.example");
    assert_eq!(of_ann["from_name"], "Jörg");
    assert_eq!(of_ann["subject"], "Re: Hello");
    let id = of_ann["id"].as_str().unwrap();
    let (_, shown) = get(&ground, &relay, &format!("/v1/replies/{id}")).await;
    assert_eq!(shown["text"], "Grüße");
    assert_eq!(
        shown["quoted"],
        "On 1 Dec 2026 Jane wrote:\n> This is message 1."
    );
    // Page by page nothing is missing and nothing twice.
    let (mut paged, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let (_, page) = get(&ground, &relay, &format!("/v1/replies?{query}")).await;
        paged.extend(page["replies"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        query = format!("limit=3&after={next}");
    }
    assert_eq!(told(&paged), expected);
    for (query, n) in [
        (format!("campaign_id={campaign}"), 4),
        (format!("inbox_id={inbox}"), 4),
        ("kind=bounce".to_owned(), 1),
        ("mark=none".to_owned(), 4),
        ("mark=interested".to_owned(), 0),
        ("since=2100-01-01T00:00:00Z".to_owned(), 0),
        ("since=2020-01-01T00:00:00Z".to_owned(), 4),
    ] {
        assert_eq!(list(&ground, &relay, &query).await.len(), n, "{query}");
    }
    // A start reads nothing twice, and what a person erases is gone and stays so.
    relay.stop().await;
    let relay = ground.start().await;
    let lead = of_ann["lead"].as_str().unwrap();
    let delete = operator(&ground).delete(relay.url(&format!("/v1/leads/{lead}")));
    assert_eq!(delete.send().await.unwrap().status(), 200);
    control.deliver_into(JANE, "More", &ann);
    control.deliver(
        JANE,
        answer_with(
            of(&first, "bob@b.example"),
            "Subject: Re: Hello",
            "Here I am.",
        )
        .replace("<a.", "<b."),
    );
    let all = wait_for("the last to be listed", async || {
        let all = list(&ground, &relay, "").await;
        all.iter()
            .any(|one| one["kind"] == "reply" && one["lead_address"] == "bob@b.example")
            .then_some(all)
    })
    .await;
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(all.iter().all(|one| one["lead"] != lead), "{all:?}");
    // Words are kept for as long as the operator wants.
    let now = relay.app().clock.now();
    assert_eq!(relay.app().store.forget_words(now + HOUR).await.unwrap(), 4);
    let id = all[0]["id"].as_str().unwrap();
    let (_, shown) = get(&ground, &relay, &format!("/v1/replies/{id}")).await;
    assert!(shown.get("text").is_none(), "{shown}");
    relay.stop().await;
}

#[tokio::test]
async fn who_is_away_gets_nothing_before_that_day_and_the_rest_of_the_wait_is_waited_after_it() {
    let clock = Clock::manual(Timestamp::from_ms(EVENING));
    let ground = Ground::with(Client::Public, 24 * HOUR, clock, "poll_ms = 1000").await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let wait_ms = u64::try_from((4 * HOUR).as_millis()).unwrap();
    let leads = ["ann@a.example", "bob@b.example"];
    let campaign = relay.plan_steps(&inbox, &leads, &[0, wait_ms]).await;
    relay.nudge(&inbox);
    let first = accepted(&relay, &campaign, 2).await;
    // 21:00, three hours before the second message: she is away until midnight.
    pass(&ground, &relay, HOUR).await;
    let words = "Ich bin bis zum 2. Dezember nicht im Haus.";
    control.deliver(
        JANE,
        answer_with(
            of(&first, "ann@a.example"),
            "Subject: Abwesenheitsnotiz: Hello",
            words,
        ),
    );
    let lead = of(&first, "ann@a.example").lead.clone();
    let held_at = wait_for("her to be held", async || {
        ground.clock.advance(Duration::from_secs(2));
        let lead = relay.app().store.load_lead(&lead).await.unwrap();
        lead.away_until.map(|until| {
            assert_eq!(until, Timestamp::from_ms(EVENING) + 4 * HOUR);
            ground.clock.now()
        })
    })
    .await;
    let (_, why) = get(&ground, &relay, &format!("/v1/campaigns/{campaign}/why")).await;
    let gate = |name: &str| -> Option<(u64, Option<String>)> {
        let found = why["waiting"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["gate"] == name)?;
        Some((
            found["n"].as_u64()?,
            found["until"].as_str().map(str::to_owned),
        ))
    };
    assert_eq!(
        gate("away"),
        Some((1, Some("2026-12-02T00:00:00.000Z".to_owned()))),
        "{why}"
    );
    assert_eq!(gate("not_due").map(|(n, _)| n), Some(1), "{why}");
    // A campaign that is started meanwhile waits for her too.
    let other = relay.plan_steps(&inbox, &["Ann@A.example"], &[0]).await;
    relay.nudge(&inbox);
    // Three hours were left but for what passed until it was read, and they are waited from midnight on.
    let midnight = Timestamp::from_ms(EVENING) + 4 * HOUR;
    let due_at = midnight + (midnight.since(held_at));
    let before = midnight
        .since(ground.clock.now())
        .saturating_sub(Duration::from_mins(5));
    pass(&ground, &relay, before).await;
    assert_eq!(count_mail(&ground, "ann@a.example"), 1, "nothing before");
    let before = due_at
        .since(ground.clock.now())
        .saturating_sub(Duration::from_mins(5));
    pass(&ground, &relay, before).await;
    accepted(&relay, &other, 1).await;
    wait_for("Bob's second message", async || {
        (count_mail(&ground, "bob@b.example") == 2).then_some(())
    })
    .await;
    assert_eq!(
        count_mail(&ground, "ann@a.example"),
        2,
        "the rest is waited"
    );
    wait_for("Ann's second message", async || {
        ground.clock.advance(Duration::from_secs(20));
        relay.nudge(&inbox);
        (count_mail(&ground, "ann@a.example") == 3).then_some(())
    })
    .await;
    let late = ground.clock.now().since(due_at);
    assert!(late < HOUR, "{late:?}");
    relay.stop().await;
}

/// A campaign of three steps an hour apart whose leads have answered its first.
async fn answered(ground: &Ground, relay: &Relay, leads: &[&str]) -> (CampaignId, Vec<Value>) {
    let inbox = relay.connect(ground, Duration::ZERO).await;
    let campaign = relay.start_campaign(&inbox, leads, 3).await;
    let first = accepted(relay, &campaign, leads.len()).await;
    for one in first
        .iter()
        .filter(|one| !one.to.as_str().starts_with("quiet"))
    {
        ground
            .sandbox
            .control()
            .deliver(JANE, answer_with(one, "Subject: Re: Hello", "Hm."));
    }
    let n = leads
        .iter()
        .filter(|lead| !lead.starts_with("quiet"))
        .count();
    let replies = wait_for("the answers", async || {
        ground.clock.advance(Duration::from_secs(2));
        let replies = list(ground, relay, "").await;
        (replies.len() == n).then_some(replies)
    })
    .await;
    (campaign, replies)
}

fn id_of(replies: &[Value], who: &str) -> String {
    let found = replies
        .iter()
        .find(|one| one["lead_address"] == who)
        .unwrap();
    found["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_mark_does_what_it_says_and_nothing_is_sent_by_surprise() {
    let clock = Clock::manual(Timestamp::from_ms(EVENING));
    let ground = Ground::with(Client::Public, 24 * HOUR, clock, "poll_ms = 1000").await;
    let relay = ground.start().await;
    let leads = [
        "later@a.example",
        "quieter@q.example",
        "never@n.example",
        "wrong@w.example",
        "keen@k.example",
        "back@b.example",
        "quiet@w.example",
    ];
    let leads = leads.map(|lead| {
        if lead == "quieter@q.example" {
            "put.off@q.example"
        } else {
            lead
        }
    });
    let (campaign, replies) = answered(&ground, &relay, &leads).await;
    let mark = async |who: &str, body: Value| {
        let path = format!("/v1/replies/{}/mark", id_of(&replies, who));
        post(&ground, &relay, &path, body).await
    };
    let until = (ground.clock.now() + 3 * HOUR).to_string();
    let go_on = json!({"mark": "not_now", "until": until, "goes_on": true});
    let (status, marked) = mark("later@a.example", go_on.clone()).await;
    assert_eq!(
        (status, marked["mark"].as_str()),
        (200, Some("not_now")),
        "{marked}"
    );
    assert_eq!(mark("back@b.example", go_on.clone()).await.0, 200);
    assert_eq!(
        mark("back@b.example", json!({"mark": "interested"}))
            .await
            .0,
        200
    );
    let put_off = json!({"mark": "not_now", "until": until});
    assert_eq!(mark("put.off@q.example", put_off).await.0, 200);
    assert_eq!(
        mark("never@n.example", json!({"mark": "never"})).await.0,
        200
    );
    assert_eq!(
        mark("wrong@w.example", json!({"mark": "wrong_person"}))
            .await
            .0,
        200
    );
    assert_eq!(
        mark("keen@k.example", json!({"mark": "interested"}))
            .await
            .0,
        200
    );
    // Who is never written to does not go on.
    let (status, refused) = mark("never@n.example", go_on).await;
    assert_eq!(status, 409, "{refused}");
    for (body, field) in [
        (json!({"mark": "not_now"}), "until"),
        (json!({"mark": "not_now", "until": "tomorrow"}), "until"),
        (json!({"mark": "not_now", "until": "2020-01-01"}), "until"),
        (json!({"mark": "never", "until": until}), "until"),
        (json!({"mark": "interested", "goes_on": true}), "goes_on"),
    ] {
        let (status, refused) = mark("keen@k.example", body).await;
        assert_eq!(
            (status, refused["field"].as_str()),
            (422, Some(field)),
            "{refused}"
        );
    }
    let marked = list(&ground, &relay, "mark=interested").await;
    assert_eq!(marked.len(), 2);
    let (_, listed) = get(&ground, &relay, "/v1/suppressions").await;
    let listed: Vec<_> = listed["suppressions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["whom"].clone())
        .collect();
    assert_eq!(listed, [json!("never@n.example")]);

    // Nothing before the day; then the second message at once, and the third its wait after it.
    pass(
        &ground,
        &relay,
        (3 * HOUR).saturating_sub(Duration::from_mins(10)),
    )
    .await;
    wait_for("the other lead's messages", async || {
        relay.app().bell.wake_inboxes();
        ground.clock.advance(Duration::from_secs(1));
        (count_mail(&ground, "quiet@w.example") == 3).then_some(())
    })
    .await;
    assert_eq!(count_mail(&ground, "later@a.example"), 1);
    let came = |n: usize| {
        let (ground, relay) = (&ground, &relay);
        async move {
            wait_for("the message that was put off", async || {
                ground.clock.advance(Duration::from_secs(20));
                relay.app().bell.wake_inboxes();
                (count_mail(ground, "later@a.example") == n).then_some(ground.clock.now())
            })
            .await
        }
    };
    let until: Timestamp = until.parse().unwrap();
    let second = came(2).await;
    assert!(
        second >= until && second.since(until) < HOUR / 2,
        "{second}"
    );
    let third = came(3).await;
    assert!(third.since(second) >= HOUR / 2, "{third}");
    pass(&ground, &relay, 2 * HOUR).await;
    for who in [
        "put.off@q.example",
        "never@n.example",
        "wrong@w.example",
        "keen@k.example",
        "back@b.example",
    ] {
        assert_eq!(count_mail(&ground, who), 1, "{who}");
    }
    let all = relay.list(&campaign, None).await;
    let open = all
        .iter()
        .filter(|one| matches!(one.status, State::Planned { .. }))
        .count();
    assert_eq!(open, 0, "{all:?}");
    relay.stop().await;
}

/// Polling is an hour away in both, and the second message is due in seconds.
#[tokio::test]
async fn an_answer_stops_the_next_step_within_seconds_where_the_server_tells_of_it() {
    let timing = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 3600000\nrest_minute_ms = 20";
    for tells in [true, false] {
        let ground = Ground::with(Client::Public, HOUR, Clock::system(), timing).await;
        ground.sandbox.control().hide_idle(!tells);
        let relay = ground.start().await;
        let inbox = relay.connect(&ground, Duration::ZERO).await;
        let campaign = relay
            .plan_steps(&inbox, &["ann@a.example"], &[0, 6_000])
            .await;
        relay.nudge(&inbox);
        let first = accepted(&relay, &campaign, 1).await;
        let answer = answer_with(
            &first[0],
            "Subject: Re: Hello",
            "Stop there, please call me.",
        );
        ground.sandbox.control().deliver(JANE, answer);
        let outcome = wait_for("the second step to be decided", async || {
            let all = relay.list(&campaign, None).await;
            let second = all.into_iter().find(|one| one.step == 2)?;
            match second.status {
                State::Suppressed { .. } => Some(true),
                State::Accepted { .. } => Some(false),
                _ => None,
            }
        })
        .await;
        assert_eq!(outcome, tells);
        assert_eq!(
            count_mail(&ground, "ann@a.example"),
            if tells { 1 } else { 2 }
        );
        relay.stop().await;
    }
}

/// Nothing is asked of the server for an hour, and that the permission is gone is known within seconds.
#[tokio::test]
async fn a_permission_that_ends_while_the_connection_listens_is_noticed() {
    let timing = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 3600000\nrest_minute_ms = 20";
    let ground = Ground::with(Client::Public, HOUR, Clock::system(), timing).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let mut events = ground.sandbox.control().events();
    // It listens once INBOX was opened again behind its reading.
    wait_for("INBOX to be opened", async || {
        relay.nudge(&inbox);
        events.try_recv().ok().map(drop)
    })
    .await;
    ground.sandbox.control().revoke(JANE).unwrap();
    wait_for("the loss to be known", async || {
        let found = relay.inbox(&inbox).await;
        matches!(
            found.connection,
            protocol::connection::Connection::Disconnected { .. }
        )
        .then_some(())
    })
    .await;
    relay.stop().await;
}

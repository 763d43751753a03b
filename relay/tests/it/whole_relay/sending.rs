//! Two campaigns with schedules and caps at one inbox through ten days, told by the recipients' mailboxes alone: how many
//! came, when by their clocks, and how many in any day. In between the relay is ended and started again.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use serde_json::{Value, json};

use crate::app::person::{ALL, operator};
use crate::app::{Client, Ground, JANE, Relay, wait_for};

/// A Thursday. On its Sunday the clocks of Berlin are put forward.
const START: &str = "2021-03-25T05:00:00Z";
const DAY: Duration = Duration::from_hours(24);

async fn ask(ground: &Ground, relay: &Relay, path: &str, body: Option<Value>) -> Value {
    let operator = operator(ground);
    let url = relay.url(path);
    let asked = match body {
        None => operator.get(url),
        Some(body) => operator.post(url).json(&body),
    };
    let answer = asked.send().await.unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
    answer.json().await.unwrap()
}

/// Creates and starts a campaign; answers its id.
async fn start(ground: &Ground, relay: &Relay, asked: Value, leads: &[String]) -> String {
    let campaign = ask(ground, relay, "/v1/campaigns", Some(asked)).await;
    let id = campaign["id"].as_str().unwrap().to_owned();
    let list = format!("email\n{}\n", leads.join("\n"));
    let url = relay.url(&format!("/v1/campaigns/{id}/leads"));
    let imported = operator(ground)
        .post(url)
        .header("content-type", "text/csv")
        .body(list)
        .send()
        .await
        .unwrap();
    assert!(
        imported.status().is_success(),
        "{}",
        imported.text().await.unwrap()
    );
    let _ = ask(
        ground,
        relay,
        &format!("/v1/campaigns/{id}/start"),
        Some(json!({})),
    )
    .await;
    id
}

fn next_at(why: &Value) -> Option<Timestamp> {
    why["next_at"].as_str().map(|at| at.parse().unwrap())
}

/// How many are left, how many of them are on their way or not known of yet, and the earliest instant at which something
/// of these campaigns may leave; their counts add up to what is left of them.
async fn find_next(
    ground: &Ground,
    relay: &Relay,
    campaigns: &[(String, u64)],
) -> (u64, u64, Option<Timestamp>) {
    let (mut n_all_left, mut n_on_way, mut next) = (0, 0, None);
    for (id, n_all) in campaigns {
        let path = format!("/v1/campaigns/{id}");
        let before = ask(ground, relay, &path, None).await;
        let why = ask(ground, relay, &format!("{path}/why"), None).await;
        // Asked afterwards: what left in between is among what was left.
        let campaign = ask(ground, relay, &path, None).await;
        let n_told: u64 = why["waiting"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["n"].as_u64().unwrap())
            .sum();
        assert_eq!(why["left"], n_told, "{why}");
        let n_left = n_all - campaign["counts"]["accepted"].as_u64().unwrap();
        assert!(n_told >= n_left, "{why} of {campaign}");
        n_all_left += n_left;
        // Where one arrived in between, what was said was said of it too.
        let on_way = |of: &Value| of["counts"]["attempting"].as_u64().unwrap();
        n_on_way += on_way(&before) + on_way(&campaign);
        n_on_way += u64::from(before["counts"] != campaign["counts"]);
        // What arrived is being read after a start: nobody knows yet what leaves next.
        let mut waiting = why["waiting"].as_array().unwrap().iter();
        n_on_way += u64::from(waiting.any(|one| one["gate"] == "inbox_unread"));
        next = [next, next_at(&why)].into_iter().flatten().min();
    }
    (n_all_left, n_on_way, next)
}

/// How many messages leave on each day as the relay says it: by the day, the first message and later ones.
type Days = BTreeMap<String, [u64; 2]>;

async fn foretell(ground: &Ground, relay: &Relay, campaign: &str, zone: &str) -> Days {
    let plan = ask(
        ground,
        relay,
        &format!("/v1/campaigns/{campaign}/plan"),
        None,
    )
    .await;
    assert_eq!(plan["zone"], zone, "{plan}");
    assert_eq!(plan["never"], 0, "{plan}");
    let mut days = Days::new();
    for day in plan["days"].as_array().unwrap() {
        let n = |idx: usize| day["steps"][idx].as_u64().unwrap_or(0);
        assert!(n(0) + n(1) > 0, "{plan}");
        assert_eq!(day["backlog"], 0, "{plan}");
        let date = day["date"].as_str().unwrap().to_owned();
        days.insert(date, [n(0), n(1)]);
    }
    days
}

/// Whether what came and what was foretold are at most a message apart on any day, and none in all.
fn compare(foretold: &Days, came: &Days) {
    let none = [0, 0];
    for date in foretold.keys().chain(came.keys()) {
        let [told, found] = [foretold, came].map(|of| of.get(date).unwrap_or(&none));
        for step in 0..2 {
            assert!(
                told[step].abs_diff(found[step]) <= 1,
                "{date}: {foretold:?} and {came:?}"
            );
        }
    }
    let sum = |of: &Days| of.values().flatten().sum::<u64>();
    assert_eq!(sum(foretold), sum(came), "{foretold:?} and {came:?}");
}

#[tokio::test]
async fn recipients_get_what_windows_and_caps_let_through_for_ten_days() {
    let began: Timestamp = START.parse().unwrap();
    let clock = Clock::manual(began);
    let ground = Ground::with(Client::Public, DAY * 30, clock, "poll_ms = 43200000").await;
    let mut relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::from_mins(20)).await;
    let reconnect = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    let _ = relay.outcome(&reconnect).await;

    let office = json!({
        "zone": "Europe/Berlin",
        "weekdays": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "windows": [{ "from": "09:00", "to": "12:00" }, { "from": "13:00", "to": "17:00" }],
        "skip": [{ "from": "2021-04-02" }],
    });
    let mornings = json!({
        "zone": "America/New_York",
        "weekdays": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
        "windows": [{ "from": "08:00", "to": "10:00" }],
    });
    let first = json!({
        "name": "Berlin", "inboxes": [inbox], "schedule": office,
        "steps": [{ "subject": "Berlin", "body": "One." }, { "body": "Two.", "wait_ms": 2 * 86_400_000 }],
    });
    let second = json!({
        "name": "New York", "inboxes": [inbox], "schedule": mornings,
        "steps": [{ "subject": "New York", "body": "One." }],
    });
    let berlin: Vec<_> = (0..8).map(|n| format!("lead{n}@a{n}.example")).collect();
    let york: Vec<_> = (0..9)
        .map(|n| format!("lead{n}@mail{n}.acme{}.co.uk", n % 2))
        .collect();
    let campaigns = [
        (start(&ground, &relay, first, &berlin).await, 16),
        (start(&ground, &relay, second, &york).await, 9),
    ];
    let caps = [json!({ "daily_cap": 3 }), json!({ "domain_daily_cap": 1 })];
    for ((id, _), cap) in campaigns.iter().zip(caps) {
        let path = format!("/v1/campaigns/{id}/sending");
        let _ = ask(&ground, &relay, &path, Some(cap)).await;
    }

    // What was foretold, before anything left.
    let foretold = [
        foretell(&ground, &relay, &campaigns[0].0, "Europe/Berlin").await,
        foretell(&ground, &relay, &campaigns[1].0, "America/New_York").await,
    ];

    let ends_at = began + DAY * 10;
    let mut was_restarted = false;
    loop {
        // What may leave now has left.
        let next = wait_for("what is due to have left", async || {
            let (n_left, n_on_way, next) = find_next(&ground, &relay, &campaigns).await;
            if n_on_way > 0 || n_left > 0 && next.is_none_or(|at| at <= ground.clock.now()) {
                relay.nudge(&inbox);
                return None;
            }
            Some(next)
        })
        .await;
        let Some(next) = next.filter(|at| *at < ends_at) else {
            break;
        };
        let n_before = ground.sandbox.control().delivered().len();
        let now = ground.clock.now();
        ground
            .clock
            .advance(next.since(now).saturating_sub(Duration::from_millis(1)));
        relay.nudge(&inbox);
        // After a start what arrived is read first, once copies have had their time.
        let told = wait_for("the inbox to be read", async || {
            relay.nudge(&inbox);
            find_next(&ground, &relay, &campaigns).await.2
        })
        .await;
        assert!(told > ground.clock.now(), "{told} was {next}");
        assert_eq!(
            ground.sandbox.control().delivered().len(),
            n_before,
            "before {next}"
        );
        if !was_restarted && n_before == 7 {
            was_restarted = true;
            relay.stop().await;
            relay = ground.start().await;
        }
        ground.clock.advance(Duration::from_millis(1));
        relay.nudge(&inbox);
    }

    let mut came: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
    for message in ground.sandbox.control().delivered() {
        let date = message.header("Date").unwrap();
        let at = DateTime::parse_from_rfc2822(&date)
            .unwrap()
            .with_timezone(&Utc);
        let is_york = message.recipient.ends_with(".co.uk");
        if is_york {
            let local = at.with_timezone(&chrono_tz::America::New_York);
            assert!((8..10).contains(&local.hour()), "{local}");
            let domain = message.recipient.split_once('.').unwrap().1.to_owned();
            came.entry(domain).or_default().push(at);
        } else {
            let local = at.with_timezone(&chrono_tz::Europe::Berlin);
            assert!(local.weekday().num_days_from_monday() < 5, "{local}");
            assert!(
                [9, 10, 11, 13, 14, 15, 16].contains(&local.hour()),
                "{local}"
            );
            assert_ne!(local.format("%m-%d").to_string(), "04-02");
            came.entry("berlin".to_owned()).or_default().push(at);
            came.entry(message.recipient.clone()).or_default().push(at);
        }
    }
    for times in came.values_mut() {
        times.sort();
    }
    // Day by day in each zone, told by the mailboxes, as it was foretold.
    let (mut in_berlin, mut in_york) = (Days::new(), Days::new());
    for lead in &berlin {
        for (step_idx, at) in came[lead].iter().enumerate() {
            let date = at.with_timezone(&chrono_tz::Europe::Berlin).date_naive();
            in_berlin.entry(date.to_string()).or_default()[step_idx] += 1;
        }
    }
    for domain in ["acme0.co.uk", "acme1.co.uk"] {
        for at in &came[domain] {
            let date = at.with_timezone(&chrono_tz::America::New_York).date_naive();
            in_york.entry(date.to_string()).or_default()[0] += 1;
        }
    }
    compare(&foretold[0], &in_berlin);
    compare(&foretold[1], &in_york);
    let in_a_day = |times: &[DateTime<Utc>], n: usize| {
        times
            .windows(n + 1)
            .all(|some| some[n] - some[0] >= chrono::Duration::hours(24))
    };
    assert!(in_a_day(&came["berlin"], 3), "{came:?}");
    // Seven working days but for one, three a day at the most: all sixteen, both messages of each.
    assert_eq!(came["berlin"].len(), 16, "{came:?}");
    for domain in ["acme0.co.uk", "acme1.co.uk"] {
        assert!(in_a_day(&came[domain], 1), "{came:?}");
    }
    // One a day for each of two organisations: nobody waits behind the other's.
    assert_eq!(
        came["acme0.co.uk"].len() + came["acme1.co.uk"].len(),
        9,
        "{came:?}"
    );
    for lead in &berlin {
        let [one, two] = came[lead][..] else {
            panic!("{lead}: {came:?}")
        };
        let local = |at: DateTime<Utc>| at.with_timezone(&chrono_tz::Europe::Berlin).naive_local();
        assert!(
            local(two) >= local(one) + chrono::Days::new(2),
            "{lead}: {one} {two}"
        );
    }
    assert!(was_restarted);
    relay.stop().await;
}

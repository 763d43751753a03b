//! What the store asks of its database does not grow with the list: how often it asks, and how SQLite finds what is
//! asked for. Times are measured elsewhere, by `cargo xtask bench lists`.

#![cfg(test)]

use std::time::Duration;

use protocol::delivery::{Decision, StateName};
use protocol::request::reply::{Kind, Mark};
use relay::store::reply::{Arrived, Meaning, Which as WhichReplies};
use relay::store::standing::Which;
use relay::text::arrival::letter::Letter;
use relay::text::arrival::{Answer, Named};

use crate::ledger::server::Fate;
use crate::ledger::world::{Happening, Refusal, Shape, World};
use statements::{Statements, find_faults};

mod statements;

const SHAPE: Shape = Shape {
    n_leads: 12,
    n_steps: 3,
    copies_by_server: true,
    copies_stop_after: None,
};

/// A life with everything in it that the store is asked for.
fn everything() -> Vec<Happening> {
    let claim = || Happening::Claim { inbox: 0 };
    let accept = || Happening::Accept {
        job: 0,
        claim_next: true,
    };
    let refuse = |how| Happening::Refuse { job: 0, how };
    let hour = || Happening::Wait { seconds: 3_600 };
    let lose_reply = |fate| Happening::LoseReply { job: 0, fate };
    vec![
        claim(),
        Happening::RenewLease { job: 0 },
        accept(),
        accept(),
        Happening::Wait { seconds: 120 },
        accept(),
        refuse(Refusal::Greylisted),
        hour(),
        claim(),
        refuse(Refusal::Recipient),
        claim(),
        refuse(Refusal::Message),
        claim(),
        lose_reply(Fate::Now),
        hour(),
        Happening::Settle { inbox: 0 },
        claim(),
        lose_reply(Fate::Never),
        hour(),
        Happening::RenumberFolder { inbox: 0 },
        Happening::Settle { inbox: 0 },
        Happening::Decide {
            nth: 0,
            decision: Decision::SendAgain,
        },
        Happening::Reply { nth: 0 },
        Happening::Bounce { nth: 1 },
        Happening::Pause,
        Happening::Resume,
        claim(),
        Happening::ExpireLeases {
            fates: [Fate::Never; 4],
        },
        Happening::Kill {
            fates: [Fate::Now; 4],
            torn_after: None,
        },
        Happening::Lose { inbox: 0 },
        hour(),
        Happening::Reconnect { inbox: 0 },
        Happening::Lose { inbox: 1 },
        Happening::StepReconnect { inbox: 1 },
        Happening::RefuseReconnect { inbox: 1 },
        Happening::Reconnect { inbox: 1 },
        Happening::WaitUntilDue,
        claim(),
        accept(),
    ]
}

async fn live() -> World {
    let mut world = World::start(SHAPE).await;
    // Under caps that let everything through, so that all is counted that they count.
    let sending = relay::record::Sending {
        schedule: None,
        daily_cap: Some(1_000),
        domain_daily_cap: Some(1_000),
    };
    world
        .store()
        .update_sending(&world.campaign, &sending)
        .await
        .unwrap();
    for happening in everything() {
        world.happen(happening).await;
        world.check().await;
    }
    let now = world.now;
    let store = world.store();
    let inbox = &world.inboxes[0];
    let answer = Answer {
        to: vec!["a-long-enough-local-part@elsewhere.example".to_owned()],
        from: Some("lead0@example.org".to_owned()),
        reply_to: Vec::new(),
        subjects: vec!["Re: Hello".to_owned()],
        is_marked: true,
    };
    let own = "jane@acme.example".parse().unwrap();
    let found = store.find_answered(inbox, &own, &answer, now);
    let about = found.await.unwrap().unwrap();
    let letter = Letter {
        key: "one".to_owned(),
        ..Letter::default()
    };
    let arrived = Arrived {
        inbox,
        about: &about,
        kind: Kind::AutoReply,
        letter: &letter,
        arrived_at: now,
        away_until: Some(now + Duration::from_hours(1)),
        keeps_words: true,
    };
    assert!(!store.has_arrived(inbox, &letter.key).await.unwrap());
    store
        .hold_person(&about.lead, now + Duration::from_hours(1), now)
        .await
        .unwrap();
    assert!(store.note_arrived(&arrived, now).await.unwrap());
    assert!(!store.note_arrived(&arrived, now).await.unwrap(), "once");
    let campaign = &world.campaign;
    for which in [
        WhichReplies::default(),
        WhichReplies {
            campaign: Some(campaign),
            since: Some(now),
            ..WhichReplies::default()
        },
        WhichReplies {
            inbox: Some(inbox),
            kind: Some(Kind::AutoReply),
            ..WhichReplies::default()
        },
        WhichReplies {
            lead: Some(&about.lead),
            mark: Some(Mark::None),
            ..WhichReplies::default()
        },
    ] {
        assert_eq!(store.list_replies(which, 3).await.unwrap().len(), 1);
    }
    let reply = &store
        .list_replies(WhichReplies::default(), 1)
        .await
        .unwrap()[0]
        .id;
    store
        .mark_reply(reply, Meaning::WrongPerson, now)
        .await
        .unwrap();
    store
        .wake_rested(inbox, now + Duration::from_hours(2))
        .await
        .unwrap();
    store.forget_words(now).await.unwrap();
    let named = Named {
        delivery: Some("dlv_unknown".to_owned()),
        ..Named::default()
    };
    store.find_named(inbox, &named, now).await.unwrap();
    store.list_inboxes().await.unwrap();
    store.list_changes(inbox, 100).await.unwrap();
    store.list_waits(None).await.unwrap();
    store.list_waits(Some(inbox)).await.unwrap();
    store.list_campaigns().await.unwrap();
    for receipt in store.list_receipts(None, None).await.unwrap() {
        store.load_receipt(&receipt.id, |_| true).await.unwrap();
        store.list_receipts(None, Some(&receipt.id)).await.unwrap();
    }
    for state in [None, Some(StateName::Accepted), Some(StateName::Unsettled)] {
        let id = &world.campaign;
        let page = store.list_deliveries(id, state, 3).await.unwrap();
        if let Some(last) = page.last() {
            store
                .list_deliveries_after(id, state, &last.id, 3)
                .await
                .unwrap();
        }
    }
    store.list_accepted_since(inbox, 0).await.unwrap();
    let rests = protocol::standing::Rests::default();
    let campaign = &world.campaign;
    store.load_left(campaign, &rests, now).await.unwrap();
    store.load_sending(campaign).await.unwrap();
    store.count_tried_of(campaign, now).await.unwrap();
    store.is_ahead_of(now).await.unwrap();
    store.beat().await.unwrap();
    store
        .put_back_deliveries(&world.campaign, &Which::default(), now)
        .await
        .unwrap();
    store
        .record_decisions(&world.campaign, Decision::Leave, now)
        .await
        .unwrap();
    world
}

#[tokio::test]
async fn no_statement_scans_or_sorts_a_table_that_grows_with_the_list() {
    let statements = Statements::collect();
    let world = live().await;
    let faults = find_faults(&world.database(), &statements.take()).await;
    assert!(
        faults.is_empty(),
        "{}:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// Statements for a message that is accepted, whose domain took none before, and whose lead gets another one.
const ACCEPTED_AT_MOST: usize = 6;
/// Statements for a claim.
const CLAIM_AT_MOST: usize = 8;

#[tokio::test]
async fn a_message_takes_a_few_statements_however_long_the_list_is() {
    let statements = Statements::collect();
    let mut counts = Vec::new();
    for n_leads in [4, 400] {
        let world = World::start(Shape { n_leads, ..SHAPE }).await;
        let claim = world.new_claim(0);
        statements.take();
        let job = world.store().claim_delivery(&claim).await.unwrap().unwrap();
        let claimed = statements.take();
        let ended = world.accepted(&job);
        let done = world.store().finish_delivery(&job, &ended, world.now, None);
        done.await.unwrap();
        let accepted = statements.take();
        assert!(accepted.len() <= ACCEPTED_AT_MOST, "{accepted:#?}");
        assert!(claimed.len() <= CLAIM_AT_MOST, "{claimed:#?}");
        counts.push((claimed.len(), accepted.len()));
    }
    assert_eq!(counts[0], counts[1]);
}

#[tokio::test]
async fn a_look_at_everything_takes_as_many_statements_for_twenty_inboxes_as_for_two() {
    let statements = Statements::collect();
    let mut counts = Vec::new();
    for n_more in [0, 18] {
        let mut world = World::start(SHAPE).await;
        world.add_inboxes(n_more).await;
        world.happen(Happening::Lose { inbox: 0 }).await;
        world.happen(Happening::Lose { inbox: 1 }).await;
        let store = world.store();
        statements.take();
        assert_eq!(store.list_inboxes().await.unwrap().len(), 2 + n_more);
        assert_eq!(store.list_campaigns().await.unwrap().len(), 1 + n_more);
        store.list_waits(None).await.unwrap();
        // A reader that connects meanwhile says its pragmas.
        let mut asked = statements.take();
        asked.retain(|statement| statement.starts_with("SELECT") || statement.starts_with("WITH"));
        counts.push(asked.len());
    }
    assert!(counts[0] <= 7, "{counts:?}");
    assert_eq!(counts[0], counts[1]);
}

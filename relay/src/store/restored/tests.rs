//! Copies that a ledger which was put back does not know, and an upgrade of one.

use super::*;
use crate::clock::Clock;
use crate::store::tests::open_older;

/// Rows of the last version: one delivery that it has attempted, and one that it has planned.
const ROWS: [&str; 6] = [
    "INSERT INTO inboxes (id, address, provider, smtp, imap, gap_ms, connection, connection_state, \
     credentials_fence, refresh_until_ms, gap_open, created_at_ms) \
     VALUES ('i', 'jane@acme.example', 'imap', '{}', '{}', 0, '{}', 'connected', 0, 0, 0, 1)",
    "INSERT INTO campaigns (id, name, steps, n_steps, state, status, created_at_ms) \
     VALUES ('c', 'c', '[]', 1, 'running', '{\"state\":\"running\"}', 1)",
    "INSERT INTO campaign_inboxes (campaign_id, inbox_id, position, ran_ms) VALUES ('c', 'i', 0, 0)",
    "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state) \
     VALUES ('a', 'c', 'i', 1, 'ann@a.example', '{}', 'active'), ('b', 'c', 'i', 2, 'bob@b.example', '{}', 'active')",
    "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, due_ms, attempt, message_id, claim_no) \
     VALUES ('tried', 'c', 'a', 'i', 1, 'planned', 0, 1, 'old-random-id@acme.example', 1)",
    "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, due_ms, attempt) \
     VALUES ('planned', 'c', 'b', 'i', 1, 'planned', 0, 0)",
];

#[tokio::test]
async fn what_the_last_version_has_attempted_keeps_its_id_and_what_it_planned_is_known_by_its_tag()
{
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.db");
    let before = open_older(&path, 11).await;
    for row in ROWS {
        sqlx::query(row).execute(&before).await.unwrap();
    }
    before.close().await;

    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let store = Store::open(&path, &clock).await.unwrap();
    let run = store.load_run().await.unwrap();
    assert_eq!(run.run, None);
    assert_eq!(run.attempts, BTreeMap::from([(InboxId::new("i"), 1)]));
    let tried = store
        .load_delivery(&DeliveryId::new("tried"))
        .await
        .unwrap();
    assert_eq!(
        tried.message_id.as_deref(),
        Some("old-random-id@acme.example")
    );

    // A copy of the planned one, which this ledger never sent.
    let (inbox, tags) = (InboxId::new("i"), Tags::new([7; 32]));
    let tag = tags.make(&Named {
        campaign: &CampaignId::new("c"),
        lead: &LeadId::new("b"),
        step: 1,
        resends: 0,
    });
    let copies = [SeenCopy {
        tag: tag.clone(),
        message_id: Some("theirs@mail.example".to_owned()),
        to: "bob@b.example".to_owned(),
        at: None,
        made: Made::Before,
        n_copies: 1,
    }];
    let address: Address = "jane@acme.example".parse().unwrap();
    let take = || store.take_copies(&inbox, &address, &copies, 1, &tags, clock.now());
    let taken = take().await.unwrap();
    assert_eq!((taken.found, taken.strays, taken.unattempted), (1, 0, 1));
    let planned = store
        .load_delivery(&DeliveryId::new("planned"))
        .await
        .unwrap();
    assert!(
        matches!(planned.status, State::Accepted { .. }),
        "{planned:?}"
    );
    assert_eq!(planned.message_id, Some(format!("{tag}@acme.example")));
    assert_eq!(planned.wire_id.as_deref(), Some("theirs@mail.example"));
    // Seen again, it says nothing new.
    assert_eq!(take().await.unwrap(), Taken::default());
    store.close().await;
}

/// A lead's step as the ledger that was put back has it, its copy, and what follows.
struct Case {
    lead: &'static str,
    state: &'static str,
    /// Whether this ledger attempted it; the copy is later than that.
    was_attempted: bool,
    /// Of the copy.
    resends: i64,
    follows: &'static str,
}

#[tokio::test]
async fn what_is_not_to_be_sent_any_more_counts_as_sent_where_a_later_copy_shows_it() {
    let case = |lead, state, was_attempted, resends, follows| Case {
        lead,
        state,
        was_attempted,
        resends,
        follows,
    };
    let cases = [
        case("l1", "rejected", true, 0, "accepted"),
        case("l2", "suppressed", false, 0, "accepted"),
        case("l3", "cancelled", false, 0, "accepted"),
        case("l4", "bounced", true, 1, "accepted"),
        // The copy of what came back says nothing new.
        case("l5", "bounced", true, 0, "bounced"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.db");
    let before = open_older(&path, 11).await;
    for row in ROWS.into_iter().take(3) {
        sqlx::query(row).execute(&before).await.unwrap();
    }
    let tags = Tags::new([7; 32]);
    let tag = |lead: &str, resends| {
        tags.make(&Named {
            campaign: &CampaignId::new("c"),
            lead: &LeadId::new(lead),
            step: 1,
            resends,
        })
    };
    for (place, case) in cases.iter().enumerate() {
        let (lead, state) = (case.lead, case.state);
        let message_id = if case.was_attempted {
            format!("'{}@acme.example'", tag(lead, 0))
        } else {
            "NULL".to_owned()
        };
        for row in [
            format!(
                "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state) \
                 VALUES ('{lead}', 'c', 'i', {place}, '{lead}@a.example', '{{}}', 'stopped')"
            ),
            format!(
                "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, due_ms, attempt, message_id, \
                 cause, why, accepted_at_ms) VALUES ('{lead}', 'c', '{lead}', 'i', 1, '{state}', 0, {}, {message_id}, \
                 'recipient_rejected', 'replied', 1000)",
                i64::from(case.was_attempted)
            ),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(row))
                .execute(&before)
                .await
                .unwrap();
        }
    }
    before.close().await;

    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let store = Store::open(&path, &clock).await.unwrap();
    let copies: Vec<SeenCopy> = cases
        .iter()
        .map(|case| SeenCopy {
            tag: tag(case.lead, case.resends),
            message_id: None,
            to: format!("{}@a.example", case.lead),
            at: Some(Timestamp::from_ms(1_795_417_900_000)),
            made: Made::Before,
            n_copies: 1,
        })
        .collect();
    let (inbox, address) = (
        InboxId::new("i"),
        "jane@acme.example".parse::<Address>().unwrap(),
    );
    let taken = store.take_copies(&inbox, &address, &copies, 1, &tags, clock.now());
    let taken = taken.await.unwrap();
    // What this ledger had attempted itself is no other's.
    assert_eq!((taken.found, taken.unattempted), (4, 3));
    for case in &cases {
        let found = store.load_delivery(&DeliveryId::new(case.lead)).await;
        assert_eq!(found.unwrap().status.name(), case.follows, "{}", case.lead);
    }
    let taken = store.take_copies(&inbox, &address, &copies, 1, &tags, clock.now());
    assert_eq!(taken.await.unwrap(), Taken::default());
    store.close().await;
}

#[tokio::test]
async fn what_arrived_for_a_later_step_shows_that_the_steps_before_it_were_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.db");
    let before = open_older(&path, 11).await;
    for row in ROWS.into_iter().take(3) {
        let row = row.replace("'[]', 1,", "'[{\"subject\":\"s\",\"body\":\"b\",\"wait_ms\":0},{\"subject\":\"s\",\"body\":\"b\",\"wait_ms\":0}]', 2,");
        sqlx::query(sqlx::AssertSqlSafe(row))
            .execute(&before)
            .await
            .unwrap();
    }
    for row in ROWS.into_iter().skip(3) {
        sqlx::query(row).execute(&before).await.unwrap();
    }
    before.close().await;

    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let store = Store::open(&path, &clock).await.unwrap();
    let (inbox, tags) = (InboxId::new("i"), Tags::new([7; 32]));
    let address: Address = "jane@acme.example".parse().unwrap();
    let tag = |lead: &str| {
        tags.make(&Named {
            campaign: &CampaignId::new("c"),
            lead: &LeadId::new(lead),
            step: 2,
            resends: 0,
        })
    };
    // From an address that is nobody's in the list; the other tag is of a lead that the ledger has lost.
    let proof = Proof {
        tags: vec![tag("b"), tag("lost")],
        addresses: vec!["bobs.other@b.example".to_owned()],
        at: Timestamp::from_ms(1_795_417_900_000),
    };
    let take = || store.take_named(&inbox, &address, &proof, &tags, clock.now());
    assert_eq!(take().await.unwrap(), 2);
    let rows = sqlx::query("SELECT step, state FROM deliveries WHERE lead_id = 'b' ORDER BY step")
        .fetch_all(&store.reader)
        .await
        .unwrap();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (number(row, "step").unwrap(), text(row, "state").unwrap()))
        .collect();
    assert_eq!(
        rows,
        [(1, "accepted".to_owned()), (2, "accepted".to_owned())]
    );
    let written_to = store.load_ledger().await.unwrap().written_to;
    assert_eq!(written_to.len(), 1);
    assert_eq!(written_to[0].address, "bobs.other@b.example");
    // Read again, it says nothing new.
    assert_eq!(take().await.unwrap(), 0);
    store.close().await;
}

#[tokio::test]
async fn of_inboxes_that_share_a_mailbox_each_takes_its_own_copies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.db");
    let before = open_older(&path, 11).await;
    for row in ROWS.into_iter().take(3).chain([
        "INSERT INTO inboxes (id, address, provider, smtp, imap, gap_ms, connection, connection_state, \
         credentials_fence, refresh_until_ms, gap_open, created_at_ms) \
         VALUES ('j', 'sales@acme.example', 'imap', '{}', '{}', 0, '{}', 'connected', 0, 0, 0, 1)",
        "INSERT INTO campaign_inboxes (campaign_id, inbox_id, position, ran_ms) VALUES ('c', 'j', 1, 0)",
        "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state) \
         VALUES ('a', 'c', 'i', 1, 'ann@a.example', '{}', 'active'), ('b', 'c', 'j', 2, 'bob@b.example', '{}', 'active')",
        "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, due_ms, attempt) \
         VALUES ('of_i', 'c', 'a', 'i', 1, 'planned', 0, 0), ('of_j', 'c', 'b', 'j', 1, 'planned', 0, 0)",
    ]) {
        sqlx::query(row).execute(&before).await.unwrap();
    }
    before.close().await;
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let store = Store::open(&path, &clock).await.unwrap();
    let tags = Tags::new([7; 32]);
    let copies = ["a", "b"].map(|lead| SeenCopy {
        tag: tags.make(&Named {
            campaign: &CampaignId::new("c"),
            lead: &LeadId::new(lead),
            step: 1,
            resends: 0,
        }),
        message_id: None,
        to: format!("{lead}@a.example"),
        at: None,
        made: Made::Before,
        n_copies: 1,
    });
    let status = async |id: &str| {
        let found = store.load_delivery(&DeliveryId::new(id)).await.unwrap();
        found.status.name().to_owned()
    };
    let [of_i, of_j] = [("i", "jane@acme.example"), ("j", "sales@acme.example")];
    for ((inbox, address), expected) in [(of_i, ["accepted", "planned"]), (of_j, ["accepted"; 2])] {
        let (inbox, address) = (InboxId::new(inbox), address.parse::<Address>().unwrap());
        let taken = store.take_copies(&inbox, &address, &copies, 1, &tags, clock.now());
        let taken = taken.await.unwrap();
        // Neither is a stray of the other's, nor missing in its count.
        assert_eq!((taken.found, taken.unattempted, taken.strays), (1, 1, 0));
        assert_eq!([status("of_i").await, status("of_j").await], expected);
    }
    store.close().await;
}

#[tokio::test]
async fn what_is_to_be_sent_again_to_a_lead_that_came_back_says_that_it_came_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.db");
    let before = open_older(&path, 11).await;
    for row in ROWS.into_iter().take(3).chain([
        "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state) \
         VALUES ('a', 'c', 'i', 1, 'ann@a.example', '{}', 'stopped')",
        "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, due_ms, attempt, message_id, claim_no, \
         accepted_at_ms, in_doubt_since_ms) VALUES ('first', 'c', 'a', 'i', 1, 'bounced', 0, 1, '1@acme.example', 1, 1, NULL), \
         ('second', 'c', 'a', 'i', 2, 'unsettled', 0, 1, '2@acme.example', 2, NULL, 1)",
    ]) {
        sqlx::query(row).execute(&before).await.unwrap();
    }
    before.close().await;
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let store = Store::open(&path, &clock).await.unwrap();
    let id = DeliveryId::new("second");
    let decided = store.record_decision(&id, Decision::SendAgain, clock.now());
    decided.await.unwrap();
    let second = store.load_delivery(&id).await.unwrap();
    let why = protocol::delivery::Suppression::Bounced;
    assert_eq!(second.status, State::Suppressed { why });
    store.close().await;
}

//! Many leads at once, on a real file: all or none, and never in the way of others.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::budget::Budget;
use protocol::campaign::{State, Step};
use protocol::connection::Connection;
use protocol::inbox::{MailServer, TlsMode};
use protocol::provider::ProviderId;
use protocol::timestamp::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::record::{Class, Pace, Queue, Turn};
use crate::store::delivery::Claim;
use crate::store::inbox::NewInbox;

mod added;

const NOW: Timestamp = Timestamp::from_ms(1_795_417_920_000);

async fn draft() -> (TempDir, Store, InboxId, CampaignId) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("unpause.db"), &Clock::system())
        .await
        .unwrap();
    let server = MailServer {
        host: "mail.acme.example".to_owned(),
        port: 465,
        tls: TlsMode::Implicit,
    };
    let new = NewInbox {
        address: "jane@acme.example".parse().unwrap(),
        provider: ProviderId::new("imap"),
        smtp: server.clone(),
        imap: server,
        budget: Budget::default(),
    };
    let connected = Connection::Connected {
        since: NOW,
        dismissed: None,
    };
    let inbox = store.create_inbox(new, &connected, NOW).await.unwrap().id;
    store.close_gap(&inbox, NOW).await.unwrap();
    let step = Step {
        subject: "Hello".to_owned(),
        body: "This is the message.".to_owned(),
        wait_ms: 0,
        ..Step::default()
    };
    let campaign = store
        .create_campaign("Spring", std::slice::from_ref(&inbox), &[step], NOW)
        .await
        .unwrap()
        .id;
    (folder, store, inbox, campaign)
}

fn lead(row: u64, name: &str) -> NewLead {
    NewLead {
        row,
        address: format!("{name}@leads.example").parse().unwrap(),
        fields: BTreeMap::new(),
    }
}

/// So many leads of one file, some slices long.
fn leads(n_leads: u64) -> Vec<NewLead> {
    (0..n_leads)
        .map(|n| lead(n + 2, &format!("lead{n}")))
        .collect()
}

async fn count(store: &Store, campaign: &CampaignId) -> u64 {
    store.load_campaign(campaign).await.unwrap().counts.leads
}

#[tokio::test]
async fn a_list_that_is_refused_at_its_end_leaves_nothing_and_is_taken_when_it_is_corrected() {
    let (_folder, store, _, campaign) = draft().await;
    store
        .import_leads(&campaign, &[lead(2, "ann")])
        .await
        .unwrap();
    let mut many = leads(1_300);
    many.push(lead(1_302, "Ann"));
    let refused = store.import_leads(&campaign, &many).await.unwrap_err();
    assert!(
        matches!(refused, ImportError::Known { row: 1_302, .. }),
        "{refused:?}"
    );
    assert_eq!(count(&store, &campaign).await, 1);
    many.pop();
    assert_eq!(
        store.import_leads(&campaign, &many).await.unwrap().n_added,
        many.len() as u64
    );
    assert_eq!(count(&store, &campaign).await, 1_301);
}

#[tokio::test]
async fn leads_that_are_added_later_stand_behind_those_before_also_where_rows_were_left_out() {
    let (_folder, store, _, campaign) = draft().await;
    for rows in [[(2, "ann"), (9, "bob")], [(2, "cy"), (3, "di")]] {
        let leads = rows.map(|(row, name)| lead(row, name));
        store.import_leads(&campaign, &leads).await.unwrap();
    }
    let rows = sqlx::query("SELECT position FROM leads ORDER BY position")
        .fetch_all(&store.reader)
        .await
        .unwrap();
    let places: Vec<i64> = rows
        .iter()
        .map(|row| number(row, "position").unwrap())
        .collect();
    assert_eq!(places, [2, 9, 11, 12]);
}

#[tokio::test]
async fn a_later_list_takes_whom_it_refuses_out_of_the_draft_all_at_once() {
    let (_folder, store, _, campaign) = draft().await;
    let first = [lead(2, "ann"), lead(3, "Bob"), lead(4, "cy")];
    store.import_leads(&campaign, &first).await.unwrap();
    let unwanted = ["bob@leads.example", "cy@leads.example"].map(|person| (person.to_owned(), 9));
    let unwanted: std::collections::HashMap<String, u64> = unwanted.into();
    let list = |leads| List {
        leads,
        refused: Some(&unwanted),
    };
    // What is refused as a whole takes nobody out.
    let known = [lead(2, "di"), lead(3, "ann")];
    let refused = store.import_leads(&campaign, list(&known)).await;
    assert!(
        matches!(refused, Err(ImportError::Known { row: 3, .. })),
        "{refused:?}"
    );
    assert_eq!(count(&store, &campaign).await, 3);
    let imported = store
        .import_leads(&campaign, list(&known[..1]))
        .await
        .unwrap();
    assert_eq!((imported.n_added, imported.n_taken_out), (1, 2));
    let mut addresses = store.list_addresses(&campaign).await.unwrap();
    addresses.sort();
    assert_eq!(addresses, ["ann@leads.example", "di@leads.example"]);
    assert_eq!(count(&store, &campaign).await, 2);
    let row = sqlx::query("SELECT position FROM leads WHERE address = 'di@leads.example'")
        .fetch_one(&store.reader)
        .await
        .unwrap();
    assert_eq!(number(&row, "position").unwrap(), 4 + 2);
}

#[tokio::test]
async fn an_import_that_is_broken_off_is_none_and_does_not_stand_in_the_way() {
    let (folder, store, inbox, campaign) = draft().await;
    let many = leads(3_000);
    {
        let importing = store.import_leads(&campaign, &many);
        tokio::pin!(importing);
        // It is dropped when some of its rows are there already.
        loop {
            tokio::select! {
                biased;
                ended = &mut importing => panic!("it ended: {ended:?}"),
                n_rows = count_rows(&store) => if n_rows > 0 { break },
            }
        }
    }
    assert_eq!(count(&store, &campaign).await, 0);
    // Neither as leads of a start after a crash, nor as the addresses of another try.
    store.close().await;
    drop(store);
    let store = Store::open(&folder.path().join("unpause.db"), &Clock::system())
        .await
        .unwrap();
    store.import_leads(&campaign, &many[..2]).await.unwrap();
    store.start_campaign(&campaign, NOW).await.unwrap();
    assert_eq!(count_rows(&store).await, 2);
    let counts = store.load_campaign(&campaign).await.unwrap().counts;
    assert_eq!((counts.leads, counts.planned, counts.waiting), (2, 2, 2));
    assert!(claim(&store, &inbox).await);
}

#[tokio::test]
async fn others_write_while_many_leads_are_added_and_started() {
    let (_folder, store, _, campaign) = draft().await;
    let many = leads(5_000);
    let (n_written, imported) = count_writes(&store, store.import_leads(&campaign, &many)).await;
    assert_eq!(imported.unwrap().n_added, 5_000);
    assert!(n_written >= 5, "{n_written} writes got in between");
    let (n_written, started) = count_writes(&store, store.start_campaign(&campaign, NOW)).await;
    started.unwrap();
    assert!(n_written >= 5, "{n_written} writes got in between");
}

#[tokio::test]
async fn a_start_that_is_broken_off_sends_nothing_and_goes_on_where_it_ended() {
    let (_folder, store, inbox, campaign) = draft().await;
    store.import_leads(&campaign, &leads(3_000)).await.unwrap();
    {
        let starting = store.start_campaign(&campaign, NOW);
        tokio::pin!(starting);
        loop {
            tokio::select! {
                biased;
                ended = &mut starting => panic!("it ended: {ended:?}"),
                n_planned = count_planned(&store) => if n_planned > 0 { break },
            }
        }
    }
    let status = store.load_campaign(&campaign).await.unwrap().status;
    assert_eq!(status, State::Draft);
    assert!(!claim(&store, &inbox).await, "a draft sends");
    store.start_campaign(&campaign, NOW).await.unwrap();
    assert_eq!(count_planned(&store).await, 3_000);
    let status = store.load_campaign(&campaign).await.unwrap().status;
    assert_eq!(status, State::Running);
}

#[tokio::test]
async fn what_is_being_added_to_is_neither_started_nor_added_to() {
    let (_folder, store, _, campaign) = draft().await;
    let alone = store.import_alone(&campaign).unwrap();
    let started = store.start_campaign(&campaign, NOW).await;
    assert!(
        matches!(started, Err(StoreError::Conflict(Conflict::Importing))),
        "{started:?}"
    );
    let added = store.import_leads(&campaign, &leads(1)).await;
    let importing = StoreError::Conflict(Conflict::Importing);
    assert_eq!(added.unwrap_err().to_string(), importing.to_string());
    drop(alone);
    store.import_leads(&campaign, &leads(1)).await.unwrap();
    store.start_campaign(&campaign, NOW).await.unwrap();
}

#[tokio::test]
async fn who_is_on_the_list_at_the_start_is_left_out_by_address_and_by_domain_and_counted() {
    let (_folder, store, _, campaign) = draft().await;
    let mut many = leads(1_200);
    for (row, address) in [
        (2_000, "ann@a.example"),
        (2_001, "Bob@Deep.b.example"),
        (2_002, "cy@b.example"),
    ] {
        let address = address.parse().unwrap();
        many.push(NewLead {
            row,
            address,
            fields: BTreeMap::new(),
        });
    }
    store.import_leads(&campaign, &many).await.unwrap();
    for whom in ["ann@a.example", "LEAD3@leads.example", "b.example"] {
        store.suppress(&whom.parse().unwrap(), NOW).await.unwrap();
    }
    // Not the subdomain: a domain on the list is that domain.
    assert_eq!(store.start_campaign(&campaign, NOW).await.unwrap(), 3);
    let counts = store.load_campaign(&campaign).await.unwrap().counts;
    assert_eq!(
        (counts.leads, counts.waiting, counts.suppressed),
        (1_203, 1_200, 3)
    );
    let stopped = count_by(
        &store,
        "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM leads WHERE state <> 'active'",
    );
    assert_eq!(stopped.await, 3);
}

#[tokio::test]
async fn a_campaign_of_none_but_people_on_the_list_is_over_when_it_starts() {
    let (_folder, store, _, campaign) = draft().await;
    store.import_leads(&campaign, &leads(2)).await.unwrap();
    store
        .suppress(&"leads.example".parse().unwrap(), NOW)
        .await
        .unwrap();
    assert_eq!(store.start_campaign(&campaign, NOW).await.unwrap(), 2);
    let status = store.load_campaign(&campaign).await.unwrap().status;
    assert_eq!(status.name(), "finished");
}

async fn count_rows(store: &Store) -> i64 {
    count_by(store, "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM leads").await
}

async fn count_planned(store: &Store) -> i64 {
    count_by(
        store,
        "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM deliveries",
    )
    .await
}

async fn count_by(store: &Store, text: &'static str) -> i64 {
    let row = sqlx::query(text).fetch_one(&store.reader).await.unwrap();
    number(&row, "n").unwrap()
}

/// Does long work, and short work beside it; answers how often the latter came through before the former ended.
async fn count_writes<T>(store: &Store, long: impl Future<Output = T>) -> (u32, T) {
    tokio::pin!(long);
    let mut n_written = 0;
    loop {
        let name = format!("note {n_written}");
        tokio::select! {
            ended = &mut long => return (n_written, ended),
            written = write_note(store, &name) => {
                written.unwrap();
                n_written += 1;
            }
        }
    }
}

/// The first campaign that has a first message.
fn first(queues: &mut [Queue], served: i64) -> Option<Turn> {
    let queue_idx = queues.iter().position(|queue| queue.has_first)?;
    Some(Turn {
        queue_idx,
        class: Class::First,
        served,
    })
}

async fn claim(store: &Store, inbox: &InboxId) -> bool {
    let claim = Claim {
        owes_copy: false,
        inbox: inbox.clone(),
        domain: "acme.example".to_owned(),
        tags: crate::tag::Tags::new([7; 32]),
        now: NOW,
        lease_until: NOW + Duration::from_mins(1),
        sent: None,
        take_turn: first,
        pace: |_, _| Pace::Go,
        rests: protocol::standing::Rests::default(),
    };
    store.claim_delivery(&claim).await.unwrap().is_some()
}

#[tokio::test]
async fn what_the_last_version_had_heard_of_a_lead_stands_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.db");
    let before = crate::store::tests::open_older(&path, 18).await;
    let mut rows = vec![
        "INSERT INTO inboxes (id, address, provider, smtp, imap, gap_ms, connection, connection_state, \
         credentials_fence, refresh_until_ms, gap_open, created_at_ms) \
         VALUES ('i', 'jane@acme.example', 'imap', '{}', '{}', 0, '{}', 'connected', 0, 0, 0, 1)"
            .to_owned(),
        "INSERT INTO campaigns (id, name, steps, n_steps, state, status, created_at_ms) \
         VALUES ('c', 'c', '[]', 2, 'running', '{\"state\":\"running\"}', 1)"
            .to_owned(),
        "INSERT INTO campaign_inboxes (campaign_id, inbox_id, position, ran_ms) VALUES ('c', 'i', 0, 0)"
            .to_owned(),
    ];
    for (place, why) in ["replied", "bounced", "complained", "person", "rejected"]
        .iter()
        .enumerate()
    {
        rows.push(format!(
            "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state) \
             VALUES ('{why}', 'c', 'i', {place}, '{why}@a.example', '{{}}', 'stopped')"
        ));
        rows.push(format!(
            "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, due_ms, attempt, why) \
             VALUES ('{why}', 'c', '{why}', 'i', 2, 'suppressed', 0, 0, '{why}')"
        ));
    }
    for row in rows {
        sqlx::query(sqlx::AssertSqlSafe(row))
            .execute(&before)
            .await
            .unwrap();
    }
    before.close().await;
    let store = Store::open(&path, &Clock::system()).await.unwrap();
    let rows = sqlx::query("SELECT id, heard FROM leads ORDER BY position")
        .fetch_all(&store.reader)
        .await
        .unwrap();
    let heard: Vec<_> = rows
        .iter()
        .map(|row| text_or_null(row, "heard").unwrap())
        .collect();
    let wanted = [
        Some("replied"),
        None,
        Some("complained"),
        Some("person"),
        None,
    ];
    assert_eq!(heard, wanted.map(|why| why.map(str::to_owned)));
    store.close().await;
}

/// Something small that is written beside.
async fn write_note(store: &Store, name: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO meta (name, value) VALUES ($1, '') ON CONFLICT (name) DO NOTHING")
        .bind(name.to_owned())
        .execute(&store.writer)
        .await?;
    Ok(())
}

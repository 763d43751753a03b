//! The outbox on a real database: what is written when, what is told no more, and what a channel has to tell next.

use std::path::Path;

use protocol::budget::Budget;
use protocol::connection::{Event as ConnectionEvent, Patience};
use protocol::evidence::{Evidence, Party, Said, Stage};
use protocol::inbox::{MailServer, TlsMode};
use protocol::reply::OAuthReply;

use super::*;
use crate::clock::Clock;
use crate::store::inbox::NewInbox;
use crate::store::tests::open_older;

const NOW: Timestamp = Timestamp::from_ms(1_796_029_920_000);
const MINUTE: Duration = Duration::from_mins(1);
const PATIENCE: Patience = Patience {
    slow_retry_after: Duration::from_secs(1),
    at_most: Duration::from_secs(1),
};

async fn open(path: &Path) -> Store {
    Store::open(path, &Clock::manual(NOW)).await.unwrap()
}

async fn put_channels(store: &Store, names: &[&str], now: Timestamp) {
    let channels = names
        .iter()
        .map(|name| ((*name).to_owned(), format!("{name}'s place")));
    store.put_channels(&channels.collect(), now).await.unwrap();
}

async fn add_inbox(store: &Store, address: &str) -> InboxId {
    let server = || MailServer {
        host: "127.0.0.1".to_owned(),
        port: 1,
        tls: TlsMode::Implicit,
    };
    let new = NewInbox {
        address: address.parse().unwrap(),
        provider: ProviderId::new("sandbox"),
        smtp: server(),
        imap: server(),
        budget: Budget::default(),
    };
    let connected = Connection::Connected {
        since: NOW,
        dismissed: None,
    };
    store.create_inbox(new, &connected, NOW).await.unwrap().id
}

fn evidence(seen_at: Timestamp) -> Evidence {
    Evidence {
        party: Party::Oauth,
        stage: Stage::Refresh,
        said: Said::Oauth(OAuthReply {
            http_status: Some(400),
            error: Some("invalid_grant".to_owned()),
            description: "Token has been expired or revoked.".to_owned(),
        }),
        provider: ProviderId::new("sandbox"),
        seen_at,
    }
}

async fn lose(store: &Store, inbox: &InboxId, now: Timestamp) {
    let event = ConnectionEvent::Unread {
        evidence: evidence(now),
        since: now - MINUTE,
    };
    let moved = store.move_connection(inbox, event, now, PATIENCE).await;
    assert_eq!(moved.unwrap().1.len(), 1, "it was connected");
}

async fn find_again(store: &Store, inbox: &InboxId, now: Timestamp) {
    let event = ConnectionEvent::Verified;
    store
        .move_connection(inbox, event, now, PATIENCE)
        .await
        .unwrap();
}

/// Tells everything that a channel has to tell by now, by a channel that takes it; answers the names.
async fn take_all(store: &Store, channel: &str, now: Timestamp) -> Vec<Alert> {
    let mut taken = Vec::new();
    while let Next::Tell(told) = store.find_next_telling(channel, None, now).await.unwrap() {
        store
            .note_telling(channel, &told, Event::Taken, "200", now)
            .await
            .unwrap();
        taken.extend(told.into_iter().map(|told| told.alert));
    }
    taken
}

fn names(alerts: &[Alert]) -> Vec<&'static str> {
    alerts.iter().map(|alert| alert.what.name()).collect()
}

#[tokio::test]
async fn a_database_of_the_version_before_keeps_what_it_has_and_tells_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.db");
    let before = open_older(&path, 26).await;
    let lost = format!(
        r#"{{"state":"disconnected","cause":"permission_ended","evidence":null,"since":"{NOW}"}}"#
    );
    for row in [
        format!(
            "INSERT INTO inboxes (id, address, provider, smtp, imap, gap_ms, connection, connection_state, \
             credentials_fence, refresh_until_ms, gap_open, created_at_ms) VALUES ('inb_1', 'jane@acme.example', 'imap', \
             '{{\"host\":\"h\",\"port\":1,\"tls\":\"implicit\"}}', '{{\"host\":\"h\",\"port\":1,\"tls\":\"implicit\"}}', \
             0, '{lost}', 'disconnected', 0, 0, 0, 1)"
        ),
        format!(
            "INSERT INTO transitions (id, inbox_id, at_ms, body) VALUES ('t', 'inb_1', 5, '{lost}')"
        ),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(row))
            .execute(&before)
            .await
            .unwrap();
    }
    before.close().await;

    let store = open(&path).await;
    put_channels(&store, &["log"], NOW).await;
    let inbox = InboxId::new("inb_1");
    assert_eq!(store.list_changes(&inbox, 9).await.unwrap().len(), 1);
    assert_eq!(store.remind(MINUTE, NOW + MINUTE * 9).await.unwrap(), 0);
    assert_eq!(take_all(&store, "log", NOW).await, []);
    // Its loss was told by the version before; that it is over is no news of a loss that this one told.
    find_again(&store, &inbox, NOW + MINUTE).await;
    assert_eq!(take_all(&store, "log", NOW + MINUTE).await, []);
    lose(&store, &inbox, NOW + MINUTE * 2).await;
    assert_eq!(
        names(&take_all(&store, "log", NOW + MINUTE * 2).await),
        ["disconnected"]
    );
    store.close().await;
}

#[tokio::test]
async fn a_channel_is_told_what_comes_and_nothing_of_the_past() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("unpause.db")).await;
    put_channels(&store, &["log", "webhook.old"], NOW).await;
    let inbox = add_inbox(&store, "jane@acme.example").await;
    lose(&store, &inbox, NOW).await;
    put_channels(&store, &["log", "webhook.new"], NOW).await;
    assert_eq!(take_all(&store, "webhook.new", NOW).await, []);
    assert_eq!(take_all(&store, "webhook.old", NOW).await, [], "it is gone");
    find_again(&store, &inbox, NOW + MINUTE).await;
    let now = NOW + MINUTE;
    assert_eq!(
        names(&take_all(&store, "webhook.new", now).await),
        ["reconnected"]
    );
    assert_eq!(
        names(&take_all(&store, "log", now).await),
        ["disconnected", "reconnected"]
    );
    // What could not be told to the one that is gone is on record, with the reason.
    let listed = store.list_alerts(9).await.unwrap();
    let old: Vec<_> = listed
        .iter()
        .flat_map(|one| &one.tellings)
        .filter(|telling| telling.channel == "webhook.old")
        .collect();
    assert_eq!(old.len(), 1);
    assert_eq!(
        (old[0].status.name(), old[0].words.as_deref()),
        ("given_up", Some(TAKEN_OUT))
    );
    store.close().await;
}

#[tokio::test]
async fn an_inbox_that_comes_and_goes_a_hundred_times_a_day_is_told_of_three_times() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("unpause.db")).await;
    put_channels(&store, &["log"], NOW).await;
    let inbox = add_inbox(&store, "jane@acme.example").await;
    let mut told = Vec::new();
    let mut now = NOW;
    for _ in 0..100 {
        lose(&store, &inbox, now).await;
        told.extend(take_all(&store, "log", now).await);
        now = now + MINUTE * 7;
        find_again(&store, &inbox, now).await;
        now = now + MINUTE * 7;
        told.extend(take_all(&store, "log", now).await);
    }
    let expected = ["disconnected", "reconnected"].repeat(3);
    assert_eq!(names(&told), expected);
    // One that stays is told all the same.
    lose(&store, &inbox, now).await;
    assert_eq!(
        take_all(&store, "log", now + Duration::from_hours(5)).await,
        []
    );
    let late = take_all(&store, "log", now + Duration::from_hours(6)).await;
    assert_eq!(names(&late), ["disconnected"]);
    store.close().await;
}

#[tokio::test]
async fn a_loss_is_told_once_more_while_it_lasts_and_never_after() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("unpause.db")).await;
    put_channels(&store, &["log"], NOW).await;
    let day = Duration::from_hours(24);
    let stays = add_inbox(&store, "stays@acme.example").await;
    let returns = add_inbox(&store, "returns@acme.example").await;
    for inbox in [&stays, &returns] {
        lose(&store, inbox, NOW).await;
    }
    take_all(&store, "log", NOW).await;
    assert_eq!(store.remind(day, NOW + day - MINUTE).await.unwrap(), 0);
    find_again(&store, &returns, NOW + day - MINUTE).await;
    assert_eq!(store.remind(day, NOW + day).await.unwrap(), 1);
    assert_eq!(store.remind(day, NOW + day * 9).await.unwrap(), 0, "once");
    let told = take_all(&store, "log", NOW + day).await;
    assert_eq!(names(&told), ["reconnected", "still_disconnected"]);
    assert_eq!(told[1].subject(), "stays@acme.example");

    // Where nobody could be told in time, it is not told when it is over.
    lose(&store, &returns, NOW + day).await;
    take_all(&store, "log", NOW + day).await;
    assert_eq!(store.remind(day, NOW + day * 2).await.unwrap(), 1);
    find_again(&store, &returns, NOW + day * 2).await;
    let told = take_all(&store, "log", NOW + day * 2).await;
    assert_eq!(names(&told), ["reconnected"]);
    store.close().await;
}

#[tokio::test]
async fn a_database_that_is_opened_again_or_put_back_tells_what_it_held_with_the_same_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.db");
    let copy = folder.path().join("copy.db");
    let store = open(&path).await;
    put_channels(&store, &["log"], NOW).await;
    let inbox = add_inbox(&store, "jane@acme.example").await;
    lose(&store, &inbox, NOW).await;
    store.close().await;
    drop(store);
    std::fs::copy(&path, &copy).unwrap();

    let keys = async |path: &Path| {
        let store = open(path).await;
        put_channels(&store, &["log"], NOW + MINUTE).await;
        let told = take_all(&store, "log", NOW + MINUTE).await;
        // What it meets from then on is of another instant, so nobody takes it for what was told before.
        find_again(&store, &inbox, NOW + MINUTE).await;
        lose(&store, &inbox, NOW + MINUTE * 2).await;
        let later = take_all(&store, "log", NOW + MINUTE * 2).await;
        store.close().await;
        let keys = |alerts: Vec<Alert>| -> Vec<String> {
            alerts.into_iter().map(|alert| alert.key).collect()
        };
        (keys(told), keys(later))
    };
    let (told, later) = keys(&path).await;
    assert_eq!(told, [format!("disconnected_{inbox}_{}", NOW.as_ms())]);
    assert!(later.iter().all(|key| !told.contains(key)), "{later:?}");
    assert_eq!(keys(&copy).await, (told, later));
}

#[tokio::test]
async fn what_is_lost_by_one_cause_in_a_short_while_is_told_in_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("unpause.db")).await;
    put_channels(&store, &["mail:ops@acme.example"], NOW).await;
    let gathers = Some(Duration::from_secs(30));
    let at = |seconds| NOW + Duration::from_secs(seconds);
    for n in 0..40 {
        let inbox = add_inbox(&store, &format!("jane{n}@acme.example")).await;
        lose(&store, &inbox, at(n / 2)).await;
    }
    let next = async |seconds| {
        let next = store.find_next_telling("mail:ops@acme.example", gathers, at(seconds));
        next.await.unwrap()
    };
    assert_eq!(next(29).await, Next::Wait(Some(at(30))));
    let Next::Tell(told) = next(30).await else {
        panic!("its time is over");
    };
    assert_eq!(told.len(), 40);
    let failed = Event::NotTaken { retry_after: None };
    let note = store.note_telling("mail:ops@acme.example", &told, failed, "421", at(30));
    note.await.unwrap();
    assert_eq!(next(30).await, Next::Wait(Some(at(35))), "all of them rest");
    store.close().await;
}

#[tokio::test]
async fn nothing_is_told_past_what_was_not_taken_and_no_other_channel_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("unpause.db")).await;
    put_channels(&store, &["log", "webhook.ops"], NOW).await;
    let inbox = add_inbox(&store, "jane@acme.example").await;
    lose(&store, &inbox, NOW).await;
    find_again(&store, &inbox, NOW + MINUTE).await;
    let now = NOW + MINUTE;
    let Next::Tell(first) = store
        .find_next_telling("webhook.ops", None, now)
        .await
        .unwrap()
    else {
        panic!("it waits");
    };
    let failed = Event::NotTaken { retry_after: None };
    let note = store.note_telling("webhook.ops", &first, failed, "answered 500", now);
    note.await.unwrap();
    let rest = now + Duration::from_secs(5);
    let next = store
        .find_next_telling("webhook.ops", None, now)
        .await
        .unwrap();
    assert_eq!(next, Next::Wait(Some(rest)));
    assert_eq!(take_all(&store, "log", now).await.len(), 2);
    assert_eq!(
        names(&take_all(&store, "webhook.ops", rest).await),
        ["disconnected", "reconnected"]
    );
    store.close().await;
}

#[tokio::test]
async fn a_channel_that_wants_no_more_is_left_alone_until_it_takes_a_test_or_leads_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("unpause.db")).await;
    put_channels(&store, &["webhook.ops"], NOW).await;
    let inbox = add_inbox(&store, "jane@acme.example").await;
    lose(&store, &inbox, NOW).await;
    store
        .switch_channel_off("webhook.ops", "answered 410", NOW)
        .await
        .unwrap();
    find_again(&store, &inbox, NOW + MINUTE).await;
    put_channels(&store, &["webhook.ops"], NOW + MINUTE).await;
    assert_eq!(take_all(&store, "webhook.ops", NOW + MINUTE).await, []);
    let channels = store.list_channels().await.unwrap();
    assert_eq!(channels[0].off_since, Some(NOW));
    assert_eq!((channels[0].waiting, channels[0].given_up), (0, 1));
    store
        .switch_channel_on("webhook.ops", NOW + MINUTE)
        .await
        .unwrap();
    lose(&store, &inbox, NOW + MINUTE * 2).await;
    assert_eq!(
        take_all(&store, "webhook.ops", NOW + MINUTE * 2)
            .await
            .len(),
        1
    );
    store
        .switch_channel_off("webhook.ops", "answered 410", NOW)
        .await
        .unwrap();
    let elsewhere = [("webhook.ops".to_owned(), "elsewhere".to_owned())];
    store.put_channels(&elsewhere.into(), NOW).await.unwrap();
    assert_eq!(store.list_channels().await.unwrap()[0].off_since, None);
    store.close().await;
}

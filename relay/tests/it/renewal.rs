//! The relay's own keys are renewed while it runs: what was sealed stays open, whenever that is interrupted, and what the
//! keys before have sealed is nowhere any more. How devices follow is in `http::renewals`.

#![cfg(test)]

mod killed;

use std::fs;
use std::path::Path;
use std::time::Duration;

use protocol::connection::Connection;
use protocol::id::{InboxId, ReconnectId};
use protocol::reconnect::{Grant, State};
use protocol::secret::Secret;
use relay::app::DATABASE_FILE;
use relay::clock::Clock;
use relay::credentials::{Credentials, inbox_context, visit_context};
use relay::renewal::{self, RenewalError};
use relay::secret::{KeyFile, Keys, old_path, random_secret, take_place};
use relay::store::Store;
use relay::store::hosted::HostedVisit;
use relay::store::relay_keys::Place;
use sandbox::Options;

use crate::app::{Client, Ground, JANE, JOHN, PASSWORD, Relay, wait_for};

const TIMING: &str = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100\nrest_minute_ms = 20";

/// Connects somebody's inbox by a password.
async fn connect(relay: &Relay, address: &str, distance: Duration) -> InboxId {
    let inbox = relay.add_inbox_of(address, distance).await;
    let grant = Grant::Password {
        user: address.to_owned(),
        password: Secret::new(PASSWORD),
    };
    let reconnect = relay.grant(&inbox, &grant).await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    inbox
}

/// A visit at a provider that waits for its answer, so that something of every kind is sealed.
async fn begin_visit(relay: &Relay, inbox: &InboxId) -> (ReconnectId, Secret) {
    let app = relay.app();
    let (now, hour) = (app.clock.now(), Duration::from_hours(1));
    let started = app.store.start_reconnect(inbox, now, now + hour).await;
    let reconnect = started.unwrap().0.id;
    let (ticket, state) = (random_secret(), random_secret());
    let made = app
        .store
        .create_ticket(&ticket, &reconnect, now, now + hour);
    made.await.unwrap();
    let sealed = app
        .keys
        .seal(&visit_context(&reconnect), &"a visit")
        .unwrap();
    let visit = HostedVisit {
        reconnect: reconnect.clone(),
        cookie_hash: "hash".to_owned(),
        payload: sealed.to_string(),
    };
    assert!(
        app.store
            .begin_visit(&ticket, &state, &visit)
            .await
            .unwrap()
    );
    (reconnect, state)
}

async fn wait_settled(relay: &Relay) {
    let keys = &relay.app().keys;
    let path = relay.app().config.key_file.clone();
    wait_for("the renewal to be over", async || {
        let is_placed = KeyFile::load(&path, false).is_ok_and(|file| file.id() == keys.id());
        (!keys.is_renewing() && is_placed).then_some(())
    })
    .await;
}

/// Every sealed value of a database, as it stands there.
async fn list_sealed(store: &Store) -> Vec<String> {
    let mut all = Vec::new();
    for place in Place::ALL {
        // Nothing begins so.
        let values = store.list_sealed_otherwise(place, "none", "", 1_000).await;
        all.extend(values.unwrap().into_iter().map(|value| value.sealed));
    }
    all
}

/// That none of these values lies anywhere in the files of a database that is closed.
fn expect_gone(data: &Path, before: &[String]) {
    assert!(!before.is_empty());
    for ending in ["", "-wal", "-shm"] {
        let Ok(bytes) = fs::read(data.join(format!("{DATABASE_FILE}{ending}"))) else {
            continue;
        };
        for sealed in before {
            let blob = sealed
                .split_once('.')
                .map_or(sealed.as_str(), |(_, blob)| blob);
            // A part of it opens nothing; half of it is looked for, so that a piece that is left shows.
            let (half, _) = blob.as_bytes().split_at(blob.len() / 2);
            let is_there = bytes.windows(half.len()).any(|window| window == half);
            assert!(
                !is_there,
                "{DATABASE_FILE}{ending} has what an old key sealed"
            );
        }
    }
}

/// How far a process has come that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    NewFile,
    Committed,
    OneResealed,
    Resealed,
    Linked,
    Placed,
}

/// Does of a renewal what comes before a point, on a database that no relay has open.
async fn renew_until(point: Point, data: &Path, path: &Path, clock: &Clock) {
    let file = KeyFile::create_beside(path).unwrap();
    if point == Point::NewFile {
        return;
    }
    let store = Store::open(&data.join(DATABASE_FILE), clock).await.unwrap();
    let before = KeyFile::load(path, false).unwrap();
    let keys = Keys::of(&before, store.load_kept().await.unwrap()).unwrap();
    let kept = keys.renewed(&file, false, clock.now()).unwrap();
    store.renew_kept(&kept).await.unwrap();
    keys.renew(&file, kept).unwrap();
    if point != Point::Committed {
        let mut left = Vec::new();
        for place in Place::ALL {
            left.extend(
                store
                    .list_sealed_otherwise(place, &keys.prefix(), "", 100)
                    .await
                    .unwrap(),
            );
        }
        assert!(left.len() >= 3, "{left:?}");
        if point == Point::OneResealed {
            left.truncate(1);
        }
        for value in left {
            let context = match value.place {
                Place::Inbox => inbox_context(&InboxId::new(value.owner.as_str())),
                Place::Reconnect | Place::Visit => {
                    visit_context(&ReconnectId::new(value.owner.as_str()))
                }
            };
            let sealed = keys.reseal(&context, &value.sealed).unwrap();
            store.reseal(&[(value, sealed)]).await.unwrap();
        }
    }
    if matches!(point, Point::Resealed | Point::Linked | Point::Placed) {
        let is_over = store
            .end_resealing(&keys.resealed(), &keys.prefix(), 0)
            .await;
        assert!(is_over.unwrap());
    }
    if point == Point::Linked {
        fs::hard_link(path, old_path(path, before.id())).unwrap();
    }
    if point == Point::Placed {
        assert!(take_place(path, file.id()).unwrap());
    }
    store.close().await;
}

#[tokio::test]
async fn a_renewal_goes_on_from_every_point_at_which_it_was_killed() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let jane = relay.connect(&ground, Duration::ZERO).await;
    let john = connect(&relay, JOHN, Duration::ZERO).await;
    let never = relay.add_inbox_of("ann@acme.example", Duration::ZERO).await;
    let (reconnect, state) = begin_visit(&relay, &never).await;
    let (data, path) = (
        relay.app().config.data.clone(),
        relay.app().config.key_file.clone(),
    );
    let tag_key = format!("{:?}", relay.app().keys.tags());
    let mut sealed = list_sealed(&relay.app().store).await;
    relay.stop().await;
    for point in [
        Point::NewFile,
        Point::Committed,
        Point::OneResealed,
        Point::Resealed,
        Point::Linked,
        Point::Placed,
    ] {
        let before = KeyFile::load(&path, false).unwrap().id().to_owned();
        renew_until(point, &data, &path, &ground.clock).await;
        let relay = ground.start().await;
        wait_settled(&relay).await;
        let (app, id) = (relay.app(), relay.app().keys.id());
        assert_eq!(id == before, point == Point::NewFile, "{point:?}");
        if point != Point::NewFile {
            let old = KeyFile::load(&old_path(&path, &before), false).unwrap();
            assert_eq!(old.id(), before, "{point:?}");
        }
        let prefix = app.keys.prefix();
        assert_eq!(
            app.store.count_sealed_otherwise(&prefix).await.unwrap(),
            0,
            "{point:?}"
        );
        for inbox in [&jane, &john] {
            let stored = app.store.find_credentials(inbox).await.unwrap().unwrap();
            let opened = app
                .keys
                .open::<Credentials>(&inbox_context(inbox), &stored.sealed);
            assert!(opened.is_ok(), "{point:?}");
        }
        let visit = app.store.find_visit(&state).await.unwrap().unwrap();
        let opened = app
            .keys
            .open::<String>(&visit_context(&reconnect), &visit.payload);
        assert_eq!(opened.as_deref(), Ok("a visit"), "{point:?}");
        assert_eq!(format!("{:?}", app.keys.tags()), tag_key);
        let now = list_sealed(&app.store).await;
        relay.stop().await;
        if point != Point::NewFile {
            expect_gone(&data, &sealed);
        }
        sealed = now;
    }
    // Nothing needs what lies beside: every inbox signs in with the one file.
    for beside in relay::secret::list_beside(&path).unwrap() {
        fs::remove_file(beside).unwrap();
    }
    let relay = ground.start().await;
    for (inbox, lead) in [(&jane, "ann@a.example"), (&john, "bob@b.example")] {
        relay.start_campaign(inbox, &[lead], 1).await;
    }
    wait_for("both to send", async || {
        (ground.sandbox.control().delivered().len() == 2).then_some(())
    })
    .await;
    relay.stop().await;
}

/// Tokens are refreshed all the time, and every refresh ends the token before: one that is lost is an inbox that is lost.
#[tokio::test]
async fn credentials_that_change_while_the_keys_are_renewed_are_never_lost() {
    let options = Options {
        access_token_for: Duration::from_secs(2),
        ..Options::default()
    };
    let ground = Ground::at(Client::Public, Clock::system(), TIMING, "sandbox", options).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::from_millis(50)).await;
    let leads: Vec<String> = (0..60).map(|n| format!("lead{n}@a.example")).collect();
    let leads: Vec<&str> = leads.iter().map(String::as_str).collect();
    relay.start_campaign(&inbox, &leads, 1).await;
    let app = relay.app();
    let mut n_renewed = 0;
    wait_for("the campaign to be sent", async || {
        match renewal::renew(app, false).await {
            Ok(_) => n_renewed += 1,
            Err(RenewalError::StillGoingOn) => {}
            Err(error) => panic!("{error}"),
        }
        (ground.sandbox.control().delivered().len() >= leads.len()).then_some(())
    })
    .await;
    assert!(n_renewed > 5, "{n_renewed}");
    wait_settled(&relay).await;
    let now = relay.inbox(&inbox).await;
    assert!(ground.sandbox.control().grants(JANE)[0].live);
    assert!(
        matches!(now.connection, Connection::Connected { .. }),
        "{:?}",
        now.connection
    );
    let mut recipients: Vec<_> = ground.sandbox.control().delivered();
    recipients.sort_by(|one, other| one.recipient.cmp(&other.recipient));
    recipients.dedup_by(|one, other| one.recipient == other.recipient);
    assert_eq!(recipients.len(), leads.len());
    relay.stop().await;
    println!("{n_renewed} renewals during 60 messages, no credentials lost");
}

#[tokio::test]
async fn what_has_changed_since_it_was_read_is_not_resealed_over() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = connect(&relay, JOHN, Duration::ZERO).await;
    let (app, context) = (relay.app(), inbox_context(&inbox));
    let stored = app.store.find_credentials(&inbox).await.unwrap().unwrap();
    let read = app
        .store
        .list_sealed_otherwise(Place::Inbox, "none", "", 10)
        .await
        .unwrap();
    let newer = app.keys.seal(&context, &"newer").unwrap();
    assert!(
        app.store
            .update_credentials(&inbox, &newer, stored.fence)
            .await
            .unwrap()
    );
    let resealed = app.keys.reseal(&context, &read[0].sealed).unwrap();
    app.store
        .reseal(&[(read[0].clone(), resealed)])
        .await
        .unwrap();
    let after = app.store.find_credentials(&inbox).await.unwrap().unwrap();
    assert_eq!(
        (after.sealed.as_str(), after.fence),
        (&*newer, stored.fence + 1)
    );
    // Where nothing has changed it is, and the fence stays: who refreshes meanwhile still writes.
    let read = app
        .store
        .list_sealed_otherwise(Place::Inbox, "none", "", 10)
        .await
        .unwrap();
    let resealed = app.keys.reseal(&context, &read[0].sealed).unwrap();
    let text = resealed.to_string();
    app.store
        .reseal(&[(read[0].clone(), resealed)])
        .await
        .unwrap();
    let last = app.store.find_credentials(&inbox).await.unwrap().unwrap();
    assert_eq!((last.sealed, last.fence), (text, after.fence));
    relay.stop().await;
}

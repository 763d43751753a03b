//! Reconnects on the real database: whatever is tried in whatever order, a reconnect ends once, stays ended, and
//! leaves nothing of what it held. What must be there is followed here from the calls alone.

#![cfg(test)]

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use protocol::budget::Budget;
use protocol::cause::Cause;
use protocol::connection::{Connection, Patience};
use protocol::evidence::{Evidence, Finding, Party, Said, Stage as At};
use protocol::id::{InboxId, ReconnectId};
use protocol::inbox::{MailServer, TlsMode};
use protocol::provider::ProviderId;
use protocol::reconnect::{Event, Stage, State};
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::store::inbox::{Identity, NewInbox};
use relay::store::reconnect::{Advance, SignedIn};
use relay::store::{Store, StoreError};

const NOW: Timestamp = Timestamp::from_ms(1_000_000);
const UNTIL: Timestamp = Timestamp::from_ms(2_000_000);
const PATIENCE: Patience = Patience {
    slow_retry_after: Duration::from_secs(20),
    at_most: Duration::from_mins(10),
};

/// What the relay calls, each as often and whenever chance wants.
#[derive(Clone, Copy, Debug)]
enum Call {
    Grant,
    Advance(Stage),
    LeaveWindow,
    Ask,
    Confirm,
    Deny,
    Adopt,
    Revive,
    Resume,
    Refuse,
}

fn call() -> impl Strategy<Value = Call> {
    use Stage::{Adopted, Exchanged, Exchanging, Identified, Refreshed, Refreshing, SignedIn};
    let stages = [
        Exchanging, Exchanged, Identified, Refreshing, Refreshed, SignedIn, Adopted,
    ];
    prop_oneof![
        4 => Just(Call::Grant),
        28 => prop::sample::select(stages.to_vec()).prop_map(Call::Advance),
        2 => Just(Call::LeaveWindow),
        3 => Just(Call::Ask),
        3 => Just(Call::Confirm),
        1 => Just(Call::Deny),
        5 => Just(Call::Adopt),
        1 => Just(Call::Revive),
        4 => Just(Call::Resume),
        1 => Just(Call::Refuse),
    ]
}

fn refused() -> Evidence {
    Evidence {
        party: Party::Relay,
        stage: At::Identity,
        said: Said::Found(Finding::Cancelled),
        provider: ProviderId::new("sandbox"),
        seen_at: NOW,
    }
}

async fn add_inbox(store: &Store) -> InboxId {
    let server = MailServer {
        host: "127.0.0.1".to_owned(),
        port: 1,
        tls: TlsMode::Implicit,
    };
    let connection = Connection::Disconnected {
        cause: Cause::NeverConnected,
        evidence: None,
        since: NOW,
    };
    let new = NewInbox {
        address: "jane@acme.example".parse().unwrap(),
        provider: ProviderId::new("sandbox"),
        smtp: server.clone(),
        imap: server,
        budget: Budget::default(),
    };
    store.create_inbox(new, &connection, NOW).await.unwrap().id
}

/// Whether it was taken.
async fn perform(store: &Store, id: &ReconnectId, call: Call) -> bool {
    let signed_in = || SignedIn {
        identity: Some(Identity {
            iss: "https://issuer.example".to_owned(),
            sub: "1".to_owned(),
        }),
        name: None,
    };
    let advance = |stage| Advance {
        stage,
        payload: Some("sealed credentials".to_owned()),
        signed_in: None,
    };
    let adopt = |by| store.adopt_reconnect(id, by, "sealed for the inbox", None, NOW, PATIENCE);
    let done = match call {
        Call::Grant => store.grant_reconnect(id, "sealed grant").await.map(drop),
        Call::Advance(stage) => store.advance_reconnect(id, advance(stage)).await,
        Call::LeaveWindow => store.leave_window(id).await,
        Call::Ask => store.ask_to_confirm(id, signed_in(), UNTIL).await.map(drop),
        Call::Confirm => store.confirm_reconnect(id, NOW).await.map(drop),
        Call::Deny => store.deny_reconnect(id, &refused(), NOW).await.map(drop),
        Call::Adopt => adopt(Event::Adopted).await.map(drop),
        Call::Revive => adopt(Event::Revived).await.map(drop),
        Call::Resume => store.resume(id, NOW).await.map(drop),
        Call::Refuse => {
            let refused = store.refuse_reconnect(id, &refused(), None, NOW).await;
            return refused.unwrap().is_some();
        }
    };
    match done {
        Ok(()) => true,
        Err(StoreError::Reconnect(_)) => false,
        Err(error) => panic!("{call:?}: {error}"),
    }
}

async fn play(calls: Vec<Call>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("unpause.db"), &Clock::system())
        .await
        .unwrap();
    let inbox = add_inbox(&store).await;
    let (reconnect, _) = store.start_reconnect(&inbox, NOW, UNTIL).await.unwrap();
    let id = &reconnect.id;
    let mut end: Option<State> = None;
    for call in calls {
        let before = store.load_reconnect(id).await.unwrap();
        let taken = perform(&store, id, call).await;
        let after = store.load_reconnect(id).await.unwrap();
        if let Some(end) = &end {
            assert!(!taken, "{call:?} was taken after the end");
            assert_eq!(after.state, *end, "{call:?}");
        }
        if !taken {
            assert_eq!(
                (&after.state, &after.payload),
                (&before.state, &before.payload)
            );
        }
        let ends = matches!(call, Call::Resume | Call::Deny | Call::Refuse);
        if taken && ends {
            end = Some(after.state.clone());
        }
        let open = store.list_open_reconnects().await.unwrap();
        assert_eq!(open.is_empty(), end.is_some(), "{call:?}");
        if end.is_some() {
            assert_eq!(after.payload, None, "{call:?} left what it held");
        }
    }
    let receipts = store.list_receipts(None, None).await.unwrap();
    let resumed = matches!(end, Some(State::Resumed { .. }));
    assert_eq!(receipts.len(), usize::from(resumed));
    store.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x0ec0_77ec),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_reconnect_ends_once_stays_ended_and_holds_nothing_then(
        calls in prop::collection::vec(call(), 60..160)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(calls));
    }
}

//! What inboxes share and grow by: the cap of an organisation, and ramps.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use protocol::budget::{Budget, HeldBy, Ramp};
use protocol::campaign::Step;
use protocol::delivery::Event;
use protocol::id::{CampaignId, InboxId, LeadId};
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::engine::pace::pace;
use relay::record::{NewLead, Pace};
use relay::store::Store;
use relay::store::delivery::Ended;

use super::{DAY, claim_at};

use crate::inbox::{connect, new_inbox};

const HOUR: Duration = Duration::from_hours(1);

async fn open(folder: &Path) -> (Store, Clock) {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let store = Store::open(&folder.join("unpause.db"), &clock)
        .await
        .unwrap();
    (store, clock)
}

async fn add_inbox(
    store: &Store,
    address: &str,
    daily_cap: Option<u32>,
    now: Timestamp,
) -> InboxId {
    let budget = Budget {
        distance: Duration::ZERO,
        daily_cap,
    };
    connect(store, new_inbox(address, "imap", budget), now).await
}

async fn start(store: &Store, inboxes: &[InboxId], n_leads: u64, now: Timestamp) -> CampaignId {
    let step = |wait_ms| Step {
        subject: "Hello".to_owned(),
        body: "Hello".to_owned(),
        wait_ms,
        ..Step::default()
    };
    let steps = [step(0), step(3_600_000)];
    let campaign = store
        .create_campaign("Spring outreach", inboxes, &steps, now)
        .await
        .unwrap()
        .id;
    let leads: Vec<_> = (0..n_leads)
        .map(|n| NewLead {
            row: n + 2,
            address: format!("lead{n}@example{n}.org").parse().unwrap(),
            fields: BTreeMap::new(),
        })
        .collect();
    store.import_leads(&campaign, &leads).await.unwrap();
    store.start_campaign(&campaign, now).await.unwrap();
    campaign
}

/// Sends all that an inbox may send now; answers to whom.
async fn send_all(store: &Store, inbox: &InboxId, now: Timestamp) -> Vec<LeadId> {
    let mut sent = Vec::new();
    while let Some(job) = claim_at(store, inbox, now).await {
        let ended = Ended {
            event: Event::Accepted { at: now },
            words: "2.0.0 Ok".to_owned(),
            wire_id: None,
            told: None,
        };
        store
            .finish_delivery(&job, &ended, now, None)
            .await
            .unwrap();
        sent.push(job.lead);
    }
    sent
}

#[tokio::test]
async fn inboxes_of_one_organisation_share_its_cap_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(folder.path()).await;
    let now = clock.now();
    let jane = add_inbox(&store, "jane@acme.co.uk", None, now).await;
    let other = add_inbox(&store, "june@mail.acme.co.uk", None, now).await;
    let joan = add_inbox(&store, "joan@other.co.uk", None, now).await;
    let inboxes = [jane.clone(), other.clone(), joan.clone()];
    start(&store, &inboxes, 90, now).await;
    store.update_organisation(&jane, Some(5)).await.unwrap();
    // One that is being tried counts before its end is known.
    let held = claim_at(&store, &other, now).await.unwrap();
    assert_eq!(send_all(&store, &jane, now).await.len(), 4);
    let ended = Ended {
        event: Event::Accepted { at: now },
        words: "2.0.0 Ok".to_owned(),
        wire_id: None,
        told: None,
    };
    store
        .finish_delivery(&held, &ended, now, None)
        .await
        .unwrap();
    assert!(send_all(&store, &other, now).await.is_empty());
    assert!(send_all(&store, &joan, now).await.len() > 5);
    let budgets = store.load_budgets(&other, now).await.unwrap();
    assert_eq!(
        pace(&budgets, now),
        Pace::NotBefore {
            at: now + DAY,
            by: HeldBy::OrganisationCap
        }
    );
    clock.advance(DAY.saturating_sub(Duration::from_millis(1)));
    assert!(send_all(&store, &other, clock.now()).await.is_empty());
    clock.advance(Duration::from_millis(1));
    assert_eq!(send_all(&store, &other, clock.now()).await.len(), 5);
    store.update_organisation(&other, None).await.unwrap();
    assert!(!send_all(&store, &jane, clock.now()).await.is_empty());
    store.close().await;
}

#[tokio::test]
async fn a_ramp_lets_more_through_each_day_and_begins_lower_after_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(folder.path()).await;
    let now = clock.now();
    let inbox = add_inbox(&store, "jane@acme.example", Some(9), now).await;
    start(&store, std::slice::from_ref(&inbox), 200, now).await;
    let ramp = Ramp { first: 2, more: 3 };
    store.update_ramp(&inbox, Some(ramp)).await.unwrap();
    // A week without a message takes nothing and gives nothing: it begins with its first.
    clock.advance(DAY * 7);
    let mut of_days = Vec::new();
    let mut run = async |n_days: u32| {
        of_days.clear();
        for _ in 0..n_days {
            // Once a day and a little more, so that the day before does not count.
            of_days.push(send_all(&store, &inbox, clock.now()).await.len());
            clock.advance(DAY + HOUR / 10);
        }
        of_days.clone()
    };
    assert_eq!(run(6).await, [2, 5, 8, 9, 9, 9]);
    // Out for a week since the last message: four days back of the three that lead to the top.
    clock.advance(DAY * 6);
    assert_eq!(run(2).await, [2, 5]);
    store.update_ramp(&inbox, None).await.unwrap();
    assert_eq!(run(1).await, [9]);
    store.close().await;
}

/// One lead keeps one sender: the second message goes through the inbox that sent the first.
#[tokio::test]
async fn a_lead_is_written_to_through_one_inbox() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(folder.path()).await;
    let now = clock.now();
    let mut inboxes = Vec::new();
    for name in ["ann", "bob", "cy"] {
        inboxes.push(add_inbox(&store, &format!("{name}@acme.example"), None, now).await);
    }
    start(&store, &inboxes, 30, now).await;
    let mut senders: BTreeMap<LeadId, Vec<InboxId>> = BTreeMap::new();
    for _ in 0..2 {
        for inbox in &inboxes {
            for lead in send_all(&store, inbox, clock.now()).await {
                senders.entry(lead).or_default().push(inbox.clone());
            }
        }
        clock.advance(HOUR);
    }
    assert_eq!(senders.len(), 30);
    for (lead, senders) in senders {
        assert!(
            matches!(senders.as_slice(), [first, second] if first == second),
            "{lead}: {senders:?}"
        );
    }
    store.close().await;
}

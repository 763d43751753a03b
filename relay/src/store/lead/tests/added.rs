//! Leads of campaigns that are started: added, held, ended and deleted one by one.

use super::*;
use crate::store::lead::Which;

async fn count_firsts(store: &Store) -> i64 {
    count_by(
        store,
        "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM deliveries WHERE step = 1 AND rank IS NOT NULL",
    )
    .await
}

async fn state_of(store: &Store, campaign: &CampaignId) -> &'static str {
    store.load_campaign(campaign).await.unwrap().status.name()
}

async fn find(store: &Store, campaign: &CampaignId, name: &str) -> LeadId {
    let which = Which {
        search: Some(name),
        ..Which::default()
    };
    let found = store.list_leads(campaign, which, 10).await.unwrap();
    let [only] = found.as_slice() else {
        panic!("{found:?}")
    };
    only.id.clone()
}

#[tokio::test]
async fn leads_that_are_added_to_a_campaign_that_runs_wait_behind_the_others_and_none_stands_twice()
{
    let (_folder, store, inbox, campaign) = draft().await;
    let first = [lead(2, "ann"), lead(3, "bob")];
    store.import_leads(&campaign, &first).await.unwrap();
    store.start_campaign(&campaign, NOW).await.unwrap();
    let added = store.import_leads(&campaign, &leads(1_300)).await.unwrap();
    assert!(added.is_started);
    assert_eq!(
        (count(&store, &campaign).await, count_firsts(&store).await),
        (1_302, 1_302)
    );
    let row = sqlx::query(
        "SELECT MIN(d.place) AS n FROM deliveries d JOIN leads l ON l.id = d.lead_id \
         WHERE l.address LIKE 'lead%'",
    )
    .fetch_one(&store.reader)
    .await
    .unwrap();
    assert!(number(&row, "n").unwrap() > 3);
    // Again changes nothing, nor does a start that finds everything planned.
    let again = store.import_leads(&campaign, &[lead(2, "Ann")]).await;
    assert!(matches!(again, Err(ImportError::Known { .. })), "{again:?}");
    assert_eq!(store.plan_all_added().await.unwrap(), 0);
    assert_eq!(count_planned(&store).await, 1_302);
    assert!(claim(&store, &inbox).await);
}

#[tokio::test]
async fn first_steps_that_were_not_planned_when_the_relay_ended_are_planned_at_the_next_start() {
    let (_folder, store, _, campaign) = draft().await;
    store
        .import_leads(&campaign, &[lead(2, "ann")])
        .await
        .unwrap();
    store.start_campaign(&campaign, NOW).await.unwrap();
    store.import_leads(&campaign, &leads(1_200)).await.unwrap();
    // As a kill leaves it between two slices.
    for text in [
        "DELETE FROM deliveries WHERE place > 700",
        "UPDATE campaigns SET planned_up_to = 700",
    ] {
        sqlx::query(text).execute(&store.writer).await.unwrap();
    }
    assert!(count_planned(&store).await < 1_201);
    assert_eq!(store.plan_all_added().await.unwrap(), 1);
    assert_eq!(count_planned(&store).await, 1_201);
    assert_eq!(store.plan_all_added().await.unwrap(), 0);
}

#[tokio::test]
async fn a_campaign_that_was_finished_goes_on_with_whom_it_did_not_have() {
    let (_folder, store, _, campaign) = draft().await;
    store
        .import_leads(&campaign, &[lead(2, "ann")])
        .await
        .unwrap();
    store.start_campaign(&campaign, NOW).await.unwrap();
    let ann = find(&store, &campaign, "ann").await;
    store.stop_lead(&ann, NOW).await.unwrap();
    assert_eq!(state_of(&store, &campaign).await, "finished");
    store.import_leads(&campaign, &[]).await.unwrap();
    assert_eq!(state_of(&store, &campaign).await, "finished");
    store
        .import_leads(&campaign, &[lead(2, "bob")])
        .await
        .unwrap();
    assert_eq!(state_of(&store, &campaign).await, "running");
    assert_eq!(count_firsts(&store).await, 1);
}

#[tokio::test]
async fn rows_of_a_list_that_is_being_added_are_nobody_yet() {
    let (_folder, store, _, campaign) = draft().await;
    store
        .import_leads(&campaign, &[lead(2, "ann")])
        .await
        .unwrap();
    store.start_campaign(&campaign, NOW).await.unwrap();
    sqlx::query(
        "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state, person, domain) \
         SELECT 'led_half', campaign_id, inbox_id, 50, 'half@leads.example', '{}', 'active', 'half@leads.example', \
         'leads.example' FROM leads",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    let half = LeadId::new("led_half");
    assert!(store.load_lead(&half).await.is_err());
    assert!(store.pause_lead(&half).await.is_err());
    let whom = "leads.example".parse().unwrap();
    assert_eq!(store.suppress(&whom, NOW).await.unwrap(), 1);
    assert_eq!(state_of(&store, &campaign).await, "finished");
    store.import_leads(&campaign, &[]).await.unwrap();
    assert_eq!(count_rows(&store).await, 1);
}

#[tokio::test]
async fn a_lead_that_is_paused_is_not_claimed_until_it_goes_on_and_is_ended_like_another() {
    let (_folder, store, inbox, campaign) = draft().await;
    let both = [lead(2, "ann"), lead(3, "bob")];
    store.import_leads(&campaign, &both).await.unwrap();
    let (ann, bob) = (
        find(&store, &campaign, "ann").await,
        find(&store, &campaign, "bob").await,
    );
    // Also one of a draft.
    store.pause_lead(&ann).await.unwrap();
    store.start_campaign(&campaign, NOW).await.unwrap();
    store.pause_lead(&bob).await.unwrap();
    assert!(store.pause_lead(&bob).await.is_err());
    assert!(!claim(&store, &inbox).await);
    assert_eq!(state_of(&store, &campaign).await, "running");
    store.resume_lead(&bob, NOW).await.unwrap();
    assert!(store.resume_lead(&bob, NOW).await.is_err());
    assert!(claim(&store, &inbox).await);
    assert!(!claim(&store, &inbox).await);
    let whom = "ann@leads.example".parse().unwrap();
    assert_eq!(store.suppress(&whom, NOW).await.unwrap(), 1);
    assert_eq!(
        store.load_lead(&ann).await.unwrap().state,
        protocol::lead::State::Stopped
    );
}

#[tokio::test]
async fn a_lead_that_is_deleted_leaves_a_draft_without_a_trace_and_stays_known_where_it_is_started()
{
    let (_folder, store, inbox, campaign) = draft().await;
    let both = [lead(2, "ann"), lead(3, "bob")];
    store.import_leads(&campaign, &both).await.unwrap();
    let ann = find(&store, &campaign, "ann").await;
    assert!(!store.delete_lead(&ann, NOW).await.unwrap());
    assert_eq!(
        (count(&store, &campaign).await, count_rows(&store).await),
        (1, 1)
    );
    store
        .import_leads(&campaign, &[lead(2, "ann")])
        .await
        .unwrap();
    store.start_campaign(&campaign, NOW).await.unwrap();
    let bob = find(&store, &campaign, "bob").await;
    assert!(claim(&store, &inbox).await);
    // The first of them is being written to.
    let refused = store.delete_lead(&bob, NOW).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(Conflict::Attempting))),
        "{refused:?}"
    );
    let ann = find(&store, &campaign, "ann").await;
    assert!(store.delete_lead(&ann, NOW).await.unwrap());
    assert!(store.delete_lead(&ann, NOW).await.is_err());
    let gone = store.load_lead(&ann).await.unwrap();
    assert_eq!(gone.state, protocol::lead::State::Deleted);
    assert!(gone.fields.is_empty());
    assert!(!claim(&store, &inbox).await);
    let again = store.import_leads(&campaign, &[lead(9, "ann")]).await;
    assert!(matches!(again, Err(ImportError::Known { .. })), "{again:?}");
    let listed = store.list_leads(&campaign, Which::default(), 10).await;
    assert_eq!(listed.unwrap().len(), 1);
    // What is put back is not sent to it either.
    let mut tx = store.begin().await.unwrap();
    assert_eq!(
        revive(&mut tx, &ann).await.unwrap(),
        Some(Suppression::Person)
    );
    tx.rollback().await.unwrap();
    let counts = store.load_campaign(&campaign).await.unwrap().counts;
    assert_eq!((counts.leads, counts.suppressed), (2, 1));
}

#[tokio::test]
async fn leads_are_listed_by_page_by_state_and_by_what_is_in_them() {
    let (_folder, store, _, campaign) = draft().await;
    let mut many = leads(25);
    many[7]
        .fields
        .insert("company".to_owned(), "50% Ümlaut_GmbH".to_owned());
    store.import_leads(&campaign, &many).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None::<LeadId>);
    loop {
        let which = Which {
            after: after.as_ref(),
            ..Which::default()
        };
        let page = store.list_leads(&campaign, which, 10).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page.into_iter().map(|lead| lead.address.to_string()));
    }
    let wanted: Vec<String> = (0..25).map(|n| format!("lead{n}@leads.example")).collect();
    assert_eq!(seen, wanted);
    let found = async |search: &str| {
        let which = Which {
            search: Some(search),
            ..Which::default()
        };
        store.list_leads(&campaign, which, 50).await.unwrap().len()
    };
    assert_eq!(
        (
            found("LEAD7@").await,
            found("50%").await,
            found("t_g").await,
            found("%").await,
            found("d_").await
        ),
        (1, 1, 1, 1, 0)
    );
    let ids = sqlx::query("SELECT id FROM leads ORDER BY position")
        .fetch_all(&store.reader)
        .await
        .unwrap();
    let id = LeadId::new(text(&ids[3], "id").unwrap());
    store.pause_lead(&id).await.unwrap();
    let which = Which {
        state: Some(protocol::lead::State::Paused),
        ..Which::default()
    };
    let paused = store.list_leads(&campaign, which, 50).await.unwrap();
    assert_eq!(paused.len(), 1);
    assert_eq!(paused[0].id, id);
}

#[tokio::test]
async fn who_unsubscribed_stays_it_over_a_restore_and_over_a_bounce_that_is_taken_back() {
    let (folder, store, _, campaign) = draft().await;
    store.keep_stops_in(folder.path().join("unpause.stops"));
    let both = [lead(2, "ann"), lead(3, "bob")];
    store.import_leads(&campaign, &both).await.unwrap();
    store.start_campaign(&campaign, NOW).await.unwrap();
    let ann = find(&store, &campaign, "ann").await;
    let whom = "ann@leads.example".parse().unwrap();
    let mut tx = store.begin().await.unwrap();
    person::note_suppressed(&mut tx, &ann, Suppression::Bounced, store.moment(NOW))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.unsubscribe(&whom, NOW).await.unwrap(), Some(1));
    assert_eq!(store.unsubscribe(&whom, NOW).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    let kept = revive(&mut tx, &ann).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(kept, Some(Suppression::Unsubscribed));
    let listed = async || {
        let listed = store.list_suppressed(None, 10).await.unwrap();
        listed.into_iter().map(|one| one.why).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, [Suppression::Unsubscribed]);
    // As the database stood before.
    for text in [
        "DELETE FROM suppressions",
        "UPDATE leads SET state = 'active', heard = NULL",
    ] {
        sqlx::query(text).execute(&store.writer).await.unwrap();
    }
    store.replay_stops(Timestamp::from_ms(0)).await.unwrap();
    assert_eq!(listed().await, [Suppression::Unsubscribed]);
    let again = store.load_lead(&ann).await.unwrap();
    assert_eq!(
        (again.state, again.why),
        (
            protocol::lead::State::Stopped,
            Some(Suppression::Unsubscribed)
        )
    );
}

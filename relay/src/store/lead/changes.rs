//! What a person does with a single lead: changes its cells, holds it, ends it, deletes it.

use std::collections::BTreeMap;

use protocol::campaign::State as CampaignState;
use protocol::delivery::Suppression;
use protocol::id::{CampaignId, DeliveryId, LeadId};
use protocol::lead::{Event, State};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::super::conflict::Conflict;
use super::super::{
    Store, StoreError, away, campaign, delivery, number, number_or_null, reply, text, to_json,
};
use super::view::not_found;
use super::{delete_row, note_heard, put_state, state_from, stop};

/// Deliveries of a lead whose message may be on its way, or may have to be written again as it was.
const OPEN: &str = "('attempting', 'in_doubt', 'unsettled')";

/// Deliveries in whatever state.
const ANY: &str = "(state)";

/// A lead as it is changed.
struct Found {
    campaign: CampaignId,
    state: State,
    /// Whether its person is said to be away.
    is_away: bool,
}

impl Store {
    /// Gives a lead these cells. Refused while a message to it may be on its way: what settles that writes it again as it
    /// was.
    pub async fn update_lead(
        &self,
        id: &LeadId,
        fields: &BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let found = load(&mut tx, id).await?;
        if found.state == State::Deleted {
            return Err(refuse(found.state, Event::Resumed));
        }
        if count(&mut tx, id, OPEN).await? > 0 {
            return Err(Conflict::Attempting.into());
        }
        sqlx::query("UPDATE leads SET fields = $1 WHERE id = $2")
            .bind(to_json("fields", fields)?)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Holds the steps of a lead that wait; what is being attempted goes on.
    pub async fn pause_lead(&self, id: &LeadId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let found = load(&mut tx, id).await?;
        turn(&mut tx, id, found.state, Event::Paused).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets the steps of a lead go on that is paused, or whose person was said to be away: what came due while it was paused
    /// has its old place.
    pub async fn resume_lead(&self, id: &LeadId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let found = load(&mut tx, id).await?;
        let is_back = found.is_away && found.state == State::Active;
        if found.is_away {
            away::end(&mut tx, id, self.moment(now)).await?;
        }
        if !is_back {
            turn(&mut tx, id, found.state, Event::Resumed).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends a lead for good, because a person says so.
    pub async fn stop_lead(&self, id: &LeadId, now: Timestamp) -> Result<(), StoreError> {
        let why = Suppression::Person;
        let mut tx = self.begin().await?;
        let found = load(&mut tx, id).await?;
        if !stop(&mut tx, id, why, self.moment(now)).await? {
            return Err(refuse(found.state, Event::Stopped));
        }
        tx.commit().await?;
        self.note_stop(id, why, now).await;
        Ok(())
    }

    /// Deletes a lead. Answers whether the ledger keeps what it needs of it, because its campaign is started.
    pub async fn delete_lead(&self, id: &LeadId, now: Timestamp) -> Result<bool, StoreError> {
        let why = Suppression::Person;
        let mut tx = self.begin().await?;
        let found = load(&mut tx, id).await?;
        let is_draft =
            campaign::load_status(&mut tx, &found.campaign).await? == CampaignState::Draft;
        if is_draft && count(&mut tx, id, ANY).await? == 0 {
            // Whoever adds leads or starts the campaign counts on those that are there.
            let _alone = self.import_alone(&found.campaign)?;
            delete_row(&mut tx, id.as_str()).await?;
            sqlx::query("UPDATE campaigns SET n_leads = n_leads - 1 WHERE id = $1")
                .bind(found.campaign.to_string())
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            return Ok(false);
        }
        if count(&mut tx, id, "('attempting')").await? > 0 {
            return Err(Conflict::Attempting.into());
        }
        let after = found.state.apply(Event::Deleted).map_err(Conflict::from)?;
        stop(&mut tx, id, why, self.moment(now)).await?;
        reply::erase_of(&mut tx, id).await?;
        // What stopped it before may have been taken back later; a person's word is not.
        note_heard(&mut tx, id, why).await?;
        put_state(&mut tx, id, after).await?;
        sqlx::query("UPDATE leads SET fields = '{}' WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.note_stop(id, why, now).await;
        Ok(true)
    }
}

/// A lead goes on or is held, and its steps that wait with it.
async fn turn(
    tx: &mut AnyConnection,
    id: &LeadId,
    state: State,
    event: Event,
) -> Result<(), StoreError> {
    let after = state.apply(event).map_err(Conflict::from)?;
    put_state(tx, id, after).await?;
    let rows = sqlx::query(
        "SELECT id FROM deliveries WHERE lead_id = $1 AND state IN ('planned', 'deferred')",
    )
    .bind(id.to_string())
    .fetch_all(&mut *tx)
    .await?;
    for row in &rows {
        delivery::put_rank(tx, &DeliveryId::new(text(row, "id")?)).await?;
    }
    Ok(())
}

fn refuse(state: State, event: Event) -> StoreError {
    let refused = protocol::lead::InvalidTransition {
        state: state.name(),
        event: event.name(),
    };
    Conflict::Lead(refused).into()
}

async fn load(tx: &mut AnyConnection, id: &LeadId) -> Result<Found, StoreError> {
    let row = sqlx::query(
        "SELECT l.campaign_id AS campaign_id, l.state AS state, l.away_until_ms AS away_until_ms FROM leads l JOIN campaigns c ON c.id = l.campaign_id \
         WHERE l.id = $1 AND l.position <= c.leads_up_to",
    )
    .bind(id.to_string())
    .fetch_optional(tx)
    .await?
    .ok_or_else(|| not_found(id))?;
    Ok(Found {
        campaign: CampaignId::new(text(&row, "campaign_id")?),
        state: state_from(&row, "state")?,
        is_away: number_or_null(&row, "away_until_ms")?.is_some(),
    })
}

/// How many deliveries of a lead are in one of these states.
async fn count(
    tx: &mut AnyConnection,
    id: &LeadId,
    states: &'static str,
) -> Result<i64, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT COUNT(*) AS n FROM deliveries WHERE lead_id = $1 AND state IN {states}"
    )))
    .bind(id.to_string())
    .fetch_one(tx)
    .await?;
    number(&row, "n")
}

//! How deliveries are shown: with their lead's address, and with the instant at which each can leave as things stand.

use protocol::delivery::{State, StateName};
use protocol::id::{CampaignId, DeliveryId, LeadId};
use protocol::request::delivery::Delivery;
use sqlx::any::AnyRow;

use super::super::clocks::{Moment, PairClock};
use super::super::{Store, StoreError, number, number_or_null, small, text, text_or_null};
use super::{not_found, state_from};

/// Deliveries in one answer, at most.
const LIST_AT_MOST: u32 = 1_000;

impl Store {
    /// Deliveries of a campaign, oldest lead first, then by step: the first of them.
    pub async fn list_deliveries(
        &self,
        campaign: &CampaignId,
        state: Option<StateName>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.list_deliveries_behind(campaign, state, (i64::MIN, 0), limit)
            .await
    }

    /// Those behind this delivery.
    pub async fn list_deliveries_after(
        &self,
        campaign: &CampaignId,
        state: Option<StateName>,
        after: &DeliveryId,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let row =
            sqlx::query("SELECT place, step FROM deliveries WHERE id = $1 AND campaign_id = $2")
                .bind(after.to_string())
                .bind(campaign.to_string())
                .fetch_optional(&self.reader)
                .await?
                .ok_or_else(|| not_found(after))?;
        let behind = (number(&row, "place")?, number(&row, "step")?);
        self.list_deliveries_behind(campaign, state, behind, limit)
            .await
    }

    async fn list_deliveries_behind(
        &self,
        campaign: &CampaignId,
        state: Option<StateName>,
        (place, step): (i64, i64),
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let of_state = state.map_or("", |_| "AND d.state = $5");
        let query = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {VIEW} WHERE d.campaign_id = $1 AND (d.place, d.step) > ($2, $3) {of_state} \
             ORDER BY d.place, d.step LIMIT $4"
        )))
        .bind(campaign.to_string())
        .bind(place)
        .bind(step)
        .bind(i64::from(limit.min(LIST_AT_MOST)));
        let query = match state {
            Some(state) => query.bind(state.as_str()),
            None => query,
        };
        let rows = query.fetch_all(&self.reader).await?;
        let now = self.moment(self.clock.now());
        rows.iter().map(|row| view(row, now)).collect()
    }

    /// The deliveries of a lead, first step to last.
    pub async fn list_deliveries_of_lead(
        &self,
        lead: &LeadId,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {VIEW} WHERE d.lead_id = $1 ORDER BY d.step"
        )))
        .bind(lead.to_string())
        .fetch_all(&self.reader)
        .await?;
        let now = self.moment(self.clock.now());
        rows.iter().map(|row| view(row, now)).collect()
    }

    /// One delivery.
    pub async fn load_delivery(&self, id: &DeliveryId) -> Result<Delivery, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {VIEW} WHERE d.id = $1"
        )))
        .bind(id.to_string())
        .fetch_optional(&self.reader)
        .await?
        .ok_or_else(|| not_found(id))?;
        view(&row, self.moment(self.clock.now()))
    }
}

const VIEW: &str = "d.id AS id, d.lead_id AS lead_id, d.step AS step, d.state AS state, \
     d.due_ms AS due_ms, d.rest_until_ms AS rest_until_ms, \
     d.rest_until_r_ms AS rest_until_r_ms, p.ran_ms AS ran_ms, p.since_r_ms AS since_r_ms, \
     d.lease_until_ms AS lease_until_ms, d.accepted_at_ms AS accepted_at_ms, \
     d.in_doubt_since_ms AS in_doubt_since_ms, d.cause AS cause, d.why AS why, d.attempt AS attempt, \
     d.message_id AS message_id, d.wire_id AS wire_id, d.words AS words, d.alike AS alike, d.no_evidence AS no_evidence, l.address AS address \
     FROM deliveries d JOIN leads l ON l.id = d.lead_id \
     JOIN campaign_inboxes p ON p.campaign_id = d.campaign_id AND p.inbox_id = d.inbox_id";

fn view(row: &AnyRow, now: Moment) -> Result<Delivery, StoreError> {
    let status = state_from(row)?;
    let is_unsettled = matches!(status, State::Unsettled { .. });
    let cause = match &status {
        State::Deferred { cause, .. } | State::Rejected { cause } => Some(*cause),
        _ => None,
    };
    let clock = PairClock::from_row(row)?;
    let due_at = match &status {
        State::Planned { due } => clock.comes_at(*due, now),
        State::Deferred {
            due, rest_until, ..
        } => {
            let rested_at = number_or_null(row, "rest_until_r_ms")?
                .map_or(*rest_until, |until| now.at + now.until(until));
            clock.comes_at(*due, now).map(|at| at.max(rested_at))
        }
        _ => None,
    };
    Ok(Delivery {
        id: DeliveryId::new(text(row, "id")?),
        lead: LeadId::new(text(row, "lead_id")?),
        to: text(row, "address")?
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "address" })?,
        step: small(row, "step")?,
        status,
        due_at,
        message_id: text_or_null(row, "message_id")?,
        wire_id: text_or_null(row, "wire_id")?,
        attempts: small(row, "attempt")?,
        cause,
        no_evidence: text_or_null(row, "no_evidence")?
            .and_then(|why| serde_json::from_str(&why).ok())
            .filter(|_| is_unsettled),
        words: text_or_null(row, "words")?,
        alike: text_or_null(row, "alike")?,
    })
}

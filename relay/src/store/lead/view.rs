//! How leads are shown: page by page in the order of their lists, and one with everything that was tried for it.

use protocol::delivery::Suppression;
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::lead::State;
use protocol::request::lead::{Lead, Try};
use protocol::timestamp::Timestamp;
use sqlx::any::AnyRow;

use super::super::{Store, StoreError, json, number, number_or_null, small, text, text_or_null};
use super::{parse_why, state_from};

/// What is shown of a lead. Rows behind the last one of their campaign are of a list that is being added.
const VIEW: &str = "SELECT l.id AS id, l.campaign_id AS campaign_id, l.inbox_id AS inbox_id, l.address AS address, \
     l.fields AS fields, l.state AS state, l.away_until_ms AS away_until_ms, COALESCE(l.heard, (SELECT MIN(d.why) FROM deliveries d \
     WHERE d.lead_id = l.id AND d.state = 'suppressed')) AS why, \
     (SELECT COUNT(*) FROM deliveries d WHERE d.lead_id = l.id AND d.state IN ('accepted', 'bounced')) AS n_sent, \
     (SELECT MAX(d.accepted_at_ms) FROM deliveries d WHERE d.lead_id = l.id) AS last_sent_at_ms \
     FROM leads l JOIN campaigns c ON c.id = l.campaign_id WHERE l.position <= c.leads_up_to";

/// Which leads of a campaign.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    /// Only those in this state; without it all but those that were deleted.
    pub state: Option<State>,
    /// Only those whose address or cells have this in them.
    pub search: Option<&'a str>,
    /// Only those behind this one.
    pub after: Option<&'a LeadId>,
}

impl Store {
    /// So many leads of a campaign, in the order of its lists.
    pub async fn list_leads(
        &self,
        campaign: &CampaignId,
        which: Which<'_>,
        limit: u32,
    ) -> Result<Vec<Lead>, StoreError> {
        let behind = match which.after {
            None => i64::MIN,
            Some(after) => self.load_place(campaign, after).await?,
        };
        let of_state = match which.state {
            Some(_) => "l.state = $3",
            None => "l.state <> $3",
        };
        let with = match which.search {
            Some(_) => {
                "AND (LOWER(l.address) LIKE $5 ESCAPE '!' OR LOWER(l.fields) LIKE $5 ESCAPE '!')"
            }
            None => "",
        };
        let query = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{VIEW} AND l.campaign_id = $1 AND l.position > $2 AND {of_state} {with} ORDER BY l.position LIMIT $4"
        )))
        .bind(campaign.to_string())
        .bind(behind)
        .bind(which.state.unwrap_or(State::Deleted).name())
        .bind(i64::from(limit));
        let query = match which.search {
            Some(search) => query.bind(pattern_of(search)),
            None => query,
        };
        let rows = query.fetch_all(&self.reader).await?;
        rows.iter().map(lead_from).collect()
    }

    async fn load_place(&self, campaign: &CampaignId, id: &LeadId) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT position FROM leads WHERE id = $1 AND campaign_id = $2")
            .bind(id.to_string())
            .bind(campaign.to_string())
            .fetch_optional(&self.reader)
            .await?
            .ok_or_else(|| not_found(id))?;
        number(&row, "position")
    }

    /// One lead.
    pub async fn load_lead(&self, id: &LeadId) -> Result<Lead, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{VIEW} AND l.id = $1")))
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?
            .ok_or_else(|| not_found(id))?;
        lead_from(&row)
    }

    /// The campaign of a lead; `None` where there is no such lead.
    pub async fn find_campaign_of_lead(
        &self,
        id: &LeadId,
    ) -> Result<Option<CampaignId>, StoreError> {
        let row = sqlx::query("SELECT campaign_id FROM leads WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| Ok(CampaignId::new(text(&row, "campaign_id")?)))
            .transpose()
    }

    /// Every try of a lead's deliveries, oldest first.
    pub async fn list_tries(&self, id: &LeadId) -> Result<Vec<Try>, StoreError> {
        let rows = sqlx::query(
            "SELECT a.delivery_id AS delivery_id, d.step AS step, a.attempt AS attempt, a.outcome AS outcome, \
             a.words AS words, a.ended_at_ms AS ended_at_ms FROM deliveries d \
             JOIN attempts a ON a.delivery_id = d.id WHERE d.lead_id = $1 ORDER BY a.ended_at_ms, d.step, a.attempt",
        )
        .bind(id.to_string())
        .fetch_all(&self.reader)
        .await?;
        let tries = rows.iter().map(|row| {
            Ok(Try {
                delivery: DeliveryId::new(text(row, "delivery_id")?),
                step: small(row, "step")?,
                attempt: small(row, "attempt")?,
                outcome: text(row, "outcome")?,
                words: text(row, "words")?,
                at: Timestamp::from_ms(number(row, "ended_at_ms")?),
            })
        });
        tries.collect()
    }
}

/// What a text is found by, wherever it stands.
fn pattern_of(search: &str) -> String {
    let mut pattern = "%".to_owned();
    for letter in search.trim().to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn lead_from(row: &AnyRow) -> Result<Lead, StoreError> {
    let state = state_from(row, "state")?;
    let why: Option<Suppression> = text_or_null(row, "why")?
        .map(|why| parse_why(&why))
        .transpose()?;
    Ok(Lead {
        id: LeadId::new(text(row, "id")?),
        campaign: CampaignId::new(text(row, "campaign_id")?),
        inbox: InboxId::new(text(row, "inbox_id")?),
        address: text(row, "address")?
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "address" })?,
        why: why.filter(|_| !matches!(state, State::Active | State::Paused)),
        state,
        fields: json(row, "fields")?,
        sent: small(row, "n_sent")?,
        away_until: number_or_null(row, "away_until_ms")?
            .map(Timestamp::from_ms)
            .filter(|_| matches!(state, State::Active | State::Paused)),
        last_sent_at: number_or_null(row, "last_sent_at_ms")?.map(Timestamp::from_ms),
    })
}

pub(super) fn not_found(id: &LeadId) -> StoreError {
    StoreError::NotFound {
        what: "lead",
        id: id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_stands_for_itself() {
        for (search, pattern) in [("Ann", "%ann%"), (" 50% ", "%50!%%"), ("a_b!", "%a!_b!!%")] {
            assert_eq!(pattern_of(search), pattern);
        }
    }
}

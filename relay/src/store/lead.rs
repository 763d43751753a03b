//! Leads: imported all or none, stopped for good, never deleted.

use protocol::delivery::Suppression;
use protocol::id::{CampaignId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::{Store, StoreError, json, number, small, text, to_json};
use crate::record::NewLead;
use crate::secret::random_text;

/// Why leads were not imported. None was.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A lead of this address is in the campaign already.
    #[error("{address} is in this campaign already; remove the row")]
    Known {
        /// The row in the file.
        row: u64,
        /// The address.
        address: Address,
    },
    /// The campaign takes no more leads, or does not exist.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Adds leads to a draft, all or none; they are dealt to its inboxes in turn.
    pub async fn import_leads(
        &self,
        campaign: &CampaignId,
        leads: &[NewLead],
    ) -> Result<u64, ImportError> {
        let mut tx = self.writer.begin().await.map_err(StoreError::from)?;
        let status = super::campaign::load_status(&mut tx, campaign).await?;
        if status != protocol::campaign::State::Draft {
            let words = format!(
                "leads can be added to a draft only, and this campaign is {}: make another campaign for them",
                status.name()
            );
            return Err(StoreError::Conflict(words).into());
        }
        let inboxes = list_inbox_ids(&mut tx, campaign).await?;
        let before = count_leads(&mut tx, campaign).await?;
        for (lead, inbox) in leads.iter().zip(inboxes.iter().cycle()) {
            let inserted = sqlx::query(
                "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state) \
                 VALUES ($1, $2, $3, $4, $5, $6, 'active')",
            )
            .bind(format!("{}{}", LeadId::PREFIX, random_text()))
            .bind(campaign.to_string())
            .bind(inbox.clone())
            .bind(before.saturating_add(i64::try_from(lead.row).unwrap_or(i64::MAX)))
            .bind(lead.address.to_string())
            .bind(to_json("fields", &lead.fields)?)
            .execute(&mut *tx)
            .await;
            match inserted {
                Ok(_) => {}
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                    return Err(ImportError::Known {
                        row: lead.row,
                        address: lead.address.clone(),
                    });
                }
                Err(error) => return Err(StoreError::from(error).into()),
            }
        }
        tx.commit().await.map_err(StoreError::from)?;
        Ok(leads.len() as u64)
    }

    /// The leads of a campaign with their fields, by row: at most `limit` after row `after`.
    pub async fn list_lead_fields(
        &self,
        campaign: &CampaignId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<NewLead>, StoreError> {
        let rows = sqlx::query(
            "SELECT position, address, fields FROM leads WHERE campaign_id = $1 AND position > $2 \
             ORDER BY position LIMIT $3",
        )
        .bind(campaign.to_string())
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(NewLead {
                    row: small(row, "position")?,
                    address: text(row, "address")?
                        .parse()
                        .map_err(|_| StoreError::Corrupt { what: "address" })?,
                    fields: json(row, "fields")?,
                })
            })
            .collect()
    }
}

/// Stops a lead for good: what was planned for it, and its steps that are not planned yet, are suppressed.
/// What may have been sent is left to be settled. Answers whether the lead was still active.
pub(super) async fn stop(
    tx: &mut AnyConnection,
    lead: &LeadId,
    why: Suppression,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT l.campaign_id AS campaign_id, l.inbox_id AS inbox_id, l.state AS state, c.n_steps AS n_steps, \
         (SELECT CAST(COALESCE(MAX(d.step), 0) AS BIGINT) FROM deliveries d WHERE d.lead_id = l.id) AS last_step \
         FROM leads l JOIN campaigns c ON c.id = l.campaign_id WHERE l.id = $1",
    )
    .bind(lead.to_string())
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| StoreError::NotFound { what: "lead", id: lead.to_string() })?;
    let campaign = CampaignId::new(text(&row, "campaign_id")?);
    if text(&row, "state")? != "active" {
        // What was under way when it was stopped may have been the last that was open.
        super::campaign::finish_if_done(tx, &campaign, now).await?;
        return Ok(false);
    }
    sqlx::query("UPDATE leads SET state = 'stopped' WHERE id = $1")
        .bind(lead.to_string())
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "UPDATE deliveries SET state = 'suppressed', why = $1, suppressed_at_ms = $2, due_at_ms = NULL, cause = NULL \
         WHERE lead_id = $3 AND state IN ('planned', 'deferred')",
    )
    .bind(why_name(why))
    .bind(now.as_ms())
    .bind(lead.to_string())
    .execute(&mut *tx)
    .await?;
    for step in number(&row, "last_step")? + 1..=number(&row, "n_steps")? {
        let new = super::campaign::NewDelivery {
            campaign: campaign.clone(),
            lead: lead.clone(),
            inbox: InboxId::new(text(&row, "inbox_id")?),
            step,
        };
        let id = super::campaign::plan(tx, &new, now).await?;
        sqlx::query(
            "UPDATE deliveries SET state = 'suppressed', why = $1, suppressed_at_ms = $2, due_at_ms = NULL WHERE id = $3",
        )
        .bind(why_name(why))
        .bind(now.as_ms())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    }
    super::campaign::finish_if_done(tx, &campaign, now).await?;
    Ok(true)
}

/// A lead that was stopped by a refusal or a bounce goes on: its later steps that were never tried have no rows again.
pub(super) async fn revive(tx: &mut AnyConnection, lead: &LeadId) -> Result<(), StoreError> {
    sqlx::query("UPDATE leads SET state = 'active' WHERE id = $1")
        .bind(lead.to_string())
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "DELETE FROM deliveries WHERE lead_id = $1 AND state = 'suppressed' AND attempt = 0 \
         AND why IN ('rejected', 'bounced')",
    )
    .bind(lead.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

/// How a suppression stands in a row.
pub(super) fn why_name(why: Suppression) -> &'static str {
    match why {
        Suppression::Replied => "replied",
        Suppression::Bounced => "bounced",
        Suppression::Rejected => "rejected",
        Suppression::Person => "person",
    }
}

/// The suppression of that name.
pub(super) fn parse_why(name: &str) -> Result<Suppression, StoreError> {
    [
        Suppression::Replied,
        Suppression::Bounced,
        Suppression::Rejected,
        Suppression::Person,
    ]
    .into_iter()
    .find(|why| why_name(*why) == name)
    .ok_or(StoreError::Corrupt { what: "why" })
}

async fn list_inbox_ids(
    tx: &mut AnyConnection,
    campaign: &CampaignId,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "SELECT inbox_id FROM campaign_inboxes WHERE campaign_id = $1 ORDER BY position",
    )
    .bind(campaign.to_string())
    .fetch_all(tx)
    .await?;
    rows.iter().map(|row| text(row, "inbox_id")).collect()
}

async fn count_leads(tx: &mut AnyConnection, campaign: &CampaignId) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM leads WHERE campaign_id = $1")
        .bind(campaign.to_string())
        .fetch_one(tx)
        .await?;
    number(&row, "n")
}

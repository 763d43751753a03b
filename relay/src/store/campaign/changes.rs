//! What a person changes of a campaign that is there: its name, messages that were not sent yet, its waits, its headers;
//! and a draft that is given up.

use protocol::campaign::{State, Step};
use protocol::id::CampaignId;
use sqlx::AnyConnection;

use super::super::conflict::Conflict;
use super::super::{Store, StoreError, json, to_json};
use super::{load_status, not_found};

/// What changes of a campaign; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Its name.
    pub name: Option<String>,
    /// All of its messages.
    pub steps: Option<Vec<Step>>,
    /// Whether its messages say how to be written to no more.
    pub unsubscribe: Option<bool>,
}

impl Store {
    /// Changes a campaign. One that is started keeps the number of its steps, and the texts of those that were tried for
    /// somebody: what settles them writes them again. A wait that is planned stays; those planned later are the new ones.
    pub async fn update_campaign(
        &self,
        id: &CampaignId,
        changes: Changes,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let is_draft = load_status(&mut tx, id).await? == State::Draft;
        if let Some(steps) = &changes.steps {
            let before = load_steps(&mut tx, id).await?;
            if !is_draft && before.len() != steps.len() {
                let n_steps = before.len();
                return Err(Conflict::OtherSteps { n_steps }.into());
            }
            for (step, (old, new)) in (1..).zip(before.iter().zip(steps)) {
                let is_same = (&old.subject, &old.body) == (&new.subject, &new.body);
                if !is_same && was_tried(&mut tx, id, step).await? {
                    return Err(Conflict::StepTried { step }.into());
                }
            }
            sqlx::query("UPDATE campaigns SET steps = $1, n_steps = $2 WHERE id = $3")
                .bind(to_json("steps", steps)?)
                .bind(i64::try_from(steps.len()).unwrap_or(i64::MAX))
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query(
            "UPDATE campaigns SET name = COALESCE($1, name), unsubscribe = COALESCE($2, unsubscribe) WHERE id = $3",
        )
        .bind(changes.name)
        .bind(changes.unsubscribe.map(i64::from))
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Deletes a draft with its leads. Where that is broken off a draft without leads is left.
    pub async fn delete_campaign(&self, id: &CampaignId) -> Result<(), StoreError> {
        let _alone = self.import_alone(id)?;
        let mut tx = self.begin().await?;
        check_draft(&mut tx, id).await?;
        // What a start that was broken off had planned; nothing of it was tried.
        sqlx::query("DELETE FROM deliveries WHERE campaign_id = $1 AND attempt = 0")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "UPDATE campaigns SET leads_up_to = -1, planned_up_to = -1, n_leads = 0 WHERE id = $1",
        )
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.remove_unfinished(id).await?;
        let mut tx = self.begin().await?;
        check_draft(&mut tx, id).await?;
        for text in [
            "DELETE FROM tallies WHERE campaign_id = $1",
            "DELETE FROM campaign_inboxes WHERE campaign_id = $1",
            "DELETE FROM campaigns WHERE id = $1",
        ] {
            sqlx::query(text)
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn check_draft(tx: &mut AnyConnection, id: &CampaignId) -> Result<(), StoreError> {
    match load_status(tx, id).await? {
        State::Draft => Ok(()),
        status => Err(Conflict::NotADraft {
            state: status.name(),
        }
        .into()),
    }
}

async fn load_steps(tx: &mut AnyConnection, id: &CampaignId) -> Result<Vec<Step>, StoreError> {
    let row = sqlx::query("SELECT steps FROM campaigns WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx)
        .await?
        .ok_or_else(|| not_found(id))?;
    json(&row, "steps")
}

async fn was_tried(tx: &mut AnyConnection, id: &CampaignId, step: i64) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT 1 FROM deliveries WHERE campaign_id = $1 AND step = $2 AND attempt > 0 LIMIT 1",
    )
    .bind(id.to_string())
    .bind(step)
    .fetch_optional(tx)
    .await?;
    Ok(row.is_some())
}

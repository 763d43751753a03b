//! How inboxes present themselves, and campaigns in their place; what their servers take.

use protocol::id::{CampaignId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::sender::Sender;
use sqlx::any::AnyRow;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inbox::not_found;
use super::{Store, StoreError, json, number, text, text_or_null, to_json};

/// A lead as its messages are made.
#[derive(Clone, Debug)]
pub struct Addressee {
    /// Its id.
    pub id: LeadId,
    /// Its address.
    pub address: Address,
    /// The inbox that writes to it.
    pub inbox: InboxId,
    /// Its cells.
    pub fields: Arc<BTreeMap<String, String>>,
    /// Its place in the list.
    pub position: i64,
}

const COLUMNS: &str = "l.id AS id, l.address AS address, l.inbox_id AS inbox_id, l.fields AS fields, \
     l.position AS position";

impl Store {
    /// Puts on record how an inbox presents itself.
    pub async fn update_sender(&self, id: &InboxId, sender: &Sender) -> Result<(), StoreError> {
        let told = Some(sender).filter(|sender| !sender.is_none());
        let done = sqlx::query("UPDATE inboxes SET sender = $1 WHERE id = $2")
            .bind(told.map(|sender| to_json("sender", sender)).transpose()?)
            .bind(id.to_string())
            .execute(&self.writer)
            .await?;
        match done.rows_affected() {
            0 => Err(not_found(id)),
            _ => Ok(()),
        }
    }

    /// Whether messages of a campaign say how to be written to no more.
    pub async fn tells_way_out(&self, id: &CampaignId) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT unsubscribe FROM campaigns WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?;
        row.map_or(Ok(false), |row| Ok(number(&row, "unsubscribe")? == 1))
    }

    /// How a campaign presents its inboxes; what it does not say, they do.
    pub async fn load_campaign_sender(&self, id: &CampaignId) -> Result<Sender, StoreError> {
        let row = sqlx::query("SELECT sender FROM campaigns WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?;
        row.as_ref().map_or(Ok(Sender::default()), sender_from)
    }

    /// Notes the largest message that the server of an inbox takes, as it has just said; `None` where it did not say.
    pub async fn note_size_at_most(
        &self,
        id: &InboxId,
        at_most: Option<u64>,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE inboxes SET size_at_most = $1 WHERE id = $2")
            .bind(at_most.map(|at_most| i64::try_from(at_most).unwrap_or(i64::MAX)))
            .bind(id.to_string())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// The next leads of a campaign that are written to, behind this place in the list.
    pub async fn list_addressees(
        &self,
        campaign: &CampaignId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Addressee>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM leads l JOIN campaigns c ON c.id = l.campaign_id \
             WHERE l.campaign_id = $1 AND l.position > $2 AND l.position <= c.leads_up_to \
             ORDER BY l.position LIMIT $3"
        )))
        .bind(campaign.to_string())
        .bind(after)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(addressee_from).collect()
    }

    /// The lead of a campaign with this address, as the list of those not written to has addresses.
    pub async fn find_addressee(
        &self,
        campaign: &CampaignId,
        person: &str,
    ) -> Result<Option<Addressee>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM leads l JOIN campaigns c ON c.id = l.campaign_id \
             WHERE l.person = $2 AND l.campaign_id = $1 AND l.position <= c.leads_up_to"
        )))
        .bind(campaign.to_string())
        .bind(person.to_owned())
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref().map(addressee_from).transpose()
    }
}

fn addressee_from(row: &AnyRow) -> Result<Addressee, StoreError> {
    Ok(Addressee {
        id: LeadId::new(text(row, "id")?),
        address: text(row, "address")?
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "address" })?,
        inbox: InboxId::new(text(row, "inbox_id")?),
        fields: Arc::new(json(row, "fields")?),
        position: number(row, "position")?,
    })
}

/// How an inbox or a campaign presents itself, by its row.
pub(super) fn sender_from(row: &AnyRow) -> Result<Sender, StoreError> {
    let Some(sender) = text_or_null(row, "sender")? else {
        return Ok(Sender::default());
    };
    serde_json::from_str(&sender).map_err(|_| StoreError::Corrupt { what: "sender" })
}

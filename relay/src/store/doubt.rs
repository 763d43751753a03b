//! Deliveries in doubt, what settles them, and what arrived for deliveries that were accepted.

use protocol::delivery::{Event, Suppression};
use protocol::id::{DeliveryId, InboxId, LeadId};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::addressed::Addressed;
use super::inbox::position;
use super::{Store, StoreError, delivery, lead, number, text};
use crate::record::Doubt;

impl Store {
    /// The deliveries of an inbox that are in doubt, oldest first.
    pub async fn list_doubts(&self, inbox: &InboxId) -> Result<Vec<Doubt>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, message_id, in_doubt_since_ms, sent_uid_validity, sent_uid_next FROM deliveries \
             WHERE inbox_id = $1 AND state = 'in_doubt' ORDER BY in_doubt_since_ms, id",
        )
        .bind(inbox.to_string())
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Doubt {
                    id: DeliveryId::new(text(row, "id")?),
                    message_id: text(row, "message_id")?,
                    since: Timestamp::from_ms(number(row, "in_doubt_since_ms")?),
                    sent: position(row, "sent_uid_validity", "sent_uid_next")?,
                })
            })
            .collect()
    }

    /// Settles a delivery in doubt: found (with what the server made of the id), refuted or unsettled.
    pub async fn settle_doubt(
        &self,
        id: &DeliveryId,
        event: Event,
        wire_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        delivery::transition(&mut tx, id, event, self.moment(now)).await?;
        if let Some(wire_id) = wire_id {
            put_wire_id(&mut tx, id, wire_id).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes what the server made of an accepted message's id, as its sent copy shows.
    pub async fn note_wire_id(&self, id: &DeliveryId, wire_id: &str) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        put_wire_id(&mut tx, id, wire_id).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The accepted deliveries of an inbox of which it is not known what the server made of their ids, accepted
    /// at `from` or later; `since` is their acceptance.
    pub async fn list_unnamed(
        &self,
        inbox: &InboxId,
        from: Timestamp,
    ) -> Result<Vec<Doubt>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, message_id, accepted_at_ms, sent_uid_validity, sent_uid_next FROM deliveries \
             WHERE inbox_id = $1 AND state = 'accepted' AND wire_id IS NULL AND sent_uid_next IS NOT NULL \
             AND accepted_at_ms >= $2 ORDER BY accepted_at_ms, id",
        )
        .bind(inbox.to_string())
        .bind(from.as_ms())
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Doubt {
                    id: DeliveryId::new(text(row, "id")?),
                    message_id: text(row, "message_id")?,
                    since: Timestamp::from_ms(number(row, "accepted_at_ms")?),
                    sent: position(row, "sent_uid_validity", "sent_uid_next")?,
                })
            })
            .collect()
    }

    /// Whether a delivery of this inbox was accepted.
    pub async fn is_accepted(&self, inbox: &InboxId, id: &DeliveryId) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM deliveries WHERE id = $1 AND inbox_id = $2 AND state IN ('accepted', 'bounced')",
        )
        .bind(id.to_string())
        .bind(inbox.to_string())
        .fetch_optional(&self.reader)
        .await?;
        Ok(row.is_some())
    }

    /// The lead answered: none of its later steps is sent. Again changes nothing.
    pub async fn note_reply(&self, lead: &LeadId, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin().await?;
        let stopped = lead::stop(&mut tx, lead, Suppression::Replied, self.moment(now)).await?;
        tx.commit().await?;
        Ok(stopped)
    }

    /// The lead complained about a message: it is not written to any more. Again changes nothing.
    pub async fn note_complaint(&self, lead: &LeadId, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin().await?;
        let stopped = lead::stop(&mut tx, lead, Suppression::Complained, self.moment(now)).await?;
        tx.commit().await?;
        Ok(stopped)
    }

    /// A delivery came back for good, for the reason in `words`: the lead stops. A delivery in doubt is thereby
    /// found, since nobody bounces what was never accepted. Again changes nothing.
    pub async fn note_bounce(
        &self,
        addressed: &Addressed,
        words: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin().await?;
        let moment = self.moment(now);
        let stopped = lead::stop(&mut tx, &addressed.lead, Suppression::Bounced, moment).await?;
        for event in [Event::Found { at: now }, Event::Bounced] {
            match delivery::transition(&mut tx, &addressed.delivery, event, moment).await {
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if !words.is_empty() {
            sqlx::query("UPDATE deliveries SET words = $1 WHERE id = $2 AND state = 'bounced'")
                .bind(words.to_owned())
                .bind(addressed.delivery.to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(stopped)
    }
}

async fn put_wire_id(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    wire_id: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET wire_id = $1 WHERE id = $2")
        .bind(wire_id.to_owned())
        .bind(id.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

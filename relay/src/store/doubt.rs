//! Deliveries in doubt, what settles them, and what arrived for deliveries that were accepted.

use protocol::delivery::{Event, Suppression};
use protocol::id::{DeliveryId, InboxId, LeadId};
use protocol::standing::{Effect, Refusal, Remote, Report};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::inbox::position;
use super::{
    Store, StoreError, delivery, lead, number, number_or_null, standing, text, text_or_null,
};
use crate::record::Doubt;

/// A delivery that an arrived message speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its lead.
    pub lead: LeadId,
}

/// What a bounce says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounced {
    /// What was met.
    pub refusal: Refusal,
    /// Who says it.
    pub remote: Remote,
}

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
        delivery::transition(&mut tx, id, event, now).await?;
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

    /// The delivery of this inbox that one of these message ids names, ours or the server's; the latest
    /// step where several do.
    pub async fn find_addressed(
        &self,
        inbox: &InboxId,
        message_ids: &[String],
    ) -> Result<Option<Addressed>, StoreError> {
        let mut found: Option<(i64, Addressed)> = None;
        for message_id in message_ids {
            let row = sqlx::query(
                "SELECT id, lead_id, step FROM deliveries WHERE inbox_id = $1 AND (message_id = $2 OR wire_id = $2) \
                 AND attempt > 0 ORDER BY step DESC LIMIT 1",
            )
            .bind(inbox.to_string())
            .bind(message_id.clone())
            .fetch_optional(&self.reader)
            .await?;
            let Some(row) = row else { continue };
            let step = number(&row, "step")?;
            if found.as_ref().is_none_or(|(best, _)| step > *best) {
                let addressed = Addressed {
                    delivery: DeliveryId::new(text(&row, "id")?),
                    lead: LeadId::new(text(&row, "lead_id")?),
                };
                found = Some((step, addressed));
            }
        }
        Ok(found.map(|(_, addressed)| addressed))
    }

    /// The lead answered: none of its later steps is sent. Again changes nothing.
    pub async fn note_reply(&self, lead: &LeadId, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin().await?;
        let stopped = lead::stop(&mut tx, lead, Suppression::Replied, now).await?;
        tx.commit().await?;
        Ok(stopped)
    }

    /// A permanent DSN came back for a delivery: the lead stops, unless it is the inbox's, and then all that came back
    /// so is due again. Again changes nothing. Answers whether the lead stopped.
    pub async fn note_bounce(
        &self,
        addressed: &Addressed,
        bounced: &Bounced,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin().await?;
        let row =
            sqlx::query("SELECT inbox_id, sent_no, state, alike FROM deliveries WHERE id = $1")
                .bind(addressed.delivery.to_string())
                .fetch_one(&mut *tx)
                .await?;
        if !matches!(
            text(&row, "state")?.as_str(),
            "accepted" | "in_doubt" | "unsettled"
        ) {
            // One that came back before, and is due again or over, says nothing new.
            let is_known = text_or_null(&row, "alike")?.is_some();
            let stopped = !is_known
                && lead::stop(&mut tx, &addressed.lead, Suppression::Bounced, now).await?;
            tx.commit().await?;
            return Ok(stopped);
        }
        let inbox = InboxId::new(text(&row, "inbox_id")?);
        let mut standing = standing::load(&mut tx, &inbox).await?;
        let sent_no = number_or_null(&row, "sent_no")?
            .and_then(|sent_no| u64::try_from(sent_no).ok())
            .unwrap_or_else(|| standing.n_sent());
        let report = Report {
            delivery: addressed.delivery.clone(),
            sent_no,
            refusal: bounced.refusal.clone(),
            remote: bounced.remote.clone(),
        };
        standing::note_bounced(&mut tx, &addressed.delivery, &bounced.refusal).await?;
        let effects = standing.note_report(report, now);
        standing::apply(&mut tx, &inbox, &effects, now).await?;
        standing::put(&mut tx, &inbox, &standing).await?;
        tx.commit().await?;
        let is_inboxes = |effect: &Effect| matches!(effect, Effect::SendAgain(_));
        Ok(!effects.iter().any(is_inboxes))
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

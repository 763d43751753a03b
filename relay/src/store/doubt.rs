//! Deliveries in doubt, what settles them, and what arrived for deliveries that were accepted.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::campaign::Step;
use protocol::delivery::{Event, NoEvidence, Suppression};
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::sender::Sender;
use protocol::standing::{Effect, Refusal, Remote, Report};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::addressed::Addressed;
use super::clocks::Moment;
use super::conflict::Conflict;
use super::inbox::{self, position};
use super::sender::sender_from;
use super::{
    Store, StoreError, alert, delivery, json, lead, number, number_or_null, person, standing, text,
    text_or_null, to_json,
};
use crate::record::{Doubt, Sent};

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
            "SELECT id, message_id, in_doubt_since_ms AS since_ms, sent_uid_validity, sent_uid_next, sent_folder, \
             claim_no, adoption FROM deliveries WHERE inbox_id = $1 AND state = 'in_doubt' ORDER BY in_doubt_since_ms, id",
        )
        .bind(inbox.to_string())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(doubt_from).collect()
    }

    /// Settles a delivery in doubt: found (with what the server made of the id), refuted, or unsettled (and why).
    pub async fn settle_doubt(
        &self,
        id: &DeliveryId,
        event: Event,
        wire_id: Option<&str>,
        why: Option<NoEvidence>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if event == Event::Unsettled {
            tell_first_unsettled(&mut tx, id, now).await?;
        }
        delivery::transition(&mut tx, id, event, self.moment(now)).await?;
        sqlx::query("UPDATE deliveries SET no_evidence = $1 WHERE id = $2")
            .bind(why.map(|why| to_json("no_evidence", &why)).transpose()?)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        if let Some(wire_id) = wire_id {
            put_wire_id(&mut tx, id, wire_id).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes what the server made of an accepted message's id, as its sent copy shows.
    pub async fn note_wire_id(&self, id: &DeliveryId, wire_id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
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
            "SELECT id, message_id, accepted_at_ms AS since_ms, sent_uid_validity, sent_uid_next, sent_folder, \
             claim_no, adoption FROM deliveries WHERE inbox_id = $1 AND state = 'accepted' AND wire_id IS NULL AND sent_uid_next IS NOT NULL \
             AND accepted_at_ms >= $2 ORDER BY accepted_at_ms, id",
        )
        .bind(inbox.to_string())
        .bind(from.as_ms())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(doubt_from).collect()
    }

    /// The lead answered: none of its later steps is sent. A delivery in doubt is thereby found, since nobody answers
    /// what never came. Again changes nothing.
    pub async fn note_reply(
        &self,
        addressed: &Addressed,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let moment = self.moment(now);
        let mut tx = self.begin().await?;
        let stopped = lead::stop(&mut tx, &addressed.lead, Suppression::Replied, moment).await?;
        // Also where this lead has had all of its steps, or was stopped before.
        let why = Suppression::Replied;
        person::stop_others(&mut tx, &addressed.lead, why, moment).await?;
        let found = Event::Found { at: now };
        apply_where_it_fits(&mut tx, &addressed.delivery, found, moment).await?;
        tx.commit().await?;
        // Also where this lead had nothing left to stop: the person's others stay stopped after a restore.
        self.note_stop(&addressed.lead, Suppression::Replied, now)
            .await;
        Ok(stopped)
    }

    /// The lead complained about a message: the person is not written to any more. Again changes nothing.
    pub async fn note_complaint(&self, lead: &LeadId, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let (why, moment) = (Suppression::Complained, self.moment(now));
        let stopped = lead::stop(&mut tx, lead, why, moment).await?;
        person::note_suppressed(&mut tx, lead, why, moment).await?;
        person::stop_others(&mut tx, lead, why, moment).await?;
        tx.commit().await?;
        // Also where nothing was left to stop: the person stands on the list.
        self.note_stop(lead, why, now).await;
        Ok(stopped)
    }

    /// A delivery came back for good: the lead stops, unless it is the inbox's, and then all that came back so is due
    /// again. Again changes nothing. Answers whether the lead stopped.
    pub async fn note_bounce(
        &self,
        addressed: &Addressed,
        bounced: &Bounced,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let moment = self.moment(now);
        let mut tx = self.begin().await?;
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
                && lead::stop(&mut tx, &addressed.lead, Suppression::Bounced, moment).await?;
            tx.commit().await?;
            if stopped {
                self.note_stop(&addressed.lead, Suppression::Bounced, now)
                    .await;
            }
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
        let returned = standing::list_returned(&mut tx, &inbox, &effects, now).await?;
        standing::apply(&mut tx, &inbox, &effects, moment).await?;
        standing::put(&mut tx, &inbox, &standing, moment).await?;
        tx.commit().await?;
        self.note_returned(&returned, now).await;
        let is_inboxes = |effect: &Effect| matches!(effect, Effect::SendAgain(_));
        Ok(!effects.iter().any(is_inboxes))
    }
}

/// What an inbox sends to itself.
#[derive(Clone, Debug)]
pub struct NewCanary {
    /// Stands in the delivery header.
    pub id: DeliveryId,
    /// The inbox.
    pub inbox: InboxId,
    /// What we write as `Message-ID`.
    pub message_id: String,
    /// The adoption of credentials that it is sent with.
    pub adoption: i64,
    /// When it is begun.
    pub begun_at: Timestamp,
}

/// What the message of a delivery was made of.
#[derive(Clone, Debug)]
pub struct Written {
    /// The recipient.
    pub to: Address,
    /// The lead.
    pub lead: LeadId,
    /// The lead's fields.
    pub fields: Arc<BTreeMap<String, String>>,
    /// The campaign's steps.
    pub steps: Vec<Step>,
    /// How the campaign presents its inboxes; what it does not say, the inbox does.
    pub sender: Sender,
    /// Which of the steps, from 0.
    pub step_idx: usize,
    /// The ids of the steps before, oldest first.
    pub thread: Vec<String>,
    /// Whether it said how to be written to no more.
    pub tells_way_out: bool,
}

impl Store {
    /// What the message of a delivery was made of; `None` where there is no such delivery.
    pub async fn find_written(&self, id: &DeliveryId) -> Result<Option<Written>, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let row = sqlx::query(
            "SELECT d.lead_id AS lead_id, d.step AS step, l.address AS address, l.fields AS fields, c.steps AS steps, \
             c.unsubscribe AS unsubscribe, c.sender AS sender FROM deliveries d JOIN leads l ON l.id = d.lead_id JOIN campaigns c ON c.id = d.campaign_id \
             WHERE d.id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(&mut *reader)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let lead = LeadId::new(text(&row, "lead_id")?);
        let step = number(&row, "step")?;
        Ok(Some(Written {
            to: text(&row, "address")?
                .parse()
                .map_err(|_| StoreError::Corrupt { what: "address" })?,
            fields: Arc::new(json(&row, "fields")?),
            steps: json(&row, "steps")?,
            sender: sender_from(&row)?,
            step_idx: usize::try_from(step - 1)
                .map_err(|_| StoreError::Corrupt { what: "step" })?,
            thread: delivery::list_thread(&mut reader, &lead, step).await?,
            tells_way_out: number(&row, "unsubscribe")? == 1,
            lead,
        }))
    }

    /// Messages of an inbox that were accepted, whose attempts began after this one, newest first: leads' and its own
    /// to itself. Some dozens: one of them is enough to speak.
    pub async fn list_accepted_since(
        &self,
        inbox: &InboxId,
        claim_no: i64,
    ) -> Result<Vec<Sent>, StoreError> {
        let mut accepted = Vec::new();
        for text in [
            "SELECT id, message_id, claim_no, adoption, accepted_at_ms FROM canaries \
             WHERE inbox_id = $1 AND claim_no > $2 AND accepted_at_ms IS NOT NULL ORDER BY begun_at_ms DESC LIMIT 50",
            "SELECT id, message_id, claim_no, adoption, accepted_at_ms FROM deliveries \
             WHERE inbox_id = $1 AND claim_no > $2 AND state IN ('accepted', 'bounced') ORDER BY claim_no DESC LIMIT 50",
        ] {
            let rows = sqlx::query(text)
                .bind(inbox.to_string())
                .bind(claim_no)
                .fetch_all(&self.reader)
                .await?;
            for row in &rows {
                accepted.push(sent_from(row)?);
            }
        }
        Ok(accepted)
    }

    /// The intent to send a message of an inbox to itself, before its first byte.
    pub async fn create_canary(&self, canary: &NewCanary) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO canaries (id, inbox_id, message_id, adoption, claim_no, begun_at_ms, begun_r_ms) \
             VALUES ($1, $2, $3, $4, (SELECT CAST(COALESCE(MAX(d.claim_no), 0) + 1 AS BIGINT) FROM deliveries d \
             WHERE d.inbox_id = $2 AND d.claim_no IS NOT NULL), $5, $6)",
        )
        .bind(canary.id.to_string())
        .bind(canary.inbox.to_string())
        .bind(canary.message_id.clone())
        .bind(canary.adoption)
        .bind(canary.begun_at.as_ms())
        .bind(self.moment(canary.begun_at).r_ms)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// It was accepted; the inbox keeps its distance to it as to any other message.
    pub async fn accept_canary(
        &self,
        canary: &NewCanary,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ends = "UPDATE canaries SET accepted_at_ms = $1 WHERE id = $2";
        self.end_canary(canary, ends, now).await
    }

    /// The server refused it: an answer all the same, and the inbox keeps its distance to it.
    pub async fn refuse_canary(
        &self,
        canary: &NewCanary,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ends = "UPDATE canaries SET refused_at_ms = $1 WHERE id = $2";
        self.end_canary(canary, ends, now).await
    }

    async fn end_canary(
        &self,
        canary: &NewCanary,
        ends: &'static str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let moment = self.moment(now);
        let mut tx = self.begin().await?;
        sqlx::query(ends)
            .bind(now.as_ms())
            .bind(canary.id.to_string())
            .execute(&mut *tx)
            .await?;
        inbox::note_tried(&mut tx, &canary.inbox, moment).await?;
        tx.commit().await?;
        Ok(())
    }

    /// When an inbox last wrote to itself.
    pub async fn find_last_canary(&self, inbox: &InboxId) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query("SELECT MAX(begun_at_ms) AS at_ms FROM canaries WHERE inbox_id = $1")
            .bind(inbox.to_string())
            .fetch_one(&self.reader)
            .await?;
        Ok(number_or_null(&row, "at_ms")?.map(Timestamp::from_ms))
    }
}

/// A delivery is about to be unsettled: where no other of its campaign is, somebody is told.
async fn tell_first_unsettled(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let first = sqlx::query(
        "SELECT d.campaign_id AS campaign_id FROM deliveries d WHERE d.id = $1 AND NOT EXISTS (SELECT 1 FROM deliveries o \
         WHERE o.campaign_id = d.campaign_id AND o.state = 'unsettled')",
    )
    .bind(id.to_string())
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(row) = first {
        let campaign = CampaignId::new(text(&row, "campaign_id")?);
        alert::tell_unsettled(tx, &campaign, now).await?;
    }
    Ok(())
}

fn doubt_from(row: &AnyRow) -> Result<Doubt, StoreError> {
    Ok(Doubt {
        id: DeliveryId::new(text(row, "id")?),
        message_id: text(row, "message_id")?,
        since: Timestamp::from_ms(number(row, "since_ms")?),
        sent: position(row, "sent_uid_validity", "sent_uid_next")?,
        folder: text_or_null(row, "sent_folder")?,
        claim_no: number_or_null(row, "claim_no")?.unwrap_or(0),
        // An attempt of an older version: nothing later is known to be of the same sign-in.
        adoption: number_or_null(row, "adoption")?.unwrap_or(-1),
        size_bytes: None,
    })
}

fn sent_from(row: &AnyRow) -> Result<Sent, StoreError> {
    Ok(Sent {
        id: DeliveryId::new(text(row, "id")?),
        message_id: text(row, "message_id")?,
        claim_no: number(row, "claim_no")?,
        adoption: number(row, "adoption")?,
        accepted_at: Timestamp::from_ms(number(row, "accepted_at_ms")?),
    })
}

/// Moves a delivery by an event, where its state takes it.
async fn apply_where_it_fits(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    event: Event,
    now: Moment,
) -> Result<(), StoreError> {
    match delivery::transition(tx, id, event, now).await {
        Ok(_) | Err(StoreError::Conflict(Conflict::Delivery(_))) => Ok(()),
        Err(error) => Err(error),
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

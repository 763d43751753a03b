//! Which delivery an arrived message speaks of: by the ids that it names, ours or the server's, else by our delivery
//! header, else by the person's address. Ids and headers are ours whatever inbox the message came to, and whoever was
//! written to answers at any of them; what came back and names an address alone speaks of what the inbox itself has sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::campaign::Step;
use protocol::id::{DeliveryId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::timestamp::Timestamp;
use sqlx::any::AnyRow;

use super::{Store, StoreError, json, number, small, text};
use crate::text::arrival::{Answer, Bounce, Failure, Named, is_about};
use crate::text::message::to_listed;
use crate::text::sequence::{Recipient, fill_subject};

/// The shortest local part that names a message without its host: some servers tell only that, and write the host
/// later. *Observed with Amazon SES on 2026-11-29*: 60 characters.
const BARE_ID_CHARS_MIN: usize = 16;

/// How far the mail server's clock may be behind ours; it also tells whole seconds only (RFC 9051 §9).
const CLOCK_LEEWAY: Duration = Duration::from_mins(5);

/// Deliveries to one address that are compared with a subject.
const COMPARED_MAX: usize = 20;

/// Addresses of whoever wrote a message that are looked up.
const WRITERS_MAX: usize = 5;

const COLUMNS: &str = "d.id AS id, d.inbox_id AS inbox_id, d.lead_id AS lead_id, d.step AS step, l.address AS address, \
     l.fields AS fields, c.steps AS steps";

/// A delivery that an arrived message speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The inbox that sent it.
    pub inbox: InboxId,
    /// Its lead.
    pub lead: LeadId,
    /// The lead's address.
    pub address: String,
}

/// A row with what its message was made of.
struct Candidate {
    addressed: Addressed,
    step: u32,
    subject: Option<String>,
}

impl Store {
    /// The delivery that an answer is to. Its ids decide, whatever inbox of ours they came to; where none is ours, what
    /// the person writes counts: with the subject of ours, and where it names no other thread, whatever its subject,
    /// since whoever was written to and writes has answered, at the inbox that wrote or at another one of ours, where
    /// none of our inboxes writes it. What bears `own`, the inbox's address, must be marked as an answer. `arrived_at`
    /// is when the server took it: an answer comes after what it answers.
    pub async fn find_answered(
        &self,
        inbox: &InboxId,
        own: &Address,
        answer: &Answer,
        arrived_at: Timestamp,
    ) -> Result<Option<Addressed>, StoreError> {
        if let Some(found) = self.find_by_ids(&answer.to, true).await? {
            return Ok(self
                .is_answer(inbox, &found.addressed, answer)
                .await?
                .then_some(found.addressed));
        }
        let Some(from) = &answer.from else {
            return Ok(None);
        };
        let is_own = own.as_str().eq_ignore_ascii_case(from);
        let writes_anew = answer.to.is_empty() && (answer.is_marked || !is_own);
        let is_ours = |candidate: &&Candidate| {
            candidate
                .subject
                .as_ref()
                .is_some_and(|ours| answer.subjects.iter().any(|found| is_about(found, ours)))
        };
        let others = answer.reply_to.iter().filter(|address| *address != from);
        let mut elsewhere = Vec::new();
        for address in std::iter::once(from).chain(others).take(WRITERS_MAX) {
            let (here, others) = self.list_sent_to(inbox, address, arrived_at).await?;
            let by_subject = here.iter().find(is_ours);
            let by_writer = here.first().filter(|_| writes_anew);
            if let Some(found) = by_subject.or(by_writer) {
                return Ok(Some(found.addressed.clone()));
            }
            if !others.is_empty() {
                elsewhere.push((address, others));
            }
        }
        // Our inboxes write to one another as well, and answer there for themselves alone.
        if elsewhere.is_empty() || is_own || self.has_inbox(from).await? {
            return Ok(None);
        }
        for (address, sent) in elsewhere {
            let by_subject = sent.iter().find(is_ours);
            let by_writer = sent.first().filter(|_| writes_anew);
            if let Some(found) = by_subject.or(by_writer)
                && !self.has_inbox(address).await?
            {
                return Ok(Some(found.addressed.clone()));
            }
        }
        Ok(None)
    }

    /// Whether what names a delivery is written by somebody else than us: what one of our inboxes hands on to another
    /// one names it too, and is nobody's answer but where that inbox is the lead.
    async fn is_answer(
        &self,
        inbox: &InboxId,
        found: &Addressed,
        answer: &Answer,
    ) -> Result<bool, StoreError> {
        let Some(from) = answer.from.as_ref().filter(|_| found.inbox != *inbox) else {
            return Ok(true);
        };
        Ok(to_listed(from) == to_listed(&found.address) || !self.has_inbox(from).await?)
    }

    /// Whether this is the address of one of our inboxes.
    pub async fn has_inbox(&self, address: &str) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM inboxes WHERE LOWER(address) = LOWER($1)")
            .bind(address.to_owned())
            .fetch_optional(&self.reader)
            .await?;
        Ok(row.is_some())
    }

    /// Whether a message of ours has this id, as we wrote it or as its server did.
    pub async fn has_sent(&self, message_id: &str) -> Result<bool, StoreError> {
        let ids = [message_id.to_owned()];
        Ok(self.find_by_ids(&ids, true).await?.is_some())
    }

    /// The delivery that came back, and why; `None` where none of ours did.
    pub async fn find_bounced(
        &self,
        inbox: &InboxId,
        bounce: &Bounce,
        arrived_at: Timestamp,
    ) -> Result<Option<(Addressed, Failure)>, StoreError> {
        // That an earlier message came back is known, and says nothing of the one that was sent since.
        let found = self
            .find_named_among(inbox, &bounce.of, false, arrived_at)
            .await?;
        Ok(found.and_then(|addressed| {
            let failure = bounce.failure_of(&addressed.address)?.clone();
            Some((addressed, failure))
        }))
    }

    /// The delivery that a report is about: by id, by our delivery header, else by the recipient, where the report
    /// shows no other message than ours.
    pub async fn find_named(
        &self,
        inbox: &InboxId,
        named: &Named,
        arrived_at: Timestamp,
    ) -> Result<Option<Addressed>, StoreError> {
        self.find_named_among(inbox, named, true, arrived_at).await
    }

    async fn find_named_among(
        &self,
        inbox: &InboxId,
        named: &Named,
        with_earlier: bool,
        arrived_at: Timestamp,
    ) -> Result<Option<Addressed>, StoreError> {
        if let Some(found) = self.find_by_ids(&named.ids, with_earlier).await? {
            return Ok(Some(found.addressed));
        }
        if let Some(delivery) = &named.delivery {
            let row = sqlx::query(sqlx::AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM deliveries d JOIN leads l ON l.id = d.lead_id \
                 JOIN campaigns c ON c.id = d.campaign_id \
                 WHERE d.id = $1 AND d.attempt > 0"
            )))
            .bind(delivery.clone())
            .fetch_optional(&self.reader)
            .await?;
            return Ok(row
                .as_ref()
                .map(candidate)
                .transpose()?
                .map(|found| found.addressed));
        }
        if let Some(tag) = &named.tag
            && let Some(found) = self.find_by_tag(tag).await?
        {
            return Ok(Some(found.addressed));
        }
        for address in &named.addresses {
            let (sent, _) = self.list_sent_to(inbox, address, arrived_at).await?;
            let found = match &named.subject {
                // It shows a message: ours has its subject.
                Some(shown) => sent.iter().find(|candidate| {
                    let ours = candidate.subject.as_ref();
                    ours.is_some_and(|ours| is_about(shown, ours))
                }),
                // It shows ids and no subject: they are somebody else's.
                None => sent.first().filter(|_| named.ids.is_empty()),
            };
            if let Some(found) = found {
                return Ok(Some(found.addressed.clone()));
            }
        }
        Ok(None)
    }

    /// The delivery that one of these message ids names, in whatever case it came back; the latest step where several
    /// do. `with_earlier` looks among the ids as well that it had before it was sent anew.
    async fn find_by_ids(
        &self,
        message_ids: &[String],
        with_earlier: bool,
    ) -> Result<Option<Candidate>, StoreError> {
        let mut found: Option<Candidate> = None;
        for message_id in message_ids {
            let id = message_id.to_ascii_lowercase();
            let bare = id
                .split_once('@')
                .map(|(local, _)| local)
                .filter(|local| local.chars().count() >= BARE_ID_CHARS_MIN)
                .unwrap_or(&id);
            // Each id along its own index: an OR of them would go through all that the inbox has sent.
            let by = |named: &str| {
                format!(
                    "SELECT {COLUMNS} FROM deliveries d JOIN leads l ON l.id = d.lead_id \
                     JOIN campaigns c ON c.id = d.campaign_id \
                     WHERE {named}"
                )
            };
            let earlier = format!(
                "UNION ALL SELECT {COLUMNS} FROM earlier_ids e JOIN deliveries d ON d.id = e.delivery_id \
                 JOIN leads l ON l.id = d.lead_id JOIN campaigns c ON c.id = d.campaign_id \
                 WHERE e.message_id IN ($1, $2)"
            );
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
                "{} UNION ALL {} {}",
                by("d.message_id IS NOT NULL AND LOWER(d.message_id) = $1"),
                by("d.wire_id IS NOT NULL AND LOWER(d.wire_id) IN ($1, $2)"),
                if with_earlier { earlier.as_str() } else { "" },
            )))
            .bind(id.clone())
            .bind(bare.to_owned())
            .fetch_all(&self.reader)
            .await?;
            for row in &rows {
                let next = candidate(row)?;
                if found.as_ref().is_none_or(|best| next.step > best.step) {
                    found = Some(next);
                }
            }
        }
        Ok(found)
    }

    /// The delivery whose message bears this tag.
    async fn find_by_tag(&self, tag: &str) -> Result<Option<Candidate>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM deliveries d JOIN leads l ON l.id = d.lead_id \
             JOIN campaigns c ON c.id = d.campaign_id \
             WHERE d.message_id IS NOT NULL AND LOWER(d.message_id) >= $1 \
             AND LOWER(d.message_id) < $2 LIMIT 1"
        )))
        // Of the ids that begin with it: `A` follows `@`.
        .bind(format!("{}@", tag.to_ascii_lowercase()))
        .bind(format!("{}A", tag.to_ascii_lowercase()))
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref().map(candidate).transpose()
    }

    /// What this inbox, and what our others, may have sent to an address before then, the latest first each. What a
    /// ledger that was put back never attempted may have left at any time that it has lost, whenever it was held or a
    /// person took it for sent.
    async fn list_sent_to(
        &self,
        inbox: &InboxId,
        address: &str,
        before: Timestamp,
    ) -> Result<(Vec<Candidate>, Vec<Candidate>), StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, COALESCE(d.accepted_at_ms, d.in_doubt_since_ms, 0) AS sent_at_ms \
             FROM leads l JOIN deliveries d ON d.lead_id = l.id JOIN campaigns c ON c.id = d.campaign_id \
             JOIN inboxes i ON i.id = d.inbox_id WHERE l.person = $1 \
             AND (d.state IN ('accepted', 'bounced', 'in_doubt', 'unsettled') OR d.resends > 0) \
             AND COALESCE(d.accepted_at_ms, d.in_doubt_since_ms, 0) \
               - CASE WHEN d.attempt = 0 OR d.may_be_sent_ms IS NOT NULL THEN i.restored_gap_ms ELSE 0 END <= $2"
        )))
        .bind(to_listed(address))
        .bind((before + CLOCK_LEEWAY).as_ms())
        .fetch_all(&self.reader)
        .await?;
        // A few, since it is one person's.
        let mut sent = Vec::new();
        for row in &rows {
            sent.push((number(row, "sent_at_ms")?, candidate(row)?));
        }
        sent.sort_by_key(|(at_ms, found)| std::cmp::Reverse((*at_ms, found.step)));
        let (mut here, mut others): (Vec<_>, Vec<_>) = sent
            .into_iter()
            .map(|(_, found)| found)
            .partition(|found| found.addressed.inbox == *inbox);
        here.truncate(COMPARED_MAX);
        others.truncate(COMPARED_MAX);
        Ok((here, others))
    }
}

fn candidate(row: &AnyRow) -> Result<Candidate, StoreError> {
    let steps: Vec<Step> = json(row, "steps")?;
    let fields: Arc<BTreeMap<String, String>> = Arc::new(json(row, "fields")?);
    let lead = LeadId::new(text(row, "lead_id")?);
    let step: u32 = small(row, "step")?;
    let step_idx = usize::try_from(step)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let to = Recipient {
        id: &lead,
        fields: &fields,
    };
    // A template that no longer fits its lead names no subject.
    let subject = fill_subject(&steps, step_idx, to).ok();
    Ok(Candidate {
        addressed: Addressed {
            delivery: DeliveryId::new(text(row, "id")?),
            inbox: InboxId::new(text(row, "inbox_id")?),
            lead,
            address: text(row, "address")?,
        },
        step,
        subject,
    })
}

//! Claiming the next delivery: its intent is committed before anybody is told of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::campaign::Step;
use protocol::delivery::Event;
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::sender::Sender;
use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::super::budget::{load_allowance, note_ramp};
use super::super::clocks::{Moment, note_running_time};
use super::super::sender::sender_from;
use super::super::standing::{self, Chosen};
use super::super::{Store, StoreError, json, lead, number, sending, small, text, text_or_null};
use super::{ATTEMPTING_AT_MOST, put_state, state_from};
use crate::record::{Budgets, Pace, Queue, SentPlace, Turn, organisation_of};
use crate::tag::{Named, Tags};

/// Deliveries that one claim passes over, because their person is not written to or their domain was written to often
/// enough; the next claim goes on.
const PASSED_AT_ONCE: usize = 50;

/// A claimed delivery with everything that its message is made of.
#[derive(Clone, Debug)]
pub struct Job {
    /// The delivery.
    pub id: DeliveryId,
    /// Its lead.
    pub lead: LeadId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The number of this attempt: the fence.
    pub attempt: u32,
    /// How many attempts ended with a transient refusal of this recipient or message.
    pub deferrals: u32,
    /// The recipient.
    pub to: Address,
    /// The lead's fields.
    pub fields: Arc<BTreeMap<String, String>>,
    /// The step, from 0.
    pub step_idx: usize,
    /// The campaign's steps.
    pub steps: Vec<Step>,
    /// How the campaign presents its inboxes; what it does not say, the inbox does.
    pub sender: Sender,
    /// What we write as `Message-ID`, without angle brackets: the same at every attempt.
    pub message_id: String,
    /// The ids of the steps before, oldest first, ours and the server's.
    pub thread: Vec<String>,
    /// Whether its message says how to be written to no more.
    pub tells_way_out: bool,
}

/// What a claim needs to know.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The inbox that sends.
    pub inbox: InboxId,
    /// Its domain, for a new message id.
    pub domain: String,
    /// Makes new message ids.
    pub tags: Tags,
    /// The present instant, by the database's clock; with SQLite that is the relay's own.
    pub now: Timestamp,
    /// Until when the attempt is ours alone.
    pub lease_until: Timestamp,
    /// Where the sent folder stood before this batch.
    pub sent: Option<SentPlace>,
    /// Whether nobody promises a copy, so that the message owes one until a copy is seen or made.
    pub owes_copy: bool,
    /// Decides whose message goes next, of what is due; see `engine::turns`.
    pub take_turn: fn(&mut [Queue], i64) -> Option<Turn>,
    /// Decides whether the inbox may try a message now; see `engine::pace`.
    pub pace: fn(&Budgets, Timestamp) -> Pace,
    /// How long the inbox rests after refusals and doubts.
    pub rests: Rests,
}

impl Store {
    /// Claims the next delivery of an inbox that is due, may be sent now, and whose lead has no earlier
    /// step that is not accepted. `None` when there is none.
    pub async fn claim_delivery(&self, claim: &Claim) -> Result<Option<Job>, StoreError> {
        let mut tx = self.begin().await?;
        let job = claim_in(&mut tx, claim, self.moment(claim.now)).await?;
        tx.commit().await?;
        Ok(job)
    }
}

pub(super) async fn claim_in(
    tx: &mut AnyConnection,
    claim: &Claim,
    now: Moment,
) -> Result<Option<Job>, StoreError> {
    let allowance = load_allowance(tx, &claim.inbox, now).await?;
    if allowance.n_attempting >= ATTEMPTING_AT_MOST
        || (claim.pace)(&allowance.budgets, now.at) != Pace::Go
    {
        return Ok(None);
    }
    let Some(chosen) = choose_one_to_write_to(tx, claim, &allowance.row, now).await? else {
        return Ok(None);
    };
    let Chosen { row, pair, turn } = chosen;
    let id = DeliveryId::new(text(&row, "id")?);
    let before: u32 = small(&row, "attempt")?;
    let attempt = before.saturating_add(1);
    let reading = pair.clock.read(now);
    let event = Event::Claimed {
        reading,
        lease_until: claim.lease_until,
        attempt,
    };
    let state = state_from(&row)?.apply(event)?;
    let lead = LeadId::new(text(&row, "lead_id")?);
    let step = number(&row, "step")?;
    let named = Named {
        campaign: &pair.campaign,
        lead: &lead,
        step,
        resends: number(&row, "resends")?,
    };
    // What an earlier version gave it stays its id.
    let message_id = text_or_null(&row, "message_id")?
        .unwrap_or_else(|| claim.tags.make_message_id(&named, &claim.domain));
    put_state(tx, &id, before, &state, Some(attempt), now).await?;
    let to = address_in(&row)?;
    let sent = claim.sent.as_ref();
    sqlx::query(
        "UPDATE deliveries SET message_id = $1, sent_uid_validity = $2, sent_uid_next = $3, sent_folder = $4, is_held = 0, owes_copy = $7, to_domain = $8, \
         claim_no = (SELECT CAST(COALESCE(MAX(o.claim_no), 0) + 1 AS BIGINT) FROM deliveries o \
         WHERE o.inbox_id = $5 AND o.claim_no IS NOT NULL), \
         adoption = (SELECT i.adoption FROM inboxes i WHERE i.id = $5) WHERE id = $6",
    )
    .bind(message_id.clone())
    .bind(sent.map(|sent| i64::from(sent.position.uid_validity)))
    .bind(sent.map(|sent| i64::from(sent.position.uid_next)))
    .bind(sent.map(|sent| sent.folder.clone()))
    .bind(claim.inbox.to_string())
    .bind(id.to_string())
    .bind(i64::from(claim.owes_copy))
    .bind(organisation_of(&to))
    .execute(&mut *tx)
    .await?;
    // What goes out of its turn takes none.
    if let Some(turn) = turn.filter(|turn| turn.served != allowance.served) {
        sqlx::query("UPDATE inboxes SET served = $1 WHERE id = $2")
            .bind(turn.served)
            .bind(claim.inbox.to_string())
            .execute(&mut *tx)
            .await?;
    }
    note_ramp(tx, &allowance.budgets, now).await?;
    note_running_time(tx, now).await?;
    let thread = match step {
        1 => Vec::new(),
        _ => list_thread(tx, &lead, step).await?,
    };
    Ok(Some(Job {
        attempt,
        deferrals: small(&row, "n_deferrals")?,
        to,
        fields: Arc::new(json(&row, "fields")?),
        step_idx: usize::try_from(step - 1).map_err(|_| StoreError::Corrupt { what: "step" })?,
        steps: json(&row, "steps")?,
        sender: sender_from(&row)?,
        message_id,
        thread,
        tells_way_out: number(&row, "unsubscribe")? == 1,
        campaign: pair.campaign,
        lead,
        id,
    }))
}

fn address_in(row: &AnyRow) -> Result<Address, StoreError> {
    text(row, "address")?
        .parse()
        .map_err(|_| StoreError::Corrupt { what: "address" })
}

/// The delivery that is to be claimed. Leads of people who are not written to any more are stopped on the way, and
/// deliveries wait whose domains were tried as often as may be.
async fn choose_one_to_write_to(
    tx: &mut AnyConnection,
    claim: &Claim,
    row: &AnyRow,
    now: Moment,
) -> Result<Option<Chosen>, StoreError> {
    for _ in 0..PASSED_AT_ONCE {
        let Some(chosen) = standing::choose(tx, claim, row, now).await? else {
            return Ok(None);
        };
        if let Some(why) = text_or_null(&chosen.row, "suppressed_why")? {
            let lead = LeadId::new(text(&chosen.row, "lead_id")?);
            lead::stop(tx, &lead, lead::parse_why(&why)?, now).await?;
            continue;
        }
        let domain = organisation_of(&address_in(&chosen.row)?);
        let place = (&chosen.pair.campaign, &claim.inbox, domain.as_str());
        if !sending::park_if_full(tx, &chosen.row, place, now).await? {
            return Ok(Some(chosen));
        }
    }
    Ok(None)
}

/// The ids of the steps before `step`, oldest first: for each what we wrote, then what the server made of
/// it where that differs.
pub(in crate::store) async fn list_thread(
    tx: &mut AnyConnection,
    lead: &LeadId,
    step: i64,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "SELECT message_id, wire_id FROM deliveries WHERE lead_id = $1 AND step < $2 ORDER BY step",
    )
    .bind(lead.to_string())
    .bind(step)
    .fetch_all(tx)
    .await?;
    let mut thread = Vec::new();
    for row in &rows {
        let ours = text_or_null(row, "message_id")?;
        let theirs = text_or_null(row, "wire_id")?.filter(|wire_id| Some(wire_id) != ours.as_ref());
        thread.extend(ours);
        thread.extend(theirs);
    }
    Ok(thread)
}

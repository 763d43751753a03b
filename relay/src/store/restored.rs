//! A ledger that was put back from a copy of its own: what was sent after that copy was made is taken from the sent
//! folder, and what may have been sent, and nothing shows, is held for a person. Whether the ledger was put back is
//! found in `mark`; what is read for it in `worker::restored`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use protocol::alert::What;
use protocol::delivery::{Decision, Event, NoEvidence, State};
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::reading::Reading;
use protocol::timestamp::{Timestamp, duration_ms};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::clocks::{Moment, load_clock};
use super::inbox::position;
use super::{
    Store, StoreError, alert, campaign, delivery, number, number_or_null, small, text,
    text_or_null, to_json,
};
use crate::record::SentPlace;
use crate::tag::{Named, Tags};

mod arrived;
mod strays;

pub(super) use self::strays::{Stray, add_stray, hold_written_to};

pub use arrived::Proof;

/// Leads that are looked at with one statement.
const SLICE: i64 = 1_000;
/// Deliveries that are held in one transaction.
const HELD_SLICE: i64 = 500;
/// How often more than the ledger knows a message may have been sent anew since.
const RESENDS_AHEAD: i64 = 2;
/// What stands on record of an attempt that only a copy shows.
const COPY_WORDS: &str =
    "its copy was found in the sent folder after the database had been put back";

/// A copy of one of our messages.
#[derive(Clone, Debug)]
pub struct SeenCopy {
    /// Its tag, in small letters.
    pub tag: String,
    /// Its `Message-ID`, without angle brackets.
    pub message_id: Option<String>,
    /// Its recipient, in small letters; empty where it does not tell.
    pub to: String,
    /// When the server took the copy; `None` where it tells no date.
    pub at: Option<Timestamp>,
    /// Which process may have sent it.
    pub made: Made,
    /// How many different copies of its tag were seen; 0 where that says nothing.
    pub n_copies: u32,
}

/// Which process may have sent a message, by when it was written and copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Made {
    /// One whose end this ledger knows of.
    #[default]
    Before,
    /// One that this ledger may have forgotten.
    Lately,
    /// One that runs now.
    Now,
}

/// What copies told that the ledger did not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Deliveries that are accepted by it.
    pub found: u64,
    /// Copies without a delivery.
    pub strays: u64,
    /// Of both, those that this ledger never attempted: another process sent them.
    pub unattempted: u64,
    /// Messages of which there are more copies than this ledger made attempts: another process sent them as well.
    pub doubled: u64,
    /// Which process sent the last of these two.
    pub made: Made,
}

impl Taken {
    /// What two parts of a folder told.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            found: self.found + other.found,
            strays: self.strays + other.strays,
            unattempted: self.unattempted + other.unattempted,
            doubled: self.doubled + other.doubled,
            made: self.made.max(other.made),
        }
    }
}

/// Where the sent folder stood when the ledger last wrote of it.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The place before the last attempts; `None` where none is noted.
    pub place: Option<SentPlace>,
    /// Nothing that the ledger does not know was sent before.
    pub since: Timestamp,
}

/// That an inbox's part of the ledger was put back, until it is settled what of it was sent since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Attempts that are known to be missing; `None` where nobody knows.
    pub missing: Option<u64>,
    /// The time on the wall that is missing.
    pub lost: Duration,
}

/// What the tags of leads are made of.
const LEADS: &str = "SELECT l.id AS id, l.campaign_id AS campaign_id, l.inbox_id AS inbox_id, l.position AS position, \
     c.n_steps AS n_steps FROM leads l JOIN campaigns c ON c.id = l.campaign_id";

/// How often steps of leads were sent anew, by lead and step.
type Resent = BTreeMap<(String, i64), i64>;

/// Tags compared with those of the leads of an inbox.
struct Matching<'a> {
    inbox: &'a InboxId,
    tags: &'a Tags,
}

impl Matching<'_> {
    /// Takes out of `unknown` what bears a tag of these leads.
    fn take<'c>(
        &self,
        leads: &[AnyRow],
        resent: &Resent,
        unknown: &mut HashMap<&str, &'c SeenCopy>,
        matches: &mut Vec<(Match, &'c SeenCopy)>,
    ) -> Result<(), StoreError> {
        for row in leads {
            let (campaign, lead) = (
                CampaignId::new(text(row, "campaign_id")?),
                LeadId::new(text(row, "id")?),
            );
            for step in 1..=number(row, "n_steps")? {
                let known = resent.get(&(lead.to_string(), step)).copied().unwrap_or(0);
                for resends in 0..=known + RESENDS_AHEAD {
                    let named = Named {
                        campaign: &campaign,
                        lead: &lead,
                        step,
                        resends,
                    };
                    let Some(copy) = unknown.remove(self.tags.make(&named).as_str()) else {
                        continue;
                    };
                    // What came back is on record, and was sent anew since. Where inboxes share a mailbox, each tells of
                    // its own.
                    if resends < known || text(row, "inbox_id")? != self.inbox.as_str() {
                        continue;
                    }
                    matches.push((
                        Match {
                            campaign: campaign.clone(),
                            lead: lead.clone(),
                            place: number(row, "position")?,
                            step,
                            resends,
                        },
                        copy,
                    ));
                }
            }
        }
        Ok(())
    }
}

fn note_resent(resent: &mut Resent, rows: &[AnyRow]) -> Result<(), StoreError> {
    for row in rows {
        let key = (text(row, "lead_id")?, number(row, "step")?);
        resent.insert(key, number(row, "resends")?);
    }
    Ok(())
}

/// A lead's step whose copy was seen.
struct Match {
    campaign: CampaignId,
    lead: LeadId,
    place: i64,
    step: i64,
    resends: i64,
}

impl Store {
    /// Where comparing the sent folder of an inbox with the ledger begins.
    pub async fn find_compared(&self, inbox: &InboxId) -> Result<Compared, StoreError> {
        let row = sqlx::query("SELECT created_at_ms, last_tried_at_ms FROM inboxes WHERE id = $1")
            .bind(inbox.to_string())
            .fetch_one(&self.reader)
            .await?;
        let tried = number_or_null(&row, "last_tried_at_ms")?;
        let since = tried.map_or_else(|| number(&row, "created_at_ms"), Ok)?;
        let row = sqlx::query(
            "SELECT sent_folder, sent_uid_validity, sent_uid_next FROM deliveries \
             WHERE inbox_id = $1 AND claim_no IS NOT NULL ORDER BY claim_no DESC LIMIT 1",
        )
        .bind(inbox.to_string())
        .fetch_optional(&self.reader)
        .await?;
        let place = match &row {
            Some(row) => match (
                text_or_null(row, "sent_folder")?,
                position(row, "sent_uid_validity", "sent_uid_next")?,
            ) {
                (Some(folder), Some(position)) => Some(SentPlace { folder, position }),
                _ => None,
            },
            None => None,
        };
        Ok(Compared {
            place,
            since: Timestamp::from_ms(since),
        })
    }

    /// Takes over what copies of the sent folder show: a message that the ledger holds for unsent is accepted, and a
    /// copy without a delivery is kept as a stray. `per_attempt` is how many copies one attempt may leave.
    pub async fn take_copies(
        &self,
        inbox: &InboxId,
        address: &Address,
        copies: &[SeenCopy],
        per_attempt: u32,
        tags: &Tags,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let mut taken = Taken::default();
        let mut unknown: HashMap<&str, &SeenCopy> = HashMap::new();
        let mut open = Vec::new();
        for copy in copies {
            let row = sqlx::query(
                "SELECT id, state, attempt, (SELECT MAX(a.ended_at_ms) FROM attempts a WHERE a.delivery_id = deliveries.id) \
                 AS ended_at_ms FROM deliveries WHERE message_id IS NOT NULL AND LOWER(message_id) >= $1 AND LOWER(message_id) < $2 LIMIT 1",
            )
            // Of the ids that begin with it: `A` follows `@`.
            .bind(format!("{}@", copy.tag))
            .bind(format!("{}A", copy.tag))
            .fetch_optional(&self.reader)
            .await?;
            if let Some(row) = &row {
                let n_attempts: u64 = small(row, "attempt")?;
                if u64::from(copy.n_copies) > n_attempts * u64::from(per_attempt) {
                    taken.doubled += 1;
                    taken.made = taken.made.max(copy.made);
                }
            }
            match row {
                Some(row) if takes_copy(&text(&row, "state")?) => {
                    let state = text(&row, "state")?;
                    let ended = number_or_null(&row, "ended_at_ms")?.map(Timestamp::from_ms);
                    let refused = ended.filter(|_| state != "unsettled");
                    let is_due = matches!(state.as_str(), "planned" | "deferred");
                    open.push((DeliveryId::new(text(&row, "id")?), refused, is_due, copy));
                }
                Some(_) => {}
                None => {
                    unknown.insert(copy.tag.as_str(), copy);
                }
            }
        }
        let matches = if unknown.is_empty() {
            Vec::new()
        } else {
            self.match_tags(inbox, &mut unknown, &[], tags).await?
        };
        if open.is_empty() && matches.is_empty() && unknown.is_empty() {
            return Ok(taken);
        }
        let domain = address.domain();
        let moment = self.moment(now);
        let restored = self.find_restored(inbox).await?;
        let is_restored = !matches.is_empty() || !unknown.is_empty() || restored.is_some();
        let restored_lost = restored.map_or(Duration::ZERO, |restored| restored.lost);
        let mut tx = self.begin().await?;
        for (id, refused, is_due, copy) in open {
            // The reply to an attempt says more of it than a copy that a server kept all the same. Of which attempt it is
            // cannot be told where a clock was set meanwhile, and a ledger that was put back may have lost a later one.
            if refused.is_some_and(|ended| !is_later(copy, ended, is_restored)) {
                if is_restored && is_due {
                    hold(&mut tx, &id, restored_lost, moment).await?;
                }
                continue;
            }
            taken.found += u64::from(accept(&mut tx, &id, copy, domain, moment).await?);
        }
        for (found, copy) in matches {
            if accept_match(&mut tx, inbox, &found, copy, domain, moment).await? {
                taken.found += 1;
                taken.unattempted += 1;
                taken.made = taken.made.max(copy.made);
            }
        }
        for copy in unknown.values() {
            let stray = Stray {
                tag: copy.tag.clone(),
                inbox,
                address: &copy.to,
            };
            if add_stray(&mut tx, &stray, now).await? {
                taken.strays += 1;
                taken.unattempted += 1;
                taken.made = taken.made.max(copy.made);
            }
        }
        tx.commit().await?;
        Ok(taken)
    }

    /// The leads' steps of this inbox that bear one of these tags; a lead's steps in their order. Every inbox's are taken
    /// out of `unknown`. Those of `persons` are looked at first, along an index; everybody's only where that is not enough.
    async fn match_tags<'c>(
        &self,
        inbox: &InboxId,
        unknown: &mut HashMap<&str, &'c SeenCopy>,
        persons: &[String],
        tags: &Tags,
    ) -> Result<Vec<(Match, &'c SeenCopy)>, StoreError> {
        let mut matches = Vec::new();
        let matching = Matching { inbox, tags };
        for person in persons {
            if unknown.is_empty() {
                return Ok(matches);
            }
            let leads = sqlx::query(sqlx::AssertSqlSafe(format!(
                "{LEADS} WHERE l.person = $1 ORDER BY l.id"
            )))
            .bind(person.clone())
            .fetch_all(&self.reader)
            .await?;
            let mut resent = BTreeMap::new();
            for row in &leads {
                let rows = sqlx::query(
                    "SELECT lead_id, step, resends FROM deliveries WHERE lead_id = $1 AND resends > 0",
                )
                .bind(text(row, "id")?)
                .fetch_all(&self.reader)
                .await?;
                note_resent(&mut resent, &rows)?;
            }
            matching.take(&leads, &resent, unknown, &mut matches)?;
        }
        if unknown.is_empty() {
            return Ok(matches);
        }
        let rows = sqlx::query("SELECT lead_id, step, resends FROM deliveries WHERE resends > 0")
            .fetch_all(&self.reader)
            .await?;
        let mut resent = BTreeMap::new();
        note_resent(&mut resent, &rows)?;
        let mut after = String::new();
        while !unknown.is_empty() {
            let leads = sqlx::query(sqlx::AssertSqlSafe(format!(
                "{LEADS} WHERE l.id > $1 ORDER BY l.id LIMIT $2"
            )))
            .bind(after.clone())
            .bind(SLICE)
            .fetch_all(&self.reader)
            .await?;
            let Some(last) = leads.last() else { break };
            after = text(last, "id")?;
            matching.take(&leads, &resent, unknown, &mut matches)?;
        }
        Ok(matches)
    }

    /// Whether an inbox's part of the ledger was put back, and that is not settled yet.
    pub async fn find_restored(&self, inbox: &InboxId) -> Result<Option<Restored>, StoreError> {
        let row =
            sqlx::query("SELECT restored_missing, restored_gap_ms FROM inboxes WHERE id = $1")
                .bind(inbox.to_string())
                .fetch_one(&self.reader)
                .await?;
        let lost_ms = number(&row, "restored_gap_ms")?;
        Ok(
            number_or_null(&row, "restored_missing")?.map(|missing| Restored {
                missing: u64::try_from(missing).ok(),
                lost: Duration::from_millis(u64::try_from(lost_ms).unwrap_or(0)),
            }),
        )
    }

    /// Copies show that the ledger of an inbox was put back, which nothing else had told.
    pub async fn note_restored(&self, inbox: &InboxId, lost: Duration) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE inboxes SET restored_missing = -1, restored_gap_ms = $1 \
             WHERE id = $2 AND restored_missing IS NULL",
        )
        .bind(duration_ms(lost))
        .bind(inbox.to_string())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// It is settled what of an inbox was sent since.
    pub async fn settle_restored(&self, inbox: &InboxId) -> Result<(), StoreError> {
        sqlx::query("UPDATE inboxes SET restored_missing = NULL WHERE id = $1")
            .bind(inbox.to_string())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// What was being attempted when the ledger was saved: nobody is left who could make its copy.
    async fn hold_doubts(
        &self,
        inbox: &InboxId,
        lost: Duration,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let moment = self.moment(now);
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "SELECT id FROM deliveries WHERE inbox_id = $1 AND state = 'in_doubt' ORDER BY id",
        )
        .bind(inbox.to_string())
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            let id = DeliveryId::new(text(row, "id")?);
            delivery::transition(&mut tx, &id, Event::Unsettled, moment).await?;
            note_held(&mut tx, &id, lost).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Drafts may have been started in the time that the ledger lost: it is asked when they are.
    async fn note_drafts(&self, inbox: &InboxId, lost: Duration) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE campaign_inboxes SET may_be_started_ms = $1 WHERE inbox_id = $2 \
             AND campaign_id IN (SELECT c.id FROM campaigns c WHERE c.state = 'draft')",
        )
        .bind(duration_ms(lost))
        .bind(inbox.to_string())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Holds for a person what of an inbox may have been sent in the time that the ledger lost: all that was due by
    /// then. Answers how many.
    pub async fn hold_what_may_be_sent(
        &self,
        inbox: &InboxId,
        lost: Duration,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut n_held = self.hold_doubts(inbox, lost, now).await?;
        self.note_drafts(inbox, lost).await?;
        loop {
            let moment = self.moment(now);
            let mut tx = self.begin().await?;
            let rows = sqlx::query(
                "SELECT d.id AS id, d.due_ms AS due_ms, d.campaign_id AS campaign_id FROM deliveries d \
                 JOIN campaigns c ON c.id = d.campaign_id \
                 JOIN campaign_inboxes p ON p.campaign_id = d.campaign_id AND p.inbox_id = d.inbox_id \
                 WHERE d.inbox_id = $1 AND d.state IN ('planned', 'deferred') AND c.state <> 'draft' \
                 AND d.may_be_sent_ms IS NULL AND d.due_ms <= $2 + p.ran_ms + \
                   CASE WHEN p.since_r_ms IS NULL THEN 0 ELSE $3 - p.since_r_ms END \
                 ORDER BY d.id LIMIT $4",
            )
            .bind(inbox.to_string())
            .bind(duration_ms(lost))
            .bind(moment.r_ms)
            .bind(HELD_SLICE)
            .fetch_all(&mut *tx)
            .await?;
            for row in &rows {
                let id = DeliveryId::new(text(row, "id")?);
                let campaign = CampaignId::new(text(row, "campaign_id")?);
                let end = load_clock(&mut tx, &campaign, inbox).await?.read(moment) + lost;
                let due = Reading::from_ms(number(row, "due_ms")?);
                hold(&mut tx, &id, end.since(due), moment).await?;
            }
            n_held += rows.len() as u64;
            if n_held > 0 {
                // Once for all slices: they have one instant, and with it one key.
                alert::tell_of_inbox(&mut tx, inbox, What::Restored {}, now).await?;
            }
            tx.commit().await?;
            if rows.is_empty() {
                return Ok(n_held);
            }
        }
    }
}

/// Whether a copy is of a later attempt than the one that ended then. Servers tell whole seconds (RFC 9051 §9).
fn is_later(copy: &SeenCopy, ended: Timestamp, is_restored: bool) -> bool {
    copy.at.is_some_and(|at| {
        if is_restored {
            at + Duration::from_secs(1) > ended
        } else {
            at > ended + Duration::from_secs(2)
        }
    })
}

/// Whether a delivery in this state is taken for unsent, waits for somebody who knows, or is not to be sent: its copy
/// says more. One that is not to be sent may have been, by whom the ledger has forgotten, and is not sent again
/// should it be put back.
fn takes_copy(state: &str) -> bool {
    matches!(
        state,
        "planned" | "deferred" | "unsettled" | "rejected" | "suppressed" | "cancelled"
    )
}

/// A delivery that was accepted and came back is sent anew: as another message, so that the copy of the first one says
/// nothing of it.
pub(super) async fn note_resend(tx: &mut AnyConnection, id: &DeliveryId) -> Result<(), StoreError> {
    keep_ids(tx, id).await?;
    sqlx::query(
        "UPDATE deliveries SET resends = resends + 1, message_id = NULL, wire_id = NULL WHERE id = $1",
    )
    .bind(id.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

/// What arrives for the message that a delivery was sent as is heard still once it is sent as another one.
async fn keep_ids(tx: &mut AnyConnection, id: &DeliveryId) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO earlier_ids (message_id, delivery_id) \
         SELECT LOWER(message_id), id FROM deliveries WHERE id = $1 AND message_id IS NOT NULL \
         UNION SELECT LOWER(wire_id), id FROM deliveries WHERE id = $1 AND wire_id IS NOT NULL \
         ON CONFLICT (message_id, delivery_id) DO NOTHING",
    )
    .bind(id.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

/// Holds a delivery for a person; the ledger that was lost may have sent later steps up to `later` after its due.
pub(super) async fn hold(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    later: Duration,
    now: Moment,
) -> Result<(), StoreError> {
    delivery::transition(tx, id, Event::MayBeSent { at: now.at }, now).await?;
    note_held(tx, id, later).await
}

async fn note_held(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    later: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE deliveries SET may_be_sent_ms = $1, no_evidence = $2, is_held = 0 WHERE id = $3",
    )
    .bind(duration_ms(later))
    .bind(to_json("no_evidence", &NoEvidence::Restored)?)
    .bind(id.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

/// A person has decided what was held after a restore. Where it was sent, the step after it may have been sent as well.
pub(super) async fn follow_decision(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    decision: Decision,
    now: Moment,
) -> Result<(), StoreError> {
    let row =
        sqlx::query("SELECT lead_id, due_ms, step, may_be_sent_ms FROM deliveries WHERE id = $1")
            .bind(id.to_string())
            .fetch_one(&mut *tx)
            .await?;
    let Some(later_ms) = number_or_null(&row, "may_be_sent_ms")? else {
        return Ok(());
    };
    sqlx::query("UPDATE deliveries SET may_be_sent_ms = NULL, no_evidence = NULL WHERE id = $1")
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "UPDATE inboxes SET forgotten_ms = NULL WHERE forgotten_ms IS NOT NULL \
         AND id = (SELECT d.inbox_id FROM deliveries d WHERE d.id = $1)",
    )
    .bind(id.to_string())
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "DELETE FROM strays WHERE address = (SELECT l.person FROM leads l WHERE l.id = $1)",
    )
    .bind(text(&row, "lead_id")?)
    .execute(&mut *tx)
    .await?;
    if decision != Decision::Leave {
        return Ok(());
    }
    let next = sqlx::query(
        "SELECT d.id AS id, c.steps AS steps, d.step AS step FROM deliveries d JOIN campaigns c ON c.id = d.campaign_id \
         WHERE d.lead_id = $1 AND d.step > $2 AND d.state IN ('planned', 'deferred') ORDER BY d.step LIMIT 1",
    )
    .bind(text(&row, "lead_id")?)
    .bind(number(&row, "step")?)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(next) = next else { return Ok(()) };
    let steps: Vec<protocol::campaign::Step> = super::json(&next, "steps")?;
    let step = usize::try_from(number(&next, "step")?).unwrap_or(usize::MAX);
    let wait_ms = steps
        .get(step.saturating_sub(1))
        .map_or(0, |step| step.wait_ms);
    let later = u64::try_from(later_ms).unwrap_or(0);
    match later.checked_sub(wait_ms) {
        Some(later) => {
            let id = DeliveryId::new(text(&next, "id")?);
            hold(tx, &id, Duration::from_millis(later), now).await
        }
        None => Ok(()),
    }
}

/// A delivery whose copy was seen is accepted. Answers whether it was not known to be.
async fn accept(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    copy: &SeenCopy,
    domain: &str,
    now: Moment,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT state, attempt FROM deliveries WHERE id = $1")
        .bind(id.to_string())
        .fetch_one(&mut *tx)
        .await?;
    let state = text(&row, "state")?;
    if !takes_copy(&state) && state != "bounced" {
        return Ok(false);
    }
    let ours = format!("{}@{domain}", copy.tag);
    let theirs = copy
        .message_id
        .clone()
        .filter(|id| !id.eq_ignore_ascii_case(&ours));
    // It was attempted, though not by this ledger: what arrives for it is looked up among what was.
    let attempt = number(&row, "attempt")? + i64::from(state != "unsettled");
    sqlx::query(
        "UPDATE deliveries SET attempt = $1, message_id = COALESCE(message_id, $2), \
         wire_id = COALESCE(wire_id, $3), is_held = 0, no_evidence = NULL, may_be_sent_ms = NULL, \
         suppressed_at_ms = NULL WHERE id = $4",
    )
    .bind(attempt)
    .bind(ours)
    .bind(theirs)
    .bind(id.to_string())
    .execute(&mut *tx)
    .await?;
    let at = copy.at.filter(|at| *at < now.at).unwrap_or(now.at);
    match delivery::transition(tx, id, Event::Copied { at }, now).await? {
        State::Accepted { .. } => {}
        _ => return Ok(false),
    }
    sqlx::query(
        // It was a try, so the cap of a day counts it.
        "INSERT INTO attempts (delivery_id, attempt, outcome, words, ended_at_ms, inbox_id, tried_r_ms, \
         campaign_id) VALUES ($1, $2, 'copied', $3, $4, (SELECT d.inbox_id FROM deliveries d WHERE d.id = $1), $5, \
         (SELECT d.campaign_id FROM deliveries d WHERE d.id = $1)) \
         ON CONFLICT (delivery_id, attempt) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(attempt)
    .bind(COPY_WORDS)
    .bind(at.as_ms())
    .bind(now.r_ms)
    .execute(tx)
    .await?;
    Ok(true)
}

/// The same for a step that may have no row yet.
async fn accept_match(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    found: &Match,
    copy: &SeenCopy,
    domain: &str,
    now: Moment,
) -> Result<bool, StoreError> {
    let row =
        sqlx::query("SELECT id, resends, state FROM deliveries WHERE lead_id = $1 AND step = $2")
            .bind(found.lead.to_string())
            .bind(found.step)
            .fetch_optional(&mut *tx)
            .await?;
    let id = if let Some(row) = row {
        let id = DeliveryId::new(text(&row, "id")?);
        let state = text(&row, "state")?;
        let is_anew = number(&row, "resends")? < found.resends;
        // What came back was sent anew only where its copy is another message's.
        let is_taken = takes_copy(&state) || state == "bounced" && is_anew;
        if !is_taken {
            // What a person has taken for sent learns what it was sent as.
            if number(&row, "resends")? == found.resends {
                sqlx::query(
                    "UPDATE deliveries SET message_id = $1 WHERE id = $2 AND message_id IS NULL",
                )
                .bind(format!("{}@{domain}", copy.tag))
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
            }
            return Ok(false);
        }
        if is_anew {
            keep_ids(tx, &id).await?;
            sqlx::query(
                "UPDATE deliveries SET resends = $1, message_id = NULL, wire_id = NULL WHERE id = $2",
            )
            .bind(found.resends)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        }
        id
    } else {
        let due = load_clock(tx, &found.campaign, inbox).await?.read(now);
        let new = campaign::NewDelivery {
            campaign: found.campaign.clone(),
            lead: found.lead.clone(),
            inbox: inbox.clone(),
            step: found.step,
            place: found.place,
        };
        campaign::plan(tx, &new, due).await?
    };
    accept(tx, &id, copy, domain, now).await
}

#[cfg(test)]
mod tests;

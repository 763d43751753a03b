//! Leads: imported all or none, into drafts and into campaigns that are started, and stopped for good. What a person does
//! with a single one is [`changes`]'s, and how they are shown [`view`]'s.
//!
//! Many rows are written in slices, so that others write in between. Rows behind `campaigns.leads_up_to` are no
//! leads yet: the last slice makes all of them leads at once, and what is left of an import that ended before is
//! removed. In a campaign that is started the first steps of the new leads are planned after that, in slices too: leads
//! behind `campaigns.planned_up_to` have none yet, and where that was broken off it goes on from there.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::delivery::Suppression;
use protocol::id::{CampaignId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::lead::{Event, State};
use protocol::reading::Reading;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::clocks::Moment;
use super::conflict::Conflict;
use super::{Store, StoreError, delivery, number, person, small, text, text_or_null, to_json};
use crate::record::NewLead;
use crate::secret::random_text;

mod changes;
mod view;

pub use view::Which;

/// Rows in one transaction of many: those of other inboxes, which need a moment each, get in between.
pub(super) const SLICE: usize = 500;

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
    /// Adds leads to a campaign, all or none; they are dealt to its inboxes in turn and stand behind those that it has.
    /// Those of its leads whom the list refuses are taken out, at once with it; where the campaign is started they are
    /// stopped instead. One that is started plans their first steps by its clocks as they are then; one that was finished
    /// goes on.
    pub async fn import_leads<'a>(
        &self,
        campaign: &CampaignId,
        list: impl Into<List<'a>>,
    ) -> Result<Imported, ImportError> {
        let List { leads, refused } = list.into();
        let _alone = self.import_alone(campaign)?;
        let mut tx = self.begin().await?;
        super::campaign::load_status(&mut tx, campaign).await?;
        let inboxes = list_inbox_ids(&mut tx, campaign).await?;
        let before = load_leads_up_to(&mut tx, campaign).await?;
        tx.commit().await.map_err(StoreError::from)?;
        self.remove_unfinished(campaign).await?;
        // Nothing but an import changes the leads of a draft, and this one is alone.
        let refused = self.list_refused(campaign, refused).await?;
        let imported = self
            .write_leads(campaign, &inboxes, before, leads, &refused)
            .await;
        if imported.is_err() {
            // Nobody sees them; the next import removes what stays where this cannot.
            if let Err(error) = self.remove_unfinished(campaign).await {
                tracing::warn!(%error, campaign = %campaign, "rows of a refused import are still there");
            }
        }
        let imported = imported?;
        self.plan_added(campaign).await?;
        Ok(imported)
    }

    /// Plans the first steps of the leads that were added to campaigns that are started and have none, because a relay
    /// ended before it came to them. Answers of how many campaigns.
    pub async fn plan_all_added(&self) -> Result<u64, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM campaigns WHERE planned_up_to < leads_up_to AND state <> 'draft'",
        )
        .fetch_all(&self.reader)
        .await?;
        let mut n_campaigns = 0;
        for row in &rows {
            let campaign = CampaignId::new(text(row, "id")?);
            match self.import_alone(&campaign) {
                Ok(_alone) => self.plan_added(&campaign).await?,
                // Whoever adds leads now plans these too.
                Err(StoreError::Conflict(Conflict::Importing)) => continue,
                Err(error) => return Err(error),
            }
            n_campaigns += 1;
        }
        Ok(n_campaigns)
    }

    /// The addresses of a campaign's leads.
    pub async fn list_addresses(&self, campaign: &CampaignId) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT l.address AS address FROM leads l JOIN campaigns c ON c.id = l.campaign_id \
             WHERE l.campaign_id = $1 AND l.position <= c.leads_up_to",
        )
        .bind(campaign.to_string())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| text(row, "address")).collect()
    }

    async fn list_refused(
        &self,
        campaign: &CampaignId,
        refused: Option<&HashMap<String, u64>>,
    ) -> Result<Vec<String>, StoreError> {
        let Some(refused) = refused.filter(|refused| !refused.is_empty()) else {
            return Ok(Vec::new());
        };
        let rows = sqlx::query("SELECT id, person FROM leads WHERE campaign_id = $1")
            .bind(campaign.to_string())
            .fetch_all(&self.writer)
            .await?;
        let mut ids = Vec::new();
        for row in &rows {
            if refused.contains_key(&text(row, "person")?) {
                ids.push(text(row, "id")?);
            }
        }
        Ok(ids)
    }

    async fn write_leads(
        &self,
        campaign: &CampaignId,
        inboxes: &[String],
        before: i64,
        leads: &[NewLead],
        refused: &[String],
    ) -> Result<Imported, ImportError> {
        // Where the last list ended, so that many short ones burden no inbox more than the others.
        let n_before = self.count_dealt(campaign).await?;
        let first = n_before.checked_rem(inboxes.len()).unwrap_or(0);
        let mut dealt = inboxes.iter().cycle().skip(first);
        for slice in leads.chunks(SLICE) {
            let mut tx = self.begin().await?;
            insert_leads(&mut tx, campaign, before, slice, &mut dealt).await?;
            tx.commit().await.map_err(StoreError::from)?;
        }
        let last = leads.iter().map(|lead| lead.row).max().unwrap_or(0);
        let mut tx = self.begin().await?;
        let moment = self.moment(self.clock.now());
        let is_draft = super::campaign::load_status(&mut tx, campaign).await?
            == protocol::campaign::State::Draft;
        let mut n_deleted = 0;
        // A draft's leads have no deliveries.
        for id in refused.iter().filter(|_| is_draft) {
            n_deleted += delete_row(&mut tx, id).await?;
        }
        sqlx::query(
            "UPDATE campaigns SET leads_up_to = $1, n_leads = n_leads + $2 - $3 WHERE id = $4",
        )
        .bind(place(before, last))
        .bind(i64::try_from(leads.len()).unwrap_or(i64::MAX))
        .bind(i64::try_from(n_deleted).unwrap_or(i64::MAX))
        .bind(campaign.to_string())
        .execute(&mut *tx)
        .await
        .map_err(StoreError::from)?;
        let mut stopped = Vec::new();
        for id in refused.iter().filter(|_| !is_draft) {
            let lead = LeadId::new(id.as_str());
            if stop(&mut tx, &lead, Suppression::Person, moment).await? {
                stopped.push(lead);
            }
        }
        if !is_draft && !leads.is_empty() {
            super::campaign::reopen(&mut tx, campaign, moment).await?;
        }
        tx.commit().await.map_err(StoreError::from)?;
        for lead in &stopped {
            self.note_stop(lead, Suppression::Person, moment.at).await;
        }
        Ok(Imported {
            n_added: leads.len() as u64,
            n_taken_out: n_deleted + stopped.len() as u64,
            is_started: !is_draft,
        })
    }

    /// How many leads of a campaign were dealt to its inboxes, so far as that decides who is next.
    async fn count_dealt(&self, campaign: &CampaignId) -> Result<usize, StoreError> {
        let row = sqlx::query("SELECT n_leads FROM campaigns WHERE id = $1")
            .bind(campaign.to_string())
            .fetch_one(&self.writer)
            .await?;
        Ok(usize::try_from(number(&row, "n_leads")?).unwrap_or(0))
    }

    /// Plans the first steps of the leads that were added to a campaign that is started; of a draft, nothing.
    async fn plan_added(&self, campaign: &CampaignId) -> Result<(), StoreError> {
        loop {
            let mut tx = self.begin().await?;
            let now = self.moment(self.clock.now());
            let is_whole = super::campaign::plan_slice(&mut tx, campaign, now).await?;
            tx.commit().await?;
            if is_whole {
                return Ok(());
            }
        }
    }

    /// Removes the rows that an import left behind that did not come to its end.
    pub(super) async fn remove_unfinished(&self, campaign: &CampaignId) -> Result<(), StoreError> {
        loop {
            let done = sqlx::query(
                "DELETE FROM leads WHERE id IN (SELECT l.id FROM leads l JOIN campaigns c ON c.id = l.campaign_id \
                 WHERE l.campaign_id = $1 AND l.position > c.leads_up_to LIMIT $2)",
            )
            .bind(campaign.to_string())
            .bind(i64::try_from(SLICE).unwrap_or(i64::MAX))
            .execute(&self.writer)
            .await?;
            if done.rows_affected() == 0 {
                return Ok(());
            }
        }
    }

    /// Nobody else adds leads to this campaign, or starts it, while this lives.
    pub(super) fn import_alone(&self, campaign: &CampaignId) -> Result<Alone, StoreError> {
        let is_first = self
            .importing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(campaign.clone());
        if is_first {
            return Ok(Alone {
                campaigns: Arc::clone(&self.importing),
                campaign: campaign.clone(),
            });
        }
        Err(Conflict::Importing.into())
    }
}

/// What is imported.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// The leads, in the order of their rows.
    pub leads: &'a [NewLead],
    /// Whom the list refuses, as the list of those not written to has them, and in which row; `None` for nobody.
    pub refused: Option<&'a HashMap<String, u64>>,
}

impl<'a, T: AsRef<[NewLead]> + ?Sized> From<&'a T> for List<'a> {
    fn from(leads: &'a T) -> Self {
        Self {
            leads: leads.as_ref(),
            refused: None,
        }
    }
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Leads added.
    pub n_added: u64,
    /// Leads of earlier imports that were taken out, or stopped: the list refuses them.
    pub n_taken_out: u64,
    /// Whether the campaign is started: the first steps of the new leads are planned.
    pub is_started: bool,
}

/// The right to add leads to a campaign or to plan them, in this process; it ends when this is dropped.
pub(super) struct Alone {
    campaigns: Arc<Mutex<HashSet<CampaignId>>>,
    campaign: CampaignId,
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.campaigns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.campaign);
    }
}

/// Removes the row of a lead that has no deliveries; how many that were.
pub(super) async fn delete_row(tx: &mut AnyConnection, id: &str) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM leads WHERE id = $1")
        .bind(id.to_owned())
        .execute(tx)
        .await?;
    Ok(done.rows_affected())
}

/// Where a row of a file stands among all leads of a campaign.
fn place(before: i64, row: u64) -> i64 {
    before.saturating_add(i64::try_from(row).unwrap_or(i64::MAX))
}

async fn insert_leads<'a>(
    tx: &mut AnyConnection,
    campaign: &CampaignId,
    before: i64,
    leads: &[NewLead],
    dealt: &mut impl Iterator<Item = &'a String>,
) -> Result<(), ImportError> {
    for (lead, inbox) in leads.iter().zip(dealt) {
        let person = person::person_of(&lead.address);
        let inserted = sqlx::query(
            "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state, person, domain) \
                 VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $8)",
        )
        // In the order of the list, so that a long one is written where the last lead was.
        .bind(format!(
            "{}{:010x}{}",
            LeadId::PREFIX,
            place(before, lead.row),
            random_text()
        ))
        .bind(campaign.to_string())
        .bind(inbox.clone())
        .bind(place(before, lead.row))
        .bind(lead.address.to_string())
        .bind(to_json("fields", &lead.fields)?)
        .bind(person.clone())
        .bind(person::domain_of(&person).to_owned())
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
    Ok(())
}

/// Stops a lead for good: what was planned for it, and its steps that are not planned yet, are suppressed.
/// What may have been sent is left to be settled. Answers whether the lead was still active.
pub(super) async fn stop(
    tx: &mut AnyConnection,
    lead: &LeadId,
    why: Suppression,
    now: Moment,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT l.campaign_id AS campaign_id, l.inbox_id AS inbox_id, l.position AS position, l.state AS state, c.n_steps AS n_steps, \
         (SELECT CAST(COALESCE(MAX(d.step), 0) AS BIGINT) FROM deliveries d WHERE d.lead_id = l.id) AS last_step \
         FROM leads l JOIN campaigns c ON c.id = l.campaign_id WHERE l.id = $1",
    )
    .bind(lead.to_string())
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| StoreError::NotFound { what: "lead", id: lead.to_string() })?;
    let campaign = CampaignId::new(text(&row, "campaign_id")?);
    if !why.goes_back() {
        note_heard(tx, lead, why).await?;
    }
    let state = state_from(&row, "state")?;
    let Ok(after) = state.apply(Event::Stopped) else {
        // What was under way when it was stopped may have been the last that was open.
        super::campaign::finish_if_done(tx, &campaign, now).await?;
        return Ok(false);
    };
    put_state(tx, lead, after).await?;
    for step in number(&row, "last_step")? + 1..=number(&row, "n_steps")? {
        let new = super::campaign::NewDelivery {
            campaign: campaign.clone(),
            lead: lead.clone(),
            inbox: InboxId::new(text(&row, "inbox_id")?),
            step,
            place: number(&row, "position")?,
        };
        super::campaign::plan(tx, &new, Reading::default()).await?;
    }
    delivery::many::suppress(tx, lead, why, now).await?;
    super::campaign::finish_if_done(tx, &campaign, now).await?;
    Ok(true)
}

/// What was heard of a lead stands on record whatever its state is, and whatever becomes of that: it is not put back.
/// The first word stays.
async fn note_heard(
    tx: &mut AnyConnection,
    lead: &LeadId,
    why: Suppression,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE leads SET heard = $1 WHERE id = $2 AND heard IS NULL")
        .bind(why.code())
        .bind(lead.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// What was heard of a lead, or of its person: why it is not put back.
async fn find_heard(
    tx: &mut AnyConnection,
    lead: &LeadId,
) -> Result<Option<Suppression>, StoreError> {
    let row = sqlx::query(
        "SELECT COALESCE(l.heard, (SELECT MIN(s.why) FROM suppressions s WHERE s.whom IN (l.person, l.domain) \
         AND s.why IN ('complained', 'person', 'unsubscribed'))) AS heard FROM leads l WHERE l.id = $1",
    )
    .bind(lead.to_string())
    .fetch_one(tx)
    .await?;
    text_or_null(&row, "heard")?
        .map(|why| parse_why(&why))
        .transpose()
}

/// A lead that was stopped by a refusal or a bounce goes on: its later steps that were never tried have no rows again.
/// One that was heard of does not, and why not is answered.
pub(super) async fn revive(
    tx: &mut AnyConnection,
    lead: &LeadId,
) -> Result<Option<Suppression>, StoreError> {
    if let Some(why) = find_heard(tx, lead).await? {
        tracing::info!(%lead, ?why, "the lead is not put back");
        return Ok(Some(why));
    }
    let row = sqlx::query("SELECT state FROM leads WHERE id = $1")
        .bind(lead.to_string())
        .fetch_one(&mut *tx)
        .await?;
    person::forget_suppressed(tx, lead).await?;
    // One that is active goes on anyway.
    if let Ok(after) = state_from(&row, "state")?.apply(Event::Revived) {
        put_state(tx, lead, after).await?;
    }
    let rows = sqlx::query(
        "SELECT id, state, why, attempt FROM deliveries WHERE lead_id = $1 AND state = 'suppressed'",
    )
    .bind(lead.to_string())
    .fetch_all(&mut *tx)
    .await?;
    for row in &rows {
        if delivery::state_from(row)?.is_unplanned(small(row, "attempt")?) {
            sqlx::query("DELETE FROM deliveries WHERE id = $1")
                .bind(text(row, "id")?)
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(None)
}

/// Where a lead stands, as its row says in the column `column`.
pub(super) fn state_from(row: &AnyRow, column: &'static str) -> Result<State, StoreError> {
    State::parse(&text(row, column)?).ok_or(StoreError::Corrupt { what: column })
}

/// Stores where a lead stands.
pub(super) async fn put_state(
    tx: &mut AnyConnection,
    lead: &LeadId,
    state: State,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE leads SET state = $1 WHERE id = $2")
        .bind(state.name())
        .bind(lead.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// The suppression of that code in a row.
pub(super) fn parse_why(code: &str) -> Result<Suppression, StoreError> {
    Suppression::parse(code).ok_or(StoreError::Corrupt { what: "why" })
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

async fn load_leads_up_to(
    tx: &mut AnyConnection,
    campaign: &CampaignId,
) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT leads_up_to FROM campaigns WHERE id = $1")
        .bind(campaign.to_string())
        .fetch_one(tx)
        .await?;
    number(&row, "leads_up_to")
}

#[cfg(test)]
mod tests;

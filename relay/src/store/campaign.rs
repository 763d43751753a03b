//! Campaigns: their steps, their state, and what became of their deliveries.

use std::collections::HashMap;
use std::time::Duration;

use protocol::campaign::{Event, State, Step};
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::reading::Reading;
use protocol::request::campaign::{Campaign, Counts};
use protocol::sender::Sender;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::clocks::{Moment, Of, PairClock, update_clocks};
use super::conflict::Conflict;
use super::inbox::check_known;
use super::sending::put_sending;
use super::{
    Store, StoreError, alert, away, json, lead, number, number_or_null, restored, small, text,
    text_or_null, to_json,
};
use crate::record::Sending;
use crate::secret::random_text;

mod changes;

pub use changes::Changes;

/// What a campaign writes.
#[derive(Clone, Copy, Debug)]
pub struct Writes<'a> {
    /// Its steps.
    pub steps: &'a [Step],
    /// How it presents its inboxes; `None` where each presents itself.
    pub sender: Option<&'a Sender>,
}

impl<'a, T: AsRef<[Step]> + ?Sized> From<&'a T> for Writes<'a> {
    fn from(steps: &'a T) -> Self {
        Self {
            steps: steps.as_ref(),
            sender: None,
        }
    }
}

impl Store {
    /// Creates a campaign as a draft that sends at any time.
    pub async fn create_campaign<'a>(
        &self,
        name: &str,
        inboxes: &[InboxId],
        writes: impl Into<Writes<'a>>,
        now: Timestamp,
    ) -> Result<Campaign, StoreError> {
        let at_any_time = Sending::default();
        self.create_campaign_that(name, inboxes, writes, &at_any_time, now)
            .await
    }

    /// Creates a campaign as a draft that sends when `sending` says.
    pub async fn create_campaign_that<'a>(
        &self,
        name: &str,
        inboxes: &[InboxId],
        writes: impl Into<Writes<'a>>,
        sending: &Sending,
        now: Timestamp,
    ) -> Result<Campaign, StoreError> {
        let Writes { steps, sender } = writes.into();
        let id = CampaignId::new(format!("{}{}", CampaignId::PREFIX, random_text()));
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO campaigns (id, name, steps, n_steps, state, status, created_at_ms, sender) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(id.to_string())
        .bind(name.to_owned())
        .bind(to_json("steps", &steps)?)
        .bind(i64::try_from(steps.len()).unwrap_or(i64::MAX))
        .bind(State::Draft.name())
        .bind(to_json("status", &State::Draft)?)
        .bind(now.as_ms())
        .bind(sender.map(|sender| to_json("sender", sender)).transpose()?)
        .execute(&mut *tx)
        .await?;
        put_sending(&mut tx, &id, sending).await?;
        for (position, inbox) in (0_i64..).zip(inboxes) {
            check_known(&mut tx, inbox).await?;
            sqlx::query(
                "INSERT INTO campaign_inboxes (campaign_id, inbox_id, position, ran_ms, may_be_started_ms) \
                 VALUES ($1, $2, $3, 0, (SELECT i.forgotten_ms FROM inboxes i WHERE i.id = $2))",
            )
                .bind(id.to_string())
                .bind(inbox.to_string())
                .bind(position)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        self.load_campaign(&id).await
    }

    /// Every campaign, newest first.
    pub async fn list_campaigns(&self) -> Result<Vec<Campaign>, StoreError> {
        self.list_campaigns_of(None).await
    }

    /// One campaign with its counts.
    pub async fn load_campaign(&self, id: &CampaignId) -> Result<Campaign, StoreError> {
        let found = self.list_campaigns_of(Some(id)).await?;
        found.into_iter().next().ok_or_else(|| not_found(id))
    }

    /// All of them, or this one: in as many statements for a hundred as for one.
    async fn list_campaigns_of(
        &self,
        id: Option<&CampaignId>,
    ) -> Result<Vec<Campaign>, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let of = |column: &str| id.map_or(String::new(), |_| format!("WHERE {column} = $1"));
        let statements = [
            format!(
                "SELECT id, name, steps, status, n_leads FROM campaigns {} ORDER BY created_at_ms DESC, id",
                of("id")
            ),
            format!(
                "SELECT campaign_id, inbox_id FROM campaign_inboxes {} ORDER BY campaign_id, position",
                of("campaign_id")
            ),
            format!(
                "SELECT campaign_id, what, CAST(SUM(n) AS BIGINT) AS n FROM tallies {} GROUP BY campaign_id, what",
                of("campaign_id")
            ),
        ];
        let mut answers = Vec::new();
        for statement in statements {
            let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
            if let Some(id) = id {
                query = query.bind(id.to_string());
            }
            answers.push(query.fetch_all(&mut *reader).await?);
        }
        let [campaigns, inboxes, tallies] = answers.as_slice() else {
            return Ok(Vec::new());
        };
        let mut inboxes_of: HashMap<String, Vec<InboxId>> = HashMap::new();
        for row in inboxes {
            let inbox = InboxId::new(text(row, "inbox_id")?);
            inboxes_of
                .entry(text(row, "campaign_id")?)
                .or_default()
                .push(inbox);
        }
        let mut tallies_of: HashMap<String, Vec<(String, u64)>> = HashMap::new();
        for row in tallies {
            let tally = (text(row, "what")?, small(row, "n")?);
            tallies_of
                .entry(text(row, "campaign_id")?)
                .or_default()
                .push(tally);
        }
        campaigns
            .iter()
            .map(|row| {
                let id = text(row, "id")?;
                let steps: Vec<Step> = json(row, "steps")?;
                let tallies = tallies_of.remove(&id).unwrap_or_default();
                Ok(Campaign {
                    name: text(row, "name")?,
                    inboxes: inboxes_of.remove(&id).unwrap_or_default(),
                    counts: count(small(row, "n_leads")?, steps.len() as u64, &tallies),
                    steps,
                    status: json(row, "status")?,
                    id: CampaignId::new(id),
                })
            })
            .collect()
    }

    /// Starts a draft: the first step of every lead is planned for now, in slices; with the last one it runs. Where
    /// that is broken off it stays a draft, nothing of it is sent, and starting it again goes on where it ended. Who is
    /// on the list of those not written to is left out; answers how many they are.
    pub async fn start_campaign(&self, id: &CampaignId, now: Timestamp) -> Result<u64, StoreError> {
        let _alone = self.import_alone(id)?;
        let now = self.moment(now);
        // Refused before anything is planned, where it cannot be started.
        let mut tx = self.begin().await?;
        apply(&mut tx, id, Event::Start, now).await?;
        tx.rollback().await?;
        self.remove_unfinished(id).await?;
        let mut planned_to = -1;
        loop {
            let mut tx = self.begin().await?;
            let Some(position) = plan_first_steps(&mut tx, id, planned_to, DRAFT, now).await?
            else {
                restored::hold_written_to(&mut tx, id, now).await?;
                apply(&mut tx, id, Event::Start, now).await?;
                note_planned(&mut tx, id, i64::MAX).await?;
                let left_out = count_left_out(&mut tx, id).await?;
                finish_if_done(&mut tx, id, now).await?;
                tx.commit().await?;
                return Ok(left_out);
            };
            planned_to = position;
            tx.commit().await?;
        }
    }

    /// Pauses a campaign for a person.
    pub async fn pause_campaign(&self, id: &CampaignId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        apply(&mut tx, id, Event::Pause, self.moment(now)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Resumes a campaign that a person paused: its clocks stood meanwhile.
    pub async fn resume_campaign(&self, id: &CampaignId, now: Timestamp) -> Result<(), StoreError> {
        let now = self.moment(now);
        let mut tx = self.begin().await?;
        apply(&mut tx, id, Event::Resume, now).await?;
        finish_if_done(&mut tx, id, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Plans the first steps of the next leads that were added to a campaign that is started; answers whether none is left.
pub(super) async fn plan_slice(
    tx: &mut AnyConnection,
    id: &CampaignId,
    now: Moment,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT state, planned_up_to, leads_up_to FROM campaigns WHERE id = $1")
        .bind(id.to_string())
        .fetch_one(&mut *tx)
        .await?;
    let planned_up_to = number(&row, "planned_up_to")?;
    if text(&row, "state")? == State::Draft.name() || planned_up_to >= number(&row, "leads_up_to")?
    {
        return Ok(true);
    }
    let planned_to = plan_first_steps(tx, id, planned_up_to, ADDED, now).await?;
    // Who was written to by messages that the ledger has lost is held before anybody can claim it.
    restored::hold_written_to(tx, id, now).await?;
    note_planned(tx, id, planned_to.unwrap_or(i64::MAX)).await?;
    super::clocks::note_running_time(tx, now).await?;
    Ok(planned_to.is_none())
}

/// Keeps up to which lead the first steps are planned.
async fn note_planned(
    tx: &mut AnyConnection,
    id: &CampaignId,
    up_to: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE campaigns SET planned_up_to = CASE WHEN $1 < leads_up_to THEN $1 ELSE leads_up_to END WHERE id = $2")
        .bind(up_to)
        .bind(id.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// How much the ledger lost in which somebody may have written to the leads of a draft that is started.
const DRAFT: &str = "p.may_be_started_ms";
/// The same of leads that are added to a campaign that is started: what it asked of the others is answered.
const ADDED: &str = "(SELECT i.forgotten_ms FROM inboxes i WHERE i.id = l.inbox_id)";

/// Plans the first step of the next leads after this position that have none; answers how far it came, `None`
/// where there are no more.
async fn plan_first_steps(
    tx: &mut AnyConnection,
    id: &CampaignId,
    after: i64,
    lost: &'static str,
    now: Moment,
) -> Result<Option<i64>, StoreError> {
    let leads = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT l.id AS id, l.inbox_id AS inbox_id, l.position AS position, p.ran_ms AS ran_ms, \
         p.since_r_ms AS since_r_ms, {lost} AS may_be_started_ms, \
         (SELECT MAX(o.away_until_ms) FROM leads o WHERE o.person = l.person) AS away_until_ms, \
         COALESCE((SELECT s.why FROM suppressions s WHERE s.whom = l.person), \
           (SELECT s.why FROM suppressions s WHERE s.whom = l.domain)) AS why FROM leads l \
         JOIN campaigns c ON c.id = l.campaign_id \
         JOIN campaign_inboxes p ON p.campaign_id = l.campaign_id AND p.inbox_id = l.inbox_id \
         WHERE l.campaign_id = $1 AND l.position > $2 AND l.position <= c.leads_up_to AND NOT EXISTS ( \
           SELECT 1 FROM deliveries d WHERE d.lead_id = l.id AND d.step = 1) \
         ORDER BY l.position LIMIT $3"
    )))
    .bind(id.to_string())
    .bind(after)
    .bind(i64::try_from(lead::SLICE).unwrap_or(i64::MAX))
    .fetch_all(&mut *tx)
    .await?;
    let mut planned_to = None;
    for row in &leads {
        let position = number(row, "position")?;
        let new = NewDelivery {
            campaign: id.clone(),
            lead: LeadId::new(text(row, "id")?),
            inbox: InboxId::new(text(row, "inbox_id")?),
            step: 1,
            place: position,
        };
        let id = plan(tx, &new, PairClock::from_row(row)?.read(now)).await?;
        planned_to = Some(position);
        if let Some(why) = text_or_null(row, "why")? {
            let why = lead::parse_why(&why)?;
            lead::stop(tx, &new.lead, why, now).await?;
            continue;
        }
        // Known by another campaign that writes to them.
        if let Some(until_ms) = number_or_null(row, "away_until_ms")? {
            away::hold(tx, &new.lead, Timestamp::from_ms(until_ms), now).await?;
        }
        if let Some(lost_ms) = number_or_null(row, "may_be_started_ms")? {
            let lost = Duration::from_millis(u64::try_from(lost_ms).unwrap_or(0));
            restored::hold(tx, &id, lost, now).await?;
        }
    }
    Ok(planned_to)
}

/// Leads of a campaign that were left out at its start, before anything of it was tried.
async fn count_left_out(tx: &mut AnyConnection, id: &CampaignId) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM deliveries \
         WHERE campaign_id = $1 AND step = 1 AND state = 'suppressed'",
    )
    .bind(id.to_string())
    .fetch_one(tx)
    .await?;
    small(&row, "n")
}

/// What a new delivery is made of.
pub(super) struct NewDelivery {
    pub(super) campaign: CampaignId,
    pub(super) lead: LeadId,
    pub(super) inbox: InboxId,
    /// From 1.
    pub(super) step: i64,
    /// The lead's place in the list.
    pub(super) place: i64,
}

/// Plans a delivery for the reading `due` of its campaign's clock at its inbox.
pub(super) async fn plan(
    tx: &mut AnyConnection,
    new: &NewDelivery,
    due: Reading,
) -> Result<DeliveryId, StoreError> {
    let id = DeliveryId::new(format!("{}{}", DeliveryId::PREFIX, random_text()));
    sqlx::query(
        "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, due_ms, is_first, place, rank, \
         attempt) VALUES ($1, $2, $3, $4, $5, 'planned', $6, $7, $8, \
         CASE WHEN (SELECT l.state FROM leads l WHERE l.id = $3) = 'paused' THEN NULL ELSE $9 END, 0)",
    )
    .bind(id.to_string())
    .bind(new.campaign.to_string())
    .bind(new.lead.to_string())
    .bind(new.inbox.to_string())
    .bind(new.step)
    .bind(due.as_ms())
    .bind(i64::from(new.step == 1))
    .bind(new.place)
    .bind(if new.step == 1 {
        new.place
    } else {
        due.as_ms()
    })
    .execute(tx)
    .await?;
    Ok(id)
}

/// Moves a campaign by an event, or says why it cannot.
pub(super) async fn apply(
    tx: &mut AnyConnection,
    id: &CampaignId,
    event: Event,
    now: Moment,
) -> Result<(), StoreError> {
    let status = load_status(tx, id).await?;
    let next = match status.clone().apply(event, now.at) {
        Ok(next) => next,
        Err(refused) => return Err(Conflict::Campaign { refused, status }.into()),
    };
    put_status(tx, id, &next, now).await
}

/// Stores where a campaign stands, and lets its clocks follow.
pub(super) async fn put_status(
    tx: &mut AnyConnection,
    id: &CampaignId,
    status: &State,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE campaigns SET state = $1, status = $2 WHERE id = $3")
        .bind(status.name())
        .bind(to_json("status", status)?)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    update_clocks(tx, Of::Campaign(id), now).await
}

/// Where a campaign stands, read inside a transaction.
pub(super) async fn load_status(
    tx: &mut AnyConnection,
    id: &CampaignId,
) -> Result<State, StoreError> {
    let row = sqlx::query("SELECT status FROM campaigns WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx)
        .await?
        .ok_or_else(|| not_found(id))?;
    json(&row, "status")
}

/// Finishes a running campaign whose last active lead is done. One that is paused is finished when it goes on.
pub(super) async fn finish_if_done(
    tx: &mut AnyConnection,
    id: &CampaignId,
    now: Moment,
) -> Result<(), StoreError> {
    let active =
        // Rows behind it are of an import that has not ended.
        sqlx::query(
            "SELECT 1 FROM leads l JOIN campaigns c ON c.id = l.campaign_id WHERE l.campaign_id = $1 \
             AND l.state IN ('active', 'paused') AND l.position <= c.leads_up_to LIMIT 1",
        )
        .bind(id.to_string())
        .fetch_optional(&mut *tx)
        .await?;
    let open = sqlx::query(
        "SELECT 1 FROM deliveries WHERE campaign_id = $1 \
         AND state IN ('planned', 'deferred', 'attempting', 'in_doubt', 'unsettled') LIMIT 1",
    )
    .bind(id.to_string())
    .fetch_optional(&mut *tx)
    .await?;
    if active.is_none() && open.is_none() {
        let status = load_status(tx, id).await?;
        if let Ok(next) = status.apply(Event::Finish, now.at) {
            put_status(tx, id, &next, now).await?;
            alert::tell_finished(tx, id, now.at).await?;
        }
    }
    Ok(())
}

/// A lead of a finished campaign is to be written to again; one that is not finished goes on as it does.
pub(super) async fn reopen(
    tx: &mut AnyConnection,
    id: &CampaignId,
    now: Moment,
) -> Result<(), StoreError> {
    if let Ok(next) = load_status(tx, id).await?.apply(Event::Reopen, now.at) {
        put_status(tx, id, &next, now).await?;
    }
    Ok(())
}

/// What became of a campaign's deliveries, by its tallies.
fn count(leads: u64, n_steps: u64, tallies: &[(String, u64)]) -> Counts {
    let of = |what: &str| {
        let tally = tallies.iter().find(|(name, _)| name == what);
        tally.map_or(0, |(_, n)| *n)
    };
    let mut counts = Counts {
        leads,
        planned: leads.saturating_mul(n_steps),
        waiting: 0,
        attempting: of("attempting"),
        accepted: of("accepted"),
        bounced: of("bounced"),
        rejected: of("rejected"),
        in_doubt: of("in_doubt"),
        unsettled: of("unsettled"),
        suppressed: of("suppressed"),
        cancelled: of("cancelled"),
    };
    let settled = counts.attempting
        + counts.accepted
        + counts.bounced
        + counts.rejected
        + counts.in_doubt
        + counts.unsettled
        + counts.suppressed
        + counts.cancelled;
    // Steps that have no row yet wait for the step before them.
    counts.waiting = counts.planned.saturating_sub(settled);
    counts
}

fn not_found(id: &CampaignId) -> StoreError {
    StoreError::NotFound {
        what: "campaign",
        id: id.to_string(),
    }
}

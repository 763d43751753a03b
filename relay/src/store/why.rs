//! What the messages of a running campaign wait for, as the ledger says it: asked by a person, and by what a claim asks.

use protocol::campaign::State;
use protocol::id::{CampaignId, InboxId};
use protocol::reading::Reading;
use protocol::standing::{Rests, Wish};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::clocks::{Moment, Pair, list_pairs};
use super::{Store, StoreError, json, number, number_or_null, sending, small, standing, text};
use crate::record::{Facts, Left, Stands};

impl Store {
    /// What is known of a campaign and of each of its inboxes, at one moment.
    pub async fn load_left(
        &self,
        campaign: &CampaignId,
        rests: &Rests,
        now: Timestamp,
    ) -> Result<Left, StoreError> {
        let now = self.moment(now);
        // One view of all of it, so that the counts add up also while messages leave.
        let mut reader = self.reader.begin().await?;
        let (status, mut left) = load_total(&mut reader, campaign).await?;
        let rows = sqlx::query(
            "SELECT inbox_id FROM campaign_inboxes WHERE campaign_id = $1 ORDER BY position",
        )
        .bind(campaign.to_string())
        .fetch_all(&mut *reader)
        .await?;
        for row in rows.iter().filter(|_| status == State::Running) {
            let inbox = InboxId::new(text(row, "inbox_id")?);
            let pairs = list_pairs(&mut reader, &inbox, now).await?;
            let Some(pair) = pairs.into_iter().find(|pair| pair.campaign == *campaign) else {
                continue;
            };
            let mut facts = load_counts(&mut reader, &pair, &inbox, now).await?;
            facts.stands = find_stand(&mut reader, &inbox, now).await?;
            facts.blocked_until = standing::find_block(&mut reader, &inbox, rests, now.at).await?;
            facts.shut = pair.gates.shut(now.at);
            facts.full_until = pair.gates.full_until.max(pair.gates.catches_up.flatten());
            facts.schedule = pair.gates.windows.map(|windows| windows.schedule);
            left.facts.push(facts);
        }
        Ok(left)
    }
}

/// Where a campaign stands, and what of it is not done.
async fn load_total(
    reader: &mut AnyConnection,
    campaign: &CampaignId,
) -> Result<(State, Left), StoreError> {
    let row = sqlx::query("SELECT status, n_leads, n_steps FROM campaigns WHERE id = $1")
        .bind(campaign.to_string())
        .fetch_optional(&mut *reader)
        .await?
        .ok_or_else(|| StoreError::NotFound {
            what: "campaign",
            id: campaign.to_string(),
        })?;
    let tallies = sqlx::query(
        "SELECT what, CAST(SUM(n) AS BIGINT) AS n FROM tallies WHERE campaign_id = $1 AND what <> 'first' \
         GROUP BY what",
    )
    .bind(campaign.to_string())
    .fetch_all(reader)
    .await?;
    let mut left = Left::default();
    let mut n_rows = 0;
    for tally in &tallies {
        let n: u64 = small(tally, "n")?;
        n_rows += n;
        match text(tally, "what")?.as_str() {
            "planned" | "deferred" => left.n_open += n,
            "attempting" => left.n_attempting += n,
            "in_doubt" => left.n_in_doubt += n,
            "unsettled" => left.n_unsettled += n,
            _ => {}
        }
    }
    let n_all = small::<u64>(&row, "n_leads")?.saturating_mul(small(&row, "n_steps")?);
    // Steps that have no row yet.
    left.n_unplanned = n_all.saturating_sub(n_rows);
    Ok((json(&row, "status")?, left))
}

/// Why the clocks of an inbox stand; of several reasons the first that has to pass.
pub(super) async fn find_stand(
    reader: &mut AnyConnection,
    inbox: &InboxId,
    now: Moment,
) -> Result<Option<Stands>, StoreError> {
    let row = sqlx::query(
        "SELECT connection_state, gap_open, resting, standing_rests FROM inboxes WHERE id = $1",
    )
    .bind(inbox.to_string())
    .fetch_one(&mut *reader)
    .await?;
    let is = |column| Ok::<_, StoreError>(number(&row, column)? != 0);
    Ok(match text(&row, "connection_state")?.as_str() {
        "connected" if is("gap_open")? => Some(Stands::Unread),
        "connected" if is("resting")? => Some(Stands::Rests),
        "connected" if is("standing_rests")? => {
            let until = match standing::load(reader, inbox).await?.wish(now.at) {
                Wish::Nothing { until } => until,
                _ => Some(now.at),
            };
            Some(Stands::Refused { until })
        }
        "connected" => None,
        "suspect" => Some(Stands::Suspect),
        _ => Some(Stands::Lost),
    })
}

/// How many deliveries of a campaign at an inbox wait for what, before anything that keeps back all of them is asked.
async fn load_counts(
    reader: &mut AnyConnection,
    pair: &Pair,
    inbox: &InboxId,
    now: Moment,
) -> Result<Facts, StoreError> {
    let reading = pair.clock.read(now);
    let row = sqlx::query(
        "SELECT \
         (SELECT COALESCE(SUM(t.n), 0) FROM tallies t WHERE t.inbox_id = $1 AND t.campaign_id = $2 \
           AND t.what IN ('planned', 'deferred')) AS n_open, \
         (SELECT COALESCE(SUM(t.n), 0) FROM tallies t WHERE t.inbox_id = $1 AND t.campaign_id = $2 \
           AND t.what = 'attempting') AS n_attempting, \
         (SELECT COALESCE(SUM(t.n), 0) FROM tallies t WHERE t.inbox_id = $1 AND t.campaign_id = $2 \
           AND t.what = 'in_doubt') AS n_in_doubt, \
         (SELECT COALESCE(SUM(t.n), 0) FROM tallies t WHERE t.inbox_id = $1 AND t.campaign_id = $2 \
           AND t.what = 'unsettled') AS n_unsettled, \
         (SELECT COALESCE(SUM(t.n), 0) FROM tallies t WHERE t.inbox_id = $1 AND t.campaign_id = $2 \
           AND t.what = 'first') AS n_firsts, \
         (SELECT COUNT(*) FROM deliveries d WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND d.is_first = 0 \
           AND d.rank IS NOT NULL AND d.rank <= $3) AS n_due, \
         (SELECT COUNT(*) FROM deliveries d WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND d.is_first = 0 \
           AND d.rank IS NOT NULL AND d.rank > $3) AS n_not_due, \
         (SELECT MIN(d.rank) FROM deliveries d WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND d.is_first = 0 \
           AND d.rank IS NOT NULL AND d.rank > $3) AS due_ms, \
         (SELECT COUNT(*) FROM deliveries d WHERE d.inbox_id = $1 AND d.campaign_id = $2 \
           AND d.rest_until_ms IS NOT NULL AND d.away_ms IS NULL) AS n_resting, \
         (SELECT MIN(d.rest_until_r_ms) FROM deliveries d WHERE d.inbox_id = $1 AND d.campaign_id = $2 \
           AND d.rest_until_r_ms IS NOT NULL AND d.away_ms IS NULL) AS rested_r_ms, \
         (SELECT COUNT(*) FROM deliveries d WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND d.away_ms IS NOT NULL \
           AND d.state IN ('planned', 'deferred')) AS n_away, \
         (SELECT MIN(l.away_until_ms) FROM deliveries d JOIN leads l ON l.id = d.lead_id WHERE d.inbox_id = $1 \
           AND d.campaign_id = $2 AND d.away_ms IS NOT NULL AND d.state IN ('planned', 'deferred')) AS back_at_ms, \
         (SELECT COUNT(*) FROM deliveries d WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND d.is_held = 1 \
           AND d.rest_until_ms IS NULL AND d.parked_for IS NULL AND d.away_ms IS NULL AND d.state IN ('planned', 'deferred')) AS n_held",
    )
    .bind(inbox.to_string())
    .bind(pair.campaign.to_string())
    .bind(reading.as_ms())
    .fetch_one(&mut *reader)
    .await?;
    let domains = list_domains(reader, pair, inbox, now).await?;
    let n_parked: u64 = domains.iter().map(|(_, n, _)| *n).sum();
    let due = number_or_null(&row, "due_ms")?.map(Reading::from_ms);
    let n_due = small::<u64>(&row, "n_firsts")? + small::<u64>(&row, "n_due")?;
    let (n_not_due, n_resting, n_held) = (
        small::<u64>(&row, "n_not_due")?,
        small::<u64>(&row, "n_resting")?,
        small::<u64>(&row, "n_held")?,
    );
    let n_away = small::<u64>(&row, "n_away")?;
    let elsewhere = n_due + n_not_due + n_resting + n_held + n_parked + n_away;
    let rested_at = number_or_null(&row, "rested_r_ms")?.map(|until| now.at + now.until(until));
    Ok(Facts {
        inbox: inbox.clone(),
        n_attempting: small(&row, "n_attempting")?,
        n_in_doubt: small(&row, "n_in_doubt")?,
        n_unsettled: small(&row, "n_unsettled")?,
        n_behind: small::<u64>(&row, "n_open")?.saturating_sub(elsewhere),
        n_due,
        n_not_due,
        due_in: if n_due > 0 {
            Some(std::time::Duration::ZERO)
        } else {
            due.map(|due| due.since(reading))
        },
        due_at: due.and_then(|due| pair.clock.comes_at(due, now)),
        n_resting,
        rested_at,
        n_held,
        n_away,
        back_at: number_or_null(&row, "back_at_ms")?.map(Timestamp::from_ms),
        domains,
        stands: None,
        blocked_until: None,
        shut: None,
        full_until: None,
        schedule: None,
    })
}

/// The domains that deliveries wait for, with how many and until when.
async fn list_domains(
    reader: &mut AnyConnection,
    pair: &Pair,
    inbox: &InboxId,
    now: Moment,
) -> Result<Vec<(String, u64, Option<Timestamp>)>, StoreError> {
    let rows = sqlx::query(
        "SELECT d.parked_for AS domain, COUNT(*) AS n, (SELECT w.until_r_ms FROM domain_waits w \
           WHERE w.campaign_id = $2 AND w.inbox_id = $1 AND w.domain = d.parked_for) AS until_r_ms \
         FROM deliveries d WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND d.parked_for IS NOT NULL \
         AND d.away_ms IS NULL GROUP BY d.parked_for ORDER BY d.parked_for",
    )
    .bind(inbox.to_string())
    .bind(pair.campaign.to_string())
    .fetch_all(&mut *reader)
    .await?;
    let mut domains = Vec::with_capacity(rows.len());
    for row in &rows {
        let domain = text(row, "domain")?;
        let until = number_or_null(row, "until_r_ms")?;
        let until = until.map(|until| now.at + now.until(until));
        // Others may have written there since it was noted.
        let full_until = sending::find_full_until(reader, &pair.campaign, &domain, now).await?;
        domains.push((domain, small(row, "n")?, until.max(full_until)));
    }
    Ok(domains)
}

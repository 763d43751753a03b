//! One moment of the ledger, as far as it decides when the messages of a campaign leave: what a forecast begins with.

use std::collections::{BTreeMap, HashMap};

use protocol::budget::Ramp;
use protocol::campaign::{PausedBy, State, Step};
use protocol::id::{CampaignId, InboxId};
use protocol::inbox::Address;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::budget::{day_before, load_allowance};
use super::catch_up::CatchUp;
use super::clocks::Moment;
use super::sending::Windows;
use super::why::find_stand;
use super::{Store, StoreError, json, number, number_or_null, small, text, text_or_null};
use crate::record::plan::{CampaignSide, Firsts, InboxSide, PairSide, Planned, RampSide, Snapshot};
use crate::record::{Queue, Sending, organisation_of};

/// What a forecast of a campaign begins with.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// How the campaign stands.
    pub status: State,
    /// The moment.
    pub snapshot: Snapshot,
    /// The campaign's place in it; `None` where nothing of it is left at any inbox.
    pub campaign_idx: Option<usize>,
}

impl Store {
    /// One moment of a campaign, its inboxes and the other campaigns that send through these.
    pub async fn load_foreseen(
        &self,
        campaign: &CampaignId,
        now: Timestamp,
    ) -> Result<Foreseen, StoreError> {
        let now = self.moment(now);
        let mut reader = self.reader.begin().await?;
        let row = sqlx::query("SELECT status FROM campaigns WHERE id = $1")
            .bind(campaign.to_string())
            .fetch_optional(&mut *reader)
            .await?
            .ok_or_else(|| StoreError::NotFound {
                what: "campaign",
                id: campaign.to_string(),
            })?;
        let status: State = json(&row, "status")?;
        let mut loading = Loading::new(now);
        if !matches!(status, State::Finished { .. }) {
            loading.load(&mut reader, campaign).await?;
        }
        Ok(Foreseen {
            status,
            campaign_idx: loading.places.get(campaign).copied(),
            snapshot: loading.snapshot,
        })
    }
}

/// A snapshot that is being loaded.
struct Loading {
    now: Moment,
    snapshot: Snapshot,
    /// The places of the campaigns.
    places: HashMap<CampaignId, usize>,
    /// The places of the recipients' organisations.
    domains: HashMap<String, u32>,
    /// Whether a campaign has a cap for each of them.
    asks_domains: bool,
}

impl Loading {
    fn new(now: Moment) -> Self {
        Self {
            now,
            snapshot: Snapshot {
                at: now.at,
                inboxes: Vec::new(),
                campaigns: Vec::new(),
                pairs: Vec::new(),
                domains: Vec::new(),
            },
            places: HashMap::new(),
            domains: HashMap::new(),
            asks_domains: false,
        }
    }

    async fn load(
        &mut self,
        reader: &mut AnyConnection,
        campaign: &CampaignId,
    ) -> Result<(), StoreError> {
        let inboxes = sqlx::query(
            "SELECT p.inbox_id AS inbox_id, i.organisation AS organisation FROM campaign_inboxes p \
             JOIN inboxes i ON i.id = p.inbox_id WHERE p.campaign_id = $1 ORDER BY p.position",
        )
        .bind(campaign.to_string())
        .fetch_all(&mut *reader)
        .await?;
        let mut organisations: Vec<String> = Vec::new();
        let mut found = Vec::new();
        for (inbox_idx, row) in inboxes.iter().enumerate() {
            let id = InboxId::new(text(row, "inbox_id")?);
            let organisation = text_or_null(row, "organisation")?.unwrap_or_default();
            let known = organisations.iter().position(|one| *one == organisation);
            let organisation_idx = known.unwrap_or_else(|| {
                organisations.push(organisation);
                organisations.len() - 1
            });
            let side = load_inbox(reader, &id, organisation_idx, self.now).await?;
            self.snapshot.inboxes.push(side);
            for row in list_pairs(reader, &id, campaign).await? {
                self.note_campaign(&row)?;
                found.push((inbox_idx, id.clone(), row));
            }
        }
        for (inbox_idx, inbox, row) in &found {
            self.load_pair(reader, *inbox_idx, inbox, row).await?;
        }
        self.load_tries(reader, &organisations).await
    }

    /// Notes the campaign of a pair, once.
    fn note_campaign(&mut self, row: &AnyRow) -> Result<(), StoreError> {
        let id = CampaignId::new(text(row, "campaign_id")?);
        if self.places.contains_key(&id) {
            return Ok(());
        }
        let cap = |column| {
            number_or_null(row, column)?
                .map(|_| small(row, column))
                .transpose()
        };
        let steps: Vec<Step> = json(row, "steps")?;
        let catch_up = CatchUp::from_row(row, self.now)?.cap(self.now.at);
        let domain_daily_cap = cap("domain_daily_cap")?;
        self.asks_domains |= domain_daily_cap.is_some();
        self.places
            .insert(id.clone(), self.snapshot.campaigns.len());
        self.snapshot.campaigns.push(CampaignSide {
            id,
            waits_ms: steps.iter().map(|step| step.wait_ms).collect(),
            sending: Sending {
                schedule: Windows::from_row(row)?.map(|windows| windows.schedule),
                daily_cap: cap("daily_cap")?,
                domain_daily_cap,
            },
            catch_up: catch_up.and_then(|(cap, until)| Some((cap, until?))),
            waits: catch_up.is_some_and(|(cap, _)| cap == 0),
            tries: Vec::new(),
            n_unknown: 0,
        });
        Ok(())
    }

    async fn load_pair(
        &mut self,
        reader: &mut AnyConnection,
        inbox_idx: usize,
        inbox: &InboxId,
        row: &AnyRow,
    ) -> Result<(), StoreError> {
        let campaign = CampaignId::new(text(row, "campaign_id")?);
        let Some(campaign_idx) = self.places.get(&campaign).copied() else {
            return Ok(());
        };
        let of = Of {
            campaign: &campaign,
            inbox,
            is_draft: text(row, "state")? == "draft",
            reading_ms: read_clock(row, self.now)?,
        };
        let side = PairSide {
            inbox_idx,
            campaign_idx,
            queue: Queue {
                turn: number(row, "turn")?,
                was_waiting: number(row, "was_waiting")? != 0,
                follow_ups: number(row, "follow_ups")?,
                n_steps: number(row, "n_steps")?,
                has_follow_up: false,
                has_first: false,
            },
            firsts: self.load_firsts(reader, &of).await?,
            waiting: self.list_waiting(reader, &of).await?,
        };
        self.snapshot.pairs.push(side);
        let n_unknown = count_unknown(reader, &of).await?;
        if let Some(campaign) = self.snapshot.campaigns.get_mut(campaign_idx) {
            campaign.n_unknown += n_unknown;
        }
        Ok(())
    }

    async fn load_firsts(
        &mut self,
        reader: &mut AnyConnection,
        of: &Of<'_>,
    ) -> Result<Firsts, StoreError> {
        let statement = match (of.is_draft, self.asks_domains) {
            (false, false) => {
                "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) AS n FROM tallies \
                 WHERE campaign_id = $1 AND inbox_id = $2 AND what = 'first'"
            }
            (true, false) => {
                "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM leads \
                 WHERE campaign_id = $1 AND inbox_id = $2 AND state = 'active'"
            }
            (false, true) => {
                "SELECT l.address AS address FROM deliveries d JOIN leads l ON l.id = d.lead_id \
                 WHERE d.campaign_id = $1 AND d.inbox_id = $2 AND d.is_first = 1 AND d.rank IS NOT NULL \
                 ORDER BY d.rank, d.place"
            }
            (true, true) => {
                "SELECT address FROM leads WHERE campaign_id = $1 AND inbox_id = $2 AND state = 'active' \
                 ORDER BY position"
            }
        };
        let rows = sqlx::query(statement)
            .bind(of.campaign.to_string())
            .bind(of.inbox.to_string())
            .fetch_all(reader)
            .await?;
        if !self.asks_domains {
            let n = rows.first().map(|row| small(row, "n")).transpose()?;
            return Ok(Firsts::Count(n.unwrap_or(0)));
        }
        let domains = rows.iter().map(|row| {
            let domain = organisation_at(&text(row, "address")?)?;
            Ok(self.place_of(domain))
        });
        Ok(Firsts::To(domains.collect::<Result<_, StoreError>>()?))
    }

    /// Follow-ups that wait for their due and their turn, and what rests or waits for an organisation.
    async fn list_waiting(
        &mut self,
        reader: &mut AnyConnection,
        of: &Of<'_>,
    ) -> Result<Vec<Planned>, StoreError> {
        // Each along an index of its own.
        const FOLLOW_UPS: &str = "d.is_first = 0 AND d.rank IS NOT NULL";
        const RESTING: &str = "d.rest_until_ms IS NOT NULL";
        const PARKED: &str = "d.parked_for IS NOT NULL";
        let mut waiting = Vec::new();
        for which in [FOLLOW_UPS, RESTING, PARKED] {
            let address = if self.asks_domains {
                "(SELECT l.address FROM leads l WHERE l.id = d.lead_id)"
            } else {
                "NULL"
            };
            let statement = format!(
                "SELECT d.due_ms AS due_ms, d.place AS place, d.step AS step, d.rest_until_r_ms AS rest_until_r_ms, \
                 {address} AS address FROM deliveries d \
                 WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND {which}"
            );
            let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
                .bind(of.inbox.to_string())
                .bind(of.campaign.to_string())
                .fetch_all(&mut *reader)
                .await?;
            for row in &rows {
                let left_ms = number(row, "due_ms")?.saturating_sub(of.reading_ms);
                let due_at = Timestamp::from_ms(self.now.at.as_ms().saturating_add(left_ms));
                let rested_at = number_or_null(row, "rest_until_r_ms")?
                    .map(|until| self.now.at + self.now.until(until));
                let address = text_or_null(row, "address")?;
                let domain = address
                    .map(|address| organisation_at(&address))
                    .transpose()?;
                waiting.push(Planned {
                    due_at: rested_at.map_or(due_at, |at| at.max(due_at)),
                    place: number(row, "place")?,
                    step: small(row, "step")?,
                    domain: domain.map(|domain| self.place_of(domain)),
                });
            }
        }
        Ok(waiting)
    }

    fn place_of(&mut self, domain: String) -> u32 {
        let next = u32::try_from(self.domains.len()).unwrap_or(u32::MAX);
        *self.domains.entry(domain).or_insert(next)
    }

    /// The tries of the last day, wherever a cap may count them.
    async fn load_tries(
        &mut self,
        reader: &mut AnyConnection,
        organisations: &[String],
    ) -> Result<(), StoreError> {
        // Messages of inboxes to themselves are tries too.
        let rows = sqlx::query(
            "SELECT a.inbox_id AS inbox_id, a.campaign_id AS campaign_id, a.to_domain AS to_domain, \
             a.tried_r_ms AS r_ms, m.organisation AS organisation FROM inboxes m CROSS JOIN attempts a \
             WHERE a.inbox_id = m.id AND a.tried_r_ms > $1 \
             UNION ALL SELECT k.inbox_id, NULL, NULL, k.begun_r_ms, m.organisation FROM inboxes m \
             CROSS JOIN canaries k WHERE k.inbox_id = m.id AND k.begun_r_ms > $1",
        )
        .bind(day_before(self.now))
        .fetch_all(reader)
        .await?;
        let inboxes: BTreeMap<InboxId, usize> = self
            .snapshot
            .inboxes
            .iter()
            .enumerate()
            .map(|(idx, side)| (side.id().clone(), idx))
            .collect();
        self.snapshot.domains = vec![Vec::new(); self.domains.len()];
        for row in &rows {
            let ago = self.now.r_ms.saturating_sub(number(row, "r_ms")?);
            let at = Timestamp::from_ms(self.now.at.as_ms().saturating_sub(ago));
            let inbox = InboxId::new(text(row, "inbox_id")?);
            let organisation = text_or_null(row, "organisation")?.unwrap_or_default();
            if let Some(idx) = inboxes.get(&inbox) {
                if let Some(side) = self.snapshot.inboxes.get_mut(*idx) {
                    side.tries.push(at);
                }
            } else {
                let of = organisations.iter().position(|one| *one == organisation);
                let sides = self.snapshot.inboxes.iter_mut();
                for side in sides.filter(|side| Some(side.organisation_idx) == of) {
                    side.of_organisation.push(at);
                }
            }
            let campaign = text_or_null(row, "campaign_id")?.map(CampaignId::new);
            let place = campaign.and_then(|id| self.places.get(&id).copied());
            if let Some(side) = place.and_then(|idx| self.snapshot.campaigns.get_mut(idx)) {
                side.tries.push(at);
            }
            let place =
                text_or_null(row, "to_domain")?.and_then(|it| self.domains.get(&it).copied());
            let place = place.and_then(|idx| usize::try_from(idx).ok());
            if let Some(tries) = place.and_then(|idx| self.snapshot.domains.get_mut(idx)) {
                tries.push(at);
            }
        }
        for side in &mut self.snapshot.inboxes {
            side.tries.sort();
            side.of_organisation.sort();
        }
        for side in &mut self.snapshot.campaigns {
            side.tries.sort();
        }
        for tries in &mut self.snapshot.domains {
            tries.sort();
        }
        Ok(())
    }
}

/// A campaign at an inbox.
struct Of<'a> {
    campaign: &'a CampaignId,
    inbox: &'a InboxId,
    is_draft: bool,
    /// What its clock shows.
    reading_ms: i64,
}

/// What the clock of a pair shows; a draft has none yet.
fn read_clock(row: &AnyRow, now: Moment) -> Result<i64, StoreError> {
    let ran_ms = number_or_null(row, "ran_ms")?.unwrap_or(0);
    let since = number_or_null(row, "since_r_ms")?.unwrap_or(now.r_ms);
    Ok(ran_ms.saturating_add(now.r_ms.saturating_sub(since)))
}

async fn load_inbox(
    reader: &mut AnyConnection,
    id: &InboxId,
    organisation_idx: usize,
    now: Moment,
) -> Result<InboxSide, StoreError> {
    let allowance = load_allowance(reader, id, now).await?;
    let row = &allowance.row;
    let mut ramp = None;
    if number_or_null(row, "ramp_first")?.is_some() {
        let at = number_or_null(row, "ramp_at_r_ms")?;
        let ago = |r_ms: i64| now.at.as_ms().saturating_sub(now.r_ms.saturating_sub(r_ms));
        ramp = Some(RampSide {
            ramp: Ramp {
                first: small(row, "ramp_first")?,
                more: small(row, "ramp_more")?,
            },
            come: std::time::Duration::from_millis(small(row, "ramp_ms")?),
            at: at.map(|r_ms| Timestamp::from_ms(ago(r_ms))),
        });
    }
    Ok(InboxSide {
        ramp,
        served: allowance.served,
        budgets: allowance.budgets,
        tries: Vec::new(),
        of_organisation: Vec::new(),
        organisation_idx,
        can_send: find_stand(reader, id, now).await?.is_none(),
    })
}

/// The campaigns that send through an inbox, in the order in which they take turns, and the one that is asked for. What
/// a person paused does not go on by itself.
async fn list_pairs(
    reader: &mut AnyConnection,
    inbox: &InboxId,
    asked: &CampaignId,
) -> Result<Vec<AnyRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT p.campaign_id AS campaign_id, p.ran_ms AS ran_ms, p.since_r_ms AS since_r_ms, p.turn AS turn, \
         p.was_waiting AS was_waiting, p.follow_ups AS follow_ups, c.n_steps AS n_steps, c.steps AS steps, \
         c.state AS state, c.status AS status, c.schedule AS schedule, c.daily_cap AS daily_cap, \
         c.domain_daily_cap AS domain_daily_cap, c.after_outage_cap AS after_outage_cap, \
         c.catch_up_until_r_ms AS catch_up_until_r_ms FROM campaign_inboxes p JOIN campaigns c ON c.id = p.campaign_id \
         WHERE p.inbox_id = $1 AND (c.state IN ('running', 'paused') OR c.id = $2) \
         ORDER BY c.created_at_ms, c.id",
    )
    .bind(inbox.to_string())
    .bind(asked.to_string())
    .fetch_all(reader)
    .await?;
    let mut going = Vec::with_capacity(rows.len());
    for row in rows {
        let is_by_person = matches!(
            json(&row, "status")?,
            State::Paused {
                by: PausedBy::Person,
                ..
            }
        );
        if !is_by_person || text(&row, "campaign_id")? == asked.as_str() {
            going.push(row);
        }
    }
    Ok(going)
}

/// Messages of a campaign at an inbox that are on their way, in doubt, held, or for a person to decide.
async fn count_unknown(reader: &mut AnyConnection, of: &Of<'_>) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT CAST(COALESCE(SUM(t.n), 0) AS BIGINT) FROM tallies t WHERE t.inbox_id = $1 \
           AND t.campaign_id = $2 AND t.what IN ('attempting', 'in_doubt', 'unsettled')) \
         + (SELECT COUNT(*) FROM deliveries d WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND d.is_held = 1 \
           AND d.rest_until_ms IS NULL AND d.parked_for IS NULL AND d.state IN ('planned', 'deferred')) AS n",
    )
    .bind(of.inbox.to_string())
    .bind(of.campaign.to_string())
    .fetch_one(reader)
    .await?;
    small(&row, "n")
}

fn organisation_at(address: &str) -> Result<String, StoreError> {
    let address: Address = address
        .parse()
        .map_err(|_| StoreError::Corrupt { what: "address" })?;
    Ok(organisation_of(&address))
}

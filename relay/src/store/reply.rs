//! What arrived about messages of campaigns: a row for each message, its words for as long as they are kept, and what a
//! person said of it. What follows from that is done in the same transaction.

use protocol::campaign::State as CampaignState;
use protocol::delivery::Suppression;
use protocol::id::{AccountId, CampaignId, InboxId, LeadId, ReplyId};
use protocol::lead::State as LeadState;
use protocol::request::reply::{Kind, Mark, Reply, Words};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::addressed::Addressed;
use super::clocks::{Moment, load_clock};
use super::conflict::Conflict;
use super::{
    Store, StoreError, away, campaign, lead, number, number_or_null, small, text, text_or_null,
};
use crate::secret::random_text;
use crate::text::arrival::letter::Letter;

const VIEW: &str = "SELECT r.id AS id, r.kind AS kind, r.from_address AS from_address, r.from_name AS from_name, \
     r.subject AS subject, r.arrived_at_ms AS arrived_at_ms, r.inbox_id AS inbox_id, r.campaign_id AS campaign_id, \
     r.lead_id AS lead_id, l.address AS lead_address, r.step AS step, r.away_until_ms AS away_until_ms, r.mark AS mark, \
     r.marked_at_ms AS marked_at_ms, r.until_ms AS until_ms, r.goes_on AS goes_on, r.words AS words, \
     r.quoted AS quoted, r.is_cut AS is_cut FROM replies r JOIN leads l ON l.id = r.lead_id";

/// What is there to be kept of a message that arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// Where it arrived.
    pub inbox: &'a InboxId,
    /// The message of ours that it is about.
    pub about: &'a Addressed,
    /// What it is.
    pub kind: Kind,
    /// What it says.
    pub letter: &'a Letter,
    /// When its server took it.
    pub arrived_at: Timestamp,
    /// Until when its writer is away; `None` where it does not say.
    pub away_until: Option<Timestamp>,
    /// Whether its words are kept.
    pub keeps_words: bool,
}

/// Which replies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    /// Only about messages of this campaign.
    pub campaign: Option<&'a CampaignId>,
    /// Only at this inbox.
    pub inbox: Option<&'a InboxId>,
    /// Only about this lead.
    pub lead: Option<&'a LeadId>,
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only with this mark.
    pub mark: Option<Mark>,
    /// Only those that arrived then or later.
    pub since: Option<Timestamp>,
    /// Only those behind this one.
    pub after: Option<&'a ReplyId>,
    /// Only what this client sees.
    pub of: Option<&'a AccountId>,
}

/// What a person says of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// They want to hear more.
    Interested,
    /// Not before then.
    NotNow {
        /// When.
        until: Timestamp,
        /// Whether the rest of the sequence goes on then.
        goes_on: bool,
    },
    /// Somebody else has to be written to.
    WrongPerson,
    /// They are never written to again.
    Never,
    /// Nothing.
    None,
}

impl Meaning {
    /// The mark that stands for it.
    pub fn mark(self) -> Mark {
        match self {
            Self::Interested => Mark::Interested,
            Self::NotNow { .. } => Mark::NotNow,
            Self::WrongPerson => Mark::WrongPerson,
            Self::Never => Mark::Never,
            Self::None => Mark::None,
        }
    }
}

impl Store {
    /// Puts a message that arrived on record. Answers whether it is new: one that is read again, from wherever, changes
    /// nothing, and of a lead that was deleted nothing is kept.
    pub async fn note_arrived(
        &self,
        arrived: &Arrived<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let letter = arrived.letter;
        let words = arrived.keeps_words.then(|| letter.text.clone());
        let quoted = arrived.keeps_words.then(|| letter.quoted.clone());
        let done = sqlx::query(
            "INSERT INTO replies (id, inbox_id, message_key, campaign_id, lead_id, step, kind, from_address, from_name, \
             subject, arrived_at_ms, read_at_ms, words, quoted, is_cut, away_until_ms) \
             SELECT $1, $2, $3, d.campaign_id, d.lead_id, d.step, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 \
             FROM deliveries d JOIN leads l ON l.id = d.lead_id WHERE d.id = $14 AND l.state <> 'deleted' \
             ON CONFLICT (inbox_id, message_key) DO NOTHING",
        )
        // In the order in which they are read.
        .bind(format!("{}{:012x}{}", ReplyId::PREFIX, now.as_ms(), random_text()))
        .bind(arrived.inbox.to_string())
        .bind(letter.key.clone())
        .bind(arrived.kind.code())
        .bind(letter.from.clone())
        .bind(letter.from_name.clone())
        .bind(letter.subject.clone())
        .bind(arrived.arrived_at.as_ms())
        .bind(now.as_ms())
        .bind(words)
        .bind(quoted)
        .bind(i64::from(letter.is_cut))
        .bind(arrived.away_until.map(Timestamp::as_ms))
        .bind(arrived.about.delivery.to_string())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Whether a message that arrived at an inbox is on record.
    pub async fn has_arrived(&self, inbox: &InboxId, key: &str) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM replies WHERE inbox_id = $1 AND message_key = $2")
            .bind(inbox.to_string())
            .bind(key.to_owned())
            .fetch_optional(&self.reader)
            .await?;
        Ok(row.is_some())
    }

    /// So many replies, newest first, as they were read.
    pub async fn list_replies(
        &self,
        which: Which<'_>,
        limit: u32,
    ) -> Result<Vec<Reply>, StoreError> {
        // What nobody asks for is not looked at.
        let mut asked = Asked::default();
        // Behind every id there is.
        let behind = which
            .after
            .map_or_else(|| format!("{}~", ReplyId::PREFIX), ToString::to_string);
        asked.text("r.id < ?", &behind);
        if let Some(id) = which.campaign {
            asked.text("r.campaign_id = ?", id.as_str());
        }
        if let Some(id) = which.inbox {
            asked.text("r.inbox_id = ?", id.as_str());
        }
        if let Some(id) = which.lead {
            asked.text("r.lead_id = ?", id.as_str());
        }
        if let Some(kind) = which.kind {
            asked.text("r.kind = ?", kind.code());
        }
        match which.mark {
            Some(Mark::None) => asked.conditions.push("r.mark IS NULL".to_owned()),
            Some(mark) => asked.text("r.mark = ?", mark.code()),
            None => {}
        }
        if let Some(since) = which.since {
            asked
                .conditions
                .push(format!("r.arrived_at_ms >= {}", since.as_ms()));
        }
        if let Some(account) = which.of {
            asked.text(
                "r.inbox_id IN (SELECT g.inbox_id FROM account_inboxes g WHERE g.account_id = ?) \
                 AND NOT EXISTS (SELECT 1 FROM campaign_inboxes p WHERE p.campaign_id = r.campaign_id AND NOT EXISTS ( \
                   SELECT 1 FROM account_inboxes g WHERE g.account_id = ? AND g.inbox_id = p.inbox_id))",
                account.as_str(),
            );
        }
        let Asked { conditions, bound } = asked;
        let n = bound.len() + 1;
        let statement = format!(
            "{VIEW} WHERE {} ORDER BY r.id DESC LIMIT ${n}",
            conditions.join(" AND ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
        for value in bound {
            query = query.bind(value);
        }
        let rows = query.bind(i64::from(limit)).fetch_all(&self.reader).await?;
        rows.iter().map(reply_from).collect()
    }

    /// One reply with its words.
    pub async fn load_reply(&self, id: &ReplyId) -> Result<Words, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{VIEW} WHERE r.id = $1")))
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?
            .ok_or_else(|| not_found(id))?;
        Ok(Words {
            reply: reply_from(&row)?,
            text: text_or_null(&row, "words")?,
            quoted: text_or_null(&row, "quoted")?.filter(|quoted| !quoted.is_empty()),
            is_cut: number(&row, "is_cut")? != 0,
        })
    }

    /// Forgets the words of what was read before then; how many that were.
    pub async fn forget_words(&self, before: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE replies SET words = NULL, quoted = NULL WHERE words IS NOT NULL AND read_at_ms < $1",
        )
        .bind(before.as_ms())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }

    /// A person says what a reply means. `Never` stops the person everywhere, which [`Store::suppress`] does once this is
    /// written.
    pub async fn mark_reply(
        &self,
        id: &ReplyId,
        meaning: Meaning,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let moment = self.moment(now);
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "SELECT r.lead_id AS lead_id, r.goes_on AS goes_on, l.state AS state FROM replies r \
             JOIN leads l ON l.id = r.lead_id WHERE r.id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| not_found(id))?;
        let about = LeadId::new(text(&row, "lead_id")?);
        let went_on = number(&row, "goes_on")? != 0;
        let mut stopped = None;
        let mut went_back = false;
        match meaning {
            Meaning::NotNow {
                until,
                goes_on: true,
            } => {
                went_back = go_on_after(&mut tx, &about, until, moment).await?;
            }
            Meaning::WrongPerson => {
                let is_stopped = lead::stop(&mut tx, &about, Suppression::Person, moment).await?;
                stopped = is_stopped.then_some(Suppression::Person);
            }
            // Nothing is sent that nobody asked for: a lead whose program answered stops like one that answered, and what
            // was to go on after a day is taken back.
            _ if went_on || matches!(meaning, Meaning::NotNow { .. }) => {
                let is_stopped = lead::stop(&mut tx, &about, Suppression::Replied, moment).await?;
                stopped = is_stopped.then_some(Suppression::Replied);
            }
            _ => {}
        }
        let (until, goes_on) = match meaning {
            Meaning::NotNow { until, goes_on } => (Some(until), goes_on),
            _ => (None, false),
        };
        let mark = Some(meaning.mark()).filter(|mark| *mark != Mark::None);
        sqlx::query(
            "UPDATE replies SET mark = $1, marked_at_ms = $2, until_ms = $3, goes_on = $4 WHERE id = $5",
        )
        .bind(mark.map(Mark::code))
        .bind(mark.map(|_| now.as_ms()))
        .bind(until.map(Timestamp::as_ms))
        .bind(i64::from(goes_on))
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if let Some(why) = stopped {
            self.note_stop(&about, why, now).await;
        }
        if went_back {
            self.note_returned(std::slice::from_ref(&about), now).await;
        }
        Ok(())
    }
}

/// The conditions of a statement, with the texts that are bound to it.
#[derive(Default)]
struct Asked {
    conditions: Vec<String>,
    bound: Vec<String>,
}

impl Asked {
    /// `?` stands for the text.
    fn text(&mut self, condition: &str, text: &str) {
        self.bound.push(text.to_owned());
        let number = format!("${}", self.bound.len());
        self.conditions.push(condition.replace('?', &number));
    }
}

/// What is kept of a person is erased with their lead.
pub(super) async fn erase_of(tx: &mut AnyConnection, lead: &LeadId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM replies WHERE lead_id = $1")
        .bind(lead.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// The rest of a lead's sequence goes on after then. One that was stopped because it answered is put back; the step
/// that is next is due at that instant, and the later ones their waits after it. Answers whether it was put back.
async fn go_on_after(
    tx: &mut AnyConnection,
    id: &LeadId,
    until: Timestamp,
    now: Moment,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT l.state AS state, l.campaign_id AS campaign_id, l.inbox_id AS inbox_id, l.position AS position, \
         c.n_steps AS n_steps, (SELECT CAST(COALESCE(MAX(d.step), 0) AS BIGINT) FROM deliveries d \
           WHERE d.lead_id = l.id AND d.state = 'accepted') AS n_sent, \
         (SELECT COUNT(*) FROM deliveries d WHERE d.lead_id = l.id AND d.state IN ('attempting', 'in_doubt', \
           'unsettled')) AS n_open, (SELECT COUNT(*) FROM deliveries d WHERE d.lead_id = l.id \
           AND (d.state IN ('bounced', 'rejected', 'cancelled') OR d.state = 'suppressed' AND d.attempt > 0)) AS n_lost \
         FROM leads l JOIN campaigns c ON c.id = l.campaign_id WHERE l.id = $1",
    )
    .bind(id.to_string())
    .fetch_one(&mut *tx)
    .await?;
    let state = lead::state_from(&row, "state")?;
    if matches!(state, LeadState::Active | LeadState::Paused) {
        away::hold(tx, id, until, now).await?;
        return Ok(false);
    }
    let campaign_id = CampaignId::new(text(&row, "campaign_id")?);
    let status = campaign::load_status(tx, &campaign_id).await?;
    let n_sent = number(&row, "n_sent")?;
    let is_over = status == CampaignState::Draft || number(&row, "n_lost")? > 0;
    if is_over || state == LeadState::Deleted || n_sent >= number(&row, "n_steps")? {
        return Err(Conflict::NothingLeft.into());
    }
    if number(&row, "n_open")? > 0 {
        return Err(Conflict::Attempting.into());
    }
    // What it answered is what this is about; what else was heard of it or of its person stands.
    sqlx::query("UPDATE leads SET heard = NULL WHERE id = $1 AND heard = $2")
        .bind(id.to_string())
        .bind(Suppression::Replied.code())
        .execute(&mut *tx)
        .await?;
    if let Some(why) = lead::revive(tx, id).await? {
        return Err(Conflict::Heard(why).into());
    }
    // What was never tried has no row any more: it is planned anew when its turn comes.
    sqlx::query(
        "DELETE FROM deliveries WHERE lead_id = $1 AND state = 'suppressed' AND attempt = 0",
    )
    .bind(id.to_string())
    .execute(&mut *tx)
    .await?;
    let inbox = InboxId::new(text(&row, "inbox_id")?);
    let due = load_clock(tx, &campaign_id, &inbox).await?.read(now);
    let new = campaign::NewDelivery {
        campaign: campaign_id.clone(),
        lead: id.clone(),
        inbox,
        step: n_sent + 1,
        place: number(&row, "position")?,
    };
    campaign::plan(tx, &new, due).await?;
    away::hold(tx, id, until, now).await?;
    campaign::reopen(tx, &campaign_id, now).await?;
    Ok(true)
}

fn reply_from(row: &AnyRow) -> Result<Reply, StoreError> {
    let instant =
        |column| Ok::<_, StoreError>(number_or_null(row, column)?.map(Timestamp::from_ms));
    let mark = match text_or_null(row, "mark")? {
        Some(code) => Mark::parse(&code).ok_or(StoreError::Corrupt { what: "mark" })?,
        None => Mark::None,
    };
    Ok(Reply {
        id: ReplyId::new(text(row, "id")?),
        kind: Kind::parse(&text(row, "kind")?).ok_or(StoreError::Corrupt { what: "kind" })?,
        from: text(row, "from_address")?,
        from_name: text(row, "from_name")?,
        subject: text(row, "subject")?,
        arrived_at: Timestamp::from_ms(number(row, "arrived_at_ms")?),
        inbox: InboxId::new(text(row, "inbox_id")?),
        campaign: CampaignId::new(text(row, "campaign_id")?),
        lead: LeadId::new(text(row, "lead_id")?),
        lead_address: text(row, "lead_address")?
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "address" })?,
        step: small(row, "step")?,
        away_until: instant("away_until_ms")?,
        mark,
        marked_at: instant("marked_at_ms")?,
        until: instant("until_ms")?,
        goes_on: number(row, "goes_on")? != 0,
    })
}

fn not_found(id: &ReplyId) -> StoreError {
    StoreError::NotFound {
        what: "reply",
        id: id.to_string(),
    }
}

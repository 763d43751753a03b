//! The outbox: alerts, each written in the transaction of what it tells, and where each stands at each channel. When one
//! is tried again and when it is given up is decided in `protocol::telling`; carrying them is the worker's.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::alert::{self, About, Alert, What};
use protocol::connection::Connection;
use protocol::id::{CampaignId, InboxId};
use protocol::provider::ProviderId;
use protocol::request::alert::{Channel, Listed, Telling};
use protocol::telling::{Event, LONGEST_REST, State};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::{Store, StoreError, json, number, number_or_null, small, text, text_or_null, to_json};

/// Alerts that are told in one message at the most.
const TOGETHER_AT_MOST: i64 = 100;
/// How long what was told is kept.
const KEPT_FOR: Duration = Duration::from_hours(24 * 90);
/// Why nothing is told any more through a channel that the configuration no longer has.
const TAKEN_OUT: &str = "the channel is no longer in the configuration";

/// What a channel has to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Tell these, in one message.
    Tell(Vec<Told>),
    /// Nothing before this instant; `None` where nothing waits.
    Wait(Option<Timestamp>),
}

/// An alert that is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its number.
    pub no: i64,
    /// What it tells.
    pub alert: Alert,
}

/// An alert that is about to be written.
struct New<'a> {
    what: What,
    /// The inbox or the campaign; empty for the relay.
    subject: &'a str,
    inbox: Option<About>,
    at: Timestamp,
    due: Timestamp,
    /// Of a loss.
    since: Option<Timestamp>,
}

/// Writes an alert for every channel that there is; answers whether. One of the same key is there already, and stays as
/// it is.
async fn write(tx: &mut AnyConnection, new: New<'_>) -> Result<bool, StoreError> {
    let New {
        what,
        subject,
        inbox,
        at,
        due,
        since,
    } = new;
    let alert = Alert {
        key: Alert::key_of(
            &what,
            if subject.is_empty() { "relay" } else { subject },
            at,
        ),
        at,
        inbox,
        what,
    };
    let row = sqlx::query("SELECT CAST(COALESCE(MAX(no), 0) + 1 AS BIGINT) AS no FROM alerts")
        .fetch_one(&mut *tx)
        .await?;
    let no = number(&row, "no")?;
    let done = sqlx::query(
        "INSERT INTO alerts (no, key, kind, type, subject, at_ms, due_ms, since_ms, unacted_ms, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (key) DO NOTHING",
    )
    .bind(no)
    .bind(alert.key.clone())
    .bind(alert.kind())
    .bind(alert.what.name())
    .bind(subject.to_owned())
    .bind(at.as_ms())
    .bind(due.as_ms())
    .bind(since.map(Timestamp::as_ms))
    .bind(since.map(|_| due.as_ms()))
    .bind(to_json("alert", &alert)?)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO tellings (alert_no, channel, state, tries, next_at_ms) \
         SELECT CAST($1 AS BIGINT), name, $2, 0, CAST($3 AS BIGINT) FROM channels WHERE off_since_ms IS NULL",
    )
    .bind(no)
    .bind(State::new(due).name())
    .bind(due.as_ms())
    .execute(tx)
    .await?;
    Ok(true)
}

/// Writes what happened to an inbox, in the transaction in which it did.
pub(super) async fn tell_of_inbox(
    tx: &mut AnyConnection,
    id: &InboxId,
    what: What,
    now: Timestamp,
) -> Result<(), StoreError> {
    let new = New {
        inbox: Some(about(tx, id).await?),
        what,
        subject: id.as_str(),
        at: now,
        due: now,
        since: None,
    };
    write(tx, new).await?;
    Ok(())
}

/// Writes what happened to a campaign or to the relay, whose subject is empty.
pub(super) async fn tell(
    tx: &mut AnyConnection,
    subject: &str,
    what: What,
    now: Timestamp,
) -> Result<(), StoreError> {
    let new = New {
        what,
        subject,
        inbox: None,
        at: now,
        due: now,
        since: None,
    };
    write(tx, new).await?;
    Ok(())
}

/// Writes what is told of a subject once for this instant, however often it is asked for; answers whether it was now.
pub(super) async fn tell_once(
    tx: &mut AnyConnection,
    subject: &str,
    what: What,
    at: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let new = New {
        what,
        subject,
        inbox: None,
        at,
        due: now,
        since: None,
    };
    write(tx, new).await
}

/// An inbox was lost, and so many campaigns stand because of it. What comes and goes is told only where it stays.
pub(super) async fn tell_lost(
    tx: &mut AnyConnection,
    id: &InboxId,
    connection: &Connection,
    paused: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Connection::Disconnected { cause, since, .. } = connection else {
        return Ok(());
    };
    // A loss that is told anew, for another cause, takes the place of what was told of it.
    end_loss(tx, id, now).await?;
    let row = sqlx::query(
        "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM alerts WHERE subject = $1 AND type = 'disconnected' \
         AND due_ms > $2 AND due_ms <= $3",
    )
    .bind(id.to_string())
    .bind((now - alert::FLAPS_WITHIN).as_ms())
    .bind(now.as_ms())
    .fetch_one(&mut *tx)
    .await?;
    let new = New {
        inbox: Some(about(tx, id).await?),
        what: What::Disconnected {
            cause: *cause,
            since: *since,
            paused,
        },
        subject: id.as_str(),
        at: now,
        due: now + alert::hold_off(small(&row, "n")?),
        since: Some(*since),
    };
    write(tx, new).await?;
    Ok(())
}

/// An inbox that was lost since then can sign in again. Told where its loss was.
pub(super) async fn tell_reconnected(
    tx: &mut AnyConnection,
    id: &InboxId,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let was_told = was_told(tx, id, since, now).await?;
    end_loss(tx, id, now).await?;
    if was_told {
        tell_of_inbox(tx, id, What::Reconnected { since }, now).await?;
    }
    Ok(())
}

/// Whether the loss of an inbox since then is told, or about to be.
pub(super) async fn was_told(
    tx: &mut AnyConnection,
    id: &InboxId,
    since: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT 1 FROM alerts WHERE subject = $1 AND type = 'disconnected' AND since_ms = $2 AND due_ms <= $3 LIMIT 1",
    )
    .bind(id.to_string())
    .bind(since.as_ms())
    .bind(now.as_ms())
    .fetch_optional(tx)
    .await?;
    Ok(row.is_some())
}

/// Nobody has to act any more for what was told of an inbox; what was not due yet, and what was to be told once more, is
/// not told.
pub(super) async fn end_loss(
    tx: &mut AnyConnection,
    id: &InboxId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE alerts SET unacted_ms = NULL WHERE subject = $1 AND unacted_ms IS NOT NULL",
    )
    .bind(id.to_string())
    .execute(&mut *tx)
    .await?;
    let rows = sqlx::query(
        "SELECT t.alert_no AS alert_no, t.channel AS channel, t.state AS state, t.tries AS tries, \
         t.next_at_ms AS next_at_ms, t.ended_at_ms AS ended_at_ms, a.due_ms AS due_ms FROM tellings t \
         JOIN alerts a ON a.no = t.alert_no WHERE a.subject = $1 AND t.state = 'pending' \
         AND (a.type = 'still_disconnected' OR a.type = 'disconnected' AND a.due_ms > $2)",
    )
    .bind(id.to_string())
    .bind(now.as_ms())
    .fetch_all(&mut *tx)
    .await?;
    for row in &rows {
        move_telling(tx, row, Event::Over, None, now).await?;
    }
    Ok(())
}

/// The first message of a campaign that only a person can settle.
pub(super) async fn tell_unsettled(
    tx: &mut AnyConnection,
    campaign: &CampaignId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let what = What::Unsettled {
        campaign: campaign.clone(),
        name: load_name(tx, campaign).await?,
    };
    tell(tx, campaign.as_str(), what, now).await
}

/// A campaign has nothing left to send.
pub(super) async fn tell_finished(
    tx: &mut AnyConnection,
    campaign: &CampaignId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT c.n_leads AS leads, (SELECT CAST(COALESCE(SUM(t.n), 0) AS BIGINT) FROM tallies t \
         WHERE t.campaign_id = c.id AND t.what = 'accepted') AS accepted FROM campaigns c WHERE c.id = $1",
    )
    .bind(campaign.to_string())
    .fetch_one(&mut *tx)
    .await?;
    let what = What::Finished {
        campaign: campaign.clone(),
        name: load_name(tx, campaign).await?,
        leads: small(&row, "leads")?,
        accepted: small(&row, "accepted")?,
    };
    tell(tx, campaign.as_str(), what, now).await
}

async fn load_name(tx: &mut AnyConnection, campaign: &CampaignId) -> Result<String, StoreError> {
    let row = sqlx::query("SELECT name FROM campaigns WHERE id = $1")
        .bind(campaign.to_string())
        .fetch_one(tx)
        .await?;
    text(&row, "name")
}

async fn about(tx: &mut AnyConnection, id: &InboxId) -> Result<About, StoreError> {
    let row = sqlx::query("SELECT address, provider FROM inboxes WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx)
        .await?
        .ok_or_else(|| super::inbox::not_found(id))?;
    Ok(About {
        id: id.clone(),
        address: text(&row, "address")?,
        provider: ProviderId::new(text(&row, "provider")?),
    })
}

/// The state in a row of `tellings`, which has the due of its alert beside it.
fn state_of(row: &AnyRow) -> Result<State, StoreError> {
    let ended =
        number_or_null(row, "ended_at_ms")?.map_or(Timestamp::from_ms(0), Timestamp::from_ms);
    Ok(match text(row, "state")?.as_str() {
        "pending" => State::Pending {
            tries: small(row, "tries")?,
            next_at: Timestamp::from_ms(number(row, "next_at_ms")?),
        },
        "told" => State::Told { at: ended },
        "given_up" => State::GivenUp { at: ended },
        "moot" => State::Moot { at: ended },
        _ => return Err(StoreError::Corrupt { what: "telling" }),
    })
}

/// Moves the telling of a row by an event; every change of one goes through here.
async fn move_telling(
    tx: &mut AnyConnection,
    row: &AnyRow,
    event: Event,
    words: Option<&str>,
    now: Timestamp,
) -> Result<State, StoreError> {
    let due = Timestamp::from_ms(number(row, "due_ms")?);
    let state = state_of(row)?.apply(event, due, now);
    let (tries, next_at, ended_at) = match state {
        State::Pending { tries, next_at } => (i64::from(tries), next_at.as_ms(), None),
        State::Told { at } | State::GivenUp { at } | State::Moot { at } => (
            number(row, "tries")?,
            number(row, "next_at_ms")?,
            Some(at.as_ms()),
        ),
    };
    sqlx::query(
        "UPDATE tellings SET state = $1, tries = $2, next_at_ms = $3, ended_at_ms = $4, words = COALESCE($5, words) \
         WHERE alert_no = $6 AND channel = $7",
    )
    .bind(state.name())
    .bind(tries)
    .bind(next_at)
    .bind(ended_at)
    .bind(words.map(str::to_owned))
    .bind(number(row, "alert_no")?)
    .bind(text(row, "channel")?)
    .execute(tx)
    .await?;
    Ok(state)
}

const TELLING: &str = "t.alert_no AS alert_no, t.channel AS channel, t.state AS state, t.tries AS tries, \
     t.next_at_ms AS next_at_ms, t.ended_at_ms AS ended_at_ms, a.due_ms AS due_ms, a.at_ms AS at_ms, a.kind AS kind, \
     a.body AS body FROM tellings t JOIN alerts a ON a.no = t.alert_no";

impl Store {
    /// The channels of the configuration, by name, and where each leads. One that is new is told what comes from now on;
    /// one that is gone is told nothing more. What waits is tried at once: the relay was started for a reason.
    pub async fn put_channels(
        &self,
        channels: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let known = sqlx::query("SELECT name FROM channels")
            .fetch_all(&mut *tx)
            .await?;
        for row in &known {
            let name = text(row, "name")?;
            if channels.contains_key(&name) {
                continue;
            }
            give_up_all(&mut tx, &name, TAKEN_OUT, now).await?;
            sqlx::query("DELETE FROM channels WHERE name = $1")
                .bind(name)
                .execute(&mut *tx)
                .await?;
        }
        for (name, target) in channels {
            // One that leads elsewhere than before was not switched off by whoever is there.
            sqlx::query(
                "INSERT INTO channels (name, target) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET \
                 off_since_ms = CASE WHEN channels.target = excluded.target THEN channels.off_since_ms END, \
                 off_words = CASE WHEN channels.target = excluded.target THEN channels.off_words END, \
                 target = excluded.target",
            )
            .bind(name.clone())
            .bind(target.clone())
            .execute(&mut *tx)
            .await?;
            end_rests(&mut tx, name, now).await?;
        }
        // What is long told is forgotten.
        let before = (now - KEPT_FOR).as_ms();
        sqlx::query(
            "DELETE FROM tellings WHERE state <> 'pending' AND alert_no IN (SELECT no FROM alerts WHERE at_ms < $1)",
        )
        .bind(before)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM alerts WHERE at_ms < $1 AND unacted_ms IS NULL \
             AND NOT EXISTS (SELECT 1 FROM tellings t WHERE t.alert_no = alerts.no)",
        )
        .bind(before)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// What a channel has to tell next: in the order in which it was to be told, and nothing past what failed before it
    /// has had its rest. `gathers` is how long a channel waits for more of the same kind, which it tells in one message;
    /// `None` where it tells each by itself.
    pub async fn find_next_telling(
        &self,
        channel: &str,
        gathers: Option<Duration>,
        now: Timestamp,
    ) -> Result<Next, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let head = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {TELLING} WHERE t.channel = $1 AND t.state = 'pending' ORDER BY a.due_ms, a.no LIMIT 1"
        )))
        .bind(channel.to_owned())
        .fetch_optional(&mut *reader)
        .await?;
        let Some(head) = head else {
            return Ok(Next::Wait(None));
        };
        let due = Timestamp::from_ms(number(&head, "due_ms")?);
        let next_at = Timestamp::from_ms(number(&head, "next_at_ms")?);
        // A rest that a clock that was set back has made longer than any is over.
        let rested = if next_at.since(now) > LONGEST_REST {
            due
        } else {
            next_at
        };
        let from = rested.max(due + gathers.unwrap_or_default());
        if from > now {
            return Ok(Next::Wait(Some(from)));
        }
        if gathers.is_none() {
            return Ok(Next::Tell(vec![told(&head)?]));
        }
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {TELLING} WHERE t.channel = $1 AND t.state = 'pending' AND a.kind = $2 AND a.due_ms <= $3 \
             ORDER BY a.due_ms, a.no LIMIT $4"
        )))
        .bind(channel.to_owned())
        .bind(text(&head, "kind")?)
        .bind(now.as_ms())
        .bind(TOGETHER_AT_MOST)
        .fetch_all(&mut *reader)
        .await?;
        Ok(Next::Tell(rows.iter().map(told).collect::<Result<_, _>>()?))
    }

    /// Notes how telling these through a channel ended, and what the other side answered. Answers how many are given up.
    pub async fn note_telling(
        &self,
        channel: &str,
        told: &[Told],
        event: Event,
        words: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut n_given_up = 0;
        let mut tx = self.begin().await?;
        for Told { no, .. } in told {
            let row = sqlx::query(sqlx::AssertSqlSafe(format!(
                "SELECT {TELLING} WHERE t.channel = $1 AND t.alert_no = $2"
            )))
            .bind(channel.to_owned())
            .bind(*no)
            .fetch_optional(&mut *tx)
            .await?;
            let Some(row) = row else { continue };
            let was = state_of(&row)?;
            let state = move_telling(&mut tx, &row, event, Some(words), now).await?;
            n_given_up += u64::from(was != state && matches!(state, State::GivenUp { .. }));
        }
        tx.commit().await?;
        Ok(n_given_up)
    }

    /// The other side wants nothing more through a channel: what waits is given up, and nothing is written for it any
    /// more.
    pub async fn switch_channel_off(
        &self,
        channel: &str,
        words: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        give_up_all(&mut tx, channel, words, now).await?;
        sqlx::query("UPDATE channels SET off_since_ms = $1, off_words = $2 WHERE name = $3")
            .bind(now.as_ms())
            .bind(words.to_owned())
            .bind(channel.to_owned())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// A channel took a test: it is told again what comes, and at once what waits.
    pub async fn switch_channel_on(&self, channel: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE channels SET off_since_ms = NULL, off_words = NULL WHERE name = $1")
            .bind(channel.to_owned())
            .execute(&mut *tx)
            .await?;
        end_rests(&mut tx, channel, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Writes the second telling of every loss for which nobody has acted for so long. Answers how many.
    pub async fn remind(&self, after: Duration, now: Timestamp) -> Result<u64, StoreError> {
        let due = sqlx::query("SELECT 1 FROM alerts WHERE unacted_ms <= $1 LIMIT 1")
            .bind((now - after).as_ms())
            .fetch_optional(&self.reader)
            .await?;
        if due.is_none() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "SELECT no, subject, body FROM alerts WHERE unacted_ms <= $1 ORDER BY no LIMIT $2",
        )
        .bind((now - after).as_ms())
        .bind(TOGETHER_AT_MOST)
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            sqlx::query("UPDATE alerts SET unacted_ms = NULL WHERE no = $1")
                .bind(number(row, "no")?)
                .execute(&mut *tx)
                .await?;
            let alert: Alert = json(row, "body")?;
            let What::Disconnected { cause, since, .. } = alert.what else {
                continue;
            };
            let new = New {
                what: What::StillDisconnected { cause, since },
                subject: &text(row, "subject")?,
                inbox: alert.inbox,
                at: now,
                due: now,
                since: None,
            };
            write(&mut tx, new).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    /// The last alerts, newest first, with where each stands at each channel.
    pub async fn list_alerts(&self, limit: u32) -> Result<Vec<Listed>, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let alerts = sqlx::query("SELECT no, due_ms, body FROM alerts ORDER BY no DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&mut *reader)
            .await?;
        let mut listed = Vec::new();
        for row in &alerts {
            let rows = sqlx::query(
                "SELECT channel, state, tries, next_at_ms, ended_at_ms, words FROM tellings WHERE alert_no = $1 \
                 ORDER BY channel",
            )
            .bind(number(row, "no")?)
            .fetch_all(&mut *reader)
            .await?;
            let tellings = rows.iter().map(|row| {
                Ok::<_, StoreError>(Telling {
                    channel: text(row, "channel")?,
                    status: state_of(row)?,
                    words: text_or_null(row, "words")?,
                })
            });
            let alert: Alert = json(row, "body")?;
            let words = alert.words();
            listed.push(Listed {
                title: words.title,
                told_from: Timestamp::from_ms(number(row, "due_ms")?),
                tellings: tellings.collect::<Result<_, _>>()?,
                alert,
            });
        }
        Ok(listed)
    }

    /// Every channel, with what waits there and what was given up.
    pub async fn list_channels(&self) -> Result<Vec<Channel>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.name AS name, c.target AS target, c.off_since_ms AS off_since_ms, c.off_words AS off_words, \
             (SELECT CAST(COUNT(*) AS BIGINT) FROM tellings t WHERE t.channel = c.name AND t.state = 'pending') AS waiting, \
             (SELECT CAST(COUNT(*) AS BIGINT) FROM tellings t WHERE t.channel = c.name AND t.state = 'given_up') AS given_up \
             FROM channels c ORDER BY c.name",
        )
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Channel {
                    name: text(row, "name")?,
                    target: text(row, "target")?,
                    off_since: number_or_null(row, "off_since_ms")?.map(Timestamp::from_ms),
                    off_words: text_or_null(row, "off_words")?,
                    waiting: small(row, "waiting")?,
                    given_up: small(row, "given_up")?,
                })
            })
            .collect()
    }
}

/// Lets what rests at a channel be tried at once.
async fn end_rests(
    tx: &mut AnyConnection,
    channel: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE tellings SET next_at_ms = $1 WHERE channel = $2 AND state = 'pending' AND next_at_ms > $1",
    )
    .bind(now.as_ms())
    .bind(channel.to_owned())
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives up everything that waits at a channel.
async fn give_up_all(
    tx: &mut AnyConnection,
    channel: &str,
    words: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {TELLING} WHERE t.channel = $1 AND t.state = 'pending'"
    )))
    .bind(channel.to_owned())
    .fetch_all(&mut *tx)
    .await?;
    for row in &rows {
        move_telling(tx, row, Event::SwitchedOff, Some(words), now).await?;
    }
    Ok(())
}

fn told(row: &AnyRow) -> Result<Told, StoreError> {
    Ok(Told {
        no: number(row, "alert_no")?,
        alert: json(row, "body")?,
    })
}

#[cfg(test)]
mod tests;

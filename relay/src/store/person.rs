//! People: an address is one person, in whatever campaigns it is a lead. An answer stops all of them; who must not be
//! written to any more stands on a list, and is looked up at every claim.

use std::collections::HashMap;

use protocol::delivery::Suppression;
use protocol::id::{CampaignId, LeadId};
use protocol::inbox::Address;
use protocol::request::suppression::{ImportedSuppressions, Suppressed, Whom};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::clocks::Moment;
use super::lead::{parse_why, stop};
use super::{Store, StoreError, number, text, text_or_null};
use crate::text::message::to_listed;

/// Leads of a person or a domain that are stopped in one transaction.
const SLICE: i64 = 100;

/// An address as people are told apart by it: small letters (RFC 5321 §2.4 lets local parts differ by case; nobody's
/// mailbox does), the domain as an A-label.
pub(super) fn person_of(address: &Address) -> String {
    to_listed(address.as_str())
}

/// The domain of a person, as it stands on the list.
pub(super) fn domain_of(person: &str) -> &str {
    person.rsplit_once('@').map_or("", |(_, domain)| domain)
}

impl Store {
    /// Puts a person or a domain on the list, and stops every lead of theirs in a campaign that is started. One that
    /// stands there already keeps its reason. Answers how many leads were stopped.
    pub async fn suppress(&self, whom: &Whom, now: Timestamp) -> Result<u64, StoreError> {
        let why = Suppression::Person;
        let n_stopped = self.put_on(whom, why, now).await?;
        self.note_said(whom, Some(why), now).await;
        Ok(n_stopped)
    }

    /// A person asked not to be written to any more, in whatever campaign. Again changes nothing; `None` where that is
    /// known already.
    pub async fn unsubscribe(
        &self,
        whom: &Whom,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query("SELECT why FROM suppressions WHERE whom = $1")
            .bind(whom.as_str())
            .fetch_optional(&self.reader)
            .await?;
        let known = row.map(|row| parse_why(&text(&row, "why")?)).transpose()?;
        if known.is_some_and(|why| !why.goes_back()) {
            return Ok(None);
        }
        let why = Suppression::Unsubscribed;
        let n_stopped = self.put_on(whom, why, now).await?;
        self.note_said(whom, Some(why), now).await;
        Ok(Some(n_stopped))
    }

    pub(super) async fn put_on(
        &self,
        whom: &Whom,
        why: Suppression,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let moment = self.moment(now);
        let mut tx = self.begin().await?;
        put(&mut tx, whom.as_str(), why, None, moment).await?;
        tx.commit().await?;
        self.stop_all_of(whom, why, moment).await
    }

    /// Puts everybody of a list on the list of those not written to, and stops their leads as [`Store::suppress`] does: in
    /// slices, so that others write in between.
    pub async fn suppress_all(
        &self,
        listed: &[(Whom, Suppression)],
        now: Timestamp,
    ) -> Result<ImportedSuppressions, StoreError> {
        let moment = self.moment(now);
        let mut imported = ImportedSuppressions::default();
        for slice in listed.chunks(super::lead::SLICE) {
            let mut added = Vec::new();
            let mut tx = self.begin().await?;
            for (whom, why) in slice {
                if put(&mut tx, whom.as_str(), *why, None, moment).await? {
                    added.push((whom.clone(), Some(*why)));
                }
            }
            tx.commit().await?;
            imported.added += added.len() as u64;
            imported.already += (slice.len() - added.len()) as u64;
            self.note_all_said(&added, now).await;
            for (whom, why) in slice {
                imported.leads += self.stop_all_of(whom, *why, moment).await?;
            }
        }
        Ok(imported)
    }

    async fn stop_all_of(
        &self,
        whom: &Whom,
        why: Suppression,
        moment: Moment,
    ) -> Result<u64, StoreError> {
        let whom = whom.as_str();
        let column = if whom.contains('@') {
            "person"
        } else {
            "domain"
        };
        let mut n_stopped = 0;
        loop {
            let mut tx = self.begin().await?;
            let leads = list_active(&mut tx, column, whom, SLICE).await?;
            for lead in &leads {
                stop(&mut tx, lead, why, moment).await?;
            }
            tx.commit().await?;
            if leads.is_empty() {
                return Ok(n_stopped);
            }
            n_stopped += leads.len() as u64;
        }
    }

    /// Takes a person or a domain off the list; leads that were stopped stay it. Answers whether it stood there.
    pub async fn allow_again(&self, whom: &Whom, now: Timestamp) -> Result<bool, StoreError> {
        let stood_there = self.take_off(whom, None).await?;
        if stood_there {
            self.note_said(whom, None, now).await;
        }
        Ok(stood_there)
    }

    /// The domain of a person where it stands on the list itself; `None` for a domain.
    pub async fn find_domain_of(&self, whom: &Whom) -> Result<Option<Whom>, StoreError> {
        let row = sqlx::query("SELECT whom FROM suppressions WHERE whom = $1")
            .bind(domain_of(whom.as_str()))
            .fetch_optional(&self.writer)
            .await?;
        let parse = |row: &AnyRow| {
            text(row, "whom")?
                .parse()
                .map_err(|_| StoreError::Corrupt { what: "whom" })
        };
        row.as_ref().map(parse).transpose()
    }

    /// `until` leaves what came on the list later.
    pub(super) async fn take_off(
        &self,
        whom: &Whom,
        until: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM suppressions WHERE whom = $1 AND since_ms <= $2")
            .bind(whom.as_str())
            .bind(until.map_or(i64::MAX, Timestamp::as_ms))
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// All who are not written to.
    pub async fn load_suppressions(&self) -> Result<Suppressions, StoreError> {
        let rows = sqlx::query("SELECT whom, why FROM suppressions")
            .fetch_all(&self.reader)
            .await?;
        let whom = rows
            .iter()
            .map(|row| Ok((text(row, "whom")?, parse_why(&text(row, "why")?)?)));
        Ok(Suppressions(whom.collect::<Result<_, StoreError>>()?))
    }

    /// Who is not written to, by name, behind `after`.
    pub async fn list_suppressed(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Suppressed>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.whom AS whom, s.why AS why, s.since_ms AS since_ms, l.campaign_id AS campaign_id \
             FROM suppressions s LEFT JOIN leads l ON l.id = s.lead_id WHERE s.whom > $1 ORDER BY s.whom LIMIT $2",
        )
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(suppressed_from).collect()
    }
}

/// Who is not written to, and why: people, and whole domains.
#[derive(Clone, Debug, Default)]
pub struct Suppressions(HashMap<String, Suppression>);

impl Suppressions {
    /// People and domains, as they stand on the list.
    pub fn of<const N: usize>(all: [(&str, Suppression); N]) -> Self {
        Self(all.map(|(whom, why)| (whom.to_owned(), why)).into())
    }

    /// Why this address is not written to; `None` where it may be.
    pub fn find(&self, address: &Address) -> Option<Suppression> {
        let person = person_of(address);
        self.0
            .get(&person)
            .or_else(|| self.0.get(domain_of(&person)))
            .copied()
    }
}

fn suppressed_from(row: &AnyRow) -> Result<Suppressed, StoreError> {
    Ok(Suppressed {
        whom: text(row, "whom")?
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "whom" })?,
        why: parse_why(&text(row, "why")?)?,
        since: Timestamp::from_ms(number(row, "since_ms")?),
        campaign: text_or_null(row, "campaign_id")?.map(CampaignId::new),
    })
}

/// The person answered: every other lead of theirs in a campaign that is started is stopped as this one was.
pub(super) async fn stop_others(
    tx: &mut AnyConnection,
    lead: &LeadId,
    why: Suppression,
    now: Moment,
) -> Result<(), StoreError> {
    let person = load_person(tx, lead).await?;
    for other in list_active(tx, "person", &person, i64::from(i32::MAX)).await? {
        if other != *lead && stop(tx, &other, why, now).await? {
            tracing::info!(lead = %other, ?why, "the same person in another campaign: stopped too");
        }
    }
    // What has ended otherwise is not put back either.
    sqlx::query(
        "UPDATE leads SET heard = $1 WHERE person = $2 AND state NOT IN ('active', 'paused') AND heard IS NULL \
         AND campaign_id IN (SELECT c.id FROM campaigns c WHERE c.state <> 'draft')",
    )
    .bind(why.code())
    .bind(person)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The person is not written to any more, in whatever campaign, because of what this lead met.
pub(super) async fn note_suppressed(
    tx: &mut AnyConnection,
    lead: &LeadId,
    why: Suppression,
    now: Moment,
) -> Result<(), StoreError> {
    let person = load_person(tx, lead).await?;
    put(tx, &person, why, Some(lead), now).await?;
    Ok(())
}

/// What this lead met was not its own: what stands on the list because of it is taken off.
pub(super) async fn forget_suppressed(
    tx: &mut AnyConnection,
    lead: &LeadId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM suppressions WHERE lead_id = $1 AND why = 'bounced'")
        .bind(lead.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// Answers whether the list did not say so.
async fn put(
    tx: &mut AnyConnection,
    whom: &str,
    why: Suppression,
    lead: Option<&LeadId>,
    now: Moment,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        // What a bounce said is taken back with it; what the person or somebody else said is not.
        "INSERT INTO suppressions (whom, why, since_ms, lead_id) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (whom) DO UPDATE SET why = excluded.why, since_ms = excluded.since_ms, lead_id = excluded.lead_id \
         WHERE suppressions.why = 'bounced' AND excluded.why <> 'bounced'",
    )
    .bind(whom.to_owned())
    .bind(why.code())
    .bind(now.at.as_ms())
    .bind(lead.map(ToString::to_string))
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

async fn load_person(tx: &mut AnyConnection, lead: &LeadId) -> Result<String, StoreError> {
    let row = sqlx::query("SELECT person FROM leads WHERE id = $1")
        .bind(lead.to_string())
        .fetch_one(tx)
        .await?;
    text(&row, "person")
}

/// Leads that are active in a campaign that is started and not over. `column` is `person` or `domain`.
async fn list_active(
    tx: &mut AnyConnection,
    column: &'static str,
    whom: &str,
    limit: i64,
) -> Result<Vec<LeadId>, StoreError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT l.id AS id FROM leads l JOIN campaigns c ON c.id = l.campaign_id \
         WHERE l.{column} = $1 AND l.state IN ('active', 'paused') AND c.state IN ('running', 'paused') \
         AND l.position <= c.leads_up_to LIMIT $2"
    )))
    .bind(whom.to_owned())
    .bind(limit)
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| Ok(LeadId::new(text(row, "id")?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_the_same_however_the_address_is_written() {
        for (written, person) in [
            ("ann@a.example", "ann@a.example"),
            ("Ann@A.Example", "ann@a.example"),
            ("ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("ANN@BÜCHER.example", "ann@xn--bcher-kva.example"),
            ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
            ("ann+news@a.example", "ann+news@a.example"),
            ("jürg@bücher.example", "jürg@xn--bcher-kva.example"),
        ] {
            assert_eq!(person_of(&written.parse().unwrap()), person, "{written}");
        }
        assert_eq!(domain_of("ann@a.example"), "a.example");
    }
}

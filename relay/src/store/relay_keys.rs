//! The relay's own keys as the database keeps them, and what is sealed under them: which values still name another key
//! than the one of now, and putting the resealed ones in their place.

use protocol::renewal::Renewal;
use protocol::sealed::RelayKey;
use protocol::signed::VerifyingKey;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::access::Purpose;
use super::{KEY_NOTE, Store, StoreError, number, number_or_null, text, text_or_null};
use crate::secret::{Kept, KeptAtRest, KeptGeneration, Sealed};

/// Where values lie that are sealed at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Credentials of an inbox.
    Inbox,
    /// What a reconnect under way holds.
    Reconnect,
    /// What a visit at a provider waits with.
    Visit,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Inbox, Self::Reconnect, Self::Visit];

    /// The values there that do not begin with `$1`: under which name each was sealed, and the value. What a reconnect
    /// keeps of an outage is an object of JSON, and no sealed value.
    fn others(self) -> &'static str {
        match self {
            Self::Inbox => {
                "SELECT id AS place_id, id AS owner, credentials AS sealed FROM inboxes \
                 WHERE credentials IS NOT NULL AND SUBSTR(credentials, 1, LENGTH($1)) <> $1"
            }
            Self::Reconnect => {
                "SELECT id AS place_id, id AS owner, payload AS sealed FROM reconnects \
                 WHERE is_open = 1 AND payload IS NOT NULL AND SUBSTR(payload, 1, 1) <> '{' \
                 AND SUBSTR(payload, 1, LENGTH($1)) <> $1"
            }
            Self::Visit => {
                "SELECT hash AS place_id, reconnect_id AS owner, payload AS sealed FROM hosted_visits \
                 WHERE payload IS NOT NULL AND SUBSTR(payload, 1, LENGTH($1)) <> $1"
            }
        }
    }

    /// Puts `$1` in the place of `$3` at `$2`, and changes nothing where something else is there by then.
    fn exchange(self) -> &'static str {
        match self {
            Self::Inbox => "UPDATE inboxes SET credentials = $1 WHERE id = $2 AND credentials = $3",
            Self::Reconnect => "UPDATE reconnects SET payload = $1 WHERE id = $2 AND payload = $3",
            Self::Visit => "UPDATE hosted_visits SET payload = $1 WHERE hash = $2 AND payload = $3",
        }
    }
}

/// A sealed value that names another key than the one of now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SealedValue {
    /// Where it lies.
    pub place: Place,
    /// Which row has it.
    pub id: String,
    /// Whose it is, as its context names it.
    pub owner: String,
    /// The value.
    pub sealed: String,
}

impl Store {
    /// What is kept of the keys; nothing before the first start of a version that keeps them.
    pub async fn load_kept(&self) -> Result<Kept, StoreError> {
        let at_rest =
            sqlx::query("SELECT id, begun_at_ms, sealed FROM keys_at_rest ORDER BY number")
                .fetch_all(&self.reader)
                .await?;
        let generations = sqlx::query(
            "SELECT number, signing_key, sealing_key, sealed, begun_at_ms, ends_at_ms, statement, signature \
             FROM relay_keys ORDER BY number",
        )
        .fetch_all(&self.reader)
        .await?;
        let at_rest = at_rest.iter().map(|row| {
            Ok(KeptAtRest {
                id: text(row, "id")?,
                begun_at: Timestamp::from_ms(number(row, "begun_at_ms")?),
                sealed: text_or_null(row, "sealed")?,
            })
        });
        Ok(Kept {
            at_rest: at_rest.collect::<Result<_, StoreError>>()?,
            generations: generations
                .iter()
                .map(generation)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Keeps the first keys of a database, and notes which key file it needs.
    pub async fn begin_kept(&self, kept: &Kept) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(KEY_NOTE)
            .bind(kept.id().to_owned())
            .execute(&mut *tx)
            .await?;
        put(&mut tx, kept).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Keeps other keys than before: from this commit on the database needs their key file. Pairing links name the key
    /// by which the relay was known when they were made, so they end.
    pub async fn renew_kept(&self, kept: &Kept) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE meta SET value = $1 WHERE name = $2")
            .bind(kept.id().to_owned())
            .bind(KEY_NOTE)
            .execute(&mut *tx)
            .await?;
        put(&mut tx, kept).await?;
        sqlx::query("DELETE FROM codes WHERE purpose = $1")
            .bind(Purpose::Pairing.name())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Keeps less than before of the same keys.
    pub async fn update_kept(&self, kept: &Kept) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        overwrite(&mut tx, true).await?;
        put(&mut tx, kept).await?;
        overwrite(&mut tx, false).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Does the same once no value is left that another key opens, but for so many that none does; `false` where more
    /// are there.
    pub async fn end_resealing(
        &self,
        kept: &Kept,
        prefix: &str,
        n_unopened: u64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if count_others(&mut tx, prefix).await? > n_unopened {
            return Ok(false);
        }
        overwrite(&mut tx, true).await?;
        put(&mut tx, kept).await?;
        overwrite(&mut tx, false).await?;
        tx.commit().await?;
        // What was overwritten is not to stay in the log either. Where somebody reads in it now, it goes later.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&self.writer)
            .await?;
        Ok(true)
    }

    /// How many sealed values do not begin with `prefix`.
    pub async fn count_sealed_otherwise(&self, prefix: &str) -> Result<u64, StoreError> {
        count_others(&mut *self.reader.acquire().await?, prefix).await
    }

    /// Some of the values there that do not begin with `prefix`, from behind the row `after`, in the order of the rows.
    pub async fn list_sealed_otherwise(
        &self,
        place: Place,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<SealedValue>, StoreError> {
        let statement = format!(
            "SELECT place_id, owner, sealed FROM ({}) AS others WHERE place_id > $2 ORDER BY place_id LIMIT $3",
            place.others()
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(prefix.to_owned())
            .bind(after.to_owned())
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        let value = |row: &AnyRow| {
            Ok(SealedValue {
                place,
                id: text(row, "place_id")?,
                owner: text(row, "owner")?,
                sealed: text(row, "sealed")?,
            })
        };
        rows.iter().map(value).collect()
    }

    /// Puts values in the place of those that they were resealed from. What has changed meanwhile stays as it is; a fence
    /// stays in any case, since nothing else has changed.
    pub async fn reseal(&self, values: &[(SealedValue, Sealed)]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        overwrite(&mut tx, true).await?;
        for (value, resealed) in values {
            sqlx::query(value.place.exchange())
                .bind(resealed.to_string())
                .bind(value.id.clone())
                .bind(value.sealed.clone())
                .execute(&mut *tx)
                .await?;
        }
        overwrite(&mut tx, false).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Whether what is deleted is overwritten wherever it lay, also where that costs a write of its own (SQLite, "PRAGMA
/// `secure_delete`").
async fn overwrite(tx: &mut AnyConnection, everywhere: bool) -> Result<(), StoreError> {
    let pragma = if everywhere {
        "PRAGMA secure_delete = ON"
    } else {
        "PRAGMA secure_delete = FAST"
    };
    sqlx::query(pragma).execute(tx).await?;
    Ok(())
}

async fn count_others(connection: &mut AnyConnection, prefix: &str) -> Result<u64, StoreError> {
    let mut count = 0;
    for place in Place::ALL {
        let statement = format!("SELECT COUNT(*) AS n FROM ({}) AS others", place.others());
        let row = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(prefix.to_owned())
            .fetch_one(&mut *connection)
            .await?;
        count += u64::try_from(number(&row, "n")?).unwrap_or_default();
    }
    Ok(count)
}

/// The rows are few and change together.
async fn put(tx: &mut AnyConnection, kept: &Kept) -> Result<(), StoreError> {
    for statement in ["DELETE FROM keys_at_rest", "DELETE FROM relay_keys"] {
        sqlx::query(statement).execute(&mut *tx).await?;
    }
    for (number, key) in (1_i64..).zip(&kept.at_rest) {
        sqlx::query(
            "INSERT INTO keys_at_rest (id, number, begun_at_ms, sealed) VALUES ($1, $2, $3, $4)",
        )
        .bind(key.id.clone())
        .bind(number)
        .bind(key.begun_at.as_ms())
        .bind(key.sealed.clone())
        .execute(&mut *tx)
        .await?;
    }
    for one in &kept.generations {
        let renewal = one.renewal.as_ref();
        sqlx::query(
            "INSERT INTO relay_keys \
             (number, signing_key, sealing_key, sealed, begun_at_ms, ends_at_ms, statement, signature) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(one.number)
        .bind(one.signing.to_string())
        .bind(one.sealing.to_string())
        .bind(one.sealed.clone())
        .bind(one.begun_at.as_ms())
        .bind(one.ends_at.map(Timestamp::as_ms))
        .bind(renewal.map(|renewal| renewal.statement.clone()))
        .bind(renewal.map(|renewal| renewal.signature.clone()))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

fn generation(row: &AnyRow) -> Result<KeptGeneration, StoreError> {
    let corrupt = |what| StoreError::Corrupt { what };
    let signing = VerifyingKey::try_from(text(row, "signing_key")?);
    let sealing = RelayKey::parse(&text(row, "sealing_key")?);
    let renewal = text_or_null(row, "statement")?.zip(text_or_null(row, "signature")?);
    Ok(KeptGeneration {
        number: number(row, "number")?,
        signing: signing.map_err(|_| corrupt("signing_key"))?,
        sealing: sealing.ok_or_else(|| corrupt("sealing_key"))?,
        sealed: text_or_null(row, "sealed")?,
        begun_at: Timestamp::from_ms(number(row, "begun_at_ms")?),
        ends_at: number_or_null(row, "ends_at_ms")?.map(Timestamp::from_ms),
        renewal: renewal.map(|(statement, signature)| Renewal {
            statement,
            signature,
        }),
    })
}

//! Passkeys: whose each is, and what is kept of it. What one signed is read and checked elsewhere.

use protocol::account::AccountName;
use protocol::id::{AccountId, PasskeyId, SessionId};
use protocol::request::passkey::{PASSKEYS_AT_MOST, Passkey};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::access::Doors;
use super::conflict::Conflict;
use super::session::{Session, put_session};
use super::shut::Admission;
use super::{StoreError, number, number_or_null, text};

/// A passkey that is to be kept.
#[derive(Clone, Debug)]
pub struct NewPasskey<'a> {
    /// As it is listed.
    pub listed: Passkey,
    /// As its authenticator calls it.
    pub credential_id: &'a str,
    /// Its public key.
    pub public_key: String,
    /// How often it has signed.
    pub counter: u32,
}

/// A passkey that somebody came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPasskey {
    /// Its name in the API.
    pub id: PasskeyId,
    /// Whose it is.
    pub account: AccountId,
    /// What that account is called.
    pub name: AccountName,
    /// Its public key.
    pub public_key: String,
    /// How often it has signed.
    pub counter: u32,
}

/// A use of a passkey that was right.
#[derive(Clone, Copy, Debug)]
pub struct PasskeyUse<'a> {
    /// The passkey as it was found.
    pub found: &'a FoundPasskey,
    /// How often it has signed, with this one.
    pub counter: u32,
    /// When.
    pub at: Timestamp,
}

impl Doors {
    /// Keeps a passkey of an account.
    pub async fn create_passkey(
        &self,
        of: &AccountId,
        new: &NewPasskey<'_>,
    ) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        if count(&mut tx, of).await? >= i64::from(PASSKEYS_AT_MOST) {
            return Err(Conflict::TooManyPasskeys.into());
        }
        let known = sqlx::query("SELECT 1 FROM passkeys WHERE credential_id = $1")
            .bind(new.credential_id.to_owned())
            .fetch_optional(&mut *tx)
            .await?;
        if known.is_some() {
            return Err(Conflict::PasskeyKnown.into());
        }
        sqlx::query(
            "INSERT INTO passkeys (id, account_id, name, credential_id, public_key, counter, made_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(new.listed.id.to_string())
        .bind(of.to_string())
        .bind(new.listed.name.clone())
        .bind(new.credential_id.to_owned())
        .bind(new.public_key.clone())
        .bind(i64::from(new.counter))
        .bind(new.listed.made_at.as_ms())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The passkeys of an account, oldest first.
    pub async fn list_passkeys(&self, of: &AccountId) -> Result<Vec<Passkey>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, made_at_ms, used_at_ms FROM passkeys WHERE account_id = $1 ORDER BY made_at_ms, id",
        )
        .bind(of.to_string())
        .fetch_all(&self.0.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Passkey {
                    id: PasskeyId::new(text(row, "id")?),
                    name: text(row, "name")?,
                    made_at: Timestamp::from_ms(number(row, "made_at_ms")?),
                    used_at: number_or_null(row, "used_at_ms")?.map(Timestamp::from_ms),
                })
            })
            .collect()
    }

    /// What the authenticators of an account call its passkeys, the one that was used last first.
    pub async fn list_credentials(&self, of: &AccountId) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT credential_id FROM passkeys WHERE account_id = $1 ORDER BY COALESCE(used_at_ms, 0) DESC, id",
        )
        .bind(of.to_string())
        .fetch_all(&self.0.reader)
        .await?;
        rows.iter().map(|row| text(row, "credential_id")).collect()
    }

    /// The passkey that its authenticator calls so.
    pub async fn find_passkey(
        &self,
        credential_id: &str,
    ) -> Result<Option<FoundPasskey>, StoreError> {
        let row = sqlx::query(
            "SELECT p.id AS id, p.account_id AS account_id, a.name AS name, p.public_key AS public_key, \
             p.counter AS counter FROM passkeys p JOIN accounts a ON a.id = p.account_id WHERE p.credential_id = $1",
        )
        .bind(credential_id.to_owned())
        .fetch_optional(&self.0.reader)
        .await?;
        row.as_ref().map(found_from).transpose()
    }

    /// Begins a session of somebody whose passkey was right. `false`: it was removed, or has signed something else
    /// meanwhile.
    pub async fn begin_session_by_passkey(
        &self,
        used: PasskeyUse<'_>,
        token: &Secret,
        session: &Session,
    ) -> Result<bool, StoreError> {
        let mut tx = self.0.begin().await?;
        if !note_use(&mut tx, used).await? {
            return Ok(false);
        }
        put_session(&mut tx, token, session, &used.found.account).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Notes that a passkey was right within a session, which is proved by it. `false` as above.
    pub async fn prove_by_passkey(
        &self,
        used: PasskeyUse<'_>,
        session: &SessionId,
    ) -> Result<bool, StoreError> {
        let mut tx = self.0.begin().await?;
        if !note_use(&mut tx, used).await? {
            return Ok(false);
        }
        put_proof(&mut tx, session, used.at).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a passkey of an account. Where that has no password, its last passkey stays.
    pub async fn delete_passkey(&self, id: &PasskeyId, of: &AccountId) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        let deleted = sqlx::query("DELETE FROM passkeys WHERE id = $1 AND account_id = $2")
            .bind(id.to_string())
            .bind(of.to_string())
            .execute(&mut *tx)
            .await?;
        if deleted.rows_affected() == 0 {
            return Err(StoreError::NotFound {
                what: "passkey",
                id: id.to_string(),
            });
        }
        let has_password =
            sqlx::query("SELECT 1 FROM accounts WHERE id = $1 AND password IS NOT NULL")
                .bind(of.to_string())
                .fetch_optional(&mut *tx)
                .await?;
        if has_password.is_none() && count(&mut tx, of).await? == 0 {
            return Err(Conflict::LastPasskey.into());
        }
        tx.commit().await?;
        let removed = id.clone();
        self.0.note_admission(Admission::Passkey { removed }).await;
        Ok(())
    }
}

/// How many passkeys an account has.
pub(super) async fn count(tx: &mut AnyConnection, of: &AccountId) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM passkeys WHERE account_id = $1")
        .bind(of.to_string())
        .fetch_one(tx)
        .await?;
    number(&row, "n")
}

/// Notes that a session was proved.
pub(super) async fn put_proof(
    tx: &mut AnyConnection,
    session: &SessionId,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE sessions SET proved_at_ms = $2 WHERE id = $1")
        .bind(session.to_string())
        .bind(at.as_ms())
        .execute(tx)
        .await?;
    Ok(())
}

/// Of two uses that were made from the same counter, one is right.
async fn note_use(tx: &mut AnyConnection, used: PasskeyUse<'_>) -> Result<bool, StoreError> {
    let noted = sqlx::query(
        "UPDATE passkeys SET counter = $3, used_at_ms = $4 WHERE id = $1 AND counter = $2",
    )
    .bind(used.found.id.to_string())
    .bind(i64::from(used.found.counter))
    .bind(i64::from(used.counter))
    .bind(used.at.as_ms())
    .execute(tx)
    .await?;
    Ok(noted.rows_affected() == 1)
}

fn found_from(row: &AnyRow) -> Result<FoundPasskey, StoreError> {
    let corrupt = |what| StoreError::Corrupt { what };
    Ok(FoundPasskey {
        id: PasskeyId::new(text(row, "id")?),
        account: AccountId::new(text(row, "account_id")?),
        name: AccountName::try_from(text(row, "name")?).map_err(|_| corrupt("name"))?,
        public_key: text(row, "public_key")?,
        counter: u32::try_from(number(row, "counter")?).map_err(|_| corrupt("counter"))?,
    })
}

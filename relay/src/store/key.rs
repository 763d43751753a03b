//! API keys: whose each is, what it may be used for, until when. Only hashes of keys are kept.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::account::AccountName;
use protocol::id::{AccountId, KeyId};
use protocol::key::{Scope, read_scopes, write_scopes};
use protocol::request::key::ListedKey;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use sqlx::any::AnyRow;

use super::access::{Doors, all_or};
use super::account::{Holder, role_of};
use super::conflict::Conflict;
use super::{StoreError, number, number_or_null, text, text_or_null};
use crate::secret::hash;

/// How exactly the last use is known: a key that is used all the time is not written all the time.
const USE_NOTED_EVERY: Duration = Duration::from_mins(1);
/// The most keys that one account has.
pub(super) const KEYS_AT_MOST: i64 = 50;

/// A key that is to be kept.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Its name in the API.
    pub id: KeyId,
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
    /// When it is made.
    pub made_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// A key that somebody came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// Its name in the API.
    pub id: KeyId,
    /// Whose it is.
    pub holder: Holder,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
    /// When it ends; it may have.
    pub ends_at: Timestamp,
}

impl Doors {
    /// Keeps a key of an account.
    pub async fn create_key(
        &self,
        of: &AccountId,
        key: &Secret,
        new: &NewApiKey,
    ) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        let row = sqlx::query("SELECT COUNT(*) AS n FROM api_keys WHERE account_id = $1")
            .bind(of.to_string())
            .fetch_one(&mut *tx)
            .await?;
        if number(&row, "n")? >= KEYS_AT_MOST {
            return Err(Conflict::TooManyKeys {
                at_most: KEYS_AT_MOST,
            }
            .into());
        }
        sqlx::query(
            "INSERT INTO api_keys (id, name, key_hash, account_id, scopes, made_at_ms, ends_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(new.id.to_string())
        .bind(new.name.clone())
        .bind(hash(key))
        .bind(of.to_string())
        .bind(write_scopes(&new.scopes))
        .bind(new.made_at.as_ms())
        .bind(new.ends_at.as_ms())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The key that somebody came with from there, which uses it unless it has ended; `None` where it is not known.
    pub async fn find_key(
        &self,
        key: &Secret,
        from: &str,
        now: Timestamp,
    ) -> Result<Option<FoundKey>, StoreError> {
        let row = sqlx::query(
            "SELECT k.id AS id, k.scopes AS scopes, k.ends_at_ms AS ends_at_ms, k.used_at_ms AS used_at_ms, \
             k.used_from AS used_from, a.id AS account_id, a.role AS role \
             FROM api_keys k JOIN accounts a ON a.id = k.account_id WHERE k.key_hash = $1",
        )
        .bind(hash(key))
        .fetch_optional(&self.0.reader)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let found = FoundKey {
            id: KeyId::new(text(&row, "id")?),
            holder: Holder {
                account: AccountId::new(text(&row, "account_id")?),
                role: role_of(&row)?,
            },
            scopes: scopes_of(&row)?,
            ends_at: Timestamp::from_ms(number(&row, "ends_at_ms")?),
        };
        let used_at = number_or_null(&row, "used_at_ms")?.map(Timestamp::from_ms);
        let is_noted = used_at.is_some_and(|used_at| now.since(used_at) < USE_NOTED_EVERY)
            && text_or_null(&row, "used_from")?.as_deref() == Some(from);
        if now < found.ends_at && !is_noted {
            sqlx::query("UPDATE api_keys SET used_at_ms = $1, used_from = $2 WHERE id = $3")
                .bind(now.as_ms())
                .bind(from.to_owned())
                .bind(found.id.to_string())
                .execute(&self.0.writer)
                .await?;
        }
        Ok(Some(found))
    }

    /// The keys of an account, or all, newest first.
    pub async fn list_keys(&self, of: Option<&AccountId>) -> Result<Vec<ListedKey>, StoreError> {
        let rows = sqlx::query(
            "SELECT k.id AS id, k.name AS name, k.scopes AS scopes, k.made_at_ms AS made_at_ms, \
             k.ends_at_ms AS ends_at_ms, k.used_at_ms AS used_at_ms, k.used_from AS used_from, a.name AS account \
             FROM api_keys k JOIN accounts a ON a.id = k.account_id WHERE $1 = '' OR k.account_id = $1 \
             ORDER BY k.made_at_ms DESC, k.id",
        )
        .bind(all_or(of))
        .fetch_all(&self.0.reader)
        .await?;
        rows.iter().map(listed_from).collect()
    }

    /// Ends a key, of an account or whoever's: it lets nobody in from then on.
    pub async fn delete_key(&self, id: &KeyId, of: Option<&AccountId>) -> Result<(), StoreError> {
        let deleted =
            sqlx::query("DELETE FROM api_keys WHERE id = $1 AND ($2 = '' OR account_id = $2)")
                .bind(id.to_string())
                .bind(all_or(of))
                .execute(&self.0.writer)
                .await?;
        if deleted.rows_affected() == 0 {
            return Err(StoreError::NotFound {
                what: "key",
                id: id.to_string(),
            });
        }
        Ok(())
    }

    /// Ends all keys, and says how many there were.
    pub async fn delete_keys(&self) -> Result<u64, StoreError> {
        let deleted = sqlx::query("DELETE FROM api_keys")
            .execute(&self.0.writer)
            .await?;
        Ok(deleted.rows_affected())
    }
}

fn scopes_of(row: &AnyRow) -> Result<BTreeSet<Scope>, StoreError> {
    read_scopes(&text(row, "scopes")?).map_err(|_| StoreError::Corrupt { what: "scopes" })
}

fn listed_from(row: &AnyRow) -> Result<ListedKey, StoreError> {
    let account = AccountName::try_from(text(row, "account")?);
    Ok(ListedKey {
        id: KeyId::new(text(row, "id")?),
        name: text(row, "name")?,
        account: account.map_err(|_| StoreError::Corrupt { what: "name" })?,
        scopes: scopes_of(row)?,
        made_at: Timestamp::from_ms(number(row, "made_at_ms")?),
        ends_at: Timestamp::from_ms(number(row, "ends_at_ms")?),
        used_at: number_or_null(row, "used_at_ms")?.map(Timestamp::from_ms),
        used_from: text_or_null(row, "used_from")?,
    })
}

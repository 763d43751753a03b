//! Sessions of the dashboard: who is signed in, since when, from where. Only hashes of their tokens are kept.

use std::time::Duration;

use protocol::account::AccountName;
use protocol::id::{AccountId, SessionId};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::access::{Doors, Purpose, all_or, use_up};
use super::account::{Holder, role_of};
use super::{StoreError, number, text, text_or_null};
use crate::secret::hash;

/// How exactly the last use is known: a session that is used all the time is not written all the time.
const USE_NOTED_EVERY: Duration = Duration::from_mins(1);

/// The most sessions of an account: the ones that were used last go on.
pub(super) const SESSIONS_AT_MOST: i64 = 50;

/// The session that somebody came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSession {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub holder: Holder,
    /// When that was last proved.
    pub proved_at: Timestamp,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// When it began.
    pub made_at: Timestamp,
    /// When it was last used, to the minute.
    pub used_at: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
    /// The address that it began from.
    pub peer: String,
    /// What the browser said of itself.
    pub browser: Option<String>,
}

impl Doors {
    /// Uses a login code up for this session with this token, and answers whose it is. `None`: the code is unknown, used
    /// or over.
    pub async fn create_session(
        &self,
        code: &Secret,
        token: &Secret,
        session: &Session,
    ) -> Result<Option<AccountId>, StoreError> {
        let now = session.made_at;
        if self.find_code(Purpose::Login, code, now).await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.0.begin().await?;
        let Some(account) = use_up(&mut tx, Purpose::Login, code, now).await? else {
            return Ok(None);
        };
        put_session(&mut tx, token, session, &account).await?;
        tx.commit().await?;
        Ok(Some(account))
    }

    /// Begins a session of somebody whose password was right. `false`: it was changed meanwhile, or the account is gone.
    pub async fn begin_session(
        &self,
        account: &AccountId,
        password: &str,
        token: &Secret,
        session: &Session,
    ) -> Result<bool, StoreError> {
        let mut tx = self.0.begin().await?;
        let still = sqlx::query("SELECT 1 FROM accounts WHERE id = $1 AND password = $2")
            .bind(account.to_string())
            .bind(password.to_owned())
            .fetch_optional(&mut *tx)
            .await?;
        if still.is_none() {
            return Ok(false);
        }
        put_session(&mut tx, token, session, account).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The session that has this token, which uses it, and whose it is; `None` where it is over, or was not used for as
    /// long as `idle`.
    pub async fn find_session(
        &self,
        token: &Secret,
        now: Timestamp,
        idle: Duration,
    ) -> Result<Option<FoundSession>, StoreError> {
        let row = sqlx::query(
            "SELECT s.id AS id, s.used_at_ms AS used_at_ms, s.proved_at_ms AS proved_at_ms, a.id AS account_id, a.role AS role \
             FROM sessions s JOIN accounts a ON a.id = s.account_id \
             WHERE s.token_hash = $1 AND s.expires_at_ms > $2 AND s.used_at_ms > $3",
        )
        .bind(hash(token))
        .bind(now.as_ms())
        .bind((now - idle).as_ms())
        .fetch_optional(&self.0.reader)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let (id, used_at) = (
            text(&row, "id")?,
            Timestamp::from_ms(number(&row, "used_at_ms")?),
        );
        if now.since(used_at) >= USE_NOTED_EVERY {
            sqlx::query("UPDATE sessions SET used_at_ms = $1 WHERE id = $2 AND used_at_ms < $1")
                .bind(now.as_ms())
                .bind(id.clone())
                .execute(&self.0.writer)
                .await?;
        }
        let holder = Holder {
            account: AccountId::new(text(&row, "account_id")?),
            role: role_of(&row)?,
        };
        Ok(Some(FoundSession {
            id: SessionId::new(id),
            holder,
            proved_at: Timestamp::from_ms(number(&row, "proved_at_ms")?),
        }))
    }

    /// The sessions of an account, or all, that let somebody in now, with the account's name, the one used last first.
    pub async fn list_sessions(
        &self,
        of: Option<&AccountId>,
        now: Timestamp,
        idle: Duration,
    ) -> Result<Vec<(Session, AccountName)>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.id AS id, s.made_at_ms AS made_at_ms, s.used_at_ms AS used_at_ms, \
             s.expires_at_ms AS expires_at_ms, s.peer AS peer, s.browser AS browser, a.name AS account \
             FROM sessions s JOIN accounts a ON a.id = s.account_id \
             WHERE s.expires_at_ms > $1 AND s.used_at_ms > $2 AND ($3 = '' OR s.account_id = $3) \
             ORDER BY s.used_at_ms DESC, s.id",
        )
        .bind(now.as_ms())
        .bind((now - idle).as_ms())
        .bind(all_or(of))
        .fetch_all(&self.0.reader)
        .await?;
        rows.iter()
            .map(|row| {
                let account = AccountName::try_from(text(row, "account")?);
                let account = account.map_err(|_| StoreError::Corrupt { what: "name" })?;
                Ok((from_row(row)?, account))
            })
            .collect()
    }

    /// Ends a session, of an account or whoever's; its token lets nobody in from then on.
    pub async fn delete_session(
        &self,
        id: &SessionId,
        of: Option<&AccountId>,
    ) -> Result<(), StoreError> {
        let deleted =
            sqlx::query("DELETE FROM sessions WHERE id = $1 AND ($2 = '' OR account_id = $2)")
                .bind(id.to_string())
                .bind(all_or(of))
                .execute(&self.0.writer)
                .await?;
        if deleted.rows_affected() == 0 {
            return Err(StoreError::NotFound {
                what: "session",
                id: id.to_string(),
            });
        }
        Ok(())
    }

    /// Ends all sessions of an account, or all, and says how many there were.
    pub async fn delete_sessions(&self, of: Option<&AccountId>) -> Result<u64, StoreError> {
        let deleted = sqlx::query("DELETE FROM sessions WHERE $1 = '' OR account_id = $1")
            .bind(all_or(of))
            .execute(&self.0.writer)
            .await?;
        Ok(deleted.rows_affected())
    }

    /// Ends all sessions, and the links for signing in and for a password that wait to be used: somebody else may have had
    /// the relay's address meanwhile, and what browsers send there. A pairing code is sent nowhere.
    pub async fn end_what_others_may_have(&self) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        sqlx::query("DELETE FROM sessions")
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM codes WHERE purpose <> $1")
            .bind(Purpose::Pairing.name())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Writes a session, proved as it begins, and drops those whose time is over and the idlest ones of an account that has
/// too many.
pub(super) async fn put_session(
    tx: &mut AnyConnection,
    token: &Secret,
    session: &Session,
    account: &AccountId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sessions WHERE expires_at_ms <= $1")
        .bind(session.made_at.as_ms())
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "DELETE FROM sessions WHERE account_id = $1 AND id NOT IN (SELECT id FROM sessions WHERE account_id = $1 \
         ORDER BY used_at_ms DESC, made_at_ms DESC, id LIMIT $2)",
    )
    .bind(account.to_string())
    .bind(SESSIONS_AT_MOST - 1)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO sessions (id, token_hash, made_at_ms, used_at_ms, expires_at_ms, peer, browser, account_id, \
         proved_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $3)",
    )
    .bind(session.id.to_string())
    .bind(hash(token))
    .bind(session.made_at.as_ms())
    .bind(session.used_at.as_ms())
    .bind(session.expires_at.as_ms())
    .bind(session.peer.clone())
    .bind(session.browser.clone())
    .bind(account.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

fn from_row(row: &AnyRow) -> Result<Session, StoreError> {
    Ok(Session {
        id: SessionId::new(text(row, "id")?),
        made_at: Timestamp::from_ms(number(row, "made_at_ms")?),
        used_at: Timestamp::from_ms(number(row, "used_at_ms")?),
        expires_at: Timestamp::from_ms(number(row, "expires_at_ms")?),
        peer: text(row, "peer")?,
        browser: text_or_null(row, "browser")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store::Store;
    use crate::store::access::NewCode;
    use crate::store::tests::open_older;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_ms(minutes * 60_000)
    }

    fn session(name: &str, made_at: Timestamp) -> Session {
        Session {
            id: SessionId::new(format!("ses_{name}")),
            made_at,
            used_at: made_at,
            expires_at: made_at + 5 * HOUR,
            peer: "127.0.0.1".to_owned(),
            browser: Some("Firefox".to_owned()),
        }
    }

    async fn sign_in(store: &Store, name: &str, made_at: Timestamp) -> Secret {
        let (code, token) = (Secret::new(format!("code {name}")), Secret::new(name));
        let doors = store.doors();
        let new = NewCode {
            purpose: Purpose::Login,
            code: &code,
            account: &doors.first_owner().await.unwrap(),
            expires_at: made_at + HOUR,
        };
        doors.create_code(new, made_at).await.unwrap();
        let session = session(name, made_at);
        let made = doors.create_session(&code, &token, &session).await;
        assert!(made.unwrap().is_some());
        token
    }

    #[tokio::test]
    async fn a_session_lasts_while_it_is_used_and_no_longer_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.db");
        let store = Store::open(&path, &Clock::system()).await.unwrap();
        let used = sign_in(&store, "used", at(0)).await;
        let idle = sign_in(&store, "idle", at(0)).await;
        let find = async |token: &Secret, minute| {
            let found = store
                .doors()
                .find_session(token, at(minute), HOUR)
                .await
                .unwrap();
            found.map(|found| found.id.to_string())
        };
        for minute in [1, 59, 118, 177, 236, 295, 299] {
            assert_eq!(
                find(&used, minute).await.as_deref(),
                Some("ses_used"),
                "{minute}"
            );
        }
        assert_eq!(find(&idle, 60).await, None, "an hour without use");
        assert_eq!(find(&used, 300).await, None, "five hours at the most");
        let listed = store
            .doors()
            .list_sessions(None, at(299), HOUR)
            .await
            .unwrap();
        let expected = Session {
            used_at: at(299),
            ..session("used", at(0))
        };
        assert_eq!(listed, [(expected, "owner".parse().unwrap())]);
        store.close().await;
    }

    #[tokio::test]
    async fn a_session_is_ended_singly_and_all_are_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.db");
        let store = Store::open(&path, &Clock::system()).await.unwrap();
        let mut tokens = Vec::new();
        for name in ["one", "two", "three"] {
            tokens.push(sign_in(&store, name, at(0)).await);
        }
        let n_found = async || {
            let mut n = 0;
            for token in &tokens {
                let found = store
                    .doors()
                    .find_session(token, at(1), HOUR)
                    .await
                    .unwrap();
                n += usize::from(found.is_some());
            }
            n
        };
        store
            .doors()
            .delete_session(&SessionId::new("ses_two"), None)
            .await
            .unwrap();
        assert_eq!(n_found().await, 2);
        assert!(matches!(
            store
                .doors()
                .delete_session(&SessionId::new("ses_two"), None)
                .await,
            Err(StoreError::NotFound { .. })
        ));
        assert_eq!(store.doors().delete_sessions(None).await.unwrap(), 2);
        assert_eq!(n_found().await, 0);
        store.close().await;
    }

    #[tokio::test]
    async fn sessions_of_earlier_versions_end_and_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.db");
        let before = open_older(&path, 22).await;
        let token = Secret::new("token");
        for row in [
            format!("INSERT INTO sessions (token_hash, expires_at_ms) VALUES ('{}', 999999)", hash(&token)),
            "INSERT INTO devices (id, name, origin, public_key, paired_at_ms) VALUES ('dev_1', 'Jane', NULL, 'k', 5)".to_owned(),
            "INSERT INTO codes (hash, purpose, expires_at_ms) VALUES ('c', 'pairing', 999999)".to_owned(),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(row)).execute(&before).await.unwrap();
        }
        before.close().await;
        let store = Store::open(&path, &Clock::system()).await.unwrap();
        assert_eq!(
            store
                .doors()
                .list_sessions(None, at(0), HOUR)
                .await
                .unwrap(),
            []
        );
        assert_eq!(
            store
                .doors()
                .find_session(&token, at(0), HOUR)
                .await
                .unwrap(),
            None
        );
        assert_eq!(store.doors().list_devices(None).await.unwrap().len(), 1);
        let codes = sqlx::query("SELECT hash FROM codes")
            .fetch_all(&store.reader)
            .await;
        assert_eq!(codes.unwrap().len(), 1);
        sign_in(&store, "new", at(0)).await;
        store.close().await;
    }
}

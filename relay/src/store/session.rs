//! Sessions of the dashboard: who is signed in, since when, from where. Only hashes of their tokens are kept.

use std::time::Duration;

use protocol::id::SessionId;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use sqlx::any::AnyRow;

use super::access::{Purpose, use_up};
use super::{Store, StoreError, number, text, text_or_null};
use crate::secret::hash;

/// How exactly the last use is known: a session that is used all the time is not written all the time.
const USE_NOTED_EVERY: Duration = Duration::from_mins(1);

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

impl Store {
    /// Uses a login code up for this session with this token. `false`: the code is unknown, used or over.
    pub async fn create_session(
        &self,
        code: &Secret,
        token: &Secret,
        session: &Session,
    ) -> Result<bool, StoreError> {
        let now = session.made_at;
        if !self.is_code(Purpose::Login, code, now).await? {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        if !use_up(&mut tx, Purpose::Login, code, now).await? {
            return Ok(false);
        }
        sqlx::query("DELETE FROM sessions WHERE expires_at_ms <= $1")
            .bind(now.as_ms())
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO sessions (id, token_hash, made_at_ms, used_at_ms, expires_at_ms, peer, browser) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(session.id.to_string())
        .bind(hash(token))
        .bind(now.as_ms())
        .bind(session.used_at.as_ms())
        .bind(session.expires_at.as_ms())
        .bind(session.peer.clone())
        .bind(session.browser.clone())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The session that has this token, which uses it; `None` where it is over, or was not used for as long as `idle`.
    pub async fn find_session(
        &self,
        token: &Secret,
        now: Timestamp,
        idle: Duration,
    ) -> Result<Option<SessionId>, StoreError> {
        let row = sqlx::query(
            "SELECT id, used_at_ms FROM sessions WHERE token_hash = $1 AND expires_at_ms > $2 AND used_at_ms > $3",
        )
        .bind(hash(token))
        .bind(now.as_ms())
        .bind((now - idle).as_ms())
        .fetch_optional(&self.reader)
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
                .execute(&self.writer)
                .await?;
        }
        Ok(Some(SessionId::new(id)))
    }

    /// Every session that lets somebody in now, the one used last first.
    pub async fn list_sessions(
        &self,
        now: Timestamp,
        idle: Duration,
    ) -> Result<Vec<Session>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, made_at_ms, used_at_ms, expires_at_ms, peer, browser FROM sessions \
             WHERE expires_at_ms > $1 AND used_at_ms > $2 ORDER BY used_at_ms DESC, id",
        )
        .bind(now.as_ms())
        .bind((now - idle).as_ms())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(from_row).collect()
    }

    /// Ends a session; its token lets nobody in from then on.
    pub async fn delete_session(&self, id: &SessionId) -> Result<(), StoreError> {
        let deleted = sqlx::query("DELETE FROM sessions WHERE id = $1")
            .bind(id.to_string())
            .execute(&self.writer)
            .await?;
        if deleted.rows_affected() == 0 {
            return Err(StoreError::NotFound {
                what: "session",
                id: id.to_string(),
            });
        }
        Ok(())
    }

    /// Ends all sessions, and says how many there were.
    pub async fn delete_sessions(&self) -> Result<u64, StoreError> {
        let deleted = sqlx::query("DELETE FROM sessions")
            .execute(&self.writer)
            .await?;
        Ok(deleted.rows_affected())
    }

    /// Ends all sessions, and the sign-in links that wait to be used: somebody else may have had the relay's address
    /// meanwhile, and what browsers send there. A pairing code is sent nowhere.
    pub async fn end_what_others_may_have(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM sessions")
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM codes WHERE purpose = $1")
            .bind(Purpose::Login.name())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
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
        store
            .create_code(Purpose::Login, &code, made_at, made_at + HOUR)
            .await
            .unwrap();
        let session = session(name, made_at);
        let made = store.create_session(&code, &token, &session).await;
        assert!(made.unwrap());
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
            let found = store.find_session(token, at(minute), HOUR).await.unwrap();
            found.map(|id| id.to_string())
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
        let listed = store.list_sessions(at(299), HOUR).await.unwrap();
        let expected = Session {
            used_at: at(299),
            ..session("used", at(0))
        };
        assert_eq!(listed, [expected]);
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
                let found = store.find_session(token, at(1), HOUR).await.unwrap();
                n += usize::from(found.is_some());
            }
            n
        };
        store
            .delete_session(&SessionId::new("ses_two"))
            .await
            .unwrap();
        assert_eq!(n_found().await, 2);
        assert!(matches!(
            store.delete_session(&SessionId::new("ses_two")).await,
            Err(StoreError::NotFound { .. })
        ));
        assert_eq!(store.delete_sessions().await.unwrap(), 2);
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
        assert_eq!(store.list_sessions(at(0), HOUR).await.unwrap(), []);
        assert_eq!(store.find_session(&token, at(0), HOUR).await.unwrap(), None);
        assert_eq!(store.list_devices().await.unwrap().len(), 1);
        let codes = sqlx::query("SELECT hash FROM codes")
            .fetch_all(&store.reader)
            .await;
        assert_eq!(codes.unwrap().len(), 1);
        sign_in(&store, "new", at(0)).await;
        store.close().await;
    }
}

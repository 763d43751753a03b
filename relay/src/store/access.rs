//! Who may call: single-use codes and paired devices; sessions have a file of their own. Only hashes of tokens and codes are kept.
//! Who may call what stands with each endpoint in `protocol`.

use protocol::id::DeviceId;
use protocol::request::device::Device;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::{Store, StoreError, number, text, text_or_null};
use crate::secret::hash;

/// What a single-use code is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A session of the dashboard.
    Login,
    /// A device.
    Pairing,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Pairing => "pairing",
        }
    }
}

impl Store {
    /// Keeps a code until it is used or `expires_at` has come. Codes whose time is over are dropped.
    pub async fn create_code(
        &self,
        purpose: Purpose,
        code: &Secret,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM codes WHERE expires_at_ms <= $1")
            .bind(now.as_ms())
            .execute(&mut *tx)
            .await?;
        sqlx::query("INSERT INTO codes (hash, purpose, expires_at_ms) VALUES ($1, $2, $3)")
            .bind(hash(code))
            .bind(purpose.name())
            .bind(expires_at.as_ms())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether a code waits to be used: a wrong one takes no turn of those that write.
    pub(super) async fn is_code(
        &self,
        purpose: Purpose,
        code: &Secret,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM codes WHERE hash = $1 AND purpose = $2 AND expires_at_ms > $3",
        )
        .bind(hash(code))
        .bind(purpose.name())
        .bind(now.as_ms())
        .fetch_optional(&self.reader)
        .await?;
        Ok(row.is_some())
    }

    /// Uses a pairing code up for this device. `false`: the code is unknown, used or over.
    pub async fn create_device(
        &self,
        code: &Secret,
        device: &Device,
        token: &Secret,
    ) -> Result<bool, StoreError> {
        let now = device.paired_at;
        if !self.is_code(Purpose::Pairing, code, now).await? {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        if !use_up(&mut tx, Purpose::Pairing, code, now).await? {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO devices (id, name, origin, token_hash, paired_at_ms) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(device.id.to_string())
        .bind(device.name.clone())
        .bind(device.origin.clone())
        .bind(hash(token))
        .bind(device.paired_at.as_ms())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The device that has this token.
    pub async fn find_device(&self, token: &Secret) -> Result<Option<Device>, StoreError> {
        let row =
            sqlx::query("SELECT id, name, origin, paired_at_ms FROM devices WHERE token_hash = $1")
                .bind(hash(token))
                .fetch_optional(&self.reader)
                .await?;
        row.as_ref().map(device_from_row).transpose()
    }

    /// Every device, newest first.
    pub async fn list_devices(&self) -> Result<Vec<Device>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, origin, paired_at_ms FROM devices ORDER BY paired_at_ms DESC, id",
        )
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(device_from_row).collect()
    }

    /// Forgets a device; its token ends at once.
    pub async fn delete_device(&self, id: &DeviceId) -> Result<(), StoreError> {
        let deleted = sqlx::query("DELETE FROM devices WHERE id = $1")
            .bind(id.to_string())
            .execute(&self.writer)
            .await?;
        if deleted.rows_affected() == 0 {
            return Err(StoreError::NotFound {
                what: "device",
                id: id.to_string(),
            });
        }
        Ok(())
    }

    /// Whether a paired device has this origin.
    pub async fn is_paired_origin(&self, origin: &str) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM devices WHERE origin = $1")
            .bind(origin.to_owned())
            .fetch_optional(&self.reader)
            .await?;
        Ok(row.is_some())
    }
}

fn device_from_row(row: &AnyRow) -> Result<Device, StoreError> {
    Ok(Device {
        id: DeviceId::new(text(row, "id")?),
        name: text(row, "name")?,
        origin: text_or_null(row, "origin")?,
        paired_at: Timestamp::from_ms(number(row, "paired_at_ms")?),
    })
}

/// Deletes the code, in one statement, so that of two who come with it one gets it.
pub(super) async fn use_up(
    tx: &mut AnyConnection,
    purpose: Purpose,
    code: &Secret,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let used =
        sqlx::query("DELETE FROM codes WHERE hash = $1 AND purpose = $2 AND expires_at_ms > $3")
            .bind(hash(code))
            .bind(purpose.name())
            .bind(now.as_ms())
            .execute(tx)
            .await?;
    Ok(used.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::id::SessionId;

    use super::*;
    use crate::clock::Clock;
    use crate::store::session::Session;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    async fn open(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("unpause.db"), &Clock::system())
            .await
            .unwrap()
    }

    fn device(name: &str, origin: Option<&str>) -> Device {
        Device {
            id: DeviceId::new(format!("dev_{name}")),
            name: name.to_owned(),
            origin: origin.map(str::to_owned),
            paired_at: at(5),
        }
    }

    #[tokio::test]
    async fn a_code_works_once_for_its_purpose_and_in_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let (code, token) = (Secret::new("code"), Secret::new("token"));
        store
            .create_code(Purpose::Login, &code, at(0), at(100))
            .await
            .unwrap();
        assert!(
            !store
                .create_device(&code, &device("jane", None), &token)
                .await
                .unwrap(),
            "another purpose"
        );
        let session = |ms| Session {
            id: SessionId::new("ses_1"),
            made_at: at(ms),
            used_at: at(ms),
            expires_at: at(200),
            peer: String::new(),
            browser: None,
        };
        let made = async |token: &Secret, ms| {
            let session = session(ms);
            store.create_session(&code, token, &session).await.unwrap()
        };
        assert!(!made(&token, 100).await, "over");
        assert!(made(&token, 99).await);
        assert!(!made(&Secret::new("second"), 99).await, "used");
        let hour = Duration::from_hours(1);
        let found =
            async |token: &Secret, ms| store.find_session(token, at(ms), hour).await.unwrap();
        assert_eq!(found(&token, 199).await, Some(SessionId::new("ses_1")));
        assert_eq!(found(&token, 200).await, None);
        assert_eq!(found(&code, 99).await, None);
        store.close().await;
    }

    #[tokio::test]
    async fn of_many_who_come_with_one_code_one_is_paired() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let code = Secret::new("code");
        store
            .create_code(Purpose::Pairing, &code, at(0), at(100))
            .await
            .unwrap();
        let tries = (0..8).map(|n| {
            let (store, code) = (store.clone(), code.clone());
            tokio::spawn(async move {
                let name = n.to_string();
                store
                    .create_device(&code, &device(&name, None), &Secret::new(name.clone()))
                    .await
                    .unwrap()
            })
        });
        let mut n_paired = 0;
        for attempt in tries.collect::<Vec<_>>() {
            n_paired += usize::from(attempt.await.unwrap());
        }
        assert_eq!(n_paired, 1);
        assert_eq!(store.list_devices().await.unwrap().len(), 1);
        store.close().await;
    }

    #[tokio::test]
    async fn a_revoked_device_is_gone_with_its_token_and_origin() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let (code, token) = (Secret::new("code"), Secret::new("token"));
        store
            .create_code(Purpose::Pairing, &code, at(0), at(100))
            .await
            .unwrap();
        let jane = device("jane", Some("chrome-extension://abc"));
        assert!(store.create_device(&code, &jane, &token).await.unwrap());
        assert_eq!(store.find_device(&token).await.unwrap(), Some(jane.clone()));
        assert_eq!(
            store.list_devices().await.unwrap(),
            std::slice::from_ref(&jane)
        );
        assert!(
            store
                .is_paired_origin("chrome-extension://abc")
                .await
                .unwrap()
        );
        store.delete_device(&jane.id).await.unwrap();
        assert_eq!(store.find_device(&token).await.unwrap(), None);
        assert!(
            !store
                .is_paired_origin("chrome-extension://abc")
                .await
                .unwrap()
        );
        assert!(matches!(
            store.delete_device(&jane.id).await,
            Err(StoreError::NotFound { .. })
        ));
        store.close().await;
    }
}

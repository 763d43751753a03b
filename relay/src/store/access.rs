//! Who may call: single-use codes and paired devices; sessions have a file of their own. Only hashes of codes are kept,
//! and public keys of devices.
//! Who may call what stands with each endpoint in `protocol`.

use protocol::id::DeviceId;
use protocol::pairing::CodeProof;
use protocol::request::device::Device;
use protocol::secret::Secret;
use protocol::signed::VerifyingKey;
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
    pub(super) fn name(self) -> &'static str {
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

    /// What is kept of the pairing code with which the proof was made. The codes of ten minutes are few.
    async fn find_proved(
        &self,
        proof: &CodeProof,
        key: &VerifyingKey,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let rows = sqlx::query("SELECT hash FROM codes WHERE purpose = $1 AND expires_at_ms > $2")
            .bind(Purpose::Pairing.name())
            .bind(now.as_ms())
            .fetch_all(&self.reader)
            .await?;
        for row in &rows {
            let hash = text(row, "hash")?;
            if unhash(&hash).is_some_and(|bytes| proof.fits(&bytes, key)) {
                return Ok(Some(hash));
            }
        }
        Ok(None)
    }

    /// Uses a pairing code up for this device. `false`: the code is unknown, used or over.
    pub async fn create_device(
        &self,
        proof: &CodeProof,
        key: &VerifyingKey,
        device: &Device,
    ) -> Result<bool, StoreError> {
        let now = device.paired_at;
        let Some(hash) = self.find_proved(proof, key, now).await? else {
            return Ok(false);
        };
        let mut tx = self.begin().await?;
        if !use_up_hashed(&mut tx, Purpose::Pairing, hash, now).await? {
            return Ok(false);
        }
        // The same key once more is the same device.
        sqlx::query("DELETE FROM devices WHERE public_key = $1")
            .bind(key.to_string())
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO devices (id, name, origin, public_key, paired_at_ms) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(device.id.to_string())
        .bind(device.name.clone())
        .bind(device.origin.clone())
        .bind(key.to_string())
        .bind(device.paired_at.as_ms())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The device that has this key.
    pub async fn find_device(&self, key: &VerifyingKey) -> Result<Option<Device>, StoreError> {
        let row =
            sqlx::query("SELECT id, name, origin, paired_at_ms FROM devices WHERE public_key = $1")
                .bind(key.to_string())
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

    /// Forgets a device; its key is not believed any more at once.
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
    use_up_hashed(tx, purpose, hash(code), now).await
}

async fn use_up_hashed(
    tx: &mut AnyConnection,
    purpose: Purpose,
    hash: String,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let used =
        sqlx::query("DELETE FROM codes WHERE hash = $1 AND purpose = $2 AND expires_at_ms > $3")
            .bind(hash)
            .bind(purpose.name())
            .bind(now.as_ms())
            .execute(tx)
            .await?;
    Ok(used.rows_affected() == 1)
}

/// The bytes of what [`hash`] wrote.
fn unhash(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let bytes = pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok());
    rest.is_empty().then(|| bytes.collect()).flatten()
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

    fn key(byte: u8) -> VerifyingKey {
        VerifyingKey::from_bytes(&[byte; 32])
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
        let proof = CodeProof::new(&code, &key(1));
        store
            .create_code(Purpose::Login, &code, at(0), at(100))
            .await
            .unwrap();
        assert!(
            !store
                .create_device(&proof, &key(1), &device("jane", None))
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
                let proof = CodeProof::new(&code, &key(n));
                store
                    .create_device(&proof, &key(n), &device(&n.to_string(), None))
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
    async fn a_revoked_device_is_gone_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let code = Secret::new("code");
        store
            .create_code(Purpose::Pairing, &code, at(0), at(100))
            .await
            .unwrap();
        let stolen = CodeProof::new(&code, &key(1));
        let mallory = device("mallory", None);
        assert!(
            !store
                .create_device(&stolen, &key(2), &mallory)
                .await
                .unwrap(),
            "a proof is good for the key that it was made for"
        );
        let jane = device("jane", Some("chrome-extension://abc"));
        assert!(store.create_device(&stolen, &key(1), &jane).await.unwrap());
        assert_eq!(
            store.find_device(&key(1)).await.unwrap(),
            Some(jane.clone())
        );
        assert_eq!(
            store.list_devices().await.unwrap(),
            std::slice::from_ref(&jane)
        );
        store.delete_device(&jane.id).await.unwrap();
        assert_eq!(store.find_device(&key(1)).await.unwrap(), None);
        assert!(matches!(
            store.delete_device(&jane.id).await,
            Err(StoreError::NotFound { .. })
        ));
        store.close().await;
    }
}

//! Who may call: single-use codes and paired devices; accounts and sessions have files of their own. Only hashes of codes
//! are kept, and public keys of devices. Who may call what stands with each endpoint in `protocol`.

use protocol::account::AccountName;
use protocol::id::{AccountId, DeviceId};
use protocol::pairing::CodeProof;
use protocol::request::device::Device;
use protocol::secret::Secret;
use protocol::signed::VerifyingKey;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::account::{Holder, role_of};
use super::shut::Admission;
use super::{Store, StoreError, number, number_or_null, text, text_or_null};
use crate::secret::hash;

/// What a single-use code is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A session of the dashboard.
    Login,
    /// A device.
    Pairing,
    /// A password, and a session.
    Invitation,
}

impl Purpose {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Pairing => "pairing",
            Self::Invitation => "invitation",
        }
    }
}

/// The part of the database that knows who comes in, and nothing of inboxes and campaigns.
#[derive(Clone, Debug)]
pub struct Doors(pub(super) Store);

impl Store {
    /// Who comes in.
    pub fn doors(&self) -> Doors {
        Doors(self.clone())
    }
}

/// A code that is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct NewCode<'a> {
    /// What it is good for.
    pub purpose: Purpose,
    /// The code.
    pub code: &'a Secret,
    /// Whose it is.
    pub account: &'a AccountId,
    /// When it ends unused.
    pub expires_at: Timestamp,
}

/// A device that is to be paired.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// Its name.
    pub id: DeviceId,
    /// What the person calls it.
    pub name: String,
    /// The extension's origin; `None` for a caller that is no browser.
    pub origin: Option<String>,
    /// When it is paired.
    pub paired_at: Timestamp,
    /// The key by which it knows the relay.
    pub relay_key: VerifyingKey,
}

/// A device that somebody came as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDevice {
    /// It.
    pub device: Device,
    /// Who paired it.
    pub holder: Holder,
    /// The key by which it has known the relay since it was paired.
    pub relay_key: VerifyingKey,
    /// The one that it named last.
    pub known_key: VerifyingKey,
}

/// The columns of a device, with the two keys by which it knows the relay: since pairing, and as it said last.
const DEVICE: &str = "d.id AS id, d.name AS name, d.origin AS origin, d.paired_at_ms AS paired_at_ms, \
    d.relay_key AS relay_key, d.known_key AS known_key, \
    k.ends_at_ms AS behind_until_ms";
/// The devices as a table, with whose they are, and with what became of the key by which each knows the relay.
const DEVICES: &str = "(SELECT id, name, origin, public_key, paired_at_ms, account_id, \
    COALESCE(relay_key, first.signing_key) AS relay_key, \
    COALESCE(known_key, relay_key, first.signing_key) AS known_key \
    FROM devices LEFT JOIN (SELECT signing_key FROM relay_keys WHERE number = 1) AS first ON 1 = 1) AS d \
    JOIN accounts a ON a.id = d.account_id LEFT JOIN relay_keys k ON k.signing_key = d.known_key";

impl Doors {
    /// Keeps a code until it is used or its time is over. Codes whose time is over are dropped.
    pub async fn create_code(&self, new: NewCode<'_>, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        put_code(&mut tx, new, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whose code waits to be used: a wrong one takes no turn of those that write.
    pub async fn find_code(
        &self,
        purpose: Purpose,
        code: &Secret,
        now: Timestamp,
    ) -> Result<Option<AccountId>, StoreError> {
        let row = sqlx::query(
            "SELECT account_id FROM codes WHERE hash = $1 AND purpose = $2 AND expires_at_ms > $3",
        )
        .bind(hash(code))
        .bind(purpose.name())
        .bind(now.as_ms())
        .fetch_optional(&self.0.reader)
        .await?;
        row.map(|row| Ok(AccountId::new(text(&row, "account_id")?)))
            .transpose()
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
            .fetch_all(&self.0.reader)
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
        device: &NewDevice,
    ) -> Result<bool, StoreError> {
        let now = device.paired_at;
        let Some(hash) = self.find_proved(proof, key, now).await? else {
            return Ok(false);
        };
        let mut tx = self.0.begin().await?;
        let Some(account) = use_up_hashed(&mut tx, Purpose::Pairing, hash, now).await? else {
            return Ok(false);
        };
        // The same key once more is the same device.
        sqlx::query("DELETE FROM devices WHERE public_key = $1")
            .bind(key.to_string())
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO devices (id, name, origin, public_key, paired_at_ms, account_id, relay_key) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(device.id.to_string())
        .bind(device.name.clone())
        .bind(device.origin.clone())
        .bind(key.to_string())
        .bind(device.paired_at.as_ms())
        .bind(account.to_string())
        .bind(device.relay_key.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.0
            .note_admission(Admission::Device {
                key: key.clone(),
                comes_in: true,
            })
            .await;
        Ok(true)
    }

    /// The device that has this key, and who paired it.
    pub async fn find_device(&self, key: &VerifyingKey) -> Result<Option<FoundDevice>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {DEVICE}, a.id AS account_id, a.name AS account, a.role AS role \
             FROM {DEVICES} WHERE d.public_key = $1",
        )))
        .bind(key.to_string())
        .fetch_optional(&self.0.reader)
        .await?;
        row.map(|row| {
            let holder = Holder {
                account: AccountId::new(text(&row, "account_id")?),
                role: role_of(&row)?,
            };
            Ok(FoundDevice {
                device: device_from_row(&row)?,
                holder,
                relay_key: key_from_row(&row, "relay_key")?,
                known_key: key_from_row(&row, "known_key")?,
            })
        })
        .transpose()
    }

    /// Notes by which key a device says that it knows the relay.
    pub async fn note_known_key(
        &self,
        id: &DeviceId,
        relay_key: &VerifyingKey,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET known_key = $1 WHERE id = $2")
            .bind(relay_key.to_string())
            .bind(id.to_string())
            .execute(&self.0.writer)
            .await?;
        Ok(())
    }

    /// The devices of an account, or all, newest first.
    pub async fn list_devices(&self, of: Option<&AccountId>) -> Result<Vec<Device>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {DEVICE}, a.name AS account FROM {DEVICES} WHERE $1 = '' OR d.account_id = $1 \
             ORDER BY d.paired_at_ms DESC, d.id",
        )))
        .bind(all_or(of))
        .fetch_all(&self.0.reader)
        .await?;
        rows.iter().map(device_from_row).collect()
    }

    /// Forgets a device, of an account or whoever's; its key is not believed any more at once.
    pub async fn delete_device(
        &self,
        id: &DeviceId,
        of: Option<&AccountId>,
    ) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        let row = sqlx::query(
            "SELECT public_key FROM devices WHERE id = $1 AND ($2 = '' OR account_id = $2)",
        )
        .bind(id.to_string())
        .bind(all_or(of))
        .fetch_optional(&mut *tx)
        .await?;
        let row = row.ok_or_else(|| StoreError::NotFound {
            what: "device",
            id: id.to_string(),
        })?;
        let key = VerifyingKey::try_from(text(&row, "public_key")?);
        sqlx::query("DELETE FROM devices WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        if let Ok(key) = key {
            let comes_in = false;
            self.0
                .note_admission(Admission::Device { key, comes_in })
                .await;
        }
        Ok(())
    }
}

/// An account as statements name it that are of one or of all: no id is empty.
pub(super) fn all_or(of: Option<&AccountId>) -> String {
    of.map_or_else(String::new, AccountId::to_string)
}

fn device_from_row(row: &AnyRow) -> Result<Device, StoreError> {
    let account = AccountName::try_from(text(row, "account")?);
    Ok(Device {
        id: DeviceId::new(text(row, "id")?),
        name: text(row, "name")?,
        origin: text_or_null(row, "origin")?,
        paired_at: Timestamp::from_ms(number(row, "paired_at_ms")?),
        account: account.map_err(|_| StoreError::Corrupt { what: "name" })?,
        behind_until: number_or_null(row, "behind_until_ms")?.map(Timestamp::from_ms),
    })
}

fn key_from_row(row: &AnyRow, column: &'static str) -> Result<VerifyingKey, StoreError> {
    VerifyingKey::try_from(text(row, column)?).map_err(|_| StoreError::Corrupt { what: column })
}

/// Writes a code, and drops those whose time is over.
pub(super) async fn put_code(
    tx: &mut AnyConnection,
    new: NewCode<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM codes WHERE expires_at_ms <= $1")
        .bind(now.as_ms())
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO codes (hash, purpose, expires_at_ms, account_id) VALUES ($1, $2, $3, $4)",
    )
    .bind(hash(new.code))
    .bind(new.purpose.name())
    .bind(new.expires_at.as_ms())
    .bind(new.account.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

/// Deletes the code and answers whose it was, in one statement, so that of two who come with it one gets it.
pub(super) async fn use_up(
    tx: &mut AnyConnection,
    purpose: Purpose,
    code: &Secret,
    now: Timestamp,
) -> Result<Option<AccountId>, StoreError> {
    use_up_hashed(tx, purpose, hash(code), now).await
}

async fn use_up_hashed(
    tx: &mut AnyConnection,
    purpose: Purpose,
    hash: String,
    now: Timestamp,
) -> Result<Option<AccountId>, StoreError> {
    let used = sqlx::query(
        "DELETE FROM codes WHERE hash = $1 AND purpose = $2 AND expires_at_ms > $3 RETURNING account_id",
    )
    .bind(hash)
    .bind(purpose.name())
    .bind(now.as_ms())
    .fetch_optional(tx)
    .await?;
    used.map(|row| Ok(AccountId::new(text(&row, "account_id")?)))
        .transpose()
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

    async fn keep(store: &Store, purpose: Purpose, code: &Secret) {
        let account = store.doors().first_owner().await.unwrap();
        let new = NewCode {
            purpose,
            code,
            account: &account,
            expires_at: at(100),
        };
        store.doors().create_code(new, at(0)).await.unwrap();
    }

    async fn open(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("unpause.db"), &Clock::system())
            .await
            .unwrap()
    }

    fn key(byte: u8) -> VerifyingKey {
        VerifyingKey::from_bytes(&[byte; 32])
    }

    fn device(name: &str, origin: Option<&str>) -> NewDevice {
        NewDevice {
            id: DeviceId::new(format!("dev_{name}")),
            name: name.to_owned(),
            origin: origin.map(str::to_owned),
            paired_at: at(5),
            relay_key: key(200),
        }
    }

    #[tokio::test]
    async fn a_code_works_once_for_its_purpose_and_in_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let (code, token) = (Secret::new("code"), Secret::new("token"));
        let proof = CodeProof::new(&code, &key(1));
        keep(&store, Purpose::Login, &code).await;
        assert!(
            !store
                .doors()
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
            let made = store.doors().create_session(&code, token, &session).await;
            made.unwrap().is_some()
        };
        assert!(!made(&token, 100).await, "over");
        assert!(made(&token, 99).await);
        assert!(!made(&Secret::new("second"), 99).await, "used");
        let hour = Duration::from_hours(1);
        let found = async |token: &Secret, ms| {
            let found = store
                .doors()
                .find_session(token, at(ms), hour)
                .await
                .unwrap();
            found.map(|found| found.id)
        };
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
        keep(&store, Purpose::Pairing, &code).await;
        let tries = (0..8).map(|n| {
            let (store, code) = (store.clone(), code.clone());
            tokio::spawn(async move {
                let proof = CodeProof::new(&code, &key(n));
                store
                    .doors()
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
        assert_eq!(store.doors().list_devices(None).await.unwrap().len(), 1);
        store.close().await;
    }

    #[tokio::test]
    async fn a_revoked_device_is_gone_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let code = Secret::new("code");
        keep(&store, Purpose::Pairing, &code).await;
        let stolen = CodeProof::new(&code, &key(1));
        let mallory = device("mallory", None);
        assert!(
            !store
                .doors()
                .create_device(&stolen, &key(2), &mallory)
                .await
                .unwrap(),
            "a proof is good for the key that it was made for"
        );
        let jane = device("jane", Some("chrome-extension://abc"));
        assert!(
            store
                .doors()
                .create_device(&stolen, &key(1), &jane)
                .await
                .unwrap()
        );
        let found = store.doors().find_device(&key(1)).await.unwrap().unwrap();
        let (found, holder) = (found.device, found.holder);
        assert_eq!((&found.id, &found.origin), (&jane.id, &jane.origin));
        assert_eq!(holder.account, store.doors().first_owner().await.unwrap());
        assert_eq!(store.doors().list_devices(None).await.unwrap(), [found]);
        store.doors().delete_device(&jane.id, None).await.unwrap();
        assert_eq!(store.doors().find_device(&key(1)).await.unwrap(), None);
        assert!(matches!(
            store.doors().delete_device(&jane.id, None).await,
            Err(StoreError::NotFound { .. })
        ));
        store.close().await;
    }
}

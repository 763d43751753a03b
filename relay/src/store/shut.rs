//! Who comes in, as persons said it last, kept in the file of stops: a database that was put back must not let in again
//! whoever was shut out since. It takes away and never gives, so that the file opens nothing that the database keeps
//! shut. Sessions and API keys need no line: a database that was put back has none.

use std::collections::HashMap;

use protocol::account::Role;
use protocol::id::{AccountId, InboxId, PasskeyId};
use protocol::signed::VerifyingKey;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::account::{check_other_owner, end_ways_in, role_now};
use super::conflict::Conflict;
use super::stops::Line;
use super::{Store, StoreError, text, text_or_null};
use crate::secret::hash_text;

/// What was said of one who comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Admission {
    /// A device was paired, or revoked.
    Device { key: VerifyingKey, comes_in: bool },
    /// What an account may do, and which inboxes are given to it.
    Rights {
        account: AccountId,
        role: Role,
        inboxes: Vec<InboxId>,
    },
    /// An account was removed.
    Removed { account: AccountId },
    /// A passkey was removed; one that is made is another one.
    Passkey { removed: PasskeyId },
    /// An account has another password: the SHA-256 of what is kept of it, which is salted; `None` where it has none.
    Password {
        account: AccountId,
        kept: Option<String>,
    },
}

/// Whom and what of him it is about: the last word on it counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum About<'a> {
    Device(&'a str),
    Rights(&'a AccountId),
    Password(&'a AccountId),
    Passkey(&'a PasskeyId),
}

impl Admission {
    fn about(&self) -> About<'_> {
        match self {
            Self::Device { key, .. } => About::Device(key.as_str()),
            Self::Rights { account, .. } | Self::Removed { account } => About::Rights(account),
            Self::Password { account, .. } => About::Password(account),
            Self::Passkey { removed } => About::Passkey(removed),
        }
    }
}

/// Of each the last word, in the order in which these were said.
pub(super) fn last<'a>(said: impl Iterator<Item = &'a Admission>) -> Vec<&'a Admission> {
    let said: Vec<_> = said.collect();
    let last_of: HashMap<_, _> = said
        .iter()
        .enumerate()
        .map(|(idx, admission)| (admission.about(), idx))
        .collect();
    let is_last =
        |(idx, admission): &(usize, &Admission)| last_of.get(&admission.about()) == Some(idx);
    let kept = said.iter().copied().enumerate().filter(is_last);
    kept.map(|(_, admission)| admission).collect()
}

impl Store {
    /// Notes in the file what was said of who comes in. What cannot be noted stands in the database all the same.
    pub(super) async fn note_admission(&self, admission: Admission) {
        if !self.keeps_stops() {
            return;
        }
        let at = self.clock.now();
        if let Err(error) = self
            .append_lines(vec![Line::Admission { admission, at }])
            .await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "who comes in is not kept outside the database"
            );
        }
    }

    /// The same of an account's role and inboxes as they stand now.
    pub(super) async fn note_rights(&self, id: &AccountId) -> Result<(), StoreError> {
        if !self.keeps_stops() {
            return Ok(());
        }
        let account = self.doors().load_account(id).await?;
        self.note_admission(Admission::Rights {
            account: account.id,
            role: account.role,
            inboxes: account.inboxes,
        })
        .await;
        Ok(())
    }

    /// The same of its password.
    pub(super) async fn note_password(&self, id: &AccountId) -> Result<(), StoreError> {
        if !self.keeps_stops() {
            return Ok(());
        }
        let kept = self.doors().load_kept(id).await?;
        self.note_admission(Admission::Password {
            account: kept.account,
            kept: kept.password.as_deref().map(hash_text),
        })
        .await;
        Ok(())
    }

    /// An account that a replay has left in being is the last owner, or has what it was left: that is the last word on it,
    /// or the next start would end by the old one what it was given since.
    async fn settle_rights(&self, id: &AccountId) -> Result<(), StoreError> {
        match self.note_rights(id).await {
            Err(StoreError::NotFound { .. }) => Ok(()),
            noted => noted,
        }
    }

    /// Takes away what these say, in a database that was put back. Answers how much of it was still there.
    pub(super) async fn replay_admissions(&self, said: &[&Admission]) -> Result<u64, StoreError> {
        let mut n_taken = 0;
        for admission in said {
            let mut tx = self.begin().await?;
            let is_new = match admission {
                Admission::Device { comes_in: true, .. } => false,
                Admission::Device { key, .. } => forget_device(&mut tx, key).await?,
                Admission::Passkey { removed } => forget_passkey(&mut tx, removed).await?,
                Admission::Removed { account } => remove(&mut tx, account).await?,
                Admission::Rights {
                    account,
                    role,
                    inboxes,
                } => narrow(&mut tx, account, *role, inboxes).await?,
                Admission::Password { account, kept } => {
                    end_password(&mut tx, account, kept.as_deref()).await?
                }
            };
            tx.commit().await?;
            n_taken += u64::from(is_new);
            if let (true, Admission::Removed { account } | Admission::Rights { account, .. }) =
                (is_new, *admission)
            {
                self.settle_rights(account).await?;
            }
        }
        Ok(n_taken)
    }
}

async fn forget_device(tx: &mut AnyConnection, key: &VerifyingKey) -> Result<bool, StoreError> {
    let deleted = sqlx::query("DELETE FROM devices WHERE public_key = $1")
        .bind(key.to_string())
        .execute(tx)
        .await?;
    Ok(deleted.rows_affected() > 0)
}

async fn forget_passkey(tx: &mut AnyConnection, id: &PasskeyId) -> Result<bool, StoreError> {
    let deleted = sqlx::query("DELETE FROM passkeys WHERE id = $1")
        .bind(id.to_string())
        .execute(tx)
        .await?;
    Ok(deleted.rows_affected() > 0)
}

/// Of the last owner that the database knows only the ways in end: the operator must come in as somebody.
async fn remove(tx: &mut AnyConnection, account: &AccountId) -> Result<bool, StoreError> {
    match super::account::remove(tx, account).await {
        Ok(()) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(StoreError::Conflict(Conflict::LastOwner)) => Ok(end_ways_in(tx, account).await? > 0),
        Err(error) => Err(error),
    }
}

/// An account may never do more than it was last said to.
async fn narrow(
    tx: &mut AnyConnection,
    account: &AccountId,
    role: Role,
    inboxes: &[InboxId],
) -> Result<bool, StoreError> {
    let has = match role_now(&mut *tx, account).await {
        Ok(has) => has,
        Err(StoreError::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut is_new = false;
    if role < has {
        let others = match has {
            Role::Owner => check_other_owner(&mut *tx, account).await,
            _ => Ok(()),
        };
        match others {
            Ok(()) => {
                sqlx::query("UPDATE accounts SET role = $2 WHERE id = $1")
                    .bind(account.to_string())
                    .bind(role.code())
                    .execute(&mut *tx)
                    .await?;
                is_new = true;
            }
            Err(StoreError::Conflict(Conflict::LastOwner)) => {
                is_new |= end_ways_in(&mut *tx, account).await? > 0;
            }
            Err(error) => return Err(error),
        }
    }
    let given = sqlx::query("SELECT inbox_id FROM account_inboxes WHERE account_id = $1")
        .bind(account.to_string())
        .fetch_all(&mut *tx)
        .await?;
    for row in &given {
        let inbox = InboxId::new(text(row, "inbox_id")?);
        if inboxes.contains(&inbox) {
            continue;
        }
        sqlx::query("DELETE FROM account_inboxes WHERE account_id = $1 AND inbox_id = $2")
            .bind(account.to_string())
            .bind(inbox.to_string())
            .execute(&mut *tx)
            .await?;
        is_new = true;
    }
    Ok(is_new)
}

/// A password that is not the last one is good no more; the account is invited again, or its owner comes by a link.
async fn end_password(
    tx: &mut AnyConnection,
    account: &AccountId,
    kept: Option<&str>,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT password FROM accounts WHERE id = $1")
        .bind(account.to_string())
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = row else { return Ok(false) };
    let has = text_or_null(&row, "password")?;
    if has.is_none() || has.as_deref().map(hash_text).as_deref() == kept {
        return Ok(false);
    }
    sqlx::query("UPDATE accounts SET password = NULL WHERE id = $1")
        .bind(account.to_string())
        .execute(tx)
        .await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use protocol::account::AccountName;
    use protocol::id::{DeviceId, SessionId};
    use protocol::pairing::CodeProof;
    use protocol::request::passkey::Passkey;
    use protocol::secret::Secret;
    use protocol::timestamp::Timestamp;

    use super::*;
    use crate::clock::Clock;
    use crate::store::access::{NewCode, NewDevice, Purpose};
    use crate::store::account::Changes;
    use crate::store::passkey::NewPasskey;
    use crate::store::session::Session;

    /// Now, and when codes end.
    const TIMES: (Timestamp, Timestamp) = (Timestamp::from_ms(5), Timestamp::from_ms(100));

    async fn open(folder: &Path) -> Store {
        let clock = Clock::manual(TIMES.0);
        let store = Store::open(&folder.join("unpause.db"), &clock)
            .await
            .unwrap();
        store.keep_stops_in(folder.join("unpause.stops"));
        store
    }

    /// What is closed is another's to open once nobody holds it.
    async fn end(store: Store) {
        store.close().await;
    }

    async fn replay(store: &Store) -> u64 {
        let replayed = store.replay_stops(Timestamp::from_ms(0)).await;
        replayed.unwrap().n_shut_out
    }

    fn key(byte: u8) -> VerifyingKey {
        VerifyingKey::from_bytes(&[byte; 32])
    }

    fn name(text: &str) -> AccountName {
        AccountName::try_from(text.to_owned()).unwrap()
    }

    async fn pair(store: &Store, byte: u8, account: &AccountId) {
        let code = Secret::new(format!("code {byte}"));
        let new = NewCode {
            purpose: Purpose::Pairing,
            code: &code,
            account,
            expires_at: TIMES.1,
        };
        store.doors().create_code(new, TIMES.0).await.unwrap();
        let device = NewDevice {
            id: DeviceId::new(format!("dev_{byte}")),
            name: "Jane".to_owned(),
            origin: None,
            paired_at: TIMES.0,
            relay_key: key(200),
        };
        let proof = CodeProof::new(&code, &key(byte));
        let paired = store
            .doors()
            .create_device(&proof, &key(byte), &device)
            .await;
        assert!(paired.unwrap());
    }

    async fn devices(store: &Store) -> Vec<String> {
        let listed = store.doors().list_devices(None).await.unwrap();
        let mut ids: Vec<_> = listed.iter().map(|one| one.id.to_string()).collect();
        ids.sort();
        ids
    }

    async fn make(store: &Store, called: &str, role: Role) -> AccountId {
        let code = Secret::new(format!("invitation of {called}"));
        let made = store
            .doors()
            .create_account(&name(called), role, &[], &code, TIMES)
            .await;
        let id = made.unwrap();
        let session = Session {
            id: SessionId::new(format!("ses_{called}")),
            made_at: TIMES.0,
            used_at: TIMES.0,
            expires_at: TIMES.1,
            peer: String::new(),
            browser: None,
        };
        let taken = store
            .doors()
            .accept_invitation(&code, "$first", &Secret::new(called), &session)
            .await;
        assert!(taken.unwrap());
        id
    }

    async fn add_passkey(store: &Store, id: &str, of: &AccountId) {
        let new = NewPasskey {
            listed: Passkey {
                id: PasskeyId::new(id),
                name: "key".to_owned(),
                made_at: TIMES.0,
                used_at: None,
            },
            credential_id: id,
            public_key: String::new(),
            counter: 0,
        };
        store.doors().create_passkey(of, &new).await.unwrap();
    }

    async fn set_password(store: &Store, id: &AccountId, kept: &str) {
        let before = store.doors().load_kept(id).await.unwrap();
        assert!(
            store
                .doors()
                .set_password(&before, kept, (&SessionId::new("ses_none"), TIMES.0))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn whoever_was_shut_out_stays_out_of_a_database_that_was_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let (database, saved) = (
            folder.path().join("unpause.db"),
            folder.path().join("saved"),
        );
        let store = open(folder.path()).await;
        let owner = store.doors().first_owner().await.unwrap();
        for byte in [1, 2, 3] {
            pair(&store, byte, &owner).await;
        }
        let (gone, lowered) = (
            make(&store, "gone", Role::Owner).await,
            make(&store, "lowered", Role::Owner).await,
        );
        let (changed, same) = (
            make(&store, "changed", Role::Member).await,
            make(&store, "same", Role::Member).await,
        );
        pair(&store, 4, &gone).await;
        for id in ["psk_lost", "psk_kept"] {
            add_passkey(&store, id, &same).await;
        }
        end(store).await;
        std::fs::copy(&database, &saved).unwrap();

        let store = open(folder.path()).await;
        for id in ["dev_1", "dev_2"] {
            store
                .doors()
                .delete_device(&DeviceId::new(id), None)
                .await
                .unwrap();
        }
        pair(&store, 2, &owner).await;
        pair(&store, 5, &owner).await;
        let lost = PasskeyId::new("psk_lost");
        store.doors().delete_passkey(&lost, &same).await.unwrap();
        store.doors().delete_account(&gone).await.unwrap();
        let to_client = Changes {
            role: Some(Role::Client),
            ..Changes::default()
        };
        store
            .doors()
            .update_account(&lowered, &to_client)
            .await
            .unwrap();
        set_password(&store, &changed, "$second").await;
        end(store).await;

        // The relay starts again as it was: nothing of it is new.
        let store = open(folder.path()).await;
        assert_eq!(replay(&store).await, 0);
        assert_eq!(devices(&store).await, ["dev_2", "dev_3", "dev_5"]);
        let kept = store.doors().load_kept(&changed).await.unwrap();
        assert_eq!(kept.password.as_deref(), Some("$second"));
        end(store).await;

        std::fs::copy(&saved, &database).unwrap();
        let store = open(folder.path()).await;
        let (first, second) = (replay(&store).await, replay(&store).await);
        assert_eq!(
            (first, second),
            (5, 0),
            "a device, a passkey, an account, a role, a password"
        );
        // The one that was paired once more stays; one that is not known here is paired anew by a person.
        assert_eq!(devices(&store).await, ["dev_2", "dev_3"]);
        let passkeys = store.doors().list_passkeys(&same).await.unwrap();
        let left: Vec<_> = passkeys.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(left, ["psk_kept"]);
        let listed = store.doors().list_accounts().await.unwrap();
        let mut listed: Vec<_> = listed
            .into_iter()
            .map(|one| (one.name.to_string(), one.role, one.has_password))
            .collect();
        listed.sort();
        assert_eq!(
            listed,
            [
                ("changed".to_owned(), Role::Member, false),
                ("lowered".to_owned(), Role::Client, true),
                ("owner".to_owned(), Role::Owner, false),
                ("same".to_owned(), Role::Member, true),
            ]
        );
        assert_eq!(
            store.doors().load_account(&same).await.unwrap().role,
            Role::Member
        );
        end(store).await;
    }

    #[tokio::test]
    async fn of_an_owner_who_is_the_last_again_only_the_ways_in_end() {
        let folder = tempfile::tempdir().unwrap();
        let (database, saved) = (
            folder.path().join("unpause.db"),
            folder.path().join("saved"),
        );
        let store = open(folder.path()).await;
        let owner = store.doors().first_owner().await.unwrap();
        set_password(&store, &owner, "$first").await;
        pair(&store, 1, &owner).await;
        end(store).await;
        std::fs::copy(&database, &saved).unwrap();

        let store = open(folder.path()).await;
        make(&store, "next", Role::Owner).await;
        store.doors().delete_account(&owner).await.unwrap();
        end(store).await;

        std::fs::copy(&saved, &database).unwrap();
        let store = open(folder.path()).await;
        assert_eq!((replay(&store).await, replay(&store).await), (1, 0));
        assert_eq!(store.doors().first_owner().await.unwrap(), owner);
        let kept = store.doors().load_kept(&owner).await.unwrap();
        assert_eq!(kept.password, None);
        assert_eq!(devices(&store).await, Vec::<String>::new());
        // What the owner was given since is good at the next start.
        set_password(&store, &owner, "$again").await;
        pair(&store, 2, &owner).await;
        assert_eq!(replay(&store).await, 0);
        let kept = store.doors().load_kept(&owner).await.unwrap();
        assert_eq!(kept.password.as_deref(), Some("$again"));
        assert_eq!(devices(&store).await, ["dev_2"]);
        end(store).await;
    }
}

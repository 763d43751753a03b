//! Accounts, and what a client may see. What is kept of a password is made elsewhere; here it is a text.

use protocol::account::{AccountName, Role};
use protocol::id::{AccountId, CampaignId, InboxId, ReceiptId, ReconnectId, SessionId};
use protocol::request::account::Account;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::access::{Doors, NewCode, Purpose, put_code, use_up};
use super::conflict::Conflict;
use super::inbox::check_known;
use super::passkey::{count as count_passkeys, put_proof};
use super::session::{Session, put_session};
use super::shut::Admission;
use super::{Store, StoreError, number, text, text_or_null};
use crate::secret::random_text;

/// What the first account is called until somebody calls it otherwise.
const FIRST_NAME: &str = "owner";

/// Whose a device or a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The account.
    pub account: AccountId,
    /// What it may do.
    pub role: Role,
}

/// What a caller may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sees {
    /// Nothing: nobody is known.
    Nothing,
    /// Every inbox and campaign.
    Everything,
    /// What was given to a client.
    Given {
        /// To this one.
        account: AccountId,
        /// By address.
        inboxes: Vec<InboxId>,
        /// Those that send by these and by no other, newest first.
        campaigns: Vec<CampaignId>,
    },
}

/// What changes of an account; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// What it signs in as.
    pub name: Option<AccountName>,
    /// What it may do.
    pub role: Option<Role>,
    /// The inboxes that are given to it.
    pub inboxes: Option<Vec<InboxId>>,
}

/// The name, its hash and the account that a sign-in is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The account.
    pub account: AccountId,
    /// What it signs in as.
    pub name: AccountName,
    /// What is kept of its password.
    pub password: Option<String>,
}

impl Store {
    /// Makes the first account where there is none: sessions, devices and codes of before are its.
    pub(super) async fn make_first_account(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let any = sqlx::query("SELECT 1 FROM accounts LIMIT 1")
            .fetch_optional(&mut *tx)
            .await?;
        if any.is_some() {
            return Ok(());
        }
        let name = AccountName::try_from(FIRST_NAME.to_owned());
        let name = name.map_err(|_| StoreError::Corrupt { what: "name" })?;
        let id = insert(&mut tx, &name, Role::Owner, self.clock.now()).await?;
        for statement in [
            "UPDATE codes SET account_id = $1 WHERE account_id IS NULL",
            "UPDATE sessions SET account_id = $1 WHERE account_id IS NULL",
            "UPDATE devices SET account_id = $1 WHERE account_id IS NULL",
        ] {
            sqlx::query(statement)
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The inbox of a reconnect; `None` where there is no such reconnect.
    pub async fn find_inbox_of_reconnect(
        &self,
        id: &ReconnectId,
    ) -> Result<Option<InboxId>, StoreError> {
        self.find_inbox_of("SELECT inbox_id FROM reconnects WHERE id = $1", id.as_str())
            .await
    }

    /// The inbox of a receipt; `None` where there is no such receipt.
    pub async fn find_inbox_of_receipt(
        &self,
        id: &ReceiptId,
    ) -> Result<Option<InboxId>, StoreError> {
        self.find_inbox_of("SELECT inbox_id FROM receipts WHERE id = $1", id.as_str())
            .await
    }

    async fn find_inbox_of(
        &self,
        statement: &'static str,
        id: &str,
    ) -> Result<Option<InboxId>, StoreError> {
        let row = sqlx::query(statement)
            .bind(id.to_owned())
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| Ok(InboxId::new(text(&row, "inbox_id")?)))
            .transpose()
    }
}

impl Doors {
    /// The owner who was here first: whom the operator signs in as.
    pub async fn first_owner(&self) -> Result<AccountId, StoreError> {
        let row =
            sqlx::query("SELECT id FROM accounts WHERE role = $1 ORDER BY made_at_ms, id LIMIT 1")
                .bind(Role::Owner.code())
                .fetch_one(&self.0.reader)
                .await?;
        Ok(AccountId::new(text(&row, "id")?))
    }

    /// What an account may see.
    pub async fn load_sees(&self, holder: &Holder) -> Result<Sees, StoreError> {
        if holder.role > Role::Client {
            return Ok(Sees::Everything);
        }
        let account = &holder.account;
        let inboxes = sqlx::query(
            "SELECT g.inbox_id AS id FROM account_inboxes g JOIN inboxes i ON i.id = g.inbox_id \
             WHERE g.account_id = $1 ORDER BY i.address",
        )
        .bind(account.to_string())
        .fetch_all(&self.0.reader)
        .await?;
        // A campaign that somebody else's inbox sends too says in its state and its counts what that one does.
        let campaigns = sqlx::query(
            "SELECT c.id AS id FROM campaigns c WHERE c.id IN (SELECT p.campaign_id FROM campaign_inboxes p \
               JOIN account_inboxes g ON g.inbox_id = p.inbox_id AND g.account_id = $1) \
             AND NOT EXISTS (SELECT 1 FROM campaign_inboxes p WHERE p.campaign_id = c.id AND NOT EXISTS ( \
               SELECT 1 FROM account_inboxes g WHERE g.account_id = $1 AND g.inbox_id = p.inbox_id)) \
             ORDER BY c.created_at_ms DESC, c.id",
        )
        .bind(account.to_string())
        .fetch_all(&self.0.reader)
        .await?;
        let inboxes = inboxes.iter().map(|row| text(row, "id").map(InboxId::new));
        let campaigns = campaigns
            .iter()
            .map(|row| text(row, "id").map(CampaignId::new));
        Ok(Sees::Given {
            account: account.clone(),
            inboxes: inboxes.collect::<Result<_, _>>()?,
            campaigns: campaigns.collect::<Result<_, _>>()?,
        })
    }

    /// Every account, oldest first.
    pub async fn list_accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.list_accounts_of(None).await
    }

    /// One account.
    pub async fn load_account(&self, id: &AccountId) -> Result<Account, StoreError> {
        let found = self.list_accounts_of(Some(id)).await?;
        found.into_iter().next().ok_or_else(|| not_found(id))
    }

    async fn list_accounts_of(&self, id: Option<&AccountId>) -> Result<Vec<Account>, StoreError> {
        let of = super::access::all_or(id);
        let rows = sqlx::query(
            "SELECT id, name, role, password, made_at_ms, \
             (SELECT COUNT(*) FROM passkeys p WHERE p.account_id = accounts.id) AS passkeys \
             FROM accounts WHERE $1 = '' OR id = $1 ORDER BY made_at_ms, id",
        )
        .bind(of.clone())
        .fetch_all(&self.0.reader)
        .await?;
        let given = sqlx::query(
            "SELECT g.account_id AS account_id, g.inbox_id AS inbox_id FROM account_inboxes g \
             JOIN inboxes i ON i.id = g.inbox_id WHERE $1 = '' OR g.account_id = $1 ORDER BY i.address",
        )
        .bind(of)
        .fetch_all(&self.0.reader)
        .await?;
        let mut pairs = Vec::with_capacity(given.len());
        for row in &given {
            let inbox = InboxId::new(text(row, "inbox_id")?);
            pairs.push((text(row, "account_id")?, inbox));
        }
        let account = |row: &AnyRow| {
            let id = text(row, "id")?;
            let inboxes = pairs.iter().filter(|(account, _)| *account == id);
            Ok(Account {
                inboxes: inboxes.map(|(_, inbox)| inbox.clone()).collect(),
                name: name_of(row)?,
                role: role_of(row)?,
                has_password: text_or_null(row, "password")?.is_some(),
                passkeys: u32::try_from(number(row, "passkeys")?)
                    .map_err(|_| StoreError::Corrupt { what: "passkeys" })?,
                made_at: Timestamp::from_ms(number(row, "made_at_ms")?),
                id: AccountId::new(id),
            })
        };
        rows.iter().map(account).collect()
    }

    /// What a sign-in by this name is compared with.
    pub async fn find_kept(&self, name: &str) -> Result<Option<Kept>, StoreError> {
        let row = sqlx::query("SELECT id, name, password FROM accounts WHERE name_key = $1")
            .bind(name.trim().to_lowercase())
            .fetch_optional(&self.0.reader)
            .await?;
        row.as_ref().map(kept_from).transpose()
    }

    /// The same, of an account that is known.
    pub async fn load_kept(&self, id: &AccountId) -> Result<Kept, StoreError> {
        let row = sqlx::query("SELECT id, name, password FROM accounts WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.0.reader)
            .await?;
        row.as_ref().map_or_else(|| Err(not_found(id)), kept_from)
    }

    /// Makes an account with what was given to it, and keeps the code of its invitation.
    pub async fn create_account(
        &self,
        name: &AccountName,
        role: Role,
        inboxes: &[InboxId],
        code: &Secret,
        (now, expires_at): (Timestamp, Timestamp),
    ) -> Result<AccountId, StoreError> {
        let mut tx = self.0.begin().await?;
        check_name(&mut tx, name, None).await?;
        let id = insert(&mut tx, name, role, now).await?;
        give(&mut tx, &id, inboxes).await?;
        let new = NewCode {
            purpose: Purpose::Invitation,
            code,
            account: &id,
            expires_at,
        };
        put_code(&mut tx, new, now).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Keeps the code of another invitation; those before it end.
    pub async fn invite(
        &self,
        id: &AccountId,
        code: &Secret,
        (now, expires_at): (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        role_now(&mut tx, id).await?;
        sqlx::query("DELETE FROM codes WHERE account_id = $1 AND purpose = $2")
            .bind(id.to_string())
            .bind(Purpose::Invitation.name())
            .execute(&mut *tx)
            .await?;
        let new = NewCode {
            purpose: Purpose::Invitation,
            code,
            account: id,
            expires_at,
        };
        put_code(&mut tx, new, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Uses an invitation up: the account has this password, its sessions end and this one begins. `false`: the code is
    /// unknown, used or over.
    pub async fn accept_invitation(
        &self,
        code: &Secret,
        password: &str,
        token: &Secret,
        session: &Session,
    ) -> Result<bool, StoreError> {
        let mut tx = self.0.begin().await?;
        let used = use_up(&mut tx, Purpose::Invitation, code, session.made_at).await?;
        let Some(account) = used else {
            return Ok(false);
        };
        put_password(&mut tx, &account, Some(password), None).await?;
        put_session(&mut tx, token, session, &account).await?;
        tx.commit().await?;
        self.0.note_password(&account).await?;
        Ok(true)
    }

    /// Sets a password in place of what was kept, and ends the account's sessions but for the one that asks, which is
    /// proved by it. `false`: another was set meanwhile.
    pub async fn set_password(
        &self,
        before: &Kept,
        password: &str,
        (keep, now): (&SessionId, Timestamp),
    ) -> Result<bool, StoreError> {
        let mut tx = self.0.begin().await?;
        let row = sqlx::query("SELECT password FROM accounts WHERE id = $1")
            .bind(before.account.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let row = row.ok_or_else(|| not_found(&before.account))?;
        if text_or_null(&row, "password")? != before.password {
            return Ok(false);
        }
        let keeps = before.password.is_some();
        put_password(&mut tx, &before.account, Some(password), Some(keep)).await?;
        if keeps {
            put_proof(&mut tx, keep, now).await?;
        }
        tx.commit().await?;
        self.0.note_password(&before.account).await?;
        Ok(true)
    }

    /// Takes the password of an account away, and ends its sessions but for the one that asks. It must have a passkey.
    pub async fn delete_password(
        &self,
        id: &AccountId,
        keep: &SessionId,
    ) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        role_now(&mut tx, id).await?;
        if count_passkeys(&mut tx, id).await? == 0 {
            return Err(Conflict::NoPasskey.into());
        }
        put_password(&mut tx, id, None, Some(keep)).await?;
        tx.commit().await?;
        self.0.note_password(id).await?;
        Ok(())
    }

    /// Notes that the password that was kept was right within a session, which is proved by it. `false`: another was
    /// set meanwhile.
    pub async fn prove_by_password(
        &self,
        account: &AccountId,
        password: &str,
        (session, now): (&SessionId, Timestamp),
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
        put_proof(&mut tx, session, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Changes an account.
    pub async fn update_account(
        &self,
        id: &AccountId,
        changes: &Changes,
    ) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        let before = role_now(&mut tx, id).await?;
        if let Some(name) = &changes.name {
            check_name(&mut tx, name, Some(id)).await?;
            sqlx::query("UPDATE accounts SET name = $2, name_key = $3 WHERE id = $1")
                .bind(id.to_string())
                .bind(name.to_string())
                .bind(name.key())
                .execute(&mut *tx)
                .await?;
        }
        if let Some(role) = changes.role {
            if before == Role::Owner && role != Role::Owner {
                check_other_owner(&mut tx, id).await?;
            }
            sqlx::query("UPDATE accounts SET role = $2 WHERE id = $1")
                .bind(id.to_string())
                .bind(role.code())
                .execute(&mut *tx)
                .await?;
        }
        if let Some(inboxes) = &changes.inboxes {
            sqlx::query("DELETE FROM account_inboxes WHERE account_id = $1")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
            give(&mut tx, id, inboxes).await?;
        }
        tx.commit().await?;
        if changes.role.is_some() || changes.inboxes.is_some() {
            self.0.note_rights(id).await?;
        }
        Ok(())
    }

    /// Removes an account with everything by which it comes in.
    pub async fn delete_account(&self, id: &AccountId) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        remove(&mut tx, id).await?;
        tx.commit().await?;
        self.0
            .note_admission(Admission::Removed {
                account: id.clone(),
            })
            .await;
        Ok(())
    }
}

/// Removes an account, but for the last owner.
pub(super) async fn remove(tx: &mut AnyConnection, id: &AccountId) -> Result<(), StoreError> {
    if role_now(&mut *tx, id).await? == Role::Owner {
        check_other_owner(&mut *tx, id).await?;
    }
    end_ways_in(&mut *tx, id).await?;
    for statement in [
        "DELETE FROM account_inboxes WHERE account_id = $1",
        "DELETE FROM accounts WHERE id = $1",
    ] {
        sqlx::query(statement)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Ends everything by which an account comes in, and says how much there was.
pub(super) async fn end_ways_in(tx: &mut AnyConnection, id: &AccountId) -> Result<u64, StoreError> {
    let mut n_ended = 0;
    for statement in [
        "DELETE FROM codes WHERE account_id = $1",
        "DELETE FROM sessions WHERE account_id = $1",
        "DELETE FROM devices WHERE account_id = $1",
        "DELETE FROM api_keys WHERE account_id = $1",
        "DELETE FROM passkeys WHERE account_id = $1",
        "UPDATE accounts SET password = NULL WHERE id = $1 AND password IS NOT NULL",
    ] {
        let ended = sqlx::query(statement)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        n_ended += ended.rows_affected();
    }
    Ok(n_ended)
}

/// The role in a row.
pub(super) fn role_of(row: &AnyRow) -> Result<Role, StoreError> {
    let role = text(row, "role")?;
    role.parse()
        .map_err(|_| StoreError::Corrupt { what: "role" })
}

fn name_of(row: &AnyRow) -> Result<AccountName, StoreError> {
    AccountName::try_from(text(row, "name")?).map_err(|_| StoreError::Corrupt { what: "name" })
}

fn kept_from(row: &AnyRow) -> Result<Kept, StoreError> {
    Ok(Kept {
        account: AccountId::new(text(row, "id")?),
        name: name_of(row)?,
        password: text_or_null(row, "password")?,
    })
}

fn not_found(id: &AccountId) -> StoreError {
    StoreError::NotFound {
        what: "account",
        id: id.to_string(),
    }
}

async fn insert(
    tx: &mut AnyConnection,
    name: &AccountName,
    role: Role,
    now: Timestamp,
) -> Result<AccountId, StoreError> {
    let id = AccountId::new(format!("{}{}", AccountId::PREFIX, random_text()));
    sqlx::query(
        "INSERT INTO accounts (id, name, name_key, role, made_at_ms) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.to_string())
    .bind(name.to_string())
    .bind(name.key())
    .bind(role.code())
    .bind(now.as_ms())
    .execute(tx)
    .await?;
    Ok(id)
}

async fn give(
    tx: &mut AnyConnection,
    id: &AccountId,
    inboxes: &[InboxId],
) -> Result<(), StoreError> {
    for inbox in inboxes {
        check_known(&mut *tx, inbox).await?;
        sqlx::query(
            "INSERT INTO account_inboxes (account_id, inbox_id) VALUES ($1, $2) \
             ON CONFLICT (account_id, inbox_id) DO NOTHING",
        )
        .bind(id.to_string())
        .bind(inbox.to_string())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn check_name(
    tx: &mut AnyConnection,
    name: &AccountName,
    of: Option<&AccountId>,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT id FROM accounts WHERE name_key = $1")
        .bind(name.key())
        .fetch_optional(tx)
        .await?;
    let has = row.map(|row| text(&row, "id")).transpose()?;
    if has.is_some_and(|has| of.is_none_or(|of| of.as_str() != has)) {
        return Err(Conflict::NameTaken.into());
    }
    Ok(())
}

pub(super) async fn role_now(tx: &mut AnyConnection, id: &AccountId) -> Result<Role, StoreError> {
    let row = sqlx::query("SELECT role FROM accounts WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx)
        .await?;
    row.as_ref().map_or_else(|| Err(not_found(id)), role_of)
}

pub(super) async fn check_other_owner(
    tx: &mut AnyConnection,
    id: &AccountId,
) -> Result<(), StoreError> {
    let other = sqlx::query("SELECT 1 FROM accounts WHERE role = $1 AND id <> $2")
        .bind(Role::Owner.code())
        .bind(id.to_string())
        .fetch_optional(tx)
        .await?;
    if other.is_none() {
        return Err(Conflict::LastOwner.into());
    }
    Ok(())
}

async fn put_password(
    tx: &mut AnyConnection,
    id: &AccountId,
    password: Option<&str>,
    keep: Option<&SessionId>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE accounts SET password = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(password.map(str::to_owned))
        .execute(&mut *tx)
        .await?;
    // Whoever had a link of it, or made one in a session that ends here, comes in by none.
    sqlx::query("DELETE FROM codes WHERE account_id = $1")
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    sqlx::query("DELETE FROM sessions WHERE account_id = $1 AND id <> $2")
        .bind(id.to_string())
        .bind(keep.map_or_else(String::new, SessionId::to_string))
        .execute(tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::signed::VerifyingKey;

    use super::*;
    use crate::clock::Clock;
    use crate::secret::hash;
    use crate::store::tests::open_older;

    #[tokio::test]
    async fn what_an_earlier_version_let_in_belongs_to_the_first_owner_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.db");
        let before = open_older(&path, 23).await;
        let (token, code) = (Secret::new("token"), Secret::new("code"));
        let key = VerifyingKey::from_bytes(&[1; 32]);
        for row in [
            format!(
                "INSERT INTO sessions (id, token_hash, made_at_ms, used_at_ms, expires_at_ms, peer) \
                 VALUES ('ses_1', '{}', 5, 5, 999999, '127.0.0.1')",
                hash(&token)
            ),
            format!(
                "INSERT INTO devices (id, name, origin, public_key, paired_at_ms) VALUES ('dev_1', 'Jane', NULL, '{key}', 5)"
            ),
            format!(
                "INSERT INTO codes (hash, purpose, expires_at_ms) VALUES ('{}', 'login', 999999)",
                hash(&code)
            ),
        ] {
            let row = sqlx::query(sqlx::AssertSqlSafe(row));
            row.execute(&before).await.unwrap();
        }
        before.close().await;
        let now = Timestamp::from_ms(10);
        for _ in 0..2 {
            let store = Store::open(&path, &Clock::manual(now)).await.unwrap();
            let doors = store.doors();
            let accounts = doors.list_accounts().await.unwrap();
            assert_eq!(accounts.len(), 1, "made once");
            let owner = &accounts[0];
            assert_eq!((owner.role, owner.has_password), (Role::Owner, false));
            let holder = Holder {
                account: owner.id.clone(),
                role: Role::Owner,
            };
            let session = doors
                .find_session(&token, now, Duration::from_secs(1))
                .await;
            assert_eq!(
                session.unwrap().map(|found| found.holder),
                Some(holder.clone())
            );
            // Devices of before know the first key, which a start writes down.
            sqlx::query(
                "INSERT INTO relay_keys (number, signing_key, sealing_key, begun_at_ms) VALUES (1, $1, '', 5) \
                 ON CONFLICT (number) DO NOTHING",
            )
            .bind(key.to_string())
            .execute(&store.writer)
            .await
            .unwrap();
            let device = doors.find_device(&key).await.unwrap();
            assert_eq!(device.map(|found| found.holder), Some(holder.clone()));
            let login = doors.find_code(Purpose::Login, &code, now).await.unwrap();
            assert_eq!(login, Some(owner.id.clone()));
            assert_eq!(doors.load_sees(&holder).await.unwrap(), Sees::Everything);
            store.close().await;
        }
    }
}

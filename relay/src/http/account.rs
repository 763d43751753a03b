//! Accounts of others: an owner makes them, says what they may do and see, and removes them.

use std::time::Duration;

use protocol::account::Role;
use protocol::request::Done;
use protocol::request::account::{
    Account, Accounts, CreateAccount, CreateInvitation, DeleteAccount, Invitation, ListAccounts,
    UpdateAccount,
};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use url::form_urlencoded::byte_serialize;

use super::{Context, Serve, ServeError};
use crate::secret::random_secret;
use crate::store::StoreError;
use crate::store::account::Changes;

/// How long an invitation waits to be taken: over a weekend.
const INVITATION_FOR: Duration = Duration::from_hours(3 * 24);

impl Serve for ListAccounts {
    async fn serve(self, context: Context) -> Result<Accounts, ServeError> {
        let accounts = context.doors().list_accounts().await?;
        Ok(Accounts { accounts })
    }
}

impl Serve for CreateAccount {
    async fn serve(self, context: Context) -> Result<Invitation, ServeError> {
        if self.role != Role::Client && !self.inboxes.is_empty() {
            let detail = format!(
                "only a client is given inboxes, and a {} sees all: leave them away, or make it a client",
                self.role
            );
            return Err(ServeError::invalid("inboxes", detail));
        }
        let (now, code, doors) = (context.now(), random_secret(), context.doors());
        let expires_at = now + INVITATION_FOR;
        let times = (now, expires_at);
        let id = doors
            .create_account(&self.name, self.role, &self.inboxes, &code, times)
            .await
            .map_err(unknown_inbox)?;
        let account = doors.load_account(&id).await?;
        Ok(invitation(&context, account, &code, expires_at))
    }
}

impl Serve for CreateInvitation {
    async fn serve(self, context: Context) -> Result<Invitation, ServeError> {
        let (now, code, doors) = (context.now(), random_secret(), context.doors());
        let expires_at = now + INVITATION_FOR;
        let id = &self.account_id;
        doors.invite(id, &code, (now, expires_at)).await?;
        let account = doors.load_account(id).await?;
        Ok(invitation(&context, account, &code, expires_at))
    }
}

impl Serve for UpdateAccount {
    async fn serve(self, context: Context) -> Result<Account, ServeError> {
        let (id, doors) = (&self.account_id, context.doors());
        let changes = Changes {
            name: self.name,
            role: self.role,
            inboxes: self.inboxes,
        };
        let gives = changes.inboxes.is_some();
        let done = doors.update_account(id, &changes).await;
        done.map_err(|error| {
            if gives {
                unknown_inbox(error)
            } else {
                error.into()
            }
        })?;
        let account = doors.load_account(id).await?;
        Ok(account)
    }
}

impl Serve for DeleteAccount {
    async fn serve(self, context: Context) -> Result<Done, ServeError> {
        let (id, doors) = (&self.account_id, context.doors());
        doors.delete_account(id).await?;
        Ok(Done {})
    }
}

/// An inbox that is given must be there.
fn unknown_inbox(error: StoreError) -> ServeError {
    match error {
        StoreError::NotFound { what: "inbox", .. } => {
            ServeError::invalid("inboxes", error.to_string())
        }
        error => error.into(),
    }
}

fn invitation(
    context: &Context,
    account: Account,
    code: &Secret,
    expires_at: Timestamp,
) -> Invitation {
    // In the fragment, so that it is in no log of a server. The name is for a password manager to keep with the password.
    let name: String = byte_serialize(account.name.as_str().as_bytes()).collect();
    let url = format!(
        "{}/login#invitation={}&name={name}",
        context.relay_url(),
        code.expose()
    );
    Invitation {
        account,
        url: Secret::new(url),
        expires_at,
    }
}

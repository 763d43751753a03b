//! API keys: made, listed and ended by whoever is signed in. Who comes in by one is looked up in `answer`.

use protocol::id::KeyId;
use protocol::key::{DAY, DAYS, DAYS_AT_MOST, NAME_AT_MOST, PREFIX};
use protocol::problem::{Code, Problem};
use protocol::request::Done;
use protocol::request::key::{ApiKeys, CreateKey, DeleteKey, ListKeys, ListedKey, NewKey};
use protocol::secret::Secret;

use super::{Context, Serve, ServeError};
use crate::secret::random_text;
use crate::store::key::NewApiKey;

/// Why a key is neither made nor taken where the relay is not reached by https.
pub(super) const NEEDS_HTTPS: &str = "an API key is sent with every request, so it is good over https alone, and this relay is \
     reached without it: set public_url to an https address (docs/server.md); a program on this machine can call \
     `unpause --json` instead";

impl Serve for CreateKey {
    async fn serve(self, context: Context) -> Result<NewKey, ServeError> {
        let name = self.name.trim();
        let n_chars = name.chars().count();
        if n_chars == 0 || n_chars > NAME_AT_MOST || name.chars().any(char::is_control) {
            let detail = format!(
                "expected a name of 1 to {NAME_AT_MOST} characters that can be shown, found {n_chars}"
            );
            return Err(ServeError::invalid("name", detail));
        }
        if self.scopes.is_empty() {
            let detail = "expected at least one of read, reconnect, campaigns, inboxes and suppressions, found none";
            return Err(ServeError::invalid("scopes", detail));
        }
        let days = self.days.unwrap_or(DAYS);
        if !(1..=DAYS_AT_MOST).contains(&days) {
            let detail = format!("expected 1 to {DAYS_AT_MOST} days, found {days}");
            return Err(ServeError::invalid("days", detail));
        }
        if !context.is_encrypted() {
            return Err(Problem::new(Code::Conflict, NEEDS_HTTPS).into());
        }
        let (now, doors, of) = (context.now(), context.doors(), context.own_account().await?);
        let key = Secret::new(format!("{PREFIX}{}", random_text()));
        let new = NewApiKey {
            id: KeyId::new(format!("{}{}", KeyId::PREFIX, random_text())),
            name: name.to_owned(),
            scopes: self.scopes,
            made_at: now,
            ends_at: now + DAY * days,
        };
        doors.create_key(&of, &key, &new).await?;
        let account = doors.load_account(&of).await?.name;
        Ok(NewKey {
            key,
            listed: ListedKey {
                id: new.id,
                name: new.name,
                account,
                scopes: new.scopes,
                made_at: new.made_at,
                ends_at: new.ends_at,
                used_at: None,
                used_from: None,
            },
        })
    }
}

impl Serve for ListKeys {
    async fn serve(self, context: Context) -> Result<ApiKeys, ServeError> {
        Ok(ApiKeys {
            keys: context.doors().list_keys(context.of_whom()).await?,
        })
    }
}

impl Serve for DeleteKey {
    async fn serve(self, context: Context) -> Result<Done, ServeError> {
        let of = context.of_whom();
        context.doors().delete_key(&self.key_id, of).await?;
        Ok(Done {})
    }
}

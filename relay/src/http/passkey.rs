//! Passkeys of the account that asks: made, listed and removed; and signing in by one. What is checked of what an
//! authenticator made or signed is [`crate::passkey`]'s.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::id::{AccountId, PasskeyId};
use protocol::problem::{Code, Problem};
use protocol::request::Done;
use protocol::request::passkey::{
    ALGORITHMS, Assertion, BeginSignIn, BegunSignIn, CreatePasskey, DeletePasskey,
    GetPasskeyCreation, ListPasskeys, NAME_AT_MOST, Passkey, PasskeyAsked, PasskeyCreation,
    Passkeys, SignInByPasskey,
};
use protocol::request::session::Session;

use super::ceremonies::Purpose;
use super::session::begin;
use super::{Context, Serve, ServeError, browser};
use crate::passkey::{
    ClientData, Fault, PublicKey, RelyingParty, Signed as SignedAssertion, read_assertion,
    read_creation,
};
use crate::secret::{hash, random_secret, random_text};
use crate::store::StoreError;
use crate::store::passkey::{FoundPasskey, NewPasskey, PasskeyUse};

/// What is said of a passkey that is not known, of one of another account, and of a signature that is not right.
const WRONG: &str =
    "this passkey is not known here, or what it signed is not right: sign in another way";

impl Serve for GetPasskeyCreation {
    async fn serve(self, context: Context) -> Result<PasskeyCreation, ServeError> {
        let (account, session) = context.own_session()?;
        let party = party(&context)?;
        let (challenge, expires_at) =
            (context.api.ceremonies).give(Purpose::Creation, session.as_str(), context.now());
        let doors = context.doors();
        Ok(PasskeyCreation {
            challenge,
            expires_at,
            rp_id: party.id,
            user_handle: handle_of(account),
            user_name: doors.load_kept(account).await?.name.to_string(),
            algorithms: ALGORITHMS.to_vec(),
            known: doors.list_credentials(account).await?,
        })
    }
}

impl Serve for CreatePasskey {
    async fn serve(self, context: Context) -> Result<Passkey, ServeError> {
        let (account, session) = context.own_session()?;
        let name = self.name.trim();
        let n_chars = name.chars().count();
        if n_chars == 0 || n_chars > NAME_AT_MOST || name.chars().any(char::is_control) {
            let detail = format!(
                "expected a name of 1 to {NAME_AT_MOST} characters that can be shown, found {n_chars}"
            );
            return Err(ServeError::invalid("name", detail));
        }
        let (party, now) = (party(&context)?, context.now());
        let client = ClientData::parse(&self.client_data).map_err(invalid)?;
        let ceremonies = &context.api.ceremonies;
        let given_for = (Purpose::Creation, session.as_str());
        ceremonies.check(client.challenge(), given_for, now)?;
        let made = read_creation(&party, &client, &self).map_err(invalid)?;
        ceremonies.use_up(client.challenge(), now)?;
        let listed = Passkey {
            id: PasskeyId::new(format!("{}{}", PasskeyId::PREFIX, random_text())),
            name: name.to_owned(),
            made_at: now,
            used_at: None,
        };
        let new = NewPasskey {
            listed: listed.clone(),
            credential_id: &made.id,
            public_key: made.key.render(),
            counter: made.counter,
        };
        context.doors().create_passkey(account, &new).await?;
        Ok(listed)
    }
}

impl Serve for ListPasskeys {
    async fn serve(self, context: Context) -> Result<Passkeys, ServeError> {
        let (account, _) = context.own_session()?;
        let passkeys = context.doors().list_passkeys(account).await?;
        Ok(Passkeys { passkeys })
    }
}

impl Serve for DeletePasskey {
    async fn serve(self, context: Context) -> Result<Done, ServeError> {
        let (account, _) = context.own_session()?;
        let doors = context.doors();
        doors.delete_passkey(&self.passkey_id, account).await?;
        Ok(Done {})
    }
}

impl Serve for BeginSignIn {
    async fn serve(self, context: Context) -> Result<BegunSignIn, ServeError> {
        let party = party(&context)?;
        let begun = random_secret();
        let (challenge, expires_at) =
            (context.api.ceremonies).give(Purpose::SignIn, &hash(&begun), context.now());
        Ok(BegunSignIn {
            begun,
            asked: PasskeyAsked {
                challenge,
                expires_at,
                rp_id: party.id,
                credentials: Vec::new(),
            },
        })
    }
}

impl Serve for SignInByPasskey {
    async fn prepare(&self, context: &mut Context) -> Result<(), ServeError> {
        let bound = hash(&self.begun);
        if read(context, &self.passkey, (Purpose::SignIn, &bound)).is_err() {
            // Told by what follows: nothing is guessed by it.
            return Ok(());
        }
        let id = &self.passkey.credential_id;
        let by = browser::find(context, id);
        context.wait_for_turn(id, by).await
    }

    async fn serve(self, context: Context) -> Result<Session, ServeError> {
        let bound = hash(&self.begun);
        let used = judge(&context, &self.passkey, (Purpose::SignIn, &bound), None).await?;
        let is_his = self.passkey.user_handle == Some(handle_of(&used.found.account));
        let (token, session) = begin(&context);
        let is_in = is_his
            && context
                .doors()
                .begin_session_by_passkey(used.used(&context), &token, &session)
                .await?;
        if !is_in {
            return Err(wrong(&context));
        }
        context.note_right(&self.passkey.credential_id)?;
        Ok(Session {
            token,
            expires_at: session.expires_at,
        })
    }
}

/// A passkey that has signed what it was asked to.
pub(super) struct Used {
    found: FoundPasskey,
    counter: u32,
}

impl Used {
    pub(super) fn used(&self, context: &Context) -> PasskeyUse<'_> {
        PasskeyUse {
            found: &self.found,
            counter: self.counter,
            at: context.now(),
        }
    }
}

/// What the browser and the authenticator say, for a challenge of ours that is good.
fn read(
    context: &Context,
    made: &Assertion,
    given_for: (Purpose, &str),
) -> Result<(ClientData, SignedAssertion), ServeError> {
    let (party, ceremonies) = (party(context)?, &context.api.ceremonies);
    let client = ClientData::parse(&made.client_data).map_err(invalid)?;
    ceremonies.check(client.challenge(), given_for, context.now())?;
    let signed = read_assertion(&party, &client, made).map_err(invalid)?;
    Ok((client, signed))
}

/// Looks at what a passkey signed, in the order in which nothing is told of an account before it is proved: first what the
/// browser and the authenticator say, then whose the passkey is and its signature. The challenge is used up by what was
/// signed well. `of`: it must be a passkey of this account.
pub(super) async fn judge(
    context: &Context,
    made: &Assertion,
    given_for: (Purpose, &str),
    of: Option<&AccountId>,
) -> Result<Used, ServeError> {
    let (client, signed) = read(context, made, given_for)?;
    let ceremonies = &context.api.ceremonies;
    let found = context.doors().find_passkey(&made.credential_id).await?;
    let Some(found) = found.filter(|found| of.is_none_or(|of| found.account == *of)) else {
        return Err(wrong(context));
    };
    if of.is_none() {
        context.meant.set(&found.account);
    }
    context.meant.note("passkey", found.id.as_str());
    let key = PublicKey::parse(&found.public_key)
        .map_err(|_| StoreError::Corrupt { what: "public_key" })?;
    // A handle that is named must be the account's, signature or not (§7.2).
    let names_another =
        (made.user_handle.as_ref()).is_some_and(|handle| *handle != handle_of(&found.account));
    if names_another || signed.check(&key).is_err() {
        return Err(wrong(context));
    }
    ceremonies.use_up(client.challenge(), context.now())?;
    if !signed.has_grown(found.counter) {
        let went = format!("went back from {} to {}", found.counter, signed.counter);
        context.meant.note("counter", went);
        let detail = "this passkey may have been copied: its count of signatures went back. Sign in another way, remove it \
                      in the settings, and add a new one";
        return Err(Problem::new(Code::Forbidden, detail).into());
    }
    Ok(Used {
        counter: signed.counter,
        found,
    })
}

/// Where passkeys are used, or why nowhere.
pub(super) fn party(context: &Context) -> Result<RelyingParty, Problem> {
    context.api.address.relying_party().ok_or_else(|| {
        let detail = format!(
            "a passkey is bound to a name, and this relay is reached at the bare address {}: give it a name and set \
             public_url to that (docs/server.md)",
            context.relay_url()
        );
        Problem::new(Code::Conflict, detail)
    })
}

/// What an authenticator knows an account by: its id, which is random and says nothing of it.
fn handle_of(account: &AccountId) -> String {
    URL_SAFE_NO_PAD.encode(account.as_str())
}

pub(super) fn wrong(context: &Context) -> ServeError {
    context.note_wrong();
    Problem::new(Code::Unauthenticated, WRONG).into()
}

/// A fault of what a browser sent, at the part where it is.
fn invalid(fault: Fault) -> ServeError {
    let field = match fault {
        Fault::NotBase64
        | Fault::NotClientData
        | Fault::OtherCeremony
        | Fault::OtherOrigin
        | Fault::Framed => "client_data",
        Fault::NotAttestation | Fault::OtherId | Fault::NotAKey => "attestation",
        Fault::NotAuthenticatorData
        | Fault::OtherParty
        | Fault::NobodyPresent
        | Fault::Unverified => "authenticator_data",
        Fault::NotSigned => "signature",
    };
    ServeError::invalid(field, fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authenticator_knows_an_account_by_at_most_64_bytes_that_say_nothing() {
        let account = AccountId::new(format!("{}{}", AccountId::PREFIX, random_text()));
        let handle = URL_SAFE_NO_PAD.decode(handle_of(&account)).unwrap();
        assert!(handle.len() <= 64, "Web Authentication §5.4.3");
        assert_eq!(handle, account.as_str().as_bytes());
    }
}

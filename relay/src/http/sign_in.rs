//! Signing in by a password, and setting one. Which passwords are taken is [`protocol::account`]'s.

use std::net::IpAddr;

use protocol::account::{PasswordFault, check_password};
use protocol::problem::{Code, Problem};
use protocol::request::account::{
    AcceptInvitation, Account, DeletePassword, GetAccount, SetPassword, SignIn,
};
use protocol::request::session::Session;
use protocol::secret::Secret;

use super::session::begin;
use super::{Context, Serve, ServeError};
use crate::secret::tried::is_tried;
use crate::store::access::Purpose;
use crate::store::account::Kept;

/// What is said of a password that is wrong, of a name that no account has, and of an account that has no password.
const WRONG: &str = "the name or the password is wrong";

impl Serve for SignIn {
    async fn serve(self, context: Context) -> Result<Session, ServeError> {
        let (peer, doors) = (context.peer, context.doors());
        let waiting = context.api.slowing.wait(&self.name, peer, context.now());
        waiting.await;
        let kept = doors.find_kept(&self.name).await?;
        if let Some(kept) = &kept {
            context.meant.set(&kept.account);
        }
        let password = kept.as_ref().and_then(|kept| kept.password.as_deref());
        let (token, session) = begin(&context);
        let is_right = is_right(&context, &self.password, password).await?;
        let is_in = match &kept {
            Some(Kept {
                account,
                password: Some(password),
                ..
            }) if is_right => {
                doors
                    .begin_session(account, password, &token, &session)
                    .await?
            }
            _ => false,
        };
        if !is_in {
            return Err(refuse(&context, &self.name, peer));
        }
        Ok(Session {
            token,
            expires_at: session.expires_at,
        })
    }
}

impl Serve for AcceptInvitation {
    async fn serve(self, context: Context) -> Result<Session, ServeError> {
        let (doors, now) = (context.doors(), context.now());
        let unknown = || {
            let detail = "this invitation is unknown, was used, or ran out: ask for a new one";
            ServeError::invalid("code", detail)
        };
        // Before anything is hashed.
        let account = doors
            .find_code(Purpose::Invitation, &self.code, now)
            .await?
            .ok_or_else(unknown)?;
        context.meant.set(&account);
        let kept = doors.load_kept(&account).await?;
        let hashed = take(&context, &self.password, &kept).await?;
        let (token, session) = begin(&context);
        if !doors
            .accept_invitation(&self.code, &hashed, &token, &session)
            .await?
        {
            return Err(unknown());
        }
        Ok(Session {
            token,
            expires_at: session.expires_at,
        })
    }
}

impl Serve for GetAccount {
    async fn serve(self, context: Context) -> Result<Account, ServeError> {
        let (account, _) = context.own_session()?;
        Ok(context.doors().load_account(account).await?)
    }
}

impl Serve for SetPassword {
    async fn serve(self, context: Context) -> Result<Account, ServeError> {
        let (account, session) = context.own_session()?;
        let doors = context.doors();
        let kept = doors.load_kept(account).await?;
        if let Some(password) = kept.password.as_deref() {
            let current = self.current.clone().unwrap_or_else(|| Secret::new(""));
            if !is_right_after_waiting(&context, &kept, &current, password).await? {
                let detail = "expected the password of now, found another";
                return Err(ServeError::invalid("current", detail));
            }
        } else {
            context.check_proof()?;
        }
        let hashed = take(&context, &self.password, &kept).await?;
        let asked = (session, context.now());
        if !doors.set_password(&kept, &hashed, asked).await? {
            let detail = "another password was set a moment ago: sign in with that one";
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        Ok(doors.load_account(account).await?)
    }
}

impl Serve for DeletePassword {
    async fn serve(self, context: Context) -> Result<Account, ServeError> {
        let (account, session) = context.own_session()?;
        let doors = context.doors();
        doors.delete_password(account, session).await?;
        Ok(doors.load_account(account).await?)
    }
}

/// Whether this is the password of an account that is known, for whoever waits as long as guesses have to.
pub(super) async fn is_right_after_waiting(
    context: &Context,
    kept: &Kept,
    typed: &Secret,
    password: &str,
) -> Result<bool, ServeError> {
    let (name, slowing) = (kept.name.as_str(), &context.api.slowing);
    slowing.wait(name, context.peer, context.now()).await;
    let is_right = is_right(context, typed, Some(password)).await?;
    if !is_right {
        slowing.note_wrong(name, context.peer, context.now());
    }
    Ok(is_right)
}

/// What is kept of a password, if it is one that is taken.
async fn take(context: &Context, password: &Secret, of: &Kept) -> Result<String, ServeError> {
    check_password(password, of.name.as_str())
        .map_err(|fault| ServeError::invalid("password", fault.to_string()))?;
    if is_tried(password) {
        let what = "one of the passwords that are tried first";
        let fault = PasswordFault::Guessable { what };
        return Err(ServeError::invalid("password", fault.to_string()));
    }
    let hashed = context.api.passwords.hash(password).await;
    hashed.map_err(ServeError::internal)
}

async fn is_right(
    context: &Context,
    password: &Secret,
    kept: Option<&str>,
) -> Result<bool, ServeError> {
    let is_right = context.api.passwords.is_right(password, kept).await;
    is_right.map_err(ServeError::internal)
}

fn refuse(context: &Context, name: &str, peer: IpAddr) -> ServeError {
    context.api.slowing.note_wrong(name, peer, context.now());
    Problem::new(Code::Unauthenticated, WRONG).into()
}

//! Signing in by a password, and setting one. Which passwords are taken is [`protocol::account`]'s.

use protocol::account::{PasswordFault, check_password};
use protocol::problem::{Code, Problem};
use protocol::request::account::{
    AcceptInvitation, Account, DeletePassword, GetAccount, SetPassword, SignIn,
};
use protocol::request::session::Session;
use protocol::secret::Secret;

use super::session::begin;
use super::slowing::By;
use super::{Context, Serve, ServeError, Who, browser};
use crate::secret::tried::is_tried;
use crate::store::access::Purpose;
use crate::store::account::Kept;

/// What is said of a password that is wrong, of a name that no account has, and of an account that has no password.
const WRONG: &str = "the name or the password is wrong";

impl Serve for SignIn {
    async fn prepare(&self, context: &mut Context) -> Result<(), ServeError> {
        let by = browser::find(context, &self.name);
        context.wait_for_turn(&self.name, by).await
    }

    async fn serve(self, context: Context) -> Result<Session, ServeError> {
        let doors = context.doors();
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
            context.note_wrong();
            return Err(Problem::new(Code::Unauthenticated, WRONG).into());
        }
        context.note_right(&self.name)?;
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
    async fn prepare(&self, context: &mut Context) -> Result<(), ServeError> {
        wait_for_proof(context).await
    }

    async fn serve(self, context: Context) -> Result<Account, ServeError> {
        let (account, session) = context.own_session()?;
        let doors = context.doors();
        let kept = doors.load_kept(account).await?;
        if let Some(password) = kept.password.as_deref() {
            let current = self.current.clone().unwrap_or_else(|| Secret::new(""));
            if !is_right_in_its_turn(&context, &current, password).await? {
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

/// Waits until what a session shows as a proof may be looked at.
pub(super) async fn wait_for_proof(context: &mut Context) -> Result<(), ServeError> {
    let Who::Session(session) = &context.who else {
        // The operator has nothing to prove.
        return Ok(());
    };
    let by = By::Session(session.clone());
    context.wait_for_turn("", by).await
}

/// Whether this is the password of the account, for a guess that has its turn.
pub(super) async fn is_right_in_its_turn(
    context: &Context,
    typed: &Secret,
    password: &str,
) -> Result<bool, ServeError> {
    let is_right = is_right(context, typed, Some(password)).await?;
    if !is_right {
        context.note_wrong();
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

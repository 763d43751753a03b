//! Proving anew whose a session is, before it changes who comes in: by the account's password or by one of its passkeys.
//! What asks for a proof is [`protocol::request::Request::ANEW`]'s to say. A session is proved when it begins.

use protocol::problem::{Code, Problem};
use protocol::request::passkey::{BeginProof, PROOF_FOR, PasskeyAsked, Proof, Prove};
use protocol::secret::Secret;

use super::ceremonies::Purpose;
use super::passkey::{judge, party, wrong};
use super::sign_in::{is_right_in_its_turn, wait_for_proof};
use super::{Context, Serve, ServeError};

/// What is said of a password that is wrong, and of an account that has none.
const WRONG: &str = "expected the password of this account, found another";

impl Serve for BeginProof {
    async fn serve(self, context: Context) -> Result<PasskeyAsked, ServeError> {
        let (account, session) = context.own_session()?;
        let party = party(&context)?;
        let (challenge, expires_at) =
            (context.api.ceremonies).give(Purpose::Proof, session.as_str(), context.now());
        Ok(PasskeyAsked {
            challenge,
            expires_at,
            rp_id: party.id,
            credentials: context.doors().list_credentials(account).await?,
        })
    }
}

impl Serve for Prove {
    async fn prepare(&self, context: &mut Context) -> Result<(), ServeError> {
        wait_for_proof(context).await
    }

    async fn serve(self, context: Context) -> Result<Proof, ServeError> {
        match (&self.password, &self.passkey) {
            (Some(typed), None) => by_password(&context, typed).await?,
            (None, Some(made)) => {
                let (account, session) = context.own_session()?;
                let given_for = (Purpose::Proof, session.as_str());
                // Somebody who is signed in is told that the passkey is wrong, and stays it.
                let used = judge(&context, made, given_for, Some(account))
                    .await
                    .map_err(at_passkey)?;
                let doors = context.doors();
                if !doors.prove_by_passkey(used.used(&context), session).await? {
                    return Err(at_passkey(wrong(&context)));
                }
            }
            _ => {
                let detail = "expected either a password or a passkey";
                return Err(ServeError::invalid("password", detail));
            }
        }
        Ok(Proof {
            until: context.now() + PROOF_FOR,
        })
    }
}

async fn by_password(context: &Context, typed: &Secret) -> Result<(), ServeError> {
    let (account, session) = context.own_session()?;
    let doors = context.doors();
    let kept = doors.load_kept(account).await?;
    let wrong = || ServeError::invalid("password", WRONG);
    let password = kept.password.as_deref().ok_or_else(wrong)?;
    let is_right = is_right_in_its_turn(context, typed, password).await?;
    let proved = (session, context.now());
    if !is_right || !doors.prove_by_password(account, password, proved).await? {
        return Err(wrong());
    }
    Ok(())
}

fn at_passkey(refused: ServeError) -> ServeError {
    match refused {
        ServeError::Refused(problem) if problem.code == Code::Unauthenticated => {
            Problem::new(Code::Invalid, problem.detail)
                .at_field("passkey")
                .into()
        }
        refused => refused,
    }
}

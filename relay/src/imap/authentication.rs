//! Signing in over IMAP: which mechanism, and its exchange. Where the credentials come from is the
//! caller's business.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::evidence::{Party, Said, Stage};
use protocol::reply::ImapReply;
use protocol::secret::Secret;
use zeroize::Zeroizing;

use super::capabilities::Capabilities;
use super::command::Command;
use super::wire::garbage;
use crate::failure::Failure;
use crate::sign_in::SignIn;
use crate::tls::hush::hush;

/// The command that signs in where the server offers `offered`; a failure where it offers no way.
///
/// Observed with Dovecot 2.3.19 on 2026-11-23: a refused token is answered by `+` with
/// `{"status":"401","schemes":"bearer","scope":"mail"}` in base64, and by
/// `NO [AUTHENTICATIONFAILED] Authentication failed.` only after an empty line.
pub(super) fn choose_command(offered: &Capabilities, sign_in: &SignIn) -> Result<Command, Failure> {
    let refuse = |wanted: &str| {
        let detail = format!("the server offers {} and not {wanted}", offered.sign_ins());
        Err(Failure::new(Party::Imap, Stage::Auth, garbage(&detail)))
    };
    match sign_in {
        SignIn::Bearer { user, access_token } => {
            if !offered.has("AUTH=XOAUTH2") {
                return refuse("AUTH=XOAUTH2");
            }
            let mut command = authenticate(offered, "XOAUTH2", &render_xoauth2(user, access_token));
            command.takes_challenge = true;
            Ok(command)
        }
        SignIn::Password { user, password } => {
            if offered.has("AUTH=PLAIN") {
                let response = Zeroizing::new(format!("\0{user}\0{}", password.expose()));
                return Ok(authenticate(offered, "PLAIN", &response));
            }
            // RFC 9051 §6.2.3: with LOGINDISABLED the command must not be sent.
            if offered.has("LOGINDISABLED") {
                return refuse("AUTH=PLAIN or LOGIN");
            }
            let password = password.expose().as_bytes();
            Ok(Command::new("LOGIN")
                .string(user.as_bytes())
                .string(password))
        }
    }
}

/// `failure` with every trace of the credentials taken out: some servers repeat the command they
/// refuse.
pub(super) fn redact(mut failure: Failure, sign_in: &SignIn) -> Failure {
    let (secret, response) = match sign_in {
        SignIn::Bearer { user, access_token } => (access_token, render_xoauth2(user, access_token)),
        SignIn::Password { user, password } => (
            password,
            Zeroizing::new(format!("\0{user}\0{}", password.expose())),
        ),
    };
    let encoded = Zeroizing::new(STANDARD.encode(response.as_bytes()));
    if let Said::Imap(ImapReply { text, .. }) | Said::Garbage { detail: text } = &mut failure.said {
        *text = hush(text, &[secret.expose(), &encoded]);
    }
    failure
}

/// `AUTHENTICATE` with its response: in the command where the server takes that (RFC 4959), else
/// when it asks.
fn authenticate(offered: &Capabilities, mechanism: &str, response: &Zeroizing<String>) -> Command {
    let encoded = Zeroizing::new(STANDARD.encode(response.as_bytes()));
    let command = Command::new("AUTHENTICATE").word(mechanism);
    // IMAP4rev2 has SASL-IR in it (RFC 9051, appendix E).
    if offered.has("SASL-IR") || offered.has("IMAP4REV2") {
        command.word(&encoded)
    } else {
        command.turn(&encoded)
    }
}

/// The XOAUTH2 response, as Google and Microsoft describe it; there is no RFC.
fn render_xoauth2(user: &str, access_token: &Secret) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "user={user}\x01auth=Bearer {}\x01\x01",
        access_token.expose()
    ))
}

//! Signing in over IMAP: which mechanism, and its exchange. Where the credentials come from is the
//! caller's business.

use protocol::evidence::{Finding, Party, Said, Stage};

use super::capabilities::Capabilities;
use super::command::Command;
use crate::failure::Failure;
use crate::sign_in::SignIn;

/// The command that signs in where the server offers `offered`; a failure where it offers no way.
///
/// Observed with Dovecot 2.3.19 on 2026-11-23: a refused token is answered by `+` with
/// `{"status":"401","schemes":"bearer","scope":"mail"}` in base64, and by
/// `NO [AUTHENTICATIONFAILED] Authentication failed.` only after an empty line.
pub(super) fn choose_command(offered: &Capabilities, sign_in: &SignIn) -> Result<Command, Failure> {
    let refuse = |wanted: &str| {
        let found = Finding::NoSignInOffered {
            needed: wanted.to_owned(),
            offered: offered.sign_ins(),
        };
        Err(Failure::new(Party::Imap, Stage::Auth, Said::Found(found)))
    };
    match sign_in {
        SignIn::Bearer { .. } => {
            if !offered.has("AUTH=XOAUTH2") {
                return refuse("AUTH=XOAUTH2");
            }
            let mut command = authenticate(offered, "XOAUTH2", &sign_in.encode());
            command.takes_challenge = true;
            Ok(command)
        }
        SignIn::Password { user, password } => {
            if offered.has("AUTH=PLAIN") {
                return Ok(authenticate(offered, "PLAIN", &sign_in.encode()));
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

/// `AUTHENTICATE` with its response: in the command where the server takes that (RFC 4959), else
/// when it asks.
fn authenticate(offered: &Capabilities, mechanism: &str, encoded: &str) -> Command {
    let command = Command::new("AUTHENTICATE").word(mechanism);
    // IMAP4rev2 has SASL-IR in it (RFC 9051, appendix E).
    if offered.has("SASL-IR") || offered.has("IMAP4REV2") {
        command.word(encoded)
    } else {
        command.turn(encoded)
    }
}

//! Signing in over IMAP: which mechanism, and its exchange. Where the credentials come from is the
//! caller's business.

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::evidence::{Finding, Party, Said, Stage};
use protocol::reply::ImapStatus;
use zeroize::Zeroizing;

use super::capabilities::Capabilities;
use super::command::Command;
use crate::failure::Failure;
use crate::sign_in::SignIn;

/// The commands that sign in where the server offers `offered`, the best first; a failure where it offers no way.
/// What an access token is for never goes on to a password.
///
/// Observed with Dovecot 2.3.19 on 2026-11-23: a refused token is answered by `+` with
/// `{"status":"401","schemes":"bearer","scope":"mail"}` in base64, and by
/// `NO [AUTHENTICATIONFAILED] Authentication failed.` only after an empty line.
pub(super) fn list_ways(
    offered: &Capabilities,
    sign_in: &SignIn,
) -> Result<VecDeque<Command>, Failure> {
    let mut ways = VecDeque::new();
    let wanted = match sign_in {
        SignIn::Bearer { .. } => {
            if offered.has("AUTH=XOAUTH2") {
                let mut command = authenticate(offered, "XOAUTH2", &sign_in.encode());
                command.takes_challenge = true;
                ways.push_back(command);
            }
            "AUTH=XOAUTH2"
        }
        SignIn::Password { user, password } => {
            let password = password.expose();
            if offered.has("AUTH=PLAIN") {
                ways.push_back(authenticate(offered, "PLAIN", &sign_in.encode()));
            }
            // RFC 9051 §6.2.3: with LOGINDISABLED the command must not be sent.
            if !offered.has("LOGINDISABLED") {
                let command = Command::new("LOGIN").string(user.as_bytes());
                ways.push_back(command.string(password.as_bytes()));
            }
            // No RFC describes the mechanism (draft-murchison-sasl-login §2): two questions, two answers.
            if offered.has("AUTH=LOGIN") {
                let command = Command::new("AUTHENTICATE LOGIN").turn(&encode(user));
                ways.push_back(command.turn(&encode(password)));
            }
            "AUTH=PLAIN or LOGIN"
        }
    };
    if ways.is_empty() {
        let found = Finding::NoSignInOffered {
            needed: wanted.to_owned(),
            offered: offered.sign_ins(),
        };
        return Err(Failure::new(Party::Imap, Stage::Auth, Said::Found(found)));
    }
    Ok(ways)
}

/// Whether a refusal is of the way to sign in and not of who signs in: `BAD` is a command that the server does not
/// know (RFC 9051 §7.1.3).
pub(super) fn refuses_the_way(failure: &Failure) -> bool {
    match &failure.said {
        Said::Imap(reply) => match reply.status {
            ImapStatus::Bad => true,
            ImapStatus::No => reply.text.to_ascii_lowercase().contains("mechanism"),
            ImapStatus::Bye => false,
        },
        _ => false,
    }
}

fn encode(text: &str) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(text))
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

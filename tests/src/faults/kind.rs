//! Every kind of fault of the run, as lists: those that pass by themselves and must end nothing, and those
//! that a person must mend. A new kind is one entry.

use std::time::Duration;

use protocol::cause::Cause;
use sandbox::{Gate, Trouble};

use Gate::{
    ImapAuth, ImapConnect, ImapFolder, ImapGreeting, SmtpAuth, SmtpBody, SmtpConnect, SmtpData,
    SmtpGreeting, SmtpHello, SmtpMail, SmtpRcpt, Token,
};

/// How an inbox signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignIn {
    /// With the tokens of a grant.
    OAuth,
    /// With a password.
    Password,
}

/// A fault that passes by itself.
#[derive(Debug)]
pub(super) struct Transient {
    /// Its name in the summary.
    pub(super) name: &'static str,
    pub(super) how: How,
}

/// How a passing fault is made.
#[derive(Debug)]
pub(super) enum How {
    /// The inbox's next conversations meet these, each once, in this order at each gate.
    Meets(&'static [(Gate, Play)]),
    /// Nobody listens on this port until the inbox was refused there.
    Refused(Port),
}

/// A port that somebody may stop listening on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Smtp,
    Imap,
    Http,
}

/// What happens at a gate, in a form that a list can hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Play {
    Say(&'static [u8]),
    Answer(u16, &'static str),
    Lose,
    StoreAndLose,
    Late,
    Silence,
}

/// How late a slow server answers: slower than anybody likes, sooner than the relay gives up.
const LATE: Duration = Duration::from_secs(3);

impl Play {
    pub(super) fn trouble(self) -> Trouble {
        match self {
            Self::Say(said) => Trouble::Say(said.to_vec()),
            Self::Answer(status, body) => Trouble::Answer { status, body },
            Self::Lose => Trouble::Lose,
            Self::StoreAndLose => Trouble::StoreAndLose,
            Self::Late => Trouble::Wait(LATE),
            Self::Silence => Trouble::Silence,
        }
    }
}

impl Transient {
    /// Whether it can befall an inbox that signs in like this.
    pub(super) fn befalls(&self, sign_in: SignIn) -> bool {
        sign_in == SignIn::OAuth
            || match self.how {
                How::Meets(parts) => parts.iter().all(|(gate, _)| *gate != Token),
                How::Refused(port) => port != Port::Http,
            }
    }

    /// Whether a server says nothing until the relay gives up, which takes 20 seconds to two minutes.
    pub(super) fn is_long(&self) -> bool {
        match self.how {
            How::Meets(parts) => parts.iter().any(|(_, play)| matches!(play, Play::Silence)),
            How::Refused(_) => false,
        }
    }
}

/// Neither protocol's line, and not UTF-8.
const GARBAGE: Play = Play::Say(b"\x00\xff\xfe garbage \x80");
/// What a proxy says in place of TLS.
const PLAIN_HTTP: Play = Play::Say(b"HTTP/1.1 503 Service Unavailable\r\n\r\nno backend\r\n");
const SMTP_CLOSING: Play = Play::Say(b"421 4.3.2 Service shutting down, closing the connection");
const SMTP_REFUSED: Play = Play::Say(b"535 5.7.8 Authentication credentials invalid");
const IMAP_REFUSED: Play = Play::Say(b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)");
const GRANT_REFUSED: Play = Play::Answer(
    400,
    r#"{"error":"invalid_grant","error_description":"Bad Request"}"#,
);
const TOKEN_503: Play = Play::Answer(503, "<html><title>503</title>Service Unavailable</html>");

const fn meets(name: &'static str, parts: &'static [(Gate, Play)]) -> Transient {
    Transient {
        name,
        how: How::Meets(parts),
    }
}

const fn refused(name: &'static str, port: Port) -> Transient {
    Transient {
        name,
        how: How::Refused(port),
    }
}

/// The faults that pass by themselves.
pub(super) static TRANSIENTS: &[Transient] = &[
    // The token endpoint (RFC 6749 §5.2).
    meets("token_500", &[(Token, Play::Answer(500, "oops"))]),
    meets("token_503", &[(Token, TOKEN_503)]),
    meets(
        "token_502_often",
        &[(Token, Play::Answer(502, "<html>Bad Gateway</html>")); 3],
    ),
    meets(
        "token_429",
        &[(
            Token,
            Play::Answer(429, r#"{"error":"rate_limit_exceeded"}"#),
        )],
    ),
    meets(
        "token_temporarily_unavailable",
        &[(
            Token,
            Play::Answer(400, r#"{"error":"temporarily_unavailable"}"#),
        )],
    ),
    meets(
        "token_server_error",
        &[(Token, Play::Answer(400, r#"{"error":"server_error"}"#))],
    ),
    meets(
        "token_garbage",
        &[(Token, Play::Say(b"<html>a captive portal</html>"))],
    ),
    meets("token_cut_off", &[(Token, Play::Lose)]),
    meets("token_slow", &[(Token, Play::Late)]),
    meets("token_silent", &[(Token, Play::Silence)]),
    meets("token_refused_once", &[(Token, GRANT_REFUSED)]),
    meets("token_refused_twice", &[(Token, GRANT_REFUSED); 2]),
    meets(
        "token_client_refused_once",
        &[(Token, Play::Answer(401, r#"{"error":"invalid_client"}"#))],
    ),
    refused("token_port_closed", Port::Http),
    // Submission: the way there.
    refused("smtp_port_closed", Port::Smtp),
    meets("smtp_handshake_cut", &[(SmtpConnect, Play::Lose)]),
    meets("smtp_no_tls", &[(SmtpConnect, PLAIN_HTTP)]),
    meets("smtp_connect_slow", &[(SmtpConnect, Play::Late)]),
    meets("smtp_closed_before_greeting", &[(SmtpGreeting, Play::Lose)]),
    meets("smtp_421_greeting", &[(SmtpGreeting, SMTP_CLOSING)]),
    meets(
        "smtp_554_greeting",
        &[(
            SmtpGreeting,
            Play::Say(b"554 5.3.2 No SMTP service here for now"),
        )],
    ),
    meets("smtp_garbage_greeting", &[(SmtpGreeting, GARBAGE)]),
    meets("smtp_greeting_slow", &[(SmtpGreeting, Play::Late)]),
    meets("smtp_greeting_silent", &[(SmtpGreeting, Play::Silence)]),
    meets("smtp_421_hello", &[(SmtpHello, SMTP_CLOSING)]),
    meets(
        "smtp_451_hello",
        &[(SmtpHello, Play::Say(b"451 4.3.0 Local error"))],
    ),
    meets("smtp_hello_lost", &[(SmtpHello, Play::Lose)]),
    // Submission: signing in (RFC 4954 §6).
    meets("smtp_421_auth", &[(SmtpAuth, SMTP_CLOSING)]),
    meets(
        "smtp_454_auth",
        &[(
            SmtpAuth,
            Play::Say(b"454 4.7.0 Temporary authentication failure"),
        )],
    ),
    meets(
        "smtp_454_auth_often",
        &[(
            SmtpAuth,
            Play::Say(b"454 4.7.0 Temporary authentication failure"),
        ); 4],
    ),
    meets(
        "smtp_451_auth",
        &[(SmtpAuth, Play::Say(b"451 4.4.2 Backend timed out"))],
    ),
    meets("smtp_auth_garbage", &[(SmtpAuth, GARBAGE)]),
    meets("smtp_auth_lost", &[(SmtpAuth, Play::Lose)]),
    meets("smtp_auth_slow", &[(SmtpAuth, Play::Late)]),
    meets("smtp_auth_silent", &[(SmtpAuth, Play::Silence)]),
    meets("smtp_535_once", &[(SmtpAuth, SMTP_REFUSED)]),
    meets("smtp_535_twice", &[(SmtpAuth, SMTP_REFUSED); 2]),
    meets(
        "smtp_535_then_token_down",
        &[
            (SmtpAuth, SMTP_REFUSED),
            (Token, TOKEN_503),
            (Token, TOKEN_503),
        ],
    ),
    meets(
        "smtp_535_then_imap_refused",
        &[(SmtpAuth, SMTP_REFUSED), (ImapAuth, IMAP_REFUSED)],
    ),
    meets(
        "smtp_535_then_imap_refused_twice",
        &[
            (SmtpAuth, SMTP_REFUSED),
            (ImapAuth, IMAP_REFUSED),
            (ImapAuth, IMAP_REFUSED),
        ],
    ),
    // Submission: the message.
    meets("smtp_421_mail", &[(SmtpMail, SMTP_CLOSING)]),
    meets(
        "smtp_450_mail",
        &[(SmtpMail, Play::Say(b"450 4.2.1 Mailbox busy"))],
    ),
    meets(
        "smtp_451_mail",
        &[(SmtpMail, Play::Say(b"451 4.3.0 Local error in processing"))],
    ),
    meets(
        "smtp_452_mail",
        &[(
            SmtpMail,
            Play::Say(b"452 4.3.1 Insufficient system storage"),
        )],
    ),
    meets(
        "smtp_rate_mail",
        &[(
            SmtpMail,
            Play::Say(b"450 4.7.1 Too many messages, slow down"),
        )],
    ),
    meets(
        "smtp_550_mail_once",
        &[(
            SmtpMail,
            Play::Say(b"550 5.7.1 Sender is not the signed-in address"),
        )],
    ),
    meets(
        "smtp_530_mail_once",
        &[(SmtpMail, Play::Say(b"530 5.7.0 Authentication required"))],
    ),
    meets("smtp_mail_lost", &[(SmtpMail, Play::Lose)]),
    meets("smtp_421_rcpt", &[(SmtpRcpt, SMTP_CLOSING)]),
    meets(
        "smtp_450_rcpt",
        &[(SmtpRcpt, Play::Say(b"450 4.2.0 Greylisted"))],
    ),
    meets(
        "smtp_451_rcpt",
        &[(SmtpRcpt, Play::Say(b"451 4.7.1 Try again later"))],
    ),
    meets(
        "smtp_452_rcpt",
        &[(SmtpRcpt, Play::Say(b"452 4.2.2 Mailbox full"))],
    ),
    meets("smtp_rcpt_lost", &[(SmtpRcpt, Play::Lose)]),
    meets("smtp_421_data", &[(SmtpData, SMTP_CLOSING)]),
    meets(
        "smtp_451_data",
        &[(SmtpData, Play::Say(b"451 4.3.0 Local error in processing"))],
    ),
    meets("smtp_data_garbage", &[(SmtpData, GARBAGE)]),
    meets("smtp_data_lost", &[(SmtpData, Play::Lose)]),
    meets("smtp_421_body", &[(SmtpBody, SMTP_CLOSING)]),
    meets(
        "smtp_451_body",
        &[(SmtpBody, Play::Say(b"451 4.3.0 Local error in processing"))],
    ),
    meets(
        "smtp_452_body",
        &[(
            SmtpBody,
            Play::Say(b"452 4.3.1 Insufficient system storage"),
        )],
    ),
    meets("smtp_lost_unstored", &[(SmtpBody, Play::Lose)]),
    meets("smtp_lost_stored", &[(SmtpBody, Play::StoreAndLose)]),
    meets("smtp_body_slow", &[(SmtpBody, Play::Late)]),
    // IMAP (RFC 9051 §7.1, RFC 5530 §3).
    refused("imap_port_closed", Port::Imap),
    meets("imap_handshake_cut", &[(ImapConnect, Play::Lose)]),
    meets("imap_no_tls", &[(ImapConnect, PLAIN_HTTP)]),
    meets(
        "imap_bye_greeting",
        &[(ImapGreeting, Play::Say(b"* BYE Server shutting down"))],
    ),
    meets("imap_closed_before_greeting", &[(ImapGreeting, Play::Lose)]),
    meets("imap_garbage_greeting", &[(ImapGreeting, GARBAGE)]),
    meets("imap_greeting_slow", &[(ImapGreeting, Play::Late)]),
    meets("imap_greeting_silent", &[(ImapGreeting, Play::Silence)]),
    meets(
        "imap_unavailable",
        &[(
            ImapAuth,
            Play::Say(b"NO [UNAVAILABLE] Temporary authentication failure"),
        )],
    ),
    meets(
        "imap_unavailable_often",
        &[(
            ImapAuth,
            Play::Say(b"NO [UNAVAILABLE] Temporary authentication failure"),
        ); 4],
    ),
    meets(
        "imap_limit",
        &[(ImapAuth, Play::Say(b"NO [LIMIT] Too many sessions"))],
    ),
    meets(
        "imap_too_many",
        &[(
            ImapAuth,
            Play::Say(b"NO Too many simultaneous connections. (Failure)"),
        )],
    ),
    meets(
        "imap_in_use",
        &[(ImapAuth, Play::Say(b"NO [INUSE] Mailbox in use"))],
    ),
    meets(
        "imap_bye_auth",
        &[(ImapAuth, Play::Say(b"* BYE Disconnected for now"))],
    ),
    meets("imap_auth_lost", &[(ImapAuth, Play::Lose)]),
    meets("imap_auth_garbage", &[(ImapAuth, GARBAGE)]),
    meets("imap_auth_slow", &[(ImapAuth, Play::Late)]),
    meets("imap_refused_once", &[(ImapAuth, IMAP_REFUSED)]),
    meets("imap_refused_twice", &[(ImapAuth, IMAP_REFUSED); 2]),
    meets(
        "imap_folder_unavailable",
        &[(ImapFolder, Play::Say(b"NO [UNAVAILABLE] Backend is down"))],
    ),
    meets(
        "imap_folder_error",
        &[(
            ImapFolder,
            Play::Say(b"NO [SERVERBUG] Internal error occurred"),
        )],
    ),
    meets(
        "imap_folder_bye",
        &[(ImapFolder, Play::Say(b"* BYE Server shutting down"))],
    ),
    meets("imap_folder_lost", &[(ImapFolder, Play::Lose)]),
];

/// A fault that a person must mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Real {
    /// The permission is revoked at the provider.
    Revoked,
    /// The password is changed.
    PasswordChanged,
    /// The account is locked.
    Locked,
    /// Passwords are refused, app passwords are demanded.
    AppPasswordDemanded,
    /// SMTP AUTH is switched off for the inbox.
    SmtpOff,
    /// IMAP is switched off for the inbox.
    ImapOff,
}

impl Real {
    /// Those that befall an inbox that signs in like this.
    pub(super) fn all(sign_in: SignIn) -> &'static [Self] {
        match sign_in {
            SignIn::OAuth => &[Self::Revoked, Self::Locked, Self::SmtpOff, Self::ImapOff],
            SignIn::Password => &[
                Self::PasswordChanged,
                Self::AppPasswordDemanded,
                Self::Locked,
                Self::SmtpOff,
                Self::ImapOff,
            ],
        }
    }

    /// What it is to be called.
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Revoked => Cause::PermissionEnded,
            Self::PasswordChanged => Cause::SignInRefused,
            Self::Locked => Cause::AccountLocked,
            Self::AppPasswordDemanded => Cause::AppPasswordRequired,
            Self::SmtpOff => Cause::SmtpOff,
            Self::ImapOff => Cause::ImapOff,
        }
    }

    /// Its name in the summary.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Revoked => "permission_revoked",
            Self::PasswordChanged => "password_changed",
            Self::Locked => "account_locked",
            Self::AppPasswordDemanded => "app_password_demanded",
            Self::SmtpOff => "smtp_switched_off",
            Self::ImapOff => "imap_switched_off",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: BTreeSet<_> = TRANSIENTS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), TRANSIENTS.len());
    }
}

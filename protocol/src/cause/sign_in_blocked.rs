//! The provider stopped a sign-in that looked unusual to it.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;
use crate::reply::SmtpReply;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{provider} stopped the sign-in of {inbox}",
        explanation: "It looked unusual to {provider}, or too many sign-ins failed. Confirm there that it was you, then reconnect.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        let unusual = [
            "suspicious",
            "unusual",
            "less secure",
            "unrecognized device",
            "unrecognised device",
            "verify your identity",
            "verify your account",
            "confirm your identity",
            "captcha",
            "blacklist",
            "country",
            "geographic",
            "new device",
            "unknown device",
            "ip address is not allowed",
            "unauthorized ip",
            "not from this ip",
            "not a robot",
            "brute force",
            "bruteforce",
            "untrusted",
            "new location",
            "security reasons",
        ];
        let at_sign_in = matches!(evidence.stage, Stage::Greeting | Stage::Auth);
        let refuses =
            evidence.imap().is_some() || evidence.smtp().is_some_and(SmtpReply::is_permanent);
        let repeated = ["too many", "too much", "exceeded", "repeated"];
        let failures = [
            "attempts",
            "failures",
            "failed login",
            "failed sign",
            "failed auth",
            "login fail",
            "auth fail",
            "authentication fail",
            "auth error",
            "authentication error",
            "invalid log",
            "invalid password",
            "bad auth",
            "bad login",
            "wrong password",
        ];
        // "(Failure)" stands behind everything that Gmail refuses, a limit of connections too.
        let another = ["connection", "simultaneous", "session", "command"];
        // NetEase lets such a sign-in in, and then opens no folder for it.
        if evidence.imap().is_some() && evidence.mentions(&["unsafe login"]) {
            return Some(Claim::Coded);
        }
        // Microsoft has one number for locked accounts and for addresses of bad repute; the words tell.
        if evidence.oauth().is_some() && evidence.mentions(&["malicious", "suspicious"]) {
            return Some(Claim::Coded);
        }
        if !at_sign_in || !refuses {
            None
        } else if evidence.mentions(&unusual)
            || evidence.mentions_both(&repeated, &failures) && !evidence.mentions(&another)
        {
            Some(Claim::Coded)
        } else {
            None
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::reply::ImapStatus;
    vec![
        smtp(Stage::Auth, 535, "5.7.8 A suspicious sign-in was stopped"),
        imap(Stage::Auth, ImapStatus::No, None, "Too many failed logins"),
        imap(
            Stage::Greeting,
            ImapStatus::Bye,
            None,
            "Too many bad logins",
        ),
    ]
}

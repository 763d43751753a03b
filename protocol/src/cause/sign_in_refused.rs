//! Login or password refused, and no more was said.

use super::aadsts::Asks;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;
use crate::reply::ImapStatus;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} is disconnected",
        explanation: "{provider} refused the sign-in: the password or the permission is no longer valid. Gmail, Yahoo, AOL, iCloud, Fastmail and Zoho take an app password in place of the account's own.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        if evidence.asks() == Some(Asks::Password) {
            return Some(Claim::Coded);
        }
        // RFC 5530 §3: EXPIRED is a password that is over, and must be changed before it works again.
        let wrong = evidence.is_password_wrong() || evidence.has_imap_code(&["EXPIRED"]);
        if let Some(reply) = evidence.smtp() {
            let again = evidence.says(&["reauthent*", "re authent*"]);
            return match evidence.stage {
                Stage::Auth if reply.is_permanent() => {
                    Some(if wrong { Claim::Worded } else { Claim::Usual })
                }
                // A wrong password is wrong later too.
                Stage::Auth if wrong && evidence.is_final() => Some(Claim::Worded),
                // RFC 4954 §6: 432 4.7.12 needs a password set anew.
                Stage::Auth if reply.code == 432 && evidence.has_enhanced(&[(7, 12)]) => {
                    Some(Claim::Worded)
                }
                _ if !evidence.submits() || !reply.is_permanent() => None,
                _ if wrong || again => Some(Claim::Named),
                // RFC 4954 §6: these are about the sign-in, at whatever stage they come.
                _ => (matches!(reply.code, 534 | 535) || evidence.has_enhanced(&[(7, 8)]))
                    .then_some(Claim::Hinted),
            };
        }
        // RFC 5530 §3: AUTHENTICATIONFAILED stands before better words too, so it says no more than NO.
        let reply = evidence.imap()?;
        let refused = evidence.stage == Stage::Auth && reply.status == ImapStatus::No;
        let another = evidence.has_imap_code(&["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"]);
        match (refused && !another, wrong) {
            (true, true) => Some(Claim::Worded),
            (true, false) => Some(Claim::Usual),
            (false, _) => None,
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(Stage::Auth, 432, "4.7.12 Set a new password"),
        smtp(Stage::Auth, 535, "5.7.8 Error: authentication failed"),
        smtp(Stage::Auth, 534, "5.7.9 refused"),
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("AUTHENTICATIONFAILED"),
            "Authentication failed.",
        ),
        imap(Stage::Auth, ImapStatus::No, None, "LOGIN failed."),
    ]
}

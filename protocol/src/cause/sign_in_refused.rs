//! Login or password refused, and no more was said.

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
        explanation: "{provider} refused the sign-in. The password or the permission is no longer valid.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        // "Microsoft Entra authentication and authorization error codes": wrong user name or password.
        if evidence.has_aadsts(&[50_126]) {
            return Some(Claim::Coded);
        }
        if let Some(reply) = evidence.smtp() {
            // RFC 4954 §6: 535 credentials invalid, 534 mechanism too weak.
            // RFC 4954 §6: 432 4.7.12 needs a password set anew.
            return match evidence.stage {
                Stage::Auth if reply.is_permanent() => Some(Claim::Usual),
                Stage::Auth if reply.code == 432 && evidence.has_enhanced(&[(7, 12)]) => {
                    Some(Claim::Worded)
                }
                Stage::Mail | Stage::Rcpt
                    if reply.is_permanent()
                        && evidence.mentions(&[
                            "credential",
                            "reauthenticate",
                            "re-authenticate",
                        ]) =>
                {
                    Some(Claim::Coded)
                }
                _ => None,
            };
        }
        // RFC 5530 §3: AUTHENTICATIONFAILED stands before better words too, so it says no more than NO.
        let reply = evidence.imap()?;
        let refused = evidence.stage == Stage::Auth && reply.status == ImapStatus::No;
        let another = matches!(
            reply.code.as_deref(),
            Some("UNAVAILABLE" | "INUSE" | "LIMIT" | "SERVERBUG")
        );
        (refused && !another).then_some(Claim::Usual)
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

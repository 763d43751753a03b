//! The account is locked, suspended or gone.

use super::aadsts::Asks;
use super::concept::MALICE;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Admin,
        title: "{inbox} is locked",
        explanation: "{provider} says that the account is locked, switched off or gone. If it is your own, sign in on the provider's page and do what it asks; in an organisation, its administrator can open it. Then reconnect.",
        remedy: Remedy::AskAdmin,
    },
    claim: |evidence| {
        // RFC 5248 §2.4 registers x.7.13: user account disabled. After RCPT it is the recipient's.
        let coded = matches!(evidence.stage, Stage::Auth | Stage::Mail)
            && evidence.has_enhanced(&[(7, 13)]);
        // Nobody of that name: at a visit somebody else signed in, later this one is gone.
        let gone = evidence.stage == Stage::Refresh && evidence.asks() == Some(Asks::OtherAccount);
        let locked = evidence.asks() == Some(Asks::Unlock) && !evidence.says(MALICE);
        // Microsoft's words for an account that sent too much spam.
        let abused = evidence.oauth().is_some() && evidence.says(&["abuse mode"]);
        if coded || gone || locked || abused {
            return Some(Claim::Coded);
        }
        let refused = evidence.refuses_grant()
            || evidence.imap().is_some()
            || evidence.stage == Stage::Auth && evidence.refuses_sign_in();
        if refused && evidence.is_account_shut() {
            return Some(Claim::Worded);
        }
        // RFC 5530 §3: CONTACTADMIN.
        let ask = evidence.stage == Stage::Auth && evidence.has_imap_code(&["CONTACTADMIN"]);
        ask.then_some(Claim::Hinted)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::reply::ImapStatus;
    vec![
        said_by_oauth(
            Stage::Refresh,
            "invalid_grant",
            "AADSTS50057: the user is switched off",
        ),
        said_by_oauth(Stage::Refresh, "invalid_grant", "This account was deleted"),
        smtp(Stage::Auth, 525, "5.7.13 This one is locked"),
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("AUTHENTICATIONFAILED"),
            "Your mailbox is suspended",
        ),
    ]
}

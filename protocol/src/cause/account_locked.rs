//! The account is locked, suspended or gone.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Admin,
        title: "{inbox} is locked",
        explanation: "{provider} says that the account is locked, switched off or gone. Your administrator, or {provider}, can open it again; then reconnect.",
        remedy: Remedy::AskAdmin,
    },
    claim: |evidence| {
        // "Microsoft Entra authentication and authorization error codes": locked, disabled, not there.
        if evidence.has_aadsts(&[50_053]) && !evidence.mentions(&["malicious"])
            || evidence.has_aadsts(&[50_057, 500_341, 500_571])
            || evidence.oauth().is_some() && evidence.mentions(&["abuse mode"])
        {
            return Some(Claim::Coded);
        }
        // Nobody of that name: at a visit somebody else signed in, later this one is gone.
        if evidence.stage == Stage::Refresh
            && evidence.has_aadsts(&[50_020, 50_034, 51_004, 90_072])
        {
            return Some(Claim::Coded);
        }
        // RFC 5248 §2.4 registers x.7.13: user account disabled.
        if evidence.stage == Stage::Auth && evidence.has_enhanced(&[(7, 13)]) {
            return Some(Claim::Coded);
        }
        let account = [
            "account",
            "mailbox",
            "user ",
            "login is",
            "logins are",
            "login has been",
        ];
        let shut = [
            "locked",
            "suspended",
            "disabled",
            "deactivated",
            "deleted",
            "closed",
            "inactive",
            "terminated",
            "frozen",
            "blocked",
            "restricted",
            "lockdown",
            "not active",
            "expired user",
        ];
        let asks = matches!(
            evidence.stage,
            Stage::Refresh | Stage::Exchange | Stage::Authorize
        ) && evidence.oauth().is_some();
        let refused = asks || evidence.refuses_sign_in();
        (refused && evidence.mentions_both(&account, &shut)).then_some(Claim::Worded)
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

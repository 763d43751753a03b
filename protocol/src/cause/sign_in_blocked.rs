//! The provider stopped a sign-in that looked unusual to it.

use super::concept::{ADDRESS_OF_ORIGIN, LISTED, MALICE, STOPPED, UNUSUAL};
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
        // NetEase lets such a sign-in in, and then opens no folder for it.
        if evidence.imap().is_some() && evidence.says(&["unsafe login"]) {
            return Some(Claim::Coded);
        }
        // Microsoft has one number for locked accounts and for addresses of bad repute; the words tell.
        if evidence.oauth().is_some() && evidence.says(MALICE) {
            return Some(Claim::Coded);
        }
        let at_sign_in = matches!(evidence.stage, Stage::Greeting | Stage::Auth);
        let refuses = evidence.imap().is_some()
            || evidence.smtp().is_some_and(SmtpReply::is_permanent)
            || evidence.smtp().is_some()
                && evidence.stage == Stage::Auth
                && evidence.counts_failures()
                && evidence.is_final();
        if !at_sign_in || !refuses {
            return None;
        }
        if evidence.says(UNUSUAL) || evidence.counts_failures() {
            return Some(Claim::Named);
        }
        let from_here = evidence.stage == Stage::Auth
            && (evidence.relates(ADDRESS_OF_ORIGIN, STOPPED)
                || evidence.relates(ADDRESS_OF_ORIGIN, LISTED));
        from_here.then_some(Claim::Worded)
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

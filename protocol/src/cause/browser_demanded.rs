//! The provider wants the person in a browser: a second step, terms, a session that is too old.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{provider} wants you to sign in again",
        explanation: "{provider} asks for a step that only you can do in a browser, such as a second proof. Sign in once more; the campaigns go on after that.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        // "Microsoft Entra authentication and authorization error codes": second factor, sign-in frequency,
        // session or password that is over, terms, a device that must be proved.
        let numbers = [
            16_000, 16_001, 16_002, 16_003, 50_005, 50_055, 50_058, 50_072, 50_074, 50_076, 50_078,
            50_079, 50_097, 50_125, 50_127, 50_129, 50_140, 50_143, 50_144, 50_158, 50_187, 53_004,
            500_121, 54_008, 70_043, 70_044,
        ];
        if evidence.has_aadsts(&numbers) {
            return Some(Claim::Coded);
        }
        // OpenID Connect Core §3.1.2.6; `invalid_rapt` is Google's word for a session that is too old.
        if let Some(reply) = evidence.oauth() {
            let named = [
                "interaction_required",
                "login_required",
                "account_selection_required",
            ];
            return if reply
                .error
                .as_deref()
                .is_some_and(|error| named.contains(&error))
            {
                Some(Claim::Worded)
            } else {
                let words = [
                    "invalid_rapt",
                    "rapt_required",
                    "reauth",
                    "interaction_required",
                    "multi-factor",
                    "mfa required",
                    "invalid_rapt_token",
                ];
                evidence.mentions(&words).then_some(Claim::Worded)
            };
        }
        // Gmail answers WEBALERT with the page to open.
        let told = evidence
            .imap()
            .is_some_and(|reply| reply.code.as_deref() == Some("WEBALERT"));
        let words = [
            "web browser",
            "webbrowser",
            "your browser",
            "web login",
            "weblogin",
            "log in via web",
            "webmail first",
            "accept the terms",
            "new terms",
        ];
        if evidence.refuses_sign_in() && told {
            Some(Claim::Coded)
        } else {
            (evidence.refuses_sign_in() && evidence.mentions(&words)).then_some(Claim::Worded)
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    use crate::reply::ImapStatus;
    vec![
        said_by_oauth(
            Stage::Refresh,
            "invalid_grant",
            "AADSTS50076: a second step is due",
        ),
        said_by_oauth(Stage::Refresh, "invalid_grant", "invalid_rapt"),
        oauth(Stage::Authorize, None, "login_required"),
        smtp(Stage::Auth, 534, "5.7.14 Open your browser first"),
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("WEBALERT"),
            "Sign in there",
        ),
    ]
}

//! The project's own sandbox, profile `generic`.

use std::time::Duration;

use super::{FirefoxRedirect, IdentitySource, OAuth, Provider, SentCopy, Submission, VisitPlan};
use crate::budget::{Budget, Usual};

pub(super) static PROVIDER: Provider = Provider {
    id: "sandbox",
    name: "the sandbox",
    webmail: None,
    oauth: Some(OAuth {
        scopes: &[
            "openid",
            "email",
            "offline_access",
            "mail.send",
            "mail.read",
        ],
        needed_scopes: &["mail.send", "mail.read"],
        // Each consent is a grant of its own there.
        revokes_alone: true,
        refuses_web_pages: false,
        expects: "The sandbox will ask you to allow access.",
        expects_unverified: None,
        identity: IdentitySource::UserInfo,
        admin_consent: None,
        origins: &[],
        client_ids_end: "",
        firefox_redirect: FirefoxRedirect::Allizom,
        // It shows the consent page only when asked to.
        visits: &[VisitPlan {
            interactive: true,
            parameters: &[("prompt", "consent")],
        }],
    }),
    app_passwords: None,
    submission: Submission {
        // Its submission server stores, delivers and copies in one step.
        sent_copy: SentCopy::Server {
            within: Duration::from_secs(1),
        },
        // Whether a message whose connection ended at the final dot is stored is decided within 2 s.
        keeps_ids: true,
        settles_within: Duration::from_secs(2),
    },
    usual: Usual {
        // It is on this computer and writes to nobody: who tries it out is not to wait.
        budget: Budget {
            distance: Duration::ZERO,
            daily_cap: None,
        },
        least_distance: Duration::ZERO,
    },
};

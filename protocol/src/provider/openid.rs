//! Any OpenID provider beside any IMAP and submission server: nothing is assumed that the standards do
//! not promise.

use std::time::Duration;

use super::{
    DATA_TERMINATION, FirefoxRedirect, IdentitySource, OAuth, Provider, SentCopy, Submission,
    VisitPlan,
};
use crate::budget::{CAUTIOUS, Usual};

pub(super) static PROVIDER: Provider = Provider {
    id: "openid",
    name: "your mail provider",
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
        // Not promised by any standard.
        revokes_alone: false,
        refuses_web_pages: false,
        expects: "{host} will ask you to allow access.",
        expects_unverified: None,
        identity: IdentitySource::UserInfo,
        admin_consent: None,
        origins: &[],
        client_ids_end: "",
        firefox_redirect: FirefoxRedirect::Allizom,
        // OpenID Connect Core §11: without `prompt=consent` the request for offline access is ignored.
        visits: &[VisitPlan {
            interactive: true,
            parameters: &[("prompt", "consent")],
        }],
    }),
    app_passwords: None,
    submission: Submission {
        // Dovecot's submission service makes no copy. Observed with Dovecot 2.3.19 on 2026-11-23.
        sent_copy: SentCopy::Client,
        keeps_ids: true,
        settles_within: DATA_TERMINATION,
    },
    usual: Usual {
        // Nothing is known of it, so it is treated as the least of them.
        budget: CAUTIOUS,
        least_distance: Duration::ZERO,
    },
};

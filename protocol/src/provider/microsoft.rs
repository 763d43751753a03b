//! Microsoft 365: work and school accounts of one tenant. Written from its documents; not yet tried against the
//! live servers. Who signed in is not yet known there: its userinfo endpoint refuses tokens for mail.

use std::time::Duration;

use super::{
    DATA_TERMINATION, FirefoxRedirect, IdentitySource, OAuth, Provider, SentCopy, Submission,
    VisitPlan,
};
use crate::budget::{CAUTIOUS, Usual};

/// "Authenticate an IMAP, POP or SMTP connection using OAuth", Exchange's documents.
const IMAP_SCOPE: &str = "https://outlook.office.com/IMAP.AccessAsUser.All";
/// The same.
const SMTP_SCOPE: &str = "https://outlook.office.com/SMTP.Send";

pub(super) static PROVIDER: Provider = Provider {
    id: "microsoft",
    name: "Microsoft",
    webmail: Some("https://outlook.office.com"),
    oauth: Some(OAuth {
        scopes: &["openid", "email", "offline_access", IMAP_SCOPE, SMTP_SCOPE],
        // The answer of its token endpoint does not repeat `openid`, `email` and `offline_access`.
        needed_scopes: &[IMAP_SCOPE, SMTP_SCOPE],
        // It has no revocation endpoint at all.
        revokes_alone: false,
        // AADSTS9002326: only clients of the type "single-page application" may ask from a web page, and their
        // refresh tokens end after 24 hours ("Refresh tokens in the Microsoft identity platform").
        refuses_web_pages: true,
        expects: "Microsoft will ask nothing if you are signed in there and allowed access before.",
        expects_unverified: None,
        identity: IdentitySource::IdToken,
        admin_consent: Some("adminconsent"),
        // "National clouds", Microsoft's documents: the authorities of Microsoft Entra ID.
        origins: &[
            "https://login.microsoftonline.com",
            "https://login.microsoftonline.us",
            "https://login.partner.microsoftonline.cn",
        ],
        client_ids_end: "",
        firefox_redirect: FirefoxRedirect::Allizom,
        // "Microsoft identity platform and OAuth 2.0 authorization code flow": `prompt=none` ends in an error
        // instead of a page. Without `prompt` it asks only for what is missing; `prompt=consent` would show "Need
        // admin approval" to people whose administrator has agreed already.
        visits: &[
            VisitPlan {
                interactive: false,
                parameters: &[("prompt", "none")],
            },
            VisitPlan {
                interactive: true,
                parameters: &[],
            },
        ],
    }),
    app_passwords: None,
    submission: Submission {
        // Exchange Online stores what it takes by SMTP in "Sent Items". Its documents state no time, and copies
        // are late there; this one is ours, long on purpose, because a copy that is missed would be sent twice.
        sent_copy: SentCopy::Server {
            within: Duration::from_hours(1),
        },
        keeps_ids: false,
        settles_within: DATA_TERMINATION,
    },
    usual: Usual {
        // "Exchange Online limits": 10,000 recipients over 24 hours, and 30 messages a minute by SMTP.
        budget: CAUTIOUS,
        least_distance: Duration::from_secs(2),
    },
};

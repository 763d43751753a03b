//! Google: Gmail and Workspace. Written from its documents; not yet tried against the live servers.

use std::time::Duration;

use super::{
    DATA_TERMINATION, FirefoxRedirect, IdentitySource, OAuth, Provider, SentCopy, Submission,
    VisitPlan,
};
use crate::budget::{CAUTIOUS, Usual};

pub(super) static PROVIDER: Provider = Provider {
    id: "google",
    name: "Google",
    webmail: Some("https://mail.google.com"),
    oauth: Some(OAuth {
        // "OAuth 2.0 Mechanism" of Google's Gmail documents: IMAP and SMTP take this one scope alone.
        scopes: &["openid", "email", "https://mail.google.com/"],
        needed_scopes: &["https://mail.google.com/"],
        // Google ends everything that the person gave this client.
        revokes_alone: false,
        refuses_web_pages: false,
        expects: "Google will ask you to allow access.",
        expects_unverified: Some(
            "Google will warn you that it has not verified this app (press Advanced, then Go to …), and then ask you to allow access: four clicks with this one.",
        ),
        identity: IdentitySource::UserInfo,
        admin_consent: None,
        // "OAuth 2.0 for Web Server Applications": `accounts.google.com/o/oauth2/v2/auth`, `oauth2.googleapis.com/token`.
        origins: &[
            "https://accounts.google.com",
            "https://oauth2.googleapis.com",
        ],
        client_ids_end: ".apps.googleusercontent.com",
        firefox_redirect: FirefoxRedirect::Loopback,
        // "Using OAuth 2.0 for Web Server Applications": a refresh token comes with `access_type=offline`,
        // and with a repeated consent only when `prompt=consent` shows the page again.
        visits: &[VisitPlan {
            interactive: true,
            parameters: &[("access_type", "offline"), ("prompt", "consent")],
        }],
    }),
    app_passwords: Some("https://myaccount.google.com/apppasswords"),
    submission: Submission {
        // Gmail keeps a copy of what it takes by SMTP in "Sent Mail". Its documents state no time; this one
        // is ours, long on purpose, because a copy that is missed would be sent twice.
        sent_copy: SentCopy::Server {
            within: Duration::from_mins(30),
        },
        keeps_ids: true,
        settles_within: DATA_TERMINATION,
    },
    usual: Usual {
        // "Gmail sending limits in Google Workspace": 2,000 messages over 24 rolling hours, 500 in a trial; 500 for
        // personal accounts. No rate is stated.
        budget: CAUTIOUS,
        least_distance: Duration::ZERO,
    },
};

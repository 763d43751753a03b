//! A provider that follows the standards and has no habits of its own.

use std::time::Duration;

use super::oauth::{
    IdToken, IssuerInAnswer, OAuth, OAuthError, Offline, Revocation, Rotation, Scope, Words,
};
use super::replies;
use super::{FolderSpec, MessageIds, PasswordRule, Profile, RefusedToken, SentCopy};

/// The generic provider.
pub const GENERIC: Profile = Profile {
    name: "generic",
    oauth: Some(OAuth {
        // OpenID Connect Discovery §4: a path is allowed and not needed.
        issuer_path: "",
        // OpenID Connect Core §3.1.2.1, §5.4, §11; the two for mail are ours, no standard names any.
        scopes: &[
            Scope::identity("openid", "Know who you are at this provider"),
            Scope::identity("email", "See your e-mail address and your name"),
            Scope::identity("offline_access", "Keep this permission while you are away"),
            Scope::identity("mail.send", "Send mail in your name").sending(),
            Scope::identity("mail.read", "Read your mail").reading(),
        ],
        // OpenID Connect Core §11
        offline: Offline::WithScope("offline_access"),
        // RFC 9700 §2.2.2: refresh tokens of public clients are rotated or bound to the sender.
        rotation: Rotation::ReuseEndsGrant,
        // RFC 8252 §8.5: a secret that ships with an app is none, so public clients have none.
        demands_secret_with_pkce: false,
        // RFC 9700 §2.6 lets a token endpoint answer web pages.
        refuses_origin: false,
        // OpenID Connect Core §3.1.2.1: `prompt=none` succeeds where nothing has to be asked.
        silent_sign_in: true,
        // No standard ties grants to the password; the google profile does.
        password_change_ends_grants: false,
        // RFC 9207 §2, §3
        issuer_in_answer: IssuerInAnswer::Promised,
        // RFC 6749 §3.3 allows it; here it is all or nothing.
        granular_consent: false,
        // No standard knows it.
        warns_of_unverified: false,
        // No standard knows it.
        consent_prompt_wants_admin: false,
        // RFC 7009 §2.1: the token, and what was given with it.
        revocation: Revocation::OneGrant,
        // Ours: a client that needs one is tried with the other profiles.
        id_token: IdToken::None,
        // OpenID Connect Core §5.3
        userinfo_takes_mail_tokens: true,
        words: Words {
            // OpenID Connect Core §3.1.2.6
            nobody_signed_in: OAuthError::new(
                "login_required",
                "nobody is signed in who need not be asked",
            ),
            not_consented: OAuthError::new(
                "consent_required",
                "the permission has to be asked for",
            ),
            // RFC 6749 §4.1.2.1
            declined: OAuthError::new("access_denied", "the person did not allow it"),
            not_approved: OAuthError::new("access_denied", "an administrator has to allow it"),
            // RFC 6749 §5.2
            secret_missing: OAuthError::new(
                "invalid_client",
                "this provider wants a client secret",
            ),
            secret_wrong: OAuthError::new(
                "invalid_client",
                "the client or its secret is not known",
            ),
            secret_expired: OAuthError::new("invalid_client", "the client's secret has expired"),
            dead_refresh_token: None,
            dead_code: None,
        },
    }),
    // RFC 6409 §4.3 asks for a sign-in and leaves open which; PLAIN is the common one.
    passwords: PasswordRule::Own,
    // Ours: an app password is a password of its own.
    password_change_ends_app_passwords: false,
    // RFC 4616 and RFC 7628; LOGIN and XOAUTH2 are in use and in no standard.
    smtp_mechanisms: &["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"],
    imap_mechanisms: &["PLAIN", "XOAUTH2", "OAUTHBEARER"],
    // RFC 4959
    sasl_ir: true,
    // RFC 7628 §3.2.3: the failure is told as JSON in a challenge, then comes the refusal. The form of
    // XOAUTH2 is that of "OAuth 2.0 Mechanism", Google's Gmail documents.
    refused_token: RefusedToken::ChallengeFirst {
        status: "401",
        schemes: "bearer",
    },
    replies: &replies::STANDARD,
    // No standard has a limit.
    max_imap_connections: None,
    // The easiest promise to test against: the copy is there before the reply is.
    sent_copy: SentCopy::ByServer {
        late_by: Duration::ZERO,
    },
    // RFC 6409 §8.3 lets a server add a missing id and says nothing of replacing one.
    message_ids: MessageIds::Kept,
    // Far below the ten minutes of RFC 5321 §4.5.3.2.6, so that a doubt settles while one watches.
    submission_time: Duration::from_secs(2),
    // RFC 3501 §5.1.1 leaves it open; this one is the most common.
    delimiter: '/',
    // RFC 6154 §2 names the special uses; these are the folders that nearly every provider has.
    folders: &[
        FolderSpec::without_use("INBOX"),
        FolderSpec::new("Sent", "Sent"),
        FolderSpec::new("Junk", "Junk"),
        FolderSpec::new("Archive", "Archive"),
    ],
    no_select: &[],
    // 25 MiB, as large providers take.
    max_message_bytes: 25 * 1024 * 1024,
    // RFC 5321 §4.5.3.1.8: the smallest limit a server may have.
    max_recipients: 100,
};

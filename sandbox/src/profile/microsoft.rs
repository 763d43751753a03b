//! Microsoft 365: work accounts of one tenant, from its documents and from what others met there.
//! Nothing here was tried against the live servers.

use std::time::Duration;

use super::oauth::{
    IdToken, IssuerInAnswer, OAuth, OAuthError, Offline, Revocation, Rotation, Scope, Words,
};
use super::replies::{ImapNo, ImapReplies, Replies, STANDARD, SmtpReplies};
use super::{FolderSpec, MessageIds, PasswordRule, Profile, RefusedToken, SentCopy};

/// The tenant of everybody here. Made up.
const TENANT: &str = "5d2f0a7c-6b1e-4c39-9a48-0e7d3b52c1f6";

/// Microsoft.
pub const MICROSOFT: Profile = Profile {
    name: "microsoft",
    oauth: Some(OAuth {
        // "OpenID Connect on the Microsoft identity platform": the issuer ends in the tenant's id and
        // v2.0, whichever name of the tenant the metadata was asked by.
        issuer_path: "/5d2f0a7c-6b1e-4c39-9a48-0e7d3b52c1f6/v2.0",
        scopes: &[
            // "Scopes and permissions in the Microsoft identity platform". "OAuth 2.0 authorization code
            // flow": `scope` of the answer has the scopes that the access token is good for.
            Scope::identity("openid", "Sign you in").answered_as(None),
            Scope::identity("profile", "View your basic profile").answered_as(None),
            Scope::identity("email", "View your e-mail address").answered_as(None),
            Scope::identity(
                "offline_access",
                "Maintain access to data you have given it access to",
            )
            .answered_as(None),
            // "Authenticate an IMAP, POP or SMTP connection using OAuth", Exchange's documents.
            Scope::identity(
                "https://outlook.office.com/IMAP.AccessAsUser.All",
                "Read and write access to your mail",
            )
            .reading(),
            Scope::identity(
                "https://outlook.office.com/SMTP.Send",
                "Send e-mails from your mailbox",
            )
            .sending(),
        ],
        // "Scopes and permissions", offline_access: no refresh token without it.
        offline: Offline::WithScope("offline_access"),
        // "Refresh tokens in the Microsoft identity platform": each use gives a new one, the old ones are
        // not revoked.
        rotation: Rotation::OldStaysGood,
        // "OAuth 2.0 authorization code flow": a secret is for web apps; native apps have none.
        demands_secret_with_pkce: false,
        // AADSTS9002326, as in issue 299 of umijs/umi-request: only clients of the type "single-page
        // application" may ask from a web page, and the ones here are not.
        refuses_origin: true,
        // "OAuth 2.0 authorization code flow", `prompt=none`.
        silent_sign_in: true,
        // "Refresh tokens in the Microsoft identity platform", token revocation: a changed password ends
        // what a password began.
        password_change_ends_grants: true,
        // Its metadata has no `authorization_response_iss_parameter_supported`, its document of the
        // answer no `iss`.
        issuer_in_answer: IssuerInAnswer::Absent,
        // "Understand the consent experience": the person takes all or none.
        granular_consent: false,
        // An unverified publisher is a word on the consent page, not a page of its own (the same).
        warns_of_unverified: false,
        // "Understand the consent experience", `prompt=consent` for a person who may not consent.
        consent_prompt_wants_admin: true,
        // "OpenID Connect on the Microsoft identity platform": its metadata has no revocation endpoint.
        revocation: Revocation::None,
        // "ID token claims reference": `tid`, `oid`, `preferred_username`, and no `email_verified`.
        id_token: IdToken::OfTenant { tenant: TENANT },
        // "UserInfo endpoint": it is Graph's. A token for mail is answered 401, question 700838 of
        // Microsoft Q&A.
        userinfo_takes_mail_tokens: false,
        words: Words {
            // "Microsoft Entra authentication and authorization error codes": 50058, 65001, 65004.
            nobody_signed_in: OAuthError::new(
                "login_required",
                "AADSTS50058: A silent sign-in request was sent but no user is signed in.",
            ),
            // "OAuth 2.0 authorization code flow", error codes: consent_required. With it the number that
            // says who has not agreed.
            not_consented: OAuthError::new(
                "consent_required",
                "AADSTS65001: The user or administrator has not consented to use the application. \
                 Send an interactive authorization request for this user and resource.",
            ),
            // As in issue 571 of PuzzleServer/mainpuzzleserver and 1736 of
            // AzureAD/microsoft-authentication-library-for-dotnet.
            declined: OAuthError::new(
                "consent_required",
                "AADSTS65004: User declined to consent to access the app.",
            ),
            // 90094 is the number of the page ("Unexpected error when performing consent to an
            // application"). What comes back from it no document says: the error and subcode are those of
            // a person who goes back ("OAuth 2.0 authorization code flow", error response).
            not_approved: OAuthError {
                error: "access_denied",
                description: "AADSTS90094: Admin consent is required for the permissions requested \
                              by this application.",
                subcode: Some("cancel"),
            },
            // The same list of codes: 7000218, 7000215, 7000222.
            secret_missing: OAuthError::new(
                "invalid_client",
                "AADSTS7000218: The request body must contain the following parameter: \
                 'client_assertion' or 'client_secret'.",
            ),
            secret_wrong: OAuthError::new(
                "invalid_client",
                "AADSTS7000215: Invalid client secret is provided.",
            ),
            secret_expired: OAuthError::new(
                "invalid_client",
                "AADSTS7000222: The provided client secret keys are expired.",
            ),
            // The same: 50173, 54005.
            dead_refresh_token: Some(
                "AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth \
                 token is needed.",
            ),
            dead_code: Some(
                "AADSTS54005: OAuth2 Authorization code was already redeemed, please retry with a \
                 new valid code or use an existing refresh token.",
            ),
        },
    }),
    // "Deprecation of Basic authentication in Exchange Online".
    passwords: PasswordRule::Never,
    // There are none for mail.
    password_change_ends_app_passwords: true,
    // "Authenticate an IMAP, POP or SMTP connection using OAuth"; OAUTHBEARER is in none of its
    // documents. LOGIN and PLAIN are still named and refused.
    smtp_mechanisms: &["LOGIN", "XOAUTH2"],
    imap_mechanisms: &["PLAIN", "XOAUTH2"],
    // The same: the examples send the token on the line of AUTHENTICATE.
    sasl_ir: true,
    // The same, "SASL XOAUTH2 authentication flow": the refusal comes at once.
    refused_token: RefusedToken::AtOnce,
    replies: &Replies {
        smtp: SmtpReplies {
            // "Authenticate an IMAP, POP or SMTP connection using OAuth": the failed exchange.
            wrong_password: "535 5.7.3 Authentication unsuccessful [sandbox]",
            bad_token: "535 5.7.3 Authentication unsuccessful [sandbox]",
            // "Deprecation of Basic authentication in Exchange Online", client submission.
            passwords_off: "550 5.7.30 Basic authentication is not supported for Client Submission.",
            // Not for mail; see `passwords`.
            app_password_demanded: "535 5.7.3 Authentication unsuccessful [sandbox]",
            // No document has it.
            locked: "535 5.7.3 Authentication unsuccessful [sandbox]",
            // "Enable or disable SMTP AUTH in Exchange Online".
            auth_off: "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled \
                       for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.",
        },
        // "Authenticate an IMAP, POP or SMTP connection using OAuth": `NO AUTHENTICATE failed.`
        imap: ImapReplies {
            wrong_password: ImapNo::bare("LOGIN failed."),
            app_password_demanded: ImapNo::bare("LOGIN failed."),
            passwords_off: ImapNo::bare("LOGIN failed."),
            locked: ImapNo::bare("AUTHENTICATE failed."),
            bad_token: ImapNo::bare("AUTHENTICATE failed."),
            missing_scope: ImapNo::bare("AUTHENTICATE failed."),
            too_many_connections: STANDARD.imap.too_many_connections,
        },
    },
    // No document of Exchange Online states one.
    max_imap_connections: None,
    // Exchange Online keeps what it takes by SMTP in "Sent Items", and late. How late is documented
    // nowhere; this is ours, long enough that a look right after the reply finds nothing.
    sent_copy: SentCopy::ByServer {
        late_by: Duration::from_millis(400),
    },
    // Pull requests 2250 of chatmail/core and 254 of postalsys/emailengine: the id is replaced, and the
    // reply names the new one. Other clients' logs show replies without it, so that control can hide it.
    message_ids: MessageIds::Replaced {
        original_in: "X-Microsoft-Original-Message-ID",
        told: true,
    },
    // Ours, as in the generic profile: no document says how long it takes.
    submission_time: Duration::from_secs(2),
    // Its LIST answers.
    delimiter: '/',
    // The names of an English mailbox ("Outlook folders"); LIST tells their uses.
    folders: &[
        FolderSpec::without_use("INBOX"),
        FolderSpec::new("Archive", "Archive"),
        FolderSpec::new("Deleted Items", "Trash"),
        FolderSpec::new("Drafts", "Drafts"),
        FolderSpec::new("Junk Email", "Junk"),
        FolderSpec::new("Sent Items", "Sent"),
    ],
    no_select: &[],
    // "Exchange Online limits", message limits: 35 MB unless an administrator changes it.
    max_message_bytes: 35 * 1024 * 1024,
    // The same, recipient limits: 500 unless an administrator changes it.
    max_recipients: 500,
};

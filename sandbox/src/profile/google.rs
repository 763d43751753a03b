//! Google: Gmail and Workspace, from its documents and from what others met there.
//! Nothing here was tried against the live servers.

use std::time::Duration;

use super::oauth::{
    IdToken, IssuerInAnswer, OAuth, OAuthError, Offline, Revocation, Rotation, Scope, Words,
};
use super::replies::{ImapNo, ImapReplies, Replies, STANDARD, SmtpReplies};
use super::{FolderSpec, MessageIds, PasswordRule, Profile, RefusedToken, SentCopy};

/// Google.
pub const GOOGLE: Profile = Profile {
    name: "google",
    oauth: Some(OAuth {
        // "OpenID Connect", Google Identity: the issuer is an origin.
        issuer_path: "",
        scopes: &[
            // "OAuth 2.0 Scopes for Google APIs". The answer of the token endpoint has the long name of
            // `email`: met by clients of oauthlib, whose warning "Scope has changed" is about it.
            Scope::identity("openid", "Associate you with your personal info"),
            Scope::identity("email", "See your primary e-mail address")
                .answered_as(Some("https://www.googleapis.com/auth/userinfo.email")),
            // "OAuth 2.0 Mechanism", Gmail's documents: one scope for IMAP, POP and SMTP.
            Scope::identity(
                "https://mail.google.com/",
                "Read, write, send and delete all your e-mail",
            )
            .sending()
            .reading(),
        ],
        // "Using OAuth 2.0 for Web Server Applications": a refresh token comes with
        // `access_type=offline`, the first time or where the consent page is shown again.
        offline: Offline::WithParameterAndConsent,
        // The same, "Refreshing an access token": the answer has no refresh token.
        rotation: Rotation::Kept,
        // The same, "Exchange authorization code": `client_secret` is a required field.
        demands_secret_with_pkce: true,
        // Ours: the document says nothing of web pages; whoever has the secret is answered.
        refuses_origin: false,
        // "OpenID Connect", `prompt=none`: no page, and an error where one would be needed.
        silent_sign_in: true,
        // "Using OAuth 2.0 to Access Google APIs", refresh token expiration: the user changed passwords
        // and the refresh token contains Gmail scopes.
        password_change_ends_grants: true,
        // Issue 2428 of openiddict/openiddict-core: Google's answers have `iss`, and its metadata does
        // not promise it.
        issuer_in_answer: IssuerInAnswer::NotPromised,
        // "How to handle granular permissions": a person may leave out what is not for signing in.
        granular_consent: true,
        // "Unverified apps", Google Cloud help: the warning comes before the consent.
        warns_of_unverified: true,
        // Workspace has rules for apps; `prompt` changes nothing there.
        consent_prompt_wants_admin: false,
        // "Using OAuth 2.0 for Web Server Applications", "Revoking a token": the access that the person
        // gave the application ends, and with it every token of it.
        revocation: Revocation::EveryGrantOfClient,
        // "OpenID Connect", ID token's payload: `sub`, `email`, `email_verified`.
        id_token: IdToken::VerifiedAddress,
        // The same, "Obtaining user profile information": any token with the scope openid.
        userinfo_takes_mail_tokens: true,
        words: Words {
            // OpenID Connect Core §3.1.2.6; Google's own document names none.
            nobody_signed_in: OAuthError::new("login_required", "Sign-in is required."),
            not_consented: OAuthError::new("consent_required", "Consent is required."),
            // "Using OAuth 2.0 for Web Server Applications": only `error=access_denied` comes.
            declined: OAuthError::new("access_denied", ""),
            // "Authorization errors" of the same: `admin_policy_enforced` is a page of Google's and does
            // not come back; this is what a person does who goes back from it. Ours.
            not_approved: OAuthError::new("access_denied", ""),
            // Met by installed apps that leave the secret out.
            secret_missing: OAuthError::new("invalid_request", "client_secret is missing."),
            secret_wrong: OAuthError::new(
                "invalid_client",
                "The provided client secret is invalid.",
            ),
            // Google's secrets do not expire, they are disabled ("Manage OAuth Clients"); the answer is
            // then that of a wrong one.
            secret_expired: OAuthError::new(
                "invalid_client",
                "The provided client secret is invalid.",
            ),
            // "Using OAuth 2.0 for Web Server Applications", `invalid_grant`; the words are those that
            // its clients report.
            dead_refresh_token: Some("Token has been expired or revoked."),
            dead_code: Some("Bad Request"),
        },
    }),
    // "Sign in with app passwords", Google Account help; less secure apps ended on 2025-03-14
    // ("Transition from less secure apps to OAuth", Workspace help).
    passwords: PasswordRule::AppOnly,
    // "Sign in with app passwords": they are revoked when the password changes.
    password_change_ends_app_passwords: true,
    // Gmail's EHLO also names PLAIN-CLIENTTOKEN and XOAUTH, which only Google's own clients use.
    smtp_mechanisms: &["LOGIN", "PLAIN", "XOAUTH2", "OAUTHBEARER"],
    imap_mechanisms: &["XOAUTH2", "PLAIN", "OAUTHBEARER"],
    // "IMAP extensions", Gmail's documents, and its CAPABILITY.
    sasl_ir: true,
    // "OAuth 2.0 Mechanism", "Error response"; the status and scheme as in issue 377 of
    // jstedfast/MailKit.
    refused_token: RefusedToken::ChallengeFirst {
        status: "400",
        schemes: "Bearer",
    },
    replies: &Replies {
        // "Gmail SMTP errors and codes", Workspace help.
        smtp: SmtpReplies {
            wrong_password: "535-5.7.8 Username and Password not accepted. For more information, go to\r\n\
                             535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp",
            app_password_demanded: "534-5.7.9 Application-specific password required. For more information, go to\r\n\
                                    534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp",
            bad_token: "535-5.7.8 Username and Password not accepted. For more information, go to\r\n\
                        535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp",
            // No document has these three: the words of the standards.
            passwords_off: STANDARD.smtp.passwords_off,
            locked: STANDARD.smtp.locked,
            auth_off: STANDARD.smtp.auth_off,
        },
        // Issue 377 of jstedfast/MailKit shows both sentences; "(Failure)" ends every NO of Gmail.
        imap: ImapReplies {
            wrong_password: ImapNo::new("AUTHENTICATIONFAILED", "Invalid credentials (Failure)"),
            // "Sign in with app passwords": the link of the help page.
            app_password_demanded: ImapNo::new(
                "ALERT",
                "Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
            ),
            passwords_off: ImapNo::new("AUTHENTICATIONFAILED", "Invalid credentials (Failure)"),
            locked: STANDARD.imap.locked,
            bad_token: ImapNo::new("AUTHENTICATIONFAILED", "Invalid credentials (Failure)"),
            missing_scope: ImapNo::new("AUTHENTICATIONFAILED", "Invalid credentials (Failure)"),
            too_many_connections: ImapNo::new(
                "ALERT",
                "Too many simultaneous connections. (Failure)",
            ),
        },
    },
    // "Add Gmail to another email client", Gmail help: at most 15 at the same time.
    max_imap_connections: Some(15),
    // The same, and "Choose settings for your email client": Gmail keeps what it sends, clients should
    // not. How soon is stated nowhere; at once is ours.
    sent_copy: SentCopy::ByServer {
        late_by: Duration::ZERO,
    },
    // "Gmail says: Yes to angle brackets in the Message-ID", spamresource.com, 2025-06.
    message_ids: MessageIds::ReplacedIfMalformed {
        original_in: "X-Google-Original-Message-ID",
    },
    // Ours, as in the generic profile: no document says how long Gmail takes.
    submission_time: Duration::from_secs(2),
    // "IMAP extensions", Gmail's documents: names as "[Gmail]/All Mail".
    delimiter: '/',
    // The same, "Special-use extension of the LIST command".
    folders: &[
        FolderSpec::without_use("INBOX"),
        FolderSpec::new("[Gmail]/All Mail", "All"),
        FolderSpec::new("[Gmail]/Drafts", "Drafts"),
        FolderSpec::new("[Gmail]/Sent Mail", "Sent"),
        FolderSpec::new("[Gmail]/Spam", "Junk"),
        FolderSpec::new("[Gmail]/Starred", "Flagged"),
        FolderSpec::new("[Gmail]/Trash", "Trash"),
    ],
    no_select: &["[Gmail]"],
    // "Send attachments with your Gmail message": 25 MB.
    max_message_bytes: 25 * 1024 * 1024,
    // "Gmail sending limits in Workspace": 100 recipients of a message by SMTP.
    max_recipients: 100,
};

//! The words of refusals over SMTP and IMAP, as data.

/// What a provider says when it refuses.
#[derive(Debug)]
pub struct Replies {
    /// Over SMTP.
    pub smtp: SmtpReplies,
    /// Over IMAP.
    pub imap: ImapReplies,
}

/// Whole replies; several lines are divided by CR LF.
#[derive(Debug)]
pub struct SmtpReplies {
    /// Unknown name or wrong password.
    pub wrong_password: &'static str,
    /// The person's own password, where an app password is demanded.
    pub app_password_demanded: &'static str,
    /// A password, where none is taken.
    pub passwords_off: &'static str,
    /// The account is locked.
    pub locked: &'static str,
    /// The token is not good, or not for this.
    pub bad_token: &'static str,
    /// SMTP AUTH is switched off.
    pub auth_off: &'static str,
}

/// NO answers to LOGIN and AUTHENTICATE.
#[derive(Debug)]
pub struct ImapReplies {
    /// Unknown name or wrong password.
    pub wrong_password: ImapNo,
    /// The person's own password, where an app password is demanded.
    pub app_password_demanded: ImapNo,
    /// A password, where none is taken.
    pub passwords_off: ImapNo,
    /// The account is locked.
    pub locked: ImapNo,
    /// The token is not good.
    pub bad_token: ImapNo,
    /// The token is good for something else.
    pub missing_scope: ImapNo,
    /// More connections than the person may have.
    pub too_many_connections: ImapNo,
}

/// A NO answer.
#[derive(Debug, Clone, Copy)]
pub struct ImapNo {
    /// The response code (RFC 5530), without brackets.
    pub code: Option<&'static str>,
    /// The text after it.
    pub text: &'static str,
}

impl ImapNo {
    pub(super) const fn new(code: &'static str, text: &'static str) -> Self {
        Self {
            code: Some(code),
            text,
        }
    }

    pub(super) const fn bare(text: &'static str) -> Self {
        Self { code: None, text }
    }
}

/// The codes of the standards with plain words.
pub(super) const STANDARD: Replies = Replies {
    // RFC 4954 §6, RFC 5248 §2.4
    smtp: SmtpReplies {
        wrong_password: "535 5.7.8 User name or password not accepted",
        app_password_demanded: "534 5.7.9 Application-specific password required",
        passwords_off: "535 5.7.8 Passwords are not accepted here, use OAuth",
        // RFC 5248 §2.4: user account disabled
        locked: "525 5.7.13 This account is locked",
        bad_token: "535 5.7.8 Token not accepted",
        auth_off: "535 5.7.139 SMTP AUTH is switched off for this inbox",
    },
    // RFC 5530 §3
    imap: ImapReplies {
        wrong_password: ImapNo::new("AUTHENTICATIONFAILED", "user name or password not accepted"),
        app_password_demanded: ImapNo::new(
            "AUTHENTICATIONFAILED",
            "application-specific password required",
        ),
        passwords_off: ImapNo::new("AUTHENTICATIONFAILED", "passwords are not accepted here"),
        locked: ImapNo::new("CONTACTADMIN", "this account is locked"),
        bad_token: ImapNo::new("AUTHENTICATIONFAILED", "token not accepted"),
        missing_scope: ImapNo::new("AUTHORIZATIONFAILED", "the token does not allow reading"),
        too_many_connections: ImapNo::new("LIMIT", "too many connections"),
    },
};

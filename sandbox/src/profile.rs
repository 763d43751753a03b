//! What tells one mail provider from another, as data.
//!
//! A profile is a value in a file of its own under `profile/` and one line in [`ALL`].
//! No behaviour lives here: the servers read these fields and never ask for a profile's name.

mod generic;
mod google;
mod microsoft;
mod oauth;
mod plain;
mod replies;

use std::time::Duration;

pub use generic::GENERIC;
pub use google::GOOGLE;
pub use microsoft::MICROSOFT;
pub use oauth::{
    Access, IdToken, IssuerInAnswer, OAuth, OAuthError, Offline, Revocation, Rotation, Scope, Words,
};
pub use plain::PLAIN;
pub use replies::{ImapNo, ImapReplies, Replies, SmtpReplies};

/// Every profile the sandbox can play.
pub const ALL: &[&Profile] = &[&GENERIC, &GOOGLE, &MICROSOFT, &PLAIN];

/// The profile of that name.
pub fn find(name: &str) -> Option<&'static Profile> {
    ALL.iter().copied().find(|profile| profile.name == name)
}

/// The quirks of a mail provider.
#[derive(Debug)]
pub struct Profile {
    /// The name in options, on pages and in reports.
    pub name: &'static str,
    /// Its authorization server; `None` where it has none.
    pub oauth: Option<OAuth>,
    /// Which passwords SMTP and IMAP take.
    pub passwords: PasswordRule,
    /// A changed password ends the app passwords that were made before it.
    pub password_change_ends_app_passwords: bool,
    /// The SASL mechanisms of SMTP, as EHLO names them.
    pub smtp_mechanisms: &'static [&'static str],
    /// The SASL mechanisms of IMAP, as CAPABILITY names them.
    pub imap_mechanisms: &'static [&'static str],
    /// AUTHENTICATE takes its first answer on the same line (RFC 4959).
    pub sasl_ir: bool,
    /// How a refused access token is told over SMTP and IMAP.
    pub refused_token: RefusedToken,
    /// The words of its refusals.
    pub replies: &'static Replies,
    /// How many IMAP connections of one person may be signed in; `None` where no limit is known.
    pub max_imap_connections: Option<usize>,
    /// Who makes the copy in the sent folder, and how late.
    pub sent_copy: SentCopy,
    /// What becomes of the `Message-ID` of a submitted message.
    pub message_ids: MessageIds,
    /// How long a message whose connection was lost may still take until it is stored.
    /// After that time it is stored or never will be.
    pub submission_time: Duration,
    /// What stands between the parts of a folder's name.
    pub delimiter: char,
    /// The folders of a new inbox, INBOX first.
    pub folders: &'static [FolderSpec],
    /// Names that LIST shows and nothing can be kept in (`\Noselect`, RFC 3501 §7.2.2).
    pub no_select: &'static [&'static str],
    /// The largest message that SMTP takes, in bytes (`SIZE`, RFC 1870).
    pub max_message_bytes: usize,
    /// The most recipients of one message (RFC 5321 §4.5.3.1.8 demands at least 100).
    pub max_recipients: usize,
}

/// Which passwords SMTP and IMAP take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordRule {
    /// The person's own password; an app password once one was demanded.
    Own,
    /// App passwords only.
    AppOnly,
    /// None: tokens only.
    Never,
}

/// How a refused access token is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedToken {
    /// A challenge with JSON in base64, the client answers, then the refusal (RFC 7628 §3.2.3).
    ChallengeFirst {
        /// The `status` of the JSON of XOAUTH2 for a token that is not good.
        status: &'static str,
        /// The `schemes` of the JSON of XOAUTH2.
        schemes: &'static str,
    },
    /// The refusal at once.
    AtOnce,
}

/// Who makes the copy in the sent folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentCopy {
    /// The server, this long after it accepted the message; zero means before it replies.
    ByServer {
        /// Zero, or how long the copy takes.
        late_by: Duration,
    },
    /// Nobody: the client appends it.
    ByClient,
}

/// What becomes of the `Message-ID` of a submitted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageIds {
    /// Kept as written.
    Kept,
    /// Kept where it is `<left@right>`, else replaced; the client's own goes into another field.
    ReplacedIfMalformed {
        /// The field that keeps the client's id.
        original_in: &'static str,
    },
    /// Replaced; the client's own goes into another header field.
    Replaced {
        /// The field that keeps the client's id.
        original_in: &'static str,
        /// The new id stands in the reply after the data, unless control says otherwise.
        told: bool,
    },
}

/// A folder of a new inbox.
#[derive(Debug, Clone, Copy)]
pub struct FolderSpec {
    /// Its name.
    pub name: &'static str,
    /// Its special use (RFC 6154 §2) without the backslash. What comes into any folder but junk, trash
    /// and drafts is also in the one with the use `All`.
    pub special_use: Option<&'static str>,
}

impl FolderSpec {
    const fn new(name: &'static str, special_use: &'static str) -> Self {
        Self {
            name,
            special_use: Some(special_use),
        }
    }

    const fn without_use(name: &'static str) -> Self {
        Self {
            name,
            special_use: None,
        }
    }
}

//! What tells one mail provider from another, as data.
//!
//! A profile is a value in a file of its own under `profile/` and one line in [`ALL`].
//! No behaviour lives here: the servers read these fields and never ask for a profile's name.

mod generic;

use std::time::Duration;

pub use generic::GENERIC;

/// Every profile the sandbox can play.
pub const ALL: &[&Profile] = &[&GENERIC];

/// The profile of that name.
pub fn find(name: &str) -> Option<&'static Profile> {
    ALL.iter().copied().find(|profile| profile.name == name)
}

/// The quirks of a mail provider.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a habit of its own, not a state"
)]
pub struct Profile {
    /// The name in options, on pages and in reports.
    pub name: &'static str,
    /// A refresh answers with a new refresh token and ends the one that was used.
    pub rotates_refresh_tokens: bool,
    /// The token endpoint wants a client secret although the client proves itself by PKCE.
    pub demands_secret_with_pkce: bool,
    /// `prompt=none` may succeed where the browser is signed in and consent was given before.
    pub silent_sign_in: bool,
    /// A changed password ends the grants that were given before it.
    pub password_change_ends_grants: bool,
    /// Which passwords SMTP and IMAP take.
    pub passwords: PasswordRule,
    /// How a refused access token is told over SMTP and IMAP.
    pub refused_token: RefusedToken,
    /// Who makes the copy in the sent folder, and how late.
    pub sent_copy: SentCopy,
    /// What becomes of the `Message-ID` of a submitted message.
    pub message_ids: MessageIds,
    /// How long a message whose connection was lost may still take until it is stored.
    /// After that time it is stored or never will be.
    pub submission_time: Duration,
    /// The folders of a new inbox, INBOX first.
    pub folders: &'static [FolderSpec],
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
    ChallengeFirst,
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
    /// Replaced; the client's own goes into another header field.
    Replaced {
        /// The field that keeps the client's id.
        original_in: &'static str,
        /// The new id stands in the reply after the data.
        told: bool,
    },
}

/// A folder of a new inbox.
#[derive(Debug, Clone, Copy)]
pub struct FolderSpec {
    /// Its name.
    pub name: &'static str,
    /// Its special use (RFC 6154 §2) without the backslash.
    pub special_use: Option<&'static str>,
}

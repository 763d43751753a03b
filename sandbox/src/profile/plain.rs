//! A small provider of the older kind: app passwords, no OAuth, and folders that tell nothing.

use std::time::Duration;

use super::replies::STANDARD;
use super::{FolderSpec, MessageIds, PasswordRule, Profile, RefusedToken, SentCopy};

/// The plain provider.
pub const PLAIN: Profile = Profile {
    name: "plain",
    // Ours: what a provider is without it.
    oauth: None,
    // Ours: what Fastmail, iCloud and Yahoo demand of mail programs; "App passwords" in each one's help.
    passwords: PasswordRule::AppOnly,
    // Ours: an app password is deleted by itself.
    password_change_ends_app_passwords: false,
    // RFC 4616; LOGIN is what old servers still name.
    smtp_mechanisms: &["PLAIN", "LOGIN"],
    imap_mechanisms: &["PLAIN"],
    // RFC 4959 is an extension: a server may be without it.
    sasl_ir: false,
    // No token is ever taken.
    refused_token: RefusedToken::AtOnce,
    replies: &STANDARD,
    // No standard has a limit.
    max_imap_connections: None,
    // RFC 6409 says nothing of a copy: the client appends it, as mail programs have always done.
    sent_copy: SentCopy::ByClient,
    // RFC 6409 §8.3: a missing id is added, nothing else changes.
    message_ids: MessageIds::Kept,
    // As in the generic profile.
    submission_time: Duration::from_secs(2),
    // RFC 2342 §5: personal folders may all be below "INBOX.", as Courier and cPanel have them.
    delimiter: '.',
    // RFC 6154 is an extension: LIST tells no uses.
    folders: &[
        FolderSpec::without_use("INBOX"),
        FolderSpec::without_use("INBOX.Sent"),
        FolderSpec::without_use("INBOX.Junk"),
        FolderSpec::without_use("INBOX.Trash"),
    ],
    no_select: &[],
    // 10 MiB, as small providers take.
    max_message_bytes: 10 * 1024 * 1024,
    // RFC 5321 §4.5.3.1.8: the smallest limit a server may have.
    max_recipients: 100,
};

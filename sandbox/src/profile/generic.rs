//! A provider that follows the standards and has no habits of its own.

use std::time::Duration;

use super::{FolderSpec, MessageIds, PasswordRule, Profile, RefusedToken, SentCopy};

/// The generic provider.
pub const GENERIC: Profile = Profile {
    name: "generic",
    // RFC 9700 §2.2.2: refresh tokens of public clients are rotated or bound to the sender.
    rotates_refresh_tokens: true,
    // RFC 8252 §8.5: a secret that ships with an app is none, so public clients have none.
    demands_secret_with_pkce: false,
    // OpenID Connect Core §3.1.2.1: `prompt=none` succeeds where nothing has to be asked.
    silent_sign_in: true,
    // No standard ties grants to the password; Google's profile would.
    password_change_ends_grants: false,
    // RFC 6409 §4.3 asks for a sign-in and leaves open which; PLAIN is the common one.
    passwords: PasswordRule::Own,
    // RFC 7628 §3.2.3: the failure is told as JSON in a challenge, then comes the refusal.
    refused_token: RefusedToken::ChallengeFirst,
    // The easiest promise to test against: the copy is there before the reply is.
    sent_copy: SentCopy::ByServer {
        late_by: Duration::ZERO,
    },
    // RFC 6409 §8.3 lets a server add a missing id and says nothing of replacing one.
    message_ids: MessageIds::Kept,
    // Far below the ten minutes of RFC 5321 §4.5.3.2.6, so that a doubt settles while one watches.
    submission_time: Duration::from_secs(2),
    // RFC 6154 §2 names the special uses; these are the folders that nearly every provider has.
    folders: &[
        FolderSpec {
            name: "INBOX",
            special_use: None,
        },
        FolderSpec {
            name: "Sent",
            special_use: Some("Sent"),
        },
        FolderSpec {
            name: "Junk",
            special_use: Some("Junk"),
        },
        FolderSpec {
            name: "Archive",
            special_use: Some("Archive"),
        },
    ],
    // 25 MiB, as large providers take.
    max_message_bytes: 25 * 1024 * 1024,
    // RFC 5321 §4.5.3.1.8: the smallest limit a server may have.
    max_recipients: 100,
};

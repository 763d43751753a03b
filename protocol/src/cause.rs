//! Why something failed. Each cause is a file and a line here: its code, its card, the evidence it
//! claims and, in tests, examples that it and no other claims. [`classify`] is the only place that
//! chooses a cause. What the engine does about it follows from the card's scope and persistence.

use serde::{Deserialize, Serialize};

use crate::card::Card;
use crate::evidence::Evidence;
use said::Reading;

mod aadsts;
mod concept;
mod said;
mod words;

/// How sure a cause is that evidence is its own. The surest claim wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claim {
    /// It is what this party usually means at this stage, when nothing more is said.
    Usual,
    /// A code points to it, and words may know better.
    Hinted,
    /// The words point to it.
    Worded,
    /// The words name this and nothing else.
    Named,
    /// A code that has this one meaning says so.
    Coded,
}

/// A cause as its file defines it.
pub(crate) struct Definition {
    pub(crate) card: Card,
    pub(crate) claim: fn(&Reading<'_>) -> Option<Claim>,
}

macro_rules! causes {
    ($($file:ident => $variant:ident,)*) => {
        $(mod $file;)*

        /// Why something failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum Cause {
            /// Nothing that we know; shown with the server's own words.
            Unrecognised,
            $(
                #[doc = concat!("See `cause/", stringify!($file), ".rs`.")]
                $variant,
            )*
        }

        /// Every cause, in the order of the list.
        pub static CAUSES: &[Cause] = &[Cause::Unrecognised, $(Cause::$variant,)*];

        impl Cause {
            fn definition(self) -> &'static Definition {
                match self {
                    Self::Unrecognised => &UNRECOGNISED,
                    $(Self::$variant => &$file::CAUSE,)*
                }
            }

            /// The cause's name on the wire and in rows.
            pub fn code(self) -> &'static str {
                match self {
                    Self::Unrecognised => "unrecognised",
                    $(Self::$variant => stringify!($file),)*
                }
            }
        }

        #[cfg(test)]
        fn examples() -> Vec<(Cause, Evidence)> {
            let mut all = Vec::new();
            $(all.extend($file::examples().into_iter().map(|evidence| (Cause::$variant, evidence)));)*
            all
        }
    };
}

// One line for each cause; the file's name is its code.
causes! {
    account_locked => AccountLocked,
    admin_approval => AdminApproval,
    app_misconfigured => AppMisconfigured,
    app_password_required => AppPasswordRequired,
    browser_demanded => BrowserDemanded,
    cancelled => Cancelled,
    code_refused => CodeRefused,
    consent_refused => ConsentRefused,
    daily_limit => DailyLimit,
    expired => Expired,
    imap_off => ImapOff,
    interrupted => Interrupted,
    mailbox_denied => MailboxDenied,
    mailbox_full => MailboxFull,
    message_rejected => MessageRejected,
    mixed_up => MixedUp,
    network => Network,
    never_connected => NeverConnected,
    no_refresh_token => NoRefreshToken,
    passwords_off => PasswordsOff,
    permission_ended => PermissionEnded,
    policy_blocked => PolicyBlocked,
    rate_limited => RateLimited,
    recipient_deferred => RecipientDeferred,
    recipient_rejected => RecipientRejected,
    relay_listed => RelayListed,
    scope_missing => ScopeMissing,
    sender_refused => SenderRefused,
    sending_blocked => SendingBlocked,
    settings_wrong => SettingsWrong,
    sign_in_blocked => SignInBlocked,
    sign_in_refused => SignInRefused,
    smtp_off => SmtpOff,
    temporary_outage => TemporaryOutage,
    tls_failed => TlsFailed,
    unsealable => Unsealable,
    wrong_identity => WrongIdentity,
}

/// Evidence that no cause claims. Transient first: waiting is tried before anybody is troubled.
static UNRECOGNISED: Definition = Definition {
    card: Card {
        scope: crate::card::Scope::Inbox,
        persistence: crate::card::Persistence::Transient,
        acts: crate::card::Acts::Nobody,
        title: "{inbox} met an answer that is not known",
        explanation: "The cause is not known; the server's words are below. The relay tries again and says when it does not pass.",
        remedy: crate::card::Remedy::Wait,
    },
    claim: |_| None,
};

impl Cause {
    /// The card that belongs to it.
    pub fn card(self) -> &'static Card {
        &self.definition().card
    }
}

/// The cause that evidence shows. Total: what no cause claims is [`Cause::Unrecognised`].
pub fn classify(evidence: &Evidence) -> Cause {
    let reading = Reading::new(evidence);
    CAUSES
        .iter()
        .filter_map(|&cause| Some(((cause.definition().claim)(&reading)?, cause)))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map_or(Cause::Unrecognised, |(_, cause)| cause)
}

#[cfg(test)]
mod tests;

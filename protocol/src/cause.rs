//! Why something failed. Each cause is a file and a line here: its code, what it means, its card, the evidence
//! it claims and, in tests, examples that it and no other claims. [`classify`] is the only place that
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
    ($($file:ident => $variant:ident: $meaning:literal,)*) => {
        $(mod $file;)*

        /// Why something failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum Cause {
            /// Nothing that we know; shown with the server's own words.
            Unrecognised,
            $(
                #[doc = $meaning]
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

        /// What the list and the file of each cause say that it means.
        #[cfg(test)]
        static MEANINGS: &[(&str, &str)] = &[$(
            ($meaning, include_str!(concat!("cause/", stringify!($file), ".rs"))),
        )*];

        #[cfg(test)]
        fn examples() -> Vec<(Cause, Evidence)> {
            let mut all = Vec::new();
            $(all.extend($file::examples().into_iter().map(|evidence| (Cause::$variant, evidence)));)*
            all
        }
    };
}

// One line for each cause: the file's name is its code, and what it means stands in the API as here.
causes! {
    account_locked => AccountLocked: "The account is locked, suspended or gone.",
    admin_approval => AdminApproval: "The permission is one that only an administrator of the organisation may give.",
    app_misconfigured => AppMisconfigured: "Our own registration with the provider is at fault: no reconnect can help.",
    app_password_required => AppPasswordRequired: "Passwords are taken here, and this one is the account's own where an app password is needed.",
    browser_demanded => BrowserDemanded: "The provider wants the person in a browser: a second step, terms, a session that is too old.",
    cancelled => Cancelled: "The person ended the reconnect.",
    code_refused => CodeRefused: "The provider does not take the authorization code: used already, too old, or of another client.",
    consent_refused => ConsentRefused: "The person said no on the consent page.",
    daily_limit => DailyLimit: "The day's allowance of messages is used up; the inbox is fine tomorrow.",
    expired => Expired: "Nobody finished the reconnect in time.",
    imap_off => ImapOff: "Reading by IMAP is switched off for the mailbox or its organisation.",
    interrupted => Interrupted: "The relay was restarted between a provider's answer and its own record of it.",
    mailbox_denied => MailboxDenied: "The account that signed in may not open this mailbox.",
    mailbox_full => MailboxFull: "The connected mailbox itself is full: it can neither keep copies nor take answers.",
    message_rejected => MessageRejected: "This message is refused; the inbox is fine.",
    mixed_up => MixedUp: "The answer of a sign-in came from another provider, or belongs to another sign-in.",
    network => Network: "The way to the server failed.",
    never_connected => NeverConnected: "The inbox was added and nobody has signed in yet.",
    no_refresh_token => NoRefreshToken: "The provider gave no refresh token, so the permission would end within the hour.",
    passwords_off => PasswordsOff: "No password is taken here any more: the OAuth sign-in is the way.",
    permission_ended => PermissionEnded: "The stored permission has ended: revoked, password changed, unused too long.",
    policy_blocked => PolicyBlocked: "The organisation forbids this app, or this sign-in.",
    rate_limited => RateLimited: "Too many commands, connections or messages for now.",
    recipient_deferred => RecipientDeferred: "This recipient cannot be written to just now; the inbox is fine.",
    recipient_rejected => RecipientRejected: "This recipient is refused; the inbox is fine.",
    relay_listed => RelayListed: "The network address that the relay comes from is on somebody's list: no inbox's sign-in is at fault.",
    scope_missing => ScopeMissing: "The grant lacks what the inbox needs.",
    sender_refused => SenderRefused: "The account that signed in may not send as the inbox's address.",
    sending_blocked => SendingBlocked: "The sign-in works and sending is blocked for reputation: everything this inbox sends would be refused.",
    settings_wrong => SettingsWrong: "The server, its port, its encryption or the way to sign in does not fit.",
    sign_in_blocked => SignInBlocked: "The provider stopped a sign-in that looked unusual to it.",
    sign_in_refused => SignInRefused: "Login or password refused, and no more was said.",
    smtp_off => SmtpOff: "Sending by SMTP is switched off for the mailbox or its organisation.",
    temporary_outage => TemporaryOutage: "A passing fault at the provider.",
    tls_failed => TlsFailed: "Certificate or encryption failed.",
    unsealable => Unsealable: "The sealed hand-over could not be opened: another relay's key, another reconnect, or damage.",
    wrong_identity => WrongIdentity: "Somebody else signed in.",
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

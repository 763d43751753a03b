//! A reconnect: one attempt to give an inbox working credentials again. The order of its stages is here, as one
//! transition function that every stored change goes through; the work of each stage is the relay's.
//!
//! ```text
//! Started ─→ Granted ─→ [Exchanging] ─→ Exchanged ─→ Identified ─→ [Refreshing] ─→ Refreshed ─→ SignedIn ─→ Adopted ─→ Resumed
//!    │          └──(a password as before)─┼─────────────────↑──────(a password)────────↑                       ↑
//!    │                                    └→ Unconfirmed ───┘                                                  │
//!    └────────────(what is on record works again)──────────────────────────────────────────────────────────────┘
//! every one of them ─→ Refused; what stands in brackets may be left again for the one before
//! ```

use serde::{Deserialize, Serialize};

use crate::cause::{Cause, classify};
use crate::evidence::Evidence;
use crate::id::{InboxId, ReceiptId, ReconnectId};
use crate::secret::Secret;
use crate::timestamp::Timestamp;

mod question;
#[cfg(test)]
mod tests;

pub use question::{GivenSignIn, Question, Replaces};

/// Where a reconnect stands. Every stage is on record before the next one begins, so that a restart goes
/// on at the first that is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// The person is at the provider.
    Started {
        /// When it ends by itself.
        expires_at: Timestamp,
    },
    /// What the person obtained has arrived.
    Granted,
    /// The relay proves it.
    Verifying {
        /// The last stage that is on record.
        stage: Stage,
    },
    /// A sign-in works that the inbox does not know: another account, as for a shared mailbox or an alias, another user
    /// name, or a password where it has an account. It goes on when a person confirms that.
    Unconfirmed,
    /// The inbox works and its campaigns go on.
    Resumed {
        /// The proof.
        receipt: ReceiptId,
        /// When.
        at: Timestamp,
    },
    /// It ended without success; the inbox is as it was before.
    Refused {
        /// Why.
        cause: Cause,
        /// What showed it.
        evidence: Evidence,
        /// When.
        at: Timestamp,
    },
}

/// How far the proof has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The code is being exchanged: the provider may have used it up.
    Exchanging,
    /// Fresh credentials are sealed in the reconnect's own row.
    Exchanged,
    /// The right person signed in and gave what is needed.
    Identified,
    /// The new refresh token is being used once: the provider may have replaced it.
    Refreshing,
    /// The new refresh token works; a replaced one is on record.
    Refreshed,
    /// SMTP and IMAP took the credentials.
    SignedIn,
    /// The inbox has the credentials; what arrived meanwhile is being read.
    Adopted,
}

impl Stage {
    /// Whether a restart at this stage leaves a question that only the provider could answer.
    pub fn is_window(self) -> bool {
        matches!(self, Self::Exchanging | Self::Refreshing)
    }

    /// Whether the reconnect's row holds credentials at this stage that are nobody else's yet.
    fn holds_credentials(self) -> bool {
        match self {
            // What was handed over is no permission yet; what was adopted is the inbox's.
            Self::Exchanging | Self::Adopted => false,
            Self::Exchanged
            | Self::Identified
            | Self::Refreshing
            | Self::Refreshed
            | Self::SignedIn => true,
        }
    }

    /// Whether the proof goes from `before` to this stage.
    fn follows(self, before: Self) -> bool {
        match self {
            Self::Exchanged => before == Self::Exchanging,
            Self::Identified => before == Self::Exchanged,
            Self::Refreshing => before == Self::Identified,
            // A password is no permission that could be renewed.
            Self::Refreshed => matches!(before, Self::Refreshing | Self::Identified),
            // After a restart both sign-ins are made again.
            Self::SignedIn => matches!(before, Self::Refreshed | Self::SignedIn),
            Self::Exchanging | Self::Adopted => false,
        }
    }
}

/// What happens to a reconnect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The person handed over what they obtained.
    Granted,
    /// The proof came to a stage, which is not its last.
    Reached {
        /// The stage.
        stage: Stage,
    },
    /// The provider answered and has used nothing up: its window is left again.
    Left,
    /// A sign-in that the inbox does not know, and both servers let it in.
    Questioned,
    /// A person says that this is meant.
    Confirmed,
    /// The inbox has the credentials that were proved.
    Adopted,
    /// What was on record is proved to work again, without a person: the inbox keeps it.
    Revived,
    /// What arrived meanwhile is read, and the campaigns go on.
    GapRead {
        /// The proof.
        receipt: ReceiptId,
        /// When.
        at: Timestamp,
    },
    /// It ends without success.
    Refused {
        /// What shows why.
        evidence: Box<Evidence>,
        /// Why, where more than the evidence shows it: both mail servers were asked, and the pair decides. `None`: what
        /// the evidence shows.
        cause: Option<Cause>,
        /// When.
        at: Timestamp,
    },
}

/// What follows from an event, for whoever put it on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The reconnect's own task goes on with it, or ends.
    Work,
    /// The credentials that it held are given back at the provider.
    GiveBack,
    /// What arrived meanwhile is read.
    ReadGap,
    /// The inbox's campaigns go on, in the transaction of the event.
    Resume,
    /// The inbox's task looks again: it need not wait for the reconnect.
    Nudge,
}

/// The event does not belong to the state; the reconnect stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransition {
    /// It is over; nothing happens to it any more.
    #[error("this reconnect is {state}")]
    Over {
        /// The state's name.
        state: &'static str,
    },
    /// It was to take what a person obtained.
    #[error("this reconnect is {state}; it no longer waits for a sign-in")]
    NotWaiting {
        /// The state's name.
        state: &'static str,
    },
    /// It was to be confirmed or denied.
    #[error("this reconnect is {state}; there is nothing to confirm")]
    NothingToConfirm {
        /// The state's name.
        state: &'static str,
    },
    /// Its proof does not go that way.
    #[error("a reconnect that is {state} does not go on with {event}")]
    OutOfOrder {
        /// The state's name.
        state: &'static str,
        /// The event's name.
        event: &'static str,
    },
}

impl State {
    /// The state's name in rows and on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Granted => "granted",
            Self::Verifying { .. } => "verifying",
            Self::Unconfirmed => "unconfirmed",
            Self::Resumed { .. } => "resumed",
            Self::Refused { .. } => "refused",
        }
    }

    /// Whether nothing more will happen to it.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Resumed { .. } | Self::Refused { .. })
    }

    /// The state after an event, and what follows from it.
    pub fn apply(self, event: Event) -> Result<(Self, Vec<Effect>), InvalidTransition> {
        use Effect::{GiveBack, Nudge, ReadGap, Resume, Work};
        let refused = self.refuses(&event);
        Ok(match (self, event) {
            (Self::Started { .. }, Event::Granted) => (Self::Granted, vec![Work]),
            (Self::Started { .. }, Event::Revived)
            | (
                Self::Verifying {
                    stage: Stage::SignedIn,
                },
                Event::Adopted,
            ) => {
                let stage = Stage::Adopted;
                (Self::Verifying { stage }, vec![ReadGap])
            }
            // A code is exchanged; tokens are taken as they are, and so is a password that may be another's; one that is
            // not is no permission to be proved.
            (
                Self::Granted,
                Event::Reached {
                    stage: stage @ (Stage::Exchanging | Stage::Exchanged | Stage::Refreshed),
                },
            ) => (Self::Verifying { stage }, vec![]),
            (Self::Verifying { stage: before }, Event::Reached { stage })
                if stage.follows(before) =>
            {
                (Self::Verifying { stage }, vec![])
            }
            (
                Self::Verifying {
                    stage: Stage::Exchanging,
                },
                Event::Left,
            ) => (Self::Granted, vec![]),
            (
                Self::Verifying {
                    stage: Stage::Refreshing,
                },
                Event::Left,
            ) => {
                let stage = Stage::Identified;
                (Self::Verifying { stage }, vec![])
            }
            (Self::Unconfirmed, Event::Confirmed) => {
                let stage = Stage::Identified;
                (Self::Verifying { stage }, vec![Work])
            }
            // Meanwhile the inbox goes on with what it had.
            (
                Self::Verifying {
                    stage: Stage::Exchanged,
                },
                Event::Questioned,
            ) => (Self::Unconfirmed, vec![Nudge]),
            (
                Self::Verifying {
                    stage: Stage::Adopted,
                },
                Event::GapRead { receipt, at },
            ) => (Self::Resumed { receipt, at }, vec![Resume, Nudge]),
            (
                before @ (Self::Started { .. }
                | Self::Granted
                | Self::Verifying { .. }
                | Self::Unconfirmed),
                Event::Refused {
                    evidence,
                    cause,
                    at,
                },
            ) => {
                let cause = cause.unwrap_or_else(|| classify(&evidence));
                let evidence = *evidence;
                let held = before.holds_credentials().then_some(GiveBack);
                let effects = held.into_iter().chain([Work, Nudge]).collect();
                (
                    Self::Refused {
                        cause,
                        evidence,
                        at,
                    },
                    effects,
                )
            }
            _ => return Err(refused),
        })
    }

    /// Whether the reconnect's row holds credentials that are nobody else's yet.
    fn holds_credentials(&self) -> bool {
        match self {
            Self::Verifying { stage } => stage.holds_credentials(),
            Self::Unconfirmed => true,
            Self::Started { .. } | Self::Granted | Self::Resumed { .. } | Self::Refused { .. } => {
                false
            }
        }
    }

    /// Why this state does not take the event, where it does not.
    fn refuses(&self, event: &Event) -> InvalidTransition {
        let state = self.name();
        match event {
            Event::Granted => InvalidTransition::NotWaiting { state },
            Event::Confirmed => InvalidTransition::NothingToConfirm { state },
            _ if self.is_over() => InvalidTransition::Over { state },
            event => InvalidTransition::OutOfOrder {
                state,
                event: event.name(),
            },
        }
    }
}

impl Event {
    /// The event's name, for errors.
    fn name(&self) -> &'static str {
        match self {
            Self::Granted => "a grant",
            Self::Reached { .. } => "this stage",
            Self::Left => "the stage before",
            Self::Questioned => "a question",
            Self::Confirmed => "a confirmation",
            Self::Adopted => "the adoption",
            Self::Revived => "a revival",
            Self::GapRead { .. } => "the resume",
            Self::Refused { .. } => "a refusal",
        }
    }
}

/// What the person's browser hands over, sealed: never seen on the wire in this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Grant {
    /// A confidential client: the relay exchanges the code.
    Code {
        /// The authorization code (RFC 6749 §1.3.1).
        code: Secret,
        /// The PKCE verifier (RFC 7636 §4.1).
        verifier: Secret,
        /// The redirect URI of the authorization request (RFC 6749 §4.1.3).
        redirect_uri: String,
    },
    /// A public client: the browser exchanged the code.
    Tokens {
        /// The access token.
        access_token: Secret,
        /// The refresh token; `None` when the provider gave none.
        refresh_token: Option<Secret>,
        /// Milliseconds until the access token ends, from the provider's `expires_in`.
        expires_in_ms: Option<u64>,
        /// The scopes granted; `None` when the provider named none: then those asked for
        /// (RFC 6749 §5.1).
        scope: Option<String>,
    },
    /// A password or app password.
    Password {
        /// The user name; usually the address.
        user: String,
        /// The secret, as it was pasted.
        password: Secret,
    },
}

/// How the authorization code becomes tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Exchange {
    /// In the browser; fresh tokens go to the relay.
    Public,
    /// At the relay; code and verifier go there.
    Confidential,
}

/// Everything a browser needs to send the person to the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Authorization {
    /// Where the person signs in.
    pub authorization_endpoint: String,
    /// Where a public client exchanges the code.
    pub token_endpoint: String,
    /// The issuer that the redirect must name.
    pub issuer: String,
    /// Whether the provider promises the `iss` parameter (RFC 9207).
    pub names_issuer: bool,
    /// The client id of the relay's registration.
    pub client_id: String,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// The address to preselect.
    pub login_hint: String,
    /// The visits to make, first to last, until one succeeds.
    pub visits: Vec<VisitPlan>,
    /// How the code is exchanged.
    pub exchange: Exchange,
}

/// How one visit at the authorization endpoint is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VisitPlan {
    /// Whether the person sees it.
    pub interactive: bool,
    /// Parameters of this visit.
    pub parameters: Vec<(String, String)>,
}

/// The associated data of a sealed hand-over: it opens for this reconnect of this inbox only.
pub fn sealing_context(reconnect: &ReconnectId, inbox: &InboxId) -> String {
    format!("unpause reconnect v1\n{reconnect}\n{inbox}")
}

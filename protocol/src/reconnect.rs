//! A reconnect: one attempt to give an inbox working credentials again. The order of its stages is here;
//! the work of each is the relay's.

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::evidence::Evidence;
use crate::id::{InboxId, ReceiptId, ReconnectId};
use crate::secret::Secret;
use crate::timestamp::Timestamp;

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
    /// Another person's sign-in works for this inbox, as it does for a shared mailbox or an alias. It goes on
    /// when the person confirms that.
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
    pub attempts: Vec<Visit>,
    /// How the code is exchanged.
    pub exchange: Exchange,
}

/// One visit at the authorization endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Visit {
    /// Whether the person sees it.
    pub interactive: bool,
    /// Parameters of this visit.
    pub parameters: Vec<(String, String)>,
}

/// The associated data of a sealed hand-over: it opens for this reconnect of this inbox only.
pub fn sealing_context(reconnect: &ReconnectId, inbox: &InboxId) -> String {
    format!("unpause reconnect v1\n{reconnect}\n{inbox}")
}

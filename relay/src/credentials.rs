//! What an inbox signs in with, as it is kept: always sealed at rest. Getting and renewing it is the
//! worker's; what the mail servers need of it is [`crate::sign_in::SignIn`].

use protocol::id::{InboxId, ReconnectId};
use protocol::inbox::Address;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sign_in::SignIn;

/// The credentials of one inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Credentials {
    /// A grant of an authorization server.
    OAuth {
        /// The newest refresh token.
        refresh_token: Secret,
        /// The newest access token.
        access_token: Secret,
        /// When to replace the access token: well before it ends, by our own receipt and `expires_in`.
        refresh_at: Timestamp,
        /// Who signed in, in the provider's words (OpenID Connect Core §2); only from the exchange of the code
        /// until the identity is known, and only where the provider gave one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id_token: Option<Secret>,
    },
    /// A password or app password.
    Password {
        /// The user name.
        user: String,
        /// The secret.
        password: Secret,
    },
}

impl Credentials {
    /// The user name that goes with a password.
    pub fn password_user(&self) -> Option<&str> {
        match self {
            Self::OAuth { .. } => None,
            Self::Password { user, .. } => Some(user),
        }
    }

    /// What the mail servers are shown; a bearer token acts as the inbox's own address.
    pub fn sign_in(&self, address: &Address) -> SignIn {
        match self {
            Self::OAuth { access_token, .. } => SignIn::Bearer {
                user: address.to_string(),
                access_token: access_token.clone(),
            },
            Self::Password { user, password } => SignIn::Password {
                user: user.clone(),
                password: password.clone(),
            },
        }
    }
}

/// The context with which an inbox's credentials are sealed.
pub fn inbox_context(inbox: &InboxId) -> String {
    format!("inbox {inbox}")
}

/// The context with which the payload of a visit is sealed.
pub fn visit_context(reconnect: &ReconnectId) -> String {
    format!("hosted visit {reconnect}")
}

/// The context with which a reconnect's payload is sealed.
pub fn reconnect_context(reconnect: &ReconnectId) -> String {
    format!("reconnect {reconnect}")
}

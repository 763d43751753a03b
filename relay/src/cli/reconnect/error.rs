//! Why an inbox was not reconnected at the terminal: what happened, and what to do.

use std::io;
use std::path::PathBuf;

use protocol::evidence::Said;
use protocol::id::ReconnectId;
use protocol::sealed::SealError;
use protocol::visit::NotAUrl;

use super::password::PasswordError;
use crate::api::ApiError;
use crate::oauth::ClientError;
use crate::oauth::visit::VisitError;
use crate::tls::DialerError;

/// Why an inbox was not reconnected.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ReconnectError {
    /// It ended without success.
    #[error("{inbox} was not reconnected\n{words}")]
    Refused {
        /// The inbox's address.
        inbox: String,
        /// What the card says, what was said, and what to do.
        words: String,
    },
    /// The person stopped watching what can no longer be stopped.
    #[error(
        "the sign-in was handed over already and is being proved: `unpause reconnect show {reconnect}` tells how it ends"
    )]
    Unwatched {
        /// The reconnect.
        reconnect: ReconnectId,
    },
    /// Another sign-in is being proved, so this one was not used.
    #[error(
        "another sign-in of this inbox is being proved, so the password was not used: `unpause reconnect show {reconnect}` tells how it ends"
    )]
    UnderWay {
        /// The reconnect.
        reconnect: ReconnectId,
    },
    /// The provider has no page to sign in on.
    #[error("this provider has no page to sign in on: give a password with --password")]
    NoPage,
    /// Every visit of the provider is a silent one.
    #[error("this provider has no visit that asks the person: give a password with --password")]
    NoVisit,
    /// The answer came from elsewhere.
    #[error(
        "the answer names the provider {}, not {expected}: nothing of it was used; start again and mind which page you sign in on",
        found.as_deref().unwrap_or("nowhere")
    )]
    OtherIssuer {
        /// The issuer that was asked.
        expected: String,
        /// The issuer that answered.
        found: Option<String>,
    },
    /// The provider did not do its part.
    #[error("the provider does not answer as it should: {said}; start again later")]
    Provider {
        /// What it said.
        said: Said,
    },
    /// The answer could not be waited for.
    #[error("cannot listen on 127.0.0.1 for the provider's answer")]
    Listen(#[source] io::Error),
    /// The listener ended before the answer.
    #[error("the listener for the provider's answer ended; start again")]
    ListenerEnded,
    /// An address of the provider is none.
    #[error("an address of the provider is not a URL: check its `issuer` in the configuration")]
    NotAUrl(#[from] url::ParseError),
    /// The extra root certificates did not load.
    #[error("the root certificates {path} cannot be read")]
    Roots {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] DialerError),
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Http(#[from] ClientError),
    /// There is no password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// What was obtained cannot be written as JSON.
    #[error("what was obtained cannot be written down for the relay")]
    Unwritable,
    /// What was obtained cannot be sealed.
    #[error("what was obtained cannot be sealed for the relay")]
    Seal(#[from] SealError),
    /// The relay said no, or does not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
    /// The output cannot be written.
    #[error("the output cannot be written")]
    Output(#[from] io::Error),
}

impl From<VisitError> for ReconnectError {
    fn from(error: VisitError) -> Self {
        match error {
            VisitError::NoneAsks => Self::NoVisit,
            VisitError::NotAUrl(NotAUrl(source)) => Self::NotAUrl(source),
        }
    }
}

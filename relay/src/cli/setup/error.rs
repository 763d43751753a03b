//! Why a provider was not set up. No variant holds a secret.

use std::io;
use std::path::PathBuf;

use protocol::evidence::Said;

use super::form::Expected;
use crate::config::ConfigError;
use crate::oauth::ClientError;
use crate::tls::DialerError;

/// Why a provider was not set up. Nothing was written, whichever it is.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum SetupError {
    /// A text that cannot be what was asked for.
    #[error("{name}: expected {expected}")]
    NotIt {
        /// What was asked for.
        name: &'static str,
        /// What it can be.
        expected: Expected,
    },
    /// Standard input ended before the answer.
    #[error("{name}: expected a line on standard input, found its end")]
    Unanswered {
        /// What was asked for.
        name: &'static str,
    },
    /// A line that is no answer.
    #[error(
        "expected a line of at most {at_most_bytes} bytes on standard input, found a longer one"
    )]
    TooLong {
        /// The limit.
        at_most_bytes: u64,
    },
    /// The person ended it.
    #[error("nothing was changed")]
    Interrupted,
    /// The section is there and was to stay.
    #[error("[providers.{id}] of {path} stays as it is; --replace answers yes beforehand")]
    Kept {
        /// The provider.
        id: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// An option for another provider.
    #[error("clients at {provider} belong to no tenant: leave --tenant out")]
    NoTenant {
        /// The provider.
        provider: &'static str,
    },
    /// The variable with the secret is not set.
    #[error("the variable {name}, which --client-secret-env names, is not set or is no text")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// The relay has no address that can be registered.
    #[error(
        "`listen` has port 0, so the relay's redirect address differs at each start: set a port of its own first, as in listen = \"127.0.0.1:7411\""
    )]
    NoFixedPort,
    /// The provider says no.
    #[error("{issuer} is not known there: {said}; check the tenant")]
    UnknownIssuer {
        /// The issuer.
        issuer: String,
        /// What it said.
        said: Said,
    },
    /// Something else than a table stands where the section belongs.
    #[error("{path}: {key} is not a table: make it one, as in [providers.{id}]")]
    NotATable {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The provider.
        id: &'static str,
    },
    /// The configuration cannot be used, as it is or with what would be written.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written; it is as it was")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard input failed.
    #[error("standard input cannot be read")]
    Input(#[source] io::Error),
    /// The secret would be seen.
    #[error(
        "this terminal cannot hide what is typed: give the secret with --client-secret-env, or all answers on standard input"
    )]
    Visible,
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
}

//! A browser at the other end of the `WebDriver` protocol of the W3C: chromedriver or geckodriver as a child process, and
//! the few commands that the stories and the tests send.
//!
//! A client of our own, on the `reqwest` that is here already. `fantoccini` brings an HTTP and TLS stack of its own,
//! whose default is OpenSSL. `thirtyfour` knows neither the computed role nor the computed label, on which the click
//! log rests, starts a second browser by itself when the first one fails, and ends a session in `Drop` on a thread
//! of its own while the runtime waits. What is used here is two dozen endpoints.
//!
//! Deliberately absent: a command that nobody sends, and any knowledge of our pages. A click is sent from one
//! place only, [`click`], which writes the log.

pub mod click;
pub mod driver;
pub mod element;
pub mod seek;
pub mod session;

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum WebDriverError {
    /// The driver could not be started or ended before it was ready.
    #[error(transparent)]
    Child(#[from] crate::child::ChildError),
    /// No port, or no folder.
    #[error("a driver has no place to run in")]
    Io(#[from] std::io::Error),
    /// No HTTP client.
    #[error(transparent)]
    Client(#[from] crate::http_client::ClientError),
    /// The driver did not answer.
    #[error("the driver did not answer {command}")]
    Http {
        /// The command.
        command: String,
        /// What the HTTP client said.
        #[source]
        source: reqwest::Error,
    },
    /// The driver said no.
    #[error("{command} was refused: {error}: {message}")]
    Refused {
        /// The command.
        command: String,
        /// The error code (W3C `WebDriver` §6.6), as in `no such element`.
        error: String,
        /// The driver's words.
        message: String,
    },
    /// The answer has another shape than the protocol says.
    #[error("{command} was answered strangely")]
    Strange {
        /// The command.
        command: String,
    },
}

impl WebDriverError {
    /// The error code of the protocol; `None` for anything but a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { error, .. } => Some(error),
            _ => None,
        }
    }
}

//! Where log lines go: standard error, for people or as JSON. What is logged is each module's own choice;
//! secrets have no `Display` and a `Debug` that hides them.

use std::error::Error;
use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::Config;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter of the configuration cannot be read.
    #[error("the setting \"log\" is not a filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The process has one already.
    #[error("the log of this process is set up already")]
    Again(#[from] TryInitError),
}

/// Starts the log of this process.
pub fn start(config: &Config) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.log)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        // It would panic where nobody reads standard error any more.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    if config.log_json {
        lines.json().finish().try_init()?;
    } else {
        lines.finish().try_init()?;
    }
    Ok(())
}

/// An error and what caused it, first to last, in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_is_one_line_with_its_causes() {
        assert_eq!(
            chain(&Outer(std::io::Error::other("disk on fire"))),
            "outer: disk on fire"
        );
    }
}

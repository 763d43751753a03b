//! Where log lines go: standard error, for people or as JSON. What is logged is each module's own choice;
//! secrets have no `Display` and a `Debug` that hides them. An event is one line whatever is in it: what foreign words
//! would do to a log or to a terminal is shown instead (`protocol::shown`).

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal as _};

use protocol::shown;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
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
        let lines = lines.with_writer(|| JsonLines(io::stderr()));
        lines.json().finish().try_init()?;
    } else {
        lines.fmt_fields(Fields).finish().try_init()?;
    }
    Ok(())
}

/// The fields of an event, its message among them, in one line. What stands around them is ours.
#[derive(Debug)]
struct Fields;

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut text = String::new();
        DefaultFields::new().format_fields(Writer::new(&mut text), fields)?;
        writer.write_str(&shown::line(&text))
    }
}

/// Takes lines of JSON, each whole.
#[derive(Debug)]
struct JsonLines<W>(W);

impl<W: io::Write> io::Write for JsonLines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(shown::json(text.trim_end()).as_bytes())?;
        self.0.write_all(b"\n")?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
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
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Everything that a test logs.
    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    const HOSTILE: &str =
        "no\r\n2026-11-30T00:00:00Z  INFO forged\u{1b}[2J\u{9b}31m\u{85}\u{2028}\u{202e}x\u{7f}";

    /// Three events, with hostile words wherever words can stand.
    fn log_hostile_words() {
        let error = Outer(io::Error::other(HOSTILE));
        tracing::warn!(words = %HOSTILE, quoted = HOSTILE, debugged = ?HOSTILE, "{HOSTILE}");
        tracing::warn!(error = &error as &dyn Error, "an error");
        tracing::info_span!("span", name = %HOSTILE).in_scope(|| tracing::info!("in a span"));
    }

    #[test]
    fn an_event_is_one_line_whatever_stands_in_it() {
        for is_terminal in [false, true] {
            let kept = Kept::default();
            let to = kept.clone();
            let lines = tracing_subscriber::fmt()
                .with_ansi(is_terminal)
                .with_writer(move || to.clone())
                .fmt_fields(Fields)
                .finish();
            tracing::subscriber::with_default(lines, log_hostile_words);
            let text = kept.text();
            assert_eq!(text.lines().count(), 3, "{text}");
            let ours = text.replace("\u{1b}[", "").replace('\n', "");
            assert!(!ours.contains(shown::is_acting), "{ours:?}");
            assert!(
                text.contains("forged␛[2J") || text.contains("forged\\x1b[2J"),
                "{text}"
            );
            assert_eq!(text.contains('\u{1b}'), is_terminal, "{text:?}");
            assert!(
                text.contains("outer") && text.contains("error.sources"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_line_of_json_is_one_and_means_what_was_said() {
        let kept = Kept::default();
        let to = kept.clone();
        let lines = tracing_subscriber::fmt()
            .with_writer(move || JsonLines(to.clone()))
            .json()
            .finish();
        tracing::subscriber::with_default(lines, log_hostile_words);
        let text = kept.text();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(
            !text.replace('\n', "").contains(shown::is_acting),
            "{text:?}"
        );
        let first = text.lines().next().unwrap();
        let event: serde_json::Value = serde_json::from_str(first).unwrap();
        assert_eq!(event["fields"]["quoted"], HOSTILE);
        assert_eq!(event["fields"]["message"], HOSTILE);
    }

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

//! Asking the person, line by line: questions on standard error and only at a terminal, answers from standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use protocol::secret::Secret;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::SetupError;
use super::form::{Expected, Field};
use crate::cli::reconnect::ReconnectError;
use crate::cli::reconnect::interrupt::Interrupt;
use crate::cli::reconnect::password::Hidden;

/// The longest line that is read. Ours: ids and secrets have less than 100 letters.
const LINE_AT_MOST_BYTES: u64 = 4096;

/// Who answers: a person at a terminal, or a script.
#[derive(Debug)]
pub(super) struct Asking {
    interrupt: Interrupt,
    is_terminal: bool,
}

impl Asking {
    pub(super) fn begin() -> Result<Self, ReconnectError> {
        Ok(Self {
            interrupt: Interrupt::listen()?,
            is_terminal: io::stdin().is_terminal(),
        })
    }

    /// What goes into this field. A person is asked until it can be right; a script has one try.
    pub(super) async fn ask(&mut self, field: &Field) -> Result<String, SetupError> {
        loop {
            let line = self.line(field.name, ": ").await?;
            match (field.check)(&line) {
                Ok(()) => return Ok(line.to_string()),
                Err(expected) => self.complain(field, expected)?,
            }
        }
    }

    /// The same for what must not be seen.
    pub(super) async fn ask_secret(&mut self, field: &Field) -> Result<Secret, SetupError> {
        loop {
            let line = {
                let _hidden = if self.is_terminal {
                    Some(Hidden::begin().map_err(|_| SetupError::Visible)?)
                } else {
                    None
                };
                self.line(field.name, " (not shown): ").await?
            };
            match (field.check)(&line) {
                Ok(()) => return Ok(Secret::new(line.as_str())),
                Err(expected) => self.complain(field, expected)?,
            }
        }
    }

    /// Whether the answer is yes; the end of the input is no.
    pub(super) async fn agrees(&mut self, question: &'static str) -> Result<bool, SetupError> {
        match self.line(question, " [y/N] ").await {
            Ok(line) => Ok(["y", "yes"].contains(&line.to_ascii_lowercase().as_str())),
            Err(SetupError::Unanswered { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn complain(&self, field: &Field, expected: Expected) -> Result<(), SetupError> {
        let refused = SetupError::NotIt {
            name: field.name,
            expected,
        };
        if !self.is_terminal {
            return Err(refused);
        }
        // Where it cannot be said it is asked again all the same.
        let _ = writeln!(io::stderr(), "{refused}");
        Ok(())
    }

    /// One line, without what stands around it.
    async fn line(
        &mut self,
        name: &'static str,
        then: &str,
    ) -> Result<Zeroizing<String>, SetupError> {
        if self.is_terminal {
            let mut err = io::stderr().lock();
            // Where it cannot be asked it can still be read.
            let _ = write!(err, "{name}{then}").and_then(|()| err.flush());
        }
        // A thread of its own: the runtime would wait at its end for a task that reads.
        let (send, line) = oneshot::channel();
        std::thread::spawn(move || {
            let _ = send.send(read_line());
        });
        let line = tokio::select! {
            line = line => line.map_err(|_| SetupError::Interrupted)??,
            () = self.interrupt.came() => return Err(SetupError::Interrupted),
        };
        line.ok_or(SetupError::Unanswered { name })
    }
}

/// The next line; `None` at the end of the input.
fn read_line() -> Result<Option<Zeroizing<String>>, SetupError> {
    let mut line = Zeroizing::new(String::new());
    let n_read = io::stdin()
        .lock()
        .take(LINE_AT_MOST_BYTES + 1)
        .read_line(&mut line)
        .map_err(SetupError::Input)?;
    match u64::try_from(n_read) {
        Ok(0) => Ok(None),
        Ok(1..=LINE_AT_MOST_BYTES) => Ok(Some(Zeroizing::new(line.trim().to_owned()))),
        _ => Err(SetupError::TooLong {
            at_most_bytes: LINE_AT_MOST_BYTES,
        }),
    }
}

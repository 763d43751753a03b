//! A password from standard input: one line, not shown while it is typed. What pasting adds is taken away by
//! [`protocol::password`].

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use protocol::password::{self, NotAPassword};
use protocol::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::interrupt::Interrupt;

/// The longest line that is read. Ours: no password is that long, and a file given by mistake is.
const LINE_AT_MOST_BYTES: u64 = password::AT_MOST_BYTES as u64;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum PasswordError {
    /// Nothing was given.
    #[error("expected a password on standard input, found an empty line")]
    Empty,
    /// That is no password.
    #[error(
        "expected one line of at most {LINE_AT_MOST_BYTES} bytes on standard input, found a longer one"
    )]
    TooLong,
    /// The person ended it.
    #[error("no password was read; nothing was changed")]
    Interrupted,
    /// Standard input failed.
    #[error("the password cannot be read from standard input")]
    Io(#[source] io::Error),
    /// It would be seen.
    #[error(
        "this terminal cannot hide what is typed: give the password on standard input, as in `… --password < FILE`"
    )]
    Visible(#[source] io::Error),
}

/// Reads one line. At a terminal it asks on standard error, and hides what is typed until it is read.
pub(super) async fn read(interrupt: &mut Interrupt) -> Result<Secret, PasswordError> {
    let _hidden = if io::stdin().is_terminal() {
        let hidden = Hidden::begin()?;
        let mut err = io::stderr().lock();
        // Where it cannot be asked it can still be read.
        let _ = write!(err, "Password: ").and_then(|()| err.flush());
        Some(hidden)
    } else {
        None
    };
    // A thread of its own: the runtime would wait at its end for a task that reads.
    let (send, line) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = send.send(read_line());
    });
    tokio::select! {
        line = line => clean(&line.map_err(|_| PasswordError::Interrupted)??),
        () = interrupt.came() => Err(PasswordError::Interrupted),
    }
}

fn read_line() -> Result<Zeroizing<String>, PasswordError> {
    let mut line = Zeroizing::new(String::new());
    let n_read = io::stdin()
        .lock()
        .take(LINE_AT_MOST_BYTES + 1)
        .read_line(&mut line)
        .map_err(PasswordError::Io)?;
    if u64::try_from(n_read).is_ok_and(|n_read| n_read > LINE_AT_MOST_BYTES) {
        return Err(PasswordError::TooLong);
    }
    Ok(line)
}

fn clean(line: &str) -> Result<Secret, PasswordError> {
    password::clean(line).map_err(|no| match no {
        NotAPassword::Empty => PasswordError::Empty,
        NotAPassword::TooLong => PasswordError::TooLong,
    })
}

/// The terminal does not show what is typed, until this is dropped.
pub(in crate::cli) struct Hidden {
    before: Termios,
}

impl Hidden {
    pub(in crate::cli) fn begin() -> Result<Self, PasswordError> {
        let visible = |error: rustix::io::Errno| PasswordError::Visible(error.into());
        let before = tcgetattr(io::stdin()).map_err(visible)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden).map_err(visible)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        // The line end that was typed was hidden too.
        let _ = writeln!(io::stderr());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_end_and_the_spaces_of_an_app_password_are_taken_away() {
        for (line, expected) in [
            ("hunter2\n", Some("hunter2")),
            ("hunter2\r\n", Some("hunter2")),
            ("hunter2", Some("hunter2")),
            (" with spaces \n", Some(" with spaces ")),
            ("abcd efgh ijkl mnop\n", Some("abcdefghijklmnop")),
            (
                "abcd\u{a0}efgh\u{a0}ijkl\u{a0}mnop \n",
                Some("abcdefghijklmnop"),
            ),
            ("abcd efgh ijkl mno1\n", Some("abcd efgh ijkl mno1")),
            ("abcd efgh ijkl\n", Some("abcd efgh ijkl")),
            (
                "abcd efgh ijkl mnop qrst\n",
                Some("abcd efgh ijkl mnop qrst"),
            ),
            ("\n", None),
            ("", None),
        ] {
            let cleaned = clean(line).ok();
            assert_eq!(cleaned.as_ref().map(Secret::expose), expected, "{line:?}");
        }
    }
}

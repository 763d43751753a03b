//! Telling a story line by line as it happens, with the seconds since it began.

use std::io::Write as _;
use std::time::Instant;

/// Writes lines to standard output.
#[derive(Debug)]
pub struct Telling {
    began: Instant,
    quiet: bool,
}

impl Telling {
    /// Begins now; a quiet one says nothing.
    #[expect(
        clippy::disallowed_methods,
        reason = "a story that people watch shows its seconds"
    )]
    pub fn begin(quiet: bool) -> Self {
        Self {
            began: Instant::now(),
            quiet,
        }
    }

    /// One line.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            // Whoever closed the pipe does not want to read on.
            let _ = writeln!(
                std::io::stdout(),
                "[{:6.2} s] {line}",
                self.began.elapsed().as_secs_f64()
            );
        }
    }

    /// Milliseconds since it began.
    pub fn ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

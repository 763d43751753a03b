//! A server that `cargo xtask start` runs: its output goes to a log, and it is ended by its own id,
//! whichever way we end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::clock::wait_for;

/// How long a server may take to finish what it does before it is ended hard. An SMTP
/// conversation that is under way may be cut: the relay's ledger is made for that.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// A running server; ended when dropped.
pub(super) struct Child {
    name: &'static str,
    process: std::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts it with its output in `log`.
    pub(super) fn start(
        name: &'static str,
        command: &mut Command,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let output =
            File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        let errors = output.try_clone().context("a second handle of the log")?;
        let process = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("the {name} cannot be started"))?;
        Ok(Self {
            name,
            process,
            log: log.to_path_buf(),
        })
    }

    /// Which server it is.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Where its output goes.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// The first JSON line that it prints: it is ready then, and says where.
    pub(super) fn first_line(&mut self, within: Duration) -> anyhow::Result<Value> {
        let mut line = None;
        wait_for(within, || {
            line = json_line(&fs::read_to_string(&self.log).unwrap_or_default());
            line.is_some() || self.has_ended()
        });
        match line {
            Some(line) => Ok(line),
            None => bail!(
                "the {} did not say where it listens; it says:\n{}",
                self.name,
                fs::read_to_string(&self.log).unwrap_or_default()
            ),
        }
    }

    /// Ends it: SIGTERM, and SIGKILL where that is not enough.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        if self.has_ended() {
            return Ok(());
        }
        let id = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        if let Some(id) = id {
            kill_process(id, Signal::TERM)
                .with_context(|| format!("the {} cannot be ended", self.name))?;
        }
        if !wait_for(ENDS_WITHIN, || self.has_ended()) {
            self.process
                .kill()
                .with_context(|| format!("the {} cannot be killed", self.name))?;
            self.process
                .wait()
                .with_context(|| format!("the {} does not end", self.name))?;
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = self.end();
    }
}

/// The first line that is a JSON object; only whole lines count.
fn json_line(text: &str) -> Option<Value> {
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_line_is_read() {
        assert_eq!(json_line("hello\n{\"issuer\":\"http://127.0.0.1"), None);
        let line = json_line("hello\n{\"issuer\":\"a\"}\n{\"issuer\":\"b\"}\n").unwrap();
        assert_eq!(line.get("issuer").and_then(Value::as_str), Some("a"));
    }

    #[test]
    fn a_server_is_ended_by_its_id_and_its_words_are_kept() {
        let log = std::env::temp_dir().join(format!("unpause-xtask-{}.log", std::process::id()));
        let script = "echo '{\"issuer\":\"here\"}'; exec cat /dev/zero > /dev/null";
        let mut child =
            Child::start("server", Command::new("sh").args(["-c", script]), &log).unwrap();
        let line = child.first_line(Duration::from_secs(10)).unwrap();
        assert_eq!(line.get("issuer").and_then(Value::as_str), Some("here"));
        assert!(!child.has_ended());
        child.end().unwrap();
        assert!(child.has_ended());
        fs::remove_file(&log).unwrap();
    }
}

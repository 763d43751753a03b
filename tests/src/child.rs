//! A server as a child process: started, waited for until it is ready, and ended by its own id
//! when the value is dropped.
//!
//! Only the process started here is ever signalled, never a group and never by name: while it has
//! not been waited for, its id cannot belong to another process.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{TimedOut, wait_for, wait_in_drop};

/// How long a server may take to end itself before it is ended by SIGKILL.
const END_WITHIN: Duration = Duration::from_secs(5);
/// How much of a child's last words an error shows.
const LAST_WORDS_BYTES: usize = 4000;

/// A running server, and the files that hold what it said.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    /// Held open while the child should live; a child that reads it ends with its parent.
    stdin: Option<ChildStdin>,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// Why a child did not start or did not become ready.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The program could not be run, or its output files could not be made.
    #[error("{name} cannot be started")]
    Start {
        /// The child.
        name: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("{name} ended with {status} before {what}; it said: {last_words}")]
    Ended {
        /// The child.
        name: String,
        /// What was waited for.
        what: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its standard error and output.
        last_words: String,
    },
    /// It runs, but what was waited for did not come.
    #[error("{name} said meanwhile: {last_words}")]
    NotReady {
        /// The child.
        name: String,
        /// What was waited for.
        #[source]
        source: TimedOut,
        /// The end of its standard error and output.
        last_words: String,
    },
    /// The operating system would not let it pause or go on.
    #[error("{name} cannot be signalled")]
    Signal {
        /// The child.
        name: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The operating system would not signal it or would not tell how it ended.
    #[error("{name} cannot be ended")]
    End {
        /// The child.
        name: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl Child {
    /// Starts `command`; its output goes to `NAME.stdout` and `NAME.stderr` in `folder`,
    /// after what an earlier child of that name left there.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self, ChildError> {
        let failed = |source| ChildError::Start {
            name: name.to_owned(),
            source,
        };
        let stdout = folder.join(format!("{name}.stdout"));
        let stderr = folder.join(format!("{name}.stderr"));
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(append(&stdout).map_err(failed)?)
            .stderr(append(&stderr).map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let stdin = process.stdin.take();
        Ok(Self {
            name: name.to_owned(),
            process,
            stdin,
            stdout,
            stderr,
        })
    }

    /// Lets it do nothing until it is woken: it holds its connections and answers on none.
    pub fn suspend(&self) -> Result<(), ChildError> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`Child::suspend`].
    pub fn wake(&self) -> Result<(), ChildError> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), ChildError> {
        kill_process(Pid::from_child(&self.process), signal).map_err(|error| ChildError::Signal {
            name: self.name.clone(),
            source: error.into(),
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The value of `condition` as soon as it has one; at once an error if the child ends first.
    pub async fn wait_until<T>(
        &mut self,
        what: &str,
        mut condition: impl AsyncFnMut() -> Option<T>,
        within: Duration,
    ) -> Result<T, ChildError> {
        let process = &mut self.process;
        let look = async || match process.try_wait() {
            Ok(Some(status)) => Some(Err(status)),
            Ok(None) | Err(_) => condition().await.map(Ok),
        };
        match wait_for(what, look, within).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(status)) => Err(ChildError::Ended {
                name: self.name.clone(),
                what: what.to_owned(),
                status,
                last_words: self.last_words(),
            }),
            Err(source) => Err(ChildError::NotReady {
                name: self.name.clone(),
                source,
                last_words: self.last_words(),
            }),
        }
    }

    /// How it ended; `None` while it runs.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>, ChildError> {
        self.process.try_wait().map_err(|source| ChildError::End {
            name: self.name.clone(),
            source,
        })
    }

    /// Ends it by SIGKILL, as a crash or a power cut would, and waits until it is gone.
    pub fn kill_now(&mut self) -> Result<ExitStatus, ChildError> {
        self.kill_and(|| {})
    }

    /// The same; `then` is done once it does nothing any more, and before it is gone.
    pub fn kill_and(&mut self, then: impl FnOnce()) -> Result<ExitStatus, ChildError> {
        let killed = self.process.kill();
        then();
        killed
            .and_then(|()| self.process.wait())
            .map_err(|source| ChildError::End {
                name: self.name.clone(),
                source,
            })
    }

    /// Ends it as an operator would: SIGTERM, then SIGKILL if it is still there 5 seconds later.
    pub fn end(&mut self) -> Result<ExitStatus, ChildError> {
        let ended = self.exit_status()?;
        if let Some(status) = ended {
            return Ok(status);
        }
        self.stdin = None;
        // Whether or not the signal reaches it, what counts is whether it ends.
        let _signalled = kill_process(Pid::from_child(&self.process), Signal::TERM);
        match wait_in_drop(|| self.process.try_wait().ok().flatten(), END_WITHIN) {
            Some(status) => Ok(status),
            None => self.kill_now(),
        }
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    fn last_words(&self) -> String {
        let words = format!("{}{}", self.stderr(), self.stdout());
        let from = words.ceil_char_boundary(words.len().saturating_sub(LAST_WORDS_BYTES));
        words.get(from..).unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Nobody is left to tell; a child that cannot even be killed is the system's.
        let _ended = self.end();
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The file as text; empty when it cannot be read, as before the first byte.
fn read(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    const SOON: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn is_ready_when_the_condition_holds_and_gone_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Child::start("echo", shell("echo ready; exec cat"), folder.path()).unwrap();
        let stdout = child.stdout.clone();
        let said = async || Some(read(&stdout)).filter(|said| !said.is_empty());
        assert_eq!(
            child.wait_until("its word", said, SOON).await.unwrap(),
            "ready\n"
        );
        let pid = Pid::from_child(&child.process);
        drop(child);
        assert!(
            rustix::process::test_kill_process(pid).is_err(),
            "the child outlived its value"
        );
    }

    #[tokio::test]
    async fn an_early_end_is_told_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Child::start(
            "broken",
            shell("echo no such luck >&2; exit 3"),
            folder.path(),
        )
        .unwrap();
        let told = child
            .wait_until("it", async || None::<()>, SOON)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("exit status: 3") && told.contains("no such luck"),
            "{told}"
        );
    }

    #[test]
    fn kill_now_is_sigkill_and_end_is_sigterm() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Child::start("killed", shell("exec cat"), folder.path()).unwrap();
        assert_eq!(child.kill_now().unwrap().signal(), Some(9));
        let mut child =
            Child::start("ended", shell("exec tail -f /dev/null"), folder.path()).unwrap();
        assert_eq!(child.end().unwrap().signal(), Some(15));
    }
}

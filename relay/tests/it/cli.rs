//! The binary as an operator meets it: the process, its output and its exit status.

#![cfg(test)]

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// `unpause` with a home of its own and no variables of this process.
pub(crate) fn unpause(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unpause"));
    command
        .env_clear()
        .env("HOME", folder)
        .current_dir(folder)
        .args(arguments);
    command
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    unpause(folder, arguments).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn folder_with(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.toml");
    std::fs::write(&path, config).unwrap();
    // A secret may stand in it.
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    folder
}

/// A relay as a process; it ends with the test.
pub(crate) struct Serving {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Ends with the relay, once all of its lines are read.
    reading: Option<JoinHandle<()>>,
}

impl Serving {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_by(unpause(folder, &["serve"]))
    }

    /// Started by another command than our own.
    pub(crate) fn start_by(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut pipe = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let mut first = String::new();
        while !first.contains("the relay listens") {
            let n_read = pipe.read_line(&mut first).unwrap();
            assert!(n_read > 0, "it ended before it listened: {first}");
        }
        log.lock().unwrap().push_str(&first);
        let kept = Arc::clone(&log);
        let reading = std::thread::spawn(move || {
            let mut line = String::new();
            while matches!(pipe.read_line(&mut line), Ok(1..)) {
                kept.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        Self {
            child,
            log,
            reading: Some(reading),
        }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Tells it to stop, and gives everything that it has logged.
    pub(crate) fn end(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap();
        self.reading.take().unwrap().join().unwrap();
        self.log()
    }

    /// Tells it to stop, as a service manager does.
    fn terminate(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_operator_makes_links_and_a_campaign_over_the_api() {
    let folder = folder_with(
        "listen = \"127.0.0.1:0\"\n[providers.sandbox]\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"c\"\n\
         smtp.host = \"127.0.0.1\"\nimap.host = \"127.0.0.1\"",
    );
    let here = folder.path();
    let answer = |arguments: &[&str]| {
        let output = run(here, arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    };
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&answer(&[arguments, &["--json"]].concat())).unwrap()
    };
    let before = run(here, &["pair"]);
    assert_eq!(before.status.code(), Some(1));
    assert!(
        text(&before.stderr).contains("start it with `unpause serve`"),
        "{}",
        text(&before.stderr)
    );

    let serving = Serving::start(here);
    assert!(answer(&["pair"]).starts_with("unpause://pair?relay=http"));
    assert!(answer(&["login"]).contains("/login#code="));
    let inbox = json(&["inbox", "add", "jane@acme.example", "--provider", "sandbox"]);
    let inbox = inbox["id"].as_str().unwrap();
    std::fs::write(
        here.join("steps.toml"),
        "[[steps]]\nsubject = \"Hi {{name}}\"\nbody = \"Hello\"\n",
    )
    .unwrap();
    let create = [
        "campaign",
        "create",
        "--name",
        "Spring",
        "--inbox",
        inbox,
        "--steps",
        "steps.toml",
    ];
    let campaign = json(&create);
    let campaign = campaign["id"].as_str().unwrap();

    std::fs::write(
        here.join("leads.csv"),
        "email,name\nann@a.example,Ann\nnobody,Bob\n",
    )
    .unwrap();
    let refused = run(here, &["campaign", "import", campaign, "leads.csv"]);
    assert_eq!(
        (refused.status.code(), text(&refused.stdout).as_str()),
        (Some(1), "")
    );
    let words = text(&refused.stderr);
    assert!(
        words.contains("found \"nobody\"") && words.contains("(field email, row 3)"),
        "{words}"
    );
    std::fs::write(here.join("leads.csv"), "email,name\nann@a.example,Ann\n").unwrap();
    assert_eq!(
        json(&["campaign", "import", campaign, "leads.csv"])["added"],
        1
    );
    assert!(answer(&["campaign", "list"]).contains("Spring"));

    let second = run(here, &["serve"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(
        text(&second.stderr).contains("another relay is using the database"),
        "{}",
        text(&second.stderr)
    );
    assert_eq!(serving.terminate(), Some(0));
    assert_eq!(
        run(here, &["inbox", "list"]).status.code(),
        Some(1),
        "the relay is gone"
    );
}

#[test]
fn what_is_misspelt_is_named_and_nothing_is_started() {
    let folder = folder_with("lisen = \"127.0.0.1:0\"\n");
    let wrong_key = run(folder.path(), &["serve"]);
    assert_eq!(wrong_key.status.code(), Some(1));
    let words = text(&wrong_key.stderr);
    assert!(
        words.contains("unpause.toml, line 1") && words.contains("did you mean \"listen\"?"),
        "{words}"
    );
    assert!(!folder.path().join(".local").exists(), "nothing was made");
    assert_eq!(
        run(folder.path(), &["inbox", "remove"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = folder_with(&format!("listen = \"{address}\"\n"));
    let refused = run(folder.path(), &["serve"]);
    assert_eq!(refused.status.code(), Some(1));
    let words = text(&refused.stderr);
    assert!(
        words.contains(&address.to_string()) && words.contains("`listen`"),
        "{words}"
    );
}

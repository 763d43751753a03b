//! Where a reconnect at the terminal is played: provider, relay, and the command while it waits. What a
//! person does on the provider's pages is in [`super::browser`].

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use reqwest::Url;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use sandbox::{CONFIDENTIAL_CLIENT, Options, Person, Sandbox};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::{JANE, JOHN, PASSWORD};
use crate::cli::{Serving, folder_with, run, text, unpause};

/// Far more than anything here takes; only a hang reaches it.
const SOON: Duration = Duration::from_mins(1);

/// A provider, and a relay that knows it and Jane's inbox.
pub(super) struct World {
    pub(super) sandbox: Sandbox,
    folder: TempDir,
    pub(super) inbox: String,
    pub(super) serving: Serving,
}

impl World {
    pub(super) async fn start(client_id: &str) -> Self {
        Self::start_with(client_id, "").await
    }

    /// With these settings too.
    pub(super) async fn start_with(client_id: &str, settings: &str) -> Self {
        let person = |address: &str| Person {
            address: address.to_owned(),
            name: address.to_owned(),
            password: PASSWORD.to_owned(),
        };
        let options = Options {
            people: vec![person(JANE), person(JOHN)],
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let secret = if client_id == CONFIDENTIAL_CLIENT {
            format!("client_secret = \"{}\"\n", sandbox.client_secret())
        } else {
            String::new()
        };
        let folder = folder_with(&format!(
            "listen = \"127.0.0.1:0\"\n{settings}extra_roots_file = \"ca.pem\"\n[providers.sandbox]\nissuer = \"{}\"\n\
             client_id = \"{client_id}\"\n{secret}smtp = {{ host = \"127.0.0.1\", port = {} }}\n\
             imap = {{ host = \"127.0.0.1\", port = {} }}\n",
            sandbox.issuer(),
            sandbox.smtps().port(),
            sandbox.imaps().port(),
        ));
        std::fs::write(folder.path().join("ca.pem"), sandbox.ca_pem()).unwrap();
        let serving = Serving::start(folder.path());
        let add = ["inbox", "add", JANE, "--provider", "sandbox", "--json"];
        let added = run(folder.path(), &add);
        assert!(added.status.success(), "{}", text(&added.stderr));
        let added: Value = serde_json::from_slice(&added.stdout).unwrap();
        Self {
            inbox: added["id"].as_str().unwrap().to_owned(),
            sandbox,
            folder,
            serving,
        }
    }

    pub(super) fn here(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn connection(&self) -> String {
        let shown = run(self.here(), &["inbox", "show", JANE, "--json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        shown["connection"]["state"].as_str().unwrap().to_owned()
    }

    /// The clients that Jane gave her permission to.
    pub(super) fn clients(&self) -> Vec<String> {
        let grants = self.sandbox.control().grants(JANE);
        grants.into_iter().map(|grant| grant.client_id).collect()
    }
}

/// `unpause reconnect start` while it waits for its person.
pub(super) struct Terminal {
    pub(super) child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Terminal {
    pub(super) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let command = unpause(folder, &[&["reconnect", "start"], arguments].concat());
        let mut child = tokio::process::Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            stdout: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
            said: Vec::new(),
        }
    }

    /// The address that it asks the person to open.
    pub(super) async fn url(&mut self) -> Url {
        while let Some(line) = timeout(SOON, self.stdout.next_line())
            .await
            .unwrap()
            .unwrap()
        {
            self.said.push(line.clone());
            let json: Option<Value> = serde_json::from_str(&line).ok();
            let text = json.as_ref().map_or(line.as_str(), |json| {
                let link = json["link"].as_str();
                link.or(json["authorization_url"].as_str()).unwrap()
            });
            if let Ok(url) = Url::parse(text) {
                return url;
            }
        }
        let end = self.end().await;
        panic!("it ended without an address: {}", end.stderr);
    }

    /// What it tells programs next.
    pub(super) async fn told(&mut self) -> Value {
        let line = timeout(SOON, self.stdout.next_line()).await;
        let line = line.unwrap().unwrap().unwrap();
        self.said.push(line.clone());
        serde_json::from_str(&line).unwrap()
    }

    pub(super) async fn end(&mut self) -> End {
        while let Some(line) = timeout(SOON, self.stdout.next_line())
            .await
            .unwrap()
            .unwrap()
        {
            self.said.push(line);
        }
        drop(self.child.stdin.take());
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).await.unwrap();
        let status = timeout(SOON, self.child.wait()).await.unwrap().unwrap();
        End {
            code: status.code(),
            stdout: self.said.join("\n"),
            stderr,
        }
    }

    pub(super) fn interrupt(&self) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    }
}

/// How a command ended.
pub(super) struct End {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl End {
    /// The last line for programs.
    pub(super) fn reconnect(&self) -> Value {
        serde_json::from_str(self.stdout.lines().last().unwrap()).unwrap()
    }
}

/// A person at a terminal is asked for a password. Gives the end and everything that the terminal showed.
pub(super) fn ask_at_terminal(
    folder: &Path,
    answer: impl FnOnce(&mut File, &std::process::Child),
) -> (Output, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let open = || {
        let name = name.to_str().unwrap();
        File::options().read(true).write(true).open(name).unwrap()
    };
    let theirs = open();
    let mut ours = File::from(ours);
    let child = unpause(folder, &["reconnect", "start", JANE, "--password"])
        .stdin(open())
        .stdout(Stdio::piped())
        .stderr(open())
        .spawn()
        .unwrap();
    let mut shown = String::new();
    let mut buffer = [0; 256];
    while !shown.contains("Password: ") {
        let n_read = ours.read(&mut buffer).unwrap();
        shown.push_str(std::str::from_utf8(&buffer[..n_read]).unwrap());
    }
    answer(&mut ours, &child);
    let output = child.wait_with_output().unwrap();
    let modes = tcgetattr(&theirs).unwrap().local_modes;
    assert!(
        modes.contains(LocalModes::ECHO),
        "what is typed is shown again"
    );
    drop(theirs);
    // Everything that was shown, then the error that says that nobody is left.
    while let Ok(n_read @ 1..) = ours.read(&mut buffer) {
        shown.push_str(std::str::from_utf8(&buffer[..n_read]).unwrap());
    }
    (output, shown)
}

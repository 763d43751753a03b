//! The relay as a process of its own, started with a configuration file in a temporary folder, killed and
//! started again on the same data.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sandbox::profile::SentCopy;
use tempfile::TempDir;

use super::api::Api;
use super::servers::Servers;
use crate::child::Child;
use crate::disk::{Disk, Faith};
use crate::free_port::free_address;

/// Opening and migrating the database takes milliseconds; the rest is for a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// The name of its output files.
const NAME: &str = "unpause";
/// The folder of a disk of its own, in its folder.
const DISK: &str = "disk";

/// How late a copy of the sandbox may be on a busy machine.
const COPY_WITHIN: Duration = Duration::from_secs(1);
/// How long the relay of a story waits where people would not want to watch.
const TIMING: &str = "slow_retry_ms = 500\nretry_at_most_ms = 2000\nfirst_retry_ms = 100\npoll_ms = 1000\nrest_minute_ms = 200\n";

/// Where data and keys lie.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In its folder.
    Here,
    /// On a disk of their own there.
    Disk { faith: Faith, seed: u64 },
}

/// What the relay of a story is told of its provider, and how long it waits.
#[derive(Debug)]
pub struct Wiring<'a> {
    /// The provider's name in the configuration.
    pub provider: &'a str,
    /// The issuer; `None` where only passwords are taken.
    pub issuer: Option<String>,
    /// How the relay is registered there.
    pub client_id: &'a str,
    /// The secret of a confidential client.
    pub secret: Option<&'a str>,
    /// Submission with TLS from the first byte.
    pub smtp: SocketAddr,
    /// IMAP with TLS from the first byte.
    pub imap: SocketAddr,
    /// The authority that signed their certificates.
    pub ca_pem: &'a str,
    /// The lines of `[timing]`.
    pub timing: &'a str,
    /// More lines of the provider; empty where its file says it all.
    pub habits: String,
}

/// A relay on data of its own.
#[derive(Debug)]
pub struct Relay {
    // In the order in which they end: the process, what it writes to, and the folder of both.
    child: Option<Child>,
    /// Where its data and its keys lie, where that is a disk of their own.
    disk: Option<Disk>,
    folder: TempDir,
    program: PathBuf,
    address: SocketAddr,
    /// Settings beside those of the file, as variables.
    variables: Vec<(&'static str, String)>,
}

impl Relay {
    /// Writes the configuration for these servers and starts the relay.
    pub async fn start(servers: &Servers, secret: Option<&str>) -> Result<Self> {
        Self::start_with(servers, secret, []).await
    }

    /// The same with these settings beside those of the file, as variables.
    pub async fn start_with(
        servers: &Servers,
        secret: Option<&str>,
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self> {
        Self::start_at(Place::Here, servers, secret, variables).await
    }

    /// The same with its data and its keys on a disk of their own: where it is killed, the power is cut.
    pub async fn start_on_disk(
        servers: &Servers,
        secret: Option<&str>,
        faith: Faith,
        seed: u64,
    ) -> Result<Self> {
        Self::start_at(Place::Disk { faith, seed }, servers, secret, []).await
    }

    async fn start_at(
        place: Place,
        servers: &Servers,
        secret: Option<&str>,
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self> {
        let wiring = Wiring {
            provider: servers.provider(),
            issuer: (!servers.takes_passwords_only()).then(|| servers.issuer()),
            client_id: servers.client_id(secret.is_some()),
            secret,
            smtp: servers.smtp(),
            imap: servers.imap(),
            ca_pem: servers.ca_pem(),
            timing: TIMING,
            habits: habits(servers)?,
        };
        Self::start_wired_at(place, &wiring, variables).await
    }

    /// The same for servers that are named one by one.
    pub async fn start_wired(
        wiring: &Wiring<'_>,
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self> {
        Self::start_wired_at(Place::Here, wiring, variables).await
    }

    async fn start_wired_at(
        place: Place,
        wiring: &Wiring<'_>,
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let disk = match place {
            Place::Here => None,
            Place::Disk { faith, seed } => {
                let at = folder.path().join(DISK);
                std::fs::create_dir(&at)?;
                Some(Disk::mount(&at, faith, seed)?)
            }
        };
        let address = free_address()?;
        std::fs::write(folder.path().join("ca.pem"), wiring.ca_pem)?;
        write_privately(
            &folder.path().join("unpause.toml"),
            &config(folder.path(), disk.is_some(), address, wiring)?,
        )?;
        let mut relay = Self {
            child: None,
            disk,
            program: find_program()?,
            folder,
            address,
            variables: variables.into_iter().collect(),
        };
        relay.start_again().await?;
        Ok(relay)
    }

    /// Starts it on the data it had, and waits until it is ready.
    pub async fn start_again(&mut self) -> Result<()> {
        self.start_again_with(None).await
    }

    /// The same with one more setting, as a variable, until it ends.
    pub async fn start_again_with(&mut self, more: Option<(&'static str, String)>) -> Result<()> {
        let mut child = self.launch(more)?;
        // Where it is reached by another address than its own, its operator asks.
        let is_elsewhere = (self.variables.iter()).any(|(name, _)| *name == "UNPAUSE_PUBLIC_URL");
        let (http, ready) = if is_elsewhere {
            let http = crate::http_client::http_client_at(&self.socket())?;
            (http, "http://localhost/readyz".to_owned())
        } else {
            let http = crate::http_client::http_client(&[])?;
            (http, format!("{}/readyz", self.base()))
        };
        let look = async || {
            let answer = http.get(&ready).send().await.ok()?;
            answer.status().is_success().then_some(())
        };
        child
            .wait_until("the relay to be ready", look, READY_WITHIN)
            .await?;
        self.child = Some(child);
        Ok(())
    }

    /// Starts it on the data it had, and waits for nothing.
    pub fn begin_again(&mut self) -> Result<()> {
        self.child = Some(self.launch(None)?);
        Ok(())
    }

    fn launch(&self, more: Option<(&'static str, String)>) -> Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .arg("--config")
            .arg(self.folder.path().join("unpause.toml"));
        // Nothing of the caller's own set-up may reach it.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("UNPAUSE_")) {
            command.env_remove(name);
        }
        let temporary = self.folder.path().join("tmp");
        std::fs::create_dir_all(&temporary)?;
        command
            .env("TMPDIR", temporary)
            .envs(self.variables.iter().cloned().chain(more));
        Ok(Child::start(NAME, command, self.folder.path())?)
    }

    /// Ends it by SIGKILL. Where it has a disk of its own the power is cut, and is there again when this has returned.
    pub fn kill(&mut self) -> Result<()> {
        let disk = self.disk.as_ref();
        if let Some(mut child) = self.child.take() {
            // A process that waits for a disk is gone only when the disk has answered.
            child.kill_and(|| disk.into_iter().for_each(Disk::switch_off))?;
        }
        if let Some(disk) = &mut self.disk {
            disk.switch_on()?;
        }
        Ok(())
    }

    /// The disk of its own, where it has one.
    pub fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// Ends it as an operator would.
    pub fn end(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.end()?;
        }
        Ok(())
    }

    /// Lets it answer nobody until it is woken, as a computer that sleeps.
    pub fn suspend(&self) -> Result<()> {
        self.child.as_ref().context("it is ended")?.suspend()?;
        Ok(())
    }

    /// Lets it go on after [`Relay::suspend`], with what was asked meanwhile.
    pub fn wake(&self) -> Result<()> {
        self.child.as_ref().context("it is ended")?.wake()?;
        Ok(())
    }

    /// The command line of its operator, without a variable of the caller's own set-up.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .arg("--config")
            .arg(self.folder.path().join("unpause.toml"))
            .args(arguments);
        command
    }

    /// Its process; `None` while it is ended.
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its operator, who comes by the socket in its data folder.
    pub fn operator(&self) -> Result<Api> {
        Api::at(self.socket())
    }

    /// The operator's socket.
    pub fn socket(&self) -> PathBuf {
        self.data().join("operator.sock")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address, as in `http://127.0.0.1:7411`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The folder of all its files: `unpause.toml`, `data`, `keys`, `tmp` for what it may put down for a moment,
    /// `unpause.stdout` and `unpause.stderr`. Where it has a disk of its own, `data` and `keys` are in `disk`.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        home(self.folder.path(), self.disk.is_some()).join("data")
    }

    /// The file of its log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join(format!("{NAME}.stderr"))
    }

    /// Every line of its log so far, each a JSON object.
    pub fn log(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read(self.log_file()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

/// Writes a file that only this user may read: a secret may stand in it.
pub fn write_privately(path: &Path, text: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// The relay's program beside the one that runs now, or beside the folder of test programs.
pub fn find_program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let places = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("unpause"));
    places
        .into_iter()
        .find(|place| place.is_file())
        .context("the program `unpause` is not built: run `cargo build -p relay` first")
}

/// What the relay knows of real providers is in minutes; the sandbox is done in seconds.
fn habits(servers: &Servers) -> Result<String> {
    let mut text = String::new();
    if servers.warns_of_app() {
        writeln!(text, "unverified = true")?;
    }
    if let Some(sandbox) = servers.sandbox() {
        let settles = sandbox.profile().submission_time.as_millis();
        writeln!(text, "settles_within_ms = {settles}")?;
        if let SentCopy::ByServer { late_by } = sandbox.profile().sent_copy {
            let within = COPY_WITHIN.max(late_by * 2).as_millis();
            writeln!(text, "sent_copy_within_ms = {within}")?;
        }
    }
    Ok(text)
}

/// Where data and keys lie.
fn home(folder: &Path, has_disk: bool) -> PathBuf {
    if has_disk {
        folder.join(DISK)
    } else {
        folder.to_owned()
    }
}

fn config(
    folder: &Path,
    has_disk: bool,
    address: SocketAddr,
    wiring: &Wiring<'_>,
) -> Result<String> {
    let mut text = String::new();
    let quoted = |path: &Path| serde_json::to_string(path).context("a path that is not UTF-8");
    let home = home(folder, has_disk);
    writeln!(text, "listen = \"{address}\"")?;
    writeln!(text, "data = {}", quoted(&home.join("data"))?)?;
    writeln!(
        text,
        "key_file = {}",
        quoted(&home.join("keys/unpause.key"))?
    )?;
    writeln!(
        text,
        "extra_roots_file = {}",
        quoted(&folder.join("ca.pem"))?
    )?;
    writeln!(text, "log_json = true\n\n[timing]\n{}", wiring.timing)?;
    writeln!(text, "[providers.{}]", wiring.provider)?;
    text.push_str(&wiring.habits);
    if let Some(issuer) = &wiring.issuer {
        writeln!(text, "issuer = \"{issuer}\"")?;
        writeln!(text, "client_id = \"{}\"", wiring.client_id)?;
        if let Some(secret) = wiring.secret {
            writeln!(text, "client_secret = \"{secret}\"")?;
        }
    }
    for (name, server) in [("smtp", wiring.smtp), ("imap", wiring.imap)] {
        let (host, port) = (server.ip(), server.port());
        writeln!(
            text,
            "{name} = {{ host = \"{host}\", port = {port}, tls = \"implicit\" }}"
        )?;
    }
    Ok(text)
}

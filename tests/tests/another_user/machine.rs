//! A machine with two people at it: the operator, whose relay runs as his own user, and a stranger. Everything but
//! what the relay itself keeps to its user stands open to both.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use tempfile::TempDir;
use tests::child::Child;
use tests::http_client::http_client_at;
use tests::story::relay::find_program;

/// The operator's user. Nobody has it: no name is needed.
pub(crate) const OPERATOR: u32 = 60_001;
/// The stranger's.
pub(crate) const STRANGER: u32 = 65_534;
/// What the configuration holds.
pub(crate) const SECRET: &str = "hunter2-of-the-registration";

/// A relay is ready in a second; the rest is for a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The machine, and the relay where one runs.
pub(crate) struct Machine {
    folder: TempDir,
    program: PathBuf,
    relay: Option<Child>,
}

impl Machine {
    /// Makes the operator's home, with a configuration, and the stranger's.
    pub(crate) fn make() -> Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "this test plays two users of one machine: run it as root"
        );
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        // Where the build stands, others may not come.
        let program = folder.path().join("unpause");
        let built = find_program()?;
        if fs::hard_link(&built, &program).is_err() {
            fs::copy(&built, &program)?;
        }
        let machine = Self {
            folder,
            program,
            relay: None,
        };
        for (home, user) in [(machine.home(), OPERATOR), (machine.strangers(), STRANGER)] {
            fs::create_dir(&home)?;
            fs::set_permissions(&home, Permissions::from_mode(0o755))?;
            chown(&home, Some(user), Some(user))?;
        }
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndata = {:?}\nkey_file = {:?}\n[providers.sandbox]\n\
             issuer = \"http://127.0.0.1:9\"\nclient_id = \"c\"\nclient_secret = {SECRET:?}\n\
             smtp.host = \"127.0.0.1\"\nimap.host = \"127.0.0.1\"\n",
            machine.data(),
            machine.home().join("keys/unpause.key"),
        );
        Self::write_as(OPERATOR, &machine.config(), &text, 0o600)?;
        Ok(machine)
    }

    /// Makes it with a relay that runs as the operator.
    pub(crate) async fn start() -> Result<Self> {
        let mut machine = Self::make()?;
        machine.start_relay().await?;
        Ok(machine)
    }

    /// Starts the operator's relay from his home.
    pub(crate) async fn start_relay(&mut self) -> Result<()> {
        let command = self.command(OPERATOR, &["serve"]);
        let mut relay = Child::start("unpause", command, self.folder.path())?;
        let operator = http_client_at(&self.data().join("operator.sock"))?;
        let is_ready = async || {
            let answer = operator.get("http://localhost/readyz").send().await.ok()?;
            answer.status().is_success().then_some(())
        };
        relay
            .wait_until("the relay to be ready", is_ready, READY_WITHIN)
            .await?;
        self.relay = Some(relay);
        Ok(())
    }

    /// Ends the relay in order.
    pub(crate) fn end_relay(&mut self) -> Result<()> {
        self.relay.take().context("no relay runs")?.end()?;
        Ok(())
    }

    /// The relay's process.
    pub(crate) fn relay_id(&self) -> Result<u32> {
        Ok(self.relay.as_ref().context("no relay runs")?.id())
    }

    /// Every line of the relay's log so far.
    pub(crate) fn log(&self) -> String {
        let stderr = self.folder.path().join("unpause.stderr");
        fs::read_to_string(stderr).unwrap_or_default()
    }

    /// The operator's home, which others may enter.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("operator")
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    /// The operator's configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.home().join("unpause.toml")
    }

    /// The stranger's home.
    pub(crate) fn strangers(&self) -> PathBuf {
        self.folder.path().join("stranger")
    }

    /// `unpause` as this user, with the operator's configuration.
    pub(crate) fn command(&self, user: u32, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(user);
        command.arg("--config").arg(self.config()).args(arguments);
        command
    }

    /// `unpause` as this user, without anything of the caller's set-up.
    pub(crate) fn bare_command(&self, user: u32) -> Command {
        let mut command = Command::new(&self.program);
        let home = if user == STRANGER {
            self.strangers()
        } else {
            self.home()
        };
        command
            .env_clear()
            .env("HOME", &home)
            .current_dir(home)
            .uid(user)
            .gid(user);
        command
    }

    /// Writes a file for this user, with this mode.
    pub(crate) fn write_as(user: u32, path: &Path, text: &str, mode: u32) -> Result<()> {
        let mut file = fs::File::create(path)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        chown(path, Some(user), Some(user))?;
        Ok(file.write_all(text.as_bytes())?)
    }
}

/// Does it as that user: on a thread that is his, with no group beside his own.
pub(crate) fn as_user<T: Send>(user: u32, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let theirs = scope.spawn(|| {
            let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
            set_thread_groups(&[]).unwrap();
            set_thread_res_gid(gid, gid, gid).unwrap();
            set_thread_res_uid(uid, uid, uid).unwrap();
            work()
        });
        theirs.join().unwrap()
    })
}

/// What a command that was refused said.
pub(crate) fn refusal(output: &Output) -> Result<String> {
    let words = String::from_utf8(output.stderr.clone())?;
    ensure!(
        output.status.code() == Some(1),
        "{:?}: {words}",
        output.status
    );
    ensure!(output.stdout.is_empty(), "it printed {:?}", output.stdout);
    Ok(words)
}

/// What a command that did its work printed.
pub(crate) fn answer(output: &Output) -> Result<String> {
    ensure!(
        output.status.success(),
        "{:?}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout.clone())?)
}

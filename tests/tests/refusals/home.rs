//! A home folder of its own for one process of `unpause`: configuration, data and key where they are by
//! default.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tests::child::Child;
use tests::http_client::http_client_at;
use tests::story::relay::find_program;

use crate::kept::list_files;
use crate::row::{Alone, Before, Met};

/// A refusal takes milliseconds; the rest is for a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);

/// The user of what nobody should own.
const NOBODY: u32 = 65_534;

/// A home folder.
pub(crate) struct Home {
    folder: TempDir,
    program: PathBuf,
    /// Another program that listens.
    taken: TcpListener,
}

impl Home {
    /// Makes one and plays `alone` in it.
    pub(crate) async fn play(alone: &Alone) -> Result<Met> {
        let home = Self {
            folder: tempfile::tempdir()?,
            program: find_program()?,
            taken: TcpListener::bind("127.0.0.1:0")?,
        };
        let earlier = home.prepare(alone.before).await?;
        if let Some((_, then)) = alone.then {
            then(&home).await?;
        }
        let config = alone
            .config
            .replace("{taken}", &home.taken.local_addr()?.to_string());
        fs::write(home.path("unpause.toml"), config)?;
        let before = list_files(home.folder.path())?;
        let mut command = tokio::process::Command::from(home.command(alone.arguments));
        command.envs(alone.variable).kill_on_drop(true);
        let output = tokio::time::timeout(REFUSED_WITHIN, command.output())
            .await
            .context("it was not refused: it still runs")??;
        ensure!(output.stdout.is_empty(), "it printed {:?}", output.stdout);
        let after = list_files(home.folder.path())?;
        let changed: Vec<_> = after
            .iter()
            .filter(|(name, file)| before.get(*name) != Some(file))
            .chain(before.iter().filter(|(name, _)| !after.contains_key(*name)))
            .map(|(name, _)| name)
            .collect();
        ensure!(changed.is_empty(), "half done: {changed:?} changed");
        if let Some(mut earlier) = earlier {
            ensure!(
                earlier.exit_status()?.is_none(),
                "the relay that ran is gone"
            );
        }
        let line = String::from_utf8(output.stderr)?;
        let line = line.replace(&home.folder.path().display().to_string(), "~");
        Met::of_command(output.status.code(), &line)
    }

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.data("unpause.db")
    }

    /// Writes the key file, for its owner alone.
    pub(crate) fn write_key(&self, text: &str) -> Result<()> {
        let path = self.key_file();
        fs::create_dir_all(path.parent().context("a file in a folder")?)?;
        fs::write(&path, text)?;
        self.set_key_mode(0o600)
    }

    /// Changes who may read the key file.
    pub(crate) fn set_key_mode(&self, mode: u32) -> Result<()> {
        Ok(fs::set_permissions(
            self.key_file(),
            fs::Permissions::from_mode(mode),
        )?)
    }

    /// Changes who may read a file or enter a folder of the home.
    pub(crate) fn set_mode(&self, name: &str, mode: u32) -> Result<()> {
        let permissions = fs::Permissions::from_mode(mode);
        Ok(fs::set_permissions(self.path(name), permissions)?)
    }

    /// Gives the data folder to a user that nobody is.
    pub(crate) fn give_data_away(&self) -> Result<()> {
        std::os::unix::fs::chown(self.path(".local/share/unpause"), Some(NOBODY), None)
            .context("only root may give a folder to another user: run this test as root")
    }

    /// The key file.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.path(".config/unpause/unpause.key")
    }

    /// Starts a relay that has been here before the refused process, and ends it where it should be gone.
    async fn prepare(&self, before: Before) -> Result<Option<Child>> {
        if before == Before::Nothing {
            return Ok(None);
        }
        fs::write(self.path("unpause.toml"), "listen = \"127.0.0.1:0\"\n")?;
        // Its output goes elsewhere: what changes in the home is looked at.
        let output = self.path(".output");
        fs::create_dir(&output)?;
        let mut child = Child::start("earlier", self.command(&["serve"]), &output)?;
        // Not before it serves: what it begins with is written by then.
        let operator = http_client_at(&self.data("operator.sock"))?;
        let is_up = async || {
            let answer = operator.get("http://localhost/readyz").send().await.ok()?;
            answer.status().is_success().then_some(())
        };
        child
            .wait_until("the earlier relay to listen", is_up, REFUSED_WITHIN)
            .await?;
        match before {
            Before::Nothing | Before::Runs => return Ok(Some(child)),
            Before::Ran => child.end()?,
            Before::Killed => child.kill_now()?,
        };
        Ok(None)
    }

    /// Runs a command that succeeds.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<()> {
        let output = self.command(arguments).output()?;
        ensure!(output.status.success(), "{arguments:?}: {output:?}");
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path())
            .args(arguments);
        command
    }

    /// A file of the data folder.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.path(".local/share/unpause").join(name)
    }

    /// A file of the home.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }
}

//! Where the workspace lies, and how other programs are run: shown first, with their output
//! passed through, so that a long build is seen to move.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// The folders of this checkout.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo, so that `CARGO_TARGET_DIR` and `build.target-dir` are honoured.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let output = Command::new(cargo_program())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cargo cannot be run")?;
        if !output.status.success() {
            bail!(
                "`cargo metadata` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let metadata: Value =
            serde_json::from_slice(&output.stdout).context("`cargo metadata` printed no JSON")?;
        let folder = |key: &str| {
            metadata
                .get(key)
                .and_then(Value::as_str)
                .map(PathBuf::from)
                .with_context(|| format!("`cargo metadata` names no {key}"))
        };
        Ok(Self {
            root: folder("workspace_root")?,
            target: folder("target_directory")?,
        })
    }

    /// Where the binary of a package lies after a build.
    pub(crate) fn binary(&self, name: &str, release: bool) -> PathBuf {
        let profile = if release { "release" } else { "debug" };
        self.target
            .join(profile)
            .join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// Cargo, in the root of the workspace.
    ///
    /// What cargo told this program about its own package is not passed on: build scripts that look at it
    /// (ring's does) would run anew, and all that needs them would be built anew, at every change between
    /// `cargo xtask` and `cargo`.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = self.program(&cargo_program(), args);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
    }

    /// Any program, in the root of the workspace, with [`Workspace::path`] as its `PATH`.
    pub(crate) fn program(
        &self,
        program: &(impl AsRef<std::ffi::OsStr> + ?Sized),
        args: &[&str],
    ) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(&self.root)
            .env("PATH", self.path());
        command
    }

    /// Where programs are looked for: what `cargo xtask test` installed, the caller's `PATH`,
    /// cargo's own folder, and the folders of system programs, which an ordinary person's
    /// `PATH` lacks on Debian.
    pub(crate) fn path(&self) -> OsString {
        let inherited = env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = TOOL_FOLDERS
            .iter()
            .map(|folder| self.tools().join(folder).join("bin"))
            .collect();
        folders.extend(env::split_paths(&inherited));
        folders.extend(Path::new(&cargo_program()).parent().map(Path::to_path_buf));
        folders.extend(SYSTEM_FOLDERS.iter().map(PathBuf::from));
        env::join_paths(
            folders
                .iter()
                .filter(|folder| !folder.as_os_str().is_empty()),
        )
        .unwrap_or(inherited)
    }

    /// The first file of that name on [`Workspace::path`].
    pub(crate) fn find_program(&self, name: &str) -> Option<PathBuf> {
        env::split_paths(&self.path())
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    }

    /// Where `cargo xtask test` puts the tools that it installs.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }
}

/// The folders below [`Workspace::tools`], each with a `bin`.
const TOOL_FOLDERS: &[&str] = &["nextest", "deny", "node", "cargo", "zig"];

/// Debian puts `dovecot` and `smtp-sink` here (Filesystem Hierarchy Standard 3.0 §4.10).
const SYSTEM_FOLDERS: &[&str] = &["/usr/sbin", "/sbin"];

/// Runs it to its end with its output passed through; anything but status 0 is an error.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = show(command);
    eprintln!("$ {line}");
    let status = command
        .status()
        .with_context(|| format!("`{line}` cannot be started"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs it to its end and takes over its exit status.
pub(crate) fn run_as_ourselves(command: &mut Command) -> anyhow::Result<ExitCode> {
    let line = show(command);
    eprintln!("$ {line}");
    let status = command
        .status()
        .with_context(|| format!("`{line}` cannot be started"))?;
    // A process that was ended by a signal has no code of its own.
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// Whether the program starts and ends with status 0; its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command as a person would type it.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| {
            let word = word.to_string_lossy();
            if word.contains(' ') {
                format!("'{word}'")
            } else {
                word.into_owned()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// The cargo that runs us, so that its children are the same version.
fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

//! `cargo xtask packages`: the Debian packages, tried in fresh systems.
//!
//! What is tried stands in `packaging/debian`, in the words of the systems that it is tried in: `try.sh` in a folder,
//! `boot.sh` in a system that systemd has booted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::args::{Accepts, Command, Flag, Given, UsageError};
use crate::shell::{self, Workspace};
use crate::test::install;
use crate::test::need::{self, Need};

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "packages",
    summary: "installs the Debian packages in fresh Debian 12 and 13, and plays a campaign there",
    about: "\
Takes the packages that `cargo xtask dist` has made, and for Debian 12 and 13 makes a fresh system in
a folder (kept in target/chroots), installs them there, starts relay and sandbox by their units' own
command lines, plays a campaign through the loss of its inbox, upgrades the package over its data and
removes it; on Debian 13 also those for arm64, in qemu. Then it boots both systems, where systemd starts
the units with all that they take away, and does what the guides say of backups and of a server's ports.
Needs root, Debian's archive, and for arm64 a kernel that hands its programs to qemu (binfmt_misc).",
    accepts: Accepts::Flags(&[
        Flag {
            name: "--only",
            value: Some("SYSTEM"),
            help: "bookworm, trixie, trixie-arm64, bookworm-boot or trixie-boot; else all of them",
        },
        Flag {
            name: "--upgrade-from",
            value: Some("FOLDER"),
            help: "older packages, which those of target/dist upgrade, in a folder alone; else they upgrade themselves",
        },
    ]),
    run,
};

/// A fresh system that the packages are tried in.
struct System {
    /// What it is called here.
    name: &'static str,
    /// Its name in Debian's archive.
    suite: &'static str,
    /// The kind of machine, as Debian says it; `None` where it is this one's.
    machine: Option<&'static str>,
    /// What is in it beside the least.
    include: &'static str,
    /// What is done there.
    script: &'static str,
    /// What this computer needs for it.
    needs: &'static [&'static Need],
}

const IN_A_FOLDER: System = System {
    name: "",
    suite: "",
    machine: None,
    include: "ca-certificates",
    script: "packaging/debian/try.sh",
    needs: &[&need::MMDEBSTRAP, &need::DPKG_DEB],
};

const BOOTED: System = System {
    include: "adduser,ca-certificates,curl,init-system-helpers,sudo,systemd-sysv",
    script: "packaging/debian/boot.sh",
    needs: &[&need::MMDEBSTRAP, &need::SYSTEMD_NSPAWN],
    ..IN_A_FOLDER
};

const SYSTEMS: &[System] = &[
    System {
        name: "bookworm",
        suite: "bookworm",
        ..IN_A_FOLDER
    },
    System {
        name: "trixie",
        suite: "trixie",
        ..IN_A_FOLDER
    },
    System {
        name: "trixie-arm64",
        suite: "trixie",
        machine: Some("arm64"),
        needs: &[&need::MMDEBSTRAP, &need::DPKG_DEB, &need::QEMU_AARCH64],
        ..IN_A_FOLDER
    },
    System {
        name: "bookworm-boot",
        suite: "bookworm",
        ..BOOTED
    },
    System {
        name: "trixie-boot",
        suite: "trixie",
        ..BOOTED
    },
];

fn run(given: &Given) -> anyhow::Result<ExitCode> {
    let only = given.values("--only");
    let known: Vec<&str> = SYSTEMS.iter().map(|system| system.name).collect();
    if let Some(unknown) = only.iter().find(|name| !known.contains(name)) {
        return Err(UsageError::unknown_value("--only", unknown, &known).into());
    }
    let older = given.values("--upgrade-from").first().map(PathBuf::from);
    let is_wanted = |system: &&System| {
        let is_named = only.contains(&system.name);
        let is_usual = only.is_empty() && (older.is_none() || system.script == IN_A_FOLDER.script);
        is_named || is_usual
    };
    let wanted: Vec<&System> = SYSTEMS.iter().filter(is_wanted).collect();
    if older.is_some()
        && wanted
            .iter()
            .any(|system| system.script != IN_A_FOLDER.script)
    {
        return Err(UsageError::new(
            "--upgrade-from is for systems in a folder: leave out those that are booted",
        )
        .into());
    }
    let workspace = Workspace::find()?;
    let mut needs: Vec<&'static Need> = wanted
        .iter()
        .flat_map(|system| system.needs.iter().copied())
        .collect();
    needs.sort_by_key(|need| need.name);
    needs.dedup_by_key(|need| need.name);
    if !install::ensure(&workspace, &needs)? {
        return Ok(ExitCode::FAILURE);
    }
    let packages = workspace.target.join("dist");
    if !holds_package(&packages) {
        bail!(
            "{} holds no Debian package: run `cargo xtask dist` first",
            packages.display()
        );
    }
    if let Some(older) = older.as_ref().filter(|older| !holds_package(older)) {
        bail!("{} holds no Debian package", older.display());
    }
    for system in wanted {
        let made = make(&workspace, system)?;
        let script = workspace.root.join(system.script);
        let mut command = workspace.program(&script, &[]);
        command.arg(made).arg(&packages);
        command.arg(workspace.root.join("docs"));
        if let Some(older) = &older {
            command.arg(older);
        }
        shell::run(&mut command)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn holds_package(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "deb"))
        })
    })
}

/// The fresh system as an archive, made where it is not there yet.
fn make(workspace: &Workspace, system: &System) -> anyhow::Result<PathBuf> {
    let chroots = workspace.target.join("chroots");
    fs::create_dir_all(&chroots)
        .with_context(|| format!("{} cannot be made", chroots.display()))?;
    let whole = chroots.join(format!("{}.tar", system.name));
    if !whole.is_file() {
        // Beside it first: what is half made is not taken for whole.
        let making = chroots.join(format!("{}.making.tar", system.name));
        let mut command = workspace.program("mmdebstrap", &["--variant=minbase"]);
        command.arg(format!("--include={}", system.include));
        if let Some(machine) = system.machine {
            command.arg(format!("--arch={machine}"));
        }
        shell::run(command.arg(system.suite).arg(&making))?;
        fs::rename(&making, &whole)
            .with_context(|| format!("{} cannot be written", whole.display()))?;
    }
    Ok(whole)
}

